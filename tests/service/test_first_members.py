"""The first members of staff, let in by the operator: a way that closes itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.service.house import House
from tests.service.office import WITH_PASSKEYS, Colleague, staffed

from holdback.core.events import Channel, Role
from holdback.first_members import NotInstalled, install, newcomers
from holdback.intake import BadRequest

if TYPE_CHECKING:
    from tests.service.house import Hands

    from holdback.ports import Store


@pytest.fixture
def house(store: Store, clock: Hands) -> House:
    """A house in which passkeys work."""
    return House(store, clock, given=WITH_PASSKEYS)


def file(house: House, *names: str, role: Role = Role.POLICY, **changed: Any) -> bytes:  # noqa: ANN401 - any JSON
    """What an operator writes down."""
    people = [Colleague(house, f"staff-{name}") for name in names]
    return msgspec.json.encode([{"member": one.account, **one.enrolment(role)} | changed for one in people])


async def test_the_way_closes_itself(house: House) -> None:
    """Two who can let in others end it, and before that it goes on where it stopped."""
    first = file(house, "ann", "bo")
    support = msgspec.json.decode(file(house, "sue", role=Role.SUPPORT))
    everybody = newcomers(msgspec.json.encode([*msgspec.json.decode(first), *support]))
    assert await install(house.service, everybody) == ["staff-sue", "staff-ann", "staff-bo"]
    with pytest.raises(NotInstalled, match="two of them ask"):
        await install(house.service, newcomers(file(house, "eve", "dan")))
    with pytest.raises(NotInstalled, match="two of them ask"):
        await install(house.service, everybody)
    await house.deliver()
    (told,) = house.post[Channel.EMAIL].to("staff-ann@desk.example")
    assert told.subject == "Important: your roles in the staff were set"


async def test_it_goes_on_after_a_failure(house: House) -> None:
    """Who is there already is passed over."""
    found = newcomers(file(house, "ann", "bo"))
    fields = {name: getattr(found[0], name) for name in ("roles", "name", "passkey", "email")}
    await house.service.install("staff-ann", fields)
    assert await install(house.service, found) == ["staff-bo"]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"member": "ann"}, "member"),
        ({"roles": ["king"]}, "roles"),
        ({"roles": ["policy", "legal"]}, "cannot hold"),
        ({"member": "staff-ann"}, "the same `member`"),
        ({"roles": ["support"]}, "at least 2"),
        ({"password": "x"}, "password"),
    ],
    ids=str,
)
async def test_what_is_refused(house: House, changed: dict[str, Any], says: str) -> None:
    """A file that is wrong makes nobody a member, and says where."""
    with pytest.raises(NotInstalled, match=says):
        newcomers(file(house, "ann", "bo", **changed))


async def test_a_passkey_that_is_none_is_refused(house: House) -> None:
    """Nobody is let in by something that could never sign in."""
    with pytest.raises(BadRequest):
        await install(house.service, newcomers(file(house, "ann", passkey="none")[:-1] + b"," + file(house, "bo")[1:]))


async def test_one_person_is_not_two(house: House) -> None:
    """The same passkey or mailbox is the same person."""
    key = Colleague(house, "staff-ann").key.handed_over()
    with pytest.raises(NotInstalled, match="one person"):
        newcomers(file(house, "ann", "bo", passkey=key))
    with pytest.raises(NotInstalled, match="one person"):
        newcomers(file(house, "ann", "bo", email="ann@desk.example"))


async def test_one_member_does_not_give_the_right_back(house: House) -> None:
    """Whoever retires all others opens the way again for nobody who does not say that he knows of a loss."""
    ann, _ = await staffed(house, ann=Role.POLICY, bo=Role.POLICY)
    assert (await ann.asks("staff-bo", "staff.retire"))["decision"] == "allow"
    found = newcomers(file(house, "eve", "dan"))
    with pytest.raises(NotInstalled, match="after-loss"):
        await install(house.service, found)
    assert await install(house.service, found, after_loss=True) == ["staff-eve", "staff-dan"]


async def test_a_proposed_member_is_not_passed_over(house: House) -> None:
    """An id that somebody proposed is not there, whatever the roster says."""
    (ann,) = await staffed(house, ann=Role.POLICY)
    await ann.asks("staff-cy", "staff.enrol", **Colleague(house, "staff-cy").enrolment(Role.POLICY))
    with pytest.raises(NotInstalled, match="staff-cy"):
        await install(house.service, newcomers(file(house, "cy", "di")))
