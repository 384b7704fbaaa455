"""One question in, one durable answer out. `Service._commit` is the only place that orders durable writes.

A question is parsed and its proofs are verified without a lock; then it joins the next batch. A batch is one
transaction: load and lock every customer in it, judge each question in the order of arrival, write all entries,
states, notices and answers, commit, and only then answer anyone. A commit whose outcome is unknown answers nobody;
whoever asks again under the same idempotency key gets the answer that was stored, or is judged for the first time.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from holdback import ahead, disclosing, dpop, intake
from holdback.agencies import Packed
from holdback.ahead import GOOD_FOR_S, Reading
from holdback.answers import ChallengeForm, answer_body, answer_form
from holdback.batching import Batcher, Job, Turns
from holdback.core import decide
from holdback.core import events as ev
from holdback.core.assurance import spent
from holdback.core.attempts import Origin, Tally, slowed_down
from holdback.core.breaker import SCOPES, Flow
from holdback.core.decide import CHALLENGED
from holdback.core.decision import Context, Deny, Facts, Reason, StepUp, why
from holdback.core.devices import key_fault, was_met
from holdback.core.events import DAY, ActorKind, AuthenticatorKind
from holdback.core.rules.account import AccountImport
from holdback.core.rules.agency import AgencyAdd
from holdback.core.rules.asking import Request
from holdback.core.rules.breaker import BreakerTrip
from holdback.core.rules.exit import ExitCancel, ExitRelease, ExitSettle
from holdback.core.rules.legal import LegalRelease
from holdback.core.rules.order import OrderLease
from holdback.core.rules.recovery import RecoveryOpen, RecoveryRemind
from holdback.core.rules.session import SessionStart
from holdback.core.rules.staff import StaffEnrol, StaffLookUp
from holdback.core.staffing import attending, may_judge
from holdback.core.state import Customer, Program
from holdback.core.waiting import AGENCY, RETURN, is_over
from holdback.judging import Asked, ChallengeRefused, Tools, Unit, desk_rows
from holdback.papers import Pace
from holdback.ports import Conflict, StoreUnavailable, Wanted, Writes
from holdback.roster import roster
from holdback.sharing import kept_since
from holdback.signing import Called, Holder, passkeys
from holdback.snapshots import NewerState, Tampered
from holdback.spelling import sign_in_name
from holdback.strangers import NOBODY, TELL_AT_ONCE, Answers, Counter, Shown, Try, decoys, telling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdback.core.decide import Needs
    from holdback.core.decision import Decision, DeviceProof, EvidenceFact, StaffFact
    from holdback.core.events import Instant
    from holdback.core.ledger import Entry
    from holdback.core.rules.asking import Action, SharedKey
    from holdback.core.state import Head
    from holdback.intake import Envelope, Intake, Parsed
    from holdback.ports import Clock, DeskRow, Sighting, Store, Transaction
    from holdback.sealing import CustomerKey
    from holdback.strangers import Decoy

BATCH: Final = 96
"""The most questions in one transaction."""
WRITTEN_KEPT: Final = 10_000
"""Of how many customers it is remembered what was written last; a forgotten one costs a refused commit."""
SIGHTED_S: Final = 4 * GOOD_FOR_S
"""For how long sightings are remembered: a reading grows no older before its batch, whose load takes a moment."""
CROWDED_S: Final = 0.1
"""For how long locks are taken at once after another replica was met."""
DEAR_AT_ONCE: Final = 8
"""Questions of one account at a time that cost a hash or a picture: none may fill the queue all sign-ins stand in."""
DEAR_MOST: Final = 32
"""The same, with those that wait for their turn; whoever comes then is told to come back."""
ROSTER_S: Final = 5.0
"""How long the roster is believed when reviewers are drawn. What they do is judged by their own."""
ANSWERS_KEPT_MS: Final = 2 * DAY
"""How long an idempotency key brings its answer back, as `docs/reference/http.md` promises."""
FORGOTTEN_AT_ONCE: Final = 2_000
"""Sightings that are deleted in one transaction, which keeps others waiting for a few ms."""
FORGOTTEN_BATCHES: Final = 20
"""The most such transactions at a time: reminders wait meanwhile, and the rest goes two minutes later."""
ENTRIES_AT_ONCE: Final = 500
"""Entries of a log that are read in one query."""
TRIES: Final = 4
"""How often a question is judged again when another replica came first."""


ONCE: Final = (StaffLookUp, OrderLease)
"""Actions whose answer is not kept: what was shown is not shown again, and a lease is not granted again for free."""


class _Said(msgspec.Struct):
    """What is read of an answer that was just made."""

    decision: str
    challenge: ChallengeForm | None = None


_SAID: Final = msgspec.json.Decoder(_Said)


class Question(NamedTuple):
    """What a caller asks. `caller` is the platform key's id, and `raw` the body as it came, for idempotency.

    `evidence` is what Holdback itself had looked at, never what a body says. `lease`: it came by the route of leases.
    """

    caller: str
    account: str
    body: object
    key: str = ""
    raw: bytes = b""
    evidence: EvidenceFact | None = None
    lease: bool = False


class Peek(NamedTuple):
    """A customer as it was read without a lock: enough to seal fields and verify proofs, never to decide.

    `seen` is of sign-ins: the key that the device showed, and what the platform saw. `program` is the API key's that
    asks.
    """

    key: CustomerKey
    head: Head
    secrets: Mapping[str, str]
    asked: Wanted
    reading: Reading
    devices: frozenset[str] = frozenset()
    own_key: CustomerKey | None = None
    seen: tuple[DeviceProof | None, Context] = (None, Context())
    program: Program | None = None
    shared: tuple[SharedKey, ...] = ()

    @property
    def now(self) -> Instant:
        """The database's time when it was read."""
        return self.reading.loaded.now


