"""The real decision code, asked once per distinct observation; its answers as numbered plans."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from builders import a_record
from model.flaws import flaw_of
from model.memory import OLD, VER, Plan, Shelf, aged, bits, canonical, canonical_brake, instance, number
from model.stage import Stage
from model.views import View, contradictions, views
from model.world import ACTIVE, NO_ADDRESS, PAUSED, RUNNING, SERVING, WARM, Machine, Setting, World
from picoha.domain.actions import TAKING, Action
from picoha.domain.decision import Change, Decision
from picoha.domain.judging import invariants
from picoha.domain.observation import Observation
from picoha.domain.policy import Policy
from picoha.domain.record import Brake, SlotRecord
from picoha.domain.rules import table

NO_LIMIT = 50


@dataclass(frozen=True)
class Layers:
    """What stands behind the rules. A mutant may switch any of it off."""

    invariants: bool = True
    versions: bool = True
    mode_pin: bool = True
    proofs: bool = True
    grant_key: bool = True
    start_gate: bool = True
    no_reassociation: bool = True


class Decider:
    """Everything that one exploration remembers about decisions."""

    def __init__(self, setting: Setting, layers: Layers) -> None:
        self.setting = setting
        self.layers = layers
        self.stage = Stage(setting.has_address)
        self.policy = _policy(setting)
        self.records: Shelf[SlotRecord] = Shelf(repr)
        self.brakes: Shelf[Brake] = Shelf(repr)
        self.actions: Shelf[Action] = Shelf()
        self.plans: Shelf[Plan] = Shelf(lambda plan: plan._replace(said="", rule=0))
        self.decisions = 0
        self.rules: set[int] = set()
        self._by_view: dict[View, tuple[int, ...]] = {}
        self._contradicted: set[tuple[object, ...]] = set()
        self._aged: dict[int, int] = {}

    def start(self) -> World:
        """Return the first state: machine 0 holds the slot, verified and well."""
        holder = instance(0)
        record = a_record(self.stage.slot, holder=holder, unfenced=(holder,), active_since=OLD)
        standby = Machine(RUNNING, WARM) if self.setting.is_warm else Machine()
        return World(
            machines=(Machine(RUNNING, SERVING, ACTIVE, 1), standby, Machine()),
            address=0 if self.setting.has_address else NO_ADDRESS,
            record=self.records.put(canonical(record)),
            brake=self.brakes.put(Brake(ver=VER)),
            mode=0,
            asked=0,
            owed=1,
            proven=0,
            condemned=0,
            top=1,
            left=self.setting.left,
        )

    def options(self, world: World) -> Iterator[int]:
        """Yield the plans that a worker which looks at this world now may come to."""
        record = self.records[world.record]
        found = dict.fromkeys(plan for view in views(world, record) for plan in self._decided(view))
        for view in contradictions(world, record):
            if self.setting.asks_again:
                found |= dict.fromkeys(self._decided(view))
                continue
            suspects = tuple(world.machines[number(one)].power for one in record.unfenced)
            key = (view._replace(shown=()), suspects)
            if key not in self._contradicted:
                self._contradicted.add(key)
                found |= dict.fromkeys(self._decided(view))
        yield from found

    def aged(self, record: int) -> int:
        """Return the record with its open step past every deadline, or -1."""
        if record not in self._aged:
            older = aged(self.records[record])
            self._aged[record] = self.records.put(older) if older else -1
        return self._aged[record]

    def _decided(self, view: View) -> tuple[int, ...]:
        found = self._by_view.get(view)
        if found is None:
            found = self._by_view[view] = tuple(self.plans.put(plan) for plan in self._decide(view))
        return found

    def _decide(self, view: View) -> Iterator[Plan]:
        """One pass of the loop: the slot, and, when that saves nothing, its held launches."""
        self.decisions += 1
        seen = self.stage.observation(view, self.records[view.record], self.brakes[view.brake])
        slot = self.stage.slot
        plan = self._plan(view, seen, table.decide_slot(seen, slot, self.policy))
        if plan is not None:
            yield plan
        if plan is None or plan.after == view.record:
            launches = table.decide_launches(seen, slot, self.policy)
            plans = (self._plan(view, seen, decision) for decision in launches)
            yield from (plan for plan in plans if plan is not None)

    def _plan(self, view: View, seen: Observation, decision: Decision) -> Plan | None:
        """Return what a worker would do; None for nothing but attention and messages."""
        before, change = self.records[view.record], decision.change
        self.rules.add(decision.rule)
        flaw = flaw_of(view, before, decision)
        if not flaw and self.layers.invariants:
            problem = invariants.broken(seen, self.stage.slot, decision)
            flaw = f"stopped by invariants.broken, {problem}" if problem else ""
        plan = Plan(
            said=f"rule {decision.rule}: {decision.sentence}",
            rule=decision.rule,
            actions=tuple(self.actions.put(action) for action in decision.actions),
            takes=any(isinstance(action, TAKING) for action in decision.actions),
            flaw=flaw,
            brake_limit=self.setting.brake,
        )
        if change is not None:
            plan = self._writing(plan, before, change)
        is_same = plan.after in (-1, view.record) and plan.brake < 0 and plan.mode < 0
        return None if is_same and not (plan.actions or plan.consumes or flaw) else plan

    def _writing(self, plan: Plan, before: SlotRecord, change: Change) -> Plan:
        op = change.record.operation
        opened = op if op and before.operation is None else None
        return plan._replace(
            after=self.records.put(canonical(change.record)),
            brake=self.brakes.put(canonical_brake(change.brake)) if change.brake else -1,
            mode=PAUSED if change.mode else -1,
            pins_mode=change.pins_mode or change.mode is not None,
            grant=number(change.grant) if change.grant else -1,
            epoch=change.record.epoch,
            evidence=tuple((number(proof.instance), proof.kind) for proof in change.evidence),
            proven=tuple(map(number, change.proven)),
            victims=bits(op.victims) if op else 0,
            consumes=change.consumes is not None,
            admits=f"{opened.by}'s {opened.verb} from {opened.step}" if opened else "",
        )


def _policy(setting: Setting) -> Policy:
    """Every time that only delays is nothing; deadlines pass by the event of ageing."""
    none = timedelta(0)
    return replace(
        Policy(),
        resend_after=none,
        cool_down=none,
        pause_observe=none,
        explained_for=none,
        restarts=0,
        bad_replacements=setting.retries,
        brake_slot=setting.brake,
        brake_hour=NO_LIMIT,
        brake_day=NO_LIMIT,
    )
