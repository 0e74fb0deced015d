"""Every AWS call that only looks. A call that fails raises SensorFailed and becomes Unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from picoha.adapters.aws.clients import Clients
from picoha.adapters.aws.discovery import CELL_TAG, SLOT_TAG, declared, member
from picoha.adapters.aws.faults import reading
from picoha.app.errors import SensorFailed
from picoha.app.ports import Clock, DeclaredSlot, HostStatus
from picoha.domain.model import (
    Address,
    AllocationId,
    AssociationId,
    Dependency,
    Host,
    InstanceId,
    InstanceState,
    InterfaceId,
    Member,
    Sample,
    SlotName,
    Unknown,
)

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import DimensionTypeDef, MetricDataQueryTypeDef, MetricTypeDef
    from mypy_boto3_ec2.type_defs import AddressTypeDef, FilterTypeDef, InstanceStatusTypeDef, InstanceTypeDef

NAMESPACE = "picoha"
LOOK_BACK = timedelta(minutes=15)
RDS_UP = frozenset({"available", "backing-up", "modifying", "storage-optimization"})
"""Database statuses that serve (design.md 6); every `configuring-...` does as well."""

GRANTS: dict[str, frozenset[str]] = {
    "ReadHosts": frozenset({"ec2:DescribeAddresses", "ec2:DescribeInstances", "ec2:DescribeInstanceStatus"}),
    "ReadGroups": frozenset(
        {
            "autoscaling:DescribeAutoScalingGroups",
            "autoscaling:DescribeScalingActivities",
            "autoscaling:DescribeWarmPool",
        }
    ),
    "ReadMetrics": frozenset({"cloudwatch:GetMetricData"}),
    "ReadDependencies": frozenset(
        {
            "cloudwatch:DescribeAlarms",
            "elasticfilesystem:DescribeFileSystems",
            "rds:DescribeDBClusters",
            "rds:DescribeDBInstances",
        }
    ),
}


class AwsSensors:
    """Looks at one cell through boto3."""

    def __init__(self, cell: str, clients: Clients, clock: Clock) -> None:
        self._cell = cell
        self._clients = clients
        self._clock = clock

    def declared_slots(self) -> Sequence[DeclaredSlot]:
        """Return the cell's groups as slots; two groups that name one slot are both wrong."""
        found: dict[SlotName, DeclaredSlot] = {}
        with reading("describing the cell's Auto Scaling groups"):
            pages = self._clients.autoscaling.get_paginator("describe_auto_scaling_groups")
            for page in pages.paginate(Filters=[{"Name": f"tag:{CELL_TAG}", "Values": [self._cell]}]):
                for group in page["AutoScalingGroups"]:
                    name = group["AutoScalingGroupName"]
                    warm = self._warm_members(name) if group.get("WarmPoolConfiguration") else ()
                    slot = declared(group, warm)
                    if slot is not None:
                        found[slot.name] = _unless_twice(found.get(slot.name), slot)
        return tuple(found.values())

    def _warm_members(self, group: str) -> tuple[Member, ...]:
        answer = self._clients.autoscaling.describe_warm_pool(AutoScalingGroupName=group)
        return tuple(
            member(instance["InstanceId"], instance["LifecycleState"]) for instance in answer["Instances"]
        )

    def addresses(self) -> Mapping[SlotName, Address | Unknown]:
        """Return the cell's Elastic IPs by slot; of two for one slot none is chosen: Unknown."""
        with reading("describing the cell's Elastic IPs"):
            answer = self._clients.ec2.describe_addresses(Filters=self._of_cell())
        found: dict[SlotName, Address | Unknown] = {}
        for address in answer["Addresses"]:
            slot = SlotName(
                next((tag["Value"] for tag in address.get("Tags", []) if tag.get("Key") == SLOT_TAG), "")
            )
            if slot in found:
                found[slot] = Unknown(
                    f"two Elastic IPs carry {SLOT_TAG}={slot}, {address['PublicIp']} is one"
                )
            elif slot:
                found[slot] = _address(address)
        return found

    def hosts(self) -> Sequence[Host]:
        """Return the cell's instances, terminated ones included while EC2 still shows them."""
        with reading("describing the cell's instances"):
            pages = self._clients.ec2.get_paginator("describe_instances").paginate(Filters=self._of_cell())
            instances = [
                one for page in pages for group in page["Reservations"] for one in group.get("Instances", [])
            ]
        hosts = (_host(instance) for instance in instances)
        return tuple(host for host in hosts if host is not None)

    def statuses(self, instances: Sequence[InstanceId]) -> Mapping[InstanceId, HostStatus]:
        """Return EC2's status checks and planned events of these instances, 100 to a call."""
        found: dict[InstanceId, HostStatus] = {}
        for start in range(0, len(instances), 100):
            with reading("describing status checks"):
                answer = self._clients.ec2.describe_instance_status(
                    InstanceIds=list(instances[start : start + 100]), IncludeAllInstances=True
                )
            for status in answer["InstanceStatuses"]:
                found[InstanceId(status["InstanceId"])] = _status(status)
        return found

    def newest_samples(self, slots: Sequence[SlotName]) -> Mapping[str, Sample]:
        """Return the newest `Healthy` sample of each slot and, under "*", the controller's `Tick`."""
        now = self._clock.now()
        queries = [self._query(0, "Tick", None)]
        queries += [self._query(number, "Healthy", slot) for number, slot in enumerate(slots, start=1)]
        names = ["*", *slots]
        found: dict[str, Sample] = {}
        for start in range(0, len(queries), 500):
            with reading("reading the newest samples"):
                answer = self._clients.cloudwatch.get_metric_data(
                    MetricDataQueries=queries[start : start + 500],
                    StartTime=now - LOOK_BACK,
                    EndTime=now + timedelta(minutes=1),
                    ScanBy="TimestampDescending",
                )
            for result in answer["MetricDataResults"]:
                name = names[int(result["Id"][1:])]
                if result["StatusCode"] != "Complete":  # not read is Unknown, never silence (safety S11)
                    raise SensorFailed(f"reading the newest sample of {name}: {result['StatusCode']}")
                if result["Timestamps"]:
                    found[name] = Sample(result["Timestamps"][0], result["Values"][0])
        return found

    def _query(self, number: int, metric: str, slot: SlotName | None) -> MetricDataQueryTypeDef:
        """One-second periods tell the sample's own second, and exist for high-resolution metrics."""
        dimensions: list[DimensionTypeDef] = [{"Name": "Cell", "Value": self._cell}]
        if slot is not None:
            dimensions.append({"Name": "Slot", "Value": slot})
        of: MetricTypeDef = {"Namespace": NAMESPACE, "MetricName": metric, "Dimensions": dimensions}
        return {"Id": f"q{number}", "MetricStat": {"Metric": of, "Period": 1, "Stat": "Minimum"}}

    def departed(self, group: str, instances: Sequence[InstanceId]) -> frozenset[InstanceId]:
        """Return those instances that a Successful terminate activity of their own group names.

        Terminated instances stay visible to EC2 for about an hour; activities for six weeks.
        """
        wanted = {f"Terminating EC2 instance: {instance}": instance for instance in instances}
        found: set[InstanceId] = set()
        with reading(f"describing the activities of {group}"):
            pages = self._clients.autoscaling.get_paginator("describe_scaling_activities")
            for page in pages.paginate(
                AutoScalingGroupName=group, PaginationConfig={"MaxItems": 500, "PageSize": 100}
            ):
                for one in page["Activities"]:
                    name = one.get("Description", "").split(" - ")[0].strip()
                    if one["StatusCode"] == "Successful" and name in wanted:
                        found.add(wanted[name])
        return frozenset(found)

    def is_up(self, dependency: Dependency) -> bool:
        """Return whether a dependency serves; raises SensorFailed for one that does not exist."""
        with reading(f"looking at {dependency}"):
            match dependency.scheme:
                case "rds":
                    databases = self._clients.rds.describe_db_instances(
                        DBInstanceIdentifier=dependency.target
                    )
                    return _serves(databases["DBInstances"][0].get("DBInstanceStatus", ""))
                case "rds-cluster":
                    clusters = self._clients.rds.describe_db_clusters(DBClusterIdentifier=dependency.target)
                    return _serves(clusters["DBClusters"][0].get("Status", ""))
                case "efs":
                    systems = self._clients.efs.describe_file_systems(FileSystemId=dependency.target)
                    return systems["FileSystems"][0]["LifeCycleState"] in ("available", "updating")
                case "alarm":
                    alarms = self._clients.cloudwatch.describe_alarms(
                        AlarmNames=[dependency.target], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
                    )
                    both = (*alarms.get("MetricAlarms", ()), *alarms.get("CompositeAlarms", ()))
                    states = [one.get("StateValue") for one in both]
                    if not states:
                        raise SensorFailed(f"looking at {dependency}: no such alarm")
                    return "ALARM" not in states
        raise SensorFailed(f"looking at {dependency}: no rule for {dependency.scheme}")

    def _of_cell(self) -> Sequence[FilterTypeDef]:
        return [{"Name": f"tag:{CELL_TAG}", "Values": [self._cell]}]


