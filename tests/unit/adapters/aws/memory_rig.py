"""What the tests of Memory share: the table on either side, its memory, and records to save."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import boto3
from moto import mock_aws

from picoha.adapters.aws.clients import Clients
from picoha.adapters.aws.items import CELL, Item, item, key, slot_item
from picoha.adapters.aws.memory import AwsMemory
from picoha.domain.codec import encode
from picoha.domain.decision import Change
from picoha.domain.model import Evidence, EvidenceKind, InstanceId, SlotName
from picoha.domain.record import (
    Brake,
    HistoryRow,
    Mode,
    ModeRecord,
    Operation,
    Phase,
    Request,
    RequestVerb,
    SlotRecord,
    Step,
    Verb,
)
from picoha.fakeaws.clients import REGION, Answer, Service, fake_session
from picoha.fakeaws.dynamodb.api import Tables
from picoha.fakeaws.scheduler import START, AwsFault, Scheduler
from unit.adapters.aws.aws_rig import Recorder

TABLE = "picoha-demo"
EC1 = SlotName("ec1")
OLD, NEW = InstanceId("i-old"), InstanceId("i-new")
MODE = ModeRecord(ver=3, mode=Mode.ENFORCE)
BRAKE = Brake(ver=5)
ACTIVE = SlotRecord(slot=EC1, ver=7, epoch=2, holder=OLD, phase=Phase.ACTIVE, unfenced=(OLD,))
OPERATION = Operation(
    id="ec1-2-1",
    verb=Verb.FAILOVER,
    step=Step.FENCING,
    opened_at=START,
    step_at=START,
    rule=445,
    reason="lost",
    from_epoch=2,
    victim=OLD,
    victims=(OLD,),
)
REQUEST = Request("r1", RequestVerb.SWITCHOVER, EC1, "ops", "patching", START)
FENCE = Evidence(OLD, EC1, EvidenceKind.POWER, START, "EC2 says terminated")
ADMITTED = replace(ACTIVE, phase=Phase.IN_FAILOVER, operation=OPERATION)
GRANTED = replace(ACTIVE, epoch=3, holder=NEW, phase=Phase.GRANTED, unfenced=(NEW,), granted_at=START)
HISTORY = HistoryRow(START, EC1, 8, 445, "admitted", "lost", Mode.ENFORCE, "ec1-2-1")


@dataclass
class Side:
    """A table, the shipped memory on it, and clients past it; `gate` is None on moto."""

    memory: AwsMemory
    client: Any
    gate: Recorder | None

    def put(self, *stored: Item) -> None:
        """Store items past the memory."""
        for one in stored:
            self.client.put_item(TableName=TABLE, Item=one)

    def get(self, pk: str, sk: str) -> Item | None:
        """Return one item, or None."""
        found: Item | None = self.client.get_item(TableName=TABLE, Key=key(pk, sk)).get("Item")
        return found

    def everything(self) -> list[tuple[str, str]]:
        """Return every item of the partitions used here, as text."""
        found = []
        for pk in (CELL, "PROOF", "OP#ec1-2-1", "HISTORY#2026-11"):
            answer = self.client.query(
                TableName=TABLE,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": pk}},
            )
            found += [(one["sk"]["S"], repr(sorted(one.items()))) for one in answer["Items"]]
        return found

    def record(self) -> SlotRecord:
        """Return the stored record of ec1, as the memory reads it."""
        return self.memory.load().records[EC1]


def _nonces() -> Callable[[], str]:
    numbers = iter(range(1, 1000))
    return lambda: f"nonce-{next(numbers)}"


class Retried(Recorder):
    """Lets a refused call look as botocore tells it after a retry."""

    def after(self, service: str, operation: str, params: dict[str, Any], answer: Answer) -> None:
        if "Error" in answer:
            answer["ResponseMetadata"]["RetryAttempts"] = 1
        super().after(service, operation, params, answer)


class RefusedAfterAll:
    """The table of which a transaction's repetition meets the first attempt's own success."""

    def __init__(self, tables: Tables) -> None:
        self.operations = {**tables.operations, "TransactWriteItems": self._transact}
        self._play = tables.operations["TransactWriteItems"]

    def _transact(self, params: dict[str, Any]) -> Answer:
        self._play(params)
        extra = {"CancellationReasons": [{"Code": "ConditionalCheckFailed"}]}
        raise AwsFault("TransactionCanceledException", "Transaction cancelled", extra=extra)


def fakeaws_side(is_retried: bool = False, is_refused_after_all: bool = False) -> Side:
    """Return fakeaws' table; its gate can lose answers."""
    tables, gate = Tables(Scheduler()), Retried() if is_retried else Recorder()
    tables.create(TABLE)
    service: Service = RefusedAfterAll(tables) if is_refused_after_all else tables
    clients = Clients(fake_session({"dynamodb": service}, gate))
    past: Any = fake_session({"dynamodb": tables}).client("dynamodb")
    return Side(AwsMemory(TABLE, clients, _nonces()), past, gate)


def moto_side() -> Iterator[Side]:
    """Yield moto's DynamoDB, inside its patch."""
    with mock_aws():
        session = boto3.Session("test", "test", region_name=REGION)
        client: Any = session.client("dynamodb")
        client.create_table(
            TableName=TABLE,
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        yield Side(AwsMemory(TABLE, Clients(session), _nonces()), client, None)


def mode_item(mode: ModeRecord = MODE, schema: int = 1) -> Item:
    """Return the item MODE, as the operator writes it."""
    return item(CELL, "MODE", encode(mode), schema, ver=mode.ver)


def brake_item(brake: Brake = BRAKE) -> Item:
    """Return the item BRAKE."""
    return item(CELL, "BRAKE", encode(brake), ver=brake.ver)


def fence_item(instance: str = OLD) -> Item:
    """Return the proof that an instance is off."""
    return item("PROOF", f"FENCE#{instance}", encode(FENCE))


def request_item() -> Item:
    """Return an operator's request."""
    return item(CELL, "REQ#r1", encode(REQUEST))


def grant_item() -> Item:
    """Return the row of ec1's epoch 3, as some other grant of it left it."""
    return item("PROOF", "GRANT#ec1#00000003", {"slot": "ec1", "epoch": 3, "holder": "i-third"})


def settled() -> tuple[Item, ...]:
    """Return what the table holds before every change below."""
    return mode_item(), brake_item(), slot_item(ACTIVE, "before"), fence_item(), request_item()


def whole_change() -> Change:
    """Return a change that writes and pins everything a change can."""
    return Change(
        record=GRANTED,
        evidence=(replace(FENCE, instance=InstanceId("i-third")),),
        grant=NEW,
        proven=(OLD,),
        brake=replace(BRAKE, admitted={"ec1": (START + timedelta(seconds=1),)}),
        pins_mode=True,
        ended=replace(OPERATION, step=Step.DONE),
        consumes="r1",
        event="granted",
    )
