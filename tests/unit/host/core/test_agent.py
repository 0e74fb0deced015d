"""The start gate and the agent's cycle: what a host does for every state of its record."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from picoha.domain.health import Health
from picoha.domain.model import AgentPhase, InstanceId
from picoha.domain.record import Phase
from picoha.host.core.ports import JobResult, NoRecord, ScriptVerb
from unit.host.fakes import (
    EC1,
    EC2,
    EC_ASSIGNMENT,
    EIP,
    FakeChecks,
    FakeHost,
    Table,
    Time,
    granted,
    started,
)

TWO = replace(EC_ASSIGNMENT, picos=(EC1, EC2))


def host_of(record: object, **kinds: object) -> FakeHost:
    return FakeHost(Table(record), Time(), **kinds)  # type: ignore[arg-type]  # passed on as given


# The open gate: measure and report, touch nothing.


def test_slot_without_record_is_only_reported_about() -> None:
    host = host_of(NoRecord())
    report = host.cycles(3)
    assert (report.phase, report.epoch, report.picos) == (AgentPhase.OPEN, 0, {})
    assert (host.scripts.ran, host.file.writes, host.cloud.published) == ([], 0, [])


def test_open_gate_measures_but_neither_starts_nor_writes_names() -> None:
    host = host_of(granted(is_armed=False))
    report = host.cycles(3)
    assert report.phase is AgentPhase.OPEN
    assert report.picos["ec1"].health is Health.FAILED
    assert report.failed_samples == 2, "the first look came before the gate was known to be open"
    assert (host.scripts.ran, host.file.writes) == ([], 0)
    assert report.names is not None and not report.names.are_right
    assert f"must be Elastic IP of the Platform {EIP}" in report.names.problem


def test_open_gate_does_not_stop_a_slot_that_went_to_another_host() -> None:
    host = started()
    host.cloud.table.write(holder=InstanceId("i-2"), epoch=2, is_armed=False)
    report = host.cycles(3)
    assert report.phase is AgentPhase.OPEN
    assert host.scripts.ran == ["online ec1"]


def test_adopted_host_under_the_open_gate_holds_its_epoch_and_publishes() -> None:
    host = host_of(granted(is_armed=False, phase=Phase.ACTIVE))
    host.scripts.codes["ec1"] = 110
    report = host.cycles(2)
    assert (report.phase, report.epoch, report.highest_epoch) == (AgentPhase.OPEN, 1, 1)
    assert host.cloud.published == [1.0, 1.0]


def test_arming_a_running_host_adopts_its_picos_without_starting_them() -> None:
    host = host_of(granted(is_armed=False, phase=Phase.ACTIVE))
    host.scripts.codes["ec1"] = 110
    host.cycles(2)
    host.cloud.table.write(is_armed=True)
    report = host.cycles(2)
    assert report.phase is AgentPhase.RUNNING
    assert report.names is not None and report.names.are_right
    assert host.scripts.ran == []


# Taking a grant and starting.


def test_granted_host_takes_writes_names_starts_and_runs() -> None:
    host = host_of(granted())
    first = host.cycles()
    assert (first.phase, first.epoch) == (AgentPhase.STARTING, 1)
    assert first.names is not None and first.names.are_right
    assert host.cloud.taken == [1]
    report = host.cycles(2)
    assert (report.phase, report.starts) == (AgentPhase.RUNNING, 1)
    assert report.is_healthy
    assert host.scripts.ran == ["online ec1"]
    assert host.scripts.settings[0]["PICOHA_EPOCH"] == "1"


def test_picos_start_in_their_order_each_after_the_one_before() -> None:
    host = host_of(granted(assignment=TWO), picos=(EC1, EC2))
    host.scripts.takes_s = 15
    host.cycles()
    assert host.scripts.ran == ["online ec1"]
    host.cycles(2)
    assert host.scripts.ran == ["online ec1", "online ec2"]
    assert host.cycles(3).phase is AgentPhase.RUNNING


@pytest.mark.parametrize("phase", [Phase.IN_FAILOVER, Phase.VACANT])
def test_nothing_starts_while_the_slot_is_not_granted(phase: Phase) -> None:
    host = host_of(granted(phase=phase))
    report = host.cycles(3)
    assert report.phase is AgentPhase.WAITING
    assert phase in report.problem
    assert host.scripts.ran == []


def test_host_without_the_grant_waits_and_looks_at_its_picos_once_a_minute() -> None:
    host = host_of(granted(holder="i-2"))
    report = host.cycles(12)
    assert report.phase is AgentPhase.WAITING
    assert host.scripts.looks == 2
    assert report.failed_samples == 0
    assert host.cloud.published == []


def test_pico_that_somebody_started_on_a_waiting_host_is_looked_at_every_cycle() -> None:
    host = host_of(granted(holder=None, epoch=0, phase=Phase.VACANT))
    host.scripts.codes["ec1"] = 110
    assert host.cycles(6).phase is AgentPhase.WAITING
    assert host.scripts.looks == 6
    assert host.scripts.ran == []


def test_refused_grant_starts_nothing_and_says_so() -> None:
    host = host_of(granted(holder="i-2", epoch=2))
    host.cloud.stale = granted(holder="i-1", epoch=1)
    report = host.cycles(2)
    assert report.phase is AgentPhase.WAITING
    assert "was refused" in report.problem
    assert host.scripts.ran == []


def test_pre_start_hook_that_fails_keeps_every_pico_off() -> None:
    host = host_of(granted())
    host.scripts.missing.discard(ScriptVerb.PRE_START)
    host.scripts.results[ScriptVerb.PRE_START] = [JobResult(7)]
    report = host.cycles(3)
    assert report.phase is AgentPhase.START_FAILED
    assert report.problem == "pre-start ended with exit code 7"
    assert host.scripts.ran == ["pre-start"]


def test_post_start_hook_that_fails_is_remarked_and_the_slot_runs() -> None:
    host = host_of(granted())
    host.scripts.missing.discard(ScriptVerb.POST_START)
    host.scripts.results[ScriptVerb.POST_START] = [JobResult(1)]
    report = host.cycles(4)
    assert report.phase is AgentPhase.RUNNING
    assert "post-start ended with exit code 1" in report.problem


def test_start_that_never_ends_is_killed_at_its_limit() -> None:
    host = host_of(granted())
    host.scripts.takes_s = 10_000
    assert host.cycles(36).phase is AgentPhase.STARTING
    report = host.cycles()
    assert report.phase is AgentPhase.START_FAILED
    assert "time limit" in report.problem
    assert host.scripts.jobs[0].is_stopped


def test_failed_start_is_not_tried_again_and_counts_as_failed_samples() -> None:
    host = host_of(granted())
    host.scripts.results[ScriptVerb.ONLINE] = [JobResult(1)]
    report = host.cycles(6)
    assert report.phase is AgentPhase.START_FAILED
    assert host.scripts.ran == ["online ec1"]
    assert report.failed_samples >= 3


def test_pico_that_a_human_brought_up_ends_start_failed() -> None:
    host = host_of(granted())
    host.scripts.results[ScriptVerb.ONLINE] = [JobResult(1)]
    host.cycles(3)
    host.scripts.codes["ec1"] = 110
    report = host.cycles()
    assert (report.phase, report.problem) == (AgentPhase.RUNNING, "")


def test_container_with_another_name_is_never_started() -> None:
    host = host_of(granted()).with_checks(FakeChecks(name="ec9"))
    report = host.cycles(2)
    assert report.phase is AgentPhase.TAKEN
    assert report.problem == "MZ_CONTAINER is ec9 on this host, the slot's is ec1"
    assert host.scripts.ran == []


def test_start_waits_for_a_mount_and_goes_on_when_it_answers() -> None:
    checks = FakeChecks(answers={"mount:/data": False})
    record = granted(assignment=replace(EC_ASSIGNMENT, tests=("mount:/data",)))
    host = host_of(record).with_checks(checks)
    report = host.cycles()
    assert (report.phase, report.tests) == (AgentPhase.TAKEN, {"mount:/data": False})
    assert "mount:/data does not answer" in report.problem
    checks.answers["mount:/data"] = True
    assert host.cycles(9).phase is AgentPhase.RUNNING


def test_full_disk_keeps_the_picos_off() -> None:
    host = host_of(granted())
    host.disk.is_full = True
    report = host.cycles(2)
    assert "no space left" in report.problem
    assert host.scripts.ran == []
    host.disk.is_full = False
    assert host.cycles(9).phase is AgentPhase.RUNNING


# Two agents.


@pytest.mark.parametrize("seed", range(200))
def test_two_agents_race_for_one_grant_and_exactly_one_starts(seed: int) -> None:
    """Reads, grants and takes of two hosts in every order; the record moves at most once."""
    chance = random.Random(seed)
    table, clock = Table(granted(holder="i-1", epoch=1)), Time()
    hosts = [FakeHost(table, clock, name) for name in ("i-1", "i-2")]
    moves_at = chance.randrange(6)
    for step in range(12):
        if step == moves_at:
            table.write(holder=InstanceId("i-2"), epoch=2)
        host = hosts[chance.randrange(2)]
        # A reader may be served before the move and act after it: that is what `take` must catch.
        host.cloud.stale = granted(holder="i-1", epoch=1) if chance.random() < 0.3 else None
        host.cycles()
    for host in hosts:
        host.cloud.stale = None
        host.cycles(8)
    assert [host.disk.kept.is_started for host in hosts if host.disk.kept] == [False, True]
    assert table.rows["i-1"].phase in (AgentPhase.OFFLINE, AgentPhase.WAITING)
    assert hosts[1].cloud.taken == [2]
    first = hosts[0].scripts
    assert first.codes["ec1"] == 100, "whatever the first host started, it stopped again"


def test_lost_slot_is_stopped_in_reverse_order_and_cleaned() -> None:
    host = host_of(granted(assignment=TWO), picos=(EC1, EC2))
    host.cycles(4)
    host.scripts.ran.clear()
    host.cloud.table.write(holder=InstanceId("i-2"), epoch=2)
    assert host.cycles().phase is AgentPhase.STOPPING
    report = host.cycles(5)
    assert report.phase is AgentPhase.OFFLINE
    assert host.scripts.ran == ["offline ec2", "offline ec1", "clean ec2", "clean ec1"]
    assert host.cloud.published[-1] == 1.0, "the last datapoint was published as holder"
    assert (report.epoch, report.highest_epoch) == (1, 1)


def test_slot_lost_during_the_start_kills_the_start_and_stops() -> None:
    host = host_of(granted())
    host.scripts.takes_s = 100
    host.cycles(2)
    host.scripts.takes_s = 5
    host.cloud.table.write(holder=InstanceId("i-2"), epoch=2)
    host.cycles(3)
    assert host.scripts.jobs[0].is_stopped
    assert host.scripts.ran == ["online ec1", "offline ec1", "clean ec1"]


def test_next_epoch_during_the_start_is_taken_before_anything_more_is_started() -> None:
    host = host_of(granted(assignment=TWO), picos=(EC1, EC2))
    host.cycles()
    host.cloud.table.write(epoch=2)
    report = host.cycles(5)
    assert host.cloud.taken == [1, 2]
    assert host.scripts.settings[1]["PICOHA_EPOCH"] == "2"
    assert (report.phase, report.epoch) == (AgentPhase.RUNNING, 2)


def test_stop_that_fails_is_said_and_tried_again_after_a_minute() -> None:
    host = started()
    host.scripts.results = {ScriptVerb.OFFLINE: [JobResult(4)], ScriptVerb.CLEAN: [JobResult(1)]}
    host.cloud.table.write(holder=InstanceId("i-2"), epoch=2)
    report = host.cycles(3)
    assert report.phase is AgentPhase.STOPPING
    assert "could not be stopped" in report.problem
    assert host.cycles(2).phase is AgentPhase.STOPPING
    assert host.cycles(8).phase is AgentPhase.OFFLINE
    assert host.scripts.ran.count("offline ec1") == 2


def test_picos_of_a_host_that_never_held_the_slot_are_stopped_too() -> None:
    host = host_of(granted(holder="i-2"))
    host.scripts.codes["ec1"] = 110
    assert host.cycles(4).phase is AgentPhase.WAITING
    assert host.scripts.ran == ["offline ec1", "clean ec1"]


def test_unmanaged_running_host_is_not_stopped_before_the_first_grant() -> None:
    host = host_of(granted(holder=None, epoch=0, phase=Phase.VACANT))
    host.scripts.codes["ec1"] = 110
    report = host.cycles(3)
    assert (report.phase, report.is_healthy) == (AgentPhase.WAITING, True)
    assert host.scripts.ran == []


def test_slot_that_came_back_with_a_new_epoch_is_started_again() -> None:
    host = started()
    host.cloud.table.write(holder=InstanceId("i-2"), epoch=2)
    assert host.cycles(4).phase is AgentPhase.OFFLINE
    host.cloud.table.write(holder=InstanceId("i-1"), epoch=3)
    report = host.cycles(3)
    assert (report.phase, report.epoch) == (AgentPhase.RUNNING, 3)


def test_record_older_than_this_host_starts_and_stops_nothing() -> None:
    host = started(granted(epoch=7))
    host.cloud.table.write(holder=InstanceId("i-2"), epoch=5)
    report = host.cycles(3)
    assert (report.phase, report.highest_epoch) == (AgentPhase.RUNNING, 7)
    assert "picoha adopt" in report.problem
    assert host.scripts.ran == ["online ec1"]


def test_record_that_vanished_freezes_a_host_that_held_an_epoch() -> None:
    host = started()
    host.cloud.table.answer = NoRecord()
    report = host.cycles(2)
    assert report.phase is AgentPhase.RUNNING
    assert "has no record although this host knows epoch 1" in report.problem
    host.boot("boot-2")
    assert host.cycles(3).phase is AgentPhase.WAITING
    assert host.scripts.ran == ["online ec1"]
