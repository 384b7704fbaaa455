"""From a step's words to the action the core is asked: names become ids, destinations and accounts."""

from __future__ import annotations

import hashlib
import re
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from holdback.addresses import invented
from holdback.core import decide
from holdback.core.disclosure import GIVES_AWAY
from holdback.core.events import AuthenticatorKind, Channel, Role, Scope
from holdback.core.rules import (
    account,
    address,
    agency,
    api_key,
    authenticator,
    breaker,
    change,
    contact,
    incident,
    legal,
    order,
    password,
    recovery,
    session,
    setting,
    staff,
)
from holdback.core.rules import exit as exits
from holdback.lab import playbooks as words
from holdback.lab.people import OWNER, People
from holdback.lab.sealing import fake_destination, fake_sealed
from holdback.lab.world import CUSTOMER
from holdback.spelling import with_memo
from holdback.wiring import load_policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdback.core.events import Destination
    from holdback.core.policy import Network, Policy
    from holdback.core.rules.asking import Action
    from holdback.core.state import Head
    from holdback.lab.playbooks import Playbook, Step
    from holdback.lab.world import World

ASSET: Final = "USDT"
"""What every story is paid in: a dollar each, so that amounts are what they are worth."""

_LEAST: Final = 0.000001
"""The least price of a story."""

_UNKNOWN: Final = "none"
"""An id that nothing has: asking for it is how an actor asks for what does not exist."""

_ADDRESS: Final = re.compile(r"[A-Za-z0-9]{26,}")


class Move(NamedTuple):
    """What to ask. `proof` names the kind, and whose, of a proof that comes with the question itself."""

    action: Action
    counterparty: str = ""
    proof: tuple[str, str] | None = None
    address: str = ""


def usd(amount: float) -> str:
    """A number of the story as the core's money: at most six places, none of them by accident."""
    return f"{Decimal(str(amount)).quantize(Decimal('0.000001')):f}"


def address_text(name: str, network: str) -> str:
    """Where a name of the story points: a name that is written like an address is itself one."""
    if _ADDRESS.fullmatch(name):
        return name
    listed = _networks().get(network)
    made = f"{network}/{name}"
    return invented(listed, made) if listed is not None else hashlib.sha256(made.encode()).hexdigest()[:40]


@cache
def _networks() -> dict[str, Network]:
    return load_policy("default").networks


def place_in_book(name: str, network: str, memo: str = "") -> Destination | None:
    """The destination of an entry of the book; None where the entry opens a kind."""
    text = with_memo(address_text(name, network), memo)
    return None if network in address.OPENED_KINDS else fake_destination(text)


