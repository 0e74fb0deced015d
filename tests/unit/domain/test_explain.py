"""The rules in words, and why a slot is as it is."""

from __future__ import annotations

from builders import EC1, a_group, a_sight, a_silent_sight, an_observation, in_failover
from picoha.domain import gates
from picoha.domain.decide import LAUNCH_RULES, SLOT_RULES
from picoha.domain.explain import rules_markdown, why
from picoha.domain.policy import Policy
from picoha.domain.record import Mode


def test_every_rule_of_both_tables_has_its_row_in_their_order() -> None:
    rows = [line.split("|")[1].strip() for line in rules_markdown().splitlines() if line.startswith("| ")]
    shown = [row for row in rows if row.isdigit()]
    numbers = [rule.number for rule in SLOT_RULES] + [rule.number for rule in LAUNCH_RULES]
    assert shown == [str(number) for number in numbers]
    assert "<lambda>" not in rules_markdown()


def test_why_names_the_rule_the_verdict_and_every_gate_with_the_closed_ones_loud() -> None:
    lines = why(an_observation(a_silent_sight(EC1, 95, group=a_group(EC1, max_size=2))), EC1, Policy())
    assert lines[0].startswith("rule 443, hold: ")
    assert lines[1] == "holder i-ec1 is lost: silent for 95 s, an execution host"
    assert len(lines) == 2 + len(gates.TAKING)
    assert [line for line in lines if "CLOSED" in line] == [
        "gate shape is CLOSED: group demo-ec1 is min/desired/max 1/1/2, not 1/1/1"
    ]


def test_why_judges_no_holder_while_an_operation_is_open() -> None:
    lines = why(an_observation(a_sight(EC1, record=in_failover(EC1))), EC1, Policy())
    assert lines[0].startswith("rule 307, send: ")
    assert lines[1].startswith("gate mode is open")


def test_why_shows_the_mode_that_keeps_a_slot_from_being_taken_from() -> None:
    lines = why(an_observation(mode=Mode.OBSERVE), EC1, Policy())
    assert any(line.startswith("gate mode is CLOSED: the cell is in observe") for line in lines)
