"""Short stories for these tests: a plain account, to which each test adds what it is about."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from holdback.core.policy import Policy
from holdback.lab.playbooks import parse
from holdback.lab.player import play_story

if TYPE_CHECKING:
    from holdback.lab.report import StoryResult

_NUMBERS: Final[dict[str, Any]] = tomllib.loads((files("holdback") / "policies" / "default.toml").read_text())

DEFAULT: Final = Policy.parse(_NUMBERS)


def policy(name: str, **tables: dict[str, Any]) -> Policy:
    """The default policy with some numbers of some tables changed."""
    return Policy.parse(_NUMBERS | {"name": name} | {key: _NUMBERS[key] | table for key, table in tables.items()})


def closing(kind: str) -> Policy:
    """The default policy with one kind of exit closed."""
    return Policy.parse(_NUMBERS | {"exits": {key: on for key, on in _NUMBERS["exits"].items() if key != kind}})


HEAD: Final = """
id = "a-story"
title = "A story"
"""
ACCOUNT: Final = """
[account]
opened = "-400d"
equity_usd = 100_000
authenticators = ["password", "totp"]
contacts = ["email", "sms", "push"]
"""
LAPTOP: Final = """
[[account.devices]]
name = "laptop"
first_seen = "-300d"
"""
COLD: Final = """
[[account.address_book]]
name = "cold"
network = "bitcoin"
added = "-200d"
last_used = "-20d"
"""
THIEF: Final = """
[attacker]
holds = ["password", "totp"]
device = "new"
"""


def step(at: str, by: str, do: str, **rest: str) -> str:
    """One step as TOML; what `with` holds is given as `fields`, all else by its key."""
    fields = rest.pop("fields", "")
    given = f"with = {{ {fields} }}\n" if fields else ""
    others = "".join(f"{key} = {value}\n" for key, value in rest.items())
    return f'[[step]]\nat = "{at}"\nby = "{by}"\ndo = "{do}"\n{given}{others}'


def told(*parts: str, account: str = ACCOUNT + LAPTOP + COLD, under: Policy = DEFAULT) -> StoryResult:
    """Play a story made of these parts."""
    return play_story(parse("\n".join([HEAD, account, *parts]), "story.toml"), under)
