"""What all pages for people share: who visits, in which language, and how a form of theirs asks the service.

A page asks what a platform would ask, through the same service: it can do nothing that a platform's own pages could
not. A form counts if a page of this origin sent it and it carries the word that only pages made for this session have.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

import msgspec

from holdback.answers import AnswerForm
from holdback.batching import Overloaded, Turns
from holdback.core.events import StreamKind
from holdback.intake import BadRequest
from holdback.judging import ChallengeRefused
from holdback.service import Question
from holdback.web import forms, problems
from holdback.web.dressing import CSP, HTML, NAMED, spoken
from holdback.web.endpoint import Call, Reply
from holdback.web.problems import retry_after
from holdback.web.visitors import Visitors, cookies
from holdback.wording.words import network_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from holdback.service import Service
    from holdback.web.dressing import Tongue
    from holdback.web.problems import Problem
    from holdback.web.visitors import Visitor

PAGE: Final = 25
"""Items of a page that people read."""
READERS: Final = 64
"""Pages that a process makes at a time for those who read: forms, a freeze among them, need no place."""
OWN_READERS: Final = 2
"""Of them those of one session; of the rest of its own so many may wait."""
OWN_WAITING: Final = 10
LANGUAGE: Final = "language"
WORD: Final = "_word"

_ANSWER: Final = msgspec.json.Decoder(AnswerForm)


class Sight(NamedTuple):
    """A request to a page: who visits, in which language, and what the query or the form says."""

    call: Call
    visitor: Visitor
    tongue: Tongue
    given: dict[str, str]


class Asked(NamedTuple):
    """What came of a form: what it named and the answer, or what was wrong with the asking itself, and which field."""

    named: dict[str, Any]
    said: AnswerForm | None
    trouble: str = ""
    field: str = ""


class Site:
    """Pages under one path at one origin, with templates and a cookie of the same name.

    Example: `Site(service, "https://security.example", "/center", "center")`.
    """

    def __init__(
        self, service: Service, origin: str, home: str, name: str, kind: StreamKind = StreamKind.CUSTOMER
    ) -> None:
        """Serve browsers at this origin, and people of this kind."""
        self.service, self.origin, self.home, self._name = service, origin, home, name
        self.visitors = Visitors(service, origin, home, name, kind)
        self._readers = asyncio.Semaphore(READERS)
        self._turns = Turns(OWN_READERS, OWN_READERS + OWN_WAITING)

    def for_visitors(
        self, show: Callable[[Sight], Awaitable[Reply]], *known: str
    ) -> Callable[[Call], Awaitable[Reply]]:
        """A handler that only who is signed in reaches, with these parameters; all others are led to the sign-in."""

        async def handle(call: Call) -> Reply:
            visitor = await self.visitors.at(call)
            if visitor is None:
                return self._to_sign_in(call)
            if call.body:
                return await show(Sight(call, visitor, tongue(call), forms.fields(call.body)))
            sight = Sight(call, visitor, tongue(call), call.parameters(*known))
            try:
                async with self.place(visitor):
                    return await show(sight)
            except Overloaded as error:
                return self._busy(sight, error)

        return handle

    @asynccontextmanager
    async def place(self, visitor: Visitor) -> AsyncIterator[None]:
        """A place for one more reader: each session has few, and all together so many. Raises Overloaded."""
        if self._readers.locked():
            raise Overloaded
        async with self._turns.one_of(visitor.word), self._readers:
            yield

    def _busy(self, sight: Sight, error: Overloaded) -> Reply:
        """A page for whom there is no place, which freezes all the same: a thief may be who takes the places."""
        page = self.page(sight, "busy.html", account=None)
        return page._replace(
            status=problems.OVERLOADED.status, headers=(*page.headers, *retry_after(error.retry_after_s))
        )

    def _to_sign_in(self, call: Call) -> Reply:
        """Lead whoever is not signed in, or not any more, to the sign-in; from there a reader comes back."""
        news = "ended=1" if call.body else f"back={quote(call.route, safe='')}"
        place = f"{self.home}/sign-in?{news}"
        if b"hx-request" in call.headers:
            return Reply(b"", 204, headers=((b"hx-redirect", place.encode()),))
        return to(f"{self.home}/sign-in" if call.route == self.home else place)

    def page(self, sight: Sight, template: str, **shown: object) -> Reply:
        """A page for who is signed in; each has a key, so that its forms ask once however often they are sent."""
        common = {"visitor": sight.visitor, "key": secrets.token_urlsafe(16), "home": self.home}
        return _dressed(sight.tongue, f"{self._name}/{template}", common | shown)

    def bare(self, call: Call, template: str, **shown: object) -> Reply:
        """A page for somebody who is not signed in."""
        common = {"account": None, "visitor": None, "home": self.home, "key": ""}
        return _dressed(tongue(call), f"{self._name}/{template}", common | shown)

    def troubled(self, problem: Problem, headers: Mapping[bytes, bytes]) -> Reply:
        """A page that says what failed, in words that people read, with the problem's own status."""
        call = Call("", {}, b"", headers, b"")
        shown = {"account": None, "visitor": None, "home": self.home, "key": "", "status": problem.kind.status}
        reply = _dressed(tongue(call), f"{self._name}/problem.html", shown)
        found = (*reply.headers, *problem.headers)
        return reply._replace(status=problem.kind.status, headers=found, problem=problem.kind.name)

    def is_own(self, sight: Sight) -> bool:
        """Whether a page of ours, made for this very session, sent this form."""
        return self.visitors.is_from_here(sight.call) and secrets.compare_digest(
            sight.given.get(WORD, "").encode(), sight.visitor.word.encode()
        )

    async def asked(self, sight: Sight, account: str, actor: Mapping[str, Any], allowed: frozenset[str]) -> Asked:
        """Ask for what a form names, if it is one of the `allowed` actions, of `account` and as `actor`."""
        given = sight.given
        if not self.is_own(sight):
            return Asked({}, None, "foreign")
        named = forms.named(given)
        if named.get("action") not in allowed:
            return Asked({}, None, "unknown")
        return await self.ask(sight, account, named, actor)

    async def ask(self, sight: Sight, account: str, named: dict[str, Any], actor: Mapping[str, Any]) -> Asked:
        """Ask this of `account`, once however often the form is sent.

        It is known again by what it asks, and by its page's key: neither by the network, which a phone changes, nor by
        the device's signature, which is made anew. So two forms of one page are never taken for each other.
        """
        shown, key = named | forms.proved(sight.given), sight.given.get("_key", "")
        raw = msgspec.json.encode([account, shown], order="sorted")
        once = hmac.digest(sight.visitor.word.encode(), key.encode() + b" " + raw, "sha256").hex() if key else ""
        body = shown | self.seen(sight.call) | {"actor": {**actor, **forms.signed(sight.given)}}
        try:
            said = await self.service.ask(Question(self._name, account, body, once, raw))
        except BadRequest as error:
            return Asked(named, None, "BadRequest", (error.pointer or "/").split("/")[1])
        except (ChallengeRefused, Overloaded) as error:
            return Asked(named, None, type(error).__name__)
        return Asked(named, answer(said))

    def seen(self, call: Call) -> dict[str, Any]:
        """What this server saw of the request, whose path is the route's own. Nothing of it is the form's to say."""
        context = {
            "ip": network_text(call.client) or None,
            "user_agent": call.headers.get(b"user-agent", b"").decode("latin-1")[:512],
            "method": "POST",
            "url": f"{self.origin}{call.route}",
        }
        return {"context": context}

    async def speak(self, call: Call) -> Reply:
        """Go on in another language, on a page of ours."""
        given = forms.fields(call.body)
        back = self.own(given.get("back", ""))
        chosen = quote(given.get(LANGUAGE, ""), safe="")[:8]
        kept = (b"set-cookie", f"{LANGUAGE}={chosen}; Path=/; SameSite=Lax; Max-Age=31536000".encode())
        return to(quote(back, safe="/?=&"), kept)

    def own(self, place: str) -> str:
        """A place among these pages, as it is; their first one in place of any other."""
        is_ours = place == self.home or place.startswith((f"{self.home}/", f"{self.home}?"))
        leads_away = any(one in place for one in ("//", "..", "\\")) or not place.isprintable()
        return place if is_ours and not leads_away else self.home


def wants_page(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a browser asks for something to be read by people, and no program for data."""
    return b"text/html" in headers.get(b"accept", b"")


def answer(raw: bytes) -> AnswerForm:
    """An answer of the service, to be shown."""
    return _ANSWER.decode(raw)


def tongue(call: Call) -> Tongue:
    """The language of whoever asks."""
    accepted = call.headers.get(b"accept-language", b"").decode("latin-1")
    return spoken(cookies(call).get(LANGUAGE, ""), accepted)


def to(place: str, *headers: tuple[bytes, bytes]) -> Reply:
    """Go there by GET."""
    return Reply(b"", 303, headers=((b"location", place.encode()), *headers))


def cursor(sight: Sight) -> int:
    """Where a list goes on; at its beginning if that cannot be read."""
    text = sight.given.get("cursor", "")
    return int(text) if forms.is_number(text) else 0


def _dressed(spoken_here: Tongue, template: str, shown: Mapping[str, object]) -> Reply:
    return Reply(spoken_here.page(template, shown), content_type=HTML, headers=(NAMED,), csp=CSP)
