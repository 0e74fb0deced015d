"""The table of design.md 7: strongly consistent reads, conditional writes, one transaction a change.

Every write is a whole item pinned to the version that was read, so a decision and the write that
enacts it cannot be pulled apart (safety S16). A writer's nonce tells an own success apart from
somebody else's after an answer was lost.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from picoha.adapters.aws.clients import Clients
from picoha.adapters.aws.faults import changing, reading
from picoha.adapters.aws.items import (
    CELL,
    FIRST,
    HOSTS,
    Item,
    body,
    item,
    key,
    put_of,
    report_of,
    request_token,
    slot_item,
    slot_record,
    slot_sk,
    top,
    wire,
)
from picoha.app.errors import ActionFailed, LostRace, MemoryUnreadable
from picoha.app.ports import Remembered
from picoha.domain.codec import Undecodable, decode, encode
from picoha.domain.decision import Change
from picoha.domain.ledger import JournalRow, Ledger
from picoha.domain.model import Evidence, Report, SlotName
from picoha.domain.record import Brake, Grant, HistoryRow, ModeRecord, Operation, Request, SlotRecord

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

LOG = logging.getLogger("picoha")
PROOF = "PROOF"
EXISTS = "attribute_exists(pk)"

GRANTS: dict[str, frozenset[str]] = {
    "ReadMemory": frozenset({"dynamodb:Query"}),
    "Remember": frozenset(
        {
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:DeleteItem",
            "dynamodb:ConditionCheckItem",
        }
    ),
}


class AwsMemory:
    """One cell's table."""

    def __init__(self, table: str, clients: Clients, nonce: Callable[[], str] = lambda: uuid4().hex) -> None:
        self._table = table
        self._clients = clients
        self._nonce = nonce

    def load(self) -> Remembered:
        """Return the partitions CELL and HOSTS; raises MemoryUnreadable.

        A mode or brake that is not understood makes all of it unreadable (nothing is done); a slot
        that is not understood is only named, and left alone.
        """
        with reading(f"reading table {self._table}", MemoryUnreadable):
            cell = list(self._query(CELL))
            hosts = list(self._query(HOSTS))
        return _remembered(cell, hosts)

    def _query(self, pk: str, low: str = "", high: str = "") -> Iterator[Item]:
        condition, values = "pk = :pk", {":pk": wire(pk)}
        if low:
            condition += " AND sk BETWEEN :low AND :high"
            values |= {":low": wire(low), ":high": wire(high)}
        pages = self._clients.dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ConsistentRead=True,
        )
        for page in pages:
            yield from page["Items"]

    def commit(
        self,
        change: Change,
        mode: ModeRecord,
        history: HistoryRow | None,
        journal: Sequence[JournalRow] = (),
    ) -> None:
        """Write all of a change or nothing; raises LostRace, or MemoryUnreadable if unsure."""
        nonce = self._nonce()
        record = replace(change.record, ver=change.record.ver + 1)
        actions = [
            self._put(slot_item(record, nonce), _version(change.record.ver), change.record.ver),
            *self._proofs(change, record),
            *self._pins(change, mode),
        ]
        if change.ended is not None:
            actions.append(self._put(item(f"OP#{change.ended.id}", "END", encode(change.ended))))
        if change.consumes is not None:
            gone = key(CELL, f"REQ#{change.consumes}")
            actions.append({"Delete": {"TableName": self._table, "Key": gone, "ConditionExpression": EXISTS}})
        actions += [self._put(_journal_item(row)) for row in journal]
        if history is not None:
            actions.append(self._put(history_item(history), FIRST))
        self._write(record, nonce, actions)

    def _proofs(self, change: Change, record: SlotRecord) -> Iterator[TransactWriteItemTypeDef]:
        for proof in change.evidence:
            yield self._put(item(PROOF, f"FENCE#{proof.instance}", encode(proof)))
        if change.grant is not None:
            granted = {"holder": change.grant, "at": record.granted_at}
            row = {"slot": record.slot, "epoch": record.epoch, **granted}
            yield self._put(item(PROOF, f"GRANT#{record.slot}#{record.epoch:08d}", encode(row)), FIRST)
        for instance in change.proven:
            fence = key(PROOF, f"FENCE#{instance}")
            yield {"ConditionCheck": {"TableName": self._table, "Key": fence, "ConditionExpression": EXISTS}}

    def _pins(self, change: Change, mode: ModeRecord) -> Iterator[TransactWriteItemTypeDef]:
        if change.mode is not None:
            written = replace(change.mode, ver=mode.ver + 1)
            stored = item(CELL, "MODE", encode(written), written.schema, ver=written.ver)
            yield self._put(stored, _version(mode.ver), mode.ver)
        elif change.pins_mode:
            condition = _version(mode.ver)
            check: dict[str, Any] = {
                "TableName": self._table,
                "Key": key(CELL, "MODE"),
                "ConditionExpression": condition,
            }
            if mode.ver:
                check["ExpressionAttributeValues"] = {":ver": wire(mode.ver)}
            yield {"ConditionCheck": check}  # type: ignore[typeddict-item]  # built in two parts
        if change.brake is not None:
            brake = replace(change.brake, ver=change.brake.ver + 1)
            stored = item(CELL, "BRAKE", encode(brake), brake.schema, ver=brake.ver)
            yield self._put(stored, _version(change.brake.ver), change.brake.ver)

    def _put(self, stored: Item, condition: str = "", ver: int = 0) -> TransactWriteItemTypeDef:
        return {"Put": put_of(self._table, stored, condition, ver)}  # type: ignore[typeddict-item]  # plain

    def _write(self, record: SlotRecord, nonce: str, actions: list[TransactWriteItemTypeDef]) -> None:
        token = request_token(record.slot, record.ver, nonce)
        what = f"saving {record.slot} version {record.ver}"
        try:
            with changing(what):
                self._clients.dynamodb.transact_write_items(TransactItems=actions, ClientRequestToken=token)
        except LostRace as lost:
            if not (lost.may_be_ours and self._is_mine(record, nonce)):
                raise
        except ActionFailed as failed:
            if failed.outcome_known or not self._is_mine(record, nonce):
                raise MemoryUnreadable(str(failed)) from failed

    def _is_mine(self, record: SlotRecord, nonce: str) -> bool:
        """Return whether the stored version was written by this very call."""
        with reading(f"reading back {record.slot}", MemoryUnreadable):
            answer = self._clients.dynamodb.get_item(
                TableName=self._table, Key=key(CELL, slot_sk(record.slot)), ConsistentRead=True
            )
        return bool(top(answer.get("Item", {}), "nonce") == nonce)

    def note(self, row: JournalRow) -> None:
        """Add the result of one effect to its operation's journal; raises MemoryUnreadable."""
        try:
            with changing(f"noting {row.action}"):
                self._clients.dynamodb.put_item(TableName=self._table, Item=_journal_item(row))
        except (ActionFailed, LostRace) as failed:
            raise MemoryUnreadable(str(failed)) from failed

    def history(self, since: datetime, until: datetime) -> Sequence[HistoryRow]:
        """Return the history rows of a period, oldest first; raises MemoryUnreadable."""
        rows: list[HistoryRow] = []
        low, high = since.isoformat(), until.isoformat() + "~"
        with _understanding("reading the history"):
            for month in _months(since, until):
                stored = self._query(f"HISTORY#{month}", low, high)
                rows += [decode(HistoryRow, body(one)) for one in stored]
        return rows

    def ledger(self, since: datetime, until: datetime) -> Ledger:
        """Return what a period's records say, for `verify`; raises MemoryUnreadable."""
        history = self.history(since, until)
        names = {row.operation for row in history if row.operation}
        with _understanding("reading the ledger"):
            proofs = {str(top(one, "sk")): body(one) for one in self._query(PROOF)}
            parts = [one for name in sorted(names) for one in self._query(f"OP#{name}")]
            ended = [decode(Operation, body(part)) for part in parts if top(part, "sk") == "END"]
            fences = [decode(Evidence, one) for sk, one in proofs.items() if sk.startswith("FENCE#")]
            grants = [decode(Grant, one) for sk, one in proofs.items() if sk.startswith("GRANT#")]
            rows = [decode(JournalRow, body(part)) for part in parts if str(top(part, "sk")).startswith("J#")]
        open_now = {
            record.operation.id: record.operation
            for record in self.load().records.values()
            if record.operation
        }
        return Ledger(
            grants=grants,
            evidence={fence.instance: fence for fence in fences},
            history=history,
            operations=open_now | {one.id: one for one in ended},
            journal=rows,
        )


