"""The format: what is not in it is refused, with the file, the step and the key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.lab.telling import ACCOUNT, COLD, HEAD, LAPTOP, THIEF, step

from holdback.core import decide
from holdback.core.events import DAY, HOUR, MINUTE
from holdback.intake import INTERNAL
from holdback.lab.durations import Ago, Never, Span, parsed, spoken
from holdback.lab.playbooks import ACTIONS, PlaybookError, parse, read

if TYPE_CHECKING:
    from pathlib import Path

WRONG = {
    "not TOML": ("id = ", "story.toml: "),
    "unknown key at the top": (HEAD + "colour = 1" + ACCOUNT, "story.toml: `colour`: unknown key"),
    "no account": (HEAD, "story.toml: `account`: missing"),
    "unknown key in a table": (HEAD + ACCOUNT + "owner_name = 1", "account: `owner_name`: unknown key"),
    "missing key": (HEAD + "[account]", "account: `opened`: missing"),
    "unknown authenticator": (HEAD + ACCOUNT.replace("totp", "fax"), "account: `authenticators[1]`: "),
    "a duration that is none": (HEAD + ACCOUNT.replace("-400d", "-400 days"), "account: `opened`: "),
    "a past in the future": (HEAD + ACCOUNT.replace("-400d", "400d"), "account: `opened`: "),
    "a duration without quotes": (HEAD + ACCOUNT.replace('"-400d"', "-400"), "account: `opened`: "),
    "older than the account": (
        HEAD + ACCOUNT + COLD.replace("-200d", "-500d"),
        "account: address_book `cold`: `added`: before the account was opened",
    ),
    "used before it was added": (
        HEAD + ACCOUNT + COLD.replace('"-20d"', '"-300d"'),
        "account: address_book `cold`: `last_used`: before it was added",
    ),
    "verified before it was added": (
        HEAD + ACCOUNT + COLD + 'verified = "-300d"',
        "account: address_book `cold`: `verified`: before it was added",
    ),
    "a habit of minutes": (
        HEAD + ACCOUNT + 'usual_withdrawal_usd = 5\nusual_every = "5m"',
        "account: `usual_every`: less than an hour is no habit",
    ),
    "unknown capability": (HEAD + ACCOUNT + THIEF.replace("totp", "luck"), "attacker: `holds[1]`: "),
    "unknown device": (HEAD + ACCOUNT + THIEF.replace("new", "fridge"), "attacker: `device`: the owner has no device"),
    "unknown key in a step": (HEAD + ACCOUNT + step("0m", "owner", "session.start", wish="1"), "step 1: `wish`: "),
    "unknown actor": (HEAD + ACCOUNT + step("0m", "ghost", "session.start"), "step 1: `by`: "),
    "unknown action": (
        HEAD + ACCOUNT + step("0m", "owner", "session.begin"),
        "step 1: `do`: there is no action `session.begin`",
    ),
    "unknown field": (
        HEAD + ACCOUNT + step("0m", "owner", "session.start") + step("1m", "owner", "session.end", fields="all = true"),
        "step 2 (session.end): with: `all`: unknown key",
    ),
    "unknown kind of exit": (
        HEAD + ACCOUNT + step("0m", "owner", "exit.request", fields='kind = "balloon", usd = 1'),
        "step 1 (exit.request): with: `kind`: ",
    ),
    "two destinations": (
        HEAD
        + ACCOUNT
        + step("0m", "owner", "exit.request", fields='kind = "gift", usd = 1, address = "a", counterparty = "b"'),
        "step 1 (exit.request): `with.counterparty`: ",
    ),
    "unknown account": (
        HEAD + ACCOUNT + step("0m", "owner", "session.start", account='"sub-1"'),
        "step 1 (session.start): `account`: there is no account `sub-1`",
    ),
    "unknown key name": (
        HEAD + ACCOUNT + step("0m", "owner", "order.place", via='"k"', fields='pair = "A/B", side = "buy", usd = 1'),
        "step 1 (order.place): `via`: there is no API key `k`",
    ),
    "a transfer to somebody else": (
        HEAD + ACCOUNT + '[[received]]\nsender = "a"\nusd = 1\nto = "b"',
        "received from `a`: `to`: only what is lost by a trade goes to another account",
    ),
    "unknown id": (
        HEAD + ACCOUNT + step("0m", "owner", "exit.cancel", fields='which = "x"'),
        "step 1 (exit.cancel): `with.which`: no earlier step has the id `x`",
    ),
    "an id twice": (
        HEAD + ACCOUNT + step("0m", "owner", "session.start", id='"a"') * 2,
        "step 2 (session.start): `id`: `a` is taken",
    ),
    "no repetition at all": (
        HEAD + ACCOUNT + step("0m", "owner", "session.start", repeat='{ times = 0, every = "1m" }'),
        "step 1: `repeat.times`: ",
    ),
    "unknown wish": (HEAD + ACCOUNT + step("0m", "owner", "session.start", want='"luck"'), "step 1: `want`: "),
    "unknown measure": (HEAD + ACCOUNT + "[expect]\nfun = 1", "expect: `fun`: unknown key"),
    "unknown bound": (HEAD + ACCOUNT + "[expect]\nstolen_usd = { most = 1 }", "expect: `stolen_usd.most`: unknown key"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(case: str) -> None:
    """A story that says what the format does not know is refused with the file, the step and the key."""
    text, message = WRONG[case]
    with pytest.raises(PlaybookError) as refused:
        parse(text, "story.toml")
    assert message in str(refused.value)
    assert str(refused.value).startswith("story.toml: ")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A story that cannot be read is refused by the file's name."""
    with pytest.raises(PlaybookError, match="nowhere"):
        read(tmp_path / "nowhere.toml")


