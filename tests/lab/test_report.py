"""The report tells people and machines the same."""

from __future__ import annotations

import io
import json

from rich.console import Console
from tests.lab.telling import THIEF, step, told

from holdback.lab.report import exit_code, render, to_json

PASSED = told(step("0m", "owner", "session.start", repeat='{ times = 2, every = "1h" }'))
MISSED = told(
    THIEF,
    step("0m", "attacker", "exit.request", fields='kind = "withdrawal", usd = 0.5, address = "drop"', want='"allow"'),
    step("1m", "attacker", "policy.publish"),
    step("2m", "attacker", "allowlist.set", fields="on = true"),
)


def test_exit_code() -> None:
    """One miss anywhere is a failure of the whole run."""
    assert exit_code([]) == 0
    assert exit_code([PASSED, PASSED]) == 0
    assert exit_code([PASSED, MISSED]) == 1


def test_json() -> None:
    """Machines get one object that holds every answer."""
    body = json.loads(to_json([PASSED, MISSED]))
    assert body["passed"] is False
    assert [story["passed"] for story in body["stories"]] == [True, False]
    first = body["stories"][1]["steps"][0]
    assert (first["at"], first["who"], first["decision"], first["missed"]) == (0, "attacker", "hold", True)
    assert body["stories"][1]["not_available"] == ["policy.publish"]
    assert set(body["stories"][0]["measures"]) == {
        "stolen_usd",
        "notices_before_first_exit",
        "channels_noticed",
        "owner_delayed_hours",
        "owner_step_ups",
    }


def test_tables() -> None:
    """People see each answer once, repetitions folded, misses and what is not there yet under the table."""
    page = io.StringIO()
    Console(file=page, width=200).print(render([PASSED, MISSED]))
    text = page.getvalue()
    assert "session.start (2 times)" in text
    assert "hold (wanted allow)" in text
    assert "exit.request withdrawal 0.5 drop" in text
    assert "allowlist.set on" in text
    assert "missed: step 1" in text
    assert "cannot be judged yet: policy.publish" in text
    assert "passed under policy default" in text
    assert "MISSED under policy default" in text
