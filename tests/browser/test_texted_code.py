"""Signing in by a password and a code that is sent, by somebody who holds nothing stronger."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.browser.person import Person
    from tests.browser.platform_house import House

    Seat = Callable[..., Awaitable[Person]]

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_code_is_sent_after_the_password(house: House, at_a_browser: Seat) -> None:
    """The page asks for the password alone and then for both, and a password that was mistyped can be sent again."""
    owner, person = house.newcomer(), await at_a_browser(house)
    password, code = (person.dialog.get_by_label(name) for name in ("Password", "Code of the text message"))
    confirm = person.dialog.get_by_role("button", name="Confirm")
    await person.name_himself(owner)
    await expect(code).to_have_count(0)
    for typed in ("not this one", owner.password):
        await password.fill(typed)
        await confirm.click()
        await expect(person.dialog.get_by_role("alert")).to_contain_text(
            "If the password was right, a code is on its way"
        )
        await expect(code).to_be_focused()
        await expect(password).to_have_value(typed)

    text = house.letter(0, lambda one: one.to == owner.phone).text
    found = re.search(r"\b\d{8}\b", text)
    assert found is not None, text
    await code.fill(found[0])
    await confirm.click()
    await person.signed_in()
    assert len(house.mailbox.letters.to(owner.phone)) == 1
