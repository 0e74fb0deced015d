"""The memory when answers are lost, and what it keeps for people: the journal and the history."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from picoha.adapters.aws.items import CELL, item, slot_item
from picoha.adapters.aws.memory import AwsMemory
from picoha.adapters.desk.kernel import START, DeskFault
from picoha.app.errors import LostRace, MemoryUnreadable
from picoha.app.ports import JournalRow
from picoha.domain.decision import Change
from picoha.domain.record import HistoryRow, Mode
from unit.adapters.aws.aws_rig import Recorder, denied
from unit.adapters.aws.memory_rig import (
    ACTIVE,
    ADMITTED,
    EC1,
    MODE,
    TABLE,
    Side,
    desk_side,
    settled,
    whole_change,
)

UNANSWERED = ReadTimeoutError(endpoint_url="https://aws")
RETRIED_REFUSAL = {"RetryAttempts": 1}


@pytest.fixture
def side() -> Side:
    found = desk_side()
    found.put(*settled())
    return found


def gate_of(side: Side) -> Recorder:
    assert side.gate is not None
    return side.gate


# Lost answers of a change.


def test_a_change_whose_answer_was_lost_is_known_by_its_nonce(side: Side) -> None:
    gate_of(side).lost["TransactWriteItems"] = UNANSWERED
    side.memory.commit(whole_change(), MODE, None)
    assert side.record().ver == 8
    [reread] = gate_of(side).params("GetItem")
    assert reread["ConsistentRead"] is True


def test_a_change_that_never_arrived_is_unsure_and_nothing_is_written(side: Side) -> None:
    gate_of(side).refused["TransactWriteItems"] = UNANSWERED
    before = side.everything()
    with pytest.raises(MemoryUnreadable, match="saving ec1 version 8: ReadTimeoutError"):
        side.memory.commit(whole_change(), MODE, None)
    assert side.everything() == before


def test_a_lost_answer_is_not_mistaken_when_somebody_else_wrote_the_same_version(side: Side) -> None:
    side.put(slot_item(replace(ACTIVE, ver=8), "other"))
    gate_of(side).refused["TransactWriteItems"] = UNANSWERED
    with pytest.raises(MemoryUnreadable, match="whether it happened is not known"):
        side.memory.commit(Change(record=ADMITTED), MODE, None)


def test_a_lost_answer_that_cannot_be_read_back_is_unsure(side: Side) -> None:
    gate_of(side).lost["TransactWriteItems"] = UNANSWERED
    gate_of(side).refused["GetItem"] = ConnectTimeoutError(endpoint_url="https://aws")
    with pytest.raises(MemoryUnreadable, match="reading back ec1: ConnectTimeoutError"):
        side.memory.commit(whole_change(), MODE, None)


class Retried(Recorder):
    """Answers the one transaction as boto3 does when its retry met the first attempt's success."""

    def after(self, service: str, operation: str, params: dict[str, Any], answer: Any) -> None:
        if operation == "TransactWriteItems":
            refusal = {"Code": "TransactionCanceledException", "Message": "no"}
            answer |= {"Error": refusal, "CancellationReasons": [{"Code": "ConditionalCheckFailed"}]}
            answer["ResponseMetadata"] |= {"RetryAttempts": 1, "HTTPStatusCode": 400}


def retried_side(side: Side) -> AwsMemory:
    """Return a memory on the same table whose transactions are refused after a retry."""
    gate = Retried()
    wire = side.memory._clients.dynamodb.meta.events
    assert wire is not None
    from picoha.adapters.aws.clients import Clients
    from picoha.adapters.desk.wire import desk_session

    class Past:
        operations = {
            name: lambda params, name=name: _without_metadata(getattr(side.client, _method(name))(**params))
            for name in ("GetItem", "TransactWriteItems")
        }

    return AwsMemory(TABLE, Clients(desk_session({"dynamodb": Past()}, gate)), lambda: "mine")
