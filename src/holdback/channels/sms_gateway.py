"""Text messages by an HTTP gateway of the operator's choice, whose request is described by settings.

Gateways differ in nothing but the shape of one request and of its answer, so this sends any: a body of JSON or of form
fields, in whose strings `{to}`, `{digits}`, `{text}` and `{id}` stand for the number, the number without its plus, the
words, and an id that is the same at each retry. They are put into values after the template was parsed and before it is
encoded, so that no message can become another field, header or address. The URL holds none: what stands in one is
logged by every machine on the way, and a text may be a code.

A gateway's own no is hardly ever about the reader alone (its 400 may say that the operator's template is wrong), so
nothing is final but what the settings name: notices wait for the operator, they are not dropped.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode

import httpx
import msgspec

from holdback import spelling
from holdback.channels.loopback import is_this_machine
from holdback.channels.setting import BadSetting
from holdback.core.events import Channel
from holdback.ports import ChannelRefused, ChannelUnavailable

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from holdback.ports import Message

DEADLINE_S: Final = 10.0
"""The most that one message may take, all told: a time-out for each read would never end with a server that drips."""
TEXT_MOST: Final = 1_600
"""Characters of a text; longer ones cost a message for each part, and most gateways refuse them."""
ANSWER_MOST: Final = 64 * 1024
"""Bytes of an answer that are read; one that is longer says nothing."""
METHODS: Final = frozenset({"POST", "PUT"})
BODIES: Final = frozenset({"json", "form"})
IN_BODY: Final = frozenset({"to", "digits", "text", "id"})
IN_HEADERS: Final = frozenset({"id"})
OURS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})
"""Headers that say how a request is carried, which no setting may."""

_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PLACE: Final = re.compile(r"\{([A-Za-z_]*)\}")
_STATUSES: Final = re.compile(r"([2-5][0-9]{2})(?:-([2-5][0-9]{2}))?")
_POINTER: Final = re.compile(r"(?:/(?:[^/~=]|~[01])*)+")
_WORD_INTEGERS: Final = range(-(2**63), 2**63)


class _Condition(NamedTuple):
    """What an answer's JSON must say: one of `words`, where `path` leads."""

    path: tuple[str, ...]
    words: frozenset[str]


class SmsGateway:
    """Sends text messages through one gateway, over connections that are kept while they are good.

    Example: `SmsGateway("https://sms.example/v1/messages", headers='{"Authorization": "Bearer ..."}',
    body='{"to": "{to}", "body": "{text}"}')`.
    """

    channel = Channel.SMS

    def __init__(  # noqa: PLR0913 - what a gateway wants
        self,
        url: str,
        *,
        method: str = "POST",
        headers: str = "{}",
        user: str = "",
        password: str = "",
        body: str = '{"to": "{to}", "text": "{text}"}',
        body_kind: str = "json",
        accepted: str = "200-299",
        accepted_if: str = "",
        refused: str = "",
        refused_if: str = "",
        deadline_s: float = DEADLINE_S,
        tls_context: ssl.SSLContext | None = None,
    ) -> None:
        """Connects to nothing yet. Raises BadSetting.

        `headers` and `body` are JSON objects; `user` and `password` go as basic authentication. `accepted` and
        `refused` are statuses, such as `200,202` or `200-299`; `accepted_if` and `refused_if` look into the answer's
        JSON, such as `/messages/0/status=0,queued`.
        """
        if method not in METHODS:
            raise BadSetting("method", "must be POST or PUT")
        if body_kind not in BODIES:
            raise BadSetting("body_kind", "must be json or form")
        self._method, self._url = method, _checked_url(url)
        self._headers = _with_basic(_headers(headers), user, password)
        self._body, self._body_kind = _body(body, form=body_kind == "form"), body_kind
        self._accepted, self._refused = _statuses("accepted", accepted), _statuses("refused", refused)
        if not self._accepted or self._accepted & (self._refused | set(range(300, 400))):
            raise BadSetting("accepted", "must name a status, and none that refuses or redirects")
        self._accepted_if = _condition("accepted_if", accepted_if)
        self._refused_if = _condition("refused_if", refused_if)
        self._deadline_s = deadline_s
        # Not a client: that one follows what the environment says of proxies, keeps cookies without end, and logs URLs.
        self._transport = httpx.AsyncHTTPTransport(verify=tls_context or True, trust_env=False)

    async def send(self, message: Message) -> None:
        """Hand over one text. Only what the settings name is acceptance; a redirect is never followed."""
        request = self._request(message)
        status, said = 0, b""
        try:
            async with asyncio.timeout(self._deadline_s):
                answer = await self._transport.handle_async_request(request)
                status = answer.status_code
                try:
                    said = await _read(answer)
                finally:
                    await answer.aclose()
        except (httpx.HTTPError, OSError, TimeoutError) as error:
            if not status:
                raise ChannelUnavailable(f"the text gateway did not answer: {type(error).__name__}") from None
        self._judge(status, said)

    def _judge(self, status: int, said: bytes) -> None:
        """What the answer means. An answer that could not be read meets no condition, and the message is sent again."""
        if status in self._refused or (self._refused_if is not None and _met(self._refused_if, said)):
            raise ChannelRefused(f"the text gateway refused with {status}")
        if status not in self._accepted:
            raise ChannelUnavailable(f"the text gateway answered {status}")
        if self._accepted_if is not None and not _met(self._accepted_if, said):
            raise ChannelUnavailable(f"the text gateway answered {status}, and did not say that it accepts")

    def _request(self, message: Message) -> httpx.Request:
        try:
            number = spelling.contact(Channel.SMS, message.to).text
        except ValueError:
            raise ChannelRefused("the contact is no phone number with its country's code") from None
        if len(message.text) > TEXT_MOST:
            raise ChannelRefused("the message is too long")
        # A hash, as ids go into logs.
        name = hashlib.sha256(message.id.encode(errors="replace")).hexdigest()[:32]
        text = message.text.encode(errors="replace").decode()
        values = {"to": number, "digits": number[1:], "text": text, "id": name}
        body = _walked(self._body, lambda template: _filled(template, values))
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        if self._body_kind == "json":
            content = msgspec.json.encode(body)
            headers["content-type"] = "application/json"
        else:
            content = urlencode(body).encode()
            headers["content-type"] = "application/x-www-form-urlencoded"
        headers |= {header: _filled(template, {"id": name}) for header, template in self._headers.items()}
        return httpx.Request(self._method, self._url, content=content, headers=headers)

    async def close(self) -> None:
        """Close kept connections."""
        await self._transport.aclose()


