"""The staff over the whole service, on both stores: enrolled by two, signed in by passkey, reading for tickets."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.dpop.device import Browser
from tests.service.house import House, settled
from tests.service.office import WITH_PASSKEYS, Colleague, staffed

from holdback.core import events as ev
from holdback.core.events import HOUR, MINUTE, Channel, Role
from holdback.core.rules.staff import TicketClose, TicketOpen
from holdback.intake import BadRequest
from holdback.ports import StoreUnavailable
from holdback.web.endpoint import Call
from holdback.web.problems import Problem
from holdback.web.queues import Queues

if TYPE_CHECKING:
    from tests.service.house import Hands

    from holdback.ports import Store

OPENING = {"action": "recovery.open", "actor": {"kind": "owner"}, "lost": ["password", "totp"]}
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


async def test_a_recovery_is_no_reason_for_whoever_opens_it(house: House) -> None:
    """Anybody can open a recovery, one of the staff too; it lets nobody read but those drawn to judge it."""
    await settled(house, "alice")
    (sue,) = await staffed(house, sue=Role.SUPPORT)
    opened = await house.ask("alice", OPENING)
    assert opened["decision"] == "allow"
    assert reason(await sue.asks("alice", "staff.look_up", **(LOOK | {"ticket": opened["id"]})))[1] == "ticket_required"


async def test_a_passkey_answers_for_the_device_that_asked(house: House) -> None:
    """Whoever stands between and puts a key of his own beside the passkey's answer gets no session."""
    (sue,) = await staffed(house, sue=Role.SUPPORT)
    sue.session = ""
    first = await sue.ask(sue.by(sue.account, sue.body("session.start"), ""))
    proof = {"kind": "passkey", "response": sue.key.get(first["challenge"]["passkey"])}
    body = sue.body("session.start", proofs=[proof], challenge=first["challenge"]["id"])
    sue.browser = Browser()
    assert (await sue.ask(sue.by(sue.account, body, "")))["decision"] != "allow"


async def test_a_part_of_nobody_is_no_member(house: House) -> None:
    """A member has no sub-accounts, and nobody begins one."""
    (ann,) = await staffed(house, ann=Role.POLICY)
    wish = Colleague(house, "staff-cy").enrolment(Role.SUPPORT)
    with pytest.raises(BadRequest, match="sub-account"):
        await ann.asks("staff-cy.x", "staff.enrol", **wish)
    assert not await house.faults(*await house.store.accounts("", 100))


async def test_two_at_the_same_moment(house: House) -> None:
    """Who asks while another begins the stream is told to ask again, and the member can be reached and sign in."""
    ann, bo = await staffed(house, ann=Role.POLICY, bo=Role.POLICY)
    cy = Colleague(house, "staff-cy")
    wish = cy.enrolment(Role.SUPPORT)
    both = (one.asks("staff-cy", "staff.enrol", **wish) for one in (ann, bo))
    answers = await asyncio.gather(*both, return_exceptions=True)
    assert [type(one) for one in answers] in ([dict, StoreUnavailable], [StoreUnavailable, dict])
    late = bo if isinstance(answers[1], StoreUnavailable) else ann
    assert (await late.asks("staff-cy", "staff.enrol", **wish))["decision"] == "allow"
    await house.deliver()
    house.clock.at += 73 * HOUR
    await cy.signs_in()


async def test_opening_again_draws_nobody_anew(house: House) -> None:
    """Whoever opens one recovery after the other gets the same reviewers, until one of them may not judge any more."""
    await settled(house, "alice")
    people = await staffed(house, **{f"r{number}": Role.REVIEWER for number in range(6)})
    drawn = set()
    for _ in range(5):
        assert (await house.ask("alice", OPENING))["decision"] == "allow"
        drawn.add((await house.head("alice")).drawn)
        house.clock.at += 61 * MINUTE
    ((one, other),) = drawn
    gone = next(person for person in people if person.account == one)
    await gone.signs_in()
    assert (await gone.ask(gone.by(gone.account, gone.body("account.freeze"), gone.session)))["decision"] == "allow"
    house.service._staff_read_at = -100.0  # noqa: SLF001 - the roster is believed for some seconds
    assert (await house.ask("alice", OPENING))["decision"] == "allow"
    again = (await house.head("alice")).drawn
    assert other in again
    assert one not in again


async def test_what_staff_ask_leaves_a_line(house: House) -> None:
    """No dry runs, and a proof of a key that there is no room to remember serves nothing."""
    await settled(house, "alice")
    (sue,) = await staffed(house, sue=Role.SUPPORT)
    await house.service.record("alice", TicketOpen("t-1"))
    with pytest.raises(BadRequest, match="no dry runs"):
        await sue.asks("alice", "staff.look_up", **LOOK, dry_run=True)
    for _ in range(64):
        await sue.asks("alice", "staff.look_up", **(LOOK | {"ticket": "t-2"}))
    assert reason(await sue.asks("alice", "staff.look_up", **LOOK)) == ("deny", "too_many")


