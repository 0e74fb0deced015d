"""DynamoDB in memory: tables with string keys pk and sk, and the operations that Memory uses.

One action happens at a time, as the kernel hands control over, so every operation is atomic.
What the real service knows and fakeaws does not is `NotPlayed`, never accepted in silence.
Limits: AWS developer guide, "Constraints in Amazon DynamoDB" and "Managing complex workflows with
DynamoDB transactions".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from picoha.fakeaws.clients import NotPlayed
from picoha.fakeaws.dynamodb.conditions import Bound
from picoha.fakeaws.dynamodb.expressions import bind
from picoha.fakeaws.dynamodb.key_conditions import key_condition
from picoha.fakeaws.dynamodb.rows import KEYS, Key, Row, Table
from picoha.fakeaws.dynamodb.values import Item, canonical_item, item_size, refusal
from picoha.fakeaws.scheduler import AwsFault, Scheduler

LARGEST_ITEM = 400 * 1024
LARGEST_TRANSACTION = 4 * 1024 * 1024
LARGEST_PAGE = 1024 * 1024
MOST_ACTIONS = 100
TOKEN_LIFE_S = 600.0  # AWS: API reference, TransactWriteItems, ClientRequestToken
_LONGEST_KEYS = {"pk": 2048, "sk": 1024}  # bytes

Request = dict[str, Any]
_CONDITION = {"ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues"}
_CHANGE = _CONDITION | {"TableName", "ReturnValuesOnConditionCheckFailure"}
_QUERY = {"ConsistentRead", "ScanIndexForward", "Limit", "ExclusiveStartKey", "KeyConditionExpression"}


@dataclass(frozen=True)
class _Change:
    """One write, or one mere check, that has been validated but not yet tried."""

    table: Table
    key: Key
    row: Row | None  # None = delete, or nothing to write
    writes: bool
    condition: Bound | None
    tells_old: bool

    def reason(self) -> dict[str, Any]:
        """Return DynamoDB's cancellation reason: Code "None" if the change may go on."""
        old = self.table.row(self.key)
        if self.condition is None or self.condition.holds(old.item if old else None):
            return {"Code": "None"}
        told = {"Item": old.copy()} if old and self.tells_old else {}
        return {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed", **told}


class Tables:
    """All tables of one account: `operations` for the wire, `create` and `table` for the world."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._tables: dict[str, Table] = {}
        self._tokens: dict[str, tuple[float, str]] = {}
        self.operations: Mapping[str, Callable[[Request], dict[str, Any]]] = {
            "DeleteItem": lambda request: self._write("Delete", request),
            "GetItem": self._get_item,
            "PutItem": lambda request: self._write("Put", request),
            "Query": self._query,
            "TransactWriteItems": self._transact_write_items,
        }

    def create(self, name: str, stale_versions: int = 0) -> Table:
        """Return a new empty table.

        Reads that are not strongly consistent are served from up to `stale_versions` writes ago.
        """
        self._tables[name] = Table(name, stale_versions)
        return self._tables[name]

    def table(self, name: str) -> Table:
        """Return a table for the world's own hands: items, snapshot, restore, stale_versions.

        Raises AwsFault (ResourceNotFoundException).
        """
        if name not in self._tables:
            raise AwsFault("ResourceNotFoundException", f"Requested resource not found: Table: {name}")
        return self._tables[name]

    def _get_item(self, request: Request) -> dict[str, Any]:
        _only(request, {"TableName", "Key", "ConsistentRead"})
        table = self.table(request["TableName"])
        row = table.row(_key(request["Key"]), self._age(table, request))
        return {"Item": row.copy()} if row else {}

    def _query(self, request: Request) -> dict[str, Any]:
        _only(request, {"TableName", "ExpressionAttributeNames", "ExpressionAttributeValues"} | _QUERY)
        table = self.table(request["TableName"])
        bound = _bound("KeyConditionExpression", request)
        if bound is None:
            raise NotPlayed("fakeaws plays no Query without a KeyConditionExpression")
        wanted = key_condition(bound)
        age = self._age(table, request)
        backwards = not request.get("ScanIndexForward", True)
        sort_keys: Sequence[str] = wanted.within(table.sort_keys(wanted.pk, age))
        if "ExclusiveStartKey" in request:
            sort_keys = _after(_key(request["ExclusiveStartKey"]), wanted.pk, sort_keys, backwards)
        elif backwards:
            sort_keys = sort_keys[::-1]
        rows = [row for sk in sort_keys if (row := table.row((wanted.pk, sk), age))]
        return _page(rows, request.get("Limit"))

    def _write(self, kind: str, request: Request) -> dict[str, Any]:
        _only(request, _CHANGE | {"ReturnValues", "Item" if kind == "Put" else "Key"})
        change = self._change(kind, {name: one for name, one in request.items() if name != "ReturnValues"})
        wants_old = request.get("ReturnValues", "NONE")
        if wants_old not in ("NONE", "ALL_OLD"):
            raise refusal("Return values set to invalid value")
        reason = change.reason()
        if reason["Code"] != "None":
            extra = {"Item": reason["Item"]} if "Item" in reason else {}
            raise AwsFault("ConditionalCheckFailedException", reason["Message"], extra=extra)
        old = change.table.row(change.key)
        change.table.write({change.key: change.row})
        return {"Attributes": old.copy()} if old and wants_old == "ALL_OLD" else {}

    def _transact_write_items(self, request: Request) -> dict[str, Any]:
        _only(request, {"TransactItems", "ClientRequestToken"})
        actions: list[Request] = request["TransactItems"]
        token, body = request.get("ClientRequestToken"), json.dumps(actions, sort_keys=True, default=repr)
        if token is not None and self._is_repeated(token, body):
            return {}
        changes = self._changes(actions)
        reasons = [change.reason() for change in changes]
        codes = [reason["Code"] for reason in reasons]
        if any(code != "None" for code in codes):
            message = "Transaction cancelled, please refer cancellation reasons for specific reasons"
            extra = {"CancellationReasons": reasons}
            raise AwsFault("TransactionCanceledException", f"{message} [{', '.join(codes)}]", extra=extra)
        for table in {change.table.name: change.table for change in changes}.values():
            table.write({one.key: one.row for one in changes if one.table is table and one.writes})
        if token is not None:
            self._tokens[token] = (self._scheduler.elapsed + TOKEN_LIFE_S, body)
        return {}

    def _is_repeated(self, token: str, body: str) -> bool:
        """Say whether this very transaction has succeeded in the last ten minutes."""
        now = self._scheduler.elapsed
        self._tokens = {name: known for name, known in self._tokens.items() if known[0] > now}
        if token not in self._tokens:
            return False
        if self._tokens[token][1] != body:
            message = "The request uses the same client token as a previous, but non-identical request."
            raise AwsFault("IdempotentParameterMismatchException", message)
        return True

    def _changes(self, actions: list[Request]) -> list[_Change]:
        if not 1 <= len(actions) <= MOST_ACTIONS:
            raise refusal(f"'transactItems' must have between 1 and {MOST_ACTIONS} members")
        changes = []
        for action in actions:
            if len(action) != 1:
                raise refusal("TransactItems can only contain one of Check, Put, Update or Delete")
            ((kind, body),) = action.items()
            changes.append(self._change(kind, body))
        if len({(change.table.name, change.key) for change in changes}) < len(changes):
            raise refusal("Transaction request cannot include multiple operations on one item")
        if sum(change.row.size for change in changes if change.row) > LARGEST_TRANSACTION:
            raise refusal("Aggregate size of the items in the transaction cannot exceed 4 MB")
        return changes

    def _change(self, kind: str, body: Request) -> _Change:
        if kind not in ("Put", "Delete", "ConditionCheck"):
            raise NotPlayed(f"fakeaws plays no {kind} in a transaction")
        _only(body, _CHANGE | {"Item" if kind == "Put" else "Key"})
        table = self.table(body["TableName"])
        row = _row(body["Item"]) if kind == "Put" else None
        key = row.key if row else _key(body["Key"])
        condition = _bound("ConditionExpression", body)
        tells_old = body.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
        return _Change(table, key, row, kind != "ConditionCheck", condition, tells_old)

    def _age(self, table: Table, request: Request) -> int:
        """Return how many writes ago this read looks (0 = now)."""
        if request.get("ConsistentRead", False) or not table.stale_versions:
            return 0
        return self._scheduler.random.randint(0, table.stale_versions)


def _only(request: Request, known: Collection[str]) -> None:
    unknown = sorted(set(request) - set(known))
    if unknown:
        raise NotPlayed(f"fakeaws' table plays no {', '.join(unknown)} here")


def _bound(where: str, request: Request) -> Bound | None:
    names, values = request.get("ExpressionAttributeNames"), request.get("ExpressionAttributeValues")
    for parameter, given in (("Names", names), ("Values", values)):
        if given == {}:
            raise refusal(f"ExpressionAttribute{parameter} must not be empty")
        if given and where not in request:
            raise refusal(f"ExpressionAttribute{parameter} can only be specified when using expressions")
    return bind(where, request[where], names or {}, values or {}) if where in request else None


def _key(key: Item) -> Key:
    if set(key) != set(KEYS):
        raise refusal("The provided key element does not match the schema")
    return _key_of(key)


def _key_of(item: Item) -> Key:
    for name in KEYS:
        if name not in item:
            raise refusal(f"One or more parameter values were invalid: Missing the key {name} in the item")
        if set(item[name]) != {"S"}:
            raise refusal(f"One or more parameter values were invalid: Type mismatch for key {name}")
        if not 1 <= len(item[name]["S"].encode()) <= _LONGEST_KEYS[name]:
            raise refusal(f"One or more parameter values were invalid: empty or too long: key {name}")
    return item["pk"]["S"], item["sk"]["S"]


def _row(given: Item) -> Row:
    key, item = _key_of(given), canonical_item(given)
    row = Row(key, item, item_size(item))
    if row.size > LARGEST_ITEM:
        raise refusal("Item size has exceeded the maximum allowed size")
    return row


def _after(start: Key, pk: str, sort_keys: Sequence[str], backwards: bool) -> Sequence[str]:
    """Return the sort keys that follow `start` in the direction of the query."""
    if start[0] != pk:
        raise refusal("The provided starting key is outside query boundaries based on provided conditions")
    if backwards:
        return [sk for sk in reversed(sort_keys) if sk < start[1]]
    return [sk for sk in sort_keys if sk > start[1]]


def _page(rows: list[Row], limit: int | None) -> dict[str, Any]:
    """Return one page: at most `limit` rows and 1 MB; a full page names its last key, even at the end."""
    items: list[Item] = []
    size = 0
    for row in rows:
        items.append(row.copy())
        size += row.size
        if len(items) == limit or size > LARGEST_PAGE:
            last = {name: {"S": text} for name, text in zip(KEYS, row.key, strict=True)}
            return {"Items": items, "Count": len(items), "ScannedCount": len(items), "LastEvaluatedKey": last}
    return {"Items": items, "Count": len(items), "ScannedCount": len(items)}
