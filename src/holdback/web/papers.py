"""Handing papers in: a PDF or a mail is read in a process of its own, and answered by what was found and a token.

Nothing of the paper is kept, and nothing of it stands in the answer but who signed. The token goes into `document` of
`legal.receive` and `legal.freeze_order`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from holdback.evidence.document import PAPER_BYTES
from holdback.evidence.mail import MAIL_BYTES
from holdback.papers import Unreadable
from holdback.ports import PaperFinding, ReaderUnavailable, Wanted
from holdback.web import problems
from holdback.web.endpoint import Operation, Reply
from holdback.web.keys import Scope
from holdback.web.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from holdback.core.events import Instant
    from holdback.papers import Handed, Papers
    from holdback.service import Service
    from holdback.web.endpoint import Call

PDF: Final = b"application/pdf"
MAIL: Final = b"message/rfc822"
AT_ONCE: Final = 4
"""Papers that a process takes in at a time: each may be as large as a mail."""
DEADLINE_S: Final = 60.0


class PaperForm(msgspec.Struct, frozen=True):
    """What was found of a paper. `document` names it for a day; `signer` is who signed, "" if nothing shows it.

    `outcome` is `signed_trusted` for a PDF, or `valid` for a mail, that is whole and signed; all others prove nothing,
    and `why` tells more in one word. `missing` names what was not asked for.
    """

    document: str
    outcome: str
    why: str
    digest: Annotated[str, msgspec.Meta(description="The SHA-256 of what was handed in, in hexadecimal.")]
    signer: str
    missing: tuple[str, ...] = ()


class PaperDesk:
    """The handlers, over one service."""

    def __init__(self, service: Service) -> None:
        """Read by what the service was wired with."""
        self._service = service
        self._slots = asyncio.Semaphore(AT_ONCE)

    def operations(self) -> dict[str, dict[str, Operation]]:
        """The routes, by path and method."""
        of_pdf = Operation(self._pdf, Scope.ASK, PDF, most=PAPER_BYTES, deadline_s=DEADLINE_S, slots=self._slots)
        of_mail = Operation(self._mail, Scope.ASK, MAIL, most=MAIL_BYTES, deadline_s=DEADLINE_S, slots=self._slots)
        return {"/v1/papers/pdf": {"POST": of_pdf}, "/v1/papers/mail": {"POST": of_mail}}

    async def _pdf(self, call: Call) -> Reply:
        return await self._read(call, self._papers.pdf)

    async def _mail(self, call: Call) -> Reply:
        return await self._read(call, self._papers.mail)

    @property
    def _papers(self) -> Papers:
        papers = self._service.tools.papers
        if papers is None:
            raise Problem(problems.UNREADABLE)
        return papers

    async def _read(self, call: Call, check: Callable[[bytes, Instant], Awaitable[Handed]]) -> Reply:
        call.parameters()
        self._service.handed_in(call.caller)
        now = (await self._service.store.read([Wanted("")])).now
        try:
            handed = await check(call.body, now)
        except Unreadable:
            raise Problem(problems.UNREADABLE) from None
        except ReaderUnavailable:
            raise Problem(problems.OVERLOADED, headers=problems.retry_after(5)) from None
        found = handed.finding
        missing = found.missing if isinstance(found, PaperFinding) else ()
        form = PaperForm(handed.document, found.outcome.value, found.why, found.digest, handed.signer, missing)
        return Reply(msgspec.json.encode(form))
