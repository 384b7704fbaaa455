"""Mails of legal requests: whether the domain they claim to be from signed them (DKIM, RFC 6376).

Everything but `valid` and `aligned` proves nothing, and that proves what a mail server did, not which person, and only
as far as the answers of the name system can be trusted: it is a reason to go on with a request, never to grant one.

Mails are read in a process of their own (`cell.py`). It reads which keys it wants, and has no network to ask for them:
they are asked for here, through whatever `TextRecords` was given, few and by well-formed names only.
"""

from __future__ import annotations

import asyncio
import hashlib
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from holdback.evidence.cell import MIB, Cell, Silenced
from holdback.ports import MailFinding, MailOutcome, RecordsUnavailable

if TYPE_CHECKING:
    from holdback.core.events import Instant
    from holdback.ports import TextRecords

MAIL_BYTES: Final = 30 * MIB
"""The largest mail that is read: a paper of the largest size, as mails carry it."""
SIGNATURES_MOST: Final = 5
"""Signatures that are looked at, the first of the mail, and so the keys that are asked for."""
HEADERS_TOLD: Final = 128
NAME_MOST: Final = 256
RECORDS_MOST: Final = 16
RECORD_BYTES: Final = 8192
LOOK_UP_S: Final = 10.0
"""Seconds for all the keys of a mail."""
_EXTRA: Final = "reading mails needs the extra `documents`: pip install 'holdback[documents]'"

Name = Annotated[str, msgspec.Meta(max_length=NAME_MOST)]


class Job(msgspec.Struct, frozen=True):
    """What the process that reads is told: a mail, and the time in ms."""

    mail: bytes
    now: int


class Wanted(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """What it asks back: names whose TXT records it wants."""

    names: Annotated[tuple[Name, ...], msgspec.Meta(max_length=SIGNATURES_MOST)]


class Records(msgspec.Struct, frozen=True):
    """What it is told: the records of each name, None for one that could not be asked for."""

    found: dict[str, list[bytes] | None]


class Reading(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """What it answers. It was among hostile bytes, so its words are bounded, too."""

    outcome: MailOutcome
    why: Name = ""
    sender: Name = ""
    domain: Name = ""
    selector: Name = ""
    aligned: bool = False
    signed_headers: Annotated[tuple[Name, ...], msgspec.Meta(max_length=HEADERS_TOLD)] = ()
    signed_at: Annotated[int, msgspec.Meta(ge=0, lt=2**53)] = 0
    mark: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{64})?\Z")] = ""


_ENCODER: Final = msgspec.msgpack.Encoder()
_HEARD: Final[msgspec.msgpack.Decoder[Wanted | Reading]] = msgspec.msgpack.Decoder(Wanted | Reading)


class Mails:
    """Checks mails, with the keys that `records` has. See ports.Mails.

    Example: `await Mails(DnsRecords()).check(mail, now)`.
    """

    def __init__(self, records: TextRecords, cell: Cell | None = None, *, bytes_most: int = MAIL_BYTES) -> None:
        """Raises ModuleNotFoundError without the extra `documents`."""
        if find_spec("dkim") is None:
            raise ModuleNotFoundError(_EXTRA, name="dkim")
        self._records = records
        self._cell = cell or Cell("holdback.evidence.mail_reading")
        self._bytes_most = bytes_most

    async def check(self, mail: bytes, now: Instant) -> MailFinding:
        """See ports.Mails."""
        if len(mail) > self._bytes_most:
            return MailFinding(MailOutcome.TOO_LARGE)
        digest = (await asyncio.to_thread(hashlib.sha256, mail)).hexdigest()
        try:
            reading = await self._read(Job(mail, now))
        except Silenced as silence:
            return MailFinding(MailOutcome.TOO_SLOW if silence.slow else MailOutcome.MALFORMED, silence.why, digest)
        except msgspec.MsgspecError:
            return MailFinding(MailOutcome.MALFORMED, "garbled", digest)
        return MailFinding(
            reading.outcome,
            reading.why,
            digest,
            reading.sender,
            reading.domain,
            reading.selector,
            reading.aligned,
            reading.signed_headers,
            reading.signed_at,
            reading.mark,
        )

    async def _read(self, job: Job) -> Reading:
        async with self._cell.talk() as talk:
            heard = _HEARD.decode(await talk.say(_ENCODER.encode(job)))
            if isinstance(heard, Wanted):
                heard = _HEARD.decode(await talk.say(_ENCODER.encode(await self._found(heard))))
        if isinstance(heard, Wanted):
            raise msgspec.ValidationError("keys are asked for once")
        return heard

    async def _found(self, wanted: Wanted) -> Records:
        """The records of every name, as many as there may be and as long as they may be."""
        found: dict[str, list[bytes] | None] = dict.fromkeys(wanted.names)
        try:
            async with asyncio.timeout(LOOK_UP_S):
                for name in wanted.names:
                    try:
                        records = await self._records.txt(name)
                    except RecordsUnavailable:
                        continue
                    found[name] = [one for one in records[:RECORDS_MOST] if len(one) <= RECORD_BYTES]
        except TimeoutError:
            pass
        return Records(found)
