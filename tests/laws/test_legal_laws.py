"""Legal requests under random histories: bought clerks, papers of every sort, an agency that comes and goes.

The oracle is the log: whether something may be disclosed or stopped is worked out anew from every entry, by the words
of the issue and not by the core's own state, and must agree with the core on every try, both ways.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from tests.core.authorities import SIGNED, UNSIGNED, Office
from tests.core.histories import grow, kind_of, policy_with
from tests.core.watched import Watched

from holdback.core import events as ev
from holdback.core.events import DAY, HOUR

if TYPE_CHECKING:
    from holdback.core.events import Instant

ROOMY: Final = policy_with(**{"bounds.cool_offs": 10_000, "bounds.unheard": 10_000, "legal.open_max": 32})
DESK: Final = ("lena", "luc", "liv")
NEVER: Final = {"session_tokens", "password", "totp_secret", "passkeys"}
WANTED: Final = ("email", "phone", "kyc_file", "balance", "sign_ins", *sorted(NEVER))

member = st.sampled_from(DESK)


class Said:
    """What the log says of one request."""

    def __init__(self, received: ev.LegalReceived) -> None:
        """It came in."""
        self.received = received
        self.called: str = ""
        self.approved: set[str] = set()
        self.over_at: Instant = received.expires_at
        self.in_force = False


class Requests(RuleBasedStateMachine):
    """One customer, a desk of three of whom any may be bought, and an agency."""

    def __init__(self) -> None:
        """Before anything came in."""
        super().__init__()
        self.account = Watched(ROOMY)
        self.office = Office(self.account)
        self.gone: set[str] = set()

    @initialize()
    def begin(self) -> None:
        """A grown account."""
        grow(self.account)

    @rule(known=st.booleans(), signed=st.booleans(), phrase=st.booleans())
    def world_changes(self, *, known: bool, signed: bool, phrase: bool) -> None:
        """The registry, what papers look like, and what the agency answers on the telephone."""
        self.office = Office(self.account)
        self.office.leaves(*self.gone)
        self.office.paper = SIGNED if signed else UNSIGNED
        if not phrase:
            self.office.hears_no_phrase()
        if not known:
            self.office.knows_nobody()

    @rule(
        fields=st.lists(st.sampled_from(WANTED), min_size=1, max_size=4),
        basis=st.sampled_from(("court_order", "court_order", "subpoena", "emergency")),
        by=st.sampled_from(("", "", *DESK)),
        secret_d=st.sampled_from((0, 0, 10, 90)),
    )
    def receives(self, fields: list[str], basis: str, by: str, secret_d: int) -> None:
        """A request for data comes in."""
        self.office.receives(*fields, basis=basis, by=by, secret_d=secret_d)

    @rule(days=st.sampled_from((1, 30)), by=st.sampled_from(("", *DESK)))
    def orders(self, days: int, by: str) -> None:
        """An order to stop exits comes in."""
        self.office.orders(days, by)

    @rule(gone=st.sampled_from(((), (), ("lena",), ("luc", "liv"))))
    def some_leave(self, gone: tuple[str, ...]) -> None:
        """These are retired or suspended; whoever was before is back."""
        self.gone = set(gone)
        self.office.leaves(*gone)

    @rule(by=member, confirmed=st.sampled_from((True, True, True, False)))
    def calls_back(self, by: str, *, confirmed: bool) -> None:
        """Somebody rings the agency."""
        self.office.calls_back(by, confirmed=confirmed)

    @rule(by=member, involved=st.sampled_from((False, False, True)))
    def approves(self, by: str, *, involved: bool) -> None:
        """Somebody says yes."""
        self.office.approves(by, involved=involved)

    @rule(by=member, forged=st.booleans())
    def rejects(self, by: str, *, forged: bool) -> None:
        """Somebody says no, or wants an order ended."""
        self.office.rejects(by, forged=forged)

    @rule(hours=st.sampled_from((1, 4, 24, 24 * 31)))
    def time_passes(self, hours: int) -> None:
        """Time passes, and the owner is told of what is due."""
        self.account.deliver()
        self.account.wait(hours=hours)

    @rule(order=st.permutations(DESK), basis=st.sampled_from(("court_order", "emergency")))
    def goes_through(self, order: list[str], basis: str) -> None:
        """A request goes all the way, with the desk in any order."""
        self.office = Office(self.account)
        self.some_leave(())
        self.office.receives("phone", "kyc_file", basis=basis)
        self.office.calls_back(order[0])
        self.office.approves(order[1])
        self.office.approves(order[2])
        self.account.wait(hours=4)
        self.releases(order[0])

    @rule(by=member)
    def releases(self, by: str) -> None:
        """Somebody carries the latest out; the core and the log must agree on whether it may be."""
        may = self.may_release(by)
        assert (kind_of(self.office.releases(by)) == "allow") is may

    # What the log says

    def requests(self) -> dict[str, Said]:
        """Every request that is not over, or was not when the last one came in, read from the first entry on."""
        found: dict[str, Said] = {}
        for event in self.account.log:
            match event:
                case ev.LegalReceived():
                    found = {key: one for key, one in found.items() if event.at < one.over_at}
                    found[event.request] = Said(event)
                case ev.LegalCalledBack():
                    found[event.request].called = event.by
                case ev.LegalApproved():
                    found[event.request].approved.add(event.by)
                case ev.LegalFrozen():
                    found[event.request].in_force = True
                    found[event.request].over_at = event.at + found[event.request].received.freeze_ms
                case ev.LegalRejected() | ev.LegalDisclosed() | ev.LegalThawed():
                    found.pop(event.request, None)
                case _:
                    pass
        return found

    def may_release(self, by: str) -> bool:
        """Called back, approved by enough others, signed or entered by staff or about life, and its wait over.

        Who is not of the desk any more called nobody and approved nothing.
        """
        latest = next(reversed(self.requests().values()), None)
        over = latest is None or latest.in_force or self.account.now >= latest.over_at
        if latest is None or over or self.office.police is None:
            return False
        asked, urgent = latest.received, latest.received.basis == "emergency"
        enough = len(latest.approved - self.gone) >= (1 if urgent else 2)
        vouched = asked.signed or asked.entered_by or urgent
        waited = urgent or asked.freeze_ms or self.account.now >= asked.at + 4 * HOUR
        called = latest.called and latest.called not in self.gone
        return bool(called and enough and vouched and waited and by != asked.entered_by)

    def teardown(self) -> None:
        """Nobody did anything alone, no secret left, the owner was told, and what left proves nothing."""
        people: dict[str, set[str]] = {}
        entered: dict[str, str] = {}
        for event in self.account.log:
            match event:
                case ev.LegalReceived():
                    entered[event.request] = event.entered_by
                    people[event.request] = set()
                case ev.LegalCalledBack() | ev.LegalApproved():
                    assert event.by != entered[event.request]
                    people[event.request].add(event.by)
                case ev.LegalDisclosed() | ev.LegalFrozen():
                    assert len(people[event.request]) >= 2
                case _:
                    pass
        self.check_disclosures()
        if self.account.entries:
            self.account.check_stream()

    def check_disclosures(self) -> None:
        """Each was told, at once or at its date, which is never more than 90 days after it came."""
        for entry in self.account.twin.entries:
            for event in entry:
                if isinstance(event, ev.LegalDisclosed):
                    assert not NEVER & set(event.fields)
                    (notice,) = [n for n in entry if isinstance(n, ev.NoticeDue) and n.cause == "legal.disclosed"]
                    assert notice.due_at <= event.at + 90 * DAY
                    assert notice.contacts
                    burned = {kind for one in entry if isinstance(one, ev.EvidenceBurned) for kind in one.kinds}
                    assert ("kyc_file" in event.fields) is ({"face", "id_document"} <= burned)
            hushed = {n.cause for n in entry if isinstance(n, ev.NoticeDue) and n.due_at}
            assert hushed <= {"legal.disclosed", "legal.rejected", "evidence.burned"}


TestRequests = Requests.TestCase
TestRequests.settings = settings(
    max_examples=2 * settings().max_examples, stateful_step_count=40, suppress_health_check=list(HealthCheck)
)
