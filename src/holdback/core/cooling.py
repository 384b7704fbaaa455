"""Law 4: every takeover-relevant change cools the exits it could serve; these functions say whether it still does.

Nothing here writes a cool-off: `effects.py` does, from one table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdback.core.decision import Reason, why
from holdback.core.events import Severity

if TYPE_CHECKING:
    from holdback.core.events import Finding, Instant
    from holdback.core.state import Head


def obstacles(head: Head, *, senior: bool, usual: bool, now: Instant) -> list[Finding]:
    """What still cools an exit now: one finding a cool-off that is not over, or that the owner was not yet told of.

    An untold one counts as if the owner were told this instant, which moves later until it is so.

    `senior` says that the beneficiary is senior, `usual` that the amount is no more than the account's own habit. After
    mild causes a usual exit to a senior beneficiary stays open, but never before the owner was told of the cause.
    """
    found = []
    for cool_off in head.cool_offs.values():
        wait = cool_off.senior if senior else cool_off.others
        spared = cool_off.severity is Severity.MILD and senior and usual
        if not wait.heard:
            until = max(wait.until, now + wait.length_ms)
            found.append(why(Reason.NOTICE_UNDELIVERED, "notice.delivery", until=until, about=cool_off.cause))
        elif now < wait.until and not spared:
            found.append(why(Reason.COOLING_OFF, "time", until=wait.until, about=cool_off.cause))
    return found


def ends_at(head: Head, now: Instant) -> Instant | None:
    """When the last running cool-off ends for all beneficiaries; None if none runs. An unheard one has no known end."""
    running = [one.others for one in head.cool_offs.values() if not one.others.heard or one.others.until > now]
    return max((wait.until for wait in running), default=None)
