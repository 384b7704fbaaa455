"""When answers do not come as they should: said in plain words, with nothing done twice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import pytest
from playwright.async_api import expect
from tests.browser.center import PHONE, PLAIN_DESK, Visit

if TYPE_CHECKING:
    from tests.browser.center import Seat
    from tests.browser.platform_house import House

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_no_connection_is_said_on_the_page(house: House, at_a_browser: Seat) -> None:
    """Without a connection a press says so where one is, and works when it is back."""
    visit = await Visit.of(at_a_browser, house, house.somebody(), PHONE)
    await visit.go("/contacts")
    await visit.person.context.set_offline(True)
    await visit.tap("Freeze everything")
    await expect(visit.page.get_by_role("alert")).to_contain_text("There is no connection. Nothing was sent.")
    assert house.standing(visit.owner)["freeze"] is None

    await visit.person.context.set_offline(False)
    await visit.tap("Freeze everything")
    await visit.told("allow")
    visit.person.forgive(re.compile("ERR_INTERNET_DISCONNECTED"))


async def test_a_refused_request_is_answered_by_a_page(house: House, at_a_browser: Seat) -> None:
    """What cannot be read is answered in words that people read, with the status of a refusal."""
    visit = await Visit.of(at_a_browser, house, house.somebody(), PLAIN_DESK)
    answer = await visit.page.goto(f"{house.center}/center/book?nonsense=1")
    assert answer is not None
    assert (answer.status, answer.headers["content-type"]) == (400, "text/html; charset=utf-8")
    await expect(visit.page.get_by_role("alert")).to_contain_text("This could not be read")


async def test_a_double_press_asks_once(house: House, at_a_browser: Seat) -> None:
    """A form that is sent twice is asked once, and going back shows what is true by then."""
    visit = await Visit.of(at_a_browser, house, house.somebody(), PLAIN_DESK)
    await visit.go("/authenticators")
    before = house.standing(visit.owner)["seq"]
    text = visit.page.locator("main .cards > li").filter(has_text="Text message")

    await text.get_by_role("button", name="Suspend").dblclick(no_wait_after=True)
    await visit.told("allow")

    await visit.page.go_back()
    await expect(text).to_contain_text("Suspended: it proves nothing.")
    suspended = [one for one in house.standing(visit.owner)["authenticators"] if one["suspended"]]
    assert [one["kind"] for one in suspended] == ["sms"]
    assert await entries(house, visit, before) == ["authenticator.suspend"]


async def entries(house: House, visit: Visit, after: int) -> list[str]:
    """What its owner asked since an entry."""
    headers = {"Authorization": f"Bearer {house.platform_key}"}
    url = f"{house.holdback}/v1/accounts/{visit.owner.account}/events?cursor={after}"
    async with httpx.AsyncClient(trust_env=False) as http:
        items = (await http.get(url, headers=headers)).json()["items"]
    asked = [one["events"][0] for one in items]
    return [one["action"] for one in asked if one["actor"]["kind"] == "owner"]
