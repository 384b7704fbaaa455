"""What every provider of face checks must do, whoever looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.contracts.faces import BOOTHS, AtVendor, seen
from tests.contracts.far_faces import SECRET, signed
from tests.face import sitters
from tests.service.house import NOW

from holdback.evidence.face_vendor import VendorFace
from holdback.ports import CaptureAssurance, FaceGiven, FaceRefused, FaceUnavailable, FaceVerdict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.contracts.faces import Booth

HERSELF = sitters.jpeg(sitters.astronaut())
ANOTHER = sitters.jpeg(sitters.somebody_else())


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """What boto3 would look for elsewhere."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "made-up")


@pytest.fixture(params=sorted(BOOTHS))
async def booth(request: pytest.FixtureRequest) -> AsyncIterator[Booth]:
    """Each provider, with somebody before it."""
    async with BOOTHS[request.param]() as booth:
        yield booth


async def test_who_is_there_passes(booth: Booth) -> None:
    """A person who is there, lit by the screen and like the reference, passes; each finding says by what."""
    result = await seen(booth, HERSELF)
    assert result.verdict is FaceVerdict.PASS
    assert result.capture_assurance is not CaptureAssurance.ATTESTED
    for finding in (result.match, result.challenge):
        assert finding.verdict is FaceVerdict.PASS
        assert finding.score >= finding.threshold > 0
        assert finding.scale
        assert finding.method
        assert finding.version


async def test_somebody_else_fails(booth: Booth) -> None:
    """Another face than the reference's fails, though somebody is there."""
    result = await seen(booth, ANOTHER)
    assert (result.match.verdict, result.challenge.verdict) == (FaceVerdict.FAIL, FaceVerdict.PASS)
    assert result.verdict is FaceVerdict.FAIL


@pytest.mark.parametrize("reference", [b"", b"no picture"])
async def test_without_a_reference_nothing_is_said_of_who_it_is(booth: Booth, reference: bytes) -> None:
    """Law 8: who cannot be compared is not evaluated, which is neither for nor against."""
    result = await seen(booth, reference)
    assert result.match.verdict is FaceVerdict.NOT_EVALUATED
    assert result.verdict is FaceVerdict.NOT_EVALUATED


async def test_a_result_is_there_once_it_is_there(booth: Booth) -> None:
    """Before the end there is no result, and after it always the same one."""
    begun = await booth.check.start(NOW, gentle=True)
    assert not begun.done
    assert await booth.check.fetch(begun.state, HERSELF, NOW) is None
    step, now = await booth.sat(HERSELF)
    assert await booth.check.fetch(step.state, HERSELF, now) == await booth.check.fetch(step.state, HERSELF, now)


async def test_a_page_is_told_what_it_must_know(booth: Booth) -> None:
    """What a page is told is plain JSON, and never the state that says what comes next."""
    begun = await booth.check.start(NOW, gentle=False)
    told = msgspec.json.encode(begun.shown)
    assert len(told) < 4096
    assert begun.state not in told
    assert begun.state.hex().encode() not in told


@pytest.mark.parametrize("state", [b"", b"\x00" * 64, b"\xff" * 4096])
async def test_a_state_of_nobody_is_refused(booth: Booth, state: bytes) -> None:
    """What is no state is refused, and said nothing of."""
    with pytest.raises(FaceRefused) as refused:
        await booth.check.fetch(state, HERSELF, NOW)
    assert "\\x" not in str(refused.value)
    with pytest.raises(FaceRefused):
        await booth.check.ingest(state, FaceGiven(), HERSELF, NOW)


