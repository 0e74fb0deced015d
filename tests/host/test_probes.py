"""The running agent against every answer that a `monitor` script can give, and F18 to F20."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from host.loopback import Aws
from host.rig import HostRig, is_alive, record, until
from picoha.domain.health import Health
from picoha.domain.model import AgentPhase, Report


@pytest.fixture
def started(host: HostRig, aws: Aws) -> HostRig:
    aws.write(record())
    host.start_agent()
    host.running()
    return host


def says(code: int | None, health: Health) -> Callable[[Report], bool]:
    return lambda row: (row.picos["ec1"].code, row.picos["ec1"].health) == (code, health)


def test_each_answer_of_the_script_is_judged_and_only_good_and_failed_are_published(
    started: HostRig, aws: Aws
) -> None:
    unknown = (("99", 99), ("0", 0), ("flood 7", 7), ("255", 255))
    good_or_failed = (
        ("100", 100, Health.FAILED),
        ("105", 105, Health.ONLINE),
        ("flood 110", 110, Health.HEALTHY),
        ("101 OK and much debug output: FAILED", 101, Health.ONLINE),
        ("hang", None, Health.FAILED),
        ("110", 110, Health.HEALTHY),
    )
    for answer, code, health in good_or_failed:
        started.answers("monitor", answer)
        started.reported(says(code, health))
    for answer, seen in unknown:
        started.answers("monitor", answer)
        started.reported(says(seen, Health.UNKNOWN))
    count = len(aws.published())
    report = started.reported(lambda row: row.unknown_since is not None)
    started.reported(lambda row: row.at > report.at)
    assert len(aws.published()) == count, "unknown is no datapoint"
    assert report.phase is AgentPhase.RUNNING
    assert len(started.starts) == 1, "no answer of a probe starts anything"


def test_script_that_forks_and_hangs_is_failed_and_its_child_is_killed(started: HostRig) -> None:
    started.answers("monitor", "fork-and-hang")
    started.reported(says(None, Health.FAILED))
    child = started.mz_home / "run" / "monitor-child.pid"
    started.answers("monitor", "")
    started.reported(says(110, Health.HEALTHY))
    assert until(lambda: not is_alive(int(child.read_text())))


@pytest.mark.parametrize(
    ("spoil", "code"), [(Path.unlink, 127), (lambda path: path.chmod(0o644), 126)], ids=["missing", "no-x"]
)
def test_script_that_cannot_be_run_is_unknown(
    started: HostRig, spoil: Callable[[Path], None], code: int
) -> None:
    spoil(started.mz_home / "ha" / "monitor")
    report = started.reported(says(code, Health.UNKNOWN))
    assert (report.phase, report.failed_samples) == (AgentPhase.RUNNING, 0)


def test_f18_one_failed_answer_and_then_a_good_one_is_running(started: HostRig) -> None:
    first = started.pid()
    started.answers("monitor", "once 100 FAILED")
    until(lambda: not (started.mz_home / "answers" / "monitor-ec1").exists())
    assert started.reported(lambda row: row.is_healthy and row.failed_samples == 0).order_seen is None
    assert started.pid() == first


def test_f19_silence_is_failed_at_once_and_asked_only_once_a_cycle(started: HostRig) -> None:
    started.answers("monitor", "hang")
    report = started.reported(lambda row: row.failed_samples == 1)
    assert report.picos["ec1"].reason == "no answer within the time limit"


def test_f20_degraded_pico_is_not_healthy(started: HostRig) -> None:
    started.answers("monitor", "1 degraded")
    report = started.reported(says(1, Health.UNKNOWN))
    assert (report.is_healthy, report.healthy_since) == (False, None)


def test_posix_profile_takes_0_and_1(host: HostRig, aws: Aws) -> None:
    host.configure(profile="posix")
    aws.write(record())
    host.answers("monitor", "0")
    host.start_agent()
    host.reported(says(0, Health.HEALTHY))
    host.answers("monitor", "1")
    host.reported(says(1, Health.FAILED))
