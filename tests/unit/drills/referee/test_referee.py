"""The referee sees what must never happen, in the world itself, and sees nothing where all is well."""

from __future__ import annotations

from typing import Any

import pytest

from picoha.adapters.aws.items import slot_item
from picoha.domain.model import EvidenceKind
from picoha.drills.world import World
from unit.drills.referee.referee_rig import (
    HOOK,
    add_platform,
    by_hand,
    committed,
    enforced,
    evidence,
    fenced,
    gone,
    hosts_of,
    operation,
    ordered,
    record,
    world,
)

# S3: two actives.


def test_one_host_that_runs_a_pico_is_well_and_so_is_another_after_it() -> None:
    found = world()
    first, second = hosts_of(found)
    first.start_pico("ec1")
    first.halt()
    second.start_pico("ec1")
    assert found.referee.violations == []


def test_a_pico_that_runs_on_two_hosts_is_seen_once_with_its_second() -> None:
    found = world()
    first, second = hosts_of(found)
    first.start_pico("ec1")
    second.start_pico("ec1")
    found.scheduler.run_for(100)
    second.start_pico("ec1")
    ids = " and ".join(sorted(one.instance.id for one in (first, second)))
    assert found.referee.violations == [f"60 s: S3: ec1 of ec1 runs on {ids}"]


def test_a_machine_that_died_runs_nothing_whatever_ec2_says() -> None:
    found = world()
    first, second = hosts_of(found)
    first.start_pico("ec1")
    found.ec2.die(first.instance.id)
    second.start_pico("ec1")
    assert first.instance.state == "running"
    assert found.referee.violations == []


def test_a_machine_that_only_lost_its_agent_still_runs_its_picos() -> None:
    found = world()
    first, second = hosts_of(found)
    first.start_pico("ec1")
    first.is_agent_up = False
    second.start_pico("ec1")
    assert len(found.referee.violations) == 1


def test_other_picos_on_other_hosts_are_no_two_actives() -> None:
    found = world()
    first, second = hosts_of(found)
    first.start_pico("ec1")
    second.start_pico("sc1")
    assert found.referee.violations == []


def test_two_slots_that_run_the_platform_are_two_actives_and_one_beside_an_ec_is_none() -> None:
    found = world(1)
    first, second = add_platform(found, "platform1", "platform"), add_platform(found, "mz2", "pf")
    hosts_of(found)[0].start_pico("ec1")
    first.start_pico("platform")
    assert found.referee.violations == []
    second.start_pico("pf")
    ids = f"{first.instance.id} and {second.instance.id}"
    assert found.referee.violations == [f"180 s: S3: the Platform runs on {ids}"]


def test_an_owner_who_starts_picos_by_himself_is_not_judged() -> None:
    found = world()
    found.owners_start = True
    for host in hosts_of(found):
        host.start_pico("ec1")
    assert found.referee.violations == []


# S5, S6, S7, S12: calls of the controller.


def test_a_terminated_bystander_is_seen_and_a_victim_is_not() -> None:
    found = world()
    victim, bystander = (one.instance.id for one in hosts_of(found))
    fenced(found, victim)
    found.controller.ec2.terminate_instances(InstanceIds=[victim])
    assert found.referee.violations == []
    ordered(found, f"FenceHost {bystander}", 9)
    found.controller.ec2.terminate_instances(InstanceIds=[bystander])
    assert found.referee.violations == [f"60 s: S6: {bystander} was terminated and is no victim"]


def test_an_earlier_victim_of_the_operation_may_be_terminated_again() -> None:
    found = world()
    first, second = (one.instance.id for one in hosts_of(found))
    fenced(found, first, second)
    found.controller.ec2.terminate_instances(InstanceIds=[first])
    assert found.referee.violations == []


