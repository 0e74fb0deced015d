"""Start and stop picos by the vendor's scripts, one after another, without ever waiting.

The order and the retries follow domain.md 2.4 and F8 to F17. The exit codes are those of `mzsh`,
which the vendor's scripts pass on; a start is believed only if its output agrees.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from picoha.domain.model import Pico
from picoha.domain.record import Order
from picoha.host.core.ports import AgentClock, Job, JobResult, Scripts, ScriptVerb

LIMITS_S: Mapping[ScriptVerb, float] = {
    ScriptVerb.ONLINE: 360,  # Red Hat's agent: start action
    ScriptVerb.OFFLINE: 150,  # domain.md 2.5: a shutdown can wait up to 136 s for connections
    ScriptVerb.CLEAN: 60,
    ScriptVerb.REPUBLISH: 120,
    ScriptVerb.PRE_START: 300,
    ScriptVerb.POST_START: 300,
}

_DEGRADED = ("started with errors", "only codeserver")
_NO_SUCH_PICO = "no such server process"
_CRITICAL, _STILL_RUNNING = 104, (255, -1)
_KILLED = (0, 2)
_STARTS = (ScriptVerb.PRE_START, ScriptVerb.ONLINE)
_OPTIONAL = (ScriptVerb.PRE_START, ScriptVerb.POST_START, ScriptVerb.REPUBLISH)
NOT_FOUND = 127
"""What a shell answers for a command that does not exist."""


class Purpose(StrEnum):
    """Why scripts are running."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    DRAIN = "drain"
    REPUBLISH = "republish"


class StartVerdict(StrEnum):
    """What one start attempt came to."""

    STARTED = "started"
    TRY_AGAIN = "try-again"
    FAILED = "failed"


def judge_start(result: JobResult, is_retry: bool) -> tuple[StartVerdict, str]:
    """Return the verdict on a start and why; code 0 is not believed alone (F8 to F13)."""
    text = result.output.lower()
    if _NO_SUCH_PICO in text:
        return StartVerdict.FAILED, "configuration: the product has no such pico, nothing was started"
    if any(words in text for words in _DEGRADED):
        return StartVerdict.FAILED, "it started with errors and is not up"
    if result.code == 0:
        return StartVerdict.STARTED, ""
    if result.code is None:
        return StartVerdict.FAILED, "the start did not end within its time limit"
    if not is_retry and (result.code == _CRITICAL or result.code in _STILL_RUNNING):
        return StartVerdict.TRY_AGAIN, f"exit code {result.code}"
    return StartVerdict.FAILED, f"the start ended with exit code {result.code}"


@dataclass(frozen=True)
class ScriptStep:
    """One script to run; `is_retry` marks the second and last attempt of a start."""

    verb: ScriptVerb
    pico: Pico | None = None
    is_retry: bool = False

    def __str__(self) -> str:
        return f"{self.verb} {self.pico.name}" if self.pico else str(self.verb)


def start_plan(picos: Sequence[Pico]) -> list[ScriptStep]:
    """Return hook, picos in their order, hook."""
    return [
        ScriptStep(ScriptVerb.PRE_START),
        *(ScriptStep(ScriptVerb.ONLINE, pico) for pico in picos),
        ScriptStep(ScriptVerb.POST_START),
    ]


def stop_plan(picos: Sequence[Pico]) -> list[ScriptStep]:
    """Return offline for each pico in reverse order, then clean in the same order."""
    backwards = list(reversed(picos))
    return [
        ScriptStep(verb, backward)
        for verb in (ScriptVerb.OFFLINE, ScriptVerb.CLEAN)
        for backward in backwards
    ]


def restart_plan(picos: Sequence[Pico]) -> list[ScriptStep]:
    """Return offline and clean, then online in start order."""
    return [*stop_plan(picos), *(ScriptStep(ScriptVerb.ONLINE, pico) for pico in picos)]


@dataclass(frozen=True)
class _Nothing:
    """Stands for a script that this host does not have."""

    verb: ScriptVerb

    def poll(self) -> JobResult:
        return JobResult(0 if self.verb in _OPTIONAL else NOT_FOUND)

    def stop(self) -> None:
        """There is nothing to stop."""


