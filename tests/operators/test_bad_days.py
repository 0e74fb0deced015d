"""The commands on bad days: each story's cell at the moment at which a human is needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from operators.drill_cells import CALM, Terminal, cell, told
from picoha.cli.main import main
from picoha.drills.drill import run
from picoha.drills.story import Beat

VICTIM = "i-00000000000000001"


@pytest.fixture
def hung(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A Platform whose fence hangs, when the page has just come."""
    beats = (
        Beat(s=4, do="hang-terminate", slot="platform1"),
        Beat(s=5, do="die", slot="platform1"),
    )
    with cell(CALM.model_copy(update={"at": beats}), 700) as kept:
        yield Terminal(kept, monkeypatch)


def pages(terminal: Terminal) -> list[str]:
    published = terminal.world.topics.published
    return [
        message.message
        for message in published
        if message.attributes["severity"].get("StringValue", "") == "page"
    ]


def test_three_in_the_morning(hung: Terminal) -> None:
    """A hung fence pages; why names the missing fact; the wrong id is refused; the right one ends it."""
    [page] = pages(hung)
    assert f"picoha confirm-fenced {VICTIM}" in page
    told(hung.type("status"), 1, "not well: platform1", "needs-operator", "Missing: evidence that")
    told(
        hung.type("why", "platform1"),
        1,
        f"MISSING evidence that {VICTIM} is off (EC2 says shutting-down)",
        f"`picoha confirm-fenced {VICTIM}`",
        "witness ec1",
        "cannot connect",
    )
    wrong = hung.type("confirm-fenced", "i-00000000000000009", "--yes", "--reason", "console says off")
    told(wrong, 1, f"i-00000000000000009 is not waiting for evidence; waiting: {VICTIM}; nothing was changed")
    right = hung.type("confirm-fenced", VICTIM, "--reason", "pulled its plug", answer="y\n")
    told(
        right,
        0,
        f"ops@bastion confirms that {VICTIM} is off: pulled its plug; changed: confirmed-fenced by rule 211",
        "names-verified",
        "failover platform1-1-2 is done after",
    )
    told(hung.type("status"), 0, "all 3 slots are well")
    record = hung.records()["platform1"]
    assert (record.epoch, record.holder) == (2, "i-00000000000000004")
    rows = hung.json("history", "--slot", "platform1", "--since", "1h")["data"]["rows"]
    told_by_history = [row["event"] for row in rows]
    for event in ("admitted", "needs-operator", "confirmed-fenced", "resumed", "granted", "done"):
        assert event in told_by_history
    word = next(row for row in rows if row["event"] == "confirmed-fenced")
    assert "ops@bastion confirms" in word["sentence"] and "pulled its plug" in word["evidence"]
    told(hung.type("show", "platform1-1-2"), 0, "FenceHost", "needs-operator", "pulled its plug")
    verified = hung.cell.send({"schema": 1, "verb": "verify", "args": {"since_s": 86_400}})
    assert (verified["code"], verified["data"]["broken"]) == (0, [])
    assert hung.world.referee.violations == []


def test_retry_lets_a_stuck_operation_try_again_and_tells_that_it_is_stuck_once_more(hung: Terminal) -> None:
    result = hung.type("retry", "platform1-1-2", "--reason", "asked support")
    told(result, 1, "retried by rule 213", "is needs-operator in fencing")
    assert hung.records()["platform1"].operation.step == "needs-operator"


def test_abort_leaves_the_slot_vacant_and_paused(hung: Terminal) -> None:
    result = hung.type("abort", "platform1-1-2", "--yes", "--reason", "rebuilt by hand")
    told(result, 0, "platform1-1-2 is aborted by ops@bastion; changed: aborted by rule 215")
    assert hung.records()["platform1"].phase == "vacant"
    told(hung.type("status"), 1, "PAUSED platform1 until", "abort of platform1-1-2: rebuilt by hand")


def test_a_roll_does_not_begin_in_a_cell_that_is_not_well(hung: Terminal) -> None:
    before = hung.table()
    result = hung.type("roll", "--yes", "--reason", "new image")
    told(result, 1, "not well: platform1; stopped before ec1 was done; nothing was changed")
    assert hung.table() == before


