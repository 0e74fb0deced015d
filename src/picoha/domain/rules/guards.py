"""Rules 1xx: what must be readable, understood and consistent before anything else is asked."""

from __future__ import annotations

from dataclasses import replace

from picoha.domain.decision import Answer, Change, Decision, Rule, alert, hold
from picoha.domain.model import GOING_OR_GONE, Evidence, Unknown
from picoha.domain.record import RequestVerb
from picoha.domain.rules.requests import next_request
from picoha.domain.situation import Situation


def memory_is_unreadable(situation: Situation) -> bool:
    return situation.seen.memory is not None


def hold_without_memory(situation: Situation) -> Decision:
    reason = situation.seen.memory.reason if situation.seen.memory else ""
    return hold(f"the table could not be read, so nothing is known and nothing is done: {reason}")


def record_is_newer(situation: Situation) -> bool:
    return bool(situation.observed.newer)


def leave_newer_alone(situation: Situation) -> Decision:
    return alert(f"this version does not understand the record: {situation.observed.newer}; nothing is done")


def evidence_is_visible(situation: Situation) -> bool:
    return not isinstance(situation.observed.hosts, Unknown) and bool(_proofs(situation))


def write_evidence(situation: Situation) -> Decision:
    """Prove every grantee or victim that is off; in every mode, on every look (design.md 6)."""
    proofs = _proofs(situation)
    gone = {proof.instance for proof in proofs}
    left = tuple(instance for instance in situation.record.unfenced if instance not in gone)
    sentence = "; ".join(f"{proof.instance}: {proof.detail}" for proof in proofs)
    change = Change(record=replace(situation.record, unfenced=left), evidence=proofs, event="proven-off")
    return Decision(Answer.PROVE, f"evidence: {sentence}", change=change, look_again_s=0.0)


def _proofs(situation: Situation) -> tuple[Evidence, ...]:
    found = (situation.proof_of(instance) for instance in situation.record.unfenced)
    return tuple(proof for proof in found if proof is not None)


def epoch_is_below_floor(situation: Situation) -> bool:
    """An operator's `adopt` is the way out, after `abort` where an operation is open: both are heard."""
    is_way_out = bool(situation.observed.requests) and next_request(situation).verb in WAYS_OUT
    return bool(_above(situation)) and not is_way_out


WAYS_OUT = (RequestVerb.ADOPT, RequestVerb.ABORT)


def _above(situation: Situation) -> list[str]:
    return [
        f"{report.instance} has held epoch {report.highest_epoch}"
        for report in situation.observed.reports.values()
        if report.highest_epoch > situation.record.epoch
    ]


def freeze_grants(situation: Situation) -> Decision:
    return alert(
        f"the record says epoch {situation.record.epoch}, but {', '.join(_above(situation))}: "
        "is the table old? "
        f"nothing is granted until `picoha adopt {situation.observed.name} INSTANCE`"
    )


def slot_is_misdeclared(situation: Situation) -> bool:
    return bool(situation.observed.problem)


def hold_misdeclared(situation: Situation) -> Decision:
    return hold(f"the slot's declaration is wrong: {situation.observed.problem}")


def cell_is_unreadable(situation: Situation) -> bool:
    return any(
        isinstance(one, Unknown)
        for one in (situation.observed.hosts, situation.observed.group, situation.observed.address)
    )


def hold_unreadable(situation: Situation) -> Decision:
    reads = {
        "hosts": situation.observed.hosts,
        "group": situation.observed.group,
        "address": situation.observed.address,
    }
    failed = [f"{name} ({one.reason})" for name, one in reads.items() if isinstance(one, Unknown)]
    return hold(f"could not read {', '.join(failed)}; unknown is not dead")


def slot_is_parked(situation: Situation) -> bool:
    is_parked = situation.group is not None and situation.group.is_parked
    return is_parked and situation.operation is None and not situation.observed.requests


def slot_is_retired(situation: Situation) -> bool:
    return (
        situation.observed.group is None and situation.operation is None and not situation.observed.requests
    )


def leave_parked(situation: Situation) -> Decision:
    return Decision(Answer.STEADY, "parked: the group's desired capacity is 0")


def leave_retired(situation: Situation) -> Decision:
    """A slot is retired once its hosts are gone; with one alive, its group's tags were lost."""
    owed = dict.fromkeys((*situation.record.unfenced, *(host.instance for host in situation.living)))
    if owed:
        alive, cell, slot = ", ".join(owed), situation.seen.cell, situation.observed.name
        sentence = (
            f"no group carries cell {cell} and slot {slot}, but {alive} is not proven off: "
            "its tags were lost, or it was deleted before its hosts"
        )
        is_alive = any(host.state not in GOING_OR_GONE for host in situation.living)
        return alert(sentence) if is_alive and situation.record.is_armed else hold(sentence)
    return Decision(Answer.STEADY, "no Auto Scaling group carries this slot any more; its record is kept")


def arming_differs(situation: Situation) -> bool:
    return (
        situation.observed.record is not None
        and situation.record.is_armed != situation.is_armed
        and situation.operation is None
    )


def rearm(situation: Situation) -> Decision:
    """The gate on the host follows mode and tag, before anything is begun; pinned to the mode read."""
    word = "armed" if situation.is_armed else "open"
    record = replace(situation.record, is_armed=situation.is_armed)
    change = Change(record=record, pins_mode=True, event=f"gate-{word}")
    return Decision(Answer.UPKEEP, f"the start gate is {word} from now on", change=change, look_again_s=0.0)


RULES: tuple[Rule, ...] = (
    Rule(101, "the table cannot be read", memory_is_unreadable, hold_without_memory),
    Rule(103, "the record is from a newer version", record_is_newer, leave_newer_alone),
    Rule(105, "a host is seen to be off", evidence_is_visible, write_evidence),
    Rule(107, "a host has held a higher epoch", epoch_is_below_floor, freeze_grants),
    Rule(109, "the tags are wrong", slot_is_misdeclared, hold_misdeclared),
    Rule(111, "a sensor failed", cell_is_unreadable, hold_unreadable),
    Rule(113, "the slot is parked", slot_is_parked, leave_parked),
    Rule(115, "the slot is retired", slot_is_retired, leave_retired),
    Rule(117, "the gate follows the mode", arming_differs, rearm),
)
