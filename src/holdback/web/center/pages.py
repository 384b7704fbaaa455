"""The Security Center: where a customer sees what protects his account, and stops what he did not ask for.

Every page works without a script where a form can; scripts add passkeys, the signature of the device's key, and times
in the reader's own zone.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from msgspec.structs import replace

from holdback.activity import Activity, Kind
from holdback.batching import Overloaded
from holdback.core.rules.address import OPENED_KINDS
from holdback.intake import BadRequest, token_hash
from holdback.judging import ChallengeRefused
from holdback.views import AccountForm, Views
from holdback.web import forms, problems
from holdback.web.center import robbery
from holdback.web.center.checkup import checkup
from holdback.web.center.origins import origins
from holdback.web.center.recovery import Recoveries
from holdback.web.center.viewers import looks
from holdback.web.dressing import ENGLISH
from holdback.web.endpoint import Operation, Reply
from holdback.web.forms import FORM
from holdback.web.pages import PAGE, Sight, Site, answer, cursor, to
from holdback.web.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from holdback.answers import AnswerForm
    from holdback.service import Service
    from holdback.web.endpoint import Call
    from holdback.web.pages import Asked

NAME: Final = "center"
"""Of the cookie and the templates, and of who asks where no platform key does: no key can be called so."""
HOME: Final = "/center"
NAME_MOST: Final = 256

ASKED_HERE: Final = frozenset(
    {
        "account.freeze",
        "account.unfreeze",
        "address.add",
        "address.remove",
        "address.renew",
        "allowlist.set",
        "api_key.create",
        "api_key.revoke",
        "api_key.suspend",
        "authenticator.bind",
        "authenticator.confirm",
        "authenticator.reinstate",
        "authenticator.remove",
        "authenticator.suspend",
        "change.cancel",
        "contact.add",
        "contact.confirm",
        "contact.remove",
        "contact.report_recycled",
        "evidence.burn",
        "exit.cancel",
        "exit.release",
        "incident.close",
        "incident.note",
        "incident.report",
        "limit.set",
        "lock.set",
        "recovery.cancel",
        "recovery.contest",
        "session.end",
        "session.end_all",
        "vault.set",
    }
)
"""What these pages' forms ask. Whatever else came here was put together by somebody else."""


PLACES: Final = {
    "address": "/book",
    "allowlist": "/limits",
    "api_key": "/keys",
    "authenticator": "/authenticators",
    "contact": "/contacts",
    "evidence": "/recovery",
    "exit": "/holds",
    "incident": "/robbed",
    "limit": "/limits",
    "lock": "/limits",
    "recovery": "/recovery",
    "session": "/sessions",
    "vault": "/limits",
}
"""Where one goes on after an action of each subject; after any other one at the check-up."""

NEWS: Final = ("ended", "out", "left")
"""Why one is at the sign-in: the session ended, was signed out, or only this browser forgot it."""

ENDS_VISIT: Final = frozenset({"session.end", "session.end_all"})


