"""A customer's program asks with an API key that Holdback made, or whose public half it was given."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.contracts.raw import execute
from tests.service.house import CALLER, HOME, STRANGER, Customer, House, command, settled

from holdback.answers import SHOWN_BEFORE
from holdback.api_keys import public_key_fault
from holdback.client import by_secret, lease_action, signed_actor
from holdback.core import events as ev
from holdback.core.events import HOUR, MINUTE
from holdback.core.state import REVOKED
from holdback.intake import BadRequest
from holdback.leaked_keys import BadList, keys_of, revoke
from holdback.service import Question
from holdback.views import Views

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.contracts.conftest import Place
    from tests.service.house import Hands

    from holdback.ports import Store

SERVER = "203.0.113.7"
PAYMENT: dict[str, Any] = {
    "action": "exit.request",
    "kind": "withdrawal",
    "asset": "USDT",
    "amount": "5",
    "usd": "5",
    "address": HOME,
    "network": "bitcoin",
}


@pytest.fixture
def house(store: Store, clock: Hands) -> House:
    """A house that is empty yet."""
    return House(store, clock)


class Program:
    """Something that asks by itself, with a key of alice's."""

    def __init__(self, alice: Customer, key: str, sign: Callable[[bytes], bytes]) -> None:
        self.alice, self.key, self.sign, self.nonce = alice, key, sign, 0

    def signed(self, action: dict[str, Any], **other: Any) -> dict[str, Any]:  # noqa: ANN401 - of `signed_actor`
        """The actor of a request that is signed now."""
        self.nonce += 1
        fields = {"timestamp": self.alice.house.clock.at, "nonce": self.nonce} | other
        return signed_actor("alice", action, key=self.key, sign=self.sign, **fields)

    async def ask(
        self, action: dict[str, Any], actor: dict[str, Any] | None = None, ip: str = SERVER
    ) -> dict[str, Any]:
        """Ask from its server."""
        return await self.alice.ask(action | {"actor": actor or self.signed(action), "context": {"ip": ip}})


