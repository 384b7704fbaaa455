"""Other customers of a story whose money somebody trades away: real accounts, judged by the rules as any is.

Whether they are taken for victims is not said by the story: it follows from their age and from who has just signed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdback.core import events as ev
from holdback.core.assurance import CONTACT_CODE
from holdback.core.decision import Context, Decision, Proof, StepUp
from holdback.core.events import ActorKind
from holdback.core.rules.account import AccountImport, ImportedAuthenticator, ImportedContact
from holdback.core.rules.asking import Request
from holdback.core.rules.order import OrderPlace
from holdback.core.rules.session import SessionStart
from holdback.lab.sealing import fake_sealed
from holdback.lab.world import PLATFORM

if TYPE_CHECKING:
    from holdback.core.events import Instant
    from holdback.lab.world import World

_WEALTH: Final = 1_000
"""How many times what is lost such a customer owns, so that his own limits do not keep it."""

_LAPTOP: Final = Context(device="laptop")


def give_away(world: World, name: str, usd: float, gainer: str, opened_at: Instant) -> Decision:
    """Let somebody who has just signed in to another account buy so much too dear of `gainer`."""
    if name not in world.customers:
        _open(world, name, usd, opened_at)
    world.know(gainer)
    _signs_in(world, name)
    head = world.customers[name].head
    assert head is not None  # noqa: S101 - whoever signs in was imported
    session = list(head.sessions)[-1]
    dear = OrderPlace(f"dear-{head.seq}", "ZRX/BTC", "buy", "2", f"{usd:.2f}")
    return world.ask(Request(dear, name, ev.Actor(ActorKind.OWNER, session), _LAPTOP, counterparty=gainer), name)


def _open(world: World, name: str, usd: float, opened_at: Instant) -> None:
    """The account, with the device from which its owner has signed in ever since."""
    now, world.now = world.now, opened_at
    imported = AccountImport(
        name=fake_sealed(name),
        authenticators=(ImportedAuthenticator(ev.AuthenticatorKind.PASSWORD, fake_sealed(f"{name}:password")),),
        contacts=(ImportedContact(ev.Channel.EMAIL, fake_sealed(f"{name}@example.org")),),
        equity_usd=f"{usd * _WEALTH:.2f}",
    )
    world.ask(Request(imported, name, PLATFORM, Context()), "platform")
    _signs_in(world, name)
    world.now = now


def _signs_in(world: World, name: str) -> None:
    """A sign-in with all that is asked for."""
    request = Request(SessionStart(), name, ev.Actor(ActorKind.OWNER), _LAPTOP)
    password = Proof("password", "a1-1", 1, 0, world.digest(request), world.now, right=True)
    decision = world.ask(request, name, (password,))
    if isinstance(decision, StepUp):
        code = Proof(CONTACT_CODE, "c1-1", 1, 0, world.digest(request), world.now, right=True)
        again = Request(SessionStart(), name, request.actor, _LAPTOP, challenge=decision.challenge)
        world.ask(again, name, (password, code))
