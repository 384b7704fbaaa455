"""A whole Holdback in one process, with a clock that is moved by hand, and customers who have a past in it.

Everything is real but three things: the clock, the mailboxes (`Post`, a fake that keeps what it accepts), and chance
where a test names it. What is asked goes through `Service.ask`, as from the API.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec
import pyotp
from argon2 import PasswordHasher

from holdback import audit, cli, wiring
from holdback.addresses import invented
from holdback.core.events import DAY, HOUR, Channel, decode_events
from holdback.outbox import Outbox
from holdback.ports import Price, Wanted
from holdback.receipts import ReceiptKeys
from holdback.service import Question

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pytest
    from tests.contracts.conftest import Place

    from holdback.audit import Fault
    from holdback.core import events as ev
    from holdback.core.events import Instant
    from holdback.core.state import Head
    from holdback.ports import Message, Store

NOW: Final = 20_000 * DAY + 9 * HOUR
"""A morning in October 2024. Tests that are not about years begin here."""

STEP: Final = 30_000
"""How long one TOTP code stands, in ms."""

CALLER: Final = "backend"
PASSWORD: Final = "correct horse battery staple"
CHEAP: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD_HASH: Final = CHEAP.hash(PASSWORD)
"""Handed over as other systems hand theirs over, and so cheap that a test may sign in hundreds of people."""
URL: Final = "https://id.example"
HOME: Final = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
STRANGER: Final = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
NEW_MAIL: Final = "somewhere@else.example"
PLATFORM: Final[dict[str, Any]] = {"kind": "platform"}

NETWORKS: Final = wiring.load_policy("default").networks

RING: Final = "1:" + base64.b64encode(bytes(range(32))).decode()
RECEIPTS: Final = ReceiptKeys.generate().to_json()


def somewhere(name: str, network: str = "bitcoin") -> str:
    """An address of a network, always the same of one name, that nobody has the key of."""
    return invented(NETWORKS[network], name)


class Hands:
    """A clock that stands still until it is moved; both sources of time may share one."""

    def __init__(self, at: Instant = NOW) -> None:
        self.at = at

    def now(self) -> Instant:
        """What time it is."""
        return self.at


class Post:
    """A mailbox that stands for a channel: it keeps what it accepts. `mood` may raise instead, before or after that."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.accepted: list[Message] = []
        self.before: Callable[[Message], None] = lambda _: None
        self.after: Callable[[Message], None] = lambda _: None

    async def send(self, message: Message) -> None:
        """See ports.Sender."""
        self.before(message)
        self.accepted.append(message)
        self.after(message)

    async def close(self) -> None:
        """See ports.Sender."""

    def to(self, address: str) -> list[Message]:
        """What reached one address, the newest last."""
        return [one for one in self.accepted if one.to == address]


async def command(monkeypatch: pytest.MonkeyPatch, place: Place, *words: str) -> int:
    """Run one command of `holdback` on a store, with the keys of this house; the status it ends with."""
    monkeypatch.setenv("HOLDBACK_STORE", place.at if place.kind == "postgres" else f"sqlite:{place.at}")
    monkeypatch.setenv("HOLDBACK_MASTER_KEYS", RING)
    monkeypatch.setenv("HOLDBACK_RECEIPT_KEYS", RECEIPTS)
    status = await asyncio.to_thread(cli.app, words, result_action="return_value")
    return int(str(status))


def settings(ring: str = RING, receipts: str = RECEIPTS) -> wiring.Settings:
    """What the service is wired by."""
    return wiring.Settings(master_keys=ring, receipt_keys=receipts, public_url=URL, password_threads=1)


class House:
    """A service and its outbox over one store, and the mailboxes it delivers to."""

    def __init__(
        self,
        store: Store,
        clock: Hands,
        *,
        given: wiring.Settings | None = None,
        second: Hands | None = None,
        hasher: PasswordHasher | None = None,
    ) -> None:
        self.store = store
        self.clock = clock
        self.settings = given or settings()
        self.service = wiring.build_service(self.settings, store, (second or clock).now, hasher or CHEAP)
        self.post = {channel: Post(channel) for channel in Channel}
        self.outbox = Outbox(self.service, self.post, URL)
        self.looked_at = 0
        self.looking: asyncio.Future[None] | None = None
        self.is_watched = True

    def restarted(self, store: Store) -> House:
        """The same house after its process ended: what only memory knew is gone."""
        return House(store, self.clock, given=self.settings)

    async def ask(self, account: str, body: dict[str, Any], key: str = "") -> dict[str, Any]:
        """Ask as the platform's backend does, and read the answer."""
        answer: dict[str, Any] = msgspec.json.decode(await self.answer(account, body, key))
        return answer

    async def answer(self, account: str, body: dict[str, Any], key: str = "") -> bytes:
        """The same; the answer as it was sent. What leaves is watched, as wherever a server runs."""
        if self.is_watched and abs(self.clock.at - self.looked_at) > STEP:
            self.looked_at = self.clock.at
            self.looking = asyncio.ensure_future(self.store.say_looked())
        if self.looking is not None:  # whoever asks at the same moment waits for it as well, to share a batch
            await asyncio.shield(self.looking)
        return await self.service.ask(Question(CALLER, account, body, key, msgspec.json.encode(body)))

    async def deliver(self, rounds: int = 20) -> None:
        """Send what is due until nothing is."""
        for _ in range(rounds):
            if not await self.outbox.deliver_due():
                return
        raise AssertionError("the outbox never comes to an end")

    async def priced(self, asset: str = "USDT", usd: int = 1) -> None:
        """Let the operator's feed say what an asset is worth now."""
        await self.store.put_prices([Price(asset, usd * 1_000_000, self.clock.at)])

    async def head(self, account: str) -> Head:
        """How an account stands, after a check of its MAC."""
        loaded = await self.store.read([Wanted(account)])
        return self.service.tools.snapshots.head(loaded.snapshots[account])

    async def faults(self, *accounts: str, heads: dict[int, bytes] | None = None) -> list[Fault]:
        """What `holdback verify` would say of these accounts."""
        found: list[Fault] = []
        for account in accounts:
            found += await audit.check(self.store, self.service.tools.snapshots, account, heads)
        return found

    async def story(self, account: str) -> list[tuple[str, str]]:
        """What was asked of an account and how it was decided, in order."""
        told = await audit.timeline(self.store, account, 0, 10_000)
        return [(one.decided.action, one.decided.decision) for one in told]

    async def happened(self, account: str, kind: type[ev.Event]) -> list[Any]:
        """All events of a kind in an account's log."""
        entries = await audit.stream(self.store, account)
        return [event for entry in entries for event in decode_events(entry.body) if isinstance(event, kind)]

    def messages(self) -> Counter[str]:
        """How often each message was accepted, by its id."""
        return Counter(one.id for post in self.post.values() for one in post.accepted)


