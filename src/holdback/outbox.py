"""Due notices go out here: worded, sent, and their outcome written into the customer's stream (law 5).

At least once, never dropped: a notice is claimed for a while, sent, and marked sent in the same transaction that
records its acceptance. Whoever dies in between leaves it to the next, which sends it again under the same message id.
What fails for good becomes a dead letter that an operator can see and revive.
"""

from __future__ import annotations

import asyncio
import traceback
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from holdback.batching import Overloaded
from holdback.core import events as ev
from holdback.core.assurance import CODE_MS
from holdback.core.effects import tag_of
from holdback.core.events import DAY, MINUTE, Channel, decode_events
from holdback.core.rules.notice import NoticeOutcome
from holdback.intake import challenge_subject, confirm_subject
from holdback.looking import once
from holdback.ports import ChannelRefused, ChannelUnavailable, Message, StoreUnavailable, Wanted
from holdback.snapshots import NewerState, Tampered
from holdback.wording.notices import Notice, notice_text, phrase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdback.core.events import AnyEvent, Sealed
    from holdback.core.ledger import Entry
    from holdback.core.state import Head
    from holdback.ports import NoticeRow, Sender
    from holdback.sealing import CustomerKey
    from holdback.service import Service

log = structlog.get_logger()

LEASE_MS: Final = MINUTE
BACK_OFF_MS: Final = (5_000, 30_000, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, 60 * MINUTE, 180 * MINUTE, 360 * MINUTE)
"""How long to wait after each failed try; after the last one the notice is a dead letter."""
TELL_S: Final = 2.0
"""How often it is asked which failed sign-ins are to be told."""
FORGET_EACH: Final = 60
"""After so many rounds those that are of no use any more are forgotten."""
AT_ONCE: Final = 16
"""Notices in flight at a time."""
LINK_MS: Final = 30 * DAY
"""How long a freeze link works."""


class _Reader(NamedTuple):
    """Who reads a notice: a contact, or whoever holds the number or mailbox that an authenticator lives on."""

    channel: Channel
    address: Sealed
    replaced: bool = False


class _Due(NamedTuple):
    """A notice with what is needed to word it."""

    row: NoticeRow
    due: ev.NoticeDue
    cause: AnyEvent
    decided: ev.Decided
    entry: Entry
    head: Head
    reader: _Reader
    key: CustomerKey


