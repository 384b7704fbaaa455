"""A face check within a recovery: whose case it is, steps that count once, and what becomes of the verdict."""

from __future__ import annotations

import base64
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import cv2
import msgspec
import pytest
from tests.contracts.faces import NUMBERS
from tests.contracts.far_faces import SECRET, FarVendor, signed
from tests.face import sitters
from tests.service.faulty import Fault, Step, Trap, faulty
from tests.service.house import Customer, Hands, House, settings
from tests.service.test_recovery import Claim

from holdback.core import events as ev
from holdback.core.events import DAY
from holdback.evidence.face import PICTURES
from holdback.evidence.face_colours import WORDS
from holdback.facing import FaceDesk, NoSuchCase, TooManyChecks, in_words
from holdback.intake import FACE_BYTES, BadRequest
from holdback.ports import FaceFinding, FaceGiven, FaceRefused, FaceResult, FaceStep, FaceVerdict, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdback.bench.relit import Scene
    from holdback.core.events import Instant
    from holdback.facing import Shown
    from holdback.ports import FaceCheck, Store

SMALL: Final = cv2.imencode(".jpg", cv2.resize(sitters.astronaut(), (240, 229)), [cv2.IMWRITE_JPEG_QUALITY, 80])[
    1
].tobytes()
PORTRAIT: Final = base64.b64encode(SMALL).decode()


class Sitter:
    """Somebody who goes through a recovery of alice's, before a camera that is a computation."""

    def __init__(self, house: House, claim: Claim, check: FaceCheck | None = None) -> None:
        """Nothing was asked yet."""
        checks = check or house.service.tools.faces
        assert checks is not None
        self.house, self.claim = house, claim
        self.desk = FaceDesk(house.service, checks)

    async def begins(self, *, gentle: bool = False) -> Shown:
        """Ask for a check."""
        return await self.desk.begin("alice", self.claim.token, gentle=gentle)

    async def goes_on(self, shown: Shown, given: FaceGiven) -> Shown:
        """One step further."""
        return await self.desk.go_on("alice", self.claim.token, shown.ticket, given)

    async def sits(self, scene: Scene = sitters.LIVE) -> Shown:
        """A whole check, in the time it takes."""
        return await self.goes_on(*await self.sat(scene))

    async def sat(self, scene: Scene = sitters.LIVE) -> tuple[Shown, FaceGiven]:
        """A check up to its last step, and what that is given."""
        began, shown = self.house.clock.at, await self.begins()
        times, camera = sitters.showing(NUMBERS.colours), sitters.before_a_camera(sitters.astronaut(), scene)
        told: list[int] = []
        film: list[bytes] = []
        for place in range(NUMBERS.colours):
            told.append(WORDS.index(shown.told["word"]))
            here = times.times_ms[place * PICTURES : (place + 1) * PICTURES]
            film += [camera.picture(at, times.shown_ms[: place + 1], told) for at in here]
            self.house.clock.at = began + here[-1] + 20
            shown = await self.goes_on(shown, sitters.committed(times, film, place))
        return shown, sitters.sent(times, film)


async def prepared(  # noqa: PLR0913 - each is one thing that a test is about
    store: Store,
    clock: Hands,
    *,
    days: int = 31,
    portrait: str = PORTRAIT,
    given: Mapping[str, str] = MappingProxyType({"face": "embedded"}),
    check: FaceCheck | None = None,
) -> Sitter:
    """Alice came with her portrait so many days ago, and somebody opens a recovery now."""
    house = House(store, clock, given=msgspec.structs.replace(settings(), **given))
    alice = Customer(house, "alice")
    own = {"face": portrait} if portrait else {}
    assert (await alice.ask(alice.importing() | own))["decision"] == "allow"
    await house.deliver()
    clock.at += days * DAY
    claim = Claim(alice)
    assert (await claim.opens())["decision"] == "allow"
    return Sitter(house, claim, check)


async def test_a_face_that_is_there_becomes_evidence(store: Store, clock: Hands) -> None:
    """Who sits before the camera and is like the portrait has shown a minor piece of evidence, and what judged it."""
    somebody = await prepared(store, clock)
    shown = await somebody.sits()
    assert (shown.told["verdict"], shown.told["decision"]) == ("pass", "allow")
    (piece,) = await somebody.house.happened("alice", ev.RecoveryShown)
    assert piece.evidence == "face"
    assert piece.judged_by.startswith("embedded: match pass 0.")
    assert piece.judged_by.endswith("unattested")
    assert await somebody.house.faults("alice") == []


