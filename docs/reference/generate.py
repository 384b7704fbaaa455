# ruff: noqa: INP001 - a script, run by its path and no part of the package
"""Write the reference pages beside this file from the registries they describe.

`.venv/bin/python docs/reference/generate.py`; `tests/web/test_reference.py` fails while a page is not what this writes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdback import wiring
from holdback.core.assurance import Level
from holdback.core.decide import PLANNED, RULES
from holdback.core.decision import Reason
from holdback.core.doors import DOORS, GRANTED, MOVES, VERBS, State
from holdback.intake import ENVELOPE, PUBLIC
from holdback.views import LARGEST
from holdback.web import api, endpoint, keys, openapi, prices, problems
from holdback.wording.reasons import sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from holdback.core.rules.asking import Action, Rule

HERE = Path(__file__).parent

HEAD = "<!-- Written by docs/reference/generate.py; change what it reads instead. -->\n\n"

PROOFS = {
    Level.NONE: "nothing more",
    Level.SIGN_IN: "the strongest class the account holds, new ones too",
    Level.CHANGE: "everything again: the strongest class that is senior, beside the password",
    Level.REINSTATE: "as for a change; what is suspended may be what proves",
    Level.MONEY: "the strongest class that is senior, and the password unless it was proved lately",
    Level.EARLY_RELEASE: "the same, and a code from a senior contact that took no part in asking",
}
"""What each level of proof asks for (`core/assurance.py`)."""


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    lines += [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def sentence_of(kind: type) -> str:
    """The first sentence of a docstring."""
    return " ".join((kind.__doc__ or "").split()).partition(". ")[0].rstrip(".") + "."


def levels(rule: Rule) -> list[Level]:
    """The levels of proof that a rule's function can answer: the one it was made with, or those its code names."""
    level: Callable[[Any, Any], Level] = rule.level
    made_with = [cell.cell_contents for cell in getattr(level, "__closure__", None) or ()]
    return made_with or [one for one in Level if one.name in level.__code__.co_names]


ACTIONS = """# Actions: who may ask what

Asked by anyone else, an action is denied with `not_entitled`. An *owner* shows a session; a *link* the token of a
notice's freeze link; the *platform* its key, which never stands in for an owner or for staff; one of the *staff* his
`member`, session and `dpop`; an *agency* shows nothing and may only hand in papers; *system* is Holdback itself. While
two sources of time disagree, what loosens is denied.

{actions}
## The fields of each

Beside `action` and the envelope (`actor`, `context`, `proofs`, `challenge`, `dry_run`). Any other field is a problem
that names it. What stands in brackets may be left out. `/openapi.json` has the types and bounds.

{fields}
`account.import` is given as `secret` what Holdback shall check by itself: of a `password` the argon2id hash in PHC form
(`$argon2id$v=19$...`) or the password itself, no other hash; of a `totp` the secret in base32; of a `passkey` JSON with
`id` and `public_key` (COSE), both in base64url. Of `sms` and `email` it is given the `address`. Backup codes are never
taken over.

## What an action can ask for

{levels}
## Answered `deny` with `not_available` until their subject exists

{planned}"""


def actions() -> str:
    """Who may ask what."""
    return ACTIONS.format(
        actions=table(
            ("action", "what it does", "who may ask", "asks for", "denied while the time is in doubt"),
            (row(name, kind, RULES[kind]) for name, kind in PUBLIC.items()),
        ),
        fields=table(("action", "fields"), ((f"`{name}`", fields(kind)) for name, kind in PUBLIC.items())),
        levels=table(("asks for", "which is"), ((level.value, text) for level, text in PROOFS.items())),
        planned="".join(f"- `{name}`\n" for name in sorted(PLANNED)),
    )


def fields(kind: type[Action]) -> str:
    """What an action may be sent with, those in brackets that may be left out; of lists, what each of them holds."""
    schemas = openapi.description()["components"]["schemas"]
    return _members(schemas, schemas[kind.__name__]) or "none"


