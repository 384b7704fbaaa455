"""What a platform relies on: actions have one name, receipts pay once, and nothing in doubt is taken for an allow."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import inspect
import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, ParamSpec, Protocol, TypeVar

import asyncpg
import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import assume, given
from hypothesis import strategies as st
from joserfc import jws as joserfc_jws
from joserfc.jwk import OKPKey

from holdback import receipts as server
from holdback.client import (
    CREATE_RECEIPTS_SQL,
    Allow,
    AsyncHoldback,
    ChallengeRefused,
    Decision,
    Deny,
    Hold,
    Holdback,
    Keys,
    KeyUnknown,
    NotCanonical,
    NotUnderstood,
    Patience,
    Problem,
    Receipt,
    ReceiptExpired,
    ReceiptForged,
    ReceiptMismatch,
    ReceiptRefused,
    ReceiptUsed,
    StepUp,
    TradeLease,
    Unreachable,
    action_digest,
    by_secret,
    consume,
    consume_async,
    lease_action,
    signed_actor,
    verify_receipt,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

P = ParamSpec("P")
R = TypeVar("R")

# --- the name of an action

WITHDRAWAL: dict[str, object] = {
    "action": "exit.request",
    "kind": "withdrawal",
    "asset": "BTC",
    "amount": "0.25",
    "network": "bitcoin",
    "address": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
}

texts = st.text(st.characters(codec="utf-8"), max_size=10)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
actions = st.dictionaries(texts, values, max_size=5)


def test_a_known_digest() -> None:
    """The rule of `action_digest`, worked out by hand for one action."""
    spelled = '{"action":"exit.request","amount":"0.25","note":"caf\u00e9 \\"\\u0001\\n\\"","tags":[1,true,null]}'
    action = {"tags": [1, True, None], "amount": "0.25", "note": 'caf\u00e9 "\x01\n"', "action": "exit.request"}

    assert action_digest("acct-1", action) == hashlib.sha256(b"acct-1\n" + spelled.encode()).digest()


@given(actions)
def test_digests_are_anyones(action: dict[str, object]) -> None:
    """Another implementation of the same rule spells every action the same."""
    spelled = msgspec.json.encode(action, order="sorted")
    assume(not {"actor", "context", "proofs", "challenge", "dry_run"} & action.keys())

    assert action_digest("acct-1", action) == hashlib.sha256(b"acct-1\n" + spelled).digest()


def test_the_envelope_is_no_part_of_it() -> None:
    """Who asks, from where, with what proof and whether in earnest does not change what is asked."""
    envelope = {"actor": {"kind": "owner"}, "context": {}, "proofs": [], "challenge": "s1", "dry_run": True}

    assert action_digest("acct-1", WITHDRAWAL | envelope) == action_digest("acct-1", WITHDRAWAL)


@pytest.mark.parametrize(
    "value",
    [0.25, float("nan"), 2**53, -(2**53), Decimal("0.25"), b"x", {1: "x"}, [{"a": [0.5]}], "\ud800", {"\udfff"}],
    ids=repr,
)
def test_what_has_no_one_spelling_is_refused(value: object) -> None:
    """A float, a huge number, or what is no JSON at all cannot be part of an action."""
    with pytest.raises(NotCanonical):
        action_digest("acct-1", {"action": "exit.request", "amount": value})


# --- receipts

SIGNER = server.ReceiptKeys.generate()
KEYS = Keys.parse(json.dumps(SIGNER.jwks()))
ISSUER = "https://holdback.example"
NOW = 1_700_000_000
GOOD = server.Receipt(
    issuer=ISSUER,
    account="acct-1",
    action_digest=action_digest("acct-1", WITHDRAWAL),
    decision="allow",
    policy=bytes(16),
    head=bytes(32),
    issued_at=NOW,
    expires_at=NOW + 60,
    id="acct-1/7",
    kind="withdrawal",
    usd="9000",
)
TOKEN = SIGNER.sign(GOOD)


def verified(token: str = TOKEN, *, now: float = NOW + 1, leeway: float = 0) -> Receipt:
    """The withdrawal's receipt, verified."""
    return verify_receipt(token, issuer=ISSUER, account="acct-1", action=WITHDRAWAL, keys=KEYS, now=now, leeway=leeway)


def signed(header: dict[str, object], claims: dict[str, object]) -> str:
    """Whatever is wanted, signed with Holdback's own key."""
    secret = json.loads(SIGNER.to_json())["keys"][0]["d"]
    private = Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(secret + "=="))
    start = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims).encode())}"
    return f"{start}.{encoded(private.sign(start.encode()))}"


