"""The exchange's shop window: a customer pays, sells and trades on its pages, and sees what was decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.async_api import expect
from tests.browser import walking

from holdback.exchange.books import Buyer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import Locator, Page
    from tests.browser.person import Person
    from tests.browser.platform_house import House

    from holdback.demo.cast import Customer

    Seat = Callable[..., Awaitable[Person]]

pytestmark = pytest.mark.asyncio(loop_scope="session")

USUAL: Final = "0.05"
NEW_ADDRESS: Final = "bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3"
PAGES_LEAST: Final = 8
"""Pages that a walk must at least find, or it was no walk."""
WIDE: Final = {"width": 1280, "height": 800}
PHONE: Final = {"width": 390, "height": 844}
PROFILES: Final[dict[str, dict[str, Any]]] = {
    "phone": {"viewport": PHONE},
    "desktop, dark": {"viewport": WIDE, "color_scheme": "dark"},
    "phone, no scripts": {"viewport": PHONE, "java_script_enabled": False},
}


async def sign_in(person: Person, owner: Customer) -> Page:
    """Sign in to the shop window with password and code; every request it makes must stay within the house."""
    page, house = person.page, person.house
    page.on("request", lambda request: _stays(person, request.url))
    await page.goto(house.exchange)
    await page.get_by_label("E-mail address").fill(owner.email)
    await page.get_by_role("button", name="Continue").click()
    await prove(person, owner)
    await expect(page.get_by_role("heading", name="Balances")).to_be_visible()
    return page


def _stays(person: Person, url: str) -> None:
    if not url.startswith((person.house.exchange, person.house.center)):
        person.troubles.append(f"asked {url}")


async def prove(person: Person, owner: Customer) -> None:
    """Fill in what a step-up asks for, and confirm."""
    page = person.page
    code = page.get_by_label("Code of your authenticator app")
    await expect(code).to_be_visible()
    password = page.get_by_label("Password")
    if await password.count():
        await password.fill(owner.password)
    await code.fill(person.house.code(owner))
    await page.get_by_role("button", name="Confirm", exact=True).click()


async def withdraw(page: Page, amount: str, address: str) -> None:
    """Fill in a withdrawal and press the button."""
    await page.get_by_role("link", name="Withdraw").first.click()
    await page.get_by_label("Amount of BTC").fill(amount)
    await page.get_by_label("Bitcoin address").fill(address)
    await page.get_by_role("button", name="Withdraw").click()


def outcome(page: Page, kind: str) -> Locator:
    """The decision as it is shown."""
    return page.locator(f"[data-decision={kind}]")


async def fits(page: Page) -> None:
    """Fail if a page is wider than its window."""
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("profile", PROFILES)
async def test_a_known_address_is_paid(house: House, at_a_browser: Seat, profile: str) -> None:
    """An old address is paid once its owner proves himself, with scripts and without, wide and narrow."""
    owner, person = house.somebody(), await at_a_browser(house, **PROFILES[profile])
    page = await sign_in(person, owner)

    await withdraw(page, USUAL, owner.wallet)
    await expect(outcome(page, "step_up")).to_contain_text(f"{USUAL} BTC to {owner.wallet}")
    await fits(page)
    assert house.paid(owner) == []
    await prove(person, owner)

    await expect(outcome(page, "allow")).to_contain_text("Sent")
    assert house.paid(owner) == [f"{USUAL} to {owner.wallet}"]
    await page.get_by_role("link", name="Back to your balances").click()
    await expect(page.get_by_role("region", name="Paid out")).to_contain_text(owner.wallet)
    await expect(page.get_by_role("row", name="BTC")).to_contain_text("2.95")
    await fits(page)


@pytest.mark.parametrize("profile", ["phone", "phone, no scripts"])
async def test_a_new_address_waits(house: House, at_a_browser: Seat, profile: str) -> None:
    """A payment to a new address waits, says why and until when, leads to the Security Center, and can be stopped."""
    owner, person = house.somebody(), await at_a_browser(house, **PROFILES[profile])
    page = await sign_in(person, owner)

    await withdraw(page, "0.5", NEW_ADDRESS)
    await prove(person, owner)
    await expect(outcome(page, "hold")).to_contain_text("This withdrawal waits")
    await expect(page.locator("[data-code=destination_new]")).to_be_visible()
    link = page.get_by_role("link", name="Stop it or freeze in the Security Center")
    assert await link.get_attribute("href") == f"{house.center}/center/holds"
    await fits(page)

    await page.get_by_role("link", name="Back to your balances").click()
    waiting = page.get_by_role("region", name="Waiting")
    await expect(waiting).to_contain_text("0.5 BTC")
    await waiting.get_by_role("button", name="Stop it").click()
    await expect(outcome(page, "allow")).to_contain_text("Stopped")
    assert (house.standing(owner)["holds"], house.paid(owner)) == (0, [])


async def test_what_was_stopped_elsewhere_waits_no_more(house: House, at_a_browser: Seat) -> None:
    """A payment that was cancelled at Holdback is gone from the exchange's pages and books."""
    owner, person = house.somebody(), await at_a_browser(house)
    page = await sign_in(person, owner)
    house.books.keep_held(owner.account, "x99", {"action": "exit.request"})

    await page.reload()

    await expect(page.get_by_role("region", name="Waiting")).to_have_count(0)
    assert house.books.held(owner.account) == {}


