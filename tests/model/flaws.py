"""The invariants, judged apart from the code they are about (safety S1 to S16; no rule is asked).

`flaw_of` looks at one decision, `broken_by` at one commit against the truth at that instant. What
only an effect can break (S3, S5, S6) is judged where it lands, in moves.py and workers.py.
"""

from __future__ import annotations

from model.memory import Plan, instance, number
from model.views import DEAF, DOUBTS, LIMITS, WAITS, View
from model.world import (
    ABSENT,
    HELD,
    HUNG,
    MACHINES,
    NO_ADDRESS,
    OBSERVE,
    RUNNING,
    TERMINATED,
    World,
)
from picoha.domain.actions import TAKING, ReleaseLaunch
from picoha.domain.decision import Decision
from picoha.domain.model import EvidenceKind
from picoha.domain.record import Brake, SlotRecord, Step

WARM_LAUNCH = 605
"""The rule that ends a hook of the warm pool, where nothing is granted."""


def flaw_of(view: View, before: SlotRecord, decision: Decision) -> str:
    """Return what a decision breaks by itself, judged from what was seen."""
    change = decision.change
    after = change.record if change else before
    if view.signal in DEAF and (change or decision.actions):
        return DEAF[view.signal]
    if before.operation is None and after.operation is not None and (flaw := _rash(view, before, after)):
        return flaw
    if change and after.ver != before.ver:
        return "S16: the write is not tied to the version that was read"
    is_dropped = before.operation and (after.operation is None or after.operation.id != before.operation.id)
    if change and is_dropped and not change.ended:
        return "S10: the open operation is dropped without its end"
    return _unrecorded(before, after, decision)


def _rash(view: View, before: SlotRecord, after: SlotRecord) -> str:
    """Return why nothing may be admitted on this sight, unless by a human."""
    op, holder = after.operation, before.holder
    if op is not None and op.by != "controller":
        return ""
    is_shown = holder is not None and view.shown[number(holder)].power in (RUNNING, ABSENT)
    is_taking = op is not None and op.step is not Step.AWAITING_HOST
    flaw = WAITS.get(view.signal, "")
    if is_taking:
        flaw = flaw or LIMITS.get(view.signal, "")
    return flaw or (DOUBTS.get(view.signal, "") if is_shown and is_taking else "")


def _unrecorded(before: SlotRecord, after: SlotRecord, decision: Decision) -> str:
    op = after.operation
    for action in decision.actions:
        noted = {**after.sent, **(op.intents if op else {})} if decision.change else {}
        if isinstance(action, TAKING) and str(action) not in noted:
            return f"S7: {action} has no intent in the write that orders it"
        if isinstance(action, ReleaseLaunch) and op and before.unfenced and decision.rule != WARM_LAUNCH:
            return f"order: {action} while {', '.join(before.unfenced)} has no evidence"
    return ""


def broken_by(world: World, plan: Plan, before: SlotRecord, after: SlotRecord, brake: Brake) -> str:
    """Return what this commit breaks, judged from the truth."""
    is_own = plan.admits.startswith("controller")
    if is_own and world.mode:
        return f"S9: {plan.admits} is admitted while paused or in observe"
    if plan.takes and world.mode & OBSERVE:
        return "S9: taking is ordered in observe"
    if before.is_armed and not after.is_armed and not world.mode & OBSERVE:
        return "S9: the start gate is opened in enforce"
    if plan.admits and before.operation is not None:
        return "S10: a second operation is opened"
    if is_own and plan.admits.endswith(Step.FENCING) and _is_used_up(brake, plan):
        return "S8: the brake is overrun"
    return _unsound(world, plan) or (_bad_grant(world, plan) if plan.grant >= 0 else "")


def _is_used_up(brake: Brake, plan: Plan) -> bool:
    return brake.is_open or sum(map(len, brake.admitted.values())) >= plan.brake_limit


def _unsound(world: World, plan: Plan) -> str:
    for n, kind in plan.evidence:
        power = world.machines[n].power
        if power != TERMINATED and not (kind is EvidenceKind.OPERATOR and power == HUNG):
            return f"S4: {kind} evidence for {n}, which is not off"
    return ""


def _bad_grant(world: World, plan: Plan) -> str:
    if plan.epoch <= world.top:
        return f"S1: epoch {plan.epoch} is granted twice"
    owed = [str(n) for n in range(MACHINES) if n != plan.grant and world.owed >> n & 1]
    if owed:
        return f"S2: a grant without evidence for {', '.join(owed)}"
    if world.machines[plan.grant].power == RUNNING and world.address not in (NO_ADDRESS, plan.grant):
        return "S5: a grant without the slot's address"
    return ""


def abandons_holder(record: SlotRecord, before: World, after: World) -> str:
    """Return what is wrong when a launch hook ended with ABANDON on a host that was granted."""
    for n, (was, is_now) in enumerate(zip(before.machines, after.machines, strict=True)):
        is_ended = was.place == HELD and was.power == RUNNING and is_now.power != RUNNING
        if is_ended and record.is_armed and record.holder == instance(n):
            return f"order: ABANDON meets the granted host {n}"
    return ""