async def test_a_picture_leaves_the_case_to_reviewers(store: Store, clock: Hands) -> None:
    """A face that does not follow the colours is told to every contact, and the case goes nowhere without people."""
    somebody = await prepared(store, clock)
    shown = await somebody.sits(sitters.STILL)
    assert (shown.told["verdict"], shown.told["decision"]) == ("fail", "deny")
    assert "cosine" not in str(shown.told)
    (doubt,) = await somebody.house.happened("alice", ev.RecoveryDoubted)
    assert "challenge fail" in doubt.judged_by
    recovery = (await somebody.house.head("alice")).recovery
    assert recovery is not None
    assert recovery.doubted
    await somebody.house.deliver()
    post = somebody.house.post[ev.Channel.EMAIL].to("alice@example.com")
    assert any("did not pass" in one.subject for one in post)


async def test_only_the_cases_opener_is_checked(store: Store, clock: Hands) -> None:
    """Without the case's own token there is no case, whatever else somebody knows."""
    somebody = await prepared(store, clock)
    for account, token in (("alice", "0" * 64), ("alice", ""), ("nobody", somebody.claim.token), ("a/b", "x")):
        with pytest.raises(NoSuchCase):
            await somebody.desk.begin(account, token, gentle=False)


async def test_each_step_counts_once_at_every_replica(store: Store, clock: Hands) -> None:
    """A ticket that was handed in is worth nothing anywhere: nobody goes back and learns what comes next."""
    somebody = await prepared(store, clock)
    begun = await somebody.begins()
    clock.at += 500
    given = FaceGiven((0,), (100, 200, 400), (bytes(32),) * PICTURES)
    await somebody.goes_on(begun, given)
    elsewhere = Sitter(somebody.house.restarted(store), somebody.claim)
    for one in (somebody, elsewhere):
        with pytest.raises(FaceRefused, match="taken before"):
            await one.goes_on(begun, given)
    for ticket in ("", "AAAA", begun.ticket[:-8] + "AAAAAAAA", "é"):
        with pytest.raises(FaceRefused, match="no such check"):
            await somebody.goes_on(begun._replace(ticket=ticket), given)


class Plain:
    """Somebody who looks at one picture and calls it right or wrong, at once: what becomes of that is the test's."""

    name = "plain"

    async def start(self, now: Instant, *, gentle: bool) -> FaceStep:  # noqa: ARG002 - the port's
        """See ports.FaceCheck."""
        return FaceStep(b"begun", {"wanted": "pictures"})

    async def ingest(self, state: bytes, given: FaceGiven, reference: bytes, now: Instant) -> FaceStep:  # noqa: ARG002 - the port's
        """See ports.FaceCheck."""
        if given.pictures[0] == b"torn":
            raise FaceRefused("no picture")
        return FaceStep(given.pictures[0], {}, done=True)

    async def fetch(self, state: bytes, reference: bytes, now: Instant) -> FaceResult:  # noqa: ARG002 - the port's
        """See ports.FaceCheck."""
        found = FaceFinding(FaceVerdict.PASS if state == b"right" else FaceVerdict.FAIL, method="plain")
        return FaceResult(match=found, challenge=found)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> None:
        """See ports.FaceCheck."""

    async def close(self) -> None:
        """See ports.FaceCheck."""


def pictured(what: bytes = b"right") -> FaceGiven:
    """A film of one picture."""
    return FaceGiven((), (), (), (what,))


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("step", [Step.READ, Step.BEGIN, Step.WRITE, Step.COMMIT])
@pytest.mark.parametrize("after", range(4))
async def test_a_verdict_is_not_lost(store: Store, clock: Hands, step: Step, fault: Fault, after: int) -> None:
    """Whatever fails as the last step is handed in, before or after: asked again it says the same, and counts once."""
    trap = Trap()
    somebody = await prepared(faulty(store, trap), clock, check=Plain())
    shown = await somebody.begins()
    trap.set(step, fault, after=after)
    with suppress(StoreUnavailable):
        await somebody.goes_on(shown, pictured())
    trap.disarm()
    again = Sitter(somebody.house.restarted(store), somebody.claim, Plain())
    said = await again.goes_on(shown, pictured())
    assert (said.told["verdict"], said.told["decision"]) == ("pass", "allow")
    assert (await again.goes_on(shown, pictured())).told == said.told
    assert len(await again.house.happened("alice", ev.RecoveryShown)) == 1
    assert await again.house.faults("alice") == []


async def test_a_check_that_ended_says_what_it_said(store: Store, clock: Hands) -> None:
    """Another film at the same last step changes nothing, at whatever replica; one that is refused ends the check."""
    somebody = await prepared(store, clock, check=Plain())
    shown = await somebody.begins()
    said = await somebody.goes_on(shown, pictured(b"wrong"))
    assert said.told["verdict"] == "fail"
    elsewhere = Sitter(somebody.house.restarted(store), somebody.claim, Plain())
    assert (await elsewhere.goes_on(shown, pictured())).told == said.told
    shown = await elsewhere.begins()
    with pytest.raises(FaceRefused, match="no picture"):
        await elsewhere.goes_on(shown, pictured(b"torn"))
    with pytest.raises(FaceRefused, match="taken before"):
        await elsewhere.goes_on(shown, pictured())


