"""The customers' earlier days, lived through by the real service on the real store under a clock that is set.

Whatever a platform says of a customer's past loosens nothing (law 6), so a past cannot be written down: it must have
happened. Here it did, question by question, with each notice accepted before the next.
"""

from __future__ import annotations

import json
import secrets
import time
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from holdback import wiring
from holdback.client import by_secret, signed_actor
from holdback.core.events import DAY, MINUTE, Channel
from holdback.core.policy import MICRO
from holdback.demo.cast import STEP_S, Victim
from holdback.intake import BadRequest
from holdback.outbox import Outbox
from holdback.pair_index import PairIndex
from holdback.ports import Price
from holdback.service import Question

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdback.core.events import Instant
    from holdback.demo.cast import Cast, Customer
    from holdback.ports import KeyRow, Message
    from holdback.wiring import Settings

BTC_USD: Final = 60_000
USUAL: Final = "0.05"
"""What each customer is used to withdraw, in BTC."""

BROWSER: Final = "Mozilla/5.0 (demo)"
"""What everybody browses with."""

IMPORTED_D: Final = 400
MET_D: Final = 390
ADDED_D: Final = 90
LET_IN_D: Final = 5
KEY_D: Final = 8
TRADED_D: Final = 1
PAIR: Final = "BTC/USDT"
PAID_D: Final = (80, 60, 45, 30, 20, 10)
SIGNED_IN_M: Final = 12
"""How long ago Alice signed in, in minutes: her session is what is stolen."""

EQUITY_USD: Final = "180000"


class PastFailed(Exception):
    """Something that must have happened was refused; the message says what and why."""


