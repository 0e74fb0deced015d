"""Findings as text: worst first, a command per fault, a verdict that agrees with the exit code."""

from __future__ import annotations

import pytest

from picoha.cli.doctor_text import doctor_text
from picoha.domain.doctor.findings import Finding, Level, errors, exit_code

WELL = Finding("table", Level.OK, "", "the table is protected")
SLACK = Finding("warm-pool", Level.WARN, "ec1", "the warm pool is empty", "aws autoscaling describe")
WRONG = Finding(
    "launch-hook", Level.ERROR, "platform1", "no launch hook", "aws autoscaling put-lifecycle-hook"
)
BLIND = Finding("alarms", Level.WARN, "", "could not look: denied", "look again", is_unseen=True)


@pytest.mark.parametrize(
    ("found", "code", "verdict"),
    [
        ((), 0, "0 errors, 0 warnings: nothing stands in the way"),
        ((WELL, SLACK), 0, "0 errors, 1 warnings: nothing stands in the way"),
        ((WELL, BLIND), 3, "0 errors, 1 warnings: something could not be looked at"),
        ((WELL, WRONG), 1, "1 errors, 0 warnings: enforce is refused"),
        ((BLIND, WRONG), 1, "1 errors, 1 warnings: enforce is refused"),
    ],
)
def test_the_verdict_agrees_with_the_exit_code(found: tuple[Finding, ...], code: int, verdict: str) -> None:
    assert exit_code(found) == code
    assert doctor_text(found).splitlines()[-1].startswith(verdict)
    assert errors(found) == tuple(one for one in found if one is WRONG)


def test_the_worst_comes_first_and_what_is_well_takes_one_line() -> None:
    assert doctor_text((WELL, SLACK, WRONG), 80).splitlines() == [
        "error  launch-hook: platform1: no launch hook",
        "         -> aws autoscaling put-lifecycle-hook",
        "warn   warm-pool: ec1: the warm pool is empty",
        "         -> aws autoscaling describe",
        "ok     1 checks: table",
        "",
        "1 errors, 1 warnings: enforce is refused while there are errors",
    ]


def test_long_tells_what_is_well_too() -> None:
    assert "ok     table: the table is protected" in doctor_text((WELL,), 80, is_long=True).splitlines()


def test_a_check_with_one_fault_is_not_among_those_that_are_well() -> None:
    both = (Finding("disks", Level.OK, "ec1", "root only"), Finding("disks", Level.WARN, "ec2", "a disk"))
    assert "checks" not in doctor_text(both)


def test_sentences_are_folded_and_commands_are_not() -> None:
    long = Finding("alarms", Level.WARN, "ec1", "word " * 40, "aws " + "x" * 120)
    lines = doctor_text((long,), 80).splitlines()
    assert max(len(line) for line in lines if "->" not in line) <= 80
    assert f"         -> {long.mend}" in lines
