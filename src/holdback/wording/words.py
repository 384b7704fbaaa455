"""The small pieces that every sentence is made of: instants, money, addresses, and other people's words made harmless.

A thief in a session chooses some of the words that a notice repeats: a beneficiary's name, an address, a user agent.
None may speak for the platform. They are cut short, lose whatever a mail program would make a link of, and stand in
quotation marks; of a user agent only words of our own remain.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from holdback.core.events import (
    MINUTE,
    ActorKind,
    AuthenticatorKind,
    Channel,
)
from holdback.core.policy import MICRO
from holdback.spelling import parted
from holdback.wording.said import Said, listed, said, term

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from holdback.core.events import Instant, Sealed

    Opened = Callable[[Sealed], str]
    """Opens a sealed field of the account in hand."""


TEXT_MESSAGE_MOST: Final = 300
"""Characters of a text message, which phones show in two parts at most; a link is never cut to fit."""

SHORT_ADDRESS: Final = 16
"""Characters of an address that is shown whole."""

LABEL_MOST: Final = 32
"""Characters of a name that an owner gave, or a thief."""

LONG_DOMAIN: Final = 48
"""Characters of a mail domain, its end shown if it has more."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def instant_text(at: Instant) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return (_EPOCH + timedelta(milliseconds=at)).isoformat(timespec="milliseconds")[:-6] + "Z"


def day_text(at: Instant) -> Said:
    """The same for people: `21 Nov 2026, 10:16 UTC`. A begun minute counts, so nobody comes early."""
    minutes = -(-at // MINUTE)
    when = _EPOCH + timedelta(minutes=minutes)
    english = f"{when.day} {_MONTHS[when.month - 1]} {when.year}, {when:%H:%M} UTC"
    return Said(english, lambda tongue: tongue.moment(minutes * MINUTE))


def begun_text(at: Instant) -> Said:
    """The same for what was or what ends: the minute it is in, so nobody reads of what has not been, or comes late."""
    return day_text(at - at % MINUTE)


def money(micro_usd: int) -> Said:
    """Micro-USD as people write dollars, to the cent."""
    cents = (micro_usd + MICRO // 200) // (MICRO // 100)
    return Said(f"${cents // 100:,}.{cents % 100:02}", lambda tongue: tongue.dollars(cents))


def shortened(text: str) -> str:
    """An address as a wallet shows it: enough to compare, not enough to copy, and nothing that could be a link."""
    address, memo = parted(text)
    if memo:
        return said("{address} (memo {memo})", address=shortened(address), memo=shortened(memo))
    plain = re.sub(r"[^A-Za-z0-9:_-]", "-", text)
    return plain if len(plain) <= SHORT_ADDRESS else f"{plain[:8]}...{plain[-6:]}"


def masked(channel: Channel, address: str) -> str:
    """A contact as its owner recognises it and a stranger cannot use it."""
    if channel is Channel.EMAIL and "@" in address:
        name, _, domain = address.rpartition("@")
        return f"{re.sub('[^A-Za-z0-9]', '', name[:1])}***@{re.sub('[^A-Za-z0-9.-]', '-', domain[-LONG_DOMAIN:])}"
    return f"***{re.sub('[^A-Za-z0-9]', '', address)[-3:]}"


def quoted(text: str) -> str:
    """Somebody's own words in quotation marks: short, on one line, with nothing left that could become a link."""
    shown = [
        char if unicodedata.category(char)[0] in "LMN" or char in " -_'()&+" else "-" for char in text[:LABEL_MOST]
    ]
    return f'"{" ".join("".join(shown).split())}"'


def key_text(name: str, label: Sealed | None, opened: Opened) -> str:
    """An API key by what its owner calls it, where that is known, and by its id."""
    return said("API key {name}", name=key_name(name, label, opened))


def key_name(name: str, label: Sealed | None, opened: Opened) -> str:
    """The same where it is clear that it is a key."""
    return name if label is None else f"{quoted(opened(label))} ({name})"


_PROGRAMS: Final = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari"}

_SYSTEMS: Final = {
    "Android": "Android",
    "iPhone": said("an iPhone"),
    "iPad": said("an iPad"),
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


def program(user_agent: str) -> str:
    """What signed in, in words of our own, for a user agent is anybody's: `Firefox on Windows`."""
    name = next(
        (ours for theirs, ours in _PROGRAMS.items() if theirs in user_agent), said("a program that does not say which")
    )
    system = next((ours for theirs, ours in _SYSTEMS.items() if theirs in user_agent), "")
    return said("{program} on {system}", program=name, system=system) if system else name


KINDS: Final[dict[str, str]] = {
    AuthenticatorKind.PASSWORD: said("password"),
    AuthenticatorKind.TOTP: said("authenticator app"),
    AuthenticatorKind.PASSKEY: said("passkey"),
    AuthenticatorKind.SMS: said("code by text message"),
    AuthenticatorKind.EMAIL: said("code by mail"),
    AuthenticatorKind.BACKUP_CODE: said("backup codes"),
    "contact_code": said("code sent to a contact"),
}
"""Kinds of proof, as people call them."""

WHO: Final = {
    ActorKind.OWNER: said("someone signed in as the owner"),
    ActorKind.LINK: said("whoever pressed the link in a notice"),
    ActorKind.API_KEY: said("an API key"),
    ActorKind.STAFF: said("a member of staff"),
    ActorKind.AGENCY: said("an agency"),
    ActorKind.PLATFORM: said("the platform"),
    ActorKind.SYSTEM: said("Holdback itself"),
}
"""Who asks, as far as is known."""


def together(kinds: Sequence[str]) -> str:
    """Kinds of proof that are shown side by side."""
    return listed((KINDS.get(kind) or term(kind) for kind in kinds), " and ")


def exact(text: str) -> str:
    """A destination as it was given, but for what could not stand in one: spaces, and letters that look like others."""
    address, memo = (re.sub(r"[^!-~]", "-", one) for one in parted(text))
    return said("{address} with memo {memo}", address=address, memo=memo) if memo else address


def beneficiary_text(name: str) -> str:
    """A beneficiary's part name, its hash cut to what tells two apart: `bitcoin 3f9a01c2`."""
    network, dot, mac = name.partition(".")
    return said("{network} {hash}", network=term(network), hash=mac[:8]) if dot else term(network)


def network_text(text: str) -> str:
    """A network address if it is one, for the platform passes on what it was told."""
    try:
        return str(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return ""


def evidence_text(kind: str) -> str:
    """A kind of evidence in a recovery."""
    return KINDS.get(kind) or term(kind.replace("_", " "))
