"""Notices: what an owner is told of an event on each channel, with the one link that stops it.

Subjects are made of our own words alone, for they show on locked screens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from holdback.core import events as ev
from holdback.core.assurance import CODE_MS as AUTHENTICATOR_CODE_MS
from holdback.core.events import (
    HOUR,
    MINUTE,
    ActorKind,
    Channel,
    Severity,
)
from holdback.wording.asked import Known, confirmed_text, waiting_payment
from holdback.wording.happened import event_line, unsaid_text
from holdback.wording.words import TEXT_MESSAGE_MOST, WHO, begun_text, instant_text, network_text

if TYPE_CHECKING:
    from holdback.core.events import AnyEvent, Instant
    from holdback.core.state import Head
    from holdback.wording.words import Opened


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
    ev.VaultChanged: "Your vault was changed",
    ev.ChangeAsked: "A protection is about to be taken away",
    ev.ChangeCancelled: "A waiting change was stopped",
    ev.ExitAllowed: "A payment left your account",
    ev.ExitHeld: "A payment from your account waits",
    ev.ExitApproved: "A payment out of your vault was approved",
    ev.ExitCancelled: "A waiting payment was stopped",
    ev.ExitReturned: "Something that left your account comes back",
    ev.ExitExceeded: "A card payment was charged higher than authorised",
    ev.ValueRecalled: "Something you received goes back",
    ev.ExitLocked: "A sale of yours is locked for its buyer",
    ev.ExitPaid: "The buyer of your sale has paid, it is said",
    ev.ExitDisputed: "A sale of yours is disputed",
    ev.RecoveryOpened: "Someone wants to recover your account",
    ev.RecoveryShown: "Evidence was shown to recover your account",
    ev.RecoveryMissed: "Wrong evidence was shown to recover your account",
    ev.RecoveryDoubted: "Evidence shown to recover your account did not pass",
    ev.RecoveryClosed: "Your account is about to be recovered",
    ev.RecoveryReviewed: "A reviewer judged a recovery of your account",
    ev.RecoveryContested: "A recovery of your account was objected to",
    ev.RecoveryEnded: "A recovery of your account was ended",
    ev.RecoveryFinished: "Your account was recovered",
    ev.RecoveryReminded: "A recovery of your account goes on",
    ev.EvidenceBurned: "Something about you no longer proves who you are",
    ev.IncidentReported: "A robbery of your account was reported",
    ev.IncidentClosed: "The case of your robbery was closed",
    ev.MemberEnrolled: "Your roles in the staff were set",
    ev.MemberRetired: "You left the staff",
    ev.LegalRejected: "A legal request about you was turned down",
    ev.LegalDisclosed: "Data about you was disclosed to an authority",
    ev.LegalTold: "Data about you was disclosed some time ago",
    ev.LegalFrozen: "An authority stops your payments by an order",
    ev.ApiKeyCreated: "An API key was made for your account",
    ev.ApiKeyWoken: "An API key that slept is used again",
    ev.ApiKeySuspended: "An API key was suspended",
    ev.ApiKeyResumed: "A suspended API key works again",
    ev.ApiKeyRevoked: "An API key was revoked",
    ev.ApiKeyWarned: "An API key will stop trading",
    ev.ApiKeysStopped: "All your API keys were suspended",
    ev.TradingAlerted: "Your orders lose much against the market",
    ev.TradingClosed: "An order was refused and its pair closed",
    ev.TradingOpened: "A closed pair or counterparty is open again",
    ev.LegalThawed: "An order that stopped payments was ended early",
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
    ev.ExitReturned: "Your account stays stopped until you unfreeze it.",
    ev.ValueRecalled: (
        "Whoever sent it to you, or lost it to you by a trade, has stopped the account it came from, or reported a "
        "robbery, before it could leave. If you gave something for it, tell the platform now."
    ),
    ev.ExitLocked: "It goes by your own confirmation alone. Until the buyer has paid you can cancel it, by signing in.",
    ev.ExitPaid: "Look into your bank account yourself. Confirm only what is there; if it is not, cancel the sale.",
    ev.ExitDisputed: "You need do nothing: it goes neither way before two of the staff have decided.",
    ev.RecoveryOpened: _OBJECT,
    ev.RecoveryClosed: _OBJECT,
    ev.RecoveryReviewed: _OBJECT,
    ev.RecoveryReminded: _OBJECT,
    ev.RecoveryEnded: (
        "If you did not ask for it, somebody knows enough of you to try again: look at what you still hold, and change "
        "whatever others may know."
    ),
    ev.RecoveryFinished: "Payments wait meanwhile. If this was not you, freeze the account now.",
    ev.IncidentReported: (
        "Everything is stopped. Keep your mails, and write down what you remember. The account's own log says what "
        "happened when, from where and by which proof."
    ),
    ev.LegalRejected: (
        "Nothing was disclosed. If the papers were forged, somebody is after your account: bind a passkey, look at who "
        "is told of news, and trust nobody who calls you about it."
    ),
    ev.LegalDisclosed: (
        "No secret of yours was among it, and what was disclosed proves nothing here from now on. If you doubt that "
        "the request was honest, ask the authority. Expect callers who know a lot about you, and trust none."
    ),
    ev.LegalFrozen: (
        "This is no freeze of yours, and unfreezing does not end it. It ends at its date, or earlier if the authority "
        "takes it back and two members of staff confirm that. Ask the authority that is named; you may want a lawyer."
    ),
    ev.ApiKeyCreated: "You can revoke it at once.",
    ev.ApiKeyWoken: "If this was not you, revoke it: whoever used it showed a proof of yours, too.",
    ev.ApiKeysStopped: (
        "Revoke what you did not make. Of the others make new ones, or let them go on one by one: that takes your "
        "strongest proof and a wait."
    ),
    ev.TradingAlerted: "If you do not trade, freeze the account: somebody trades your money away.",
    ev.TradingClosed: (
        "If this was not you, freeze the account, sign out everywhere and revoke your API keys. If it was, you can "
        "open it again, which waits."
    ),
    ev.ApiKeyWarned: "It may be used from anywhere. Make a new one with a list of the networks it is used from.",
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
    if notice.due.cause == ev.RECOVERY_LINK:
        return NoticeText("The way back into your account", _way_back(notice))
    if notice.code:
        short = notice.channel is Channel.SMS
        return NoticeText("Your code", _short_code(notice, opened) if short else _code_text(notice, opened))
    subject = HEADLINES[type(notice.cause)]
    if notice.due.severity is Severity.SEVERE:
        subject = f"Important: {subject[:1].lower()}{subject[1:]}"
    if notice.channel is Channel.SMS:
        return NoticeText(subject, _short_text(notice))
    return NoticeText(subject, _freeze_only(notice) if notice.replaced else _full_text(notice, opened))


def _way_back(notice: Notice) -> str:
    """What a recovery goes on with that staff opened: whoever reads it here may show evidence, and nothing more."""
    if notice.channel is Channel.SMS:
        return f"[{notice.phrase}] To go on with your recovery: {notice.code} Not you? Freeze: {notice.freeze_url}"
    what = (
        "A member of staff was told that you lost what you sign in with, and opened a recovery of your account. With "
        "this key you go on with it, where you sign in; none of the staff has seen it, and none may ask you for it."
    )
    alarm = "If you did not talk to us, do nothing with it: without the key and further evidence nothing happens."
    return _paragraphs(what, notice.code, alarm, _freeze(notice), _trust(notice), _record(notice))


def _full_text(notice: Notice, opened: Opened) -> str:
    what = event_line(notice.cause, opened, notice.head, notice.decided)
    advice = _ADVICE.get(type(notice.cause), "")
    where = _circumstances(notice, opened)
    return _paragraphs(what, _unsaid(notice), where, advice, _freeze(notice), _trust(notice), _record(notice))


def _unsaid(notice: Notice) -> str:
    """What a key paid and was not told of at once: up to now where the notice sums up, else up to what it names."""
    paid = notice.due.payment
    if paid is None:
        return ""
    if not notice.due.due_at:
        return unsaid_text(paid.more, paid.more_micro_usd)
    key = notice.head.api_keys.get(paid.key) if notice.head is not None else None
    return unsaid_text(key.unsaid, key.unsaid_micro_usd) if key is not None else ""


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
    return confirmed_text(Known(opened, notice.head, notice.decided))


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
    return waiting_payment(Known(opened, notice.head, notice.decided))


def _circumstances(notice: Notice, opened: Opened) -> str:
    """When, and if it was asked just now by whom and from where."""
    at = notice.cause.at
    lines = [f"When: {begun_text(at)} ({instant_text(at)})"]
    if not _asked_now(notice):
        return "\n".join([*lines, "It was asked for earlier, and its wait is over."])
    lines.append(f"Asked by: {_asked_by(notice, opened)}")
    where = network_text(opened(notice.decided.ip)) if notice.decided.ip is not None else ""
    return "\n".join([*lines, f"From: {where}"] if where else lines)


def _asked_by(notice: Notice, opened: Opened) -> str:
    """Who asked. Whoever recovers has signed nowhere in, and is the owner by his own word alone."""
    decided = notice.decided
    if decided.actor.kind is ActorKind.API_KEY:
        return f"the {Known(opened, notice.head, decided).api_key(decided.actor.key)}"
    unproved = decided.action in {"recovery.open", "recovery.evidence", "recovery.finish"}
    if unproved and decided.actor.kind is ActorKind.OWNER:
        return "someone who says that they are the owner"
    return WHO[decided.actor.kind]


def _asked_now(notice: Notice) -> bool:
    if isinstance(notice.cause, ev.SettingChanged):
        subject = notice.decided.action.partition(".")[0]
        return notice.decided.decision == "allow" and notice.cause.setting.startswith(subject)
    if isinstance(notice.cause, ev.VaultChanged):
        return (notice.decided.action, notice.decided.decision) == ("vault.set", "allow")
    return not isinstance(notice.cause, _ASKED_EARLIER)


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
    entry = f"entry {notice.seq} of your history, " if notice.seq else ""
    return f"For your records: notice {notice.due.notice}, {entry}chain {notice.chain_head.hex()[:HEAD_DIGITS]}"


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
