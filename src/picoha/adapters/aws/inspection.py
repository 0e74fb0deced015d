"""The reads of `doctor` and `leave` beyond the loop's sensors. None of them changes anything."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from picoha.adapters.aws import actuators
from picoha.adapters.aws.clients import Clients
from picoha.adapters.aws.discovery import CELL_TAG, SLOT_TAG, spec_of
from picoha.adapters.aws.faults import reading
from picoha.adapters.aws.surroundings import text_tags
from picoha.app.errors import SensorFailed
from picoha.domain.doctor.facts import (
    AlarmFacts,
    AttachedVolume,
    FunctionFacts,
    GroupFacts,
    HookFacts,
    InspectedHost,
    Permission,
    TableFacts,
    WarmPoolFacts,
)
from picoha.domain.model import InstanceId, SlotName

if TYPE_CHECKING:
    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef
    from mypy_boto3_cloudwatch.type_defs import DimensionTypeDef, MetricAlarmTypeDef
    from mypy_boto3_ec2.type_defs import InstanceTypeDef
    from mypy_boto3_iam.type_defs import ContextEntryTypeDef

LIVING = ["pending", "running", "stopping", "stopped", "shutting-down"]
OWN_ALARMS = (
    "controller-silent",
    "controller-errors",
    "controller-throttled",
    "operation-stuck",
    "dead-letters",
)
"""The alarms on picoha itself (template.yaml), named picoha-<cell>-..."""

GRANTS: dict[str, frozenset[str]] = {
    "InspectGroups": frozenset(
        {"autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeLifecycleHooks"}
    ),
    "InspectHosts": frozenset({"ec2:DescribeInstances", "ec2:DescribeInstanceAttribute"}),
    "InspectAlarms": frozenset({"cloudwatch:DescribeAlarms"}),
    "InspectTable": frozenset({"dynamodb:DescribeTable", "dynamodb:DescribeContinuousBackups"}),
    "InspectDeadLetters": frozenset({"sqs:GetQueueUrl", "sqs:GetQueueAttributes"}),
    "InspectFunction": frozenset({"lambda:GetFunctionConfiguration", "lambda:GetFunctionConcurrency"}),
    "InspectPermissions": frozenset({"iam:SimulatePrincipalPolicy"}),
}

_ACTS_ON = {
    "ec2:instance/i-00000000000000000": ("ec2:TerminateInstances",),
    "ec2:network-interface/eni-00000000000000000": ("ec2:AssociateAddress", "ec2:DisassociateAddress"),
    "ec2:elastic-ip/eipalloc-00000000000000000": ("ec2:AssociateAddress", "ec2:DisassociateAddress"),
}
"""What EC2's changes act on; every other change of the actuators acts on a group."""
_GROUP = "autoscaling:autoScalingGroup:00000000-0000-0000-0000-000000000000:autoScalingGroupName/any"


