"""Every number of the laws, read from TOML, each with its unit last in the name.

A policy is checked when it is made: relations the laws need (a wait is never shorter than the cool-off it must outlast)
are refused with the key's name, so that a file that loads is a file that can be obeyed.
"""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec

from holdback.core.events import Channel

Hours = Annotated[int, msgspec.Meta(ge=1, le=24 * 366)]
Days = Annotated[int, msgspec.Meta(ge=1, le=366)]
Minutes = Annotated[int, msgspec.Meta(ge=1, le=60 * 24 * 366)]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=86_400 * 366)]
Percent = Annotated[int, msgspec.Meta(ge=0, le=1_000)]
Usd = Annotated[int, msgspec.Meta(ge=0, le=10**12)]
Count = Annotated[int, msgspec.Meta(ge=1, le=10_000)]

MICRO: Final = 1_000_000
"""Micro-USD in a USD; all money inside is in integers of it."""


LIST_NAME: Final = r"^[a-z0-9][a-z0-9._-]{0,31}\Z"

NETWORKS: Final = ("*", "bank", "internal", "p2p", "card", "own")
"""Where the beneficiaries of an exit kind are; `*` is any network that the request names."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of the policy's tables: an unknown key is an error, never ignored."""


class Waits(Section, frozen=True):
    """Law 1 and law 10: how long loosening and ripening take."""

    authenticator_senior_h: Hours
    contact_senior_h: Hours
    address_h: Hours
    remove_authenticator_h: Hours
    reinstate_authenticator_h: Hours
    remove_contact_h: Hours
    loosen_setting_h: Hours
    unfreeze_h: Hours
    unfreeze_after_change_h: Hours
    recent_change_h: Hours
    vault_h: Hours


class CoolOffs(Section, frozen=True):
    """Law 4: how long exits cool after a change."""

    senior_h: Hours
    others_h: Hours
    mild_senior_h: Hours


class Outflow(Section, frozen=True):
    """Law 3: the budget every exit draws on."""

    long_standing_d: Days
    long_standing_day_usd: Usd
    others_day_percent: Percent
    others_month_percent: Percent
    usual_factor_percent: Percent
    usual_quantile_percent: Annotated[int, msgspec.Meta(ge=1, le=100)]
    usual_days_min: Count
    usual_quiet_h: Hours
    over_budget_senior_h: Hours
    over_budget_others_h: Hours
    instant_day_usd: Usd
    received_h: Hours
    received_from_cooling_h: Hours
    received_floor_usd: Usd
    stranger_day_usd: Usd
    card_margin_percent: Percent
    card_cleared_d: Days
    sale_lock_h: Hours
    receipt_again_h: Hours


class Book(Section, frozen=True):
    """The address book (incident G)."""

    verified_d: Days
    dust_usd: Usd
    dust_d: Days


class Shared(Section, frozen=True):
    """What many accounts have to do with at once: the addresses of mules."""

    address_accounts: Annotated[int, msgspec.Meta(ge=2, le=32)]
    address_window_d: Days
    address_new_d: Days
    address_wait_h: Hours
    kept_d: Days


class Lists(Section, frozen=True):
    """Lists of addresses that nobody is paid at, and what happens where one is missing or too old (law 8)."""

    required: Annotated[tuple[Annotated[str, msgspec.Meta(pattern=LIST_NAME)], ...], msgspec.Meta(max_length=16)]
    age_d: Days
    missing: Literal["hold", "deny"]


class StepUps(Section, frozen=True):
    """Challenges and attempts (NIST SP 800-63B-4 sections 3.1.3 and 3.2.2)."""

    challenge_m: Minutes
    challenge_tries: Count
    challenges_open: Count
    code_again_m: Minutes
    codes_per_h: Count
    password_fresh_m: Minutes
    failures_before_delay: Count
    failures_delay_s: Seconds
    failures_delay_max_s: Seconds
    failures_max: Annotated[int, msgspec.Meta(ge=1, le=100)]
    failures_spent_h: Annotated[int, msgspec.Meta(ge=24, le=24 * 366)]
    failures_forget_d: Days
    failures_told_m: Annotated[int, msgspec.Meta(ge=1, le=60)]
    network_failures_before_delay: Count
    network_forget_h: Hours


