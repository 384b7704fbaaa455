"""How a channel names the setting that keeps it from working, so that an operator is told which to mend."""

from __future__ import annotations


class BadSetting(ValueError):
    """What could never send, or would send unprotected. `setting` is the argument that says so.

    The message shows nothing of what was set, for it may hold secrets.
    """

    def __init__(self, setting: str, why: str) -> None:
        super().__init__(why)
        self.setting = setting
