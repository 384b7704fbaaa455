"""What one of the staff asked and a second person must ask the very same, word for word.

A proposal keeps the digest of what was asked. What it was is one of few things, or stands in the entry of that digest,
sealed; opened and put together again it is the same question only if its digest is the same. That is compared here.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any, Final

import msgspec

from holdback import audit
from holdback.core import events as ev
from holdback.core.events import DAY, stored_decoder
from holdback.core.rules.agency import AgencyAdd
from holdback.core.rules.staff import StaffEnrol
from holdback.intake import action_digest
from holdback.ports import Wanted
from holdback.wording.words import instant_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdback.core.events import Sealed
    from holdback.core.state import Head, Proposal
    from holdback.service import Service

PAGE: Final = 200
PAGES_MOST: Final = 25
"""How far back the log is read for it: proposals are days old at most, and streams of members short."""

ABOUT_EXITS: Final = frozenset({"return", "sale"})

_Proposed = StaffEnrol | AgencyAdd
_REQUEST: Final[msgspec.msgpack.Decoder[_Proposed]] = stored_decoder(_Proposed)  # type: ignore[arg-type] # a union


class ProposalForm(msgspec.Struct, frozen=True):
    """What was asked, by whom, when, and until when a second person may.

    `action` is the question as it must be asked. It is not `exact` where it could not be put together again as it was,
    as with a passkey that was written down in another way than it is kept.
    """

    account: str
    by: str
    asked_at: str
    until: str
    action: dict[str, Any]
    exact: bool


async def proposal(service: Service, account: str, kind: str, which: str = "") -> ProposalForm | None:
    """What waits for a second person under `account`; None if nothing of that kind does."""
    loaded = await service.store.read([Wanted(account)])
    row = loaded.snapshots.get(account)
    if row is None:
        return None
    head = service.tools.snapshots.head(row)
    first = _first(head, kind, which)
    until = first.at + service.tools.policy.staff.proposed_d * DAY if first is not None else 0
    if first is None or until <= loaded.now:
        return None
    hide = service.tools.masters.hide
    for action in _short(kind, which):
        if hmac.compare_digest(action_digest(account, action, hide), first.digest):
            return ProposalForm(account, first.by, instant_text(first.at), instant_text(until), action, exact=True)
    decided = await _asked(service, account, row.seq, first)
    if decided is None:
        return None
    opened = service.tools.snapshots.key_of(account, row.key).open
    action, exact = _again(decided, opened, hide)
    return ProposalForm(account, first.by, instant_text(first.at), instant_text(until), action, exact)


def _short(kind: str, which: str) -> list[dict[str, Any]]:
    """What a proposal of this kind can have been, where no field of it is somebody's own words.

    Whoever's money is to be given back could fill his log until the entry is too far away to be read.
    """
    return [{"action": f"exit.{verb}", "which": which} for verb in ("cancel", "release")] if kind in ABOUT_EXITS else []


async def is_disputed(service: Service, account: str, which: str) -> bool:
    """Whether this is a disputed sale, which waits for a first word."""
    row = (await service.store.read([Wanted(account)])).snapshots.get(account)
    held = service.tools.snapshots.head(row).exits.get(which) if row is not None else None
    return held is not None and held.lock is not None and held.lock.disputed_at > 0


def _first(head: Head, kind: str, which: str) -> Proposal | None:
    match kind:
        case "staff":
            return head.member.proposal if head.member is not None else None
        case "agency":
            return head.agency.proposal if head.agency is not None else None
        case "return":
            return head.returning.get(which)
        case "sale":
            held = head.exits.get(which)
            return held.lock.proposal if held is not None and held.lock is not None else None
        case _:
            return None


async def _asked(service: Service, account: str, seq: int, first: Proposal) -> ev.Decided | None:
    """The entry in which it was asked, the last one of its digest."""
    for _ in range(PAGES_MOST):
        after = max(0, seq - PAGE)
        told = await audit.timeline(service.store, account, after, seq - after)
        for one in reversed(told):
            if hmac.compare_digest(one.decided.digest, first.digest):
                return one.decided
        if not after:
            return None
        seq = after
    return None


def _again(decided: ev.Decided, opened: Callable[[Sealed], str], hide: bytes) -> tuple[dict[str, Any], bool]:
    """The question as it was asked, with or without what was left out; and whether it is the very same."""
    asked = _REQUEST.decode(decided.request)
    for whole in (False, True):
        action = {"action": decided.action} | _plain(asked, opened, whole=whole)
        if hmac.compare_digest(action_digest(decided.account, action, hide), decided.digest):
            return action, True
    return {"action": decided.action} | _plain(asked, opened, whole=False), False


def _plain(one: msgspec.Struct, opened: Callable[[Sealed], str], *, whole: bool) -> dict[str, Any]:
    """A struct as JSON has it; what was left out, or is as if it were, only if it is to be `whole`."""
    found = {}
    for field in msgspec.structs.fields(one):
        value = getattr(one, field.name)
        if whole or field.required or value != field.default:
            found[field.encode_name] = _value(value, opened, whole=whole)
    return found


def _value(value: object, opened: Callable[[Sealed], str], *, whole: bool) -> object:
    match value:
        case ev.Sealed():
            return opened(value)
        case msgspec.Struct():
            return _plain(value, opened, whole=whole)
        case tuple() | list():
            return [_value(one, opened, whole=whole) for one in value]
        case _:
            return msgspec.to_builtins(value)
