"""The house's rules of style, as programs. Each comes with samples that it must refuse, so that no rule is asleep."""

from __future__ import annotations

import ast
import io
import os
import re
import socket
import sys
import tokenize
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

import holdback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT: Final = Path(__file__).parents[2]

REFUSED_LINES: Final = 100
LONG_LINES: Final = 40

LONG: Final[dict[str, str]] = {
    "src/holdback/wording/happened.py::event_line": "the same: one case for each kind of event",
    "src/holdback/core/state.py::_head": "one case for each kind of event, so that the type checker sees a missing one",
}
"""Functions over 40 lines, `path::name`, each with its reason. Only a reason adds one; one that shrank must go."""

SHALLOW_NAMES: Final = {"util", "utils", "helper", "helpers", "manager", "managers", "common", "misc"}
"""They say that things lie together, not what they are."""

NOT_REPEATABLE: Final = {"open", "print", "input", "hash", "id", "now", "today", "utcnow"}
"""Calls whose answer, or effect, is not the same everywhere; `hash` and `id` differ from process to process."""


class Rule(NamedTuple):
    """A check of one file's text, where it holds, and texts that it must refuse and accept."""

    check: Callable[[str], Iterator[str]]
    where: tuple[str, ...]
    refuses: tuple[str, ...]
    accepts: tuple[str, ...]