class Outflow(NamedTuple):
    """How the circuit breaker stood when it was looked at last: what left within the hour, and the most that may.

    `tripped_at` is since when it holds exits, 0 while it does not. `looked_at` is when that was.
    """

    tripped_at: Instant
    flow: Flow
    most: Flow
    looked_at: Instant


class Work(NamedTuple):
    """How many questions wait, how many batches there were since the start, and how many questions in them."""

    waiting: int
    batches: int
    jobs: int


class Service:
    """Answers questions over one store.

    Example: `await Service(store, tools, intake, clock).ask(Question("key-1", "alice", body))` gives the answer as
    JSON.
    """

    def __init__(self, store: Store, tools: Tools, intake: Intake, clock: Clock, *, lanes: int = 1) -> None:
        """Wire the parts together; nothing starts before the first question. `lanes` transactions run at a time."""
        self.store = store
        self.tools = tools
        self._intake = intake
        self._clock = clock
        self.noticed = asyncio.Event()
        self.hooked = asyncio.Event()
        self.outflow: Outflow | None = None
        self._written: OrderedDict[str, int] = OrderedDict()
        self._sighted: list[tuple[float, Sighting]] = []
        self._crowded_until = 0.0
        self._counter = Counter(store, tools)
        self._answers = Answers(store, tools)
        self._decoys: list[Decoy] = []
        self._making_decoys = asyncio.Lock()
        self._turns = Turns(DEAR_AT_ONCE, DEAR_MOST)
        self._pace = Pace(tools.policy.legal.papers_per_h)
        self._staff: list[Head] = []
        self._staff_read_at = -ROSTER_S
        self._reads: Batcher[Wanted, Reading] = Batcher(self._read_batch, largest=BATCH)
        self._decisions: Batcher[Asked, bytes] = Batcher(self._batch, largest=BATCH, lanes=lanes)

    @property
    def work(self) -> Work:
        """What the service has to do, and has done."""
        return Work(len(self._decisions), self._decisions.batches, self._decisions.jobs)

    def handed_in(self, caller: str) -> None:
        """Count what a key hands in for agencies. Raises papers.TooOften."""
        self._pace.take(caller, asyncio.get_running_loop().time())

    async def warm(self) -> None:
        """Load, beside the loop, what the first sign-in would keep everybody waiting for."""
        await asyncio.to_thread(self._intake.warm)

    async def ask(self, question: Question) -> bytes:
        """Answer one question durably, as a JSON object (design section 5).

        Raises BadRequest, KeyReused, ChallengeRefused, Overloaded, TooOften, StoreUnavailable, or snapshots.Tampered.
        """
        parsed = intake.parse(question.body, lease=question.lease)
        if not intake.ACCOUNT_ID.fullmatch(question.account):
            raise intake.BadRequest("this is not an account id", "/account")
        if "." in question.account and decide.RULES[parsed.kind].begins is not None:
            raise intake.BadRequest("a sub-account comes with its customer, in `sub_accounts`")
        if parsed.envelope.actor.kind is ActorKind.AGENCY:
            self.handed_in(question.caller)
        if parsed.kind is AccountImport:
            return await self._begun(question, parsed)
        main = question.account.partition(".")[0]
        if parsed.kind is SessionStart:
            answer = await self._sign_in(question, parsed, f"/{main}")
            if answer is not None:
                return answer
        peek = None if parsed.kind is SessionStart else await self._peek(main, parsed, _answer_key(question))
        if peek is None and parsed.kind in {StaffEnrol, AgencyAdd}:
            return await self._begun(question, parsed)
        if peek is None:
            self._intake.check(parsed)
            return self._refused(Reason.UNKNOWN_ACCOUNT, "account.import", about="account")
        if intake.is_dear(parsed):
            async with self._turns.one_of(main):  # sign-ins need none: their tries are counted first
                asked = await self._asked(question, parsed, main, peek)
        else:
            asked = await self._asked(question, parsed, main, peek)
        return await self._decisions.submit(asked)

    async def sign_in(self, caller: str, name: str, body: dict[str, Any], key: str, raw: bytes) -> bytes:
        """Start a session by sign-in name. A name that nobody has costs and gets what any other does (strangers.py)."""
        folded = sign_in_name(name)
        account = await self.account_of(folded)
        rest = {field: value for field, value in body.items() if field != "dpop"}
        signed = {"dpop": body["dpop"]} if body.get("dpop") is not None else {}
        full = rest | {"action": "session.start", "actor": {"kind": "owner", **signed}}
        question = Question(caller, account or NOBODY, full, key, raw)
        answer = await self._sign_in(question, intake.parse(full), folded)
        if answer is None:  # pragma: no cover - a name that was written has an account
            raise StoreUnavailable("a sign-in name has no account")
        return answer

    async def account_of(self, name: str) -> str | None:
        """Look a sign-in name up, however it is written, under each master key of the ring, newest first."""
        for hashed in self.tools.masters.lookup_hashes("name", sign_in_name(name)):
            account = await self.store.account_of(hashed)
            if account is not None:
                return account
        return None

    async def _sign_in(self, question: Question, parsed: Parsed, label: str) -> bytes | None:
        """Answer a sign-in; None if the account does not exist. `label` is what the asker named it by.

        The same steps for NOBODY as for a customer. Only a proof that is right changes what a stranger can see.
        """
        peek = await self._peek_sign_in(question, parsed, label)
        if peek is None:
            return None
        envelope, now, real = parsed.envelope, peek.now, question.account != NOBODY
        answer_to = _answer_to(question)
        if answer_to is not None:
            kept = self._answers.kept(peek.reading.loaded.answers.get(answer_to[:2]), answer_to[2], peek.own_key)
            if kept is not None:
                return kept
        parsed = self._with_challenge(question, parsed, label, peek)
        attempt = self._attempt(question, parsed, label, peek)
        tries = await self._counter.take(attempt) if envelope.proofs else 0
        if not isinstance(tries, int):
            return await self._masked(question, Deny((tries,)), label, Shown(), now)
        try:
            asked = await self._asked(question, parsed, question.account.partition(".")[0], peek)
            facts = msgspec.structs.replace(asked.facts, tries=tries)
            asked = asked._replace(facts=facts, outside=self._answers.challenge(label, now)[0])
        except (TimeoutError, intake.BadRequest, asyncio.CancelledError):
            # One that ran out of time in a crowd told nobody anything: counted, a flood would delay the owner's device.
            if envelope.proofs:
                await self._counter.unseen(attempt)
            raise
        step = decide.advance(Customer(peek.head, {}), asked.request, asked.facts, self.tools.policy, now)
        made: ChallengeForm | None = None
        if real and not envelope.dry_run and (_is_doubted(step.decision) or step.events):
            if _is_doubted(step.decision) or not isinstance(step.decision, StepUp):
                return await self._proved(asked, attempt)
            made = _SAID.decode(await self._decisions.submit(asked._replace(answer_to=None))).challenge
            if any(isinstance(event, ev.AuthenticatorAsked) for event in step.events):
                await self._counter.coded(attempt)
        if not envelope.dry_run and isinstance(step.decision, StepUp):
            await self._as_dear(asked, step.decision, peek, label, written=made is not None)
        wanted, head = self._wanted(asked, step.decision, peek, label)
        to_sign = made or self._to_sign(asked, wanted, head, peek, label)
        return await self._masked(question, wanted, label, _shown(envelope, to_sign), now)

    async def _as_dear(self, asked: Asked, said: StepUp, peek: Peek, label: str, *, written: bool) -> None:
        """Let a name of nobody cost what one does whose account writes a challenge: else a stopwatch tells them apart.

        An account does at most every ten minutes, for what a passkey signs or a code is sent for. Of a name that this
        process does not know to have one, and that wrote none now, as much is judged and written, whoever's it is.
        """
        if CHALLENGED.isdisjoint(kind for kinds in said.accept for kind in kinds):
            return
        if written:
            self._counter.opens(label, said.expires_at)
        elif not self._counter.has_opened(label, peek.now):
            loaded, holder = peek.reading.loaded, asked.holder
            if peek.head.account == NOBODY:
                decoy = self._answers.decoy_of(label, self._decoys)
                loaded = loaded._replace(snapshots={NOBODY: decoy.snapshot}, parts={NOBODY: decoy.parts})
                holder = self._invented(peek.head, peek, label)
            unit = Unit(self.tools, loaded, peek.reading.clock)
            unit.judge(asked._replace(answer_to=None, holder=holder))
            unit.writes()  # of which nothing is
            await self._counter.pretend(label, said.expires_at)

    def _invented(self, head: Head, peek: Peek, label: str) -> Holder:
        """A holder of passkeys that nobody has: always the same of one name."""
        secrets = {name: self._answers.passkey(label, name) for name in passkeys(head)}
        return Holder(peek.key, head, secrets, peek.now)

    async def _proved(self, asked: Asked, attempt: Try) -> bytes:
        """Judge a sign-in whose proofs are right, under the lock; its failures in a row end here."""
        answer = await self._decisions.submit(asked)
        said = _SAID.decode(answer).decision
        if said == "allow":
            await self._counter.right(attempt)
        elif said == "step_up" and all(one.right for one in asked.facts.proofs):
            await self._counter.coded(attempt)
        return answer

    def _wanted(self, asked: Asked, decision: Decision, peek: Peek, label: str) -> tuple[Decision, Head]:
        """What may be told of an account: what to show; and that nothing would do, to those who show nothing wrong.

        With the head it is told of, the account's or the decoy's.
        """
        proofs = asked.facts.proofs
        if isinstance(decision, Deny) and proofs and all(one.right and not spent(peek.head, one) for one in proofs):
            return decision, peek.head
        nothing = msgspec.structs.replace(asked.facts, proofs=())
        heads = (peek.head, self.tools.snapshots.checked(self._answers.decoy_of(label, self._decoys).snapshot))
        for head in heads:
            request = msgspec.structs.replace(asked.request, account=head.account)
            told = decide.advance(Customer(head, {}), request, nothing, self.tools.policy, peek.now).decision
            if isinstance(told, StepUp):
                return told, head
        return decision, peek.head  # of nobody's account: a device's key was shown wrongly

    def _to_sign(self, asked: Asked, wanted: Decision, head: Head, peek: Peek, label: str) -> ChallengeForm | None:
        """What a browser needs if a passkey may answer: of the account's challenge that is open, else an invented one.

        Invented ones name a credential as often as not, as accounts do whose passkeys no browser finds by itself.
        """
        if not isinstance(wanted, StepUp) or asked.dry_run:
            return None
        _, until = self._answers.challenge(label, peek.now)
        held = head is peek.head and head.account != NOBODY
        holder = asked.holder if held and asked.holder else self._invented(head, peek, label)
        called = Called(wanted.challenge if held else "", asked.outside)
        times = (peek.now, wanted.expires_at if held else until)
        if not any(AuthenticatorKind.PASSKEY in kinds for kinds in wanted.accept):
            return None
        request = self.tools.signing.request(holder, called, asked.facts.digest, times, named=False)
        return ChallengeForm(asked.outside, wanted.accept, "", **request) if request else None

    def _with_challenge(self, question: Question, parsed: Parsed, label: str, peek: Peek) -> Parsed:
        """The question with the challenge that is open in the account, if the one it names was given at the door."""
        given = parsed.envelope.challenge
        if given is None:
            return parsed
        if not self._answers.is_open(label, given, peek.now):
            raise ChallengeRefused(Reason.CHALLENGE_UNKNOWN)
        digest = self._digest(question, parsed, peek)
        found = [key for key, one in peek.head.challenges.items() if one.digest == digest and one.until > peek.now]
        envelope = msgspec.structs.replace(parsed.envelope, challenge=found[0] if found else None)
        return parsed._replace(envelope=envelope, outside=given)

    def _digest(self, question: Question, parsed: Parsed, peek: Peek) -> bytes:
        """What names the action. A sign-in of the staff is one of the device's that asked, and of no other.

        Else whoever stands in between puts his own key beside the passkey's answer, and the session is his.
        """
        digest = intake.action_digest(question.account, parsed.fields, self.tools.masters.hide)
        device = peek.seen[0] if parsed.kind is SessionStart and peek.head.member is not None else None
        return hashlib.sha256(digest + device.thumbprint).digest() if device is not None else digest

    def _attempt(self, question: Question, parsed: Parsed, label: str, peek: Peek) -> Try:
        """Whose sign-in it is counted as, and where it comes from as far as is known.

        A device that showed its key wrongly, or an old proof of it, is a stranger: else whoever kept one could use up
        the tries of the device itself.
        """
        device, context = peek.seen
        known = (
            context.device in peek.devices and key_fault(peek.head, None, device, self.tools.policy, peek.now) is None
        )
        network = intake.network_of(parsed.envelope.context.ip or "")
        subject = question.account.partition(".")[0]
        return Try(
            f"{NOBODY}{label}" if subject == NOBODY else subject,
            Origin.DEVICE if known else Origin.STRANGER,
            network,
            context.network in peek.head.networks,
        )

    async def _masked(self, question: Question, decision: Decision, label: str, shown: Shown, now: Instant) -> bytes:
        """Answer a sign-in that proved nothing, and keep the answer for whoever asks again under its key."""
        body = self._answers.masked(decision, label, shown, now)
        answer_to = _answer_to(question)
        if answer_to is not None:
            try:
                await self._answers.keep(answer_to, body, now)
            except Conflict:
                raise StoreUnavailable("the same question is being answered") from None
        return body

    async def _peek_sign_in(self, question: Question, parsed: Parsed, label: str) -> Peek | None:
        """What a sign-in is tried against: two readings whoever it is, and of NOBODY the decoy in their place."""
        account = question.account.partition(".")[0]
        async with self._making_decoys:  # once: they cost a hash, and the first sign-ins may be many
            self._decoys = self._decoys or await decoys(self.tools, self._intake)
        decoy = self._answers.decoy_of(label, self._decoys)
        device = self._intake.device(question.account, parsed)
        shared = self._intake.shared_device(parsed, device)
        keys = tuple(key for one in shared for key in one.keys)
        asked = Wanted(account, answer=_answer_key(question), whole=True, shared=keys)
        reading = await self._reads.submit(asked)
        snapshot = reading.loaded.snapshots.get(account, decoy.snapshot if account == NOBODY else None)
        if snapshot is None:
            return None
        head = self.tools.snapshots.checked(snapshot)
        key = self.tools.snapshots.key_of(account, snapshot.key)
        shown = {("credential", name) for name in intake.wanted_credentials(parsed, head)}
        seen = device, self._intake.context(parsed.envelope.context, key, begins=True, device=device)
        more = await self._reads.submit(Wanted(account, (*sorted(shown), ("device", seen[1].device))))
        rows = decoy.parts if account == NOBODY else more.loaded.parts.get(account, [])
        secrets = {
            row.name: key.open(self.tools.snapshots.credential(row).secret)
            for row in rows
            if (row.kind, row.name) in shown
        }
        met = Customer(head, {(row.kind, row.name): self.tools.snapshots.part(row) for row in rows})
        devices = frozenset(row.name for row in rows if was_met(met, row.name))
        sealing = None if account == NOBODY else key
        return Peek(key, head, secrets, asked, reading, devices, sealing, seen, shared=shared)

    async def tell_failures(self) -> int:
        """Write the sign-ins that failed into the streams of those whose name it was, one entry a window; how many."""
        rows = await self.store.attempts_due(TELL_AT_ONCE)
        for row in rows:
            await self.record(row.account, telling(row))
            await self._counter.told(row)
        return len(rows)

    async def forget(self) -> None:
        """Delete what is of no use any more: strangers' tries, answers that nobody asks for again, old sightings."""
        now = (await self.store.read([Wanted("")])).now
        await self.store.forget_attempts()
        await self.store.forget_answers(now - ANSWERS_KEPT_MS)
        since = kept_since(self.tools.policy, now)
        for _ in range(FORGOTTEN_BATCHES):
            if await self.store.forget_sightings(since, FORGOTTEN_AT_ONCE) < FORGOTTEN_AT_ONCE:
                break

    async def remind(self) -> int:
        """Tell everybody once more of what waits, and of what ended by itself; how many were looked at.

        A row that says so too early is made anew, and one that is over goes. Raises Tampered or NewerState after all
        others had their turn.
        """
        rows = await self.store.desk_due(TELL_AT_ONCE)
        failed: Tampered | NewerState | None = None
        for row in rows:
            try:
                is_quiet = row.kind in {AGENCY, RETURN}
                answer = b"" if is_quiet else await self.record(row.account, RecoveryRemind())
                if is_quiet or _SAID.decode(answer).decision != "allow":
                    await self.refresh_desk(row.account, [row])
            except (Tampered, NewerState) as error:
                failed = error
        if failed is not None:
            raise failed
        return len(rows)

    async def refresh_desk(self, account: str, known: Sequence[DeskRow]) -> int:
        """Make anew what stands on the desk of one account, of which these rows are known; how many there are."""
        async with self.store.transaction() as transaction:
            loaded = await transaction.load([Wanted(account)])
            snapshot = loaded.snapshots.get(account)
            made = desk_rows(account, self.tools.snapshots.head(snapshot), self.tools.policy) if snapshot else []
            rows = [row for row in made if not is_over(row.kind, row.due_at, loaded.now)]
            gone = {row[:3] for row in known} - {row[:3] for row in rows}
            if rows or gone:
                await transaction.write(Writes(desk=rows, off_desk=sorted(gone)))
        return len(rows)

    async def record(
        self,
        account: str,
        action: Action,
        *,
        sent: tuple[str, ...] = (),
        counterparty: str = "",
        shared: tuple[SharedKey, ...] = (),
    ) -> bytes:
        """Write what the system itself learned (a notice's outcome, a receipt reconciled) into a customer's stream.

        What it causes with another customer is written into the counterparty's, in the same transaction. `shared` is
        what of it other accounts may have to do with as well.
        """
        system = ev.Actor(ActorKind.SYSTEM)
        request = Request(action, account, system, Context(), counterparty=counterparty, shared=shared)
        peek_needs = decide.needs(request, None)
        wanted = [Wanted(account, peek_needs.parts, shared=peek_needs.shared)]
        if counterparty:
            wanted.append(Wanted(counterparty))
        facts = Facts(digest=b"", clock_agrees=True)
        return await self._decisions.submit(Asked(request, facts, tuple(wanted), sent=sent))

    async def trip(self, scope: str, flow: Flow, most: Flow) -> bytes:
        """Hold exits above a size on the whole platform; refused if that is so already."""
        row = (await self.store.read([Wanted(ev.BREAKER)])).snapshots.get(ev.BREAKER)
        new_key = b"" if row is not None else self.tools.masters.new_key()
        key = self.tools.masters.unwrap(row.key if row is not None else new_key)
        place = SCOPES.index(scope)
        action = BreakerTrip(scope, flow[place], most[place], key.seal("circuit breaker"))
        request = Request(action, ev.BREAKER, ev.Actor(ActorKind.SYSTEM), Context())
        facts = Facts(digest=b"", clock_agrees=True)
        return await self._decisions.submit(Asked(request, facts, (Wanted(ev.BREAKER),), new_key=new_key))

    async def install(self, member: str, fields: dict[str, Any]) -> bytes:
        """Make a member of staff by the operator's word alone: the first ones, who let in all others.

        `fields` are those of `staff.enrol`. Raises BadRequest; a member there is already is answered with deny.
        """
        envelope = intake.Envelope(intake.WireActor(ActorKind.SYSTEM))
        parsed = intake.Parsed(envelope, {"action": "staff.enrol", **fields}, StaffEnrol)
        asked = await self._newcomer(Question("", member, {}), parsed, ev.Actor(ActorKind.SYSTEM))
        return await self._decisions.submit(asked)

    async def _begun(self, question: Question, parsed: Parsed) -> bytes:
        """Begin a stream, unless the sign-in name is another's, under whichever key of the ring."""
        newcomer = await self._newcomer(question, parsed)
        name = _sign_in_name(parsed)
        holder = await self.account_of(name) if name else None
        if holder is not None and holder != question.account:
            return self._refused(Reason.ALREADY_EXISTS, about="name")
        return await self._decisions.submit(newcomer)

    async def _newcomer(self, question: Question, parsed: Parsed, by: ev.Actor | None = None) -> Asked:
        """Whoever has no stream yet: the key is made here, and wasted if there turns out to be one."""
        new_key = self.tools.masters.new_key()
        key = self.tools.masters.unwrap(new_key)
        enrolled = await self._intake.enrolled(parsed)
        action = self._intake.action(parsed.kind, enrolled.fields, key)
        actor = by or self._intake.actor(question.account, parsed.envelope.actor, self._clock.now())
        request = Request(action, question.account, actor, self._intake.context(parsed.envelope.context, key))
        digest = intake.action_digest(question.account, parsed.fields, self.tools.masters.hide)
        name = _sign_in_name(parsed)
        wanted = [Wanted(question.account, answer=_answer_key(question))]
        wanted += [Wanted(actor.key)] if actor.kind is ActorKind.STAFF else []
        return Asked(
            request,
            Facts(digest=digest, clock_agrees=True, device=self._intake.device(question.account, parsed)),
            tuple(wanted),
            parsed.envelope.dry_run,
            _answer_to(question),
            new_key=new_key,
            sign_in_name=self.tools.masters.lookup_hash("name", name) if name else b"",
        )

    async def _peek(self, account: str, parsed: Parsed, answer: tuple[str, str] | None) -> Peek | None:
        """Read what parsing and proving need, and most likely judging, without a lock. None without such a customer."""
        named = tuple(("credential", one.authenticator) for one in parsed.envelope.proofs if one.authenticator)
        signer = parsed.envelope.actor.key
        named += (("api_key", signer),) if signer is not None else ()
        asset, pair = parsed.fields.get("asset"), parsed.fields.get("pair")
        assets: tuple[str, ...] = (asset,) if isinstance(asset, str) else ()
        assets += _priced(pair) if isinstance(pair, str) else ()
        shared = self._intake.shared(account, parsed)
        keys = tuple(key for one in shared for key in one.keys)
        asked = Wanted(account, named, assets=assets, answer=answer, whole=True, shared=keys)
        reading = await self._reads.submit(asked)
        loaded = reading.loaded
        snapshot = loaded.snapshots.get(account)
        if snapshot is None:
            return None
        head = self.tools.snapshots.head(snapshot)
        rows = loaded.parts.get(account, [])
        wanted = [("credential", name) for name in intake.wanted_credentials(parsed, head)]
        missing = tuple(one for one in wanted if one not in named)
        if missing and account not in loaded.whole:
            more = await self._reads.submit(Wanted(account, missing))
            rows = [*rows, *more.loaded.parts.get(account, [])]
        key = self.tools.snapshots.key_of(account, snapshot.key)
        secrets = {
            row.name: key.open(self.tools.snapshots.credential(row).secret)
            for row in rows
            if (row.kind, row.name) in wanted
        }
        programs = [self.tools.snapshots.part(row) for row in rows if row.kind == "api_key" and row.name == signer]
        program = programs[0] if programs and isinstance(programs[0], Program) else None
        return Peek(key, head, secrets, asked, reading, program=program, shared=shared)

    async def _asked(self, question: Question, parsed: Parsed, main: str, peek: Peek) -> Asked:
        """Seal the action, verify its proofs, and say what must be loaded to judge it."""
        envelope = parsed.envelope
        holder = self._holder(parsed, peek)
        device = self._intake.device(question.account, parsed)
        await self._intake.chosen(parsed, holder, device, self.tools.policy)
        enrolled = await self._intake.enrolled(parsed, holder)
        action = self._intake.action(parsed.kind, enrolled.fields, peek.key)
        actor = self._intake.actor(main, envelope.actor, peek.now)
        signs_in = isinstance(action, SessionStart)
        begins = signs_in or isinstance(action, RecoveryOpen)
        context = self._intake.context(envelope.context, peek.key, begins=begins, device=device)
        named = _counterparty(parsed), peek.shared or self._held_shared(main, action, peek)
        request = Request(action, question.account, actor, context, envelope.challenge or "", *named)
        digest = self._digest(question, parsed, peek)
        proofs = await self._intake.proved(parsed, holder, digest, enrolled, signs_in=signs_in)
        token, begun = await self._token(parsed, peek, actor) if begins else ("", {})
        paper = self._intake.paper(action, self.tools.papers, peek.now)
        signed = self._intake.key_fact(self.tools.issuer, question.account, envelope, peek.program, peek.key, digest)
        facts = Facts(digest, proofs, device=device, evidence=question.evidence, paper=paper, api_key=signed, **begun)
        needs = decide.needs(request, peek.head)
        wanted = _wanted(question, main, needs)
        asked = Asked(
            _named_before(request, needs),
            facts,
            tuple(wanted),
            envelope.dry_run,
            None if isinstance(action, ONCE) else _answer_to(question),
            enrolled.shown,
            token,
            asset=needs.asset,
            pair=needs.pair,
            ahead=peek.reading if ahead.suffices(peek.reading, peek.asked, wanted) else None,
            holder=holder,
            first=needs.first,
            senders=needs.senders,
            ties=needs.ties,
            receiver=_receiver(parsed),
        )
        releases = isinstance(action, LegalRelease)
        return asked._replace(package=await self._packed(main, asked, peek)) if releases else asked

    def _held_shared(self, main: str, action: Action, peek: Peek) -> tuple[SharedKey, ...]:
        """What the destination of an exit that is released is known by, for it may be on a list by now."""
        held = peek.head.to_release(action.which) if isinstance(action, ExitRelease) else None
        if held is None or held.destination is None:
            return ()
        return self._intake.shared_again(main, held.network, peek.key.open(held.destination))

    async def _token(self, parsed: Parsed, peek: Peek, actor: ev.Actor) -> tuple[str, dict[str, Any]]:
        """For what begins a session or a recovery: a token, and the facts of it and of where it was asked from.

        Of a recovery that staff opens the owner gets the token by an old contact, and whoever asked never does.
        """
        token = self._intake.token()
        seen = self._intake.seen(parsed.envelope.context, peek.key, peek.now)
        facts = {"token": intake.token_hash(token), "seen": seen}
        if parsed.kind is not RecoveryOpen:
            return token, facts
        link = peek.key.seal(token) if actor.kind is ActorKind.STAFF else None
        return token, facts | {"drawn": await self._drawn(peek), "link": link}

    async def attending(self, member: str, session: str, proof: str, called: tuple[str, str]) -> StaffFact:
        """Who of the staff reads what is no single customer's; `called` are method and address that his device signed.

        Nothing is written, so what he may do is judged by what was read a moment ago.
        """
        row, now = None, 0
        if intake.ACCOUNT_ID.fullmatch(member):
            loaded = await self.store.read([Wanted(member)])
            row, now = loaded.snapshots.get(member), loaded.now
        head = self.tools.snapshots.head(row) if row is not None else None
        shown = dpop.read(proof, dpop.Expected(*called, token=dpop.token_digest(session)))
        actor = ev.Actor(ActorKind.STAFF, session=intake.token_hash(session), key=member)
        return attending(actor, (head, None, None), shown, self.tools.policy, now, canary=False)

    async def _packed(self, main: str, asked: Asked, peek: Peek) -> Packed | None:
        """What a release discloses, sealed: made only if the core would release it by what stands in the store now.

        Judging compares it with what it finds under the lock.
        """
        envelopes = self.tools.envelopes
        if envelopes is None or asked.dry_run:
            return None
        grant = Unit(self.tools, await self.store.read(asked.wanted), self._clock.now()).to_disclose(asked)
        if grant is None or not envelopes.fits(grant.recipient):
            return None
        known = await self._known(main, peek, grant.fields)
        wanted = disclosing.Wanted(grant.request, grant.agency, grant.basis, grant.fields)
        keys = self.tools.masters.mark_keys()
        made = await asyncio.to_thread(disclosing.package, wanted, known, peek.now, next(iter(keys.items())))
        text = envelopes.seal(grant.recipient, made.body)
        return Packed(grant, text, hashlib.sha256(text.encode()).digest(), made.export)

    async def _known(self, main: str, peek: Peek, fields: tuple[str, ...]) -> disclosing.Known:
        """What the fields are rendered from: all parts, and of the log its end."""
        parts = [self.tools.snapshots.part(row) for row in await self.store.parts(main)]
        entries: list[Entry] = []
        after = max(0, peek.head.seq - disclosing.ENTRIES_MOST) if disclosing.NEEDS_LOG & set(fields) else peek.head.seq
        while page := await self.store.entries(main, after, ENTRIES_AT_ONCE):
            entries += page
            after = page[-1].seq
        return disclosing.Known(peek.head, parts, entries, peek.key.open)

    async def _drawn(self, peek: Peek) -> tuple[str, ...]:
        """Who reviews a recovery that is opened now: those drawn lately for this customer, and others by chance.

        So opening again draws nobody anew but in place of who left, or read the customer meanwhile. If there are too
        few, the case cannot be approved.
        """
        policy, head, now = self.tools.policy, peek.head, peek.now
        able = [
            one.account
            for one in await self._roster()
            if may_judge(one, now) and head.readers.get(one.account, 0) <= now - policy.staff.apart_d * DAY
        ]
        lately = head.drawn if now < head.drawn_at + policy.staff.apart_d * DAY else ()
        kept = [name for name in lately if name in able][: policy.recovery.reviewers]
        others = [name for name in able if name not in kept]
        return (*kept, *self._intake.drawn(others, policy.recovery.reviewers - len(kept)))

    async def _roster(self) -> list[Head]:
        """Who belongs to the staff, as of the last seconds: strangers may ask for it as often as they like."""
        now = asyncio.get_running_loop().time()
        if self._staff_read_at + ROSTER_S <= now:
            self._staff, self._staff_read_at = await roster(self.store, self.tools.snapshots), now
        return self._staff

    def _holder(self, parsed: Parsed, peek: Peek) -> Holder:
        """Who asks. A proof that will not be looked at is not checked: its work is what a flood would be after."""
        tally = Tally(peek.head.failures, peek.head.failed_at)
        rule = decide.RULES.get(parsed.kind)
        # Sign-ins and recoveries count their own tries: a pause that others caused must not make right proofs wrong.
        counted_here = bool(parsed.envelope.proofs) and rule is not None and not rule.anonymous
        if counted_here and slowed_down(tally, self.tools.policy, peek.now) is not None:
            return Holder(peek.key, peek.head, {}, peek.now, looked_at=False)
        return Holder(peek.key, peek.head, peek.secrets, peek.now)

    def _refused(self, reason: Reason, *satisfied_by: str, about: str) -> bytes:
        """A refusal before there is anybody in whose stream it could be written."""
        return answer_body(
            answer_form(Deny((why(reason, *satisfied_by, about=about),)), self.tools.policy.digest, b""), {}
        )

    async def _read_batch(self, jobs: list[Job[Wanted, Reading]]) -> None:
        began = asyncio.get_running_loop().time()
        loaded = await self.store.read([job.work for job in jobs])
        reading = Reading(loaded, self._clock.now(), began)
        for job in jobs:
            job.done(reading)

    async def _batch(self, jobs: list[Job[Asked, bytes]]) -> None:
        """Commit a batch, with locks once it met another writer; if one of its jobs fails it, each job on its own."""
        try:
            try:
                await self._commit(jobs, locks=self._crowded or any(job.work.leans_on_others for job in jobs))
            except Conflict:
                self._crowded_until = asyncio.get_running_loop().time() + CROWDED_S
                await self._commit(jobs)
        except StoreUnavailable:
            raise
        except Exception:  # noqa: BLE001 - a conflict, or what cannot be written: whose it was shows when each is alone
            for job in jobs:
                await self._alone(job)

    @property
    def _crowded(self) -> bool:
        """Whether somebody else was met lately: then taking locks at once is cheaper than being refused first."""
        return asyncio.get_running_loop().time() < self._crowded_until

    async def _alone(self, job: Job[Asked, bytes]) -> None:
        for _ in range(TRIES):
            try:
                await self._commit([job])
            except Conflict:
                continue
            except Exception as error:  # noqa: BLE001 - it belongs to the one who asked
                job.failed(error)
            return
        job.failed(StoreUnavailable("the account is too busy"))

    async def _commit(self, jobs: list[Job[Asked, bytes]], *, locks: bool = True) -> None:
        """The order of durable writes: load, judge, write, commit if nobody else wrote these customers, answer.

        The point of no return is the end of the `async with` block. Before it nothing is promised and nothing is known
        outside; after it everything is durable. Receipts are signed before it and shown after it.
        """
        answers: list[tuple[Job[Asked, bytes], bytes | Exception]] = []
        async with self.store.transaction(locks=locks) as transaction:
            reading = await self._read(transaction, [job.work for job in jobs], look_ahead=not locks)
            unit = Unit(self.tools, reading.loaded, reading.clock, self._lately())
            for job in jobs:
                try:
                    answers.append((job, unit.judge(job.work)))
                except Exception as error:  # noqa: BLE001 - one bad question must not fail its batch
                    answers.append((job, error))
            writes = unit.writes()
            # Before they are durable, for another batch may be judged meanwhile: one too many only tightens.
            self._sighted += [(asyncio.get_running_loop().time(), one) for one in writes.sightings]
            if not writes.empty:
                await transaction.write(writes)
        self._remember(writes)
        if writes.notices:
            self.noticed.set()
        if writes.webhooks:
            self.hooked.set()
        for job, answer in answers:
            if isinstance(answer, Exception):
                job.failed(answer)
            else:
                job.done(answer)

    async def _read(self, transaction: Transaction, works: list[Asked], *, look_ahead: bool) -> Reading:
        """What a batch is judged by: readings that are still good, and a load of all the rest.

        A customer is loaded for all of the batch or for none: two readings might show two states of it.
        """
        now = asyncio.get_running_loop().time()
        loading = set() if look_ahead else {one.account for work in works for one in work.wanted}
        seen: dict[str, int] = {}
        for work in works:
            if work.ahead is None or work.ahead.at < now - GOOD_FOR_S:
                loading.update(one.account for one in work.wanted)
            else:
                account = work.wanted[0].account
                seq = work.ahead.loaded.snapshots[account].seq
                if seen.setdefault(account, seq) != seq or seq < self._written.get(account, 0):
                    loading.add(account)
        found: list[tuple[Reading, Wanted]] = []
        rest: list[Wanted] = []
        for work in works:
            if work.ahead is None or not loading.isdisjoint(one.account for one in work.wanted):
                rest += work.wanted
            else:
                found.append((work.ahead, work.wanted[0]))
        if rest:
            loaded = Reading(await transaction.load(rest), self._clock.now(), now)
            found += [(loaded, one) for one in rest]
        return ahead.merged(found)

    def _remember(self, writes: Writes) -> None:
        """Keep what was written last: what was read before is known to be old without asking."""
        for _, snapshot in writes.snapshots:
            self._written[snapshot.account] = snapshot.seq
            self._written.move_to_end(snapshot.account)
        while len(self._written) > WRITTEN_KEPT:
            self._written.popitem(last=False)

    def _lately(self) -> list[Sighting]:
        """What this process wrote, or is writing, of what several customers meet, since any reading that still counts.

        A reading is refused where its own customer moved, and tells nothing of what others did after it.
        """
        if not self._sighted:
            return []
        oldest = asyncio.get_running_loop().time() - SIGHTED_S
        self._sighted = [one for one in self._sighted if one[0] >= oldest]
        return [one for _, one in self._sighted]


