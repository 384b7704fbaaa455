"""The clients: `Holdback` blocks, `AsyncHoldback` awaits, and they differ in nothing else.

Neither follows redirects or guesses: an answer is one of the four decisions, complete, or an exception. Use one client
for as long as the process lives, from any thread (`Holdback`) or from one event loop (`AsyncHoldback`).
"""

from __future__ import annotations

import asyncio
import secrets
import time
from random import SystemRandom
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import httpx

from holdback.client import calls
from holdback.client.decisions import decision
from holdback.client.digest import canonical_json
from holdback.client.errors import Unreachable
from holdback.client.leases import granted
from holdback.client.patience import Patience, Tries
from holdback.client.receipts import ISSUER, KeyCache, Keys, key_named, verify_receipt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence

    from holdback.client.calls import Call
    from holdback.client.decisions import Decision, StepUp
    from holdback.client.leases import TradeLease
    from holdback.client.receipts import Receipt

JWKS_PATH: Final = "/.well-known/jwks.json"
_chance: Final = SystemRandom().random


class _Wire(NamedTuple):
    """One request, the same at every try."""

    method: str
    url: str
    headers: dict[str, str]
    content: bytes | None


class _Caller:
    """What both clients know: where Holdback is, how to show who asks, when to give up, which keys it signs with."""

    def __init__(self, base_url: str, platform_key: str, patience: Patience | None, clock: Callable[[], float]) -> None:
        self.platform_key = platform_key
        self.cache = KeyCache(clock)
        self._base_url = base_url.rstrip("/")
        self._patience = patience or Patience()
        self._clock = clock

    def now(self) -> float:
        return self._clock()

    def tries(self) -> Tries:
        return Tries(self._patience, self._clock, _chance)

    def get(self, path: str) -> _Wire:
        return _Wire("GET", self._base_url + path, self._headers(), None)

    def post(self, call: Call) -> _Wire:
        headers = self._headers() | {"Content-Type": "application/json"}
        if call.key:
            headers["Idempotency-Key"] = call.key
        return _Wire("POST", self._base_url + call.path, headers, canonical_json(call.fields))

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.platform_key}", "Accept": "application/json"}


def _envelope(
    actor: Mapping[str, object] | None,
    context: Mapping[str, object] | None,
    proofs: Sequence[Mapping[str, object]] | None,
    challenge: str | None,
    *,
    dry_run: bool = False,
) -> dict[str, object]:
    return {
        "actor": None if actor is None else dict(actor),
        "context": None if context is None else dict(context),
        "proofs": None if proofs is None else [dict(one) for one in proofs],
        "challenge": challenge,
        "dry_run": dry_run,
    }


def _new_key() -> str:
    return secrets.token_urlsafe(24)


def _gave_up(error: httpx.RequestError) -> Unreachable:
    return Unreachable(f"no answer in time: {type(error).__name__}")