class Passwords(Section, frozen=True):
    """What a new password must be (NIST SP 800-63B-4 section 3.1.1.2): long and hard to guess, of any characters.

    `strength_min` is on zxcvbn's scale from 0 to 4.
    """

    characters_min: Annotated[int, msgspec.Meta(ge=8, le=64)]
    characters_alone_min: Annotated[int, msgspec.Meta(ge=15, le=64)]
    strength_min: Annotated[int, msgspec.Meta(ge=1, le=4)]


class Sessions(Section, frozen=True):
    """How long a session lives (NIST SP 800-63B-4 section 2.2.3), and whether a device's key must sign for it."""

    absolute_h: Annotated[int, msgspec.Meta(ge=1, le=24)]
    idle_m: Annotated[int, msgspec.Meta(ge=1, le=60)]
    open_max: Count
    device_key: Literal["required", "optional"]
    proof_s: Annotated[int, msgspec.Meta(ge=1, le=300)]


class Devices(Section, frozen=True):
    """Law 10: how a device comes to count as the owner's."""

    known_after_h: Hours
    known_days: Count


class Recovery(Section, frozen=True):
    """How somebody who lost what they prove with comes back (laws 5, 6, 7)."""

    two_possessions_h: Hours
    one_possession_h: Hours
    codes_h: Hours
    no_possession_h: Hours
    no_possession_rich_h: Hours
    rich_usd: Usd
    codes_cool_h: Hours
    weak_h: Hours
    expires_d: Days
    reopen_m: Minutes
    replaced_h: Hours
    missed_max: Annotated[int, msgspec.Meta(ge=1, le=32)]
    reviewers: Count
    burned_d: Days
    remind_percent: Annotated[int, msgspec.Meta(ge=1, le=99)]
    remind_before_h: Hours
    remind_opener_d: Days


class Face(Section, frozen=True):
    """When a face check speaks for somebody, and when against (law 7); docs/explanation/face.md.

    `hold_ms` is bounded by WCAG 2.2 (2.3.1): a screen changes at most three times a second.
    """

    reference_age_d: Days
    checks_per_case: Annotated[int, msgspec.Meta(ge=1, le=16)]
    match_permille: Annotated[int, msgspec.Meta(ge=1, le=1_000)]
    person_permille: Annotated[int, msgspec.Meta(ge=1, le=1_000)]
    same_permille: Annotated[int, msgspec.Meta(ge=1, le=1_000)]
    challenge_z_centi: Annotated[int, msgspec.Meta(ge=100, le=2_000)]
    background_percent_most: Annotated[int, msgspec.Meta(ge=1, le=90)]
    lag_ms_most: Annotated[int, msgspec.Meta(ge=200, le=1_000)]
    spoof_permille: Annotated[int, msgspec.Meta(ge=1, le=999)]
    vendor_percent_min: Annotated[int, msgspec.Meta(ge=50, le=100)]
    vendor_asked_s: Annotated[int, msgspec.Meta(ge=1, le=60)]
    vendor_match_percent_min: Annotated[int, msgspec.Meta(ge=50, le=100)]
    vendor_person_percent_min: Annotated[int, msgspec.Meta(ge=50, le=100)]
    colours: Annotated[int, msgspec.Meta(ge=16, le=64)]
    hold_ms: Annotated[int, msgspec.Meta(ge=334, le=5_000)]
    gentle_hold_ms: Annotated[int, msgspec.Meta(ge=334, le=5_000)]
    late_ms: Annotated[int, msgspec.Meta(ge=300, le=5_000)]
    check_s: Seconds
    width_px_min: Annotated[int, msgspec.Meta(ge=30, le=300)]
    sharpness_min: Count
    level_min: Annotated[int, msgspec.Meta(ge=1, le=254)]
    level_max: Annotated[int, msgspec.Meta(ge=1, le=254)]


class Notices(Section, frozen=True):
    """Law 5: who is told, and what counts as told."""

    independent: tuple[Channel, ...]
    fold_m: Annotated[int, msgspec.Meta(ge=1, le=60)]
    replaced_contact_d: Days


class Signals(Section, frozen=True):
    """Law 8: what happens when a fact is missing. There is no value that means allow."""

    price: Literal["hold", "deny"]
    price_age_m: Annotated[int, msgspec.Meta(ge=1, le=24 * 60)]
    clock_tolerance_s: Annotated[int, msgspec.Meta(ge=1, le=300)]
    place: Literal["step_up", "note"]
    network_age_d: Days


Centinats = Annotated[int, msgspec.Meta(ge=-100_000, le=100_000)]
"""Hundredths of a nat: log-likelihood ratios as whole numbers."""
Ppm = Annotated[int, msgspec.Meta(ge=1, le=999_999)]
Permille = Annotated[int, msgspec.Meta(ge=1, le=1_000)]


