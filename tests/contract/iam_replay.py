"""What is wrong with a policy, seen from the calls that were really made: too little, or too much."""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import botocore.session

from contract.aws_calls import TRANSACTION_PARTS, prefix
from contract.iam_grants import is_change
from contract.iam_recorder import kind
from contract.policies import REGION, Context, Request, Statement, applies, is_allowed
from contract.templates import ACCOUNT, CELL, as_list

SERVICES = ("autoscaling", "cloudwatch", "dynamodb", "ec2", "efs", "iam", "lambda", "rds", "sns", "sqs")
PARTITIONS = ("CELL", "HOSTS", "PROOF", "OP#ec1-1-1", "HISTORY#2026-11")
"""The partitions of the table (design.md 7)."""
LEADING = "dynamodb:LeadingKeys"


# Too little.


def denied(policy: list[Statement], needed: Iterable[Request]) -> list[str]:
    """Tell every call that the policy would refuse."""
    return [f"denied: {one}" for one in needed if not is_allowed(policy, one)]


# Too much.


@functools.cache
def _actions(service: str) -> tuple[str, ...]:
    model = botocore.session.get_session().get_service_model(service)
    names = {*model.operation_names, *(TRANSACTION_PARTS.values() if service == "dynamodb" else ())}
    return tuple(f"{prefix(service)}:{name}" for name in sorted(names))


@functools.cache
def meant(action: str) -> tuple[str, ...]:
    """Return the actions that a pattern stands for, by botocore's models."""
    if "*" not in action and "?" not in action:
        return (action,)
    known = (one for service in SERVICES for one in _actions(service))
    found = tuple(one for one in known if fnmatch.fnmatchcase(one.lower(), action.lower()))
    return found or (action,)


def unused(policy: list[Statement], needed: Mapping[str, Request]) -> list[str]:
    """Tell every action and every resource of a statement that no call ever used."""
    told: list[str] = []
    for statement in policy:
        sid = statement.get("Sid", "no Sid")
        for action in (one for each in as_list(statement["Action"]) for one in meant(each)):
            if not _is_used({**statement, "Action": action}, needed):
                told.append(f"{sid} {action}")
        for resource in as_list(statement["Resource"]) if isinstance(statement["Resource"], list) else ():
            if not _is_used({**statement, "Resource": resource}, needed):
                told.append(f"{sid} {resource}")
    return told


def witnesses(policy: list[Statement], names: Iterable[str]) -> dict[str, Request]:
    """Return a request for each grant that no call uses: what its statement must go on allowing."""
    return {
        f"{statement['Sid']} {action} {resource}": Request(
            action, "*" if resource == "*" else resource.replace("*", "any"), _context(statement)
        )
        for statement in policy
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
        if f"{statement['Sid']} {action}" in names
    }


def unwitnessed(policy: list[Statement], unseen: Mapping[str, Request]) -> list[str]:
    """Tell what an unused statement granted before and does not any more, or grants on others' resources."""
    own = {
        sid: [one for one in policy if one.get("Sid") == sid] for sid in {key.split()[0] for key in unseen}
    }
    told = [f"lost: {key}" for key, one in unseen.items() if not is_allowed(own[key.split()[0]], one)]
    twins = [(key, twin) for key, one in unseen.items() for twin in _neighbours(one)]
    return told + [f"allowed: {twin}" for key, twin in twins if is_allowed(own[key.split()[0]], twin)]


def _context(statement: Statement) -> Context:
    tests = statement.get("Condition", {}).items()
    return {
        key: frozenset(map(str, as_list(value))) if ":" in operator else str(as_list(value)[0])
        for operator, keys in tests
        for key, value in keys.items()
    }


def _is_used(statement: Statement, needed: Mapping[str, Request]) -> bool:
    return any(applies(statement, one) for one in needed.values())


def overreach(policy: list[Statement], needed: Mapping[str, Request], keyed: bool) -> list[str]:
    """Tell every neighbour of a call that the policy allows: what belongs to somebody else.

    Reads of other hosts, groups and metrics are allowed on purpose: IAM cannot limit most of them.

    `keyed`: this caller may write to the partitions only that it was seen to write to.
    """
    seen = {(one.action, key) for one in needed.values() for key in _leading(one)}
    told = []
    for one in needed.values():
        is_limited = is_change(one.action) or one.action.startswith("dynamodb:")
        neighbours = list(_neighbours(one)) if is_limited else []
        if keyed:
            neighbours += [twin for twin in _partitions(one) if (one.action, *_leading(twin)) not in seen]
        told += [
            f"allowed: {twin}" for twin in neighbours if kind(twin) not in needed and is_allowed(policy, twin)
        ]
    return told


def _leading(request: Request) -> frozenset[str]:
    found = request.context.get(LEADING, frozenset())
    assert isinstance(found, frozenset)
    return frozenset(one.partition("#")[0] for one in found)


def _neighbours(request: Request) -> Iterator[Request]:
    """Yield the same change on another cell's, account's or region's resource, and on one without tags."""
    context = request.context
    for changed in ({"cell": "another"}, {"cell": None}, {"fenceable": "false"}, {"fenceable": None}):
        if "fenceable" in changed and request.action != "ec2:TerminateInstances":
            continue
        twin = _retagged(context, changed)
        if twin != context:
            yield replace(request, context=twin)
    if "cloudwatch:namespace" in context:
        yield replace(request, context={**context, "cloudwatch:namespace": "another"})
    for own, other in (
        (ACCOUNT, "999999999999"),
        (REGION, "us-east-1"),
        (f"picoha-{CELL}", "picoha-another"),
        (f"picoha-{CELL}-", f"picoha-{CELL}-another-"),
        ("-dead-letters", "-dead-another"),
    ):
        if own in request.resource:
            yield replace(request, resource=request.resource.replace(own, other))


def _retagged(context: Context, changed: Mapping[str, str | None]) -> Context:
    twin = dict(context)
    for key in context:
        tag = key.partition("ResourceTag/picoha:")[2]
        if tag in changed:
            value = changed[tag]
            if value is None:
                del twin[key]
            else:
                twin[key] = value
    return twin


def _partitions(request: Request) -> Iterator[Request]:
    if LEADING in request.context:
        for partition in PARTITIONS:
            yield replace(request, context={**request.context, LEADING: frozenset({partition})})
