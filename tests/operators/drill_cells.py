"""The commands in a terminal of 80 columns, sent to cells in a drill through the real handler."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from picoha.cli import client, options
from picoha.cli.client import DrillOperator
from picoha.cli.main import main
from picoha.drills.story import Story, read_story

STORIES = Path(__file__).parents[2] / "stories"
UNFOLDED = ("         ->", "Error: Invalid value for ")
"""Lines that may be longer than a terminal: a command to be copied whole, and click's own words."""
CALM = Story(title="the demo cell", duration_s=0)


class Kept(DrillOperator):
    """A cell in a drill that several commands meet one after the other."""

    def close(self) -> None:
        """Stay open between commands."""

    def end(self) -> None:
        """End every task of the drill."""
        super().close()


class Terminal:
    """One cell, and the commands typed at it."""

    def __init__(self, cell: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cell = cell
        self.world = cell.drill.world
        self._monkeypatch = monkeypatch
        monkeypatch.setattr(client, "DrillOperator", lambda story, at_s: cell)

    def type(self, *words: object, answer: str | None = None) -> Result:
        """Run a command; `answer` is what a human types at a prompt (None = no terminal)."""
        self._monkeypatch.setattr(options, "_is_terminal", lambda: answer is not None)
        typed = [str(one) for one in (*words, "--against", "drill", "--by", "ops@bastion")]
        return CliRunner().invoke(main, typed, env={"COLUMNS": "80"}, input=answer)

    def json(self, *words: object) -> Any:
        """Run a command with --json and return what it printed."""
        return json.loads(self.type(*words, "--json").stdout)

    def wait(self, seconds: float) -> None:
        self.cell.wait(seconds)

    def records(self) -> dict[str, Any]:
        return {str(name): one for name, one in self.world.records().items()}

    def table(self) -> Any:
        return self.world.table.snapshot()


@contextmanager
def cell(story: str | Story = CALM, at_s: float = 0) -> Iterator[Kept]:
    """Yield a cell, `at_s` seconds into a story."""
    played = story if isinstance(story, Story) else read_story(STORIES / f"{story}.toml")
    kept = Kept(played, at_s)
    try:
        yield kept
    finally:
        kept.end()


def told(result: Result, code: int, *parts: str) -> str:
    """Assert the exit code, the parts of what was printed, 80 columns, no colour; return it on one line."""
    shown = result.output
    assert result.exit_code == code, shown
    assert "\x1b" not in shown, "colour is for terminals"
    flat = " ".join(shown.split())
    assert [part for part in parts if part not in flat] == [], shown
    wide = [line for line in shown.splitlines() if len(line) > 80 and not line.startswith(UNFOLDED)]
    assert wide == []
    return flat
