"""A signer that is killed while it pays: `python dying_signer.py BOOKS KEYS RECEIPT MOMENT`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

from tests.exchange.till import WITHDRAWAL, Till

from holdback.exchange import signer as signing
from holdback.receipts import ReceiptKeys

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")


def die() -> None:
    """End as a power cut would: no exception handler, no close, no flush."""
    os.kill(os.getpid(), signal.SIGKILL)


def dying_after(step: Callable[P, object]) -> Callable[P, None]:
    """The same step, and the end right after it."""

    def last(*given: P.args, **named: P.kwargs) -> None:
        step(*given, **named)
        die()

    return last


def main() -> None:
    """Pay, and die at the moment that was named."""
    path, keys, receipt, moment = sys.argv[1:]
    if moment != "committed":
        setattr(signing, moment, dying_after(getattr(signing, moment)))
    till = Till(Path(path), ReceiptKeys.parse(Path(keys).read_text()))
    till.signer.pay("alice", WITHDRAWAL, receipt)
    die()


if __name__ == "__main__":
    main()