def test_without_an_operation_every_host_is_a_bystander() -> None:
    found = world(1)
    [host] = hosts_of(found)
    ordered(found, f"FenceHost {host.instance.id}")
    found.controller.ec2.terminate_instances(InstanceIds=[host.instance.id])
    assert found.referee.violations == [f"60 s: S6: {host.instance.id} was terminated and is no victim"]


def test_a_former_victim_that_holds_the_slot_again_is_none() -> None:
    """Aborted, and adopted by a human: a call that arrives late must not kill it."""
    found = world()
    first = hosts_of(found)[0].instance.id
    enforced(found)
    committed(found, slot_item(record(1, first, op=operation(first)), "n"))
    ordered(found, f"FenceHost {first}")
    by_hand(found, slot_item(record(2, first, epoch=2), "n"))
    found.controller.ec2.terminate_instances(InstanceIds=[first])
    assert found.referee.violations == [f"60 s: S6: {first} was terminated and holds its slot"]


def test_a_host_that_is_called_unhealthy_must_be_a_victim_too() -> None:
    found = world(1)
    first = hosts_of(found)[0].instance.id
    ordered(found, f"HintUnhealthy {first}")
    found.controller.autoscaling.set_instance_health(InstanceId=first, HealthStatus="Unhealthy")
    assert found.referee.violations == [f"60 s: S6: {first} was called unhealthy and is no victim"]


def test_a_destructive_call_without_an_intent_is_seen() -> None:
    found = world()
    first = hosts_of(found)[0].instance.id
    by_hand(found, slot_item(record(1, first, op=operation(first)), "n"))
    found.controller.ec2.terminate_instances(InstanceIds=[first])
    assert found.referee.violations == [f"60 s: S7: {first} was terminated without an intent"]


@pytest.mark.parametrize("action", ["FenceHost {} force", "FenceHost {}"])
def test_either_form_of_the_intent_will_do(action: str) -> None:
    found = world()
    first = hosts_of(found)[0].instance.id
    by_hand(found, slot_item(record(1, first, op=operation(first)), "n"))
    ordered(found, action.format(first))
    found.controller.ec2.terminate_instances(InstanceIds=[first], Force=True)
    assert found.referee.violations == []


def abandon(instance: str, found: World) -> None:
    found.controller.autoscaling.complete_lifecycle_action(
        LifecycleHookName=HOOK,
        AutoScalingGroupName="demo-ec1",
        LifecycleActionResult="ABANDON",
        InstanceId=instance,
    )


def test_a_launch_abandoned_under_a_living_host_is_seen() -> None:
    found = world(1, is_hooked=True)
    first = hosts_of(found)[0].instance.id
    ordered(found, f"AbandonLaunch {first}")
    abandon(first, found)
    assert found.referee.violations == [f"60 s: S6: the launch of {first} was abandoned, and it is not off"]


def test_a_launch_abandoned_under_the_holder_is_seen() -> None:
    found = world(1, is_hooked=True)
    first = hosts_of(found)[0].instance.id
    by_hand(found, slot_item(record(1, first), "n"))
    ordered(found, f"AbandonLaunch {first}")
    abandon(first, found)
    assert f"60 s: S6: the launch of {first} was abandoned, and it holds its slot" in found.referee.violations


def test_the_launch_of_a_terminated_host_may_be_abandoned() -> None:
    found = world(1, is_hooked=True)
    first = gone(found, hosts_of(found)[0])
    ordered(found, f"AbandonLaunch {first}")
    abandon(first, found)
    assert found.referee.violations == []


def relieved(found: World) -> tuple[str, str]:
    """Put an address on a host; return its association and the host."""
    host = hosts_of(found)[0].instance
    address = found.addresses.allocate("203.0.113.10")
    return found.addresses.place(address, host.interface_id), host.id


def stopped(found: World, instance: str) -> None:
    """Stop a host that Auto Scaling must not replace."""
    found.autoscaling.groups["demo-ec1"].suspended.add("ReplaceUnhealthy")
    found.ec2.stop(instance)
    found.scheduler.run_for(60)


