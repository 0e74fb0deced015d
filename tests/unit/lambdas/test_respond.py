"""One doorbell, one answer: the drive gets the time that is safe, refusals change nothing, errors get out."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from picoha.app.errors import InvariantBroken
from picoha.lambdas.respond import Reply, Wiring, respond

TICK = {"source": "aws.events", "detail-type": "Scheduled Event", "id": "e-1", "time": "2026-11-22T12:01:00Z"}


class World:
    """Keeps what was logged and counted; its clock moves only while driving."""

    def __init__(self, left_s: float, fault: Exception | None = None) -> None:
        self.left_ms = int(left_s * 1000)
        self.fault = fault
        self.budgets: list[float] = []
        self.counted: list[str] = []
        self.lines: list[tuple[str, str, dict[str, object]]] = []

    def get_remaining_time_in_millis(self) -> int:
        return self.left_ms

    def drive(self, cause: str, budget_s: float) -> Reply:
        self.budgets.append(budget_s)
        self.left_ms -= 1500
        if self.fault:
            raise self.fault
        return {"outcome": "steady", "cause": cause}

    def info(self, msg: str, /, *, extra: Mapping[str, object]) -> None:
        self.lines.append(("info", msg, dict(extra)))

    def warning(self, msg: str, /, *, extra: Mapping[str, object]) -> None:
        self.lines.append(("warning", msg, dict(extra)))

    def exception(self, msg: str, /, *, extra: Mapping[str, object]) -> None:
        self.lines.append(("exception", msg, dict(extra)))

    def answer(self, event: object) -> Reply:
        return respond(event, self, Wiring(self.drive, 50, self, self.counted.append))


@pytest.mark.parametrize(
    ("left_s", "budget_s"), [(75, 50), (60, 50), (59.5, 49.5), (10.5, 0.5), (10, 0), (3, 0), (0, 0)]
)
def test_drive_gets_its_time_less_a_margin_for_the_answer(left_s: float, budget_s: float) -> None:
    world = World(left_s)
    world.answer(TICK)
    assert world.budgets == [budget_s]


def test_doorbell_is_answered_with_the_reply_and_logged_in_one_line() -> None:
    world = World(75)
    assert world.answer(TICK) == {"outcome": "steady", "cause": "tick"}
    assert world.counted == ["Doorbells"]
    assert world.lines == [
        (
            "info",
            "doorbell answered",
            {
                "cause": "tick",
                "detail": "the schedule says look",
                "event_id": "e-1",
                "occurred_at": "2026-11-22T12:01:00+00:00",
                "subjects": [],
                "budget_s": 50,
                "took_ms": 1500,
                "reply": {"outcome": "steady", "cause": "tick"},
            },
        )
    ]


@pytest.mark.parametrize(
    ("event", "count"),
    [({"hello": 1}, "UnknownEvents"), ("text", "MalformedEvents"), (None, "MalformedEvents")],
)
def test_no_doorbell_is_counted_logged_with_its_reason_and_not_driven(event: object, count: str) -> None:
    world = World(75)
    reply = world.answer(event)
    assert world.budgets == []
    assert world.counted == [count]
    assert reply["outcome"] == "ignored"
    [(level, msg, fields)] = world.lines
    assert (level, msg) == ("warning", "event ignored, nothing was changed")
    assert fields["reason"] == reply["reason"]


def test_error_of_the_drive_is_logged_and_gets_out() -> None:
    world = World(75, fault=InvariantBroken("two grants"))
    with pytest.raises(InvariantBroken, match="two grants"):
        world.answer(TICK)
    [(level, msg, fields)] = world.lines
    assert (level, msg, fields["event_id"]) == ("exception", "doorbell failed", "e-1")
    assert world.counted == ["Doorbells"]