def encoded(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def part(place: int) -> dict[str, object]:
    """A part of the good receipt as JSON."""
    decoded: dict[str, object] = json.loads(base64.urlsafe_b64decode(TOKEN.split(".")[place] + "=="))
    return decoded


def test_a_receipt_is_verified() -> None:
    """What Holdback signed for exactly this action is verified, offline, and says everything that was signed."""
    assert verified() == Receipt(
        id="acct-1/7",
        issuer=ISSUER,
        account="acct-1",
        action_digest=action_digest("acct-1", WITHDRAWAL),
        decision="allow",
        policy=bytes(16),
        head=bytes(32),
        issued_at=NOW,
        expires_at=NOW + 60,
        kind="withdrawal",
        usd="9000",
        jws=TOKEN,
    )


def test_joserfcs_receipt_is_verified() -> None:
    """A receipt that another implementation made with Holdback's key is as good."""
    secret = OKPKey.import_key(json.loads(SIGNER.to_json())["keys"][0])
    token = joserfc_jws.serialize_compact(part(0), json.dumps(part(1)), secret, algorithms=["Ed25519"])

    assert verified(token).id == "acct-1/7"


@given(st.integers(0, len(TOKEN) - 1), st.characters())
def test_altered_receipts_are_refused(place: int, char: str) -> None:
    """A receipt with any one character changed is refused."""
    assume(char != TOKEN[place])

    with pytest.raises(ReceiptForged):
        verified(TOKEN[:place] + char + TOKEN[place + 1 :])


@given(st.text() | st.integers(0, len(TOKEN) - 1).map(lambda kept: TOKEN[:kept]) | st.just(TOKEN + "."))
def test_nonsense_is_refused(token: str) -> None:
    """What was never a receipt is refused like a forged one."""
    with pytest.raises(ReceiptForged):
        verified(token)


@pytest.mark.parametrize(
    "change",
    [{"amount": "0.250"}, {"amount": "2.5"}, {"address": "bc1qother"}, {"network": None}, {"memo": ""}],
    ids=str,
)
def test_other_actions_are_refused(change: dict[str, object]) -> None:
    """A receipt is good for one amount to one address, spelled as it was asked, and for nothing else."""
    with pytest.raises(ReceiptMismatch, match="another action"):
        verify_receipt(TOKEN, issuer=ISSUER, account="acct-1", action=WITHDRAWAL | change, keys=KEYS, now=NOW)


def test_other_accounts_are_refused() -> None:
    """A receipt is good for one account, also when the same action is asked of another."""
    moved = SIGNER.sign(msgspec.structs.replace(GOOD, account="acct-2"))

    with pytest.raises(ReceiptMismatch, match="another account"):
        verify_receipt(TOKEN, issuer=ISSUER, account="acct-2", action=WITHDRAWAL, keys=KEYS, now=NOW)
    with pytest.raises(ReceiptMismatch, match="another action"):
        verify_receipt(moved, issuer=ISSUER, account="acct-2", action=WITHDRAWAL, keys=KEYS, now=NOW)


@pytest.mark.parametrize("issuer", ["holdback", "https://holdback.example/", "HTTPS://holdback.example", ""])
def test_other_issuers_are_refused(issuer: str) -> None:
    """A receipt of another Holdback is refused though it was signed with the same key, as on a copy for trials."""
    with pytest.raises(ReceiptMismatch, match="another Holdback"):
        verify_receipt(TOKEN, issuer=issuer, account="acct-1", action=WITHDRAWAL, keys=KEYS, now=NOW)
    with pytest.raises(ReceiptMismatch, match="another Holdback"):
        verified(SIGNER.sign(msgspec.structs.replace(GOOD, issuer=issuer)))


def test_clients_know_one_issuer(door: Opening) -> None:
    """A client refuses receipts of a Holdback that calls itself otherwise than it was told."""
    other = SIGNER.sign(msgspec.structs.replace(GOOD, issuer="holdback"))

    with pytest.raises(ReceiptMismatch, match="another Holdback"):
        door(FakeHoldback(SIGNER.jwks())).verify_receipt(other, account="acct-1", action=WITHDRAWAL, now=NOW)


@pytest.mark.parametrize("decision", ["deny", "hold", "step_up", "", "ALLOW"])
def test_only_an_allow_allows(decision: str) -> None:
    """A signed answer of any other kind moves nothing."""
    with pytest.raises(ReceiptMismatch, match="allow"):
        verified(SIGNER.sign(msgspec.structs.replace(GOOD, decision=decision)))


@pytest.mark.parametrize(
    ("now", "leeway"),
    [(NOW - 1, 0), (NOW + 60, 0), (NOW + 70, 10), (NOW - 11, 10), (NOW * 1000, 60), (0, 60), (float("nan"), 60)],
)
def test_receipts_expire(now: float, leeway: float) -> None:
    """A receipt is good from the second of its issue until it expires, give or take the leeway."""
    with pytest.raises(ReceiptExpired):
        verified(now=now, leeway=leeway)


def test_leeway() -> None:
    """Clocks may be said to differ by up to a minute, and no more."""
    assert verified(now=NOW + 69.9, leeway=10).id == verified(now=NOW - 10, leeway=10).id

    for leeway in (-1, 61, float("nan")):
        with pytest.raises(ValueError, match="leeway"):
            verified(leeway=leeway)


def test_others_keys_are_refused() -> None:
    """A receipt by an unknown key says so, and one that only borrows a known key's name is forged."""
    stranger = server.ReceiptKeys.generate().sign(GOOD)
    borrowed = ".".join([TOKEN.split(".")[0], *stranger.split(".")[1:]])

    with pytest.raises(KeyUnknown):
        verified(stranger)
    with pytest.raises(ReceiptForged, match="not Holdback's"):
        verified(borrowed)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "EdDSA"},
        {"alg": "ed25519"},
        {"alg": ["Ed25519"]},
        {"typ": "JWT"},
        {"typ": None},
        {"crit": ["exp"]},
        {"crit": None},
        {"kid": 1},
    ],
    ids=str,
)
def test_the_header_chooses_nothing(header: dict[str, object]) -> None:
    """Even truly signed, a token of another algorithm, type or extension is no receipt."""
    with pytest.raises(ReceiptForged):
        verified(signed(part(0) | header, part(1)))


@pytest.mark.parametrize("form", ["raw", "x", "pem"])
def test_public_keys_are_no_passwords(form: str) -> None:
    """A token under HS256 with the public key as its secret is refused, as is an unsigned one."""
    jwk = SIGNER.jwks()["keys"][0]
    raw = base64.urlsafe_b64decode(jwk["x"] + "==")
    pem = Ed25519PublicKey.from_public_bytes(raw).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    secret = {"raw": raw, "x": jwk["x"].encode(), "pem": pem}[form]
    for alg in ("HS256", "Ed25519"):
        start = f"{encoded(json.dumps(part(0) | {'alg': alg}).encode())}.{TOKEN.split('.')[1]}"

        with pytest.raises(ReceiptForged):
            verified(f"{start}.{encoded(hmac.digest(secret, start.encode(), 'sha256'))}")
        with pytest.raises(ReceiptForged):
            verified(f"{start}.")


@pytest.mark.parametrize(
    "claims",
    [{"exp": NOW + 60.5}, {"exp": "never"}, {"exp": None}, {"jti": None}, {"sub": 1}, {"act": "+/"}, {"iat": True}],
    ids=str,
)
def test_claims_have_types(claims: dict[str, object]) -> None:
    """A signed token whose claims are of other types is no receipt."""
    with pytest.raises(ReceiptForged):
        verified(signed(part(0), part(1) | claims))


