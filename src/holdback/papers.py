"""Papers that were handed in: read once, and named by a token that says what was found.

The token is sealed under a master key, so nobody can make one up, and nothing has to be stored: whichever process is
asked `legal.receive` reads in it what another one found. It holds digests and an outcome, no word of the paper. What
was found grows old (a certificate may run out), so a token does, too.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from holdback.core.decision import PaperFact
from holdback.core.events import DAY, Instant
from holdback.ports import MailOutcome, PaperOutcome
from holdback.sealing import LinkInvalid

if TYPE_CHECKING:
    from holdback.ports import Documents, MailFinding, Mails, PaperFinding
    from holdback.sealing import MasterKeys

HOUR_S: Final = 3600.0
GOOD_FOR_MS: Final = DAY
"""How long a token says something."""


class Unreadable(Exception):
    """This deployment reads no papers of this kind: it has no trust roots, or not the extra `documents`."""


class TooOften(Exception):
    """A key handed in more than it may in an hour. `retry_after_s` is when there is room again."""

    def __init__(self, retry_after_s: int) -> None:
        """Say when to come back."""
        super().__init__("too many papers")
        self.retry_after_s = retry_after_s


class Pace:
    """How much each key handed in within the last hour, as this process knows.

    Whoever holds a key may hand in papers as any agency: this keeps one that was stolen from filling the desk's day.
    """

    def __init__(self, most: int) -> None:
        """So many an hour by one key."""
        self._most = most
        self._handed: dict[str, deque[float]] = {}

    def take(self, caller: str, now_s: float) -> None:
        """Count one. Raises TooOften, and then counts nothing."""
        handed = self._handed.setdefault(caller, deque())
        while handed and handed[0] <= now_s - HOUR_S:
            handed.popleft()
        if len(handed) >= self._most:
            raise TooOften(max(1, math.ceil(handed[0] + HOUR_S - now_s)))
        handed.append(now_s)


class Token(msgspec.Struct, frozen=True, array_like=True):
    """What a token says: a paper's digest, what was found, when, who signed and when he says he did."""

    at: Instant
    digest: bytes
    outcome: str
    certificate: bytes = b""
    domain: str = ""
    signed_at: Instant = 0
    mark: bytes = b""


class Handed(NamedTuple):
    """A paper that was read: its token, what was found, and who signed as far as that is shown."""

    document: str
    finding: PaperFinding | MailFinding
    signer: str


_TOKEN: Final = msgspec.msgpack.Decoder(Token)


class Papers:
    """Reads papers, and what was found of them before. Example: `Papers(masters, documents, mails)`."""

    def __init__(self, masters: MasterKeys, documents: Documents | None = None, mails: Mails | None = None) -> None:
        """Without readers no paper can be handed in, and none is signed."""
        self._masters = masters
        self._documents = documents
        self._mails = mails

    async def pdf(self, paper: bytes, now: Instant) -> Handed:
        """Read a PDF. Raises Unreadable or ReaderUnavailable."""
        if self._documents is None:
            raise Unreadable
        found = await self._documents.check(paper, now)
        trusted = found.outcome is PaperOutcome.SIGNED_TRUSTED
        certificate = bytes.fromhex(found.certificate) if trusted else b""
        said = _said(now, found, certificate=certificate)
        return Handed(self._token(said), found, found.subject if trusted else "")

    async def mail(self, mail: bytes, now: Instant) -> Handed:
        """Read a mail. A domain that signed for another one's sender says nothing. As `pdf`."""
        if self._mails is None:
            raise Unreadable
        found = await self._mails.check(mail, now)
        domain = found.domain.lower() if found.outcome is MailOutcome.VALID and found.aligned else ""
        said = _said(now, found, domain=domain)
        return Handed(self._token(said), found, domain)

    def _token(self, said: Token) -> str:
        return self._masters.token("paper", msgspec.msgpack.encode(said))

    def fact(self, document: str, now: Instant) -> PaperFact | None:
        """What was found of a paper; None where none was handed in. Raises ValueError on a token that says nothing."""
        if not document:
            return None
        try:
            said = _TOKEN.decode(self._masters.read_token("paper", document))
        except (LinkInvalid, msgspec.DecodeError):
            raise ValueError("is not what was answered when the paper was handed in") from None
        if not said.at <= now < said.at + GOOD_FOR_MS:
            raise ValueError("is too old: hand the paper in again")
        return PaperFact(said.digest, said.outcome, said.certificate, said.domain, said.signed_at, said.mark)


def _said(now: Instant, found: PaperFinding | MailFinding, *, certificate: bytes = b"", domain: str = "") -> Token:
    digest, mark = bytes.fromhex(found.digest), bytes.fromhex(found.mark)
    return Token(now, digest, found.outcome.value, certificate, domain, found.signed_at, mark)
