"""The staff console over HTTP, on both stores: what comes without a device's key, what forms may ask, how fast."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from tests.service.house import House, settled
from tests.service.office import WITH_PASSKEYS, Colleague, staffed

from holdback.core.events import DAY, HOUR, Role
from holdback.ports import DeskRow, Writes
from holdback.web.api import People, application

if TYPE_CHECKING:
    from tests.service.house import Hands

    from holdback.ports import Store

ORIGIN: Final = "http://desk.test"
MANY: Final = 10_000
MOST_S: Final = 0.3
FROM_HERE: Final = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def house(store: Store, clock: Hands) -> House:
    """A house in which passkeys work."""
    return House(store, clock, given=WITH_PASSKEYS)


class Seat:
    """One of the staff at a browser: a cookie, and the key that signed for it."""

    def __init__(self, house: House, member: Colleague) -> None:
        """Sit down signed in."""
        self.house, self.member = house, member
        app = application(house.service, people=People(console=ORIGIN))
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN)
        self.http.cookies.set("console", f"{member.account}:{member.session}")

    def proof(self, path: str, method: str = "GET", account: str = "", **action: Any) -> str:  # noqa: ANN401 - any JSON
        """What the device signs."""
        changed = {"htm": method, "htu": f"{ORIGIN}{path.partition('?')[0]}"}
        return self.member.browser.proof(self.house.clock.at, account, action, self.member.session, **changed)

    async def get(self, path: str, proof: str | None = "") -> httpx.Response:
        """What a page shows, fetched with a proof unless it is None."""
        headers = {} if proof is None else {"DPoP": proof or self.proof(path)}
        return await self.http.get(path, headers=headers)

    async def word(self) -> str:
        """The word of this session's pages."""
        found = re.search(r'name="_word" value="([^"]+)"', (await self.get("/console", None)).text)
        assert found is not None
        return found.group(1)

    async def post(self, path: str, about: str, headers: dict[str, str] = FROM_HERE, **action: str) -> str:
        """What comes of a form, signed as the page's script does."""
        own = {"_word": await self.word(), "_account": about, "_dpop": self.proof(path, "POST", about, **action)}
        return (await self.http.post(path, data=own | action, headers=headers)).text


async def test_a_cookie_alone_brings_an_empty_frame(house: House) -> None:
    """Every page by the cookie is the same frame, without anything that waits or any way on."""
    await settled(house, "alice")
    (rex,) = await staffed(house, rex=Role.REVIEWER)
    seat = Seat(house, rex)
    row = DeskRow("alice", "recovery", "r7", house.clock.at, house.clock.at + DAY, 0, "review", "reviewer")
    async with house.store.transaction() as transaction:
        await transaction.write(Writes(desk=[row]))
    assert "r7" in (await seat.get("/console")).text
    for path in ("/console", "/console/me", "/console/recovery/alice/r7", "/console/legal", "/console/approvals"):
        bare = await seat.get(path, None)
        assert "One moment" in bare.text
        assert "r7</small>" not in bare.text
        assert 'href="/console/me"' not in bare.text


@pytest.mark.parametrize("wrong", ["nonsense", "x" * 5_000, "other path", "other method", "other key", "later"])
async def test_a_proof_serves_one_page_for_a_minute(house: House, wrong: str) -> None:
    """A proof for another page or method, of another key, or an old one lets nobody in."""
    (rex,) = await staffed(house, rex=Role.REVIEWER)
    seat = Seat(house, rex)
    proof = {
        "other path": seat.proof("/console/me"),
        "other method": seat.proof("/console", "POST"),
        "other key": Colleague(house, "staff-eve").browser.proof(
            house.clock.at, "", {}, rex.session, htm="GET", htu=f"{ORIGIN}/console"
        ),
        "later": seat.proof("/console"),
    }.get(wrong, wrong)
    house.clock.at += 5 * 60_000 if wrong == "later" else 0
    answer = await seat.get("/console", proof)
    assert answer.status_code == 403
    assert "You are not let in" in answer.text


async def test_a_form_counts_only_from_its_page(house: House) -> None:
    """Another site's form, one without the session's word, and one for what its page does not ask: none is asked."""
    ann, _ = await staffed(house, ann=Role.POLICY, bo=Role.POLICY)
    seat, asks = Seat(house, ann), "/console/approvals/ask"
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert 'data-trouble="foreign"' in await seat.post(asks, "staff-bo", foreign, action="staff.retire")
    wordless = {"action": "staff.retire", "_account": "staff-bo", "_word": "x"}
    assert 'data-trouble="foreign"' in (await seat.http.post(asks, data=wordless, headers=FROM_HERE)).text
    for action in ("account.freeze", "session.start", "staff.look_up"):
        assert 'data-trouble="unknown"' in await seat.post(asks, "staff-bo", action=action)
    unsigned = {"action": "staff.retire", "_account": "staff-bo", "_word": await seat.word()}
    assert "device_key_required" in (await seat.http.post(asks, data=unsigned, headers=FROM_HERE)).text
    assert (await house.head("staff-bo")).member is not None
    assert 'data-decision="allow"' in await seat.post(asks, "staff-bo", action="staff.retire")


