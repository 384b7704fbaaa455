"""What people read: every reason and event is worded, and no notice says more than its reader may know."""

from __future__ import annotations

import re
from typing import Any, Final, get_args, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdback import intake
from holdback.core import events as ev
from holdback.core.decide import RULES, action_name
from holdback.core.decision import Reason, why
from holdback.core.effects import EFFECTS, tag_of
from holdback.core.events import (
    DAY,
    ENCODER,
    MINUTE,
    About,
    Actor,
    ActorKind,
    AnyEvent,
    AuthenticatorKind,
    ChangeKind,
    Channel,
    Destination,
    Sealed,
    Setting,
    Severity,
)
from holdback.core.rules.account import AccountUnfreeze
from holdback.core.rules.address import AddressAdd, AddressRenew
from holdback.core.rules.api_key import ApiKeyCreate, ApiKeySuspend
from holdback.core.rules.authenticator import (
    AuthenticatorBind,
    AuthenticatorConfirm,
    AuthenticatorReinstate,
    AuthenticatorRemove,
)
from holdback.core.rules.contact import ContactAdd, ContactConfirm, ContactRemove, ContactReportRecycled
from holdback.core.rules.exit import ExitRelease, ExitRequest
from holdback.core.rules.incident import IncidentClose
from holdback.core.rules.order import OrderLease, OrderPlace
from holdback.core.rules.password import PasswordChange
from holdback.core.rules.recovery import (
    EvidenceBurn,
    RecoveryCancel,
    RecoveryEvidence,
    RecoveryFinish,
    RecoveryOpen,
)
from holdback.core.rules.session import SessionEnd, SessionEndAll, SessionStart
from holdback.core.rules.setting import AllowlistSet, LimitSet, LockSet, VaultSet
from holdback.core.state import ApiKey, Authenticator, Challenge, Contact, Head, HeldExit, Wait
from holdback.wording.happened import event_line
from holdback.wording.notices import CODE_MS, HEADLINES, Notice, notice_text, phrase
from holdback.wording.reasons import SENTENCES, finding_line, sentence
from holdback.wording.words import (
    TEXT_MESSAGE_MOST,
    begun_text,
    day_text,
    exact,
    instant_text,
    masked,
    money,
    program,
    quoted,
    shortened,
)

AT: Final = 1_795_258_055_123
ADDRESS: Final = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
SHOWN: Final = "bc1qar0s...wf5mdq"
MAILBOX: Final = "alice@example.com"
IP: Final = "203.0.113.7"
URL: Final = "https://id.example/freeze?t=" + "x" * 210
HEAD_LINK: Final = bytes(range(32))
PHRASE: Final = "amber otter lantern"
KINDS: Final = get_args(AnyEvent)
SEALED: Final = {
    "address": ADDRESS,
    "label": "Cold wallet",
    "user_agent": "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0",
}


def sealed(text: str) -> Sealed:
    """A personal field with its plaintext in the box."""
    return Sealed(b"m" * 16, text.encode())


def opened(one: Sealed) -> str:
    """Undo `sealed`."""
    return one.box.decode()


def destination(text: str) -> Destination:
    """A destination with its plaintext in the box."""
    return Destination(b"m" * 16, text.encode(), b"alike678")


VALUES: Final[dict[Any, Any]] = {
    str: "x7",
    int: AT + DAY,
    bool: True,
    bytes: b"b" * 16,
    Actor: Actor(ActorKind.OWNER),
    About: About("exit", "x7"),
    AuthenticatorKind: AuthenticatorKind.TOTP,
    Channel: Channel.EMAIL,
    Severity: Severity.SEVERE,
    Setting: Setting.LOCK_HOURS,
    ChangeKind: ChangeKind.REMOVE_AUTHENTICATOR,
    ev.Lane: ev.Lane.OTHERS,
    ev.Ending: ev.Ending.VETOED,
    tuple[ev.Role, ...]: (ev.Role.SUPPORT,),
    tuple[ev.Scope, ...]: (ev.Scope.TRADE,),
    tuple[Sealed, ...]: (),
    ev.Asker | None: ev.Asker(AT, Sealed(b"m" * 16, b"203.0.113.7"), Sealed(b"m" * 16, b"Firefox on Windows"), "NL"),
    tuple[str, ...]: ("password",),
    tuple[tuple[str, ...], ...]: (("password", "totp"),),
    tuple[AuthenticatorKind, ...]: (AuthenticatorKind.TOTP,),
    tuple[About, ...]: (),
    tuple[bytes, ...]: (),
    tuple[ev.Officer, ...]: (ev.Officer("o1", Sealed(b"m" * 16, b"Dana"), Sealed(b"n" * 16, b"+1555")),),
    tuple[ev.Finding, ...]: (),
    tuple[ev.ScoreTerm, ...]: (ev.ScoreTerm("device", 290, "new"), ev.ScoreTerm("hour", -5)),
    tuple[int, ...]: (1,),
    ev.Drain: ev.Drain(2_000_000, 1_000_000, 1_500_000),
    ev.Terms: ev.Terms("1", 600, 100, 1_000_000, 1_000_000),
    ev.Destination | None: None,
    ev.Payable | None: ev.Payable("BTC", "0.5", "bitcoin", "", destination(ADDRESS), "", "", AT, AT + DAY),
    ev.Payment | None: None,
}


