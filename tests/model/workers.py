"""What one of the two workers does next: look and decide, commit, send, crash."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from model.decider import Decider
from model.flaws import broken_by
from model.memory import Plan, number
from model.world import (
    FREE,
    HELD,
    HUNG,
    OUT,
    RUNNING,
    SERVING,
    TERMINATED,
    Step,
    World,
    end_launch,
    shut,
    spend,
)
from picoha.domain.actions import (
    AbandonLaunch,
    FenceHost,
    FreeAddress,
    HintUnhealthy,
    MoveAddress,
    ReleaseLaunch,
)

Stage = tuple[int, tuple[int, ...]]
"""Where a worker is: about to commit a plan, or (plan -1) about to send these calls, in order."""
IDLE: Stage = (-1, ())


class Turn(NamedTuple):
    """One step of a worker: what is after it, what it overtook, and a call left in flight (or -1)."""

    step: Step
    stage: Stage = IDLE
    overtakes_slot: bool = False
    overtakes_mode: bool = False
    in_flight: int = -1


class Workers:
    """The steps of the workers under one decider."""

    def __init__(self, decider: Decider) -> None:
        self._decider = decider
        self._layers = decider.layers

    def turns(self, world: World, stage: Stage) -> Iterator[Turn]:
        """Yield every step of a worker in this stage."""
        plan, calls = stage
        if stage == IDLE:
            yield from self._look(world)
            return
        yield Turn(Step("worker: crashes, or sleeps for ever", world))
        if plan >= 0:
            yield self._commit(world, self._decider.plans[plan])
        else:
            yield from self._send(world, calls)

    def is_overtaken(self, stage: Stage, by_slot: bool) -> bool:
        """True for a worker that can only lose its race once the slot (or the mode) has changed."""
        if stage[0] < 0:
            return False
        if by_slot:
            return self._layers.versions
        return self._layers.mode_pin and self._decider.plans[stage[0]].pins_mode

    def is_idle_now(self, world: World, stage: Stage) -> bool:
        """True for a worker whose calls can never have an effect any more."""
        return stage[0] < 0 and all(self.is_spent(world, call) for call in stage[1])

    def is_spent(self, world: World, call: int) -> bool:
        """True for a call that names a machine which is gone for good."""
        action = self._decider.actions[call]
        machine = world.machines[number(action.instance)]
        return machine.power == TERMINATED and machine.place == OUT

    def _look(self, world: World) -> Iterator[Turn]:
        for option in self._decider.options(world):
            plan = self._decider.plans[option]
            broke = "" if plan.commits else plan.flaw
            stage = (option, ()) if plan.commits else (-1, plan.actions)
            yield Turn(Step(f"worker: looks; {plan.said}", world, broke), stage)

    def _commit(self, world: World, plan: Plan) -> Turn:
        refused = self._refusal(world, plan)
        if refused:
            return Turn(Step(f"worker: is refused, {refused}", world))
        decider = self._decider
        before, after = decider.records[world.record], decider.records[plan.after]
        broke = plan.flaw or broken_by(world, plan, before, after, decider.brakes[world.brake])
        off = sum(1 << n for n, _ in plan.evidence)
        granted = 1 << plan.grant if plan.grant >= 0 else 0
        written = world._replace(
            record=plan.after,
            brake=plan.brake if plan.brake >= 0 else world.brake,
            mode=world.mode | plan.mode if plan.mode >= 0 else world.mode,
            asked=0 if plan.consumes else world.asked,
            owed=world.owed & ~off | granted,
            proven=world.proven | off,
            condemned=world.condemned | plan.victims,
            top=max(world.top, plan.epoch) if granted else world.top,
        )
        step = Step(f"worker: commits rule {plan.rule}", written, broke)
        return Turn(step, (-1, plan.actions), overtakes_slot=True, overtakes_mode=plan.mode >= 0)

    def _refusal(self, world: World, plan: Plan) -> str:
        """Return the condition of the transaction that fails; versions are judged by is_overtaken."""
        if plan.consumes and not world.asked:
            return "the request is gone"
        if self._layers.proofs and any(not world.proven >> n & 1 for n in plan.proven):
            return "a FENCE row is missing"
        if self._layers.grant_key and plan.grant >= 0 and plan.epoch <= world.top:
            return "the epoch has its GRANT row"
        return ""

    def _send(self, world: World, calls: tuple[int, ...]) -> Iterator[Turn]:
        call = calls[0]
        rest: Stage = (-1, calls[1:])
        yield Turn(self.effect(world, call, "worker: sends"), rest)
        action = self._decider.actions[call]
        if world.left.delays:
            late = Step(f"worker: sends {action}, no answer", spend(world, "delays"))
            yield Turn(late, rest, in_flight=call)
        if rest != IDLE:
            yield Turn(Step(f"worker: sends {action}, refused", world), rest)

    def effect(self, world: World, call: int, how: str) -> Step:
        """What a call does at the moment it lands."""
        action = self._decider.actions[call]
        said = f"{how} {action}"
        match action:
            case FenceHost() | HintUnhealthy():
                return _end_host(world, action, said)
            case FreeAddress():
                return _free(world, number(action.instance), said)
            case MoveAddress():
                return self._move(world, number(action.instance), said)
            case ReleaseLaunch():
                return Step(said, end_launch(world, number(action.instance), is_released=True))
            case AbandonLaunch():
                return _abandon(world, number(action.instance), said)
            case _:
                return Step(said, world)

    def _move(self, world: World, n: int, said: str) -> Step:
        if world.machines[n].power != RUNNING or world.address == n:
            return Step(said, world)
        if world.address != FREE and self._layers.no_reassociation:
            return Step(f"{said}, refused: it is associated", world)
        is_stolen = world.address != FREE and not world.proven >> world.address & 1
        broke = f"S5: the address is taken from {world.address}, which has no evidence" if is_stolen else ""
        return Step(said, world._replace(address=n), broke)


def _end_host(world: World, action: FenceHost | HintUnhealthy, said: str) -> Step:
    n = number(action.instance)
    broke = "" if world.condemned >> n & 1 else f"S6: {action} meets a bystander"
    if isinstance(action, HintUnhealthy) and world.machines[n].place != SERVING:
        return Step(said, world, broke)
    return Step(said, shut(world, n), broke)


def _free(world: World, n: int, said: str) -> Step:
    if world.address != n:
        return Step(said, world)
    broke = "" if world.proven >> n & 1 else f"S5: the address leaves {n}, which has no evidence"
    return Step(said, world._replace(address=FREE), broke)


def _abandon(world: World, n: int, said: str) -> Step:
    machine = world.machines[n]
    is_alive = machine.place == HELD and machine.power not in (TERMINATED, HUNG)
    broke = f"S6: the launch of {n}, which is not off, is abandoned" if is_alive else ""
    return Step(said, end_launch(world, n, is_released=False), broke)
