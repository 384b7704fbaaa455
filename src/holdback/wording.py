"""The sentences: one for each reason and each event. Mails, pages and the command line all speak them.

Reasons are worded for people who have proved nothing yet: they say what to do, and nothing about the account. Event
lines are for those who may read the account; personal fields reach them through `opened`, shortened so that a glance
over a shoulder tells little.

A thief in a session chooses some of the words that a notice repeats: a beneficiary's name, an address, a user agent.
None may speak for the platform. They are cut short, lose whatever a mail program would make a link of, and stand in
quotation marks; of a user agent only words of our own remain, and subjects are made of our own words alone.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, assert_never

import msgspec

from holdback.core import events as ev
from holdback.core.assurance import CODE_MS as AUTHENTICATOR_CODE_MS
from holdback.core.decision import Reason
from holdback.core.events import (
    HOUR,
    MINUTE,
    ActorKind,
    AuthenticatorKind,
    ChangeKind,
    Channel,
    Ending,
    Lane,
    Setting,
    Severity,
    stored_decoder,
)
from holdback.core.policy import MICRO
from holdback.core.rules.account import AccountUnfreeze
from holdback.core.rules.address import OPENED_KINDS, AddressAdd, AddressRenew
from holdback.core.rules.asking import micro_usd
from holdback.core.rules.authenticator import AuthenticatorBind, AuthenticatorReinstate, AuthenticatorRemove
from holdback.core.rules.contact import ContactAdd, ContactRemove, ContactReportRecycled
from holdback.core.rules.exit import ExitRelease, ExitRequest
from holdback.core.rules.incident import IncidentClose
from holdback.core.rules.password import PasswordChange
from holdback.core.rules.recovery import EvidenceBurn, RecoveryCancel, RecoveryEvidence, RecoveryFinish
from holdback.core.rules.session import SessionStart
from holdback.core.rules.setting import AllowlistSet, LimitSet, LockSet, wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from holdback.core.events import AnyEvent, Finding, Instant, Sealed
    from holdback.core.rules.asking import Action
    from holdback.core.state import Customer, Head

    Opened = Callable[[Sealed], str]
    """Opens a sealed field of the account in hand."""

TEXT_MESSAGE_MOST: Final = 300
"""Characters of a text message, which phones show in two parts at most; a link is never cut to fit."""
SHORT_ADDRESS: Final = 16
"""Characters of an address that is shown whole."""
LABEL_MOST: Final = 32
"""Characters of a name that an owner gave, or a thief."""
LONG_DOMAIN: Final = 48
"""Characters of a mail domain, its end shown if it has more."""

SENTENCES: Final[dict[Reason, str]] = {
    Reason.UNKNOWN_ACCOUNT: "There is no such account here. Check its name.",
    Reason.NOT_AVAILABLE: "This is not offered yet. Ask support which way there is.",
    Reason.NOT_ENTITLED: "This is not for you to ask. The owner may, signed in.",
    Reason.SESSION_REQUIRED: "Sign in first.",
    Reason.SESSION_ENDED: "You were signed out. Sign in again.",
    Reason.DEVICE_KEY_REQUIRED: "This must come from the device you signed in on. Sign in again on this one.",
    Reason.DEVICE_KEY_WRONG: "The signature of the device does not fit this request. Ask again, or sign in again.",
    Reason.CLOCK_UNCERTAIN: "The time is in doubt, and while it is nothing is loosened or paid out. Try again soon.",
    Reason.TOO_MANY_FAILURES: "There were too many wrong tries. Wait before the next one.",
    Reason.CHALLENGE_UNKNOWN: "This confirmation is not open any more. Ask again.",
    Reason.CHALLENGE_EXPIRED: "This confirmation took too long. Ask again.",
    Reason.CHALLENGE_OTHER_ACTION: "This confirmation belongs to something else. Nothing was done. Ask again.",
    Reason.ALREADY_EXISTS: "This exists already. Use what is there.",
    Reason.NOT_FOUND: "There is nothing of that name. Check what is there.",
    Reason.EXIT_KIND_CLOSED: "This way of sending value is closed. Choose another.",
    Reason.FROZEN: "The account is frozen by its owner. Nothing leaves until the owner has unfrozen it.",
    Reason.BAD_FIELD: "A field does not fit this action. Correct it.",
    Reason.TOO_MANY: "There are too many of these open at once. Wait for one to end, or end one.",
    Reason.RECOVERED_LATELY: "The account was recovered lately. Read and secure it, and wait until the rest opens.",
    Reason.EVIDENCE_CLOSED: "Nothing more can be shown for this recovery. Wait for its end.",
    Reason.EVIDENCE_BURNED: "Others may know this about the account, so it proves nothing here. Show something else.",
    Reason.EVIDENCE_TOO_NEW: "There is nothing of this kind that is older than the recovery. Show something else.",
    Reason.EVIDENCE_NOT_EVALUATED: "Nobody has judged this evidence yet, so it does not count. Have it judged first.",
    Reason.EVIDENCE_WRONG: "This evidence was wrong, and only a few tries are taken. Check it before the next one.",
    Reason.EVIDENCE_REQUIRED: "Show evidence that you had before and others do not have.",
    Reason.NOT_DRAWN: "Chance draws who reviews a recovery, and nobody who is involved. Leave it to those drawn.",
    Reason.REVIEW_REQUIRED: "Two reviewers must approve this first. Wait for them.",
    Reason.LAST_ONE: "This is the last of its kind. Add another before removing it.",
    Reason.FREEZE_RIGHT_LOST: "This contact froze the account wrongly before and must be confirmed again first.",
    Reason.SENIOR_BENEFICIARY_REQUIRED: "Only a payment to a long-known address can go early. Wait for its time.",
    Reason.NO_SENIOR_CONTACT: "To go early this needs a long-known contact that took no part in asking. Wait.",
    Reason.COOL_OFF_CLOSES: "The account changed lately. This stays closed until the cool-off is over.",
    Reason.NO_SENIOR_AUTHENTICATOR: (
        "You have no way of confirming that is old and strong enough for this. Add one, or wait until yours is."
    ),
    Reason.AUTHENTICATOR_SUSPENDED: "Your strongest way of confirming is suspended. Reinstate it, or recover.",
    Reason.AUTHENTICATOR_CLONED: "This passkey counts its uses, and its count went back. Suspend it. Use another.",
    Reason.PROOF_REPLAYED: "This code was used before. Wait for the next one.",
    Reason.PROOF_WRONG: "A code or password was wrong. Try again.",
    Reason.PROOF_REQUIRED: "Confirm that it is you.",
    Reason.WEAKER_AUTHENTICATOR: "A weaker way of confirming cannot remove a stronger one. Confirm by one as strong.",
    Reason.UNLIKE_OWNER: "This sign-in is unlike those before it. Confirm it by the code that was sent to a contact.",
    Reason.RISK_ADDRESS: "The network is not one that is usual here. Confirm that it is you by the code.",
    Reason.RISK_BROWSER: "The browser is not one that is usual here. Confirm that it is you by the code.",
    Reason.RISK_DEVICE: "The device is new here. Confirm it, and use it for a while.",
    Reason.RISK_HOUR: "The time of day is not a usual one. Confirm that it is you by the code.",
    Reason.RISK_PACE: "The last sign-in was unusually short or long ago. Confirm that it is you by the code.",
    Reason.RISK_TRAVEL: "The country is another one than lately. Confirm that it is you by the code.",
    Reason.RISK_ORIGIN: "The address belongs to a hosting provider, a VPN or Tor. Confirm by the code.",
    Reason.RISK_TRIES: "There were wrong tries before this one. Confirm that it is you by the code.",
    Reason.RISK_FACTORS: "A way of confirming that was used is new. Wait until it is older, or confirm by the code.",
    Reason.RISK_MISSING: "Something about the sign-in could not be found out. Confirm that it is you by the code.",
    Reason.LOOK_ALIKE: "This address looks like another one in your book and is not the same. Compare every character.",
    Reason.COUNTERPARTY_UNKNOWN: "The receiving account is not known here. Check its name.",
    Reason.NOT_ON_ALLOWLIST: "Only addresses in the address book may be paid. Add this one first.",
    Reason.OVER_OWN_LIMIT: "This is more than the daily limit that the owner has set. Wait, or ask for less.",
    Reason.RECONCILING: "A restored system is compared with what was already paid. Payments wait until that is done.",
    Reason.PRICE_UNKNOWN: "The value of this asset is not known well enough right now. Try again soon.",
    Reason.NOTICE_UNDELIVERED: "The owner could not be told yet, and the wait begins after that. Check the contacts.",
    Reason.VERIFICATION_EXPIRED: "Whoever is paid was not confirmed for long. Confirm that entry of the book again.",
    Reason.COOLING_OFF: "The account changed lately. Payments wait until the owner has had time to notice.",
    Reason.DESTINATION_NEW: "Whoever is paid is new to this account. New ones wait before their first payment.",
    Reason.OVER_BUDGET: "This is more than usually leaves the account in a day or month. Wait, or ask for less.",
    Reason.RECEIVED_LATELY: "This was received from another customer lately. Trade it, or wait to send it on.",
    Reason.NOT_YET_DUE: "The wait that was announced is not over. Ask again at its end.",
    Reason.LOOSENING_WAITS: "Taking protection away takes effect after a wait, and can be cancelled until then.",
    Reason.RECOVERY_WAITS: "A recovery waits, so that everyone concerned can object. Come back at that time.",
    Reason.RIPENS_LATER: "This is new and counts in full only after a wait. Confirm it first if that is asked.",
    Reason.INSTANT_LANE: "Small enough to go at once. There is nothing more to do.",
    Reason.PROVED: "Confirmed. There is nothing more to do.",
    Reason.TIGHTENING: "Protection was added. It takes effect now.",
    Reason.NO_HARM: "Nothing stands against it. There is nothing more to do.",
}
"""The public sentence of every reason."""


def sentence(reason: Reason) -> str:
    """What to tell whoever asked, before anything about them is known."""
    return SENTENCES[reason]


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def instant_text(at: Instant) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return (_EPOCH + timedelta(milliseconds=at)).isoformat(timespec="milliseconds")[:-6] + "Z"


def day_text(at: Instant) -> str:
    """The same for people, in every locale: `21 Nov 2026, 10:16 UTC`. A begun minute counts, so nobody comes early."""
    when = _EPOCH + timedelta(minutes=-(-at // MINUTE))
    return f"{when.day} {_MONTHS[when.month - 1]} {when.year}, {when:%H:%M} UTC"


def begun_text(at: Instant) -> str:
    """The same for what was or what ends: the minute it is in, so nobody reads of what has not been, or comes late."""
    return day_text(at - at % MINUTE)


def finding_line(finding: Finding) -> str:
    """A reason with its instant, for those who may read the account."""
    about = f" ({finding.about})" if finding.about else ""
    until = f" Until {day_text(finding.until)}." if finding.until is not None else ""
    return f"{finding.code}{about}: {sentence(Reason(finding.code))}{until}"


def money(micro_usd: int) -> str:
    """Micro-USD as people write dollars, to the cent."""
    cents = (micro_usd + MICRO // 200) // (MICRO // 100)
    return f"${cents // 100:,}.{cents % 100:02}"


def shortened(text: str) -> str:
    """An address as a wallet shows it: enough to compare, not enough to copy, and nothing that could be a link."""
    plain = re.sub(r"[^A-Za-z0-9:_-]", "-", text)
    return plain if len(plain) <= SHORT_ADDRESS else f"{plain[:8]}...{plain[-6:]}"


def masked(channel: Channel, address: str) -> str:
    """A contact as its owner recognises it and a stranger cannot use it."""
    if channel is Channel.EMAIL and "@" in address:
        name, _, domain = address.rpartition("@")
        return f"{re.sub('[^A-Za-z0-9]', '', name[:1])}***@{re.sub('[^A-Za-z0-9.-]', '-', domain[-LONG_DOMAIN:])}"
    return f"***{re.sub('[^A-Za-z0-9]', '', address)[-3:]}"


def quoted(text: str) -> str:
    """Somebody's own words in quotation marks: short, on one line, with nothing left that could become a link."""
    shown = [
        char if unicodedata.category(char)[0] in "LMN" or char in " -_'()&+" else "-" for char in text[:LABEL_MOST]
    ]
    return f'"{" ".join("".join(shown).split())}"'


