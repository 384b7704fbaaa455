"""Waiting payments at the Security Center: why they wait, stopping them, and letting one go early by keyboard alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.async_api import expect
from tests.browser.center import DESK, PHONE, PLAIN_DESK, PLAIN_PHONE, Visit, named

if TYPE_CHECKING:
    from tests.browser.center import Seat, Seen
    from tests.browser.platform_house import House

    from holdback.demo.cast import Customer

pytestmark = pytest.mark.asyncio(loop_scope="session")

NEW_ADDRESS: Final = "bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3"
TABS_MOST: Final = 80


def withdrawal(address: str, amount: str) -> dict[str, Any]:
    """A withdrawal as the platform asks for it."""
    order = {"action": "exit.request", "kind": "withdrawal", "asset": "BTC", "amount": amount}
    return order | {"network": "bitcoin", "address": address}


async def tab_to(visit: Visit, name: str) -> None:
    """Go on by the tabulator until what is focused has these words or this label."""
    focused = "() => document.activeElement.innerText || document.activeElement.labels?.[0]?.innerText || ''"
    for _ in range(TABS_MOST):
        await visit.page.keyboard.press("Tab")
        if (await visit.page.evaluate(focused)).strip() == visit.say(name):
            return
    pytest.fail(f"no key leads to {name!r}")


@pytest.mark.parametrize("seen", [PLAIN_PHONE, PLAIN_DESK, DESK], ids=named)
async def test_a_payment_says_why_it_waits_and_is_stopped(house: House, at_a_browser: Seat, seen: Seen) -> None:
    """A waiting payment shows where it goes, why it waits, what ends that and when; one press stops it."""
    visit = await Visit.at_home(at_a_browser, house, house.somebody(), seen)
    held = visit.ask_by_platform(withdrawal(NEW_ADDRESS, "0.5"))
    assert held["decision"] == "hold"

    shown = visit.page.locator(f"[data-hold={held['hold']['id']}]")
    await visit.looks_until_told("/holds", shown.locator("[data-until]"))
    await expect(shown).to_contain_text(NEW_ADDRESS)
    for reason in held["reasons"]:
        await expect(shown.locator(f"[data-code={reason['code']}]").locator("time")).to_be_visible()
    await expect(shown.locator("[data-until]")).to_have_text(re.compile(r"\d" if seen.scripts else "^$"))
    await expect(shown).to_contain_text(visit.say("It cannot go earlier:"))
    await expect(visit.button("Let it go now")).to_have_count(0)
    await visit.tap("Stop this payment")

    await visit.told("allow")
    assert house.standing(visit.owner)["holds"] == 0


async def test_a_freeze_takes_the_keyboard_alone(house: House, at_a_browser: Seat) -> None:
    """Whoever uses no mouse freezes everything from any page by Tab and Enter."""
    visit = await Visit.of(at_a_browser, house, house.somebody(), PHONE)
    await visit.go("/book")

    await tab_to(visit, "Freeze everything")
    await visit.page.keyboard.press("Enter")

    await visit.told("allow")
    assert house.standing(visit.owner)["freeze"]["by"] == "owner"


async def test_a_payment_is_let_go_by_keyboard_alone(house: House, at_a_browser: Seat) -> None:
    """A payment over the usual to a long-known address is confirmed early by Tab, Enter and typing, with two proofs."""
    visit = await Visit.at_home(at_a_browser, house, house.somebody(), PHONE)
    held = visit.ask_by_platform(withdrawal(visit.owner.wallet, "2.5"))
    assert [one["code"] for one in held["reasons"]] == ["over_budget"]

    await visit.go("/holds")
    mark = len(house.mailbox.letters)
    await tab_to(visit, "Let it go now")
    await visit.page.keyboard.press("Enter")
    await expect(visit.heading("Confirm that it is you")).to_be_visible()
    await confirm_by_keyboard(visit, house, visit.owner, mark)

    await visit.told("allow")
    assert house.standing(visit.owner)["holds"] == 0


async def confirm_by_keyboard(visit: Visit, house: House, owner: Customer, mark: int) -> None:
    """Type what the page asks for: what the owner knows, a code of the app, and the one that a contact is sent."""
    letter = house.letter(mark, lambda one: one.to in {owner.email, owner.phone} and "code" in one.subject.lower())
    sent = re.search(r"\b[A-Z0-9]{4}(?:-[A-Z0-9]{4})+\b|\b\d{6,8}\b", letter.text)
    assert sent is not None, letter.text
    await tab_to(visit, "Password")
    await visit.page.keyboard.type(owner.password)
    await tab_to(visit, "Code of your authenticator app")
    await visit.page.keyboard.type(await visit.code())
    await tab_to(visit, "Code that we sent you")
    await visit.page.keyboard.type(sent.group(0))
    await tab_to(visit, "Confirm")
    await visit.page.keyboard.press("Enter")
