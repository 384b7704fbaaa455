"""The name of an action: one digest for the platform that asked, for Holdback, and for the signer that verifies."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from holdback.client.errors import NotCanonical

if TYPE_CHECKING:
    from collections.abc import Mapping

ENVELOPE: Final = frozenset({"actor", "context", "proofs", "challenge", "dry_run"})
"""Fields of a request that are not the action's own."""

LARGEST: Final = 2**53 - 1
"""The largest integer that every JSON reader takes for itself (RFC 7493 section 2.2)."""


def action_digest(account: str, action: Mapping[str, object]) -> bytes:
    r"""The SHA-256, 32 bytes, that names this action of this account exactly. Raises NotCanonical.

    It is taken over the account's id, one newline (U+000A), and the action as JSON, all in UTF-8. The JSON's rule:

    1. All fields that were sent, `action` included, but for `actor`, `context`, `proofs`, `challenge` and `dry_run`.
       What was left out is left out, and what was sent as null stays null.
    2. Values are strings, true, false, null, integers from -(2^53 - 1) to 2^53 - 1, and lists and objects of these.
       Anything else has more than one spelling and is refused; amounts are decimal strings, taken as they were sent.
    3. The names of every object are sorted by code point. No whitespace between tokens.
    4. Strings hold every character as itself but `"` and `\`, which take a backslash, and those below U+0020: `\b`,
       `\f`, `\n`, `\r` and `\t` by these names, the others as `\u00` and two lower-case hexadecimal digits. No
       Unicode normalisation. No lone surrogates.

    Of actions that carry secrets (`password.change`, `account.import`) Holdback keeps a digest of its own, in which
    they are hashed first; receipts for those cannot be verified with this one.
    """
    fields = {name: value for name, value in action.items() if name not in ENVELOPE}
    return hashlib.sha256(account.encode() + b"\n" + canonical_json(fields)).digest()


def session_id(token: str) -> str:
    """The public id that a session has in `Holdback.account`, and that `session.end` takes as `which`."""
    return hashlib.sha256(token.encode()).hexdigest()[:32]


def canonical_json(fields: Mapping[str, object]) -> bytes:
    """The one spelling of these fields (rules 2 to 4 of `action_digest`). Raises NotCanonical."""
    _check(fields, "")
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise NotCanonical("a string holds half of a surrogate pair") from None


def _check(value: object, place: str) -> None:
    """Raise NotCanonical naming the place of a value that rule 2 does not allow."""
    match value:
        case None | bool() | str():
            return
        case int() if -LARGEST <= value <= LARGEST:
            return
        case list() | tuple():
            for number, one in enumerate(value):
                _check(one, f"{place}/{number}")
        case dict():
            for name, one in value.items():
                if not isinstance(name, str):
                    raise NotCanonical(f"a name in `{place or '/'}` is not a string")
                _check(one, f"{place}/{name}")
        case _:
            raise NotCanonical(f"`{place or '/'}` is a {type(value).__name__} or too large; send it as a string")
