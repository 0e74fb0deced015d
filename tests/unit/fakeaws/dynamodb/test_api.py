"""fakeaws' table is held equal to moto's DynamoDB: same requests, same answers, same items left.

Both are driven through real boto3 clients. Left out, because moto is known to differ from the
service there (fakeaws' own tests cover them): ClientRequestToken, `=` between BOOL and number or
NULL and nothing, orders between two datatypes, size() of nothing, trimming of numbers, unused
values, and a LastEvaluatedKey on a page that is full at the very end.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, event, given, settings
from moto import mock_aws

from picoha.fakeaws.clients import REGION, fake_session
from picoha.fakeaws.dynamodb.api import Tables
from picoha.fakeaws.scheduler import Scheduler
from unit.fakeaws.dynamodb.table_requests import PKS, Json, query_of, steps

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TOLD = ("Item", "Items", "Attributes", "Count", "ScannedCount")


class Sides:
    """One new table on each side."""

    names = itertools.count()

    def __init__(self, tables: Tables, drill: DynamoDBClient, moto: DynamoDBClient) -> None:
        self.name = f"t{next(self.names)}"
        tables.create(self.name)
        moto.create_table(
            TableName=self.name,
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        self.drill, self.moto = drill, moto

    def answers(self, operation: str, request: Json) -> list[Any]:
        """Return what fakeaws and what moto answers, in comparable form."""
        if "TransactItems" in request:
            named = [
                {kind: {"TableName": self.name, **body} for kind, body in action.items()}
                for action in request["TransactItems"]
            ]
            request = {"TransactItems": named}
        else:
            request = {"TableName": self.name, **request}
        return [
            _pages(client, request) if operation == "query" else _answer(client, operation, request)
            for client in (self.drill, self.moto)
        ]


def _answer(client: DynamoDBClient, operation: str, request: Json) -> Any:
    try:
        answer: Json = getattr(client, operation)(**request)
    except ClientError as error:
        reasons: Any = error.response.get("CancellationReasons")
        return error.response["Error"]["Code"], reasons, error.response.get("Item")
    return {name: answer[name] for name in TOLD if name in answer}


def _outcome(answer: Any) -> str:
    return str(answer[0]) if isinstance(answer, tuple) else "something" if answer else "nothing"


def _pages(client: DynamoDBClient, request: Json) -> Any:
    """Return all pages that have items: only fakeaws, as the service, adds an empty one after a full one."""
    pages = []
    for _ in range(20):
        try:
            page = client.query(**request)
        except ClientError as error:
            return (error.response["Error"]["Code"],)
        pages.append([page[name] for name in ("Items", "Count", "ScannedCount")])
        if "LastEvaluatedKey" not in page:
            return [page for page in pages if page[0]]
        request = {**request, "ExclusiveStartKey": page["LastEvaluatedKey"]}
    raise AssertionError("the pages have no end")


@pytest.fixture(scope="module")
def clients() -> Iterator[tuple[Tables, DynamoDBClient, DynamoDBClient]]:
    with mock_aws():
        tables = Tables(Scheduler())
        drill = fake_session({"dynamodb": tables}).client("dynamodb")
        session = boto3.Session("test", "test", region_name=REGION)
        yield tables, drill, session.client("dynamodb")


quick = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])


def _compare(sides: Sides, requests: list[tuple[str, Json]]) -> None:
    for operation, request in requests:
        drill, moto = sides.answers(operation, request)
        event(f"{operation}: {_outcome(drill)}")
        assert drill == moto, (operation, request)
    for pk in PKS:
        drill, moto = sides.answers("query", query_of(pk, "", ["a", "a"], True, None))
        assert drill == moto


@settings(quick, max_examples=120, derandomize=True)
@given(requests=steps)
def test_same_answers_and_same_items_as_moto(clients: Any, requests: list[tuple[str, Json]]) -> None:
    _compare(Sides(*clients), requests)


@pytest.mark.deep
@settings(quick, max_examples=5000)
@given(requests=steps)
def test_same_answers_and_same_items_as_moto_in_a_long_search(
    clients: Any, requests: list[tuple[str, Json]]
) -> None:
    _compare(Sides(*clients), requests)


KEY = {"pk": {"S": "P"}, "sk": {"S": "a"}}
CHECK = {"Key": KEY, "ConditionExpression": "attribute_exists(pk)"}
MALFORMED: dict[str, tuple[str, Json]] = {
    "reserved word": ("put_item", {"Item": KEY, "ConditionExpression": "attribute_exists(status)"}),
    "redundant parentheses": ("put_item", {"Item": KEY, "ConditionExpression": "((attribute_exists(pk)))"}),
    "unused name": ("put_item", {"Item": KEY, "ExpressionAttributeNames": {"#a": "a"}, **CHECK, "Key": None}),
    "empty sort key": ("put_item", {"Item": {"pk": {"S": "P"}, "sk": {"S": ""}}}),
    "item without its sort key": ("put_item", {"Item": {"pk": {"S": "P"}}}),
    "number as a key": ("put_item", {"Item": {"pk": {"S": "P"}, "sk": {"N": "1"}}}),
    "partition key too long": ("put_item", {"Item": {"pk": {"S": "p" * 2049}, "sk": {"S": "a"}}}),
    "item over 400 KB": ("put_item", {"Item": {**KEY, "text": {"S": "x" * 410_000}}}),
    "empty set": ("put_item", {"Item": {**KEY, "some": {"SS": []}}}),
    "key of another schema": ("delete_item", {"Key": {**KEY, "third": {"S": "x"}}}),
    "query without the partition": (
        "query",
        {"KeyConditionExpression": "sk = :v", "ExpressionAttributeValues": {":v": {"S": "a"}}},
    ),
    "query over a range of partitions": (
        "query",
        {"KeyConditionExpression": "pk > :v", "ExpressionAttributeValues": {":v": {"S": "a"}}},
    ),
    "two actions on one item": (
        "transact_write_items",
        {"TransactItems": [{"Put": {"Item": KEY}}, {"Delete": {"Key": KEY}}]},
    ),
    "101 actions": (
        "transact_write_items",
        {"TransactItems": [{"Put": {"Item": {**KEY, "sk": {"S": str(n)}}}} for n in range(101)]},
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_refuses_a_malformed_request_with_the_same_code(clients: Any, case: str) -> None:
    operation, request = MALFORMED[case]
    request = {name: value for name, value in request.items() if value is not None}
    sides = Sides(*clients)
    drill, moto = sides.answers(operation, request)
    assert drill == moto
    assert "ValidationException" in drill


def test_refuses_a_table_that_does_not_exist_with_the_same_code(clients: Any) -> None:
    _, drill, moto = clients
    asked = {"TableName": "elsewhere", "Item": KEY}
    assert _answer(drill, "put_item", asked)[0] == "ResourceNotFoundException"
    assert _answer(moto, "put_item", asked)[0] == "ResourceNotFoundException"
