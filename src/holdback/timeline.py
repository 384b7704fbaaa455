"""An account's history told in sentences, for `holdback explain` and the pages to come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from rich.table import Column, Table

from holdback import audit
from holdback.core import events as ev
from holdback.core.decision import Facts, Reason
from holdback.core.events import stored_decoder
from holdback.ports import Wanted
from holdback.wording.happened import event_line
from holdback.wording.reasons import finding_line
from holdback.wording.words import instant_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdback.core.events import Sealed
    from holdback.service import Service


_FACTS: Final = stored_decoder(Facts)


class Line(msgspec.Struct, frozen=True):
    """One entry: when, who asked for what, the answer, its reasons, and what followed.

    `policy` is the digest of the policy that was in force, `by` the member of staff who asked, if one did, `account`
    whom it was about.
    """

    seq: int
    at: str
    actor: str
    action: str
    decision: str
    reasons: list[str]
    followed: list[str]
    link: str
    policy: str = ""
    by: str = ""
    account: str = ""


async def lines(service: Service, account: str, after: int, limit: int) -> list[Line] | None:
    """The entries after a number, at most `limit`; None if there is no such account."""
    loaded = await service.store.read([Wanted(account)])
    snapshot = loaded.snapshots.get(account)
    if snapshot is None:
        return None
    key = service.tools.snapshots.key_of(account, snapshot.key)
    return [_line(told, key.open) for told in await audit.timeline(service.store, account, after, limit)]


def _line(told: audit.Told, opened: Callable[[Sealed], str]) -> Line:
    decided = told.decided
    followed = [str(event_line(event, opened)) for event in told.events if not isinstance(event, ev.NoticeFolded)]
    return Line(
        told.entry.seq,
        instant_text(decided.at),
        decided.actor.kind.value,
        decided.action,
        decided.decision,
        [finding_line(one) for one in decided.findings] + _lists(decided),
        followed,
        told.entry.link.hex(),
        decided.policy.hex(),
        decided.actor.key if decided.actor.kind is ev.ActorKind.STAFF else "",
        decided.account,
    )


def _lists(decided: ev.Decided) -> list[str]:
    """Which lists the destination was on. No answer says it; this is read by whoever runs the place."""
    if not any(one.code == Reason.DESTINATION_LISTED for one in decided.findings):
        return []
    facts = _FACTS.decode(decided.facts)
    return [f"on the list {one.name}, version {one.version}" for one in facts.lists if one.listed]


def render(found: list[Line]) -> Table:
    """The same for people."""
    # Whole on the narrowest terminal too: an instant cut short is none.
    whole = [Column(name, no_wrap=True) for name in ("when", "who")]
    table = Table(*whole, Column("what", overflow="fold"), "answer", "why, and what followed", show_lines=True)
    styles = {"allow": "green", "deny": "red", "hold": "yellow", "step_up": "cyan"}
    for line in found:
        style = styles.get(line.decision, "")
        text = "\n".join([*line.reasons, *(f"- {one}" for one in line.followed)])
        table.add_row(line.at.replace("T", "\n"), line.actor, line.action, f"[{style}]{line.decision}[/]", text)
    return table
