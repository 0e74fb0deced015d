"""Breadth-first search of every state that two workers, the hosts, AWS and people can reach."""

from __future__ import annotations

import gc
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from model.decider import Decider, Layers
from model.memory import Shelf
from model.moves import Moves
from model.workers import IDLE, Stage, Workers
from model.world import Setting, Step, World, modes

BITS = 16
"""Of each part of a state: (world, worker, worker, calls in flight), the world the highest."""
MASK = (1 << BITS) - 1


@dataclass
class Outcome:
    """What an exploration found; `trace` is a shortest way to the violation, or to a trap."""

    setting: str
    states: int = 0
    transitions: int = 0
    seconds: float = 0.0
    worlds: int = 0
    decisions: int = 0
    violation: str = ""
    traps: int = 0
    rules: frozenset[int] = frozenset()
    trace: list[str] = field(default_factory=list)


class Graph:
    """The states and transitions; all that belongs to a world alone is worked out once."""

    def __init__(self, setting: Setting, layers: Layers) -> None:
        self.decider = Decider(setting, layers)
        self._moves = Moves(self.decider)
        self._workers = Workers(self.decider)
        self.worlds: Shelf[World] = Shelf()
        self._stages: Shelf[Stage] = Shelf()
        self._calls: Shelf[tuple[int, ...]] = Shelf()
        self._stages.put(IDLE)
        self._calls.put(())
        self._outside: dict[int, list[tuple[str, int, str, bool]]] = {}
        self._turns: dict[int, list[tuple[str, int, str, int, int, int]]] = {}
        self._landings: dict[tuple[int, int], tuple[str, int, str]] = {}
        self._alive: dict[int, int] = {}
        self._aloft: dict[int, int] = {}
        self._overtaken: tuple[dict[int, bool], dict[int, bool]] = ({}, {})

    def start(self) -> int:
        """Return the first state."""
        return self.worlds.put(self.decider.start()) << 3 * BITS

    def is_settled(self, state: int) -> bool:
        """True when nothing is left to do but by a human."""
        return self._moves.is_settled(self.worlds[state >> 3 * BITS])

    def steps(self, state: int) -> Iterator[tuple[str, int, str]]:
        """Yield (what happens, the state after it, what it broke)."""
        world = state >> 3 * BITS
        one, two = state >> 2 * BITS & MASK, state >> BITS & MASK
        flying = state & MASK
        for said, after, broke, is_mode in self._outside.get(world) or self._move(world):
            if is_mode:
                yield said, self._pack(after, self._left(one, 2), self._left(two, 2), flying), broke
            else:
                yield said, self._pack(after, one, two, flying), broke
        if flying:
            yield from self._land(world, one, two, flying)
        for mine, other in ((one, two), (two, one)) if one != two else ((one, two),):
            # Two that are about to commit the same version are one of them: the second can only lose.
            is_alone = mine or not other or self._left(other, 1)
            for said, after, broke, stage, overtakes, call in self._turn(world, mine):
                if is_alone or self._left(stage, 1):
                    calls = flying if call < 0 else self._with(flying, call)
                    yield said, self._pack(after, stage, self._left(other, overtakes), calls), broke

    def _move(self, world: int) -> list[tuple[str, int, str, bool]]:
        truth = self.worlds[world]
        found = [(one.said, self.worlds.put(one.world), one.broke, False) for one in self._moves.of(truth)]
        found += [(mode.said, self.worlds.put(mode.world), mode.broke, True) for mode in modes(truth)]
        self._outside[world] = found
        return found

    def _turn(self, world: int, stage: int) -> list[tuple[str, int, str, int, int, int]]:
        key = world << BITS | stage
        found = self._turns.get(key)
        if found is None:
            turns = self._workers.turns(self.worlds[world], self._stages[stage])
            found = self._turns[key] = [
                (
                    turn.step.said,
                    self.worlds.put(turn.step.world),
                    turn.step.broke,
                    self._stages.put(turn.stage),
                    turn.overtakes_slot | turn.overtakes_mode << 1,
                    turn.in_flight,
                )
                for turn in turns
            ]
        return found

    def _left(self, stage: int, overtakes: int) -> int:
        """The stage of the other worker, idle once it was overtaken: it can only lose its race."""
        for bit, known in ((1, self._overtaken[0]), (2, self._overtaken[1])):
            if stage and overtakes & bit:
                if stage not in known:
                    known[stage] = self._workers.is_overtaken(self._stages[stage], by_slot=bit == 1)
                if known[stage]:
                    return 0
        return stage

    def _pack(self, world: int, one: int, two: int, calls: int) -> int:
        """Return the state; the workers in order, since they are alike, and idle when spent."""
        one, two = one and self._living(world, one), two and self._living(world, two)
        calls = calls and self._flying(world, calls)
        if one < two:
            one, two = two, one
        return ((world << BITS | one) << BITS | two) << BITS | calls

    def _living(self, world: int, stage: int) -> int:
        key = world << BITS | stage
        found = self._alive.get(key)
        if found is None:
            is_idle = self._workers.is_idle_now(self.worlds[world], self._stages[stage])
            found = self._alive[key] = 0 if is_idle else stage
        return found

    def _flying(self, world: int, calls: int) -> int:
        """The calls in flight that can still have an effect."""
        key = world << BITS | calls
        found = self._aloft.get(key)
        if found is None:
            truth = self.worlds[world]
            kept = tuple(call for call in self._calls[calls] if not self._workers.is_spent(truth, call))
            found = self._aloft[key] = self._calls.put(kept)
        return found

    def _with(self, flying: int, call: int) -> int:
        return self._calls.put(tuple(sorted((*self._calls[flying], call))))

    def _land(self, world: int, one: int, two: int, flying: int) -> Iterator[tuple[str, int, str]]:
        calls = self._calls[flying]
        for at, call in enumerate(calls):
            if (world, call) not in self._landings:
                step: Step = self._workers.effect(self.worlds[world], call, "late:")
                self._landings[world, call] = step.said, self.worlds.put(step.world), step.broke
            said, after, broke = self._landings[world, call]
            yield said, self._pack(after, one, two, self._calls.put(calls[:at] + calls[at + 1 :])), broke


