"""The platform is told of holds: by a real service, over HTTP, to a receiver that verifies what it gets."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.contracts.far import HOST, Arrived, FarHook
from tests.service.house import PLATFORM, STRANGER, Customer, Hands, House, command, settings, settled, token_in

from holdback import backup
from holdback.client import Webhook, verify_webhook
from holdback.core.events import DAY, HOUR, Channel
from holdback.judging import TOLD_FOR_MS
from holdback.outbox import Outbox
from holdback.store.sqlite import SqliteStore
from holdback.webhooks import BACK_OFF_MS, LEASE_MS, Webhooks, body
from holdback.wiring import SettingError, hook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.requests import Request
    from tests.contracts.conftest import Place

    from holdback.channels.webhook import SignedPost
    from holdback.ports import Store

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEW_SECRET = "whsec_c2VjcmV0LW9mLWEtcm90YXRlZC1lbmRwb2ludA=="
ANY_TIME_S = 10**11
"""The messages' own clock is the machine's, the house's stands still."""


@dataclass
class Platform(FarHook):
    """A platform that keeps what it could verify, and the bodies as they came."""

    knows: list[str] = field(default_factory=lambda: [SECRET])
    told: list[Webhook] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def _kept(self, request: Request, content: bytes) -> Arrived:
        headers = dict(request.headers)
        self.told.append(verify_webhook(content, headers, secrets=self.knows, now=0, tolerance=ANY_TIME_S))
        self.bodies.append(content)
        return Arrived("", [], "", "", {})

    @property
    def kinds(self) -> list[str]:
        """What it was told, in order."""
        return [one.kind for one in self.told]


@dataclass
class Street:
    """A house whose platform has a webhook."""

    house: House
    platform: Platform
    hook: SignedPost
    webhooks: Webhooks
    alice: Customer

    async def post(self) -> None:
        """Tell all that is due."""
        for _ in range(50):
            if not await self.webhooks.post_due():
                return
        raise AssertionError("it never comes to an end")

    async def held(self) -> dict[str, Any]:
        """A withdrawal to a stranger that waits."""
        answer = await self.alice.ask(self.alice.withdrawal(5_000, to=STRANGER, proofs=self.alice.proofs()))
        assert answer["decision"] == "hold", answer
        found: dict[str, Any] = answer["hold"]
        return found


class Faulty:
    """A hook that fails for one account in a way that nobody named."""

    def __init__(self, hook: SignedPost) -> None:
        self._hook = hook
        self.faulty = "alice"
        self.failed = 0

    async def post(self, id: str, body: str) -> None:  # noqa: A002 - the port's own name
        """Post, or break."""
        if self.faulty and id.startswith(self.faulty):
            self.failed += 1
            raise RuntimeError(id)
        await self._hook.post(id, body)

    async def close(self) -> None:
        """Somebody else's."""


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    """A receiver on a port of its own."""
    far = Platform()
    await far.start()
    yield far
    await far.stop()


@pytest.fixture
async def street(store: Store, clock: Hands, platform: Platform) -> AsyncIterator[Street]:
    """Alice lives in it."""
    url = f"http://{HOST}:{platform.port}/holds"
    given = msgspec.structs.replace(settings(), hold_webhook_url=url, hold_webhook_secret=f"{NEW_SECRET} {SECRET}")
    house = House(store, clock, given=given)
    (alice,) = await settled(house, "alice")
    post = hook(given)
    assert post is not None
    one = Street(house, platform, post, Webhooks(house.service, post), alice)
    await one.post()
    platform.told.clear()
    yield one
    await post.close()


async def test_a_hold_is_told_from_its_beginning_to_its_end(street: Street) -> None:
    """Held, moved as the owner is told, releasable at its time and not before, released: in this order, once each."""
    hold = await street.held()
    await street.house.deliver()
    await street.post()
    assert street.platform.kinds[0] == "exit.held"
    assert set(street.platform.kinds[1:]) <= {"exit.moved"}
    (shown,) = (await street.house.head("alice")).exits.values()
    street.house.clock.at = shown.said_until - 1
    await street.post()
    assert "exit.releasable" not in street.platform.kinds
    street.house.clock.at = shown.said_until
    await street.post()
    last = street.platform.told[-1]
    assert (last.kind, last.account, last.exit) == ("exit.releasable", "alice", hold["id"])
    assert last.until is not None
    assert round(last.until.timestamp() * 1000) == shown.said_until
    await street.house.priced()
    answer = await street.house.ask("alice", {"action": "exit.release", "which": hold["id"], "actor": PLATFORM})
    assert answer["decision"] == "allow", answer
    await street.post()
    assert street.platform.kinds[-2:] == ["exit.releasable", "exit.released"]
    assert len({one.id for one in street.platform.told}) == len(street.platform.told)


