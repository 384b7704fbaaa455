"""Who of the staff reads or asks at a page of the console, and what is shown to nobody else.

A page comes in two halves. Its shell comes by the cookie and holds nothing; what it shows is fetched from the same
address, with a proof of the device's key (RFC 9449), and is judged as the desk of the API is. So a copied cookie reads
nothing.
"""

from __future__ import annotations

import re
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar
from urllib.parse import quote

import msgspec

from holdback.batching import Overloaded
from holdback.core.events import Role, StreamKind
from holdback.desk import marked_instants
from holdback.intake import ACCOUNT_ID, BadRequest
from holdback.judging import ChallengeRefused
from holdback.ports import StoreUnavailable, Wanted
from holdback.service import Question
from holdback.web import forms
from holdback.web.endpoint import Operation, Reply
from holdback.web.forms import FORM
from holdback.web.pages import Asked, Sight, Site, answer, to, tongue
from holdback.wording.words import instant_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from holdback.core.decision import StaffFact
    from holdback.core.events import Instant
    from holdback.service import Service
    from holdback.web.endpoint import Call

NAME: Final = "console"
"""Of the cookie and the templates, and of who asks where no platform key does: no key can be called so."""
HOME: Final = "/console"
PROOF: Final = b"dpop"
PROOF_MOST: Final = 4_096
FORBIDDEN: Final = 403

_BACK: Final = re.compile(r"(/[A-Za-z0-9._-]{1,64}){0,4}")
_Row = TypeVar("_Row", bound=msgspec.Struct)
_ACTION: Final = msgspec.json.Decoder(dict[str, Any])


class Reader(NamedTuple):
    """One of the staff at a page, known by session and device key."""

    sight: Sight
    fact: StaffFact
    now: Instant

    @property
    def member(self) -> str:
        """Who he is."""
        return self.sight.visitor.account


class Page(NamedTuple):
    """What a page shows, to whom who holds one of these roles, with these parameters."""

    show: Callable[[Reader], Awaitable[Reply]]
    roles: frozenset[Role] = frozenset(Role)
    known: tuple[str, ...] = ()


class Ask(NamedTuple):
    """Where forms ask one of the `allowed` actions, and what shows the answer. The core says who may ask.

    `unfit` names what a form lacks that is not the core's to miss; then nothing is asked. Nor is it if what `stands` of
    an account is not what a form was made from: nobody decides what he did not see. `whole` takes an action that the
    page prepared as one field.
    """

    show: Callable[[Sight, Asked], Awaitable[Reply]]
    allowed: frozenset[str]
    unfit: Callable[[Mapping[str, str]], str] = lambda _: ""
    stands: Callable[[str], Awaitable[str]] | None = None
    whole: bool = False


