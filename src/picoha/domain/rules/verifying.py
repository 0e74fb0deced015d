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
from picoha.domain.situation import Case, needs_operator


def _told(case: Case) -> Report | None:
    """Return the target's report if it speaks of this grant."""
    op = opened(case)
    report = case.fresh_report(op.target)
    return report if report and report.epoch == case.record.epoch else None


def names_are_verified(case: Case) -> bool:
    if not in_step(case, Step.VERIFYING) or has_passed(case, "names-verified"):
        return False
    report = _told(case)
    return report is not None and report.names is not None and report.names.are_right


def note_names(case: Case) -> Decision:
    report = _told(case)
    resolved = report.names.resolved if report and report.names else {}
    table = ", ".join(f"{name} -> {address}" for name, address in sorted(resolved.items()))
    return milestone(case, "names-verified", f"{opened(case).target} resolves its names: {table}")


def picos_are_up(case: Case) -> bool:
    if (
        not in_step(case, Step.VERIFYING)
        or has_passed(case, "picos-up")
        or not has_passed(case, "names-verified")
    ):
        return False
    report = _told(case)
    return report is not None and report.phase is AgentPhase.RUNNING


def note_picos(case: Case) -> Decision:
    report = _told(case)
    return milestone(
        case, "picos-up", f"{opened(case).target} started {', '.join(report.picos) if report else ''}"
    )


def is_first_healthy(case: Case) -> bool:
    if not in_step(case, Step.VERIFYING) or has_passed(case, "healthy") or not has_passed(case, "picos-up"):
        return False
    report = _told(case)
    return report is not None and report.is_healthy


def note_health(case: Case) -> Decision:
    seconds = case.policy.healthy_for.total_seconds()
    return milestone(
        case, "healthy", f"all picos of {opened(case).target} answer; watching them for {seconds:.0f} s"
    )


def is_verified(case: Case) -> bool:
    if not in_step(case, Step.VERIFYING) or not has_passed(case, "healthy"):
        return False
    report = _told(case)
    if report is None or report.healthy_since is None or not report.is_healthy:
        return False
    return case.now - report.healthy_since >= case.policy.healthy_for


def done(case: Case) -> Decision:
    return finish(case, f"{opened(case).target} holds {case.sight.name} at epoch {case.record.epoch}")


def verifying_is_late(case: Case) -> bool:
    if not in_step(case, Step.VERIFYING):
        return False
    assignment = case.record.assignment
    picos = len(assignment.picos) if assignment else 1
    return case.in_step_for(opened(case)) > case.policy.start_per_pico * picos + case.policy.start_margin


def replace_bad_target(case: Case) -> Decision:
    target = opened(case).target
    report = case.report(target)
    why = (report.problem or f"its agent is {report.phase}") if report else "its agent never reported"
    if target is None:
        return alert("the operation has no target")
    return next_victim(case, target, f"{target} did not get healthy in time: {why}")


def is_verifying(case: Case) -> bool:
    return in_step(case, Step.VERIFYING)


def wait_for_health(case: Case) -> Decision:
    report = _told(case)
    said = f"its agent is {report.phase}" if report else "its agent has not taken the grant yet"
    return wait(f"{opened(case).target} is being verified: {said}")


def missing_fact_appeared(case: Case) -> bool:
    op = case.operation
    if op is None or op.step is not Step.NEEDS_OPERATOR or op.stuck_in is None:
        return False
    probe = replace(case.record, operation=replace(op, step=op.stuck_in))
    then = Case(case.seen, replace(case.sight, record=probe), case.policy)
    if target_is_gone(then):
        # Whatever else is seen: it goes on while the budget of replacements lasts, then only by `retry`.
        return op.attempt < case.policy.bad_replacements
    return any(rule(then) for rule in _FACTS[op.stuck_in])


_FACTS = {
    Step.FENCING: (victim_is_proven,),
    Step.AWAITING_HOST: (one_candidate,),
    Step.ADDRESSING: (address_is_settled,),
    Step.RELEASING: (target_is_in_service,),
    Step.VERIFYING: (names_are_verified, picos_are_up, is_first_healthy, is_verified),
    Step.DRAINING: (),
}


def resume(case: Case) -> Decision:
    op = opened(case)
    back = op.stuck_in or Step.FENCING
    resumed = replace(op, step=back, stuck_in=None, step_at=case.now)
    told = notice(case, op, "info", "the missing fact appeared; going on")
    change = Change(record=replace(case.record, operation=resumed), event="resumed", notice=told)
    return Decision(
        Answer.STEP, f"the missing fact appeared; {back} goes on", change=change, look_again_s=0.0
    )


def is_waiting_for_operator(case: Case) -> bool:
    return needs_operator(case)


def keep_paging(case: Case) -> Decision:
    op = opened(case)
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
