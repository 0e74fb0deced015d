"""Play one seed again and print its timeline: `.venv/bin/python tests/simulation/replay.py SEED`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))


def main(seed: int) -> int:
    """Print what happened in a seed; return 1 when a promise was broken."""
    from picoha.adapters.desk.story import Story
    from picoha.entrypoints.drill import report
    from picoha.entrypoints.render import drill_text
    from simulation.runs import prepared, seeded

    desk = prepared(Story(title=f"seed {seed}"))
    outcome = seeded(desk, seed)
    print(drill_text(report(desk, seed), 100))
    print("\n".join(outcome.problems) or "no promise was broken")
    return 1 if outcome.problems else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
