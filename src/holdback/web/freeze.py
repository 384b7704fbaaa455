"""The page behind a notice's freeze link: GET says what will happen, POST does it (law 5).

Whoever holds the link may freeze, signed in or not; mail scanners and previewers only GET. A link that is forged,
expired or for an account that is gone gets one and the same friendly page. The token must stand in the link's query, so
the page sends no referrer, is never stored, and its address is never logged; from there on it travels in a form's body.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

import msgspec

from holdback.core.events import DeviceMet, NoticeDue, decode_events
from holdback.intake import BadRequest
from holdback.ports import Wanted
from holdback.sealing import LinkInvalid
from holdback.service import Question
from holdback.web import problems
from holdback.web.dressing import HTML
from holdback.web.endpoint import Call, Operation, Reply, refusal
from holdback.web.forms import FORM
from holdback.web.pages import tongue, wants_page
from holdback.web.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdback.sealing import Link
    from holdback.service import Service

CALLER: Final = "link"
"""Who asks where no platform key does; no key can be called so, for questions by link carry no idempotency key."""

GONE: Final = 410
_NEWS: Final = str(DeviceMet.__struct_config__.tag)
"""The cause of a notice of a new device, which can be disowned."""
LONGEST: Final = 2_048
"""The longest token that is looked at, in characters."""


class _Reason(msgspec.Struct):
    text: str


class _Said(msgspec.Struct):
    """What the page needs of an answer."""

    decision: str
    reasons: tuple[_Reason, ...]


_SAID: Final = msgspec.json.Decoder(_Said)


def _style_policy() -> bytes:
    """A content security policy that admits this page's own style and its form, and nothing else."""
    style = (resources.files("holdback.web") / "templates" / "style.css").read_text().removesuffix("\n")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ).encode()


CSP: Final = _style_policy()


class FreezePage:
    """Shows and carries out freeze links."""

    def __init__(self, service: Service) -> None:
        """Freeze through this service."""
        self._service = service

    def operations(self) -> dict[str, dict[str, Operation]]:
        """The routes, by path and method."""
        shown = Operation(self.show, dressed=self.troubled)
        return {"/freeze": {"GET": shown, "POST": shown._replace(handle=self.freeze, takes=FORM, bare=True)}}

    def troubled(self, problem: Problem, headers: Mapping[bytes, bytes]) -> Reply:
        """Say what failed in words to a browser; to a program as everywhere."""
        if not wants_page(headers):
            return refusal(problem)
        state = "busy" if problem.kind.status >= problems.INTERNAL.status else "gone"
        reply = _page(Call("", {}, b"", headers, b""), state, problem.kind.status)
        return reply._replace(headers=(*reply.headers, *problem.headers), problem=problem.kind.name)

    async def show(self, call: Call) -> Reply:
        """Say what the link would do. Changes nothing."""
        token = _asked(call)
        link = await self._live(token)
        if link is None:
            return _page(call, "gone", GONE)
        return _page(call, "ask", token=token, device=await self._device(link) is not None)

    async def freeze(self, call: Call) -> Reply:
        """Freeze, as often as the link is pressed; the link itself may be posted to, with nothing in the body."""
        token = _posted(call.body) if call.body else _asked(call)
        link = await self._live(token)
        if link is None:
            return _page(call, "gone", GONE)
        body: dict[str, Any] = {"action": "account.freeze", "actor": {"kind": "link", "token": token}}
        device = await self._device(link)
        if device is not None:
            body["disown"] = device
        try:
            answer = _SAID.decode(await self._service.ask(Question(CALLER, link.account, body)))
        except BadRequest:
            return _page(call, "gone", GONE)
        if answer.decision == "allow":
            return _page(call, "done", decision=answer.decision, device=device is not None)
        reason = answer.reasons[0].text if answer.reasons else ""
        return _page(call, "refused", decision=answer.decision, reason=reason)

    async def _live(self, token: str) -> Link | None:
        """What the token says, while it says it."""
        if not token or len(token) > LONGEST:
            return None
        try:
            link = self._service.tools.masters.read_link(token)
        except LinkInvalid:
            return None
        loaded = await self._service.store.read([Wanted(link.account)])
        live = link.purpose == "freeze" and loaded.now < link.expires_at and link.account in loaded.snapshots
        return link if live else None

    async def _device(self, link: Link) -> str | None:
        """The new device that the notice told of, "" if it had no name; None if it told of something else."""
        seq = link.notice.partition("-")[0]
        if not seq.isdecimal():
            return None
        for entry in await self._service.store.entries(link.account, int(seq) - 1, 1):
            events = decode_events(entry.body)
            told = any(isinstance(one, NoticeDue) and (one.notice, one.cause) == (link.notice, _NEWS) for one in events)
            return next((one.device for one in events if told and isinstance(one, DeviceMet)), None)
        return None


def _asked(call: Call) -> str:
    """The token in the link's query."""
    try:
        return call.parameters("t").get("t", "")
    except Problem:
        return ""


def _posted(body: bytes) -> str:
    try:
        fields = parse_qs(body.decode("ascii"), errors="strict", max_num_fields=4)
    except ValueError:
        return ""
    return fields.get("t", [""])[0]


def _page(call: Call, state: str, status: int = 200, *, decision: str = "", **shown: str | bool) -> Reply:
    body = tongue(call).page("freeze.html", {"state": state, "token": "", "reason": "", "device": False} | shown)
    return Reply(body, status, HTML, decision=decision, csp=CSP)
