"""The log as its owner reads it, over the whole service, on both stores."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from tests.contracts.raw import execute
from tests.service.house import HOME, House, settled
from tests.service.office import WITH_PASSKEYS, staffed
from tests.service.test_destinations import MULE, imported
from tests.service.test_hand_edits import off_guard
from tests.service.test_legal import granted
from tests.service.test_origins import ELSEWHERE, enter
from tests.service.test_origins import HOME as AT_HOME

from holdback.activity import LOOKED_THROUGH, Activity, Kind, Line
from holdback.core import events as ev
from holdback.core import ledger
from holdback.core.events import DAY, Channel, Role
from holdback.core.rules.staff import TicketOpen
from holdback.ports import Wanted
from holdback.snapshots import Tampered
from holdback.wording.notices import HEAD_DIGITS
from holdback.wording.said import Said

if TYPE_CHECKING:
    from tests.contracts.conftest import Place
    from tests.service.house import Customer, Hands

    from holdback.ports import Store

NEW_PASSWORD = "violin quarry dusk lantern otter"
LOOK = {"ticket": "t-1", "fields": ["email", "balance"], "reason": "asked for help by telephone"}


@pytest.fixture
def house(store: Store, clock: Hands) -> House:
    """A house in which passkeys work."""
    return House(store, clock, given=WITH_PASSKEYS)


async def everything(house: House, account: str = "alice", kind: Kind = Kind.ALL, at_once: int = 25) -> list[Line]:
    """All pages, as somebody reads them who goes on and on."""
    found: list[Line] = []
    last: int | None = 0
    while last is not None:
        page = await Activity(house.service).page(account, last, kind, at_once)
        assert page is not None
        assert len(page.items) <= at_once
        found += page.items
        last = page.older
    return found


def words(lines: list[Line]) -> str:
    """All that is shown of them."""
    return "\n".join(" ".join(map(str, (*one[1:5], *one.reasons, *one.followed))) for one in lines)


async def test_an_owner_reads_nothing_that_is_not_for_him(house: House) -> None:
    """No score, no list, no name or reason of the staff, and nothing that a secrecy order hides until its date."""
    alice, *_ = await granted(house, secret_d=90)
    for _ in range(8):
        house.clock.at += 8 * DAY
        assert (await enter(alice, AT_HOME))["decision"] == "allow"
        await house.deliver()
    assert (await enter(alice, ELSEWHERE))["decision"] == "step_up"
    (sue,) = await staffed(house, sue=Role.SUPPORT)
    await house.service.record("alice", TicketOpen("t-1"))
    assert (await sue.asks("alice", "staff.look_up", **LOOK))["decision"] == "allow"
    await alice.sign_in(alice.next_code())
    await imported(house, MULE, version="2026-11-20")
    assert (await alice.ask(alice.withdrawal(5, to=MULE, proofs=alice.proofs())))["decision"] == "deny"
    await house.deliver()
    assert await house.happened("alice", ev.SignInScored)
    text = words(await everything(house))
    for hidden in (
        "sue",
        "lena",
        "luc",
        "asked for help",
        "ofac",
        "2026-11-20",
        "olice",
        "court",
        "authority",
        "legal",
    ):
        assert hidden not in text, hidden
    assert not re.search(r"[+-]\d\.\d\d|nats|score", text)
    assert "A member of staff read for ticket t-1: email, balance (masked)." in text
    assert "Nobody is paid at this address from here." in text
    house.clock.at += 26 * DAY
    await house.deliver()
    later = words(await everything(house))
    assert 'Disclosed to "police", by court order' in later
    for hidden in ("sue", "lena", "luc"):
        assert hidden not in later, hidden


async def test_each_kind_is_found_by_itself(house: House) -> None:
    """A filter shows the entries of its kind, in their order, however many are asked for at once, and no other."""
    (alice,) = await settled(house, "alice")
    await alice.ask(alice.withdrawal(5, proofs=alice.proofs()))
    await alice.ask(alice.body("lock.set", hours=24))
    await house.service.record("alice", TicketOpen("t-1"))
    whole = await everything(house)
    numbers = [one.seq for one in whole]
    assert numbers == list(range(numbers[0], 0, -1))
    seen: list[int] = []
    for kind in set(Kind) - {Kind.ALL}:
        found = await everything(house, kind=kind)
        assert found == await everything(house, kind=kind, at_once=1)
        assert found == [one for one in whole if one in found]
        seen += [one.seq for one in found]
    assert len(set(seen)) == len(seen)
    assert {one.title.partition(":")[0] for one in whole if one.seq not in seen} == {"Deliver a message to you"}
    money = await everything(house, kind=Kind.MONEY)
    assert [one.title for one in money] == ["Send money: done"]
    assert f"to {HOME[:8]}" in money[0].followed[1]
    assert all(isinstance(one.title, Said) for one in whole)


async def test_a_page_looks_through_so_much_and_no_more(house: House) -> None:
    """In a long log a page of what is rare ends after a bounded look, and says where to go on."""
    (alice,) = await settled(house, "alice")
    await alice.ask(alice.withdrawal(5, proofs=alice.proofs()))
    body = alice.body("exit.cancel", which="x1")
    before = (await everything(house))[0].seq
    for _ in range((LOOKED_THROUGH + 10) // 30):
        await asyncio.gather(*(alice.ask(body) for _ in range(30)))
    activity = Activity(house.service)
    first = await activity.page("alice", 0, Kind.SETTINGS, 25)
    assert first is not None
    assert first.items == ()
    assert first.older is not None
    assert first.older == before + 10
    assert await everything(house, kind=Kind.SETTINGS)


async def test_what_proves_an_entry_is_shown_with_it(house: House) -> None:
    """Each entry has its link and the one before it, which the next one builds on, and mails name the same link."""
    (alice,) = await settled(house, "alice")
    lines = (await everything(house, at_once=3))[::-1]
    assert lines[0].before == ledger.GENESIS.hex()
    assert [one.link for one in lines[:-1]] == [one.before for one in lines[1:]]
    mail = house.post[Channel.EMAIL].to(alice.mail)[-1].text
    found = re.search(r"entry (\d+) of your history, chain ([0-9a-f]+)", mail)
    assert found is not None
    assert lines[int(found[1]) - 1].link[:HEAD_DIGITS] == found[2]


async def test_a_log_that_was_altered_is_not_shown(house: House, place: Place) -> None:
    """A page whose entries do not follow each other is refused whole."""
    await settled(house, "alice")
    await off_guard(place)
    await execute(place, "UPDATE entries SET link = (SELECT link FROM entries WHERE seq = 2) WHERE seq = 3")
    with pytest.raises(Tampered):
        await Activity(house.service).page("alice", 0, Kind.ALL, 25)


async def test_nobody_has_no_activity(house: House) -> None:
    """There is none of an account that does not exist, nor of another's sub-account; one's own shows the family's."""
    await settled(house, "alice")
    activity = Activity(house.service)
    assert await activity.page("zoe", 0, Kind.ALL, 25) is None
    assert await activity.page("alice.other", 0, Kind.ALL, 25) is None
    assert await activity.page("alice.trading", 0, Kind.ALL, 25) == await activity.page("alice", 0, Kind.ALL, 25)
    assert await activity.confirms("zoe", "00", "Sign in.") == "Sign in."


