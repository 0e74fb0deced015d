"""fakeaws' table where moto is no measure: tokens, stale reads, pages, limits, backups, copies."""

from __future__ import annotations

from typing import Any

import pytest

from picoha.fakeaws.clients import NotPlayed
from picoha.fakeaws.dynamodb.api import Tables
from picoha.fakeaws.scheduler import AwsFault, Scheduler

Json = dict[str, Any]
CELL = {":pk": {"S": "CELL"}}


class Cell:
    """One table and shorthands for its operations."""

    def __init__(self, stale_versions: int = 0) -> None:
        self.scheduler = Scheduler(seed=3)
        self.tables = Tables(self.scheduler)
        self.table = self.tables.create("picoha-demo", stale_versions)

    def ask(self, operation: str, **request: Any) -> Json:
        return self.tables.operations[operation]({"TableName": "picoha-demo", **request})

    def put(self, sk: str, **attributes: Json) -> None:
        self.ask("PutItem", Item={**key(sk), **attributes})

    def transact(self, *actions: Json, token: str | None = None) -> None:
        named = [
            {kind: {"TableName": "picoha-demo", **body} for kind, body in action.items()}
            for action in actions
        ]
        request: Json = {"TransactItems": named} | ({"ClientRequestToken": token} if token else {})
        self.tables.operations["TransactWriteItems"](request)

    def sort_keys(self, **more: Any) -> list[str]:
        answer = self.ask("Query", KeyConditionExpression="pk = :pk", ExpressionAttributeValues=CELL, **more)
        return [item["sk"]["S"] for item in answer["Items"]]


def key(sk: str) -> Json:
    return {"pk": {"S": "CELL"}, "sk": {"S": sk}}


def put(sk: str, **body: Any) -> Json:
    return {"Put": {"Item": key(sk), **body}}


def refusal_of(cell: Cell, operation: str, **request: Any) -> AwsFault:
    with pytest.raises(AwsFault) as refused:
        cell.ask(operation, **request)
    return refused.value


def test_a_repeated_transaction_with_its_token_succeeds_without_a_second_effect() -> None:
    cell = Cell()
    new = put("OP", ConditionExpression="attribute_not_exists(pk)")
    cell.transact(new, token="t1")
    cell.transact(new, token="t1")
    cell.ask("DeleteItem", Key=key("OP"))
    cell.transact(new, token="t1")
    assert cell.table.items() == []


def test_a_token_with_another_body_is_a_mismatch() -> None:
    cell = Cell()
    cell.transact(put("OP"), token="t1")
    with pytest.raises(AwsFault) as refused:
        cell.transact(put("OTHER"), token="t1")
    assert refused.value.code == "IdempotentParameterMismatchException"
    assert [item["sk"]["S"] for item in cell.table.items()] == ["OP"]


def test_a_token_is_forgotten_after_ten_minutes_of_virtual_time() -> None:
    cell = Cell()
    new = put("OP", ConditionExpression="attribute_not_exists(pk)")
    cell.transact(new, token="t1")
    cell.scheduler.run_for(599)
    cell.transact(new, token="t1")
    cell.scheduler.run_for(1)
    with pytest.raises(AwsFault) as refused:
        cell.transact(new, token="t1")
    assert refused.value.code == "TransactionCanceledException"


def test_a_cancelled_transaction_leaves_its_token_unused() -> None:
    cell = Cell()
    waiting = put("OP", ConditionExpression="attribute_exists(pk)")
    with pytest.raises(AwsFault):
        cell.transact(waiting, token="t1")
    cell.put("OP")
    cell.transact(waiting, put("SECOND"), token="t1")
    assert cell.sort_keys() == ["OP", "SECOND"]


