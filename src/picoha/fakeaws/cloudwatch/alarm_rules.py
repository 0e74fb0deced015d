"""When an alarm changes state: M of N under the documented missing-data rules. Pure.

Source of every rule: AWS user guide, "Configuring how CloudWatch alarms treat missing data".
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]

COMPARISONS: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
TREATMENTS = {
    "missing": "Missing",
    "ignore": "Ignored",
    "breaching": "Breaching",
    "notBreaching": "NonBreaching",
}


@dataclass(frozen=True)
class AlarmRule:
    """M (`DatapointsToAlarm`) of N (`EvaluationPeriods`), a threshold and a missing-data treatment."""

    m: int
    n: int
    threshold: float
    comparison: str
    treat_missing: str = "missing"

    def breaches(self, value: float) -> bool:
        """Say whether one value is on the bad side of the threshold."""
        return COMPARISONS[self.comparison][0](value, self.threshold)


def evaluation_range(n: int) -> int:
    """Give how many periods back the alarm looks for real points.

    The guide's tables give 5 for N = 3 and say only that it depends on period and resolution.
    For every other N this is a guess: N + max(2, N // 3).
    """
    return n + max(2, n // 3)


def evaluate(points: Sequence[float | None], rule: AlarmRule) -> State | None:
    """Give the state for the points of the evaluation range (oldest first, None = missing).

    None means "retain the current state". Real points are preferred; a missing one is filled
    in only as often as N needs. Where only breaching points exist, too few and too young, the
    guide says no more than "not ALARM": the current state is retained here.
    """
    real = [rule.breaches(value) for value in points if value is not None]
    filled = max(0, rule.n - len(real))
    bad = sum(real[-rule.n :])
    if filled and rule.treat_missing == "breaching":
        bad += filled
    if bad >= rule.m:
        return "ALARM"
    if filled == 0 or rule.treat_missing in ("breaching", "notBreaching") or not all(real):
        return "OK"
    return _undecided(points, rule)


def _undecided(points: Sequence[float | None], rule: AlarmRule) -> State | None:
    """Decide where no point is good, fewer than M are bad and `missing` or `ignore` applies."""
    if rule.treat_missing == "ignore":
        return None
    ages = [len(points) - index for index, value in enumerate(points) if value is not None]
    if not ages:
        return "INSUFFICIENT_DATA"
    # The premature-alarm rule: the oldest breaching point is M periods old and nothing newer is good.
    return "ALARM" if max(ages) >= rule.m else None


def reason(points: Sequence[tuple[str, float]], rule: AlarmRule, state: State, previous: str) -> str:
    """Word the state reason as CloudWatch does; `points` are the real ones (time text, value)."""
    counted = points[-rule.n :]
    filled = rule.n - len(counted)
    if state == "INSUFFICIENT_DATA":
        return f"Insufficient Data: {_were(filled, 'datapoint')} unknown."
    shown = [f"{value} ({at})" for at, value in counted if rule.breaches(value) == (state == "ALARM")]
    listed = f"[{', '.join(reversed(shown))}] {'was' if len(shown) == 1 else 'were'}"
    side = f"{'not ' * (state == 'OK')}{COMPARISONS[rule.comparison][1]}"
    crossed = f"{listed} {side} the threshold ({rule.threshold})"
    if not filled:
        least = _plural(rule.m if state == "ALARM" else rule.n - rule.m + 1, "datapoint")
        last = f"{len(shown)} out of the last {rule.n} datapoints"
        return f"Threshold Crossed: {last} {crossed} (minimum {least} for {previous} -> {state} transition)."
    received = f"{_were(len(counted), 'datapoint')} received for {_plural(rule.n, 'period')}"
    start = f"{_plural(len(shown), 'datapoint')} {crossed}" if shown else received
    treated = f"{_were(filled, 'missing datapoint')} treated as [{TREATMENTS[rule.treat_missing]}]"
    return f"Threshold Crossed: {start} and {treated}."


def _plural(count: int, word: str) -> str:
    return f"{count or 'no'} {word}{'' if count == 1 else 's'}"


def _were(count: int, word: str) -> str:
    return f"{_plural(count, word)} {'was' if count == 1 else 'were'}"
