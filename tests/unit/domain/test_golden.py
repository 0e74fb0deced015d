"""Golden decisions: what is seen in, the rule and its actions out; the cases are golden/*.toml."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from picoha.domain.decision import Decision
from picoha.domain.judging.invariants import broken
from picoha.domain.rules.table import decide_launches, decide_slot
from unit.domain.golden.cases import Golden, golden_cases

CASES = golden_cases()
VECTORS = {*range(1, 8), *range(21, 24), *range(25, 41), 42, 43}
"""The F vectors of domain.md 8.3 that `decide` answers; F8 to F20, F24 and F44 are the host's."""


def _operation(decision: Decision) -> Any:
    change = decision.change
    return (change.ended or change.record.operation) if change else None


def _told(decision: Decision) -> dict[str, Any]:
    change, op = decision.change, _operation(decision)
    return {
        "says": decision.sentence,
        "event": change.event if change else "",
        "step": op.step.value if op else "",
        "notice": change.notice.severity if change and change.notice else "",
        "wrote": [f"{proof.instance} {proof.kind}" for proof in change.evidence] if change else [],
    }


@pytest.mark.parametrize("golden", CASES, ids=lambda one: f"{one.theme}: {one.name}")
def test_golden_decision(golden: Golden) -> None:
    decision = decide_slot(golden.seen, golden.slot, golden.policy)
    answered = (decision.rule, decision.answer.value, tuple(map(str, decision.actions)))
    assert answered == (golden.rule, golden.answer, golden.actions), decision.sentence
    told = _told(decision)
    for key, expected in golden.expected.items():
        found = expected in told[key] if key == "says" else expected == told[key]
        assert found, f"{key}: {told[key]!r}"
    assert broken(golden.seen, golden.slot, decision) == ""


@pytest.mark.parametrize(
    "golden", [one for one in CASES if one.launches], ids=lambda one: f"{one.theme}: {one.name}"
)
def test_golden_launches(golden: Golden) -> None:
    launches = decide_launches(golden.seen, golden.slot, golden.policy)
    said = tuple(" ".join((str(launch.rule), *map(str, launch.actions))) for launch in launches)
    assert said == golden.launches
    assert [broken(golden.seen, golden.slot, launch) for launch in launches] == [""] * len(launches)


def test_there_are_at_least_150_cases_and_no_two_share_a_name(figure: Callable[[str], None]) -> None:
    names = Counter(one.name for one in CASES)
    launches = sum(len(one.launches) for one in CASES)
    figure(f"{len(CASES)} golden decisions about slots, {launches} about held launches")
    assert len(CASES) >= 150
    assert [name for name, count in names.items() if count > 1] == []


def test_every_f_vector_of_the_controller_has_a_case_of_its_name() -> None:
    named = {one.name.partition(" ")[0].rstrip("abcdefgh") for one in CASES}
    assert sorted(number for number in VECTORS if f"F{number}" not in named) == []
