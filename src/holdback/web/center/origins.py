"""Where an account is signed in: of each session the program and the network address it began with, from the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from holdback.core import events as ev
from holdback.core.state import Device
from holdback.sealing import SealBroken
from holdback.snapshots import seen
from holdback.wording.words import instant_text, network_text, program

if TYPE_CHECKING:
    from holdback.core.ledger import Entry
    from holdback.core.state import Head
    from holdback.sealing import CustomerKey
    from holdback.service import Service

LOOKED_AT_MOST: Final = 2_000
"""Entries that are read to find where sessions began; of one that is older nothing is said but its device."""
AT_ONCE: Final = 200
DEVICES_SHOWN: Final = 50


class Origin(NamedTuple):
    """What a session began with; each empty where nobody said it."""

    program: str
    network: str


class KnownDevice(NamedTuple):
    """A device that signed in, the last one first; `disowned_at` is set once its owner said that it is a stranger's."""

    id: str
    program: str
    first_at: str
    last_at: str
    disowned_at: str | None


class Origins(NamedTuple):
    """By session where it began, and the devices that signed in."""

    sessions: dict[str, Origin]
    devices: tuple[KnownDevice, ...]


async def origins(service: Service, account: str) -> Origins:
    """Look both up; nothing of an account that is not there."""
    snapshots = service.tools.snapshots
    owner = await seen(service.store, snapshots, account)
    if owner is None:
        return Origins({}, ())
    head, key = owner.head, owner.key
    rows = [one for one in await service.store.parts(account) if one.kind == "device"]
    devices = {one.name: part for one in rows if isinstance(part := snapshots.part(one), Device)}
    programs = {name: _program(key, one.user_agent) for name, one in devices.items()}
    lately = sorted(devices.items(), key=_last, reverse=True)[:DEVICES_SHOWN]
    return Origins(
        await _begun(service, head, key, programs), tuple(_known(name, one, programs[name]) for name, one in lately)
    )


def _last(item: tuple[str, Device]) -> ev.Instant:
    return item[1].last_at


def _known(name: str, one: Device, called: str) -> KnownDevice:
    disowned = instant_text(one.disowned_at) if one.disowned_at else None
    return KnownDevice(name, called, instant_text(one.first_at), instant_text(one.last_at), disowned)


async def _begun(service: Service, head: Head, key: CustomerKey, programs: dict[str, str]) -> dict[str, Origin]:
    """Where open sessions began, read backwards until all are found, or none can have begun so early."""
    found: dict[str, Origin] = {}
    oldest = min((one.started_at for one in head.sessions.values()), default=0)
    last = head.seq
    while len(found) < len(head.sessions) and last > max(0, head.seq - LOOKED_AT_MOST):
        first = max(0, last - AT_ONCE)
        entries = await service.store.entries(head.account, first, last - first)
        for entry in entries:
            found |= _begins(entry, head, key, programs)
        if entries and ev.decode_events(entries[0].body)[0].at < oldest:
            break
        last = first
    return found


def _begins(entry: Entry, head: Head, key: CustomerKey, programs: dict[str, str]) -> dict[str, Origin]:
    """The session that an entry began, if it is open still."""
    decided, *events = ev.decode_events(entry.body)
    begun = [one for one in events if isinstance(one, ev.SessionStarted) and one.session in head.sessions]
    if not begun or not isinstance(decided, ev.Decided):
        return {}
    met = [one.user_agent for one in events if isinstance(one, ev.DeviceMet)]
    called = programs.get(begun[0].device) or _program(key, met[0] if met else None)
    whence = _opened(key, decided.ip)
    return {begun[0].session.hex(): Origin(called, network_text(whence) if whence else "")}


def _program(key: CustomerKey, agent: ev.Sealed | None) -> str:
    return program(_opened(key, agent)) if agent is not None else ""


def _opened(key: CustomerKey, sealed: ev.Sealed | None) -> str:
    try:
        return key.open(sealed) if sealed is not None else ""
    except SealBroken:
        return ""