async def created(alice: Customer, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """A key that can be used: made, told of, and its wait over."""
    known = {"network": "bitcoin", "address": HOME}
    assert (await alice.ask(alice.body("address.renew", proofs=alice.proofs(), **known)))["decision"] == "allow"
    said = {"name": "bot", "scopes": ["withdraw"], "ip_allowlist": ["203.0.113.0/24"]} | fields
    answer = await alice.ask(alice.body("api_key.create", proofs=alice.proofs(), **said))
    assert answer["decision"] == "allow", answer
    await alice.house.deliver()
    alice.house.clock.at += 73 * HOUR
    await alice.house.priced()
    return answer


async def with_secret(alice: Customer) -> Program:
    """A program that was given the secret as it was shown."""
    answer = await created(alice)
    told = msgspec.json.encode(await Views(alice.house.service).events("alice", 0, 200))
    assert answer["enrolment"]["secret"].encode() not in told
    return Program(alice, answer["id"], by_secret(answer["enrolment"]["secret"]))


async def test_a_secret_is_shown_once_and_signs(house: House) -> None:
    """Whoever was shown the secret can ask with it, each request once; it stands in no log and no view."""
    (alice,) = await settled(house, "alice")
    program = await with_secret(alice)
    actor = program.signed(PAYMENT)
    answer = await program.ask(PAYMENT, actor)
    assert (answer["decision"], bool(answer["receipt"])) == ("allow", True), answer
    again = await program.ask(PAYMENT, actor)
    assert [one["code"] for one in again["reasons"]] == ["api_key_replayed"]
    assert not await house.faults("alice")


async def test_the_secret_is_not_kept_with_the_answer(house: House) -> None:
    """Asked again under its idempotency key a new key is the same, and its secret is said to have been shown before."""
    (alice,) = await settled(house, "alice")
    body = alice.body("api_key.create", proofs=alice.proofs(), name="bot", scopes=["trade"])
    first, again = await alice.ask(body, "k"), await alice.ask(body, "k")
    shown = {name: again["enrolment"].pop(name) for name in ("secret", "text")}
    assert (len(first["enrolment"].pop("secret")), shown) == (64, {"secret": None, "text": SHOWN_BEFORE})
    assert again == first


async def test_nothing_is_kept_of_a_revoked_key(house: House) -> None:
    """Its part holds neither secret nor name nor networks, also if all end at once, and the log still folds into it."""
    (alice,) = await settled(house, "alice")
    made = await alice.ask(alice.body("api_key.create", proofs=alice.proofs(), name="bot", scopes=["trade"]))
    house.clock.at += MINUTE
    one, other = await with_secret(alice), made["id"]
    await alice.sign_in()
    await alice.ask(alice.body("api_key.revoke"))
    rows = {row.name: row for row in await house.store.parts("alice") if row.kind == "api_key"}
    parts = {name: house.service.tools.snapshots.part(row) for name, row in rows.items()}
    assert parts == {one.key: REVOKED, other: REVOKED}
    assert [found["code"] for found in (await one.ask(PAYMENT))["reasons"]] == ["api_key_wrong"]
    assert not await house.faults("alice")


async def test_a_pair_of_the_programs_own(house: House) -> None:
    """A program may keep its secret to itself and give the public half: nothing is shown, and it signs as well."""
    (alice,) = await settled(house, "alice")
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    text = base64.urlsafe_b64encode(public).rstrip(b"=").decode()
    answer = await created(alice, public_key=text)
    assert answer["enrolment"] is None
    program = Program(alice, answer["id"], private.sign)
    assert (await program.ask(PAYMENT))["decision"] == "allow"
    stranger = Program(alice, answer["id"], Ed25519PrivateKey.generate().sign)
    assert [one["code"] for one in (await stranger.ask(PAYMENT))["reasons"]] == ["api_key_wrong"]


async def test_what_was_signed_is_all_that_is_asked(house: House) -> None:
    """A signature serves its own action, account, key, time and nonce: a backend that changes one asks for nothing."""
    (alice,) = await settled(house, "alice")
    program = await with_secret(alice)
    entries = (await house.head("alice")).seq
    more = PAYMENT | {"amount": "500"}
    assert [one["code"] for one in (await program.ask(more, program.signed(PAYMENT)))["reasons"]] == ["api_key_wrong"]
    for changed in ({"nonce": 99}, {"timestamp": house.clock.at + 1}, {"key": "k1"}, {"signature": "A" * 43}):
        answer = await program.ask(PAYMENT, program.signed(PAYMENT) | changed)
        assert [one["code"] for one in answer["reasons"]] == ["api_key_wrong"]
    assert (await house.head("alice")).seq == entries


@pytest.mark.parametrize("ip", ["198.51.100.1", "2001:db8::1", ""])
async def test_it_asks_from_its_own_networks(house: House, ip: str) -> None:
    """From elsewhere, or from nobody knows where, a key asks for nothing; an IPv4 address may be written as IPv6's."""
    (alice,) = await settled(house, "alice")
    program = await with_secret(alice)
    refused = await program.ask(PAYMENT, ip=ip)
    assert [(one["code"], one["about"]) for one in refused["reasons"]] == [("api_key_scope", "ip_allowlist")]
    assert (await program.ask(PAYMENT, ip=f"::ffff:{SERVER}"))["decision"] == "allow"


@pytest.mark.parametrize(
    ("field", "value", "pointer"),
    [
        ("ip_allowlist", ["0.0.0.0/0"], "/ip_allowlist/0"),
        ("ip_allowlist", ["203.0.113.7", "2001:db8::/16"], "/ip_allowlist/1"),
        ("ip_allowlist", ["203.0.113.7/24"], "/ip_allowlist/0"),
        ("ip_allowlist", ["somewhere"], "/ip_allowlist/0"),
        ("ip_allowlist", [7], "/ip_allowlist/0"),
        ("public_key", "!" * 43, "/public_key"),
        ("public_key", 7, "/public_key"),
        ("scopes", ["everything"], "/scopes/0"),
        ("scopes", [], "/scopes"),
        ("secret", "mine", "/secret"),
        ("pairs", ["btc-usdt"], "/pairs/0"),
        ("expires_d", 0, "/expires_d"),
        ("addresses", [{"network": "bitcoin", "address": HOME[:-1] + "p"}], "/addresses/0/address"),
    ],
)
async def test_what_is_wrong_is_named(house: House, field: str, value: object, pointer: str) -> None:
    """Each field of a new key that cannot be is refused by its name."""
    (alice,) = await settled(house, "alice")
    said = {"name": "bot", "scopes": ["withdraw"], "ip_allowlist": [SERVER]} | {field: value}
    with pytest.raises(BadRequest) as refused:
        await alice.ask(alice.body("api_key.create", proofs=alice.proofs(), **said))
    assert refused.value.pointer == pointer


@pytest.mark.parametrize("missing", ["key", "timestamp", "nonce", "signature"])
async def test_half_a_signature_is_none(house: House, missing: str) -> None:
    """Everything that a signature is of must be said, and nobody else says any of it."""
    (alice,) = await settled(house, "alice")
    program = Program(alice, "k1", by_secret("secret"))
    actor = program.signed(PAYMENT)
    with pytest.raises(BadRequest, match="all four"):
        await alice.ask(PAYMENT | {"actor": {name: value for name, value in actor.items() if name != missing}})
    with pytest.raises(BadRequest, match="all four"):
        await alice.ask(PAYMENT | {"actor": {"kind": "platform", missing: actor[missing]}})


async def test_a_lease_is_signed_as_its_action(house: House) -> None:
    """What a program signs for a lease is the action, though the body that is sent names none."""
    (alice,) = await settled(house, "alice")
    answer = await created(alice, scopes=["trade"])
    program = Program(alice, answer["id"], by_secret(answer["enrolment"]["secret"]))

    async def asked(signed: dict[str, Any]) -> str:
        body = lease_action("BTC/USDT") | {"actor": program.signed(signed), "context": {"ip": SERVER}}
        found = await house.service.ask(Question(CALLER, "alice", body, "", b"", lease=True))
        return str(msgspec.json.decode(found)["reasons"][0]["code"])

    assert await asked({"pair": "BTC/USDT"}) == "api_key_wrong"
    assert await asked(lease_action("BTC/USDT")) == "price_unknown"  # nobody feeds the pair: it was listened to


async def test_an_unknown_key_is_one_that_did_not_sign(house: House) -> None:
    """Nobody learns which keys there are."""
    (alice,) = await settled(house, "alice")
    program = Program(alice, "k99", by_secret("secret"))
    assert [one["code"] for one in (await program.ask(PAYMENT))["reasons"]] == ["api_key_wrong"]


async def test_whom_it_may_pay_is_spelled_as_in_the_book(house: House) -> None:
    """A key's list of addresses means the same entries however they are written, and nobody else."""
    (alice,) = await settled(house, "alice")
    listed = [{"network": "bitcoin", "address": HOME.upper()}]
    answer = await created(alice, addresses=listed)
    program = Program(alice, answer["id"], by_secret(answer["enrolment"]["secret"]))
    assert (await program.ask(PAYMENT))["decision"] == "allow"
    refused = await program.ask(PAYMENT | {"address": STRANGER})
    assert [(one["code"], one["about"]) for one in refused["reasons"]] == [("api_key_scope", "addresses")]


async def test_a_leaked_list_revokes(house: House) -> None:
    """Every key on a list that there is ends and its owner is told; the others count as unknown; again all do."""
    (alice,) = await settled(house, "alice")
    program = await with_secret(alice)
    lines = ["# paste 7", "", f"alice:{program.key}", f" alice:{program.key} ", "alice:k999999", "nobody:k1"]
    looked_at: list[int] = []
    assert await revoke(house.service, keys_of(lines), looked_at.append) == (1, 2, ())
    assert looked_at == [1, 2, 3]
    assert [one["code"] for one in (await program.ask(PAYMENT))["reasons"]] == ["api_key_wrong"]
    await house.deliver()
    assert "Important: an API key was revoked" in [one.subject for one in house.post[ev.Channel.EMAIL].to(alice.mail)]
    assert await revoke(house.service, keys_of(lines), looked_at.append) == (0, 3, ())


def test_a_list_that_is_none_is_named_by_its_line() -> None:
    """A line that names no key stops everything before the first key is touched."""
    with pytest.raises(BadList, match="line 2"):
        keys_of(["alice:k1", "alice k2"])


async def test_the_command_revokes(
    house: House, place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """`holdback api-keys revoke-leaked` ends with 0 and says how many; a file that is no list ends with 2."""
    (alice,) = await settled(house, "alice")
    program = await with_secret(alice)
    leaked = tmp_path / "paste.txt"
    leaked.write_text(f"alice:{program.key}\n")
    assert await command(monkeypatch, place, "api-keys", "revoke-leaked", str(leaked), "--json") == 0
    assert '"revoked":1' in capsys.readouterr().out.replace(" ", "")
    assert not (await house.head("alice")).api_keys
    leaked.write_text("what is this\n")
    assert await command(monkeypatch, place, "api-keys", "revoke-leaked", str(leaked)) == 2
    assert await command(monkeypatch, place, "api-keys", "revoke-leaked", str(tmp_path / "none")) == 2


async def test_what_it_signed_for_a_dry_run_orders_nothing(house: House) -> None:
    """A signature serves for what it was made for: a dry run, or earnest, and at this Holdback."""
    (alice,) = await settled(house, "alice")
    answer = await created(alice)
    program = Program(alice, answer["id"], by_secret(answer["enrolment"]["secret"]))

    async def said(signed: dict[str, Any], *, dry_run: bool) -> str:
        body = PAYMENT | {"actor": signed, "context": {"ip": SERVER}, "dry_run": dry_run}
        found = await house.ask("alice", body)
        return str(found["reasons"][0]["code"])

    rehearsed = program.signed(PAYMENT, dry_run=True)
    assert await said(rehearsed, dry_run=True) == "proved"
    assert await said(rehearsed, dry_run=False) == "api_key_wrong"
    earnest = program.signed(PAYMENT)
    assert await said(earnest, dry_run=True) == "api_key_wrong"
    assert await said(program.signed(PAYMENT, issuer="other"), dry_run=False) == "api_key_wrong"
    assert await said(earnest, dry_run=False) == "proved"


@pytest.mark.parametrize("sign", [0, 0x80])
@pytest.mark.parametrize(
    "point",
    [
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        *(f"{low}{'ff' * 30}7f" for low in ("ec", "ed", "ee")),
    ],
)
def test_a_key_that_anybody_signs_with_is_none(point: str, sign: int) -> None:
    """Under a point of small order one signature fits every text: no such key is taken, however it is written."""
    raw = bytes.fromhex(point)
    written = base64.urlsafe_b64encode(raw[:31] + bytes([raw[31] | sign])).rstrip(b"=").decode()
    assert "small order" in public_key_fault(written)


async def test_one_altered_account_keeps_no_other_key_alive(house: House, place: Place) -> None:
    """The keys on a leaked list are revoked though an account before them cannot be read; that one is named."""
    people = await settled(house, "alice", "bob")
    fields = {"name": "bot", "scopes": ["trade"]}
    made = [await one.ask(one.body("api_key.create", proofs=one.proofs(), **fields)) for one in people]
    named = [(one.account, answer["id"]) for one, answer in zip(people, made, strict=True)]
    await execute(place, "UPDATE customers SET mac = link WHERE account = 'alice'")
    assert await revoke(house.service, named, lambda _: None) == (1, 0, ("alice",))
    assert not (await house.head("bob")).api_keys
