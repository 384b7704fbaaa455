"""Sign-ins before anything was proved: how tries are counted, and what is answered whether or not a name is anybody's.

Nobody may learn by a sign-in which names exist. So a name that nobody has is tried against a decoy by the same steps,
is counted in the same table, and gets an answer of the same form: no head, a challenge and an instant made from the
name and the minute, and the kinds of proof of a usual account. What `accept` tells cannot be hidden: law 2 has the
strongest class that an account holds asked for, so of a name that exists a stranger learns that class. Of one that does
not he learns an invented one, always the same.

A try is counted as failed before it is looked at, and taken back when it was right: however many come at once, no more
are looked at than the pauses allow.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from holdback.answers import answer_body, answer_form
from holdback.batching import Batcher
from holdback.core.attempts import Origin, Tally, network_slowed_down, slowed_down
from holdback.core.decision import Reason, StepUp, why
from holdback.core.events import DAY, HOUR, MINUTE, AuthenticatorKind
from holdback.core.rules.session import SessionFailures, SessionStart
from holdback.core.state import Authenticator, Credential, Head, Wait
from holdback.judging import KeyReused, kept_digest
from holdback.ports import Answer, Attempts, Conflict, Writes
from holdback.sealing import CustomerKey
from holdback.wording.asked import asked_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdback.batching import Job
    from holdback.core.decision import Decision
    from holdback.core.events import Finding, Instant
    from holdback.intake import Intake
    from holdback.judging import Tools
    from holdback.ports import PartRow, Snapshot, Store

NOBODY: Final = "?"
"""The account of every name that nobody has; no account has this id."""
BUCKETS: Final = 1 << 20
"""Rows that names of nobody, and networks, may take up each: a flood of invented ones shares them."""
NETWORK_BITS: Final = 62
OPENED_KEPT: Final = 1 << 16
"""Of how many names a process remembers that they were asked to answer a challenge of their own lately."""
TELL_AT_ONCE: Final = 64
"""Windows told in one round."""

PROFILES: Final[tuple[tuple[int, tuple[AuthenticatorKind, ...]], ...]] = (
    (7, (AuthenticatorKind.PASSWORD, AuthenticatorKind.TOTP)),
    (4, (AuthenticatorKind.PASSWORD, AuthenticatorKind.TOTP, AuthenticatorKind.BACKUP_CODE)),
    (2, (AuthenticatorKind.PASSWORD, AuthenticatorKind.PASSKEY)),
    (1, (AuthenticatorKind.PASSWORD, AuthenticatorKind.PASSKEY, AuthenticatorKind.PASSKEY)),
    (1, (AuthenticatorKind.PASSWORD, AuthenticatorKind.SMS)),
    (1, (AuthenticatorKind.PASSWORD,)),
)
"""What invented accounts hold, and how many of sixteen; kinds that are not served are left out of them."""


ID_BYTES: Final = (16, 20, 32, 32, 48, 64, 64, 64)
"""How long the ids of passkeys usually are that are named: mostly security keys of some age."""


class Try(NamedTuple):
    """One sign-in with proofs. `subject` is the account, or `?` and a name; `network` is "" if none was named."""

    subject: str
    origin: Origin
    network: str
    network_known: bool

    @property
    def account(self) -> str:
        """In whose stream failures are told; "" for nobody's."""
        return "" if self.subject.startswith(NOBODY) else self.subject


class _Counted(NamedTuple):
    """A try to count; one that was `counted` is taken back, with all in a row before it if it was right.

    One that was `coded` is taken back in its window only.
    """

    attempt: Try
    counted: bool = False
    right: bool = False
    coded: bool = False


