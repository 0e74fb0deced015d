"""Random bad days with random faults over the shipped code; a failing seed replays with one command.

.venv/bin/python tests/simulation/replay.py SEED

A seed is a day of the demo cell: one to three accidents or requests, and for 400 s faults of a random
choice of kinds at a random rate; then the cell settles, for up to 40 minutes in all, and until no
operation is under way, an hour more at most. It takes about 0.5 s of one core. `make test` plays what
40 s on each of two cores allow; `make test-deep` plays 20,000, an hour and a half on two cores, or
PICOHA_SEEDS of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from picoha.domain.rules import table
from picoha.drills.drill import Drill
from picoha.drills.story import Story
from simulation.runs import Outcome, in_fork, prepared
from simulation.seeds import play_apart, seeded

SHARDS = 2
DEEP_SHARDS = 40
BUDGET_S = 40.0
IDLE_SEEDS = range(3, 9)
DEEP_SEEDS = int(os.environ.get("PICOHA_SEEDS", "20000"))


def run(seeds: range, budget_s: float, figure: Callable[[str], None]) -> None:
    tally = play_apart(seeds, budget_s)
    figure(str(tally))
    assert tally.count > 0, "no seed was played: this proves nothing"
    replay = f"replay: .venv/bin/python tests/simulation/replay.py {next(iter(tally.bad), '')}"
    assert tally.bad == {}, f"{replay}: {tally.bad}"


@pytest.mark.parametrize("shard", range(SHARDS))
def test_no_random_bad_day_breaks_a_promise(shard: int, figure: Callable[[str], None]) -> None:
    run(range(shard, 10_000, SHARDS), BUDGET_S, figure)


@pytest.mark.deep
@pytest.mark.parametrize("shard", range(DEEP_SHARDS))
def test_no_random_bad_day_breaks_a_promise_for_long(shard: int, figure: Callable[[str], None]) -> None:
    run(range(10_000 + shard, 10_000 + DEEP_SEEDS, DEEP_SHARDS), float("inf"), figure)


def crippled(drill: Drill, seed: int, numbers: frozenset[int]) -> Outcome:
    """Play one seed without some rules; only a fork may call this, since nothing puts them back."""
    kept = tuple(rule for rule in table.SLOT_RULES if rule.number not in numbers)
    assert len(kept) < len(table.SLOT_RULES)
    pytest.MonkeyPatch().setattr(table, "SLOT_RULES", kept)
    return seeded(drill, seed)


@pytest.mark.parametrize(
    "numbers", [frozenset({401, 445}), frozenset(range(401, 446))], ids=["admits nothing", "detects nothing"]
)
def test_the_seeds_notice_a_controller_that_does_nothing(
    numbers: frozenset[int], figure: Callable[[str], None]
) -> None:
    drill = prepared(Story(title="nobody acts"))
    played = [in_fork(lambda seed=seed: crippled(drill, seed, numbers)) for seed in IDLE_SEEDS]  # type: ignore[misc]  # bound at once
    lost = [one for one in played if any("is lost and nobody was told" in text for text in one.problems)]
    figure(f"without rules {min(numbers)} to {max(numbers)}: {len(lost)} of {len(played)} seeds are bad")
    assert len(lost) >= len(played) // 3, [one.problems for one in played]
