"""A passkey's life in a real browser with a virtual authenticator: made, ripened, signing in, confirming a payment."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

import pytest
import pytest_asyncio
from playwright.async_api import expect
from tests.browser.person import PATIENCE_MS
from tests.browser.platform_house import House

from holdback.client import action_digest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from playwright.async_api import Response, Route
    from tests.browser.person import Person

    from holdback.demo.cast import Customer

    Seat = Callable[..., Awaitable[Person]]

pytestmark = pytest.mark.asyncio(loop_scope="session")

USUAL: Final = "0.05"
RIPE_H: Final = 73
"""How long a new passkey waits until it counts for money, and an hour."""


@pytest_asyncio.fixture(loop_scope="session")
async def ripening(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A house of its own, for its days go by."""
    async with House(tmp_path_factory.mktemp("house")) as house:
        yield house


def order(customer: Customer, amount: str = USUAL) -> dict[str, str]:
    """A payment to the customer's cold wallet, as the pay page sends it."""
    return {"asset": "BTC", "amount": amount, "network": "bitcoin", "address": customer.wallet}


def withdrawal(customer: Customer, amount: str = USUAL) -> dict[str, Any]:
    """The same as the action that the backend asks for."""
    return {"action": "exit.request", "kind": "withdrawal", **order(customer, amount)}


def signed_challenge(body: dict[str, Any]) -> str:
    """What the passkey in a request's proofs was made to sign, in base64url."""
    (proof,) = body["proofs"]
    client_data = json.loads(proof["response"])["response"]["clientDataJSON"]
    said = json.loads(base64.urlsafe_b64decode(client_data + "=" * (-len(client_data) % 4)))
    return str(said["challenge"])


def challenge_of(account: str, action: dict[str, Any], asked: dict[str, Any]) -> str:
    """The challenge that stands for this action under an open step-up, computed from what anybody may know."""
    digest = action_digest(account, action).hex()
    lines = ("holdback passkey 1", account, asked["id"], digest, asked["nonce"])
    name = hashlib.sha256("\n".join(lines).encode()).digest()
    return base64.urlsafe_b64encode(name).decode().rstrip("=")


async def test_a_passkey_confirms_what_is_done(ripening: House, at_a_browser: Seat) -> None:
    """A passkey signs in at once, and once senior confirms a payment whose digest it signs, and no other amount."""
    owner, person = ripening.somebody(), await at_a_browser(ripening)
    await person.with_passkeys()
    await makes_a_passkey(person, owner)
    await signs_in_with_it(person, owner)
    await person.order(USUAL, owner.wallet)
    await expect(person.dialog.get_by_label("Code of your authenticator app")).to_be_visible()
    await person.dialog.get_by_role("button", name="Cancel").click()
    await person.told("Not confirmed")

    ripening.let_pass(RIPE_H)
    await signs_in_with_it(person, owner)
    await pays_with_it(person, owner)
    await no_other_amount_is_paid(person, owner)
    await nor_with_the_owners_own_key(person, owner)

    assert ripening.paid(owner) == [f"{USUAL} to {owner.wallet}"]


async def makes_a_passkey(person: Person, owner: Customer) -> None:
    """Sign in with what there is, and add a passkey: it does not count for payments yet."""
    await person.sign_in(owner)
    await person.open("passkey")
    await expect(person.page.get_by_text("None yet")).to_be_visible()
    await person.page.get_by_role("button", name="Add a passkey").click()
    await person.prove(owner)
    await person.told("Your passkey is added", "It counts from")
    await expect(person.page.get_by_role("list", name="Your passkeys")).to_contain_text("New: it signs you in at once")
    await person.page.get_by_role("button", name="Sign out", exact=True).click()
    await person.page.wait_for_url("**/sign-in.html")


async def signs_in_with_it(person: Person, owner: Customer) -> None:
    """Sign in with the passkey alone."""
    await person.name_himself(owner)
    await person.dialog.get_by_role("button", name="Confirm with your passkey").click()
    await person.signed_in()


