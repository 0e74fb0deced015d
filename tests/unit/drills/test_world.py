"""The drill as one account: doorbells as AWS rings them, hosts that live and die, the controller's gate."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from picoha.adapters.aws.items import CELL, item, report_item, slot_item
from picoha.domain.model import AgentPhase, InstanceId, Pico, PicoType, Report, SlotName
from picoha.domain.record import Phase, SlotRecord
from picoha.drills.hosts import DrillHost
from picoha.drills.setup import tags_of
from picoha.drills.story import DEMO
from picoha.drills.world import World
from picoha.fakeaws.autoscaling.group import Group, LifecycleHook
from picoha.fakeaws.clients import Answer
from picoha.fakeaws.scheduler import START, AwsFault
from picoha.lambdas.doorbells import Cause, parse

EC1, PLATFORM1 = SlotName("ec1"), SlotName("platform1")
PICOS = {
    EC1: (Pico("ec1", 7101, PicoType.EC),),
    PLATFORM1: (Pico("platform", 7100, PicoType.PLATFORM),),
}


class Rung:
    """A world of two slots whose doorbells are kept."""

    def __init__(
        self, *slots: SlotName, hooks: tuple[LifecycleHook, ...] = (), owners_start: bool = False
    ) -> None:
        self.world = World("demo")
        self.world.owners_start = owners_start
        self.events: list[Any] = []
        self.world.ring = self.events.append
        for slot in slots:
            declared = next(one for one in DEMO if one.name == slot)
            ips = list(declared.private_ips)
            group = Group(
                f"demo-{slot}", tags=tags_of("demo", declared), hooks=list(hooks), next_private_ips=ips
            )
            self.world.add_group(group, PICOS[slot])
        self.world.scheduler.run_for(60)

    def host(self, slot: SlotName = EC1) -> DrillHost:
        return [host for host in self.world.hosts.values() if host.slot == slot][-1]

    def causes(self) -> list[tuple[Cause, str]]:
        """Return every doorbell as the handler reads it; an event that it cannot read raises here."""
        return [(one.cause, one.detail) for one in map(parse, self.events)]

    def grant(self, host: DrillHost, holder: str = "", ver: int = 1) -> None:
        """Write the record in which this host, or another one, holds its slot."""
        held_by = InstanceId(holder or host.instance.id)
        record = SlotRecord(host.slot, ver=ver, epoch=1, holder=held_by, phase=Phase.ACTIVE)
        self.world.admin.dynamodb.put_item(TableName=self.world.table.name, Item=slot_item(record, "n"))


# Doorbells.


def test_the_life_of_a_host_rings_as_ec2_and_auto_scaling_do() -> None:
    rung = Rung(EC1, hooks=(LifecycleHook("picoha-launch", heartbeat_s=900),))
    seen = [(cause, one["detail-type"]) for (cause, _), one in zip(rung.causes(), rung.events, strict=True)]
    assert seen == [
        (Cause.INSTANCE, "EC2 Instance State-change Notification"),
        (Cause.INSTANCE, "EC2 Instance State-change Notification"),
        (Cause.LIFECYCLE, "EC2 Instance-launch Lifecycle Action"),
    ]
    assert [event["detail"].get("state") for event in rung.events] == ["pending", "running", None]


def test_an_event_arrives_half_a_second_after_what_it_tells_of() -> None:
    rung = Rung(EC1)
    rung.events.clear()
    rung.world.ec2.terminate(rung.host().instance.id)
    rung.world.scheduler.run_for(0.4)
    assert rung.events == []
    rung.world.scheduler.run_for(0.1)
    assert rung.events[0]["detail"]["state"] == "shutting-down"


def test_events_that_the_template_has_no_rule_for_do_not_ring() -> None:
    rung = Rung()
    rung.world.emit("aws.cloudwatch", "CloudWatch Alarm State Change", {}, [])
    rung.world.scheduler.run_for(10)
    assert rung.events == []


def test_the_tick_is_the_schedulers_event() -> None:
    rung = Rung()
    rung.world.tick()
    assert [cause for cause, _ in rung.causes()] == [Cause.TICK]


def test_an_alarm_rings_at_once_and_is_kept_for_the_timeline() -> None:
    rung = Rung()
    rung.world.admin.cloudwatch.put_metric_alarm(
        AlarmName="picoha-demo-ec1",
        AlarmActions=["arn:aws:lambda:eu-west-1:123456789012:function:picoha-demo-reconcile:live"],
        EvaluationPeriods=3,
        DatapointsToAlarm=2,
        Threshold=1,
        ComparisonOperator="LessThanThreshold",
        TreatMissingData="breaching",
        Namespace="picoha",
        MetricName="Healthy",
        Dimensions=[{"Name": "Cell", "Value": "demo"}, {"Name": "Slot", "Value": "ec1"}],
        Period=10,
        Statistic="Minimum",
    )
    rung.world.admin.cloudwatch.set_alarm_state(
        AlarmName="picoha-demo-ec1", StateValue="ALARM", StateReason="by hand"
    )
    assert [cause for cause, _ in rung.causes()] == [Cause.ALARM]
    assert rung.world.alarm_states == [(60.0, "picoha-demo-ec1", "ALARM")]


def test_event_ids_are_unique_and_the_same_in_every_run() -> None:
    ids = [event["id"] for event in Rung(EC1).events]
    assert len(set(ids)) == len(ids) > 1
    assert ids == [event["id"] for event in Rung(EC1).events]


# Hosts.


def test_a_host_boots_its_agent_and_waits_for_a_grant() -> None:
    rung = Rung(EC1)
    report = rung.world.last_report(rung.host().instance.id)
    assert report is not None and report.slot == EC1
    assert rung.host().running == set()


def test_the_owners_boot_unit_starts_the_picos_unless_the_gate_is_armed() -> None:
    rung = Rung(EC1, owners_start=True)
    assert rung.host().running == {"ec1"}
    armed = Rung(owners_start=True)
    armed.world.admin.dynamodb.put_item(
        TableName=armed.world.table.name, Item=slot_item(SlotRecord(EC1, ver=1, is_armed=True), "n")
    )
    armed.world.add_group(Group("demo-ec1", tags=tags_of("demo", DEMO[1])), PICOS[EC1])
    armed.world.scheduler.run_for(60)
    assert armed.host().running == set()


@pytest.mark.parametrize("end", ["die", "terminate", "stop"])
def test_a_host_that_ends_runs_nothing_any_more(end: str) -> None:
    rung = Rung(EC1, owners_start=True)
    getattr(rung.world.ec2, end)(rung.host().instance.id)
    rung.world.scheduler.run_for(40)
    host = rung.world.hosts[next(iter(rung.world.hosts))]
    assert (host.is_up, host.running) == (False, set())


def test_a_host_that_is_ended_without_its_operating_system_says_no_goodbye() -> None:
    def left(skip: bool) -> bool:
        rung = Rung(EC1, owners_start=True)
        instance = rung.host().instance.id
        rung.world.ec2.terminate(instance, skip_os_shutdown=skip)
        rung.world.scheduler.run_for(10)
        report = rung.world.last_report(instance)
        return report is not None and report.leaving_at is not None

    assert (left(skip=False), left(skip=True)) == (True, False)


def test_an_instance_without_a_slot_is_no_host() -> None:
    rung = Rung()
    rung.world.ec2.launch(tags={"picoha:cell": "demo"})
    rung.world.scheduler.run_for(60)
    assert rung.world.hosts == {}


def test_a_host_is_found_by_either_address_while_it_is_up() -> None:
    rung = Rung(PLATFORM1)
    host = rung.host(PLATFORM1)
    address = rung.world.addresses.allocate("203.0.113.10")
    rung.world.addresses.place(address, host.instance.interface_id)
    assert rung.world.host_at("203.0.113.10") is rung.world.host_at("10.0.1.10") is host
    assert rung.world.host_at("10.0.9.9") is None
    rung.world.ec2.die(host.instance.id)
    assert rung.world.host_at("10.0.1.10") is None


def test_the_network_serves_the_platforms_port_unless_it_is_cut() -> None:
    rung = Rung(EC1, PLATFORM1, owners_start=True)
    ec1, platform = rung.host(EC1), rung.host(PLATFORM1)
    source, target = ec1.instance.id, platform.instance.id
    network = rung.world.network
    assert network.accepts(source, "10.0.1.10")
    assert not network.accepts(target, "10.0.3.11")  # no platform pico runs there
    for cut in ((source, target), ("*", target), (source, "*")):
        network.blocked = {cut}
        assert not network.accepts(source, "10.0.1.10")
    network.blocked = {("i-other", target)}
    assert network.accepts(source, "10.0.1.10")
    platform.running.clear()
    assert not network.accepts(source, "10.0.1.10")


def test_a_test_of_a_host_fails_where_the_story_says() -> None:
    world = World("demo")
    assert world.is_reachable("tcp:db:1521", "i-1")
    world.unreachable = {"tcp:db:1521": {"i-1"}, "mount:/data": {"*"}}
    assert [world.is_reachable("tcp:db:1521", one) for one in ("i-1", "i-2")] == [False, True]
    assert not world.is_reachable("mount:/data", "i-2")


# The table, past the controller.


def test_the_holder_is_the_one_of_the_record() -> None:
    rung = Rung(EC1)
    with pytest.raises(LookupError, match="slot ec1 has no holder in a drill"):
        rung.world.holder("ec1")
    rung.grant(rung.host())
    assert rung.world.holder("ec1") is rung.host()
    rung.grant(rung.host(), holder="i-elsewhere", ver=2)
    with pytest.raises(LookupError):
        rung.world.holder("ec1")


def test_records_and_reports_are_read_from_the_table_as_it_is() -> None:
    world = World("demo")
    report = Report(InstanceId("i-1"), EC1, "b", START, AgentPhase.RUNNING)
    newer = item(CELL, "SLOT#ec2", {}, schema=9)
    for stored in (slot_item(SlotRecord(EC1, ver=1, is_armed=True), "n"), newer, report_item(report)):
        world.admin.dynamodb.put_item(TableName=world.table.name, Item=stored)
    assert set(world.records()) == {EC1}
    assert (world.is_armed(EC1), world.is_armed(PLATFORM1)) == (True, False)
    assert world.last_report("i-1") == report
    assert world.last_report("i-2") is None


# The controller's gate.


def test_only_the_controllers_calls_are_counted_and_take_time() -> None:
    world = World("demo", latency_s=0.25)
    for clients in (world.admin, world.agents, world.controller):
        clients.ec2.describe_instances()
    assert world.gate.calls == {"DescribeInstances": 1}
    assert world.scheduler.elapsed == 0  # outside a task, time stands still

    def invocation() -> None:
        world.controller.ec2.describe_instances()
        world.controller.ec2.describe_instances()

    world.scheduler.spawn("handler", invocation)
    world.scheduler.run_for(0.4)
    assert world.gate.calls["DescribeInstances"] == 3
    assert not world.scheduler.tasks[-1].done
    world.scheduler.run_for(0.1)
    assert world.scheduler.tasks[-1].done


def test_a_fault_before_a_call_undoes_it_and_one_after_it_only_loses_its_answer() -> None:
    rung = Rung(EC1)
    ec2, instance = rung.world.controller.ec2, rung.host().instance

    def refuse(_service: str, operation: str, _params: dict[str, Any]) -> None:
        if operation == "StopInstances":
            raise AwsFault("RequestLimitExceeded", "slow down", 503)

    def lose(_service: str, operation: str, _params: dict[str, Any], _answer: Answer) -> None:
        if operation == "StopInstances":
            raise ReadTimeoutError(endpoint_url="https://aws")

    rung.world.gate.faults.before.append(refuse)
    with pytest.raises(ClientError, match="RequestLimitExceeded"):
        ec2.stop_instances(InstanceIds=[instance.id])
    assert instance.state == "running"
    rung.world.gate.faults.before.clear()
    rung.world.gate.faults.after.append(lose)
    with pytest.raises(ReadTimeoutError):
        ec2.stop_instances(InstanceIds=[instance.id])
    assert instance.state == "stopping"
    assert rung.world.gate.calls["StopInstances"] == 2
