"""The referee judges every commit of the controller against the world: S1, S2, S4, S9 and S10."""

from __future__ import annotations

from datetime import timedelta

import pytest

from picoha.adapters.aws.items import item, slot_item
from picoha.domain.codec import encode
from picoha.domain.model import EvidenceKind
from picoha.domain.record import Mode, Pause, Step, Verb
from picoha.drills.world import World
from picoha.fakeaws.scheduler import START
from unit.drills.referee.referee_rig import (
    by_hand,
    committed,
    enforced,
    evidence,
    gone,
    hosts_of,
    operation,
    record,
    world,
)


def two() -> tuple[World, str, str]:
    """A world in which the first host holds the slot at epoch 1."""
    found = world()
    first, second = (one.instance.id for one in hosts_of(found))
    by_hand(found, slot_item(record(1, first), "n"))
    return found, first, second


# S1, S2: grants.


def test_a_grant_after_its_predecessor_is_proven_off_is_well() -> None:
    found, first, second = two()
    gone(found, hosts_of(found)[0])
    committed(found, slot_item(record(2, second, epoch=2), "n"), evidence(first))
    assert found.referee.violations == []


def test_the_same_epoch_for_another_holder_is_seen() -> None:
    found, first, second = two()
    gone(found, hosts_of(found)[0])
    committed(found, slot_item(record(2, second, epoch=1), "n"), evidence(first))
    assert found.referee.violations == ["120 s: S1: ec1 epoch 1 was granted to " + second + " after epoch 1"]


def test_no_restored_table_makes_the_referee_forget_an_epoch() -> None:
    found, first, second = two()
    gone(found, hosts_of(found)[0])
    backup = found.table.snapshot()
    committed(found, slot_item(record(2, second, epoch=2), "n"), evidence(first))
    found.table.restore(backup)
    committed(found, slot_item(record(2, second, epoch=2), "n"), evidence(first))
    assert found.referee.violations == [f"120 s: S1: ec1 epoch 2 was granted to {second} after epoch 2"]


def test_a_grant_without_evidence_of_the_earlier_holder_is_seen() -> None:
    found, first, second = two()
    gone(found, hosts_of(found)[0])
    committed(found, slot_item(record(2, second, epoch=2), "n"))
    assert found.referee.violations == [
        f"120 s: S2: ec1 epoch 2 was granted while {first} had no evidence",
    ]


def test_a_grant_on_a_humans_word_is_seen_when_the_human_was_wrong() -> None:
    found, first, second = two()
    committed(found, slot_item(record(2, second, epoch=2), "n"), evidence(first, EvidenceKind.OPERATOR))
    assert found.referee.violations == [f"60 s: S2: ec1 epoch 2 was granted while {first} was up"]


def test_every_earlier_holder_is_asked_for_not_only_the_last() -> None:
    found = world(3)
    first, second, third = (one.instance.id for one in hosts_of(found))
    by_hand(found, slot_item(record(1, first), "n"))
    gone(found, hosts_of(found)[1])
    committed(found, slot_item(record(2, second, epoch=2), "n"), evidence(second))
    committed(found, slot_item(record(3, third, epoch=3), "n"))
    assert found.referee.violations == [
        f"120 s: S2: ec1 epoch 2 was granted while {first} had no evidence",
        f"120 s: S2: ec1 epoch 3 was granted while {first} had no evidence",
    ]


# S4: evidence.


@pytest.mark.parametrize("kind", [EvidenceKind.POWER, EvidenceKind.ACTIVITY])
def test_evidence_of_a_running_host_is_seen(kind: EvidenceKind) -> None:
    found, first, _ = two()
    committed(found, evidence(first, kind))
    assert found.referee.violations == [f"60 s: S4: evidence of {first} was written while it is running"]


def test_evidence_of_a_host_that_is_shutting_down_comes_too_early() -> None:
    found, first, _ = two()
    found.ec2.terminate(first, skip_os_shutdown=True)
    committed(found, evidence(first))
    assert found.referee.violations == [
        f"60 s: S4: evidence of {first} was written while it is shutting-down"
    ]


# S9: the wall.


@pytest.mark.parametrize("mode", [None, Mode.OBSERVE])
def test_an_admission_outside_enforce_is_seen(mode: Mode | None) -> None:
    found, first, _ = two()
    if mode:
        enforced(found, mode)
    committed(found, slot_item(record(2, first, op=operation(first)), "n"))
    assert found.referee.violations == ["60 s: S9: ec1-1-1 was admitted in observe"]


@pytest.mark.parametrize(
    ("key", "minutes", "verb", "by", "is_seen"),
    [
        ("ec1", 60, Verb.FAILOVER, "controller", True),
        ("*", 60, Verb.FAILOVER, "controller", True),
        ("*", 60, Verb.SWITCHOVER, "alice", True),
        ("*", 60, Verb.FIRST_GRANT, "controller", True),
        ("*", 60, Verb.FAILOVER, "alice", False),  # a named human forces it
        ("ec2", 60, Verb.FAILOVER, "controller", False),
        ("*", 0, Verb.FAILOVER, "controller", False),  # over
    ],
)
def test_an_admission_in_a_pause_is_seen(key: str, minutes: int, verb: Verb, by: str, is_seen: bool) -> None:
    found, first, _ = two()
    enforced(found, pauses={key: Pause("work", "alice", START, START + timedelta(minutes=minutes))})
    committed(found, slot_item(record(2, first, op=operation(first, verb=verb, by=by)), "n"))
    assert found.referee.violations == (["60 s: S9: ec1-1-1 was admitted in a pause"] if is_seen else [])


# S10: one open operation.


def test_an_operation_that_vanishes_before_its_end_is_seen() -> None:
    found, first, _ = two()
    by_hand(found, slot_item(record(2, first, op=operation(first)), "n"))
    committed(found, slot_item(record(3, first), "n"))
    assert found.referee.violations == ["60 s: S10: ec1 lost ec1-1-1, which is still fencing"]


def test_an_operation_in_place_of_an_open_one_is_seen() -> None:
    found, first, _ = two()
    enforced(found)
    by_hand(found, slot_item(record(2, first, op=operation(first)), "n"))
    committed(found, slot_item(record(3, first, op=operation(first, number=2)), "n"))
    assert found.referee.violations == ["60 s: S10: ec1 lost ec1-1-1, which is still fencing"]


def test_an_operation_that_ends_in_the_same_transaction_is_well() -> None:
    found, first, _ = two()
    by_hand(found, slot_item(record(2, first, op=operation(first)), "n"))
    ended = item("OP#ec1-1-1", "END", encode(operation(first, step=Step.ABORTED)))
    committed(found, slot_item(record(3, None), "n"), ended)
    assert found.referee.violations == []


def test_what_a_human_writes_by_hand_is_not_the_controllers() -> None:
    found, _, second = two()
    by_hand(found, slot_item(record(2, second), "n"))
    assert found.referee.violations == []
