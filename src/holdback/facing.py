"""A face check in a recovery: begun by the case's own token, gone through in steps, and handed in as evidence.

No process keeps a check. What the provider calls its state goes to the page and back as a ticket that only the
customer's key opens, and each ticket counts once: its number is written down before it is looked at, in the table that
keeps answers, so that nobody goes back a step at another replica and learns what comes next. The same rows count how
often a case was checked.

The last step tells nothing that is to be kept from anybody, and a verdict must not be lost. So it is handed in first,
under a key of the check's own, and then written down as said: whoever died in between is asked the same again, and one
check puts one verdict into the case however often its last step comes.

The picture that faces are compared with is in the event of the account's import, sealed like every personal field. It
is read for a check and kept nowhere.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from holdback import intake
from holdback.core import events as ev
from holdback.core.decision import EvidenceFact
from holdback.core.events import DAY, decode_events
from holdback.core.evidence import is_enrolled, live
from holdback.ports import Answer, Conflict, FaceRefused, FaceStep, FaceVerdict, Wanted, Writes
from holdback.sealing import SealBroken
from holdback.service import Question

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdback.core.events import Instant
    from holdback.core.state import Head, Recovery
    from holdback.ports import FaceCheck, FaceFinding, FaceGiven, FaceResult
    from holdback.sealing import CustomerKey
    from holdback.service import Service

CALLER: Final = "face"
"""Who asks where no platform key does; no key can be called so, for ids of keys are never so short."""
FIELD: Final = "face check"
KEPT_MS: Final = 366 * DAY
"""How long it is known of what was used: longer than a case can be kept alive step by step."""
HINTS_KEPT: Final = 1_000


class NoSuchCase(Exception):
    """There is no recovery under way with this token. The same for an account that is not there."""


class TooManyChecks(Exception):
    """This case was checked as often as the policy says."""


class Shown(NamedTuple):
    """What a page is told: what is wanted of it, and a ticket for the next step; or the verdict."""

    told: dict[str, Any]
    ticket: str = ""


class _Ticket(msgspec.Struct, frozen=True, array_like=True):
    """What a ticket holds. `session` is the vendor's name of the check, by which its messages are known."""

    case: str
    check: int
    number: int
    state: bytes
    done: bool = False
    session: str = ""


class _Seat(NamedTuple):
    """Whoever goes on with a case: its account, key, head and case, and the time."""

    account: str
    key: CustomerKey
    head: Head
    case: Recovery
    now: Instant


_TICKET: Final = msgspec.msgpack.Decoder(_Ticket)


