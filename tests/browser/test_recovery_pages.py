"""Recoveries in a real browser: by whoever cannot sign in, and as the owner who can sees and stops them."""

from __future__ import annotations

import asyncio
import shutil
import socket
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import msgspec
import pytest
import uvicorn
from playwright.async_api import async_playwright, expect
from starlette.routing import Router
from tests.browser import walking
from tests.browser.conftest import SWITCHES
from tests.browser.person import AUTHENTICATOR
from tests.documents.papers import CLERK, authority, blank, hand, signed
from tests.service.house import HOME, PASSWORD, STRANGER, Customer, House, code_in, settings
from tests.service.test_face import PORTRAIT

from holdback.core import events as ev
from holdback.core.events import DAY, HOUR, Channel
from holdback.evidence.document import Documents
from holdback.papers import Papers
from holdback.store.sqlite import SqliteStore
from holdback.web import api

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser, Page

NEW: Final = "copper meadow seventeen lanterns"
PHONE: Final = {"viewport": {"width": 360, "height": 740}}
DESKTOP: Final = {"viewport": {"width": 1280, "height": 900}}
CHECK_MS: Final = 120_000


class Ticking:
    """A clock that goes, from whatever time it is set to."""

    def __init__(self) -> None:
        self.at = int(time.time() * 1000)
        self._began = time.monotonic()

    def now(self) -> ev.Instant:
        """What time it is."""
        return self.at + int((time.monotonic() - self._began) * 1000)


class Street:
    """A Holdback with its Security Center, alice, who has lived there for long, and browsers."""

    def __init__(self, house: House, alice: Customer, codes: list[str], browser: Browser, url: str) -> None:
        self.house, self.alice, self.codes, self.url = house, alice, codes, url
        self._browser = browser
        self.troubles: list[str] = []

    async def seat(self, **profile: object) -> Page:
        """Somebody at a browser of his own."""
        context = await self._browser.new_context(base_url=self.url, **({"locale": "en-GB"} | profile))  # type: ignore[arg-type] # as Playwright takes them
        page = await context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda said: self.troubles.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("request", self._asked)
        return page

    def _asked(self, request: object) -> None:
        address = str(getattr(request, "url", ""))
        if not address.startswith((self.url, "data:", "blob:")):
            self.troubles.append(f"left the origin: {address}")

    def let_pass(self, hours: float) -> None:
        """Go on so many hours later."""
        self.house.clock.at += int(hours * HOUR)

    async def priced(self) -> None:
        """Let the operator's feed and whoever watches what leaves say that all is usual now."""
        await self.house.priced()
        await self.house.store.say_looked()

    async def mailed(self) -> str:
        """The code in the newest mail that has one."""
        await self.house.deliver()
        mails = self.house.post[Channel.EMAIL].to(self.alice.mail)
        return code_in(next(one for one in reversed(mails) if one.subject == "Your code"))


def url_of(place: socket.socket) -> str:
    """The origin of what is served at a place. WebAuthn knows no IP addresses."""
    return f"http://localhost:{place.getsockname()[1]}"


@asynccontextmanager
async def served(house: House, place: socket.socket) -> AsyncIterator[str]:
    """The API and the Security Center at a place of their own."""
    router = Router(redirect_slashes=False, default=api.nowhere)
    # The house's time is not this machine's: the server tells none, and browsers go by the clock that they are given.
    config = uvicorn.Config(router, log_level="warning", lifespan="off", date_header=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[place]))
    while not server.started:  # noqa: ASYNC110 - uvicorn tells it by no event
        await asyncio.sleep(0)
    url = url_of(place)
    router.routes.extend(api.routes(house.service, people=api.People(center=url)))
    yield url
    server.should_exit = True
    await serving