def test_an_address_taken_from_a_granted_holder_is_seen() -> None:
    found = world(1)
    association, first = relieved(found)
    by_hand(found, slot_item(record(1, first), "n"))
    ordered(found, f"FreeAddress {association}")
    found.controller.ec2.disassociate_address(AssociationId=association)
    assert found.referee.violations == [
        f"60 s: S5: 203.0.113.10 was taken from {first}, which is not proven off",
        f"60 s: S6: {first} lost its address and is no victim",
    ]


def test_an_address_taken_from_a_victim_that_is_only_stopped_is_seen() -> None:
    found = world(1)
    association, first = relieved(found)
    fenced(found, first)
    ordered(found, f"FreeAddress {association}", 9)
    stopped(found, first)
    found.controller.ec2.disassociate_address(AssociationId=association)
    assert found.referee.violations == [
        f"120 s: S5: 203.0.113.10 was taken from {first}, which is not proven off"
    ]


def test_an_address_may_be_taken_from_a_victim_with_a_humans_evidence() -> None:
    found = world(1)
    association, first = relieved(found)
    fenced(found, first)
    ordered(found, f"FreeAddress {association}", 9)
    stopped(found, first)
    committed(found, evidence(first, EvidenceKind.OPERATOR))
    found.controller.ec2.disassociate_address(AssociationId=association)
    assert found.referee.violations == []


@pytest.mark.parametrize("given", [{}, {"AllowReassociation": True}])
def test_an_address_that_may_be_pulled_from_somebody_is_seen(given: dict[str, Any]) -> None:
    found = world(1)
    address = found.addresses.allocate("203.0.113.10")
    interface = hosts_of(found)[0].instance.interface_id
    client: Any = found.controller.ec2
    client.associate_address(AllocationId=address.allocation_id, NetworkInterfaceId=interface, **given)
    assert found.referee.violations == ["60 s: S5: an address was associated with reassociation allowed"]


def test_an_address_that_is_only_taken_while_free_is_well() -> None:
    found = world(1)
    address = found.addresses.allocate("203.0.113.10")
    found.controller.ec2.associate_address(
        AllocationId=address.allocation_id,
        NetworkInterfaceId=hosts_of(found)[0].instance.interface_id,
        AllowReassociation=False,
    )
    assert found.referee.violations == []


def test_a_capacity_that_is_written_is_seen_whatever_it_is() -> None:
    found = world(1)
    scaling = found.controller.autoscaling
    scaling.set_desired_capacity(AutoScalingGroupName="demo-ec1", DesiredCapacity=1)
    scaling.update_auto_scaling_group(AutoScalingGroupName="demo-ec1", MinSize=0)
    assert found.referee.violations == [
        "60 s: S12: SetDesiredCapacity was called",
        "60 s: S12: UpdateAutoScalingGroup was called",
    ]


def test_a_forbidden_call_is_seen_even_when_it_fails() -> None:
    found = world(0)
    ordered(found, "FenceHost i-nobody")
    with pytest.raises(found.controller.ec2.exceptions.ClientError):
        found.controller.ec2.terminate_instances(InstanceIds=["i-nobody"])
    assert found.referee.violations == ["60 s: S6: i-nobody was terminated and is no victim"]


def test_what_the_owner_does_by_hand_is_not_the_controllers() -> None:
    found = world(1)
    found.admin.ec2.terminate_instances(InstanceIds=[hosts_of(found)[0].instance.id])
    found.admin.autoscaling.set_desired_capacity(AutoScalingGroupName="demo-ec1", DesiredCapacity=0)
    assert found.referee.violations == []


def test_seconds_are_told_from_second_0_of_the_story() -> None:
    found = world(1)
    found.zero_s = 50
    found.controller.autoscaling.set_desired_capacity(AutoScalingGroupName="demo-ec1", DesiredCapacity=1)
    assert found.referee.violations == ["10 s: S12: SetDesiredCapacity was called"]
