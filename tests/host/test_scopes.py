"""A running pico and what happens to its agent, where systemd runs: the scope keeps the pico.

The unit of the agent kills its whole control group here when it stops, which the shipped one does not: what
lives on, lives because it is elsewhere. Without systemd, test_survival.py tests the process-group form.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from host.loopback import Aws, Imds
from host.rig import PACE_S, ROOT, HostRig, is_alive, record, until
from picoha.host.system.launcher import SLICE, ScopeLauncher, launcher_here


def why_not(systemctl: str = "systemctl") -> str:
    """Return why no scope can be made here, "" where it can."""
    if os.geteuid() != 0:
        return "only root can make the system's scopes"
    if shutil.which(systemctl) is None or shutil.which("systemd-run") is None:
        return "systemd is not installed"
    asked = subprocess.run((systemctl, "is-system-running"), capture_output=True, text=True, check=False)
    state = asked.stdout.strip() or asked.stderr.strip()
    return "" if state in ("running", "degraded") else f"systemd does not run here: it is {state}"


REASON = why_not()
needs_systemd = pytest.mark.skipif(bool(REASON), reason=REASON or "it runs")


class UnitRig(HostRig):
    """A host whose agent is a transient service."""

    @property
    def unit(self) -> str:
        return f"picoha-test-{os.getpid()}.service"

    def start_agent(self) -> None:
        told = [f"--setenv={name}={value}" for name, value in self.environment.items()]
        properties = ("KillMode=control-group", "TimeoutStopSec=10")
        settings = [f"--property={prop}" for prop in properties]
        agent = [sys.executable, str(ROOT / "tests" / "host" / "agent_process.py")]
        begin = ["systemd-run", "--quiet", "--collect", f"--unit={self.unit}", *settings, *told, "--"]
        subprocess.run([*begin, *agent, str(self.config), str(PACE_S), self.boot_id], check=True)

    def end_agent(self, number: signal.Signals = signal.SIGTERM) -> int:
        if number is signal.SIGKILL:
            subprocess.run(("systemctl", "kill", "--signal=KILL", self.unit), check=False)
        done = subprocess.run(("systemctl", "stop", self.unit), capture_output=True, check=False)
        until(self._has_ended)
        return done.returncode

    def _has_ended(self) -> bool:
        asked = ("systemctl", "is-active", "--quiet", self.unit)
        return subprocess.run(asked, check=False).returncode != 0

    def close(self) -> None:
        self.end_agent(signal.SIGKILL)
        self.kill_picos()


def control_group(pid: int) -> str:
    return Path(f"/proc/{pid}/cgroup").read_text()


@pytest.fixture
def on_systemd(tmp_path: Path, aws: Aws) -> Iterator[UnitRig]:
    imds = Imds()
    folder = tmp_path / "host"
    folder.mkdir()
    with imds.serving():
        rig = UnitRig(folder, aws, imds)
        try:
            aws.write(record())
            rig.start_agent()
            rig.running()
            yield rig
        finally:
            rig.close()


@needs_systemd
def test_pico_lives_in_a_scope_of_its_own_slice_and_not_in_the_agents_group(on_systemd: UnitRig) -> None:
    group = control_group(on_systemd.pid())
    assert SLICE in group and ".scope" in group
    assert on_systemd.unit not in group


@needs_systemd
def test_killed_restarted_upgraded_and_uninstalled_agent_leaves_its_pico_running(
    on_systemd: UnitRig, tmp_path: Path
) -> None:
    first = on_systemd.pid()
    newer = tmp_path / "newer"
    shutil.copytree(ROOT / "src" / "picoha", newer / "picoha", ignore=shutil.ignore_patterns("__pycache__"))
    for number, source in ((signal.SIGKILL, ROOT / "src"), (signal.SIGTERM, newer)):
        on_systemd.end_agent(number)
        assert on_systemd.pid() == first
        on_systemd.source = source
        before = on_systemd.running().at
        on_systemd.start_agent()
        on_systemd.reported(lambda row, before=before: row.at > before and row.is_healthy)  # type: ignore[misc]  # mypy infers no default
    root = tmp_path / "root"
    assert on_systemd.command("install", "--root", str(root)).returncode == 0
    on_systemd.end_agent()
    assert on_systemd.command("uninstall", "--root", str(root)).returncode == 0
    assert (on_systemd.pid(), is_alive(first), len(on_systemd.starts)) == (first, True, 1)


@needs_systemd
def test_script_that_is_stopped_dies_in_its_scope_and_its_neighbours_do_not(on_systemd: UnitRig) -> None:
    first = on_systemd.pid()
    launcher = launcher_here()
    assert isinstance(launcher, ScopeLauncher)
    unit = f"picoha-test-scope-{os.getpid()}"
    begun = subprocess.Popen(launcher.command(unit, ("sleep", "600"), {}, ""), stdout=subprocess.DEVNULL)
    until(
        lambda: subprocess.run(("systemctl", "is-active", "-q", f"{unit}.scope"), check=False).returncode == 0
    )
    subprocess.run(launcher.stop_command(unit), check=False)
    assert begun.wait(15) != 0
    assert on_systemd.pid() == first


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("running", ""),
        ("degraded", ""),
        ("offline", "systemd does not run here: it is offline"),
        ("starting", "systemd does not run here: it is starting"),
    ],
)
@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("systemd-run") is None, reason="another reason comes first"
)
def test_reason_to_skip_is_what_systemd_says(said: str, reason: str, tmp_path: Path) -> None:
    command = tmp_path / "systemctl"
    command.write_text(f"#!/bin/sh\necho {said}\n")
    command.chmod(0o755)
    assert why_not(str(command)) == reason
