"""Two servers on one PostgreSQL, each killed once, and families that ask at every door: law 3 holds all the same.

What was drawn is added up from the log by a sum that knows no meters, and what the platform let go by its own books.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import httpx
import msgspec
import pyotp
from tests.contracts.conftest import Place
from tests.service.house import HOME, PASSWORD, PLATFORM, RECEIPTS, STEP, Customer, House
from tests.service.servers import DEADLINE_S, TRIES, Said, admitted, before_now, now, question, serving

from holdback.client import (
    CREATE_RECEIPTS_SQL,
    ISSUER,
    Keys,
    ReceiptUsed,
    TradeLease,
    by_secret,
    consume,
    signed_actor,
    verify_receipt,
)
from holdback.core import events as ev
from holdback.core.events import DAY, HOUR, MINUTE, Lane
from holdback.pair_index import PairIndex
from holdback.ports import Price
from holdback.receipts import ReceiptKeys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from tests.service.servers import Server

SEEDS: Final = (3, 20, 61, 84)
"""One family each. Of the odd ones exits wait that a new phone cooled; the even ones may take leases, and sweep."""
CLIENTS: Final = 12
APPS: Final = 9
LEASES: Final = 4
USD: Final = 1_000_000
DAY_USD: Final = 50_000
"""5 % of the million dollars that every family owns: what may go to others than long-standing beneficiaries a day."""
KINDS: Final = ("withdrawal", "fiat_payout", "internal_transfer", "gift", "p2p_sale", "card", "redemption")
IBAN: Final = "GB33BUKB20201555555555"
PROGRAM_AT: Final = "203.0.113.7"
PAIRS: Final = {"BTC/USDT": 64_000, "ETH/USDT": 3_000}
HALF_RANGE_PPM: Final = 200
TOLERANCE: Final = 3 * HALF_RANGE_PPM / 1_000_000


Asked = tuple[str, dict[str, Any], str, dict[str, Any]]
"""The account and the body of a question, and the account and the action that a receipt would be for."""


class Wish(NamedTuple):
    """A question, the server that it goes to first, and the account and action that a receipt would be for."""

    said: Said
    at: int
    account: str
    action: dict[str, Any]


class Family(Customer):
    """A customer with sub-accounts, an API key, a full book, and more authenticator apps than anybody needs."""

    key: tuple[str, str] = ("", "")
    held: tuple[tuple[str, str, dict[str, Any]], ...] = ()

    def importing(self, counterparty: str = "bob", sign_in_name: str = "") -> dict[str, Any]:
        """As everybody comes, and with all that is said above."""
        known = super().importing(counterparty, sign_in_name)
        bank = [{"name": "bank", "network": "bank", "address": IBAN}]
        opened = [{"name": kind, "network": kind} for kind in ("p2p", "card")]
        return known | {
            "authenticators": [*known["authenticators"], *({"kind": "totp", "secret": one} for one in self._apps())],
            "sub_accounts": ["trading", "savings"],
            "address_book": [*known["address_book"], *bank, *opened],
        }

    def _apps(self) -> list[str]:
        chance = random.Random(self.account)
        return ["".join(chance.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=32)) for _ in range(APPS)]

    def codes(self) -> list[dict[str, str]]:
        """A proof by each of the apps; one app takes none twice."""
        return [
            {
                "kind": "totp",
                "authenticator": f"a1-{place}",
                "response": pyotp.TOTP(one).at(self.house.clock.at // 1000),
            }
            for place, one in enumerate(self._apps(), start=3)
        ]

    async def make_key(self) -> None:
        """An API key for exits."""
        said = {"name": "bot", "scopes": ["withdraw"], "ip_allowlist": [PROGRAM_AT]}
        answer = await self.ask(self.body("api_key.create", proofs=self.proofs(self.code()), **said))
        assert answer["decision"] == "allow", answer
        self.key = answer["id"], answer["enrolment"]["secret"]

    def exit(self, kind: str, usd: int) -> dict[str, Any]:
        """Ask for an exit of a kind, to whom that kind pays."""
        to: dict[str, Any] = {"counterparty": "merchant-7" if kind == "card" else "bob"}
        if kind == "withdrawal":
            to = {"address": HOME, "network": "bitcoin"}
        elif kind in {"fiat_payout", "redemption"}:
            to = {"address": IBAN}
        return self.body("exit.request", kind=kind, asset="USDT", amount=str(usd), usd=str(usd)) | to

    def order(self, number: int, pair: str, chance: random.Random) -> dict[str, Any]:
        """Ask to buy somewhat above the market."""
        price = f"{PAIRS[pair] * (1 + chance.random() / 100):.6f}"
        known = {"order": f"o{number}", "pair": pair, "side": "buy", "price": price, "amount": "0.2"}
        return self.body("order.place", counterparty="bob") | known

    async def asks_early(self, chance: random.Random) -> None:
        """Ask for exits of every kind, which a new phone still cools."""
        held = []
        for code, kind in zip(self.codes(), [*KINDS, *KINDS], strict=False):
            account = f"{self.account}{chance.choice(['', '.trading', '.savings'])}"
            body = self.exit(kind, chance.randrange(2_000, 9_000))
            answer = await self.house.ask(account, body | {"proofs": [code]})
            assert answer["decision"] == "hold", answer
            held.append((account, answer["hold"]["id"], stripped(body)))
        self.held = tuple(held)

    def wishes(self, chance: random.Random) -> list[Wish]:
        """Everything that is asked of this family in the end, at any door, in an order of chance."""
        found = [*self._releases(), *self._proved(chance), *self._signed(chance), *self._trades(chance)]
        chance.shuffle(found)
        return [
            Wish(question(asked, f"{self.account}-{at}", body), chance.randrange(2), account, action)
            for at, (asked, body, account, action) in enumerate(found)
        ]

    def _releases(self) -> Iterator[Asked]:
        """The platform asks twice, for each exit that is held, whether it may go now."""
        for account, which, action in self.held * 2:
            yield self.account, {"action": "exit.release", "which": which, "actor": PLATFORM}, account, action

    def _proved(self, chance: random.Random) -> Iterator[Asked]:
        """The owner asks, and proves it at once."""
        for code in self.codes():
            account = f"{self.account}{chance.choice(['', '.trading'])}"
            body = self.exit(chance.choice(KINDS), chance.randrange(1_000, 9_000))
            proofs = [{"kind": "password", "response": PASSWORD}, code]
            yield account, body | {"proofs": proofs}, account, stripped(body)

    def _signed(self, chance: random.Random) -> Iterator[Asked]:
        """A program asks with the API key."""
        name, secret = self.key
        for nonce in range(1, 9):
            kind = chance.choice(["withdrawal", "fiat_payout", "internal_transfer"])
            action = stripped(self.exit(kind, chance.randrange(100, 5_000)))
            actor = signed_actor(self.account, action, key=name, sign=by_secret(secret), timestamp=now(), nonce=nonce)
            yield self.account, action | {"actor": actor, "context": {"ip": PROGRAM_AT}}, self.account, action

    def _trades(self, chance: random.Random) -> Iterator[Asked]:
        """The owner trades, and moves things to where that is done."""
        for number in range(16):
            bodies = [self.order(number, chance.choice(list(PAIRS)), chance)]
            if number % 4 == 0:
                moved = {"kind": "sweep", "asset": "USDT", "amount": f"{number + 1}"}
                bodies.append(self.body("exit.request") | moved | {"counterparty": "trading"})
            yield from ((self.account, body, self.account, stripped(body)) for body in bodies)


def stripped(body: dict[str, Any]) -> dict[str, Any]:
    """The action of a question, without who asks and how."""
    return {name: value for name, value in body.items() if name not in {"actor", "context", "proofs"}}


class Books:
    """The platform's own: receipts that it verified and consumed, and what it matched, in micro-USD a family."""

    def __init__(self) -> None:
        self._db = sqlite3.connect(":memory:")
        self._db.execute(CREATE_RECEIPTS_SQL)
        self._keys = Keys.parse(msgspec.json.encode(ReceiptKeys.parse(RECEIPTS).jwks()))
        self.gone: Counter[str] = Counter()

    def pay(self, account: str, action: dict[str, Any], jws: str) -> None:
        """Verify a receipt against what was asked, consume it, and pay; what another one paid is paid."""
        at = time.time()
        receipt = verify_receipt(jws, issuer=ISSUER, account=account, action=action, keys=self._keys, now=at, leeway=5)
        try:
            with self._db:
                consume(receipt, self._db, now=at, leeway=5)
        except ReceiptUsed:
            return
        if receipt.kind != "sweep":
            self.gone[account.partition(".")[0]] += int(action["amount"]) * USD

    def match(self, account: str, micro_usd: int) -> None:
        """Match an order that gives away so much."""
        self.gone[account] += micro_usd


