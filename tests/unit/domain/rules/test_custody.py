"""Rules 5xx: record, assign, adopt, first grant, mend; never a second holder."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import (
    EC1,
    NEW,
    NOW,
    PLATFORM,
    a_dependency,
    a_free_address,
    a_group,
    a_host,
    a_member,
    a_record,
    a_replaced_sight,
    a_report,
    a_situation,
    a_slot,
    a_spec,
    a_vacant_record,
    ago,
    an_address,
    an_assignment,
    an_observation,
    at,
    decided,
    holder_of,
    in_failover,
    operation_after,
    paused,
    saved,
    written,
)
from picoha.domain.actions import MoveAddress
from picoha.domain.decision import Answer
from picoha.domain.model import InstanceState
from picoha.domain.observation import SlotObservation
from picoha.domain.policy import Policy
from picoha.domain.record import Mode, Phase, SlotRecord, Step, Verb
from picoha.domain.rules.table import decide_slot

HOLDER = holder_of(EC1)


def vacant(slot: str = EC1, **fields: Any) -> SlotObservation:
    report = a_report(slot, epoch=0, highest_epoch=0)
    seen = {"record": a_vacant_record(slot), "reports": {report.instance: report}}
    return a_slot(slot, **{**seen, **fields})


def first_launch(**fields: Any) -> SlotObservation:
    group = a_group(EC1, a_member(HOLDER, "Pending:Wait"))
    return vacant(**{"reports": {}, "group": group, **fields})


def test_a_new_slot_is_recorded_with_gate_and_assignment_and_granted_to_nobody() -> None:
    decision = decided(vacant(record=None))
    assert decision.rule == 501
    expected = SlotRecord(slot=EC1, is_armed=True, assignment=an_assignment(EC1))
    assert written(decision) == expected


@pytest.mark.parametrize("mode", list(Mode))
def test_the_gate_follows_the_mode_pinned_to_it(mode: Mode) -> None:
    was_armed = mode is Mode.OBSERVE
    decision = decided(a_slot(EC1, record=a_record(EC1, is_armed=was_armed)), mode=mode)
    assert decision.rule == 117
    assert written(decision).is_armed is not was_armed
    assert decision.change is not None
    assert decision.change.pins_mode
    assert decided(a_slot(EC1, record=a_record(EC1, is_armed=not was_armed)), mode=mode).rule == 999


def test_the_gate_is_armed_before_a_loss_is_acted_on() -> None:
    hosts = (a_host(EC1, state=InstanceState.STOPPED),)
    assert decided(a_slot(EC1, hosts=hosts, record=a_record(EC1, is_armed=False))).rule == 117


def test_the_gate_does_not_move_while_an_operation_is_open() -> None:
    assert decided(a_slot(EC1, record=in_failover(EC1)), mode=Mode.OBSERVE).rule == 303


@pytest.mark.parametrize(
    "changes",
    [
        {"container": "EC_ONE"},
        {"picos": a_spec("ec2").picos},
        {"depends_on": (a_dependency("tcp:db:1521"),)},
        {"depends_on": (a_dependency("mount:/data"),)},
    ],
)
def test_changed_tags_become_the_assignment(changes: dict[str, Any]) -> None:
    spec = a_spec(EC1, **changes)
    decision = decided(a_slot(EC1, spec=spec, record=a_record(EC1)))
    assert (decision.rule, written(decision).assignment) == (507, an_assignment(EC1, spec))


def test_a_dependency_that_no_host_tests_changes_no_assignment() -> None:
    spec = a_spec(EC1, depends_on=(a_dependency("rds:mz-db"),))
    assert decided(a_slot(EC1, spec=spec, record=a_record(EC1))).rule == 999


def test_wrong_tags_are_no_assignment() -> None:
    observed = a_slot(EC1, spec=None, problem="tag picoha:kind", record=a_record(EC1))
    assert a_situation(observed).assignment is None
    assert decided(observed).rule == 109


def test_h18_a_hostname_changes_never_after_the_first_grant() -> None:
    spec = a_spec(EC1, hostname="ec1other")
    assert decided(a_slot(EC1, spec=spec, record=a_record(EC1))).rule == 505
    before = decided(vacant(spec=spec))
    assert before.rule == 507
    assert written(before).assignment == an_assignment(EC1, spec)


def test_an_execution_slot_is_told_the_platforms_address_and_keeps_the_last_known() -> None:
    moved = a_slot(PLATFORM, address=an_address(PLATFORM, public_ip="203.0.113.99"))
    told = written(decided(a_slot(EC1), moved)).assignment
    assert told == an_assignment(EC1, platform_address="203.0.113.99")
    assert decided(a_slot(EC1), a_slot(PLATFORM, address=None)).rule == 999


@pytest.mark.parametrize("fields", [{"problem": "tag picoha:picos"}, {"group": None}])
def test_a_misdeclared_or_retired_platform_does_not_spoil_the_others(fields: dict[str, Any]) -> None:
    decision = decided(a_slot(EC1), replace(a_slot(PLATFORM), spec=None, **fields))
    assert decision.change is None or written(decision).assignment == an_assignment(EC1)


def test_one_healthy_host_alone_is_adopted_as_epoch_1() -> None:
    decision = decided(vacant())
    record = written(decision)
    assert decision.rule == 513
    assert (record.epoch, record.holder, record.phase) == (1, HOLDER, Phase.ACTIVE)
    assert (record.unfenced, record.granted_at) == ((HOLDER,), NOW)
    assert decision.change is not None
    assert decision.change.grant == HOLDER
    assert decision.actions == ()


@pytest.mark.parametrize(
    "report",
    [
        {"at": ago(31)},
        {"picos": {}},
        {"failed_samples": 1},
    ],
)
def test_a_host_not_freshly_healthy_is_not_adopted(report: dict[str, Any]) -> None:
    told = a_report(EC1, epoch=0, highest_epoch=0, **report)
    assert decided(vacant(reports={HOLDER: told})).rule == 531


def test_an_adoption_waits_for_dependencies_and_for_the_platform() -> None:
    down = decided(vacant(dependencies={"rds:mz-db": False}))
    assert (down.rule, down.answer) == (513, Answer.HOLD)
    assert "rds:mz-db is down" in down.sentence
    before = decided(vacant(), a_slot(PLATFORM, record=a_vacant_record(PLATFORM)))
    assert (before.rule, before.answer) == (513, Answer.HOLD)


@pytest.mark.parametrize(("address", "rule"), [(an_address(), 513), (None, 513), (a_free_address(), 531)])
def test_the_slots_address_must_be_on_the_host_to_adopt(address: Any, rule: int) -> None:
    assert decided(vacant(PLATFORM, address=address)).rule == rule


def test_several_hosts_without_a_holder_are_an_alert() -> None:
    decision = decided(vacant(hosts=(a_host(EC1), a_host(EC1, "i-second"))))
    assert (decision.rule, decision.answer) == (511, Answer.ALERT)
    assert "i-ec1, i-second" in decision.sentence


def test_a_terminated_or_warm_host_does_not_contend() -> None:
    hosts = (a_host(EC1), a_host(EC1, "i-dead", state=InstanceState.TERMINATED), a_host(EC1, "i-warm"))
    group = a_group(EC1, a_member(HOLDER), a_member("i-warm", "Warmed:Running"))
    assert decided(vacant(hosts=hosts, group=group)).rule == 513


def test_nobody_is_adopted_over_a_grantee_without_evidence() -> None:
    record = a_record(EC1, phase=Phase.VACANT, holder=None, unfenced=("i-older",))
    decision = decided(vacant(record=record))
    assert decision.change is None or decision.change.grant is None


def test_in_observe_the_record_follows_auto_scalings_replacement() -> None:
    record = a_record(EC1, is_armed=False, unfenced=())
    report = a_report(EC1, NEW, epoch=0, highest_epoch=0)
    observed = a_replaced_sight(EC1, record, "InService", reports={NEW: report})
    decision = decided(observed, mode=Mode.OBSERVE)
    assert (decision.rule, written(decision).epoch, written(decision).holder) == (513, 2, NEW)


def test_in_enforce_an_active_slot_is_not_adopted_by_the_next_host() -> None:
    report = a_report(EC1, NEW, epoch=0, highest_epoch=0)
    observed = a_replaced_sight(EC1, a_record(EC1, unfenced=()), "InService", reports={NEW: report})
    assert decided(observed).rule == 401


def test_the_first_held_launch_opens_a_first_grant_that_counts_for_nothing() -> None:
    decision = decided(first_launch())
    op, change = operation_after(decision), decision.change
    assert (decision.rule, op.verb, op.step) == (515, Verb.FIRST_GRANT, Step.AWAITING_HOST)
    assert (op.victim, op.victims) == (None, ())
    assert change is not None
    assert change.brake is None


@pytest.mark.parametrize("lifecycle", ["InService", "Pending", "Warmed:Pending:Wait"])
def test_only_a_held_launch_is_a_first_launch(lifecycle: str) -> None:
    assert decided(first_launch(group=a_group(EC1, a_member(HOLDER, lifecycle)))).rule == 531


def test_a_first_grant_needs_an_armed_gate_and_one_host() -> None:
    unarmed = first_launch(record=a_vacant_record(EC1, is_armed=False))
    assert decided(unarmed, mode=Mode.OBSERVE).rule == 531
    two = first_launch(hosts=(a_host(EC1), a_host(EC1, "i-second")))
    assert decided(two).rule == 511


def test_a_first_grant_waits_for_dependencies_the_platform_and_a_pauses_end() -> None:
    assert decided(first_launch(dependencies={"rds:mz-db": False})).answer is Answer.HOLD
    assert decided(first_launch(), vacant(PLATFORM, reports={})).answer is Answer.HOLD
    seen = replace(an_observation(first_launch()), mode=paused(60))
    assert decide_slot(seen, EC1, Policy()).answer is Answer.HOLD


@pytest.mark.parametrize(
    ("state", "rule"), [("running", 521), ("pending", 521), ("stopping", 999), ("stopped", 999)]
)
def test_f38_a_second_living_host_is_paged_and_neither_is_stopped(state: str, rule: int) -> None:
    hosts = (a_host(EC1), a_host(EC1, "i-second", state=InstanceState(state)))
    decision = decided(a_slot(EC1, hosts=hosts))
    assert (decision.rule, decision.actions) == (rule, ())


def test_a_free_address_goes_back_to_its_holder() -> None:
    decision = decided(a_slot(PLATFORM, address=a_free_address()))
    assert decision.rule == 523
    assert isinstance(decision.actions[0], MoveAddress)
    assert decision.actions[0].instance == holder_of(PLATFORM)


def test_in_a_pause_a_free_address_stays_where_its_owner_put_it() -> None:
    seen = replace(an_observation(a_slot(PLATFORM, address=a_free_address())), mode=paused(60))
    decision = decide_slot(seen, PLATFORM, Policy())
    assert (decision.rule, decision.answer, decision.actions) == (523, Answer.WAIT, ())
    assert "paused by" in decision.sentence


def test_f35_an_address_on_somebody_else_is_never_taken() -> None:
    decision = decided(a_slot(PLATFORM, address=an_address(PLATFORM, a_host(PLATFORM, "i-third"))))
    assert (decision.rule, decision.answer, decision.actions) == (523, Answer.ALERT, ())
    nobody = an_address(PLATFORM, a_host(PLATFORM, "i-third"), instance=None)
    assert "eni-third" in decided(a_slot(PLATFORM, address=nobody)).sentence


def test_a_holder_without_an_interface_is_waited_for() -> None:
    observed = a_slot(PLATFORM, address=a_free_address(), hosts=(a_host(PLATFORM, interface=None),))
    assert decided(observed).answer is Answer.HOLD


def test_in_observe_an_address_is_left_alone() -> None:
    observed = a_slot(PLATFORM, address=a_free_address(), record=a_record(PLATFORM, is_armed=False))
    assert decided(observed, mode=Mode.OBSERVE).rule == 999


def test_a_mended_address_is_sent_again_only_after_15_s() -> None:
    seen = an_observation(a_slot(PLATFORM, address=a_free_address()))
    first = decide_slot(seen, PLATFORM, Policy())
    soon = at(saved(seen, PLATFORM, first.change), 3)
    assert decide_slot(soon, PLATFORM, Policy()).actions == ()


def test_a_vacant_slot_that_is_owed_evidence_is_not_called_well() -> None:
    record = a_record(EC1, phase=Phase.VACANT, holder=None)
    assert "well" not in decided(vacant(record=record)).sentence


@pytest.mark.parametrize(("seconds", "is_sent"), [(14.9, False), (15, True)])
def test_an_effect_outside_an_operation_is_sent_again_after_15_s(seconds: float, is_sent: bool) -> None:
    sent = {"MoveAddress eipalloc-platform1 eni-platform1": ago(seconds), "old": ago(900)}
    observed = a_slot(PLATFORM, address=a_free_address(), record=a_record(PLATFORM, sent=sent))
    decision = decided(observed)
    assert bool(decision.actions) is is_sent
    assert not is_sent or "old" not in written(decision).sent


@pytest.mark.parametrize(("mode", "rule"), [(Mode.OBSERVE, 513), (Mode.ENFORCE, 531)])
def test_a_pause_keeps_nothing_from_following_reality_in_observe(mode: Mode, rule: int) -> None:
    observed = vacant(record=a_vacant_record(EC1, is_armed=mode is Mode.ENFORCE))
    seen = replace(an_observation(observed), mode=paused(60, mode=mode))
    assert decide_slot(seen, EC1, Policy()).rule == rule
