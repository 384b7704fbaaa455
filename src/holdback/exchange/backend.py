"""The exchange's backend: it asks Holdback before it acts, and hands the receipt to the signer. Nothing else is to it.

Every customer's wish goes the same way, so there is no second door: what pays goes through `exit`, what changes the
account's security through `change`.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from holdback.client import Allow, Deny, Hold, HoldbackError, ReceiptUsed, session_id
from holdback.exchange.market import Market
from holdback.exchange.signer import decimal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from holdback.client import Decision, Holdback
    from holdback.exchange.books import Books, Payment
    from holdback.exchange.market import Fill, Quote
    from holdback.exchange.signer import Signer

PLATFORM = {"kind": "platform"}
ENDED: Final = frozenset({"session_ended", "session_required"})
"""Codes by which Holdback says that a session does not count, or not any more."""

SALE: Final = "p2p_sale"

KEYLESS: Final = frozenset({"device_key_required", "device_key_wrong"})
"""Codes by which it says that a session is shown without its device's key: a copied cookie."""

REPORTED: Final = ("order", "pair", "side", "price", "amount", "counterparty", "fill")
"""What is told of an order that was matched, as far as it is known."""

SHOWN: Final = ("freeze", "authenticators", "contacts", "changes", "cool_offs")
"""What of an account's standing its owner's pages are given, besides the sessions."""


class NotSignedIn(Exception):
    """No session of this exchange was shown, or one that has ended."""


class NoSuchHold(Exception):
    """No order of this account waits under that id."""


class Asker(NamedTuple):
    """A customer's request, as this exchange saw it. `key` makes asking twice one question.

    `proofs` and `challenge` answer an earlier step-up, `dpop` shows that it comes from the customer's own device. All
    three come from the customer and pass through unread.
    """

    token: str
    key: str
    context: Mapping[str, str]
    proofs: Sequence[Mapping[str, str]] = ()
    challenge: str | None = None
    dpop: str | None = None

    @property
    def owner(self) -> dict[str, str]:
        """Who asks, as Holdback wants it shown."""
        return {"kind": "owner", "session": self.token} | ({"dpop": self.dpop} if self.dpop else {})


