"""How unlike the owner a sign-in is: its terms, what may follow from them, and what a thief cannot teach."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.core.histories import (
    EMAIL,
    PASSWORD,
    POLICY,
    TOTP,
    Account,
    codes,
    grown,
    kind_of,
    policy_with,
)

from holdback.core import decide
from holdback.core import events as ev
from holdback.core.decision import Context, Reason, Seen, StepUp
from holdback.core.events import DAY, ENCODER, HOUR, Actor, ActorKind, Channel
from holdback.core.policy import PolicyError
from holdback.core.profile import EMPTY, KEPT, MOST, WAITING, Profile, caught_up, signed_in
from holdback.core.risk import PLACE, Circumstances, Feature, Score, score
from holdback.core.rules.account import AccountFreeze
from holdback.core.rules.session import SessionStart
from holdback.core.state import PROFILE

if TYPE_CHECKING:
    from holdback.core.decision import Decision
    from holdback.core.rules.asking import Request

OWNER: Final = Actor(ActorKind.OWNER)
PROOFS: Final = ("a1-1", "a1-2")
HOME: Final = Seen((1, 2, 3, 4), (5, 6, 7), "NO", 2, "unlisted")
AWAY: Final = Seen((11, 12, 13, 14), (15, 16, 17), "BR", 12, "tor")
RISK: Final = POLICY.risk
HALF_LIFE: Final = RISK.half_life_d * DAY
QUIET: Final = RISK.quiet_d * DAY
NOON: Final = 20_000 * DAY + 12 * HOUR


def habit(times: int = 20, *, values: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7), device: int = 0) -> Profile:
    """An owner who signed in so often, all alike, a day apart, the last one a fortnight ago."""
    profile = EMPTY
    for day in range(times):
        at = NOON - (times + 14 - day) * DAY
        profile = signed_in(caught_up(profile, at, 0, HALF_LIFE), at, values, device, QUIET)
    return caught_up(profile, NOON, 0, HALF_LIFE)


def judged(seen: Seen = HOME, device: int | None = 0, profile: Profile | None = None, **changed: Any) -> Score:  # noqa: ANN401 - fields of `Circumstances`
    """The score of a sign-in at noon that is like the owner's but for what is said here."""
    what = Circumstances(NOON, seen, device, 0, NOON - 400 * DAY)._replace(**changed)
    return score(habit() if profile is None else profile, what, RISK)


def share(scored: Score, feature: Feature) -> int:
    """One feature's share."""
    return sum(term.centinats for term in scored.terms if term.feature == feature)


