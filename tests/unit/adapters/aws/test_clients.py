"""Real clients up to the socket: attempts, error bodies and timeouts at botocore's `before-send`.

Nothing reaches the network and nothing really waits; bodies are as the services write them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from botocore.httpsession import URLLib3Session

from picoha.adapters.aws.clients import Clients
from picoha.adapters.aws.faults import changing, reading
from picoha.app.errors import ActionFailed, LostRace, SensorFailed

Answer = Callable[[], AWSResponse]
KEY = {"pk": {"S": "CELL"}, "sk": {"S": "SLOT#ec1"}}


class Body:
    """The open end of a response, as urllib3 would give it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._content


class Line:
    """Stands where the socket would be: gives the planned answers, one per attempt, and counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.session = boto3.Session("test", "test", region_name="eu-west-1")
        send: Any = self._send  # the stubs know no handler that answers
        self.session.events.register("before-send", send)
        self.clients = Clients(self.session)
        self.planned: list[Answer] = []
        self.requests: list[AWSRequest] = []
        self.slept: list[float] = []
        monkeypatch.setattr(time, "sleep", self.slept.append)
        monkeypatch.setattr(URLLib3Session, "send", self._no_network)

    def will(self, *answers: Answer) -> None:
        self.planned = list(answers)

    def _send(self, request: AWSRequest, **_: Any) -> AWSResponse:
        self.requests.append(request)
        return self.planned.pop(0)()

    def _no_network(self, *_: Any) -> None:
        raise AssertionError("a request left the test")


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    return Line(monkeypatch)


def responds(status: int, body: str, content_type: str = "text/xml") -> Answer:
    headers = HTTPHeaders.from_dict({"Content-Type": content_type, "x-amzn-RequestId": "req-7"})
    return lambda: AWSResponse("https://aws", status, headers, Body(body.encode()))


def fails(error: Exception) -> Answer:
    def answer() -> AWSResponse:
        raise error

    return answer


def ec2_error(status: int, code: str, message: str = "no") -> Answer:
    errors = f"<Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
    return responds(status, f"<Response>{errors}<RequestID>req-ec2</RequestID></Response>")


def query_error(status: int, code: str, message: str) -> Answer:
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    name = "http://autoscaling.amazonaws.com/doc/2011-01-01/"
    return responds(
        status, f'<ErrorResponse xmlns="{name}">{error}<RequestId>req-asg</RequestId></ErrorResponse>'
    )


def table_answer(status: int, body: dict[str, Any], shape: str = "") -> Answer:
    named = {"__type": f"com.amazonaws.dynamodb.v20120810#{shape}"} if shape else {}
    return responds(status, json.dumps(named | body), "application/x-amz-json-1.0")


NO_ADDRESSES = responds(200, "<DescribeAddressesResponse><addressesSet/></DescribeAddressesResponse>")
ASSOCIATED = responds(
    200, "<AssociateAddressResponse><associationId>eipassoc-1</associationId></AssociateAddressResponse>"
)
THROTTLE = ec2_error(503, "RequestLimitExceeded")
TIMEOUT = fails(ReadTimeoutError(endpoint_url="https://aws"))


def associate(line: Line) -> str:
    with changing("moving address eipalloc-1 to eni-2"):
        answer = line.clients.ec2.associate_address(
            AllocationId="eipalloc-1", NetworkInterfaceId="eni-2", AllowReassociation=False
        )
    return answer["AssociationId"]


def told_by(error: ActionFailed) -> tuple[str, str, bool]:
    return error.kind, error.code, error.outcome_known


def save(line: Line) -> None:
    with changing("saving slot ec1"):
        line.clients.dynamodb.put_item(
            TableName="picoha-demo", Item=KEY, ConditionExpression="attribute_not_exists(pk)"
        )


def test_two_throttled_attempts_and_a_third_that_succeeds_are_one_success(line: Line) -> None:
    line.will(THROTTLE, THROTTLE, NO_ADDRESSES)
    assert line.clients.ec2.describe_addresses()["Addresses"] == []
    assert len(line.requests) == 3
    assert len(line.slept) == 2


def test_the_third_throttled_attempt_is_the_last(line: Line) -> None:
    line.will(THROTTLE, THROTTLE, THROTTLE)
    with (
        pytest.raises(SensorFailed, match=r"RequestLimitExceeded.*request req-ec2.*attempt 3"),
        reading("listing addresses"),
    ):
        line.clients.ec2.describe_addresses()
    assert len(line.requests) == 3


def test_a_server_error_is_tried_again(line: Line) -> None:
    line.will(ec2_error(500, "InternalError"), responds(502, "<html>Bad gateway</html>"), ASSOCIATED)
    assert associate(line) == "eipassoc-1"
    assert len(line.requests) == 3


def test_a_change_that_ends_in_server_errors_may_have_happened(line: Line) -> None:
    line.will(*[ec2_error(500, "InternalError")] * 3)
    with pytest.raises(ActionFailed) as failed:
        associate(line)
    assert told_by(failed.value) == ("internal", "InternalError", False)


def test_a_definite_refusal_of_ec2_is_not_tried_again(line: Line) -> None:
    line.will(ec2_error(400, "Resource.AlreadyAssociated", "resource eipalloc-1 is already associated"))
    with pytest.raises(
        ActionFailed, match=r"moving address eipalloc-1 to eni-2: Resource.AlreadyAssociated"
    ) as failed:
        associate(line)
    assert told_by(failed.value) == ("conflict", "Resource.AlreadyAssociated", True)
    assert failed.value.request_id == "req-ec2"
    assert len(line.requests) == 1


def test_an_association_refused_after_a_timeout_may_be_our_own(line: Line) -> None:
    line.will(TIMEOUT, ec2_error(400, "Resource.AlreadyAssociated"))
    with pytest.raises(ActionFailed) as failed:
        associate(line)
    assert (failed.value.kind, failed.value.outcome_known) == ("conflict", False)


def test_an_error_of_auto_scaling_is_read_from_its_own_form(line: Line) -> None:
    line.will(query_error(400, "ValidationError", "No active Lifecycle Action found with instance ID i-1"))
    with pytest.raises(ActionFailed) as failed, changing("extending the launch of i-1"):
        line.clients.autoscaling.record_lifecycle_action_heartbeat(
            LifecycleHookName="picoha-launch", AutoScalingGroupName="demo-ec1", InstanceId="i-1"
        )
    assert told_by(failed.value) == ("not_found", "ValidationError", True)
    assert failed.value.request_id == "req-asg"


def test_three_timeouts_leave_a_change_with_an_unknown_outcome(line: Line) -> None:
    line.will(TIMEOUT, TIMEOUT, TIMEOUT)
    with pytest.raises(ActionFailed) as failed:
        associate(line)
    assert told_by(failed.value) == ("unreachable", "ReadTimeoutError", False)
    assert len(line.requests) == 3


def test_a_read_that_cannot_connect_fails_the_sensor(line: Line) -> None:
    line.will(*[fails(ConnectTimeoutError(endpoint_url="https://aws"))] * 3)
    with (
        pytest.raises(SensorFailed, match="listing addresses: ConnectTimeoutError"),
        reading("listing addresses"),
    ):
        line.clients.ec2.describe_addresses()


def test_a_failed_condition_on_the_first_attempt_is_a_race_lost_to_others(line: Line) -> None:
    refused = {"message": "The conditional request failed", "Item": {**KEY, "nonce": {"S": "theirs"}}}
    line.will(table_answer(400, refused, "ConditionalCheckFailedException"))
    with pytest.raises(LostRace) as lost:
        save(line)
    assert not lost.value.may_be_ours
    assert len(line.requests) == 1


def test_a_failed_condition_after_a_timeout_may_be_our_own_first_write(line: Line) -> None:
    refused = {"message": "The conditional request failed"}
    line.will(TIMEOUT, table_answer(400, refused, "ConditionalCheckFailedException"))
    with pytest.raises(LostRace) as lost:
        save(line)
    assert lost.value.may_be_ours
    assert len(line.requests) == 2


def test_a_cancelled_transaction_is_a_lost_race_with_one_reason_per_action(line: Line) -> None:
    reasons = [
        {"Code": "None"},
        {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"},
    ]
    body = {"Message": "Transaction cancelled", "CancellationReasons": reasons}
    line.will(table_answer(400, body, "TransactionCanceledException"))
    with pytest.raises(LostRace) as lost, changing("admitting operation ec1-4-1"):
        line.clients.dynamodb.transact_write_items(
            TransactItems=[{"Put": {"TableName": "picoha-demo", "Item": KEY}}], ClientRequestToken="t1"
        )
    assert lost.value.reasons == ("None", "ConditionalCheckFailed")
    assert len(line.requests) == 1


def test_a_retried_transaction_is_sent_under_one_token(line: Line) -> None:
    line.will(TIMEOUT, table_answer(400, {}, "ThrottlingException"), table_answer(200, {}))
    line.clients.dynamodb.transact_write_items(
        TransactItems=[{"Put": {"TableName": "picoha-demo", "Item": KEY}}], ClientRequestToken="t1"
    )
    sent = [json.loads(request.body or b"")["ClientRequestToken"] for request in line.requests]
    assert sent == ["t1", "t1", "t1"]


def test_an_answer_that_is_no_xml_leaves_the_outcome_unknown(line: Line) -> None:
    line.will(*[responds(200, "<html>a proxy's page, cut off")] * 3)
    with pytest.raises(ActionFailed) as failed:
        associate(line)
    assert (failed.value.kind, failed.value.outcome_known) == ("internal", False)


def test_the_operators_function_is_invoked_once_however_it_fails(line: Line) -> None:
    line.will(TIMEOUT)
    with pytest.raises(ActionFailed), changing("asking the operator function"):
        line.clients.functions.invoke(FunctionName="picoha-demo-operator", Payload=b"{}")
    assert len(line.requests) == 1


def test_each_client_is_built_once_with_the_cells_timeouts(line: Line) -> None:
    clients = line.clients
    assert clients.ec2 is clients.ec2
    read_timeouts = {
        name: getattr(clients, name).meta.config.read_timeout
        for name in ("autoscaling", "cloudwatch", "dynamodb", "ec2", "efs", "functions", "rds", "sns")
    }
    assert read_timeouts.pop("dynamodb") == 1
    assert read_timeouts.pop("functions") > 75
    assert set(read_timeouts.values()) == {2}
    config: Any = clients.ec2.meta.config
    assert config.retries == {"mode": "standard", "total_max_attempts": 3}
    assert (config.connect_timeout, config.tcp_keepalive) == (1, True)


def test_every_request_names_picoha(line: Line) -> None:
    line.will(NO_ADDRESSES)
    line.clients.ec2.describe_addresses()
    agent = line.requests[0].headers["User-Agent"]
    assert "picoha/" in (agent.decode() if isinstance(agent, bytes) else agent)
