"""Legal requests over the whole service, on both stores: a signed paper, a registry, a desk, a sealed package."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
from pyrage import decrypt, x25519
from tests.documents.papers import NOW, authority, blank, hand, signed
from tests.service.house import House, settled
from tests.service.office import WITH_PASSKEYS, Colleague, staffed

from holdback.core import events as ev
from holdback.core.events import DAY, HOUR, Channel, Role
from holdback.desk import Desk
from holdback.enveloping import AgeEnvelopes
from holdback.evidence.document import Documents
from holdback.intake import BadRequest
from holdback.papers import Papers
from holdback.views import Views

if TYPE_CHECKING:
    from tests.service.house import Customer, Hands

    from holdback.ports import Store

FIELDS: Final = ("email", "beneficiaries", "sign_ins", "session_tokens")
NUMBER: Final = "+15550100199"


@pytest.fixture
def house(store: Store, clock: Hands) -> House:
    """A house in which passkeys work."""
    return House(store, clock, given=WITH_PASSKEYS)


class Precinct:
    """The police: a key of its own, a clerk's certificate, and an entry in the registry."""

    def __init__(self, house: House) -> None:
        """Nobody knows it yet."""
        self.house = house
        self.key = x25519.Identity.generate()
        self.court = authority()
        self.clerk = hand(self.court)

    def entry(self) -> dict[str, Any]:
        """What two people enter."""
        der = self.clerk.certificate.public_bytes(_der())
        return {
            "name": "Police of Example",
            "officers": [{"id": "o1", "name": "Dana Clerk", "number": NUMBER}],
            "recipient": str(self.key.to_public()),
            "domains": ["police.example"],
            "certificates": [hashlib.sha256(der).hexdigest()],
        }

    async def paper(self) -> str:
        """A signed order, handed in: its token."""
        reads = Papers(self.house.service.tools.masters, Documents([self.court.pem]))
        handed = await reads.pdf(signed(blank(), self.clerk), NOW)
        assert handed.finding.outcome == "signed_trusted", handed.finding
        # Certificates are of today, and the house lives in another year.
        return await self.dated(reads, handed.document)

    async def dated(self, reads: Papers, document: str) -> str:
        """The same finding, as of the house's time."""
        masters = self.house.service.tools.masters
        said = msgspec.msgpack.decode(masters.read_token("paper", document))
        self.house.service.tools = self.house.service.tools._replace(papers=reads)
        at = self.house.clock.at
        return masters.token("paper", msgspec.msgpack.encode([at, *said[1:5], at - DAY, said[6]]))

    def reads(self, text: str) -> str:
        """What was sealed for it."""
        return str(decrypt(text.encode(), [self.key]).decode())


def _der() -> Any:  # noqa: ANN401 - an enumeration of a library's
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415 - only here

    return Encoding.DER


def reason(answer: dict[str, Any]) -> tuple[str, str]:
    """The decision and its first reason."""
    return answer["decision"], answer["reasons"][0]["code"]


async def office(house: House) -> tuple[Customer, Precinct, list[Colleague]]:
    """Alice, an agency whose entry is in force, and a legal desk of two with fresh sessions."""
    (alice,) = await settled(house, "alice")
    ann, bo = await staffed(house, ann=Role.POLICY, bo=Role.POLICY)
    police = Precinct(house)
    wish = police.entry()
    assert reason(await ann.asks("agency-police", "agency.add", **wish)) == ("hold", "second_person_required")
    answer = await bo.asks("agency-police", "agency.add", **wish)
    assert answer["decision"] == "allow", answer
    desk = await staffed(house, lena=Role.LEGAL, luc=Role.LEGAL)
    return alice, police, desk