class Holdback:
    """Asks Holdback, blocking. Every method may raise HoldbackError in one of its kinds.

    Example: `Holdback("https://holdback.internal", key).ask(account, action, actor=owner, idempotency_key=order_id)`.
    """

    def __init__(  # noqa: PLR0913 - the last three are for tests and unusual networks
        self,
        base_url: str,
        platform_key: str,
        *,
        issuer: str = ISSUER,
        patience: Patience | None = None,
        http: httpx.Client | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Connect when first asked. `issuer` is the server's setting `HOLDBACK_ISSUER`: no other's receipts count.

        Bring an `http` client for proxies or certificates; it stays yours to close.
        """
        self._caller = _Caller(base_url, platform_key, patience, clock)
        self._issuer = issuer
        self._http = http or httpx.Client()
        self._owned = http is None
        self._sleep = sleep

    def __enter__(self) -> Self:
        """Use as a context manager to close it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close the connections that are this client's own."""
        if self._owned:
            self._http.close()

    def ask(  # noqa: PLR0913 - the request's members (design section 5)
        self,
        account: str,
        action: Mapping[str, object],
        *,
        actor: Mapping[str, object],
        idempotency_key: str,
        context: Mapping[str, object] | None = None,
        proofs: Sequence[Mapping[str, object]] | None = None,
        challenge: str | None = None,
        dry_run: bool = False,
    ) -> Decision:
        """Ask whether `actor` may do `action` on this account.

        `action` holds the action's own fields and is what a receipt will name: keep it as it was sent. Choose one
        `idempotency_key` an intent, such as the order's id: asked again under it, the first answer comes back.
        """
        envelope = _envelope(actor, context, proofs, challenge, dry_run=dry_run)
        return self._decision(calls.action_call(account, action, idempotency_key, envelope))

    def resume(
        self,
        step_up: StepUp,
        proofs: Sequence[Mapping[str, object]],
        *,
        actor: Mapping[str, object] | None = None,
        idempotency_key: str | None = None,
        dpop: str | None = None,
    ) -> Decision:
        """Ask the same question again with what its challenge asked for, under a fresh idempotency key.

        A device's proof serves once, so where the question had one bring the next as `dpop`; and so does what an API
        key signed: bring the next `signed_actor` of the same action as `actor`.
        Raises ChallengeRefused if that took too long: then ask anew.
        """
        own = self._caller.platform_key
        return self._decision(calls.resumed(step_up, proofs, idempotency_key, own, actor=actor, dpop=dpop))

    def lease(
        self,
        account: str,
        action: Mapping[str, object],
        *,
        actor: Mapping[str, object],
        context: Mapping[str, object] | None = None,
    ) -> TradeLease | None:
        """What orders of a pair may give away without being asked about, for two seconds; None if nothing may.

        `action` is a `lease_action`, which a program signs as any other. Ask `order.place` where there is none.
        """
        call = calls.lease_call(account, action, _envelope(actor, context, None, None))
        asked_at = self._caller.now()
        return granted(calls.json_object(self._send(self._caller.post(call))), asked_at, self._caller.now)

    def sign_in(  # noqa: PLR0913 - the request's members, as of `ask`
        self,
        name: str,
        *,
        proofs: Sequence[Mapping[str, object]] | None = None,
        context: Mapping[str, object] | None = None,
        challenge: str | None = None,
        idempotency_key: str | None = None,
        dpop: str | None = None,
    ) -> Decision:
        """Ask for a session by sign-in name; an Allow carries it, bound to the device's key that `dpop` was made by."""
        envelope = _envelope(None, context, proofs, challenge) | {"dpop": dpop}
        return self._decision(calls.sign_in_call(name, idempotency_key or _new_key(), envelope))

    def account(self, account: str) -> dict[str, object]:
        """How an account stands."""
        return calls.json_object(self._send(self._caller.get(calls.account_path(account))))

    def holds(self, account: str) -> Iterator[dict[str, object]]:
        """What waits on an account, page after page as they are read."""
        return self._listed(account, "/holds")

    def events(self, account: str) -> Iterator[dict[str, object]]:
        """What happened to an account, page after page as they are read."""
        return self._listed(account, "/events")

    def fetch_keys(self, kid: str | None = None) -> Keys:
        """Holdback's public keys, fetched at most hourly; for a `kid` that is not among them, at most once a minute."""
        cache = self._caller.cache
        if cache.due(kid):
            cache.asking()
            cache.keep(Keys.parse(self._send(self._caller.get(JWKS_PATH))))
        return cache.keys

    def verify_receipt(
        self, jws: str, *, account: str, action: Mapping[str, object], now: float | None = None, leeway: float = 0
    ) -> Receipt:
        """As the function of this name, with keys that are fetched where needed and this machine's time."""
        keys = self.fetch_keys(key_named(jws))
        now = time.time() if now is None else now
        return verify_receipt(
            jws, issuer=self._issuer, account=account, action=action, keys=keys, now=now, leeway=leeway
        )

    def _decision(self, call: Call) -> Decision:
        return decision(self._send(self._caller.post(call)), call)

    def _listed(self, account: str, rest: str) -> Iterator[dict[str, object]]:
        cursor: str | None = None
        while True:
            page = calls.page(self._send(self._caller.get(calls.page_path(account, rest, cursor))), cursor)
            yield from page.items
            cursor = page.next
            if cursor is None:
                return

    def _send(self, wire: _Wire) -> bytes:
        """Try until there is an answer or patience ends."""
        tries = self._caller.tries()
        while True:
            try:
                response = self._http.request(
                    wire.method,
                    wire.url,
                    headers=wire.headers,
                    content=wire.content,
                    timeout=tries.timeout(),
                    follow_redirects=False,
                )
            except httpx.RequestError as error:
                pause = tries.pause()
                if pause is None:
                    raise _gave_up(error) from error
            else:
                if response.status_code not in calls.BUSY:
                    return calls.answered(response)
                pause = tries.pause(calls.retry_after_s(response))
                if pause is None:
                    raise calls.problem(response)
            self._sleep(pause)


class AsyncHoldback:
    """Asks Holdback, awaiting. Every method may raise HoldbackError in one of its kinds.

    Example: `await AsyncHoldback(url, key).ask(account, action, actor=owner, idempotency_key=order_id)`.
    """

    def __init__(  # noqa: PLR0913 - the last three are for tests and unusual networks
        self,
        base_url: str,
        platform_key: str,
        *,
        issuer: str = ISSUER,
        patience: Patience | None = None,
        http: httpx.AsyncClient | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """As `Holdback`."""
        self._caller = _Caller(base_url, platform_key, patience, clock)
        self._issuer = issuer
        self._http = http or httpx.AsyncClient()
        self._owned = http is None
        self._sleep = sleep

    async def __aenter__(self) -> Self:
        """Use as a context manager to close it."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    async def close(self) -> None:
        """Close the connections that are this client's own."""
        if self._owned:
            await self._http.aclose()

    async def ask(  # noqa: PLR0913 - the request's members (design section 5)
        self,
        account: str,
        action: Mapping[str, object],
        *,
        actor: Mapping[str, object],
        idempotency_key: str,
        context: Mapping[str, object] | None = None,
        proofs: Sequence[Mapping[str, object]] | None = None,
        challenge: str | None = None,
        dry_run: bool = False,
    ) -> Decision:
        """As `Holdback.ask`."""
        envelope = _envelope(actor, context, proofs, challenge, dry_run=dry_run)
        return await self._decision(calls.action_call(account, action, idempotency_key, envelope))

    async def resume(
        self,
        step_up: StepUp,
        proofs: Sequence[Mapping[str, object]],
        *,
        actor: Mapping[str, object] | None = None,
        idempotency_key: str | None = None,
        dpop: str | None = None,
    ) -> Decision:
        """As `Holdback.resume`."""
        own = self._caller.platform_key
        return await self._decision(calls.resumed(step_up, proofs, idempotency_key, own, actor=actor, dpop=dpop))

    async def lease(
        self,
        account: str,
        action: Mapping[str, object],
        *,
        actor: Mapping[str, object],
        context: Mapping[str, object] | None = None,
    ) -> TradeLease | None:
        """As `Holdback.lease`."""
        call = calls.lease_call(account, action, _envelope(actor, context, None, None))
        asked_at = self._caller.now()
        return granted(calls.json_object(await self._send(self._caller.post(call))), asked_at, self._caller.now)

    async def sign_in(  # noqa: PLR0913 - the request's members, as of `ask`
        self,
        name: str,
        *,
        proofs: Sequence[Mapping[str, object]] | None = None,
        context: Mapping[str, object] | None = None,
        challenge: str | None = None,
        idempotency_key: str | None = None,
        dpop: str | None = None,
    ) -> Decision:
        """As `Holdback.sign_in`."""
        envelope = _envelope(None, context, proofs, challenge) | {"dpop": dpop}
        return await self._decision(calls.sign_in_call(name, idempotency_key or _new_key(), envelope))

    async def account(self, account: str) -> dict[str, object]:
        """As `Holdback.account`."""
        return calls.json_object(await self._send(self._caller.get(calls.account_path(account))))

    def holds(self, account: str) -> AsyncIterator[dict[str, object]]:
        """As `Holdback.holds`."""
        return self._listed(account, "/holds")

    def events(self, account: str) -> AsyncIterator[dict[str, object]]:
        """As `Holdback.events`."""
        return self._listed(account, "/events")

    async def fetch_keys(self, kid: str | None = None) -> Keys:
        """As `Holdback.fetch_keys`."""
        cache = self._caller.cache
        if cache.due(kid):
            cache.asking()
            cache.keep(Keys.parse(await self._send(self._caller.get(JWKS_PATH))))
        return cache.keys

    async def verify_receipt(
        self, jws: str, *, account: str, action: Mapping[str, object], now: float | None = None, leeway: float = 0
    ) -> Receipt:
        """As `Holdback.verify_receipt`."""
        keys = await self.fetch_keys(key_named(jws))
        now = time.time() if now is None else now
        return verify_receipt(
            jws, issuer=self._issuer, account=account, action=action, keys=keys, now=now, leeway=leeway
        )

    async def _decision(self, call: Call) -> Decision:
        return decision(await self._send(self._caller.post(call)), call)

    async def _listed(self, account: str, rest: str) -> AsyncIterator[dict[str, object]]:
        cursor: str | None = None
        while True:
            page = calls.page(await self._send(self._caller.get(calls.page_path(account, rest, cursor))), cursor)
            for item in page.items:
                yield item
            cursor = page.next
            if cursor is None:
                return

    async def _send(self, wire: _Wire) -> bytes:
        """Try until there is an answer or patience ends."""
        tries = self._caller.tries()
        while True:
            try:
                response = await self._http.request(
                    wire.method,
                    wire.url,
                    headers=wire.headers,
                    content=wire.content,
                    timeout=tries.timeout(),
                    follow_redirects=False,
                )
            except httpx.RequestError as error:
                pause = tries.pause()
                if pause is None:
                    raise _gave_up(error) from error
            else:
                if response.status_code not in calls.BUSY:
                    return calls.answered(response)
                pause = tries.pause(calls.retry_after_s(response))
                if pause is None:
                    raise calls.problem(response)
            await self._sleep(pause)
