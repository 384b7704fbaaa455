"""Members of staff over the whole service: passkeys in software, browsers with keys, and how they ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from tests.dpop.device import ROUTE, Browser
from tests.passkeys.software import ORIGIN, RP_ID, SoftKey
from tests.service.house import Customer, House, settings

from holdback.core.events import HOUR, Role

if TYPE_CHECKING:
    from collections.abc import Mapping

WITH_PASSKEYS = msgspec.structs.replace(settings(), rp_id=RP_ID, rp_origins=ORIGIN)


class Colleague(Customer):
    """One of the staff: `Colleague(house, "staff-ann")`, then `install` or a second person, then `signs_in`."""

    def __init__(self, house: House, account: str) -> None:
        """Somebody with a passkey and a browser, and no role yet."""
        super().__init__(house, account)
        self.key, self.browser = SoftKey(), Browser()

    def enrolment(self, *roles: Role) -> dict[str, Any]:
        """What two people say to make him one of the staff."""
        passkey = self.key.handed_over()
        return {"roles": list(roles), "name": self.account, "passkey": passkey, "email": f"{self.account}@desk.example"}

    async def install(self, *roles: Role) -> dict[str, Any]:
        """By the operator."""
        answer: dict[str, Any] = msgspec.json.decode(
            await self.house.service.install(self.account, self.enrolment(*roles))
        )
        return answer

    def by(self, account: str, body: Mapping[str, Any], token: str) -> dict[str, Any]:
        """A body with what this browser signs of it."""
        proof = self.browser.proof(self.house.clock.at, account, body, token)
        context = {"method": "POST", "url": ROUTE}
        return dict(body) | {"context": context, "actor": dict(body["actor"]) | {"dpop": proof}}

    async def signs_in(self) -> None:
        """By passkey, from a browser with a key."""
        self.session = ""
        first = await self.ask(self.by(self.account, self.body("session.start"), ""))
        assert first["decision"] == "step_up", first
        proof = {"kind": "passkey", "response": self.key.get(first["challenge"]["passkey"])}
        body = self.body("session.start", proofs=[proof], challenge=first["challenge"]["id"])
        answer = await self.ask(self.by(self.account, body, ""))
        assert answer["decision"] == "allow", answer
        self.session = answer["session"]["token"]

    async def asks(self, account: str, action: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
        """Ask about somebody as one of the staff."""
        actor = {"kind": "staff", "member": self.account, "session": self.session}
        body = {"action": action, "actor": actor, **fields}
        return await self.house.ask(account, self.by(account, body, self.session))


async def staffed(house: House, **roles: Role) -> list[Colleague]:
    """Members by name and role, installed by the operator, ripe and signed in: `staffed(house, ann=Role.POLICY)`."""
    people = [Colleague(house, f"staff-{name}") for name in roles]
    for one, role in zip(people, roles.values(), strict=True):
        answer = await one.install(role)
        assert answer["decision"] == "allow", answer
    await house.deliver()
    house.clock.at += 73 * HOUR
    for one in people:
        await one.signs_in()
    return people