class Counter:
    """Counts tries in the store, for all replicas."""

    def __init__(self, store: Store, tools: Tools) -> None:
        """Count nothing yet."""
        self._store = store
        self._masters = tools.masters
        self._policy = tools.policy
        self._counting: Batcher[_Counted, Finding | int] = Batcher(self._batch, largest=64)
        self._opened: OrderedDict[str, Instant] = OrderedDict()

    async def take(self, attempt: Try) -> Finding | int:
        """Count a try as failed, or say why it must wait; then it is neither looked at nor counted.

        Of one that is counted, how many of its origin failed in a row before it.
        """
        return await self._counting.submit(_Counted(attempt))

    async def right(self, attempt: Try) -> None:
        """It was right: it is taken back, and failures of its origin begin anew."""
        await self._counting.submit(_Counted(attempt, counted=True, right=True))

    async def unseen(self, attempt: Try) -> None:
        """It could not be looked at, so it tells nobody anything: it is taken back."""
        await self._counting.submit(_Counted(attempt, counted=True))

    async def coded(self, attempt: Try) -> None:
        """Somebody was sent a code for it, which tells him more: it is counted as before, and told no other way."""
        await self._counting.submit(_Counted(attempt, counted=True, coded=True))

    def has_opened(self, label: str, now: Instant) -> bool:
        """Whether this process knows that a name has a challenge, so that nothing is written for the next one."""
        return self._opened.get(label, 0) > now

    def opens(self, label: str, until: Instant) -> None:
        """Remember that a name has a challenge until then; forgetting one costs a write, whoever's name it is."""
        self._opened[label] = until
        self._opened.move_to_end(label)
        if len(self._opened) > OPENED_KEPT:
            self._opened.popitem(last=False)

    async def pretend(self, label: str, until: Instant) -> None:
        """Write that a name has a challenge until then, or as long as another process wrote before."""
        key = self._masters.lookup_hash("attempts", f"opened {self._bucket(label)}")
        kept = until

        def mark(now: Instant, found: Mapping[bytes, Attempts]) -> list[Attempts]:
            nonlocal kept
            row = found.get(key)
            kept = row.until if row is not None and row.until > now else until
            return [Attempts(key, 1, now, now, kept)]

        await self._store.count_attempts([key], mark)
        self.opens(label, kept)

    async def told(self, row: Attempts) -> None:
        """A row was told: it goes, but for what was counted since, which is told when the window is over."""
        mark = self._told_lately(row.account)

        def less(now: Instant, found: Mapping[bytes, Attempts]) -> list[Attempts]:
            until = now + self._policy.step_up.failures_told_m * MINUTE
            marked = Attempts(mark, 1, now, now, until)
            kept = found.get(row.key)
            if kept is None:
                return [marked]
            left = max(kept.failures - row.failures, 0)
            return [marked, kept._replace(failures=left, since=row.failed_at, until=until, networks=0)]

        await self._store.count_attempts([row.key, mark], less)

    async def _batch(self, jobs: list[Job[_Counted, Finding | int]]) -> None:
        pauses: list[Finding | int] = []

        def count(now: Instant, found: Mapping[bytes, Attempts]) -> list[Attempts]:
            rows = {key: row for key, row in found.items() if row.account or row.until > now}
            pauses[:] = [self._counted(job.work, rows, now) for job in jobs]
            # A row that is of no use any more goes too.
            gone = [row._replace(failures=0) for key, row in found.items() if key not in rows]
            return [*gone, *rows.values()]

        await self._store.count_attempts([key for job in jobs for key in self._keys(job.work.attempt)], count)
        for job, pause in zip(jobs, pauses, strict=True):
            job.done(pause)

    def _counted(self, work: _Counted, rows: dict[bytes, Attempts], now: Instant) -> Finding | int:
        """Change the rows of one try, or say why it must wait; how many failed before it."""
        attempt, policy = work.attempt, self._policy
        own, network, window, told = (rows.get(key, Attempts(key, 0, now, 0, 0)) for key in self._keys(attempt))
        strange = attempt.origin is Origin.STRANGER and bool(attempt.network) and not attempt.network_known
        if work.counted:
            left = [window] if work.coded else [own, network, window] if strange else [own, window]
            for row in left:
                rows[row.key] = row._replace(failures=max(row.failures - 1, 0))
            if work.right:
                rows[own.key] = own._replace(failures=0)
            return 0
        pause = slowed_down(Tally(own.failures, own.failed_at), policy, now)
        if strange and pause is None:
            pause = network_slowed_down(Tally(network.failures, network.failed_at), policy, now)
        if pause is not None:
            return pause
        limits = policy.step_up
        rows[own.key] = _more(own, now, limits.failures_forget_d * DAY)
        if strange:
            rows[network.key] = _more(network, now, limits.network_forget_h * HOUR)
        bit = 1 << network.key[-1] % NETWORK_BITS if attempt.network else 0
        # The first failure is told at once, those that follow when the window is over that then began. A row that is
        # due may be being told just now: it gets another end, and so another name.
        until = max(window.until, told.until, now + 1) if window.failures else max(told.until, now)
        counted = _more(window, now, until - now)
        rows[window.key] = counted._replace(networks=window.networks | bit, account=attempt.account)
        return own.failures

    def _keys(self, attempt: Try) -> tuple[bytes, bytes, bytes, bytes]:
        """The rows of one try: its origin's, its network's, its window's, and the mark that says what was told."""
        whose = attempt.subject
        if not attempt.account:
            whose = f"{NOBODY}{self._bucket(whose)}"
        return (
            self._masters.lookup_hash("attempts", f"{attempt.origin} {whose}"),
            self._masters.lookup_hash("attempts", f"network {self._bucket(attempt.network)}"),
            self._masters.lookup_hash("attempts", f"window {whose}"),
            self._told_lately(whose),
        )

    def _told_lately(self, whose: str) -> bytes:
        return self._masters.lookup_hash("attempts", f"told {whose}")

    def _bucket(self, text: str) -> int:
        return int.from_bytes(self._masters.lookup_hash("bucket", text)[1:9]) % BUCKETS


