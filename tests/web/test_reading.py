"""What a platform reads of an account: everything an owner should see, and nothing that a thief could use."""

from __future__ import annotations

import json
import typing
from typing import Any, Final

import pytest
from tests.web.platform_side import HOME, MAIL, PASSWORD, PHONE, TOTP, Web, is_problem

from holdback.core import decide
from holdback.core import events as ev
from holdback.core.events import DAY, Sealed
from holdback.intake import PUBLIC
from holdback.sealing import SealBroken
from holdback.views import LARGEST, SECRETS, STORED_SEALED, Views
from holdback.web import problems

BIG: Final = {
    "action": "exit.request",
    "kind": "withdrawal",
    "asset": "BTC",
    "amount": "4",
    "address": HOME,
    "network": "bitcoin",
}


async def account(web: Web) -> dict[str, Any]:
    """How alice's account stands."""
    response = await web.get("/v1/accounts/alice")
    assert response.status_code == 200
    found: dict[str, Any] = response.json()
    return found


async def pages(web: Web, path: str, limit: int) -> list[dict[str, Any]]:
    """All items of a list, read page by page."""
    items: list[dict[str, Any]] = []
    cursor = "0"
    while cursor:
        page = (await web.get(f"{path}?cursor={cursor}&limit={limit}")).json()
        assert len(page["items"]) <= limit
        items += page["items"]
        cursor = page["next"]
    return items


async def test_an_account_is_shown_as_it_stands(web: Web) -> None:
    """The view names authenticators, contacts, sessions and settings, each senior thing as such."""
    shown = await account(web)

    assert (shown["account"], shown["name"], shown["freeze"]) == ("alice", "alice@example.com", None)
    assert [(one["kind"], one["senior"], one["confirmed"]) for one in shown["authenticators"]] == [
        ("password", True, True),
        ("totp", True, True),
    ]
    assert [(one["address"], one["senior"], one["may_freeze"]) for one in shown["contacts"]] == [
        ("a***@example.com", True, True),
        ("***042", True, True),
    ]
    assert len(shown["sessions"]) == 1
    assert shown["sessions"][0]["started_at"] == shown["at"]
    assert shown["settings"] == {"allowlist": False, "lock_hours": 0, "limit_usd_per_day": None, "vault": None}
    assert shown["policy"] == "default"
    assert len(bytes.fromhex(shown["head"])) == 32


async def test_the_budget_shows_what_is_left(web: Web) -> None:
    """What left is taken off the lane it drew on, and off the owner's own limit."""
    await web.act({"action": "limit.set", "usd_per_day": "2000.5"}, web.owner(), proofs=web.proofs())
    before = (await account(web))["budget"]

    await web.act(BIG | {"amount": "0.01"}, web.owner(), proofs=web.proofs())

    after = (await account(web))["budget"]
    assert (before["others"], after["others"]) == (
        {"day_usd": "50000", "month_usd": "200000"},
        {"day_usd": "49500", "month_usd": "199500"},
    )
    assert (before["own_limit_usd"], after["own_limit_usd"]) == ("2000.5", "1500.5")
    assert after["long_standing"] == {"day_usd": "100000", "month_usd": None}


async def test_a_loosening_that_waits_is_shown_until_it_is_in_force(web: Web) -> None:
    """A pending change shows when it takes effect, null before the owner was told, and is gone once it is in force."""
    await web.act({"action": "allowlist.set", "on": True}, web.owner(), proofs=web.proofs())
    await web.act({"action": "limit.set", "usd_per_day": "100"}, web.owner(), proofs=web.proofs())
    await web.act({"action": "allowlist.set", "on": False}, web.owner(), proofs=web.proofs())
    await web.act({"action": "limit.set", "usd_per_day": "200"}, web.owner(), proofs=web.proofs())
    asked = (await account(web))["changes"]
    assert [one["effective_at"] for one in asked] == [None, None]
    assert [(one["kind"], one["subject"], one["value"]) for one in asked] == [
        ("set", "allowlist", "0"),
        ("set", "limit_micro_usd", "200"),
    ]

    await web.deliver()
    told = await account(web)
    assert all(one["effective_at"] > told["at"] for one in told["changes"])
    assert told["settings"]["allowlist"] is True

    web.clock.at += 4 * DAY
    later = await account(web)
    assert later["changes"] == []
    assert later["settings"] == {"allowlist": False, "lock_hours": 0, "limit_usd_per_day": "200", "vault": None}


