"""A worker that was frozen may send its call minutes late: every call we have must be harmless then.

The table is safety.md 7.5: calls that name an id which is never used again are safe, absolute ones
(a capacity, a process switch, an address pulled from whoever has it) are not, whatever was true
when they were ordered.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contract.aws_calls import AWS, HOSTS, SOURCE, Call, calls, operation, source_of
from contract.iam_grants import GRANTED

NEVER = {
    "SetDesiredCapacity": "a late 0 ends whoever is there now; a late 1 undoes an owner's parking",
    "UpdateAutoScalingGroup": "as SetDesiredCapacity, and it writes the sizes too",
    "ExecutePolicy": "changes the capacity relative to what it meets",
    "TerminateInstanceInAutoScalingGroup": "may change the capacity, and waits for the group's own hooks",
    "SuspendProcesses": "is absolute and group-wide: after a crash it stays",
    "ResumeProcesses": "undoes what an owner suspended meanwhile",
    "EnterStandby": "leaves a member without health checks when its sender is gone",
    "ExitStandby": "brings back a host that was fenced meanwhile",
    "DetachInstances": "leaves a running host that nobody looks after",
    "AttachInstances": "raises the capacity of the group",
    "SetInstanceProtection": "is sticky: after a crash it stays",
    "StartInstanceRefresh": "replaces whoever is there now",
    "CancelInstanceRefresh": "ends a refresh that somebody else began",
    "DeleteAutoScalingGroup": "ends every member",
    "DeleteLifecycleHook": "lets a held launch go",
    "StopInstances": "a stopped host can be started again: no proof, and Auto Scaling replaces it at once",
    "StartInstances": "starts a host that was fenced meanwhile",
    "RebootInstances": "a rebooted host runs again: no proof",
    "RunInstances": "starts a host that no group knows",
    "ReleaseAddress": "gives the cell's address away for good",
    "AssignPrivateIpAddresses": "may pull an address from whoever has it (AllowReassignment)",
    "AttachNetworkInterface": "moves an identity without evidence",
    "DetachNetworkInterface": "takes an identity from whoever has it",
    "ModifyInstanceAttribute": "is absolute",
    "CreateTags": "tags decide which cell and slot a host belongs to",
    "DeleteTags": "as CreateTags",
    "UpdateItem": "a change of a part cannot be pinned to the whole that was read",
    "BatchWriteItem": "knows no condition",
    "SetAlarmState": "lies to everybody who looks at the alarm",
    "DisableAlarmActions": "is sticky: after a crash nobody rings",
}
"""Calls that must not stand anywhere in the source, with what a late one would do."""

Check = Callable[[dict[str, ast.expr]], bool]


def is_false(given: dict[str, ast.expr], name: str) -> bool:
    return isinstance(value := given.get(name), ast.Constant) and value.value is False


def names_one(given: dict[str, ast.expr], name: str) -> bool:
    return isinstance(value := given.get(name), ast.List) and len(value.elts) == 1


def anything(_given: dict[str, ast.expr]) -> bool:
    return True


ALLOWED: dict[tuple[str, str], tuple[Check, str]] = {
    ("actuators", "TerminateInstances"): (
        lambda given: names_one(given, "InstanceIds"),
        "names exactly one id, which is never used again; terminated stays terminated",
    ),
    ("actuators", "SetInstanceHealth"): (
        lambda given: "InstanceId" in given and is_false(given, "ShouldRespectGracePeriod"),
        "names one id; about a host that is gone it is an error",
    ),
    ("actuators", "DisassociateAddress"): (
        lambda given: set(given) == {"AssociationId"},
        "names an association, whose id is new each time; an old id is dead",
    ),
    ("actuators", "AssociateAddress"): (
        lambda given: (
            {"AllocationId", "NetworkInterfaceId"} <= set(given) and is_false(given, "AllowReassociation")
        ),
        "takes a free address only; the interface of a terminated host is gone",
    ),
    ("actuators", "CompleteLifecycleAction"): (
        lambda given: "InstanceId" in given,
        "names one launch by its instance; a launch that is over is an error",
    ),
    ("actuators", "RecordLifecycleActionHeartbeat"): (
        lambda given: "InstanceId" in given,
        "names one launch by its instance, and only gives it time",
    ),
    ("memory", "TransactWriteItems"): (
        lambda given: "ClientRequestToken" in given,
        "is pinned to the versions that were read; a late one is refused",
    ),
    ("memory", "PutItem"): (anything, "the result of one effect, under a key that nothing else has"),
    ("requests", "TransactWriteItems"): (
        lambda given: "ClientRequestToken" in given,
        "a new request under an id of its own, or mode and brake pinned to the version that was read",
    ),
    ("inspection", "SimulatePrincipalPolicy"): (anything, "asks what IAM would say; it changes nothing"),
    ("operator_client", "Invoke"): (
        lambda given: "FunctionName" in given,
        "one attempt: a late command meets the function, which looks anew and refuses what is no longer so",
    ),
    ("notifier", "Publish"): (anything, "a message twice is a message"),
    ("notifier", "PutMetricData"): (anything, "carries its own time, so a late tick is an old tick"),
    ("host_side", "TransactWriteItems"): (
        anything,
        "checks the grant for this host and epoch in the same step",
    ),
    ("host_side", "PutItem"): (anything, "a host's own row; its age is told by the time inside it"),
    ("host_side", "PutMetricData"): (anything, "a late sign of life delays a failover and cannot cause one"),
}
"""Every call that changes something: where it may stand, with which arguments, and why it is safe late."""


def boto3_name(api_name: str) -> str:
    """Return the method that boto3 makes of an operation (`StopInstances` to `stop_instances`)."""
    return "".join(f"_{one.lower()}" if one.isupper() else one for one in api_name).lstrip("_")


SPELLINGS = {spelling: name for name in NEVER for spelling in (name, boto3_name(name))}


def is_look(api_name: str) -> bool:
    return api_name.startswith(("Describe", "Get", "Query", "List"))


def zombies(name: str, source: str) -> list[str]:
    """Return what a file of adapters/aws has that is not safe when it is sent late."""
    return [*forbidden(source), *unsafe(name, source)]


def forbidden(source: str) -> Iterator[str]:
    """Find the forbidden calls by name, as a method, a text or a variable: however they are sent."""
    for node in ast.walk(ast.parse(source)):
        spelled = next((vars(node)[one] for one in ("attr", "id", "value") if one in vars(node)), None)
        if isinstance(spelled, str) and spelled in SPELLINGS:
            api_name = SPELLINGS[spelled]
            yield f"line {getattr(node, 'lineno', 0)}: {api_name}: {NEVER[api_name]}"


def unsafe(name: str, source: str) -> Iterator[str]:
    """Find changing calls that no row of ALLOWED covers, with their arguments."""
    for call in calls(source, handed_over=name in HOSTS):
        api_name = operation(call)
        if is_look(api_name) or api_name in NEVER:
            continue
        if (name, api_name) not in ALLOWED:
            yield f"line {call.line}: {api_name} has no place in {name}"
        elif not ALLOWED[name, api_name][0](arguments(call)):
            yield f"line {call.line}: {api_name}: {ALLOWED[name, api_name][1]}; this one does not"


def arguments(call: Call) -> dict[str, ast.expr]:
    """Return the keyword arguments of a call; `**something` counts as none of them."""
    return {keyword.arg: keyword.value for keyword in call.node.keywords if keyword.arg is not None}


def product() -> list[Path]:
    """Every file that runs in AWS or on a host; fakeaws and the drills have AWS's calls by name."""
    played = {"fakeaws", "drills"}
    return [path for path in sorted(SOURCE.rglob("*.py")) if not played & set(path.relative_to(SOURCE).parts)]


