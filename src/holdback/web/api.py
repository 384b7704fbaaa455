"""What a platform asks and reads over HTTP (design section 5), as one ASGI application.

A body is one JSON object in UTF-8. Of a member that occurs twice the last counts, as in most parsers; a receipt names
the action as it was understood, so a signer that read it otherwise refuses. Where a number means money it is a string.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import structlog
from starlette.routing import Route, Router
from starlette.websockets import WebSocketClose

from holdback.core.events import DAY, StreamKind
from holdback.core.rules.staff import TicketClose, TicketOpen
from holdback.facing import FaceDesk
from holdback.intake import ACCOUNT_ID, BadRequest
from holdback.ports import NewerDatabase, StoreUnavailable, Wanted
from holdback.service import Question
from holdback.views import LARGEST, Views
from holdback.web import deposits, dressing, face, freeze, openapi, pairs, papers, prices, problems, queues
from holdback.web.bodies import json_object, read_sign_in
from holdback.web.center.pages import Center
from holdback.web.console.pages import Console
from holdback.web.endpoint import JSON, Call, Endpoint, Frame, Limits, Operation, Reply, refusal, sent, written
from holdback.web.keys import Keys, Scope
from holdback.web.metrics import Metrics
from holdback.web.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Receive, Send
    from starlette.types import Scope as AsgiScope

    from holdback.core.events import Instant
    from holdback.ports import Loaded
    from holdback.service import Service

log = structlog.get_logger()

PAGE: Final = 50
"""Items of a page, unless `limit` says otherwise."""

ACTIONS: Final = "/v1/accounts/{account}/actions"

_KEY: Final = re.compile(rb"[!-~]{1,128}")
_TICKET: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CURSOR: Final = re.compile(r"[0-9]{1,15}")
_TEXT: Final = b"text/plain; version=0.0.4; charset=utf-8"


class Telling(Enum):
    """Whether this server tells owners of what happens to them."""

    DOES = auto()
    CANNOT = auto()
    """It has no channel, and nobody said that this is meant so: no wait would ever start."""
    OTHERS_DO = auto()
    """It has none, and is meant to have none: late notices are not its failure."""


class People(NamedTuple):
    """The origins at which people reach pages: customers the Security Center, the staff the console; "" for none."""

    center: str = ""
    console: str = ""


class _Reason(msgspec.Struct):
    code: str


class _Said(msgspec.Struct):
    """What of an answer is counted and logged."""

    decision: str
    reasons: tuple[_Reason, ...]


_SAID: Final = msgspec.json.Decoder(_Said)


class Platform:
    """The handlers, over one service."""

    def __init__(self, service: Service, metrics: Metrics, limits: Limits, telling: Telling) -> None:
        """Ask and read through this service."""
        self._service = service
        self._views = Views(service)
        self._metrics = metrics
        self._limits = limits
        self._telling = telling
        self._description = openapi.document()
        self._jwks = msgspec.json.encode(service.tools.receipts.jwks())

    async def act(self, call: Call) -> Reply:
        """Decide an action."""
        account = _account(call)
        body = json_object(call.body)
        key = _idempotency_key(call, dry_run=body.get("dry_run") is True)
        answer = await self._service.ask(Question(call.caller, account, body, key, call.body))
        return self._answer(str(body["action"]), answer)

    async def lease(self, call: Call) -> Reply:
        """Grant a lease of what orders may give away."""
        body = json_object(call.body)
        if "action" in body or body.get("dry_run") is True:
            raise BadRequest("a lease is all that is asked for here, and never dry", "/action")
        call.parameters()
        asked = body | {"action": "order.lease"}
        question = Question(call.caller, _account(call), asked, "", call.body, lease=True)
        return self._answer("order.lease", await self._service.ask(question))

    async def sign_in(self, call: Call) -> Reply:
        """Decide a sign-in by name."""
        body = json_object(call.body)
        asked = read_sign_in(body)
        key = _idempotency_key(call, dry_run=asked.dry_run)
        rest = {name: value for name, value in body.items() if name != "name"}
        answer = await self._service.sign_in(call.caller, asked.name, rest, key, call.body)
        return self._answer("session.start", answer)

    def _answer(self, action: str, answer: bytes) -> Reply:
        said = _SAID.decode(answer)
        self._metrics.decided(action, said.decision, said.reasons[0].code if said.reasons else "")
        return Reply(answer, decision=said.decision)

    async def account(self, call: Call) -> Reply:
        """How an account stands."""
        call.parameters()
        return _found(await self._views.account(_account(call)))

    async def events(self, call: Call) -> Reply:
        """What happened to an account."""
        return _found(await self._views.events(_account(call), *_page(call)))

    async def holds(self, call: Call) -> Reply:
        """What waits on an account."""
        return _found(await self._views.holds(_account(call), *_page(call)))

    async def put_prices(self, call: Call) -> Reply:
        """Keep a table of prices."""
        signals = self._service.tools.policy.signals
        await prices.keep(self._service.store, prices.read_table(call.body), signals)
        return Reply(b"", 204)

    async def put_pairs(self, call: Call) -> Reply:
        """Keep a table of pairs' references."""
        signals = self._service.tools.policy.signals
        await pairs.keep(self._service.store, pairs.read_table(call.body), signals)
        return Reply(b"", 204)

    async def put_deposits(self, call: Call) -> Reply:
        """Keep where deposits came from."""
        table = deposits.read_table(call.body)
        now = (await self._service.store.read([Wanted("")])).now
        await deposits.keep(self._service, table, now)
        return Reply(b"", 204)

    async def open_ticket(self, call: Call) -> Reply:
        """Let staff read a customer for a ticket of the help desk."""
        return await self._ticket(call, TicketOpen)

    async def close_ticket(self, call: Call) -> Reply:
        """Let nobody read for it any more."""
        return await self._ticket(call, TicketClose)

    async def _ticket(self, call: Call, said: type[TicketOpen | TicketClose]) -> Reply:
        call.parameters()
        account, ticket = _account(call).partition(".")[0], call.path["ticket"]
        if not _TICKET.fullmatch(ticket):
            raise Problem(problems.BAD_REQUEST, "a ticket's name is 1 to 64 letters, digits, dots, hyphens and lines")
        loaded = await self._service.store.read([Wanted(account)])
        row = loaded.snapshots.get(account)
        head = self._service.tools.snapshots.head(row) if row is not None else None
        if head is None or head.stream is not StreamKind.CUSTOMER:
            raise Problem(problems.UNKNOWN_ACCOUNT)
        until = head.tickets.get(ticket, 0)
        fresh = loaded.now + (self._service.tools.policy.staff.ticket_d - 1) * DAY
        if until < fresh if said is TicketOpen else until > 0:  # else it is so already, and each line costs the log one
            answer = await self._service.record(account, said(ticket))
            if _SAID.decode(answer).decision != "allow":
                raise Problem(problems.NOT_READY, "nothing can be loosened now")
        return Reply(b"", 204)

    async def describe(self, _call: Call) -> Reply:
        """This API's description."""
        return Reply(self._description)

    async def jwks(self, _call: Call) -> Reply:
        """The keys that receipts are verified with."""
        return Reply(self._jwks)

    async def alive(self, _call: Call) -> Reply:
        """The process answers; says nothing of the store."""
        return Reply(b'{"status":"alive"}')

    async def ready(self, _call: Call) -> Reply:
        """Whether a decision could be made durable now, and somebody sends notices. Only the log is told why not."""
        try:
            await self._service.store.ready()
        except (StoreUnavailable, NewerDatabase) as error:
            log.warning("store.not_ready", why=str(error))
            raise
        if self._telling is Telling.CANNOT:
            log.error("notices.not_ready", why="no channel is set up, and HOLDBACK_CHANNELS does not say `none`")
            raise Problem(problems.NOT_READY, "no owner can be told of anything")
        _, overdue_s = await self._backlog()
        if overdue_s > self._limits.overdue_s and self._telling is Telling.DOES:
            raise Problem(problems.NOT_READY, f"the oldest due notice has waited for {overdue_s:.0f} s")
        # Neither a tripped breaker nor one that nobody watches is a reason to send requests elsewhere: every server
        # holds the same, by what the store says.
        loaded = await self._service.store.read([])
        age_s = _look_age_s(loaded)
        unwatched = age_s > self._service.tools.policy.breaker.look_age_s
        stands = "tripped" if loaded.tripped_at else "unwatched" if unwatched else "closed"
        since = {"unwatched_s": round(age_s) if loaded.looked_at else None} if unwatched else {}
        return Reply(msgspec.json.encode({"status": "ready", "breaker": stands, **since}))

    async def metrics(self, _call: Call) -> Reply:
        """What an operator watches."""
        store = self._service.store
        notices, webhooks = await self._backlog(), await self._overdue(await store.webhook_backlog())
        looked_s = _look_age_s(await store.read([]))
        return Reply(self._metrics.text(notices, webhooks, looked_s), content_type=_TEXT)

    async def _backlog(self) -> tuple[int, float]:
        return await self._overdue(await self._service.store.backlog())

    async def _overdue(self, backlog: tuple[int, Instant]) -> tuple[int, float]:
        waiting, since = backlog
        now = (await self._service.store.read([Wanted("")])).now
        return waiting, max(0, now - since) / 1000 if since else 0.0


