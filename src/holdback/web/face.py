"""The page of a face check, and the steps behind it. Anybody may open it; only a recovery's own token does anything.

The token comes in a form's body and goes back in bodies, never in an address. The page loads nothing but itself: its
style and its script stand in it and are named by their digests, and it may speak to this server alone.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import parse_qs

import msgspec

from holdback.facing import NoSuchCase, TooManyChecks
from holdback.intake import BadRequest, bad_request
from holdback.ports import FaceGiven, FaceRefused, FaceUnavailable
from holdback.web import problems
from holdback.web.bodies import json_object
from holdback.web.dressing import HTML
from holdback.web.endpoint import JSON, Call, Operation, Reply, refusal
from holdback.web.forms import FORM
from holdback.web.pages import tongue, wants_page
from holdback.web.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdback.facing import FaceDesk, Shown
    from holdback.service import Service

FILM: Final = b"application/octet-stream"
FILM_BYTES: Final = 4 * 1024 * 1024
HEAD_BYTES: Final = 16 * 1024
AT_ONCE: Final = 4
"""Films that a process takes in at a time."""
DEADLINE_S: Final = 45.0
FIELD_MOST: Final = 128
_LENGTH: Final = 4

Text = Annotated[str, msgspec.Meta(max_length=2048)]
Times = Annotated[tuple[Annotated[int, msgspec.Meta(ge=0, le=10**7)], ...], msgspec.Meta(max_length=256)]
Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class FaceStepForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One step of a face check. Without a `ticket` it is the first one.

    `shown_ms` is when the page showed the colour it was told, `times_ms` when it took its pictures, both since the
    first colour; `digests` are the pictures' SHA-256 in hexadecimal. `gentle`: for eyes that quick changes hurt.
    """

    account: Annotated[str, msgspec.Meta(max_length=129)]
    token: Annotated[str, msgspec.Meta(max_length=128)]
    ticket: Text = ""
    gentle: bool = False
    shown_ms: Times = ()
    times_ms: Times = ()
    digests: Annotated[tuple[Digest, ...], msgspec.Meta(max_length=8)] = ()


class FaceShownForm(msgspec.Struct, frozen=True):
    """What is wanted of the page: `digests`, `pictures`, `vendor`, `patience` or `nothing`; with the next `ticket`.

    `told` has what goes with it: the colour and how long it stands, or the verdict.
    """

    wanted: str
    ticket: str
    told: dict[str, Any]


