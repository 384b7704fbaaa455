"""Who looked at an account, as its owner is told: what for and at what, by nobody's name, no secret before its time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.service.house import House, settled
from tests.service.office import WITH_PASSKEYS, staffed
from tests.service.test_legal import granted

from holdback.core.events import DAY, Role
from holdback.core.rules.staff import TicketOpen
from holdback.core.state import Beneficiary
from holdback.views import Peek, Views
from holdback.web.center.viewers import LOOKED_AT_MOST, looks

if TYPE_CHECKING:
    from tests.service.house import Hands

    from holdback.ports import Store

LOOK = {"ticket": "t-1", "fields": ["email", "balance"], "reason": "asked for help by telephone"}


@pytest.fixture
def house(store: Store, clock: Hands) -> House:
    """A house in which passkeys work."""
    return House(store, clock, given=WITH_PASSKEYS)


async def test_an_owner_sees_who_looked_and_no_name(house: House) -> None:
    """A look by ticket shows at once, without the name of whoever looked; what an order hides shows at its end."""
    await granted(house, secret_d=90)
    (sue,) = await staffed(house, sue=Role.SUPPORT)
    await house.service.record("alice", TicketOpen("t-1"))
    assert (await sue.asks("alice", "staff.look_up", **LOOK))["decision"] == "allow"

    found = await looks(house.service, "alice", 0, 25)
    assert [(one.kind, one.fields, one.about, one.revealed) for one in found.items] == [
        ("staff", ("email", "balance"), "t-1", False)
    ]

    house.clock.at += 91 * DAY
    await house.deliver()
    later = await looks(house.service, "alice", 0, 25)
    assert "authority" in {one.kind for one in later.items}
    assert {one.agency for one in later.items} == {"", "police"}
    for name in ("sue", "lena", "luc"):
        assert name not in str(later), name


async def test_looks_are_paged(house: House) -> None:
    """Pages of looks follow each other without a gap, and nobody has any of an account that is not there."""
    await settled(house, "alice")
    (sue,) = await staffed(house, sue=Role.SUPPORT)
    await house.service.record("alice", TicketOpen("t-1"))
    for field in ("name", "email", "phone"):
        assert (await sue.asks("alice", "staff.look_up", **(LOOK | {"fields": [field]})))["decision"] == "allow"

    fields, before = [], 0
    for _ in range(LOOKED_AT_MOST):
        page = await looks(house.service, "alice", before, 1)
        fields += [one.fields for one in page.items]
        if page.older is None:
            break
        before = page.older
    assert fields == [("phone",), ("email",), ("name",)]
    assert (await looks(house.service, "nobody", 0, 25)).items == ()


async def test_a_book_is_sorted_by_what_is_stored(house: House) -> None:
    """What a book is sorted by is read from each stored entry as that is; the newest entry stands first."""
    assert Beneficiary.__struct_fields__[: len(Peek.__struct_fields__)] == Peek.__struct_fields__
    (alice,) = await settled(house, "alice")
    house.clock.at += DAY
    await alice.sign_in(alice.next_code())
    added = alice.body("address.add", name="new", network="bank", address="DE89370400440532013000")
    said = await alice.ask(added | {"proofs": alice.proofs()})
    assert said["decision"] == "allow", said

    views = Views(house.service)
    assert (await views.entry_named("alice", said["id"])).name == "new"  # type: ignore[union-attr] # it was added
    book = await views.book("alice", 0, 1)
    assert book is not None
    assert [one.name for one in book.items] == ["new"]
    assert book.next == "1"
    rest = await views.book("alice", 1, 25)
    assert rest is not None
    assert "new" not in {one.name for one in rest.items}
    removed = alice.body("address.remove", network="bank", address="DE89370400440532013000")
    assert (await alice.ask(removed))["decision"] == "allow"
    later = await views.book("alice", 0, 25)
    assert later is not None
    assert later.items == rest.items
    assert await views.entry_named("alice", said["id"]) is None
    assert await views.entry_named("alice", "bank.nobody") is None
    assert await views.entry_named("nobody", said["id"]) is None
