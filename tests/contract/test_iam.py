"""Least privilege, as three equalities: calls in the source = GRANTS beside them = the deployed template."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from contract.aws_calls import AWS, CONTROLLER, HOSTS, builders, calls, given, needed, prefix, source_of
from contract.iam_grants import (
    BUILDERS,
    FILES,
    GRANTED,
    declared,
    functions,
    grants_of,
    is_change,
    too_wide,
    undeclared,
    unlike,
)
from contract.policies import Statement, deployed_policies
from contract.templates import CELL, as_list
from picoha.domain import actions

# They hold.


@pytest.mark.parametrize("name", GRANTED)
def test_what_a_file_calls_is_what_it_is_granted(name: str) -> None:
    assert undeclared(name, source_of(name), grants_of(name), handed_over=name in HOSTS) == []


@pytest.mark.parametrize("role", FILES)
def test_what_is_granted_is_what_the_function_is_allowed(role: str) -> None:
    assert unlike(declared(role), deployed_policies()[role]) == []


@pytest.mark.parametrize("role", FILES)
def test_no_statement_allows_more_than_its_change_in_its_cell(role: str) -> None:
    assert too_wide(deployed_policies()[role]) == []


def test_every_change_to_hosts_groups_and_addresses_has_the_name_of_its_action() -> None:
    named = grants_of("actuators")
    assert set(named) == {one.__name__ for one in actions.Action.__args__}
    changing = {sid for sid, one in grants_of(*CONTROLLER).items() if any(map(is_change, one))}
    assert changing == set(named) | {"Remember", "PublishTick", "Notify"}


def test_no_other_file_calls_aws() -> None:
    quiet = [path for path in AWS.glob("*.py") if path.stem not in GRANTED]
    assert len(quiet) >= 5
    assert [path.name for path in quiet if calls(path.read_text())] == []


def test_the_loop_is_given_the_files_that_these_tests_call_the_controllers() -> None:
    assert given("reconciler") == set(CONTROLLER)


def test_every_deployed_function_says_what_it_is_given() -> None:
    assert functions() <= set(BUILDERS)


def test_a_function_may_act_only_if_it_is_the_loop() -> None:
    acting = [role for role, files in FILES.items() if "actuators" in files]
    assert acting == ["ReconcileRole"]


def test_what_no_function_calls_changes_nothing_but_through_a_function() -> None:
    """These files work with a person's own credentials."""
    used = {one for builder in set(BUILDERS.values()) & set(builders()) for one in given(builder)}
    for name in set(GRANTED) - used - set(HOSTS):
        changing = {one for each in grants_of(name).values() for one in each if is_change(one)}
        assert changing <= {"lambda:InvokeFunction"}, name


@pytest.mark.parametrize(
    ("service", "known"),
    [("cloudwatch", "cloudwatch"), ("efs", "elasticfilesystem"), ("rds", "rds"), ("dynamodb", "dynamodb")],
)
def test_iam_prefixes_are_those_of_the_service_authorization_reference(service: str, known: str) -> None:
    assert prefix(service) == known


# And they fail when they should.

Mutation = Callable[[list[Statement]], object]


def statement(policy: list[Statement], sid: str) -> Statement:
    return next(one for one in policy if one["Sid"] == sid)


def allowing(sid: str, *more: str) -> Mutation:
    def mutate(policy: list[Statement]) -> None:
        found = statement(policy, sid)
        found["Action"] = [*as_list(found["Action"]), *more]

    return mutate


def without(sid: str) -> Mutation:
    return lambda policy: policy.remove(statement(policy, sid))


def changed(sid: str, **fields: Any) -> Mutation:
    return lambda policy: statement(policy, sid).update(fields)


def lacking(sid: str, *names: str) -> Mutation:
    def mutate(policy: list[Statement]) -> None:
        found = statement(policy, sid)
        found["Action"] = [one for one in found["Action"] if one not in names]

    return mutate


def added(policy: list[Statement], **fields: Any) -> None:
    policy.append({"Sid": "More", "Effect": "Allow", "Action": "ec2:StopInstances", "Resource": "*"} | fields)