def event(kind: type[AnyEvent], /, **given: Any) -> Any:  # noqa: ANN401 - an event of that kind, with its fields
    """An event of a kind, its fields filled by their types where they are not given."""
    fields: dict[str, Any] = {}
    for name, hint in get_type_hints(kind).items():
        if name in kind.__struct_fields__:
            is_sealed = hint in {Sealed, Sealed | None}
            fields[name] = sealed(SEALED.get(name, "words")) if is_sealed else VALUES[hint]
    if "beneficiary" in fields:
        fields["beneficiary"] = "bitcoin." + "6d" * 16
    fields["at"] = AT
    return kind(**(fields | given))


def decided(action: str, request: object = None, *, decision: str = "allow", actor: Actor | None = None) -> ev.Decided:
    """The first event of an entry."""
    return event(  # type: ignore[no-any-return] # `event` is as its argument says
        ev.Decided,
        action=action,
        decision=decision,
        actor=actor or Actor(ActorKind.OWNER),
        request=ENCODER.encode(request),
        ip=sealed(IP),
    )


def head(**fields: Any) -> Head:  # noqa: ANN401 - fields of a head
    """A head in which the authenticators and contacts of these tests are found."""
    wait = Wait(0, 0, heard=True)
    plain = Head("alice", sealed("alice"), 0, ())
    known: dict[str, Any] = {
        "authenticators": {"x7": Authenticator(AuthenticatorKind.TOTP, b"h", 0, wait, confirmed=True)},
        "contacts": {"x7": Contact(Channel.EMAIL, sealed(MAILBOX), 0, wait, confirmed=True)},
    }
    return msgspec.structs.replace(plain, **(known | fields))


def notice(cause: AnyEvent, **given: Any) -> Notice:  # noqa: ANN401 - fields of a notice
    """A notice of an event to a mailbox of the owner."""
    severity = EFFECTS[type(cause)].notice or Severity.INFO
    due = ev.NoticeDue(AT, "12-0", tag_of(cause), severity, ("c1",), ())
    plain = Notice(due, cause, decided("session.end"), Channel.EMAIL, False, PHRASE, URL, HEAD_LINK, seq=12)  # noqa: FBT003 - as in the outbox
    return plain._replace(**given)


def test_what_a_key_paid_unsaid_is_said() -> None:
    """A notice of what a key paid counts what went unsaid; one that sums up counts up to when it is worded."""
    paid = event(ev.ExitAllowed, key="k7", micro_usd=100_000_000)
    due = ev.NoticeDue(
        AT, "12-0", tag_of(paid), Severity.INFO, ("c1",), (), 0, ev.Payment("k7", "b", 1, 3, 300_000_000)
    )
    assert "what this key paid: 3 payments, worth $300.00 in all." in text_of(notice(paid, due=due))
    later = notice(paid, due=msgspec.structs.replace(due, due_at=AT + DAY))
    key = ApiKey("alice", (), AT, Wait(0, AT, heard=True), AT, listed=True, unsaid=1, unsaid_micro_usd=5_000_000)
    assert "1 payment, worth $5.00 in all." in text_of(later._replace(head=head(api_keys={"k7": key})))
    for without in (later, later._replace(head=head())):
        assert "Not told of at once" not in text_of(without)
    ended = event(ev.ApiKeyRevoked, unsaid=2, unsaid_micro_usd=7_000_000)
    assert "2 payments, worth $7.00 in all." in text_of(notice(ended))


def text_of(one: Notice) -> str:
    """The words of a notice."""
    return notice_text(one, opened).text


TOLD: Final = [kind for kind in KINDS if EFFECTS[kind].notice is not None]
CODED: Final = (ev.ContactAdded, ev.ContactAsked, ev.ChallengeIssued)