def _unless_twice(first: DeclaredSlot | None, second: DeclaredSlot) -> DeclaredSlot:
    if first is None:
        return second
    problem = f"groups {first.group.name} and {second.group.name} both carry {SLOT_TAG}={second.name}"
    return DeclaredSlot(second.name, first.group, problem=problem)


def _serves(status: str) -> bool:
    return status in RDS_UP or status.startswith("configuring-")


def _address(one: AddressTypeDef) -> Address:
    association = one.get("AssociationId")
    return Address(
        allocation=AllocationId(one["AllocationId"]),
        public_ip=one["PublicIp"],
        association=AssociationId(association) if association else None,
        instance=InstanceId(one["InstanceId"]) if one.get("InstanceId") else None,
        interface=InterfaceId(one["NetworkInterfaceId"]) if one.get("NetworkInterfaceId") else None,
    )


def _host(one: InstanceTypeDef) -> Host | None:
    slot = next((tag.get("Value", "") for tag in one.get("Tags", []) if tag.get("Key") == SLOT_TAG), "")
    if not slot:
        return None
    primary = next(
        (
            interface["NetworkInterfaceId"]
            for interface in one.get("NetworkInterfaces", [])
            if interface.get("Attachment", {}).get("DeviceIndex") == 0
        ),
        None,
    )
    return Host(
        instance=InstanceId(one["InstanceId"]),
        slot=SlotName(slot),
        state=InstanceState(one["State"]["Name"]),
        launched_at=one["LaunchTime"],
        zone=one.get("Placement", {}).get("AvailabilityZone", ""),
        private_ip=one.get("PrivateIpAddress"),
        interface=InterfaceId(primary) if primary else None,
    )


def _status(one: InstanceStatusTypeDef) -> HostStatus:
    checks = (one.get("SystemStatus", {}).get("Status"), one.get("InstanceStatus", {}).get("Status"))
    planned = [
        event["Code"]
        for event in one.get("Events", [])
        if not event.get("Description", "").startswith(("[Completed]", "[Canceled]"))
    ]
    return HostStatus("impaired" in checks, planned[0] if planned else None)
