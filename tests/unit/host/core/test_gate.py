"""The start gate as a table: what the record, the disk and the picos mean for a host."""

from __future__ import annotations

from dataclasses import replace

import pytest

from picoha.domain.model import InstanceId, SlotName
from picoha.domain.record import Phase
from picoha.host.core.gate import Entitlement, is_held, is_mine, may_start, stance, unlocked
from picoha.host.core.ports import SavedState
from unit.host.fakes import granted

ME = SavedState(SlotName("ec1"), InstanceId("i-1"), has_read=True)
MINE, THEIRS = granted(epoch=3), granted(holder="i-2", epoch=3)
NOBODYS = granted(holder=None, epoch=3, phase=Phase.VACANT)

# (what is kept, do picos run) -> stance
ROWS = {
    "never read": (replace(ME, has_read=False), True, Entitlement.CLOSED),
    "no record, nothing ever held": (replace(ME, is_missing=True), True, Entitlement.OPEN),
    "no record, an epoch was held": (replace(ME, is_missing=True, highest_epoch=3), True, Entitlement.BEHIND),
    "record vanished, nothing ever held": (
        replace(ME, is_missing=True, record=THEIRS),
        True,
        Entitlement.OPEN,
    ),
    "not armed, mine": (replace(ME, record=replace(MINE, is_armed=False)), True, Entitlement.OPEN),
    "not armed, theirs": (replace(ME, record=replace(THEIRS, is_armed=False)), True, Entitlement.OPEN),
    "mine": (replace(ME, record=MINE), False, Entitlement.MINE),
    "mine and active": (replace(ME, record=replace(MINE, phase=Phase.ACTIVE)), True, Entitlement.MINE),
    "mine in failover": (
        replace(ME, record=replace(MINE, phase=Phase.IN_FAILOVER)),
        True,
        Entitlement.WITHHELD,
    ),
    "older than my memory": (replace(ME, record=THEIRS, highest_epoch=4), True, Entitlement.BEHIND),
    "mine but older than my memory": (replace(ME, record=MINE, highest_epoch=4), True, Entitlement.BEHIND),
    "theirs, my picos run": (replace(ME, record=THEIRS), True, Entitlement.LOST),
    "theirs, I held it": (replace(ME, record=THEIRS, may_run=True, highest_epoch=2), False, Entitlement.LOST),
    "theirs, I am off": (replace(ME, record=THEIRS, highest_epoch=2), False, Entitlement.WAITING),
    "nobody's, my picos run": (replace(ME, record=NOBODYS), True, Entitlement.LOST),
    "never granted, my picos run": (replace(ME, record=replace(NOBODYS, epoch=0)), True, Entitlement.WAITING),
}


@pytest.mark.parametrize(("kept", "are_picos_up", "wanted"), ROWS.values(), ids=ROWS)
def test_stance(kept: SavedState, are_picos_up: bool, wanted: Entitlement) -> None:
    found, reason = stance(kept, are_picos_up)
    assert found is wanted
    assert bool(reason) is (
        wanted in (Entitlement.CLOSED, Entitlement.BEHIND, Entitlement.WITHHELD, Entitlement.LOST)
    )


def test_grant_is_held_only_for_its_epoch_and_boot() -> None:
    held = replace(ME, epoch=3, boot_id="boot-1")
    assert is_held(held, MINE, "boot-1")
    assert not is_held(held, MINE, "boot-2")
    assert not is_held(held, granted(epoch=4), "boot-1")


@pytest.mark.parametrize("phase", Phase)
def test_record_grants_only_to_its_holder_while_granted_or_active(phase: Phase) -> None:
    grants = phase in (Phase.GRANTED, Phase.ACTIVE)
    assert is_mine(replace(MINE, phase=phase), ME) is grants
    assert not is_mine(replace(THEIRS, phase=phase), ME)


@pytest.mark.parametrize(
    ("case", "is_fresh", "wanted"),
    [
        ("never read", False, True),
        ("no record, nothing ever held", True, False),
        ("no record, an epoch was held", True, True),
        ("not armed, mine", False, False),
        ("mine", False, True),
        ("mine", True, False),
        ("mine in failover", True, True),
        ("theirs, I am off", False, False),
        ("theirs, my picos run", True, False),
        ("older than my memory", False, False),
        ("nobody's, my picos run", True, True),
    ],
)
def test_broken_glass_replaces_a_missing_answer_and_overrules_none(
    case: str, is_fresh: bool, wanted: bool
) -> None:
    kept, are_picos_up, _ = ROWS[case]
    assert unlocked(stance(kept, are_picos_up)[0], kept, is_fresh) is wanted


def test_picos_start_by_a_grant_taken_in_this_boot_by_order_or_by_broken_glass() -> None:
    held = replace(ME, record=MINE, epoch=3, boot_id="boot-1")
    assert may_start(Entitlement.MINE, held, "boot-1", is_ordered=False)
    assert not may_start(Entitlement.MINE, held, "boot-2", is_ordered=False)
    assert not may_start(Entitlement.OPEN, held, "boot-1", is_ordered=False)
    assert may_start(Entitlement.OPEN, held, "boot-1", is_ordered=True)
    assert not may_start(Entitlement.WITHHELD, held, "boot-1", is_ordered=True)
    assert may_start(Entitlement.UNLOCKED, ME, "boot-1", is_ordered=False)
