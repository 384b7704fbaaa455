"""The console's desk: a customer for a ticket, alarms, the circuit breaker, the policy, and what an auditor sees."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import pytest
from playwright.async_api import expect
from tests.browser import walking

from holdback import wiring
from holdback.core.breaker import Flow
from holdback.core.events import HOUR
from holdback.core.rules.staff import StaffFlag, TicketOpen
from holdback.ports import FlowRow, Writes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from playwright.async_api import Page
    from tests.browser.desk_house import DeskHouse
    from tests.browser.person import Person

    from holdback.service import Service

    Seat = Callable[..., Awaitable[Person]]

pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE: Final = {"width": 390, "height": 844}
BOTH: Final = pytest.mark.parametrize("viewport", [{"width": 1280, "height": 900}, PHONE], ids=["wide", "phone"])
USD: Final = 1_000_000


@asynccontextmanager
async def behind(house: DeskHouse) -> AsyncIterator[Service]:
    """The service beside the running server, as another process on the same store has it."""
    store = wiring.open_store(house.settings)
    try:
        yield wiring.build_service(house.settings, store)
    finally:
        await store.close()


def unfit(page: Page) -> Awaitable[bool]:
    """Whether anything is wider than the screen."""
    return page.evaluate("document.documentElement.scrollWidth > innerWidth")


async def went(page: Page, way: str, heading: str) -> None:
    """Follow a way on, and wait until its page is there."""
    await page.locator("#ways").get_by_role("link", name=way, exact=True).click()
    await expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()


@BOTH
async def test_a_customer_is_seen_for_a_ticket(
    desk_house: DeskHouse, at_the_desk: Seat, viewport: dict[str, int]
) -> None:
    """What is asked for is shown masked, one field as it is for a reason of its own; the customer's log has both."""
    customer, person = desk_house.somebody(), await at_the_desk(desk_house, "staff-sam", viewport=viewport)
    page = person.page
    await went(page, "Look up", "Look up a customer")
    await page.get_by_label("Account").fill(customer.account)
    await page.get_by_label("Ticket, or id of the case").fill("1042")
    await page.get_by_label("Mail addresses").check()
    await page.get_by_label("How much there is").check()
    await page.get_by_label("Why").fill("asks where his money is")
    await page.get_by_role("button", name="Show it, masked").click()
    await expect(page.get_by_role("alert")).to_contain_text("No open ticket of this customer has this id")
    async with behind(desk_house) as service:
        await service.record(customer.account, TicketOpen("1042"))
    await page.get_by_role("link", name="Back").click()
    await expect(page.get_by_label("Account")).to_have_value(customer.account)
    await page.get_by_label("Mail addresses").check()
    await page.get_by_label("How much there is").check()
    await page.get_by_label("Where he is told").check()
    await page.get_by_label("Why").fill("asks where his money is")
    await page.get_by_role("button", name="Show it, masked").click()
    await expect(page.get_by_role("status")).to_contain_text("Seen by you for ticket 1042")
    await expect(page.locator("[data-field=balance]")).to_contain_text("USD")
    await expect(page.locator("main")).not_to_contain_text(customer.email)
    assert not await unfit(page)
    await page.get_by_label("Mail addresses").check()
    await page.get_by_label("Why it must be shown").fill("he spells it otherwise")
    await page.get_by_role("button", name="Show it", exact=True).click()
    await expect(page.locator("[data-field=email]")).to_have_text(customer.email)
    async with behind(desk_house) as service:
        page_of_log = await service.store.entries(customer.account, 0, 500)
    seen = [entry for entry in page_of_log if b"staff.looked_up" in entry.body]
    assert len(seen) == 2
    assert not person.stopped


