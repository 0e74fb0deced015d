"""Every AWS call of a story, as the permissions it needs: actions, resources, tags and keys.

Which resources and condition keys a call is checked on: AWS service authorization reference, "Actions,
resources, and condition keys" of each service. An optional resource counts as checked.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.aws_calls import TRANSACTION_PARTS, prefix
from contract.policies import REGION, Context, Request
from contract.templates import ACCOUNT
from picoha.adapters.aws.clients import Clients
from picoha.drills.drill import Drill, DrillReport, report
from picoha.drills.operator import operator_of
from picoha.drills.story import read_story
from picoha.drills.verbs.table import schedule
from picoha.drills.world import World
from picoha.fakeaws.clients import CallGate, fake_session

Needs = Iterator[tuple[str, Context]]
Needed = dict[str, dict[str, Request]]
"""Who called ("controller", "hosts", "operator"), then each different permission once, by its kind."""
GROUP = "autoScalingGroup:00000000-0000-4000-8000-000000000000:autoScalingGroupName"


def arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


def _tagged(service: str, tags: Mapping[str, str]) -> Context:
    """Return the tags of a resource under both of their condition keys."""
    own = {f"{service}:ResourceTag/{key}": value for key, value in tags.items()}
    return own | {f"aws:ResourceTag/{key}": value for key, value in tags.items()}


# What each call is checked on. A call that is not here is told by name.


def _nothing(_world: World, _params: Any) -> Needs:
    """Yield what calls are checked on that know no resource."""
    yield "*", {}


def _instances(world: World, params: Any) -> Needs:
    for one in params["InstanceIds"]:
        yield arn("ec2", f"instance/{one}"), _tagged("ec2", world.ec2.get(one).tags)


def _interface(world: World, interface: str) -> Needs:
    found = [instance for instance in world.ec2.instances.values() if instance.interface_id == interface]
    tags = found[0].interface_tags if found else {}
    yield arn("ec2", f"network-interface/{interface}"), _tagged("ec2", tags)


def _associate(world: World, params: Any) -> Needs:
    address = world.addresses.addresses[params["AllocationId"]]
    yield arn("ec2", f"elastic-ip/{address.allocation_id}"), _tagged("ec2", address.tags)
    yield from _interface(world, params["NetworkInterfaceId"])
    for instance in world.ec2.instances.values():
        if instance.interface_id == params["NetworkInterfaceId"]:
            yield arn("ec2", f"instance/{instance.id}"), _tagged("ec2", instance.tags)


def _disassociate(world: World, params: Any) -> Needs:
    for address in world.addresses.addresses.values():
        if address.association_id == params["AssociationId"]:
            yield arn("ec2", f"elastic-ip/{address.allocation_id}"), _tagged("ec2", address.tags)
            yield from _interface(world, str(address.interface_id))


def _group(world: World, name: str) -> Needs:
    yield arn("autoscaling", f"{GROUP}/{name}"), _tagged("autoscaling", world.autoscaling.groups[name].tags)


def _group_of(world: World, params: Any) -> Needs:
    """A hint about an instance that no group has is refused before anything is checked."""
    member = world.autoscaling.member(params["InstanceId"])
    return _group(world, member[0].name) if member else iter(())


def _named_group(world: World, params: Any) -> Needs:
    return _group(world, params["AutoScalingGroupName"])


def _namespace(_world: World, params: Any) -> Needs:
    yield "*", {"cloudwatch:namespace": params["Namespace"]}


def _keyed(params: Any, partition: Mapping[str, Any]) -> Needs:
    leading = frozenset(str(one) for one in partition.values())
    yield arn("dynamodb", f"table/{params['TableName']}"), {"dynamodb:LeadingKeys": leading}


def _query(_world: World, params: Any) -> Needs:
    return _keyed(params, params["ExpressionAttributeValues"][":pk"])


def _item(_world: World, params: Any) -> Needs:
    return _keyed(params, (params.get("Key") or params["Item"])["pk"])


def _plain(service: str, kind: str, name: str) -> Needs:
    yield arn(service, f"{kind}{name}"), {}


def _alarms(_world: World, params: Any) -> Needs:
    yield from _plain("cloudwatch", "alarm:", params.get("AlarmNames", ["*"])[0])


def _table(_world: World, params: Any) -> Needs:
    yield from _plain("dynamodb", "table/", params["TableName"])


def _queue(_world: World, params: Any) -> Needs:
    yield from _plain("sqs", "", params.get("QueueName") or params["QueueUrl"].rpartition("/")[2])


def _function(_world: World, params: Any) -> Needs:
    yield from _plain("lambda", "function:", params["FunctionName"])


def _role(_world: World, params: Any) -> Needs:
    yield params["PolicySourceArn"], {}


Means = Callable[[World, Any], Needs]
INSPECTED = (
    "autoscaling:DescribeLifecycleHooks",
    "ec2:DescribeAccountAttributes",
    "ec2:DescribeInstanceAttribute",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeNatGateways",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcEndpoints",
    "ec2:GetManagedPrefixListEntries",
)
"""Looks of `doctor` and `leave`, granted on everything."""
MEANS: dict[str, Means] = {
    "ec2:DescribeAddresses": _nothing,
    "ec2:DescribeInstances": _nothing,
    "ec2:DescribeInstanceStatus": _nothing,
    "ec2:TerminateInstances": _instances,
    "ec2:AssociateAddress": _associate,
    "ec2:DisassociateAddress": _disassociate,
    "autoscaling:DescribeAutoScalingGroups": _nothing,
    "autoscaling:DescribeScalingActivities": _nothing,
    "autoscaling:DescribeWarmPool": _nothing,
    "autoscaling:SetInstanceHealth": _group_of,
    "autoscaling:CompleteLifecycleAction": _named_group,
    "autoscaling:RecordLifecycleActionHeartbeat": _named_group,
    "cloudwatch:GetMetricData": _nothing,
    "cloudwatch:PutMetricData": _namespace,
    "cloudwatch:DescribeAlarms": _alarms,
    "rds:DescribeDBInstances": lambda _, one: _plain("rds", "db:", one["DBInstanceIdentifier"]),
    "rds:DescribeDBClusters": lambda _, one: _plain("rds", "cluster:", one["DBClusterIdentifier"]),
    "elasticfilesystem:DescribeFileSystems": lambda _, one: _plain(
        "elasticfilesystem", "file-system/", one["FileSystemId"]
    ),
    "sns:Publish": lambda _, one: iter([(one["TopicArn"], {})]),
    "dynamodb:Query": _query,
    "dynamodb:GetItem": _item,
    "dynamodb:PutItem": _item,
    "dynamodb:DeleteItem": _item,
    **dict.fromkeys(INSPECTED, _nothing),
    "dynamodb:DescribeContinuousBackups": _table,
    "dynamodb:DescribeTable": _table,
    "iam:SimulatePrincipalPolicy": _role,
    "lambda:GetFunctionConcurrency": _function,
    "lambda:GetFunctionConfiguration": _function,
    "sqs:GetQueueAttributes": _queue,
    "sqs:GetQueueUrl": _queue,
}


def requests(world: World, service: str, operation: str, params: Any) -> Iterator[Request]:
    """Yield what IAM is asked for one call; raises KeyError for a call whose resources are not known."""
    if operation == "TransactWriteItems":
        for action in params["TransactItems"]:
            [(part, inner)] = action.items()
            for resource, context in _item(world, inner):
                yield Request(f"dynamodb:{TRANSACTION_PARTS[part]}", resource, context)
        return
    name = f"{prefix(service)}:{operation}"
    for resource, context in MEANS[name](world, params):
        yield Request(name, resource, {**context, "aws:RequestedRegion": REGION})


def kind(request: Request) -> str:
    """Return what two permissions have in common that no policy of ours tells apart: all but the ids."""
    resource = re.sub(r"\b(i|eni|eipalloc)-[0-9a-z]+", r"\1-", request.resource)
    known = {key: sorted(one) if isinstance(one, frozenset) else one for key, one in request.context.items()}
    leading = known.get("dynamodb:LeadingKeys")
    if leading:
        known["dynamodb:LeadingKeys"] = [one.partition("#")[0] for one in leading]
    return json.dumps([request.action, resource, dict(sorted(known.items()))])


class Recorder(CallGate):
    """Stands in a caller's line and notes what each call needs, at the moment of the call."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.found: dict[str, Request] = {}
        self.calls = 0

    def before(self, service: str, operation: str, params: dict[str, Any]) -> None:
        """Note one call."""
        self.calls += 1
        for request in requests(self._world, service, operation, params):
            self.found.setdefault(kind(request), request)


@dataclass(frozen=True)
class Played:
    """A played story: its report, what its callers needed, and how many calls that were."""

    report: DrillReport
    needed: Needed
    calls: int


@functools.cache
def played(path: Path) -> Played:
    """Play a story once, and note what controller, hosts and operator need."""
    story = read_story(path)
    drill = Drill(story, is_short=True)
    world = drill.world
    controller, hosts, operator = Recorder(world), Recorder(world), Recorder(world)
    world.gate.faults.before.append(controller.before)
    world.agents = Clients(fake_session(world.services, hosts, is_short=True))
    own, world.admin = world.admin, Clients(fake_session(world.services, operator, is_short=True))
    drill.setup.operate = operator_of(drill.settings, world)
    world.admin = own  # the story's own hand is nobody's policy
    try:
        drill.setup.prepare()
        schedule(drill.setup)
        world.scheduler.run_for(story.duration_s)
        told = report(drill, 0)
    finally:
        world.scheduler.close()
    needed = {"controller": controller.found, "hosts": hosts.found, "operator": operator.found}
    return Played(told, needed, controller.calls + hosts.calls + operator.calls)