class FaceDesk:
    """Where face checks of recoveries are asked for. Example: `FaceDesk(service, check)`."""

    def __init__(self, service: Service, check: FaceCheck) -> None:
        """Look by this provider."""
        self._service, self._check = service, check
        self._numbers = service.tools.policy.face
        self._asked: OrderedDict[str, Instant] = OrderedDict()

    async def begin(self, account: str, token: str, *, gentle: bool) -> Shown:
        """Begin a check. Raises NoSuchCase, TooManyChecks or FaceUnavailable."""
        seat = await self._seat(account, token)
        if not is_enrolled(seat.head, seat.case, self._service.tools.policy):
            return Shown({"wanted": "nothing", "verdict": FaceVerdict.NOT_EVALUATED.value, "why": "no_reference"})
        number = await self._counted(seat)
        step = await self._check.start(seat.now, gentle=gentle)
        return self._shown(seat, step, _Ticket(seat.case.id, number, 0, b""))

    async def go_on(self, account: str, token: str, ticket: str, given: FaceGiven) -> Shown:
        """Go one step further. Raises NoSuchCase, FaceRefused or FaceUnavailable."""
        seat = await self._seat(account, token)
        held = self._read(seat, ticket)
        said = await self._said(seat, held)
        if said is not None:
            return said
        if held.done:
            return await self._result(seat, token, held)
        last = bool(given.pictures or held.session)
        if not last:
            await self._spend(seat, f"{held.check}/{held.number}", FaceRefused("this step was taken before"))
        reference = await self._reference(seat) if given.pictures else b""
        try:
            step = await self._check.ingest(held.state, given, reference, seat.now)
        except FaceRefused:
            if last:
                await self._spend(seat, _result_of(held), FaceRefused("this step was taken before"))
            raise
        if step.done:
            return await self._result(seat, token, _next(held, step))
        if last:
            await self._spend(seat, f"{held.check}/{held.number}", FaceRefused("this step was taken before"))
        return self._shown(seat, step, held)

    def hear(self, headers: Mapping[str, str], body: bytes) -> bool:
        """A vendor's message: who waits for that check may ask at once. False if it is nobody's."""
        session = self._check.parse_webhook(headers, body)
        if session is not None:
            self._asked.pop(session, None)
        return session is not None

    async def _seat(self, account: str, token: str) -> _Seat:
        """The case that a token is of. Raises NoSuchCase."""
        if not intake.ACCOUNT_ID.fullmatch(account) or not token:
            raise NoSuchCase
        loaded = await self._service.store.read([Wanted(account)])
        row = loaded.snapshots.get(account)
        if row is None:
            raise NoSuchCase
        head = self._service.tools.snapshots.head(row)
        case = live(head, self._service.tools.policy, loaded.now)
        if case is None or not hmac.compare_digest(intake.token_hash(token), case.token):
            raise NoSuchCase
        return _Seat(account, self._service.tools.snapshots.key_of(account, row.key), head, case, loaded.now)

    async def _counted(self, seat: _Seat) -> int:
        """The number of a new check of this case. Raises TooManyChecks."""
        for number in range(self._numbers.checks_per_case):
            try:
                await self._spend(seat, f"{number}", TooManyChecks())
            except TooManyChecks:
                continue
            return number
        raise TooManyChecks

    async def _spend(self, seat: _Seat, name: str, otherwise: Exception, words: bytes = b"") -> None:
        """Write down that something of a case was used, once for all replicas. Raises `otherwise` if it was before."""
        used = Answer(CALLER, _named(seat, name), b"", words, seat.now + KEPT_MS)
        try:
            async with self._service.store.transaction(locks=False) as transaction:
                await transaction.write(Writes(answers=[used]))
        except Conflict:
            raise otherwise from None

    async def _said(self, seat: _Seat, held: _Ticket) -> Shown | None:
        """What was said at the end of a check that is over; None if it is not. Raises FaceRefused if nothing was."""
        name = CALLER, _named(seat, _result_of(held))
        row = (await self._service.store.read([Wanted(seat.account, answer=name)])).answers.get(name)
        if row is None:
            return None
        if not row.answer:
            raise FaceRefused("this step was taken before")
        return Shown(msgspec.json.decode(seat.key.open_bytes(row.answer, field=FIELD)))

    async def _reference(self, seat: _Seat) -> bytes:
        """The picture that came with the import, the first entry there is."""
        for entry in await self._service.store.entries(seat.account, 0, 1):
            for event in decode_events(entry.body):
                if isinstance(event, ev.AccountImported) and event.face is not None:
                    return base64.b64decode(seat.key.open(event.face))
        return b""

    async def _result(self, seat: _Seat, token: str, held: _Ticket) -> Shown:
        """Fetch the result; what it says for or against goes into the case. A vendor is not asked all the time."""
        if held.session:
            wait_ms = self._numbers.vendor_asked_s * 1000
            if seat.now < self._asked.get(held.session, 0) + wait_ms:
                return Shown({"wanted": "patience", "again_ms": wait_ms}, self._sealed(seat, held))
            self._asked[held.session] = seat.now
            while len(self._asked) > HINTS_KEPT:
                self._asked.popitem(last=False)
        result = await self._check.fetch(held.state, await self._reference(seat), seat.now)
        if result is None:
            wait_ms = self._numbers.vendor_asked_s * 1000
            return Shown({"wanted": "patience", "again_ms": wait_ms}, self._sealed(seat, held))
        shown = await self._handed_in(seat, token, held, result)
        words = seat.key.seal_bytes(msgspec.json.encode(shown.told), field=FIELD)
        with suppress(FaceRefused):  # somebody else was first, and handed in the same
            await self._spend(seat, _result_of(held), FaceRefused("the result was handed in before"), words)
        return shown

    async def _handed_in(self, seat: _Seat, token: str, held: _Ticket, result: FaceResult) -> Shown:
        """Hand a result in as evidence, and tell the page no more than whether it passed, and what light it lacks."""
        verdict = result.verdict
        told: dict[str, Any] = {"wanted": "nothing", "verdict": verdict.value, "why": ""}
        if verdict is FaceVerdict.NOT_EVALUATED:
            return Shown(told | {"why": result.challenge.why or result.match.why})
        fact = EvidenceFact("face", verdict is FaceVerdict.PASS, in_words(self._check.name, result))
        body = {"action": "recovery.evidence", "kind": "face", "actor": {"kind": "owner", "session": token}}
        key = _named(seat, f"{held.check}/verdict")
        answer = await self._service.ask(Question(CALLER, seat.account, body, key, evidence=fact))
        decision = msgspec.json.decode(answer)
        return Shown(told | {"decision": decision["decision"], "reasons": decision["reasons"]})

    def _shown(self, seat: _Seat, step: FaceStep, before: _Ticket) -> Shown:
        return Shown(dict(step.shown), self._sealed(seat, _next(before, step)))

    def _sealed(self, seat: _Seat, ticket: _Ticket) -> str:
        box = seat.key.seal_bytes(msgspec.msgpack.encode(ticket), field=FIELD)
        return base64.urlsafe_b64encode(box).decode()

    def _read(self, seat: _Seat, ticket: str) -> _Ticket:
        """A ticket of this case. Raises FaceRefused."""
        try:
            held = _TICKET.decode(seat.key.open_bytes(base64.urlsafe_b64decode(ticket), field=FIELD))
        except (SealBroken, msgspec.MsgspecError, binascii.Error, ValueError):
            raise FaceRefused("there is no such check") from None
        if held.case != seat.case.id:
            raise FaceRefused("there is no such check")
        return held


def _named(seat: _Seat, name: str) -> str:
    """Under what a thing of a case is written down."""
    return f"{seat.account}/{seat.case.id}/{name}"


def _result_of(held: _Ticket) -> str:
    return f"{held.check}/result"


def _next(before: _Ticket, step: FaceStep) -> _Ticket:
    session = str(step.shown.get("session", before.session))
    return _Ticket(before.case, before.check, before.number + 1, step.state, step.done, session)


def in_words(name: str, result: FaceResult) -> str:
    """A result on one line, as events keep it and reviewers read it."""
    findings = {"match": result.match, "pad": result.pad, "challenge": result.challenge, "injection": result.injection}
    said = [f"{way} {_finding(one)}" for way, one in findings.items()]
    return f"{name}: {'; '.join(said)}; {result.capture_assurance.value}"


def _finding(one: FaceFinding) -> str:
    if not one.method:
        return f"{one.verdict.value} ({one.why})" if one.why else one.verdict.value
    why = f", {one.why}" if one.why else ""
    return f"{one.verdict.value} {one.score:g} of {one.threshold:g} {one.scale} by {one.method} {one.version}{why}"
