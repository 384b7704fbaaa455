"""Coming back for whoever cannot sign in, and what the owner sees of it who can.

The first pages need no session: a case goes on by its key, which a cookie of its own keeps and which may be typed in
anywhere else. What they may tell whom is `claims.py`'s to say; these only put it into words.
"""

from __future__ import annotations

import asyncio
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from babel.dates import format_timedelta
from msgspec.structs import replace

from holdback.activity import Activity, Kind
from holdback.batching import Overloaded
from holdback.claims import FIRST, KINDS, Claims, Sent
from holdback.core.evidence import BURNABLE, EVIDENCE
from holdback.desk import Desk
from holdback.evidence.document import PAPER_BYTES
from holdback.evidence.mail import MAIL_BYTES
from holdback.papers import TooOften, Unreadable
from holdback.ports import ReaderUnavailable
from holdback.views import Views
from holdback.web import forms
from holdback.web.endpoint import MULTIPART, Operation, Reply
from holdback.web.forms import FORM
from holdback.web.pages import READERS, Sight, Site, to, tongue
from holdback.web.problems import retry_after
from holdback.web.uploads import upload
from holdback.web.visitors import Visitor, cookies
from holdback.wording.to_owner import ACTIONS
from holdback.wording.words import instant_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from holdback.activity import Line
    from holdback.claims import Said, Standing
    from holdback.desk import ProgressForm
    from holdback.service import Service
    from holdback.views import RecoveryForm
    from holdback.web.dressing import Tongue
    from holdback.web.endpoint import Call
    from holdback.web.uploads import File

COOKIE: Final = "recovery"
NAME_MOST: Final = 256
TOKEN_MOST: Final = 128
AT_ONCE: Final = 2
"""Papers that are taken in at a time."""
DEADLINE_S: Final = 60.0
FORM_MOST: Final = 8 * 1024
LINES_MOST: Final = 50
_TITLES: Final = tuple(text for name, text in ACTIONS.items() if name.startswith("recovery."))

SHOWN: Final = frozenset({"kind", "channel", "network", "address"})
CHOSEN: Final = frozenset({"password", "address", "network", "asset", "amount"})
OFFERED: Final = ("email_code", "sms_code", "totp", "backup_code", "passkey", "device", "address_signature", "face")
"""What these pages take, in the order they offer it: a code is the quickest, and opens the rest."""


class At(NamedTuple):
    """A request that goes on with a case: the case, and what its form says."""

    call: Call
    case: Standing
    given: dict[str, str]

    @property
    def visitor(self) -> Visitor:
        """Who goes on, as far as forms are concerned: by the case's key."""
        return Visitor(self.case.name, self.case.token, bound=False)


