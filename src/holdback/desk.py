"""The desk over all accounts: the queue that staff work off, a customer's place in it, and making it anew.

What stands on it is `core/waiting.py`'s to say. These are looks at a table that nothing is decided by.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

import msgspec

from holdback.core import waiting
from holdback.core.events import STREAM_PREFIX, StreamKind
from holdback.core.evidence import Path, live, path_of, wait_ms
from holdback.core.staffing import is_about
from holdback.core.waiting import For
from holdback.intake import token_hash
from holdback.judging import desk_rows
from holdback.marking import Export, Millisecond, marked
from holdback.ports import Wanted
from holdback.roster import believed
from holdback.wording.words import instant_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from holdback.core.events import Instant
    from holdback.core.state import Head, Recovery
    from holdback.ports import DeskRow, Snapshot
    from holdback.service import Service

AT_ONCE: Final = 200
"""Accounts made anew in one query."""

APPROVALS_MOST: Final = 50
ROWS_AT_ONCE: Final = 1_000
LOOKS_MOST: Final = 10
"""Approvals on a page, and how far one look for them goes: the next one goes on from there."""

_MEMBERS: Final = STREAM_PREFIX[StreamKind.STAFF]

FIRST: Final = (0, "", "", "")
"""Before everything that waits."""


class DeskForm(msgspec.Struct, frozen=True):
    """One thing that waits: for what, for whom of the staff, since when, and until when at the latest."""

    account: str
    kind: str
    id: str
    opened_at: str
    due_at: str
    waits_for: str
    role: str | None


class DeskPage(msgspec.Struct, frozen=True):
    """Some of what waits, the oldest first; `next` is the cursor of the page behind it."""

    items: tuple[DeskForm, ...]
    next: str | None


class ProgressForm(msgspec.Struct, frozen=True):
    """How a recovery stands, for whoever opened it.

    `waits_for` is evidence, review, time or opener. `place` counts from 1 among those that wait for the same of the
    staff, null where it waits for none of them. `expected_at` is when it can be finished at the earliest.
    """

    id: str
    opened_at: str
    age_s: int
    lost: tuple[str, ...]
    shown: tuple[str, ...]
    approvals: int
    contested: bool
    waits_for: str
    place: int | None
    expected_at: str
    expires_at: str


class Desk:
    """Reads and mends the desk of one service. Example: `await Desk(service).queue("legal", "", 50, "staff-lea")`."""

    def __init__(self, service: Service) -> None:
        """Use its store and keys."""
        self._service = service
        self._store = service.store
        self._policy = service.tools.policy

    async def queue(self, role: str, cursor: str, limit: int, reader: str) -> DeskPage:
        """What waits for a role ("" for all) behind a cursor, for one reader.

        Raises ValueError on a cursor that was never given.
        """
        rows = await self._store.desk(role, _place(cursor), limit + 1)
        items = tuple(_form(row) for row in await self._to_be_seen(rows[:limit], reader))
        return DeskPage(items, _cursor(rows[limit - 1].place) if len(rows) > limit else None)

    async def queues(
        self, roles: Iterable[str], cursor: str, limit: int, reader: str
    ) -> tuple[DeskPage, tuple[int, ...]]:
        """What waits for any of these roles behind a cursor, and the place of each among those that wait for the same.

        Raises ValueError on a cursor that was never given.
        """
        after = _place(cursor)
        found = [row for role in roles for row in await self._store.desk(role, after, limit + 1)]
        rows = sorted(found, key=lambda row: row.place)
        page, ahead = await self._to_be_seen(rows[:limit], reader), dict[tuple[str, str, str], int]()
        places = []
        for row in page:
            same = row.kind, row.waits_for, row.role
            ahead[same] = ahead[same] + 1 if same in ahead else await self._store.ahead(row) + 1
            places.append(ahead[same])
        following = _cursor(rows[limit - 1].place) if len(rows) > limit else None
        return DeskPage(tuple(_form(row) for row in page), following), tuple(places)

    async def approvals(self, roles: Iterable[str], kinds: frozenset[str], cursor: str, reader: str) -> DeskPage:
        """What of these kinds waits for the second word of one of these roles, whatever else waits before it.

        Raises ValueError on a cursor that was never given.
        """
        after, held = _place(cursor), tuple(roles)
        found: list[DeskRow] = []
        for _ in range(LOOKS_MOST):
            some = [row for role in held for row in await self._store.desk(role, after, ROWS_AT_ONCE)]
            rows = sorted(some, key=lambda row: row.place)[:ROWS_AT_ONCE]
            fit = [row for row in rows if row.kind in kinds and row.waits_for == For.APPROVAL]
            found += await self._to_be_seen(fit, reader)
            if len(found) > APPROVALS_MOST:
                return DeskPage(tuple(map(_form, found[:APPROVALS_MOST])), _cursor(found[APPROVALS_MOST - 1].place))
            if len(rows) < ROWS_AT_ONCE:
                return DeskPage(tuple(map(_form, found)), None)
            after = rows[-1].place
        return DeskPage(tuple(map(_form, found)), _cursor(after))

    async def _to_be_seen(self, rows: list[DeskRow], reader: str) -> list[DeskRow]:
        """Without what concerns the reader himself: nobody sees a case that names him, nor what is asked about him."""
        members = {row.account for row in rows if row.account.startswith(_MEMBERS)}
        if not members:
            return rows
        loaded = await self._store.read([Wanted(name) for name in sorted(members)])
        hidden = {name for name in members if self._concerns(reader, loaded.snapshots.get(name))}
        return [row for row in rows if row.account not in hidden]

    def _concerns(self, reader: str, row: Snapshot | None) -> bool:
        """Whether a member's stream is nothing for a reader; so is one that cannot be read, for it may be."""
        head = believed(self._service.tools.snapshots, row) if row is not None else None
        return head is None or is_about(head, reader)

    async def progress(self, account: str, token: str) -> ProgressForm | None:
        """How an account's recovery stands, for its token alone; None without one, or for another's."""
        main = account.partition(".")[0]
        loaded = await self._store.read([Wanted(main)])
        row = loaded.snapshots.get(main)
        if row is None:
            return None
        head = self._service.tools.snapshots.head(row)
        now = max(loaded.now, head.at)
        case = live(head, self._policy, now)
        if case is None or not hmac.compare_digest(token_hash(token), case.token):
            return None
        stands = next(one for one in desk_rows(main, head, self._policy) if one.kind == "recovery")
        place = await self._store.ahead(stands) + 1 if stands.role else None
        return self._progress(head, case, stands, place, now)

    def _progress(self, head: Head, case: Recovery, stands: DeskRow, place: int | None, now: Instant) -> ProgressForm:
        over = case.wait is not None and case.wait.heard and case.wait.until <= now
        return ProgressForm(
            id=case.id,
            opened_at=instant_text(case.opened_at),
            age_s=(now - case.opened_at) // 1000,
            lost=tuple(kind.value for kind in case.lost),
            shown=tuple(one.evidence for one in case.shown),
            approvals=len(case.approved),
            contested=case.contested,
            waits_for="opener" if over and stands.waits_for == For.TIME else stands.waits_for,
            place=place,
            expected_at=instant_text(self._expected(head, case, now)),
            expires_at=instant_text(waiting.expires_at(case, self._policy)),
        )

    def _expected(self, head: Head, case: Recovery, now: Instant) -> Instant:
        """When it can be finished, if whatever it still waits for came now."""
        if case.wait is not None:
            return max(now, case.wait.hoped(now))
        path = Path(case.path) if case.path else path_of(case.shown)
        return now + wait_ms(head, path, self._policy, now, contested=case.contested)

    async def rebuild(self) -> int:
        """Make the whole desk anew from the heads, account by account, while others go on; how many things wait."""
        known: dict[str, list[DeskRow]] = {}
        after = FIRST
        while rows := await self._store.desk("", after, AT_ONCE):
            for row in rows:
                known.setdefault(row.account, []).append(row)
            after = rows[-1].place
        found, last = 0, ""
        while names := await self._store.accounts(last, AT_ONCE):
            for name in names:
                found += await self._service.refresh_desk(name, known.pop(name, []))
            last = names[-1]
        for name, rows in known.items():
            await self._service.refresh_desk(name, rows)
        return found


