"""Who visits a page: a cookie that no script reads, and a no to what other sites send along.

The cookie is enough to read by. What changes anything must come from a page of this origin, with a word that only our
pages have, and, where the session is bound to a device's key, signed by that key (RFC 9449).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final, NamedTuple

from holdback import dpop
from holdback.core.events import Instant, StreamKind
from holdback.intake import ACCOUNT_ID, token_hash
from holdback.ports import Wanted

if TYPE_CHECKING:
    from holdback.service import Service
    from holdback.web.endpoint import Call

_WORD: Final = b"holdback page 1"


class Visitor(NamedTuple):
    """Somebody at a page: his account, his session's token, and whether a device's key must sign what he asks."""

    account: str
    token: str
    bound: bool
    ends_at: Instant = 0

    @property
    def word(self) -> str:
        """What only a page made for this session knows (OWASP, HMAC-based token against CSRF)."""
        return hmac.new(self.token.encode(), _WORD, hashlib.sha256).hexdigest()

    @property
    def ath(self) -> str:
        """The token's digest, which a device signs."""
        return dpop.token_text(self.token)


class Visitors:
    """Cookies of one kind of pages, served at one origin."""

    def __init__(
        self, service: Service, origin: str, path: str, name: str, kind: StreamKind = StreamKind.CUSTOMER
    ) -> None:
        """Serve browsers at `origin`; without TLS the cookie cannot have the prefix that binds it to the host.

        Nobody of another `kind` visits: what customers read by a cookie alone, nobody may read of the staff so.
        """
        self._service, self.origin, self._path, self._kind = service, origin, path, kind
        secure = origin.startswith("https:")
        self._name = f"__Host-{name}" if secure else name
        self._rest = f"Path=/; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}"

    async def at(self, call: Call) -> Visitor | None:
        """Whose session came in the cookie, while it counts."""
        account, _, token = cookies(call).get(self._name, "").partition(":")
        if not token or not ACCOUNT_ID.fullmatch(account):
            return None
        loaded = await self._service.store.read([Wanted(account)])
        row = loaded.snapshots.get(account)
        head = self._service.tools.snapshots.head(row) if row is not None else None
        if head is None or head.stream is not self._kind:
            return None
        session = head.sessions.get(token_hash(token))
        if session is None or session.ends_at() <= loaded.now:
            return None
        return Visitor(account, token, bool(session.key), session.ends_at())

    def is_from_here(self, call: Call) -> bool:
        """Whether a page of this origin sends this: a browser tells by two headers that no script can set."""
        site = call.headers.get(b"sec-fetch-site", b"same-origin")
        return site == b"same-origin" and call.headers.get(b"origin", b"") == self.origin.encode()

    def kept(self, account: str, token: str) -> tuple[bytes, bytes]:
        """The header that has a browser keep a session until the browser or the session ends."""
        return self._header(f"{account}:{token}", "")

    def dropped(self) -> tuple[bytes, bytes]:
        """The header that has a browser forget it."""
        return self._header("", "; Max-Age=0")

    def _header(self, value: str, more: str) -> tuple[bytes, bytes]:
        return b"set-cookie", f"{self._name}={value}; {self._rest}{more}".encode()


def cookies(call: Call) -> dict[str, str]:
    """The cookies of a request; of two of one name the first, which a browser takes to fit best.

    A host's neighbours and its platform leave cookies too: none of theirs, however odd or long, may hide ours.
    """
    found: dict[str, str] = {}
    for one in call.headers.get(b"cookie", b"").decode("latin-1").split(";"):
        name, named, value = one.strip(" ").partition("=")
        if named:
            found.setdefault(name, value)
    return found
