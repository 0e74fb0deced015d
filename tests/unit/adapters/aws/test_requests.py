"""What the operator function writes, on fakeaws' table and on moto's: pinned, whole, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from botocore.exceptions import ReadTimeoutError

from picoha.adapters.aws.clients import Clients
from picoha.adapters.aws.items import CELL, item
from picoha.adapters.aws.requests import AwsRequests
from picoha.app.errors import ActionFailed, LostRace, MemoryUnreadable, SensorFailed
from picoha.domain.codec import encode
from picoha.domain.ledger import JournalRow
from picoha.domain.model import Sample, SlotName
from picoha.domain.record import HistoryRow, Mode, Step
from picoha.fakeaws.scheduler import START, AwsFault
from unit.adapters.aws.aws_rig import Account, Played, denied
from unit.adapters.aws.memory_rig import (
    BRAKE,
    MODE,
    OPERATION,
    REQUEST,
    TABLE,
    Side,
    brake_item,
    fakeaws_side,
    mode_item,
    moto_side,
)

ROW = HistoryRow(START, SlotName("*"), 4, 0, "mode", "ops sets the mode to observe: test", Mode.ENFORCE)
CELL_1 = SlotName("ec1")


@dataclass
class Drill:
    """One side of the table, and the shipped writer on it."""

    side: Side
    requests: AwsRequests


def requests_on(side: Side) -> AwsRequests:
    numbers = iter(range(100))
    return AwsRequests("demo", TABLE, side.memory._clients, lambda: f"change-{next(numbers)}")


@pytest.fixture(params=["fakeaws", "moto"])
def drill(request: pytest.FixtureRequest) -> Iterator[Drill]:
    if request.param == "fakeaws":
        side = fakeaws_side()
        yield Drill(side, requests_on(side))
        return
    for side in moto_side():
        yield Drill(side, requests_on(side))


def test_a_request_is_read_back_by_the_loop(drill: Drill) -> None:
    drill.requests.ask(REQUEST)
    assert drill.side.memory.load().requests == (REQUEST,)


def test_a_request_of_an_id_that_is_taken_is_refused(drill: Drill) -> None:
    drill.requests.ask(REQUEST)
    with pytest.raises(LostRace):
        drill.requests.ask(replace(REQUEST, reason="another one under the same id"))
    assert drill.side.memory.load().requests == (REQUEST,)


def test_a_mode_is_written_as_the_next_version_with_its_row(drill: Drill) -> None:
    drill.side.put(mode_item())
    drill.requests.save_mode(replace(MODE, mode=Mode.OBSERVE), ROW)
    loaded = drill.side.memory.load().mode
    assert (loaded.mode, loaded.ver) == (Mode.OBSERVE, MODE.ver + 1)
    assert list(drill.side.memory.history(START, START + timedelta(hours=1))) == [ROW]


def test_the_first_mode_of_a_cell_is_version_1(drill: Drill) -> None:
    drill.requests.save_mode(replace(MODE, ver=0), ROW)
    assert drill.side.memory.load().mode.ver == 1
    with pytest.raises(LostRace):
        drill.requests.save_mode(replace(MODE, ver=0), ROW)


def test_a_brake_is_pinned_to_the_version_that_was_read(drill: Drill) -> None:
    drill.side.put(brake_item())
    drill.requests.save_brake(replace(BRAKE, is_open=True), ROW)
    loaded = drill.side.memory.load().brake
    assert (loaded.is_open, loaded.ver) == (True, BRAKE.ver + 1)


Write = Callable[[AwsRequests], None]
WRITES: dict[str, Write] = {
    "mode": lambda to: to.save_mode(replace(MODE, mode=Mode.OBSERVE), ROW),
    "brake": lambda to: to.save_brake(replace(BRAKE, is_open=True), ROW),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_somebody_elses_newer_version_wins_and_nothing_is_written(drill: Drill, write: Write) -> None:
    drill.side.put(mode_item(replace(MODE, ver=9)), brake_item(replace(BRAKE, ver=9)))
    before = drill.side.everything()
    with pytest.raises(LostRace):
        write(drill.requests)
    assert drill.side.everything() == before


@pytest.mark.parametrize("write", [*WRITES.values(), lambda to: to.ask(REQUEST)], ids=[*WRITES, "ask"])
@pytest.mark.parametrize("is_after", [False, True], ids=["before the call", "after the call"])
def test_a_crash_leaves_all_of_a_change_or_nothing(write: Write, is_after: bool) -> None:
    side = fakeaws_side()
    side.put(mode_item(), brake_item())
    requests, before = requests_on(side), side.everything()
    assert side.gate is not None
    crash = ReadTimeoutError(endpoint_url="https://aws")
    (side.gate.lost if is_after else side.gate.refused)["TransactWriteItems"] = crash
    with pytest.raises(ActionFailed) as failed:
        write(requests)
    assert not failed.value.outcome_known
    changed = set(side.everything()) - set(before)
    is_ask = "REQ#r1" in {sk for sk, _ in changed}
    assert len(changed) == (0 if not is_after else 1 if is_ask else 2)


def test_a_refusal_of_aws_is_told_and_known_to_have_changed_nothing() -> None:
    side = fakeaws_side()
    assert side.gate is not None
    side.gate.refused["TransactWriteItems"] = denied("dynamodb:PutItem")
    with pytest.raises(ActionFailed, match="asking for switchover: UnauthorizedOperation") as failed:
        requests_on(side).ask(REQUEST)
    assert failed.value.outcome_known


def journal_item(row: JournalRow) -> tuple[str, str]:
    return f"OP#{row.operation}", f"J#{row.number:03d}#{row.sends:04d}"


def test_an_operation_is_read_with_its_journal(drill: Drill) -> None:
    row = JournalRow(OPERATION.id, 1, 1, "FenceHost i-old", START)
    ended = replace(OPERATION, step=Step.DONE)
    assert drill.requests.operation(OPERATION.id) == (None, [])
    drill.side.put(item(*journal_item(row), encode(row)))
    assert drill.requests.operation(OPERATION.id) == (None, [row])
    drill.side.put(item(f"OP#{OPERATION.id}", "END", encode(ended)))
    assert drill.requests.operation(OPERATION.id) == (ended, [row])


def test_an_operation_that_is_not_understood_is_unreadable(drill: Drill) -> None:
    drill.side.put(item(f"OP#{OPERATION.id}", "END", {"id": "x"}))
    with pytest.raises(MemoryUnreadable, match="reading operation ec1-2-1: "):
        drill.requests.operation(OPERATION.id)


def test_an_unreadable_table_is_told() -> None:
    side = fakeaws_side()
    assert side.gate is not None
    side.gate.refused["Query"] = AwsFault("ResourceNotFoundException", "no table")
    with pytest.raises(MemoryUnreadable, match="reading OP#x: ResourceNotFoundException"):
        requests_on(side).operation("x")


# The metric by the minute.


def test_the_worst_sample_of_each_minute_is_read_oldest_first() -> None:
    account = Account()
    for second, value in ((0, 1.0), (10, 0.0), (60, 1.0), (240, 1.0)):
        account.scheduler.run_for(second - account.scheduler.elapsed)
        account.put("Healthy", value, Cell="demo", Slot="ec1")
    account.put("Healthy", 0.0, Cell="other", Slot="ec1")
    account.scheduler.run_for(30)
    found = AwsRequests("demo", TABLE, account.clients).health(
        [CELL_1, SlotName("ec2")], START - timedelta(days=30), account.scheduler.now
    )
    minutes = {0: 0.0, 1: 1.0, 4: 1.0}
    assert found == {
        CELL_1: [Sample(START + timedelta(minutes=one), value) for one, value in minutes.items()],
        SlotName("ec2"): [],
    }


def test_no_slot_asks_nothing() -> None:
    account = Account()
    requests = AwsRequests("demo", TABLE, account.clients)
    assert requests.health([], START, START + timedelta(hours=1)) == {}
    assert account.gate.calls == []


def test_an_answer_without_its_points_is_not_taken_for_silence() -> None:
    from picoha.fakeaws.clients import fake_session

    answer = {"MetricDataResults": [{"Id": "m0", "StatusCode": "InternalError"}]}
    clients = Clients(fake_session({"cloudwatch": Played(GetMetricData=answer)}))
    with pytest.raises(SensorFailed, match="InternalError"):
        AwsRequests("demo", TABLE, clients).health([CELL_1], START, START + timedelta(hours=1))


def test_what_is_asked_for_stands_in_the_cells_partition(drill: Drill) -> None:
    drill.requests.ask(REQUEST)
    assert drill.side.get(CELL, "REQ#r1") is not None


def test_a_pause_and_a_decision_of_one_slot_at_one_instant_are_two_rows_of_history(drill: Drill) -> None:
    decided = HistoryRow(START, CELL_1, 3, 445, "admitted", "lost", Mode.ENFORCE)
    paused = replace(decided, rule=0, event="paused", sentence="maintenance")
    drill.side.put(mode_item())
    drill.requests.save_mode(drill.side.memory.load().mode, decided)
    drill.requests.save_mode(drill.side.memory.load().mode, paused)
    span = timedelta(hours=1)
    assert set(drill.side.memory.history(START - span, START + span)) == {decided, paused}


def test_a_row_of_history_is_never_written_over_another(drill: Drill) -> None:
    drill.side.put(mode_item())
    row = HistoryRow(START, CELL_1, 3, 445, "admitted", "lost", Mode.ENFORCE)
    drill.requests.save_mode(drill.side.memory.load().mode, row)
    before = drill.side.memory.load().mode
    with pytest.raises(LostRace):
        drill.requests.save_mode(before, replace(row, sentence="another"))
    assert drill.side.memory.load().mode == before
