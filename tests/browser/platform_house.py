"""A running Holdback and an exchange on it, each a process of its own, with customers who have a past."""

from __future__ import annotations

import base64
import os
import secrets
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import httpx

from holdback import wiring
from holdback.demo.cast import STEP_S, TRAVEL_S, WINDOW, Cast, Customer
from holdback.demo.mailbox import Mailbox
from holdback.demo.past import BTC_USD, Past
from holdback.demo.processes import HOST, Server, choose_ports, environment
from holdback.exchange.books import PLACES, Books
from holdback.receipts import ReceiptKeys
from holdback.sealing import MasterKeys
from holdback.web.keys import SECRET_BYTES, Scope, issued

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdback.demo.mailbox import Letter
    from holdback.ports import KeyRow

ROOT: Final = Path(__file__).parents[2]
HELD_UNITS: Final = 3 * 10**PLACES

ABROAD: Final = "203.0.113.7"


class House:
    """Everything a browser test stands on. Example: `async with House(tmp_path) as house: house.somebody()`."""

    def __init__(self, directory: Path, streets: int = 1) -> None:
        """Choose ports and make keys; nothing runs yet. Each street has three customers, and there is one abroad."""
        self.directory = directory
        here, abroad = [_street(number) for number in range(streets)], _street(streets, home=ABROAD)
        self._streets = [*here, abroad]
        self._unmet = [customer for street in here for customer in street]
        self._away = list(abroad)
        self.ahead_s = 0
        self.ports = choose_ports(0)
        # WebAuthn knows no IP addresses: browsers find the exchange by name.
        self.exchange = f"http://localhost:{self.ports.exchange}"
        self.holdback = f"http://{HOST}:{self.ports.holdback}"
        self.center = f"http://localhost:{self.ports.holdback}"
        self.console = f"{self.center}/console"
        self._asking = _platform_key("exchange", Scope.ASK, Scope.READ)
        self._feeding = _platform_key("prices", Scope.FEED)
        webhook_secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
        self.mailbox = Mailbox(self.ports.smtp, self.ports.mailbox, webhook_secret)
        self.settings = self._settings(webhook_secret)
        self._running = ExitStack()
        self._spent: dict[str, int] = {}

    def _settings(self, webhook_secret: str) -> wiring.Settings:
        return wiring.Settings(
            store=f"sqlite:{self.directory / 'holdback.db'}",
            master_keys=MasterKeys.new_setting(1),
            receipt_keys=ReceiptKeys.generate().to_json(),
            public_url=self.holdback,
            smtp_host=HOST,
            smtp_port=self.ports.smtp,
            smtp_tls="none",
            mail_from="security@exchange.example",
            webhook_url=f"{self.mailbox.url}/messages",
            webhook_secret=webhook_secret,
            rp_id="localhost",
            rp_origins=f"{self.exchange} {self.center}",
            center_url=self.center,
            console_url=self.center,
        )

    async def __aenter__(self) -> Self:
        """Live through the past, and open the doors."""
        self.mailbox.__enter__()
        try:
            await self._move_in()
        except BaseException:
            self._close()
            raise
        return self

    async def _move_in(self) -> None:
        first, *others = self._streets
        await Past(self.settings).live_through(first, [self._asking[1], self._feeding[1]], *others)
        self.books = Books(self.directory / "exchange.db")
        for customer in (*self._unmet, *self._away):
            self.books.open_account(customer.account, customer.email, {"BTC": HELD_UNITS})
        self.books.quote("BTC/USDT", BTC_USD * 10**PLACES, desk=True)
        await self.before_it_opens()
        self._start()

    async def before_it_opens(self) -> None:
        """What else happened by then: nothing, in this house."""

    async def __aexit__(self, *_: object) -> None:
        """Stop everything."""
        self._close()

    def _close(self) -> None:
        self._running.close()
        self.mailbox.__exit__()

    def somebody(self) -> Customer:
        """A customer whom no test has met: he signed in long ago, and pays his cold wallet now and then."""
        assert self._unmet, "every customer was met: let more streets live here (tests/browser/conftest.py)"
        return self._unmet.pop()

    def somebody_from_abroad(self) -> Customer:
        """The same, but that he never signed in from here."""
        return self._away.pop()

    def let_pass(self, hours: int) -> None:
        """Go on so many hours later: both servers are stopped and started again."""
        self._running.close()
        self.ahead_s += hours * 3600
        self._start()

    def now(self) -> float:
        """Seconds since the epoch, as the house has it."""
        return time.time() + self.ahead_s

    def _start(self) -> None:
        set_up = {
            name: value for name, value in _fields(self.settings).items() if value != getattr(wiring.Settings(), name)
        }
        served = ("holdback", "serve", "--host", HOST, "--port", str(self.ports.holdback))
        platform = {
            "books": self.directory / "exchange.db",
            "holdback_url": self.holdback,
            "platform_key": self._asking[0],
            "center_url": self.center,
        }
        sold = ("holdback.exchange", "--host", HOST, "--port", str(self.ports.exchange))
        for prefix, given, module, url in (
            ("HOLDBACK", set_up, served, f"{self.holdback}/readyz"),
            ("EXCHANGE", platform, sold, f"http://{HOST}:{self.ports.exchange}/healthz"),
        ):
            later = ("tests.browser.ahead", str(self.ahead_s), *module)
            environ = environment(prefix, given) | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src")))}
            server = Server(prefix.lower(), later, environ, self.directory / f"{prefix.lower()}.log")
            self._running.enter_context(server).wait_until_up(url)
        self.say_price()

    def say_price(self) -> None:
        """Say what a bitcoin costs now, as the feed does every minute."""
        table = {
            "at": datetime.fromtimestamp(self.now(), UTC).isoformat(),
            "prices": {"BTC": str(BTC_USD), "USDT": "1"},
        }
        headers = {"Authorization": f"Bearer {self._feeding[0]}"}
        said = httpx.put(f"{self.holdback}/v1/prices", json=table, headers=headers, trust_env=False)
        said.raise_for_status()
        index = {"BTC/USDT": {"reference": str(BTC_USD), "half_range_ppm": 180}}
        pairs = httpx.put(
            f"{self.holdback}/v1/pairs", json={"at": table["at"], "pairs": index}, headers=headers, trust_env=False
        )
        pairs.raise_for_status()

    @property
    def platform_key(self) -> str:
        """What the exchange shows to be asked."""
        return self._asking[0]

    def code(self, customer: Customer) -> str:
        """A code of the customer's authenticator app that was not used yet; fails where a person would have to wait."""
        assert self.shows_code(customer), "the next code is not shown yet"
        step = self._step(customer)
        self._spent[customer.account] = step
        return customer.authenticator.code_at(step * STEP_S)

    def shows_code(self, customer: Customer) -> bool:
        """Whether the app shows a code that was not used yet."""
        return self._step(customer) <= int(self.now()) // STEP_S + WINDOW

    def _step(self, customer: Customer) -> int:
        first = int(self.now() + TRAVEL_S) // STEP_S - WINDOW
        return max(self._spent.get(customer.account, 0) + 1, first)

    def nobody(self) -> Customer:
        """Somebody who is no customer."""
        return _street(len(self._streets)).carol

    def newcomer(self) -> Customer:
        """A customer as of now, who holds a password and a telephone, and no app."""
        customer = self.nobody()
        body = {
            "action": "account.import",
            "actor": {"kind": "platform"},
            "name": customer.email,
            "authenticators": [
                {"kind": "password", "secret": customer.password},
                {"kind": "sms", "address": customer.phone},
            ],
            "contacts": [{"channel": "email", "address": customer.email}],
            "equity_usd": "1000",
        }
        headers = {"Authorization": f"Bearer {self._asking[0]}", "Idempotency-Key": secrets.token_hex(8)}
        url = f"{self.holdback}/v1/accounts/{customer.account}/actions"
        said = httpx.post(url, json=body, headers=headers, trust_env=False).raise_for_status().json()
        assert said["decision"] == "allow", said
        self.books.open_account(customer.account, customer.email, {"BTC": HELD_UNITS})
        return customer

    def standing(self, customer: Customer) -> dict[str, Any]:
        """How an account stands, as Holdback tells the platform."""
        headers = {"Authorization": f"Bearer {self._asking[0]}"}
        found: dict[str, Any] = httpx.get(
            f"{self.holdback}/v1/accounts/{customer.account}", headers=headers, trust_env=False
        ).json()
        return found

    def paid(self, customer: Customer) -> list[str]:
        """What the exchange paid out for somebody."""
        return [f"{one.units / 10**PLACES:.2f} to {one.payee}" for one in self.books.payments(customer.account)]

    def letter(self, after: int, fits: Callable[[Letter], bool]) -> Letter:
        """The first letter behind the first `after` that fits; fails if none comes."""
        found = self.mailbox.letters.wait(after, fits)
        assert found is not None, "nobody was told"
        return found


def _street(number: int, home: str = HOST) -> Cast:
    """The demo's three people, under names of their own."""
    return Cast(
        *(
            one._replace(
                account=f"{one.account}{number}",
                email=f"{one.account}{number}@example.org",
                home=home,
                phone=f"{one.phone[:-2]}{number}{one.phone[-1]}",
            )
            for one in Cast.fresh()
        )
    )


def _fields(settings: wiring.Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in settings.__struct_fields__}


def _platform_key(name: str, *scopes: Scope) -> tuple[str, KeyRow]:
    return issued(name, scopes, secrets.token_bytes(SECRET_BYTES), int(time.time() * 1000))
