"""What a first person asked, read back for the second: word for word, and only while it may be confirmed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.service.house import House
from tests.service.office import WITH_PASSKEYS, Colleague, staffed
from tests.service.test_inside import robbed

from holdback import proposals
from holdback.core.events import DAY, Role
from holdback.proposals import proposal

if TYPE_CHECKING:
    from tests.service.house import Hands

    from holdback.ports import Store

AGENCY = {
    "name": "Police of Exämple",
    "officers": [{"id": "o1", "name": "Dana Clerk", "number": "+15550100199"}],
    "recipient": "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
}


@pytest.fixture
def house(store: Store, clock: Hands) -> House:
    """A house in which passkeys work."""
    return House(store, clock, given=WITH_PASSKEYS)


def compact(passkey: str) -> str:
    """A passkey as the console's page writes it."""
    return json.dumps(json.loads(passkey), separators=(",", ":"))


async def test_the_second_person_asks_the_very_same(house: House) -> None:
    """What was asked comes back with every sealed field, and asking just that makes it so."""
    ann, bo = await staffed(house, ann=Role.POLICY, bo=Role.POLICY)
    wish = Colleague(house, "staff-cy").enrolment(Role.SUPPORT)
    wish["passkey"] = compact(wish["passkey"])
    for account, kind, action, fields in (
        ("staff-cy", "staff", "staff.enrol", wish),
        ("agency-police", "agency", "agency.add", AGENCY),
        ("agency-fbi", "agency", "agency.add", AGENCY | {"domains": [], "certificates": ["ab" * 32]}),
    ):
        assert (await ann.asks(account, action, **fields))["decision"] == "hold"
        found = await proposal(house.service, account, kind)
        assert found is not None
        assert (found.by, found.exact, found.action) == ("staff-ann", True, {"action": action, **fields})
        said = {name: one for name, one in found.action.items() if name != "action"}
        assert (await bo.asks(account, action, **said))["decision"] == "allow"
        assert await proposal(house.service, account, kind) is None


async def test_what_cannot_be_put_together_again_says_so(house: House) -> None:
    """A passkey that was written down in another way than it is kept is not shown as the very same."""
    ann, _ = await staffed(house, ann=Role.POLICY, bo=Role.POLICY)
    wish = Colleague(house, "staff-cy").enrolment(Role.SUPPORT)
    await ann.asks("staff-cy", "staff.enrol", **wish)
    found = await proposal(house.service, "staff-cy", "staff")
    assert found is not None
    assert not found.exact
    assert found.action["email"] == wish["email"]


async def test_whoever_is_to_lose_it_hides_no_proposal(
    store: Store, clock: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is to be given back is shown to a second person however long its sender's log has become since."""
    house = House(store, clock, given=WITH_PASSKEYS)
    alice, _, which, (first, _) = await robbed(house)
    assert (await first.asks("alice", "exit.cancel", which=which))["decision"] == "hold"
    monkeypatch.setattr(proposals, "PAGE", 1)
    monkeypatch.setattr(proposals, "PAGES_MOST", 1)
    await alice.ask({"action": "recovery.open", "lost": ["password"], "actor": {"kind": "owner"}})
    found = await proposals.proposal(house.service, "alice", "return", which)
    assert found is not None
    assert (found.exact, found.action) == (True, {"action": "exit.cancel", "which": which})


async def test_nothing_waits_where_nobody_asked(house: House) -> None:
    """Neither of nobody, nor of another kind, nor after the time there is for it."""
    ann, _ = await staffed(house, ann=Role.POLICY, bo=Role.POLICY)
    await ann.asks("agency-police", "agency.add", **AGENCY)
    for account, kind in (("nobody", "staff"), ("agency-police", "staff"), ("agency-police", "other")):
        assert await proposal(house.service, account, kind) is None
    for kind in ("breaker", "return", "sale"):
        assert await proposal(house.service, "agency-police", kind, "x1") is None
    house.clock.at += 8 * DAY
    assert await proposal(house.service, "agency-police", "agency") is None