def _more(row: Attempts, now: Instant, kept_ms: int) -> Attempts:
    since = row.since if row.failures else now
    return row._replace(failures=row.failures + 1, since=since, failed_at=now, until=now + kept_ms)


def telling(row: Attempts) -> SessionFailures:
    """What is told of a window. What ends it names it: a row that goes on counting gets another end."""
    return SessionFailures(row.until, row.failures, row.networks.bit_count(), row.since, row.failed_at)


class Decoy(NamedTuple):
    """A customer that a name of nobody is tried against: rows as the store would give them."""

    snapshot: Snapshot
    parts: list[PartRow]


async def decoys(tools: Tools, intake: Intake) -> list[Decoy]:
    """Sixteen customers that nobody is, as alike and unlike as usual ones are."""
    wrapped = tools.masters.new_key()
    key = tools.masters.unwrap(wrapped)
    usual = dict.fromkeys(kind for _, kinds in PROFILES for kind in kinds)
    credentials = {kind: await intake.nobodys(kind) for kind in usual}
    made = []
    for weight, kinds in PROFILES:
        served = [kind for kind in kinds if credentials[kind] is not None]
        if len(served) < len(kinds):
            served = [AuthenticatorKind.PASSWORD, AuthenticatorKind.TOTP]
        held = {
            f"a1-{number}": Authenticator(kind, kind.encode(), 0, Wait(0, 0, heard=True), confirmed=True)
            for number, kind in enumerate(served, 1)
        }
        head = Head(NOBODY, key.seal(NOBODY), 0, (), authenticators=held)
        parts = [
            tools.snapshots.part_row(NOBODY, ("credential", name), Credential(key.seal(credentials[one.kind] or ""), 1))
            for name, one in held.items()
        ]
        made += [Decoy(tools.snapshots.row(head, bytes(32), wrapped), parts)] * weight
    return made


class Shown(NamedTuple):
    """The kinds of proof that a sign-in showed, and what a passkey is asked to sign if one may answer."""

    kinds: tuple[str, ...] = ()
    nonce: str | None = None
    passkey: dict[str, Any] | None = None


