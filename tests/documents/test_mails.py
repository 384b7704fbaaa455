"""What a mail's DKIM signatures prove, and that nothing else than a whole, aligned and strong one proves anything."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Final

import msgspec
import pytest
from asn1crypto import keys
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.documents.fuzzing import Tally
from tests.documents.fuzzing_mails import Batch
from tests.documents.mails import DOMAIN, ED25519, HEADERS, MAIL, RECORD, RSA, SELECTOR, Published, record, signed
from tests.documents.papers import NOW

from holdback.evidence import mail as mail_module
from holdback.evidence.cell import MIB, Bounds, Cell
from holdback.evidence.mail import SIGNATURES_MOST, Job, Mails
from holdback.ports import MailOutcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdback.ports import MailFinding

OTHER: Final = f"{SELECTOR}._domainkey.mailer.example"


async def checked(mail: bytes, *records: bytes, now: int = NOW) -> MailFinding:
    """What is found of a mail whose domain publishes these records."""
    return await Mails(Published({RECORD: records, OTHER: records})).check(mail, now)


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "rsa-sha256"), (ED25519, "ed25519-sha256")], ids=["rsa", "ed"])
async def test_a_signed_mail(key: rsa.RSAPrivateKey, algorithm: str) -> None:
    """A mail signed by the domain it is from is so, with who signed what of it and when he says."""
    mail = signed(key=key, algorithm=algorithm)

    found = await checked(mail, record(key))

    assert (found.outcome, found.aligned, found.why) == (MailOutcome.VALID, True, "")
    assert (found.sender, found.domain, found.selector, found.signed_headers) == (DOMAIN, DOMAIN, SELECTOR, HEADERS)
    assert found.digest == hashlib.sha256(mail).hexdigest()
    assert abs(found.signed_at - NOW) < 3_600_000


async def test_a_signing_is_known_again() -> None:
    """Another header, or the signature's lines folded anew, make another file of a mail and no other signing."""
    mail = signed()
    first = await checked(mail, record())
    assert len(bytes.fromhex(first.mark)) == 32
    for other in (b"X-Later: a copy\r\n" + mail, re.sub(rb" b=(.{8})", rb" b=\1\r\n ", mail, count=1)):
        again = await checked(other, record())
        assert (again.outcome, again.mark) == (MailOutcome.VALID, first.mark)
        assert again.digest != first.digest
    assert (await checked(signed(mail.replace(b"1042", b"1043")), record())).mark != first.mark
    assert (await checked(mails_without_a_key(), record())).mark == ""


def mails_without_a_key() -> bytes:
    """A mail that was altered after it was signed."""
    return signed().replace(b"1042.", b"1043.")


async def test_line_ends_of_a_file() -> None:
    """A mail that was saved with another system's line ends is the same mail."""
    assert (await checked(signed().replace(b"\r\n", b"\n"), record())).outcome is MailOutcome.VALID


ALTERED: Final[dict[str, Callable[[bytes], bytes]]] = {
    "body": lambda mail: mail.replace(b"1042.", b"1043."),
    "subject": lambda mail: mail.replace(b"Order 7", b"Order 8"),
    "from": lambda mail: mail.replace(b"clerk@", b"judge@"),
    "signature": lambda mail: re.sub(
        rb"( b=.{4})(.)", lambda found: found[1] + found[2].swapcase() + b"A", mail, count=1
    ),
}


@pytest.mark.parametrize("part", ALTERED)
async def test_an_altered_mail(part: str) -> None:
    """A change of body, signed header or signature makes it invalid."""
    assert (await checked(ALTERED[part](signed()), record())).outcome is MailOutcome.INVALID


@pytest.mark.parametrize("more", [b"", b"Disclose everybody's.\r\n"])
async def test_a_truncated_body(more: bytes) -> None:
    """A signature that covers only so many bytes of the body counts for nothing, whether anything was added or not."""
    found = await checked(signed(length=True) + more, record())

    assert (found.outcome, found.why) == (MailOutcome.INVALID, "body_truncated")


async def test_the_sender_is_signed() -> None:
    """A signature that leaves out the From header counts for nothing."""
    mail = signed().replace(b"h=from : to", b"h=to")

    assert (await checked(mail, record()))[:2] == (MailOutcome.INVALID, "from_not_signed")


async def test_another_domain_signed() -> None:
    """A true signature by a domain that the sender's does not lie under is valid and not aligned."""
    found = await checked(signed(domain="mailer.example"), record())

    assert (found.outcome, found.aligned, found.sender, found.domain) == (
        MailOutcome.VALID,
        False,
        DOMAIN,
        "mailer.example",
    )


