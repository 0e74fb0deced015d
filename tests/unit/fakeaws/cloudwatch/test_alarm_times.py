"""How long silence takes to become ALARM, over random phases, in virtual time.

Sources: AWS user guide, "Alarm evaluation" and "Using metric math"; emulators.md 7 for the times.
"""

from __future__ import annotations

import statistics
from typing import Any

import pytest

from unit.fakeaws.cloudwatch.alarm_rig import FILLED, FUNCTION, SINGLE, Drill


def detection_s(kind: dict[str, Any], seed: int) -> float:
    """Seconds from the host's death to ALARM: heartbeats every 5 s, no ingestion delay, any phase."""
    drill = Drill(seed)
    chance = drill.scheduler.random
    drill.beat(5, chance.uniform(0, 5))
    drill.scheduler.run_for(60 + chance.uniform(0, 10))
    drill.alarm(kind)
    drill.scheduler.run_for(120 + chance.uniform(0, 10))
    assert drill.told()["StateValue"] == "OK"
    died_s = drill.scheduler.elapsed
    drill.die()
    drill.scheduler.run_for(120)
    assert [arn for _, arn, _ in drill.invoked] == [FUNCTION], "one action for one change of state"
    return drill.invoked[0][0] - died_s


@pytest.mark.parametrize(
    ("kind", "early", "median", "late", "bounds"),
    [
        pytest.param(FILLED, 18, 27, 35, (15, 40), id="FILL"),
        pytest.param(SINGLE, 38, 47, 55, (35, 60), id="breaching"),
    ],
)
def test_silence_becomes_alarm_in_the_documented_window(
    kind: dict[str, Any], early: float, median: float, late: float, bounds: tuple[float, float]
) -> None:
    """emulators.md 7: 10 s, 2 of 3: FILL 18/27/35 s, breaching 38/47/55 s over random phases.

    Derived bounds: rest of the last good period (0..10) + whole periods + evaluator phase (0..10)
    - time since the last heartbeat (0..5).
    """
    times = sorted(detection_s(kind, seed) for seed in range(100))
    assert bounds[0] < times[0] and times[-1] <= bounds[1]
    assert statistics.median(times) == pytest.approx(median, abs=2)
    assert sum(early <= time <= late + 1 for time in times) >= 90


@pytest.mark.parametrize("kind", [FILLED, SINGLE], ids=["FILL", "breaching"])
@pytest.mark.parametrize("phase", [0.5, 4.0, 9.5])
def test_ten_second_heartbeats_with_ingest_lag_never_ring_while_the_host_lives(
    kind: dict[str, Any], phase: float
) -> None:
    """AWS user guide, "Using metric math": FILL wants M of N, since the newest point may be late."""
    for seed in range(8):
        drill = Drill(seed, lag_s=3.0)
        drill.beat(10, phase)
        drill.scheduler.run_for(60)
        drill.alarm(kind)
        drill.scheduler.run_for(600)
        assert drill.states() == ["OK"]
        drill.die()
        drill.scheduler.run_for(70)
        assert drill.states() == ["OK", "ALARM"]


def test_fill_without_m_of_n_rings_for_a_living_host_when_the_newest_point_is_late() -> None:
    """AWS user guide, "Using metric math": the newest value may always be the filler."""
    rang = []
    for seed in range(10):
        drill = Drill(seed, lag_s=3.0)
        drill.beat(10, 9.5)
        drill.scheduler.run_for(60)
        drill.alarm(FILLED, EvaluationPeriods=1, DatapointsToAlarm=1)
        drill.scheduler.run_for(60)
        rang.append("ALARM" in drill.states())
    assert any(rang)
