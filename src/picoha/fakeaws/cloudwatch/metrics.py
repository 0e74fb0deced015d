"""CloudWatch metrics in memory: PutMetricData and GetMetricData, with `FILL(m1, 0)`.

A sample can be read `ingest_lag_s` after it was put. Standard-resolution samples are kept at
whole minutes, so of six ten-second periods only the first ever finds them, as on AWS.
"""

from __future__ import annotations

import bisect
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean
from typing import Any

from picoha.fakeaws.clients import Answer, NotPlayed, Operation
from picoha.fakeaws.scheduler import AwsFault, Scheduler

MetricKey = tuple[str, str, frozenset[tuple[str, str]]]

FILL = re.compile(r"\s*FILL\(\s*([a-z]\w*)\s*,\s*(-?\d+(?:\.\d+)?)\s*\)\s*")
STATISTICS: Mapping[str, Callable[[list[float]], float]] = {
    "Minimum": min,
    "Maximum": max,
    "Average": fmean,
    "Sum": math.fsum,
    "SampleCount": lambda values: float(len(values)),
}
_LARGEST = 2.0**360
_TWO_WEEKS_S, _TWO_HOURS_S = 14 * 86400.0, 7200.0


@dataclass(frozen=True)
class MetricValue:
    """One stored value; times are seconds since the epoch."""

    at: float
    visible_at: float
    value: float


@dataclass(frozen=True)
class Point:
    """One statistic over one period, and how many samples it rests on (0: filled in)."""

    value: float
    samples: int


def invalid(message: str, code: str = "ValidationError") -> AwsFault:
    """Build the 400 answer of a request that breaks a documented rule."""
    return AwsFault(code, message, 400)


def only_played(params: Mapping[str, Any], played: Iterable[str]) -> None:
    """Raise `NotPlayed` for parameters that AWS knows and fakeaws does not play."""
    if unplayed := sorted(set(params) - set(played)):
        raise NotPlayed(f"fakeaws does not play the parameter {', '.join(unplayed)}")


def epoch(at: datetime) -> float:
    """Read an API timestamp as epoch seconds; one without a zone is UTC."""
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def metric_key(metric: Mapping[str, Any]) -> MetricKey:
    """Name one metric: namespace, name and the unordered set of its dimensions."""
    dimensions = frozenset((one["Name"], one["Value"]) for one in metric.get("Dimensions", []))
    return metric["Namespace"], metric["MetricName"], dimensions


