"""The contract of `ports.Sender`, the same for every channel, against real servers on this machine."""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.contracts.far import HOST, SECRET, WORDS, Far, FarApprise, FarGateway, FarHook, FarRelay

from holdback.channels.apprise import AppriseSender
from holdback.channels.setting import BadSetting
from holdback.channels.sms_gateway import ANSWER_MOST, TEXT_MOST, SmsGateway
from holdback.channels.smtp import SmtpSender
from holdback.channels.webhook import BODY_BYTES_MOST, WebhookSender
from holdback.core.events import Channel
from holdback.ports import ChannelRefused, ChannelUnavailable, Message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from holdback.ports import Sender

SOON_S: Final = 0.2
"""A deadline that a test lets pass."""

MESSAGE: Final = Message(
    id="alice/12-0/c1-1",
    to="alice@example.com",
    subject="Important: a beneficiary was added",
    text="Zurücknehmen? Freeze:\nhttps://id.example/freeze?t=abc\n\nYour phrase: amber otter 口座\n",
    freeze_url="https://id.example/freeze?t=abc",
    data={"kind": "address.added", "severity": "mild", "account": "alice"},
)


def message(**given: Any) -> Message:  # noqa: ANN401 - fields of a message
    """A notice that differs in these fields."""
    return msgspec.structs.replace(MESSAGE, **given)


@pytest.fixture
async def relay() -> AsyncIterator[FarRelay]:
    """A mail relay."""
    far = FarRelay()
    await far.start()
    yield far
    await far.stop()


@pytest.fixture
async def hook() -> AsyncIterator[FarHook]:
    """A platform's webhook."""
    far = FarHook()
    await far.start()
    yield far
    await far.stop()


@pytest.fixture
async def gateway() -> AsyncIterator[FarGateway]:
    """A text gateway."""
    far = FarGateway()
    await far.start()
    yield far
    await far.stop()


@pytest.fixture
async def elsewhere() -> AsyncIterator[FarApprise]:
    """Where an apprise URL leads."""
    far = FarApprise()
    await far.start()
    yield far
    await far.stop()


def told(far: Far, **given: Any) -> Message:  # noqa: ANN401 - fields of a message
    """A notice for the reader of `far`."""
    return message(**({"to": far.address} | given))


@pytest.fixture(params=["relay", "hook", "gateway", "elsewhere"])
def far(request: pytest.FixtureRequest) -> Far:
    """The other side of each channel in turn."""
    found: Far = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def sender(far: Far) -> AsyncIterator[Sender]:
    """A sender that speaks to `far`."""
    made = far.sender()
    yield made
    await made.close()


# Every channel


async def test_what_was_sent_has_arrived(far: Far, sender: Sender) -> None:
    """When a send returns, the next system has the whole message, in any script, for its one reader."""
    await sender.send(told(far))

    (arrived,) = far.accepted
    assert arrived.to == [told(far).to]
    assert arrived.subject == (told(far).subject if far.subjects else "")
    assert arrived.text == far.whole(told(far).text)


async def test_a_repeat_has_the_same_id(far: Far, sender: Sender) -> None:
    """A message that is sent again carries the id it had, and another message another one."""
    await sender.send(told(far))
    await sender.send(told(far))
    await sender.send(told(far, id="alice/13-0/c1-1"))
    restart = far.sender()
    await restart.send(told(far))
    await restart.close()

    first, again, other, restarted = [one.id for one in far.accepted]
    assert first == again == restarted
    assert (first != other) is far.ids


async def test_a_final_no_is_a_refusal(far: Far, sender: Sender) -> None:
    """What the next system will never take is refused."""
    far.mood = "refuse"
    with pytest.raises(ChannelRefused if far.finals else ChannelUnavailable):
        await sender.send(told(far))


async def test_a_no_for_now_is_not_a_refusal(far: Far, sender: Sender) -> None:
    """What the next system does not take now is unavailable, and goes through when it does."""
    far.mood = "unavailable"
    with pytest.raises(ChannelUnavailable):
        await sender.send(told(far))
    far.mood = "accept"
    await sender.send(told(far))
    assert len(far.accepted) == 1


async def test_a_hanging_server_is_given_up_on(far: Far) -> None:
    """A server that never answers holds a message up until the deadline, and not for longer."""
    far.mood = "hang"
    sender = far.sender(SOON_S)
    began = time.monotonic()
    with pytest.raises(ChannelUnavailable):
        await sender.send(told(far))
    assert SOON_S / 2 < time.monotonic() - began < 5
    far.mood = "accept"
    await sender.send(told(far))
    await sender.close()


