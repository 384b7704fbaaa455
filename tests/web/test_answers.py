"""Decisions over HTTP: passed through as they were stored, once for each idempotency key."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from tests.web.platform_side import HOME, PLATFORM, Web, is_problem

from holdback.core.decision import Reason
from holdback.web import problems
from holdback.wording.reasons import sentence

ACTIONS: Final = "/v1/accounts/alice/actions"


def withdrawal(amount: str) -> dict[str, Any]:
    """A withdrawal to the address that is in the book."""
    return {
        "action": "exit.request",
        "kind": "withdrawal",
        "asset": "BTC",
        "amount": amount,
        "address": HOME,
        "network": "bitcoin",
    }


async def test_an_owner_is_paid_after_a_step_up(web: Web) -> None:
    """The same call with the challenge's proofs is allowed, with a receipt for the signer."""
    asked = (await web.act(withdrawal("0.01"), web.owner())).json()
    assert asked["decision"] == "step_up"
    assert asked["challenge"]["accept"]
    assert asked["receipt"] is None

    paid = (
        await web.act(withdrawal("0.01"), web.owner(), challenge=asked["challenge"]["id"], proofs=web.proofs())
    ).json()

    assert paid["decision"] == "allow"
    receipt = web.service.tools.receipts.read(paid["receipt"])
    assert receipt.account == "alice"
    assert receipt.head.hex() == paid["head"]


async def test_an_exit_over_budget_waits(web: Web) -> None:
    """All four decisions come with status 200; a hold says what waits and until when."""
    response = await web.act(withdrawal("4"), web.owner(), proofs=web.proofs())
    answer = response.json()

    assert (response.status_code, answer["decision"]) == (200, "hold")
    assert answer["hold"]["release_at"] > "2024"
    assert answer["reasons"][0]["text"]


async def test_a_repeated_question_gets_the_stored_answer(web: Web) -> None:
    """The same body under the same idempotency key is answered with the same bytes, and happens once."""
    body = json.dumps(withdrawal("0.01") | {"actor": web.owner(), "proofs": web.proofs()}).encode()
    first = await web.post(ACTIONS, body, Idempotency_Key="order-1")
    before = await web.dump()

    again = await web.post(ACTIONS, body, Idempotency_Key="order-1")

    assert first.json()["decision"] == "allow"
    assert again.content == first.content
    assert await web.dump() == before


async def test_a_used_key_takes_no_other_body(web: Web) -> None:
    """Another body under a used idempotency key is refused, and changes nothing."""
    await web.post(ACTIONS, {"action": "exit.cancel", "which": "x1", "actor": PLATFORM}, Idempotency_Key="order-2")
    before = await web.dump()

    response = await web.post(
        ACTIONS, {"action": "exit.cancel", "which": "x2", "actor": PLATFORM}, Idempotency_Key="order-2"
    )

    assert is_problem(response, problems.KEY_REUSED)
    assert await web.dump() == before


async def test_a_dry_run_needs_no_key_and_writes_nothing(web: Web) -> None:
    """A dry run answers what would be answered, without an idempotency key and without a trace."""
    before = await web.dump()
    body = withdrawal("4") | {"actor": web.owner(), "dry_run": True}
    headers = {"Content-Type": "application/json"} | web.key("ask")

    response = await web.http.post(ACTIONS, content=json.dumps(body).encode(), headers=headers)

    assert response.json()["decision"] == "step_up"
    assert await web.dump() == before


