"""The agent under a real systemd, with its real unit: installed, killed, restarted, uninstalled, shut down.

A systemd of its own is booted in namespaces (process, mount, control group). It knows no unit but those of
this file, and it sees the computer read-only, with empty or private directories where something is written:
nothing outside changes. It needs root, `unshare` and systemd; without them the tests are skipped, and
tests/host/test_survival.py shows the same on process groups.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from host.loopback import Aws, Imds
from host.rig import PACE_S, ROOT, HostRig, record, until
from picoha.domain.model import AgentPhase

SYSTEMD = Path("/lib/systemd/systemd")
NAMESPACES = ("unshare", "--cgroup", "--mount", "--pid", "--ipc", "--uts", "--fork", "--mount-proc")
PRIVATE = ("/run", "/tmp", "/var/tmp", "/var/lib", "/var/log")
BOOT = """
set -e
mount --bind "$0" "$0"
for one in {private}; do mount -t tmpfs tmpfs $one; done
mkdir -p /run/etc/upper /run/etc/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work /etc
mount -t tmpfs tmpfs /etc/systemd/system
umount -R /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mount -o remount,bind,ro /
export container=docker SYSTEMD_UNIT_PATH=/etc/systemd/system:"$0"/units
exec {systemd} --system --unit=basic.target --show-status=no --log-target=null
"""
TARGETS = ("basic", "sysinit", "shutdown", "multi-user", "network-online", "nss-lookup", "remote-fs")
TARGET = "[Unit]\nDescription=empty\nDefaultDependencies=no\n"


def _why_not() -> str:
    if os.geteuid() != 0:
        return "only root can boot a systemd in namespaces of its own"
    if not SYSTEMD.exists() or shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return "systemd, unshare or nsenter is not installed"
    if any(ROOT.is_relative_to(one) for one in PRIVATE):
        return f"the repository is below one of {', '.join(PRIVATE)}, which the machine cannot see"
    return ""


pytestmark = pytest.mark.skipif(bool(_why_not()), reason=_why_not() or "it runs")


class Machine:
    """A booted systemd; `run` runs a command in its namespaces."""

    def __init__(self, leader: int) -> None:
        self._enter = (
            "nsenter",
            "--target",
            str(leader),
            "--mount",
            "--pid",
            "--cgroup",
            "--uts",
            "--ipc",
            "--",
        )

    def run(self, *words: str) -> str:
        done = subprocess.run(
            (*self._enter, *words), capture_output=True, text=True, timeout=30, check=False, cwd="/"
        )
        return done.stdout.strip() or done.stderr.strip()

    def status(self, pid: str, field: str) -> str:
        lines = self.run("cat", f"/proc/{pid}/status").splitlines()
        return next(line.split()[1] for line in lines if line.startswith(f"{field}:"))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory that the machine sees too: the unit has a /tmp of its own."""
    made = Path(tempfile.mkdtemp(prefix="picoha-test-", dir="/var/cache"))
    made.chmod(0o755)
    (made / "units").mkdir()
    for name in TARGETS:
        (made / "units" / f"{name}.target").write_text(TARGET)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def machine(folder: Path) -> Iterator[Machine]:
    boot = ("sh", "-c", BOOT.format(systemd=SYSTEMD, private=" ".join(PRIVATE)), str(folder))
    outer = subprocess.Popen((*NAMESPACES, "--kill-child", *boot), stderr=subprocess.DEVNULL)
    children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
    try:
        for _ in range(200):
            leader = children.read_text().split() if children.exists() else []
            if leader and _is_up(one := Machine(int(leader[0]), folder)):
                break
            if outer.poll() is not None:
                pytest.skip("systemd does not boot in namespaces here")
            time.sleep(0.05)
        else:
            pytest.skip("systemd did not come up in namespaces here within 10 s")
        yield one
    finally:
        outer.kill()
        outer.wait()


def _is_up(machine: Machine) -> bool:
    return machine.run("systemctl", "is-system-running") in ("running", "degraded")