def every_notice() -> list[Notice]:
    """One notice of every kind there is, for every channel, to present and to replaced contacts."""
    found = []
    for channel in Channel:
        for replaced in (False, True):
            found += [notice(event(kind), channel=channel, replaced=replaced, head=head()) for kind in TOLD]
        found += [notice(event(kind), channel=channel, code="12345678", head=head()) for kind in CODED]
    return found


# Reasons


def test_every_reason_has_a_sentence() -> None:
    """Each reason has a sentence of its own, in plain words."""
    assert list(SENTENCES) == list(Reason)
    assert len(set(SENTENCES.values())) == len(Reason)
    for reason in Reason:
        assert re.fullmatch(r"[A-Z][A-Za-z ,:;.-]{10,100}\.", sentence(reason)), sentence(reason)


def test_every_refusal_says_what_to_do() -> None:
    """A reason that does not let go ends by saying what to do, or how long to wait."""
    what_to_do = (
        r"Ask|wait until|Check|Choose|Confirm|Come|Compare|Correct|Leave|Reinstate|Show|Sign|Trade|Try|Use|Wait|Add|"
        r"first\.$|can be cancelled|nothing more to do|effect now|the owner has|wait before|is over|after a wait|may"
    )
    assert [reason for reason in Reason if not re.search(what_to_do, sentence(reason))] == []


def test_a_finding_says_until_when() -> None:
    """A finding is told with its code, what it is about, and its instant for people."""
    found = why(Reason.DESTINATION_NEW, "time", until=AT + 3 * DAY, about="address")

    expected = f"destination_new (address): {sentence(Reason.DESTINATION_NEW)} Until 24 Nov 2026, 10:48 UTC."
    assert finding_line(found) == expected
    assert finding_line(why(Reason.FROZEN)) == f"frozen: {sentence(Reason.FROZEN)}"


# Instants, amounts, and other people's words


def test_instants_for_machines() -> None:
    """Machines read RFC 3339 in UTC with milliseconds."""
    assert instant_text(AT) == "2026-11-21T10:47:35.123Z"
    assert instant_text(0) == "1970-01-01T00:00:00.000Z"


def test_instants_for_people() -> None:
    """People read a whole minute that is never too early."""
    assert day_text(AT) == "21 Nov 2026, 10:48 UTC"
    assert day_text(60_000) == "1 Jan 1970, 00:01 UTC"


def test_what_was_was_not_later() -> None:
    """People read the minute in which a thing happened, and of an end a minute that is never too late."""
    assert begun_text(AT) == "21 Nov 2026, 10:47 UTC"
    assert begun_text(60_000) == "1 Jan 1970, 00:01 UTC"


def test_amounts() -> None:
    """Dollars are told to the cent, without the errors of binary fractions."""
    assert money(15_000_495_000) == "$15,000.50"
    assert money(2**53 * 10**6 + 10_000) == "$9,007,199,254,740,992.01"
    assert money(0) == "$0.00"


def test_addresses_are_shortened_in_the_middle() -> None:
    """A long address shows both edges, a short one is shown whole, and none can be a link."""
    assert shortened(ADDRESS) == SHOWN
    assert shortened("DE89370400440532") == "DE89370400440532"
    assert shortened("evil.example/x") == "evil-example-x"
    assert shortened(f"{ADDRESS}?memo=evil.example/{'x' * 99}") == f"{SHOWN} (memo evil-exa...xxxxxx)"
    assert exact(f"{ADDRESS}?memo=104772") == f"{ADDRESS} with memo 104772"


def test_contacts_are_masked() -> None:
    """A contact is recognised by its owner and useless to anybody else."""
    assert masked(Channel.EMAIL, MAILBOX) == "a***@example.com"
    assert masked(Channel.SMS, "+44 20 7946 0042") == "***042"
    assert masked(Channel.PUSH, "") == "***"
    assert masked(Channel.EMAIL, "\r\n@evil.example/<b>") == "***@evil.example--b-"


def test_a_user_agent_is_told_in_our_own_words() -> None:
    """A user agent may say anything, and a notice repeats none of it."""
    assert program(SEALED["user_agent"]) == "Firefox on Windows"
    assert program("call +1 555 0100 at once") == "a program that does not say which"


@given(st.text(max_size=200))
def test_quoted_words_cannot_speak_for_us(text: str) -> None:
    """Whatever a thief calls a beneficiary stays one short quotation, on one line, without a link."""
    shown = quoted(text)

    assert re.fullmatch(r'"[^"\n\r\t./:@<>\u202e\u200b\u2028]{0,32}"', shown)


