"""Texts through the operator's gateway: which settings lead there, and that codes and notices take that way."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.contracts.far import FarGateway
from tests.service.house import PASSWORD, PASSWORD_HASH, RECEIPTS, RING, Customer, House

from holdback import wiring
from holdback.channels.apprise import AppriseSender
from holdback.channels.sms_gateway import SmsGateway
from holdback.channels.webhook import WebhookSender
from holdback.core.events import HOUR, Channel
from holdback.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NUMBER: Final = "+491510000001"
HOW_TO: Final = Path(__file__).parents[2] / "docs" / "how-to" / "send-texts.md"
URL: Final = "https://sms.example/v1"
HOOK: Final = {"HOLDBACK_WEBHOOK_URL": "https://app.example/n", "HOLDBACK_WEBHOOK_SECRET": "whsec_" + "a" * 32}
APPRISE: Final = {"HOLDBACK_APPRISE_URL": "jsons://s3cret@push.example/{to}"}
MAIL: Final = {"HOLDBACK_SMTP_HOST": "mail.example", "HOLDBACK_MAIL_FROM": "security@example.com"}


@pytest.fixture
async def gateway() -> AsyncIterator[FarGateway]:
    """A text gateway."""
    far = FarGateway()
    await far.start()
    yield far
    await far.stop()


async def test_codes_and_notices_go_by_the_gateway(house: House, gateway: FarGateway) -> None:
    """A code that came through it signs in, and what it accepted is a notice that starts a wait."""
    sender = gateway.sender()
    house.outbox = Outbox(house.service, house.post | {Channel.SMS: sender}, "https://id.example")
    alice = Customer(house, "alice")
    body = alice.importing()
    body["authenticators"] = [{"kind": "password", "secret": PASSWORD_HASH}, {"kind": "sms", "address": NUMBER}]
    body["contacts"] = [{"channel": "sms", "address": "+49 151 0000 002"}]
    assert (await alice.ask(body))["decision"] == "allow"
    await house.deliver()
    assert {one.to[0] for one in gateway.accepted} == {"+491510000002"}
    house.clock.at += 73 * HOUR

    password = {"kind": "password", "response": PASSWORD}
    asked = await alice.ask(alice.body("session.start", proofs=[password]))
    assert asked["decision"] == "step_up"
    await house.deliver()
    (text,) = [one.text for one in gateway.accepted if one.to == [NUMBER]]
    code = re.search(r"\b\d{8}\b", text)
    assert code is not None, text
    proofs = [password, {"kind": "sms", "response": code[0]}]
    answer = await alice.ask(alice.body("session.start", proofs=proofs, challenge=asked["challenge"]["id"]))
    await sender.close()
    assert answer["decision"] == "allow", answer


def senders(**environ: str) -> dict[Channel, Any]:
    """The channels of an environment."""
    return dict(wiring.senders(wiring.settings_from(environ)))


def test_which_channel_carries_texts() -> None:
    """A gateway takes texts from the webhook, which keeps the pushes, and apprise takes what it is told to."""
    plain = senders(**HOOK)
    assert {name: type(one) for name, one in plain.items()} == {Channel.PUSH: WebhookSender, Channel.SMS: WebhookSender}
    gateway = senders(**HOOK, HOLDBACK_SMS_URL=URL)
    assert {name: type(one) for name, one in gateway.items()} == {Channel.PUSH: WebhookSender, Channel.SMS: SmsGateway}
    both = senders(**APPRISE, HOLDBACK_SMS_URL=URL)
    assert {name: type(one) for name, one in both.items()} == {Channel.PUSH: AppriseSender, Channel.SMS: SmsGateway}
    texts = senders(**APPRISE, HOLDBACK_APPRISE_CHANNEL="sms")
    assert {name: type(one) for name, one in texts.items()} == {Channel.SMS: AppriseSender}


@pytest.mark.parametrize(
    ("environ", "independent"),
    [
        ({}, {Channel.EMAIL, Channel.SMS}),
        (HOOK, {Channel.EMAIL}),
        ({"HOLDBACK_SMS_URL": URL}, {Channel.EMAIL, Channel.SMS}),
        (HOOK | {"HOLDBACK_SMS_URL": URL}, {Channel.EMAIL, Channel.SMS}),
        (APPRISE, {Channel.EMAIL, Channel.SMS}),
        (APPRISE | {"HOLDBACK_APPRISE_CHANNEL": "sms"}, {Channel.EMAIL}),
        (HOOK | APPRISE | {"HOLDBACK_SMS_URL": URL}, {Channel.EMAIL, Channel.SMS}),
    ],
)
def test_what_may_lead_back_to_the_platform_starts_no_wait(environ: dict[str, str], independent: set[Channel]) -> None:
    """A text counts as told outside the platform by a gateway, and not by a webhook or an apprise URL (law 5)."""
    settings = wiring.settings_from(environ | {"HOLDBACK_MASTER_KEYS": RING, "HOLDBACK_RECEIPT_KEYS": RECEIPTS})
    assert set(wiring.tools(settings).policy.notices.independent) == independent


@pytest.mark.parametrize(
    ("setting", "wrong"),
    [
        ("HOLDBACK_SMS_URL", "http://s3cret.example"),
        ("HOLDBACK_SMS_METHOD", "GET"),
        ("HOLDBACK_SMS_HEADERS", '{"Authorization": "Bearer s3cret\\n"}'),
        ("HOLDBACK_SMS_USER", "s3cret:x"),
        ("HOLDBACK_SMS_BODY", '{"s3cret": "{text}"}'),
        ("HOLDBACK_SMS_BODY_KIND", "xml"),
        ("HOLDBACK_SMS_ACCEPTED", "2xx"),
        ("HOLDBACK_SMS_ACCEPTED_IF", "status"),
        ("HOLDBACK_SMS_REFUSED", "4xx"),
        ("HOLDBACK_SMS_REFUSED_IF", "status"),
        ("HOLDBACK_SMS_DEADLINE_S", "0.5"),
        ("HOLDBACK_SMS_DEADLINE_S", "31"),
        ("HOLDBACK_SMS_DEADLINE_S", "nan"),
        ("HOLDBACK_SMS_TYPO", "s3cret"),
        ("HOLDBACK_APPRISE_URL", "json://s3cret@push.example/{to}"),
        ("HOLDBACK_APPRISE_CHANNEL", "email"),
        ("HOLDBACK_MAIL_FROM", ""),
        ("HOLDBACK_MAIL_FROM", "s3cret"),
        ("HOLDBACK_SMTP_TLS", "none"),
        ("HOLDBACK_WEBHOOK_URL", "http://s3cret.example"),
        ("HOLDBACK_WEBHOOK_URL", "https://s3cret.example:x"),
        ("HOLDBACK_WEBHOOK_SECRET", "whsec_s3cret"),
        ("HOLDBACK_WEBHOOK_SECRET", ""),
    ],
)
def test_a_wrong_setting_is_named(setting: str, wrong: str) -> None:
    """A setting that could not work is refused by its name, which the message does not follow with its value."""
    with pytest.raises(wiring.SettingError, match=rf"^{setting}\b") as caught:
        senders(**({"HOLDBACK_SMS_URL": URL} | MAIL | HOOK | {setting: wrong}))
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_settings_of_texts_come_together() -> None:
    """What describes a gateway without naming it is a mistake, as is a second way for texts."""
    with pytest.raises(wiring.SettingError, match="HOLDBACK_SMS_URL must be set"):
        senders(HOLDBACK_SMS_USER="AC1")
    with pytest.raises(wiring.SettingError, match="HOLDBACK_APPRISE_CHANNEL: texts"):
        senders(**APPRISE, HOLDBACK_APPRISE_CHANNEL="sms", HOLDBACK_SMS_URL=URL)


async def test_a_wrong_setting_stops_the_start(tmp_path: Path) -> None:
    """A server whose gateway could never send does not run until the first text."""
    at = tmp_path / "holdback.db"
    given = wiring.Settings(store=f"sqlite:{at}", master_keys=RING, receipt_keys=RECEIPTS, sms_url=URL, sms_body="{}")
    with pytest.raises(wiring.SettingError, match="HOLDBACK_SMS_BODY"):
        async with wiring.running(given):
            pass
    assert not at.exists()


def test_secrets_of_a_gateway_may_be_files(tmp_path: Path) -> None:
    """What must not stand on a command line is read from the file that is named."""
    secret = tmp_path / "secret"
    secret.write_text('{"Authorization": "Bearer s3cret"}\n')
    settings = wiring.settings_from(
        {"HOLDBACK_SMS_HEADERS_FILE": str(secret), "HOLDBACK_SMS_PASSWORD_FILE": str(secret)}
    )
    assert settings.sms_headers == settings.sms_password == '{"Authorization": "Bearer s3cret"}'


def test_apprise_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra an apprise URL is refused with the way to mend it."""
    monkeypatch.setitem(sys.modules, "holdback.channels.apprise", None)
    with pytest.raises(wiring.SettingError, match=r"HOLDBACK_APPRISE_URL: .*holdback\[apprise\]"):
        senders(**APPRISE)


def test_the_examples_of_the_how_to_work(tmp_path: Path) -> None:
    """What the how-to tells an operator to set is a setting, and makes a channel."""
    (tmp_path / "sms-headers.json").write_text('{"Authorization": "Bearer x"}')
    (tmp_path / "sms-password").write_text("x")
    examples = re.findall(r"```sh\n(.*?)```", HOW_TO.read_text(), flags=re.DOTALL)
    assert len(examples) == 3
    for example in examples:
        lines = shlex.split(example.replace("/etc/holdback", str(tmp_path)), comments=True)
        assert senders(**dict(line.split("=", 1) for line in lines if line != "export"))
