"""IAM policies as IAM reads them: a small evaluator, and what the deployed template says.

Rules: IAM user guide, "Policy evaluation logic", "IAM JSON policy elements: Condition operators" and
"Multivalued context keys". What a policy of ours never uses is refused, never guessed: NotAction,
NotResource, policy variables, other operators.
"""

from __future__ import annotations

import copy
import functools
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from contract.templates import ACCOUNT, CELL, PSEUDO, ROOT, as_list, rendered

REGION = PSEUDO["AWS::Region"]
SAM_PYTHON = ROOT / ".venv-sam" / "bin" / "python"

Context = Mapping[str, str | frozenset[str]]
"""Condition keys to values; a set is a multivalued key."""
Statement = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One permission that one call needs: an action on one resource ("*" where IAM knows none)."""

    action: str
    resource: str
    context: Context = field(default_factory=dict)

    def __str__(self) -> str:
        known = {key: sorted(one) if isinstance(one, frozenset) else one for key, one in self.context.items()}
        return f"{self.action} on {self.resource} with {known}"


# The evaluator.


def matches(pattern: str, text: str, ignore_case: bool = False) -> bool:
    """Match with IAM's wildcards, `*` and `?`, the only ones it knows."""
    if "${" in pattern:
        raise ValueError(f"{pattern}: policy variables are not evaluated here")
    written = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(written, text, re.IGNORECASE if ignore_case else 0) is not None


def is_resource(pattern: str, arn: str) -> bool:
    """Match an ARN part by part: a wildcard of one of the first five parts ends at its colon."""
    if pattern == "*":
        return True
    if arn == "*" or pattern.count(":") < 5:
        return False
    return all(map(matches, pattern.split(":", 5), arn.split(":", 5)))


Test = Callable[[str, str], bool]
SINGLE: dict[str, tuple[Test, bool]] = {
    "StringEquals": (lambda wanted, value: wanted == value, True),
    "StringNotEquals": (lambda wanted, value: wanted == value, False),
    "StringLike": (matches, True),
    "StringNotLike": (matches, False),
    "ArnLike": (is_resource, True),
    "ArnEquals": (is_resource, True),
    "Bool": (lambda wanted, value: wanted.lower() == value.lower(), True),
}


def _holds(operator: str, key: str, wanted: list[Any], context: Context) -> bool:
    """Evaluate one key of one operator; raises ValueError for an operator that is not known here."""
    quantor, _, base = operator.rpartition(":")
    base = base.removesuffix("IfExists")
    if base not in SINGLE or quantor not in ("", "ForAllValues", "ForAnyValue"):
        raise ValueError(f"condition operator {operator} is not evaluated here")
    test, is_positive = SINGLE[base]
    known = {name.lower(): value for name, value in context.items()}
    if key.lower() not in known:
        return operator.endswith("IfExists") or quantor == "ForAllValues" or not (is_positive or quantor)
    value = known[key.lower()]
    if isinstance(value, frozenset) != bool(quantor):
        raise ValueError(f"{operator} on {key}, which has {'many values' if not quantor else 'one value'}")
    values = value if isinstance(value, frozenset) else {value}
    fits = [any(test(str(one), each) for one in wanted) is is_positive for each in values]
    return any(fits) if quantor == "ForAnyValue" else all(fits)


def applies(statement: Statement, request: Request) -> bool:
    """Tell whether a statement speaks of a request."""
    if unknown := set(statement) - {"Sid", "Effect", "Action", "Resource", "Condition"}:
        raise ValueError(f"statement {statement.get('Sid')}: {sorted(unknown)} is not evaluated here")
    return (
        any(matches(one, request.action, ignore_case=True) for one in as_list(statement["Action"]))
        and any(is_resource(one, request.resource) for one in as_list(statement["Resource"]))
        and all(
            _holds(operator, key, as_list(wanted), request.context)
            for operator, tests in statement.get("Condition", {}).items()
            for key, wanted in tests.items()
        )
    )


def is_allowed(policy: Iterable[Statement], request: Request) -> bool:
    """Evaluate an identity policy: one Allow that applies, and no Deny that does."""
    effects = {one["Effect"] for one in policy if applies(one, request)}
    return "Allow" in effects and "Deny" not in effects


# The deployed template.

SAM_TRANSFORM = """
import json, sys
from samtranslator.translator.transform import transform
class NoManagedPolicies:
    def load(self):
        return {}
json.dump(transform(json.load(sys.stdin), {}, NoManagedPolicies()), sys.stdout)
"""
"""Run by the SAM CLI's own interpreter: what CloudFormation does with the serverless transform."""