_PROGRAMS: Final = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari"}
_SYSTEMS: Final = {
    "Android": "Android",
    "iPhone": "an iPhone",
    "iPad": "an iPad",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


def program(user_agent: str) -> str:
    """What signed in, in words of our own, for a user agent is anybody's: `Firefox on Windows`."""
    name = next(
        (ours for theirs, ours in _PROGRAMS.items() if theirs in user_agent), "a program that does not say which"
    )
    system = next((ours for theirs, ours in _SYSTEMS.items() if theirs in user_agent), "")
    return f"{name} on {system}" if system else name


_KINDS: Final[dict[str, str]] = {
    AuthenticatorKind.PASSWORD: "password",
    AuthenticatorKind.TOTP: "authenticator app",
    AuthenticatorKind.PASSKEY: "passkey",
    AuthenticatorKind.SMS: "code by text message",
    AuthenticatorKind.EMAIL: "code by mail",
    AuthenticatorKind.BACKUP_CODE: "backup codes",
    "contact_code": "code sent to a contact",
}

_WHO: Final = {
    ActorKind.OWNER: "someone signed in as the owner",
    ActorKind.LINK: "whoever pressed the link in a notice",
    ActorKind.API_KEY: "an API key",
    ActorKind.STAFF: "a member of staff",
    ActorKind.AGENCY: "an agency",
    ActorKind.PLATFORM: "the platform",
    ActorKind.SYSTEM: "Holdback itself",
}


def _together(kinds: Sequence[str]) -> str:
    return " and ".join(_KINDS.get(kind, kind) for kind in kinds)


class _Known(NamedTuple):
    """What names things of which an event knows the id alone. Both `head` and `decided` may be missing."""

    opened: Opened
    head: Head | None
    decided: ev.Decided | None

    def authenticator(self, name: str) -> str:
        """An authenticator by kind and id."""
        one = self.head.authenticators.get(name) if self.head else None
        return f"{_KINDS[one.kind]} ({name})" if one else f"authenticator {name}"

    def contact(self, name: str) -> str:
        """A contact by masked address and id."""
        one = self.head.contacts.get(name) if self.head else None
        return f"{masked(one.channel, self.opened(one.address))} ({name})" if one else f"contact {name}"

    def payment(self) -> ExitRequest | None:
        """The request to pay that caused this, if one did."""
        asked = self.decided if self.decided and self.decided.action == "exit.request" else None
        return _EXIT_REQUEST.decode(asked.request) if asked else None

    def released(self) -> str:
        """The id of the waiting payment that this asks to let go, empty if it asks for something else."""
        asked = self.decided if self.decided and self.decided.action == "exit.release" else None
        return _EXIT_RELEASE.decode(asked.request).which if asked else ""

    def beneficiary(self, asked: AddressAdd | AddressRenew) -> str:
        """An entry of the book, as a request names it."""
        where = shortened(self.opened(asked.address)) if asked.address else "to anyone"
        return f"{asked.network} {where}"


_EXIT_REQUEST: Final = stored_decoder(ExitRequest)
_EXIT_RELEASE: Final = stored_decoder(ExitRelease)

_Confirmed = (
    SessionStart
    | ExitRequest
    | ExitRelease
    | AddressAdd
    | AddressRenew
    | AuthenticatorBind
    | AuthenticatorRemove
    | AuthenticatorReinstate
    | ContactAdd
    | ContactRemove
    | ContactReportRecycled
    | PasswordChange
    | AccountUnfreeze
    | AllowlistSet
    | LockSet
    | LimitSet
    | RecoveryEvidence
    | RecoveryCancel
    | RecoveryFinish
    | EvidenceBurn
    | IncidentClose
)
"""Every action that may ask for proof."""

_CONFIRMED: Final[msgspec.msgpack.Decoder[_Confirmed]] = stored_decoder(_Confirmed)  # type: ignore[arg-type] # a union


def confirmed_text(known: _Known) -> str:
    """What a proof confirms, in words that name amount and address: `pay 0.25 BTC to bc1qar0s...wf5mdq by bitcoin`.

    Whoever is asked for a code on the telephone reads here what it would do.
    """
    try:
        asked = _CONFIRMED.decode(known.decided.request if known.decided else b"")
    except msgspec.DecodeError:
        return "confirm something that was asked of your account"
    match asked:
        case SessionStart():
            return "sign in"
        case ExitRequest():
            towards = asked.address or asked.counterparty
            whom = f"to {shortened(known.opened(towards))} by {asked.network or asked.kind}" if towards else "to anyone"
            return f"pay {asked.amount} {quoted(asked.asset)[1:-1]} {whom}"
        case ExitRelease():
            return f"let {_waiting_payment(known)} leave before its time"
        case AddressAdd():
            return f"add the beneficiary {quoted(known.opened(asked.name))}, {known.beneficiary(asked)}"
        case AddressRenew():
            return f"confirm a beneficiary again: {known.beneficiary(asked)}"
        case PasswordChange():
            return "replace the password"
        case AccountUnfreeze():
            return "unfreeze the account"
        case AllowlistSet() | LockSet() | LimitSet():
            return f"change {_setting_wanted(asked)}"
        case RecoveryEvidence() | RecoveryCancel() | RecoveryFinish() | EvidenceBurn() | IncidentClose():
            return _RECOVERING[type(asked)]
        case _:
            return _guard_wanted(asked, known)


_RECOVERING: Final[dict[type[Action], str]] = {
    RecoveryEvidence: "show that you are the owner of an account that is to be recovered",
    RecoveryCancel: "end the recovery of your account",
    RecoveryFinish: "finish the recovery of your account by a new password",
    EvidenceBurn: "say that others know what would prove that you are the owner",
    IncidentClose: "close the case of your robbery",
}


def _guard_wanted(
    asked: AuthenticatorBind
    | AuthenticatorRemove
    | AuthenticatorReinstate
    | ContactAdd
    | ContactRemove
    | ContactReportRecycled,
    known: _Known,
) -> str:
    match asked:
        case AuthenticatorBind():
            return f"add a way of confirming: {_KINDS[asked.kind]}"
        case AuthenticatorRemove():
            return f"remove {known.authenticator(asked.authenticator)}"
        case AuthenticatorReinstate():
            return f"reinstate {known.authenticator(asked.authenticator)}"
        case ContactAdd():
            return f"add the contact {masked(asked.channel, known.opened(asked.address))}"
        case ContactRemove():
            return f"remove the contact {known.contact(asked.contact)}"
        case ContactReportRecycled():
            given = known.contact(asked.contact) if asked.contact else known.authenticator(asked.authenticator or "")
            return f"report as given to someone else: {given}"
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(asked)


def _setting_wanted(asked: AllowlistSet | LockSet | LimitSet) -> str:
    match asked:
        case AllowlistSet():
            return setting_text(Setting.ALLOWLIST, int(asked.on))
        case LockSet():
            return setting_text(Setting.LOCK_HOURS, asked.hours)
        case LimitSet():
            limit = -1 if asked.usd_per_day is None else micro_usd(asked.usd_per_day)
            return setting_text(Setting.LIMIT_MICRO_USD, limit)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(asked)


_SETTINGS: Final = {
    Setting.ALLOWLIST: "paying only addresses in the book",
    Setting.LOCK_HOURS: "the settings lock (hours)",
    Setting.LIMIT_MICRO_USD: "the daily limit",
}


def setting_text(setting: Setting, value: int) -> str:
    """A setting with its value."""
    if setting is Setting.ALLOWLIST:
        return f"{_SETTINGS[setting]}: {'on' if value else 'off'}"
    if setting is Setting.LIMIT_MICRO_USD:
        return f"{_SETTINGS[setting]}: {'none' if value < 0 else money(value)}"
    return f"{_SETTINGS[setting]}: {value}"


def asked_line(action: Action, opened: Opened = str, customer: Customer | None = None) -> str:
    """What the owner confirms by proving, in words: amount and address in full, for this is where he compares them.

    `customer` has the parts that the action names. What needs no proof has no line.
    """
    known = _Known(opened, customer.head if customer else None, None)
    match action:
        case SessionStart():
            return "Sign in."
        case ExitRequest():
            target = action.address or action.counterparty
            where = f" to {_exact(opened(target))}" if target else ""
            network = f" by {action.network}" if action.network else ""
            return f"Send {action.amount} {action.asset}{where}{network} ({action.kind})."
        case ExitRelease():
            return _release_asked(action.which, known, customer)
        case AddressAdd():
            where = _exact(opened(action.address)) if action.address else "any receiver"
            return f"Add to the address book as {quoted(opened(action.name))}: {where} by {action.network}."
        case AddressRenew():
            where = _exact(opened(action.address)) if action.address else "any receiver"
            return f"Confirm again in the address book: {where} by {action.network}."
        case _:
            return _change_asked(action, known)


def _change_asked(action: Action, known: _Known) -> str:
    """What changes the account and moves no value."""
    match action:
        case AuthenticatorBind():
            return f"Add a way of confirming: {_KINDS[action.kind]}."
        case AuthenticatorRemove():
            return f"Remove a way of confirming: {known.authenticator(action.authenticator)}."
        case AuthenticatorReinstate():
            return f"Reinstate a way of confirming: {known.authenticator(action.authenticator)}."
        case ContactAdd():
            return f"Add a contact for notices ({action.channel}): {_exact(known.opened(action.address))}."
        case ContactRemove():
            return f"Remove a contact for notices: {known.contact(action.contact)}."
        case ContactReportRecycled():
            name = known.contact(action.contact) if action.contact else known.authenticator(action.authenticator or "")
            return f"Report that this belongs to someone else now: {name}."
        case AllowlistSet() | LockSet() | LimitSet():
            return f"Change a setting: {setting_text(*wanted(action))}."
        case PasswordChange():
            return "Change the password."
        case AccountUnfreeze():
            return "Unfreeze the account."
        case RecoveryEvidence() | RecoveryCancel() | RecoveryFinish() | EvidenceBurn() | IncidentClose():
            return f"{_capital(_RECOVERING[type(action)])}."
        case _:
            return ""


def _release_asked(which: str, known: _Known, customer: Customer | None) -> str:
    held = known.head.exits.get(which) if known.head else None
    if held is None or customer is None:
        return f"Let a waiting payment go now ({which})."
    entry = customer.beneficiary(held.beneficiary)
    where = _exact(known.opened(entry.address)) if entry and entry.address else _beneficiary(held.beneficiary)
    return f"Let a waiting payment go now: {held.amount} {held.asset} to {where} by {held.network} ({which})."


def _exact(text: str) -> str:
    """A destination as it was given, but for what could not stand in one: spaces, and letters that look like others."""
    return re.sub(r"[^!-~]", "-", text)


def event_line(  # noqa: C901 - one case for each subject
    event: AnyEvent, opened: Opened, head: Head | None = None, decided: ev.Decided | None = None
) -> str:
    """What happened, in a sentence or two.

    `head` (a later one will do) and `decided`, the entry's first event, name more of what the event has only ids of.
    """
    known = _Known(opened, head, decided)
    match event:
        case ev.Decided():
            return f"{_capital(_WHO[event.actor.kind])} asked {event.action}: {event.decision}."
        case ev.AccountImported() | ev.Frozen() | ev.Unfrozen() | ev.EquityStated() | ev.ValueReceived():
            return _account_line(event, known)
        case (
            ev.SessionStarted()
            | ev.SessionSeen()
            | ev.SessionEnded()
            | ev.SessionMisused()
            | ev.DeviceProofSpent()
            | ev.DeviceMet()
            | ev.DeviceSeen()
            | ev.DeviceDisowned()
        ):
            return _session_line(event, known)
        case ev.SignInScored() | ev.PlaceSeen():
            return _score_line(event)
        case (
            ev.AuthenticatorBound()
            | ev.AuthenticatorConfirmed()
            | ev.AuthenticatorSuspended()
            | ev.AuthenticatorReinstated()
            | ev.AuthenticatorRemoved()
            | ev.AuthenticatorRecycled()
            | ev.SecretReplaced()
            | ev.CredentialRehashed()
        ):
            return _authenticator_line(event, known)
        case (
            ev.ProofUsed()
            | ev.ProofFailed()
            | ev.SignInsFailed()
            | ev.ChallengeIssued()
            | ev.ChallengeClosed()
            | ev.AuthenticatorAsked()
        ):
            return _proof_line(event, known)
        case ev.ContactAdded() | ev.ContactAsked() | ev.ContactConfirmed() | ev.ContactRemoved() | ev.ContactRecycled():
            return _contact_line(event, known)
        case ev.AddressAdded() | ev.AddressRenewed() | ev.AddressRemoved():
            return _address_line(event, known)
        case ev.SettingChanged() | ev.ChangeAsked() | ev.ChangeCancelled() | ev.ChangeDone():
            return _change_line(event, known)
        case (
            ev.ExitAllowed()
            | ev.ExitHeld()
            | ev.ExitMoved()
            | ev.ExitCancelled()
            | ev.ExitSettled()
            | ev.ExitReconciled()
        ):
            return _exit_line(event, known)
        case (
            ev.CoolOffStarted()
            | ev.NoticeDue()
            | ev.NoticeFolded()
            | ev.NoticeAccepted()
            | ev.NoticeFailed()
            | ev.WaitMoved()
        ):
            return _notice_line(event, known)
        case ev.IncidentReported() | ev.IncidentNoted() | ev.IncidentClosed():
            return _incident_line(event, known)
        case (
            ev.RecoveryOpened()
            | ev.RecoveryAsked()
            | ev.RecoveryShown()
            | ev.RecoveryMissed()
            | ev.RecoveryClosed()
            | ev.RecoveryReviewed()
            | ev.RecoveryContested()
            | ev.RecoveryEnded()
            | ev.RecoveryFinished()
            | ev.EvidenceBurned()
        ):
            return _recovery_line(event, known)
        case _:
            assert_never(event)


def _account_line(
    event: ev.AccountImported | ev.Frozen | ev.Unfrozen | ev.EquityStated | ev.ValueReceived, known: _Known
) -> str:
    match event:
        case ev.AccountImported():
            return "The account came under Holdback's protection."
        case ev.Frozen():
            by_link = f"the link in a notice to {known.contact(event.by.contact)}"
            how = by_link if event.by.contact else _WHO[event.by.kind]
            return f"The account was frozen by {how}. Everything that waited was stopped."
        case ev.Unfrozen():
            return "The account was unfrozen." + (" The freeze was said to be a mistake." if event.mistaken else "")
        case ev.EquityStated():
            return f"The platform said that the account holds {money(event.micro_usd)}."
        case ev.ValueReceived():
            return f"{money(event.micro_usd)} came from another customer; it may leave from {day_text(event.until)}."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


_SessionEvent = (
    ev.SessionStarted
    | ev.SessionSeen
    | ev.SessionEnded
    | ev.SessionMisused
    | ev.DeviceProofSpent
    | ev.DeviceMet
    | ev.DeviceSeen
    | ev.DeviceDisowned
)


def _session_line(event: _SessionEvent, known: _Known) -> str:
    match event:
        case ev.SessionStarted():
            return f"Signed in with {_together(event.proved)}, until {day_text(event.until)} at the latest."
        case ev.SessionSeen():
            return "The session was used." + (" The password was proved again." if event.password else "")
        case ev.SessionEnded():
            return "A session was ended."
        case ev.SessionMisused():
            return "Your session was used without the key of the device that signed in. It was refused."
        case ev.DeviceProofSpent():
            return "The device's key signed a request."
        case ev.DeviceMet():
            agent = known.opened(event.user_agent) if event.user_agent else ""
            return f"Signed in from a new device: {program(agent)}."
        case ev.DeviceSeen():
            return "Signed in from a known device."
        case ev.DeviceDisowned():
            return "A device was disowned: it was signed out, and whenever it signs in again it is told as a new one."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _score_line(event: ev.SignInScored | ev.PlaceSeen) -> str:
    """A score with each term's share, in nats: more than 0 is unlike the owner."""
    if isinstance(event, ev.PlaceSeen):
        return "Where it came from will be learnt if nobody stops the account meanwhile."
    shares = [f"{_of(term)} {_nats(term.centinats)}" for term in event.terms]
    asked = " One more proof was asked for." if event.raised else ""
    cooled = " It was so unlike the owner that payments cool off." if event.cools else ""
    return f"The sign-in was compared with those before: {_nats(event.centinats)} ({', '.join(shares)}).{asked}{cooled}"


def _of(term: ev.ScoreTerm) -> str:
    return f"{term.feature} ({term.about})" if term.about else term.feature


def _nats(centinats: int) -> str:
    return f"{'-' if centinats < 0 else '+'}{abs(centinats) // 100}.{abs(centinats) % 100:02}"


_AuthenticatorEvent = (
    ev.AuthenticatorBound
    | ev.AuthenticatorConfirmed
    | ev.AuthenticatorSuspended
    | ev.AuthenticatorReinstated
    | ev.AuthenticatorRemoved
    | ev.AuthenticatorRecycled
    | ev.SecretReplaced
    | ev.CredentialRehashed
)


def _authenticator_line(event: _AuthenticatorEvent, known: _Known) -> str:
    name = known.authenticator(event.authenticator)
    match event:
        case ev.AuthenticatorBound():
            state = "added" if event.confirmed else "set up, and not confirmed yet"
            counts = f"It counts for money from {day_text(event.until)} at the earliest."
            return f"A way of confirming was {state}: {_KINDS[event.kind]} ({event.authenticator}). {counts}"
        case ev.AuthenticatorConfirmed():
            counts = f"It counts for money from {day_text(event.until)} at the earliest."
            return f"A new way of confirming works: {name}. {counts}"
        case ev.AuthenticatorSuspended():
            return f"A way of confirming was suspended, and proves nothing now: {name}."
        case ev.AuthenticatorReinstated():
            return f"A suspended way of confirming was reinstated: {name}."
        case ev.AuthenticatorRemoved():
            return f"A way of confirming was removed: {name}."
        case ev.AuthenticatorRecycled():
            lives = "Its number or mailbox was reported as given to someone else"
            return f"A way of confirming proves nothing any more: {name}. {lives}, and no code is sent there."
        case ev.SecretReplaced():
            counts = f"It counts for money from {day_text(event.until)} at the earliest."
            return f"A secret was replaced: {name}. {counts}"
        case ev.CredentialRehashed():
            return f"The same secret is kept under a stronger hash: {name}."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


_ProofEvent = (
    ev.ProofUsed | ev.ProofFailed | ev.SignInsFailed | ev.ChallengeIssued | ev.ChallengeClosed | ev.AuthenticatorAsked
)


def _proof_line(event: _ProofEvent, known: _Known) -> str:
    match event:
        case ev.AuthenticatorAsked():
            return f"A code was sent: {known.authenticator(event.authenticator)}."
        case ev.ProofUsed():
            return f"A proof was used: {known.authenticator(event.authenticator)}."
        case ev.ProofFailed():
            return f"A wrong or used proof was shown: {_together(event.kinds) or _KINDS['contact_code']}."
        case ev.SignInsFailed():
            tries = "one sign-in" if event.failures == 1 else f"{event.failures} sign-ins"
            places = {0: "", 1: ", from one network"}.get(event.networks, f", from at least {event.networks} networks")
            return f"Between {begun_text(event.first_at)} and {begun_text(event.last_at)} {tries} failed{places}."
        case ev.ChallengeIssued():
            ways = " or ".join(_together(kinds) for kinds in event.accept)
            sent = f" A code went to {known.contact(event.contact)}." if event.contact else ""
            return f"More proof was asked for: {ways}.{sent}"
        case ev.ChallengeClosed():
            return "The request for proof was closed."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


_ContactEvent = ev.ContactAdded | ev.ContactAsked | ev.ContactConfirmed | ev.ContactRemoved | ev.ContactRecycled


def _contact_line(event: _ContactEvent, known: _Known) -> str:
    name = known.contact(event.contact)
    match event:
        case ev.ContactAdded():
            shown = masked(event.channel, known.opened(event.address))
            return f"A contact was named: {shown}, {event.channel.value} ({event.contact})."
        case ev.ContactAsked():
            return f"A fresh code was sent to a contact: {name}."
        case ev.ContactConfirmed():
            if not event.wait_ms:
                return f"A contact was confirmed again, and may freeze: {name}."
            return f"A contact was confirmed: {name}. It counts in full from {day_text(event.until)} at the earliest."
        case ev.ContactRemoved():
            until = day_text(event.told_until)
            return f"A contact was removed: {name}. It is told of news, and can freeze, until {until}."
        case ev.ContactRecycled():
            return f"A contact was reported as given to someone else: {name}. Nothing is sent there any more."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _address_line(event: ev.AddressAdded | ev.AddressRenewed | ev.AddressRemoved, known: _Known) -> str:
    match event:
        case ev.AddressAdded():
            where = shortened(known.opened(event.address)) if event.address else "to anyone"
            who = f"{quoted(known.opened(event.label))}, {event.network} {where}"
            return f"A beneficiary was added: {who}. It can be paid from {day_text(event.until)} at the earliest."
        case ev.AddressRenewed():
            return (
                f"A beneficiary was confirmed again until {begun_text(event.until)}: {_beneficiary(event.beneficiary)}."
            )
        case ev.AddressRemoved():
            return f"A beneficiary was removed: {_beneficiary(event.beneficiary)}."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _beneficiary(name: str) -> str:
    """A beneficiary's part name, its hash cut to what tells two apart: `bitcoin 3f9a01c2`."""
    network, dot, mac = name.partition(".")
    return f"{network} {mac[:8]}" if dot else network


def _change_line(event: ev.SettingChanged | ev.ChangeAsked | ev.ChangeCancelled | ev.ChangeDone, known: _Known) -> str:
    match event:
        case ev.SettingChanged():
            return f"A setting changed: {setting_text(event.setting, event.value)}."
        case ev.ChangeAsked():
            when = f"It takes effect on {day_text(event.until)} at the earliest, unless it is stopped."
            return f"Less protection was asked for: {_wanted(event, known)} ({event.change}). {when}"
        case ev.ChangeCancelled():
            return f"A request for less protection was stopped ({event.change})."
        case ev.ChangeDone():
            return f"The wait of a request for less protection is over ({event.change})."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _wanted(event: ev.ChangeAsked, known: _Known) -> str:
    match event.kind:
        case ChangeKind.SET:
            return f"change {setting_text(Setting(event.subject), event.value)}"
        case ChangeKind.REMOVE_AUTHENTICATOR:
            return f"remove {known.authenticator(event.subject)}"
        case ChangeKind.REINSTATE_AUTHENTICATOR:
            return f"reinstate {known.authenticator(event.subject)}"
        case ChangeKind.REMOVE_CONTACT:
            return f"remove {known.contact(event.subject)}"
        case ChangeKind.UNFREEZE:
            return "unfreeze the account"
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event.kind)