def test_claims_may_be_added() -> None:
    """A claim that this client does not know is passed over."""
    assert verified(signed(part(0), part(1) | {"new": [1]})).id == "acct-1/7"


def test_keys_for_other_things_are_passed_over() -> None:
    """Of a set of keys only those for Ed25519 signatures count; a set that contradicts itself is refused."""
    jwk: dict[str, object] = {**SIGNER.jwks()["keys"][0]}
    others = [{"kty": "RSA", "n": "AQAB"}, jwk | {"use": "enc", "kid": "1"}, jwk | {"alg": "EdDSA", "kid": "2"}]
    keys = Keys.parse(json.dumps({"keys": [*others, jwk]}))

    assert [kid in keys for kid in ("1", "2", jwk["kid"])] == [False, False, True]
    contradictions: list[object] = [{"keys": [jwk, jwk]}, {"keys": [jwk | {"x": "AA"}]}, {"keys": None}, []]
    for broken in contradictions:
        with pytest.raises(NotUnderstood):
            Keys.parse(json.dumps(broken))


# --- consuming


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A platform's own database of payments."""
    with closing(sqlite3.connect(tmp_path / "payments.db")) as connection:
        connection.execute(CREATE_RECEIPTS_SQL)
        connection.execute("CREATE TABLE payments (amount text)")
        connection.commit()
        yield connection


def pay(connection: sqlite3.Connection, receipt: Receipt) -> None:
    """Pay out once, in one transaction."""
    with connection:
        consume(receipt, connection, now=NOW)
        connection.execute("INSERT INTO payments VALUES ('0.25')")


def payments(connection: sqlite3.Connection) -> int:
    """How often was paid."""
    count: int = connection.execute("SELECT count(*) FROM payments").fetchone()[0]
    return count


def test_a_receipt_pays_once(ledger: sqlite3.Connection, tmp_path: Path) -> None:
    """A replayed receipt pays nothing, also to another process after a restart."""
    pay(ledger, verified())
    with pytest.raises(ReceiptUsed):
        pay(ledger, verified())
    with closing(sqlite3.connect(tmp_path / "payments.db")) as other, pytest.raises(ReceiptUsed):
        pay(other, verified())

    assert payments(ledger) == 1
    assert ledger.execute("SELECT * FROM holdback_receipts").fetchall() == [("acct-1/7", NOW + 60, "acct-1", TOKEN)]


def test_what_was_not_paid_was_not_consumed(ledger: sqlite3.Connection) -> None:
    """A receipt is consumed with its payment or not at all: rolled back, it is good again."""

    def failing() -> None:
        with ledger:
            consume(verified(), ledger, now=NOW)
            raise ConnectionError

    with pytest.raises(ConnectionError):
        failing()
    pay(ledger, verified())

    assert payments(ledger) == 1


def test_other_receipts_pay_too(ledger: sqlite3.Connection) -> None:
    """Two receipts for the same action are two payments; a cursor serves as well as a connection."""
    pay(ledger, verified())
    consume(replace(verified(), id="acct-1/8"), ledger.cursor(), now=NOW)

    assert ledger.execute("SELECT count(*) FROM holdback_receipts").fetchone() == (2,)


@pytest.mark.parametrize("now", [NOW + 60, NOW + 10_000, float("nan")])
def test_receipts_expire_before_they_are_consumed(ledger: sqlite3.Connection, now: float) -> None:
    """A receipt that expired while the payment waited is refused, and not spent."""
    with pytest.raises(ReceiptExpired):
        consume(verified(), ledger, now=now)

    assert not ledger.in_transaction


class FakeFormatCursor:
    """A cursor that writes parameters as psycopg does, over SQLite."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        """Wrap a cursor."""
        self._cursor = cursor

    @property
    def rowcount(self) -> int:
        """As DB-API says."""
        return self._cursor.rowcount

    def execute(self, query: str, parameters: tuple[str | int, ...], /) -> object:
        """As DB-API says."""
        assert "?" not in query
        return self._cursor.execute(query.replace("%s", "?"), parameters)


@pytest.mark.parametrize("style", ["format", "pyformat"])
def test_drivers_say_how_they_write_parameters(ledger: sqlite3.Connection, style: str) -> None:
    """A driver of psycopg's style is served; one that cannot be recognised is refused rather than guessed at."""
    cursor = FakeFormatCursor(ledger.cursor())
    with pytest.raises(TypeError, match="paramstyle"):
        consume(verified(), cursor, now=NOW)

    consume(verified(), cursor, now=NOW, paramstyle=style)
    with pytest.raises(ReceiptUsed):
        consume(verified(), cursor, now=NOW, paramstyle=style)


async def test_asyncpg_pays_once(postgres_dsn: str) -> None:
    """With asyncpg, too, a receipt pays once, in a transaction, and a rollback gives it back."""
    connection = await asyncpg.connect(postgres_dsn)
    try:
        await connection.execute(CREATE_RECEIPTS_SQL)
        with pytest.raises(RuntimeError, match="transaction"):
            await consume_async(verified(), connection, now=NOW)
        rolled_back = connection.transaction()
        await rolled_back.start()
        await consume_async(verified(), connection, now=NOW)
        await rolled_back.rollback()
        async with connection.transaction():
            await consume_async(verified(), connection, now=NOW)
        async with connection.transaction():
            with pytest.raises(ReceiptUsed):
                await consume_async(verified(), connection, now=NOW)
            with pytest.raises(ReceiptExpired):
                await consume_async(verified(), connection, now=NOW + 60)
    finally:
        await connection.close()


async def test_two_signers_pay_once(postgres_dsn: str) -> None:
    """Of two signers that show one receipt at the same moment, one waits for the other and then pays nothing."""
    first, second = await asyncpg.connect(postgres_dsn), await asyncpg.connect(postgres_dsn)
    try:
        await first.execute(CREATE_RECEIPTS_SQL)

        async def late() -> None:
            async with second.transaction():
                await consume_async(verified(), second, now=NOW)

        async with first.transaction():
            await consume_async(verified(), first, now=NOW)
            waiting = asyncio.create_task(late())
            assert not (await asyncio.wait([waiting], timeout=0.2))[0]
        with pytest.raises(ReceiptUsed):
            await waiting
    finally:
        await first.close()
        await second.close()


