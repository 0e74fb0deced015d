"""Carry out the actions of a decision: one match, every action known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from picoha.app.errors import ActionFailed
from picoha.app.ports import Actuators
from picoha.domain.actions import (
    AbandonLaunch,
    Action,
    ExtendLaunch,
    FenceHost,
    FreeAddress,
    HintUnhealthy,
    MoveAddress,
    ReleaseLaunch,
)


@dataclass(frozen=True)
class Result:
    """What AWS answered to one action; only a later observation says that it took effect."""

    action: Action
    outcome: str
    request_id: str = ""


def act(actions: Iterable[Action], actuators: Actuators) -> tuple[Result, ...]:
    """Send each action; a refusal is a result, and the loop looks again whatever it was."""
    return tuple(_attempt(action, actuators) for action in actions)


def _attempt(action: Action, actuators: Actuators) -> Result:
    try:
        return Result(action, "accepted", _send(action, actuators))
    except ActionFailed as problem:
        known = "refused" if problem.outcome_known else "outcome unknown"
        return Result(action, f"{known}: {problem}", problem.request_id)


def _send(action: Action, actuators: Actuators) -> str:
    match action:
        case FenceHost():
            return actuators.fence_host(action.instance, action.force)
        case HintUnhealthy():
            return actuators.hint_unhealthy(action.instance)
        case FreeAddress():
            return actuators.free_address(action.association)
        case MoveAddress():
            return actuators.move_address(action.allocation, action.interface)
        case ReleaseLaunch():
            return actuators.release_launch(action.group, action.instance)
        case AbandonLaunch():
            return actuators.abandon_launch(action.group, action.instance)
        case ExtendLaunch():
            return actuators.extend_launch(action.group, action.instance)
        case _:
            assert_never(action)