async def test_what_is_no_longer_so_is_not_told(street: Street) -> None:
    """A hold that was cancelled, or stopped by a freeze, is never called releasable."""
    hold = await street.held()
    await street.house.deliver()
    await street.alice.ask(street.alice.body("exit.cancel", which=hold["id"]))
    await street.held()
    await street.house.deliver()
    await street.alice.ask(street.alice.body("account.freeze"))
    street.house.clock.at += 30 * DAY
    await street.post()
    assert "exit.releasable" not in street.platform.kinds
    assert street.platform.kinds.count("exit.cancelled") == 2
    assert [one.kind for one in street.platform.told if not one.exit] == ["account.frozen"]
    assert (await street.house.store.webhook_backlog())[0] == 0


async def test_ids_are_not_used_again_after_a_restore(street: Street, tmp_path: Path) -> None:
    """What a restored store writes in place of what it forgot has ids of its own: a receiver drops those it knows."""
    file = io.BytesIO()
    await backup.save(street.house.store, file, lambda _: None)
    await street.held()
    before = await street.house.store.claim_webhooks(16, LEASE_MS)
    file.seek(0)
    restored = SqliteStore(str(tmp_path / "restored.db"), clock=street.house.clock.now)
    await restored.migrate()
    await backup.restore(restored, file, lambda _: None)
    house = House(restored, street.house.clock, given=street.house.settings)
    alice = Customer(house, "alice", street.alice.secret, session=street.alice.session)
    assert (await alice.ask(alice.body("account.freeze")))["decision"] == "allow"
    after = await restored.claim_webhooks(16, LEASE_MS)
    assert [one.kind for one in after] == ["account.frozen"]
    assert {one.place for one in before} & {one.place for one in after}
    assert not {one.id for one in before} & {one.id for one in after}
    await restored.close()


async def test_the_owners_link_is_told_too(street: Street) -> None:
    """A freeze by a link in a notice is told like any other: no route is forgotten."""
    await street.held()
    await street.house.deliver()
    token = token_in(street.house.post[Channel.EMAIL].accepted[-1])
    answer = await street.house.ask("alice", {"action": "account.freeze", "actor": {"kind": "link", "token": token}})
    assert answer["decision"] == "allow", answer
    await street.post()
    assert "account.frozen" in street.platform.kinds


async def test_an_endpoint_that_fails_is_tried_again(street: Street) -> None:
    """A refusal or an outage loses nothing: the same bytes come again, in order, and none is told twice."""
    await street.held()
    for mood in ("unavailable", "refuse", "hang_up"):
        street.platform.mood = mood
        await street.post()
        street.house.clock.at += max(BACK_OFF_MS)
    assert street.platform.told == []
    street.platform.mood = "accept"
    await street.post()
    assert street.platform.kinds[0] == "exit.held"
    told = list(street.platform.bodies)
    street.house.clock.at += LEASE_MS
    await street.post()
    assert street.platform.bodies == told


async def test_a_process_that_died_leaves_it_to_the_next(street: Street) -> None:
    """What was taken and not finished is posted by whoever comes next, under the same id."""
    await street.held()
    rows = await street.house.store.claim_webhooks(9, LEASE_MS)
    for row in rows:
        await street.hook.post(row.id, body(row))
    street.house.clock.at += LEASE_MS
    await Webhooks(street.house.service, street.hook).post_due()
    assert street.platform.told[0].id == street.platform.told[-1].id
    assert street.platform.bodies[0] == street.platform.bodies[-1]


