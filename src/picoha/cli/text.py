"""Reports as text for people: tables that fit a terminal, plain when it is none."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a command that only folds text must not load the drill
    from picoha.drills.drill import DrillReport, Entry

LEAST_WIDTH = 80
COLUMNS = (8, 11, 6, 17)
"""Widths of second, slot, rule and phase; the sentence takes the rest."""


def drill_text(report: DrillReport, width: int) -> str:
    """Return a drill's report: timeline, names, calls, verdict."""
    parts = [f"{report.title}  (virtual time; seed {report.seed})", "", _timeline(report.timeline, width)]
    if report.operation:
        spans = ", ".join(f"{name} {seconds:g} s" for name, seconds in report.operation["durations"].items())
        op = report.operation
        line = f"{op['verb']} {op['id']}: {op['from']} -> {op['to']}, epoch {op['epoch']}, {op['took_s']:g} s"
        parts += ["", wrapped(line, width, 2)]
        parts += [wrapped(spans, width, 2)]
    if report.names:
        parts += ["", "Names, as each holder's resolver answers:", names_table(report.names)]
    calls = ", ".join(f"{name} {count}" for name, count in report.api_calls.items() if not _is_read(name))
    reads = sum(count for name, count in report.api_calls.items() if _is_read(name))
    parts += ["", wrapped(f"The controller's calls: {reads} that look; {calls}", width, 2)]
    parts += [wrapped(f"PAGE  {page}", width, 6) for page in report.pages]
    parts += [wrapped(f"VIOLATION  {violation}", width, 2) for violation in report.violations]
    parts += [wrapped(f"NOT AS THE STORY SAYS  {problem}", width, 2) for problem in report.problems]
    parts += ["", "ok: it ended as the story says; the referee saw no violation" if report.ok else "NOT ok"]
    return "\n".join(parts)


def _is_read(operation: str) -> bool:
    return operation.startswith(("Describe", "Get", "Query"))


def _timeline(entries: Iterable[Entry], width: int) -> str:
    head = _row(("second", "slot", "rule", "phase"), "what", width)
    rows = [
        _row((f"{entry.at_s:.1f}", entry.slot, str(entry.rule or "-"), entry.phase), entry.sentence, width)
        for entry in entries
    ]
    return "\n".join([head, *rows])


def _row(cells: Sequence[str], sentence: str, width: int) -> str:
    second, *others = (cell.ljust(size) for cell, size in zip(cells, COLUMNS, strict=True))
    lead = second.strip().rjust(COLUMNS[0] - 1) + " " + "".join(others)
    return textwrap.fill(
        sentence,
        max(width, LEAST_WIDTH),
        initial_indent=lead,
        subsequent_indent=" " * sum(COLUMNS),
        break_on_hyphens=False,
    )


def wrapped(text: str, width: int, indent: int) -> str:
    """Return a text folded to the width (at least 80), further lines indented."""
    return textwrap.fill(
        text, max(width, LEAST_WIDTH), subsequent_indent=" " * indent, break_on_hyphens=False
    )


def names_table(names: dict[str, dict[str, str]]) -> str:
    """Return host x property -> address."""
    properties = sorted({name for resolved in names.values() for name in resolved})
    host_width = max(len(host) for host in names) + 2
    widths = [max(len(name), 15) + 2 for name in properties]
    rows = [["host", *properties]] + [
        [host, *(resolved.get(name, "-") for name in properties)] for host, resolved in sorted(names.items())
    ]
    return "\n".join(
        "  "
        + "".join(cell.ljust(size) for cell, size in zip(row, [host_width, *widths], strict=True)).rstrip()
        for row in rows
    )
