"""Every command of an operator in every state of a slot: which rule answers, and how.

The state is as an operator meets it: nobody hears from a host that is owed evidence, and the request names
the host that it is about. `make docs` writes the table into docs/rules.md, and a test holds the code to it.
"""

from __future__ import annotations

from dataclasses import replace

from builders import (
    EC1,
    EC2,
    NEW,
    a_host,
    a_record,
    a_replaced_sight,
    a_report,
    a_request,
    a_slot,
    a_vacant_record,
    decided,
    holder_of,
    in_failover,
)
from picoha.domain.model import InstanceId, InstanceState
from picoha.domain.observation import SlotObservation
from picoha.domain.record import RequestVerb, Step

ENDED = (Step.DONE, Step.ABORTED)
"""Steps that no open operation is in: `done` leaves the slot active, `aborted` vacant."""
STATES = ("active", "vacant", *(one.value for one in Step if one not in ENDED))
_RUNNING, _GOING, _GONE = InstanceState.RUNNING, InstanceState.SHUTTING_DOWN, InstanceState.TERMINATED


def sight_in(state: str, slot: str = EC1) -> SlotObservation:
    """Return the sight of a slot in a state: no operation, or one in this step."""
    if state == "active":
        return a_slot(slot, record=a_record(slot))
    if state == "vacant":
        owed = a_vacant_record(slot, epoch=1, unfenced=(holder_of(slot),))
        return a_slot(slot, record=owed, hosts=(a_host(slot, state=_GOING),), reports={})
    step = Step(state)
    if step is Step.DRAINING:
        return a_slot(slot, record=in_failover(slot, step))
    if step in (Step.FENCING, Step.NEEDS_OPERATOR):
        stuck_in = Step.FENCING if step is Step.NEEDS_OPERATOR else None
        record = in_failover(slot, step, stuck_in=stuck_in)
        return a_slot(slot, record=record, hosts=(a_host(slot, state=_GOING),), reports={})
    reports = {NEW: a_report(slot, NEW, epoch=2, highest_epoch=2)} if step is Step.VERIFYING else {}
    return a_replaced_sight(slot, in_failover(slot, step), reports=reports)


def _named(observed: SlotObservation, verb: RequestVerb) -> InstanceId | None:
    """Return the host that the request is about: one that is owed evidence, one that runs."""
    owed = observed.record.unfenced if observed.record else ()
    hosts = observed.hosts if isinstance(observed.hosts, tuple) else ()
    if verb is RequestVerb.CONFIRM_FENCED:
        return owed[0] if owed else holder_of(observed.name)
    return next((host.instance for host in hosts if host.state is _RUNNING), NEW)


def _is_going(observed: SlotObservation) -> bool:
    hosts = observed.hosts if isinstance(observed.hosts, tuple) else ()
    return any(host.state is _GOING for host in hosts)


def _others_that_connect_to_nobody(slot: str) -> tuple[SlotObservation, ...]:
    blind = (a_report(name, reaches_platform=False) for name in (EC1, EC2) if name != slot)
    return tuple(a_slot(one.slot, reports={one.instance: one}) for one in blind)


def edge(state: str, verb: RequestVerb, slot: str = EC1) -> str:
    """Return the rule that answers, how, and the slot's state after it; a refusal leaves it as it was."""
    observed = sight_in(state, slot)
    asked = replace(observed, requests=(a_request(verb, slot, instance=_named(observed, verb)),))
    decision = decided(asked, *(_others_that_connect_to_nobody(slot) if _is_going(observed) else ()))
    change = decision.change
    if change is None or change.consumes is None:
        return f"{decision.rule} {decision.answer}"
    op = change.record.operation
    after = op.step if op else change.record.phase
    return f"{decision.rule} {decision.answer}" + (f", {after}" if after != state else "")


def table() -> str:
    """Return the table as markdown: one row for each state, one column for each command."""
    verbs = tuple(RequestVerb)
    lines = [f"| the slot is | {' | '.join(verbs)} |", f"|---|{'---|' * len(verbs)}"]
    for state in STATES:
        lines.append(f"| {state} | {' | '.join(edge(state, verb) for verb in verbs)} |")
    return "\n".join(lines)


def listed(text: str) -> dict[tuple[str, str], str]:
    """Read the table back from a page that has it: (state, command) and what stands there."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    begin = next(n for n, row in enumerate(rows) if row[0] == "the slot is")
    verbs = rows[begin][1:]
    found: dict[tuple[str, str], str] = {}
    for row in rows[begin + 2 :]:
        if len(row) != len(verbs) + 1:
            break
        found |= {(row[0], verb): cell for verb, cell in zip(verbs, row[1:], strict=True)}
    return found