@pytest.fixture
def installed(machine: Machine, folder: Path, aws: Aws) -> Iterator[HostRig]:
    """A host whose agent systemd runs from the shipped unit; only its pace is the test's."""
    imds = Imds()
    with imds.serving():
        rig = HostRig(folder, aws, imds, owner="nobody", hosts_file="/etc/hosts")
        for path in (rig.mz_home, *rig.mz_home.rglob("*")):
            shutil.chown(path, "nobody")
        agent = f"{sys.executable} {Path(__file__).parent / 'agent_process.py'} {rig.config} {PACE_S} boot-1"
        told = "\n".join(f'Environment="{key}={value}"' for key, value in rig.environment.items())
        output = f"StandardOutput=append:{folder}/agent.log\nStandardError=append:{folder}/agent.log"
        drop_in = folder / "pace.conf"
        drop_in.write_text(f"[Service]\nExecStart=\nExecStart={agent}\nRestartSec=100ms\n{output}\n{told}\n")
        place = "/etc/systemd/system/picoha-agent.service.d"
        machine.run("sh", "-c", f"mkdir -p {place} && cp {drop_in} {place}/")
        yield rig


def program(machine: Machine, rig: HostRig, *words: str) -> str:
    """Run the shipped program on the machine."""
    told = [f"{key}={value}" for key, value in rig.environment.items()]
    return machine.run("env", *told, sys.executable, "-m", "picoha.host", *words)


def pico(machine: Machine, rig: HostRig) -> str:
    """Return the process id of the pico inside the machine, "" where it does not run."""
    with suppress(FileNotFoundError):
        pid = (rig.mz_home / "run" / "ec1.pid").read_text().strip()
        return pid if machine.run("kill", "-0", pid) == "" else ""
    return ""


def test_pico_lives_in_a_scope_of_its_own_whatever_happens_to_its_agent(
    machine: Machine, installed: HostRig, aws: Aws
) -> None:
    aws.write(record())
    assert "written" in program(machine, installed, "install", "--enable")
    installed.running()
    first = pico(machine, installed)
    assert first
    group = machine.run("cat", f"/proc/{first}/cgroup")
    assert "/picoha-picos.slice/" in group and group.endswith(".scope")
    agent = machine.run("systemctl", "show", "--value", "--property=MainPID", "picoha-agent")
    assert machine.status(agent, "NoNewPrivs") == "1", "the unit hardens the agent"
    assert machine.status(first, "NoNewPrivs") == "0", "and not what the agent starts"
    assert machine.run("ps", "-o", "user=", "-p", first) == "nobody"

    machine.run("systemctl", "kill", "--signal=KILL", "picoha-agent")
    machine.run("systemctl", "restart", "picoha-agent")
    before = installed.running().at
    installed.reported(lambda row: row.at > before and row.phase is AgentPhase.RUNNING)
    assert pico(machine, installed) == first

    assert "removed" in program(machine, installed, "uninstall")
    assert machine.run("systemctl", "is-active", "picoha-agent") == "inactive"
    assert pico(machine, installed) == first
    assert len(installed.starts) == 1


def test_lost_slot_is_stopped_out_of_its_scope(machine: Machine, installed: HostRig, aws: Aws) -> None:
    aws.write(record())
    program(machine, installed, "install", "--enable")
    installed.running()
    aws.write(record(holder="i-2", epoch=2))
    installed.reported(lambda row: row.phase is AgentPhase.OFFLINE)
    assert pico(machine, installed) == ""
    until(lambda: "picoha-online" not in machine.run("systemctl", "list-units", "--type=scope"))


def test_shutdown_of_the_machine_is_reported_as_leaving(
    machine: Machine, installed: HostRig, aws: Aws
) -> None:
    aws.write(record())
    program(machine, installed, "install", "--enable")
    assert installed.running().leaving_at is None
    machine.run("systemctl", "--no-block", "start", "shutdown.target")
    installed.reported(lambda row: row.leaving_at is not None)
