"""Destinations: wrong addresses stop at the door, and two spellings of one address are one beneficiary."""

from __future__ import annotations

import asyncio
import base64
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
from tests.service.house import HOME, PLATFORM, RING, STEP, STRANGER, Customer, House, settings, settled, somewhere

from holdback import timeline
from holdback.client import Keys, ReceiptMismatch, verify_receipt
from holdback.core import events as ev
from holdback.core.decision import Facts
from holdback.core.events import DAY, HOUR, stored_decoder
from holdback.intake import ENVELOPE, BadRequest
from holdback.lists import BATCH, NAMED_MOST, BadTable, Importing, standing
from holdback.views import Views
from holdback.web import deposits

if TYPE_CHECKING:
    from collections.abc import Callable

EVM: Final = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
WRONG: Final[dict[str, tuple[str, str]]] = {
    "a Bech32 address with a slip": ("bitcoin", STRANGER[:-1] + "5"),
    "one of another network": ("bitcoin", "ltc1q94c3vs4hy6cygqtz0j5lhtpj7hy9xra35jqzmw"),
    "one of Bitcoin on Tron": ("tron", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
    "a letter in the wrong case": ("ethereum", EVM.replace("aA", "aa")),
    "a short one": ("solana", "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5"),
    "no Base58": ("dogecoin", "D9HNRJwrVQSiQMWc3JSw3bYaL6DVUzwB0O"),
    "a space behind it": ("ripple", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh "),
}


async def alone(house: House) -> Customer:
    """One customer, whose book is ripe."""
    alice, _ = await settled(house, "alice", "bob")
    return alice


@pytest.mark.parametrize(("network", "address"), WRONG.values(), ids=WRONG)
async def test_a_wrong_address_stops_at_the_door(house: House, network: str, address: str) -> None:
    """An address that is not written as its network writes them is a problem of `/address`, and leaves no trace."""
    alice = Customer(house, "alice")
    await alice.ask(alice.importing())
    before = await house.head("alice")
    bodies: tuple[dict[str, Any], ...] = (
        alice.body("address.add", name="shop", network=network, address=address),
        alice.body("address.renew", network=network, address=address),
        alice.body("exit.request", kind="withdrawal", asset="USDT", amount="1", network=network, address=address),
        alice.body("recovery.finish", kind="withdrawal", asset="USDT", amount="1", network=network, address=address),
    )
    for body in bodies:
        with pytest.raises(BadRequest) as refused:
            await alice.ask(body)
        assert refused.value.pointer == "/address"
        assert address not in refused.value.detail
    assert await house.head("alice") == before


async def test_an_import_names_the_entry_that_is_wrong(house: House) -> None:
    """Of a whole book the wrong entry is named."""
    alice = Customer(house, "alice")
    body = alice.importing()
    body["address_book"].append({"name": "slip", "network": "bitcoin", "address": f"{HOME[:-1]}x"})
    with pytest.raises(BadRequest) as refused:
        await alice.ask(body)
    assert refused.value.pointer == "/address_book/2/address"
    body["address_book"][-1] = {"name": "elsewhere", "network": "monero", "address": "4" * 95}
    answer = await alice.ask(body)
    assert [one["code"] for one in answer["reasons"]] == ["network_closed"]


async def test_a_network_that_is_not_listed_is_closed(house: House) -> None:
    """Of a network that the policy does not list nobody could say what an address is."""
    alice = await alone(house)
    for body in (
        alice.body("address.add", name="x", network="monero", address="4" * 95),
        alice.body("exit.request", kind="withdrawal", asset="USDT", amount="1", network="monero", address="4" * 95),
    ):
        answer = await alice.ask(body)
        assert (answer["decision"], answer["reasons"][0]["code"]) == ("deny", "network_closed")


SPELLINGS: Final[dict[str, tuple[str, str, Callable[[str], str]]]] = {
    "Bech32 in capitals": ("bitcoin", STRANGER, str.upper),
    "hexadecimal in small letters": ("ethereum", EVM, str.lower),
    "hexadecimal in capitals": ("ethereum", EVM, lambda text: f"0x{text[2:].upper()}"),
}


@pytest.mark.parametrize(("network", "address", "other"), SPELLINGS.values(), ids=SPELLINGS)
async def test_two_spellings_are_one_beneficiary(
    house: House, network: str, address: str, other: Callable[[str], str]
) -> None:
    """Whoever is in the book in one spelling is there in all: he is not entered twice, and paid as himself."""
    alice = await alone(house)
    fields = {"network": network, "address": address}
    entered = await alice.ask(alice.body("address.add", name="shop", proofs=alice.proofs(), **fields))
    assert entered["decision"] == "allow", entered
    fields["address"] = other(address)
    again = await alice.ask(alice.body("address.add", name="shop", proofs=alice.proofs(), **fields))
    assert again["reasons"][0]["code"] == "already_exists"
    await house.deliver()
    house.clock.at += 73 * 3_600_000
    await house.priced()
    await alice.sign_in()
    paid = {"kind": "withdrawal", "asset": "USDT", "amount": "500", "usd": "500", **fields}
    answer = await alice.ask(alice.body("exit.request", proofs=alice.proofs(), **paid))
    assert answer["decision"] == "allow", answer


async def test_what_was_once_taken_can_be_taken_out(house: House) -> None:
    """An entry from before its network was read so is removed by what it was written as."""
    alice = await alone(house)
    answer = await alice.ask(alice.body("address.remove", network="bitcoin", address="bc1qold"))
    assert answer["reasons"][0]["code"] == "not_found"


async def test_nobody_learns_more_of_an_account_that_is_not_there(house: House) -> None:
    """A wrong address is told in the same way for an account that does not exist."""
    body = {"action": "address.add", "actor": PLATFORM, "name": "x", "network": "bitcoin", "address": "bc1qx"}
    with pytest.raises(BadRequest) as refused:
        await house.ask("nobody-here", body)
    assert refused.value.pointer == "/address"


# What others have to do with a destination

MULE: Final = somewhere("mule")
WEEK: Final = 7 * DAY


def entering(person: Customer, address: str = MULE, code: str = "") -> dict[str, Any]:
    """Enter an address, with proof."""
    return person.body("address.add", name="x", network="bitcoin", address=address, proofs=person.proofs(code))


def codes(answer: dict[str, Any]) -> list[str]:
    """The codes of an answer's reasons."""
    return [one["code"] for one in answer["reasons"]]


async def imported(house: House, *addresses: str, name: str = "ofac", version: str = "1") -> None:
    """Take a list in."""
    rows = [{"address": one} for one in addresses]
    await Importing(house.store, house.service.tools).take(name, version, enumerate(rows, 2))


async def test_a_mules_address_waits_for_all_who_entered_it(house: House) -> None:
    """Three accounts that enter one new address within a day all wait a week for it, in whichever spelling."""
    people = await settled(house, "alice", "bob", "carol")
    first = [await one.ask(entering(one, MULE if one.account != "bob" else MULE.upper())) for one in people[:2]]
    assert [codes(one) for one in first] == [["ripens_later"], ["ripens_later"]]
    last = await people[2].ask(entering(people[2]))
    assert (last["decision"], codes(last)) == ("allow", ["destination_shared"])
    assert last["reasons"][0]["until"] == last["usable_from"]
    await house.deliver()
    house.clock.at += 73 * HOUR
    await house.priced()
    for one in people:
        await one.sign_in()
        answer = await one.ask(one.withdrawal(5, to=MULE, proofs=one.proofs()))
        assert (answer["decision"], answer["reasons"][0]["code"]) == ("hold", "destination_shared")
        assert answer["hold"]["release_at"]
    house.clock.at += WEEK - 73 * HOUR
    await house.priced()
    await people[0].sign_in()
    answer = await people[0].ask(people[0].withdrawal(5, to=MULE, proofs=people[0].proofs()))
    assert answer["decision"] == "allow", answer


async def test_accounts_of_one_batch_see_each_other(house: House) -> None:
    """Of many who enter one address at the same moment, all but the first two wait for longer at once."""
    people = await settled(house, *(f"p{number}" for number in range(6)))
    house.clock.at += STEP  # once for all, so that no code of the first is old by the time of the last
    bodies = [entering(one, code=one.code()) for one in people]
    answers = await asyncio.gather(*(one.ask(body) for one, body in zip(people, bodies, strict=True)))
    assert sorted(codes(one)[0] for one in answers) == ["destination_shared"] * 4 + ["ripens_later"] * 2
    facts = await house.happened(people[-1].account, ev.Decided)
    assert not any(other.account.encode() in facts[-1].facts for other in people)


async def test_who_is_paid_as_a_stranger_counts_too(house: House) -> None:
    """Accounts that pay an address without entering it are counted with those that enter it."""
    people = await settled(house, "alice", "bob", "carol")
    for one in people[:2]:
        answer = await one.ask(one.withdrawal(500, to=MULE, proofs=one.proofs()))
        assert codes(answer) == ["destination_new"]
    answer = await people[2].ask(people[2].withdrawal(5, to=MULE, proofs=people[2].proofs()))
    assert codes(answer) == ["destination_shared", "destination_new"]


async def test_a_dry_run_is_no_meeting(house: House) -> None:
    """What is only asked about leaves no trace in what others are told."""
    people = await settled(house, "alice", "bob", "carol")
    for one in people[:2]:
        await one.ask(entering(one) | {"dry_run": True, "proofs": []})
    assert codes(await people[2].ask(entering(people[2]))) == ["ripens_later"]


async def test_a_listed_address_is_neither_entered_nor_paid(house: House) -> None:
    """An address on a list is denied in any spelling; which list it was stands in the log, and in no answer."""
    alice = await alone(house)
    await imported(house, MULE, HOME, version="2026-11-20")
    for enters, address in ((True, MULE.upper()), (False, MULE), (False, HOME)):
        body = entering(alice, address) if enters else alice.withdrawal(5, to=address, proofs=alice.proofs())
        answer = await alice.ask(body)
        assert (answer["decision"], codes(answer)) == ("deny", ["destination_listed"])
        assert "ofac" not in str(answer)
    last = (await house.happened("alice", ev.Decided))[-1]
    (fact,) = stored_decoder(Facts).decode(last.facts).lists
    assert (fact.name, fact.version, fact.listed) == ("ofac", "2026-11-20", True)
    told = await timeline.lines(house.service, "alice", 0, 10_000)
    assert told is not None
    assert told[-1].reasons[1:] == ["on the list ofac, version 2026-11-20"]
    await imported(house, STRANGER)
    assert (await alice.ask(alice.withdrawal(5, proofs=alice.proofs())))["decision"] == "allow"


async def test_a_held_exit_is_looked_for_on_lists_again(house: House) -> None:
    """An address that comes onto a list while its exit waits is not paid when the platform comes for it."""
    alice = await alone(house)
    held = await alice.ask(alice.withdrawal(500, to=MULE.upper(), proofs=alice.proofs()))
    await house.deliver()
    house.clock.at += 73 * HOUR
    await house.priced()
    await imported(house, MULE)
    release = {"action": "exit.release", "actor": PLATFORM, "which": held["hold"]["id"]}
    assert codes(await alice.ask(release)) == ["destination_listed"]
    await imported(house, STRANGER)
    assert codes(await alice.ask(release)) == ["not_found"]


async def test_dust_is_not_copied(house: House) -> None:
    """An address with the edges of one that sent dust is refused until when is said; larger deposits say nothing."""
    alice = await alone(house)
    now = house.clock.at
    for usd, decision in (("1.000001", "allow"), ("0.01", "deny")):
        table = {"account": "alice.trading", "network": "bitcoin", "address": MULE.upper(), "usd": usd}
        await deposits.keep(house.service, deposits.read_table(msgspec.json.encode({"deposits": [table]})), now)
        answer = await alice.ask(alice.withdrawal(5, to=MULE, proofs=alice.proofs()))
        assert answer["decision"] == decision, answer
    assert codes(await alice.ask(entering(alice))) == ["look_alike_deposit"]
    assert (await alice.ask(entering(alice, STRANGER)))["decision"] == "allow"


async def test_after_a_rotation_lists_and_meetings_count(house: House) -> None:
    """What was hashed under an older master key is found while that key is in the ring, and missed if it is not."""
    people = await settled(house, "alice", "bob", "carol")
    await imported(house, STRANGER)
    for one in people[:2]:
        await one.ask(entering(one))
    ring = f"2:{base64.b64encode(bytes(range(1, 33))).decode()},{RING}"
    after = House(house.store, house.clock, given=settings(ring))
    carol = Customer(after, "carol", people[2].secret, session=people[2].session)
    assert codes(await carol.ask(entering(carol))) == ["destination_shared"]
    assert codes(await carol.ask(entering(carol, STRANGER))) == ["destination_listed"]
    assert [one.fault for one in await standing(after.store, after.service.tools)] == [""]
    gone = House(house.store, house.clock, given=settings(ring.partition(",")[0]))
    assert "import it again" in (await standing(gone.store, gone.service.tools))[0].fault


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        ([], "no address"),
        ([{"address": "nobody knows"}], "no address"),
        ([{"addr": STRANGER}], "must name the columns"),
        ([{"address": STRANGER}, {"address": STRANGER, "network": "tron"}], "line 3"),
    ],
)
async def test_a_bad_list_leaves_the_old_one(house: House, rows: list[dict[str, str]], wrong: str) -> None:
    """A list that cannot be used is refused with the line, and the one before it counts on."""
    alice = await alone(house)
    await imported(house, MULE)
    with pytest.raises(BadTable, match=wrong) as refused:
        await Importing(house.store, house.service.tools).take("ofac", "2", enumerate(rows, 2))
    assert STRANGER not in str(refused.value)
    assert codes(await alice.ask(entering(alice))) == ["destination_listed"]


