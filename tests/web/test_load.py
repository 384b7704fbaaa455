"""More than can be answered in time is said so at once; what fails inside says nothing of itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from structlog.testing import capture_logs
from tests.web.platform_side import PLATFORM, Web, is_problem

from holdback.batching import Overloaded
from holdback.breaker_watch import BreakerWatch
from holdback.core.events import MINUTE
from holdback.ports import NewerDatabase, StoreUnavailable
from holdback.snapshots import NewerState, Tampered
from holdback.web import api, problems
from holdback.web.endpoint import Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from holdback.web.problems import Kind

ACTIONS: Final = "/v1/accounts/alice/actions"
FREEZE: Final = {"action": "account.freeze", "actor": PLATFORM}


def limited(web: Web, limits: Limits) -> Web:
    """The same service behind other limits."""
    other = Web(web.service, web.clock, limits)
    other.keys = web.keys
    return other


class Stuck:
    """Stands in for a service that never answers."""

    def __init__(self, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()
        monkeypatch.setattr(web.service, "ask", self.ask)

    async def ask(self, _question: object) -> bytes:
        """Wait until somebody says so."""
        self.asked.set()
        await self.go_on.wait()
        return b'{"decision":"allow","reasons":[]}'


async def test_too_many_at_once_are_shed(empty: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """While as many requests as there is room for are under way, the next is told at once when to come back."""
    web = limited(empty, Limits(under_way=1))
    stuck = Stuck(web, monkeypatch)
    first = asyncio.create_task(web.post(ACTIONS, FREEZE))
    await stuck.asked.wait()

    second = await web.post(ACTIONS, FREEZE)
    alive = await web.http.get("/healthz")
    page = await web.http.get("/freeze")
    stuck.go_on.set()

    assert is_problem(second, problems.OVERLOADED)
    assert int(second.headers["retry-after"]) >= 1
    assert (alive.status_code, page.status_code) == (200, 410)
    assert (await first).status_code == 200
    assert (await web.post(ACTIONS, FREEZE)).status_code == 200


async def test_an_answer_comes_within_the_deadline_or_not_at_all(empty: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that takes longer than the deadline is answered with a problem that may be tried again."""
    web = limited(empty, Limits(deadline_s=0.01))
    Stuck(web, monkeypatch)

    response = await web.post(ACTIONS, FREEZE)

    assert is_problem(response, problems.DEADLINE)
    assert response.headers["retry-after"]


async def test_a_body_that_never_comes_meets_the_deadline(empty: Web) -> None:
    """Whoever sends a body slowly holds a place no longer than the deadline."""
    web = limited(empty, Limits(deadline_s=0.01))

    async def dripping() -> AsyncIterator[bytes]:
        yield b'{"action":'
        await asyncio.Event().wait()

    headers = {"Content-Type": "application/json"} | web.fresh() | web.key("ask")
    response = await web.http.post(ACTIONS, content=dripping(), headers=headers)

    assert is_problem(response, problems.DEADLINE)