class Moves:
    """Makes actions of steps, for one story. It remembers which things earlier steps have made."""

    def __init__(self, story: Playbook, policy: Policy, world: World, people: People) -> None:
        """Learn every network a name of the story is on."""
        self._policy = policy
        self._world = world
        self._people = people
        self._networks = _places(story)
        self._made: dict[str, str] = {}
        self._last: dict[str, str] = {}
        self._newest: dict[Channel, str] = {}
        self._secrets = self._orders = 0
        self._makers: dict[str, Callable[[Step], Move]] = {
            "account.import": self._import,
            "password.change": self._password,
            "authenticator.bind": self._bind,
            **dict.fromkeys((*_BY_AUTHENTICATOR, "authenticator.confirm"), self._authenticator),
            "contact.add": self._new_contact,
            **dict.fromkeys(_BY_CONTACT, self._contact),
            **dict.fromkeys(("address.add", "address.renew", "address.remove"), self._place),
            **dict.fromkeys(("allowlist.set", "lock.set", "limit.set", "vault.set"), self._setting),
            **dict.fromkeys(_BY_WHICH, self._which),
            "exit.settle": self._settle,
            "exit.request": self._exit,
            **dict.fromkeys(("order.place", "order.report"), self._trade),
            **dict.fromkeys(("api_key.create", "api_key.suspend", "api_key.revoke"), self._api_key),
            "recovery.open": lambda step: Move(recovery.RecoveryOpen(step.fields.lost)),
            "recovery.evidence": lambda step: Move(recovery.RecoveryEvidence(step.fields.kind, step.fields.channel)),
            "recovery.review": lambda step: Move(recovery.RecoveryReview(step.fields.verdict, fake_sealed("seen"))),
            "recovery.finish": self._finish,
            "evidence.burn": self._burn,
            "incident.report": lambda step: Move(incident.IncidentReport(fake_sealed(step.fields.story))),
            "staff.look_up": self._look_up,
            "staff.enrol": lambda step: Move(staff.StaffEnrol(tuple(Role(one) for one in step.fields.roles))),
            "staff.retire": lambda _step: Move(staff.StaffRetire()),
            "agency.add": lambda _step: Move(_ENTRY),
            "agency.remove": lambda _step: Move(agency.AgencyRemove()),
            "legal.receive": self._papers,
            "legal.freeze_order": self._freeze_order,
            "legal.call_back": lambda step: Move(legal.LegalCallBack(step.fields.confirmed, OFFICER)),
            "incident.note": lambda step: Move(incident.IncidentNote(fake_sealed(step.fields.story))),
        }

    def made(self, step: Step, name: str, *, waits: bool) -> None:
        """Remember the id of what a step made, or made wait."""
        if waits or step.do == "exit.request":
            self._last[_group(step.do)] = name
        if step.id is not None:
            self._made[step.id] = name
        if isinstance(step.fields, words.NewKey):
            self.has_key(step.fields.name, name)
        if isinstance(step.fields, words.NewContact):
            self._newest[step.fields.channel] = name

    def has_key(self, name: str, key: str) -> None:
        """Remember the id of a key by its name in the story."""
        self._made[f"key {name}"] = key

    def of(self, step: Step) -> Move:
        """The action a step asks for."""
        if step.do in decide.PLANNED:
            return Move(decide.NotAvailable(step.do))
        if step.do in _PLAIN:
            return Move(_PLAIN[step.do]())
        return self._makers[step.do](step)

    @property
    def _head(self) -> Head:
        return self._world.head

    def _api_key(self, step: Step) -> Move:
        if isinstance(step.fields, words.NewKey):
            return Move(key_of(step.fields))
        name = self._made.get(f"key {step.fields.name}", _UNKNOWN)
        return Move(api_key.ApiKeySuspend(name) if step.do == "api_key.suspend" else api_key.ApiKeyRevoke(name))

    def _import(self, _step: Step) -> Move:
        """Importing an account twice is all that a story could try."""
        own = account.ImportedAuthenticator(AuthenticatorKind.PASSWORD, fake_sealed("another"))
        reached = account.ImportedContact(Channel.EMAIL, fake_sealed("another"))
        return Move(account.AccountImport(fake_sealed("another"), (own,), (reached,)))

    def _password(self, _step: Step) -> Move:
        self._secrets += 1
        return Move(password.PasswordChange(fake_sealed(f"password {self._secrets}")))

    def _finish(self, _step: Step) -> Move:
        self._secrets += 1
        return Move(recovery.RecoveryFinish(fake_sealed(f"password {self._secrets}")))

    def _look_up(self, step: Step) -> Move:
        """A look-up. The help desk opened the ticket that a step names; one that names none says so."""
        ticket = step.fields.ticket or _UNKNOWN
        if step.fields.ticket is not None:
            self._world.ticket(ticket)
        return Move(staff.StaffLookUp(ticket, step.fields.fields, fake_sealed("asked for help")))

    def _papers(self, step: Step) -> Move:
        said = step.fields
        return Move(legal.LegalReceive(said.agency, said.fields, said.legal_basis, _document(said.signed)))

    def _burn(self, step: Step) -> Move:
        """What a story says became known, as the kinds of evidence that it would give away."""
        kinds = dict.fromkeys(kind for told in step.fields.kinds for kind in GIVES_AWAY.get(told, (told,)))
        return Move(recovery.EvidenceBurn(tuple(kinds), "owner" if step.by == OWNER else "leak"))

    def _bind(self, step: Step) -> Move:
        """A phone number or mailbox is the owner's first one if he has not bound it yet, else another."""
        kind, person = step.fields.kind, step.by
        self._secrets += 1
        if kind not in {AuthenticatorKind.SMS, AuthenticatorKind.EMAIL}:
            return Move(authenticator.AuthenticatorBind(kind, secret=fake_sealed(f"secret {self._secrets}")))
        first = self._people.address(person, Channel(kind.value))
        taken = {one.holder for one in self._head.authenticators.values()}
        again = person != OWNER or fake_sealed(first).mac in taken
        text = self._people.address(person, Channel(kind.value), self._secrets) if again else first
        return Move(authenticator.AuthenticatorBind(kind, address=fake_sealed(text)), address=text)

    def _authenticator(self, step: Step) -> Move:
        """The oldest of its kind that the action could be about; confirming, the newest."""
        confirmed = step.do != "authenticator.confirm"
        fitting = [
            key
            for key, one in self._head.authenticators.items()
            if one.kind is step.fields.kind and one.confirmed == confirmed
            if one.suspended == (step.do == "authenticator.reinstate") or step.do == "authenticator.remove"
        ]
        name = (fitting[0] if confirmed else fitting[-1]) if fitting else _UNKNOWN
        if confirmed:
            return Move(_BY_AUTHENTICATOR[step.do](name))
        return Move(confirming(name, step.fields.kind), proof=(step.fields.kind.value, name))

    def _new_contact(self, step: Step) -> Move:
        text = step.fields.address
        return Move(contact.ContactAdd(step.fields.channel, fake_sealed(text)))

    def _contact(self, step: Step) -> Move:
        channel = step.fields.channel
        first = next((key for key, one in self._head.contacts.items() if one.channel is channel), _UNKNOWN)
        name = self._newest.get(channel, first) if step.fields.contact == "newest" else first
        proof = ("contact_code", name) if step.do == "contact.confirm" else None
        return Move(_BY_CONTACT[step.do](name), proof=proof)

    def _place(self, step: Step) -> Move:
        name, network = step.fields.name, step.fields.network
        place = place_in_book(name, network, step.fields.memo)
        if step.do == "address.add":
            return Move(address.AddressAdd(fake_sealed(name), network, place))
        kind = address.AddressRenew if step.do == "address.renew" else address.AddressRemove
        return Move(kind(network, place))

    def _setting(self, step: Step) -> Move:
        match step.fields:
            case words.On(on=on):
                return Move(setting.AllowlistSet(on))
            case words.Hours(hours=hours):
                return Move(setting.LockSet(hours))
            case words.Share():
                return self._vault(step.fields)
            case words.DailyLimit(trades=str(closed)):
                return Move(setting.LimitSet(trades=closed))
            case _:
                limit = step.fields.usd_per_day
                return Move(setting.LimitSet(None if limit is None else usd(limit)))

    def _vault(self, said: words.Share) -> Move:
        percent = round(said.share * 100 if said.share <= 1 else said.share)
        approver = None if said.approver is None else self._contact_on(said.approver)
        return Move(setting.VaultSet(percent, said.hours, approver))

    def _contact_on(self, channel: Channel) -> str:
        """The newest contact on a channel: of the ones that a story added, else the last of those there are."""
        there = [key for key, one in self._head.contacts.items() if one.channel is channel and not one.removed]
        return self._newest.get(channel, there[-1] if there else _UNKNOWN)

    def _which(self, step: Step) -> Move:
        return Move(_BY_WHICH[step.do](self._named(step)))

    def _named(self, step: Step) -> str:
        """What a step names; of an order what it gave away to another customer."""
        which = step.fields.which
        name = self._last.get(_group(step.do)) if which == "last" else self._made.get(which)
        given_away = (key for key, one in self._head.sent.items() if one.order and one.order == name)
        return next(given_away, name) or _UNKNOWN

    def _settle(self, step: Step) -> Move:
        said = step.fields
        return Move(exits.ExitSettle(self._named(step), "payment", said.stage))

    def _exit(self, step: Step) -> Move:
        return self.exit(step.fields)

    def exit(self, wish: words.Exit, network: str | None = None) -> Move:
        """An exit. Whom it names is an address or a customer of the platform as the kind's network wants it.

        `network` is where an address is, if not where the story says.
        """
        on = network
        network = self._policy.exits.get(wish.kind, "*")
        name = wish.address or wish.counterparty or "someone"
        amount = usd(wish.usd)
        if network == "own":
            own = CUSTOMER if name == "main" else name
            return Move(exits.ExitRequest(wish.kind, ASSET, amount, amount, counterparty=fake_destination(own)), own)
        if network in {"internal", *address.OPENED_KINDS}:
            other = self._customer(name)
            place = fake_destination(address_text(name, "internal"))
            return Move(exits.ExitRequest(wish.kind, ASSET, amount, amount, counterparty=place), other)
        on = on or (self._networks.get(name, "bitcoin") if network == "*" else network)
        place = fake_destination(with_memo(address_text(name, on), wish.memo))
        return Move(exits.ExitRequest(wish.kind, ASSET, amount, amount, address=place, network=on))

    def _freeze_order(self, step: Step) -> Move:
        said = step.fields
        return Move(legal.LegalFreezeOrder(said.agency, _ORDER_D, _document(said.signed)))

    def _trade(self, step: Step) -> Move:
        return self._order(step) if step.do == "order.place" else self._report(step)

    def _order(self, step: Step) -> Move:
        """An order so much worse than the reference of 1."""
        wish, worse = step.fields, _price(step.fields)
        self._orders += 1
        placed = order.OrderPlace(
            f"o-{self._orders}",
            wish.pair,
            wish.side,
            worse,
            usd(wish.usd),
            leverage=f"{Decimal(str(wish.leverage)).quantize(Decimal('0.01')):f}",
            reduces=wish.reduces,
        )
        return Move(placed, self._customer(wish.counterparty) if wish.counterparty else "")

    def _report(self, step: Step) -> Move:
        """The last order, matched as the step says."""
        wish, other = step.fields, self._customer(step.fields.counterparty) if step.fields.counterparty else ""
        filled = order.OrderReport(
            f"o-{self._orders}", wish.pair, wish.side, _price(wish), usd(wish.usd), reduced=wish.reduces
        )
        return Move(filled, other)

    def _customer(self, name: str) -> str:
        """The account id of another customer, who is imported if need be; own accounts are the own customer's."""
        if name == "main" or name in self._head.sub_accounts:
            return CUSTOMER
        other = f"other-{name}"
        self._world.know(other)
        return other