@pytest.mark.parametrize(("name", "version"), [("OFAC", "1"), ("", "1"), ("ofac", ""), ("ofac", "x" * 65)])
async def test_a_list_has_a_name_and_a_version(house: House, name: str, version: str) -> None:
    """Names and versions are short and plain, for they stand in logs."""
    with pytest.raises(BadTable, match="1 to"):
        await Importing(house.store, house.service.tools).take(name, version, [(2, {"address": STRANGER})])


@pytest.mark.parametrize("label", ["XBT", "BTC", "Bitcoin Mainnet", "BITCOIN"])
async def test_a_label_that_nobody_knows_lists_the_address_all_the_same(house: House, label: str) -> None:
    """What an authority calls a network is its own: the address is listed wherever it could be paid."""
    alice = await alone(house)
    rows = [{"address": somewhere("other"), "network": "bitcoin"}, {"address": MULE, "network": label}]
    taken = await Importing(house.store, house.service.tools).take("ofac", "1", enumerate(rows, 2))
    assert (taken.row.entries, taken.left_out) == (2, 0)
    assert codes(await alice.ask(entering(alice))) == ["destination_listed"]


async def test_a_large_list_is_taken_in_parts(house: House) -> None:
    """Lines of other networks are left out and named, blank ones passed over, and one address is kept once."""
    rows = [{"address": somewhere(str(number)), "network": ""} for number in range(2 * BATCH + 3)]
    rows += [{"address": rows[0]["address"]}, {}, {"address": "", "network": ""}]
    rows += [{"address": "4" * 95, "network": "monero"}] * (NAMED_MOST + 1)
    taken = await Importing(house.store, house.service.tools).take("own", "1", enumerate(rows, 2))
    assert (taken.row.entries, taken.left_out) == (2 * BATCH + 3, NAMED_MOST + 1)
    assert taken.lines == tuple(range(2 * BATCH + 8, 2 * BATCH + 8 + NAMED_MOST))


