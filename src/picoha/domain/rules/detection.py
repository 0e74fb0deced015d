"""Rules 4xx: the recorded holder is not well; confirm, restart in place, or replace (design.md 5, 6)."""

from __future__ import annotations

from dataclasses import replace

from picoha.domain.decision import Answer, Change, Decision, Rule, hold, wait
from picoha.domain.judging import gates, signals
from picoha.domain.judging.signals import Life
from picoha.domain.model import AgentPhase
from picoha.domain.record import Order, OrderVerb, Step, Verb
from picoha.domain.rules.steps import begin, notice
from picoha.domain.situation import Situation, is_active

RESTARTING = (AgentPhase.STOPPING, AgentPhase.STARTING)


def _life(situation: Situation, *lives: Life) -> bool:
    """True for a holder so judged; one proven off behind an open gate is custody's, not ours."""
    is_left = situation.holder_is_proven_off and not situation.record.is_armed
    return is_active(situation.record) and not is_left and signals.judge(situation).life in lives


def _why(situation: Situation) -> str:
    return f"{situation.record.holder}: {signals.judge(situation).why}"


def holder_is_proven_off(situation: Situation) -> bool:
    return is_active(situation.record) and situation.holder_is_proven_off and situation.record.is_armed


def recover(situation: Situation) -> Decision:
    """Nothing is taken any more, so only the giving gates apply; the replacement is already due."""
    closed = gates.first_closed(situation, gates.GIVING)
    if closed:
        return hold(f"{situation.record.holder} is proven off; its replacement waits: {closed.sentence}")
    return begin(situation, Verb.FAILOVER, Step.AWAITING_HOST, _why(situation))


def holder_is_leaving(situation: Situation) -> bool:
    return _life(situation, Life.LEAVING)


def holder_is_suspect(situation: Situation) -> bool:
    return _life(situation, Life.SUSPECT)


def holder_is_unsure(situation: Situation) -> bool:
    return _life(situation, Life.UNSURE)


def platform_is_reached(situation: Situation) -> bool:
    return _life(situation, Life.REACHED)


def canary_is_dead(situation: Situation) -> bool:
    return _life(situation, Life.NO_CANARY)


def wait_for_confirmation(situation: Situation) -> Decision:
    verdict = signals.judge(situation)
    return wait(f"not confirmed: {_why(situation)}", verdict.look_again_s)


def hold_unconfirmed(situation: Situation) -> Decision:
    return hold(f"never on this evidence: {_why(situation)}")


def is_confirmed(situation: Situation) -> bool:
    return _life(situation, Life.PICOS_FAILED, Life.LOST)


def would_have_is_unwritten(situation: Situation) -> bool:
    if not is_confirmed(situation) or gates.mode(situation).is_open:
        return False
    return situation.record.would_have != str(situation.record.holder)


def write_would_have(situation: Situation) -> Decision:
    closed = [gate.sentence for check in gates.TAKING[1:] if not (gate := check(situation)).is_open]
    but = f"; in enforce it would also wait: {closed[0]}" if closed else ""
    because = f"{_why(situation)}{but}"
    sentence = f"would have failed over {because}"
    record = replace(situation.record, would_have=str(situation.record.holder))
    told = notice(situation, None, "info", f"{sentence}. Nothing was changed")
    change = Change(record=record, event="would-have", notice=told, because=because)
    return Decision(Answer.UPKEEP, sentence, change=change)


def mode_is_closed(situation: Situation) -> bool:
    return is_confirmed(situation) and not gates.mode(situation).is_open


def leave_alone(situation: Situation) -> Decision:
    return wait(f"nothing is taken: {gates.mode(situation).sentence}; {_why(situation)}", None)


def restart_is_running(situation: Situation) -> bool:
    """An order is under way until the agent says done (it then counts samples anew) or is too slow.

    One that the agent obeys right now has time to stop and start every pico.
    """
    order, report = situation.record.order, situation.report(situation.record.holder)
    if not _life(situation, Life.PICOS_FAILED) or order is None or order.instance != situation.record.holder:
        return False
    if report is not None and report.order_done == order.id:
        return False
    is_obeyed = report is not None and report.order_seen == order.id and report.phase in RESTARTING
    return situation.now - order.at < situation.policy.restart_allowance * (
        _picos(situation) + 1 if is_obeyed else 1
    )


