"""A browser without a window at the Security Center, for tests of what pages answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tests.web.platform_side import ORIGIN

if TYPE_CHECKING:
    import httpx
    from tests.web.platform_side import Web

HOME: Final = "/center"
FROM_HERE: Final = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
PAGES: Final = (
    "",
    "/holds",
    "/activity",
    "/sessions",
    "/authenticators",
    "/contacts",
    "/limits",
    "/keys",
    "/book",
    "/robbed",
    "/recovery",
    "/viewers",
)


class Browser:
    """A browser that keeps cookies, at the Security Center. Each sends what it is told to as its origin."""

    def __init__(self, web: Web) -> None:
        self.web = web

    async def get(self, path: str = "") -> httpx.Response:
        """Look at a page."""
        return await self.web.http.get(HOME + path)

    async def post(self, path: str, fields: dict[str, str], headers: dict[str, str] = FROM_HERE) -> httpx.Response:
        """Send a form."""
        return await self.web.http.post(HOME + path, data=fields, headers=headers)

    async def sign_in(self, name: str = "alice@example.com", **headers: str) -> httpx.Response:
        """Sign in by password and code, in two steps as people do."""
        sent = FROM_HERE | {key.replace("_", "-"): value for key, value in headers.items()}
        asked = await self.post("/sign-in", {"name": name}, sent)
        found = re.search(r'name="_challenge" value="([^"]+)"', asked.text)
        assert found is not None, asked.text
        proofs = {one["kind"]: one["response"] for one in self.web.proofs()}
        fields = {"name": name, "_challenge": found.group(1)} | {
            f"_proof.{kind}": said for kind, said in proofs.items()
        }
        return await self.post("/sign-in", fields, sent)

    async def word(self) -> str:
        """The word of the session's pages."""
        found = re.search(r'name="_word" value="([^"]+)"', (await self.get("/holds")).text)
        assert found is not None
        return found.group(1)

    @property
    def cookie(self) -> str:
        """What the browser keeps of the session."""
        return self.web.http.cookies.get("center") or ""
