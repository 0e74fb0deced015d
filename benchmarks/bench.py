"""Prints what things cost on this machine; asserts nothing. `make bench`, or `bench.py --rounds 3`.

CPU is user and system time. "Without the drill's part" means: less what the played AWS took to answer;
botocore's own work on each call is in it, and no network is. Compare runs of one machine, and the minimum
rather than the median: whatever else runs there only adds.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from fresh import head, heading, import_split, processes, row

from picoha.app.observe import observe
from picoha.app.ports import Ports
from picoha.app.reconcile import reconcile
from picoha.domain.codec import decode, encode
from picoha.domain.model import Report
from picoha.domain.observation import Observation
from picoha.domain.policy import Policy
from picoha.domain.record import SlotRecord
from picoha.domain.rules.table import decide_launches, decide_slot
from picoha.drills.drill import Drill, run
from picoha.drills.story import Slot, Story, read_story

ROOT = Path(__file__).resolve().parent.parent
BATCH = 20
"""How often something of less than a millisecond is repeated for one sample."""


# -- a steady pass


def cell_of(slots: int) -> Story:
    """Return a quiet cell: a Platform and as many execution slots as make up the number."""
    platform = Slot(
        name="platform1",
        kind="platform",
        hostname="mz-platform",
        picos="platform:7100",
        address="203.0.113.10",
    )
    executions = (
        Slot(name=f"ec{n}", kind="execution", hostname=f"ec{n}host", picos=f"ec{n}:7101:ec", zone="b")
        for n in range(1, slots)
    )
    return Story(title=f"{slots} slots, nothing happens", slot=(platform, *executions))


@contextmanager
def settled(story: Story) -> Iterator[Drill]:
    """Give a drill on which every slot is held and nothing is due."""
    drill = Drill(story)
    try:
        # Many handlers at once in one drill fill the counter of Powertools, which then prints.
        with redirect_stdout(io.StringIO()):
            drill.setup.prepare()
        yield drill
    finally:
        drill.world.scheduler.close()


def cpu_ms(action: Callable[[], object], times: int = 1) -> float:
    """Return the CPU milliseconds of one run, averaged over `times` runs."""
    began = time.process_time()
    for _ in range(times):
        action()
    return (time.process_time() - began) * 1000 / times


class Played:
    """Counts calls and their CPU inside the drill, so that it can be taken off."""

    def __init__(self, services: Mapping[str, Any]) -> None:
        self.calls: Counter[str] = Counter()
        self.cpu_ms = 0.0
        for service in services.values():
            service.operations = {name: self._timed(name, play) for name, play in service.operations.items()}

    def _timed(self, name: str, play: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        def timed(params: dict[str, Any]) -> Any:
            began = time.process_time()
            try:
                return play(params)
            finally:
                self.calls[name] += 1
                self.cpu_ms += (time.process_time() - began) * 1000

        return timed

    def reset(self) -> None:
        self.calls.clear()
        self.cpu_ms = 0.0


def steady_pass(slots: int, rounds: int) -> None:
    heading(f"One pass over a quiet cell of {slots} slots")
    with settled(cell_of(slots)) as drill:
        played = Played(drill.world.services)
        ports, policy = drill.ports, drill.settings.policy
        lines = reconcile(ports, policy)
        away = sorted({line.decision.sentence for line in lines if line.decision.rule not in (999, 699)})
        print(f"  {sum(played.calls.values())} calls: {_counted(played.calls)}")
        if away:
            print(f"  not quiet: {'; '.join(away)}")
        head()
        row("the whole pass, without the drill's part: CPU", "ms", _passes(ports, policy, played, rounds))
        seen = observe(ports)
        deciding = [cpu_ms(lambda: _decide(seen, policy), BATCH) for _ in range(rounds)]
        row("decide alone: CPU", "ms", deciding, 2)
        row("decode every record and report: CPU", "ms", _decoding(seen, rounds), 2)
        row("encode one record: CPU", "ms", _encoding(seen, rounds), 3)


def _passes(ports: Ports, policy: Policy, played: Played, rounds: int) -> list[float]:
    samples = []
    for _ in range(rounds):
        played.reset()
        whole = cpu_ms(lambda: reconcile(ports, policy))
        samples.append(whole - played.cpu_ms)
    return samples


def _decide(seen: Observation, policy: Policy) -> None:
    for observed in seen.slots:
        decide_slot(seen, observed.name, policy)
        decide_launches(seen, observed.name, policy)


def _decoding(seen: Observation, rounds: int) -> list[float]:
    records = [encode(observed.record) for observed in seen.slots if observed.record]
    reports = [encode(report) for observed in seen.slots for report in observed.reports.values()]

    def decode_all() -> None:
        for plain in records:
            decode(SlotRecord, plain)
        for plain in reports:
            decode(Report, plain)

    return [cpu_ms(decode_all, BATCH) for _ in range(rounds)]


def _encoding(seen: Observation, rounds: int) -> list[float]:
    record = seen.slots[0].record
    return [cpu_ms(lambda: encode(record), BATCH) for _ in range(rounds)]


def _counted(calls: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(calls.items()))


# -- the drill and the agent


def drill_speed(rounds: int) -> None:
    heading("The drill, playing platform-host-lost from nothing to its end")
    story = read_story(ROOT / "stories" / "platform-host-lost.toml")
    walls, cpus = [], []
    for _ in range(rounds):
        began = time.perf_counter()
        cpus.append(cpu_ms(lambda: run(story)))
        walls.append(time.perf_counter() - began)
    virtual_s, calls = _played_through(story)
    print(f"  {calls} calls of controller, agents and story in {virtual_s:.0f} virtual seconds")
    head()
    row("wall", "s", walls, 2)
    row("CPU", "s", [one / 1000 for one in cpus], 2)
    row("calls in a second of wall time", "", [calls / wall for wall in walls], 0)
    row("virtual seconds in a second of wall time", "", [virtual_s / wall for wall in walls], 0)


def _played_through(story: Story) -> tuple[float, int]:
    """Play the story once more, with a counter in every service; return virtual seconds and calls."""
    from picoha.drills.verbs.table import schedule

    drill = Drill(story)
    try:
        played = Played(drill.world.services)
        drill.setup.prepare()
        schedule(drill.setup)
        drill.world.scheduler.run_for(story.duration_s)
        return drill.world.scheduler.elapsed, sum(played.calls.values())
    finally:
        drill.world.scheduler.close()


def agent_cycles(rounds: int) -> None:
    heading("The agent of a healthy execution host, one cycle (every 10 s) over played scripts")
    with settled(cell_of(3)) as drill:
        played = Played(drill.world.services)
        agent: Any = drill.world.holder("ec1").agent
        cycle, samples = agent.cycle, []
        calls: Counter[str] = Counter()

        def timed() -> object:
            played.reset()
            began = time.process_time()
            report = cycle()
            samples.append((time.process_time() - began) * 1000 - played.cpu_ms)
            calls.update(played.calls)
            return report

        agent.cycle = timed
        drill.world.scheduler.run_for(10.0 * max(rounds, 5) * 4)
    print(f"  in {len(samples)} cycles: {_counted(calls)}")
    head()
    row("a cycle, without the drill's part: CPU", "ms", samples, 2)
    row("share of one core at a cycle in 10 s", "%", [sample / 100 for sample in samples], 3)


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(description="Prints what things cost on this machine; asserts nothing.")
    parser.add_argument("--rounds", type=int, default=5, help="samples of each figure (default 5)")
    rounds = max(2, parser.parse_args().rounds)
    load = os.getloadavg()[0]
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} CPUs, load {load:.2f}, {rounds} rounds")
    with tempfile.TemporaryDirectory() as elsewhere:
        os.chdir(elsewhere)  # so that nothing of the working directory is imported
        processes(rounds)
        import_split(rounds)
    os.chdir(ROOT)
    steady_pass(3, rounds)
    steady_pass(50, rounds)
    agent_cycles(rounds)
    drill_speed(max(2, rounds // 2))


if __name__ == "__main__":
    main()
