"""What an agency is given of a customer: the fields of one request as rows of JSON, marked for that agency alone.

What may be disclosed, and whether it may now, is the core's to say; this only renders the fields it is given. What
Holdback does not hold (an identity file, a postal address) is named as the platform's: the receipt of the release says
that it may be handed over. Secrets have no renderer, so no mistake elsewhere can disclose one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from holdback.core import events as ev
from holdback.core.events import Channel
from holdback.core.policy import MICRO
from holdback.core.rules.exit import ExitRequest
from holdback.core.state import Beneficiary, Device
from holdback.marking import Export, Kind, Millisecond, Trailing, marked
from holdback.wording.words import instant_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from holdback.core.events import AnyEvent, Instant, Sealed
    from holdback.core.ledger import Entry
    from holdback.core.state import Head, Part

ENTRIES_MOST: Final = 5_000
"""Entries of a customer's log, the last ones, in which transactions and sign-ins are looked for."""

NEEDS_LOG: Final = frozenset({"transactions", "sign_ins"})
"""Fields that are rendered from the log."""

PLATFORMS: Final = frozenset({"postal_address", "kyc_file"})
"""Fields that the platform holds."""

COLUMNS: Final[dict[str, Kind]] = {"at": Millisecond(), "usd": Trailing()}
"""Columns that are written in one of two ways that mean the same."""

_EXIT: Final = ev.stored_decoder(ExitRequest)


class Wanted(NamedTuple):
    """One request that is to be carried out."""

    request: str
    agency: str
    basis: str
    fields: tuple[str, ...]


class Known(NamedTuple):
    """Everything that Holdback knows of a customer, and how its sealed fields are opened."""

    head: Head
    parts: Sequence[Part]
    entries: Sequence[Entry]
    opened: Callable[[Sealed], str]


class Package(NamedTuple):
    """What is sealed for the agency, and the record by which a leaked copy is traced to it."""

    body: bytes
    export: Export


def package(wanted: Wanted, known: Known, now: Instant, mark: tuple[int, bytes]) -> Package:
    """The fields of a request, a row of JSON each; `mark` is the id of a master key and the key that marks by it."""
    key_id, key = mark
    export = Export(f"{wanted.agency}/{wanted.request}", key_id, "row", dict(COLUMNS), id=wanted.request)
    head = {"row": "0", "request": wanted.request, "agency": wanted.agency, "legal_basis": wanted.basis}
    rows = [head | {"account": known.head.account, "made_at": instant_text(now), "fields": ", ".join(wanted.fields)}]
    for field in wanted.fields:
        rows += [{"row": "", "field": field} | one for one in _rows(field, known)]
    numbered = [row | {"row": str(number)} for number, row in enumerate(rows)]
    return Package(b"\n".join(msgspec.json.encode(row) for row in marked(numbered, export, key)) + b"\n", export)


def _rows(field: str, known: Known) -> Iterable[dict[str, str]]:
    """One field. A field that is not here is not disclosed, whatever the core may have said."""
    match field:
        case "name":
            return [{"value": known.opened(known.head.name)}]
        case "email":
            return _contacts(known, Channel.EMAIL)
        case "phone":
            return _contacts(known, Channel.SMS)
        case "balance":
            return _balance(known.head)
        case "beneficiaries":
            return _beneficiaries(known)
        case "device_list":
            return _devices(known)
        case "transactions":
            return _transactions(known)
        case "sign_ins":
            return _sign_ins(known)
        case _ if field in PLATFORMS:
            return [{"held_by": "the platform"}]
        case _:
            return []


def _contacts(known: Known, channel: Channel) -> Iterator[dict[str, str]]:
    for one in known.head.contacts.values():
        if one.channel is channel and not one.recycled:
            state = "replaced" if one.removed else "confirmed" if one.confirmed else "not confirmed"
            yield {"value": known.opened(one.address), "at": instant_text(one.added_at), "state": state}


def _balance(head: Head) -> list[dict[str, str]]:
    """What the platform said last; Holdback keeps no books."""
    last = max(head.equity, default=None)
    return [] if last is None else [{"usd": _usd(head.equity[last]), "said_by": "the platform"}]


def _beneficiaries(known: Known) -> Iterator[dict[str, str]]:
    for one in known.parts:
        if isinstance(one, Beneficiary):
            where = known.opened(one.address) if one.address is not None else ""
            state = {"state": "removed"} if one.removed else {}
            yield {"network": one.network, "value": where, "at": instant_text(one.added_at)} | state


def _devices(known: Known) -> Iterator[dict[str, str]]:
    for one in known.parts:
        if isinstance(one, Device):
            agent = known.opened(one.user_agent) if one.user_agent is not None else ""
            yield {"at": instant_text(one.first_at), "last_at": instant_text(one.last_at), "user_agent": agent}


def _logged(known: Known) -> Iterator[tuple[ev.Decided, AnyEvent]]:
    for entry in known.entries:
        decided, *events = ev.decode_events(entry.body)
        if isinstance(decided, ev.Decided):
            yield from ((decided, event) for event in events)


def _transactions(known: Known) -> Iterator[dict[str, str]]:
    """What left the account, each exit as it went last. The address stands in the question that asked for it."""
    asked: dict[bytes, str] = {}
    gone: dict[str, dict[str, str]] = {}
    for decided, event in _logged(known):
        if decided.action == "exit.request":
            wish = _EXIT.decode(decided.request)
            asked[decided.digest] = known.opened(wish.address) if wish.address is not None else ""
        if isinstance(event, ev.ExitAllowed):
            paid = {"kind": event.kind, "usd": _usd(event.micro_usd), "at": instant_text(event.at)}
            paid |= {"value": asked.get(event.digest, ""), "beneficiary": event.beneficiary.partition(".")[0]}
            gone[event.exit] = paid
    yield from gone.values()


def _sign_ins(known: Known) -> Iterator[dict[str, str]]:
    for decided, event in _logged(known):
        if isinstance(event, ev.SessionStarted):
            yield {"at": instant_text(event.at), "ip": known.opened(decided.ip) if decided.ip is not None else ""}


def _usd(micro_usd: int) -> str:
    whole, part = divmod(micro_usd, MICRO)
    return f"{whole}.{part:06}".rstrip("0").rstrip(".")