# --- asking

BASE = "https://holdback.internal"
PLATFORM_KEY = "hb_platform-key"
OWNER: dict[str, object] = {"kind": "owner", "session": "s-token"}
TOTP: dict[str, object] = {"kind": "totp", "response": "123456"}

REASON = {
    "code": "destination_new",
    "text": "This address is new.",
    "satisfied_by": ["time"],
    "until": None,
    "about": "",
}
COMMON: dict[str, object] = {"reasons": [REASON], "policy": "aa", "head": "bb", "receipt": None, "hold": None}
ALLOWED = COMMON | {"decision": "allow", "receipt": TOKEN, "id": "x7"}
STEPPED_UP = COMMON | {
    "decision": "step_up",
    "challenge": {"id": "s7", "accept": [["password", "totp"]], "expires_at": "2026-01-01T00:05:00.000Z"},
}
HELD = COMMON | {"decision": "hold", "hold": {"id": "x7", "release_at": "2026-01-04T00:00:00.000Z"}}
DENIED = COMMON | {"decision": "deny"}


class FakeTime:
    """A clock that only moves when someone sleeps, and remembers for how long."""

    def __init__(self) -> None:
        """Start at an arbitrary second."""
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        """Seconds."""
        return self.now

    def nap(self, seconds: float) -> None:
        """Pass the time."""
        self.slept.append(seconds)
        self.now += seconds

    async def nap_async(self, seconds: float) -> None:
        """Pass the time."""
        self.nap(seconds)


