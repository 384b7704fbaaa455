"""Runs a module on a machine whose clock is ahead: `python -m tests.browser.ahead SECONDS MODULE ARGUMENT...`.

Waits of days must pass before a new passkey counts for money. Nothing else differs from running the module itself.
"""

from __future__ import annotations

import runpy
import sys
import time


def main() -> None:
    """Set the clock, and become the module."""
    _, seconds, *module = sys.argv
    ahead_s, here, here_ns = int(seconds), time.time, time.time_ns
    time.time = lambda: here() + ahead_s
    time.time_ns = lambda: here_ns() + ahead_s * 10**9
    sys.argv = module
    runpy.run_module(module[0], run_name="__main__", alter_sys=True)


main()
