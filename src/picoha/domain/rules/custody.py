"""Rules 5xx: adopt, grant for the first time, keep the record true (design.md 6)."""

from __future__ import annotations

from dataclasses import replace

from picoha.domain.actions import MoveAddress
from picoha.domain.decision import Answer, Change, Decision, Rule, alert, hold, wait
from picoha.domain.judging import gates
from picoha.domain.model import GOING_OR_GONE, Host, InstanceState
from picoha.domain.record import Phase, Step, Verb
from picoha.domain.rules.steps import begin, send_once
from picoha.domain.situation import Situation, is_active


def is_unrecorded(situation: Situation) -> bool:
    return situation.observed.record is None


def record_slot(situation: Situation) -> Decision:
    record = replace(situation.record, is_armed=situation.is_armed, assignment=situation.assignment)
    sentence = f"slot {record.slot} is recorded; nobody holds it yet"
    change = Change(record=record, pins_mode=True, event="recorded")
    return Decision(Answer.UPKEEP, sentence, change=change, look_again_s=0.0)


def assignment_differs(situation: Situation) -> bool:
    return situation.assignment is not None and situation.record.assignment != situation.assignment


def hostname_changed(situation: Situation) -> bool:
    old, new = situation.record.assignment, situation.assignment
    return old is not None and new is not None and situation.record.epoch > 0 and old.hostname != new.hostname


def refuse_hostname(situation: Situation) -> Decision:
    old, new = situation.record.assignment, situation.assignment
    return hold(
        f"picoha:hostname is now {new.hostname if new else ''}, but the slot was granted as "
        f"{old.hostname if old else ''}; a hostname must never change (H18)"
    )


def reassign(situation: Situation) -> Decision:
    record = replace(situation.record, assignment=situation.renewed_assignment)
    change = Change(record=record, event="assigned")
    return Decision(Answer.UPKEEP, "the assignment follows the tags", change=change, look_again_s=0.0)


def is_ownerless(situation: Situation) -> bool:
    """Nobody holds the slot: never granted, or (in observe) the old holder is proven off."""
    record = situation.record
    if record.operation is not None or record.unfenced:
        return False
    return record.phase is Phase.VACANT or (record.phase is Phase.ACTIVE and not record.is_armed)


def _contenders(situation: Situation) -> tuple[Host, ...]:
    """Living hosts of the slot, without those parked in the warm pool."""
    return tuple(
        host
        for host in situation.living
        if not (member := situation.member(host.instance)) or not member.lifecycle.startswith("Warmed:")
    )


def several_contend(situation: Situation) -> bool:
    return is_ownerless(situation) and len(_contenders(situation)) > 1


def page_contenders(situation: Situation) -> Decision:
    names = ", ".join(host.instance for host in _contenders(situation))
    return alert(f"nobody holds the slot and several hosts live: {names}; nothing is granted (F38)")


def can_adopt(situation: Situation) -> bool:
    is_paused = situation.is_armed and not gates.pause(situation).is_open
    if not is_ownerless(situation) or is_paused or len(_contenders(situation)) != 1:
        return False
    host = _contenders(situation)[0]
    member = situation.member(host.instance)
    if member is not None and member.is_held:
        return False
    return _is_well(situation, host) and _has_address(situation, host)


def _is_well(situation: Situation, host: Host) -> bool:
    report = situation.fresh_report(host.instance)
    return report is not None and report.is_healthy and report.failed_samples == 0


def _has_address(situation: Situation, host: Host) -> bool:
    return situation.address is None or situation.address.instance == host.instance


def adopt(situation: Situation) -> Decision:
    closed = gates.first_closed(situation, (gates.dependencies, gates.platform_first))
    if closed:
        return hold(f"the adoption of {_contenders(situation)[0].instance} waits: {closed.sentence}")
    host, record = _contenders(situation)[0], situation.record
    epoch = record.epoch + 1
    adopted = replace(
        record,
        epoch=epoch,
        holder=host.instance,
        phase=Phase.ACTIVE,
        unfenced=(host.instance,),
        granted_at=situation.now,
        active_since=None,
        would_have="",
    )
    change = Change(record=adopted, grant=host.instance, pins_mode=True, event="adopted")
    sentence = f"{host.instance} runs healthy and alone; adopted as epoch {epoch}"
    return Decision(Answer.UPKEEP, sentence, change=change, look_again_s=0.0)