async def _read(answer: httpx.Response) -> bytes:
    """The answer's body; nothing of one that is too long."""
    said = b""
    async for chunk in answer.aiter_raw():
        said += chunk
        if len(said) > ANSWER_MOST:
            return b""
    return said


def _met(condition: _Condition, said: bytes) -> bool:
    try:
        value = msgspec.json.decode(said)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    for step in condition.path:
        if isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            return False
    return _word(value) in condition.words


def _word(value: object) -> str | None:
    """A value as settings write it; None for what they cannot."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value) if value in _WORD_INTEGERS else None
        case _:
            return None


def _filled(template: str, values: dict[str, str]) -> str:
    """A template with its places filled, in one pass: what a text says is never taken for a place."""
    return _PLACE.sub(lambda found: values[found[1]], template)


def _walked(value: Any, fill: Callable[[str], str]) -> Any:  # noqa: ANN401 - any JSON
    """JSON with its strings filled; names stay as they are."""
    if isinstance(value, str):
        return fill(value)
    if isinstance(value, dict):
        return {name: _walked(one, fill) for name, one in value.items()}
    return [_walked(one, fill) for one in value] if isinstance(value, list) else value


def _strings(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _strings(one)


def _checked_url(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError):
        raise BadSetting("url", "must be a URL") from None
    if parsed.scheme != "https" and not (parsed.scheme == "http" and is_this_machine(parsed.host)):
        raise BadSetting("url", "must be https, but for this machine")
    if not parsed.host:
        raise BadSetting("url", "must name a host")
    if parsed.userinfo:
        raise BadSetting("url", "must hold no user or password, which have settings of their own")
    if _PLACE.search(url):
        raise BadSetting("url", "must have no places to fill: what stands in a URL is logged on the way")
    return parsed


def _headers(text: str) -> dict[str, str]:
    """Headers of a JSON object, as they can be sent."""
    found = _json_object("headers", text)
    for name, value in found.items():
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise BadSetting("headers", "must be names with plain strings")
        if not _HEADER.fullmatch(name) or name.lower() in OURS:
            raise BadSetting("headers", "one has a name that cannot be sent, or that says how a request is carried")
        _check_places("headers", value, IN_HEADERS)
    return {name.lower(): value for name, value in found.items()}


def _with_basic(headers: dict[str, str], user: str, password: str) -> dict[str, str]:
    """The headers with basic authentication (RFC 7617), if there is a user."""
    if not user and not password:
        return headers
    if not user or ":" in user:
        raise BadSetting("user", "must be a name without a colon, beside a password")
    if "authorization" in headers:
        raise BadSetting("user", "must be empty where the headers have an authorization")
    pair = f"{user}:{password}".encode(errors="replace")
    return headers | {"authorization": "Basic " + base64.b64encode(pair).decode()}


def _body(text: str, *, form: bool) -> dict[str, Any]:
    found = _json_object("body", text)
    if form and not all(isinstance(value, str) for value in found.values()):
        raise BadSetting("body", "of a form must have strings only")
    for one in _strings(found):
        _check_places("body", one, IN_BODY)
    places = {name for one in _strings(found) for name in _PLACE.findall(one)}
    if "text" not in places or not places & {"to", "digits"}:
        raise BadSetting("body", "must hold {text}, and {to} or {digits}")
    return found


def _check_places(setting: str, text: str, known: frozenset[str]) -> None:
    if not set(_PLACE.findall(text)) <= known:
        raise BadSetting(setting, f"has a place that is none of {', '.join(f'{{{one}}}' for one in sorted(known))}")


def _json_object(setting: str, text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise BadSetting(setting, "must be a JSON object") from None


def _statuses(setting: str, text: str) -> frozenset[int]:
    """Statuses as settings write them: `200,202` or `200-299`."""
    found: set[int] = set()
    for part in filter(None, (one.strip() for one in text.split(","))):
        written = _STATUSES.fullmatch(part)
        if written is None:
            raise BadSetting(setting, "must be statuses, written as 200,202 or 200-299")
        found.update(range(int(written[1]), int(written[2] or written[1]) + 1))
    return frozenset(found)


def _condition(setting: str, text: str) -> _Condition | None:
    """Where to look (RFC 6901) and for what: `/messages/0/status=0,queued`."""
    if not text:
        return None
    pointer, _, listed = text.partition("=")
    words = frozenset(filter(None, (one.strip() for one in listed.split(","))))
    if not _POINTER.fullmatch(pointer.strip()) or not words:
        raise BadSetting(setting, "must be a JSON pointer, = and words, such as /messages/0/status=0,queued")
    steps = pointer.strip().split("/")[1:]
    return _Condition(tuple(one.replace("~1", "/").replace("~0", "~") for one in steps), words)
