"""One fault at every call site; the cell must end as it does without any (a differential oracle)."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from picoha.adapters.desk.story import Story
from picoha.entrypoints.drill import Desk
from simulation.faults import OF_EVENTS, Fault, Plan, Site, aimed
from simulation.runs import Outcome, in_fork, play, prepared, story_named

WORKLOADS = ("platform-host-lost", "ec-host-lost", "switchover", "pico-failed-restart-in-place", "first-boot")
END_S = 1500.0
BUDGET_S = 55.0
READS = ("Describe", "Get", "Query")


def fault_free() -> Plan:
    return Plan(choose=lambda site: None)


def outcome_of(desk: Desk, story: Story, plan: Plan) -> Outcome:
    return in_fork(partial(play, desk, story.at, plan, END_S))


def sites_of(outcome: Outcome, most: int) -> list[Site]:
    """Every change, and of each read the first ones: later ones meet the same code."""
    return [one for one in outcome.sites if not one.operation.startswith(READS) or one.number <= most]


def plans(outcome: Outcome, most: int) -> Iterator[tuple[Site, Fault]]:
    """All (site, fault) pairs; a stale read makes sense at reads only, an event has its own number."""
    for site in sites_of(outcome, most):
        is_read = site.operation.startswith(READS)
        for fault in Fault:
            if fault in OF_EVENTS:
                continue
            if (fault is Fault.STALE_READ) == (site.operation == "DescribeInstances") or not is_read:
                yield site, fault
    for number in range(1, 13):
        for fault in sorted(OF_EVENTS):
            yield Site("event", number), fault


def sample(pairs: list[tuple[Site, Fault]], seed: int) -> list[tuple[Site, Fault]]:
    """Return the pairs shuffled so that every operation comes up before any comes up again."""
    rng = random.Random(seed)
    rng.shuffle(pairs)
    seen: dict[str, int] = {}
    ranked = []
    for site, fault in pairs:
        seen[site.operation] = seen.get(site.operation, 0) + 1
        ranked.append((seen[site.operation], site, fault))
    return [(site, fault) for _, site, fault in sorted(ranked, key=lambda one: one[0])]


def run(name: str, most: int, budget_s: float, figure: Callable[[str], None]) -> None:
    story = story_named(name)
    desk = prepared(story)
    clean = outcome_of(desk, story, fault_free())
    assert clean.problems == []
    started, count, bad = time.monotonic(), 0, []
    operations: set[str] = set()
    pairs = sample(list(plans(clean, most)), seed=len(name))
    for site, fault in pairs:
        if time.monotonic() - started > budget_s and operations >= {one.operation for one, _ in pairs}:
            break
        told = outcome_of(desk, story, aimed(site, fault))
        count, operations = count + 1, operations | {site.operation}
        if told.problems or told.end != clean.end:
            bad.append((site, fault.value, told.problems, told.end))
    figure(
        f"{name}: {count} of {len(pairs)} single-fault plans, {len(operations)} operations, {len(bad)} differ"
    )
    assert bad == []


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_single_fault_changes_only_the_time(name: str, figure: Callable[[str], None]) -> None:
    run(name, most=1, budget_s=BUDGET_S / len(WORKLOADS), figure=figure)


@pytest.mark.deep
@pytest.mark.parametrize("name", WORKLOADS)
def test_every_single_fault_changes_only_the_time(name: str, figure: Callable[[str], None]) -> None:
    run(name, most=5, budget_s=float("inf"), figure=figure)