@pytest.mark.parametrize(
    ("sender", "aligned"),
    [
        (b"a@court.example", True),
        (b"A <a@CIVIL.court.example>", True),
        (b'"clerk@court.example" <a@elsewhere.example>', False),
        (b"a@notcourt.example", False),
        (b"a@example", None),
        (b"a@court.example, b@elsewhere.example", None),
        (b"<a@court.example> <b@elsewhere.example>", None),
        (b"court: a@court.example;", None),
        (b"a@court.example>", None),
        (b"", None),
    ],
)
async def test_alignment(sender: bytes, aligned: bool | None) -> None:  # noqa: FBT001 - a column of the table above
    """The sender is the one address of the From header, and aligned if its domain is, or lies under, the signer's."""
    found = await checked(signed(MAIL.replace(b"Dana Clerk <clerk@court.example>", sender)), record())

    assert found.outcome is (MailOutcome.MALFORMED if aligned is None else MailOutcome.VALID)
    assert found.aligned is bool(aligned)


@pytest.mark.parametrize("header", [b"From: judge@court.example", b"Subject: Order 8", b"Content-Type: text/html"])
async def test_headers_that_are_once(header: bytes) -> None:
    """A mail with two of a header that is there once is malformed, as a reader may be shown the one not signed."""
    mail = header + b"\r\n" + signed(MAIL.replace(b"\r\n\r\n", b"\r\nContent-Type: text/plain\r\n\r\n"))

    assert (await checked(mail, record()))[:2] == (MailOutcome.MALFORMED, "repeated")


async def test_an_unsigned_mail() -> None:
    """A mail without a signature is unsigned, and nobody is asked for keys."""
    published = Published({})

    assert (await Mails(published).check(MAIL, NOW)).outcome is MailOutcome.UNSIGNED
    assert published.asked == []


def short(bits: int) -> bytes:
    """A record of an RSA key of so many bits, which is nobody's."""
    public = keys.PublicKeyInfo.wrap(keys.RSAPublicKey({"modulus": (1 << bits) - 1, "public_exponent": 65537}), "rsa")
    return b"k=rsa; p=" + base64.b64encode(public.dump())


@pytest.mark.parametrize(
    ("records", "outcome", "why"),
    [
        ((), MailOutcome.NO_KEY, "absent"),
        ((b"v=spf1 -all", b"a note"), MailOutcome.NO_KEY, "absent"),
        ((record(), record()), MailOutcome.NO_KEY, "several"),
        ((b"v=DKIM1; p=",), MailOutcome.NO_KEY, "revoked"),
        ((b"v=DKIM1; p=AAAA",), MailOutcome.NO_KEY, "unreadable"),
        ((record(more="t=y; "),), MailOutcome.NO_KEY, "testing"),
        ((record(more="s=other; "),), MailOutcome.NO_KEY, "not_for_mail"),
        ((record(more="h=sha1; "),), MailOutcome.WEAK_KEY, "sha1"),
        ((record() + b" " * 9000,), MailOutcome.NO_KEY, "absent"),
        ((short(1023),), MailOutcome.WEAK_KEY, "rsa"),
        ((short(1024),), MailOutcome.INVALID, "signature"),
        ((short(9000),), MailOutcome.NO_KEY, "too_large"),
        ((record(ED25519),), MailOutcome.INVALID, "algorithm"),
        ((record(rsa.generate_private_key(65537, 2048)),), MailOutcome.INVALID, "signature"),
        ((b"a note", record(more="t=s; s=email; h=sha1:sha256; ")), MailOutcome.VALID, ""),
    ],
)
async def test_keys(records: tuple[bytes, ...], outcome: MailOutcome, why: str) -> None:
    """A key counts if it is the only one, for mail, not for tests, not withdrawn, and as strong as RFC 8301 wants."""
    assert (await checked(signed(), *records))[:2] == (outcome, why)


async def test_a_weak_hash() -> None:
    """A signature over SHA-1 is weak, however strong its key."""
    assert (await checked(signed(algorithm="rsa-sha1"), record()))[:2] == (MailOutcome.WEAK_KEY, "sha1")


async def test_nobody_can_be_asked() -> None:
    """A key that cannot be asked for is told as such, and proves nothing."""
    found = await Mails(Published({RECORD: None})).check(signed(), NOW)

    assert (found.outcome, found.why) == (MailOutcome.NO_KEY, "not_answered")


