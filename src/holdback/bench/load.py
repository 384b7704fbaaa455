"""A load generator in a process of its own, on plain sockets, so that it costs less than what it loads.

Run as `python -m holdback.bench.load`: it reads a `Plan` as JSON from standard input and writes what it has `Seen`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Final, cast

import msgspec
import pyotp
import uvloop

from holdback.addresses import segwit

if TYPE_CHECKING:
    from collections.abc import Mapping


PAIR: Final = "BTC/USDT"
"""What orders are for."""


class Plan(msgspec.Struct, frozen=True):
    """What to send. `rate` is questions a second, 0 for as many as `connections` can carry. Times in seconds.

    Of 20 questions `proved` are confirmed exits to an old beneficiary, `strangers` confirmed ones to a new address, and
    the rest first asks without a proof. With `sign_ins` each is a sign-in with a wrong password instead, by a name of
    its own that nobody has: such names cost what others do. With `orders` each is an order a little above the market.
    """

    host: str
    port: int
    key: str
    run: str
    accounts: int
    first: int
    connections: int
    seconds: float
    rate: float
    secret: str
    address: str
    proved: int = 12
    strangers: int = 2
    sign_ins: bool = False
    orders: bool = False


class Seen(msgspec.Struct):
    """What came back: decisions by kind, failures, seconds taken, the latency of each answer in ms, next account."""

    decisions: dict[str, int]
    failures: int
    seconds: float
    latencies_ms: list[float]
    next_account: int


class Load:
    """Questions for one account after the other, and the record of their answers."""

    def __init__(self, plan: Plan) -> None:
        """Send nothing yet."""
        self.plan = plan
        self.totp = pyotp.TOTP(plan.secret)
        self.codes: dict[int, str] = {}
        self.sent = 0
        self.stop_at = 0.0
        self.seen = Seen({}, 0, 0.0, [], 0)

    def question(self) -> bytes:
        """The next request, whole."""
        number = self.plan.first + self.sent
        self.sent += 1
        if self.plan.sign_ins:
            proofs = [
                {"kind": "password", "response": f"a wrong guess {number}"},
                {"kind": "totp", "response": "000000"},
            ]
            named = {"name": f"{self.plan.run}-{number}@example.com", "proofs": proofs, "context": {"device": "flood"}}
            return self._post("/v1/sign-ins", number, named)
        account = f"u{number % self.plan.accounts:07}"
        asks = {
            "actor": {"kind": "owner", "session": f"session-{account}"},
            "context": {"ip": "203.0.113.7", "user_agent": "Bench/1.0", "device": f"device-{account}"},
        }
        if self.plan.orders:
            wish = {
                "order": f"{self.plan.run}-{number}",
                "pair": PAIR,
                "side": "buy",
                "price": "60001",
                "amount": "0.01",
            }
            return self._post(f"/v1/accounts/{account}/actions", number, {"action": "order.place", **wish, **asks})
        kind = number % 20
        old = kind < self.plan.proved or kind >= self.plan.proved + self.plan.strangers
        body: dict[str, object] = {
            "action": "exit.request",
            "kind": "withdrawal",
            "asset": "BTC",
            "amount": "0.0004",
            "address": self.plan.address if old else segwit("bc", 0, number.to_bytes(20)),
            "network": "bitcoin",
            **asks,
        }
        if kind < self.plan.proved + self.plan.strangers:
            body["proofs"] = [{"kind": "totp", "authenticator": "a1-2", "response": self.code()}]
        return self._post(f"/v1/accounts/{account}/actions", number, body)

    def _post(self, path: str, number: int, body: Mapping[str, object]) -> bytes:
        content = msgspec.json.encode(body)
        head = (
            f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {self.plan.key}\r\n"
            f"Idempotency-Key: {self.plan.run}-{number}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        return head.encode() + content

    def code(self) -> str:
        """The code of this time step; all accounts share one secret, sealed under a key of their own."""
        step = int(time.time()) // 30
        if step not in self.codes:
            self.codes[step] = self.totp.generate_otp(step)
        return self.codes[step]

    def answered(self, body: bytes, latency_s: float) -> None:
        """Count one answer."""
        kind = body[13 : body.index(b'"', 13)].decode() if body.startswith(b'{"decision":"') else ""
        if not kind:
            self.seen.failures += 1
            return
        self.seen.decisions[kind] = self.seen.decisions.get(kind, 0) + 1
        self.seen.latencies_ms.append(round(latency_s * 1000, 3))


class Connection(asyncio.Protocol):
    """One keep-alive connection with one question in flight. With a rate, each is due at its own instant.

    A late question counts its lateness as latency, so that a stalled server cannot hide behind questions never sent.
    """

    def __init__(self, load: Load, period_s: float, first_s: float) -> None:
        """Send the first question at `first_s`, then one each `period_s`, or at once after each answer if that is 0."""
        self.load, self.period_s, self.due = load, period_s, first_s
        self.done = asyncio.get_running_loop().create_future()
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast("asyncio.Transport", transport)
        self.next()

    def next(self) -> None:
        """Send the next question when it is due, or end."""
        now = time.perf_counter()
        if max(now, self.due) >= self.load.stop_at:
            self.transport.close()
            self.done.set_result(None)
        elif self.due > now:
            asyncio.get_running_loop().call_later(self.due - now, self.send)
        else:
            self.send()

    def send(self) -> None:
        """Send one question."""
        self.started = self.due if self.period_s else time.perf_counter()
        self.transport.write(self.load.question())

    def data_received(self, data: bytes) -> None:
        """Take one whole answer and go on."""
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        start = self.buffer.lower().find(b"content-length:") + 15
        length = int(self.buffer[start : self.buffer.index(b"\r\n", start)])
        if len(self.buffer) < end + 4 + length:
            return
        self.load.answered(self.buffer[end + 4 : end + 4 + length], time.perf_counter() - self.started)
        self.buffer = b""
        self.due += self.period_s
        self.next()


async def _run(plan: Plan) -> Seen:
    load = Load(plan)
    began = time.perf_counter()
    load.stop_at = began + plan.seconds
    period_s = plan.connections / plan.rate if plan.rate else 0.0
    loop = asyncio.get_running_loop()
    lines = []
    for place in range(plan.connections):
        first_s = began + place * period_s / plan.connections
        made = partial(Connection, load, period_s, first_s)
        _, line = await loop.create_connection(made, plan.host, plan.port)
        lines.append(line)
    await asyncio.gather(*(line.done for line in lines))
    load.seen.seconds = time.perf_counter() - began
    load.seen.next_account = plan.first + load.sent
    return load.seen


def main() -> None:
    """Read a plan, carry it out, write what was seen."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_run(plan))))


if __name__ == "__main__":
    main()
