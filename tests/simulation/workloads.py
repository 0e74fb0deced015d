"""The workloads of the single-fault search: together they reach every action of the controller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from picoha.drills.drill import Drill
from picoha.drills.story import Beat, Story
from picoha.fakeaws.autoscaling.group import Group
from simulation.faults import Plan, recording
from simulation.runs import Length, Outcome, in_fork, play, prepared, story_named
from simulation.sites import Site

SETTLE_S = 900.0
LOST = Beat(s=1, do="die", slot="platform1")


def _nothing(drill: Drill) -> None:
    """A workload that its story tells whole."""


@dataclass(frozen=True)
class Workload:
    """A story, and what no beat of a story can do."""

    story: Story
    also: Callable[[Drill], None] = _nothing


@dataclass(frozen=True)
class Known:
    """A workload ready to be played, and how it goes without faults."""

    drill: Drill
    workload: Workload
    clean: Outcome

    @property
    def end(self) -> dict[str, Any]:
        """How it ends without faults."""
        return self.clean.end

    def play(self, plan: Plan) -> Outcome:
        """Play it under a plan, in a fork."""
        return in_fork(partial(played, self.drill, self.workload, plan))


def played(drill: Drill, workload: Workload, plan: Plan) -> Outcome:
    """Play a prepared workload under a plan; its drill is used up."""
    workload.also(drill)
    return play(drill, workload.story.at, plan, Length(workload.story.duration_s, SETTLE_S))


def _launch_dies(drill: Drill) -> None:
    """The replacement dies while its launch is held: a bad one becomes the next victim."""
    group = drill.world.autoscaling.groups["demo-platform1"]
    first = set(group.members)

    def strike() -> None:
        held = [member.instance.id for member in group.members.values() if member.lifecycle == "Pending:Wait"]
        if held and not first & set(held):
            drill.world.ec2.terminate(held[0])
        else:
            drill.world.scheduler.at(0.5, strike)

    drill.world.scheduler.at(5, strike)


def _stray_launch(drill: Drill) -> None:
    """Somebody asks for a second host: it is held, then it dies, and nobody owns its launch."""
    world = drill.world
    group = world.autoscaling.groups["demo-ec1"]
    world.scheduler.at(1, partial(_resize, drill, group, 2))
    world.scheduler.at(10, partial(group.suspended.add, "Launch"))
    world.scheduler.at(60, partial(_end_held, drill, group))
    world.scheduler.at(800, partial(_resize, drill, group, 1))
    world.scheduler.at(810, partial(group.suspended.discard, "Launch"))


def _resize(drill: Drill, group: Group, desired: int) -> None:
    group.desired = group.max_size = desired
    drill.world.autoscaling.balance(group)


def _end_held(drill: Drill, group: Group) -> None:
    for member in list(group.members.values()):
        if member.lifecycle == "Pending:Wait":
            drill.world.ec2.terminate(member.instance.id)


STORIES = (
    "platform-host-lost",
    "ec-host-lost",
    "switchover",
    "pico-failed-restart-in-place",
    "first-boot",
    "adopt-running",
    "platform-warm-pool",
    "address-elsewhere",
    "hung-fence",
    "bad-image",
    "database-down",
    "hook-runs-out",
)


def workloads() -> dict[str, Workload]:
    """Return all workloads by name."""
    freed = Beat(s=5, do="address", slot="platform1", to="free")
    return {name: Workload(story_named(name)) for name in STORIES} | {
        "launch-dies": Workload(Story(title="a held launch dies", at=(LOST,), duration_s=900), _launch_dies),
        "stray-launch": Workload(Story(title="a stray launch", duration_s=900), _stray_launch),
        "address-freed": Workload(Story(title="the address is freed", at=(freed,), duration_s=300)),
    }


@lru_cache(maxsize=1)
def catalogue() -> tuple[dict[str, Known], dict[Site, str]]:
    """Play every workload once without faults; return them, and by which each site is reached first."""
    known: dict[str, Known] = {}
    reached: dict[Site, str] = {}
    for name, workload in workloads().items():
        drill = prepared(workload.story)
        clean = in_fork(partial(_recorded, drill, workload))
        assert clean.problems == [], (name, clean.problems)
        known[name] = Known(drill, workload, clean)
        for site in clean.sites:
            reached.setdefault(site, name)
    return known, reached


def _recorded(drill: Drill, workload: Workload) -> Outcome:
    sites: dict[Site, int] = {}
    outcome = played(drill, workload, recording(sites))
    outcome.sites = tuple(sites)
    return outcome