def transformed() -> dict[str, Any]:
    """Return template.yaml with its loops written out and AWS::Serverless transformed, as it is deployed."""
    assert SAM_PYTHON.exists(), (
        "no SAM CLI: `make setup` installs it; PICOHA_TESTS_WITHOUT_SAM=1 goes without"
    )
    template = copy.deepcopy(rendered())
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://artifacts/function.zip"  # the transform takes no folder
    done = subprocess.run(
        [str(SAM_PYTHON), "-c", SAM_TRANSFORM],
        input=json.dumps(template, default=str),
        env=os.environ | {"AWS_DEFAULT_REGION": REGION},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class Deployed:
    """A transformed template as the stack of the cell `demo`, parameters at their defaults."""

    def __init__(self, template: dict[str, Any]) -> None:
        self.resources: dict[str, dict[str, Any]] = template["Resources"]
        self._parameters = {name: str(one.get("Default", "")) for name, one in template["Parameters"].items()}
        self._parameters["CellName"] = CELL
        self._conditions = template.get("Conditions", {})

    def value(self, node: Any) -> Any:
        """Return a node with its intrinsic functions worked out; raises KeyError for one not known here."""
        if isinstance(node, list):
            return [one for each in node if (one := self.value(each)) is not None]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (name, argument) = next(iter(node.items()))
            if name in ("Ref", "Condition") or name.startswith("Fn::"):
                return self._intrinsic(name, argument)
        return {key: one for key, each in node.items() if (one := self.value(each)) is not None}

    def _intrinsic(self, name: str, argument: Any) -> Any:
        if name == "Ref":
            return None if argument == "AWS::NoValue" else self._ref(argument)
        if name == "Condition":
            return self.value(self._conditions[argument])
        if name == "Fn::If":
            return self.value(argument[1] if self.value(self._conditions[argument[0]]) else argument[2])
        works: dict[str, Callable[[Any], Any]] = {
            "Fn::Sub": self._sub,
            "Fn::GetAtt": lambda one: self._attribute(*(one.split(".", 1) if isinstance(one, str) else one)),
            "Fn::Join": lambda one: one[0].join(self.value(one[1])),
            "Fn::Equals": lambda one: self.value(one[0]) == self.value(one[1]),
            "Fn::Not": lambda one: not self.value(one[0]),
            "Fn::And": lambda one: all(map(self.value, one)),
            "Fn::Or": lambda one: any(map(self.value, one)),
        }
        return works[name](argument)

    def _sub(self, argument: Any) -> str:
        text, given = argument if isinstance(argument, list) else (argument, {})

        def one(found: re.Match[str]) -> str:
            name = found[1]
            if name in given:
                return str(self.value(given[name]))
            resource, _, attribute = name.partition(".")
            return self._attribute(resource, attribute) if attribute else self._ref(name)

        return re.sub(r"\$\{([^!}]+)}", one, text)

    def _ref(self, name: str) -> str:
        known: dict[str, str] = {**PSEUDO, **self._parameters}
        if name in known:
            return known[name]
        kind, properties = self._resource(name)
        if kind == "AWS::SNS::Topic" or kind == "AWS::Lambda::Alias":
            return self._attribute(name, "Arn")
        return str(self.value(properties[NAMES[kind]])) if NAMES[kind] in properties else name

    def _attribute(self, name: str, attribute: str) -> str:
        kind, properties = self._resource(name)
        if attribute not in ("Arn", "TopicArn", "AliasArn"):
            return f"{name}.{attribute}"
        if kind == "AWS::Lambda::Alias":
            return f"{self._attribute(properties['FunctionName']['Ref'], 'Arn')}:{properties['Name']}"
        own = str(self.value(properties[NAMES[kind]])) if NAMES[kind] in properties else name
        return f"arn:aws:{ARNS[kind].format(scope=f'{REGION}:{ACCOUNT}', account=ACCOUNT, name=own)}"

    def _resource(self, name: str) -> tuple[str, dict[str, Any]]:
        return self.resources[name]["Type"], self.resources[name].get("Properties", {})

    def policies(self) -> dict[str, list[Statement]]:
        """Return who may do what: the statements of each role and each managed policy, by logical id."""
        found: dict[str, list[Statement]] = {}
        for name, resource in self.resources.items():
            properties = resource.get("Properties", {})
            documents = [
                one["PolicyDocument"] for one in properties.get("Policies", []) if isinstance(one, dict)
            ]
            if resource["Type"] == "AWS::IAM::ManagedPolicy":
                documents = [properties["PolicyDocument"]]
            elif resource["Type"] != "AWS::IAM::Role":
                continue
            found[name] = [
                self.value(one) for document in documents for one in as_list(document["Statement"])
            ]
        return found


@functools.cache
def _deployed() -> dict[str, list[Statement]]:
    return Deployed(transformed()).policies()


def deployed_policies() -> dict[str, list[Statement]]:
    """Return the policies of template.yaml as deployed, the caller's to change."""
    if os.environ.get("PICOHA_TESTS_WITHOUT_SAM") == "1":
        pytest.skip("PICOHA_TESTS_WITHOUT_SAM=1")
    return copy.deepcopy(_deployed())


NAMES = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::KMS::Key": "KeyId",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
}
"""The property that names a resource, where the template names it."""
ARNS = {
    "AWS::DynamoDB::Table": "dynamodb:{scope}:table/{name}",
    "AWS::IAM::ManagedPolicy": "iam::{account}:policy/{name}",
    "AWS::IAM::Role": "iam::{account}:role/{name}",
    "AWS::KMS::Key": "kms:{scope}:key/{name}",
    "AWS::Lambda::Function": "lambda:{scope}:function:{name}",
    "AWS::Logs::LogGroup": "logs:{scope}:log-group:{name}:*",
    "AWS::SNS::Topic": "sns:{scope}:{name}",
    "AWS::SQS::Queue": "sqs:{scope}:{name}",
}
