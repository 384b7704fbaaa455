"""The inside of a process that reads what strangers wrote: it gives up what it could misuse, then reads.

`serve` is called once everything is imported. From then on the process may open nothing (no file, no socket, no pipe:
the number of descriptors is capped at the three it has), write nothing but its answer, start nothing, and is ended by
the system when its memory or processor time is spent. Linux keeps all of these; where a system does not know one of
them the process does not come up, and nothing is read.

This bounds programs that do as they are written. It is no wall against one that a hole in native code has taken over:
that one runs as the server's user. It holds no secrets, though, and no connection to anything.
"""

from __future__ import annotations

import logging
import math
import os
import resource
import sys
import warnings
from typing import TYPE_CHECKING, Final, Never

if TYPE_CHECKING:
    from collections.abc import Callable

READY: Final = b"\x01"
FRAME_BYTES: Final = 4
"""A frame is its length in so many bytes, big-endian, then itself."""
OUT_OF_MEMORY: Final = 71
BROKEN: Final = 70
IN, OUT, DESCRIPTORS = 0, 1, 3


def confine(memory_bytes: int, cpu_s: int) -> None:
    """Give up for good what reading does not need. Processor time counts from now."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = math.ceil(used.ru_utime + used.ru_stime) + cpu_s
    for limit, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_NOFILE, DESCRIPTORS),
    ):
        resource.setrlimit(limit, (most, most))
    # The first limit ends it by a signal that says why, the second would by one that does not.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))


def serve(converse: Callable[[bytes, Callable[[bytes], bytes]], bytes]) -> Never:
    """Confine the process as its arguments say, say that it is ready, hold one conversation, end.

    `converse` gets what was said first and a way to ask back, and returns the last word.
    """
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    try:
        confine(int(sys.argv[1]), int(sys.argv[2]))
        os.write(OUT, READY)
        _say(converse(_hear(), _ask))
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except BaseException:  # noqa: BLE001 - a panic of Rust code is one, too; there is nobody to tell it to
        os._exit(BROKEN)
    # Without the interpreter's own tidying up, which opens files and may hang in what was read.
    os._exit(0)


def _ask(question: bytes) -> bytes:
    _say(question)
    return _hear()


def _say(words: bytes) -> None:
    left = memoryview(len(words).to_bytes(FRAME_BYTES, "big") + words)
    while left:
        left = left[os.write(OUT, left) :]


def _hear() -> bytes:
    return _exactly(int.from_bytes(_exactly(FRAME_BYTES), "big"))


def _exactly(size: int) -> bytes:
    heard = bytearray()
    while len(heard) < size:
        piece = os.read(IN, min(size - len(heard), 1 << 20))
        if not piece:
            raise EOFError
        heard += piece
    return bytes(heard)
