"""One pass: what is saved, what is sent after it, and what a crash at any point leaves to be done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from picoha.adapters.aws.items import slot_item
from picoha.app.errors import InvariantBroken, MemoryUnreadable
from picoha.domain.actions import FenceHost, ReleaseLaunch
from picoha.domain.decision import Answer, Change, Decision, Rule
from picoha.domain.model import InstanceId, InstanceState, Member
from picoha.domain.record import Phase, Step
from picoha.domain.rules import table
from picoha.domain.situation import Situation
from unit.app.loop_ports import EC1, EC1_HOST, PLATFORM1, PLATFORM_HOST, Crash
from unit.app.loop_rig import Cell, fencing, refusal, settled

FENCE, HINT = ("fence", EC1_HOST, False), ("hint", EC1_HOST)


def raising(problem: BaseException) -> Callable[[], None]:
    def at_once() -> None:
        raise problem

    return at_once


def planted(monkeypatch: pytest.MonkeyPatch, then: Callable[[Situation], Decision]) -> None:
    """Put a wrong rule for ec1 before all others."""
    rule = Rule(1, "planted", lambda situation: situation.observed.name == EC1, then)
    monkeypatch.setattr(table, "SLOT_RULES", (rule, *table.SLOT_RULES))


# A quiet cell, and the order of slots.


def test_a_settled_cell_is_looked_at_and_left_as_it_is() -> None:
    cell = settled()
    before = cell.table.snapshot()
    lines = cell.run()
    assert [(line.slot, line.decision.rule, line.outcome) for line in lines] == [
        (PLATFORM1, 999, "steady"),
        (EC1, 999, "steady"),
    ]
    assert cell.table.snapshot() == before
    assert (cell.hands.orders, cell.voice.said) == ([], [])


def test_the_platform_is_decided_before_the_execution_slots() -> None:
    cell = settled()
    cell.eyes.machines = [replace(machine, state=InstanceState.TERMINATED) for machine in cell.eyes.machines]
    assert [one.slot for one in cell.run()] == [PLATFORM1, EC1]


# Intent first, then the act.


def test_an_admission_is_saved_before_anything_is_sent() -> None:
    cell = fencing()
    record = cell.record()
    assert (record.phase, record.operation and record.operation.step) == (Phase.IN_FAILOVER, Step.FENCING)
    assert cell.hands.orders == []
    assert cell.events()[-1] == "ec1: admitted"


def test_an_effect_is_sent_under_a_saved_intent_and_its_result_is_noted() -> None:
    cell = fencing()
    line = cell.line()
    assert (line.outcome, cell.hands.orders) == ("saved", [FENCE, HINT])
    sent = [
        (row.number, row.sends, row.action, row.outcome, row.request_id) for row in cell.journal("ec1-1-1")
    ]
    assert sent == [
        (1, 1, f"FenceHost {EC1_HOST}", "", ""),
        (1, 1, f"FenceHost {EC1_HOST}", "accepted", "request-1"),
        (2, 1, f"HintUnhealthy {EC1_HOST}", "", ""),
        (2, 1, f"HintUnhealthy {EC1_HOST}", "accepted", "request-2"),
    ]


def test_a_refused_effect_is_noted_and_changes_no_step() -> None:
    cell = fencing()
    cell.hands.fault = refusal()
    line = cell.line()
    assert [one.outcome for one in line.results] == ["refused: doing it: UnauthorizedOperation", "accepted"]
    [result] = [row for row in cell.journal("ec1-1-1") if row.number == 1 and row.outcome]
    assert (result.outcome, result.request_id) == ("refused: doing it: UnauthorizedOperation", "request-x")
    record = cell.record()
    assert record.operation is not None and record.operation.step is Step.FENCING


def test_a_result_that_cannot_be_noted_stops_nothing() -> None:
    cell = fencing()
    cell.memory.before_note = raising(MemoryUnreadable("denied"))
    assert cell.line().outcome == "saved"
    assert cell.hands.orders == [FENCE, HINT]
    assert [row.outcome for row in cell.journal("ec1-1-1")] == ["", ""]


def crashing_at(cell: Cell, point: str) -> None:
    """Let the process end once: when the order is sent, or when its result is noted."""
    if point == "send":
        cell.hands.fault = Crash()
    else:
        cell.memory.before_note = raising(Crash())
    with pytest.raises(Crash):
        cell.run()
    cell.memory.before_note = lambda: None


@pytest.mark.parametrize("point", ["send", "note"])
def test_a_crash_after_the_save_is_made_good_after_15_s_under_the_same_intent(point: str) -> None:
    cell = fencing()
    crashing_at(cell, point)
    cell.hands.orders.clear()
    cell.clock.elapsed += 14.9
    assert (cell.line().outcome, cell.hands.orders) == ("wait", [])
    cell.clock.elapsed += 0.1
    assert (cell.line().outcome, cell.hands.orders) == ("saved", [FENCE, HINT])
    intents = cell.record().operation.intents  # type: ignore[union-attr]  # the operation is open
    assert [(intent.number, intent.sends) for intent in intents.values()] == [(1, 2), (2, 2)]
    fences = [(row.number, row.sends, row.outcome) for row in cell.journal("ec1-1-1") if row.number == 1]
    assert fences == [(1, 1, ""), (1, 2, ""), (1, 2, "accepted")]


def test_a_crash_before_the_save_leaves_nothing_behind() -> None:
    cell = fencing()
    before = cell.table.snapshot()
    cell.memory.before_commit = raising(Crash())
    with pytest.raises(Crash):
        cell.run()
    assert cell.table.snapshot() == before
    assert cell.hands.orders == []


# Losing the race, and not knowing.


def test_who_loses_the_race_sends_nothing() -> None:
    cell = fencing()

    def other_saves_first() -> None:
        record = cell.record()
        cell.write(slot_item(replace(record, ver=record.ver + 1), "other"))

    cell.memory.before_commit = other_saves_first
    before = [row for row in cell.rows("CELL") if row[0] != "SLOT#ec1"]
    assert cell.line().outcome == "lost race"
    assert cell.hands.orders == []
    assert cell.journal("ec1-1-1") == []
    assert [row for row in cell.rows("CELL") if row[0] != "SLOT#ec1"] == before


def test_a_save_of_which_nobody_knows_sends_nothing() -> None:
    cell = fencing()
    cell.memory.before_commit = raising(MemoryUnreadable("no answer"))
    assert cell.line().outcome == "unsure"
    assert cell.hands.orders == []


def test_a_table_that_cannot_be_read_holds_everything() -> None:
    cell = fencing()
    cell.memory.before_load = raising(MemoryUnreadable("denied"))
    assert {(one.decision.rule, one.outcome) for one in cell.run()} == {(101, "hold")}
    assert cell.hands.orders == []


def test_a_table_that_cannot_be_read_is_said_for_the_cell_where_no_slot_is_known() -> None:
    cell = fencing()
    cell.memory.before_load = raising(MemoryUnreadable("denied"))
    cell.eyes.failing |= {"groups", "hosts"}
    [line] = cell.run()
    assert (line.slot, line.decision.rule, line.outcome) == ("*", 101, "hold")
    assert "denied" in line.decision.sentence


# What must never be ordered.


def bystander(situation: Situation) -> Decision:
    """Order the Platform's host to be fenced, in ec1's name."""
    change = Change(record=situation.record, event="wrong")
    return Decision(Answer.SEND, "wrong", actions=(FenceHost(PLATFORM_HOST),), change=change)


def second_grant(situation: Situation) -> Decision:
    record = replace(situation.record, epoch=situation.record.epoch + 1, holder=InstanceId("i-new"))
    return Decision(Answer.STEP, "wrong", change=Change(record=record, grant=InstanceId("i-new")))


@pytest.mark.parametrize(("then", "told"), [(bystander, "S6"), (second_grant, "S2")])
def test_a_forbidden_decision_raises_and_nothing_is_written_or_sent(
    then: Callable[[Situation], Decision], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = settled()
    before = cell.table.snapshot()
    planted(monkeypatch, then)
    with pytest.raises(InvariantBroken, match=f"slot ec1, rule 1: {told}: "):
        cell.run()
    assert cell.table.snapshot() == before
    assert (cell.hands.orders, cell.voice.said) == ([], [])


# The outbox.


def test_a_message_is_saved_with_its_transition_and_published_in_a_later_pass() -> None:
    cell = fencing()
    assert cell.voice.said == []
    [waiting] = cell.record().outbox
    assert waiting.text.startswith("ENFORCE demo/ec1: failover ec1-1-1 is admitted (")
    cell.run()
    assert cell.voice.said == []  # this pass saved something; the next one is about an older version
    cell.run()
    assert cell.voice.said == [waiting]
    assert cell.record().outbox == ()
    cell.run()
    assert cell.voice.said == [waiting]


def test_a_crash_between_publishing_and_saving_publishes_twice_never_not_at_all() -> None:
    cell = fencing()
    cell.run()
    cell.memory.before_commit = raising(Crash())
    with pytest.raises(Crash):
        cell.run()
    cell.memory.before_commit = lambda: None
    assert len(cell.voice.said) == 1
    cell.run()
    assert [one.id for one in cell.voice.said] == [cell.voice.said[0].id] * 2
    assert cell.record().outbox == ()


@pytest.mark.parametrize("is_published", [False, True])
def test_a_message_that_could_not_be_sent_or_crossed_off_is_kept(is_published: bool) -> None:
    cell = fencing()
    cell.run()
    if is_published:
        cell.memory.before_commit = raising(MemoryUnreadable("no answer"))
    else:
        cell.voice.fault = refusal("Throttling")
    lines = cell.run()
    assert [line.outcome for line in lines if line.slot == EC1] == ["wait"]
    assert len(cell.record().outbox) == 1


# History and held launches.


def test_history_names_rule_evidence_and_operation_of_every_event() -> None:
    cell = fencing()
    row = cell.memory.history(cell.clock.now(), cell.clock.now())[-1]
    assert (row.slot, row.rule, row.event, row.operation) == (EC1, 445, "admitted", "ec1-1-1")
    assert row.ver == cell.record().ver
    assert "EC2 reports it impaired" in row.evidence
    cell.run()
    assert cell.events()[-1] == "ec1: admitted"  # sending an effect is a journal row, no event
    cell.eyes.machines[0] = replace(cell.eyes.machines[0], state=InstanceState.TERMINATED)
    cell.run()
    proof = cell.memory.history(cell.clock.now(), cell.clock.now())[-1]
    assert (proof.event, proof.evidence) == ("proven-off", f"{EC1_HOST} power: EC2 says terminated")


def with_held_launches(cell: Cell, *instances: str) -> None:
    slot = cell.eyes.slots[0]
    members = (*slot.group.members, *(Member(InstanceId(instance), "Pending:Wait") for instance in instances))
    cell.eyes.slots[0] = replace(slot, group=replace(slot.group, members=members))


def test_held_launches_are_noted_one_a_pass_for_each_write_makes_a_new_version() -> None:
    cell = settled()
    with_held_launches(cell, "i-a", "i-b")
    assert [one.decision.rule for one in cell.run() if one.slot == EC1] == [999, 601]
    assert set(cell.record().held) == {"i-a"}
    cell.run()
    assert set(cell.record().held) == {"i-a", "i-b"}


def test_no_launch_is_decided_in_a_pass_that_saved_or_lost_the_slot() -> None:
    cell = fencing()
    with_held_launches(cell, "i-a")
    assert [one.decision.rule for one in cell.run() if one.slot == EC1] == [307]
    cell.memory.before_commit = raising(MemoryUnreadable("no answer"))
    cell.clock.elapsed += 15
    assert [one.decision.rule for one in cell.run() if one.slot == EC1] == [307]


def test_a_release_outside_any_operation_is_saved_before_it_is_sent() -> None:
    cell = settled()
    slot = cell.eyes.slots[0]
    assert slot.spec is not None
    cell.eyes.slots[0] = replace(slot, spec=replace(slot.spec, fenceable=False))
    with_held_launches(cell, "i-a")
    sent = [line for _ in range(4) for line in cell.run() if line.decision.actions]
    assert {line.outcome for line in sent} == {"saved"}
    assert {line.decision.actions for line in sent} == {(ReleaseLaunch("demo-ec1", InstanceId("i-a")),)}
    assert {result.outcome for line in sent for result in line.results} == {"accepted"}
    assert set(cell.hands.orders) == {("release", "demo-ec1", "i-a")}
