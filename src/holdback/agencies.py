"""What passes between Holdback and an agency: a phrase that it alone can read, and a package that it alone can open.

The phrase is made of a keyed hash of the request, so that nothing has to store it. It is sealed for the registry's key
and shown to nobody here: whoever rings the agency and is told it has spoken with somebody who holds that key.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from holdback.core.rules.legal import LegalCallBack, LegalRelease, named
from holdback.wording.notices import phrase

if TYPE_CHECKING:
    from holdback.core.events import Instant
    from holdback.core.rules.asking import Action
    from holdback.core.state import AgencyEntry, Head
    from holdback.marking import Export
    from holdback.ports import Envelopes
    from holdback.sealing import MasterKeys


class Grant(NamedTuple):
    """One disclosure: which request, of whom, on what basis, what it reaches, and whose key it is sealed for."""

    request: str
    agency: str
    basis: str
    fields: tuple[str, ...]
    received_at: Instant
    told_at: Instant
    recipient: str


def meant(action: LegalRelease, head: Head | None, entry: AgencyEntry | None, now: Instant) -> Grant | None:
    """What a release is about now; None if that is open no more, discloses nothing, or is of nobody in the registry."""
    found = named(head, action.which, now) if head is not None else None
    if found is None or not found[1].fields or entry is None:
        return None
    name, one = found
    return Grant(name, one.agency, one.basis, one.fields, one.received_at, one.told_at, entry.recipient)


class Packed(NamedTuple):
    """A package as it was made on an unlocked read: for one disclosure, and no other."""

    grant: Grant
    text: str
    digest: bytes
    export: Export | None

    def form(self) -> dict[str, object]:
        """What was disclosed, for the answer.

        `body` is age-encrypted for the agency alone, `digest` the SHA-256 that the log keeps. `export` is the record by
        which `holdback trace-leak` traces a copy to the agency.
        """
        return {"body": self.text, "digest": self.digest.hex(), "export": msgspec.to_builtins(self.export)}


def planned(grant: Grant) -> Packed:
    """A package that nobody made: to find out whether there would be one."""
    return Packed(grant, "", b"planned", None)


def in_force(agency: Head | None, now: Instant) -> AgencyEntry | None:
    """How an agency stands in the registry now."""
    return agency.agency.in_force(now) if agency is not None and agency.agency is not None else None


def _said(seed: bytes) -> str:
    return f"{phrase(seed)} {phrase(seed[3:])}"


def letter(  # noqa: PLR0913, PLR0917 - whose keys, about what, for whom
    masters: MasterKeys,
    envelopes: Envelopes | None,
    account: str,
    request: tuple[str, Instant],
    agency: str,
    entry: AgencyEntry | None,
) -> str | None:
    """What the platform passes on to the agency; None where there is nobody it could be sealed for."""
    if envelopes is None or entry is None:
        return None
    words = _said(masters.spoken(account, *request, agency)[0])
    text = f"Request {request[0]}. We will ring you at the number we know. Tell the caller these words: {words}\n"
    # A key that was written down wrongly must not keep an order from being entered: it then has no letter.
    return envelopes.seal(entry.recipient, text.encode()) if envelopes.fits(entry.recipient) else None


def answered(masters: MasterKeys, action: Action, head: Head | None, now: Instant) -> bool:
    """Whether a call back brings the phrase of the request that it is about."""
    if not isinstance(action, LegalCallBack) or head is None:
        return False
    found = named(head, action.which, now)
    if found is None:
        return False
    shown = " ".join(action.phrase.lower().split()).encode()
    seeds = masters.spoken(head.account, found[0], found[1].received_at, found[1].agency)
    right = [hmac.compare_digest(_said(seed).encode(), shown) for seed in seeds]
    return any(right)
