"""Turn frozen dataclasses into plain dictionaries and back, driven by their type hints.

One codec for every record and report, so that the controller and the agent cannot disagree.
Plain means str, int, bool, None, list and dict: what a DynamoDB map can hold.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache, partial
from typing import Any, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

from picoha.domain.model import Unknown

T = TypeVar("T")


class Undecodable(ValueError):
    """A stored value that this version does not understand; says where and what."""


def encode(value: Any) -> Any:
    """Return the plain form of a value; absent optional fields are left out."""
    if is_dataclass(value) and not isinstance(value, type):
        plain = {field.name: encode(getattr(value, field.name)) for field in fields(value)}
        return {name: item for name, item in plain.items() if item is not None}
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(encode(item) for item in value)
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    return value


def decode(kind: type[T], plain: Mapping[str, Any]) -> T:
    """Return a `kind` from its plain form; raises Undecodable naming the field and the value."""
    try:
        of_kind: Any = kind
        value: T = _decoder(of_kind)(plain)
    except _Wrong as wrong:
        raise Undecodable(f"{kind.__name__}{wrong.path} {wrong.what}") from wrong
    return value


class _Wrong(Exception):
    """What is wrong, and where; the path grows on the way up, so a right value costs nothing for it."""

    def __init__(self, what: str, path: str = "") -> None:
        super().__init__(what)
        self.what, self.path = what, path

    def inside(self, step: str) -> _Wrong:
        self.path = step + self.path
        return self


_Decoder = Callable[[Any], Any]


@cache
def _decoder(kind: Any) -> _Decoder:
    """Return what decodes a kind. Type hints are read once; records are read every few seconds."""
    if isinstance(kind, NewType):
        return _decoder(kind.__supertype__)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _union(inner)
    if origin is tuple:
        return partial(_items, _decoder(inner[0]))
    if origin is frozenset:
        return partial(_set, _decoder(inner[0]))
    if origin is not None:
        return partial(_values, _decoder(inner[1]))
    if is_dataclass(kind):
        return _dataclass(kind)
    return _SCALARS.get(kind) or partial(_made, kind)


def _items(decode_one: _Decoder, plain: Any) -> tuple[Any, ...]:
    found = []
    for n, item in enumerate(_a(list, plain)):
        try:
            found.append(decode_one(item))
        except _Wrong as wrong:
            raise wrong.inside(f"[{n}]") from wrong.__cause__
    return tuple(found)


def _set(decode_one: _Decoder, plain: Any) -> frozenset[Any]:
    return frozenset(decode_one(item) for item in _a(list, plain))


def _values(decode_one: _Decoder, plain: Any) -> dict[str, Any]:
    found = {}
    for key, item in _a(dict, plain).items():
        try:
            found[key] = decode_one(item)
        except _Wrong as wrong:
            raise wrong.inside(f".{key}") from wrong.__cause__
    return found


def _union(choices: tuple[Any, ...]) -> _Decoder:
    """A union is one kind, perhaps absent, perhaps unknown: `{"reason": ...}` alone is an Unknown."""
    may_be_none, may_be_unknown = type(None) in choices, Unknown in choices
    decode_one = _decoder(
        next((choice for choice in choices if choice not in (type(None), Unknown)), Unknown)
    )

    def decode_union(plain: Any) -> Any:
        if plain is None and may_be_none:
            return None
        if may_be_unknown and isinstance(plain, dict) and plain.keys() == {"reason"}:
            return _decoder(Unknown)(plain)
        return decode_one(plain)

    return decode_union


def _dataclass(kind: Any) -> _Decoder:
    hints = get_type_hints(kind)
    members = {field.name: _decoder(hints[field.name]) for field in fields(kind)}
    needed = [
        field.name for field in fields(kind) if field.default is MISSING and field.default_factory is MISSING
    ]

    def decode_dataclass(plain: Any) -> Any:
        given = _a(dict, plain)
        for name in needed:
            if name not in given:
                raise _Wrong("is missing", f".{name}")
        values = {}
        for name, decode_one in members.items():
            if name in given:
                try:
                    values[name] = decode_one(given[name])
                except _Wrong as wrong:
                    raise wrong.inside(f".{name}") from wrong.__cause__
        return kind(**values)

    return decode_dataclass


def _made(kind: Any, plain: Any) -> Any:
    """Return a kind that is made of one plain value: a number or an enum."""
    try:
        is_broken = kind is int and isinstance(plain, float) and not plain.is_integer()
        if is_broken or (kind in (int, float) and isinstance(plain, bool)):
            raise ValueError("no whole number")
        return kind(plain)
    except (ValueError, TypeError, OverflowError) as problem:
        raise _not_a(kind, plain) from problem


def _time(plain: Any) -> datetime:
    try:
        at = datetime.fromisoformat(plain)
    except (ValueError, TypeError) as problem:
        raise _not_a(datetime, plain) from problem
    if at.tzinfo is None:
        raise _not_a(datetime, plain)
    return at


def _a(kind: type, plain: Any) -> Any:
    if not isinstance(plain, kind):
        raise _not_a(kind, plain)
    return plain


def _not_a(kind: type, plain: Any) -> _Wrong:
    return _Wrong(f"is {plain!r:.80}, not a {kind.__name__}")


_SCALARS: dict[Any, _Decoder] = {datetime: _time, bool: partial(_a, bool), str: partial(_a, str)}
