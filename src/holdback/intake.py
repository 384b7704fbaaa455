"""From the wire to a question the core can judge: parse, verify proofs, seal, and name the exact action by its digest.

Nothing in here decides or writes. What is malformed is refused with the name of the field; what is well-formed
becomes a `core.rules.asking.Request` and `Facts`, in which every personal field is sealed and every secret is already
hashed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from contextlib import suppress
from difflib import get_close_matches
from functools import reduce
from operator import or_
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import msgspec

from holdback import addresses, api_keys, dpop, formats, spelling
from holdback.core import decide
from holdback.core import events as ev
from holdback.core.assurance import CODE_MS as AUTHENTICATOR_CODE_MS
from holdback.core.assurance import CONTACT_CODE, RESTRICTED, password_stands_alone
from holdback.core.decision import Context, DeviceProof, KeyFact, PaperFact, Proof, Seen
from holdback.core.devices import key_fault
from holdback.core.events import HOUR, MINUTE, ActorKind, AuthenticatorKind, Channel, Destination, Sealed
from holdback.core.evidence import SIGNATURE
from holdback.core.profile import ADDRESS_LEVELS, LEVELS
from holdback.core.rules.account import AccountImport
from holdback.core.rules.address import OPENED_KINDS, AddressAdd, AddressRemove, AddressRenew, beneficiary_name
from holdback.core.rules.agency import AgencyAdd
from holdback.core.rules.api_key import ApiKeyCreate, ApiKeyLeaked
from holdback.core.rules.asking import Action, Id, Money, micro_usd
from holdback.core.rules.authenticator import AuthenticatorBind, AuthenticatorConfirm
from holdback.core.rules.breaker import BreakerTrip
from holdback.core.rules.contact import ContactAdd
from holdback.core.rules.deposit import DepositReceive
from holdback.core.rules.exit import ExitReconcile, ExitRequest
from holdback.core.rules.legal import LegalFreezeOrder, LegalReceive
from holdback.core.rules.notice import NoticeOutcome
from holdback.core.rules.order import OrderLease
from holdback.core.rules.password import PasswordChange
from holdback.core.rules.recovery import RecoveryEvidence, RecoveryFinish, RecoveryRemind
from holdback.core.rules.session import SessionFailures, SessionStart
from holdback.core.rules.staff import StaffEnrol, StaffFlag, TicketClose, TicketOpen
from holdback.enveloping import is_recipient
from holdback.ports import Whence
from holdback.sealing import LinkInvalid
from holdback.sharing import address_keys, device_keys, dust_keys
from holdback.signing import Called, passkeys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdback.core.events import Instant
    from holdback.core.policy import Network, Policy
    from holdback.core.rules.asking import SharedKey
    from holdback.core.state import Head, Program
    from holdback.papers import Papers
    from holdback.ports import AddressSignatures, Browsers, Entropy, KeyProof, Networks, PasswordVerifier, Verifier
    from holdback.sealing import CustomerKey, MasterKeys
    from holdback.signing import Holder, Signing

ACCOUNT_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64})?")
"""A customer's id, or `customer.sub-account`."""

ENVELOPE: Final = frozenset({"actor", "context", "proofs", "challenge", "dry_run"})
"""Fields of a request that are not the action's own and so not part of its digest."""

FACE_BYTES: Final = 24 * 1024
"""The largest portrait of a customer that is taken in. One of 240 x 320 pixels has half of that."""

LONGEST: Final = 512
"""The longest personal field, in characters."""

INTERNAL: Final = frozenset(
    {
        ApiKeyLeaked,
        OrderLease,
        NoticeOutcome,
        ExitReconcile,
        SessionFailures,
        StaffFlag,
        TicketOpen,
        TicketClose,
        RecoveryRemind,
        BreakerTrip,
        DepositReceive,
    }
)
"""Actions that no one outside can name."""

HANDED_IN: Final = frozenset({LegalReceive, LegalFreezeOrder})
"""What may be asked as an agency: what counts there is the paper, not who says that he is the agency."""

PAYABLE: Final = frozenset({AddressAdd, AddressRenew, AddressRemove, ExitRequest, RecoveryFinish, RecoveryEvidence})
"""Actions whose `address` is one of value, on their `network`."""

SHARES: Final = frozenset({AddressAdd, ExitRequest, RecoveryFinish})
"""Of these it matters what other accounts have to do with the destination."""

CHOOSES_PASSWORD: Final = frozenset({PasswordChange, RecoveryFinish})
"""Actions that carry a password which their owner has just chosen."""

Short = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]


DeviceKeyProof = Annotated[str, msgspec.Meta(min_length=1, max_length=dpop.LONGEST)]


class BadRequest(Exception):
    """The request is malformed. `pointer` is the JSON pointer of the field that is wrong, "" for the whole body."""

    def __init__(self, detail: str, pointer: str = "") -> None:
        """Say what is wrong, and where."""
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer


class WireActor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who asks: an owner or a `member` of staff by session token, a link by its token, or the platform itself.

    `dpop` is what the asker's device signed (RFC 9449), for the route that `context` says it called. A program
    names its API `key`, and signs the action with a `timestamp` (ms since the epoch) and a `nonce` that rises.
    """

    kind: ActorKind
    session: Short | None = None
    token: Short | None = None
    dpop: DeviceKeyProof | None = None
    member: Id | None = None
    key: Id | None = None
    timestamp: api_keys.Nonce | None = None
    nonce: api_keys.Nonce | None = None
    signature: api_keys.Signature | None = None


class WireContext(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the platform saw of the request; everything may be left out, and nothing left out is taken as good.

    `ip` is the customer's one address, without a port; "" is as if it were left out.
    """

    ip: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    user_agent: Annotated[str, msgspec.Meta(max_length=512)] | None = None
    device: Short | None = None
    equity_usd: Money | None = None
    method: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{1,16}\Z")] | None = None
    url: Annotated[str, msgspec.Meta(max_length=2048)] | None = None


