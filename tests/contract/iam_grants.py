"""The grants that the files of adapters/aws declare, compared with calls and with policies."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from contract.aws_calls import AWS, HOSTS, given, needed
from contract.policies import Statement
from contract.templates import CELL, as_list, of_type, source

LOOKING = ("Describe", "Get", "Query", "List", "ConditionCheck", "Simulate")
NO_RESOURCE = {
    "PublishTick": "PutMetricData knows no resource; the condition names the namespace",
    "PublishHealth": "the same, for hosts",
}
"""Statements that change something and still say Resource "*", each with why."""


def functions() -> set[str]:
    """Return the logical ids of the deployed functions."""
    return set(of_type(source(), "AWS::Serverless::Function"))


GRANTED = sorted(path.stem for path in AWS.glob("*.py") if "\nGRANTS" in path.read_text())
"""The files of adapters/aws that declare grants, by name."""
BUILDERS = {"Reconcile": "reconciler", "Operator": "operator"}
"""The function of bootstrap.py that says what a Lambda function is given, by the function's logical id."""
FILES: dict[str, tuple[str, ...]] = {
    **{f"{name}Role": tuple(sorted(given(one))) for name, one in BUILDERS.items() if name in functions()},
    "HostPolicy": HOSTS,
}
"""Whose calls a deployed role or policy is for: the files of adapters/aws, by its logical id."""

LAMBDA_ITSELF = {"TellFailure": frozenset({"sns:Publish"})}
"""No call of ours: Lambda publishes a failed asynchronous call with the role (AWS: Lambda destinations)."""

BY_AWS = {"OperatorRole": {"TellFailure": frozenset({"sns:Publish"})}}
"""What AWS does with a function's own role: Lambda publishes a failed call to the failure destination."""

READS_ONLY = {"OperatorRole": {"Remember"}}
"""Grants of a file that a role does without: the operator function reads the loop's memory, never commits."""

Grants = Mapping[str, frozenset[str]]


def grants_of(*names: str) -> dict[str, frozenset[str]]:
    """Return the GRANTS of these files, by statement id."""
    found: dict[str, frozenset[str]] = {}
    for name in names:
        table = importlib.import_module(f"picoha.adapters.aws.{name}").GRANTS
        assert not set(found) & set(table), f"{name} uses a statement id of another file"
        found |= {sid: frozenset(one) for sid, one in table.items()}
    return found


def declared(role: str) -> dict[str, frozenset[str]]:
    """Return what a role or policy must grant, by statement id."""
    grants = grants_of(*FILES[role]) | BY_AWS.get(role, {})
    return {sid: one for sid, one in grants.items() if sid not in READS_ONLY.get(role, ())}


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
    granted = {**granted, **{sid: one for sid, one in LAMBDA_ITSELF.items() if sid in written}}
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
            if tests.get(f"{service}:ResourceTag/picoha:cell") != CELL:
                problems.append(f"{sid} changes hosts of other cells")
        elif "*" in str(statement["Resource"]):
            problems.append(f"{sid} changes more than one resource")
    return problems
