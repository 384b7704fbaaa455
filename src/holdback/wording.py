"""The sentences: one for each reason and each event. Mails, pages and the command line all speak them.

Reasons are worded for people who have proved nothing yet: they say what to do, and nothing about the account. Event
lines are for those who may read the account; personal fields reach them through `opened`, shortened so that a glance
over a shoulder tells little.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple, assert_never

from holdback.core import events as ev
from holdback.core.decision import Reason
from holdback.core.events import ChangeKind, Channel, Lane, Setting, Severity

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdback.core.events import AnyEvent, Finding, Instant, Sealed

    Opened = Callable[[Sealed], str]
    """Opens a sealed field of the account in hand."""

SHORT_ADDRESS: Final = 16
"""The longest address that is shown whole, in characters."""

TEXT_MESSAGE_MOST: Final = 300
"""Characters of a text message, which phones show in two parts at most."""

SENTENCES: Final[dict[Reason, str]] = {
    Reason.UNKNOWN_ACCOUNT: "There is no such account here.",
    Reason.NOT_AVAILABLE: "This is not offered yet.",
    Reason.NOT_ENTITLED: "This is not for you to ask.",
    Reason.SESSION_REQUIRED: "Sign in first.",
    Reason.SESSION_ENDED: "You were signed out. Sign in again.",
    Reason.CLOCK_UNCERTAIN: "The time is in doubt, and while it is nothing is loosened or paid out. Try again soon.",
    Reason.TOO_MANY_FAILURES: "There were too many wrong tries. Wait before the next one.",
    Reason.CHALLENGE_UNKNOWN: "This confirmation is not open any more. Ask again.",
    Reason.CHALLENGE_EXPIRED: "This confirmation took too long. Ask again.",
    Reason.CHALLENGE_OTHER_ACTION: "This confirmation belongs to something else. Nothing was done.",
    Reason.ALREADY_EXISTS: "This exists already.",
    Reason.NOT_FOUND: "There is nothing of that name.",
    Reason.EXIT_KIND_CLOSED: "This way of sending value is closed.",
    Reason.FROZEN: "The account is frozen by its owner. Nothing leaves until it is unfrozen.",
    Reason.BAD_FIELD: "A field does not fit this action.",
    Reason.COUNTERPARTY_UNKNOWN: "The receiving account is not known here.",
    Reason.NOT_ON_ALLOWLIST: "Only addresses in the address book may be paid. Add this one first.",
    Reason.TOO_MANY: "There are too many of these open at once.",
    Reason.LAST_ONE: "This is the last of its kind. Add another before removing it.",
    Reason.FREEZE_RIGHT_LOST: "This contact froze the account wrongly before and must be confirmed again first.",
    Reason.SENIOR_BENEFICIARY_REQUIRED: "Only a payment to a long-known address can be let go early.",
    Reason.NO_SENIOR_CONTACT: "Letting this go early needs a long-known contact that took no part in asking.",
    Reason.COOL_OFF_CLOSES: "The account changed lately. This stays closed until the cool-off is over.",
    Reason.NO_SENIOR_AUTHENTICATOR: "Your way of confirming is too new to move money. Wait until it has ripened.",
    Reason.AUTHENTICATOR_SUSPENDED: "Your strongest way of confirming is suspended. Reinstate it, or recover.",
    Reason.PROOF_REPLAYED: "This code was used before. Wait for the next one.",
    Reason.PROOF_WRONG: "A code or password was wrong.",
    Reason.PROOF_REQUIRED: "Confirm that it is you.",
    Reason.WEAKER_AUTHENTICATOR: "A weaker way of confirming cannot remove a stronger one.",
    Reason.LOOK_ALIKE: "This address looks like another one in your book and is not the same. Compare every character.",
    Reason.OVER_OWN_LIMIT: "This is more than the daily limit that the owner has set.",
    Reason.RECONCILING: "Payments are held while a restored system is compared with what was already paid.",
    Reason.PRICE_UNKNOWN: "The value of this asset is not known well enough right now.",
    Reason.NOTICE_UNDELIVERED: "The owner could not be told yet. The wait begins once a notice was accepted.",
    Reason.COOLING_OFF: "The account changed lately. Payments wait until the owner has had time to notice.",
    Reason.DESTINATION_NEW: "Whoever is paid is new to this account. New ones wait before their first payment.",
    Reason.OVER_BUDGET: "This is more than usually leaves the account in a day or month, so it waits.",
    Reason.RECEIVED_LATELY: "This uses value received from another customer lately. It may be traded, not sent on yet.",
    Reason.NOT_YET_DUE: "The wait that was announced is not over.",
    Reason.LOOSENING_WAITS: "Taking protection away takes effect after a wait, and can be cancelled until then.",
    Reason.RIPENS_LATER: "This is new and counts in full only after a wait.",
    Reason.INSTANT_LANE: "Small enough to go at once.",
    Reason.PROVED: "Confirmed.",
    Reason.TIGHTENING: "Protection was added. It takes effect now.",
    Reason.NO_HARM: "Nothing stands against it.",
}
"""The public sentence of every reason."""


def sentence(reason: Reason) -> str:
    """What to tell whoever asked, before anything about them is known."""
    return SENTENCES[reason]


def instant_text(at: Instant) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def day_text(at: Instant) -> str:
    """The same for people: `21 Nov 2026, 10:16 UTC`."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%d %b %Y, %H:%M UTC").lstrip("0")