class WireProof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One proof: `authenticator` (or contact) may be left out where the account holds one of the kind."""

    kind: Annotated[
        str, msgspec.Meta(pattern=r"^(password|totp|passkey|sms|email|backup_code|contact_code|address_signature)\Z")
    ]
    response: Annotated[str, msgspec.Meta(max_length=8192)]
    authenticator: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,64}\Z")] | None = None


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything about a request but the action."""

    actor: WireActor
    context: WireContext = WireContext()
    proofs: Annotated[tuple[WireProof, ...], msgspec.Meta(max_length=8)] = ()
    challenge: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,64}\Z")] | None = None
    dry_run: bool = False


class Parsed(NamedTuple):
    """A well-formed question. `fields` are the action's own, as sent.

    `outside` is what a sign-in called its challenge, whose own name never leaves.
    """

    envelope: Envelope
    fields: dict[str, Any]
    kind: type[Action]
    outside: str = ""


PUBLIC: Final[dict[str, type[Action]]] = {
    str(kind.__struct_config__.tag): kind for kind in decide.RULES if kind not in INTERNAL
}
"""Every action that can be asked from outside, by its public name."""

ACTION_TYPE: Any = reduce(or_, PUBLIC.values())
"""The union of all public actions, for decoding and for the API's description."""


def parse(body: object, *, lease: bool = False) -> Parsed:
    """Split a decoded body into envelope and action fields. Raises BadRequest naming the field that is wrong.

    With `lease` it is asked for one, by the route that is for nothing else.
    """
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    envelope_fields = {key: value for key, value in body.items() if key in ENVELOPE}
    fields = {key: value for key, value in body.items() if key not in ENVELOPE}
    name = fields.get("action")
    if not isinstance(name, str):
        raise BadRequest("`action` must be the name of an action", "/action")
    kind = OrderLease if lease else PUBLIC.get(name, decide.NotAvailable if name in decide.PLANNED else None)
    if kind is None:
        raise BadRequest(f"`action` names no action there is{_nearest(name)}", "/action")
    if "actor" not in envelope_fields:
        raise BadRequest("`actor` is missing", "/actor")
    envelope: Envelope = _converted(envelope_fields, Envelope)
    if len({proof.kind for proof in envelope.proofs}) < len(envelope.proofs):
        raise BadRequest("one proof of a kind at a time: each try must count", "/proofs")
    _check_actor(envelope, kind)
    if envelope.dry_run and envelope.proofs:
        raise BadRequest("a dry run takes no proofs: tries that nobody counts would be guesses for free", "/proofs")
    if envelope.context.ip and not network_of(envelope.context.ip):
        # Taken as no address, a mistake in the platform's code for proxies would weaken every sign-in unnoticed.
        raise BadRequest(
            "must be one IPv4 or IPv6 address, without a port; leave it out if it is not known", "/context/ip"
        )
    if envelope.actor.dpop is not None:
        _check_route(envelope)
    return Parsed(envelope, fields, kind)


def _check_actor(envelope: Envelope, kind: type[Action]) -> None:
    """Refuse what an actor of this kind never asks, or never shows. Raises BadRequest."""
    if envelope.actor.kind is ActorKind.AGENCY and kind not in HANDED_IN:
        raise BadRequest("an agency hands in papers, which prove themselves, and asks for nothing else", "/actor/kind")
    if (envelope.actor.kind is ActorKind.STAFF) != (envelope.actor.member is not None):
        raise BadRequest("`member` names who of the staff asks; nobody else has one", "/actor/member")
    signed = (envelope.actor.key, envelope.actor.timestamp, envelope.actor.nonce, envelope.actor.signature)
    if any((one is not None) != (envelope.actor.kind is ActorKind.API_KEY) for one in signed):
        raise BadRequest("`key`, `timestamp`, `nonce` and `signature` come with an API key, all four", "/actor")
    if envelope.actor.kind is ActorKind.STAFF and envelope.proofs:
        raise BadRequest("the staff prove themselves as they sign in, not here", "/proofs")
    if envelope.actor.kind is ActorKind.STAFF and envelope.dry_run:
        raise BadRequest("what the staff ask leaves a line: there are no dry runs of it", "/dry_run")


def _nearest(name: str) -> str:
    """What was meant, perhaps. Only names that everybody may read are said, and only so much is compared."""
    (near, *_) = get_close_matches(name[:_NAMED], PUBLIC, n=1) or [""]
    return f"; the nearest is `{near}`" if near else ""


def _check_route(envelope: Envelope) -> None:
    """What a device signed can only be compared with a route that the platform names. Raises BadRequest."""
    if envelope.actor.kind not in {ActorKind.OWNER, ActorKind.STAFF}:
        raise BadRequest("only the device of an owner, or of one of the staff, signs", "/actor/dpop")
    if envelope.context.method is None:
        raise BadRequest("with `dpop` must come the method that the device's request had", "/context/method")
    try:
        dpop.place(envelope.context.url or "")
    except ValueError:
        raise BadRequest("with `dpop` must come the whole URL that the device called", "/context/url") from None


def _converted(data: object, kind: Any, key: CustomerKey | None = None) -> Any:  # noqa: ANN401 - as msgspec.convert
    def seal(expected: type, value: object) -> Sealed:
        return _sealed(expected, value, key)

    try:
        return msgspec.convert(data, kind, dec_hook=seal)
    except msgspec.ValidationError as error:
        raise bad_request(str(error)) from None


def _sealed(expected: type, value: object, key: CustomerKey | None) -> Sealed:
    if key is None or not issubclass(expected, Sealed):
        raise NotImplementedError
    if isinstance(value, Made):
        return key.seal(value)
    if isinstance(value, spelling.Spelled) and issubclass(expected, Destination):
        return key.seal_destination(value.text, compared=value.compared, place=value.place)
    if isinstance(value, spelling.Spelled):
        return key.seal(value.text, compared=value.compared)
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST or "\x00" in value:
        raise ValueError(f"Expected `str` of 1 to {LONGEST} characters without NUL")
    if issubclass(expected, Destination):
        return key.seal_destination(value)
    return key.seal(value)


