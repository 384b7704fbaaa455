"""`holdback demo`: a theft played against a running Holdback and a small exchange, all on this machine.

`theatre` sets the stage and takes it down, `past` lives through the customers' earlier days, `story` is what the thief
tries and what he meets, `mailbox` is where the owners are told, and `telling` is how it is printed. On `panel` visitors
play the `incidents` themselves: `robberies` keeps theirs.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

IMPOSSIBLE = 2
"""Exit status when the demo could not be played."""


def run(*, once: bool = False, directory: Path | None = None, port: int = 0) -> int:
    """Play the story and stay up; the exit status. `once` ends after the story, with 1 if it did not go as it must.

    Everything is kept in `directory`, or in a folder that is removed. `port` is the first of five ports; free ones are
    taken if it is 0.
    """
    if find_spec("aiosmtpd") is None:
        sys.stderr.write("the demo's mailbox needs the extra `demo`: pip install 'holdback[demo]'\n")
        return IMPOSSIBLE
    from holdback.demo import theatre  # noqa: PLC0415 - without the extra, the other commands must work all the same

    return theatre.play(once=once, directory=directory, port=port)