def _policy() -> bytes:
    """A content security policy that admits this page's own style and script, its form, and this server."""
    here = resources.files("holdback.web") / "templates"
    texts = [(here / name).read_text().removesuffix("\n") for name in ("face.css", "face.js")]
    digests = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in texts]
    return (
        f"default-src 'none'; style-src 'sha256-{digests[0]}'; script-src 'sha256-{digests[1]}'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ).encode()


CSP: Final = _policy()


class FacePage:
    """The handlers, over one service. `desk` is None where no face check is set up."""

    def __init__(self, service: Service, desk: FaceDesk | None) -> None:
        """Check by this desk."""
        self._service, self._desk = service, desk
        self._slots = asyncio.Semaphore(AT_ONCE)

    def operations(self) -> dict[str, dict[str, Operation]]:
        """The routes, by path and method."""
        film = Operation(self.film, takes=FILM, most=FILM_BYTES, deadline_s=DEADLINE_S, slots=self._slots)
        return {
            "/face": {
                "GET": Operation(self.ask, dressed=self.troubled),
                "POST": Operation(self.show, takes=FORM, dressed=self.troubled),
            },
            "/face/steps": {"POST": Operation(self.step, takes=JSON, deadline_s=DEADLINE_S)},
            "/face/pictures": {"POST": film},
            "/face/webhook": {"POST": Operation(self.hear, takes=JSON)},
        }

    def troubled(self, problem: Problem, headers: Mapping[bytes, bytes]) -> Reply:
        """Ask again, and say in words what failed, to a browser; to a program as everywhere."""
        if not wants_page(headers):
            return refusal(problem)
        state = "busy" if problem.kind.status >= problems.INTERNAL.status else "unread"
        reply = _page(Call("", {}, b"", headers, b""), state)
        found = (*reply.headers, *problem.headers)
        return reply._replace(status=problem.kind.status, headers=found, problem=problem.kind.name)

    async def ask(self, call: Call) -> Reply:
        """Ask for account and token: platforms that hand them over post to this page."""
        call.parameters()
        return _page(call, "ask")

    async def show(self, call: Call) -> Reply:
        """The page of the check itself."""
        try:
            fields = parse_qs(call.body.decode("ascii"), errors="strict", max_num_fields=4)
        except ValueError:
            fields = {}
        account, token = (fields.get(name, [""])[0].strip() for name in ("account", "token"))
        for name, given in (("account", account), ("token", token)):
            if not 0 < len(given) <= FIELD_MOST:
                raise BadRequest(f"must have 1 to {FIELD_MOST} characters", f"/{name}")
        return _page(call, "check", account=account, token=token)

    async def step(self, call: Call) -> Reply:
        """Begin a check, or go one step further."""
        asked = _form(json_object(call.body))
        digests = tuple(bytes.fromhex(one) for one in asked.digests)
        return await self._answer(asked, FaceGiven(asked.shown_ms, asked.times_ms, digests))

    async def film(self, call: Call) -> Reply:
        """The pictures themselves: a step as JSON, then each picture, each behind its length in four bytes."""
        pieces = _pieces(call.body)
        if not pieces or len(pieces[0]) > HEAD_BYTES:
            raise BadRequest("the body must be a step as JSON and pictures, each behind its length in four bytes")
        asked = _form(json_object(pieces[0]))
        return await self._answer(asked, FaceGiven(asked.shown_ms, asked.times_ms, (), tuple(pieces[1:])))

    async def hear(self, call: Call) -> Reply:
        """A vendor's message, looked at before anything is read for it. Who sends another is told nothing of why."""
        if self._desk is None:
            raise Problem(problems.NO_FACE_CHECK)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in call.headers.items()}
        if not self._desk.hear(headers, call.body):
            raise Problem(problems.UNAUTHENTICATED, "the message is not signed as agreed")
        return Reply(b"", 204)

    async def _answer(self, asked: FaceStepForm, given: FaceGiven) -> Reply:
        if self._desk is None:
            raise Problem(problems.NO_FACE_CHECK)
        try:
            if asked.ticket:
                shown = await self._desk.go_on(asked.account, asked.token, asked.ticket, given)
            else:
                shown = await self._desk.begin(asked.account, asked.token, gentle=asked.gentle)
        except NoSuchCase:
            raise Problem(problems.UNKNOWN_RECOVERY) from None
        except TooManyChecks:
            raise Problem(problems.CHECKED_OUT) from None
        except FaceRefused as refused:
            raise Problem(problems.CHECK_REFUSED, str(refused)) from None
        except FaceUnavailable:
            raise Problem(problems.OVERLOADED, headers=problems.retry_after(5)) from None
        return Reply(msgspec.json.encode(_told(shown)))


def _told(shown: Shown) -> FaceShownForm:
    told = dict(shown.told)
    return FaceShownForm(str(told.pop("wanted")), shown.ticket, told)


def _form(body: dict[str, Any]) -> FaceStepForm:
    try:
        return msgspec.convert(body, FaceStepForm)
    except msgspec.ValidationError as error:
        raise bad_request(str(error)) from None


PIECES_MOST: Final = 512
"""More pictures than any check takes; a body of a million pieces would hold up everybody."""


def _pieces(body: bytes) -> list[bytes]:
    """What stands in a body behind its length each; nothing if it does not add up."""
    found: list[bytes] = []
    place = 0
    while place < len(body):
        end = place + _LENGTH + int.from_bytes(body[place : place + _LENGTH])
        if end > len(body) or end == place + _LENGTH or len(found) > PIECES_MOST:
            return []
        found.append(body[place + _LENGTH : end])
        place = end
    return found


def _page(call: Call, state: str, **shown: str) -> Reply:
    body = tongue(call).page("face.html", {"state": state, "account": "", "token": ""} | shown)
    return Reply(body, 200, HTML, csp=CSP)
