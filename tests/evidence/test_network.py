"""Where an address is, by databases that these tests write themselves."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import maxminddb
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet  # type: ignore[import-untyped] # it publishes no types

from holdback.core.events import DAY
from holdback.core.risk import ORIGINS
from holdback.evidence.network import Networks

if TYPE_CHECKING:
    from pathlib import Path

    from holdback.ports import Whence

NOW: Final = time.time_ns() // 1_000_000
"""The writer stamps its databases with the time it is."""
AGE_D: Final = 45
HERE: Final = "81.2.69.142"


def database(path: Path, records: dict[str, dict[str, Any]]) -> Path:
    """A database in MaxMind's format, built now."""
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="Test", int_type="uint32")
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path


@pytest.fixture
def country(tmp_path: Path) -> Path:
    """A database of countries as MaxMind and DB-IP lay it out."""
    records = {"81.2.69.0/24": {"country": {"iso_code": "GB"}}, "2001:db8::/32": {"country": {"iso_code": "NO"}}}
    return database(tmp_path / "country.mmdb", records)


@pytest.fixture
def asn(tmp_path: Path) -> Path:
    """A database of networks in the same layout."""
    records = {
        "81.2.69.0/24": {"autonomous_system_number": 20712},
        "2001:db8::/32": {"autonomous_system_number": 64500},
    }
    return database(tmp_path / "asn.mmdb", records)


def facts(whence: Whence) -> set[str]:
    """What is missing but for the kind of network, which depends on what is installed, and how old."""
    return {one for one in whence.missing if not one.startswith("origin:")}


def test_a_listed_address_has_its_facts(country: Path, asn: Path) -> None:
    """Country and network are the databases'; the blocks are the address's /24 and itself."""
    found = Networks(country, asn, age_d=AGE_D).whence(HERE, NOW)
    assert (found.country, found.asn, found.blocks) == ("GB", 20712, ("81.2.69.0/24", "81.2.69.142/32"))
    assert facts(found) == set()


@pytest.mark.parametrize(
    "address", ["2001:db8:7:1:aaaa::1", "2001:DB8:7:1::ffff", "2001:db8:7:1:1:2:3:4%eth0", " 2001:db8:7:1:: "]
)
def test_a_rotated_ipv6_address_is_the_same_home(country: Path, asn: Path, address: str) -> None:
    """The last half of an IPv6 address changes by itself; what is compared are its /48 and /64."""
    found = Networks(country, asn, age_d=AGE_D).whence(address, NOW)
    assert found.blocks == ("2001:db8:7::/48", "2001:db8:7:1::/64")
    assert (found.country, found.asn) == ("NO", 64500)


def test_an_ipv4_address_in_ipv6_clothes_is_itself(country: Path, asn: Path) -> None:
    """What a server on both protocols calls an IPv4 address is looked up as one."""
    networks = Networks(country, asn, age_d=AGE_D)
    assert networks.whence(f"::ffff:{HERE}", NOW) == networks.whence(HERE, NOW)


@pytest.mark.parametrize("text", ["", "localhost", "999.1.1.1", "x" * 64, "::1::2"])
def test_what_is_no_address_is_missing(country: Path, asn: Path, text: str) -> None:
    """An address that is none is a missing fact, never an error."""
    assert Networks(country, asn, age_d=AGE_D).whence(text, NOW) == ((), "", 0, "", ("address:malformed",))


def test_each_missing_fact_has_its_reason(tmp_path: Path, country: Path) -> None:
    """No database, an unreadable one, one that is not one, and an address that is not in it are told apart."""
    noise = tmp_path / "noise.mmdb"
    noise.write_bytes(b"no database")
    assert facts(Networks(None, tmp_path / "gone.mmdb", age_d=AGE_D).whence(HERE, NOW)) == {
        "country:unset",
        "asn:broken",
    }
    assert facts(Networks(noise, country, age_d=AGE_D).whence(HERE, NOW)) == {"country:broken", "asn:unlisted"}
    assert "country:unlisted" in Networks(country, None, age_d=AGE_D).whence("198.51.100.7", NOW).missing


def test_a_stale_database_is_not_believed(tmp_path: Path) -> None:
    """On the last day that the policy allows it speaks, a moment later it is a missing fact of its own kind."""
    old = database(tmp_path / "old.mmdb", {"81.2.69.0/24": {"country": {"iso_code": "GB"}}})
    last = maxminddb.open_database(old).metadata().build_epoch * 1000 + AGE_D * DAY
    networks = Networks(old, None, age_d=AGE_D)
    assert networks.whence(HERE, last).country == "GB"
    later = networks.whence(HERE, last + 1)
    assert (later.country, "country:stale" in later.missing) == ("", True)


def test_a_replaced_database_is_read_again(tmp_path: Path, country: Path) -> None:
    """An operator puts a new file in the old one's place, and it is used from the next question on."""
    networks = Networks(country, None, age_d=AGE_D)
    assert networks.whence(HERE, NOW).country == "GB"
    newer = database(tmp_path / "newer.mmdb", {"81.2.69.0/24": {"country": {"iso_code": "FR"}}})
    os.utime(newer, ns=(1, 1))
    newer.replace(country)
    assert networks.whence(HERE, NOW).country == "FR"


@pytest.mark.parametrize(
    ("record", "code", "number"),
    [
        ({"country_code": "se", "asn": "AS64501"}, "SE", 64501),
        ({"country": "SE", "asn": "64501"}, "SE", 64501),
        ({"country": "Sweden", "asn": "many"}, "", 0),
        ({"country": {"names": {}}, "autonomous_system_number": 2**32 - 1}, "", 2**32 - 1),
        ({"country": "S1", "asn": "AS99999999999"}, "", 0),
    ],
    ids=str,
)
def test_layouts(tmp_path: Path, record: dict[str, Any], code: str, number: int) -> None:
    """Records of several publishers are understood, and nonsense in them is a missing fact."""
    path = database(tmp_path / "one.mmdb", {"81.2.69.0/24": record})
    found = Networks(path, path, age_d=AGE_D).whence(HERE, NOW)
    assert (found.country, found.asn) == (code, number)


class TestOrigin:
    """What kind of network it is, by the extra."""

    @pytest.mark.parametrize(
        ("address", "kind"), [("52.95.110.1", "hosting"), ("192.0.2.1", "unlisted"), ("10.0.0.1", "unlisted")]
    )
    def test_kinds(self, address: str, kind: str) -> None:
        """A cloud's address is hosting; what is in no list is unlisted, which says nothing."""
        built_at = pytest.importorskip("iporigin").dataset_info()["built_at"] * 1000
        found = Networks(None, None, age_d=AGE_D).whence(address, built_at)
        assert (found.origin, kind in ORIGINS) == (kind, True)

    def test_its_list_grows_stale_too(self) -> None:
        """A list older than the policy believes is not asked."""
        built_at = pytest.importorskip("iporigin").dataset_info()["built_at"] * 1000
        found = Networks(None, None, age_d=AGE_D).whence("52.95.110.1", built_at + (AGE_D + 1) * DAY)
        assert (found.origin, "origin:stale" in found.missing) == ("", True)

    def test_without_the_extra_it_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where the extra is not installed the fact is missing, and says so."""
        monkeypatch.setitem(sys.modules, "iporigin", None)
        found = Networks(None, None, age_d=AGE_D).whence("52.95.110.1", NOW)
        assert (found.origin, "origin:unset" in found.missing) == ("", True)
