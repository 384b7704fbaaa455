"""Passkeys through the whole service: bound, confirmed, signing in, and confirming exactly what is done."""

from __future__ import annotations

import hashlib
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.passkeys.software import BE, BS, ORIGIN, RP_ID, UV, SoftKey, b64, unb64
from tests.service.house import CALLER, HOME, NOW, STRANGER, Customer, Hands, House, settings, somewhere

from holdback import wiring
from holdback.client.digest import action_digest
from holdback.core import events as ev
from holdback.core.events import HOUR
from holdback.intake import BadRequest
from holdback.judging import ChallengeRefused
from holdback.signing import signing_challenge
from holdback.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PASSKEYS = msgspec.structs.replace(settings(), rp_id=RP_ID, rp_origins=ORIGIN)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A house with a relying party, and nobody in it."""
    clock = Hands(NOW)
    store = SqliteStore(tmp_path / "store.db", clock.now)
    await store.migrate()
    yield House(store, clock, given=PASSKEYS)
    await store.close()


class Counted(SqliteStore):
    """A store that counts how often something was written to it."""

    written = 0

    async def count_attempts(self, *asked: Any) -> None:  # noqa: ANN401 - the store's own
        """Count it."""
        self.written += 1
        await super().count_attempts(*asked)

    @asynccontextmanager
    async def transaction(self, *, locks: bool = True) -> AsyncIterator[Any]:
        """Count those in which something is written."""
        async with super().transaction(locks=locks) as one:
            self.written += 1
            yield one


async def alice(house: House, key: SoftKey | None = None, **handed_over: Any) -> Customer:  # noqa: ANN401 - any JSON
    """A customer whose password, TOTP and, if there is a key, passkey are senior, and who is signed in."""
    person = Customer(house, "alice")
    body = person.importing()
    if key is not None:
        count = handed_over.pop("sign_count", 0)
        passkey = {"kind": "passkey", "secret": key.handed_over(**handed_over), "sign_count": count}
        body["authenticators"].append(passkey)
    answer = await person.ask(body)
    assert answer["decision"] == "allow", answer
    await house.deliver()
    for _ in range(2):
        house.clock.at += 73 * HOUR
        if key is None:
            await person.sign_in()
        else:
            person.session = (await by_passkey(person, key, "session.start"))["session"]["token"]
        await house.deliver()
    await house.priced()
    return person


async def by_passkey(person: Customer, key: SoftKey, action: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Ask, let the passkey sign what the answer says, and ask again with that."""
    if action == "session.start":
        person.session = ""
    asked = await person.ask(person.body(action, **fields))
    assert asked["decision"] == "step_up", asked
    return await person.ask(signed(person, key, asked, action, **fields))


