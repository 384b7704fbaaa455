"""The log as its owner reads it, at a browser: with and without scripts, by keyboard, and against his own mail."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect
from tests.browser.test_center import signed_in

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.browser.person import Person
    from tests.browser.platform_house import House

    Seat = Callable[..., Awaitable[Person]]

pytestmark = pytest.mark.asyncio(loop_scope="session")

FOOT = re.compile(r"entry (\d+) of your history, chain ([0-9a-f]{32})")
WORDS = {"en": ("Money", "Send money: done"), "zh": ("资金", "付款")}
PHONE = {"width": 360, "height": 740}


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("language", sorted(WORDS))
async def test_activity_is_read_on_a_phone(house: House, at_a_browser: Seat, scripts: bool, language: str) -> None:  # noqa: FBT001 - one of two
    """In both languages, with scripts and without, a filter is one tap away and shows what is asked for alone."""
    money, paid = WORDS[language]
    person = await at_a_browser(house, java_script_enabled=scripts, viewport=PHONE)
    page = await signed_in(person, house.somebody())
    await page.locator(f"footer button[value={language}]").click()
    await expect(page.locator("html")).to_have_attribute("lang", language)
    await page.locator("nav a[href$='/activity']").click()
    everything = await page.locator(".entries > li").count()
    await page.get_by_role("link", name=money, exact=True).click()
    await expect(page.get_by_role("link", name=money, exact=True)).to_have_attribute("aria-current", "page")
    payments = page.locator(".entries > li")
    assert 0 < await payments.count() < everything
    for title in await payments.locator("h2").all_inner_texts():
        assert title.startswith(paid)


async def test_a_mail_is_compared_with_the_proof(house: House, at_a_browser: Seat) -> None:
    """What stands at the foot of a mail is the beginning of the link that the page shows, opened by keyboard alone."""
    owner, person = house.somebody(), await at_a_browser(house)
    page = await signed_in(person, owner)
    letter = house.letter(0, lambda one: one.to == owner.email and FOOT.search(one.text) is not None)
    found = FOOT.search(letter.text)
    assert found is not None
    await page.goto(f"{house.center}/center/activity?cursor={found[1]}")
    entry = page.locator(f"#entry-{found[1]}")
    await entry.locator("summary").focus()
    await page.keyboard.press("Enter")
    await expect(entry.locator("code").first).to_be_visible()
    assert (await entry.locator("code").first.inner_text()).startswith(found[2])
