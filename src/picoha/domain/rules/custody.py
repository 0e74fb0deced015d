"""Rules 5xx: adopt, grant for the first time, keep the record true (design.md 6)."""

from __future__ import annotations

from dataclasses import replace

from picoha.domain.actions import MoveAddress
from picoha.domain.decision import Answer, Change, Decision, Rule, alert, hold, wait
from picoha.domain.judging import gates
from picoha.domain.model import GOING_OR_GONE, Host, InstanceState
from picoha.domain.record import Phase, Step, Verb
from picoha.domain.rules.steps import begin, send_once
from picoha.domain.situation import Case, is_active


def is_unrecorded(case: Case) -> bool:
    return case.sight.record is None


def record_slot(case: Case) -> Decision:
    record = replace(case.record, is_armed=case.is_armed, assignment=case.assignment)
    sentence = f"slot {record.slot} is recorded; nobody holds it yet"
    change = Change(record=record, pins_mode=True, event="recorded")
    return Decision(Answer.UPKEEP, sentence, change=change, look_again_s=0.0)


def assignment_differs(case: Case) -> bool:
    return case.assignment is not None and case.record.assignment != case.assignment


def hostname_changed(case: Case) -> bool:
    old, new = case.record.assignment, case.assignment
    return old is not None and new is not None and case.record.epoch > 0 and old.hostname != new.hostname


def refuse_hostname(case: Case) -> Decision:
    old, new = case.record.assignment, case.assignment
    return hold(
        f"picoha:hostname is now {new.hostname if new else ''}, but the slot was granted as "
        f"{old.hostname if old else ''}; a hostname must never change (H18)"
    )


def reassign(case: Case) -> Decision:
    record = replace(case.record, assignment=case.renewed_assignment)
    change = Change(record=record, event="assigned")
    return Decision(Answer.UPKEEP, "the assignment follows the tags", change=change, look_again_s=0.0)


def is_ownerless(case: Case) -> bool:
    """Nobody holds the slot: never granted, or (in observe) the old holder is proven off."""
    record = case.record
    if record.operation is not None or record.unfenced:
        return False
    return record.phase is Phase.VACANT or (record.phase is Phase.ACTIVE and not record.is_armed)


def _contenders(case: Case) -> tuple[Host, ...]:
    """Living hosts of the slot, without those parked in the warm pool."""
    return tuple(
        host
        for host in case.living
        if not (member := case.member(host.instance)) or not member.lifecycle.startswith("Warmed:")
    )


def several_contend(case: Case) -> bool:
    return is_ownerless(case) and len(_contenders(case)) > 1


def page_contenders(case: Case) -> Decision:
    names = ", ".join(host.instance for host in _contenders(case))
    return alert(f"nobody holds the slot and several hosts live: {names}; nothing is granted (F38)")


def can_adopt(case: Case) -> bool:
    is_paused = case.is_armed and not gates.pause(case).is_open
    if not is_ownerless(case) or is_paused or len(_contenders(case)) != 1:
        return False
    host = _contenders(case)[0]
    member = case.member(host.instance)
    if member is not None and member.is_held:
        return False
    return _is_well(case, host) and _has_address(case, host)


def _is_well(case: Case, host: Host) -> bool:
    report = case.fresh_report(host.instance)
    return report is not None and report.is_healthy and report.failed_samples == 0


def _has_address(case: Case, host: Host) -> bool:
    return case.address is None or case.address.instance == host.instance


def adopt(case: Case) -> Decision:
    closed = gates.first_closed(case, (gates.dependencies, gates.platform_first))
    if closed:
        return hold(f"the adoption of {_contenders(case)[0].instance} waits: {closed.sentence}")
    host, record = _contenders(case)[0], case.record
    epoch = record.epoch + 1
    adopted = replace(
        record,
        epoch=epoch,
        holder=host.instance,
        phase=Phase.ACTIVE,
        unfenced=(host.instance,),
        granted_at=case.now,
        active_since=None,
        would_have="",
    )
    change = Change(record=adopted, grant=host.instance, pins_mode=True, event="adopted")
    sentence = f"{host.instance} runs healthy and alone; adopted as epoch {epoch}"
    return Decision(Answer.UPKEEP, sentence, change=change, look_again_s=0.0)


