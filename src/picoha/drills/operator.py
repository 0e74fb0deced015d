"""The operator function of a drill's cell: the same handler, in virtual time."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from datetime import timedelta
from functools import partial
from typing import Any

from picoha import bootstrap
from picoha.app.gather import one_by_one
from picoha.domain.doctor.findings import Finding
from picoha.domain.policy import Policy
from picoha.drills.clock import DrillClock
from picoha.drills.doctor_answers import DoctorAnswers, answer_doctor
from picoha.drills.world import World
from picoha.lambdas.operator_handler import build
from picoha.settings import Settings


class _PlayedCall:
    def __init__(self, number: int) -> None:
        self.aws_request_id = f"drill-operator-{number:06d}"


Examine = Callable[[], Sequence[Finding]]


def _furnished(world: World, policy: Policy, done: list[DoctorAnswers], examine: Examine) -> Examine:
    """Let a world answer what only `doctor` and `leave` read, from the first time on that they look."""

    def look() -> Sequence[Finding]:
        if not done:
            done.append(answer_doctor(world, _environment(policy)))
        return examine()

    return look


def _environment(policy: Policy) -> dict[str, str]:
    """Return the numbers that a story changes, as the loop's function is given them."""
    given = {}
    for field in fields(policy):
        number = getattr(policy, field.name)
        if number != field.default:
            seconds = number.total_seconds() if isinstance(number, timedelta) else number
            given[f"PICOHA_{field.name.upper()}"] = f"{seconds:.0f}"
    return given


def operator_of(settings: Settings, world: World) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return what answers a command to a cell in a drill; its calls are not counted as the loop's."""
    clock = DrillClock(world.scheduler)
    ports = bootstrap.operator(settings, world.admin, clock, one_by_one)
    furnished = partial(_furnished, world, settings.policy, [])
    ports = replace(ports, examine=furnished(ports.examine), depending=furnished(ports.depending))
    handler = build(ports, settings.policy, logging.getLogger("picoha.operator"))
    numbers = itertools.count(1)
    return lambda request: handler(request, _PlayedCall(next(numbers)))
