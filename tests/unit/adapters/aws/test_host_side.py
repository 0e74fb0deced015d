"""The agent's side of AWS through real boto3 clients, against fakeaws' table and moto's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from picoha.adapters.aws import host_side, items
from picoha.adapters.aws.host_side import GRANTS, AwsCloud
from picoha.domain.codec import Undecodable
from picoha.domain.health import Health
from picoha.domain.model import AgentPhase, InstanceId, PicoReading, Report, SlotName
from picoha.domain.record import SCHEMA, Phase
from picoha.fakeaws.clients import fake_session
from picoha.fakeaws.cloudwatch.metrics import MetricStore
from picoha.fakeaws.dynamodb.api import Tables
from picoha.fakeaws.scheduler import Scheduler
from picoha.host.core.ports import CloudUnreachable, NoRecord, NotUnderstood, Refused, Taken
from unit.host.fakes import granted

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE = "picoha-demo"
REPORT = Report(
    InstanceId("i-1"),
    SlotName("ec1"),
    "boot-1",
    datetime(2026, 11, 22, 12, 0, 10, 250_000, tzinfo=UTC),
    AgentPhase.TAKEN,
    epoch=1,
    picos={"ec1": PicoReading(Health.FAILED, 100, "exit code 100")},
)


class Place:
    """One table with clients, and a host that uses them."""

    def __init__(self, table: DynamoDBClient, metrics: CloudWatchClient) -> None:
        self.table, self.metrics = table, metrics
        self.cloud = AwsCloud("demo", SlotName("ec1"), table, metrics)

    def put(self, item: items.Item) -> None:
        self.table.put_item(TableName=TABLE, Item=item)

    def rows(self) -> list[Report]:
        found = self.table.query(
            TableName=TABLE,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": items.HOSTS}},
        )
        return [items.report_of(item) for item in found["Items"]]


@pytest.fixture(params=["fakeaws", "moto"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    if request.param == "fakeaws":
        scheduler = Scheduler()
        tables = Tables(scheduler)
        tables.create(TABLE)
        session = fake_session({"dynamodb": tables, "cloudwatch": MetricStore(scheduler)})
        yield Place(session.client("dynamodb"), session.client("cloudwatch"))
        return
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "moto")
    with mock_aws():
        session = boto3.Session(region_name="eu-west-1")
        table = session.client("dynamodb")
        table.create_table(
            TableName=TABLE,
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        yield Place(table, session.client("cloudwatch"))


def test_record_that_the_controller_wrote_is_read(place: Place) -> None:
    record = granted()
    place.put(items.slot_item(record, "writer"))
    assert place.cloud.read_slot() == record


def test_slot_without_an_item_has_no_record(place: Place) -> None:
    assert place.cloud.read_slot() == NoRecord()


def test_newer_schema_is_not_understood_and_says_so(place: Place) -> None:
    place.put({**items.slot_item(granted(), "writer"), "schema": items.wire(SCHEMA + 1)})
    answer = place.cloud.read_slot()
    assert isinstance(answer, NotUnderstood)
    assert f"schema {SCHEMA + 1}; this version understands up to {SCHEMA}" in answer.reason


def test_unknown_phase_is_not_understood(place: Place) -> None:
    item = items.slot_item(granted(), "writer")
    item["body"]["M"]["phase"] = {"S": "hibernating"}
    place.put(item)
    answer = place.cloud.read_slot()
    assert isinstance(answer, NotUnderstood) and "hibernating" in answer.reason


def test_grant_is_taken_and_the_row_is_written_with_it(place: Place) -> None:
    place.put(items.slot_item(granted(), "writer"))
    assert place.cloud.take(granted(), REPORT) == Taken()
    assert place.rows() == [REPORT]
    assert place.cloud.take(granted(), REPORT) == Taken(), "a repetition of one's own take is harmless"


@pytest.mark.parametrize(
    "now",
    [
        granted(holder="i-2"),
        granted(holder=None),
        granted(epoch=2),
        granted(phase=Phase.IN_FAILOVER),
        granted(phase=Phase.VACANT),
    ],
    ids=["other holder", "no holder", "other epoch", "in failover", "vacant"],
)
def test_grant_that_is_gone_is_refused_and_nothing_is_written(place: Place, now: Any) -> None:
    place.put(items.slot_item(now, "writer"))
    assert isinstance(place.cloud.take(granted(), REPORT), Refused)
    assert place.rows() == []


def test_grant_of_a_slot_without_a_record_is_refused(place: Place) -> None:
    assert isinstance(place.cloud.take(granted(), REPORT), Refused)


def test_active_holder_may_take_again_after_a_reboot(place: Place) -> None:
    place.put(items.slot_item(granted(phase=Phase.ACTIVE), "writer"))
    assert place.cloud.take(granted(phase=Phase.ACTIVE), REPORT) == Taken()


def test_newer_report_replaces_the_older_row(place: Place) -> None:
    assert place.cloud.put_report(REPORT)
    newer = replace(REPORT, phase=AgentPhase.RUNNING, healthy_since=REPORT.at)
    assert place.cloud.put_report(newer)
    assert place.rows() == [newer]


def test_healthy_is_published_for_the_cell_and_slot_in_high_resolution() -> None:
    sent: list[dict[str, Any]] = []

    class Recorder:
        def put_metric_data(self, **request: Any) -> None:
            sent.append(request)

    client: Any = Recorder()
    assert AwsCloud("demo", SlotName("ec1"), client, client).publish(0.0)
    dimensions = [{"Name": "Cell", "Value": "demo"}, {"Name": "Slot", "Value": "ec1"}]
    point = {"MetricName": "Healthy", "Dimensions": dimensions, "Value": 0.0, "StorageResolution": 1}
    assert sent == [{"Namespace": "picoha", "MetricData": [point]}]


def test_published_datapoint_is_accepted_by_the_service(place: Place) -> None:
    assert place.cloud.publish(1.0)


def test_table_that_is_not_there_is_unreachable_and_never_raises(place: Place) -> None:
    lost = AwsCloud("other", SlotName("ec1"), place.table, place.metrics)
    answer = lost.read_slot()
    assert isinstance(answer, CloudUnreachable)
    assert "ResourceNotFoundException" in answer.reason
    assert isinstance(lost.take(granted(), REPORT), CloudUnreachable)
    assert not lost.put_report(REPORT)


def test_network_that_is_down_is_unreachable_and_never_raises() -> None:
    session = boto3.Session("key", "secret", region_name="eu-west-1")
    quick = Config(connect_timeout=0.2, retries={"total_max_attempts": 1})
    table = session.client("dynamodb", endpoint_url="http://127.0.0.1:9", config=quick)
    metrics = session.client("cloudwatch", endpoint_url="http://127.0.0.1:9", config=quick)
    cloud = AwsCloud("demo", SlotName("ec1"), table, metrics)
    answer = cloud.read_slot()
    assert isinstance(answer, CloudUnreachable)
    assert answer.reason.startswith("reading the record of ec1: ")
    assert isinstance(cloud.take(granted(), REPORT), CloudUnreachable)
    assert not cloud.put_report(REPORT) and not cloud.publish(1.0)


def test_grants_name_exactly_the_calls_of_the_file() -> None:
    source = Path(host_side.__file__).read_text()
    calls = set(re.findall(r"self\._(?:table|metrics)\.(\w+)\(", source))
    assert calls == {"get_item", "transact_write_items", "put_item", "put_metric_data"}
    parts = {"ConditionCheckItem" if "ConditionCheck" in source else "", "PutItem"}
    named = {"".join(word.title() for word in call.split("_")) for call in calls - {"transact_write_items"}}
    granted_actions = {action.partition(":")[2] for actions in GRANTS.values() for action in actions}
    assert granted_actions == named | parts


def test_item_that_disagrees_with_its_body_is_not_understood() -> None:
    item = items.slot_item(granted(), "writer")
    for name, other in {"epoch": 9, "ver": 9, "holder": "i-9", "phase": "vacant", "sk": "SLOT#ec9"}.items():
        with pytest.raises(Undecodable, match=name):
            items.slot_record({**item, name: items.wire(other)})


def test_item_without_holder_leaves_the_attribute_out() -> None:
    item = items.slot_item(granted(holder=None, phase=Phase.VACANT), "writer")
    assert "holder" not in item and "holder" not in item["body"]["M"]
    assert items.slot_record(item).holder is None


def test_report_under_another_hosts_key_is_not_understood() -> None:
    item = items.report_item(REPORT)
    with pytest.raises(Undecodable, match="ec1#i-9"):
        items.report_of({**item, "sk": items.wire("ec1#i-9")})


def test_item_without_schema_or_body_is_not_understood() -> None:
    for missing in ("schema", "body"):
        item = {name: one for name, one in items.report_item(REPORT).items() if name != missing}
        with pytest.raises(Undecodable, match=missing):
            items.report_of(item)


def test_numbers_come_back_as_numbers() -> None:
    plain = {"whole": 3, "part": 0.5, "yes": True, "none": None, "list": [1, "a"], "map": {"b": 2}}
    assert items.body(items.item("X", "y", plain)) == plain