class FakeHoldback:
    """A server that gives the answers it was told to, the last one for ever, and keeps what it was asked."""

    def __init__(self, *answers: object) -> None:
        """Answer with these: a JSON value, a response, or a failure of the network."""
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Take one request."""
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        return httpx.Response(200, json=answer)

    @property
    def bodies(self) -> list[dict[str, object]]:
        """The bodies it was sent."""
        return [json.loads(request.content) for request in self.asked]

    @property
    def keys(self) -> list[str]:
        """The idempotency keys it was sent."""
        return [request.headers["Idempotency-Key"] for request in self.asked]


@dataclass
class Door:
    """One of the two clients, each method as if it blocked."""

    ask: Callable[..., Decision]
    resume: Callable[..., Decision]
    lease: Callable[..., TradeLease | None]
    sign_in: Callable[..., Decision]
    account: Callable[[str], dict[str, object]]
    holds: Callable[[str], list[dict[str, object]]]
    events: Callable[[str], list[dict[str, object]]]
    fetch_keys: Callable[..., Keys]
    verify_receipt: Callable[..., Receipt]
    time: FakeTime

    def withdraw(self, key: str = "order-1") -> Decision:
        """Ask for the withdrawal."""
        return self.ask("acct-1", WITHDRAWAL, actor=OWNER, idempotency_key=key)


def blocking(method: Callable[P, Coroutine[None, None, R]]) -> Callable[P, R]:
    """Run a coroutine to its end."""
    return lambda *args, **kwargs: asyncio.run(method(*args, **kwargs))


async def listed(client: AsyncHoldback, name: str, account: str) -> list[dict[str, object]]:
    """Everything a list holds."""
    items = client.holds(account) if name == "holds" else client.events(account)
    return [item async for item in items]


def sync_door(fake: FakeHoldback, patience: Patience | None = None) -> Door:
    """The blocking client."""
    time, http = FakeTime(), httpx.Client(transport=httpx.MockTransport(fake))
    client = Holdback(BASE, PLATFORM_KEY, issuer=ISSUER, http=http, patience=patience, clock=time.clock, sleep=time.nap)
    return Door(
        client.ask,
        client.resume,
        client.lease,
        client.sign_in,
        client.account,
        lambda account: list(client.holds(account)),
        lambda account: list(client.events(account)),
        client.fetch_keys,
        client.verify_receipt,
        time,
    )


def async_door(fake: FakeHoldback, patience: Patience | None = None) -> Door:
    """The awaiting client."""
    time, http = FakeTime(), httpx.AsyncClient(transport=httpx.MockTransport(fake))
    client = AsyncHoldback(
        BASE, PLATFORM_KEY, issuer=ISSUER, http=http, patience=patience, clock=time.clock, sleep=time.nap_async
    )
    return Door(
        blocking(client.ask),
        blocking(client.resume),
        blocking(client.lease),
        blocking(client.sign_in),
        blocking(client.account),
        lambda account: asyncio.run(listed(client, "holds", account)),
        lambda account: asyncio.run(listed(client, "events", account)),
        blocking(client.fetch_keys),
        blocking(client.verify_receipt),
        time,
    )


class Opening(Protocol):
    """Opens one of the two clients on a fake server."""

    def __call__(self, fake: FakeHoldback, patience: Patience | None = None, /) -> Door:
        """Open it."""


@pytest.fixture(params=[sync_door, async_door], ids=["sync", "async"])
def door(request: pytest.FixtureRequest) -> Opening:
    """Each of the two clients in turn, to be opened on a fake server."""
    opening: Opening = request.param
    return opening


def test_what_is_sent(door: Opening) -> None:
    """A question is the action's fields and the envelope in one body, under the platform's and the idempotency key."""
    fake = FakeHoldback(ALLOWED)
    door(fake).ask(
        "acct-1.sub",
        WITHDRAWAL,
        actor=OWNER,
        idempotency_key="order-1",
        context={"ip": "192.0.2.1"},
        proofs=[TOTP],
        challenge="s7",
        dry_run=True,
    )
    (request,) = fake.asked

    assert (request.method, str(request.url)) == ("POST", f"{BASE}/v1/accounts/acct-1.sub/actions")
    assert request.headers["Authorization"] == f"Bearer {PLATFORM_KEY}"
    assert request.headers["Content-Type"] == "application/json"
    assert fake.keys == ["order-1"]
    assert fake.bodies == [
        WITHDRAWAL
        | {"actor": OWNER, "context": {"ip": "192.0.2.1"}, "proofs": [TOTP], "challenge": "s7", "dry_run": True}
    ]


def test_what_is_not_said_is_not_sent(door: Opening) -> None:
    """What the caller left out is left out, not sent as null."""
    fake = FakeHoldback(ALLOWED)
    door(fake).withdraw()

    assert fake.bodies == [WITHDRAWAL | {"actor": OWNER}]


def test_the_four_decisions(door: Opening) -> None:
    """Each decision comes as its own type, with its reasons and instants."""
    allow, step_up, hold, deny = (door(FakeHoldback(one)).withdraw() for one in (ALLOWED, STEPPED_UP, HELD, DENIED))

    assert isinstance(allow, Allow)
    assert (allow.receipt, allow.id, allow.usable_from, allow.policy, allow.head) == (TOKEN, "x7", None, "aa", "bb")
    assert isinstance(step_up, StepUp)
    assert step_up.challenge.accept == (("password", "totp"),)
    assert step_up.challenge.expires_at == datetime(2026, 1, 1, 0, 5, tzinfo=UTC)
    assert isinstance(hold, Hold)
    assert (hold.id, hold.release_at) == ("x7", datetime(2026, 1, 4, tzinfo=UTC))
    assert isinstance(deny, Deny)
    assert (deny.reasons[0].code, deny.reasons[0].satisfied_by) == ("destination_new", ("time",))


def test_later_versions_may_say_more(door: Opening) -> None:
    """Fields and reasons that this client does not know are passed over."""
    more = HELD | {"new": {"a": 1}, "reasons": [REASON | {"code": "brand_new", "new": 1}, {"code": "bare"}]}
    decided = door(FakeHoldback(more)).withdraw()

    assert isinstance(decided, Hold)
    assert [reason.code for reason in decided.reasons] == ["brand_new", "bare"]


def test_waits_without_an_end(door: Opening) -> None:
    """A hold whose end is not known yet is a hold."""
    decided = door(FakeHoldback(HELD | {"hold": {"id": "x7", "release_at": None}})).withdraw()

    assert isinstance(decided, Hold)
    assert decided.release_at is None


IN_DOUBT = {
    "unknown": COMMON | {"decision": "approve"},
    "other-case": COMMON | {"decision": "Allow"},
    "null": COMMON | {"decision": None},
    "missing": COMMON,
    "hold-without-hold": HELD | {"hold": None},
    "step-up-without-challenge": STEPPED_UP | {"challenge": None},
    "no-reasons": ALLOWED | {"reasons": None},
    "no-instant": ALLOWED | {"usable_from": "soon"},
    "no-zone": ALLOWED | {"usable_from": "2026-01-01T00:00:00"},
    "other-object": {"allow": True},
    "list": [ALLOWED],
    "string": "allow",
    "empty": httpx.Response(200, content=b""),
    "cut-off": httpx.Response(200, content=b'{"decision": "allow", "reasons": ['),
    "portal": httpx.Response(200, html="<h1>Welcome to the hotel's network</h1>"),
    "created": httpx.Response(201, json=ALLOWED),
    "no-content": httpx.Response(204),
    "redirect": httpx.Response(302, headers={"Location": f"{BASE}/login"}, json=ALLOWED),
}


@pytest.mark.parametrize("answer", IN_DOUBT.values(), ids=IN_DOUBT)
def test_in_doubt_nothing_is_allowed(door: Opening, answer: object) -> None:
    """An answer that is not exactly one of the four decisions, complete, with status 200, is an error."""
    fake = FakeHoldback(answer)

    with pytest.raises(NotUnderstood):
        door(fake).withdraw()
    assert len(fake.asked) == 1


def test_decisions_are_no_truth_values(door: Opening) -> None:
    """A decision cannot be taken for a yes by testing it for truth."""
    for answer in (ALLOWED, DENIED):
        decided = door(FakeHoldback(answer)).withdraw()
        with pytest.raises(TypeError, match="neither true nor false"):
            bool(decided)


def test_a_challenge_that_took_too_long(door: Opening) -> None:
    """A refused challenge is an error of its own, which is mended by asking anew under another idempotency key."""
    said = {"type": "urn:holdback:problem:challenge", "title": "Not open", "status": 409, "pointer": "/challenge"}
    fake = FakeHoldback(STEPPED_UP, httpx.Response(409, json=said), ALLOWED)
    opened = door(fake)
    asked = opened.withdraw("order-1")
    assert isinstance(asked, StepUp)

    with pytest.raises(ChallengeRefused) as caught:
        opened.resume(asked, [TOTP])

    assert (caught.value.status, caught.value.pointer) == (409, "/challenge")
    assert isinstance(opened.withdraw("order-1-anew"), Allow)
    assert "challenge" not in fake.bodies[-1]


def test_problems(door: Opening) -> None:
    """A refused request says what was wrong with which field, and is not tried again."""
    said = {
        "type": "https://holdback.example/problems/bad-field",
        "title": "Bad field",
        "status": 422,
        "detail": "Expected a decimal string",
        "pointer": "/amount",
        "new": 1,
    }
    fake = FakeHoldback(httpx.Response(422, json=said))
    with pytest.raises(Problem) as caught:
        door(fake).withdraw()

    problem = caught.value
    assert (problem.type, problem.title, problem.status) == (said["type"], "Bad field", 422)
    assert (problem.detail, problem.pointer) == ("Expected a decimal string", "/amount")
    assert str(problem) == "422 Expected a decimal string (/amount)"
    assert len(fake.asked) == 1


FOREIGN_PROBLEMS = [
    (b'{"pointer": null, "errors": [{"detail": "x", "pointer": "/a"}]}', "/a"),
    (b'{"detail": null, "errors": [{"pointer": null}]}', ""),
    (b"<h1>no</h1>", ""),
    (b"[]", ""),
]


def test_problems_in_other_words(door: Opening) -> None:
    """An error that is written in another way, or by something in between, is still a problem with its status."""
    for body, pointer in FOREIGN_PROBLEMS:
        with pytest.raises(Problem) as caught:
            door(FakeHoldback(httpx.Response(401, content=body))).withdraw()

        assert (caught.value.status, caught.value.title, caught.value.pointer) == (401, "Unauthorized", pointer)


@pytest.mark.parametrize("status", [500, 501, 409, 429])
def test_what_was_decided_is_not_asked_again(door: Opening, status: int) -> None:
    """Only statuses that say nobody has decided are tried again."""
    fake = FakeHoldback(httpx.Response(status), ALLOWED)

    with pytest.raises(Problem):
        door(fake).withdraw()
    assert len(fake.asked) == 1


NETWORK_FAILURES = [
    httpx.ConnectError("refused"),
    httpx.ReadTimeout("slow"),
    httpx.RemoteProtocolError("cut off"),
    httpx.Response(503),
    httpx.Response(502),
    httpx.Response(504),
]


@pytest.mark.parametrize("failure", NETWORK_FAILURES, ids=repr)
def test_failures_are_tried_again(door: Opening, failure: object) -> None:
    """After a failure the very same question is asked under the same idempotency key, so that it never acts twice."""
    fake = FakeHoldback(failure, failure, ALLOWED)
    opened = door(fake)

    assert isinstance(opened.withdraw(), Allow)
    assert fake.keys == ["order-1"] * 3
    assert fake.bodies == [WITHDRAWAL | {"actor": OWNER}] * 3
    assert len(opened.time.slept) == 2


def test_retry_after_is_honoured(door: Opening) -> None:
    """A server that asks to be left alone for a while is left alone for at least that long."""
    fake = FakeHoldback(httpx.Response(503, headers={"Retry-After": "2"}), ALLOWED)
    opened = door(fake)

    assert isinstance(opened.withdraw(), Allow)
    assert 2 <= opened.time.slept[0] <= 2.1


@pytest.mark.parametrize("after", ["Wed, 21 Oct 2026 07:28:00 GMT", "-1", "1.5", "\u00b2", "soon"])
def test_strange_retry_after(door: Opening, after: str) -> None:
    """A Retry-After in another form than seconds does not keep anyone from trying again soon."""
    fake = FakeHoldback(httpx.Response(503, headers=[(b"Retry-After", after.encode())]), ALLOWED)
    opened = door(fake)

    assert isinstance(opened.withdraw(), Allow)
    assert opened.time.slept[0] <= 0.1


@pytest.mark.parametrize("failure", NETWORK_FAILURES, ids=repr)
def test_patience_ends(door: Opening, failure: object) -> None:
    """After so many tries it is said that nothing is known, and never that it was allowed."""
    fake = FakeHoldback(failure)

    with pytest.raises(Problem if isinstance(failure, httpx.Response) else Unreachable):
        door(fake, Patience(tries=3)).withdraw()
    assert len(fake.asked) == 3


def test_deadlines_hold(door: Opening) -> None:
    """Nobody waits past the deadline, and no try is begun after it."""
    fake = FakeHoldback(httpx.Response(503, headers={"Retry-After": "4"}), ALLOWED)
    opened = door(fake, Patience(deadline_s=3))

    with pytest.raises(Problem, match="503"):
        opened.withdraw()
    assert opened.time.slept == []


def test_tries_are_cut_off_at_the_deadline(door: Opening) -> None:
    """A try may take no longer than what is left."""
    fake = FakeHoldback(httpx.Response(503, headers={"Retry-After": "2"}), ALLOWED)
    door(fake, Patience(try_s=5, deadline_s=6)).withdraw()
    first, second = (request.extensions["timeout"]["read"] for request in fake.asked)

    assert first == 5
    assert 3.9 <= second <= 4


def test_resuming(door: Opening) -> None:
    """Resuming asks the same question with challenge and proofs, under a fresh key that these proofs always give."""
    fake = FakeHoldback(STEPPED_UP, ALLOWED)
    opened = door(fake)
    step_up = opened.withdraw()
    assert isinstance(opened.resume(step_up, [TOTP]), Allow)
    opened.resume(step_up, [TOTP])
    opened.resume(step_up, [TOTP | {"response": "654321"}])
    opened.resume(step_up, [TOTP], idempotency_key="order-1b")
    first, again, same, other, given_key = fake.keys

    assert fake.bodies[1] == fake.bodies[0] | {"challenge": "s7", "proofs": [TOTP]}
    assert again == same
    assert len({first, again, other}) == 3
    assert given_key == "order-1b"


def test_what_a_key_signed_is_resumed_with_what_it_signs_anew(door: Opening) -> None:
    """A signature serves once, so without the next one nothing is sent; with it the rest stays as it was."""
    fake = FakeHoldback(STEPPED_UP, ALLOWED)
    opened = door(fake)
    first, second = (
        signed_actor("acct-1", WITHDRAWAL, key="k7", sign=by_secret("secret"), timestamp=1, nonce=nonce)
        for nonce in (1, 2)
    )
    asked = opened.ask("acct-1", WITHDRAWAL, actor=first, idempotency_key="k")
    with pytest.raises(ValueError, match="signs each request anew"):
        opened.resume(asked, [TOTP])
    assert isinstance(opened.resume(asked, [TOTP], actor=second), Allow)

    assert fake.bodies[1:] == [WITHDRAWAL | {"actor": second, "challenge": "s7", "proofs": [TOTP]}]


LEASED = {"pair": "BTC/USDT", "usd": "2.5", "seconds": 2, "reference": "64000", "quote_usd": "1"}


def test_a_lease_is_asked_for(door: Opening) -> None:
    """It goes by its own route without what a program signs as its action, and ends by when it was asked for."""
    fake = FakeHoldback(ALLOWED | {"id": "l7", "lease": LEASED}, DENIED)
    opened = door(fake)
    wanted = lease_action("BTC/USDT", settles="l6", used_usd="0.100000")
    actor = signed_actor("acct-1", wanted, key="k7", sign=by_secret("secret"), timestamp=1, nonce=1)
    lease = opened.lease("acct-1", wanted, actor=actor, context={"ip": "192.0.2.1"})
    assert lease is not None
    assert (lease.id, lease.pair, lease.allows("BTC/USDT", "buy", 64_002.0, 1.0)) == ("l7", "BTC/USDT", True)
    opened.time.now += 2
    assert not lease.allows("BTC/USDT", "buy", 64_000.0, 1.0)
    assert opened.lease("acct-1", lease_action("BTC/USDT"), actor=OWNER) is None

    assert [request.url.path for request in fake.asked] == ["/v1/accounts/acct-1/leases"] * 2
    assert "Idempotency-Key" not in fake.asked[0].headers
    own = {"pair": "BTC/USDT", "settles": "l6", "used_usd": "0.100000"}
    assert fake.bodies == [own | {"actor": actor, "context": {"ip": "192.0.2.1"}}, {"pair": "BTC/USDT", "actor": OWNER}]


@pytest.mark.parametrize("wrong", [{"usd": None}, {"seconds": "soon"}, {"reference": []}])
def test_a_lease_that_cannot_be_read_is_none(door: Opening, wrong: dict[str, object]) -> None:
    """What is not exactly a lease is an error, and nothing else than a lease is asked for here."""
    opened = door(FakeHoldback(ALLOWED | {"id": "l7", "lease": LEASED | wrong}))
    with pytest.raises(NotUnderstood):
        opened.lease("acct-1", lease_action("BTC/USDT"), actor=OWNER)
    with pytest.raises(ValueError, match=r"order\.lease"):
        opened.lease("acct-1", WITHDRAWAL, actor=OWNER)


def test_keys_tell_nothing_of_proofs() -> None:
    """Whoever reads a derived idempotency key in a log cannot try passwords against it without the platform's key."""
    keys = []
    for platform_key in ("key-1", "key-2"):
        fake = FakeHoldback(STEPPED_UP)
        with (
            httpx.Client(transport=httpx.MockTransport(fake)) as http,
            Holdback(BASE, platform_key, http=http) as client,
        ):
            step_up = client.ask("acct-1", WITHDRAWAL, actor=OWNER, idempotency_key="order-1")
            assert isinstance(step_up, StepUp)
            client.resume(step_up, [{"kind": "password", "response": "hunter2"}])
        keys.append(fake.keys[1])

    assert keys[0] != keys[1]


