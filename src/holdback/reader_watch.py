"""Keeps up with what the staff read, shows it to the watch (`watching.py`), and keeps what that says of somebody.

What it knows stands in the members' own streams, and in the customers' when the last recovery was opened: after a
restart the last two quarters are shown again, in order of time, and what was said of somebody before is not said twice.
Several processes may do it at once. Nothing is refused by it: caps and tickets are the core's, in every read's own
transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from holdback.core import events as ev
from holdback.core.decision import Facts, Reason
from holdback.core.events import DAY, Role, decode_events, stored_decoder
from holdback.core.rules.staff import StaffFlag
from holdback.core.staffing import MAY_LOOK_UP
from holdback.looking import again
from holdback.ports import Wanted
from holdback.roster import roster
from holdback.watching import Approval, Case, Read, Watch

if TYPE_CHECKING:
    import asyncio

    from holdback.core.events import AnyEvent, Instant
    from holdback.core.state import Head
    from holdback.service import Service

log = structlog.get_logger()

LOOKS_S: Final = 60.0
"""How often a server looks, in seconds."""
AT_ONCE: Final = 500
"""Entries, or customers, read in one query."""

_FACTS: Final = stored_decoder(Facts)


class _Seen(NamedTuple):
    """Something in a member's stream that the watch is to know, and when."""

    at: Instant
    member: str
    event: AnyEvent
    role: str


class _Opening(NamedTuple):
    """That a recovery of somebody who was read was opened, and when."""

    at: Instant
    account: str


class ReaderWatch:
    """The watch over one service's staff. Example: `await ReaderWatch(service).look()`."""

    def __init__(self, service: Service) -> None:
        """Nothing was looked at yet."""
        self._service = service
        self._rules = service.tools.policy.staff
        self.watch: Watch | None = None
        """What was shown to it since the start; None until the first look, and after a failure."""
        self._read_to: dict[str, int] = {}
        self._roles: dict[str, str] = {}
        self._lately: dict[str, Instant] = {}
        self._open: dict[str, list[Case]] = {}

    async def run(self, stop: asyncio.Event, every_s: float = LOOKS_S) -> None:
        """Look until `stop` is set."""
        await again(self.look, stop, every_s, "readers")

    async def look(self) -> list[Case]:
        """Show the watch what is new, and keep the cases it raises; these. Raises StoreUnavailable or Tampered.

        After a failure everything is shown again: what was read and not kept must not be lost.
        """
        try:
            return await self._looked()
        except BaseException:
            self.watch = None
            raise

    async def _looked(self) -> list[Case]:
        heads = await roster(self._service.store, self._service.tools.snapshots)
        active = [head for head in heads if head.member is not None and head.member.roles]
        if self.watch is None or len(active) > self.watch.staff:
            self.watch, self._read_to, self._roles, self._lately = Watch(self._rules, len(active)), {}, {}, {}
        seen: list[_Seen | _Opening] = []
        for head in heads:
            seen += await self._new(head)
        seen += await self._openings()
        raised: list[Case] = []
        for one in sorted(seen, key=lambda one: one.at):
            if isinstance(one, _Opening):
                raised += self.watch.recovery(one.account, one.at)
            else:
                raised += self._shown(self.watch, one, active)
        for case in raised:
            await self._keep(case)
        return raised

    async def _new(self, head: Head) -> list[_Seen]:
        """What a member's stream has that was not looked at, since two quarters ago."""
        store, member, found = self._service.store, head.account, list[_Seen]()
        after = self._read_to.get(member, 0)
        oldest = head.at - (self._rules.watched_d + self._rules.peers_d) * DAY
        while after < head.seq:
            entries = await store.entries(member, after, AT_ONCE)
            for entry in entries:
                for event in decode_events(entry.body):
                    if isinstance(event, ev.MemberEnrolled):
                        self._roles[member] = next((role for role in event.roles if role in MAY_LOOK_UP), "")
                    if event.at > oldest and isinstance(event, ev.CustomerRead):
                        self._lately[event.account] = event.at
                    if event.at > oldest and isinstance(event, _TOLD):
                        found.append(_Seen(event.at, member, event, self._roles.get(member, "")))
            after = entries[-1].seq if entries else head.seq
        self._read_to[member] = after
        return found

    def _shown(self, watch: Watch, one: _Seen, active: list[Head]) -> list[Case]:
        """Show the watch one thing."""
        match one.event:
            case ev.CustomerRead(account=account, decile=decile, canary=canary):
                return watch.read(Read(one.at, one.member, one.role, account, decile, caused=True, canary=canary))
            case ev.Decided(action="staff.look_up", account=account) if _had_no_ticket(one.event):
                staff = _FACTS.decode(one.event.facts).staff
                canary = staff is not None and staff.canary
                read = Read(one.at, one.member, one.role, account, 1, caused=False, canary=canary)
                return watch.read(read)
            case ev.MemberEnrolled(by=(asked_by, approved_by)) if asked_by:
                could = tuple(
                    head.account
                    for head in active
                    if head.member is not None and Role.POLICY in head.member.roles
                    if head.account not in {asked_by, one.member}
                )
                return watch.approval(Approval(one.at, Role.POLICY, asked_by, approved_by, could))
            case ev.IncidentClosed():
                for case in self._open.pop(one.member, []):
                    watch.cleared(case)
        return []

    async def _openings(self) -> list[_Opening]:
        """The last recovery of everybody who was lately read: after a start, of everybody who was read at all."""
        names, found = list(self._lately), list[_Opening]()
        for start in range(0, len(names), AT_ONCE):
            loaded = await self._service.store.read([Wanted(name) for name in names[start : start + AT_ONCE]])
            for account, row in loaded.snapshots.items():
                opened_at = self._service.tools.snapshots.head(row).recovery_opened_at
                if opened_at:
                    found.append(_Opening(opened_at, account))
                if loaded.now - self._lately[account] > self._rules.peek_d * DAY:
                    del self._lately[account]
        return found

    async def _keep(self, case: Case) -> None:
        """Write a case into the stream of each whom it is about; the core leaves out what stands there already."""
        for member in case.staff:
            self._open.setdefault(member, []).append(case)
            log.warning("staff.flagged", why=case.why)
            since = case.at if case.account else case.since
            flag = StaffFlag(case.why, case.staff, since, case.ones, case.reads, case.usual_permille)
            await self._service.record(member, flag)


_TOLD: Final = (ev.CustomerRead, ev.Decided, ev.MemberEnrolled, ev.IncidentClosed)


def _had_no_ticket(event: ev.Decided) -> bool:
    return any(finding.code == Reason.TICKET_REQUIRED for finding in event.findings)
