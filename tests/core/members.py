"""Members of staff as their own streams make them, for rules that ask who of the staff asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from tests.core.histories import SYSTEM, Account, sealed

from holdback.core import decide
from holdback.core.decision import Allow, DeviceProof
from holdback.core.events import DAY, Actor, ActorKind, Role
from holdback.core.rules.staff import StaffEnrol
from holdback.core.staffing import attending
from holdback.core.state import Customer

if TYPE_CHECKING:
    from holdback.core.decision import Decision, StaffFact
    from holdback.core.events import Instant
    from holdback.core.policy import Policy
    from holdback.core.rules.asking import Action

KEY = b"k" * 32


def enrolment(*roles: Role, name: str = "new") -> StaffEnrol:
    """What makes somebody a member: all of it."""
    return StaffEnrol(roles, sealed(name), sealed(f"{name} key"), sealed(f"{name}@desk.example"))


class Colleague:
    """One member of staff and the stream that says so. Example: `ann = Colleague("ann", Role.POLICY)`."""

    def __init__(self, name: str, *roles: Role, policy: Policy | None = None, at: Instant | None = None) -> None:
        """Installed by the operator, ripe, and signed in at an instant."""
        self.stream = Account(policy, f"staff-{name}") if policy else Account(name=f"staff-{name}")
        self.stream.now = at - 5 * DAY if at else self.stream.now
        self.stream.device_key = KEY
        self.canary = False
        self.first: Colleague | None = None
        if roles:
            answer = self.stream.ask(enrolment(*roles, name=name), SYSTEM)
            assert isinstance(answer, Allow), answer
            self.stream.settle(days=5)
            self.session = self.stream.sign_in()

    @property
    def actor(self) -> Actor:
        """As whom he asks."""
        return Actor(ActorKind.STAFF, self.session, key=self.stream.name)

    def fact(self, about: Account, proof: DeviceProof | None) -> StaffFact:
        """What is known of him as he asks about somebody."""
        heads = self.stream.state, about.state, self.first.stream.state if self.first else None
        return attending(self.actor, heads, proof, about.policy, about.now, canary=self.canary)

    def asks(self, about: Account, action: Action, **wrong: Any) -> Decision:  # noqa: ANN401 - DeviceProof's own
        """Ask about a customer or another member; both streams keep what follows."""
        self.stream.now = about.now = max(self.stream.now, about.now)
        other = decide.needs(about.request(action, self.actor), about.state).counterparty
        asked = about.request(action, self.actor, counterparty=other)
        proof = self.stream.signed(**wrong)
        facts = replace(about.facts(asked), staff=self.fact(about, proof), device=proof)
        decision = about.submit(asked, facts)
        assert about.last is not None
        attended = decide.attend(
            Customer(self.stream.state, {}), about.last, asked, facts, about.policy, self.stream.now
        )
        if attended.events and about is not self.stream:
            self.stream.keep(attended)
        return decision

    def signs_in(self) -> None:
        """A new session."""
        self.session = self.stream.sign_in()
