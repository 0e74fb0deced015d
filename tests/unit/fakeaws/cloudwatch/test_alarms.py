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
from unit.fakeaws.cloudwatch.alarm_rig import FILLED, FUNCTION, NAME, SINGLE, STAT, TWO_OF_THREE, Desk


def test_a_reported_zero_is_an_alarm_after_two_periods() -> None:
    """AWS user guide, M of N: explicit bad points need no silence. Bounds: 2 periods + evaluator."""
    desk = Desk()
    desk.beat(10, 1)
    desk.kernel.run_for(60)
    desk.alarm()
    desk.kernel.run_for(60)
    desk.beat(10, 5, value=0.0)
    desk.kernel.run_for(60)
    assert desk.states() == ["OK", "ALARM"]
    assert 20 <= desk.emitted[-1][0] - 120 <= 30


def test_the_running_period_does_not_count() -> None:
    """Assumed with emulators.md 7: only complete periods count."""
    desk = Desk()
    desk.alarm(TreatMissingData="missing", EvaluationPeriods=1, DatapointsToAlarm=1)
    desk.beat(100, 0.0)
    desk.kernel.run_for(9.99)
    assert desk.told()["StateValue"] == "INSUFFICIENT_DATA"
    desk.kernel.run_for(10.01)
    assert desk.told()["StateValue"] == "OK"


def test_an_alarm_starts_in_insufficient_data_and_runs_the_action_of_its_first_real_state() -> None:
    """AWS API reference, PutMetricAlarm: initial state, then evaluated, "actions are then executed"."""
    desk = Desk()
    desk.alarm(AlarmDescription="Healthy of platform1")
    assert (
        desk.told()
        | {
            "AlarmName": NAME,
            "AlarmArn": f"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{NAME}",
            "StateValue": "INSUFFICIENT_DATA",
            "Period": 10,
            "ActionsEnabled": True,
            "AlarmActions": [FUNCTION],
            "OKActions": [],
        }
        == desk.told()
    )
    assert desk.invoked == []
    desk.kernel.run_for(10)
    assert [event["alarmData"]["state"]["value"] for _, _, event in desk.invoked] == ["ALARM"]


def test_a_minute_alarm_is_evaluated_once_a_minute() -> None:
    """AWS user guide, "Alarm evaluation": every minute for periods of a minute and more."""
    desk = Desk()
    desk.beat(10, 0)
    desk.alarm(Period=60, EvaluationPeriods=1, DatapointsToAlarm=1, TreatMissingData="notBreaching")
    desk.kernel.run_for(70)
    first_s = desk.emitted[0][0]
    desk.client.set_alarm_state(AlarmName=NAME, StateValue="ALARM", StateReason="drill")
    desk.kernel.run_for(180)
    assert desk.states() == ["OK", "ALARM", "OK"]
    assert (desk.emitted[2][0] - first_s) % 60 == pytest.approx(0)


def test_set_alarm_state_acts_once_and_the_next_evaluation_takes_it_back() -> None:
    """AWS API reference, SetAlarmState: temporary; the action runs when the state differs."""
    desk = Desk()
    desk.beat(5, 0)
    desk.kernel.run_for(60)
    desk.alarm(OKActions=[FUNCTION])
    desk.kernel.run_for(30)
    for _ in range(2):
        desk.client.set_alarm_state(
            AlarmName=NAME, StateValue="ALARM", StateReason="drill", StateReasonData='{"by": "me"}'
        )
    assert desk.told()["StateReason"] == "drill"
    assert desk.states() == ["OK", "ALARM"]
    desk.kernel.run_for(10)
    assert desk.states() == ["OK", "ALARM", "OK"]
    states = [event["alarmData"]["state"] for _, _, event in desk.invoked]
    assert [one["value"] for one in states] == ["OK", "ALARM", "OK"]
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
    desk = Desk()
    desk.alarm()
    with pytest.raises(ClientError) as caught:
        desk.client.set_alarm_state(StateReason="drill", **params)
    assert caught.value.response["Error"]["Code"] == code
    assert desk.emitted == []


