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

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from holdback.client import Decision, Holdback
    from holdback.exchange.books import Books, Payment
    from holdback.exchange.signer import Signer

PLATFORM = {"kind": "platform"}
ENDED: Final = frozenset({"session_ended", "session_required"})
"""Codes by which Holdback says that a session does not count, or not any more."""

SALE: Final = "p2p_sale"

KEYLESS: Final = frozenset({"device_key_required", "device_key_wrong"})
"""Codes by which it says that a session is shown without its device's key: a copied cookie."""

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
        decision = self._holdback.ask(
            account,
            {"action": "session.end"},
            actor=asker.owner,
            context=asker.context,
            idempotency_key=_key(account, asker),
            dry_run=True,
        )
        self._note_the_end(asker, decision)
        if isinstance(decision, Deny) and not KEYLESS.isdisjoint(reason.code for reason in decision.reasons):
            # A dry run tells nobody. Asked in earnest, the same is denied, and the owner hears of it.
            self._ask(asker._replace(proofs=(), challenge=None), account, {"action": "session.end"})
        if not isinstance(decision, Allow):
            raise NotSignedIn
        return account

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