class Door:
    """All that pages of the console have in common. Example: `Door(service, "https://desk.example")`."""

    def __init__(self, service: Service, origin: str) -> None:
        """Serve browsers at this origin."""
        self.service = service
        self.site = Site(service, origin, HOME, NAME, StreamKind.STAFF)
        self._open: dict[str, frozenset[Role]] = {}

    def page(self, path: str, page: Page) -> dict[str, Operation]:
        """The operations of a page under the console."""
        self._open[path] = page.roles

        async def handle(call: Call) -> Reply:
            visitor = await self.site.visitors.at(call)
            if visitor is None:
                return to(f"{HOME}/sign-in")
            sight = Sight(call, visitor, tongue(call), call.parameters(*page.known))
            if PROOF not in call.headers:
                return self.site.page(sight, "shell.html", here=_path(call).removeprefix(HOME))
            fact = await self._proved(sight)
            if page.roles.isdisjoint(fact.roles):
                return self.part(sight, "closed.html", fact=fact)._replace(status=FORBIDDEN)
            now = (await self.service.store.read([Wanted("")])).now
            async with self.site.place(visitor):
                return await page.show(Reader(sight, fact, now))

        return {"GET": Operation(handle)}

    def ask(self, ask: Ask) -> dict[str, Operation]:
        """The operation of where forms are sent."""

        async def handle(call: Call) -> Reply:
            visitor = await self.site.visitors.at(call)
            if visitor is None:
                return to(f"{HOME}/sign-in")
            sight = Sight(call, visitor, tongue(call), forms.fields(call.body))
            lacks = ask.unfit(sight.given)
            asked = Asked({}, None, lacks) if lacks else await self._asked(sight, ask)
            return await ask.show(sight, asked)

        return {"POST": Operation(handle, takes=FORM)}

    def room(self, reader: Reader, template: str, **shown: object) -> Reply:
        """What a page shows, with the ways on that this reader's roles open."""
        ways = {path for path, roles in self._open.items() if not roles.isdisjoint(reader.fact.roles)}
        ends_at = reader.sight.visitor.ends_at
        left_s = max(0, ends_at - reader.now) // 1000
        common = {"ways": ways, "ends_at": instant_text(ends_at), "left_s": left_s, "roles": reader.fact.roles}
        return self.site.page(reader.sight, template, **(common | shown))

    def own_copy(self, reader: Reader, rows: Iterable[_Row], *columns: str) -> list[_Row]:
        """A list as this reader is to have it: a copy that leaked tells by its instants whose it was (`marking.py`)."""
        found, keys = list(rows), self.service.tools.masters.mark_keys()
        for name in columns:
            told = marked_instants((getattr(one, name) for one in found), reader.member, keys)
            found = [msgspec.structs.replace(one, **{name: text}) for one, text in zip(found, told, strict=True)]
        return found

    def part(self, sight: Sight, template: str, **shown: object) -> Reply:
        """What stands in place of a page's content: an answer, or why there is none."""
        return self.site.page(sight, template, ways=None, **shown)

    async def roles_of(self, member: str) -> tuple[Role, ...]:
        """The roles of one of the staff as they stand; none of whoever is none."""
        row = (await self.service.store.read([Wanted(member)])).snapshots.get(member)
        head = self.service.tools.snapshots.head(row) if row is not None else None
        return head.member.roles if head is not None and head.member is not None else ()

    async def said(self, sight: Sight, asked: Asked) -> Reply:
        """Show what came of a form, in words."""
        back = sight.given.get("_back", "")
        return self.part(sight, "said.html", asked=asked, back=back if _BACK.fullmatch(back) else "")

    async def _proved(self, sight: Sight) -> StaffFact:
        """Who reads. A proof that was only read with is not remembered: it serves again for a minute, here alone."""
        proof = sight.call.headers[PROOF]
        text = proof.decode() if proof.isascii() and len(proof) <= PROOF_MOST else ""
        called = "GET", f"{self.site.origin}{_path(sight.call)}"
        return await self.service.attending(sight.visitor.account, sight.visitor.token, text, called)

    async def _asked(self, sight: Sight, ask: Ask) -> Asked:
        """Ask for what a form of ours names, as the member of staff whose device signed it."""
        given, visitor = sight.given, sight.visitor
        if not self.site.is_own(sight):
            return Asked({}, None, "foreign")
        named, account = _whole(given) if ask.whole else forms.named(given), given.get("_account", "")
        action = named.get("action")
        if not isinstance(action, str) or action not in ask.allowed or not ACCOUNT_ID.fullmatch(account):
            return Asked({}, None, "unknown")
        if ask.stands is not None and given.get("_stands", "") != await ask.stands(account):
            return Asked({}, None, "changed")
        actor = {"kind": "staff", "member": visitor.account, "session": visitor.token}
        return await self.site.ask(sight, account, named, actor)

    async def sign_in_page(self, call: Call) -> Reply:
        """Ask who it is."""
        call.parameters()
        return self.site.bare(call, "sign-in.html", said=None, name="", trouble="")

    async def sign_in(self, call: Call) -> Reply:
        """Sign a member in by passkey, from a device whose key signs everything from then on."""
        given = forms.fields(call.body)
        name = given.get("name", "").strip()
        fit = name.startswith("staff-") and ACCOUNT_ID.fullmatch(name) is not None
        if not self.site.visitors.is_from_here(call) or not fit:
            return self.site.bare(call, "sign-in.html", said=None, name="", trouble="unfit" if name else "foreign")
        actor = {"kind": "owner", **forms.signed(given)}
        body = {"action": "session.start", "actor": actor} | self.site.seen(call) | forms.proved(given)
        try:
            raw = await self.service.ask(Question(NAME, name, body, "", msgspec.json.encode(body)))
        except (BadRequest, ChallengeRefused, Overloaded, TimeoutError) as error:
            return self.site.bare(call, "sign-in.html", said=None, name=name, trouble=type(error).__name__)
        said = answer(raw)
        if said.session is None:
            return self.site.bare(call, "sign-in.html", said=said, name=name, trouble="")
        return to(HOME, self.site.visitors.kept(name, said.session.token))

    async def sign_out(self, call: Call) -> Reply:
        """End the session, and have the browser forget it whatever becomes of that."""
        visitor = await self.site.visitors.at(call)
        gone = self.site.visitors.dropped()
        if visitor is None:
            return to(f"{HOME}/sign-in", gone)
        sight = Sight(call, visitor, tongue(call), forms.fields(call.body))
        if not self.site.is_own(sight):
            return await self.said(sight, Asked({}, None, "foreign"))
        actor = {"kind": "owner", "session": visitor.token, **forms.signed(sight.given)}
        body = {"action": "session.end", "actor": actor} | self.site.seen(call)
        question = Question(NAME, visitor.account, body, secrets.token_urlsafe(16), msgspec.json.encode(body))
        with suppress(BadRequest, ChallengeRefused, Overloaded, StoreUnavailable, TimeoutError):
            await self.service.ask(question)
        return to(f"{HOME}/sign-in", gone)


def _path(call: Call) -> str:
    """The path as the browser called it: what its device signed is for that one."""
    path = call.route
    for name, value in call.path.items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    return path


def _whole(given: dict[str, str]) -> dict[str, Any]:
    """The action of a form: as a whole in one field that the page prepared, or else its fields."""
    if not given.get("_action"):
        return forms.named(given)
    try:
        return _ACTION.decode(given["_action"])
    except msgspec.DecodeError:
        return {}
