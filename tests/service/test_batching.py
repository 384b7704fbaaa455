"""Batches: one bad question fails alone, a conflict costs a batch and no answer, and nobody waits without end."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, cast

import pytest
from tests.contracts.raw import execute
from tests.service.faulty import Fault, Step, Trap, faulty
from tests.service.house import Customer, Hands, House, settled

from holdback.batching import Batcher, Job, Overloaded
from holdback.core import events as ev
from holdback.intake import BadRequest
from holdback.ports import Conflict, StoreUnavailable
from holdback.service import TRIES
from holdback.snapshots import Tampered

if TYPE_CHECKING:
    from tests.contracts.conftest import Place

    from holdback.ports import Store
    from holdback.receipts import Receipt, ReceiptKeys

CROWD = 12
DEADLINE_S = 10


async def crowd(store: Store, clock: Hands) -> tuple[House, Trap, list[Customer]]:
    """Customers in a house whose store has a trap in it."""
    people = await settled(House(store, clock), *(f"c{number:02}" for number in range(CROWD)))
    trap = Trap()
    house = House(faulty(store, trap), clock)
    for one in people:
        one.house = house
    return house, trap, people


async def test_one_bad_question_fails_alone(store: Store, clock: Hands, place: Place) -> None:
    """A question about an altered account, one with a bad field and one of nobody leave the rest of a batch alone."""
    house, _, people = await crowd(store, clock)
    await execute(place, "UPDATE customers SET mac = link WHERE account = 'c00'")

    questions = [one.ask(one.withdrawal(1)) for one in people]
    questions.append(Customer(house, "nobody").ask(people[1].withdrawal(1)))
    questions.append(people[1].ask(people[1].body("exit.cancel", which="?")))
    first, *others = await asyncio.gather(*questions, return_exceptions=True)

    assert isinstance(first, Tampered)
    assert isinstance(others.pop(), BadRequest)
    assert [one["decision"] for one in others if isinstance(one, dict)] == ["step_up"] * (CROWD - 1) + ["deny"]


async def test_altered_between_reading_and_locking(store: Store, clock: Hands, place: Place) -> None:
    """A row that is altered after its question was read is noticed under the lock, and fails nobody else."""
    house, trap, people = await crowd(store, clock)
    trap.crowded = True
    trap.meanwhile(Step.LOAD, partial(execute, place, "UPDATE customers SET mac = link WHERE account = 'c00'"))
    before = house.service.work

    first, *others = await asyncio.gather(*(one.ask(one.withdrawal(1)) for one in people), return_exceptions=True)

    assert house.service.work.batches - before.batches <= 2
    assert isinstance(first, Tampered)
    assert all(isinstance(one, dict) for one in others)
    assert await house.faults(*(one.account for one in people[1:])) == []


@pytest.mark.parametrize("error", [Conflict("somebody was first"), ValueError("this cannot be written")])
async def test_a_batch_falls_apart_into_questions(store: Store, clock: Hands, error: Exception) -> None:
    """When a batch cannot be written each question is judged alone, and all are answered, once."""
    house, trap, people = await crowd(store, clock)
    trap.set(Step.WRITE, Fault.PERSISTED, error)

    answers = await asyncio.gather(*(one.ask(one.withdrawal(1)) for one in people))

    assert trap.sprung == 1
    assert [one["decision"] for one in answers] == ["step_up"] * CROWD
    for one in people:
        assert (await house.story(one.account)).count(("exit.request", "step_up")) == 1
    assert await house.faults(*(one.account for one in people)) == []


async def test_a_batch_that_the_store_lost(store: Store, clock: Hands) -> None:
    """When the store is gone everyone in the batch is told to come back, and nothing of it is there."""
    house, trap, people = await crowd(store, clock)
    trap.set(Step.COMMIT, Fault.FAILED)

    answers = await asyncio.gather(*(one.ask(one.withdrawal(1)) for one in people), return_exceptions=True)

    assert {type(one) for one in answers} == {StoreUnavailable}
    assert ("exit.request", "step_up") not in [step for one in people for step in await house.story(one.account)]


async def test_a_question_that_always_comes_too_late(store: Store, clock: Hands) -> None:
    """A question whose account others keep changing is given up after some tries, as a store that is too busy."""
    house, trap, people = await crowd(store, clock)
    alice = people[0]
    trap.crowded = True
    tried = 0

    async def too_late() -> None:
        nonlocal tried
        tried += 1
        trap.set(Step.WRITE, Fault.PERSISTED, Conflict("somebody was first"))
        trap.meanwhile(Step.LOAD, too_late)

    trap.meanwhile(Step.LOAD, too_late)
    with pytest.raises(StoreUnavailable, match="busy"):
        await alice.ask(alice.withdrawal(1))

    assert tried == 1 + TRIES
    assert (await house.story(alice.account))[-1] != ("exit.request", "step_up")


async def test_a_caller_that_leaves(store: Store, clock: Hands) -> None:
    """Whoever gives up waiting stops neither their own question nor those in the same batch."""
    house, trap, people = await crowd(store, clock)
    written, go_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        written.set()
        await go_on.wait()

    trap.meanwhile(Step.WRITE, wait)
    asking = [asyncio.create_task(one.ask(one.withdrawal(1))) for one in people]
    await asyncio.wait_for(written.wait(), DEADLINE_S)
    asking[0].cancel()
    go_on.set()
    left, *others = await asyncio.gather(*asking, return_exceptions=True)

    assert isinstance(left, asyncio.CancelledError)
    assert [one["decision"] for one in others if isinstance(one, dict)] == ["step_up"] * (CROWD - 1)
    assert (await house.story(people[0].account))[-1] == ("exit.request", "step_up")


async def test_many_questions_for_one_account(store: Store, clock: Hands) -> None:
    """Questions for one account in one batch see each other, and each writes an entry of its own."""
    house, _, (alice, *_) = await crowd(store, clock)
    sweep = alice.body("exit.request", kind="sweep", asset="USDT", amount="1", counterparty="trading")
    before = house.service.work

    await asyncio.gather(*(alice.ask(sweep | {"usd": str(number)}, f"k{number}") for number in range(CROWD)))

    assert house.service.work.batches - before.batches <= 2
    gone = await house.happened(alice.account, ev.ExitAllowed)
    assert len({one.exit for one in gone}) == CROWD
    assert await house.faults(alice.account) == []


class Broken:
    """Receipt keys with which nothing can be signed."""

    def sign(self, receipt: Receipt) -> str:
        """Fail at the last step before an answer."""
        raise RuntimeError(f"cannot sign {receipt.id}")


async def test_a_question_that_fails_at_its_last_step(store: Store, clock: Hands) -> None:
    """A question that fails after it was decided leaves nothing behind, for its account or another's, in its batch."""
    house, _, (alice, bob, *_) = await crowd(store, clock)
    friend = alice.body("exit.request", proofs=alice.proofs(), kind="internal_transfer", asset="USDT", amount="5")
    house.service.tools = house.service.tools._replace(receipts=cast("ReceiptKeys", Broken()))

    asked = [friend | {"counterparty": bob.account}, alice.withdrawal(1), alice.withdrawal(2)]
    failed, *others = await asyncio.gather(*(alice.ask(one) for one in asked), return_exceptions=True)

    assert isinstance(failed, RuntimeError)
    assert [one["decision"] for one in others if isinstance(one, dict)] == ["step_up", "step_up"]
    assert await house.happened(alice.account, ev.ExitAllowed) == []
    assert await house.happened(bob.account, ev.ValueReceived) == []
    assert await house.faults(alice.account, bob.account) == []


