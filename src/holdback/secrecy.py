"""What of a customer's log may be shown now: some of it a secrecy order hides until its date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdback.core import events as ev
from holdback.core.events import DAY
from holdback.core.rules.staff import LEGAL_REQUEST, StaffLookUp

if TYPE_CHECKING:
    from holdback.core.events import Instant
    from holdback.core.ledger import Entry
    from holdback.core.policy import Policy


def uncovered(entry: Entry, policy: Policy, now: Instant) -> tuple[ev.AnyEvent, ...]:
    """What of an entry no secrecy order hides now: its link covers all of it, whatever is shown.

    What is hidden are the request's own events, who asked for them, and the notices of them. Whatever else happened in
    that entry is the owner's own. A refusal names no request, so it is hidden for as long as any order may last: else
    it would tell of one.
    """
    events = ev.decode_events(entry.body)
    covered = {str(type(one).__struct_config__.tag) for one in events if getattr(one, "told_at", 0) > now}
    steps = any(isinstance(one, ev.LegalEvent | ev.LookedUp) for one in events)

    def is_hidden(one: ev.AnyEvent) -> bool:
        if isinstance(one, ev.Decided):
            return bool(covered) or (
                not steps and _is_of_papers(one) and now < one.at + policy.legal.secrecy_max_d * DAY
            )
        follows = isinstance(one, ev.NoticeDue | ev.NoticeFolded) and one.cause in covered
        return follows or getattr(one, "told_at", 0) > now

    return tuple(one for one in events if not is_hidden(one))


def _is_of_papers(asked: ev.Decided) -> bool:
    """Whether a question is about what authorities asked for."""
    if asked.action == "staff.look_up":
        return LEGAL_REQUEST in _LOOKED_UP.decode(asked.request).fields
    return asked.action.startswith("legal.")


_LOOKED_UP: Final = ev.stored_decoder(StaffLookUp)
