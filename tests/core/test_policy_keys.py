"""Every key of the policy is read: changing it alone changes a decision or an instant somewhere.

(One exchange's declared 5-day lock was read by nothing.) Each story below is played under a base policy and under the
same policy with one key changed; what is written must differ.
"""

from __future__ import annotations

import contextlib
import inspect
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import pytest
from msgspec.structs import replace
from tests.core.authorities import Office
from tests.core.everything import EVERY
from tests.core.histories import (
    BACKUP_CODE,
    DEFAULT,
    PASSKEY,
    PASSWORD,
    PLATFORM,
    SMS,
    SYSTEM,
    TOTP,
    Account,
    destination,
    grow,
    policy_with,
    sealed,
)
from tests.core.members import Colleague, enrolment
from tests.core.recoveries import Claimant, reviewed

from holdback import cli, facing, intake, judging, service, sharing, strangers, watching, wiring
from holdback.core import attempts, breaker
from holdback.core import events as ev
from holdback.core.decision import Allow, Context, ListFact, LossFact, Seen, SharedFact, StepUp
from holdback.core.events import DAY, ENCODER, MINUTE, Actor, ActorKind, Channel, Role, Scope
from holdback.core.policy import MICRO
from holdback.core.rules.account import AccountFreeze, AccountUnfreeze
from holdback.core.rules.address import AddressAdd
from holdback.core.rules.api_key import ApiKeyCreate
from holdback.core.rules.authenticator import AuthenticatorBind, AuthenticatorReinstate, AuthenticatorRemove
from holdback.core.rules.authenticator import AuthenticatorSuspend as Suspend
from holdback.core.rules.change import ChangeCancel
from holdback.core.rules.contact import ContactAdd, ContactConfirm, ContactRemove
from holdback.core.rules.exit import ExitRequest
from holdback.core.rules.incident import IncidentReport
from holdback.core.rules.order import OrderLease, OrderPlace, OrderReport
from holdback.core.rules.password import PasswordChange
from holdback.core.rules.recovery import EvidenceBurn, RecoveryContest, RecoveryRemind, RecoveryReview
from holdback.core.rules.session import SessionEndAll, SessionStart
from holdback.core.rules.setting import LimitSet, LockSet, VaultSet
from holdback.core.rules.staff import StaffLookUp, TicketOpen
from holdback.evidence import face, face_rekognition
from holdback.web import deposits

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from holdback.core.policy import Policy

SPREAD: Final[dict[str, Any]] = {
    "waits.authenticator_senior_h": 100,
    "waits.contact_senior_h": 101,
    "waits.address_h": 102,
    "waits.remove_authenticator_h": 200,
    "waits.remove_contact_h": 201,
    "waits.loosen_setting_h": 202,
    "waits.reinstate_authenticator_h": 203,
    "waits.vault_h": 204,
    "devices.known_after_h": 100,
    "cool_offs.mild_senior_h": 10,
    "cool_offs.senior_h": 20,
    "outflow.over_budget_senior_h": 30,
    "outflow.over_budget_others_h": 90,
    "step_up.failures_max": 50,
    "recovery.codes_h": 30,
    "api_keys.ripens_h": 103,
    "recovery.one_possession_h": 80,
    "lists.required": ["ofac"],
}
"""The default policy with numbers apart, so that each may change alone without breaking a relation."""

PROOFS = ("a1-1", "a1-2")
LINK = Actor(ActorKind.LINK, contact="c1-1")
BOB = destination("bob")


def guards(account: Account) -> None:
    """New guards, and old ones that are to go."""
    session = grow(account, PASSWORD, TOTP, BACKUP_CODE)
    answer = account.ask(ContactAdd(Channel.SMS, sealed("new")), session, *PROOFS)
    assert isinstance(answer, Allow)
    account.wait(minutes=2.5)
    account.ask(ContactAdd(Channel.SMS, sealed("new")), session, *PROOFS)
    account.ask(ContactConfirm(answer.id), session, answer.id)
    account.ask(AuthenticatorBind(PASSKEY, sealed("s")), session, *PROOFS)
    account.add("new", session, *PROOFS)
    account.ask(LimitSet("9"), session, *PROOFS)
    for action in (LimitSet("10"), AuthenticatorRemove("a1-3"), Suspend("a1-3"), AuthenticatorReinstate("a1-3")):
        account.ask(action, session, *PROOFS)
    account.ask(ContactRemove("c1-2"), session, *PROOFS)
    account.settle(days=9)
    account.sign_in()


def stops(account: Account) -> None:
    """A freeze on a quiet account, and one soon after a change."""
    session = grow(account)
    account.ask(AccountFreeze(), LINK)
    account.ask(AccountUnfreeze(), session, *PROOFS)
    account.settle(days=5)
    session = account.sign_in(device="phone")
    account.deliver()
    account.wait(minutes=50)
    account.ask(AccountFreeze(), LINK)
    account.ask(AccountUnfreeze(), session, *PROOFS)
    account.settle(days=5)
    account.sign_in()
    account.wait(days=4)
    session = account.sign_in()
    account.ask(AccountFreeze(), LINK)
    account.ask(AccountUnfreeze(), session, *PROOFS)


