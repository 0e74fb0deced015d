"""What the tests of the templates share: reading them, filling in their functions, walking them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import render_template

ROOT = Path(__file__).parents[2]
CONTROLLER = ROOT / "template.yaml"
CELL_TEMPLATE = ROOT / "examples" / "cell.yaml"
GAMEDAY = ROOT / "examples" / "gameday"
SLOTS = ["platform1", "ec1", "ec2"]
CELL = "demo"
ACCOUNT = "123456789012"
PSEUDO: dict[str, str] = {
    "AWS::AccountId": ACCOUNT,
    "AWS::NoValue": "",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::StackName": f"picoha-{CELL}",
    "AWS::URLSuffix": "amazonaws.com",
}
READS = re.compile(r"[a-z0-9]+:(Describe|Get|List|Query|ConditionCheck|Simulate)\w*$")

Template: TypeAlias = dict[str, Any]


@cache
def read(path: Path) -> Template:
    """Return a template as plain dicts, intrinsic functions in their long form; not to be changed."""
    return render_template.load(path.read_text())


@cache
def source() -> Template:
    """Return template.yaml as written."""
    return read(CONTROLLER)


@cache
def rendered() -> Template:
    """Return template.yaml without Fn::ForEach, for the slots of the demo cell."""
    return render_template.expand(source(), SLOTS)


def of_type(template: Template, name: str) -> dict[str, dict[str, Any]]:
    """Return the properties of the resources of one type, those inside a loop left out."""
    plain = {key: one for key, one in template["Resources"].items() if not key.startswith("Fn::ForEach")}
    return {key: one["Properties"] for key, one in plain.items() if one["Type"] == name}


def statements(template: Template) -> list[dict[str, Any]]:
    """Return every IAM statement that grants something to one of our own roles."""
    documents = [
        policy
        for function in of_type(template, "AWS::Serverless::Function").values()
        for policy in function["Policies"]
    ]
    documents += [
        policy["PolicyDocument"]
        for role in of_type(template, "AWS::IAM::Role").values()
        for policy in role.get("Policies", ())
    ]
    documents += [
        policy["PolicyDocument"] for policy in of_type(template, "AWS::IAM::ManagedPolicy").values()
    ]
    return [statement for document in documents for statement in document["Statement"]]


def as_list(value: Any) -> list[Any]:
    """Return IAM's "one or many" as many."""
    return value if isinstance(value, list) else [value]


def resolved(value: Any, known: Mapping[str, str] | None = None) -> str:
    """Return the text of a Fn::Sub in the demo cell; raises KeyError for what is not known."""
    text = value["Fn::Sub"] if isinstance(value, dict) else value
    names = {**PSEUDO, "CellName": CELL, **(known or {})}
    return re.sub(r"\$\{([^}!]+)}", lambda found: names[found[1]], text)


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping inside the value, the value included."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(inner)


def names_used(template: Template) -> set[str]:
    """Return every logical id or parameter that a function of the template refers to."""
    used: set[str] = set()
    for node in nodes(template):
        if "Ref" in node:
            used.add(node["Ref"])
        used.update(as_list(node.get("DependsOn", [])))
        if "Fn::GetAtt" in node:
            used.add(node["Fn::GetAtt"][0])
        if "Fn::Sub" in node and isinstance(node["Fn::Sub"], str):
            used.update(name.split(".")[0] for name in re.findall(r"\$\{([^}!]+)}", node["Fn::Sub"]))
    return used