_ExitEvent = ev.ExitAllowed | ev.ExitHeld | ev.ExitMoved | ev.ExitCancelled | ev.ExitSettled | ev.ExitReconciled


def _exit_line(event: _ExitEvent, known: _Known) -> str:
    match event:
        case ev.ExitAllowed():
            asked = known.payment()
            amount = f"{asked.amount} {asked.asset}, " if asked else ""
            where = "to an own account" if event.lane is Lane.OWN else _towards(event.beneficiary, known)
            return f"A payment was let go: {event.kind} of {amount}{money(event.micro_usd)} {where} ({event.exit})."
        case ev.ExitHeld():
            worth = f"{event.amount} {event.asset}, {money(event.micro_usd)} {_towards(event.beneficiary, known)}"
            until = day_text(event.until)
            return f"A payment waits until {until} at the earliest: {event.kind} of {worth} ({event.exit})."
        case ev.ExitMoved():
            return f"A waiting payment must wait longer, until {day_text(event.until)} ({event.exit})."
        case ev.ExitCancelled():
            return f"A waiting payment was stopped ({event.exit})."
        case ev.ExitSettled():
            return f"A payment is final, says the platform ({event.exit}): {quoted(event.reference)}."
        case ev.ExitReconciled():
            what = "move to an own account" if event.lane is Lane.OWN else "payment"
            return f"A {what} from before a restore was counted again: {money(event.micro_usd)}."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _towards(beneficiary: str, known: _Known) -> str:
    """Who is paid, from the request if this is its entry, else by the beneficiary's name."""
    asked = known.payment()
    target = (asked.address or asked.counterparty) if asked else None
    if target is not None:
        return f"to {shortened(known.opened(target))} by {beneficiary.partition('.')[0]}"
    return f"by {beneficiary}" if beneficiary in OPENED_KINDS else f"to {_beneficiary(beneficiary)}"