@pytest.mark.parametrize(
    "given",
    [
        FaceGiven((0,), (1, 2, 3), (b"short", b"", b"x")),
        FaceGiven((0,) * 99, (-1,) * 9999, (b"0" * 32,) * 3, (b"\xff\xd8",) * 78),
        FaceGiven((), (), (), (b"",)),
    ],
)
async def test_what_makes_no_sense_harms_nobody(booth: Booth, given: FaceGiven) -> None:
    """Whatever a page sends, the check goes on or is refused."""
    begun = await booth.check.start(NOW, gentle=False)
    try:
        step = await booth.check.ingest(begun.state, given, HERSELF, NOW + 500)
    except FaceRefused:
        return
    assert await booth.check.fetch(step.state, HERSELF, NOW + 500) is None


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff" * 1000, b'{"session": "s-1"}', b"[" * 10_000])
async def test_a_message_of_anybody_is_no_hint(booth: Booth, body: bytes) -> None:
    """A message that does not prove where it comes from is no message."""
    for headers in ({}, {"webhook-signature": "v1,AAAA", "webhook-id": "1", "webhook-timestamp": "x"}):
        assert booth.check.parse_webhook(headers, body) is None


# Vendors


@pytest.mark.parametrize("name", ["rekognition", "vendor"])
async def test_what_a_vendor_refuses_fails(name: str) -> None:
    """A vendor that finds a spoof fails the check, whoever it looks like."""
    async with BOOTHS[name]() as booth:
        assert isinstance(booth, AtVendor)
        booth.stub.mood = "spoof"
        result = await seen(booth, HERSELF)
        assert result.match.verdict is FaceVerdict.PASS
        assert result.verdict is FaceVerdict.FAIL


@pytest.mark.parametrize("mood", ["unavailable", "garbled"])
@pytest.mark.parametrize("name", ["rekognition", "vendor"])
async def test_a_vendor_that_is_away_says_nothing(name: str, mood: str) -> None:
    """Law 8: a vendor that does not answer, or not in its form, says nothing of anybody, and may be asked again."""
    async with BOOTHS[name]() as booth:
        assert isinstance(booth, AtVendor)
        step, now = await booth.sat(HERSELF)
        booth.stub.mood = mood
        with pytest.raises(FaceUnavailable):
            await booth.check.start(NOW, gentle=False)
        with pytest.raises(FaceUnavailable):
            await booth.check.fetch(step.state, HERSELF, now)
        booth.stub.mood = "accept"
        assert await booth.check.fetch(step.state, HERSELF, now) is not None


async def test_a_session_that_amazon_forgot_is_not_evaluated() -> None:
    """A check that came to no end is nobody's failure, and one of which Amazon knows nothing ends here, too."""
    async with BOOTHS["rekognition"]() as booth:
        assert isinstance(booth, AtVendor)
        step, now = await booth.sat(HERSELF)
        booth.stub.mood = "expired"
        result = await booth.check.fetch(step.state, HERSELF, now)
        assert result is not None
        assert (result.verdict, result.challenge.why) == (FaceVerdict.NOT_EVALUATED, "expired")
        booth.stub.mood = "accept"
        booth.stub.finished.clear()
        result = await booth.check.fetch(step.state, HERSELF, NOW + 180_000)
        assert result is not None
        assert result.challenge.why == "unfinished"
        booth.stub.sessions.clear()
        with pytest.raises(FaceRefused, match="no such check"):
            await booth.check.fetch(step.state, HERSELF, now)


async def test_a_message_is_a_hint_and_no_more() -> None:
    """A signed message names its check; whatever else it says, the result is what the vendor answers when asked."""
    async with BOOTHS["vendor"]() as booth:
        assert isinstance(booth, AtVendor)
        begun = await booth.check.start(NOW, gentle=False)
        told = {"check": begun.shown["session"], "status": "done", "match": {"verdict": "pass"}}
        body = msgspec.json.encode(told)
        assert booth.check.parse_webhook(signed(body), body) == begun.shown["session"]
        assert await booth.check.fetch(begun.state, HERSELF, NOW) is None


@pytest.mark.parametrize("body", [b"{}", b"[]", b"\xff", b'{"check": "../../x"}', b"[" * 9_000, b" " * 70_000])
async def test_a_signed_message_of_another_form_is_no_hint(body: bytes) -> None:
    """What is signed and names no check is passed over."""
    async with BOOTHS["vendor"]() as booth:
        assert booth.check.parse_webhook(signed(body), body) is None


async def test_every_byte_of_a_message_is_signed() -> None:
    """A message with one other byte, another secret or half a signature is nobody's."""
    async with BOOTHS["vendor"]() as booth:
        body = b'{"check": "0123456789"}'
        right = signed(body)["X-HMAC-Signature"]
        assert booth.check.parse_webhook({"x-hmac-signature": right.upper()}, body) == "0123456789"
        for headers, said in (
            (signed(body), body + b" "),
            (signed(body, "another secret of enough bytes"), body),
            ({"X-HMAC-Signature": right[:32]}, body),
            ({"X-HMAC-Signature": "é" * 64}, body),
            ({}, body),
        ):
            assert booth.check.parse_webhook(headers, said) is None


@pytest.mark.parametrize(
    ("url", "secret"),
    [("http://vendor.example", SECRET), ("ftp://127.0.0.1", SECRET), ("https://vendor.example", "short")],
)
def test_a_vendor_must_be_safe_to_speak_to(url: str, secret: str) -> None:
    """Pictures of faces go over https alone, and a secret that can be guessed is refused."""
    with pytest.raises(ValueError, match="must"):
        VendorFace(url, "key", secret)
