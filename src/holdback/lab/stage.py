"""The stage: how a person of a story asks the core something, with the session, link and proofs he has."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec.structs import replace

from holdback.core import decide
from holdback.core import events as ev
from holdback.core.decision import (
    AgencyFact,
    Allow,
    Context,
    Decision,
    DeviceProof,
    EvidenceFact,
    KeyFact,
    PaperFact,
    StaffFact,
    StepUp,
)
from holdback.core.events import ActorKind, AuthenticatorKind
from holdback.core.rules.account import AccountFreeze
from holdback.core.rules.asking import Action, Request
from holdback.core.rules.breaker import BreakerReset
from holdback.core.rules.exit import ExitCancel, ExitRelease
from holdback.core.rules.incident import IncidentReport
from holdback.core.rules.legal import spoke
from holdback.core.rules.recovery import RecoveryContest, RecoveryEvidence, RecoveryFinish, RecoveryOpen
from holdback.core.rules.session import SessionEnd, SessionStart
from holdback.lab.moves import OFFICER, SIGNED
from holdback.lab.people import ATTACKER, OWNER, People
from holdback.lab.world import CUSTOMER, PLATFORM, Judged, World

if TYPE_CHECKING:
    from holdback.core.decision import Proof
    from holdback.core.events import Instant
    from holdback.core.policy import Policy
    from holdback.core.state import LegalRequest
    from holdback.lab.playbooks import Playbook
    from holdback.lab.shared import Shared

_STAFF: Final = {
    "support": ("support",),
    "reviewer_1": ("reviewer",),
    "reviewer_2": ("reviewer",),
    "legal_1": ("legal",),
    "legal_2": ("legal",),
    "treasurer": ("treasurer",),
    "investigator": ("investigator",),
}
"""The staff of every story, and their roles."""

_REGISTERED: Final = "registered"
_CERTIFICATE: Final = b"certificate of the agency"
_PAPER: Final = b"digest of the paper"
_PACKAGE: Final = b"digest of the package"

_DRAWN: Final = ("reviewer_1", "reviewer_2")
"""The reviewers that chance draws in every story."""


class HeldKey(NamedTuple):
    """An API key of the story: its id, who made it, and whether it may ask from a list of networks only."""

    id: str
    maker: str
    listed: bool


class Stage:
    """A world with people in it. Example: `Stage(story, policy, now).ask("owner", action)`."""

    def __init__(
        self, story: Playbook, policy: Policy, now: Instant, shared: Shared | None = None, place: int = 0
    ) -> None:
        """Set the scene at an instant; `shared` is what a crowd shares in which it has this place."""
        self.story = story
        self.world = World(policy, now, shared, place)
        self.people = People(story)
        self.step_ups = 0
        self.equity_micro_usd: int | None = None
        self.keys: dict[str, HeldKey] = {}
        self._nonce = 0

    def ask(
        self, person: str, action: Action, *, account: str = "main", via: str | None = None, counterparty: str = ""
    ) -> Decision:
        """Ask as a person, signing in first if need be, and answer a step-up at once with what he holds."""
        actor = ev.Actor(ActorKind.API_KEY, key=self._key(via)) if via is not None else self._actor(person, action)
        if not isinstance(actor, ev.Actor):
            return actor
        return self._asked(person, self._request(person, action, actor, account, counterparty))

    def _key(self, via: str) -> str:
        return self.keys[via].id if via in self.keys else via

    def _signed(self, person: str, actor: ev.Actor) -> KeyFact | None:
        """What a person signs with a key: rightly if he holds it, and from its networks if they are his."""
        if actor.kind is not ActorKind.API_KEY:
            return None
        self._nonce += 1
        key = next((one for one in self.keys.values() if one.id == actor.key), None)
        stolen = key is not None and key.maker == OWNER and self.people.has("api_key")
        holds = key is not None and (person in {key.maker, OWNER} or (person == ATTACKER and stolen))
        from_its_own = person == OWNER or (person == ATTACKER and self.people.has("own_device"))
        listed = key is None or not key.listed or from_its_own
        return KeyFact(holds, self._nonce, self.world.now, listed)

    def shown(self, person: str, action: Action, kind: str, name: str) -> Decision:
        """Ask something whose proof, of this kind and by this authenticator or contact, comes with the question."""
        actor = self._actor(person, action)
        if not isinstance(actor, ev.Actor):
            return actor
        request = self._request(person, action, actor, "main", "")
        made = (self.world.digest(request), self.world.now)
        proofs = self.people.proofs(person, (kind,), self.world.head, made, name) or ()
        named = tuple(proof for proof in proofs if proof.authenticator == name)
        return self.world.ask(request, person, named)

    def by_link(self, person: str, action: Action, contact: str) -> Decision:
        """Ask by the link of a notice that was sent to a contact."""
        actor = ev.Actor(ActorKind.LINK, contact=contact)
        return self._asked(person, self._request(person, action, actor, "main", ""))

    def by_platform(self, cause: str, action: Action) -> Decision:
        """Let the platform ask by itself; `cause` is the person whose doing it carries on."""
        return self.world.ask(self._request("platform", action, PLATFORM, "main", ""), cause)

    def sign_in(self, person: str) -> Decision:
        """Start a session from where the person is."""
        decision = self._asked(person, self._request(person, SessionStart(), ev.Actor(ActorKind.OWNER), "main", ""))
        if isinstance(decision, Allow):
            self.people.signed_in(person, bytes.fromhex(decision.id))
        return decision

    def touch(self, person: str, token: bytes) -> None:
        """Use a session for nothing: any question keeps it alive, and this one ends a session that never was."""
        actor = ev.Actor(ActorKind.OWNER, session=token)
        self._asked(person, self._request(person, SessionEnd("0" * 32), actor, "main", ""))

    def stated(self, equity_micro_usd: int) -> None:
        """Let the platform say what the family owns now, once, with the next question."""
        self.equity_micro_usd = equity_micro_usd

    def _request(self, person: str, action: Action, actor: ev.Actor, account: str, counterparty: str) -> Request:
        place = self.people.place(person) if person in {OWNER, ATTACKER} else None
        equity, self.equity_micro_usd = self.equity_micro_usd, None
        context = place.context(equity) if place else Context(equity_micro_usd=equity)
        name = CUSTOMER if account == "main" else f"{CUSTOMER}.{account}"
        name = ev.BREAKER if isinstance(action, BreakerReset) else name
        return Request(action, name, actor, context, counterparty=counterparty)

    def _asked(self, person: str, request: Request) -> Decision:
        judged, shown = self._judged(person, request), self._evidence(person, request)
        decision = self.world.ask(request, person, shown, judged)
        if isinstance(decision, Allow) and isinstance(request.action, RecoveryOpen):
            opened = self.world.head.recovery
            self.people.opened(person, opened.token if opened else b"")
        if not isinstance(decision, StepUp):
            return decision
        proofs = self._proofs(person, request, decision)
        if proofs is None:
            return decision
        self.step_ups += person == OWNER
        if judged.api_key is not None:
            judged = judged._replace(api_key=self._signed(person, request.actor))
        return self.world.ask(replace(request, challenge=decision.challenge), person, proofs, judged)

    def _judged(self, person: str, request: Request) -> Judged:
        """What others say to a question: who of the staff asks, who was drawn, and whether evidence passes."""
        action = request.action
        staff = StaffFact(person, _STAFF[person], involved=False) if person in _STAFF else None
        if isinstance(action, RecoveryOpen):
            return Judged(staff=staff, drawn=_DRAWN)
        if isinstance(action, BreakerReset):
            return Judged(staff=staff and replace(staff, first=self.world.asked_first))
        if isinstance(action, ExitRelease | ExitCancel) and staff is not None:
            return Judged(staff=replace(staff, first=self._said_first(action.which)))
        if request.actor.kind is ActorKind.API_KEY:
            return Judged(api_key=self._signed(person, request.actor))
        if decide.action_name(action).startswith("legal."):
            return self._papers(action, staff)
        if not isinstance(action, RecoveryEvidence):
            return Judged(staff=staff)
        evidence = EvidenceFact(action.kind, self.people.can_show(person, action.kind), "the story")
        if action.kind != "device" or not self.people.acts_from_owners(person):
            return Judged(evidence, staff)
        key = hashlib.sha256(request.context.device.encode()).digest()
        return Judged(evidence, staff, device=DeviceProof(key, self.world.now.to_bytes(16), self.world.now))

    def _said_first(self, which: str) -> str:
        """Who of the staff said last how a disputed sale ends, or wants something given back; nobody has left."""
        held = self.world.head.exits.get(which)
        said = held.lock.proposal if held is not None and held.lock is not None else None
        said = said or self.world.head.returning.get(which)
        return said.by if said is not None else ""

    def _papers(self, action: Action, staff: StaffFact | None) -> Judged:
        """What the registry and the reading of papers say: a registered agency's signed paper is as it should be.

        It was signed a moment ago, and nobody who had a word has left.
        """
        named = getattr(action, "agency", "") or next((one.agency for one in reversed(self._requests())), "")
        agency = AgencyFact(named, named == _REGISTERED, (OFFICER,), (_CERTIFICATE,), answered=True)
        signed = getattr(action, "document", "") == SIGNED
        paper = PaperFact(_PAPER, "unsigned")
        if signed:
            now = self.world.now
            paper = PaperFact(_PAPER, "signed_trusted", _CERTIFICATE, signed_at=now, mark=now.to_bytes(8))
        if staff is not None:
            staff = replace(staff, still=spoke(action, self.world.head))
        return Judged(staff=staff, agency=agency, paper=paper, package=_PACKAGE)

    def _requests(self) -> list[LegalRequest]:
        return list(self.world.head.legal.values())

    def _evidence(self, person: str, request: Request) -> tuple[Proof, ...]:
        """The proof that comes with a piece of evidence; a passkey and a code wait to be asked for."""
        action = request.action
        if not isinstance(action, RecoveryEvidence) or action.kind not in {"totp", "backup_code"}:
            return ()
        made = (self.world.digest(request), self.world.now)
        return self.people.proofs(person, (action.kind,), self.world.head, made) or ()

    def _proofs(self, person: str, request: Request, wanted: StepUp) -> tuple[Proof, ...] | None:
        """What a person holds of the first alternative he can satisfy; a backup code is spent only in need."""
        head, made = self.world.head, (self.world.digest(request), self.world.now)
        challenge = head.challenges.get(wanted.challenge)
        contact = challenge.contact if challenge else ""
        for kinds in sorted(wanted.accept, key=lambda kinds: AuthenticatorKind.BACKUP_CODE in kinds):
            proofs = self.people.proofs(person, kinds, head, made, contact)
            if proofs is not None:
                return proofs
        return None

    def _actor(self, person: str, action: Action) -> ev.Actor | Decision:
        """As whom a person asks; or the decision that kept him from signing in for it, which is not counted."""
        if person in _STAFF:
            return ev.Actor(ActorKind.STAFF, key=person)
        if person == "agency":
            return ev.Actor(ActorKind.AGENCY, key=person)
        if person == "platform":
            return PLATFORM
        has_platform_key = person == ATTACKER and self.people.has("platform_key")
        rule = decide.RULES.get(type(action))
        if rule is not None and ActorKind.OWNER not in rule.actors and has_platform_key:
            return PLATFORM
        if isinstance(action, RecoveryEvidence | RecoveryFinish):
            return ev.Actor(ActorKind.OWNER, session=self.people.recovery(person))
        token = self.people.session(person, self.world.head, self.world.now)
        if token or not _wants_session(action):
            return ev.Actor(ActorKind.OWNER, session=token)
        contact = self._link(person) if isinstance(action, AccountFreeze | RecoveryContest | IncidentReport) else ""
        if contact:
            return ev.Actor(ActorKind.LINK, contact=contact)
        step_ups = self.step_ups
        signed_in = self.sign_in(person)
        self.step_ups = step_ups
        if isinstance(signed_in, Allow):
            return ev.Actor(ActorKind.OWNER, session=bytes.fromhex(signed_in.id))
        return PLATFORM if has_platform_key else signed_in

    def _link(self, person: str) -> str:
        """A contact whose notices, and so whose freeze links, a person can read; none if there is none."""
        for key, contact in self.world.head.contacts.items():
            muted = person == OWNER and self.people.is_tapped(key, contact.channel)
            reads = self.people.reads_codes(person, key, self.world.head) and not muted
            if reads and contact.confirmed and not contact.recycled:
                return key
        return ""


def _wants_session(action: Action) -> bool:
    rule = decide.RULES.get(type(action))
    return rule is not None and not rule.anonymous
