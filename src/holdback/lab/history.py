"""What is simply true at t0 is made true in the past, by the actions that make it true for anybody.

Nothing is written into the state by hand: the account is imported, the owner signs in, adds destinations, pays and
confirms at the instants the story names. A policy under which that is refused is an error that names the action.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from holdback.core.decision import Allow, Hold
from holdback.core.events import DAY, HOUR, MINUTE, AuthenticatorKind, Channel, Setting
from holdback.core.rules.account import AccountImport, ImportedAuthenticator, ImportedContact
from holdback.core.rules.address import AddressAdd, AddressRemove, AddressRenew, beneficiary_name
from holdback.core.rules.exit import ExitCancel
from holdback.core.rules.setting import AllowlistSet, LockSet
from holdback.core.seniority import authenticator_is_senior, contact_is_senior
from holdback.core.state import Beneficiary
from holdback.lab.durations import Ago, spoken
from holdback.lab.moves import key_of, place_in_book, usd
from holdback.lab.people import OWNER, device_id
from holdback.lab.playbooks import BookEntry, Exit, PlaybookError
from holdback.lab.sealing import fake_sealed
from holdback.lab.stage import HeldKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from holdback.core.decision import Decision
    from holdback.core.events import Instant
    from holdback.lab.moves import Moves
    from holdback.lab.playbooks import ApiKey, ExitKind
    from holdback.lab.stage import Stage
    from holdback.lab.timeline import Timeline

YEAR: Final = 365 * DAY

EARLIER: Final = "an earlier device"
"""What the owner acted from before the first device that the story names."""

FORMER: Final = BookEntry("a payee of former days", "bitcoin", added=Ago(0))
"""Who got the owner's usual payments while no entry of the book did; gone from the book by t0."""

SMALL_USD: Final = 1
"""What a single earlier use of an entry paid: too little to be a habit, or to use a budget up."""

_ADDRESSED: Final = {AuthenticatorKind.SMS: Channel.SMS, AuthenticatorKind.EMAIL: Channel.EMAIL}
_EXIT_KINDS: Final[dict[str, ExitKind]] = {
    "bank": "fiat_payout",
    "internal": "internal_transfer",
    "p2p": "p2p_sale",
    "card": "card",
}


class _Act(NamedTuple):
    """One thing of the past, `at` ms from t0; what must come first at one instant has the lower `order`."""

    at: int
    order: int
    what: str
    do: Callable[[], Decision]