@BOTH
async def test_an_alarm_says_what_it_is_made_of(
    desk_house: DeskHouse, at_the_desk: Seat, viewport: dict[str, int]
) -> None:
    """An investigator reads what raised a case, notes what he found out, and closes it."""
    async with behind(desk_house) as service:
        since = int(time.time() * 1000) - HOUR - viewport["width"]
        await service.record("staff-rex", StaffFlag("unexplained", ("staff-rex",), since, 7, 9, 21))
        await service.record("staff-rex", StaffFlag("canary", ("staff-rex",), since + 1, 1, 1, 0))
    person = await at_the_desk(desk_house, "staff-ivy", viewport=viewport)
    page = person.page
    await went(page, "Alarms", "Alarms")
    await page.get_by_role("link", name="staff-rex").click()
    await expect(page.get_by_text("7 of 9 accounts were read, or tried, with no open ticket.")).to_be_visible()
    await expect(page.get_by_text("about 2.1 in a hundred")).to_be_visible()
    await expect(page.get_by_role("heading", name="A canary was read without a ticket")).to_be_visible()
    assert not await unfit(page)
    await page.get_by_label("What you found out").fill("the ticket system was down that day")
    await page.get_by_role("button", name="Note it").click()
    await expect(page.get_by_role("status")).to_contain_text("Done")
    await page.get_by_role("link", name="Go on").click()
    await expect(page.get_by_text("the ticket system was down that day")).to_be_visible()
    await page.get_by_role("button", name="Close the case: it is explained").click()
    await expect(page.get_by_role("status")).to_contain_text("Done")
    await page.get_by_role("link", name="Go on").click()
    await expect(page.get_by_role("heading", name="Alarms", level=1)).to_be_visible()
    await expect(page.get_by_role("link", name="staff-rex")).to_have_count(0)
    assert not person.stopped


@BOTH
async def test_the_breaker_is_seen_and_reset_by_two(
    desk_house: DeskHouse, at_the_desk: Seat, viewport: dict[str, int]
) -> None:
    """The chart is drawn from the numbers of the table; a trip is told, and two people who see it reset it."""
    tom, ivy = [await at_the_desk(desk_house, member, viewport=viewport) for member in ("staff-tom", "staff-ivy")]
    now = int(time.time() * 1000)
    async with behind(desk_house) as service, service.store.transaction() as transaction:
        rows = [FlowRow(now - hour * HOUR, (30 + hour) * 1_000 * USD, hour * 2_000 * USD) for hour in range(2, 20)]
        await transaction.write(Writes(flows=rows))
    page = tom.page
    await went(page, "Circuit breaker", "Circuit breaker")
    await expect(page.locator("[data-state=closed]")).to_be_visible()
    await expect(page.locator(".chart[data-drawn] canvas")).to_be_visible()
    assert await drawn(page) > 500
    assert await table(page) == await series(page)
    assert not await unfit(page)
    assert not await walking.faults(page)
    await page.set_viewport_size(viewport)  # type: ignore[arg-type]  # as given
    await page.get_by_role("link", name="A week").click()
    await expect(page.locator(".chart[data-drawn='168'] canvas")).to_be_visible()
    async with behind(desk_house) as service:
        await service.trip("new_destinations", Flow(900_000 * USD, 0), Flow(250_000 * USD, 0))
    await page.reload()
    await expect(page.locator("[data-state=tripped]")).to_be_visible()
    await page.get_by_role("button", name="Ask that it be reset").click()
    await expect(page.get_by_role("status")).to_contain_text("A second person is needed")
    other = ivy.page
    await went(other, "Circuit breaker", "Circuit breaker")
    await expect(other.get_by_text("staff-tom asked at")).to_be_visible()
    await other.get_by_role("button", name="Reset it, as the second person").click()
    await expect(other.get_by_role("status")).to_contain_text("Done")
    await other.get_by_role("link", name="Go on").click()
    await expect(other.locator("[data-state=closed]")).to_be_visible()
    assert not tom.stopped
    assert not ivy.stopped


async def table(page: Page) -> list[list[str]]:
    """The table's sums, the oldest hour first."""
    script = "(rows) => rows.map((row) => [...row.querySelectorAll('[data-usd]')].map((one) => one.dataset.usd))"
    rows: list[list[str]] = await page.locator("#numbers tbody tr").evaluate_all(script)
    return rows[::-1]