async def came_in(alice: Customer, police: Precinct, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """A signed request comes in by the platform's portal."""
    asked = {"action": "legal.receive", "actor": {"kind": "agency"}, "agency": "police", "legal_basis": "court_order"}
    return await alice.ask(asked | {"fields": FIELDS, "document": await police.paper()} | more)


async def rung(lena: Colleague, police: Precinct, received: dict[str, Any]) -> dict[str, Any]:
    """The registry's number is rung, and the officer says what only the agency could read."""
    words = police.reads(received["letter"]).rpartition(": ")[2].strip()
    return await lena.asks("alice", "legal.call_back", confirmed=True, officer="o1", phrase=f" {words.upper()} ")


async def granted(house: House, **more: Any) -> tuple[Customer, Precinct, list[Colleague], dict[str, Any]]:  # noqa: ANN401 - any JSON
    """A request that went all the way."""
    alice, police, (lena, luc) = await office(house)
    received = await came_in(alice, police, **more)
    assert (await rung(lena, police, received))["decision"] == "allow"
    await lena.asks("alice", "legal.approve")
    await luc.asks("alice", "legal.approve")
    house.clock.at += 4 * HOUR
    await lena.signs_in()
    answer = await lena.asks("alice", "legal.release")
    assert answer["decision"] == "allow", answer
    return alice, police, [lena, luc], answer


async def test_a_request_goes_all_the_way(house: House) -> None:
    """Signed, rung back by phrase, approved by two; the agency opens what it may have, and nothing else is in it."""
    alice, police, _, answer = await granted(house)
    package = answer["package"]
    rows = [msgspec.json.decode(line) for line in police.reads(package["body"]).splitlines()]
    assert {one["field"] for one in rows[1:]} == {"email", "beneficiaries", "sign_ins"}
    assert alice.mail in str(rows)
    assert alice.session not in str(rows)
    assert answer["receipt"]
    (event,) = await house.happened("alice", ev.LegalDisclosed)
    assert event.package.hex() == package["digest"] == hashlib.sha256(package["body"].encode()).hexdigest()
    assert package["export"]["reader"] == f"police/{event.request}"
    (burned,) = await house.happened("alice", ev.EvidenceBurned)
    assert (burned.kinds, burned.cause) == (("email_code",), "legal")
    assert await house.faults("alice", "agency-police", "staff-lena") == []


async def test_the_owner_is_told_at_once(house: House) -> None:
    """The mail names the authority, the basis and the fields, and says that no secret was among them."""
    alice, *_ = await granted(house)
    await house.deliver()
    sent = {one.subject: one.text for one in house.post[Channel.EMAIL].to(alice.mail)}
    text = sent["Important: data about you was disclosed to an authority"]
    assert '"police"' in text
    assert "court order" in text
    assert "No secret of yours" in text


async def test_a_secrecy_order_is_kept_to_its_date_and_no_longer(house: House) -> None:
    """Nothing is sent or shown of it before; at its date the notice goes out, and the log shows it."""
    alice, *_ = await granted(house, secret_d=30)
    await house.deliver()
    subjects = {one.subject for one in house.post[Channel.EMAIL].to(alice.mail)}
    assert not [one for one in subjects if "disclosed" in one or "no longer proves" in one]
    views = Views(house.service)
    shown = await views.account("alice")
    assert shown is not None
    assert shown.burned == {}
    page = await views.events("alice", 0, 200)
    assert page is not None
    assert "legal." not in str(page)
    house.clock.at += 30 * DAY
    await house.deliver()
    subjects = {one.subject for one in house.post[Channel.EMAIL].to(alice.mail)}
    assert "Important: data about you was disclosed to an authority" in subjects
    shown = await views.account("alice")
    assert shown is not None
    assert list(shown.burned) == ["email_code"]
    page = await views.events("alice", 0, 200)
    assert page is not None
    assert "legal.disclosed" in str(page)


async def test_who_only_says_that_he_rang_does_not_know_the_phrase(house: House) -> None:
    """A clerk who makes a call up is refused; so is the phrase of another customer's request."""
    alice, police, (lena, _) = await office(house)
    received = await came_in(alice, police, request="one-42")
    for phrase in ("", "amber otter lantern amber otter lantern", police.reads(received["letter"])):
        answer = await lena.asks("alice", "legal.call_back", confirmed=True, officer="o1", phrase=phrase)
        assert reason(answer) == ("deny", "phrase_wrong")
    assert (await rung(lena, police, received))["decision"] == "allow"


async def test_a_paper_nobody_signed_is_granted_nothing(house: House) -> None:
    """Without a token the paper is unsigned; a token that was made up names the field."""
    alice, police, (lena, _) = await office(house)
    received = await came_in(alice, police, document="")
    await rung(lena, police, received)
    assert reason(await lena.asks("alice", "legal.approve")) == ("deny", "paper_unsigned")
    with pytest.raises(BadRequest, match="is not what was answered") as error:
        await came_in(alice, police, document="AAAA")
    assert error.value.pointer == "/document"


async def test_an_unknown_agency_gets_no_letter_and_a_mark(house: House) -> None:
    """Nobody can be rung; the desk says so, and the owner learns that somebody is after the account."""
    alice, police, (lena, _) = await office(house)
    received = await came_in(alice, police, agency="interpol")
    assert received["letter"] is None
    answer = await lena.asks("alice", "legal.call_back", confirmed=True, officer="o1", phrase="x")
    assert reason(answer) == ("deny", "agency_unknown")
    assert (await lena.asks("alice", "legal.call_back", confirmed=False))["decision"] == "allow"
    await house.deliver()
    subjects = {one.subject for one in house.post[Channel.EMAIL].to(alice.mail)}
    assert "Important: a legal request about you was turned down" in subjects
    shown = await Views(house.service).account("alice")
    assert shown is not None
    assert shown.targeted_until is not None


async def test_an_order_stops_payments_until_two_end_it(house: House) -> None:
    """It is shown as an order and not as a freeze, and the owner's own means do not end it."""
    alice, police, (lena, luc) = await office(house)
    order = {"action": "legal.freeze_order", "actor": {"kind": "agency"}, "agency": "police", "days": 30}
    received = await alice.ask(order | {"document": await police.paper()})
    await rung(lena, police, received)
    for one in (lena, luc):
        await one.asks("alice", "legal.approve")
    assert (await luc.asks("alice", "legal.release"))["decision"] == "allow"
    await alice.sign_in(alice.next_code())
    paid = await alice.ask(alice.withdrawal(5, proofs=alice.proofs()))
    assert reason(paid) == ("deny", "under_order")
    shown = await Views(house.service).account("alice")
    assert shown is not None
    assert shown.freeze is None
    assert [(one.agency, one.request) for one in shown.orders] == [("police", received["id"])]
    assert reason(await lena.asks("alice", "legal.reject", forged=False)) == ("hold", "second_person_required")
    assert (await luc.asks("alice", "legal.reject", forged=False))["decision"] == "allow"
    paid = await alice.ask(alice.withdrawal(5, proofs=alice.proofs()))
    assert paid["reasons"][0]["code"] != "under_order"


async def test_a_key_that_changed_meanwhile_opens_nothing(house: House) -> None:
    """What was sealed for a key that is not the entry's any more is not disclosed; an agency taken out gets nothing."""
    alice, police, (lena, luc) = await office(house)
    received = await came_in(alice, police)
    await rung(lena, police, received)
    for one in (lena, luc):
        await one.asks("alice", "legal.approve")
    await lena.asks("agency-police", "agency.remove")
    house.clock.at += 4 * HOUR
    await lena.signs_in()
    assert reason(await lena.asks("alice", "legal.release")) == ("deny", "agency_unknown")


async def test_the_registry_can_be_read(house: House) -> None:
    """Whoever rings finds officer and number there, and when the entry counts."""
    await office(house)
    shown = await Views(house.service).account("agency-police")
    assert shown is not None
    assert shown.agency is not None
    assert [(one.id, one.name, one.number) for one in shown.agency.officers] == [("o1", "Dana Clerk", NUMBER)]
    assert shown.agency_waiting is None
    assert shown.name == "Police of Example"


async def test_nothing_personal_stays_in_the_clear(house: House) -> None:
    """Neither numbers nor names of officers, nor what was disclosed, stand in the store as they are."""
    alice, *_ = await granted(house)
    stored = b"".join([record async for record in house.store.dump()])
    for text in (NUMBER, "Dana Clerk", "Police of Example", alice.mail):
        assert text.encode() not in stored


async def test_the_desk_needs_its_role(house: House) -> None:
    """Support rings, approves and releases nothing, and a platform key is none of the staff."""
    alice, police, _ = await office(house)
    (sue,) = await staffed(house, sue=Role.SUPPORT)
    await came_in(alice, police)
    for action in ("legal.approve", "legal.release"):
        assert reason(await sue.asks("alice", action)) == ("deny", "not_entitled")
        assert reason(await alice.ask({"action": action, "actor": {"kind": "platform"}})) == ("deny", "not_entitled")


async def test_a_clerk_who_left_said_nothing(house: House) -> None:
    """Who approved and was retired, or stopped by his own freeze link, counts for nothing, by his own stream."""
    alice, police, (lena, luc) = await office(house)
    (liv,) = await staffed(house, liv=Role.LEGAL)
    await lena.signs_in()
    await luc.signs_in()
    received = await came_in(alice, police)
    await rung(lena, police, received)
    await lena.asks("alice", "legal.approve")
    await luc.asks("alice", "legal.approve")
    house.clock.at += 4 * HOUR
    (ann,) = await staffed(house, ann2=Role.POLICY)
    assert (await ann.asks("staff-luc", "staff.retire"))["decision"] == "allow"
    await lena.signs_in()
    assert reason(await lena.asks("alice", "legal.release")) == ("deny", "approval_required")
    await liv.signs_in()
    await liv.asks("alice", "legal.approve")
    frozen = await lena.ask(lena.by(lena.account, lena.body("account.freeze"), lena.session))
    assert frozen["decision"] == "allow", frozen
    assert reason(await liv.asks("alice", "legal.release")) == ("deny", "call_back_required")
    answer = await rung(liv, police, received)
    assert answer["decision"] == "allow", answer
    assert reason(await liv.asks("alice", "legal.release")) == ("deny", "approval_required")
    assert await house.faults("alice", "agency-police", "staff-lena", "staff-liv") == []


async def on_desk(house: House) -> list[tuple[str, str, str]]:
    """What stands there of agencies: whose, which, and for whom."""
    rows = await house.store.desk("", (0, "", "", ""), 100)
    return sorted((one.account, one.id, one.role) for one in rows if one.kind == "agency")


async def test_the_registrys_next_entry_is_on_the_desk(house: House) -> None:
    """Who handles requests and who audits see it before it counts; one of them takes it back; in force it is gone."""
    ann, bo, lena = await staffed(house, ann=Role.POLICY, bo=Role.POLICY, lena=Role.LEGAL)
    wish = Precinct(house).entry()
    await ann.asks("agency-police", "agency.add", **wish)
    assert await on_desk(house) == [("agency-police", "proposal", "policy")]
    await bo.asks("agency-police", "agency.add", **wish)
    seen = [("agency-police", "auditor", "auditor"), ("agency-police", "legal", "legal")]
    assert await on_desk(house) == seen
    assert (await lena.asks("agency-police", "agency.remove", waiting=True))["decision"] == "allow"
    assert await on_desk(house) == []
    for one in (ann, bo):
        await one.asks("agency-police", "agency.add", **wish)
    await house.service.remind()
    assert await on_desk(house) == seen
    house.clock.at += 72 * HOUR
    assert await house.service.remind() == 2
    assert await on_desk(house) == []
    assert await house.service.remind() == 0
    await Desk(house.service).rebuild()
    assert await on_desk(house) == []
    shown = await Views(house.service).account("agency-police")
    assert shown is not None
    assert shown.agency is not None


async def test_a_secrecy_order_hides_nothing_of_the_owners_own(house: House) -> None:
    """What came due in the same entry as a secret step is shown, the step is not, and its link is as in the chain."""
    alice, police, _ = await office(house)
    await alice.sign_in(alice.next_code())
    off = await alice.ask(alice.body("allowlist.set", on=True, proofs=alice.proofs()))
    assert off["decision"] == "allow", off
    off = await alice.ask(alice.body("allowlist.set", on=False, proofs=alice.proofs()))
    assert off["decision"] == "hold", off
    await house.deliver()
    house.clock.at += 73 * HOUR
    await came_in(alice, police, secret_d=30)
    entries = await house.store.entries("alice", 0, 1000)
    entry = next(one for one in entries if b"legal.received" in one.body)
    assert b"change.done" in entry.body
    page = await Views(house.service).events("alice", entry.seq - 1, 1)
    assert page is not None
    (item,) = page.items
    assert "change.done" in {one["event"] for one in item.events}
    assert "decided" not in {one["event"] for one in item.events}
    assert "legal" not in str(item.events)
    assert item.link == entry.link.hex()
    assert await house.faults("alice") == []
    house.clock.at += 30 * DAY
    page = await Views(house.service).events("alice", entry.seq - 1, 1)
    assert page is not None
    assert {"decided", "legal.received", "change.done"} <= {one["event"] for one in page.items[0].events}


class Counting:
    """Envelopes that are real, and counted."""

    def __init__(self) -> None:
        """None yet."""
        self.real, self.sealed = AgeEnvelopes(), 0

    def fits(self, recipient: str) -> bool:
        """See ports.Envelopes."""
        return self.real.fits(recipient)

    def seal(self, recipient: str, data: bytes) -> str:
        """See ports.Envelopes."""
        self.sealed += 1
        return self.real.seal(recipient, data)


async def test_nothing_is_packed_before_it_may_leave(house: House) -> None:
    """Nobody's data is gathered and sealed for who may not release it, before its time, or where nothing is written."""
    alice, police, (lena, luc) = await office(house)
    (sue,) = await staffed(house, sue=Role.SUPPORT)
    for one in (lena, luc):
        await one.signs_in()
    received = await came_in(alice, police)
    await rung(lena, police, received)
    envelopes = Counting()
    house.service.tools = house.service.tools._replace(envelopes=envelopes)
    assert reason(await lena.asks("alice", "legal.release")) == ("deny", "approval_required")
    await lena.asks("alice", "legal.approve")
    await luc.asks("alice", "legal.approve")
    assert reason(await sue.asks("alice", "legal.release")) == ("deny", "not_entitled")
    assert reason(await lena.asks("alice", "legal.release")) == ("deny", "not_yet_due")
    house.clock.at += 4 * HOUR
    assert (await luc.asks("alice", "legal.release"))["decision"] == "deny", "his session is over"
    await lena.signs_in()
    with pytest.raises(BadRequest, match="no dry runs"):
        await lena.asks("alice", "legal.release", dry_run=True)
    tried = await alice.ask({"action": "legal.release", "actor": {"kind": "platform"}, "dry_run": True})
    assert reason(tried) == ("deny", "not_entitled")
    assert envelopes.sealed == 0
    answer = await lena.asks("alice", "legal.release")
    assert (answer["decision"], envelopes.sealed) == ("allow", 1)
    assert police.reads(answer["package"]["body"])


async def test_a_package_leaves_under_no_other_request(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one is packed another comes in and is approved: what was made for the first stays here."""
    alice, police, (lena, luc) = await office(house)
    received = await came_in(alice, police, request="one", fields=["name", "phone"])
    await rung(lena, police, received)
    await lena.asks("alice", "legal.approve")
    await luc.asks("alice", "legal.approve")
    house.clock.at += 4 * HOUR
    await lena.signs_in()
    await luc.signs_in()
    parts = house.store.parts

    async def meanwhile(account: str) -> Any:  # noqa: ANN401 - as the store has it
        monkeypatch.undo()
        second = await came_in(alice, police, request="two", legal_basis="emergency", fields=["name", "phone"])
        assert (await rung(lena, police, second))["decision"] == "allow"
        assert (await luc.asks("alice", "legal.approve"))["decision"] == "allow"
        return await parts(account)

    monkeypatch.setattr(house.store, "parts", meanwhile)
    assert reason(await lena.asks("alice", "legal.release")) == ("deny", "package_missing")
    assert await house.happened("alice", ev.LegalDisclosed) == []
    answer = await lena.asks("alice", "legal.release", which="one")
    assert '"request":"one"' in police.reads(answer["package"]["body"])
    answer = await lena.asks("alice", "legal.release")
    assert '"request":"two"' in police.reads(answer["package"]["body"])


async def test_a_key_with_a_wrong_digit_is_refused_at_the_door(house: House) -> None:
    """Nobody enters a key that opens nothing: the first and any later word name the field."""
    (ann,) = await staffed(house, ann=Role.POLICY)
    wish = Precinct(house).entry()
    key = wish["recipient"]
    slip = key[:-1] + ("q" if key[-1] != "q" else "p")
    for _ in range(2):
        with pytest.raises(BadRequest, match="age key") as error:
            await ann.asks("agency-police", "agency.add", **wish | {"recipient": slip})
        assert error.value.pointer == "/recipient"
        assert (await ann.asks("agency-police", "agency.add", **wish))["decision"] == "hold"


async def test_who_approves_sees_what_he_approves(house: House) -> None:
    """The desk and an auditor read a secret request by their own door; the owner's log and support do not have it."""
    alice, police, (lena, luc) = await office(house)
    (sue, aude) = await staffed(house, sue=Role.SUPPORT, aude=Role.AUDITOR)
    await lena.signs_in()
    await luc.signs_in()
    received = await came_in(alice, police, secret_d=30)
    wish = {"ticket": received["id"], "fields": ["legal_request"], "reason": "to decide"}
    for one in (lena, aude):
        (shown,) = (await one.asks("alice", "staff.look_up", **wish))["customer"].values()
        assert (shown["agency"], shown["legal_basis"]) == ("police", "court_order")
        assert shown["fields"] == ["email", "beneficiaries", "sign_ins"]
        assert shown["secret_until"] is not None
        assert (shown["signed"], shown["approved"]) == (True, [])
    assert reason(await sue.asks("alice", "staff.look_up", **wish)) == ("deny", "not_entitled")
    await rung(lena, police, received)
    assert (await lena.asks("alice", "legal.approve"))["decision"] == "allow", "reading it makes nobody partial"
    await luc.asks("alice", "legal.approve")
    views = Views(house.service)
    page = await views.events("alice", 0, 200)
    assert page is not None
    assert received["id"] not in str([one.events for one in page.items])
    assert "legal" not in str(page)
    house.clock.at += 4 * HOUR
    await luc.signs_in()
    assert (await luc.asks("alice", "legal.release"))["decision"] == "allow"
    await aude.signs_in()
    (shown,) = (await aude.asks("alice", "staff.look_up", **wish))["customer"].values()
    assert shown["disclosed_at"]
    house.clock.at += 30 * DAY
    await house.deliver()
    page = await views.events("alice", 0, 200)
    assert page is not None
    read = [one for item in page.items for one in item.events if one["event"] == "staff.looked_up"]
    assert [one["member"] for one in read] == ["staff-lena", "staff-aude", "staff-aude"]


async def test_an_order_is_read_by_who_decides_about_it(house: House) -> None:
    """An order says for how long, and is no secret: the owner sees who read it."""
    alice, police, (lena, _) = await office(house)
    order = {"action": "legal.freeze_order", "actor": {"kind": "agency"}, "agency": "police", "days": 30}
    received = await alice.ask(order | {"document": await police.paper()})
    wish = {"ticket": received["id"], "fields": ["legal_request"], "reason": "to decide"}
    (shown,) = (await lena.asks("alice", "staff.look_up", **wish))["customer"].values()
    assert (shown["order_days"], shown["order_until"], shown["secret_until"]) == (30, None, None)
    page = await Views(house.service).events("alice", 0, 200)
    assert page is not None
    assert "staff.looked_up" in str(page.items[-1].events)
