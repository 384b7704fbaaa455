"""Texts that owners of domains publish in the name system, asked for over this machine's own resolvers.

Answers are as trustworthy as the way to those resolvers. Whoever decides by them should run one that validates DNSSEC
on the same machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdback.ports import RecordsUnavailable

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver

LIFETIME_S: Final = 5.0
_EXTRA: Final = "asking for keys of mails needs the extra `documents`: pip install 'holdback[documents]'"


class DnsRecords:
    """Asks the resolvers of this machine, or others by address. See ports.TextRecords.

    Example: `await DnsRecords().txt("selector._domainkey.example.com")`.
    """

    def __init__(self, servers: tuple[str, ...] = (), port: int = 53) -> None:
        """Ask nobody yet. Raises ModuleNotFoundError without the extra `documents`."""
        try:
            from dns.asyncresolver import Resolver  # noqa: PLC0415 - of an extra, which may not be there
        except ModuleNotFoundError:
            raise ModuleNotFoundError(_EXTRA, name="dns") from None
        self._resolver: Resolver = Resolver(configure=not servers)
        if servers:
            self._resolver.nameservers = list(servers)
            self._resolver.port = port

    async def txt(self, name: str) -> tuple[bytes, ...]:
        """See ports.TextRecords."""
        from dns.exception import DNSException  # noqa: PLC0415 - it was there when this object was made
        from dns.resolver import NXDOMAIN, NoAnswer  # noqa: PLC0415 - the same

        try:
            answer = await self._resolver.resolve(name + ".", "TXT", search=False, lifetime=LIFETIME_S)
        except (NXDOMAIN, NoAnswer):
            return ()
        except (DNSException, OSError):
            raise RecordsUnavailable("the name system gave no answer") from None
        return tuple(b"".join(record.strings) for record in answer)