async def test_a_session_is_over_in_half_an_hour(house: House) -> None:
    """After it, and after its member left, pages and forms lead to the sign-in."""
    ann, bo = await staffed(house, ann=Role.POLICY, bo=Role.POLICY)
    early, seat = Seat(house, ann), Seat(house, bo)
    assert (await seat.get("/console")).status_code == 200
    await ann.asks("staff-bo", "staff.retire")
    assert (await seat.get("/console")).headers["location"] == "/console/sign-in"
    house.clock.at += HOUR
    assert (await early.get("/console", None)).headers["location"] == "/console/sign-in"
    gone = await early.http.post("/console/approvals/ask", data={"action": "staff.retire"}, headers=FROM_HERE)
    assert gone.headers["location"] == "/console/sign-in"


async def test_a_customer_is_nobody_here(house: House) -> None:
    """A customer's session in the console's cookie opens nothing, nor may he sign in here."""
    alice, _ = await settled(house, "alice", "bob")
    (rex,) = await staffed(house, rex=Role.REVIEWER)
    seat = Seat(house, rex)
    seat.http.cookies.set("console", f"alice:{alice.session}")
    assert (await seat.get("/console", None)).headers["location"] == "/console/sign-in"
    asked = await seat.http.post("/console/sign-in", data={"name": "alice"}, headers=FROM_HERE)
    assert 'data-trouble="unfit"' in asked.text


async def test_who_was_not_drawn_reads_nothing(house: House) -> None:
    """Of three reviewers the one whom chance passed over is told so, and a look-up that he makes up is refused."""
    alice, _ = await settled(house, "alice", "bob")
    reviewers = await staffed(house, ron=Role.REVIEWER, rex=Role.REVIEWER, roy=Role.REVIEWER)
    opened = await alice.ask({"action": "recovery.open", "lost": ["password"], "actor": {"kind": "owner"}})
    case = (await house.head("alice")).recovery
    assert case is not None
    path = f"/console/recovery/alice/{opened['id']}"
    look = {"action": "staff.look_up", "ticket": opened["id"], "fields": "recovery", "reason": "curious"}
    for one in reviewers:
        await one.signs_in()
        seat = Seat(house, one)
        assert ("Read the case" in (await seat.get(path)).text) is (one.account in case.drawn)
    (passed_over,) = [one for one in reviewers if one.account not in case.drawn]
    seat = Seat(house, passed_over)
    assert "This case is not yours" in (await seat.get(path)).text
    signed = look | {"fields": ["recovery"]}
    own = {"_word": await seat.word(), "_account": "alice"}
    own["_dpop"] = seat.proof("/console/recovery/read", "POST", "alice", **signed)
    said = (await seat.http.post("/console/recovery/read", data=own | look, headers=FROM_HERE)).text
    assert 'data-code="ticket_required"' in said
    assert "Claimed evidence" not in said


async def test_ten_thousand_things_wait(house: House) -> None:
    """A page of the queue has 25 of them, with their places, leads to the next, and takes 300 ms at most."""
    (rex,) = await staffed(house, rex=Role.REVIEWER)
    seat, now = Seat(house, rex), house.clock.at
    waiting = [
        DeskRow(f"a{n:05}", "recovery", f"r{n}", now - MANY + n, now + DAY, 0, "review", "reviewer")
        for n in range(MANY)
    ]
    async with house.store.transaction() as transaction:
        await transaction.write(Writes(desk=waiting))
    path, text, seen = "/console", "", list[str]()
    for _ in range(3):
        text = (await seat.get(path)).text
        seen += re.findall(r"<td>(a\d{5})</td>", text)
        found = re.search(r'href="(\?cursor=[^"]+)"', text)
        assert found is not None
        path = f"/console{found.group(1)}"
    assert seen == [f"a{n:05}" for n in range(75)]
    assert "number 51<" in text
    took = []
    for _ in range(5):
        began = time.perf_counter()
        await seat.get(path)
        took.append(time.perf_counter() - began)
    assert min(took) <= MOST_S, took
    assert "a00000" in (await seat.get("/console?cursor=nonsense")).text