async def lived(house: House) -> tuple[Customer, list[str]]:
    """Alice with her portrait, app, mailbox and backup codes, all of them old."""
    alice = Customer(house, "alice")
    house.clock.at -= 60 * DAY
    assert (await alice.ask(alice.importing() | {"face": PORTRAIT}))["decision"] == "allow"
    await house.deliver()
    for _ in range(2):
        house.clock.at += 80 * HOUR
        await alice.sign_in(alice.code())
        await house.deliver()
    bound = await alice.ask(alice.body("authenticator.bind", kind="backup_code", proofs=alice.proofs()))
    await house.deliver()
    house.clock.at += 50 * DAY
    return alice, bound["enrolment"]["codes"]


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    """The street, and afterwards nothing may have gone wrong on any page."""
    clock = Ticking()
    store = SqliteStore(tmp_path / "holdback.db", clock=clock.now)
    await store.migrate()
    place = socket.create_server(("127.0.0.1", 0))
    given = msgspec.structs.replace(settings(), face="embedded", rp_id="localhost", rp_origins=url_of(place))
    house = House(store, clock, given=given)  # type: ignore[arg-type] # a clock that goes
    court = authority()
    masters = house.service.tools.masters
    house.service.tools = house.service.tools._replace(papers=Papers(masters, Documents([court.pem])))
    house.court = court  # type: ignore[attr-defined] # whose papers are trusted here
    alice, codes = await lived(house)
    camera = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    program = shutil.which("chromium")
    assert program is not None, "install Debian's package `chromium`"
    async with async_playwright() as playwright, served(house, place) as url:
        browser = await playwright.chromium.launch(executable_path=program, args=[*SWITCHES, *camera])
        made = Street(house, alice, codes, browser, url)
        yield made
        await browser.close()
    await store.close()
    assert [one for one in made.troubles if "status of 4" not in one] == []


async def opened(page: Page, street: Street, *lost: str) -> str:
    """Come from the sign-in, say who one is and what is lost, and write the key down."""
    await page.goto("/center/sign-in")
    await page.locator("a[href$='/recover']").click()
    await page.locator("#name").fill(street.alice.mail)
    for kind in lost:
        await page.locator(f"input[name=lost][value={kind}]").check()
    await page.locator("main form button").click()
    key = await page.locator("[data-token]").inner_text()
    await page.locator("main a.button").click()
    await expect(page.locator("[data-kind=totp]")).to_be_visible()
    return key.replace(" ", "")


async def shows(page: Page, kind: str, response: str) -> None:
    """Open the place of a kind, and show it."""
    place = page.locator(f"[data-kind={kind}]")
    if await place.get_attribute("open") is None:
        await place.locator("summary").click()
    await place.locator("input:not([type=hidden])").fill(response)
    await place.locator("button").click()


async def finishes(page: Page, street: Street) -> None:
    """Choose a password, and confirm it with the code that comes by mail."""
    await page.goto("/center/recover/finish")
    await page.locator("#password").fill(NEW)
    await page.locator("section:has(#password) button").click()
    await expect(page.locator("#code")).to_be_visible()
    await page.locator("#password").fill(NEW)
    await page.locator("#code").fill(await street.mailed())
    await page.locator("main form button").click()


@pytest.mark.parametrize(
    ("profile", "scripts"),
    [(PHONE | {"locale": "en-GB"}, True), (DESKTOP | {"locale": "zh-CN"}, False), (PHONE | {"locale": "zh-CN"}, True)],
    ids=["phone", "desktop, Chinese, no scripts", "phone, Chinese"],
)
async def test_who_kept_two_things_comes_back(street: Street, profile: dict[str, object], *, scripts: bool) -> None:
    """App and backup code, a day in which everyone could object, a code to the old mailbox, and a new password."""
    page = await street.seat(**profile, java_script_enabled=scripts)
    await opened(page, street, "passkey")
    await shows(page, "totp", "000000")
    await expect(page.locator("[data-trouble=nothing]")).to_be_visible()
    await shows(page, "totp", street.alice.next_code())
    await expect(page.locator("[data-way=one_possession]")).to_be_visible()
    await expect(page.locator("[data-waits=review]")).to_be_visible()
    await expect(page.locator("[data-place]")).to_have_text("1")
    await shows(page, "backup_code", street.codes[0])
    await expect(page.locator("[data-way=two_possessions]")).to_be_visible()
    await expect(page.locator("[data-waits=time]")).to_be_visible()
    await expect(page.locator("[data-kind]")).to_have_count(0)
    await street.house.deliver()
    street.let_pass(23)
    await page.goto("/center/recover/case")
    await expect(page.locator("[data-waits=time]")).to_be_visible()
    assert await page.locator("a[href$='/finish']").count() == 0
    await finishes(page, street)
    await expect(page.locator("[data-trouble=waits]")).to_be_visible()
    street.let_pass(1.1)
    await page.goto("/center/recover/case")
    await expect(page.locator("[data-waits=opener]")).to_be_visible()
    await page.locator("a[href$='/finish']").click()
    await finishes(page, street)
    await expect(page.locator("[data-decision=allow]")).to_be_visible()
    assert [one for one in await page.context.cookies() if one["name"] == "recovery"] == []
    (done,) = await street.house.happened("alice", ev.RecoveryFinished)
    assert done.path == "two_possessions"
    assert await street.house.faults("alice") == []


