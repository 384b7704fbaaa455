"""One spelling for each mailbox, phone number, merchant and sign-in name: what is one has one keyed hash (law 2).

A contact is sent to as its owner wrote it and compared as it is spelled here. Taking two for one costs an owner a
refusal that he can mend; taking one for two would count it as two factors. So mailboxes are compared more coarsely than
RFC 5321 would have it: in practice the local part's case tells nobody apart, nor does a `+tag` behind it (RFC 5233).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final, NamedTuple

E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
"""A phone number with its country code (ITU-T E.164)."""

_MAILBOX: Final = re.compile(r"([^\s@\x00-\x1f\x7f]+)@([^\s@\x00-\x1f\x7f]+)")
_BETWEEN_DIGITS: Final = str.maketrans("", "", " ()-./\u00a0\u2010\u2011")
_ENCODED: Final = "xn--"


MEMO: Final = "?memo="
"""Between an address and its memo, where both are one destination. No address has a question mark."""


class Spelled(NamedTuple):
    """A contact or destination: `text` is what is kept and sent to, `compared` what it is known by.

    `place` is what the address alone is known by where a memo belongs to it, "" elsewhere.
    """

    text: str
    compared: str
    place: str = ""


def with_memo(address: str, memo: str) -> str:
    """An address and the memo that says whose money it is there, as one destination."""
    return f"{address}{MEMO}{memo}" if memo else address


def parted(destination: str) -> tuple[str, str]:
    """Undo `with_memo`: the address, and its memo or ""."""
    address, _, memo = destination.partition(MEMO)
    return address, memo


def contact(channel: str, text: str) -> Spelled:
    """A contact of a channel, or an authenticator of the kind of that name. Raises ValueError saying what is wrong."""
    if channel == "email":
        return _mailbox(text)
    if channel == "sms":
        number = _number(text)
        return Spelled(number, number)
    return Spelled(text, text)


def sign_in_name(name: str) -> str:
    """A sign-in name as it is compared."""
    return _folded(name.strip())


def merchant(text: str) -> Spelled:
    """A merchant as a card's network names it, known by its letters: not by case, form, spaces or what is not seen."""
    seen = "".join(one for one in text if unicodedata.category(one) != "Cf")
    return Spelled(text, " ".join(_folded(seen).split()))


def _mailbox(text: str) -> Spelled:
    mailbox = unicodedata.normalize("NFC", text.strip())
    found = _MAILBOX.fullmatch(mailbox)
    if found is None:
        raise ValueError("a mail address is written name@domain")
    local = _folded(found[1])
    labels = _folded(found[2]).replace("\u3002", ".").rstrip(".").split(".")
    return Spelled(mailbox, f"{local.partition('+')[0] or local}@{'.'.join(_label(one) for one in labels)}")


def _label(label: str) -> str:
    """A label of a domain by its letters, whichever way it was written (RFC 5890 section 2.3.2.1)."""
    if not label.startswith(_ENCODED):
        return label
    try:
        return _folded(label.removeprefix(_ENCODED).encode("ascii").decode("punycode"))
    except (UnicodeError, OverflowError):
        return label


def _number(text: str) -> str:
    """Digits behind a plus. A `(0)` is dialled by some and not by others, so it is refused rather than guessed at."""
    written = unicodedata.normalize("NFKC", text.strip())
    number = written.translate(_BETWEEN_DIGITS)
    if "(0)" in written or not E164.fullmatch(number):
        raise ValueError("a phone number is written as +, country code and number")
    return number


def _folded(text: str) -> str:
    """Without case, and without the differences in form that NFKC takes away (Unicode 3.13, caseless matching)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