class Risk(Section, frozen=True):
    """How unlike the owner a sign-in may be; `core/risk.py` says what is done with each number.

    `shared` is how often somebody else's value, below the same parent, is this very one; `aimed` how often a thief's is
    one that the owner uses. Tables of permille are how often each value is seen with owners, and with thieves.
    """

    step_up_centinats: Centinats
    cool_off_centinats: Centinats
    base_centinats: Centinats
    term_max_centinats: Centinats
    reputation_max_centinats: Centinats
    missing_centinats: Annotated[int, msgspec.Meta(ge=0, le=1_000)]
    half_life_d: Days
    quiet_d: Days
    travel_h: Hours
    prior_centi: Count
    address_prior_centi: tuple[Count, Count, Count, Count]
    browser_prior_centi: tuple[Count, Count, Count]
    weights_percent: dict[str, Percent]
    address_shared_ppm: tuple[Ppm, Ppm, Ppm, Ppm]
    address_aimed_ppm: tuple[Ppm, Ppm, Ppm, Ppm]
    browser_shared_ppm: tuple[Ppm, Ppm, Ppm]
    browser_aimed_ppm: tuple[Ppm, Ppm, Ppm]
    device_owner_permille: tuple[Permille, Permille, Permille]
    device_thief_permille: tuple[Permille, Permille, Permille]
    paces_m: tuple[Minutes, Minutes, Minutes]
    pace_owner_permille: tuple[Permille, Permille, Permille, Permille]
    pace_thief_permille: tuple[Permille, Permille, Permille, Permille]
    travel_owner_permille: tuple[Permille, Permille]
    travel_thief_permille: tuple[Permille, Permille]
    origin_owner_permille: tuple[Permille, Permille, Permille, Permille]
    origin_thief_permille: tuple[Permille, Permille, Permille, Permille]
    tries_most: tuple[int, int, int]
    tries_owner_permille: tuple[Permille, Permille, Permille, Permille]
    tries_thief_permille: tuple[Permille, Permille, Permille, Permille]
    factor_ages_d: tuple[Days, Days]
    factors_owner_permille: tuple[Permille, Permille, Permille]
    factors_thief_permille: tuple[Permille, Permille, Permille]


class Staff(Section, frozen=True):
    """The staff sign in for a short time, and read for tickets.

    Who reads customers is watched (`watching.py`), and what they take with them is marked (`marking.py`).
    """

    session_m: Annotated[int, msgspec.Meta(ge=5, le=480)]
    proposed_d: Days
    ticket_d: Days
    apart_d: Days
    words_per_day: Count
    decile_usd: Annotated[tuple[Usd, ...], msgspec.Meta(min_length=9, max_length=9)]
    reads_per_h: Count
    reads_per_day: Count
    canary_permille: Annotated[int, msgspec.Meta(ge=1, le=200)]
    canary_tickets_permille: Annotated[int, msgspec.Meta(ge=1, le=500)]
    rich_deciles: Annotated[int, msgspec.Meta(ge=1, le=5)]
    peek_d: Annotated[int, msgspec.Meta(ge=1, le=90)]
    fresh_d: Days
    watched_d: Days
    peers_d: Days
    moles_permille: Annotated[int, msgspec.Meta(ge=1, le=500)]
    caution_percent: Annotated[int, msgspec.Meta(ge=100, le=1_000)]
    false_cases_permille: Annotated[int, msgspec.Meta(ge=1, le=1_000)]
    ones_min: Count
    false_accusations_ppm: Annotated[int, msgspec.Meta(ge=1, le=10_000)]


class Legal(Section, frozen=True):
    """What an authority's paper may do, by how many people, and what the owner learns of it (laws 6 and 7)."""

    approvers: Annotated[int, msgspec.Meta(ge=2, le=5)]
    emergency_approvers: Annotated[int, msgspec.Meta(ge=1, le=5)]
    wait_h: Hours
    expires_d: Days
    open_max: Annotated[int, msgspec.Meta(ge=1, le=32)]
    secrecy_max_d: Days
    targeted_d: Days
    freeze_order_max_d: Days
    agency_wait_h: Hours
    paper_d: Days
    papers_per_h: Count


