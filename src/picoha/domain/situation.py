"""One observation of a cell, and the questions the rules ask of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from picoha.domain.model import (
    GOING_OR_GONE,
    SHOWN_BY_AWS,
    Address,
    Evidence,
    EvidenceKind,
    Host,
    InstanceId,
    InstanceState,
    Kind,
    Member,
    Report,
    ScalingGroup,
    Unknown,
)
from picoha.domain.observation import Observation, SlotObservation, _is_in_use, _kind
from picoha.domain.policy import Policy
from picoha.domain.record import (
    Assignment,
    Mode,
    Operation,
    Pause,
    Phase,
    SlotRecord,
    Step,
)


@dataclass(frozen=True)
class Situation:
    """One slot's sight in its cell, with the policy: what every rule looks at."""

    seen: Observation
    observed: SlotObservation
    policy: Policy

    @property
    def now(self) -> datetime:
        return self.seen.now

    @cached_property
    def record(self) -> SlotRecord:
        """The slot's record; an empty one (version 0) while there is none."""
        return self.observed.record or SlotRecord(slot=self.observed.name)

    @property
    def operation(self) -> Operation | None:
        return self.record.operation

    @cached_property
    def is_platform(self) -> bool:
        """True for the slot of kind platform; falls back to the record when the tags are gone."""
        return _kind(self.observed) is Kind.PLATFORM

    @cached_property
    def hosts(self) -> tuple[Host, ...]:
        """The slot's hosts, none while they are unknown (guards hold before that matters)."""
        return () if isinstance(self.observed.hosts, Unknown) else self.observed.hosts

    @cached_property
    def living(self) -> tuple[Host, ...]:
        """Hosts that EC2 does not call terminated."""
        return tuple(host for host in self.hosts if not host.is_terminated)

    @cached_property
    def group(self) -> ScalingGroup | None:
        return self.observed.group if isinstance(self.observed.group, ScalingGroup) else None

    @cached_property
    def address(self) -> Address | None:
        return self.observed.address if isinstance(self.observed.address, Address) else None

    def host(self, instance: InstanceId | None) -> Host | None:
        """The host with this id, or None when EC2 does not show it."""
        return next((host for host in self.hosts if host.instance == instance), None)

    def member(self, instance: InstanceId | None) -> Member | None:
        return self.group.member(instance) if self.group else None

    def report(self, instance: InstanceId | None) -> Report | None:
        return self.observed.reports.get(instance) if instance else None

    def fresh_report(self, instance: InstanceId | None) -> Report | None:
        """The host's report, if its agent wrote it lately enough to count as a sign of life."""
        report = self.report(instance)
        return report if report and self.is_recent(report.at, self.fresh_for(report)) else None

    def fresh_for(self, report: Report | None) -> timedelta:
        """How old a sign of life may be: three reports where the agent reports seldom (design.md 8)."""
        return max(self.policy.fresh_within, 3 * report.period if report else timedelta(0))

    def is_recent(self, at: datetime, within: timedelta) -> bool:
        """True for a time at most `within` ago; one from the future is a wrong clock, not a sign of life."""
        return -self.policy.fresh_within <= self.now - at <= within

    @cached_property
    def pause(self) -> Pause | None:
        """The pause in force here: the slot's own or the cell's, with the soft end of design.md 6."""
        for key in (self.observed.name, "*"):
            pause = self.seen.mode.pauses.get(key)
            if pause and self.now < pause.until + self.policy.pause_observe:
                return pause
        return None

    @cached_property
    def is_armed(self) -> bool:
        """True when picos here start only with a grant: slot fenceable and mode enforce."""
        is_fenceable = self.observed.spec is not None and self.observed.spec.fenceable
        return is_fenceable and self.seen.mode.mode is Mode.ENFORCE

    @cached_property
    def may_take(self) -> bool:
        """True when an open operation may send taking calls."""
        return self.is_armed

    @cached_property
    def candidates(self) -> tuple[Host, ...]:
        """Hosts that could be the next holder: running members, held or in service, not proven bad."""
        op = self.operation
        excluded = set(op.victims if op else ()) | set(self.record.unfenced)
        return tuple(
            host
            for host in self.hosts
            if host.state is InstanceState.RUNNING
            and host.instance not in excluded
            and (member := self.member(host.instance))
            and (member.is_held or member.lifecycle in ("InService", "Pending:Proceed"))
        )

    @cached_property
    def holder_is_proven_off(self) -> bool:
        """True once the recorded holder has evidence (it left the list of unfenced grantees)."""
        return self.record.holder is not None and self.record.holder not in self.record.unfenced

    def proof_of(self, instance: InstanceId) -> Evidence | None:
        """Return what AWS shows that proves the host off, or None; nothing else counts (design.md 6)."""
        host = self.host(instance)
        if host is not None and host.is_terminated:
            kind = EvidenceKind.POWER
        elif host is None and instance in self.observed.departed:
            kind = EvidenceKind.ACTIVITY
        else:
            return None
        return Evidence(instance, self.observed.name, kind, self.now, SHOWN_BY_AWS[kind])

    @cached_property
    def platform(self) -> Situation | None:
        """The case of the cell's Platform slot, or None when the cell declares none.

        Where tags name several, it is the one that was granted: tags of a copy move nobody's names.
        """
        others = (Situation(self.seen, observed, self.policy) for observed in self.seen.slots)
        found = [other for other in others if other.is_platform]
        return max(found, key=lambda one: (_is_in_use(one.observed), one.record.epoch > 0), default=None)

    @cached_property
    def assignment(self) -> Assignment | None:
        """What this slot's host should be told, from the tags; None while they are wrong."""
        spec = self.observed.spec
        if spec is None:
            return None
        platform = self.platform
        address = platform.address if platform else None
        told = platform.record.assignment if platform else None
        return Assignment(
            kind=spec.kind,
            hostname=spec.hostname,
            container=spec.container,
            picos=spec.picos,
            platform_hostname=_hostname(platform) if platform else "",
            platform_address=address.public_ip if address else (told.platform_address if told else None),
            tests=tuple(
                str(dependency) for dependency in spec.depends_on if dependency.scheme in ("tcp", "mount")
            ),
        )

    @property
    def is_parked_in_operation(self) -> bool:
        """True while an operation waits for a host that desired 0 keeps away: it blocks nobody else."""
        op, group = self.operation, self.group
        is_waiting = op is not None and op.step is Step.AWAITING_HOST
        return is_waiting and group is not None and group.is_parked

    @property
    def renewed_assignment(self) -> Assignment | None:
        """What to write as assignment: the tags', unless they change a granted hostname (H18)."""
        old, new = self.record.assignment, self.assignment
        is_renamed = old is not None and new is not None and old.hostname != new.hostname
        return old if new is None or (is_renamed and self.record.epoch > 0) else new

    def is_gone(self, instance: InstanceId | None) -> bool:
        """True when EC2 shows the host going or gone, or neither EC2 nor the group shows it."""
        host = self.host(instance)
        if host is None:
            return self.member(instance) is None
        return host.state in GOING_OR_GONE

    def in_step_for(self, op: Operation) -> timedelta:
        """How long the operation has been in its present step."""
        return self.now - op.step_at


def _hostname(platform: Situation) -> str:
    """The Platform's name: from its tags, or as it was last assigned while they are wrong."""
    if platform.observed.spec is not None:
        return platform.observed.spec.hostname
    told = platform.record.assignment
    return told.hostname if told else ""


def is_active(record: SlotRecord) -> bool:
    """True for a record with a verified holder and no operation."""
    return record.phase is Phase.ACTIVE and record.operation is None


def needs_operator(situation: Situation) -> bool:
    """True while the slot's operation waits for a human."""
    op = situation.operation
    return op is not None and op.step is Step.NEEDS_OPERATOR
