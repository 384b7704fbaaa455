"""What an owner may choose as a password, and in which words anything else is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from holdback.evidence.breached import shipped
from holdback.evidence.password import LONGEST, Passwords
from holdback.evidence.strength import strength

ALICE = ("Alice Liddell", "alice.liddell@wonderland.example", "+15550100042")
NOW = 1_795_258_055_123
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

WEAK = {
    "alice.liddell1": "your own name or address",
    "wonderland.example": "your own name or address",
    "margaret1957": "a name",
    "abcdefghijk": "counts or spells",
    "blahblahblah": "repeats",
    "14.07.1789": "a date",
    "dfghjuytrew": "neighbouring keys",
    "x7Gq2!pL": "too short",
}


@pytest.mark.parametrize("weak", WEAK)
async def test_what_is_guessed_early(weak: str) -> None:
    """A password that is guessed early is refused, saying of what kind it is, without repeating any of it."""
    with pytest.raises(ValueError, match="too easy to guess") as refused:
        await judge(weak)
    assert WEAK[weak] in str(refused.value)
    assert not [word for word in weak.replace(".", " ").split() if len(word) > 3 and word in str(refused.value)]


@pytest.mark.parametrize("known", ["password123", "PassWord123", "1q2w3e4r5t", "iloveyou", "ILOVEYOU", "Summer2024"])
async def test_the_shipped_list(known: str) -> None:
    """What everybody tries first is refused, however its letters are written and without any file."""
    with pytest.raises(ValueError, match="thieves try first"):
        await judge(known, strength_min=1)


def test_the_shipped_list_is_in_order() -> None:
    """The shipped list has some hundreds of passwords, each long enough to be chosen, without case."""
    assert 300 <= len(shipped()) <= 2000
    assert all(len(one) >= 8 and one == one.casefold() for one in shipped())


@pytest.mark.parametrize(
    "good",
    [
        "plover tangent oboe",
        "口座の合言葉はとても長い",
        "kJ8#vQ2!nM5$",
        "      plover oboe      ",
        "plover tangent oboe " * 12,
        "ﬁgment🔑staple",
    ],
)
async def test_what_may_be_chosen(good: str) -> None:
    """Any characters at all make a password, spaces and other scripts too, and none is asked for."""
    await judge(good)
    passwords = Passwords(threads=1, hasher=CHEAP)
    credential = (await passwords.enrol(good, "")).credential
    assert await passwords.verify(credential, good, NOW) == 0
    assert await passwords.verify(credential, good[:-1], NOW) is None


@pytest.mark.parametrize("length", [64, 128, 200, LONGEST])
async def test_nothing_is_cut_off(length: int) -> None:
    """A long password is taken whole: another last character is another password."""
    long = ("plover tangent oboe quarry " * 10)[: length - 1] + "1"
    await judge(long)
    passwords = Passwords(threads=1, hasher=CHEAP)
    credential = (await passwords.enrol(long, "")).credential
    assert await passwords.verify(credential, long, NOW) == 0
    assert await passwords.verify(credential, long[:-1] + "2", NOW) is None


@pytest.mark.parametrize(("chosen", "least"), [("kJ8#vQ2", 8), ("kJ8#vQ2!nM5$xY", 15), ("ﬁ" * 4 + "\u0301", 10)])
async def test_shorter_than_the_policy_says(chosen: str, least: int) -> None:
    """Length is that of the normal form, and the message says how long it must be."""
    with pytest.raises(ValueError, match=f"{least} to {LONGEST} characters"):
        await judge(chosen, characters_min=least)


async def test_a_hash_of_nothing_known_is_not_longer_than_it_can_be() -> None:
    """A response longer than any password is wrong, even if the part that is looked at would be right."""
    passwords = Passwords(threads=1, hasher=CHEAP)
    theirs = CHEAP.hash("x" * 1025)
    assert await passwords.verify(theirs, "x" * 1025, NOW) is None
    assert await passwords.verify(theirs, "x" * 1026, NOW) is None


WEAKER = [
    PasswordHasher(1, 19 * 1024, 1).hash("plover"),
    PasswordHasher(2, 8, 1).hash("plover"),
    PasswordHasher(3, 4096, 4).hash("plover"),
    PasswordHasher(2, 19 * 1024, 1, hash_len=8).hash("plover"),
    PasswordHasher(2, 19 * 1024, 1, salt_len=8).hash("plover"),
]
AS_GOOD = [PasswordHasher(2, 19 * 1024, 1).hash("plover"), PasswordHasher(3, 64 * 1024, 4).hash("plover")]


@pytest.mark.parametrize("weaker", WEAKER, ids=["passes", "memory", "memory beside lanes", "length", "salt"])
async def test_weaker_hashes_are_renewed(weaker: str) -> None:
    """A hash that costs less to guess than a new one is made anew at today's cost, for the same password."""
    passwords = Passwords(threads=1)
    new = await passwords.renewed(weaker, "plover")
    assert new is not None
    assert new.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify(new, "plover", NOW) == 0
    assert await passwords.renewed(new, "plover") is None