class Network(Section, frozen=True):
    """How addresses of a network are written (`addresses.py` reads them); one that is not listed is closed.

    `segwit` has a human-readable part, and `versions` where there are older addresses, too; `bech32` has the former
    alone, `base58check` version bytes alone, and `ripple` with the letters in the XRP Ledger's order. `base58` is so
    many bytes without a checksum. `pattern` is for all others: characters and classes of them, each so often, at most
    one of them more or less often.

    With `memo` one address serves many, and a number (of 32 bits) or text beside it says whose money it is.
    """

    family: Literal["segwit", "bech32", "base58check", "ripple", "base58", "evm", "pattern"]
    hrp: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]{0,20}\Z")] = ""
    versions: Annotated[tuple[Annotated[int, msgspec.Meta(ge=0, le=255)], ...], msgspec.Meta(max_length=8)] = ()
    size_bytes: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0
    pattern: Annotated[str, msgspec.Meta(max_length=200)] = ""
    memo: Literal["", "number", "text"] = ""


SPELT_BY: Final = {
    "segwit": ({"hrp"}, {"versions"}),
    "bech32": ({"hrp"}, set[str]()),
    "base58check": ({"versions"}, set[str]()),
    "ripple": ({"versions"}, set[str]()),
    "base58": ({"size_bytes"}, set[str]()),
    "evm": (set[str](), set[str]()),
    "pattern": ({"pattern"}, set[str]()),
}
"""What a network of each family must say, and what it may."""

_ONE: Final = r"(?:[A-Za-z0-9:_-]|\[[A-Za-z0-9:._-]{1,64}\])"
_TIMES: Final = r"\{[0-9]{1,2}\}"
_PLAIN_PATTERN: Final = re.compile(
    rf"(?:{_ONE}(?:{_TIMES})?)*(?:{_ONE}\{{[0-9]{{1,2}},[0-9]{{1,2}}\}})?(?:{_ONE}(?:{_TIMES})?)*"
)
"""Patterns that are matched in time with the text's length: nothing is tried twice but where one length varies."""


class ApiKeys(Section, frozen=True):
    """What a customer's programs may do (Binance, 7 March 2018; OKX, 9 June 2024)."""

    ripens_h: Hours
    dormant_d: Days
    unlisted_trade_d: Days
    warned_d: Annotated[tuple[Days, ...], msgspec.Meta(min_length=1, max_length=4)]
    expires_max_d: Days
    signed_s: Seconds
    asks_per_h: Count
    challenges_open: Count


class Trades(Section, frozen=True):
    """Law 3: what trades may give away (OKX, incident F; Binance, 7 March 2018; Aggr, May 2024).

    The windows are percent of the lowest equity of `equity_d` days, the weights percent added to what a trade counts.
    """

    hour_percent: Percent
    raw_hour_percent: Percent
    raw_day_percent: Percent
    raw_week_percent: Percent
    raw_month_percent: Percent
    storm_week_percent: Percent
    alert_percent: Percent
    refunds_day_percent: Percent
    equity_d: Annotated[int, msgspec.Meta(ge=1, le=30)]
    order_s: Seconds
    tolerance_factor: Count
    tolerance_max_ppm: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
    thin_ppm: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    index_age_s: Seconds
    pair_weight_percent: Percent
    pair_known_h: Hours
    thin_weight_percent: Percent
    liquidated_weight_percent: Percent
    liquidated_percent: Percent
    session_weight_percent: Percent
    session_m: Minutes
    key_weight_percent: Percent
    key_woke_h: Hours
    cooling_weight_percent: Percent
    leverage_quiet_h: Hours
    doubted_h: Hours
    proceeds_h: Hours
    victims: Count
    victims_m: Minutes
    victim_aged_d: Days
    victims_proceeds_h: Hours
    cluster_accounts: Count
    cluster_d: Days
    lease_percent: Annotated[int, msgspec.Meta(ge=1, le=10)]
    lease_s: Annotated[int, msgspec.Meta(ge=1, le=2)]


class Bounds(Section, frozen=True):
    """How many things of a kind one customer may have at once."""

    waiting_exits: Count
    waiting_changes: Count
    authenticators: Count
    contacts: Count
    cool_offs: Count
    unheard: Count
    device_proofs: Count
    incident_notes: Count
    tickets: Count
    papers: Count
    api_keys: Count
    closed: Count


class Difference(NamedTuple):
    """One key in which two policies differ; `way` is looser, tighter, or other where neither can be said."""

    key: str
    before: object
    after: object
    way: str


