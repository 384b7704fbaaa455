"""The password: replaced by its holder at once, which is a severe change (law 4)."""

from __future__ import annotations

from holdback.core import events as ev
from holdback.core.assurance import Level
from holdback.core.decision import Allow, Reason, why
from holdback.core.events import HOUR, AuthenticatorKind, Finding, Sealed
from holdback.core.rules.asking import OWNER, Action, Case, Rule, Ruling, always


class PasswordChange(Action, frozen=True, tag="password.change"):
    """Replace the password. It is hashed before anything is stored, and every other session ends."""

    password: Sealed


def _change_password(case: Case, action: PasswordChange) -> Ruling:
    name, old = next(
        (key, one) for key, one in case.head.authenticators.items() if one.kind is AuthenticatorKind.PASSWORD
    )
    wait = case.policy.waits.authenticator_senior_h * HOUR
    replaced = ev.SecretReplaced(case.now, name, action.password, old.epoch + 1, wait, case.now + wait)
    return Ruling(Allow((why(Reason.RIPENS_LATER, "time", until=case.now + wait),), name, case.now + wait), (replaced,))


def _has_password(case: Case, _action: PasswordChange) -> Finding | None:
    kinds = {one.kind for one in case.head.authenticators.values()}
    return None if AuthenticatorKind.PASSWORD in kinds else why(Reason.NOT_FOUND, about="password")


RULES: dict[type[Action], Rule] = {
    PasswordChange: Rule(OWNER, _change_password, level=always(Level.CHANGE), objection=_has_password)
}
