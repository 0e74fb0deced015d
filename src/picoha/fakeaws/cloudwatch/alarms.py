"""CloudWatch alarms in memory: the API, the evaluator and the actions.

AWS user guide, "Alarm evaluation" and PutMetricAlarm: an alarm is evaluated every 10 s when
its period is below a minute, else every minute; it starts in INSUFFICIENT_DATA; an action runs
once per change of state. The moment of the first evaluation is drawn from the world's seed.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from picoha.fakeaws.clients import ACCOUNT, REGION, Answer, Emit, NotPlayed, Operation, page
from picoha.fakeaws.cloudwatch import payloads
from picoha.fakeaws.cloudwatch.alarm_rules import (
    COMPARISONS,
    TREATMENTS,
    AlarmRule,
    evaluate,
    evaluation_range,
    reason,
)
from picoha.fakeaws.cloudwatch.metrics import (
    STATISTICS,
    MetricStore,
    Point,
    epoch,
    filled_metric,
    invalid,
    only_played,
)
from picoha.fakeaws.cloudwatch.payloads import AlarmCondition, MetricAlarm, alarm_time
from picoha.fakeaws.scheduler import AwsFault, Scheduler

_ACTIONS = {"OK": "OKActions", "ALARM": "AlarmActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}
_SINGLE = ("MetricName", "Namespace", "Dimensions", "Period", "Statistic")
_PLAYED = (
    *("AlarmName", "AlarmDescription", "ActionsEnabled", "Metrics", "Tags", *_SINGLE, *_ACTIONS.values()),
    *("EvaluationPeriods", "DatapointsToAlarm", "Threshold", "ComparisonOperator", "TreatMissingData"),
)


def _queries(spec: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Give the alarm's metric queries by id; a single metric becomes one query of its own."""
    single = [name for name in _SINGLE if name in spec]
    if "Metrics" in spec:
        queries = {query["Id"]: query for query in spec["Metrics"]}
        if single or not 0 < len(queries) == len(spec["Metrics"]):
            raise invalid(f"Metrics holds queries with distinct ids and excludes {', '.join(_SINGLE)}")
        return queries
    if missing := {"MetricName", "Namespace", "Period", "Statistic"} - set(single):
        raise invalid(f"an alarm needs Metrics, or {', '.join(sorted(missing))}")
    query_id = str(uuid.uuid5(uuid.NAMESPACE_URL, spec["AlarmName"]))
    metric = {name: spec.get(name, []) for name in ("Namespace", "MetricName", "Dimensions")}
    stat = {"Metric": metric, "Period": spec["Period"], "Stat": spec["Statistic"]}
    return {query_id: {"Id": query_id, "MetricStat": stat, "ReturnData": True}}


