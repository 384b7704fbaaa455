"""Who may ask what: platform keys at the door, and what no platform key can ever claim."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from structlog.testing import capture_logs
from tests.web.platform_side import HOME, OTHER, PASSWORD, PLATFORM, START, FakeClock, Web, is_problem

from holdback.web import problems
from holdback.web.keys import KEPT_S, Keys, Scope, issued

if TYPE_CHECKING:
    from holdback.ports import KeyRow

ACTIONS: Final = "/v1/accounts/alice/actions"
FREEZE: Final = {"action": "account.freeze", "actor": PLATFORM}

NEEDS: Final = [
    ("POST", ACTIONS, "ask"),
    ("POST", "/v1/sign-ins", "ask"),
    ("GET", "/v1/accounts/alice", "read"),
    ("GET", "/v1/accounts/alice/events", "read"),
    ("GET", "/v1/accounts/alice/holds", "read"),
    ("PUT", "/v1/prices", "feed"),
    ("PUT", "/v1/deposits", "feed"),
    ("PUT", "/v1/accounts/alice/tickets/t-1", "tickets"),
    ("DELETE", "/v1/accounts/alice/tickets/t-1", "tickets"),
]


@pytest.mark.parametrize("shown", ["", "Bearer", "Basic aGI6aGI=", "Bearer hb_key-ask_short", "Bearer x"])
async def test_no_key_no_answer(empty: Web, shown: str) -> None:
    """Without a platform key of the right form nothing is answered, and the answer says how one is shown."""
    response = await empty.post(ACTIONS, FREEZE, Authorization=shown)

    assert is_problem(response, problems.UNAUTHENTICATED)
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("wrong", ["secret", "id"])
async def test_a_wrong_key_is_refused(empty: Web, wrong: str) -> None:
    """A key with another's secret, or of an id that nobody holds, is refused alike."""
    right = empty.keys["ask"]
    shown = right[:-1] + ("0" if right[-1] != "0" else "1") if wrong == "secret" else right.replace("key-ask", "nobody")

    response = await empty.post(ACTIONS, FREEZE, Authorization=f"Bearer {shown}")

    assert is_problem(response, problems.UNAUTHENTICATED)


async def test_a_key_is_refused_before_its_body_is_read(empty: Web) -> None:
    """Whoever shows no key cannot make the server read or parse anything."""
    response = await empty.post(ACTIONS, b"not json", Authorization="")

    assert is_problem(response, problems.UNAUTHENTICATED)


@pytest.mark.parametrize(("method", "path", "scope"), NEEDS)
async def test_each_route_wants_its_scope(empty: Web, method: str, path: str, scope: str) -> None:
    """A key of any other scope than the route's is refused with 403."""
    for other in Scope:
        response = await empty.http.request(method, path, headers=empty.key(other.value))
        assert is_problem(response, problems.FORBIDDEN) == (other.value != scope)


async def test_a_retired_key_is_refused_within_seconds(empty: Web) -> None:
    """A key that was retired works no longer than keys are kept in memory."""
    await empty.enrol()
    row = next(key for key in await empty.service.store.keys() if key.id == "key-ask")
    await empty.service.store.put_key(row._replace(retired_at=START))

    empty.clock.at += int(KEPT_S * 1000)
    response = await empty.post(ACTIONS, FREEZE)

    assert is_problem(response, problems.UNAUTHENTICATED)


async def test_keys_are_read_once_for_many() -> None:
    """Keys are read from the store when they grew old, and not for every request."""

    class Counting:
        reads = 0

        async def keys(self) -> list[KeyRow]:
            self.reads += 1
            return [issued("a", [Scope.ASK], bytes(32), START)[1]]

    text, _ = issued("a", [Scope.ASK], bytes(32), START)
    store: Any = Counting()
    clock = FakeClock()
    keys = Keys(store, clock.seconds)

    for _ in range(3):
        assert await keys.holder(f"Bearer {text}".encode(), Scope.ASK) == "a"
    clock.at += int(KEPT_S * 1000)
    await keys.holder(f"bearer {text}".encode(), Scope.ASK)

    assert store.reads == 2


@pytest.mark.parametrize("key_id", ["", "a_b", "a b", "x" * 33, "é"])
def test_a_key_that_could_not_be_read_back_is_not_made(key_id: str) -> None:
    """The id of a platform key holds nothing that the Authorization header could not carry."""
    with pytest.raises(ValueError, match="id"):
        issued(key_id, [Scope.ASK], bytes(32), START)