def finding_line(finding: Finding) -> str:
    """A reason with its instant, for those who may read the account."""
    about = f" ({finding.about})" if finding.about else ""
    until = f" Until {day_text(finding.until)}." if finding.until is not None else ""
    return f"{finding.code}{about}: {sentence(Reason(finding.code))}{until}"


def money(micro_usd: int) -> str:
    """Micro-USD as people write dollars."""
    return f"${micro_usd / 1_000_000:,.2f}"


def shortened(text: str) -> str:
    """An address as a wallet shows it: enough to compare, not enough to copy."""
    return text if len(text) <= SHORT_ADDRESS else f"{text[:8]}...{text[-6:]}"


def masked(channel: Channel, address: str) -> str:
    """A contact as its owner recognises it and a stranger cannot use it."""
    if channel is Channel.EMAIL and "@" in address:
        name, _, domain = address.rpartition("@")
        return f"{name[:1]}***@{domain}"
    return f"***{address[-3:]}"


_SETTINGS: Final = {
    Setting.ALLOWLIST: "paying only addresses in the book",
    Setting.LOCK_HOURS: "the settings lock (hours)",
    Setting.LIMIT_MICRO_USD: "the daily limit",
}

_CHANGES: Final = {
    ChangeKind.SET: "change",
    ChangeKind.REMOVE_AUTHENTICATOR: "remove the authenticator",
    ChangeKind.REINSTATE_AUTHENTICATOR: "reinstate the authenticator",
    ChangeKind.REMOVE_CONTACT: "remove the contact",
    ChangeKind.UNFREEZE: "unfreeze",
}


def setting_text(setting: Setting, value: int) -> str:
    """A setting with its value."""
    if setting is Setting.ALLOWLIST:
        return f"{_SETTINGS[setting]}: {'on' if value else 'off'}"
    if setting is Setting.LIMIT_MICRO_USD:
        return f"{_SETTINGS[setting]}: {'none' if value < 0 else money(value)}"
    return f"{_SETTINGS[setting]}: {value}"