def tripped(account: Account) -> None:
    """Exits while the circuit breaker holds them: small and larger, to an entry as it grows old, after a change."""
    session = grow(account)
    account.tripped_at = 1
    account.add("new", session, *PROOFS)
    account.deliver()
    for account.unseen_ms in (60_001, 61_001, 0):
        for account.tripped_at in (0, 1):
            account.pay("5000", "stranger", session, *PROOFS)
    for usd in ("101", "5000"):
        account.pay(usd, "home", session, "a1-2")
    account.wait(days=7, minutes=1)
    account.pay("5000", "new", account.sign_in(), "a1-2")
    account.wait(days=60)
    session = account.sign_in()
    account.ask(PasswordChange(sealed("new")), session, *PROOFS)
    account.deliver()
    account.wait(hours=72, minutes=1)
    account.pay("5000", "home", account.sign_in(), "a1-2")


def cooling(account: Account) -> None:
    """Exits after a severe and after a mild change."""
    session = grow(account)
    account.ask(PasswordChange(sealed("new")), session, *PROOFS)
    account.deliver()
    for to in ("home", "stranger"):
        account.pay("50", to, session, "a1-2")
    account.wait(days=10)
    session = account.sign_in(device="phone")
    account.deliver()
    account.pay("5", "home", session)


def money(account: Account) -> None:
    """Exits small and large, to the old and to the new, of a poor account and of one with a habit."""
    session = grow(account, equity="10000")
    account.ask(AddressAdd(sealed("bob"), "internal", BOB), session, *PROOFS)
    account.ask(AddressAdd(sealed("p2p"), "p2p"), session, *PROOFS)
    for usd, to in (("420", "home"), ("100", "stranger"), ("101", "other"), ("500", "home"), ("700", "home")):
        account.pay(usd, to, session)
    account.settle(days=40)
    session = account.sign_in()
    for usd in ("90000", "9000", "2000"):
        account.pay(usd, "home", session)
    account.ask(ExitRequest("p2p_sale", "USD", "9000", counterparty=BOB), session, *PROOFS, counterparty="bob")
    account.wait(days=40)
    account.add("newer", account.sign_in())
    account.settle(days=5)
    for usd in ("400", "400", "400", "400", "350", "60"):
        account.pay(usd, "newer", account.sign_in())
        account.wait(days=1.1)


def sold(account: Account) -> None:
    """A sale to a stranger on an opened kind."""
    session = grow(account)
    account.ask(ExitRequest("p2p_sale", "USD", "60", counterparty=BOB), session, *PROOFS, counterparty="bob")


def shopped(account: Account) -> None:
    """A card payment, at a merchant who is new."""
    account.ask(ExitRequest("card", "USD", "5", counterparty=BOB), grow(account), *PROOFS)


def habits(account: Account) -> None:
    """A habit of five days, and what it makes usual."""
    old_and_new(account)
    for usd in ("3000", "1000", "1000", "1000", "2000"):
        account.pay(usd, "home", account.sign_in())
        account.wait(days=1.1)
    for days in (1.8, 0.5, 3):
        account.wait(days=days)
        session = account.sign_in()
        for usd in ("2100", "4400", "1600"):
            account.pay(usd, "other", session)


def old_and_new(account: Account) -> None:
    """A poor account whose `home` is long-standing and whose `other` is senior."""
    grow(account, equity="1000")
    account.wait(days=40)
    account.add("other", account.sign_in())
    account.settle(days=5)


def few_days(account: Account) -> None:
    """Three days with outflow are a habit."""
    old_and_new(account)
    for _ in range(3):
        account.pay("1000", "home", account.sign_in())
        account.wait(days=1.1)
    account.wait(days=5)
    account.pay("1400", "other", account.sign_in())


def received(account: Account) -> None:
    """Value from inside, given on by a sender that cools, and what may leave beside it."""
    session = grow(account)
    account.ask(AddressAdd(sealed("bob"), "internal", BOB), session, *PROOFS)
    account.settle(days=40)
    for _ in range(4):
        session = account.sign_in()
        account.ask(ExitRequest("gift", "USD", "50", counterparty=BOB), session, *PROOFS, counterparty="bob")
        assert account.last is not None
        account.log.extend(account.last.elsewhere)
        account.wait(days=1.1)
    account.wait(days=5)
    session = account.sign_in(device="phone")
    account.deliver()
    account.ask(ExitRequest("gift", "USD", "50", counterparty=BOB), session, *PROOFS, counterparty="bob")
    assert account.last is not None
    account.log.extend(account.last.elsewhere)
    account.wait(days=6)
    account.received((ev.ValueReceived(account.now, 500_000_000, account.now + 9 * DAY),))
    account.pay("90000", "home", account.sign_in())
    account.wait(days=4)
    account.pay("999950", "home", account.sign_in())