def _price(wish: words.Order) -> str:
    """The price of an order of a story; nobody sells for nothing."""
    return usd(1 + wish.premium if wish.side == "buy" else max(1 - wish.premium, _LEAST))


def key_of(wish: words.NewKey | words.ApiKey) -> api_key.ApiKeyCreate:
    """A key as a story has it."""
    networks = tuple(fake_sealed(one) for one in wish.ip_allowlist)
    secret = fake_sealed(f"key {wish.name}")
    return api_key.ApiKeyCreate(
        fake_sealed(wish.name), tuple(Scope(one) for one in wish.scopes), networks, secret=secret
    )


SIGNED: Final = "signed"
"""What stands for a paper that is signed as it should be."""

OFFICER: Final = "officer"
"""Who answers at the number of every agency that is registered."""

_ORDER_D: Final = 30

_ENTRY: Final = agency.AgencyAdd(
    fake_sealed("agency"),
    (agency.AgencyOfficer(OFFICER, fake_sealed("officer"), fake_sealed("number")),),
    "age1" + "q" * 58,
)
"""An entry of the registry. Stories are about a customer, in whose stream no agency is entered."""


def _document(signed: bool) -> str:  # noqa: FBT001 - the story's own word
    return SIGNED if signed else ""


def confirming(name: str, kind: AuthenticatorKind) -> authenticator.AuthenticatorConfirm:
    """Showing that a newly bound authenticator works; a passkey is registered by it."""
    key = fake_sealed(f"key of {name}") if kind is AuthenticatorKind.PASSKEY else None
    return authenticator.AuthenticatorConfirm(name, key)


