"""A customer's browser as a platform's page has it: a key, and proofs made by another library than Holdback's."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Any

import msgspec
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey

from holdback.client.digest import canonical_json
from holdback.dpop import digest_text

if TYPE_CHECKING:
    from collections.abc import Mapping

ROUTE = "https://exchange.example/withdraw"
ENVELOPE = {"actor", "context", "proofs", "challenge", "dry_run"}


class Browser:
    """A key that never leaves, and what it signs. Example: `Browser().proof(now_ms)`."""

    def __init__(self, kind: str = "ES256") -> None:
        """A new key of a kind."""
        self.algorithm = kind
        self.key = ECKey.generate_key("P-256") if kind == "ES256" else OKPKey.generate_key("Ed25519")

    @property
    def jwk(self) -> dict[str, Any]:
        """The public half."""
        members = self.key.as_dict(private=False)
        return {name: members[name] for name in ("kty", "crv", "x", "y") if name in members}

    def signed(self, header: Mapping[str, Any], claims: object, key: Any = None) -> str:  # noqa: ANN401 - any key
        """Any JWS, well-made or not."""
        registry = jws.JWSRegistry(algorithms=["ES256", "Ed25519", "HS256", "none"], strict_check_header=False)
        body = msgspec.json.encode(claims)
        return jws.serialize_compact(dict(header), body, key or self.key, registry=registry)

    def header(self, **changed: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
        """The header of a proof, with some members changed."""
        return {"typ": "dpop+jwt", "alg": self.algorithm, "jwk": self.jwk} | changed

    def claims(
        self,
        at_ms: int,
        account: str = "",
        body: Mapping[str, Any] | None = None,
        token: str = "",
        **changed: Any,  # noqa: ANN401 - any JSON
    ) -> dict[str, Any]:
        """The claims of a proof for an action, with some of them changed; a claim of None is left out."""
        action = {name: one for name, one in (body or {}).items() if name not in {*ENVELOPE, "password"}}
        digest = hashlib.sha256(account.encode() + b"\n" + canonical_json(action)).digest()
        bound = {"act": digest_text(digest), "ath": digest_text(hashlib.sha256(token.encode()).digest())}
        name = secrets.token_urlsafe(16)
        claims = {"jti": name, "htm": "POST", "htu": ROUTE, "iat": at_ms // 1000, **(bound if token else {})} | changed
        return {name: one for name, one in claims.items() if one is not None}

    def proof(
        self,
        at_ms: int,
        account: str = "",
        body: Mapping[str, Any] | None = None,
        token: str = "",
        **changed: Any,  # noqa: ANN401 - any JSON
    ) -> str:
        """A proof for an action by a session, with some claims changed."""
        return self.signed(self.header(), self.claims(at_ms, account, body, token, **changed))
