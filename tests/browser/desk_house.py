"""A house with members of staff, let in days ago, and a browser for each who is seated at one."""

from __future__ import annotations

import base64
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

import httpx
import msgspec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.async_api import expect
from tests.browser.platform_house import House
from tests.passkeys.software import SoftKey

from holdback import wiring
from holdback.core.events import DAY, Channel, Role
from holdback.outbox import Outbox

if TYPE_CHECKING:
    from tests.browser.person import Person

    from holdback.ports import Message
    from holdback.service import Service

HIRED_D: Final = 5
STAFF: Final = {
    "staff-ann": Role.POLICY,
    "staff-ben": Role.POLICY,
    "staff-rex": Role.REVIEWER,
    "staff-roy": Role.REVIEWER,
    "staff-lea": Role.LEGAL,
    "staff-leo": Role.LEGAL,
    "staff-lis": Role.LEGAL,
    "staff-sue": Role.SUPPORT,
    "staff-sam": Role.SUPPORT,
    "staff-tom": Role.TREASURER,
    "staff-ivy": Role.INVESTIGATOR,
    "staff-aud": Role.AUDITOR,
}


class _Accepts:
    """A post office that accepts every letter of the past."""

    channel = Channel.EMAIL

    async def send(self, message: Message) -> None:
        """Accept it."""

    async def close(self) -> None:
        """Nothing is open."""


class DeskHouse(House):
    """The house, with its staff. `member` seats one of them at a browser, signed in."""

    async def before_it_opens(self) -> None:
        """Let everybody in, five days ago."""
        self.keys = {member: SoftKey() for member in STAFF}
        self.when = int(time.time() * 1000) - HIRED_D * DAY
        store = wiring.open_store(self.settings, clock=lambda: self.when)
        service = wiring.build_service(self.settings, store, clock=lambda: self.when)
        try:
            for member, role in STAFF.items():
                answer = msgspec.json.decode(await service.install(member, self._enrolment(member, role)))
                assert answer["decision"] == "allow", answer
            await self._deliver(service)
        finally:
            await store.close()

    def _enrolment(self, member: str, role: Role) -> dict[str, Any]:
        passkey = self.keys[member].handed_over()
        return {"roles": [role], "name": member, "passkey": passkey, "email": f"{member}@desk.example"}

    async def _deliver(self, service: Service) -> None:
        outbox = Outbox(service, dict.fromkeys((Channel.EMAIL, Channel.SMS), _Accepts()), self.settings.public_url)
        while await outbox.deliver_due():
            pass

    def asks(self, account: str, action: dict[str, Any]) -> dict[str, Any]:
        """What Holdback answers the platform's backend."""
        headers = {"Authorization": f"Bearer {self._asking[0]}", "Idempotency-Key": secrets.token_hex(8)}
        url = f"{self.holdback}/v1/accounts/{account}/actions"
        said: dict[str, Any] = httpx.post(url, json=action, headers=headers, trust_env=False).raise_for_status().json()
        return said

    async def holds_key(self, person: Person, member: str) -> None:
        """Have a person's device hold the passkey of a member."""
        session, key = await person.with_passkeys(), self.keys[member]
        key.counter += 100  # uses at the devices before this one
        raw = key.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        credential = {
            "credentialId": base64.b64encode(key.name).decode(),
            "isResidentCredential": True,
            "rpId": "localhost",
            "privateKey": base64.b64encode(raw).decode(),
            "userHandle": base64.b64encode(member.encode()).decode(),
            "signCount": key.counter,
        }
        await session.send(
            "WebAuthn.addCredential", {"authenticatorId": person.authenticator, "credential": credential}
        )

    async def sign_in(self, person: Person, member: str) -> None:
        """Sign a person in as a member, by the passkey that his device holds."""
        page = person.page
        await page.goto(f"{self.console}/sign-in")
        await page.get_by_label("Your id").fill(member)
        await page.get_by_role("button", name="Continue").click()
        await page.get_by_role("button", name="Confirm with your passkey").click()
        await expect(page.get_by_role("heading", name="My queue")).to_be_visible()
