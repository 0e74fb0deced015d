"""What a cell depends on outside itself: RDS instances and clusters, EFS file systems.

Each only has the status its story gives it. More than one page of them is not played.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from picoha.fakeaws.clients import ACCOUNT, REGION, Answer, Operation
from picoha.fakeaws.cloudwatch.metrics import only_played
from picoha.fakeaws.scheduler import AwsFault, Scheduler


def _chosen(statuses: Mapping[str, str], name: str | None, fault: str) -> list[tuple[str, str]]:
    """Give the one called `name`, or all; raise the 404 `fault` for a name that does not exist."""
    if name is not None and name not in statuses:
        raise AwsFault(fault, f"{name} not found.", 404)
    return [(one, status) for one, status in sorted(statuses.items()) if name in (None, one)]


class Databases:
    """RDS: a status for each of `instances` and `clusters`, by identifier."""

    def __init__(self) -> None:
        self.instances: dict[str, str] = {}
        self.clusters: dict[str, str] = {}
        self.operations: Mapping[str, Operation] = {
            "DescribeDBInstances": self.describe_instances,
            "DescribeDBClusters": self.describe_clusters,
        }

    def set_status(self, name: str, status: str, *, cluster: bool = False) -> None:
        """Create the instance or cluster, or change its status."""
        (self.clusters if cluster else self.instances)[name] = status

    def describe_instances(self, params: dict[str, Any]) -> Answer:
        """Answer DescribeDBInstances."""
        only_played(params, ("DBInstanceIdentifier",))
        chosen = _chosen(self.instances, params.get("DBInstanceIdentifier"), "DBInstanceNotFound")
        arn = f"arn:aws:rds:{REGION}:{ACCOUNT}:db:"
        keys = ("DBInstanceIdentifier", "DBInstanceStatus", "DBInstanceArn")
        return {"DBInstances": [dict(zip(keys, (*one, arn + one[0]), strict=True)) for one in chosen]}

    def describe_clusters(self, params: dict[str, Any]) -> Answer:
        """Answer DescribeDBClusters."""
        only_played(params, ("DBClusterIdentifier",))
        chosen = _chosen(self.clusters, params.get("DBClusterIdentifier"), "DBClusterNotFoundFault")
        arn = f"arn:aws:rds:{REGION}:{ACCOUNT}:cluster:"
        keys = ("DBClusterIdentifier", "Status", "DBClusterArn")
        return {"DBClusters": [dict(zip(keys, (*one, arn + one[0]), strict=True)) for one in chosen]}


class FileSystems:
    """EFS: a life-cycle state for each of `states`, by file system id."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.states: dict[str, str] = {}
        self.operations: Mapping[str, Operation] = {"DescribeFileSystems": self.describe}
        self._created_at = scheduler.start

    def set_status(self, name: str, state: str) -> None:
        """Create the file system, or change its state."""
        self.states[name] = state

    def describe(self, params: dict[str, Any]) -> Answer:
        """Answer DescribeFileSystems."""
        only_played(params, ("FileSystemId",))
        same = {"OwnerId": ACCOUNT, "CreationTime": self._created_at, "PerformanceMode": "generalPurpose"}
        same |= {"NumberOfMountTargets": 2, "SizeInBytes": {"Value": 6144}, "Tags": []}
        chosen = _chosen(self.states, params.get("FileSystemId"), "FileSystemNotFound")
        return {
            "FileSystems": [
                {"FileSystemId": name, "CreationToken": name, "LifeCycleState": state, **same}
                for name, state in chosen
            ]
        }
