"""Rules 35x to 37x: verify the new holder; drain the old; wait for a human and keep looking."""

from __future__ import annotations

from dataclasses import replace

from picoha.domain.decision import Answer, Change, Decision, Rule, alert, hold, wait
from picoha.domain.model import AgentPhase, Report
from picoha.domain.record import Step
from picoha.domain.rules.draining import (
    drain_is_late,
    fence_drained,
    fence_undrained,
    is_drained,
    is_draining,
    wait_for_drain,
)
from picoha.domain.rules.fencing import one_candidate, target_is_gone, victim_is_proven
from picoha.domain.rules.granting import address_is_settled, target_is_in_service
from picoha.domain.rules.steps import (
    finish,
    has_passed,
    in_step,
    milestone,
    next_victim,
    notice,
    opened,
)
from picoha.domain.situation import Situation, needs_operator


def _told(situation: Situation) -> Report | None:
    """Return the target's report if it speaks of this grant."""
    op = opened(situation)
    report = situation.fresh_report(op.target)
    return report if report and report.epoch == situation.record.epoch else None


def names_are_verified(situation: Situation) -> bool:
    if not in_step(situation, Step.VERIFYING) or has_passed(situation, "names-verified"):
        return False
    report = _told(situation)
    return report is not None and report.names is not None and report.names.are_right


def note_names(situation: Situation) -> Decision:
    report = _told(situation)
    resolved = report.names.resolved if report and report.names else {}
    table = ", ".join(f"{name} -> {address}" for name, address in sorted(resolved.items()))
    return milestone(situation, "names-verified", f"{opened(situation).target} resolves its names: {table}")


def picos_are_up(situation: Situation) -> bool:
    if (
        not in_step(situation, Step.VERIFYING)
        or has_passed(situation, "picos-up")
        or not has_passed(situation, "names-verified")
    ):
        return False
    report = _told(situation)
    return report is not None and report.phase is AgentPhase.RUNNING


def note_picos(situation: Situation) -> Decision:
    report = _told(situation)
    return milestone(
        situation,
        "picos-up",
        f"{opened(situation).target} started {', '.join(report.picos) if report else ''}",
    )


def is_first_healthy(situation: Situation) -> bool:
    if (
        not in_step(situation, Step.VERIFYING)
        or has_passed(situation, "healthy")
        or not has_passed(situation, "picos-up")
    ):
        return False
    report = _told(situation)
    return report is not None and report.is_healthy


def note_health(situation: Situation) -> Decision:
    seconds = situation.policy.healthy_for.total_seconds()
    return milestone(
        situation,
        "healthy",
        f"all picos of {opened(situation).target} answer; watching them for {seconds:.0f} s",
    )


def is_verified(situation: Situation) -> bool:
    if not in_step(situation, Step.VERIFYING) or not has_passed(situation, "healthy"):
        return False
    report = _told(situation)
    if report is None or report.healthy_since is None or not report.is_healthy:
        return False
    return situation.now - report.healthy_since >= situation.policy.healthy_for


def done(situation: Situation) -> Decision:
    return finish(
        situation,
        f"{opened(situation).target} holds {situation.observed.name} at epoch {situation.record.epoch}",
    )


def verifying_is_late(situation: Situation) -> bool:
    if not in_step(situation, Step.VERIFYING):
        return False
    assignment = situation.record.assignment
    picos = len(assignment.picos) if assignment else 1
    return (
        situation.in_step_for(opened(situation))
        > situation.policy.start_per_pico * picos + situation.policy.start_margin
    )


def replace_bad_target(situation: Situation) -> Decision:
    target = opened(situation).target
    report = situation.report(target)
    why = (report.problem or f"its agent is {report.phase}") if report else "its agent never reported"
    if target is None:
        return alert("the operation has no target")
    return next_victim(situation, target, f"{target} did not get healthy in time: {why}")


def is_verifying(situation: Situation) -> bool:
    return in_step(situation, Step.VERIFYING)


def wait_for_health(situation: Situation) -> Decision:
    report = _told(situation)
    said = f"its agent is {report.phase}" if report else "its agent has not taken the grant yet"
    return wait(f"{opened(situation).target} is being verified: {said}")


def missing_fact_appeared(situation: Situation) -> bool:
    op = situation.operation
    if op is None or op.step is not Step.NEEDS_OPERATOR or op.stuck_in is None:
        return False
    probe = replace(situation.record, operation=replace(op, step=op.stuck_in))
    then = Situation(situation.seen, replace(situation.observed, record=probe), situation.policy)
    if target_is_gone(then):
        # Whatever else is seen: it goes on while the budget of replacements lasts, then only by `retry`.
        return op.attempt < situation.policy.bad_replacements
    return any(rule(then) for rule in _FACTS[op.stuck_in])


_FACTS = {
    Step.FENCING: (victim_is_proven,),
    Step.AWAITING_HOST: (one_candidate,),
    Step.ADDRESSING: (address_is_settled,),
    Step.RELEASING: (target_is_in_service,),
    Step.VERIFYING: (names_are_verified, picos_are_up, is_first_healthy, is_verified),
    Step.DRAINING: (),
}


def resume(situation: Situation) -> Decision:
    op = opened(situation)
    back = op.stuck_in or Step.FENCING
    resumed = replace(op, step=back, stuck_in=None, step_at=situation.now)
    told = notice(situation, op, "info", "the missing fact appeared; going on")
    change = Change(record=replace(situation.record, operation=resumed), event="resumed", notice=told)
    return Decision(
        Answer.STEP, f"the missing fact appeared; {back} goes on", change=change, look_again_s=0.0
    )


def is_waiting_for_operator(situation: Situation) -> bool:
    return needs_operator(situation)


def keep_paging(situation: Situation) -> Decision:
    op = opened(situation)
    return hold(f"{op.id} waits for an operator in {op.stuck_in}: {op.reason}")


RULES: tuple[Rule, ...] = (
    Rule(351, "the names are right", names_are_verified, note_names),
    Rule(353, "the picos are up", picos_are_up, note_picos),
    Rule(355, "the picos are healthy", is_first_healthy, note_health),
    Rule(357, "healthy for long enough", is_verified, done),
    Rule(359, "verifying is late", verifying_is_late, replace_bad_target),
    Rule(361, "the target is being verified", is_verifying, wait_for_health),
    Rule(363, "the holder is drained", is_drained, fence_drained),
    Rule(365, "the drain is late", drain_is_late, fence_undrained),
    Rule(367, "the holder is being drained", is_draining, wait_for_drain),
    Rule(371, "the missing fact appeared", missing_fact_appeared, resume),
    Rule(373, "waiting for an operator", is_waiting_for_operator, keep_paging),
)
