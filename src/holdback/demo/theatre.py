"""Sets the stage, has the story played on it, shows what there is to try by hand, and takes everything down again."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import signal
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

import httpx
from rich.console import Console

from holdback import wiring
from holdback.demo.cast import Cast, Customer, victims
from holdback.demo.incidents import FAIR_USD, THIN, House
from holdback.demo.mailbox import Mailbox
from holdback.demo.panel import Address, Panel, Serving
from holdback.demo.past import BTC_USD, PAIR, USUAL, Past, PastFailed
from holdback.demo.processes import HOST, DemoFailed, Ports, Server, choose_ports, environment
from holdback.demo.robberies import Robberies
from holdback.demo.story import Person, Scene, Story
from holdback.demo.telling import Teller
from holdback.exchange.books import PLACES, Books, Buyer
from holdback.exchange.signer import units
from holdback.receipts import ReceiptKeys
from holdback.sealing import MasterKeys
from holdback.web.keys import SECRET_BYTES, Scope, issued

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from holdback.demo.cast import Victim
    from holdback.demo.panel import Hire
    from holdback.ports import KeyRow

WENT_WRONG: Final = 1
SESSION_S: Final = 12 * 60 * 60
"""How long the exchange keeps Alice's session; Holdback may end it before."""
IMPOSSIBLE: Final = 2
INTERRUPTED: Final = 130

FEED_S: Final = 45.0
"""How often prices are said again: references of pairs older than 90 seconds count as unknown."""
BY_NAME: Final = "localhost"
"""Browsers make no passkeys for an IP address."""
CONSOLE_SIGN_IN: Final = "By a passkey of your own, once the demo has let you in."
HELD_UNITS: Final = 3 * 10**PLACES
"""What each customer has, in the smallest unit of BTC."""
DOLLARS_UNITS: Final = 30_000 * 10**PLACES
VICTIMS: Final = 24
"""How many robberies visitors can play."""


PRICES: Final = {"BTC": str(BTC_USD), "USDT": "1", THIN.partition("/")[0]: FAIR_USD}
INDEX: Final = {
    PAIR: {"reference": str(BTC_USD), "half_range_ppm": 180},
    THIN: {"reference": FAIR_USD, "half_range_ppm": 4_000},
}
"""What other markets pay: no order here can move it."""


class Keys(NamedTuple):
    """Platform keys as their holders send them, and the rows kept of them."""

    exchange: str
    feed: str
    rows: list[KeyRow]


class Stage(NamedTuple):
    """Everything that runs, and who knows what."""

    scene: Scene
    mailbox: Mailbox
    servers: list[Server]
    directory: Path
    places: list[Address]