_NoticeEvent = ev.CoolOffStarted | ev.NoticeDue | ev.NoticeFolded | ev.NoticeAccepted | ev.NoticeFailed | ev.WaitMoved


def _notice_line(event: _NoticeEvent, known: _Known) -> str:
    match event:
        case ev.CoolOffStarted():
            senior, others = day_text(event.senior_until), day_text(event.others_until)
            spared = " (usual amounts excepted)" if event.severity is Severity.MILD else ""
            until = f"to long-known beneficiaries{spared} until {senior}, to others until {others}"
            return f"Payments cool off after {event.cause}: {until}, at the earliest."
        case ev.NoticeDue():
            return f"The owner is told ({event.cause}) at {len(event.contacts)} contacts."
        case ev.NoticeFolded():
            return f"The same news again ({event.cause}) was counted, not sent."
        case ev.NoticeAccepted():
            return f"A notice was accepted for delivery to {known.contact(event.contact)}."
        case ev.NoticeFailed():
            return f"A notice could not be delivered to {known.contact(event.contact)}."
        case ev.WaitMoved():
            kind = event.about.kind.replace("_", " ")
            named = f"{kind} {_beneficiary(event.about.id)}"
            return f"The owner was told, so a wait runs from here until {day_text(event.until)}: {named}."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