async def test_mailed_code_then_an_address(street: Street) -> None:
    """A key that was written down goes on at another browser; a mailed code opens the way for a wallet's signature."""
    page = await street.seat(**PHONE)
    key = await opened(page, street, "totp")
    page = await street.seat(**DESKTOP)
    await page.goto("/center/recover/case")
    await page.get_by_label("Name or e-mail").fill(street.alice.mail)
    await page.get_by_label("Key of the recovery").fill(key.upper())
    await page.get_by_role("button", name="Go on").click()
    assert await page.locator("[data-kind=address_signature]").count() == 0
    await page.get_by_role("button", name="Send a code by mail").click()
    await expect(page.get_by_label("Code that we sent")).to_be_visible()
    await page.get_by_label("Code that we sent").fill(await street.mailed())
    await page.get_by_role("button", name="Confirm", exact=True).click()
    await expect(page.locator("[data-way=no_possession]")).to_be_visible()
    street.let_pass(0.1)
    place = page.locator("[data-kind=address_signature]")
    await place.locator("summary").click()
    await place.get_by_label("Network").select_option("bitcoin")
    await place.get_by_label("Address of your wallet").fill(HOME)
    await place.get_by_role("button", name="Give me the message").click()
    await expect(page.locator("[data-message]")).to_contain_text("I am recovering my account alice (case r")
    await page.get_by_label("Signature").fill("not a signature")
    await page.get_by_role("button", name="Show this signature").click()
    await expect(page.locator("[data-trouble=nothing]")).to_be_visible()
    shown = await street.house.happened("alice", ev.RecoveryShown)
    assert [one.evidence for one in shown] == ["email_code"]


async def test_a_payment_instead_of_the_account(street: Street) -> None:
    """Who fears for the account has money paid to an address of old after the wait; nobody else's address is taken."""
    page = await street.seat(**PHONE)
    await opened(page, street)
    await shows(page, "totp", street.alice.next_code())
    await shows(page, "backup_code", street.codes[0])
    await expect(page.locator("[data-waits=time]")).to_be_visible()
    await street.house.deliver()
    street.let_pass(24.1)
    for address in (STRANGER, HOME):
        await street.priced()
        street.let_pass(0.1)
        await page.goto("/center/recover/finish")
        await page.locator("summary").click()
        for name, value in (("Address", address), ("Asset, such as BTC", "USDT"), ("Amount", "50")):
            await page.get_by_label(name, exact=True).fill(value)
        await page.get_by_label("Network").select_option("bitcoin")
        await page.get_by_role("button", name="Pay this out").click()
        await expect(page.locator("main")).to_contain_text(f"Send 50 USDT to {address}")
        await page.get_by_label("Code that we sent").fill(await street.mailed())
        await page.get_by_role("button", name="Confirm", exact=True).click()
        if address == STRANGER:
            await expect(page.locator("[data-trouble=refused]")).to_be_visible()
    await expect(page.get_by_role("status")).to_contain_text("This payment")
    assert not await street.house.happened("alice", ev.RecoveryFinished)
    paid = await street.house.happened("alice", ev.ExitAllowed) + await street.house.happened("alice", ev.ExitHeld)
    assert len(paid) == 1
    assert await street.house.faults("alice") == []