@dataclass
class Work:
    """A plan under way: what for, at which epoch, with which picos, by which order.

    `problem` is the first thing that went wrong, "" while all is well.
    """

    scripts: Scripts
    clock: AgentClock
    script_environment: Mapping[str, str]
    purpose: Purpose
    epoch: int
    picos: Sequence[Pico]
    order: Order | None = None
    steps: list[ScriptStep] = field(init=False)
    problem: str = ""
    remarks: list[str] = field(default_factory=list)
    _job: Job | None = None
    _deadline: float = 0.0
    _not_offline: set[str] = field(default_factory=set)

    def advance(self, may_start: bool) -> bool:
        """Go on as far as possible without waiting; True once nothing is left to run.

        Without `may_start` no pico is started; what stops picos goes on.
        """
        while self.steps:
            if self._job is None:
                if not may_start and self.steps[0].verb in _STARTS:
                    return False
                self._begin(self.steps[0])
            result = self._result()
            if result is None:
                return False
            self._job = None
            self._judge(self.steps.pop(0), result)
        return True

    def __post_init__(self) -> None:
        if self.purpose is Purpose.START:
            self.steps = start_plan(self.picos)
        elif self.purpose is Purpose.RESTART:
            self.steps = restart_plan(self.picos)
        elif self.purpose is Purpose.REPUBLISH:
            self.steps = [ScriptStep(ScriptVerb.REPUBLISH)]
        else:
            self.steps = stop_plan(self.picos)

    @property
    def is_running(self) -> bool:
        """True while a script of this plan runs."""
        return self._job is not None

    def stop(self) -> None:
        """Kill the running script, if any, and forget the rest of the plan."""
        if self._job is not None:
            self._job.stop()
        self._job, self.steps = None, []

    def _begin(self, step: ScriptStep) -> None:
        self._job = self.scripts.begin(step.verb, step.pico, self.script_environment) or _Nothing(step.verb)
        self._deadline = self.clock.monotonic() + LIMITS_S[step.verb]

    def _result(self) -> JobResult | None:
        if self._job is None:
            return None
        result = self._job.poll()
        if result is None and self.clock.monotonic() >= self._deadline:
            self._job.stop()
            return JobResult(None)
        return result

    def _judge(self, step: ScriptStep, result: JobResult) -> None:
        if step.verb is ScriptVerb.ONLINE:
            self._after_online(step, result)
        elif step.verb is ScriptVerb.OFFLINE and step.pico:
            if result.code != 0:
                self._not_offline.add(step.pico.name)
        elif step.verb is ScriptVerb.CLEAN:
            self._after_clean(step, result)
        elif result.code != 0:
            self._after_hook(step, result)

    def _after_online(self, step: ScriptStep, result: JobResult) -> None:
        verdict, why = judge_start(result, step.is_retry)
        if verdict is StartVerdict.TRY_AGAIN:
            again = (
                ScriptStep(ScriptVerb.CLEAN, step.pico, True),
                ScriptStep(ScriptVerb.ONLINE, step.pico, True),
            )
            self.steps[:0] = again
        elif verdict is StartVerdict.FAILED:
            self._fail(f"{step}: {why}")

    def _after_clean(self, step: ScriptStep, result: JobResult) -> None:
        # A stop succeeded if the shutdown did, or if the kill found nothing left (F14 to F17).
        is_needed = step.pico is not None and step.pico.name in self._not_offline
        if is_needed and not step.is_retry and result.code not in _KILLED:
            self._fail(f"{step}: could not be stopped ({_ended(result)})")

    def _after_hook(self, step: ScriptStep, result: JobResult) -> None:
        if step.verb in (ScriptVerb.POST_START, ScriptVerb.REPUBLISH):
            self.remarks.append(f"{step} {_ended(result)}")
        else:
            self._fail(f"{step} {_ended(result)}")

    def _fail(self, why: str) -> None:
        """Note the problem: what would start is dropped, what stops goes on."""
        self.problem = self.problem or why
        self.steps = [step for step in self.steps if step.verb in (ScriptVerb.OFFLINE, ScriptVerb.CLEAN)]


def failed_picos(picos: Iterable[Pico], failed: set[str]) -> list[Pico]:
    """Return the picos among `failed` in start order, or all of them where none failed."""
    every = list(picos)
    return [one for one in every if one.name in failed] or every


def _ended(result: JobResult) -> str:
    return "did not end in time" if result.code is None else f"ended with exit code {result.code}"
