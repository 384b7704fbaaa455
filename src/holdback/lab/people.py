"""Who can prove, read and use what; and how that changes while secrets are replaced and contacts added.

This is the only judge of a thief's means. It is generous to him wherever a story leaves room, for a lab that
flatters its owner proves nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from holdback.core.assurance import CONTACT_CODE
from holdback.core.decision import Context, Proof
from holdback.core.events import AuthenticatorKind, Channel
from holdback.lab.sealing import fake_sealed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdback.core.events import Instant
    from holdback.core.state import Authenticator, Head
    from holdback.lab.playbooks import Capability, Playbook

OWNER: Final = "owner"
ATTACKER: Final = "attacker"

_TOTP_STEP_MS: Final = 30_000
_ADDRESSED: Final = {AuthenticatorKind.SMS: Channel.SMS, AuthenticatorKind.EMAIL: Channel.EMAIL}


class Place(NamedTuple):
    """From where someone acts: a device, in a network of a country."""

    device: str
    country: str
    asn: int

    def context(self, equity_micro_usd: int | None) -> Context:
        """What the platform says of a request made from here."""
        ip = fake_sealed(f"{self.country}:AS{self.asn}")
        return Context(self.device, ip, fake_sealed(f"browser on {self.device}"), equity_micro_usd)


class People:
    """The owner and the thief of one story, with what each holds. Everybody else proves nothing here."""

    def __init__(self, story: Playbook) -> None:
        """Read the cast from the story."""
        self._story = story
        self._capable = _capabilities(story.attacker.holds)
        self._tapped = {channel for channel in Channel if channel.value in self._capable}
        self._holders: dict[str, set[str]] = {}
        self._added_by: dict[str, str] = {}
        self._tokens: dict[str, list[bytes]] = {OWNER: [], ATTACKER: []}
        self._recoveries: dict[str, bytes] = {}
        self.past_device: str | None = None
        self.live = b""

    def has(self, capability: str) -> bool:
        """Whether the thief has this capability."""
        return capability in self._story.attacker.holds

    def place(self, person: str) -> Place:
        """From where a person acts."""
        return self._thieves_place() if person == ATTACKER else self._owners_place()

    @property
    def thieves_device(self) -> str:
        """The owner's device that the thief acts from, by its name; none if it is his own."""
        return self._story.attacker.device.removeprefix("new")

    def _owners_place(self) -> Place:
        """In the past that is where the past says; the story's own words are about what comes after t0."""
        owner, devices = self._story.owner, {one.name: one for one in self._story.account.devices}
        first = next(iter(devices.values()), None)
        name = self.past_device or owner.device or (first.name if first else "unlisted")
        base = devices.get(name, first)
        country = owner.country if owner.country is not None else base.country if base else ""
        asn = owner.asn if owner.asn is not None else base.asn if base else 0
        return Place(device_id(name), country, asn)

    def _thieves_place(self) -> Place:
        thief, holds = self._story.attacker, self._story.attacker.holds
        if self.thieves_device:
            return Place(device_id(self.thieves_device), thief.country, thief.asn)
        if {"own_device", "stolen_phone"} & holds and not thief.device:
            return Place(self._owners_place().device, thief.country, thief.asn)
        return Place("thief:new", thief.country, thief.asn)

    def address(self, person: str, channel: Channel, number: int = 0) -> str:
        """A mailbox, phone number or app of a person; number 0 is the one the account began with."""
        return f"{person}:{channel}:{number}"

    def imported(self, name: str, kind: AuthenticatorKind) -> None:
        """Note who holds an authenticator that the account began with."""
        self._holders[name] = {OWNER, ATTACKER} if kind.value in self._capable else {OWNER}

    def bound(self, name: str, kind: AuthenticatorKind, person: str, address: str) -> None:
        """Whoever binds a secret holds it; a code to a phone number also reaches whoever holds that number."""
        self._holders[name] = {person}
        channel = _ADDRESSED.get(kind)
        if channel in self._tapped and address == self.address(OWNER, channel):
            self._holders[name].add(ATTACKER)

    def replaced(self, name: str, person: str) -> None:
        """A replaced secret is worthless from here on: only who chose the new one holds it."""
        self._holders[name] = {person}

    def holds(self, person: str, name: str) -> bool:
        """Whether a person can prove with an authenticator now."""
        holders = self._holders.get(name, set())
        return person in holders or (person == ATTACKER and self.has("own_device") and OWNER in holders)

    def added(self, contact: str, person: str) -> None:
        """Note whose a new contact is."""
        self._added_by.setdefault(contact, person)

    def is_tapped(self, contact: str, channel: Channel) -> bool:
        """Whether what is sent there counts as not having reached the owner."""
        adder = self._added_by.get(contact)
        return channel in self._tapped if adder is None else adder != OWNER

    def sees(self, contact: str, channel: Channel) -> bool:
        """Whether the owner sees a notice that is sent there."""
        return channel in self._story.owner.reads and not self.is_tapped(contact, channel)

    def reads_codes(self, person: str, contact: str, head: Head) -> bool:
        """Whether a person can read a code that is sent there."""
        one = head.contacts[contact]
        if person == OWNER:
            return self._added_by.get(contact, OWNER) == OWNER
        if person != ATTACKER:
            return False
        same_box = [key for key, other in head.authenticators.items() if other.holder == one.address.mac]
        return self.is_tapped(contact, one.channel) or any(self.holds(ATTACKER, key) for key in same_box)

    def signed_in(self, person: str, token: bytes) -> None:
        """Note a session that a person started."""
        self._tokens[person].append(token)

    def opened(self, person: str, token: bytes) -> None:
        """Note the token of a recovery that a person opened."""
        self._recoveries[person] = token

    def recovery(self, person: str) -> bytes:
        """The token of the recovery that a person opened last, none if there is none."""
        return self._recoveries.get(person, b"")

    def can_show(self, person: str, evidence: str) -> bool:
        """Whether evidence that somebody outside judges passes when this person shows it."""
        if person == OWNER:
            return True
        needed = {"face": "face_swap", "id_document": "kyc_file", "in_person": "insider_reviewer"}.get(evidence, "")
        return person == ATTACKER and needed in self._capable

    def acts_from_owners(self, person: str) -> bool:
        """Whether a person acts from a device whose key is the owner's."""
        return person == OWNER or (person == ATTACKER and bool({"own_device", "stolen_phone"} & self._capable))

    def session(self, person: str, head: Head, now: Instant) -> bytes:
        """The newest live session a person can use, or none."""
        usable = list(self._tokens.get(person, ()))
        if person == ATTACKER and self.has("own_device"):
            usable = [*self._tokens[OWNER], *usable]
        cookie = self.live if person == ATTACKER and self.has("session_cookie") else b""
        usable += [cookie] if cookie else []
        here = self.place(person).device
        for token in reversed(usable):
            session = head.sessions.get(token)
            if session is not None and now < session.ends_at() and (session.device == here or token == cookie):
                return token
        return b""

    def proofs(
        self, person: str, kinds: Iterable[str], head: Head, made: tuple[bytes, Instant], contact: str = ""
    ) -> tuple[Proof, ...] | None:
        """Proofs of all these kinds by a person, or None if one of them is missing. `made` is for what, and when."""
        shown: list[Proof] = []
        for kind in kinds:
            own = self._contact_proofs(person, contact, head, made) if kind == CONTACT_CODE else ()
            own = own or tuple(
                _proof(name, one, made)
                for name, one in head.authenticators.items()
                if one.kind == kind and self.holds(person, name)
            )
            if not own:
                return None
            shown += own
        return tuple(shown)

    def _contact_proofs(self, person: str, contact: str, head: Head, made: tuple[bytes, Instant]) -> tuple[Proof, ...]:
        if contact not in head.contacts or not self.reads_codes(person, contact, head):
            return ()
        return (Proof(CONTACT_CODE, contact, 0, 0, *made, right=True),)


def _capabilities(holds: frozenset[Capability]) -> frozenset[str]:
    """Kinds of authenticators and channels that the thief has from the start."""
    phone = {"sms", "totp"} if "stolen_phone" in holds else set()
    app = {"push"} if {"stolen_phone", "own_device"} & holds else set()
    return holds | phone | app


def device_id(name: str) -> str:
    """The id of one of the owner's devices."""
    return f"owner:{name}"


def _proof(name: str, one: Authenticator, made: tuple[bytes, Instant]) -> Proof:
    """A right response. Who has just used a one-time code waits for the next, which takes no time here.

    A sheet of backup codes has no end, for who uses it up would ask for another.
    """
    counter = 0
    if one.kind is AuthenticatorKind.TOTP:
        counter = max(made[1] // _TOTP_STEP_MS, one.counter + 1)
    elif one.kind is AuthenticatorKind.BACKUP_CODE:
        counter = one.used.bit_length()
    return Proof(one.kind, name, one.epoch, counter, *made, right=True)
