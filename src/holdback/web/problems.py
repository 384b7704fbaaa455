"""Every way a request can fail, in one table and one shape (RFC 9457).

A decision is not a problem: allow, step_up, hold and deny all come with status 200. A problem says that nothing was
decided, or, where `retryable`, that nothing is known to have been: ask again under the same idempotency key.

A detail names the field that is wrong and never repeats a value that was sent, for problems end in other people's logs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from holdback.batching import Overloaded
from holdback.intake import BadRequest
from holdback.judging import ChallengeRefused, KeyReused
from holdback.papers import TooOften
from holdback.ports import NewerDatabase, StoreUnavailable
from holdback.snapshots import NewerState, Tampered
from holdback.wording.reasons import sentence

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTENT_TYPE: Final = b"application/problem+json"

URN: Final = "urn:holdback:problem:"
"""What the name of a problem stands behind in `type`."""


class Kind(NamedTuple):
    """One row of the table: a problem's name, its status, what it says, and whether asking again may help."""

    name: str
    status: int
    title: str
    retryable: bool = False


BAD_REQUEST: Final = Kind("bad-request", 400, "The request is not well-formed.")
IDEMPOTENCY_KEY: Final = Kind(
    "idempotency-key", 400, "The Idempotency-Key header is missing, or is not 1 to 128 visible ASCII characters."
)
UNAUTHENTICATED: Final = Kind("unauthenticated", 401, "There is no live platform key in the Authorization header.")
FORBIDDEN: Final = Kind("forbidden", 403, "The platform key lacks the scope this needs.")
STAFF_ONLY: Final = Kind("staff-only", 403, "Only a member of staff of this role, signed in, may read this.")
UNKNOWN_ROUTE: Final = Kind("unknown-route", 404, "There is nothing under this path.")
UNKNOWN_ACCOUNT: Final = Kind("unknown-account", 404, "There is no account of this id.")
UNKNOWN_RECOVERY: Final = Kind("unknown-recovery", 404, "No recovery of this account is under way for this token.")
NO_FACE_CHECK: Final = Kind("no-face-check", 404, "This deployment looks at no faces.")
METHOD: Final = Kind("method", 405, "This path does not know the method.")
CHALLENGE: Final = Kind("challenge", 409, "The challenge is not open for this action; ask again without it.")
CHECK_REFUSED: Final = Kind("check-refused", 409, "The check cannot go on; begin anew.")
TOO_LARGE: Final = Kind("too-large", 413, "The body is too large.")
MEDIA_TYPE: Final = Kind("media-type", 415, "The body is not of the media type this takes.")
KEY_REUSED: Final = Kind("key-reused", 422, "The idempotency key was used before, with another body.")
ABSURD_PRICE: Final = Kind("absurd-price", 422, "A price is too far from the one before it.")
CHECKED_OUT: Final = Kind("checked-out", 429, "This recovery was checked as often as it may be.")
TOO_OFTEN: Final = Kind("too-often", 429, "This key handed in as much as it may in an hour.")
INTERNAL: Final = Kind("internal", 500, "Holdback failed.")
TAMPERED: Final = Kind("tampered", 500, "The account's stored rows do not verify; nothing is decided on them.")
UNREADABLE: Final = Kind("unreadable", 501, "This deployment reads no papers of this kind.")
OVERLOADED: Final = Kind("overloaded", 503, "More is asked than can be answered in time.", retryable=True)
DEADLINE: Final = Kind("deadline", 503, "There was no answer within the deadline.", retryable=True)
UNAVAILABLE: Final = Kind("unavailable", 503, "The store cannot be reached.", retryable=True)
OUTDATED: Final = Kind("outdated", 503, "This program is older than what it read; another may answer.", retryable=True)
NOT_READY: Final = Kind("not-ready", 503, "Notices are not being sent.", retryable=True)

KINDS: Final = (
    BAD_REQUEST,
    IDEMPOTENCY_KEY,
    UNAUTHENTICATED,
    FORBIDDEN,
    STAFF_ONLY,
    UNKNOWN_ROUTE,
    UNKNOWN_ACCOUNT,
    UNKNOWN_RECOVERY,
    NO_FACE_CHECK,
    METHOD,
    CHALLENGE,
    CHECK_REFUSED,
    TOO_LARGE,
    MEDIA_TYPE,
    KEY_REUSED,
    ABSURD_PRICE,
    CHECKED_OUT,
    TOO_OFTEN,
    INTERNAL,
    TAMPERED,
    UNREADABLE,
    OVERLOADED,
    DEADLINE,
    UNAVAILABLE,
    OUTDATED,
    NOT_READY,
)
"""Every problem there is; the documentation and the API's description list them from here."""


class ProblemForm(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of every error. `pointer` is the JSON pointer of the field that is wrong, "" for the whole body."""

    type: str
    title: str
    status: int
    detail: str
    retryable: bool
    pointer: str | None = None


class Problem(Exception):
    """A request that cannot be answered, of one kind of the table."""

    def __init__(
        self,
        kind: Kind,
        detail: str = "",
        *,
        pointer: str | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        """Say what is wrong this time; the kind's title if nothing more is to be said."""
        super().__init__(kind.name)
        self.kind = kind
        self.detail = detail
        self.pointer = pointer
        self.headers = headers

    def body(self) -> bytes:
        """The problem as JSON."""
        kind = self.kind
        detail = self.detail or kind.title
        form = ProblemForm(URN + kind.name, kind.title, kind.status, detail, kind.retryable, self.pointer)
        return msgspec.json.encode(form)


def retry_after(seconds: int) -> tuple[tuple[bytes, bytes], ...]:
    """The header that says when to come back (RFC 9110 section 10.2.3)."""
    return ((b"retry-after", str(seconds).encode()),)


_KNOWN: Final[Mapping[type[Exception], Kind]] = {
    Tampered: TAMPERED,
    NewerState: OUTDATED,
    NewerDatabase: OUTDATED,
    StoreUnavailable: UNAVAILABLE,
    TimeoutError: DEADLINE,
}


def problem_of(error: Exception) -> Problem:
    """The problem that an exception is to whoever asked. What is not foreseen says nothing of itself."""
    match error:
        case Problem():
            return error
        case BadRequest():
            return Problem(BAD_REQUEST, error.detail, pointer=error.pointer)
        case KeyReused():
            return Problem(KEY_REUSED)
        case ChallengeRefused():
            return Problem(CHALLENGE, sentence(error.reason), pointer="/challenge")
        case TooOften():
            return Problem(TOO_OFTEN, headers=retry_after(error.retry_after_s))
        case Overloaded():
            return Problem(OVERLOADED, headers=retry_after(error.retry_after_s))
        case _:
            kind = _KNOWN.get(type(error), INTERNAL)
            return Problem(kind, headers=retry_after(1) if kind.retryable else ())
