"""A signer with books, and somebody who signs receipts for it: what the tests of the exchange share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httpx
import msgspec

from holdback.client import Holdback, action_digest
from holdback.exchange.books import Books
from holdback.exchange.signer import Signer
from holdback.receipts import Receipt, ReceiptKeys

if TYPE_CHECKING:
    from pathlib import Path

NOW: Final = 1_700_000_000
BITCOIN: Final = 10**8
HELD: Final = {"BTC": 3 * BITCOIN, "USDT": 500 * BITCOIN}
ADDRESS: Final = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
WITHDRAWAL: Final[dict[str, object]] = {
    "action": "exit.request",
    "kind": "withdrawal",
    "asset": "BTC",
    "amount": "0.25",
    "network": "bitcoin",
    "address": ADDRESS,
}


class Till:
    """Alice's money, a signer over it, and the keys that Holdback signs with. `now` is the signer's clock."""

    def __init__(self, path: Path, keys: ReceiptKeys | None = None) -> None:
        """Open the books, and open her account if they are new."""
        self.now = float(NOW)
        self.keys = keys or ReceiptKeys.generate()
        self.books = Books(path)
        if self.books.account_named("alice@example.org") is None:
            self.books.open_account("alice", "alice@example.org", HELD)
        self.signer = Signer(self.books, offline(self.keys), clock=lambda: self.now)

    def receipt(self, action: dict[str, object] = WITHDRAWAL, /, **other: object) -> str:
        """A receipt of Holdback's for an action of Alice's, but for what is said otherwise."""
        said: dict[str, Any] = {
            "issuer": "holdback",
            "account": "alice",
            "action_digest": action_digest("alice", action),
            "decision": "allow",
            "policy": b"p" * 32,
            "head": b"h" * 32,
            "issued_at": NOW,
            "expires_at": NOW + 60,
            "id": "alice/7",
        }
        return self.keys.sign(Receipt(**said | other))

    def spent(self) -> list[str]:
        """The ids of receipts that were consumed."""
        with self.books.transaction() as db:
            return [jti for (jti,) in db.execute("SELECT jti FROM holdback_receipts")]

    def untouched(self) -> bool:
        """Whether nothing moved and nothing was spent."""
        return self.books.balances("alice") == HELD and not self.books.payments("alice") and not self.spent()


def offline(keys: ReceiptKeys) -> Holdback:
    """A client for which Holdback is nothing but its public keys."""

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/.well-known/jwks.json"
        return httpx.Response(200, content=msgspec.json.encode(keys.jwks()))

    return Holdback("http://holdback.test", "key", http=httpx.Client(transport=httpx.MockTransport(answer)))