def event_line(event: AnyEvent, opened: Opened) -> str:
    """What happened, in one sentence."""
    match event:
        case ev.Decided():
            return f"{event.actor.kind.value} asked {event.action}: {event.decision}."
        case ev.AccountImported() | ev.Frozen() | ev.Unfrozen() | ev.EquityStated() | ev.ValueReceived():
            return _account_line(event)
        case ev.SessionStarted() | ev.SessionSeen() | ev.SessionEnded() | ev.DeviceMet() | ev.DeviceSeen():
            return _session_line(event, opened)
        case (
            ev.AuthenticatorBound()
            | ev.AuthenticatorConfirmed()
            | ev.AuthenticatorSuspended()
            | ev.AuthenticatorReinstated()
            | ev.AuthenticatorRemoved()
            | ev.SecretReplaced()
        ):
            return _authenticator_line(event)
        case ev.ProofUsed() | ev.ProofFailed() | ev.ChallengeIssued() | ev.ChallengeClosed():
            return _proof_line(event)
        case ev.ContactAdded() | ev.ContactAsked() | ev.ContactConfirmed() | ev.ContactRemoved() | ev.ContactRecycled():
            return _contact_line(event, opened)
        case ev.AddressAdded() | ev.AddressRenewed() | ev.AddressRemoved():
            return _address_line(event, opened)
        case ev.SettingChanged() | ev.ChangeAsked() | ev.ChangeCancelled() | ev.ChangeDone():
            return _change_line(event)
        case (
            ev.ExitAllowed()
            | ev.ExitHeld()
            | ev.ExitMoved()
            | ev.ExitCancelled()
            | ev.ExitSettled()
            | ev.ExitReconciled()
        ):
            return _exit_line(event)
        case (
            ev.CoolOffStarted()
            | ev.NoticeDue()
            | ev.NoticeFolded()
            | ev.NoticeAccepted()
            | ev.NoticeFailed()
            | ev.WaitMoved()
        ):
            return _notice_line(event)
        case _:
            assert_never(event)


def _account_line(
    event: ev.AccountImported | ev.Frozen | ev.Unfrozen | ev.EquityStated | ev.ValueReceived,
) -> str:
    match event:
        case ev.AccountImported():
            return "The account came under Holdback's protection."
        case ev.Frozen():
            how = "by a link in a notice" if event.by.contact else "by the owner"
            return f"The account was frozen {how}. Everything that waited was stopped."
        case ev.Unfrozen():
            return "The account was unfrozen." + (" The freeze was a mistake." if event.mistaken else "")
        case ev.EquityStated():
            return f"The platform said that the account holds {money(event.micro_usd)}."
        case ev.ValueReceived():
            return f"{money(event.micro_usd)} came from another customer; it may leave from {day_text(event.until)}."
        case _:
            assert_never(event)


def _session_line(
    event: ev.SessionStarted | ev.SessionSeen | ev.SessionEnded | ev.DeviceMet | ev.DeviceSeen, opened: Opened
) -> str:
    match event:
        case ev.SessionStarted():
            return f"Signed in with {' and '.join(event.proved)}."
        case ev.SessionSeen():
            return "The session was used." + (" The password was proved again." if event.password else "")
        case ev.SessionEnded():
            return "A session was ended."
        case ev.DeviceMet():
            return f"Signed in from a new device: {opened(event.user_agent) if event.user_agent else 'unnamed'}."
        case ev.DeviceSeen():
            return "Signed in from a known device."
        case _:
            assert_never(event)


def _authenticator_line(
    event: ev.AuthenticatorBound
    | ev.AuthenticatorConfirmed
    | ev.AuthenticatorSuspended
    | ev.AuthenticatorReinstated
    | ev.AuthenticatorRemoved
    | ev.SecretReplaced,
) -> str:
    name = event.authenticator
    match event:
        case ev.AuthenticatorBound():
            state = "added" if event.confirmed else "set up, and not confirmed yet"
            counts = f"It counts for money from {day_text(event.until)}."
            return f"A way of confirming was {state}: {event.kind.value} ({name}). {counts}"
        case ev.AuthenticatorConfirmed():
            return f"A new way of confirming works ({name}). It counts for money from {day_text(event.until)}."
        case ev.AuthenticatorSuspended():
            return f"A way of confirming was suspended ({name})."
        case ev.AuthenticatorReinstated():
            return f"A suspended way of confirming was reinstated ({name})."
        case ev.AuthenticatorRemoved():
            return f"A way of confirming was removed ({name})."
        case ev.SecretReplaced():
            return "The password was changed, and other sessions were signed out."
        case _:
            assert_never(event)


def _proof_line(event: ev.ProofUsed | ev.ProofFailed | ev.ChallengeIssued | ev.ChallengeClosed) -> str:
    match event:
        case ev.ProofUsed():
            return f"A proof was used ({event.authenticator})."
        case ev.ProofFailed():
            return f"A wrong or used proof was shown ({', '.join(event.kinds) or 'code'})."
        case ev.ChallengeIssued():
            ways = " or ".join("+".join(kinds) for kinds in event.accept)
            return f"More proof was asked for: {ways}."
        case ev.ChallengeClosed():
            return "The request for proof was closed."
        case _:
            assert_never(event)