async def test_a_payment_to_an_altered_account(store: Store, clock: Hands, place: Place) -> None:
    """A transfer to an account that was altered is not made, and takes nothing from its sender."""
    house, _, (alice, bob, *_) = await crowd(store, clock)
    await execute(place, "UPDATE customers SET mac = link WHERE account = 'c01'")
    friend = alice.body("exit.request", proofs=alice.proofs(), kind="internal_transfer", asset="USDT", amount="5")

    with pytest.raises(Tampered):
        await alice.ask(friend | {"counterparty": bob.account})

    assert await house.happened(alice.account, ev.ExitAllowed) == []
    assert (await alice.ask(alice.withdrawal(1)))["decision"] == "step_up"


# The batcher by itself


async def double(jobs: list[Job[int, int]]) -> None:
    """Answer each job with twice its work."""
    for job in jobs:
        job.done(2 * job.work)


async def test_an_answer_and_the_next_job() -> None:
    """A job submitted in the very step in which the one before was answered is done too."""
    batcher = Batcher(double, largest=4)
    for number in range(200):
        assert await asyncio.wait_for(batcher.submit(number), DEADLINE_S) == 2 * number
    assert batcher.batches == batcher.jobs == 200


async def test_a_full_queue() -> None:
    """When too much waits the next one is turned away at once, and told when to come back."""
    go_on = asyncio.Event()

    async def slow(jobs: list[Job[int, int]]) -> None:
        await go_on.wait()
        await double(jobs)

    batcher = Batcher(slow, largest=2, waiting=3)
    waiting = [asyncio.create_task(batcher.submit(number)) for number in range(2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # the lane has taken the first two
    waiting += [asyncio.create_task(batcher.submit(number)) for number in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded) as turned_away:
        await batcher.submit(9)
    assert turned_away.value.retry_after_s > 0
    assert len(batcher) == 3

    go_on.set()
    assert await asyncio.wait_for(asyncio.gather(*waiting), DEADLINE_S) == [0, 2, 0, 2, 4]
    assert await asyncio.wait_for(batcher.submit(9), DEADLINE_S) == 18
    await batcher.drained()


async def test_a_job_that_nobody_settled() -> None:
    """What goes wrong with a whole batch reaches everyone in it, and the next batch is none the wiser."""
    wrong = True

    async def sometimes(jobs: list[Job[int, int]]) -> None:
        if wrong:
            jobs[0].done(0)
            raise ValueError("wrong")
        await double(jobs)

    batcher = Batcher(sometimes, largest=4)
    answers = await asyncio.gather(*(batcher.submit(number) for number in range(3)), return_exceptions=True)
    wrong = False

    assert answers[0] == 0
    assert [type(one) for one in answers[1:]] == [ValueError, ValueError]
    assert await asyncio.wait_for(batcher.submit(4), DEADLINE_S) == 8


async def test_lanes() -> None:
    """No more batches run at a time than there are lanes."""
    running = most = 0

    async def watched(jobs: list[Job[int, int]]) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        await double(jobs)

    batcher = Batcher(watched, largest=1, lanes=2)
    assert await asyncio.gather(*(batcher.submit(number) for number in range(9))) == [2 * one for one in range(9)]
    assert most == 2