class _PostOffice:
    """Accepts every letter of the past, and keeps none."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    async def send(self, message: Message) -> None:
        """Accept it."""

    async def close(self) -> None:
        """Nothing is open."""


class Past:
    """Days gone by on one store, until `close`. Example: `session = await Past(settings).live_through(cast, [])`."""

    def __init__(self, settings: Settings) -> None:
        """Open the store, with a clock of its own."""
        self._now: Instant = 0
        self._today = int(time.time() * 1000)
        self._store = wiring.open_store(settings, clock=lambda: self._now)
        self._service = wiring.build_service(settings, self._store, clock=lambda: self._now)
        senders = {channel: _PostOffice(channel) for channel in (Channel.EMAIL, Channel.SMS)}
        self._outbox = Outbox(self._service, senders, settings.public_url)

    async def live_through(
        self, cast: Cast, keys: list[KeyRow], *others: Cast, robbed: Sequence[Customer] = ()
    ) -> tuple[str, list[Victim]]:
        """Make the schema and the platform keys, live through everyone's days, and give Alice's session token.

        `others` live at the same time: nobody's past may begin after another's, for prices do not go back in time. So
        do those who are to be `robbed`, more quietly; what there is to steal of them is given, too.
        """
        try:
            await self._store.migrate()
            for key in keys:
                await self._store.put_key(key)
            await self._grow_up([customer for one in (cast, *others) for customer in one], robbed)
            programs = await self._run_programs(robbed)
            await self._at(self._today - SIGNED_IN_M * MINUTE)
            for one in others:
                await self._sign_in(one.alice)
            victims = [Victim(one, await self._sign_in(one), *programs[one.account]) for one in robbed]
            return await self._sign_in(cast.alice), victims
        finally:
            await self._store.close()

    async def let_in(self, member: str, role: str, passkey: str) -> str:
        """Have let somebody in days ago, by the public half of a passkey that was just made; why not, or nothing.

        A notice that the running server took in hand first was accepted today, and the wait began today. That is rare,
        and told as a refusal: another id has the wait behind it.
        """
        self._now = self._today - LET_IN_D * DAY
        fields = {"roles": [role], "name": member, "passkey": passkey, "email": f"{member}@desk.example"}
        try:
            answer = json.loads(await self._service.install(member, fields))
            if answer["decision"] != "allow":
                return str(answer["reasons"][0]["text"])
            if not await self._outbox.deliver_due():
                return "The server told of it before it could be told in the past. Take another id."
        except BadRequest as error:
            return str(error)
        finally:
            await self._store.close()
        return ""

    async def _grow_up(self, everybody: list[Customer], robbed: Sequence[Customer]) -> None:
        """Come to Holdback, be met on one device, enter a wallet, and pay it now and then: all of them, day by day."""
        for customer in (*everybody, *robbed):
            await self._at(self._today - IMPORTED_D * DAY)
            await self._ask(customer, imported(customer), {"kind": "platform"})
        for customer in (*everybody, *robbed):
            await self._at(self._today - MET_D * DAY)
            await self._sign_in(customer)
        for customer in everybody:
            await self._at(self._today - ADDED_D * DAY)
            entry = {"action": "address.add", "name": "cold wallet", "network": "bitcoin", "address": customer.wallet}
            await self._with_session(customer, entry)
        for days, customer in product(PAID_D, everybody):
            await self._at(self._today - days * DAY)
            await self._with_session(customer, withdrawal(customer.wallet, USUAL))

    async def _run_programs(self, robbed: Sequence[Customer]) -> dict[str, tuple[str, str]]:
        """Give everybody's trading program a key, and have it trade once: the keys and their secrets, by account."""
        made = {}
        for customer in robbed:
            await self._at(self._today - KEY_D * DAY)
            created = await self._with_session(
                customer, {"action": "api_key.create", "name": "bot", "scopes": ["trade"]}
            )
            made[customer.account] = (str(created["id"]), str(created["enrolment"]["secret"]))
        for customer in robbed:
            await self._at(self._today - TRADED_D * DAY)
            await self._store.put_prices([PairIndex(PAIR, str(BTC_USD), self._now, ((self._now // MINUTE, 0),)).row()])
            order = {"action": "order.place", "order": "o-1", "pair": PAIR, "side": "buy", "price": str(BTC_USD)}
            order["amount"] = "0.01"
            key, secret = made[customer.account]
            actor = signed_actor(
                customer.account,
                order,
                key=key,
                sign=by_secret(secret),
                timestamp=self._now,
                nonce=self._now * 1000,
            )
            await self._ask(customer, order, actor)
        return made

    async def _at(self, instant: Instant) -> None:
        """Go to an instant, at which the price is known and somebody watches what leaves."""
        self._now = instant
        await self._store.say_looked()
        await self._store.put_prices([Price("BTC", BTC_USD * MICRO, instant), Price("USDT", MICRO, instant)])

    async def _sign_in(self, customer: Customer) -> str:
        answer = await self._ask(customer, {"action": "session.start"}, {"kind": "owner"}, self._proofs(customer))
        return str(answer["session"]["token"])

    async def _with_session(self, customer: Customer, action: dict[str, Any]) -> dict[str, Any]:
        """Sign in, and a code later do this; what was answered."""
        token = await self._sign_in(customer)
        self._now += 2 * STEP_S * 1000
        return await self._ask(customer, action, {"kind": "owner", "session": token}, self._proofs(customer))

    def _proofs(self, customer: Customer) -> list[dict[str, str]]:
        return [
            {"kind": "password", "response": customer.password},
            {"kind": "totp", "response": customer.authenticator.code_at(self._now / 1000)},
        ]

    async def _ask(
        self,
        customer: Customer,
        action: dict[str, Any],
        actor: Mapping[str, object],
        proofs: list[dict[str, str]] | None = None,
    ) -> dict[str, Any]:
        context = {"device": customer.device, "ip": customer.home, "user_agent": BROWSER}
        body = action | {"actor": actor, "context": context, "proofs": proofs or []}
        question = Question("exchange", customer.account, body, secrets.token_hex(8), json.dumps(body).encode())
        answer: dict[str, Any] = json.loads(await self._service.ask(question))
        if answer["decision"] != "allow":
            why = ", ".join(reason["code"] for reason in answer["reasons"])
            raise PastFailed(f"{action['action']} of {customer.account} was answered {answer['decision']}: {why}")
        while await self._outbox.deliver_due():
            pass
        return answer


def withdrawal(address: str, amount: str) -> dict[str, Any]:
    """A withdrawal as the exchange asks for it."""
    order = {"action": "exit.request", "kind": "withdrawal", "asset": "BTC", "amount": amount}
    return order | {"network": "bitcoin", "address": address}


def imported(customer: Customer, equity_usd: str = EQUITY_USD) -> dict[str, Any]:
    """What the exchange knew of a customer on the day it put him under protection."""
    return {
        "action": "account.import",
        "name": customer.email,
        "authenticators": [
            {"kind": "password", "secret": customer.password},
            {"kind": "totp", "secret": customer.authenticator.secret},
            {"kind": "sms", "address": customer.phone},
        ],
        "contacts": [
            {"channel": "email", "address": customer.email},
            {"channel": "sms", "address": customer.phone},
        ],
        "equity_usd": equity_usd,
    }
