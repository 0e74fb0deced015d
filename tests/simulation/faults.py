"""What can go wrong with a call of the controller, or with a doorbell: one class, seeded or aimed.

The shipped handler, adapters and boto3 clients run unchanged; faults stand around each call.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from picoha.drills.drill import Drill
from picoha.fakeaws.clients import Answer, Operation
from picoha.fakeaws.scheduler import AwsFault, TaskKilled
from simulation.sites import Site, site_of


class Fault(StrEnum):
    """The nine kinds of safety.md 9.3, T6."""

    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"
    THROTTLE = "throttle"
    APPLIED_5XX = "5xx, applied"
    LATE_EFFECT = "timeout, effect later"
    STALE_READ = "stale read"
    DUPLICATE = "duplicate event"
    REORDERED = "event late"
    LOST = "event lost"


AFTER = {Fault.CRASH_AFTER, Fault.APPLIED_5XX}
OF_EVENTS = {Fault.DUPLICATE, Fault.REORDERED, Fault.LOST}
LATE_S = 20.0
STALE_S = 15.0
INSTANCE_READS = {"DescribeInstances", "DescribeInstanceStatus"}


Where = Callable[[], Site]
"""Tells the call site; looking up the stack costs something, so only a plan that aims asks."""


@dataclass
class Plan:
    """Which call gets which fault: `choose(where)` is asked before every call of the controller."""

    choose: Callable[[Where], Fault | None]
    of_event: Callable[[], Fault | None] = lambda: None
    struck: list[tuple[Site, Fault]] = field(default_factory=list)


def _has_no_past(operation: str) -> bool:
    """Tell a read that the drill answers of the present only; instances keep their past, see Ec2."""
    return operation.startswith("Describe") and operation not in INSTANCE_READS


def _kept(play: Operation) -> Operation:
    """Return an operation that gives each request its first answer again and again."""
    answers: dict[str, Answer] = {}

    def again(params: dict[str, Any]) -> Answer:
        asked = repr(sorted(params.items()))
        if asked not in answers:
            answers[asked] = play(params)
        return deepcopy(answers[asked])

    return again


class Injector:
    """Puts a plan around a drill's calls and doorbells, until `stop`."""

    def __init__(self, drill: Drill, plan: Plan) -> None:
        self._drill, self._plan = drill, plan
        self._now: Fault | None = None
        self._next_event: Fault | None = None
        self.is_on = True
        gate = drill.world.gate.faults
        gate.before.append(self._before)
        gate.after.append(self._after)
        self._ring = drill.world.ring
        drill.world.ring = self._event

    def stop(self) -> None:
        """From here on everything works."""
        self.is_on = False

    def _before(self, service: str, operation: str, params: dict[str, Any]) -> None:
        self._now = None
        if not self.is_on:
            return
        where = partial(site_of, self._drill.world, operation, params)
        fault = self._plan.choose(where)
        if fault is None:
            return
        self._plan.struck.append((where(), fault))
        self._now = fault if fault in AFTER else None
        self._next_event = fault if fault in OF_EVENTS else None
        if fault is Fault.CRASH_BEFORE:
            raise TaskKilled("crash before")
        if fault is Fault.THROTTLE:
            raise AwsFault("ThrottlingException", "Rate exceeded", 400)
        if fault is Fault.LATE_EFFECT:
            self._drill.world.scheduler.at(LATE_S, partial(self._apply, service, operation, params))
            raise ReadTimeoutError(endpoint_url="https://fakeaws")
        if fault is Fault.STALE_READ:
            self._be_stale()

    def _be_stale(self) -> None:
        """For a while reads are of the past: this call's, and those that follow it.

        Instances are shown as of a random instant before now; groups, addresses and dependencies as at
        their first read from now on; new samples come late. The table is read strongly consistent.
        """
        world = self._drill.world
        if world.ec2.stale_reads_s:
            return
        lag_s = world.metrics.ingest_lag_s
        played = [(one, dict(one.operations)) for name, one in world.services.items() if name != "dynamodb"]

        def be_fresh() -> None:
            world.ec2.stale_reads_s, world.metrics.ingest_lag_s = 0.0, lag_s
            for service, operations in played:
                service.operations.update(operations)

        world.ec2.stale_reads_s, world.metrics.ingest_lag_s = STALE_S, lag_s + STALE_S
        for service, operations in played:
            kept = {name: _kept(play) for name, play in operations.items() if _has_no_past(name)}
            service.operations.update(kept)
        world.scheduler.at(STALE_S, be_fresh)

    def _apply(self, service: str, operation: str, params: dict[str, Any]) -> None:
        """Let the request arrive after all; whatever AWS then says, nobody hears it."""
        try:
            self._drill.world.watched[service].operations[operation](params)
        except AwsFault:
            return

    def _after(self, service: str, operation: str, params: dict[str, Any], answer: Answer) -> None:
        fault, self._now = self._now, None
        if fault is Fault.CRASH_AFTER:
            raise TaskKilled("crash after")
        if fault is Fault.APPLIED_5XX:
            raise ClientError(
                {
                    "Error": {"Code": "InternalError", "Message": "An internal error has occurred"},
                    "ResponseMetadata": {
                        "HTTPStatusCode": 500,
                        "RequestId": "lost",
                        "RetryAttempts": 0,
                        "HTTPHeaders": {},
                        "HostId": "",
                    },
                },
                operation,
            )

    def _event(self, event: Answer) -> None:
        fault, self._next_event = self._next_event, None
        if fault is None and self.is_on:
            fault = self._plan.of_event()
            if fault is not None:
                self._plan.struck.append((Site("doorbell", str(event.get("source", "alarm")), ""), fault))
        if fault is Fault.LOST:
            return
        if fault is Fault.REORDERED:
            self._drill.world.scheduler.at(LATE_S, lambda: self._ring(event))
            return
        self._ring(event)
        if fault is Fault.DUPLICATE:
            self._ring(event)


def by_chance(rng: random.Random, rate: float, kinds: list[Fault]) -> Plan:
    """Return a plan that strikes calls and events with a chance of `rate`, with some kinds only."""
    calls = [kind for kind in kinds if kind not in OF_EVENTS]
    events = [kind for kind in kinds if kind in OF_EVENTS]
    return Plan(
        choose=lambda where: rng.choice(calls) if calls and rng.random() < rate else None,
        of_event=lambda: rng.choice(events) if events and rng.random() < 3 * rate else None,
    )


def aimed(site: Site, fault: Fault) -> Plan:
    """Return a plan with one fault: at the site's first call, or at the doorbell that follows it."""
    plan = Plan(choose=lambda where: fault if not plan.struck and where() == site else None)
    return plan


def recording(sites: dict[Site, int]) -> Plan:
    """Return a plan without faults that counts the calls of each site."""

    def count(where: Where) -> None:
        sites[where()] = sites.get(where(), 0) + 1

    return Plan(choose=count)
