"""The demo's own pages: where everything is, what the owner's phone shows, and a theft that a visitor plays.

They know every secret of the demo, so nobody serves them but `holdback demo`, on this machine and to this machine.
"""

from __future__ import annotations

import mimetypes
import re
import threading
import time
from collections.abc import Callable
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self
from urllib.parse import parse_qs

import uvicorn
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from holdback.core.events import Role
from holdback.demo.cast import STEP_S
from holdback.demo.incidents import INCIDENTS
from holdback.demo.processes import HOST, HOSTS, DemoFailed
from holdback.demo.robberies import NobodyLeft
from holdback.exchange.showing import FILES, instant, plain

if TYPE_CHECKING:
    from starlette.requests import Request

    from holdback.demo.cast import Customer
    from holdback.demo.mailbox import Letters
    from holdback.demo.robberies import Play, Robberies

BODY_MAX: Final = 4 * 1024
MEMBER: Final = re.compile(r"staff-[a-z0-9-]{1,40}")
MEMBERS_MOST: Final = 20
ROLES: Final = {
    Role.REVIEWER: "reviews recoveries",
    Role.LEGAL: "handles requests of agencies",
    Role.TREASURER: "gives back what was stolen inside",
    Role.INVESTIGATOR: "follows incidents",
    Role.SUPPORT: "looks up accounts by ticket",
    Role.POLICY: "changes rules and lets others in",
    Role.AUDITOR: "reads everything and changes nothing",
}
"""Each role, and what whoever holds it does."""

LETTERS_SHOWN: Final = 8
START_S: Final = 10.0

HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


class Address(NamedTuple):
    """A place that a visitor may go to: its name, where it is, what it is for, and how to sign in there."""

    name: str
    url: str
    about: str
    signs_in: str


Hire = Callable[[str, str, str], str]
"""Makes a member of an id with a role, by the public half of a passkey; says why not, or nothing."""


