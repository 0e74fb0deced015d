"""Rules 30x to 32x: fence the victim, prove it, wait for a replacement (design.md 6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from picoha.domain.actions import AbandonLaunch, Action, FenceHost, HintUnhealthy
from picoha.domain.decision import Answer, Change, Decision, Rule, alert, hold, wait
from picoha.domain.judging import gates
from picoha.domain.judging.gate import Gate
from picoha.domain.model import InstanceState
from picoha.domain.record import Step
from picoha.domain.rules.steps import in_step, is_late, next_victim, opened, send, stuck, to_step
from picoha.domain.situation import Situation

GIVING_STEPS = (Step.AWAITING_HOST, Step.ADDRESSING, Step.RELEASING)
HOLDS_GIVING = frozenset({109, 111, 315})
"""The rules whose hold stops the clock of those steps: nothing could be given meanwhile."""


def victim_is_proven(situation: Situation) -> bool:
    op = situation.operation
    return op is not None and op.step is Step.FENCING and op.victim not in situation.record.unfenced


def leave_fencing(situation: Situation) -> Decision:
    victim = opened(situation).victim
    return to_step(
        situation, Step.AWAITING_HOST, "fenced", f"{victim} is proven off; waiting for its replacement"
    )


def fencing_is_off(situation: Situation) -> bool:
    return in_step(situation, Step.FENCING) and not situation.may_take


def hold_fencing(situation: Situation) -> Decision:
    return hold(f"{opened(situation).victim} is not fenced: the cell is no longer in enforce for this slot")


def fencing_is_late(situation: Situation) -> bool:
    return is_late(situation, Step.FENCING)


def page_for_fence(situation: Situation) -> Decision:
    victim = opened(situation).victim
    state = host.state if (host := situation.host(victim)) else "not shown by EC2"
    return stuck(
        situation,
        f"{victim} is not proven off (EC2: {state}); nobody is granted the slot before",
        f"make sure it is off, then `picoha confirm-fenced {victim} --reason ...`",
    )


def is_fencing(situation: Situation) -> bool:
    return in_step(situation, Step.FENCING)


def fence(situation: Situation) -> Decision:
    op = opened(situation)
    victim = op.victim
    if victim is None:
        return alert("the operation fences nobody")
    host, member = situation.host(victim), situation.member(victim)
    is_forced = situation.in_step_for(op) > situation.policy.force_fence_after
    if host is not None and host.state is InstanceState.SHUTTING_DOWN and not is_forced:
        return wait(f"{victim} is shutting down; that is no evidence yet")
    actions: list[Action] = [FenceHost(victim, force=is_forced)]
    if member is not None and member.is_in_service:
        actions.append(HintUnhealthy(victim))
    return send(situation, f"{victim} is being fenced", actions)


def dead_launch_is_held(situation: Situation) -> bool:
    """Until the step is late: an abandon that is refused again and again is told (rule 325)."""
    is_in_time = in_step(situation, Step.AWAITING_HOST) and not is_late(situation, Step.AWAITING_HOST)
    return is_in_time and bool(_dead_launches(situation)) and situation.may_take


def _dead_launches(situation: Situation) -> list[AbandonLaunch]:
    group = situation.group
    if group is None:
        return []
    return [
        AbandonLaunch(group.name, member.instance)
        for member in group.members
        if member.is_held
        and member.instance in opened(situation).victims
        and member.instance not in situation.record.unfenced
    ]


def abandon_dead_launches(situation: Situation) -> Decision:
    return send(
        situation, "a proven dead launch still fills the group; abandoning it", _dead_launches(situation)
    )


def giving_is_closed(situation: Situation) -> bool:
    """Dependencies or the Platform went away during the operation: hold, in any step before a grant."""
    return in_step(situation, *GIVING_STEPS) and _closed_for_giving(situation) is not None


def _closed_for_giving(situation: Situation) -> Gate | None:
    return gates.first_closed(situation, (gates.dependencies, gates.platform_first, gates.slot_order))


def hold_giving(situation: Situation) -> Decision:
    gate = _closed_for_giving(situation)
    return hold(f"{opened(situation).id} waits: {gate.sentence if gate else ''}")


def giving_is_open_again(situation: Situation) -> bool:
    held = situation.record.attention
    return in_step(situation, *GIVING_STEPS) and held is not None and held.rule in HOLDS_GIVING


def restart_step(situation: Situation) -> Decision:
    """The time of the outage does not count against the step's deadline (domain.md F7); other time does."""
    op, held = opened(situation), situation.record.attention
    outage = situation.now - max(held.since, op.step_at) if held else timedelta(0)
    record = replace(situation.record, operation=replace(op, step_at=op.step_at + outage), attention=None)
    change = Change(record=record, event="released")
    return Decision(Answer.STEP, f"{op.id} goes on", change=change, look_again_s=0.0)


