"""The contract of `ports.Verifier`, the same for every kind of proof that is checked here."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree as ET

import pyotp
import pytest
import segno
from argon2 import PasswordHasher
from argon2.low_level import Type
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from hypothesis import given
from hypothesis import strategies as st

from holdback.core.assurance import spent
from holdback.core.decision import Proof
from holdback.core.events import AuthenticatorBound, AuthenticatorKind, ProofUsed, Sealed
from holdback.core.state import Customer, Head, evolve
from holdback.evidence import backup_code, totp
from holdback.evidence.backup_code import BackupCodes
from holdback.evidence.password import LONGEST, Passwords
from holdback.evidence.totp import Totp

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdback.ports import Verifier

NOW: Final = 1_795_258_055_123
STEP_MS: Final = 30_000
PASSWORD: Final = "correct horse battery staple"
SURROGATE: Final = "\ud800"


class Counting(PasswordHasher):
    """A cheap hasher that counts what it checks."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.checks = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - the library's name
        """Count, then check."""
        self.checks += 1
        return super().verify(hash, password)


@dataclass
class Kind:
    """One verifier with a credential, what proves it, and how much work was done so far."""

    verifier: Verifier
    credential: str
    right: str
    counter: int
    work: Callable[[], int]
    others: list[str] = field(default_factory=list)


def counted(monkeypatch: pytest.MonkeyPatch, module: Any) -> Callable[[], int]:  # noqa: ANN401 - a module
    """Count the comparisons of a module."""
    calls: list[int] = []
    compare = module.hmac.compare_digest

    class Hmac:
        digest = staticmethod(module.hmac.digest)

        @staticmethod
        def compare_digest(one: Any, other: Any) -> bool:  # noqa: ANN401 - text or bytes
            """Count, then compare."""
            calls.append(1)
            same: bool = compare(one, other)
            return same

    monkeypatch.setattr(module, "hmac", Hmac)
    return lambda: len(calls)


async def of_password(_monkeypatch: pytest.MonkeyPatch) -> Kind:
    """A password."""
    hasher = Counting()
    verifier = Passwords(threads=1, hasher=hasher)
    credential = (await verifier.enrol(PASSWORD, "alice")).credential
    return Kind(verifier, credential, PASSWORD, 0, lambda: hasher.checks, [PASSWORD.upper(), PASSWORD + " "])


