"""What counts as evidence in a recovery, in which class, and how long each way back takes (laws 5, 6 and 7).

One table of kinds and one of ways. Only what predates the case counts, two pieces combine only if they rest on
different things, and what others know proves nothing. Documents, a face and codes never finish a recovery by
themselves: those are what thieves of exchange accounts bring (incident A).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from holdback.core.events import DAY, HOUR
from holdback.core.policy import MICRO
from holdback.core.seniority import ripe_at
from holdback.core.state import Authenticator

if TYPE_CHECKING:
    from holdback.core.events import Instant
    from holdback.core.policy import Policy
    from holdback.core.state import Contact, Head, Recovery, Shown


class EvidenceClass(StrEnum):
    """How much a kind of evidence says: something held, somewhere reached, somebody else's word, or looks."""

    POSSESSION = "possession"
    REACH = "reach"
    THIRD_PARTY = "third_party"
    MINOR = "minor"


EVIDENCE: Final = {
    "passkey": EvidenceClass.POSSESSION,
    "totp": EvidenceClass.POSSESSION,
    "backup_code": EvidenceClass.POSSESSION,
    "device": EvidenceClass.POSSESSION,
    "email_code": EvidenceClass.REACH,
    "sms_code": EvidenceClass.REACH,
    "bank_round_trip": EvidenceClass.THIRD_PARTY,
    "address_signature": EvidenceClass.THIRD_PARTY,
    "in_person": EvidenceClass.THIRD_PARTY,
    "face": EvidenceClass.MINOR,
    "id_document": EvidenceClass.MINOR,
}
"""Every kind of evidence, and its class."""

BY_STAFF: Final = frozenset({"bank_round_trip", "in_person", "id_document"})
"""Kinds that a member of staff looks at, and says whether they are right."""

JUDGED: Final = BY_STAFF | {"face"}
"""Kinds that something or somebody outside judges; all others are proved here."""

SIGNATURE: Final = "address_signature"
"""A message signed by the key of an address that was paid for long: what it is called as evidence and as a proof."""

DOUBTED: Final = "face"
"""What does not only not count when it fails, but leaves the case to reviewers: a false face is no slip of the hand."""

GUESSABLE: Final = frozenset({"totp", "email_code", "sms_code"})
"""Kinds of so few digits that tries must be counted: the others are signatures, verdicts, or too long to be guessed."""

BURNABLE: Final = frozenset(kind for kind, one in EVIDENCE.items() if one is not EvidenceClass.THIRD_PARTY)
"""Kinds that can become known to others. Those of third parties cannot, so that the last way never closes."""


class Path(StrEnum):
    """The way a recovery goes, by what was shown when its evidence closed."""

    TWO_POSSESSIONS = "two_possessions"
    ONE_POSSESSION = "one_possession"
    CODES = "codes"
    NO_POSSESSION = "no_possession"


class Way(NamedTuple):
    """What a path still needs: whether reviewers approve, and whether an independent third party has spoken."""

    reviewed: bool
    third_party: bool


WAYS: Final = {
    Path.TWO_POSSESSIONS: Way(reviewed=False, third_party=False),
    Path.ONE_POSSESSION: Way(reviewed=True, third_party=False),
    Path.CODES: Way(reviewed=False, third_party=False),
    Path.NO_POSSESSION: Way(reviewed=True, third_party=True),
}


def path_of(shown: tuple[Shown, ...]) -> Path:
    """The way that this evidence opens."""
    held = of_class(shown, EvidenceClass.POSSESSION)
    if any(one.evidence != other.evidence and one.holder != other.holder for one in held for other in held):
        return Path.TWO_POSSESSIONS
    if held:
        return Path.ONE_POSSESSION
    reached = of_class(shown, EvidenceClass.REACH)
    both = any(one.evidence != other.evidence and one.holder != other.holder for one in reached for other in reached)
    return Path.CODES if both else Path.NO_POSSESSION


def of_class(shown: tuple[Shown, ...], wanted: EvidenceClass) -> list[Shown]:
    """The pieces of one class."""
    return [one for one in shown if EVIDENCE[one.evidence] is wanted]


def wait_ms(head: Head, path: Path, policy: Policy, now: Instant, *, contested: bool) -> int:
    """How long a path waits. An objection doubles it, and so do what others know and papers that were forged."""
    numbers = policy.recovery
    rich = max(head.equity.values(), default=0) > numbers.rich_usd * MICRO
    hours = {
        Path.TWO_POSSESSIONS: numbers.two_possessions_h,
        Path.ONE_POSSESSION: numbers.one_possession_h,
        Path.CODES: numbers.codes_h,
        Path.NO_POSSESSION: numbers.no_possession_rich_h if rich else numbers.no_possession_h,
    }[path]
    known = any(until > now for until in head.burned.values())
    warned = known or now < head.targeted_until
    return hours * HOUR * (2 if contested else 1) * (2 if warned else 1)


def is_burned(head: Head, evidence: str, now: Instant) -> bool:
    """Whether others know this kind, so that it proves nothing for this account."""
    return head.burned.get(evidence, 0) > now


def is_enrolled(head: Head, case: Recovery, policy: Policy) -> bool:
    """Whether there was a face to compare with, long enough before the case: a younger one may be a thief's."""
    return bool(head.face_at) and head.face_at + policy.face.reference_age_d * DAY <= case.opened_at


def predates(head: Head, opened_at: Instant, one: Authenticator | Contact) -> bool:
    """Whether an authenticator or contact was senior when the case was opened, and is still good."""
    since = one.bound_at if isinstance(one, Authenticator) else one.added_at
    ripe = ripe_at(head, since, one.ripens)
    return one.confirmed and not one.recycled and ripe is not None and ripe <= opened_at


def live(head: Head, policy: Policy, now: Instant) -> Recovery | None:
    """The recovery that is under way, None if there is none or its last step is too long ago."""
    case = head.recovery
    return case if case is not None and now < case.last_at + policy.recovery.expires_d * DAY else None


def next_word(case: Recovery, policy: Policy) -> Instant:
    """When everybody is to be told of a recovery next, at the latest that it expired.

    While its wait runs: half-way, and a day before the end. While it waits for whoever opened it, for what he may still
    show or for him to finish: every few days. Nothing is safe by it alone; it only makes it harder to miss.
    """
    numbers = policy.recovery
    expires = case.last_at + numbers.expires_d * DAY
    wait, again = case.wait, max(case.last_at, case.reminded_at) + numbers.remind_opener_d * DAY
    if wait is None:
        return min(again, expires)
    if not wait.heard:
        return expires
    began = wait.until - wait.length_ms
    half = wait.until - wait.length_ms * (100 - numbers.remind_percent) // 100
    soon = wait.until - numbers.remind_before_h * HOUR
    due = [at for at in (half, soon) if max(began, case.reminded_at) < at < wait.until]
    return min(*due, max(again, wait.until + numbers.remind_opener_d * DAY), expires)