FAILURES: Final = {
    "overloaded": (Overloaded(), problems.OVERLOADED),
    "store unavailable": (StoreUnavailable("disk i/o error at /var/lib/secret.db"), problems.UNAVAILABLE),
    "rows altered": (Tampered("alice"), problems.TAMPERED),
    "newer state": (NewerState("alice"), problems.OUTDATED),
    "newer database": (NewerDatabase("v9"), problems.OUTDATED),
    "a bug": (KeyError("alice@example.com has password hunter2"), problems.INTERNAL),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_each_failure_has_its_problem(empty: Web, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What fails inside becomes a problem of the table that names nothing of it, in the answer or in the log."""
    error, kind = FAILURES[name]

    async def fail(_question: object) -> bytes:
        raise error

    monkeypatch.setattr(empty.service, "ask", fail)

    with capture_logs() as lines:
        response = await empty.post(ACTIONS, FREEZE)

    assert is_problem(response, kind)
    assert ("retry-after" in response.headers) == kind.retryable
    told = response.text + str(lines)
    assert not [secret for secret in ("alice", "hunter2", "secret.db") if secret in told]


async def test_a_row_edited_by_hand_is_noticed(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account whose stored state does not carry its MAC is neither shown nor decided on."""
    monkeypatch.setattr(web.service.tools.masters, "check_snapshot", lambda *_: False)

    shown = await web.get("/v1/accounts/alice")
    decided = await web.post(ACTIONS, FREEZE)

    assert is_problem(shown, problems.TAMPERED)
    assert is_problem(decided, problems.TAMPERED)


async def test_nobody_is_answered_who_is_gone(empty: Web) -> None:
    """A request whose sender disconnects before its body is complete is dropped without an answer."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:  # noqa: ANN401 - an ASGI message
        sent.append(message)

    key = empty.key("ask")["Authorization"].encode()
    headers = [(b"authorization", key), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": ACTIONS, "headers": headers, "query_string": b""}
    await empty.app(scope, receive, send)

    assert sent == []


async def test_a_websocket_is_closed(empty: Web) -> None:
    """There is nothing here for a WebSocket."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:  # noqa: ANN401 - an ASGI message
        sent.append(message)

    await empty.app({"type": "websocket", "path": "/", "headers": []}, receive, send)

    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_the_process_is_alive_whatever_the_store_does(empty: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """The liveness probe says nothing of the store; the readiness probe does."""

    async def down() -> None:
        raise StoreUnavailable("no such host")

    monkeypatch.setattr(empty.service.store, "ready", down)

    assert (await empty.http.get("/healthz")).status_code == 200
    with capture_logs() as lines:
        assert is_problem(await empty.http.get("/readyz"), problems.UNAVAILABLE)
    assert lines[0]["why"] == "no such host"


async def test_a_server_is_ready_while_notices_go_out(empty: Web) -> None:
    """The readiness probe fails once a due notice has waited for too long, for waits run only once owners were told."""
    assert (await empty.http.get("/readyz")).status_code == 200
    await empty.enrol()
    empty.clock.at += 5 * MINUTE
    assert (await empty.http.get("/readyz")).status_code == 200

    empty.clock.at += MINUTE
    assert is_problem(await empty.http.get("/readyz"), problems.NOT_READY)
    silent = api.application(empty.service, telling=api.Telling.OTHERS_DO)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(silent), base_url="http://silent") as http:
        assert (await http.get("/readyz")).status_code == 200

    await empty.deliver()
    assert (await empty.http.get("/readyz")).status_code == 200


async def test_operators_see_the_circuit_breaker(empty: Web) -> None:
    """After a look the metrics say what left, what may leave and whether it tripped, and `/readyz` the last of it."""
    before = (await empty.http.get("/metrics")).text
    assert "holdback_breaker_tripped" not in before
    assert "holdback_breaker_look_age_seconds +Inf" in before
    assert (await empty.http.get("/readyz")).json() == {"status": "ready", "breaker": "unwatched", "unwatched_s": None}
    await BreakerWatch(empty.service).look()
    text = (await empty.http.get("/metrics")).text
    assert "holdback_breaker_tripped 0.0" in text
    assert "holdback_breaker_look_age_seconds 0.0" in text
    assert 'holdback_outflow_usd{scope="new_destinations"} 0.0' in text
    assert 'holdback_outflow_limit_usd{scope="changed_accounts"} 250000.0' in text
    (looked,) = [line.split()[1] for line in text.splitlines() if line.startswith("holdback_breaker_looked_at_seconds")]
    assert float(looked) == empty.clock.at / 1000
    assert (await empty.http.get("/readyz")).json() == {"status": "ready", "breaker": "closed"}


async def test_a_watch_that_ended_is_told(web: Web) -> None:
    """Once nobody has looked for as long as the policy says, `/readyz` and the metrics say since when."""
    await BreakerWatch(web.service).look()
    age_s = web.service.tools.policy.breaker.look_age_s
    web.clock.at += age_s * 1000
    assert (await web.http.get("/readyz")).json() == {"status": "ready", "breaker": "closed"}
    web.clock.at += 1_000
    ready = {"status": "ready", "breaker": "unwatched", "unwatched_s": age_s + 1}
    assert (await web.http.get("/readyz")).json() == ready
    assert f"holdback_breaker_look_age_seconds {age_s + 1}.0" in (await web.http.get("/metrics")).text
    await BreakerWatch(web.service).look()
    assert (await web.http.get("/readyz")).json()["breaker"] == "closed"


async def test_metrics_count_decisions_and_name_nobody(web: Web) -> None:
    """The metrics count answers by action, decision and first reason, and hold no account or person."""
    await web.act({"action": "account.freeze"}, web.owner())
    await web.act({"action": "account.freeze"}, PLATFORM)
    await web.http.get("/nowhere/alice")

    text = (await web.http.get("/metrics")).text

    assert 'holdback_decisions_total{action="account.freeze",decision="allow",reason="tightening"} 1.0' in text
    assert 'holdback_decisions_total{action="account.freeze",decision="deny",reason="not_entitled"} 1.0' in text
    for name in (
        "holdback_request_seconds_bucket",
        "holdback_batches_total",
        "holdback_batched_total",
        "holdback_waiting 0",
        "holdback_under_way 1",
        "holdback_notices_waiting",
        "holdback_notices_overdue_seconds",
    ):
        assert name in text
    assert "alice" not in text


def test_what_fails_may_be_tried_again_or_not() -> None:
    """Only problems that leave it open whether anything was decided invite another try."""
    kinds: list[Kind] = [kind for _, kind in FAILURES.values()]

    assert {kind.name for kind in kinds if kind.retryable} == {"overloaded", "unavailable", "outdated"}
