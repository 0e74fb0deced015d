"""The rules in words, and why a slot is as it is."""

from __future__ import annotations

from dataclasses import replace

from builders import (
    EC1,
    PLATFORM,
    a_dependency,
    a_group,
    a_report,
    a_silent_slot,
    a_slot,
    a_spec,
    an_observation,
    in_failover,
    paused,
)
from picoha.domain.judging import gates
from picoha.domain.judging.gates import OPENS
from picoha.domain.model import SlotName, Unknown
from picoha.domain.policy import Policy
from picoha.domain.record import Mode, Step
from picoha.domain.rules.table import LAUNCH_RULES, SLOT_RULES
from picoha.domain.views.explain import Why, rules_markdown, why


def test_every_rule_of_both_tables_has_its_row_in_their_order() -> None:
    rows = [line.split("|")[1].strip() for line in rules_markdown().splitlines() if line.startswith("| ")]
    shown = [row for row in rows if row.isdigit()]
    numbers = [rule.number for rule in SLOT_RULES] + [rule.number for rule in LAUNCH_RULES]
    assert shown == [str(number) for number in numbers]
    assert "<lambda>" not in rules_markdown()


def closed(found: Why) -> dict[str, str]:
    return {gate.name: gate.sentence for gate in found.gates if not gate.is_open}


def test_why_names_the_rule_the_verdict_and_every_gate_with_value_and_limit() -> None:
    found = why(an_observation(a_silent_slot(EC1, 95, group=a_group(EC1, max_size=2))), EC1, Policy())
    assert (found.rule, found.answer) == (443, "hold")
    assert found.verdict == "i-ec1 is lost: silent for 95 s, an execution host"
    assert len(found.gates) == len(gates.TAKING) == len(OPENS)
    assert all(gate.value and gate.limit for gate in found.gates)
    assert closed(found) == {"shape": "group demo-ec1 is min/desired/max 1/1/2, not 1/1/1"}
    shape = next(gate for gate in found.gates if gate.name == "shape")
    assert (shape.value, shape.limit) == ("1/1/2", "1/1/1")
    assert shape.opens == "the group at min = desired = max = 1"


def test_an_open_gate_needs_nothing_to_open_it() -> None:
    found = why(an_observation(), EC1, Policy())
    assert closed(found) == {} and {gate.opens for gate in found.gates} == {""}
    assert found.missing == ""
    assert found.next_look == "at the next event, or within a minute by the schedule"


def test_why_judges_no_holder_while_an_operation_is_open() -> None:
    found = why(an_observation(a_slot(EC1, record=in_failover(EC1))), EC1, Policy())
    assert (found.rule, found.answer, found.verdict) == (307, "send", "")
    assert found.next_look == "in 3 s"


def test_why_shows_the_mode_that_keeps_a_slot_from_being_taken_from() -> None:
    found = why(an_observation(mode=Mode.OBSERVE), EC1, Policy())
    mode = next(gate for gate in found.gates if gate.name == "mode")
    assert (mode.is_open, mode.value, mode.limit) == (False, "observe, fenceable", "enforce, fenceable")
    assert "`picoha mode enforce`" in mode.opens


def test_why_shows_a_pause_until_when_and_what_ends_it() -> None:
    found = why(replace(an_observation(), mode=paused(600)), EC1, Policy())
    gate = next(one for one in found.gates if one.name == "pause")
    assert not gate.is_open and gate.value.startswith("until ") and "`picoha resume`" in gate.opens


def test_dependencies_are_named_with_what_is_known_of_each() -> None:
    spec = a_spec(EC1, depends_on=(a_dependency("rds:mz-db"), a_dependency("slot:sc1")))
    dependencies = {"rds:mz-db": True, "efs:fs-1": False, "alarm:x": Unknown("denied")}
    observed = a_slot(EC1, spec=spec, dependencies=dependencies)
    values = {gate.name: gate.value for gate in why(an_observation(observed), EC1, Policy()).gates}
    assert values["dependencies"] == "rds:mz-db up, efs:fs-1 down, alarm:x unknown"
    assert values["slot-order"] == "sc1"


def stuck(step: Step, **fields: object) -> Why:
    record = in_failover(EC1, Step.NEEDS_OPERATOR, stuck_in=step, **fields)
    return why(an_observation(a_slot(EC1, record=record)), EC1, Policy())


def test_a_stuck_operation_names_the_missing_fact_and_the_command() -> None:
    assert stuck(Step.FENCING).missing.startswith("evidence that i-ec1 is off (EC2 says running)")
    assert "`picoha confirm-fenced i-ec1`" in stuck(Step.FENCING).missing
    for step in (Step.AWAITING_HOST, Step.ADDRESSING, Step.RELEASING, Step.VERIFYING, Step.DRAINING):
        assert "`picoha retry ec1-" in stuck(step).missing, step


def test_sensors_come_with_their_age_and_the_platform_has_witnesses() -> None:
    witness = a_slot(EC1, reports={"i-ec1": a_report(EC1, reaches_platform=False)})
    seen = an_observation(a_slot(PLATFORM), witness)
    names = [sensor.name for sensor in why(seen, SlotName(PLATFORM), Policy()).sensors]
    assert names == [
        "report",
        "metric Healthy",
        "EC2",
        "group",
        "address",
        "witness ec1",
        "witness ec2",
        "controller Tick",
        "canary",
    ]
    found = {sensor.name: sensor for sensor in why(seen, SlotName(PLATFORM), Policy()).sensors}
    assert found["witness ec1"].says == "cannot connect"
    assert isinstance(found["report"].age_s, int)


def test_what_cannot_be_read_is_said() -> None:
    observed = a_slot(
        EC1, group=Unknown("throttled"), address=Unknown("denied"), metric=Unknown("late"), reports={}
    )
    says = {sensor.name: sensor.says for sensor in why(an_observation(observed), EC1, Policy()).sensors}
    assert says["group"] == "unreadable: throttled"
    assert says["address"] == "unreadable: denied"
    assert says["metric Healthy"] == "unreadable: late"
    assert says["report"] == "none from i-ec1"
