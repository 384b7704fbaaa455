"""The staff console: who gets in, who sees what, and what a copied cookie sees."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.browser.desk_house import DeskHouse
    from tests.browser.person import Person

    Seat = Callable[..., Awaitable[Person]]

pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE = {"width": 390, "height": 844}


@pytest.mark.parametrize("viewport", [{"width": 1280, "height": 900}, PHONE], ids=["wide", "phone"])
async def test_a_member_signs_in_and_out(desk_house: DeskHouse, at_the_desk: Seat, viewport: dict[str, int]) -> None:
    """A member signs in by passkey, sees who he is and how long his session lasts, and after signing out nothing."""
    person = await at_the_desk(desk_house, "staff-sue", viewport=viewport)
    page = person.page
    await expect(page.locator("#ways")).to_contain_text(re.compile(r"staff-sue · (29|30) min left"))
    await expect(page.get_by_text("Nothing waits for you")).to_be_visible()
    await page.get_by_role("link", name="Who I am").click()
    await expect(page.get_by_role("heading", name="support")).to_be_visible()
    await expect(page.get_by_text("0 of 30 in the last hour")).to_be_visible()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("Your id")).to_be_visible()
    await page.goto(f"{desk_house.console}/me")
    await expect(page.get_by_label("Your id")).to_be_visible()
    assert not person.stopped


async def test_a_copied_cookie_sees_nothing(desk_house: DeskHouse, at_a_browser: Seat, at_the_desk: Seat) -> None:
    """Without the device's key a member's cookie shows an empty frame, with the thief's own key as well."""
    person, thief = await at_the_desk(desk_house, "staff-rex"), await at_a_browser(desk_house)
    (cookie,) = [one for one in await person.context.cookies() if one["name"] == "console"]
    await thief.context.add_cookies([cookie])  # type: ignore[list-item]  # as Playwright gave it
    for path in ("", "/me"):
        await thief.page.goto(f"{desk_house.console}{path}")
        await expect(thief.page.get_by_role("heading", name="You are not let in")).to_be_visible()
        await expect(thief.page.locator("#ways")).to_be_empty()
        bare = await thief.context.request.get(f"{desk_house.console}{path}")
        assert "reviewer" not in await bare.text()
    center = await thief.context.request.get(
        f"{desk_house.center}/center", headers={"Cookie": f"center={cookie['value']}"}
    )
    assert center.url.endswith("/center/sign-in")
    thief.forgive(None)


async def test_roles_see_only_theirs(desk_house: DeskHouse, at_the_desk: Seat) -> None:
    """Ways on are those of the roles that one holds; a page of other roles opens for nobody else."""
    legal, support = await at_the_desk(desk_house, "staff-lea"), await at_the_desk(desk_house, "staff-sue")
    await expect(legal.page.locator("#ways").get_by_role("link", name="Legal requests")).to_be_visible()
    await expect(support.page.locator("#ways").get_by_role("link", name="Legal requests")).to_have_count(0)
    await support.page.goto(f"{desk_house.console}/legal")
    await expect(support.page.get_by_role("heading", name="This page is for other roles")).to_be_visible()
    support.forgive(None)


async def test_the_console_speaks_chinese(desk_house: DeskHouse, at_the_desk: Seat) -> None:
    """Whoever chooses another language stays where he was, and what is fetched is in it, too."""
    person = await at_the_desk(desk_house, "staff-rex")
    page = person.page
    await page.goto(f"{desk_house.console}/me")
    await page.get_by_role("button", name="中文").click()
    await expect(page.get_by_role("heading", name="我是谁")).to_be_visible()
    await expect(page.get_by_text("判断抽签分给您的恢复")).to_be_visible()


async def test_a_newcomer_makes_what_he_hands_over(desk_house: DeskHouse, at_a_browser: Seat) -> None:
    """The page for newcomers makes a passkey on the device and shows its public half with the digest of that text."""
    person = await at_a_browser(desk_house)
    await person.with_passkeys()
    page = person.page
    await page.goto(f"{desk_house.console}/enrol")
    await page.get_by_label("The id that you will have").fill("staff-new")
    await page.get_by_role("button", name="Continue").click()
    await page.get_by_role("button", name="Make it on this device").click()
    text = await page.get_by_label("To hand over").input_value()
    digest = (await page.locator("#digest").inner_text()).replace(" ", "")
    assert digest == hashlib.sha256(text.encode()).hexdigest()
    assert {"id", "public_key"} <= json.loads(text).keys()
