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


def chosen(case: Case, password: Sealed) -> ev.SecretReplaced | None:
    """The password replaced by another, which is junior; None if the account has none."""
    wait = case.policy.waits.authenticator_senior_h * HOUR
    for name, old in case.head.authenticators.items():
        if old.kind is AuthenticatorKind.PASSWORD:
            return ev.SecretReplaced(case.now, name, password, old.epoch + 1, wait, case.now + wait)
    return None


def _change_password(case: Case, action: PasswordChange) -> Ruling:
    replaced = chosen(case, action.password)
    assert replaced is not None  # noqa: S101 - `_has_password` objects without
    until = replaced.until
    return Ruling(Allow((why(Reason.RIPENS_LATER, "time", until=until),), replaced.authenticator, until), (replaced,))


def _has_password(case: Case, _action: PasswordChange) -> Finding | None:
    kinds = {one.kind for one in case.head.authenticators.values()}
    return None if AuthenticatorKind.PASSWORD in kinds else why(Reason.NOT_FOUND, about="password")


RULES: dict[type[Action], Rule] = {
    PasswordChange: Rule(OWNER, _change_password, level=always(Level.CHANGE), objection=_has_password)
}
