"""What must never be ordered, checked on every decision before anything is written or sent.

A second, independent reading of safety.md 4: the rules should never trip it, and if they do the
pass ends with nothing done.
"""

from __future__ import annotations

from picoha.domain.actions import TAKING, AbandonLaunch, Action, FenceHost, FreeAddress, HintUnhealthy
from picoha.domain.decision import Change, Decision
from picoha.domain.model import SlotName
from picoha.domain.observation import Observation
from picoha.domain.policy import Policy
from picoha.domain.record import Mode, Phase, SlotRecord
from picoha.domain.situation import Situation


def broken(seen: Observation, slot: SlotName, decision: Decision) -> str:
    """Return the invariant that the decision would break, as a sentence, or "" when none."""
    observed = seen.slot(slot)
    before = observed.record or SlotRecord(slot=slot)
    if decision.actions and decision.change is None:
        return "S7: an effect would be sent without a saved intent"
    for action in decision.actions:
        problem = _action_problem(seen, slot, before, action)
        if problem:
            return problem
    if decision.change is None:
        return ""
    if seen.memory is not None or observed.newer:
        return "S15: a record that was not understood would be changed"
    return _order_problem(seen, before, decision.change) or _change_problem(before, decision.change)


def _action_problem(seen: Observation, slot: SlotName, before: SlotRecord, action: Action) -> str:
    if isinstance(action, TAKING) and seen.mode.mode is not Mode.ENFORCE:
        return f"S9: {action} would take while the cell is in observe"
    op = before.operation
    victims = op.victims if op else ()
    if isinstance(action, FenceHost | HintUnhealthy) and (op is None or action.instance != op.victim):
        return f"S6: {action} names no victim of an admitted operation"
    if isinstance(action, FreeAddress) and (
        action.instance not in victims or action.instance in before.unfenced
    ):
        return f"S5: {action} would free an address from a host without evidence"
    if isinstance(action, AbandonLaunch):
        host = Situation(seen, seen.slot(slot), Policy()).host(action.instance)
        is_proven = action.instance in victims and action.instance not in before.unfenced
        if not is_proven and (host is None or not host.is_terminated):
            return f"S6: {action} names a launch that is not proven off"
    return ""


def _order_problem(seen: Observation, before: SlotRecord, change: Change) -> str:
    order = change.record.order
    if order is None or order == before.order:
        return ""
    if seen.mode.mode is not Mode.ENFORCE or not change.pins_mode:
        return f"S9: a {order.verb} would be ordered without mode enforce"
    if order.instance != before.holder or order.epoch != before.epoch:
        return f"S6: a {order.verb} would be ordered from a host that is not the holder"
    return ""


def _change_problem(before: SlotRecord, change: Change) -> str:
    after = change.record
    if after.ver != before.ver:
        return "S16: the change is not tied to the version that was read"
    if after.epoch != before.epoch and (change.grant is None or after.epoch <= before.epoch):
        return "S1: the epoch would change without a grant"
    others = [instance for instance in before.unfenced if instance != change.grant]
    if change.grant is not None and (others or after.holder != change.grant):
        return f"S2: a grant while {', '.join(others) or 'another holder'} has no evidence"
    lost = set(before.unfenced) - set(after.unfenced) - {proof.instance for proof in change.evidence}
    if lost:
        return f"S2: {', '.join(sorted(lost))} would be forgotten without evidence"
    if before.operation is not None and after.operation is None and change.ended is None:
        return "S10: an open operation would vanish without its end"
    if after.phase is Phase.IN_FAILOVER and after.operation is None:
        return "S10: in failover without an operation"
    return ""
