"""What a recovery is judged by beside its evidence: an account's history, and how unlike its owner the opener is.

In counts and kinds, never in values: no address, amount or name is in it.

Who may see it is not asked here: it goes with the field `recovery` of a look-up, which the core allowed and logged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from holdback import audit
from holdback.core import events as ev
from holdback.core.decision import Facts
from holdback.core.events import DAY, stored_decoder
from holdback.core.profile import EMPTY, Profile, caught_up
from holdback.core.risk import Circumstances, Feature, score
from holdback.core.state import PROFILE
from holdback.ports import Wanted
from holdback.wording.words import instant_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdback.audit import Told
    from holdback.core.decision import Seen
    from holdback.core.events import Instant
    from holdback.service import Service

ENTRIES_MOST: Final = 2_000
"""How far back the log is read: the last so many entries."""
LATELY_D: Final = 30
SHOWN_MOST: Final = 30

CHANGES: Final = (
    ev.AuthenticatorBound,
    ev.AuthenticatorRemoved,
    ev.SecretReplaced,
    ev.ContactAdded,
    ev.ContactRemoved,
    ev.AddressAdded,
    ev.DeviceMet,
    ev.DeviceDisowned,
    ev.SettingChanged,
    ev.VaultChanged,
    ev.ChangeAsked,
    ev.ApiKeyCreated,
)
"""What a thief does first, and owners now and then."""
ALARMS: Final = (
    ev.Frozen,
    ev.SessionMisused,
    ev.IncidentReported,
    ev.SignInsFailed,
    ev.RecoveryEnded,
    ev.RecoveryFinished,
    ev.EvidenceBurned,
)
"""What went wrong here before, or looked so."""
WEIGHED: Final = frozenset(
    {Feature.ADDRESS, Feature.BROWSER, Feature.HOUR, Feature.TRAVEL, Feature.ORIGIN, Feature.MISSING}
)
"""Terms that whoever opens a recovery can be compared by: he shows no factor, and his device tells nothing."""

_FACTS: Final = stored_decoder(Facts)


class Happened(msgspec.Struct, frozen=True):
    """One event by its kind."""

    at: str
    what: str


class Piece(msgspec.Struct, frozen=True):
    """A piece of evidence: when it was shown, and who said that it is right, if it does not prove itself."""

    at: str
    evidence: str
    judged_by: str


class Term(msgspec.Struct, frozen=True):
    """One thing that is unlike the owner (above 0) or like him, in hundredths of a nat, and what it is about."""

    feature: str
    centinats: int
    about: str


class CaseFile(msgspec.Struct, frozen=True):
    """The file of one case. Counts are of the last `entries` entries of the log, which go back to `since`."""

    entries: int
    since: str
    sign_ins: int
    last_sign_in: str | None
    exits: int
    last_exit: str | None
    evidence: tuple[Piece, ...]
    missed: int
    changes: tuple[Happened, ...]
    alarms: tuple[Happened, ...]
    risk: tuple[Term, ...]
    country: str


async def case_file(service: Service, account: str, case: str) -> CaseFile | None:
    """What the log says around the recovery of this id; None if there is no such account."""
    loaded = await service.store.read([Wanted(account, (PROFILE,))])
    row = loaded.snapshots.get(account)
    if row is None:
        return None
    told = await audit.timeline(service.store, account, max(0, row.seq - ENTRIES_MOST), ENTRIES_MOST)
    events = [event for one in told for event in one.events]
    signed, went = _times(events, ev.SessionStarted), _times(events, ev.ExitAllowed)
    since = loaded.now - LATELY_D * DAY
    seen = _seen(told, case)
    parts = [service.tools.snapshots.part(one) for one in loaded.parts.get(account, [])]
    profile = next((one for one in parts if isinstance(one, Profile)), EMPTY)
    shown = [one for one in events if isinstance(one, ev.RecoveryShown) and one.recovery == case]
    return CaseFile(
        entries=len(told),
        since=instant_text(told[0].decided.at) if told else instant_text(loaded.now),
        sign_ins=len(signed),
        last_sign_in=instant_text(signed[-1]) if signed else None,
        exits=len(went),
        last_exit=instant_text(went[-1]) if went else None,
        evidence=tuple(Piece(instant_text(one.at), one.evidence, one.judged_by) for one in shown),
        missed=sum(isinstance(one, ev.RecoveryMissed) and one.recovery == case for one in events),
        changes=_happened(one for one in events if isinstance(one, CHANGES) and one.at > since),
        alarms=_happened(one for one in events if isinstance(one, ALARMS)),
        risk=_risk(service, profile, seen) if seen is not None else (),
        country=seen[1].country if seen is not None else "",
    )


def _times(events: Iterable[ev.AnyEvent], kind: type[ev.Event]) -> list[Instant]:
    return [one.at for one in events if isinstance(one, kind)]


def _happened(events: Iterable[ev.AnyEvent]) -> tuple[Happened, ...]:
    """The last of them, the newest first."""
    found = [Happened(instant_text(one.at), str(type(one).__struct_config__.tag)) for one in events]
    return tuple(found[: -SHOWN_MOST - 1 : -1])


def _seen(told: Iterable[Told], case: str) -> tuple[Instant, Seen] | None:
    """When this case was opened, and what was found out then about where from; None if staff opened it."""
    for one in told:
        opened = [event for event in one.events if isinstance(event, ev.RecoveryOpened) and event.recovery == case]
        if opened:
            seen = _FACTS.decode(one.decided.facts).seen
            by_staff = opened[0].asker is not None and opened[0].asker.staff
            return None if seen is None or by_staff else (opened[0].at, seen)
    return None


def _risk(service: Service, profile: Profile, opened: tuple[Instant, Seen]) -> tuple[Term, ...]:
    """How unlike the owner the opener is, term by term: what speaks most against him first."""
    at, seen = opened
    risk = service.tools.policy.risk
    learnt = caught_up(profile, at, 0, risk.half_life_d * DAY)
    found = score(learnt, Circumstances(at, seen, None, 0, 0), risk)
    return tuple(Term(one.feature, one.centinats, one.about) for one in found.terms if one.feature in WEIGHED)
