"""What is written can be read back whole; what was never written by us is refused, and only refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, NewType, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoha.adapters.aws import items
from picoha.domain.codec import Undecodable, decode, encode
from picoha.domain.model import Evidence, Report
from picoha.domain.record import Brake, Grant, HistoryRow, ModeRecord, Request, SlotRecord

STORED = (SlotRecord, Report, ModeRecord, Brake, Request, Evidence, HistoryRow, Grant)
FIRST, SPAN_MS = datetime(2020, 1, 1, tzinfo=UTC), 20 * 365 * 86_400_000

moments = st.integers(0, SPAN_MS).map(lambda ms: FIRST + timedelta(milliseconds=ms))
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    str: words,
    int: st.integers(-(10**12), 10**12),
    bool: st.booleans(),
    float: st.integers(-1000, 1000).map(lambda n: n / 4),
    datetime: moments,
}


@cache
def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type hint, every field of every dataclass inside drawn anew."""
    if isinstance(kind, NewType):
        return values(kind.__supertype__)
    if kind in SCALARS:
        return SCALARS[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return st.one_of(
            *(st.none() if argument is type(None) else values(argument) for argument in arguments)
        )
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(words, values(arguments[1]), max_size=2)
    return st.sampled_from(kind) if issubclass(kind, Enum) else whole(kind)


def whole(kind: type[Any]) -> st.SearchStrategy[Any]:
    assert is_dataclass(kind), kind
    hints = get_type_hints(kind)
    return st.builds(kind, **{field.name: values(hints[field.name]) for field in fields(kind)})


finite = st.floats(allow_nan=False, allow_infinity=False)
leaves = st.none() | st.booleans() | st.integers() | finite | words | moments.map(str)


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3)


junk = st.recursive(leaves, nested, max_leaves=6)


@pytest.mark.parametrize("kind", STORED)
def test_what_is_written_is_read_back_whole(kind: type[Any]) -> None:
    @given(whole(kind))
    def round_trips(value: Any) -> None:
        plain = encode(value)
        assert decode(kind, plain) == value
        assert encode(decode(kind, plain)) == plain

    round_trips()


@given(whole(SlotRecord), whole(Report))
def test_it_survives_the_tables_own_form(record: SlotRecord, report: Report) -> None:
    for value in (record, report):
        stored = items.item("CELL", "X", encode(value))
        assert decode(type(value), items.body(stored)) == value


@pytest.mark.parametrize("kind", STORED)
def test_junk_is_refused_and_only_refused(kind: type[Any]) -> None:
    @given(junk)
    def is_refused(plain: Any) -> None:
        try:
            decode(kind, plain)
        except Undecodable as problem:
            assert kind.__name__ in str(problem)

    is_refused()


@pytest.mark.parametrize("kind", STORED)
def test_one_field_of_junk_in_a_whole_record_is_refused_or_understood(kind: type[Any]) -> None:
    names = [field.name for field in fields(kind)]

    @given(whole(kind), st.sampled_from(names), junk)
    def holds(value: Any, name: str, odd: Any) -> None:
        plain = {**encode(value), name: odd}
        try:
            read = decode(kind, plain)
        except Undecodable as problem:
            assert f"{kind.__name__}.{name}" in str(problem)
        else:
            assert isinstance(read, kind)

    holds()
