"""Who is in the story, and what each of them holds."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple

import pyotp

if TYPE_CHECKING:
    from collections.abc import Callable

STEP_S: Final = 30
WINDOW: Final = 1
"""A code is taken this many steps before and after its own (RFC 6238 section 5.2)."""
TRAVEL_S: Final = 10
"""How long a code may be under way and must still be taken when it arrives."""

HERE: Final = "127.0.0.1"
"""Where whoever plays Carol by hand comes from."""

THIEFS_ADDRESS: Final = "bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3"
SPARE_WALLET: Final = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
THIEFS_NETWORK: Final = "198.51.100.77"


class Authenticator:
    """An authenticator app. A code serves once, so it never shows one twice: it shows the next instead."""

    def __init__(self, secret: str, clock: Callable[[], float] = time.time) -> None:
        """Show the codes of this secret; `clock` gives seconds since the epoch."""
        self.secret = secret
        self._totp = pyotp.TOTP(secret)
        self._clock = clock
        self._shown = 0

    def code(self) -> str:
        """A code that was not shown before, after waiting for it if need be.

        The oldest that is still good comes first, so that a story that wants three in a row seldom has to wait.
        """
        step = max(self._shown + 1, int(self._clock() + TRAVEL_S) // STEP_S - WINDOW)
        self._wait_for(step - WINDOW)
        self._shown = step
        return self.code_at(step * STEP_S)

    def wait_for_another(self) -> None:
        """Wait until the code of this very moment, which any other app with the secret shows too, was not shown."""
        self._wait_for(self._shown + 1)

    def _wait_for(self, step: int) -> None:
        pause = threading.Event()
        while int(self._clock()) // STEP_S < step:
            pause.wait(0.2)

    def code_at(self, at: float) -> str:
        """The code of a second."""
        return str(self._totp.at(int(at)))


class Customer(NamedTuple):
    """One customer. `home` is the address his internet provider gave him, `wallet` the cold one that he pays to."""

    account: str
    email: str
    phone: str
    password: str
    authenticator: Authenticator
    device: str
    home: str
    wallet: str

    @property
    def given_name(self) -> str:
        """What friends call him."""
        return self.account.rstrip("0123456789").capitalize()


def _customer(account: str, number: int, wallet: str) -> Customer:
    return Customer(
        account=account,
        email=f"{account}@example.org",
        phone=f"+886912555{100 + number}",
        password=f"{account} likes long walks by the sea",
        authenticator=Authenticator(pyotp.random_base32()),
        device=f"{account}s-phone",
        home=f"203.0.113.{number}",
        wallet=wallet,
    )


class Victim(NamedTuple):
    """A customer whom nobody plays but thieves, and what can be stolen of him: a live session, and an API key."""

    customer: Customer
    session: str
    key: str
    key_secret: str


def victims(count: int) -> list[Customer]:
    """So many more customers. No two share a mailbox, a number or a network."""
    names = ("dora", "frida", "hanna", "ines", "judith", "klara")
    return [
        _customer(f"{names[place % len(names)]}{place // len(names) + 1}", 10 + place, SPARE_WALLET)
        for place in range(count)
    ]


class Cast(NamedTuple):
    """Alice is robbed (story C), Bob's mailbox is the thief's (story A), Carol is yours to play."""

    alice: Customer
    bob: Customer
    carol: Customer

    @classmethod
    def fresh(cls) -> Cast:
        """The same people with new secrets."""
        return cls(
            _customer("alice", 1, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
            _customer("bob", 2, "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"),
            _customer("carol", 3, "bc1pxwww0ct9ue7e8tdnlmug5m2tamfn7q06sahstg39ys4c9f3340qqxrdu9k")._replace(home=HERE),
        )
