"""What somebody changes in the database by hand is noticed: at the next load, or by `holdback verify` (law 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.contracts.raw import execute
from tests.service.house import HOME, STRANGER, House, command, settled

from holdback import audit
from holdback.core import events as ev
from holdback.core import ledger
from holdback.core.events import ENCODER, decode_events
from holdback.core.state import STATE_VERSION
from holdback.ports import StoreUnavailable, Wanted
from holdback.sealing import SealBroken
from holdback.snapshots import NewerState, Tampered

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contracts.conftest import Place
    from tests.service.house import Customer

    from holdback.audit import Fault
    from holdback.ports import PartRow, Snapshot

REFUSED = (Tampered, NewerState, SealBroken, StoreUnavailable)


def quoted(place: Place, value: bytes) -> str:
    """Bytes as a literal."""
    return f"'\\x{value.hex()}'::bytea" if place.kind == "postgres" else f"x'{value.hex()}'"


async def off_guard(place: Place) -> None:
    """Take the triggers off that keep entries as they are; whoever owns the table can."""
    if place.kind == "postgres":
        await execute(place, "ALTER TABLE entries DISABLE TRIGGER USER")
    else:
        for trigger in ("entries_not_changed", "entries_not_deleted"):
            await execute(place, f"DROP TRIGGER {trigger}")


async def row(house: House, account: str) -> Snapshot:
    """A customer's head row."""
    return (await house.store.read([Wanted(account)])).snapshots[account]


async def put_back(place: Place, old: Snapshot) -> None:
    """Put an older head row in place of the newer one."""
    link, head, mac = (quoted(place, one) for one in (old.link, old.head, old.mac))
    await execute(
        place,
        f"UPDATE customers SET version = {old.version}, seq = {old.seq}, link = {link}, head = {head}, mac = {mac}"  # noqa: S608 - the test's own values
        f" WHERE account = '{old.account}'",
    )


async def part(house: House, account: str, name: str) -> PartRow:
    """The beneficiary that an account has at an address."""
    loaded = await row(house, account)
    key = house.service.tools.snapshots.key_of(account, loaded.key)
    wanted = f"bitcoin.{key.seal_destination(name).name}"
    return next(one for one in await house.store.parts(account) if one.name == wanted)


async def pair(house: House) -> tuple[Customer, Customer]:
    """Alice, who has paid, and Bob, who has a past of the same length."""
    alice, bob = await settled(house, "alice", "bob")
    await alice.ask(alice.withdrawal(10, proofs=alice.proofs()))
    return alice, bob


async def refused(house: House, one: Customer) -> bool:
    """Whether the account is out of service, as a house sees it that remembers nothing."""
    anew = house.restarted(house.store)
    try:
        await anew.ask(one.account, one.withdrawal(1, proofs=one.proofs()))
    except REFUSED:
        return True
    return False


def said(faults: list[Fault]) -> str:
    """What `verify` says of alice alone; everyone else must be well."""
    assert {one.account for one in faults} <= {"alice"}
    return "; ".join(one.why for one in faults)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("head = mac", "the state was altered"),
        ("mac = link", "the state was altered"),
        ("seq = seq + 1", "the head counts"),
        ("seq = seq - 1", "the head counts"),
        ("link = (SELECT link FROM customers c WHERE c.account = 'bob')", "the head names another link"),
        (f"version = {STATE_VERSION + 1}", "the state was altered"),
        ("head = (SELECT head FROM customers c WHERE c.account = 'bob')", "the state was altered"),
        ("key = (SELECT key FROM customers c WHERE c.account = 'bob')", "the state was altered"),
        ("key = mac", "the state was altered"),
    ],
)
async def test_a_head_row(house: House, place: Place, change: str, why: str) -> None:
    """A head row with any column changed serves nobody, is named by `verify`, and harms no other account."""
    alice, bob = await pair(house)
    assert await house.faults("alice", "bob") == []

    await execute(place, f"UPDATE customers SET {change} WHERE account = 'alice'")  # noqa: S608 - the test's own values

    assert why in said(await house.faults("alice", "bob"))
    assert await refused(house, alice)
    assert not await refused(house, bob)


async def test_an_event(house: House, place: Place) -> None:
    """An entry whose body was changed is named by `verify`; nobody can change one by accident."""
    await pair(house)
    change = "UPDATE entries SET body = link WHERE account = 'alice' AND seq = 3"
    with pytest.raises(Exception, match="append-only"):
        await execute(place, change)
    assert await house.faults("alice", "bob") == []

    await off_guard(place)
    await execute(place, change)

    assert said(await house.faults("alice", "bob")) == "entry 3 was altered"


