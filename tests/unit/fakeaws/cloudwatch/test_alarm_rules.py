"""M of N and missing data, cell by cell.

Source: AWS user guide, "Configuring how CloudWatch alarms treat missing data".
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoha.fakeaws.cloudwatch.alarm_rules import (
    COMPARISONS,
    TREATMENTS,
    AlarmRule,
    evaluate,
    evaluation_range,
    reason,
)

OK, ALARM, NO_DATA, RETAIN = "OK", "ALARM", "INSUFFICIENT_DATA", None

# points (newest right) → state under missing, ignore, breaching, notBreaching
GUIDE_3_OF_3 = {
    "0 - X - X": (OK, OK, OK, OK),
    "0 - - - -": (OK, OK, OK, OK),
    "- - - - -": (NO_DATA, RETAIN, ALARM, OK),
    "0 X X - X": (ALARM, ALARM, ALARM, ALARM),
    "- - X - -": (ALARM, RETAIN, ALARM, OK),
}
GUIDE_2_OF_3 = {
    "0 - X - X": (ALARM, ALARM, ALARM, ALARM),
    "0 0 X 0 X": (ALARM, ALARM, ALARM, ALARM),
    "0 - X - -": (OK, OK, ALARM, OK),
    "- - - - 0": (OK, OK, ALARM, OK),
    "- - - X -": (ALARM, RETAIN, ALARM, OK),
}
CELLS = [
    pytest.param(m, drawn, treatment, state, id=f"{m} of 3, {drawn}, {treatment}")
    for m, table in ((3, GUIDE_3_OF_3), (2, GUIDE_2_OF_3))
    for drawn, states in table.items()
    for treatment, state in zip(("missing", "ignore", "breaching", "notBreaching"), states, strict=True)
]


def points(drawn: str) -> list[float | None]:
    return [{"0": 1.0, "X": 0.0, "-": None}[one] for one in drawn.split()]


def rule(m: int = 2, n: int = 3, treat_missing: str = "missing") -> AlarmRule:
    return AlarmRule(m, n, 1.0, "LessThanThreshold", treat_missing)


def test_the_guide_has_forty_cells() -> None:
    """AWS user guide: two tables of five rows and four treatments."""
    assert len(CELLS) == 40


@pytest.mark.parametrize(("m", "drawn", "treatment", "state"), CELLS)
def test_every_cell_of_the_guides_two_tables(m: int, drawn: str, treatment: str, state: str | None) -> None:
    """AWS user guide, "How alarm state is evaluated when data is missing", both tables."""
    assert evaluate(points(drawn), rule(m, treat_missing=treatment)) == state


@pytest.mark.parametrize("drawn", ["- - - - X", "- - - X -"])
def test_a_young_breaching_point_alone_is_not_yet_an_alarm(drawn: str) -> None:
    """AWS user guide, "Avoiding premature transitions to alarm state": M is 3 in these examples."""
    assert evaluate(points(drawn), rule(3)) is RETAIN


@pytest.mark.parametrize("drawn", ["- - - X 0", "- - X - 0"])
def test_a_good_point_after_a_lone_breaching_one_is_ok(drawn: str) -> None:
    """AWS user guide, "Avoiding premature transitions to alarm state": the false positive avoided."""
    assert evaluate(points(drawn), rule(3)) == OK


def test_the_row_after_the_guides_second_row_goes_to_alarm_under_breaching() -> None:
    """AWS user guide: once the good point has left the range, silence is ALARM."""
    assert evaluate(points("0 - - - -"), rule(3, treat_missing="breaching")) == OK
    assert evaluate(points("- - - - -"), rule(3, treat_missing="breaching")) == ALARM


def test_evaluation_range_is_five_for_three_periods_and_longer_than_n_for_others() -> None:
    """AWS user guide: 5 for N = 3; "a higher number of data points" than N always."""
    assert evaluation_range(3) == 5
    assert [evaluation_range(n) - n for n in (1, 2, 6, 9, 12)] == [2, 2, 2, 3, 4]


@pytest.mark.parametrize(
    ("comparison", "below", "equal", "above"),
    [
        ("GreaterThanOrEqualToThreshold", False, True, True),
        ("GreaterThanThreshold", False, False, True),
        ("LessThanThreshold", True, False, False),
        ("LessThanOrEqualToThreshold", True, True, False),
    ],
)
def test_each_comparison_at_the_threshold(comparison: str, below: bool, equal: bool, above: bool) -> None:
    """AWS API reference, PutMetricAlarm, ComparisonOperator."""
    one = AlarmRule(1, 1, 5.0, comparison)
    assert [one.breaches(value) for value in (4.9, 5.0, 5.1)] == [below, equal, above]


RANGES = st.lists(st.sampled_from([None, 0.0, 1.0]), min_size=5, max_size=5)


@given(RANGES, st.integers(1, 3), st.sampled_from(sorted(TREATMENTS)))
def test_the_treatment_does_not_matter_while_real_points_suffice(
    drawn: list[float | None], m: int, treatment: str
) -> None:
    """AWS user guide: with N real points in the range the treatment "is not needed and is ignored"."""
    real = [value for value in drawn if value is not None]
    if len(real) >= 3:
        expected = ALARM if real[-3:].count(0.0) >= m else OK
        assert evaluate(drawn, rule(m, treat_missing=treatment)) == expected


@given(RANGES, st.integers(1, 3))
def test_breaching_is_never_milder_and_not_breaching_never_stricter(
    drawn: list[float | None], m: int
) -> None:
    """AWS user guide, both tables: the breaching column is in ALARM wherever another one is."""
    states = {treatment: evaluate(drawn, rule(m, treat_missing=treatment)) for treatment in TREATMENTS}
    if ALARM in states.values():
        assert states["breaching"] == ALARM
    if states["notBreaching"] == ALARM:
        assert set(states.values()) == {ALARM}


def test_reason_words_a_crossing_as_cloudwatch_does() -> None:
    """AWS user guide, "Alarm events and EventBridge": reason of a metric alarm."""
    shown = [("22/11/26 12:00:10", 0.0), ("22/11/26 12:00:20", 0.0)]
    assert reason(shown, rule(2, 2), "ALARM", "OK") == (
        "Threshold Crossed: 2 out of the last 2 datapoints "
        "[0.0 (22/11/26 12:00:20), 0.0 (22/11/26 12:00:10)] were less than the threshold (1.0) "
        "(minimum 2 datapoints for OK -> ALARM transition)."
    )
    assert reason([("22/11/26 11:00:00", 1.0)], rule(1, 1), "OK", "ALARM") == (
        "Threshold Crossed: 1 out of the last 1 datapoints [1.0 (22/11/26 11:00:00)] "
        "was not less than the threshold (1.0) (minimum 1 datapoint for ALARM -> OK transition)."
    )


def test_reason_words_missing_points_as_cloudwatch_does() -> None:
    """State reasons seen in published alarm histories."""
    silent = rule(3, treat_missing="breaching")
    assert reason([], silent, "ALARM", "OK") == (
        "Threshold Crossed: no datapoints were received for 3 periods "
        "and 3 missing datapoints were treated as [Breaching]."
    )
    assert reason([("26/08/26 16:16:00", 1.0)], silent, "OK", "ALARM") == (
        "Threshold Crossed: 1 datapoint [1.0 (26/08/26 16:16:00)] was not less than the threshold (1.0) "
        "and 2 missing datapoints were treated as [Breaching]."
    )
    assert "1 datapoint was received for 3 periods" in reason([("t", 1.0)], silent, "ALARM", "OK")
    assert reason([], rule(), "INSUFFICIENT_DATA", "OK") == "Insufficient Data: 3 datapoints were unknown."


def test_comparisons_are_the_static_ones_of_the_api() -> None:
    """AWS API reference, PutMetricAlarm: the other operators belong to anomaly detection."""
    assert len(COMPARISONS) == 4
