"""Pages of the Security Center in states that take days or other people to come about, in every language."""

from __future__ import annotations

from typing import Any, Final

import pytest
from msgspec.structs import replace

from holdback.answers import ReasonForm
from holdback.views import ApiKeyForm, HeldForm, HoldsPage, OrderForm, SaleForm
from holdback.web.dressing import LANGUAGES, TONGUES
from holdback.web.visitors import Visitor

NOW: Final = "2026-11-22T09:00:00.000Z"
LATER: Final = "2026-11-23T09:00:00.000Z"
COMMON: Final[dict[str, Any]] = {
    "visitor": Visitor("alice", "token", bound=False),
    "home": "/center",
    "key": "k",
    "phrase": "amber anchor apple",
}
ACCOUNT: Final[dict[str, Any]] = {
    "at": NOW, "freeze": None, "orders": (), "incident": None, "recovery": None, "changes": (), "sessions": (),
    "api_keys": (), "targeted_until": None, "holds": 0, "authenticators": (), "contacts": (), "loosens_at": {},
}  # fmt: skip
SALE: Final = HeldForm(
    id="x7", account="alice", kind="p2p_sale", asset="BTC", amount="1", usd="60000", beneficiary="p2p", address=None,
    counterparty="bob", asked_at=NOW, release_at=None, memo=None, sale=SaleForm("locked", LATER),
)  # fmt: skip
KEY: Final = ApiKeyForm(
    id="k3", account="alice", scopes=("read", "trade"), created_at=NOW, usable_from=NOW, expires_at=LATER, listed=False,
    suspended=False, dormant=True, used_at=None, trades_until=LATER, name="<b>bot</b>",
)  # fmt: skip


def said(language: str, template: str, **shown: object) -> str:
    """A page as it is sent."""
    return TONGUES[language].page(template, COMMON | {"account": ACCOUNT} | shown).decode()


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_a_sale_says_whose_move_it_is(language: str) -> None:
    """A locked sale can be called off or handed over, a paid one disputed or handed over, a disputed one neither."""
    moves = {}
    for state in ("locked", "paid", "disputed"):
        held = replace(SALE, sale=SaleForm(state, LATER if state == "locked" else None))
        text = said(language, "center/holds.html", page=HoldsPage((held,), None))
        moves[state] = [one for one in ("exit.cancel", "exit.release") if f'value="{one}"' in text]
    assert moves == {"locked": ["exit.cancel", "exit.release"], "paid": ["exit.cancel", "exit.release"], "disputed": []}
    paid = replace(SALE, sale=SaleForm("paid", None))
    assert TONGUES[language].say("The money is not there: dispute it") in said(
        language, "center/holds.html", page=HoldsPage((paid,), None)
    )


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_the_second_of_a_vault_is_asked_for(language: str) -> None:
    """A payment that only the vault's second person can let go offers to show that code, and no other way."""
    reason = ReasonForm("vault_approval", "Show the code of the second person.", ("exit.release",), None, "approver")
    early = ReasonForm("no_senior_contact", "Wait.", ("time",), None, "")
    held = replace(SALE, sale=None, reasons=(reason,), not_early=early)
    text = said(language, "center/holds.html", page=HoldsPage((held,), None))
    assert TONGUES[language].say("Show the second person's code") in text.replace("&#39;", "'")
    assert TONGUES[language].say("Let it go now") not in text


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_what_others_stop_and_what_sleeps_stands_first(language: str) -> None:
    """An authority's order and a key that sleeps stand before the score, and names of others stay text."""
    order = OrderForm("lr4", "police", NOW, LATER)
    account = ACCOUNT | {"orders": (order,), "api_keys": (KEY,), "targeted_until": LATER}
    text = said(language, "center/home.html", account=account, checkup={"score": 40, "steps": ()})
    score = text.index('class="score"')
    for one in ("police", "&lt;b&gt;bot&lt;/b&gt;", TONGUES[language].say("See your API keys")):
        assert 0 < text.index(one) < score, one
    assert "<b>bot" not in text