class Explorer:
    """One exploration; use once. `only`: the beginning of the violations that count, "" for all."""

    def __init__(self, setting: Setting, layers: Layers | None = None, only: str = "") -> None:
        self.setting = setting
        self._only = only
        self.graph = Graph(setting, layers or Layers())
        self._states: list[int] = []
        self._parents = array("i")
        self._sources, self._targets = array("i"), array("i")

    def run(self) -> Outcome:
        """Explore up to the first violation, or everything and then look for traps."""
        began = time.perf_counter()
        found = Outcome(self.setting.name)
        gc.disable()  # millions of live tuples and not one cycle among them
        try:
            self._search(found)
        finally:
            gc.enable()
        if not found.violation:
            self._find_traps(found)
        found.states, found.transitions = len(self._states), len(self._sources)
        found.worlds = len(self.graph.worlds)
        decider = self.graph.decider
        found.decisions, found.rules = decider.decisions, frozenset(decider.rules)
        found.seconds = time.perf_counter() - began
        return found

    def _search(self, found: Outcome) -> None:
        first = self.graph.start()
        states, parents = self._states, self._parents
        states.append(first)
        parents.append(-1)
        numbers = {first: 0}
        for here, state in enumerate(states):
            for said, after, broke in self.graph.steps(state):
                there = numbers.setdefault(after, len(states))
                if there == len(states):
                    states.append(after)
                    parents.append(here)
                self._sources.append(here)
                self._targets.append(there)
                if broke and broke.startswith(self._only):
                    found.violation, found.trace = broke, [*self._path(here), said]
                    return

    def _path(self, here: int) -> list[str]:
        """Return what happened on the way to a state; it is worked out again, not kept."""
        said: list[str] = []
        while (parent := self._parents[here]) >= 0:
            steps = self.graph.steps(self._states[parent])
            said.append(next(one for one, after, _ in steps if after == self._states[here]))
            here = parent
        return said[::-1]

    def _find_traps(self, found: Outcome) -> None:
        """AG EF settled: walk back from the settled states; what is not met can never settle."""
        before = Predecessors(self._sources, self._targets, len(self._states))
        front = [n for n, state in enumerate(self._states) if self.graph.is_settled(state)]
        can_settle = bytearray(len(self._states))
        for n in front:
            can_settle[n] = 1
        while front:
            for n in before.of(front.pop()):
                if not can_settle[n]:
                    can_settle[n] = 1
                    front.append(n)
        found.traps = can_settle.count(0)
        if found.traps:
            found.trace = self._path(can_settle.index(0))


class Predecessors:
    """The transitions turned round: one array of sources, ordered by target."""

    def __init__(self, sources: array[int], targets: array[int], states: int) -> None:
        first = array("i", bytes(4 * (states + 1)))
        for target in targets:
            first[target + 1] += 1
        for n in range(states):
            first[n + 1] += first[n]
        place, self._ordered = first[:], array("i", bytes(4 * len(sources)))
        for source, target in zip(sources, targets, strict=True):
            self._ordered[place[target]] = source
            place[target] += 1
        self._first = first

    def of(self, state: int) -> array[int]:
        """Return the states from which one step leads to this one."""
        return self._ordered[self._first[state] : self._first[state + 1]]