def _sign_in_name(parsed: Parsed) -> str:
    """By what a newcomer signs in: a customer by the name that is imported, the staff by their id."""
    return sign_in_name(parsed.fields["name"]) if parsed.kind is AccountImport else ""


def _wanted(question: Question, main: str, needs: Needs) -> list[Wanted]:
    """Every stream that is read to judge a question: whose it is, whom it names, who of the staff asks, an agency."""
    assets = ((needs.asset,) if needs.asset else ()) + (_priced(needs.pair) if needs.pair else ())
    others = dict.fromkeys((needs.counterparty, needs.member, needs.first, needs.agency, *needs.spoke))
    first = Wanted(main, needs.parts, needs.alike, assets, _answer_key(question), shared=needs.shared)
    return [first, *(Wanted(one) for one in others if one and one != main)]


def _named_before(request: Request, needs: Needs) -> Request:
    """The question with the receiver of the exit it is about: who that is was said when the exit was asked for."""
    if not isinstance(request.action, ExitRelease | ExitCancel | ExitSettle):
        return request
    return msgspec.structs.replace(request, counterparty=needs.counterparty)


def _priced(pair: str) -> tuple[str, ...]:
    """What is looked up to judge an order of a pair: it, and its two assets."""
    base, _, quote = pair.partition("/")
    return pair, base, quote