# Events


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("known", [True, False])
def test_every_event_has_a_line(kind: type[AnyEvent], known: bool) -> None:  # noqa: FBT001 - one of two cases
    """Each event is told in one line, whether or not what it names is known."""
    text = event_line(event(kind), opened, head() if known else None)

    assert re.fullmatch(r"[A-Z$].*\.", text), text
    assert "StrEnum" not in text
    assert "<" not in text


VARIANTS: Final[list[tuple[AnyEvent, str]]] = [
    (event(ev.SignInScored, centinats=285, raised=False), ": +2.85 (device (new) +2.90, hour -0.05)."),
    (event(ev.SignInScored, raised=True, cools=True), "One more proof was asked for. It was so unlike the owner"),
    (event(ev.PlaceSeen), "will be learnt if nobody stops the account"),
    (event(ev.Frozen, by=Actor(ActorKind.LINK, contact="x7")), "by the link in a notice to a***@example.com (x7)."),
    (event(ev.Frozen), "frozen by someone signed in as the owner"),
    (event(ev.Unfrozen, mistaken=False), "The account was unfrozen."),
    (event(ev.SettingChanged, setting=Setting.ALLOWLIST, value=0), "book: off"),
    (event(ev.SettingChanged, setting=Setting.ALLOWLIST, value=1), "book: on"),
    (event(ev.SettingChanged, setting=Setting.LIMIT_MICRO_USD, value=-1), "limit: none"),
    (event(ev.SettingChanged, setting=Setting.LIMIT_MICRO_USD, value=10**10), "limit: $10,000.00"),
    (event(ev.SessionSeen, password=False), "The session was used."),
    (event(ev.DeviceMet), "Firefox on Windows"),
    (event(ev.DeviceMet, user_agent=None), "a program that does not say which"),
    (event(ev.AuthenticatorBound, confirmed=False), "set up, and not confirmed yet: authenticator app (x7)"),
    (event(ev.ProofFailed, kinds=()), "code sent to a contact"),
    (event(ev.ChallengeIssued, contact=""), "password and authenticator app."),
    (event(ev.ContactAdded, address=sealed(MAILBOX)), "a***@example.com, email (x7)"),
    (event(ev.ContactConfirmed, wait_ms=0), "confirmed again, and may freeze: a***@example.com (x7)"),
    (event(ev.AddressAdded, address=None, network="p2p"), '"Cold wallet", p2p to anyone.'),
    (event(ev.AddressAdded, network="bitcoin"), f'"Cold wallet", bitcoin {SHOWN}.'),
    (event(ev.AddressRemoved, beneficiary="card"), "removed: card."),
    (event(ev.ChangeAsked, kind=ChangeKind.SET, subject="allowlist", value=0), "change paying only addresses in"),
    (event(ev.ChangeAsked, kind=ChangeKind.REINSTATE_AUTHENTICATOR), "reinstate authenticator app (x7)"),
    (event(ev.ChangeAsked, kind=ChangeKind.REMOVE_CONTACT), "remove a***@example.com (x7)"),
    (event(ev.ChangeAsked, kind=ChangeKind.UNFREEZE, subject="account"), "unfreeze the account (x7)"),
    (
        event(ev.ChangeAsked, kind=ChangeKind.VAULT, subject="", value=168_025),
        "change the vault: 25 % wait 168 hours (x7)",
    ),
    (event(ev.ChangeAsked, kind=ChangeKind.VAULT, subject="", value=0), "change the vault: none (x7)"),
    (event(ev.VaultChanged, percent=40, hours=240), "40 % wait 240 hours, and need a code from a***@example.com (x7)."),
    (event(ev.ExitAllowed, lane=ev.Lane.OWN, beneficiary="own"), "to an own account"),
    (event(ev.ExitAllowed), f"of 0.5 BTC, $1,795,344.46 to {SHOWN} by bitcoin."),
    (
        event(
            ev.ExitAllowed, beneficiary="internal.6d", payable=ev.Payable("USDT", "5", "", "bob", None, "", "", 0, 0)
        ),
        "of 5 USDT, $1,795,344.46 to bob by internal.",
    ),
    (event(ev.ExitAllowed, payable=None), "to bitcoin 6d6d6d6d"),
    (event(ev.ExitHeld), "waits until its owner confirms again whom it pays, and until 22 Nov 2026, 10:48 UTC at the"),
    (event(ev.ExitHeld, unconfirmed=False), "waits until 22 Nov 2026, 10:48 UTC at the earliest: "),
    (event(ev.ExitMoved), "waits until its owner confirms again whom it pays."),
    (event(ev.ExitMoved, unconfirmed=False), "must wait longer, until"),
    (event(ev.ExitCancelled, by=()), "was stopped: nobody is paid any more at the address that it would have gone to."),
    (event(ev.ExitCancelled, by=(), listed=False), "x7 was stopped."),
    (event(ev.ExitAllowed, beneficiary="p2p"), " by p2p."),
    (event(ev.ExitAllowed, by=("staff-ann", "staff-ben")), "was let go by two of the staff: "),
    (event(ev.ExitCancelled, by=("staff-ann", "staff-ben"), listed=False), "x7 was stopped by two of the staff."),
    (event(ev.ExitRuled, to_buyer=True), "x7 goes to its buyer, says one of the staff"),
    (event(ev.ExitRuled, to_buyer=False), "x7 is given back, says one of the staff"),
    (event(ev.CoolOffStarted, severity=Severity.MILD), "(usual amounts excepted)"),
    (event(ev.WaitMoved, about=About("beneficiary", "bitcoin." + "6d" * 16)), "beneficiary bitcoin 6d6d6d6d."),
]


