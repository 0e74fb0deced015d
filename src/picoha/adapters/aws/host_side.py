"""The agent's side of AWS: its slot's record, its own row, and the `Healthy` metric.

A host may read and check items under CELL and write items under HOSTS, nothing else; IAM sees to
that by `dynamodb:LeadingKeys`. No method raises: an agent that cannot reach AWS goes on as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from picoha.adapters.aws import items
from picoha.adapters.aws.clients import Clients
from picoha.adapters.aws.faults import SDK_ERRORS, classify
from picoha.adapters.aws.lean import lean_session
from picoha.domain.codec import Undecodable
from picoha.domain.model import Report, SlotName
from picoha.domain.record import Phase, SlotRecord
from picoha.host.core.ports import (
    CloudUnreachable,
    NoRecord,
    NotUnderstood,
    Refused,
    SlotAnswer,
    TakeAnswer,
    Taken,
)

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDatumTypeDef
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import ConditionCheckTypeDef, PutTypeDef

NAMESPACE = "picoha"
METRIC = "Healthy"

GRANTS = {
    "ReadCell": ("dynamodb:ConditionCheckItem", "dynamodb:GetItem"),
    "WriteHosts": ("dynamodb:PutItem",),
    "PublishHealth": ("cloudwatch:PutMetricData",),
}
"""Statement id to the IAM actions that the calls of this file need (AWS: DynamoDB API permissions;
a transaction needs those of its parts)."""


class AwsCloud:
    """The `Cloud` port of one host, on boto3 clients that somebody else made."""

    def __init__(self, cell: str, slot: SlotName, table: DynamoDBClient, metrics: CloudWatchClient) -> None:
        self._cell = cell
        self._slot = slot
        self._table = table
        self._metrics = metrics
        self._table_name = items.table_name(cell)

    def read_slot(self) -> SlotAnswer:
        """Return the slot's record by a strongly consistent read."""
        key = items.key(items.CELL, items.slot_sk(self._slot))
        try:
            answer = self._table.get_item(TableName=self._table_name, Key=key, ConsistentRead=True)
        except SDK_ERRORS as error:
            return CloudUnreachable(classify(error).sentence(f"reading the record of {self._slot}"))
        if "Item" not in answer:
            return NoRecord()
        try:
            return items.slot_record(answer["Item"])
        except Undecodable as problem:
            return NotUnderstood(str(problem))

    def take(self, record: SlotRecord, report: Report) -> TakeAnswer:
        """Write this host's row if the record still grants `record.epoch` to it (safety S1, S16).

        One transaction, so that no other grant can come between the check and the write. boto3
        adds the request token that makes a retry of its own harmless.
        """
        check: ConditionCheckTypeDef = {
            "TableName": self._table_name,
            "Key": items.key(items.CELL, items.slot_sk(record.slot)),
            "ConditionExpression": "#holder = :me AND #epoch = :epoch AND #phase IN (:granted, :active)",
            "ExpressionAttributeNames": {"#holder": "holder", "#epoch": "epoch", "#phase": "phase"},
            "ExpressionAttributeValues": {
                ":me": items.wire(report.instance),
                ":epoch": items.wire(record.epoch),
                ":granted": items.wire(Phase.GRANTED.value),
                ":active": items.wire(Phase.ACTIVE.value),
            },
        }
        row: PutTypeDef = {"TableName": self._table_name, "Item": items.report_item(report)}
        what = f"taking epoch {record.epoch} of {record.slot}"
        try:
            self._table.transact_write_items(TransactItems=[{"ConditionCheck": check}, {"Put": row}])
        except SDK_ERRORS as error:
            if _is_refusal(error):
                return Refused(f"the record does not grant it to {report.instance} any more")
            return CloudUnreachable(classify(error).sentence(what))
        return Taken()

    def put_report(self, report: Report) -> bool:
        """Write this host's row; False when AWS did not confirm it."""
        try:
            self._table.put_item(TableName=self._table_name, Item=items.report_item(report))
        except SDK_ERRORS:
            return False
        return True

    def publish(self, value: float) -> bool:
        """Publish one high-resolution datapoint at CloudWatch's own time; False when not confirmed."""
        point: MetricDatumTypeDef = {
            "MetricName": METRIC,
            "Dimensions": [{"Name": "Cell", "Value": self._cell}, {"Name": "Slot", "Value": self._slot}],
            "Value": value,
            "StorageResolution": 1,
        }
        try:
            self._metrics.put_metric_data(Namespace=NAMESPACE, MetricData=[point])
        except SDK_ERRORS:
            return False
        return True


def cloud_of(cell: str, slot: str, region: str) -> AwsCloud:
    """Return the cloud of one host, with the credentials of its instance profile."""
    clients = Clients.in_region(region, lean_session())
    return AwsCloud(cell, SlotName(slot), clients.dynamodb, clients.cloudwatch)


def _is_refusal(error: Exception) -> bool:
    """True only where the condition itself failed; a conflict or a throttle is asked again."""
    if not isinstance(error, ClientError):
        return False
    return "ConditionalCheckFailed" in classify(error).reasons