def vaults(account: Account) -> None:
    """A vault of the policy's hours, and a payment that reaches into it."""
    session = grow(account)
    account.ask(VaultSet(90), session, *PROOFS)
    account.pay("110000", "home", session)


def proving(account: Account) -> None:
    """Step-ups, wrong proofs and pauses."""
    session = grow(account)
    account.wait(minutes=14)
    account.pay("5", "home", session, "a1-2")
    for hours in range(9):
        account.ask(LockSet(hours), session)
    first = account.ask(LockSet(99), session)
    assert isinstance(first, StepUp)
    for _ in range(5):
        account.ask(LockSet(99), session, account.wrong("a1-2"), challenge=first.challenge)
    for failures in (4, 5, 6, 30, 49, 50):
        failed_at = account.now
        for seconds in (0, 1, 2, 3, 3500, 7000, 80_000):
            account.now += seconds * 1000
            session = account.any_session()
            account.state = replace(account.head, failures=failures, failed_at=failed_at)
            account.ask(LockSet(98), session, account.wrong("a1-2"))


def sessions(account: Account) -> None:
    """More sign-ins than may be open at once."""
    grow(account)
    for _ in range(40):
        account.tokens += 1
        account.now += 1
        action = ExitRequest("gift", "USD", "5", counterparty=BOB)
        account.ask(action, account.any_session(), *PROOFS, counterparty="bob")
        sign_in(account)


def recognised(account: Account) -> None:
    """A device that comes to be known, by the hour."""
    grow(account)
    account.sign_in(device="phone")
    account.deliver()
    for hours in (25, 75, 0.5, 0.5, 1):
        account.wait(hours=hours)
        account.sign_in(device="phone")


def signed(account: Account) -> None:
    """What a device's key signs, late, early and often, beside a session without one."""
    account.device_key = b"key"
    session = grow(account)
    for seconds in (-59, -60, -61, 30):
        asked = account.request(LockSet(1), session)
        late = account.signed(at=account.now + seconds * 1000)
        account.submit(asked, replace(account.facts(asked, PROOFS), device=late))
    for _ in range(64):
        account.ask(LockSet(1), session, *PROOFS)
    account.device_key = b""
    sign_in(account)


def sign_in(account: Account, device: str = "laptop") -> None:
    """Try to sign in."""
    with contextlib.suppress(AssertionError):
        account.sign_in(device=device)


def bounded(account: Account) -> None:
    """As many things as may wait at once, and one more."""
    session = grow(account)
    for _ in range(34):
        account.pay("900000", "home", session, "a1-2")
    for number in range(34):
        account.now += 1
        account.ask(LimitSet(str(1000 if not number else 10**9 + number)), session, *PROOFS)
        account.ask(AuthenticatorBind(BACKUP_CODE, sealed("s")), session, *PROOFS)
        account.ask(ContactAdd(Channel.EMAIL, sealed(f"new {number}")), session, *PROOFS)


def crowded(account: Account) -> None:
    """More changes than may cool at once, the owner told of none."""
    grow(account)
    for number in range(40):
        account.now += 1
        account.ask(SessionEndAll(), account.any_session())
        sign_in(account, f"device {number}")


def untold(account: Account) -> None:
    """More news than may wait to be heard."""
    session = grow(account)
    for number in range(70):
        account.now += 1
        action = AddressAdd(sealed("x"), "bitcoin", destination(f"place {number}"))
        account.ask(action, session, *PROOFS)


def telling(account: Account) -> None:
    """Quiet news twice, and a contact within the platform's systems only."""
    account.open(contacts=(Channel.SMS,))
    if account.state is None:
        return
    session = account.sign_in()
    account.ask(AccountFreeze(), session)
    for _ in range(2):
        account.ask(LockSet(1), session, *PROOFS)
        account.wait(minutes=14.5)


def priced(account: Account) -> None:
    """An exit by an old price, and one without."""
    session = grow(account)
    account.price_age_ms = 14 * MINUTE
    account.pay("5", "home", session)
    account.prices.clear()
    account.pay("5", "home", session)


def elsewhere(account: Account) -> None:
    """Addresses that others met as well, dust from the like of one, and a list that grows old."""
    session = grow(account)
    today = account.now // DAY
    for days, others in ((0, 2), (30, 60)):
        account.shared = (SharedFact("address", today - days, others, others + 1),)
        account.add(f"mule {days}", session)
    account.shared, account.dust_day = (), today - 30
    account.pay("5", "dusty", session)
    account.dust_day, account.lists = 0, (ListFact("ofac", "1", account.now - 14 * DAY - 1),)
    account.pay("5", "home", session)


