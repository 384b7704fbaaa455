"""One example of every action there is, for tables that must not forget one; a new action without one fails them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.core.histories import PASSWORD, TOTP, destination, sealed

from holdback.core import decide
from holdback.core.events import Channel, Role, Scope
from holdback.core.rules.account import (
    AccountFreeze,
    AccountImport,
    AccountUnfreeze,
    ImportedAuthenticator,
    ImportedContact,
)
from holdback.core.rules.address import AddressAdd, AddressRemove, AddressRenew
from holdback.core.rules.agency import AgencyAdd, AgencyOfficer, AgencyRemove
from holdback.core.rules.api_key import ApiKeyCreate, ApiKeyLeaked, ApiKeyRevoke, ApiKeySuspend
from holdback.core.rules.authenticator import (
    AuthenticatorBind,
    AuthenticatorConfirm,
    AuthenticatorReinstate,
    AuthenticatorRemove,
    AuthenticatorSuspend,
)
from holdback.core.rules.breaker import BreakerReset, BreakerTrip
from holdback.core.rules.change import ChangeCancel
from holdback.core.rules.contact import ContactAdd, ContactConfirm, ContactRemove, ContactReportRecycled
from holdback.core.rules.deposit import DepositReceive
from holdback.core.rules.exit import ExitCancel, ExitReconcile, ExitRelease, ExitRequest, ExitSettle
from holdback.core.rules.incident import IncidentClose, IncidentNote, IncidentReport
from holdback.core.rules.legal import (
    LegalApprove,
    LegalCallBack,
    LegalFreezeOrder,
    LegalReceive,
    LegalReject,
    LegalRelease,
)
from holdback.core.rules.notice import NoticeOutcome
from holdback.core.rules.order import OrderLease, OrderPlace, OrderReport
from holdback.core.rules.password import PasswordChange
from holdback.core.rules.recovery import (
    EvidenceBurn,
    RecoveryCancel,
    RecoveryContest,
    RecoveryEvidence,
    RecoveryFinish,
    RecoveryOpen,
    RecoveryRemind,
    RecoveryReview,
)
from holdback.core.rules.session import SessionEnd, SessionEndAll, SessionFailures, SessionStart
from holdback.core.rules.setting import AllowlistSet, LimitSet, LockSet, VaultSet
from holdback.core.rules.staff import StaffEnrol, StaffFlag, StaffLookUp, StaffRetire, TicketClose, TicketOpen

if TYPE_CHECKING:
    from holdback.core.rules.asking import Action

HOME: Final = destination("home")
RECIPIENT: Final = "age1" + "q" * 58

EXAMPLES: Final[tuple[Action, ...]] = (
    AccountImport(
        sealed("alice"),
        (ImportedAuthenticator(PASSWORD, sealed("p")),),
        (ImportedContact(Channel.EMAIL, sealed("m")),),
        face=sealed("face"),
    ),
    AccountFreeze(),
    AccountUnfreeze(),
    SessionStart(),
    SessionEnd(),
    SessionEndAll(),
    PasswordChange(sealed("new password")),
    AuthenticatorBind(TOTP, sealed("new totp")),
    AuthenticatorConfirm("a1-1"),
    AuthenticatorRemove("a1-2"),
    AuthenticatorSuspend("a1-2"),
    AuthenticatorReinstate("a1-2"),
    ContactAdd(Channel.EMAIL, sealed("new mail")),
    ContactConfirm("c1-1"),
    ContactRemove("c1-1"),
    ContactReportRecycled("c1-1"),
    AddressAdd(sealed("new"), "bitcoin", destination("new")),
    AddressRenew("bitcoin", HOME),
    AddressRemove("bitcoin", HOME),
    AllowlistSet(on=True),
    LockSet(24),
    LimitSet("5"),
    VaultSet(50),
    ChangeCancel("ch9"),
    ApiKeyCreate(sealed("bot"), (Scope.TRADE,), secret=sealed("key")),
    ApiKeySuspend("k9", on=False),
    ApiKeyRevoke(),
    ApiKeyLeaked("k9"),
    OrderPlace("o9", "BTC/USDT", "buy", "1", "10"),
    OrderReport("o9", "BTC/USDT", "buy", "1", "10"),
    OrderLease("BTC/USDT"),
    ExitRequest("withdrawal", "USD", "10", address=HOME, network="bitcoin"),
    ExitCancel("x9"),
    ExitRelease("x9"),
    ExitSettle("x9", "payment"),
    ExitReconcile("alice/9/00000000", "10"),
    NoticeOutcome("n9", "c1-1", accepted=True),
    SessionFailures(1, 1, 1, 1, 1),
    RecoveryOpen((PASSWORD, TOTP)),
    RecoveryEvidence("contact_code"),
    RecoveryRemind(),
    RecoveryReview("approve", sealed("looks right")),
    RecoveryContest(),
    RecoveryCancel(),
    RecoveryFinish(sealed("new password")),
    EvidenceBurn(("face",), "owner"),
    IncidentReport(sealed("all gone")),
    IncidentNote(sealed("at noon")),
    IncidentClose(),
    StaffEnrol((Role.SUPPORT,), sealed("sue"), sealed("key"), sealed("sue@desk.example")),
    StaffRetire(),
    StaffLookUp("t-1", ("email",), sealed("asked for help")),
    StaffFlag("rich", ("staff-sue",), 1, 9, 20, 100),
    TicketOpen("t-1"),
    TicketClose("t-1"),
    LegalReceive("police", ("email",), "court_order"),
    LegalFreezeOrder("police", 30),
    LegalCallBack(confirmed=True, officer="o1"),
    LegalApprove(),
    LegalRelease(),
    LegalReject(forged=True),
    AgencyAdd(sealed("Police"), (AgencyOfficer("o1", sealed("Dana"), sealed("+1555")),), RECIPIENT),
    AgencyRemove(),
    BreakerTrip("new_destinations", 2, 1, sealed("breaker")),
    BreakerReset(),
    DepositReceive(),
)

EVERY: Final[dict[str, Action]] = {decide.action_name(one): one for one in EXAMPLES}
"""The same, by public name."""

assert {type(one) for one in EXAMPLES} == set(decide.RULES), "an action has no example here"
