"""Every AWS call in the source, found by `ast`, and the IAM actions it needs by botocore's models."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import botocore.session
from botocore import xform_name

SOURCE = Path(__file__).parents[2] / "src" / "picoha"
AWS = SOURCE / "adapters" / "aws"
CONTROLLER = ("sensors", "actuators", "memory", "notifier")
HOSTS = ("host_side",)

PREFIXES = {"cloudwatch": "cloudwatch"}
"""IAM's prefix where it is not the name that requests are signed with (monitoring, for CloudWatch)."""
RENAMED = {"lambda:Invoke": "lambda:InvokeFunction"}
"""Actions that are not named after their operation (service authorization reference)."""
TRANSACTION_PARTS = {
    "Put": "PutItem",
    "Delete": "DeleteItem",
    "Update": "UpdateItem",
    "ConditionCheck": "ConditionCheckItem",
}
"""AWS developer guide, DynamoDB transactions and IAM: a transaction needs the actions of its parts."""


@dataclass(frozen=True)
class Call:
    """One call of a client: its service as botocore names it, its method, and where it stands."""

    service: str
    method: str
    line: int
    node: ast.Call


@functools.cache
def _properties() -> dict[str, str]:
    """Return the name of each client of `Clients` and its service, as clients.py builds them."""
    tree = ast.parse((AWS / "clients.py").read_text())
    functions = (one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef))
    return {
        function.name: str(node.args[0].value)
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "client"
        and isinstance(node.args[0], ast.Constant)
    }


HANDED_OVER = {"_table": "dynamodb", "_metrics": "cloudwatch"}
"""The clients that a host's adapter is given one by one."""


def _service(node: ast.expr) -> str | None:
    """Return the service of `self._clients.ec2`, or of `self._table` in a file of the hosts."""
    if not isinstance(node, ast.Attribute):
        return None
    if isinstance(node.value, ast.Attribute) and node.value.attr == "_clients":
        return _properties().get(node.attr, f"unknown client {node.attr}")
    return None


def calls(source: str, handed_over: bool = False) -> list[Call]:
    """Return every call of an AWS client in a file; raises ValueError where a client escapes our eyes."""
    tree, given = ast.parse(source), HANDED_OVER if handed_over else {}
    found = list(_calls(tree, given))
    seen = {id(part) for one in found for part in ast.walk(one.node.func)}
    for node in ast.walk(tree):
        if _is_client(node, given) and id(node) not in seen:
            raise ValueError(f"line {getattr(node, 'lineno', 0)}: a client is used, but not called at once")
        if isinstance(node, ast.Attribute) and node.attr == "get_waiter":
            raise ValueError(f"line {node.lineno}: a waiter polls by calls that nobody counts")
    return found


def _is_client(node: ast.AST, handed_over: dict[str, str]) -> bool:
    if not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Load):
        return False
    return node.attr == "_clients" or node.attr in handed_over


def _calls(tree: ast.Module, handed_over: dict[str, str]) -> Iterator[Call]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        client, method = node.func.value, node.func.attr
        service = _service(client)
        if service is None and isinstance(client, ast.Attribute):
            service = handed_over.get(client.attr)
        if service is None:
            continue
        if method == "get_paginator" and isinstance(node.args[0], ast.Constant):
            method = str(node.args[0].value)
        yield Call(service, method, node.lineno, node)


@functools.cache
def _operations(service: str) -> dict[str, str]:
    model = botocore.session.get_session().get_service_model(service)
    return {xform_name(name): name for name in model.operation_names}


@functools.cache
def prefix(service: str) -> str:
    """Return IAM's prefix of a service."""
    model = botocore.session.get_session().get_service_model(service)
    return PREFIXES.get(service, str(model.signing_name))


def operation(call: Call) -> str:
    """Return the API's name of the call; raises KeyError for a method that boto3 has not got."""
    return _operations(call.service)[call.method]


def needed(source: str, handed_over: bool = False) -> frozenset[str]:
    """Return the IAM actions that the calls of a file need."""
    actions: set[str] = set()
    for call in calls(source, handed_over):
        name = operation(call)
        if name != "TransactWriteItems":
            action = f"{prefix(call.service)}:{name}"
            actions.add(RENAMED.get(action, action))
            continue
        keys = {key.value for key in _dict_keys(source) if isinstance(key.value, str)}
        actions |= {f"dynamodb:{TRANSACTION_PARTS[key]}" for key in keys & set(TRANSACTION_PARTS)}
    return frozenset(actions)


def _dict_keys(source: str) -> Iterator[ast.Constant]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Dict):
            yield from (key for key in node.keys if isinstance(key, ast.Constant))


def source_of(name: str) -> str:
    """Return the text of a file of adapters/aws."""
    return (AWS / f"{name}.py").read_text()


def builders() -> dict[str, ast.FunctionDef]:
    """Return the functions of bootstrap.py, by name."""
    tree = ast.parse((SOURCE / "bootstrap.py").read_text())
    return {one.name: one for one in tree.body if isinstance(one, ast.FunctionDef)}


def given(builder: str) -> set[str]:
    """Return the files of adapters/aws that a function of bootstrap.py hands out and that call AWS."""
    files = {
        name.asname or name.name: str(node.module).rpartition(".")[2]
        for node in ast.walk(ast.parse((SOURCE / "bootstrap.py").read_text()))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("picoha.adapters.aws.")
        for name in node.names
    }
    names = (node.id for node in ast.walk(builders()[builder]) if isinstance(node, ast.Name))
    return {one for one in {files[name] for name in names if name in files} if calls(source_of(one))}
