"""The project's own stories, in `playbooks/`, come out as they say, and for the reasons that they are about."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.lab.telling import DEFAULT, policy

from holdback.lab.people import OWNER
from holdback.lab.playbooks import Exit, PlaybookError, parse, read
from holdback.lab.player import play, play_story

if TYPE_CHECKING:
    from holdback.lab.report import StepResult

PLAYBOOKS: Final = Path(__file__).parents[2] / "playbooks"
STORIES: Final = {path.stem: path for path in sorted(PLAYBOOKS.glob("*.toml"))}
HONEST: Final = [name for name in STORIES if name.startswith("honest-")]

FROZEN_BY_LINK: Final = "account.freeze by link"

WHY: Final[dict[str, list[tuple[int, tuple[str, ...]]]]] = {
    "bought-file-meets-the-mailbox": [
        (0, ("proof_required",)),
        (1, ("evidence_required",)),
        (4, ("proof_required",)),
        (5, ("proof_required",)),
        (6, ("proof_required",)),
        (7, ("not_found",)),
    ],
    "bought-reviewer-attests": [
        (1, ("evidence_required",)),
        (4, ("recovery_waits",)),
        (5, ("recovery_waits",)),
        (6, ("recovery_waits",)),
        (7, ("tightening",)),
        (8, ("not_found",)),
    ],
    "forged-papers-then-a-face": [
        (1, ("agency_unknown",)),
        (2, ("agency_unknown",)),
        (3, ("tightening",)),
        (4, ("not_found",)),
        (9, ("recovery_waits",)),
        (10, ("not_found",)),
    ],
    "bought-officer-asks-for-all": [
        (0, ("field_refused", "call_back_required")),
        (3, ("approval_required",)),
        (5, ("no_harm",)),
        (7, ("evidence_burned",)),
        (8, ("evidence_burned",)),
        (9, ("evidence_required",)),
    ],
    "lawful-freeze-order": [
        (6, ("under_order",)),
        (7, ("not_found",)),
        (8, ("second_person_required",)),
        (9, ("under_order",)),
        (11, ("proved",)),
    ],
    "honest-lost-phone": [
        (3, ("review_required",)),
        (4, ("recovery_waits",)),
        (5, ("recovered_lately",)),
        (6, ("ripens_later",)),
        (7, ("recovered_lately",)),
    ],
    "address-added-and-emptied": [
        (1, ("ripens_later",)),
        (2, ("cooling_off", "destination_new", "over_budget")),
        (3, ("cooling_off", "destination_new")),
        (4, ("frozen",)),
    ],
    "p2p-in-slices": [
        (0, ("stranger_cap",)),
        (1, ("proved",)),
        (2, ("stranger_cap",)),
        (3, ("destination_new",)),
        (4, ("frozen",)),
    ],
    "p2p-stopped-after-payment": [
        (0, ("sale_locked",)),
        (1, ("sale_locked",)),
        (2, ("sale_locked",)),
        (4, ("sale_disputed",)),
        (5, ("not_found",)),
        (6, ("not_found",)),
        (7, ("sale_disputed",)),
        (8, ("second_person_required",)),
        (9, ("second_person_required",)),
        (10, ("not_entitled",)),
        (11, ("proved",)),
    ],
    "honest-seller": [
        (0, ("sale_locked",)),
        (2, ("proved",)),
        (7, ("sale_disputed",)),
        (8, ("sale_disputed",)),
        (9, ("not_found",)),
        (10, ("second_person_required",)),
        (11, ("proved",)),
    ],
    "eight-doors": [
        (1, ("cooling_off", "destination_new", "over_budget")),
        (2, ("cooling_off", "destination_new")),
        (3, ("cooling_off", "destination_new")),
        (4, ("cooling_off", "destination_new")),
        (5, ("cooling_off", "destination_new")),
        (6, ("cooling_off", "destination_new")),
        (7, ("cool_off_closes",)),
        (8, ("exit_kind_closed",)),
        (10, ("frozen",)),
    ],
    "vault-holds-the-rest": [
        (0, ("tightening",)),
        (1, ("in_vault", "vault_approval")),
        (2, ("loosening_waits",)),
        (3, ("loosening_waits",)),
        (4, ("proof_required",)),
        (5, ("frozen",)),
    ],
    "traded-out-of-the-vault": [
        (0, ("tightening",)),
        (3, ("no_harm",)),
        (4, ("in_vault",)),
        (14, ("in_vault",)),
        (15, ("no_harm",)),
    ],
    "stranger-in-the-allowlist": [
        (0, ("not_on_allowlist",)),
        (1, ("loosening_waits",)),
        (2, ("ripens_later",)),
        (3, ("cooling_off", "destination_new", "over_budget")),
        (4, ("frozen",)),
    ],
    "new-password-then-out": [
        (1, ("no_senior_authenticator", "cooling_off", "destination_new")),
        (2, ("no_senior_authenticator", "cooling_off", "destination_new", "over_budget")),
        (3, ("cooling_off",)),
        (4, ("frozen",)),
    ],
    "swapped-sim-own-contact": [
        (2, ("ripens_later",)),
        (3, ("loosening_waits",)),
        (4, ("cooling_off", "destination_new", "over_budget")),
        (5, ("frozen",)),
        (6, ("loosening_waits",)),
    ],
    "swapped-sim-own-app": [
        (2, ("last_one",)),
        (4, ("cooling_off", "destination_new")),
        (5, ("senior_beneficiary_required",)),
        (6, ("frozen",)),
        (7, ("loosening_waits",)),
    ],
    "recycled-number": [
        (2, ("no_senior_authenticator",)),
        (3, ("not_found",)),
        (4, ("ripens_later",)),
        (5, ("frozen",)),
        (6, ("no_senior_authenticator",)),
    ],
    "authenticator-removed-in-silence": [
        (1, ("ripens_later",)),
        (2, ("loosening_waits",)),
        (3, ("cooling_off", "destination_new", "over_budget")),
        (4, ("frozen",)),
    ],
    "stolen-phone": [
        (1, ("destination_new", "over_budget")),
        (2, ("proved",)),
        (3, ("destination_new",)),
        (8, ("frozen",)),
    ],
    "malware-and-an-owner-awake": [(1, ("destination_new",)), (2, ("loosening_waits",)), (3, ("frozen",))],
    "contact-flood": [
        (5, ("too_many",)),
        (8, ("too_many",)),
        (9, ("cooling_off", "destination_new")),
        (48, ("too_many",)),
    ],
    "same-exchange-other-memo": [
        (1, ("proved",)),
        (2, ("destination_new",)),
        (3, ("destination_new",)),
        (4, ("ripens_later",)),
        (5, ("destination_new",)),
    ],
    "poisoned-history": [(1, ("look_alike",)), (2, ("destination_new", "over_budget"))],
    "sent-to-a-mule-inside": [
        (1, ("proved",)),
        (2, ("sender_not_stopped",)),
        (3, ("not_entitled",)),
        (4, ("second_person_required",)),
        (5, ("second_person_required",)),
        (6, ("proved",)),
        (8, ("not_found",)),
    ],
    "traded-to-a-mule-inside": [
        (1, ("sender_not_stopped",)),
        (3, ("over_trade_limit",)),
        (4, ("sender_not_stopped",)),
        (5, ("second_person_required",)),
        (6, ("proved",)),
        (8, ("not_found",)),
    ],
    "mule-inside": [
        (0, ("received_lately",)),
        (1, ("received_lately", "not_yet_due")),
        (2, ("destination_new", "over_budget", "received_lately")),
        (3, ("received_lately", "not_yet_due")),
    ],
    "three-victims-into-one-cluster": [
        (1, ("received_lately",)),
        (2, ("received_lately", "not_yet_due")),
        (3, ("destination_new", "received_lately")),
        (4, ("received_lately", "not_yet_due")),
    ],
    "honest-maker-and-throwaways": [(0, ("proved",))],
    "honest-paid-by-a-customer": [(0, ("received_lately",)), (1, ("proved",))],
    "one-mule-many-accounts": [(1, ("destination_shared",)), (2, ("destination_shared",))],
    "copied-from-the-history": [(0, ("look_alike_deposit",)), (1, ("look_alike_deposit",))],
    "signer-down-at-night": [(1, ("proved",)), (2, ("proved",)), (4, ("not_found",))],
    "listed-while-it-waits": [(1, ("destination_listed",)), (2, ("not_found",))],
    "stolen-cookie": [(0, ("proof_required",)), (1, ("tightening",)), (9, ("proof_required",))],
    "malware-many-thin-pairs": [
        (0, ("no_harm",)),
        (4, ("over_trade_limit",)),
        (5, ("trading_closed",)),
        (10, ("over_trade_limit",)),
    ],
    "twenty-accounts-at-once": [
        (26, ("proved",)),
        (27, ("breaker_tripped",)),
        (39, ("breaker_tripped",)),
        (40, ("second_person_required",)),
    ],
    "one-address-for-twenty": [
        (0, ("ripens_later",)),
        (20, ("destination_shared",)),
        (39, ("destination_shared", "destination_new")),
    ],
    "forty-small-thefts": [(65, ("proved",)), (66, ("breaker_tripped",)), (79, ("breaker_tripped",))],
    "mules-bank-account": [
        (0, ("ripens_later",)),
        (1, ("cooling_off", "destination_new")),
        (2, ("cooling_off",)),
        (3, ("frozen",)),
    ],
    "gifts-by-the-dozen": [
        (0, ("instant_lane",)),
        (1, ("destination_new",)),
        (3, ("destination_new",)),
        (4, ("frozen",)),
    ],
    "redeemed-to-a-stranger": [
        (0, ("cooling_off", "destination_new", "over_budget")),
        (1, ("cooling_off", "destination_new")),
        (2, ("cooling_off", "destination_new")),
        (3, ("frozen",)),
    ],
    "sub-accounts-into-one": [
        (1, ("no_harm",)),
        (3, ("proved",)),
        (4, ("over_budget",)),
        (5, ("over_budget",)),
        (6, ("frozen",)),
    ],
    "key-made-by-malware": [
        (0, ("bad_field",)),
        (1, ("ripens_later",)),
        (2, ("api_key_new",)),
        (3, ("destination_new",)),
        (4, ("destination_new",)),
        (5, ("frozen",)),
    ],
    "robbed-but-for-the-key": [(1, ("no_harm",)), (3, ("loosening_waits",)), (4, ("api_key_suspended",))],
    "honest-run-on-the-platform": [(58, ("proved",)), (59, ("proved",))],
    "honest-breaker-tripped-in-vain": [
        (18, ("proved",)),
        (19, ("breaker_tripped",)),
        (20, ("second_person_required",)),
        (21, ("second_person_required",)),
        (22, ("proved",)),
        (23, ("not_found",)),
        (33, ("proved",)),
    ],
    "honest-redemption": [(1, ("proved",))],
    "honest-sub-accounts": [(1, ("no_harm",)), (7, ("no_harm",)), (8, ("proved",))],
    "honest-bot": [(0, ("no_harm",)), (20, ("proved",)), (21, ("tightening",)), (22, ("api_key_wrong",))],
    "honest-vault-and-a-second-person": [
        (0, ("tightening",)),
        (1, ("proved",)),
        (2, ("over_budget", "in_vault", "vault_approval")),
        (3, ("over_budget", "in_vault", "not_yet_due")),
    ],
    "honest-maker-on-a-crash-day": [(1, ("no_harm",)), (79, ("proved",))],
    "honest-payday": [(1, ("proved",))],
    "honest-new-handset": [(2, ("proved",)), (3, ("loosening_waits",)), (4, ("proved",))],
    "honest-new-laptop": [(1, ("proved",)), (2, ("cooling_off", "destination_new"))],
    "honest-cold-wallet": [(0, ("ripens_later",)), (1, ("instant_lane",)), (2, ("proved",))],
    "honest-house-purchase": [(1, ("over_budget",)), (2, ("proved",))],
    "honest-false-alarm": [(1, ("frozen",)), (2, ("loosening_waits",)), (3, ("proved",))],
    "honest-new-mailbox": [(2, ("loosening_waits",)), (3, ("proved",)), (4, ("proved",))],
    "honest-new-number": [(3, ("no_senior_authenticator",)), (4, ("proved",))],
    "honest-new-password": [(2, ("cooling_off",)), (3, ("proved",))],
}
"""By story: place of a step's answer, and the reasons it must have, the most important first."""


