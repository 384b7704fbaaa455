"""Reads the public data set of Wiefling et al. (2022), *Login Data Set for Risk-Based Authentication*.

It is 33 million made-up sign-ins modelled after those of a Norwegian single sign-on. The file is neither shipped nor
fetched: get it from its authors (doi:10.5281/zenodo.6782156, CC BY 4.0). It knows no device keys or ages of factors;
what it lacks is left out, and what it has is hashed as the bench's own sign-ins are.
"""

from __future__ import annotations

import csv
import zlib
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from holdback.bench.signins import OWNER, SignIn, named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COLUMNS: Final = (
    "Login Timestamp",
    "User ID",
    "IP Address",
    "Country",
    "ASN",
    "User Agent String",
    "Browser Name and Version",
    "OS Name and Version",
    "Login Successful",
    "Is Attack IP",
    "Is Account Takeover",
)
"""The columns that are read, as the data set names them."""

TAKEOVER: Final = "takeover"
ATTACK: Final = "attack_ip"


class NotTheDataSet(ValueError):
    """The file is not laid out as the data set is. The message names what is missing or wrong, and the line."""


ROW_BYTES: Final = 300
"""About what a row takes."""


def one_in(path: Path, most: int) -> int:
    """Of how many customers one is to be read, so that about so many rows are kept: all of them need not fit memory."""
    return max(1, path.stat().st_size // ROW_BYTES // most)


def sign_ins(path: Path, share: int = 1) -> Iterator[SignIn]:
    """Every row that tells of an owner or a thief, as the file orders them. Raises NotTheDataSet.

    Owners are successful sign-ins that are marked as neither attack nor takeover. Other failures tell of nobody: they
    only count as wrong tries before the customer's next row. `user` is a number of its own, in order of appearance.
    Of `share` customers one is read, always the same.
    """
    users: dict[str, int] = {}
    failed: Counter[int] = Counter()
    with path.open(newline="", encoding="utf-8") as source:
        rows = csv.DictReader(source)
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise NotTheDataSet(f"the column {missing[0]} is missing")
        for row in rows:
            if zlib.crc32(str(row["User ID"]).encode()) % share:
                continue
            user = users.setdefault(row["User ID"], len(users))
            try:
                one = _sign_in(row, user, failed[user])
            except (ValueError, TypeError, AttributeError) as error:
                raise NotTheDataSet(f"line {rows.line_num}: {error}") from None
            if one is None:
                failed[user] += 1
            else:
                failed[user] = 0
                yield one


def _sign_in(row: dict[str, str], user: int, failed: int) -> SignIn | None:
    who = TAKEOVER if _is(row["Is Account Takeover"]) else ATTACK if _is(row["Is Attack IP"]) else OWNER
    if who == OWNER and not _is(row["Login Successful"]):
        return None
    moment = datetime.fromisoformat(row["Login Timestamp"]).replace(tzinfo=UTC)
    block = row["IP Address"].rpartition(".")[0] or row["IP Address"]
    address = (
        named("country", row["Country"]),
        named("asn", row["ASN"]),
        named("block", block),
        named("address", row["IP Address"]),
    )
    system, _, _ = row["OS Name and Version"].partition(" ")
    family, _, version = row["Browser Name and Version"].rpartition(" ")
    browser = (
        named("system", system),
        named("version", family, version.partition(".")[0]),
        named("browser", row["User Agent String"]),
    )
    return SignIn(user, int(moment.timestamp() * 1000), address, browser, "", "", failed, 0, who)


def _is(text: str) -> bool:
    if text.strip().lower() not in {"true", "false", "1", "0"}:
        raise ValueError(f"neither true nor false: {text[:20]}")
    return text.strip().lower() in {"true", "1"}
