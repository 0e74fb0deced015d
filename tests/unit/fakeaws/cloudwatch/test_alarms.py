"""Alarms through a real boto3 client in virtual time: the API, evaluation, actions.

Sources: AWS API reference, PutMetricAlarm, SetAlarmState, DescribeAlarms; AWS user guide, "Alarm
evaluation" and "Alarm actions".
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from picoha.fakeaws.clients import NotPlayed
from unit.fakeaws.cloudwatch.alarm_rig import FILLED, FUNCTION, NAME, SINGLE, STAT, TWO_OF_THREE, Drill


def test_a_reported_zero_is_an_alarm_after_two_periods() -> None:
    """AWS user guide, M of N: explicit bad points need no silence. Bounds: 2 periods + evaluator."""
    drill = Drill()
    drill.beat(10, 1)
    drill.scheduler.run_for(60)
    drill.alarm()
    drill.scheduler.run_for(60)
    drill.beat(10, 5, value=0.0)
    drill.scheduler.run_for(60)
    assert drill.states() == ["OK", "ALARM"]
    assert 20 <= drill.emitted[-1][0] - 120 <= 30


def test_the_running_period_does_not_count() -> None:
    """Assumed with emulators.md 7: only complete periods count."""
    drill = Drill()
    drill.alarm(TreatMissingData="missing", EvaluationPeriods=1, DatapointsToAlarm=1)
    drill.beat(100, 0.0)
    drill.scheduler.run_for(9.99)
    assert drill.told()["StateValue"] == "INSUFFICIENT_DATA"
    drill.scheduler.run_for(10.01)
    assert drill.told()["StateValue"] == "OK"


def test_an_alarm_starts_in_insufficient_data_and_runs_the_action_of_its_first_real_state() -> None:
    """AWS API reference, PutMetricAlarm: initial state, then evaluated, "actions are then executed"."""
    drill = Drill()
    drill.alarm(AlarmDescription="Healthy of platform1")
    assert (
        drill.told()
        | {
            "AlarmName": NAME,
            "AlarmArn": f"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{NAME}",
            "StateValue": "INSUFFICIENT_DATA",
            "Period": 10,
            "ActionsEnabled": True,
            "AlarmActions": [FUNCTION],
            "OKActions": [],
        }
        == drill.told()
    )
    assert drill.invoked == []
    drill.scheduler.run_for(10)
    assert [event["alarmData"]["state"]["value"] for _, _, event in drill.invoked] == ["ALARM"]


def test_a_minute_alarm_is_evaluated_once_a_minute() -> None:
    """AWS user guide, "Alarm evaluation": every minute for periods of a minute and more."""
    drill = Drill()
    drill.beat(10, 0)
    drill.alarm(Period=60, EvaluationPeriods=1, DatapointsToAlarm=1, TreatMissingData="notBreaching")
    drill.scheduler.run_for(70)
    first_s = drill.emitted[0][0]
    drill.client.set_alarm_state(AlarmName=NAME, StateValue="ALARM", StateReason="drill")
    drill.scheduler.run_for(180)
    assert drill.states() == ["OK", "ALARM", "OK"]
    assert (drill.emitted[2][0] - first_s) % 60 == pytest.approx(0)


def test_set_alarm_state_acts_once_and_the_next_evaluation_takes_it_back() -> None:
    """AWS API reference, SetAlarmState: temporary; the action runs when the state differs."""
    drill = Drill()
    drill.beat(5, 0)
    drill.scheduler.run_for(60)
    drill.alarm(OKActions=[FUNCTION])
    drill.scheduler.run_for(30)
    for _ in range(2):
        drill.client.set_alarm_state(
            AlarmName=NAME, StateValue="ALARM", StateReason="drill", StateReasonData='{"by": "me"}'
        )
    assert drill.told()["StateReason"] == "drill"
    assert drill.states() == ["OK", "ALARM"]
    drill.scheduler.run_for(10)
    assert drill.states() == ["OK", "ALARM", "OK"]
    states = [event["alarmData"]["state"] for _, _, event in drill.invoked]
    assert [state["value"] for state in states] == ["OK", "ALARM", "OK"]
    assert json.loads(states[1]["reasonData"]) == {"by": "me"}


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"AlarmName": "nobody", "StateValue": "OK"}, "ResourceNotFound"),
        ({"AlarmName": NAME, "StateValue": "RED"}, "ValidationError"),
        ({"AlarmName": NAME, "StateValue": "ALARM", "StateReasonData": "{"}, "InvalidFormat"),
    ],
)
def test_a_wrong_set_alarm_state_is_refused(params: dict[str, str], code: str) -> None:
    """AWS API reference, SetAlarmState, errors."""
    drill = Drill()
    drill.alarm()
    with pytest.raises(ClientError) as caught:
        drill.client.set_alarm_state(StateReason="drill", **params)
    assert caught.value.response["Error"]["Code"] == code
    assert drill.emitted == []


def test_disabled_actions_change_state_and_emit_but_invoke_nothing() -> None:
    """AWS API reference, PutMetricAlarm.ActionsEnabled; state-change events are emitted all the same."""
    drill = Drill()
    drill.alarm(ActionsEnabled=False)
    drill.scheduler.run_for(60)
    assert drill.states() == ["ALARM"]
    assert drill.invoked == []


def test_an_update_overwrites_the_settings_and_leaves_the_state() -> None:
    """AWS API reference, PutMetricAlarm: an update leaves the state, overwrites the rest."""
    drill = Drill()
    drill.alarm(AlarmDescription="old", TreatMissingData="missing")
    drill.client.set_alarm_state(AlarmName=NAME, StateValue="OK", StateReason="drill")
    drill.alarm(FILLED, Threshold=2, TreatMissingData="ignore")
    told = drill.told()
    assert (told["StateValue"], told["Threshold"]) == ("OK", 2)
    assert "AlarmDescription" not in told and "MetricName" not in told
    drill.scheduler.run_for(120)
    assert drill.states() == ["OK"], "one evaluator per alarm, under the new treatment"


def test_an_sns_action_publishes_and_an_event_goes_to_the_bus() -> None:
    """AWS user guide, "Alarm actions" and "Alarm events and EventBridge"."""
    drill = Drill()
    topic = drill.topics.create("picoha-demo")
    drill.alarm(AlarmActions=[topic])
    drill.scheduler.run_for(10)
    (message,) = drill.topics.published
    assert message.topic == topic
    assert message.subject == f'ALARM: "{NAME}" in EU (Ireland)'
    assert json.loads(message.message)["OldStateValue"] == "INSUFFICIENT_DATA"
    ((_, source, detail_type, detail, resources),) = drill.emitted
    assert (source, detail_type) == ("aws.cloudwatch", "CloudWatch Alarm State Change")
    assert resources == [f"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{NAME}"]
    assert detail["alarmName"] == NAME


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"DatapointsToAlarm": 4}, "DatapointsToAlarm"),
        ({"Period": 7}, "Period"),
        ({"Period": 90}, "Period"),
        ({"Period": 60, "EvaluationPeriods": 1441}, "one day"),
        ({"Period": 3600, "EvaluationPeriods": 169}, "one day"),
        ({"TreatMissingData": "maybe"}, "TreatMissingData"),
        ({"AlarmActions": [f"{FUNCTION}{n}" for n in range(6)]}, "5 actions"),
        ({**FILLED}, "excludes"),
        ({"MetricName": None}, "needs Metrics, or MetricName"),
    ],
)
def test_a_wrong_alarm_is_refused_and_not_created(wrong: dict[str, Any], match: str) -> None:
    """AWS API reference, PutMetricAlarm: limits and exclusions."""
    drill = Drill()
    given = {key: value for key, value in {**TWO_OF_THREE, **SINGLE, **wrong}.items() if value is not None}
    with pytest.raises(ClientError, match=match):
        drill.client.put_metric_alarm(**given)
    assert drill.client.describe_alarms()["MetricAlarms"] == []


@pytest.mark.parametrize(
    "metrics",
    [
        [FILLED["Metrics"][0], {"Id": "m1", "MetricStat": STAT}],
        [{"Id": "m1", "MetricStat": STAT, "ReturnData": False}],
        [FILLED["Metrics"][0], FILLED["Metrics"][0]],
    ],
    ids=["two returned", "none returned", "same id twice"],
)
def test_metric_math_needs_distinct_ids_and_one_returned_query(metrics: list[dict[str, Any]]) -> None:
    """AWS API reference, PutMetricAlarm.Metrics: one item has ReturnData true."""
    with pytest.raises(ClientError, match=r"ids|one query"):
        Drill().client.put_metric_alarm(**TWO_OF_THREE, Metrics=metrics)


@pytest.mark.parametrize(
    "unplayed",
    [
        {"WarmUpConfiguration": {"WarmUpPeriodDurationInMinutes": 5}},
        {"Unit": "None"},
        {"ComparisonOperator": "GreaterThanUpperThreshold"},
        {"AlarmActions": ["arn:aws:automate:eu-west-1:ec2:recover"]},
    ],
)
def test_what_fakeaws_does_not_play_is_an_error(unplayed: dict[str, Any]) -> None:
    """Never a silent success."""
    params = {**TWO_OF_THREE, **SINGLE, **unplayed}
    with pytest.raises(NotPlayed):
        Drill().alarms.put_metric_alarm(params)


def test_describe_alarms_selects_by_name_prefix_state_and_type_in_pages() -> None:
    """AWS API reference, DescribeAlarms: names exclude a prefix; MaxRecords and NextToken."""
    drill = Drill()
    for slot in ("platform1", "ec1", "ec2"):
        drill.alarm(AlarmName=f"picoha-demo-{slot}")
    drill.alarm(AlarmName="other")
    drill.client.set_alarm_state(AlarmName="picoha-demo-ec2", StateValue="ALARM", StateReason="drill")

    def names(**params: Any) -> list[str]:
        pages = drill.client.get_paginator("describe_alarms").paginate(**params)
        return [alarm["AlarmName"] for page in pages for alarm in page["MetricAlarms"]]

    assert names(AlarmNamePrefix="picoha-demo-") == [
        f"picoha-demo-{slot}" for slot in ("ec1", "ec2", "platform1")
    ]
    assert names(PaginationConfig={"PageSize": 1}) == sorted(names())
    assert names(StateValue="ALARM") == ["picoha-demo-ec2"]
    assert names(AlarmNames=["other", "nobody"]) == ["other"]
    assert names(AlarmTypes=["CompositeAlarm"]) == []
    with pytest.raises(ClientError, match="exclude"):
        names(AlarmNames=["other"], AlarmNamePrefix="o")