def play(*, once: bool, directory: Path | None, port: int) -> int:
    """The whole evening; the exit status."""
    console = Console(highlight=False)
    status = INTERRUPTED
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a shell's background run begins deaf to SIGINT
        signal.signal(number, _leave)
    try:
        with ExitStack() as stack:
            robbed = [] if once else victims(VICTIMS)
            stage = set_stage(stack, console, _place(stack, directory), choose_ports(port), robbed)
            teller = Teller(console)
            Story(stage.scene, teller).play()
            _look_at_pages(stage, teller)
            status = verdict(teller)
            if not once:
                _show_what_to_try(stage, teller)
                _stay(stage)
            return status
    except (DemoFailed, PastFailed, wiring.SettingError, httpx.HTTPError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return IMPOSSIBLE
    except KeyboardInterrupt:
        console.print("\nEverything is stopped.")
        return status


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    """Being told to end is leaving by the door: everything is taken down."""
    raise KeyboardInterrupt


def _place(stack: ExitStack, directory: Path | None) -> Path:
    """Where everything is kept. Raises DemoFailed if an earlier demo's data is there."""
    if directory is None:
        return Path(stack.enter_context(TemporaryDirectory(prefix="holdback-demo-")))
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise DemoFailed(f"{directory} is not empty; name a new directory, or leave --dir out")
    return directory.resolve()


def set_stage(stack: ExitStack, console: Console, directory: Path, ports: Ports, robbed: list[Customer]) -> Stage:
    """Make keys, live through the past, and start the servers. Their ends are left to `stack`."""
    console.print(f"Setting up in {directory}", soft_wrap=True)
    webhook_secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    mailbox = stack.enter_context(Mailbox(ports.smtp, ports.mailbox, webhook_secret))
    settings = _settings(directory, ports, mailbox, webhook_secret)
    cast, keys = Cast.fresh(), _platform_keys()
    with console.status("Living through 400 days of customers' lives"):
        session, stolen = asyncio.run(Past(settings).live_through(cast, keys.rows, robbed=robbed))
    books = _books(directory, cast, session, stolen)
    servers = [_holdback(directory, ports, settings), _exchange(directory, ports, settings, keys)]
    with console.status("Starting Holdback and the exchange"):
        for server in servers:
            stack.enter_context(server)
        servers[0].wait_until_up(f"{settings.public_url}/readyz")
        servers[1].wait_until_up(f"http://{HOST}:{ports.exchange}/healthz")
    stack.enter_context(_feed(settings.public_url, keys.feed))
    exchange = f"http://{HOST}:{ports.exchange}"
    scene = Scene(settings.public_url, exchange, ports.smtp, keys.exchange, mailbox.letters, books, cast, session)
    places = _places(ports)
    panel = _panel(stack, scene, places, stolen, partial(_hire, settings))
    stack.enter_context(Serving(panel.app(), ports.panel))
    return Stage(scene, mailbox, servers, directory, places)


def _settings(directory: Path, ports: Ports, mailbox: Mailbox, webhook_secret: str) -> wiring.Settings:
    return wiring.Settings(
        store=f"sqlite:{directory / 'holdback.db'}",
        master_keys=MasterKeys.new_setting(1),
        receipt_keys=ReceiptKeys.generate().to_json(),
        public_url=f"http://{HOST}:{ports.holdback}",
        smtp_host=HOST,
        smtp_port=ports.smtp,
        smtp_tls="none",
        mail_from="security@exchange.example",
        webhook_url=f"{mailbox.url}/messages",
        webhook_secret=webhook_secret,
        rp_id=BY_NAME,
        rp_origins=f"http://{BY_NAME}:{ports.exchange} http://{BY_NAME}:{ports.holdback}",
        center_url=f"http://{BY_NAME}:{ports.holdback}",
        console_url=f"http://{BY_NAME}:{ports.holdback}",
    )


def _platform_keys() -> Keys:
    """The exchange may ask and read; prices come by a key that may do nothing else (law 6)."""
    now = int(time.time() * 1000)
    exchange, asking = issued("exchange", (Scope.ASK, Scope.READ), secrets.token_bytes(SECRET_BYTES), now)
    feed, feeding = issued("prices", (Scope.FEED,), secrets.token_bytes(SECRET_BYTES), now)
    return Keys(exchange, feed, [asking, feeding])


def _books(directory: Path, cast: Cast, session: str, stolen: list[Victim]) -> Books:
    books = Books(directory / "exchange.db")
    for customer in cast:
        books.open_account(customer.account, customer.email, {"BTC": HELD_UNITS})
    books.keep_session(session, cast.alice.account, time.time() + SESSION_S)
    for victim in stolen:
        customer = victim.customer
        books.open_account(customer.account, customer.email, {"BTC": HELD_UNITS, "USDT": DOLLARS_UNITS})
        books.keep_session(victim.session, customer.account, time.time() + SESSION_S)
    books.wants(Buyer(cast.bob.account, "BTC", "by bank transfer"))
    books.quote(PAIR, BTC_USD * 10**PLACES, desk=True)
    books.quote(THIN, units(FAIR_USD), desk=False)
    return books


def _holdback(directory: Path, ports: Ports, settings: wiring.Settings) -> Server:
    """`holdback serve`. Secrets reach it by files that only this user can read."""
    default, given = wiring.Settings(), {}
    for field in settings.__struct_fields__:
        value = getattr(settings, field)
        if field in wiring.SECRET and value:
            given[f"{field}_file"] = _secret_file(directory / field, value)
        elif value != getattr(default, field):
            given[field] = value
    module = ("holdback", "serve", "--host", HOST, "--port", str(ports.holdback))
    return Server("Holdback", module, environment("HOLDBACK", given), directory / "holdback.log")


def _exchange(directory: Path, ports: Ports, settings: wiring.Settings, keys: Keys) -> Server:
    given = {
        "books": directory / "exchange.db",
        "holdback_url": settings.public_url,
        "platform_key": keys.exchange,
        "center_url": settings.center_url,
    }
    module = ("holdback.exchange", "--host", HOST, "--port", str(ports.exchange))
    return Server("The exchange", module, environment("EXCHANGE", given), directory / "exchange.log")


def _places(ports: Ports) -> list[Address]:
    """Where a visitor goes, with a browser."""
    exchange, holdback, panel = (f"http://{BY_NAME}:{port}" for port in (ports.exchange, ports.holdback, ports.panel))
    same = "The same sign-in as at the exchange."
    return [
        Address(
            "Exchange", f"{exchange}/shop", "A small platform: pay, sell, trade.", "Sign in as Carol, as said below."
        ),
        Address("Security Center", f"{holdback}/center", "Where Carol sees what protects her, and stops things.", same),
        Address("Staff console", f"{holdback}/console", "Where the platform's people work.", CONSOLE_SIGN_IN),
        Address("Demo", f"{panel}/", "", ""),
        Address("Your phone", f"{panel}/phone", "Carol's authenticator app, and her messages.", ""),
        Address("Let yourself in", f"{panel}/staff", "Become a member of staff, with a passkey of yours.", ""),
        Address("Play the thief", f"{panel}/thief", "Three thefts that happened, tried in earnest.", ""),
    ]


def _panel(stack: ExitStack, scene: Scene, places: list[Address], stolen: list[Victim], hire: Hire) -> Panel:
    """The demo's own pages."""
    to_exchange, to_holdback = (
        stack.enter_context(httpx.Client(base_url=url, timeout=15, trust_env=False))
        for url in (scene.exchange, scene.holdback)
    )
    house = House(to_exchange, to_holdback, scene.letters, scene.books, scene.platform_key)
    return Panel(places, scene.cast.carol, scene.letters, Robberies(house, stolen), hire)


def _hire(settings: wiring.Settings, member: str, role: str, passkey: str) -> str:
    """Let somebody in, days ago."""
    return asyncio.run(Past(settings).let_in(member, role, passkey))


def _look_at_pages(stage: Stage, teller: Teller) -> None:
    """Fail the evening if a place that visitors are sent to does not answer with a page."""
    teller.act("Pages", "What a browser finds.")
    for place in stage.places:
        page = httpx.get(place.url, timeout=15, trust_env=False, follow_redirects=True)
        shows = page.is_success and page.headers.get("content-type", "").startswith("text/html")
        teller.must(f"{place.name} answers at {place.url}", holds=shows)


def _secret_file(path: Path, secret: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(secret)
    return path


@contextmanager
def _feed(url: str, key: str) -> Iterator[None]:
    """Say what everything costs now, and again from time to time while the context lasts."""
    _say_prices(url, key)
    stop = threading.Event()

    def go_on() -> None:
        while not stop.wait(FEED_S):
            try:
                _say_prices(url, key)
            except httpx.HTTPError:
                # Holdback is stopping, or is too slow just now; what it knows stays good for a while.
                continue

    feeding = threading.Thread(target=go_on, name="prices")
    feeding.start()
    try:
        yield
    finally:
        stop.set()
        feeding.join()


def _say_prices(url: str, key: str) -> None:
    at, headers = datetime.now(UTC).isoformat(), {"Authorization": f"Bearer {key}"}
    for path, said in (("prices", PRICES), ("pairs", INDEX)):
        table = {"at": at, path: said}
        put = httpx.put(f"{url}/v1/{path}", json=table, headers=headers, timeout=10, trust_env=False)
        put.raise_for_status()


def verdict(teller: Teller) -> int:
    """Print how the story went; the exit status."""
    teller.console.print()
    if teller.failed:
        teller.console.print(f"[bold red]{len(teller.failed)} of {teller.checked} checks failed:[/]")
        for claim in teller.failed:
            teller.console.print(f"  {claim}", markup=False)
        return WENT_WRONG
    teller.console.print(f"[bold green]All {teller.checked} checks of the story hold.[/]")
    return 0


def _show_what_to_try(stage: Stage, teller: Teller) -> None:
    """Print addresses, and lines that work as they stand."""
    scene, carol = stage.scene, stage.scene.cast.carol
    session = _carol_signs_in(scene)
    teller.act("Your turn", "Carol has the same past as Alice, and she has just signed in. Play her, or her thief.")
    for what, line in _lines(scene, carol, session):
        teller.copyable(f"\n# {what}\n{line}")
    teller.copyable("\nWith a browser:")
    for place in stage.places:
        teller.copyable(f"  {place.name:<16} {place.url}")
    teller.copyable(f"  {'Sign in as':<16} {carol.email}, password '{carol.password}'; the phone shows the code")
    teller.copyable(f"  {'As staff':<16} with a passkey that you make; 'Let yourself in' says how")
    for name, where in (
        ("Mailbox", f"{stage.mailbox.url}  (everybody's mails and text messages)"),
        ("Programs", f"{scene.holdback}  and {scene.exchange}  (API: {scene.holdback}/openapi.json)"),
        ("Files", str(stage.directory)),
    ):
        teller.copyable(f"  {name:<16} {where}")
    teller.copyable("\nCtrl-C stops everything.")


def _carol_signs_in(scene: Scene) -> str:
    carol = scene.cast.carol
    proofs = (
        {"kind": "password", "response": carol.password},
        {"kind": "totp", "response": carol.authenticator.code()},
    )
    with httpx.Client(base_url=scene.exchange, timeout=15, trust_env=False) as http:
        answer = Person(http, carol.device, carol.home).post("/sign-in", {"name": carol.email}, *proofs)
    if answer.get("decision") != "allow":
        raise DemoFailed(f"Carol could not sign in: {answer}")
    carol.authenticator.wait_for_another()  # the printed lines ask for the code of the moment they are typed in
    return str(answer["session"]["token"])


def _lines(scene: Scene, carol: Customer, session: str) -> list[tuple[str, str]]:
    """What to type, and what for."""
    key = f"-H 'Authorization: Bearer {scene.platform_key}'"
    to_exchange = f"-H 'Authorization: Bearer {session}' -H 'X-Device: {carol.device}'"
    order = {"asset": "BTC", "amount": USUAL, "network": "bitcoin", "address": carol.wallet}
    new = {
        "action": "address.add",
        "name": "new",
        "network": "bitcoin",
        "address": "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
    }
    code = (
        f"code() {{ {sys.executable} -c \"import pyotp; print(pyotp.TOTP('{carol.authenticator.secret}').now())\"; }}"
    )
    password = f'{{"kind":"password","response":"{carol.password}"}}'
    proofs = f'[{password},{{"kind":"totp","response":"\'$(code)\'"}}]'

    def post(path: str, body: dict[str, object], proved: str = "") -> str:
        text = json.dumps(body)
        text = f'{text[:-1]}, "proofs": {proved}}}' if proved else text
        return f"curl -s {scene.exchange}{path} {to_exchange} -d '{text}'"

    return [
        (
            "How Alice's account stands, as Holdback tells the exchange",
            f"curl -s {key} {scene.holdback}/v1/accounts/alice",
        ),
        ("What happened to it, entry by entry", f"curl -s {key} {scene.holdback}/v1/accounts/alice/events"),
        ("Carol withdraws to her old wallet: a proof is asked for", post("/withdraw", dict(order))),
        ("Her authenticator: a code serves once, the next comes within 30 s", code),
        ("The same with the code: paid", post("/withdraw", dict(order), proofs)),
        ("She adds an address, with the next code: it waits 72 h", post("/security", {"action": new}, proofs)),
        ("What she has", f"curl -s {scene.exchange}/account {to_exchange}"),
        (
            "A receipt of your own making",
            post("/signer/pay", {"account": "carol", "action": {"action": "exit.request"} | order, "receipt": "a.b.c"}),
        ),
    ]


def _stay(stage: Stage) -> NoReturn:
    """Until somebody ends it. Raises DemoFailed if a server ends first."""
    pause = threading.Event()
    while True:
        pause.wait(1)
        for server in stage.servers:
            server.check()
