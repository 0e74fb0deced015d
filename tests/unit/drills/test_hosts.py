"""The drill's hosts run the shipped agent: its probe, names and gate decide, over played scripts and time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from picoha.adapters.aws.host_side import AwsCloud
from picoha.drills.drill import run
from picoha.drills.story import read_story
from picoha.host.core import agent, knowledge, names

ROOT = Path(__file__).parents[3]
SHIPPED: tuple[tuple[Any, str], ...] = (
    (agent.Agent, "cycle"),
    (agent, "stance"),
    (knowledge, "ask"),
    (names, "apply"),
    (names, "verify"),
    (AwsCloud, "take"),
    (AwsCloud, "put_report"),
    (AwsCloud, "publish"),
)


def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count every call of the agent's own parts, which do their work all the same."""
    calls: Counter[str] = Counter()

    def watch(owner: Any, name: str) -> None:
        shipped: Callable[..., object] = getattr(owner, name)

        def counting(*given: Any, **named: Any) -> object:
            calls[name] += 1
            return shipped(*given, **named)

        monkeypatch.setattr(owner, name, counting)

    for owner, name in SHIPPED:
        watch(owner, name)
    return calls


def test_failover_in_a_drill_goes_through_every_part_of_the_shipped_agent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = counted(monkeypatch)
    report = run(read_story(ROOT / "stories" / "platform-host-lost.toml"))
    assert (report.problems, report.violations) == ([], [])
    assert set(calls) == {name for _, name in SHIPPED}
    assert calls["take"] >= 1 and calls["verify"] >= 1, (
        "the replacement took its grant and looked at its names"
    )
    assert calls["stance"] == calls["cycle"] > 50, "every cycle of every host asks the gate"