def _contact_line(
    event: ev.ContactAdded | ev.ContactAsked | ev.ContactConfirmed | ev.ContactRemoved | ev.ContactRecycled,
    opened: Opened,
) -> str:
    match event:
        case ev.ContactAdded():
            return f"A contact was named: {masked(event.channel, opened(event.address))} ({event.contact})."
        case ev.ContactAsked():
            return f"A fresh code was sent to a contact ({event.contact})."
        case ev.ContactConfirmed():
            return f"A contact was confirmed ({event.contact})."
        case ev.ContactRemoved():
            until = day_text(event.told_until)
            return f"A contact was removed ({event.contact}); it is told of severe news until {until}."
        case ev.ContactRecycled():
            return f"A contact was reported as given to someone else ({event.contact}); nothing is sent there any more."
        case _:
            assert_never(event)


def _address_line(event: ev.AddressAdded | ev.AddressRenewed | ev.AddressRemoved, opened: Opened) -> str:
    match event:
        case ev.AddressAdded():
            where = shortened(opened(event.address)) if event.address else "any"
            who = f"{opened(event.label)}, {event.network} {where}"
            return f"A beneficiary was added: {who}. It can be paid from {day_text(event.until)}."
        case ev.AddressRenewed():
            return f"A beneficiary was confirmed again until {day_text(event.until)}."
        case ev.AddressRemoved():
            return "A beneficiary was removed."
        case _:
            assert_never(event)


def _change_line(event: ev.SettingChanged | ev.ChangeAsked | ev.ChangeCancelled | ev.ChangeDone) -> str:
    match event:
        case ev.SettingChanged():
            return f"A setting changed: {setting_text(event.setting, event.value)}."
        case ev.ChangeAsked():
            what = _CHANGES[event.kind]
            if event.kind is ChangeKind.SET:
                what = f"change {setting_text(Setting(event.subject), event.value)}"
            when = f"It takes effect on {day_text(event.until)} unless it is stopped."
            return f"Less protection was asked for: {what}. {when}"
        case ev.ChangeCancelled():
            return "A request for less protection was stopped."
        case ev.ChangeDone():
            return "The wait of a request for less protection is over."
        case _:
            assert_never(event)


_ExitEvent = ev.ExitAllowed | ev.ExitHeld | ev.ExitMoved | ev.ExitCancelled | ev.ExitSettled | ev.ExitReconciled


def _exit_line(event: _ExitEvent) -> str:
    match event:
        case ev.ExitAllowed():
            how = "" if event.lane is not Lane.OWN else " to an own account"
            return f"A payment was let go{how}: {event.kind}, {money(event.micro_usd)} ({event.exit})."
        case ev.ExitHeld():
            worth = f"{event.amount} {event.asset}, {money(event.micro_usd)}"
            return f"A payment waits: {event.kind} of {worth}, until {day_text(event.until)} ({event.exit})."
        case ev.ExitMoved():
            return f"A waiting payment must wait longer, until {day_text(event.until)} ({event.exit})."
        case ev.ExitCancelled():
            return f"A waiting payment was stopped ({event.exit})."
        case ev.ExitSettled():
            return f"A payment is final ({event.exit})."
        case ev.ExitReconciled():
            return f"A payment from before a restore was counted again: {money(event.micro_usd)}."
        case _:
            assert_never(event)


_NoticeEvent = ev.CoolOffStarted | ev.NoticeDue | ev.NoticeFolded | ev.NoticeAccepted | ev.NoticeFailed | ev.WaitMoved


def _notice_line(event: _NoticeEvent) -> str:
    match event:
        case ev.CoolOffStarted():
            senior, others = day_text(event.senior_until), day_text(event.others_until)
            return f"Payments cool off: to long-known beneficiaries until {senior}, to others until {others}."
        case ev.NoticeDue():
            return f"The owner is told ({event.cause}) at {len(event.contacts)} contacts."
        case ev.NoticeFolded():
            return f"The same news again ({event.cause}) was counted, not sent."
        case ev.NoticeAccepted():
            return f"A notice was accepted for delivery ({event.contact})."
        case ev.NoticeFailed():
            return f"A notice could not be delivered ({event.contact})."
        case ev.WaitMoved():
            return f"A wait runs from here, until {day_text(event.until)}."
        case _:
            assert_never(event)