@pytest.mark.parametrize(
    ("challenge", "amount", "minutes", "reason"),
    [
        ("", "0.01", 11, Reason.CHALLENGE_EXPIRED),
        ("", "0.02", 0, Reason.CHALLENGE_OTHER_ACTION),
        ("s999", "0.01", 0, Reason.CHALLENGE_UNKNOWN),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_challenge_that_does_not_fit(  # noqa: PLR0913 - each is one column of the table
    web: Web, challenge: str, amount: str, minutes: int, reason: Reason, *, dry_run: bool
) -> None:
    """A challenge that is expired, unknown or another action's is a conflict that says so, and changes nothing."""
    asked = (await web.act(withdrawal("0.01"), web.owner())).json()
    web.clock.at += minutes * 60_000
    before = await web.dump()
    named = challenge or asked["challenge"]["id"]
    proofs = [] if dry_run else web.proofs()
    poorer = {"equity_usd": "1"}

    response = await web.act(
        withdrawal(amount), web.owner(), challenge=named, proofs=proofs, context=poorer, dry_run=dry_run
    )

    assert is_problem(response, problems.CHALLENGE, "/challenge")
    assert response.json()["detail"] == sentence(reason)
    assert await web.dump() == before


async def test_asked_anew_after_a_challenge_that_expired(web: Web) -> None:
    """Under the key of the refused question the same one is judged when it comes without the challenge."""
    asked = (await web.act(withdrawal("0.01"), web.owner())).json()
    web.clock.at += 11 * 60_000
    body = withdrawal("0.01") | {"actor": web.owner(), "proofs": web.proofs()}
    stale = body | {"challenge": asked["challenge"]["id"]}
    assert (await web.post(ACTIONS, stale, Idempotency_Key="again")).status_code == 409

    answer = (await web.post(ACTIONS, body, Idempotency_Key="again")).json()

    assert answer["decision"] == "allow"


async def test_a_challenge_tells_no_name(web: Web) -> None:
    """Whoever makes a challenge up cannot tell by the refusal whether anybody has that sign-in name."""
    for proofs in ([], web.proofs()):
        answers = [
            await web.post("/v1/sign-ins", {"name": name, "challenge": "s99999", "proofs": proofs})
            for name in ("alice@example.com", "nobody@example.com")
        ]
        assert all(is_problem(one, problems.CHALLENGE, "/challenge") for one in answers)
        assert answers[0].content == answers[1].content


async def test_a_code_serves_once(web: Web) -> None:
    """A one-time code that was spent is refused, however right it is."""
    proofs = web.proofs()
    await web.act(withdrawal("0.01"), web.owner(), proofs=proofs)

    answer = (await web.act(withdrawal("0.02"), web.owner(), proofs=proofs)).json()

    assert (answer["decision"], answer["reasons"][0]["code"]) == ("step_up", "proof_replayed")


@pytest.mark.parametrize("proofs", [[], [{"kind": "password", "response": "a guess that is wrong"}]])
async def test_an_unknown_name_is_answered_like_a_known_one(web: Web, proofs: list[dict[str, str]]) -> None:
    """Whoever signs in cannot tell a name that nobody has from one whose proofs are missing."""
    context = {"device": "stranger"}
    known = (await web.post("/v1/sign-ins", {"name": "alice@example.com", "proofs": [], "context": context})).json()
    unknown = (
        await web.post("/v1/sign-ins", {"name": "nobody@example.com", "proofs": proofs, "context": context})
    ).json()

    assert unknown["decision"] == known["decision"] == "step_up"
    assert unknown["challenge"]["accept"] == known["challenge"]["accept"]
    assert unknown["reasons"][-1]["code"] == known["reasons"][-1]["code"]


async def test_a_session_is_shown_once(web: Web) -> None:
    """A sign-in answers with the token of a session that then acts as the owner."""
    answer = await web.sign_in()

    assert answer["decision"] == "allow"
    assert len(answer["session"]["token"]) == 64
    ended = (await web.act({"action": "session.end"}, web.owner())).json()
    assert ended["decision"] == "allow"


async def test_an_account_that_does_not_exist_is_denied(empty: Web) -> None:
    """Asking of an account that nobody imported is denied, not an error."""
    answer = (await empty.act({"action": "account.freeze"}, PLATFORM, "bob")).json()

    assert (answer["decision"], answer["reasons"][0]["code"]) == ("deny", "unknown_account")


async def test_a_sign_in_name_has_one_account(web: Web) -> None:
    """A second customer under a name that is taken is denied, whatever its case and blanks, and can come back."""
    before = await web.dump()

    answer = await web.enrol("bob", " ALICE@example.com")

    assert (answer["decision"], answer["reasons"][0]["code"]) == ("deny", "already_exists")
    assert answer["reasons"][0]["about"] == "name"
    assert await web.dump() == before
    assert (await web.enrol("bob", "bob@example.com"))["decision"] == "allow"


async def test_an_account_is_brought_in_once(web: Web) -> None:
    """A customer that is there already is not brought in again."""
    answer = await web.enrol()

    assert (answer["decision"], answer["reasons"][0]["code"]) == ("deny", "already_exists")


async def test_a_sub_account_is_no_customer(empty: Web) -> None:
    """A sub-account cannot be brought in by itself, for it lives in its customer's stream."""
    response = await empty.act({"action": "account.import"}, PLATFORM, "alice.desk")

    assert is_problem(response, problems.BAD_REQUEST, "")


async def test_a_malformed_question_about_nobody_is_refused(empty: Web) -> None:
    """What is not well-formed is refused though there is no account that it could be about."""
    response = await empty.act({"action": "exit.settle", "which": "x1", "reference": 5}, PLATFORM, "nobody")

    assert is_problem(response, problems.BAD_REQUEST, "/reference")


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "limit.set", "usd_per_day": "999999999999999.999999"},
        {
            "action": "exit.request",
            "kind": "withdrawal",
            "asset": "BTC",
            "amount": "99999999999999999999",
            "address": HOME,
            "network": "bitcoin",
        },
        {
            "action": "exit.request",
            "kind": "withdrawal",
            "asset": "BTC",
            "amount": "0.1",
            "usd": "999999999999999",
            "address": HOME,
            "network": "bitcoin",
        },
        {
            "action": "exit.request",
            "kind": "withdrawal",
            "asset": "BTC",
            "amount": "0",
            "address": HOME,
            "network": "bitcoin",
        },
    ],
    ids=["limit", "amount", "usd", "nothing"],
)
async def test_the_largest_numbers_are_answered(web: Web, fields: dict[str, Any]) -> None:
    """The largest and smallest numbers that are well-formed are decided or refused, and never break the arithmetic."""
    response = await web.act(fields, web.owner(), proofs=web.proofs())

    assert response.status_code in {200, 400}, response.text


async def test_the_largest_equity_is_answered(web: Web) -> None:
    """An absurd statement of equity is decided or refused, and never breaks the arithmetic."""
    response = await web.act({"action": "session.end_all"}, web.owner(), context={"equity_usd": "999999999999999"})

    assert response.status_code in {200, 400}, response.text
