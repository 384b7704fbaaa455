"""How the story is printed: what was tried, what was answered and why, what arrived, and if it is as it must be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

    from holdback.demo.mailbox import Letter

LETTER_LINES: Final = 16
"""How much of a letter is shown."""
URL_SHOWN: Final = 48
"""How much of a link is shown: its token is long, and a live one lies in the mailbox."""

_STYLES: Final = {"allow": "bold green", "step_up": "bold yellow", "hold": "bold magenta", "deny": "bold red"}


class Teller:
    """Prints a story and counts what did not go as it must. Example: `Teller(console).act("An ordinary day")`."""

    def __init__(self, console: Console) -> None:
        """Print here."""
        self.console = console
        self.checked = 0
        self.failed: list[str] = []

    def act(self, title: str, about: str) -> None:
        """Begin an act."""
        self.console.print()
        self.console.print(Rule(Text(title, style="bold"), align="left"))
        self._line(about, style="dim")

    def tries(self, who: str, what: str) -> None:
        """Say what somebody does."""
        self.console.print()
        self.console.print(Text.assemble((who, "bold cyan"), f" {what}"))

    def says(self, text: str) -> None:
        """Explain."""
        self._line(text, style="dim")

    def must(self, claim: str, *, holds: bool) -> None:
        """Print a claim with its mark, and remember if it does not hold."""
        self.checked += 1
        if not holds:
            self.failed.append(claim)
        self._indented(Text.assemble(self._mark(holds), claim))

    def answered(self, answer: dict[str, Any], decision: str, *codes: str) -> None:
        """Print an answer; it must be this decision, and give these reasons among others."""
        given = {reason["code"] for reason in answer.get("reasons", [])}
        holds = answer.get("decision") == decision and given.issuperset(codes)
        self.checked += 1
        found = str(answer.get("decision", answer.get("error", answer.get("title", answer))))
        line = Text.assemble(self._mark(holds), (found.replace("_", " ").upper(), _STYLES.get(found, "bold")))
        self._indented(line)
        if not holds:
            expected = " ".join((decision, *codes))
            self.failed.append(f"answered {found} {' '.join(sorted(given))}, not {expected}")
            self._line(f"(expected {expected}: {answer.get('detail', '')})", indent=4, style="red")
        for text in self._details(answer):
            self._line(text, indent=4)

    def refused(self, answer: dict[str, Any], why: str) -> None:
        """Print what the signer said; it must have refused for this reason."""
        holds = answer.get("why") == why
        self.checked += 1
        if not holds:
            self.failed.append(f"the signer said {answer}, not {why}")
        line = Text.assemble(
            self._mark(holds), ("REFUSED", "bold red"), f"  {answer.get('why')}: {answer.get('detail')}"
        )
        self._indented(line)

    def letter(self, letter: Letter | None, whose: str) -> None:
        """Print the beginning of a letter, which must have come."""
        self.checked += 1
        if letter is None:
            self.failed.append(f"{whose} was not told")
            self._indented(Text.assemble(self._mark(holds=False), f"{whose} was not told"))
            return
        lines = [_shortened(line) for line in letter.text.strip().splitlines()]
        shown = lines[:LETTER_LINES] + (["..."] if len(lines) > LETTER_LINES else [])
        title = f"{whose} gets a {letter.channel}: {letter.subject}"
        panel = Panel(Text("\n".join(shown)), title=Text(title), title_align="left", border_style="blue")
        self.console.print(Padding(panel, (0, 0, 0, 2)))

    def copyable(self, text: str) -> None:
        """Print a line that may be copied: never wrapped, never coloured in."""
        self.console.print(text, soft_wrap=True, markup=False, highlight=False)

    def _details(self, answer: dict[str, Any]) -> list[str]:
        """The reasons of an answer, and what goes with its decision."""
        found = []
        for reason in answer.get("reasons", []):
            until = f" (until {reason['until']})" if reason.get("until") else ""
            found.append(f"{reason['code']}: {reason['text']}{until}")
        if answer.get("challenge"):
            accept = " or ".join(" + ".join(kinds) for kinds in answer["challenge"]["accept"])
            found.append(f"accepted: {accept}, nothing less")
        if answer.get("usable_from"):
            found.append(f"usable from {answer['usable_from']}")
        if answer.get("hold"):
            found.append(f"released at {answer['hold']['release_at']}, unless stopped")
        if answer.get("payment"):
            paid = answer["payment"]
            found.append(f"paid {paid['amount']} {paid['asset']} for receipt {paid['receipt']}")
        return found

    @staticmethod
    def _mark(holds: bool) -> tuple[str, str]:  # noqa: FBT001 - the one thing a mark says
        return ("✓ ", "green") if holds else ("✗ ", "bold red")

    def _line(self, text: str, *, indent: int = 0, style: str = "") -> None:
        self.console.print(Padding(Text(text, style=style), (0, 0, 0, indent), expand=False))

    def _indented(self, text: Text) -> None:
        self.console.print(Padding(text, (0, 0, 0, 2), expand=False))


def _shortened(line: str) -> str:
    start = line.find("http")
    return line if start < 0 or len(line) <= start + URL_SHOWN else line[: start + URL_SHOWN] + "..."