def places(account: Account) -> None:
    """Sign-ins from a usual place, from elsewhere soon after, by night, after wrong tries, and after a long time."""
    grow(account)
    account.seen = Seen((1, 2, 3, 4), (5, 6, 7), "NO", 2, "unlisted", ("asn:stale",))

    def visit(device: str) -> None:
        answer = account.ask(SessionStart(), Actor(ActorKind.OWNER), *PROOFS, context=Context(device=device))
        if isinstance(answer, StepUp):
            code = next(one for one in account.head.challenges.values() if one.contact).contact
            action = (SessionStart(), Actor(ActorKind.OWNER), *PROOFS, code)
            account.ask(*action, context=Context(device=device), challenge=answer.challenge)
        account.deliver()

    for _ in range(5):
        visit("laptop")
        account.wait(days=8)
    for minutes, origin, values, device in (
        (9_000, "unlisted", (1, 2, 3, 4), "laptop"),
        (5, "unlisted", (1, 2, 3, 4), "laptop"),
        (200, "tor", (9, 9, 9, 9), "tablet"),
        (700, "vpn", (1, 8, 9, 9), "tablet"),
        (30_000, "hosting", (1, 2, 9, 9), "other"),
        (90_000, "vpn", (1, 2, 3, 9), "laptop"),
    ):
        account.wait(minutes=minutes)
        account.seen = replace(account.seen, address=values, browser=(5, 6, minutes), origin=origin)
        account.tries = minutes // 100 % 8
        account.wait(minutes=account.tries)
        visit(device)
    account.seen = None
    visit("laptop")


def codes(account: Account) -> None:
    """More codes by text than may be sent in an hour."""
    session = grow(account, PASSWORD, SMS)
    for hours in range(1, 13):
        account.wait(minutes=3)
        account.ask(LockSet(hours), session)


def comes_back(account: Account) -> None:
    """Recoveries by every way, each tried at the instants at which a number makes a difference."""
    grow(account, PASSWORD, TOTP, BACKUP_CODE, equity="100000.5", contacts=(Channel.EMAIL, Channel.SMS))
    one = Claimant(account)
    one.opens(PASSWORD)
    account.wait(hours=1)
    one.opens(PASSWORD)
    one.shows("contact_code")
    account.wait(hours=24)
    one.opens(PASSWORD)
    for _ in range(6):
        one.shows("totp", account.wrong("a1-2"))
    account.wait(hours=24)
    one.judged("in_person")
    for member in ("rita", "ron"):
        reviewed(account, member)
    one.finishes()
    account.wait(days=30)
    one.finishes()
    account.wait(hours=25)
    one.opens(PASSWORD)
    one.shows("contact_code")
    account.wait(minutes=4)
    one.shows("contact_code", channel=Channel.SMS)
    account.wait(minutes=4)
    one.finishes()
    account.settle(days=2)
    one.finishes()


def robbed(account: Account) -> None:
    """A robbery, told in three pieces."""
    session = grow(account)
    for _ in range(3):
        account.ask(IncidentReport(sealed("all gone")), session)


def comes_back_by_what_is_held(account: Account) -> None:
    """A recovery by one thing held, with one reviewer too few; one by two; and what others know."""
    grow(account, PASSWORD, TOTP, BACKUP_CODE, equity="1000", contacts=(Channel.EMAIL, Channel.SMS))
    one = Claimant(account)
    one.opens(PASSWORD)
    one.judged("in_person")
    account.ask(RecoveryContest(), LINK)
    account.ask(RecoveryContest(), LINK)
    one.finishes()
    account.wait(days=31)
    one.opens(PASSWORD)
    one.shows("totp")
    for member in ("rita", "ron"):
        reviewed(account, member)
    account.settle(days=4)
    one.finishes()
    account.settle(days=4)
    one.opens(PASSWORD)
    one.shows("totp")
    one.shows("backup_code")
    account.ask(EvidenceBurn(("face",), "leak"), Actor(ActorKind.PLATFORM))


def shows_a_face(account: Account) -> None:
    """A recovery opened a month and half a day after the account was brought here."""
    account.open(PASSWORD, TOTP, contacts=(Channel.EMAIL, Channel.SMS))
    account.wait(days=30, hours=12)
    one = Claimant(account)
    one.opens()
    one.judged("face")