def two_candidates(situation: Situation) -> bool:
    return in_step(situation, Step.AWAITING_HOST) and len(situation.candidates) > 1


def page_two_candidates(situation: Situation) -> Decision:
    names = ", ".join(host.instance for host in situation.candidates)
    return alert(
        f"two hosts could take the slot: {names}; end all but one by hand, none is granted meanwhile"
    )


def one_candidate(situation: Situation) -> bool:
    return in_step(situation, Step.AWAITING_HOST) and len(situation.candidates) == 1


def take_candidate(situation: Situation) -> Decision:
    host = situation.candidates[0]
    member = situation.member(host.instance)
    where = "held in its launch hook" if member and member.is_held else "in service"
    return to_step(
        situation, Step.ADDRESSING, "host-found", f"{host.instance} is {where}", target=host.instance
    )


def is_parked_meanwhile(situation: Situation) -> bool:
    return situation.is_parked_in_operation


def wait_while_parked(situation: Situation) -> Decision:
    """No replacement is due while desired is 0; the step's clock is set back before it runs out."""
    op = opened(situation)
    sentence = f"{op.id} waits: the group's desired capacity is 0"
    if situation.in_step_for(op) < situation.policy.host_deadline / 2:
        return wait(sentence, None)
    record = replace(situation.record, operation=replace(op, step_at=situation.now))
    return Decision(Answer.WAIT, sentence, change=Change(record=record))


def host_is_late(situation: Situation) -> bool:
    return is_late(situation, Step.AWAITING_HOST)


def page_for_host(situation: Situation) -> Decision:
    group = situation.group.name if situation.group else "its group"
    dead = ", ".join(action.instance for action in _dead_launches(situation))
    return stuck(
        situation,
        f"the dead launch of {dead} could not be abandoned"
        if dead
        else f"{group} brought no replacement; see its scaling activities (capacity, quota, launch template)",
        f"mend the group, then `picoha retry {opened(situation).id}`",
    )


def is_awaiting_host(situation: Situation) -> bool:
    return in_step(situation, Step.AWAITING_HOST)


def target_is_gone(situation: Situation) -> bool:
    if not in_step(situation, Step.ADDRESSING, Step.RELEASING, Step.VERIFYING):
        return False
    return situation.is_gone(opened(situation).target) and not _may_be_an_old_look(situation)


def _may_be_an_old_look(situation: Situation) -> bool:
    """A warm host was `stopped` before it ran, and EC2's reads may lag: that alone condemns nobody."""
    op = opened(situation)
    host = situation.host(op.target)
    is_off = host is not None and host.state in (InstanceState.STOPPING, InstanceState.STOPPED)
    is_heard = situation.fresh_report(op.target) is not None
    return is_off and (is_heard or situation.in_step_for(op) < situation.policy.fresh_within)


def replace_target(situation: Situation) -> Decision:
    target = opened(situation).target
    if target is None:
        return alert("the operation has no target")
    return next_victim(situation, target, f"the replacement {target} is gone or going")


RULES: tuple[Rule, ...] = (
    Rule(301, "the victim is proven off", victim_is_proven, leave_fencing),
    Rule(303, "fencing is not allowed any more", fencing_is_off, hold_fencing),
    Rule(305, "the fence is late", fencing_is_late, page_for_fence),
    Rule(307, "the victim is being fenced", is_fencing, fence),
    Rule(311, "a dead launch is still held", dead_launch_is_held, abandon_dead_launches),
    Rule(313, "the target is gone", target_is_gone, replace_target),
    Rule(315, "a dependency or the Platform is down", giving_is_closed, hold_giving),
    Rule(317, "what held the step is over", giving_is_open_again, restart_step),
    Rule(321, "two hosts could take the slot", two_candidates, page_two_candidates),
    Rule(323, "a replacement is there", one_candidate, take_candidate),
    Rule(324, "the slot was parked meanwhile", is_parked_meanwhile, wait_while_parked),
    Rule(325, "the replacement is late", host_is_late, page_for_host),
    Rule(
        327, "waiting for a replacement", is_awaiting_host, lambda situation: wait("waiting for Auto Scaling")
    ),
)
