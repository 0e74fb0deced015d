"""The agent over time: reboots, an unreachable cloud, health, witness, and the Platform's services."""

from __future__ import annotations

from dataclasses import replace

from picoha.domain.model import AgentPhase, InstanceId
from picoha.domain.record import Phase
from picoha.host.core.ports import JobResult, NotUnderstood, ScriptVerb
from unit.host.fakes import (
    EC1,
    EC2,
    EC_ASSIGNMENT,
    PLATFORM,
    PLATFORM_ASSIGNMENT,
    FakeHost,
    Table,
    Time,
    granted,
    started,
)

TWO = replace(EC_ASSIGNMENT, picos=(EC1, EC2))


def host_of(record: object, **kinds: object) -> FakeHost:
    return FakeHost(Table(record), Time(), **kinds)  # type: ignore[arg-type]  # passed on as given


# Reboots, agent restarts, and a cloud that does not answer.


def test_rebooted_holder_takes_its_grant_again_before_anything_starts() -> None:
    host = started()
    host.boot("boot-2")
    assert host.cycles().phase is AgentPhase.STARTING
    assert host.cloud.taken == [1, 1]
    report = host.cycles(2)
    assert (report.phase, report.starts, report.boot_id) == (AgentPhase.RUNNING, 2, "boot-2")


def test_rebooted_holder_does_not_count_samples_while_it_starts() -> None:
    host = started(granted(phase=Phase.ACTIVE))
    host.boot("boot-2")
    host.scripts.takes_s = 200
    assert host.cycles(15).failed_samples == 0


def test_rebooted_holder_starts_nothing_until_the_table_answers() -> None:
    host = started()
    host.boot("boot-2")
    host.cloud.is_cut = True
    report = host.cycles(5)
    assert report.phase is AgentPhase.WAITING
    assert "the table does not answer" in report.problem
    assert host.scripts.ran == ["online ec1"]
    host.cloud.is_cut = False
    assert host.cycles(3).phase is AgentPhase.RUNNING


def test_rebooted_host_whose_slot_went_elsewhere_never_starts() -> None:
    host = started()
    host.cloud.table.write(holder=InstanceId("i-2"), epoch=2)
    host.boot("boot-2")
    assert host.cycles(4).phase is AgentPhase.OFFLINE
    assert "online ec1" not in host.scripts.ran[1:]


def test_running_picos_go_on_while_the_cloud_is_unreachable() -> None:
    host = started()
    host.cloud.is_cut = True
    report = host.cycles(30)
    assert (report.phase, report.is_healthy) == (AgentPhase.RUNNING, True)
    assert host.scripts.ran == ["online ec1"]


def test_start_under_way_begins_no_further_pico_while_the_table_is_unreachable() -> None:
    host = host_of(granted(assignment=TWO), picos=(EC1, EC2))
    host.cycles()
    host.cloud.is_cut = True
    assert host.cycles(5).phase is AgentPhase.STARTING
    assert host.scripts.ran == ["online ec1"]
    host.cloud.is_cut = False
    assert host.cycles(3).phase is AgentPhase.RUNNING


def test_host_that_never_read_its_record_stays_closed() -> None:
    host = host_of(granted())
    host.cloud.is_cut = True
    report = host.cycles(3)
    assert report.phase is AgentPhase.WAITING
    assert "never read on this host" in report.problem
    assert host.scripts.ran == []


def test_newer_record_leaves_the_gate_as_last_understood() -> None:
    host = started()
    host.cloud.table.answer = NotUnderstood("schema 2")
    report = host.cycles(3)
    assert report.phase is AgentPhase.RUNNING
    assert "not understood: schema 2" in report.problem
    host.boot("boot-2")
    assert host.cycles(3).phase is AgentPhase.WAITING
    assert host.scripts.ran == ["online ec1"]


def test_restarted_agent_finds_its_picos_running_and_starts_nothing() -> None:
    host = started()
    host.restart_agent()
    report = host.cycles(2)
    assert (report.phase, report.starts) == (AgentPhase.RUNNING, 1)
    assert host.scripts.ran == ["online ec1"]
    assert host.cloud.taken == [1]


def test_restarted_agent_reports_a_dead_pico_instead_of_starting_it() -> None:
    host = started()
    host.scripts.codes["ec1"] = 100
    host.restart_agent()
    report = host.cycles(4)
    assert (report.phase, report.failed_samples) == (AgentPhase.RUNNING, 3)
    assert host.scripts.ran == ["online ec1"]


def test_disk_of_an_image_taken_from_another_instance_is_ignored() -> None:
    old = started(granted(epoch=4))
    new = FakeHost(Table(granted(holder="i-9", epoch=1)), Time(), instance="i-9")
    new.disk.kept = old.disk.kept
    new.restart_agent()
    report = new.cycles(3)
    assert (report.phase, report.epoch, report.highest_epoch) == (AgentPhase.RUNNING, 1, 1)


# Health, metric, witness, leaving.


