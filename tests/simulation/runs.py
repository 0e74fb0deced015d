"""Runs of the drill under faults, each in a fork of one prepared process: cheap, and all alike."""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from picoha.domain.record import Mode, Phase, SlotRecord, Step
from picoha.drills.drill import PAGE, Drill, DrillReport, report
from picoha.drills.story import Beat, Story, read_story
from picoha.drills.verbs.table import schedule
from simulation.faults import Fault, Injector, Plan
from simulation.sites import Site

STORIES = Path(__file__).parents[2] / "stories"
LOOK_S = 60.0
LATE = timedelta(seconds=60)
"""A page that is due is written at the next look, and published with it: one sweep, at most."""


@dataclass(frozen=True)
class Length:
    """Virtual seconds: how long faults happen, how long the cell may then settle, when it has.

    An operation that is under way at the end has `finish_s` more: after a cool-down it begins late.
    Five sweeps of the controller fit into `quiet_s`: what has not happened by then has no cause left.
    """

    faults_s: float = 400.0
    settle_s: float = 2000.0
    quiet_s: float = 300.0
    finish_s: float = 3600.0


@dataclass
class Outcome:
    """What one run ended as; `problems` are broken promises, `end` is compared with the fault-free run."""

    problems: list[str]
    end: dict[str, Any]
    calls: int = 0
    crashes: int = 0
    struck: list[tuple[Site, Fault]] = field(default_factory=list)
    virtual_s: float = 0.0
    sites: tuple[Site, ...] = ()
    told: str = ""
    """The timeline as text, each line with its second: two runs that tell the same went the same way."""


def prepared(story: Story) -> Drill:
    """Return a drill at second 0."""
    drill = Drill(story, is_short=True)
    drill.setup.prepare()
    assert all(task.done for task in drill.world.scheduler.tasks), "a fork would lose a sleeping task"
    return drill


