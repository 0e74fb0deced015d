"""The memory's conditional writes, on fakeaws' table and on moto's: all of a change, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from picoha.adapters.aws.items import CELL, Item, body, item, key, report_item, slot_item, top
from picoha.adapters.aws.memory import AwsMemory
from picoha.app.errors import LostRace, MemoryUnreadable
from picoha.app.ports import Remembered
from picoha.domain.codec import encode
from picoha.domain.decision import Change
from picoha.domain.ledger import JournalRow
from picoha.domain.model import AgentPhase, InstanceId, Report
from picoha.domain.record import Brake, Mode, ModeRecord, SlotRecord
from picoha.fakeaws.scheduler import START
from unit.adapters.aws.memory_rig import (
    ACTIVE,
    ADMITTED,
    BRAKE,
    EC1,
    GRANTED,
    HISTORY,
    MODE,
    NEW,
    OLD,
    REQUEST,
    TABLE,
    Side,
    brake_item,
    fakeaws_side,
    grant_item,
    mode_item,
    moto_side,
    settled,
    whole_change,
)

JOURNAL = (JournalRow("ec1-2-1", 1, 1, "FenceHost i-old", START),)


@pytest.fixture(params=["fakeaws", "moto"])
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    if request.param == "fakeaws":
        yield fakeaws_side()
    else:
        yield from moto_side()


# What is read.


def test_an_empty_table_is_a_cell_in_observe_with_nothing_known(side: Side) -> None:
    assert side.memory.load() == Remembered()


def test_what_was_written_is_read_back(side: Side) -> None:
    report = Report(NEW, EC1, "boot-1", START, AgentPhase.RUNNING, epoch=2)
    side.put(*settled(), report_item(report))
    assert side.memory.load() == Remembered(MODE, BRAKE, {EC1: ACTIVE}, {}, (report,), (REQUEST,))


def test_a_partition_of_many_pages_is_read_to_its_end(side: Side) -> None:
    reports = [
        Report(InstanceId(f"i-{number}"), EC1, "b", START, AgentPhase.RUNNING, problem="x" * 200_000)
        for number in range(12)
    ]
    side.put(*(report_item(report) for report in reports))
    assert len(side.memory.load().reports) == 12


def test_a_table_that_does_not_exist_is_unreadable(side: Side) -> None:
    away = AwsMemory("picoha-prod", side.memory._clients)
    with pytest.raises(MemoryUnreadable, match="reading table picoha-prod: ResourceNotFoundException"):
        away.load()


def test_a_slot_of_a_newer_schema_is_named_and_left_alone(side: Side) -> None:
    """safety S15: the others go on."""
    newer = item(CELL, "SLOT#ec2", {"slot": "ec2", "what": "ever"}, schema=2, ver=9)
    side.put(*settled(), newer)
    seen = side.memory.load()
    assert set(seen.records) == {EC1}
    assert seen.newer == {"ec2": "CELL/SLOT#ec2 has schema 2; this version understands up to 1"}
    assert side.get(CELL, "SLOT#ec2") == newer


def broken_slots() -> list[tuple[Item, str]]:
    good = slot_item(ACTIVE, "n")
    return [
        (good | {"schema": {"S": "1"}}, "CELL/SLOT#ec1 has no schema number"),
        ({name: one for name, one in good.items() if name != "body"}, "CELL/SLOT#ec1 has no body"),
        (item(CELL, "SLOT#ec1", {"ver": 1}), "SlotRecord.slot is missing"),
        (item(CELL, "SLOT#ec1", encode(ACTIVE) | {"phase": "lost"}), "SlotRecord.phase is 'lost'"),
        (good | {"ver": {"N": "99"}}, "SLOT#ec1: ver is 99 beside the body, 7 in it"),
        (good | key(CELL, "SLOT#ec9"), "SLOT#ec1: sk is SLOT#ec9 beside the body"),
    ]


@pytest.mark.parametrize("number", range(6))
def test_a_slot_that_is_not_understood_is_named_with_what_is_wrong(side: Side, number: int) -> None:
    stored, told = broken_slots()[number]
    side.put(mode_item(), stored)
    seen = side.memory.load()
    assert seen.records == {}
    [problem] = seen.newer.values()
    assert told in problem


@pytest.mark.parametrize("sk", ["MODE", "BRAKE"])
def test_a_mode_or_brake_that_is_not_understood_makes_everything_unreadable(side: Side, sk: str) -> None:
    side.put(*settled(), item(CELL, sk, {"mode": "enforce"}, schema=2, ver=4))
    with pytest.raises(MemoryUnreadable, match=f"item {sk} is not understood: CELL/{sk} has schema 2"):
        side.memory.load()


def test_a_mode_we_do_not_know_is_not_taken_for_observe(side: Side) -> None:
    side.put(item(CELL, "MODE", {"mode": "turbo", "ver": 4}, ver=4))
    with pytest.raises(MemoryUnreadable, match=r"ModeRecord\.mode is 'turbo'"):
        side.memory.load()


def test_a_report_that_is_not_understood_counts_as_silence(side: Side) -> None:
    side.put(
        *settled(), item("HOSTS", "ec1#i-1", {"instance": "i-1"}), item("HOSTS", "ec1#i-2", {}, schema=9)
    )
    assert side.memory.load().reports == ()


# What is written.


def test_a_whole_change_is_written_at_once(side: Side) -> None:
    side.put(*settled())
    side.memory.commit(whole_change(), MODE, HISTORY, JOURNAL)
    seen = side.memory.load()
    assert seen.records[EC1] == replace(GRANTED, ver=8)
    assert seen.brake == replace(BRAKE, ver=6, admitted={"ec1": (START + timedelta(seconds=1),)})
    assert (seen.requests, seen.mode) == ((), MODE)
    stored = {sk for sk, _ in side.everything()}
    assert stored == {
        "MODE",
        "BRAKE",
        "SLOT#ec1",
        "FENCE#i-old",
        "FENCE#i-third",
        "GRANT#ec1#00000003",
        "END",
        "J#001#0001",
        f"{START.isoformat()}#ec1#00000008#admitted",
    }
    grant = side.get("PROOF", "GRANT#ec1#00000003")
    assert grant and body(grant) == {"slot": "ec1", "epoch": 3, "holder": "i-new", "at": encode(START)}


def test_the_first_record_needs_no_item_and_the_first_mode_none(side: Side) -> None:
    side.memory.commit(Change(record=SlotRecord(slot=EC1), pins_mode=True), ModeRecord(), None)
    assert side.record() == SlotRecord(slot=EC1, ver=1)


def test_the_first_brake_is_written_where_none_is(side: Side) -> None:
    side.memory.commit(Change(record=SlotRecord(slot=EC1), brake=Brake(is_open=True)), ModeRecord(), None)
    assert side.memory.load().brake == Brake(ver=1, is_open=True)


def newer(stored: str) -> tuple[Item, ...]:
    """What somebody else wrote between our read and our write."""
    others: dict[str, tuple[Item, ...]] = {
        "record": (slot_item(replace(ACTIVE, ver=8), "other"),),
        "mode": (mode_item(replace(MODE, ver=4)),),
        "brake": (brake_item(replace(BRAKE, ver=6)),),
        "grant": (grant_item(),),
    }
    return others[stored]


@pytest.mark.parametrize("stored", ["record", "mode", "brake", "grant"])
def test_a_change_that_meets_a_newer_item_writes_nothing(side: Side, stored: str) -> None:
    side.put(*settled(), *newer(stored))
    before = side.everything()
    with pytest.raises(LostRace, match="saving ec1 version 8: TransactionCanceledException") as lost:
        side.memory.commit(whole_change(), MODE, HISTORY, JOURNAL)
    assert "ConditionalCheckFailed" in lost.value.reasons
    assert side.everything() == before


@pytest.mark.parametrize(("pk", "sk"), [("PROOF", "FENCE#i-old"), (CELL, "REQ#r1"), (CELL, "MODE")])
def test_a_change_that_misses_an_item_it_rests_on_writes_nothing(side: Side, pk: str, sk: str) -> None:
    side.put(*settled())
    side.client.delete_item(TableName=TABLE, Key=key(pk, sk))
    before = side.everything()
    with pytest.raises(LostRace):
        side.memory.commit(whole_change(), MODE, HISTORY, JOURNAL)
    assert side.everything() == before


@pytest.mark.parametrize("what", ["record", "mode", "brake"])
def test_a_first_write_is_refused_where_an_item_already_is(side: Side, what: str) -> None:
    """A lost read must not look like an empty table."""
    side.put(*settled())
    change = {
        "record": Change(record=SlotRecord(slot=EC1)),
        "mode": Change(record=ACTIVE, pins_mode=True),
        "brake": Change(record=ACTIVE, brake=Brake()),
    }[what]
    before = side.everything()
    with pytest.raises(LostRace):
        side.memory.commit(change, ModeRecord(), None)
    assert side.everything() == before


def test_a_change_that_pins_no_mode_survives_its_change(side: Side) -> None:
    side.put(*settled(), *newer("mode"))
    side.memory.commit(Change(record=ADMITTED), MODE, None)
    assert side.record() == replace(ADMITTED, ver=8)


def test_a_new_mode_is_written_over_the_one_that_was_read(side: Side) -> None:
    side.put(*settled())
    observing = replace(MODE, mode=Mode.OBSERVE)
    side.memory.commit(Change(record=ADMITTED, mode=observing, pins_mode=True), MODE, None)
    assert side.memory.load().mode == replace(observing, ver=4)


def test_a_new_mode_is_refused_where_somebody_else_wrote_one(side: Side) -> None:
    side.put(*settled(), *newer("mode"))
    before = side.everything()
    with pytest.raises(LostRace):
        side.memory.commit(Change(record=ADMITTED, mode=MODE), MODE, None)
    assert side.everything() == before


def test_of_two_writers_who_read_the_same_version_one_wins(side: Side) -> None:
    side.put(*settled())
    side.memory.commit(Change(record=ADMITTED), MODE, None)
    with pytest.raises(LostRace) as lost:
        side.memory.commit(Change(record=replace(ACTIVE, epoch=9)), MODE, None)
    assert not lost.value.may_be_ours
    assert side.record() == replace(ADMITTED, ver=8)


def test_the_writers_nonce_and_the_pinned_attributes_stand_beside_the_body(side: Side) -> None:
    side.put(*settled())
    side.memory.commit(Change(record=ADMITTED), MODE, None)
    stored = side.get(CELL, "SLOT#ec1")
    assert stored is not None
    beside = {name: top(stored, name) for name in ("ver", "epoch", "holder", "phase", "nonce", "schema")}
    assert beside == {
        "ver": 8,
        "epoch": 2,
        "holder": OLD,
        "phase": "in-failover",
        "nonce": "nonce-1",
        "schema": 1,
    }
