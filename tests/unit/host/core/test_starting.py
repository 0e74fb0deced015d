"""Starting and stopping by the vendor's scripts: vectors F8 to F17 of domain.md 8.3."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from picoha.domain.model import Pico
from picoha.host.core.ports import JobResult, ScriptVerb
from picoha.host.core.starting import Purpose, Work
from unit.host.fakes import EC1, EC2, FakeScripts, Time

DEGRADED = "Platform: Started with errors. Only Codeserver is available"
UNKNOWN = "ec1: no such server process"


def run(
    purpose: Purpose, results: dict[ScriptVerb, list[JobResult]], picos: Sequence[Pico] = (EC1,)
) -> tuple[Work, FakeScripts]:
    """Run a whole plan over instant scripts, with these results first."""
    clock = Time()
    scripts = FakeScripts(clock, {pico.name: 100 for pico in picos}, takes_s=0, results=results)
    work = Work(scripts, clock, {}, purpose, 1, picos)
    assert work.advance(may_start=True)
    return work, scripts


# What the starts answer, what must be run, what must be said, whether the pico is up.
STARTS = {
    "F8 started with errors": ([JobResult(0, DEGRADED)], ["online ec1"], "started with errors", False),
    "F9 no such pico": ([JobResult(0, UNKNOWN)], ["online ec1"], "configuration", False),
    "F10 104 once": ([JobResult(104)], ["online ec1", "clean ec1", "online ec1"], "", True),
    "F11 104 twice": (
        [JobResult(104), JobResult(104)],
        ["online ec1", "clean ec1", "online ec1"],
        "exit code 104",
        False,
    ),
    "F12 255 once": ([JobResult(255)], ["online ec1", "clean ec1", "online ec1"], "", True),
    "F12 255 twice": (
        [JobResult(255), JobResult(255)],
        ["online ec1", "clean ec1", "online ec1"],
        "exit code 255",
        False,
    ),
    "F12 104 after 255": (
        [JobResult(255), JobResult(104)],
        ["online ec1", "clean ec1", "online ec1"],
        "exit code 104",
        False,
    ),
    "F13 already running": ([JobResult(0, "already running")], ["online ec1"], "", True),
    "104 that also says degraded": ([JobResult(104, DEGRADED)], ["online ec1"], "started with errors", False),
    "any other code": ([JobResult(102)], ["online ec1"], "exit code 102", False),
    "never ended": ([JobResult(None)], ["online ec1"], "time limit", False),
}


@pytest.mark.parametrize(("results", "ran", "said", "is_up"), STARTS.values(), ids=STARTS)
def test_start(results: list[JobResult], ran: list[str], said: str, is_up: bool) -> None:
    work, scripts = run(Purpose.START, {ScriptVerb.ONLINE: list(results)})
    assert scripts.ran == ran
    assert (said in work.problem) if said else not work.problem
    assert (scripts.codes["ec1"] == 110) is is_up


def test_f10_clean_before_the_retry_may_find_nothing_to_kill() -> None:
    work, _ = run(Purpose.START, {ScriptVerb.ONLINE: [JobResult(104)], ScriptVerb.CLEAN: [JobResult(1)]})
    assert work.problem == ""


def test_failed_start_keeps_the_picos_after_it_off() -> None:
    work, scripts = run(Purpose.START, {ScriptVerb.ONLINE: [JobResult(1)]}, (EC1, EC2))
    assert scripts.ran == ["online ec1"]
    assert work.problem == "online ec1: the start ended with exit code 1"


# What shutdown and kill answer, and whether the pico is off.
STOPS = {
    "F14 already stopped": (0, 0, True),
    "F14 already stopped, nothing to kill": (0, 1, True),
    "F15 shutdown fails, kill succeeds": (4, 0, True),
    "F16 shutdown fails, kill finds nothing": (4, 2, True),
    "F17 shutdown fails, kill fails": (4, 1, False),
    "F17 shutdown fails, kill never ends": (4, None, False),
    "shutdown never ends, kill succeeds": (None, 0, True),
}


@pytest.mark.parametrize(("offline", "clean", "is_off"), STOPS.values(), ids=STOPS)
def test_stop(offline: int | None, clean: int | None, is_off: bool) -> None:
    results = {ScriptVerb.OFFLINE: [JobResult(offline)], ScriptVerb.CLEAN: [JobResult(clean)]}
    work, scripts = run(Purpose.STOP, results)
    assert scripts.ran == ["offline ec1", "clean ec1"]
    assert (work.problem == "") is is_off


def test_one_pico_that_will_not_stop_does_not_keep_the_others_up() -> None:
    results = {ScriptVerb.OFFLINE: [JobResult(4)], ScriptVerb.CLEAN: [JobResult(1)]}
    work, scripts = run(Purpose.STOP, results, (EC1, EC2))
    assert scripts.ran == ["offline ec2", "offline ec1", "clean ec2", "clean ec1"]
    assert "clean ec2" in work.problem


def test_restart_whose_stop_fails_starts_nothing() -> None:
    results = {ScriptVerb.OFFLINE: [JobResult(4)], ScriptVerb.CLEAN: [JobResult(1)]}
    work, scripts = run(Purpose.RESTART, results)
    assert scripts.ran == ["offline ec1", "clean ec1"]
    assert "could not be stopped" in work.problem


def test_missing_start_script_is_a_failure_and_a_missing_hook_is_not() -> None:
    clock = Time()
    scripts = FakeScripts(clock, {"ec1": 100})
    scripts.missing.add(ScriptVerb.ONLINE)
    work = Work(scripts, clock, {}, Purpose.START, 1, (EC1,))
    assert work.advance(may_start=True)
    assert work.problem == "online ec1: the start ended with exit code 127"


def test_stop_goes_on_where_a_start_must_wait() -> None:
    clock = Time()
    scripts = FakeScripts(clock, {"ec1": 110}, takes_s=0)
    work = Work(scripts, clock, {}, Purpose.RESTART, 1, (EC1,))
    assert not work.advance(may_start=False)
    assert scripts.ran == ["offline ec1", "clean ec1"]
    assert not work.is_running


def test_each_script_has_its_own_time_limit() -> None:
    clock = Time()
    scripts = FakeScripts(clock, {"ec1": 110}, takes_s=10_000)
    work = Work(scripts, clock, {}, Purpose.STOP, 1, (EC1,))
    assert not work.advance(may_start=True)
    clock.elapsed = 149
    assert not work.advance(may_start=True)
    clock.elapsed = 150
    assert not work.advance(may_start=True)
    assert scripts.jobs[0].is_stopped and scripts.ran == ["offline ec1", "clean ec1"]
    clock.elapsed = 210
    assert work.advance(may_start=True)
    assert "did not end in time" in work.problem
