"""The picture of a failover: from a drill, from a record, and from nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from picoha import bootstrap
from picoha.app.gather import one_by_one
from picoha.app.operator.answer import Asked, Command
from picoha.app.operator.views import show
from picoha.cli import timeline_svg
from picoha.cli.timeline_svg import LANES, MOST_EVENTS, PHASES, TURNS, Moment, svg
from picoha.domain.policy import Policy
from picoha.drills.clock import DrillClock
from picoha.drills.drill import Drill, DrillReport, played, report
from picoha.drills.story import read_story

STORIES = Path(__file__).parents[3] / "stories"
MOST_BYTES = 40_000


@pytest.fixture(scope="module")
def drill() -> Iterator[Drill]:
    done = played(read_story(STORIES / "platform-host-lost.toml"))
    yield done
    done.world.scheduler.close()


@pytest.fixture(scope="module")
def record(drill: Drill) -> str:
    """The same failover from the table alone, as the operator function shows it."""
    world = drill.world
    ports = bootstrap.operator(drill.settings, world.admin, DrillClock(world.scheduler), one_by_one)
    asked = Asked(Command("show", operation="platform1-1-2"), ports, Policy())
    return timeline_svg.of_record(show(asked).data)


def texts(picture: str) -> list[str]:
    """Return every text of a picture; raises ParseError unless it is well-formed."""
    return [one.text or "" for one in ElementTree.fromstring(picture).iter() if one.tag.endswith("}text")]


def bars(picture: str, words: str) -> list[tuple[float, float]]:
    """Return begin and width, in pixels, of the bars with these words."""
    rects = [one for one in ElementTree.fromstring(picture).iter() if one.tag.endswith("}rect")]
    said = [(rect, next(iter(rect), None)) for rect in rects]
    return [
        (float(one.attrib["x"]), float(one.attrib["width"]))
        for one, title in said
        if title is not None and title.text == words
    ]


def test_a_drill_shows_every_lane_every_phase_and_every_event(drill: Drill) -> None:
    picture = timeline_svg.of_drill(report(drill, 0))
    told = texts(picture)
    assert set(LANES) <= set(told)
    assert "The Platform's host is lost: platform1" in told
    phases = next(one for one in told if one.startswith("confirm ") and "\u00b7" in one)
    assert [part.rsplit(" ", 2)[0] for part in phases.split(" \u00b7 ")] == [
        *("confirm", "fence", "new host", "address", "release", "names", "start", "watch")
    ]
    assert {"silence", "admitted", "proven-off", "address-moved", "done", "rule 341"} <= set(told)
    assert "i-00000000000000001 is proven off; waiting for its replacement" in told


def test_the_address_is_free_only_after_the_proof_and_until_it_is_moved(drill: Drill) -> None:
    picture = timeline_svg.of_drill(report(drill, 0))
    (fenced,) = bars(picture, "proven off")
    (free,) = bars(picture, "free")
    (moved,) = bars(picture, "on the new host")
    assert free[0] == fenced[0]
    assert sum(free) == pytest.approx(moved[0], abs=0.2)


def test_the_same_renderer_draws_the_record(drill: Drill, record: str) -> None:
    told = texts(record)
    assert "platform1-1-2" in told
    assert any(one.startswith("failover by controller; 0 s is 2026-") for one in told)
    wanted = ["admitted", "fenced", "host-found", "address-moved", "granted", "names-verified", "done"]
    assert [one for one in told if one in wanted] == wanted
    assert bars(record, "down")
    assert len(bars(record, "being fenced")) == 1


def test_a_record_without_alarms_does_not_say_that_all_was_well(record: str) -> None:
    assert bars(record, "not in the record: see CloudWatch")
    assert not bars(record, "OK")


def test_a_picture_stands_alone_and_fits_a_ticket(drill: Drill, record: str) -> None:
    for picture in (timeline_svg.of_drill(report(drill, 0)), record):
        assert len(picture.encode()) <= MOST_BYTES
        assert not re.search(r"<(script|style|image|foreignObject|use|a)\b|href|@import|url\(", picture)
        assert re.findall(r"https?://[^\"]*", picture) == ["http://www.w3.org/2000/svg"]
        assert '<rect width="1000"' in picture.splitlines()[1]
        assert 'fill="#fff"' in picture.splitlines()[1]


def test_the_worst_day_fits_too() -> None:
    events = [*PHASES, "held", "paged", "world"]
    many = [Moment(60.0 * n, 445, events[n % len(events)], "words " * 60) for n in range(1000)]
    picture = svg("a long day", many)
    assert len(picture.encode()) <= MOST_BYTES
    assert f"and {1000 - MOST_EVENTS} later events, not drawn" in texts(picture)


def test_events_keep_their_order_whatever_order_they_come_in() -> None:
    told = [Moment(9.0, 341, "granted", "b"), Moment(1.0, 445, "admitted", "a")]
    assert svg("t", told) == svg("t", reversed(told))
    assert [text for text in texts(svg("t", told)) if text in ("a", "b")] == ["a", "b"]


def test_labels_are_drawn_only_where_they_fit() -> None:
    close = [
        Moment(0.0, 0, "silence", ""),
        Moment(0.1, 445, "admitted", "switchover"),
        Moment(600.0, 1, "x", ""),
    ]
    picture = svg("t", close)
    assert bars(picture, "lost, nobody knows")
    assert "lost, nobody knows" not in texts(picture)
    assert "being fenced" in texts(picture)


def test_what_comes_from_outside_is_escaped() -> None:
    picture = svg("<b>&", [Moment(0.0, 0, "world", "</svg><script>alert(1)</script>")])
    assert "<script" not in picture
    assert {"<b>&", "</svg><script>alert(1)</script>"} <= set(texts(picture))


def test_nothing_recorded_is_said() -> None:
    assert "nothing was recorded" in texts(svg("t", []))
    assert "nothing was recorded" in texts(timeline_svg.of_drill(DrillReport("t", [], {}, {}, [], None)))


def test_one_event_alone_is_drawn() -> None:
    assert "done" in texts(svg("t", [Moment(5.0, 357, "done", "")]))


def test_every_lane_of_a_turn_exists() -> None:
    assert {lane for turn in TURNS.values() for lane in turn} == set(LANES)
