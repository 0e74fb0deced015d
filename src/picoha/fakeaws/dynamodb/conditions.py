"""What a DynamoDB condition means: its nodes, and whether they hold for an item.

Meaning: AWS developer guide, "Condition and filter expressions, operators, and functions". An
order between two datatypes, or with a missing attribute, is false, never an error.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from picoha.fakeaws.dynamodb.values import Attribute, Item, ordered, refusal

COMPARATORS = ("=", "<>", "<", "<=", ">", ">=")


@dataclass(frozen=True, slots=True)
class Path:
    """A place in an item: names (`#placeholders` not yet replaced) and list positions."""

    steps: tuple[str | int, ...]

    def of(self, item: Item, bound: Bound) -> Attribute | None:
        """Return the value at this place, or None."""
        here: Attribute | None = {"M": item}
        for step in self.steps:
            if here is None:
                return None
            if isinstance(step, int):
                there = here.get("L", [])
                here = there[step] if step < len(there) else None
            else:
                here = here.get("M", {}).get(bound.name(step))
        return here


@dataclass(frozen=True, slots=True)
class Literal:
    """A `:placeholder` for a value."""

    name: str

    def of(self, item: Item, bound: Bound) -> Attribute | None:
        """Return the bound value."""
        return bound.values[self.name]


@dataclass(frozen=True, slots=True)
class Size:
    """`size(path)`; of a missing value, or of one without a size, it is missing itself."""

    path: Path

    def of(self, item: Item, bound: Bound) -> Attribute | None:
        """Return the size as a number value."""
        found = self.path.of(item, bound) or {}
        for kind, content in found.items():
            if kind not in ("N", "BOOL", "NULL"):
                return {"N": str(len(content))}
        return None


Operand = Path | Literal | Size


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison, BETWEEN, IN or function."""

    operator: str
    operands: tuple[Operand, ...]

    def holds(self, item: Item, bound: Bound) -> bool:
        """Say whether this is true of the item."""
        return _TESTS[self.operator](*(operand.of(item, bound) for operand in self.operands))


@dataclass(frozen=True, slots=True)
class Logic:
    """AND, OR, NOT, or one pair of parentheses."""

    operator: str
    parts: tuple[Node, ...]

    def holds(self, item: Item, bound: Bound) -> bool:
        """Say whether this is true of the item."""
        if self.operator == "OR":
            return any(part.holds(item, bound) for part in self.parts)
        together = all(part.holds(item, bound) for part in self.parts)
        return not together if self.operator == "NOT" else together


Node = Term | Logic


@dataclass(frozen=True, slots=True)
class Bound:
    """An expression with the names and values of one request."""

    node: Node
    names: Mapping[str, str]
    values: Mapping[str, Attribute]

    def name(self, step: str) -> str:
        """Return the attribute name that a step of a path stands for."""
        return self.names[step] if step.startswith("#") else step

    def holds(self, item: Item | None) -> bool:
        """Say whether the expression is true of the item; a missing item has no attributes."""
        return self.node.holds(item or {}, self)

    def check_literals(self, where: str, term: Term) -> None:
        """Refuse (ValidationException) bound values that no item could ever satisfy."""
        first, *rest = term.operands
        if isinstance(first, Path) and first in rest:
            raise refusal(f"Invalid {where}: The first operand must be distinct from the remaining operands")
        values = [self.values[operand.name] for operand in term.operands if isinstance(operand, Literal)]
        kinds = _LITERAL_KINDS.get(term.operator)
        for kind in (kind for value in values for kind in value):
            if kinds is not None and kind not in kinds:
                raise refusal(
                    f"Invalid {where}: Incorrect operand type for operator or function; "
                    f"operator or function: {term.operator}, operand type: {kind}"
                )
        bounds = [self.values[one.name] for one in rest if isinstance(one, Literal)]
        if term.operator == "BETWEEN" and len(bounds) == len(rest) and not ordered(operator.le, *bounds):
            raise refusal(f"Invalid {where}: BETWEEN requires bounds of one type, the lower first")


def _equal(left: Attribute | None, right: Attribute | None) -> bool:
    return left is not None and left == right


def _order(by: Callable[[Any, Any], bool]) -> Callable[..., bool]:
    return lambda left, right: ordered(by, left, right)


def _between(value: Attribute | None, low: Attribute | None, high: Attribute | None) -> bool:
    return ordered(operator.le, low, value) and ordered(operator.le, value, high)


def _begins_with(value: Attribute | None, start: Attribute | None) -> bool:
    for kind in ("S", "B"):
        if value and start and kind in value and kind in start:
            return bool(value[kind].startswith(start[kind]))
    return False


def _contains(value: Attribute | None, sought: Attribute | None) -> bool:
    if value is None or sought is None:
        return False
    ((kind, content),) = value.items()
    ((sought_kind, part),) = sought.items()
    if kind == "L":
        return sought in content
    return ((kind == sought_kind and kind in ("S", "B")) or kind == sought_kind + "S") and part in content


_TESTS: dict[str, Callable[..., bool]] = {
    "=": _equal,
    "<>": lambda left, right: not _equal(left, right),
    "<": _order(operator.lt),
    "<=": _order(operator.le),
    ">": _order(operator.gt),
    ">=": _order(operator.ge),
    "BETWEEN": _between,
    "IN": lambda value, *choices: any(_equal(value, choice) for choice in choices),
    "attribute_exists": lambda value: value is not None,
    "attribute_not_exists": lambda value: value is None,
    "begins_with": _begins_with,
    "contains": _contains,
}
_LITERAL_KINDS = {
    **dict.fromkeys(("<", "<=", ">", ">=", "BETWEEN"), ("S", "N", "B")),
    "begins_with": ("S", "B"),
}
