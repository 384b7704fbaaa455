"""What is said in English can be said again in each other language, with the same values, and nothing is left out."""

from __future__ import annotations

import ast
import re
import string
from importlib import resources
from typing import TYPE_CHECKING, Final, NamedTuple, get_args, get_type_hints

import pytest
from msgspec import msgpack
from tests.core.everything import EVERY
from tests.core.histories import POLICY, grown
from tests.wording.test_asked import opened as opened_there
from tests.wording.test_wording import AT, KINDS, VARIANTS, decided, event, head, opened

from holdback.core import policy
from holdback.core.breaker import SCOPES
from holdback.core.decision import Reason
from holdback.core.disclosure import FREEZE_ORDER, GIVES_AWAY, REACHES
from holdback.core.effects import EFFECTS
from holdback.core.events import DAY, Channel, Role, Scope
from holdback.core.evidence import EVIDENCE, SIGNATURE
from holdback.core.rules.staff import LEGAL_REQUEST, StaffLookUp
from holdback.wording.asked import asked_line
from holdback.wording.happened import event_line
from holdback.wording.reasons import SENTENCES
from holdback.wording.said import Said, capital, catalogue, in_words, listed, said, sentences, term
from holdback.wording.words import day_text, money

if TYPE_CHECKING:
    from collections.abc import Iterator

LANGUAGES: Final = sorted(
    one.name.removesuffix(".json") for one in (resources.files("holdback.wording") / "locale").iterdir()
)


class Plain(NamedTuple):
    """A language that writes instants and amounts as machines do, so that tests read them."""

    said: dict[str, str]

    def say(self, sentence: str) -> str:
        """From the catalogue, which has all of it."""
        return self.said[sentence]

    def moment(self, at: int) -> str:
        """In milliseconds."""
        return f"<{at}>"

    def dollars(self, cents: int) -> str:
        """In cents."""
        return f"<{cents}c>"


class Patient(Plain):
    """The same, English where the catalogue has nothing: for names that are no words of ours."""

    def say(self, sentence: str) -> str:
        """As pages do."""
        return self.said.get(sentence, sentence)


def templates() -> Iterator[tuple[str, str]]:
    """Every template in the source, with where it stands; what puts things side by side is one, too."""
    for file in (resources.files("holdback.wording")).iterdir():
        if file.name.endswith(".py") and file.name != "said.py":
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    yield from _of_call(node, node.func.id, f"{file.name}:{node.lineno}")


def _of_call(call: ast.Call, name: str, where: str) -> Iterator[tuple[str, str]]:
    found = {"said": call.args[:1], "listed": call.args[1:]}.get(name, [])
    for one in found:
        assert isinstance(one, ast.Constant), f"{where}: a template is written out, or no catalogue could have it"
        yield str(one.value), where


def words() -> set[str]:
    """The words of closed sets, by the name that an event has for each."""
    spelt = {*EVIDENCE, *GIVES_AWAY, *REACHES, FREEZE_ORDER, *SCOPES}
    spelt |= {effect.about for effect in EFFECTS.values() if effect.about} | {"cool_off"}
    fields = get_args(get_args(get_type_hints(StaffLookUp)["fields"])[0])
    raw = {*fields, SIGNATURE} - {LEGAL_REQUEST}
    raw |= {*Scope, *Role, *Channel, "buy", "sell", *POLICY.exits, *policy.NETWORKS} - {"*"}
    raw |= {str(kind.__struct_config__.tag) for kind, effect in EFFECTS.items() if effect.notice or effect.cools}
    return {one.replace("_", " ") for one in spelt} | raw


WANTED: Final = {text for text, _ in templates()} | words() | set(SENTENCES.values()) | {", ", " "}


def places(template: str) -> list[str]:
    """The names of what stands in a template."""
    return sorted(name for _, name, _, _ in string.Formatter().parse(template) if name is not None)


