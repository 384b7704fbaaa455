"""A robbery's timeline: what the account's log says of the time around the report, for the page and to be taken along.

It begins some entries before the report, for a thief is in before he is noticed. It is the log as its owner reads it:
what a secrecy order hides is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from holdback.activity import Kind

if TYPE_CHECKING:
    from holdback.activity import Activity, Line
    from holdback.views import IncidentForm

BEFORE: Final = 200
"""Entries before the report."""
MOST: Final = 1_000
"""Entries in all, the newest; of a longer story the rest is on the page of activity."""
AT_ONCE: Final = 100


class Told(msgspec.Struct, frozen=True):
    """One entry of a story, as the page of activity has it."""

    entry: int
    at: str
    title: str
    asked: str
    decision: str
    reasons: list[str]
    followed: list[str]
    link: str


class Story(msgspec.Struct, frozen=True):
    """What is taken along: whose account, which case, and its timeline, each entry with its link in the chain."""

    account: str
    incident: str
    opened_at: str
    timeline: list[Told]


async def timeline(account: str, case: IncidentForm, log: Activity, most: int = MOST) -> list[Line]:
    """The entries around a report, the newest first, and of a longer story no more than `most`."""
    first = int(case.id.removeprefix("i")) - BEFORE
    found: list[Line] = []
    last: int | None = 0
    while last is not None and len(found) < most:
        page = await log.page(account, last, Kind.ALL, min(AT_ONCE, most - len(found)))
        if page is None:  # pragma: no cover - whose case it is, is there
            break
        found += [one for one in page.items if one.seq > first]
        last = page.older if page.older is not None and page.older > first else None
    return found


def story(account: str, case: IncidentForm, lines: list[Line]) -> Story:
    """The same to be taken along, from the beginning."""
    told = [
        Told(
            entry=one.seq,
            at=one.at,
            title=str(one.title),
            asked=str(one.asked),
            decision=one.decision,
            reasons=[str(text) for text in one.reasons],
            followed=[str(text) for text in one.followed],
            link=one.link,
        )
        for one in reversed(lines)
    ]
    return Story(account, case.id, case.opened_at, told)


def as_json(told: Story) -> bytes:
    """A story for programs."""
    return msgspec.json.format(msgspec.json.encode(told), indent=2)


def as_text(told: Story) -> bytes:
    """A story for people, a paragraph for each entry; the link's first digits stand in our mails, too."""
    head = f"Account {told.account}, case {told.incident}, reported {told.opened_at}. Times are in UTC.\n"
    return "\n".join([head, *map(_paragraph, told.timeline)]).encode()


def _paragraph(one: Told) -> str:
    lines = [f"{one.at}  entry {one.entry}  {one.title}", one.asked, *one.reasons, *one.followed, f"chain {one.link}"]
    return "\n  ".join(line for line in lines if line) + "\n"