def _form(row: DeskRow) -> DeskForm:
    opened_at, due_at = instant_text(row.opened_at), instant_text(row.due_at)
    return DeskForm(row.account, row.kind, row.id, opened_at, due_at, row.waits_for, row.role or None)


def _cursor(place: tuple[Instant, str, str, str]) -> str:
    return "~".join(str(one) for one in place)


def _place(cursor: str) -> tuple[Instant, str, str, str]:
    if not cursor:
        return FIRST
    opened_at, account, kind, id_ = cursor.split("~")
    if not opened_at.isascii() or not opened_at.isdigit() or len(opened_at) > 15:  # noqa: PLR2004 - as cursors are
        raise ValueError("not a place on the desk")
    return int(opened_at), account, kind, id_


EXPORTED: Final = {"opened_at": Millisecond(), "due_at": Millisecond()}
"""What of a page is written a little differently for each reader: a leaked copy tells whose it was (`marking.py`)."""


def marked_page(page: DeskPage, reader: str, keys: Mapping[int, bytes]) -> DeskPage:
    """A page as this reader is to have it: every second as it was. `keys` are `MasterKeys.mark_keys`."""
    key, mark = next(iter(keys.items()))
    rows = [{"id": one.id, "opened_at": one.opened_at, "due_at": one.due_at} for one in page.items]
    told = marked(rows, export_of(reader, key), mark)
    items = (
        msgspec.structs.replace(one, opened_at=row["opened_at"], due_at=row["due_at"])
        for one, row in zip(page.items, told, strict=True)
    )
    return DeskPage(tuple(items), page.next)


def marked_instants(texts: Iterable[str], reader: str, keys: Mapping[int, bytes]) -> list[str]:
    """Instants of another list that staff read, as this reader is to have them: marked as the desk's `opened_at` is."""
    key, mark = next(iter(keys.items()))
    rows = [{"opened_at": text} for text in texts]
    return [row["opened_at"] for row in marked(rows, export_of(reader, key), mark)]


def export_of(reader: str, key: int) -> Export:
    """The record by which copies of the desk are traced to a reader: always the same one, so none needs to be kept."""
    return Export(reader=reader, key=key, row_id="id", columns=dict(EXPORTED))