async def test_a_server_that_never_greets_is_given_up_on(far: Far) -> None:
    """A server that takes a connection and says nothing is given up on at the deadline."""
    taken: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _, writer: taken.append(writer), HOST, 0)
    far.port, port = silent.sockets[0].getsockname()[1], far.port
    sender = far.sender(SOON_S)
    far.port = port
    with pytest.raises(ChannelUnavailable):
        await sender.send(told(far))
    await sender.close()
    silent.close()
    for writer in taken:
        writer.close()


async def test_a_lost_connection_is_unclear(far: Far, sender: Sender) -> None:
    """A connection that breaks before the answer leaves the message to be sent again."""
    far.mood = "hang_up"
    with pytest.raises(ChannelUnavailable):
        await sender.send(told(far))
    far.mood = "accept"
    await sender.send(told(far))
    assert len(far.accepted) == 1


async def test_nobody_listens(far: Far) -> None:
    """A server that is not there is unavailable."""
    sender = far.sender()
    await far.stop()
    with pytest.raises(ChannelUnavailable):
        await sender.send(told(far))
    await sender.close()
    await far.start()


async def test_a_cancelled_send_harms_no_other(far: Far, sender: Sender) -> None:
    """Whoever stops waiting for one message leaves nothing behind that the next could trip over."""
    far.mood = "hang"
    sending = asyncio.create_task(sender.send(told(far)))
    await far.reached.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    far.mood = "accept"
    await sender.send(told(far, text="the next one\n"))
    assert [one.text for one in far.accepted] == [far.whole("the next one\n")]


@pytest.mark.parametrize("mood", ["refuse", "unavailable"])
async def test_errors_repeat_nothing(far: Far, sender: Sender, mood: str) -> None:
    """An error, which is logged and kept, holds neither address, nor text, nor the server's own words."""
    far.mood = mood
    with pytest.raises((ChannelRefused, ChannelUnavailable)) as caught:
        await sender.send(told(far))
    said = str(caught.value)
    assert [word for word in (far.address, "alice", "freeze", WORDS, "such user") if word in said] == []
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    "subject",
    [
        "Hello\r\nBcc: eve@example.com",
        "Hello\nX-Evil: 1",
        "Hello\r\n\r\nBody",
        "\u2028Bcc: e@x",
        "\x00\ud800",
        "é" * 400,
    ],
)
async def test_a_subject_adds_nothing_else(far: Far, sender: Sender, subject: str) -> None:
    """Whatever stands in a subject, the notice goes out with no other reader, header or text, or is refused."""
    try:
        await sender.send(told(far, subject=subject))
    except ChannelRefused:
        assert far.accepted == []
        return
    (arrived,) = far.accepted
    assert arrived.to == [told(far).to]
    assert arrived.text == far.whole(told(far).text)
    if isinstance(far, FarRelay):
        expected = {"from", "to", "subject", "message-id", "date", "auto-submitted", "mime-version", "x-peer"}
        assert {name.lower() for name in arrived.raw} - expected <= {"content-type", "content-transfer-encoding"}


@pytest.mark.parametrize(
    "to",
    [
        "alice@example.com\r\nBcc: eve@example.com",
        "alice@example.com\n",
        "alice@example.com, eve@example.com",
        "alice@example.com;eve@example.com",
        "<alice@example.com> NOTIFY=NEVER",
        "Alice <eve@example.com>",
        "alice@example.com>\r\nRCPT TO:<eve@example.com",
        '"eve@example.com"@example.com',
        "alice",
        "@example.com",
        "",
        "\ud800@example.com",
    ],
)
async def test_a_contact_is_one_reader(far: Far, sender: Sender, to: str) -> None:
    """Whatever stands in a contact is that one contact to the next system, or is refused before it hears of it."""
    try:
        await sender.send(told(far, to=to))
    except ChannelRefused:
        assert far.tried == 0
        return
    assert [one.to for one in far.accepted] == [[to]]
    assert type(far) is FarHook, "a message went to what is no mailbox and no number"


@pytest.mark.parametrize("name", ["a.b.c", "ключ", "x\r\nY: z", "", "\x00"])
async def test_an_id_may_be_anything(far: Far, sender: Sender, name: str) -> None:
    """A message's id is never a way into a header."""
    await sender.send(told(far, id=name))
    assert len(far.accepted) == 1
    assert far.accepted[0].id.isascii()