def helped(account: Account) -> None:
    """Staff who are enrolled, sign in and read a customer for tickets, each where a number makes a difference."""
    grow(account, equity="20000")
    for number in range(9):
        account.ask(TicketOpen(f"t-{number}"), SYSTEM)
    look = StaffLookUp("t-8", ("email",), sealed("asked"))
    sue = Colleague("sue", Role.SUPPORT, policy=account.policy, at=account.now)
    for _ in range(5):
        for _ in range(31):
            sue.asks(account, look)
            account.wait(minutes=0.5)
        sue.asks(account, look)
        account.wait(minutes=46)
        sue.stream.now = account.now
        sue.signs_in()
    rita = Colleague("rita", Role.REVIEWER, policy=account.policy, at=account.now)
    rita.asks(account, look)
    account.wait(days=30.5)
    account.drawn = ("staff-rita", "staff-sue")
    Claimant(account).opens(PASSWORD)
    rita.stream.now = account.now
    rita.signs_in()
    rita.asks(account, RecoveryReview("approve", sealed("right")))
    ann, bo = (Colleague(name, Role.POLICY, policy=account.policy, at=account.now) for name in ("ann", "bo"))
    new = Account(account.policy, "staff-cy")
    for number in range(7):
        ann.asks(Account(account.policy, f"staff-{number}"), enrolment(Role.LEGAL))
    account.log += ann.stream.log
    new.now = ann.stream.now
    new.wait(days=1.1)
    ann.stream.now = new.now
    ann.signs_in()
    ann.asks(new, enrolment(Role.LEGAL))
    bo.first = ann
    new.wait(days=7.5)
    bo.stream.now = new.now
    bo.signs_in()
    bo.asks(new, enrolment(Role.LEGAL))
    account.log += [*sue.stream.log, *new.log]


def registered(account: Account) -> None:
    """An agency, entered by two."""
    grow(account)
    ann, bo = (Colleague(name, Role.POLICY, policy=account.policy, at=account.now) for name in ("ann", "bo"))
    bo.first = ann
    police = Account(account.policy, "agency-police")
    for one in (ann, bo):
        one.asks(police, EVERY["agency.add"])
    account.log += police.log


def papers(account: Account) -> None:
    """Requests of authorities: ordinary and urgent, as many as may be open, secret, long, forged, and one order."""
    grow(account)
    office = Office(account)
    for secret_d in (90, 89):
        office.receives(secret_d=secret_d)
    for days in (180, 181):
        office.orders(days)
    office.rejects("lena", forged=True)
    office.rejects("lena")
    office.receives("name", basis="emergency")
    office.calls_back()
    for member in ("luc", "liv"):
        office.releases("lena")
        office.approves(member)
    office.releases("lena")
    office.receives("balance")
    office.calls_back()
    for member in ("lena", "luc"):
        office.approves(member)
    for _ in range(3):
        account.wait(hours=2)
        office.releases("lena")
        office.approves("liv")
    for _ in range(9):
        office.receives()


def is_reminded(account: Account) -> None:
    """A wait and a case that waits for its opener, of which everybody is told again and again."""
    grow(account, PASSWORD, TOTP, BACKUP_CODE, contacts=(Channel.EMAIL, Channel.SMS))
    one = Claimant(account)
    one.opens(PASSWORD)
    one.shows("totp")
    one.finishes()
    account.deliver()
    for hours in (*[1] * 80, *[12] * 60):
        account.wait(hours=hours)
        account.ask(RecoveryRemind(), SYSTEM)


def programmed(account: Account) -> None:
    """Programs that ask late, seldom and from anywhere, and more keys than there is room for."""
    session = grow(account)
    listed = ApiKeyCreate(sealed("bot"), (Scope.WITHDRAW,), (sealed("203.0.113.7"),), secret=sealed("key"))
    answer = account.ask(listed, session, *PROOFS)
    assert isinstance(answer, Allow)
    program = Actor(ActorKind.API_KEY, key=answer.id)
    for _ in range(32):
        account.ask(ApiKeyCreate(sealed("bot"), (Scope.TRADE,), secret=sealed("key")), session, *PROOFS)
        account.deliver()
    account.wait(days=5)
    pays = ExitRequest("withdrawal", "USD", "5", address=destination("home"), network="bitcoin")
    account.key_fact = {"at": account.now - 30_500}
    account.ask(pays, program)
    account.key_fact = {}
    for days in (1, 14.5, 50.5, 0.6, 0.6, 0.6, 12, 0.6, 0.6, 0.6, 4):
        account.wait(days=days)
        account.ask(pays, program)
    for stranger in "abc":
        account.ask(replace(pays, address=destination(stranger)), program)


def traded(account: Account) -> None:
    """Orders at every edge of what trades may give away, and of what makes them odd."""
    grow(account)
    account.market = {"half_range_ppm": 3_000}
    count = 0

    def order(price: str, amount: str = "1000", by: bytes | Actor = b"", **fields: Any) -> None:  # noqa: ANN401 - the action's own
        nonlocal count
        count += 1
        action = replace(OrderPlace(f"o{count}", "BTC/USDT", "buy", price, amount), **fields)
        account.ask(action, by or account.any_session(), counterparty="bob")

    trading_oddly(account, order)
    account.wait(hours=25)
    trading_windows(account)
    trading_doubted(account)
    trading_keyed(account)
    trading_robbed(account)
    trading_later(account)


def trading_later(account: Account) -> None:
    """Orders that rest while the feed falls silent, and what is owned for some days only."""
    account.market = {}
    account.state = replace(account.head, closed={})
    account.ask(OrderPlace("rests", "BTC/USDT", "buy", "1", "10"), account.any_session())
    account.wait(seconds=60.5)
    account.market = {"at": 1}
    account.ask(OrderReport("rests", "BTC/USDT", "buy", "1", "10"), PLATFORM)
    account.market = {}
    today = account.now // DAY
    account.state = replace(account.head, equity={today - 5: MICRO, today - 4: 10**6 * MICRO})
    account.ask(OrderPlace("owned", "BTC/USDT", "buy", "1.001", "1000"), account.any_session())