def _spelled(kind: type[Action], fields: dict[str, Any], networks: Mapping[str, Network]) -> Any:  # noqa: ANN401 - as `_reachable`
    """The fields with every contact and address in its one spelling.

    Raises BadRequest naming one that could not be reached, or is not written as addresses of its network are.
    """
    if kind is RecoveryEvidence and "memo" in fields:
        return fields  # refused as unknown: whose key signs has an address of his own
    if kind in PAYABLE:
        return _payable(fields, networks, "", strict=kind is not AddressRemove)
    if kind is ContactAdd:
        return _reachable(fields, "channel", "")
    if kind is AuthenticatorBind:
        return _reachable(fields, "kind", "")
    if kind is StaffEnrol:
        return fields | _mailbox(fields)
    if kind is ApiKeyCreate:
        return fields | _reaches(fields, networks)
    if kind is not AccountImport:
        return fields
    lists = {name: fields[name] for name in ("contacts", "authenticators") if isinstance(fields.get(name), list)}
    reached = {
        name: [
            _reachable(one, "channel" if name == "contacts" else "kind", f"/{name}/{place}")
            for place, one in enumerate(given)
        ]
        for name, given in lists.items()
    }
    book = fields.get("address_book")
    if isinstance(book, list):
        listed = [_payable(one, networks, f"/address_book/{place}") for place, one in enumerate(book)]
        reached["address_book"] = listed
    return fields | reached


def _capped(fields: dict[str, Any], exits: Mapping[str, str]) -> dict[str, Any]:
    """Who is paid where strangers are, so that one cap is kept to: a customer by whichever sub-account, a merchant.

    Raises BadRequest for a merchant without a letter.
    """
    kind, named = fields.get("kind"), fields.get("counterparty")
    network = exits.get(kind) if isinstance(kind, str) else None
    if network not in OPENED_KINDS or not isinstance(named, str) or not 1 <= len(named) <= LONGEST or "\x00" in named:
        return fields
    if network == "p2p":
        return fields | {"counterparty": spelling.Spelled(named, named.partition(".")[0])}
    spelled = spelling.merchant(named)
    if not spelled.compared:
        raise BadRequest("must name the merchant", "/counterparty")
    return fields | {"counterparty": spelled}


def _payable(one: Any, networks: Mapping[str, Network], pointer: str, *, strict: bool = True) -> Any:  # noqa: ANN401 - as `_reachable`
    """What names a destination, with its address in its one spelling, and the memo in it.

    So whatever compares addresses compares memos, too. Unless `strict`, one that no network would take is known as it
    is written: it may have been taken once, and is to go.
    """
    if not isinstance(one, dict):
        return one
    address, network, memo = one.get("address"), one.get("network", "bank"), one.get("memo")
    if memo is not None and address is None:
        raise BadRequest("a memo belongs to an address, and there is none", f"{pointer}/memo")
    if not (isinstance(address, str) and isinstance(network, str) and isinstance(memo, str | None)) or memo == "":
        return one
    if not 1 <= len(address) <= LONGEST or "\x00" in address:
        return one
    rest = {name: value for name, value in one.items() if name != "memo"}
    if not strict:
        return rest | {"address": addresses.spelled_once(networks, network, address, memo or "")}
    try:
        return rest | {"address": addresses.spelled(networks, network, address, memo or "")}
    except addresses.BadMemo as error:
        raise BadRequest(f"the memo {error}", f"{pointer}/memo") from None
    except ValueError as error:
        raise BadRequest(f"the address {error}", f"{pointer}/address") from None


def _reaches(fields: dict[str, Any], networks: Mapping[str, Network]) -> dict[str, Any]:
    """From where a new API key may ask and whom it may pay, each in its one spelling."""
    found: dict[str, Any] = {}
    if isinstance(fields.get("ip_allowlist"), list):
        found["ip_allowlist"] = [_network_listed(one, place) for place, one in enumerate(fields["ip_allowlist"])]
    if isinstance(fields.get("addresses"), list):
        listed = enumerate(fields["addresses"])
        found["addresses"] = [_payable(one, networks, f"/addresses/{place}") for place, one in listed]
    return found


def _network_listed(given: Any, place: int) -> Any:  # noqa: ANN401 - as it was sent
    """A network in its one spelling; what is no string is left for `msgspec.convert` to refuse."""
    try:
        return api_keys.network_spelled(given) if isinstance(given, str) else given
    except ValueError as error:
        raise BadRequest(str(error), f"/ip_allowlist/{place}") from None


def _mailbox(fields: dict[str, Any]) -> dict[str, Any]:
    """A new member's mailbox in its one spelling, as a contact's."""
    given = fields.get("email")
    spelled = _reachable({"channel": "email", "address": given}, "channel", "") if isinstance(given, str) else {}
    return {"email": spelled["address"]} if spelled else {}


def _reachable(one: Any, channel: str, pointer: str) -> Any:  # noqa: ANN401 - as it was sent
    """What has a wrong type is left for `msgspec.convert` to refuse."""
    if not isinstance(one, dict) or not isinstance(one.get("address"), str) or not isinstance(one.get(channel), str):
        return one
    address = one["address"]
    if not 1 <= len(address) <= LONGEST or "\x00" in address:
        return one
    try:
        return one | {"address": spelling.contact(one[channel], address)}
    except ValueError as error:
        raise BadRequest(str(error), f"{pointer}/address") from None


_AT: Final = re.compile(r" - at `(?:key` in `)?\$(.*)`$")
_UNKNOWN: Final = re.compile(r"^Object (?:contains unknown|missing required) field `(.*)`$", re.DOTALL)
_FOREIGN_HASH: Final = re.compile(
    r"\$(?!argon2)[0-9a-z-]{1,32}\$.*|[0-9a-z_]{3,32}\$[0-9]+\$.*|\{[A-Z0-9-]{2,16}\}.*|[0-9a-fA-F]{32,128}", re.DOTALL
)
"""How other systems keep passwords: crypt, Django, LDAP, bare hexadecimal.

Taken as a password, such a hash would lock its owner out and let in whoever ever stole the table it stood in.
"""
_NAMED: Final = 64
"""How much of an unknown field's name is said back, in characters."""


