"""Passwords: argon2id with OWASP's parameters, in a bounded pool of threads, never on the event loop.

A check costs 19 MiB and some 15 ms of processor on purpose; the pool bounds how much of both a flood can take, and how
long a queue it can make others stand in. Argon2 lets go of the interpreter's lock while it works, so threads do. They
are nice: where sign-ins and decisions want the same processor, decisions get it (`holdback bench signin`).

A hash of another system is checked at its own cost until its owner signs in, where a weaker one is replaced
(`renewed`), or changes the password. Until then signing in to such an account takes not as long as to an unknown one.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from argon2.low_level import ARGON2_VERSION, Type

from holdback.core.events import AuthenticatorKind
from holdback.evidence.breached import forms, shipped
from holdback.evidence.strength import strength
from holdback.ports import Enrolment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from holdback.core.events import Instant
    from holdback.evidence.breached import Breached

T = TypeVar("T")

SHORTEST: Final = 8
LONGEST: Final = 256
"""In characters. NIST SP 800-63B-4 section 3.1.1.2: 8 beside another factor, and at least 64 allowed.

What is chosen here must be as long as the policy says; what is handed over at an import was chosen elsewhere.
"""
READ_MOST: Final = 1024
"""Characters of a response that are looked at; more can only be wrong, and would be work for free."""
MEMORY_KIB: Final = 19 * 1024
MEMORY_KIB_MOST: Final = 256 * 1024
ROUNDS: Final = 2
ROUNDS_MOST: Final = 16
LANES_MOST: Final = 16
"""Argon2 starts a thread for each lane of a hash that was taken over."""
BYTES_LEAST: Final = 16
"""Of salt (RFC 9106 section 4 recommends as many) and of hash; a shorter one counts as weaker."""
NICENESS: Final = 10
"""Of the threads that hash: a tenth of the weight of one that decides, so that neither starves the other."""
WAITING_MOST: Final = 512
"""Checks under way and waiting, a few seconds' worth; whoever comes then is told to come back."""


class Passwords:
    """Verifies and enrols passwords on `threads` threads.

    Example: `await Passwords(threads=2).verify(credential, "correct horse", now)`.
    """

    kind = AuthenticatorKind.PASSWORD

    def __init__(
        self,
        *,
        threads: int,
        waiting_most: int = WAITING_MOST,
        hasher: PasswordHasher | None = None,
        breached: Breached | None = None,
    ) -> None:
        """Start no thread yet. `hasher` makes new hashes; its own cost is what `waste` wastes.

        `breached` is the operator's list, beside the shipped one.
        """
        self._breached, self._common = breached, shipped()
        self._hasher = hasher or PasswordHasher(ROUNDS, MEMORY_KIB, 1)
        self._pool = ThreadPoolExecutor(threads, "password", _step_back)
        self._waiting, self._waiting_most = 0, waiting_most
        self._nobody = self._hasher.hash("nobody has this password")

    async def verify(self, credential: str, response: str, now: Instant) -> int | None:  # noqa: ARG002 - the port's shape
        """0 if the password is right, else None. Raises TimeoutError if too many checks wait already."""
        return 0 if await self._run(lambda: self._is_right(credential, response)) else None

    async def waste(self, response: str) -> None:
        """Spend what a check costs on nobody's password. Raises TimeoutError as `verify` does."""
        await self._run(lambda: self._is_right(self._nobody, response))

    async def enrol(self, given: str, label: str) -> Enrolment:  # noqa: ARG002 - the port's shape
        """Hash a password, or take over an argon2id hash in PHC form. Raises ValueError on an unfit one."""
        if given.startswith("$argon2"):
            return Enrolment(await self._run(lambda: self._taken_over(given)), {})
        text = _text(given, SHORTEST)
        return Enrolment(await self._run(lambda: self._hasher.hash(text)), {})

    async def judge(self, chosen: str, *, characters_min: int, strength_min: int, about: Sequence[str]) -> None:
        """Refuse a password that its owner should not choose, in words that repeat nothing of it: ValueError.

        `about` is what a stranger would guess of the owner first.
        """
        await self._run(lambda: self._judge(_text(chosen, characters_min), chosen, strength_min, about))

    def _judge(self, text: str, typed: str, strength_min: int, about: Sequence[str]) -> None:
        stolen = self._breached is not None and any(form in self._breached for form in forms(typed))
        if stolen or text.casefold() in self._common:
            raise ValueError(
                "this password is on a list of passwords that thieves try first; choose another, and change it "
                "wherever else you use it"
            )
        found = strength(text, about)
        if found.score < strength_min:
            raise ValueError(
                f"this password is too easy to guess: {found.why}; take several words that have nothing to do with "
                "each other or with you"
            )

    async def renewed(self, credential: str, response: str) -> str | None:
        """A new credential for the password that was just verified, if the one that is kept cost less to guess."""
        if not self._is_weaker(credential):
            return None
        text = _normal(response).encode(errors="surrogatepass")
        return await self._run(lambda: self._hasher.hash(text))

    def _is_weaker(self, credential: str) -> bool:
        """Whether a guess at it costs less than at a new one: passes over memory count, and what is compared."""
        old = extract_parameters(credential)
        less = old.memory_cost * old.time_cost < self._hasher.memory_cost * self._hasher.time_cost
        return less or min(old.salt_len, old.hash_len) < BYTES_LEAST or old.version < ARGON2_VERSION

    def _is_right(self, credential: str, response: str) -> bool:
        """Try the normal form, and where that is another one what was typed: other systems hashed it as it came."""
        typed = response[: READ_MOST + 1]
        fits = [self._fits(credential, text) for text in dict.fromkeys((_normal(typed), typed))]
        return any(fits) and len(response) <= READ_MOST

    def _fits(self, credential: str, text: str) -> bool:
        try:
            # What is no text becomes bytes that no password has.
            return self._hasher.verify(credential, text.encode(errors="surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False

    def _taken_over(self, phc: str) -> str:
        """A hash of another system, if it is argon2id, its cost is bounded, and it can be checked against at all."""
        try:
            cost = extract_parameters(phc)
        except InvalidHashError:
            raise ValueError("a password hash must be argon2id in PHC form") from None
        bounded = (
            cost.memory_cost <= MEMORY_KIB_MOST and cost.time_cost <= ROUNDS_MOST and cost.parallelism <= LANES_MOST
        )
        if cost.type is not Type.ID or not bounded:
            raise ValueError("a password hash must be argon2id of at most 256 MiB, 16 rounds and 16 lanes")
        try:
            self._hasher.verify(phc, b"")
        except VerifyMismatchError:
            return phc
        except VerificationError:
            raise ValueError("a password hash must be argon2id in PHC form") from None
        raise ValueError("a password hash must not be that of an empty password")

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= self._waiting_most:
            raise TimeoutError("too many passwords wait to be checked")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1


def _text(given: str, shortest: int) -> str:
    """The normal form of a password of fit length, nothing cut off. Raises ValueError on an unfit one."""
    text = _normal(given[: READ_MOST + 1])
    if not shortest <= len(text) <= LONGEST:
        raise ValueError(f"a password must have {shortest} to {LONGEST} characters")
    if any(unicodedata.category(char) == "Cs" for char in text):
        raise ValueError("a password must be text")
    return text


def _step_back() -> None:
    """Let this thread work in what time others leave: decisions and commits go before passwords.

    On Linux each thread has a niceness of its own; elsewhere it is the process's, and stays what it was.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _normal(text: str) -> str:
    """One form for what different keyboards send (RFC 8265 section 4)."""
    return unicodedata.normalize("NFKC", text)