class Center:
    """The handlers, over one service. Example: `Center(service, "https://security.example").operations()`."""

    def __init__(self, service: Service, origin: str) -> None:
        """Serve browsers at this origin."""
        self._service = service
        self._views = Views(service)
        self._log = Activity(service)
        self._site = Site(service, origin, HOME, NAME)

    def operations(self) -> dict[str, dict[str, Operation]]:
        """The routes, by path and method."""
        pages: dict[str, Callable[[Sight], Awaitable[Reply]]] = {
            HOME: self._home,
            f"{HOME}/holds": self._holds,
            f"{HOME}/activity": self._activity,
            f"{HOME}/sessions": self._sessions,
            f"{HOME}/authenticators": partial(self._plain, "authenticators.html"),
            f"{HOME}/contacts": partial(self._plain, "contacts.html"),
            f"{HOME}/limits": partial(self._plain, "limits.html"),
            f"{HOME}/keys": partial(self._plain, "keys.html"),
            f"{HOME}/book": self._book,
            f"{HOME}/robbed": self._robbed,
            f"{HOME}/robbed/story.txt": partial(self._story, robbery.as_text, b"text/plain; charset=utf-8"),
            f"{HOME}/robbed/story.json": partial(self._story, robbery.as_json, b"application/json"),
            f"{HOME}/viewers": self._viewers,
        }
        return {
            **{
                path: {"GET": self._operation(self._site.for_visitors(show, "cursor", "kind"))}
                for path, show in pages.items()
            },
            f"{HOME}/sign-in": {
                "GET": self._operation(self.sign_in_page),
                "POST": self._operation(self.sign_in, takes=FORM),
            },
            f"{HOME}/sign-out": {"POST": self._operation(self._site.for_visitors(self._sign_out), takes=FORM)},
            f"{HOME}/ask": {
                "GET": self._operation(self._to_home),
                "POST": self._operation(self._site.for_visitors(self._ask), takes=FORM),
            },
            f"{HOME}/language": {"POST": self._operation(self._site.speak, takes=FORM)},
            **Recoveries(self._service, self._site).operations(),
            f"{HOME}/{{rest:path}}": {"GET": self._operation(self._nowhere)},
        }

    def _operation(self, handle: Callable[[Call], Awaitable[Reply]], takes: bytes = b"") -> Operation:
        return Operation(handle, takes=takes, dressed=self._site.troubled)

    async def _to_home(self, _call: Call) -> Reply:
        """Whoever loads the address of an answer again goes on from the beginning."""
        return to(HOME)

    async def _nowhere(self, _call: Call) -> Reply:
        """An address that none of these pages has, mistyped or of another release."""
        raise Problem(problems.UNKNOWN_ROUTE)

    async def _account(self, sight: Sight) -> AccountForm:
        form = await self._views.account(sight.visitor.account)
        assert form is not None  # noqa: S101 - the visitor's session was read from it a moment ago
        return form

    async def _page(self, sight: Sight, template: str, **shown: object) -> Reply:
        account = shown.pop("account", None) or await self._account(sight)
        phrase = await self._views.phrase(sight.visitor.account)
        return self._site.page(sight, template, account=account, phrase=phrase, **shown)

    async def _home(self, sight: Sight) -> Reply:
        account = await self._account(sight)
        return await self._page(sight, "home.html", account=account, checkup=checkup(account))

    async def _holds(self, sight: Sight) -> Reply:
        page = await self._views.holds(sight.visitor.account, cursor(sight), PAGE)
        return await self._page(sight, "holds.html", page=page)

    async def _activity(self, sight: Sight) -> Reply:
        asked = sight.given.get("kind", "")
        kind = Kind(asked) if asked in [*Kind] else Kind.ALL
        page = await self._log.page(sight.visitor.account, cursor(sight), kind, PAGE)
        return await self._page(sight, "activity.html", page=page, kind=kind)

    async def _sessions(self, sight: Sight) -> Reply:
        found = await origins(self._service, sight.visitor.account)
        own = token_hash(sight.visitor.token).hex()
        return await self._page(sight, "sessions.html", origins=found, own=own)

    async def _robbed(self, sight: Sight) -> Reply:
        account = await self._account(sight)
        case = account.incident
        found = await robbery.timeline(sight.visitor.account, case, self._log, PAGE) if case is not None else []
        return await self._page(sight, "robbed.html", account=account, lines=found)

    async def _story(self, written: Callable[[robbery.Story], bytes], media: bytes, sight: Sight) -> Reply:
        """The timeline as a file, for the police, an insurer or a lawyer."""
        account, case = sight.visitor.account, (await self._account(sight)).incident
        if case is None:
            return to(f"{HOME}/robbed")
        body = written(robbery.story(account, case, await robbery.timeline(account, case, self._log)))
        name = sight.call.route.rpartition("/")[2].encode()
        return Reply(body, content_type=media, headers=((b"content-disposition", b'attachment; filename="%s"' % name),))

    async def _viewers(self, sight: Sight) -> Reply:
        found = await looks(self._service, sight.visitor.account, cursor(sight), PAGE)
        return await self._page(sight, "viewers.html", looks=found)

    async def _plain(self, template: str, sight: Sight) -> Reply:
        """A page that shows what an account's standing says."""
        return await self._page(sight, template)

    async def _book(self, sight: Sight) -> Reply:
        book = await self._views.book(sight.visitor.account, cursor(sight), PAGE)
        networks = sorted(self._service.tools.policy.networks)
        return await self._page(sight, "book.html", book=book, networks=networks, opened=sorted(OPENED_KINDS))

    async def _ask(self, sight: Sight) -> Reply:
        """Ask for what a form says, and show what was decided."""
        actor = {"kind": "owner", "session": sight.visitor.token}
        came = await self._site.asked(sight, sight.visitor.account, actor, ASKED_HERE)
        said = came.said
        onward = PLACES.get(str(came.named.get("action", "")).partition(".")[0], "")
        if said is None:
            return await self._page(sight, "answer.html", **came._asdict(), onward=onward)
        if said.decision == "allow" and self._ends_visit(sight, came):
            return to(f"{HOME}/sign-in?out=1", self._site.visitors.dropped())
        said = await self._worded(sight, said)
        template = "prove.html" if said.challenge is not None else "enrol.html" if said.enrolment else "answer.html"
        shown = {"said": said, "named": came.named, "trouble": "", "to": f"{HOME}/ask", "onward": onward}
        return await self._page(sight, template, **shown, like=await self._looks_like(sight, said))

    async def _sign_out(self, sight: Sight) -> Reply:
        """End the session, and have the browser forget it whatever becomes of that: its device's key may be gone."""
        if not self._site.is_own(sight):
            return await self._ask(sight)
        actor = {"kind": "owner", "session": sight.visitor.token}
        came = await self._site.ask(sight, sight.visitor.account, {"action": "session.end"}, actor)
        news = "out" if came.said is not None and came.said.decision == "allow" else "left"
        return to(f"{HOME}/sign-in?{news}=1", self._site.visitors.dropped())

    def _ends_visit(self, sight: Sight, came: Asked) -> bool:
        """Whether what was done ended the very session that asked for it."""
        own = came.named.get("which") in {None, token_hash(sight.visitor.token).hex()}
        return own and came.named.get("action") in ENDS_VISIT

    async def _looks_like(self, sight: Sight, said: AnswerForm) -> object:
        """The entry of the book that a refused address is taken for, if that is why it was refused."""
        about = next((one.about for one in said.reasons if one.code == "look_alike"), "")
        return await self._views.entry_named(sight.visitor.account, about) if about else None

    async def _worded(self, sight: Sight, said: AnswerForm) -> AnswerForm:
        """The answer, with what its challenge confirms ready to be said in the page's language."""
        if said.challenge is None or sight.tongue.language == ENGLISH:
            return said
        text = await self._log.confirms(sight.visitor.account, said.head, said.challenge.text)
        return replace(said, challenge=replace(said.challenge, text=text))

    async def sign_in_page(self, call: Call) -> Reply:
        """Ask who it is."""
        given = call.parameters("back", *NEWS)
        news = next((one for one in NEWS if one in given), "")
        return self._signing_in(call, given.get("back", ""), news=news)

    def _signing_in(self, call: Call, back: str, **shown: object) -> Reply:
        known = {"said": None, "name": "", "trouble": "", "news": "", "back": self._site.own(back)} | shown
        return self._site.bare(call, "sign-in.html", **known)

    async def sign_in(self, call: Call) -> Reply:
        """Sign in by name and proofs, one step after the other."""
        given = forms.fields(call.body)
        name, back = given.get("name", ""), given.get("_back", "")
        if not self._site.visitors.is_from_here(call) or not 0 < len(name) <= NAME_MOST:
            return self._signing_in(call, back, trouble="foreign")
        body = self._site.seen(call) | forms.proved(given) | forms.signed(given)
        try:
            raw = await self._service.sign_in(NAME, name, body, "", b"")
        except (BadRequest, ChallengeRefused, Overloaded, TimeoutError) as error:
            return self._signing_in(call, back, name=name, trouble=type(error).__name__)
        said = answer(raw)
        if said.session is None:
            return self._signing_in(call, back, name=name, said=said)
        account = await self._service.account_of(name) or ""
        place = quote(self._site.own(back), safe="/?=&")
        return to(place, self._site.visitors.kept(account, said.session.token))
