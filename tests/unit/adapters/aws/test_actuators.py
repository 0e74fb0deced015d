"""The exact requests that change hosts, addresses and groups, and what their answers become."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from picoha.adapters.aws.actuators import GRANTS, AwsActuators
from picoha.app.errors import ActionFailed
from picoha.domain import actions
from picoha.domain.model import AllocationId, AssociationId, InstanceId, InterfaceId
from picoha.fakeaws.autoscaling.group import LifecycleHook
from picoha.fakeaws.scheduler import AwsFault
from unit.adapters.aws.aws_rig import Account, denied

I1 = InstanceId("i-1")
Order = Callable[[AwsActuators], str]
LAUNCH = {
    "LifecycleHookName": "picoha-launch",
    "AutoScalingGroupName": "demo-ec1",
    "InstanceId": "i-1",
}

ORDERS: list[tuple[str, str, Order, dict[str, Any]]] = [
    (
        "FenceHost",
        "TerminateInstances",
        lambda one: one.fence_host(I1, force=False),
        {"InstanceIds": ["i-1"], "SkipOsShutdown": True, "Force": False},
    ),
    (
        "FenceHost",
        "TerminateInstances",
        lambda one: one.fence_host(I1, force=True),
        {"InstanceIds": ["i-1"], "SkipOsShutdown": True, "Force": True},
    ),
    (
        "HintUnhealthy",
        "SetInstanceHealth",
        lambda one: one.hint_unhealthy(I1),
        {"InstanceId": "i-1", "HealthStatus": "Unhealthy", "ShouldRespectGracePeriod": False},
    ),
    (
        "FreeAddress",
        "DisassociateAddress",
        lambda one: one.free_address(AssociationId("eipassoc-1")),
        {"AssociationId": "eipassoc-1"},
    ),
    (
        "MoveAddress",
        "AssociateAddress",
        lambda one: one.move_address(AllocationId("eipalloc-1"), InterfaceId("eni-1")),
        {"AllocationId": "eipalloc-1", "NetworkInterfaceId": "eni-1", "AllowReassociation": False},
    ),
    (
        "ReleaseLaunch",
        "CompleteLifecycleAction",
        lambda one: one.release_launch("demo-ec1", I1),
        LAUNCH | {"LifecycleActionResult": "CONTINUE"},
    ),
    (
        "AbandonLaunch",
        "CompleteLifecycleAction",
        lambda one: one.abandon_launch("demo-ec1", I1),
        LAUNCH | {"LifecycleActionResult": "ABANDON"},
    ),
    (
        "ExtendLaunch",
        "RecordLifecycleActionHeartbeat",
        lambda one: one.extend_launch("demo-ec1", I1),
        LAUNCH,
    ),
]
each_order = pytest.mark.parametrize(("sid", "operation", "order", "request_"), ORDERS)


@pytest.fixture
def account() -> Account:
    return Account()


@each_order
def test_an_action_is_one_call_with_exactly_these_parameters(
    account: Account, sid: str, operation: str, order: Order, request_: dict[str, Any]
) -> None:
    with pytest.raises(ActionFailed):  # nothing of that name exists on fakeaws
        order(AwsActuators(account.clients))
    assert account.gate.calls == [(operation, request_)]
    assert sid in GRANTS


@each_order
def test_a_refusal_and_a_lost_answer_are_told_apart(
    account: Account, sid: str, operation: str, order: Order, request_: dict[str, Any]
) -> None:
    account.gate.refused[operation] = denied(operation)
    with pytest.raises(ActionFailed) as refused:
        order(AwsActuators(account.clients))
    assert (refused.value.kind, refused.value.code) == ("denied", "UnauthorizedOperation")
    assert refused.value.outcome_known and refused.value.request_id
    account.gate.refused[operation] = ReadTimeoutError(endpoint_url="https://aws")
    with pytest.raises(ActionFailed, match="whether it happened is not known") as lost:
        order(AwsActuators(account.clients))
    assert not lost.value.outcome_known


def test_every_action_of_the_domain_has_a_grant_and_a_request() -> None:
    names = {one.__name__ for one in actions.Action.__args__}
    assert names == set(GRANTS) == {sid for sid, *_ in ORDERS}


def test_an_accepted_action_returns_the_request_id_of_aws(account: Account) -> None:
    host = account.host()
    account.scheduler.run_for(30)
    request_id = AwsActuators(account.clients).fence_host(InstanceId(host.id), force=False)
    assert request_id.endswith("-0000-4000-8000-000000000000")
    assert (host.state, host.skip_os_shutdown) == ("shutting-down", True)


def test_a_taken_address_is_never_pulled_from_its_host(account: Account) -> None:
    holder, other = account.host(), account.host()
    address = account.addresses.allocate("203.0.113.10")
    association = account.addresses.place(address, holder.interface_id)
    account.scheduler.run_for(30)
    actuators = AwsActuators(account.clients)
    with pytest.raises(
        ActionFailed, match=r"moving address eipalloc-.* to eni-.*AlreadyAssociated"
    ) as caught:
        actuators.move_address(AllocationId(address.allocation_id), InterfaceId(other.interface_id))
    assert caught.value.kind == "conflict"
    assert (address.interface_id, address.association_id) == (holder.interface_id, association)


def test_an_old_association_id_frees_nothing(account: Account) -> None:
    host = account.host()
    address = account.addresses.allocate("203.0.113.10")
    old = account.addresses.place(address, host.interface_id)
    account.addresses.free(address)
    account.addresses.place(address, host.interface_id)
    with pytest.raises(ActionFailed, match=f"ending association {old}: InvalidAssociationID.NotFound"):
        AwsActuators(account.clients).free_address(AssociationId(old))
    assert address.interface_id == host.interface_id


def test_a_free_address_goes_to_the_interface(account: Account) -> None:
    host = account.host()
    address = account.addresses.allocate("203.0.113.10")
    account.scheduler.run_for(30)
    actuators = AwsActuators(account.clients)
    actuators.move_address(AllocationId(address.allocation_id), InterfaceId(host.interface_id))
    assert address.interface_id == host.interface_id


def test_a_held_launch_is_extended_then_released_and_then_known_no_more(account: Account) -> None:
    group = account.group("ec1", hooks=[LifecycleHook("picoha-launch", heartbeat_s=900)])
    account.scheduler.run_for(60)
    [member] = group.members.values()
    instance, actuators = InstanceId(member.instance.id), AwsActuators(account.clients)
    account.scheduler.run_for(800)
    actuators.extend_launch("demo-ec1", instance)
    account.scheduler.run_for(800)
    assert member.lifecycle == "Pending:Wait"
    actuators.release_launch("demo-ec1", instance)
    account.scheduler.run_for(10)
    assert member.lifecycle == "InService"
    with pytest.raises(ActionFailed, match=r"completing the launch of i-.* with ABANDON") as late:
        actuators.abandon_launch("demo-ec1", instance)
    assert (late.value.kind, late.value.outcome_known) == ("not_found", True)
    assert member.lifecycle == "InService"


@pytest.mark.parametrize(
    ("error", "kind", "is_known"),
    [
        (AwsFault("RequestLimitExceeded", "slow down", 503), "throttled", True),
        (AwsFault("InternalError", "oops", 500), "internal", False),
        (ConnectTimeoutError(endpoint_url="https://aws"), "unreachable", False),
    ],
)
def test_an_error_says_its_kind_and_whether_it_may_have_happened(
    account: Account, error: Exception, kind: str, is_known: bool
) -> None:
    account.gate.refused["TerminateInstances"] = error
    with pytest.raises(ActionFailed, match="terminating i-1: ") as caught:
        AwsActuators(account.clients).fence_host(I1, force=False)
    assert (caught.value.kind, caught.value.outcome_known) == (kind, is_known)