# Where one address serves many

EXCHANGE: Final = "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"
OWN: Final = "104772"
THIEFS: Final = "990041"


def to_exchange(memo: str | None, **more: str) -> dict[str, Any]:
    """A payment to the exchange, or an entry of it, with this memo."""
    return {"network": "ripple", "address": EXCHANGE} | ({} if memo is None else {"memo": memo}) | more


async def with_exchange(house: House) -> Customer:
    """A customer who has his account at an exchange in the book, ripe."""
    alice = await alone(house)
    entered = await alice.ask(alice.body("address.add", name="exchange", proofs=alice.proofs(), **to_exchange(OWN)))
    assert entered["decision"] == "allow", entered
    await house.deliver()
    house.clock.at += 73 * HOUR
    await house.priced()
    await alice.sign_in()
    return alice


def payment(usd: str, memo: str | None) -> dict[str, Any]:
    """What is asked to be paid to the exchange."""
    return {"kind": "withdrawal", "asset": "USDT", "amount": usd, "usd": usd, **to_exchange(memo)}


@pytest.mark.parametrize("memo", [THIEFS, None])
async def test_another_memo_is_another_beneficiary(house: House, memo: str | None) -> None:
    """Whoever is long known at an address is unknown there with another memo, or with none."""
    alice = await with_exchange(house)
    own = await alice.ask(alice.body("exit.request", proofs=alice.proofs(), **payment("500", OWN)))
    assert own["decision"] == "allow", own
    other = await alice.ask(alice.body("exit.request", proofs=alice.proofs(), **payment("500", memo)))
    assert (other["decision"], codes(other)) == ("hold", ["destination_new"])
    added = await alice.ask(alice.body("address.add", name="x", proofs=alice.proofs(), **to_exchange(memo)))
    assert (added["decision"], codes(added)) == ("allow", ["ripens_later"])


