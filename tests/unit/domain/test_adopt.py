"""Rule 217: a human names the holder, and never a second one beside a host that may run the picos."""

from __future__ import annotations

from typing import Any

import pytest

from builders import (
    EC1,
    EC2,
    NEW,
    NOW,
    PLATFORM,
    a_host,
    a_record,
    a_report,
    a_sight,
    ago,
    an_address,
    an_observation,
    decided,
    holder_of,
    in_failover,
    written,
)
from picoha.domain.case import SlotSight
from picoha.domain.decide import decide_slot
from picoha.domain.decision import Answer
from picoha.domain.model import InstanceState, Report, SlotName
from picoha.domain.policy import Policy
from picoha.domain.record import Phase, RequestVerb
from unit.domain.asking import asked, change_of, is_refused

HOLDER, ADOPT = holder_of(EC1), RequestVerb.ADOPT


def test_adopt_goes_above_everything_any_agent_has_seen() -> None:
    sight = a_sight(EC1, reports={HOLDER: a_report(EC1, highest_epoch=8)})
    decision = decided(asked(sight, ADOPT, HOLDER))
    record = written(decision)
    assert (decision.rule, change_of(decision).grant) == (217, HOLDER)
    assert (record.epoch, record.holder, record.phase) == (9, HOLDER, Phase.ACTIVE)
    assert (record.unfenced, record.granted_at) == ((HOLDER,), NOW)


@pytest.mark.parametrize("state", [one for one in InstanceState if one is not InstanceState.RUNNING])
def test_adopt_needs_a_running_host_of_the_slot(state: InstanceState) -> None:
    record = a_record(EC1, unfenced=())
    sight = a_sight(EC1, hosts=(a_host(EC1, state=state),), record=record)
    assert is_refused(decided(asked(sight, ADOPT, HOLDER)), "running")
    assert is_refused(decided(asked(sight, ADOPT, "i-stranger")), "i-stranger is running")


def test_adopt_is_refused_while_another_grantee_has_no_evidence() -> None:
    sight = a_sight(EC1, hosts=(a_host(EC1), a_host(EC1, NEW)))
    assert is_refused(decided(asked(sight, ADOPT, NEW)), "i-ec1 held the slot and has no evidence")


def beside(other: Report, state: InstanceState = InstanceState.RUNNING) -> SlotSight:
    """A slot whose record is lost; its host waits, and `other` is what a second host told last."""
    waits = a_report(EC1, highest_epoch=0, picos={})
    hosts = (a_host(EC1), a_host(EC1, NEW, state=state))
    return a_sight(EC1, record=None, hosts=hosts, reports={HOLDER: waits, NEW: other})


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"highest_epoch": 4, "picos": {}}, "5 s ago i-new said that it has held epoch 4, above"),
        ({"highest_epoch": 0}, "5 s ago i-new said that its picos run"),
        ({"highest_epoch": 0, "at": ago(599)}, "599 s ago i-new said"),
    ],
)
def test_s2_adopt_is_refused_beside_a_host_that_may_run_the_picos(told: dict[str, Any], why: str) -> None:
    sight = beside(a_report(EC1, NEW, **told))
    decision = decided(asked(sight, ADOPT, HOLDER))
    assert is_refused(decision, why)
    assert "terminate it by id first, or adopt it" in decision.sentence
    assert written(decided(asked(sight, ADOPT, NEW))).holder == NEW


@pytest.mark.parametrize(
    "sight",
    [
        beside(a_report(EC1, NEW, highest_epoch=0, picos={})),
        beside(a_report(EC1, NEW, highest_epoch=4, at=ago(600))),
        beside(a_report(EC1, NEW, highest_epoch=4), InstanceState.SHUTTING_DOWN),
        beside(a_report(EC1, NEW, highest_epoch=4), InstanceState.TERMINATED),
    ],
    ids=["it waits", "silent for ten minutes", "going", "gone"],
)
def test_adopt_goes_on_beside_a_host_that_runs_nothing_or_is_the_humans_to_judge(sight: SlotSight) -> None:
    assert written(decided(asked(sight, ADOPT, HOLDER))).holder == HOLDER


@pytest.mark.parametrize(("has_address", "is_refusal"), [(NEW, True), (holder_of(PLATFORM), False)])
def test_s2_adopt_is_refused_beside_the_platform_that_the_slots_connect_to(
    has_address: str, is_refusal: bool
) -> None:
    """The agent of the other host is silent or gone: the execution slots tell of its Platform."""
    hosts = (a_host(PLATFORM), a_host(PLATFORM, NEW))
    address = an_address(PLATFORM, a_host(PLATFORM, has_address))
    sight = a_sight(PLATFORM, record=None, hosts=hosts, reports={}, address=address)
    decision = decided(asked(sight, ADOPT, holder_of(PLATFORM)))
    why = "i-new has the Platform's address, and ec1 connected to it 5 s ago"
    assert is_refused(decision, why) is is_refusal
    late = a_sight(EC1, reports={HOLDER: a_report(EC1, at=ago(600))})
    alone = an_observation(asked(sight, ADOPT, holder_of(PLATFORM)), late, a_sight(EC2, reports={}))
    assert decide_slot(alone, SlotName(PLATFORM), Policy()).answer is Answer.UPKEEP


def test_s2_adopt_writes_the_evidence_of_later_holders_that_the_record_forgot() -> None:
    """What EC2 proves is kept; a silent host that it does not prove off is no evidence."""
    for state, proven in ((InstanceState.TERMINATED, [NEW]), (InstanceState.SHUTTING_DOWN, [])):
        change = change_of(decided(asked(beside(a_report(EC1, NEW, highest_epoch=4), state), ADOPT, HOLDER)))
        assert [one.instance for one in change.evidence] == proven
        assert change.record.epoch == 5


def test_adopt_is_refused_while_an_operation_is_open() -> None:
    sight = a_sight(EC1, record=in_failover(EC1))
    assert is_refused(decided(asked(sight, ADOPT, HOLDER)), "ec1-1-1 is open")


def test_adopt_ends_the_freeze_of_a_slot_whose_record_is_lost() -> None:
    sight = a_sight(EC1, record=None, reports={HOLDER: a_report(EC1, epoch=4, highest_epoch=4)})
    decision = decided(asked(sight, ADOPT, HOLDER))
    assert written(decision).epoch == 5
