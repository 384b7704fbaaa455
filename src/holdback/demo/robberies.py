"""The robberies that visitors play: each on a victim of its own, so many at a time, the oldest forgotten first."""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import httpx

from holdback.demo.incidents import INCIDENTS, Robbery
from holdback.exchange.showing import plain
from holdback.exchange.signer import units

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdback.demo.cast import Victim
    from holdback.demo.incidents import House, Incident, Step
    from holdback.demo.mailbox import Letter

KEPT_MOST: Final = 12
"""How many robberies are kept at a time."""

UNSAID: Final = "proof_required"
KINDS: Final = {"password": "password", "totp": "a code of the authenticator app", "passkey": "passkey"}


class NobodyLeft(Exception):
    """Every victim has been robbed."""


class Happened(NamedTuple):
    """What came of a step: `allow`, `step_up`, `hold`, `deny`, `done` or `trouble`; why, and when it would go on."""

    step: Step
    kind: str
    reasons: tuple[str, ...]
    wanted: str
    until: str
    paid: str

    @classmethod
    def of(cls, step: Step, answer: dict[str, Any]) -> Self:
        """Read an answer of the exchange's."""
        said = (one["text"] for one in answer.get("reasons", ()) if one["code"] != UNSAID)
        reasons = tuple(dict.fromkeys(said))
        if "pressed" in answer:
            return cls(step, "done" if answer["pressed"] else "trouble", (), "", "", "")
        if "decision" not in answer:
            return cls(step, "trouble", (str(answer.get("detail", "no answer")),), "", "", "")
        ways = answer.get("challenge", {}).get("accept", [])
        wanted = " or ".join(" and ".join(KINDS.get(kind, "a code") for kind in way) for way in ways)
        until = (answer.get("hold") or {}).get("release_at") or answer.get("usable_from") or ""
        fills = [f"{plain(units(one['amount']))} at {plain(units(one['price']))}" for one in answer.get("fills", ())]
        return cls(step, answer["decision"], reasons, wanted, until, ", ".join(fills))


class Play:
    """One robbery as it goes on: which steps were played, and what came of each."""

    def __init__(self, incident: Incident, robbery: Robbery) -> None:
        """Begin before the first step."""
        self.id = secrets.token_urlsafe(9)
        self.incident = incident
        self.robbery = robbery
        self.happened: list[Happened] = []
        self._one_at_a_time = threading.Lock()

    @property
    def ahead(self) -> Step | None:
        """The step that comes next."""
        steps, played = self.incident.steps, len(self.happened)
        return steps[played] if played < len(steps) else None

    def play(self, place: int) -> None:
        """Play the step at this place, unless it was played: pressing twice is pressing once."""
        with self._one_at_a_time:
            step = self.ahead
            if step is None or place != len(self.happened):
                return
            letters, owner = self.robbery.house.letters, self.robbery.owner
            before = len(letters)
            try:
                answer = step.act(self.robbery)
            except (httpx.HTTPError, ValueError) as error:
                answer = {"detail": f"no answer: {type(error).__name__}"}
            if step.tells and "detail" not in answer:
                letters.wait(before, lambda one: one.to == owner.email)
            self.happened.append(Happened.of(step, answer))
            if self.ahead is None:
                self.robbery.end()

    def letters(self) -> list[Letter]:
        """What the owner's phone shows, newest first. Stolen text messages reach the thief, not her."""
        shown = self.robbery.letters()
        return [one for one in reversed(shown) if not (self.incident.texts_stolen and one.channel != "mail")]

    def balances(self) -> dict[str, int]:
        """What the owner has left, in smallest units by asset."""
        return self.robbery.house.books.balances(self.robbery.owner.account)


class Robberies:
    """All of them. Example: `Robberies(house, victims).begin("copied-cookie")`."""

    def __init__(self, house: House, victims: Iterable[Victim]) -> None:
        """Nobody was robbed yet."""
        self._house = house
        self._victims = list(victims)
        self._plays: dict[str, Play] = {}
        self._lock = threading.Lock()

    @property
    def left(self) -> int:
        """How many more can be robbed."""
        return len(self._victims)

    def begin(self, incident: str) -> Play:
        """Begin a robbery. Raises KeyError if there is no such incident, NobodyLeft if everybody was robbed."""
        found = INCIDENTS[incident]
        with self._lock:
            if not self._victims:
                raise NobodyLeft
            play = Play(found, Robbery(self._house, self._victims.pop(0)))
            self._plays[play.id] = play
            forgotten = [self._plays.pop(name) for name in list(self._plays)[:-KEPT_MOST]]
        for one in forgotten:
            one.robbery.end()
        return play

    def named(self, name: str) -> Play | None:
        """A robbery that is kept."""
        return self._plays.get(name)