async def test_a_memo_is_shown_beside_its_address(house: House) -> None:
    """Whoever reads of a held payment finds address and memo apart, as they were sent."""
    alice = await with_exchange(house)
    held = await alice.ask(alice.body("exit.request", proofs=alice.proofs(), **payment("500", THIEFS)))
    page = await Views(house.service).holds("alice", 0, 10)
    assert page is not None
    (one,) = page.items
    assert (one.id, one.address, one.memo) == (held["hold"]["id"], EXCHANGE, THIEFS)


async def test_an_entry_with_a_memo_is_confirmed_and_taken_out_by_it(house: House) -> None:
    """An entry is named by address and memo together: by the address alone nobody finds it."""
    alice = await with_exchange(house)
    for action in ("address.renew", "address.remove"):
        answer = await alice.ask(alice.body(action, proofs=alice.proofs(), **to_exchange(None)))
        assert codes(answer) == ["not_found"], action
        answer = await alice.ask(alice.body(action, proofs=alice.proofs(), **to_exchange(OWN)))
        assert answer["decision"] == "allow", answer


UNFIT: Final[dict[str, dict[str, Any]]] = {
    "on a network without memos": {"network": "bitcoin", "address": STRANGER, "memo": "1"},
    "at a bank": {"kind": "fiat_payout", "address": "4711", "memo": "1"},
    "with zeros before it": to_exchange("0104772"),
    "no number": to_exchange("shop"),
    "too large": to_exchange(str(2**32)),
    "empty": to_exchange(""),
    "of another type": {"network": "ripple", "address": EXCHANGE, "memo": 104_772},
    "with a space": {"network": "stellar", "address": "G" + "A" * 55, "memo": "my account"},
    "too long": {"network": "stellar", "address": "G" + "A" * 55, "memo": "x" * 129},
    "without an address": {"kind": "internal_transfer", "counterparty": "bob", "memo": "1"},
}