_RecoveryEvent = (
    ev.RecoveryOpened
    | ev.RecoveryAsked
    | ev.RecoveryShown
    | ev.RecoveryMissed
    | ev.RecoveryClosed
    | ev.RecoveryReviewed
    | ev.RecoveryContested
    | ev.RecoveryEnded
    | ev.RecoveryFinished
    | ev.EvidenceBurned
)

_ENDED: Final[dict[Ending, str]] = {
    Ending.VETOED: "A recovery of the account was ended by one of its contacts.",
    Ending.CANCELLED: "A recovery of the account was ended by someone signed in, with full proof.",
    Ending.REJECTED: "A recovery of the account was rejected by a reviewer.",
    Ending.REPLACED: "A recovery of the account that showed nothing was replaced by another.",
}


def _recovery_line(event: _RecoveryEvent, known: _Known) -> str:
    match event:
        case ev.RecoveryOpened():
            return f"Someone says that they are the owner and lost what they sign in with: {_together(event.lost)}."
        case ev.RecoveryAsked():
            towards = f"A code for a recovery was sent to {known.contact(event.contact)}."
            return towards if event.contact else "A passkey was asked for in a recovery."
        case ev.RecoveryShown():
            return f"In a recovery this was shown: {_evidence(event.evidence)}."
        case ev.RecoveryMissed():
            return f"In a recovery this was wrong: {_evidence(event.evidence)}."
        case ev.RecoveryClosed():
            until = day_text(event.until)
            return f"A recovery waits. From {until} whoever opened it may choose a new password, unless you object."
        case ev.RecoveryReviewed():
            return f"A reviewer {'approved' if event.approved else 'rejected'} a recovery of the account."
        case ev.RecoveryContested():
            return f"{_capital(_WHO[event.by.kind])} objected to a recovery. Its wait is twice as long from now on."
        case ev.RecoveryEnded():
            return _ENDED[event.how]
        case ev.RecoveryFinished():
            return f"The account was recovered by a new password. Until {day_text(event.weak_until)} it does little."
        case ev.EvidenceBurned():
            kinds = ", ".join(_evidence(kind) for kind in event.kinds)
            return f"In recoveries of this account this proves nothing before {day_text(event.until)}: {kinds}."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _incident_line(event: ev.IncidentReported | ev.IncidentNoted | ev.IncidentClosed, known: _Known) -> str:
    match event:
        case ev.IncidentReported():
            who = _capital(_WHO[event.by.kind])
            return f"{who} reported a robbery ({event.incident}), in these words: {quoted(known.opened(event.story))}."
        case ev.IncidentNoted():
            return f"Something was added to the case {event.incident}: {quoted(known.opened(event.note))}."
        case ev.IncidentClosed():
            return f"The case {event.incident} was closed by someone signed in, with full proof."
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(event)


