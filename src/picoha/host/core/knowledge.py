"""What one agent knows: its record, its picos, its names, and what it keeps on disk.

Everything that looks is here; nothing here starts or stops a pico.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from picoha.domain.health import Health, Profile
from picoha.domain.hostnames import (
    Deployment,
    HostnameProblem,
    hosts_entries,
    kind_of,
    property_names,
    static_problem,
)
from picoha.domain.model import AgentPhase, Kind, NamesReading, PicoReading, Report
from picoha.domain.record import Assignment, SlotRecord
from picoha.host.core import names
from picoha.host.core.ports import (
    AgentPorts,
    BreakGlass,
    CloudUnreachable,
    Identity,
    NoRecord,
    NotUnderstood,
    SavedState,
)
from picoha.host.core.probe import Tally, ask, health_of


@dataclass(frozen=True)
class AgentSettings:
    """What a site may change; times in seconds, `idle_looks` and `report_every` in cycles.

    `every_s` is the time between two reports, which the controller must know to call a host silent.
    """

    version: str = ""
    profile: Profile = Profile.VENDOR
    deployment: str = Deployment.AWS
    slow_retry_s: float = 60
    names_every_s: float = 300
    idle_looks: int = 6
    report_every: int = 1
    every_s: int = 10
    witness_timeout_s: float = 3
    rcp_port: int = 6790


class HostState:
    """The facts of one host, renewed every cycle. `phase` and `problem` are the agent's to set."""

    def __init__(self, identity: Identity, ports: AgentPorts, settings: AgentSettings) -> None:
        self.identity = identity
        self.ports = ports
        self.settings = settings
        self.kept = self._recall()
        self.phase = AgentPhase.WAITING
        self.problem = ""
        self.remark = ""
        self.doubt = ""
        self.glass: BreakGlass | None = None
        self.is_fresh = False
        self.picos: Mapping[str, PicoReading] = {}
        self.names: NamesReading | None = None
        self.leaving_at: datetime | None = None
        self.told: Report | None = None
        self._untold = 0
        self._tally = Tally()
        self._tests: Mapping[str, bool] = {}
        self._reaches: bool | None = None
        self._names_at: float | None = None
        self._names_of: Assignment | None = None
        self._disk_problem = ""
        self._looks = 0

    def _recall(self) -> SavedState:
        kept = self.ports.disk.load()
        me = self.identity
        if kept is None or (kept.slot, kept.instance) != (me.slot, me.instance):
            return SavedState(me.slot, me.instance)
        return kept if kept.boot_id == me.boot_id else replace(kept, is_started=False)

    @property
    def record(self) -> SlotRecord | None:
        """The last record understood on this host."""
        return self.kept.record

    @property
    def assignment(self) -> Assignment | None:
        """What this host is to be, as far as it was ever told."""
        return self.kept.record.assignment if self.kept.record else None

    @property
    def health(self) -> Health:
        """The health of the host at the last look."""
        return health_of(self.picos)

    @property
    def are_picos_up(self) -> bool:
        """True if any pico gave a good answer at the last look."""
        return any(pico.health.is_good for pico in self.picos.values())

    @property
    def is_healthy(self) -> bool:
        """True if every pico gave a good answer at the last look."""
        return self.health.is_good

    def script_environment(self) -> dict[str, str]:
        """Return what hooks and scripts are told about the slot (design.md 8)."""
        assignment, me = self.assignment, self.identity
        return {
            "PICOHA_CELL": me.cell,
            "PICOHA_SLOT": me.slot,
            "PICOHA_KIND": assignment.kind if assignment else "",
            "PICOHA_EPOCH": str(self.kept.epoch),
            "PICOHA_INSTANCE": me.instance,
            "PICOHA_CONTAINER": assignment.container if assignment else "",
        }

    def keep(self, **changes: Any) -> bool:
        """Change what is kept on disk; False if the disk refused, and then nothing may start."""
        kept = replace(self.kept, **changes)
        if kept == self.kept and not self._disk_problem:
            return True
        self.kept = kept
        try:
            self.ports.disk.save(kept)
            self._disk_problem = ""
        except OSError as problem:
            self._disk_problem = f"this host's own disk refused: {problem}"
        return not self._disk_problem

    def read(self) -> None:
        """Read the slot's record; one that is unreachable or not understood leaves the last one."""
        self.glass = self.ports.break_glass() if self.ports.break_glass else None
        answer = self.ports.cloud.read_slot()
        self.is_fresh = not isinstance(answer, CloudUnreachable | NotUnderstood)
        self.doubt = ""
        if isinstance(answer, CloudUnreachable):
            self.doubt = f"the table does not answer: {answer.reason}"
        elif isinstance(answer, NotUnderstood):
            self.doubt = f"the record is not understood: {answer.reason}"
        elif isinstance(answer, NoRecord):
            self.keep(has_read=True, is_missing=True)
        else:
            self.keep(has_read=True, is_missing=False, record=answer)

    def look(self) -> None:
        """Ask the picos, the dependencies and the Platform's port, where it is time to."""
        assignment = self.assignment
        is_due = self._is_expected() or self._looks % self.settings.idle_looks == 0
        self._looks += 1
        if assignment is None:
            return
        if is_due:
            self.picos = ask(self.ports.scripts, assignment.picos, self.settings.profile)
            counts = self.phase in (AgentPhase.RUNNING, AgentPhase.OPEN, AgentPhase.START_FAILED)
            self._tally = self._tally.after(self.health, self.ports.clock.now(), counts)
            checks = self.ports.checks
            self._tests = dict(checks.run(assignment.tests)) if checks and assignment.tests else {}
        self._reaches = self._witness(assignment)

    def _is_expected(self) -> bool:
        record = self.record
        is_idle = self.phase in (AgentPhase.WAITING, AgentPhase.OFFLINE) and not self.are_picos_up
        return not is_idle or (record is not None and record.holder == self.identity.instance)

    def count_anew(self) -> None:
        """Forget the failed samples: a start just ended."""
        self._tally = replace(self._tally, failed_samples=0)

    def _witness(self, assignment: Assignment) -> bool | None:
        """Whether the Platform's RCP port answers; None where this host cannot tell."""
        name, address = assignment.platform_hostname, assignment.platform_address
        if kind_of(assignment) is Kind.PLATFORM or not address:
            return None
        # A host on which the name leads elsewhere, or nowhere, says nothing about the Platform.
        if self.ports.resolver.resolve(name) != address:
            return None
        settings = self.settings
        return self.ports.reach.connects(name, settings.rcp_port, settings.witness_timeout_s)

    def forget_names(self) -> None:
        """Forget the reading of the names: it was made under another grant."""
        self.names, self._names_at = None, None

    def are_names_due(self) -> bool:
        """Return True when the names should be looked at again: new assignment, or time is up."""
        if self._names_at is None or self._names_of != self.assignment:
            return True
        return self.ports.clock.monotonic() - self._names_at >= self.settings.names_every_s

    def check_names(self, assignment: Assignment, may_write: bool) -> bool:
        """Write the managed block if allowed, verify through the resolver, and remember the reading."""
        self._names_at, self._names_of = self.ports.clock.monotonic(), assignment
        own, where = self.identity.private_ip, self.settings.deployment
        try:
            self._refuse_new_names(assignment)
            entries = hosts_entries(assignment, own, where)
            if may_write:
                names.apply(self.ports.hosts_file, entries)
        except (HostnameProblem, OSError) as problem:
            self.names = NamesReading(False, str(problem))
            return False
        self.names = names.verify(assignment, own, self.ports.resolver, self.ports.properties, where)
        if self.names.are_right and may_write:
            self.keep(hostnames=tuple(property_names(assignment).values()))
        return self.names.are_right

    def _refuse_new_names(self, assignment: Assignment) -> None:
        given = property_names(assignment).values()
        for registered, name in zip(self.kept.hostnames, given, strict=False):
            if problem := static_problem(registered, name):
                raise HostnameProblem(problem)

    def readiness_problem(self, assignment: Assignment) -> str:
        """Return why no pico may start on this host yet, or "" (domain.md T6, F42)."""
        checks = self.ports.checks
        container = checks.container() if checks else None
        if container is not None and container != assignment.container:
            return f"MZ_CONTAINER is {container} on this host, the slot's is {assignment.container}"
        away = [test for test, is_up in self._tests.items() if test.startswith("mount:") and not is_up]
        return f"{', '.join(away)} does not answer" if away else self._disk_problem

    def tell(self) -> Report:
        """Write the report if it says anything new, or if it is time to; return it in any case."""
        report = self.report()
        self._untold += 1
        is_news = self.told is None or replace(report, at=self.told.at) != self.told
        is_due = is_news or self._untold >= self.settings.report_every
        if is_due and self.ports.cloud.put_report(report):
            self.told, self._untold = report, 0
        return report

    def report(self) -> Report:
        """Return all this host knows, at this instant."""
        kept, tally = self.kept, self._tally
        glass = str(self.glass) if self.glass else ""
        said = (glass, self.problem, self.remark, self._disk_problem)
        return Report(
            instance=self.identity.instance,
            slot=self.identity.slot,
            boot_id=self.identity.boot_id,
            at=self.ports.clock.now(),
            phase=self.phase,
            epoch=kept.epoch,
            highest_epoch=kept.highest_epoch,
            picos=self.picos,
            names=self.names,
            healthy_since=tally.healthy_since,
            failed_samples=tally.failed_samples,
            unknown_since=tally.unknown_since,
            reaches_platform=self._reaches,
            leaving_at=self.leaving_at,
            order_seen=kept.order_seen,
            order_done=kept.order_done,
            order_result=kept.order_result,
            starts=kept.starts,
            platform_key=kept.platform_key,
            tests=self._tests,
            problem="; ".join(dict.fromkeys(one for one in said if one)),
            version=self.settings.version,
            every_s=self.settings.every_s,
        )
