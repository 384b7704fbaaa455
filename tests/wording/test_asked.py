"""What the owner confirms is said in words: every action that asks for proof, with amount and address in full."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.core.everything import EVERY
from tests.core.histories import Account, destination, grown, held_id, sealed

from holdback.core.decide import RULES
from holdback.core.rules.address import AddressAdd, AddressRenew
from holdback.core.rules.exit import ExitRelease, ExitRequest
from holdback.core.rules.session import SessionStart
from holdback.wording.asked import asked_line

PROOFLESS = {
    "api_key.revoke",
    "api_key.leaked",
    "agency.add",
    "agency.remove",
    "breaker.trip",
    "breaker.reset",
    "legal.receive",
    "legal.freeze_order",
    "legal.call_back",
    "legal.approve",
    "legal.release",
    "legal.reject",
    "account.import",
    "account.freeze",
    "session.end",
    "session.end_all",
    "authenticator.confirm",
    "authenticator.suspend",
    "contact.confirm",
    "address.remove",
    "change.cancel",
    "exit.cancel",
    "exit.settle",
    "order.report",
    "order.lease",
    "exit.reconcile",
    "notice.outcome",
    "session.failures",
    "deposit.receive",
    "recovery.open",
    "recovery.remind",
    "recovery.review",
    "staff.look_up",
    "staff.enrol",
    "staff.retire",
    "staff.flag",
    "ticket.open",
    "ticket.close",
    "recovery.contest",
    "incident.report",
    "incident.note",
}
"""Actions that never answer with a step-up, so that nothing is shown for them."""


def opened(one: object) -> str:
    """What the tests' sealed fields hold."""
    return str(getattr(one, "box", b"").decode())


@pytest.mark.parametrize("name", EVERY)
def test_each_action_that_asks_for_proof_has_a_line(name: str) -> None:
    """Nobody is asked to confirm something without being told what."""
    account, _ = grown()
    line = asked_line(EVERY[name], opened, account.everything())
    assert bool(line) is (name not in PROOFLESS)
    if line:
        assert line.endswith(".")
        assert not RULES[type(EVERY[name])].proofless


def test_amount_and_address_stand_there_in_full() -> None:
    """A payment is confirmed by its exact amount, asset, address and network, not by their beginnings."""
    address = destination("bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq")
    asked = ExitRequest("withdrawal", "BTC", "0.12345678", address=address, network="bitcoin")
    assert asked_line(asked, opened) == (
        "Send 0.12345678 BTC to bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq by bitcoin (withdrawal)."
    )
    inside = ExitRequest("internal_transfer", "USD", "5", counterparty=destination("bob"))
    assert asked_line(inside, opened) == "Send 5 USD to bob (internal_transfer)."
    assert asked_line(ExitRequest("card", "USD", "5"), opened) == "Send 5 USD (card)."


def test_what_could_be_taken_for_something_else_is_replaced() -> None:
    """Spaces, line breaks and letters of other scripts cannot dress an address up."""
    asked = ExitRequest("withdrawal", "BTC", "1", address=destination("bc1 q\n\u0430\u202e"), network="bitcoin")
    assert asked_line(asked, opened) == "Send 1 BTC to bc1-q--- by bitcoin (withdrawal)."


def test_the_address_book() -> None:
    """An entry is shown whole, with the owner's own name for it in quotation marks; an opened kind names nobody."""
    add = AddressAdd(sealed("rent"), "bitcoin", destination("bc1qrent"))
    assert asked_line(add, opened) == 'Add to the address book as "rent": bc1qrent by bitcoin.'
    assert asked_line(AddressAdd(sealed("cards"), "card"), opened).endswith("any receiver by card.")
    assert asked_line(AddressRenew("p2p"), opened) == "Confirm again in the address book: any receiver by p2p."


def waiting(account: Account, session: bytes, text: str) -> str:
    """A payment that waits."""
    return held_id(account.pay("900000", text, session))


def test_a_waiting_payment() -> None:
    """What is let go early is named by amount and address, if its entry is in the book, else by its hash."""
    account, session = grown()
    name = waiting(account, session, "home")
    line = asked_line(ExitRelease(name), opened, account.everything())
    assert line == f"Let a waiting payment go now: 900000 USD to home by bitcoin ({name})."
    stranger = waiting(account, session, "stranger")
    line = asked_line(ExitRelease(stranger), opened, account.everything())
    assert f"to bitcoin {destination('stranger').name[:8]}" in line
    empty = replace(account.everything(), head=None)
    assert asked_line(ExitRelease(name), opened, empty) == f"Let a waiting payment go now ({name})."


def test_a_sign_in_says_nothing_about_anybody() -> None:
    """It is worded for people who have proved nothing."""
    assert asked_line(SessionStart()) == "Sign in."