@pytest.mark.parametrize("as_good", AS_GOOD, ids=["the same", "more"])
async def test_stronger_hashes_stay(as_good: str) -> None:
    """A hash that costs as much or more is left as it is."""
    assert await Passwords(threads=1).renewed(as_good, "plover") is None


async def test_what_no_text_is_can_be_renewed() -> None:
    """What another system hashed is kept anew whatever bytes it was."""
    passwords = Passwords(threads=1, hasher=PasswordHasher(2, 8, 1))
    for typed in ("\ud800 plover", "pa\u0301ssword", "x" * 1024):
        new = await passwords.renewed(CHEAP.hash(typed.encode(errors="surrogatepass")), typed)
        assert new is not None
        assert await passwords.verify(new, typed, NOW) == 0


async def test_a_judgement_waits_its_turn() -> None:
    """Judging a password takes its place in the pool like a check of one."""
    with pytest.raises(TimeoutError):
        await Passwords(threads=1, waiting_most=0, hasher=CHEAP).judge(
            "plover tangent", characters_min=8, strength_min=3, about=()
        )


@given(st.text(max_size=300), st.lists(st.text(max_size=80), max_size=4))
def test_every_text_has_a_strength(text: str, about: list[str]) -> None:
    """Whatever is typed, and whatever its owner is called, it is estimated."""
    found = strength(text, about)
    assert found.score in range(5)
    assert found.why


EXPENSIVE = ("a4@b8c({[<e3g69i1!|l17o0s$5t+7x%z2", "4@8({[<369!|1", "gl69i17", "p4$$w0rd|1!+7z2%")


@pytest.mark.parametrize("expensive", EXPENSIVE)
def test_the_work_is_bounded(expensive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However a password is spelled in signs, few spellings are looked up, each of forty characters at most."""
    from zxcvbn import matching  # noqa: PLC0415 - the library, to count what it does

    looked: list[int] = []
    dictionary_match = matching.dictionary_match

    def counting(password: str, *given: object, **known: object) -> object:
        looked.append(len(password))
        return dictionary_match(password, *given, **known)

    monkeypatch.setattr(matching, "dictionary_match", counting)
    strength(expensive * 20, ["alice"])
    assert len(looked) < 200
    assert max(looked) <= 40


def test_people_do_not_meet() -> None:
    """What is held against one person's password is not held against another's, though many are judged at once."""
    names = [f"zyx{number}wvut{number}qpo" for number in range(24)]
    alone = {name: strength(name, ()).score for name in names}
    with ThreadPoolExecutor(8) as pool:
        own = list(pool.map(lambda name: strength(name, [name]).score, names))
        others = list(pool.map(lambda name: strength(name, [names[0] + "x"]).score, names[1:]))
    assert own == [0] * 24
    assert others == [alone[name] for name in names[1:]]


async def judge(chosen: str, *, characters_min: int = 8, strength_min: int = 3) -> None:
    """Judge as a server would that has no file."""
    passwords = Passwords(threads=1, hasher=CHEAP)
    await passwords.judge(chosen, characters_min=characters_min, strength_min=strength_min, about=ALICE)
