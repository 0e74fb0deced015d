"""Least privilege, replayed: every call of every story against the deployed policies, and their mutants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contract.iam_grants import declared, grants_of, unlike
from contract.iam_recorder import Needed, played
from contract.iam_replay import PARTITIONS, denied, overreach, unused, unwitnessed, witnesses
from contract.policies import Request, Statement, deployed_policies
from contract.templates import as_list, of_type, source

STORIES = sorted((Path(__file__).parents[2] / "stories").glob("*.toml"))
pytestmark = pytest.mark.xdist_group("stories")

REPLAYED = {"ReconcileRole": "controller", "HostPolicy": "hosts", "OperatorRole": "operator"}
"""Whose calls the stories make, by the logical id of the deployed role or policy."""
FUNCTION = "AWS::Serverless::Function"
NOT_REPLAYED = {
    "TickRole": "EventBridge Scheduler uses it; in a drill the world itself rings the tick",
}
SENSORS = "tests/unit/adapters/aws/test_sensors.py"
LOOKING = {
    "ReadGroups autoscaling:DescribeScalingActivities": f"once EC2 has forgotten a host: {SENSORS}",
    "ReadDependencies cloudwatch:DescribeAlarms": f"no story depends on an alarm: {SENSORS}",
    "ReadDependencies elasticfilesystem:DescribeFileSystems": f"none on a file system: {SENSORS}",
    "ReadDependencies rds:DescribeDBClusters": f"one on an instance, none on a cluster: {SENSORS}",
}
NEVER_USED = {
    "ReconcileRole": {
        **LOOKING,
        "Remember dynamodb:GetItem": "when a write's answer was lost: tests/simulation/test_single_faults.py",
    },
    "OperatorRole": {
        **{key: why for key, why in LOOKING.items() if "DescribeAlarms" not in key},
        "ReadGroups autoscaling:DescribeWarmPool": f"no operator's story has a warm pool: {SENSORS}",
        "ReadDependencies rds:DescribeDBInstances": f"no operator's story has a database: {SENSORS}",
        "TellFailure sns:Publish": "Lambda itself tells a failed call; the drill has no failure destination",
        "InspectSurroundings ec2:GetManagedPrefixListEntries": "no story's Platform admits a prefix list: "
        "tests/unit/adapters/aws",
    },
}
"""Grants that no story uses, each with why it is needed all the same and what does use it."""
DOCTOR = {
    f"{sid} {action}"
    for sid, actions in grants_of("inspection", "surroundings").items()
    for action in actions
    if sid in ("InspectTable", "InspectDeadLetters", "InspectFunction", "InspectPermissions")
}
"""Looks of the doctor on the cell's own resources: their neighbours are asked as those of unused grants."""
UNLIMITED: dict[str, tuple[str, ...]] = {}
"""Partitions that a caller could write to and never does: what is still to be narrowed."""


def needed_by(who: str, found: Needed) -> list[Request]:
    return list(found[who].values())


@pytest.fixture(scope="module")
def everything() -> Needed:
    """Return what all stories together need; each is played once."""
    found: Needed = {who: {} for who in REPLAYED.values()}
    for path in STORIES:
        for who, each in played(path).needed.items():
            found[who] |= each
    return found


# They hold.


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_every_call_of_a_story_is_allowed(path: Path) -> None:
    found, policies = played(path).needed, deployed_policies()
    assert found["controller"]
    assert found["hosts"]  # few stories have an operator
    for role, who in REPLAYED.items():
        assert denied(policies[role], needed_by(who, found)) == []


@pytest.mark.parametrize("role", REPLAYED)
def test_every_grant_is_used_by_a_story_or_says_why_not(role: str, everything: Needed) -> None:
    told = unused(deployed_policies()[role], everything[REPLAYED[role]])
    assert sorted(told) == sorted(NEVER_USED.get(role, {}))


@pytest.mark.parametrize("role", REPLAYED)
def test_no_change_is_allowed_on_what_belongs_to_somebody_else(role: str, everything: Needed) -> None:
    policy = deployed_policies()[role]
    told = overreach(policy, everything[REPLAYED[role]], keyed=role != "ReconcileRole")
    partitions = {partition for partition in PARTITIONS for line in told if f"['{partition}']" in line}
    assert partitions == set(UNLIMITED.get(role, ()))
    assert all("dynamodb:LeadingKeys" in line for line in told), told


def test_every_deployed_policy_is_replayed_or_says_why_not() -> None:
    assert set(deployed_policies()) - set(REPLAYED) - set(NOT_REPLAYED) == set()


def test_what_was_replayed(everything: Needed, figure: Callable[[str], None]) -> None:
    calls = sum(played(path).calls for path in STORIES)
    kinds = {who: len(each) for who, each in everything.items()}
    never = sum(map(len, NEVER_USED.values()))
    figure(f"{calls} calls of {len(STORIES)} stories replayed, {kinds}, {never} grants never used")
    assert min(kinds.values()) >= 5


# And they fail when they should: each statement, changed in every way that widens or narrows it.

Mutant = tuple[str, Callable[[Statement], Statement | None]]
A_CHANGE_MORE = {
    "autoscaling": "autoscaling:SetDesiredCapacity",
    "cloudwatch": "cloudwatch:DeleteAlarms",
    "dynamodb": "dynamodb:UpdateItem",
    "ec2": "ec2:StopInstances",
    "elasticfilesystem": "elasticfilesystem:DeleteFileSystem",
    "rds": "rds:RebootDBInstance",
    "sns": "sns:Subscribe",
}