class Notice(NamedTuple):
    """Everything a notice is worded from. `code` is set for codes only; `replaced` says the contact was replaced."""

    due: ev.NoticeDue
    cause: AnyEvent
    decided: ev.Decided
    channel: Channel
    replaced: bool
    phrase: str
    freeze_url: str
    chain_head: bytes
    code: str = ""


class NoticeText(NamedTuple):
    """A notice in words: `subject` is one line and holds nothing secret."""

    subject: str
    text: str


def notice_text(notice: Notice, opened: Opened) -> NoticeText:
    """The words of a notice for its channel: what happened, when and from where, and the one link that stops it."""
    if notice.code:
        return _code_text(notice)
    happened = "Something changed in your account." if notice.replaced else event_line(notice.cause, opened)
    if notice.channel is Channel.SMS:
        text = f"[{notice.phrase}] {happened} Not you? Freeze: {notice.freeze_url}"
        return NoticeText("Account notice", _fitting(happened, notice, text))
    subject = "Account frozen" if isinstance(notice.cause, ev.Frozen) else "Your account: please check"
    if notice.due.severity is Severity.INFO:
        subject = "Your account: for your information"
    lines = [
        f"Your phrase: {notice.phrase}. A message without it is not from us.",
        "",
        happened,
        f"When: {day_text(notice.due.at)}",
        *_where(notice, opened),
        "",
        "Was this not you? Freeze the account. It takes one click and no sign-in, and stops everything that leaves:",
        notice.freeze_url,
        "",
        "If it was you there is nothing to do. Nobody from the platform will ever ask you for a code or to move funds.",
        "",
        f"For your records: {notice.due.notice}, chain {notice.chain_head.hex()[:32]}",
    ]
    return NoticeText(subject, "\n".join(lines) + "\n")


def _fitting(happened: str, notice: Notice, text: str) -> str:
    """Shorten what happened, never the phrase or the link."""
    surplus = len(text) - TEXT_MESSAGE_MOST
    if surplus <= 0:
        return text
    kept = happened[: max(0, len(happened) - surplus - 3)] + "..."
    return f"[{notice.phrase}] {kept} Not you? Freeze: {notice.freeze_url}"


def _where(notice: Notice, opened: Opened) -> list[str]:
    """From where it was asked; a replaced contact is not told."""
    if notice.replaced or notice.decided.ip is None:
        return []
    return [f"From: {opened(notice.decided.ip)}"]


def _code_text(notice: Notice) -> NoticeText:
    what = "confirm a waiting payment" if isinstance(notice.cause, ev.ChallengeIssued) else "confirm this contact"
    good_for = "24 hours" if notice.channel is Channel.EMAIL and what.endswith("contact") else "10 minutes"
    text = (
        f"[{notice.phrase}] Your code to {what}: {notice.code}. Good for {good_for}. "
        "Nobody from the platform will ever ask for it."
    )
    if notice.channel is Channel.SMS:
        return NoticeText("Account code", text)
    return NoticeText("Your code", f"{text}\n\nDid you not ask for it? Freeze the account:\n{notice.freeze_url}\n")


_WORDS: Final = tuple(
    """
    amber anchor apple arrow autumn badge basil beacon birch bridge bronze cabin candle canyon cedar
    cherry clover cobalt comet copper coral cotton cradle crane crystal daisy delta desert dolphin ember
    falcon feather fern fiddle forest garnet ginger glacier granite harbor hazel heron honey island
    ivory jasmine juniper kettle lantern lemon lilac lotus maple marble meadow mint mirror opal orchid
    otter pebble pepper pine plum
    """.split()  # noqa: SIM905 - a column of sixty words would bury the page
)


def phrase(seed: bytes) -> str:
    """An owner's anti-phishing phrase, made of a keyed hash: three words of 64, which a stranger cannot know."""
    return " ".join(_WORDS[byte % len(_WORDS)] for byte in seed[:3])