@pytest.mark.parametrize("name", STORIES)
def test_story(name: str) -> None:
    """A story of ours meets what it expects, for the reasons it was written about."""
    (story,) = play([STORIES[name]], DEFAULT)
    assert story.misses == ()
    steps: tuple[StepResult, ...] = story.steps
    assert [(place, steps[place].reasons) for place, _ in WHY[name]] == WHY[name]


@pytest.mark.parametrize("name", STORIES)
def test_story_is_named_after_its_file(name: str) -> None:
    """A story's id is its file's name, so that a report leads to it."""
    assert read(STORIES[name]).id == name


DOORS: Final = {
    "withdrawal": "address-added-and-emptied",
    "fiat_payout": "mules-bank-account",
    "gift": "gifts-by-the-dozen",
    "p2p_sale": "p2p-in-slices",
    "redemption": "redeemed-to-a-stranger",
    "sweep": "sub-accounts-into-one",
    "api_key.create": "key-made-by-malware",
    "order.place": "malware-many-thin-pairs",
    "vault.set": "vault-holds-the-rest",
    "address.add": "one-mule-many-accounts",
}
"""A story of ours for each door: the kind of exit, or the action, that a thief tries in it."""


@pytest.mark.parametrize("door", DOORS)
def test_every_door_has_a_story(door: str) -> None:
    """At each door stands a story in which a thief tries it, and which says how much he gets by it."""
    story = read(STORIES[DOORS[door]])
    tried = {step.fields.kind if isinstance(step.fields, Exit) else step.do for step in story.steps if step.by != OWNER}
    assert door in tried
    assert story.expect.stolen_usd is not None


