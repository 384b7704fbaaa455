"""Every kind of paper has its own outcome, only one proves anything, and none harms who reads it."""

from __future__ import annotations

import hashlib
import re
import zlib
from typing import TYPE_CHECKING, Final

import msgspec
import pytest
from asn1crypto import x509 as asn1
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import SignatureCoverageLevel, async_validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from tests.documents import papers
from tests.documents.fuzzing import Batch, Tally
from tests.documents.papers import CLERK, COURT, DAY, NOW, TODAY, authority, blank, hand, signed

from holdback.evidence import document
from holdback.evidence.cell import MIB, Bounds, Cell
from holdback.evidence.document import Documents, Job
from holdback.ports import PaperOutcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.documents.papers import Authority, Key

MUTATIONS: Final = 1000
BATCH: Final = 250


@pytest.fixture(scope="module")
def court() -> Authority:
    """The root that the operator trusts."""
    return authority()


@pytest.fixture(scope="module")
def documents(court: Authority) -> Documents:
    """A check that trusts that root."""
    return Documents([court.pem])


@pytest.fixture(scope="module")
def order(court: Authority) -> bytes:
    """A paper as it should be."""
    return signed(blank(), hand(court))


async def test_a_signing_is_known_again(documents: Documents, order: bytes, court: Authority) -> None:
    """The signature's digits in other letters make another file of a paper and no other signing."""
    first = await documents.check(order, NOW)
    digits = re.search(rb"/Contents\s*<([0-9A-Fa-f]+)>", order)
    assert digits is not None
    again = await documents.check(order.replace(digits[1], digits[1].swapcase()), NOW)
    assert (again.outcome, again.mark) == (PaperOutcome.SIGNED_TRUSTED, first.mark)
    assert again.digest != first.digest
    assert (await documents.check(signed(blank(), hand(court)), NOW)).mark != first.mark
    assert (await documents.check(blank(), NOW)).mark == ""


async def test_a_signed_paper(documents: Documents, court: Authority) -> None:
    """A whole paper by somebody under a trusted root is so, with who signed, when he says, and what was not asked."""
    clerk = hand(court)
    paper = signed(blank(), clerk)

    found = await documents.check(paper, NOW)

    assert found.outcome is PaperOutcome.SIGNED_TRUSTED
    assert found.digest == hashlib.sha256(paper).hexdigest()
    assert (CLERK in found.subject, COURT in found.issuer, found.serial, found.why) == (True, True, "1042", "")
    assert found.certificate == hashlib.sha256(clerk.certificate.public_bytes(Encoding.DER)).hexdigest()
    assert abs(found.signed_at - NOW) < 3_600_000
    assert found.missing == ("revocation:not_asked",)


@pytest.mark.parametrize(
    ("key", "digest", "pss"),
    [
        (rsa.generate_private_key(65537, 2048), "sha256", False),
        (rsa.generate_private_key(65537, 2048), "sha384", True),
        (ed25519.Ed25519PrivateKey.generate(), "sha512", False),
    ],
    ids=["rsa", "rsa-pss", "ed25519"],
)
async def test_keys_of_every_kind(documents: Documents, court: Authority, key: Key, digest: str, *, pss: bool) -> None:
    """Keys of all kinds in use are verified, and nothing is left to be loaded when nothing can be opened any more."""
    paper = signed(blank(stream_xrefs=False), hand(court, key=key, pss=pss), digest=digest)

    found = await documents.check(paper, NOW)

    assert found.outcome is PaperOutcome.SIGNED_TRUSTED