async def test_an_event_and_its_link(house: House, place: Place) -> None:
    """An entry whose body and link were both changed, so that they fit each other, breaks the chain at the next one."""
    await pair(house)
    entry = (await house.store.entries("alice", 2, 1))[0]
    before = (await house.store.entries("alice", 1, 1))[0]
    body = entry.body + b"\x00"
    await off_guard(place)
    forged = quoted(place, ledger.link("alice", 3, before.link, body))
    change = f"body = {quoted(place, body)}, link = {forged}"
    await execute(place, f"UPDATE entries SET {change} WHERE account = 'alice' AND seq = 3")  # noqa: S608 - as above

    assert said(await house.faults("alice", "bob")) == "entry 4 was altered"


@pytest.mark.parametrize("readable", [True, False])
async def test_a_whole_chain(house: House, place: Place, readable: bool) -> None:  # noqa: FBT001 - pytest's parameter
    """A chain that was forged from one entry to its head, links and all, does not carry the head's MAC."""
    await pair(house)
    await off_guard(place)
    entries = await audit.stream(house.store, "alice")
    before = entries[1].link
    decided, *events = decode_events(entries[2].body)
    forged = ENCODER.encode([msgspec.structs.replace(decided, decision="deny"), *events]) if readable else b"?"
    for entry in entries[2:]:
        body = entry.body if entry.seq > 3 else forged
        before = ledger.link("alice", entry.seq, before, body)
        change = f"body = {quoted(place, body)}, link = {quoted(place, before)}"
        await execute(place, f"UPDATE entries SET {change} WHERE account = 'alice' AND seq = {entry.seq}")  # noqa: S608 - as above
    await execute(place, f"UPDATE customers SET link = {quoted(place, before)} WHERE account = 'alice'")  # noqa: S608 - as above

    assert ("the state was altered" if readable else "the log cannot be read") in said(
        await house.faults("alice", "bob")
    )


async def test_an_entry_in_the_middle(house: House, place: Place) -> None:
    """An entry that is gone is named by `verify`."""
    await pair(house)
    await off_guard(place)

    await execute(place, "DELETE FROM entries WHERE account = 'alice' AND seq = 3")

    assert said(await house.faults("alice", "bob")) == "entry 3 is missing"


async def test_a_tail(house: House, place: Place) -> None:
    """A tail that is gone shows by its head; gone with its head and parts, by a receipt that names its last entry."""
    alice, bob = await pair(house)
    old, parts = await row(house, "alice"), await house.store.parts("alice")
    paid = await alice.ask(alice.withdrawal(20, proofs=alice.proofs()))
    receipt = house.service.tools.receipts.read(paid["receipt"])
    seq = receipt.seq
    await off_guard(place)

    await execute(place, f"DELETE FROM entries WHERE account = 'alice' AND seq > {old.seq}")  # noqa: S608 - as above
    assert "the head counts" in said(await house.faults("alice", "bob"))
    await put_back(place, old)
    for one in parts:
        change = f"body = {quoted(place, one.body)}, mac = {quoted(place, one.mac)}"
        where = f"account = 'alice' AND kind = '{one.kind}' AND name = '{one.name}'"
        await execute(place, f"UPDATE parts SET {change} WHERE {where}")  # noqa: S608 - as above

    assert await house.faults("alice", "bob") == []
    known = "a receipt or notice names another entry here, or one that is gone"
    assert said(await house.faults("alice", heads={seq: receipt.head})) == known
    await bob.ask(bob.withdrawal(1))
    await alice.ask(alice.withdrawal(1))
    assert said(await house.faults("alice", heads={seq: receipt.head})) == known


async def test_an_older_head(house: House, place: Place) -> None:
    """An older head put back over a log that knows more gives nothing back: no decision can be written on it."""
    alice, bob = await pair(house)
    old = await row(house, "alice")
    await alice.ask(alice.body("account.freeze"))

    await put_back(place, old)

    assert "the head counts" in said(await house.faults("alice", "bob"))
    assert await refused(house, alice)
    assert not await refused(house, bob)
    assert len(await house.happened("alice", ev.ExitAllowed)) == 1