class Outbox:
    """Delivers notices of one store over the channels it is given.

    Example: `await Outbox(service, {Channel.EMAIL: smtp}, "https://id.example").run(stop)`.
    """

    def __init__(self, service: Service, senders: Mapping[Channel, Sender], public_url: str) -> None:
        """Links in notices start with `public_url`."""
        self._service = service
        self._senders = senders
        self._public_url = public_url.rstrip("/")
        self._slots = asyncio.Semaphore(AT_ONCE)

    @property
    def has_channel(self) -> bool:
        """Whether anybody could be told of anything."""
        return bool(self._senders)

    async def run(self, stop: asyncio.Event, poll_s: float = 1.0) -> None:
        """Deliver until `stop` is set: at once when this process wrote a notice, else every `poll_s` seconds.

        With no channel at all nothing is claimed: what is due stays due.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell_failures(stop))
            group.create_task(self._deliver_until(stop, poll_s))

    async def _tell_failures(self, stop: asyncio.Event) -> None:
        """Have failed sign-ins and reminders written into their streams, whose notices then go out like all others."""
        for number in count():
            if stop.is_set():
                return
            try:
                await self._service.tell_failures()
                await self._service.remind()
                if number % FORGET_EACH == 0:
                    # What fails here, such as a right to delete that nobody granted, must not keep anybody untold.
                    await once(self._service.forget, "housekeeping")
            except (StoreUnavailable, Overloaded):
                log.warning("outbox.store_unavailable")
            except (Tampered, NewerState) as error:
                log.error("outbox.failed", error=type(error).__name__)  # noqa: TRY400 - the row's words are nobody's
            await _first(asyncio.Event(), stop, TELL_S)

    async def _deliver_until(self, stop: asyncio.Event, poll_s: float) -> None:
        if not self._senders:
            log.error("outbox.no_channel", settings=["HOLDBACK_SMTP_HOST", "HOLDBACK_SMS_URL", "HOLDBACK_WEBHOOK_URL"])
            await stop.wait()
        while not stop.is_set():
            self._service.noticed.clear()
            try:
                sent = await self.deliver_due()
            except StoreUnavailable:
                log.warning("outbox.store_unavailable")
                sent = 0
            if sent == 0:
                await _first(self._service.noticed, stop, poll_s)

    async def deliver_due(self, limit: int = AT_ONCE) -> int:
        """Send what is due now, and say how many notices were taken in hand."""
        rows = await self._service.store.claim(limit, LEASE_MS)
        async with asyncio.TaskGroup() as group:
            for row in rows:
                group.create_task(self._deliver(row))
        return len(rows)

    async def _deliver(self, row: NoticeRow) -> None:
        """Take one notice as far as it goes. What goes wrong with it is its own: the others go out all the same."""
        async with self._slots:
            try:
                await self._tried(row)
            except (StoreUnavailable, Overloaded):
                # Its lease ends by itself, and then it is taken again.
                log.warning("outbox.store_unavailable", notice=row.id)

    async def _tried(self, row: NoticeRow) -> None:
        try:
            await self._send(row)
        except (StoreUnavailable, Overloaded):
            raise
        except ChannelUnavailable as error:
            await self._try_later(row, str(error))
        except ChannelRefused as error:
            await self._give_up(row, str(error))
        except Exception as error:  # noqa: BLE001 - an altered row, say, or an adapter's own mistake
            # Only where it happened: an error's own words may hold what was to be sent.
            frames = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-5:]]
            log.error("outbox.failed", notice=row.id, error=type(error).__name__, frames=frames)  # noqa: TRY400 - as above
            await self._try_later(row, f"{type(error).__name__}, see the log")

    async def _send(self, row: NoticeRow) -> None:
        due = await self._found(row)
        if due is None:
            await self._service.store.bury(row.id, "the contact is gone")
            return
        await self._sender(due.reader.channel).send(self._message(due))
        await self._accepted(due)

    def _sender(self, channel: Channel) -> Sender:
        sender = self._senders.get(channel)
        if sender is None:
            raise ChannelUnavailable(f"no channel {channel} is set up")
        return sender

    async def _accepted(self, due: _Due) -> None:
        outcome = NoticeOutcome(due.row.notice, due.row.contact, accepted=True, about=due.due.about)
        await self._service.record(due.row.account, outcome, sent=(due.row.id,))

    async def _try_later(self, row: NoticeRow, error: str) -> None:
        if row.tries >= len(BACK_OFF_MS):
            await self._give_up(row, error)
            return
        now = (await self._service.store.read([Wanted(row.account)])).now
        await self._service.store.postpone(row.id, now + BACK_OFF_MS[row.tries], error[:200])

    async def _give_up(self, row: NoticeRow, error: str) -> None:
        """Write down that nobody was told; what waits for this notice goes on waiting for another contact."""
        log.error("outbox.dead_letter", notice=row.id, error=error[:200])
        try:
            await self._service.record(row.account, NoticeOutcome(row.notice, row.contact, accepted=False))
        except (Tampered, NewerState) as trouble:
            log.error("outbox.not_recorded", notice=row.id, error=type(trouble).__name__)  # noqa: TRY400 - nothing to add
        await self._service.store.bury(row.id, error[:200])

    async def _found(self, row: NoticeRow) -> _Due | None:
        """The notice, its cause and its reader; None if the reader is gone meanwhile."""
        entries = await self._service.store.entries(row.account, row.seq - 1, 1)
        decided, *events = decode_events(entries[0].body)
        due, cause = _cause(row.notice, events)
        named = (("credential", row.contact),) if due.cause == ev.AUTHENTICATOR_CODE else ()
        loaded = await self._service.store.read([Wanted(row.account, named)])
        snapshot, snapshots = loaded.snapshots[row.account], self._service.tools.snapshots
        head = snapshots.head(snapshot)
        if due.cause == ev.AUTHENTICATOR_CODE:
            kept = [snapshots.credential(part).secret for part in loaded.parts.get(row.account, [])]
            reader = _asked(head, row.contact, kept) if loaded.now < cause.at + CODE_MS else None
        else:
            reader = _told(head, row.contact)
        if reader is None:
            return None
        assert isinstance(decided, ev.Decided)  # noqa: S101 - every entry begins with its decision
        return _Due(row, due, cause, decided, entries[0], head, reader, snapshots.key_of(row.account, snapshot.key))

    def _message(self, due: _Due) -> Message:
        row = due.row
        # Whoever reads a code may be a thief, who has no use for it alone: nothing that acts goes with it.
        url = "" if due.due.cause == ev.AUTHENTICATOR_CODE else self._freeze_url(due)
        text = notice_text(
            Notice(
                due=due.due,
                cause=due.cause,
                decided=due.decided,
                channel=due.reader.channel,
                replaced=due.reader.replaced,
                phrase=phrase(due.key.phrase_seed()),
                freeze_url=url,
                chain_head=due.entry.link,
                code=self._code(due),
                seq=row.seq,
                head=due.head,
            ),
            due.key.open,
        )
        data = {"kind": due.due.cause, "severity": due.due.severity.value, "account": row.account}
        return Message(row.id, due.key.open(due.reader.address), text.subject, text.text, url, data)

    def _freeze_url(self, due: _Due) -> str:
        row = due.row
        until = max(due.due.at, due.due.due_at) + LINK_MS
        token = self._service.tools.masters.link_token(row.account, row.notice, row.contact, "freeze", until)
        return f"{self._public_url}/freeze?t={token}"

    def _code(self, due: _Due) -> str:
        """The code this notice carries, if any: made for a challenge, or for this asking of the contact. Or the key."""
        match due.cause:
            case ev.RecoveryOpened() if due.due.cause == ev.RECOVERY_LINK and due.cause.link is not None:
                return due.key.open(due.cause.link)
            case ev.ChallengeIssued():
                subject = due.cause.challenge
            case ev.ContactAdded() | ev.ContactAsked():
                subject = confirm_subject(due.row.contact, due.cause.at)
            case ev.AuthenticatorBound() if due.due.cause == ev.AUTHENTICATOR_CODE:
                subject = confirm_subject(due.row.contact, due.cause.at)
            case ev.AuthenticatorAsked():
                subject = challenge_subject(due.cause.challenge, due.cause.at)
            case _:
                return ""
        return self._service.tools.masters.contact_code(due.row.account, subject, due.row.contact)


def _told(head: Head, name: str) -> _Reader | None:
    """A contact that is still the owner's as far as anyone knows."""
    one = head.contacts.get(name)
    return None if one is None or one.recycled else _Reader(one.channel, one.address, one.removed)


