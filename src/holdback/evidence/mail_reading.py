"""What runs in the process that reads a mail: what its DKIM signatures prove of whom it is from (RFC 6376).

Run by `cell.py` as a program. It says which key records it wants, is told them, and says what it found. dkimpy reads
and verifies; stricter than it, and said here: what a signature must cover, which keys are too weak (RFC 8301), and that
a signature over a part of the body, or by a domain that only tests, is none.
"""

from __future__ import annotations

import base64
import codecs
import hashlib
import re
from typing import TYPE_CHECKING, Final, NamedTuple

import dkim
import msgspec
from dkim.crypto import UnparsableKeyError, parse_public_key
from dkim.util import InvalidTagValueList, parse_tag_value

from holdback.evidence.confined import serve
from holdback.evidence.mail import HEADERS_TOLD, NAME_MOST, SIGNATURES_MOST, Job, Reading, Records, Wanted
from holdback.ports import MailOutcome

if TYPE_CHECKING:
    from collections.abc import Callable

RSA_BITS: Final = range(1024, 8193)
"""RFC 8301 wants at least 1024. More than 8192 is nobody's key, and slow."""
HEADER_BYTES: Final = 256 * 1024
ONCE: Final = frozenset(
    {
        b"from",
        b"sender",
        b"reply-to",
        b"to",
        b"cc",
        b"message-id",
        b"subject",
        b"date",
        b"mime-version",
        b"content-type",
    }
)
"""Headers that a mail has once (RFC 5322, RFC 2045). Of two, a signature covers one and a reader is shown the other."""
_FROM: Final = re.compile(
    r"""(?:[^<>]*<)?\s*(?:[^<>()\[\]\\,;:"\s@]+)@(?P<domain>[a-z0-9.-]+)\s*(?P<closed>>?)\s*""",
    re.IGNORECASE | re.ASCII,
)
_LABELS: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.ASCII)
DOMAIN_MOST: Final = 253
_TAG_PARTS: Final = re.compile(rb"\s*:\s*")
# From what proves most to what proves least: of several signatures the best one counts.
_BEST_FIRST: Final = (MailOutcome.VALID, MailOutcome.WEAK_KEY, MailOutcome.NO_KEY, MailOutcome.INVALID)


class _Signature(NamedTuple):
    """One signature: its place among the mail's, its tags, and where its key record is ("" if it names no place)."""

    place: int
    tags: dict[bytes, bytes]
    record: str


class _Refused(Exception):
    """A signature proves nothing: the outcome, and why in a word."""

    def __init__(self, outcome: MailOutcome, why: str) -> None:
        super().__init__(why)
        self.outcome, self.why = outcome, why


def read(job: Job, ask: Callable[[list[str]], dict[str, list[bytes] | None]]) -> Reading:
    """Read one mail. `ask` gives the TXT records of names, None for one that could not be asked for.

    Only a lack of memory is raised; whatever else goes wrong, the mail is malformed.
    """
    try:
        return _read(job, ask)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - whatever a mail broke in being read, it proved nothing
        return Reading(MailOutcome.MALFORMED, "unreadable")


def _read(job: Job, ask: Callable[[list[str]], dict[str, list[bytes] | None]]) -> Reading:
    mail = dkim.DKIM(job.mail, minkey=RSA_BITS.start)
    names = [name.lower() for name, _ in mail.headers]
    if sum(len(name) + len(value) for name, value in mail.headers) > HEADER_BYTES:
        return Reading(MailOutcome.MALFORMED, "headers")
    if any(names.count(name) > 1 for name in ONCE):
        return Reading(MailOutcome.MALFORMED, "repeated")
    sender = _sender([value for name, value in mail.headers if name.lower() == b"from"])
    if not sender:
        return Reading(MailOutcome.MALFORMED, "from")
    lines = [value for name, value in mail.headers if name.lower() == b"dkim-signature"]
    if not lines:
        return Reading(MailOutcome.UNSIGNED, sender=sender)
    signatures = [_signature(place, line) for place, line in enumerate(lines[:SIGNATURES_MOST])]
    records = ask(sorted({one.record for one in signatures if one.record}))
    readings = [_judged(mail, one, sender, records, job.now) for one in signatures]
    return min(readings, key=lambda one: (_BEST_FIRST.index(one.outcome), not one.aligned))


def _sender(values: list[bytes]) -> str:
    """The domain of a From header with one address; "" if there is no such."""
    if len(values) != 1:
        return ""
    text = re.sub(r"\r?\n", "", values[0].decode("ascii", "replace")).strip()
    found = _FROM.fullmatch(text)
    if found is None or ("<" in text) != bool(found["closed"]):
        return ""
    return _domain(found["domain"])


def _domain(name: str) -> str:
    """A domain as it is compared; "" if it is none."""
    lower = name.lower().rstrip(".")
    return lower if len(lower) <= DOMAIN_MOST and "." in lower and _LABELS.fullmatch(lower) else ""


def _signature(place: int, line: bytes) -> _Signature:
    try:
        tags = parse_tag_value(line)
        domain = _domain(tags[b"d"].decode("ascii"))
        selector = tags[b"s"].decode("ascii").lower()
    except (InvalidTagValueList, KeyError, UnicodeDecodeError):
        return _Signature(place, {}, "")
    record = _domain(f"{selector}._domainkey.{domain}") if domain else ""
    return _Signature(place, tags, record)


