"""What passes between Holdback and an agency: a phrase that it alone can read, and a package that it alone can open.

The phrase is made of a keyed hash of the request, so that nothing has to store it. It is sealed for the registry's key
and shown to nobody here: whoever rings the agency and is told it has spoken with somebody who holds that key.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from holdback.core.rules.legal import LegalCallBack, named
from holdback.wording.notices import phrase

if TYPE_CHECKING:
    from holdback.core.events import Instant
    from holdback.core.rules.asking import Action
    from holdback.core.state import AgencyEntry, Head
    from holdback.marking import Export
    from holdback.ports import Envelopes
    from holdback.sealing import MasterKeys


class Packed(NamedTuple):
    """A package as it was made on an unlocked read: for which request and fields, and for whose key."""

    request: str
    fields: tuple[str, ...]
    recipient: str
    text: str
    digest: bytes
    export: Export

    def form(self) -> dict[str, object]:
        """What was disclosed, for the answer.

        `body` is age-encrypted for the agency alone, `digest` the SHA-256 that the log keeps. `export` is the record by
        which `holdback trace-leak` traces a copy to the agency.
        """
        return {"body": self.text, "digest": self.digest.hex(), "export": msgspec.to_builtins(self.export)}

    def fits(self, head: Head | None, entry: AgencyEntry | None, now: Instant) -> bool:
        """Whether it is what would be disclosed now, for whom it would be."""
        found = named(head, self.request, now) if head is not None else None
        return found is not None and found[1].fields == self.fields and entry_key(entry) == self.recipient


def entry_key(entry: AgencyEntry | None) -> str:
    """The key that an agency opens with, "" without an entry."""
    return entry.recipient if entry is not None else ""


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