@pytest.mark.parametrize(("one", "expected"), VARIANTS)
def test_what_an_event_carries_is_told(one: AnyEvent, expected: str) -> None:
    """Where one kind of event means different things, its line says which."""
    assert expected in event_line(one, opened, head())


def test_a_payout_names_where_it_goes() -> None:
    """A payout is told with its amount and destination, from the request that asked for it."""
    request = ExitRequest("withdrawal", "BTC", "0.25", address=destination(ADDRESS), network="bitcoin")
    asked = decided("exit.request", request)
    value = {"amount": "0.25", "asset": "BTC", "micro_usd": 15_000_000_000}
    held = msgspec.structs.replace(event(ev.ExitHeld, **value), kind="withdrawal")
    gone = msgspec.structs.replace(event(ev.ExitAllowed, micro_usd=15_000_000_000, by=()), kind="withdrawal")
    where = f"withdrawal of 0.25 BTC, $15,000.00 to {SHOWN} by bitcoin."

    assert event_line(held, opened, None, asked).endswith(where)
    assert event_line(gone, opened, None, asked) == f"Payment x7 was let go: {where}"
    released = decided("exit.release")
    assert event_line(msgspec.structs.replace(gone, payable=None), opened, None, released).endswith(
        "withdrawal of $15,000.00 to bitcoin 6d6d6d6d."
    )
    assert event_line(gone, opened, None, released).endswith(f"of 0.5 BTC, $15,000.00 to {SHOWN} by bitcoin.")


# Notices


def test_every_notice_has_a_headline() -> None:
    """Each event that is announced has a subject, and no other has."""
    assert set(HEADLINES) == set(TOLD)


def test_subjects() -> None:
    """A subject is one short line of our own words, with no code, name, amount or address in it."""
    for one in every_notice():
        subject = notice_text(one, opened).subject
        assert re.fullmatch(r"[A-Za-z ,:]{9,60}", subject), subject


def test_severe_news_says_so() -> None:
    """The subject of severe news begins with a word for it."""
    text = notice_text(notice(event(ev.ContactRemoved)), opened)

    assert text.subject == "Important: a contact of your account was removed"


def test_a_notice_says_what_when_where_and_what_to_do() -> None:
    """A notice tells what happened, when, from where, how to stop it, and how to know that it is real."""
    text = notice_text(notice(event(ev.AddressAdded)), opened).text

    for part in (
        f'"Cold wallet", x7 {SHOWN}.',
        "When: 21 Nov 2026, 10:47 UTC (2026-11-21T10:47:35.123Z)\n",
        "Asked by: someone signed in as the owner\n",
        f"From: {IP}\n",
        "You can take it out",
        f"\n{URL}\n",
        f"Your phrase: {PHRASE}. ",
        "Nobody from the platform will ever ask you",
        "For your records: notice 12-0, entry 12 of your history, chain 000102030405060708090a0b0c0d0e0f\n",
    ):
        assert part in text, part


def test_every_notice_can_be_acted_on() -> None:
    """Each notice but a contact's own code carries the link that freezes, whole."""
    for one in every_notice():
        confirms = isinstance(one.cause, ev.ContactAdded | ev.ContactAsked)
        on_sms = one.channel is Channel.SMS and bool(one.code)
        assert (URL in notice_text(one, opened).text) is not (confirms or on_sms)


def test_text_messages_are_short() -> None:
    """A text message stays within its length with any link that the outbox makes, in letters every phone has."""
    for one in every_notice():
        if one.channel is Channel.SMS:
            text = notice_text(one, opened).text
            assert len(text) <= TEXT_MESSAGE_MOST, text
            assert re.fullmatch(r"[A-Za-z0-9 .,:;/?=()'_\[\]-]+", text), text


