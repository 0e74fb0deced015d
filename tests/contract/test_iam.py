"""Least privilege, as three equalities: calls in the source = GRANTS beside them = template.yaml."""

from __future__ import annotations

import ast
import copy
import importlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest

import render_template
from contract.aws_calls import AWS, CONTROLLER, HOSTS, SOURCE, calls, needed, prefix, source_of
from picoha.domain import actions

ROOT = SOURCE.parents[1]
LOOKING = ("Describe", "Get", "Query", "List", "ConditionCheck")
NO_RESOURCE = {
    "PublishTick": "PutMetricData knows no resource; the condition names the namespace",
}
"""Statements that change something and still say Resource "*", each with why."""

Grants = Mapping[str, frozenset[str]]
Statement = dict[str, Any]


def grants_of(*names: str) -> dict[str, frozenset[str]]:
    """Return the GRANTS of these files, by statement id."""
    found: dict[str, frozenset[str]] = {}
    for name in names:
        table = importlib.import_module(f"picoha.adapters.aws.{name}").GRANTS
        assert not set(found) & set(table), f"{name} uses a statement id of another file"
        found |= {sid: frozenset(one) for sid, one in table.items()}
    return found


def statements() -> list[Statement]:
    """Return the policy statements of the reconcile function, from template.yaml."""
    template = render_template.load((ROOT / "template.yaml").read_text())
    function = template["Resources"]["Reconcile"]["Properties"]
    return [one for policy in function["Policies"] for one in policy["Statement"]]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def is_change(action: str) -> bool:
    return not action.partition(":")[2].startswith(LOOKING)


# The three equalities, each as a list of what is wrong.


def undeclared(needed_by: str, source: str, granted: Grants, handed_over: bool = False) -> list[str]:
    """Compare the calls of a file with its GRANTS."""
    needs = needed(source, handed_over)
    given = frozenset().union(*granted.values())
    problems = [f"{needed_by} calls {one}, which no grant names" for one in sorted(needs - given)]
    return problems + [f"{needed_by} is granted {one}, which it never calls" for one in sorted(given - needs)]


def unlike(granted: Grants, policy: list[Statement]) -> list[str]:
    """Compare the GRANTS of all files with the policy of their function, statement by statement."""
    written = {one.get("Sid", "no Sid"): frozenset(as_list(one.get("Action", []))) for one in policy}
    problems = [f"two statements have one id in {sorted(written)}"] if len(written) < len(policy) else []
    problems += [f"no statement {sid}" for sid in sorted(set(granted) - set(written))]
    problems += [f"statement {sid} is no grant" for sid in sorted(set(written) - set(granted))]
    for sid in sorted(set(granted) & set(written)):
        problems += [f"{sid} lacks {one}" for one in sorted(granted[sid] - written[sid])]
        problems += [f"{sid} allows {one}" for one in sorted(written[sid] - granted[sid])]
    return problems


def too_wide(policy: list[Statement]) -> list[str]:
    """Look for statements that allow more than their one change, on more than the cell's own."""
    problems: list[str] = []
    for one in policy:
        sid = one.get("Sid", "no Sid")
        if set(one) - {"Sid", "Effect", "Action", "Resource", "Condition"} or one["Effect"] != "Allow":
            problems.append(f"{sid} is no plain permission: {sorted(one)}")
        problems += [
            f"{sid} has a wildcard in {name}" for name in as_list(one.get("Action", [])) if "*" in name
        ]
        changing = [name for name in as_list(one.get("Action", [])) if is_change(name)]
        if changing:
            problems += _too_wide_for_a_change(sid, changing, one)
    return problems


def _too_wide_for_a_change(sid: str, changing: list[str], statement: Statement) -> list[str]:
    tests = statement.get("Condition", {}).get("StringEquals", {})
    if sid in NO_RESOURCE:
        return [] if tests == {"cloudwatch:namespace": "picoha"} else [f"{sid} names no namespace"]
    problems = [f"{sid} changes any resource" for one in as_list(statement["Resource"]) if one == "*"]
    for name in changing:
        service = name.partition(":")[0]
        if service in ("ec2", "autoscaling"):
            if tests.get(f"{service}:ResourceTag/picoha:cell") != {"Ref": "CellName"}:
                problems.append(f"{sid} changes hosts of other cells")
        elif "*" in str(statement["Resource"]):
            problems.append(f"{sid} changes more than one resource")
    return problems


# They hold.


@pytest.mark.parametrize("name", CONTROLLER)
def test_what_a_file_calls_is_what_it_is_granted(name: str) -> None:
    assert undeclared(name, source_of(name), grants_of(name)) == []


@pytest.mark.parametrize("name", HOSTS)
def test_what_a_host_calls_is_what_hosts_are_granted(name: str) -> None:
    assert undeclared(name, source_of(name), grants_of(name), handed_over=True) == []


def test_what_is_granted_is_what_the_function_is_allowed() -> None:
    assert unlike(grants_of(*CONTROLLER), statements()) == []


def test_no_statement_allows_more_than_its_change_in_its_cell() -> None:
    assert too_wide(statements()) == []


def test_every_change_to_hosts_groups_and_addresses_has_the_name_of_its_action() -> None:
    named = grants_of("actuators")
    assert set(named) == {one.__name__ for one in actions.Action.__args__}
    changing = {sid for sid, one in grants_of(*CONTROLLER).items() if any(map(is_change, one))}
    assert changing == set(named) | {"Remember", "PublishTick", "Notify"}


def test_no_other_file_calls_aws() -> None:
    quiet = [path for path in AWS.glob("*.py") if path.stem not in (*CONTROLLER, *HOSTS)]
    assert len(quiet) >= 5
    assert [path.name for path in quiet if calls(path.read_text(), handed_over=True)] == []


def test_the_function_is_given_exactly_the_files_it_is_granted_for() -> None:
    imported = {
        str(node.module).rpartition(".")[2]
        for node in ast.walk(ast.parse((SOURCE / "bootstrap.py").read_text()))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("picoha.adapters.aws.")
    }
    calls_nothing = {"clients", "clock", "faults"}
    assert imported - calls_nothing == set(CONTROLLER)


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
CELL = {"StringEquals": {"ec2:ResourceTag/picoha:cell": {"Ref": "CellName"}}}
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
    ("all topics", changed("Notify", Resource={"Fn::Sub": "arn:*"}), "Notify changes more than one resource"),
    ("no condition", changed("HintUnhealthy", Condition={}), "HintUnhealthy changes hosts of other cells"),
    ("another service's tag", changed("ExtendLaunch", Condition=CELL), "ExtendLaunch changes hosts of other"),
    ("any namespace", changed("PublishTick", Condition={}), "PublishTick names no namespace"),
    ("all but one", changed("FreeAddress", NotAction="iam:*"), "FreeAddress is no plain permission"),
    ("all but one resource", changed("FreeAddress", NotResource="x"), "FreeAddress is no plain permission"),
    ("another name", changed("ReleaseLaunch", Sid="Release"), "statement Release is no grant"),
    ("one name twice", partial(added, Sid="FenceHost"), "two statements have one id"),
]


@pytest.mark.parametrize(("mutate", "told"), [pytest.param(*one[1:], id=one[0]) for one in MUTATIONS])
def test_a_wrong_policy_is_told(mutate: Mutation, told: str) -> None:
    policy = copy.deepcopy(statements())
    mutate(policy)
    problems = unlike(grants_of(*CONTROLLER), policy) + too_wide(policy)
    assert any(one.startswith(told) for one in problems), problems


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
        ("self._clients.functions.invoke(FunctionName='f')", "lambda:Invoke"),
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