def bad_request(text: str) -> BadRequest:
    """Turn msgspec's message into one with a JSON pointer (RFC 6901). The offending value is never repeated."""
    found = _AT.search(text)
    # `[...]` is the value of some key that msgspec does not name.
    path = found[1].partition("[...]")[0] if found else ""
    pointer = re.sub(r"\[(\d+)\]", r"/\1", path).replace(".", "/")
    detail = text[: found.start()] if found else text
    named = _UNKNOWN.match(detail)
    if named:
        name = named[1][:_NAMED]
        detail = detail.replace(named[1], name)
        pointer += "/" + name.replace("~", "~0").replace("/", "~1")
    detail = re.sub(r"(Invalid (?:enum )?value) '.*'", r"\1", detail, flags=re.DOTALL)
    return BadRequest(formats.in_words(detail), pointer)


def action_digest(account: str, fields: Mapping[str, Any], hide: bytes) -> bytes:
    """The SHA-256 that names an action exactly: the account, a newline, and its fields as sorted compact JSON.

    Secrets in it are replaced by a keyed hash under `hide`, so that a stored digest tells nothing about a password.
    """
    plain = dict(fields)
    for name in ("password", "authenticators"):
        if name in plain:
            text = msgspec.json.encode(plain[name], order="sorted")
            plain[name] = hmac.new(hide, text, hashlib.sha256).hexdigest()
    return hashlib.sha256(account.encode() + b"\n" + msgspec.json.encode(plain, order="sorted")).digest()


class Made(str):
    """A credential that was made here: it may be longer than what comes from outside, which cannot be one."""

    __slots__ = ()


class Enrolled(NamedTuple):
    """Action fields in which secrets were replaced by credentials, and what the owner must be shown once.

    `registered` is what a browser's registration proved of the passkey that is confirmed by it.
    """

    fields: dict[str, Any]
    shown: dict[str, object]
    registered: KeyProof | None = None


def _refuse_secret(fields: dict[str, Any]) -> None:
    if "secret" in fields:
        raise BadRequest("the secret is made by Holdback and never sent", "/secret")