LOOSER_WHEN_LARGER: Final = frozenset(
    {
        "outflow.long_standing_day_usd",
        "outflow.others_day_percent",
        "outflow.others_month_percent",
        "outflow.usual_factor_percent",
        "outflow.usual_quantile_percent",
        "outflow.instant_day_usd",
        "outflow.received_floor_usd",
        "outflow.stranger_day_usd",
        "outflow.card_cleared_d",
        "book.verified_d",
        "breaker.deviations",
        "breaker.times_median",
        "breaker.least_usd_per_h",
        "breaker.cold_usd_per_h",
        "breaker.hold_above_usd",
        "breaker.look_age_s",
        "shared.address_accounts",
        "lists.age_d",
        "step_up.challenge_m",
        "step_up.challenge_tries",
        "step_up.codes_per_h",
        "step_up.password_fresh_m",
        "step_up.failures_before_delay",
        "step_up.failures_max",
        "step_up.failures_told_m",
        "step_up.network_failures_before_delay",
        "trades.hour_percent",
        "trades.raw_hour_percent",
        "trades.raw_day_percent",
        "trades.raw_week_percent",
        "trades.raw_month_percent",
        "trades.storm_week_percent",
        "trades.alert_percent",
        "trades.refunds_day_percent",
        "trades.tolerance_factor",
        "trades.tolerance_max_ppm",
        "trades.thin_ppm",
        "trades.index_age_s",
        "trades.order_s",
        "trades.liquidated_percent",
        "trades.victims",
        "trades.lease_percent",
        "trades.lease_s",
        "trades.victim_aged_d",
        "api_keys.dormant_d",
        "api_keys.unlisted_trade_d",
        "api_keys.expires_max_d",
        "api_keys.signed_s",
        "api_keys.asks_per_h",
        "recovery.rich_usd",
        "recovery.missed_max",
        "recovery.expires_d",
        "recovery.remind_opener_d",
        "sessions.absolute_h",
        "sessions.idle_m",
        "sessions.proof_s",
        "notices.fold_m",
        "signals.price_age_m",
        "signals.clock_tolerance_s",
        "signals.network_age_d",
        "risk.step_up_centinats",
        "risk.cool_off_centinats",
        "staff.session_m",
        "staff.words_per_day",
        "staff.proposed_d",
        "staff.ticket_d",
        "staff.reads_per_h",
        "staff.reads_per_day",
        "staff.ones_min",
        "legal.expires_d",
        "legal.paper_d",
        "legal.secrecy_max_d",
        "face.background_percent_most",
        "face.checks_per_case",
        "face.lag_ms_most",
        "face.late_ms",
        "face.check_s",
        "face.level_max",
    }
)
"""Numbers that protect less when they grow. `BOUNDS` protect neither way; all others protect more when they grow."""

NEITHER: Final = frozenset(
    {
        "bounds",
        "notices",
        "signals",
        "risk",
        "exits",
        "networks",
        "sessions.open_max",
        "step_up.challenges_open",
        "api_keys.challenges_open",
        "staff.rich_deciles",
        "staff.fresh_d",
        "staff.watched_d",
        "staff.peers_d",
        "staff.moles_permille",
        "staff.caution_percent",
        "staff.false_cases_permille",
        "staff.false_accusations_ppm",
        "legal.open_max",
        "legal.papers_per_h",
        "legal.freeze_order_max_d",
        "face.hold_ms",
        "face.gentle_hold_ms",
        "face.vendor_asked_s",
    }
)
"""Tables and keys of which it cannot be said."""


def _way(key: str, before: object, after: object) -> str:
    if isinstance(before, int) and isinstance(after, int) and (key in LOOSER_WHEN_LARGER or not _neither(key)):
        return "looser" if (after > before) == (key in LOOSER_WHEN_LARGER) else "tighter"
    if key == "sessions.device_key":
        return "looser" if after == "optional" else "tighter"
    if key.startswith(("exits.", "networks.")):
        return "looser" if before is None else "tighter" if after is None else "other"
    return "other"


def _neither(key: str) -> bool:
    return key in NEITHER or key.partition(".")[0] in NEITHER


def flat(data: dict[str, Any]) -> dict[str, object]:
    """Nested tables as dotted keys: `{"waits": {"vault_h": 168}}` is `{"waits.vault_h": 168}`."""
    flat: dict[str, object] = {}
    for key, value in data.items():
        below = {f"{key}.{name}": one for name, one in value.items()} if isinstance(value, dict) else {key: value}
        flat |= below
    return flat