def test_signing_in(door: Opening) -> None:
    """Signing in goes by name, can be resumed, and carries the session once."""
    session = {"token": "very-secret", "expires_at": "2026-01-02T00:00:00.000Z"}
    fake = FakeHoldback(STEPPED_UP, ALLOWED | {"session": session})
    opened = door(fake)
    step_up = opened.sign_in("alice@example.com", context={"device": "d1"})
    allow = opened.resume(step_up, [TOTP])
    opened.sign_in("alice@example.com", proofs=[TOTP], challenge="s7", idempotency_key="k")

    assert [request.url.path for request in fake.asked] == ["/v1/sign-ins"] * 3
    assert fake.bodies[0] == {"name": "alice@example.com", "context": {"device": "d1"}}
    assert fake.bodies[1] == fake.bodies[0] | {"proofs": [TOTP], "challenge": "s7"}
    assert fake.bodies[2] == {"name": "alice@example.com", "proofs": [TOTP], "challenge": "s7"}
    assert len(set(fake.keys)) == 3
    assert isinstance(allow, Allow)
    assert allow.session is not None
    assert allow.session.token == "very-secret"


def test_each_question_shows_the_device_anew(door: Opening) -> None:
    """A device's proof goes with the sign-in or the actor, and a step-up is resumed with a fresh one."""
    session = {"token": "very-secret", "expires_at": "2026-01-02T00:00:00.000Z", "ath": "its-name"}
    fake = FakeHoldback(STEPPED_UP, ALLOWED | {"session": session}, STEPPED_UP, ALLOWED)
    opened = door(fake)
    allow = opened.resume(opened.sign_in("alice@example.com", dpop="first"), [TOTP], dpop="second")
    asked = opened.ask("acct-1", WITHDRAWAL, actor=OWNER | {"dpop": "third"}, idempotency_key="k")
    opened.resume(asked, [TOTP], dpop="fourth")

    assert [body.get("dpop") for body in fake.bodies] == ["first", "second", None, None]
    assert fake.bodies[3]["actor"] == OWNER | {"dpop": "fourth"}
    assert isinstance(allow, Allow)
    assert allow.session is not None
    assert allow.session.ath == "its-name"


