"""The alarms: those of the slots ring picoha, those on picoha tell people without it."""

from __future__ import annotations

import fnmatch
import itertools
from typing import Any

import pytest

from contract.templates import (
    CELL,
    CELL_TEMPLATE,
    CONTROLLER,
    GAMEDAY,
    SLOTS,
    nodes,
    of_type,
    read,
    rendered,
    resolved,
    source,
)

TEMPLATES = [CONTROLLER, CELL_TEMPLATE, GAMEDAY / "experiments.yaml"]
OURS = {"ControllerSilent", "ControllerErrors", "ControllerThrottled", "OperationStuck", "DeadLettersKept"}
SEES_SILENCE = {"ControllerSilent", *(f"SlotAlarm{slot}" for slot in SLOTS)}


def alarms() -> dict[str, dict[str, Any]]:
    return of_type(rendered(), "AWS::CloudWatch::Alarm")


def every_alarm() -> list[dict[str, Any]]:
    found = (node for path in TEMPLATES for node in nodes(read(path)["Resources"]))
    return [node["Properties"] for node in found if node.get("Type") == "AWS::CloudWatch::Alarm"]


# M of N.


def holds(rule: dict[str, Any], values: dict[str, int]) -> bool:
    """Evaluate a rule of the section Rules as CloudFormation does, on text."""
    left, right = rule["RuleCondition"]["Fn::Equals"]
    if str(values[left["Ref"]]) != right:
        return True
    contained = (assertion["Assert"]["Fn::Contains"] for assertion in rule["Assertions"])
    return all(str(values[one["Ref"]]) in allowed for allowed, one in contained)


@pytest.mark.parametrize(("m", "n"), [*itertools.product(range(1, 6), repeat=2)])
def test_a_slot_alarm_that_could_never_ring_is_refused(m: int, n: int) -> None:
    parameters = source()["Parameters"]
    for name, value in (("DatapointsToAlarm", m), ("EvaluationPeriods", n)):
        assert parameters[name]["MinValue"] <= value <= parameters[name]["MaxValue"] == 5
    values = {"DatapointsToAlarm": m, "EvaluationPeriods": n}
    assert all(holds(rule, values) for rule in source()["Rules"].values()) == (m <= n)


def test_every_alarm_of_every_template_needs_no_more_than_it_looks_at() -> None:
    parameters = source()["Parameters"]
    assert len(every_alarm()) >= len(OURS) + 1 + len(SLOTS)
    for alarm in every_alarm():
        m, n = (
            parameters[value["Ref"]]["Default"] if isinstance(value, dict) else value
            for value in (alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"])
        )
        assert 1 <= m <= n, alarm["AlarmName"]


def test_every_alarm_of_every_template_says_what_missing_data_means() -> None:
    for alarm in every_alarm():
        assert alarm["TreatMissingData"] in ("breaching", "notBreaching", "ignore"), alarm["AlarmName"]


def test_only_what_must_see_silence_takes_it_for_a_failure() -> None:
    breaching = {name for name, one in alarms().items() if one["TreatMissingData"] == "breaching"}
    assert breaching == SEES_SILENCE
    for name in breaching:
        measured, judged = alarms()[name]["Metrics"]
        assert judged["Expression"] == f"FILL({measured['Id']}, 0)"
        assert [metric["Id"] for metric in alarms()[name]["Metrics"] if metric["ReturnData"]] == [
            judged["Id"]
        ]


# One per slot.


@pytest.mark.parametrize("slot", SLOTS)
def test_each_slot_has_an_alarm_on_failure_and_on_silence(slot: str) -> None:
    alarm = alarms()[f"SlotAlarm{slot}"]
    assert resolved(alarm["AlarmName"]) == f"picoha-{CELL}-{slot}"
    measured, _ = alarm["Metrics"]
    assert measured["MetricStat"]["Stat"] == "Minimum"
    metric = measured["MetricStat"]["Metric"]
    assert (metric["Namespace"], metric["MetricName"]) == ("picoha", "Healthy")
    dimensions = {dimension["Name"]: dimension["Value"] for dimension in metric["Dimensions"]}
    assert dimensions == {"Cell": {"Ref": "CellName"}, "Slot": slot}
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)