class Backend:
    """Asks, and acts on nothing but an allow. Example: `Backend(holdback, signer, books).exit(asker, action)`."""

    def __init__(
        self, holdback: Holdback, signer: Signer, books: Books, clock: Callable[[], float] = time.time
    ) -> None:
        """Use these three; `clock` gives seconds since the epoch."""
        self._holdback = holdback
        self._signer = signer
        self._books = books
        self._clock = clock
        self._market = Market(books, holdback, clock)

    def sign_in(self, name: str, asker: Asker) -> Decision:
        """Start a session by sign-in name. Holdback judges it; this exchange only notes whose it is."""
        decision = self._holdback.sign_in(
            name,
            proofs=asker.proofs or None,
            context=asker.context,
            challenge=asker.challenge,
            idempotency_key=_key(name, asker),
            dpop=asker.dpop,
        )
        account = self._books.account_named(name)
        if isinstance(decision, Allow) and decision.session and account:
            self._books.keep_session(decision.session.token, account, decision.session.expires_at.timestamp())
        return decision

    def exit(self, asker: Asker, action: Mapping[str, object]) -> tuple[Decision, Payment | None]:
        """Let value leave if Holdback allows it, and keep the order if it must wait."""
        account = self.account_of(asker)
        decision = self._ask(asker, account, action)
        match decision:
            case Allow(receipt=str(receipt)):
                return decision, self._pay(account, action, receipt, decision.id)
            case Hold(id=hold):
                self._books.keep_held(account, hold, action)
        return decision, None

    def release(self, asker: Asker, hold: str) -> tuple[Decision, Payment | None]:
        """Ask again for an order that waited. The receipt that comes names the order as it was first asked.

        The platform asks here, for which Holdback wants no session; so whose session it is must be asked before.
        """
        account = self.signed_in(asker)
        action = self._books.held(account).get(hold)
        if action is None:
            raise NoSuchHold
        wish = {"action": "exit.release", "which": hold}
        decision = self._holdback.ask(account, wish, actor=PLATFORM, idempotency_key=_key(account, asker))
        return decision, self._released(account, hold, action, decision)

    def hand_over(self, asker: Asker, hold: str) -> tuple[Decision, Payment | None]:
        """Let the buyer of a sale have what is locked for him. Holdback wants the seller's own proof for that.

        No wish of the platform's would do it, which is why it is asked as the owner.
        """
        account = self.account_of(asker)
        action = self._sale(account, hold)
        decision = self._ask(asker, account, {"action": "exit.release", "which": hold})
        return decision, self._released(account, hold, action, decision)

    def paid_for(self, asker: Asker, seller: str, hold: str) -> Decision:
        """Tell Holdback that the buyer of a sale paid, because he says so: here he is believed at once.

        Whatever he says lets nothing go. It only keeps the seller from taking the coins back by himself.
        """
        buyer = self.signed_in(asker)
        if self._sale(seller, hold).get("counterparty") != buyer:
            raise NoSuchHold
        said = {"action": "exit.settle", "which": hold, "reference": f"{buyer} says so", "stage": "paid"}
        return self._holdback.ask(seller, said, actor=PLATFORM, idempotency_key=_key(buyer, asker))

    def _sale(self, account: str, hold: str) -> Mapping[str, object]:
        action = self._books.held(account).get(hold)
        if action is None or action.get("kind") != SALE:
            raise NoSuchHold
        return action

    def _released(self, account: str, hold: str, action: Mapping[str, object], decision: Decision) -> Payment | None:
        """Pay what was let go, and forget that it waited; nothing, if it was not."""
        if not isinstance(decision, Allow) or decision.receipt is None:
            return None
        payment = self._pay(account, action, decision.receipt, decision.id)
        self._books.forget_held(account, hold)
        return payment

    def trade(self, asker: Asker, action: Mapping[str, object], *, rests: bool = False) -> tuple[Decision, list[Fill]]:
        """Match an order if Holdback allows it; what cannot be matched at once `rests`, or lapses."""
        account = self.account_of(asker)
        decision = self._ask(asker, account, action)
        return decision, self._matched(account, action, decision, rests=rests)

    def trade_by_key(
        self, account: str, actor: Mapping[str, object], asker: Asker, action: Mapping[str, object]
    ) -> tuple[Decision, list[Fill]]:
        """The same for a customer's program: `actor` is what it signed, which Holdback alone can read."""
        key = _key(account, asker)
        decision = self._holdback.ask(account, action, actor=actor, context=asker.context, idempotency_key=key)
        return decision, self._matched(account, action, decision, rests=False)

    def quotes(self) -> list[Quote]:
        """What is quoted."""
        return self._market.quotes()

    def fills(self, account: str) -> list[Fill]:
        """What was matched of an account's orders, oldest first."""
        return self._market.fills(account)

    def take_back(self, asker: Asker, order: str) -> bool:
        """End what rests of an order; whether anything did."""
        return self._market.withdraw(self.signed_in(asker), order)

    def _matched(self, account: str, action: Mapping[str, object], decision: Decision, *, rests: bool) -> list[Fill]:
        if not isinstance(decision, Allow) or decision.receipt is None:
            return []
        try:
            fills = self._market.match(account, action, decision.receipt, rests=rests)
        except ReceiptUsed:
            fills = self._market.fills(account, str(action.get("order")))
        if not fills and not rests:
            self._report(account, {**action, "amount": "0"}, f"lapsed:{account}:{action['order']}")
        for fill in fills:
            done = {"order": fill.order, "pair": fill.pair, "side": fill.side, "fill": f"f{fill.number}"}
            with_whom = {"counterparty": fill.counterparty} if fill.counterparty else {}
            matched = {"price": decimal(fill.price), "amount": decimal(fill.amount)}
            self._report(fill.account, done | matched | with_whom, f"fill:{fill.number}")
        return [fill for fill in fills if fill.account == account]

    def _report(self, account: str, done: Mapping[str, object], key: str) -> None:
        """Tell what was matched, by which what was set aside for the order is settled."""
        told = {name: value for name, value in done.items() if name in REPORTED} | {"action": "order.report"}
        # The order is done, whether or not Holdback can be told just now; untold, all of it stays drawn.
        with suppress(HoldbackError):
            self._holdback.ask(account, told, actor=PLATFORM, idempotency_key=key)

    def change(self, asker: Asker, action: Mapping[str, object]) -> Decision:
        """Anything about the account's security: Holdback decides and keeps it, but for an order that is stopped."""
        account = self.account_of(asker)
        decision = self._ask(asker, account, action)
        if isinstance(decision, Allow) and action.get("action") == "exit.cancel":
            self._books.forget_held(account, str(action.get("which")))
        return decision

    def standing(self, asker: Asker) -> dict[str, Any]:
        """How the account's security stands, of that what its owner may see on a page; `mine` marks this session."""
        account = self.signed_in(asker)
        stands = self._holdback.account(account)
        shown = {name: stands.get(name) for name in SHOWN}
        mine = session_id(asker.token)
        sessions: Any = stands.get("sessions") or ()
        shown["sessions"] = [one | {"mine": one["id"] == mine} for one in sessions]
        return shown

    def waiting(self, account: str) -> list[dict[str, Any]]:
        """The orders of an account that wait at Holdback; one that was stopped there is forgotten here, too."""
        holds: list[dict[str, Any]] = list(self._holdback.holds(account))
        for gone in self._books.held(account).keys() - {str(one["id"]) for one in holds}:
            self._books.forget_held(account, gone)
        return holds

    def is_frozen(self, account: str) -> bool:
        """Whether the account's owner has stopped it."""
        return self._holdback.account(account).get("freeze") is not None

    def reader(self, asker: Asker) -> str:
        """Whose pages may be read with this cookie: a copied one shows them, and has nothing done.

        A browser that opens a page signs nothing, so the key of its device is not asked for.
        """
        account = self.account_of(asker)
        decision = self._looked(asker, account)
        keyless = isinstance(decision, Deny) and not KEYLESS.isdisjoint(reason.code for reason in decision.reasons)
        if not keyless and not isinstance(decision, Allow):
            raise NotSignedIn
        return account

    def account_of(self, asker: Asker) -> str:
        """Whose session was shown, as far as this exchange knows: enough to ask as its owner. Raises NotSignedIn."""
        account = self._books.account_in(asker.token, self._clock())
        if account is None:
            raise NotSignedIn
        return account

    def signed_in(self, asker: Asker) -> str:
        """Whose session was shown, if Holdback says that it still counts: for all that is not asked as its owner.

        A session may have been ended from another device; a dry run of ending it tells, and changes nothing.
        """
        account = self.account_of(asker)
        decision = self._looked(asker, account)
        if isinstance(decision, Deny) and not KEYLESS.isdisjoint(reason.code for reason in decision.reasons):
            # A dry run tells nobody. Asked in earnest, the same is denied, and the owner hears of it.
            self._ask(asker._replace(proofs=(), challenge=None), account, {"action": "session.end"})
        if not isinstance(decision, Allow):
            raise NotSignedIn
        return account

    def _looked(self, asker: Asker, account: str) -> Decision:
        decision = self._holdback.ask(
            account,
            {"action": "session.end"},
            actor=asker.owner,
            context=asker.context,
            idempotency_key=_key(account, asker),
            dry_run=True,
        )
        self._note_the_end(asker, decision)
        return decision

    def _note_the_end(self, asker: Asker, decision: Decision) -> None:
        if isinstance(decision, Deny) and not ENDED.isdisjoint(reason.code for reason in decision.reasons):
            self._books.forget_session(asker.token)

    def _ask(self, asker: Asker, account: str, action: Mapping[str, object]) -> Decision:
        decision = self._holdback.ask(
            account,
            action,
            actor=asker.owner,
            context=asker.context,
            proofs=asker.proofs or None,
            challenge=asker.challenge,
            idempotency_key=_key(account, asker),
        )
        self._note_the_end(asker, decision)
        return decision

    def _pay(self, account: str, action: Mapping[str, object], receipt: str, exit_id: str | None) -> Payment:
        """Pay once, and say so. Asked again after a crash, the stored answer brings the same receipt: paid before."""
        try:
            payment = self._signer.pay(account, action, receipt)
        except ReceiptUsed:
            earlier = self._books.paid_by(receipt)
            if earlier is None:
                raise
            payment = earlier
        # The money has moved, whether or not Holdback can be told just now.
        with suppress(HoldbackError):
            settled = {"action": "exit.settle", "which": exit_id, "reference": payment.receipt}
            self._holdback.ask(account, settled, actor=PLATFORM, idempotency_key=f"settle:{payment.receipt}")
        return payment


def _key(whose: str, asker: Asker) -> str:
    """One customer's keys never meet another's, though Holdback sees them all come from one platform."""
    return hashlib.sha256(f"{whose}\n{asker.key}".encode()).hexdigest()
