"""What goes over the wire and what comes back, without sending it: both clients share this."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import msgspec

from holdback.client.digest import ENVELOPE, canonical_json
from holdback.client.errors import ChallengeRefused, NotUnderstood, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx

    from holdback.client.decisions import StepUp

OK: Final = 200
BUSY: Final = frozenset({502, 503, 504})
"""Statuses that say that nobody has decided yet."""

CHALLENGE: Final = "urn:holdback:problem:challenge"
"""The problem that asking anew mends."""

LEASE: Final = "order.lease"
"""The action that a lease is asked by, as a program signs it."""

_KEY: Final = re.compile(r"[!-~]{1,128}")
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64})?")


@dataclass(frozen=True, slots=True)
class Call:
    """One question: where it is posted, its fields, and the idempotency key it is asked under."""

    path: str
    fields: dict[str, object] = field(repr=False)
    key: str


class Page(msgspec.Struct, frozen=True):
    """One page of a list; `next` is the cursor of the page after it, None on the last."""

    items: list[dict[str, object]]
    next: str | None = None


class _Fault(msgspec.Struct, frozen=True):
    """One entry of a problem's `errors` (RFC 9457 section 3, its example)."""

    pointer: str | None = None


class _ProblemWire(msgspec.Struct, frozen=True):
    type: str | None = None
    title: str | None = None
    detail: str | None = None
    pointer: str | None = None
    errors: tuple[_Fault, ...] = ()


_PAGES: Final = msgspec.json.Decoder(Page)
_OBJECTS: Final = msgspec.json.Decoder(dict[str, object])
_PROBLEMS: Final = msgspec.json.Decoder(_ProblemWire)


def account_path(account: str, rest: str = "") -> str:
    """Where an account is found. Raises ValueError on what is no account id and could lead elsewhere."""
    if not _ACCOUNT.fullmatch(account):
        raise ValueError("this is not an account id")
    return f"/v1/accounts/{account}{rest}"


def page_path(account: str, rest: str, cursor: str | None) -> str:
    """Where a page of an account's list is found."""
    return account_path(account, rest) + ("?" + urlencode({"cursor": cursor}) if cursor else "")


def action_call(account: str, action: Mapping[str, object], key: str, envelope: Mapping[str, object]) -> Call:
    """Ask for an action. Raises NotCanonical if no receipt could name it, ValueError if it holds envelope fields."""
    strays = sorted(ENVELOPE & action.keys())
    if strays:
        raise ValueError(f"{', '.join(strays)}: no part of the action; pass by name")
    return Call(account_path(account, "/actions"), _fields(action, envelope), _key(key))


def lease_call(account: str, action: Mapping[str, object], envelope: Mapping[str, object]) -> Call:
    """Ask for what a `leases.lease_action` names, by its own route. It has no idempotency key: none comes twice."""
    if action.get("action") != LEASE:
        raise ValueError(f"`action` must be {LEASE}: see lease_action")
    own = {name: value for name, value in action.items() if name != "action"}
    return Call(account_path(account, "/leases"), _fields(own, envelope), "")


def sign_in_call(name: str, key: str, envelope: Mapping[str, object]) -> Call:
    """Ask for a session by sign-in name."""
    return Call("/v1/sign-ins", _fields({"name": name}, envelope), _key(key))


def resumed(  # noqa: PLR0913 - what is new in it, and what its key is made of
    step_up: StepUp,
    proofs: Sequence[Mapping[str, object]],
    key: str | None,
    platform_key: str,
    *,
    actor: Mapping[str, object] | None = None,
    dpop: str | None = None,
) -> Call:
    """The same question with what its challenge asked for. Raises ValueError if it was signed and is not signed anew.

    Without a key, one is derived from the earlier key, the challenge and the proofs: the same proofs sent twice are one
    question. It is derived under the platform key, for a key is seen by proxies and logs and proofs hold passwords.
    """
    fields = step_up.call.fields | {"challenge": step_up.challenge.id, "proofs": [dict(one) for one in proofs]}
    asked = fields.get("actor")
    if actor is not None:
        fields |= {"actor": dict(actor)}
    elif isinstance(asked, dict) and "signature" in asked:
        raise ValueError("an API key signs each request anew: bring the next `actor`")
    if dpop is not None:
        shown = fields.get("actor")
        fields |= {"actor": shown | {"dpop": dpop}} if isinstance(shown, dict) else {"dpop": dpop}
    if key is None:
        said = canonical_json({"after": step_up.call.key, "asked": fields})
        key = hmac.new(platform_key.encode(), said, "sha256").hexdigest()[:40]
    return Call(step_up.call.path, fields, _key(key))


def _fields(own: Mapping[str, object], envelope: Mapping[str, object]) -> dict[str, object]:
    fields = dict(own) | {name: value for name, value in envelope.items() if value is not None and value is not False}
    canonical_json(fields)
    return fields


def _key(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError("an idempotency key is 1 to 128 visible ASCII characters")
    return key


def answered(response: httpx.Response) -> bytes:
    """The body of a final response. Raises Problem on an error status, NotUnderstood on any other but 200."""
    if response.status_code == OK:
        return response.content
    if response.is_error:
        raise problem(response)
    raise NotUnderstood(f"status {response.status_code} is no answer")


def problem(response: httpx.Response) -> Problem:
    """What an error response says, as far as it can be read."""
    try:
        wire = _PROBLEMS.decode(response.content)
    except ValueError:
        wire = _ProblemWire()
    pointer = wire.pointer or next((fault.pointer for fault in wire.errors), None) or ""
    title = wire.title or response.reason_phrase
    kind = ChallengeRefused if wire.type == CHALLENGE else Problem
    return kind(wire.type or "about:blank", title, response.status_code, wire.detail or "", pointer)


def retry_after_s(response: httpx.Response) -> float:
    """Seconds that the server asked to be left alone (RFC 9110 section 10.2.3), 0 if it did not say so in seconds."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdecimal() else 0.0


def page(body: bytes, cursor: str | None) -> Page:
    """Read a page. Raises NotUnderstood, also when it would lead back to itself."""
    try:
        read = _PAGES.decode(body)
    except ValueError as error:
        raise NotUnderstood(f"this is no page: {error}") from None
    if read.next is not None and read.next == cursor:
        raise NotUnderstood("the page after this one is this one")
    return read


def json_object(body: bytes) -> dict[str, object]:
    """Read any object. Raises NotUnderstood."""
    try:
        return _OBJECTS.decode(body)
    except ValueError as error:
        raise NotUnderstood(f"this is no JSON object: {error}") from None