def signed(person: Customer, key: SoftKey, asked: dict[str, Any], action: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """The same question with what a step-up asked for."""
    proof = {"kind": "passkey", "response": key.get(asked["challenge"]["passkey"])}
    return person.body(action, proofs=[proof], challenge=asked["challenge"]["id"], **fields)


PAYMENT: dict[str, Any] = {
    "kind": "withdrawal",
    "asset": "USDT",
    "amount": "25",
    "usd": "25",
    "address": HOME,
    "network": "bitcoin",
}


class TestBinding:
    """From one more way of confirming to one that counts."""

    async def bound(self, house: House, key: SoftKey) -> tuple[Customer, dict[str, Any], dict[str, Any]]:
        """A customer who has begun to register a passkey, and how registering was answered."""
        person = await alice(house)
        begun = await person.ask(person.body("authenticator.bind", kind="passkey", proofs=person.proofs()))
        assert begun["decision"] == "allow", begun
        name = begun["enrolment"]["authenticator"]
        response = key.create(begun["enrolment"]["passkey"])
        proof = {"kind": "passkey", "authenticator": name, "response": response}
        body = person.body("authenticator.confirm", authenticator=name, proofs=[proof])
        return person, begun, await person.ask(body)

    async def test_it_is_confirmed_by_registering_and_counts_after_its_wait(self, house: House) -> None:
        """Junior at first, it signs in; senior after 72 h, it alone confirms payments."""
        key = SoftKey(flags=UV | BE | BS)
        person, begun, confirmed = await self.bound(house, key)
        assert (confirmed["decision"], confirmed["reasons"][0]["code"]) == ("allow", "ripens_later")
        name = begun["enrolment"]["authenticator"]
        held = (await house.head("alice")).authenticators[name]
        assert (held.confirmed, held.counter, held.backed_up) == (True, 1, True)
        await house.deliver()
        asked = await person.ask(person.body("exit.request", **PAYMENT))
        assert asked["challenge"]["accept"] == [["totp"]]
        assert asked["challenge"]["passkey"] is None
        started = await by_passkey(person, key, "session.start")
        assert started["decision"] == "allow", started
        house.clock.at += 73 * HOUR
        started = await by_passkey(person, key, "session.start")
        person.session = started["session"]["token"]
        await house.deliver()
        asked = await person.ask(person.body("exit.request", **PAYMENT))
        assert asked["challenge"]["accept"] == [["passkey"]]
        paid = await person.ask(signed(person, key, asked, "exit.request", **PAYMENT))
        assert paid["decision"] in {"allow", "hold"}, paid
        assert not await house.faults("alice")

    async def test_registering_needs_the_strongest_that_is_held(self, house: House) -> None:
        """Nobody binds a passkey by less than what the account has, and no options are shown before."""
        person = await alice(house)
        answer = await person.ask(person.body("authenticator.bind", kind="passkey", proofs=person.proofs()[:1]))
        assert (answer["decision"], answer["enrolment"]) == ("step_up", None)
        assert answer["challenge"]["text"] == "Add a way of confirming: passkey."

    async def test_a_wrong_registration_is_refused(self, house: House) -> None:
        """What a page of another origin made is a wrong proof, and the passkey stays unconfirmed."""
        person = await alice(house)
        begun = await person.ask(person.body("authenticator.bind", kind="passkey", proofs=person.proofs()))
        name = begun["enrolment"]["authenticator"]
        response = SoftKey().create(begun["enrolment"]["passkey"], "https://evil.example")
        proof = {"kind": "passkey", "authenticator": name, "response": response}
        answer = await person.ask(person.body("authenticator.confirm", authenticator=name, proofs=[proof]))
        assert (answer["decision"], answer["reasons"][0]["code"]) == ("deny", "proof_wrong")
        assert not (await house.head("alice")).authenticators[name].confirmed

    async def test_one_that_is_held_is_excluded(self, house: House) -> None:
        """The options of the next registration name it, and registering it again is refused."""
        key = SoftKey()
        person, *_ = await self.bound(house, key)
        begun = await person.ask(person.body("authenticator.bind", kind="passkey", proofs=person.proofs()))
        assert [one["id"] for one in begun["enrolment"]["passkey"]["excludeCredentials"]] == [b64(key.name)]
        name = begun["enrolment"]["authenticator"]
        proof = {"kind": "passkey", "response": key.create(begun["enrolment"]["passkey"])}
        answer = await person.ask(person.body("authenticator.confirm", authenticator=name, proofs=[proof]))
        assert answer["reasons"][0]["code"] == "proof_wrong"

    async def test_the_secret_is_never_sent(self, house: House) -> None:
        """Nobody outside chooses what is kept of a passkey."""
        person = await alice(house)
        with pytest.raises(BadRequest) as refused:
            await person.ask(person.body("authenticator.confirm", authenticator="a9", secret="x"))
        assert refused.value.pointer == "/secret"

    async def test_backup_codes_can_be_bound(self, house: House) -> None:
        """What is kept of a set of codes is longer than anything that may be sent."""
        person = await alice(house)
        answer = await person.ask(person.body("authenticator.bind", kind="backup_code", proofs=person.proofs()))
        assert len(answer["enrolment"]["codes"]) == 10


class TestSigningIn:
    """A session by passkey alone: it is two factors."""

    async def test_it_signs_in(self, house: House) -> None:
        """By sign-in name, with no password, and no passkey is named that the browser finds by itself."""
        key = SoftKey()
        await alice(house, key, discoverable=True)
        asked = await self.sign_in(house, {})
        assert (asked["challenge"]["text"], asked["challenge"]["passkey"]["allowCredentials"]) == ("Sign in.", [])
        proof = {"kind": "passkey", "response": key.get(asked["challenge"]["passkey"])}
        answer = await self.sign_in(house, {"proofs": [proof], "challenge": asked["challenge"]["id"]})
        assert answer["decision"] == "allow", answer
        assert answer["session"]["token"]

    async def test_one_the_browser_would_not_find_is_named(self, house: House) -> None:
        """A passkey that the platform handed over without saying that it is discoverable."""
        key = SoftKey()
        await alice(house, key)
        asked = await self.sign_in(house, {})
        assert [one["id"] for one in asked["challenge"]["passkey"]["allowCredentials"]] == [b64(key.name)]

    async def test_a_stranger_is_answered_in_the_same_shape(self, house: House) -> None:
        """A name that nobody has gets the fields that a name with a password and TOTP gets."""
        await alice(house)
        known, unknown = await self.sign_in(house, {}), await self.sign_in(house, {}, "nobody@example.com")
        assert known.keys() == unknown.keys()
        assert known["challenge"].keys() == unknown["challenge"].keys()
        for field in ("text", "nonce", "passkey", "accept"):
            assert known["challenge"][field] == unknown["challenge"][field]

    async def test_what_it_signs_bears_the_names_that_are_shown(self, house: House) -> None:
        """The challenge is made of the id and the nonce in the answer, though the account's own id never leaves."""
        key = SoftKey()
        await alice(house, key, discoverable=True)
        asked = (await self.sign_in(house, {}))["challenge"]
        digest = action_digest("alice", {"action": "session.start"})
        made = signing_challenge("alice", asked["id"], digest, bytes.fromhex(asked["nonce"]))
        assert unb64(asked["passkey"]["challenge"]) == made
        assert asked["id"] not in (await house.head("alice")).challenges

    async def test_it_signs_in_once(self, house: House) -> None:
        """What signed one sign-in signs no other, though the name of its challenge is still good."""
        key = SoftKey()
        await alice(house, key, discoverable=True)
        asked = await self.sign_in(house, {})
        proof = {"kind": "passkey", "response": key.get(asked["challenge"]["passkey"])}
        shown = {"proofs": [proof], "challenge": asked["challenge"]["id"]}
        assert (await self.sign_in(house, shown))["decision"] == "allow"
        await self.sign_in(house, {})
        again = await self.sign_in(house, shown)
        assert (again["decision"], again["reasons"][0]["code"]) == ("step_up", "proof_wrong")

    async def test_names_of_nobody_ask_for_passkeys_too(self, house: House) -> None:
        """Some of them, with every field that a real one's answer has, nothing shared, the same when asked again."""
        await alice(house, SoftKey(), discoverable=True)
        known = (await self.sign_in(house, {}))["challenge"]
        names = [f"nobody-{number}@example.com" for number in range(120)]
        asked = {name: (await self.sign_in(house, {}, name))["challenge"] for name in names}
        invented = {name: one for name, one in asked.items() if one["accept"] == known["accept"]}
        assert len(invented) > 4
        for name, one in invented.items():
            assert one.keys() == known.keys()
            assert one["passkey"].keys() == known["passkey"].keys()
            assert len(one["nonce"]) == len(known["nonce"])
            assert [one[field] for field in ("text", "expires_at")] == [
                known[field] for field in ("text", "expires_at")
            ]
            assert one["passkey"]["timeout"] == known["passkey"]["timeout"]
            assert one == (await self.sign_in(house, {}, name))["challenge"]
        passkeys = [one["passkey"] for one in invented.values()]
        assert len({one["nonce"] for one in invented.values()}) == len(invented)
        assert len({one["challenge"] for one in passkeys}) == len(invented)
        lists = [one["allowCredentials"] for one in passkeys if one["allowCredentials"]]
        named = [one["id"] for some in lists for one in some]
        assert 0 < len(lists) < len(invented)
        assert len(set(named)) == len(named)
        assert {len(some) for some in lists} == {1, 2}
        assert len({len(one) for one in named}) > 2

    async def test_a_named_passkey_is_like_an_invented_one(self, house: House) -> None:
        """To strangers one that no browser finds by itself is an id alone; to whoever is signed in it is whole."""
        person = await alice(house, SoftKey(), transports=["usb"])
        (shown,) = (await self.sign_in(house, {}))["challenge"]["passkey"]["allowCredentials"]
        assert shown.keys() == {"id", "type"}
        asked = await person.ask(person.body("lock.set", hours=5))
        assert asked["challenge"]["passkey"]["allowCredentials"] == [shown | {"transports": ["usb"]}]

    async def test_a_challenge_that_ends_betrays_no_name(self, house: House) -> None:
        """Within one minute a name gets one challenge, also when the one that was open ends."""
        await alice(house, SoftKey(), discoverable=True)
        house.clock.at += 30_000
        await self.sign_in(house, {})
        seen = []
        for later in (9 * 60_000 + 50_000, 20_000):
            house.clock.at += later
            asked = (await self.sign_in(house, {}))["challenge"]
            seen.append((asked["id"], asked["nonce"], asked["passkey"]["challenge"]))
        assert seen[0] == seen[1]

    async def test_a_name_of_nobody_writes_as_often_as_a_known_one(self, tmp_path: Path) -> None:
        """A first question is written down whoever's name it is, and so after a restart; those that follow are not."""
        clock = Hands(NOW)
        store = Counted(tmp_path / "counted.db", clock.now)
        await store.migrate()
        house = House(store, clock, given=PASSKEYS)
        key = SoftKey()
        person = await alice(house, key, discoverable=True)
        accept = (await self.sign_in(house, {}))["challenge"]["accept"]
        names = [f"nobody-{number}@example.com" for number in range(40)]
        asked = {name: (await self.sign_in(house, {}, name))["challenge"]["accept"] for name in names}
        unknown = next(name for name, found in asked.items() if found == accept)
        wrong = {"proofs": [{"kind": "passkey", "response": "{}"}]}
        seen: dict[str, list[int]] = {}
        for name in (person.mail, unknown):
            house = house.restarted(store)
            clock.at += 11 * 60_000
            for again in range(6):
                if again == 2:
                    house = house.restarted(store)
                if again == 4:
                    clock.at += 11 * 60_000
                before = store.written
                await self.sign_in(house, wrong if again == 5 else {}, name)
                seen.setdefault(name, []).append(store.written - before)
        assert seen[person.mail] == seen[unknown] == [1, 0, 1, 0, 1, 1]
        await store.close()

    async def sign_in(self, house: House, body: dict[str, Any], name: str = "alice@example.com") -> dict[str, Any]:
        """Ask to start a session by sign-in name."""
        raw = msgspec.json.encode(body)
        answer: dict[str, Any] = msgspec.json.decode(await house.service.sign_in(CALLER, name, body, "", raw))
        return answer


class TestConfirming:
    """What is confirmed is exactly what is done, once."""

    async def test_the_challenge_is_made_of_the_actions_digest(self, house: House) -> None:
        """Whoever sees the action can compute what its passkey is asked to sign."""
        key = SoftKey()
        person = await alice(house, key)
        asked = (await person.ask(person.body("exit.request", **PAYMENT)))["challenge"]
        digest = action_digest("alice", {"action": "exit.request", **PAYMENT})
        lines = f"holdback passkey 1\nalice\n{asked['id']}\n{digest.hex()}\n{asked['nonce']}"
        assert unb64(asked["passkey"]["challenge"]) == hashlib.sha256(lines.encode()).digest()
        assert unb64(asked["passkey"]["challenge"]) == signing_challenge(
            "alice", asked["id"], digest, bytes.fromhex(asked["nonce"])
        )
        assert asked["text"] == f"Send 25 USDT to {HOME} by bitcoin (withdrawal)."
        assert [one["id"] for one in asked["passkey"]["allowCredentials"]] == [b64(key.name)]
        assert (asked["passkey"]["userVerification"], asked["passkey"]["timeout"]) == ("required", 600_000)

    async def test_a_withdrawal_is_confirmed(self, house: House) -> None:
        """The owner signs, the exit is decided, and the receipt is for the same digest."""
        person = await alice(house, key := SoftKey())
        answer = await by_passkey(person, key, "exit.request", **PAYMENT)
        assert answer["decision"] in {"allow", "hold"}, answer
        used = (await house.happened("alice", ev.ProofUsed))[-1]
        assert (used.authenticator, used.counter) == ("a1-3", key.counter)

    @pytest.mark.parametrize("changed", [{"amount": "26"}, {"address": STRANGER}, {"asset": "BTC"}])
    async def test_a_changed_action_is_refused(self, house: House, changed: dict[str, str]) -> None:
        """An amount, address or asset that was changed after it was confirmed is another action."""
        person = await alice(house, key := SoftKey())
        asked = await person.ask(person.body("exit.request", **PAYMENT))
        with pytest.raises(ChallengeRefused):
            await person.ask(signed(person, key, asked, "exit.request", **(PAYMENT | changed)))
        again = await person.ask(person.body("exit.request", **(PAYMENT | changed)))
        assert again["challenge"]["passkey"]["challenge"] != asked["challenge"]["passkey"]["challenge"]
        crossed = signed(person, key, asked, "exit.request", **(PAYMENT | changed))
        answer = await person.ask(crossed | {"challenge": again["challenge"]["id"]})
        assert (answer["decision"], answer["reasons"][0]["code"]) == ("step_up", "proof_wrong")

    async def test_an_assertion_serves_once(self, house: House) -> None:
        """The same answer again meets a challenge that is closed, also of a passkey that counts nothing."""
        person = await alice(house, key := SoftKey(counts=False))
        asked = await person.ask(person.body("lock.set", hours=24))
        body = signed(person, key, asked, "lock.set", hours=24)
        assert (await person.ask(body))["decision"] == "allow"
        with pytest.raises(ChallengeRefused):
            await person.ask(body)

    async def test_without_a_challenge_nothing_is_proved(self, house: House) -> None:
        """An assertion that answers nothing is a wrong proof."""
        person = await alice(house, key := SoftKey())
        asked = await person.ask(person.body("lock.set", hours=24))
        body = signed(person, key, asked, "lock.set", hours=24)
        answer = await person.ask({name: value for name, value in body.items() if name != "challenge"})
        assert (answer["decision"], answer["reasons"][0]["code"]) == ("step_up", "proof_wrong")

    async def test_one_challenge_is_not_anothers(self, house: House) -> None:
        """Signed for one customer, it proves nothing for another who holds the same key."""
        key = SoftKey()
        person = await alice(house, key)
        bob = Customer(house, "bob")
        body = bob.importing("alice")
        body["authenticators"].append({"kind": "passkey", "secret": key.handed_over()})
        await bob.ask(body)
        asked = await bob.ask(bob.body("session.start"))
        mine = await person.ask(person.body("session.start") | {"actor": {"kind": "owner"}})
        response = key.get(mine["challenge"]["passkey"])
        proofs = [{"kind": "passkey", "response": response}]
        answer = await bob.ask(bob.body("session.start", proofs=proofs, challenge=asked["challenge"]["id"]))
        assert answer["reasons"][0]["code"] == "proof_wrong"

    async def test_a_copy_is_refused_by_its_counter(self, house: House) -> None:
        """Two devices with one key count apart, and the one that lags behind is refused for a reason of its own."""
        key = SoftKey(counter=100)
        person = await alice(house, key, sign_count=100)
        copy = SoftKey(key.key, key.name, counter=50)
        answer = await by_passkey(person, copy, "lock.set", hours=24)
        assert (answer["decision"], answer["reasons"][0]["code"]) == ("step_up", "authenticator_cloned")
        assert (await by_passkey(person, key, "lock.set", hours=24))["decision"] == "allow"

    async def test_it_expires(self, house: House) -> None:
        """A challenge stands for ten minutes."""
        person = await alice(house, key := SoftKey())
        asked = await person.ask(person.body("lock.set", hours=24))
        body = signed(person, key, asked, "lock.set", hours=24)
        house.clock.at += 600_000
        with pytest.raises(ChallengeRefused):
            await person.ask(body)

    async def test_a_large_book_changes_nothing(self, house: House) -> None:
        """A customer whose parts are not read as a whole is asked for his passkey all the same."""
        person = await alice(house, key := SoftKey())
        for number in range(20):
            fields = {"name": f"n{number}", "network": "bitcoin", "address": somewhere(f"{number}")}
            assert (await by_passkey(person, key, "address.add", **fields))["decision"] == "allow"
        assert (await by_passkey(person, key, "lock.set", hours=24))["decision"] == "allow"


class TestNotSetUp:
    """A deployment without a relying party."""

    async def test_binding_is_not_available(self, tmp_path: Path) -> None:
        """Passkeys are refused for a reason that names the kind."""
        house = await self.without(tmp_path)
        person = await alice(house)
        answer = await person.ask(person.body("authenticator.bind", kind="passkey", proofs=person.proofs()))
        assert (answer["decision"], answer["reasons"][0]["code"], answer["reasons"][0]["about"]) == (
            "deny",
            "not_available",
            "kind",
        )
        await house.store.close()

    async def test_importing_names_the_settings(self, tmp_path: Path) -> None:
        """A passkey that could never prove is not taken over."""
        house = await self.without(tmp_path)
        body = Customer(house, "alice").importing()
        body["authenticators"].append({"kind": "passkey", "secret": SoftKey().handed_over()})
        with pytest.raises(BadRequest, match="HOLDBACK_RP_ID") as refused:
            await house.ask("alice", body)
        assert refused.value.pointer == "/authenticators/2/secret"
        await house.store.close()

    async def without(self, tmp_path: Path) -> House:
        """A house without passkeys."""
        clock = Hands(NOW)
        store = SqliteStore(tmp_path / "none.db", clock.now)
        await store.migrate()
        return House(store, clock)

    @pytest.mark.parametrize(
        ("domain", "origins"),
        [
            ("example.com", ""),
            ("", "https://example.com"),
            ("example.com", "http://example.com"),
            ("example.com", "https://example.com/"),
            ("example.com", "https://badexample.com"),
            ("example.com", "https://example.com https://evil.example"),
            ("example.com", "https://example.com:x"),
            ("example.com", "example.com"),
        ],
    )
    def test_settings_no_browser_would_accept(self, domain: str, origins: str) -> None:
        """Half a relying party, or pages that are not its own, are refused at the start, naming the variable."""
        with pytest.raises(wiring.SettingError, match="HOLDBACK_RP_"):
            wiring.passkeys(wiring.Settings(rp_id=domain, rp_origins=origins))

    @pytest.mark.parametrize(
        "origins",
        [
            "https://example.com",
            "https://a.example.com:8443  https://example.com",
            "android:apk-key-hash:" + "a" * 43 + " https://example.com",
        ],
    )
    def test_settings_of_a_relying_party(self, origins: str) -> None:
        """Its own pages, and apps that name their key."""
        assert wiring.passkeys(wiring.Settings(rp_id="example.com", rp_origins=origins)) is not None
        assert wiring.passkeys(wiring.Settings(rp_id="localhost", rp_origins="http://localhost:8400")) is not None


def test_a_response_says_nothing_of_its_size() -> None:
    """The longest credential id that WebAuthn knows fits into a proof."""
    key = SoftKey(name=bytes(1023))
    options = {"rpId": RP_ID, "challenge": b64(bytes(32))}
    assert len(key.get(options)) < 8192
    assert json.loads(key.get(options))["rawId"] == b64(bytes(1023))