def test_failed_samples_count_in_a_row_and_one_good_answer_resets_them() -> None:
    host = started()
    host.scripts.codes["ec1"] = 100
    report = host.cycles(3)
    assert (report.failed_samples, report.healthy_since) == (3, None)
    assert host.cloud.published[-3:] == [0.0, 0.0, 0.0]
    host.scripts.codes["ec1"] = 105
    report = host.cycles()
    assert (report.failed_samples, report.healthy_since) == (0, report.at)
    assert host.cloud.published[-1] == 1.0


def test_unknown_answers_neither_count_nor_reset_nor_publish() -> None:
    host = started()
    host.scripts.codes["ec1"] = None
    host.cycles(2)
    published = len(host.cloud.published)
    host.scripts.codes["ec1"] = 99
    first = host.cycles()
    report = host.cycles()
    assert (report.failed_samples, report.unknown_since) == (2, first.at)
    assert report.healthy_since is None
    assert len(host.cloud.published) == published
    host.scripts.codes["ec1"] = 100
    assert host.cycles().failed_samples == 3


def test_healthy_since_is_the_first_of_an_unbroken_row_of_good_looks() -> None:
    host = started()
    first = host.cycles()
    assert host.cycles(5).healthy_since == first.healthy_since


def test_nobody_but_the_recorded_holder_publishes() -> None:
    host = started()
    before = len(host.cloud.published)
    host.cloud.table.write(phase=Phase.IN_FAILOVER)
    report = host.cycles(3)
    assert report.phase is AgentPhase.RUNNING, "withheld is no order to stop"
    assert len(host.cloud.published) == before


def test_witness_reports_whether_the_platform_answers_on_its_port() -> None:
    host = started()
    assert host.cycles().reaches_platform is False
    host.network.up.add(("mz-platform", 6790))
    assert host.cycles().reaches_platform is True
    assert set(host.network.tried) == {("mz-platform", 6790)}


def test_host_without_the_platforms_name_is_no_witness() -> None:
    host = host_of(granted(holder="i-2"))
    assert host.cycles().reaches_platform is None
    host.resolver.dns["mz-platform"] = "10.0.1.10"
    assert host.cycles().reaches_platform is None, "another address is no evidence about the Platform"
    assert host.network.tried == []


def test_platform_is_no_witness_of_itself() -> None:
    record = granted(assignment=PLATFORM_ASSIGNMENT)
    host = host_of(record, slot="platform1", private_ip="10.0.1.10", picos=(PLATFORM,))
    assert host.cycles(3).reaches_platform is None


def test_leaving_is_reported_at_once_and_forgotten_by_the_next_boot() -> None:
    host = started()
    report = host.agent.leave()
    assert report.leaving_at == host.clock.now()
    assert host.cloud.table.rows["i-1"].leaving_at == report.leaving_at
    assert host.cycles().leaving_at == report.leaving_at
    host.boot("boot-2")
    assert host.cycles().leaving_at is None


# The Platform's services.


def test_services_are_republished_once_after_every_platform_start() -> None:
    record = granted(assignment=PLATFORM_ASSIGNMENT)
    host = host_of(record, slot="platform1", private_ip="10.0.1.10", picos=(PLATFORM,))
    host.scripts.missing.discard(ScriptVerb.REPUBLISH)
    report = host.cycles(8)
    assert report.platform_key == "boot-1/1"
    assert host.scripts.ran == ["online platform", "republish"]
    host.restart_agent()
    host.cycles(4)
    assert host.scripts.ran.count("republish") == 1
    host.boot("boot-2")
    report = host.cycles(8)
    assert (report.platform_key, host.scripts.ran.count("republish")) == ("boot-2/2", 2)


def test_failed_republish_is_remarked() -> None:
    record = granted(assignment=PLATFORM_ASSIGNMENT)
    host = host_of(record, slot="platform1", private_ip="10.0.1.10", picos=(PLATFORM,))
    host.scripts.missing.discard(ScriptVerb.REPUBLISH)
    host.scripts.results[ScriptVerb.REPUBLISH] = [JobResult(3)]
    report = host.cycles(8)
    assert report.phase is AgentPhase.RUNNING
    assert "republish ended with exit code 3" in report.problem


def test_execution_host_republishes_nothing() -> None:
    host = host_of(granted())
    host.scripts.missing.discard(ScriptVerb.REPUBLISH)
    report = host.cycles(6)
    assert (report.platform_key, host.scripts.ran) == ("", ["online ec1"])


def test_platform_that_was_running_before_the_gate_was_armed_is_not_republished() -> None:
    record = granted(assignment=PLATFORM_ASSIGNMENT, is_armed=False)
    host = host_of(record, slot="platform1", private_ip="10.0.1.10", picos=(PLATFORM,))
    host.scripts.missing.discard(ScriptVerb.REPUBLISH)
    host.scripts.codes["platform"] = 110
    host.cycles(2)
    host.cloud.table.write(is_armed=True)
    assert host.cycles(3).phase is AgentPhase.RUNNING
    assert host.scripts.ran == []
