"""Three thefts that happened to people, step by step, each tried in earnest against the exchange and its Holdback.

No answer is written down here: a step is what somebody does, and what comes of it is what the servers said.
"""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import httpx

from holdback.client import by_secret, signed_actor
from holdback.demo.cast import Authenticator, Customer
from holdback.demo.past import PAIR, imported
from holdback.demo.story import Person
from holdback.exchange.books import PLACES
from holdback.exchange.deposits import deposit_address

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdback.demo.cast import Victim
    from holdback.demo.mailbox import Letter, Letters
    from holdback.exchange.books import Books

THIEF: Final = "The thief"
OWNER: Final = "The owner"
LOOT: Final = "2.4"
"""Nearly all that a victim has, in BTC."""
GUESSED: Final = "314159"
THIN: Final = "DOVE/USDT"
"""A pair that the exchange does not trade itself, and hardly anybody else."""
FAIR_USD: Final = "0.50"
DEAR_USD: Final = "4.00"
STOCK: Final = {"DOVE": 40_000 * 10**PLACES, "USDT": 100 * 10**PLACES}
"""What the account that the thief trades from has."""

Answer = dict[str, Any]


class House(NamedTuple):
    """What an incident is played in: both servers, the owners' mailbox, and what the demo alone may do."""

    exchange: httpx.Client
    holdback: httpx.Client
    letters: Letters
    books: Books
    platform_key: str


class Robbery:
    """One victim and one thief, who has of him what the incident begins with."""

    def __init__(self, house: House, victim: Victim) -> None:
        """Meet them."""
        self.house = house
        self.victim = victim
        self.owner = victim.customer
        # A laptop, a network and an address of this thief's own: those of earlier ones are known by now.
        name = secrets.token_hex(4)
        self.laptop, self.network = f"laptop-{name}", f"198.51.100.{1 + secrets.randbelow(254)}"
        self.address = deposit_address(name, "bc")
        self.stranger = Person(house.exchange, self.laptop, self.network)
        self.intruder = Person(house.exchange, self.owner.device, self.network, victim.session)
        self.mule: Person | None = None
        self.offered = ""

    def letters(self) -> list[Letter]:
        """What the owner was told by now, oldest first."""
        return self.house.letters.to(self.owner.email, self.owner.phone)

    def freezing(self) -> str:
        """The latest freeze link that the owner was sent by mail, or nothing."""
        links = [letter.freeze_url for letter in self.house.letters.to(self.owner.email) if letter.freeze_url]
        return links[-1] if links else ""

    def sign_in(self, *proofs: dict[str, str], **more: object) -> Answer:
        """Sign in as the owner from the thief's laptop, and keep the session if there is one."""
        answer = self.stranger.post("/sign-in", {"name": self.owner.email, **more}, *proofs)
        session = answer.get("session")
        if session:
            self.intruder = Person(self.house.exchange, self.laptop, self.network, str(session["token"]))
        return answer

    def ask_holdback(self, account: str, action: Answer) -> Answer:
        """Ask as the exchange does."""
        headers = {"Authorization": f"Bearer {self.house.platform_key}", "Idempotency-Key": secrets.token_hex(16)}
        url = f"/v1/accounts/{account}/actions"
        answer: Answer = self.house.holdback.post(url, json=action, headers=headers).json()
        return answer

    def is_frozen(self) -> bool:
        """Whether the owner has stopped everything."""
        headers = {"Authorization": f"Bearer {self.house.platform_key}"}
        stands = self.house.holdback.get(f"/v1/accounts/{self.owner.account}", headers=headers).json()
        return stands.get("freeze") is not None

    def end(self) -> None:
        """Leave nothing that the next robbery would meet."""
        if self.mule is not None and self.offered:
            with suppress(httpx.HTTPError, ValueError):
                self.mule.post(f"/orders/{self.offered}/take-back", {})
        self.offered = ""


class Step(NamedTuple):
    """What somebody does. `tells` says that the owner is told of it, so a letter is waited for."""

    who: str
    title: str
    about: str
    act: Callable[[Robbery], Answer]
    tells: bool = False


class Incident(NamedTuple):
    """A theft: what happened to somebody, what the thief has to begin with, and what is tried."""

    id: str
    title: str
    happened: str
    has: str
    steps: tuple[Step, ...]
    texts_stolen: bool = False


# What thieves and owners do.


def _password(robbery: Robbery) -> dict[str, str]:
    return {"kind": "password", "response": robbery.owner.password}


def _phished(robbery: Robbery) -> dict[str, str]:
    """A code that the owner typed into a false page a moment ago."""
    return {"kind": "totp", "response": robbery.owner.authenticator.code()}


def _texted() -> dict[str, str]:
    return {"kind": "sms", "response": GUESSED}


