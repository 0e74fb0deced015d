"""The command `picoha` in a drill: what it prints, at which width, and with which exit code it ends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from picoha.cli.main import main
from picoha.domain.rules.table import LAUNCH_RULES, SLOT_RULES

ROOT = Path(__file__).parents[3]
EVENTS, STORIES = ROOT / "events", ROOT / "stories"
REPORT = {
    "ok",
    "title",
    "timeline",
    "names",
    "api_calls",
    "violations",
    "operation",
    "problems",
    "pages",
    "seed",
}
QUICK = 'title = "A cell begins"\nduration_s = 20\n[cell]\nstart = "empty"\n'
"""A story without the minutes in which a running cell settles."""


def picoha(*words: object, env: Mapping[str, str | None] | None = None) -> Result:
    """Run the command as a terminal of 80 columns would."""
    return CliRunner().invoke(main, [str(word) for word in words], env={"COLUMNS": "80", **(env or {})})


def story(place: Path, text: str, name: str = "mine.toml") -> Path:
    """Write a story outside the repository."""
    path = place / name
    path.write_text(text)
    return path


def refused(result: Result, *told: str) -> None:
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("picoha: ")
    assert result.stderr.endswith("; nothing was changed\n")
    assert [one for one in told if one not in result.stderr] == []


# drill.


@pytest.fixture(scope="module")
def lost() -> Result:
    """The loss of an execution host, as text."""
    return picoha("drill", STORIES / "ec-host-lost.toml")


def test_a_drill_that_ends_as_its_story_says_is_0_and_shows_how(lost: Result) -> None:
    assert lost.exit_code == 0, lost.output
    lines = lost.stdout.splitlines()
    assert lines[0].endswith("(virtual time; seed 0)")
    assert lines[2].split() == ["second", "slot", "rule", "phase", "what"]
    assert lines[-1] == "ok: it ended as the story says; the referee saw no violation"
    shown = lost.stdout
    for word in (
        "alarm",
        "confirmed",
        "admitted",
        "proven-off",
        "fenced",
        "granted",
        "names-verified",
        "done",
    ):
        assert f" {word} " in shown
    assert "pico.rcp.server.host" in shown and "10.0.3.31" in shown
    assert "TerminateInstances 1" in " ".join(shown.split())


def test_a_report_fits_80_columns(lost: Result) -> None:
    assert [line for line in lost.stdout.splitlines() if len(line) > 80] == []


def test_json_has_every_part_of_the_report() -> None:
    result = picoha("drill", STORIES / "first-boot.toml", "--json", "--seed", 3)
    assert result.exit_code == 0, result.output
    plain: dict[str, Any] = json.loads(result.stdout)
    assert set(plain) == REPORT
    assert (plain["ok"], plain["violations"], plain["problems"], plain["seed"]) == (True, [], [], 3)
    assert {"at_s", "slot", "rule", "phase", "sentence", "fact"} == set(plain["timeline"][0])
    assert [one["at_s"] for one in plain["timeline"]] == sorted(one["at_s"] for one in plain["timeline"])
    assert len(plain["names"]) == 3
    for properties in plain["names"].values():
        assert set(properties) == {"pico.rcp.platform.host", "pico.rcp.server.host"}
    assert plain["api_calls"]["AssociateAddress"] == 1
    assert {"id", "verb", "from", "to", "epoch", "took_s", "durations"} == set(plain["operation"])


def test_a_story_outside_the_repository_is_played(tmp_path: Path) -> None:
    result = picoha("drill", story(tmp_path, QUICK))
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("A cell begins  (virtual time; seed 0)\n")


def test_a_drill_that_ends_otherwise_is_1_and_says_what_was_expected(tmp_path: Path) -> None:
    unmet = '[expect]\npages = 3\nevents = ["ec1: granted"]\n[expect.slots.platform1]\nepoch = 7\n'
    path = story(tmp_path, QUICK + unmet)
    text, plain = picoha("drill", path), picoha("drill", path, "--json")
    assert (text.exit_code, plain.exit_code) == (1, 1)
    assert text.stdout.endswith("NOT ok\n")
    told = json.loads(plain.stdout)
    assert told["ok"] is False
    assert [problem.split(",")[0] for problem in told["problems"][1:]] == [
        "expected 3 pages",
        "platform1: expected epoch 7",
    ]
    assert told["problems"][0].startswith("expected event 'ec1: granted' next, seen instead: ")
    flat = " ".join(text.stdout.split())
    assert all(f"NOT AS THE STORY SAYS {' '.join(problem.split())}" in flat for problem in told["problems"])


BAD = [
    ("title = \n", "is no TOML", "line 1"),
    ("why = 'no title'\n", "title: Field required"),
    ("title = 'x'\ntitel = 'x'\n", "titel: Extra inputs are not permitted"),
    ("title = 'x'\n[cell]\nmode = 'on'\n", "cell.mode: Input should be 'observe' or 'enforce'"),
    ("title = 'x'\n[[at]]\ns = -1\ndo = 'die'\n", "at.0.s: Input should be greater than or equal to 0"),
    (
        "title = 'x'\n[[at]]\ns = 1\ndo = 'die'\nslot = 'ec9'\n",
        "story: Value error, no slot named ec9; the cell has ec1, ec2, platform1",
    ),
]


@pytest.mark.parametrize(("text", "told"), [(one[0], one[1:]) for one in BAD])
def test_a_bad_story_is_2_and_told_with_its_file_and_place(
    tmp_path: Path, text: str, told: tuple[str, ...]
) -> None:
    path = story(tmp_path, text)
    refused(picoha("drill", path), f"story {path}", *told)


PLAYED_BADLY = [
    ("[[at]]\ns = 1\ndo = 'fly'\n", "the story does 'fly'; the drill knows "),
    ("[timings]\nboot = 1\n", "timings: no boot; the drill knows "),
    ("[dependencies]\n'alarm:x' = 'up'\n", "the drill plays no dependency alarm:x"),
    ("[settings]\ndrive_s = 900\n", "PICOHA_DRIVE_S = '900'"),
]


@pytest.mark.parametrize(("text", "told"), PLAYED_BADLY)
def test_a_story_that_fakeaws_cannot_play_is_2(tmp_path: Path, text: str, told: str) -> None:
    refused(picoha("drill", story(tmp_path, QUICK + text)), told)


@pytest.mark.parametrize("command", ["drill", "invoke"])
def test_a_file_that_cannot_be_read_is_2(tmp_path: Path, command: str) -> None:
    refused(picoha(command, tmp_path / "nowhere"), str(tmp_path / "nowhere"), "No such file")
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    refused(picoha(command, binary), str(binary))


# invoke.


def test_an_event_of_a_well_cell_is_0_and_its_reply_is_shown() -> None:
    result = picoha("invoke", EVENTS / "tick-scheduler.json", "--json")
    assert result.exit_code == 0, result.output
    plain: dict[str, Any] = json.loads(result.stdout)
    assert set(plain) == REPORT | {"reply"}
    assert (plain["reply"]["outcome"], plain["timeline"][0]["sentence"]) == (
        "driven",
        "the event is delivered",
    )
    assert "TerminateInstances" not in plain["api_calls"]


def test_an_event_that_is_no_doorbell_is_1_and_nothing_is_even_looked_at(tmp_path: Path) -> None:
    path = story(tmp_path, '{"source": "aws.s3", "detail-type": "Object Created"}', "event.json")
    result = picoha("invoke", path, "--json")
    assert result.exit_code == 1, result.output
    assert json.loads(result.stdout)["reply"]["outcome"] == "ignored"


@pytest.mark.parametrize("text", ["", "{", "[1, 2", "\x00", "[" * 100_000, "NaN}"])
def test_an_event_that_is_no_json_is_2(tmp_path: Path, text: str) -> None:
    path = story(tmp_path, text, "event.json")
    refused(picoha("invoke", path), f"reading event {path}")


def test_a_dry_run_says_what_would_be_decided_in_the_scene_of_the_event() -> None:
    text = picoha("invoke", EVENTS / "alarm-ec.json", "--dry-run")
    assert text.exit_code == 0, text.output
    assert text.stdout.endswith("dry run: nothing was changed\n")
    assert "ec1  rule " in text.stdout


def test_a_dry_run_as_json_has_rule_answer_sentence_and_actions() -> None:
    result = picoha("invoke", EVENTS / "ec2-state-change.json", "--dry-run", "--json")
    assert result.exit_code == 0, result.output
    decisions = json.loads(result.stdout)["decisions"]
    assert {decision["slot"] for decision in decisions} == {"platform1", "ec1", "ec2"}
    assert all({"slot", "rule", "answer", "sentence", "actions"} == set(decision) for decision in decisions)


def test_a_dry_run_of_no_doorbell_is_2(tmp_path: Path) -> None:
    path = story(tmp_path, '{"a": 1}', "event.json")
    refused(picoha("invoke", path, "--dry-run"), "a doorbell has Records, alarmData or detail-type")


# verify and export-case.


@pytest.mark.parametrize("words", [(), ("--cell", "demo", "--story", "x.toml")])
@pytest.mark.parametrize("command", [("verify",), ("export-case", "ec1-1-1")])
def test_a_command_over_records_takes_exactly_one_place_to_read_them(
    command: tuple[str, ...], words: tuple[str, ...]
) -> None:
    refused(picoha(*command, *words), "takes either --story FILE or --cell NAME")


def test_the_records_of_a_story_are_verified(tmp_path: Path) -> None:
    result = picoha("verify", "--story", story(tmp_path, QUICK), "--json")
    assert result.exit_code == 0, result.output
    plain = json.loads(result.stdout)
    assert (plain["ok"], plain["broken"]) == (True, [])
    assert any(one.startswith("S3") for one in plain["not_checked"])


@pytest.mark.parametrize("command", [("verify",), ("export-case", "ec1-1-1")])
def test_a_table_that_cannot_be_read_is_3_not_fine(command: tuple[str, ...], tmp_path: Path) -> None:
    """Without a Region no request is even made: nothing here may reach AWS."""
    files = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
    nowhere: dict[str, str | None] = dict.fromkeys(files, str(tmp_path / "none"))
    nowhere |= dict.fromkeys(("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"))
    result = picoha(*command, "--cell", "demo", env=nowhere)
    assert result.exit_code == 3, result.output
    assert result.stdout == ""
    assert "NoRegionError" in result.stderr


def test_an_operation_that_was_never_recorded_is_2(tmp_path: Path) -> None:
    refused(picoha("export-case", "ec9-1-1", "--story", story(tmp_path, QUICK)), "'ec9-1-1'")


# The rest.


def test_rules_prints_every_rule() -> None:
    result = picoha("rules")
    assert result.exit_code == 0
    rows = [(rule.number, rule.name) for rule in SLOT_RULES] + [
        (rule.number, rule.name) for rule in LAUNCH_RULES
    ]
    assert [row for row in rows if f"| {row[0]} | {row[1]} |" not in result.stdout] == []


@pytest.mark.parametrize("words", [("drill",), ("invoke",), ("fly",), ("drill", "--fast", "x.toml")])
def test_a_wrong_command_line_is_2(words: tuple[str, ...]) -> None:
    result = picoha(*words)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr


@pytest.mark.parametrize("command", ["", "drill", "invoke", "rules", "verify", "export-case"])
def test_help_fits_80_columns(command: str) -> None:
    result = picoha(*([command] if command else []), "--help")
    assert result.exit_code == 0
    assert [line for line in result.stdout.splitlines() if len(line) > 80] == []
