"""The staff over the whole service, on both stores: enrolled by two, signed in by passkey, reading for tickets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.service.house import House, settled
from tests.service.office import WITH_PASSKEYS, Colleague, staffed

from holdback.core import events as ev
from holdback.core.events import HOUR, MINUTE, Role
from holdback.core.rules.staff import TicketClose, TicketOpen
from holdback.intake import BadRequest

if TYPE_CHECKING:
    from tests.service.house import Hands

    from holdback.ports import Store

LOOK = {"ticket": "t-1", "fields": ["email", "balance"], "reason": "asked for help by telephone"}


@pytest.fixture
def house(store: Store, clock: Hands) -> House:
    """A house in which passkeys work."""
    return House(store, clock, given=WITH_PASSKEYS)


def reason(answer: dict[str, Any]) -> tuple[str, str]:
    """The decision and its first reason."""
    return answer["decision"], answer["reasons"][0]["code"]


async def test_two_people_let_a_third_one_in(house: House) -> None:
    """Neither of them alone; the new one signs in by the passkey that he made himself, after its wait."""
    ann, bo = await staffed(house, ann=Role.POLICY, bo=Role.POLICY)
    cy = Colleague(house, "staff-cy")
    wish = cy.enrolment(Role.SUPPORT)
    assert reason(await ann.asks("staff-cy", "staff.enrol", **wish)) == ("hold", "second_person_required")
    assert reason(await ann.asks("staff-cy", "staff.enrol", **wish)) == ("hold", "second_person_required")
    answer = await bo.asks("staff-cy", "staff.enrol", **wish)
    assert (answer["decision"], answer["usable_from"] is not None) == ("allow", True)
    await house.deliver()
    early = await cy.ask(cy.by(cy.account, cy.body("session.start"), ""))
    assert early["decision"] != "allow"
    house.clock.at += 73 * HOUR
    await cy.signs_in()
    assert not await house.faults("staff-ann", "staff-bo", "staff-cy")


async def test_a_customer_is_read_for_a_ticket(house: House) -> None:
    """Masked, and one field as it is; the customer's own log tells by whom, and nothing is kept of what was shown."""
    (alice,) = await settled(house, "alice")
    sue, _ = await staffed(house, sue=Role.SUPPORT, rita=Role.REVIEWER)
    assert reason(await sue.asks("alice", "staff.look_up", **LOOK)) == ("deny", "ticket_required")
    await house.service.record("alice", TicketOpen("t-1"))
    answer = await sue.asks("alice", "staff.look_up", **LOOK)
    assert answer["customer"] == {"email": ["a***@example.com"], "balance": "100000 USD or more"}
    shown = await sue.asks("alice", "staff.look_up", **(LOOK | {"fields": ["email"], "reveal": True}))
    assert shown["customer"] == {"email": [alice.mail]}
    told = await house.happened("alice", ev.LookedUp)
    assert [(one.member, one.revealed) for one in told] == [("staff-sue", False), ("staff-sue", True)]
    assert [one.account for one in await house.happened("staff-sue", ev.CustomerRead)] == ["alice", "alice"]
    await house.service.record("alice", TicketClose("t-1"))
    assert reason(await sue.asks("alice", "staff.look_up", **LOOK)) == ("deny", "ticket_required")
    assert not await house.faults("alice", "staff-sue")


async def test_every_field_can_be_seen(house: House) -> None:
    """Each field of a look-up is rendered, masked and revealed, and no secret is among them."""
    await settled(house, "alice")
    (sue,) = await staffed(house, sue=Role.INVESTIGATOR)
    await house.service.record("alice", TicketOpen("t-1"))
    every = ["name", "email", "phone", "balance", "authenticators", "contacts", "cases"]
    masked = (await sue.asks("alice", "staff.look_up", **(LOOK | {"fields": every})))["customer"]
    assert list(masked) == every
    assert masked["name"] == "a***@example.com"
    assert [one["kind"] for one in masked["authenticators"]] == ["password", "totp"]
    assert masked["cases"] == []
    for field in every:
        answer = await sue.asks("alice", "staff.look_up", **(LOOK | {"fields": [field], "reveal": True}))
        assert list(answer["customer"]) == [field]


