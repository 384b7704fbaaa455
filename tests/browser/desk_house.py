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
from pyrage import decrypt, x25519
from tests.browser.platform_house import House
from tests.passkeys.software import SoftKey
from tests.service.house import Hands
from tests.service.office import Colleague

from holdback import wiring
from holdback.core.events import DAY, HOUR, Channel, Role
from holdback.outbox import Outbox
from holdback.service import Question

if TYPE_CHECKING:
    from tests.browser.person import Person

    from holdback.ports import Message

HIRED_D: Final = 10
RIPE_H: Final = 73
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


class _LocalKey(SoftKey):
    """A passkey as it answers pages of this machine."""

    def get(self, options: dict[str, Any], origin: str = "", **said: Any) -> str:  # noqa: ANN401 - client data
        """See SoftKey."""
        return super().get(options, origin or self.origin, **said)

    origin = ""


class _Past:
    """The service in the days before the house opened, as `Colleague` asks it."""

    def __init__(self, settings: wiring.Settings, at: int) -> None:
        self.clock = Hands(at)
        self.store = wiring.open_store(settings, clock=self.clock.now)
        self.service = wiring.build_service(settings, self.store, clock=self.clock.now)
        self._outbox = Outbox(
            self.service, dict.fromkeys((Channel.EMAIL, Channel.SMS), _Accepts()), settings.public_url
        )

    async def ask(self, account: str, body: dict[str, Any], key: str = "") -> dict[str, Any]:
        """Ask, and have everybody told."""
        raw = await self.service.ask(Question("past", account, body, key, msgspec.json.encode(body)))
        answer: dict[str, Any] = msgspec.json.decode(raw)
        await self.tell()
        return answer

    async def tell(self) -> None:
        """Deliver what is due."""
        while await self._outbox.deliver_due():
            pass


class DeskHouse(House):
    """The house, with its staff and the police in the registry. `member` seats one of the staff at a browser."""

    async def before_it_opens(self) -> None:
        """Let everybody in ten days ago, and enter an agency as soon as they could sign in."""
        past = _Past(self.settings, int(time.time() * 1000) - HIRED_D * DAY)
        self.police = x25519.Identity.generate()
        people = {member: Colleague(past, member) for member in STAFF}  # type: ignore[arg-type] # all it asks of a house
        self.keys = {}
        for member, one in people.items():
            one.key = self.keys[member] = _LocalKey()
            one.key.origin = self.center
        try:
            for member, role in STAFF.items():
                answer = msgspec.json.decode(await past.service.install(member, people[member].enrolment(role)))
                assert answer["decision"] == "allow", answer
            await past.tell()
            past.clock.at += RIPE_H * HOUR
            for member, decision in (("staff-ann", "hold"), ("staff-ben", "allow")):
                await people[member].signs_in()
                answer = await people[member].asks("agency-police", "agency.add", **self._agency())
                assert answer["decision"] == decision, answer
        finally:
            await past.store.close()

    def _agency(self) -> dict[str, Any]:
        return {
            "name": "Police of Example",
            "officers": [{"id": "o1", "name": "Dana Clerk", "number": "+15550100199"}],
            "recipient": str(self.police.to_public()),
            "domains": ["police.example"],
        }

    def reads(self, sealed: str) -> str:
        """What the police reads of what was sealed for it."""
        return str(decrypt(sealed.encode(), [self.police]).decode())

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
