"""The demo's own pages: a visitor plays the thief and the owner, by hand, against the servers of the demo."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from io import StringIO
from typing import TYPE_CHECKING, Final

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import expect
from rich.console import Console
from tests.browser import walking
from tests.browser.person import AUTHENTICATOR

from holdback.demo import theatre
from holdback.demo.cast import victims
from holdback.demo.incidents import INCIDENTS
from holdback.demo.past import BROWSER
from holdback.demo.processes import choose_ports

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from playwright.async_api import Browser, ConsoleMessage, Page

    from holdback.demo.theatre import Stage

    Open = Callable[..., Awaitable[Page]]

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATIENCE_MS: Final = 60_000
ROBBED: Final = 8
PHONE: Final = {"width": 390, "height": 844}
WIDE: Final = {"width": 1280, "height": 800}
NEW_ADDRESS: Final = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """The demo's servers with its pages, and a few people to rob."""
    directory, ports, console = tmp_path_factory.mktemp("stage"), choose_ports(0), Console(file=StringIO())
    with ExitStack() as stack:
        yield await asyncio.to_thread(theatre.set_stage, stack, console, directory, ports, victims(ROBBED))


@pytest_asyncio.fixture(loop_scope="session")
async def opened(chromium: Browser, stage: Stage) -> AsyncIterator[Open]:
    """Opens pages of the demo; no error may have been said on any, and nothing asked beyond the demo's own servers."""
    troubles: list[str] = []
    contexts = []
    origins = {httpx.URL(one.url).netloc.decode() for one in stage.places}
    origins.add(httpx.URL(stage.scene.holdback).netloc.decode())

    def heard(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            troubles.append(message.text)

    def asked(url: str) -> None:
        if httpx.URL(url).netloc.decode() not in origins:
            troubles.append(f"asked {url}")

    async def open_page(name: str, **profile: object) -> Page:
        context = await chromium.new_context(**{"viewport": PHONE, "user_agent": BROWSER} | profile)  # type: ignore[arg-type]  # as Playwright takes them
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.on("request", lambda request: asked(request.url))
        context.on("console", heard)
        page = await context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        await page.goto(next(one.url for one in stage.places if one.name == name))
        return page

    yield open_page
    for context in contexts:
        await context.close()
    assert troubles == []


async def happened(page: Page) -> list[str]:
    """What came of each step until now."""
    return [str(await one.get_attribute("data-happened")) for one in await page.locator("[data-happened]").all()]


async def begin(page: Page, incident: str) -> None:
    """Begin to play an incident."""
    title = INCIDENTS[incident].title
    await page.get_by_role("button", name=f"Play: {title}").click()
    await expect(page.get_by_role("heading", name=title)).to_be_visible()


PLAYED: Final = {
    "stolen-number": ["step_up", "allow", "step_up", "hold", "hold", "done", "deny"],
    "copied-cookie": ["step_up", "step_up", "allow", "hold", "done", "deny", "step_up"],
    "stolen-key": ["allow", "allow", "deny", "deny", "done", "deny"],
}
"""What must come of each incident's steps."""


@pytest.mark.parametrize(
    ("incident", "scripts"), [*((incident, True) for incident in PLAYED), ("copied-cookie", False)]
)
async def test_a_theft_fails_in_sight(opened: Open, incident: str, scripts: bool) -> None:  # noqa: FBT001 - one of two
    """A played theft meets steps, holds and a freeze, the owner's phone says so, and nearly nothing is stolen."""
    page = await opened("Play the thief", java_script_enabled=scripts, viewport=WIDE)
    await begin(page, incident)

    await page.get_by_role("button", name="Play all").click()
    await expect(page.get_by_role("heading", name="It is over")).to_be_visible(timeout=PATIENCE_MS)

    assert await happened(page) == PLAYED[incident]
    phone = page.locator(".phone")
    await expect(phone.locator("[data-frozen]")).to_be_visible()
    await expect(phone.get_by_text("Important: your account was frozen").first).to_be_visible()
    await expect(page.get_by_text("The owner still has 3 BTC")).to_be_visible()
    texts = await phone.get_by_text("text message", exact=True).count()
    assert (texts == 0) == INCIDENTS[incident].texts_stolen


async def test_the_visitor_freezes_by_hand(opened: Open) -> None:
    """Step by step: what was asked is held, the phone is told, its button freezes, and then the thief is refused."""
    page = await opened("Play the thief")
    await begin(page, "copied-cookie")
    for step in range(4):
        await page.get_by_role("button", name="Do it").click()
        await expect(page.locator("[data-happened]")).to_have_count(step + 1)
    phone = page.locator(".phone")
    await expect(page.locator("[data-happened=hold]")).to_contain_text("unless the owner stops it")
    await expect(phone.get_by_text("A payment from your account waits").first).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    async with page.context.expect_page() as opening:
        await phone.get_by_role("link", name="Freeze my account").first.click()
    link = await opening.value
    await link.get_by_role("button", name="Freeze my account now").click()
    await expect(link.get_by_role("heading", name="Your account is frozen")).to_be_visible()

    await phone.get_by_role("link", name="Look again").click()
    await expect(phone.locator("[data-frozen]")).to_be_visible()
    await page.get_by_role("button", name="Do it").click()
    await page.get_by_role("button", name="Do it").click()
    await expect(page.locator("#now")).to_contain_text("The account is frozen by its owner")


async def test_a_customer_is_played_by_hand(opened: Open, stage: Stage) -> None:
    """With the printed sign-in and the phone's codes: a withdrawal to a new address waits, and the center stops it."""
    carol = stage.scene.cast.carol
    phone, shop = await opened("Your phone"), await opened("Exchange", viewport=WIDE)
    await shop.get_by_label("E-mail address").fill(carol.email)
    await shop.get_by_role("button", name="Continue").click()
    await shop.get_by_label("Password").fill(carol.password)
    first = str(await phone.locator("[data-code]").get_attribute("data-code"))
    await shop.get_by_label("Code of your authenticator app").fill(first)
    await shop.get_by_role("button", name="Confirm", exact=True).click()
    await shop.get_by_role("link", name="Withdraw").first.click()
    await shop.get_by_label("Amount of BTC").fill("0.5")
    await shop.get_by_label("Bitcoin address").fill(NEW_ADDRESS)
    await shop.get_by_role("button", name="Withdraw").click()
    used = await following(phone)
    await shop.get_by_label("Code of your authenticator app").fill(used)
    await shop.get_by_role("button", name="Confirm", exact=True).click()
    await expect(shop.get_by_role("status")).to_contain_text("This withdrawal waits")

    await phone.get_by_role("link", name="Look again").click()
    await expect(phone.get_by_text("A payment from your account waits").first).to_be_visible(timeout=PATIENCE_MS)
    await shop.get_by_role("link", name="Stop it or freeze in the Security Center").click()
    await shop.get_by_label("Name or e-mail").fill(carol.email)
    await shop.get_by_role("button", name="Continue").click()
    await shop.get_by_label("Password").fill(carol.password)
    await expect(phone.locator("strong").first).not_to_have_text(f"{used[:3]} {used[3:]}", timeout=PATIENCE_MS)
    await shop.get_by_label("Code of your authenticator app").fill(await following(phone))
    await shop.get_by_role("button", name="Confirm", exact=True).click()
    await shop.get_by_role("link", name="Waiting payments").click()
    await shop.locator("form:has(input[value='exit.cancel']) button").click()
    await expect(shop.get_by_role("status")).to_contain_text("Done")
    await shop.goto(next(one.url for one in stage.places if one.name == "Exchange"))
    await expect(shop.get_by_role("region", name="Waiting")).to_have_count(0)


async def following(phone: Page) -> str:
    """The next code, which is taken already."""
    return str(await phone.locator("strong").first.text_content()).replace(" ", "")


async def test_a_visitor_is_staff(opened: Open, stage: Stage) -> None:
    """With a passkey of his own a visitor is let in by the demo, and signs in to the staff console."""
    page = await opened("Let yourself in", viewport=WIDE)
    devices = await page.context.new_cdp_session(page)
    await devices.send("WebAuthn.enable")
    await devices.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    console = next(one.url for one in stage.places if one.name == "Staff console")
    home = page.url
    await page.goto(f"{console}/enrol")
    await page.get_by_label("The id that you will have").fill("staff-you")
    await page.get_by_role("button", name="Continue").click()
    await page.get_by_role("button", name="Make it on this device").click()
    text = await page.get_by_label("To hand over").input_value()

    await page.goto(home)
    await page.get_by_label("What the page shows to hand over").fill(text)
    await page.get_by_role("button", name="Let me in").click()
    await expect(page.get_by_role("status")).to_contain_text("You are a member")
    await page.goto(f"{console}/sign-in")
    await page.get_by_label("Your id").fill("staff-you")
    await page.get_by_role("button", name="Continue").click()
    await page.get_by_role("button", name="Confirm with your passkey").click()

    await expect(page.get_by_role("heading", name="My queue")).to_be_visible()


async def test_nobody_is_kept_out(opened: Open, stage: Stage) -> None:
    """On a phone and a desktop, light and dark, no page has a grave fault by axe-core, or is wider than the screen."""
    page = await opened("Demo")
    home = page.url
    found = {address: await walking.faults(page) async for address in walking.pages(page, home)}
    await page.goto(f"{home}thief")
    await begin(page, "stolen-number")
    await page.get_by_role("button", name="Do it").click()
    await expect(page.locator("[data-happened]")).to_have_count(1)
    found["a play"] = await walking.faults(page)

    assert {address: faults for address, faults in found.items() if faults} == {}
    assert len(found) == len(("/", "/phone", "/thief", "/staff", "a play"))
    assert stage.scene.letters


async def test_only_this_machine_is_served(stage: Stage) -> None:
    """The demo's pages answer to no name that a foreign page could have led a browser by, and take no foreign form."""
    url = next(one.url for one in stage.places if one.name == "Play the thief")

    async with httpx.AsyncClient(trust_env=False) as http:
        foreign = await http.get(url, headers={"host": "thief.example"})
        begun = await http.post(url, data={"incident": "copied-cookie"}, headers={"origin": "http://thief.example"})

    assert foreign.status_code == 400
    assert begun.status_code == 404