def test_defaults() -> None:
    """What a story leaves out is what the format says."""
    story = parse(HEAD + ACCOUNT + COLD + step("3h", "owner", "session.start"), "story.toml")
    assert story.account.usual_every == 30 * DAY
    assert story.account.address_book[0].verified is None
    assert story.owner.reacts_after == -1
    assert story.horizon == 3 * HOUR + 14 * DAY


def test_the_horizon_follows_the_last_repetition() -> None:
    """By default a story runs for 14 days after the last thing that happens in it."""
    twice = step("3h", "owner", "session.start", repeat='{ times = 3, every = "2h" }')
    assert parse(HEAD + ACCOUNT + twice, "story.toml").horizon == 7 * HOUR + 14 * DAY


def test_every_action_can_be_told() -> None:
    """A step can do every action of the catalogue, and nothing that only Holdback itself does."""
    judged = {str(kind.__struct_config__.tag) for kind in decide.RULES if kind not in INTERNAL}
    assert set(ACTIONS) == judged | decide.PLANNED


def test_laptop_is_part_of_the_format() -> None:
    """A device needs a name and when it was first seen; where it is may be left out."""
    assert parse(HEAD + ACCOUNT + LAPTOP, "story.toml").account.devices[0].country == ""


@pytest.mark.parametrize(
    ("text", "length"),
    [("90s", 90_000), ("15m", 15 * MINUTE), ("26h", 26 * HOUR), ("3d", 3 * DAY), ("24h5m", 24 * HOUR + 5 * MINUTE)],
)
def test_durations(text: str, length: int) -> None:
    """Durations are numbers of days, hours, minutes and seconds, and sums of them."""
    assert parsed(Span, text) == length
    assert parsed(Ago, f"-{text}") == -length
    assert parsed(Span, spoken(length)) == length


def test_never() -> None:
    """Who never reacts does so after -1 ms; nothing else may be negative there."""
    assert parsed(Never, "never") == -1
    with pytest.raises(ValueError, match="not a duration"):
        parsed(Never, "-1d")


def test_now_is_no_time_ago() -> None:
    """The past may reach up to t0 itself, and an empty duration is shown as one."""
    assert parsed(Ago, "0m") == 0
    assert spoken(0) == "0m"
    assert spoken(-25 * DAY) == "-25d"
