"""One failover as a picture: lanes over time, phases with their durations, every event in words.

A plain SVG for a ticket: white ground, text, no script, no font or file from elsewhere. The same
renderer draws a drill (`drill STORY --svg FILE`) and a record (`show OP --svg FILE`).
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil, floor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from picoha.app.errors import SettingsInvalid
from picoha.domain.record import Verb

if TYPE_CHECKING:
    from picoha.drills.drill import DrillReport

WIDTH, LEFT, RIGHT = 1000, 110, 25
LANE, BAR, LINE = 34, 24, 15
CHARACTER = 6.4
"""The width of one character at 11 px, on average and in pixels: only a label that fits is drawn."""
MOST_EVENTS = 45
"""More are counted, not drawn: a ticket takes 40 kB."""
LANES = ("alarm", "old host", "address", "new host", "names", "picos")
STYLES = {"good": "#cfe8cf", "work": "#ffe2a8", "bad": "#f5b7ae", "off": "#dcdcdc", "phase": "#dbe6f6"}

Look = tuple[str, str]
"""What a lane shows from an event on: its words, and the name of its style."""

BEFORE: dict[str, Look] = {
    "alarm": ("OK", "good"),
    "old host": ("holds the slot", "good"),
    "address": ("on the old host", "good"),
    "names": ("right on the old host", "good"),
    "picos": ("up", "good"),
}
TURNS: dict[str, dict[str, Look]] = {
    "silence": {"old host": ("lost, nobody knows", "bad"), "picos": ("down", "bad"), "names": ("", "off")},
    "admitted": {"old host": ("being fenced", "work")},
    "admitted: lost": {
        "old host": ("being fenced", "work"),
        "picos": ("down", "bad"),
        "names": ("", "off"),
    },
    "drained": {"picos": ("down", "bad"), "names": ("", "off")},
    "proven-off": {
        "old host": ("proven off", "off"),
        "new host": ("", "off"),
        "address": ("free", "work"),
        "names": ("", "off"),
        "picos": ("down", "bad"),
    },
    "confirmed-fenced": {"old host": ("off: a human confirmed", "off"), "address": ("free", "work")},
    "launch-held": {"new host": ("held", "work")},
    "host-found": {"new host": ("held", "work")},
    "address-moved": {"address": ("on the new host", "good"), "new host": ("launch released", "work")},
    "granted": {"new host": ("holds the grant", "good"), "names": ("being verified", "work")},
    "names-verified": {"names": ("verified", "good"), "picos": ("starting", "work")},
    "picos-up": {"picos": ("up, watched", "work")},
    "done": {"new host": ("holds the slot", "good"), "picos": ("healthy", "good")},
    "restart-ordered": {"picos": ("restarting in place", "work")},
    "needs-operator": {"picos": ("down", "bad")},
    "bad-replacement": {"new host": ("bad: being fenced", "bad"), "picos": ("down", "bad")},
    "ALARM": {"alarm": ("ALARM", "bad")},
    "OK": {"alarm": ("OK", "good")},
}
"""What each event changes in which lane; an event without a row is a number and a sentence."""
PHASES = {
    "admitted": "confirm",
    "drained": "drain",
    "fenced": "fence",
    "host-found": "new host",
    "address-moved": "address",
    "granted": "release",
    "names-verified": "names",
    "picos-up": "start",
    "done": "watch",
    "bad-replacement": "bad start",
    "needs-operator": "no progress",
    "resumed": "wait for a human",
    "retried": "wait for a human",
}
"""The phase that ends with an event; it began with the event of this table before it."""


@dataclass(frozen=True)
class Moment:
    """One event: `at_s` seconds from the picture's zero, `rule` 0 = a fact of the world.

    `fact` is the new state of an alarm, or the verb of the operation that an event belongs to.
    """

    at_s: float
    rule: int
    event: str
    sentence: str
    fact: str = ""

    @property
    def turn(self) -> str:
        """The name under which TURNS knows it: an alarm by its new state, a failover as a loss."""
        if self.event == "alarm":
            return self.fact
        is_lost = self.event == "admitted" and self.fact == Verb.FAILOVER
        return "admitted: lost" if is_lost else self.event


def of_drill(report: DrillReport) -> str:
    """Return the picture of a drill: the slot with most operations, else with most events."""
    begun = [one.slot for one in report.timeline if one.phase == "admitted"]
    slots = begun or [one.slot for one in report.timeline]
    slot = max(sorted(set(slots)), key=slots.count, default="")
    moments = [
        Moment(entry.at_s, entry.rule, entry.phase, entry.sentence, entry.fact)
        for entry in report.timeline
        if entry.slot == slot
    ]
    return svg(f"{report.title}: {slot}", moments, f"a drill in virtual time; seed {report.seed}")


def of_record(shown: Mapping[str, Any]) -> str:
    """Return the picture of one operation from the data of `show`: its record and its history rows."""
    operation = shown["operation"]
    zero = datetime.fromisoformat(operation["opened_at"])
    moments = [
        Moment(
            (datetime.fromisoformat(row["at"]) - zero).total_seconds(),
            int(row["rule"]),
            str(row["event"]),
            str(row["sentence"]),
            str(row.get("verb", "")),
        )
        for row in shown["rows"]
    ]
    told = f"{operation['verb']} by {operation['by']}; 0 s is {zero:%Y-%m-%d %H:%M:%S} UTC"
    return svg(str(operation["id"]), moments, told)


def save(picture: str, path: Path) -> None:
    """Write a picture to a file; raises SettingsInvalid where it cannot be written."""
    try:
        path.write_text(picture, encoding="utf-8")
    except OSError as problem:
        raise SettingsInvalid(f"writing the picture {path}: {problem.strerror or problem}") from problem


def svg(title: str, moments: Iterable[Moment], subtitle: str = "") -> str:
    """Return the picture; without any moment it says so."""
    every = sorted(moments, key=lambda one: one.at_s)
    if not every:
        return _document(80, [_text(LEFT, 30, title, 16), _text(LEFT, 55, "nothing was recorded")])
    told = every[:MOST_EVENTS]
    axis = _Axis.over(told)
    top, bottom = 118, 118 + len(LANES) * LANE
    parts = [_text(10, 28, title, 16, "bold"), _text(10, 48, subtitle)]
    parts += _phases(told, axis)
    parts += _marks(told, axis, top, bottom)
    for number, lane in enumerate(LANES):
        parts += _lane(lane, told, axis, top + number * LANE)
    parts += axis.ticks(top, bottom)
    listed, height = _listed(told, bottom + 50)
    if len(every) > len(told):
        listed.append(_text(164, height, f"and {len(every) - len(told)} later events, not drawn"))
    return _document(height + 20, [*parts, '<g font-size="11">', *listed, "</g>"])


@dataclass(frozen=True)
class _Axis:
    """Seconds to pixels."""

    first: float
    last: float

    @classmethod
    def over(cls, told: Sequence[Moment]) -> _Axis:
        first, last = told[0].at_s, told[-1].at_s
        margin = max((last - first) * 0.04, 1.0)
        is_record = told[0].event == "admitted"  # what was before is not in it, and not drawn
        return cls(first if is_record else first - margin, last + margin)

    def x(self, at_s: float) -> float:
        share = (at_s - self.first) / (self.last - self.first)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def ticks(self, top: int, bottom: int) -> Iterator[str]:
        """Yield the seconds at every round step, and a grid line for each."""
        span = self.last - self.first
        steps = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)
        step = next((one for one in steps if span / one <= 12), int(span / 12))
        seconds = range(ceil(self.first / step) * step, floor(self.last) + 1, step)
        for second in seconds:
            yield _text(self.x(second), bottom + 16, f"{second} s", 11, anchor="middle")
        grid = "".join(f"M{self.x(second)} {top}V{bottom}" for second in seconds)
        yield f'<path d="{grid}" stroke="#999" stroke-dasharray="1 4"/>'


def _phases(told: Sequence[Moment], axis: _Axis) -> Iterator[str]:
    yield _text(10, 82, "phase", 12, "bold")
    begun, spent = told[0].at_s, dict[str, float]()
    for one in told:
        if one.event not in PHASES:
            continue
        name, took = PHASES[one.event], one.at_s - begun
        if took <= 0:
            continue
        yield _bar(axis.x(begun), 66, axis.x(one.at_s), f"{name} {took:.0f} s", "phase", short=name)
        spent[name] = spent.get(name, 0.0) + took
        begun = one.at_s
    sums = (f"{name} {took:.1f} s" for name, took in spent.items())
    yield _text(LEFT, 61, _clipped(" \u00b7 ".join(sums), 175), 10)


def _marks(told: Sequence[Moment], axis: _Axis, top: int, bottom: int) -> Iterator[str]:
    """Yield a line through the lanes for each event, and its number where that finds room."""
    free_from = 0.0
    for number, one in enumerate(told, start=1):
        x = axis.x(one.at_s)
        if x >= free_from:
            yield _text(x, top - 12, str(number), 10, anchor="middle")
            free_from = x + 14
    lines = "".join(f"M{axis.x(one.at_s)} {top - 8}V{bottom}" for one in told)
    yield f'<path d="{lines}" stroke="#666"/>'


def _lane(lane: str, told: Sequence[Moment], axis: _Axis, y: int) -> Iterator[str]:
    yield _text(10, y + 21, lane, 12, "bold")
    looks = [(axis.first, _before(lane, told))]
    for one in told:
        look = TURNS.get(one.turn, {}).get(lane, looks[-1][1])
        if look != looks[-1][1]:
            looks.append((one.at_s, look))
    ends = [at for at, _ in looks[1:]] + [axis.last]
    for (at, (words, style)), end in zip(looks, ends, strict=True):
        if words and end > at:
            yield _bar(axis.x(at), y + 5, axis.x(end), words, style)


def _before(lane: str, told: Sequence[Moment]) -> Look:
    """Return what a lane shows first; a record knows no alarms, and must not say that all was well."""
    if lane == "alarm" and not any(one.event == "alarm" for one in told):
        return "not in the record: see CloudWatch", "off"
    return BEFORE.get(lane, ("", "off"))


def _bar(x: float, y: int, end: float, words: str, style: str, short: str = "") -> str:
    room = end - x - 6
    label = next((one for one in (words, short) if len(one) * CHARACTER <= room), "")
    drawn = f'<rect x="{x}" y="{y}" width="{max(end - x, 1):.1f}" height="{BAR}" fill="{STYLES[style]}"'
    drawn += f' stroke="#555"><title>{escape(words)}</title></rect>'
    return drawn + (_text(x + 4, y + 16, label, 11) if label else "")


def _listed(told: Sequence[Moment], y: int) -> tuple[list[str], int]:
    """Return every event in words, and where they end."""
    parts: list[str] = []
    for number, one in enumerate(told, start=1):
        rule = f"rule {one.rule}" if one.rule else "-"
        parts += [_text(34, y, str(number), anchor="end"), _text(92, y, f"{one.at_s:.1f} s", anchor="end")]
        parts += [_text(104, y, rule), _text(164, y, one.event, weight="bold")]
        lines = textwrap.wrap(one.sentence, 118, max_lines=2, placeholder=" ...", break_on_hyphens=False)
        for line in lines or ["-"]:
            parts.append(_text(290, y, line))
            y += LINE
    return parts, y


def _text(x: float, y: int, words: str, size: int = 0, weight: str = "", anchor: str = "") -> str:
    more = f' font-size="{size}"' if size else ""
    more += f' font-weight="{weight}"' if weight else ""
    more += f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x}" y="{y}"{more}>{escape(words)}</text>'


def _clipped(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 3] + "..."


def _document(height: int, parts: Iterable[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"'
    head += f' viewBox="0 0 {WIDTH} {height}" font-family="Arial, sans-serif" font-size="12" fill="#111">'
    ground = f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
    return "\n".join([head, ground, *parts, "</svg>"]) + "\n"
