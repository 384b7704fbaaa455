"""What every rule shares: the action asked, the case it is judged in, and the ruling that comes back.

They are structs, as what is stored is: a named tuple takes three times as long to make, and a decision makes a dozen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from holdback.core import events as ev
from holdback.core.assurance import Level
from holdback.core.decision import Allow, Context, Decision, Deny, Facts, Proof, Reason, why
from holdback.core.events import ActorKind, AnyEvent, Finding, Instant, Scope, StreamKind
from holdback.core.evidence import live
from holdback.core.policy import Policy
from holdback.core.programs import asking, is_asleep
from holdback.core.state import Customer, Head, PartKey

if TYPE_CHECKING:
    from holdback.core.state import Recovery, Session

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Id = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,64}\Z")]
Money = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,12}(\.[0-9]{1,6})?\Z")]
"""USD as a decimal string, below a trillion, at most micro-USD: fits 64 bits as an integer of them."""
Amount = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,20}(\.[0-9]{1,18})?\Z")]
"""Units of an asset as a decimal string, at most 18 places."""
Network = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}\Z")]
Pair = Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9]{1,16}/[A-Z0-9]{1,16}\Z")]
"""Two assets as they are traded for each other, such as `BTC/USDT`."""

AMOUNT_UNIT = 10**18


MOST_MICRO_USD = 10**15
"""A billion dollars, the most that one thing is booked as: sums of many still fit 64 bits."""


def micro_usd(text: str) -> int:
    """Micro-USD of a `Money` string."""
    whole, _, part = text.partition(".")
    return int(whole) * 1_000_000 + int(part.ljust(6, "0") or 0)


def units(text: str) -> int:
    """Units of 1e-18 of an `Amount` string."""
    whole, _, part = text.partition(".")
    return int(whole) * AMOUNT_UNIT + int(part.ljust(18, "0") or 0)


class Action(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="action"):
    """Base of everything that can be asked. Its tag is the public name, `subject.verb`."""


class SharedKey(msgspec.Struct, frozen=True):
    """By which keyed hashes something is known across accounts, one for each master key there is."""

    kind: str
    keys: tuple[bytes, ...]


class Request(msgspec.Struct, frozen=True):
    """An action and who asks it. `account` is the main account or one of its sub-accounts.

    `counterparty` is the receiving customer's account id where the action names one inside the platform. `shared` names
    what it is about that other accounts may have to do with as well.
    """

    action: Action
    account: str
    actor: ev.Actor
    context: Context
    challenge: str = ""
    counterparty: str = ""
    shared: tuple[SharedKey, ...] = ()


class Case(msgspec.Struct, frozen=True):
    """Everything a rule may look at. `seq` numbers the entry being written; `proved` holds the proofs that sufficed.

    `key_fault` is what is wrong with how the asking device's key was shown, None if nothing is.
    """

    head: Head
    customer: Customer
    request: Request
    facts: Facts
    policy: Policy
    now: Instant
    key_fault: Finding | None = None
    proved: tuple[Proof, ...] = ()

    @property
    def seq(self) -> int:
        """The number of the entry this case will write."""
        return self.head.seq + 1

    @property
    def session(self) -> Session | None:
        """The owner's session that asks, if it still counts."""
        if self.request.actor.kind is not ActorKind.OWNER:
            return None
        session = self.head.sessions.get(self.request.actor.session)
        return session if session is not None and self.now < session.ends_at() else None

    @property
    def asleep(self) -> bool:
        """Whether an API key asks that slept: what it asks for is its owner's to confirm."""
        key = asking(self.head, self.request.actor)
        return key is not None and is_asleep(key, self.policy, self.now)

    @property
    def recovery(self) -> Recovery | None:
        """The recovery that is under way."""
        return live(self.head, self.policy, self.now)

    @property
    def opened_it(self) -> bool:
        """Whether whoever asks opened the recovery that is under way, and shows its token."""
        recovery, shown = self.recovery, self.request.actor.session
        owner = self.request.actor.kind is ActorKind.OWNER
        return owner and recovery is not None and bool(shown) and shown == recovery.token

    @property
    def device(self) -> str:
        """The device that asks: the session's, else the one the platform names."""
        return self.session.device if self.session else self.request.context.device


class Ruling(msgspec.Struct, frozen=True):
    """A rule's answer: the decision, what it causes here, and what it causes in the counterparty's stream."""

    decision: Decision
    events: tuple[AnyEvent, ...] = ()
    elsewhere: tuple[AnyEvent, ...] = ()


class Doubt(msgspec.Struct, frozen=True):
    """Why an action that proved itself is asked for the code sent to `contact` as well, and what is told of it."""

    contact: str
    findings: tuple[Finding, ...]
    events: tuple[AnyEvent, ...] = ()