async def test_many_at_once(far: Far, sender: Sender) -> None:
    """Messages that are sent at the same time all arrive, each once and unmixed."""
    await asyncio.gather(*(sender.send(told(far, id=f"n{number}", text=f"text {number}\n")) for number in range(40)))

    assert sorted(one.text for one in far.accepted) == sorted(far.whole(f"text {number}\n") for number in range(40))
    assert len({one.id for one in far.accepted}) == (40 if far.ids else 1)


async def test_closing_twice(far: Far, sender: Sender) -> None:
    """A sender may be closed before it was used, and again."""
    unused = far.sender()
    await unused.close()
    await sender.send(told(far))
    await sender.close()
    await sender.close()


# Mail


async def test_what_a_mail_says_of_itself(relay: FarRelay) -> None:
    """A mail names its sender and date, has an id under the sender's domain, and says that a program wrote it."""
    sender = relay.smtp(sender="Example Sécurité <security@example.com>")
    await sender.send(MESSAGE)
    await sender.close()

    (mail,) = [one.raw for one in relay.accepted]
    assert str(mail["From"].addresses[0]) == "Example Sécurité <security@example.com>"
    assert mail["Message-ID"].endswith("@example.com>")
    assert "alice" not in mail["Message-ID"]
    assert mail["Auto-Submitted"] == "auto-generated"
    assert abs(parsedate_to_datetime(mail["Date"]).timestamp() - time.time()) < 60
    assert mail.get_content_type() == "text/plain"


@pytest.mark.parametrize("to", ["a..b@example.com", "o'hara+money@example.com", "jürgen@bücher.example"])
async def test_odd_mailboxes(relay: FarRelay, to: str) -> None:
    """Mailboxes that exist are written to, though the grammar may not know them."""
    sender = relay.smtp()
    await sender.send(message(to=to))
    await sender.close()

    assert [one.to for one in relay.accepted] == [[to]]


@pytest.mark.parametrize(
    ("command", "reply", "outcome"),
    [
        ("RCPT", "550 no such user", ChannelRefused),
        ("RCPT", "450 greylisted", ChannelUnavailable),
        ("RCPT", "421 shutting down", ChannelUnavailable),
        ("MAIL", "550 we do not like you", ChannelUnavailable),
        ("MAIL", "451 later", ChannelUnavailable),
    ],
)
async def test_only_the_recipient_can_be_refused(
    relay: FarRelay, command: str, reply: str, outcome: type[Exception]
) -> None:
    """A relay's no is final where it is about the recipient; about the sender it waits for the operator."""
    relay.replies[command] = reply
    sender = relay.smtp()
    with pytest.raises(outcome):
        await sender.send(MESSAGE)
    relay.replies.clear()
    await sender.send(MESSAGE)
    await sender.close()


async def test_connections_are_kept(relay: FarRelay) -> None:
    """Mails in a row go over one connection, a refused one between them."""
    sender = relay.smtp()
    await sender.send(MESSAGE)
    relay.mood = "refuse"
    with pytest.raises(ChannelRefused):
        await sender.send(MESSAGE)
    relay.mood = "accept"
    await sender.send(MESSAGE)
    await sender.close()

    assert relay.connections == 1


async def test_a_kept_connection_may_have_been_closed(relay: FarRelay) -> None:
    """A relay that closed a connection that idled is called again, and nobody notices."""
    sender = relay.smtp()
    await asyncio.gather(*(sender.send(message(id=f"n{number}")) for number in range(4)))
    relay.hang_up()
    await sender.send(message(id="after"))
    await sender.close()

    assert len(relay.accepted) == 5


