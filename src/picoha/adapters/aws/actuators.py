"""Every AWS call that changes a host, an address or a group; each with the grant it needs.

The Sid is the action's name, so a policy reads like the domain. What must never stand here is in
safety.md 7.5: no reassociation, no capacity write, nothing addressed by role or name alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from picoha.adapters.aws.clients import Clients
from picoha.adapters.aws.faults import changing
from picoha.domain.model import AllocationId, AssociationId, InstanceId, InterfaceId

HOOK = "picoha-launch"

GRANTS: dict[str, frozenset[str]] = {
    "FenceHost": frozenset({"ec2:TerminateInstances"}),
    "HintUnhealthy": frozenset({"autoscaling:SetInstanceHealth"}),
    "FreeAddress": frozenset({"ec2:DisassociateAddress"}),
    "MoveAddress": frozenset({"ec2:AssociateAddress"}),
    "ReleaseLaunch": frozenset({"autoscaling:CompleteLifecycleAction"}),
    "AbandonLaunch": frozenset({"autoscaling:CompleteLifecycleAction"}),
    "ExtendLaunch": frozenset({"autoscaling:RecordLifecycleActionHeartbeat"}),
}


class AwsActuators:
    """Changes one cell through boto3. Every method raises ActionFailed."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def fence_host(self, instance: InstanceId, force: bool) -> str:
        """Terminate exactly this instance without waiting for its operating system."""
        with changing(f"terminating {instance}"):
            answer = self._clients.ec2.terminate_instances(
                InstanceIds=[instance], SkipOsShutdown=True, Force=force
            )
        return _request_id(answer["ResponseMetadata"])

    def hint_unhealthy(self, instance: InstanceId) -> str:
        """Tell Auto Scaling at once, grace period or not."""
        with changing(f"telling Auto Scaling that {instance} is unhealthy"):
            answer = self._clients.autoscaling.set_instance_health(
                InstanceId=instance, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False
            )
        return _request_id(answer["ResponseMetadata"])

    def free_address(self, association: AssociationId) -> str:
        """End this association; a later association has another id and is not touched."""
        with changing(f"ending association {association}"):
            answer = self._clients.ec2.disassociate_address(AssociationId=association)
        return _request_id(answer["ResponseMetadata"])

    def move_address(self, allocation: AllocationId, interface: InterfaceId) -> str:
        """Associate a free address; refused by EC2 while anybody has it."""
        with changing(f"moving address {allocation} to {interface}"):
            answer = self._clients.ec2.associate_address(
                AllocationId=allocation, NetworkInterfaceId=interface, AllowReassociation=False
            )
        return _request_id(answer["ResponseMetadata"])

    def release_launch(self, group: str, instance: InstanceId) -> str:
        """Complete the launch hook of this instance with CONTINUE."""
        return self._complete(group, instance, "CONTINUE")

    def abandon_launch(self, group: str, instance: InstanceId) -> str:
        """Complete the launch hook of this instance with ABANDON."""
        return self._complete(group, instance, "ABANDON")

    def _complete(self, group: str, instance: InstanceId, result: str) -> str:
        with changing(f"completing the launch of {instance} with {result}"):
            answer = self._clients.autoscaling.complete_lifecycle_action(
                LifecycleHookName=HOOK,
                AutoScalingGroupName=group,
                LifecycleActionResult=result,
                InstanceId=instance,
            )
        return _request_id(answer["ResponseMetadata"])

    def extend_launch(self, group: str, instance: InstanceId) -> str:
        """Restart the heartbeat of the launch hook of this instance."""
        with changing(f"extending the launch of {instance}"):
            answer = self._clients.autoscaling.record_lifecycle_action_heartbeat(
                LifecycleHookName=HOOK, AutoScalingGroupName=group, InstanceId=instance
            )
        return _request_id(answer["ResponseMetadata"])


def _request_id(metadata: Mapping[str, Any]) -> str:
    return str(metadata["RequestId"])