def _evidence(kind: str) -> str:
    return _KINDS.get(kind, kind.replace("_", " "))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


HEADLINES: Final[dict[type[ev.Event], str]] = {
    ev.AccountImported: "Your account is now protected",
    ev.Frozen: "Your account was frozen",
    ev.Unfrozen: "Your account was unfrozen",
    ev.SessionMisused: "Your session was used from another device",
    ev.DeviceMet: "A new device signed in to your account",
    ev.DeviceDisowned: "A device was signed out for good",
    ev.SignInScored: "Somebody signed in very unlike you",
    ev.AuthenticatorBound: "A way of confirming was added",
    ev.AuthenticatorConfirmed: "A way of confirming was added",
    ev.AuthenticatorSuspended: "A way of confirming was suspended",
    ev.AuthenticatorReinstated: "A way of confirming was reinstated",
    ev.AuthenticatorRemoved: "A way of confirming was removed",
    ev.AuthenticatorRecycled: "A way of confirming was reported as given away",
    ev.SecretReplaced: "A password or other secret was replaced",
    ev.ProofFailed: "A wrong password or code was tried",
    ev.SignInsFailed: "Someone tried to sign in and failed",
    ev.ContactConfirmed: "A contact of your account was confirmed",
    ev.ContactRemoved: "A contact of your account was removed",
    ev.ContactRecycled: "A contact was reported as given away",
    ev.AddressAdded: "A beneficiary was added",
    ev.AddressRemoved: "A beneficiary was removed",
    ev.SettingChanged: "A security setting was changed",
    ev.ChangeAsked: "A protection is about to be taken away",
    ev.ChangeCancelled: "A waiting change was stopped",
    ev.ExitAllowed: "A payment left your account",
    ev.ExitHeld: "A payment from your account waits",
    ev.ExitCancelled: "A waiting payment was stopped",
    ev.RecoveryOpened: "Someone wants to recover your account",
    ev.RecoveryShown: "Evidence was shown to recover your account",
    ev.RecoveryMissed: "Wrong evidence was shown to recover your account",
    ev.RecoveryClosed: "Your account is about to be recovered",
    ev.RecoveryReviewed: "A reviewer judged a recovery of your account",
    ev.RecoveryContested: "A recovery of your account was objected to",
    ev.RecoveryEnded: "A recovery of your account was ended",
    ev.RecoveryFinished: "Your account was recovered",
    ev.EvidenceBurned: "Something about you no longer proves who you are",
    ev.IncidentReported: "A robbery of your account was reported",
    ev.IncidentClosed: "The case of your robbery was closed",
}
"""The subject of every notice: our own words without names or amounts, fit for a locked screen."""