def _sign_in_by_text(robbery: Robbery) -> Answer:
    return robbery.sign_in(_password(robbery), _texted())


def _sign_in_phished(robbery: Robbery) -> Answer:
    """Also asked for a code that is texted, he reads that as well: the number is his by now."""
    mark, proofs = len(robbery.house.letters), (_password(robbery), _phished(robbery))
    answer = robbery.sign_in(*proofs)
    challenge = answer.get("challenge", {})
    if not any("contact_code" in way for way in challenge.get("accept", ())):
        return answer
    code = robbery.house.letters.wait(mark, lambda one: one.to == robbery.owner.phone and bool(one.code))
    texted = {"kind": "contact_code", "response": code.code if code else GUESSED}
    return robbery.sign_in(*proofs, texted, challenge=challenge["id"])


def _remove_app(robbery: Robbery, *proofs: dict[str, str]) -> Answer:
    return robbery.intruder.change({"action": "authenticator.remove", "authenticator": "a1-2"}, *proofs)


def _withdraw(robbery: Robbery, *proofs: dict[str, str]) -> Answer:
    order = {"asset": "BTC", "amount": LOOT, "network": "bitcoin", "address": robbery.address}
    return robbery.intruder.post("/withdraw", order, *proofs)


def _add_address(robbery: Robbery, *proofs: dict[str, str]) -> Answer:
    entry = {"action": "address.add", "name": "my new wallet", "network": "bitcoin", "address": robbery.address}
    return robbery.intruder.change(entry, *proofs)


def _sell_inside(robbery: Robbery) -> Answer:
    return robbery.intruder.post("/sell", {"asset": "BTC", "amount": LOOT, "to": "bob"})


def _freeze(robbery: Robbery) -> Answer:
    """Press the link of the latest mail, as its page's button does."""
    token = robbery.freezing().partition("t=")[2]
    pressed = robbery.house.holdback.post("/freeze", data={"t": token})
    return {"pressed": pressed.is_success}


def _unfreeze(robbery: Robbery) -> Answer:
    return robbery.intruder.change({"action": "account.unfreeze"}, _password(robbery), _texted())


def _offer_dear(robbery: Robbery) -> Answer:
    """Open an account as anybody may, and offer there what nobody would buy."""
    name = f"mule-{secrets.token_hex(4)}"
    mule = Customer(
        account=name,
        email=f"{name}@example.net",
        phone="+85512345678",
        password=secrets.token_urlsafe(12),
        authenticator=Authenticator("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"),
        device=robbery.laptop,
        home=robbery.network,
        wallet=robbery.address,
    )
    robbery.ask_holdback(name, imported(mule, equity_usd="1000") | {"actor": {"kind": "platform"}})
    robbery.house.books.open_account(name, mule.email, STOCK)
    proofs = ({"kind": "password", "response": mule.password}, {"kind": "totp", "response": mule.authenticator.code()})
    signed_in = robbery.stranger.post("/sign-in", {"name": mule.email}, *proofs)
    if "session" not in signed_in:
        return signed_in
    session = str(signed_in["session"]["token"])
    robbery.mule = Person(robbery.house.exchange, mule.device, mule.home, session)
    robbery.offered = f"o-{secrets.token_hex(6)}"
    offer = {"order": robbery.offered, "pair": THIN, "side": "sell", "price": DEAR_USD, "amount": "20000"}
    return robbery.mule.post("/orders", offer | {"rests": True})


def _buy_by_key(robbery: Robbery, pair: str, price: str, amount: str) -> Answer:
    """Have the stolen key buy: the program signs the exact order, as its owner's program does."""
    order = {"order": f"o-{secrets.token_hex(6)}", "pair": pair, "side": "buy", "price": price, "amount": amount}
    now = time.time_ns() // 1000
    actor = signed_actor(
        robbery.owner.account,
        {"action": "order.place", **order},
        key=robbery.victim.key,
        sign=by_secret(robbery.victim.key_secret),
        timestamp=now // 1000,
        nonce=now,
    )
    signed = {name: value for name, value in actor.items() if name != "kind"}
    return robbery.stranger.post("/orders", order | {"signed": signed | {"account": robbery.owner.account}})


def _take_proceeds_out(robbery: Robbery) -> Answer:
    order = {"asset": "USDT", "amount": "400", "network": "tron", "address": "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8"}
    return robbery.mule.post("/withdraw", order) if robbery.mule else {}


_FROZEN: Final = Step(
    OWNER,
    "Opens the mail and presses the freeze link",
    "One link, no sign-in. You may press it yourself on the phone instead.",
    _freeze,
    tells=True,
)

