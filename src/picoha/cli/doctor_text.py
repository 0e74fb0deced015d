"""The findings of `doctor`, and the steps of `leave`, as text for people."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence

from picoha.domain.doctor.findings import Finding, Level, errors, exit_code

LEAST_WIDTH = 80
WORST_FIRST = (Level.ERROR, Level.WARN, Level.OK)
VERDICTS = {
    0: "nothing stands in the way of a failover",
    1: "enforce is refused while there are errors",
    3: "something could not be looked at: nothing is proven",
}
"""What each exit code means (style: 0 fine, 1 not well, 3 could not find out)."""


def doctor_text(found: Sequence[Finding], width: int = 100, is_long: bool = False) -> str:
    """Return the findings, worst first, each with the command that mends it, then the verdict.

    Checks that are well are named in one line, and told one by one when `is_long`.
    """
    told = [one for level in WORST_FIRST for one in found if one.level is level]
    if not is_long:
        told = [one for one in told if one.level is not Level.OK]
    lines = [line for one in told for line in _lines(one, width)]
    well = sorted({one.id for one in found} - {one.id for one in found if one.level is not Level.OK})
    if well and not is_long:
        lines.append(_folded("ok", f"{len(well)} checks: {', '.join(well)}", width))
    return "\n".join([*lines, "", _verdict(found)])


def leave_text(found: Sequence[Finding], width: int = 100) -> str:
    """Return what still depends on the stack as numbered steps, in order."""
    lines: list[str] = []
    for number, one in enumerate((one for one in found if one.level is not Level.OK), start=1):
        lines += _lines(one, width, f"{number}. ")
    must = len(errors(found))
    last = f"{must} come first: until then hosts would not start, or launches end in ABANDON"
    if not must and exit_code(found):
        last = VERDICTS[3]
    return "\n".join([*lines, "", last if exit_code(found) else "the stack may be deleted"])


def _lines(one: Finding, width: int, number: str = "") -> Iterable[str]:
    subject = f"{one.subject}: " if one.subject else ""
    yield _folded(one.level.value, f"{number}{one.id}: {subject}{one.sentence}", width)
    if one.mend:  # never folded: a command is copied whole
        yield f"{'':9}-> {one.mend}"


def _folded(lead: str, text: str, width: int) -> str:
    return textwrap.fill(
        text,
        max(width, LEAST_WIDTH),
        initial_indent=f"{lead:7}",
        subsequent_indent=" " * 9,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _verdict(found: Sequence[Finding]) -> str:
    counts = Counter(one.level for one in found)
    errors, warnings = counts[Level.ERROR], counts[Level.WARN]
    return f"{errors} errors, {warnings} warnings: {VERDICTS[exit_code(found)]}"