def test_every_slot_alarm_may_invoke_what_it_names() -> None:
    granted = [
        permission
        for permission in of_type(rendered(), "AWS::Lambda::Permission").values()
        if permission["Principal"] == "lambda.alarms.cloudwatch.amazonaws.com"
    ]
    assert len(granted) == 1
    assert granted[0]["Action"] == "lambda:InvokeFunction"
    assert granted[0]["SourceAccount"] == {"Ref": "AWS::AccountId"}
    for slot in SLOTS:
        alarm = alarms()[f"SlotAlarm{slot}"]
        assert alarm["AlarmActions"] == [granted[0]["FunctionName"]]
        arn = f"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{resolved(alarm['AlarmName'])}"
        assert fnmatch.fnmatchcase(arn, resolved(granted[0]["SourceArn"]))


# On picoha itself.


def test_the_alarms_on_picoha_are_these_and_tell_the_topic_when_they_begin_and_end() -> None:
    ours = {name: one for name, one in alarms().items() if not name.startswith("SlotAlarm")}
    assert set(ours) == OURS
    for name, alarm in ours.items():
        assert alarm["AlarmActions"] == [{"Ref": "Topic"}]
        # A guard that holds first ends the line that is counted, not what is stuck.
        assert alarm.get("OKActions", []) == ([] if name == "OperationStuck" else [{"Ref": "Topic"}])


def test_no_alarm_on_picoha_has_the_name_of_a_slots_alarm() -> None:
    for name in OURS:
        kind = resolved(alarms()[name]["AlarmName"]).removeprefix(f"picoha-{CELL}-")
        assert "-" in kind  # no slot's name has one: [a-z][a-z0-9]*


def test_the_dead_man_alarm_rings_after_three_minutes_without_a_look() -> None:
    alarm = alarms()["ControllerSilent"]
    looks = alarm["Metrics"][0]["MetricStat"]
    assert (looks["Metric"]["Namespace"], looks["Metric"]["MetricName"]) == ("picoha", "Tick")
    assert looks["Metric"]["Dimensions"] == [{"Name": "Cell", "Value": {"Ref": "CellName"}}]
    assert (looks["Stat"], looks["Period"] * alarm["EvaluationPeriods"]) == ("SampleCount", 180)
    assert alarm["DatapointsToAlarm"] == alarm["EvaluationPeriods"]
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)


# An alarm publishes by the topic's policy and by its key's: without either its message is lost in silence.


def test_every_alarm_on_picoha_may_publish_to_the_topic_and_use_its_key() -> None:
    [topic] = of_type(rendered(), "AWS::SNS::Topic").values()
    assert topic["KmsMasterKeyId"] == {"Ref": "TopicKey"}
    [key] = of_type(rendered(), "AWS::KMS::Key").values()
    [policy] = of_type(rendered(), "AWS::SNS::TopicPolicy").values()
    for document, needed in (
        (policy["PolicyDocument"], ["sns:Publish"]),
        (key["KeyPolicy"], ["kms:Decrypt", "kms:GenerateDataKey*"]),
    ):
        [allowed] = [
            one
            for one in document["Statement"]
            if one["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        ]
        given = allowed["Action"] if isinstance(allowed["Action"], list) else [allowed["Action"]]
        assert (allowed["Effect"], given) == ("Allow", needed)
        assert allowed["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
        pattern = resolved(allowed["Condition"]["ArnLike"]["aws:SourceArn"])
        for name in OURS:
            arn = f"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{resolved(alarms()[name]['AlarmName'])}"
            assert fnmatch.fnmatchcase(arn, pattern), name


def test_whoever_may_publish_may_use_the_key_through_sns_only() -> None:
    [key] = of_type(rendered(), "AWS::KMS::Key").values()
    [open_to_all] = [one for one in key["KeyPolicy"]["Statement"] if one["Principal"] == {"AWS": "*"}]
    tests = open_to_all["Condition"]["StringEquals"]
    assert tests["kms:CallerAccount"] == {"Ref": "AWS::AccountId"}
    assert resolved(tests["kms:ViaService"]) == "sns.eu-west-1.amazonaws.com"
