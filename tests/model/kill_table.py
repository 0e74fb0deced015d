"""Writes docs/mutants.md: `python tests/model/kill_table.py` with src and tests on PYTHONPATH."""

from __future__ import annotations

from pathlib import Path

from model.guards import DEEP_GUARDS, GUARDS
from model.mutants import as_markdown, judge

PAGE = Path(__file__).parents[2] / "docs" / "mutants.md"
HEAD = """# Mutants

A safety test is worth what it catches. Here one guard at a time is taken out of the code that ships, and
the explorer (tests/model) searches every state that two workers, the hosts, AWS and people can reach. A
guard may be masked by another one behind it; then that one is taken out as well. What the explorer has no
eyes for, such as names, tags and an older table, must make a story in a drill end otherwise than it says.
A golden decision that comes out otherwise is told as well, and does not count.

"Step n" is the length of the shortest way there. Off as well: `invariants` is `invariants.broken`,
`proofs` the FENCE rows that a grant is conditioned on, `grant_key` the GRANT row; numbers are rules. With
these three off and every guard in place the search finds nothing, so what it finds is the guard's.

"""


def main() -> None:
    """Judge every mutant and write the page."""
    rows = [judge(mutant) for mutant in (*GUARDS, *DEEP_GUARDS)]
    killed = sum(row.is_killed for row in rows)
    page = f"{HEAD}{as_markdown(rows)}\n\n{killed} of {len(rows)} mutants are killed.\n"
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