class Intake:
    """Turns wire requests into core requests, with the verifiers for each kind of proof.

    Example: `Intake(masters, passwords, verifiers, signing, entropy)`.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - everything that questions are made of
        self,
        masters: MasterKeys,
        passwords: PasswordVerifier,
        verifiers: Mapping[AuthenticatorKind, Verifier],
        signing: Signing,
        entropy: Entropy,
        origins: tuple[Networks, Browsers] | None = None,
        signatures: AddressSignatures | None = None,
        networks: Mapping[str, Network] | None = None,
        exits: Mapping[str, str] | None = None,
    ) -> None:
        """Use these keys, verifiers (of passwords, and one for each other kind but passkeys), chance and origins.

        Without `origins` no sign-in is scored; without `signatures` nobody shows the key of an address. Addresses are
        read as those of `networks` are written; `exits` says where each kind of exit leads.
        """
        self._exits = exits or {}
        self._masters = masters
        self._signatures = signatures
        self._networks = networks or {}
        self._origins = origins
        self._passwords = passwords
        self._signing = signing
        self._verifiers = {passwords.kind.value: passwords, **{kind.value: one for kind, one in verifiers.items()}}
        self._entropy = entropy

    def actor(self, account: str, wire: WireActor, now: Instant) -> ev.Actor:
        """Who asks, from what they can show. Raises BadRequest for a kind that cannot be claimed over this API."""
        if wire.kind is ActorKind.OWNER:
            return ev.Actor(ActorKind.OWNER, session=token_hash(wire.session) if wire.session else b"")
        if wire.kind is ActorKind.PLATFORM:
            return ev.Actor(ActorKind.PLATFORM)
        if wire.kind is ActorKind.STAFF and wire.member:
            session = token_hash(wire.session) if wire.session else b""
            return ev.Actor(ActorKind.STAFF, session=session, key=wire.member)
        if wire.kind is ActorKind.API_KEY and wire.key:
            return ev.Actor(ActorKind.API_KEY, key=wire.key)
        if wire.kind is ActorKind.AGENCY:
            return ev.Actor(ActorKind.AGENCY)
        if wire.kind is ActorKind.LINK:
            return self._link_actor(account, wire.token or "", now)
        raise BadRequest("this kind of actor proves itself elsewhere", "/actor/kind")

    def _link_actor(self, account: str, token: str, now: Instant) -> ev.Actor:
        try:
            link = self._masters.read_link(token)
        except LinkInvalid:
            raise BadRequest("the link is not valid", "/actor/token") from None
        if link.account != account or link.expires_at <= now or link.purpose != "freeze":
            raise BadRequest("the link is not valid for this account now", "/actor/token")
        return ev.Actor(ActorKind.LINK, contact=link.contact)

    async def enrolled(self, parsed: Parsed, holder: Holder | None = None) -> Enrolled:
        """Hash or make the secrets that an action carries. Raises BadRequest on an unfit one.

        `holder` is the customer it is asked for, None before there is one.
        """
        fields = dict(parsed.fields)
        if parsed.kind in CHOOSES_PASSWORD:
            given = fields.get("password")
            if isinstance(given, str) and given.startswith("$argon2"):
                raise BadRequest("a customer's password is not taken over as a hash", "/password")
            if parsed.kind is RecoveryFinish and given is None:
                return Enrolled(fields, {})
            if parsed.kind is RecoveryFinish and (holder is None or not _opened_it(parsed, holder.head)):
                # Whoever shows no right token is denied in any case: what a hash costs is not spent on strangers.
                return Enrolled(fields | {"password": "not looked at"}, {})
            fields["password"], _ = await self._enrol("password", given, "/password")
        elif parsed.kind is AuthenticatorBind:
            label = holder.key.open(holder.head.name) if holder is not None else ""
            return await self._bound(fields, holder, label)
        elif parsed.kind is RecoveryEvidence and fields.get("kind") == SIGNATURE and self._signatures is None:
            raise BadRequest("signatures of addresses are not checked here: it takes the extra `signatures`", "/kind")
        elif parsed.kind is ApiKeyCreate:
            return self._keyed(fields)
        elif parsed.kind is AuthenticatorConfirm:
            return self._confirmed(fields, parsed.envelope, holder)
        elif parsed.kind is StaffEnrol and fields.get("passkey") is not None:
            fields["passkey"], _ = await self._enrol("passkey", fields["passkey"], "/passkey")
        elif parsed.kind is AccountImport:
            fields["authenticators"] = await self._imported(fields.get("authenticators"))
            if fields.get("face") is not None:
                fields["face"] = _portrait(fields["face"])
        return Enrolled(fields, {})

    async def chosen(self, parsed: Parsed, holder: Holder, device: DeviceProof | None, policy: Policy) -> None:
        """Refuse a password its owner should not choose. Raises BadRequest; what is none is `enrolled`'s to refuse.

        A sign-in never comes here: that a password has become known is no reason to shut its owner out. Nor does
        whoever shows no live session, or not its key, nor the token of the recovery, and is denied by the core: the
        answer tells something of the owner.
        """
        given = parsed.fields.get("password")
        if parsed.kind not in CHOOSES_PASSWORD or not isinstance(given, str) or given.startswith("$argon2"):
            return
        if not _may_choose(parsed, holder, device, policy):
            return
        head, key, rules = holder.head, holder.key, policy.passwords
        alone, about = password_stands_alone(head), [key.open(head.name)]
        about += [key.open(one.address) for one in head.contacts.values()]
        if parsed.kind is RecoveryFinish:
            # What is lost goes, so that nothing may be left beside it; and who asks may still be a stranger.
            alone, about = True, []
        try:
            await self._passwords.judge(
                given,
                characters_min=rules.characters_alone_min if alone else rules.characters_min,
                strength_min=rules.strength_min,
                about=about,
            )
        except ValueError as error:
            raise BadRequest(str(error), "/password") from None

    def _confirmed(self, fields: dict[str, Any], envelope: Envelope, holder: Holder | None) -> Enrolled:
        """What registers a passkey is its proof and makes its credential, at once."""
        _refuse_secret(fields)
        name = fields.get("authenticator")
        shown = [one for one in envelope.proofs if one.kind == AuthenticatorKind.PASSKEY]
        if holder is None or not isinstance(name, str) or not shown or shown[0].authenticator not in {None, name}:
            return Enrolled(fields, {})
        registered = self._signing.confirm(holder, name, shown[0].response)
        if registered is None:
            return Enrolled(fields, {})
        return Enrolled(fields | {"secret": Made(registered.credential)}, {}, registered)

    def _keyed(self, fields: dict[str, Any]) -> Enrolled:
        """An API key with what its requests will be checked with; a secret that is made here is shown once."""
        _refuse_secret(fields)
        public_key = fields.get("public_key")
        fault = api_keys.public_key_fault(public_key) if isinstance(public_key, str) else ""
        if fault:
            raise BadRequest(fault, "/public_key")
        secret = self._entropy.token(32).hex()
        given = public_key if isinstance(public_key, str) else None
        kept = Made(api_keys.credential(secret, given))
        return Enrolled(fields | {"secret": kept}, {} if given is not None else {"secret": secret})

    async def _bound(self, fields: dict[str, Any], holder: Holder | None, label: str) -> Enrolled:
        _refuse_secret(fields)
        kind = fields.get("kind")
        _addressed(kind, fields.get("address"), "/address")
        if kind == AuthenticatorKind.PASSKEY:
            begun = self._signing.begin(holder) if holder is not None else None
            return Enrolled(fields | {"secret": Made(begun.credential)}, begun.shown) if begun else Enrolled(fields, {})
        if not isinstance(kind, str) or kind not in self._verifiers or kind == "password":
            return Enrolled(fields, {})
        secret, shown = await self._enrol(str(kind), "", "/kind", label)
        return Enrolled(fields | {"secret": secret}, shown)

    async def _imported(self, given: object) -> list[dict[str, Any]]:
        if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
            raise BadRequest("`authenticators` must be a list of objects", "/authenticators")
        imported = []
        kept_here = {*self._verifiers, AuthenticatorKind.PASSKEY.value}
        for place, one in enumerate(given[:17]):
            _addressed(one.get("kind"), one.get("address"), f"/authenticators/{place}/address")
            if isinstance(one.get("kind"), str) and one["kind"] in kept_here:
                pointer = f"/authenticators/{place}/secret"
                if not one.get("secret"):
                    raise BadRequest("an imported authenticator of this kind needs its secret", pointer)
                if one["kind"] == AuthenticatorKind.PASSWORD and _FOREIGN_HASH.fullmatch(str(one["secret"])):
                    raise BadRequest("a password hash must be argon2id in PHC form", pointer)
                secret, _ = await self._enrol(str(one["kind"]), one["secret"], pointer)
                one = one | {"secret": secret}  # noqa: PLW2901 - the caller's own object stays as it was sent
            imported.append(one)
        return imported

    async def nobodys(self, kind: AuthenticatorKind) -> str | None:
        """A credential of a kind that nobody can prove; None if the kind is not served."""
        if kind in decide.CHALLENGED:
            return "" if kind in RESTRICTED or self._signing.is_offered else None
        verifier = self._verifiers.get(kind)
        if verifier is None:
            return None
        given = self._entropy.token(16).hex() if kind is AuthenticatorKind.PASSWORD else ""
        return (await verifier.enrol(given, "")).credential

    async def _enrol(self, kind: str, given: object, pointer: str, label: str = "") -> tuple[str, dict[str, object]]:
        if not isinstance(given, str):
            raise BadRequest("a secret must be a string", pointer)
        try:
            if kind == AuthenticatorKind.PASSKEY:
                return Made(self._signing.imported(given)), {}
            enrolment = await self._verifiers[kind].enrol(given, label)
        except ValueError as error:
            raise BadRequest(str(error), pointer) from None
        return Made(enrolment.credential), enrolment.shown

    def action(self, kind: type[Action], fields: dict[str, Any], key: CustomerKey) -> Action:
        """The action with its personal fields sealed. Raises BadRequest naming the field that is wrong."""
        if kind is decide.NotAvailable:
            return decide.NotAvailable(fields["action"])
        spelled = _spelled(kind, fields, self._networks)
        if kind is ExitRequest:
            spelled = _capped(spelled, self._exits)
        action: Action = _converted(spelled, kind, key)
        if isinstance(action, AgencyAdd) and not is_recipient(action.recipient):
            raise BadRequest("is no age key: a digit is missing or wrong", "/recipient")
        return action

    def shared(self, account: str, parsed: Parsed) -> tuple[SharedKey, ...]:
        """What the destination is known by across accounts, if the action has one. Raises BadRequest."""
        if parsed.kind not in SHARES:
            return ()
        one = _payable(parsed.fields, self._networks, "")
        spelled = one.get("address")
        if not isinstance(spelled, spelling.Spelled):
            return ()
        return self._known_by(account, spelled)

    def shared_again(self, account: str, network: str, address: str) -> tuple[SharedKey, ...]:
        """The same of a destination that was taken before, even if it would not be now."""
        text, memo = spelling.parted(address) if network in self._networks else (address, "")
        return self._known_by(account, addresses.spelled_once(self._networks, network or "bank", text, memo))

    def shared_device(self, parsed: Parsed, device: DeviceProof | None) -> tuple[SharedKey, ...]:
        """What the device is known by across accounts that a sign-in comes from, if it is said.

        By its key if it showed one, for a name is the platform's word alone. An address of the network says nothing:
        strangers share it.
        """
        named = parsed.envelope.context.device
        if device is not None and not device.wrong:
            named = f"key {device.thumbprint.hex()}"
        return (device_keys(self._masters, named),) if named else ()

    def _known_by(self, account: str, one: spelling.Spelled) -> tuple[SharedKey, ...]:
        """With a memo the address alone counts as well: whose own it is may write any memo beside it."""
        place = one.place or one.compared
        known = [address_keys(self._masters, compared) for compared in dict.fromkeys((one.compared, place))]
        return (*known, dust_keys(self._masters, account, place))

    def check(self, parsed: Parsed) -> None:
        """Refuse what is malformed though there is nobody it could be about. Raises BadRequest."""
        self.action(parsed.kind, parsed.fields, self._masters.unwrap(self._masters.new_key()))

    def device(self, account: str, parsed: Parsed) -> DeviceProof | None:
        """What the asking device signed, checked against the route, the session's token and the exact action.

        A sign-in has no token yet, and a page that signs in does not know the account. A password in the action is left
        out of what is signed, for its hash would be there to guess at.
        """
        actor, seen = parsed.envelope.actor, parsed.envelope.context
        if actor.dpop is None:
            return None
        expected = dpop.Expected(seen.method or "", seen.url or "")
        if parsed.kind is not SessionStart:
            signed = {name: value for name, value in parsed.fields.items() if name != "password"}
            action = action_digest(account, signed, self._masters.hide)
            token = dpop.token_digest(actor.session or "")
            expected = expected._replace(token=token, action=action)
        return dpop.read(actor.dpop, expected)

    def key_fact(  # noqa: PLR0913, PLR0917 - what is signed, and who is said to have signed it
        self, issuer: str, account: str, wire: Envelope, program: Program | None, key: CustomerKey, digest: bytes
    ) -> KeyFact | None:
        """What a program signed, and whether it asked from where its key may; None if nobody shows a key.

        From where is looked at only if the signature is right: what takes longer tells nobody which keys there are.
        """
        actor = wire.actor
        if actor.kind is not ActorKind.API_KEY or actor.timestamp is None or actor.nonce is None:
            return None
        if program is None or program.secret is None:
            return KeyFact(right=False, nonce=actor.nonce, at=actor.timestamp, listed=False)
        shown = account, actor.key or "", actor.timestamp, actor.nonce, digest
        text = api_keys.signed_text(*shown, issuer=issuer, dry_run=wire.dry_run)
        right = api_keys.is_signed(key.open(program.secret), text, actor.signature or "")
        listed = right and api_keys.is_listed([key.open(one) for one in program.networks], wire.context.ip)
        return KeyFact(right, actor.nonce, actor.timestamp, listed)

    def context(
        self, wire: WireContext, key: CustomerKey, *, begins: bool = False, device: DeviceProof | None = None
    ) -> Context:
        """The context with its personal fields sealed; what only a sign-in or a recovery keeps is left out of others.

        A device that signed is known by its key, and what the platform calls it is not looked at.
        """
        named = key.mac(wire.device, field="device").hex() if wire.device else ""
        if device is not None and not device.wrong:
            named = key.mac(device.thumbprint.hex(), field="device_key").hex()
        return Context(
            device=named,
            ip=key.seal(wire.ip) if wire.ip else None,
            network=_network(wire.ip, key) if wire.ip and begins else b"",
            user_agent=key.seal(wire.user_agent) if wire.user_agent and begins else None,
            equity_micro_usd=micro_usd(wire.equity_usd) if wire.equity_usd is not None else None,
        )

    def warm(self) -> None:
        """Look something up, so that what is loaded for it at the first time is there: hundreds of milliseconds."""
        if self._origins is not None:
            networks, browsers = self._origins
            networks.whence("192.0.2.1", 0)
            browsers.program("Mozilla/5.0")

    def seen(self, wire: WireContext, key: CustomerKey, now: Instant) -> Seen | None:
        """Where a sign-in comes from and with what, as keyed hashes; None if nothing was said of either."""
        if self._origins is None or not (wire.ip or wire.user_agent):
            return None
        networks, browsers = self._origins
        whence = networks.whence(wire.ip, now) if wire.ip else Whence((), "", 0, "", ("address:unsaid",))
        program = browsers.program(wire.user_agent) if wire.user_agent else ("", "", "")
        texts = (whence.country, str(whence.asn or ""), *(whence.blocks or ("", "")), *program)
        hashes = tuple(_short(key, level, text) if text else 0 for level, text in zip(LEVELS, texts, strict=True))
        split = len(ADDRESS_LEVELS)
        missing = whence.missing if wire.user_agent else (*whence.missing, "browser:unsaid")
        return Seen(hashes[:split], hashes[split:], whence.country, whence.asn, whence.origin, missing)

    def token(self) -> str:
        """A new opaque session token of 256 bits."""
        return self._entropy.token(32).hex()

    def paper(self, action: Action, papers: Papers | None, now: Instant) -> PaperFact | None:
        """What was found of the paper that an action names. Raises BadRequest on a token that says nothing."""
        document = action.document if isinstance(action, LegalReceive | LegalFreezeOrder) else ""
        if not document:
            return None
        if papers is None:
            raise BadRequest("no paper is read here", "/document")
        try:
            return papers.fact(document, now)
        except ValueError as error:
            raise BadRequest(str(error), "/document") from None

    def drawn(self, names: Sequence[str], most: int) -> tuple[str, ...]:
        """So many of these by chance, or all if there are fewer; each as likely as any other."""
        lots = {self._entropy.token(16): name for name in names}
        return tuple(lots[lot] for lot in sorted(lots)[:most])

    async def proved(
        self, parsed: Parsed, holder: Holder, digest: bytes, enrolled: Enrolled, *, signs_in: bool
    ) -> tuple[Proof, ...]:
        """The proofs as facts, a sign-in's with a stronger hash where it is time for one. Nothing here accepts."""
        if not holder.looked_at:
            return tuple(
                Proof(one.kind, one.authenticator or "", 0, 0, digest, holder.now, right=False)
                for one in parsed.envelope.proofs
            )
        found = []
        for wire in parsed.envelope.proofs:
            if wire.kind == CONTACT_CODE:
                found.append(self._contact_proof(wire, parsed.envelope, holder.head, digest, holder.now))
            elif wire.kind == SIGNATURE:
                found.append(self._address_proof(wire, parsed, holder, digest))
            elif wire.kind in RESTRICTED:
                found.append(self._code_proof(wire, parsed.envelope, holder.head, digest, holder.now))
            elif wire.kind == AuthenticatorKind.PASSKEY and enrolled.registered is not None:
                found.append(_signed(parsed.fields["authenticator"], enrolled.registered, holder, digest))
            elif wire.kind == AuthenticatorKind.PASSKEY:
                found.append(
                    self._passkey_proof(wire, Called(parsed.envelope.challenge or "", parsed.outside), holder, digest)
                )
            else:
                found.append(await self._proof(wire, holder, digest))
        shown = tuple(found)
        return await self._renewed(parsed.envelope, holder.secrets, shown, holder.key) if signs_in else shown

    async def _proof(self, wire: WireProof, holder: Holder, digest: bytes) -> Proof:
        """Try each credential the proof could be for; one for nothing at all is wrong, and costs the same work."""
        head, now = holder.head, holder.now
        wrong = Proof(wire.kind, wire.authenticator or "", 0, 0, digest, now, right=False)
        verifier = self._verifiers.get(wire.kind)
        if verifier is None:
            return wrong
        names = [name for name in candidates(wire, head) if name in holder.secrets]
        if not names:
            await verifier.waste(wire.response)
        for name in names:
            counter = await verifier.verify(holder.secrets[name], wire.response, now)
            if counter is not None:
                return Proof(wire.kind, name, head.authenticators[name].epoch, counter, digest, now, right=True)
        return wrong

    async def _renewed(
        self, envelope: Envelope, secrets: Mapping[str, str], proofs: tuple[Proof, ...], key: CustomerKey
    ) -> tuple[Proof, ...]:
        """The proofs of a sign-in, the password's with a stronger credential if the one that is kept is weak by now.

        Only where every proof is right: else how long it takes would tell which one was. It is no reason to turn
        anybody away, so where too many passwords wait to be checked it is left for the next time.
        """
        if not all(one.right for one in proofs):
            return proofs
        found = []
        for wire, one in zip(envelope.proofs, proofs, strict=True):
            new = None
            if one.kind == AuthenticatorKind.PASSWORD:
                with suppress(TimeoutError):
                    new = await self._passwords.renewed(secrets[one.authenticator], wire.response)
            found.append(msgspec.structs.replace(one, renewed=key.seal(new)) if new else one)
        return tuple(found)

    def _code_proof(self, wire: WireProof, envelope: Envelope, head: Head, digest: bytes, now: Instant) -> Proof:
        """A code that was sent to where an authenticator lives: for the challenge, or to confirm that one is bound."""
        challenge = head.challenges.get(envelope.challenge or "")
        for name in candidates(wire, head):
            one = head.authenticators[name]
            if not one.confirmed:
                subject, sent_at = confirm_subject(name, one.bound_at), one.bound_at
            elif challenge is not None and name in challenge.codes_at:
                sent_at = challenge.codes_at[name]
                subject = challenge_subject(envelope.challenge or "", sent_at)
            else:
                continue
            right = self._masters.check_contact_code(wire.response, head.account, subject, name)
            if right and now < sent_at + AUTHENTICATOR_CODE_MS:
                return Proof(wire.kind, name, one.epoch, sent_at, digest, now, right=True)
        return Proof(wire.kind, wire.authenticator or "", 0, 0, digest, now, right=False)

    def _address_proof(self, wire: WireProof, parsed: Parsed, holder: Holder, digest: bytes) -> Proof:
        """What the key of the address that the action names signed, of the open challenge's message."""
        address, network = parsed.fields.get("address"), parsed.fields.get("network")
        name, right = "", False
        message = self._signing.address_message(holder.head, parsed.envelope.challenge or "")
        if isinstance(address, str) and isinstance(network, str) and 1 <= len(address) <= LONGEST:
            spelled = addresses.spelled(self._networks, network, address)
            name = beneficiary_name(network, holder.key.seal_destination(address, compared=spelled.compared))
            known = self._signatures if message else None
            right = known is not None and known.signed(spelled.compared, message, wire.response)
        return Proof(SIGNATURE, name, 0, 0, digest, holder.now, right)

    def _passkey_proof(self, wire: WireProof, step_up: Called, holder: Holder, digest: bytes) -> Proof:
        """The passkey names itself in its response; one that signed nothing that is open proves nothing."""
        for name in candidates(wire, holder.head):
            said = self._signing.proved(holder, name, wire.response, step_up, digest)
            if said is not None:
                return _signed(name, said, holder, digest)
        return Proof(wire.kind, wire.authenticator or "", 0, 0, digest, holder.now, right=False)

    def _contact_proof(self, wire: WireProof, envelope: Envelope, head: Head, digest: bytes, now: Instant) -> Proof:
        challenge = head.challenges.get(envelope.challenge or "")
        name = challenge.contact if challenge and challenge.contact else wire.authenticator or ""
        contact = head.contacts.get(name)
        if contact is None:
            return Proof(CONTACT_CODE, name, 0, 0, digest, now, right=False)
        if challenge and challenge.contact:
            subject, fresh = envelope.challenge or "", now < challenge.until
        else:
            subject, fresh = confirm_subject(name, contact.asked_at), now < contact.asked_at + CODE_MS[contact.channel]
        right = self._masters.check_contact_code(wire.response, head.account, subject, name)
        return Proof(CONTACT_CODE, name, 0, 0, digest, now, right=right and fresh)


