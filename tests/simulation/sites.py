"""Call sites: who calls AWS, by which operation, in which step; found by looking up the stack.

A rule is named by its number, any other caller by its port method and the function of the loop that
asked for it. A read's step is that of the operations open in the table at that instant.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import FrameType
from typing import Any

from picoha.adapters.aws.items import CELL
from picoha.drills.world import World

_ADAPTERS, _APP = "/picoha/adapters/aws/", "/picoha/app/"
_RULE = "_enact"
"""The function of app/reconcile that carries out one decision; a test holds that it is met."""


@dataclass(frozen=True, order=True)
class Site:
    """One call site."""

    caller: str
    operation: str
    step: str

    def __str__(self) -> str:
        return f"{self.caller} · {self.operation} · {self.step}"


def site_of(world: World, operation: str, params: dict[str, Any]) -> Site:
    """Return the call site of the call that is on this thread's stack now."""
    method = asker = ""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if _ADAPTERS in code.co_filename:
            method = code.co_qualname  # the outermost one wins: the port's method
        elif _APP in code.co_filename and method:
            if code.co_name == _RULE:
                decision = frame.f_locals["decision"]
                return Site(f"rule {decision.rule}", _named(operation, params), _step_of(decision))
            asker = asker or code.co_name
        frame = frame.f_back
    return Site(f"{method} in {asker}", _named(operation, params), _steps_in(world))


def _named(operation: str, params: dict[str, Any]) -> str:
    """Tell the two partitions that a look at the memory reads."""
    pk = params.get("ExpressionAttributeValues", {}).get(":pk", {}).get("S", "")
    return f"{operation} {pk.split('#')[0]}".strip()


def _step_of(decision: Any) -> str:
    record = decision.change.record
    op = decision.change.ended or record.operation
    return str(op.step if op else record.phase)


def _steps_in(world: World) -> str:
    """Return the steps of the open operations, read past the codec: this runs at every call."""
    steps = set()
    for sk in world.table.sort_keys(CELL):
        row = world.table.row((CELL, sk)) if sk.startswith("SLOT#") else None
        if row is not None:
            operation = row.item["body"]["M"].get("operation", {}).get("M", {})
            steps.add(operation.get("step", {}).get("S", ""))
    return "+".join(sorted(steps - {""})) or "no operation"