def test_disabled_actions_change_state_and_emit_but_invoke_nothing() -> None:
    """AWS API reference, PutMetricAlarm.ActionsEnabled; state-change events are emitted all the same."""
    desk = Desk()
    desk.alarm(ActionsEnabled=False)
    desk.kernel.run_for(60)
    assert desk.states() == ["ALARM"]
    assert desk.invoked == []


def test_an_update_overwrites_the_settings_and_leaves_the_state() -> None:
    """AWS API reference, PutMetricAlarm: an update leaves the state, overwrites the rest."""
    desk = Desk()
    desk.alarm(AlarmDescription="old", TreatMissingData="missing")
    desk.client.set_alarm_state(AlarmName=NAME, StateValue="OK", StateReason="drill")
    desk.alarm(FILLED, Threshold=2, TreatMissingData="ignore")
    told = desk.told()
    assert (told["StateValue"], told["Threshold"]) == ("OK", 2)
    assert "AlarmDescription" not in told and "MetricName" not in told
    desk.kernel.run_for(120)
    assert desk.states() == ["OK"], "one evaluator per alarm, under the new treatment"


def test_an_sns_action_publishes_and_an_event_goes_to_the_bus() -> None:
    """AWS user guide, "Alarm actions" and "Alarm events and EventBridge"."""
    desk = Desk()
    topic = desk.topics.create("picoha-demo")
    desk.alarm(AlarmActions=[topic])
    desk.kernel.run_for(10)
    (message,) = desk.topics.published
    assert message.topic == topic
    assert message.subject == f'ALARM: "{NAME}" in EU (Ireland)'
    assert json.loads(message.message)["OldStateValue"] == "INSUFFICIENT_DATA"
    ((_, source, detail_type, detail, resources),) = desk.emitted
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
    desk = Desk()
    given = {key: value for key, value in {**TWO_OF_THREE, **SINGLE, **wrong}.items() if value is not None}
    with pytest.raises(ClientError, match=match):
        desk.client.put_metric_alarm(**given)
    assert desk.client.describe_alarms()["MetricAlarms"] == []


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
        Desk().client.put_metric_alarm(**TWO_OF_THREE, Metrics=metrics)


@pytest.mark.parametrize(
    "unplayed",
    [
        {"WarmUpConfiguration": {"WarmUpPeriodDurationInMinutes": 5}},
        {"Unit": "None"},
        {"ComparisonOperator": "GreaterThanUpperThreshold"},
        {"AlarmActions": ["arn:aws:automate:eu-west-1:ec2:recover"]},
    ],
)
def test_what_the_desk_does_not_play_is_an_error(unplayed: dict[str, Any]) -> None:
    """Never a silent success."""
    params = {**TWO_OF_THREE, **SINGLE, **unplayed}
    with pytest.raises(NotPlayed):
        Desk().alarms.put_metric_alarm(params)


def test_describe_alarms_selects_by_name_prefix_state_and_type_in_pages() -> None:
    """AWS API reference, DescribeAlarms: names exclude a prefix; MaxRecords and NextToken."""
    desk = Desk()
    for slot in ("platform1", "ec1", "ec2"):
        desk.alarm(AlarmName=f"picoha-demo-{slot}")
    desk.alarm(AlarmName="other")
    desk.client.set_alarm_state(AlarmName="picoha-demo-ec2", StateValue="ALARM", StateReason="drill")

    def names(**params: Any) -> list[str]:
        pages = desk.client.get_paginator("describe_alarms").paginate(**params)
        return [one["AlarmName"] for page in pages for one in page["MetricAlarms"]]

    assert names(AlarmNamePrefix="picoha-demo-") == [
        f"picoha-demo-{slot}" for slot in ("ec1", "ec2", "platform1")
    ]
    assert names(PaginationConfig={"PageSize": 1}) == sorted(names())
    assert names(StateValue="ALARM") == ["picoha-demo-ec2"]
    assert names(AlarmNames=["other", "nobody"]) == ["other"]
    assert names(AlarmTypes=["CompositeAlarm"]) == []
    with pytest.raises(ClientError, match="exclude"):
        names(AlarmNames=["other"], AlarmNamePrefix="o")