def first_launch_is_held(situation: Situation) -> bool:
    if not is_ownerless(situation) or not situation.is_armed or len(_contenders(situation)) != 1:
        return False
    member = situation.member(_contenders(situation)[0].instance)
    return member is not None and member.is_held


def grant_first(situation: Situation) -> Decision:
    closed = gates.first_closed(situation, gates.GIVING)
    if closed:
        return hold(f"the first launch waits: {closed.sentence}")
    reason = f"{_contenders(situation)[0].instance} is the only host and is held in its launch hook"
    return begin(situation, Verb.FIRST_GRANT, Step.AWAITING_HOST, reason)


def two_live(situation: Situation) -> bool:
    """A second host lives beside the active holder; a warm or going host does not count."""
    others = [host for host in _contenders(situation) if host.instance != situation.record.holder]
    has_holder = is_active(situation.record) and not situation.holder_is_proven_off
    return has_holder and any(host.state not in GOING_OR_GONE for host in others)


def page_two(situation: Situation) -> Decision:
    others = ", ".join(
        host.instance for host in _contenders(situation) if host.instance != situation.record.holder
    )
    return alert(
        f"{others} lives beside the holder {situation.record.holder}; held and paged, "
        "neither is stopped (F38)"
    )


def address_is_missing(situation: Situation) -> bool:
    address, host = situation.address, situation.host(situation.record.holder)
    if not is_active(situation.record) or not situation.is_armed or host is None:
        return False
    return situation.is_platform if address is None else address.instance != host.instance


def mend_address(situation: Situation) -> Decision:
    """Give a free address back to its holder, in a pause not even that; elsewhere, it is only paged (F35)."""
    address, host = situation.address, situation.host(situation.record.holder)
    if address is None:
        return hold("the Platform's Elastic IP is not there by its tags picoha:cell and picoha:slot")
    if host is None or host.interface is None:
        return hold(f"the interface of the holder {situation.record.holder} is not seen")
    if not address.is_free:
        where = address.instance or address.interface
        return alert(f"{address.public_ip} is on {where}, not on the holder {host.instance}; it is not taken")
    held = gates.pause(situation)
    if not held.is_open:
        return wait(f"{address.public_ip} is free and stays so: {held.sentence}", None)
    action = MoveAddress(address.allocation, host.interface, host.instance)
    sentence = f"{address.public_ip} is free and goes back to the holder {host.instance}"
    decision = send_once(situation, sentence, action, event="address-mended")
    if str(action) not in situation.record.sent:
        return decision
    return replace(decision, answer=Answer.HOLD, sentence=f"{sentence}, but is not seen there yet")


def nobody_holds(situation: Situation) -> bool:
    return is_ownerless(situation) or situation.record.phase is Phase.VACANT


def wait_for_holder(situation: Situation) -> Decision:
    owed = ", ".join(situation.record.unfenced)
    if owed:
        return hold(f"nobody holds the slot, and {owed} is not proven off")
    if situation.is_armed and any(host.state is InstanceState.RUNNING for host in _contenders(situation)):
        return hold("nobody holds the slot; its host is neither held in a launch hook nor fit to be adopted")
    astray = [
        host
        for host in _contenders(situation)
        if _is_well(situation, host) and not _has_address(situation, host)
    ]
    if situation.address is not None and astray:
        return hold(
            f"{astray[0].instance} runs healthy, but {situation.address.public_ip} is not on it (ADR 0011)"
        )
    return wait("nobody holds the slot yet", None)


def always(_situation: Situation) -> bool:
    return True


def steady(situation: Situation) -> Decision:
    record = situation.record
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