class Certificates:
    """A certificate of this machine, and contexts for both sides of it."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay.example")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
            .sign(key, hashes.SHA256())
        )
        chain, secret = folder / "relay.crt", folder / "relay.key"
        chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        plain = serialization.NoEncryption()
        secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(chain, secret)
        self.client = ssl.create_default_context(cafile=str(chain))
        self.files = (str(chain), str(secret))


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    """A certificate that nobody knows but who is told of it."""
    return Certificates(tmp_path)


@pytest.mark.parametrize("kind", ["starttls", "tls"])
async def test_mail_is_protected(certificates: Certificates, kind: str) -> None:
    """With either kind of TLS a mail arrives, and never at a relay whose certificate is not known."""
    relay = FarRelay(tls=certificates.server) if kind == "tls" else FarRelay(starttls=certificates.server)
    await relay.start()
    known, unknown = relay.smtp(tls=kind, tls_context=certificates.client), relay.smtp(tls=kind)
    await known.send(MESSAGE)
    with pytest.raises(ChannelUnavailable):
        await unknown.send(MESSAGE)
    await known.close()
    await relay.stop()

    assert len(relay.accepted) == relay.tried == 1


async def test_a_wrong_password_waits_for_the_operator(certificates: Certificates) -> None:
    """A relay that does not let us in refuses no message for good."""
    relay = FarRelay(starttls=certificates.server, users={b"holdback": b"right"})
    await relay.start()
    given = {"tls": "starttls", "tls_context": certificates.client, "user": "holdback"}
    wrong, right = relay.smtp(password="wrong", **given), relay.smtp(password="right", **given)
    with pytest.raises(ChannelUnavailable):
        await wrong.send(MESSAGE)
    await right.send(MESSAGE)
    await right.close()
    await relay.stop()

    assert len(relay.accepted) == 1


async def test_mail_never_falls_back_to_no_tls(relay: FarRelay, certificates: Certificates) -> None:
    """A relay that does not offer STARTTLS, or someone in between who hides it, gets no mail."""
    for kind in ("starttls", "tls"):
        with pytest.raises(ChannelUnavailable):
            await relay.smtp(tls=kind, tls_context=certificates.client).send(MESSAGE)
    assert relay.tried == 0


def test_mail_without_tls_stays_on_this_machine() -> None:
    """Settings that would send freeze links unprotected over a network are refused, as is a sender that is none."""
    given: dict[str, Any] = {"user": "", "password": "", "sender": "security@example.com"}
    for host in ("localhost", "127.0.0.1", "::1"):
        SmtpSender(host, 25, tls="none", **given)
    for host, tls in (("mail.example", "none"), ("192.0.2.1", "none"), ("mail.example", "STARTTLS")):
        with pytest.raises(ValueError, match="TLS"):
            SmtpSender(host, 25, tls=tls, **given)
    for sender in ("", "security", "a@b, c@d", "a@b\r\nBcc: c@d"):
        with pytest.raises(ValueError, match="mailbox"):
            SmtpSender("localhost", 25, tls="none", **(given | {"sender": sender}))


# Webhooks


async def test_a_webhook_is_signed(hook: FarHook) -> None:
    """A post says what kind of notice it is, carries all that the outbox gave, and verifies by the shared secret."""
    sender = hook.sender()
    await sender.send(MESSAGE)
    await sender.close()

    (arrived,) = hook.accepted
    given = {"channel": "push", "to": MESSAGE.to, "subject": MESSAGE.subject, "text": MESSAGE.text}
    assert arrived.raw["type"] == "notice.push"
    assert arrived.raw["data"] == {**MESSAGE.data, **given, "freeze_url": MESSAGE.freeze_url}
    assert arrived.id.startswith("msg_")
    assert "." not in arrived.id


async def test_a_webhook_cannot_be_told_otherwise_by_data(hook: FarHook) -> None:
    """What goes along with a notice never replaces who it is to."""
    sender = hook.sender()
    await sender.send(message(data={"to": "eve@example.com", "text": "all is well"}))
    await sender.close()

    assert hook.accepted[0].to == [MESSAGE.to]
    assert hook.accepted[0].text == MESSAGE.text


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, None),
        (202, None),
        (299, None),
        (301, ChannelRefused),
        (307, ChannelRefused),
        (400, ChannelRefused),
        (404, ChannelRefused),
        (410, ChannelRefused),
        (408, ChannelUnavailable),
        (425, ChannelUnavailable),
        (429, ChannelUnavailable),
        (500, ChannelUnavailable),
        (503, ChannelUnavailable),
        (599, ChannelUnavailable),
    ],
)
async def test_what_a_status_means(hook: FarHook, status: int, outcome: type[Exception] | None) -> None:
    """Only a 2xx accepts; a 3xx or 4xx is final, but for those that ask to come back."""
    hook.status["accept"] = status
    sender = hook.sender()
    if outcome is None:
        await sender.send(MESSAGE)
    else:
        with pytest.raises(outcome):
            await sender.send(MESSAGE)
    await sender.close()


async def test_a_redirect_is_not_followed(hook: FarHook) -> None:
    """A notice goes where the operator said and nowhere else."""
    hook.status["accept"], hook.location = 308, f"http://{HOST}:{hook.port}/elsewhere"
    sender = hook.sender()
    with pytest.raises(ChannelRefused):
        await sender.send(MESSAGE)
    await sender.close()
    assert hook.tried == 1


async def test_a_long_answer_is_left_unread(hook: FarHook) -> None:
    """An answer's body holds nothing up, however long it is, and an acceptance stays one if it never ends."""
    hook.body = [bytes(60_000)] * 40
    sender = hook.sender()
    await sender.send(MESSAGE)
    hook.body, hook.body_hangs = [b"x"], True
    impatient = hook.sender(SOON_S)
    await impatient.send(MESSAGE)
    await sender.close()
    await impatient.close()
    assert len(hook.accepted) == 2