def test_secrets_are_not_printed(door: Opening) -> None:
    """What is shown once to its owner, and what was asked with, does not end in a log by printing a decision."""
    enrolment = {"authenticator": "a7", "otpauth_uri": "otpauth://secret", "codes": ["code-secret"]}
    session = {"token": "token-secret", "expires_at": "2026-01-02T00:00:00.000Z"}
    fake = FakeHoldback(ALLOWED | {"enrolment": enrolment, "session": session}, STEPPED_UP)
    opened = door(fake)
    allow = opened.withdraw()
    step_up = opened.ask("acct-1", WITHDRAWAL | {"secret": "x-secret"}, actor=OWNER, idempotency_key="k")

    assert isinstance(allow, Allow)
    assert allow.enrolment is not None
    assert (allow.enrolment.authenticator, allow.enrolment.codes) == ("a7", ("code-secret",))
    assert "secret" not in repr(allow)
    assert TOKEN not in repr(allow)
    assert "secret" not in repr(step_up)


def test_lists_are_read_page_by_page(door: Opening) -> None:
    """A list is followed to its end by the cursors it gives."""
    fake = FakeHoldback(
        {"items": [{"id": "x1"}], "next": "a b&c"}, {"items": [], "next": "d"}, {"items": [{"id": "x2"}]}
    )

    assert door(fake).holds("acct-1") == [{"id": "x1"}, {"id": "x2"}]
    assert [str(request.url) for request in fake.asked] == [
        f"{BASE}/v1/accounts/acct-1/holds",
        f"{BASE}/v1/accounts/acct-1/holds?cursor=a+b%26c",
        f"{BASE}/v1/accounts/acct-1/holds?cursor=d",
    ]


