"""How long a sign-in takes tells nobody whether a name exists."""

from __future__ import annotations

import math
import random
import statistics
from time import perf_counter
from typing import TYPE_CHECKING

import msgspec
from argon2 import PasswordHasher
from tests.service.house import Customer, Hands, House

from holdback.evidence.password import MEMORY_KIB, ROUNDS
from holdback.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

NAMES = 60
TRIES = 3
"""A name, which is fewer than make it pause."""
ALPHA_Z = 4.0
"""A difference by chance alone in one run of 16,000."""


def z_score(one: list[float], other: list[float]) -> float:
    """Mann and Whitney's statistic, as a standard normal: how often a sample of one is above one of the other's."""
    ranked = sorted([(value, 0) for value in one] + [(value, 1) for value in other])
    rank_sum = sum(rank for rank, (_, which) in enumerate(ranked, 1) if not which)
    n, m = len(one), len(other)
    above = rank_sum - n * (n + 1) / 2
    return (above - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)


async def test_timing_tells_no_name(tmp_path: Path) -> None:
    """Wrong proofs take times of one distribution for names that exist and for names that do not."""
    # Samples take turns at random, so that a busy machine is as busy for both. Beside it, the same rank test sees what
    # it should: a sign-in that skips the password's hash.
    store = SqliteStore(tmp_path / "timing.db")
    await store.migrate()
    hasher = PasswordHasher(ROUNDS, MEMORY_KIB, 1)
    house = House(store, Hands(), hasher=hasher)
    hashed = hasher.hash("the right password")
    for number in range(NAMES):
        customer = Customer(house, f"known-{number}")
        body = customer.importing()
        body["authenticators"][0]["secret"] = hashed
        await customer.ask(body)
    proofs = [{"kind": "password", "response": "a guess that is wrong"}, {"kind": "totp", "response": "000000"}]
    plan = [(kind, number) for kind in ("known", "unknown") for number in range(NAMES)] * TRIES
    random.Random(7).shuffle(plan)
    took: dict[str, list[float]] = {"known": [], "unknown": [], "cheap": []}
    for place, (kind, number) in enumerate([("unknown", NAMES)] * 4 + plan):
        body = {"proofs": proofs, "context": {"device": "stranger"}}
        began = perf_counter()
        answer = await house.service.sign_in("backend", f"{kind}-{number}@example.com", body, f"{place}", b"raw")
        if place >= 4:
            took[kind].append(perf_counter() - began)
        assert msgspec.json.decode(answer)["decision"] == "step_up"
        began = perf_counter()
        await house.service.sign_in("backend", f"{kind}-{number}@example.com", body | {"proofs": []}, "", b"")
        took["cheap"].append(perf_counter() - began)
    await store.close()

    known, unknown = took["known"], took["unknown"]
    assert abs(z_score(known, unknown)) < ALPHA_Z, (statistics.median(known), statistics.median(unknown))
    assert abs(z_score(known, took["cheap"])) > ALPHA_Z
