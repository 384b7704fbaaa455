"""The public sentence of every reason, worded for people who have proved nothing yet.

Each says what to do, and nothing about the account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdback.core.decision import Reason
from holdback.wording.words import day_text

if TYPE_CHECKING:
    from holdback.core.events import Finding


SENTENCES: Final[dict[Reason, str]] = {
    Reason.UNKNOWN_ACCOUNT: "There is no such account here. Check its name.",
    Reason.NOT_AVAILABLE: "This is not offered yet. Ask support which way there is.",
    Reason.NOT_ENTITLED: "This is not for you to ask. The owner may, signed in.",
    Reason.SESSION_REQUIRED: "Sign in first.",
    Reason.SESSION_ENDED: "You were signed out. Sign in again.",
    Reason.DEVICE_KEY_REQUIRED: "This must come from the device you signed in on. Sign in again on this one.",
    Reason.DEVICE_KEY_WRONG: "The signature of the device does not fit this request. Ask again, or sign in again.",
    Reason.API_KEY_WRONG: "This API key is not known here, or did not sign this request. Check both.",
    Reason.API_KEY_REPLAYED: "The time of the request is too far off, or its nonce was used. Sign it anew.",
    Reason.API_KEY_SUSPENDED: "This API key is suspended or asleep, or its time is over.",
    Reason.API_KEY_SCOPE: "This API key may not do this, or not from here.",
    Reason.API_KEY_NEW: "This API key is new. It can be used once its wait is over.",
    Reason.TICKET_REQUIRED: "Customers are read for an open ticket of theirs only. Show which one.",
    Reason.CLOCK_UNCERTAIN: "The time is in doubt, and while it is nothing is loosened or paid out. Try again soon.",
    Reason.TOO_MANY_FAILURES: "There were too many wrong tries. Wait before the next one.",
    Reason.CHALLENGE_UNKNOWN: "This confirmation is not open any more. Ask again.",
    Reason.CHALLENGE_EXPIRED: "This confirmation took too long. Ask again.",
    Reason.CHALLENGE_OTHER_ACTION: "This confirmation belongs to something else. Nothing was done. Ask again.",
    Reason.ALREADY_EXISTS: "This exists already. Use what is there.",
    Reason.NOT_FOUND: "There is nothing of that name. Check what is there.",
    Reason.ALREADY_SETTLED: "This is paid already, and under one name. Check that payment.",
    Reason.STILL_HELD: "This waits still, and nothing of it may be paid. Release it first, when its time has come.",
    Reason.EXIT_KIND_CLOSED: "This way of sending value is closed. Choose another.",
    Reason.SALE_DISPUTED: "The buyer paid and the sale was stopped. Wait for the two of the staff who decide it.",
    Reason.SALE_LOCKED: "This is locked for its buyer, and goes by its owner alone. Confirm when the money is there.",
    Reason.FROZEN: "The account is frozen by its owner. Nothing leaves until the owner has unfrozen it.",
    Reason.UNDER_ORDER: "Payments are stopped by order of an authority, not by the owner. Wait for its end.",
    Reason.BAD_FIELD: "A field does not fit this action. Correct it.",
    Reason.NETWORK_CLOSED: "This network is not open here. Choose another.",
    Reason.TOO_MANY: "There are too many of these open at once. Wait for one to end, or end one.",
    Reason.RECOVERED_LATELY: "The account was recovered lately. Read and secure it, and wait until the rest opens.",
    Reason.EVIDENCE_CLOSED: "Nothing more can be shown for this recovery. Wait for its end.",
    Reason.EVIDENCE_BURNED: "Others may know this about the account, so it proves nothing here. Show something else.",
    Reason.EVIDENCE_TOO_NEW: "There is nothing of this kind that is older than the recovery. Show something else.",
    Reason.EVIDENCE_NOT_EVALUATED: "Nobody has judged this evidence yet, so it does not count. Have it judged first.",
    Reason.EVIDENCE_WRONG: "This evidence was wrong, and only a few tries are taken. Check it before the next one.",
    Reason.EVIDENCE_REQUIRED: "Show evidence that you had before and others do not have.",
    Reason.NOT_DRAWN: "Chance draws who reviews a recovery, and nobody who is involved. Leave it to those drawn.",
    Reason.SENDER_NOT_STOPPED: "Whoever sent this has not stopped the account since. Ask the owner to freeze it first.",
    Reason.NOTHING_HELD: "Whoever received this holds nothing of it that still waits. There is nothing more to do.",
    Reason.SECOND_PERSON_REQUIRED: "A second person must ask the very same first.",
    Reason.REVIEW_REQUIRED: "Two reviewers must approve this first. Wait for them.",
    Reason.SAME_PERSON: "Nobody does this alone, or after reading the customer. Leave it to somebody else.",
    Reason.AGENCY_UNKNOWN: "This agency is in no registry here. Two people must enter it first.",
    Reason.PAPER_UNSIGNED: "Nothing shows that the paper is from that agency. Ask for one that was signed lately.",
    Reason.FIELD_REFUSED: "The legal basis does not reach this, and none reaches a secret. Ask for less.",
    Reason.PHRASE_WRONG: "The phrase is not the one that was sent to the agency. Ask whoever answered again.",
    Reason.CALL_BACK_REQUIRED: "The agency must be called back at the number in the registry first.",
    Reason.APPROVAL_REQUIRED: "More people must agree to this first. Wait for them.",
    Reason.PACKAGE_MISSING: "There is no key of the agency to seal this for. Add one first.",
    Reason.LAST_ONE: "This is the last of its kind. Add another before removing it.",
    Reason.FREEZE_RIGHT_LOST: "This contact froze the account wrongly before and must be confirmed again first.",
    Reason.SENIOR_BENEFICIARY_REQUIRED: "Only a payment to a long-known address can go early. Wait for its time.",
    Reason.NO_SENIOR_CONTACT: "To go early this needs a long-known contact that took no part in asking. Wait.",
    Reason.COOL_OFF_CLOSES: "The account changed lately. This stays closed until the cool-off is over.",
    Reason.NO_SENIOR_AUTHENTICATOR: (
        "You have no way of confirming that is old and strong enough for this. Add one, or wait until yours is."
    ),
    Reason.AUTHENTICATOR_SUSPENDED: "Your strongest way of confirming is suspended. Reinstate it, or recover.",
    Reason.AUTHENTICATOR_CLONED: "This passkey counts its uses, and its count went back. Suspend it. Use another.",
    Reason.PROOF_REPLAYED: "This code was used before. Wait for the next one.",
    Reason.PROOF_WRONG: "A code or password was wrong. Try again.",
    Reason.PROOF_REQUIRED: "Confirm that it is you.",
    Reason.WEAKER_AUTHENTICATOR: "A weaker way of confirming cannot remove a stronger one. Confirm by one as strong.",
    Reason.UNLIKE_OWNER: "This sign-in is unlike those before it. Confirm it by the code that was sent to a contact.",
    Reason.RISK_ADDRESS: "The network is not one that is usual here. Confirm that it is you by the code.",
    Reason.RISK_BROWSER: "The browser is not one that is usual here. Confirm that it is you by the code.",
    Reason.RISK_DEVICE: "The device is new here. Confirm it, and use it for a while.",
    Reason.RISK_HOUR: "The time of day is not a usual one. Confirm that it is you by the code.",
    Reason.RISK_PACE: "The last sign-in was unusually short or long ago. Confirm that it is you by the code.",
    Reason.RISK_TRAVEL: "The country is another one than lately. Confirm that it is you by the code.",
    Reason.RISK_ORIGIN: "The address belongs to a hosting provider, a VPN or Tor. Confirm by the code.",
    Reason.RISK_TRIES: "There were wrong tries before this one. Confirm that it is you by the code.",
    Reason.RISK_FACTORS: "A way of confirming that was used is new. Wait until it is older, or confirm by the code.",
    Reason.RISK_MISSING: "Something about the sign-in could not be found out. Confirm that it is you by the code.",
    Reason.DESTINATION_LISTED: "Nobody is paid at this address from here. Choose another.",
    Reason.LOOK_ALIKE: "This address looks like another one in your book and is not the same. Compare every character.",
    Reason.LOOK_ALIKE_DEPOSIT: "This looks like an address that sent a cent, maybe as a trap. Compare every character.",
    Reason.COUNTERPARTY_UNKNOWN: "The receiving account is not known here. Check its name.",
    Reason.NOT_ON_ALLOWLIST: "Only addresses in the address book may be paid. Add this one first.",
    Reason.TRADING_CLOSED: "An order far from the market closed this pair or counterparty. Open it again first.",
    Reason.LEVERAGE_CLOSED: "The account changed lately: no more leverage than it is used to. Ask for less, or wait.",
    Reason.OVER_TRADE_LIMIT: "This gives away more than trades may, and its pair is closed. Check the price.",
    Reason.LIST_MISSING: "Addresses cannot be checked as they must be right now. Try again later.",
    Reason.ORDER_BY_ORDER: "Something about this pair or account is unusual now. Ask about each order by itself.",
    Reason.OVER_OWN_LIMIT: "This is more than the daily limit that the owner has set. Wait, or ask for less.",
    Reason.STRANGER_CAP: "This is more than one stranger may be paid in a day. Wait, or ask for less.",
    Reason.RECONCILING: "A restored system is compared with what was already paid. Payments wait until that is done.",
    Reason.BREAKER_TRIPPED: "Unusually much is leaving this platform. Larger payments wait until people have looked.",
    Reason.BREAKER_UNWATCHED: "It is not known how much is leaving this platform. Larger payments wait until it is.",
    Reason.PRICE_UNKNOWN: "The value of this asset is not known well enough right now. Try again soon.",
    Reason.NOTICE_UNDELIVERED: "The owner could not be told yet, and the wait begins after that. Check the contacts.",
    Reason.VERIFICATION_EXPIRED: "Whoever is paid was not confirmed for long. Confirm that entry of the book again.",
    Reason.COOLING_OFF: "The account changed lately. Payments wait until the owner has had time to notice.",
    Reason.DESTINATION_SHARED: "Many accounts began to pay this new address at once. Wait, and ask who gave it to you.",
    Reason.DESTINATION_NEW: "Whoever is paid is new to this account. New ones wait before their first payment.",
    Reason.OVER_BUDGET: "This is more than usually leaves the account in a day or month. Wait, or ask for less.",
    Reason.IN_VAULT: "This reaches into the share that the owner locked. Wait as long as he chose, or ask for less.",
    Reason.VAULT_APPROVAL: "This reaches into the share that the owner locked. Show the code of the second person.",
    Reason.RECEIVED_LATELY: "This was received from another customer lately. Trade it, or wait to send it on.",
    Reason.NOT_YET_DUE: "The wait that was announced is not over. Ask again at its end.",
    Reason.LOOSENING_WAITS: "Taking protection away takes effect after a wait, and can be cancelled until then.",
    Reason.RECOVERY_WAITS: "A recovery waits, so that everyone concerned can object. Come back at that time.",
    Reason.RIPENS_LATER: "This is new and counts in full only after a wait. Confirm it first if that is asked.",
    Reason.CHARGED_MORE: "More was charged than was set aside; it counts from now on. There is nothing more to do.",
    Reason.INSTANT_LANE: "Small enough to go at once. There is nothing more to do.",
    Reason.PROVED: "Confirmed. There is nothing more to do.",
    Reason.TIGHTENING: "Protection was added. It takes effect now.",
    Reason.NO_HARM: "Nothing stands against it. There is nothing more to do.",
}
"""The public sentence of every reason."""


def sentence(reason: Reason) -> str:
    """What to tell whoever asked, before anything about them is known."""
    return SENTENCES[reason]


def finding_line(finding: Finding) -> str:
    """A reason with its instant, for those who may read the account."""
    about = f" ({finding.about})" if finding.about else ""
    until = f" Until {day_text(finding.until)}." if finding.until is not None else ""
    return f"{finding.code}{about}: {sentence(Reason(finding.code))}{until}"
