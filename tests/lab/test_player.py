"""The player is fair: it reports theft where a policy allows it, and acts for thief and owner as the format says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.lab.telling import ACCOUNT, COLD, DEFAULT, HEAD, LAPTOP, THIEF, closing, policy, step, told

from holdback.core.events import DAY, HOUR, MINUTE
from holdback.lab.playbooks import PlaybookError
from holdback.lab.player import play

if TYPE_CHECKING:
    from pathlib import Path

WATCHFUL = '[owner]\nreads = ["email"]\nreacts_after = "2h"\n'


def payment(usd: int, to: str, kind: str = "withdrawal") -> str:
    """The fields of an exit."""
    return f'kind = "{kind}", usd = {usd}, address = "{to}"'


HASTY = policy(
    "hasty",
    waits=dict.fromkeys(DEFAULT.waits.__struct_fields__, 1),
    cool_offs=dict.fromkeys(DEFAULT.cool_offs.__struct_fields__, 1),
    outflow={
        "others_day_percent": 100,
        "others_month_percent": 100,
        "over_budget_senior_h": 1,
        "over_budget_others_h": 1,
    },
)
"""As hasty as the relations between a policy's numbers permit."""


def test_a_hasty_policy_is_robbed() -> None:
    """The same theft that the default policy stops succeeds, and is counted, under a policy that hardly waits."""
    theft = (THIEF, step("0m", "attacker", "exit.request", fields=payment(90_000, "drop")), WATCHFUL)
    assert told(*theft, under=HASTY).measures["stolen_usd"] == 90_000
    stopped = told(*theft)
    assert stopped.measures["stolen_usd"] == 0
    assert [one.what for one in stopped.others] == ["account.freeze by link"]


def test_an_owner_asleep_is_robbed_in_the_end() -> None:
    """Waits buy time for someone; where nobody uses it, the payment goes at its time and the story says so."""
    story = told(THIEF, step("0m", "attacker", "exit.request", fields=payment(3_000, "drop")))
    assert story.steps[0].reasons == ("cooling_off", "destination_new")
    assert [(one.at, one.decision) for one in story.others] == [(72 * HOUR, "allow")]
    assert story.measures["stolen_usd"] == 3_000
    assert story.measures["notices_before_first_exit"] == 2


def test_nothing_is_counted_after_the_horizon() -> None:
    """A payment released after the horizon was not stolen within the story; one released just then was."""
    wish = (THIEF, step("0m", "attacker", "exit.request", fields=payment(3_000, "drop")))
    assert told(*wish, '[expect]\nhorizon = "71h59m"').measures["stolen_usd"] == 0
    assert told(*wish, '[expect]\nhorizon = "72h"').measures["stolen_usd"] == 3_000


def test_a_missed_expectation_is_told() -> None:
    """Each measure outside its bounds is a miss, and so is a step that was answered otherwise than wanted."""
    story = told(
        THIEF,
        step("0m", "attacker", "exit.request", fields=payment(3_000, "drop"), want='"allow"'),
        "[expect]\nstolen_usd = { max = 10 }\nchannels_noticed = 5\nowner_step_ups = { min = 1 }",
    )
    assert not story.passed
    assert story.steps[0].missed
    assert [miss.split(" is ")[0] for miss in story.misses[1:]] == ["stolen_usd", "channels_noticed", "owner_step_ups"]


def test_a_step_behind_the_horizon_is_a_miss() -> None:
    """A step that the horizon cuts off was not tested, and the story says so."""
    story = told(step("0m", "owner", "session.start", repeat='{ times = 3, every = "1d" }'), '[expect]\nhorizon = "1d"')
    assert len(story.steps) == 2
    assert story.misses == ("step 1, session.start: was not played to its end before the horizon",)


def test_payments_in_the_book_are_not_theft() -> None:
    """What a thief sends to where the owner's money has always gone is not stolen."""
    story = told(THIEF, step("0m", "attacker", "exit.request", fields=payment(500, "cold")))
    assert story.others[-1].decision == "allow"
    assert story.measures["stolen_usd"] == 0


def test_intercepted_channels_reach_nobody() -> None:
    """A notice on a channel that the thief holds neither counts as delivered nor wakes the owner."""
    thief = THIEF.replace('"totp"', '"totp", "email"')
    wish = step("0m", "attacker", "exit.request", fields=payment(500, "drop"))
    story = told(thief, WATCHFUL, wish)
    assert story.measures["channels_noticed"] == 2
    assert [one.what for one in story.others] == ["exit.release withdrawal 500 drop"]