class MetricStore:
    """Keeps samples and answers PutMetricData and GetMetricData.

    `ingest_lag_s` (seconds, settable at any time) is how long a new sample stays unseen; 3 s for
    high resolution is an assumption, AWS states no figure.
    """

    def __init__(self, scheduler: Scheduler, ingest_lag_s: float = 3.0) -> None:
        self.ingest_lag_s = ingest_lag_s
        self.operations: Mapping[str, Operation] = {
            "PutMetricData": self.put_metric_data,
            "GetMetricData": self.get_metric_data,
        }
        self._scheduler = scheduler
        self._series: dict[MetricKey, list[MetricValue]] = {}

    def put_metric_data(self, params: dict[str, Any]) -> Answer:
        """Store every datum of the call, or none when one is wrong (AWS API reference, PutMetricData)."""
        only_played(params, ("Namespace", "MetricData"))
        namespace, batch = params["Namespace"], params.get("MetricData", [])
        if namespace.startswith("AWS/") or not 0 < len(batch) <= 1000:
            raise invalid("1 to 1000 metrics, in a namespace that is not AWS's own", "InvalidParameterValue")
        for key, sample in [self._sample(namespace, datum) for datum in batch]:
            bisect.insort(self._series.setdefault(key, []), sample, key=lambda one: one.at)
        return {}

    def _sample(self, namespace: str, datum: Mapping[str, Any]) -> tuple[MetricKey, MetricValue]:
        only_played(datum, ("MetricName", "Dimensions", "Timestamp", "Value", "Unit", "StorageResolution"))
        if "Value" not in datum:
            raise invalid("a datum needs a Value", "MissingParameter")
        resolution, value, now = datum.get("StorageResolution", 60), datum["Value"], self._scheduler.now
        at = epoch(datum.get("Timestamp", now))
        if resolution not in (1, 60) or len(datum.get("Dimensions", [])) > 30:
            raise invalid("StorageResolution is 1 or 60, Dimensions 30 at most", "InvalidParameterValue")
        if not (math.isfinite(value) and abs(value) <= _LARGEST):
            raise invalid("Value is a number within +-2^360", "InvalidParameterValue")
        if not -_TWO_WEEKS_S <= at - epoch(now) <= _TWO_HOURS_S:
            raise invalid("Timestamp is at most two weeks old or two hours ahead", "InvalidParameterValue")
        kept_at = math.floor(at / resolution) * float(resolution)
        key = metric_key({**datum, "Namespace": namespace})
        return key, MetricValue(kept_at, epoch(now) + self.ingest_lag_s, float(value))

    def get_metric_data(self, params: dict[str, Any]) -> Answer:
        """Answer each query that returns its points; the period that still runs is included."""
        only_played(params, ("MetricDataQueries", "StartTime", "EndTime", "ScanBy"))
        queries = {query["Id"]: query for query in params["MetricDataQueries"]}
        start, end = epoch(params["StartTime"]), epoch(params["EndTime"])
        if not 0 < len(queries) == len(params["MetricDataQueries"]) <= 500:
            raise invalid("MetricDataQueries holds 1 to 500 queries with distinct ids")
        if start >= end:
            raise invalid("The parameter StartTime must be less than the parameter EndTime.")
        newest_first = params.get("ScanBy", "TimestampDescending") == "TimestampDescending"
        returned = [query for query in queries.values() if query.get("ReturnData", True)]
        return {
            "MetricDataResults": [self._result(queries, one, (start, end), newest_first) for one in returned],
            "Messages": [],
        }

    def _result(
        self,
        queries: Mapping[str, Any],
        query: Mapping[str, Any],
        span: tuple[float, float],
        newest_first: bool,
    ) -> Answer:
        points = self.points(queries, query["Id"], *span)
        starts = sorted(points, reverse=newest_first)
        named = query["MetricStat"]["Metric"]["MetricName"] if "MetricStat" in query else query["Id"]
        return {
            "Id": query["Id"],
            "Label": query.get("Label", named),
            "Timestamps": [datetime.fromtimestamp(at, UTC) for at in starts],
            "Values": [points[at].value for at in starts],
            "StatusCode": "Complete",
        }

    def points(self, queries: Mapping[str, Any], wanted: str, start: float, end: float) -> dict[float, Point]:
        """Give start of period → point of the query `wanted` over [start, end), epoch seconds.

        Assumed, since AWS does not say: FILL gives every period a real point once the metric
        has one visible sample, however old, and nothing for a metric that never existed (the
        alarm's own missing-data rule decides then).
        """
        query = queries[wanted]
        if "MetricStat" in query:
            return self._measured(query["MetricStat"], start, end)
        only_played(query, ("Id", "Expression", "Label", "ReturnData"))
        stat, filler = filled_metric(queries, query)
        if not self._visible(metric_key(stat["Metric"]), -math.inf, math.inf):
            return {}
        period, first = stat["Period"], _first_start(stat["Period"], start)
        real = self._measured(stat, start, end)
        starts = (first + step * period for step in range(math.ceil((end - first) / period)))
        return {at: real.get(at, Point(filler, 0)) for at in starts}

    def _measured(self, stat: Mapping[str, Any], start: float, end: float) -> dict[float, Point]:
        only_played(stat, ("Metric", "Period", "Stat"))
        if stat["Stat"] not in STATISTICS:
            raise NotPlayed(f"fakeaws does not play the statistic {stat['Stat']}")
        period, first = stat["Period"], _first_start(stat["Period"], start)
        buckets: dict[float, list[float]] = {}
        for sample in self._visible(metric_key(stat["Metric"]), first, end):
            buckets.setdefault(first + (sample.at - first) // period * period, []).append(sample.value)
        return {at: Point(STATISTICS[stat["Stat"]](values), len(values)) for at, values in buckets.items()}

    def _visible(self, key: MetricKey, first: float, end: float) -> list[MetricValue]:
        now, series = epoch(self._scheduler.now), self._series.get(key, [])
        low, high = (bisect.bisect_left(series, at, key=lambda one: one.at) for at in (first, end))
        return [one for one in series[low:high] if one.visible_at <= now]


def filled_metric(queries: Mapping[str, Any], query: Mapping[str, Any]) -> tuple[dict[str, Any], float]:
    """Read `FILL(id, number)`: the MetricStat of that id, and the number. Else raise `NotPlayed`."""
    matched = FILL.fullmatch(query.get("Expression", ""))
    source = queries.get(matched.group(1), {}) if matched else {}
    if matched is None or "MetricStat" not in source:
        raise NotPlayed(f"fakeaws plays FILL(id of a metric, number), not {query.get('Expression')!r}")
    return source["MetricStat"], float(matched.group(2))


def _first_start(period: int, start: float) -> float:
    """Round down to the period's own division of a minute, or to the minute (GetMetricData)."""
    if period not in (1, 5, 10, 20, 30) and (period < 60 or period % 60):
        raise invalid("Period is 1, 5, 10, 20, 30 or a multiple of 60")
    division = min(period, 60)
    return math.floor(start / division) * float(division)
