"""DynamoDB attribute values: which are valid, how they are kept, compared and counted.

A value is kept in one canonical form (numbers trimmed, sets sorted), so two values are equal
in DynamoDB's sense exactly if their canonical forms are equal in Python's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Context, Decimal, InvalidOperation
from typing import Any

from picoha.fakeaws.scheduler import AwsFault

Attribute = dict[str, Any]
"""One value as the low-level client writes it: `{"S": "text"}`, `{"N": "1"}`, `{"M": {...}}` …"""
Item = dict[str, Attribute]

DEEPEST = 32  # levels of maps and lists (AWS: Constraints in Amazon DynamoDB, "Nested attribute depth")
_DIGITS = 38  # AWS: Constraints in Amazon DynamoDB, "Number": 38 digits, 1E-130 to 9.99E+125
_LARGEST, _SMALLEST = 125, -130
_PLAIN = re.compile(r"0|-?[1-9][0-9]{0,37}", re.ASCII)
_EXACT = Context(prec=400)


def refusal(message: str) -> AwsFault:
    """Return the error by which DynamoDB refuses a malformed request."""
    return AwsFault("ValidationException", message)


def canonical(value: Attribute, depth: int = 0) -> Attribute:
    """Return a fresh copy of `value` in its one canonical form.

    Raises AwsFault (ValidationException) for anything DynamoDB would not store.
    """
    if len(value) != 1:
        raise refusal("Supplied AttributeValue must contain exactly one of the supported datatypes")
    ((kind, content),) = value.items()
    rule = _RULES.get(kind)
    if rule is None:
        raise refusal(f"Supplied AttributeValue has no supported datatype: {kind}")
    return {kind: rule(content, depth)}


def canonical_item(item: Item) -> Item:
    """Return a fresh copy of `item`, every value in its canonical form."""
    return {name: canonical(value) for name, value in item.items()}


def size_of(value: Attribute) -> int:
    """Return the bytes a canonical value counts for (AWS: DynamoDB item sizes and formats)."""
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return _number_size(content)
    if kind == "B":
        return len(content)
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + size_of(one) for name, one in content.items())
    if kind == "L":
        return 3 + sum(1 + size_of(one) for one in content)
    if kind in ("SS", "NS", "BS"):
        return sum(size_of({kind[0]: one}) for one in content)
    return 1


def item_size(item: Item) -> int:
    """Return the bytes an item counts for: names and values, no overhead for the item itself."""
    return sum(len(name.encode()) + size_of(value) for name, value in item.items())


def ordered(by: Callable[[Any, Any], bool], left: Attribute | None, right: Attribute | None) -> bool:
    """Apply an order (`operator.lt` and the like); false for a missing value or two datatypes."""
    if left is None or right is None or left.keys() != right.keys():
        return False
    ((kind, one),) = left.items()
    other = right[kind]
    if kind == "N":
        return by(Decimal(one), Decimal(other))
    return kind in ("S", "B") and by(one, other)


def _text(content: Any, depth: int) -> Any:
    return content


def _number(content: str, depth: int) -> str:
    if _PLAIN.fullmatch(content):
        return content
    try:
        number = Decimal(content)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise refusal(f"The parameter cannot be converted to a numeric value: {content}")
    if number == 0:
        return "0"
    if not _SMALLEST <= number.adjusted() <= _LARGEST:
        raise refusal("Number overflow or underflow: magnitude outside of the supported range")
    number = number.normalize(_EXACT)
    if len(number.as_tuple().digits) > _DIGITS:
        raise refusal("Attempting to store more than 38 significant digits in a Number")
    return f"{number:f}"


def _true(content: bool, depth: int) -> bool:
    if content is not True:
        raise refusal("Null attribute value types must have the value of true")
    return True


def _map(content: Item, depth: int) -> Item:
    _must_not_be_too_deep(depth)
    return {name: canonical(value, depth + 1) for name, value in content.items()}


def _list(content: list[Attribute], depth: int) -> list[Attribute]:
    _must_not_be_too_deep(depth)
    return [canonical(value, depth + 1) for value in content]


def _set_of(rule: Callable[[Any, int], Any], key: Callable[[Any], Any] | None) -> Callable[[Any, int], Any]:
    def set_rule(content: list[Any], depth: int) -> list[Any]:
        if not content:
            raise refusal("One or more parameter values were invalid: A set may not be empty")
        members = sorted((rule(one, depth) for one in content), key=key)
        if len(set(members)) != len(members):
            raise refusal(f"Input collection {content} contains duplicates.")
        return members

    return set_rule


def _must_not_be_too_deep(depth: int) -> None:
    if depth >= DEEPEST:
        raise refusal("Nesting Levels have exceeded supported limits")


def _number_size(number: str) -> int:
    digits = number.lstrip("-").replace(".", "").strip("0")
    return (len(digits) + 1) // 2 + 1 + number.startswith("-")


_RULES: dict[str, Callable[[Any, int], Any]] = {
    "S": _text,
    "N": _number,
    "B": _text,
    "BOOL": _text,
    "NULL": _true,
    "M": _map,
    "L": _list,
    "SS": _set_of(_text, None),
    "NS": _set_of(_number, Decimal),
    "BS": _set_of(_text, None),
}