async def test_an_old_passkey_speaks(street: Street) -> None:
    """A passkey that was made long before is asked for once something else counts, and makes the second thing."""
    page = await street.seat(**DESKTOP)
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    await session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    await signed_in(page, street)
    await page.goto("/center/authenticators")
    await page.get_by_role("button", name="Make a passkey", exact=True).click()
    await proves(page, street)
    await page.get_by_role("button", name="Make it on this device").click()
    await expect(page.get_by_role("status")).to_contain_text("Done")
    await street.house.deliver()
    street.let_pass(10 * 24)
    await page.context.clear_cookies()
    await opened(page, street)
    await shows(page, "totp", street.alice.next_code())
    place = page.locator("[data-kind=passkey]")
    await place.locator("summary").click()
    await place.get_by_role("button").click()
    await page.get_by_role("button", name="Confirm with your passkey").click()
    await expect(page.locator("[data-way=two_possessions]")).to_be_visible()
    shown = await street.house.happened("alice", ev.RecoveryShown)
    assert [one.evidence for one in shown] == ["totp", "passkey"]


async def test_a_browser_that_is_known_speaks(street: Street) -> None:
    """A browser in which the owner signed in on several days signs for a case with its key; another one cannot."""
    own, strange = await street.seat(**PHONE), await street.seat(**PHONE)
    for _ in range(3):
        await own.context.clear_cookies()
        await signed_in(own, street)
        await street.house.deliver()
        street.let_pass(80)
    key = await opened(own, street)
    await shows(own, "totp", street.alice.next_code())
    await expect(own.locator("[data-way=one_possession]")).to_be_visible()
    await strange.goto("/center/recover/key")
    await strange.locator("#name").fill(street.alice.mail)
    await strange.locator("#token").fill(key)
    await strange.get_by_role("button", name="Go on").click()
    for page in (strange, own):
        await page.clock.set_system_time(street.house.clock.now() / 1000)
        await page.goto("/center/recover/case")
        await page.locator("[data-kind=device] summary").click()
        await page.get_by_role("button", name="Show this browser").click()
        if page is strange:
            await expect(page.locator("[data-trouble=nothing]")).to_be_visible()
    await expect(own.locator("[data-way=two_possessions]")).to_be_visible()
    shown = await street.house.happened("alice", ev.RecoveryShown)
    assert [one.evidence for one in shown] == ["totp", "device"]


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
async def test_a_paper_is_read(street: Street, tmp_path: Path, *, scripts: bool) -> None:
    """A signed paper names who signed it; a file that is none says so; markup in a file's name is only text."""
    page = await street.seat(**PHONE, java_script_enabled=scripts)
    await opened(page, street)
    court = street.house.court  # type: ignore[attr-defined] # as the fixture gave it
    good, bad = tmp_path / "letter.pdf", tmp_path / "<img src=x onerror=alert(1)>.pdf"
    good.write_bytes(signed(blank(), hand(court)))
    bad.write_bytes(b"no paper at all")
    for path, told in ((good, CLERK), (bad, "Nothing in it shows who made it")):
        place = page.locator("details:has(#paper)")
        if await place.get_attribute("open") is None:
            await place.locator("summary").click()
        await page.locator("#paper").set_input_files(path)
        await place.get_by_role("button", name="Have it read").click()
        await expect(page.locator("[data-paper] h2")).to_have_text(path.name)
        await expect(page.locator("[data-paper]")).to_contain_text(told, timeout=CHECK_MS)
    assert await page.locator("main img").count() == 0


async def test_the_face_check_is_reached(street: Street) -> None:
    """Once something counts, the page says what a face can do, and leads to its check with the case's own key."""
    page = await street.seat(**PHONE, permissions=["camera"])
    await opened(page, street)
    assert await page.locator("[data-kind=face]").count() == 0
    await shows(page, "totp", street.alice.next_code())
    place = page.locator("[data-kind=face]")
    await place.locator("summary").click()
    await place.get_by_role("link").click()
    await expect(page.get_by_role("heading", name="Face check")).to_be_visible()
    await page.get_by_role("button", name="To the face check").click()
    await page.get_by_role("button", name="Start").press("Enter")
    await expect(page.locator("#screen")).to_be_visible(timeout=CHECK_MS)
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("status")).to_contain_text("You stopped the check", timeout=CHECK_MS)
    assert "alice" not in page.url


# The owner


