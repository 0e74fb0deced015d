"""Seeds: random bad days, each in a fork of its own, the forks of one process that holds nothing else."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

from picoha.drills.drill import Drill
from picoha.drills.story import Beat, Story
from picoha.drills.verbs.table import VERBS
from simulation.faults import Fault, by_chance
from simulation.runs import Length, Outcome, in_fork, play, prepared

SLOTS = ("platform1", "ec1", "ec2")
TO_THE_END = 49


@dataclass
class Tally:
    """What some seeds came to; `bad` has the broken promises of each failing seed."""

    count: int = 0
    calls: int = 0
    crashes: int = 0
    struck: int = 0
    virtual_s: float = 0.0
    bad: dict[int, list[str]] = field(default_factory=dict)

    def add(self, seed: int, outcome: Outcome) -> None:
        """Count one more seed."""
        self.count += 1
        self.calls += outcome.calls
        self.crashes += outcome.crashes
        self.struck += len(outcome.struck)
        self.virtual_s += outcome.virtual_s
        if outcome.problems:
            self.bad[seed] = outcome.problems

    def __str__(self) -> str:
        return (
            f"{self.count} seeds, {self.virtual_s / 3600:.0f} virtual hours, {self.calls} calls, "
            f"{self.struck} faults, {self.crashes} crashes, {len(self.bad)} with violations"
        )


def play_seeds(seeds: range, budget_s: float) -> Tally:
    """Play these seeds for at most `budget_s` real seconds."""
    drill = prepared(Story(title="a random bad day"))
    started, tally = time.monotonic(), Tally()
    for seed in seeds:
        if time.monotonic() - started > budget_s:
            break
        tally.add(seed, in_fork(lambda seed=seed: seeded(drill, seed)))  # type: ignore[misc]  # bound at once
    return tally


def play_apart(seeds: range, budget_s: float) -> Tally:
    """Do so in a fresh process: a fork of one that has run other tests plays a seed half as fast."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(play_seeds, seeds, budget_s).result()


def random_beats(rng: random.Random) -> list[Beat]:
    """Return one to three things that happen to the demo cell within five minutes."""
    beats: list[Beat] = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        slot, at = rng.choice(SLOTS), rng.uniform(1, 250)
        beats += rng.choice(_THINGS)(slot, at, rng)
    assert all(beat.do in VERBS for beat in beats)
    return beats


def _one(do: str) -> Callable[[str, float, random.Random], list[Beat]]:
    return lambda slot, at, rng: [Beat(s=at, do=do, slot=slot)]


def _sick(slot: str, at: float, rng: random.Random) -> list[Beat]:
    pico = "platform" if slot == "platform1" else slot
    return [Beat(s=at, do="pico-fails", slot=slot, pico=pico, code=rng.choice((100, 99)))]


def _silent(slot: str, at: float, rng: random.Random) -> list[Beat]:
    return [
        Beat(s=at, do="agent-dies", slot=slot),
        Beat(s=at + rng.uniform(20, 300), do="agent-returns", slot=slot),
    ]


def _paused(slot: str, at: float, rng: random.Random) -> list[Beat]:
    return [
        Beat(s=at, do="pause", slot=slot, for_s=rng.uniform(30, 300)),
        Beat(s=at + 10, do="die", slot=slot),
    ]


def _observed(slot: str, at: float, rng: random.Random) -> list[Beat]:
    return [Beat(s=at, do="mode", to="observe"), Beat(s=at + rng.uniform(5, 120), do="mode", to="enforce")]


def _asked(slot: str, at: float, rng: random.Random) -> list[Beat]:
    return [Beat(s=at, do="ask", name=rng.choice(("switchover", "failover")), slot=slot)]


def _bad_start(slot: str, at: float, rng: random.Random) -> list[Beat]:
    return [
        Beat(s=at, do="bad-starts", slot=slot, code=1),
        Beat(s=at + 5, do="die", slot=slot),
        Beat(s=at + 500, do="bad-starts", slot=slot, code=0),
    ]


_THINGS: tuple[Callable[[str, float, random.Random], list[Beat]], ...] = (
    _one("die"),
    _one("die"),
    _one("terminate"),
    _one("stop"),
    _one("unhealthy"),
    _one("reboot"),
    _one("kill-handlers"),
    _one("hang-terminate"),
    _sick,
    _silent,
    _paused,
    _observed,
    _asked,
    _bad_start,
)


def seeded(drill: Drill, seed: int) -> Outcome:
    """Play one seed: random things, and a random subset of faults at a random rate.

    One in 49 is played to its end, however quiet the cell is: 49 shares no factor with the numbers of
    shards, so each shard has its part of these long ones.
    """
    rng = random.Random(seed)
    kinds = [one for one in Fault if rng.random() < 0.5]
    rate = rng.choice((0.0, 0.005, 0.02, 0.05))
    length = Length(quiet_s=math.inf) if seed % TO_THE_END == 0 else Length()
    return play(drill, random_beats(rng), by_chance(rng, rate, kinds), length)
