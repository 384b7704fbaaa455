"""The first members of staff: whom an operator lets in before there is anybody who could.

Refused as soon as two members can let in others: from then on it takes two of them, and no command of the operator's
stands in for one (law 6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from holdback.core.events import STREAM_PREFIX, Role, StreamKind
from holdback.core.staffing import fit_together
from holdback.roster import roster

if TYPE_CHECKING:
    from holdback.core.state import Head
    from holdback.service import Service

ENOUGH: Final = 2
"""So many members of role `policy` let in everybody else."""

_PREFIX: Final = STREAM_PREFIX[StreamKind.STAFF]


class Newcomer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of the first members: what `staff.enrol` takes, and the id."""

    member: Annotated[str, msgspec.Meta(pattern=rf"^{_PREFIX}[A-Za-z0-9_-]{{1,58}}\Z")]
    roles: Annotated[tuple[Role, ...], msgspec.Meta(min_length=1, max_length=7)]
    name: str
    passkey: str
    email: str


_FILE: Final = msgspec.json.Decoder(list[Newcomer])


class NotInstalled(Exception):
    """Nobody, or not everybody, was made a member; the message says who and why."""


def newcomers(body: bytes) -> list[Newcomer]:
    """Read a file of first members. Raises NotInstalled naming the field that is wrong."""
    try:
        found = _FILE.decode(body)
    except (msgspec.DecodeError, ValueError) as error:
        raise NotInstalled(str(error)) from None
    for field in ("member", "passkey", "email"):
        if len({getattr(one, field) for one in found}) < len(found):
            raise NotInstalled(f"two members have the same `{field}`: then they are one person")
    for one in found:
        if not fit_together(frozenset(one.roles)):
            raise NotInstalled(f"{one.member}: one person cannot hold these roles together: {', '.join(one.roles)}")
    if sum(Role.POLICY in one.roles for one in found) < ENOUGH:
        raise NotInstalled(f"at least {ENOUGH} members of role `policy` are needed: others are let in by two of them")
    return found


async def install(service: Service, found: list[Newcomer], *, after_loss: bool = False) -> list[str]:
    """Make them members, all that are not there yet; their ids. Raises NotInstalled, or BadRequest of an unfit field.

    Run again after a failure it goes on with those who are missing. Once a member has left, it wants `after_loss`: one
    member alone can retire others, and must not give the operator his right back by it.
    """
    there = {head.account: head for head in await roster(service.store, service.tools.snapshots)}
    able = sum(head.member is not None and Role.POLICY in head.member.roles for head in there.values())
    if able >= ENOUGH:
        raise NotInstalled("there are members who can let in others: two of them ask `staff.enrol`")
    if not after_loss and any(head.member is not None and head.member.retired_at for head in there.values()):
        raise NotInstalled("members left, and too few can let in others: `--after-loss` says that you know how it came")
    proposed = [one.member for one in found if one.member in there and not _is_live(there[one.member])]
    if proposed:
        raise NotInstalled(f"{', '.join(proposed)}: somebody proposed, or retired, a member of this id; take another")
    made = []
    for one in sorted(found, key=lambda one: Role.POLICY in one.roles):  # who ends the operator's right comes last
        if one.member in there:
            continue
        fields = {"roles": list(one.roles), "name": one.name, "passkey": one.passkey, "email": one.email}
        answer = msgspec.json.decode(await service.install(one.member, fields))
        if answer["decision"] != "allow":
            raise NotInstalled(f"{one.member}: {answer['reasons'][0]['text']}")
        made.append(one.member)
    return made


def _is_live(head: Head) -> bool:
    return head.member is not None and bool(head.member.roles)
