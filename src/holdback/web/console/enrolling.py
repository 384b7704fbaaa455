"""Making the passkey that a new member of staff hands over: the one page of the console that is for anybody.

Nothing is kept of it. What it makes is public, and counts once two members said that it is the newcomer's.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Final

from holdback.intake import ACCOUNT_ID
from holdback.ports import Wanted
from holdback.web import forms
from holdback.web.console.door import HOME
from holdback.web.endpoint import Operation
from holdback.web.forms import FORM

if TYPE_CHECKING:
    from holdback.web.console.door import Door
    from holdback.web.endpoint import Call, Reply

USER_BYTES: Final = 32


class Enrolling:
    """The handlers."""

    def __init__(self, door: Door) -> None:
        """Make passkeys for this deployment."""
        self._door = door
        self._signing = door.service.tools.signing

    def operations(self) -> dict[str, dict[str, Operation]]:
        """Their route."""
        return {f"{HOME}/enrol": {"GET": Operation(self.ask_name), "POST": Operation(self.make, takes=FORM)}}

    async def ask_name(self, call: Call) -> Reply:
        """Ask under which id the newcomer is to be a member."""
        call.parameters()
        return self._shown(call)

    async def make(self, call: Call) -> Reply:
        """Have the browser make one, and then show what to hand over."""
        given = forms.fields(call.body)
        name = given.get("name", "").strip()
        if not self._door.site.visitors.is_from_here(call):
            return self._shown(call, trouble="foreign")
        if not name.startswith("staff-") or not ACCOUNT_ID.fullmatch(name) or "." in name:
            return self._shown(call, name=name, trouble="unfit")
        now = (await self._door.service.store.read([Wanted("")])).now
        if response := given.get("_proof.passkey", ""):
            text = self._signing.handed_over(given.get("_begun", ""), response, now)
            digest = hashlib.sha256(text.encode()).hexdigest() if text else ""
            return self._shown(call, name=name, text=text, digest=digest, trouble="" if text else "unread")
        begun = self._signing.begin_by_hand(secrets.token_bytes(USER_BYTES), name, now)
        return self._shown(call, name=name, begun=begun, trouble="" if begun else "no_passkeys")

    def _shown(self, call: Call, **shown: object) -> Reply:
        empty = {"name": "", "begun": None, "text": "", "digest": "", "trouble": ""}
        return self._door.site.bare(call, "enrol.html", **(empty | shown))
