"""An authenticator app through the real service, with the codes of another program: Debian's `oathtool`."""

from __future__ import annotations

import asyncio
import re
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.service.house import HOME, PASSWORD, STEP, Customer, House, settled

from holdback.core.events import HOUR

if TYPE_CHECKING:
    from holdback.core.events import Instant

OATHTOOL: Final = shutil.which("oathtool")

pytestmark = pytest.mark.skipif(OATHTOOL is None, reason="oathtool is not installed (Debian: apt-get install oathtool)")


async def app(secret: str, at: Instant) -> str:
    """The code that oathtool shows at an instant; the secret goes in by its standard input."""
    when = datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    assert OATHTOOL is not None
    program = await asyncio.create_subprocess_exec(
        OATHTOOL,
        "--totp",
        "--base32",
        f"--now={when}",
        "-",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await program.communicate(secret.encode() + b"\n")
    assert program.returncode == 0
    return said.decode().strip()


async def enrolled(house: House) -> tuple[Customer, dict[str, Any]]:
    """A customer who has an authenticator app set up by what the answer shows, and confirmed."""
    (alice,) = await settled(house, "alice")
    made = await alice.ask(alice.body("authenticator.bind", kind="totp", proofs=alice.proofs()))
    shown: dict[str, Any] = made["enrolment"]
    assert shown["authenticator"] == made["id"]
    code = await app(shown["secret"], house.clock.at)
    early = await alice.ask(alice.body("exit.request", proofs=[*proof(code, made["id"])], **PAYMENT))
    assert early["decision"] == "step_up"
    body = alice.body("authenticator.confirm", authenticator=made["id"], proofs=proof(code, made["id"])[1:])
    answer = await alice.ask(body)
    assert answer["decision"] == "allow", answer
    return alice, shown


PAYMENT: Final = {"kind": "withdrawal", "asset": "USDT", "amount": "5", "address": HOME, "network": "bitcoin"}


def proof(code: str, name: str) -> list[dict[str, str]]:
    """The password and a code of one authenticator."""
    return [
        {"kind": "password", "response": PASSWORD},
        {"kind": "totp", "response": code, "authenticator": name},
    ]


async def test_a_code_of_oathtool_signs_in_once(house: House) -> None:
    """It signs in, and the same code again is refused, as any wrong one is to whoever proved nothing yet."""
    alice, shown = await enrolled(house)
    house.clock.at += STEP
    code = await app(shown["secret"], house.clock.at)
    assert re.fullmatch(r"\d{6}", code)
    body = {**alice.body("session.start", proofs=proof(code, shown["authenticator"])), "actor": {"kind": "owner"}}

    assert (await alice.ask(body))["decision"] == "allow"
    again = await alice.ask(body)
    assert (again["decision"], again["reasons"][0]["code"]) == ("step_up", "proof_wrong")


async def test_it_counts_for_money_when_it_is_senior(house: House) -> None:
    """Before that a code of it is right, and not enough."""
    alice, shown = await enrolled(house)
    await house.deliver()

    async def paid() -> dict[str, Any]:
        house.clock.at += STEP
        code = await app(shown["secret"], house.clock.at)
        return await alice.ask(alice.withdrawal(5, proofs=proof(code, shown["authenticator"])))

    assert (await paid())["decision"] == "step_up"
    house.clock.at += 73 * HOUR
    await house.priced()
    await alice.sign_in()
    assert (await paid())["decision"] == "allow"


async def test_what_is_shown_is_for_this_account(house: House) -> None:
    """The URI names issuer and account, and the picture is there to be scanned."""
    _, shown = await enrolled(house)
    assert shown["otpauth_uri"].startswith("otpauth://totp/holdback:alice%40example.com?secret=" + shown["secret"])
    assert shown["qr_svg"].startswith("<svg ")