class AwsInspection:
    """Looks through boto3 at one cell's groups and hosts, and at picoha itself."""

    def __init__(self, cell: str, table: str, clients: Clients) -> None:
        self._cell = cell
        self._table = table
        self._clients = clients

    def groups(self) -> Sequence[GroupFacts]:
        """Return the cell's Auto Scaling groups; one whose picoha:slot is no slot name too."""
        with reading("describing the cell's Auto Scaling groups"):
            pages = self._clients.autoscaling.get_paginator("describe_auto_scaling_groups").paginate(
                Filters=[{"Name": f"tag:{CELL_TAG}", "Values": [self._cell]}]
            )
            return [_group(group) for page in pages for group in page["AutoScalingGroups"]]

    def hooks(self, groups: Sequence[str]) -> Mapping[str, Sequence[HookFacts]]:
        """Return the lifecycle hooks of each group."""
        found = {}
        for name in groups:
            with reading(f"describing the lifecycle hooks of {name}"):
                answer = self._clients.autoscaling.describe_lifecycle_hooks(AutoScalingGroupName=name)
            found[name] = [
                HookFacts(
                    hook.get("LifecycleHookName", ""),
                    hook.get("LifecycleTransition", ""),
                    hook.get("HeartbeatTimeout", 0),
                    hook.get("DefaultResult", ""),
                )
                for hook in answer["LifecycleHooks"]
            ]
        return found

    def machines(self) -> Sequence[InspectedHost]:
        """Return the cell's instances that are not terminated."""
        with reading("describing the cell's instances"):
            pages = self._clients.ec2.get_paginator("describe_instances").paginate(
                Filters=[
                    {"Name": f"tag:{CELL_TAG}", "Values": [self._cell]},
                    {"Name": "instance-state-name", "Values": LIVING},
                ]
            )
            rows = [group for page in pages for group in page["Reservations"]]
        return [_machine(one) for group in rows for one in group.get("Instances", [])]

    def protected(self, instances: Sequence[str]) -> Mapping[str, bool]:
        """Return whether each instance has termination protection."""
        found = {}
        for instance in instances:
            with reading(f"describing the termination protection of {instance}"):
                answer = self._clients.ec2.describe_instance_attribute(
                    InstanceId=instance, Attribute="disableApiTermination"
                )
            found[instance] = bool(answer["DisableApiTermination"].get("Value"))
        return found

    def alarms(self) -> Sequence[AlarmFacts]:
        """Return the metric alarms of the cell, by their metric or by name; picoha's own have no slot.

        The names of cell `a` begin like those of cell `a-b`, so a prefix alone does not tell them apart.
        """
        with reading("describing the cell's alarms"):
            pages = self._clients.cloudwatch.get_paginator("describe_alarms").paginate(
                AlarmNamePrefix=f"picoha-{self._cell}-", AlarmTypes=["MetricAlarm"]
            )
            found = [alarm for page in pages for alarm in page["MetricAlarms"]]
        own = {f"picoha-{self._cell}-{name}" for name in OWN_ALARMS}
        ours = {"Name": "Cell", "Value": self._cell}
        return [_alarm(one) for one in found if one["AlarmName"] in own or ours in _dimensions(one)]

    def table(self) -> TableFacts:
        """Return the settings of the cell's table."""
        with reading(f"describing table {self._table}"):
            told = self._clients.dynamodb.describe_table(TableName=self._table)["Table"]
            saved = self._clients.dynamodb.describe_continuous_backups(TableName=self._table)
        backups = saved["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
        return TableFacts(
            name=self._table,
            is_on_demand=told.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST",
            is_protected=told.get("DeletionProtectionEnabled", False),
            has_point_in_time_recovery=backups.get("PointInTimeRecoveryStatus") == "ENABLED",
        )

    def dead_letters(self) -> int:
        """Return about how many doorbells wait in the queue of the undelivered."""
        with reading("looking at the dead letters"):
            url = self._clients.sqs.get_queue_url(QueueName=f"picoha-{self._cell}-dead-letters")["QueueUrl"]
            answer = self._clients.sqs.get_queue_attributes(
                QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
            )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    def function(self) -> FunctionFacts:
        """Return the reconcile function's settings; its code is not looked at."""
        name = f"picoha-{self._cell}-reconcile"
        with reading(f"looking at function {name}"):
            told = self._clients.functions.get_function_configuration(FunctionName=name)
            allowed = self._clients.functions.get_function_concurrency(FunctionName=name)
        return FunctionFacts(
            arn=told["FunctionArn"],
            role=told["Role"],
            environment=told.get("Environment", {}).get("Variables", {}),
            reserved=allowed.get("ReservedConcurrentExecutions"),
        )

    def permissions(self, function: FunctionFacts) -> Sequence[Permission]:
        """Ask IAM's simulator about every change, on made-up things that carry the cell's tags."""
        sids = {action: sid for sid, actions in actuators.GRANTS.items() for action in actions}
        on_hosts = {action for actions in _ACTS_ON.values() for action in actions}
        asked = {**_ACTS_ON, _GROUP: tuple(sorted(set(sids) - on_hosts))}
        return [
            Permission(sids[action], f"{action} on {re.split('[:/]', thing)[1]}", decision)
            for thing, actions in asked.items()
            for action, decision in self._simulated(function, thing, actions)
        ]

    def _simulated(
        self, function: FunctionFacts, thing: str, actions: Sequence[str]
    ) -> Iterable[tuple[str, str]]:
        partition, _, region, account = function.arn.split(":")[1:5]
        service, _, what = thing.partition(":")
        with reading(f"simulating {', '.join(actions)} of {function.role}"):
            answer = self._clients.iam.simulate_principal_policy(
                PolicySourceArn=function.role,
                ActionNames=list(actions),
                ResourceArns=[f"arn:{partition}:{service}:{region}:{account}:{what}"],
                ContextEntries=[
                    _context(f"{service}:ResourceTag/picoha:cell", self._cell),
                    _context(f"{service}:ResourceTag/picoha:fenceable", "true"),
                ],
            )
        told = {result["EvalActionName"]: result["EvalDecision"] for result in answer["EvaluationResults"]}
        if set(told) != set(actions):
            raise SensorFailed(f"simulating {', '.join(actions)} of {function.role}: not every answer came")
        return told.items()


def _context(key: str, value: str) -> ContextEntryTypeDef:
    return {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}


def _group(one: AutoScalingGroupTypeDef) -> GroupFacts:
    name = one["AutoScalingGroupName"]
    given = {tag["Key"]: tag for tag in one.get("Tags", []) if "Key" in tag}
    texts = {key: tag.get("Value", "") for key, tag in given.items()}
    spec = spec_of(texts, name)
    policy = one.get("InstanceMaintenancePolicy", {})
    pool = one.get("WarmPoolConfiguration")
    kept = frozenset(key for key, tag in given.items() if not tag.get("PropagateAtLaunch"))
    return GroupFacts(
        slot=SlotName(texts.get(SLOT_TAG, "")),
        name=name,
        spec=None if isinstance(spec, str) else spec,
        problem=spec if isinstance(spec, str) else "",
        size=(one["MinSize"], one["MaxSize"], one["DesiredCapacity"]),
        maintenance=(policy.get("MinHealthyPercentage", -1), policy.get("MaxHealthyPercentage", -1))
        if policy
        else None,
        suspended=frozenset(process.get("ProcessName", "") for process in one.get("SuspendedProcesses", [])),
        propagated=frozenset(given) - kept,
        local=kept,
        shielded=tuple(
            member["InstanceId"] for member in one.get("Instances", []) if member.get("ProtectedFromScaleIn")
        ),
        shields_new=one.get("NewInstancesProtectedFromScaleIn", False),
        subnets=tuple(part for part in one.get("VPCZoneIdentifier", "").split(",") if part),
        warm_pool=WarmPoolFacts(
            min_size=pool.get("MinSize", 0),
            reuses=pool.get("InstanceReusePolicy", {}).get("ReuseOnScaleIn", False),
            members=one.get("WarmPoolSize", 0),
        )
        if pool
        else None,
    )


def _machine(one: InstanceTypeDef) -> InspectedHost:
    tags = text_tags(one.get("Tags", []))
    primary = [
        part.get("NetworkInterfaceId", "")
        for part in one.get("NetworkInterfaces", [])
        if part.get("Attachment", {}).get("DeviceIndex") == 0
    ]
    disks = [
        AttachedVolume(
            volume=device["Ebs"].get("VolumeId", "?"),
            device=device.get("DeviceName", ""),
            is_root=device.get("DeviceName") == one.get("RootDeviceName"),
            goes_with_host=device["Ebs"].get("DeleteOnTermination", False),
        )
        for device in one.get("BlockDeviceMappings", [])
        if "Ebs" in device
    ]
    return InspectedHost(
        instance=InstanceId(one["InstanceId"]),
        slot=SlotName(tags.get(SLOT_TAG, "")),
        state=one["State"]["Name"],
        type=one.get("InstanceType", ""),
        tags=tags,
        disks=tuple(disks),
        has_metadata_tags=one.get("MetadataOptions", {}).get("InstanceMetadataTags") == "enabled",
        interface="".join(primary[:1]),
        security_groups=tuple(group["GroupId"] for group in one.get("SecurityGroups", [])),
    )


def _dimensions(one: MetricAlarmTypeDef) -> list[DimensionTypeDef]:
    metrics = [query.get("MetricStat", {}).get("Metric", {}) for query in one.get("Metrics", [])]
    return [part for metric in metrics for part in metric.get("Dimensions", [])] + one.get("Dimensions", [])


def _alarm(one: MetricAlarmTypeDef) -> AlarmFacts:
    return AlarmFacts(
        name=one["AlarmName"],
        is_enabled=one["ActionsEnabled"],
        actions=tuple(one.get("AlarmActions", [])),
        missing_as=one.get("TreatMissingData", "missing"),
        slot=next((part["Value"] for part in _dimensions(one) if part["Name"] == "Slot"), ""),
    )