def _look_age_s(loaded: Loaded) -> float:
    """How long ago anybody last added up what leaves; without end if nobody ever did. Clocks may have gone back."""
    return abs(loaded.now - loaded.looked_at) / 1000 if loaded.looked_at else inf


def _account(call: Call) -> str:
    account = call.path["account"]
    if not ACCOUNT_ID.fullmatch(account):
        raise Problem(problems.UNKNOWN_ACCOUNT)
    return account


def _idempotency_key(call: Call, *, dry_run: bool) -> str:
    """The key to store the answer under. A dry run stores nothing and needs none; a wrong one is refused anyway."""
    key = call.headers.get(b"idempotency-key")
    if dry_run and key is None:
        return ""
    if key is None or not _KEY.fullmatch(key):
        raise Problem(problems.IDEMPOTENCY_KEY)
    return "" if dry_run else key.decode()


def _page(call: Call) -> tuple[int, int]:
    """The cursor and limit of a page."""
    given = call.parameters("cursor", "limit")
    cursor, limit = given.get("cursor", "0"), given.get("limit", str(PAGE))
    if not _CURSOR.fullmatch(cursor):
        raise BadRequest("`cursor` must be what `next` was on the page before")
    if not _CURSOR.fullmatch(limit) or not 1 <= int(limit) <= LARGEST:
        raise BadRequest(f"`limit` must be from 1 to {LARGEST}")
    return int(cursor), int(limit)


