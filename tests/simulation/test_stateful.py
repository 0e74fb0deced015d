"""Anything in any order: Hypothesis plays host faults, sweeps, requests and lost handlers in a drill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from picoha.app.audit.promises import verify
from picoha.app.errors import MemoryUnreadable
from picoha.domain.model import SlotName
from picoha.domain.rules import table
from picoha.drills.drill import Drill
from picoha.drills.story import Beat, Story
from picoha.drills.verbs.table import VERBS
from simulation.runs import Length, settle, unsettled

SLOTS = st.sampled_from(("platform1", "ec1", "ec2"))
ACCIDENTS = st.sampled_from(
    (
        "die",
        "terminate",
        "stop",
        "unhealthy",
        "reboot",
        "agent-dies",
        "agent-returns",
        "hang-terminate",
        "release-terminate",
        "impair",
    )
)
CALLS = st.sampled_from(
    (
        "DescribeInstances",
        "DescribeAutoScalingGroups",
        "DescribeAddresses",
        "GetMetricData",
        "Query",
        "TransactWriteItems",
        "TerminateInstances",
        "AssociateAddress",
        "CompleteLifecycleAction",
    )
)
"""What AWS may throttle for a while; each is met by the reconciler on the way of a failover."""
STRANGER = "eni-0000000000000dead"
IS_DEEP = settings.get_current_profile_name() == "deep"
FEW = settings(max_examples=160 if IS_DEEP else 20, stateful_step_count=12)
COUNTED: Counter[str] = Counter()
"""Runs, steps, virtual seconds of settling."""


class BadDays(RuleBasedStateMachine):
    """The demo cell; what breaks a promise at any moment is a failure, whatever happened before.

    In the end nothing new goes wrong, and every slot must be served, or somebody told that it is not.
    """

    @initialize()
    def begin_well(self) -> None:
        self.drill = Drill(Story(title="any order"), is_short=True)
        self.drill.setup.prepare()
        self.begin = self.drill.world.scheduler.now
        self.is_sound = True
        COUNTED["runs"] += 1

    def happen(self, do: str, **words: object) -> None:
        COUNTED["steps"] += 1
        VERBS[do](self.drill.setup, Beat(s=0, do=do, **words))  # type: ignore[arg-type]  # the verb's own words

    @rule(do=ACCIDENTS, slot=SLOTS)
    def an_accident(self, do: str, slot: str) -> None:
        self.happen(do, slot=slot)

    @rule(slot=SLOTS, code=st.sampled_from((100, 99)))
    def a_pico_fails(self, slot: str, code: int) -> None:
        self.happen("pico-fails", slot=slot, pico="platform" if slot == "platform1" else slot, code=code)

    @rule(slot=SLOTS, name=st.sampled_from(("switchover", "failover", "retry", "abort")))
    def an_operator_asks(self, slot: str, name: str) -> None:
        self.happen("ask", slot=slot, name=name)

    @rule(slot=SLOTS, whom=st.sampled_from(("victim", "holder", "newest")))
    def an_operator_confirms(self, slot: str, whom: str) -> None:
        """A human who tells the truth: the host's machine is really down."""
        record = self.drill.world.records()[SlotName(slot)]
        op = record.operation
        instance = op.victim if whom == "victim" and op else record.holder
        host = self.drill.world.hosts.get(instance or "")
        if whom == "newest" or host is None or host.is_up:
            return
        self.happen("ask", slot=slot, name="confirm-fenced", to=whom)

    @rule(to=st.sampled_from(("observe", "enforce")))
    def the_mode_changes(self, to: str) -> None:
        self.happen("mode", to=to)

    @rule(slot=st.one_of(st.just(""), SLOTS), for_s=st.integers(30, 900))
    def a_pause_begins(self, slot: str, for_s: int) -> None:
        self.happen("pause", slot=slot, for_s=for_s)

    @rule(slot=st.one_of(st.just(""), SLOTS))
    def a_pause_is_ended(self, slot: str) -> None:
        self.happen("pause", slot=slot)

    @rule(call=CALLS, for_s=st.integers(5, 90))
    def aws_throttles(self, call: str, for_s: int) -> None:
        self.happen("throttle", name=call, for_s=for_s)

    @rule(to=st.sampled_from(("free", "", STRANGER)))
    def somebody_moves_the_address(self, to: str) -> None:
        """To nobody, back to the holder, or to an interface that is nobody's in this cell."""
        self.happen("address", slot="platform1", to=to)

    @rule()
    def handlers_die(self) -> None:
        self.happen("kill-handlers")

    @rule(for_s=st.integers(10, 120))
    def doorbells_are_lost(self, for_s: int) -> None:
        self.happen("deaf", for_s=for_s)

    @rule(seconds=st.integers(5, 300))
    def time_passes(self, seconds: int) -> None:
        COUNTED["steps"] += 1
        self.drill.world.scheduler.run_for(seconds)

    @invariant()
    def no_promise_is_broken(self) -> None:
        if not hasattr(self, "drill"):
            return
        now, was_sound = self.drill.world.scheduler.now, self.is_sound
        self.is_sound = False
        assert self.drill.world.referee.violations == []
        with suppress(MemoryUnreadable):  # throttled: the next reading is of everything since the beginning
            ledger = self.drill.ports.memory.ledger(self.begin, now)
            assert verify(ledger, self.drill.settings.policy, now) == []
        self.is_sound = was_sound

    def teardown(self) -> None:
        """L1 and L3: from here on everything works; a run that failed already is not judged again."""
        if not hasattr(self, "drill"):
            return
        try:
            if self.is_sound:
                COUNTED["settled_s"] += int(settle(self.drill, Length()))
                self.no_promise_is_broken()
                problems = list(unsettled(self.drill))
                assert problems == [], problems
        finally:
            self.drill.world.scheduler.close()


def test_no_order_of_events_breaks_a_promise(figure: Callable[[str], None]) -> None:
    COUNTED.clear()
    run_state_machine_as_test(BadDays, settings=FEW)
    hours = COUNTED["settled_s"] / 3600
    figure(f"{COUNTED['runs']} runs, {COUNTED['steps']} steps, then {hours:.1f} virtual hours to settle")


def test_a_controller_that_does_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tuple(rule for rule in table.SLOT_RULES if rule.number not in range(401, 446))
    monkeypatch.setattr(table, "SLOT_RULES", kept)
    idle = BadDays()
    idle.begin_well()
    idle.an_accident("die", "ec1")
    with pytest.raises(AssertionError, match="ec1 is lost and nobody was told"):
        idle.teardown()