class Panel:
    """The pages, over what the demo knows. `player` is the customer whom the visitor plays by hand."""

    def __init__(
        self, places: list[Address], player: Customer, letters: Letters, robberies: Robberies, hire: Hire
    ) -> None:
        """Show these; `hire` lets a visitor in as a member of staff, or says why not."""
        self._places = places
        self._hire = hire
        self._members = 0
        self._player = player
        self._letters = letters
        self._robberies = robberies
        self._pages = Environment(
            loader=PackageLoader("holdback.demo"),
            autoescape=select_autoescape(),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._pages.filters |= {"instant": instant, "plain": plain}

    def app(self) -> Starlette:
        """The application, for any ASGI server."""
        routes = [
            Route("/", self._home),
            Route("/phone", self._phone),
            Route("/staff", self._staff),
            Route("/staff", self._let_in, methods=["POST"]),
            Route("/thief", self._incidents),
            Route("/thief", self._begin, methods=["POST"]),
            Route("/thief/{play}", self._show),
            Route("/thief/{play}", self._go_on, methods=["POST"]),
            *(Route(f"/static/{name}", file) for name, file in ({"shop.css": FILES["shop.css"]} | _files()).items()),
        ]
        return Starlette(routes=routes, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)])

    async def _home(self, _request: Request) -> Response:
        return self._page("home.html", places=[one for one in self._places if one.about], player=self._player)

    async def _phone(self, _request: Request) -> Response:
        now, app = time.time(), self._player.authenticator
        shown: dict[str, Any] = {
            "code": app.code_at(now),
            "following": app.code_at(now + STEP_S),
            "left": STEP_S - int(now) % STEP_S,
            "letters": self._letters.to(self._player.email, self._player.phone)[: -LETTERS_SHOWN - 1 : -1],
        }
        return self._page("phone.html", player=self._player, **shown)

    async def _staff(self, _request: Request) -> Response:
        return self._staff_page()

    async def _let_in(self, request: Request) -> Response:
        given = await _given(request)
        member, role, passkey = (given.get(name, "").strip() for name in ("member", "role", "passkey"))
        if not MEMBER.fullmatch(member) or role not in ROLES or not passkey:
            return self._staff_page("An id begins with staff-, and the text of step 1 belongs in the box.", member)
        if self._members >= MEMBERS_MOST:
            return self._staff_page("The demo takes no more members. Start it anew.", member)
        refused = await run_in_threadpool(self._hire, member, role, passkey)
        self._members += not refused
        return self._staff_page(refused, member, done=not refused)

    def _staff_page(self, refused: str = "", member: str = "staff-you", *, done: bool = False) -> Response:
        console = next(one.url for one in self._places if one.url.endswith("/console"))
        return self._page("staff.html", console=console, roles=ROLES, refused=refused, member=member, done=done)

    async def _incidents(self, _request: Request) -> Response:
        return self._page("incidents.html", incidents=INCIDENTS.values(), left=self._robberies.left)

    async def _begin(self, request: Request) -> Response:
        given = await _given(request)
        try:
            play = self._robberies.begin(given.get("incident", ""))
        except KeyError:
            return self._page("gone.html", 404)
        except NobodyLeft:
            return RedirectResponse("/thief", 303)
        return RedirectResponse(f"/thief/{play.id}", 303)

    async def _show(self, request: Request) -> Response:
        play = self._robberies.named(request.path_params["play"])
        if play is None:
            return self._page("gone.html", 404)
        shown: dict[str, Any] = {
            "letters": play.letters()[:LETTERS_SHOWN],
            "goes_on": "live" in request.query_params,
            "frozen": await run_in_threadpool(play.robbery.is_frozen),
        }
        return self._page("play.html", play=play, **shown)

    async def _go_on(self, request: Request) -> Response:
        play = self._robberies.named(request.path_params["play"])
        given = await _given(request)
        if play is None:
            return self._page("gone.html", 404)
        place = given.get("step", "")
        if place.isdecimal() and len(place) < len(str(BODY_MAX)):
            await run_in_threadpool(_play, play, int(place), to_the_end=given.get("all") == "1")
        more = "?live=1" if given.get("all") == "live" and play.ahead else ""
        return RedirectResponse(f"/thief/{play.id}{more}#now", 303)

    def _page(self, template: str, status: int = 200, **shown: Any) -> Response:  # noqa: ANN401 - what a template wants
        return HTMLResponse(self._pages.get_template(template).render(shown), status, HEADERS)


def _play(play: Play, place: int, *, to_the_end: bool) -> None:
    play.play(place)
    while to_the_end and play.ahead:
        play.play(len(play.happened))


async def _given(request: Request) -> dict[str, str]:
    """A form's fields; nothing of one that another site sends, or that nobody can read."""
    here = f"{request.url.scheme}://{request.url.netloc}"
    if request.headers.get("origin") != here or request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return {}
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > BODY_MAX:
            return {}
    return {name: values[0] for name, values in parse_qs(data.decode("latin-1")).items()}


def _files() -> dict[str, Response]:
    found = {}
    for file in (resources.files("holdback.demo") / "static").iterdir():
        media, _ = mimetypes.guess_type(file.name)
        found[file.name] = Response(file.read_bytes(), media_type=media, headers={"cache-control": "no-cache"})
    return found


class Serving:
    """The panel on a port of this machine, in a thread of this process, while the context lasts."""

    def __init__(self, app: Starlette, port: int) -> None:
        """Prepare to listen."""
        config = uvicorn.Config(app, host=HOST, port=port, log_level="warning", access_log=False, lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, name="panel")

    def __enter__(self) -> Self:
        """Return once it answers. Raises DemoFailed if it does not."""
        self._thread.start()
        pause, deadline = threading.Event(), time.monotonic() + START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                self.__exit__()
                raise DemoFailed("the demo's own pages could not be served")
            pause.wait(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and wait until it has stopped."""
        self._server.should_exit = True
        self._thread.join()
