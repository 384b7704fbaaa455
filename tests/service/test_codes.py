"""Codes by text and mail through the real service: made for one question, sent to one place, good once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.service.house import (
    HOME,
    PASSWORD,
    PASSWORD_HASH,
    PLATFORM,
    Customer,
    House,
    code_in,
    settled,
)

from holdback.core import events as ev
from holdback.core.assurance import CODE_MS
from holdback.core.events import HOUR, MINUTE, Channel
from holdback.intake import BadRequest
from holdback.ports import ChannelUnavailable

if TYPE_CHECKING:
    from holdback.ports import Message

NUMBER = "+491510000001"


class Texted(Customer):
    """A customer who holds a password and a telephone."""

    def importing(self, counterparty: str = "bob", sign_in_name: str = "") -> dict[str, Any]:
        """See Customer."""
        body = super().importing(counterparty, sign_in_name)
        numbers = [{"kind": "password", "secret": PASSWORD_HASH}, {"kind": "sms", "address": NUMBER}]
        return body | {"authenticators": numbers}

    def shown(self, code: str = "") -> list[dict[str, str]]:
        """The password, with a code beside it if there is one."""
        beside = [{"kind": "sms", "response": code}] if code else []
        return [{"kind": "password", "response": PASSWORD}, *beside]

    async def texts(self) -> list[Message]:
        """What has reached the telephone."""
        await self.house.deliver()
        return self.house.post[Channel.SMS].to(NUMBER)

    async def proved(self, action: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
        """Ask, read the code that comes, and ask again with it."""
        answer = await self.ask(self.body(action, proofs=self.shown(), **fields))
        assert answer["decision"] == "step_up", answer
        code = code_in((await self.texts())[-1])
        body = self.body(action, proofs=self.shown(code), challenge=answer["challenge"]["id"], **fields)
        return await self.ask(body)

    async def sign_in(self, _code: str = "") -> None:
        """See Customer."""
        self.session = ""
        answer = await self.proved("session.start")
        assert answer["decision"] == "allow", answer
        self.session = answer["session"]["token"]


async def ripe(house: House) -> Texted:
    """One whose telephone, address book and device are senior, and who has just signed in."""
    await house.priced()
    alice = Texted(house, "alice")
    answer = await alice.ask(alice.importing())
    assert answer["decision"] == "allow", answer
    await house.deliver()
    for _ in range(2):
        house.clock.at += 73 * HOUR
        await alice.sign_in()
        await house.deliver()
    await house.priced()
    return alice


def payment(usd: int) -> dict[str, Any]:
    """Fields of a withdrawal home."""
    amounts = {"asset": "USDT", "amount": str(usd), "usd": str(usd)}
    return {"kind": "withdrawal", "address": HOME, "network": "bitcoin", **amounts}


async def test_a_code_signs_in_and_pays_where_nothing_stronger_is_held(house: House) -> None:
    """Password first, then the code; the text says what it does, and holds nothing that acts."""
    alice = await ripe(house)
    answer = await alice.proved("exit.request", **payment(20))

    assert answer["decision"] == "allow", answer
    last = (await alice.texts())[-1]
    assert "to send 20 USDT to bc1qar0s...wf5mdq by bitcoin" in last.text
    assert last.freeze_url == ""
    assert "http" not in last.text
    assert len(last.text) <= 300


async def test_a_code_that_was_asked_for_is_not_told_as_a_failure(house: House) -> None:
    """To sign in by password and code takes two tries, and its owner hears of the code only."""
    alice = await ripe(house)
    await house.service.tell_failures()
    before = len(await house.happened("alice", ev.SignInsFailed))
    house.clock.at += 73 * HOUR
    await alice.sign_in()
    assert await house.service.tell_failures() == 0
    assert len(await house.happened("alice", ev.SignInsFailed)) == before == 0


async def test_nobody_else_gets_it(house: House) -> None:
    """A code reaches the number that is asked and no contact, and nothing is sent to a stranger's asking."""
    alice = await ripe(house)
    before = len(await alice.texts())
    alice.session = ""
    await alice.ask(alice.body("session.start"))
    await alice.ask(alice.body("session.start", proofs=[{"kind": "password", "response": "wrong"}]))
    assert len(await alice.texts()) == before
    others = [len(house.post[one].accepted) for one in (Channel.EMAIL, Channel.PUSH)]
    await alice.ask(alice.body("session.start", proofs=alice.shown()))
    assert len(await alice.texts()) == before + 1
    assert [len(house.post[one].accepted) for one in (Channel.EMAIL, Channel.PUSH)] == others


