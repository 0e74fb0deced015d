"""Broken, cut and invented events are refused by name or ring; nothing else ever comes out."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hypothesis import event as note
from hypothesis import example, given
from hypothesis import strategies as st

from picoha.app.errors import MalformedEvent, UnknownEvent
from picoha.lambdas.doorbells import Cause, Wakeup, parse
from picoha.lambdas.respond import MARGIN_S, Reply, Wiring, respond

EVENTS = {path.stem: json.loads(path.read_text()) for path in Path(__file__).parents[2].glob("events/*.json")}
assert len(EVENTS) > 20, "the event files are gone: these tests would prove nothing"

DRIVE_S = 50.0
Step = str | int

# Lone surrogates included: JSON's \ud800 reaches Python strings, UTF-8 does not.
any_text = st.text(st.characters(), max_size=30) | st.sampled_from(
    ["x" * 5000, "2026-11-22T12:00:00Z", "{}", "i-"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | any_text
junk: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=6,
)


def paths_in(node: object, here: tuple[Step, ...] = ()) -> Iterator[tuple[Step, ...]]:
    inner: Iterator[tuple[Step, object]] = iter(())
    if isinstance(node, dict):
        inner = iter(node.items())
    elif isinstance(node, list):
        inner = iter(enumerate(node))
    for step, child in inner:
        yield (*here, step)
        yield from paths_in(child, (*here, step))


def parent_of(root: Any, path: tuple[Step, ...]) -> Any:
    for step in path[:-1]:
        root = root[step]
    return root


@st.composite
def mutated(draw: st.DrawFn) -> object:
    """An event file with up to four places deleted or replaced, inside an SNS message too."""
    root: Any = copy.deepcopy(draw(st.sampled_from(sorted(EVENTS)).map(EVENTS.__getitem__)))
    in_message = "Records" in root and draw(st.booleans())
    target: Any = json.loads(root["Records"][0]["Sns"]["Message"]) if in_message else root
    for _ in range(draw(st.integers(1, 4))):
        places = list(paths_in(target))
        if not places:
            break
        path = draw(st.sampled_from(places))
        parent = parent_of(target, path)
        if draw(st.booleans()):
            del parent[path[-1]]
        else:
            parent[path[-1]] = draw(junk)
    if in_message:
        root["Records"][0]["Sns"]["Message"] = json.dumps(target)
    return root


def closed(text: str) -> str:
    """Close the string and the brackets that a cut left open."""
    open_ones: list[str] = []
    in_string = escaped = False
    for char in text:
        if in_string:
            in_string, escaped = escaped or char != '"', char == "\\" and not escaped
        elif char == '"':
            in_string = True
        elif char in "{[":
            open_ones.append("}" if char == "{" else "]")
        elif char in "}]":
            open_ones.pop()
    return text + '"' * in_string + "".join(reversed(open_ones))


@st.composite
def cut(draw: st.DrawFn) -> object:
    """An event file's text cut anywhere: as the object the rest still is, else as bare text."""
    text = json.dumps(EVENTS[draw(st.sampled_from(sorted(EVENTS)))])
    rest = text[: draw(st.integers(0, len(text) - 1))]
    for attempt in (closed(rest), closed(rest + ":null"), closed(rest + "null")):
        try:
            return json.loads(attempt)
        except ValueError:
            continue
    return rest


@st.composite
def invented(draw: st.DrawFn) -> object:
    """Random JSON, or random JSON behind a key that looks like a doorbell."""
    value = draw(junk)
    key = draw(st.sampled_from(["", "Records", "alarmData", "detail-type", "detail"]))
    return {key: value, "source": "aws.events"} if key else value


any_event = st.one_of(mutated(), cut(), invented())


def check_wakeup(wakeup: Wakeup) -> None:
    assert isinstance(wakeup.cause, Cause)
    for text in (wakeup.detail, wakeup.event_id or "none", *wakeup.subjects):
        assert text
        assert text.isprintable()
    assert wakeup.occurred_at is None or wakeup.occurred_at.utcoffset() is not None


@given(any_event)
@example([])
@example({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "[" * 100_000}}]})
@example({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "9" * 5_000}}]})
@example({"detail-type": "Scheduled Event", "source": "aws.events", "time": "9999-12-31T23:59:59-14:00"})
def test_parse_rings_or_refuses_by_name_and_never_anything_else(event: object) -> None:
    before = repr(event)
    try:
        check_wakeup(parse(event))
    except (UnknownEvent, MalformedEvent) as refused:
        note(type(refused).__name__)
        assert str(refused).isprintable()
        assert len(str(refused)) < 1000
    else:
        note("rings")
    assert repr(event) == before


class Recorder:
    """A wiring that writes down what it is asked to do."""

    def __init__(self) -> None:
        self.driven: list[tuple[str, float]] = []
        self.counted: list[str] = []
        self.logged: list[dict[str, object]] = []

    def drive(self, cause: str, budget_s: float) -> Reply:
        self.driven.append((cause, budget_s))
        return {"outcome": "driven"}

    def info(self, msg: str, /, *, extra: Mapping[str, object]) -> None:
        self.logged.append({"msg": msg, **extra})

    warning = exception = info

    def wiring(self) -> Wiring:
        return Wiring(drive=self.drive, drive_s=DRIVE_S, log=self, count=self.counted.append)


class Left:
    """A Lambda context with this much time left."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


@given(any_event, st.floats(0, 900))
def test_answer_drives_once_for_a_doorbell_and_never_for_anything_else(event: object, left_s: float) -> None:
    seen = Recorder()
    reply = respond(event, Left(left_s), seen.wiring())
    assert len(seen.counted) == len(seen.logged) == 1
    json.dumps(seen.logged)
    try:
        wakeup = parse(event)
    except (UnknownEvent, MalformedEvent) as refused:
        assert seen.driven == []
        assert reply == {"outcome": "ignored", "reason": str(refused)}
        assert seen.counted == [f"{type(refused).__name__}s"]
    else:
        assert [cause for cause, _ in seen.driven] == [wakeup.cause]
        budget_s = seen.driven[0][1]
        assert 0 <= budget_s <= min(DRIVE_S, max(0, left_s - MARGIN_S))
        assert reply == {"outcome": "driven"}
        assert seen.counted == ["Doorbells"]


def test_the_fuzz_reaches_every_answer() -> None:
    """Each way of breaking an event is seen to be refused at least once, and one event still rings."""
    answers = set()
    for name, event in EVENTS.items():
        for path in paths_in(event):
            broken = copy.deepcopy(event)
            parent_of(broken, path)[path[-1]] = []
            try:
                parse(broken)
                answers.add("rings")
            except (UnknownEvent, MalformedEvent) as refused:
                answers.add(type(refused).__name__)
        assert parse(event).detail, name
    assert answers == {"rings", "UnknownEvent", "MalformedEvent"}
