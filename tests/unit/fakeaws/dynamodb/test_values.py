"""Attribute values: the canonical form, what is refused, and what a value counts for."""

from __future__ import annotations

from typing import Any

import pytest

from picoha.fakeaws.dynamodb.values import canonical, item_size
from picoha.fakeaws.scheduler import AwsFault


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("1.50", "1.5"),
        ("007", "7"),
        ("-0", "0"),
        ("1e3", "1000"),
        ("0.000", "0"),
        ("+5", "5"),
        ("1E-3", "0.001"),
    ],
)
def test_numbers_are_kept_trimmed(given: str, kept: str) -> None:
    assert canonical({"N": given}) == {"N": kept}


def test_numbers_of_38_digits_keep_every_one() -> None:
    longest = "-1." + "2345678901" * 3 + "2345678"
    assert canonical({"N": longest}) == {"N": longest}


def test_sets_are_kept_sorted_by_their_own_order() -> None:
    assert canonical({"NS": ["10", "9", "-1"]}) == {"NS": ["-1", "9", "10"]}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "exactly one"),
        ({"S": "a", "N": "1"}, "exactly one"),
        ({"X": "a"}, "no supported datatype: X"),
        ({"N": "one"}, "cannot be converted to a numeric value: one"),
        ({"N": "NaN"}, "cannot be converted"),
        ({"N": "1E126"}, "outside of the supported range"),
        ({"N": "1E-131"}, "outside of the supported range"),
        ({"N": "1" * 39}, "38 significant digits"),
        ({"NULL": False}, "must have the value of true"),
        ({"SS": []}, "may not be empty"),
        ({"SS": ["a", "a"]}, "contains duplicates"),
        ({"NS": ["1", "1.0"]}, "contains duplicates"),
        ({"M": {"in": {"L": [{"N": "x"}]}}}, "cannot be converted"),
    ],
)
def test_values_the_service_would_not_store_are_refused(value: dict[str, Any], message: str) -> None:
    with pytest.raises(AwsFault) as refused:
        canonical(value)
    assert refused.value.code == "ValidationException"
    assert message in refused.value.message


def test_nesting_is_limited_to_32_levels() -> None:
    deep: dict[str, Any] = {"S": "bottom"}
    for _ in range(32):
        deep = {"L": [deep]}
    canonical(deep)
    with pytest.raises(AwsFault, match="Nesting Levels"):
        canonical({"M": {"v": deep}})


@pytest.mark.parametrize(
    ("value", "counts_for"),
    [
        ({"S": "ä"}, 2),
        ({"N": "-123"}, 4),
        ({"B": b"abc"}, 3),
        ({"BOOL": False}, 1),
        ({"NULL": True}, 1),
        ({"SS": ["a", "bc"]}, 3),
        ({"L": [{"S": "ab"}, {"BOOL": True}]}, 3 + 1 + 2 + 1 + 1),
        ({"M": {"key": {"S": "ab"}}}, 3 + 1 + 3 + 2),
    ],
)
def test_the_size_of_an_item_is_names_and_values(value: dict[str, Any], counts_for: int) -> None:
    assert item_size({"name": value}) == len("name") + counts_for
