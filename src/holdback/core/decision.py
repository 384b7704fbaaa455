"""A decision is a value: Allow, StepUp, Hold or Deny, each with its reasons.

`Reason` is one enum in order of precedence: when several reasons to refuse apply, the first is the decision's, and
tests, docs and pages list them in this order. `wording/reasons.py` has a public sentence for each.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from holdback.core.events import Finding, Instant, Sealed


class Reason(StrEnum):
    """Why a decision came out as it did, in order of precedence."""

    UNKNOWN_ACCOUNT = "unknown_account"
    NOT_AVAILABLE = "not_available"
    NOT_ENTITLED = "not_entitled"
    SESSION_REQUIRED = "session_required"
    SESSION_ENDED = "session_ended"
    DEVICE_KEY_REQUIRED = "device_key_required"
    DEVICE_KEY_WRONG = "device_key_wrong"
    API_KEY_WRONG = "api_key_wrong"
    API_KEY_REPLAYED = "api_key_replayed"
    API_KEY_SUSPENDED = "api_key_suspended"
    API_KEY_SCOPE = "api_key_scope"
    API_KEY_NEW = "api_key_new"
    TICKET_REQUIRED = "ticket_required"
    CLOCK_UNCERTAIN = "clock_uncertain"
    TOO_MANY_FAILURES = "too_many_failures"
    CHALLENGE_UNKNOWN = "challenge_unknown"
    CHALLENGE_EXPIRED = "challenge_expired"
    CHALLENGE_OTHER_ACTION = "challenge_other_action"
    ALREADY_EXISTS = "already_exists"
    NOT_FOUND = "not_found"
    ALREADY_SETTLED = "already_settled"
    STILL_HELD = "still_held"
    EXIT_KIND_CLOSED = "exit_kind_closed"
    SALE_DISPUTED = "sale_disputed"
    SALE_LOCKED = "sale_locked"
    FROZEN = "frozen"
    UNDER_ORDER = "under_order"
    BAD_FIELD = "bad_field"
    NETWORK_CLOSED = "network_closed"
    TOO_MANY = "too_many"
    RECOVERED_LATELY = "recovered_lately"
    EVIDENCE_CLOSED = "evidence_closed"
    EVIDENCE_BURNED = "evidence_burned"
    EVIDENCE_TOO_NEW = "evidence_too_new"
    EVIDENCE_NOT_EVALUATED = "evidence_not_evaluated"
    EVIDENCE_WRONG = "evidence_wrong"
    EVIDENCE_REQUIRED = "evidence_required"
    NOT_DRAWN = "not_drawn"
    SENDER_NOT_STOPPED = "sender_not_stopped"
    NOTHING_HELD = "nothing_held"
    SECOND_PERSON_REQUIRED = "second_person_required"
    REVIEW_REQUIRED = "review_required"
    SAME_PERSON = "same_person"
    AGENCY_UNKNOWN = "agency_unknown"
    PAPER_UNSIGNED = "paper_unsigned"
    FIELD_REFUSED = "field_refused"
    PHRASE_WRONG = "phrase_wrong"
    CALL_BACK_REQUIRED = "call_back_required"
    APPROVAL_REQUIRED = "approval_required"
    PACKAGE_MISSING = "package_missing"
    LAST_ONE = "last_one"
    FREEZE_RIGHT_LOST = "freeze_right_lost"
    SENIOR_BENEFICIARY_REQUIRED = "senior_beneficiary_required"
    NO_SENIOR_CONTACT = "no_senior_contact"
    COOL_OFF_CLOSES = "cool_off_closes"
    NO_SENIOR_AUTHENTICATOR = "no_senior_authenticator"
    AUTHENTICATOR_SUSPENDED = "authenticator_suspended"
    AUTHENTICATOR_CLONED = "authenticator_cloned"
    PROOF_REPLAYED = "proof_replayed"
    PROOF_WRONG = "proof_wrong"
    PROOF_REQUIRED = "proof_required"
    WEAKER_AUTHENTICATOR = "weaker_authenticator"
    UNLIKE_OWNER = "unlike_owner"
    RISK_ADDRESS = "risk_address"
    RISK_BROWSER = "risk_browser"
    RISK_DEVICE = "risk_device"
    RISK_HOUR = "risk_hour"
    RISK_PACE = "risk_pace"
    RISK_TRAVEL = "risk_travel"
    RISK_ORIGIN = "risk_origin"
    RISK_TRIES = "risk_tries"
    RISK_FACTORS = "risk_factors"
    RISK_MISSING = "risk_missing"
    DESTINATION_LISTED = "destination_listed"
    LOOK_ALIKE = "look_alike"
    LOOK_ALIKE_DEPOSIT = "look_alike_deposit"
    COUNTERPARTY_UNKNOWN = "counterparty_unknown"
    NOT_ON_ALLOWLIST = "not_on_allowlist"
    TRADING_CLOSED = "trading_closed"
    LEVERAGE_CLOSED = "leverage_closed"
    OVER_TRADE_LIMIT = "over_trade_limit"
    LIST_MISSING = "list_missing"
    ORDER_BY_ORDER = "order_by_order"
    OVER_OWN_LIMIT = "over_own_limit"
    STRANGER_CAP = "stranger_cap"
    RECONCILING = "reconciling"
    BREAKER_TRIPPED = "breaker_tripped"
    BREAKER_UNWATCHED = "breaker_unwatched"
    PRICE_UNKNOWN = "price_unknown"
    NOTICE_UNDELIVERED = "notice_undelivered"
    VERIFICATION_EXPIRED = "verification_expired"
    COOLING_OFF = "cooling_off"
    DESTINATION_SHARED = "destination_shared"
    DESTINATION_NEW = "destination_new"
    OVER_BUDGET = "over_budget"
    IN_VAULT = "in_vault"
    VAULT_APPROVAL = "vault_approval"
    RECEIVED_LATELY = "received_lately"
    NOT_YET_DUE = "not_yet_due"
    LOOSENING_WAITS = "loosening_waits"
    RECOVERY_WAITS = "recovery_waits"
    RIPENS_LATER = "ripens_later"
    CHARGED_MORE = "charged_more"
    INSTANT_LANE = "instant_lane"
    PROVED = "proved"
    TIGHTENING = "tightening"
    NO_HARM = "no_harm"


class Allow(msgspec.Struct, frozen=True, tag="allow", tag_field="decision"):
    """Go ahead. `usable_from` is set for something new that must ripen, `id` names what was made."""

    findings: tuple[Finding, ...]
    id: str = ""
    usable_from: Instant | None = None


class StepUp(msgspec.Struct, frozen=True, tag="step_up", tag_field="decision"):
    """Prove more now: any one of `accept`, all its kinds together, before `expires_at`."""

    findings: tuple[Finding, ...]
    challenge: str
    accept: tuple[tuple[str, ...], ...]
    expires_at: Instant


class Hold(msgspec.Struct, frozen=True, tag="hold", tag_field="decision"):
    """Wait. `id` names the held exit or change; `release_at` is when it goes on if the owner does not stop it.

    `release_at` is None while that instant cannot be known (nobody could be told yet, or a second person is needed).
    """

    findings: tuple[Finding, ...]
    id: str
    release_at: Instant | None


class Deny(msgspec.Struct, frozen=True, tag="deny", tag_field="decision"):
    """No. The first finding says why, what would satisfy it and until when."""

    findings: tuple[Finding, ...]


Decision = Allow | StepUp | Hold | Deny


def why(reason: Reason, *satisfied_by: str, until: Instant | None = None, about: str = "") -> Finding:
    """One reason, as events and answers carry it."""
    return Finding(reason.value, satisfied_by, until, about)


_ORDER = {reason.value: place for place, reason in enumerate(Reason)}


def ranked(findings: list[Finding]) -> tuple[Finding, ...]:
    """Findings in order of precedence, so that the first is the one to tell."""
    return tuple(sorted(findings, key=lambda finding: _ORDER[finding.code]))


class Proof(msgspec.Struct, frozen=True, array_like=True):
    """A proof that was verified outside, as a fact: `right` says whether the response fitted the credential.

    `kind` is an authenticator kind, or `contact_code` with `authenticator` naming the contact. `epoch` and `counter`
    are compared again under the lock, and `digest` with the action, so that one code never serves twice or elsewhere.
    `renewed` is the credential of the same secret at today's cost, where the one that was kept is weaker.
    `backed_up` is what a passkey's device says of it.
    """

    kind: str
    authenticator: str
    epoch: int
    counter: int
    digest: bytes
    at: Instant
    right: bool
    renewed: Sealed | None = None
    backed_up: bool = False


class DeviceProof(msgspec.Struct, frozen=True, array_like=True):
    """A proof that a request comes from a device's key (RFC 9449), verified outside for this very request and action.

    `wrong` names what did not fit, "" if all did. `thumbprint` is the key's (RFC 7638, SHA-256), `id` a hash of the
    proof's own name, and `at` when the device says that it made it: age, replay and the right key are judged under the
    lock.
    """

    thumbprint: bytes
    id: bytes
    at: Instant
    wrong: str = ""


class KeyFact(msgspec.Struct, frozen=True, array_like=True):
    """What the signature of an API key's request says, checked outside with the key's own secret.

    `right`: it is the key's, over this very action, `nonce` and `at`, when its program says that it asked. `listed`:
    the request came from where the key may ask from; an address that nobody said is on no list.
    """

    right: bool
    nonce: int
    at: Instant
    listed: bool


class PriceFact(msgspec.Struct, frozen=True, array_like=True):
    """Micro-USD for a whole unit of the action's asset, from Holdback's own feed, as of `at`."""

    asset: str
    micro_usd: int
    at: Instant


class MarketFact(msgspec.Struct, frozen=True, array_like=True):
    """A pair as Holdback's own feed knows it: units of the second asset for one of the first, from outside.

    `reference` is a decimal, "" if there is none. `half_range_ppm` is the rolling median of the pair's half-ranges.
    `quote_micro_usd` and `base_micro_usd` price a whole unit of the second and the first asset, 0 if they are not
    known. Each is as of its own instant. `storm_ppm` is by how much the half-range of the last
    minutes exceeds that of ordinary days, 0 while nobody knows.
    """

    pair: str
    reference: str = ""
    half_range_ppm: int = 0
    at: Instant = 0
    quote_micro_usd: int = 0
    quote_at: Instant = 0
    base_micro_usd: int = 0
    base_at: Instant = 0
    storm_ppm: int = 0


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """What was found out about where a sign-in comes from, and with what, so that a replay need not ask again.

    `address` and `browser` are keyed hashes from coarse to fine (`core/profile.py`), 0 for what is not known.
    `country`, `asn` and `origin` are coarse enough to be plain.
    `missing` names each fact that could not be had, and why.
    """

    address: tuple[int, ...] = ()
    browser: tuple[int, ...] = ()
    country: str = ""
    asn: int = 0
    origin: str = ""
    missing: tuple[str, ...] = ()


class EvidenceFact(msgspec.Struct, frozen=True, array_like=True):
    """A piece of evidence of `kind` that was judged outside: `right` if it is what it claims to be, by whom or what."""

    kind: str
    right: bool
    judged_by: str


class StaffFact(msgspec.Struct, frozen=True, array_like=True):
    """A member of staff, whose session and roles Holdback itself verified (law 6).

    `involved` says that this member lately read the customer, or opened what is to be judged. `fault` is the reason
    why he may do nothing at all now, "" if there is none. `free_at` is when he may read customers again, 0 for now.
    `canary` says that the account is nobody's, and is there to see who reads it. `acts_at` is when he may have a word
    about colleagues again, 0 for now; `first` is who asked first to enrol one, "" unless he still may. `still` are
    those who had a word before in the legal request that is meant, and may still have one.
    """

    member: str
    roles: tuple[str, ...]
    involved: bool
    fault: str = ""
    free_at: Instant = 0
    canary: bool = False
    acts_at: Instant = 0
    first: str = ""
    still: tuple[str, ...] = ()


class AgencyFact(msgspec.Struct, frozen=True, array_like=True):
    """What the registry says of an agency now: whether its entry is in force, and whom and what it vouches for.

    `certificates` are the digests of those its officers sign with, `domains` where its mails come from. `answered`
    says that whoever was rung back knew the phrase that only the agency could read.
    """

    agency: str
    registered: bool
    officers: tuple[str, ...] = ()
    certificates: tuple[bytes, ...] = ()
    domains: tuple[str, ...] = ()
    answered: bool = False


class PaperFact(msgspec.Struct, frozen=True, array_like=True):
    """What was found out about a paper that was handed in: its digest, the outcome, and who signed it, if anybody.

    `certificate` is the digest of the one that a whole and trusted signature was made with, `domain` the one that an
    aligned mail's server signed for; each is empty if there is none. `signed_at` is when its signer says he signed, 0
    if he does not, and `mark` tells this signing from any other.
    """

    digest: bytes
    outcome: str
    certificate: bytes = b""
    domain: str = ""
    signed_at: Instant = 0
    mark: bytes = b""


class SharedFact(msgspec.Struct, frozen=True, array_like=True):
    """How many accounts met the same thing (`kind`: an address, a device, a counterparty), and since when.

    `first_day` is when anybody first did, in days since the epoch. `accounts` are the most that did within so many days
    as the policy says, and `joined` the same if the asking account is counted with those of today. `key` is the keyed
    hash under which it was met first, and `ever` are all accounts of which that is known, the asking one too.
    """

    kind: str
    first_day: int
    accounts: int
    joined: int
    key: bytes = b""
    ever: int = 0


class ListFact(msgspec.Struct, frozen=True, array_like=True):
    """A list of addresses that nobody is paid at, as it was imported at `at`, and whether this destination is on it."""

    name: str
    version: str
    at: Instant
    listed: bool = False


class SenderFact(msgspec.Struct, frozen=True, array_like=True):
    """In which hours somebody was stopped lately from whom this account received value; each by its beginning."""

    sender: str
    stopped_at: tuple[Instant, ...] = ()


class LossFact(msgspec.Struct, frozen=True, array_like=True):
    """Who looked robbed and lost something to accounts with this tie, in which hours, each by its beginning.

    `accounts` are all of which it is known that they have the tie.
    """

    tie: bytes
    accounts: int
    lost: tuple[tuple[str, Instant], ...] = ()


class Facts(msgspec.Struct, frozen=True, array_like=True):
    """Everything a decision used that is neither the action nor the state; it goes into the event (law 9).

    `digest` is the SHA-256 of the exact action. `clock_agrees` is false when two time sources differ, and then
    `ahead_ms` is how much later the second one says it is, 0 if it does not. `counterparty_known` says that the
    receiving account inside the platform exists; `token` is the hash of a session token made for this request,
    `device` what the asking device's key signed. `seen` is None but at a sign-in of which its origin was said, and
    `tries` are those in a row that failed where a sign-in comes from. `evidence` and `staff` are None unless they
    were verified, `drawn` are reviewers that chance chose. `agency` and `paper` are None unless the registry was
    asked and a paper read; `package` is the digest of what would be disclosed, sealed for the agency. `link` is the
    token itself, sealed, to be sent to the owner where staff asks. `api_key` is what a program signed, `market` the
    pair that an order names. `shared` is what other accounts have to do with the destination, `lists` are all lists
    there are, and `dust_day` is when the account last received a small deposit from an address that looks like it,
    in days since the epoch, 0 for never. `tripped_at` is since when the circuit breaker holds exits, 0 while it does
    not. `senders` are those from whom value came that may have to wait longer for what they did since; one who is not
    among them counts as stopped. `still_held_micro_usd` is how much of what an exit sent still waits where it went, for
    who gives it back. `counterparty_ties` are those of the account that an order names, and `kin` that both
    have long had one in common. `losses` says who lost something to others of the cluster; a tie that is not among them
    was not read. `looked_at` is when what leaves all accounts was last added up for the circuit breaker, 0 if it never
    was. A fact that could not be had is absent or false, and never means allow.
    """

    digest: bytes
    proofs: tuple[Proof, ...] = ()
    price: PriceFact | None = None
    clock_agrees: bool = False
    reconciling: bool = False
    counterparty_known: bool = False
    token: bytes = b""
    device: DeviceProof | None = None
    seen: Seen | None = None
    tries: int = 0
    evidence: EvidenceFact | None = None
    staff: StaffFact | None = None
    drawn: tuple[str, ...] = ()
    agency: AgencyFact | None = None
    paper: PaperFact | None = None
    package: bytes = b""
    link: Sealed | None = None
    ahead_ms: int = 0
    api_key: KeyFact | None = None
    market: MarketFact | None = None
    shared: tuple[SharedFact, ...] = ()
    lists: tuple[ListFact, ...] = ()
    dust_day: int = 0
    tripped_at: Instant = 0
    senders: tuple[SenderFact, ...] = ()
    still_held_micro_usd: int = 0
    counterparty_ties: tuple[bytes, ...] = ()
    kin: bool = False
    losses: tuple[LossFact, ...] = ()
    looked_at: Instant = 0


class Context(msgspec.Struct, frozen=True, array_like=True):
    """What the platform says of the request: sealed network address and user agent, hash of the device, equity.

    `network` is a keyed hash of the network the address is in, empty if none was named.

    `equity_micro_usd` is None when nothing was said. All of it may tighten a decision, none of it loosens one (law 6).
    A device that signed the request is named by its key, whatever the platform calls it.
    """

    device: str = ""
    ip: Sealed | None = None
    user_agent: Sealed | None = None
    equity_micro_usd: int | None = None
    network: bytes = b""