async def test_a_long_message_is_refused(hook: FarHook) -> None:
    """What is posted is bounded."""
    sender = hook.sender()
    with pytest.raises(ChannelRefused):
        await sender.send(message(text="x" * BODY_BYTES_MOST))
    await sender.close()
    assert hook.tried == 0


async def test_proxies_of_the_environment_are_not_asked(hook: FarHook, monkeypatch: pytest.MonkeyPatch) -> None:
    """No notice takes a way that the operator did not set for it."""
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://192.0.2.1:9")
    sender = hook.sender()
    await sender.send(MESSAGE)
    await sender.close()
    assert len(hook.accepted) == 1


def test_settings_of_a_webhook() -> None:
    """A webhook's URL is https but for this machine, and its secret is long enough to be one."""
    for url in ("https://platform.example/notices", "http://localhost:1/x", "http://127.0.0.1/x", "http://[::1]/x"):
        WebhookSender(url, SECRET, channel=Channel.SMS)
    for url in ("http://platform.example/notices", "ftp://127.0.0.1", "platform.example", ""):
        with pytest.raises(ValueError, match="https"):
            WebhookSender(url, SECRET, channel=Channel.SMS)
    for secret in ("", "whsec_", "whsec_" + base64.b64encode(bytes(15)).decode(), "whsec_A"):
        with pytest.raises(ValueError, match="whsec_"):
            WebhookSender("https://platform.example", secret, channel=Channel.SMS)


# Text gateways

FORM: Final = '{"To": "{to}", "From": "+15550100", "Body": "{text}", "Id": "{id}"}'
INJECTION: Final = '"}, {text} {id} {to}&To=+4915100000000&Body=x%26\r\nTo: +49\\" \x00 \ud800 口座 +'
"""What would become more than a text wherever it were pasted into a template."""


async def test_a_gateway_gets_what_its_settings_say(gateway: FarGateway) -> None:
    """A text goes by the method, to the URL and with the headers that were set, and its values are what was meant."""
    headers = '{"Authorization": "Bearer s3cret", "Idempotency-Key": "hb-{id}"}'
    sender = gateway.gateway("/v1/messages?version=2", method="PUT", headers=headers)
    await sender.send(told(gateway, text=INJECTION))
    await sender.close()

    request, said = gateway.accepted[0].raw
    name = gateway.accepted[0].id
    assert (request.method, request.url.path, request.url.query) == ("PUT", "/v1/messages", "version=2")
    assert request.headers["authorization"] == "Bearer s3cret"
    assert request.headers["idempotency-key"] == f"hb-{name}"
    assert request.headers["content-type"] == "application/json"
    assert said == {
        "reader": [gateway.address],
        "body": INJECTION.replace("\ud800", "?"),
        "reference": name,
        "kind": 7,
    }
    assert "alice" not in name


async def test_a_form_is_encoded(gateway: FarGateway) -> None:
    """A text in a form is one field, whatever stands in it, and user and password go as basic authentication."""
    sender = gateway.gateway(body=FORM, body_kind="form", user="AC1", password="p:ä")
    await sender.send(told(gateway, text=INJECTION))
    await sender.close()

    request, pairs = gateway.accepted[0].raw
    text = INJECTION.replace("\ud800", "?")
    expected = [("To", gateway.address), ("From", "+15550100"), ("Body", text), ("Id", gateway.accepted[0].id)]
    assert pairs == expected
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode() == "AC1:p:ä"


async def test_a_number_is_written_one_way(gateway: FarGateway) -> None:
    """However a contact is spelled, a gateway gets E.164, with or without the plus."""
    sender = gateway.gateway(body='{"reader": ["{digits}", "{to}"], "body": "{text}", "reference": ""}')
    await sender.send(told(gateway, to="+49 (151) 123-456.78"))
    await sender.close()

    assert gateway.accepted[0].to == ["4915112345678", "+4915112345678"]


