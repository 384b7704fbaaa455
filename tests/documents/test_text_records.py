"""The name system is asked by the one who was told to, and its silence is not taken for an answer."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final, cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from holdback.evidence import text_records
from holdback.evidence.text_records import DnsRecords
from holdback.ports import RecordsUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HERE: Final = "127.0.0.1"


class Names(asyncio.DatagramProtocol):
    """A name server of three names."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to answer."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one question; of a broken name say that it is broken."""
        asked = dns.message.from_wire(data)
        name = asked.question[0].name
        answer = dns.message.make_response(asked)
        answer.flags |= dns.flags.RA
        match name.to_text():
            case "here.example.":
                answer.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", '"in two " "pieces"', '"another"'))
            case "bare.example.":
                pass
            case "broken.example.":
                answer.set_rcode(dns.rcode.SERVFAIL)
            case _:
                answer.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(answer.to_wire(), addr)


@pytest.fixture
async def records() -> AsyncIterator[DnsRecords]:
    """Records as that server has them."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Names, (HERE, 0))
    yield DnsRecords((HERE,), transport.get_extra_info("sockname")[1])
    transport.close()


async def test_records(records: DnsRecords) -> None:
    """A name's records come whole and all, and a name without any has none."""
    assert set(await records.txt("here.example")) == {b"in two pieces", b"another"}
    assert await records.txt("bare.example") == ()
    assert await records.txt("none.example") == ()


async def test_silence(records: DnsRecords, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that fails is no answer."""
    monkeypatch.setattr(text_records, "LIFETIME_S", 0.2)

    with pytest.raises(RecordsUnavailable):
        await records.txt("broken.example")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the packages are not installed the error names the extra that has them."""
    monkeypatch.setitem(sys.modules, "dns.asyncresolver", None)

    with pytest.raises(ModuleNotFoundError, match=r"pip install 'holdback\[documents\]'"):
        DnsRecords()
