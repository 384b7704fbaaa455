"""An authenticator app, enrolled on the page and read by another program."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.browser.person import Person
    from tests.browser.platform_house import House

    Seat = Callable[..., Awaitable[Person]]

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_app_is_set_up_from_what_is_shown(house: House, at_a_browser: Seat) -> None:
    """An app that takes over the secret which is shown once confirms itself, and from then on is waited for."""
    owner, person = house.somebody(), await at_a_browser(house)
    await person.sign_in(owner)
    await person.open("authenticator")
    apps = person.page.get_by_role("list", name="Your authenticator apps").get_by_role("listitem")
    await expect(apps).to_have_count(1)

    await person.page.get_by_role("button", name="Add an authenticator app").click()
    await person.prove(owner)
    await expect(person.page.get_by_role("heading", name="Set up your app")).to_be_focused()
    await expect(person.page.get_by_role("img", name=re.compile("QR code"))).to_be_visible()
    assert await person.page.locator("#qr").evaluate("(one) => one.naturalWidth") > 0
    await person.page.get_by_text("Or type it in").click()
    secret = (await person.page.locator("#secret").inner_text()).replace(" ", "")

    for code, said in (("000000", "Not allowed"), (oathtool(secret), "Your app is added")):
        await person.page.get_by_label("The code that your app shows now").fill(code)
        await person.page.get_by_role("button", name="Confirm", exact=True).click()
        await person.told(said)
    await expect(apps.filter(has_text="New: it signs you in at once")).to_have_count(1)
    assert secret not in (await person.page.content()).replace(" ", "")


def oathtool(secret: str) -> str:
    """The code that Debian's `oathtool` computes of a secret now."""
    command = ["oathtool", "--totp", "--base32", "-"]
    shown = subprocess.run(command, input=secret, capture_output=True, text=True, check=True)
    return shown.stdout.strip()
