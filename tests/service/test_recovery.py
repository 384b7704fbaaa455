"""A recovery through the real service: a token, real codes, a real mail, a new password that signs in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from coincurve import PrivateKey
from Crypto.Hash import keccak
from tests.service.house import HOME, NEW_MAIL, PASSWORD, Customer, House, code_in, settled, token_in

from holdback.core import events as ev
from holdback.core.events import DAY, HOUR, MINUTE, Channel
from holdback.intake import BadRequest
from holdback.judging import ChallengeRefused

if TYPE_CHECKING:
    from holdback.ports import Message

CHOSEN = "copper meadow seventeen lanterns"


class Claim:
    """Somebody who goes through a recovery of an account."""

    def __init__(self, alice: Customer) -> None:
        """Open nothing yet."""
        self.alice, self.house, self.token = alice, alice.house, ""

    async def ask(self, action: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
        """Ask with the token of the recovery and without a session."""
        actor = {"kind": "owner", "session": self.token} if self.token else {"kind": "owner"}
        return await self.alice.ask({"action": action, "actor": actor, **fields})

    async def opens(self) -> dict[str, Any]:
        """Open one, and keep its token."""
        answer = await self.ask("recovery.open", lost=["password", "totp"])
        self.token = answer["session"]["token"] if answer["session"] else ""
        return answer

    async def shows(self, kind: str, response: str) -> dict[str, Any]:
        """Show a proof by something held."""
        return await self.ask("recovery.evidence", kind=kind, proofs=[{"kind": kind, "response": response}])

    async def finishes(self, password: str = CHOSEN) -> dict[str, Any]:
        """Ask to finish, read the code in the owner's mailbox, and finish."""
        first = await self.ask("recovery.finish", password=password)
        if first["decision"] != "step_up":
            return first
        code = code_in(await self.code_mail())
        proofs = [{"kind": "contact_code", "response": code}]
        return await self.ask("recovery.finish", password=password, proofs=proofs, challenge=first["challenge"]["id"])

    async def code_mail(self) -> Message:
        """The last mail with a code."""
        await self.house.deliver()
        sent = self.house.post[Channel.EMAIL].to(self.alice.mail)
        return next(one for one in reversed(sent) if one.subject == "Your code")


async def prepared(house: House) -> tuple[Customer, Claim, list[str]]:
    """Alice, her old backup codes, and a recovery that was opened a moment ago."""
    alice, _ = await settled(house, "alice", "bob")
    bound = await alice.ask(alice.body("authenticator.bind", kind="backup_code", proofs=alice.proofs()))
    codes = bound["enrolment"]["codes"]
    await house.deliver()
    house.clock.at += 80 * HOUR
    claim = Claim(alice)
    answer = await claim.opens()
    assert answer["decision"] == "allow", answer
    return alice, claim, codes


async def test_who_kept_two_things_comes_back_after_a_day(house: House) -> None:
    """A TOTP and a backup code, a day in which everyone could object, a code to the old mailbox, a new password."""
    alice, claim, codes = await prepared(house)
    assert (await claim.shows("totp", alice.next_code()))["decision"] == "allow"
    closed = await claim.shows("backup_code", codes[0])
    assert closed["reasons"][0]["code"] == "recovery_waits", closed
    await house.deliver()
    subjects = {one.subject for one in house.post[Channel.EMAIL].to(alice.mail)}
    assert "Important: your account is about to be recovered" in subjects
    house.clock.at += 23 * HOUR
    assert (await claim.finishes())["reasons"][0]["code"] == "recovery_waits"
    house.clock.at += HOUR
    answer = await claim.finishes()
    assert answer["decision"] == "allow", answer

    alice.session = ""
    old = await alice.ask(alice.body("session.start", proofs=[{"kind": "password", "response": PASSWORD}]))
    assert old["decision"] == "step_up"
    shown = [{"kind": "password", "response": CHOSEN}, {"kind": "backup_code", "response": codes[1]}]
    house.clock.at += HOUR
    answer = await alice.ask(alice.body("session.start", proofs=shown))
    assert answer["decision"] == "allow", answer
    alice.session = answer["session"]["token"]
    paid = await alice.ask(alice.withdrawal(5))
    assert paid["reasons"][0]["code"] == "recovered_lately"
    assert await house.faults("alice") == []