def _members(schemas: dict[str, Any], schema: dict[str, Any]) -> str:
    said = []
    for name, member in schema.get("properties", {}).items():
        if name == "action" or name in ENVELOPE:
            continue
        inner = schemas.get(member.get("items", {}).get("$ref", "").rpartition("/")[2], {})
        held = _members(schemas, inner) or ", ".join(str(one) for one in inner.get("enum", ()))
        text = f"`{name}`" + (f" of {{{held}}}" if held else "")
        said.append(text if name in schema.get("required", ()) else f"[{text}]")
    return ", ".join(said)


def row(name: str, kind: type[Action], rule: Rule) -> tuple[str, ...]:
    """One action's row."""
    who = ", ".join(sorted(rule.actors)) + (", signed in or not" if rule.anonymous else "")
    asks = " or ".join(level.value for level in levels(rule))
    return f"`{name}`", sentence_of(kind), who, asks, "yes" if rule.loosens else "no"


REASONS = """# Reasons

In order of precedence: where several stand against an action, the first is told first. Each sentence is safe to show
before anything is proved.

{reasons}"""


def reasons() -> str:
    """Every reason, in order of precedence."""
    rows = ((f"`{one.value}`", sentence(one)) for one in Reason)
    return REASONS.format(reasons=table(("code", "sentence"), rows))


PROBLEMS = """# Problems

Errors are `application/problem+json` (RFC 9457) of one shape: `type`, `title`, `status`, `detail`, `retryable`, and,
where a field is wrong, `pointer` (RFC 6901, `""` for the whole body). A decision is never a problem. After a retryable
one it is not known whether anything was decided: ask again under the same idempotency key.

{problems}"""


def problem_page() -> str:
    """Every problem."""
    rows = (
        (f"`{problems.URN}{kind.name}`", str(kind.status), kind.title, "yes" if kind.retryable else "no")
        for kind in problems.KINDS
    )
    return PROBLEMS.format(problems=table(("type", "status", "title", "retryable"), rows))


EXITS = """# Exits: every way value leaves

All kinds draw on one budget, that of the whole family of accounts; a move within the family draws nothing. Whoever is
paid, by whatever sort of name, is an entry of the book with the same provenance, wait and expiry, or is new. What
decides is the same for all; what differs is here. A kind that is not listed in the policy is closed.

Every `exit.request` has `kind`, `asset`, `amount` and, where Holdback may not know the price, `usd`; beside them the
fields that name who is paid, and no others of these (`bad_field`). On networks that [tell owners apart by a
memo](../explanation/destinations.md) `memo` may be there, too.

{doors}
## Who may do what

In each state, once waits and proofs allow it. Whoever is not named may not, in that state, and what is not named here
moves nothing. Where nobody is named nothing moves any more. {granted}. A locked sale whose buyer has not paid ends by
itself after {lock_h} h. `staff` are two people with the role treasurer or investigator: the first one's call is
answered `hold`, the second one's same call completes it. Neither may lately have read the customer whose sale is
disputed. What they give back otherwise went to another customer here and waits there still, and its sender was stopped
since ([how](../explanation/inside.md)). So does what a matched order gave away, by its own name. Of what
is `allowed` and was not paid the platform's `exit.release` gives [a fresh
receipt](../how-to/follow-holds.md#a-receipt-that-was-not-spent), of the same id; a freeze ends that.

{moves}
"""


def exits() -> str:
    """Every door, and who may do what in each state."""
    kinds: dict[str, list[str]] = {}
    for kind, place in wiring.load_policy("default").exits.items():
        kinds.setdefault(place, []).append(f"`{kind}`")
    rows = (
        (", ".join(kinds.get(place, ["none"])), *door[:3], _named_by(door.fields, door.optional))
        for place, door in DOORS.items()
    )
    moves = (
        (state, *("; ".join(f"{who}: {to}" for who, to in MOVES.get((state, verb), {}).items()) for verb in VERBS))
        for state in State
    )
    return (
        EXITS.format(
            doors=table(("kinds", "irrevocable by", "who is paid", "who cancels", "fields that name him"), rows),
            moves=table(("state", *(f"`{verb}`" for verb in VERBS)), moves),
            granted="; ".join(
                f"what is released out of `held` to {place} is `{state}`, not `allowed`"
                for place, state in GRANTED.items()
            ).capitalize(),
            lock_h=wiring.load_policy("default").outflow.sale_lock_h,
        ).rstrip()
        + "\n"
    )