async def test_what_fails_for_good_is_a_dead_letter(
    street: Street, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last try a message is shown to the operator, who sends it again; nothing is dropped."""
    await street.held()
    street.platform.mood = "unavailable"
    for _ in range(len(BACK_OFF_MS) + 1):
        await street.webhooks.post_due()
        street.house.clock.at += max(BACK_OFF_MS)
    (dead,) = await street.house.store.dead_webhooks(9)
    assert (dead.kind, dead.error) == ("exit.held", "the webhook answered 503")
    assert await command(monkeypatch, place, "webhooks", "list") == 0
    assert await command(monkeypatch, place, "webhooks", "list", "--json") == 0
    assert await command(monkeypatch, place, "webhooks", "revive", "nobody/1-0") == 1
    street.platform.mood = "accept"
    await street.post()
    assert "exit.held" not in street.platform.kinds
    assert await street.house.store.revive_webhook(dead.id)
    await street.post()
    assert "exit.held" in street.platform.kinds


async def test_nothing_personal_is_told(street: Street) -> None:
    """Ids, kinds and instants: no address, amount, name or contact leaves by this door, and no body is long."""
    await street.held()
    await street.house.deliver()
    await street.alice.ask(street.alice.body("account.freeze"))
    await street.post()
    for content in street.platform.bodies:
        assert len(content) < 300
        assert msgspec.json.decode(content)["data"].keys() <= {"account", "exit", "until"}
        for secret in (STRANGER, "5000", street.alice.mail, "USDT"):
            assert secret.encode() not in content


async def test_a_secret_is_changed_without_a_gap(street: Street) -> None:
    """With two secrets set, a receiver that knows the old or the new one verifies."""
    for knows in (SECRET, NEW_SECRET):
        street.platform.knows = [knows]
        await street.held()
        await street.post()
    assert street.platform.kinds.count("exit.held") == 2


async def test_without_an_endpoint_nothing_is_kept(house: House) -> None:
    """A platform that polls has no messages piled up."""
    (alice,) = await settled(house, "alice")
    await alice.ask(alice.withdrawal(5_000, to=STRANGER, proofs=alice.proofs()))
    house.clock.at += 300 * HOUR
    assert await house.store.webhook_backlog() == (0, 0)


async def test_whoever_writes_news_writes_it_down(street: Street) -> None:
    """A process without the endpoint, a command or a second server, swallows no news while another one posts it."""
    house = street.house
    silent = House(house.store, house.clock)
    silent.post = house.post
    silent.outbox = Outbox(silent.service, silent.post, "https://id.example")
    await street.webhooks.say_hooked()
    hold = await street.held()
    await silent.deliver()
    (shown,) = (await house.head("alice")).exits.values()
    house.clock.at = shown.said_until
    await street.post()
    assert [(one.kind, one.exit) for one in street.platform.told][-1] == ("exit.releasable", hold["id"])


async def test_a_platform_that_took_to_polling_has_no_pile(street: Street) -> None:
    """A week after the last server with an endpoint nobody else writes anything down any more."""
    house = street.house
    silent = House(house.store, house.clock)
    alice = Customer(silent, "alice", street.alice.secret)
    await street.webhooks.say_hooked()
    house.clock.at += TOLD_FOR_MS
    await alice.sign_in()
    assert (await alice.ask(alice.body("account.freeze")))["decision"] == "allow"
    assert await house.store.webhook_backlog() == (0, 0)


async def test_it_runs_until_it_is_stopped(street: Street) -> None:
    """What this process writes is told at once, without waiting for the next look."""
    stop = asyncio.Event()
    running = asyncio.create_task(street.webhooks.run(stop, poll_s=60))
    await street.held()
    await asyncio.wait_for(street.platform.reached.wait(), 10)
    stop.set()
    await running


async def test_a_fault_nobody_thought_of_stops_nobody(street: Street) -> None:
    """A message that fails in a way that has no name waits like any other, and the worker goes on telling the rest."""
    hook, house = Faulty(street.hook), street.house
    webhooks = Webhooks(house.service, hook)
    (bob,) = await settled(house, "bob")
    await street.alice.sign_in()
    await street.held()
    await bob.ask(bob.withdrawal(5_000, to=STRANGER, proofs=bob.proofs()))
    stop = asyncio.Event()
    running = asyncio.create_task(webhooks.run(stop, poll_s=0.01))
    while "bob" not in {one.account for one in street.platform.told} or not hook.failed:
        assert not running.done()
        await asyncio.sleep(0)
    hook.faulty = ""
    while "alice" not in {one.account for one in street.platform.told}:
        assert not running.done()
        house.clock.at += max(BACK_OFF_MS)
        await asyncio.sleep(0)
    stop.set()
    await running


@pytest.mark.parametrize(
    ("url", "secret", "named"),
    [
        ("", SECRET, "HOLD_WEBHOOK_URL"),
        ("http://platform.example/x", SECRET, "HOLD_WEBHOOK_URL"),
        ("https://platform.example/x", "", "HOLD_WEBHOOK_SECRET"),
        ("https://platform.example/x", "whsec_c2hvcnQ=", "HOLD_WEBHOOK_SECRET"),
        ("https://platform.example/x", f"{SECRET} {NEW_SECRET} {SECRET}", "HOLD_WEBHOOK_SECRET"),
    ],
)
def test_wrong_settings(url: str, secret: str, named: str) -> None:
    """A setting that could not send, or not safely, is named."""
    given = msgspec.structs.replace(settings(), hold_webhook_url=url, hold_webhook_secret=secret)
    with pytest.raises(SettingError, match=named):
        hook(given)


async def test_an_operator_tries_the_endpoint(
    platform: Platform, place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`webhooks test` posts one message that tells of nothing, and says what the endpoint answered."""
    assert await command(monkeypatch, place, "webhooks", "test") == 1
    monkeypatch.setenv("HOLDBACK_HOLD_WEBHOOK_URL", f"http://{HOST}:{platform.port}/x")
    monkeypatch.setenv("HOLDBACK_HOLD_WEBHOOK_SECRET", SECRET)
    assert await command(monkeypatch, place, "webhooks", "test") == 0
    assert platform.kinds == ["webhook.test"]
    platform.mood = "refuse"
    assert await command(monkeypatch, place, "webhooks", "test") == 1
    assert "410" in capsys.readouterr().err
