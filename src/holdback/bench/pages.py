"""How long a server takes for the pages that people read when the lists behind them are long, and how big they are.

One customer has 10,000 entries in the address book and as many in the log, each asked for over HTTP; 10,000 things wait
on the desk of the staff. Pages are read one after the other over one connection, by the session's cookie.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import httpx
import msgspec

from holdback import wiring
from holdback.addresses import invented
from holdback.bench.accounts import NAME
from holdback.bench.decide import Size, asked_of, environment, prepared, server_on
from holdback.bench.postgres import throwaway_cluster
from holdback.core.events import DAY, Actor, ActorKind
from holdback.core.rules.address import beneficiary_name
from holdback.core.state import Beneficiary, Wait
from holdback.desk import Desk
from holdback.ports import DeskRow, PartRow, Wanted, Writes

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdback.core.events import Instant
    from holdback.judging import Tools
    from holdback.sealing import CustomerKey
    from holdback.wiring import Settings

ROWS: Final = 10_000
AT_ONCE: Final = 32
NETWORK: Final = "ethereum"
FIRST_MS: Final = 200.0
LIST_MS: Final = 300.0
BYTES_MOST: Final = 150_000
PAGE: Final = 25
_FILES: Final = re.compile(r'(?:src|href)="(/static/[^"]+)"')
_NEXT: Final = re.compile(r'href="\?([^"]*cursor=[^"]+)"')


class _Shown(NamedTuple):
    """What a page cost: milliseconds, the middle one and nearly the worst, and its own bytes."""

    ms: float
    p95_ms: float
    size: int
    text: str


def measure(store: str, quick: bool, tell: Callable[[str], None]) -> dict[str, object]:  # noqa: FBT001 - as every bench takes it
    """Run it on one store."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="holdback-bench-")))
        cluster = stack.enter_context(throwaway_cluster()) if store == "postgres" else None
        url = cluster.create_database("bench") if cluster else f"sqlite:{place / 'bench.db'}"
        settings = wiring.settings_from(environment(url) | {"HOLDBACK_CENTER_URL": "http://127.0.0.1"})
        tools = wiring.tools(settings)
        asyncio.run(prepared(settings, tools, Size(1, 0, 0, 0), tell))
        tell(f"{ROWS} entries in a book, and as many things on the desk")
        asyncio.run(_filled(settings, tools))
        key = asked_of(url, settings, "keys", "add", "bench", "--scope", "ask")
        port = stack.enter_context(server_on(url, settings, place))
        tell(f"{ROWS} entries in a log")
        asyncio.run(_lived(port, key))
        tries = 20 if quick else 100
        tell("reading")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as browser:
            browser.cookies.set("center", f"{NAME}:session-{NAME}")
            found = _read(browser, tries)
        found["desk"] = asyncio.run(_queue(settings, tries))
    return {"bench": "pages", "misses": _misses(found), "store": store, "rows": ROWS, **_told(found)}


async def _filled(settings: Settings, tools: Tools) -> None:
    """Fill the customer's book, and the desk."""
    store = wiring.open_store(settings)
    try:
        loaded = await store.read([Wanted(NAME)])
        row = loaded.snapshots[NAME]
        key = tools.masters.unwrap(row.key)
        book = [_entry(tools, key, number, loaded.now) for number in range(ROWS)]
        desk = [
            DeskRow(
                f"w{number}", "recovery", f"r{number}", loaded.now - number, loaded.now + DAY, 0, "review", "reviewer"
            )
            for number in range(ROWS)
        ]
        async with store.transaction() as transaction:
            await transaction.write(Writes(snapshots=[(row.seq, row)], parts=book, desk=desk))
    finally:
        await store.close()


def _entry(tools: Tools, key: CustomerKey, number: int, now: Instant) -> PartRow:
    address = invented(tools.policy.networks[NETWORK], str(number))
    place = key.seal_destination(address, compared=address.lower())
    wait = Wait(now - DAY, now - DAY, heard=True)
    by = Actor(ActorKind.OWNER)
    part = Beneficiary(key.seal(f"friend {number}"), NETWORK, place, now - number, wait, now + DAY, by, "", "")
    return tools.snapshots.part_row(NAME, ("beneficiary", beneficiary_name(NETWORK, place)), part)


async def _lived(port: int, key: str) -> None:
    """Have the customer ask 10,000 times for what is refused: each is an entry of his log."""
    asked: dict[str, Any] = {
        "action": "exit.cancel",
        "which": "x1",
        "actor": {"kind": "owner", "session": f"session-{NAME}"},
    }
    body = msgspec.json.encode(asked)
    left = iter(range(ROWS))
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    async def ask(http: httpx.AsyncClient) -> None:
        for _ in left:
            once = {"Idempotency-Key": secrets.token_hex(8)}
            answer = await http.post(f"/v1/accounts/{NAME}/actions", content=body, headers=once)
            answer.raise_for_status()

    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False, timeout=30
    ) as http:
        await asyncio.gather(*(ask(http) for _ in range(AT_ONCE)))


def _read(browser: httpx.Client, tries: int) -> dict[str, _Shown]:
    """Each page at its beginning; of the long lists also the page after it."""
    found = {}
    for page in ("", "/holds", "/activity", "/activity?kind=settings", "/book"):
        first = found[page or "/check-up"] = _shown(browser, f"/center{page}", tries)
        if further := _NEXT.search(first.text):
            found[f"{page} further"] = _shown(
                browser, f"/center{page.partition('?')[0]}?{further.group(1).replace('&amp;', '&')}", tries
            )
    return found


def _shown(browser: httpx.Client, path: str, tries: int) -> _Shown:
    times, answer = [], browser.get(path)
    answer.raise_for_status()
    for _ in range(tries):
        began = time.perf_counter()
        answer = browser.get(path)
        times.append((time.perf_counter() - began) * 1_000)
    files = set(_FILES.findall(answer.text))
    size = len(answer.content) + sum(int(browser.get(one).headers["content-length"]) for one in files)
    return _Shown(statistics.median(times), sorted(times)[len(times) * 95 // 100], size, answer.text)


async def _queue(settings: Settings, tries: int) -> _Shown:
    """A page of what waits for a role, without what dressing it costs."""
    service = wiring.build_service(settings, wiring.open_store(settings))
    times, page = [], None
    try:
        for _ in range(tries):
            began = time.perf_counter()
            page = await Desk(service).queue("reviewer", "", PAGE, "staff-rita")
            times.append((time.perf_counter() - began) * 1_000)
    finally:
        await service.store.close()
    return _Shown(statistics.median(times), sorted(times)[len(times) * 95 // 100], 0, str(page))


def _misses(found: dict[str, _Shown]) -> list[str]:
    limits = {name: FIRST_MS if name == "/check-up" else LIST_MS for name in found}
    slow = [f"{name} takes {one.p95_ms:.0f} ms" for name, one in found.items() if one.p95_ms > limits[name]]
    return slow + [f"{name} is {one.size} bytes" for name, one in found.items() if one.size > BYTES_MOST]


def _told(found: dict[str, _Shown]) -> dict[str, object]:
    return {
        name: {"ms": round(one.ms, 1), "p95_ms": round(one.p95_ms, 1), "bytes_with_files": one.size}
        for name, one in found.items()
    }