class History:
    """The past of one story's account. Example: `History(stage, moves, timeline, t0).enact()`."""

    def __init__(self, stage: Stage, moves: Moves, timeline: Timeline, t0: Instant) -> None:
        """Prepare to act on a stage, up to t0."""
        self._stage = stage
        self._moves = moves
        self._timeline = timeline
        self._t0 = t0
        self._account = stage.story.account

    def enact(self) -> None:
        """Let the past happen. Raises PlaybookError if some of it cannot, or did not come out as the story says."""
        acts = [*self._beginning(), *self._book(), *self._payments(), *self._keys(), *self._live_session()]
        devices = list(self._devices())
        first_seen = min((one.at for one in devices), default=1)
        if any(one.at < first_seen for one in acts[1:]):
            devices.append(_Act(self._account.opened, 1, f"sign in from {EARLIER}", self._sign_in_from(EARLIER)))
        for act in [*acts, *devices]:
            self._timeline.plan(self._t0 + act.at, act.order, partial(self._carry_out, act))
        self._timeline.run(self._t0)
        self._stage.people.past_device = None
        for problem in self._differences():
            raise self._error(problem)

    def _error(self, problem: str) -> PlaybookError:
        policy = self._stage.world.policy.name
        return PlaybookError(f"{self._stage.story.file}: account: the past fails under policy `{policy}`: {problem}")

    def _carry_out(self, act: _Act) -> None:
        self._stage.people.past_device = self._device_at(act.at)
        decision = act.do()
        if isinstance(decision, Hold):
            self._timeline.caused(decision.id, OWNER)
        elif not isinstance(decision, Allow):
            reasons = ", ".join(finding.code for finding in decision.findings)
            raise self._error(f"{act.what} at {spoken(act.at)} was refused: {reasons}")

    def _device_at(self, at: int) -> str:
        known = [one.name for one in self._account.devices if one.first_seen <= at]
        return known[0] if known else EARLIER

    def _beginning(self) -> Iterator[_Act]:
        opened, account = self._account.opened, self._account
        yield _Act(opened, 0, "account.import", self._import)
        if account.allowlist:
            yield _Act(opened, 3, "allowlist.set", partial(self._stage.ask, OWNER, AllowlistSet(on=True)))
        if account.lock_hours is not None:
            yield _Act(opened, 3, "lock.set", partial(self._stage.ask, OWNER, LockSet(account.lock_hours)))

    def _import(self) -> Decision:
        account, people = self._account, self._stage.people
        authenticators = []
        for place, kind in enumerate(account.authenticators, start=1):
            channel = _ADDRESSED.get(kind)
            address = fake_sealed(people.address(OWNER, channel)) if channel else None
            secret = None if channel else fake_sealed(f"secret {place}")
            authenticators.append(ImportedAuthenticator(kind, secret, address))
        action = AccountImport(
            name=fake_sealed("the owner"),
            authenticators=tuple(authenticators),
            contacts=tuple(
                ImportedContact(channel, fake_sealed(people.address(OWNER, channel))) for channel in account.contacts
            ),
            sub_accounts=tuple(f"sub-{number}" for number in range(1, account.sub_accounts + 1)),
            equity_usd=usd(account.equity_usd),
            face=fake_sealed("the owner's face"),
        )
        decision = self._stage.by_platform(OWNER, action)
        if isinstance(decision, Allow):
            for key, one in self._stage.world.head.authenticators.items():
                people.imported(key, one.kind)
        return decision

    def _devices(self) -> Iterator[_Act]:
        for device in self._account.devices:
            what = f"sign in from `{device.name}`"
            yield _Act(device.first_seen, 2, what, self._sign_in_from(device.name))

    def _sign_in_from(self, device: str) -> Callable[[], Decision]:
        def sign_in() -> Decision:
            self._stage.people.past_device = device
            return self._stage.sign_in(OWNER)

        return sign_in

    def _book(self) -> Iterator[_Act]:
        for entry in self._account.address_book:
            place = place_in_book(entry.name, entry.network, entry.memo)
            add = AddressAdd(fake_sealed(entry.name), entry.network, place)
            renew = AddressRenew(entry.network, place)
            yield _Act(entry.added, 4, f"address.add `{entry.name}`", partial(self._stage.ask, OWNER, add))
            verified = entry.verified if entry.verified is not None else Ago(-DAY)
            if verified > entry.added and verified >= self._mature:
                what = f"address.renew `{entry.name}`"
                yield _Act(verified, 6, what, partial(self._stage.ask, OWNER, renew))

    @property
    def _mature(self) -> int:
        """From when on what the account began with counts: a younger account is what it is."""
        waits = self._stage.world.policy.waits
        return self._account.opened + max(waits.authenticator_senior_h, waits.contact_senior_h) * HOUR

    def _payments(self) -> Iterator[_Act]:
        usual, every = self._account.usual_withdrawal_usd, self._account.usual_every
        times = [-every * number for number in range(1, YEAR // every + 1)] if usual is not None else []
        usual_times = [at for at in times if at >= self._mature]
        payees = {at: self._payee(at) for at in usual_times}
        for at, payee in payees.items():
            yield self._payment(at, payee, usual or 0)
        for entry in self._account.address_book:
            used = entry.last_used
            if used is not None and used >= self._mature and payees.get(used) is not entry:
                yield self._payment(used, entry, SMALL_USD)
        former = [at for at, payee in payees.items() if payee is FORMER]
        if former:
            yield from self._former(max(former))

    def _payee(self, at: int) -> BookEntry:
        """An entry that was ripe by then and used since, else someone who is no longer in the book."""
        wait = self._stage.world.policy.waits.address_h * HOUR
        for entry in self._account.address_book:
            names_someone = entry.network not in {"p2p", "card"}
            if names_someone and entry.last_used is not None and entry.added + wait <= at <= entry.last_used:
                return entry
        return FORMER

    def _payment(self, at: int, entry: BookEntry, amount: float) -> _Act:
        kind = _EXIT_KINDS.get(entry.network, "withdrawal")

        def pay() -> Decision:
            move = self._moves.exit(Exit(kind, amount, address=entry.name, memo=entry.memo), network=entry.network)
            return self._stage.ask(OWNER, move.action, counterparty=move.counterparty)

        return _Act(at, 5, f"exit.request to `{entry.name}`", pay)

    def _former(self, last: int) -> Iterator[_Act]:
        place = place_in_book(FORMER.name, FORMER.network)
        add = AddressAdd(fake_sealed(FORMER.name), FORMER.network, place)
        remove = AddressRemove(FORMER.network, place)
        yield _Act(self._account.opened, 4, "address.add", partial(self._stage.ask, OWNER, add))
        gone = min(last + self._stage.world.policy.outflow.over_budget_others_h * HOUR + DAY, -MINUTE)
        yield _Act(gone, 7, "address.remove", partial(self._stage.ask, OWNER, remove))

    def _keys(self) -> Iterator[_Act]:
        for key in self._account.api_keys:
            yield _Act(key.created, 4, f"api_key.create `{key.name}`", partial(self._make_key, key))
            if key.last_used is not None:
                yield _Act(key.last_used, 5, f"use of key `{key.name}`", partial(self._use_key, key))

    def _make_key(self, key: ApiKey) -> Decision:
        decision = self._stage.ask(OWNER, key_of(key))
        if isinstance(decision, Allow):
            self._stage.keys[key.name] = HeldKey(decision.id, OWNER, bool(key.ip_allowlist))
            self._moves.has_key(key.name, decision.id)
        return decision

    def _use_key(self, key: ApiKey) -> Decision:
        """Any request is a use; this one asks for nothing that there is."""
        self._stage.ask(OWNER, ExitCancel("none"), via=key.name)
        return Allow(())

    def _live_session(self) -> Iterator[_Act]:
        """The session a thief will use, which is in use until t0."""
        people = self._stage.people
        if not (people.has("session_cookie") or people.has("own_device")):
            return
        started = max(-HOUR, self._account.opened)

        def start() -> Decision:
            if people.has("own_device") and people.thieves_device:
                people.past_device = people.thieves_device
            decision = self._stage.sign_in(OWNER)
            if isinstance(decision, Allow):
                people.live = bytes.fromhex(decision.id)
            return decision

        def use() -> Decision:
            self._stage.touch(OWNER, people.live)
            return Allow(())

        yield _Act(started, 8, "sign in", start)
        yield _Act(max(-MINUTE, started), 9, "use of the session", use)

    def _differences(self) -> Iterator[str]:
        """Where the state is not what the story says."""
        head, account, now = self._stage.world.head, self._account, self._t0
        mature = self._mature <= 0
        kinds = [one.kind for one in head.authenticators.values()]
        if kinds != list(account.authenticators):
            yield f"the account holds {kinds}"
        if mature and not all(authenticator_is_senior(head, one, now) for one in head.authenticators.values()):
            yield "an authenticator is not senior"
        if mature and not all(contact_is_senior(head, one, now) for one in head.contacts.values()):
            yield "a contact is not senior"
        if head.frozen_at or head.changes:
            yield "something is frozen or waits"
        if head.setting(Setting.ALLOWLIST) != account.allowlist:
            yield "allowlist mode"
        if head.setting(Setting.LOCK_HOURS) != (account.lock_hours or 0):
            yield "the owner's own lock"
        yield from self._part_differences()

    def _part_differences(self) -> Iterator[str]:
        parts = self._stage.world.parts
        listed = {
            beneficiary_name(one.network, place_in_book(one.name, one.network, one.memo))
            for one in self._account.address_book
        }
        live = {
            name
            for (kind, name), part in parts.items()
            if kind == "beneficiary" and isinstance(part, Beneficiary) and not part.removed
        }
        if listed != live:
            yield "the address book is another"
        for device in self._account.devices:
            if ("device", device_id(device.name)) not in parts:
                yield f"device `{device.name}` is not known"
        people = self._stage.people
        if people.live and people.live not in self._stage.world.head.sessions:
            yield "the owner's session has ended"
