"""Every guard that is taken out is missed: by the explorer, or by the simulator in a story."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from model.guards import DEEP_GUARDS, GUARDS
from model.mutants import Mutant, Row, as_markdown, judge

KILL_TABLE = Path(__file__).parents[2] / "docs" / "mutants.md"
LEAST = 20
pytestmark = pytest.mark.xdist_group("mutants")


@cache
def judged(mutant: Mutant) -> Row:
    return judge(mutant)


@pytest.mark.parametrize("mutant", GUARDS, ids=lambda one: one.name)
def test_the_missing_guard_is_noticed(mutant: Mutant) -> None:
    row = judged(mutant)
    assert row.is_killed, row


@pytest.mark.deep
@pytest.mark.parametrize("mutant", DEEP_GUARDS, ids=lambda one: one.name)
def test_the_missing_guard_is_noticed_far_down(mutant: Mutant) -> None:
    row = judged(mutant)
    assert row.is_killed, row


def test_the_kill_table_names_every_mutant(figure: Callable[[str], None]) -> None:
    rows = [judged(mutant) for mutant in GUARDS]
    by_search = sum(row.is_killed_by_search for row in rows)
    killed, seconds = sum(row.is_killed for row in rows), sum(row.seconds for row in rows)
    figure(
        f"mutants {len(rows)}, killed {killed}, by the explorer {by_search}, {seconds:.1f} s\n"
        f"{as_markdown(rows)}"
    )
    assert by_search >= LEAST
    assert [row.mutant for row in rows if row.mutant not in named()] == []


def named() -> list[str]:
    """The mutants of docs/mutants.md, in its order."""
    lines = KILL_TABLE.read_text(encoding="utf-8").splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    return [row[0] for row in rows[1:]]


def test_the_kill_table_names_no_mutant_that_is_gone() -> None:
    """The deep ones too: kill_table.py judges them, which `make test` has no time for."""
    assert named() == [one.name for one in (*GUARDS, *DEEP_GUARDS)]
