"""The open cases about members of staff, and what each was raised by, for those who ask after colleagues.

What comparisons said stands in the member's own stream (`reader_watch.py`); here it is read back, a bounded piece at a
time. Nobody is shown a case about himself. Which account was a canary is not told: it would be one no more.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

from holdback.core import events as ev
from holdback.core.events import DAY, HOUR, decode_events
from holdback.core.staffing import is_about
from holdback.intake import ACCOUNT_ID
from holdback.ports import Wanted
from holdback.roster import believed, rows
from holdback.wording.words import instant_text

if TYPE_CHECKING:
    from holdback.core.events import Instant
    from holdback.core.state import Head, Incident
    from holdback.sealing import CustomerKey
    from holdback.service import Service

ENTRIES_MOST: Final = 500
"""Entries of a member's stream that one look at a case reads."""


class AlarmForm(msgspec.Struct, frozen=True):
    """One comparison, or canary, that spoke: `ones` of `reads` since `since`; a peer's mean is `usual_permille`."""

    at: str
    why: str
    names: tuple[str, ...]
    since: str
    ones: int
    reads: int
    usual_permille: int


class NoteForm(msgspec.Struct, frozen=True):
    """What somebody found out."""

    at: str
    by: str
    text: str


class CaseForm(msgspec.Struct, frozen=True):
    """An open case, whom it is about, and how much its member reads now."""

    member: str
    id: str
    opened_at: str
    last_at: str
    names: tuple[str, ...]
    roles: tuple[str, ...]
    notes: int
    reads_h: int
    reads_day: int


class CaseList(msgspec.Struct, frozen=True):
    """The open cases, and members of whom nothing can be said: their rows were `altered` behind Holdback."""

    cases: tuple[CaseForm, ...]
    altered: tuple[str, ...]


class CasePage(msgspec.Struct, frozen=True):
    """A case with what its member's stream says of it; `next` is where that goes on, null at its end.

    `stands` differs as soon as anything was added to it.
    """

    case: CaseForm
    stands: str
    alarms: tuple[AlarmForm, ...]
    notes: tuple[NoteForm, ...]
    next: int | None


class Alarms:
    """The read side over one service. Example: `await Alarms(service).cases("staff-ivy")`."""

    def __init__(self, service: Service) -> None:
        """Read what the service and its watch wrote."""
        self._store = service.store
        self._snapshots = service.tools.snapshots

    async def cases(self, reader: str) -> CaseList:
        """Every open case that this reader may see, the newest word first."""
        now, altered = (await self._store.read([])).now, list[str]()
        found: list[tuple[Head, Incident]] = []
        async for row in rows(self._store):
            head = believed(self._snapshots, row)
            if head is None:
                altered.append(row.account)
            elif head.incident is not None and not is_about(head, reader):
                found.append((head, head.incident))
        found.sort(key=lambda one: -one[1].last_at)
        return CaseList(tuple(_case(head, incident, now) for head, incident in found), tuple(altered))

    async def case(self, member: str, reader: str, after: int = 0) -> CasePage | None:
        """An open case from an entry of its member's stream on; None if this reader may see none."""
        if not ACCOUNT_ID.fullmatch(member):
            return None
        loaded = await self._store.read([Wanted(member)])
        row = loaded.snapshots.get(member)
        head = believed(self._snapshots, row) if row is not None else None
        if row is None or head is None or head.member is None or head.incident is None or is_about(head, reader):
            return None
        key = self._snapshots.key_of(member, row.key)
        first = max(after, int(head.incident.id.removeprefix("i")) - 1)
        entries = await self._store.entries(member, first, ENTRIES_MOST)
        alarms, notes = list[AlarmForm](), list[NoteForm]()
        for entry in entries:
            for event in decode_events(entry.body):
                if isinstance(event, ev.MemberFlagged):
                    alarms.append(_alarm(event))
                elif isinstance(event, ev.IncidentNoted):
                    notes.append(_note(event, key))
        last = entries[-1].seq if entries else row.seq
        more = last if last < row.seq else None
        case = _case(head, head.incident, loaded.now)
        return CasePage(case, _stands(head), tuple(alarms), tuple(notes), more)

    async def stands(self, member: str) -> str:
        """How a member's case stands now, to be compared with what a page was made of; "" without one."""
        row = (await self._store.read([Wanted(member)])).snapshots.get(member)
        return _stands(self._snapshots.head(row)) if row is not None else ""


def _stands(head: Head) -> str:
    """A case and what speaks against its member, as a digest: comparisons speak without a word in the case."""
    if head.incident is None or head.member is None:
        return ""
    return hashlib.sha256(msgspec.json.encode([head.incident, head.member.flags])).hexdigest()


def _case(head: Head, incident: Incident, now: Instant) -> CaseForm:
    member = head.member
    read_at = member.read_at if member is not None else ()
    return CaseForm(
        head.account,
        incident.id,
        instant_text(incident.opened_at),
        instant_text(incident.last_at),
        incident.names,
        tuple(role.value for role in member.roles) if member is not None else (),
        incident.notes,
        sum(at > now - HOUR for at in read_at),
        sum(at > now - DAY for at in read_at),
    )


def _alarm(event: ev.MemberFlagged) -> AlarmForm:
    at, since = instant_text(event.at), instant_text(event.since_at)
    return AlarmForm(at, event.why, event.names, since, event.ones, event.reads, event.usual_permille)


def _note(event: ev.IncidentNoted, key: CustomerKey) -> NoteForm:
    return NoteForm(instant_text(event.at), event.by.key or event.by.kind.value, key.open(event.note))
