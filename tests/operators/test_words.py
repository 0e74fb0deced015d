"""Sentences are for people: with every sentence reworded, whatever is computed stays the same."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from operators.test_client import ADMITTED, REPLY, Scripted, step
from picoha.app.audit.promises import verify
from picoha.cli import timeline_svg
from picoha.cli.client import Client
from picoha.domain.views.report import PeriodReport, report
from picoha.drills.drill import Drill, played
from picoha.drills.drill import report as drill_report
from picoha.drills.story import read_story

STORIES = Path(__file__).parents[2] / "stories"
WORDS = "failover; changed: nothing was changed; would have ALARM OK"
"""Words that a reader of sentences would take for something."""


@pytest.fixture(scope="module", params=["switchover", "observe-only", "hung-fence"])
def drill(request: pytest.FixtureRequest) -> Any:
    done = played(read_story(STORIES / f"{request.param}.toml"))
    yield done
    done.world.scheduler.close()


def reworded(text: str) -> str:
    return WORDS if text else ""


def test_a_report_of_a_period_reads_no_sentence(drill: Drill) -> None:
    world = drill.world
    rows = list(drill.ports.memory.history(world.scheduler.start, world.scheduler.now))
    others = [replace(row, sentence=reworded(row.sentence)) for row in rows]

    def told(found: list[Any]) -> PeriodReport:
        return report(found, {}, world.scheduler.start, world.scheduler.now)

    assert told(rows) == told(others)
    assert told(rows).would_have or told(rows).operations


def test_the_audit_reads_no_sentence_of_the_history(drill: Drill) -> None:
    world = drill.world
    ledger = drill.ports.memory.ledger(world.scheduler.start, world.scheduler.now)
    history = [replace(row, sentence=reworded(row.sentence)) for row in ledger.history]
    other = replace(ledger, history=history)
    policy, now = drill.settings.policy, world.scheduler.now
    assert verify(other, policy, now) == verify(ledger, policy, now)


def test_a_timeline_reads_no_sentence(drill: Drill) -> None:
    found = drill_report(drill, 0)
    other = replace(found, timeline=[replace(entry, sentence=WORDS) for entry in found.timeline])
    shapes = [
        re.sub(r"<text.*?</text>|<title>.*?</title>", "", timeline_svg.of_drill(one))
        for one in (found, other)
    ]
    assert re.findall(r"<rect[^>]*>", shapes[0]) == re.findall(r"<rect[^>]*>", shapes[1])


@pytest.mark.parametrize("sentence", ["ENFORCE demo: ok", WORDS])
@pytest.mark.parametrize("end", ["done", "aborted"])
def test_a_command_that_waits_reads_no_sentence(sentence: str, end: str) -> None:
    plan = ({"data": {"request": "r1"}}, ADMITTED, step(end))
    replies = [{**REPLY, **one, "sentence": sentence, "message": sentence} for one in plan]
    client = Client(Scripted(*replies), "ops", lambda line: None)
    request = client.ask("switchover", "test", slot="ec1")["data"]["request"]
    reply = client.finish(request, "ec1")
    assert (reply["code"], reply["changed"]) == (end != "done", f"ec1-1-1 is {end}")
    assert reply["message"] == f"{sentence}; changed: ec1-1-1 is {end}"