PAPERS: Final[dict[str, tuple[PaperOutcome, Callable[[bytes, Authority], bytes]]]] = {
    "of a stranger's root": (
        PaperOutcome.UNTRUSTED_ROOT,
        lambda _, __: signed(blank(), hand(authority("Court of Elsewhere"))),
    ),
    "of a root by the same name": (PaperOutcome.UNTRUSTED_ROOT, lambda _, __: signed(blank(), hand(authority()))),
    "expired": (PaperOutcome.EXPIRED, lambda _, court: signed(blank(), hand(court, until=TODAY - DAY))),
    "not yet valid": (PaperOutcome.EXPIRED, lambda _, court: signed(blank(), hand(court, since=TODAY + DAY))),
    "of a key for connections": (
        PaperOutcome.UNFIT_CERTIFICATE,
        lambda _, court: signed(blank(), hand(court, signs=False)),
    ),
    "over a weak hash": (PaperOutcome.UNFIT_CERTIFICATE, lambda _, court: signed(blank(), hand(court), digest="sha1")),
    "altered": (PaperOutcome.ALTERED, lambda order, _: order.replace(b"/MediaBox", b"/MediaBax", 1)),
    "updated": (PaperOutcome.UPDATED_AFTER_SIGNING, lambda order, _: papers.updated(order)),
    "with a line more": (PaperOutcome.UPDATED_AFTER_SIGNING, lambda order, _: order + b"\n"),
    "wrapped": (PaperOutcome.UPDATED_AFTER_SIGNING, lambda order, _: papers.wrapped(order)),
    "updated and signed over by a stranger": (
        PaperOutcome.UNTRUSTED_ROOT,
        lambda order, _: signed(papers.updated(order), hand(authority("Nobody")), field="Second"),
    ),
    "signed by two": (
        PaperOutcome.SIGNED_TRUSTED,
        lambda order, court: signed(order, hand(court, name="Judge"), field="Second"),
    ),
    "unsigned": (PaperOutcome.UNSIGNED, lambda _, __: blank()),
    "encrypted": (PaperOutcome.ENCRYPTED, lambda _, __: papers.encrypted()),
    "empty": (PaperOutcome.MALFORMED, lambda _, __: b""),
    "no paper": (PaperOutcome.MALFORMED, lambda _, __: b"GIF89a"),
    "cut off": (PaperOutcome.MALFORMED, lambda order, _: order[: len(order) // 2]),
}


@pytest.mark.parametrize("kind", PAPERS)
async def test_each_paper_has_its_outcome(documents: Documents, order: bytes, court: Authority, kind: str) -> None:
    """Each kind of paper has its own clear outcome."""
    outcome, made = PAPERS[kind]

    assert (await documents.check(made(order, court), NOW)).outcome is outcome


async def test_a_signature_ends_with_its_certificate(documents: Documents, order: bytes) -> None:
    """A paper is judged by the time it is checked at, and not by the one it claims."""
    later = NOW + 91 * 86_400_000

    assert (await documents.check(order, later)).outcome is PaperOutcome.EXPIRED


async def test_the_library_takes_a_wrapped_paper(order: bytes, court: Authority) -> None:
    """What the check of coverage is for is still so: the library alone takes new content for signed."""
    reader = PdfFileReader(papers.stream(papers.wrapped(order)))
    root = asn1.Certificate.load(court.certificate.public_bytes(Encoding.DER))

    status = await async_validate_pdf_signature(
        reader.embedded_signatures[0], ValidationContext(trust_roots=[root]), skip_diff=True
    )

    assert (status.bottom_line, status.coverage) == (True, SignatureCoverageLevel.ENTIRE_FILE)


async def test_names_break_nothing(documents: Documents, court: Authority) -> None:
    """A name is told without what would break a line or turn the text beside it, and cut to a bound."""
    found = await documents.check(signed(blank(), hand(court, name="Judge\r\n\u202eknarF" + "x" * 40)), NOW)

    assert "JudgeknarFx" in found.subject
    assert found.subject.isprintable()


async def test_a_huge_paper_is_not_read(court: Authority) -> None:
    """A file of 200 MB is refused by its size, before any process is started for it."""
    nobody = Documents([court.pem], Cell("holdback.evidence.none"))

    found = await nobody.check(bytes(200 * MIB), NOW)

    assert (found.outcome, found.digest) == (PaperOutcome.TOO_LARGE, "")


def bomb() -> bytes:
    """A paper whose table of objects is a stream that inflates twice."""
    deflated = zlib.compressobj(9)
    packed = b"".join(deflated.compress(bytes(MIB)) for _ in range(64)) + deflated.flush()
    twice = zlib.compress(packed, 9)
    entry = b"<</Type/XRef/Size 9000000/W[1 2 1]/Root 2 0 R/Filter[/FlateDecode/FlateDecode]/Length %d>>" % len(twice)
    return b"%PDF-1.7\n1 0 obj\n" + entry + b"stream\n" + twice + b"\nendstream\nendobj\nstartxref\n9\n%%EOF\n"


async def test_a_bomb_is_malformed(documents: Documents) -> None:
    """A small paper that unfolds to a large one is malformed."""
    assert (await documents.check(bomb(), NOW)).outcome is PaperOutcome.MALFORMED


@pytest.mark.parametrize(
    ("bounds", "more", "end"),
    [
        (Bounds(answer_s=0.0), 0, (PaperOutcome.TOO_SLOW, "deadline")),
        (Bounds(memory_bytes=112 * MIB), 19 * MIB, (PaperOutcome.MALFORMED, "memory")),
        (Bounds(answer_bytes=8), 0, (PaperOutcome.MALFORMED, "flood")),
    ],
)
async def test_the_end_of_its_reader_is_a_finding(
    order: bytes, court: Authority, bounds: Bounds, more: int, end: tuple[PaperOutcome, str]
) -> None:
    """Whatever becomes of the process that reads a paper is an outcome of that paper, never an error of the server."""
    reader = Documents([court.pem], Cell("holdback.evidence.document_reading", bounds))

    found = await reader.check(order + bytes(more), NOW)

    assert (found.outcome, found.why, len(found.digest)) == (*end, 64)


@pytest.mark.parametrize("said", ["hostile", "none"])
async def test_a_reader_that_babbles(said: str, court: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is none is the paper's fault, as whoever took over its reader might give it."""
    reader = Documents([court.pem], Cell("tests.documents.hostile"))
    deed = {"hostile": b"babble", "none": b"answer"}[said]
    monkeypatch.setattr(document, "_JOB", Spoken(deed))

    assert (await reader.check(b"", NOW))[:2] == (PaperOutcome.MALFORMED, "garbled")


class Spoken:
    """An encoder that always says the same."""

    def __init__(self, words: bytes) -> None:
        """Say these words."""
        self._words = words

    def encode(self, job: Job) -> bytes:
        """Say them."""
        assert job.now == NOW
        return self._words


@pytest.mark.parametrize("tables", ["plain", "packed"])
async def test_no_mutation_harms_or_passes(tables: str, court: Authority) -> None:
    """A thousand mutations of a signed paper: none crashes or hangs its reader, none passes for what was not signed."""
    paper = signed(blank(stream_xrefs=tables == "packed"), hand(court))
    job = Job(paper, (court.certificate.public_bytes(Encoding.DER),), NOW)
    cell = Cell("tests.documents.fuzzing", Bounds(cpu_s=120, answer_s=300.0))
    first = MUTATIONS // 2 if tables == "packed" else 0
    outcomes: dict[str, int] = {}
    for start in range(first, first + MUTATIONS // 2, BATCH):
        async with cell.talk() as talk:
            said = msgspec.msgpack.encode(Batch(job, tuple(range(start, start + BATCH))))
            tally = msgspec.msgpack.decode(await talk.say(said), type=Tally)
        assert (tally.forged, tally.slowest_s < 5) == ((), True)
        outcomes = {kind: outcomes.get(kind, 0) + tally.outcomes.get(kind, 0) for kind in PaperOutcome}

    assert sum(outcomes.values()) == MUTATIONS // 2
    assert outcomes[PaperOutcome.MALFORMED] > 0
    assert outcomes[PaperOutcome.ALTERED] > 0


@pytest.mark.parametrize("roots", [[], [b""], [b"no certificate"]])
def test_there_is_something_to_trust(roots: list[bytes]) -> None:
    """A check without trust roots, or with something else for them, is refused when it is made."""
    with pytest.raises(ValueError, match="trust root"):
        Documents(roots)


def test_without_the_extra(court: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the packages are not installed the error names the extra that has them."""
    monkeypatch.setattr(document, "find_spec", lambda _: None)

    with pytest.raises(ModuleNotFoundError, match=r"pip install 'holdback\[documents\]'"):
        Documents([court.pem])
