"""Recoveries by sign-in name, for whoever cannot sign in: what a stranger may learn of a case before anything counts.

Nobody may learn here which names exist. So a name that nobody has gets a case, too: its key holds, sealed (AES-SIV, RFC
5297), when it was opened and what was called lost, and one row of a table says which key of a name is the last one.
Until something that was shown counts, both kinds of cases answer in the same words and take the same time; from then on
whoever goes on has shown that he is no mere stranger, and is told everything.

What this does not hide: a case that was ended by its owner is gone, and one that rests on something cannot be opened
over. Whoever sees that knows that somebody is there, and that person was told of him before.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from holdback.answers import AnswerForm, ChallengeForm
from holdback.batching import Overloaded
from holdback.core.decision import Reason
from holdback.core.events import DAY, HOUR, MINUTE, AuthenticatorKind, StreamKind
from holdback.core.evidence import BURNABLE, Path, is_burned, is_enrolled, live, path_of
from holdback.intake import BadRequest, network_of, token_hash
from holdback.judging import ChallengeRefused, KeyReused
from holdback.papers import Pace, Unreadable
from holdback.ports import Attempts, Wanted
from holdback.sealing import CustomerKey, SealBroken
from holdback.service import Question
from holdback.spelling import sign_in_name
from holdback.strangers import BUCKETS, NETWORK_BITS
from holdback.wording.words import network_text, program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdback.core.events import Instant
    from holdback.core.state import Head, Recovery
    from holdback.papers import Handed
    from holdback.service import Service

CALLER: Final = "recovery"
"""Who asks where no platform key does; no key can be called so, for ids of keys are never so short."""
OPENED_PER_H: Final = 120
"""Cases that one network (/24, or /48) opens in an hour at this process: each rings at somebody's contacts."""
ENDED: Final = 2
"""What stands in the row of a name that nobody has once its case was taken back; 1 while it is open."""
SHOWN_PER_H: Final = 1_200
PAPERS_PER_H: Final = 6
NETWORKS: Final = 1 << 12
"""Networks share this many counts: a flood of them takes up no more."""
LEVEL_S: Final = 0.4
"""What a stranger asks is answered no sooner, so that its time says nothing of what was done."""
READ_LEVEL_S: Final = 0.1
KINDS: Final = tuple(kind.value for kind in AuthenticatorKind)
TOKEN_BYTES: Final = 32
CODE: Final = "contact_code"
FIRST: Final = frozenset({"totp", "backup_code", CODE})
"""What may be shown before anything counts: of any other kind the asking alone would tell what an account holds."""
AGAIN_MS: Final = 10 * MINUTE
"""For how long the same form brings the same case: shorter than any distance between openings."""

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})

_ANSWER: Final = msgspec.json.Decoder(AnswerForm)
_SEALED: Final = "claim challenge"
_PAD: Final = 24
_FILLED: Final = 8
"""Bytes that make such a key as long as any other."""


class Standing(NamedTuple):
    """A case whose key was shown. `account` is "" where nobody has the name.

    `counts`: something that was shown counts, and all that follows it may be told. `until` is when its wait is over,
    None while that is not fixed; `told`: the wait began, for the owner was told.
    """

    name: str
    token: str
    account: str
    opened_at: Instant
    now: Instant
    lost: tuple[str, ...]
    counts: bool = False
    way: Path = Path.NO_POSSESSION
    closed: bool = False
    until: Instant | None = None
    told: bool = False
    doubted: bool = False
    drawn: int = 0
    known: tuple[str, ...] = ()
    faced: bool = False


class Sent(NamedTuple):
    """How a form came: its key, under which the same brings the same answer, and from where.

    `seen` is what the server saw of it, for the question's context; `signed` what this device's key signed, if it did.
    """

    key: str = ""
    client: str = ""
    seen: Mapping[str, Any] = NOTHING
    signed: Mapping[str, str] = NOTHING


class Said(NamedTuple):
    """What came of showing something: whether it counted, and which step-up goes on, under a name of this page's own.

    The whole answer is there only where it may be told; `fault` names a field that was wrong, with why.
    """

    counted: bool
    challenge: str = ""
    answer: AnswerForm | None = None
    fault: str = ""

    @property
    def is_shown_already(self) -> bool:
        """Whether the very same was shown before."""
        return self.answer is not None and any(one.code == Reason.ALREADY_EXISTS for one in self.answer.reasons)


