"""A back-up holds everything; a store restored from one lets no exit go until it was shown what it forgot."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.contracts.conftest import Place
from tests.service.house import Customer, House, command, dump, settled
from tests.service.servers import before_now

from holdback import backup
from holdback.core import events as ev
from holdback.core.events import Lane

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from holdback.ports import Store

USD = 1_000_000
MANY = 70
"""More exits than a state remembers by name."""


@pytest.fixture(params=["the same kind", "the other kind"])
async def elsewhere(
    request: pytest.FixtureRequest, place: Place, house: House, tmp_path: Path, second_dsn: str
) -> AsyncIterator[Store]:
    """An empty store to restore into."""
    same = request.param == "the same kind"
    postgres = (place.kind == "postgres") == same
    target = Place("postgres", second_dsn) if postgres else Place("sqlite", str(tmp_path / "restored.db"))
    store = target.store(house.clock.now)
    await store.migrate()
    yield store
    await store.close()


async def saved(store: Store) -> io.BytesIO:
    """A back-up in memory."""
    file = io.BytesIO()
    await backup.save(store, file, lambda _: None)
    file.seek(0)
    return file


async def paid(one: Customer, usd: int) -> str:
    """The receipt of a payment."""
    answer = await one.ask(one.withdrawal(usd, proofs=one.proofs()))
    assert answer["decision"] == "allow", answer
    receipt: str = answer["receipt"]
    return receipt


async def drawn(house: House, account: str) -> int:
    """What an account let go to others today, in USD."""
    meter = (await house.head(account)).meters.get(Lane.OTHERS)
    return sum(meter.hours.values()) // USD if meter else 0


async def test_a_store_that_forgot(house: House, elsewhere: Store) -> None:
    """A restored store holds every exit, counts what it forgot once, and lets exits go when it is told to."""
    alice, bob = await settled(house, "alice", "bob")
    body = alice.withdrawal(100, proofs=alice.proofs())
    first = await house.answer("alice", body, "k")
    remembered = msgspec.json.decode(first)["receipt"]
    file, before = await saved(house.store), await dump(house.store)
    forgotten = [await paid(alice, 200), await paid(alice, 300), await paid(bob, 400)]
    carol = Customer(house, "carol")
    of_nobody = (await carol.ask(carol.importing()))["receipt"]

    await backup.restore(elsewhere, file, lambda _: None)
    anew = alice.house = bob.house = house.restarted(elsewhere)
    assert await dump(elsewhere) == before
    assert await anew.faults("alice", "bob") == []
    assert await anew.answer("alice", body, "k") == first

    held = await alice.ask(alice.withdrawal(1, proofs=alice.proofs()))
    assert (held["decision"], held["reasons"][0]["code"], held["hold"]["release_at"]) == ("hold", "reconciling", None)
    shown = [remembered, *forgotten, of_nobody, remembered[:-4] + "AAAA", forgotten[0]]
    outcome = await backup.reconcile(anew.service, shown)
    assert outcome == backup.Reconciled(known=2, forgotten=3, unknown_accounts=1, forged=1)
    assert (await drawn(anew, "alice"), await drawn(anew, "bob")) == (600, 400)
    assert await backup.reconcile(anew.service, shown) == outcome._replace(known=5, forgotten=0)
    assert (await drawn(anew, "alice"), await drawn(anew, "bob")) == (600, 400)
    assert (await alice.ask(alice.withdrawal(1, proofs=alice.proofs())))["decision"] == "hold"

    await elsewhere.set_reconciling(False)
    await anew.priced()
    assert await paid(alice, 50_000 - 600)
    over = await alice.ask(alice.withdrawal(1, proofs=alice.proofs()))
    assert (over["decision"], over["reasons"][0]["code"]) == ("hold", "over_budget")
    assert await anew.faults("alice", "bob") == []


async def test_nothing_else_is_held(house: House, elsewhere: Store) -> None:
    """While receipts are reconciled owners may sign in and protect themselves, and what waited goes on waiting."""
    (alice,) = await settled(house, "alice")
    held = await alice.ask(alice.withdrawal(60_000, proofs=alice.proofs()))
    await house.deliver()
    await backup.restore(elsewhere, await saved(house.store), lambda _: None)
    anew = alice.house = house.restarted(elsewhere)
    anew.clock.at += 25 * ev.HOUR
    await anew.priced()

    release = {"action": "exit.release", "which": held["hold"]["id"], "actor": {"kind": "platform"}}
    answer = await alice.ask(release)
    assert (answer["decision"], answer["reasons"][0]["code"]) == ("hold", "reconciling")
    await alice.sign_in()
    assert (await alice.ask(alice.body("limit.set", proofs=alice.proofs(), usd_per_day="1")))["decision"] == "allow"
    assert (await alice.ask(alice.body("account.freeze")))["decision"] == "allow"


async def test_receipts_of_a_busy_account(house: House, elsewhere: Store) -> None:
    """More forgotten receipts than a state remembers are counted once each, however often they are shown."""
    (alice,) = await settled(house, "alice")
    file = await saved(house.store)
    keys = house.service.tools.receipts
    one = keys.read(await paid(alice, 1))
    receipts = [keys.sign(msgspec.structs.replace(one, id=f"alice/{900 + place}/00000000")) for place in range(MANY)]

    await backup.restore(elsewhere, file, lambda _: None)
    anew = house.restarted(elsewhere)

    for _ in range(2):
        await backup.reconcile(anew.service, receipts)
        assert await drawn(anew, "alice") == MANY
        assert len(await anew.happened("alice", ev.ExitReconciled)) == MANY


async def test_what_was_forgotten_is_known_to_the_breaker(house: House, elsewhere: Store) -> None:
    """What a restored store is shown counts for the circuit breaker, at the time it left: a day of it trips nothing."""
    (alice,) = await settled(house, "alice")
    file = await saved(house.store)
    receipts, given = [], []
    for _ in range(2):
        house.clock.at += ev.HOUR // 2
        await house.priced()
        receipts.append(await paid(alice, 3_000))
        given.append(house.clock.at // 1000 * 1000)
    await backup.restore(elsewhere, file, lambda _: None)
    anew = house.restarted(elsewhere)
    house.clock.at += ev.DAY

    for _ in range(2):
        await backup.reconcile(anew.service, receipts)
        assert [(row.at, row.new_micro_usd) for row in sorted(await elsewhere.flows(0))] == [
            (at, 3_000 * USD) for at in given
        ]


async def test_what_was_received_is_marked_again(house: House, elsewhere: Store) -> None:
    """Who received a forgotten transfer has the mark of it again, for its longest wait, and cannot send it on."""
    alice, bob = await settled(house, "alice", "bob")
    file = await saved(house.store)
    sent = alice.body("exit.request", kind="internal_transfer", asset="USDT", amount="700", counterparty="bob")
    receipt = (await alice.ask(sent | {"proofs": alice.proofs()}))["receipt"]
    assert house.service.tools.receipts.read(receipt).to == "bob"
    assert house.service.tools.receipts.read(await paid(alice, 1)).to == ""

    await backup.restore(elsewhere, file, lambda _: None)
    anew = bob.house = house.restarted(elsewhere)
    for known in (0, 1):
        outcome = await backup.reconcile(anew.service, [receipt])
        assert (outcome.known, outcome.forgotten) == (known, 1 - known)
    await elsewhere.set_reconciling(False)

    (mark,) = await anew.happened("bob", ev.ValueReceived)
    assert mark.micro_usd == 700 * USD
    assert mark.until - mark.at >= 72 * ev.HOUR
    assert await drawn(anew, "alice") == 700
    on = await bob.ask(bob.withdrawal(999_500, proofs=bob.proofs()))
    assert "received_lately" in {reason["code"] for reason in on["reasons"]}
    assert await anew.faults("alice", "bob") == []


async def test_a_receiver_who_was_forgotten_too(house: House, elsewhere: Store) -> None:
    """A transfer to a customer who came after the back-up still draws on its sender."""
    (alice,) = await settled(house, "alice")
    file = await saved(house.store)
    bob = Customer(house, "bob")
    await bob.ask(bob.importing("alice"))
    sent = alice.body("exit.request", kind="internal_transfer", asset="USDT", amount="20", counterparty="bob")
    receipt = (await alice.ask(sent | {"proofs": alice.proofs()}))["receipt"]

    await backup.restore(elsewhere, file, lambda _: None)
    anew = house.restarted(elsewhere)

    assert (await backup.reconcile(anew.service, [receipt])).forgotten == 1
    assert await drawn(anew, "alice") == 20


async def test_forgotten_sweeps_draw_nothing(house: House, elsewhere: Store) -> None:
    """A move between a customer's own accounts is noted again and, as when it was allowed, draws on no budget."""
    (alice,) = await settled(house, "alice")
    file = await saved(house.store)
    sweep = alice.body("exit.request", kind="sweep", asset="USDT", amount="5", usd="5", counterparty="trading")
    receipt = (await alice.ask(sweep))["receipt"]

    await backup.restore(elsewhere, file, lambda _: None)
    anew = house.restarted(elsewhere)
    for known in (0, 1):
        outcome = await backup.reconcile(anew.service, [receipt])
        assert (outcome.known, outcome.forgotten) == (known, 1 - known)

    assert (await anew.head("alice")).meters == {}
    assert await anew.faults("alice") == []