async def asked(house: House, alice: Customer, body: dict[str, object]) -> str:
    """What a step-up would confirm, said from the log; it must be what the answer said."""
    answer = await alice.ask(body)
    assert answer["decision"] == "step_up", answer
    text = str(answer["challenge"]["text"])
    again = await Activity(house.service).confirms("alice", answer["head"], text)
    assert again == text
    assert isinstance(again, Said)
    return text


async def test_what_is_confirmed_can_be_said_again(house: House) -> None:
    """A challenge's words are found in the log by the answer's head, with the address of a payment that waits."""
    (alice,) = await settled(house, "alice")
    assert HOME in await asked(house, alice, alice.withdrawal(5))
    assert await asked(house, alice, alice.body("password.change", password=NEW_PASSWORD)) == "Change the password."
    held = await alice.ask(alice.withdrawal(900_000, proofs=alice.proofs()))
    assert held["decision"] == "hold", held
    await house.deliver()
    early = alice.body("exit.release", which=held["hold"]["id"])
    assert f"to {HOME} by" in await asked(house, alice, early)
    assert await Activity(house.service).confirms("alice", "00" * 32, "Something else.") == "Something else."
    newest = (await house.store.read([Wanted("alice")])).snapshots["alice"].link.hex()
    assert await Activity(house.service).confirms("alice", newest, "Something else.") == "Something else."