def _asked(head: Head, name: str, kept: list[Sealed]) -> _Reader | None:
    """Where an authenticator lives that a code is still good for."""
    one = head.authenticators.get(name)
    if one is None or one.recycled or one.suspended or not kept:
        return None
    return _Reader(Channel(one.kind.value), kept[0])


def _cause(notice: str, events: list[AnyEvent]) -> tuple[ev.NoticeDue, AnyEvent]:
    """The notice and the event it tells of: the n-th notice of a cause belongs to the n-th event of that name."""
    earlier: dict[str, int] = {}
    for event in events:
        if not isinstance(event, ev.NoticeDue):
            continue
        if event.notice == notice:
            causes = [one for one in events if _is_cause(one, event.cause)]
            return event, causes[min(earlier.get(event.cause, 0), len(causes) - 1)]
        earlier[event.cause] = earlier.get(event.cause, 0) + 1
    raise LookupError(notice)


def _is_cause(event: AnyEvent, cause: str) -> bool:
    if cause == ev.CONTACT_CODE:
        return isinstance(event, ev.ContactAdded | ev.ContactAsked | ev.ChallengeIssued)
    if cause == ev.RECOVERY_LINK:
        return isinstance(event, ev.RecoveryOpened)
    if cause == ev.AUTHENTICATOR_CODE:
        return isinstance(event, ev.AuthenticatorBound | ev.AuthenticatorAsked)
    return tag_of(event) == cause


async def _first(one: asyncio.Event, other: asyncio.Event, timeout_s: float) -> None:
    """Wait for either event, or for the time to pass."""
    waiters = [asyncio.ensure_future(event.wait()) for event in (one, other)]
    await asyncio.wait(waiters, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    for waiter in waiters:
        waiter.cancel()
