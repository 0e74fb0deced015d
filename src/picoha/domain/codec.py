"""Turn frozen dataclasses into plain dictionaries and back, driven by their type hints.

One codec for every record and report, so that the controller and the agent cannot disagree.
Plain means str, int, bool, None, list and dict: what a DynamoDB map can hold.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

from picoha.domain.model import Unknown

T = TypeVar("T")


class Undecodable(ValueError):
    """A stored value that this version does not understand; says where and what."""


def encode(value: Any) -> Any:
    """Return the plain form of a value; absent optional fields are left out."""
    if is_dataclass(value) and not isinstance(value, type):
        plain = {one.name: encode(getattr(value, one.name)) for one in fields(value)}
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
    value: T = _decode(kind, plain, kind.__name__)
    return value


@lru_cache(maxsize=64)
def _shape(kind: Any) -> tuple[tuple[str, Any, bool], ...]:
    hints = get_type_hints(kind)
    return tuple(
        (one.name, hints[one.name], one.default is MISSING and one.default_factory is MISSING)
        for one in fields(kind)
    )


def _decode(kind: Any, plain: Any, where: str) -> Any:
    if isinstance(kind, NewType):
        kind = kind.__supertype__
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _decode_optional(kind, plain, where)
    if origin is tuple:
        inner = get_args(kind)[0]
        return tuple(_decode(inner, item, f"{where}[{n}]") for n, item in enumerate(_a(list, plain, where)))
    if origin is frozenset:
        inner = get_args(kind)[0]
        return frozenset(_decode(inner, item, where) for item in _a(list, plain, where))
    if origin is not None:
        inner = get_args(kind)[1]
        return {key: _decode(inner, item, f"{where}.{key}") for key, item in _a(dict, plain, where).items()}
    if is_dataclass(kind):
        return _decode_dataclass(kind, plain, where)
    return _decode_scalar(kind, plain, where)


def _decode_optional(kind: Any, plain: Any, where: str) -> Any:
    """A union is one kind, perhaps absent, perhaps unknown: `{"reason": ...}` alone is an Unknown."""
    choices = get_args(kind)
    if plain is None and type(None) in choices:
        return None
    if Unknown in choices and isinstance(plain, Mapping) and set(plain) == {"reason"}:
        return _decode(Unknown, plain, where)
    return _decode(next(one for one in choices if one not in (type(None), Unknown)), plain, where)


def _decode_dataclass(kind: Any, plain: Any, where: str) -> Any:
    given = _a(dict, plain, where)
    values: dict[str, Any] = {}
    for name, hint, is_needed in _shape(kind):
        if name in given:
            values[name] = _decode(hint, given[name], f"{where}.{name}")
        elif is_needed:
            raise Undecodable(f"{where}.{name} is missing")
    return kind(**values)


def _decode_scalar(kind: Any, plain: Any, where: str) -> Any:
    try:
        if kind is datetime:
            return _aware(datetime.fromisoformat(plain))
        if kind is bool:
            return _a(bool, plain, where)
        is_broken = kind is int and isinstance(plain, float) and not plain.is_integer()
        if is_broken or (kind in (int, float) and isinstance(plain, bool)):
            raise ValueError("no whole number")
        return kind(plain) if kind is not str else _a(str, plain, where)
    except (ValueError, TypeError, OverflowError) as problem:
        raise Undecodable(f"{where} is {plain!r:.80}, not a {kind.__name__}") from problem


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at


def _a(kind: type, plain: Any, where: str) -> Any:
    if not isinstance(plain, kind):
        raise Undecodable(f"{where} is {plain!r:.80}, not a {kind.__name__}")
    return plain