async def tabbed(page: Page, name: str) -> None:
    """Press Tab until what has this name has the focus, and then Enter."""
    script = "() => document.activeElement?.innerText ?? ''"
    for _ in range(60):
        await page.keyboard.press("Tab")
        if name in str(await page.evaluate(script)):
            await page.keyboard.press("Enter")
            return
    raise AssertionError(f"no way to {name} by the keyboard")


async def proves(page: Page, street: Street) -> None:
    """Show password and app's code. The browser's clock goes along, for what its device signs says when it did."""
    code = street.alice.next_code()
    await page.clock.set_system_time(street.house.clock.now() / 1000)
    form = page.locator("form:has([name='_proof.totp'])")
    await form.get_by_label("Password").fill(PASSWORD)
    await form.get_by_label("Code of your authenticator app").fill(code)
    await form.get_by_role("button", name="Confirm", exact=True).click()


async def signed_in(page: Page, street: Street) -> None:
    """Sign in as the owner who has everything still."""
    await page.clock.set_system_time(street.house.clock.now() / 1000)
    await page.goto("/center/sign-in")
    await page.locator("#name").fill(street.alice.mail)
    await page.locator("main form button").click()
    await proves(page, street)
    await expect(page.get_by_role("heading", name="Check-up")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
async def test_the_owner_objects_by_the_keyboard(street: Street, *, scripts: bool) -> None:
    """Tab and Enter alone lead the owner from the check-up to an objection, with scripts and without."""
    thief = await street.seat(**DESKTOP)
    await opened(thief, street)
    await shows(thief, "backup_code", street.codes[0])
    await expect(thief.locator("[data-way=one_possession]")).to_be_visible()
    page = await street.seat(**DESKTOP, java_script_enabled=scripts)
    await signed_in(page, street)
    await tabbed(page, "See it and object")
    await expect(page.get_by_role("heading", name="Recovery of your account")).to_be_visible()
    await tabbed(page, "This is not me: object")
    await expect(page.get_by_role("status")).to_contain_text("Done")
    (objection,) = await street.house.happened("alice", ev.RecoveryContested)
    assert objection.by.kind == "owner"
    await page.goto("/center/recovery")
    await expect(page.locator("[data-contested]")).to_be_visible()
    await thief.goto("/center/recover/case")
    await expect(thief.locator("[data-contested]")).to_be_visible()


async def test_the_owner_ends_it_and_burns(street: Street) -> None:
    """With full proof the owner ends a recovery and says what others know; whoever opened it reads how it may end."""
    thief = await street.seat(**PHONE)
    await opened(thief, street)
    page = await street.seat(**PHONE)
    await signed_in(page, street)
    for button, kinds in (("It proves nothing from now on", True), ("End it, with my strongest proof", False)):
        await page.goto("/center/recovery")
        if kinds:
            await page.get_by_label("Identity document").check()
        await page.get_by_role("button", name=button).click()
        await proves(page, street)
        await expect(page.get_by_role("status")).to_contain_text("Done")
    (ended,) = await street.house.happened("alice", ev.RecoveryEnded)
    assert ended.how == "cancelled"
    await page.goto("/center/recovery")
    await expect(page.locator("main")).to_contain_text("Identity document: counts for nothing until")
    await thief.goto("/center/recover/case")
    await expect(thief.locator("[data-trouble=over]")).to_contain_text("it has ended")


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
async def test_nobody_is_kept_out(street: Street, locale: str) -> None:
    """On a phone and a desktop, light and dark, no page of a recovery has a grave fault by axe-core or is too wide."""
    page = await street.seat(locale=locale)
    found: dict[str, list[str]] = {}
    for path in ("/center/recover", "/center/recover/key"):
        await page.goto(path)
        found[path] = await walking.faults(page)
    await opened(page, street)
    found["case"] = await walking.faults(page)
    await shows(page, "totp", street.alice.next_code())
    await expect(page.locator("[data-way]")).to_be_visible()
    found["told"] = await walking.faults(page)
    for path in ("/center/recover/finish", "/center/recover/face"):
        await page.goto(path)
        found[path] = await walking.faults(page)
    assert {address: faults for address, faults in found.items() if faults} == {}