@pytest.mark.parametrize(
    ("status", "answer", "outcome"),
    [
        (200, b'{"messages": [{"status": "0"}]}', None),
        (202, b'{"messages": [{"status": 0}]}', None),
        (299, b'{"messages": [{"status": "queued"}, {"status": "7"}]}', None),
        (200, b'{"messages": [{"status": "6"}]}', ChannelRefused),
        (400, b'{"messages": [{"status": 6}]}', ChannelRefused),
        (410, b"", ChannelRefused),
        (200, b'{"messages": [{"status": "1"}]}', ChannelUnavailable),
        (200, b'{"messages": [{"status": false}]}', ChannelUnavailable),
        (200, b'{"messages": [{"status": 0.0}]}', ChannelUnavailable),
        (200, b'{"messages": [{"status": ' + b"9" * 5000 + b"}]}", ChannelUnavailable),
        (200, b'{"messages": []}', ChannelUnavailable),
        (200, b'{"messages": {"0": "0"}}', ChannelUnavailable),
        (200, b"0", ChannelUnavailable),
        (200, b"", ChannelUnavailable),
        (200, b"\xff\xfe", ChannelUnavailable),
        (200, b"[" * 60_000, ChannelUnavailable),
        (200, b'{"messages": [{"status": "0"}], "more": "' + b"x" * ANSWER_MOST + b'"}', ChannelUnavailable),
        (301, b'{"messages": [{"status": "0"}]}', ChannelUnavailable),
        (400, b'{"messages": [{"status": "0"}]}', ChannelUnavailable),
        (401, b"", ChannelUnavailable),
        (429, b"", ChannelUnavailable),
        (503, b"", ChannelUnavailable),
    ],
)
async def test_what_a_gateways_answer_means(
    gateway: FarGateway, status: int, answer: bytes, outcome: type[Exception] | None
) -> None:
    """A text is accepted by what the settings name and refused for good by what they name, all else is tried again."""
    gateway.status["accept"], gateway.body = status, [answer]
    given = {"accepted_if": "/messages/0/status=0, queued", "refused_if": "/messages/0/status=6"}
    sender = gateway.gateway(**given)
    if outcome is None:
        await sender.send(told(gateway))
    else:
        with pytest.raises(outcome) as caught:
            await sender.send(told(gateway))
        assert "messages" not in str(caught.value)
    await sender.close()


async def test_an_odd_member_can_be_named(gateway: FarGateway) -> None:
    """A condition names members as RFC 6901 does."""
    gateway.status["accept"], gateway.body = 200, [b'{"a/b": {"c~1d": true}}']
    sender = gateway.gateway(accepted_if="/a~1b/c~01d=true")
    await sender.send(told(gateway))
    await sender.close()
    assert len(gateway.accepted) == 1


@pytest.mark.parametrize("given", [{}, {"accepted": "200-299,308"}])
async def test_a_gateways_redirect_is_not_followed(gateway: FarGateway, given: dict[str, str]) -> None:
    """A text goes where the operator said, and no setting makes a redirect count as acceptance."""
    gateway.status["accept"], gateway.location = 308, f"http://{HOST}:{gateway.port}/elsewhere"
    if given:
        with pytest.raises(BadSetting):
            gateway.gateway(**given)
        return
    sender = gateway.gateway()
    with pytest.raises(ChannelUnavailable):
        await sender.send(told(gateway))
    await sender.close()
    assert gateway.tried == 1


async def test_a_gateways_long_answer_is_left_unread(gateway: FarGateway) -> None:
    """An answer's body holds nothing up; where it was to be looked into, one without end accepts nothing."""
    gateway.status["accept"], gateway.body = 200, [bytes(60_000)] * 40
    sender = gateway.sender()
    await sender.send(told(gateway))
    gateway.body, gateway.body_hangs = [b'{"ok": true}'], True
    impatient, curious = gateway.gateway(deadline_s=SOON_S), gateway.gateway(deadline_s=SOON_S, accepted_if="/ok=true")
    await impatient.send(told(gateway))
    with pytest.raises(ChannelUnavailable):
        await curious.send(told(gateway))
    for one in (sender, impatient, curious):
        await one.close()