def _judged(
    mail: dkim.DKIM, signature: _Signature, sender: str, records: dict[str, list[bytes] | None], now: int
) -> Reading:
    """What one signature proves."""
    if not signature.record:
        return Reading(MailOutcome.INVALID, "tags", sender)
    tags = signature.tags
    domain = _domain(tags[b"d"].decode("ascii"))
    covered = [name.lower() for name in _TAG_PARTS.split(tags.get(b"h", b""))]
    outcome, why = MailOutcome.VALID, ""
    try:
        _fit(tags, covered, now)
        key = _key(tags, domain, records[signature.record])
        # It asks through `dnsfunc` only. What it raises is its word for a signature that is not right.
        if not mail.verify(signature.place, dnsfunc=lambda name, timeout=0: key):  # noqa: ARG005 - dkimpy's names
            outcome, why = MailOutcome.INVALID, "signature"
    except _Refused as refused:
        outcome, why = refused.outcome, refused.why
    except dkim.DKIMException:
        outcome, why = MailOutcome.INVALID, "signature"
    return Reading(
        outcome,
        why,
        sender,
        domain,
        tags[b"s"].decode("ascii")[:NAME_MOST],
        sender == domain or sender.endswith("." + domain),
        tuple(name.decode("ascii", "replace")[:NAME_MOST] for name in covered[:HEADERS_TOLD]),
        _number(tags.get(b"t", b"0")) * 1000,
        _mark(tags[b"b"]) if outcome is MailOutcome.VALID else "",
    )


def _mark(written: bytes) -> str:
    """A signature's digest: how it is folded into lines changes nothing of it."""
    return hashlib.sha256(base64.b64decode(b"".join(written.split()))).hexdigest()


def _fit(tags: dict[bytes, bytes], covered: list[bytes], now: int) -> None:
    """Refuse what no key could make good."""
    if b"from" not in covered:
        raise _Refused(MailOutcome.INVALID, "from_not_signed")
    if b"l" in tags:
        raise _Refused(MailOutcome.INVALID, "body_truncated")
    if tags.get(b"a", b"") == b"rsa-sha1":
        raise _Refused(MailOutcome.WEAK_KEY, "sha1")
    if b"x" in tags and _number(tags[b"x"]) * 1000 <= now:
        raise _Refused(MailOutcome.INVALID, "expired")


def _key(tags: dict[bytes, bytes], domain: str, records: list[bytes] | None) -> bytes:
    """The key record, if there is one, for mail, of a strength that counts, and not for tests."""
    if records is None:
        raise _Refused(MailOutcome.NO_KEY, "not_answered")
    # What stands there besides is for others; of two keys RFC 6376 (3.6.2.2) does not say which is meant.
    found = [one for one in map(_tags, records) if b"p" in one and one.get(b"v", b"DKIM1") == b"DKIM1"]
    if len(found) != 1:
        raise _Refused(MailOutcome.NO_KEY, "several" if found else "absent")
    key = found[0]
    flags = _TAG_PARTS.split(key.get(b"t", b""))
    if not key[b"p"]:
        raise _Refused(MailOutcome.NO_KEY, "revoked")
    if b"y" in flags:
        raise _Refused(MailOutcome.NO_KEY, "testing")
    if not {b"*", b"email"} & set(_TAG_PARTS.split(key.get(b"s", b"*"))):
        raise _Refused(MailOutcome.NO_KEY, "not_for_mail")
    if b"h" in key and b"sha256" not in _TAG_PARTS.split(key[b"h"]):
        raise _Refused(MailOutcome.WEAK_KEY, "sha1")
    kind = key.get(b"k", b"rsa")
    if tags.get(b"a", b"").partition(b"-")[0] != kind:
        raise _Refused(MailOutcome.INVALID, "algorithm")
    identity = tags.get(b"i", b"").rpartition(b"@")[2].decode("ascii", "replace").lower()
    if b"s" in flags and identity not in {"", domain}:
        raise _Refused(MailOutcome.INVALID, "identity")
    if kind == b"rsa":
        _strong(key[b"p"])
    return b"; ".join(name + b"=" + value for name, value in key.items())


def _strong(key: bytes) -> None:
    """Refuse an RSA key of a size that is not."""
    try:
        bits = int(parse_public_key(base64.b64decode(key))["modulus"]).bit_length()
    except (ValueError, UnparsableKeyError):
        raise _Refused(MailOutcome.NO_KEY, "unreadable") from None
    if bits < RSA_BITS.start:
        raise _Refused(MailOutcome.WEAK_KEY, "rsa")
    if bits not in RSA_BITS:
        raise _Refused(MailOutcome.NO_KEY, "too_large")


def _tags(record: bytes) -> dict[bytes, bytes]:
    """A record's tags, none if it is another kind of record."""
    try:
        return {name: value.strip() for name, value in parse_tag_value(record).items()}
    except InvalidTagValueList:
        return {}


def _number(digits: bytes) -> int:
    """A time of a signature in seconds, 0 for one that is none."""
    return int(digits) if re.fullmatch(rb"[0-9]{1,12}", digits) else 0


def main() -> None:
    """Read one mail and say what was found."""
    for codec in ("ascii", "latin-1", "utf-8"):
        codecs.lookup(codec)
    encoder = msgspec.msgpack.Encoder()
    heard = msgspec.msgpack.Decoder(Records)

    def converse(words: bytes, ask: Callable[[bytes], bytes]) -> bytes:
        def records(names: list[str]) -> dict[str, list[bytes] | None]:
            return heard.decode(ask(encoder.encode(Wanted(tuple(names))))).found

        return encoder.encode(read(msgspec.msgpack.decode(words, type=Job), records))

    serve(converse)


if __name__ == "__main__":
    main()