def code_in(message: Message) -> str:
    """The code that a message carries."""
    found = re.search(r"\b\d{8}\b", message.text)
    assert found, message.text
    return found[0]


def token_in(message: Message) -> str:
    """The token of a message's freeze link."""
    return parse_qs(urlsplit(message.freeze_url).query)["t"][0]


async def dump(store: Store) -> list[bytes]:
    """Everything in a store, but for the record that says when it was copied and the digest that covers it."""
    records = [record async for record in store.dump()]
    return records[1:-1]


@dataclass
class Customer:
    """A person with an account: what they know and hold, and how they ask."""

    house: House
    account: str
    secret: str = field(default_factory=pyotp.random_base32)
    device: str = "laptop"
    session: str = ""

    @property
    def mail(self) -> str:
        """The address the account began with."""
        return f"{self.account}@example.com"

    def code(self) -> str:
        """What the authenticator app shows now."""
        return pyotp.TOTP(self.secret).at(self.house.clock.at // 1000)

    def next_code(self) -> str:
        """Wait for a code that nobody has seen before."""
        self.house.clock.at += STEP
        return self.code()

    def proofs(self, code: str = "", *, password: bool = True) -> list[dict[str, str]]:
        """The strongest proof this account can show: by default with a code that was never shown."""
        shown = [{"kind": "password", "response": PASSWORD}] if password else []
        return [*shown, {"kind": "totp", "response": code or self.next_code()}]

    def body(self, action: str, *, proofs: Iterable[dict[str, str]] = (), **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
        """A question of the owner's, from the session there is."""
        actor = {"kind": "owner", "session": self.session} if self.session else {"kind": "owner"}
        envelope = {"actor": actor, "context": {"device": self.device}, "proofs": list(proofs)}
        return {"action": action, **envelope, **fields}

    def withdrawal(self, usd: int, *, to: str = HOME, proofs: Iterable[dict[str, str]] = ()) -> dict[str, Any]:
        """Ask to pay so many dollars to an address."""
        destination = {"address": to, "network": "bitcoin"}
        return self.body(
            "exit.request", kind="withdrawal", asset="USDT", amount=str(usd), usd=str(usd), proofs=proofs, **destination
        )

    def importing(self, counterparty: str = "bob", sign_in_name: str = "") -> dict[str, Any]:
        """The platform's question that brings this customer under protection."""
        return {
            "action": "account.import",
            "actor": PLATFORM,
            "name": sign_in_name or self.mail,
            "authenticators": [
                {"kind": "password", "secret": PASSWORD_HASH},
                {"kind": "totp", "secret": self.secret},
            ],
            "contacts": [{"channel": "email", "address": self.mail}, {"channel": "push", "address": self.account}],
            "sub_accounts": ["trading"],
            "equity_usd": "1000000",
            "address_book": [
                {"name": "home", "network": "bitcoin", "address": HOME},
                {"name": "friend", "network": "internal", "address": counterparty},
            ],
        }

    async def ask(self, body: dict[str, Any], key: str = "") -> dict[str, Any]:
        """Ask a question about this account."""
        return await self.house.ask(self.account, body, key)

    async def sign_in(self, code: str = "") -> None:
        """Begin a session by the strongest proof."""
        self.session = ""
        answer = await self.ask(self.body("session.start", proofs=self.proofs(code)))
        assert answer["decision"] == "allow", answer
        self.session = answer["session"]["token"]


async def settled(house: House, *accounts: str) -> list[Customer]:
    """Customers whose imports, address books, contacts and devices are all ripe, and who have just signed in.

    Each may pay the next one, and the last one the first.
    """
    people = [Customer(house, account) for account in accounts]
    friends = [*people[1:], people[0]]
    await asyncio.gather(*(one.ask(one.importing(two.account)) for one, two in zip(people, friends, strict=True)))
    await house.deliver()
    for _ in range(2):  # the first time the device is new, and cools what strangers could drain
        house.clock.at += 73 * HOUR
        await asyncio.gather(*(one.sign_in(one.code()) for one in people))
        await house.deliver()
    await house.priced()
    return people
