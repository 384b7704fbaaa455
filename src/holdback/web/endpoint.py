"""One route: what every request passes on its way to a handler, and every answer on its way out.

An ASGI application a path, without layers in between: the busiest route pays for what it uses. In order: the method,
room for one more, the platform key and its scope, the media type, the body up to its limit, the handler, all within
the deadline; then one line in the log. Neither the line nor a problem holds a query string, a body or a header.

What platforms ask and what people only read is shed: an owner's freeze and the probes of whoever keeps the server
running always have room.
"""

from __future__ import annotations

import asyncio
import traceback
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl

import structlog

from holdback.batching import Overloaded
from holdback.web import problems
from holdback.web.problems import Problem, problem_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.types import Receive, Scope, Send

    from holdback.web.keys import Keys
    from holdback.web.keys import Scope as KeyScope
    from holdback.web.metrics import Metrics

log = structlog.get_logger()

JSON: Final = b"application/json"
MULTIPART: Final = b"multipart/form-data"
"""What browsers send files as; its boundary is for `uploads.py` to read."""
REFUSED: Final = 400
"""Statuses from here on are refusals and failures."""
PLAIN_PAGE: Final = b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

SECURITY: Final = (
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"strict-transport-security", b"max-age=31536000"),
)
"""What every answer carries. The last one counts only where it came over TLS (RFC 6797 section 8.1)."""


class Limits(NamedTuple):
    """What one process takes on before it says no."""

    body_bytes: int = 64 * 1024
    deadline_s: float = 5.0
    under_way: int = 1_000
    overdue_s: int = 300
    """How long a notice may have been due, with nobody taking it, before the process calls itself not ready."""


class Call(NamedTuple):
    """A request as a handler sees it. `caller` is the platform key's id; `query` is read by `parameters`.

    `client` is the address that the connection came from, `route` the template of the path.
    """

    caller: str
    path: Mapping[str, str]
    query: bytes
    headers: Mapping[bytes, bytes]
    body: bytes
    client: str = ""
    route: str = ""

    def parameters(self, *known: str) -> dict[str, str]:
        """The query's parameters. Raises Problem on one that is not known, or given twice."""
        try:
            pairs = parse_qsl(self.query.decode(), keep_blank_values=True, errors="strict", max_num_fields=8)
        except ValueError:
            raise Problem(problems.BAD_REQUEST, "the query cannot be read") from None
        found = dict(pairs)
        if len(found) != len(pairs) or found.keys() - set(known):
            raise Problem(problems.BAD_REQUEST, f"the query takes each of {', '.join(known) or 'nothing'} once")
        return found


class Reply(NamedTuple):
    """An answer. `decision` and `problem` are for the log; `csp` is the content security policy of a page."""

    body: bytes
    status: int = 200
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()
    decision: str = ""
    problem: str = ""
    csp: bytes = PLAIN_PAGE


class Operation(NamedTuple):
    """What a path does for one method: who may ask (None = anyone), and the media type of its body (empty = none).

    `bare`: a request with neither a media type nor a body is taken, too. `most` and `deadline_s` are its own limits
    where they are not 0. Of requests that find no place in `slots` none of the body is read. A page says in words that
    people read, by `dressed`, what failed; it is given the request's headers.
    """

    handle: Callable[[Call], Awaitable[Reply]]
    scope: KeyScope | None = None
    takes: bytes = b""
    bare: bool = False
    most: int = 0
    deadline_s: float = 0.0
    slots: asyncio.Semaphore | None = None
    dressed: Callable[[Problem, Mapping[bytes, bytes]], Reply] | None = None


class Frame:
    """What all routes of an application share; `under_way` counts what is being answered."""

    def __init__(self, keys: Keys, metrics: Metrics, limits: Limits) -> None:
        """Start with nothing under way."""
        self.keys = keys
        self.metrics = metrics
        self.limits = limits
        self.under_way = 0
        metrics.under_way.set_function(lambda: self.under_way)


class Disconnected(Exception):
    """Whoever asked is gone; there is nobody to answer."""