def _portrait(given: object) -> Made:
    """A portrait in base64, if it can be one. Raises BadRequest: what is none would be found out in a recovery."""
    refused = BadRequest(f"must be a JPEG or PNG of at most {FACE_BYTES} bytes, in base64", "/face")
    if not isinstance(given, str) or len(given) > 4 * FACE_BYTES // 3 + 4:
        raise refused
    try:
        picture = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        raise refused from None
    if not picture.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")) or len(picture) > FACE_BYTES:
        raise refused
    return Made(given)


def _may_choose(parsed: Parsed, holder: Holder, device: DeviceProof | None, policy: Policy) -> bool:
    """Whether the core would look at a password that this request carries."""
    head = holder.head
    if parsed.kind is RecoveryFinish:
        return _opened_it(parsed, head)
    session = head.sessions.get(token_hash(parsed.envelope.actor.session or ""))
    if session is None or session.ends_at() <= holder.now:
        return False
    return key_fault(head, session, device, policy, holder.now) is None


def _opened_it(parsed: Parsed, head: Head) -> bool:
    """Whether a recovery is under way and this request shows its token."""
    shown = token_hash(parsed.envelope.actor.session or "")
    return head.recovery is not None and hmac.compare_digest(shown, head.recovery.token)


def _short(key: CustomerKey, level: str, text: str) -> int:
    """A keyed hash of 32 bits, never 0: enough to tell eight values apart, and five bytes where it is kept."""
    return int.from_bytes(key.mac(text, field=f"seen {level}")[:4]) or 1


