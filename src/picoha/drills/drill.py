"""Play a story: the real handler over the drill, and a report that can fail."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from aws_lambda_powertools import Logger, Metrics

from picoha import bootstrap
from picoha.adapters.aws.items import body, top
from picoha.app.audit.promises import verify
from picoha.app.errors import SettingsInvalid
from picoha.app.gather import one_by_one
from picoha.app.ports import Ports
from picoha.domain.codec import decode
from picoha.domain.model import SlotName
from picoha.domain.record import HistoryRow, Operation
from picoha.drills.account import HostTimes
from picoha.drills.clock import DrillClock
from picoha.drills.invocation import FUNCTION_TIMEOUT_S, PlayedInvocation, SilentMetrics
from picoha.drills.operator import operator_of
from picoha.drills.setup import Setup
from picoha.drills.story import SlotEnd, Story
from picoha.drills.verbs.table import schedule
from picoha.drills.world import World
from picoha.fakeaws.ec2.instances import Timings
from picoha.fakeaws.scheduler import TaskKilled
from picoha.lambdas.reconcile_handler import Handler, build
from picoha.settings import Settings

PAGE = {"DataType": "String", "StringValue": "page"}


@dataclass(frozen=True)
class Entry:
    """One line of a timeline; `rule` 0 = a fact of the world, not a decision.

    `fact` is the new state of an alarm, or the verb of the operation that a decision belongs to.
    """

    at_s: float
    slot: str
    rule: int
    phase: str
    sentence: str
    fact: str = ""


@dataclass
class DrillReport:
    """What a drill showed. `problems` are unmet expectations; `ok` needs none, and no violation."""

    title: str
    timeline: list[Entry]
    names: dict[str, dict[str, str]]
    api_calls: dict[str, int]
    violations: list[str]
    operation: dict[str, Any] | None
    problems: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    seed: int = 0

    @property
    def ok(self) -> bool:
        """True when the story ended as it said, and the referee saw nothing forbidden."""
        return not self.problems and not self.violations


class Drill:
    """A world with the real handler behind its doorbells; `is_short`: see fakeaws/wire."""

    def __init__(self, story: Story, seed: int = 0, is_short: bool = False) -> None:
        self.story = story
        self.world = World(
            story.cell.name,
            seed,
            timings=_timings(Timings, story.timings),
            times=_timings(HostTimes, story.timings),
            is_short=is_short,
        )
        self.setup = Setup(story, self.world)
        self.deploy({})
        self.setup.deploy = self.deploy
        self.invocations = self.crashes = 0
        self.replies: list[dict[str, Any]] = []
        self.world.ring = self.invoke
        self.setup.operate = operator_of(self.settings, self.world)

    def deploy(self, changed: dict[str, int]) -> None:
        """Build the function anew, with other settings; what runs already goes on as it was."""
        self.settings = _settings(self.story.settings | changed, self.world)
        self.ports: Ports = bootstrap.reconciler(
            self.settings, self.world.controller, DrillClock(self.world.scheduler), one_by_one
        )
        self.handler: Handler = build(
            self.settings, self.ports, _quiet(), Metrics(provider=SilentMetrics(namespace="picoha"))
        )

    def invoke(self, event: Any) -> None:
        """Deliver one event to the handler, as Lambda's asynchronous invocation does."""
        self.invocations += 1
        context: Any = PlayedInvocation(self.world, self.invocations)
        handler = self.handler
        task = self.world.scheduler.spawn(
            context.aws_request_id, lambda: self._answer(handler, event, context)
        )
        self.world.scheduler.at(FUNCTION_TIMEOUT_S, task.kill)

    def _answer(self, handler: Handler, event: Any, context: Any) -> None:
        try:
            self.replies.append(handler(event, context))
        except TaskKilled:
            self.crashes += 1


def run(story: Story, seed: int = 0) -> DrillReport:
    """Play a story to its end and judge it; raises SettingsInvalid for a story that cannot be played."""
    drill = played(story, seed)
    try:
        return report(drill, seed)
    finally:
        drill.world.scheduler.close()


def played(story: Story, seed: int = 0) -> Drill:
    """Return the drill after the story's last second; the caller closes its kernel."""
    drill = Drill(story, seed)
    try:
        drill.setup.prepare()
        schedule(drill.setup)
        drill.world.scheduler.run_for(story.duration_s)
    except BaseException:
        drill.world.scheduler.close()
        raise
    return drill


def report(drill: Drill, seed: int) -> DrillReport:
    """Return what was seen so far, judged against the story's end."""
    world = drill.world
    started = world.scheduler.start + timedelta(seconds=world.zero_s)
    rows = [row for row in drill.ports.memory.history(started, world.scheduler.now) if row.at >= started]
    told = DrillReport(
        title=drill.story.title,
        timeline=_timeline(drill, rows),
        names=_names(world),
        api_calls=dict(sorted(world.gate.calls.items())),
        violations=[*world.referee.violations, *_verified(drill, started)],
        operation=_operation(world, rows),
        pages=[
            message.message
            for message in world.topics.published
            if message.attributes.get("severity") == PAGE
        ],
        seed=seed,
    )
    told.problems = list(_problems(drill, rows, told))
    return told


