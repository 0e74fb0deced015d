"""The layout of the table `picoha-<cell>`: values to DynamoDB items and back (design.md 7).

Shared by the controller and the agent, so that both sides read and write one form. An item is
what the low-level client takes: `{"pk": {"S": "CELL"}, ...}`. The attributes that conditions
name stand beside the body, and an item in which they disagree with the body is not understood.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from picoha.domain.codec import Undecodable, decode, encode
from picoha.domain.model import Report
from picoha.domain.record import SCHEMA, SlotRecord

Item: TypeAlias = dict[str, Any]

CELL = "CELL"
HOSTS = "HOSTS"
FIRST = "attribute_not_exists(pk)"
"""The condition of a put that must find no item under its key."""

_to_wire = TypeSerializer()
_from_wire = TypeDeserializer()


class NewerSchema(Undecodable):
    """An item written by a newer version of picoha: nothing is done with it (safety S15)."""


def table_name(cell: str) -> str:
    """Return the name of the table of a cell."""
    return f"picoha-{cell}"


def slot_sk(slot: str) -> str:
    """Return the sort key of a slot's record."""
    return f"SLOT#{slot}"


def report_sk(slot: str, instance: str) -> str:
    """Return the sort key of a host's own row."""
    return f"{slot}#{instance}"


def key(pk: str, sk: str) -> Item:
    """Return the primary key of an item."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def wire(value: Any) -> Item:
    """Return one plain value in DynamoDB's form, such as `{"S": "x"}`; floats become decimals."""
    return dict(_to_wire.serialize(_without_floats(value)))


def item(pk: str, sk: str, body: Mapping[str, Any], schema: int = SCHEMA, **top: Any) -> Item:
    """Return an item with its body as a map; top-level attributes that are None are left out."""
    beside = {name: wire(value) for name, value in top.items() if value is not None}
    return {**key(pk, sk), "schema": wire(schema), **beside, "body": wire(dict(body))}


def put_of(table: str, stored: Item, condition: str = "", ver: int = 0) -> dict[str, Any]:
    """Return the `Put` of a transaction; `ver` > 0 is the version that its condition names."""
    put: dict[str, Any] = {"TableName": table, "Item": stored}
    if condition:
        put["ConditionExpression"] = condition
    if ver:
        put["ExpressionAttributeValues"] = {":ver": wire(ver)}
    return put


def request_token(*parts: object) -> str:
    """Return the ClientRequestToken of one write: a retry by the SDK carries it again (36 characters)."""
    return hashlib.sha256("#".join(map(str, parts)).encode()).hexdigest()[:36]


def top(stored: Item, name: str) -> Any:
    """Return a top-level attribute in its plain form, or None where it is absent."""
    return _plain(_from_wire.deserialize(stored[name])) if name in stored else None


def body(stored: Item) -> dict[str, Any]:
    """Return the plain body of an item; raises NewerSchema, or Undecodable where there is none."""
    where = f"{top(stored, 'pk')}/{top(stored, 'sk')}"
    schema, plain = top(stored, "schema"), top(stored, "body")
    if not isinstance(schema, int):
        raise Undecodable(f"{where} has no schema number")
    if schema > SCHEMA:
        raise NewerSchema(f"{where} has schema {schema}; this version understands up to {SCHEMA}")
    if not isinstance(plain, dict):
        raise Undecodable(f"{where} has no body")
    return plain


def slot_item(record: SlotRecord, nonce: str) -> Item:
    """Return the item of a slot's record; `nonce` names the writer of this version."""
    beside = _beside(record)
    return item(CELL, slot_sk(record.slot), encode(record), record.schema, nonce=nonce, **beside)


def slot_record(stored: Item) -> SlotRecord:
    """Return the record of a slot item; raises Undecodable or NewerSchema."""
    record = decode(SlotRecord, body(stored))
    for name, inside in {"sk": slot_sk(record.slot), **_beside(record)}.items():
        if (beside := top(stored, name)) != inside:
            raise Undecodable(f"{slot_sk(record.slot)}: {name} is {beside} beside the body, {inside} in it")
    return record


def _beside(record: SlotRecord) -> dict[str, Any]:
    return {
        "ver": record.ver,
        "epoch": record.epoch,
        "holder": record.holder,
        "phase": record.phase.value,
    }


def report_item(report: Report) -> Item:
    """Return the row that a host writes about itself."""
    plain = encode(report)
    return item(HOSTS, report_sk(report.slot, report.instance), plain, at=plain["at"])


def report_of(stored: Item) -> Report:
    """Return the report of a host's row; raises Undecodable or NewerSchema."""
    report = decode(Report, body(stored))
    if top(stored, "sk") != report_sk(report.slot, report.instance):
        raise Undecodable(f"the row {top(stored, 'sk')} holds a report of {report.slot}#{report.instance}")
    return report


def _without_floats(value: Any) -> Any:
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(value, Mapping):
        return {name: _without_floats(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_floats(one) for one in value]
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value