STOP = "ec2:StopInstances"
TAGGED = {"StringEquals": {"ec2:ResourceTag/picoha:cell": CELL}}
MUTATIONS: list[tuple[str, Mutation, str]] = [
    ("a statement is gone", without("FenceHost"), "no statement FenceHost"),
    (
        "a read is gone",
        lacking("ReadHosts", "ec2:DescribeInstances"),
        "ReadHosts lacks ec2:DescribeInstances",
    ),
    (
        "a part of a transaction",
        lacking("Remember", "dynamodb:DeleteItem"),
        "Remember lacks dynamodb:DeleteItem",
    ),
    ("a change more", allowing("FenceHost", STOP), f"FenceHost allows {STOP}"),
    ("a change among reads", allowing("ReadHosts", STOP), "ReadHosts changes any resource"),
    ("a statement more", added, "statement More is no grant"),
    (
        "a wildcard action",
        allowing("ReadHosts", "ec2:Describe*"),
        "ReadHosts has a wildcard in ec2:Describe*",
    ),
    ("all of a service", changed("MoveAddress", Action="ec2:*"), "MoveAddress has a wildcard in ec2:*"),
    ("any resource", changed("FenceHost", Resource="*"), "FenceHost changes any resource"),
    ("any table", changed("Remember", Resource="*"), "Remember changes any resource"),
    ("all topics", changed("Notify", Resource="arn:*"), "Notify changes more than one resource"),
    ("no condition", changed("HintUnhealthy", Condition={}), "HintUnhealthy changes hosts of other cells"),
    (
        "another service's tag",
        changed("ExtendLaunch", Condition=TAGGED),
        "ExtendLaunch changes hosts of other",
    ),
    ("any namespace", changed("PublishTick", Condition={}), "PublishTick names no namespace"),
    ("all but one", changed("FreeAddress", NotAction="iam:*"), "FreeAddress is no plain permission"),
    ("all but one resource", changed("FreeAddress", NotResource="x"), "FreeAddress is no plain permission"),
    ("another name", changed("ReleaseLaunch", Sid="Release"), "statement Release is no grant"),
    ("one name twice", partial(added, Sid="FenceHost"), "two statements have one id"),
]


@pytest.mark.parametrize(
    ("mutate", "told"), [pytest.param(*mutation[1:], id=mutation[0]) for mutation in MUTATIONS]
)
def test_a_wrong_policy_is_told(mutate: Mutation, told: str) -> None:
    policy = deployed_policies()["ReconcileRole"]
    mutate(policy)
    problems = unlike(grants_of(*CONTROLLER), policy) + too_wide(policy)
    assert any(problem.startswith(told) for problem in problems), problems


@pytest.mark.parametrize("name", CONTROLLER)
def test_each_grant_that_goes_missing_or_comes_too_many_is_told(name: str) -> None:
    granted = grants_of(name)
    for sid, one in granted.items():
        for action in one if list(granted.values()).count(one) == 1 else ():
            less = granted | {sid: one - {action}}
            assert undeclared(name, source_of(name), less) == [f"{name} calls {action}, which no grant names"]
    more = granted | {"More": frozenset({STOP})}
    assert undeclared(name, source_of(name), more) == [f"{name} is granted {STOP}, which it never calls"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("self._clients.ec2.stop_instances(InstanceIds=[i])", "ec2:StopInstances"),
        ("self._clients.rds.get_paginator('describe_db_snapshots')", "rds:DescribeDBSnapshots"),
        ("self._clients.functions.invoke(FunctionName='f')", "lambda:InvokeFunction"),
        ("self._clients.cloudwatch.disable_alarm_actions(AlarmNames=[])", "cloudwatch:DisableAlarmActions"),
    ],
)
def test_a_new_call_without_a_grant_is_told(line: str, told: str) -> None:
    source = source_of("actuators") + f"\n\ndef more(self: AwsActuators, i: str) -> None:\n    {line}\n"
    problems = undeclared("actuators", source, grants_of("actuators"))
    assert problems == [f"actuators calls {told}, which no grant names"]


@pytest.mark.parametrize(
    "line",
    [
        "ec2 = self._clients.ec2",
        "stop(self._clients.ec2)",
        "clients = self._clients",
        "call = self._clients.ec2.stop_instances",
        "getattr(self._clients.ec2, name)()",
        "self._clients.ec2.get_waiter('instance_terminated')",
    ],
)
def test_a_client_that_is_hidden_from_this_test_is_told(line: str) -> None:
    with pytest.raises(ValueError, match=r"a client is used|a waiter polls"):
        calls(f"def more(self):\n    {line}\n")


def test_a_method_that_boto3_has_not_got_is_told() -> None:
    with pytest.raises(KeyError, match="terminate_instance"):
        needed("self._clients.ec2.terminate_instance()")
