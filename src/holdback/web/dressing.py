"""How pages are made: their templates, the words of a language, and the files that browsers keep.

A page loads nothing but what this server has. Its files lie under one name made of all their bytes, so a browser may
keep them for good and never mixes two releases.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from datetime import UTC, datetime
from decimal import Decimal
from importlib import resources
from typing import TYPE_CHECKING, Final

import msgspec
from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_currency, format_decimal
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from holdback.web import problems
from holdback.web.endpoint import Operation, Reply
from holdback.web.problems import Problem
from holdback.wording import said as wording

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable

    from holdback.core.events import Instant
    from holdback.web.endpoint import Call

HTML: Final = b"text/html; charset=utf-8"
CSP: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    b"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""No inline script or style, no eval, nobody else's anything. `data:` is for the picture of a QR code."""

ENGLISH: Final = "en"
LANGUAGES: Final = {ENGLISH: "English", "zh": "中文"}
"""Each language, by its own name for itself."""

NAMED: Final = (b"referrer-policy", b"same-origin")
"""With no referrer at all a browser would not say either from which origin a form comes."""

_FOR_GOOD: Final = (b"cache-control", b"public, max-age=31536000, immutable")
_WORTH_PACKING: Final = 1_024


class _File:
    """A file that browsers keep, packed once."""

    def __init__(self, name: str, body: bytes) -> None:
        media, _ = mimetypes.guess_type(name)
        self.media = (media or "application/octet-stream").encode()
        self.body = body
        self.packed = gzip.compress(body, mtime=0) if len(body) > _WORTH_PACKING else b""


def _files() -> Iterator[tuple[str, bytes]]:
    """The pages' own files, and the modules that a platform's pages are made of, too."""
    ours = resources.files("holdback.web") / "static"
    theirs = resources.files("holdback.client") / "pages"
    for folder, wanted in ((ours, None), (theirs, ".js")):
        yield from ((one.name, one.read_bytes()) for one in sorted(folder.iterdir(), key=_named) if _fits(one, wanted))


def _named(one: Traversable) -> str:
    return one.name


def _fits(one: Traversable, wanted: str | None) -> bool:
    return one.is_file() and (wanted is None or one.name.endswith(wanted))


_FILES: Final = {name: _File(name, body) for name, body in _files()}
_RELEASE: Final = hashlib.sha256(b"".join(b"%s\0%s\0" % (name.encode(), one.body) for name, one in _FILES.items()))
STATIC: Final = f"/static/{_RELEASE.hexdigest()[:16]}"
"""Where all files of this release lie."""


async def static(call: Call) -> Reply:
    """One file of this release."""
    found = _FILES.get(call.path["file"])
    if found is None or call.path["release"] != STATIC.rpartition("/")[2]:
        raise Problem(problems.UNKNOWN_ROUTE)
    if found.packed and b"gzip" in call.headers.get(b"accept-encoding", b""):
        headers = (_FOR_GOOD, (b"content-encoding", b"gzip"), (b"vary", b"accept-encoding"))
        return Reply(found.packed, content_type=found.media, headers=headers)
    return Reply(found.body, content_type=found.media, headers=(_FOR_GOOD, (b"vary", b"accept-encoding")))


def operations() -> dict[str, dict[str, Operation]]:
    """The route of all files."""
    return {"/static/{release}/{file}": {"GET": Operation(static)}}


def _catalogue(language: str) -> dict[str, str]:
    if language == ENGLISH:
        return {}
    text = (resources.files("holdback.web") / "locale" / f"{language}.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, str])


class Tongue:
    """A language: its sentences, numbers and dates. What is not translated is said in English.

    Pages have a catalogue, and what happened, is asked or refused has the one of `holdback.wording`.
    """

    def __init__(self, language: str) -> None:
        """Read the catalogue of one of `LANGUAGES`."""
        self.language = language
        self._said = _catalogue(language)
        self._worded = wording.catalogue(language) if language != ENGLISH else {}
        self._pages = Environment(
            loader=PackageLoader("holdback.web"),
            autoescape=select_autoescape(),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        self._pages.install_gettext_callables(self.say, self._many, newstyle=True)  # type: ignore[attr-defined] # the extension's
        self._pages.globals |= {"static": STATIC, "language": language, "languages": LANGUAGES}
        self._pages.filters |= {"instant": self.instant, "money": self.money, "words": self.words}

    def say(self, sentence: str) -> str:
        """A sentence of ours in this language."""
        return self._said.get(sentence) or self._worded.get(sentence, sentence)

    def words(self, text: str) -> str:
        """What `holdback.wording` said, in this language: a sentence with its values, or a reason's sentence."""
        if self.language == ENGLISH:
            return str(text)
        return wording.in_words(text, self) if isinstance(text, wording.Said) else self.say(text)

    def known(self) -> set[str]:
        """The sentences that its catalogue has."""
        return set(self._said)

    def _many(self, one: str, many: str, count: int) -> str:
        return self.say(one if count == 1 else many)

    def instant(self, text: str) -> Markup:
        """An RFC 3339 instant as people write it, in UTC; a script may put it into the reader's own zone."""
        shown = format_datetime(datetime.fromisoformat(text), "medium", locale=self.language)
        return Markup('<time datetime="{}">{} UTC</time>').format(text, shown)

    def moment(self, at: Instant) -> str:
        """An instant within a sentence, to the minute, in UTC."""
        when = datetime.fromtimestamp(at / 1000, UTC)
        day = format_date(when, "medium", locale=self.language)
        return f"{day} {format_time(when, 'HH:mm', locale=self.language)} UTC"

    def dollars(self, cents: int) -> str:
        """US dollars to the cent, within a sentence."""
        return format_currency(Decimal(cents).scaleb(-2), "USD", locale=self.language)

    def money(self, text: str) -> str:
        """A decimal string with this language's separators."""
        return format_decimal(Decimal(text), locale=self.language, decimal_quantization=False)

    def page(self, template: str, shown: Mapping[str, object]) -> bytes:
        """A page as bytes."""
        return self._pages.get_template(template).render(shown).encode()

    def sentences(self) -> set[str]:
        """Every sentence of every page, which a catalogue must have."""
        found = set()
        for name in self._pages.list_templates(
            filter_func=lambda one: one in {"face.html", "freeze.html"} or one.startswith(("center/", "console/"))
        ):
            source, _, _ = self._pages.loader.get_source(self._pages, name)  # type: ignore[union-attr] # it has one
            for _, _, said in self._pages.extract_translations(source):  # type: ignore[attr-defined] # the extension's
                found |= {said} if isinstance(said, str) else {one for one in said if one}
        return found


TONGUES: Final = {language: Tongue(language) for language in LANGUAGES}


def spoken(chosen: str, accepted: str) -> Tongue:
    """The language to speak: what was chosen, else the first of those a browser accepts that we speak."""
    if chosen in TONGUES:
        return TONGUES[chosen]
    wanted = (one.partition(";")[0].strip().partition("-")[0].lower() for one in accepted[:256].split(","))
    return TONGUES[next((one for one in wanted if one in TONGUES), ENGLISH)]
