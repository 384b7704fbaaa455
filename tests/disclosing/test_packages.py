"""What an agency is given: the fields it may have and no more, marked for it, in an envelope only it opens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
from pyrage import decrypt, x25519
from tests.core.histories import BACKUP_CODE, PASSWORD, TOTP, Account, grow, sealed

from holdback.core.decision import Context
from holdback.core.disclosure import GIVES_AWAY, NEVER
from holdback.core.events import Channel
from holdback.core.rules.address import AddressAdd
from holdback.core.rules.contact import ContactAdd
from holdback.disclosing import Known, Wanted, package
from holdback.enveloping import AgeEnvelopes
from holdback.marking import Trace

if TYPE_CHECKING:
    from holdback.core.events import Sealed

KEY: Final = (1, bytes(range(32)))


def opened(one: Sealed) -> str:
    """What the tests' sealed fields hold."""
    return one.box.decode()


def known(account: Account) -> Known:
    """Everything of an account."""
    return Known(account.head, tuple(account.parts.values()), tuple(account.entries), opened)


@pytest.fixture(scope="module")
def account() -> Account:
    """An account with a past: payments, devices, sign-ins, and a book."""
    made = Account()
    session = grow(made, PASSWORD, TOTP, BACKUP_CODE, contacts=(Channel.EMAIL, Channel.SMS))
    for usd in ("5", "7.25", "10"):
        made.pay(usd, "home", session, context=Context(ip=sealed("203.0.113.7")))
        made.wait(hours=1)
        session = made.any_session()
    made.ask(AddressAdd(sealed("p2p"), "p2p"), session, *made.head.authenticators)
    made.ask(ContactAdd(Channel.EMAIL, sealed("unconfirmed")), session, *made.head.authenticators)
    return made


def rows(account: Account, *fields: str, agency: str = "police") -> list[dict[str, str]]:
    """The package of these fields, read back."""
    made = package(Wanted("l7", agency, "court_order", fields), known(account), account.now, KEY)
    return [msgspec.json.decode(line) for line in made.body.splitlines()]


def test_a_package_says_what_it_is(account: Account) -> None:
    """Its first row names the request, the agency, the basis and the fields, and every row has a number."""
    first, *rest = rows(account, "name")
    assert (first["request"], first["agency"], first["legal_basis"]) == ("l7", "police", "court_order")
    assert [one["row"] for one in (first, *rest)] == ["0", "1"]
    assert rest[0]["value"] == "alice"


@pytest.mark.parametrize(
    ("field", "has"),
    [
        ("email", {"value": "alice email", "state": "confirmed"}),
        ("email", {"value": "unconfirmed", "state": "not confirmed"}),
        ("phone", {"value": "alice sms"}),
        ("balance", {"said_by": "the platform"}),
        ("beneficiaries", {"network": "bitcoin", "value": "home"}),
        ("beneficiaries", {"network": "p2p", "value": ""}),
        ("transactions", {"kind": "withdrawal", "value": "home", "beneficiary": "bitcoin"}),
        ("device_list", {"user_agent": ""}),
        ("sign_ins", {"ip": ""}),
        ("kyc_file", {"held_by": "the platform"}),
        ("postal_address", {"held_by": "the platform"}),
    ],
    ids=str,
)
def test_every_field_is_rendered(account: Account, field: str, has: dict[str, str]) -> None:
    """Each field is there as Holdback knows it, and what the platform holds is named as the platform's."""
    found = [one for one in rows(account, field) if one.get("field") == field]
    assert any(has.items() <= one.items() for one in found), found


def test_amounts_are_what_they_were(account: Account) -> None:
    """A mark changes how an amount is written and never what it says."""
    paid = [float(one["usd"]) for one in rows(account, "transactions") if "usd" in one]
    assert paid == [5.0, 7.25, 10.0]


def test_all_fields_have_a_renderer_and_secrets_none(account: Account) -> None:
    """What can be disclosed is rendered, and a secret is not even if it were asked for."""
    for field in GIVES_AWAY:
        assert [one for one in rows(account, field) if one.get("field") == field]
    for field in NEVER:
        assert not [one for one in rows(account, field) if one.get("field") == field]
    text = package(Wanted("l7", "police", "x", tuple(GIVES_AWAY)), known(account), account.now, KEY).body.decode()
    assert "alice totp" not in text
    assert "alice password" not in text


def test_no_other_field_comes_along(account: Account) -> None:
    """Whoever asks for a balance learns no address."""
    text = str(rows(account, "balance"))
    assert "home" not in text
    assert "alice email" not in text


def test_a_leaked_package_names_its_agency() -> None:
    """Out of twenty agencies' copies the one that was leaked is found by its marks."""
    paid = Account()
    grow(paid, equity="100000000")
    session = paid.any_session()
    for number in range(150):
        paid.now += 61_000
        session = paid.any_session()
        paid.pay(f"{number % 90 + 1}.{number % 97 + 1:02}", "home", session)
    copies: dict[str, Any] = {}
    for number in range(20):
        wanted = Wanted("l7", f"agency{number}", "court_order", ("transactions", "sign_ins"))
        copies[f"agency{number}"] = package(wanted, known(paid), paid.now, KEY)
    trace = Trace([one.export for one in copies.values()], dict([KEY]), 1e-6)
    for line in copies["agency7"].body.splitlines():
        trace.add(msgspec.json.decode(line))
    assert [one.reader for one in trace.result().named] == ["agency7/l7"]


def test_only_the_agency_opens_its_envelope() -> None:
    """What is sealed for one key opens with it, and with no other."""
    own, other = x25519.Identity.generate(), x25519.Identity.generate()
    text = AgeEnvelopes().seal(str(own.to_public()), b"the file")
    assert "the file" not in text
    assert decrypt(text.encode(), [own]) == b"the file"
    with pytest.raises(Exception, match="No matching keys"):
        decrypt(text.encode(), [other])


@pytest.mark.parametrize("key", ["", "age1", "age1" + "q" * 58, "ssh-ed25519 AAAA", "AGE-SECRET-KEY-1X"])
def test_what_is_no_key_is_refused(key: str) -> None:
    """A recipient that age would not take is none, before anything is sealed for it."""
    assert not AgeEnvelopes().fits(key)
    with pytest.raises(ValueError, match="not an age recipient"):
        AgeEnvelopes().seal(key, b"x")


def test_a_key_fits() -> None:
    """An X25519 recipient as age writes it is one."""
    assert AgeEnvelopes().fits(str(x25519.Identity.generate().to_public()))
