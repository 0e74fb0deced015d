"""The quick walk agrees with botocore's own validator: whatever it passes, botocore passes too."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from botocore.model import OperationModel
from botocore.validate import ParamValidator

from picoha.fakeaws.shapes import Shapes

SESSION = botocore.session.get_session()
DEEP: dict[str, Any] = {
    "M": {"a": {"L": [{"S": "x"}, {"M": {"b": {"N": "1"}}}]}, "c": {"BOOL": True}, "d": {"NULL": True}}
}


def model(service: str, operation: str) -> OperationModel:
    return SESSION.get_service_model(service).operation_model(operation)


RIGHT: list[tuple[str, str, dict[str, Any]]] = [
    ("dynamodb", "PutItem", {"TableName": "t", "Item": {"pk": {"S": "a"}, "body": DEEP}}),
    ("dynamodb", "Query", {"TableName": "t", "ConsistentRead": True, "Limit": 5}),
    ("ec2", "TerminateInstances", {"InstanceIds": ["i-1"], "SkipOsShutdown": True}),
    ("ec2", "DescribeInstances", {"Filters": [{"Name": "tag:k", "Values": ["v"]}]}),
    (
        "cloudwatch",
        "PutMetricData",
        {
            "Namespace": "picoha",
            "MetricData": [{"MetricName": "m", "Value": 1, "Timestamp": datetime(2026, 1, 1, tzinfo=UTC)}],
        },
    ),
]
WRONG: list[tuple[str, str, dict[str, Any]]] = [
    ("dynamodb", "PutItem", {"TableName": "t"}),
    ("dynamodb", "PutItem", {"TableName": "t", "Item": {"pk": "a"}}),
    ("dynamodb", "PutItem", {"TableName": "t", "Item": {"pk": {"S": 1}}}),
    ("dynamodb", "PutItem", {"TableName": "t", "Item": {"pk": {"X": "a"}}}),
    ("dynamodb", "PutItem", {"TableName": "", "Item": {}}),
    ("dynamodb", "PutItem", {"TableName": None, "Item": {}}),
    ("dynamodb", "Query", {"TableName": "t", "Limit": 0}),
    ("dynamodb", "Query", {"TableName": "t", "Limit": "5"}),
    ("dynamodb", "TransactWriteItems", {"TransactItems": []}),
    ("ec2", "TerminateInstances", {"InstanceIds": "i-1"}),
    ("ec2", "TerminateInstances", {"InstanceIds": ["i-1"], "Forced": True}),
    ("ec2", "TerminateInstances", {"InstanceIds": ["i-1"], "Force": "yes"}),
    ("ec2", "TerminateInstances", {"InstanceIds": [None]}),
    ("cloudwatch", "PutMetricData", {"Namespace": "p", "MetricData": [{"MetricName": "m", "Value": "1"}]}),
]


@pytest.mark.parametrize(("service", "operation", "params"), RIGHT)
def test_what_fits_is_copied_whole(service: str, operation: str, params: dict[str, Any]) -> None:
    found = Shapes().request(model(service, operation), params)
    assert found == params
    assert found is not params


@pytest.mark.parametrize(("service", "operation", "params"), WRONG)
def test_what_botocore_refuses_is_not_vouched_for(
    service: str, operation: str, params: dict[str, Any]
) -> None:
    asked = model(service, operation)
    assert asked.input_shape is not None
    assert ParamValidator().validate(params, asked.input_shape).has_errors()
    assert Shapes().request(asked, params) is None


def test_a_copy_shares_nothing_with_the_original() -> None:
    params: dict[str, Any] = {"TableName": "t", "Item": {"pk": {"S": "a"}, "body": DEEP}}
    found = Shapes().request(model("dynamodb", "PutItem"), params)
    assert found is not None
    found["Item"]["body"]["M"]["a"]["L"].clear()
    assert len(DEEP["M"]["a"]["L"]) == 2


def test_a_wrong_answer_is_told_in_botocores_words() -> None:
    _, wrong = Shapes().answer(model("ec2", "DescribeAddresses"), {"Addresses": [{"PublicIp": 7}]})
    assert "PublicIp" in wrong and "7" in wrong


def test_what_only_the_quick_walk_does_not_know_botocore_still_accepts() -> None:
    told = {"Addresses": ({"PublicIp": "203.0.113.10"},)}
    copied, wrong = Shapes().answer(model("ec2", "DescribeAddresses"), told)
    assert (copied, wrong) == ({"Addresses": [{"PublicIp": "203.0.113.10"}]}, "")
    dated = {"MetricDataResults": [{"Timestamps": ["2026-01-01T00:00:00Z"]}]}  # botocore takes texts too
    assert Shapes().answer(model("cloudwatch", "GetMetricData"), dated) == (dated, "")
