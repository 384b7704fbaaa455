"""Passwords: argon2id with OWASP's parameters, in a bounded pool of threads, never on the event loop.

A check costs 19 MiB and some 15 ms of processor on purpose; the pool bounds how much of both a flood can take.
"""

from __future__ import annotations

import asyncio
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from holdback.core.events import AuthenticatorKind
from holdback.ports import Enrolment

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdback.core.events import Instant

T = TypeVar("T")

SHORTEST: Final = 8
LONGEST: Final = 256
"""In characters. NIST SP 800-63B-4 section 3.1.1.2: 8 beside another factor, and at least 64 allowed."""
MEMORY_KIB: Final = 19 * 1024
MEMORY_KIB_MOST: Final = 256 * 1024
ROUNDS: Final = 2
ROUNDS_MOST: Final = 16


class Passwords:
    """Verifies and enrols passwords on `threads` threads.

    Example: `await Passwords(threads=2).verify(credential, "correct horse", now)`.
    """

    kind = AuthenticatorKind.PASSWORD

    def __init__(self, *, threads: int) -> None:
        """Start no thread yet."""
        self._hasher = PasswordHasher(ROUNDS, MEMORY_KIB, 1)
        self._pool = ThreadPoolExecutor(threads, "password")
        self._nobody = self._hasher.hash("nobody has this password")

    async def verify(self, credential: str, response: str, now: Instant) -> int | None:  # noqa: ARG002 - the port's shape
        """0 if the password is right, else None."""
        return 0 if await self._run(lambda: self._is_right(credential, response)) else None

    async def waste(self, response: str) -> None:
        """Spend what a check costs on nobody's password."""
        await self._run(lambda: self._is_right(self._nobody, response))

    async def enrol(self, given: str, label: str) -> Enrolment:  # noqa: ARG002 - the port's shape
        """Hash a password, or take over an argon2id hash in PHC form. Raises ValueError on an unfit one."""
        if given.startswith("$argon2"):
            return Enrolment(_taken_over(given), {})
        text = _normal(given)
        if not SHORTEST <= len(text) <= LONGEST:
            raise ValueError(f"a password must have {SHORTEST} to {LONGEST} characters")
        return Enrolment(await self._run(lambda: self._hasher.hash(text)), {})

    def _is_right(self, credential: str, response: str) -> bool:
        try:
            return self._hasher.verify(credential, _normal(response)[: LONGEST + 1])
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


def _normal(text: str) -> str:
    """One form for what different keyboards send (RFC 8265 section 4)."""
    return unicodedata.normalize("NFKC", text)


def _taken_over(phc: str) -> str:
    """A hash of another system, if it is argon2id and its cost is bounded."""
    try:
        cost = extract_parameters(phc)
    except InvalidHashError:
        raise ValueError("a password hash must be argon2id in PHC form") from None
    if cost.type is not Type.ID or cost.memory_cost > MEMORY_KIB_MOST or cost.time_cost > ROUNDS_MOST:
        raise ValueError("a password hash must be argon2id of at most 256 MiB and 16 rounds")
    return phc
