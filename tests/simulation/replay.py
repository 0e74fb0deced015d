"""Play one seed, or one single-fault plan, again and print its timeline.

.venv/bin/python tests/simulation/replay.py SEED
.venv/bin/python tests/simulation/replay.py CALLER OPERATION STEP FAULT

The second form takes the words of a call site as a failing test prints them, e.g.
"rule 307" TerminateInstances fencing "crash after".
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))


def seed_again(seed: int) -> int:
    """Print what happened in a seed; return 1 when a promise was broken."""
    from picoha.cli.text import drill_text
    from picoha.drills.drill import report
    from picoha.drills.story import Story
    from simulation.runs import prepared
    from simulation.seeds import seeded

    drill = prepared(Story(title=f"seed {seed}"))
    outcome = seeded(drill, seed)
    print(drill_text(report(drill, seed), 100))
    print("\n".join(outcome.problems) or "no promise was broken")
    return 1 if outcome.problems else 0


def plan_again(caller: str, operation: str, step: str, fault: str) -> int:
    """Print what happened under one single fault; return 1 when it ended otherwise than without."""
    from picoha.cli.text import drill_text
    from picoha.drills.drill import report
    from simulation.faults import Fault, aimed
    from simulation.sites import Site
    from simulation.workloads import catalogue, played

    known, reached = catalogue()
    site = Site(caller, operation, step)
    if site not in reached:
        print(f"no workload reaches {site}; known are:", *sorted(reached), sep="\n")
        return 2
    one = known[reached[site]]
    outcome = played(one.drill, one.workload, aimed(site, Fault(fault)))
    print(drill_text(report(one.drill, 0), 100))
    print(f"{reached[site]}, {site}, {fault}: struck {len(outcome.struck)} time")
    print(f"without the fault: {one.end}\nwith it:           {outcome.end}", *outcome.problems, sep="\n")
    return 1 if outcome.problems or outcome.end != one.end else 0


if __name__ == "__main__":
    sys.exit(seed_again(int(sys.argv[1])) if len(sys.argv) == 2 else plan_again(*sys.argv[1:]))