def test_a_short_link_leaves_room_for_the_phrase() -> None:
    """A text message carries time and phrase when they fit beside the link."""
    short = notice(event(ev.AddressAdded), channel=Channel.SMS, freeze_url="https://id.example/f")
    text = f"[{PHRASE}] A beneficiary was added, 21 Nov 2026, 10:47 UTC. Not you? Freeze: https://id.example/f"

    assert notice_text(short, opened).text == text
    endless = short._replace(freeze_url="https://id.example/" + "x" * 400)
    assert notice_text(endless, opened).text == f"Freeze your account: {endless.freeze_url}"


def test_a_replaced_contact_can_freeze_and_learns_no_more() -> None:
    """A replaced contact gets the link, and no amount, address, contact or place."""
    secret = (ADDRESS[:8], "Cold wallet", MAILBOX[-11:], IP, "$", "Firefox", "BTC")
    for one in every_notice():
        if one.replaced:
            text = notice_text(one, opened).text
            assert URL in text
            assert [word for word in secret if word in text] == []


def test_a_confirmation_code_may_reach_a_stranger() -> None:
    """What confirms a contact says neither whose account it is, nor the phrase, nor a link, nor the log."""
    for kind in (ev.ContactAdded, ev.ContactAsked):
        for channel, lasts in ((Channel.EMAIL, "24 hours"), (Channel.SMS, "10 minutes")):
            made = notice_text(notice(event(kind), code="12345678", channel=channel, head=head()), opened)
            assert "12345678" in made.text
            assert lasts in made.text
            assert "will ever ask you for it" in made.text
            assert "12345678" not in made.subject
            assert [part for part in (PHRASE, "http", "chain", "alice", IP) if part in made.text] == []


CONFIRMED: Final[list[tuple[object, str]]] = [
    (OrderPlace("o1", "BTC/USDT", "buy", "64000", "0.5"), "buy 0.5 of BTC/USDT, at 64000 each at the worst"),
    (LimitSet(trades="pair *"), "open again to trading: all pairs"),
    (LimitSet(trades="counterparty bob"), "open again to trading: the counterparty bob"),
    (SessionStart(), "sign in"),
    (
        ExitRequest("withdrawal", "BTC", "0.25", address=destination(ADDRESS), network="bitcoin"),
        f"send 0.25 BTC to {SHOWN} by bitcoin (withdrawal)",
    ),
    (
        ExitRequest("internal_transfer", "BTC", "2", counterparty=destination("bob")),
        "send 2 BTC to bob (internal_transf",
    ),
    (ExitRequest("card", "USD", "5"), "send 5 USD (card)"),
    (ExitRelease("x9"), "let a waiting payment go now (x9)"),
    (RecoveryEvidence("contact_code"), "show that you are the owner of an account that is to be recovered"),
    (RecoveryCancel(), "end the recovery of your account"),
    (RecoveryFinish(sealed("new")), "finish the recovery of your account by a new password"),
    (IncidentClose(), "close the case of your robbery"),
    (ApiKeyCreate(sealed("bot"), (ev.Scope.TRADE,)), "make an API key to trade, from anywhere"),
    (ApiKeySuspend("k9", on=False), "let the suspended API key k9 work again"),
    (EvidenceBurn(("face",), "owner"), "say that others know what would prove"),
    (AddressAdd(sealed("Cold wallet"), "bitcoin", destination(ADDRESS)), f'"Cold wallet": {SHOWN} by bitcoin'),
    (AddressAdd(sealed("any"), "p2p"), 'add to the address book as "any": any receiver by p2p'),
    (AddressRenew("bitcoin", destination(ADDRESS)), f"confirm again in the address book: {SHOWN} by bitcoin"),
    (AuthenticatorBind(AuthenticatorKind.PASSKEY), "add a way of confirming: passkey"),
    (AuthenticatorRemove("x7"), "remove a way of confirming: authenticator app (x7)"),
    (AuthenticatorReinstate("x7"), "reinstate a way of confirming: authenticator app (x7)"),
    (ContactAdd(Channel.EMAIL, sealed(MAILBOX)), "add a contact for notices (email): a***@example.com"),
    (ContactRemove("x7"), "remove a contact for notices: a***@example.com (x7)"),
    (ContactReportRecycled("x7"), "belongs to someone else now: a***@example.com (x7)"),
    (ContactReportRecycled(authenticator="x7"), "belongs to someone else now: authenticator app (x7)"),
    (PasswordChange(sealed("x")), "change the password"),
    (AccountUnfreeze(), "unfreeze the account"),
    (AllowlistSet(on=False), "change a setting: paying only addresses in the book: off"),
    (LockSet(0), "change a setting: the settings lock (hours): 0"),
    (LimitSet("5000"), "change a setting: the daily limit: $5,000.00"),
    (LimitSet(None), "change a setting: the daily limit: none"),
    (VaultSet(40), "change the vault: lock 40 %"),
    (VaultSet(40, 240), "change the vault: lock 40 % for 240 hours"),
    ({"action": "exit.settle"}, "confirm something that was asked of your account"),
]