_OBJECT: Final = "If this is not you, freeze the account or object: either ends it, or makes it wait twice as long."

_ADVICE: Final[dict[type[ev.Event], str]] = {
    ev.Frozen: (
        "If you did not freeze it, leave it frozen while you find out who did: change your password, and look who is "
        "signed in. To unfreeze needs your strongest proof and a wait."
    ),
    ev.SessionMisused: (
        "Nothing was let through. Somebody may have copied it out of your browser: look for programs and extensions "
        "you do not know, sign out everywhere, and sign in again from a device you trust."
    ),
    ev.DeviceMet: "If you know the device, there is nothing to do.",
    ev.DeviceDisowned: "Whoever signed in with it knows your password: change it, and look at what else was changed.",
    ev.SignInScored: "If this was not you, freeze the account, sign out everywhere and change your password.",
    ev.AuthenticatorBound: "You can suspend it at once.",
    ev.AuthenticatorConfirmed: "You can suspend it at once.",
    ev.AuthenticatorSuspended: "To reinstate it needs your strongest proof and a wait.",
    ev.AuthenticatorRecycled: "Payments wait meanwhile. Bind another that is at least as strong.",
    ev.SecretReplaced: "Payments wait meanwhile.",
    ev.ProofFailed: "Nothing was let through. If this goes on, change your password.",
    ev.SignInsFailed: "Nothing was let through, and devices you have used before can sign in as ever.",
    ev.ContactRemoved: "Payments wait meanwhile.",
    ev.AddressAdded: "You can take it out of the address book at once.",
    ev.ChangeAsked: "You can cancel it until then, by signing in.",
    ev.ExitHeld: "You can cancel it until then, by signing in.",
    ev.RecoveryOpened: _OBJECT,
    ev.RecoveryClosed: _OBJECT,
    ev.RecoveryReviewed: _OBJECT,
    ev.RecoveryFinished: "Payments wait meanwhile. If this was not you, freeze the account now.",
    ev.IncidentReported: (
        "Everything is stopped. Keep your mails, and write down what you remember. The account's own log says what "
        "happened when, from where and by which proof."
    ),
    ev.EvidenceBurned: "Bind a passkey or new backup codes, so that you can still come back if you lose the others.",
}
"""What an owner can do beside freezing."""

_ASKED_EARLIER: Final = (ev.AuthenticatorReinstated, ev.AuthenticatorRemoved, ev.ContactRemoved, ev.Unfrozen)
"""Loosenings whose wait came to its end: whoever asks for something else in the same entry has no part in them."""

CODE_MS: Final = {Channel.EMAIL: 24 * HOUR, Channel.SMS: 10 * MINUTE, Channel.PUSH: 10 * MINUTE}
"""How long a contact's code is said to be good for; intake, which checks it, has the same table (tested)."""

HEAD_DIGITS: Final = 32
"""Hex digits of the chain head in a notice: 128 bits, to which nobody can make a second history."""


class Notice(NamedTuple):
    """Everything a notice is worded from.

    `code` is set for codes only. `replaced` says that the contact was replaced: it can freeze, and learns nothing more.
    `seq` is the entry's number, which names `chain_head` (0 leaves it out). With `head`, a later one, more is named.
    """

    due: ev.NoticeDue
    cause: AnyEvent
    decided: ev.Decided
    channel: Channel
    replaced: bool
    phrase: str
    freeze_url: str
    chain_head: bytes
    code: str = ""
    seq: int = 0
    head: Head | None = None


class NoticeText(NamedTuple):
    """A notice in words: `subject` is one line and holds nothing secret."""

    subject: str
    text: str


def notice_text(notice: Notice, opened: Opened) -> NoticeText:
    """The words of a notice for its channel: what happened, when and from where, and the one link that stops it."""
    if notice.code:
        short = notice.channel is Channel.SMS
        return NoticeText("Your code", _short_code(notice, opened) if short else _code_text(notice, opened))
    subject = HEADLINES[type(notice.cause)]
    if notice.due.severity is Severity.SEVERE:
        subject = f"Important: {subject[:1].lower()}{subject[1:]}"
    if notice.channel is Channel.SMS:
        return NoticeText(subject, _short_text(notice))
    return NoticeText(subject, _freeze_only(notice) if notice.replaced else _full_text(notice, opened))


def _full_text(notice: Notice, opened: Opened) -> str:
    what = event_line(notice.cause, opened, notice.head, notice.decided)
    advice = _ADVICE.get(type(notice.cause), "")
    return _paragraphs(what, _circumstances(notice, opened), advice, _freeze(notice), _trust(notice), _record(notice))


def _freeze_only(notice: Notice) -> str:
    """For a replaced contact, which may be all that a robbed owner has left, or be in a thief's hands."""
    what = f"{HEADLINES[type(notice.cause)]}, on {begun_text(notice.cause.at)}."
    why = "You are told because this contact belonged to the account until lately. It can still stop everything."
    return _paragraphs(what, why, _freeze(notice), _trust(notice), _record(notice))


def _short_text(notice: Notice) -> str:
    """Without amounts or addresses, so it fits a replaced contact too. What matters least is left out first."""
    headline = HEADLINES[type(notice.cause)]
    stop = f"Not you? Freeze: {notice.freeze_url}"
    when = f"{headline}, {begun_text(notice.cause.at)}."
    for text in (f"[{notice.phrase}] {when} {stop}", f"[{notice.phrase}] {headline}. {stop}", f"{headline}. {stop}"):
        if len(text) <= TEXT_MESSAGE_MOST:
            return text
    return f"Freeze your account: {notice.freeze_url}"