async def test_how_often_a_case_was_checked_is_not_forgotten(store: Store, clock: Hands) -> None:
    """What forgets old answers does not give a case its checks back."""
    somebody = await prepared(store, clock, check=Plain())
    for _ in range(NUMBERS.checks_per_case):
        await somebody.begins()
    clock.at += 20 * DAY
    await somebody.house.service.forget()
    with pytest.raises(TooManyChecks):
        await somebody.begins()


async def test_a_case_is_checked_a_few_times(store: Store, clock: Hands) -> None:
    """Nobody tries until chance lets him pass, at whatever replica."""
    somebody = await prepared(store, clock)
    for _ in range(NUMBERS.checks_per_case):
        await somebody.begins()
    with pytest.raises(TooManyChecks):
        await Sitter(somebody.house.restarted(store), somebody.claim).begins()


@pytest.mark.parametrize(("days", "face"), [(29, PORTRAIT), (31, "")])
async def test_without_an_old_picture_nothing_is_asked(store: Store, clock: Hands, days: int, face: str) -> None:
    """Where there is nothing to compare with, or it is too new, no check begins and nothing is held against anybody."""
    somebody = await prepared(store, clock, days=days, portrait=face)
    shown = await somebody.begins()
    assert shown.told == {"wanted": "nothing", "verdict": "not_evaluated", "why": "no_reference"}
    assert not shown.ticket
    assert not await somebody.house.happened("alice", ev.RecoveryDoubted)


async def test_a_ticket_is_of_one_case(store: Store, clock: Hands) -> None:
    """What was begun in one case does not go on in the next one."""
    somebody = await prepared(store, clock)
    begun = await somebody.begins()
    clock.at += 2 * DAY
    assert (await somebody.claim.opens())["decision"] == "allow"
    with pytest.raises(FaceRefused, match="no such check"):
        await somebody.goes_on(begun, FaceGiven())


async def test_a_vendor_is_asked_now_and_then_or_when_it_speaks(store: Store, clock: Hands) -> None:
    """A page that asks and asks costs one question each few seconds, and a vendor's message lets it ask at once."""
    with FarVendor() as stub:
        given = {"face": "vendor", "face_vendor_url": stub.url, "face_vendor_key": "key", "face_vendor_secret": SECRET}
        stub.mood = "pending"
        somebody = await prepared(store, clock, given=given)
        begun = await somebody.begins()
        session = begun.told["session"]
        shown = await somebody.goes_on(begun, FaceGiven())
        for _ in range(5):
            shown = await somebody.goes_on(shown, FaceGiven())
            assert shown.told["wanted"] == "patience"
        assert len(stub.asked) == 2
        stub.mood = "accept"
        stub.finished.add(session)
        body = msgspec.json.encode({"check": session})
        assert not somebody.desk.hear(signed(body, "another secret of enough bytes"), body)
        assert (await somebody.goes_on(shown, FaceGiven())).told["wanted"] == "patience"
        assert somebody.desk.hear(signed(body), body)
        done = await somebody.goes_on(shown, FaceGiven())
        # The stub knows the astronaut by another picture of her than alice's portrait, in which it sees no face.
        assert (done.told["verdict"], done.told["why"]) == ("not_evaluated", "no_face")
        clock.at += NUMBERS.vendor_asked_s * 1000
        assert (await somebody.goes_on(shown, FaceGiven())).told == done.told
        checks = somebody.house.service.tools.faces
        assert checks is not None
        await checks.close()


@pytest.mark.parametrize(
    "face",
    [
        "no base64",
        base64.b64encode(b"GIF89a").decode(),
        base64.b64encode(b"\xff\xd8\xff" + bytes(FACE_BYTES)).decode(),
        5,
        "",
    ],
)
async def test_what_is_no_portrait_is_refused(store: Store, clock: Hands, face: object) -> None:
    """A portrait that is none is refused at the import, not found out in a recovery."""
    alice = Customer(House(store, clock), "alice")
    with pytest.raises(BadRequest, match="JPEG or PNG") as refused:
        await alice.ask(alice.importing() | {"face": face})
    assert refused.value.pointer == "/face"


async def test_a_portrait_is_sealed(store: Store, clock: Hands) -> None:
    """No store sees a picture of anybody."""
    await prepared(store, clock)
    for entry in await store.entries("alice", 0, 100):
        assert SMALL[:64] not in entry.body
        assert PORTRAIT[:64].encode() not in entry.body


def test_what_was_not_evaluated_says_so() -> None:
    """A reviewer reads of each way of looking what it said, and of the others that they said nothing."""
    said = in_words("a provider", FaceResult())
    assert said.count("not_evaluated") == 4
    assert "pass" not in said
