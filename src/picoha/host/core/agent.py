"""The agent of one host: every cycle it reads, measures, follows the start gate, and reports.

One cycle never waits for a script; what runs is asked again in the next. Order matters in three
places: a grant is taken before names are written, names are verified before any pico starts, and
an order is stored and reported as seen before it is obeyed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from picoha.domain.health import Health, datapoint
from picoha.domain.model import AgentPhase, Pico, PicoType, Report
from picoha.domain.record import Assignment, Order, OrderVerb, SlotRecord
from picoha.host.core.gate import Entitlement, is_held, is_mine, may_start, stance, unlocked
from picoha.host.core.knowledge import AgentSettings, HostState
from picoha.host.core.ports import AgentPorts, BreakGlass, Identity, Refused, Taken
from picoha.host.core.starting import Purpose, Work, failed_picos

_STOPS = (Purpose.STOP, Purpose.DRAIN)


class Agent:
    """One host's agent. `cycle` is called every 10 s, `leave` once at an orderly shutdown."""

    def __init__(self, identity: Identity, ports: AgentPorts, settings: AgentSettings | None = None) -> None:
        self._known = HostState(identity, ports, settings or AgentSettings())
        self._ports = ports
        self._me = identity
        self._work: Work | None = None
        self._failed_start: tuple[int, str] | None = None
        self._hold: tuple[AgentPhase, str] = (AgentPhase.TAKEN, "")
        self._retry_at = 0.0
        self._glass: BreakGlass | None = None

    def cycle(self) -> Report:
        """Do one pass without waiting for any script, and return the report that was written."""
        known = self._known
        known.read()
        known.look()
        self._follow()
        record, value = known.record, datapoint(known.health)
        if record is not None and value is not None and is_mine(record, known.kept):
            self._ports.cloud.publish(value)
        return known.tell()

    def leave(self) -> Report:
        """Say that this host is being shut down in good order (design.md 5, `leaving`)."""
        self._known.leaving_at = self._ports.clock.now()
        return self._known.tell()

    # What the record means for this host.

    def _follow(self) -> None:
        known = self._known
        stand, reason = stance(known.kept, known.are_picos_up)
        known.problem = reason or known.doubt
        if known.glass and unlocked(stand, known.kept, known.is_fresh):
            stand = self._unlock(known.glass)
        if stand is Entitlement.LOST and not self._is_stopping():
            self._give_up()
        elif self._work is not None:
            self._go_on(self._work, stand)
        elif stand is not Entitlement.LOST and (order := self._due_order(stand)):
            self._obey(order, stand)
        else:
            self._stand(stand)

    def _unlock(self, glass: BreakGlass) -> Entitlement:
        if glass != self._glass:
            self._glass, self._failed_start, self._retry_at = glass, None, 0.0
        return Entitlement.UNLOCKED

    def _stand(self, stand: Entitlement) -> None:
        known, kept = self._known, self._known.kept
        if stand is Entitlement.MINE and known.record and known.assignment:
            self._hold_slot(known.record, known.assignment)
        elif stand is Entitlement.UNLOCKED and known.assignment:
            self._start_or_run(known.assignment, may_start=True)
        elif stand is Entitlement.OPEN:
            self._stay_open()
        elif stand is Entitlement.LOST:
            known.phase, known.problem = AgentPhase.STOPPING, self._hold[1]
        elif stand in (Entitlement.BEHIND, Entitlement.WITHHELD):
            known.phase = AgentPhase.RUNNING if kept.is_started else AgentPhase.WAITING
        else:
            known.phase = AgentPhase.OFFLINE if kept.highest_epoch else AgentPhase.WAITING

    def _stay_open(self) -> None:
        """Measure and report only: neither start nor stop, and leave the hosts file alone."""
        known = self._known
        record, assignment = known.record, known.assignment
        known.phase = AgentPhase.OPEN
        if record and is_mine(record, known.kept):
            self._has_taken(record)
        if assignment and known.are_names_due():
            known.check_names(assignment, may_write=False)

    def _hold_slot(self, record: SlotRecord, assignment: Assignment) -> None:
        known = self._known
        if known.kept.drained_epoch == record.epoch:
            known.phase = AgentPhase.STOPPING if known.kept.may_run else AgentPhase.OFFLINE
        elif not self._has_taken(record):
            known.phase = AgentPhase.WAITING
        else:
            self._start_or_run(assignment, known.is_fresh)

    def _start_or_run(self, assignment: Assignment, may_start: bool) -> None:
        known = self._known
        if known.kept.is_started or self._runs_already():
            self._run(assignment)
        elif self._failed_start and self._failed_start[0] == known.kept.epoch:
            known.phase, known.problem = AgentPhase.START_FAILED, self._failed_start[1]
        elif not may_start or not self._is_ready(assignment):
            known.phase, known.problem = self._hold[0], known.problem or self._hold[1]
        else:
            self._begin(Purpose.START, assignment.picos)

    def _run(self, assignment: Assignment) -> None:
        known, kept = self._known, self._known.kept
        known.phase = AgentPhase.RUNNING
        if known.are_names_due():
            known.check_names(assignment, may_write=True)
        # Services of SCs are stale after every Platform start, and only then (domain.md F23).
        if kept.platform_key != kept.republished_key and known.is_healthy and known.is_fresh:
            self._begin(Purpose.REPUBLISH, ())

    def _has_taken(self, record: SlotRecord) -> bool:
        """Take the grant unless it was taken in this boot; the record must still say so (S1)."""
        known = self._known
        if is_held(known.kept, record, self._me.boot_id):
            return True
        if not known.is_fresh:
            return False
        report = replace(known.report(), epoch=record.epoch, phase=AgentPhase.TAKEN)
        answer = self._ports.cloud.take(record, report)
        if not isinstance(answer, Taken):
            word = "was refused" if isinstance(answer, Refused) else "could not be taken"
            known.problem = f"the grant of epoch {record.epoch} {word}: {answer.reason}"
            return False
        self._hold, self._retry_at, self._failed_start = (AgentPhase.TAKEN, ""), 0.0, None
        known.forget_names()
        known.keep(
            epoch=record.epoch,
            highest_epoch=max(record.epoch, known.kept.highest_epoch),
            boot_id=self._me.boot_id,
            is_started=False,
            may_run=True,
        )
        return True

    def _runs_already(self) -> bool:
        """Whether every pico answers although nothing was started under this grant."""
        known = self._known
        if not known.is_healthy:
            return False
        known.forget_names()
        self._note_start()
        return True

    def _is_ready(self, assignment: Assignment) -> bool:
        """Names first, then what else must be true before any pico starts; retried slowly."""
        known = self._known
        now = self._ports.clock.monotonic()
        if now < self._retry_at:
            return False
        self._retry_at = now + known.settings.slow_retry_s
        if not known.check_names(assignment, may_write=True):
            self._hold = AgentPhase.NAMES_WRONG, known.names.problem if known.names else ""
            return False
        self._hold = AgentPhase.TAKEN, known.readiness_problem(assignment)
        return not self._hold[1]

    # Scripts under way.

    def _begin(self, purpose: Purpose, picos: Sequence[Pico], order: Order | None = None) -> None:
        """Begin scripts; callers start picos only on a record just read, or with broken glass."""
        known = self._known
        known.remark = ""
        if purpose not in _STOPS and any(pico.type is PicoType.PLATFORM for pico in picos):
            known.keep(platform_key=f"{self._me.boot_id}/{known.kept.starts + 1}")
        scripts, clock = self._ports.scripts, self._ports.clock
        self._work = Work(scripts, clock, known.script_environment(), purpose, known.kept.epoch, picos, order)
        self._show_or_end(self._work, self._work.advance(may_start=True))

    def _go_on(self, work: Work, stand: Entitlement) -> None:
        known = self._known
        may_go_on = self._may_start(stand, work.order)
        is_over = work.advance(may_go_on and (known.is_fresh or stand is Entitlement.UNLOCKED))
        if is_over or work.is_running or may_go_on or not known.is_fresh:
            self._show_or_end(work, is_over)
            return
        self._work = None
        if work.order:
            self._close(work.order, f"given up: {known.problem or f'the gate is {stand}'}")
        self._stand(stand)

    def _may_start(self, stand: Entitlement, order: Order | None) -> bool:
        return may_start(stand, self._known.kept, self._me.boot_id, order is not None)

    def _show_or_end(self, work: Work, is_over: bool) -> None:
        known = self._known
        if work.purpose is not Purpose.REPUBLISH:
            known.phase = AgentPhase.STOPPING if work.purpose in _STOPS else AgentPhase.STARTING
        if not is_over:
            return
        self._work = None
        known.remark = "; ".join(work.remarks)
        if work.purpose is Purpose.REPUBLISH:
            known.keep(republished_key=known.kept.platform_key)
        elif work.purpose in _STOPS:
            self._after_stop(work)
        else:
            self._after_start(work)
        if work.order:
            self._close(work.order, work.problem)

    def _after_start(self, work: Work) -> None:
        known = self._known
        known.count_anew()
        if work.problem:
            self._failed_start = work.epoch, work.problem
            known.keep(is_started=False)
            known.phase, known.problem = AgentPhase.START_FAILED, work.problem
            return
        self._note_start()
        known.phase = AgentPhase.RUNNING
        # A restart that was asked for before this start has been had.
        if work.order is None and (asked := self._asked()) and asked.verb is OrderVerb.RESTART:
            self._close(asked, "")

    def _note_start(self) -> None:
        self._failed_start = None
        self._known.keep(is_started=True, may_run=True, starts=self._known.kept.starts + 1)

    def _is_stopping(self) -> bool:
        if self._work is not None:
            return self._work.purpose in _STOPS
        return self._known.phase is AgentPhase.STOPPING and self._ports.clock.monotonic() < self._retry_at

    def _give_up(self) -> None:
        """The slot is another's: whatever starts is killed, then every pico is stopped."""
        assignment = self._known.assignment
        if self._work is not None:
            self._work.stop()
        self._begin(Purpose.STOP, assignment.picos if assignment else ())

    def _after_stop(self, work: Work) -> None:
        known = self._known
        drained = work.epoch if work.purpose is Purpose.DRAIN else known.kept.drained_epoch
        known.keep(is_started=False, may_run=bool(work.problem), drained_epoch=drained)
        known.phase = AgentPhase.STOPPING if work.problem else AgentPhase.OFFLINE
        known.problem = work.problem or known.problem
        self._hold = known.phase, work.problem
        self._retry_at = self._ports.clock.monotonic() + known.settings.slow_retry_s

    # Orders of the controller.

    def _asked(self) -> Order | None:
        """The order of the record that was just read, if it is ours and not done."""
        known = self._known
        order = known.record.order if known.record and known.is_fresh else None
        if order is None or order.id == known.kept.order_done:
            return None
        return order if (order.instance, order.epoch) == (self._me.instance, known.kept.epoch) else None

    def _due_order(self, stand: Entitlement) -> Order | None:
        """The order to obey now: already stored and reported as seen."""
        known = self._known
        order = self._asked()
        if order is None or stand is Entitlement.BEHIND:
            return None
        if not known.keep(order_seen=order.id) or not known.told or order.id != known.told.order_seen:
            return None
        return order if order.verb is OrderVerb.DRAIN or self._may_start(stand, order) else None

    def _obey(self, order: Order, stand: Entitlement) -> None:
        known, assignment = self._known, self._known.assignment
        if assignment is None:
            self._close(order, "this host has no assignment")
        elif order.verb is OrderVerb.DRAIN:
            self._begin(Purpose.DRAIN, assignment.picos, order)
        elif not known.check_names(assignment, may_write=stand is Entitlement.MINE):
            self._close(order, known.names.problem if known.names else "the names are wrong")
        else:
            known.keep(drained_epoch=0)
            failed = {name for name, one in known.picos.items() if one.health is Health.FAILED}
            self._begin(Purpose.RESTART, failed_picos(assignment.picos, failed), order)

    def _close(self, order: Order, problem: str) -> None:
        result = f"failed: {problem}" if problem else "ok"
        self._known.keep(order_done=order.id, order_result=result)
