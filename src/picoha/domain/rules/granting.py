"""Rules 33x and 34x: the address, the launch, the grant, in this order (design.md 6)."""

from __future__ import annotations

from dataclasses import replace

from picoha.domain.actions import FreeAddress, MoveAddress, ReleaseLaunch
from picoha.domain.decision import Decision, Rule, alert, hold, wait
from picoha.domain.model import Address, InstanceId
from picoha.domain.record import Phase, Step
from picoha.domain.rules.steps import in_step, is_late, moved, opened, send, stepped, stuck, to_step
from picoha.domain.situation import Situation


def address_is_settled(situation: Situation) -> bool:
    """A slot may have no address, the Platform's must have one (design.md 3): every name leads to it."""
    if not in_step(situation, Step.ADDRESSING):
        return False
    return (
        not situation.is_platform
        if situation.address is None
        else _is_on_target(situation, situation.address)
    )


def _is_on_target(situation: Situation, address: Address) -> bool:
    host = situation.host(opened(situation).target)
    return host is not None and address.instance == host.instance and address.interface == host.interface


def leave_addressing(situation: Situation) -> Decision:
    op, address = opened(situation), situation.address
    said = f"{address.public_ip} is on {op.target}" if address else "the slot has no Elastic IP"
    return to_step(situation, Step.RELEASING, "address-moved", f"{said}; its launch is released")


def address_is_on_victim(situation: Situation) -> bool:
    address = situation.address
    is_in_time = in_step(situation, Step.ADDRESSING) and not is_late(situation, Step.ADDRESSING)
    if not is_in_time or address is None or address.instance is None:
        return False
    return address.instance in opened(situation).victims and address.instance not in situation.record.unfenced


def free_address(situation: Situation) -> Decision:
    address = situation.address
    if address is None or address.association is None or address.instance is None:
        return wait("the address was freed meanwhile")
    if not situation.may_take:
        return hold("the address is on a proven dead victim, and taking it needs mode enforce")
    return send(
        situation,
        f"{address.public_ip} is still on the proven victim {address.instance}",
        [FreeAddress(address.association, address.instance)],
    )


def address_is_elsewhere(situation: Situation) -> bool:
    address = situation.address
    return in_step(situation, Step.ADDRESSING) and address is not None and not address.is_free


def page_for_address(situation: Situation) -> Decision:
    address = situation.address
    where = (address.instance or address.interface) if address else None
    return alert(
        f"the address is on {where}, which is neither victim nor target; it is never taken from there"
    )


def address_is_late(situation: Situation) -> bool:
    return is_late(situation, Step.ADDRESSING)


def page_late_address(situation: Situation) -> Decision:
    op, address = opened(situation), situation.address
    seen = (address.instance or address.interface or "free") if address else "not there by its tags"
    sentence = f"the address was not seen on {op.target}; it is {seen}"
    return stuck(situation, sentence, f"picoha why {situation.observed.name}")


def is_addressing(situation: Situation) -> bool:
    return in_step(situation, Step.ADDRESSING)


def move_address(situation: Situation) -> Decision:
    address, host = situation.address, situation.host(opened(situation).target)
    if address is None:
        return hold("the Platform's Elastic IP is not there by its tags picoha:cell and picoha:slot")
    if host is None or host.interface is None:
        return wait("the target's network interface is not seen yet")
    return send(
        situation,
        f"{address.public_ip} goes to {host.instance}",
        [MoveAddress(address.allocation, host.interface, host.instance)],
    )


def target_is_in_service(situation: Situation) -> bool:
    member = situation.member(opened(situation).target) if in_step(situation, Step.RELEASING) else None
    return member is not None and member.is_in_service and not _others_alive(situation)


def _others_alive(situation: Situation) -> list[InstanceId]:
    """Hosts of the slot that may run its picos without ever having been granted it (an open gate)."""
    op = opened(situation)
    return [
        host.instance
        for host in situation.living
        if host.instance != op.target
        and host.instance not in op.victims
        and not ((member := situation.member(host.instance)) and member.lifecycle.startswith("Warmed:"))
    ]


def grant(situation: Situation) -> Decision:
    """Grant epoch+1. Every earlier grantee has evidence, or this rule does not write (safety S2)."""
    op, record = opened(situation), situation.record
    if record.unfenced:
        return alert(f"{', '.join(record.unfenced)} has no evidence; the grant is refused")
    if op.target is None:
        return alert("the operation has no target")
    epoch = record.epoch + 1
    change = moved(situation, Step.VERIFYING, "granted")
    granted = replace(
        change.record,
        epoch=epoch,
        holder=op.target,
        phase=Phase.GRANTED,
        unfenced=(op.target,),
        granted_at=situation.now,
        order=None,
        assignment=situation.renewed_assignment,
    )
    sentence = f"{op.target} is in service and is granted epoch {epoch}"
    return stepped(situation, sentence, replace(change, record=granted, grant=op.target, proven=op.victims))


def release_is_late(situation: Situation) -> bool:
    return is_late(situation, Step.RELEASING)


def page_late_release(situation: Situation) -> Decision:
    op = opened(situation)
    return stuck(situation, f"{op.target} did not get into service", f"picoha retry {op.id}")


def another_lives(situation: Situation) -> bool:
    return in_step(situation, Step.RELEASING) and bool(_others_alive(situation))


def wait_for_others(situation: Situation) -> Decision:
    others = _others_alive(situation)
    target = opened(situation).target
    sentence = f"{', '.join(others)} of this slot is not terminated; {target} is not granted before"
    return hold(sentence) if all(situation.is_gone(other) for other in others) else alert(sentence)


def is_releasing(situation: Situation) -> bool:
    return in_step(situation, Step.RELEASING)


def release(situation: Situation) -> Decision:
    target, group = opened(situation).target, situation.group
    member = situation.member(target)
    if target is None or group is None or member is None or not member.is_held:
        return wait(f"{target} is on its way into service")
    return send(situation, f"the launch of {target} is released", [ReleaseLaunch(group.name, target)])


RULES: tuple[Rule, ...] = (
    Rule(331, "the address is where it belongs", address_is_settled, leave_addressing),
    Rule(333, "the address is on a proven victim", address_is_on_victim, free_address),
    Rule(335, "the address is late", address_is_late, page_late_address),
    Rule(337, "the address is on somebody else", address_is_elsewhere, page_for_address),
    Rule(339, "the address is free", is_addressing, move_address),
    Rule(341, "the target is in service", target_is_in_service, grant),
    Rule(343, "the release is late", release_is_late, page_late_release),
    Rule(344, "another host of the slot lives", another_lives, wait_for_others),
    Rule(345, "the launch is held", is_releasing, release),
)