async def test_others_wrong_tries_do_not_make_right_evidence_wrong(house: House) -> None:
    """While a session's wrong proofs are in their pause, what is shown in a recovery is looked at all the same."""
    alice, claim, codes = await prepared(house)
    await alice.sign_in()
    wrong = [{"kind": "password", "response": PASSWORD}, {"kind": "totp", "response": "000000"}]
    for _ in range(7):
        await alice.ask(alice.body("lock.set", hours=1, proofs=wrong))
    paused = await alice.ask(alice.body("lock.set", hours=1, proofs=wrong))
    assert paused["reasons"][0]["code"] == "too_many_failures"
    assert (await claim.shows("backup_code", codes[0]))["decision"] == "allow"


async def test_one_click_stops_it(house: House) -> None:
    """The link in the notice freezes the account and ends the recovery; its token is worth nothing from then on."""
    alice, claim, _ = await prepared(house)
    assert (await claim.shows("totp", alice.next_code()))["decision"] == "allow"
    await house.deliver()
    link = token_in(house.post[Channel.EMAIL].to(alice.mail)[-1])
    stop = {"action": "account.freeze", "actor": {"kind": "link", "token": link}}
    assert (await alice.ask(stop))["decision"] == "allow"
    (ended,) = await house.happened("alice", ev.RecoveryEnded)
    assert ended.how == "vetoed"
    assert (await claim.finishes())["reasons"][0]["code"] == "not_found"


async def test_a_code_says_that_it_recovers(house: House) -> None:
    """The mail with the code says what it would do, so that nobody reads it to a caller as something else."""
    _, claim, _ = await prepared(house)
    await claim.ask("recovery.evidence", kind="contact_code")
    text = (await claim.code_mail()).text
    assert "show that you are the owner of an account that is to be recovered" in text


async def test_strangers_cost_nothing_and_choose_nothing(house: House) -> None:
    """Without the token no password is hashed or judged, and nothing of it is written anywhere."""
    alice, claim, _ = await prepared(house)
    stranger = Claim(alice)
    for token in ("", "0" * 64):
        stranger.token = token
        answer = await stranger.ask("recovery.finish", password="short")
        assert answer["reasons"][0]["code"] == "not_found"
    with pytest.raises(BadRequest, match="must have 15 to 256 characters"):
        await claim.ask("recovery.finish", password="short")
    assert len(await house.happened("alice", ev.Decided)) == len(await house.story("alice"))


async def test_guesses_are_few(house: House) -> None:
    """Five wrong codes use up a day's guesses; a backup code is no guess."""
    alice, claim, codes = await prepared(house)
    for _ in range(5):
        house.clock.at += MINUTE
        assert (await claim.shows("totp", "000000"))["reasons"][0]["code"] == "evidence_wrong"
    assert (await claim.shows("totp", alice.next_code()))["reasons"][0]["code"] == "too_many"
    assert (await claim.shows("backup_code", codes[0]))["decision"] == "allow"


async def test_nobody_outside_judges(house: House) -> None:
    """Nobody can say by himself that a face or a document is right."""
    _, claim, _ = await prepared(house)
    answer = await claim.ask("recovery.evidence", kind="face")
    assert answer["reasons"][0]["code"] == "evidence_not_evaluated"
    assert NEW_MAIL not in str(answer)


# A key of an address


async def long_held(house: House, address: str, network: str) -> tuple[Customer, Claim]:
    """Alice, who has long paid one more address, and a recovery that was opened a moment ago."""
    alice = Customer(house, "alice")
    body = alice.importing()
    body["address_book"].append({"name": "cold", "network": network, "address": address})
    await alice.ask(body)
    await house.deliver()
    for _ in range(2):  # the device is new the first time
        house.clock.at += 4 * DAY
        await alice.sign_in(alice.code())
        await house.deliver()
    await house.priced()
    paying = alice.withdrawal(1, to=address, proofs=alice.proofs()) | {"network": network}
    assert (await alice.ask(paying))["decision"] == "allow"
    house.clock.at += 40 * DAY
    claim = Claim(alice)
    assert (await claim.opens())["decision"] == "allow"
    return alice, claim


def ethereum_key(seed: int) -> tuple[PrivateKey, str]:
    """A key, and the address that is its own."""
    key = PrivateKey(bytes((seed,)) * 32)
    public = key.public_key.format(compressed=False)[1:]
    return key, "0x" + keccak.new(digest_bits=256, data=public).digest()[12:].hex()


def personal_sign(key: PrivateKey, text: str) -> str:
    """What a wallet makes of a text."""
    prefix = f"\x19Ethereum Signed Message:\n{len(text)}{text}".encode()
    return key.sign_recoverable(keccak.new(digest_bits=256, data=prefix).digest(), hasher=None).hex()