async def test_a_code_is_for_one_question_once(house: House) -> None:
    """It does not serve another amount, nor the same one twice, nor without its challenge."""
    alice = await ripe(house)
    asked = await alice.ask(alice.body("exit.request", **payment(20)))
    challenge, code = asked["challenge"]["id"], code_in((await alice.texts())[-1])
    other = alice.body("exit.request", proofs=alice.shown(code), **payment(21))
    assert (await alice.ask(other))["decision"] == "step_up"
    right = alice.body("exit.request", proofs=alice.shown(code), **payment(20))
    assert (await alice.ask(right))["decision"] == "step_up"
    assert (await alice.ask(right | {"challenge": challenge}))["decision"] == "allow"
    again = await alice.ask(right)
    assert (again["decision"], again["reasons"][0]["code"]) == ("step_up", "proof_wrong")


@pytest.mark.parametrize(("minutes", "decision"), [(9, "allow"), (10, "step_up")])
async def test_a_code_lasts_ten_minutes(house: House, minutes: int, decision: str) -> None:
    """However long its challenge does; the wrong try is counted."""
    alice = await ripe(house)
    asked = await alice.ask(alice.body("exit.request", **payment(20)))
    code = code_in((await alice.texts())[-1])
    house.clock.at += minutes * MINUTE
    body = alice.body("exit.request", proofs=alice.shown(code), **payment(20))
    if minutes * MINUTE < CODE_MS:
        body["challenge"] = asked["challenge"]["id"]
    assert (await alice.ask(body))["decision"] == decision
    assert len(await house.happened("alice", ev.ProofFailed)) == (decision != "allow")


async def test_a_fresh_code_replaces_the_one_before(house: House) -> None:
    """Asking again after a while sends another one for the same challenge."""
    alice = await ripe(house)
    asked = await alice.ask(alice.body("exit.request", **payment(20)))
    old = code_in((await alice.texts())[-1])
    house.clock.at += 3 * MINUTE
    assert (await alice.ask(alice.body("exit.request", **payment(20))))["challenge"]["id"] == asked["challenge"]["id"]
    new = code_in((await alice.texts())[-1])
    assert new != old
    challenge = {"challenge": asked["challenge"]["id"]}
    wrong = await alice.ask(alice.body("exit.request", proofs=alice.shown(old), **payment(20), **challenge))
    assert wrong["decision"] == "step_up"
    right = await alice.ask(alice.body("exit.request", proofs=alice.shown(new), **payment(20), **challenge))
    assert right["decision"] == "allow"


async def test_a_late_code_is_not_sent(house: House) -> None:
    """What could not be delivered while it was good is put away."""
    alice = await ripe(house)
    before = len(await alice.texts())

    def down(_message: Message) -> None:
        raise ChannelUnavailable("the gateway is down")

    house.post[Channel.SMS].before = down
    await alice.ask(alice.body("exit.request", **payment(20)))
    await house.deliver()
    house.post[Channel.SMS].before = lambda _: None
    house.clock.at += CODE_MS
    assert len(await alice.texts()) == before


