"""Every door in one table: what makes value irrevocable there, who is paid, what cancels it, and who may do what.

The rules of exits read of it which fields name who is paid; to the rest they are held: the tests walk every state,
party and action. The page docs/reference/exits.md is written from it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from holdback.core.events import ActorKind


class Door(NamedTuple):
    """What is true of every exit of the kinds that lead to one place (`exits` in the policy).

    `fields` name who is paid and must be there, `optional` ones may be; no other one of `NAMING` may.
    """

    irrevocable: str
    beneficiary: str
    cancelled: str
    fields: tuple[str, ...]
    optional: tuple[str, ...] = ()


_UNTIL_ALLOWED: Final = "the owner, his freeze or the platform, while it is held"
_UNTIL_IT_LEAVES: Final = f"{_UNTIL_ALLOWED}; two of the staff, while it waits there"

DOORS: Final[dict[str, Door]] = {
    "*": Door(
        "the receipt, which the platform's signer consumes within its 60 s; then the network",
        "an address on a network, and where one serves many its memo or none, entered in the book or new",
        _UNTIL_ALLOWED,
        ("address", "network"),
    ),
    "bank": Door(
        "the receipt; a bank may still call a transfer back, which nobody counts on",
        "a bank account, entered in the book or new",
        _UNTIL_ALLOWED,
        ("address",),
        ("network",),
    ),
    "internal": Door(
        "the receipt; the value may trade but not leave the receiver for 24 h, or 72 h if the sender cools or freezes",
        "a customer of this platform, named in the book or new",
        _UNTIL_IT_LEAVES,
        ("counterparty",),
    ),
    "p2p": Door(
        "the receipt, which the owner's proof alone brings, once the sale is locked; the value may trade but not leave "
        "the buyer for 24 h, or 72 h if the seller cools or freezes",
        "any customer of this platform: the kind is opened with a wait, each stranger is capped a day",
        "the owner, his freeze, the platform or time, before the buyer has paid; after that, and while it waits at the "
        "buyer, two of the staff",
        ("counterparty",),
    ),
    "card": Door(
        "the receipt; a margin is drawn beside it, and whatever more is charged in the end as it comes",
        "any merchant: the kind is opened with a wait, each is capped a day",
        _UNTIL_ALLOWED,
        ("counterparty",),
    ),
    "own": Door(
        "nothing: value stays with its owner, and leaves by another door",
        "the main account or a sub-account of the same customer",
        "nothing to cancel: it is allowed at once or refused, in a cool-off always",
        ("counterparty",),
    ),
}
"""Every place that an exit kind may lead to (`policy.NETWORKS`)."""

NAMING: Final = ("counterparty", "address", "network")
"""Fields of an exit that name who is paid."""


class State(StrEnum):
    """Where an exit stands, once it was asked for and not denied."""

    HELD = "held"
    ALLOWED = "allowed"
    SETTLED = "settled"
    CANCELLED = "cancelled"
    RETURNED = "returned"
    LOCKED = "locked"
    """A P2P sale is set aside for its buyer."""
    PAID = "paid"
    """Who has paid, says the platform."""
    DISPUTED = "disputed"
    """And then it was stopped."""


GRANTED: Final[dict[str, State]] = {"p2p": State.LOCKED}
"""Where an exit to a place stands once nothing is against it any more; where it is not named it is allowed."""

PAID: Final = "exit.settle, stage paid"

VERBS: Final = ("exit.cancel", "exit.release", PAID, "exit.settle", "account.freeze")
"""What anybody could ask that an exit would feel."""

_OWNER, _LINK, _KEY, _PLATFORM = ActorKind.OWNER, ActorKind.LINK, ActorKind.API_KEY, ActorKind.PLATFORM
_STAFF: Final = ActorKind.STAFF

MOVES: Final[dict[tuple[State, str], dict[ActorKind, State]]] = {
    (State.HELD, "exit.cancel"): {_OWNER: State.CANCELLED, _KEY: State.CANCELLED, _PLATFORM: State.CANCELLED},
    (State.HELD, "exit.release"): {_OWNER: State.ALLOWED, _PLATFORM: State.ALLOWED},
    (State.HELD, "account.freeze"): {_OWNER: State.CANCELLED, _LINK: State.CANCELLED},
    (State.ALLOWED, "exit.release"): {_PLATFORM: State.ALLOWED},
    (State.ALLOWED, "exit.settle"): {_PLATFORM: State.SETTLED},
    (State.SETTLED, "exit.settle"): {_PLATFORM: State.SETTLED},
    (State.ALLOWED, "exit.cancel"): {_STAFF: State.RETURNED},
    (State.SETTLED, "exit.cancel"): {_STAFF: State.RETURNED},
    (State.RETURNED, "exit.cancel"): {_STAFF: State.RETURNED},
    (State.RETURNED, "exit.settle"): {_PLATFORM: State.RETURNED},
    (State.LOCKED, "exit.cancel"): {_OWNER: State.CANCELLED, _KEY: State.CANCELLED, _PLATFORM: State.CANCELLED},
    (State.LOCKED, "exit.release"): {_OWNER: State.ALLOWED},
    (State.LOCKED, PAID): {_PLATFORM: State.PAID},
    (State.LOCKED, "account.freeze"): {_OWNER: State.CANCELLED, _LINK: State.CANCELLED},
    (State.PAID, "exit.cancel"): {_OWNER: State.DISPUTED, _KEY: State.DISPUTED, _PLATFORM: State.DISPUTED},
    (State.PAID, "exit.release"): {_OWNER: State.ALLOWED},
    (State.PAID, PAID): {_PLATFORM: State.PAID},
    (State.PAID, "account.freeze"): {_OWNER: State.DISPUTED, _LINK: State.DISPUTED},
    (State.DISPUTED, "exit.cancel"): {_STAFF: State.CANCELLED},
    (State.DISPUTED, "exit.release"): {_STAFF: State.ALLOWED},
}
"""Who may move an exit from a state by an action, and where to, once waits and proofs allow it; nobody else may.

Of what is allowed and was not paid the platform's release brings a fresh receipt of the same id, and no second payment.
A release of what is held leads where `GRANTED` says. The platform's comes at its time and weighs again, the owner's
earlier takes what law 10 asks; a locked sale goes by his strongest proof. A key that may withdraw stops what waits, and
no more. Two of the staff decide a disputed sale. They give back what went to another customer here, as long as it waits
there and if its sender was stopped since (`core/rules/returning.py`), and so what a matched order gave away, which is
no exit; asked again that is the same return, which the platform's settling ends. One of them alone, agencies and links
of a notice move nothing but by the freeze; what a receiver freezes moves nothing of the sender's. A lock whose buyer
has not paid ends at its time.
"""