class TestTerms:
    """Each feature has its share, and the shares add up."""

    def test_the_owner_is_like_the_owner(self) -> None:
        """What was seen before, on a trusted device, speaks against a thief in every term that compares."""
        scored = judged()
        assert scored.total < 0
        assert {term.feature for term in scored.terms if term.centinats > 0} <= {Feature.FACTORS}
        assert not scored.raises(RISK)

    def test_a_stranger_is_not(self) -> None:
        """Another network, browser, device and kind of network add up to one more proof."""
        scored = judged(AWAY, 2)
        assert scored.raises(RISK)
        assert scored.total == RISK.base_centinats + sum(term.centinats for term in scored.terms)
        assert list(scored.terms) == sorted(scored.terms, key=lambda term: -term.centinats)

    def test_back_off_follows_its_formula(self) -> None:
        """A value is judged by its count and, as far as it is new, by the chance of the level above it."""
        profile = Profile(total=900, levels=({1: 900}, {2: 600}, {}, {}, {}, {}, {}), decayed_at=NOON)
        priors, shared, aimed = RISK.address_prior_centi, RISK.address_shared_ppm, RISK.address_aimed_ppm
        owner = thief = 1.0
        for count, prior, by_chance, hit in zip((900, 600, 0), priors, shared, aimed, strict=False):
            owner = (count + prior * owner * by_chance / 1e6) / (900 + prior)
            thief *= hit / 1e6 if count else (1 - hit / 1e6) * by_chance / 1e6
        term = next(one for one in judged(Seen((1, 2, 9)), profile=profile).terms if one.feature == Feature.ADDRESS)
        assert term == ev.ScoreTerm("address", round(log(thief / owner) * RISK.weights_percent["address"]), "asn")

    @pytest.mark.parametrize("kept", range(5))
    def test_the_nearer_the_likelier(self, kept: int) -> None:
        """The more levels of an address agree, the less it speaks against the owner."""
        shares = [
            share(judged(Seen((*HOME.address[:levels], *AWAY.address[levels:]))), Feature.ADDRESS)
            for levels in range(5)
        ]
        assert shares == sorted(shares, reverse=True)
        assert shares[kept] > shares[-1] or kept == 4

    @pytest.mark.parametrize("seen", [Seen(), Seen((0, 0, 0, 0), (0, 0, 0))], ids=["none", "unknown"])
    def test_what_is_not_known_says_nothing(self, seen: Seen) -> None:
        """A level that could not be found out is stepped over; in particular nobody travelled because of it."""
        profile = replace(habit(values=(1, 2, 3, 4, 0, 0, 0)), home=1, home_at=NOON - HOUR)
        scored = judged(seen, profile=profile)
        assert [share(scored, one) for one in (Feature.ADDRESS, Feature.BROWSER, Feature.TRAVEL)] == [0, 0, 0]
        assert not {Feature.TRAVEL, Feature.ORIGIN} & {term.feature for term in scored.terms}

    def test_what_is_missing_is_named_and_counts_against(self) -> None:
        """Each fact that could not be had adds what the policy says, under its own name."""
        scored = judged(replace(HOME, missing=("country:stale", "asn:unset")))
        missing = [(term.about, term.centinats) for term in scored.terms if term.feature == Feature.MISSING]
        assert sorted(missing) == [("asn:unset", RISK.missing_centinats), ("country:stale", RISK.missing_centinats)]
        assert scored.total == judged().total + 2 * RISK.missing_centinats

    def test_a_browser_left_out_is_an_unfamiliar_one(self) -> None:
        """Who does not say what the owner says as a rule gains nothing; an owner who seldom says loses nothing."""
        unsaid = replace(HOME, browser=(0, 0, 0), missing=("browser:unsaid",))
        foreign = judged(replace(HOME, browser=AWAY.browser))
        assert share(judged(unsaid), Feature.BROWSER) == share(foreign, Feature.BROWSER) > 0
        assert judged(unsaid).total == foreign.total + RISK.missing_centinats
        seldom = replace(habit(), levels=(*habit().levels[:-1], {7: habit().total // 2}))
        assert share(judged(unsaid, profile=seldom), Feature.BROWSER) == 0

    def test_an_account_without_history_is_compared_with_nothing(self) -> None:
        """Nothing learnt says nothing: only what needs no history is weighed."""
        scored = judged(AWAY, 2, EMPTY)
        assert {term.feature for term in scored.terms} == {Feature.ORIGIN, Feature.TRIES, Feature.FACTORS}
        assert not scored.raises(RISK)

    def test_a_profile_may_be_without_devices_and_last_sign_in(self) -> None:
        """Where devices are not known, or nothing was before, these terms are left out."""
        scored = judged(device=None, profile=replace(habit(), last_at=0, home=0))
        assert not {Feature.DEVICE, Feature.PACE, Feature.TRAVEL} & {term.feature for term in scored.terms}

    def test_travel_is_another_country_soon_after(self) -> None:
        """Another country than a few hours ago is travel, the same one is not, and later nothing is said."""
        soon = replace(habit(), home=1, home_at=NOON - HOUR)
        assert share(judged(AWAY, profile=soon), Feature.TRAVEL) > 0 > share(judged(profile=soon), Feature.TRAVEL)
        late = replace(soon, home_at=NOON - RISK.travel_h * HOUR)
        assert share(judged(AWAY, profile=late), Feature.TRAVEL) == 0

    def test_hours_are_compared_with_the_owners(self) -> None:
        """The owner's time of day speaks for the owner, the opposite one against."""
        assert share(judged(), Feature.HOUR) < 0 < share(judged(at=NOON + 12 * HOUR), Feature.HOUR)

    def test_whose_browser_keeps_nothing_is_not_always_a_stranger(self) -> None:
        """A new device says much of one who has old ones, and little of one whose are always new."""
        forgetful = judged(device=2, profile=habit(device=2))
        assert share(forgetful, Feature.DEVICE) < 100 < share(judged(device=2), Feature.DEVICE)

    @pytest.mark.parametrize(
        ("feature", "changed"),
        [(Feature.TRIES, {"failures": 7}), (Feature.FACTORS, {"youngest_at": NOON - DAY})],
        ids=["tries", "factors"],
    )
    def test_wrong_tries_and_new_factors_speak_against(self, feature: Feature, changed: dict[str, Any]) -> None:
        """Many wrong tries before the right one, and an authenticator of yesterday, are more often a thief's."""
        assert share(judged(**changed), feature) > max(share(judged(), feature), 0)

    @given(
        st.tuples(*[st.integers(0, 20)] * 4),
        st.tuples(*[st.integers(0, 20)] * 3),
        st.integers(0, 2),
        st.sampled_from(["unlisted", "hosting", "vpn", "tor", "", "news"]),
        st.integers(0, 100),
    )
    def test_every_share_is_capped(
        self, address: tuple[int, ...], browser: tuple[int, ...], device: int, origin: str, failures: int
    ) -> None:
        """No term says more than the policy lets it, and what others say of a network less still."""
        scored = judged(Seen(address, browser, origin=origin), device, failures=failures)
        for term in scored.terms:
            most = RISK.reputation_max_centinats if term.feature in {"origin", "travel"} else RISK.term_max_centinats
            assert abs(term.centinats) <= most

    @given(st.integers(-2_000, 2_000), st.integers(-2_000, 2_000))
    def test_network_and_place_alone_cool_nothing(self, place: int, own: int) -> None:
        """Whatever network and place say, exits cool only where the rest would do it alone."""
        cools = Score(place + own, own, ()).cools(RISK)
        assert not cools or own >= RISK.cool_off_centinats
        assert {Feature.ADDRESS, Feature.TRAVEL, Feature.ORIGIN, Feature.MISSING} == PLACE


class TestProfile:
    """What is learnt, when, and how little of it is kept."""

    def test_a_sign_in_is_learnt_after_its_quiet_time(self) -> None:
        """A day before the quiet time is over nothing is learnt, after it it is."""
        young = signed_in(EMPTY, NOON, (1, 2, 3, 4, 5, 6, 7), 0, QUIET)
        assert caught_up(young, NOON + QUIET - DAY, 0, HALF_LIFE).total == 0
        learnt = caught_up(young, NOON + QUIET, 0, HALF_LIFE)
        assert (learnt.total, learnt.levels[3], learnt.young) == (100, {4: 100}, ())

    def test_what_was_not_known_is_not_learnt(self) -> None:
        """A level without a value counts nothing, and the sign-in counts all the same."""
        young = signed_in(EMPTY, NOON, (1, 0, 3, 4, 0, 0, 0), 0, QUIET)
        learnt = caught_up(young, NOON + QUIET, 0, HALF_LIFE)
        assert (learnt.total, learnt.levels[:3]) == (100, ({1: 100}, {}, {3: 100}))

    def test_a_stop_in_the_quiet_time_forgets_it(self) -> None:
        """What was young when the owner pressed the stop is never learnt; what was learnt, or came later, stays."""
        young = signed_in(EMPTY, NOON, (1, 2, 3, 4, 5, 6, 7), 0, QUIET)
        assert caught_up(young, NOON + DAY, NOON + DAY, HALF_LIFE) == replace(young, young=(), decayed_at=NOON + DAY)
        assert caught_up(young, NOON + 9 * DAY, NOON + 8 * DAY, HALF_LIFE).total == 100
        assert caught_up(young, NOON + 9 * DAY, NOON - DAY, HALF_LIFE).total == 100

    def test_it_fades(self) -> None:
        """After a half-life a count says half, and what is hardly left goes."""
        fresh = habit(8)
        later = caught_up(fresh, NOON + HALF_LIFE, 0, HALF_LIFE)
        assert later.total == pytest.approx(fresh.total / 2, rel=0.06)
        assert caught_up(fresh, NOON + 20 * HALF_LIFE, 0, HALF_LIFE).levels == ({},) * 7

    def test_it_keeps_the_eight_most_frequent(self) -> None:
        """A ninth value takes the place of the rarest, and only eight sign-ins wait to be learnt."""
        profile = habit(3)
        for value in range(40):
            at = NOON + value * DAY
            profile = signed_in(caught_up(profile, at, 0, HALF_LIFE), at, (value + 100,) * 7, 0, QUIET)
            assert len(profile.young) <= WAITING
        profile = caught_up(profile, NOON + 50 * DAY, 0, HALF_LIFE)
        assert all(len(level) == KEPT for level in profile.levels)
        assert 1 in profile.levels[0]

    def test_it_is_small_however_long(self) -> None:
        """A profile with every place taken by the largest numbers is stored in less than a kibibyte."""
        full = Profile(
            MOST,
            tuple({2**32 - 1 - place: MOST for place in range(KEPT)} for _ in range(7)),
            (MOST,) * 12,
            (MOST,) * 3,
            2**42,
        )
        for _ in range(20):
            full = signed_in(full, 2**42, (2**32 - 1,) * 7, 2, QUIET)
        assert len(ENCODER.encode(full)) <= 1024

    def test_counts_have_an_end(self) -> None:
        """A count that is full stays so."""
        full = replace(habit(1), total=MOST, levels=({1: MOST},) * 7, hours=(MOST,) * 12)
        young = signed_in(full, NOON, (1,) * 7, 0, QUIET)
        assert caught_up(young, NOON + QUIET, 0, 1000 * DAY).total <= MOST


def regular(policy: Any = POLICY, *contacts: Channel) -> Account:  # noqa: ANN401 - a policy
    """An account whose owner signed in from home for months; its mailbox is no factor."""
    account, _ = grown(PASSWORD, TOTP, policy=policy, **({"contacts": contacts} if contacts else {}))
    account.seen = HOME
    for _ in range(8):
        account.sign_in()
        account.wait(days=8)
    account.deliver()
    return account


def enter(account: Account, *proofs: Any, device: str = "", challenge: str = "") -> Decision:  # noqa: ANN401 - proofs or their names
    """Ask to sign in."""
    return account.ask(SessionStart(), OWNER, *(proofs or PROOFS), context=Context(device=device), challenge=challenge)


class TestSignIn:
    """What a score does to a sign-in: it may ask for more, and nothing else."""

    def test_the_owner_notices_nothing(self) -> None:
        """A sign-in like those before passes as it would without a score, and is scored and kept."""
        account = regular()
        answer = enter(account, device="laptop")
        assert codes(answer) == [Reason.PROVED]
        scored = next(one for one in account.last_events() if isinstance(one, ev.SignInScored))
        assert (scored.raised, scored.cools) == (False, False)

    def test_a_stranger_is_asked_for_a_code_at_a_senior_contact(self) -> None:
        """Right password and TOTP from elsewhere do not suffice; the code sent to a senior contact does."""
        account = regular()
        account.seen = AWAY
        first = enter(account)
        assert isinstance(first, StepUp)
        assert codes(first)[:2] == [Reason.PROOF_REQUIRED, Reason.UNLIKE_OWNER]
        assert {Reason.RISK_ADDRESS, Reason.RISK_DEVICE, Reason.RISK_ORIGIN} <= set(codes(first))
        assert first.accept == (("password", "totp", "contact_code"),)
        contact = account.head.challenges[first.challenge].contact
        assert any(isinstance(one, ev.NoticeDue) and one.contacts == (contact,) for one in account.last_events())
        assert kind_of(enter(account, challenge=first.challenge)) == "step_up"
        assert codes(enter(account, *PROOFS, contact, challenge=first.challenge)) == [Reason.PROVED]
        assert any(isinstance(one, ev.SignInScored) and one.raised for one in account.last_events())

    def test_a_code_is_sent_once_for_a_challenge(self) -> None:
        """Asking again while it is open sends nothing, so that nobody's mailbox is flooded."""
        account = regular()
        account.seen = AWAY
        first = enter(account)
        again = enter(account)
        assert isinstance(first, StepUp)
        assert isinstance(again, StepUp)
        assert first.challenge == again.challenge
        assert not any(isinstance(one, ev.NoticeDue) for one in account.last_events())

    def test_no_code_is_sent_before_the_proofs_are_right(self) -> None:
        """Who has not the password and the second factor learns nothing and causes no message."""
        account = regular()
        account.seen = AWAY
        first = enter(account, "a1-1")
        assert isinstance(first, StepUp)
        assert first.accept == (("password", "totp"),)
        assert not any(isinstance(one, ev.NoticeDue | ev.SignInScored) for one in account.last_events())
        raised = enter(account, challenge=first.challenge)
        assert isinstance(raised, StepUp)
        assert first.challenge not in account.head.challenges

    def test_wrong_codes_are_counted(self) -> None:
        """A wrong code is a failure, and after the policy's tries the challenge ends."""
        account = regular()
        account.seen = AWAY
        first = enter(account)
        assert isinstance(first, StepUp)
        contact = account.head.challenges[first.challenge].contact
        for _ in range(POLICY.step_up.challenge_tries):
            answer = enter(account, *PROOFS, account.wrong(contact), challenge=first.challenge)
            assert codes(answer)[0] == Reason.PROOF_WRONG
        assert first.challenge not in account.head.challenges

    def test_a_mailbox_that_proved_is_not_asked_again(self) -> None:
        """One mailbox is one factor: where it is all there is, nothing more can be asked, and the answer says so."""
        account = Account()
        account.open(PASSWORD, EMAIL, contacts=(Channel.EMAIL,))
        account.settle(days=5)
        account.seen = HOME
        for _ in range(8):
            account.sign_in()
            account.wait(days=8)
        account.seen = AWAY
        assert codes(enter(account))[:2] == [Reason.PROVED, Reason.UNLIKE_OWNER]

    def test_far_from_the_owner_exits_cool(self) -> None:
        """Where the device, the browser, the hour and wrong tries alone say so, getting in cools exits severely."""
        account = regular(policy_with(**{"risk.cool_off_centinats": 900}))
        account.seen = AWAY
        account.wait(hours=12)
        for _ in range(4):
            enter(account, account.wrong("a1-2"))
            account.wait(minutes=1)
        first = enter(account)
        assert isinstance(first, StepUp)
        enter(account, *PROOFS, account.head.challenges[first.challenge].contact, challenge=first.challenge)
        cools = [one for one in account.last_events() if isinstance(one, ev.CoolOffStarted)]
        assert ("session.scored", ev.Severity.SEVERE) in {(one.cause, one.severity) for one in cools}

    def test_an_unsaid_place_does_what_the_policy_says(self) -> None:
        """Where nothing was said of a sign-in, it passes by default, and is asked for a code if the policy says so."""
        account = regular()
        account.seen = None
        assert codes(enter(account, device="laptop")) == [Reason.PROVED]
        assert not any(isinstance(one, ev.SignInScored | ev.PlaceSeen) for one in account.last_events())
        strict = regular(policy_with(**{"signals.place": "step_up"}))
        strict.seen = None
        answer = enter(strict, device="laptop")
        assert codes(answer) == [Reason.PROOF_REQUIRED, Reason.UNLIKE_OWNER, Reason.RISK_MISSING]

    def test_a_thief_teaches_nothing_before_the_stop(self) -> None:
        """Sign-ins of the week before a freeze are not learnt, however many."""
        account = regular()
        before = account.everything().profile.levels
        account.seen = AWAY
        for _ in range(3):
            answer = enter(account, device="thief")
            if isinstance(answer, StepUp):
                code = account.head.challenges[answer.challenge].contact
                enter(account, *PROOFS, code, device="thief", challenge=answer.challenge)
            account.wait(days=1)
        account.ask(AccountFreeze(), Actor(ActorKind.LINK, contact="c1-1"))
        account.wait(days=9)
        account.seen = HOME
        account.sign_in()
        after = account.everything().profile.levels
        assert set(after[0]) == set(before[0]) == {1}

    @pytest.mark.parametrize("pressed_again", [False, True])
    def test_a_thief_teaches_nothing_while_the_stop_lasts(self, *, pressed_again: bool) -> None:
        """A freeze that lasts longer than the quiet week is no quiet week, and pressing it again takes nothing back."""
        account = regular()
        before = account.everything().profile.levels
        press, owners = AccountFreeze(), Actor(ActorKind.LINK, contact="c1-1")
        account.ask(press, owners)
        account.wait(days=1)
        account.seen = AWAY
        answer = enter(account, device="thief")
        if isinstance(answer, StepUp):
            code = account.head.challenges[answer.challenge].contact
            enter(account, *PROOFS, code, device="thief", challenge=answer.challenge)
        assert account.everything().profile.young
        account.wait(days=9)
        if pressed_again:
            account.ask(press, owners)
        account.seen = HOME
        for _ in range(2):
            account.sign_in()
            account.wait(days=8)
        after = account.everything().profile.levels
        assert set(after[0]) == set(before[0]) == {1}

    def test_facts_of_another_shape_are_not_learnt_wrongly(self) -> None:
        """A sign-in with fewer levels than the profile has is kept without any."""
        account = regular()
        account.seen = Seen((1,))
        enter(account, device="laptop")
        profile = account.parts[PROFILE]
        assert isinstance(profile, Profile)
        assert profile.young[-1].values == (0,) * 7

    @given(
        st.tuples(*[st.sampled_from([0, 1, 2, 3, 4, 9])] * 4),
        st.tuples(*[st.sampled_from([0, 5, 6, 7, 9])] * 3),
        st.sampled_from(["unlisted", "tor", ""]),
        st.sampled_from(["laptop", "new", ""]),
    )
    def test_a_score_never_lowers_a_decision(
        self, address: tuple[int, ...], browser: tuple[int, ...], origin: str, device: str
    ) -> None:
        """Whatever is known of a sign-in, its answer is never milder than if nothing were."""
        strictness = ["allow", "step_up", "hold", "deny"]
        account = REGULAR
        for proofs in (PROOFS, ("a1-1",)):
            account.seen = None
            request = account.request(SessionStart(), OWNER, context=Context(device=device))
            without = answered(account, request, proofs)
            account.seen = Seen(address, browser, origin=origin)
            scored = answered(account, request, proofs)
            assert strictness.index(kind_of(scored)) >= strictness.index(kind_of(without))


def answered(account: Account, request: Request, proofs: tuple[str, ...]) -> Decision:
    """What would be answered; nothing is kept."""
    loaded = account.loaded(decide.needs(request, account.state))
    return decide.advance(loaded, request, account.facts(request, proofs), account.policy, account.now).decision


REGULAR: Final = regular()


@pytest.mark.parametrize(
    "changed",
    [
        {"risk.weights_percent": {"address": 100}},
        {"risk.travel_owner_permille": [900, 99]},
        {"risk.paces_m": [10, 5, 20]},
        {"risk.tries_most": [-1, 2, 5]},
    ],
    ids=str,
)
def test_tables_that_say_nothing_are_refused(changed: dict[str, Any]) -> None:
    """Weights of other features, chances that are not of the whole and steps that do not rise name their key."""
    with pytest.raises(PolicyError, match=next(iter(changed))):
        policy_with(**changed)
