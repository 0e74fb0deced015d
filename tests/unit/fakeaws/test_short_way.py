"""The short way answers exactly as the long one does: same checks, calls, errors and endings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from picoha.drills.drill import Drill, DrillReport, report
from picoha.drills.story import read_story
from picoha.drills.verbs.table import schedule
from picoha.fakeaws.clients import CallGate, WrongAnswer, fake_session
from picoha.fakeaws.ec2.api import Ec2
from picoha.fakeaws.scheduler import Scheduler

STORY = Path(__file__).parents[3] / "stories" / "platform-host-lost.toml"


class Played:
    """A service that gives one answer, and counts how often."""

    def __init__(self, answer: Any) -> None:
        self.count = 0
        self._answer = answer
        self.operations = {"DescribeAddresses": self.play, "TransactWriteItems": self.play}

    def play(self, params: dict[str, Any]) -> Any:
        self.count += 1
        self.params = params
        return self._answer


def told(is_short: bool) -> tuple[DrillReport, dict[str, int]]:
    drill = Drill(read_story(STORY), 0, is_short)
    drill.setup.prepare()
    schedule(drill.setup)
    drill.world.scheduler.run_for(drill.story.duration_s)
    found = report(drill, 0), dict(drill.world.gate.calls)
    drill.world.scheduler.close()
    return found


def test_a_whole_failover_is_the_same_to_the_letter() -> None:
    assert told(is_short=True) == told(is_short=False)


def test_the_short_way_leaves_botocores_request_out() -> None:
    def boom(**_: Any) -> None:
        raise AssertionError("a request was built")

    played = Played({"Addresses": []})
    ec2 = fake_session({"ec2": played}, is_short=True).client("ec2")
    ec2.meta.events.register("before-call", boom)
    assert ec2.describe_addresses()["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert played.count == 1


def test_a_request_that_botocore_refuses_is_refused_in_its_words() -> None:
    played = Played({})
    ec2: Any = fake_session({"ec2": played}, is_short=True).client("ec2")
    with pytest.raises(ParamValidationError, match="Filters"):
        ec2.describe_addresses(Filters="all")
    assert played.count == 0


def test_an_answer_aws_could_not_give_is_still_a_bug_of_fakeaws() -> None:
    ec2 = fake_session({"ec2": Played({"Adresses": []})}, is_short=True).client("ec2")
    with pytest.raises(WrongAnswer, match="Adresses"):
        ec2.describe_addresses()


def test_an_error_answer_is_the_clients_own_exception() -> None:
    ec2 = fake_session({"ec2": Ec2(Scheduler())}, CallGate(), is_short=True).client("ec2")
    with pytest.raises(ClientError) as caught:
        ec2.terminate_instances(InstanceIds=["i-1"])
    assert caught.value.response["Error"]["Code"] == "InvalidInstanceID.NotFound"
    assert caught.value.operation_name == "TerminateInstances"


def test_a_token_that_botocore_would_add_is_added() -> None:
    played = Played({})
    table: Any = fake_session({"dynamodb": played}, is_short=True).client("dynamodb")
    check = {"TableName": "t", "Key": {"pk": {"S": "a"}}, "ConditionExpression": "attribute_exists(pk)"}
    table.transact_write_items(TransactItems=[{"ConditionCheck": check}])
    assert len(played.params["ClientRequestToken"]) == 36
