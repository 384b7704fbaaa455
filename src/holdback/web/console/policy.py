"""The policy in force: every number, what it means, what it rests on, and where it is not the default's."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from holdback import wiring
from holdback.meanings import told
from holdback.web.console.door import Page

if TYPE_CHECKING:
    from holdback.web.console.door import Ask, Door, Reader
    from holdback.web.endpoint import Reply


class PolicyView:
    """The handlers. What a process obeys does not change while it runs, so it is put together once."""

    def __init__(self, door: Door) -> None:
        """Read what the default policy's file says of each number."""
        self._door = door
        self._policy = door.service.tools.policy
        default, text = wiring.load_policy("default"), wiring.policy_text("default")
        self._tables = told(self._policy, default, text)
        self._ways = Counter(one.way for table in self._tables for one in table.numbers if one.way)

    def pages(self) -> dict[str, Page]:
        """What it serves: to everybody, for nobody can follow rules that he cannot read."""
        return {"/policy": Page(self._policy_page)}

    def asks(self) -> dict[str, Ask]:
        """No form: a policy is a file of the operator's."""
        return {}

    async def _policy_page(self, reader: Reader) -> Reply:
        shown = {
            "policy": self._policy,
            "digest": self._policy.digest.hex(),
            "tables": self._tables,
            "ways_off": self._ways,
        }
        return self._door.room(reader, "policy.html", **shown)
