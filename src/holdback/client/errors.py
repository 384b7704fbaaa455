"""Everything that can go wrong. None of it ever means yes.

HoldbackError
|-- Unreachable          no answer in time; ask again under the same idempotency key
|-- NotUnderstood        an answer that this client cannot read
|-- Problem              Holdback refused the request itself, and says why (RFC 9457)
|   `-- ChallengeRefused its challenge is not open any more, or for something else; ask again without one
|-- NotCanonical         the action holds something that has no one spelling, such as a float (also a ValueError)
|-- WebhookRefused       not signed by Holdback, or too long ago
`-- ReceiptRefused
    |-- ReceiptForged    not signed by Holdback, or not a receipt
    |   `-- KeyUnknown   signed under a key that is not among those given; fetch them again
    |-- ReceiptMismatch  signed, but by another Holdback, for another account or action, or not an allow
    |-- ReceiptExpired   signed, but too long ago, or in the future
    `-- ReceiptUsed      its one-time id was consumed before
"""

from __future__ import annotations


class HoldbackError(Exception):
    """Base of all errors of this package.

    Example: `except HoldbackError: pay_nothing()`.
    """


class WebhookRefused(HoldbackError):
    """A message is not signed with one of the secrets, not of now, or not to be read. Do nothing on it; answer 400."""


class Unreachable(HoldbackError):
    """No answer came in time, so whether the question was decided is not known.

    Asking again under the same idempotency key is safe: an answer that was stored comes back.
    """


class NotUnderstood(HoldbackError):
    """The answer cannot be read, or names a decision this client does not know; nothing may be done on it."""


class Problem(HoldbackError):
    """Holdback could not take the request (RFC 9457).

    `type` is the problem's name, `status` the HTTP status, `detail` what is wrong this time, and `pointer` the JSON
    pointer of the field that is, or "".
    """

    def __init__(self, type: str, title: str, status: int, detail: str, pointer: str) -> None:  # noqa: A002 - RFC 9457's word
        """Hold the members of the problem."""
        super().__init__(f"{status} {detail or title}" + (f" ({pointer})" if pointer else ""))
        self.type = type
        self.title = title
        self.status = status
        self.detail = detail
        self.pointer = pointer


class ChallengeRefused(Problem):
    """The challenge is unknown, expired or was given for another action. Nothing was decided, nothing counts as failed.

    Ask the question again without `challenge`, under a fresh idempotency key (the earlier one brings the earlier answer
    back), and show the owner what the new step-up wants.
    """


class NotCanonical(HoldbackError, ValueError):
    """The action cannot be named exactly; the message says which value of it is at fault."""


class ReceiptRefused(HoldbackError):
    """Base of all reasons not to act on a receipt.

    Example: `except ReceiptRefused: alarm()`.
    """


class ReceiptForged(ReceiptRefused):
    """It is no receipt, was altered, or was not signed by Holdback."""


class KeyUnknown(ReceiptForged):
    """It names a key that is not among those given: forged, or signed with a key newer than they are."""


class ReceiptMismatch(ReceiptRefused):
    """It was signed, but not for this: another issuer, another account, another action, a decision but allow."""


class ReceiptExpired(ReceiptRefused):
    """It was good once, or will be."""


class ReceiptUsed(ReceiptRefused):
    """Its id was consumed before: value has moved for it already."""
