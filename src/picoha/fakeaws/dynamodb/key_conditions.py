"""Key conditions of a Query: one partition, and at most one range of its sort keys.

AWS: developer guide, "Key condition expressions for the Query operation".
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from picoha.fakeaws.dynamodb.conditions import Bound, Literal, Node, Path, Term
from picoha.fakeaws.dynamodb.values import refusal

_ON_SORT_KEY = ("=", "<", "<=", ">", ">=", "BETWEEN", "begins_with")


@dataclass(frozen=True)
class KeyCondition:
    """The partition to read, and what is asked of its sort keys (`operator` "" = nothing)."""

    pk: str
    operator: str = ""
    texts: tuple[str, ...] = ()

    def within(self, sort_keys: list[str]) -> list[str]:
        """Return those of the sorted keys that are in the range."""
        if not self.operator:
            return sort_keys[:]
        first, last = self.texts[0], self.texts[-1]
        low, high = 0, len(sort_keys)
        if self.operator in ("=", ">=", "BETWEEN", "begins_with"):
            low = bisect_left(sort_keys, first)
        elif self.operator == ">":
            low = bisect_right(sort_keys, first)
        if self.operator in ("=", "<=", "BETWEEN"):
            high = bisect_right(sort_keys, last)
        elif self.operator == "<":
            high = bisect_left(sort_keys, last)
        elif self.operator == "begins_with":
            high = bisect_right(sort_keys, first, lo=low, key=lambda sk: sk[: len(first)])
        return sort_keys[low:high]


def key_condition(bound: Bound) -> KeyCondition:
    """Return what a bound KeyConditionExpression asks for.

    Raises AwsFault (ValidationException) for anything that is not `pk = :text`, alone or AND one
    condition on sk.
    """
    asked: dict[str, tuple[str, tuple[str, ...]]] = {}
    for term in _terms(bound.node):
        name, texts = _key_and_texts(term, bound)
        if name in asked:
            raise _unsupported(f"two conditions on {name}")
        asked[name] = (term.operator, texts)
    if "pk" not in asked:
        raise refusal("Query condition missed key schema element: pk")
    operator, (pk, *_) = asked.pop("pk")
    if operator != "=":
        raise _unsupported(f"pk {operator}")
    for name, (operator, texts) in asked.items():
        if name != "sk" or operator not in _ON_SORT_KEY:
            raise _unsupported(f"{name} {operator}")
        return KeyCondition(pk, operator, texts)
    return KeyCondition(pk)


def _terms(node: Node) -> Iterator[Term]:
    if isinstance(node, Term):
        yield node
    elif node.operator in ("AND", "("):
        for part in node.parts:
            yield from _terms(part)
    else:
        raise _unsupported(node.operator)


def _key_and_texts(term: Term, bound: Bound) -> tuple[str, tuple[str, ...]]:
    path, *literals = term.operands
    if not isinstance(path, Path) or len(path.steps) != 1 or not literals:
        raise _unsupported(term.operator)
    texts = []
    for literal in literals:
        if not isinstance(literal, Literal):
            raise _unsupported("a key compared with another attribute")
        text = bound.values[literal.name].get("S")
        if not text:
            raise refusal("One or more parameter values were invalid: a key is a non-empty string")
        texts.append(text)
    return bound.name(str(path.steps[0])), tuple(texts)


def _unsupported(what: str) -> Exception:
    return refusal(f"Query key condition not supported: {what}")