def test_a_tricked_owner_ignores_notices() -> None:
    """An owner on the telephone with a thief pays him, does not react, and it is theft."""
    story = told(
        '[attacker]\nholds = ["tricked_owner"]',
        WATCHFUL,
        step("0m", "owner", "exit.request", fields=payment(3_000, "drop")),
    )
    assert story.measures["stolen_usd"] == 3_000
    assert story.measures["owner_delayed_hours"] == 0


def test_the_owner_reacts_again_after_a_thaw() -> None:
    """An owner whose freeze was taken off by the thief freezes again when he is told of that."""
    story = told(
        THIEF,
        WATCHFUL,
        step("0m", "attacker", "session.start"),
        step("3h", "attacker", "account.unfreeze"),
    )
    freezes = [one.at for one in story.others if one.what.startswith("account.freeze")]
    assert freezes == [2 * HOUR, 77 * HOUR]


def test_held_payments_keep_their_owner_waiting() -> None:
    """An honest payment waits from its request to its release, to the horizon if it was refused, or until given up."""
    big = step("0m", "owner", "exit.request", fields=payment(150_000, "cold"))
    assert told(big).measures["owner_delayed_hours"] == 24
    frozen = step("0m", "owner", "account.freeze")
    late = step("1h", "owner", "exit.request", fields=payment(10, "cold"))
    assert told(frozen, late, '[expect]\nhorizon = "5h"').measures["owner_delayed_hours"] == 4
    given_up = step("2h", "owner", "exit.cancel", fields='which = "last"')
    assert told(big, given_up).measures["owner_delayed_hours"] == 2


def test_a_wanted_refusal_keeps_nobody_waiting() -> None:
    """A refusal that the story itself wants is not a delay."""
    frozen = step("0m", "owner", "account.freeze")
    wanted = step("1h", "owner", "exit.request", fields=payment(10, "cold"), want='"deny"')
    assert told(frozen, wanted).measures["owner_delayed_hours"] == 0


def test_signing_in_unasked_is_not_counted() -> None:
    """A sign-in that the story does not tell costs the owner no counted step-up; one it tells does."""
    pay = step("5m", "owner", "exit.request", fields=payment(10, "cold"))
    assert told(pay).measures["owner_step_ups"] == 1
    assert told(step("0m", "owner", "session.start"), pay).measures["owner_step_ups"] == 2


def test_a_failed_sign_in_is_the_steps_answer() -> None:
    """Who cannot sign in gets the sign-in's answer for whatever he wanted."""
    story = told(
        '[attacker]\nholds = ["password"]\ndevice = "new"',
        step("0m", "attacker", "address.add", fields='name = "drop", network = "bitcoin"'),
    )
    assert (story.steps[0].decision, story.steps[0].reasons) == ("step_up", ("proof_required",))


def test_a_replaced_password_is_worthless_to_who_knew_the_old_one() -> None:
    """After the owner changes the password a thief with the old one no longer signs in; malware does."""
    change = step("0m", "owner", "password.change")
    sign_in = step("1h", "attacker", "session.start")
    assert told(THIEF, change, sign_in).steps[1].decision == "step_up"
    malware = '[attacker]\nholds = ["own_device"]\ndevice = "laptop"'
    assert told(malware, change, sign_in).steps[1].decision == "allow"


def test_who_binds_an_authenticator_holds_it() -> None:
    """A thief's own authenticator signs in for him, and the owner's new one does not."""
    thief = '[attacker]\nholds = ["password", "sms"]\ndevice = "new"'
    account = (ACCOUNT + LAPTOP).replace('"totp"', '"sms"')
    bind = step("0m", "attacker", "authenticator.bind", fields='kind = "totp"')
    late = step("73h", "attacker", "authenticator.remove", fields='kind = "sms"')
    assert [one.decision for one in told(thief, bind, late, account=account).steps] == ["allow", "hold"]
    owners = step("0m", "owner", "authenticator.bind", fields='kind = "totp"')
    assert [one.decision for one in told(thief, owners, late, account=account).steps] == ["allow", "step_up"]


