"""The metric store through a real boto3 client, answers held to botocore's own model.

Sources: AWS API reference, PutMetricData and GetMetricData; AWS user guide, "Using metric math".
"""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from picoha.fakeaws.clients import NotPlayed, fake_session
from picoha.fakeaws.cloudwatch.metrics import MetricStore
from picoha.fakeaws.scheduler import START, Scheduler

SLOT = [{"Name": "Cell", "Value": "demo"}, {"Name": "Slot", "Value": "ec1"}]


class Drill:
    """A kernel, a store, and a boto3 client wired to it."""

    def __init__(self, lag_s: float = 0.0) -> None:
        self.scheduler = Scheduler()
        self.store = MetricStore(self.scheduler, lag_s)
        services = {"cloudwatch": SimpleNamespace(operations=self.store.operations)}
        self.client: Any = fake_session(services).client("cloudwatch")

    def put(self, value: float, resolution: int = 1, **more: Any) -> None:
        datum = {"MetricName": "Healthy", "Dimensions": SLOT, "Value": value, "StorageResolution": resolution}
        self.client.put_metric_data(Namespace="picoha", MetricData=[{**datum, **more}])

    def query(self, stat: str = "Minimum", period: int = 10, **more: Any) -> dict[str, Any]:
        metric = {"Namespace": "picoha", "MetricName": "Healthy", "Dimensions": list(reversed(SLOT))}
        return {"Id": "m1", "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}, **more}

    def read(self, *queries: dict[str, Any], end_s: float = 60, scan: str = "TimestampAscending") -> Any:
        end = START + timedelta(seconds=end_s)
        asked = list(queries) or [self.query()]
        answer = self.client.get_metric_data(
            MetricDataQueries=asked, StartTime=START, EndTime=end, ScanBy=scan
        )
        return {
            result["Id"]: [
                ((at - START).total_seconds(), value)
                for at, value in zip(result["Timestamps"], result["Values"], strict=True)
            ]
            for result in answer["MetricDataResults"]
        }


@pytest.mark.parametrize(
    ("stat", "expected"),
    [("Minimum", 0.0), ("Maximum", 4.0), ("Average", 2.0), ("Sum", 6.0), ("SampleCount", 3.0)],
)
def test_each_statistic_over_one_period(stat: str, expected: float) -> None:
    """AWS API reference, MetricStat.Stat."""
    drill = Drill()
    for value in (4, 0, 2):
        drill.put(value)
        drill.scheduler.run_for(2)
    assert drill.read(drill.query(stat)) == {"m1": [(0, expected)]}


def test_points_come_newest_first_unless_asked_otherwise_and_end_is_exclusive() -> None:
    """AWS API reference, GetMetricData: ScanBy, StartTime inclusive, EndTime exclusive."""
    drill = Drill()
    for value in (1, 2, 3):
        drill.put(value)
        drill.scheduler.run_for(10)
    assert drill.read() == {"m1": [(0, 1), (10, 2), (20, 3)]}
    assert drill.read(scan="TimestampDescending", end_s=20) == {"m1": [(10, 2), (0, 1)]}


def test_start_is_rounded_down_to_the_periods_division_of_the_minute() -> None:
    """AWS API reference, GetMetricData.StartTime: 01:05:23 at 10 s reads from 01:05:20."""
    drill = Drill()
    drill.put(7)
    drill.scheduler.run_for(30)
    late, end = START + timedelta(seconds=9), START + timedelta(seconds=30)
    answer = drill.client.get_metric_data(MetricDataQueries=[drill.query()], StartTime=late, EndTime=end)
    assert answer["MetricDataResults"][0]["Timestamps"] == [START]


def test_a_sample_is_unseen_until_the_ingest_lag_has_passed() -> None:
    """AWS user guide, "Publish custom metrics": data needs time before it can be read."""
    drill = Drill(lag_s=3.0)
    drill.put(1)
    drill.scheduler.run_for(2.9)
    assert drill.read() == {"m1": []}
    drill.scheduler.run_for(0.2)
    assert drill.read() == {"m1": [(0, 1)]}


def test_standard_resolution_appears_in_the_first_ten_seconds_of_its_minute_only() -> None:
    """AWS API reference, PutMetricAlarm.Period: sub-minute periods find no data between minutes."""
    drill = Drill()
    for _ in range(6):
        drill.put(1, resolution=60)
        drill.scheduler.run_for(10)
    assert drill.read() == {"m1": [(0, 1)]}
    assert drill.read(drill.query("SampleCount", 60)) == {"m1": [(0, 6)]}


def test_another_dimension_set_is_another_metric() -> None:
    """AWS user guide, "Dimensions": each unique combination is a metric of its own."""
    drill = Drill()
    drill.put(1, Dimensions=SLOT[:1])
    assert drill.read() == {"m1": []}


def test_fill_gives_every_period_a_point_and_keeps_the_real_ones() -> None:
    """AWS user guide, "Using metric math", FILL; a query with ReturnData false stays hidden."""
    drill = Drill()
    drill.scheduler.run_for(12)
    drill.put(1)
    fill = {"Id": "e1", "Expression": "FILL(m1, 0)"}
    assert drill.read(drill.query(ReturnData=False), fill, end_s=40) == {
        "e1": [(0, 0), (10, 1), (20, 0), (30, 0)]
    }


def test_fill_of_a_metric_that_never_existed_is_empty() -> None:
    """Assumed: AWS does not say; nothing is there to be filled."""
    drill = Drill()
    assert drill.read(drill.query(ReturnData=False), {"Id": "e1", "Expression": "FILL(m1,0)"}) == {"e1": []}


@pytest.mark.parametrize(
    "wrong",
    [
        {"Value": float("nan")},
        {"Value": 2.0**361},
        {"StorageResolution": 5},
        {"Timestamp": START - timedelta(days=15)},
        {"Timestamp": START + timedelta(hours=3)},
        {"Dimensions": [{"Name": f"d{n}", "Value": "v"} for n in range(31)]},
    ],
)
def test_a_wrong_datum_is_refused_and_nothing_of_the_call_is_kept(wrong: dict[str, Any]) -> None:
    """AWS API reference, MetricDatum: limits of each member."""
    drill = Drill()
    good = {"MetricName": "Healthy", "Dimensions": SLOT, "Value": 1.0, "StorageResolution": 1}
    with pytest.raises(ClientError):
        drill.client.put_metric_data(Namespace="picoha", MetricData=[good, {**good, **wrong}])
    assert drill.read() == {"m1": []}


@pytest.mark.parametrize(
    ("namespace", "batch", "code"),
    [
        ("AWS/EC2", [{"MetricName": "Healthy", "Value": 1.0}], "InvalidParameterValue"),
        ("picoha", [{"MetricName": "Healthy", "Value": 1.0}] * 1001, "InvalidParameterValue"),
        ("picoha", [{"MetricName": "Healthy"}], "MissingParameter"),
    ],
)
def test_a_wrong_call_is_refused_by_its_documented_code(namespace: str, batch: Any, code: str) -> None:
    """AWS API reference, PutMetricData: namespace, 1000 metrics, required value."""
    with pytest.raises(ClientError) as caught:
        Drill().client.put_metric_data(Namespace=namespace, MetricData=batch)
    assert caught.value.response["Error"]["Code"] == code


def test_a_period_aws_does_not_have_and_an_empty_span_are_refused() -> None:
    """AWS API reference, GetMetricData: Period 1, 5, 10, 20, 30, n x 60; StartTime < EndTime."""
    drill = Drill()
    with pytest.raises(ClientError, match="Period"):
        drill.read(drill.query(period=7))
    with pytest.raises(ClientError, match="StartTime"):
        drill.read(end_s=0)
    with pytest.raises(ClientError, match="distinct"):
        drill.read(drill.query(), drill.query())


def test_what_fakeaws_does_not_play_is_an_error() -> None:
    """Never a silent success: other expressions, statistics and value forms."""
    drill = Drill()
    for queries in ([drill.query("p99")], [drill.query(), {"Id": "e1", "Expression": "m1 * 2"}]):
        with pytest.raises(NotPlayed):
            drill.put(1)
            drill.read(*queries)
    with pytest.raises(NotPlayed):
        drill.client.put_metric_data(
            Namespace="picoha", MetricData=[{"MetricName": "Healthy", "Values": [1.0, 0.0]}]
        )
