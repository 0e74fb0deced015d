"""The sensors over fakeaws' services, through real clients: groups, addresses, hosts, status checks."""

from __future__ import annotations

from typing import Any

import pytest

from picoha.app.ports import HostStatus
from picoha.domain.model import Address, InstanceId, InstanceState, SlotName, Unknown
from picoha.fakeaws.autoscaling.group import GroupWarmPool, LifecycleHook
from picoha.fakeaws.scheduler import START
from unit.adapters.aws.aws_rig import Account, seeing

EC1, PLATFORM1 = SlotName("ec1"), SlotName("platform1")


@pytest.fixture
def account() -> Account:
    return Account()


# Groups.


def test_groups_are_the_cells_own_with_sizes_and_members(account: Account) -> None:
    account.group("ec1", hooks=[LifecycleHook("picoha-launch")])
    account.group("ec2", min_size=0, max_size=3, desired=0)
    account.group("ec1", cell="prod")
    account.scheduler.run_for(60)
    first, second = account.sensors.declared_slots()
    assert (first.name, first.group.name, first.problem) == ("ec1", "demo-ec1", "")
    assert first.group.is_singleton and not first.group.is_parked
    [member] = first.group.members
    assert member.is_held and member.instance in account.ec2.instances
    assert (second.group.min_size, second.group.max_size, second.group.desired) == (0, 3, 0)
    assert second.group.is_parked and second.group.members == ()


def test_members_of_the_warm_pool_are_members(account: Account) -> None:
    account.group("ec1", warm_pool=GroupWarmPool(1))
    account.group("ec2")
    account.scheduler.run_for(300)
    pooled, plain = account.sensors.declared_slots()
    assert sorted(member.lifecycle for member in pooled.group.members) == ["InService", "Warmed:Stopped"]
    assert [member.lifecycle for member in plain.group.members] == ["InService"]
    asked = [params["AutoScalingGroupName"] for params in account.gate.params("DescribeWarmPool")]
    assert asked == ["demo-ec1"]


def test_groups_beyond_the_first_page_are_seen(account: Account) -> None:
    for number in range(120):
        account.group(f"ec{number}", desired=0, min_size=0)
    assert len(account.sensors.declared_slots()) == 120
    assert len(account.gate.params("DescribeAutoScalingGroups")) == 3


def test_a_wrong_group_is_held_and_the_others_go_on(account: Account) -> None:
    account.group("ec1").tags["picoha:kind"] = "server"
    account.group("ec2")
    account.group("ec3").tags["picoha:slot"] = "EC-3"
    wrong, right = account.sensors.declared_slots()
    assert (wrong.name, wrong.spec) == ("ec1", None)
    assert wrong.problem.startswith("group demo-ec1: tag picoha:kind is 'server'")
    assert (right.name, right.problem) == ("ec2", "") and right.spec


@pytest.mark.parametrize("first_is_wrong", [False, True])
def test_two_groups_for_one_slot_hold_it_and_both_are_named(account: Account, first_is_wrong: bool) -> None:
    tags = account.group("ec1").tags
    if first_is_wrong:
        tags["picoha:kind"] = "server"
    account.group("ec1", name="demo-ec1-old")
    account.group("ec2")
    held, other = account.sensors.declared_slots()
    assert held.spec is None
    assert held.problem == "groups demo-ec1 and demo-ec1-old both carry picoha:slot=ec1"
    assert other.spec is not None


# Addresses.


def test_addresses_are_told_by_slot_with_where_they_are(account: Account) -> None:
    tags = {"picoha:cell": "demo", "picoha:slot": "platform1"}
    free = account.addresses.allocate("203.0.113.10", tags)
    taken = account.addresses.allocate("203.0.113.11", tags | {"picoha:slot": "ec1"})
    account.addresses.allocate("203.0.113.12", tags | {"picoha:cell": "prod"})
    account.addresses.allocate("203.0.113.13", {"picoha:cell": "demo"})
    host = account.host("ec1")
    association = account.addresses.place(taken, host.interface_id)
    found = account.sensors.addresses()
    assert set(found) == {PLATFORM1, EC1}
    unused, on_host = found[PLATFORM1], found[EC1]
    assert isinstance(unused, Address)
    assert isinstance(on_host, Address)
    assert unused.is_free
    assert (unused.allocation, unused.public_ip) == (free.allocation_id, "203.0.113.10")
    assert (on_host.association, on_host.instance, on_host.interface) == (
        association,
        host.id,
        host.interface_id,
    )


def test_an_address_on_an_interface_without_instance_is_not_free(account: Account) -> None:
    address = account.addresses.allocate("203.0.113.10", {"picoha:cell": "demo", "picoha:slot": "platform1"})
    account.addresses.place(address, "eni-of-a-stranger")
    seen = account.sensors.addresses()[PLATFORM1]
    assert isinstance(seen, Address)
    assert (seen.is_free, seen.instance, seen.interface) == (False, None, "eni-of-a-stranger")


def test_two_addresses_for_one_slot_are_an_error_not_a_choice(account: Account) -> None:
    tags = {"picoha:cell": "demo", "picoha:slot": "platform1"}
    account.addresses.allocate("203.0.113.10", tags)
    account.addresses.allocate("203.0.113.11", tags)
    found = account.sensors.addresses()
    assert found == {PLATFORM1: Unknown("two Elastic IPs carry picoha:slot=platform1, 203.0.113.11 is one")}


# Hosts.


