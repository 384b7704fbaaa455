"""Ports and child processes: found, started, waited for, and never left behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, closing
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

HOST: Final = "127.0.0.1"
HOSTS: Final = (HOST, "localhost")
"""Names by which this machine's own browsers come. By any other name a foreign page would have led them here."""

START_S: Final = 30.0
"""How long a server may take to answer for the first time."""
STOP_S: Final = 10.0
"""How long a server may take to end by itself."""

LEASH: Final = """
import os, runpy, signal, sys, threading
def end_with_parent():
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=end_with_parent, daemon=True).start()
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
"""Runs a module that ends when its parent does, however that dies: its standard input, held open, is the leash."""


class DemoFailed(Exception):
    """The demo cannot be played, or not go on; the message says why, or what to do about it."""


class Ports(NamedTuple):
    """Where each server listens."""

    holdback: int
    exchange: int
    smtp: int
    mailbox: int
    panel: int


def choose_ports(first: int) -> Ports:
    """Five ports from `first` on, or free ones if it is 0. Raises DemoFailed if one is taken."""
    wanted = [first + place if first else 0 for place in range(len(Ports._fields))]
    chosen = []
    with ExitStack() as open_until_all_are_found:
        for port in wanted:
            listener = open_until_all_are_found.enter_context(closing(socket.socket()))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((HOST, port))
            except (OSError, OverflowError):
                raise DemoFailed(
                    f"port {port} is taken or not to be had; choose another with --port, or leave it out for free ones"
                ) from None
            chosen.append(listener.getsockname()[1])
    return Ports(*chosen)


def environment(prefix: str, values: Mapping[str, object]) -> dict[str, str]:
    """This process's environment with these values, and nothing that would point a child of the demo elsewhere."""
    foreign = ("HOLDBACK_", "EXCHANGE_")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(foreign) and not name.lower().endswith("_proxy")
    }
    return kept | {f"{prefix}_{name.upper()}": str(value) for name, value in values.items()}


class Server:
    """A server in a process of its own, from the start of the context to its end."""

    def __init__(self, name: str, module: Sequence[str], environ: Mapping[str, str], log: Path) -> None:
        """Prepare to run `module` with its arguments; what it prints goes to `log`."""
        self.name = name
        self._command = [sys.executable, "-P", "-c", LEASH, *module]
        self._environ = dict(environ)
        self._log = log

    def __enter__(self) -> Self:
        """Start it. A session of its own keeps Ctrl-C from reaching it before the demo has said good-bye."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                env=self._environ,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        """End it, and wait until it has ended."""
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()

    def wait_until_up(self, url: str) -> None:
        """Return when this address answers 200. Raises DemoFailed if the process ends first, or takes too long."""
        deadline = monotonic() + START_S
        pause = threading.Event()
        while monotonic() < deadline:
            self.check()
            try:
                if httpx.get(url, timeout=1, trust_env=False).is_success:
                    return
            except httpx.HTTPError:
                pass
            pause.wait(0.05)
        raise DemoFailed(f"{self.name} did not answer within {START_S:.0f} s; see {self._log}")

    def check(self) -> None:
        """Raise DemoFailed, with the last it said, if it is no longer running."""
        if self.process.poll() is not None:
            last = self._log.read_text(errors="replace").strip().splitlines()[-5:]
            raise DemoFailed("\n".join([f"{self.name} ended by itself:", *last]))
