"""Statuses of databases and file systems through real boto3 clients.

Sources: AWS API references, DescribeDBInstances, DescribeDBClusters, DescribeFileSystems.
"""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from picoha.fakeaws.clients import NotPlayed, fake_session
from picoha.fakeaws.rds_and_efs import Databases, FileSystems
from picoha.fakeaws.scheduler import Scheduler


@pytest.fixture
def databases() -> Databases:
    some = Databases()
    some.set_status("mz-db", "available")
    some.set_status("other-db", "stopped")
    some.set_status("mz-aurora", "failing-over", cluster=True)
    return some


def rds(databases: Databases) -> Any:
    return fake_session({"rds": databases}).client("rds")


def efs(file_systems: FileSystems) -> Any:
    return fake_session({"efs": file_systems}).client("efs")


def test_instances_and_clusters_show_their_status_and_follow_a_change(databases: Databases) -> None:
    """AWS API reference, RDS DescribeDBInstances and DescribeDBClusters."""
    client = rds(databases)
    (one,) = client.describe_db_instances(DBInstanceIdentifier="mz-db")["DBInstances"]
    assert (one["DBInstanceIdentifier"], one["DBInstanceStatus"]) == ("mz-db", "available")
    assert one["DBInstanceArn"] == "arn:aws:rds:eu-west-1:123456789012:db:mz-db"
    assert len(client.describe_db_instances()["DBInstances"]) == 2
    (cluster,) = client.describe_db_clusters(DBClusterIdentifier="mz-aurora")["DBClusters"]
    assert (cluster["DBClusterIdentifier"], cluster["Status"]) == ("mz-aurora", "failing-over")
    databases.set_status("mz-db", "storage-full")
    changed = client.describe_db_instances(DBInstanceIdentifier="mz-db")["DBInstances"]
    assert changed[0]["DBInstanceStatus"] == "storage-full"


@pytest.mark.parametrize(
    ("call", "params", "code"),
    [
        ("describe_db_instances", {"DBInstanceIdentifier": "mz-aurora"}, "DBInstanceNotFound"),
        ("describe_db_clusters", {"DBClusterIdentifier": "mz-db"}, "DBClusterNotFoundFault"),
    ],
)
def test_an_unknown_database_is_not_found_and_a_cluster_is_no_instance(
    databases: Databases, call: str, params: dict[str, str], code: str
) -> None:
    """AWS API reference, RDS errors: both are HTTP 404."""
    with pytest.raises(ClientError) as caught:
        getattr(rds(databases), call)(**params)
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_a_file_system_shows_its_life_cycle_state_and_an_unknown_one_is_not_found() -> None:
    """AWS API reference, EFS DescribeFileSystems: LifeCycleState, FileSystemNotFound (404)."""
    file_systems = FileSystems(Scheduler())
    file_systems.set_status("fs-0123", "updating")
    client = efs(file_systems)
    (one,) = client.describe_file_systems(FileSystemId="fs-0123")["FileSystems"]
    assert (one["FileSystemId"], one["LifeCycleState"]) == ("fs-0123", "updating")
    file_systems.set_status("fs-0123", "available")
    assert client.describe_file_systems()["FileSystems"][0]["LifeCycleState"] == "available"
    with pytest.raises(client.exceptions.FileSystemNotFound):
        client.describe_file_systems(FileSystemId="fs-9999")


def test_a_filter_is_refused_rather_than_ignored(databases: Databases) -> None:
    """A filter that filters nothing would be a silent success."""
    with pytest.raises(NotPlayed):
        rds(databases).describe_db_instances(Filters=[{"Name": "engine", "Values": ["postgres"]}])