def _named_by(fields: tuple[str, ...], optional: tuple[str, ...]) -> str:
    """The fields by which an exit says who is paid."""
    wanted = ", ".join(f"`{name}`" for name in fields)
    return f"{wanted}; if wanted {', '.join(f'`{name}`' for name in optional)}" if optional else wanted


HTTP = """# HTTP

`/openapi.json` has the types. Expose `/freeze` to the world, and where `HOLDBACK_FACE` is set `/face`, `/face/steps`
and `/face/pictures` (for `vendor` also `/face/webhook`); everything else to the platform alone.

{routes}
- `Authorization: Bearer hb_<id>_<secret>`; a retired key is refused within {keys_s:g} s.
- `Idempotency-Key`: 1 to 128 visible ASCII characters, on everything that is asked but dry runs. The first answer under
  it comes back byte for byte for 48 h, but for the secret of a new API key; another body under it is a problem.
- A body is JSON in UTF-8, at most {body_kib} KiB. Of a member that occurs twice the last counts; the receipt names what
  was understood.
- An answer comes within {deadline_s:g} s or is the problem `deadline`; beyond {under_way:,} requests at a time a
  process answers `overloaded`.
- `GET /v1/desk?role=...` wants, beside the platform key, a member of staff who holds the role: `Holdback-Member`,
  `Holdback-Session` (the token), `Holdback-Called` (the address his browser called) and `DPoP`, a proof of his device's
  key with `htm` GET, `htu` that address and `ath`. `GET .../recovery` wants `Holdback-Recovery`, the recovery's token.
- Lists come in pages: `limit` (at most {largest}, {page} if left out) and `cursor`, which is the `next` of the page
  before.
- A table of prices or pairs is kept whole or not at all. Refused are zero, negative, above {highest:,} USD, from the
  future, older (`/at`) than what is kept of anything it names or, of prices, than `signals.price_age_m`, and more than
  {jump} times or less than a {jump}th of what was kept before, unless `confirm` names the asset, or the pair.
- `/readyz` fails while no decision can be made durable, while no channel is set up, and once a due notice has
  waited for {overdue_s} s with nobody sending it; the latter two not where `HOLDBACK_CHANNELS` says `none`.
"""


def http() -> str:
    """Every route, and what holds for all of them."""
    rows = []
    for path, item in openapi.description()["paths"].items():
        for method, operation in item.items():
            scope = operation["security"][0]["platformKey"][0] if "security" in operation else "open"
            rows.append((f"`{method.upper()} {path}`", scope, operation["summary"]))
    limits = endpoint.Limits()
    return HTTP.format(
        routes=table(("route", "scope of the platform key", "what it does"), rows),
        keys_s=keys.KEPT_S,
        body_kib=limits.body_bytes // 1024,
        deadline_s=limits.deadline_s,
        under_way=limits.under_way,
        largest=LARGEST,
        page=api.PAGE,
        highest=prices.HIGHEST_USD,
        jump=prices.JUMP,
        overdue_s=limits.overdue_s,
    )


SETTINGS = """# Settings

Environment variables. A secret may stand in a file instead, whose path is in the variable of that name with `_FILE`
behind it.

{settings}"""


def settings() -> str:
    """Every setting."""
    defaults = dict(zip(wiring.Settings.__struct_fields__, wiring.Settings.__struct_defaults__, strict=True))
    rows = (
        (f"`HOLDBACK_{name.upper()}`", f"`{defaults[name]}`" if defaults[name] else "", text)
        for name, text in wiring.SETTINGS.items()
    )
    return SETTINGS.format(settings=table(("variable", "default", "what it is"), rows))


def pages() -> dict[str, str]:
    """Every page by its file's name."""
    made = {
        "actions": actions,
        "exits": exits,
        "http": http,
        "problems": problem_page,
        "reasons": reasons,
        "settings": settings,
    }
    return {f"{name}.md": HEAD + page() for name, page in made.items()}


if __name__ == "__main__":
    for name, text in pages().items():
        (HERE / name).write_text(text, encoding="utf-8")