def _verified(drill: Drill, started: datetime) -> list[str]:
    """Return what the records themselves say was broken (the same check as `picoha verify`)."""
    now = drill.world.scheduler.now
    return verify(drill.ports.memory.ledger(started, now), drill.settings.policy, now)


def _timeline(drill: Drill, rows: Iterable[HistoryRow]) -> list[Entry]:
    world, cell = drill.world, drill.story.cell.name
    entries = [Entry(at, slot, 0, kind, text) for at, slot, kind, text in drill.setup.lines]
    for at, alarm, state in world.alarm_states:
        slot = alarm.removeprefix(f"picoha-{cell}-")
        entries.append(Entry(at - world.zero_s, slot, 0, "alarm", f"CloudWatch: {alarm} is {state}", state))
    for row in rows:
        at = world.scheduler.seconds_of(row.at) - world.zero_s
        if row.event == "admitted":
            entries.append(Entry(at, row.slot, row.rule, "confirmed", row.evidence))
        entries.append(Entry(at, row.slot, row.rule, row.event, row.sentence, row.verb))
    return sorted(entries, key=lambda one: round(one.at_s, 3))


def _names(world: World) -> dict[str, dict[str, str]]:
    """Return what each holder's system resolver answers, as its agent verified it."""
    found: dict[str, dict[str, str]] = {}
    for slot, record in sorted(world.records().items()):
        report = world.last_report(record.holder) if record.holder else None
        if report is not None and report.names is not None:
            found[f"{slot} {report.instance}"] = dict(report.names.resolved)
    return found


def _operation(world: World, rows: Iterable[HistoryRow]) -> dict[str, Any] | None:
    """Return the last operation that ended: from, to, epoch, and seconds per phase."""
    last = next((row for row in reversed(list(rows)) if row.event == "done"), None)
    if last is None:
        return None
    key = f"OP#{last.operation}"
    stored = next(item for item in world.table.items() if top(item, "pk") == key and top(item, "sk") == "END")
    op = decode(Operation, body(stored))
    marks = sorted(op.trail.items(), key=lambda one: one[1])
    spans = pairwise(marks)
    return {
        "id": op.id,
        "verb": op.verb.value,
        "from": op.victims[0] if op.victims else None,
        "to": op.target,
        "epoch": op.from_epoch + 1,
        "took_s": round((op.trail["done"] - op.opened_at).total_seconds(), 1),
        "durations": {
            name: round((after[1] - at).total_seconds(), 1) for (name, at), after in spans if after[1] > at
        },
    }


def _problems(drill: Drill, rows: list[HistoryRow], told: DrillReport) -> Iterable[str]:
    end, world = drill.story.expect, drill.world
    yield from drill.setup.unsaid
    yield from end.unmet(
        [(world.scheduler.seconds_of(row.at) - world.zero_s, f"{row.slot}: {row.event}") for row in rows]
    )
    for operation, count in end.calls.items():
        if told.api_calls.get(operation, 0) != count:
            yield f"expected {count} calls of {operation}, counted {told.api_calls.get(operation, 0)}"
    if end.pages is not None and len(told.pages) != end.pages:
        yield f"expected {end.pages} pages, counted {len(told.pages)}: {told.pages}"
    if drill.crashes < end.crashes:
        yield f"expected {end.crashes} killed invocations or more, counted {drill.crashes}"
    for name, slot_end in end.slots.items():
        yield from _slot_problems(drill, name, slot_end)


def _slot_problems(drill: Drill, name: str, end: SlotEnd) -> Iterable[str]:
    record = drill.world.records().get(SlotName(name))
    if record is None:
        yield f"{name} has no record"
        return
    host = drill.world.hosts.get(record.holder or "")
    is_replaced = record.holder != drill.setup.first_holders.get(name)
    facts: dict[str, object] = {
        "phase": record.phase.value,
        "epoch": record.epoch,
        "holder": "replaced" if is_replaced else "same",
        "private_ip": host.instance.private_ip if host else None,
        "picos": "up" if host and len(host.running) == len(drill.world.picos(SlotName(name))) else "down",
    }
    for key, wanted in end.model_dump(exclude_none=True).items():
        if facts[key] != wanted:
            yield f"{name}: expected {key} {wanted}, it is {facts[key]}"


def _timings(kind: Any, given: dict[str, float]) -> Any:
    known = (set(Timings.__dataclass_fields__) | set(HostTimes.__dataclass_fields__)) - {"start_s"}
    if unknown := sorted(set(given) - known):
        raise SettingsInvalid(f"timings: no {', '.join(unknown)}; the drill knows {', '.join(sorted(known))}")
    return kind(**{key: value for key, value in given.items() if key in kind.__dataclass_fields__})


def _settings(given: dict[str, int], world: World) -> Settings:
    environ = {f"PICOHA_{name.upper()}": str(value) for name, value in given.items()}
    environ |= {
        "PICOHA_CELL": world.cell,
        "PICOHA_TOPIC_ARN": world.topic_arn,
        "AWS_REGION": "eu-west-1",
    }
    return Settings.load(environ)


def _quiet() -> Logger:
    """Return the handler's logger, silent unless PICOHA_DRILL_LOG names a level; it writes to stderr."""
    level = os.environ.get("PICOHA_DRILL_LOG", "CRITICAL")
    logging.getLogger("picoha").setLevel(level)
    return Logger(service="picoha-drill", level=level, stream=sys.stderr)
