"""What is one mailbox, number or name to its owner is one to Holdback, and is still sent to as he wrote it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdback.spelling import Spelled, contact, sign_in_name

MAILBOXES = (
    ("alice@example.com", "Alice@EXAMPLE.com", " alice@example.com ", "alice@example.com.", "alice+news@example.com"),
    ("jos\u00e9@example.com", "jose\u0301@example.com", "JOS\u00c9@example.com"),
    ("a@b\u00fccher.example", "a@B\u00dcCHER.example", "a@xn--bcher-kva.example", "a@XN--BCHER-KVA.EXAMPLE"),
    ("a@stra\u00dfe.example", "a@xn--strae-oqa.example"),
    ("a@\u4f8b.example", "a@\u4f8b\u3002example", "a@\u4f8b\uff0eexample"),
    ("+only@example.com", "+ONLY@example.com"),
    ("a@xn--0.example", "a@XN--0.example"),
    ("a@xn--b\u00fccher.example", "a@XN--b\u00fccher.example"),
)
NUMBERS = (
    ("+15550100042", "+1 555 010 0042", "+1 (555) 010-0042", "+1.555.010.0042", "\uff0b1\u00a0555 0100042"),
    ("+4915112345678", "+49 151/12345678"),
)


@pytest.mark.parametrize("same", MAILBOXES, ids=lambda same: ascii(same[0]))
def test_one_mailbox(same: tuple[str, ...]) -> None:
    """Case, spaces, a tag and the two ways to write a domain do not make two mailboxes of one."""
    assert len({contact("email", one).compared for one in same}) == 1


def test_many_mailboxes() -> None:
    """Other names and other domains are other mailboxes."""
    firsts = [contact("email", same[0]).compared for same in MAILBOXES]
    assert len(set(firsts)) == len(firsts)


@pytest.mark.parametrize("written", ["Alice@EXAMPLE.com", "alice+news@example.com", "a@xn--bcher-kva.example"])
def test_mail_goes_where_its_owner_said(written: str) -> None:
    """A mailbox is kept as it was written: another server may tell apart what is compared as one."""
    assert contact("email", f" {written} ").text == written


@pytest.mark.parametrize("same", NUMBERS, ids=lambda same: same[0])
def test_one_number(same: tuple[str, ...]) -> None:
    """A phone number is its plus and its digits, and that is what is called."""
    assert {contact("sms", one) for one in same} == {Spelled(same[0], same[0])}


@pytest.mark.parametrize(
    ("channel", "text"),
    [
        *[
            ("email", text)
            for text in ("", " ", "alice", "@example.com", "alice@", "a b@example.com", "a@b\nc.example")
        ],
        *[("sms", text) for text in ("", "5550100042", "0015550100042", "+0155501000", "+1555", "+1" + "5" * 15)],
        *[
            ("sms", text)
            for text in (
                "+1 555 CALL ME",
                "+44 (0)20 7946 0000",
                "+1+5550100042",
                "+\u0661\u0665\u0665\u0665\u0660\u0661\u0660",
            )
        ],
    ],
)
def test_what_reaches_nobody(channel: str, text: str) -> None:
    """What cannot be a mailbox or an international number is refused."""
    with pytest.raises(ValueError, match="is written"):
        contact(channel, text)


@pytest.mark.parametrize("channel", ["push", "passkey", "totp"])
def test_other_channels_are_left_alone(channel: str) -> None:
    """The name of a device or an app is compared letter by letter."""
    assert contact(channel, " Phone-A ") == Spelled(" Phone-A ", " Phone-A ")


def test_one_name() -> None:
    """A sign-in name is one in any case, width or composition."""
    for one in ("Alice", " alice ", "\uff21\uff4c\uff49\uff43\uff45", "ALICE"):
        assert sign_in_name(one) == "alice"
    assert sign_in_name("jos\u00e9") == sign_in_name("JOSE\u0301")
    assert sign_in_name("stra\u00dfe") == sign_in_name("STRASSE")


@given(st.text())
def test_a_spelling_is_stable(text: str) -> None:
    """What is spelled is spelled the same however often, and whichever way it was composed."""
    once = sign_in_name(text)
    assert sign_in_name(once) == once
    assert sign_in_name(unicodedata.normalize("NFD", text)) == once


@given(st.text(min_size=1))
def test_nothing_breaks_it(text: str) -> None:
    """Any text at all is a mailbox or is refused."""
    for channel in ("email", "sms"):
        try:
            spelled = contact(channel, text)
        except ValueError:
            continue
        assert contact(channel, spelled.text).compared == spelled.compared
