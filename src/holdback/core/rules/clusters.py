"""Clusters: accounts with a tie in common, and what follows for those who trade with them (law 3).

A thief who robs three may sell to three accounts of his own. So what victims gave counts together for all that share a
device, an address that they pay, or one that their deposits came from, and whoever is closed for a victim is closed
with his cluster. What more accounts share than the policy says (a shop's tablet, an exchange's address) joins nobody.

All of this tightens, but for one thing: where two accounts have long had a tie in common, neither is the other's
victim. A thief's device is new at his victim, and makes them no kin. Nor does where deposits came from: anybody may
send something to anybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdback.core import events as ev
from holdback.core.events import DAY, HOUR, MINUTE, StreamKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdback.core.decision import Facts
    from holdback.core.events import AnyEvent, Instant
    from holdback.core.policy import Policy
    from holdback.core.state import Customer, Head, Victim

DEVICE: Final = "device"
SOURCE: Final = "source"
"""Kinds of what accounts share: what they sign in from, and where their deposits come from."""


def meets(customer: Customer, caused: Iterable[AnyEvent]) -> bool:
    """Whether an account meets what it may share: a device it signs in from, a destination it enters or pays first.

    And where a deposit came from.
    """
    if customer.head is None or customer.head.stream is not StreamKind.CUSTOMER:
        return False
    return any(
        isinstance(one, ev.AddressAdded | ev.SessionStarted)
        or (isinstance(one, ev.ExitHeld | ev.ExitAllowed) and customer.beneficiary(one.beneficiary) is None)
        or (isinstance(one, ev.Tied) and one.funds)
        for one in caused
    )


def ties_met(
    customer: Customer, facts: Facts, caused: Iterable[AnyEvent], policy: Policy, now: Instant
) -> list[AnyEvent]:
    """What an answer ties the account to: a device that it signed in from, an address that it entered or pays first.

    A tie that it has is written again once a day; one that many share by now is no tie any more.
    """
    head = customer.head
    if head is None or not meets(customer, caused):
        return []
    found: list[AnyEvent] = []
    for fact in facts.shared:
        known, counts = head.ties.get(fact.key), fact.ever <= policy.trades.cluster_accounts
        news = known is not None if not counts else known is None or now >= known.at + DAY
        if fact.key and news and fact.kind != SOURCE:
            found.append(ev.Tied(now, fact.key, counts))
    return found


def funded_from(head: Head, facts: Facts, policy: Policy, now: Instant) -> list[AnyEvent]:
    """What a deposit ties the account to, if that is news: the address that it came from.

    The first account too many is written down though it gets no tie, so that those before it learn that theirs is none.
    Nothing of that stays in its head: told of again, it is written down again, and counts once.
    """
    found: list[AnyEvent] = []
    for fact in facts.shared:
        known, many = head.ties.get(fact.key), fact.ever - policy.trades.cluster_accounts
        unknown = known is None and many <= 1
        changed = known is not None and (many > 0 or now >= known.at + DAY)
        if fact.kind == SOURCE and fact.key and (unknown or changed):
            found.append(ev.Tied(now, fact.key, many <= 0, funds=True))
    return found


def ties_of(head: Head, policy: Policy, now: Instant) -> tuple[bytes, ...]:
    """The ties of an account that are not forgotten."""
    return tuple(key for key, one in head.ties.items() if now < one.at + policy.trades.cluster_d * DAY)


def are_kin(one: Head, other: Head, policy: Policy, now: Instant) -> bool:
    """Whether two accounts had a tie in common before either could be robbed for it."""
    long_ago = now - policy.trades.victim_aged_d * DAY
    common = set(ties_of(one, policy, now)) & set(ties_of(other, policy, now))
    own = [(one.ties[key], other.ties[key]) for key in common]
    return any(max(mine.since, his.since) <= long_ago and not (mine.funds or his.funds) for mine, his in own)


def ties_in_question(head: Head) -> tuple[bytes, ...]:
    """The ties under which it is looked who else lost something, before value leaves an account that gained so."""
    return tuple(head.ties) if any(one.micro_usd for one in head.victims) else ()


def joint_proceeds(head: Head, facts: Facts, policy: Policy, now: Instant) -> list[AnyEvent]:
    """What several who look robbed gave to a cluster within an hour stays inside for longer, at each of its accounts.

    Hours are clock hours, and one that is only partly in the window counts in full. What could not be read counts as if
    it had been many, once the wait of what each gave is over: until then it stays in any case.
    """
    trades = policy.trades
    mine = [one for one in head.victims if one.micro_usd and one.at > now - trades.victims_proceeds_h * HOUR]
    read, ties = {one.tie: one for one in facts.losses}, ties_of(head, policy, now)
    joined = [read[key] for key in ties if key in read and read[key].accounts <= trades.cluster_accounts]
    lost = {(one.account, one.at // HOUR) for one in head.victims}
    others = {(name, at // HOUR) for one in joined for name, at in one.lost} - lost
    ends = [_last(one, lost, others, policy) for one in mine] if others else []
    if not read.keys() >= set(ties):
        ends += [one.at // HOUR for one in mine if one.at <= now - trades.proceeds_h * HOUR]
    if not any(ends):
        return []
    until, total = (max(ends) + 1 + trades.victims_proceeds_h) * HOUR, sum(one.micro_usd for one in mine)
    return [ev.ProceedsHeld(now, total), ev.ValueReceived(now, total, until)]


def _last(one: Victim, lost: set[tuple[str, int]], others: set[tuple[str, int]], policy: Policy) -> int:
    """The last hour of a window in which this victim was one of many, of whom others of the cluster had one; else 0."""
    hours, hour, last = -(-policy.trades.victims_m * MINUTE // HOUR), one.at // HOUR, 0
    for first in range(hour - hours, hour + 1):
        within = [(name, at) for name, at in lost | others if first <= at <= first + hours]
        many = len({name for name, _ in within}) >= policy.trades.victims
        if many and not others.isdisjoint(within):
            last = max(last, *(at for _, at in within))
    return last
