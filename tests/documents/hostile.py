"""A program in a cell that does what it was told by the test: what a paper could make its reader do."""

from __future__ import annotations

import os
import signal
import socket
import zlib
from typing import TYPE_CHECKING

from holdback.evidence.confined import serve

if TYPE_CHECKING:
    from collections.abc import Callable


def _refused(deed: Callable[[], object]) -> bytes:
    try:
        deed()
    except OSError as error:
        return f"refused: {error.strerror}".encode()
    return b"done"


def _inflate() -> bytes:
    """Blow up a stream as a paper's filter would, gigabytes from megabytes."""
    blown = zlib.compressobj(9)
    packed = b"".join(blown.compress(bytes(1 << 20)) for _ in range(384)) + blown.flush()
    return b"".join(zlib.decompress(packed) for _ in range(8))


def _fall() -> bytes:
    signal.raise_signal(signal.SIGSEGV)
    return b""


def _spin() -> bytes:
    while True:
        pass


def _do(words: bytes, ask: Callable[[bytes], bytes]) -> bytes:
    deeds: dict[bytes, Callable[[], bytes]] = {
        b"answer": lambda: b"an answer",
        b"ask": lambda: b"heard " + ask(b"a question"),
        b"inflate": _inflate,
        b"spin": _spin,
        # Nothing more comes, and it waits for it.
        b"hang": lambda: os.read(0, 1),
        b"fall": _fall,
        b"raise": lambda: bytes(1 // int("0")),
        b"flood": lambda: bytes(1 << 20),
        b"babble": lambda: b"\xc1 no answer",
        b"read a file": lambda: _refused(lambda: os.open(__file__, os.O_RDONLY)),
        b"connect": lambda: _refused(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)),
        b"write a file": lambda: _refused(lambda: os.open("written", os.O_WRONLY | os.O_CREAT)),
        b"environment": lambda: " ".join(sorted(os.environ)).encode(),
    }
    return deeds[words]()


if __name__ == "__main__":
    serve(_do)