@pytest.mark.parametrize("fields", UNFIT.values(), ids=UNFIT)
async def test_an_unfit_memo_stops_at_the_door(house: House, fields: dict[str, Any]) -> None:
    """A memo that its destination cannot have is a problem of `/memo`: a receipt names nothing that was not weighed."""
    alice = Customer(house, "alice")
    await alice.ask(alice.importing())
    wish = {"kind": "withdrawal", "asset": "USDT", "amount": "1", **fields}
    with pytest.raises(BadRequest) as refused:
        await alice.ask(alice.body("exit.request", **wish))
    assert refused.value.pointer == "/memo"


async def test_an_address_on_a_list_is_listed_with_every_memo(house: House) -> None:
    """A line without a memo lists an address with all of them, a line with one that one alone."""
    alice = await alone(house)
    row = {"address": EXCHANGE, "network": "ripple"}
    for listed, memos in (({}, {OWN: "deny", THIEFS: "deny"}), ({"memo": THIEFS}, {OWN: "hold", THIEFS: "deny"})):
        await Importing(house.store, house.service.tools).take("own", "1", [(2, row | listed)])
        for memo, decision in memos.items():
            answer = await alice.ask(alice.body("exit.request", proofs=alice.proofs(), **payment("500", memo)))
            assert answer["decision"] == decision, (listed, memo, answer)
    with pytest.raises(BadTable, match="memo"):
        await Importing(house.store, house.service.tools).take("own", "2", [(2, row | {"memo": "shop"})])


