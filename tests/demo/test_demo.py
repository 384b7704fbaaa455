"""`holdback demo`: it tells its story from nothing, says when something is wrong, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from functools import partial
from io import StringIO
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from rich.console import Console

from holdback.demo.cast import STEP_S, Authenticator
from holdback.demo.processes import HOST, DemoFailed, choose_ports
from holdback.demo.telling import Teller
from holdback.demo.theatre import WENT_WRONG, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEADLINE_S: Final = 300.0
COMMAND: Final = (sys.executable, "-m", "holdback", "demo")

TOLD: Final = (
    "An ordinary day",
    "✓ The signer verified the receipt offline and paid.",
    "A thief in the exchange's own backend",
    "✓ REFUSED  KeyUnknown",
    "✓ REFUSED  ReceiptMismatch",
    "✓ REFUSED  ReceiptUsed",
    "✓ Not a coin has moved.",
    "Story C (June 2024)",
    "✓ STEP UP",
    "accepted: password + totp, nothing less",
    "✓ An authenticator is held, so nothing weaker is ever accepted.",
    "tries the door /sell",
    "usable from",
    "Alice gets a mail",
    "/freeze?t=",
    "✓ HOLD",
    "destination_new",
    "over_budget",
    "120 offers",
    "too_many_failures",
    "Alice presses the freeze link",
    "✓ Nothing has changed: one withdrawal waits.",
    "✓ Her account is frozen.",
    "✓ The thief's withdrawal is cancelled.",
    "frozen: ",
    "✓ Stolen from Alice: nothing. She has 2.95000000 BTC.",
    "Story A begins",
    "Bob gets a text message",
    "evidence_not_evaluated",
    "not_entitled",
    "session_required",
    "✓ Bob's phone, e-mail and authenticator are what they were.",
    "✓ His account is frozen.",
    "✓ Exchange answers at http://localhost:",
    "✓ Security Center answers at http://localhost:",
    "✓ Staff console answers at http://localhost:",
    "✓ Play the thief answers at http://localhost:",
    "checks of the story hold.",
)
"""What must be read in the story, in this order."""


def environment() -> dict[str, str]:
    """A terminal wide enough for whole sentences, on a machine whose settings point elsewhere."""
    return os.environ | {"COLUMNS": "200", "HOLDBACK_STORE": "postgresql://nowhere.invalid/x", "NO_COLOR": "1"}


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The demo, run to its end."""
    return subprocess.run(
        [*COMMAND, *arguments], env=environment(), capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )


