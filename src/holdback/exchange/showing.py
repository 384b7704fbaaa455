"""How the exchange's own pages are made, and how a decision of Holdback's is said to a customer."""

from __future__ import annotations

import hashlib
import mimetypes
from datetime import datetime
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from holdback.client import Allow, Hold, StepUp
from holdback.exchange.signer import decimal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdback.client import Challenge, Decision, Reason

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS: Final = {"content-security-policy": CSP, "referrer-policy": "same-origin"}
"""With no referrer at all a browser would not say from which origin a form comes."""

UNSAID: Final = "proof_required"
"""A code that the fields themselves say: what is wanted is what they ask for."""

LOCKED: Final = "sale_locked"


class Outcome(NamedTuple):
    """A decision as its customer sees it: `allow`, `step_up`, `hold` or `deny`, why, and when it goes on or counts."""

    kind: str
    reasons: list[Reason]
    at: datetime | None
    challenge: Challenge | None
    locked: bool

    @classmethod
    def of(cls, decision: Decision) -> Outcome:
        """Take what is said. In which ways a sign-in is unlike its owner would tell a thief what to mend."""
        said = [one for one in decision.reasons if one.code != UNSAID and not one.code.startswith("risk_")]
        locked = any(one.code == LOCKED for one in said)
        match decision:
            case Allow(usable_from=at):
                return cls("allow", said, at, None, locked)
            case StepUp(challenge=challenge):
                return cls("step_up", said, None, challenge, locked)
            case Hold(release_at=at):
                return cls("hold", said, at, None, locked)
            case _:
                return cls("deny", said, next((one.until for one in said if one.until), None), None, locked)


def plain(amount: int) -> str:
    """Smallest units without the zeros at the end."""
    whole, _, part = decimal(amount).partition(".")
    part = part.rstrip("0")
    return f"{int(whole):,}.{part}" if part else f"{int(whole):,}"


def money(amount: int) -> str:
    """Smallest units of a dollar, with cents."""
    whole, _, part = decimal(amount).partition(".")
    return f"{int(whole):,}.{part[:2]}"


def instant(value: datetime | str) -> Markup:
    """An instant as people write it, in UTC; a script puts it into the reader's own zone."""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return Markup('<time datetime="{}">{:%-d %B %Y, %H:%M} UTC</time>').format(at.isoformat(), at)


def _files() -> dict[str, Response]:
    found = {}
    for file in (resources.files("holdback.exchange") / "static").iterdir():
        media, _ = mimetypes.guess_type(file.name)
        keeping = {"cache-control": "no-cache"}
        found[file.name] = Response(file.read_bytes(), media_type=media or "text/plain", headers=keeping)
    return found


FILES: Final = _files()
"""The pages' own files. A browser asks each time whether one changed, so that a release is never half of an old one."""

_RELEASE: Final = hashlib.sha256(b"".join(bytes(one.body) for one in FILES.values())).hexdigest()[:12]


class Pages:
    """Makes pages of templates. `center` is the origin of the Security Center, if there is one."""

    def __init__(self, center: str) -> None:
        """Read the templates as they are asked for."""
        self._pages = Environment(
            loader=PackageLoader("holdback.exchange"),
            autoescape=select_autoescape(),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._pages.filters |= {"plain": plain, "money": money, "instant": instant, "decimal": decimal}
        self._pages.globals |= {"center": center, "release": _RELEASE}

    def page(self, template: str, shown: Mapping[str, Any], status: int = 200) -> HTMLResponse:
        """A page with its headers."""
        return HTMLResponse(self._pages.get_template(template).render(shown), status, HEADERS)
