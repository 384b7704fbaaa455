"""The story: an ordinary payment, a thief at the wallet, story C, and the beginning of story A (June 2024).

Everything goes over HTTP and SMTP as it would in earnest. Each answer is held against what it must be.
"""

from __future__ import annotations

import smtplib
import time
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import httpx

from holdback.client import action_digest
from holdback.demo.cast import THIEFS_ADDRESS, THIEFS_NETWORK
from holdback.demo.past import BROWSER, USUAL, withdrawal
from holdback.receipts import Receipt, ReceiptKeys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdback.demo.cast import Cast, Customer
    from holdback.demo.mailbox import Letter, Letters
    from holdback.demo.telling import Teller
    from holdback.exchange.books import Books

SPAM: Final = 120
"""How many offers the thief has sent to Alice's mailbox, to bury what matters."""
WRONG_CODES: Final = 12
"""How many wrong codes he has the exchange try, so that warnings bury each other."""
WARNINGS: Final = 3
"""What Alice must have been told by then: wrong proofs (folded together), the new address, the held payment."""
LOOT: Final = "2.4"
"""Nearly all that Alice has, in BTC."""
THIEF: Final = "The thief"

Answer = dict[str, Any]
Proofs = list[dict[str, str]]


class Scene(NamedTuple):
    """Where the story takes place."""

    holdback: str
    exchange: str
    smtp_port: int
    platform_key: str
    letters: Letters
    books: Books
    cast: Cast
    alices_session: str


class Person:
    """Somebody at a computer: the exchange's customer, or one who has his session."""

    def __init__(self, http: httpx.Client, device: str, network: str, session: str = "") -> None:
        """Sit at this device, in this network."""
        self._http = http
        self._headers = {"X-Device": device, "X-Forwarded-For": network, "User-Agent": BROWSER}
        if session:
            self._headers["Authorization"] = f"Bearer {session}"

    def post(self, path: str, body: Answer, *proofs: dict[str, str]) -> Answer:
        """Send something to the exchange."""
        answer: Answer = self._http.post(path, json=body | {"proofs": list(proofs)}, headers=self._headers).json()
        return answer

    def change(self, action: Answer, *proofs: dict[str, str]) -> Answer:
        """Ask for something about the account's security."""
        return self.post("/security", {"action": action}, *proofs)

    def account(self) -> Answer:
        """Look at the account."""
        answer: Answer = self._http.get("/account", headers=self._headers).json()
        return answer