async def test_a_signature_ends() -> None:
    """A signature that says when it ends counts for nothing from then on."""
    mail = signed().replace(b" q=dns/txt;", b" q=dns/txt; x=%d;" % (NOW // 1000 + 5))

    assert (await checked(mail, record(), now=NOW + 5000))[:2] == (MailOutcome.INVALID, "expired")


async def test_the_best_of_several() -> None:
    """Of several signatures the one that proves most counts."""
    mail = signed(signed(), domain="mailer.example", key=rsa.generate_private_key(65537, 2048))

    found = await checked(mail, record())

    assert (found.outcome, found.aligned, found.domain) == (MailOutcome.VALID, True, DOMAIN)


async def test_few_names_are_asked_for() -> None:
    """A mail makes the server ask for few names, and for none that is not a name."""
    lines = b"".join(b"DKIM-Signature: v=1; d=d%d.example; s=x\r\n" % number for number in range(50))
    published = Published({})

    found = await Mails(published).check(b"DKIM-Signature: v=1; d=a b.example; s=x\r\n" + lines + MAIL, NOW)

    assert found.outcome is not MailOutcome.VALID
    assert published.asked == [f"x._domainkey.d{number}.example" for number in range(SIGNATURES_MOST - 1)]


MALFORMED: Final = {
    "empty": b"",
    "no header": b"\r\nnothing\r\n",
    "bytes": bytes(range(256)) * 64,
    "folded from the start": b" folded\r\n" + MAIL,
    "headers without end": b"X: y\r\n" * 100_000 + MAIL,
}


@pytest.mark.parametrize("kind", MALFORMED)
async def test_a_malformed_mail(kind: str) -> None:
    """What is no mail is malformed."""
    assert (await checked(MALFORMED[kind])).outcome is MailOutcome.MALFORMED


async def test_a_huge_mail_is_not_read() -> None:
    """A mail of 200 MB is refused by its size, before any process is started for it."""
    nobody = Mails(Published({}), Cell("holdback.evidence.none"))

    found = await nobody.check(bytes(200 * MIB), NOW)

    assert (found.outcome, found.digest) == (MailOutcome.TOO_LARGE, "")


async def test_a_mail_that_hangs_its_reader() -> None:
    """A signature that takes the library's patterns for ever is too slow, and costs its process only."""
    reader = Mails(Published({RECORD: (record(),)}), Cell("holdback.evidence.mail_reading", Bounds(cpu_s=1)))
    mail = signed().replace(b" b=", b" b=A" + b" " * 200_000 + b"!", 1)

    found = await reader.check(mail, NOW)

    assert (found.outcome, found.why) == (MailOutcome.TOO_SLOW, "cpu")


async def test_no_mutation_harms_or_passes() -> None:
    """A thousand mutations of a signed mail: none crashes or hangs its reader, none passes for what was not signed."""
    batch = Batch(Job(signed(), NOW), record(), tuple(range(1000)))
    async with Cell("tests.documents.fuzzing_mails", Bounds(cpu_s=120, answer_s=300.0)).talk() as talk:
        tally = msgspec.msgpack.decode(await talk.say(msgspec.msgpack.encode(batch)), type=Tally)

    assert (tally.forged, tally.slowest_s < 5, sum(tally.outcomes.values())) == ((), True, 1000)
    assert {MailOutcome.INVALID, MailOutcome.MALFORMED, MailOutcome.VALID} <= tally.outcomes.keys()


@pytest.mark.parametrize("deed", [b"babble", b"answer"])
async def test_a_reader_that_babbles(deed: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is none is the mail's fault, as whoever took over its reader might give it."""
    reader = Mails(Published({}), Cell("tests.documents.hostile"))
    monkeypatch.setattr(mail_module, "Job", lambda _mail, _now: deed)
    monkeypatch.setattr(mail_module, "_ENCODER", Raw())

    assert (await reader.check(MAIL, NOW))[:2] == (MailOutcome.MALFORMED, "garbled")


class Raw:
    """An encoder that leaves everything as it is."""

    def encode(self, words: bytes) -> bytes:
        """Say it."""
        return words


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the packages are not installed the error names the extra that has them."""
    monkeypatch.setattr(mail_module, "find_spec", lambda _: None)

    with pytest.raises(ModuleNotFoundError, match=r"pip install 'holdback\[documents\]'"):
        Mails(Published({}))