def test_a_stolen_cookie_is_kept_alive_until_it_must_end() -> None:
    """A thief uses a stolen session for as long as it can live, and has nothing afterwards."""
    cookie = '[attacker]\nholds = ["session_cookie"]\ndevice = "new"'
    remove = 'name = "cold", network = "bitcoin"'
    early = step("22h", "attacker", "address.remove", fields=remove)
    late = step("24h", "attacker", "address.remove", fields=remove)
    assert told(cookie, early).steps[0].decision == "allow"
    assert told(cookie, late).steps[0].decision == "step_up"


def test_a_thief_with_a_contact_code_confirms_only_his_own() -> None:
    """A code that was sent to the owner's mailbox helps who reads that mailbox."""
    confirm = step("0m", "attacker", "contact.confirm", fields='channel = "email"')
    assert told(THIEF, confirm).steps[0].reasons == ("proof_required",)
    assert told(THIEF.replace('"totp"', '"totp", "email"'), confirm).steps[0].decision == "allow"


def test_an_early_release_needs_a_witness() -> None:
    """The owner ends a hold early with a code from a contact that took no part; who cannot read one does not."""
    big = step("0m", "owner", "exit.request", fields=payment(150_000, "cold"))
    release = step("1h", "owner", "exit.release", fields='which = "last"', want='"allow"')
    assert told(big, release).measures["owner_delayed_hours"] == 1
    malware = '[attacker]\nholds = ["own_device"]\ndevice = "laptop"'
    thieves = step("1h", "attacker", "exit.release", fields='which = "last"')
    assert told(malware, big, thieves).steps[1].reasons == ("proof_required",)


def test_loosenings_take_effect_by_themselves() -> None:
    """A waiting loosening is carried out at its instant without anybody asking again."""
    listed = ACCOUNT + "allowlist = true\n" + LAPTOP + COLD
    off = step("0m", "owner", "allowlist.set", fields="on = false", id='"off"')
    pay = step("73h", "owner", "exit.request", fields=payment(50, "friend"))
    assert told(off, pay, account=listed).steps[1].reasons == ("instant_lane",)
    cancel = step("1h", "owner", "change.cancel", fields='which = "off"')
    assert told(off, cancel, pay, account=listed).steps[2].reasons == ("not_on_allowlist",)


def test_transfers_arrive_at_another_customer() -> None:
    """Whom a transfer names exists on the platform; the own account is not another's."""
    transfer = 'kind = "internal_transfer", usd = 50, counterparty = "{}"'
    friend = step("0m", "owner", "exit.request", fields=transfer.format("friend"))
    assert told(friend).steps[0].reasons == ("instant_lane",)
    own = step("0m", "owner", "exit.request", fields=transfer.format("main"))
    assert told(own).steps[0].reasons == ("bad_field",)


def test_sweeps_stay_in_the_family() -> None:
    """What moves between a customer's own accounts is not stolen, whoever moves it."""
    sweep = 'kind = "sweep", usd = 20_000, counterparty = "main"'
    family = ACCOUNT + "sub_accounts = 1\n" + LAPTOP
    thief = '[attacker]\nholds = ["own_device"]\ndevice = "laptop"'
    story = told(thief, step("0m", "attacker", "exit.request", fields=sweep, account='"sub-1"'), account=family)
    assert story.steps[0].decision == "allow"
    assert story.measures["stolen_usd"] == 0


def test_the_platform_can_do_what_the_platform_may() -> None:
    """A thief with the platform's key asks as the platform where an owner may not ask, and is no owner."""
    thief = '[attacker]\nholds = ["platform_key"]\ndevice = "new"'
    story = told(
        thief,
        step("0m", "attacker", "account.import"),
        step("1m", "attacker", "exit.request", fields=payment(50, "drop")),
    )
    assert [one.reasons for one in story.steps] == [("already_exists",), ("not_entitled",)]


def test_keys_and_staff_are_not_the_owner() -> None:
    """What comes by an API key or from staff is asked as what it is."""
    keys = ACCOUNT + LAPTOP + '[[account.api_keys]]\nname = "bot"\ncreated = "-9d"\nscopes = ["trade"]\n'
    story = told(
        step("0m", "owner", "exit.request", via='"bot"', fields=payment(50, "drop")),
        step("1m", "support", "contact.remove", fields='channel = "sms"'),
        step("2m", "agency", "account.freeze"),
        step("3m", "platform", "session.end_all"),
        step("4m", "legal_1", "legal.approve"),
        account=keys,
    )
    assert [one.reasons[0] for one in story.steps] == ["api_key_scope", *["not_entitled"] * 3, "not_found"]
    assert story.not_available == ()