async def test_a_long_text_is_refused(gateway: FarGateway) -> None:
    """What is paid for by the part is bounded."""
    sender = gateway.sender()
    with pytest.raises(ChannelRefused):
        await sender.send(told(gateway, text="x" * (TEXT_MOST + 1)))
    await sender.close()
    assert gateway.tried == 0


async def test_a_gateway_is_known_by_its_certificate(certificates: Certificates) -> None:
    """A text reaches a gateway over TLS, and never one whose certificate is not known."""
    gateway = FarGateway(tls=certificates.files)
    await gateway.start()
    known, unknown = gateway.gateway(tls_context=certificates.client), gateway.gateway()
    await known.send(told(gateway))
    with pytest.raises(ChannelUnavailable):
        await unknown.send(told(gateway))
    await known.close()
    await unknown.close()
    await gateway.stop()
    assert len(gateway.accepted) == gateway.tried == 1


@pytest.mark.parametrize("mood", ["accept", "refuse", "unavailable", "hang_up"])
@pytest.mark.parametrize("far", ["gateway", "elsewhere"], indirect=True)
async def test_texts_are_logged_nowhere(
    far: Far, mood: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where all is logged, no line of the libraries beneath holds a number, a text, a secret or a secret URL."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:9")
    monkeypatch.setenv("NO_PROXY", HOST)
    far.mood = mood
    if isinstance(far, FarGateway):
        sender: Sender = far.gateway("/m?key=s3cret", headers='{"X-Key": "s3cret"}', user="AC1", password="s3cret")
    else:
        assert isinstance(far, FarApprise)
        sender = far.apprise("/s3cret/{to}?+X-Key=s3cret")
    with suppress(ChannelRefused, ChannelUnavailable):
        await sender.send(told(far))
    await sender.close()

    assert far.tried == 1
    words = ("s3cret", far.address.lstrip("+"), "freeze", "QUMxOnMzY3JldA", WORDS)
    ours = [one.getMessage() for one in caplog.records if not one.name.startswith("uvicorn")]
    assert [line for line in ours if any(word in line for word in words)] == []


@pytest.mark.parametrize(
    ("setting", "wrong"),
    [
        (
            "url",
            ["http://sms.example/x", "ftp://127.0.0.1", "sms.example", "", "https://", "https://[::1", "https://a\x00"],
        ),
        (
            "url",
            ["https://sms.example/{to}", "https://{to}.example", "https://u:p@sms.example", "https://sms.example/{id}"],
        ),
        ("method", ["GET", "post", "DELETE", ""]),
        ("headers", ["", "[]", "{", '{"A": 1}', '{"A b": ""}', '{"A": "x\\r\\nB: y"}', '{"A": "é"}', '{"A": "{to}"}']),
        ("headers", ['{"Host": "x"}', '{"content-length": "1"}', '{"": "x"}', '{"A": "{text}"}', "[" * 9999]),
        ("body", ["", "x", "[]", "{}", '{"to": "{to}"}', '{"text": "{text}"}', '{"{to}": "{text}"}', "[" * 9999]),
        ("body", ['{"to": "{to}", "text": "{text}", "x": "{phone}"}', "\udcff", '{"a": [{"b": "{to} {text} {}"}]}']),
        ("body_kind", ["xml", "none", ""]),
        ("accepted", ["", "2xx", "200-", "99", "600", "200..299", "300", "200-308", "410"]),
        ("refused", ["4xx", "400;410", "-410"]),
        ("accepted_if", ["status=0", "/status", "/status=", "/status= , ", "=0", "/a~2=0"]),
        ("refused_if", ["status=0", "/status"]),
        ("user", ["a:b"]),
    ],
)
def test_settings_of_a_gateway(setting: str, wrong: list[str]) -> None:
    """A gateway that could never send, or not safely, is refused by the setting's name, and its value is not shown."""
    right: dict[str, Any] = {"url": "https://sms.example/m", "refused": "410"}
    SmsGateway(**right)
    for one in wrong:
        with pytest.raises(BadSetting) as caught:
            SmsGateway(**(right | {setting: one}))
        assert caught.value.setting == setting
        assert setting not in {"url", "headers"} or len(one) < 3 or one not in str(caught.value)


def test_settings_of_a_gateway_that_do_not_go_together() -> None:
    """A form has strings only, and one authorization is enough."""
    with pytest.raises(BadSetting, match="strings"):
        SmsGateway("https://sms.example", body='{"to": ["{to}"], "text": "{text}"}', body_kind="form")
    with pytest.raises(BadSetting, match="authorization"):
        SmsGateway("https://sms.example", headers='{"authorization": "Bearer x"}', user="a", password="b")
    with pytest.raises(BadSetting, match="beside a password"):
        SmsGateway("https://sms.example", password="b")


