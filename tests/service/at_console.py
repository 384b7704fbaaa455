"""A member of staff at the console without a window: the requests that his browser would send, signed by its key."""

from __future__ import annotations

import json
from html import unescape
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import httpx

from holdback.web.api import People, application
from holdback.web.forms import named
from holdback.web.visitors import Visitor

if TYPE_CHECKING:
    from tests.service.house import House
    from tests.service.office import Colleague

ORIGIN: Final = "https://desk.example"
HOME: Final = f"{ORIGIN}/console"


class Console:
    """The console over a house. Example: `await Console(house).reads(sue, "/policy")`."""

    def __init__(self, house: House) -> None:
        """Serve it in this process."""
        self.house = house
        app = application(house.service, people=People("", ORIGIN))
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HOME)

    async def reads(self, member: Colleague, path: str, *, signed: bool = True) -> httpx.Response:
        """What a page shows a member, in words; only its shell if his device does not sign."""
        url = f"{HOME}{path.partition('?')[0]}"
        proof = member.browser.proof(self.house.clock.at, member.account, {}, member.session, htm="GET", htu=url)
        headers = self._cookie(member) | ({"dpop": proof} if signed else {})
        return await self.http.get(f"{HOME}{path}", headers=headers)

    async def asks(self, member: Colleague, path: str, about: str, **fields: Any) -> str:  # noqa: ANN401 - any field
        """What a form of a page is answered with, as people read it."""
        pairs = [
            (name, one) for name, value in fields.items() for one in (value if isinstance(value, list) else [value])
        ]
        given = {name: "\n".join(one for key, one in pairs if key == name) for name, _ in pairs}
        action = json.loads(given["_action"]) if "_action" in given else named(given)
        proof = member.browser.proof(self.house.clock.at, about, action, member.session, htu=f"{HOME}{path}")
        word = Visitor(member.account, member.session, bound=True).word
        form = [*pairs, ("_account", about), ("_word", word), ("_dpop", proof)]
        headers = self._cookie(member) | {"origin": ORIGIN, "content-type": "application/x-www-form-urlencoded"}
        said = await self.http.post(f"{HOME}{path}", content=urlencode(form), headers=headers)
        return unescape(said.text)

    @staticmethod
    def _cookie(member: Colleague) -> dict[str, str]:
        return {"cookie": f"__Host-console={member.account}:{member.session}"}
