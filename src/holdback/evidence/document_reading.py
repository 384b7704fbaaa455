"""What runs in the process that reads a PDF: whether the paper is signed, by whom, and over all of it.

Run by `cell.py` as a program. pyHanko reads the file and the signature; whether the signature covers the file is
looked at here besides, because pyHanko 0.38 adds up lengths only: a file in which the signed bytes stand in front, and
behind them as much that is new as the signature claims to take up itself, passes there for covered. See `_covers`.

Nothing in a paper is executed. Its scripts, forms and attachments are bytes to be hashed.
"""

from __future__ import annotations

import asyncio
import codecs
import hashlib
import importlib
import re
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Final

import msgspec
from asn1crypto import core, parser, x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.ades.report import AdESFailure, AdESIndeterminate
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from holdback.evidence.confined import serve
from holdback.evidence.document import NAME_MOST, Job, Reading
from holdback.ports import PaperOutcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyhanko.sign.validation import EmbeddedPdfSignature, PdfSignatureStatus

SIGNATURES_MOST: Final = 64
_HEX: Final = re.compile(rb"[0-9A-Fa-f]*")
_UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of what follows."""

# What the libraries load when they first want it.
_LATE: Final = (
    "cryptography.hazmat.backends.openssl.backend",
    "pyhanko.pdf_utils.crypt.pdfmac",
    "pyhanko.pdf_utils.filters",
)
_CODECS: Final = (
    "ascii",
    "cp1252",
    "idna",
    "latin-1",
    "teletex",
    "utf-8",
    "utf-16",
    "utf-16-be",
    "utf-16-le",
    "utf-32-be",
)
"""What the libraries would load when they first want it, which is when nothing can be opened any more."""

_UNKNOWN: Final = frozenset(
    {
        # Among others: a root of the same name, with another key.
        AdESIndeterminate.CERTIFICATE_CHAIN_GENERAL_FAILURE,
        AdESIndeterminate.NO_CERTIFICATE_CHAIN_FOUND,
        AdESIndeterminate.NO_SIGNING_CERTIFICATE_FOUND,
    }
)
_OUTSIDE: Final = frozenset(
    {
        AdESIndeterminate.EXPIRED,
        AdESIndeterminate.NOT_YET_VALID,
        AdESIndeterminate.OUT_OF_BOUNDS_NO_POE,
        AdESIndeterminate.OUT_OF_BOUNDS_NOT_REVOKED,
        AdESFailure.NOT_YET_VALID,
    }
)


_JOB: Final = msgspec.msgpack.Decoder(Job)
_READING: Final = msgspec.msgpack.Encoder()


def read(job: Job, loop: asyncio.AbstractEventLoop) -> Reading:
    """Read one paper. Only a lack of memory is raised; whatever else goes wrong, the paper is malformed."""
    try:
        return loop.run_until_complete(_read(job))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - whatever a paper broke in being read, it proved nothing
        return Reading(PaperOutcome.MALFORMED, "unreadable")


async def _read(job: Job) -> Reading:
    reader = PdfFileReader(BytesIO(job.paper), strict=True)
    if reader.encrypted:
        return Reading(PaperOutcome.ENCRYPTED)
    # Time stamps of a whole document are signatures by form, but by nobody who could ask for anything.
    signatures = [one for one in reader.embedded_signatures if one.sig_object_type == "/Sig"]
    if not signatures:
        return Reading(PaperOutcome.UNSIGNED)
    if len(signatures) > SIGNATURES_MOST:
        return Reading(PaperOutcome.MALFORMED, "signatures")
    whole = [one for one in signatures if _covers(one, job.paper)]
    # The last one speaks for the paper: those before it cannot have seen what it added.
    judged = whole[-1] if whole else signatures[-1]
    if judged.signer_info["signed_attrs"] is core.VOID:
        # Without them the signature is over the digest itself, and one made over another's attributes would fit.
        return Reading(PaperOutcome.MALFORMED, "attributes")
    roots = [x509.Certificate.load(root) for root in job.roots]
    moment = datetime.fromtimestamp(job.now / 1000, UTC)
    context = ValidationContext(trust_roots=roots, moment=moment, allow_fetching=False)
    status = await async_validate_pdf_signature(judged, context, skip_diff=True)
    return _reading(_outcome(status, whole=bool(whole)), status, _mark(judged, job.paper) if whole else "")


def _covers(signature: EmbeddedPdfSignature, paper: bytes) -> bool:
    """Whether a signature covers a file from its first byte to its last, all but the hole in which it stands itself.

    The hole is one string of hexadecimal digits, those digits are the signature, and after it they are zeros: so there
    is no place for anything that is not signed.
    """
    ranges = [int(number) for number in signature.byte_range]
    if len(ranges) != 4:  # noqa: PLR2004 - two offsets with two lengths
        return False
    start, before, after, rest = ranges
    contents: bytes = signature.pkcs7_content
    digits = paper[before + 1 : after - 1]
    return (
        start == 0
        and 0 < before < after
        and after + rest == len(paper)
        and paper[before : before + 1] == b"<"
        and paper[after - 1 : after] == b">"
        and _HEX.fullmatch(digits) is not None
        and bytes.fromhex(digits.decode()) == contents
        and not contents[parser.peek(contents) :].strip(b"\0")
    )


def _outcome(status: PdfSignatureStatus, *, whole: bool) -> PaperOutcome:
    """What a signature proves, the worst there is to say of it."""
    trouble = status.trust_problem_indic
    early = status.validation_time is not None and status.signing_cert.not_valid_before > status.validation_time
    if not (status.intact and status.valid):
        return PaperOutcome.ALTERED
    if not whole:
        return PaperOutcome.UPDATED_AFTER_SIGNING
    # pyHanko has no word of its own for a certificate from the future.
    if trouble in _OUTSIDE or (trouble is AdESIndeterminate.CERTIFICATE_CHAIN_GENERAL_FAILURE and early):
        return PaperOutcome.EXPIRED
    if trouble in _UNKNOWN:
        return PaperOutcome.UNTRUSTED_ROOT
    return PaperOutcome.SIGNED_TRUSTED if status.trusted else PaperOutcome.UNFIT_CERTIFICATE


def _mark(signature: EmbeddedPdfSignature, paper: bytes) -> str:
    """What is signed, by its digest: how the signature itself is written changes nothing of it."""
    _, before, after, _ = (int(number) for number in signature.byte_range)
    signed = hashlib.sha256(paper[:before])
    signed.update(paper[after:])
    return signed.hexdigest()


def _reading(outcome: PaperOutcome, status: PdfSignatureStatus, mark: str) -> Reading:
    signer = status.signing_cert
    claimed = status.signer_reported_dt
    why = getattr(status.trust_problem_indic, "name", "").lower()
    return Reading(
        outcome=outcome,
        why="" if outcome is PaperOutcome.SIGNED_TRUSTED else why,
        subject=_shown(signer.subject.human_friendly),
        issuer=_shown(signer.issuer.human_friendly),
        serial=f"{signer.serial_number:x}"[:NAME_MOST],
        certificate=signer.sha256.hex(),
        signed_at=_instant(claimed) if claimed is not None else 0,
        mark=mark,
    )


def _instant(claimed: datetime) -> int:
    """A claimed time in ms; one without a zone is taken for UTC."""
    zoned = claimed if claimed.tzinfo is not None else claimed.replace(tzinfo=UTC)
    return max(0, int(zoned.timestamp() * 1000))


def _shown(name: str) -> str:
    """A name that cannot break a line or turn what stands beside it."""
    return _UNSEEN.sub("", name[:NAME_MOST])


def load_all() -> None:
    """Load what the libraries would load later, when nothing can be opened any more."""
    for module in _LATE:
        importlib.import_module(module)
    for codec in _CODECS:
        codecs.lookup(codec)


def main() -> None:
    """Read one paper and say what was found."""
    load_all()
    # A loop wants descriptors of its own, which there are none of later.
    loop = asyncio.new_event_loop()

    def converse(words: bytes, ask: Callable[[bytes], bytes]) -> bytes:  # noqa: ARG001 - it asks nothing back
        return _READING.encode(read(_JOB.decode(words), loop))

    serve(converse)


if __name__ == "__main__":
    main()
