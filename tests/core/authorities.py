"""Legal requests as an agency hands them in and a legal desk handles them, rightly or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from holdback.core.decision import AgencyFact, PaperFact, StaffFact
from holdback.core.events import Actor, ActorKind
from holdback.core.rules.legal import (
    LegalApprove,
    LegalCallBack,
    LegalFreezeOrder,
    LegalReceive,
    LegalReject,
    LegalRelease,
    spoke,
)

if TYPE_CHECKING:
    from tests.core.histories import Account

    from holdback.core.decision import Decision
    from holdback.core.rules.asking import Action

AGENCY: Final = Actor(ActorKind.AGENCY)
STAFF: Final = Actor(ActorKind.STAFF)
CERTIFICATE: Final = b"c" * 32
POLICE: Final = AgencyFact("police", True, ("o1", "o2"), (CERTIFICATE,), ("police.example",), answered=True)  # noqa: FBT003 - registered, as the fact's order has it
SIGNED: Final = PaperFact(b"p" * 32, "signed_trusted", CERTIFICATE, mark=b"m")
"""Signed the moment it comes in, as `Office` has it, and another one each time."""
UNSIGNED: Final = PaperFact(b"p" * 32, "unsigned")
PACKAGE: Final = b"k" * 32
FIELDS: Final = ("email", "phone", "kyc_file", "balance", "session_tokens")


class Office:
    """A legal desk and an agency. Example: `Office(account).receives()`, then `calls_back`, `approves`, `releases`."""

    def __init__(self, account: Account) -> None:
        """The registry knows the police, and their papers are signed."""
        self.account = account
        self.police: AgencyFact | None = POLICE
        self.paper: PaperFact | None = SIGNED
        self.package = PACKAGE
        self.gone: set[str] = set()

    def ask(self, action: Action, member: str = "", *roles: str, involved: bool = False) -> Decision:
        """Ask as a member of the desk, or without one as the agency; the facts are gone afterwards."""
        account = self.account
        account.agency, account.paper, account.package = self.police, self.fresh(), self.package
        still = tuple(one for one in spoke(action, account.state) if one not in self.gone)
        account.staff = StaffFact(member, roles or ("legal",), involved, still=still) if member else None
        try:
            return account.ask(action, replace(STAFF, key=member) if member else AGENCY)
        finally:
            account.agency, account.paper, account.package, account.staff = None, None, b"", None

    def fresh(self) -> PaperFact | None:
        """The paper in hand: one whose signing has no date is signed now, and is none that was seen before."""
        if self.paper is None or self.paper.signed_at or not self.paper.mark:
            return self.paper
        self.account.counter += 1
        return replace(self.paper, signed_at=self.account.now, mark=self.account.counter.to_bytes(8))

    def receives(self, *fields: str, basis: str = "court_order", by: str = "", **more: Any) -> Decision:  # noqa: ANN401 - the action's own
        """A request for data comes in, as a paper or entered by staff."""
        return self.ask(LegalReceive("police", fields or FIELDS, basis, **more), by)  # type: ignore[arg-type] # tests name bases by plain text

    def orders(self, days: int = 30, by: str = "", **more: Any) -> Decision:  # noqa: ANN401 - as above
        """An order to stop exits comes in."""
        return self.ask(LegalFreezeOrder("police", days, **more), by)

    def calls_back(self, member: str = "lena", *, confirmed: bool = True, officer: str = "o1") -> Decision:
        """Somebody rings the registry's number."""
        return self.ask(LegalCallBack(confirmed, officer, "six words"), member)

    def approves(self, member: str, *, involved: bool = False) -> Decision:
        """Somebody says yes."""
        return self.ask(LegalApprove(), member, involved=involved)

    def releases(self, member: str, *, involved: bool = False) -> Decision:
        """Somebody carries it out."""
        return self.ask(LegalRelease(), member, involved=involved)

    def rejects(self, member: str, *, forged: bool = False, involved: bool = False) -> Decision:
        """Somebody says no."""
        return self.ask(LegalReject(forged), member, involved=involved)

    def leaves(self, *members: str) -> None:
        """These are of the desk no more; all others are."""
        self.gone = set(members)

    def knows_nobody(self) -> None:
        """The registry has no entry in force."""
        self.police = None

    def hears_no_phrase(self) -> None:
        """Whoever answered does not know the phrase."""
        self.police = replace(POLICE, answered=False)


def approved(account: Account, *fields: str, **more: Any) -> Office:  # noqa: ANN401 - as above
    """A request that was called back and approved by two, and only waits for its time."""
    office = Office(account)
    office.receives(*fields, **more)
    office.calls_back("lena")
    office.approves("lena")
    office.approves("luc")
    return office


def disclosed(account: Account, *fields: str, **more: Any) -> Office:  # noqa: ANN401 - as above
    """The same, carried out after its wait."""
    office = approved(account, *fields, **more)
    account.wait(hours=account.policy.legal.wait_h)
    office.releases("luc")
    return office


def ordered(account: Account, days: int = 30) -> Office:
    """An order that stops exits."""
    office = Office(account)
    office.orders(days)
    office.calls_back("lena")
    office.approves("lena")
    office.approves("luc")
    office.releases("luc")
    return office