def _watched(queries: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Give the id of the one query that returns its points, and the metric it rests on."""
    returned = [query for query in queries.values() if query.get("ReturnData", True)]
    if len(returned) != 1:
        raise invalid("exactly one query of an alarm returns its points")
    query = returned[0]
    stat = query["MetricStat"] if "MetricStat" in query else filled_metric(queries, query)[0]
    if stat["Period"] not in (10, 20, 30) and (stat["Period"] < 60 or stat["Period"] % 60):
        raise invalid("Period must be 10, 20, 30 or a multiple of 60")
    if stat["Stat"] not in STATISTICS:
        raise NotPlayed(f"fakeaws does not play the statistic {stat['Stat']}")
    return query["Id"], stat


def _rule(spec: Mapping[str, Any], period: int) -> AlarmRule:
    """Read M of N, threshold and missing-data treatment (AWS API reference, PutMetricAlarm)."""
    n, treat_missing = spec["EvaluationPeriods"], spec.get("TreatMissingData", "missing")
    m = spec.get("DatapointsToAlarm", n)
    if not 1 <= m <= n:
        raise invalid("DatapointsToAlarm must be between 1 and EvaluationPeriods")
    if n * period > (86_400 if period < 3600 else 604_800):
        raise invalid("EvaluationPeriods times Period is one day at most (seven from Period 3600 on)")
    if spec["ComparisonOperator"] not in COMPARISONS or "Threshold" not in spec:
        raise NotPlayed("fakeaws plays static thresholds: Threshold and one of " + ", ".join(COMPARISONS))
    if treat_missing not in TREATMENTS:
        raise invalid(f"TreatMissingData must be one of {', '.join(TREATMENTS)}")
    return AlarmRule(m, n, float(spec["Threshold"]), spec["ComparisonOperator"], treat_missing)


def _check_actions(spec: Mapping[str, Any]) -> None:
    for arns in (spec.get(key, []) for key in _ACTIONS.values()):
        if len(arns) > 5:
            raise invalid("a state has at most 5 actions")
        if any(not arn.startswith(("arn:aws:lambda:", "arn:aws:sns:")) for arn in arns):
            raise NotPlayed("fakeaws plays alarm actions on Lambda functions and SNS topics")


class Alarms:
    """Keeps alarms, evaluates them in virtual time and sends what a change of state sends.

    `invoke(action_arn, event)` starts a Lambda function, `publish(params)` is SNS Publish,
    `emit(source, detail_type, detail, resources)` puts an event on the default bus. None of
    them may block. Only complete periods count; the evaluator does not wait for late samples,
    so the newest point of a FILL can be the filler (AWS user guide, "Using metric math").
    """

    def __init__(
        self,
        scheduler: Scheduler,
        metrics: MetricStore,
        *,
        invoke: Callable[[str, Answer], None],
        publish: Operation,
        emit: Emit,
    ) -> None:
        self.operations: Mapping[str, Operation] = {
            "PutMetricAlarm": self.put_metric_alarm,
            "DescribeAlarms": self.describe_alarms,
            "SetAlarmState": self.set_alarm_state,
        }
        self._scheduler, self._metrics = scheduler, metrics
        self._invoke, self._publish, self._emit = invoke, publish, emit
        self._alarms: dict[str, MetricAlarm] = {}

    def put_metric_alarm(self, params: dict[str, Any]) -> Answer:
        """Create an alarm, or overwrite one wholly while its state stays."""
        only_played(params, _PLAYED)
        name, now, queries = params["AlarmName"], self._scheduler.now, _queries(params)
        watched, stat = _watched(queries)
        rule = _rule(params, stat["Period"])
        _check_actions(params)
        if old := self._alarms.get(name):
            old.spec, old.queries, old.watched, old.stat, old.rule = params, queries, watched, stat, rule
            return {}
        arn = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"
        first = AlarmCondition("INSUFFICIENT_DATA", "Unchecked: Initial alarm creation", None, now)
        alarm = self._alarms[name] = MetricAlarm(arn, params, queries, watched, stat, rule, first, first)
        self._scheduler.at(self._scheduler.random.uniform(0, alarm.interval_s), lambda: self._tick(alarm))
        return {}

    def describe_alarms(self, params: dict[str, Any]) -> Answer:
        """Answer DescribeAlarms for metric alarms, in name order, paged (50 by default)."""
        played = ("AlarmNames", "AlarmNamePrefix", "AlarmTypes", "StateValue", "MaxRecords", "NextToken")
        only_played(params, played)
        names, prefix = params.get("AlarmNames", []), params.get("AlarmNamePrefix", "")
        if names and prefix:
            raise invalid("AlarmNames and AlarmNamePrefix exclude each other")
        wanted = [
            _told(alarm)
            for name, alarm in sorted(self._alarms.items())
            if name.startswith(prefix)
            and (not names or name in names)
            and params.get("StateValue", alarm.standing.value) == alarm.standing.value
            and "MetricAlarm" in params.get("AlarmTypes", ["MetricAlarm"])
        ]
        return {"CompositeAlarms": []} | page(wanted, params, "MetricAlarms", "MaxRecords", 50)

    def set_alarm_state(self, params: dict[str, Any]) -> Answer:
        """Set the state until the next evaluation; actions run when it differs from the last."""
        alarm, value = self._alarms.get(params["AlarmName"]), params["StateValue"]
        if alarm is None:
            raise AwsFault("ResourceNotFound", f"Unknown alarm {params['AlarmName']}", 404)
        if value not in _ACTIONS:
            raise invalid(f"StateValue must be one of {', '.join(_ACTIONS)}")
        reason_json = params.get("StateReasonData")
        try:
            json.loads(reason_json or "{}")
        except ValueError:
            raise invalid("StateReasonData is not JSON", "InvalidFormat") from None
        self._stand(alarm, AlarmCondition(value, params["StateReason"], reason_json, self._scheduler.now))
        return {}

    def _tick(self, alarm: MetricAlarm) -> None:
        self._scheduler.at(alarm.interval_s, lambda: self._tick(alarm))
        self._evaluate(alarm)

    def _evaluate(self, alarm: MetricAlarm) -> None:
        now, period, depth = self._scheduler.now, alarm.stat["Period"], evaluation_range(alarm.rule.n)
        end = math.floor(epoch(now) / period) * float(period)
        starts = [end - back * period for back in range(depth, 0, -1)]
        found = self._metrics.points(alarm.queries, alarm.watched, starts[0], end)
        state = evaluate([found[at].value if at in found else None for at in starts], alarm.rule)
        if state is not None and state != alarm.standing.value:
            real = [(datetime.fromtimestamp(at, UTC), found[at]) for at in starts if at in found]
            texts = [(f"{at:%d/%m/%y %H:%M:%S}", point.value) for at, point in real]
            why = reason(texts, alarm.rule, state, alarm.standing.value)
            self._stand(
                alarm, AlarmCondition(state, why, _reason_json(alarm, now, real[-alarm.rule.n :]), now)
            )

    def _stand(self, alarm: MetricAlarm, standing: AlarmCondition) -> None:
        if standing.value == alarm.standing.value:
            return
        alarm.previous, alarm.standing = alarm.standing, standing
        detail = payloads.alarm_detail(alarm)
        self._emit("aws.cloudwatch", "CloudWatch Alarm State Change", detail, [alarm.arn])
        if not alarm.spec.get("ActionsEnabled", True):
            return
        for arn in alarm.spec.get(_ACTIONS[standing.value], []):
            if ":lambda:" in arn:
                self._invoke(arn, payloads.lambda_alarm_event(alarm))
            else:
                self._publish({"TopicArn": arn, **payloads.sns_alarm_message(alarm)})


def _reason_json(alarm: MetricAlarm, now: datetime, real: list[tuple[datetime, Point]]) -> str:
    told: Answer = {
        "version": "1.0",
        "queryDate": alarm_time(now),
        "statistic": alarm.stat["Stat"],
        "period": alarm.stat["Period"],
        "recentDatapoints": [point.value for _, point in real],
        "threshold": alarm.rule.threshold,
    }
    if real:
        told["startDate"] = alarm_time(real[0][0])
        told["evaluatedDatapoints"] = [
            {"timestamp": alarm_time(at), "sampleCount": float(point.samples), "value": point.value}
            for at, point in reversed(real)
        ]
    return json.dumps(told)


def _told(alarm: MetricAlarm) -> Answer:
    """Write the alarm as DescribeAlarms does."""
    standing = alarm.standing
    told = {key: value for key, value in alarm.spec.items() if key != "Tags"}
    told |= {key: alarm.spec.get(key, []) for key in (*_ACTIONS.values(), "Dimensions")}
    told |= {
        "AlarmArn": alarm.arn,
        "ActionsEnabled": alarm.spec.get("ActionsEnabled", True),
        "StateValue": standing.value,
        "StateReason": standing.reason,
        "StateUpdatedTimestamp": standing.at,
        "StateTransitionedTimestamp": standing.at,
    }
    return told if standing.reason_json is None else {**told, "StateReasonData": standing.reason_json}
