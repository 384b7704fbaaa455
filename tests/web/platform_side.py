"""The API over a real service and a real SQLite file, spoken to in this process; only secrets and time are made up."""

from __future__ import annotations

import json
import os
import tomllib
from datetime import UTC, datetime
from importlib.resources import files
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import httpx

from holdback.core import events as ev
from holdback.core.events import DAY, MINUTE, AuthenticatorKind
from holdback.core.policy import Policy
from holdback.core.rules.notice import NoticeOutcome
from holdback.intake import Intake
from holdback.judging import Tools
from holdback.ports import Enrolment
from holdback.receipts import ReceiptKeys
from holdback.sealing import MasterKeys
from holdback.service import Service
from holdback.signing import Signing
from holdback.snapshots import Snapshots
from holdback.store.sqlite import SqliteStore
from holdback.web.api import People, application
from holdback.web.keys import Scope, issued
from holdback.web.problems import KINDS, URN
from holdback.web.queues import Reader
from holdback.wiring import canaries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from holdback.core.events import Instant
    from holdback.web.endpoint import Call, Limits
    from holdback.web.problems import Kind

START: Final = 20_000 * DAY
"""Midnight of a day in 2024; nothing happens before it."""

ORIGIN: Final = "http://holdback.test"
PASSWORD: Final = "correct horse battery staple"
TOTP: Final = "JBSWY3DPEHPK3PXP"
MAIL: Final = "alice.liddell@example.com"
PHONE: Final = "+15550100042"
HOME: Final = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
OTHER: Final = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
PLATFORM: Final = {"kind": "platform"}


