"""The Security Center: where a customer sees what protects his account, and stops what he did not ask for.

Every page works without a script where a form can; scripts add passkeys, the signature of the device's key, and times
in the reader's own zone.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from holdback.activity import Activity, Kind
from holdback.batching import Overloaded
from holdback.intake import BadRequest
from holdback.judging import ChallengeRefused
from holdback.views import AccountForm, Views
from holdback.web import forms
from holdback.web.center.checkup import checkup
from holdback.web.center.recovery import Recoveries
from holdback.web.dressing import ENGLISH
from holdback.web.endpoint import Operation, Reply
from holdback.web.forms import FORM
from holdback.web.pages import PAGE, Sight, Site, answer, cursor, to

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from holdback.answers import AnswerForm
    from holdback.service import Service
    from holdback.web.endpoint import Call

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
            f"{HOME}/sessions": partial(self._plain, "sessions.html"),
            f"{HOME}/authenticators": partial(self._plain, "authenticators.html"),
            f"{HOME}/contacts": partial(self._plain, "contacts.html"),
            f"{HOME}/limits": partial(self._plain, "limits.html"),
            f"{HOME}/keys": partial(self._plain, "keys.html"),
            f"{HOME}/book": self._book,
            f"{HOME}/robbed": partial(self._plain, "robbed.html"),
        }
        return {
            **{
                path: {"GET": Operation(self._site.for_visitors(show, "cursor", "kind"))}
                for path, show in pages.items()
            },
            f"{HOME}/sign-in": {
                "GET": Operation(self.sign_in_page),
                "POST": Operation(self.sign_in, takes=FORM),
            },
            f"{HOME}/ask": {"POST": Operation(self._site.for_visitors(self._ask), takes=FORM)},
            f"{HOME}/language": {"POST": Operation(self._site.speak, takes=FORM)},
            **Recoveries(self._service, self._site).operations(),
        }

    async def _account(self, sight: Sight) -> AccountForm:
        form = await self._views.account(sight.visitor.account)
        assert form is not None  # noqa: S101 - the visitor's session was read from it a moment ago
        return form

    async def _page(self, sight: Sight, template: str, **shown: object) -> Reply:
        account = shown.pop("account", None) or await self._account(sight)
        return self._site.page(sight, template, account=account, **shown)

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

    async def _plain(self, template: str, sight: Sight) -> Reply:
        """A page that shows what an account's standing says."""
        return await self._page(sight, template)

    async def _book(self, sight: Sight) -> Reply:
        book = await self._views.book(sight.visitor.account, cursor(sight), PAGE)
        return await self._page(sight, "book.html", book=book, networks=sorted(self._service.tools.policy.networks))

    async def _ask(self, sight: Sight) -> Reply:
        """Ask for what a form says, and show what was decided."""
        actor = {"kind": "owner", "session": sight.visitor.token}
        came = await self._site.asked(sight, sight.visitor.account, actor, ASKED_HERE)
        said = came.said
        if said is None:
            return await self._page(sight, "answer.html", said=None, trouble=came.trouble)
        said = await self._worded(sight, said)
        template = "prove.html" if said.challenge is not None else "enrol.html" if said.enrolment else "answer.html"
        return await self._page(sight, template, said=said, named=came.named, trouble="", to=f"{HOME}/ask")

    async def _worded(self, sight: Sight, said: AnswerForm) -> AnswerForm:
        """The answer, with what its challenge confirms ready to be said in the page's language."""
        if said.challenge is None or sight.tongue.language == ENGLISH:
            return said
        text = await self._log.confirms(sight.visitor.account, said.head, said.challenge.text)
        return replace(said, challenge=replace(said.challenge, text=text))

    async def sign_in_page(self, call: Call) -> Reply:
        """Ask who it is."""
        call.parameters()
        return self._site.bare(call, "sign-in.html", said=None, name="", trouble="")

    async def sign_in(self, call: Call) -> Reply:
        """Sign in by name and proofs, one step after the other."""
        given = forms.fields(call.body)
        name = given.get("name", "")
        if not self._site.visitors.is_from_here(call) or not 0 < len(name) <= NAME_MOST:
            return self._site.bare(call, "sign-in.html", said=None, name="", trouble="foreign")
        body = self._site.seen(call, given) | forms.proved(given) | forms.signed(given)
        try:
            raw = await self._service.sign_in(NAME, name, body, "", b"")
        except (BadRequest, ChallengeRefused, Overloaded, TimeoutError) as error:
            return self._site.bare(call, "sign-in.html", said=None, name=name, trouble=type(error).__name__)
        said = answer(raw)
        if said.session is None:
            return self._site.bare(call, "sign-in.html", said=said, name=name, trouble="")
        account = await self._service.account_of(name) or ""
        return to(HOME, self._site.visitors.kept(account, said.session.token))
