"""A session's cookie that was copied out of the owner's browser, and who has it."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from playwright.async_api import expect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.browser.person import Person
    from tests.browser.platform_house import House

    from holdback.demo.cast import Customer

    Seat = Callable[..., Awaitable[Person]]

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADDRESS: Final = "bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3"
ORDER: Final = {"asset": "BTC", "amount": "0.05", "network": "bitcoin", "address": ADDRESS}
INSIDE: Final = {"asset": "BTC", "amount": "0.05", "to": "nobody"}
GIVEN: Final = {"asset": "BTC", "amount": "0.05", "counterparty": "nobody"}
CHANGES: Final[tuple[dict[str, Any], ...]] = (
    {"action": "address.add", "name": "new", "network": "bitcoin", "address": ADDRESS},
    {"action": "authenticator.bind", "kind": "totp"},
    {"action": "contact.add", "channel": "email", "address": "thief@example.org"},
    {"action": "password.change", "password": "the thief knows this one"},
    {"action": "account.freeze"},
    {"action": "account.unfreeze"},
    {"action": "session.end_all"},
)
DOORS: Final[tuple[tuple[str, dict[str, Any], dict[str, Any]], ...]] = (
    ("/withdraw", {"action": "exit.request", "kind": "withdrawal", **ORDER}, ORDER),
    ("/transfer", {"action": "exit.request", "kind": "internal_transfer", **GIVEN}, INSIDE),
    ("/sell", {"action": "exit.request", "kind": "p2p_sale", **GIVEN}, INSIDE),
    ("/release/x1", {"action": "session.end"}, {}),
    ("/sign-out", {"action": "session.end"}, {}),
    *(("/security", change, {"action": change}) for change in CHANGES),
)
"""Each sensitive route: the action that the backend asks for, and what the route is sent."""


def refused(answer: dict[str, Any]) -> bool:
    """Whether an answer gives nothing."""
    codes = [reason["code"] for reason in answer.get("reasons", ())]
    keyless = bool(codes) and codes[0] in {"device_key_required", "device_key_wrong"}
    return (answer.get("decision") == "deny" and keyless) or answer.get("error") == "not_signed_in"


async def test_a_copied_cookie_opens_nothing_and_rings(house: House, at_a_browser: Seat) -> None:
    """Without the browser's key a copied cookie is refused on every sensitive route, and the owner is told once."""
    owner, person, mark = house.somebody(), await at_a_browser(house), len(house.mailbox.letters)
    await person.sign_in(owner)
    (cookie,) = await person.context.cookies()

    answers = await from_another_program(house, cookie["value"])
    thief = await at_a_browser(house)
    await thief.context.add_cookies([cookie])  # type: ignore[list-item]  # as Playwright gave it
    answers |= await from_another_browser(thief, owner, cookie["value"])

    assert {door: answer for door, answer in answers.items() if not refused(answer)} == {}
    assert len(answers) == 2 * (len(DOORS) + 2)
    house.letter(mark, lambda one: one.to == owner.phone and one.kind == "session.misused")
    mail = house.letter(mark, lambda one: one.to == owner.email and "session was used" in one.subject)
    assert mail.freeze_url
    told = [one for one in house.mailbox.letters.to(owner.phone) if one.kind == "session.misused"]
    assert len(told) == 1
    await person.open("sessions")
    await expect(person.page.get_by_text("This browser")).to_be_visible()
    assert (house.standing(owner)["freeze"], house.paid(owner)) == (None, [])


async def from_another_program(house: House, token: str) -> dict[str, dict[str, Any]]:
    """What each route answers a program that has the cookie and knows what browsers send."""
    headers = {"Cookie": f"session={token}", "Origin": house.exchange, "Sec-Fetch-Site": "same-origin"}
    found: dict[str, dict[str, Any]] = {}
    async with httpx.AsyncClient(base_url=house.exchange, headers=headers, trust_env=False, timeout=15) as http:
        for path in ("/account", "/security"):
            found[f"program GET {path}"] = (await http.get(path)).json()
        for path, action, body in DOORS:
            found[f"program {path} {action}"] = (await http.post(path, json=body)).json()
    return found


async def from_another_browser(thief: Person, owner: Customer, token: str) -> dict[str, dict[str, Any]]:
    """What each route answers a browser that has the cookie and signs, all else being right, with a key of its own."""
    ath = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).decode().rstrip("=")
    await thief.open("sign-in")
    await thief.page.evaluate(
        "async (session) => (await import('/pages/keeping.js')).keep('session', session)",
        {"account": owner.account, "ath": ath},
    )
    found = {f"browser GET {path}": await thief.read(path) for path in ("/account", "/security")}
    for path, action, body in DOORS:
        found[f"browser {path} {action}"] = await thief.ask(path, action, body)
    return found
