"""The receiving half of webhooks, against the specification's own vector and its reference library."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook as Reference

from holdback.client import HoldbackError, WebhookRefused, verify_webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_c2VjcmV0LW9mLWEtcm90YXRlZC1lbmRwb2ludA=="
AT = 1_614_265_330
VECTOR = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": str(AT),
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
BODY = (
    b'{"type":"exit.releasable","timestamp":"2026-11-21T10:00:00Z",'
    b'"data":{"account":"alice","exit":"x7","until":"2026-11-21T10:00:00Z"}}'
)


def signed(body: bytes = BODY, *secrets: str, at: int = AT) -> dict[str, str]:
    """Headers by the reference library, one signature a secret."""
    when = datetime.fromtimestamp(at, UTC)
    made = [Reference(one).sign("msg_1", when, body.decode()) for one in secrets or (SECRET,)]
    return {"Webhook-Id": "msg_1", "Webhook-Timestamp": str(at), "Webhook-Signature": " ".join(made)}


def test_the_specifications_vector() -> None:
    """The vector's signature is right; that its body is no message of Holdback's is found only then."""
    body = b'{"test": 2432232314}'
    with pytest.raises(WebhookRefused, match="cannot be read"):
        verify_webhook(body, VECTOR, secrets=[SECRET], now=AT)
    with pytest.raises(WebhookRefused, match="signature"):
        verify_webhook(body + b" ", VECTOR, secrets=[SECRET], now=AT)


def test_a_message_is_read() -> None:
    """What was signed lately comes back with its id, kind, account, exit and instants."""
    message = verify_webhook(BODY, signed(), secrets=[SECRET], now=AT + 299)
    assert (message.id, message.kind, message.account, message.exit) == ("msg_1", "exit.releasable", "alice", "x7")
    assert message.at == message.until == datetime(2026, 11, 21, 10, tzinfo=UTC)


@pytest.mark.parametrize(("signs", "knows"), [([OTHER, SECRET], [SECRET]), ([SECRET], [OTHER, SECRET])])
def test_secrets_are_changed_without_a_gap(signs: list[str], knows: list[str]) -> None:
    """While a secret is changed either side may have both: one that fits is enough."""
    assert verify_webhook(BODY, signed(BODY, *signs), secrets=knows, now=AT).account == "alice"


@pytest.mark.parametrize(
    ("headers", "now"),
    [
        (signed(BODY, OTHER), AT),
        (signed(b"{}"), AT),
        (signed() | {"Webhook-Id": "msg_2"}, AT),
        (signed() | {"Webhook-Timestamp": str(AT + 1)}, AT),
        (signed() | {"Webhook-Timestamp": "now"}, AT),
        (signed() | {"Webhook-Timestamp": "1" * 99}, AT),
        (signed() | {"Webhook-Signature": "v2," + signed()["Webhook-Signature"][3:]}, AT),
        (signed() | {"Webhook-Signature": "v1,\u00e4"}, AT),
        (signed() | {"Webhook-Signature": ""}, AT),
        ({}, AT),
        (signed(), AT + 301),
        (signed(), AT - 301),
        (signed(), math.nan),
    ],
)
def test_anything_else_is_refused(headers: dict[str, str], now: float) -> None:
    """Another key, body, id, time or scheme, and what is too old or from the future, is nobody's word."""
    with pytest.raises(WebhookRefused) as refused:
        verify_webhook(BODY, headers, secrets=[SECRET], now=now)
    assert isinstance(refused.value, HoldbackError)


def test_a_long_body_is_not_looked_at() -> None:
    """What is longer than any message is refused before it is hashed or read."""
    body = b" " * 70_000
    with pytest.raises(WebhookRefused, match="no signed message"):
        verify_webhook(body, signed(body), secrets=[SECRET], now=AT)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_%%%"])
def test_a_secret_that_is_none(secret: str) -> None:
    """An empty or unreadable secret verifies nothing, and says so at once."""
    with pytest.raises(ValueError, match="whsec_"):
        verify_webhook(BODY, signed(), secrets=[secret], now=AT)


@pytest.mark.parametrize("header", ["webhook-id", "webhook-signature"])
def test_headers_that_are_no_text_are_refused(header: str) -> None:
    """Bytes that a server could not read as text come as lone surrogates: they are refused as what is not signed."""
    headers = {"webhook-id": "m", "webhook-timestamp": "1", "webhook-signature": "v1,x"} | {header: "v1,\udcff"}
    with pytest.raises(WebhookRefused, match="no signed message"):
        verify_webhook(b"{}", headers, secrets=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], now=1)