def in_fork(run: Callable[[], Outcome]) -> Outcome:
    """Run in a child that inherits the prepared drill, and bring its outcome back."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():  # pytest-xdist's own threads; no task of the drill has one here
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            told = pickle.dumps(run())
        except BaseException as problem:  # noqa: BLE001 - the child's error is the parent's finding
            told = pickle.dumps(Outcome([f"the run itself failed: {problem!r}"], {}))
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(told)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    outcome: Outcome = pickle.loads(told)
    return outcome


def play(drill: Drill, beats: Iterable[Beat], plan: Plan, length: Length) -> Outcome:
    """Let beats and faults happen, then let the cell settle, and judge what is left."""
    drill.setup.story = drill.story = drill.story.model_copy(update={"at": tuple(beats)})
    injector = Injector(drill, plan)
    schedule(drill.setup)
    scheduler = drill.world.scheduler
    scheduler.run_for(length.faults_s)
    injector.stop()
    settled_s = settle(drill, length)
    seen = report(drill, 0)
    calls = sum(drill.world.gate.calls.values())
    problems = [*seen.violations, *unsettled(drill)]
    scheduler.close()
    lasted_s = length.faults_s + settled_s
    return Outcome(
        problems, _end(drill), calls, drill.crashes, list(plan.struck), lasted_s, told=_timeline(seen)
    )


def _timeline(seen: DrillReport) -> str:
    return "\n".join(f"{one.at_s:.1f} {one.slot} {one.rule} {one.sentence}" for one in seen.timeline)


def settle(drill: Drill, length: Length) -> float:
    """Let time pass until the cell has been well and unchanged for long; return the seconds it took."""
    scheduler, begin = drill.world.scheduler, drill.world.scheduler.elapsed
    end, quiet_since, seen = begin + length.settle_s, begin, _well(drill)
    while scheduler.elapsed < end or (scheduler.elapsed < end + length.finish_s and _is_under_way(drill)):
        left_s = end - scheduler.elapsed
        scheduler.run_for(min(LOOK_S, left_s) if left_s > 0 else LOOK_S)
        now = _well(drill)
        if now is None or now != seen:
            quiet_since, seen = scheduler.elapsed, now
        elif scheduler.elapsed - quiet_since >= length.quiet_s:
            break
    return scheduler.elapsed - begin


def _is_under_way(drill: Drill) -> bool:
    """True while an operation runs that neither ended nor waits, and of which nobody was told."""
    return any(_is_running(record) for record in drill.world.records().values())


def _is_running(record: SlotRecord) -> bool:
    op = record.operation
    return op is not None and op.step is not Step.NEEDS_OPERATOR and record.attention is None


def _well(drill: Drill) -> dict[str, Any] | None:
    """Return what must stay as it is once every slot is served and no work is open; None before."""
    world, last = drill.world, max((beat.s for beat in drill.story.at), default=0.0)
    if world.scheduler.elapsed - world.zero_s < last:
        return None
    records = world.records()
    for record in records.values():
        if record.operation or record.attention or not is_served(drill, record):
            return None
    told = len(world.topics.published)
    return {str(name): record.ver for name, record in records.items()} | {"messages": told}


def is_served(drill: Drill, record: SlotRecord) -> bool:
    """True while the recorded holder runs all picos of its slot, well, with the slot's address on it.

    Behind an open gate the address is its owner's business (rule 523).
    """
    world, host = drill.world, drill.world.hosts.get(record.holder or "")
    if record.phase is not Phase.ACTIVE or host is None:
        return False
    wanted = {str(pico.name) for pico in world.picos(record.slot)}
    addresses = world.addresses.addresses.values()
    owned = {address.public_ip for address in addresses if address.tags.get("picoha:slot") == record.slot}
    is_reached = not record.is_armed or not owned or host.instance.public_ip in owned
    return host.is_agent_up and wanted <= host.running and not host.sick and is_reached


def unsettled(drill: Drill) -> Iterator[str]:
    """L1, L3: after the faults every slot is served, or a human was told that it is not."""
    for name, record in drill.world.records().items():
        op = record.operation
        if op is None and is_served(drill, record):
            continue
        if op is not None and _is_running(record):
            yield f"L1: {op.id} is still {op.step}"
        elif not _is_told(drill, record):
            what = f"{record.phase}, its operation {op.step}," if op else "lost"
            yield f"L1/L3: {name} is {what} and nobody was told"


def _is_told(drill: Drill, record: SlotRecord) -> bool:
    """True after a page about what holds the slot now, or while that page is not due yet.

    A pause holds like any gate, so it is paged as well. Two states are told once and held by nothing: in
    observe what would have been done, and a vacant slot, whose operator aborted its operation. In observe
    a slot whose holder is proven off waits in silence for a host that can be adopted (rule 531).
    """
    policy, now = drill.settings.policy, drill.world.scheduler.now
    named = [message for message in drill.world.topics.published if f"/{record.slot}:" in message.message]
    held = record.attention
    if held is None:
        is_observing = drill.setup.mode.mode is Mode.OBSERVE
        is_left = not record.is_armed and not record.unfenced
        would_have = is_left or any("would have failed over" in one.message for one in named)
        aborted = any("aborted by" in one.message for one in named)
        return (is_observing and would_have) or (record.phase is Phase.VACANT and aborted)
    since = held.notified_at
    if since is None or now - since > policy.page_repeat_after + LATE:
        return since is None and now - held.since <= policy.hold_page_after + LATE
    return any(one.attributes.get("severity") == PAGE and one.at >= since for one in named)


def _end(drill: Drill) -> dict[str, Any]:
    world = drill.world
    held = [
        member.instance.id
        for group in world.autoscaling.groups.values()
        for member in group.members.values()
        if member.lifecycle.endswith(":Wait")
    ]
    slots = {}
    for name, record in sorted(world.records().items()):
        host = world.hosts.get(record.holder or "")
        slots[name] = {
            "phase": record.phase.value,
            "epoch": record.epoch,
            "is_replaced": record.holder != drill.setup.first_holders.get(name),
            "picos": sorted(host.running) if host else [],
            "has_address": host.instance.public_ip if host else None,
        }
    return {"slots": slots, "held": len(held)}


def story_named(name: str) -> Story:
    """Return a story of stories/."""
    return read_story(STORIES / f"{name}.toml")