class Recoveries:
    """The handlers, over one service. Example: `Recoveries(service, site).operations()`."""

    def __init__(self, service: Service, site: Site) -> None:
        """Serve pages of this site."""
        self._service, self._site = service, site
        self._claims, self._desk, self._views = Claims(service), Desk(service), Views(service)
        self._log = Activity(service)
        self._home = f"{site.home}/recover"
        secure = site.origin.startswith("https:")
        # By a cookie that a neighbouring host could plant, an owner would show what he has in a thief's case.
        self._cookie = f"__Host-{COOKIE}" if secure else COOKIE
        self._rest = f"Path=/; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}"
        self._slots, self._readers = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(READERS)

    def operations(self) -> dict[str, dict[str, Operation]]:
        """The routes, by path and method."""
        home, page, form = self._home, self._going_on, self._form
        back = self._operation(page(self._to_case))
        return {
            home: {"GET": self._operation(self.ask), "POST": self._operation(self.open, FORM)},
            f"{home}/key": {"GET": self._operation(self.ask_key), "POST": self._operation(self.take_key, FORM)},
            f"{home}/case": {"GET": self._reading(page(self._case))},
            f"{home}/show": {"GET": back, "POST": self._operation(form(self._show), FORM)},
            f"{home}/paper": {"GET": back, "POST": self._taking_papers(page(self._paper))},
            f"{home}/face": {"GET": self._reading(page(self._face))},
            f"{home}/finish": {
                "GET": self._reading(page(self._finishing)),
                "POST": self._operation(form(self._finish), FORM),
            },
            f"{home}/stop": {"GET": back, "POST": self._operation(form(self._stop), FORM)},
            f"{home}/leave": {"GET": back, "POST": self._operation(form(self._leave), FORM)},
            f"{self._site.home}/recovery": {"GET": self._operation(self._site.for_visitors(self.watch))},
        }

    def _operation(self, handle: Callable[[Call], Awaitable[Reply]], takes: bytes = b"") -> Operation:
        return Operation(handle, takes=takes, dressed=self._site.troubled)

    def _reading(self, handle: Callable[[Call], Awaitable[Reply]]) -> Operation:
        """A page of whoever has a key or says so: strangers, who take no place of those who are signed in."""
        return self._operation(handle)._replace(slots=self._readers)

    def _taking_papers(self, handle: Callable[[Call], Awaitable[Reply]]) -> Operation:
        operation = self._operation(handle, MULTIPART)
        return operation._replace(most=PAPER_BYTES + FORM_MOST, deadline_s=DEADLINE_S, slots=self._slots)

    # Before there is a case

    async def ask(self, call: Call) -> Reply:
        """Ask who it is and what is lost."""
        call.parameters()
        return self._opening(call)

    def _opening(self, call: Call, trouble: str = "", name: str = "") -> Reply:
        shown = {"key": secrets.token_urlsafe(16), "kinds": KINDS, "policy": self._service.tools.policy.recovery}
        begun = self._cookie in cookies(call)
        return self._site.bare(call, "recover.html", **shown, trouble=trouble, name=name, begun=begun)

    async def open(self, call: Call) -> Reply:
        """Open a case, and show its key once."""
        given = forms.fields(call.body)
        name, lost = given.get("name", "").strip(), given.get("lost", "").split()
        if not self._site.visitors.is_from_here(call) or not 0 < len(name) <= NAME_MOST:
            return self._opening(call, "foreign")
        if not lost or not set(lost) <= set(KINDS):
            return self._opening(call, "nothing_lost", name)
        seen, key = self._site.seen(call), given.get("_key", "")
        try:
            token = await self._claims.opened(name, lost, seen, key, call.client)
        except (TooOften, Overloaded, TimeoutError) as error:
            return _busy(self._opening(call, "too_many", name), error)
        if token is None:
            return self._opening(call, "under_way", name)
        shown = self._site.bare(call, "recover-opened.html", token=token, name=name)
        return shown._replace(headers=(*shown.headers, self._kept(name, token)))

    async def ask_key(self, call: Call) -> Reply:
        """Ask for the key of a case."""
        call.parameters()
        return self._site.bare(call, "recover-key.html", trouble="", name="")

    async def take_key(self, call: Call) -> Reply:
        """Go on by a key that was written down or sent. Whatever is wrong with it is one answer."""
        given = forms.fields(call.body)
        name, token = given.get("name", "").strip(), "".join(given.get("token", "").split()).lower()
        if not self._site.visitors.is_from_here(call):
            return self._site.bare(call, "recover-key.html", trouble="foreign", name="")
        if not await self._found(name, token):
            return self._over(call, name)
        return to(f"{self._home}/case", self._kept(name, token))

    # With one

    async def _found(self, name: str, token: str) -> Standing | None:
        fits = 0 < len(name) <= NAME_MOST and 0 < len(token) <= TOKEN_MOST and token.isascii()
        return await self._claims.at(name, token) if fits else None

    def _over(self, call: Call, name: str = "") -> Reply:
        return self._site.bare(call, "recover-key.html", trouble="over", name=name)

    def _form(self, show: Callable[[At], Awaitable[Reply]]) -> Callable[[Call], Awaitable[Reply]]:
        """The same for forms, which must come from the case's own pages."""

        async def checked(at: At) -> Reply:
            at = at._replace(given=forms.fields(at.call.body))
            return await show(at) if self._is_own(at) else await self._case(at, trouble="foreign")

        return self._going_on(checked)

    def _going_on(self, show: Callable[[At], Awaitable[Reply]]) -> Callable[[Call], Awaitable[Reply]]:
        """A handler for whoever has a case's key in the cookie."""

        async def handle(call: Call) -> Reply:
            name, token = _read(cookies(call).get(self._cookie, ""))
            if not token:
                return to(f"{self._home}/key")
            case = await self._found(name, token)
            if case is None:
                return self._over(call, name)
            at = At(call, case, {})
            try:
                return await show(at)
            except (TooOften, Overloaded) as error:
                return _busy(await self._case(at, trouble="too_many"), error)

        return handle

    def _is_own(self, at: At) -> bool:
        return self._site.is_own(Sight(at.call, at.visitor, tongue(at.call), at.given))

    async def _case(self, at: At, *, trouble: str = "", said: Said | None = None, paper: object = None) -> Reply:
        """How it stands, and what could be shown next."""
        case, speaks = at.case, tongue(at.call)
        progress = await self._desk.progress(case.account, case.token) if case.counts else None
        if case.counts and progress is None:  # it has ended since
            return self._over(at.call, case.name)
        shown = set(progress.shown) if progress else set()
        offered = [one for one in OFFERED if _is_open(case, one) and one not in shown]
        return self._bare(
            at, "recover-case.html", trouble=trouble, said=said, paper=paper, progress=progress, offered=offered,
            left=_left(speaks, case, progress), opened_at=instant_text(case.opened_at),
            until=instant_text(case.until) if case.until is not None else None,
            is_over=case.told and case.until is not None and case.until <= case.now,
            networks=sorted(self._service.tools.policy.networks),
        )  # fmt: skip

    def _bare(self, at: At, template: str, **shown: object) -> Reply:
        policy = self._service.tools.policy.recovery
        common = {
            "case": at.case,
            "word": at.visitor.word,
            "ath": at.visitor.ath,
            "policy": policy,
            "key": secrets.token_urlsafe(16),
        }
        return self._site.bare(at.call, template, **(common | shown))

    async def _to_case(self, _at: At) -> Reply:
        """Whoever loads anew what a form had shown."""
        return to(f"{self._home}/case")

    async def _show(self, at: At) -> Reply:
        """Show one thing, or have a code sent for it."""
        named = {name: value for name, value in at.given.items() if name in SHOWN and value}
        said = await self._shown(at, named | {"action": "recovery.evidence"})
        if said.counted or said.is_shown_already:
            return to(f"{self._home}/case")
        if said.challenge:
            return await self._confirming(at, said, named, "show")
        return await self._case(at, trouble="nothing", said=said)

    async def _confirming(self, at: At, said: Said, named: dict[str, str], to: str) -> Reply:
        """Ask for what a step-up wants."""
        return self._bare(at, "recover-code.html", said=await self._worded(at.case, said), named=named, to=to)

    async def _shown(self, at: At, fields: dict[str, str]) -> Said:
        given, call = at.given, at.call
        sent = Sent(given.get("_key", ""), call.client, self._site.seen(call), forms.signed(given))
        proofs = forms.proved(given)["proofs"]
        return await self._claims.shown(at.case, fields, proofs, given.get("_challenge", ""), sent)

    async def _paper(self, at: At) -> Reply:
        """Have a paper read, and say what was found."""
        sent = upload(at.call.headers.get(b"content-type", b""), at.call.body)
        at = at._replace(given=sent.fields)
        if not self._is_own(at):
            return await self._case(at, trouble="foreign")
        if sent.file is None or not sent.file.body:
            return await self._case(at, trouble="no_file")
        is_mail = b"%PDF-" not in sent.file.body[:FORM_MOST]
        if is_mail and len(sent.file.body) > MAIL_BYTES:
            return await self._case(at, trouble="large_file")
        try:
            found = await self._claims.handed_in(at.case, sent.file.body, mail=is_mail)
        except (Unreadable, ReaderUnavailable):
            return await self._case(at, trouble="unread_file")
        return await self._case(at, paper=_Paper(sent.file, found.signer, found.finding.digest))

    async def _face(self, at: At) -> Reply:
        """Say what a face can do, and lead to its page."""
        if not at.case.faced:
            return to(f"{self._home}/case")
        return self._bare(at, "recover-face.html")

    async def _finishing(self, at: At, said: Said | None = None, named: Mapping[str, str] | None = None) -> Reply:
        """Ask for a new password, or whom to pay."""
        if not at.case.counts:
            return to(f"{self._home}/case")
        policy = self._service.tools.policy
        shown = {"networks": sorted(policy.networks), "characters": policy.passwords.characters_alone_min}
        return self._bare(at, "recover-finish.html", said=said, named=named or {}, **shown)

    async def _finish(self, at: At) -> Reply:
        """Begin the wait, and at its end choose a password or be paid."""
        if not at.case.counts:
            return to(f"{self._home}/case")
        named = {name: value for name, value in at.given.items() if name in CHOSEN and value}
        said = await self._shown(at, named | {"action": "recovery.finish"})
        if said.challenge:
            return await self._confirming(at, said, named, "finish")
        if said.counted and "password" in named:
            done = self._bare(at, "recover-done.html", said=said)
            return done._replace(headers=(*done.headers, self._kept("", "")))
        if said.counted or (said.answer is not None and said.answer.decision == "hold"):
            return self._bare(at, "recover-done.html", said=said)
        return await self._unfinished(at, said, named)

    async def _unfinished(self, at: At, said: Said, named: dict[str, str]) -> Reply:
        codes = {one.code for one in said.answer.reasons} if said.answer is not None else set()
        now = await self._found(at.case.name, at.case.token)
        if now is not None and (
            codes & {"recovery_waits", "notice_undelivered"} or (now.closed and not at.case.closed)
        ):
            return await self._case(at._replace(case=now), trouble="waits")
        kept = {name: value for name, value in named.items() if name != "password"}
        return await self._finishing(at, said, kept)

    async def _stop(self, at: At) -> Reply:
        """Take the case back."""
        await self._shown(at, {"action": "recovery.cancel"})
        ended = self._site.bare(at.call, "recover-key.html", trouble="withdrawn", name="")
        return ended._replace(headers=(*ended.headers, self._kept("", "")))

    async def _leave(self, _at: At) -> Reply:
        """Forget the key in this browser; the case goes on."""
        return to(f"{self._home}/key", self._kept("", ""))

    def _kept(self, name: str, token: str) -> tuple[bytes, bytes]:
        """The header that has a browser keep a case's key until it is closed, or forget it."""
        value = f"{urlsafe_b64encode(name.encode()).decode().rstrip('=')}:{token}" if token else ""
        more = "" if token else "; Max-Age=0"
        return b"set-cookie", f"{self._cookie}={value}; {self._rest}{more}".encode()

    # For the owner who is signed in

    async def watch(self, sight: Sight) -> Reply:
        """The recovery that is under way of one's own account, with what stops it, and what others know of one."""
        account = await self._views.account(sight.visitor.account)
        assert account is not None  # noqa: S101 - the visitor's session was read from it a moment ago
        case = account.recovery
        told = await self._told(sight.visitor.account, case) if case is not None else []
        policy = self._service.tools.policy.recovery
        return self._site.page(
            sight, "recovery.html", account=account, case=case, lines=told[::-1], policy=policy,
            asker=await self._claims.asker(sight.visitor.account) if case is not None else {},
            burnable=[one for one in EVIDENCE if one in BURNABLE],
            phrase=await self._views.phrase(sight.visitor.account),
        )  # fmt: skip

    async def _told(self, account: str, case: RecoveryForm) -> list[Line]:
        """What the account's log says of a case, newest first, as its owner reads it."""
        page = await self._log.page(account, 0, Kind.SIGN_INS, LINES_MOST)
        began = int(case.id.removeprefix("r"))
        return (
            [one for one in page.items if one.seq >= began and one.title.startswith(_TITLES)]
            if page is not None
            else []
        )

    async def _worded(self, case: Standing, said: Said) -> Said:
        """What came of it, with what its challenge confirms ready to be said in the page's language."""
        answer = said.answer
        if answer is None or answer.challenge is None:
            return said
        text = await self._log.confirms(case.account, answer.head, answer.challenge.text)
        return said._replace(answer=replace(answer, challenge=replace(answer.challenge, text=text)))