async def test_a_limit_that_is_to_end_is_shown(web: Web) -> None:
    """Taking the own limit off waits like any loosening, and is shown with no value."""
    await web.act({"action": "limit.set", "usd_per_day": "100"}, web.owner(), proofs=web.proofs())
    await web.act({"action": "limit.set", "usd_per_day": None}, web.owner(), proofs=web.proofs())

    assert [one["value"] for one in (await account(web))["changes"]] == [None]


async def test_a_cool_off_is_shown_with_both_its_ends(web: Web) -> None:
    """A severe change shows what it cools and until when, null while the owner could not be told."""
    await web.act({"action": "password.change", "password": PASSWORD + "!"}, web.owner(), proofs=web.proofs())
    untold = (await account(web))["cool_offs"][-1]
    assert (untold["cause"], untold["severity"]) == ("authenticator.secret_replaced", "severe")
    assert (untold["senior_until"], untold["others_until"]) == (None, None)

    await web.deliver()

    told = (await account(web))["cool_offs"][-1]
    assert told["since"] < told["senior_until"] < told["others_until"]
    assert [one["senior"] for one in (await account(web))["authenticators"]] == [False, True]


async def test_a_hold_shows_where_it_would_go(web: Web) -> None:
    """What waits is shown with its amount, value and destination, and when it goes on if nobody stops it."""
    answer = (await web.act(BIG, web.owner(), proofs=web.proofs())).json()

    held = (await pages(web, "/v1/accounts/alice/holds", 50))[0]

    assert held["id"] == answer["hold"]["id"]
    assert (held["asset"], held["amount"], held["usd"], held["address"]) == ("BTC", "4", "200000", HOME)
    assert held["release_at"] is None
    await web.deliver()
    held = (await pages(web, "/v1/accounts/alice/holds", 50))[0]
    assert held["release_at"] > held["asked_at"]


async def test_holds_come_in_pages(web: Web) -> None:
    """Read page by page, each exit that waits comes once and in the order it was asked."""
    asked = [
        (await web.act(BIG | {"amount": f"{4 + number}"}, web.owner(), proofs=web.proofs())).json()["hold"]["id"]
        for number in range(5)
    ]

    held = await pages(web, "/v1/accounts/alice/holds", 2)

    assert [one["id"] for one in held] == asked


@pytest.mark.parametrize("limit", [1, 3, 200])
async def test_events_come_in_pages(web: Web, limit: int) -> None:
    """Read page by page, each entry of the log comes once and in order, and the last is the account's head."""
    entries = await pages(web, "/v1/accounts/alice/events", limit)

    shown = await account(web)
    assert [entry["seq"] for entry in entries] == list(range(1, shown["seq"] + 1))
    assert entries[-1]["link"] == shown["head"]
    assert entries[0]["events"][0]["event"] == "decided"
    assert entries[0]["events"][1]["event"] == "account.imported"


async def test_an_entry_says_what_was_asked(web: Web) -> None:
    """An entry holds the question with its personal fields opened, the answer, and what followed, in public units."""
    await web.act(
        BIG | {"amount": "0.01"}, web.owner(), proofs=web.proofs(), context={"ip": "198.51.100.7", "device": "laptop"}
    )

    entries = await pages(web, "/v1/accounts/alice/events", 200)
    decided = next(one["events"][0] for one in entries if one["events"][0]["action"] == "exit.request")
    allowed = next(one for entry in entries for one in entry["events"] if one["event"] == "exit.allowed")

    assert (decided["decision"], decided["ip"], decided["actor"]["kind"]) == ("allow", "198.51.100.7", "owner")
    assert decided["request"] == BIG | {"amount": "0.01", "usd": None, "counterparty": None, "memo": None}
    assert decided["findings"][0]["code"] == "proved"
    assert allowed["usd"] == "500"
    assert allowed["at"].endswith("Z")


async def test_nothing_read_holds_a_secret(web: Web) -> None:
    """No view shows a secret, a credential, a session's token, or a whole contact."""
    await web.act(
        {"action": "contact.add", "channel": "email", "address": "new@example.org"}, web.owner(), proofs=web.proofs()
    )
    await web.act({"action": "password.change", "password": PASSWORD + "!"}, web.owner(), proofs=web.proofs())
    text = json.dumps(
        [
            await account(web),
            await pages(web, "/v1/accounts/alice/events", 200),
            await pages(web, "/v1/accounts/alice/holds", 200),
        ]
    )

    assert not [secret for secret in (PASSWORD, TOTP, web.session, MAIL, PHONE, "new@example.org") if secret in text]
    assert "n***@example.org" in text
    assert HOME in text