# Apprise


async def test_apprise_attaches_nothing(elsewhere: FarApprise, tmp_path: Path) -> None:
    """What a message says names no file and no other service, however it looks."""
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    text = (
        f"file://{secret} @{secret} attach={secret} {{{{include: {secret}}}}} ${{HOME}} json://{HOST}/x \\u0041 :smile:"
    )
    for channel, to in ((Channel.SMS, elsewhere.address), (Channel.PUSH, "token:1")):
        sender = elsewhere.apprise(channel=channel)
        await sender.send(message(to=to, subject=text, text=text))
        await sender.close()

    assert elsewhere.tried == 2
    for arrived in elsewhere.accepted:
        assert arrived.text == text
        assert arrived.raw["attachments"] == []
        assert "s3cret" not in str(arrived.raw)
    assert [one.subject for one in elsewhere.accepted] == ["", text]
    assert [one.to for one in elsewhere.accepted] == [[elsewhere.address], ["token:1"]]


@pytest.mark.parametrize(
    "to", ["", "a b", "a/b", "../etc", "a?attach=/etc/passwd", "a%2F", "a,json://x", "a\n", "{to}", "x" * 257]
)
async def test_a_push_goes_to_one_device(elsewhere: FarApprise, to: str) -> None:
    """A device's token is of letters that mean nothing in a URL, or is refused."""
    sender = elsewhere.apprise(channel=Channel.PUSH)
    with pytest.raises(ChannelRefused):
        await sender.send(message(to=to))
    await sender.close()
    assert elsewhere.tried == 0


async def test_apprise_does_not_hold_up_the_others(elsewhere: FarApprise) -> None:
    """While services hang the event loop goes on, and each message is given up on in time."""
    elsewhere.mood = "hang"
    sender = elsewhere.sender(SOON_S)
    began = time.monotonic()
    outcomes = await asyncio.gather(*(sender.send(told(elsewhere)) for _ in range(50)), return_exceptions=True)
    assert {type(one) for one in outcomes} == {ChannelUnavailable}
    assert time.monotonic() - began < 5
    await sender.close()


async def test_apprise_follows_no_redirect(elsewhere: FarApprise) -> None:
    """A notice goes where the operator said and nowhere else."""
    elsewhere.status["accept"], elsewhere.location = 308, f"http://{HOST}:{elsewhere.port}/elsewhere"
    sender = elsewhere.sender()
    with pytest.raises(ChannelUnavailable):
        await sender.send(told(elsewhere))
    await sender.close()
    assert elsewhere.tried == 1


def test_settings_of_apprise() -> None:
    """An apprise URL leaves open who is told and nothing else, and goes over TLS, or the error shows none of it."""
    AppriseSender("jsons://u:s3cret@push.example/{to}", channel=Channel.PUSH)
    AppriseSender("gotifys://push.example/Axxxxxxxxxxxxxx/?to={to}", channel=Channel.PUSH)
    AppriseSender(f"twilio://AC{'1' * 32}:{'2' * 32}@15550100000/{{to}}", channel=Channel.SMS)
    AppriseSender("json://localhost/?to={to}", channel=Channel.PUSH)
    for url in (
        "json://u:s3cret@push.example/{to}",
        "jsons://u:s3cret@push.example/{to}?verify=no",
        "jsons://u:s3cret@push.example/{to}?redirect=yes",
        "jsons://u:s3cret@push.example/",
        "jsons://{to}@push.example/s3cret",
        "jsons://{to}/s3cret",
        "jsons://push.example/{to}/{s3cret}",
        "gotify://push.example/s3cret/?to={to}",
        "mqtt://u:s3cret@push.example/{to}",
        "syslog://localhost/{to}/s3cret",
        "rsyslog://push.example/{to}/s3cret",
        "file:///s3cret/{to}",
        "jsons://[s3cret/{to}",
        "s3cret{to}",
    ):
        with pytest.raises(ValueError, match="must") as caught:
            AppriseSender(url, channel=Channel.PUSH)
        assert "s3cret" not in str(caught.value)
    with pytest.raises(ValueError, match="texts and pushes"):
        AppriseSender("jsons://push.example/{to}", channel=Channel.EMAIL)