class FakeClock:
    """Time that moves when told to."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> Instant:
        """Milliseconds since the epoch."""
        return self.at

    def seconds(self) -> float:
        """The same as a clock of seconds."""
        return self.at / 1000


class FakeVerifier:
    """A secret is its own credential; a one-time code is the secret, a colon and a number that only grows."""

    def __init__(self, kind: AuthenticatorKind) -> None:
        self.kind = kind

    async def verify(self, credential: str, response: str, now: Instant) -> int | None:
        """See ports.Verifier."""
        assert now
        if self.kind is AuthenticatorKind.PASSWORD:
            return 0 if response == credential else None
        secret, _, step = response.rpartition(":")
        return int(step) if secret == credential and step.isdigit() else None

    async def enrol(self, given: str, label: str) -> Enrolment:  # noqa: ARG002 - the port's shape
        """See ports.Verifier."""
        if self.kind is AuthenticatorKind.PASSWORD and len(given) < 8:
            raise ValueError("a password has at least 8 characters")
        secret = given or TOTP
        return Enrolment(secret, {"uri": "otpauth://totp/x"})

    async def waste(self, response: str) -> None:
        """Do nothing, as slowly as verifying does nothing."""

    async def judge(self, chosen: str, *, characters_min: int, strength_min: int, about: Sequence[str]) -> None:
        """See ports.PasswordVerifier: what is long enough is strong enough."""
        assert strength_min
        assert all(about)
        if len(chosen) < characters_min:
            raise ValueError(f"a password has at least {characters_min} characters")

    async def renewed(self, credential: str, response: str) -> str | None:
        """See ports.PasswordVerifier."""
        assert credential == response
        return None


class SystemEntropy:
    """Chance, as it is."""

    def token(self, size: int) -> bytes:
        """See ports.Entropy."""
        return os.urandom(size)


class Web:
    """One running API, and what a test does to it.

    Example: `answer = (await web.act({"action": "account.freeze"}, web.owner())).json()`.
    """

    def __init__(self, service: Service, clock: FakeClock, limits: Limits | None = None) -> None:
        self.service = service
        self.clock = clock
        self.roles: frozenset[str] = frozenset()
        self.app = application(service, limits, clock.seconds, attends=self._attends, people=People(ORIGIN, ORIGIN))
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=True), base_url=ORIGIN
        )
        self.keys: dict[str, str] = {}
        self.session = ""
        self.looked_at = 0
        self._numbers = count(1)

    async def _attends(self, _call: Call) -> Reader:
        """Who of the staff calls: whoever holds `roles`."""
        return Reader("staff-sue", tuple(self.roles))

    def key(self, scope: str) -> dict[str, str]:
        """The header of the platform key with this scope."""
        return {"Authorization": f"Bearer {self.keys[scope]}"}

    def fresh(self) -> dict[str, str]:
        """A header with an idempotency key that nobody used yet."""
        return {"Idempotency-Key": f"test-{next(self._numbers)}"}

    def owner(self) -> dict[str, str]:
        """The owner as an actor, by the newest session."""
        return {"kind": "owner", "session": self.session}

    def proofs(self) -> list[dict[str, str]]:
        """The password, and a one-time code that nobody used yet."""
        return [
            {"kind": "password", "response": PASSWORD},
            {"kind": "totp", "response": f"{TOTP}:{next(self._numbers)}"},
        ]

    async def post(self, path: str, body: object, *, scope: str = "ask", **headers: str) -> httpx.Response:
        """Post JSON under a fresh idempotency key, unless `headers` name one. Somebody watches what leaves."""
        if abs(self.clock.at - self.looked_at) > MINUTE // 2:
            self.looked_at = self.clock.at
            await self.service.store.say_looked()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} | self.fresh() | self.key(scope) | given
        return await self.http.post(path, content=content, headers=sent)

    async def act(
        self,
        fields: dict[str, Any],
        actor: dict[str, str],
        account: str = "alice",
        **envelope: Any,  # noqa: ANN401 - whatever JSON can hold
    ) -> httpx.Response:
        """Ask for an action."""
        return await self.post(f"/v1/accounts/{account}/actions", fields | {"actor": actor} | envelope)

    async def get(self, path: str, scope: str = "read") -> httpx.Response:
        """Read something."""
        return await self.http.get(path, headers=self.key(scope))

    async def sign_in(self, name: str = "alice@example.com") -> dict[str, Any]:
        """Sign in by password and code, and keep the session."""
        body = {"name": name, "proofs": self.proofs(), "context": {"device": "laptop"}}
        answer: dict[str, Any] = (await self.post("/v1/sign-ins", body)).json()
        self.session = answer["session"]["token"] if answer.get("session") else ""
        return answer

    async def enrol(self, account: str = "alice", name: str = "alice@example.com", mail: str = MAIL) -> dict[str, Any]:
        """Bring a customer under protection."""
        imported = {
            "action": "account.import",
            "name": name,
            "authenticators": [{"kind": "password", "secret": PASSWORD}, {"kind": "totp", "secret": TOTP}],
            "contacts": [{"channel": "email", "address": mail}, {"channel": "sms", "address": PHONE}],
            "equity_usd": "1000000",
        }
        answer: dict[str, Any] = (await self.act(imported, PLATFORM, account)).json()
        return answer

    async def put_prices(self, **changed: object) -> httpx.Response:
        """Keep prices as of now."""
        at = datetime.fromtimestamp(self.clock.at / 1000, UTC).isoformat()
        body = {"at": at, "prices": {"BTC": "50000", "USD": "1"}} | changed
        headers = {"Content-Type": "application/json"} | self.key("feed")
        return await self.http.put("/v1/prices", content=json.dumps(body).encode(), headers=headers)

    async def deliver(self) -> None:
        """Let every waiting notice be accepted."""
        for row in await self.service.store.claim(1_000, 1):
            entry = (await self.service.store.entries(row.account, row.seq - 1, 1))[0]
            due = next(
                event
                for event in ev.decode_events(entry.body)
                if isinstance(event, ev.NoticeDue) and event.notice == row.notice
            )
            outcome = NoticeOutcome(row.notice, row.contact, accepted=True, about=due.about)
            await self.service.record(row.account, outcome, sent=(row.id,))

    async def settle(self, days: float = 4) -> None:
        """Deliver everything and let days pass."""
        await self.deliver()
        self.clock.at += int(days * DAY)

    async def dump(self) -> list[bytes]:
        """Everything stored."""
        return [record async for record in self.service.store.dump()]


def service_over(path: Path, clock: FakeClock) -> Service:
    """A service whose chance is real and whose secrets and time are not."""
    masters = MasterKeys({1: bytes(range(32))})
    policy = Policy.parse(tomllib.loads(files("holdback").joinpath("policies/default.toml").read_text()))
    password, totp = FakeVerifier(AuthenticatorKind.PASSWORD), FakeVerifier(AuthenticatorKind.TOTP)
    signing = Signing(masters, None)
    intake = Intake(masters, password, {totp.kind: totp}, signing, SystemEntropy(), networks=policy.networks)
    tools = Tools(
        policy, masters, Snapshots(masters), ReceiptKeys.generate(), "holdback-test", signing, canaries(masters, policy)
    )
    return Service(SqliteStore(path, clock.now), tools, intake, clock)


async def with_keys(web: Web) -> None:
    """A platform key for each scope, and prices."""
    for place, scope in enumerate(Scope, start=1):
        web.keys[scope.value], row = issued(f"key-{scope}", [scope], bytes((place,)) * 32, START)
        await web.service.store.put_key(row)


async def with_alice(web: Web) -> None:
    """`alice`, whose authenticators, contacts and address `HOME` are senior, and a session of hers."""
    await web.enrol()
    await web.sign_in()
    await web.settle()
    await web.sign_in()
    home = {"action": "address.add", "name": "home", "network": "bitcoin", "address": HOME}
    await web.act(home, web.owner(), proofs=web.proofs())
    await web.settle()
    await web.put_prices()
    await web.sign_in()


def is_problem(response: httpx.Response, kind: Kind, pointer: str | None = None) -> bool:
    """Whether a response is this problem, in the one shape that all of them have; raises where the shape is wrong."""
    body = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert body.keys() - {"pointer"} == {"type", "title", "status", "detail", "retryable"}
    named = next(one for one in KINDS if URN + one.name == body["type"])
    assert (body["title"], body["status"], body["retryable"]) == (named.title, named.status, named.retryable)
    assert response.status_code == named.status
    assert isinstance(body["detail"], str)
    assert body["detail"]
    return named is kind and body.get("pointer") == pointer
