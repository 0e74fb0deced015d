"""The wire: real clients, answered without a network, with botocore's own checks in place."""

from __future__ import annotations

from typing import Any

import boto3
import botocore.session
import pytest
from botocore.exceptions import ClientError, ParamValidationError, ReadTimeoutError

from picoha.fakeaws.clients import (
    Answer,
    CallGate,
    NotPlayed,
    Operation,
    WrongAnswer,
    connect,
    fake_session,
    matches,
    page,
)
from picoha.fakeaws.ec2.api import Ec2
from picoha.fakeaws.scheduler import AwsFault, Scheduler


class Played:
    """A service made of given operations."""

    def __init__(self, **operations: Operation) -> None:
        self.operations = operations


class Recorder(CallGate):
    """A gate that keeps what passes."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, Any]] = []

    def before(self, service: str, operation: str, params: dict[str, Any]) -> None:
        self.seen.append((service, operation, params))

    def after(self, service: str, operation: str, params: dict[str, Any], answer: Answer) -> None:
        self.seen.append((service, operation, answer))


def raising(problem: BaseException) -> Operation:
    def operation(params: dict[str, Any]) -> Answer:
        raise problem

    return operation


def test_service_sees_the_callers_params_and_its_answer_comes_back_whole() -> None:
    asked: list[dict[str, Any]] = []

    def describe(params: dict[str, Any]) -> Answer:
        asked.append(params)
        return {"Addresses": [{"PublicIp": "203.0.113.10"}]}

    ec2 = fake_session({"ec2": Played(DescribeAddresses=describe)}).client("ec2")
    filters: Any = [{"Name": "tag:picoha:cell", "Values": ["demo"]}]
    answer = ec2.describe_addresses(Filters=filters)
    assert asked == [{"Filters": filters}]
    assert answer["Addresses"] == [{"PublicIp": "203.0.113.10"}]
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_request_ids_are_unique_and_the_same_in_every_run() -> None:
    def two() -> list[str]:
        ec2 = fake_session({"ec2": Played(DescribeAddresses=lambda _: {"Addresses": []})}).client("ec2")
        return [ec2.describe_addresses()["ResponseMetadata"]["RequestId"] for _ in range(2)]

    assert two() == two()
    assert len(set(two())) == 2


def test_a_fault_becomes_botocores_client_error_with_code_status_and_extra_members() -> None:
    reasons = [{"Code": "ConditionalCheckFailed", "Message": "no"}, {"Code": "None"}]
    fault = AwsFault("TransactionCanceledException", "cancelled", extra={"CancellationReasons": reasons})
    table = fake_session({"dynamodb": Played(TransactWriteItems=raising(fault))}).client("dynamodb")
    with pytest.raises(table.exceptions.TransactionCanceledException) as caught:
        table.transact_write_items(TransactItems=[{"Delete": {"TableName": "t", "Key": {"pk": {"S": "a"}}}}])
    assert caught.value.response["CancellationReasons"] == reasons
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert caught.value.response["Error"]["Code"] == "TransactionCanceledException"


def test_a_conditional_failure_carries_the_item_it_met() -> None:
    fault = AwsFault("ConditionalCheckFailedException", "no", extra={"Item": {"pk": {"S": "a"}}})
    table = fake_session({"dynamodb": Played(PutItem=raising(fault))}).client("dynamodb")
    with pytest.raises(table.exceptions.ConditionalCheckFailedException) as caught:
        table.put_item(TableName="t", Item={"pk": {"S": "a"}})
    response: Any = caught.value.response
    assert response["Item"] == {"pk": {"S": "a"}}


def test_an_operatiin_a_drill_does_not_play_is_never_a_silent_success() -> None:
    ec2 = fake_session({"ec2": Ec2(Scheduler())}).client("ec2")
    with pytest.raises(NotPlayed, match="RebootInstances"):
        ec2.reboot_instances(InstanceIds=["i-1"])


def test_a_service_fakeaws_does_not_play_is_never_a_silent_success() -> None:
    with pytest.raises(NotPlayed, match="'ec2'"):
        fake_session({}).client("ec2").describe_instances()


def test_a_request_that_botocore_refuses_never_reaches_the_service() -> None:
    gate = Recorder()
    ec2 = fake_session({"ec2": Ec2(Scheduler())}, gate).client("ec2")
    with pytest.raises(ParamValidationError):
        ec2.terminate_instances(InstanceIds="i-1")
    assert gate.seen == []


@pytest.mark.parametrize("answer", [{"Adresses": []}, {"Addresses": [{"PublicIp": 7}]}])
def test_an_answer_aws_could_not_give_is_a_bug_of_fakeaws(answer: Answer) -> None:
    ec2 = fake_session({"ec2": Played(DescribeAddresses=lambda _: answer)}).client("ec2")
    with pytest.raises(WrongAnswer, match="DescribeAddresses"):
        ec2.describe_addresses()


def test_members_in_an_answer_that_has_none_are_a_bug_of_fakeaws() -> None:
    talkative = Played(SetInstanceHealth=lambda _: {"Ok": True})
    scaling = fake_session({"autoscaling": talkative}).client("autoscaling")
    with pytest.raises(WrongAnswer, match="Ok"):
        scaling.set_instance_health(InstanceId="i-1", HealthStatus="Unhealthy")


def test_answers_and_params_are_not_aliases_of_the_worlds_own_state() -> None:
    rows: list[Answer] = [{"PublicIp": "203.0.113.10"}]
    ec2 = fake_session({"ec2": Played(DescribeAddresses=lambda _: {"Addresses": rows})}).client("ec2")
    ec2.describe_addresses()["Addresses"].clear()
    assert rows == [{"PublicIp": "203.0.113.10"}]


def test_the_gate_sees_each_call_before_and_after_errors_included() -> None:
    gate = Recorder()
    ec2 = fake_session({"ec2": Ec2(Scheduler())}, gate).client("ec2")
    with pytest.raises(ClientError):
        ec2.terminate_instances(InstanceIds=["i-1"])
    (_, operation, params), (_, _, answer) = gate.seen
    assert (operation, params) == ("TerminateInstances", {"InstanceIds": ["i-1"]})
    assert answer["Error"]["Code"] == "InvalidInstanceID.NotFound"


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_lost_answer_leaves_the_effect_and_a_lost_request_does_not(side: str) -> None:
    scheduler = Scheduler()
    world = Ec2(scheduler)
    instance = world.launch()
    scheduler.run_for(60)

    class Losing(CallGate):
        pass

    def lose(*_: Any) -> None:
        raise ReadTimeoutError(endpoint_url="https://fakeaws")

    setattr(Losing, side, lose)
    ec2 = fake_session({"ec2": world}, Losing()).client("ec2")
    with pytest.raises(ReadTimeoutError):
        ec2.terminate_instances(InstanceIds=[instance.id])
    assert instance.state == {"before": "running", "after": "shutting-down"}[side]


def test_a_throttle_injected_by_the_gate_looks_like_awss() -> None:
    class Throttled(CallGate):
        def before(self, service: str, operation: str, params: dict[str, Any]) -> None:
            raise AwsFault("RequestLimitExceeded", "Request limit exceeded.", 503)

    ec2 = fake_session({"ec2": Ec2(Scheduler())}, Throttled()).client("ec2")
    with pytest.raises(ClientError) as caught:
        ec2.describe_instances()
    assert caught.value.response["Error"]["Code"] == "RequestLimitExceeded"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_a_paginator_walks_all_pages() -> None:
    world = Ec2(Scheduler())
    launched = {world.launch().id for _ in range(12)}
    ec2 = fake_session({"ec2": world}).client("ec2")
    pages = list(ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(one["Reservations"]) for one in pages] == [5, 5, 2]
    found = [row for one in pages for group in one["Reservations"] for row in group["Instances"]]
    assert {row["InstanceId"] for row in found} == launched


def test_a_waiter_ends_once_virtual_time_has_brought_the_state() -> None:
    scheduler = Scheduler()

    class Slow(CallGate):
        def before(self, service: str, operation: str, params: dict[str, Any]) -> None:
            scheduler.sleep(10)

    world = Ec2(scheduler)
    instance = world.launch()
    ec2 = fake_session({"ec2": world}, Slow()).client("ec2")
    waiter = ec2.get_waiter("instance_running")
    waiter.wait(InstanceIds=[instance.id], WaiterConfig={"Delay": 0, "MaxAttempts": 5})
    assert scheduler.elapsed == 30


@pytest.mark.parametrize("make", [boto3.session.Session, botocore.session.Session])
def test_connect_takes_a_session_of_either_library(make: Any) -> None:
    session = make()
    connect(session, {"ec2": Ec2(Scheduler())}, CallGate())
    create = session.client if make is boto3.session.Session else session.create_client
    ec2 = create("ec2", region_name="eu-west-1", aws_access_key_id="fake", aws_secret_access_key="fake")
    assert ec2.describe_instances()["Reservations"] == []


def test_a_session_ignores_the_machines_aws_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "not-on-this-machine")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    ec2 = fake_session({"ec2": Ec2(Scheduler())}).client("ec2")
    assert ec2.meta.region_name == "eu-west-1"
    assert ec2.describe_instances()["Reservations"] == []


@pytest.mark.parametrize(("name", "value"), [("image-id", "a"), ("tag:k", "a*"), ("instance-id", "i-?")])
def test_a_filter_fakeaws_does_not_play_is_never_ignored(name: str, value: str) -> None:
    with pytest.raises(NotPlayed):
        matches({"Filters": [{"Name": name, "Values": [value]}]}, {}, {"instance-id": "i-1"})


@pytest.mark.parametrize(
    ("name", "values", "passes"),
    [
        ("tag:cell", ["demo"], True),
        ("tag:cell", ["prod", "demo"], True),
        ("tag:cell", ["prod"], False),
        ("tag:slot", ["demo"], False),
        ("tag-key", ["cell"], True),
        ("tag-key", ["slot"], False),
        ("instance-id", ["i-1"], True),
        ("instance-id", ["i-2"], False),
    ],
)
def test_filters_accept_any_of_their_values(name: str, values: list[str], passes: bool) -> None:
    wanted = {"Filters": [{"Name": name, "Values": values}]}
    assert matches(wanted, {"cell": "demo"}, {"instance-id": "i-1"}) is passes


def test_a_token_fakeaws_never_gave_is_refused() -> None:
    with pytest.raises(AwsFault, match="InvalidNextToken"):
        page([], {"NextToken": "elsewhere"}, "Rows", "MaxRecords", 10)
