"""The laws under random histories: an owner, a thief with any capability, the platform, and clocks that jump.

Two customers of one platform live through whatever hypothesis thinks of. `watched.py` holds every answer against the
laws and against the slow twin; the rules here only decide who asks what, with which proofs. The default profile is a
sample; `pytest tests/laws/test_account_laws.py --hypothesis-profile=long` is the search.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from msgspec.structs import replace
from tests.core.authorities import Office
from tests.core.histories import (
    BACKUP_CODE,
    EMAIL,
    OFAC,
    PASSKEY,
    PASSWORD,
    PLATFORM,
    SMS,
    SYSTEM,
    TOTP,
    USD,
    destination,
    grow,
    policy_with,
    sealed,
)
from tests.core.watched import Watched

from holdback.core import events as ev
from holdback.core.decision import Allow, Context, ListFact, LossFact, Proof, SharedFact, StaffFact, StepUp
from holdback.core.events import DAY, HOUR, MINUTE, Actor, ActorKind, AuthenticatorKind, Channel, Setting
from holdback.core.rules.account import AccountFreeze, AccountUnfreeze
from holdback.core.rules.address import AddressAdd, AddressRemove, AddressRenew
from holdback.core.rules.api_key import ApiKeyCreate, ApiKeyRevoke, ApiKeySuspend
from holdback.core.rules.authenticator import (
    AuthenticatorBind,
    AuthenticatorConfirm,
    AuthenticatorReinstate,
    AuthenticatorRemove,
    AuthenticatorSuspend,
)
from holdback.core.rules.change import ChangeCancel
from holdback.core.rules.contact import ContactAdd, ContactConfirm, ContactRemove, ContactReportRecycled
from holdback.core.rules.deposit import DepositReceive
from holdback.core.rules.exit import ExitCancel, ExitReconcile, ExitRelease, ExitRequest, ExitSettle
from holdback.core.rules.notice import NoticeOutcome
from holdback.core.rules.order import OrderLease, OrderPlace, OrderReport
from holdback.core.rules.password import PasswordChange
from holdback.core.rules.session import SessionEnd, SessionEndAll, SessionStart
from holdback.core.rules.setting import AllowlistSet, LimitSet, LockSet, VaultSet

if TYPE_CHECKING:
    from holdback.core.decision import Decision
    from holdback.core.events import Sealed
    from holdback.core.rules.asking import Action, Request

ROOMY: Final = policy_with(**{"bounds.cool_offs": 10_000, "bounds.unheard": 10_000, "lists.required": ["ofac"]})
"""The default policy, with a list that must be there; its bounds on what one customer may have are tested elsewhere."""

CAPABILITIES: Final = (
    "password",
    "totp",
    "passkey",
    "sms",
    "email",
    "backup_code",
    "session_cookie",
    "own_device",
    "stolen_phone",
    "platform_key",
)

GANGS: Final = (
    frozenset({"password", "totp"}),
    frozenset({"password", "totp", "email"}),
    frozenset({"session_cookie"}),
    frozenset({"session_cookie", "stolen_phone"}),
    frozenset({"own_device"}),
    frozenset({"password", "sms"}),
    frozenset({"password", "backup_code"}),
    frozenset({"platform_key"}),
)
"""Capabilities that go together in the incidents."""

PHONE: Final = {TOTP, SMS}


@cache
def prefab(name: str) -> Watched:
    """An account as it stands when the story begins; every step that led to it was checked, too."""
    account = Watched(ROOMY, name)
    match name:
        case "fresh":
            account.open()
        case "plain" | "bob":
            grow(account)
        case "keyed":
            grow(account, PASSWORD, TOTP, PASSKEY, BACKUP_CODE, subs=("trading",))
        case "texted":
            grow(account, PASSWORD, SMS, EMAIL)
        case "poor":
            grow(account, PASSWORD, equity="1000", contacts=(Channel.EMAIL, Channel.PUSH))
        case _:
            used_for_long(account)
    return account


def used_for_long(account: Watched) -> None:
    """Forty days, every kind of beneficiary in the book, and a habit of a thousand dollars a day."""
    session = grow(account, subs=("trading", "savings"))
    for network, target in (("bank", "iban"), ("internal", "bob"), ("p2p", ""), ("card", "")):
        address = destination(target) if target else None
        account.ask(AddressAdd(sealed(network), network, address), session, *account.head.authenticators)
    account.settle(days=40)
    for _ in range(4):
        account.pay("1000", "home", account.sign_in())
        account.wait(days=1.1)
    account.settle(days=4)


STRANGER: Final = "stranger"
"""A customer of whom nothing is played but what he sends, and when he is stopped."""

PREFABS: Final = ("fresh", "plain", "keyed", "texted", "poor", "used")
PLACES: Final = ("home", "home", "elsewhere", "thief", "mule", "home?memo=7")
LOOKS: Final = ("", "", "home")
AMOUNTS: Final = ("0", "1", "50", "60", "100", "1000", "1600", "20000", "49999.999999", "50000", "100000", "2000000")
STYLES: Final = ("good", "good", "good", "good", "good", "none", "wrong", "replayed", "other action", "old secret")
KINDS: Final = ("withdrawal", "withdrawal", "withdrawal", "fiat_payout", "redemption", "internal_transfer", "gift")
MORE_KINDS: Final = (*KINDS, "p2p_sale", "card", "sweep", "lending")

KEYS: Final = ((b"", b""), (b"", b"thief"), (b"owner", b""), (b"owner", b"thief"))
"""The keys of the owner's device and of the thief's; an owner may have signed in before his device had one."""

who = st.sampled_from(("owner", "owner", "thief"))
nth = st.integers(0, 7)
LAST_PICKED: Final = 6
"""The highest number by which `pick` finds something."""
style = st.sampled_from(STYLES)
place = st.sampled_from(PLACES)
amount = st.sampled_from(AMOUNTS)
claim = st.sampled_from((None, None, None, 0, 1000 * USD, 10**9 * USD))
claims = st.tuples(claim, claim)
signing = st.sampled_from(({}, {}, {}, {"right": False}, {"listed": False}, {"nonce": 5}, {"at": -31_000}))
soon = st.sampled_from((1, 30, 60, 71, 73, 90))


thief = st.one_of(st.sampled_from(GANGS), st.frozensets(st.sampled_from(CAPABILITIES), min_size=1, max_size=4))


def pick(things: Any, number: int, missing: Any = "nothing") -> Any:  # noqa: ANN401 - names are text or bytes
    """The n-th of some names, or one that does not exist."""
    names = list(things)
    return names[number % len(names)] if names and number < 7 else missing


def made(answer: Decision) -> str:
    """The id of what was made, "" if nothing was."""
    return answer.id if isinstance(answer, Allow) else ""


def key_of(kind: AuthenticatorKind) -> Sealed | None:
    """What registering makes of a passkey; nothing of other kinds."""
    return sealed("key") if kind is PASSKEY else None


class Stories(RuleBasedStateMachine):
    """Alice, who is robbed, and Bob, who is a customer of the same platform."""

    def __init__(self) -> None:
        """Before anyone acts."""
        super().__init__()
        self.alice = self.bob = Watched(ROOMY)
        self.holds: frozenset[str] = frozenset()
        self.thiefs: set[str] = set()
        self.clock = 0
        self.asked: tuple[Request, StepUp] | None = None
        self.key = self.thiefs_key = b""
        self.strangers_stops: tuple[int, ...] = ()

    @initialize(name=st.sampled_from(PREFABS), holds=thief, keys=st.sampled_from(KEYS))
    def begin(self, name: str, holds: frozenset[str], keys: tuple[bytes, bytes]) -> None:
        """Choose what the account is like, what the thief holds, and whether the owner's and his device have keys."""
        self.key, self.thiefs_key = keys
        if "own_device" in holds:
            self.thiefs_key = self.key
        self.alice, self.bob = prefab(name).clone(), prefab("bob").clone()
        self.holds = holds
        self.clock = max(self.alice.now, self.bob.now)
        self.tick(0)

    # Who asks, and with what

    def proofs(self, by: str, how: str) -> tuple[Proof | str, ...]:
        """What the owner or the thief can show."""
        if how == "none":
            return ()
        held = self.alice.head.authenticators
        names = [name for name, one in held.items() if by == "owner" or self.can_show(name, one.kind)]
        proofs = [self.alice.proof(name) for name in names]
        if proofs and how != "good":
            proofs[-1] = self.spoiled(proofs[-1], how)
        return tuple(proofs)

    def can_show(self, name: str, kind: AuthenticatorKind) -> bool:
        """Whether the thief can satisfy this authenticator: he has it, or bound it himself."""
        by_phone = "stolen_phone" in self.holds and kind in PHONE
        return bool({kind.value, "own_device"} & self.holds) or by_phone or name in self.thiefs

    def spoiled(self, proof: Proof, how: str) -> Proof:
        """A proof that must not count."""
        one = self.alice.head.authenticators[proof.authenticator]
        match how:
            case "wrong":
                return replace(proof, right=False)
            case "replayed":
                return replace(proof, counter=max(one.used.bit_length() - 1, one.counter))
            case "other action":
                return replace(proof, digest=b"another")
            case _:
                return replace(proof, epoch=one.epoch - 1)

    def session(self, by: str) -> bytes:
        """A live session of whoever asks: the newest one, a stolen one, or one he starts; else a dead token."""
        alice = self.alice
        alice.device_key = self.key if by == "owner" else self.thiefs_key
        alive = [key for key, one in alice.head.sessions.items() if alice.now < one.ends_at()]
        stolen = by == "thief" and not self.holds & {"session_cookie", "own_device"}
        if alive and not stolen:
            return alive[-1]
        if stolen and not self.holds & {"password", "stolen_phone"}:
            return b"\1" * 16
        device = "laptop" if by == "owner" or self.holds & {"own_device", "stolen_phone"} else "burner"
        return self.sign_in(by, device, "good")

    def sign_in(self, by: str, device: str, how: str) -> bytes:
        """Try to start a session."""
        self.alice.tokens += 1
        self.alice.device_key = self.key if by == "owner" else self.thiefs_key
        context = Context(device=device)
        proofs = tuple(self.rehashed(one) for one in self.proofs(by, how))
        self.ask(SessionStart(), Actor(ActorKind.OWNER), proofs, context=context)
        return self.alice.token(self.alice.tokens)

    def rehashed(self, proof: Proof | str) -> Proof | str:
        """The proof, at every other sign-in with its password hashed anew."""
        if self.alice.tokens % 2 or isinstance(proof, str) or proof.kind != AuthenticatorKind.PASSWORD:
            return proof
        return replace(proof, renewed=sealed(f"hash {self.alice.tokens}"))

    def reads_stops(self, one: Watched, other: Watched) -> None:
        """What one reads of the other's stops, whoever else sent something."""
        strangers = tuple(at for at in self.strangers_stops if at <= one.now)
        one.stopped = {other.name: other.twin.past().keeps_what_was_sent, STRANGER: strangers}

    def ask(
        self,
        action: Action,
        by: Actor | bytes,
        proofs: tuple[Proof | str, ...] = (),
        **fields: Any,  # noqa: ANN401 - Request's own
    ) -> Decision:
        """Ask, remember a step-up, and let the other customer receive what was sent. A passkey answers a challenge."""
        self.reads_stops(self.alice, self.bob)
        request = self.alice.request(action, by, **fields)
        decision = self.alice.submit(request, self.alice.facts(request, proofs))
        if isinstance(decision, StepUp) and any(self.alice.is_passkey(one) for one in proofs):
            request = replace(request, challenge=decision.challenge)
            decision = self.alice.submit(request, self.alice.facts(request, proofs))
        if isinstance(decision, StepUp):
            self.asked = (request, decision)
        events, counterparty = self.alice.elsewhere
        if events and counterparty == self.bob.name:
            self.bob.received(events)
        return decision

    # Time and notices

    @rule(ms=st.one_of(st.integers(0, 3 * HOUR), st.integers(0, 80).map(lambda hours: hours * HOUR)))
    def tick(self, ms: int) -> None:
        """Time passes."""
        self.clock += ms
        for account in (self.alice, self.bob):
            account.now = max(self.clock, account.head.at)

    @rule(days=st.integers(1, 40))
    def long_pause(self, days: int) -> None:
        """Nothing happens for days, and all that was sent is delivered before."""
        self.alice.deliver()
        self.tick(days * DAY)

    @rule(ms=st.integers(0, 90 * DAY), forwards=st.booleans())
    def clock_jumps(self, ms: int, *, forwards: bool) -> None:
        """One clock jumps, either way; the other one does not agree."""
        self.alice.clock_agrees = False
        self.alice.ahead_ms = 0 if forwards else ms
        self.tick(ms if forwards else -ms)

    @rule()
    def clock_is_right(self) -> None:
        """Both clocks agree, and never earlier than what was seen."""
        self.clock = max(self.clock, self.alice.head.at, self.bob.head.at)
        self.alice.clock_agrees = True
        self.tick(0)

    @rule(number=nth, contact=nth, accepted=st.booleans())
    def notice_arrives(self, number: int, contact: int, *, accepted: bool) -> None:
        """A channel accepts one notice at one contact, or gives up."""
        notices = self.alice.undelivered()
        if notices:
            notice = notices[number % len(notices)]
            self.alice.outcome(notice, pick(self.alice.head.contacts, contact), accepted=accepted)

    @rule()
    def all_notices_arrive(self) -> None:
        """Every notice is accepted at every contact it was meant for."""
        self.alice.deliver()

    # Value

    @rule(by=who, what=st.tuples(st.sampled_from(MORE_KINDS), amount), to=place, how=style, claims=claims)
    def exit(self, by: str, what: tuple[str, str], to: str, how: str, claims: tuple[int | None, int | None]) -> None:
        """Someone asks to let value leave, and the platform claims what it likes."""
        (kind, usd), (equity, said) = what, claims
        word = None if said is None else str(said // USD)
        inside = {"sweep": "trading", "internal_transfer": "bob", "gift": "bob", "p2p_sale": "bob", "card": "shop"}
        action = ExitRequest(kind, "USD", usd, word, destination(to), "bitcoin")
        if kind in inside:
            action = replace(action, address=None, network=None, counterparty=destination(inside[kind]))
        session = self.session(by)
        context = Context(equity_micro_usd=equity)
        self.ask(action, session, self.proofs(by, how), context=context, counterparty=inside.get(kind, ""))

    @rule(by=who, usd=amount, to=place, network=st.sampled_from(("", "bitcoin", "sepa", "bank")))
    def odd_exit(self, by: str, usd: str, to: str, network: str) -> None:
        """A payout that names a network, or leaves out where it goes."""
        address = destination("iban" if to == "home" else to) if network else None
        action = ExitRequest("fiat_payout", "USD", usd, address=address, network=network or None)
        account = "nobody" if to == "mule" else self.alice.name
        self.ask(action, self.session(by), self.proofs(by, "good"), account=account)

    @rule(
        by=who,
        number=st.integers(1, 90),
        bid=st.tuples(
            st.sampled_from(("buy", "sell")),
            st.sampled_from(("1", "1", "1.0005", "1.01", "0.98", "1.5", "0")),
            st.sampled_from(("10", "1000", "30000", "400000", "2000000")),
        ),
        odd=st.sampled_from(("", "", "", "", "bob", "3x", "reduces", "claims", "thin")),
    )
    def order(self, by: str, number: int, bid: tuple[Any, str, str], odd: str) -> None:
        """Someone trades: near the market or far from it, with leverage, or to reduce risk."""
        action = OrderPlace(f"o{number}", "QTUM/BTC" if odd == "thin" else "BTC/USDT", *bid)
        if odd == "3x":
            action = replace(action, leverage="3")
        elif odd == "reduces":
            action = replace(action, reduces=True)
        elif odd == "claims":
            action = replace(action, reference="0.99")
        self.ask(action, self.session(by), counterparty="bob" if odd == "bob" else "")

    @precondition(lambda self: self.alice.head.api_keys)
    @rule(number=nth, price=st.sampled_from(("1", "1.01", "1.5")), how=style)
    def trade_by_key(self, number: int, price: str, how: str) -> None:
        """A program trades, or whoever stole its key does."""
        action = OrderPlace(f"k{number}", "BTC/USDT", "buy", price, "30000")
        actor = Actor(ActorKind.API_KEY, key=pick(self.alice.head.api_keys, number))
        self.ask(action, actor, self.proofs("owner", how) if how != "none" else ())

    @rule(
        number=nth,
        price=st.sampled_from(("1", "1.01", "0.98", "1.5", "2")),
        part=st.sampled_from(("0", "10", "1000", "30000", "400000")),
        odd=st.sampled_from(("", "", "", "bob", "bob", "unasked", "other pair", "other side", "reduced", "twice")),
    )
    def order_is_matched(self, number: int, price: str, part: str, odd: str) -> None:
        """The platform says what became of an order: of part of it or more than all, worse or better than was asked."""
        orders = self.alice.everything().meter.orders
        name = "unasked" if odd == "unasked" else pick(orders, number)
        placed = orders.get(name)
        pair, side = (placed.pair, placed.side) if placed is not None else ("BTC/USDT", "buy")
        pair, side = "ETH/USDT" if odd == "other pair" else pair, "sell" if odd == "other side" else side
        report = OrderReport(name, pair, side, price, part, reduced=odd == "reduced")  # type: ignore[arg-type] # sampled strings
        other = "bob" if odd == "bob" else placed.counterparty if placed is not None else ""
        for _ in range(2 if odd == "twice" else 1):
            self.ask(report, PLATFORM, counterparty=other)

    @rule(
        bid=st.tuples(st.sampled_from(("1.0005", "1.009", "1.01")), st.sampled_from(("1000", "30000", "1000000"))),
        minutes=st.sampled_from((0, 5, 61, 25 * 60, 3 * 24 * 60)),
        match=st.tuples(
            st.sampled_from(("1", "1.0005", "1.009", "1.01", "1.02")),
            st.sampled_from(("0", "1000", "30000", "1000000")),
        ),
        market=st.sampled_from(({}, {}, {"reference": "0.99"}, {"half_range_ppm": 4_000}, {"storm_ppm": 9_000}, None)),
        odd=st.sampled_from(("bob", "bob", "", "reduces")),
    )
    def asked_and_matched(
        self, bid: tuple[str, str], minutes: int, match: tuple[str, str], market: dict[str, Any] | None, odd: str
    ) -> None:
        """The owner's order rests for a while, the market moves or falls silent, and the platform tells of a match."""
        name, other = f"m{self.alice.head.seq}", "bob" if odd == "bob" else ""
        placed = OrderPlace(name, "BTC/USDT", "buy", *bid, reduces=odd == "reduces")
        self.ask(placed, self.session("owner"), counterparty=other)
        self.tick(minutes * MINUTE)
        self.alice.market = market
        self.ask(OrderReport(name, "BTC/USDT", "buy", *match), PLATFORM, counterparty="bob")

    @rule(by=who, number=nth, used=st.sampled_from((None, "0", "1.5")))
    def lease(self, by: str, number: int, used: str | None) -> None:
        """The platform takes a lease of what trades may give away, and says what it used of an earlier one."""
        earlier = pick(self.alice.everything().meter.leases, number)
        self.ask(OrderLease("BTC/USDT", earlier, used), self.session(by))

    @rule(used=st.sampled_from((None, "0", "1.5")), late=st.sampled_from((0, 1, 2, 11, 3600)))
    def leases_in_peace(self, used: str | None, late: int) -> None:
        """The owner trades a pair he knows, long after whatever was odd, and the platform settles lease after lease."""
        for wait in (5 * DAY, 25 * HOUR):
            self.ask(OrderPlace(f"p{self.alice.now}", "BTC/USDT", "buy", "1", "1"), self.session("owner"))
            self.alice.deliver()
            self.tick(wait)
        session = self.session("owner")
        for _ in range(2):
            self.tick(31 * MINUTE)
            self.ask(ChangeCancel("none"), session)
        for _ in range(3):
            earlier = pick(self.alice.everything().meter.leases, -1)
            self.ask(OrderLease("BTC/USDT", earlier, used), session)
            self.tick(late * 1000)

    @precondition(lambda self: self.alice.head.closed)
    @rule(number=nth)
    def open_again(self, number: int) -> None:
        """The owner opens to trading what was closed."""
        subject = pick(self.alice.head.closed, number)
        if subject in self.alice.head.closed:
            self.ask(LimitSet(trades=subject), self.session("owner"), self.proofs("owner", "good"))

    @rule(
        market=st.sampled_from(
            ({}, {}, {"half_range_ppm": 4_000}, {"storm_ppm": 9_000}, {"at": 0}, {"quote_at": 0}, None)
        )
    )
    def market_moves(self, market: dict[str, int] | None) -> None:
        """The feed of pairs swings, stops, or loses a price."""
        self.alice.market = market

    @rule(usd=amount, to=place)
    def owner_pays(self, usd: str, to: str) -> None:
        """The owner pays someone, with everything he can show."""
        self.alice.pay(usd, to, self.session("owner"))

    @rule(usd=amount, to=place)
    def thief_pays(self, usd: str, to: str) -> None:
        """The thief does, with what he has."""
        self.alice.pay(usd, to, self.session("thief"), *self.proofs("thief", "good"))

    @rule(by=who, how=style, scopes=st.sampled_from(((ev.Scope.WITHDRAW,), (ev.Scope.TRADE,))))
    def make_key(self, by: str, how: str, scopes: tuple[ev.Scope, ...]) -> None:
        """Someone makes an API key."""
        made = ApiKeyCreate(sealed("bot"), scopes, (sealed("203.0.113.7"),), secret=sealed("key"))
        self.ask(made, self.session(by), self.proofs(by, how))

    @precondition(lambda self: self.alice.head.api_keys)
    @rule(what=st.tuples(st.sampled_from(KINDS), amount), to=place, number=nth, signed=signing, how=style)
    def ask_by_key(self, what: tuple[str, str], to: str, number: int, signed: dict[str, Any], how: str) -> None:
        """A program asks to let value leave, or whoever stole its key does."""
        kind, usd = what
        self.alice.key_fact = {name: self.alice.now + one if name == "at" else one for name, one in signed.items()}
        action = ExitRequest(kind, "USD", usd, address=destination(to), network="bitcoin")
        if kind in {"internal_transfer", "gift"}:
            action = replace(action, address=None, network=None, counterparty=destination("bob"))
        other = "bob" if action.counterparty else ""
        actor = Actor(ActorKind.API_KEY, key=pick(self.alice.head.api_keys, number))
        self.ask(action, actor, self.proofs("owner", how) if how != "none" else (), counterparty=other)
        self.alice.key_fact = {}

    @precondition(lambda self: self.alice.head.api_keys and self.alice.head.exits)
    @rule(number=nth)
    def cancel_by_key(self, number: int) -> None:
        """A program stops what waits, or whoever stole its key does."""
        actor = Actor(ActorKind.API_KEY, key=pick(self.alice.head.api_keys, number))
        self.ask(ExitCancel(pick(self.alice.head.exits, number)), actor)

    @precondition(lambda self: self.alice.head.api_keys)
    @rule(by=who, number=nth, on=st.booleans(), how=style)
    def suspend_key(self, by: str, number: int, how: str, *, on: bool) -> None:
        """A key is stopped, or asked to go on."""
        proofs = () if on else self.proofs(by, how)
        self.ask(ApiKeySuspend(pick(self.alice.head.api_keys, number), on), self.session(by), proofs)

    @precondition(lambda self: self.alice.head.api_keys)
    @rule(number=nth)
    def revoke_key(self, number: int) -> None:
        """A key is ended."""
        self.ask(ApiKeyRevoke(pick(self.alice.head.api_keys, number)), self.session("owner"))

    @precondition(lambda self: self.alice.head.exits)
    @rule(hours=st.sampled_from((0, 1, 23, 24, 25, 48, 71, 72, 73, 96)), told=st.booleans())
    def release_after(self, hours: int, *, told: bool) -> None:
        """The platform comes back for every held exit after a while."""
        if told:
            self.alice.deliver()
        self.tick(hours * HOUR)
        for name in self.alice.head.exits:
            self.ask(ExitRelease(name), PLATFORM, counterparty="bob")

    @rule(member=st.sampled_from(("lena", "luc", "liv")), takes_back=st.sampled_from((False, False, True)))
    def authority_orders(self, member: str, *, takes_back: bool) -> None:
        """An authority's order comes in and two carry it out, or somebody wants it taken back."""
        office = Office(self.alice)
        if takes_back:
            office.rejects(member)
            return
        office.orders(days=1)
        office.calls_back()
        office.approves("lena")
        office.approves("luc")
        office.releases(member)

    @precondition(lambda self: self.alice.head.exits)
    @rule(number=nth, to=st.sampled_from(("bob", "")))
    def platform_releases(self, number: int, to: str) -> None:
        """The platform asks to let a held exit go."""
        self.ask(ExitRelease(pick(self.alice.head.exits, number)), PLATFORM, counterparty=to)

    @rule(usd=st.sampled_from(("60", "900", "9000", "50000")), by=who)
    def sell(self, usd: str, by: str) -> None:
        """Someone makes a P2P order, with everything he can show."""
        action = ExitRequest("p2p_sale", "USD", usd, counterparty=destination("bob"))
        self.ask(action, self.session(by), self.proofs(by, "good"), counterparty="bob")

    @precondition(lambda self: self.alice.head.exits)
    @rule(number=nth)
    def buyer_pays(self, number: int) -> None:
        """The platform says that the buyer of a sale, or of something else, has paid."""
        self.ask(ExitSettle(pick(self.alice.head.exits, number), "bank", "paid"), PLATFORM)

    @precondition(lambda self: self.alice.head.exits)
    @rule(
        number=nth,
        to_buyer=st.booleans(),
        members=st.sampled_from((("tess", "ines"), ("tess", "ines"), ("tess", "tess"), ("tess",))),
        fact=st.sampled_from(({}, {}, {}, {"roles": ("support",)}, {"involved": True}, {"fault": "session_ended"})),
    )
    def staff_decides(self, number: int, members: tuple[str, ...], fact: dict[str, Any], *, to_buyer: bool) -> None:
        """Some of the staff say how a disputed sale ends, or one that nobody disputes."""
        which = pick(self.alice.head.exits, number)
        for member in members:
            held = self.alice.head.exits.get(which)
            said = held.lock.proposal if held is not None and held.lock is not None else None
            usual = StaffFact(member, ("treasurer",), involved=False, first=said.by if said is not None else "")
            self.alice.staff = replace(usual, **fact)
            action = ExitRelease(which) if to_buyer else ExitCancel(which)
            self.ask(action, Actor(ActorKind.STAFF, key=member), counterparty="bob" if to_buyer else "")
        self.alice.staff = None

    @rule(usd=st.sampled_from(("60", "90", "900", "9000")), by=who, hours=st.sampled_from((0, 0, 1, 30)))
    def buyer_gets_it(self, usd: str, by: str, hours: int) -> None:
        """The owner sells over P2P, the buyer pays, and the owner or a thief hands it over."""
        self.alice.deliver()
        self.sell(usd, "owner")
        number = len(self.alice.head.exits) - 1
        if 0 <= number <= LAST_PICKED:
            self.buyer_pays(number)
            self.tick(hours * HOUR)
            self.owner_releases(by, number, "good")

    @rule(
        usd=st.sampled_from(("60", "60", "90", "900", "9000")),
        days=st.sampled_from((0, 4)),
        paid=st.sampled_from((True, True, False)),
        stop=st.sampled_from((("", 0), ("", 25), ("freeze", 0), ("freeze", 1), ("owner", 1), ("platform", 0))),
        ends=st.sampled_from(("owner", "thief", "staff", "staff gives back")),
    )
    def sale(self, usd: str, days: int, stop: tuple[str, int], ends: str, *, paid: bool) -> None:
        """The owner sells over P2P: paid or not, stopped or not, let go at once or later, by him or somebody else."""
        self.long_pause(days) if days else self.alice.deliver()
        before = set(self.alice.head.exits)
        self.sell(usd, "owner")
        number = len(self.alice.head.exits) - 1
        if set(self.alice.head.exits) == before or number > LAST_PICKED:
            return
        if paid:
            self.buyer_pays(number)
        self.tick(stop[1] * HOUR)
        if stop[0] == "freeze":
            self.freeze(0, "link")
        elif stop[0]:
            self.cancel_exit(number, by_platform=stop[0] == "platform")
        if ends.startswith("staff"):
            self.staff_decides(number, ("tess", "ines"), {}, to_buyer=ends == "staff")
        else:
            self.owner_releases(ends, number, "good")

    @precondition(lambda self: self.alice.head.exits)
    @rule(by=who, number=nth, how=style)
    def owner_releases(self, by: str, number: int, how: str) -> None:
        """Someone asks to end a hold early, and answers with a contact's code."""
        session = self.session(by)
        action = ExitRelease(pick(self.alice.head.exits, number))
        first = self.ask(action, session, self.proofs(by, "good"), counterparty="bob")
        if isinstance(first, StepUp):
            contact = self.alice.head.challenges[first.challenge].contact
            proofs = (*self.proofs(by, how), contact)
            self.ask(action, session, proofs, challenge=first.challenge, counterparty="bob")

    @precondition(lambda self: self.asked)
    @rule(by=who, how=style, same=st.booleans())
    def answer_step_up(self, by: str, how: str, *, same: bool) -> None:
        """The last step-up is answered: for the same action, or for another one."""
        assert self.asked is not None
        request, decision = self.asked
        action = request.action if same else AllowlistSet(on=False)
        again = replace(request, action=action, challenge=decision.challenge)
        self.alice.tokens += isinstance(action, SessionStart)
        self.alice.submit(again, self.alice.facts(again, self.proofs(by, how)))

    @precondition(lambda self: self.alice.head.exits)
    @rule(number=nth, by_platform=st.booleans())
    def cancel_exit(self, number: int, *, by_platform: bool) -> None:
        """A held exit is stopped."""
        self.ask(ExitCancel(pick(self.alice.head.exits, number)), PLATFORM if by_platform else self.session("owner"))

    @precondition(lambda self: self.alice.head.allowed)
    @rule(number=nth)
    def settle(self, number: int) -> None:
        """The platform says that an exit is final."""
        self.ask(ExitSettle(pick(self.alice.head.allowed, number), "ref"), PLATFORM)

    @precondition(lambda self: self.alice.head.allowed)
    @rule(number=nth, usd=st.sampled_from(("0", "1", "400", "30000")))
    def merchant_charges(self, number: int, usd: str) -> None:
        """The platform says what a card payment came to, or says so of something else."""
        charged = pick(self.alice.head.cards or self.alice.head.allowed, number)
        self.ask(ExitSettle(charged, "ref", usd=usd), PLATFORM)

    @precondition(lambda self: self.alice.head.allowed)
    @rule(number=nth, hours=st.sampled_from((0, 0, 1, 23, 30, 80, 168)), by=st.sampled_from((*"pppp", *"o")))
    def signer_was_down(self, number: int, hours: int, by: str) -> None:
        """What was let go was not paid, and the platform asks for a fresh receipt; or somebody else does."""
        self.tick(hours * HOUR)
        which = pick(self.alice.head.allowed, number)
        self.ask(ExitRelease(which), PLATFORM if by == "p" else self.session("owner"), counterparty="bob")

    @rule(
        usd=st.sampled_from(("60", "900", "2000", "9000")),
        what=st.sampled_from((*("withdrawal",) * 2, "fiat_payout", "internal_transfer", "card")),
        to=st.sampled_from(("home", "home", "away", "stranger")),
        hours=st.sampled_from((0, 1, 26, 26, 50, 170)),
        between=st.sampled_from(("", "", "more", "more", "settle", "freeze", "cool", "trip", "list", "limit")),
    )
    def paid_late(self, usd: str, what: str, to: str, hours: int, between: str) -> None:
        """The owner has something let go that is not paid; time passes, things happen, and it is asked for again."""
        self.alice.deliver()
        before = set(self.alice.head.unpaid)
        self.exit("owner", (what, usd), to, "good", (None, None))
        if between == "settle":
            self.settle(len(self.alice.head.allowed) - 1)
        elif between == "freeze":
            self.freeze(0, "link")
        elif between == "cool":
            self.ask(PasswordChange(sealed("newer")), self.session("owner"), self.proofs("owner", "good"))
        self.tick(hours * HOUR)
        if between == "more":
            self.exit("owner", ("withdrawal", "9000"), "home", "good", (None, None))
        elif between == "trip":
            self.facts_change("trip")
        elif between == "list":
            self.alice.lists = (replace(OFAC, listed=True),)
        elif between == "limit":
            self.ask(LimitSet(usd_per_day="900"), self.session("owner"), self.proofs("owner", "good"))
        for which in sorted({*self.alice.head.unpaid, *self.alice.head.allowed} - before)[-2:]:
            self.ask(ExitRelease(which), PLATFORM, counterparty="bob")
        self.alice.lists = (OFAC,)

    @rule(usd=st.sampled_from(("1", "400", "30000")), number=nth)
    def reconcile(self, usd: str, number: int) -> None:
        """A receipt from before a restore is counted, once."""
        self.ask(ExitReconcile(f"receipt {number}", usd), SYSTEM)

    @rule(usd=st.sampled_from(("50", "2000", "90000")))
    def bob_sends(self, usd: str) -> None:
        """Bob sends Alice something inside the platform."""
        target = destination(self.alice.name)
        self.bob_asks(ExitRequest("internal_transfer", "USD", usd, counterparty=target), self.alice.name)
        events, _ = self.bob.elsewhere
        if events:
            self.alice.received(events)

    def bob_asks(self, action: Action, counterparty: str = "") -> None:
        """Bob asks with all he has."""
        bob = self.bob
        self.reads_stops(bob, self.alice)
        alive = [key for key, one in bob.head.sessions.items() if bob.now < one.ends_at()]
        session = alive[0] if alive else bob.sign_in()
        bob.ask(action, session, *bob.head.authenticators, counterparty=counterparty)

    @rule(usd=amount, read=st.booleans())
    def bob_pays(self, usd: str, *, read: bool) -> None:
        """Bob, who may have received something of Alice's, pays out, and waits if he is told to."""
        self.bob.unread = frozenset() if read else frozenset({self.alice.name})
        self.bob_asks(ExitRequest("withdrawal", "USD", usd, address=destination("home"), network="bitcoin"))
        for which in tuple(self.bob.head.exits):
            self.bob.ask(ExitRelease(which), PLATFORM)

    @rule(usd=st.sampled_from(("2000", "20000")), hours=st.sampled_from((0, 1, 23, 25)), later=st.sampled_from((1, 50)))
    def passed_on(self, usd: str, hours: int, later: int) -> None:
        """The thief sends to Bob, the owner stops his account in time or too late, and Bob pays out."""
        action = ExitRequest("internal_transfer", "USD", usd, counterparty=destination("bob"))
        self.ask(action, self.session("owner"), self.proofs("owner", "good"), counterparty="bob")
        self.tick(hours * HOUR)
        self.ask(AccountFreeze(), Actor(ActorKind.LINK, contact=pick(self.alice.head.contacts, 0)))
        for wait in (0, later):
            self.bob.deliver()
            self.tick(wait * HOUR)
            self.bob_pays(usd, read=True)

    @rule(
        micro_usd=st.sampled_from((1, 99 * USD, 100 * USD, 30_000 * USD)),
        hours=st.sampled_from((24, 72)),
        named=st.booleans(),
        stopped=st.sampled_from((None, None, 0, 23 * HOUR, 25 * HOUR)),
    )
    def someone_sends(self, micro_usd: int, hours: int, stopped: int | None, *, named: bool) -> None:
        """A stranger inside the platform sends Alice dust, or more, and is stopped some time after, or never."""
        alice = self.alice
        until, longest = ((-(-alice.now // HOUR) + one) * HOUR for one in (hours, 72))
        self.strangers_stops += () if stopped is None else (alice.now + stopped,)
        sender = (STRANGER, longest) if named else ("", 0)
        alice.received((ev.ValueReceived(alice.now, micro_usd, until, *sender),))

    @rule(
        others=st.sampled_from((None, (), ("v1", "v2"), ("v2", "v3"))),
        hours=st.sampled_from((0, 1, 2)),
        accounts=st.sampled_from((2, 17)),
        gives=st.booleans(),
    )
    def cluster_gains(self, others: tuple[str, ...] | None, hours: int, accounts: int, *, gives: bool) -> None:
        """Somebody robbed gives to Alice, and others to accounts that share her device; or nobody knows of whom."""
        alice, at = self.alice, self.alice.now // HOUR * HOUR
        alice.from_device = (SharedFact("device", 0, accounts, accounts, b"tablet", accounts),)
        alice.counterparty_ties, alice.kin = (b"tablet",), hours == 2
        lost = None if others is None else tuple((one, at - hours * HOUR) for one in others)
        alice.losses = {b"tablet": LossFact(b"tablet", accounts, lost) if lost is not None else None}
        if gives:
            mark = ev.ValueReceived(alice.now, 30_000 * USD, at + 25 * HOUR)
            alice.received((mark, ev.ProceedsSeen(alice.now, "v1", 30_000 * USD)))

    @rule(number=st.integers(0, 9), accounts=st.sampled_from((1, 2, 16, 17, 18)), robbed=st.booleans())
    def deposit_comes(self, number: int, accounts: int, *, robbed: bool) -> None:
        """Something comes in from an address that funds so many, and victims of others there may be."""
        source = f"source {number}".encode()
        self.alice.funded_from = (SharedFact("source", 0, accounts, accounts, source, accounts),)
        lost = (("v2", self.alice.now // HOUR * HOUR), ("v3", self.alice.now // HOUR * HOUR)) if robbed else ()
        self.alice.losses = self.alice.losses | {source: LossFact(source, accounts, lost)}
        self.ask(DepositReceive(), SYSTEM)

    @rule(by=st.sampled_from(("price", "age", "none", "restore", "trip", "unseen", "right")))
    def facts_change(self, by: str) -> None:
        """Prices move, age and vanish; a restored store reconciles; nobody looks at what leaves."""
        self.alice.prices = {} if by == "none" else {"USD": 2 * USD if by == "price" else USD}
        self.alice.price_age_ms = 16 * MINUTE if by == "age" else 0
        self.alice.reconciling = by == "restore"
        self.alice.tripped_at = self.alice.now if by == "trip" else 0
        self.alice.unseen_ms = self.alice.policy.breaker.look_age_s * 1000 + 1 if by == "unseen" else 0

    @rule(
        crowd=st.sampled_from((0, 2, 3)),
        days=st.sampled_from((0, 29, 30)),
        dust=st.sampled_from((None, None, 0, 29, 30)),
        lists=st.sampled_from(("none", "young", "old", "listed")),
    )
    def others_do(self, crowd: int, days: int, dust: int | None, lists: str) -> None:
        """Others enter the same addresses, dust arrives, and lists come, age and name somebody."""
        today = self.alice.now // DAY
        self.alice.shared = (SharedFact("address", today - days, crowd, crowd + 1),) if crowd else ()
        self.alice.dust_day = today - dust if dust is not None else 0
        at = self.alice.now - 15 * DAY if lists == "old" else self.alice.now
        self.alice.lists = () if lists == "none" else (ListFact("ofac", "1", at, lists == "listed"),)

    # Stops

    @rule(
        contact=nth,
        by=st.sampled_from(("link", "owner", "thief", "platform")),
        disown=st.sampled_from((None, None, "burner", "")),
    )
    def freeze(self, contact: int, by: str, disown: str | None = None) -> None:
        """Someone presses stop, and maybe says that a device was not the owner's."""
        link = Actor(ActorKind.LINK, contact=pick(self.alice.head.contacts, contact))
        asking: Actor | bytes = {"link": link, "platform": PLATFORM}.get(by, b"") or self.session(by)
        self.ask(AccountFreeze(disown=disown), asking)

    @precondition(lambda self: self.alice.head.frozen_at)
    @rule(by=who, how=style, mistaken=st.booleans())
    def unfreeze(self, by: str, how: str, *, mistaken: bool) -> None:
        """Someone asks to take the stop off."""
        self.ask(AccountUnfreeze(mistaken), self.session(by), self.proofs(by, how))

    @rule(before=soon, again=st.booleans(), thaws=st.booleans(), after=soon)
    def dispute(self, before: int, *, again: bool, thaws: bool, after: int) -> None:
        """Something new is bound and told, the owner presses stop once or twice, and the new one tries its luck."""
        alice, link = self.alice, Actor(ActorKind.LINK, contact=pick(self.alice.head.contacts, 0))
        answer = self.ask(AuthenticatorBind(TOTP, sealed("x")), self.session("owner"), self.proofs("owner", "good"))
        new = made(answer)
        self.ask(AuthenticatorConfirm(new or "nothing"), self.session("owner"), (new,) if new else ())
        alice.deliver()
        self.tick(before * HOUR)
        for hours in (0, after) if again else (0,):
            self.tick(hours * HOUR)
            self.ask(AccountFreeze(), link)
        if thaws:
            self.thaw()
        self.tick(after * HOUR)
        others = [name for name, one in alice.head.authenticators.items() if one.kind is PASSWORD]
        shown = tuple(name for name in (*others, new) if name in alice.head.authenticators)
        session = self.session("owner")
        self.ask(AccountUnfreeze(), session, shown)
        self.ask(LockSet(48), session, shown)
        alice.pay("50", "home", session, *shown)

    @rule(device=st.sampled_from(("burner", "")), told=st.sampled_from(("never", "late", "first")), hours=soon)
    def made_in_a_cool_off(self, device: str, told: str, hours: int) -> None:
        """A stranger's device signs in and names a beneficiary; its notice arrives, that of the device maybe not."""
        alice = self.alice
        session = self.sign_in("owner", device, "good")
        if told == "first":
            alice.deliver()
        before = {one.notice for one in alice.undelivered()}
        self.tick(10 * MINUTE)
        self.ask(AddressAdd(sealed("mule"), "bitcoin", destination("mule")), session, self.proofs("owner", "good"))
        for notice in alice.undelivered():
            if notice.notice not in before:
                alice.outcome(notice, pick(alice.head.contacts, 0))
        self.tick(hours * HOUR)
        if told == "late":
            alice.deliver()
        for usd in ("50", "101"):
            alice.pay(usd, "mule", self.session("owner"))
            self.tick(2 * HOUR)

    @precondition(lambda self: self.alice.head.changes)
    @rule(number=nth)
    def cancel_change(self, number: int) -> None:
        """A waiting loosening is stopped."""
        self.ask(ChangeCancel(pick(self.alice.head.changes, number)), self.session("owner"))

    # Guards

    @rule(by=who, how=style, kind=st.sampled_from(AuthenticatorKind), prove=st.booleans())
    def bind(self, by: str, how: str, kind: AuthenticatorKind, *, prove: bool) -> None:
        """Someone binds an authenticator, and mostly shows that it works."""
        address = sealed("thief" if by == "thief" else "new") if kind in {SMS, EMAIL} else None
        action = AuthenticatorBind(kind, None if address else sealed("secret"), address)
        answer = self.ask(action, self.session(by), self.proofs(by, how))
        name = made(answer)
        if by == "thief" and name:
            self.thiefs.add(name)
        if prove and name in self.alice.head.authenticators:
            self.ask(AuthenticatorConfirm(name, key_of(kind)), self.session(by), (name,))

    @rule(by=who, how=style, number=nth)
    def confirm_late(self, by: str, how: str, number: int) -> None:
        """Someone shows a proof of what was bound before, or of something else."""
        name = pick(self.alice.head.authenticators, number)
        key = sealed("key") if number % 2 else None
        self.ask(AuthenticatorConfirm(name, key), self.session(by), self.proofs(by, how))

    @rule(by=who, how=style, number=nth, verb=st.sampled_from((AuthenticatorRemove, AuthenticatorReinstate)))
    def loosen_authenticator(self, by: str, how: str, number: int, verb: Any) -> None:  # noqa: ANN401 - a type
        """Someone asks to remove an authenticator or to reinstate it."""
        self.ask(verb(pick(self.alice.head.authenticators, number)), self.session(by), self.proofs(by, how))

    @rule(by=who, number=nth)
    def suspend(self, by: str, number: int) -> None:
        """Someone suspends an authenticator."""
        self.ask(AuthenticatorSuspend(pick(self.alice.head.authenticators, number)), self.session(by))

    @rule(by=who, how=style)
    def change_password(self, by: str, how: str) -> None:
        """Someone replaces the password; from then on it is theirs."""
        answer = self.ask(PasswordChange(sealed(f"new {by}")), self.session(by), self.proofs(by, how))
        if by == "thief" and made(answer):
            self.thiefs.add(made(answer))

    @rule(by=who, how=style, channel=st.sampled_from(Channel), whose=st.sampled_from(("new", "thief", "known")))
    def add_contact(self, by: str, how: str, channel: Channel, whose: str) -> None:
        """Someone names a contact, new or known."""
        address = sealed(f"{self.alice.name} {channel}" if whose == "known" else whose)
        answer = self.ask(ContactAdd(channel, address), self.session(by), self.proofs(by, how))
        name = made(answer)
        if name in self.alice.head.contacts:
            self.ask(ContactConfirm(name), self.session(by), (name,))

    @rule(by=who, how=style, number=nth, verb=st.sampled_from(("confirm", "remove", "recycled", "number", "code")))
    def touch_contact(self, by: str, how: str, number: int, verb: str) -> None:
        """Someone confirms a contact, removes it, or says that it was given to someone else."""
        contact = pick(self.alice.head.contacts, number)
        match verb:
            case "confirm":
                code = self.alice.wrong(contact) if how == "wrong" else self.alice.proof(contact)
                self.ask(ContactConfirm(contact), self.session(by), () if how == "none" else (code,))
            case "remove":
                self.ask(ContactRemove(contact), self.session(by), self.proofs(by, how))
            case "recycled":
                self.ask(ContactReportRecycled(contact), self.session(by), self.proofs(by, how))
            case "number":
                self.ask(ContactReportRecycled(contact), PLATFORM)
            case _:
                self.ask(ContactReportRecycled(authenticator=pick(self.alice.head.authenticators, number)), PLATFORM)

    @rule(
        by=who, how=style, to=place, looks=st.sampled_from(LOOKS), network=st.sampled_from(("bitcoin", "p2p", "bank"))
    )
    def add_address(self, by: str, how: str, to: str, looks: str, network: str) -> None:
        """Someone enters a beneficiary, or one that looks like another."""
        address = None if network == "p2p" and to != "mule" else destination(f"{to}{looks}", looks)
        self.ask(AddressAdd(sealed(to), network, address), self.session(by), self.proofs(by, how))

    @rule(by=who, how=style, to=place, verb=st.sampled_from((AddressRenew, AddressRemove)))
    def touch_address(self, by: str, how: str, to: str, verb: Any) -> None:  # noqa: ANN401 - a type
        """Someone renews a beneficiary or takes it out."""
        self.ask(verb("bitcoin", destination(to)), self.session(by), self.proofs(by, how))

    @rule(by=who, how=style, setting=st.sampled_from(Setting), value=st.sampled_from((0, 1, 100, 700, 5000)))
    def change_setting(self, by: str, how: str, setting: Setting, value: int) -> None:
        """Someone tightens or loosens a setting."""
        actions: dict[Setting, Action] = {
            Setting.ALLOWLIST: AllowlistSet(bool(value)),
            Setting.LOCK_HOURS: LockSet(min(value, 720)),
            Setting.LIMIT_MICRO_USD: LimitSet(None if value == 1 else str(value)),
        }
        self.ask(actions[setting], self.session(by), self.proofs(by, how))

    @rule(
        by=who,
        how=style,
        share=st.sampled_from((0, 10, 90, 99, 100)),
        hours=st.sampled_from((None, 24, 100)),
        number=st.sampled_from((None, 0, 1, 2, 3)),
    )
    def set_vault(self, by: str, how: str, share: int, hours: int | None, number: int | None) -> None:
        """Someone locks a share, or wants less of it locked, with a second person or without."""
        approver = None if number is None else "" if not number else pick(self.alice.head.contacts, number)
        self.ask(VaultSet(share, hours, approver), self.session(by), self.proofs(by, how))

    @rule(share=st.sampled_from((50, 95, 100)), usd=amount, days=st.sampled_from((0, 1, 3, 8)), code=st.booleans())
    def reach_into_vault(self, share: int, usd: str, days: int, *, code: bool) -> None:
        """The owner locks a share behind a second person, asks for some of it, and somebody comes back for it."""
        alice, session = self.alice, self.session("owner")
        approver = pick(alice.head.contacts, 1)
        self.ask(VaultSet(share, 24, approver if code else None), session, self.proofs("owner", "good"))
        alice.pay(usd, "home", session, *self.proofs("owner", "good"))
        if days:
            alice.deliver()
        self.tick(days * DAY)
        for which in list(alice.head.exits)[-1:]:
            self.ask(ExitRelease(which), PLATFORM)
            self.owner_releases("owner", len(alice.head.exits) - 1, "good")
            self.ask(ExitRelease(which), PLATFORM)

    # Sessions

    @rule(by=who, how=style, device=st.sampled_from(("laptop", "laptop", "phone", "burner", "")))
    def new_session(self, by: str, how: str, device: str) -> None:
        """Someone signs in, or tries to."""
        self.sign_in(by, device, how)

    @rule(times=st.integers(2, 6), told=st.booleans())
    def names_no_device(self, times: int, *, told: bool) -> None:
        """The owner signs in again and again through an app that does not say which device it is."""
        for _ in range(times):
            self.sign_in("owner", "", "good")
            if told:
                self.alice.deliver()
            self.tick(HOUR)

    @rule(by=who, number=nth, everywhere=st.booleans())
    def sign_out(self, by: str, number: int, *, everywhere: bool) -> None:
        """Someone signs out, there or everywhere."""
        which = pick(self.alice.head.sessions, number, b"\0" * 16)
        self.ask(SessionEndAll() if everywhere else SessionEnd(which.hex()), self.session(by))

    # What nobody may do

    @precondition(lambda self: self.alice.head.frozen_at)
    @rule()
    def thaw(self) -> None:
        """The owner takes the stop off, and waits for it."""
        self.ask(AccountUnfreeze(), self.session("owner"), self.proofs("owner", "good"))
        self.alice.deliver()
        self.tick(3 * DAY)

    @rule(kind=st.sampled_from(ActorKind), number=nth)
    def wrong_actor(self, kind: ActorKind, number: int) -> None:
        """Anyone asks anything, a platform's key with the owner's proofs among them."""
        actions: tuple[Action, ...] = (
            ExitRequest("withdrawal", "USD", "10", address=destination("thief"), network="bitcoin"),
            AccountUnfreeze(),
            PasswordChange(sealed("new")),
            ContactRemove(pick(self.alice.head.contacts, number)),
            AllowlistSet(on=False),
            NoticeOutcome("1-0", pick(self.alice.head.contacts, number), accepted=True),
            ExitRelease(pick(self.alice.head.exits, number)),
            SessionStart(),
        )
        if kind is not ActorKind.SYSTEM:
            action = actions[number]
            self.alice.tokens += isinstance(action, SessionStart)
            self.ask(action, Actor(kind), self.proofs("owner", "good"))

    @precondition(lambda self: "platform_key" in self.holds)
    @rule(usd=amount, number=nth)
    def platform_key(self, usd: str, number: int) -> None:
        """A thief with the platform's key: an honest owner's exit, dressed in any claim, then a release at once."""
        session = self.session("owner")
        action = ExitRequest("withdrawal", "USD", usd, "0.01", destination("home"), "bitcoin")
        context = Context(equity_micro_usd=10**12 * USD, device="laptop")
        self.ask(action, session, self.proofs("owner", "good"), context=context)
        self.ask(ExitRelease(pick(self.alice.head.exits, number)), PLATFORM, context=context)

    def teardown(self) -> None:
        """At the end both streams hold."""
        for account in (self.alice, self.bob):
            if account.entries:
                account.check_stream()


class OtherStories(Stories):
    """The same from another seed, so that two processes share the work."""


TestStories = Stories.TestCase
TestOtherStories = OtherStories.TestCase
TestStories.settings = TestOtherStories.settings = settings(
    max_examples=2 * settings().max_examples, stateful_step_count=50, suppress_health_check=list(HealthCheck)
)
