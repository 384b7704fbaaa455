"""What a platform imports: ask Holdback before acting, and verify its receipts before value moves.

    with Holdback("https://holdback.internal", platform_key) as holdback:
        match holdback.ask(account, withdrawal, actor=owner, idempotency_key=order_id):
            case Allow(receipt=str(jws)):
                receipt = holdback.verify_receipt(jws, account=account, action=withdrawal)
                with database:  # one transaction
                    consume(receipt, database, now=time.time())
                    pay_out(withdrawal)
            case StepUp() as asked:
                show(asked.challenge)  # and later holdback.resume(asked, proofs)
            case Hold() | Deny() as no:
                show(no.reasons)

Whatever is in doubt is an exception (`holdback.client.errors` draws the tree), never an allow. The signer should run
`verify_receipt` and `consume` itself: then a stolen platform key, or a bug in the backend, pays nothing out.

This package imports nothing of the rest of Holdback.
"""

from holdback.client.clients import AsyncHoldback, Holdback
from holdback.client.consuming import CREATE_RECEIPTS_SQL, consume, consume_async
from holdback.client.decisions import Allow, Challenge, Decision, Deny, Enrolment, Hold, Reason, Session, StepUp
from holdback.client.digest import action_digest, session_id
from holdback.client.errors import (
    ChallengeRefused,
    HoldbackError,
    KeyUnknown,
    NotCanonical,
    NotUnderstood,
    Problem,
    ReceiptExpired,
    ReceiptForged,
    ReceiptMismatch,
    ReceiptRefused,
    ReceiptUsed,
    Unreachable,
    WebhookRefused,
)
from holdback.client.leases import TradeLease, lease_action
from holdback.client.patience import Patience
from holdback.client.programs import by_secret, signed_actor
from holdback.client.receipts import ISSUER, Keys, Receipt, verify_receipt
from holdback.client.webhooks import Webhook, verify_webhook

__all__ = [
    "CREATE_RECEIPTS_SQL",
    "ISSUER",
    "Allow",
    "AsyncHoldback",
    "Challenge",
    "ChallengeRefused",
    "Decision",
    "Deny",
    "Enrolment",
    "Hold",
    "Holdback",
    "HoldbackError",
    "KeyUnknown",
    "Keys",
    "NotCanonical",
    "NotUnderstood",
    "Patience",
    "Problem",
    "Reason",
    "Receipt",
    "ReceiptExpired",
    "ReceiptForged",
    "ReceiptMismatch",
    "ReceiptRefused",
    "ReceiptUsed",
    "Session",
    "StepUp",
    "TradeLease",
    "Unreachable",
    "Webhook",
    "WebhookRefused",
    "action_digest",
    "by_secret",
    "consume",
    "consume_async",
    "lease_action",
    "session_id",
    "signed_actor",
    "verify_receipt",
    "verify_webhook",
]