class Endpoint:
    """An ASGI application for one path: `route` is its template, `operations` what it does by method."""

    def __init__(self, route: str, operations: Mapping[str, Operation], frame: Frame) -> None:
        """Answer HEAD wherever GET is answered."""
        self.route = route
        self._operations = dict(operations)
        if "GET" in operations:
            self._operations["HEAD"] = operations["GET"]
        self._frame = frame

    @property
    def methods(self) -> frozenset[str]:
        """What this path knows."""
        return frozenset(self._operations)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = perf_counter()
        self._frame.under_way += 1
        try:
            async with asyncio.timeout(self._deadline_s(scope["method"])):
                reply = await self._reply(scope, receive)
        except Disconnected:
            return
        except Exception as error:  # noqa: BLE001 - whatever it was, whoever asked gets an answer of the one shape
            reply = self._problem(error, scope)
        finally:
            self._frame.under_way -= 1
        method = scope["method"] if scope["method"] in self._operations else "other"
        self._frame.metrics.answered(self.route, reply.status, perf_counter() - started)
        written(method, self.route, reply, started)
        await sent(reply, send)

    def _deadline_s(self, method: str) -> float:
        operation = self._operations.get(method)
        return (operation.deadline_s if operation else 0.0) or self._frame.limits.deadline_s

    async def _reply(self, scope: Scope, receive: Receive) -> Reply:
        operation = self._operations.get(scope["method"])
        if operation is None:
            allowed = ", ".join(sorted(self._operations)).encode()
            raise Problem(problems.METHOD, headers=((b"allow", allowed),))
        caller = ""
        headers = dict(scope["headers"])
        if operation.scope is not None:
            if self._frame.under_way > self._frame.limits.under_way:
                raise Overloaded
            caller = await self._frame.keys.holder(headers.get(b"authorization"), operation.scope)
        if operation.slots is None:
            return await self._handled(operation, caller, headers, scope, receive)
        if operation.slots.locked():
            raise Overloaded
        async with operation.slots:
            return await self._handled(operation, caller, headers, scope, receive)

    async def _handled(
        self, operation: Operation, caller: str, headers: Mapping[bytes, bytes], scope: Scope, receive: Receive
    ) -> Reply:
        body = b""
        if operation.takes:
            typed = headers.get(b"content-type", b"")
            if typed or not operation.bare:
                _check_media_type(typed, operation.takes)
            most = operation.most or self._frame.limits.body_bytes
            body = await _body(headers.get(b"content-length", b""), receive, most)
            if body and not typed:
                _check_media_type(typed, operation.takes)
        client = (scope.get("client") or ("",))[0]
        return await operation.handle(
            Call(caller, scope["path_params"], scope["query_string"], headers, body, client, self.route)
        )

    def _problem(self, error: Exception, scope: Scope) -> Reply:
        problem = problem_of(error)
        if problem.kind is problems.INTERNAL or problem.kind is problems.TAMPERED:
            # Neither the message nor locals: both may hold what a customer sent.
            frames = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-5:]]
            log.error("http.failed", route=self.route, error=type(error).__name__, frames=frames)
        operation = self._operations.get(scope["method"]) or next(iter(self._operations.values()))
        if operation.dressed is None:
            return refusal(problem)
        return operation.dressed(problem, dict(scope["headers"]))


def refusal(problem: Problem) -> Reply:
    """A problem as an answer."""
    return Reply(problem.body(), problem.kind.status, problems.CONTENT_TYPE, problem.headers, problem=problem.kind.name)


def written(method: str, route: str, reply: Reply, started: float) -> None:
    """One line in the log, without anything that a caller chose but the method and the route.

    What went well is for `debug`: the decisions themselves are kept for good, and a line each costs more than judging.
    """
    tell = log.debug if reply.status < REFUSED else log.info
    tell(
        "http",
        method=method,
        route=route,
        status=reply.status,
        ms=round((perf_counter() - started) * 1000, 2),
        decision=reply.decision,
        problem=reply.problem,
    )


def _check_media_type(given: bytes, wanted: bytes) -> None:
    if given == wanted:
        return
    kind, _, parameters = given.partition(b";")
    charset = parameters.strip().lower().replace(b'"', b"") if wanted != MULTIPART else b""
    if kind.strip().lower() != wanted or charset not in {b"", b"charset=utf-8"}:
        raise Problem(problems.MEDIA_TYPE, f"the body must be {wanted.decode()}, in UTF-8")


async def _body(stated: bytes, receive: Receive, most: int) -> bytes:
    """The whole body. Raises Problem as soon as it is known to be too large."""
    if stated.isdigit() and int(stated[:20]) > most:
        raise Problem(problems.TOO_LARGE, f"a body holds at most {most} bytes")
    chunks: list[bytes] = []
    size = 0
    while True:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > most:
            raise Problem(problems.TOO_LARGE, f"a body holds at most {most} bytes")
        chunks.append(chunk)
        if not message.get("more_body"):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def sent(reply: Reply, send: Send) -> None:
    """Send an answer with the headers that all answers carry."""
    own = {name for name, _ in reply.headers}
    headers = [
        (b"content-type", reply.content_type),
        (b"content-length", b"%d" % len(reply.body)),
        (b"content-security-policy", reply.csp),
        *(one for one in SECURITY if one[0] not in own),
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