def test_a_cancelled_transaction_tells_one_reason_per_action_and_changes_nothing() -> None:
    cell = Cell()
    cell.put("SLOT#ec1", epoch={"N": "4"})
    stale = {
        "ConditionExpression": "epoch = :e",
        "ExpressionAttributeValues": {":e": {"N": "3"}},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    with pytest.raises(AwsFault) as refused:
        cell.transact(
            put("OP"), {"ConditionCheck": {"Key": key("SLOT#ec1"), **stale}}, {"Delete": {"Key": key("A")}}
        )
    assert refused.value.extra["CancellationReasons"] == [
        {"Code": "None"},
        {
            "Code": "ConditionalCheckFailed",
            "Message": "The conditional request failed",
            "Item": {**key("SLOT#ec1"), "epoch": {"N": "4"}},
        },
        {"Code": "None"},
    ]
    assert refused.value.message.endswith("[None, ConditionalCheckFailed, None]")
    assert cell.sort_keys() == ["SLOT#ec1"]


def test_reads_may_be_stale_but_consistent_reads_never_are() -> None:
    cell = Cell(stale_versions=3)
    for version in range(10):
        cell.put("MODE", ver={"N": str(version)})
    seen = {cell.ask("GetItem", Key=key("MODE"))["Item"]["ver"]["N"] for _ in range(200)}
    sure = {cell.ask("GetItem", Key=key("MODE"), ConsistentRead=True)["Item"]["ver"]["N"] for _ in range(50)}
    assert seen == {"6", "7", "8", "9"}
    assert sure == {"9"}


def test_a_stale_query_shows_one_earlier_version_of_everything() -> None:
    cell = Cell(stale_versions=2)
    cell.put("A")
    cell.transact(put("B"), {"Delete": {"Key": key("A")}})
    cell.put("C")
    seen = {tuple(cell.sort_keys()) for _ in range(200)}
    assert seen == {("A",), ("B",), ("B", "C")}
    assert {tuple(cell.sort_keys(ConsistentRead=True)) for _ in range(50)} == {("B", "C")}


def test_a_full_page_names_its_last_key_even_at_the_very_end() -> None:
    cell = Cell()
    for sk in ("A", "B", "C", "D"):
        cell.put(sk)
    asked: Json = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": CELL, "Limit": 2}
    first = cell.ask("Query", **asked)
    second = cell.ask("Query", **asked, ExclusiveStartKey=first["LastEvaluatedKey"])
    third = cell.ask("Query", **asked, ExclusiveStartKey=second["LastEvaluatedKey"])
    assert first["LastEvaluatedKey"] == key("B")
    assert second["LastEvaluatedKey"] == key("D")
    assert third == {"Items": [], "Count": 0, "ScannedCount": 0}


def test_a_page_ends_at_one_megabyte() -> None:
    cell = Cell()
    for number in range(5):
        cell.put(f"BIG#{number}", text={"S": "x" * 300_000})
    asked: Json = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": CELL}
    page = cell.ask("Query", **asked)
    assert page["LastEvaluatedKey"] == key("BIG#3")
    assert cell.sort_keys(ExclusiveStartKey=page["LastEvaluatedKey"]) == ["BIG#4"]
    assert cell.sort_keys(ExclusiveStartKey=key("BIG#2"), ScanIndexForward=False) == ["BIG#1", "BIG#0"]


def test_what_is_kept_and_what_is_told_are_copies() -> None:
    cell = Cell()
    given = {**key("A"), "steps": {"L": [{"S": "one"}]}}
    cell.ask("PutItem", Item=given)
    given["steps"]["L"].append({"S": "two"})
    cell.ask("GetItem", Key=key("A"))["Item"]["steps"]["L"].clear()
    cell.table.items()[0]["steps"]["L"].clear()
    assert cell.ask("GetItem", Key=key("A"))["Item"]["steps"] == {"L": [{"S": "one"}]}


def test_a_restored_table_has_the_items_of_its_backup_and_no_others() -> None:
    cell = Cell(stale_versions=5)
    cell.put("A", ver={"N": "1"})
    backup = cell.table.snapshot()
    cell.put("A", ver={"N": "2"})
    cell.put("B")
    cell.table.restore(backup)
    assert {tuple(cell.sort_keys()) for _ in range(50)} == {("A",)}
    assert cell.table.items() == [{**key("A"), "ver": {"N": "1"}}]


def test_an_item_is_limited_to_400_kilobytes_of_utf_8() -> None:
    cell = Cell()
    fits = {"S": "ä" * (204_800 - len("pkCELLskAv") // 2)}
    cell.put("A", v=fits)
    assert "Item size" in refusal_of(cell, "PutItem", Item={**key("A"), "v": {"S": fits["S"] + "x"}}).message


def test_a_transaction_is_limited_to_four_megabytes() -> None:
    cell = Cell()
    big = [{"Put": {"Item": {**key(str(n)), "v": {"S": "x" * 400_000}}}} for n in range(11)]
    with pytest.raises(AwsFault, match="cannot exceed 4 MB"):
        cell.transact(*big)
    cell.transact(*big[:10])


@pytest.mark.parametrize(
    ("operation", "request_", "named"),
    [
        ("Query", {"FilterExpression": "ver = :v"}, "FilterExpression"),
        ("Query", {"IndexName": "by-ver"}, "IndexName"),
        ("Query", {}, "KeyConditionExpression"),
        ("GetItem", {"Key": key("A"), "ProjectionExpression": "ver"}, "ProjectionExpression"),
        ("PutItem", {"Item": key("A"), "Expected": {}}, "Expected"),
        ("PutItem", {"Item": key("A"), "ReturnConsumedCapacity": "TOTAL"}, "ReturnConsumedCapacity"),
    ],
)
def test_parameters_the_table_does_not_play_are_named_not_passed_over(
    operation: str, request_: Json, named: str
) -> None:
    with pytest.raises(NotPlayed, match=named):
        Cell().ask(operation, **request_)


def test_an_update_in_a_transaction_is_named_not_passed_over() -> None:
    with pytest.raises(NotPlayed, match="Update"):
        Cell().transact({"Update": {"Key": key("A"), "UpdateExpression": "SET ver = :v"}})


@pytest.mark.parametrize(
    "expression",
    [
        "pk = :pk OR sk = :sk",
        "NOT pk = :pk AND sk = :sk",
        "pk = :pk AND sk <> :sk",
        "pk = :pk AND sk IN (:sk)",
        "pk = :pk AND contains(sk, :sk)",
        "pk = :pk AND pk = :sk",
        "pk = :pk AND ver = :sk",
        "pk = :pk AND size(sk) = :sk",
        "begins_with(pk, :pk) AND sk = :sk",
        "attribute_exists(pk) AND sk = :sk",
    ],
)
def test_a_query_that_is_not_one_range_of_one_partition_is_refused(expression: str) -> None:
    values = {name: {"S": "x"} for name in (":pk", ":sk") if name in expression}
    asked: Json = {"KeyConditionExpression": expression, "ExpressionAttributeValues": values}
    assert refusal_of(Cell(), "Query", **asked).code == "ValidationException"


def test_a_query_goes_on_only_inside_its_partition() -> None:
    asked: Json = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": CELL}
    refused = refusal_of(Cell(), "Query", **asked, ExclusiveStartKey={"pk": {"S": "HOSTS"}, "sk": {"S": "a"}})
    assert "outside query boundaries" in refused.message
