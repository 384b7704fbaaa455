"""An account's log as its owner reads it: newest first, by kind, each entry with what proves it.

A page looks through at most `LOOKED_THROUGH` entries: of a long log in which little fits it shows what it found, and
where to go on.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from holdback import audit
from holdback.core import events as ev
from holdback.core import ledger
from holdback.core.state import Customer
from holdback.ports import Wanted
from holdback.sealing import SealBroken
from holdback.secrecy import uncovered
from holdback.snapshots import seen
from holdback.wording import to_owner
from holdback.wording.asked import Known, asked_again
from holdback.wording.words import instant_text

if TYPE_CHECKING:
    from holdback.core.ledger import Entry
    from holdback.service import Service
    from holdback.snapshots import Seen
    from holdback.wording.words import Opened

LOOKED_THROUGH: Final = 500
"""Entries that one page looks through at most."""
AT_ONCE: Final = 100
"""Entries that are read at once."""


class Kind(StrEnum):
    """What an owner may look for in the log."""

    ALL = "all"
    MONEY = "money"
    SIGN_INS = "sign-ins"
    SETTINGS = "settings"
    READERS = "readers"


SUBJECTS: Final[dict[str, Kind]] = {
    **dict.fromkeys(("exit", "deposit", "order"), Kind.MONEY),
    **dict.fromkeys(("session", "recovery"), Kind.SIGN_INS),
    **dict.fromkeys(("staff", "ticket", "legal"), Kind.READERS),
    **dict.fromkeys(("account", "password", "authenticator", "contact", "address", "allowlist", "lock"), Kind.SETTINGS),
    **dict.fromkeys(("limit", "vault", "change", "api_key", "evidence", "incident"), Kind.SETTINGS),
    **dict.fromkeys(("notice", "breaker", "agency"), Kind.ALL),
}
"""Where to look for what is asked, by the subject of the action; what is `ALL` is found there alone."""


class Line(NamedTuple):
    """One entry in words, with its link in the chain and the link before it, both in hex.

    `decision` and `asked` are empty where nobody may see yet what was asked.
    """

    seq: int
    at: str
    title: str
    asked: str
    decision: str
    reasons: tuple[str, ...]
    followed: tuple[str, ...]
    link: str
    before: str


class Page(NamedTuple):
    """Entries, newest first; `older` is the number to go on from, None at the beginning of the log."""

    items: tuple[Line, ...]
    older: int | None


class Activity:
    """The owner's reading of a log, over one service.

    Example: `await Activity(service).page("alice", 0, Kind.MONEY, 25)`.
    """

    def __init__(self, service: Service) -> None:
        """Read what the service writes."""
        self._store = service.store
        self._tools = service.tools

    async def page(self, account: str, last: int, kind: Kind, limit: int) -> Page | None:
        """Up to `limit` entries of a kind, from number `last` back; 0 is the newest. None if there is no such account.

        Raises Tampered if what it reads does not hold together.
        """
        read = await self._read(account)
        if read is None:
            return None
        at = min(last or read.row.seq, read.row.seq)
        floor = max(0, at - LOOKED_THROUGH)
        found: list[Line] = []
        while at > floor:
            first = max(floor, at - AT_ONCE)
            for entry, before in await self._stretch(read, first, at):
                if len(found) == limit:
                    return Page(tuple(found), entry.seq)
                line = self._line(read, entry, before, kind)
                found += [line] if line is not None else []
            at = first
        return Page(tuple(found), at or None)

    async def confirms(self, account: str, link: str, english: str) -> str:
        """What a challenge confirms, said so that it can be said in another language.

        `link` is the head that the answer names. If the log words it otherwise than the answer did, the answer's words
        stand: an owner compares what he confirms by them.
        """
        read = await self._read(account)
        if read is None:
            return english
        for entry, _ in await self._stretch(read, max(0, read.row.seq - AT_ONCE), read.row.seq):
            decided = ev.decode_events(entry.body)[0]
            if entry.link.hex() == link and isinstance(decided, ev.Decided):
                again = asked_again(decided.request, _opened(read), await self._customer(read, decided))
                return again if again == english else english
        return english

    async def _read(self, account: str) -> Seen | None:
        return await seen(self._store, self._tools.snapshots, account)

    async def _customer(self, read: Seen, decided: ev.Decided) -> Customer:
        """The customer with the one part that a question names by its id alone: who is paid by a waiting payment."""
        held = read.head.exits.get(Known(_opened(read), read.head, decided).released())
        if held is None:
            return Customer(read.head, {})
        loaded = await self._store.read([Wanted(read.head.account, (("beneficiary", held.beneficiary),))])
        return Customer(
            read.head,
            {(one.kind, one.name): self._tools.snapshots.part(one) for one in loaded.parts[read.head.account]},
        )

    async def _stretch(self, read: Seen, first: int, last: int) -> list[tuple[Entry, bytes]]:
        """The entries behind number `first` up to `last`, newest first, each with the link before it."""
        entries = await self._store.entries(read.head.account, max(first - 1, 0), last - max(first - 1, 0))
        audit.check_links(read.row, entries)
        before = [one.link for one in entries] if first else [ledger.GENESIS, *(one.link for one in entries)]
        told = entries[1:] if first else entries
        return list(zip(told, before, strict=False))[::-1]

    def _line(self, read: Seen, entry: Entry, before: bytes, kind: Kind) -> Line | None:
        events = uncovered(entry, self._tools.policy, read.now)
        decided = events[0] if events and isinstance(events[0], ev.Decided) else None
        here = SUBJECTS.get(decided.action.partition(".")[0], Kind.ALL) if decided else Kind.ALL
        if kind not in {Kind.ALL, here}:
            return None
        opened = _opened(read)
        followed = tuple(text for one in events if (text := to_owner.owner_line(one, opened, read.head, decided)))
        if decided is None and not followed:
            return None
        return Line(
            seq=entry.seq,
            at=instant_text(events[0].at),
            title=to_owner.title(decided) if decided else to_owner.DUE,
            asked=to_owner.asked_text(decided, opened, read.head) if decided else "",
            decision=decided.decision if decided else "",
            reasons=to_owner.reason_lines(decided) if decided else (),
            followed=followed,
            link=entry.link.hex(),
            before=before.hex(),
        )


def _opened(read: Seen) -> Opened:
    """Opens a field of the customer; one that somebody broke is shown as nothing."""

    def opened(sealed: ev.Sealed) -> str:
        try:
            return read.key.open(sealed)
        except SealBroken:
            return ""

    return opened