async def test_a_sale_to_a_customer_waits(house: House, at_a_browser: Seat) -> None:
    """A P2P sale is confirmed like any other exit, and one to a buyer who is new waits."""
    owner, buyer = house.somebody(), house.somebody()
    house.books.wants(Buyer(buyer.account, "BTC", "by bank transfer"))
    person = await at_a_browser(house, **PROFILES["phone"])
    page = await sign_in(person, owner)

    await page.get_by_role("link", name="Sell P2P").click()
    await page.get_by_label(f"{buyer.account}, pays by bank transfer").check()
    await page.get_by_label("Amount of BTC").fill(USUAL)
    await fits(page)
    await page.get_by_role("button", name="Sell").click()
    await prove(person, owner)

    await expect(outcome(page, "hold")).to_contain_text("This sale waits")
    assert house.paid(owner) == []


async def test_an_order_at_the_market_is_matched_and_a_gift_is_not(house: House, at_a_browser: Seat) -> None:
    """An order near the market's price is matched at once; one that gives the money away is refused, and says why."""
    owner, person = house.somebody(), await at_a_browser(house, **PROFILES["phone"])
    page = await sign_in(person, owner)
    house.say_price()

    for price, kind, said in (("59990", "allow", "0.01 BTC at 60,000 USDT"), ("20000", "deny", "gives away more")):
        await page.get_by_role("navigation").get_by_role("link", name="Trade").click()
        await page.get_by_label("Sell").check()
        await page.get_by_label("Amount").fill("0.01" if kind == "allow" else "1")
        await page.get_by_label("Worst price").fill(price)
        await fits(page)
        await page.get_by_role("button", name="Place the order").click()
        await expect(outcome(page, kind)).to_contain_text(said)

    assert house.books.balances(owner.account) == {"BTC": 299_000_000, "USDT": 600 * 10**8}


async def test_more_than_is_held_is_not_asked_about(house: House, at_a_browser: Seat) -> None:
    """Whoever holds less than he wants to send is told so, and Holdback is not asked."""
    owner, person = house.somebody(), await at_a_browser(house)
    page = await sign_in(person, owner)
    before = house.standing(owner)["seq"]

    await withdraw(page, "9", owner.wallet)

    await expect(page.get_by_role("alert")).to_contain_text("You hold less BTC than that.")
    assert house.standing(owner)["seq"] == before


async def test_a_copied_cookie_reads_and_does_nothing(house: House, at_a_browser: Seat) -> None:
    """A session that a browser's key signs for is worth nothing to whoever copied its cookie, but to look at."""
    owner, person = house.somebody(), await at_a_browser(house)
    await sign_in(person, owner)
    thief = await at_a_browser(house)
    await thief.context.add_cookies(await person.context.cookies())  # type: ignore[arg-type]  # as Playwright gave them

    await thief.page.goto(f"{house.exchange}/shop")
    await withdraw(thief.page, USUAL, owner.wallet)

    await expect(outcome(thief.page, "deny")).to_contain_text("Refused: nothing was sent")
    assert house.paid(owner) == []


async def test_another_site_has_nothing_sent(house: House, at_a_browser: Seat) -> None:
    """A form that another site sends is refused before anybody is asked, whatever it holds."""
    owner, person = house.somebody(), await at_a_browser(house, java_script_enabled=False)
    await sign_in(person, owner)
    before, page = house.standing(owner)["seq"], await person.context.new_page()
    await page.goto(f"{house.mailbox.url}/")
    form = f"<form method=post action='{house.exchange}/shop/ask'><input name=action value=session.end><button>Go"
    await page.set_content(form)

    await page.get_by_role("button", name="Go").click()

    await expect(page.get_by_role("alert")).to_contain_text("That did not work")
    assert house.standing(owner)["seq"] == before


async def test_nobody_is_kept_out(house: House, at_a_browser: Seat) -> None:
    """On a phone and a desktop, light and dark, no page has a grave fault by axe-core, or is wider than the screen."""
    owner, person = house.somebody(), await at_a_browser(house)
    page = await sign_in(person, owner)
    found = {address: await walking.faults(page) async for address in walking.pages(page, f"{house.exchange}/shop")}

    await withdraw(page, USUAL, NEW_ADDRESS)
    await expect(outcome(page, "step_up")).to_be_visible()
    found["a step-up"] = await walking.faults(page)
    await prove(person, owner)
    await expect(outcome(page, "hold")).to_be_visible()
    found["a hold"] = await walking.faults(page)
    await page.goto(f"{house.exchange}/shop")
    found["what waits"] = await walking.faults(page)

    assert {address: faults for address, faults in found.items() if faults} == {}
    assert len(found) >= PAGES_LEAST
