"""Rule 217: a human names the holder, and never a second one beside a host that may run the picos."""

from __future__ import annotations

from dataclasses import replace
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
    a_slot,
    ago,
    an_address,
    an_observation,
    decided,
    holder_of,
    in_failover,
    written,
)
from picoha.domain.decision import Answer
from picoha.domain.model import InstanceState, Report, SlotName
from picoha.domain.observation import SlotObservation
from picoha.domain.policy import Policy
from picoha.domain.record import Phase, RequestVerb
from picoha.domain.rules.table import decide_slot
from unit.domain.asking import asked, change_of, is_refused

HOLDER, ADOPT = holder_of(EC1), RequestVerb.ADOPT


def test_adopt_goes_above_everything_any_agent_has_seen() -> None:
    observed = a_slot(EC1, reports={HOLDER: a_report(EC1, highest_epoch=8)})
    decision = decided(asked(observed, ADOPT, HOLDER))
    record = written(decision)
    assert (decision.rule, change_of(decision).grant) == (217, HOLDER)
    assert (record.epoch, record.holder, record.phase) == (9, HOLDER, Phase.ACTIVE)
    assert (record.unfenced, record.granted_at) == ((HOLDER,), NOW)


@pytest.mark.parametrize("state", [one for one in InstanceState if one is not InstanceState.RUNNING])
def test_adopt_needs_a_running_host_of_the_slot(state: InstanceState) -> None:
    record = a_record(EC1, unfenced=())
    observed = a_slot(EC1, hosts=(a_host(EC1, state=state),), record=record)
    assert is_refused(decided(asked(observed, ADOPT, HOLDER)), "running")
    assert is_refused(decided(asked(observed, ADOPT, "i-stranger")), "i-stranger is running")


def test_adopt_is_refused_while_another_grantee_has_no_evidence() -> None:
    observed = a_slot(EC1, hosts=(a_host(EC1), a_host(EC1, NEW)))
    assert is_refused(decided(asked(observed, ADOPT, NEW)), "i-ec1 held the slot and has no evidence")


def beside(other: Report, state: InstanceState | None = InstanceState.RUNNING) -> SlotObservation:
    """A slot whose record is lost; its host waits, and `other` is what a second host told last.

    In state None EC2 does not show that host.
    """
    waits = a_report(EC1, highest_epoch=0, picos={})
    second = (a_host(EC1, NEW, state=state),) if state else ()
    return a_slot(EC1, record=None, hosts=(a_host(EC1), *second), reports={HOLDER: waits, NEW: other})


GOING, STOPPED = InstanceState.SHUTTING_DOWN, InstanceState.STOPPED
HELD_4 = "it said that it has held epoch 4, above the record's 0"


@pytest.mark.parametrize(
    ("told", "state", "why"),
    [
        (
            {"highest_epoch": 4, "picos": {}},
            InstanceState.RUNNING,
            f"says i-new is running, and 5 s ago {HELD_4}",
        ),
        ({"highest_epoch": 4, "at": ago(9000)}, InstanceState.RUNNING, f"running, and 9000 s ago {HELD_4}"),
        ({"highest_epoch": 4, "at": ago(9000)}, STOPPED, f"says i-new is stopped, and 9000 s ago {HELD_4}"),
        ({"highest_epoch": 4, "at": ago(89)}, GOING, f"says i-new is shutting-down, and 89 s ago {HELD_4}"),
        ({"highest_epoch": 4, "at": ago(89)}, None, f"EC2 does not show i-new, and 89 s ago {HELD_4}"),
        ({"highest_epoch": 0}, InstanceState.RUNNING, "5 s ago it said that its picos run"),
        ({"highest_epoch": 0, "at": ago(599)}, InstanceState.RUNNING, "599 s ago it said that its picos run"),
        ({"highest_epoch": 0, "at": ago(89)}, GOING, "89 s ago it said that its picos run"),
    ],
)
def test_s2_adopt_is_refused_beside_a_host_that_may_run_the_picos(
    told: dict[str, Any], state: InstanceState | None, why: str
) -> None:
    observed = beside(a_report(EC1, NEW, **told), state)
    decision = decided(asked(observed, ADOPT, HOLDER))
    assert is_refused(decision, why)
    assert "it must be terminated first, or be the one that is adopted" in decision.sentence
    assert state is not InstanceState.RUNNING or written(decided(asked(observed, ADOPT, NEW))).holder == NEW


