"""Vectors F8 to F17 of domain.md 8.3 on real processes: the stand-ins answer as `mzsh` does."""

from __future__ import annotations

import os
import pwd
import time
from functools import partial
from pathlib import Path

import pytest

from host.rig import EC1, HostRig, until
from picoha.clock import SystemClock
from picoha.host.core.starting import LIMITS_S, Purpose, Work
from picoha.host.system.scripts import Site, SystemScripts


def worked(host: HostRig, purpose: Purpose) -> Work:
    """Run a plan to its end and return it."""
    (host.folder / "log").mkdir(exist_ok=True)
    user = pwd.getpwuid(os.geteuid()).pw_name
    site = Site(
        host.mz_home / "ha", "/usr", str(host.mz_home), user, host.folder / "log", hooks_dir=host.folder
    )
    clock = SystemClock()
    work = Work(SystemScripts(site, clock), clock, {}, purpose, 1, (EC1,))
    until(lambda: work.advance(may_start=True))
    return work


def test_f8_start_with_errors_is_a_failure_although_the_code_is_0(host: HostRig) -> None:
    host.answers("online", "0 Started with errors. Only Codeserver is running")
    assert "it started with errors" in worked(host, Purpose.START).problem


def test_f9_unknown_pico_is_a_configuration_failure_and_not_tried_again(host: HostRig) -> None:
    host.answers("online", "once 0 no such server process: ec1")
    assert "the product has no such pico" in worked(host, Purpose.START).problem
    assert host.starts == []


def test_f10_104_once_is_a_success_after_one_kill_and_one_retry(host: HostRig) -> None:
    host.answers("online", "once 104 critical errors")
    assert worked(host, Purpose.START).problem == ""
    assert (host.stops, len(host.starts)) == (["clean"], 1)


def test_f11_104_twice_is_a_failure(host: HostRig) -> None:
    host.answers("online", "104 critical errors")
    assert "exit code 104" in worked(host, Purpose.START).problem
    assert host.stops == ["clean"]


def test_f12_old_pico_still_there_is_killed_and_then_started(host: HostRig) -> None:
    host.answers("online", "once 255 old process still running")
    assert worked(host, Purpose.START).problem == ""
    assert (host.stops, len(host.starts)) == (["clean"], 1)


def test_f13_pico_that_runs_already_is_a_success_without_side_effect(host: HostRig) -> None:
    worked(host, Purpose.START)
    first = host.pid()
    assert worked(host, Purpose.START).problem == ""
    assert (host.pid(), len(host.starts)) == (first, 1)
    host.kill_picos()


def test_f14_stop_of_a_stopped_pico_is_a_success(host: HostRig) -> None:
    assert worked(host, Purpose.STOP).problem == ""


@pytest.mark.parametrize("code", [0, 2], ids=["f15-killed", "f16-nothing-to-kill"])
def test_failed_shutdown_is_a_success_once_the_kill_is(host: HostRig, code: int) -> None:
    host.answers("offline", "4 shutdown failed")
    host.answers("clean", f"{code} done")
    assert worked(host, Purpose.STOP).problem == ""


def test_f17_stop_that_can_do_neither_is_a_failure(host: HostRig) -> None:
    host.answers("offline", "4 shutdown failed")
    host.answers("clean", "1 no pid file")
    assert "could not be stopped (ended with exit code 1)" in worked(host, Purpose.STOP).problem


def test_f17_stop_that_hangs_is_killed_at_its_limit(host: HostRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("picoha.host.core.starting.LIMITS_S", dict.fromkeys(LIMITS_S, 0.3))
    host.answers("offline", "hang")
    host.answers("clean", "hang")
    assert "did not end in time" in worked(host, Purpose.STOP).problem


def test_start_knows_the_real_platform_and_a_stop_asks_localhost(host: HostRig) -> None:
    (host.folder / "log").mkdir()
    user = pwd.getpwuid(os.geteuid()).pw_name
    site = Site(
        host.mz_home / "ha",
        "/usr",
        str(host.mz_home),
        user,
        host.folder / "log",
        hooks_dir=host.folder,
        mz_platform="https://mz-platform:9443",
    )
    for purpose in (Purpose.START, Purpose.STOP):
        work = Work(SystemScripts(site, SystemClock()), SystemClock(), {}, purpose, 1, (EC1,))
        until(partial(work.advance, may_start=True))
    assert host.starts[0][3] == "https://mz-platform:9443"
    assert host.stops[0] == "offline https://localhost:9443"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run scripts as another user")
def test_scripts_run_as_the_owner_with_the_owners_home(tmp_path: Path) -> None:
    from picoha.host.system.processes import owner_of

    folder = Path("/var/tmp") / f"picoha-owner-{os.getpid()}-{time.monotonic_ns()}"
    folder.mkdir(mode=0o755)
    try:
        script = folder / "online"
        script.write_text('#!/bin/sh\nid -un; id -Gn; echo "$HOME $USER"\n')
        script.chmod(0o755)
        owner = owner_of("nobody")
        site = Site(folder, "/usr", "/opt/mz", "nobody", tmp_path, hooks_dir=folder, owner=owner)
        work = Work(SystemScripts(site, SystemClock()), SystemClock(), {}, Purpose.START, 1, (EC1,))
        until(lambda: work.advance(may_start=True))
        said = (tmp_path / "online-ec1.log").read_text().splitlines()
        assert (said[0], said[2].split()[-1]) == ("nobody", "nobody")
        assert "root" not in " ".join(said)
    finally:
        script.unlink()
        folder.rmdir()
