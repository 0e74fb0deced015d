"""A file system that hangs in the kernel holds nothing of the agent: no cycle, report or end (F42, T11)."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from host.loopback import Aws, Imds
from host.rig import PACE_S, HostRig, record, until
from picoha.domain.health import Health
from picoha.domain.model import Report

HERE = Path(__file__).parent


class Frozen:
    """A frozen file system at `directory`, seen only from the mount namespace of its process."""

    def __init__(self, directory: Path) -> None:
        alone = ("unshare", "--mount", "--propagation", "private")
        argv = (*alone, sys.executable, str(HERE / "frozen.py"), str(directory))
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline().strip()

    def inside(self, argv: list[str]) -> list[str]:
        """Return a command that runs where the file system is mounted."""
        return ["nsenter", f"--mount=/proc/{self.process.pid}/ns/mnt", "--", *argv]

    def end(self) -> None:
        """End it: whoever waits for an answer gets an error now."""
        if self.process.returncode is None:
            self.process.kill()
            self.process.communicate()


def why_not(folder: Path) -> str:
    """Return why no file system can be frozen here, "" where it can."""
    if os.geteuid() != 0:
        return "only root can mount"
    if not Path("/dev/fuse").exists():
        return "this kernel has no FUSE"
    if not (shutil.which("unshare") and shutil.which("nsenter")):
        return "unshare and nsenter (util-linux) are not installed"
    tried = Frozen(folder)
    tried.end()
    return "" if tried.said == "ready" else f"no file system can be mounted here: {tried.said}"


class FrozenHost(HostRig):
    """A host whose product lies on a file system that hangs."""

    frozen: Frozen

    def start_agent(self) -> None:
        argv = [sys.executable, str(HERE / "agent_process.py"), str(self.config), str(PACE_S), self.boot_id]
        self._spawn(self.frozen.inside(argv))


@pytest.fixture
def frozen_host(tmp_path: Path, aws: Aws) -> Iterator[FrozenHost]:
    scripts, folder = tmp_path / "frozen", tmp_path / "host"
    for path in (scripts, folder):
        path.mkdir()
    if reason := why_not(scripts):
        pytest.skip(reason)
    imds = Imds()
    with imds.serving():
        host = FrozenHost(folder, aws, imds, scripts_dir=str(scripts))
        host.frozen = Frozen(scripts)
        try:
            yield host
        finally:
            host.frozen.end()
            host.close()


def asking(path: Path) -> list[str]:
    """Return the state of every process that was started with this path and has not ended."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if str(path).encode() in words and state != "Z":
            found.append(state)
    return found


def is_failed(row: Report) -> bool:
    return row.picos["ec1"].health is Health.FAILED


def test_f42_agent_reports_on_while_its_scripts_hang_in_the_kernel_and_asks_them_once(
    frozen_host: FrozenHost, aws: Aws
) -> None:
    scripts = Path(frozen_host.settings["scripts_dir"])
    assignment = record().assignment
    assert assignment is not None
    mounted = f"mount:{scripts}"
    aws.write(record(holder="i-2", assignment=replace(assignment, tests=(mounted,))))
    frozen_host.start_agent()
    first = frozen_host.reported(is_failed)
    assert first.picos["ec1"].reason == "no answer within the time limit"
    assert first.tests == {mounted: False}
    begun = first.at
    for _ in range(5):
        begun = frozen_host.reported(lambda row, begun=begun: row.at > begun).at  # type: ignore[misc]  # mypy infers no default
    assert asking(scripts / "monitor") == ["D"], "one process in the kernel, not one more for each cycle"
    assert asking(scripts).count("D") == 1, "nor one more for each look at the mount"


def test_agent_whose_scripts_hang_in_the_kernel_ends_when_it_is_told_to(
    frozen_host: FrozenHost, aws: Aws
) -> None:
    aws.write(record(holder="i-2"))
    frozen_host.start_agent()
    frozen_host.reported(is_failed)
    assert frozen_host.end_agent(signal.SIGTERM) == 0


def test_agent_goes_on_with_the_probe_once_the_file_system_answers_again(
    frozen_host: FrozenHost, aws: Aws
) -> None:
    aws.write(record(holder="i-2"))
    frozen_host.start_agent()
    frozen_host.reported(is_failed)
    frozen_host.frozen.end()
    gone = frozen_host.reported(lambda row: row.picos["ec1"].code in (126, 127))
    assert gone.picos["ec1"].health is Health.UNKNOWN
    until(lambda: "D" not in asking(Path(frozen_host.settings["scripts_dir"]) / "monitor"))