def _with(**fields: Any) -> Callable[[Statement], Statement]:
    return lambda statement: {**statement, **fields}


def mutants(statement: Statement) -> Iterator[Mutant]:
    """Yield each way to get a deployed statement wrong; None instead of a statement takes it away."""
    yield "gone", lambda _one: None
    yield "denied", _with(Effect="Deny")
    yield from _action_mutants(as_list(statement["Action"]))
    yield from _resource_mutants(as_list(statement["Resource"]))
    yield from _condition_mutants(statement.get("Condition", {}))


def _action_mutants(actions: list[str]) -> Iterator[Mutant]:
    service = actions[0].partition(":")[0]
    yield "a change more", _with(Action=[*actions, A_CHANGE_MORE.get(service, f"{service}:Delete")])
    yield "all of the service", _with(Action=f"{service}:*")
    initial = actions[0].partition(":")[2][0]
    yield "a wildcard more", _with(Action=[*actions, f"{service}:{initial}*"])
    for action in actions if len(actions) > 1 else ():
        yield f"without {action}", _with(Action=[other for other in actions if other != action])


def _resource_mutants(resources: list[str]) -> Iterator[Mutant]:
    if resources == ["*"]:
        yield "no resource", _with(Resource="arn:aws:s3:::nothing")
        return
    yield "any resource", _with(Resource="*")
    for resource in resources:
        others = [other for other in resources if other != resource]
        parts = resource.split(":", 5)
        yield (
            f"any account's {parts[5]}",
            _with(Resource=[*others, ":".join([*parts[:3], "*", "*", parts[5]])]),
        )
        if others:
            yield f"without {parts[5]}", _with(Resource=others)
        if "*" not in parts[5]:
            yield f"all like {parts[5]}", _with(Resource=[*others, resource.rpartition("-")[0] + "-*"])
    yield "a resource more", _with(Resource=[*resources, "arn:aws:ec2:eu-west-1:123456789012:volume/*"])


def _condition_mutants(condition: dict[str, dict[str, Any]]) -> Iterator[Mutant]:
    if condition:
        yield "no condition", _with(Condition={})
    for operator, tests in condition.items():
        for key, value in tests.items():
            fewer = {other: one for other, one in tests.items() if other != key}
            quantor = operator.rpartition(":")[0]
            like = f"{quantor}:StringLike" if quantor else "StringLike"
            yield f"{key} not asked", _with(Condition={operator: fewer})
            yield f"any {key}", _with(Condition={operator: fewer, like: {key: "*"}})
            if "ResourceTag" in key:  # the other keys are always there
                yield f"{key} if any", _with(Condition={operator: fewer, f"{operator}IfExists": {key: value}})
            yield f"another {key}", _with(Condition={operator: {**fewer, key: "another"}})


def written() -> list[Any]:
    """Return (role, statement id) of each statement, from the template as written: collecting runs no SAM."""
    policies = {f"{name}Role": one["Policies"] for name, one in of_type(source(), FUNCTION).items()}
    managed = of_type(source(), "AWS::IAM::ManagedPolicy").items()
    policies |= {name: [one["PolicyDocument"]] for name, one in managed}
    sids = [
        (role, statement["Sid"])
        for role, documents in policies.items()
        for document in documents
        for statement in document["Statement"]
        if role in REPLAYED
    ]
    return [pytest.param(role, sid, id=f"{role}-{sid}") for role, sid in sids]


def problems(role: str, policy: list[Statement], everything: Needed) -> list[str]:
    """Return what both tests say: the calls of the stories, and the grants beside the calls in the source."""
    found = everything[REPLAYED[role]]
    names = {*NEVER_USED.get(role, {}), *DOCTOR}
    unseen = witnesses(deployed_policies()[role], names)
    told = denied(policy, found.values()) + unwitnessed(policy, unseen) + unused(policy, found)
    told += overreach(policy, found, keyed=role != "ReconcileRole")
    return told + unlike(declared(role), policy)


def survivors(role: str, sid: str, everything: Needed) -> tuple[int, list[str]]:
    """Return how many mutants of a statement there are, and those that nobody tells."""
    policy = deployed_policies()[role]
    before = set(problems(role, policy, everything))
    place = next(number for number, one in enumerate(policy) if one["Sid"] == sid)
    alive, count = [], 0
    for how, change in mutants(policy[place]):
        changed = change(policy[place])
        mutant = [*policy[:place], *([changed] if changed else []), *policy[place + 1 :]]
        count += 1
        if not set(problems(role, mutant, everything)) - before:
            alive.append(how)
    return count, alive


@pytest.mark.parametrize(("role", "sid"), written())
def test_a_statement_that_grants_more_or_less_is_told(role: str, sid: str, everything: Needed) -> None:
    count, alive = survivors(role, sid, everything)
    assert count >= 5
    assert alive == []


def test_how_many_mutants_there_are(figure: Callable[[str], None]) -> None:
    statements = [policy for role in REPLAYED for policy in deployed_policies()[role]]
    count = sum(1 for statement in statements for _ in mutants(statement))
    figure(f"{count} mutants of {len(statements)} IAM statements, each told by the test of its statement")
    assert count > 300


@pytest.mark.parametrize("role", REPLAYED)
def test_a_statement_too_many_is_told(role: str, everything: Needed) -> None:
    policy = deployed_policies()[role]
    more = {"Sid": "More", "Effect": "Allow", "Action": "ec2:StopInstances", "Resource": "*"}
    told = set(problems(role, [*policy, more], everything)) - set(problems(role, policy, everything))
    assert told == {"More ec2:StopInstances", "statement More is no grant"}