class Town:
    """Two servers that die and come back, a house to look into their database with, and who lives there."""

    def __init__(
        self, stack: AsyncExitStack, house: House, start: Callable[[], AbstractAsyncContextManager[Server]]
    ) -> None:
        self.house = house
        self.books = Books()
        self.answered: list[Said] = []
        self.leases: set[tuple[str, str]] = set()
        self.servers: list[Server] = []
        self._killed = False
        self._stack, self._start = stack, start

    async def up(self, number: int) -> None:
        """Start a server, or one in place of a dead one."""
        server = await self._stack.enter_async_context(self._start())
        self.servers[number : number + 1] = [server]
        self._killed = False

    async def fed(self) -> None:
        """Let the feed say what everything is worth now."""
        at = self.house.clock.at
        index = [PairIndex(pair, str(price), at, ((at // MINUTE, HALF_RANGE_PPM),)) for pair, price in PAIRS.items()]
        prices = [Price(pair.partition("/")[0], price * USD, at) for pair, price in PAIRS.items()]
        await self.house.store.put_prices([*prices, Price("USDT", USD, at), *(one.row() for one in index)])

    async def ask(self, said: Said, at: int) -> Said:
        """Ask until somebody answers, at either server by turns; always under the same key."""
        for turn in range(TRIES):
            with suppress(httpx.HTTPError):
                return await self.servers[(at + turn) % 2].once(said)
        raise AssertionError("never answered")

    async def client(self, wishes: list[Wish], dies: int, after: int) -> None:
        """Ask for one thing after the other, and do what is allowed. Whoever gets a certain answer kills a server."""
        while wishes:
            wish = wishes.pop()
            said = await self.ask(wish.said, wish.at)
            self.answered.append(said)
            if len(self.answered) >= after and not self._killed:
                self._killed = True
                self.servers[dies].process.kill()
            if said.decision == "allow":
                await self._do(wish, msgspec.json.decode(said.answer))

    async def _do(self, wish: Wish, answer: dict[str, Any]) -> None:
        """Pay what was allowed; or match half of an order, or none of it, and report that at the other server."""
        if wish.action["action"] != "order.place":
            self.books.pay(wish.account, wish.action, answer["receipt"])
            return
        order, amount = wish.action, "0.1" if int(wish.action["order"][1:]) % 3 else "0"
        gap = float(order["price"]) / PAIRS[order["pair"]] - 1 - TOLERANCE
        self.books.match(wish.account, max(0, int(gap * PAIRS[order["pair"]] * float(amount) * USD)))
        told = {name: order[name] for name in ("order", "pair", "side", "price")} | {"amount": amount}
        body = {"action": "order.report", "actor": PLATFORM, **told}
        self.answered.append(await self.ask(question(wish.account, f"{wish.said.key}-report", body), 1 - wish.at))

    async def lender(self, family: Family, at: int) -> None:
        """Take leases at either server by turns, spend each in this process, and settle it by the next.

        It goes on after the server is dead: what that one granted is good, and is settled at the other.
        """
        body = {name: one for name, one in family.body("order.lease").items() if name in {"actor", "context"}}
        body, since_death = body | {"pair": "BTC/USDT"}, 0
        while since_death < LEASES:
            since_death += self._killed
            asked_at, answer = time.monotonic(), await self._lease(family.account, body, at)
            lease = TradeLease.of(answer, asked_at)
            at += 1
            if lease is None:
                continue
            self.leases.add((family.account, lease.id))
            while lease.allows("BTC/USDT", "buy", PAIRS["BTC/USDT"] * 1.001, 0.5):
                pass
            self.books.match(family.account, lease.used_micro_usd)
            body |= {"settles": lease.id, "used_usd": lease.close()}

    async def _lease(self, account: str, body: dict[str, Any], at: int) -> dict[str, Any]:
        """The answer about a lease; one that a server took to its grave is drawn, and spent by nobody."""
        for turn in range(TRIES):
            with suppress(httpx.HTTPError):
                reply = await self.servers[(at + turn) % 2].http.post(f"/v1/accounts/{account}/leases", json=body)
                reply.raise_for_status()
                answer: dict[str, Any] = reply.json()
                return answer
        raise AssertionError("never answered")


async def aged(house: House) -> list[Family]:
    """Families that could pay anybody, and bob, whom they pay."""
    bob, families = Customer(house, "bob"), [Family(house, f"family{seed}") for seed in SEEDS]
    people = [bob, *families]
    await asyncio.gather(*(one.ask(one.importing("bob" if one is not bob else families[0].account)) for one in people))
    await house.deliver()
    for _ in range(2):  # the first time the device is new
        house.clock.at += 73 * HOUR
        await asyncio.gather(*(one.sign_in(one.code()) for one in people))
        await house.deliver()
    await house.priced()
    house.clock.at += STEP
    for one in families:
        await one.make_key()
    await house.deliver()
    house.clock.at += 73 * HOUR
    return families


@asynccontextmanager
async def town(dsn: str, log: Path) -> AsyncIterator[tuple[Town, list[Family]]]:
    """Families whose exits a new phone cooled until now, and who have traded for a day."""
    place, clock = Place("postgres", dsn), before_now(3 * 73 + 27)
    async with AsyncExitStack() as stack:
        store = place.store(clock.now)
        stack.push_async_callback(store.close)
        await store.migrate()
        key = await admitted(store)
        here = Town(stack, House(store, clock), lambda: serving(place, key, log))
        families = await aged(here.house)
        await here.fed()
        for seed, one in zip(SEEDS, families, strict=True):
            one.device = "phone" if seed % 2 else one.device
            await one.sign_in(one.code())
            for at, pair in enumerate(PAIRS):
                answer = await one.ask(one.order(100 + at, pair, random.Random()) | {"price": str(PAIRS[pair])})
                assert answer["decision"] == "allow", answer
        await here.house.deliver()
        clock.at += 22 * HOUR  # an exit beyond the budget may go a day after it was asked for, and none of these may
        await here.house.priced()
        for seed, one in zip(SEEDS, families, strict=True):
            if seed % 2:
                await one.sign_in(one.code())
                await one.asks_early(random.Random(seed))
        await here.house.deliver()
        clock.at = now() - 90 * MINUTE
        await asyncio.gather(*(one.sign_in(one.code()) for one in families))
        await here.house.deliver()
        clock.at += 45 * MINUTE  # a session that nobody uses ends
        await asyncio.gather(*(one.ask(one.body("change.cancel", which="none")) for one in families))
        clock.at = now()
        await here.fed()
        for number in range(2):
            await here.up(number)
        yield here, families


def drawn(log: Iterable[ev.AnyEvent]) -> Iterator[tuple[int, int]]:
    """When how much was drawn for others, in the log's order; what is given back counts where it had been drawn."""
    locked: dict[str, ev.ExitLocked] = {}
    gone: dict[str, ev.ExitAllowed] = {}
    for event in log:
        match event:
            case ev.ExitLocked():
                locked[event.exit] = event
                yield event.at, event.micro_usd
            case ev.ExitCancelled() if event.exit in locked:
                yield locked[event.exit].at, -locked[event.exit].micro_usd
            case ev.ExitAllowed() if event.lane is not Lane.OWN and not event.drawn_at:
                if event.exit in gone:  # let go once more: it draws now, and not then
                    yield gone[event.exit].at, -gone[event.exit].micro_usd
                gone[event.exit] = event
                yield event.at, event.micro_usd
            case ev.OrderAllowed():
                yield event.at, event.drain.micro_usd
            case ev.OrderReported():
                yield event.placed_at, -event.refund.micro_usd
                yield event.at, event.extra.micro_usd
            case ev.LeaseGranted():
                yield event.at, event.micro_usd
            case ev.LeaseSettled():
                yield event.granted_at, -event.refund_micro_usd
            case _:
                pass


def most_in_a_day(draws: list[tuple[int, int]]) -> int:
    """The most that was drawn in any 24 h, as it stood after any of the draws."""
    return max(
        sum(much for at, much in draws[:length] if end - DAY < at <= end)
        for length in range(1, len(draws) + 1)
        for end in {at for at, _ in draws[:length]}
    )


def test_the_sum_sees_what_a_meter_might_miss() -> None:
    """The sum that judges finds a day that begins anywhere, and what was drawn before it was given back."""
    assert most_in_a_day([(5 * HOUR, 3), (5 * HOUR + DAY - 1, 4), (5 * HOUR + DAY, 1)]) == 7
    assert most_in_a_day([(0, 3), (1, 4), (0, -3), (2, 1)]) == 7


async def test_every_door_at_two_servers(postgres_dsn: str, tmp_path: Path) -> None:
    """Whichever door is asked where, and whoever dies: no 24 h draw more than the budget, and no more is let go."""
    async with town(postgres_dsn, tmp_path / "server.log") as (here, families), asyncio.timeout(DEADLINE_S):
        before = {one.account: Counter(await here.house.story(one.account)) for one in families}
        wishes = [wish for seed, one in zip(SEEDS, families, strict=True) for wish in one.wishes(random.Random(seed))]
        random.Random(str(SEEDS)).shuffle(wishes)
        half = len(wishes) // 2
        for number, part in enumerate((wishes[:half], wishes[half:])):
            await here.fed()
            dies_after = len(here.answered) + len(part) // 3
            lenders = (here.lender(one, number) for seed, one in zip(SEEDS, families, strict=True) if not seed % 2)
            await asyncio.gather(*lenders, *(here.client(part, number, dies_after) for _ in range(CLIENTS)))
            assert await here.servers[number].process.wait()
            await here.up(number)

        answered = list(here.answered)
        assert [await here.ask(said._replace(answer=b""), 0) for said in answered] == answered
        for one in families:
            log = await here.house.happened(one.account, ev.Event)
            draws = list(drawn(log))
            # Near the budget, or nobody contended for it: the same sum would find a budget a tenth smaller overdrawn.
            assert 0.9 * DAY_USD * USD < most_in_a_day(draws) <= DAY_USD * USD
            assert 0 < here.books.gone[one.account] <= sum(much for _, much in draws)
            mine = [said for said in answered if said.account.partition(".")[0] == one.account]
            told = Counter((msgspec.json.decode(said.body)["action"], said.decision) for said in mine)
            happened = Counter(await here.house.story(one.account)) - before[one.account]
            assert {known: happened[known] for known in happened if known[0] != "order.lease"} == told
            granted = {(one.account, event.lease) for event in log if isinstance(event, ev.LeaseGranted)}
            assert {known for known in here.leases if known[0] == one.account} <= granted
            let_go = [said for said in mine if b'"receipt":"' in said.answer and b'"order.' not in said.body]
            assert len(let_go) == len([event for event in log if isinstance(event, ev.ExitAllowed)])
        assert here.leases
        assert await here.house.faults(*before, "bob") == []
