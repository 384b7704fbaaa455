"""Run the exchange as a process of its own: `python -m holdback.exchange --port 8500`.

It is told where things are by the environment, so that the platform key stands on no command line: `EXCHANGE_BOOKS`
(path of its database), `EXCHANGE_HOLDBACK_URL`, `EXCHANGE_PLATFORM_KEY`, `EXCHANGE_ISSUER` if that Holdback calls
itself anything but `holdback`, `EXCHANGE_ORIGIN` (such as `https://exchange.example`) if a proxy stands before it, and
`EXCHANGE_CENTER_URL` (such as `https://security.example`), the origin of the Security Center that its pages lead to.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import uvicorn

from holdback.client import ISSUER, Holdback
from holdback.exchange.app import Exchange
from holdback.exchange.backend import Backend
from holdback.exchange.books import Books
from holdback.exchange.signer import Signer


def main() -> int:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m holdback.exchange", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8500)
    chosen = parser.parse_args()
    try:
        path, url, key = (os.environ[f"EXCHANGE_{name}"] for name in ("BOOKS", "HOLDBACK_URL", "PLATFORM_KEY"))
    except KeyError as missing:
        sys.stderr.write(f"{missing.args[0]} is not set\n")
        return 2
    books = Books(Path(path))
    with Holdback(url, key, issuer=os.environ.get("EXCHANGE_ISSUER", ISSUER)) as holdback:
        signer = Signer(books, holdback)
        backend, origin = Backend(holdback, signer, books), os.environ.get("EXCHANGE_ORIGIN")
        app = Exchange(backend, signer, books, origin, os.environ.get("EXCHANGE_CENTER_URL", "")).app()
        uvicorn.run(app, host=chosen.host, port=chosen.port, log_level="warning", access_log=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
