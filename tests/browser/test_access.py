"""The pages are for everybody: by keyboard, on a phone, in the dark, with a screen reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from playwright.async_api import expect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.browser.person import Person
    from tests.browser.platform_house import House

    Seat = Callable[..., Awaitable[Person]]

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGES: Final = ("pay", "passkey", "authenticator", "sessions", "sign-in")
CONTROLS: Final = {"button", "combobox", "link", "radio", "textbox", "dialog", "image", "region"}
"""Roles that must have a name."""

FAULTS: Final = """() => {
  const faults = [];
  const shown = (one) => one.checkVisibility({ visibilityProperty: true });
  if (!document.documentElement.lang || !document.title) faults.push("language or title");
  for (const name of ["h1", "main"]) if (document.querySelectorAll(name).length !== 1) faults.push(`not one ${name}`);
  const levels = [...document.querySelectorAll("h1, h2, h3")].filter(shown).map((one) => Number(one.tagName[1]));
  if (levels.some((level, place) => place && level > levels[place - 1] + 1)) faults.push("a heading is skipped");
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  if (new Set(ids).size < ids.length) faults.push("an id is used twice");
  if (document.documentElement.scrollWidth > innerWidth) faults.push("wider than the screen");
  for (const one of [...document.querySelectorAll("button, input, select")].filter(shown)) {
    const { width, height } = one.getBoundingClientRect();
    if (width < 24 && height < 24 && one.type !== "radio") faults.push(`too small to hit: ${one.outerHTML}`);
  }
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (color) => color.slice(0, 3).map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const one = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !shown(one) || one.closest("noscript, option")) continue;
    const [front, back] = [light(rgb(getComputedStyle(one).color)), light(behind(one))];
    const contrast = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    if (contrast < 4.5) faults.push(`contrast ${contrast.toFixed(2)}: ${walker.currentNode.data.trim()}`);
  }
  return faults;
}"""


async def nameless(person: Person) -> list[str]:
    """Controls in the accessibility tree that a screen reader could not name."""
    session = await person.context.new_cdp_session(person.page)
    tree = await session.send("Accessibility.getFullAXTree")
    await session.detach()
    return [
        str(node)
        for node in tree["nodes"]
        if not node["ignored"]
        and node["role"]["value"].lower() in CONTROLS
        and not node.get("name", {}).get("value", "").strip()
    ]


async def test_every_page_can_be_read_by_everybody(house: House, at_a_browser: Seat) -> None:
    """On a small phone and a desktop, light and dark, each page and its dialog have names, order, contrast and room."""
    person = await at_a_browser(house, viewport={"width": 320, "height": 640})
    await person.sign_in(house.somebody())

    for name in PAGES:
        await person.open(name)
        await person.page.wait_for_load_state("networkidle")
        if name == "sign-in":
            await person.name_himself(house.nobody())
        for width in (320, 1200):
            await person.page.set_viewport_size({"width": width, "height": 640})
            for scheme in ("light", "dark"):
                await person.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                assert await person.page.evaluate(FAULTS) == [], f"{name}, {width}, {scheme}"
        assert await nameless(person) == [], name


async def test_hands_may_stay_on_the_keyboard(house: House, at_a_browser: Seat) -> None:
    """Signing in, paying and leaving the dialog again work without a pointer, and focus is never lost."""
    owner, person = house.somebody(), await at_a_browser(house)
    keys = person.page.keyboard
    await person.open("sign-in")

    await expect(person.page.get_by_label("E-mail address")).to_be_focused()
    await keys.type(owner.email)
    await keys.press("Enter")
    await expect(person.dialog.get_by_label("Password")).to_be_focused()
    await keys.type(owner.password)
    await keys.press("Tab")
    await keys.type(house.code(owner))
    await keys.press("Enter")
    await person.signed_in()

    await person.page.get_by_label("Amount").focus()
    await keys.type("0.05")
    await keys.press("Tab")
    await keys.press("Tab")
    await keys.type(owner.wallet)
    await keys.press("Enter")
    await expect(person.dialog.get_by_label("Code of your authenticator app")).to_be_focused()
    await keys.press("Escape")
    await person.told("Not confirmed")
    await expect(person.page.get_by_label("Address", exact=True)).to_be_focused()