async def test_the_key_of_an_old_address_shows_who_one_is(house: House) -> None:
    """The message names account and case and is signed by a wallet; another key's signature of it is wrong."""
    key, address = ethereum_key(7)
    alice, claim = await long_held(house, address, "ethereum")
    fields = {"kind": "address_signature", "network": "ethereum", "address": address}
    first = await claim.ask("recovery.evidence", **fields)
    message = first["challenge"]["message"]
    assert first["challenge"]["accept"] == [["address_signature"]]
    assert message.startswith("I am recovering my account alice (case r")

    async def answered(signature: str) -> dict[str, Any]:
        proof = {"kind": "address_signature", "response": signature}
        return await claim.ask("recovery.evidence", **fields, proofs=[proof], challenge=first["challenge"]["id"])

    for wrong in (personal_sign(ethereum_key(8)[0], message), personal_sign(key, message + " "), "0x"):
        assert (await answered(wrong))["reasons"][0]["code"] == "evidence_wrong"
    assert (await answered(personal_sign(key, message)))["decision"] == "allow"
    (shown,) = await house.happened("alice", ev.RecoveryShown)
    assert shown.evidence == "address_signature"
    with pytest.raises(ChallengeRefused):
        await answered(personal_sign(key, message))
    assert await house.faults("alice") == []
    assert alice.account == "alice"


async def test_a_strangers_address_gets_the_same_message(house: House) -> None:
    """Whether an address is in the book is told to nobody: its own key's signature is as wrong as any other."""
    _, claim = await long_held(house, ethereum_key(7)[1], "ethereum")
    key, address = ethereum_key(9)
    fields = {"kind": "address_signature", "network": "ethereum", "address": address}
    first = await claim.ask("recovery.evidence", **fields)
    proof = {"kind": "address_signature", "response": personal_sign(key, first["challenge"]["message"])}
    answer = await claim.ask("recovery.evidence", **fields, proofs=[proof], challenge=first["challenge"]["id"])
    assert answer["reasons"][0]["code"] == "evidence_wrong"


async def test_without_the_extra_no_key_is_shown(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where signatures of addresses cannot be checked the kind is refused, and says what it takes."""
    monkeypatch.setattr(house.service._intake, "_signatures", None)  # noqa: SLF001 - as if it were not installed
    _, claim = await long_held(house, ethereum_key(7)[1], "ethereum")
    with pytest.raises(BadRequest, match="it takes the extra `signatures`"):
        await claim.ask("recovery.evidence", kind="address_signature", network="ethereum", address="0x00")


# Instead of the account, and to the end


async def test_an_owner_is_paid_instead_of_given_the_account(house: House) -> None:
    """After the wait a code to the old mailbox lets a payment go to an address of old, with a receipt, and no more."""
    alice, claim, codes = await prepared(house)
    await claim.shows("totp", alice.next_code())
    await claim.shows("backup_code", codes[0])
    await house.deliver()
    house.clock.at += DAY
    await house.priced()
    payment = {"asset": "USDT", "amount": "50", "address": HOME, "network": "bitcoin"}
    first = await claim.ask("recovery.finish", **payment)
    assert first["challenge"]["text"].startswith(f"Send 50 USDT to {HOME} by bitcoin")
    proof = {"kind": "contact_code", "response": code_in(await claim.code_mail())}
    answer = await claim.ask("recovery.finish", **payment, proofs=[proof], challenge=first["challenge"]["id"])
    assert answer["decision"] == "allow", answer
    assert answer["receipt"]
    assert answer["session"] is None
    (gone,) = await house.happened("alice", ev.ExitAllowed)
    assert gone.micro_usd == 50_000_000
    assert await house.happened("alice", ev.SecretReplaced) == []
    assert await house.faults("alice") == []


async def test_the_owner_reads_who_asked(house: House) -> None:
    """When a recovery is given up, contacts read when, from where and with what it was asked, and what was shown."""
    alice, _ = await settled(house, "alice", "bob")
    house.clock.at += 80 * HOUR
    claim = Claim(alice)
    seen = {"ip": "192.0.2.7", "user_agent": "Mozilla/5.0 (Windows NT 10.0) Firefox/130.0"}
    opened = await claim.ask("recovery.open", lost=["password"], context=seen)
    claim.token = opened["session"]["token"]
    await claim.shows("totp", alice.next_code())
    assert (await claim.ask("recovery.cancel"))["decision"] == "allow"
    await house.deliver()
    sent = house.post[Channel.EMAIL].to(alice.mail)
    (text,) = [one.text for one in sent if one.subject == "Important: a recovery of your account was ended"]
    assert "was given up by whoever had opened it" in text
    assert "from 192.0.2.7, with Firefox on Windows. Shown for it: authenticator app." in text
    assert (await claim.ask("recovery.cancel"))["reasons"][0]["code"] == "session_ended"
