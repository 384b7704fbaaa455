"""The API's description is true: whatever is sent by it is answered as it says, and nothing breaks."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig
from starlette.routing import Route, Router
from tests.web.platform_side import FakeClock, Web, service_over, with_alice, with_keys

from holdback.core.decide import PLANNED, RULES
from holdback.core.events import ActorKind
from holdback.intake import PUBLIC, token_hash
from holdback.views import Views
from holdback.web import api, openapi
from holdback.web.endpoint import Endpoint
from holdback.web.problems import KINDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from schemathesis import Case, SerializationContext
    from starlette.types import Receive, Scope, Send

PAGES = ("/center", "/console", "/static/")
"""What people see in browsers, which is no interface of programs."""


@schemathesis.serializer("application/pdf", "message/rfc822")
def paper(_context: SerializationContext, value: Any) -> bytes:  # noqa: ANN401 - whatever was made up
    """A made-up paper as it is sent."""
    return value if isinstance(value, bytes) else str(value).encode()


def test_every_action_is_described() -> None:
    """Every action that can be asked is in the description under its public name, planned ones included."""
    schemas = openapi.description()["components"]["schemas"]

    named = {
        name for schema in schemas.values() for name in schema.get("properties", {}).get("action", {}).get("enum", [])
    }

    assert named == PUBLIC.keys() | PLANNED
    assert schemas["Action"]["discriminator"]["mapping"].keys() == PUBLIC.keys() | PLANNED


def test_what_the_server_makes_is_not_described() -> None:
    """No field that Holdback makes itself is offered to be sent."""
    schemas = openapi.description()["components"]["schemas"]

    assert "secret" not in schemas["AuthenticatorBind"]["properties"]
    assert "kind" in schemas["AuthenticatorBind"]["properties"]


def test_every_route_is_described(empty: Web) -> None:
    """The description has every path and method that the application has for programs, and no other."""
    described = {(path, method.upper()) for path, item in openapi.description()["paths"].items() for method in item}

    served = {
        (endpoint.route, method)
        for route in empty.app.routes
        if isinstance(route, Route) and isinstance(endpoint := route.endpoint, Endpoint)
        for method in endpoint.methods - {"HEAD"}
        if not endpoint.route.startswith(PAGES)
    }
    assert described == served


def test_every_problem_is_described() -> None:
    """Every problem of the table is named at some operation."""
    text = json.dumps(openapi.description())

    assert [kind.name for kind in KINDS if f"`{kind.name}`" not in text and kind.status not in {404, 405}] == []


def test_patterns_are_those_of_json_schema() -> None:
    """No pattern uses Python's own end of text, which JSON Schema does not know."""
    assert r"\Z" not in openapi.document().decode()


async def test_the_description_is_served(empty: Web) -> None:
    """The description can be read without a key, and is the one that was checked."""
    response = await empty.http.get("/openapi.json")

    assert response.json() == json.loads(openapi.document())


class World:
    """One seeded API in schemathesis's own event loop, with a clock that moves on at each call."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.web: Web | None = None
        self._owner_asks = False
        self.router = Router(lifespan=self._lifespan, redirect_slashes=False, default=api.nowhere)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the API does, while somebody sees to it that the owner is signed in."""
        if self.web is not None and self._owner_asks:
            self._owner_asks = False
            self.clock.at += 61_000
            await self._signed_in(self.web)
        await self.router(scope, receive, send)

    @asynccontextmanager
    async def _lifespan(self, _router: object) -> AsyncIterator[None]:
        with TemporaryDirectory() as directory:
            service = service_over(Path(directory) / "holdback.db", self.clock)
            await service.store.migrate()
            self.web = Web(service, self.clock)
            await with_keys(self.web)
            await with_alice(self.web)
            self.router.routes[:] = self.web.app.routes
            yield
            await self.web.http.aclose()
            await service.store.close()

    async def _signed_in(self, web: Web) -> None:
        shown = await Views(web.service).account("alice")
        assert shown is not None
        if token_hash(web.session).hex() not in {one.id for one in shown.sessions}:
            await web.act({"action": "session.end_all"}, web.owner())
            await web.sign_in()

    def steered(self, case: Case[Any]) -> None:
        """Lead well-formed questions to an account that exists, by an owner who can prove it where owners may ask."""
        web: Web | None = self.web
        body: Any = case.body
        assert web is not None
        if case.meta is None or not case.meta.generation.mode.is_positive:
            return
        if "account" in case.path_parameters:
            case.path_parameters["account"] = "alice"
        if isinstance(body, dict) and body.get("action") in OWNERS:
            body |= {"actor": web.owner(), "proofs": web.proofs(), "challenge": None, "dry_run": False}
            self._owner_asks = True
        if "Idempotency-Key" in case.headers:
            case.headers.update(web.fresh())


OWNERS: Final = {name for name, kind in PUBLIC.items() if ActorKind.OWNER in RULES[kind].actors} - {"account.freeze"}
"""Actions that owners may ask, but the one that would stop all others."""

KEYS: Final = {
    "/v1/prices": "feed",
    "/v1/deposits": "feed",
    "/v1/sign-ins": "ask",
    "/v1/accounts/{account}/actions": "ask",
} | {"/v1/accounts/{account}/tickets/{ticket}": "tickets"}


WORLD: Final = World()
REFUSED: Final = [400, 401, 403, 404, 405, 413, 415, 422]
"""What a badly-formed request may be answered with; 410 is for links."""

CONFIG: Final = SchemathesisConfig.from_dict({"checks": {"negative_data_rejection": {"expected-statuses": REFUSED}}})
SCHEMA: Final = schemathesis.openapi.from_asgi("/openapi.json", WORLD, config=CONFIG)

LEFT_OUT: Final = {"positive_data_acceptance", "ignored_auth"}
"""A well-formed question may still be refused, as a price that jumped; who may ask has its own tests."""

CHECKED: Final[list[Any]] = [check for check in CHECKS.get_all() if check.__name__ not in LEFT_OUT]


@SCHEMA.parametrize()
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_description_holds(case: Case[Any]) -> None:
    """Whatever is sent, well-formed or not, is answered with a status and body that the description names."""
    assert WORLD.web is not None
    WORLD.steered(case)
    headers = WORLD.web.key(KEYS.get(case.operation.path, "read"))

    case.call_and_validate(headers=headers, checks=CHECKED)
