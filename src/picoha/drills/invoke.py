"""Give one event file to the real handler, over a drill's cell in which the event is true."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from picoha.app.errors import MalformedEvent, SettingsInvalid, UnknownEvent
from picoha.app.observe import observe
from picoha.domain.observation import Observation
from picoha.domain.rules.table import decide_launches, decide_slot
from picoha.drills.drill import Drill, DrillReport, report
from picoha.drills.story import Beat, Story
from picoha.drills.verbs.table import schedule
from picoha.lambdas.doorbells import Cause, parse

LEAD_S = 40.0
"""The event is delivered this long after what it tells of: an alarm takes about as long."""
GOING = {"stopping": "stop", "stopped": "stop", "shutting-down": "terminate", "terminated": "terminate"}


def read_event(path: Path) -> Any:
    """Return the event in a file; raises SettingsInvalid when it cannot be read or is no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as problem:
        raise SettingsInvalid(f"reading event {path}: {problem}") from problem


def scene(event: Any, story: Story) -> tuple[Beat, ...]:
    """Return what must have happened in a drill for the event to be true: nothing for most events."""
    try:
        wakeup = parse(event)
    except (UnknownEvent, MalformedEvent):
        return ()
    if wakeup.cause is Cause.ALARM and _says_alarm(event):
        lost = [one.name for one in story.slot if f"picoha-{story.cell.name}-{one.name}" in wakeup.subjects]
        return tuple(Beat(s=0, do="die", slot=name) for name in lost)
    detail = event.get("detail") if isinstance(event, dict) else None
    state = detail.get("state") if isinstance(detail, dict) else None
    if wakeup.cause is Cause.INSTANCE and isinstance(state, str) and state in GOING:
        return (Beat(s=0, do=GOING[state], slot=story.slot[0].name),)
    return ()


def _says_alarm(event: Any) -> bool:
    return '"ALARM"' in json.dumps(event) or '\\"ALARM\\"' in json.dumps(event)


def run(event: Any, story: Story, seed: int = 0) -> tuple[DrillReport, dict[str, Any], tuple[Beat, ...]]:
    """Deliver the event and let the cell settle; return the report, the handler's reply, the scene.

    Nothing else rings before the event; afterwards the one-minute schedule goes on as deployed.
    """
    beats = scene(event, story)
    drill = Drill(story.model_copy(update={"at": beats}), seed)
    try:
        drill.setup.prepare()
        drill.world.ring = lambda _event: None
        drill.replies.clear()
        schedule(drill.setup)
        drill.world.scheduler.run_for(LEAD_S)
        drill.setup.note("cell", "event", "the event is delivered")
        drill.world.ring = drill.invoke
        drill.invoke(event)
        drill.world.scheduler.run_for(story.duration_s - LEAD_S)
        return report(drill, seed), drill.replies[0], beats
    finally:
        drill.world.scheduler.close()


def plan(event: Any, story: Story) -> list[dict[str, Any]]:
    """Return what the loop would decide at the event, with nothing written and nothing sent."""
    parse(event)
    drill = Drill(story.model_copy(update={"at": scene(event, story)}))
    try:
        drill.setup.prepare()
        drill.world.ring = lambda _event: None
        schedule(drill.setup)
        drill.world.scheduler.run_for(LEAD_S + 20)
        seen: Observation = observe(drill.ports)
    finally:
        drill.world.scheduler.close()
    policy = drill.settings.policy
    return [
        {
            "slot": observed.name,
            "rule": decision.rule,
            "answer": decision.answer.value,
            "sentence": decision.sentence,
            "actions": [{"action": type(action).__name__, **asdict(action)} for action in decision.actions],
        }
        for observed in seen.slots
        for decision in (
            decide_slot(seen, observed.name, policy),
            *decide_launches(seen, observed.name, policy),
        )
    ]