@pytest.mark.parametrize(("asked", "expected"), CONFIRMED, ids=[expected for _, expected in CONFIRMED])
def test_a_code_says_what_it_does(asked: object, expected: str) -> None:
    """By text or by mail, a code names what it would confirm, and carries nothing else that acts."""
    for channel in (Channel.EMAIL, Channel.SMS):
        cause = event(ev.AuthenticatorAsked)
        given: dict[str, Any] = {"code": "12345678", "channel": channel, "head": head()}
        made = notice_text(notice(cause, decided=decided("exit.release", asked, decision="step_up"), **given), opened)
        assert expected in made.text
        assert "12345678" in made.text
        assert PHRASE in made.text
        assert [part for part in ("http", "chain") if part in made.text] == []
        assert channel is not Channel.SMS or len(made.text) <= TEXT_MESSAGE_MOST


def test_a_key_is_named_as_its_owner_named_it() -> None:
    """A mail has a key's own name, in quotation marks and without anything that could become a link, beside its id."""
    key = ApiKey(
        "alice", (ev.Scope.TRADE,), 0, Wait(0, 0, heard=True), 0, listed=False, label=sealed("my bot www.x.example\n")
    )
    known = head(api_keys={"k3": key, "k4": msgspec.structs.replace(key, label=None)})
    name, by_key = '"my bot www-x-example-" (k3)', decided("exit.request")
    by_key = msgspec.structs.replace(by_key, actor=Actor(ActorKind.API_KEY, key="k3"))
    for cause, expected in (
        (ev.ApiKeysStopped(AT, ("k3", "k4")), f"Suspended: 2 API keys, {name} and k4, which somebody else"),
        (ev.ApiKeysStopped(AT, ("k3",)), f"Suspended: 1 API key, {name}, which somebody else"),
        (ev.ApiKeySuspended(AT, "k3"), f"The API key {name} was suspended."),
        (ev.ApiKeyRevoked(AT, "k3", label=key.label), f"The API key {name} was revoked."),
        (ev.ApiKeyRevoked(AT, "k9", leaked=True), "The API key k9 was revoked, for it had leaked."),
        (event(ev.ExitCancelled), f"Asked by: the API key {name}\n"),
    ):
        made = notice_text(notice(cause, head=known, decided=by_key), opened)
        assert expected in made.text
        assert "bot" not in made.subject


def test_every_action_that_asks_for_proof_is_named_by_its_code() -> None:
    """No action comes to ask for a code that would not say what it does."""
    named = {type(asked) for asked, _ in CONFIRMED}
    asking = {kind for kind, rule in RULES.items() if not rule.proofless and ActorKind.OWNER in rule.actors}
    by_itself = {OrderLease, AuthenticatorConfirm, ContactConfirm, SessionEnd, SessionEndAll, RecoveryOpen}
    assert asking - by_itself <= named


def test_a_code_ends_with_its_challenge() -> None:
    """It is said to be good for as long as its challenge is open, and never for more than ten minutes."""
    open_until = {"x7": Challenge(b"", (), AT + 3 * MINUTE)}
    one = notice(event(ev.AuthenticatorAsked), code="12345678", decided=decided("x", SessionStart()))
    assert "until 21 Nov 2026, 10:50 UTC" in notice_text(one._replace(head=head(challenges=open_until)), opened).text
    assert "until 21 Nov 2026, 10:57 UTC" in notice_text(one, opened).text


def test_a_long_code_message_loses_what_matters_least() -> None:
    """First the phrase and the time, then what is too long; the code and what it does stand first."""
    asked = AddressAdd(sealed("W" * 32), "n" * 32, destination("x" * 40))
    short = notice(
        event(ev.AuthenticatorAsked), code="12345678", channel=Channel.SMS, decided=decided("x", asked), phrase="p" * 90
    )
    assert notice_text(short, opened).text.startswith("Code 12345678 to add to the address book")