def test_every_sealed_field_is_opened_or_withheld() -> None:
    """Each sealed field of an action is either in the table of those shown or in the table of secrets."""
    sealed = {
        name
        for kind in (*PUBLIC.values(), decide.NotAvailable)
        for struct in (kind, *_inner(kind))
        for name, hint in typing.get_type_hints(struct).items()
        if _mentions_sealed(hint)
    }

    assert sealed <= STORED_SEALED | SECRETS
    assert not STORED_SEALED & SECRETS


def _inner(kind: Any) -> list[type]:  # noqa: ANN401 - a struct or a union
    hints = typing.get_type_hints(kind)
    return [one for hint in hints.values() for one in typing.get_args(hint) if hasattr(one, "__struct_fields__")]


def _mentions_sealed(hint: Any) -> bool:  # noqa: ANN401 - any annotation
    options = typing.get_args(hint) or (hint,)
    return any(isinstance(one, type) and issubclass(one, Sealed) for one in options)


def test_every_instant_of_an_event_is_told_by_its_name() -> None:
    """Each whole number of an event is by its name an instant, an amount, a duration or a count, and shown as such."""
    numbers = {
        name
        for event in typing.get_args(ev.AnyEvent)
        for name, hint in typing.get_type_hints(event).items()
        if hint is int
    }

    instants = {name for name in numbers if name in {"at", "until"} or name.endswith(("_at", "_until"))}
    money = {name for name in numbers if name.endswith("micro_usd")}
    durations = {name for name in numbers if name.endswith("_ms")}
    assert numbers - instants - money - durations == {
        "counter",
        "epoch",
        "value",
        "centinats",
        "familiar",
        "failures",
        "networks",
        "decile",
        "ones",
        "reads",
        "usual_permille",
        "nonce",
        "warned",
        "leverage_percent",
        "percent",
        "hours",
        "unsaid",
    }


async def test_a_sub_account_shows_its_family(empty: Web) -> None:
    """A sub-account is found under its own id, a stranger's under none."""
    await empty.act(
        {
            "action": "account.import",
            "name": "carol",
            "authenticators": [{"kind": "password", "secret": PASSWORD}],
            "contacts": [{"channel": "email", "address": MAIL}],
            "sub_accounts": ["desk"],
        },
        {"kind": "platform"},
        "carol",
    )

    for path in ("", "/events", "/holds"):
        assert (await empty.get(f"/v1/accounts/carol.desk{path}")).status_code == 200
        for nobody in ("carol.other", "nobody", "no%20body"):
            assert is_problem(await empty.get(f"/v1/accounts/{nobody}{path}"), problems.UNKNOWN_ACCOUNT)


@pytest.mark.parametrize(
    "query", ["cursor=x", "cursor=-1", "cursor=1&cursor=2", "limit=0", "limit=201", "limit=ten", "after=1", "limit=%FF"]
)
async def test_a_page_that_cannot_be_is_refused(web: Web, query: str) -> None:
    """A cursor or limit that is none, twice there or unknown is refused and not guessed at."""
    response = await web.get(f"/v1/accounts/alice/events?{query}")

    assert response.status_code == 400
    assert response.json()["type"].endswith("bad-request")


async def test_an_entry_edited_by_hand_is_noticed(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page whose entries do not follow each other, or do not lead to the head, is not shown."""
    store = web.service.store
    honest = store.entries
    seq = (await account(web))["seq"]

    for victim in (2, seq):

        async def edited(name: str, after: int, limit: int, victim: int = victim) -> Any:  # noqa: ANN401 - as entries
            return [
                one._replace(link=bytes(32)) if one.seq == victim else one for one in await honest(name, after, limit)
            ]

        monkeypatch.setattr(store, "entries", edited)
        assert is_problem(await web.get(f"/v1/accounts/alice/events?cursor={victim - 1}"), problems.TAMPERED)


async def test_what_cannot_be_opened_any_more_is_shown_as_nothing(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a field's key was erased, the view goes on without the field."""

    def broken(*_: object) -> str:
        raise SealBroken

    monkeypatch.setattr("holdback.sealing.CustomerKey.open", broken)

    shown = await account(web)

    assert shown["name"] is None
    assert (await web.get("/v1/accounts/alice/events")).status_code == 200


async def test_a_page_is_never_larger_than_the_largest(web: Web) -> None:
    """Whatever is asked of the view itself, a page has at most the largest number of items."""
    page = await Views(web.service).events("alice", 0, LARGEST * 10)

    assert page is not None
    assert len(page.items) <= LARGEST