def comments(text: str) -> Iterator[tuple[int, str]]:
    """Every comment of a Python program, by line; or every line of anything else."""
    try:
        ast.parse(text)
    except SyntaxError:
        yield from enumerate(text.splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def functions(node: ast.AST, owner: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function of a program with its full name, nested ones too."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{owner}{child.name}", child
        inner = child.name + "." if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else ""
        yield from functions(child, owner + inner)


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its decorators and docstring."""
    whole = (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function) is None:
        return whole
    docstring = function.body[0]
    return whole - ((docstring.end_lineno or 0) - docstring.lineno + 1)


def no_promises(text: str) -> Iterator[str]:
    """What is left to do is an issue, not a comment."""
    for line, comment in comments(text):
        if re.search(r"\b(TODO|FIXME|XXX)\b", comment):
            yield f"{line}: {comment.strip()}"


def reasons_for_suppressions(text: str) -> Iterator[str]:
    """A check is silenced only with the reason behind it, on the same line."""
    for line, comment in comments(text):
        for found in re.finditer(r"#\s*(noqa|type: ?ignore|pragma: ?no (?:cover|branch))", comment):
            silenced = re.match(r"(\[[\w, -]*\]|:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*)?", comment[found.end() :])
            rest = comment[found.end() + (silenced.end() if silenced else 0) :]
            if not re.match(r"\s+[-#—]\s*[^#\s]\S*\s+[^#\s]", rest):
                yield f"{line}: {comment}"


def no_places_of_one_machine(text: str) -> Iterator[str]:
    """Nothing knows where it was written."""
    for line, words in enumerate(text.splitlines(), 1):
        if re.search(r"(?<![\w.~/}*])/((work|root|tmp)\b|(home|opt|Users)/\w)", words):
            yield f"{line}: {words.strip()}"


def one_sentence_a_test(text: str) -> Iterator[str]:
    """A test's docstring is the rule it tests, in one sentence."""
    for name, function in functions(ast.parse(text)):
        if function.name.startswith("test_"):
            rule = " ".join((ast.get_docstring(function) or "").split())
            if not re.fullmatch(r"[^a-z\s].*[.]", rule) or re.search(r"[.!?] [A-Z]", rule):
                yield f"{function.lineno}: {name}: {rule or 'no docstring'}"


def no_sleep(text: str) -> Iterator[str]:
    """A test waits for a fact, never for time to pass."""
    for node in ast.walk(ast.parse(text)):
        call = ast.unparse(node) if isinstance(node, ast.Call) else ""
        if re.match(r"(\w+\.)*sleep\((?!0\))", call):
            yield call


def repeatable(text: str) -> Iterator[str]:
    """The core knows the standard library and msgspec, and calls nothing that answers differently tomorrow."""
    tree = ast.parse(text)
    # A set or a dictionary asks for the hash, and its answer goes no further.
    hashes = [inner for name, function in functions(tree) if name.endswith("__hash__") for inner in ast.walk(function)]
    for node in ast.walk(tree):
        imported: list[str] = []
        if isinstance(node, ast.Import):
            imported = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            imported = [f"{node.module}.{one.name}" for one in node.names]
        elif isinstance(node, ast.Call) and node not in hashes:
            name = ast.unparse(node.func).rpartition(".")[2]
            if name in NOT_REPEATABLE:
                yield f"{node.lineno}: {ast.unparse(node)}"
        for name in imported:
            if not (name.startswith("holdback.core") or name.split(".")[0] in {*sys.stdlib_module_names, "msgspec"}):
                yield f"imports {name}"


PROGRAMS: Final = ("src/**/*.py", "tests/**/*.py")
TEXTS: Final = (*PROGRAMS, "*.md", "*.toml", "docs/**/*.md", "src/**/*.sql", "src/**/*.html", "src/**/*.toml")
SCRIPTS: Final = ("Makefile", "scripts/*", ".ci/*")

RULES: Final = {
    rule.check.__name__: rule
    for rule in (
        Rule(
            no_promises,
            (*TEXTS, *SCRIPTS, "playbooks/**/*"),
            refuses=("# TODO: later", "x = 1  # FIXME", "a plan with an XXX in it"),
            accepts=("mask = 'XXX'", "# nothing left"),
        ),
        Rule(
            reasons_for_suppressions,
            PROGRAMS,
            refuses=(
                "x = 1  # noqa",
                "x = 1  # noqa: S105",
                "x = 1  # noqa: S105, E501 - ok",
                "x = y()  # type: ignore[no-any-return]",
                "x = 1  # pragma: no cover",
                "x = 1  # type: ignore[misc]  # noqa: E501",
            ),
            accepts=(
                "x = 1  # noqa: S105 - the name of a kind",
                "x = 1  # noqa: S105, E501  # the name of a kind",
                "x = y()  # type: ignore[no-any-return]  # its stubs say so",
                "x = 1  # pragma: no cover - another system's branch",
                "text = '# noqa'",
            ),
        ),
        Rule(
            no_places_of_one_machine,
            (*TEXTS, *SCRIPTS),
            refuses=(f"open('{os.sep}work/x')", f"cd {os.sep}root", f"x = '{os.sep}tmp'", f"see {os.sep}home/me"),
            accepts=("tmp_path / 'work'", "https://example.org/work", "Route('/workers')", "Route('/home')"),
        ),
        Rule(
            one_sentence_a_test,
            ("tests/**/test_*.py",),
            refuses=(
                "def test_it(): pass",
                "async def test_it():\n    'It holds. Always.'",
                "class TestIt:\n    def test_it(self):\n        'no sentence'",
            ),
            accepts=(
                "def test_it():\n    'It holds.'",
                "def test_it():\n    'It holds,\\n    always.'",
                "def it(): pass",
            ),
        ),
        Rule(
            no_sleep,
            ("tests/**/*.py",),
            refuses=("time.sleep(1)", "await asyncio.sleep(0.1)", "sleep(delay)", "anyio.sleep(delay=1)"),
            accepts=("await asyncio.sleep(0)", "sleeper(1)"),
        ),
        Rule(
            repeatable,
            ("src/holdback/core/**/*.py",),
            refuses=(
                "import structlog",
                "from holdback import ports",
                "from holdback.store import sqlite",
                "datetime.now(UTC)",
                "bucket = hash(name) % 8",
            ),
            accepts=(
                "import msgspec, hashlib",
                "from holdback.core.events import Event",
                "policy.hash_of(event)",
                "class A:\n    def __hash__(self): return hash(self.b)",
            ),
        ),
    )
}


def files(*patterns: str) -> list[Path]:
    """What the patterns name in this repository, tools' leavings aside."""
    found = {path for pattern in patterns for path in ROOT.glob(pattern)}
    return sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)


@pytest.mark.parametrize("name", RULES)
def test_each_rule_is_awake(name: str) -> None:
    """Each rule refuses the samples it must refuse and accepts those it must accept."""
    rule = RULES[name]

    assert [sample for sample in rule.refuses if not list(rule.check(sample))] == []
    assert [sample for sample in rule.accepts if list(rule.check(sample))] == []


@pytest.mark.parametrize("name", RULES)
def test_the_house_keeps_each_rule(name: str) -> None:
    """Every file that a rule is about keeps it."""
    rule = RULES[name]

    offences = [
        f"{path.relative_to(ROOT)}:{offence}" for path in files(*rule.where) for offence in rule.check(path.read_text())
    ]

    assert offences == [], rule.check.__doc__


def test_length_is_measured() -> None:
    """A function's length counts its signature and body, and neither docstring nor decorators."""
    lines = ("class A:", " @b", " def c(self):", "  '''One.", "", "  Two.'''", "  def d():", "   pass", "  return d")
    text = "\n".join(lines)

    measured = {name: length(function) for name, function in functions(ast.parse(text))}

    assert measured == {"A.c": 4, "A.c.d": 2}


def test_functions_stay_short() -> None:
    """No function is over 100 lines, and each over 40 has its reason in the table, as long as it is that long."""
    measured = {
        f"{path.relative_to(ROOT).as_posix()}::{name}": length(function)
        for path in files(*PROGRAMS)
        for name, function in functions(ast.parse(path.read_text()))
    }

    assert {name: lines for name, lines in measured.items() if lines > REFUSED_LINES} == {}
    over = {name: lines for name, lines in measured.items() if lines > LONG_LINES}
    assert {name: lines for name, lines in over.items() if name not in LONG} == {}, (
        "give a reason in LONG, or split by idea"
    )
    assert sorted(LONG.keys() - over.keys()) == [], "no longer long: take them off LONG"
    assert [name for name, reason in LONG.items() if " " not in reason] == [], "a reason has more than one word"


def shallow(path: str) -> bool:
    """Whether a path has a name that says nothing."""
    return any(word in SHALLOW_NAMES for part in Path(path).parts for word in re.split(r"[\W_]+", part.lower()))


def test_names_say_what_is_inside() -> None:
    """No file or directory is called by a name that fits anything."""
    assert [sample for sample in ("core/utils.py", "misc/a.py", "mail_helpers.py") if not shallow(sample)] == []
    assert not shallow("core/commons_budget.py")
    here = [path.relative_to(ROOT).as_posix() for path in files("src/**/*", "tests/**/*", "docs/**/*")]

    assert [path for path in here if shallow(path)] == []


def test_one_version() -> None:
    """The package and its metadata name the same version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert holdback.__version__ == project["version"]


def test_no_network() -> None:
    """A test that reaches for another machine fails before a packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as away, pytest.raises(PermissionError):
        away.connect(("192.0.2.1", 9))
    with pytest.raises(PermissionError):
        socket.getaddrinfo("holdback.invalid", 443)
