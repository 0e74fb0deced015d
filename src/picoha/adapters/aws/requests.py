"""All that the operator function may write: a request for the loop, the mode, the brake.

Mode and brake are whole items pinned to the version that was read, in one transaction with their
history row, so that a late one is refused. boto3 repeats a call under the same token, and DynamoDB
answers a token it knows with the first success for ten minutes: a refusal is somebody else's write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from picoha.adapters.aws.clients import Clients
from picoha.adapters.aws.faults import changing, reading
from picoha.adapters.aws.items import CELL, FIRST, Item, body, item, put_of, request_token, top, wire
from picoha.adapters.aws.memory import history_item
from picoha.app.errors import MemoryUnreadable, SensorFailed
from picoha.domain.codec import Undecodable, decode, encode
from picoha.domain.ledger import JournalRow
from picoha.domain.model import Sample, SlotName
from picoha.domain.record import Brake, HistoryRow, ModeRecord, Operation, Request

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import DimensionTypeDef, MetricDataQueryTypeDef, MetricStatTypeDef

GRANTS: dict[str, frozenset[str]] = {
    "ReadOperation": frozenset({"dynamodb:Query"}),
    "WriteRequest": frozenset({"dynamodb:PutItem"}),
    "ReadHealth": frozenset({"cloudwatch:GetMetricData"}),
}
MINUTES_KEPT = timedelta(days=15)
"""How far back CloudWatch keeps one-minute points (AWS user guide, metrics retention)."""


class AwsRequests:
    """The `Requests` port of one cell."""

    def __init__(
        self, cell: str, table: str, clients: Clients, nonce: Callable[[], str] = lambda: uuid4().hex
    ) -> None:
        self._cell, self._table, self._clients, self._nonce = cell, table, clients, nonce

    def ask(self, request: Request) -> None:
        """Write a request under an id of its own; raises LostRace, ActionFailed."""
        stored = item(CELL, f"REQ#{request.id}", encode(request))
        self._write(f"asking for {request.verb}", {"Put": put_of(self._table, stored, FIRST)})

    def save_mode(self, mode: ModeRecord, row: HistoryRow) -> None:
        """Write the next version of the mode that was read as `mode.ver`; raises LostRace, ActionFailed."""
        stored = item(CELL, "MODE", encode(replace(mode, ver=mode.ver + 1)), mode.schema, ver=mode.ver + 1)
        self._save("saving the mode", stored, mode.ver, row)

    def save_brake(self, brake: Brake, row: HistoryRow) -> None:
        """Write the next version of the brake that was read as `brake.ver`; raises LostRace, ActionFailed."""
        stored = item(
            CELL, "BRAKE", encode(replace(brake, ver=brake.ver + 1)), brake.schema, ver=brake.ver + 1
        )
        self._save("saving the brake", stored, brake.ver, row)

    def _save(self, what: str, stored: Item, ver: int, row: HistoryRow) -> None:
        pinned = put_of(self._table, stored, "ver = :ver" if ver else FIRST, ver)
        self._write(what, {"Put": pinned}, {"Put": put_of(self._table, history_item(row), FIRST)})

    def _write(self, what: str, *actions: Any) -> None:
        token = request_token(self._nonce())
        with changing(what):
            self._clients.dynamodb.transact_write_items(TransactItems=actions, ClientRequestToken=token)

    def operation(self, name: str) -> tuple[Operation | None, Sequence[JournalRow]]:
        """Return an ended operation (None while it is open) and its journal; raises MemoryUnreadable."""
        ended: Operation | None = None
        journal: list[JournalRow] = []
        try:
            for stored in self._query(f"OP#{name}"):
                if top(stored, "sk") == "END":
                    ended = decode(Operation, body(stored))
                else:
                    journal.append(decode(JournalRow, body(stored)))
        except Undecodable as problem:
            raise MemoryUnreadable(f"reading operation {name}: {problem}") from problem
        return ended, journal

    def _query(self, pk: str) -> Iterator[Item]:
        with reading(f"reading {pk}", MemoryUnreadable):
            pages = self._clients.dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": wire(pk)},
                ConsistentRead=True,
            )
            for page in pages:
                yield from page["Items"]

    def health(
        self, slots: Sequence[SlotName], since: datetime, until: datetime
    ) -> Mapping[SlotName, Sequence[Sample]]:
        """Return the worst `Healthy` sample of each minute, oldest first; raises SensorFailed."""
        found: dict[SlotName, list[Sample]] = {slot: [] for slot in slots}
        queries = [self._minutes(number, slot) for number, slot in enumerate(slots)]
        if not queries:
            return found
        with reading("reading the health of the period"):
            pages = self._clients.cloudwatch.get_paginator("get_metric_data").paginate(
                MetricDataQueries=queries,
                StartTime=max(since, until - MINUTES_KEPT),
                EndTime=until,
                ScanBy="TimestampAscending",
            )
            for page in pages:
                for result in page["MetricDataResults"]:
                    if result["StatusCode"] not in ("Complete", "PartialData"):
                        raise SensorFailed(f"reading the health of the period: {result['StatusCode']}")
                    points = zip(result["Timestamps"], result["Values"], strict=True)
                    found[slots[int(result["Id"][1:])]] += [Sample(at, value) for at, value in points]
        return found

    def _minutes(self, number: int, slot: SlotName) -> MetricDataQueryTypeDef:
        dimensions: list[DimensionTypeDef] = [
            {"Name": "Cell", "Value": self._cell},
            {"Name": "Slot", "Value": slot},
        ]
        stat: MetricStatTypeDef = {
            "Metric": {"Namespace": "picoha", "MetricName": "Healthy", "Dimensions": dimensions},
            "Period": 60,
            "Stat": "Minimum",
        }
        return {"Id": f"m{number}", "MetricStat": stat}
