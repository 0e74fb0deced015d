"""A running pico and what happens to its agent: killed, restarted, upgraded, uninstalled; break-glass."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from contextlib import closing
from pathlib import Path

import pytest

from host.loopback import Aws
from host.rig import ROOT, HostRig, is_alive, record, until
from picoha.adapters.aws import items
from picoha.domain.model import AgentPhase
from picoha.domain.record import Phase


@pytest.fixture
def started(host: HostRig, aws: Aws) -> HostRig:
    aws.write(record())
    host.start_agent()
    host.running()
    return host


def test_killed_and_restarted_agent_leaves_its_pico_running_and_starts_none(started: HostRig) -> None:
    first = started.pid()
    assert started.end_agent(signal.SIGKILL) == -signal.SIGKILL
    assert started.pid() == first
    started.start_agent()
    before = started.running().at
    started.reported(lambda row: row.at > before and row.is_healthy)
    assert started.end_agent(signal.SIGTERM) == 0
    assert (started.pid(), len(started.starts)) == (first, 1)


def test_agent_killed_in_the_middle_of_a_start_starts_no_second_pico(host: HostRig, aws: Aws) -> None:
    hook = host.folder / "hooks" / "post-start.d" / "10-slow"
    hook.parent.mkdir(parents=True)
    hook.write_text(f"#!/bin/sh\ntouch {host.folder}/slow; sleep 2\n")
    hook.chmod(0o755)
    aws.write(record())
    host.start_agent()
    until((host.folder / "slow").exists)
    host.end_agent(signal.SIGKILL)
    hook.unlink()
    first = host.pid()
    assert first
    host.start_agent()
    host.running()
    assert (host.pid(), len(host.starts)) == (first, 1)


def test_upgraded_agent_finds_the_state_of_the_older_one(started: HostRig, tmp_path: Path) -> None:
    first = started.pid()
    newer = tmp_path / "newer"
    shutil.copytree(ROOT / "src" / "picoha", newer / "picoha", ignore=shutil.ignore_patterns("__pycache__"))
    assembly = newer / "picoha" / "host" / "command" / "assembly.py"
    text = assembly.read_text()
    assert 'return version("picoha")' in text
    assembly.write_text(text.replace('return version("picoha")', 'return "99.0"'))
    started.end_agent()
    started.source = newer
    started.start_agent()
    report = started.reported(lambda row: row.version == "99.0" and row.phase is AgentPhase.RUNNING)
    assert (report.epoch, started.pid(), len(started.starts)) == (1, first, 1)


def test_uninstalled_agent_leaves_its_pico_running(started: HostRig, tmp_path: Path) -> None:
    root = tmp_path / "root"
    assert started.command("install", "--root", str(root)).returncode == 0
    first = started.pid()
    started.end_agent()
    said = started.command("uninstall", "--root", str(root))
    assert said.returncode == 0 and "removed" in said.stdout
    assert not list(root.rglob("*.service"))
    assert started.pid() == first


def test_pico_leaves_the_scripts_process_group(started: HostRig) -> None:
    """Where there is no systemd, a session of its own is what keeps a pico out of the agent's reach."""
    assert started.process is not None
    assert os.getsid(started.pid()) not in (os.getsid(0), os.getsid(started.process.pid))


def test_shipped_program_tells_systemd_that_it_is_ready_and_alive(host: HostRig, aws: Aws) -> None:
    aws.write(record())
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listening:
        address = f"{host.folder}/notify"
        listening.bind(address)
        listening.settimeout(15)
        host.start_shipped_agent(NOTIFY_SOCKET=address)
        told = listening.recv(4096) + b"\n"
        while b"WATCHDOG=1" not in told:
            told += listening.recv(4096) + b"\n"
    assert told.startswith(b"READY=1")
    assert host.end_agent() == 0


def test_newer_schema_starts_nothing_and_stops_nothing(started: HostRig, aws: Aws) -> None:
    first = started.pid()
    item = items.slot_item(record(holder="i-2", epoch=2), "controller")
    aws.put({**item, "schema": items.wire(2)})
    report = started.reported(lambda row: "not understood" in row.problem)
    assert "has schema 2; this version understands up to 1" in report.problem
    assert (report.phase, started.pid()) == (AgentPhase.RUNNING, first)
    started.reboot()
    report = started.reported(lambda row: row.boot_id == "boot-1+" and "not understood" in row.problem)
    assert len(started.starts) == 1


def test_break_glass_starts_the_picos_of_a_rebooted_holder_and_is_shown_until_ended(
    started: HostRig, aws: Aws
) -> None:
    aws.gone.add("dynamodb")
    started.reboot()
    until(lambda: started.local_report.get("boot_id") == "boot-1+")
    assert not started.pid()
    refused = started.command("start", "--without-controller")
    assert refused.returncode == 2 and "--reason" in refused.stderr
    said = started.command("start", "--without-controller", "--reason", "region down, INC-7")
    assert said.returncode == 0 and "Two active Platforms" in said.stdout
    until(started.pid)
    until(lambda: started.local_report["phase"] == AgentPhase.RUNNING)
    assert "BREAK-GLASS since" in started.local_report["problem"]
    assert "region down, INC-7" in started.local_report["problem"]
    first = started.pid()
    aws.gone.clear()
    report = started.reported(lambda row: "INC-7" in row.problem and row.is_healthy)
    assert report.boot_id == "boot-1+"
    assert started.command("start", "--end").returncode == 0
    assert started.reported(lambda row: row.boot_id == "boot-1+" and not row.problem).epoch == 1
    assert (started.pid(), is_alive(first)) == (first, True)


def test_break_glass_never_overrules_another_holder(started: HostRig, aws: Aws) -> None:
    aws.write(record(holder="i-2", epoch=2))
    started.reported(lambda row: row.phase is AgentPhase.OFFLINE)
    said = started.command("start", "--without-controller", "--reason", "in a hurry")
    assert said.returncode == 1 and "i-2 holds ec1 at epoch 2" in said.stderr
    assert not started.pid()


def test_broken_glass_ends_where_the_table_names_another_holder(started: HostRig, aws: Aws) -> None:
    started.command("start", "--without-controller", "--reason", "the controller is away")
    started.reported(lambda row: "BREAK-GLASS" in row.problem)
    aws.write(record(holder="i-2", epoch=2))
    started.reported(lambda row: row.phase is AgentPhase.OFFLINE)
    assert not started.pid()


def test_broken_glass_serves_a_slot_that_is_withheld(started: HostRig, aws: Aws) -> None:
    aws.write(record(phase=Phase.IN_FAILOVER, ver=2))
    started.reboot()
    started.reported(lambda row: row.boot_id == "boot-1+" and row.phase is AgentPhase.WAITING)
    started.command("start", "--without-controller", "--reason", "the controller is stuck")
    started.reported(lambda row: row.boot_id == "boot-1+" and row.phase is AgentPhase.RUNNING)