@pytest.mark.parametrize("memos", [("1", "1", "1"), ("1", "2", "3")], ids=["one account there", "his own address"])
async def test_a_mule_hides_behind_no_memo(house: House, memos: tuple[str, ...]) -> None:
    """Accounts that begin to pay one address are counted whatever memo they write, and those of one memo as well."""
    people = await settled(house, "alice", "bob", "carol")
    answers = []
    for one, memo in zip(people, memos, strict=True):
        fields = to_exchange(memo, name="x")
        answers.append(await one.ask(one.body("address.add", proofs=one.proofs(), **fields)))
    assert [codes(one) for one in answers] == [["ripens_later"], ["ripens_later"], ["destination_shared"]]


async def test_a_look_alike_is_found_behind_any_memo(house: House) -> None:
    """An address with the edges of an entry's is refused, whichever memo is written beside it."""
    alice = await alone(house)
    own, alike = (f"GABCD{middle * 46}WXYZ5" for middle in "QR")
    entry = {"name": "x", "network": "stellar", "address": own, "memo": OWN}
    assert (await alice.ask(alice.body("address.add", proofs=alice.proofs(), **entry)))["decision"] == "allow"
    for memo in ({"memo": OWN}, {"memo": THIEFS}, {}):
        fields = {"name": "x", "network": "stellar", "address": alike} | memo
        assert codes(await alice.ask(alice.body("address.add", proofs=alice.proofs(), **fields))) == ["look_alike"]


async def test_a_receipt_names_the_memo(house: House) -> None:
    """A receipt for one memo is none for another: its digest covers the memo."""
    alice = await with_exchange(house)
    body = alice.body("exit.request", proofs=alice.proofs(), **payment("500", OWN))
    answer = await alice.ask(body)
    keys = Keys.parse(msgspec.json.encode(house.service.tools.receipts.jwks()))
    action = {name: value for name, value in body.items() if name not in ENVELOPE}
    verified = partial(verify_receipt, answer["receipt"], issuer=house.service.tools.issuer, account="alice", keys=keys)
    assert verified(action=action, now=house.clock.at / 1000).kind == "withdrawal"
    for other in ({"memo": THIEFS}, {}):
        changed = {name: value for name, value in action.items() if name != "memo"} | other
        with pytest.raises(ReceiptMismatch):
            verified(action=changed, now=house.clock.at / 1000)
