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


def day_text(at: Instant) -> str:
    """The same for people, in every locale: `21 Nov 2026, 10:16 UTC`. A begun minute counts, so nobody comes early."""
    when = _EPOCH + timedelta(minutes=-(-at // MINUTE))
    return f"{when.day} {_MONTHS[when.month - 1]} {when.year}, {when:%H:%M} UTC"


def begun_text(at: Instant) -> str:
    """The same for what was or what ends: the minute it is in, so nobody reads of what has not been, or comes late."""
    return day_text(at - at % MINUTE)


def money(micro_usd: int) -> str:
    """Micro-USD as people write dollars, to the cent."""
    cents = (micro_usd + MICRO // 200) // (MICRO // 100)
    return f"${cents // 100:,}.{cents % 100:02}"


def shortened(text: str) -> str:
    """An address as a wallet shows it: enough to compare, not enough to copy, and nothing that could be a link."""
    address, memo = parted(text)
    if memo:
        return f"{shortened(address)} (memo {shortened(memo)})"
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
    return f"API key {name}" if label is None else f"API key {quoted(opened(label))} ({name})"


_PROGRAMS: Final = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari"}

_SYSTEMS: Final = {
    "Android": "Android",
    "iPhone": "an iPhone",
    "iPad": "an iPad",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


def program(user_agent: str) -> str:
    """What signed in, in words of our own, for a user agent is anybody's: `Firefox on Windows`."""
    name = next(
        (ours for theirs, ours in _PROGRAMS.items() if theirs in user_agent), "a program that does not say which"
    )
    system = next((ours for theirs, ours in _SYSTEMS.items() if theirs in user_agent), "")
    return f"{name} on {system}" if system else name


KINDS: Final[dict[str, str]] = {
    AuthenticatorKind.PASSWORD: "password",
    AuthenticatorKind.TOTP: "authenticator app",
    AuthenticatorKind.PASSKEY: "passkey",
    AuthenticatorKind.SMS: "code by text message",
    AuthenticatorKind.EMAIL: "code by mail",
    AuthenticatorKind.BACKUP_CODE: "backup codes",
    "contact_code": "code sent to a contact",
}
"""Kinds of proof, as people call them."""

WHO: Final = {
    ActorKind.OWNER: "someone signed in as the owner",
    ActorKind.LINK: "whoever pressed the link in a notice",
    ActorKind.API_KEY: "an API key",
    ActorKind.STAFF: "a member of staff",
    ActorKind.AGENCY: "an agency",
    ActorKind.PLATFORM: "the platform",
    ActorKind.SYSTEM: "Holdback itself",
}
"""Who asks, as far as is known."""


def together(kinds: Sequence[str]) -> str:
    """Kinds of proof that are shown side by side."""
    return " and ".join(KINDS.get(kind, kind) for kind in kinds)


def exact(text: str) -> str:
    """A destination as it was given, but for what could not stand in one: spaces, and letters that look like others."""
    address, memo = (re.sub(r"[^!-~]", "-", one) for one in parted(text))
    return f"{address} with memo {memo}" if memo else address


def beneficiary_text(name: str) -> str:
    """A beneficiary's part name, its hash cut to what tells two apart: `bitcoin 3f9a01c2`."""
    network, dot, mac = name.partition(".")
    return f"{network} {mac[:8]}" if dot else network


def network_text(text: str) -> str:
    """A network address if it is one, for the platform passes on what it was told."""
    try:
        return str(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return ""


def evidence_text(kind: str) -> str:
    """A kind of evidence in a recovery."""
    return KINDS.get(kind, kind.replace("_", " "))


def capital(text: str) -> str:
    """The text as a sentence begins."""
    return text[:1].upper() + text[1:]