@pytest.mark.parametrize("name", STORIES)
def test_nothing_that_a_story_needs_is_missing(name: str) -> None:
    """What an honest owner wants can be had today, and no thief is stopped by what is not built."""
    (story,) = play([STORIES[name]], DEFAULT)
    assert story.not_available == ()


def test_every_attack_is_listed() -> None:
    """The table of stories says of each attack what it is about, and of none that is not there."""
    listed = re.findall(r"^\| ([a-z0-9-]+) \|", (PLAYBOOKS / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(["attack", *(set(STORIES) - set(HONEST))])


@pytest.mark.parametrize(
    "name",
    [
        "address-added-and-emptied",
        "eight-doors",
        "stranger-in-the-allowlist",
        "new-password-then-out",
        "swapped-sim-own-contact",
        "swapped-sim-own-app",
        "recycled-number",
        "authenticator-removed-in-silence",
        "stolen-phone",
        "malware-and-an-owner-awake",
        "contact-flood",
        "mules-bank-account",
        "gifts-by-the-dozen",
        "redeemed-to-a-stranger",
        "sub-accounts-into-one",
        "key-made-by-malware",
        "twenty-accounts-at-once",
        "forty-small-thefts",
        "one-address-for-twenty",
        "sent-to-a-mule-inside",
        "traded-to-a-mule-inside",
    ],
)
def test_owner_has_the_last_word(name: str) -> None:
    """In these stories the thief is stopped by an owner who was told in time."""
    (story,) = play([STORIES[name]], DEFAULT)
    assert FROZEN_BY_LINK in {one.what for one in story.others}


OTHER_WORLDS: Final = {
    "honest-maker-and-throwaways": ("-20d", "-40d", 0, "hold"),
    "three-victims-into-one-cluster": ('at = "40m"', 'at = "6h"', 2, "allow"),
}
"""A story about victims, what is changed in it, and what the answer to one of its steps then is."""


@pytest.mark.parametrize("name", OTHER_WORLDS)
def test_who_is_a_victim_decides(name: str) -> None:
    """Of three who are older the maker's gains stay; of three who were not robbed within the hour nothing does."""
    before, after, number, decision = OTHER_WORLDS[name]
    text = STORIES[name].read_text()
    assert before in text
    told = play_story(parse(text.replace(before, after), "story.toml"), DEFAULT)
    assert told.steps[number].decision == decision, "what had gone already gets a fresh receipt"


def test_a_trade_that_is_refused_tells_no_story() -> None:
    """Who is to have lost something in a story must have been able to."""
    text = STORIES["honest-maker-and-throwaways"].read_text()
    closed = policy("tight", trades={"raw_hour_percent": 0, "hour_percent": 0})
    with pytest.raises(PlaybookError, match="throwaway 1"):
        play_story(parse(text, "story.toml"), closed)