@contextmanager
def _understanding(what: str) -> Iterator[None]:
    """Turn AWS's errors and items that are not understood into MemoryUnreadable."""
    try:
        with reading(what, MemoryUnreadable):
            yield
    except Undecodable as problem:
        raise MemoryUnreadable(f"{what}: {problem}") from problem


def _version(ver: int) -> str:
    return "ver = :ver" if ver else FIRST


def _remembered(cell: Sequence[Item], hosts: Sequence[Item]) -> Remembered:
    records: dict[SlotName, SlotRecord] = {}
    newer: dict[SlotName, str] = {}
    mode, brake = ModeRecord(), Brake()
    for stored in cell:
        sk = str(top(stored, "sk"))
        try:
            if sk == "MODE":
                mode = decode(ModeRecord, body(stored))
            elif sk == "BRAKE":
                brake = decode(Brake, body(stored))
            elif sk.startswith("SLOT#"):
                record = slot_record(stored)
                records[record.slot] = record
        except Undecodable as problem:
            if not sk.startswith("SLOT#"):
                raise MemoryUnreadable(f"item {sk} is not understood: {problem}") from problem
            newer[SlotName(sk.removeprefix("SLOT#"))] = str(problem)
    return Remembered(mode, brake, records, newer, _reports(hosts), _requests(cell))