def _found(form: msgspec.Struct | None) -> Reply:
    if form is None:
        raise Problem(problems.UNKNOWN_ACCOUNT)
    return Reply(msgspec.json.encode(form))


async def nowhere(scope: AsgiScope, _receive: Receive, send: Send) -> None:
    """Answer what no route is for."""
    if scope["type"] == "websocket":
        await WebSocketClose()(scope, _receive, send)
        return
    started = perf_counter()
    reply = refusal(Problem(problems.UNKNOWN_ROUTE))
    written("other", "unknown", reply, started)
    await sent(reply, send)


def routes(  # noqa: PLR0913, PLR0917 - what a server is made of
    service: Service,
    limits: Limits | None = None,
    clock: Callable[[], float] | None = None,
    telling: Telling = Telling.DOES,
    attends: Callable[[Call], Awaitable[queues.Reader]] | None = None,
    people: People = People(),  # noqa: B008 - it never changes
) -> list[Route]:
    """Every route, the busiest first. `clock` counts the seconds that platform keys are kept for.

    `attends` replaces how a member of staff who reads is known. `people` says where there are pages for them.
    """
    limits = limits or Limits()
    metrics = Metrics(service)
    keys = Keys(service.store, clock) if clock else Keys(service.store)
    frame = Frame(keys, metrics, limits)
    platform = Platform(service, metrics, limits, telling)
    table: dict[str, dict[str, Operation]] = {
        ACTIONS: {"POST": Operation(platform.act, Scope.ASK, JSON)},
        "/v1/accounts/{account}/leases": {"POST": Operation(platform.lease, Scope.ASK, JSON)},
        "/v1/sign-ins": {"POST": Operation(platform.sign_in, Scope.ASK, JSON)},
        "/v1/accounts/{account}": {"GET": Operation(platform.account, Scope.READ)},
        "/v1/accounts/{account}/events": {"GET": Operation(platform.events, Scope.READ)},
        "/v1/accounts/{account}/holds": {"GET": Operation(platform.holds, Scope.READ)},
        "/v1/accounts/{account}/tickets/{ticket}": {
            "PUT": Operation(platform.open_ticket, Scope.TICKETS),
            "DELETE": Operation(platform.close_ticket, Scope.TICKETS),
        },
        **papers.PaperDesk(service).operations(),
        **queues.Queues(service, attends).operations(),
        "/v1/prices": {"PUT": Operation(platform.put_prices, Scope.FEED, JSON)},
        "/v1/pairs": {"PUT": Operation(platform.put_pairs, Scope.FEED, JSON)},
        "/v1/deposits": {"PUT": Operation(platform.put_deposits, Scope.FEED, JSON)},
        "/openapi.json": {"GET": Operation(platform.describe)},
        "/.well-known/jwks.json": {"GET": Operation(platform.jwks)},
        "/healthz": {"GET": Operation(platform.alive)},
        "/readyz": {"GET": Operation(platform.ready)},
        "/metrics": {"GET": Operation(platform.metrics)},
        **_people(service, people),
    }
    return [Route(path, Endpoint(path, operations, frame)) for path, operations in table.items()]


def _people(service: Service, people: People) -> dict[str, dict[str, Operation]]:
    """Pages for people: of links in mails and recoveries everywhere, all others where an origin for them is set."""
    checks = service.tools.faces
    by_link: dict[str, dict[str, Operation]] = {
        **freeze.FreezePage(service).operations(),
        **face.FacePage(service, FaceDesk(service, checks) if checks is not None else None).operations(),
    }
    center = Center(service, people.center).operations() if people.center else {}
    console = Console(service, people.console).operations() if people.console else {}
    files = dressing.operations() if any(people) else {}
    return by_link | center | console | files


def application(  # noqa: PLR0913, PLR0917 - as `routes`
    service: Service,
    limits: Limits | None = None,
    clock: Callable[[], float] | None = None,
    telling: Telling = Telling.DOES,
    attends: Callable[[Call], Awaitable[queues.Reader]] | None = None,
    people: People = People(),  # noqa: B008 - it never changes
) -> Router:
    """The whole API over one service, as an ASGI application.

    Example: `uvicorn.run(application(service), access_log=False)`; `serving.serve` does more.
    """
    return Router(routes(service, limits, clock, telling, attends, people), redirect_slashes=False, default=nowhere)