NOTHING: tuple[PartKey, ...] = ()
CUSTOMERS = frozenset({StreamKind.CUSTOMER})
MEMBERS = frozenset({StreamKind.STAFF})
AGENCIES = frozenset({StreamKind.AGENCY})
EVERYBODY = CUSTOMERS | MEMBERS
"""What anybody may ask who signs in, customer or staff."""


def _no_objection(_case: Case, _action: Any) -> Finding | None:  # noqa: ANN401 - each rule narrows it to its own action
    return None


def _no_parts(_request: Request, _action: Any, _peek: Head | None) -> tuple[PartKey, ...]:  # noqa: ANN401 - as above
    return NOTHING


def _no_doubt(_case: Case, _action: Any) -> Doubt | None:  # noqa: ANN401 - as above
    return None


def _no_proof(_case: Case, _action: Any) -> Level:  # noqa: ANN401 - as above
    return Level.NONE


class Rule(msgspec.Struct, frozen=True):
    """How one action is judged, in this order: who may ask, `objection`, the proofs of `level`, `doubts`, `ruling`.

    `objection` refuses what no proof could mend. `parts` names the part rows wanted; with `peeks` it is given the
    head as it was read without a lock, and may use of it only what never changes. `loosens` says that nothing of it
    may happen while the clock is in doubt (law 8). `doubts` may ask for one more proof of those that sufficed, and can
    take none away. `anonymous` lets an owner ask without a session. `restores` lets it be asked soon after a recovery,
    when whatever loosens is not. `streams` says in whose streams it can be asked at all; `begins` judges it where there
    is none yet, and what it causes begins one. `by_opener` lets whoever opened a recovery ask by its token, without a
    session. `scope` is what an API key must have to ask it.
    """

    actors: frozenset[ActorKind]
    ruling: Callable[[Case, Any], Ruling]
    level: Callable[[Case, Any], Level] = _no_proof
    objection: Callable[[Case, Any], Finding | None] = _no_objection
    parts: Callable[[Request, Any, Head | None], tuple[PartKey, ...]] = _no_parts
    loosens: bool = True
    anonymous: bool = False
    peeks: bool = False
    restores: bool = False
    by_opener: bool = False
    doubts: Callable[[Case, Any], Doubt | None] = _no_doubt
    streams: frozenset[StreamKind] = CUSTOMERS
    begins: Callable[[Request, Any, Facts, Policy, Instant], Ruling] | None = None
    scope: Scope | None = None

    @property
    def proofless(self) -> bool:
        """Whether it tightens and never asks for proof: then proofs and challenges beside it are not looked at."""
        return self.level is _no_proof and not self.loosens


OWNER = frozenset({ActorKind.OWNER})
OWNER_OR_LINK = frozenset({ActorKind.OWNER, ActorKind.LINK})
OWNER_LINK_OR_STAFF = frozenset({ActorKind.OWNER, ActorKind.LINK, ActorKind.STAFF})
OWNER_OR_STAFF = frozenset({ActorKind.OWNER, ActorKind.STAFF})
OWNER_OR_KEY = frozenset({ActorKind.OWNER, ActorKind.API_KEY})
OWNER_KEY_PLATFORM_OR_STAFF = frozenset({ActorKind.OWNER, ActorKind.API_KEY, ActorKind.PLATFORM, ActorKind.STAFF})
OWNER_OR_PLATFORM = frozenset({ActorKind.OWNER, ActorKind.PLATFORM})
OWNER_PLATFORM_OR_STAFF = frozenset({ActorKind.OWNER, ActorKind.PLATFORM, ActorKind.STAFF})
PLATFORM = frozenset({ActorKind.PLATFORM})
SYSTEM = frozenset({ActorKind.SYSTEM})
STAFF = frozenset({ActorKind.STAFF})
STAFF_OR_SYSTEM = frozenset({ActorKind.STAFF, ActorKind.SYSTEM})
AGENCY_OR_STAFF = frozenset({ActorKind.AGENCY, ActorKind.STAFF})


def always(level: Level) -> Callable[[Case, Any], Level]:
    """A level that does not depend on the case."""

    def fixed(_case: Case, _action: Any) -> Level:  # noqa: ANN401 - as above
        return level

    return fixed


def denied(finding: Finding) -> Ruling:
    """A refusal that changes nothing."""
    return Ruling(Deny((finding,)))


def tightened(*events: AnyEvent, id: str = "") -> Ruling:  # noqa: A002 - the answer's own word
    """An allowed tightening: effective now."""
    return Ruling(Allow((why(Reason.TIGHTENING),), id), events)