class Claims:
    """Cases of one service by name. Example: `await Claims(service).at("alice@example.com", token)`."""

    def __init__(self, service: Service) -> None:
        """Keep nothing but counts."""
        self._service = service
        self._policy = service.tools.policy
        masters = service.tools.masters
        self._masters = masters
        self._keys = [one[1:] for one in masters.lookup_hashes("claims", "keys")]
        self._door = CustomerKey(masters.lookup_hash("claims", "challenges")[1:])
        self._opened, self._shown, self._papers = Pace(OPENED_PER_H), Pace(SHOWN_PER_H), Pace(PAPERS_PER_H)

    async def opened(
        self, name: str, lost: Sequence[str], seen: Mapping[str, Any], key: str, client: str = ""
    ) -> str | None:
        """Open a case for a name; its key, or None where another is under way or was lately. Raises TooOften.

        The same `key` brings the same case for some minutes: a button that is pressed twice opens once.
        """
        began = asyncio.get_running_loop().time()
        self._opened.take(_bucket(network_of(client)), began)
        account = await self._customer(name)
        if account:
            token = await self._open(name, account, lost, seen, key)
        else:
            token = await self._pretend(sign_in_name(name), lost, key)
        await _level(began, LEVEL_S)
        return token

    async def at(self, name: str, token: str) -> Standing | None:
        """The case that a key is of, None without: another's, one that is over, or one that never was."""
        began = asyncio.get_running_loop().time()
        account = await self._customer(name)
        found = await self._real(name, account, token) if account else await self._invented(name, token)
        if found is None or not found.counts:
            await _level(began, READ_LEVEL_S)
        return found

    async def shown(
        self, case: Standing, fields: Mapping[str, Any], proofs: Sequence[Mapping[str, str]], challenge: str, sent: Sent
    ) -> Said:
        """Ask something of a case: evidence, its end, or to take it back. Raises TooOften.

        `challenge` is what `Said` named; a code that was sent for none of ours is not looked at.
        """
        began = asyncio.get_running_loop().time()
        self._shown.take(_bucket(network_of(sent.client)), began)
        named = self._named(challenge)
        wanted = CODE if fields["action"] == "recovery.finish" else fields.get("kind")
        proofs = [one for one in proofs if one["kind"] == wanted]  # no hash of a password, say, is spent on a stranger
        is_code = any(one["kind"] == CODE for one in proofs)
        fits = case.counts or fields["action"] == "recovery.cancel" or fields.get("kind") in FIRST
        if case.account and fits and not (is_code and not named):
            said = await self._asked_of(case, fields, proofs, named, sent)
        elif not case.account and fields["action"] == "recovery.cancel":
            await self._taken_back(case)
            said = Said(counted=True)
        else:
            said = Said(counted=False)
        if case.counts:
            return said
        await _level(began, LEVEL_S)
        return self._as_to_strangers(said, fields, proofs, challenge)

    def _as_to_strangers(self, said: Said, fields: Mapping[str, Any], proofs: Sequence[object], challenge: str) -> Said:
        """The same words whoever's case it is: a code may have been sent, or something did not count."""
        if fields.get("kind") == CODE and not proofs:
            sent = said.answer is not None and said.answer.challenge is not None
            return Said(counted=False, challenge=said.challenge if sent else challenge or self._sealed(""))
        return Said(said.counted)

    async def handed_in(self, case: Standing, paper: bytes, *, mail: bool) -> Handed:
        """Have a paper read; nothing of it is kept. What no mail can be read as is read as a PDF, and then is none.

        Raises papers.Unreadable, papers.TooOften or ReaderUnavailable.
        """
        papers = self._service.tools.papers
        if papers is None:
            raise Unreadable
        self._papers.take(_bucket(case.token), asyncio.get_running_loop().time())
        if mail:
            with suppress(Unreadable):
                return await papers.mail(paper, case.now)
        return await papers.pdf(paper, case.now)

    async def asker(self, account: str) -> dict[str, str]:
        """Where the case that is under way was opened from and with what, or for which ticket, for its owner.

        Who of the staff opened it is for his contacts alone to read: whoever is signed in may be a thief.
        """
        head, _, key = await self._head(account)
        one = head.recovery.asker if head is not None and head.recovery is not None else None
        if one is None or key is None:
            return {}
        return {
            "network": network_text(key.open(one.ip)) if one.ip is not None else "",
            "program": program(key.open(one.user_agent)) if one.user_agent is not None else "",
            "country": one.country,
            "ticket": one.ticket if one.staff else "",
        }

    # Of customers

    async def _customer(self, name: str) -> str:
        """Whose name it is; "" for nobody's."""
        account = await self._service.account_of(sign_in_name(name))
        head, _, _ = await self._head(account or "")
        return head.account if head is not None and head.stream is StreamKind.CUSTOMER else ""

    async def _head(self, account: str) -> tuple[Head | None, Instant, CustomerKey | None]:
        loaded = await self._service.store.read([Wanted(account)])
        row = loaded.snapshots.get(account)
        if row is None:
            return None, loaded.now, None
        snapshots = self._service.tools.snapshots
        return snapshots.head(row), loaded.now, snapshots.key_of(account, row.key)

    async def _open(
        self, name: str, account: str, lost: Sequence[str], seen: Mapping[str, Any], key: str
    ) -> str | None:
        body = {"action": "recovery.open", "lost": list(lost), "actor": {"kind": "owner"}, **seen}
        now = (await self._head(account))[1]
        once = hashlib.sha256(f"{sign_in_name(name)} {_tag(key, lost, now)}".encode()).hexdigest()
        try:
            raw = await self._service.ask(Question(CALLER, account, body, once if key else ""))
        except KeyReused:
            return None
        said = _ANSWER.decode(raw)
        token = said.session.token if said.session is not None else ""
        return token if token and await self._real(name, account, token) else None

    async def _real(self, name: str, account: str, token: str) -> Standing | None:
        head, now, _ = await self._head(account)
        case = live(head, self._policy, now) if head is not None else None
        if head is None or case is None or not hmac.compare_digest(token_hash(token), case.token):
            return None
        lost = tuple(kind.value for kind in case.lost)
        bare = Standing(name, token, account, case.opened_at, now, lost)
        return self._told(bare, head, case) if case.shown else bare

    def _told(self, bare: Standing, head: Head, case: Recovery) -> Standing:
        """A case of which something counts, with all there is to tell."""
        wait = case.wait
        return bare._replace(
            counts=True,
            way=Path(case.path) if case.path else path_of(case.shown),
            closed=bool(case.path),
            until=wait.hoped(bare.now) if wait is not None else None,
            told=wait is not None and wait.heard,
            doubted=case.doubted,
            drawn=len(case.drawn),
            known=tuple(sorted(kind for kind in BURNABLE if is_burned(head, kind, bare.now))),
            faced=self._service.tools.faces is not None and is_enrolled(head, case, self._policy),
        )

    async def _asked_of(
        self,
        case: Standing,
        fields: Mapping[str, Any],
        proofs: Sequence[Mapping[str, str]],
        challenge: str,
        sent: Sent,
    ) -> Said:
        """Ask the service. Where it has too much to do, strangers are told nothing of it: of nobody it is not asked."""
        try:
            return await self._asked(case, fields, proofs, challenge, sent)
        except Overloaded:
            if case.counts:
                raise
            return Said(counted=False)

    async def _asked(
        self,
        case: Standing,
        fields: Mapping[str, Any],
        proofs: Sequence[Mapping[str, str]],
        challenge: str,
        sent: Sent,
    ) -> Said:
        actor = {"kind": "owner", "session": case.token}
        asked = {**fields, "actor": actor, "proofs": list(proofs)}
        if challenge:
            asked["challenge"] = challenge
        raw = msgspec.json.encode(asked)
        once = hmac.digest(self._keys[0], sent.key.encode() + b" " + raw, "sha256").hex() if sent.key else ""
        body = {**asked, **sent.seen, "actor": {**actor, **sent.signed}}
        try:
            answered = await self._service.ask(Question(CALLER, case.account, body, once, raw))
        except BadRequest as error:
            return Said(counted=False, fault=error.detail)
        except ChallengeRefused:
            return Said(counted=False, fault="challenge")
        answer = _ANSWER.decode(answered)
        went_on = answer.challenge.id if isinstance(answer.challenge, ChallengeForm) else ""
        return Said(answer.decision == "allow", self._sealed(went_on) if went_on else "", answer)

    # Of nobody

    def _rows(self, name: str) -> list[bytes]:
        """Where the last case of a name is written down, by each key of the ring, the current one first."""
        places = [int.from_bytes(one[1:9]) % BUCKETS for one in self._masters.lookup_hashes("bucket", f"claim {name}")]
        return [self._masters.lookup_hashes("attempts", f"claim {place}")[at] for at, place in enumerate(places)]

    async def _pretend(self, name: str, lost: Sequence[str], key: str) -> str | None:
        """Open a case that leads nowhere, as often as one that shows nothing may be opened."""
        rows = self._rows(name)
        numbers, opened_at = self._policy.recovery, 0

        def mark(now: Instant, found: Mapping[bytes, Attempts]) -> list[Attempts]:
            nonlocal opened_at
            row, tag = _last(rows, found), _tag(key, lost, now)
            if row is not None and tag and row.networks == tag:
                opened_at = row.since
                return []
            if row is not None and now < row.since + numbers.reopen_m * MINUTE:
                return []
            opened_at = now
            return [Attempts(rows[0], 1, now, now, now + numbers.expires_d * DAY, tag)]

        await self._service.store.count_attempts(rows, mark)
        return self._token(name, opened_at, lost, key) if opened_at else None

    async def _invented(self, name: str, token: str) -> Standing | None:
        folded = sign_in_name(name)
        read = self._read(folded, token)
        rows, last, now = self._rows(folded), 0, 0

        def look(at: Instant, found: Mapping[bytes, Attempts]) -> list[Attempts]:
            nonlocal last, now
            row = _last(rows, found)
            last, now = (row.since if row is not None and at < row.until and row.failures < ENDED else 0), at
            return []

        await self._service.store.count_attempts(rows, look)
        if read is None or read[0] != last:
            return None
        return Standing(name, token, "", last, now, read[1])

    async def _taken_back(self, case: Standing) -> None:
        """No key fits any more, and the next case must wait as it would elsewhere."""
        rows, kept_ms = self._rows(sign_in_name(case.name)), HOUR

        def mark(now: Instant, _found: Mapping[bytes, Attempts]) -> list[Attempts]:
            return [Attempts(rows[0], ENDED, now, now, now + kept_ms)]

        await self._service.store.count_attempts(rows, mark)

    def _token(self, name: str, opened_at: Instant, lost: Sequence[str], key: str) -> str:
        """A key that looks like any other, and says under our keys when its case was opened and what was lost."""
        lost_bits = sum(1 << place for place, kind in enumerate(KINDS) if kind in lost)
        body = opened_at.to_bytes(6) + lost_bits.to_bytes(2) + hashlib.sha256(key.encode()).digest()[:_FILLED]
        return AESSIV(self._keys[0]).encrypt(body, [name.encode()]).hex()

    def _read(self, name: str, token: str) -> tuple[Instant, tuple[str, ...]] | None:
        try:
            given = bytes.fromhex(token)
        except ValueError:
            return None
        for key in self._keys if len(given) == TOKEN_BYTES else ():
            with suppress(InvalidTag):
                body = AESSIV(key).decrypt(given, [name.encode()])
                bits = int.from_bytes(body[6:8])
                lost = tuple(kind for place, kind in enumerate(KINDS) if bits >> place & 1)
                return int.from_bytes(body[:6]), lost
        return None

    # Step-ups, under a name that says nothing

    def _sealed(self, challenge: str) -> str:
        boxed = self._door.seal_bytes(challenge.encode().ljust(_PAD, b"\0"), field=_SEALED)
        return urlsafe_b64encode(boxed).decode().rstrip("=")

    def _named(self, text: str) -> str:
        """The step-up that a page's name for it stands for; "" if for none."""
        if not text.isascii() or len(text) > 128:  # noqa: PLR2004 - a little longer than any
            return ""
        try:
            boxed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
            return self._door.open_bytes(boxed, field=_SEALED).rstrip(b"\0").decode()
        except (ValueError, SealBroken):
            return ""


def _last(rows: Sequence[bytes], found: Mapping[bytes, Attempts]) -> Attempts | None:
    """The row of a name's last case, under whichever key it was written."""
    return max((found[one] for one in rows if one in found), key=lambda one: one.since, default=None)


def _tag(key: str, lost: Sequence[str], now: Instant) -> int:
    """What a form is known by for some minutes; 0 without a key."""
    text = f"{key} {now // AGAIN_MS} {' '.join(lost)}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> (64 - NETWORK_BITS) if key else 0


def _bucket(text: str) -> str:
    return str(zlib.crc32(text.encode()) % NETWORKS)


async def _level(began: float, length_s: float) -> None:
    """Wait until so long after it began."""
    await asyncio.sleep(max(0.0, began + length_s - asyncio.get_running_loop().time()))
