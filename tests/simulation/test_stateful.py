"""Anything in any order: Hypothesis plays host faults, sweeps, requests and lost handlers on the desk."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from picoha.adapters.desk.script import VERBS
from picoha.adapters.desk.story import Beat, Story
from picoha.app.verify import verify
from picoha.domain.model import SlotName
from picoha.entrypoints.drill import Desk

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


class BadDays(RuleBasedStateMachine):
    """The demo cell; what breaks a promise at any moment is a failure, whatever happened before."""

    @initialize()
    def settle(self) -> None:
        self.desk = Desk(Story(title="any order"), is_short=True)
        self.desk.stage.prepare()
        self.begin = self.desk.world.kernel.now

    def happen(self, do: str, **words: object) -> None:
        VERBS[do](self.desk.stage, Beat(s=0, do=do, **words))  # type: ignore[arg-type]  # the verb's own words

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
        record = self.desk.world.records()[SlotName(slot)]
        op = record.operation
        instance = op.victim if whom == "victim" and op else record.holder
        host = self.desk.world.hosts.get(instance or "")
        if whom == "newest" or host is None or host.is_up:
            return
        self.happen("ask", slot=slot, name="confirm-fenced", to=whom)

    @rule(to=st.sampled_from(("observe", "enforce")))
    def the_mode_changes(self, to: str) -> None:
        self.happen("mode", to=to)

    @rule()
    def handlers_die(self) -> None:
        self.happen("kill-handlers")

    @rule(for_s=st.integers(10, 120))
    def doorbells_are_lost(self, for_s: int) -> None:
        self.happen("deaf", for_s=for_s)

    @rule(seconds=st.integers(5, 300))
    def time_passes(self, seconds: int) -> None:
        self.desk.world.kernel.run_for(seconds)

    @invariant()
    def no_promise_is_broken(self) -> None:
        if not hasattr(self, "desk"):
            return
        now = self.desk.world.kernel.now
        assert self.desk.world.truth.violations == []
        assert verify(self.desk.ports.memory.ledger(self.begin, now), self.desk.settings.policy, now) == []

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            self.desk.world.kernel.close()


TestBadDays = BadDays.TestCase
IS_DEEP = settings.get_current_profile_name() == "deep"
TestBadDays.settings = settings(max_examples=160 if IS_DEEP else 20, stateful_step_count=12)