def _requests(cell: Sequence[Item]) -> tuple[Request, ...]:
    """A request that is not understood is left alone, and must not stop the loop."""
    found: list[Request] = []
    for stored in cell:
        if not str(top(stored, "sk")).startswith("REQ#"):
            continue
        try:
            found.append(decode(Request, body(stored)))
        except Undecodable as problem:
            LOG.warning("an operator's request is not understood and left alone: %s", problem)
    return tuple(found)


def _reports(hosts: Sequence[Item]) -> tuple[Report, ...]:
    """A report that is not understood counts as silence: its host gives no sign we can read."""
    found: list[Report] = []
    for stored in hosts:
        try:
            found.append(report_of(stored))
        except Undecodable:
            continue
    return tuple(found)


def _journal_item(row: JournalRow) -> Item:
    sk = f"J#{row.number:03d}#{row.sends:04d}{'#R' if row.outcome else ''}"
    return item(f"OP#{row.operation}", sk, encode(row))


def history_item(row: HistoryRow) -> Item:
    """Return the item of a history row; its key is time, slot, version and event.

    A pause of a slot counts versions of the mode, so without the event it could meet a row of the slot's own.
    """
    sk = f"{row.at.isoformat()}#{row.slot}#{row.ver:08d}#{row.event}"
    return item(f"HISTORY#{row.at:%Y-%m}", sk, encode(row))


def _months(since: datetime, until: datetime) -> list[str]:
    months, day = [], since.replace(day=1)
    while (day.year, day.month) <= (until.year, until.month):
        months.append(f"{day:%Y-%m}")
        day = (day + timedelta(days=32)).replace(day=1)
    return months
