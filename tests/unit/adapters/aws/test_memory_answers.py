"""The memory when answers are lost, and what it keeps for people: the journal and the history."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from picoha.adapters.aws.items import item, slot_item
from picoha.app.errors import LostRace, MemoryUnreadable
from picoha.domain.decision import Change
from picoha.domain.ledger import JournalRow
from picoha.domain.record import HistoryRow, Mode, Step
from picoha.fakeaws.scheduler import START, AwsFault
from unit.adapters.aws.aws_rig import Recorder, denied
from unit.adapters.aws.memory_rig import (
    ACTIVE,
    ADMITTED,
    EC1,
    HISTORY,
    MODE,
    NEW,
    OLD,
    OPERATION,
    Side,
    fakeaws_side,
    settled,
    whole_change,
)

UNANSWERED = ReadTimeoutError(endpoint_url="https://aws")


@pytest.fixture
def side() -> Side:
    found = fakeaws_side()
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


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_retry_that_is_refused_is_a_lost_race_only_if_the_version_is_not_ours(is_ours: bool) -> None:
    side = fakeaws_side(is_retried=True, is_refused_after_all=is_ours)
    side.put(*settled(), slot_item(replace(ACTIVE, ver=7 if is_ours else 8), "other"))
    change = Change(record=ADMITTED)
    if is_ours:
        side.memory.commit(change, MODE, None)
        assert side.record() == replace(ADMITTED, ver=8)
    else:
        with pytest.raises(LostRace) as lost:
            side.memory.commit(change, MODE, None)
        assert lost.value.may_be_ours
    assert len(gate_of(side).params("GetItem")) == 1


def test_a_first_refusal_is_believed_without_a_second_look(side: Side) -> None:
    with pytest.raises(LostRace):
        side.memory.commit(Change(record=replace(ADMITTED, ver=6)), MODE, None)
    assert gate_of(side).params("GetItem") == []


@pytest.mark.parametrize(
    "fault",
    [
        denied("dynamodb:PutItem"),
        AwsFault("ProvisionedThroughputExceededException", "slow down"),
        AwsFault("ValidationException", "wrong"),
    ],
)
def test_a_change_that_was_refused_for_another_reason_is_no_lost_race(side: Side, fault: AwsFault) -> None:
    gate_of(side).refused["TransactWriteItems"] = fault
    with pytest.raises(MemoryUnreadable, match=f"saving ec1 version 8: {fault.code}"):
        side.memory.commit(Change(record=ADMITTED), MODE, None)
    assert gate_of(side).params("GetItem") == []


def test_a_transaction_that_meets_another_one_is_a_lost_race(side: Side) -> None:
    reasons = {"CancellationReasons": [{"Code": "TransactionConflict"}, {"Code": "None"}]}
    gate_of(side).refused["TransactWriteItems"] = AwsFault("TransactionCanceledException", "", extra=reasons)
    with pytest.raises(LostRace) as lost:
        side.memory.commit(Change(record=ADMITTED), MODE, None)
    assert lost.value.reasons == ("TransactionConflict", "None")


def test_each_transaction_has_a_token_of_its_own_that_dynamodb_takes(side: Side) -> None:
    """AWS API reference, TransactWriteItems: ClientRequestToken has 1 to 36 characters."""
    side.memory.commit(Change(record=ADMITTED), MODE, None)
    side.memory.commit(Change(record=replace(ADMITTED, ver=8)), MODE, None)
    tokens = [param["ClientRequestToken"] for param in gate_of(side).params("TransactWriteItems")]
    assert len(set(tokens)) == 2
    assert all(1 <= len(token) <= 36 for token in tokens)


@pytest.mark.parametrize("error", [UNANSWERED, denied("dynamodb:Query")])
def test_a_read_without_an_answer_is_unreadable_never_empty(side: Side, error: Exception) -> None:
    gate_of(side).refused["Query"] = error
    with pytest.raises(MemoryUnreadable, match="reading table picoha-demo: "):
        side.memory.load()
    with pytest.raises(MemoryUnreadable, match="reading the history: "):
        side.memory.history(START, START)


def test_every_read_is_strongly_consistent(side: Side) -> None:
    side.memory.load()
    side.memory.history(START, START)
    assert all(param["ConsistentRead"] is True for param in gate_of(side).params("Query"))
    assert len(gate_of(side).params("Query")) == 3


# The journal.


def test_intents_and_results_stand_in_the_order_in_which_they_were_sent(side: Side) -> None:
    rows = [JournalRow("ec1-2-1", number, sends, "x", START) for number in (1, 2, 10) for sends in (1, 2, 11)]
    side.memory.commit(Change(record=ADMITTED), MODE, None, rows)
    for row in rows:
        side.memory.note(replace(row, outcome="accepted", request_id="r"))
    keys = [sk for sk, _ in side.everything() if sk.startswith("J#")]
    assert keys == [
        f"J#{number:03d}#{sends:04d}{end}"
        for number in (1, 2, 10)
        for sends in (1, 2, 11)
        for end in ("", "#R")
    ]


@pytest.mark.parametrize("error", [UNANSWERED, denied("dynamodb:PutItem")])
def test_a_result_that_cannot_be_noted_is_told(side: Side, error: Exception) -> None:
    gate_of(side).refused["PutItem"] = error
    with pytest.raises(MemoryUnreadable, match="noting FenceHost i-old: "):
        side.memory.note(JournalRow("ec1-2-1", 1, 1, "FenceHost i-old", START, "accepted"))


# The history.


def happened(at: datetime, ver: int) -> HistoryRow:
    return HistoryRow(at, EC1, ver, 999, "event", f"version {ver}", Mode.OBSERVE)


def test_history_is_read_over_months_oldest_first_and_only_as_asked(side: Side) -> None:
    ats = [
        datetime(2026, 9, 30, 23, 59, 59, 999000, tzinfo=UTC),
        datetime(2026, 10, 1, tzinfo=UTC),
        datetime(2026, 10, 31, 12, tzinfo=UTC),
        datetime(2026, 11, 30, 23, 59, 59, 500000, tzinfo=UTC),
        datetime(2026, 12, 1, tzinfo=UTC),
        datetime(2027, 1, 2, tzinfo=UTC),
    ]
    rows = [happened(at, number) for number, at in enumerate(ats, start=1)]
    for row in reversed(rows):
        side.memory.commit(Change(record=replace(ACTIVE, slot=EC1, ver=side.record().ver)), MODE, row)
    assert side.memory.history(ats[0], ats[-1]) == rows
    assert side.memory.history(ats[1], ats[3]) == rows[1:4]
    assert (
        side.memory.history(ats[1] + timedelta(milliseconds=1), ats[4] - timedelta(milliseconds=1))
        == (rows[2:4])
    )
    assert side.memory.history(ats[0] - timedelta(days=400), ats[0] - timedelta(seconds=1)) == []


def test_two_rows_of_one_instant_are_both_kept(side: Side) -> None:
    side.memory.commit(Change(record=ADMITTED), MODE, happened(START, 8))
    side.memory.commit(Change(record=replace(ADMITTED, ver=8)), MODE, happened(START, 9))
    assert [row.ver for row in side.memory.history(START, START)] == [8, 9]


def test_a_history_row_of_a_newer_schema_is_told_not_skipped(side: Side) -> None:
    side.put(item("HISTORY#2026-11", f"{START.isoformat()}#ec1#00000008", {"x": 1}, schema=2))
    with pytest.raises(MemoryUnreadable, match=r"reading the history: HISTORY#2026-11/.* has schema 2"):
        side.memory.history(START, START)


# The ledger.


def test_the_ledger_has_everything_that_a_change_wrote() -> None:
    side = fakeaws_side()
    side.put(*settled())
    opened = JournalRow("ec1-2-1", 1, 1, "FenceHost i-old", START)
    side.memory.commit(whole_change(), MODE, HISTORY, (opened,))
    side.memory.note(replace(opened, outcome="accepted"))
    ledger = side.memory.ledger(START, START)
    assert [(grant.slot, grant.epoch, grant.holder, grant.at) for grant in ledger.grants] == [
        (EC1, 3, NEW, START)
    ]
    assert set(ledger.evidence) == {OLD, "i-third"}
    assert list(ledger.history) == [HISTORY]
    assert ledger.operations == {"ec1-2-1": replace(OPERATION, step=Step.DONE)}
    assert list(ledger.journal) == [opened, replace(opened, outcome="accepted")]


def test_the_ledger_names_operations_that_are_still_open(side: Side) -> None:
    side.memory.commit(Change(record=ADMITTED), MODE, HISTORY)
    assert side.memory.ledger(START, START).operations == {"ec1-2-1": OPERATION}


@pytest.mark.parametrize("sk", ["FENCE#i-9", "GRANT#ec1#00000009"])
def test_a_proof_of_a_newer_schema_is_told_not_skipped(side: Side, sk: str) -> None:
    side.put(item("PROOF", sk, {}, schema=2))
    with pytest.raises(MemoryUnreadable, match=f"reading the ledger: PROOF/{sk} has schema 2"):
        side.memory.ledger(START, START)