@pytest.mark.parametrize(
    "observed",
    [
        beside(a_report(EC1, NEW, highest_epoch=0, picos={})),
        beside(a_report(EC1, NEW, highest_epoch=0, at=ago(600))),
        beside(a_report(EC1, NEW, highest_epoch=4, at=ago(90)), GOING),
        beside(a_report(EC1, NEW, highest_epoch=4, at=ago(90)), None),
        beside(a_report(EC1, NEW, highest_epoch=4), InstanceState.TERMINATED),
        replace(beside(a_report(EC1, NEW, highest_epoch=4), None), departed=frozenset({NEW})),
    ],
    ids=[
        "it waits",
        "silent for ten minutes",
        "going and silent",
        "silent and not shown",
        "gone",
        "departed",
    ],
)
def test_adopt_goes_on_beside_a_host_that_runs_nothing_or_is_the_humans_to_judge(
    observed: SlotObservation,
) -> None:
    assert written(decided(asked(observed, ADOPT, HOLDER))).holder == HOLDER


def platforms(state: InstanceState = InstanceState.RUNNING, **address: Any) -> SlotObservation:
    """A Platform slot without record and without reports; its address is on the second of two hosts."""
    hosts = (a_host(PLATFORM), a_host(PLATFORM, NEW, state=state))
    moved = replace(an_address(PLATFORM, hosts[1]), **address)
    return a_slot(PLATFORM, record=None, hosts=hosts, reports={}, address=moved)


@pytest.mark.parametrize(
    ("observed", "reached_s", "refusal"),
    [
        (platforms(), 599, "i-new has the Platform's address, and ec1 connected to it 599 s ago"),
        (platforms(), 600, ""),
        (platforms(GOING), 89, "i-new has the Platform's address, and ec1 connected to it 89 s ago"),
        (platforms(GOING), 90, ""),
        (platforms(InstanceState.TERMINATED), 5, ""),
        (
            platforms(instance=None, interface="eni-x"),
            5,
            "interface eni-x has the Platform's address, and ec1",
        ),
        (platforms(association=None), 5, ""),
        (platforms(instance=holder_of(PLATFORM)), 5, ""),
    ],
)
def test_s2_adopt_is_refused_beside_the_platform_that_the_slots_connect_to(
    observed: SlotObservation, reached_s: float, refusal: str
) -> None:
    """The agent of the other host is silent or gone: the execution slots tell of its Platform."""
    witness = a_slot(EC1, reports={HOLDER: a_report(EC1, at=ago(reached_s))})
    asking = asked(observed, ADOPT, holder_of(PLATFORM))
    decision = decide_slot(
        an_observation(asking, witness, a_slot(EC2, reports={})), SlotName(PLATFORM), Policy()
    )
    assert is_refused(decision, refusal) if refusal else decision.answer is Answer.UPKEEP


def test_s2_adopt_writes_the_evidence_of_later_holders_that_the_record_forgot() -> None:
    """What EC2 proves is kept; a silent host that it does not prove off is no evidence."""
    for state, proven in ((InstanceState.TERMINATED, [NEW]), (GOING, [])):
        late = a_report(EC1, NEW, highest_epoch=4, at=ago(90))
        change = change_of(decided(asked(beside(late, state), ADOPT, HOLDER)))
        assert [proof.instance for proof in change.evidence] == proven
        assert change.record.epoch == 5


def test_adopt_is_refused_while_an_operation_is_open() -> None:
    observed = a_slot(EC1, record=in_failover(EC1))
    assert is_refused(decided(asked(observed, ADOPT, HOLDER)), "ec1-1-1 is open")


def test_adopt_ends_the_freeze_of_a_slot_whose_record_is_lost() -> None:
    observed = a_slot(EC1, record=None, reports={HOLDER: a_report(EC1, epoch=4, highest_epoch=4)})
    decision = decided(asked(observed, ADOPT, HOLDER))
    assert written(decision).epoch == 5