async def test_a_number_that_was_given_away_gets_no_code(house: House) -> None:
    """Not even one that was due already; the password signs in, and money is closed."""
    alice = await ripe(house)
    before = len(await alice.texts())
    await alice.ask(alice.body("exit.request", **payment(20)))
    report = {"action": "contact.report_recycled", "authenticator": "a1-2", "actor": PLATFORM}
    assert (await alice.ask(report))["decision"] == "allow"
    assert len(await alice.texts()) == before
    alice.session = ""
    answer = await alice.ask(alice.body("session.start", proofs=alice.shown()))
    assert answer["decision"] == "allow", answer
    alice.session = answer["session"]["token"]
    house.clock.at += 4 * 24 * HOUR
    alice.session = (await alice.ask(Customer.body(Texted(house, "alice"), "session.start", proofs=alice.shown())))[
        "session"
    ]["token"]
    answer = await alice.ask(alice.body("exit.request", proofs=alice.shown(), **payment(20)))
    assert answer["reasons"][0]["code"] == "no_senior_authenticator"


@pytest.mark.parametrize(
    ("kind", "address", "reached", "channel"),
    [
        ("sms", "+44 20 7946 0042", "+442079460042", Channel.SMS),
        ("email", "Alice+codes@Else.example", "Alice+codes@Else.example", Channel.EMAIL),
    ],
)
async def test_binding_is_confirmed_by_a_code_sent_there(
    house: House, kind: str, address: str, reached: str, channel: Channel
) -> None:
    """It reaches that number or mailbox as it was written, says what it is for, and is no use when it is old."""
    (alice,) = await settled(house, "alice")
    bind = {"kind": kind, "address": address}
    made = await alice.ask(alice.body("authenticator.bind", proofs=alice.proofs(), **bind))
    assert made["decision"] == "allow", made
    await house.deliver()
    (sent,) = house.post[channel].to(reached)
    assert sent.freeze_url == ""
    assert "http" not in sent.text

    async def confirm(name: str, code: str) -> dict[str, Any]:
        proofs = [{"kind": kind, "response": code}]
        return await alice.ask(alice.body("authenticator.confirm", authenticator=name, proofs=proofs))

    house.clock.at += CODE_MS
    assert (await confirm(made["id"], code_in(sent)))["reasons"][0]["code"] == "proof_wrong"
    made = await alice.ask(alice.body("authenticator.bind", proofs=alice.proofs(), **bind))
    await house.deliver()
    answer = await confirm(made["id"], code_in(house.post[channel].to(reached)[-1]))
    assert answer["decision"] == "allow", answer


@pytest.mark.parametrize(
    ("kind", "address", "detail"),
    [
        ("sms", None, "needs the address"),
        ("sms", "0151 0000001", "phone number"),
        ("email", "alice", "mail address"),
        ("email", "a@b\r\nBcc: c@d", "mail address"),
    ],
)
async def test_an_address_that_no_code_could_reach_is_refused(
    house: House, kind: str, address: str | None, detail: str
) -> None:
    """With the field's name, for bindings and for imports."""
    (alice,) = await settled(house, "alice")
    given = {"kind": kind} | ({"address": address} if address is not None else {})
    with pytest.raises(BadRequest, match=detail) as refused:
        await alice.ask(alice.body("authenticator.bind", proofs=alice.proofs(), **given))
    assert refused.value.pointer == "/address"
    bob = Customer(house, "bob")
    with pytest.raises(BadRequest, match=detail) as refused:
        await bob.ask(bob.importing() | {"authenticators": [given]})
    assert refused.value.pointer == "/authenticators/0/address"


async def test_one_mailbox_written_twice_is_one(house: House) -> None:
    """Its code is never the second factor beside a code sent to it as a contact."""
    alice = Customer(house, "alice")
    body = alice.importing() | {
        "authenticators": [
            {"kind": "password", "secret": PASSWORD_HASH},
            {"kind": "email", "address": "ALICE+x@example.com"},
        ]
    }
    await alice.ask(body)
    head = await house.head("alice")
    assert head.authenticators["a1-2"].holder == head.contacts["c1-1"].address.mac
