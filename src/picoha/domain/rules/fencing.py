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
from picoha.domain.situation import Case

GIVING_STEPS = (Step.AWAITING_HOST, Step.ADDRESSING, Step.RELEASING)
HOLDS_GIVING = frozenset({109, 111, 315})
"""The rules whose hold stops the clock of those steps: nothing could be given meanwhile."""


def victim_is_proven(case: Case) -> bool:
    op = case.operation
    return op is not None and op.step is Step.FENCING and op.victim not in case.record.unfenced


def leave_fencing(case: Case) -> Decision:
    victim = opened(case).victim
    return to_step(case, Step.AWAITING_HOST, "fenced", f"{victim} is proven off; waiting for its replacement")


def fencing_is_off(case: Case) -> bool:
    return in_step(case, Step.FENCING) and not case.may_take


def hold_fencing(case: Case) -> Decision:
    return hold(f"{opened(case).victim} is not fenced: the cell is no longer in enforce for this slot")


def fencing_is_late(case: Case) -> bool:
    return is_late(case, Step.FENCING)


def page_for_fence(case: Case) -> Decision:
    victim = opened(case).victim
    state = host.state if (host := case.host(victim)) else "not shown by EC2"
    return stuck(
        case,
        f"{victim} is not proven off (EC2: {state}); nobody is granted the slot before",
        f"make sure it is off, then `picoha confirm-fenced {victim} --reason ...`",
    )


def is_fencing(case: Case) -> bool:
    return in_step(case, Step.FENCING)


def fence(case: Case) -> Decision:
    op = opened(case)
    victim = op.victim
    if victim is None:
        return alert("the operation fences nobody")
    host, member = case.host(victim), case.member(victim)
    is_forced = case.in_step_for(op) > case.policy.force_fence_after
    if host is not None and host.state is InstanceState.SHUTTING_DOWN and not is_forced:
        return wait(f"{victim} is shutting down; that is no evidence yet")
    actions: list[Action] = [FenceHost(victim, force=is_forced)]
    if member is not None and member.is_in_service:
        actions.append(HintUnhealthy(victim))
    return send(case, f"{victim} is being fenced", actions)


def dead_launch_is_held(case: Case) -> bool:
    """Until the step is late: an abandon that is refused again and again is told (rule 325)."""
    is_in_time = in_step(case, Step.AWAITING_HOST) and not is_late(case, Step.AWAITING_HOST)
    return is_in_time and bool(_dead_launches(case)) and case.may_take


def _dead_launches(case: Case) -> list[AbandonLaunch]:
    group = case.group
    if group is None:
        return []
    return [
        AbandonLaunch(group.name, one.instance)
        for one in group.members
        if one.is_held and one.instance in opened(case).victims and one.instance not in case.record.unfenced
    ]


def abandon_dead_launches(case: Case) -> Decision:
    return send(case, "a proven dead launch still fills the group; abandoning it", _dead_launches(case))


def giving_is_closed(case: Case) -> bool:
    """Dependencies or the Platform went away during the operation: hold, in any step before a grant."""
    return in_step(case, *GIVING_STEPS) and _closed_for_giving(case) is not None


def _closed_for_giving(case: Case) -> Gate | None:
    return gates.first_closed(case, (gates.dependencies, gates.platform_first, gates.slot_order))


def hold_giving(case: Case) -> Decision:
    gate = _closed_for_giving(case)
    return hold(f"{opened(case).id} waits: {gate.sentence if gate else ''}")


def giving_is_open_again(case: Case) -> bool:
    held = case.record.attention
    return in_step(case, *GIVING_STEPS) and held is not None and held.rule in HOLDS_GIVING


def restart_step(case: Case) -> Decision:
    """The time of the outage does not count against the step's deadline (domain.md F7); other time does."""
    op, held = opened(case), case.record.attention
    outage = case.now - max(held.since, op.step_at) if held else timedelta(0)
    record = replace(case.record, operation=replace(op, step_at=op.step_at + outage), attention=None)
    change = Change(record=record, event="released")
    return Decision(Answer.STEP, f"{op.id} goes on", change=change, look_again_s=0.0)


def two_candidates(case: Case) -> bool:
    return in_step(case, Step.AWAITING_HOST) and len(case.candidates) > 1


def page_two_candidates(case: Case) -> Decision:
    names = ", ".join(host.instance for host in case.candidates)
    return alert(
        f"two hosts could take the slot: {names}; end all but one by hand, none is granted meanwhile"
    )


def one_candidate(case: Case) -> bool:
    return in_step(case, Step.AWAITING_HOST) and len(case.candidates) == 1


def take_candidate(case: Case) -> Decision:
    host = case.candidates[0]
    member = case.member(host.instance)
    where = "held in its launch hook" if member and member.is_held else "in service"
    return to_step(case, Step.ADDRESSING, "host-found", f"{host.instance} is {where}", target=host.instance)


def is_parked_meanwhile(case: Case) -> bool:
    return case.is_parked_in_operation


def wait_while_parked(case: Case) -> Decision:
    """No replacement is due while desired is 0; the step's clock is set back before it runs out."""
    op = opened(case)
    sentence = f"{op.id} waits: the group's desired capacity is 0"
    if case.in_step_for(op) < case.policy.host_deadline / 2:
        return wait(sentence, None)
    record = replace(case.record, operation=replace(op, step_at=case.now))
    return Decision(Answer.WAIT, sentence, change=Change(record=record))


def host_is_late(case: Case) -> bool:
    return is_late(case, Step.AWAITING_HOST)


def page_for_host(case: Case) -> Decision:
    group = case.group.name if case.group else "its group"
    dead = ", ".join(action.instance for action in _dead_launches(case))
    return stuck(
        case,
        f"the dead launch of {dead} could not be abandoned"
        if dead
        else f"{group} brought no replacement; see its scaling activities (capacity, quota, launch template)",
        f"mend the group, then `picoha retry {opened(case).id}`",
    )


def is_awaiting_host(case: Case) -> bool:
    return in_step(case, Step.AWAITING_HOST)


def target_is_gone(case: Case) -> bool:
    if not in_step(case, Step.ADDRESSING, Step.RELEASING, Step.VERIFYING):
        return False
    return case.is_gone(opened(case).target) and not _may_be_an_old_look(case)


def _may_be_an_old_look(case: Case) -> bool:
    """A warm host was `stopped` before it ran, and EC2's reads may lag: that alone condemns nobody."""
    op = opened(case)
    host = case.host(op.target)
    is_off = host is not None and host.state in (InstanceState.STOPPING, InstanceState.STOPPED)
    is_heard = case.fresh_report(op.target) is not None
    return is_off and (is_heard or case.in_step_for(op) < case.policy.fresh_within)


def replace_target(case: Case) -> Decision:
    target = opened(case).target
    if target is None:
        return alert("the operation has no target")
    return next_victim(case, target, f"the replacement {target} is gone or going")


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
    Rule(327, "waiting for a replacement", is_awaiting_host, lambda case: wait("waiting for Auto Scaling")),
)
