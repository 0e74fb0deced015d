"""What was seen of a cell at one instant, slot by slot; the only thing that a decision is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from picoha.domain.model import (
    Address,
    Host,
    InstanceId,
    Kind,
    Report,
    Sample,
    ScalingGroup,
    SlotName,
    SlotSpec,
    Unknown,
)
from picoha.domain.record import (
    Brake,
    ModeRecord,
    Request,
    SlotRecord,
    Step,
)


@dataclass(frozen=True)
class SlotObservation:
    """All that was seen of one slot; `None` means "there is none", `Unknown` "could not be read"."""

    name: SlotName
    spec: SlotSpec | None = None
    problem: str = ""
    group: ScalingGroup | Unknown | None = None
    hosts: tuple[Host, ...] | Unknown = ()
    address: Address | Unknown | None = None
    record: SlotRecord | None = None
    newer: str = ""
    reports: Mapping[InstanceId, Report] = field(default_factory=dict)
    metric: Sample | Unknown | None = None
    departed: frozenset[InstanceId] = frozenset()
    dependencies: Mapping[str, bool | Unknown] = field(default_factory=dict)
    requests: tuple[Request, ...] = ()


@dataclass(frozen=True)
class Observation:
    """One cell at one instant `now`; the only thing a decision is made from."""

    now: datetime
    cell: str
    slots: tuple[SlotObservation, ...]
    mode: ModeRecord = field(default_factory=ModeRecord)
    brake: Brake = field(default_factory=Brake)
    memory: Unknown | None = None
    tick: Sample | Unknown | None = None

    def slot(self, name: SlotName) -> SlotObservation:
        """The sight of one slot; raises KeyError for a name that was not observed."""
        for slot in self.slots:
            if slot.name == name:
                return slot
        raise KeyError(name)


def with_one_platform(observed_slots: Sequence[SlotObservation]) -> tuple[SlotObservation, ...]:
    """Return the sights with a problem where the tags declare a second Platform (design.md 1).

    The one that was granted goes on; where that does not tell them apart, all are held.
    """
    claims = [slot for slot in observed_slots if _kind(slot) is Kind.PLATFORM and _is_in_use(slot)]
    granted = [claim.name for claim in claims if claim.record is not None and claim.record.epoch > 0]
    if len(claims) < 2:
        return tuple(observed_slots)
    names = ", ".join(claim.name for claim in claims)
    problem = f"the tags declare {len(claims)} slots of kind platform ({names}), and a cell runs one Platform"
    wrong = {claim.name for claim in claims if granted != [claim.name]}
    return tuple(
        replace(slot, problem=slot.problem or problem) if slot.name in wrong else slot
        for slot in observed_slots
    )


def _kind(observed: SlotObservation) -> Kind | None:
    """What the tags say, or the record where they are wrong or gone."""
    told = observed.record.assignment if observed.record else None
    return observed.spec.kind if observed.spec else getattr(told, "kind", None)


def _is_in_use(observed: SlotObservation) -> bool:
    """False for a slot that is retired: no tags, no operation, and no grantee without evidence."""
    record = observed.record
    return observed.spec is not None or (record is not None and bool(record.unfenced or record.operation))


def is_open(observed: SlotObservation) -> bool:
    """True while the slot has an operation that counts as in flight (not waiting for a human)."""
    op = observed.record.operation if observed.record else None
    return op is not None and op.step is not Step.NEEDS_OPERATOR
