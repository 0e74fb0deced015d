"""The agent as a process: start, failure, orders, loss of the slot, reboot, AWS gone."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial

import pytest

from host.loopback import Aws
from host.rig import HostRig, is_alive, record, until
from picoha.domain.health import Health
from picoha.domain.model import AgentPhase, InstanceId, Report
from picoha.domain.record import Order, OrderVerb, Phase
from picoha.host.core.names import BEGIN, END


@pytest.fixture
def started(host: HostRig, aws: Aws) -> Iterator[HostRig]:
    aws.write(record())
    host.start_agent()
    host.running()
    yield host


def test_granted_host_writes_its_names_starts_its_pico_and_publishes(started: HostRig, aws: Aws) -> None:
    assert started.pid()
    assert [start[1:3] for start in started.starts] == [["i-1", "1"]]
    text = started.hosts_file.read_text()
    assert BEGIN in text and END in text and "10.9.9.9 other" in text
    report = started.running()
    assert report.names is not None and report.names.are_right
    until(lambda: 1.0 in aws.published())


def test_host_without_a_grant_starts_nothing(host: HostRig, aws: Aws) -> None:
    aws.write(record(holder="i-2"))
    host.start_agent()
    report = host.reported(lambda row: row.phase is AgentPhase.WAITING)
    assert (report.epoch, host.starts, aws.published()) == (0, [], [])


def test_pico_that_dies_is_published_as_failed_and_restarted_on_the_controllers_token(
    started: HostRig, aws: Aws
) -> None:
    first = started.pid()
    started.kill_picos()
    started.reported(lambda row: row.failed_samples >= 3)
    until(lambda: 0.0 in aws.published())
    assert len(started.starts) == 1, "without the token nothing is started again"
    order = Order("o-1", OrderVerb.RESTART, InstanceId("i-1"), 1, datetime(2026, 11, 22, tzinfo=UTC))
    aws.write(record(phase=Phase.ACTIVE, order=order, ver=2))
    report = started.reported(lambda row: row.order_done == "o-1")
    assert (report.order_seen, report.order_result) == ("o-1", "ok")
    assert started.pid() not in (0, first)
    assert started.stops == ["offline http://localhost:9000", "clean"]
    assert len(started.starts) == 2


def test_lost_slot_is_stopped_and_cleaned(started: HostRig, aws: Aws) -> None:
    aws.write(record(holder="i-2", epoch=2))
    report = started.reported(lambda row: row.phase is AgentPhase.OFFLINE)
    assert (report.epoch, started.pid()) == (1, 0)
    assert [stop.split()[0] for stop in started.stops] == ["offline", "clean"]


def test_reboot_takes_the_grant_again_before_anything_starts(started: HostRig, aws: Aws) -> None:
    aws.gone.add("dynamodb")
    started.reboot()
    until(lambda: started.local_report.get("boot_id") == "boot-1+")
    until(lambda: "the table does not answer" in started.local_report["problem"])
    assert len(started.starts) == 1, "behind an armed gate nothing starts until the table answers"
    aws.gone.clear()
    report = started.reported(lambda row: row.boot_id == "boot-1+" and row.is_healthy)
    assert (report.phase, report.epoch, len(started.starts)) == (AgentPhase.RUNNING, 1, 2)


def test_reboot_after_the_slot_was_lost_starts_nothing(started: HostRig, aws: Aws) -> None:
    aws.write(record(holder="i-2", epoch=2))
    started.reboot()
    started.reported(lambda row: row.boot_id == "boot-1+" and row.phase is AgentPhase.OFFLINE)
    assert len(started.starts) == 1


@pytest.mark.parametrize("how", ["gone", "silent"])
def test_aws_that_is_gone_stops_no_pico_and_no_probe(started: HostRig, aws: Aws, how: str) -> None:
    first = started.pid()
    getattr(aws, how).update({"dynamodb", "cloudwatch"})
    until(lambda: "the table does not answer" in started.local_report["problem"])
    started.answers("monitor", "105")
    until(lambda: started.local_report["picos"]["ec1"]["code"] == 105)
    assert started.local_report["phase"] == AgentPhase.RUNNING
    assert started.pid() == first
    getattr(aws, how).clear()
    started.reported(lambda row: row.picos["ec1"].health is Health.ONLINE and not row.problem)


@pytest.mark.parametrize("how", ["gone", "silent"])
def test_metric_that_cannot_be_published_is_tried_again_and_holds_no_report(
    started: HostRig, aws: Aws, how: str
) -> None:
    getattr(aws, how).add("cloudwatch")
    started.answers("monitor", "103")
    started.reported(lambda row: row.picos["ec1"].code == 103)
    asked = aws.calls.count("cloudwatch")
    until(lambda: aws.calls.count("cloudwatch") >= asked + 3)
    getattr(aws, how).clear()
    count = len(aws.published())
    until(lambda: len(aws.published()) > count)


def test_witness_says_whether_the_platforms_port_answers(host: HostRig, aws: Aws) -> None:
    with closing(socket.create_server(("0.0.0.0", 0))) as platform:
        host.configure(rcp_port=platform.getsockname()[1])
        aws.write(record())
        host.start_agent()
        host.reported(lambda row: row.reaches_platform is True)
    assert host.reported(lambda row: row.reaches_platform is False).phase is AgentPhase.RUNNING


def test_missing_java_or_owner_is_refused_with_a_sentence(host: HostRig) -> None:
    host.configure(owner="nobody-of-this-name")
    host.start_shipped_agent()
    assert host.process is not None and host.process.wait(15) == 2
    host.process = None
    assert "owner = nobody-of-this-name" in host.log


def test_agent_waits_for_the_metadata_service(host: HostRig, aws: Aws) -> None:
    slot = host.imds.values.pop("tags/instance/picoha:slot")
    host.start_agent()
    until(lambda: "shows no tag picoha:slot" in host.log)
    assert host.process is not None and host.process.poll() is None
    host.imds.values["tags/instance/picoha:slot"] = slot
    assert host.reported(lambda row: row.phase is AgentPhase.OPEN).boot_id


def test_hook_before_the_start_that_fails_keeps_every_pico_off(host: HostRig, aws: Aws) -> None:
    hook = host.folder / "hooks" / "pre-start.d" / "10-mount"
    hook.parent.mkdir(parents=True)
    hook.write_text("#!/bin/sh\necho $PICOHA_SLOT $PICOHA_EPOCH; exit 5\n")
    hook.chmod(0o755)
    aws.write(record())
    host.start_agent()
    report = host.reported(lambda row: row.phase is AgentPhase.START_FAILED)
    assert "pre-start ended with exit code 5" in report.problem
    assert host.starts == []
    assert (host.folder / "log" / "pre-start.log").read_text() == "ec1 1\n"


def test_f24_hook_after_the_start_restarts_unscheduled_workflows_once(host: HostRig, aws: Aws) -> None:
    hook = host.folder / "hooks" / "post-start.d" / "10-workflows"
    hook.parent.mkdir(parents=True)
    hook.write_text(f"#!/bin/sh\necho $PICOHA_KIND $PICOHA_CONTAINER >> {host.folder}/started\n")
    hook.chmod(0o755)
    aws.write(record())
    host.start_agent()
    host.running()
    host.reported(lambda row: row.healthy_since is not None)
    assert (host.folder / "started").read_text() == "execution ec1\n"


def test_orderly_shutdown_is_reported_as_leaving(started: HostRig, aws: Aws) -> None:
    assert started.command("leave").returncode == 0
    assert started.end_agent() == 0
    report = aws.row("ec1", "i-1")
    assert report is not None and report.leaving_at is not None
    assert is_alive(started.pid())


def test_plain_stop_of_the_agent_is_not_leaving(started: HostRig, aws: Aws) -> None:
    assert started.end_agent() == 0
    report = aws.row("ec1", "i-1")
    assert report is not None and report.leaving_at is None
    assert is_alive(started.pid())


def _runs_at(epoch: int, row: Report) -> bool:
    return row.epoch == epoch and row.is_healthy


def _is_off(host: HostRig) -> bool:
    return not host.pid()


def test_two_hosts_of_one_slot_start_at_most_one_for_each_epoch(
    new_host: Callable[..., HostRig], aws: Aws
) -> None:
    hosts = [new_host("i-1"), new_host("i-2")]
    aws.write(record())
    for one in hosts:
        one.start_agent()
    for epoch, holder in enumerate((0, 1, 0, 1), 1):
        aws.write(record(holder=hosts[holder].me, epoch=epoch))
        hosts[holder].reported(partial(_runs_at, epoch))
        until(partial(_is_off, hosts[1 - holder]))
    made = [(start[1], start[2]) for rig in hosts for start in rig.starts]
    assert sorted(made) == [("i-1", "1"), ("i-1", "3"), ("i-2", "2"), ("i-2", "4")]
