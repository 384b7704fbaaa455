"""Passkeys of one customer: what each is asked to sign, and what its answer proves.

The challenge that a passkey signs is made of the digest of the action it is to confirm, so that what its owner confirms
is what is done, and of the step-up's id, which closes when the answer is accepted. A nonce that only Holdback can make
keeps anyone from having it signed beforehand; it is shown with the challenge, so that whoever sees the action can
compute the challenge himself (`signing_challenge`).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

from holdback.core.events import AuthenticatorKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdback.core.events import Instant
    from holdback.core.state import Head
    from holdback.ports import Enrolment, KeyProof, PasskeyCeremonies
    from holdback.sealing import CustomerKey, MasterKeys


class Holder(NamedTuple):
    """A customer as read without a lock, with the opened credentials that were asked for, by authenticator id.

    Where proofs are not `looked_at`, each of them is a wrong one.
    """

    key: CustomerKey
    head: Head
    secrets: Mapping[str, str]
    now: Instant
    looked_at: bool = True

    def passkeys(self) -> dict[str, str]:
        """Credentials of the confirmed passkeys, by authenticator id."""
        return {name: self.secrets[name] for name in passkeys(self.head) if name in self.secrets}


class Called(NamedTuple):
    """A step-up by its id in the account, and by what it is called outside if that is another name."""

    id: str
    outside: str = ""

    @property
    def shown(self) -> str:
        """Its name in the answer."""
        return self.outside or self.id

    @property
    def both(self) -> str:
        """Both names: a nonce for them serves this step-up only, though a name outside may outlive it."""
        return f"{self.id} {self.outside}" if self.outside else self.id


def passkeys(head: Head) -> list[str]:
    """The ids of the passkeys that were confirmed, suspended ones among them."""
    return [
        name for name, one in head.authenticators.items() if one.kind is AuthenticatorKind.PASSKEY and one.confirmed
    ]


def signing_challenge(account: str, step_up: str, digest: bytes, nonce: bytes) -> bytes:
    """What a passkey signs to confirm the action with this digest: a SHA-256 over five lines, the first a fixed one."""
    lines = ("holdback passkey 1", account, step_up, digest.hex(), nonce.hex())
    return hashlib.sha256("\n".join(lines).encode()).digest()


class Signing:
    """Asks the passkeys of customers for signatures, and reads their answers.

    Without `ceremonies` this deployment has no relying party, and no passkey is bound or believed.
    """

    def __init__(self, masters: MasterKeys, ceremonies: PasskeyCeremonies | None) -> None:
        """Make nonces with these keys."""
        self._masters = masters
        self._ceremonies = ceremonies

    @property
    def is_offered(self) -> bool:
        """Whether there are passkeys here at all."""
        return self._ceremonies is not None

    def begin(self, holder: Holder) -> Enrolment | None:
        """Begin to register one more passkey, none of those held; None where there are no passkeys."""
        if self._ceremonies is None:
            return None
        user = holder.key.mac(holder.head.account, field="passkey user")
        name = holder.key.open(holder.head.name)
        return self._ceremonies.creation(user, name, list(holder.passkeys().values()), holder.now)

    def confirm(self, holder: Holder, name: str, response: str) -> KeyProof | None:
        """What a browser's registration made for the authenticator that waits for it; None if it is not right."""
        one = holder.head.authenticators.get(name)
        waits = one is not None and one.kind is AuthenticatorKind.PASSKEY and not one.confirmed
        if self._ceremonies is None or not waits or name not in holder.secrets:
            return None
        held = list(holder.passkeys().values())
        return self._ceremonies.registered(holder.secrets[name], response, held, holder.now)

    def imported(self, given: str) -> str:
        """The credential of a passkey that the platform hands over. Raises ValueError."""
        if self._ceremonies is None:
            raise ValueError("passkeys are not set up here: HOLDBACK_RP_ID and HOLDBACK_RP_ORIGINS say whose they are")
        return self._ceremonies.imported(given)

    def begin_by_hand(self, user: bytes, name: str, now: Instant) -> Enrolment | None:
        """Begin a passkey of somebody who has no account yet and hands it over; None where there are no passkeys."""
        return self._ceremonies.creation(user, name, [], now) if self._ceremonies is not None else None

    def handed_over(self, begun: str, response: str, now: Instant) -> str:
        """The text of it to hand over; "" if it is not right."""
        made = self._ceremonies.registered(begun, response, [], now) if self._ceremonies is not None else None
        return made.credential if made is not None else ""

    def proved(self, holder: Holder, name: str, response: str, step_up: Called, digest: bytes) -> KeyProof | None:
        """What an assertion by this passkey says, if it signed the open step-up for the action with this digest."""
        challenge = holder.head.challenges.get(step_up.id)
        if self._ceremonies is None or challenge is None or name not in holder.secrets:
            return None
        account = holder.head.account
        nonces = self._masters.nonces(account, step_up.both, challenge.until)
        challenges = [signing_challenge(account, step_up.shown, digest, nonce) for nonce in nonces]
        return self._ceremonies.proved(holder.secrets[name], response, challenges)

    def address_message(self, head: Head, step_up: str) -> str:
        """What the key of an address signs in a recovery, in words that its owner reads in his wallet; "" if nothing.

        It names the account, the case and a nonce that only Holdback can make, so that no signature serves twice.
        """
        challenge = head.challenges.get(step_up)
        if head.recovery is None or challenge is None:
            return ""
        nonce = self._masters.nonces(head.account, step_up, challenge.until)[0]
        return f"I am recovering my account {head.account} (case {head.recovery.id}). Nonce: {nonce.hex()}"

    def request(
        self, holder: Holder, step_up: Called, digest: bytes, times: tuple[Instant, Instant], *, named: bool
    ) -> dict[str, Any] | None:
        """What a browser needs to have the step-up signed: its `nonce`, and request options as `passkey`.

        `times` are now and the step-up's end. None where no passkey could sign.
        """
        held = holder.passkeys()
        live = [one for name, one in held.items() if not holder.head.authenticators[name].suspended]
        if self._ceremonies is None or not held:
            return None
        now, until = times
        account = holder.head.account
        nonce = self._masters.nonces(account, step_up.both, until)[0]
        challenge = signing_challenge(account, step_up.shown, digest, nonce)
        options = self._ceremonies.request(challenge, live or list(held.values()), max(until - now, 0), named=named)
        return {"nonce": nonce.hex(), "passkey": options}
