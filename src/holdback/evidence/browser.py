"""Which program speaks, by its user agent: system, family and major version, and the whole of it.

Anybody can send any user agent. That a sign-in looks like the owner's browser proves nothing; that it does not is worth
knowing. Which rules tell programs apart is ua-parser's, whose matcher works in linear time.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import ua_parser

READ_MOST: Final = 512
"""Characters of a user agent that are looked at."""


class Browsers:
    """Reads user agents. Example: `Browsers().program("Mozilla/5.0 ... Firefox/126.0")`."""

    def program(self, user_agent: str) -> tuple[str, str, str]:
        """System, family with major version, and the text itself; "" for what it does not tell."""
        return _program(user_agent[:READ_MOST])


@lru_cache(maxsize=4096)
def _program(text: str) -> tuple[str, str, str]:
    told = ua_parser.parse(text)
    system = told.os.family if told.os else ""
    family = f"{told.user_agent.family} {told.user_agent.major or ''}".strip() if told.user_agent else ""
    return system, family, text