def test_what_happened(door: Opening) -> None:
    """Events are listed like holds, and an account is shown whole."""
    events, account = FakeHoldback({"items": [{"seq": 1}], "next": None}), FakeHoldback({"account": "acct-1"})

    assert door(events).events("acct-1") == [{"seq": 1}]
    assert events.asked[0].url.path == "/v1/accounts/acct-1/events"
    assert door(account).account("acct-1") == {"account": "acct-1"}
    assert account.asked[0].url.path == "/v1/accounts/acct-1"


def test_lists_end(door: Opening) -> None:
    """A page that leads back to itself, or is none, is an error and not an endless loop."""
    endless: list[object] = [{"items": [], "next": "a"}, {"items": None}, [], httpx.Response(200, content=b"")]
    for answer in endless:
        with pytest.raises(NotUnderstood):
            door(FakeHoldback(answer)).holds("acct-1")
    with pytest.raises(NotUnderstood):
        door(FakeHoldback([])).account("acct-1")


@pytest.mark.parametrize("account", ["", ".", "..", "a/b", "../v1/x", "a?b", "a.b.c", "a\n", "\u00e9", "a" * 65])
def test_account_ids_lead_nowhere_else(door: Opening, account: str) -> None:
    """What is no account id is refused before anything is sent."""
    fake = FakeHoldback(ALLOWED)
    opened = door(fake)

    with pytest.raises(ValueError, match="account id"):
        opened.ask(account, WITHDRAWAL, actor=OWNER, idempotency_key="k")
    with pytest.raises(ValueError, match="account id"):
        opened.account(account)
    assert fake.asked == []


def test_what_cannot_be_named_is_not_asked(door: Opening) -> None:
    """What no receipt could name, what mixes in the envelope, and what has no usable key is refused unsent."""
    fake = FakeHoldback(ALLOWED)
    opened = door(fake)

    with pytest.raises(NotCanonical):
        opened.ask("acct-1", WITHDRAWAL | {"amount": 0.25}, actor=OWNER, idempotency_key="k")
    with pytest.raises(ValueError, match="dry_run, proofs"):
        opened.ask("acct-1", WITHDRAWAL | {"proofs": [], "dry_run": True}, actor=OWNER, idempotency_key="k")
    for key in ("", "a\nb", "a b", "\u00e9", "k" * 129):
        with pytest.raises(ValueError, match="idempotency key"):
            opened.withdraw(key)
    assert fake.asked == []


def test_fetched_keys_are_kept(door: Opening) -> None:
    """Keys are fetched once an hour; an unknown name makes them be fetched at most once a minute."""
    fake = FakeHoldback(SIGNER.jwks())
    opened = door(fake)
    asked = []
    for kid, later in ((None, 0), (None, 60), ("forged", 0), ("forged", 59), ("forged", 1), (None, 3500), (None, 100)):
        opened.time.now += later
        opened.fetch_keys(kid)
        asked.append(len(fake.asked))

    assert asked == [1, 1, 2, 2, 3, 3, 4]
    assert fake.asked[0].url.path == "/.well-known/jwks.json"


def test_keys_that_cannot_be_fetched_are_not_trusted(door: Opening) -> None:
    """Once they are old, keys that cannot be fetched again verify nothing."""
    fake = FakeHoldback(SIGNER.jwks(), httpx.ConnectError("refused"))
    opened = door(fake)
    opened.fetch_keys()
    opened.time.now += 3600

    with pytest.raises(Unreachable):
        opened.verify_receipt(TOKEN, account="acct-1", action=WITHDRAWAL, now=NOW)


def test_new_keys_are_met(door: Opening) -> None:
    """A receipt under a key that came after the last fetch is verified with keys fetched for it."""
    rotated = SIGNER.rotated()
    opened = door(FakeHoldback(SIGNER.jwks(), rotated.jwks()))
    old = opened.verify_receipt(TOKEN, account="acct-1", action=WITHDRAWAL, now=NOW)
    opened.time.now += 60
    new = opened.verify_receipt(rotated.sign(GOOD), account="acct-1", action=WITHDRAWAL, now=NOW)

    assert old.id == new.id == "acct-1/7"
    with pytest.raises(KeyUnknown):
        opened.verify_receipt(server.ReceiptKeys.generate().sign(GOOD), account="acct-1", action=WITHDRAWAL, now=NOW)
    with pytest.raises(ReceiptExpired):
        opened.verify_receipt(TOKEN, account="acct-1", action=WITHDRAWAL)


def test_forgeries_fetch_nothing(door: Opening) -> None:
    """What is not even written like a receipt is refused without asking anyone."""
    fake = FakeHoldback(SIGNER.jwks())

    with pytest.raises(ReceiptRefused):
        door(fake).verify_receipt("a.b.c", account="acct-1", action=WITHDRAWAL)
    assert fake.asked == []


def test_whose_connections_are_closed() -> None:
    """A client closes the connections it made, and leaves alone those it was given."""
    http = httpx.Client(transport=httpx.MockTransport(FakeHoldback(ALLOWED)))
    with Holdback(BASE, PLATFORM_KEY, http=http), Holdback(BASE, PLATFORM_KEY) as own:
        pass

    assert not http.is_closed
    with pytest.raises(RuntimeError, match="closed"):
        own.account("acct-1")


async def test_whose_connections_are_closed_async() -> None:
    """The same for the client that awaits."""
    http = httpx.AsyncClient(transport=httpx.MockTransport(FakeHoldback(ALLOWED)))
    async with AsyncHoldback(BASE, PLATFORM_KEY, http=http), AsyncHoldback(BASE, PLATFORM_KEY) as own:
        pass

    assert not http.is_closed
    with pytest.raises(RuntimeError, match="closed"):
        await own.account("acct-1")


def test_both_clients_offer_the_same() -> None:
    """Whoever knows one client knows the other."""

    def offered(client: type) -> dict[str, list[str]]:
        public = [(name, member) for name, member in inspect.getmembers(client, callable) if not name.startswith("_")]
        return {name: list(inspect.signature(member).parameters) for name, member in public}

    assert offered(Holdback) == offered(AsyncHoldback)