def test_hosts_are_the_cells_instances_that_name_a_slot(account: Account) -> None:
    host, _, _ = account.host("ec1"), account.host(None), account.host("ec1", cell="prod")
    account.scheduler.run_for(30)
    [seen] = account.sensors.hosts()
    assert (seen.instance, seen.slot, seen.state) == (host.id, "ec1", InstanceState.RUNNING)
    assert (seen.private_ip, seen.interface, seen.zone) == (host.private_ip, host.interface_id, "eu-west-1a")
    assert seen.launched_at == START and seen.is_impaired is False


def test_a_terminated_host_is_seen_while_ec2_shows_it_and_then_no_more(account: Account) -> None:
    host = account.host("ec1")
    account.scheduler.run_for(30)
    account.ec2.terminate(host.id)
    account.scheduler.run_for(30)
    [seen] = account.sensors.hosts()
    assert (seen.instance, seen.is_terminated, seen.interface) == (host.id, True, None)
    account.scheduler.run_for(3600)
    assert account.sensors.hosts() == ()


def test_hosts_beyond_the_first_page_are_seen(account: Account) -> None:
    for _ in range(1001):
        account.host("ec1")
    assert len(account.sensors.hosts()) == 1001
    assert len(account.gate.params("DescribeInstances")) == 2


def described(*interfaces: tuple[str, int]) -> Any:
    """A DescribeInstances answer with one instance that has these (interface, device index)."""
    return {
        "Reservations": [
            {
                "Instances": [
                    {
                        "InstanceId": "i-1",
                        "State": {"Name": "running"},
                        "LaunchTime": START,
                        "Tags": [{"Key": "picoha:slot", "Value": "ec1"}],
                        "NetworkInterfaces": [
                            {"NetworkInterfaceId": name, "Attachment": {"DeviceIndex": index}}
                            for name, index in interfaces
                        ],
                    }
                ]
            }
        ]
    }


@pytest.mark.parametrize(
    ("interfaces", "primary"),
    [
        ([("eni-second", 1), ("eni-primary", 0)], "eni-primary"),
        ([("eni-primary", 0), ("eni-second", 1)], "eni-primary"),
        ([("eni-second", 1)], None),
        ([], None),
    ],
)
def test_the_primary_interface_is_the_one_with_device_index_0(
    interfaces: list[tuple[str, int]], primary: str | None
) -> None:
    """domain.md F39: the order in which EC2 lists interfaces says nothing."""
    [host] = seeing("ec2", DescribeInstances=described(*interfaces)).hosts()
    assert host.interface == primary


# Status checks.


def test_status_checks_and_planned_events_are_told_of_every_host(account: Account) -> None:
    well, sick, stopped = (account.host() for _ in range(3))
    account.scheduler.run_for(200)
    account.ec2.impair(sick.id)
    account.ec2.schedule_event(sick.id, "instance-retirement", account.scheduler.now)
    account.ec2.stop(stopped.id)
    found = account.sensors.statuses([InstanceId(one.id) for one in (well, sick, stopped)])
    assert found == {
        well.id: HostStatus(False),
        sick.id: HostStatus(True, "instance-retirement"),
        stopped.id: HostStatus(False),
    }


def test_status_checks_are_asked_for_100_hosts_a_call(account: Account) -> None:
    hosts = [InstanceId(account.host().id) for _ in range(201)]
    assert set(account.sensors.statuses(hosts)) == set(hosts)
    calls = account.gate.params("DescribeInstanceStatus")
    assert [len(call["InstanceIds"]) for call in calls] == [100, 100, 1]
    assert all(call["IncludeAllInstances"] for call in calls)


def test_no_host_means_no_call(account: Account) -> None:
    assert account.sensors.statuses([]) == {}
    assert account.gate.calls == []


@pytest.mark.parametrize("checks", [("impaired", "ok"), ("ok", "impaired"), ("impaired", "impaired")])
def test_either_check_makes_a_host_impaired(checks: tuple[str, str]) -> None:
    row = {
        "InstanceId": "i-1",
        "SystemStatus": {"Status": checks[0]},
        "InstanceStatus": {"Status": checks[1]},
    }
    sensors = seeing("ec2", DescribeInstanceStatus={"InstanceStatuses": [row]})
    assert sensors.statuses([InstanceId("i-1")])[InstanceId("i-1")].is_impaired


@pytest.mark.parametrize("check", ["ok", "initializing", "insufficient-data", "not-applicable"])
def test_any_other_check_is_no_impairment(check: str) -> None:
    row = {"InstanceId": "i-1", "SystemStatus": {"Status": check}, "InstanceStatus": {"Status": check}}
    sensors = seeing("ec2", DescribeInstanceStatus={"InstanceStatuses": [row]})
    assert sensors.statuses([InstanceId("i-1")])[InstanceId("i-1")] == HostStatus(False)


@pytest.mark.parametrize(
    ("texts", "planned"),
    [(["[Completed] over"], None), (["[Canceled] off"], None), (["[Completed] over", "soon"], "code-1")],
)
def test_an_event_that_is_over_is_not_planned(texts: list[str], planned: str | None) -> None:
    events = [{"Code": f"code-{number}", "Description": text} for number, text in enumerate(texts)]
    row = {"InstanceId": "i-1", "Events": events}
    sensors = seeing("ec2", DescribeInstanceStatus={"InstanceStatuses": [row]})
    assert sensors.statuses([InstanceId("i-1")])[InstanceId("i-1")].planned_event == planned