OWNERS_ONLY: Final[list[dict[str, Any]]] = [
    {
        "action": "exit.request",
        "kind": "withdrawal",
        "asset": "BTC",
        "amount": "0.001",
        "address": HOME,
        "network": "bitcoin",
    },
    {"action": "address.add", "name": "x", "network": "bitcoin", "address": OTHER},
    {"action": "allowlist.set", "on": True},
    {"action": "limit.set", "usd_per_day": "5"},
    {"action": "lock.set", "hours": 5},
    {"action": "authenticator.bind", "kind": "totp"},
    {"action": "authenticator.suspend", "authenticator": "a1-2"},
    {"action": "contact.add", "channel": "email", "address": "x@example.com"},
    {"action": "password.change", "password": "another password"},
    {"action": "session.end_all"},
    {"action": "account.unfreeze"},
    {"action": "account.freeze"},
]


@pytest.mark.parametrize("fields", OWNERS_ONLY, ids=lambda fields: fields["action"])
async def test_the_platform_is_not_the_owner(web: Web, fields: dict[str, Any]) -> None:
    """A platform key as itself may not ask what only an owner may, whatever proofs it shows."""
    answer = (await web.act(fields, PLATFORM, proofs=web.proofs())).json()

    assert (answer["decision"], answer["reasons"][0]["code"]) == ("deny", "not_entitled")


@pytest.mark.parametrize("session", [None, "0" * 64])
@pytest.mark.parametrize("fields", OWNERS_ONLY, ids=lambda fields: fields["action"])
async def test_the_owner_is_who_holds_the_session(web: Web, fields: dict[str, Any], session: str | None) -> None:
    """A platform key cannot act as the owner without a session that the owner started."""
    actor = {"kind": "owner"} | ({"session": session} if session else {})

    answer = (await web.act(fields, actor, proofs=web.proofs())).json()

    wanted = "session_ended" if session else "session_required"
    assert (answer["decision"], answer["reasons"][0]["code"]) == ("deny", wanted)


@pytest.mark.parametrize(
    ("kind", "pointer"), [("agency", "/actor/kind"), ("system", "/actor/kind"), ("api_key", "/actor")]
)
async def test_what_nobody_claims_by_platform_key(web: Web, kind: str, pointer: str) -> None:
    """An agency asks by papers alone, the system not over this API, and an API key not without a signature."""
    before = await web.dump()

    response = await web.act({"action": "account.freeze"}, {"kind": kind, "session": web.session})

    assert is_problem(response, problems.BAD_REQUEST, pointer)
    assert await web.dump() == before


async def test_a_platform_key_makes_nobody_staff(web: Web) -> None:
    """Who names a member shows that member's session and device; a customer's session is nobody's."""
    asked = {"action": "staff.look_up", "ticket": "t-1", "fields": ["email"], "reason": "curious"}
    shown = {"kind": "staff", "member": "staff-ann", "session": web.session}

    answer = (await web.act(asked, shown)).json()

    assert (answer["decision"], answer["reasons"][0]["code"]) == ("deny", "not_entitled")
    assert answer["customer"] is None


async def test_what_waits_is_told_from_what_does_not_exist(web: Web) -> None:
    """An action of the catalogue whose subject does not exist yet is denied, with a reason that says so."""
    answer = (await web.act({"action": "policy.publish", "toml": [1, {"deep": 10**30}]}, web.owner())).json()

    assert (answer["decision"], answer["reasons"][0]["code"]) == ("deny", "not_available")


async def test_the_log_holds_nothing_that_was_sent(web: Web) -> None:
    """A request leaves one line: method, route, status, time and decision, and nothing that anyone sent."""
    with capture_logs() as lines:
        await web.act({"action": "limit.set", "usd_per_day": "77.25"}, web.owner(), proofs=web.proofs())
        await web.get("/v1/accounts/alice/events?cursor=0&limit=7")
        await web.http.get("/freeze?t=SECRETTOKEN")
        await web.http.request("BREW", "/v1/sign-ins")

    shown = [{name: value for name, value in line.items() if name != "ms"} for line in lines]
    base = {"event": "http", "log_level": "info", "decision": "", "problem": ""}
    well = base | {"log_level": "debug"}
    assert shown == [
        well | {"method": "POST", "route": "/v1/accounts/{account}/actions", "status": 200, "decision": "allow"},
        well | {"method": "GET", "route": "/v1/accounts/{account}/events", "status": 200},
        base | {"method": "GET", "route": "/freeze", "status": 410},
        base | {"method": "other", "route": "/v1/sign-ins", "status": 405, "problem": "method"},
    ]
    assert not [line for line in lines if PASSWORD in str(line) or "SECRETTOKEN" in str(line)]