def tongue(language: str = "zh") -> Plain:
    """A language that knows what its catalogue has, and nothing else."""
    return Plain(catalogue(language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_has_everything_that_can_be_said(language: str) -> None:
    """Each template, word and reason has its counterpart in each language, with the same values, and nothing else."""
    known = catalogue(language)
    assert sorted(WANTED - known.keys()) == []
    assert sorted(known.keys() - WANTED) == []
    for english, other in known.items():
        assert places(english) == places(other), english
        assert english == " " or other.strip(), english


def test_a_catalogue_speaks_its_language() -> None:
    """What is said in Chinese has Chinese letters in it, but for what is the same in both."""
    same = {"iPhone", "iPad", "{network} {hash}"}
    plain = [other for other in catalogue("zh").values() if not re.search(r"[\u3000-\uffef]", other)]
    assert {one for one in plain if one} <= same


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("known", [True, False])
def test_every_event_is_said_again(kind: type, known: bool) -> None:  # noqa: FBT001 - one of two cases
    """The line of each event is said in Chinese, its instants and amounts written anew, none of them twice."""
    line = event_line(event(kind), opened, head() if known else None)
    assert isinstance(line, Said)
    again = line.again(Patient(catalogue("zh")))
    assert again.endswith("。")
    assert not re.search(r"[A-Za-z]{3,} [a-z]+ [a-z]+|UTC|\$\d+\.", again), again
    assert len(re.findall(r"UTC", line)) == len(re.findall(r"<\d+>", again))


@pytest.mark.parametrize("one", [one for one, _ in VARIANTS])
def test_what_an_event_carries_is_said_again(one: object) -> None:
    """Every way to tell an event has its words."""
    again = in_words(event_line(one, opened, head()), Patient(catalogue("zh")))  # type: ignore[arg-type] # an event
    assert not re.search(r"[a-z]{2,} [a-z]{2,} [a-z]{2,}", again), again


@pytest.mark.parametrize("name", EVERY)
def test_what_is_asked_is_said_again(name: str) -> None:
    """What a proof confirms is said in Chinese with the same amount and address."""
    account, _ = grown()
    line = asked_line(EVERY[name], opened_there, account.everything())
    again = in_words(line, Patient(catalogue("zh")))
    assert bool(again) is bool(line)
    if again:
        assert re.search(r"[\u4e00-\u9fff]", again)
        assert again.endswith("。")


def test_values_stand_where_the_language_has_them() -> None:
    """Values are said in the language, too, wherever it puts them; instants and amounts are its own."""
    one = said(
        "Between {first} and {last} {tries} failed{places}.", first=day_text(AT), last="b", tries=term("on"), places=""
    )
    assert one == "Between 21 Nov 2026, 10:48 UTC and b on failed."
    assert in_words(one, tongue()) == f"<{AT - AT % 60_000 + 60_000}> 至 b 之间有开启失败。"
    assert in_words(money(15_000_495_000), tongue()) == "<1500050c>"


def test_somebody_elses_braces_are_no_template() -> None:
    """A name that looks like a template is a name, in every language."""
    one = said("remove {name}", name="{name} {0}")
    assert one == "remove {name} {0}"
    assert in_words(one, tongue()) == "移除 {name} {0}"


def test_pieces_are_put_together_in_the_language() -> None:
    """Lists, sentences in a row and a sentence's first letter are each language's own."""
    three = sentences(said("A session was ended."), "", said("The account was unfrozen."))
    assert three == "A session was ended. The account was unfrozen."
    assert in_words(three, tongue()) == "一个会话已结束。账户已解冻。"
    assert in_words(listed(["a", term("none")], " and "), tongue()) == "a和无"
    assert capital(said("sign in")) == "Sign in"
    assert in_words(capital(said("sign in")), tongue()) == "登录"
    assert capital("dana") == "Dana"
    assert in_words(7, tongue()) == "7"


def test_words_are_plain_text_for_encoders() -> None:
    """`str()` of what was said is the English sentence and nothing else."""
    plain = str(event_line(event(KINDS[1]), opened, None, decided("account.import")))
    assert type(plain) is str
    assert msgpack.encode(plain)


def test_every_reason_is_said_in_every_language() -> None:
    """A reason is looked up by its sentence."""
    for language in LANGUAGES:
        known = catalogue(language)
        assert len({known[SENTENCES[reason]] for reason in Reason}) == len(Reason)


def test_until_is_said() -> None:
    """The instant that a sentence names is the one that the language writes."""
    assert in_words(day_text(AT + DAY), tongue()) == f"<{AT - AT % 60_000 + 60_000 + DAY}>"
