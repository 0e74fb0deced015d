"""The agent's own clients ask AWS exactly what whole ones ask, and hold far less to do so."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from picoha.adapters.aws.clients import Clients
from picoha.adapters.aws.host_side import AwsCloud
from picoha.adapters.aws.lean import CALLS, LeanFiles, lean_session
from picoha.domain.model import AgentPhase, InstanceId, Report, SlotName
from picoha.host.core.ports import CloudUnreachable, Refused
from unit.host.fakes import START, granted

REPORT = Report(InstanceId("i-1"), SlotName("ec1"), "boot-1", START, AgentPhase.RUNNING, epoch=1)
CHANGING = {"x-amz-date", "authorization", "amz-sdk-invocation-id", "user-agent"}
REFUSED = (
    b'{"__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException", "Message": "cancelled",'
    b' "CancellationReasons": [{"Code": "ConditionalCheckFailed"}, {"Code": "None"}]}'
)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")


class Raw:
    """The body of an answer, as the transport would give it."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    def stream(self, **_: object) -> list[bytes]:
        return [self._text]


class Wire:
    """A host's cloud whose requests end here; every one gets the same answer."""

    def __init__(self, region: str, core: Any, status: int = 200, body: bytes = b"{}") -> None:
        clients = Clients.in_region(region, core)
        self.cloud = AwsCloud("demo", SlotName("ec1"), clients.dynamodb, clients.cloudwatch)
        self.sent: list[tuple[str, str, dict[str, str], bytes]] = []
        self._answer = status, body
        for client in (clients.dynamodb, clients.cloudwatch):
            client.meta.events.register("before-send", self._take)  # type: ignore[arg-type]  # an answer ends the call

    def _take(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        headers = {name.lower(): str(value) for name, value in request.headers.items()}
        kept = {name: value for name, value in headers.items() if name not in CHANGING}
        self.sent.append((request.method, request.url, kept, _bytes(request.body)))
        status, body = self._answer
        return AWSResponse(request.url, status, {"content-type": "application/json"}, Raw(body))  # type: ignore[arg-type]  # all that is read of a body


def _bytes(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else bytes(body)


def ask_everything(cloud: AwsCloud) -> None:
    cloud.read_slot()
    cloud.put_report(REPORT)
    cloud.publish(1.0)


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1", "cn-north-1", "us-gov-west-1", "eu-south-2"])
def test_lean_client_sends_what_a_whole_one_sends(region: str) -> None:
    lean, whole = Wire(region, lean_session()), Wire(region, None)
    for one in (lean, whole):
        ask_everything(one.cloud)
    assert lean.sent == whole.sent
    services = [url.split("/")[2].partition(".")[0] for _, url, _, _ in lean.sent]
    assert services == ["dynamodb", "dynamodb", "monitoring"]


def test_take_is_the_same_transaction_and_its_refusal_is_understood() -> None:
    lean, whole = (Wire("eu-west-1", core, 400, REFUSED) for core in (lean_session(), None))
    answers = [one.cloud.take(granted(), REPORT) for one in (lean, whole)]
    assert answers == [Refused("the record does not grant it to i-1 any more")] * 2
    without_token = [_without_token(one.sent[0][3]) for one in (lean, whole)]
    assert without_token[0] == without_token[1]


def _without_token(body: bytes) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(body)
    assert made.pop("ClientRequestToken"), "a retry by the SDK must be the same request"
    return made


def test_error_of_the_service_is_an_answer_and_no_exception() -> None:
    body = b'{"__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException", "message": "no table"}'
    answer = Wire("eu-west-1", lean_session(), 400, body).cloud.read_slot()
    assert isinstance(answer, CloudUnreachable) and "ResourceNotFoundException" in answer.reason


def test_models_hold_only_the_calls_of_a_host() -> None:
    clients = Clients.in_region("eu-west-1", lean_session())
    made = [client.meta.service_model for client in (clients.dynamodb, clients.cloudwatch)]
    assert {name for model in made for name in model.operation_names} == CALLS
    whole = [boto3.Session()._session.get_service_model(one.service_name) for one in made]
    counts = [(len(one.shape_names), len(other.shape_names)) for one, other in zip(made, whole, strict=True)]
    assert all(3 * lean < other for lean, other in counts), counts
    assert "documentation" not in repr(vars(made[0])["_service_description"])


def test_service_that_credentials_may_need_stays_whole() -> None:
    lean = lean_session().get_service_model("sts").operation_names
    assert lean == boto3.Session()._session.get_service_model("sts").operation_names


def test_file_that_is_not_there_is_none() -> None:
    assert LeanFiles().load_file("/nowhere/service-2") is None
    assert not LeanFiles().exists("/nowhere/service-2")


@pytest.mark.parametrize("call", ["delete_table", "scan"])
def test_lean_client_has_no_other_call(call: str) -> None:
    client: Any = Clients.in_region("eu-west-1", lean_session()).dynamodb
    with pytest.raises(AttributeError):
        getattr(client, call)
