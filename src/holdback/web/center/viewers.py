"""Who looked at an account, from its own log: staff by ticket, papers of authorities, and what was disclosed to them.

Nobody of the staff is named: the owner learns that somebody looked, at what, and for what. What a secrecy order hides
is not here before its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from holdback.core import events as ev
from holdback.core.rules.staff import LEGAL_REQUEST
from holdback.secrecy import uncovered
from holdback.snapshots import seen
from holdback.wording.words import instant_text

if TYPE_CHECKING:
    from holdback.service import Service

LOOKED_AT_MOST: Final = 2_000
"""Entries that are read for one page."""
AT_ONCE: Final = 200


class Look(NamedTuple):
    """One look: when, of which kind, at which fields, for which ticket or request, and whose.

    `kind` is staff, reviewer, legal (a request's own papers) or authority, `agency` the authority that was told.
    """

    at: str
    kind: str
    fields: tuple[str, ...]
    about: str
    agency: str = ""
    revealed: bool = False


class Looks(NamedTuple):
    """Looks, the last one first; `older` is the entry before which more may be, None if there is no more.

    `since` is the instant of the oldest entry that was read, so that a page with nothing on it says of when it is.
    """

    items: tuple[Look, ...]
    older: int | None
    since: str | None


async def looks(service: Service, account: str, before: int, limit: int) -> Looks:
    """The looks before an entry, from the end if that is 0."""
    owner = await seen(service.store, service.tools.snapshots, account)
    if owner is None:
        return Looks((), None, None)
    policy, now = service.tools.policy, owner.now
    last = min(before - 1, owner.row.seq) if before else owner.row.seq
    stop, found, since = max(0, last - LOOKED_AT_MOST), list[Look](), None
    while last > stop and len(found) < limit:
        first = max(stop, last - AT_ONCE)
        for entry in reversed(await service.store.entries(account, first, last - first)):
            shown = uncovered(entry, policy, now)
            found += [look for one in shown if (look := _look(one)) is not None]
            since, last = (shown[0].at if shown else since), entry.seq - 1
            if len(found) >= limit:
                break
        else:
            last = first
    return Looks(tuple(found), last + 1 if last > 0 else None, instant_text(since) if since else None)


def _look(event: ev.AnyEvent) -> Look | None:
    at = instant_text(event.at)
    match event:
        case ev.LookedUp() if event.fields == (LEGAL_REQUEST,):
            return Look(at, "legal", (), event.ticket)
        case ev.LookedUp():
            kind = "staff" if event.involved else "reviewer"
            return Look(at, kind, event.fields, event.ticket, revealed=event.revealed)
        case ev.LegalDisclosed():
            return Look(at, "authority", event.fields, event.request, event.agency)
        case _:
            return None
