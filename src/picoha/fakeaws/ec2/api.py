"""EC2's calls on instances, answered from fakeaws' `Instances`.

Rules are the EC2 API reference's and the user guide's (terminate methods, eventual consistency).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from picoha.fakeaws.clients import ACCOUNT, Answer, Operation, matches, page, played, tag_list
from picoha.fakeaws.ec2.instances import ENDING, Instance, Instances, not_found
from picoha.fakeaws.scheduler import AwsFault

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}


class Ec2(Instances):
    """EC2 in memory: the inherited methods are the story's hand, `operations` what clients reach.

    `stale_reads_s` > 0 makes each describe answer as of a random instant up to that long ago.
    """

    stale_reads_s = 0.0

    @cached_property
    def operations(self) -> dict[str, Operation]:
        """What EC2 answers, the operations of whoever adds to it included."""
        return played(self)

    def _seen(self, params: dict[str, Any]) -> list[tuple[Instance, str]]:
        """The instances a describe call sees, each with the state it shows."""
        refuse_dry_run(params)
        ids = params.get("InstanceIds", [])
        if ids and params.get("MaxResults"):
            message = "The parameter instancesSet cannot be used with the parameter maxResults"
            raise AwsFault("InvalidParameterCombination", message)
        as_of = self.scheduler.elapsed
        if self.stale_reads_s:
            as_of -= self.scheduler.random.uniform(0.0, self.stale_reads_s)
        for one in ids:
            if self.get(one).state_at(as_of) is None:
                raise not_found(one)
        shown = [
            (instance, instance.state_at(as_of))
            for instance in self.instances.values()
            if not ids or instance.id in ids
        ]
        return [
            (one, state)
            for one, state in shown
            if state and matches(params, one.tags, {"instance-id": one.id, "instance-state-name": state})
        ]

    def _api_describe_instances(self, params: dict[str, Any]) -> Answer:
        rows = [
            {"ReservationId": f"r-{one.id[2:]}", "OwnerId": ACCOUNT, "Instances": [_shown(one, state)]}
            for one, state in self._seen(params)
        ]
        return page(rows, params, "Reservations", "MaxResults", 1000)

    def _api_describe_instance_status(self, params: dict[str, Any]) -> Answer:
        every = params.get("IncludeAllInstances", False)
        rows = [
            {
                "InstanceId": one.id,
                "AvailabilityZone": one.zone,
                "InstanceState": _state(state),
                "SystemStatus": {"Status": "ok" if one.alive and check == "impaired" else check},
                "InstanceStatus": {"Status": check},
                "Events": one.scheduled_events,
            }
            for one, state in self._seen(params)
            if every or state == "running"
            for check in [self.check(one, state)]
        ]
        return page(rows, params, "InstanceStatuses", "MaxResults", 1000)

    def _change(self, params: dict[str, Any], key: str, change: Callable[[str], None]) -> Answer:
        refuse_dry_run(params)
        found = [self.get(one) for one in params["InstanceIds"]]
        before = [one.state for one in found]
        for one in found:
            change(one.id)
        return {
            key: [
                {"InstanceId": one.id, "CurrentState": _state(one.state), "PreviousState": _state(old)}
                for one, old in zip(found, before, strict=True)
            ]
        }

    def _api_terminate_instances(self, params: dict[str, Any]) -> Answer:
        refuse_dry_run(params)
        force, skip = params.get("Force", False), params.get("SkipOsShutdown", False)
        found = [self.get(one) for one in params["InstanceIds"]]
        kept = [one for one in found if one.protected and one.state not in ENDING]
        free = [one.id for one in found if one.zone not in {other.zone for other in kept}]
        answer = self._change(
            {"InstanceIds": free}, "TerminatingInstances", lambda one: self.terminate(one, force, skip)
        )
        if kept:
            message = f"The instance '{kept[0].id}' may not be terminated. Modify its 'disableApiTermination'"
            raise AwsFault("OperationNotPermitted", f"{message} instance attribute and try again.")
        return answer

    def _api_stop_instances(self, params: dict[str, Any]) -> Answer:
        skip = params.get("SkipOsShutdown", False)
        return self._change(params, "StoppingInstances", lambda one: self.stop(one, skip))

    def _api_start_instances(self, params: dict[str, Any]) -> Answer:
        return self._change(params, "StartingInstances", self.start)


def refuse_dry_run(params: dict[str, Any]) -> None:
    """Answer a dry run as EC2 does for an allowed caller: with DryRunOperation."""
    if params.get("DryRun"):
        raise AwsFault("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)


def _state(state: str) -> Answer:
    return {"Code": CODES[state], "Name": state}


def _shown(instance: Instance, state: str) -> Answer:
    """An instance as DescribeInstances shows it; a terminated one has lost its interface."""
    row: Answer = {
        "InstanceId": instance.id,
        "ImageId": "ami-0fake",
        "InstanceType": "m6i.large",
        "State": _state(state),
        "StateTransitionReason": instance.reason,
        "LaunchTime": instance.launched_at,
        "Placement": {"AvailabilityZone": instance.zone},
        "Tags": tag_list(instance.tags),
    }
    if state == "terminated":
        return row | {"NetworkInterfaces": []}
    interface: Answer = {
        "NetworkInterfaceId": instance.interface_id,
        "PrivateIpAddress": instance.private_ip,
        "SubnetId": instance.subnet_id,
        "Status": "in-use",
        "Attachment": {"DeviceIndex": 0, "Status": "attached"},
    }
    row |= {"PrivateIpAddress": instance.private_ip, "SubnetId": instance.subnet_id}
    if instance.public_ip:
        row["PublicIpAddress"] = instance.public_ip
        interface["Association"] = {"PublicIp": instance.public_ip, "IpOwnerId": ACCOUNT}
    return row | {"NetworkInterfaces": [interface]}
