"""The address book at the Security Center: who entered whom, by which proof, until when, and what only looks alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from playwright.async_api import expect
from tests.browser.center import DESK, PHONE, PLAIN_PHONE, Visit, named

from holdback import addresses
from holdback.web.pages import PAGE
from holdback.wiring import load_policy

if TYPE_CHECKING:
    from playwright.async_api import Locator
    from tests.browser.center import Seat, Seen
    from tests.browser.platform_house import House

pytestmark = pytest.mark.asyncio(loop_scope="session")

NETWORK: Final = "ethereum"
EDGES: Final = 4
"""Characters at each end that a thief's address has in common."""


def entry(visit: Visit, name: str) -> Locator:
    """The entry of that name."""
    heading = visit.page.get_by_role("heading", level=2).filter(has_text=name)
    return visit.page.locator("#entries > li").filter(has=heading)


async def enter(visit: Visit, name: str, address: str) -> None:
    """Enter somebody, and prove."""
    await visit.go("/book")
    await visit.page.get_by_label(visit.say("Name"), exact=True).fill(name)
    await visit.page.get_by_label(visit.say("Network"), exact=True).select_option(NETWORK)
    await visit.page.get_by_label(visit.say("Address"), exact=True).fill(address)
    await visit.tap("Enter")
    await visit.prove()


@pytest.mark.parametrize("seen", [DESK, PLAIN_PHONE], ids=named)
async def test_an_entry_says_where_it_comes_from(house: House, at_a_browser: Seat, seen: Seen) -> None:
    """An entry shows who made it, when and by which proof, and how long it is confirmed; renewing moves that."""
    visit = await Visit.of(at_a_browser, house, house.somebody(), seen)
    await visit.go("/book")
    wallet = entry(visit, "cold wallet")
    await expect(wallet).to_contain_text(visit.owner.wallet)
    await expect(wallet).to_contain_text(visit.say("you, signed in"))
    await expect(wallet).to_contain_text(visit.say("Authenticator app"))
    confirmed = await wallet.locator("time").first.get_attribute("datetime")

    await wallet.get_by_role("button", name=visit.say("Confirm it again")).click()
    await visit.prove()
    await visit.told("allow")

    await visit.go("/book")
    assert await wallet.locator("time").first.get_attribute("datetime") > confirmed  # type: ignore[operator] # both are there


async def test_what_looks_alike_is_refused_by_name(house: House, at_a_browser: Seat) -> None:
    """A new entry counts down its wait; an address that looks like it is refused, and both are shown side by side."""
    visit = await Visit.of(at_a_browser, house, house.somebody(), PHONE)
    mine = addresses.invented(load_policy("default").networks[NETWORK], visit.owner.account)
    await enter(visit, "savings", mine)
    await visit.told("allow")
    await visit.go("/book")
    await expect(entry(visit, "savings").locator("time").first).to_be_visible()

    middle = "".join("0" if one != "0" else "1" for one in mine[2 + EDGES : -EDGES].lower())
    like = addresses.eip55(f"{mine[2 : 2 + EDGES]}{middle}{mine[-EDGES:]}".lower())
    await enter(visit, "the same", like)
    await visit.told("deny")

    await expect(visit.page.locator("[data-code=look_alike]")).to_be_visible()
    await expect(visit.page.locator("[data-decision=deny]")).to_contain_text("savings")
    await expect(visit.page.locator(".compared code")).to_have_text([mine, like])


async def test_an_entry_is_removed_at_once(house: House, at_a_browser: Seat) -> None:
    """Taking somebody out of the book takes one press and no proof."""
    visit = await Visit.of(at_a_browser, house, house.somebody(), PLAIN_PHONE)
    await visit.go("/book")
    await visit.tap("Remove")
    await visit.told("allow")
    await visit.go("/book")
    await expect(visit.page.locator("#entries > li")).to_have_count(0)


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "plain"])
async def test_a_long_book_goes_on(house: House, at_a_browser: Seat, scripts: bool) -> None:  # noqa: FBT001 - one of two
    """A long book shows a page, and more on a press: below what is there, or without scripts on a page of its own."""
    owner = house.nobody()
    visit = Visit(await at_a_browser(house, java_script_enabled=scripts), owner, "en")
    bitcoin = load_policy("default").networks["bitcoin"]
    entries = [
        {"name": f"payee {number}", "network": "bitcoin", "address": addresses.invented(bitcoin, str(number))}
        for number in range(PAGE + 5)
    ]
    owner = owner._replace(account=f"{owner.account}{'s' if scripts else 'p'}", email=f"long{scripts}@example.org")
    visit.owner = owner
    visit.begin_by_platform(entries)

    await visit.sign_in()
    await visit.go("/book")
    shown = visit.page.locator("#entries > li")
    await expect(shown).to_have_count(PAGE)
    await visit.page.get_by_role("link", name="More").click()
    await expect(shown).to_have_count(PAGE + 5 if scripts else 5)
    await expect(visit.page.get_by_role("link", name="More")).to_have_count(0)