async def test_a_stolen_token_of_the_staff_is_told(house: House) -> None:
    """Whoever shows a member's session without its key gets nothing, and the member hears of it, once."""
    await settled(house, "alice")
    (sue,) = await staffed(house, sue=Role.SUPPORT)
    stolen = {"kind": "staff", "member": sue.account, "session": sue.session}
    for _ in range(2):
        answer = await house.ask("alice", {"action": "staff.look_up", "actor": stolen, **LOOK})
        assert reason(answer) == ("deny", "device_key_required")
    assert len(await house.happened(sue.account, ev.SessionMisused)) == 1
    await house.deliver()
    subjects = [one.subject for one in house.post[Channel.EMAIL].to("staff-sue@desk.example")]
    assert "Important: your session was used from another device" in subjects


async def test_the_word_of_whoever_left_is_no_first_word(house: House) -> None:
    """A second person completes nothing that was asked by somebody who was retired since."""
    ann, bo, cas = await staffed(house, ann=Role.POLICY, bo=Role.POLICY, cas=Role.POLICY)
    wish = Colleague(house, "staff-eve").enrolment(Role.REVIEWER)
    await ann.asks("staff-eve", "staff.enrol", **wish)
    assert (await cas.asks("staff-ann", "staff.retire"))["decision"] == "allow"
    assert reason(await bo.asks("staff-eve", "staff.enrol", **wish)) == ("hold", "second_person_required")
    assert (await cas.asks("staff-eve", "staff.enrol", **wish))["decision"] == "allow"


async def test_nobody_says_much_of_colleagues_a_day(house: House) -> None:
    """Five words a day: one of them cannot empty the staff, or fill the store, before others notice."""
    (ann,) = await staffed(house, ann=Role.POLICY)
    wish = Colleague(house, "staff-x").enrolment(Role.SUPPORT)
    answers = [await ann.asks(f"staff-x{number}", "staff.enrol", **wish) for number in range(7)]
    assert [one["decision"] for one in answers] == ["hold"] * 5 + ["deny"] * 2
    assert reason(answers[5])[1] == "too_many"


async def test_no_value_goes_to_the_staff(house: House) -> None:
    """A stream of the staff is no customer to pay."""
    (alice,) = await settled(house, "alice")
    await staffed(house, sue=Role.SUPPORT)
    wish = alice.body(
        "exit.request", kind="internal_transfer", asset="USDT", amount="1", usd="1", counterparty="staff-sue"
    )
    await alice.sign_in()
    answer = await alice.ask(wish | {"actor": {"kind": "owner", "session": alice.session}, "proofs": alice.proofs()})
    assert reason(answer) == ("deny", "counterparty_unknown")


async def test_what_was_shown_is_not_shown_again(house: House) -> None:
    """A look-up is kept under no idempotency key: who asks again asks anew."""
    await settled(house, "alice")
    (sue,) = await staffed(house, sue=Role.SUPPORT)
    await house.service.record("alice", TicketOpen("t-1"))
    actor = {"kind": "staff", "member": sue.account, "session": sue.session}
    body = sue.by("alice", {"action": "staff.look_up", "actor": actor, **LOOK}, sue.session)
    assert (await house.ask("alice", body, "k1"))["decision"] == "allow"
    again = await house.ask("alice", body, "k1")
    assert (again["decision"], again["customer"]) == ("deny", None)


async def test_the_desk_is_read_by_who_is_there(house: House) -> None:
    """Session, device and role open a queue; without any one of them nothing is shown."""
    await settled(house, "alice")
    assert (await house.ask("alice", OPENING))["decision"] == "allow"
    sue, rita = await staffed(house, sue=Role.SUPPORT, rita=Role.REVIEWER)
    url = "https://desk.example/queue"
    proof = sue.browser.proof(house.clock.at, token=sue.session, htm="GET", htu=url, act=None)
    shown = {b"holdback-member": sue.account, b"holdback-session": sue.session, b"holdback-called": url, b"dpop": proof}
    headers = {name: value.encode() for name, value in shown.items()}
    queues = Queues(house.service)
    page = json.loads((await queues.queue(Call("desk", {}, b"role=support", headers, b""))).body)
    assert [one["account"] for one in page["items"]] == ["alice"]
    for name in headers:
        without = {key: value for key, value in headers.items() if key != name}
        with pytest.raises(Problem):
            await queues.queue(Call("desk", {}, b"role=support", without, b""))
    with pytest.raises(Problem):
        await queues.queue(Call("desk", {}, b"role=reviewer", headers, b""))
    stolen = headers | {b"holdback-member": rita.account.encode()}
    with pytest.raises(Problem):
        await queues.queue(Call("desk", {}, b"role=reviewer", stolen, b""))