def test_what_binds_a_number_may_reach_a_stranger() -> None:
    """It says neither whose account it is, nor the phrase, nor a link, nor from where it was asked."""
    bound = event(ev.AuthenticatorBound, kind=AuthenticatorKind.SMS, confirmed=False)
    for channel in (Channel.EMAIL, Channel.SMS):
        made = notice_text(notice(bound, code="12345678", channel=channel, head=head()), opened)
        assert "10 minutes" in made.text
        assert [part for part in (PHRASE, "http", "chain", "alice", IP) if part in made.text] == []


def test_codes_last_as_long_as_notices_say() -> None:
    """What a notice says of a code's life is what the check of the code goes by."""
    assert CODE_MS == intake.CODE_MS


def test_an_early_release_says_what_its_code_lets_go() -> None:
    """A code that ends a payout's wait names the payout, the place it was asked from, and the way to stop it."""
    held = HeldExit(
        "withdrawal", "", "", "BTC", "0.25", 15_000_000_000, b"", "alice", (), "", 0, Wait(0, 0, heard=True), 0
    )
    cause = event(ev.ChallengeIssued, contact="x7", until=AT + 10 * MINUTE)
    one = notice(cause, code="12345678", decided=decided("exit.release", ExitRelease("x9"), decision="step_up"))
    known = notice_text(one._replace(head=head(exits={"x9": held})), opened).text

    assert "It lets the waiting payment x9 of 0.25 BTC, $15,000.00, leave before" in known
    for part in ("until 21 Nov 2026, 10:57 UTC", URL, PHRASE, IP):
        assert part in known
    assert "the waiting payment x9 leave" in notice_text(one, opened).text
    assert "until 21 Nov 2026, 10:57 UTC" in notice_text(one._replace(channel=Channel.SMS), opened).text


@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.SMS])
@pytest.mark.parametrize(
    ("asked", "does"),
    [
        (SessionStart(), "to sign in"),
        (RecoveryEvidence("contact_code"), "to show that you are the owner of an account"),
        (RecoveryFinish(sealed("new")), "to finish the recovery of your account by a new password"),
    ],
)
def test_a_contacts_code_says_what_it_does(
    asked: SessionStart | RecoveryEvidence | RecoveryFinish, does: str, channel: Channel
) -> None:
    """A code that lets nothing leave is not said to: whoever reads it learns what it would do."""
    cause = event(ev.ChallengeIssued, contact="x7", until=AT + 10 * MINUTE)
    one = notice(cause, code="12345678", decided=decided(action_name(asked), asked), channel=channel)
    text = notice_text(one, opened).text
    assert does in text
    assert "payment" not in text


@pytest.mark.parametrize(
    "cause",
    [event(ev.AuthenticatorRemoved), event(ev.ContactRemoved), event(ev.Unfrozen), event(ev.SettingChanged)],
)
def test_what_was_asked_earlier_is_not_blamed_on_who_asks_now(cause: AnyEvent) -> None:
    """A loosening that came due in somebody's entry tells neither his address nor that he asked for it."""
    text = notice_text(notice(cause, decided=decided("exit.request", decision="hold")), opened).text

    assert "It was asked for earlier" in text
    assert IP not in text


def test_a_setting_changed_now_tells_where_from() -> None:
    """A setting that takes effect at once is told with the place it was asked from."""
    text = notice_text(notice(event(ev.SettingChanged), decided=decided("lock.set")), opened).text

    assert f"From: {IP}\n" in text


@pytest.mark.parametrize("said", ["", "not an address", "203.0.113.7\nPlease call", "<b>"])
def test_only_a_network_address_is_told_as_one(said: str) -> None:
    """What the platform passes on as a network address is told only if it is one."""
    asked = msgspec.structs.replace(decided("address.add"), ip=sealed(said))

    assert "From:" not in notice_text(notice(event(ev.AddressAdded), decided=asked), opened).text
    unknown = msgspec.structs.replace(asked, ip=None)
    assert "From:" not in notice_text(notice(event(ev.AddressAdded), decided=unknown), opened).text


def test_an_entry_number_may_be_missing() -> None:
    """A notice whose entry number is not known still carries the chain head."""
    text = notice_text(notice(event(ev.Frozen), seq=0), opened).text

    assert "12-0, chain 0001" in text
    assert "freezes it again" in text


def test_a_phrase_is_the_customers_own() -> None:
    """The same secret gives the same three words, and another secret others."""
    assert phrase(b"\x01\x02\x03" * 5) == "anchor apple arrow"
    assert phrase(bytes(16)) == "amber amber amber"
    assert len({phrase(bytes((number, 0, 0))) for number in range(256)}) == 64