class Story:
    """Plays the acts in order. Example: `Story(scene, Teller(console)).play()`."""

    def __init__(self, scene: Scene, teller: Teller) -> None:
        """Prepare the people of the scene."""
        self.scene = scene
        self.tell = teller
        self.exchange = httpx.Client(base_url=scene.exchange, timeout=15, trust_env=False)
        self.holdback = httpx.Client(base_url=scene.holdback, timeout=15, trust_env=False)
        alice = scene.cast.alice
        self.alice = Person(self.exchange, alice.device, alice.home, scene.alices_session)
        self.stranger = Person(self.exchange, "thiefs-laptop", THIEFS_NETWORK)
        self.intruder = Person(self.exchange, alice.device, THIEFS_NETWORK, scene.alices_session)

    def play(self) -> None:
        """All acts."""
        with self.exchange, self.holdback:
            self._ordinary_day()
            self._thief_at_the_wallet()
            self._story_c_weaker_factors()
            self._story_c_phished_codes()
            self._story_c_flood()
            self._freeze()
            self._story_a()

    # An ordinary day, and what the signer wants to see.

    def _ordinary_day(self) -> None:
        alice = self.scene.cast.alice
        self.tell.act(
            "An ordinary day",
            f"Alice has {self._holdings()} BTC here, and a cold wallet that has been in her address book for 90 days.",
        )
        self.tell.tries("Alice", f"withdraws her usual {USUAL} BTC to it, with the code of her authenticator.")
        answer = self.alice.post("/withdraw", _order(alice.wallet, USUAL), _totp(alice))
        self.tell.answered(answer, "allow", "proved")
        self.tell.must("The signer verified the receipt offline and paid.", holds=bool(answer.get("payment")))

    def _thief_at_the_wallet(self) -> None:
        self.tell.act(
            "A thief in the exchange's own backend",
            "He has its database and its platform key, and speaks to the wallet signer directly.",
        )
        wallet = self.scene.cast.alice.wallet
        paid = withdrawal(wallet, USUAL)
        used = self._last_receipt()
        before = self._holdings()
        self.tell.tries(THIEF, f"shows a receipt for {LOOT} BTC to his address, signed with a key of his own.")
        loot = withdrawal(THIEFS_ADDRESS, LOOT)
        self.tell.refused(self._pay(loot, _forged(loot)), "KeyUnknown")
        self.tell.tries(THIEF, f"shows Alice's genuine receipt, for {LOOT} BTC instead of {USUAL}.")
        self.tell.refused(self._pay(paid | {"amount": LOOT}, used), "ReceiptMismatch")
        self.tell.tries(THIEF, "shows it for his own address.")
        self.tell.refused(self._pay(paid | {"address": THIEFS_ADDRESS}, used), "ReceiptMismatch")
        self.tell.tries(THIEF, "shows it once more, unchanged.")
        self.tell.refused(self._pay(paid, used), "ReceiptUsed")
        self.tell.must("Not a coin has moved.", holds=self._holdings() == before)

    def _pay(self, action: Answer, receipt: str) -> Answer:
        body = {"account": "alice", "action": action, "receipt": receipt}
        answer: Answer = self.exchange.post("/signer/pay", json=body).json()
        return answer

    def _last_receipt(self) -> str:
        with self.scene.books.transaction() as db:
            row = db.execute("SELECT jws FROM holdback_receipts WHERE account = 'alice' ORDER BY rowid DESC").fetchone()
        return str(row[0]) if row else ""

    # Story C.

    def _story_c_weaker_factors(self) -> None:
        alice = self.scene.cast.alice
        self.tell.act(
            "Story C (June 2024): password, text messages and a stolen session",
            "The thief has Alice's password, her phone number by a swapped SIM, and what her mailbox shows.",
        )
        for what, kind in (("the code of a text message", "sms"), ("a mailed code", "email")):
            self.tell.tries(THIEF, f"signs in with her password and {what} instead of her authenticator.")
            proofs = (_password(alice), {"kind": kind, "response": "314159"})
            answer = self.stranger.post("/sign-in", {"name": alice.email}, *proofs)
            self.tell.answered(answer, "step_up", "proof_required")
            self.tell.must("An authenticator is held, so nothing weaker is ever accepted.", holds=_wants_totp(answer))
        self.tell.tries(
            THIEF, "steals the cookie of her live session, and adds his address with a text message's code."
        )
        answer = self.intruder.change(_entry(), _password(alice), {"kind": "sms", "response": "314159"})
        self.tell.answered(answer, "step_up", "proof_required")
        inside = {"asset": "BTC", "amount": LOOT, "to": "bob"}
        doors = {"/withdraw": _order(THIEFS_ADDRESS, LOOT), "/transfer": inside, "/sell": inside}
        for path, order in doors.items():
            self.tell.tries(THIEF, f"tries the door {path} with that session, and no code.")
            self.tell.answered(self.intruder.post(path, order), "step_up", "proof_required")

    def _story_c_phished_codes(self) -> None:
        alice, mark = self.scene.cast.alice, len(self.scene.letters)
        self.tell.tries(THIEF, "has Alice type one code into a false page, and adds his address with it.")
        answer = self.intruder.change(_entry(), _password(alice), _totp(alice))
        self.tell.answered(answer, "allow", "ripens_later")
        self.tell.says("A real proof may add an address. It cannot be paid before its wait is over, and she is told:")
        self.tell.letter(self._told(mark, alice.email), "Alice")
        mark = len(self.scene.letters)
        self.tell.tries(THIEF, f"phishes a second code and withdraws {LOOT} BTC to it, minutes later.")
        answer = self.intruder.post("/withdraw", _order(THIEFS_ADDRESS, LOOT), _totp(alice))
        self.tell.answered(answer, "hold", "destination_new", "over_budget")
        self.tell.letter(self._told(mark, alice.email), "Alice")

    def _story_c_flood(self) -> None:
        alice = self.scene.cast.alice
        self.tell.tries(THIEF, f"buries her mailbox under {SPAM} offers, and has {WRONG_CODES} wrong codes tried.")
        self._spam(alice)
        answer: Answer = {}
        for _ in range(WRONG_CODES):
            wrong = (_password(alice), {"kind": "totp", "response": "000000"})
            answer = self.stranger.post("/sign-in", {"name": alice.email}, *wrong)
        self.tell.answered(answer, "deny", "too_many_failures")
        warned = self.scene.letters.several(WARNINGS, lambda one: one.to == alice.phone and bool(one.freeze_url))
        self.tell.must("Her phone holds every warning, with no offer among them.", holds=warned)

    def _freeze(self) -> None:
        alice, mark = self.scene.cast.alice, len(self.scene.letters)
        about = "One link, no sign-in. Mail scanners that open it change nothing."
        self.tell.act("Alice presses the freeze link", about)
        link = self._latest_link(alice)
        self.tell.tries("Alice", "opens the link in the latest text message (GET).")
        page = self.holdback.get(link)
        before = self._standing("alice")
        shown = page.is_success and "Freeze my account now" in page.text
        self.tell.must("It shows a page with a button.", holds=shown)
        self.tell.must(
            "Nothing has changed: one withdrawal waits.", holds=(before["freeze"], before["holds"]) == (None, 1)
        )
        self.tell.tries("Alice", "presses the button (POST).")
        pressed = self._press(link)
        after = self._standing("alice")
        self.tell.must("Her account is frozen.", holds=pressed and bool(after["freeze"]))
        self.tell.must("The thief's withdrawal is cancelled.", holds=after["holds"] == 0)
        told = all(self._told(mark, where) for where in (alice.email, alice.phone))
        self.tell.must("She is told so, by mail and by text message.", holds=told)
        self._count_warnings(alice)
        self.tell.tries(THIEF, "tries to withdraw again.")
        self.tell.answered(self.intruder.post("/withdraw", _order(THIEFS_ADDRESS, LOOT)), "deny", "frozen")
        self.tell.tries(THIEF, "tries to unfreeze with the stolen session.")
        self.tell.answered(self.intruder.change({"action": "account.unfreeze"}), "step_up", "proof_required")
        self.tell.must(f"Stolen from Alice: nothing. She has {self._holdings()} BTC.", holds=self._paid_out() == 1)

    def _count_warnings(self, alice: Customer) -> None:
        """What came of the flood, counted once later letters have arrived."""
        offers = [one for one in self.scene.letters.to(alice.email) if one.subject.startswith("Offer")]
        ours = [one for one in self.scene.letters.to(alice.phone) if one.kind == "proof.failed"]
        claim = f"{len(offers)} offers in her mailbox, {len(ours)} warning of wrong codes: repeats are folded together."
        self.tell.must(claim, holds=(len(offers), len(ours)) == (SPAM, 1))

    # Story A.

    def _story_a(self) -> None:
        bob, mark = self.scene.cast.bob, len(self.scene.letters)
        self.tell.act(
            "Story A begins (3 June 2024): the thief lives in Bob's mailbox",
            "He reads every mail and has bought Bob's data. He wants phone, e-mail and authenticator changed.",
        )
        self.tell.tries(THIEF, 'presses "forgot password", and signs in as Bob with the code that was mailed.')
        answer = self.stranger.post("/sign-in", {"name": bob.email}, {"kind": "email", "response": "271828"})
        self.tell.answered(answer, "step_up", "proof_required")
        self.tell.letter(self._told(mark, bob.phone), "Bob")
        self.tell.says("The mailbox is the thief's, so the same warning went to Bob's phone, with a link that freezes.")
        self._support()
        stands = self._standing("bob")
        kept = {one["id"] for one in (*stands["authenticators"], *stands["contacts"])}
        self.tell.must("Bob's phone, e-mail and authenticator are what they were.", holds=kept == BOBS)
        self.tell.tries("Bob", "presses the link on his phone, though his mailbox is no longer his.")
        pressed = self._press(self._latest_link(bob))
        self.tell.must("His account is frozen.", holds=pressed and bool(self._standing("bob")["freeze"]))

    def _support(self) -> None:
        """What support was talked, or paid, into in 2024."""
        owner, platform = {"kind": "owner"}, {"kind": "platform"}
        self.tell.tries(THIEF, "says that he has lost everything, and sends support a video with Bob's face on it.")
        lost = {"action": "recovery.open", "lost": ["password", "totp", "sms"], "actor": owner}
        opened = self._ask_directly(lost)
        self.tell.answered(opened, "allow", "evidence_required")
        claimant = {"kind": "owner", "session": opened["session"]["token"]}
        video = {"action": "recovery.evidence", "kind": "face", "actor": claimant}
        self.tell.answered(self._ask_directly(video), "deny", "evidence_not_evaluated")
        self.tell.says("A face alone ends no recovery: that takes what Bob holds, a wait, and nobody who objects.")
        self.tell.tries(
            THIEF, "has a bought support agent change phone, e-mail and authenticator with the platform's key."
        )
        phone = {"action": "contact.add", "channel": "sms", "address": "+85512345678"}
        mail = {"action": "contact.remove", "contact": "c1-1"}
        authenticator = {"action": "authenticator.remove", "authenticator": "a1-2"}
        for action in (phone, mail, authenticator):
            self.tell.answered(self._ask_directly(action | {"actor": platform}), "deny", "not_entitled")
        self.tell.tries(THIEF, "has the agent say that he is the owner, without a session.")
        self.tell.answered(self._ask_directly(phone | {"actor": owner}), "deny", "session_required")

    def _ask_directly(self, body: Answer) -> Answer:
        """Ask Holdback about Bob with the platform's own key, past the exchange's backend."""
        headers = {"Authorization": f"Bearer {self.scene.platform_key}", "Idempotency-Key": f"thief-{time.time_ns()}"}
        answer: Answer = self.holdback.post("/v1/accounts/bob/actions", json=body, headers=headers).json()
        return answer

    # Freeze links.

    def _latest_link(self, customer: Customer) -> str:
        """The freeze link of the latest text message that has one."""
        links = [one.freeze_url for one in self.scene.letters.to(customer.phone) if one.freeze_url]
        return links[-1] if links else f"{self.scene.holdback}/freeze?t=missing"

    def _press(self, link: str) -> bool:
        """Press the button on a link's page."""
        return self.holdback.post("/freeze", data={"t": link.partition("t=")[2]}).is_success

    # What everybody can see.

    def _standing(self, account: str) -> Answer:
        headers = {"Authorization": f"Bearer {self.scene.platform_key}"}
        answer: Answer = self.holdback.get(f"/v1/accounts/{account}", headers=headers).json()
        return answer

    def _holdings(self) -> str:
        return str(self.alice.account()["balances"]["BTC"])

    def _paid_out(self) -> int:
        return len(self.alice.account()["payments"])

    def _told(self, after: int, address: str) -> Letter | None:
        """The next letter to an address that lets its reader freeze."""
        return self.scene.letters.wait(after, lambda one: one.to == address and bool(one.freeze_url))

    def _spam(self, victim: Customer) -> None:
        with smtplib.SMTP("127.0.0.1", self.scene.smtp_port) as smtp:
            for number in range(SPAM):
                offer = EmailMessage()
                offer["From"], offer["To"] = "offers@example.net", victim.email
                offer["Subject"] = f"Offer {number + 1} of {SPAM}: only today"
                offer.set_content("Buy now.")
                smtp.send_message(offer)