def _receiver(parsed: Parsed) -> str:
    """The account that an action names as the other side, "" if none; of a sweep it is the customer's own."""
    named = parsed.fields.get("counterparty")
    return named if isinstance(named, str) and intake.ACCOUNT_ID.fullmatch(named) else ""


def _counterparty(parsed: Parsed) -> str:
    """The customer an action names, "" if none: what a sub-account receives arrives in its customer's stream."""
    named = _receiver(parsed)
    return named if parsed.fields.get("kind") == "sweep" else named.partition(".")[0]


def _answer_key(question: Question) -> tuple[str, str] | None:
    return (question.caller, question.key) if question.key else None


def _is_doubted(decision: Decision) -> bool:
    """Whether every proof is right and yet one more is asked for: that is told, for else the owner would be stuck."""
    return isinstance(decision, StepUp) and any(one.code == Reason.UNLIKE_OWNER for one in decision.findings)


def _shown(envelope: Envelope, to_sign: ChallengeForm | None) -> Shown:
    kinds = tuple(proof.kind for proof in envelope.proofs)
    return Shown(kinds, to_sign.nonce, to_sign.passkey) if to_sign else Shown(kinds)


def _answer_to(question: Question) -> tuple[str, str, bytes] | None:
    """Under which key an answer is kept, and what tells its question from another one under that key."""
    digest = hashlib.sha256(question.account.encode() + b"\n" + question.raw).digest()
    return (question.caller, question.key, digest) if question.key else None