async def test_ids_after_a_restore(house: House, elsewhere: Store) -> None:
    """A receipt given after a restore never has the id of one that was forgotten, which the signer consumed."""
    (alice,) = await settled(house, "alice")
    file = await saved(house.store)
    before = house.service.tools.receipts.read(await paid(alice, 1))
    await backup.restore(elsewhere, file, lambda _: None)
    await elsewhere.set_reconciling(False)
    alice.house = house.restarted(elsewhere)

    after = house.service.tools.receipts.read(await paid(alice, 1))

    assert before.id.split("@")[0] == after.id.split("@")[0]
    assert before.id != after.id


@pytest.mark.parametrize("forgotten", ["the release", "a fresh receipt"])
async def test_an_exit_that_was_paid_and_forgotten(house: House, elsewhere: Store, forgotten: str) -> None:
    """What the signer paid before a restore is over after it: drawn once, and no receipt has another id."""
    (alice,) = await settled(house, "alice")
    held = await alice.ask(alice.withdrawal(60_000, proofs=alice.proofs()))
    release = {"action": "exit.release", "which": held["hold"]["id"], "actor": {"kind": "platform"}}
    await house.deliver()
    house.clock.at += 25 * ev.HOUR
    await house.priced()
    unspent = (await alice.ask(release))["receipt"] if forgotten == "a fresh receipt" else ""
    file = await saved(house.store)
    receipt = (await alice.ask(release))["receipt"]
    keys = house.service.tools.receipts
    assert not unspent or keys.read(unspent).id == keys.read(receipt).id

    await backup.restore(elsewhere, file, lambda _: None)
    anew = alice.house = house.restarted(elsewhere)
    for known in (0, 1):
        outcome = await backup.reconcile(anew.service, [receipt])
        assert (outcome.known, outcome.forgotten) == (known, 1 - known)
    await elsewhere.set_reconciling(False)
    head = await anew.head("alice")
    assert (head.exits, head.unpaid) == ({}, {})
    assert sum(head.meters[Lane.TOTAL].days.values()) == 60_000 * USD
    refused = await alice.ask(release)
    assert (refused["decision"], refused["reasons"][0]["code"]) == ("deny", "already_settled")
    assert await anew.faults("alice") == []