def first_launch_is_held(case: Case) -> bool:
    if not is_ownerless(case) or not case.is_armed or len(_contenders(case)) != 1:
        return False
    member = case.member(_contenders(case)[0].instance)
    return member is not None and member.is_held


def grant_first(case: Case) -> Decision:
    closed = gates.first_closed(case, gates.GIVING)
    if closed:
        return hold(f"the first launch waits: {closed.sentence}")
    reason = f"{_contenders(case)[0].instance} is the only host and is held in its launch hook"
    return begin(case, Verb.FIRST_GRANT, Step.AWAITING_HOST, reason)


def two_live(case: Case) -> bool:
    """A second host lives beside the active holder; a warm or going host does not count."""
    others = [host for host in _contenders(case) if host.instance != case.record.holder]
    has_holder = is_active(case.record) and not case.holder_is_proven_off
    return has_holder and any(host.state not in GOING_OR_GONE for host in others)


def page_two(case: Case) -> Decision:
    others = ", ".join(host.instance for host in _contenders(case) if host.instance != case.record.holder)
    return alert(
        f"{others} lives beside the holder {case.record.holder}; held and paged, neither is stopped (F38)"
    )


def address_is_missing(case: Case) -> bool:
    address, host = case.address, case.host(case.record.holder)
    if not is_active(case.record) or not case.is_armed or host is None:
        return False
    return case.is_platform if address is None else address.instance != host.instance


def mend_address(case: Case) -> Decision:
    """Give a free address back to its holder, in a pause not even that; elsewhere, it is only paged (F35)."""
    address, host = case.address, case.host(case.record.holder)
    if address is None:
        return hold("the Platform's Elastic IP is not there by its tags picoha:cell and picoha:slot")
    if host is None or host.interface is None:
        return hold(f"the interface of the holder {case.record.holder} is not seen")
    if not address.is_free:
        where = address.instance or address.interface
        return alert(f"{address.public_ip} is on {where}, not on the holder {host.instance}; it is not taken")
    held = gates.pause(case)
    if not held.is_open:
        return wait(f"{address.public_ip} is free and stays so: {held.sentence}", None)
    action = MoveAddress(address.allocation, host.interface, host.instance)
    sentence = f"{address.public_ip} is free and goes back to the holder {host.instance}"
    decision = send_once(case, sentence, action, event="address-mended")
    if str(action) not in case.record.sent:
        return decision
    return replace(decision, answer=Answer.HOLD, sentence=f"{sentence}, but is not seen there yet")


def nobody_holds(case: Case) -> bool:
    return is_ownerless(case) or case.record.phase is Phase.VACANT


def wait_for_holder(case: Case) -> Decision:
    owed = ", ".join(case.record.unfenced)
    if owed:
        return hold(f"nobody holds the slot, and {owed} is not proven off")
    if case.is_armed and any(host.state is InstanceState.RUNNING for host in _contenders(case)):
        return hold("nobody holds the slot; its host is neither held in a launch hook nor fit to be adopted")
    astray = [host for host in _contenders(case) if _is_well(case, host) and not _has_address(case, host)]
    if case.address is not None and astray:
        return hold(
            f"{astray[0].instance} runs healthy, but {case.address.public_ip} is not on it (ADR 0011)"
        )
    return wait("nobody holds the slot yet", None)


def always(_case: Case) -> bool:
    return True


def steady(case: Case) -> Decision:
    record = case.record
    return Decision(Answer.STEADY, f"{record.holder} holds epoch {record.epoch} and is well")


RULES: tuple[Rule, ...] = (
    Rule(501, "the slot is not recorded", is_unrecorded, record_slot),
    Rule(505, "the hostname was changed", hostname_changed, refuse_hostname),
    Rule(507, "the tags were changed", assignment_differs, reassign),
    Rule(511, "several hosts and no holder", several_contend, page_contenders),
    Rule(513, "one healthy host and no holder", can_adopt, adopt),
    Rule(515, "one held launch and no holder", first_launch_is_held, grant_first),
)
"""Asked before the operation rules: they keep the record, and act only where no operation is open."""

UPKEEP: tuple[Rule, ...] = (
    Rule(521, "a second host lives", two_live, page_two),
    Rule(523, "the address left the holder", address_is_missing, mend_address),
    Rule(531, "nobody holds the slot", nobody_holds, wait_for_holder),
    Rule(999, "nothing to do", always, steady),
)
"""Asked last, while the holder is well."""