STOLEN_NUMBER: Final = Incident(
    "stolen-number",
    "A stolen password and a stolen phone number",
    "June 2024: a customer's number was issued anew to a thief, who then reset what hung on it. By an analysis of "
    "those days a text message was taken in place of the authenticator app, and money was gone within minutes.",
    "Her password, her text messages, and a false page on which she types codes of her app.",
    (
        Step(
            THIEF,
            "Signs in with the password and a text message",
            "The account holds an authenticator app, so nothing weaker is ever taken, and no text is even sent.",
            _sign_in_by_text,
            tells=True,
        ),
        Step(
            THIEF,
            "Signs in with a code of the app that she typed into his false page",
            "A real code lets him in. From now on this is a new device, and the owner is told of it.",
            _sign_in_phished,
            tells=True,
        ),
        Step(
            THIEF,
            "Asks to remove the authenticator app, with a text message",
            "What is removed must be proved by the strongest that the account holds.",
            lambda robbery: _remove_app(robbery, _password(robbery), _texted()),
        ),
        Step(
            THIEF,
            "Asks again, with another code from the false page",
            "Even with the right proof, protection does not go at once: it waits, and the owner can cancel it.",
            lambda robbery: _remove_app(robbery, _password(robbery), _phished(robbery)),
            tells=True,
        ),
        Step(
            THIEF,
            f"Withdraws {LOOT} BTC to his own address, with a third code",
            "This is where the money was lost in 2024.",
            lambda robbery: _withdraw(robbery, _password(robbery), _phished(robbery)),
            tells=True,
        ),
        _FROZEN,
        Step(THIEF, "Tries to withdraw once more", "The account is frozen.", _withdraw),
    ),
    texts_stolen=True,
)

COPIED_COOKIE: Final = Incident(
    "copied-cookie",
    "A copied session cookie",
    "May 2024: a browser extension copied the cookies of people who were signed in, and thieves acted in their names "
    "without a password. Others found strangers' addresses among those that they could pay without further proof.",
    "The cookie of a session that is alive, and a false page on which its owner types codes.",
    (
        Step(
            THIEF,
            "Opens the account with the cookie, and adds his address",
            "A session shows the balances. It is no proof of who asks.",
            _add_address,
        ),
        Step(
            THIEF,
            f"Sells {LOOT} BTC to another customer instead",
            "There is no side door: every way out asks the same question.",
            _sell_inside,
        ),
        Step(
            THIEF,
            "Adds his address with a code from the false page",
            "A real proof may add an address, but it cannot be paid before its wait is over.",
            lambda robbery: _add_address(robbery, _password(robbery), _phished(robbery)),
            tells=True,
        ),
        Step(
            THIEF,
            f"Withdraws {LOOT} BTC to it, with a second code",
            "The payment is set aside until the owner has had time to speak.",
            lambda robbery: _withdraw(robbery, _password(robbery), _phished(robbery)),
            tells=True,
        ),
        _FROZEN,
        Step(THIEF, "Tries to withdraw once more", "The account is frozen.", _withdraw),
        Step(
            THIEF, "Tries to unfreeze it, with a text message", "Stopping takes a link, going on takes more.", _unfreeze
        ),
    ),
)

STOLEN_KEY: Final = Incident(
    "stolen-key",
    "A stolen API key",
    "2022: about 100,000 keys of customers' trading programs leaked. Thieves had them buy coins that nobody trades, "
    "far too dear, from accounts of their own; millions were lost.",
    "The key and secret of a trading program, and an account of his own at the same exchange.",
    (
        Step(
            THIEF,
            "Offers a coin at eight times its price, from an account of his own",
            f"Hardly anybody trades {THIN}. Offering dear harms nobody yet.",
            _offer_dear,
        ),
        Step(
            THIEF,
            "Has the stolen key buy some of it",
            "A little may be given away, as any bad trade does: what an account may lose so in an hour is small.",
            lambda robbery: _buy_by_key(robbery, THIN, DEAR_USD, "100"),
        ),
        Step(
            THIEF,
            "Has the key buy much more",
            "What a trade gives away counts as money that leaves. Too much closes the pair, and the owner is told.",
            lambda robbery: _buy_by_key(robbery, THIN, DEAR_USD, "4000"),
            tells=True,
        ),
        Step(
            THIEF,
            "Takes out what his own account gained",
            "His account is new, and what came from another customer may trade but not leave for a while.",
            _take_proceeds_out,
        ),
        _FROZEN,
        Step(
            THIEF,
            "Has the key buy bitcoin at the fair price",
            "A freeze stops the programs, too.",
            lambda robbery: _buy_by_key(robbery, PAIR, "60000", "0.01"),
        ),
    ),
)

INCIDENTS: Final = {one.id: one for one in (STOLEN_NUMBER, COPIED_COOKIE, STOLEN_KEY)}
"""What can be played, by name."""