async def test_a_part(house: House, place: Place) -> None:
    """A beneficiary whose row was changed, or replaced by another customer's, is paid nothing."""
    alice, bob = await pair(house)
    hers, his = await part(house, "alice", HOME), await part(house, "bob", HOME)
    forged = hers.body.replace(b"bitcoin", b"binance")
    assert forged != hers.body
    for body, mac in ((forged, hers.mac), (his.body, his.mac), (his.body, hers.mac)):
        change = f"body = {quoted(place, body)}, mac = {quoted(place, mac)}"
        await execute(place, f"UPDATE parts SET {change} WHERE account = 'alice' AND name = '{hers.name}'")  # noqa: S608 - as above

        assert "was altered" in said(await house.faults("alice", "bob"))
        assert await refused(house, alice)
        assert not await refused(house, bob)
        assert (await alice.ask(alice.body("account.freeze")))["decision"] == "allow"


async def test_an_older_part(house: House, place: Place) -> None:
    """An older row of a part, put back in place of the newer one, is named by `verify`."""
    alice, _ = await pair(house)
    old = await part(house, "alice", HOME)
    house.clock.at += 1_000
    gone = await alice.ask(alice.body("address.remove", network="bitcoin", address=HOME))
    assert gone["decision"] == "allow"

    change = f"body = {quoted(place, old.body)}, mac = {quoted(place, old.mac)}"
    await execute(place, f"UPDATE parts SET {change} WHERE account = 'alice' AND name = '{old.name}'")  # noqa: S608 - as above

    assert "is not what the log says" in said(await house.faults("alice", "bob"))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("DELETE FROM parts WHERE account = 'alice' AND name = '{name}'", "is missing"),
        ("UPDATE parts SET name = 'card' WHERE account = 'alice' AND name = '{name}'", "not in the log"),
        ("UPDATE parts SET kind = 'device' WHERE account = 'alice' AND name = '{name}'", "not in the log"),
        ("UPDATE parts SET alike = mac WHERE account = 'alice' AND name = '{name}'", "is not what the log says"),
    ],
)
async def test_where_a_part_is_found(house: House, place: Place, change: str, why: str) -> None:
    """A part that is gone, under another name, or hidden from those that look like it, is named by `verify`."""
    alice, bob = await pair(house)
    hers = await part(house, "alice", HOME)

    await execute(place, change.format(name=hers.name))

    assert why in said(await house.faults("alice", "bob"))
    paid = await house.restarted(house.store).ask("bob", bob.withdrawal(1, proofs=bob.proofs()))
    assert paid["decision"] == "allow"
    added = alice.body("address.add", proofs=alice.proofs(), name="x", network="bitcoin", address=STRANGER)
    assert (await alice.ask(added))["decision"] == "allow"


async def test_notices_of_an_altered_account(house: House, place: Place) -> None:
    """An account that was altered keeps no one else's notices waiting, and its own become dead letters in the end."""
    alice, bob = await pair(house)
    for one in (alice, bob):
        await one.ask(one.body("address.add", proofs=one.proofs(), name="x", network="bitcoin", address=STRANGER))
    await execute(place, "UPDATE customers SET mac = link WHERE account = 'alice'")
    anew = house.restarted(house.store)

    waiting = 1
    while waiting:
        await anew.outbox.deliver_due()
        anew.clock.at += ev.HOUR
        waiting, _ = await house.store.backlog()

    told = {one.partition("/")[0] for one in anew.messages()}
    assert told == {"bob"}
    dead = await house.store.dead_letters(9)
    assert {one.account for one in dead} == {"alice"}
    assert all("Tampered" in one.error for one in dead)


async def test_the_command(
    house: House, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`holdback verify` ends with 0 and no fault, and with 1 and each fault's account, place and reason."""
    alice, _ = await pair(house)
    paid = await alice.ask(alice.withdrawal(20, proofs=alice.proofs()))
    receipts = tmp_path / "receipts.txt"
    receipts.write_text(f"{paid['receipt']}\n")
    words = ("verify", "--json", "--receipts", str(receipts))
    assert await command(monkeypatch, place, *words) == 0
    assert msgspec.json.decode(capsys.readouterr().out) == {"accounts": 2, "faults": []}

    await execute(place, "UPDATE customers SET mac = link WHERE account = 'alice'")

    assert await command(monkeypatch, place, *words) == 1
    found = msgspec.json.decode(capsys.readouterr().out)
    assert found["faults"] == [{"account": "alice", "seq": 0, "why": "the state was altered"}]