def test_a_roll_stops_at_the_first_slot_that_does_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    beats = (Beat(s=1, do="hang-terminate", slot="ec2"),)
    with cell(CALM.model_copy(update={"at": beats}), 10) as kept:
        terminal = Terminal(kept, monkeypatch)
        result = terminal.type("roll", "--yes", "--reason", "new image")
        told(result, 1, "stopped before ec2 was done; changed: ec1 switched over")
        assert {name: one.epoch for name, one in terminal.records().items()} == {
            "ec1": 2,
            "ec2": 1,
            "platform1": 1,
        }


def test_adopt_ends_the_freeze_after_a_restored_table(monkeypatch: pytest.MonkeyPatch) -> None:
    with cell("table-restored", 900) as kept:
        terminal = Terminal(kept, monkeypatch)
        why = terminal.json("why", "ec1")
        assert why["data"]["rule"] == 107
        holder = terminal.world.hosts
        newest = [one.instance.id for one in holder.values() if one.slot == "ec1" and one.is_up][-1]
        result = terminal.type("adopt", "ec1", newest, "--yes", "--reason", "it is the one")
        told(result, 0, f"ops@bastion adopts {newest} as epoch")


def test_a_storm_is_released_by_a_word_and_then_goes_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with cell("storm", 300) as kept:
        terminal = Terminal(kept, monkeypatch)
        told(terminal.type("status"), 1, "`picoha release-storm` if it is one known cause")
        told(
            terminal.type("release-storm", "--reason", "one rack lost power", answer="y\n"),
            0,
            "one execution slot at a time",
            "changed: the storm gate is open",
        )
        terminal.wait(90)
        events = [row["event"] for row in terminal.json("history", "--since", "10m")["data"]["rows"]]
        assert "storm-released" in events and "admitted" in events


def test_the_breaker_is_closed_by_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    from operators.drill_cells import STORIES
    from picoha.drills.story import read_story

    story = read_story(STORIES / "brake.toml")
    with cell(story, story.duration_s) as kept:
        terminal = Terminal(kept, monkeypatch)
        told(terminal.type("status"), 1, "BREAKER OPEN", "`picoha close-breaker`")
        told(
            terminal.type("close-breaker", "--yes", "--reason", "bad image mended"),
            0,
            "its counts begin anew; changed: the breaker is closed",
        )
        assert terminal.json("status")["data"]["breaker"] == ""


def test_the_report_tells_what_observe_would_have_done(monkeypatch: pytest.MonkeyPatch) -> None:
    with cell("observe-only", 900) as kept:
        terminal = Terminal(kept, monkeypatch)
        told(
            terminal.type("report", "--since", "1d"),
            0,
            "OBSERVE demo: in 24 h: 1 would-have failovers",
            "421",
            "It did not come back alone: proven-off at",
            "worst gap at",
        )


def test_enforce_is_refused_without_asking_back_while_doctor_finds_errors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with cell("observe-only", 0) as kept:
        terminal = Terminal(kept, monkeypatch)
        result = terminal.type("mode", "enforce", "--reason", "two weeks watched", answer="")
        flat = told(
            result,
            1,
            "enforce is refused while doctor finds errors: launch-hook platform1:",
            "mend: aws autoscaling put-lifecycle-hook",
            "nothing was changed",
        )
        assert "[y/N]" not in flat
        assert terminal.json("status")["data"]["mode"] == "observe"


@pytest.mark.parametrize(
    ("fields", "told_so"),
    [
        ({"name": "why", "slot": "ec1", "says": "rule 1"}, "expected code 0 and 'rule 1', was answered: "),
        ({"name": "resume", "says": "is not paused"}, "resume at 1 s: expected code 0 and 'is not paused'"),
        ({"name": "resume", "code": 1, "says": "is not paused"}, ""),
    ],
)
def test_an_answer_that_a_story_did_not_foresee_fails_it(fields: dict[str, Any], told_so: str) -> None:
    beat = Beat(s=1, do="operator", **fields)
    report = run(CALM.model_copy(update={"at": (beat,), "duration_s": 5}))
    assert report.ok is not bool(told_so)
    assert told_so in " ".join(report.problems)


def test_colour_is_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    with cell() as kept:
        Terminal(kept, monkeypatch)
        words = ["status", "--against", "drill"]
        assert "\x1b[32mENFORCE" in CliRunner().invoke(main, words, color=True).output
        assert "\x1b" not in CliRunner().invoke(main, words).output