def _picos(situation: Situation) -> int:
    assignment = situation.record.assignment
    return len(assignment.picos) if assignment else 1


def wait_for_restart(situation: Situation) -> Decision:
    return wait(f"{situation.record.holder} restarts its picos in place")


def restart_is_left(situation: Situation) -> bool:
    """The agent is alive, only picos failed, and the budget of restarts is not used up."""
    if not _life(situation, Life.PICOS_FAILED):
        return False
    return (
        len(_recent_restarts(situation)) < situation.policy.restarts
        and gates.first_closed(situation, RESTART_GATES) is None
    )


RESTART_GATES = tuple(
    gate for gate in gates.TAKING if gate not in (gates.shape, gates.in_flight, gates.cool_down, gates.brake)
)
"""A restart takes, so it meets the gates (design.md 2.6) but those that limit replacing: it has a budget."""


def _recent_restarts(situation: Situation) -> tuple[object, ...]:
    return tuple(
        at for at in situation.record.restarts if situation.now - at < situation.policy.restart_window
    )


def order_restart(situation: Situation) -> Decision:
    record = situation.record
    holder = record.holder
    if holder is None:
        return hold("the slot has no holder to restart")
    count = len(_recent_restarts(situation)) + 1
    order = Order(
        id=f"{record.slot}-{record.ver + 1}",
        verb=OrderVerb.RESTART,
        instance=holder,
        epoch=record.epoch,
        at=situation.now,
    )
    kept = tuple(at for at in record.restarts if situation.now - at < situation.policy.restart_window)
    ordered = replace(record, order=order, restarts=(*kept, situation.now))
    sentence = f"restart in place {count} of {situation.policy.restarts}: {_why(situation)}"
    told = notice(situation, None, "info", sentence)
    change = Change(record=ordered, pins_mode=True, event="restart-ordered", notice=told)
    return Decision(Answer.BEGIN, sentence, change=change)


def gate_is_closed(situation: Situation) -> bool:
    return is_confirmed(situation) and gates.first_closed(situation, gates.TAKING) is not None


def brake_opens(situation: Situation) -> bool:
    """The brake is the only closed gate: the failover it refuses opens the breaker."""
    closed = [gate for check in gates.TAKING if not (gate := check(situation)).is_open]
    return (
        is_confirmed(situation)
        and not situation.seen.brake.is_open
        and [gate.name for gate in closed] == ["brake"]
    )


def open_breaker(situation: Situation) -> Decision:
    why = gates.brake_limit(situation) or ""
    brake = replace(situation.seen.brake, is_open=True, opened_because=why)
    sentence = f"refused, and the breaker opens: {why}"
    told = notice(
        situation, None, "page", f"{sentence}. Do: find the cause, then `picoha close-breaker --reason ...`"
    )
    change = Change(record=situation.record, brake=brake, event="breaker-opened", notice=told)
    return Decision(Answer.REFUSE, sentence, change=change)


def hold_at_gate(situation: Situation) -> Decision:
    gate = gates.first_closed(situation, gates.TAKING)
    return hold(f"{_why(situation)}; not now: {gate.sentence if gate else ''}")


def admit(situation: Situation) -> Decision:
    return begin(situation, Verb.FAILOVER, Step.FENCING, _why(situation))


RULES: tuple[Rule, ...] = (
    Rule(401, "the holder is proven off", holder_is_proven_off, recover),
    Rule(403, "the holder said it is leaving", holder_is_leaving, wait_for_confirmation),
    Rule(405, "the loss is not confirmed yet", holder_is_suspect, wait_for_confirmation),
    Rule(407, "a needed signal is unknown", holder_is_unsure, hold_unconfirmed),
    Rule(409, "a witness reaches the silent Platform", platform_is_reached, hold_unconfirmed),
    Rule(411, "the canary is dead", canary_is_dead, hold_unconfirmed),
    Rule(421, "confirmed, but nothing may be taken", would_have_is_unwritten, write_would_have),
    Rule(423, "still confirmed, nothing may be taken", mode_is_closed, leave_alone),
    Rule(431, "a restart in place is under way", restart_is_running, wait_for_restart),
    Rule(433, "restart in place first", restart_is_left, order_restart),
    Rule(441, "the brake refuses", brake_opens, open_breaker),
    Rule(443, "a gate is closed", gate_is_closed, hold_at_gate),
    Rule(445, "the holder is lost", is_confirmed, admit),
)
