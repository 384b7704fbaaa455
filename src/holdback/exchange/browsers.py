"""What browsers want besides JSON: pages, a cookie that holds the session, and a no to what other sites send along.

The shop window (`shop`) is this exchange's own. What lies under `/pages/` is the package's (`holdback/client/pages`),
as any platform may take it. The cookie is out of reach of scripts and never sent from another site; what changes
something must come from a page of this origin besides.
"""

from __future__ import annotations

import hashlib
import mimetypes
import secrets
from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING, Final

from starlette.datastructures import MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from holdback.client import Session

FIRST: Final = "/shop"
"""The page that `/` leads to."""

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""No inline script or style, no eval, nobody else's anything. `data:` is for the picture of a QR code."""

HEADERS: Final = {
    "content-security-policy": CSP,
    "permissions-policy": "publickey-credentials-create=(self), publickey-credentials-get=(self)",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""What every answer carries, unless it says otherwise itself."""

DEVICE_S: Final = 400 * 24 * 60 * 60
"""How long a browser is known again: the most that browsers keep a cookie."""

ORIGIN_TEXT: Final = "this must come from a page of this platform"


class Hardened:
    """An application whose every answer carries `HEADERS`. What is no page is never stored."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap this application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in {**HEADERS, "cache-control": "no-store"}.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)


def routes() -> list[Route]:
    """Every file of the page set under `/pages/`, read once, and the way there."""
    found = []
    for file in (resources.files("holdback.client") / "pages").iterdir():
        media, _ = mimetypes.guess_type(file.name)
        found.append(Route(f"/pages/{file.name}", _Page(file.read_bytes(), media or "text/plain")))
    return [Route("/", RedirectResponse(FIRST)), *found]


def seen(request: Request) -> dict[str, str]:
    """Where a request comes from, as this exchange sees it."""
    return {
        "ip": request.client.host if request.client else "",
        "user_agent": request.headers.get("user-agent", ""),
    }


class _Page:
    """One file. A browser asks each time whether it changed, so that a new release is not half of an old one."""

    def __init__(self, body: bytes, media: str) -> None:
        self._body = body
        self._media = media

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = Response(self._body, media_type=self._media, headers={"cache-control": "no-cache"})
        await answer(scope, receive, send)


class Cookie:
    """The cookie that a browser keeps a session in. `origin` is this platform's own, where a proxy stands before it."""

    def __init__(self, origin: str | None = None) -> None:
        """Serve browsers at this origin; None takes what each request says of itself."""
        self._origin = origin

    def origin(self, request: Request) -> str:
        """Where a browser found this platform, such as `https://exchange.example`."""
        return self._origin or f"{request.url.scheme}://{request.url.netloc}"

    def token(self, request: Request) -> str:
        """The session that came in the cookie, or nothing."""
        return request.cookies.get(self._name(request), "")

    def from_here(self, request: Request) -> bool:
        """Whether a page of this origin sends this: a browser tells by two headers that no script can set."""
        site = request.headers.get("sec-fetch-site", "same-origin")
        return site == "same-origin" and request.headers.get("origin") == self.origin(request)

    def keep(self, answer: Response, request: Request, session: Session) -> None:
        """Have the browser keep a session until it ends."""
        age = int((session.expires_at - datetime.now(UTC)).total_seconds())
        self._set(answer, request, session.token, max(age, 0))

    def drop(self, answer: Response, request: Request) -> None:
        """Have the browser forget it."""
        self._set(answer, request, "", 0)

    def _set(self, answer: Response, request: Request, value: str, age: int) -> None:
        secure = self._secure(request)
        answer.set_cookie(
            self._name(request), value, max_age=age, path="/", secure=secure, httponly=True, samesite="strict"
        )

    def _secure(self, request: Request) -> bool:
        return self.origin(request).startswith("https:")

    def _name(self, request: Request) -> str:
        # With this prefix a browser takes the cookie over TLS only, and from no neighbouring host (RFC 6265bis).
        return "__Host-session" if self._secure(request) else "session"


class DeviceCookie:
    """The cookie that a browser is known again by, where it signs with no key of its own. It opens nothing."""

    def __init__(self, session: Cookie) -> None:
        """Serve the same browsers as the session's cookie."""
        self._session = session

    def name(self, request: Request) -> str:
        """What Holdback is told of this browser: a digest, so that nobody can send the cookie itself from there."""
        kept = request.cookies.get(self._cookie(request), "")
        return hashlib.sha256(f"browser {kept}".encode()).hexdigest()[:32] if kept else ""

    def keep(self, answer: Response, request: Request) -> None:
        """Name a browser that has no name yet."""
        if self._cookie(request) in request.cookies:
            return
        secure = self._session.origin(request).startswith("https:")
        name = secrets.token_urlsafe(16)
        answer.set_cookie(
            self._cookie(request), name, max_age=DEVICE_S, path="/", secure=secure, httponly=True, samesite="strict"
        )

    def _cookie(self, request: Request) -> str:
        return "__Host-device" if self._session.origin(request).startswith("https:") else "device"