def _places(story: Playbook) -> dict[str, str]:
    """The network of every name that is somewhere; where the book has it counts most."""
    found = {step.fields.name: step.fields.network for step in story.steps if _names_place(step)}
    found |= {one.name: one.network for one in story.elsewhere}
    return found | {one.name: one.network for one in story.account.address_book}


def _names_place(step: Step) -> bool:
    return isinstance(step.fields, words.Destination)


def _group(do: str) -> str:
    """What `last` means to an action: exits are apart from changes."""
    return "exit" if do.startswith("exit.") else "change"


_PLAIN: Final[dict[str, Callable[[], Action]]] = {
    "account.freeze": account.AccountFreeze,
    "account.unfreeze": account.AccountUnfreeze,
    "session.start": session.SessionStart,
    "session.end": session.SessionEnd,
    "session.end_all": session.SessionEndAll,
    "recovery.contest": recovery.RecoveryContest,
    "recovery.cancel": recovery.RecoveryCancel,
    "incident.close": incident.IncidentClose,
    "legal.approve": legal.LegalApprove,
    "breaker.reset": breaker.BreakerReset,
    "legal.release": legal.LegalRelease,
    "legal.reject": lambda: legal.LegalReject(forged=True),
}
"""What needs no fields. A freeze stops the whole family whatever scope the story names."""

_BY_AUTHENTICATOR: Final[dict[str, Callable[[str], Action]]] = {
    "authenticator.remove": authenticator.AuthenticatorRemove,
    "authenticator.suspend": authenticator.AuthenticatorSuspend,
    "authenticator.reinstate": authenticator.AuthenticatorReinstate,
}
_BY_CONTACT: Final[dict[str, Callable[[str], Action]]] = {
    "contact.confirm": contact.ContactConfirm,
    "contact.remove": contact.ContactRemove,
    "contact.report_recycled": contact.ContactReportRecycled,
}
_BY_WHICH: Final[dict[str, Callable[[str], Action]]] = {
    "change.cancel": change.ChangeCancel,
    "exit.cancel": exits.ExitCancel,
    "exit.release": exits.ExitRelease,
}