def trading_oddly(account: Account, order: Callable[..., None]) -> None:
    """Orders that are odd, each a little more than the one before it."""
    order("1")
    order("1.002", by=account.sign_in())
    account.wait(hours=23.5)
    account.deliver()
    session = account.sign_in()
    account.wait(minutes=59.5)
    account.ask(ChangeCancel("none"), session)
    order("1.012", "10")
    account.wait(minutes=1)
    account.ask(OrderLease("BTC/USDT"), session)
    for pair in ("BTC/USDT", "NEW/USDT"):
        order("1.012", "100", pair=pair)
    assert account.last is not None
    account.received(account.last.elsewhere)
    account.market = {"half_range_ppm": 3_001}
    order("1.012", "100")
    account.market = {"half_range_ppm": 60_000}
    order("1.2", "100")
    account.market = {"at": account.now - 90_500}
    order("1.2", "10")
    account.market = {}
    order("1", "205000", side="sell")
    order("1.1", "10")
    account.wait(days=6)
    session = account.sign_in()
    account.wait(minutes=50)
    account.ask(ChangeCancel("none"), session)
    account.wait(minutes=20)
    order("1", leverage="3")
    account.now = (account.now // DAY + 4) * DAY + 30 * MINUTE
    order("1", leverage="3", by=account.sign_in())


def trading_windows(account: Account) -> None:
    """One more than each window bears."""
    for spans, half, storm, price, amount in (
        ((0,) * 4, 200, 0, "1.05", "61000"),
        ((0,) * 3, 3_000, 0, "1.009", "1120000"),
        ((0, 70, 70, 70), 3_000, 0, "1.009", "1115000"),
        ((0, 1_500, 1_500), 3_000, 0, "1.009", "1555000"),
        ((0, *(7_200,) * 5), 3_000, 0, "1.009", "1945000"),
        ((0,) * 3, 3_000, 3_000, "1.009", "1945000"),
    ):
        account.market = {"half_range_ppm": half, "storm_ppm": storm}
        account.state = replace(account.head, closed={})
        for number, minutes in enumerate(spans):
            account.wait(minutes=minutes)
            session = account.sign_in()
            account.ask(OrderPlace(f"w{account.now}-{number}", "BTC/USDT", "buy", price, amount), session)
        account.wait(days=32)
    account.market = {}
    account.state = replace(account.head, closed={})
    session = account.sign_in()
    for number in range(18):
        action = OrderPlace(f"c{number}", f"C{number}/USDT", "buy", "2", "100000")
        account.ask(action, session)
    account.state = replace(account.head, closed={})
    account.wait(days=2)


def trading_doubted(account: Account) -> None:
    """Orders that were to reduce risk and did not, and platforms that say that nothing was matched."""
    session = account.sign_in()
    account.market = {"half_range_ppm": 3_000}
    for number in range(14):
        name = f"r{number}"
        account.ask(OrderPlace(name, "BTC/USDT", "buy", "1.009", "850000"), session)
        account.ask(OrderReport(name, "BTC/USDT", "buy", "1", "0"), PLATFORM)
    account.market = {}
    account.ask(OrderPlace("d1", "BTC/USDT", "buy", "1", "10", reduces=True), session)
    account.ask(OrderReport("d1", "BTC/USDT", "buy", "1", "10"), PLATFORM)
    account.wait(hours=24.5)
    session = account.sign_in()
    account.ask(OrderPlace("d2", "BTC/USDT", "buy", "1", "10", leverage="9", reduces=True), session)
    account.state = replace(account.head, closed={})


def trading_keyed(account: Account) -> None:
    """A key that may trade, at the end of its wait and later."""
    session = account.sign_in()
    made = account.ask(ApiKeyCreate(sealed("bot"), (Scope.TRADE,), secret=sealed("key")), session, *PROOFS)
    account.deliver()
    assert isinstance(made, Allow)
    for number, days in enumerate((4.5, 1.5, 1.3125)):
        account.wait(days=days)
        action = OrderPlace(f"k{number}", "BTC/USDT", "buy", "1.01", "10")
        account.ask(action, Actor(ActorKind.API_KEY, key=made.id))


def trading_robbed(account: Account) -> None:
    """A seller who gains from several that look robbed."""
    for number, minutes in enumerate((0, 0, 59.5, 1, 0)):
        account.wait(minutes=minutes)
        account.received((ev.ProceedsSeen(account.now, f"v{number}", 5_000_000),))


def trading_aged(account: Account) -> None:
    """An account just old enough to be a victim."""
    account.open()
    account.deliver()
    account.wait(days=30.5)
    account.ask(OrderPlace("o1", "BTC/USDT", "buy", "1.01", "10"), account.sign_in(), counterparty="bob")
    assert account.last is not None
    account.received(account.last.elsewhere)


def trading_clusters(account: Account) -> None:
    """A seller whose cluster gains from several; the device is met by as many as may be, and forgotten in the end."""
    grow(account)
    for accounts, days in ((16, 90.5), (17, 2)):
        account.from_device = (SharedFact("device", 0, accounts, accounts, b"phone", accounts),)
        account.sign_in()
        account.from_device = ()
        account.wait(days=days)
        account.received((ev.ProceedsSeen(account.now, f"v{accounts}{days}", 5_000_000),))
        lost = ((f"w{days}", account.now), (f"x{days}", account.now))
        account.losses = {b"phone": LossFact(b"phone", 16, lost)}
        account.pay("1", "home", account.sign_in())


STORIES: Final[tuple[Callable[[Account], None], ...]] = (
    signed,
    places,
    guards,
    stops,
    cooling,
    tripped,
    shows_a_face,
    money,
    sold,
    shopped,
    habits,
    few_days,
    received,
    vaults,
    proving,
    sessions,
    recognised,
    bounded,
    codes,
    crowded,
    untold,
    telling,
    priced,
    elsewhere,
    robbed,
    comes_back,
    comes_back_by_what_is_held,
    helped,
    papers,
    is_reminded,
    registered,
    programmed,
    traded,
    trading_aged,
    trading_clusters,
)

CHANGED: Final[dict[str, Any]] = {
    "waits.recent_change_h": 24 * 30,
    "outflow.long_standing_d": 60,
    "outflow.long_standing_day_usd": 80_000,
    "outflow.others_day_percent": 4,
    "outflow.others_month_percent": 12,
    "outflow.usual_factor_percent": 100,
    "outflow.usual_quantile_percent": 50,
    "outflow.usual_days_min": 4,
    "outflow.usual_quiet_h": 24,
    "outflow.instant_day_usd": 99,
    "outflow.received_floor_usd": 501,
    "outflow.stranger_day_usd": 8_000,
    "step_up.challenge_tries": 4,
    "step_up.challenges_open": 7,
    "step_up.code_again_m": 3,
    "step_up.password_fresh_m": 13,
    "step_up.failures_before_delay": 6,
    "step_up.failures_delay_s": 3,
    "step_up.failures_delay_max_s": 3000,
    "step_up.failures_max": 49,
    "sessions.absolute_h": 23,
    "sessions.idle_m": 59,
    "sessions.open_max": 31,
    "sessions.device_key": "required",
    "sessions.proof_s": 59,
    "notices.independent": ["email"],
    "notices.fold_m": 14,
    "lists.required": [],
    "lists.missing": "deny",
    "signals.price": "deny",
    "signals.price_age_m": 13,
    "bounds.waiting_exits": 31,
    "bounds.waiting_changes": 15,
    "bounds.authenticators": 15,
    "bounds.contacts": 7,
    "bounds.cool_offs": 31,
    "bounds.unheard": 63,
    "bounds.device_proofs": 63,
    "bounds.incident_notes": 1,
    "staff.decile_usd": [1, 20, 100, 300, 1_000, 3_000, 21_000, 30_000, 100_000],
    "api_keys.warned_d": [14, 4],
    "bounds.closed": 15,
    "trades.hour_percent": 2,
    "trades.lease_percent": 9,
    "trades.lease_s": 1,
    "legal.secrecy_max_d": 89,
    "bounds.papers": 1,
    "legal.freeze_order_max_d": 181,
    "signals.place": "step_up",
    "risk.step_up_centinats": -1_000,
    "risk.cool_off_centinats": 460,
    "risk.half_life_d": 1,
    "risk.quiet_d": 90,
    "risk.travel_h": 1,
    "risk.weights_percent": DEFAULT["risk"]["weights_percent"] | {"address": 41},
    "risk.address_prior_centi": [50, 100, 300, 2_000],
    "risk.browser_prior_centi": [50, 400, 900],
    "risk.address_shared_ppm": [900_000, 50_000, 2_000, 20_000],
    "risk.address_aimed_ppm": [400_000, 100_000, 5_000, 1_000],
    "risk.browser_shared_ppm": [200_000, 150_000, 100_000],
    "risk.browser_aimed_ppm": [500_000, 150_000, 100_000],
    "risk.device_owner_permille": [900, 40, 60],
    "risk.device_thief_permille": [100, 100, 800],
    "risk.paces_m": [1, 1_440, 43_200],
    "risk.pace_owner_permille": [50, 450, 450, 50],
    "risk.pace_thief_permille": [100, 300, 500, 100],
    "risk.travel_owner_permille": [900, 100],
    "risk.travel_thief_permille": [400, 600],
    "risk.origin_owner_permille": [800, 160, 38, 2],
    "risk.origin_thief_permille": [700, 80, 180, 40],
    "risk.tries_most": [0, 4, 5],
    "risk.tries_owner_permille": [800, 190, 9, 1],
    "risk.tries_thief_permille": [600, 250, 100, 50],
    "risk.factor_ages_d": [3, 200],
    "risk.factors_owner_permille": [15, 160, 825],
    "risk.factors_thief_permille": [60, 160, 780],
}
"""What a key is changed to, where one more would not be met by a story."""

STAFFED: Final = {
    "session_m",
    "proposed_d",
    "ticket_d",
    "apart_d",
    "decile_usd",
    "reads_per_h",
    "reads_per_day",
    "words_per_day",
}
"""What the core itself reads of the staff's table."""

COUNTED_OUTSIDE: Final = tuple(
    f"breaker.{name}"
    for name in ("weeks", "weeks_min", "deviations", "times_median", "least_usd_per_h", "cold_usd_per_h")
)
"""What the limit is worked out from, before anything is asked."""

OUTSIDE: Final[dict[str, ModuleType]] = {
    "signals.clock_tolerance_s": judging,
    **dict.fromkeys(COUNTED_OUTSIDE, breaker),
    "signals.network_age_d": wiring,
    "legal.papers_per_h": service,
    "book.dust_usd": deposits,
    "shared.address_window_d": judging,
    "shared.kept_d": sharing,
    "passwords.characters_min": intake,
    "passwords.characters_alone_min": intake,
    "passwords.strength_min": intake,
    "step_up.failures_forget_d": strangers,
    "step_up.failures_told_m": strangers,
    "step_up.network_failures_before_delay": attempts,
    "step_up.network_forget_h": strangers,
    **{f"staff.{name}": watching for name in DEFAULT["staff"] if name not in STAFFED},
    "staff.false_accusations_ppm": cli,
    **{f"face.{name}": face for name in DEFAULT["face"] if name != "reference_age_d"},
    **{f"face.{name}": face_rekognition for name in DEFAULT["face"] if name.startswith("vendor")},
    "face.checks_per_case": facing,
    "face.vendor_asked_s": facing,
}
"""Keys that are read before the core is asked, and where."""

KEYS: Final = [
    f"{section}.{key}"
    for section, keys in DEFAULT.items()
    if isinstance(keys, dict) and section not in {"exits", "networks"}
    for key in keys
]


def base(key: str) -> Any:  # noqa: ANN401 - any TOML value
    """The value of a key in the base policy."""
    section, _, name = key.partition(".")
    return SPREAD.get(key, DEFAULT[section][name])


def written(story: Callable[[Account], None], policy: Policy) -> bytes:
    """Everything a story writes under a policy, but for the policy's own name."""
    account = Account(policy)
    story(account)
    told = [replace(one, policy=b"") if isinstance(one, ev.Decided) else one for one in account.log]
    return ENCODER.encode(told)


@cache
def as_usual(story: Callable[[Account], None]) -> bytes:
    """What a story writes under the base policy."""
    return written(story, policy_with(**SPREAD))


@pytest.mark.parametrize("key", [key for key in KEYS if key not in OUTSIDE])
def test_every_key_is_read(key: str) -> None:
    """Changing one number alone changes a decision or an instant."""
    changed = CHANGED[key] if key in CHANGED else base(key) + 1
    policy = policy_with(**(SPREAD | {key: changed}))
    assert any(written(story, policy) != as_usual(story) for story in STORIES)


@pytest.mark.parametrize("key", OUTSIDE)
def test_the_others_are_read_before(key: str) -> None:
    """What the core is given as a fact is decided by the key outside of it."""
    assert key.partition(".")[2] in inspect.getsource(OUTSIDE[key])


@pytest.mark.parametrize("kind", DEFAULT["exits"])
def test_every_exit_kind_is_read(kind: str) -> None:
    """A kind that is taken off the list is closed."""

    def asking(account: Account) -> None:
        session = grow(account, subs=("savings",))
        action = ExitRequest(kind, "USD", "5", address=BOB, network="bitcoin", counterparty=destination("savings"))
        account.ask(action, session, *PROOFS, counterparty="savings")

    kinds = {name: network for name, network in DEFAULT["exits"].items() if name != kind}
    assert written(asking, policy_with(exits=kinds)) != written(asking, policy_with())


@pytest.mark.parametrize("network", DEFAULT["networks"])
def test_every_listed_network_is_read(network: str) -> None:
    """A network that is struck off the list is closed."""

    def asking(account: Account) -> None:
        account.open()
        account.ask(AddressAdd(sealed("new"), network, destination("new")), account.sign_in(), *PROOFS)

    others = {name: one for name, one in DEFAULT["networks"].items() if name != network}
    assert written(asking, policy_with(networks=others)) != written(asking, policy_with())


def test_the_table_knows_only_real_keys() -> None:
    """Nothing in these tables is about a key that is not in the file."""
    assert {*SPREAD, *CHANGED, *OUTSIDE} <= set(KEYS)
