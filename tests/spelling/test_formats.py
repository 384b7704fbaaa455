"""What a field wants is said in words, never as a regular expression."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.service.house import settings

from holdback import formats, wiring
from holdback.intake import BadRequest, Intake, parse
from holdback.web import openapi, prices
from holdback.web.bodies import json_object, read_sign_in

if TYPE_CHECKING:
    from collections.abc import Iterator


def patterns(schema: object) -> Iterator[str]:
    """Every pattern in a JSON schema."""
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"].replace("$", r"\Z") if schema["pattern"].endswith("$") else schema["pattern"]
        for inner in schema.values():
            yield from patterns(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from patterns(inner)


def test_each_pattern_has_words() -> None:
    """Every pattern of a body or of a setting has its words, and there are words for no other."""
    bodies = set(patterns(openapi.description()["components"]))
    assert bodies | set(patterns(msgspec.json.schema(wiring.Settings))) == set(formats.WORDS)


@pytest.mark.parametrize("pattern", formats.WORDS)
def test_each_example_fits(pattern: str) -> None:
    """What the words give as an example, or as all there is, would be taken."""
    words = formats.WORDS[pattern]
    named = re.findall(r"`([a-zA-Z_]{2,})`", words) if "id" not in words.split() else []
    for example in [*re.findall(r"such as (\S+)$", words), *named]:
        assert re.match(pattern, example), example


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        ({"amount": "0,25"}, "/amount", "must be a decimal number as a string, with 18 places at most, such as 0.25"),
        ({"network": "Bitcoin"}, "/network", None),
        ({"context": {"method": "post"}}, "/context/method", None),
        ({"proofs": [{"kind": "x", "response": "1"}]}, "/proofs/0/kind", None),
    ],
)
def test_a_bad_request_says_what_is_wanted(body: dict[str, Any], pointer: str, detail: str | None) -> None:
    """A field in another form is answered with its own words."""
    whole = {"action": "exit.request", "kind": "withdrawal", "asset": "BTC", "amount": "1", "actor": {"kind": "owner"}}
    with pytest.raises(BadRequest) as refused:
        asked(whole | body)
    assert refused.value.pointer == pointer
    assert refused.value.detail.startswith("must be ")
    assert detail in {None, refused.value.detail}


def asked(body: dict[str, Any]) -> None:
    """Take a body in as far as its form is looked at."""
    parsed = parse(body)
    given = settings()
    made = wiring.tools(given)
    Intake(made.masters, wiring.passwords(given), {}, made.signing, wiring.SystemEntropy()).check(parsed)


def test_prices_settings_and_sign_ins_say_so_too() -> None:
    """A price, a challenge of a sign-in and a setting are told in the same words."""
    with pytest.raises(BadRequest, match=r"^must be US dollars") as refused:
        prices.read_table(b'{"at": "2026-01-01T00:00:00Z", "prices": {"BTC": "1e5"}}')
    assert refused.value.pointer.startswith("/prices")
    with pytest.raises(BadRequest, match="must be the name of an asset"):
        prices.read_table(b'{"at": "2026-01-01T00:00:00Z", "prices": {"B T": "1"}}')
    with pytest.raises(BadRequest, match="must be an id"):
        read_sign_in(json_object(b'{"name": "a", "challenge": "\\u0000"}'))
    with pytest.raises(wiring.SettingError, match="HOLDBACK_SMTP_TLS: must be `starttls`, `tls` or `none`"):
        wiring.settings_from({"HOLDBACK_SMTP_TLS": "yes"})


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("exit.requests", "exit.request"), ("freeze.account", None), ("account.frieze", "account.freeze")],
)
def test_the_nearest_action_is_named(name: str, nearest: str | None) -> None:
    """A name with a typing error is answered with the one that was meant; one unlike all others with none."""
    with pytest.raises(BadRequest) as refused:
        parse({"action": name, "actor": {"kind": "platform"}})
    assert refused.value.pointer == "/action"
    if nearest:
        assert refused.value.detail.endswith(f"the nearest is `{nearest}`")


def test_what_was_sent_is_not_said_back() -> None:
    """A name unlike any other is not repeated, however long."""
    with pytest.raises(BadRequest) as refused:
        parse({"action": "x" * 60_000, "actor": {"kind": "platform"}})
    assert refused.value.detail == "`action` names no action there is"