async def series(page: Page) -> list[list[str]]:
    """What the chart fetched, fetched once more."""
    script = """async (place) => {
      const release = document.querySelector("script[src]").src.replace(/[^/]*$/, "");
      const { proof } = await import(`${release}device-key.js`);
      const { account, ath } = document.documentElement.dataset;
      const headers = { DPoP: await proof("GET", place.dataset.series, { account, ath }, {}) };
      const { hours } = await (await fetch(place.dataset.series, { headers })).json();
      return hours.map((one) => [one.new_usd, one.new_limit_usd, one.changed_usd, one.changed_limit_usd]);
    }"""
    found: list[list[str]] = await page.locator("[data-series]").evaluate(script)
    return found


async def drawn(page: Page) -> int:
    """How many pixels of the chart are not empty."""
    script = """(canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let found = 0;
      for (let place = 3; place < data.length; place += 4) if (data[place] > 0) found += 1;
      return found;
    }"""
    found: int = await page.locator(".chart canvas").evaluate(script)
    return found


@BOTH
async def test_every_number_is_explained(desk_house: DeskHouse, at_the_desk: Seat, viewport: dict[str, int]) -> None:
    """The policy's page has each number with its unit, its meaning and what it rests on, and its id."""
    person = await at_the_desk(desk_house, "staff-lea", viewport=viewport)
    page = person.page
    await went(page, "Policy", "Policy")
    wait = page.locator("tr[data-key='waits.address_h']")
    await expect(wait).to_contain_text("72 hours")
    await expect(wait).to_contain_text("A new beneficiary can be paid after this.")
    await expect(wait).to_contain_text("law 10; incident I; incident G")
    async with behind(desk_house) as service:
        digest = service.tools.policy.digest.hex()
    await expect(page.locator("#policy")).to_have_text(digest)
    assert not await unfit(page)
    assert not person.stopped


@BOTH
async def test_an_auditor_reads_all_and_can_press_nothing(
    desk_house: DeskHouse, at_the_desk: Seat, viewport: dict[str, int]
) -> None:
    """From the first page to each log and its check there is no form, and nothing that keeps anybody out."""
    person = await at_the_desk(desk_house, "staff-aud", viewport=viewport)
    page = person.page
    await went(page, "Audit", "Audit")
    await page.get_by_role("link", name="staff-leo").click()
    await expect(page.locator("main .lines li").last).to_contain_text("staff.enrol")
    await page.get_by_role("link", name="Check that this log holds").click()
    await expect(page.get_by_role("status")).to_contain_text("This log holds")
    for way, heading in (("Audit", "Audit"), ("Alarms", "Alarms"), ("Circuit breaker", "Circuit breaker")):
        await went(page, way, heading)
        await expect(page.locator("main form, main button, main input")).to_have_count(0)
        assert not await unfit(page)
    assert not person.stopped


async def test_nobody_is_kept_out(desk_house: DeskHouse, at_the_desk: Seat) -> None:
    """On a phone and a desktop, light and dark, no page has a grave fault by axe-core, or is wider than the screen."""
    customer = desk_house.somebody()
    async with behind(desk_house) as service:
        await service.record(customer.account, TicketOpen("7"))
        await service.record("staff-sam", StaffFlag("pair", ("staff-sam",), int(time.time() * 1000), 5, 6, 100))
    auditor, support = await at_the_desk(desk_house, "staff-aud"), await at_the_desk(desk_house, "staff-sam")
    found = {}
    for path in (
        "audit",
        "audit/staff-leo",
        "audit/staff-leo/check",
        "alarms",
        "alarms/staff-sam",
        "breaker",
        "policy",
    ):
        await auditor.page.goto(f"{desk_house.console}/{path}", wait_until="networkidle")
        await expect(auditor.page.locator("main h1")).to_be_visible()
        found[path] = await walking.faults(auditor.page)
    await went(support.page, "Look up", "Look up a customer")
    found["account"] = await walking.faults(support.page)
    await support.page.get_by_label("Account").fill(customer.account)
    await support.page.get_by_label("Ticket, or id of the case").fill("7")
    await support.page.get_by_label("Telephone numbers").check()
    await support.page.get_by_label("Why").fill("asks")
    await support.page.get_by_role("button", name="Show it, masked").click()
    await expect(support.page.get_by_role("heading", name=customer.account)).to_be_visible()
    found["seen"] = await walking.faults(support.page)
    assert {way: faults for way, faults in found.items() if faults} == {}