@pytest.mark.parametrize("name", GRANTED)
def test_every_call_is_safe_when_it_is_sent_late(name: str) -> None:
    assert zombies(name, source_of(name)) == []


def test_a_forbidden_call_stands_nowhere_in_the_product() -> None:
    files = product()
    assert len(files) > 40
    assert {path.name: found for path in files if (found := list(forbidden(path.read_text())))} == {}


def test_every_row_of_the_table_is_a_call_we_make() -> None:
    made = {
        (name, operation(call))
        for name in GRANTED
        for call in calls(source_of(name), handed_over=name in HOSTS)
    }
    assert {row for row in made if not is_look(row[1])} == set(ALLOWED)


def test_aws_is_called_from_nowhere_else() -> None:
    for path in product():
        if path.parent != AWS or path.stem not in (*GRANTED, "clients"):
            text = path.read_text()
            assert calls(text) == [], path.name
            assert "import boto3" not in text and ".client(" not in text, path.name


# It bites.

PLANTED = [
    ("ec2.terminate_instances(InstanceIds=victims, SkipOsShutdown=True)", "names exactly one id"),
    ("ec2.terminate_instances(InstanceIds=[one, two])", "names exactly one id"),
    ("ec2.terminate_instances(**order)", "names exactly one id"),
    ("ec2.associate_address(AllocationId=a, NetworkInterfaceId=b)", "takes a free address only"),
    (
        "ec2.associate_address(AllocationId=a, NetworkInterfaceId=b, AllowReassociation=True)",
        "a free address",
    ),
    (
        "ec2.associate_address(AllocationId=a, NetworkInterfaceId=b, AllowReassociation=maybe)",
        "a free address",
    ),
    ("ec2.associate_address(AllocationId=a, InstanceId=i, AllowReassociation=False)", "a free address only"),
    ("ec2.disassociate_address(PublicIp=ip)", "names an association"),
    ("autoscaling.set_instance_health(InstanceId=i, HealthStatus='Unhealthy')", "names one id"),
    (
        "autoscaling.complete_lifecycle_action(LifecycleActionToken=t, LifecycleActionResult='CONTINUE')",
        "names one launch",
    ),
    ("autoscaling.put_lifecycle_hook(AutoScalingGroupName=g)", "PutLifecycleHook has no place in actuators"),
    ("dynamodb.put_item(TableName=t, Item=i)", "PutItem has no place in actuators"),
    ("dynamodb.delete_item(TableName=t, Key=k)", "DeleteItem has no place in actuators"),
]


