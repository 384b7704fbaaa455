"""Which hosts are this machine itself: only to those may a notice go without TLS."""

from __future__ import annotations

import ipaddress


def is_this_machine(host: str) -> bool:
    """Whether a host, by name or address, can be no other machine. A name that a resolver might lie about cannot."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