def _signed(name: str, said: KeyProof, holder: Holder, digest: bytes) -> Proof:
    epoch = holder.head.authenticators[name].epoch
    kind = AuthenticatorKind.PASSKEY.value
    return Proof(kind, name, epoch, said.counter, digest, holder.now, right=True, backed_up=said.backed_up)


def wanted_credentials(parsed: Parsed, head: Head) -> list[str]:
    """Authenticators whose credentials must be opened: those that a proof could be by, and passkeys that may be asked.

    A tightening that asks for no proof opens none.
    """
    shown = [name for one in parsed.envelope.proofs for name in candidates(one, head)]
    rule = decide.RULES.get(parsed.kind)
    asked = passkeys(head) if rule is not None and not rule.proofless else []
    return list(dict.fromkeys((*shown, *asked)))


def is_dear(parsed: Parsed) -> bool:
    """Whether taking a question in may cost a hash of a password, old or new, or the picture of a new secret."""
    shown = any(one.kind == AuthenticatorKind.PASSWORD for one in parsed.envelope.proofs)
    return shown or parsed.kind in {PasswordChange, AuthenticatorBind}


_MAPPED: Final = bytes(10) + b"\xff\xff"
"""How an IPv6 address begins that stands for an IPv4 one (RFC 4291 section 2.5.5.2)."""