def test_repetitions_interleave_by_time() -> None:
    """Steps and their repetitions happen in order of time; at one instant, in the order of the file."""
    story = told(
        step("0m", "owner", "session.start", repeat='{ times = 3, every = "10m" }'),
        step("10m", "owner", "session.end"),
        step("15m", "owner", "session.start"),
    )
    assert [(one.at // MINUTE, one.number) for one in story.steps] == [(0, 1), (10, 1), (10, 2), (15, 3), (20, 1)]


def test_files_are_played_in_order(tmp_path: Path) -> None:
    """Each file is one story and one result; one that cannot be used stops them all."""
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text(HEAD + ACCOUNT)
    bad.write_text(HEAD)
    assert [one.id for one in play([good, good], DEFAULT)] == ["a-story", "a-story"]
    with pytest.raises(PlaybookError, match=r"bad\.toml"):
        play([good, bad], DEFAULT)


def test_a_young_account_is_what_it_is() -> None:
    """An account opened yesterday has nothing senior, and no story makes it older than it is."""
    young = (
        ACCOUNT.replace("-400d", "-1d")
        + "usual_withdrawal_usd = 90\n"
        + COLD.replace("-200d", "-20h").replace("-20d", "-2h")
    )
    story = told(step("0m", "owner", "exit.request", fields=payment(50, "cold")), account=young)
    assert story.steps[0].reasons == ("no_senior_authenticator",)


def test_a_past_that_a_policy_forbids_is_an_error() -> None:
    """A past that a policy would have refused cannot be played under it, and the refused action is named."""
    with pytest.raises(PlaybookError, match=r"exit\.request to `cold` at -20d was refused: exit_kind_closed"):
        told(under=closing("withdrawal"))


def test_an_owner_no_one_can_tell_has_no_story() -> None:
    """An account whose only contact is the platform's own app cannot be imported, so no story is about one."""
    with pytest.raises(PlaybookError, match=r"account\.import at -400d was refused: bad_field"):
        told(account=ACCOUNT.replace('"email", "sms", "push"', '"push"'))


def test_every_policy_wait_has_a_past() -> None:
    """A past with habits, lists, locks and entries of every kind is made under the default policy."""
    full = (
        ACCOUNT.replace('"totp"', '"totp", "passkey", "sms", "email", "backup_code"')
        + 'sub_accounts = 2\nallowlist = true\nlock_hours = 100\nusual_withdrawal_usd = 900\nusual_every = "7d"\n'
        + LAPTOP
        + COLD
        + "".join(
            f'[[account.address_book]]\nname = "{name}"\nnetwork = "{name}"\nadded = "-90d"\n{rest}\n'
            for name, rest in [
                ("bank", 'last_used = "-7d"'),
                ("internal", 'verified = "-50d"'),
                ("p2p", ""),
                ("card", ""),
            ]
        )
    )
    pay = step("0m", "owner", "exit.request", fields=payment(900, "bank", "fiat_payout"))
    assert told(pay, account=full).steps[0].reasons == ("proved",)


def test_usual_payments_are_a_habit() -> None:
    """A usual withdrawal of the past makes such an amount usual at t0, even to who is not in the book any more."""
    habit = ACCOUNT + "usual_withdrawal_usd = 4_000\n" + LAPTOP + COLD.replace("last_used", "verified")
    story = told(
        '[owner]\ndevice = "new phone"',
        step("0m", "owner", "session.start"),
        step("1m", "owner", "exit.request", fields=payment(5_900, "cold")),
        step("2m", "owner", "exit.request", fields=payment(6_100, "cold")),
        account=habit,
    )
    assert [one.reasons for one in story.steps[1:]] == [("proved",), ("cooling_off",)]
    assert story.steps[2].until == DAY


def test_a_story_binds_a_passkey() -> None:
    """A new passkey is registered and confirmed, and what pays at once is held until it has ripened."""
    pay = {"fields": payment(900, "cold")}
    story = told(
        step("0m", "owner", "authenticator.bind", fields='kind = "passkey"'),
        step("1h", "owner", "exit.request", **pay),
        step("4d", "owner", "exit.request", **pay),
        account=ACCOUNT + LAPTOP + COLD,
    )
    assert [one.decision for one in story.steps] == ["allow", "hold", "allow"], story