_NETWORK_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


class Breaker(Section, frozen=True):
    """The circuit breaker over all accounts (`core/breaker.py`): when it trips, and what it then holds."""

    weeks: Annotated[int, msgspec.Meta(ge=1, le=52)]
    weeks_min: Annotated[int, msgspec.Meta(ge=1, le=52)]
    deviations: Annotated[int, msgspec.Meta(ge=1, le=100)]
    times_median: Annotated[int, msgspec.Meta(ge=1, le=100)]
    least_usd_per_h: Usd
    cold_usd_per_h: Usd
    new_d: Days
    changed_h: Hours
    hold_above_usd: Usd
    hold_h: Hours
    look_age_s: Annotated[int, msgspec.Meta(ge=10, le=600)]
    unwatched_h: Hours


class PolicyError(ValueError):
    """A policy that cannot be obeyed. The message names the key, what it is and what it must be."""


WEIGHED: Final = frozenset({"address", "browser", "device", "hour", "pace", "travel", "origin", "tries", "factors"})
"""Features that have a weight; what is missing has a number of its own."""
PERMILLE: Final = 1_000


class Policy(Section, frozen=True):
    """One published policy. `digest` names it in every event and receipt: 16 bytes of the SHA-256 of its sorted JSON.

    Example: `Policy.parse(tomllib.loads(text))`.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    waits: Waits
    cool_offs: CoolOffs
    outflow: Outflow
    book: Book
    step_up: StepUps
    sessions: Sessions
    devices: Devices
    recovery: Recovery
    notices: Notices
    signals: Signals
    risk: Risk
    bounds: Bounds
    exits: dict[str, str]
    passwords: Passwords
    staff: Staff
    legal: Legal
    face: Face
    networks: dict[str, Network]
    api_keys: ApiKeys
    trades: Trades
    shared: Shared
    lists: Lists
    breaker: Breaker
    digest: bytes = b""

    def __post_init__(self) -> None:
        """Compute the digest once; whatever a file claims it to be is not looked at."""
        msgspec.structs.force_setattr(self, "digest", b"")
        body = msgspec.json.encode(self, order="sorted")
        msgspec.structs.force_setattr(self, "digest", hashlib.sha256(body).digest()[:16])

    @classmethod
    def parse(cls, data: object) -> Policy:
        """Make a policy of decoded TOML. Raises PolicyError naming the key that is wrong."""
        try:
            policy = msgspec.convert(data, cls)
        except msgspec.ValidationError as error:
            raise PolicyError(str(error)) from error
        policy.check()
        return policy

    def check(self) -> None:
        """Refuse numbers that break a law together. Raises PolicyError."""
        for smaller, larger, why in RELATIONS:
            low, high = self.number(smaller), self.number(larger)
            if low > high:
                msg = f"`{smaller}` is {low}, more than `{larger}` = {high}: {why}"
                raise PolicyError(msg)
        if not set(self.notices.independent) - {Channel.PUSH} or Channel.PUSH in self.notices.independent:
            msg = "`notices.independent` must name channels other than push: push passes through the platform"
            raise PolicyError(msg)
        if self.notices.replaced_contact_d * 24 < self.waits.remove_contact_h:
            msg = (
                "`notices.replaced_contact_d` is shorter than `waits.remove_contact_h`: a thief could outwait the owner"
            )
            raise PolicyError(msg)
        if self.step_up.failures_delay_max_s > self.step_up.failures_spent_h * 3600:
            msg = "`step_up.failures_delay_max_s` is longer than `step_up.failures_spent_h`: more tries would wait less"
            raise PolicyError(msg)
        if self.step_up.failures_forget_d * 24 < self.step_up.failures_max * self.step_up.failures_spent_h:
            msg = (
                "`step_up.failures_forget_d` is shorter than `step_up.failures_max` times `step_up.failures_spent_h`: "
                "to be forgotten would give more tries than to wait"
            )
            raise PolicyError(msg)
        if list(self.staff.decile_usd) != sorted(self.staff.decile_usd):
            raise PolicyError("`staff.decile_usd` must rise")
        if list(self.api_keys.warned_d) != sorted(self.api_keys.warned_d, reverse=True):
            raise PolicyError("`api_keys.warned_d` must fall: the first warning comes the longest before")
        if self.api_keys.warned_d[0] > self.api_keys.unlisted_trade_d:
            raise PolicyError("`api_keys.warned_d` must lie within `api_keys.unlisted_trade_d`")
        self._check_risk()
        self._check_networks()
        for kind, network in self.exits.items():
            if network not in NETWORKS or (kind == "sweep") != (network == "own"):
                msg = (
                    f"`exits.{kind}` is `{network}`; it must be one of {', '.join(NETWORKS)}, and `own` for sweeps only"
                )
                raise PolicyError(msg)

    def _check_risk(self) -> None:
        """Refuse tables that say nothing: weights of features there are not, chances that are not of the whole."""
        if set(self.risk.weights_percent) != WEIGHED:
            msg = f"`risk.weights_percent` must name {', '.join(sorted(WEIGHED))}"
            raise PolicyError(msg)
        for field in self.risk.__struct_fields__:
            table = getattr(self.risk, field)
            if field.endswith("_permille") and sum(table) != PERMILLE:
                msg = f"`risk.{field}` adds up to {sum(table)}, not to {PERMILLE}"
                raise PolicyError(msg)
            if field in {"paces_m", "tries_most", "factor_ages_d"} and (min(table) < 0 or list(table) != sorted(table)):
                msg = f"`risk.{field}` must rise"
                raise PolicyError(msg)

    def _check_networks(self) -> None:
        """Refuse networks of which nobody could tell an address, or whose patterns could take long to match."""
        for name, network in self.networks.items():
            if name in NETWORKS or not _NETWORK_NAME.fullmatch(name):
                raise PolicyError(f"`networks.{name}` is not the name of a network that has addresses")
            must, may = SPELT_BY[network.family]
            said = {field for field in ("hrp", "versions", "size_bytes", "pattern") if getattr(network, field)}
            if not must <= said <= must | may:
                msg = (
                    f"`networks.{name}` is `{network.family}`: it must say {', '.join(sorted(must)) or 'nothing else'}"
                )
                raise PolicyError(msg)
            try:
                plain = not network.pattern or bool(
                    _PLAIN_PATTERN.fullmatch(network.pattern) and re.compile(network.pattern)
                )
            except re.error:
                plain = False
            if not plain:
                msg = (
                    f"`networks.{name}.pattern` must be characters and classes of them, each with how often it comes, "
                    "such as `r[1-9A-Za-z]{24,34}`; only one may come more or less often"
                )
                raise PolicyError(msg)

    def differences(self, other: Policy) -> list[Difference]:
        """Where this policy's numbers differ from another's, and which way."""
        ours, theirs = flat(msgspec.to_builtins(self)), flat(msgspec.to_builtins(other))
        keys = [key for key in ours | theirs if key not in {"name", "digest"} and ours.get(key) != theirs.get(key)]
        return [
            Difference(key, theirs.get(key), ours.get(key), _way(key, theirs.get(key), ours.get(key))) for key in keys
        ]

    def number(self, key: str) -> int:
        """The value of a dotted key such as `waits.address_h`."""
        section, _, field = key.partition(".")
        value = getattr(getattr(self, section), field)
        if not isinstance(value, int):
            msg = f"`{key}` is not a number"
            raise PolicyError(msg)
        return value


RELATIONS: Final = (
    ("breaker.weeks_min", "breaker.weeks", "so many weeks would never be looked at"),
    ("cool_offs.senior_h", "cool_offs.others_h", "strangers must not cool off sooner than senior beneficiaries"),
    ("cool_offs.mild_senior_h", "cool_offs.senior_h", "a mild change must not cool longer than a severe one"),
    ("cool_offs.others_h", "waits.address_h", "a beneficiary added in a cool-off would ripen inside it"),
    (
        "cool_offs.others_h",
        "waits.authenticator_senior_h",
        "an authenticator bound in a cool-off would ripen inside it",
    ),
    ("cool_offs.others_h", "waits.contact_senior_h", "a contact added in a cool-off would ripen inside it"),
    ("cool_offs.others_h", "devices.known_after_h", "a device met in a cool-off would be known inside it"),
    ("cool_offs.others_h", "outflow.over_budget_others_h", "a large exit would wait less than a changed account"),
    ("cool_offs.senior_h", "outflow.over_budget_senior_h", "a large exit would wait less than a changed account"),
    ("outflow.over_budget_senior_h", "outflow.over_budget_others_h", "strangers must not be paid sooner"),
    ("waits.unfreeze_h", "waits.unfreeze_after_change_h", "a changed account must not thaw sooner"),
    ("waits.address_h", "waits.remove_contact_h", "a contact could be removed before it saw what was added"),
    ("waits.address_h", "waits.loosen_setting_h", "a guard could be taken off sooner than a beneficiary ripens"),
    ("outflow.over_budget_others_h", "waits.vault_h", "what reaches into a vault would wait less than a large exit"),
    ("waits.loosen_setting_h", "waits.vault_h", "a vault would be slower to open than to empty"),
    ("waits.authenticator_senior_h", "waits.remove_authenticator_h", "a guard could go before its heir is senior"),
    ("recovery.two_possessions_h", "recovery.one_possession_h", "less proof must not wait less"),
    ("recovery.one_possession_h", "recovery.no_possession_h", "less proof must not wait less"),
    ("recovery.two_possessions_h", "recovery.codes_h", "less proof must not wait less"),
    ("recovery.no_possession_h", "recovery.no_possession_rich_h", "those with more to lose must not wait less"),
    ("recovery.remind_before_h", "recovery.one_possession_h", "nobody would be reminded before the end of a wait"),
    ("recovery.remind_opener_d", "recovery.expires_d", "a recovery would end before anybody was reminded of it"),
    ("cool_offs.senior_h", "recovery.codes_cool_h", "codes alone must not cool less than other severe changes"),
    ("outflow.others_day_percent", "outflow.others_month_percent", "a day must not allow more than a month"),
    ("waits.address_h", "shared.address_wait_h", "an address of many must not wait less than one of one"),
    ("shared.address_window_d", "shared.address_new_d", "what is new would be old before it was counted"),
    ("shared.address_new_d", "shared.kept_d", "what is old would be taken for new as soon as it is forgotten"),
    ("book.dust_d", "shared.kept_d", "who sent dust would be forgotten while nobody may look like him"),
    ("trades.cluster_d", "shared.kept_d", "a tie would outlast what is known of who else has it"),
    ("outflow.received_h", "outflow.received_from_cooling_h", "a cooling sender's value must not exit sooner"),
    ("step_up.failures_delay_s", "step_up.failures_delay_max_s", "a delay has a largest value"),
    ("step_up.failures_before_delay", "step_up.failures_max", "the delay must come before the end"),
    ("passwords.characters_min", "passwords.characters_alone_min", "a password that stands alone must not be shorter"),
    ("risk.step_up_centinats", "risk.cool_off_centinats", "a sign-in would cool exits before it is asked about"),
    ("risk.reputation_max_centinats", "risk.term_max_centinats", "what others say would count more than the owner"),
    ("face.person_permille", "face.match_permille", "what a person decides would count as a pass"),
    ("face.vendor_person_percent_min", "face.vendor_match_percent_min", "what a person decides would count as a pass"),
    ("face.hold_ms", "face.gentle_hold_ms", "the gentle check must not be the quicker one"),
    ("face.level_min", "face.level_max", "every picture would be too dark or too bright"),
    ("staff.reads_per_h", "staff.reads_per_day", "an hour must not allow more than a day"),
    ("staff.fresh_d", "staff.watched_d", "no window would begin within the time that false cases are counted over"),
    ("staff.watched_d", "staff.peers_d", "people would be compared with fewer days than they are watched"),
    ("legal.emergency_approvers", "legal.approvers", "haste must not need more people than time does"),
    ("legal.wait_h", "legal.agency_wait_h", "an agency could be entered for a paper that is in hand"),
    ("legal.paper_d", "legal.expires_d", "a paper would vouch again after its request has lapsed"),
    ("legal.secrecy_max_d", "recovery.burned_d", "what was disclosed in secret would count again before it is told"),
    ("cool_offs.others_h", "api_keys.ripens_h", "a key made in a cool-off would ripen inside it"),
    ("trades.hour_percent", "trades.raw_hour_percent", "what is forgiven would count more than all there is"),
    ("trades.raw_hour_percent", "trades.raw_day_percent", "an hour must not allow more than a day"),
    ("trades.raw_day_percent", "trades.raw_week_percent", "a day must not allow more than a week"),
    ("trades.raw_week_percent", "trades.raw_month_percent", "a week must not allow more than a month"),
    ("trades.alert_percent", "trades.raw_day_percent", "trading would be closed before anybody was told"),
    ("trades.proceeds_h", "trades.victims_proceeds_h", "what several lost must not leave sooner"),
    ("recovery.expires_d", "legal.targeted_d", "a recovery begun beside a forgery would outlast what it doubles"),
)
"""Pairs (smaller, larger, why) of dotted keys that every policy must keep in order."""
