"""One fault at every call site; the cell must end as it does without any (a differential oracle).

A call site is (rule or function, operation, step), see sites.py; each is struck at its first call, in
the workload that reaches it first. `make test` plays one fault at each, chosen by a fixed seed;
`make test-deep` all nine.

.venv/bin/python tests/simulation/replay.py CALLER OPERATION STEP FAULT
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable

import pytest

from picoha.domain.actions import Action
from simulation.faults import Fault, aimed
from simulation.runs import Outcome
from simulation.sites import Site
from simulation.workloads import catalogue

SEED = 3
SHARDS = 2
DEEP_SHARDS = 12
CALL_OF = {
    "FenceHost": "TerminateInstances",
    "HintUnhealthy": "SetInstanceHealth",
    "FreeAddress": "DisassociateAddress",
    "MoveAddress": "AssociateAddress",
    "ReleaseLaunch": "CompleteLifecycleAction",
    "AbandonLaunch": "CompleteLifecycleAction",
    "ExtendLaunch": "RecordLifecycleActionHeartbeat",
}


def sample() -> list[tuple[Site, Fault]]:
    """Return one fault for each site, every kind of fault about equally often."""
    rng = random.Random(SEED)
    return [(site, rng.choice(list(Fault))) for site in sorted(catalogue()[1])]


def every() -> list[tuple[Site, Fault]]:
    return [(site, fault) for site in sorted(catalogue()[1]) for fault in Fault]


def differs(told: Outcome, from_it: Outcome) -> bool:
    """Whether the fault was noticed at all: another call, another line or second of the timeline."""
    return (told.calls, told.told, told.virtual_s) != (from_it.calls, from_it.told, from_it.virtual_s)


def run(plans: Iterable[tuple[Site, Fault]], figure: Callable[[str], None]) -> None:
    known, reached = catalogue()
    faults: Counter[str] = Counter()
    sites, unmet, bad, changed = set(), [], [], 0
    for site, fault in plans:
        name = reached[site]
        told = known[name].play(aimed(site, fault))
        sites.add(site)
        faults[fault] += 1
        changed += differs(told, known[name].clean)
        if not told.struck:
            unmet.append((name, str(site)))
        if told.problems or told.end != known[name].end:
            bad.append((name, str(site), fault.value, told.problems, told.end))
    figure(
        f"{len(sites)} of {len(reached)} call sites, {faults.total()} single-fault plans of "
        f"{len(faults)} kinds, {changed} change a call or the timeline, {len(bad)} end otherwise or break "
        "a promise"
    )
    assert bad == []
    assert unmet == []


def test_the_workloads_reach_every_action() -> None:
    operations = {site.operation for site in catalogue()[1]}
    assert set(CALL_OF) == {one.__name__ for one in Action.__args__}
    assert set(CALL_OF.values()) <= operations
    assert sum(site.caller.startswith("rule ") for site in catalogue()[1]) > 40
    assert any(site.caller == "rule 607" for site in catalogue()[1]), "the one rule that only abandons"


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_single_fault_changes_only_the_time(shard: int, figure: Callable[[str], None]) -> None:
    run(sample()[shard::SHARDS], figure)


@pytest.mark.deep
@pytest.mark.parametrize("shard", range(DEEP_SHARDS))
def test_every_single_fault_changes_only_the_time(shard: int, figure: Callable[[str], None]) -> None:
    run(every()[shard::DEEP_SHARDS], figure)
