"""Papers of legal requests: whether a PDF is signed, whole, by somebody whom a trust root vouches for (PAdES).

Everything but `signed_trusted` proves nothing, and `signed_trusted` proves who signed, not that the request is honest.
A certificate's revocation is not asked for, as that would mean to speak to whatever host a stranger's paper names; each
finding says so (`revocation:not_asked`). A signature is judged by today, not by the time it claims.

Papers are read in a process of their own: `cell.py`, and the record in docs/explanation/adr/.
"""

from __future__ import annotations

import asyncio
import hashlib
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from holdback.evidence.cell import MIB, Cell, Silenced
from holdback.ports import PaperFinding, PaperOutcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdback.core.events import Instant

PAPER_BYTES: Final = 20 * MIB
"""The largest paper that is read."""
NAME_MOST: Final = 512
"""Characters of a name that are told."""
NOT_ASKED: Final = ("revocation:not_asked",)
_EXTRA: Final = "reading papers needs the extra `documents`: pip install 'holdback[documents]'"

Name = Annotated[str, msgspec.Meta(max_length=NAME_MOST)]


class Job(msgspec.Struct, frozen=True):
    """What the process that reads is told: a paper, the certificates (DER) that end a chain of trust, and the time."""

    paper: bytes
    roots: tuple[bytes, ...]
    now: int


class Reading(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What it answers. It was among hostile bytes, so its words are bounded, too."""

    outcome: PaperOutcome
    why: Name = ""
    subject: Name = ""
    issuer: Name = ""
    serial: Name = ""
    certificate: Name = ""
    signed_at: Annotated[int, msgspec.Meta(ge=0, lt=2**53)] = 0
    mark: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{64})?\Z")] = ""


_JOB: Final = msgspec.msgpack.Encoder()
_READING: Final = msgspec.msgpack.Decoder(Reading)


class Documents:
    """Checks papers against trust roots, each one or more certificates in PEM. See ports.Documents.

    Example: `await Documents([Path("court-root.pem").read_bytes()]).check(paper, now)`.
    """

    def __init__(self, roots: Sequence[bytes], cell: Cell | None = None, *, bytes_most: int = PAPER_BYTES) -> None:
        """Raises ValueError on roots that are none, and ModuleNotFoundError without the extra `documents`."""
        if find_spec("pyhanko") is None:
            raise ModuleNotFoundError(_EXTRA, name="pyhanko")
        try:
            certificates = [one for pem in roots for one in x509.load_pem_x509_certificates(pem)]
        except ValueError:
            raise ValueError("a trust root must be certificates in PEM") from None
        if not certificates:
            raise ValueError("papers are checked against at least one trust root")
        self._roots = tuple(one.public_bytes(Encoding.DER) for one in certificates)
        self._cell = cell or Cell("holdback.evidence.document_reading")
        self._bytes_most = bytes_most

    async def check(self, paper: bytes, now: Instant) -> PaperFinding:
        """See ports.Documents."""
        if len(paper) > self._bytes_most:
            return PaperFinding(PaperOutcome.TOO_LARGE, missing=NOT_ASKED)
        digest = (await asyncio.to_thread(hashlib.sha256, paper)).hexdigest()
        try:
            async with self._cell.talk() as talk:
                reading = _READING.decode(await talk.say(_JOB.encode(Job(paper, self._roots, now))))
        except Silenced as silence:
            outcome = PaperOutcome.TOO_SLOW if silence.slow else PaperOutcome.MALFORMED
            return PaperFinding(outcome, silence.why, digest, missing=NOT_ASKED)
        except msgspec.MsgspecError:
            return PaperFinding(PaperOutcome.MALFORMED, "garbled", digest, missing=NOT_ASKED)
        return PaperFinding(
            reading.outcome,
            reading.why,
            digest,
            reading.subject,
            reading.issuer,
            reading.serial,
            reading.certificate,
            reading.signed_at,
            NOT_ASKED,
            reading.mark,
        )
