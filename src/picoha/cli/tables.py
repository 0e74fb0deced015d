"""What the operator function answered, as text of at least 80 columns: tables, and lines that fold."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from picoha.cli.doctor_text import doctor_text, leave_text
from picoha.cli.text import LEAST_WIDTH, wrapped
from picoha.domain.codec import decode
from picoha.domain.doctor.findings import Finding

Data = Mapping[str, Any]


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], width: int, hang: int = 0) -> str:
    """Return rows under heads; the last column takes what is left of the width and folds.

    With `hang` its further lines begin at that column: for leads too wide to fold beside.
    """
    cells = [[str(one) for one in row] for row in rows]
    sizes = [max(map(len, column)) + 2 for column in zip(heads, *cells, strict=True)][:-1]
    return "\n".join(_row(row, sizes, max(width, LEAST_WIDTH), hang) for row in [list(heads), *cells])


def _row(row: Sequence[str], sizes: Sequence[int], width: int, hang: int) -> str:
    lead = "".join(cell.ljust(size) for cell, size in zip(row, sizes, strict=False))
    indent = " " * (hang or (4 if len(lead) >= width - 24 else len(lead)))
    text = textwrap.fill(
        row[-1], width, initial_indent=lead, subsequent_indent=indent, break_on_hyphens=False
    )
    return (text or lead).rstrip()


def clock(text: str, with_day: bool = False) -> str:
    """Return an ISO time as people read it; all times are UTC."""
    if not text:
        return "-"
    at = datetime.fromisoformat(text)
    return f"{at:%Y-%m-%d %H:%M:%S}" if with_day else f"{at:%H:%M:%S}"


def status(data: Data, width: int) -> str:
    """Return one line for each slot, then what is not well, the pauses and the brake."""
    slots = data["slots"]
    heads = ("slot", "phase", "epoch", "holder", "life", "gate")
    rows = [[slot[name] or "-" for name in heads] for slot in slots]
    parts = [table(heads, rows, width)] if slots else []
    parts += [wrapped(_line(slot), width, 2) for slot in slots if not slot["is_well"] or slot["requests"]]
    for name, one in data.get("pauses", {}).items():
        whom = "the cell" if name == "*" else name
        text = f"PAUSED  {whom} until {clock(one['until'], True)} UTC by {one['by']}: {one['reason']}"
        parts.append(wrapped(text, width, 2))
    if data.get("breaker"):
        parts.append(wrapped(f"BREAKER OPEN  {data['breaker']}; `picoha close-breaker`", width, 2))
    parts.append(f"seen at {clock(data['now'], True)} UTC; mode {data['mode']} since {_since(data)}")
    return "\n".join(parts)


def _since(data: Data) -> str:
    return f"{clock(data['since'], True)} UTC" if data.get("since") else "the beginning"


def _line(slot: Data) -> str:
    step = f" {slot['operation']} {slot['step']} since {clock(slot['since'])};" if slot["operation"] else ""
    waiting = f" Waiting: {', '.join(slot['requests'])}." if slot["requests"] else ""
    more = f" Missing: {slot['missing']}." if slot["missing"] else ""
    return f"{slot['slot']}:{step} rule {slot['rule']}: {slot['sentence']}.{more}{waiting}"


def why(data: Data, width: int) -> str:
    """Return the rule, the verdict, every sensor with its age, every gate with value and limit."""
    parts = []
    if data["missing"]:
        parts += [wrapped(f"MISSING  {data['missing']}", width, 2)]
    if data["verdict"]:
        parts += [wrapped(f"verdict  {data['verdict']}", width, 2)]
    parts += [wrapped(f"next look  {data['next_look']}", width, 2), ""]
    sensors = [
        (sensor["name"], f"{sensor['age_s']} s" if "age_s" in sensor else "now", sensor["says"])
        for sensor in data["sensors"]
    ]
    parts += [table(("sensor", "age", "says"), sensors, width), ""]
    parts.append("gates of an automatic failover (an operator's order passes fewer):")
    gates = [
        (gate["name"], "open" if gate["is_open"] else "CLOSED", gate["value"], gate["limit"])
        for gate in data["gates"]
    ]
    parts.append(table(("gate", "", "now", "limit"), gates, width))
    closed = [gate for gate in data["gates"] if not gate["is_open"]]
    parts += [
        wrapped(f"CLOSED {one['name']}: {one['sentence']}. Opens: {one['opens']}", width, 2) for one in closed
    ]
    return "\n".join(parts)


def rows(data: Data, width: int) -> str:
    """Return history rows, oldest first."""
    heads = ("when (UTC)", "slot", "rule", "event", "what")
    lines = [
        (
            clock(row["at"], True)[5:],
            "cell" if row["slot"] == "*" else row["slot"],
            row["rule"] or "-",
            row["event"],
            _told(row),
        )
        for row in data["rows"]
    ]
    return table(heads, lines, width, hang=16) if lines else "no rows"


def _told(row: Data) -> str:
    is_new = row["evidence"] and row["evidence"] not in row["sentence"]
    return f"{row['sentence']} [{row['evidence']}]" if is_new else str(row["sentence"])


def show(data: Data, width: int) -> str:
    """Return an operation: who, why, its trail with durations, its calls and its rows."""
    op = data["operation"]
    victims = ", ".join(op["victims"]) or "nobody"
    text = f"{op['verb']} {op['id']} by {op['by']}, rule {op['rule']}: {op['reason']}"
    parts = [wrapped(text, width, 2), f"from {victims} to {op.get('target', 'nobody yet')}", ""]
    marks = sorted(op["trail"].items(), key=lambda one: str(one[1]))
    begun = op["opened_at"]
    trail = [(clock(at), f"+{_between(begun, at)} s", name) for name, at in marks]
    parts += [table(("at (UTC)", "after", "step"), trail, width), ""]
    calls = [
        (clock(call[0]["at"]), f"{len(call)}x", f"{call[-1]['action']} {_outcome(call[-1])}")
        for call in _calls(data["journal"])
    ]
    if calls:
        parts += [table(("at (UTC)", "sent", "what"), calls, width), ""]
    return "\n".join([*parts, rows(data, width)])


def _calls(journal: Sequence[Data]) -> list[list[Data]]:
    """Return the sends of each call, each as its result where there is one."""
    sends: dict[tuple[int, int], Data] = {}
    for row in journal:
        if row["outcome"] or (row["number"], row["sends"]) not in sends:
            sends[row["number"], row["sends"]] = row
    numbers = sorted({number for number, _ in sends})
    return [[row for (number, _), row in sorted(sends.items()) if number == wanted] for wanted in numbers]


def _outcome(row: Data) -> str:
    return str(row["outcome"] or "(no result was noted)")


def _between(start: str, end: str) -> int:
    return int((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())


def plan(data: Data, width: int) -> str:
    """Return the steps of a plan with their deadlines, and what picoha itself would wait for."""
    steps = [(number, f"{one['within_s']} s", one["what"]) for number, one in enumerate(data["steps"], 1)]
    parts = [table(("step", "at most", "what"), steps, width)]
    parts.append(wrapped(f"expected outage: {data['expected']}", width, 2))
    if data["automatic"]:
        parts.append("without an order picoha would wait for:")
        parts += [wrapped(f"  {one}", width, 4) for one in data["automatic"]]
    return "\n".join(parts)


def findings(data: Data, width: int) -> str:
    """Return what `doctor` found, the worst first."""
    return doctor_text(_found(data), width)


def leave(data: Data, width: int) -> str:
    """Return what still depends on the stack, as steps."""
    return leave_text(_found(data), width)


def _found(data: Data) -> list[Finding]:
    return [decode(Finding, finding) for finding in data["findings"]]


def report(data: Data, width: int) -> str:
    """Return what a period showed."""
    parts = [f"{clock(data['since'], True)} to {clock(data['until'], True)} UTC", ""]
    parts += [_would_have(data["would_have"], width), _operations(data["operations"], width)]
    health = [
        (
            one["slot"],
            one["minutes"],
            f"{one['worst_gap_s']} s",
            len(one["false_rings"]),
            f"worst gap at {clock(one['worst_gap_at'], True)}" if one.get("worst_gap_at") else "no gap",
        )
        for one in data["health"]
    ]
    heads = ("slot", "minutes seen", "worst gap", "false rings", "")
    parts += [table(heads, health, width)] if health else []
    parts += [wrapped(f"the metric could not be read: {data['unread']}", width, 2)] if data["unread"] else []
    parts += [wrapped(f"not well: {one}", width, 2) for one in data.get("not_well", [])]
    parts += [findings(data, width)] if data.get("findings") else []
    return "\n".join([*parts, f"readiness: {'ready' if data.get('ready') else 'NOT ready'}"])


def _would_have(found: Sequence[Data], width: int) -> str:
    lines = [
        (
            clock(one["at"], True),
            one["slot"],
            one["rule"],
            f"{one['evidence']}. "
            + (
                f"It came back alone after {one['came_back_s']} s"
                if "came_back_s" in one
                else f"It did not come back alone: {one['fate']}"
            ),
        )
        for one in found
    ]
    head = "would-have failovers (observe):"
    text = table(("when (UTC)", "slot", "rule", "evidence"), lines, width) if lines else "none"
    return f"{head} {text}\n" if not lines else f"{head}\n{text}\n"


def _operations(found: Sequence[Data], width: int) -> str:
    lines = [
        (
            clock(one["at"], True),
            one["operation"],
            f"{one['ended']}" + (f" in {one['took_s']} s" if "took_s" in one else ""),
            one["evidence"],
        )
        for one in found
    ]
    if not lines:
        return "operations: none\n"
    return f"operations:\n{table(('when (UTC)', 'operation', 'end', 'reason'), lines, width)}\n"


def verified(data: Data, width: int) -> str:
    """Return what was broken, and what the records cannot show."""
    lines = [f"BROKEN {one}" for one in data["broken"]]
    return "\n".join(
        wrapped(one, width, 2) for one in [*lines, *(f"not checked: {x}" for x in data["not_checked"])]
    )


Shower = Callable[[Data, int], str]
SHOWN: Mapping[str, Shower] = {
    "status": status,
    "why": why,
    "history": rows,
    "show": show,
    "plan": plan,
    "report": report,
    "verify": verified,
    "doctor": findings,
    "leave": leave,
    "mode": lambda data, width: findings(data, width) if "findings" in data else "",
}
"""How the data of each verb is shown; the others have their message only."""
