"""The Security Center in front of a real browser that a thief's page was opened in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from tests.browser.test_center import signed_in

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import Route
    from tests.browser.person import Person
    from tests.browser.platform_house import House

    Seat = Callable[..., Awaitable[Person]]

pytestmark = pytest.mark.asyncio(loop_scope="session")

TRAP: Final = "http://localhost:9/trap"
"""Another origin of the same site, whose requests even such cookies go along with: as near as a thief can be."""

FRAMING: Final = (
    """<!doctype html><title>Win a prize</title><iframe src="{center}/center" width="400" height="600"></iframe>"""
)
POSTING: Final = """<!doctype html><title>Win a prize</title>
<form method="post" action="{center}/center/ask"><input name="action" value="account.freeze"></form>
<script>document.forms[0].submit()</script>"""


async def trapped(person: Person, page: str) -> None:
    """Open the thief's page in the owner's browser."""

    async def answer(route: Route) -> None:
        await route.fulfill(body=page.format(center=person.house.center), content_type="text/html")

    await person.page.route(TRAP, answer)
    await person.page.goto(TRAP, wait_until="networkidle")


@pytest.mark.parametrize("fenced", [True, False])
async def test_it_shows_in_no_frame(house: House, at_a_browser: Seat, *, fenced: bool) -> None:
    """No page of a thief can lay a signed-in page under a prize to click; without the two headers it could."""
    person = await at_a_browser(house)
    await signed_in(person, house.somebody())

    async def stripped(route: Route) -> None:
        answer = await route.fetch()
        kept = {
            name: value
            for name, value in answer.headers.items()
            if name not in {"content-security-policy", "x-frame-options"}
        }
        await route.fulfill(response=answer, headers=kept)

    if not fenced:
        await person.page.route("**/center", stripped)
    await trapped(person, FRAMING)

    shown = [await frame.content() for frame in person.page.frames if frame.parent_frame is not None]
    assert any("Check-up" in text for text in shown) is not fenced
    person.forgive(None)


async def test_a_form_of_a_thief_freezes_nothing(house: House, at_a_browser: Seat) -> None:
    """A form that another origin sends with the owner's cookie is answered, and does nothing."""
    owner, person = house.somebody(), await at_a_browser(house)
    await signed_in(person, owner)

    await trapped(person, POSTING)
    await person.page.wait_for_url(f"{house.center}/**")

    assert house.standing(owner)["freeze"] is None
    person.forgive(None)