async def pays_with_it(person: Person, owner: Customer) -> None:
    """Pay, confirmed by the passkey: what it signed is the name of exactly this payment."""
    asked: list[dict[str, Any]] = []
    sent: list[dict[str, Any]] = []
    heard = asyncio.Event()

    async def overhear(response: Response) -> None:
        if response.url.endswith("/withdraw"):
            sent.append(response.request.post_data_json or {})
            asked.append(await response.json())
            if len(asked) > 1:
                heard.set()

    person.page.on("response", overhear)
    await person.order(USUAL, owner.wallet)
    await expect(person.dialog).to_contain_text(owner.wallet)
    await person.dialog.get_by_role("button", name="Confirm with your passkey").click()
    await person.told("Paid")
    await asyncio.wait_for(heard.wait(), PATIENCE_MS / 1000)
    person.page.remove_listener("response", overhear)

    assert [answer["decision"] for answer in asked] == ["step_up", "allow"]
    challenge = asked[0]["challenge"]
    assert challenge["accept"] == [["passkey"]]
    assert USUAL in challenge["text"]
    assert owner.wallet in challenge["text"]
    signed = signed_challenge(sent[1])
    assert signed == challenge["passkey"]["challenge"] == challenge_of(owner.account, withdrawal(owner), challenge)
    assert signed != challenge_of(owner.account, withdrawal(owner, "2.4"), challenge)


async def no_other_amount_is_paid(person: Person, owner: Customer) -> None:
    """Change the amount on its way, after the owner has confirmed another."""
    confirmed = await confirms_and_is_robbed(person, owner)
    changed = {**confirmed, **order(owner, "2.4")}

    answer = await person.ask("/withdraw", withdrawal(owner, "2.4"), changed)
    assert (answer["status"], answer["error"]) == (409, "ask_again")


async def nor_with_the_owners_own_key(person: Person, owner: Customer) -> None:
    """Put the passkey's answer for one amount under the open question about another."""
    confirmed = await confirms_and_is_robbed(person, owner)
    other = await person.ask("/withdraw", withdrawal(owner, "2.4"), order(owner, "2.4"))
    assert other["decision"] == "step_up"
    moved = {**order(owner, "2.4"), "challenge": other["challenge"]["id"], "proofs": confirmed["proofs"]}

    answer = await person.ask("/withdraw", withdrawal(owner, "2.4"), moved)
    assert answer["decision"] == "step_up"
    assert answer["reasons"][0]["code"] == "proof_wrong"


async def confirms_and_is_robbed(person: Person, owner: Customer) -> dict[str, Any]:
    """Confirm a payment that never arrives: what was sent is caught on its way."""
    caught: list[dict[str, Any]] = []

    async def catch(route: Route) -> None:
        body = route.request.post_data_json or {}
        if not body.get("proofs"):
            await route.continue_()
            return
        caught.append(body)
        await route.abort()

    await person.open("pay")
    await person.context.route("**/withdraw", catch)
    await person.order(USUAL, owner.wallet)
    await person.dialog.get_by_role("button", name="Confirm with your passkey").click()
    await person.told("There is no connection")
    await person.context.unroute("**/withdraw")
    person.forgive(None)
    return caught[0]


async def test_a_page_signs_only_what_it_shows(house: House, at_a_browser: Seat) -> None:
    """A backend that has another payment signed than the page shows is found out before the passkey is asked."""
    owner, person = house.somebody(), await at_a_browser(house)
    await person.with_passkeys()
    await makes_a_passkey(person, owner)
    await signs_in_with_it(person, owner)

    async def lie(route: Route) -> None:
        answer = await route.fetch()
        told = await answer.json()
        told["challenge"] |= {"accept": [["passkey"]], "passkey": {"challenge": "AAAA"}, "nonce": "00"}
        await route.fulfill(response=answer, json=told)

    await person.context.route("**/withdraw", lie)
    await person.order(USUAL, owner.wallet)

    await person.told("You were asked to confirm something else than what is shown")
    assert await person.dialog.count() == 0