def _code_text(notice: Notice, opened: Opened) -> str:
    if isinstance(notice.cause, ev.AuthenticatorBound | ev.AuthenticatorAsked):
        return _authenticator_code_text(notice, opened)
    keep = "Enter it yourself, where you asked for it. Nobody from the platform will ever ask you for it."
    if not isinstance(notice.cause, ev.ChallengeIssued):
        what = "It confirms that this address reaches the owner of an account. Someone signed in there asked for it."
        lasts = f"It is good for {_code_life(notice.channel)}."
        ignore = "If you did not ask for it, ignore this message: without the code nothing happens."
        return _paragraphs(f"Your code: {notice.code}", f"{what} {lasts}", keep, ignore)
    does = f"lets {_let_go(notice, opened)} leave before its time"
    if notice.decided.action != "exit.release":
        does = f"is to {_confirmed(notice, opened)}"
    lets = f"It {does}. It is good until {begun_text(notice.cause.until)}."
    alarm = "If you did not ask for it, someone is after your money."
    places = (_circumstances(notice, opened), keep, alarm, _freeze(notice), _trust(notice), _record(notice))
    return _paragraphs(f"Your code: {notice.code}", lets, *places)


def _authenticator_code_text(notice: Notice, opened: Opened) -> str:
    """What the code would do, and nothing that acts: neither link nor record, for a code is read by whoever gets it."""
    keep = "Enter it yourself, where you asked for it. Nobody from the platform will ever ask you for it."
    if isinstance(notice.cause, ev.AuthenticatorBound):
        what = "It confirms that codes for an account may be sent here. Someone signed in there asked for it."
        ignore = "If you did not ask for it, ignore this message: without the code nothing happens."
        return _paragraphs(f"Your code: {notice.code}", f"{what} It is good for {_LIFE}.", keep, ignore)
    what = f"It is to {_confirmed(notice, opened)}. It is good until {begun_text(_code_until(notice))}."
    alarm = "If you did not ask for it, someone knows your password or holds a session. Change the password at once."
    phrase_line = f"Your phrase: {notice.phrase}. A message without it is not from us."
    return _paragraphs(f"Your code: {notice.code}", what, _circumstances(notice, opened), keep, alarm, phrase_line)


def _confirmed(notice: Notice, opened: Opened) -> str:
    return confirmed_text(_Known(opened, notice.head, notice.decided))


_LIFE: Final = f"{AUTHENTICATOR_CODE_MS // MINUTE} minutes"


def _code_until(notice: Notice) -> Instant:
    """A code ends with its challenge, if that is known, and never later than its own time."""
    until = notice.cause.at + AUTHENTICATOR_CODE_MS
    challenges = notice.head.challenges if notice.head else {}
    name = notice.cause.challenge if isinstance(notice.cause, ev.AuthenticatorAsked) else ""
    return min(until, challenges[name].until) if name in challenges else until


def _short_authenticator_code(notice: Notice, opened: Opened) -> str:
    keep = "Never tell it to anyone, nobody from the platform will ask."
    if isinstance(notice.cause, ev.AuthenticatorBound):
        return f"Your code to let codes for an account be sent here: {notice.code}. Good for {_LIFE}. {keep}"
    until = f"Good until {begun_text(_code_until(notice))}."
    what = f"to {_confirmed(notice, opened)}"
    for text in (f"[{notice.phrase}] Code {notice.code} {what}. {until} {keep}", f"Code {notice.code} {what}. {keep}"):
        if len(text) <= TEXT_MESSAGE_MOST:
            return text
    return f"Code {notice.code} {what}"[:TEXT_MESSAGE_MOST]


def _short_code(notice: Notice, opened: Opened) -> str:
    """Neither phrase nor link, for whoever gets a code that confirms a number may be a stranger."""
    if isinstance(notice.cause, ev.AuthenticatorBound | ev.AuthenticatorAsked):
        return _short_authenticator_code(notice, opened)
    keep = "Nobody from the platform will ever ask you for it."
    if isinstance(notice.cause, ev.ChallengeIssued):
        until, does = begun_text(notice.cause.until), "let a waiting payment go early"
        if notice.decided.action != "exit.release":
            does = _confirmed(notice, opened)
        return f"[{notice.phrase}] Your code to {does}: {notice.code}. Good until {until}. {keep}"
    lasts = _code_life(notice.channel)
    return f"Your code to confirm this number for an account: {notice.code}. Good for {lasts}. {keep}"


def _code_life(channel: Channel) -> str:
    hours = CODE_MS[channel] // HOUR
    return f"{hours} hours" if hours else f"{CODE_MS[channel] // MINUTE} minutes"


def _let_go(notice: Notice, opened: Opened) -> str:
    """The waiting payment that a code would let go, with what it is worth if that is known."""
    return _waiting_payment(_Known(opened, notice.head, notice.decided))


def _waiting_payment(known: _Known) -> str:
    name = known.released()
    held = known.head.exits.get(name) if known.head else None
    if held is None:
        return f"the waiting payment {name}" if name else "a waiting payment"
    return f"the waiting payment {name} of {held.amount} {held.asset}, {money(held.micro_usd)},"


def _circumstances(notice: Notice, opened: Opened) -> str:
    """When, and if it was asked just now by whom and from where."""
    at = notice.cause.at
    lines = [f"When: {begun_text(at)} ({instant_text(at)})"]
    if not _asked_now(notice):
        return "\n".join([*lines, "It was asked for earlier, and its wait is over."])
    lines.append(f"Asked by: {_WHO[notice.decided.actor.kind]}")
    where = _network(opened(notice.decided.ip)) if notice.decided.ip is not None else ""
    return "\n".join([*lines, f"From: {where}"] if where else lines)


def _asked_now(notice: Notice) -> bool:
    if isinstance(notice.cause, ev.SettingChanged):
        subject = notice.decided.action.partition(".")[0]
        return notice.decided.decision == "allow" and notice.cause.setting.startswith(subject)
    return not isinstance(notice.cause, _ASKED_EARLIER)


def _network(text: str) -> str:
    """A network address if it is one, for the platform passes on what it was told."""
    try:
        return str(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return ""


def _freeze(notice: Notice) -> str:
    if isinstance(notice.cause, ev.Frozen):
        return f"This link freezes it again, and stops whatever was asked for since:\n{notice.freeze_url}"
    if isinstance(notice.cause, ev.DeviceMet):
        ask = "Was this not you? This signs the device out for good, and freezes the account. It needs one click and no"
        return f"{ask} sign-in, and stops everything that leaves:\n{notice.freeze_url}"
    ask = "Was this not you? Freeze the account. It needs one click and no sign-in, and stops everything that leaves:"
    return f"{ask}\n{notice.freeze_url}"


def _trust(notice: Notice) -> str:
    never = "Nobody from the platform will ever ask you for a code or a password, or to move funds."
    return f"Your phrase: {notice.phrase}. A notice without it is not from us.\n{never}"


def _record(notice: Notice) -> str:
    """Kept, a notice makes the owner's inbox a witness of the log (law 9)."""
    entry = f"entry {notice.seq}, " if notice.seq else ""
    return f"For your records: {notice.due.notice}, {entry}chain {notice.chain_head.hex()[:HEAD_DIGITS]}"


def _paragraphs(*texts: str) -> str:
    return "\n\n".join(text for text in texts if text) + "\n"


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
