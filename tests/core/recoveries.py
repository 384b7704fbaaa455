"""Recoveries as somebody goes through them: opens one, shows what he can, and comes back to finish it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace
from tests.core.histories import PASSWORD, TOTP, bitcoin, destination, sealed

from holdback.core.decision import Context, EvidenceFact, Proof, StaffFact, StepUp
from holdback.core.events import Actor, ActorKind, AuthenticatorKind, Channel
from holdback.core.rules.recovery import RecoveryEvidence, RecoveryFinish, RecoveryOpen, RecoveryReview

if TYPE_CHECKING:
    from tests.core.histories import Account

    from holdback.core.decision import Decision
    from holdback.core.rules.asking import Action

STAFF: Final = Actor(ActorKind.STAFF)
NO_SESSION: Final = Actor(ActorKind.OWNER)


class Claimant:
    """Somebody who says that an account is his. Example: `Claimant(account).opens()`."""

    def __init__(self, account: Account) -> None:
        """Nothing was asked yet."""
        self.account = account
        self.by = NO_SESSION

    def opens(self, *lost: AuthenticatorKind) -> Decision:
        """Open a recovery, and keep its token."""
        self.account.tokens += 1
        answer = self.account.ask(RecoveryOpen(lost or (PASSWORD, TOTP)), NO_SESSION)
        self.by = Actor(ActorKind.OWNER, self.account.token(self.account.tokens))
        return answer

    def shows(self, kind: str, *proofs: Proof | str, channel: Channel = Channel.EMAIL) -> Decision:
        """Show a piece of evidence: by these proofs, by everything of its kind, by a code, or as somebody judged it."""
        action = RecoveryEvidence(kind, channel)  # type: ignore[arg-type] # tests name kinds by plain text
        if kind == "contact_code":
            return self.coded(action, *proofs)
        held = self.account.head.authenticators
        named = proofs or tuple(key for key, one in held.items() if one.kind == kind)
        return self.account.ask(action, self.by, *named, context=Context(device="laptop"))

    def judged(self, kind: str, *, right: bool = True) -> Decision:
        """Show what somebody outside has judged."""
        self.account.evidence = EvidenceFact(kind, right, "a provider")
        try:
            return self.shows(kind)
        finally:
            self.account.evidence = None

    def signs(self, text: str = "home", *, by: str = "", right: bool = True) -> Decision:
        """Have a message signed by the key of an address; `by` is whose key it is, if it is another's."""
        action = RecoveryEvidence("address_signature", network="bitcoin", address=destination(text))
        first = self.account.ask(action, self.by)
        if not isinstance(first, StepUp):
            return first
        signed = Proof("address_signature", bitcoin(by or text), 0, 0, b"", self.account.now, right)
        return self.account.ask(action, self.by, signed, challenge=first.challenge)

    def coded(self, action: Action, *proofs: Proof | str) -> Decision:
        """Ask for what needs a code to a contact, and answer with it, or with other proofs."""
        first = self.account.ask(action, self.by)
        if not isinstance(first, StepUp):
            return first
        contact = self.account.head.challenges[first.challenge].contact
        return self.account.ask(action, self.by, *(proofs or (contact,)), challenge=first.challenge)

    def finishes(self, *proofs: Proof | str) -> Decision:
        """Choose a new password."""
        return self.coded(RecoveryFinish(sealed("chosen anew")), *proofs)

    def evacuates(self, usd: str = "10", text: str = "home", **fields: Any) -> Decision:  # noqa: ANN401 - the action's own
        """Ask for a payment instead of the account."""
        asked = RecoveryFinish(address=destination(text), network="bitcoin", asset="USD", amount=usd)
        return self.coded(replace(asked, **fields))


def attested(
    account: Account, kind: str, *roles: str, member: str = "sue", right: bool = True, involved: bool = False
) -> Decision:
    """A member of staff says what he saw."""
    account.staff = StaffFact(member, roles or ("support",), involved)
    action = RecoveryEvidence(kind, verdict="right" if right else "wrong")  # type: ignore[arg-type] # as above
    return account.ask(action, replace(STAFF, key=member))


def reviewed(account: Account, member: str, verdict: str = "approve", *roles: str, involved: bool = False) -> Decision:
    """A member of staff gives a verdict."""
    account.staff = StaffFact(member, roles or ("reviewer",), involved)
    return account.ask(RecoveryReview(verdict, sealed("why")), replace(STAFF, key=member))  # type: ignore[arg-type] # as above