BOBS: Final = {"a1-1", "a1-2", "a1-3", "c1-1", "c1-2"}
"""Bob's authenticators and contacts, as they were imported."""


def _order(address: str, amount: str) -> Answer:
    return {"asset": "BTC", "amount": amount, "network": "bitcoin", "address": address}


def _entry() -> Answer:
    return {"action": "address.add", "name": "my new wallet", "network": "bitcoin", "address": THIEFS_ADDRESS}


def _password(customer: Customer) -> dict[str, str]:
    return {"kind": "password", "response": customer.password}


def _totp(customer: Customer) -> dict[str, str]:
    return {"kind": "totp", "response": customer.authenticator.code()}


def _wants_totp(answer: Answer) -> bool:
    accept: Sequence[Sequence[str]] = answer.get("challenge", {}).get("accept", [])
    return bool(accept) and all("totp" in kinds for kinds in accept)


def _forged(action: Answer) -> str:
    """A receipt that is right in every word, but for who signed it."""
    now = int(time.time())
    receipt = Receipt(
        issuer="holdback",
        account="alice",
        action_digest=action_digest("alice", action),
        decision="allow",
        policy=bytes(32),
        head=bytes(32),
        issued_at=now,
        expires_at=now + 60,
        id="alice/4711",
    )
    return ReceiptKeys.generate().sign(receipt)