@contextmanager
def staying(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A demo that stays up, and everything it printed until then."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell begins what it runs in the background
    try:
        process = subprocess.Popen([*COMMAND, *arguments], env=environment(), stdout=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    overdue = threading.Timer(DEADLINE_S, process.kill)
    overdue.start()
    try:
        printed: list[str] = []
        for line in process.stdout or ():
            printed.append(line.rstrip("\n"))
            if "Ctrl-C stops everything." in line:
                break
        yield process, printed
    finally:
        overdue.cancel()
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def ports_in(printed: list[str]) -> set[int]:
    """Where the demo's servers listen."""
    return {int(port) for port in re.findall(r"http://127\.0\.0\.1:(\d+)", "\n".join(printed))}


def mailbox_port(printed: list[str]) -> int:
    """Where letters can be read."""
    return next(int(found[1]) for line in printed if (found := re.match(r"  Mailbox .*:(\d+) ", line)))


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with closing(socket.socket()) as caller:
        return caller.connect_ex((HOST, port)) == 0


def wait_for_silence(ports: set[int]) -> None:
    """Return when nobody listens on any of these; fails if somebody goes on to."""
    deadline, pause = monotonic() + DEADLINE_S, threading.Event()
    while any(answers(port) for port in ports):
        assert monotonic() < deadline, "a server was left behind"
        pause.wait(0.05)


def test_the_story_is_told() -> None:
    """On an empty machine one command plays the whole story, and each of its claims holds."""
    played = demo("--once")

    assert played.returncode == 0, played.stdout + played.stderr
    assert "✗" not in played.stdout
    rest = played.stdout
    for line in TOLD:
        assert line in rest, f"{line!r} is not told in its place"
        rest = rest.partition(line)[2]


def test_it_stays_up_to_be_tried_by_hand_and_leaves_nothing() -> None:
    """Each printed command works as it stands, and an interrupt takes down every server and file."""
    with staying() as (process, printed):
        ports = ports_in(printed)
        assert len(ports) == 3
        assert all(answers(port) for port in ports)
        bash = shutil.which("bash")
        if bash and shutil.which("curl"):
            check_what_they_answer(typed(printed, bash))
        for line, place in (("Exchange", "/shop"), ("Security Center", "/center"), ("Staff console", "/console")):
            assert any(re.match(rf"  {line} +http://localhost:\d+{place}$", one) for one in printed)
        assert any(re.match(r"  Sign in as +carol@example.org, password 'carol likes", one) for one in printed)
        page = httpx.get(f"http://{HOST}:{mailbox_port(printed)}").text
        assert f'href="http://{HOST}' in page
        directory = printed[0].removeprefix("Setting up in ")
        process.send_signal(signal.SIGINT)

        assert process.wait(DEADLINE_S) == 0
        assert not any(answers(port) for port in ports)
        assert not os.path.exists(directory)  # noqa: PTH110 - it may be gone together with its parent


def typed(printed: list[str], bash: str) -> list[Any]:
    """What the printed lines answer when they are typed into a shell, one after the other."""
    turn = next(place for place, line in enumerate(printed) if line.startswith("Your turn"))
    lines = [line for line in printed[turn:] if line.startswith(("curl ", "code()"))]
    script = "\n".join(f"{line}\necho" if line.startswith("curl") else line for line in lines)
    ran = subprocess.run([bash, "-e"], input=script, capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    return [json.loads(line) for line in ran.stdout.splitlines() if line.strip()]


def check_what_they_answer(found: list[Any]) -> None:
    """Fail unless each command showed what its comment promises."""
    alice, events, asked, paid, added, carol, refused = found
    assert alice["freeze"] is not None
    assert events["items"]
    assert asked["decision"] == "step_up"
    assert paid["payment"]["amount"] == "0.05000000"
    assert added["decision"] in {"step_up", "allow"}  # the next code may not be there yet
    assert carol["balances"] == {"BTC": "2.95000000"}
    assert refused["error"] == "receipt_refused"


def test_its_servers_end_even_if_it_is_killed(tmp_path: Path) -> None:
    """A demo that is killed outright leaves no server running, and what it was to keep."""
    with staying("--dir", str(tmp_path / "kept")) as (process, printed):
        ports = ports_in(printed)
        assert all(answers(port) for port in ports)

        process.kill()

        wait_for_silence(ports)
    assert {"holdback.db", "exchange.db"} <= {path.name for path in (tmp_path / "kept").iterdir()}


def test_being_told_to_end_is_as_good_as_an_interrupt(tmp_path: Path) -> None:
    """A demo that is terminated while it sets the stage takes down what it had begun."""
    kept = tmp_path / "kept"
    command = [*COMMAND, "--dir", str(kept)]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        overdue = threading.Timer(DEADLINE_S, process.kill)
        overdue.start()
        first = process.stdout.readline() if process.stdout else ""

        process.terminate()
        rest = process.stdout.read() if process.stdout else ""
        overdue.cancel()

    assert first.startswith("Setting up")
    assert process.returncode == 130
    assert rest.endswith("Everything is stopped.\n")


def test_a_taken_port_is_named() -> None:
    """Where a port is taken the demo does not begin, and says which and what to do."""
    with closing(socket.create_server((HOST, 0))) as taken:
        port = taken.getsockname()[1]

        played = demo("--once", "--port", str(port))

    assert played.returncode == 2
    assert str(port) in played.stderr
    assert "--port" in played.stderr
    assert "Traceback" not in played.stderr


def test_all_ports_follow_the_first() -> None:
    """The five ports are those from the one that was named on, and none is used if one is taken."""
    with closing(socket.create_server((HOST, 0))) as taken:
        first = taken.getsockname()[1] - 2
        # One of the five is surely taken; a neighbour may be in use by another program and be named in its place.
        with pytest.raises(DemoFailed, match=r"port ({}|{}|{}|{}|{}) is taken".format(*range(first, first + 5))):
            choose_ports(first)

    assert len(set(choose_ports(0))) == 5


def test_an_old_directory_is_left_alone(tmp_path: Path) -> None:
    """A directory that holds something is not written into."""
    (tmp_path / "holdback.db").write_text("mine")

    played = demo("--once", "--dir", str(tmp_path))

    assert played.returncode == 2
    assert "not empty" in played.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["holdback.db"]


def test_a_story_that_goes_wrong_is_not_praised() -> None:
    """A decision, a reason, a refusal, a letter or a claim that is not as it must be makes the demo fail."""
    printed = StringIO()
    teller = Teller(Console(file=printed, width=200))
    deny = {"decision": "deny", "reasons": [{"code": "frozen", "text": "Frozen."}]}

    teller.answered(deny, "deny", "frozen")
    assert verdict(teller) == 0
    teller.answered(deny, "allow")
    teller.answered(deny, "deny", "over_budget")
    teller.answered({"error": "unreachable", "detail": "no answer"}, "deny")
    teller.refused({"paid": True}, "ReceiptForged")
    teller.letter(None, "Alice")
    teller.must("Nothing was stolen.", holds=False)

    assert verdict(teller) == WENT_WRONG
    assert "6 of 7 checks failed" in printed.getvalue()


def test_an_authenticator_shows_no_code_twice() -> None:
    """Each code asked of the demo's authenticator is another, and one that a server would take at that time."""
    begins = 1_700_000_010.0
    for into_the_step, steps in ((5.0, (-1, 0, 1)), (25.0, (0, 1))):
        now = begins + into_the_step
        app = Authenticator("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", clock=partial(float, now))

        codes = [app.code() for _ in steps]

        assert codes == [app.code_at(now + step * STEP_S) for step in steps]
