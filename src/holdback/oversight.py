"""What the staff did, for auditors: who is a member, their own logs and those of the place, and whether a log holds.

Only streams that are no customer's are read here. What somebody did about a customer stands in his own stream as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from holdback import audit
from holdback.core.events import DAY, HOUR, STREAM_PREFIX, StreamKind
from holdback.core.staffing import is_about
from holdback.intake import ACCOUNT_ID
from holdback.ports import Wanted
from holdback.roster import believed, rows
from holdback.timeline import Line, lines
from holdback.wording.words import instant_text

if TYPE_CHECKING:
    from holdback.core.events import Instant
    from holdback.core.state import Head
    from holdback.ports import Snapshot
    from holdback.service import Service

PAGE: Final = 25
ENTRIES_MOST: Final = 1_000
"""Entries that are checked at a time: a state is folded anew from no more of them."""
AT_ONCE: Final = 200


class MemberForm(msgspec.Struct, frozen=True):
    """A member: roles, how much he read of what he may, and whether something is asked of him.

    Of one whose row was `altered` behind Holdback nothing else is known.
    """

    id: str
    roles: tuple[str, ...]
    since: str
    retired_at: str | None
    reads_h: int
    reads_day: int
    has_case: bool
    raised: int
    entries: int
    altered: bool = False


class LogPage(msgspec.Struct, frozen=True):
    """Entries of a stream, the newest first; `older` is where the page before it ends, null at the beginning."""

    account: str
    entries: int
    lines: tuple[Line, ...]
    older: int | None


class CheckForm(msgspec.Struct, frozen=True):
    """Whether a log holds together: so many of its entries, the last ones, were looked at, and what is wrong there."""

    entries: int
    of: int
    faults: tuple[str, ...]


class Oversight:
    """The read side over one service. Example: `await Oversight(service).log("staff-sue", "staff-aud")`."""

    def __init__(self, service: Service) -> None:
        """Read what the service wrote."""
        self._service = service
        self._store, self._snapshots = service.store, service.tools.snapshots

    async def members(self, reader: str) -> list[MemberForm]:
        """Everybody who was ever let in, but for the reader: one row that was altered hides no other."""
        now = (await self._store.read([])).now
        found: list[MemberForm] = []
        async for row in rows(self._store):
            head = believed(self._snapshots, row)
            if head is None:
                found.append(_altered(row))
            elif head.member is not None and not is_about(head, reader):
                found.append(_member(head, now))
        return found

    async def others(self) -> list[str]:
        """Streams of the place itself: the registry's agencies, and what keeps the whole platform."""
        found: list[str] = []
        for kind in (StreamKind.AGENCY, StreamKind.BREAKER):
            prefix = after = STREAM_PREFIX[kind]
            while names := [name for name in await self._store.accounts(after, AT_ONCE) if name.startswith(prefix)]:
                found += names
                after = names[-1]
        return found

    async def log(self, account: str, reader: str, before: int = 0) -> LogPage | None:
        """A stream's entries up to one, or up to its end; None if there is none that this reader may read.

        Nor is there one whose head was altered: a check says so, and shows nothing of it.
        """
        head = await self._head(account, reader)
        if head is None:
            return None
        last = min(before or head.seq, head.seq)
        found = await lines(self._service, account, max(0, last - PAGE), min(PAGE, last)) or []
        return LogPage(account, head.seq, tuple(found[::-1]), last - PAGE if last > PAGE else None)

    async def checked(self, account: str, reader: str) -> CheckForm | None:
        """Whether a log's chain and state hold, as far back as one look goes; None as for `log`."""
        if not _is_ours(account) or account == reader:
            return None
        found = await audit.check_end(self._store, self._snapshots, account, ENTRIES_MOST)
        if found is None:
            return None
        return CheckForm(found.entries, found.of, tuple(f"{one.seq}: {one.why}" for one in found.faults))

    async def _head(self, account: str, reader: str) -> Head | None:
        if not _is_ours(account):
            return None
        row = (await self._store.read([Wanted(account)])).snapshots.get(account)
        head = believed(self._snapshots, row) if row is not None else None
        return None if head is None or is_about(head, reader) else head


def _is_ours(account: str) -> bool:
    """Whether a stream is no customer's."""
    return (
        ACCOUNT_ID.fullmatch(account) is not None
        and "." not in account
        and account.startswith(tuple(STREAM_PREFIX.values()))
    )


def _altered(row: Snapshot) -> MemberForm:
    return MemberForm(row.account, (), "", None, 0, 0, has_case=False, raised=0, entries=row.seq, altered=True)


def _member(head: Head, now: Instant) -> MemberForm:
    member = head.member
    assert member is not None  # noqa: S101 - `members` takes no others
    return MemberForm(
        head.account,
        tuple(role.value for role in member.roles),
        instant_text(head.opened_at),
        instant_text(member.retired_at) if member.retired_at else None,
        sum(at > now - HOUR for at in member.read_at),
        sum(at > now - DAY for at in member.read_at),
        head.incident is not None,
        len(member.flags),
        head.seq,
    )
