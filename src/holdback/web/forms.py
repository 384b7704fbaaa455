"""Forms as browsers send them: which action one names, what it shows as proof, and which answer it goes on from.

A field whose name begins with an underscore is the page's own; every other one is a field of the action.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Mapping

FORM: Final = b"application/x-www-form-urlencoded"
FIELDS_MOST: Final = 48
DIGITS_MOST: Final = 15

_NUMBERS: Final = frozenset({"hours", "share", "expires_d", "days", "secret_d"})
_FLAGS: Final = frozenset({"on", "mistaken", "confirmed", "forged", "waiting", "reveal"})
_NONE: Final = {"usd_per_day": "none"}
_LISTS: Final = frozenset({"scopes", "ip_allowlist", "pairs", "lost", "kinds", "fields", "roles"})
"""Fields that are no text; `fields.js` reads a form likewise, or a device's signature would not fit."""


def fields(body: bytes) -> dict[str, str]:
    """A form's fields, each once, lists with a line for each item; nothing of a form that cannot be read.

    Browsers send a line's end as two characters, and scripts read it as one: a device signs what scripts read.
    """
    try:
        found = parse_qs(body.decode("ascii"), errors="strict", max_num_fields=FIELDS_MOST)
    except ValueError:
        return {}
    kept = {name: "\n".join(values) for name, values in found.items() if len(values) == 1 or name in _LISTS}
    return {name: value.replace("\r\n", "\n") for name, value in kept.items()}


def named(given: Mapping[str, str]) -> dict[str, Any]:
    """The action that a form names."""
    return {name: _typed(name, value) for name, value in given.items() if not name.startswith("_")}


def _typed(name: str, value: str) -> str | int | bool | list[str] | None:
    if _NONE.get(name) == value:
        return None
    if name in _FLAGS:
        return value == "true"
    if name in _LISTS:
        return value.split()
    return int(value) if name in _NUMBERS and is_number(value) else value


def proved(given: Mapping[str, str]) -> dict[str, Any]:
    """What a form shows as proofs, and for which challenge."""
    shown = {
        name.removeprefix("_proof."): value for name, value in given.items() if name.startswith("_proof.") and value
    }
    # What is confirmed is proved by itself: an account may hold several of a kind.
    field = {"authenticator.confirm": "authenticator", "contact.confirm": "contact"}.get(given.get("action", ""), "")
    own = {"authenticator": given[field]} if field in given else {}
    proofs = [{"kind": kind, "response": response} | own for kind, response in shown.items()]
    challenge = given.get("_challenge")
    return {"proofs": proofs, "challenge": challenge} if challenge else {"proofs": proofs}


def signed(given: Mapping[str, str]) -> dict[str, str]:
    """The proof of a device's key, if the form carries one."""
    return {"dpop": given["_dpop"]} if given.get("_dpop") else {}


def is_number(text: str) -> bool:
    """Whether a field can be read as a whole number of bounded size."""
    return text.isascii() and text.isdecimal() and len(text) <= DIGITS_MOST
