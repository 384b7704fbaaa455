"""The tutorial is typed as it stands, and answers as it says."""

from __future__ import annotations

import doctest
import os
import re
import socket
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "tutorial" / "first-hour.md"
LATER: Final = "## Three days later"
LATER_S: Final = 73 * 3600
DEADLINE_S: Final = 300
TYPED: Final = re.compile(r"^```(console|pycon)\n(.*?)^```$|^(## [^\n]*)$", re.DOTALL | re.MULTILINE)
STOP: Final = "kill $servers; wait; servers="


class Step(NamedTuple):
    """A line for the shell, and what it must print; None where somebody else looks at that."""

    command: str
    expected: str | None


def free_ports() -> tuple[str, str]:
    """Two ports that nobody listens on."""
    with ExitStack() as stack:
        found = [stack.enter_context(closing(socket.create_server(("127.0.0.1", 0)))) for _ in range(2)]
        first, second = (str(one.getsockname()[1]) for one in found)
    return first, second


def steps(page: str, place: Path) -> Iterator[Step]:
    """What is typed, in order. A session of python becomes a doctest; from `LATER` on clocks are three days ahead."""
    begun: list[str] = []
    session, ahead, number = "", "", 0
    for kind, text, heading in [*TYPED.findall(page), ("", "", "## end")]:
        if kind == "pycon":
            session += text + "\n"
            continue
        if session:
            number += 1
            file = place / f"session-{number}.txt"
            file.write_text(session)
            yield Step(f"python {ahead or '-m'} doctest -o ELLIPSIS {file} && echo right", "right\n")
            session = ""
        if heading == LATER:
            ahead = f"-m tests.browser.ahead {LATER_S}"
            yield Step(STOP, None)
            yield from (Step(one.replace("holdback serve", "holdback serve --ahead 73h"), None) for one in begun)
        for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE):
            serves = command.endswith("&")
            line = f'{command} servers="$servers $!"' if serves else command
            if serves or command.startswith("curl"):
                begun.append(line)
            yield Step(line.replace("make demo", "holdback demo --once"), expected)
    yield Step(STOP, None)


def test_the_tutorial_is_right(tmp_path: Path) -> None:
    """Each line of the first hour, typed in order on an empty machine, answers what the page says."""
    api, smtp = free_ports()
    typed = list(steps(PAGE.read_text().replace("8400", api).replace("8025", smtp), tmp_path))
    script = "".join(
        f"printf '\\n@@ {place}\\n'\n{arrived(one.command)}{one.command}\n" for place, one in enumerate(typed)
    )
    mine = {name: value for name, value in os.environ.items() if not name.startswith("HOLDBACK_")}
    environ = mine | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
        "COLUMNS": "200",
        "NO_COLOR": "1",
    }
    ran = subprocess.run(
        # `timeout` ends what bash began, too.
        ["timeout", str(DEADLINE_S), "bash"],  # noqa: S607 - what is on the path is what a reader types
        input="servers=\n" + script,
        cwd=tmp_path,
        env=environ,
        text=True,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said = re.split(r"^@@ \d+\n", ran.stdout, flags=re.MULTILINE)[1:]
    assert {one.command.split()[0] for one in typed} >= {"holdback", "curl", "python"}
    checker = doctest.OutputChecker()
    wanted = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    for one, got in zip(typed, said, strict=True):
        assert one.expected is None or checker.check_output(one.expected, got, wanted), f"{one.command}\n{got}"


def arrived(command: str) -> str:
    """What is typed by hand comes later than the mails; a script waits for them."""
    if "mails.txt" not in command or command.startswith("python"):
        return ""
    return "timeout 60 grep -q -m1 'new device' <(tail -n +1 -f mails.txt)\n"
