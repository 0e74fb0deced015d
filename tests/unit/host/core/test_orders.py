"""Orders of the controller: restart in place and drain, each done once by the host it names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from picoha.domain.model import AgentPhase, InstanceId
from picoha.domain.record import OrderVerb, Phase
from picoha.host.core.ports import JobResult, ScriptVerb
from unit.host.fakes import EC1, EC2, EC_ASSIGNMENT, FakeHost, Table, Time, granted, started

TWO = replace(EC_ASSIGNMENT, picos=(EC1, EC2))


def two_started() -> FakeHost:
    host = FakeHost(Table(granted(assignment=TWO)), Time(), picos=(EC1, EC2))
    host.cycles(4)
    host.scripts.ran.clear()
    return host


def test_restart_is_stored_and_reported_as_seen_before_it_is_obeyed() -> None:
    host = started()
    host.scripts.codes["ec1"] = 100
    host.cycles(3)
    host.cloud.table.order(OrderVerb.RESTART)
    report = host.cycles()
    assert (report.order_seen, report.order_done) == ("o-1", None)
    assert host.disk.kept is not None and host.disk.kept.order_seen == "o-1"
    assert host.scripts.ran == ["online ec1"]
    report = host.cycles(5)
    assert host.scripts.ran[1:] == ["offline ec1", "clean ec1", "online ec1"]
    assert (report.order_done, report.order_result, report.phase) == ("o-1", "ok", AgentPhase.RUNNING)
    assert (report.failed_samples, report.starts) == (0, 2)


def test_restart_touches_only_the_failed_pico() -> None:
    host = two_started()
    host.scripts.codes["ec2"] = None
    host.cycles()
    host.cloud.table.order(OrderVerb.RESTART)
    host.cycles(6)
    assert host.scripts.ran == ["offline ec2", "clean ec2", "online ec2"]


def test_restart_with_no_failed_pico_restarts_all_of_them() -> None:
    host = two_started()
    host.cloud.table.order(OrderVerb.RESTART)
    host.cycles(9)
    stops = ["offline ec2", "offline ec1", "clean ec2", "clean ec1"]
    assert host.scripts.ran == [*stops, "online ec1", "online ec2"]


def test_restart_is_done_once() -> None:
    host = started()
    host.cloud.table.order(OrderVerb.RESTART)
    host.cycles(20)
    host.restart_agent()
    host.cycles(5)
    assert host.scripts.ran.count("online ec1") == 2


def test_failed_samples_stand_still_during_a_restart_and_count_anew_after_it() -> None:
    host = started()
    host.scripts.codes["ec1"] = 100
    host.cycles(3)
    host.cloud.table.order(OrderVerb.RESTART)
    host.scripts.results[ScriptVerb.ONLINE] = [JobResult(1)]
    seen = [host.cycles() for _ in range(5)]
    assert [one.failed_samples for one in seen] == [4, 5, 5, 5, 0]
    assert seen[-1].phase is AgentPhase.START_FAILED
    assert seen[-1].order_result == "failed: online ec1: the start ended with exit code 1"
    assert host.cycles(3).failed_samples == 3


@pytest.mark.parametrize(
    "wrong", [{"instance": InstanceId("i-2")}, {"epoch": 2}], ids=["another instance", "another epoch"]
)
def test_order_for_somebody_else_is_not_even_seen(wrong: dict[str, object]) -> None:
    host = started()
    made = host.cloud.table.order(OrderVerb.RESTART)
    host.cloud.table.write(order=replace(made, **wrong))  # type: ignore[arg-type]  # names are above
    assert host.cycles(4).order_seen is None
    assert host.scripts.ran == ["online ec1"]


def test_order_waits_until_its_being_seen_was_written() -> None:
    host = started()
    host.cloud.table.order(OrderVerb.RESTART)
    host.cycles()
    host.restart_agent()
    host.scripts.ran.clear()
    host.cloud.is_cut = True
    host.cycles(3)
    assert host.scripts.ran == []
    host.cloud.is_cut = False
    host.cycles(2)
    assert host.scripts.ran[0] == "offline ec1"


def test_restart_interrupted_by_the_death_of_the_agent_is_finished_by_the_next() -> None:
    host = started()
    host.cloud.table.order(OrderVerb.RESTART)
    host.cycles(3)
    host.restart_agent()
    report = host.cycles(8)
    assert (report.order_done, report.phase) == ("o-1", AgentPhase.RUNNING)


def test_restart_pending_over_a_reboot_is_done_by_the_start_of_the_new_boot() -> None:
    host = started()
    host.cloud.table.order(OrderVerb.RESTART)
    host.cycles(2)
    host.boot("boot-2")
    host.scripts.ran.clear()
    report = host.cycles(6)
    assert host.scripts.ran == ["online ec1"]
    assert (report.order_done, report.order_result) == ("o-1", "ok")


def test_restart_with_wrong_names_stops_nothing_and_fails() -> None:
    host = started()
    host.resolver.dns["mz-platform"] = "10.0.1.10"
    host.resolver.is_dns_first = True
    host.cloud.table.order(OrderVerb.RESTART)
    report = host.cycles(3)
    assert report.order_result.startswith("failed: pico.rcp.platform.host: mz-platform resolves to 10.0.1.10")
    assert host.scripts.ran == ["online ec1"]


def test_restart_is_given_up_when_the_slot_is_withheld_before_the_start() -> None:
    host = started()
    host.cloud.table.order(OrderVerb.RESTART)
    host.cycles(3)
    host.cloud.table.write(phase=Phase.IN_FAILOVER)
    report = host.cycles(3)
    assert report.order_result.startswith("failed: given up")
    assert host.scripts.ran == ["online ec1", "offline ec1", "clean ec1"]


def test_drain_stops_every_pico_and_keeps_it_off_in_this_epoch() -> None:
    host = two_started()
    host.cloud.table.order(OrderVerb.DRAIN)
    report = host.cycles(8)
    assert host.scripts.ran == ["offline ec2", "offline ec1", "clean ec2", "clean ec1"]
    assert (report.phase, report.order_done, report.order_result) == (AgentPhase.OFFLINE, "o-1", "ok")
    host.boot("boot-2")
    assert host.cycles(6).phase is AgentPhase.OFFLINE
    assert "online ec1" not in host.scripts.ran


def test_drain_is_obeyed_while_the_slot_is_in_switchover() -> None:
    host = started()
    host.cloud.table.order(OrderVerb.DRAIN)
    host.cloud.table.write(phase=Phase.IN_FAILOVER)
    assert host.cycles(6).order_result == "ok"
    assert host.scripts.ran[1:] == ["offline ec1", "clean ec1"]


@pytest.mark.parametrize("is_armed", [True, False])
def test_restart_is_not_obeyed_while_the_slot_is_in_failover(is_armed: bool) -> None:
    host = started()
    host.cloud.table.write(is_armed=is_armed)
    host.cloud.table.order(OrderVerb.RESTART)
    host.cloud.table.write(phase=Phase.IN_FAILOVER)
    assert host.cycles(5).order_done is None
    assert host.scripts.ran == ["online ec1"]


def test_drain_that_fails_says_which_pico_stays() -> None:
    host = started()
    host.scripts.results = {ScriptVerb.OFFLINE: [JobResult(None)], ScriptVerb.CLEAN: [JobResult(None)]}
    host.cloud.table.order(OrderVerb.DRAIN)
    report = host.cycles(6)
    assert report.order_result == "failed: clean ec1: could not be stopped (did not end in time)"
    assert report.phase is AgentPhase.STOPPING


def test_drained_host_starts_again_by_a_restart_order_or_a_new_epoch() -> None:
    host = started()
    host.cloud.table.order(OrderVerb.DRAIN)
    host.cycles(6)
    host.cloud.table.order(OrderVerb.RESTART, "o-2")
    assert host.cycles(8).phase is AgentPhase.RUNNING
    host.cloud.table.order(OrderVerb.DRAIN, "o-3")
    host.cycles(6)
    host.cloud.table.write(epoch=2, order=None)
    assert host.cycles(4).phase is AgentPhase.RUNNING


def test_drain_under_the_open_gate_is_obeyed_since_an_operator_asked() -> None:
    host = FakeHost(Table(granted(is_armed=False, phase=Phase.ACTIVE)), Time())
    host.scripts.codes["ec1"] = 110
    host.cycles(2)
    host.cloud.table.order(OrderVerb.DRAIN)
    report = host.cycles(6)
    assert report.order_result == "ok"
    assert host.scripts.ran == ["offline ec1", "clean ec1"]