class _Paper(NamedTuple):
    """A paper that was read: the file, who signed as far as that is shown, and its digest."""

    file: File
    signer: str
    digest: str


def _is_open(case: Standing, kind: str) -> bool:
    """Whether a kind could still be shown in this case."""
    if case.closed or kind in case.known or (kind == "face" and not case.faced):
        return False
    return case.counts or kind in FIRST or kind in {"email_code", "sms_code"}


def _left(speaks: Tongue, case: Standing, progress: ProgressForm | None) -> str:
    """How long it still takes at least, as people say it."""
    if progress is None or case.until is None or case.until <= case.now:
        return ""
    left = timedelta(milliseconds=case.until - case.now)
    if left > timedelta(days=2):
        return format_timedelta(left, granularity="day", threshold=1000, locale=speaks.language)
    return format_timedelta(left, granularity="hour", threshold=1000, locale=speaks.language)


def _read(cookie: str) -> tuple[str, str]:
    """Name and key of a cookie; both empty if it cannot be read."""
    name, _, token = cookie.partition(":")
    try:
        return urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode(), token
    except ValueError:
        return "", ""


def _busy(page: Reply, error: Exception) -> Reply:
    """The same page, with when to come back."""
    seconds = getattr(error, "retry_after_s", 1)
    return page._replace(status=429, headers=(*page.headers, *retry_after(seconds)))