class Answers:
    """The answers of sign-ins that proved nothing: how they read, and how they are kept for who asks again."""

    def __init__(self, store: Store, tools: Tools) -> None:
        """Keep nothing yet."""
        self._store = store
        self._tools = tools
        self._doors = [CustomerKey(one[1:]) for one in tools.masters.lookup_hashes("door", "answers")]
        self._keeping: Batcher[Answer, None] = Batcher(self._keep_batch, largest=64)

    def decoy_of(self, name: str, among: list[Decoy]) -> Decoy:
        """The decoy of a name: always the same."""
        return among[self._tools.masters.lookup_hash("decoy", name)[-1] % len(among)]

    def challenge(self, subject: str, now: Instant) -> tuple[str, Instant]:
        """The challenge that a sign-in in this minute gets, and when it expires."""
        minute = now // MINUTE
        until = (minute + self._tools.policy.step_up.challenge_m) * MINUTE
        return self._challenges(subject, minute)[0], until

    def is_open(self, subject: str, challenge: str, now: Instant) -> bool:
        """Whether a challenge is one that was given lately, under any key of the ring."""
        lately = range(self._tools.policy.step_up.challenge_m)
        known = [one for back in lately for one in self._challenges(subject, now // MINUTE - back)]
        right = [hmac.compare_digest(one.encode(), challenge.encode()) for one in known]
        return any(right)

    def _challenges(self, subject: str, minute: int) -> list[str]:
        """A challenge under each key of the ring, the current one first."""
        hashed = self._tools.masters.lookup_hashes("challenge", f"{minute} {subject}")
        return [f"s{one[1:17].hex()}" for one in hashed]

    def passkey(self, name: str, authenticator: str) -> str:
        """An invented passkey of a name: always the same. As often as not a browser finds all of a name by itself."""
        hashed = self._tools.masters.lookup_hash("passkey", name)[1:]
        found = hmac.digest(hashed, b"discoverable", "sha256")[0] % 2 == 0
        made = hmac.digest(hashed, authenticator.encode(), "sha512")
        long = ID_BYTES[hmac.digest(hashed, b"long " + made, "sha256")[0] % len(ID_BYTES)]
        kept = {"id": urlsafe_b64encode(made[:long]).decode().rstrip("="), "public_key": ""}
        return msgspec.json.encode(kept | {"discoverable": found}).decode()

    def masked(self, decision: Decision, subject: str, shown: Shown, now: Instant) -> bytes:
        """A step-up that tells nothing but what to show, or a refusal, without a head."""
        once: dict[str, object] = {}
        if isinstance(decision, StepUp):
            key, until = self.challenge(subject, now)
            required = why(Reason.PROOF_REQUIRED, *("+".join(kinds) for kinds in decision.accept), until=until)
            wrong = [why(Reason.PROOF_WRONG, *dict.fromkeys(shown.kinds), about="proofs")] if shown.kinds else []
            decision = StepUp((*wrong, required), key, decision.accept, until)
        form = answer_form(decision, self._tools.policy.digest, b"", asked_line(SessionStart()))
        if form.challenge is not None and shown.passkey is not None and isinstance(decision, StepUp):
            passkey = shown.passkey | {"timeout": decision.expires_at - now}
            once["challenge"] = msgspec.structs.replace(form.challenge, nonce=shown.nonce, passkey=passkey)
        return answer_body(form, once)

    def kept(self, answer: Answer | None, digest: bytes, own: CustomerKey | None) -> bytes | None:
        """What was answered to this question before, also if it was right then. Raises KeyReused for another one."""
        if answer is None:
            return None
        keys = [(door, "sign-in") for door in self._doors] + ([(own, "answer")] if own else [])
        for key, field in keys:
            if hmac.compare_digest(answer.body_digest, kept_digest(key, digest)):
                return key.open_bytes(answer.answer, field=field)
        raise KeyReused(answer.key)

    async def keep(self, answer_to: tuple[str, str, bytes], body: bytes, now: Instant) -> None:
        """Keep an answer. Raises Conflict if one was kept under its key just now."""
        caller, key, digest = answer_to
        door = self._doors[0]
        sealed = door.seal_bytes(body, field="sign-in")
        await self._keeping.submit(Answer(caller, key, kept_digest(door, digest), sealed, now))

    async def _keep_batch(self, jobs: list[Job[Answer, None]]) -> None:
        try:
            await self._write([job.work for job in jobs])
        except Conflict:
            for job in jobs:
                try:
                    await self._write([job.work])
                except Conflict as error:
                    job.failed(error)
        for job in jobs:
            job.done(None)

    async def _write(self, answers: list[Answer]) -> None:
        async with self._store.transaction(locks=False) as transaction:
            await transaction.write(Writes(answers=answers))