def network_of(ip: str) -> str:
    """The /24 or /48 an address is in, the least that one stranger has; "" if it is none."""
    try:
        packed = inet_pton(AF_INET6 if ":" in ip else AF_INET, ip.partition("%")[0])
    except (OSError, ValueError):
        return ""
    if len(packed) == 4 or packed.startswith(_MAPPED):  # noqa: PLR2004 - the bytes of an IPv4 address
        return f"{inet_ntop(AF_INET, packed[-4:-1] + bytes(1))}/24"
    return f"{inet_ntop(AF_INET6, packed[:6] + bytes(10))}/48"


def _network(ip: str, key: CustomerKey) -> bytes:
    """The hash of the network an address is in, under its customer's key."""
    network = network_of(ip)
    return key.mac(network, field="network")[:8] if network else b""


def candidates(wire: WireProof, head: Head) -> list[str]:
    """The authenticators a proof could be for: the one it names, else all of its kind."""
    if wire.authenticator is not None:
        named = head.authenticators.get(wire.authenticator)
        return [wire.authenticator] if named is not None and named.kind == wire.kind else []
    return [name for name, one in head.authenticators.items() if one.kind == wire.kind]


CODE_MS: Final = {Channel.EMAIL: 24 * HOUR, Channel.SMS: 10 * MINUTE, Channel.PUSH: 10 * MINUTE}
"""How long a code that confirms a contact is good for (NIST SP 800-63B-4 section 3.1.3.2)."""


def confirm_subject(contact: str, asked_at: Instant) -> str:
    """What a contact's or authenticator's confirmation code is made for: each asking has a code of its own."""
    return f"confirm:{contact}:{asked_at}"


def challenge_subject(challenge: str, sent_at: Instant) -> str:
    """What a code to a restricted authenticator is made for: each sending for a challenge has a code of its own."""
    return f"{challenge}:{sent_at}"


def _addressed(kind: object, address: object, pointer: str) -> None:
    """Refuse a restricted authenticator without an address: no code could reach it. Raises BadRequest."""
    if isinstance(kind, str) and kind in RESTRICTED and address is None:
        raise BadRequest("an authenticator of this kind needs the address that codes go to", pointer)


def token_hash(token: str) -> bytes:
    """The first 16 bytes of the SHA-256 of a session token, which is all that is kept of it."""
    return dpop.token_digest(token)[:16]