async def of_totp(monkeypatch: pytest.MonkeyPatch) -> Kind:
    """An authenticator app."""
    verifier = Totp("Example")
    made = await verifier.enrol("", "alice")
    app = pyotp.TOTP(str(made.shown["secret"]))
    others = [app.at(NOW // 1000 + 30 * away) for away in (-3, -2, 2, 3)]
    return Kind(verifier, made.credential, app.at(NOW // 1000), NOW // STEP_MS, counted(monkeypatch, totp), others)


async def of_backup_code(monkeypatch: pytest.MonkeyPatch) -> Kind:
    """A set of backup codes, of which the fourth is shown."""
    verifier = BackupCodes()
    made, other = await verifier.enrol("", "alice"), await verifier.enrol("", "alice")
    codes: Any = made.shown["codes"]
    others: Any = other.shown["codes"]
    return Kind(verifier, made.credential, codes[3], 3, counted(monkeypatch, backup_code), others)


KINDS: Final = {"password": of_password, "totp": of_totp, "backup_code": of_backup_code}


@pytest.fixture(params=list(KINDS))
async def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Kind:
    """Each kind in turn."""
    made: Kind = await KINDS[request.param](monkeypatch)
    return made


# Every kind


async def test_what_is_right(kind: Kind) -> None:
    """The right response gives the counter it spends, each time it is asked: spending is the core's."""
    for _ in range(2):
        assert await kind.verifier.verify(kind.credential, kind.right, NOW) == kind.counter


WRONG: Final = {
    "empty": "",
    "space": " \t\n",
    "digits": "000000",
    "short": "1",
    "null": "\x00" * 6,
    "huge": "9" * 4096,
    "script": "\uff11\uff12\uff13\uff14\uff15\uff16",
    "emoji": "🔑" * 8,
    "surrogate": SURROGATE * 6,
    "expanding": "\ufdfa" * 4096,
    "separators": "-" * 64,
    "formatted": "{0}%s\\x00",
}


@pytest.mark.parametrize("name", WRONG)
async def test_what_is_wrong(kind: Kind, name: str) -> None:
    """Anything else is wrong, whatever it is made of, and raises nothing."""
    assert await kind.verifier.verify(kind.credential, WRONG[name], NOW) is None


async def test_what_is_nearly_right(kind: Kind) -> None:
    """What belongs to another time, another set or another case is wrong."""
    others = [one for one in kind.others if one != kind.right]
    assert [one for one in others if await kind.verifier.verify(kind.credential, one, NOW) is not None] == []
    for near in (kind.right[:-1], kind.right + "0", kind.right + SURROGATE, kind.right[::-1]):
        assert near == kind.right or await kind.verifier.verify(kind.credential, near, NOW) is None


async def test_wrong_is_wrong_at_one_price(kind: Kind) -> None:
    """How wrong a response is does not change the work of checking it."""
    work = []
    for response in ("", "1", "x" * 4096, kind.right[:-1], kind.others[0]):
        before = kind.work()
        await kind.verifier.verify(kind.credential, response, NOW)
        work.append(kind.work() - before)

    assert len(set(work)) == 1
    assert work[0] >= 1


async def test_another_credential(kind: Kind) -> None:
    """A response proves the credential it was made for and no other."""
    other = (await kind.verifier.enrol("" if kind.counter else PASSWORD + "!", "bob")).credential

    assert other != kind.credential
    assert await kind.verifier.verify(other, kind.right, NOW) is None


async def test_what_is_kept_does_not_show_what_proves(kind: Kind) -> None:
    """Where a proof can be hashed, the credential holds nothing of it."""
    if kind.verifier.kind is not AuthenticatorKind.TOTP:
        assert kind.right not in kind.credential
        assert kind.right.replace("-", "") not in kind.credential


async def test_a_counter_is_spent_once(kind: Kind) -> None:
    """The core takes the counter a verifier gives once, and after that refuses the same proof as used."""
    bound = AuthenticatorBound(1, "a1", kind.verifier.kind, b"h", None, confirmed=True, wait_ms=0, until=1)
    before = evolve(Customer(Head("alice", Sealed(b"m" * 16, b""), 0, ()), {}), bound)
    counter = await kind.verifier.verify(kind.credential, kind.right, NOW)
    assert counter is not None
    proof = Proof(kind.verifier.kind, "a1", 1, counter, b"", NOW, right=True)
    after = evolve(before, ProofUsed(NOW, "a1", counter))

    assert before.head is not None
    assert after.head is not None
    assert not spent(before.head, proof)
    assert spent(after.head, proof) is (kind.verifier.kind is not AuthenticatorKind.PASSWORD)


async def test_waste_answers_nothing(kind: Kind) -> None:
    """Wasting the work of a check says nothing, whatever is shown."""
    for response in (kind.right, "", SURROGATE, "x" * 4096):
        await kind.verifier.waste(response)


# Passwords


async def test_an_unknown_account_costs_a_check() -> None:
    """An unknown name does as many checks of the same price as a known one."""
    hasher = Counting()
    passwords = Passwords(threads=1, hasher=hasher)
    for response in (PASSWORD, "", "ﬁ" * 9):
        before = hasher.checks
        await passwords.verify(hasher.hash(PASSWORD), response, NOW)
        known = hasher.checks - before
        await passwords.waste(response)
        assert hasher.checks - before == 2 * known


async def test_new_hashes_have_owasp_parameters() -> None:
    """A new password is hashed by argon2id with 19 MiB, two rounds and one lane, and a salt of its own."""
    passwords = Passwords(threads=1)
    first, second = await passwords.enrol(PASSWORD, ""), await passwords.enrol(PASSWORD, "")

    assert first.credential.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert first.credential != second.credential
    assert first.shown == {}
    assert await passwords.verify(first.credential, PASSWORD, NOW) == 0


@pytest.mark.parametrize(
    ("chosen", "typed"),
    [
        ("ﬁnancial s\u00e9cret", "financial se\u0301cret"),
        ("Ⅷ eight letters", "VIII eight letters"),
        ("\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18", "12345678"),
    ],
)
async def test_keyboards_differ(chosen: str, typed: str) -> None:
    """The same characters count as the same however a keyboard made them."""
    passwords = Passwords(threads=1, hasher=Counting())

    assert await passwords.verify((await passwords.enrol(chosen, "")).credential, typed, NOW) == 0
    assert await passwords.verify((await passwords.enrol(typed, "")).credential, chosen, NOW) == 0


@pytest.mark.parametrize("unfit", ["", "seven77", "x" * (LONGEST + 1), "\ufdfa" * 200, SURROGATE * 9, "x" * 10**6])
async def test_unfit_passwords(unfit: str) -> None:
    """A password too short, too long or no text is refused; length is that of the normal form."""
    with pytest.raises(ValueError, match="password"):
        await Passwords(threads=1, hasher=Counting()).enrol(unfit, "")


@pytest.mark.parametrize("fit", ["eight888", "x" * LONGEST, "口座の合言葉は長い", "        ", "a\x00bcdefgh"])
async def test_fit_passwords(fit: str) -> None:
    """Any other text of a fit length is taken whole, spaces, scripts and all."""
    passwords = Passwords(threads=1, hasher=Counting())
    credential = (await passwords.enrol(fit, "")).credential

    assert await passwords.verify(credential, fit, NOW) == 0
    assert await passwords.verify(credential, fit[:-1], NOW) is None
    assert await passwords.verify(credential, fit + "x", NOW) is None


@pytest.mark.parametrize("password", ["short", "pa\u0301ssword as it came", "x" * 400])
async def test_hashes_of_other_systems(password: str) -> None:
    """An argon2id hash of another system is taken as it is, whatever it thought of lengths and normal forms."""
    theirs = PasswordHasher(time_cost=3, memory_cost=64, parallelism=4, hash_len=16).hash(password)
    passwords = Passwords(threads=1, hasher=Counting())
    enrolment = await passwords.enrol(theirs, "")

    assert enrolment.credential == theirs
    assert await passwords.verify(theirs, password, NOW) == 0
    assert await passwords.verify(theirs, password + "x", NOW) is None


SALT: Final = base64.b64encode(bytes(16)).decode().rstrip("=")
HASH: Final = base64.b64encode(bytes(range(32))).decode().rstrip("=")


@pytest.mark.parametrize(
    "unfit",
    [
        PasswordHasher(1, 8, 1, type=Type.I).hash(PASSWORD, salt=bytes(16)),
        PasswordHasher(1, 8, 1, type=Type.D).hash(PASSWORD, salt=bytes(16)),
        PasswordHasher(1, 8, 1).hash("", salt=bytes(16)),
        "$argon2id$",
        "$argon2id$v=19$m=19456,t=2,p=1$",
        f"$argon2id$v=19$m=8,t=1,p=1$!!!!${HASH}",
        f"$argon2id$v=19$m=8,t=1,p=1$AA${HASH}",
        f"$argon2id$v=19$m=x,t=1,p=1${SALT}${HASH}",
        f"$argon2id$v=19$m=262145,t=1,p=1${SALT}${HASH}",
        f"$argon2id$v=19$m=19456,t=17,p=1${SALT}${HASH}",
        f"$argon2id$v=19$m=19456,t=1,p=17${SALT}${HASH}",
        f"$argon2id$v=19$m=8,t=0,p=1${SALT}${HASH}",
        "$argon2" + "x" * 10_000,
    ],
)
async def test_unfit_hashes(unfit: str) -> None:
    """A hash of another kind, of unbounded cost, or that nothing can be checked against is refused at the import."""
    with pytest.raises(ValueError, match=r"argon2id|empty"):
        await Passwords(threads=1, hasher=Counting()).enrol(unfit, "")


class Gated(PasswordHasher):
    """A hasher whose checks wait for a gate to open."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.gate = threading.Event()

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - the library's name
        """Wait, then check."""
        self.gate.wait(30)
        return super().verify(hash, password)


async def test_a_flood_is_turned_away() -> None:
    """Checks do not pile up without bound, the loop goes on meanwhile, and afterwards there is room again."""
    hasher = Gated()
    passwords = Passwords(threads=2, waiting_most=3, hasher=hasher)
    credential = hasher.hash(PASSWORD)
    checks = [asyncio.create_task(passwords.verify(credential, PASSWORD, NOW)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        await passwords.verify(credential, PASSWORD, NOW)
    with pytest.raises(TimeoutError):
        await passwords.waste(PASSWORD)
    checks[2].cancel()
    await asyncio.sleep(0)
    hasher.gate.set()

    assert await asyncio.gather(*checks[:2]) == [0, 0]
    assert await passwords.verify(credential, PASSWORD, NOW) == 0


# Authenticator apps

RFC_6238: Final = {
    59: "94287082",
    1_111_111_109: "07081804",
    1_111_111_111: "14050471",
    1_234_567_890: "89005924",
    2_000_000_000: "69279037",
    20_000_000_000: "65353130",
}
"""Appendix B, SHA-1, eight digits, of which six digits are the last."""


@pytest.mark.parametrize("at", RFC_6238)
async def test_rfc_6238(at: int) -> None:
    """The codes are those of RFC 6238, and each names its time step."""
    verifier = Totp("Example")
    credential = (await verifier.enrol(base64.b32encode(b"12345678901234567890").decode(), "")).credential

    assert await verifier.verify(credential, RFC_6238[at][2:], at * 1000) == at // 30


@pytest.mark.parametrize("at", RFC_6238)
def test_rfc_6238_in_full(at: int) -> None:
    """What computes the codes gives appendix B's eight digits, too; our own setting is six."""
    vectors = TOTP(b"12345678901234567890", 8, SHA1(), STEP_MS // 1000)  # noqa: S303 - RFC 6238's
    assert vectors.generate(at).decode() == RFC_6238[at]


async def test_the_picture_is_the_uri() -> None:
    """The QR code is a small SVG without links or scripts, and is what another encoding of the URI gives."""
    made = await Totp("Exchange").enrol("", "alice@example.com")
    picture = str(made.shown["qr_svg"])
    root = ET.fromstring(picture)  # noqa: S314 - written here
    namespace = "http://www.w3.org/2000/svg"

    # An `img` shows no SVG that does not name its namespace.
    assert root.tag == f"{{{namespace}}}svg"
    assert {one.tag for one in root} == {f"{{{namespace}}}path"}
    assert len(picture) < 16_384
    drawn = picture.replace(namespace, "", 1)
    assert [part for part in ("http", "href", "script", "style", str(made.shown["secret"])) if part in drawn] == []
    size = int(root.attrib["viewBox"].split()[-1])
    expected = [
        [bool(cell) for cell in row] for row in segno.make(str(made.shown["otpauth_uri"]), error="l").matrix_iter()
    ]
    assert dark(root[1].attrib["d"], size) == expected


def dark(path: str, size: int) -> list[list[bool]]:
    """The dark squares that a path of horizontal strokes draws."""
    found = [[False] * size for _ in range(size)]
    x, y = 0.0, 0.0
    for command, first, second in re.findall(r"([Mmh])(-?[0-9.]+)(?: (-?[0-9.]+))?", path):
        if command == "h":
            for place in range(int(x), int(x + float(first))):
                found[int(y)][place] = True
            x += float(first)
        else:
            x = float(first) + (x if command == "m" else 0)
            y = float(second) + (y if command == "m" else 0)
    return found


async def test_long_names_still_fit() -> None:
    """Whatever an account and its platform are called, there is a picture."""
    made = await Totp("\U0001f511" * 600).enrol("", "\U0001f511" * 600)
    assert str(made.shown["qr_svg"]).startswith("<svg")


async def test_clocks_that_are_off() -> None:
    """A code is good in its step and the one before and after it, and always spends its own."""
    verifier = Totp("Example")
    made = await verifier.enrol("", "")
    code = pyotp.TOTP(str(made.shown["secret"])).at(NOW // 1000)
    step = NOW // STEP_MS
    for away, expected in ((-2, None), (-1, step), (0, step), (1, step), (2, None)):
        assert await verifier.verify(made.credential, code, (step + away) * STEP_MS) == expected


async def test_codes_are_typed_as_they_are_shown() -> None:
    """Apps show a code in two halves, and it may be typed so."""
    verifier = Totp("Example")
    made = await verifier.enrol("", "")
    code = pyotp.TOTP(str(made.shown["secret"])).at(NOW // 1000)

    assert await verifier.verify(made.credential, f" {code[:3]} {code[3:]}\n", NOW) == NOW // STEP_MS


@given(st.text(max_size=40), st.text(max_size=40))
def test_what_apps_read(issuer: str, label: str) -> None:
    """Whatever issuer and account are called, the URI has the secret, the issuer, and one colon between both names."""
    made = asyncio.run(Totp(issuer).enrol("", label))
    uri = urlsplit(str(made.shown["otpauth_uri"]))
    asked = parse_qs(uri.query, keep_blank_values=True)

    assert (uri.scheme, uri.netloc, uri.fragment) == ("otpauth", "totp", "")
    names = uri.path.removeprefix("/").split(":")
    assert [unquote(one) for one in names] == [issuer.replace(":", " "), label.replace(":", " ") or "account"]
    assert asked["secret"] == [made.shown["secret"]]
    assert asked["issuer"] == [issuer.replace(":", " ")]
    assert (asked["digits"], asked["period"]) == (["6"], ["30"])
    assert len(base64.b32decode(str(made.shown["secret"]))) == 20


def padded(handed: str) -> str:
    """Base32 as the standard library reads it."""
    compact = "".join(char for char in handed.upper() if char.isalnum())
    return compact + "=" * (-len(compact) % 8)


def code_of(secret: bytes, step: int) -> str:
    """RFC 4226 section 5.3, for secrets that pyotp refuses as too short and that people hold all the same."""
    mac = hmac.digest(secret, step.to_bytes(8), "sha1")
    start = mac[-1] & 15
    return f"{(int.from_bytes(mac[start : start + 4]) & 0x7FFFFFFF) % 10**6:06d}"


@pytest.mark.parametrize("handed", ["jbsw y3dp ehpk 3pxp", "JBSW-Y3DP-EHPK-3PXP", "JBSWY3DPEHPK3PXPAA======"])
async def test_secrets_of_other_systems(handed: str) -> None:
    """A secret that a platform hands over is taken however it is written, and not shown again."""
    verifier = Totp("Example")
    made = await verifier.enrol(handed, "alice")
    secret = base64.b32decode(padded(handed))

    assert made.shown == {}
    assert await verifier.verify(made.credential, code_of(secret, NOW // STEP_MS), NOW) == NOW // STEP_MS


@pytest.mark.parametrize(
    "unfit", ["otpauth://totp/x?secret=JBSWY3DPEHPK3PXP", "JBSWY3DP", "0189", "é" * 16, SURROGATE * 16, " ", "A" * 200]
)
async def test_unfit_secrets(unfit: str) -> None:
    """A secret that is not base32, too short or too long is refused."""
    with pytest.raises(ValueError, match="TOTP secret"):
        await Totp("Example").enrol(unfit, "")


# Backup codes


async def test_backup_codes_are_ten_and_unguessable() -> None:
    """A set has ten codes of 80 bits, all different, in groups that can be read out, and only their hashes are kept."""
    made = await BackupCodes().enrol("", "")
    codes: Any = made.shown["codes"]

    assert len(set(codes)) == 10
    for code in codes:
        assert [len(group) for group in code.split("-")] == [4, 4, 4, 4]
        assert len(base64.b32decode(code.replace("-", ""))) == 10
        assert code.replace("-", "") not in made.credential
        assert hashlib.sha256(code.replace("-", "").encode()).hexdigest() not in made.credential


async def test_each_backup_code_has_its_number() -> None:
    """Each code of a set spends its own number, and all of them cost the same to check."""
    verifier = BackupCodes()
    made = await verifier.enrol("", "")
    codes: Any = made.shown["codes"]

    assert [await verifier.verify(made.credential, code, NOW) for code in codes] == list(range(10))


async def test_backup_codes_are_read_by_people() -> None:
    """Hyphens, spaces, case, and digits that are read for letters do not matter."""
    verifier = BackupCodes()
    made = await verifier.enrol("", "")
    codes: Any = made.shown["codes"]
    for number, code in enumerate(codes):
        for typed in (code.lower(), code.replace("-", " "), f" {code.replace('-', '')}\n", code.replace("O", "0")):
            assert await verifier.verify(made.credential, typed.replace("B", "8"), NOW) == number


async def test_backup_codes_of_other_systems() -> None:
    """Nobody else's codes are taken over."""
    with pytest.raises(ValueError, match="backup codes"):
        await BackupCodes().enrol("ABCD-EFGH-JKMN-PQRS", "")
