"""Guards taken out one at a time, and who notices: the explorer, the simulator, or nobody.

A mutant is the real code with one guard gone. It is judged alone, and again with the layers off
that would mask it: then it must break an invariant by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from model.decider import Layers
from model.explorer import Explorer, Outcome
from model.world import Left, Setting
from picoha.domain.decision import Rule
from picoha.domain.rules import launches, table
from picoha.drills.drill import run
from picoha.drills.story import read_story
from unit.domain.golden.cases import Golden, golden_cases
from unit.domain.test_golden import test_golden_decision, test_golden_launches

STORIES = Path(__file__).parents[2] / "stories"
Patch = Callable[[pytest.MonkeyPatch], None]

COLD = Setting("cold", False, False, Left(), brake=1)
PLATFORM = Setting("cold, address", True, False, Left(), brake=1)
ALL = Layers()
BARE = Layers(invariants=False, proofs=False, grant_key=False)
"""Only the rules, the versions and the start gate: no second check behind them."""


@dataclass(frozen=True)
class Mutant:
    """One guard taken out. `masks` and `layers` are what is switched off besides, `only` what counts."""

    name: str
    patches: tuple[Patch, ...] = ()
    setting: Setting = COLD
    alone: Layers = ALL
    masks: tuple[Patch, ...] = ()
    layers: Layers | None = None
    only: str = ""
    story: str = ""
    """The story of stories/ that ends otherwise, for what the explorer's abstraction cannot see."""


@dataclass
class Row:
    """One line of the kill table."""

    mutant: str
    alone: str
    golden: str
    off: str = ""
    masked: str = ""
    seconds: float = 0.0
    simulator: str = ""
    is_killed_by_search: bool = False

    @property
    def is_killed(self) -> bool:
        """True when the explorer or the simulator notices; a golden decision alone does not count."""
        return self.is_killed_by_search or bool(self.simulator)


def without(*numbers: int) -> Patch:
    """Take rows out of the slot's table."""

    def patch(monkey: pytest.MonkeyPatch) -> None:
        kept = tuple(row for row in table.SLOT_RULES if row.number not in numbers)
        monkeypatch_rules(monkey, kept)

    return patch


def monkeypatch_rules(monkey: pytest.MonkeyPatch, rows: tuple[Rule, ...]) -> None:
    monkey.setattr(table, "SLOT_RULES", rows)


def row(number: int, **fields: Any) -> Patch:
    """Change `when` or `then` of one row of the slot's table."""

    def patch(monkey: pytest.MonkeyPatch) -> None:
        rows = (replace(rule, **fields) if rule.number == number else rule for rule in table.SLOT_RULES)
        monkeypatch_rules(monkey, tuple(rows))

    return patch


def launch_row(number: int, **fields: Any) -> Patch:
    """Change `when` or `then` of one row of the table of held launches."""

    def patch(monkey: pytest.MonkeyPatch) -> None:
        rows = (replace(rule, **fields) if rule.number == number else rule for rule in launches.LAUNCH_RULES)
        monkey.setattr(launches, "LAUNCH_RULES", tuple(rows))

    return patch


def put(target: object, name: str, value: object) -> Patch:
    """Replace one function or tuple of a module of the product."""
    return lambda monkey: monkey.setattr(target, name, value)


def explore(mutant: Mutant, is_masked: bool) -> Outcome:
    """Explore the mutated code, alone or with its masking layers off as well."""
    layers = mutant.layers if is_masked and mutant.layers else mutant.alone
    patches = (*mutant.masks, *mutant.patches) if is_masked else mutant.patches
    with pytest.MonkeyPatch.context() as monkey:
        for patch in patches:
            patch(monkey)
        return Explorer(mutant.setting, layers, mutant.only if is_masked else "").run()


def golden_killer(mutant: Mutant) -> str:
    """Return the first golden decision that comes out otherwise under the mutant, or ""."""
    _sound_cases()
    with pytest.MonkeyPatch.context() as monkey:
        for patch in mutant.patches:
            patch(monkey)
        changed = (one for one in _sound_cases() if not _is_as_recorded(one))
        return next((f"{one.theme}: {one.name}" for one in changed), "")


@cache
def _sound_cases() -> tuple[Golden, ...]:
    """The golden cases that hold without any mutant."""
    return tuple(one for one in golden_cases() if _is_as_recorded(one))


def _is_as_recorded(golden: Golden) -> bool:
    try:
        test_golden_decision(golden)
        if golden.launches:
            test_golden_launches(golden)
    except (AssertionError, LookupError):
        return False
    return True


def judge(mutant: Mutant) -> Row:
    """Return who kills a mutant: the explorer alone or with the layers off, or the simulator."""
    alone = explore(mutant, is_masked=False)
    row = Row(mutant.name, verdict(alone), golden_killer(mutant), seconds=alone.seconds)
    last = alone
    if mutant.layers or mutant.masks:
        last = explore(mutant, is_masked=True)
        row.off, row.masked = layers_off(mutant), verdict(last)
        row.seconds += last.seconds
    row.is_killed_by_search = bool(last.violation or last.traps)
    row.simulator = simulator_killer(mutant)
    return row


def simulator_killer(mutant: Mutant) -> str:
    """Return how the mutant's story ends otherwise than it says, or ""."""
    if not mutant.story:
        return ""
    story = read_story(STORIES / f"{mutant.story}.toml")
    with pytest.MonkeyPatch.context() as monkey:
        for patch in mutant.patches:
            patch(monkey)
        report = run(story)
    return f"{mutant.story} ends otherwise" if report.violations or report.problems else ""


def verdict(outcome: Outcome) -> str:
    """Return how an exploration ended, in a few words."""
    if outcome.violation:
        return f"{outcome.violation} (step {len(outcome.trace)})"
    if outcome.traps:
        return f"{outcome.traps} traps, the nearest at step {len(outcome.trace)}"
    return f"nothing in {outcome.states} states"


def layers_off(mutant: Mutant) -> str:
    """Return the names of what was switched off besides the guard."""
    layers = mutant.layers or mutant.alone
    names = [name for name in Layers.__dataclass_fields__ if getattr(ALL, name) and not getattr(layers, name)]
    names += [getattr(mask, "__doc__", None) or "other guard" for mask in mutant.masks]
    return ", ".join(names)


def as_markdown(rows: Iterable[Row]) -> str:
    """Return the kill table as markdown."""
    lines = [
        "| guard taken out | alone, the explorer finds | off as well | then it finds "
        "| the simulator | a golden decision |",
        "|---|---|---|---|---|---|",
    ]
    for one in rows:
        golden = "differs" if one.golden else ""
        cells = (one.mutant, one.alone, one.off, one.masked, one.simulator, golden)
        lines.append(f"| {' | '.join(cell or '-' for cell in cells)} |")
    return "\n".join(lines)
