"""Rules 1xx: what must be readable, understood and consistent before anything else is asked."""

from __future__ import annotations

from dataclasses import replace

from picoha.domain.decision import Answer, Change, Decision, Rule, alert, hold
from picoha.domain.model import GOING_OR_GONE, Evidence, Unknown
from picoha.domain.record import RequestVerb
from picoha.domain.rules.requests import next_request
from picoha.domain.situation import Case


def memory_is_unreadable(case: Case) -> bool:
    return case.seen.memory is not None


def hold_without_memory(case: Case) -> Decision:
    reason = case.seen.memory.reason if case.seen.memory else ""
    return hold(f"the table could not be read, so nothing is known and nothing is done: {reason}")


def record_is_newer(case: Case) -> bool:
    return bool(case.sight.newer)


def leave_newer_alone(case: Case) -> Decision:
    return alert(f"this version does not understand the record: {case.sight.newer}; nothing is done")


def evidence_is_visible(case: Case) -> bool:
    return not isinstance(case.sight.hosts, Unknown) and bool(_proofs(case))


def write_evidence(case: Case) -> Decision:
    """Prove every grantee or victim that is off; in every mode, on every look (design.md 6)."""
    proofs = _proofs(case)
    gone = {proof.instance for proof in proofs}
    left = tuple(one for one in case.record.unfenced if one not in gone)
    sentence = "; ".join(f"{proof.instance}: {proof.detail}" for proof in proofs)
    change = Change(record=replace(case.record, unfenced=left), evidence=proofs, event="proven-off")
    return Decision(Answer.PROVE, f"evidence: {sentence}", change=change, look_again_s=0.0)


def _proofs(case: Case) -> tuple[Evidence, ...]:
    found = (case.proof_of(instance) for instance in case.record.unfenced)
    return tuple(proof for proof in found if proof is not None)


def epoch_is_below_floor(case: Case) -> bool:
    """An operator's `adopt` is the way out, after `abort` where an operation is open: both are heard."""
    is_way_out = bool(case.sight.requests) and next_request(case).verb in WAYS_OUT
    return bool(_above(case)) and not is_way_out


WAYS_OUT = (RequestVerb.ADOPT, RequestVerb.ABORT)


def _above(case: Case) -> list[str]:
    return [
        f"{report.instance} has held epoch {report.highest_epoch}"
        for report in case.sight.reports.values()
        if report.highest_epoch > case.record.epoch
    ]


def freeze_grants(case: Case) -> Decision:
    return alert(
        f"the record says epoch {case.record.epoch}, but {', '.join(_above(case))}: is the table old? "
        f"nothing is granted until `picoha adopt {case.sight.name} INSTANCE`"
    )


def slot_is_misdeclared(case: Case) -> bool:
    return bool(case.sight.problem)


def hold_misdeclared(case: Case) -> Decision:
    return hold(f"the slot's declaration is wrong: {case.sight.problem}")


def cell_is_unreadable(case: Case) -> bool:
    return any(isinstance(one, Unknown) for one in (case.sight.hosts, case.sight.group, case.sight.address))


def hold_unreadable(case: Case) -> Decision:
    reads = {"hosts": case.sight.hosts, "group": case.sight.group, "address": case.sight.address}
    failed = [f"{name} ({one.reason})" for name, one in reads.items() if isinstance(one, Unknown)]
    return hold(f"could not read {', '.join(failed)}; unknown is not dead")


def slot_is_parked(case: Case) -> bool:
    is_parked = case.group is not None and case.group.is_parked
    return is_parked and case.operation is None and not case.sight.requests


def slot_is_retired(case: Case) -> bool:
    return case.sight.group is None and case.operation is None and not case.sight.requests


def leave_parked(case: Case) -> Decision:
    return Decision(Answer.STEADY, "parked: the group's desired capacity is 0")


def leave_retired(case: Case) -> Decision:
    """A slot is retired once its hosts are gone; with one alive, its group's tags were lost."""
    owed = dict.fromkeys((*case.record.unfenced, *(host.instance for host in case.living)))
    if owed:
        alive, cell = ", ".join(owed), case.seen.cell
        sentence = (
            f"no group carries cell {cell} and slot {case.sight.name}, but {alive} is not proven off: "
            "its tags were lost, or it was deleted before its hosts"
        )
        is_alive = any(host.state not in GOING_OR_GONE for host in case.living)
        return alert(sentence) if is_alive and case.record.is_armed else hold(sentence)
    return Decision(Answer.STEADY, "no Auto Scaling group carries this slot any more; its record is kept")


def arming_differs(case: Case) -> bool:
    return case.sight.record is not None and case.record.is_armed != case.is_armed and case.operation is None


def rearm(case: Case) -> Decision:
    """The gate on the host follows mode and tag, before anything is begun; pinned to the mode read."""
    word = "armed" if case.is_armed else "open"
    record = replace(case.record, is_armed=case.is_armed)
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