async def test_a_request_of_the_staff_counts_once(house: House) -> None:
    """The same signed request again is refused, and so is one signed for another customer, or after half an hour."""
    await settled(house, "alice", "bob")
    (sue,) = await staffed(house, sue=Role.SUPPORT)
    await house.service.record("alice", TicketOpen("t-1"))
    actor = {"kind": "staff", "member": sue.account, "session": sue.session}
    body = sue.by("alice", {"action": "staff.look_up", "actor": actor, **LOOK}, sue.session)
    assert (await house.ask("alice", body))["decision"] == "allow"
    assert reason(await house.ask("alice", body)) == ("deny", "device_key_wrong")
    assert reason(await house.ask("bob", body)) == ("deny", "device_key_wrong")
    house.clock.at += 30 * MINUTE
    assert reason(await sue.asks("alice", "staff.look_up", **LOOK)) == ("deny", "session_ended")


async def test_the_staff_show_no_proofs(house: House) -> None:
    """A session is what they act by: proofs beside it, or a member's name beside another actor, are refused."""
    await settled(house, "alice")
    with pytest.raises(BadRequest, match="as they sign in"):
        await house.ask(
            "alice",
            {
                "action": "staff.look_up",
                "actor": {"kind": "staff", "member": "staff-sue"},
                "proofs": [{"kind": "totp", "response": "123456"}],
                **LOOK,
            },
        )
    with pytest.raises(BadRequest, match="nobody else"):
        await house.ask("alice", {"action": "account.freeze", "actor": {"kind": "owner", "member": "staff-sue"}})


async def test_reviewers_are_drawn_from_the_staff(house: House) -> None:
    """Chance draws reviewers who have not lately read the customer; they alone judge."""
    await settled(house, "alice")
    rita, ron, rob, sue = await staffed(
        house, rita=Role.REVIEWER, ron=Role.REVIEWER, rob=Role.REVIEWER, sue=Role.SUPPORT
    )
    await house.service.record("alice", TicketOpen("t-1"))
    assert (await rob.asks("alice", "staff.look_up", **LOOK))["decision"] == "allow"
    opened = await house.ask(
        "alice", {"action": "recovery.open", "actor": {"kind": "owner"}, "lost": ["password", "totp"]}
    )
    assert opened["decision"] == "allow", opened
    recovery = (await house.head("alice")).recovery
    assert recovery is not None
    assert sorted(recovery.drawn) == ["staff-rita", "staff-ron"]
    verdict = {"verdict": "approve", "reason": "the papers fit"}
    for one in (rob, sue):
        assert reason(await one.asks("alice", "recovery.review", **verdict)) == ("deny", "not_drawn")
    for one in (rita, ron):
        assert (await one.asks("alice", "recovery.review", **verdict))["decision"] == "allow"
    recovery = (await house.head("alice")).recovery
    assert recovery is not None
    assert sorted(recovery.approved) == ["staff-rita", "staff-ron"]
    assert [name for name, _ in await house.story("staff-rita")][-1] == "recovery.review"


async def test_whoever_left_is_out_at_once(house: House) -> None:
    """A retired member's session, though young, opens nothing."""
    await settled(house, "alice")
    ann, _, sue = await staffed(house, ann=Role.POLICY, bo=Role.POLICY, sue=Role.SUPPORT)
    await house.service.record("alice", TicketOpen("t-1"))
    assert (await ann.asks("staff-sue", "staff.retire"))["decision"] == "allow"
    assert reason(await sue.asks("alice", "staff.look_up", **LOOK)) == ("deny", "not_entitled")