async def test_what_is_no_back_up(house: House, elsewhere: Store) -> None:
    """A file that is something else, cut short or altered restores nothing, and leaves the store empty and in use."""
    await settled(house, "alice")
    whole = (await saved(house.store)).getvalue()
    for wrong in (b"", b"something else", whole[:-1], whole[: len(whole) // 2], whole[:-9] + bytes(9)):
        with pytest.raises(ValueError, match="back-up"):
            await backup.restore(elsewhere, io.BytesIO(wrong), lambda _: None)
    assert await dump(elsewhere) == []
    assert not (await elsewhere.read([])).reconciling

    counts: list[int] = []
    assert await backup.restore(elsewhere, io.BytesIO(whole), counts.append) == len(counts) - 2
    with pytest.raises(ValueError, match="not empty"):
        await backup.restore(elsewhere, io.BytesIO(whole), lambda _: None)


async def test_the_commands(
    tmp_path: Path, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`backup`, `restore` and `reconcile --release` bring a SQLite store over to PostgreSQL, exits held in between."""
    source, target = Place("sqlite", str(tmp_path / "holdback.db")), Place("postgres", postgres_dsn)
    file, receipts = tmp_path / "copy.hb", tmp_path / "receipts.txt"
    clock = before_now(2 * 73)
    store = source.store(clock.now)
    await store.migrate()
    house = House(store, clock)
    (alice,) = await settled(house, "alice")
    assert await command(monkeypatch, source, "backup", str(file)) == 0
    receipts.write_text(await paid(alice, 100) + "\n")
    await store.close()

    assert await command(monkeypatch, target, "migrate") == 0
    assert await command(monkeypatch, target, "restore", str(file)) == 0
    assert await command(monkeypatch, target, "restore", str(file)) == 2
    capsys.readouterr()
    shown = ("--receipts", str(receipts), "--release", "--json")
    assert await command(monkeypatch, target, "reconcile", *shown) == 0
    found: dict[str, Any] = msgspec.json.decode(capsys.readouterr().out)
    assert (found["forgotten"], found["released"]) == (1, True)
    restored = target.store()
    assert not (await restored.read([])).reconciling
    assert await drawn(house.restarted(restored), "alice") == 100
    await restored.close()
