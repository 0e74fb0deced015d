"""Decisions exported from records (`picoha export-case`) are decided today as they were then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from picoha.app.snapshot import pack, unpack
from picoha.domain.codec import Undecodable, decode, encode
from picoha.domain.model import SlotName
from picoha.domain.observation import Observation
from picoha.domain.policy import Policy
from picoha.domain.rules.table import decide_slot

CASES = sorted((Path(__file__).parent / "golden" / "exported").glob("*.json"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_an_exported_decision_is_decided_as_it_was_recorded(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    seen = decode(Observation, case["snapshot"])
    decision = decide_slot(seen, SlotName(case["slot"]), Policy())
    assert decision.rule == case["rule"] == case["recorded_rule"]
    assert decision.answer.value == case["answer"]
    assert [str(action) for action in decision.actions] == case["actions"]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_snapshot_survives_packing(path: Path) -> None:
    seen = decode(Observation, json.loads(path.read_text(encoding="utf-8"))["snapshot"])
    assert encode(unpack(pack(seen))) == encode(seen)
    assert len(pack(seen)) < 4000


@pytest.mark.parametrize("text", ["", "no base85 \x00", "c$"])
def test_a_broken_snapshot_is_undecodable(text: str) -> None:
    with pytest.raises(Undecodable):
        unpack(text)
