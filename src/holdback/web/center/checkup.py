"""How well an account is protected, and the steps that would help most, for the first page of the Security Center.

The score is no probability. It says which of the protections that this system has an account uses, so that a person
sees that it can grow, and by what.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from holdback.views import AccountForm

STEPS_SHOWN: Final = 3
STRONG: Final = frozenset({"passkey", "totp"})


class Step(NamedTuple):
    """Something that would help: its name, what it adds to the score, and the page where it is done."""

    name: str
    points: int
    page: str


class Checkup(NamedTuple):
    """The score of 100, and the next steps, the best first."""

    score: int
    steps: tuple[Step, ...]


def checkup(account: AccountForm) -> Checkup:
    """Weigh how an account stands."""
    live = [one for one in account.authenticators if one.confirmed and not one.suspended]
    kinds = {one.kind for one in live}
    contacts = [one for one in account.contacts if one.confirmed and not one.removed]
    passkeys = sum(one.kind == "passkey" for one in live)
    wanted = (
        (passkeys > 0, Step("passkey", 30, "authenticators")),
        (passkeys > 1 or (passkeys and "totp" in kinds), Step("second_passkey", 10, "authenticators")),
        (bool(kinds & STRONG), Step("strong", 15, "authenticators")),
        ("backup_code" in kinds, Step("backup_codes", 5, "authenticators")),
        (len({one.channel for one in contacts}) > 1, Step("second_contact", 15, "contacts")),
        (account.settings.allowlist, Step("allowlist", 10, "limits")),
        (account.settings.vault is not None, Step("vault", 10, "limits")),
        (account.settings.limit_usd_per_day is not None, Step("limit", 5, "limits")),
    )
    missing = sorted((step for met, step in wanted if not met), key=lambda step: -step.points)
    # A second strong key is asked for once there is a first: one thing at a time.
    next_ones = [one for one in missing if passkeys or one.name != "second_passkey"]
    return Checkup(100 - sum(one.points for one in missing), tuple(next_ones[:STEPS_SHOWN]))