@pytest.mark.parametrize(("line", "told"), PLANTED)
def test_an_unsafe_call_is_told(line: str, told: str) -> None:
    source = f"def order(self, **order):\n    return self._clients.{line}\n"
    [problem] = zombies("actuators", source)
    assert told in problem


@pytest.mark.parametrize("name", sorted(NEVER))
def test_a_forbidden_call_is_told_however_it_is_spelled(name: str) -> None:
    method = boto3_name(name)
    for line in (
        f"client.{method}()",
        f"getattr(client, {method!r})()",
        f"client._make_api_call({name!r}, {{}})",
    ):
        [problem] = forbidden(f"def order(client):\n    {line}\n")
        assert problem == f"line 2: {name}: {NEVER[name]}"


def test_a_sensor_that_changes_something_is_told() -> None:
    source = source_of("sensors").replace("describe_addresses(", "disassociate_address(")
    assert [zomby.partition(": ")[2] for zomby in zombies("sensors", source)] == [
        "DisassociateAddress has no place in sensors"
    ]


def test_a_transaction_without_a_token_of_ours_is_told() -> None:
    source = source_of("memory").replace(", ClientRequestToken=token", "")
    [problem] = zombies("memory", source)
    assert "TransactWriteItems: is pinned to the versions that were read" in problem


@pytest.mark.parametrize(("api_name", "method"), [("StopInstances", "stop_instances"), ("Query", "query")])
def test_spellings_are_boto3s(api_name: str, method: str) -> None:
    assert boto3_name(api_name) == method
