"""DynamoDB's condition expressions as text: parsed once each, bound to names and values.

Grammar and precedence: AWS developer guide, "Condition and filter expressions, operators, and
functions". `attribute_type` and arithmetic are not part of it: asking for them is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from picoha.fakeaws.clients import NotPlayed
from picoha.fakeaws.dynamodb.conditions import (
    COMPARATORS,
    Bound,
    Literal,
    Logic,
    Node,
    Operand,
    Path,
    Size,
    Term,
)
from picoha.fakeaws.dynamodb.reserved_words import RESERVED_WORDS
from picoha.fakeaws.dynamodb.values import Attribute, canonical, refusal

_LONGEST = 4096  # bytes of one expression (AWS: Constraints in Amazon DynamoDB, "Expression parameters")
_MOST_CHOICES = 100  # operands of IN (AWS: the same page)
_TOKEN = re.compile(r"\s*([:#]?\w+|<>|<=|>=|[=<>(),.\[\]])", re.ASCII)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_FUNCTIONS = {"attribute_exists": 1, "attribute_not_exists": 1, "begins_with": 2, "contains": 2}


@dataclass(frozen=True, slots=True)
class Parsed:
    """An expression and the placeholders it uses."""

    node: Node
    terms: tuple[Term, ...]
    placeholders: frozenset[str]


def bind(where: str, text: str, names: Mapping[str, str], values: Mapping[str, Attribute]) -> Bound:
    """Return the expression `text` with names and values.

    `where` is the request's parameter, for messages. Raises AwsFault (ValidationException) for a
    wrong expression and for undefined or unused placeholders; NotPlayed where the real
    service knows more than fakeaws.
    """
    parsed = _parse(where, text)
    for sign, parameter, given in (("#", "Names", names), (":", "Values", values)):
        used = {placeholder for placeholder in parsed.placeholders if placeholder.startswith(sign)}
        for name in sorted(given.keys() ^ used):
            if not re.fullmatch(sign + r"\w+", name, re.ASCII):
                raise refusal(f'ExpressionAttribute{parameter} contains invalid key: "{name}"')
            if name in used:
                raise refusal(f"Invalid {where}: An attribute used in the expression is not defined: {name}")
            raise refusal(
                f"Value provided in ExpressionAttribute{parameter} unused in expressions: keys: {{{name}}}"
            )
    bound = Bound(parsed.node, names, {name: canonical(value) for name, value in values.items()})
    for term in parsed.terms:
        bound.check_literals(where, term)
    return bound


@lru_cache(maxsize=1024)
def _parse(where: str, text: str) -> Parsed:
    return _Parser(where, text).parsed()


class _Parser:
    def __init__(self, where: str, text: str) -> None:
        self._where = where
        self._rest = self._tokens(text)[::-1]
        self._terms: list[Term] = []
        self._placeholders: set[str] = set()

    def parsed(self) -> Parsed:
        node = self._either()
        if self._rest:
            raise self._wrong(f'Syntax error; token: "{self._rest[-1]}"')
        return Parsed(node, tuple(self._terms), frozenset(self._placeholders))

    def _tokens(self, text: str) -> list[str]:
        if not text.strip():
            raise self._wrong("The expression can not be empty;")
        if len(text.encode()) > _LONGEST:
            raise self._wrong("Expression size has exceeded the maximum allowed size;")
        tokens, at, end = [], 0, len(text.rstrip())
        while at < end:
            match = _TOKEN.match(text, at)
            if match is None:
                raise self._wrong(f'Syntax error; token: "{text[at:end]}"')
            tokens.append(match[1])
            at = match.end()
        return tokens

    def _either(self) -> Node:
        return self._chain("OR", self._both)

    def _both(self) -> Node:
        return self._chain("AND", self._negated)

    def _chain(self, word: str, part: Callable[[], Node]) -> Node:
        parts = [part()]
        while self._skip(word):
            parts.append(part())
        return Logic(word, tuple(parts)) if len(parts) > 1 else parts[0]

    def _negated(self) -> Node:
        if self._skip("NOT"):
            return Logic("NOT", (self._negated(),))
        if not self._skip("("):
            return self._term()
        inner = self._either()
        self._expect(")")
        if isinstance(inner, Logic) and inner.operator == "(":
            raise self._wrong("The expression has redundant parentheses;")
        return Logic("(", (inner,))

    def _term(self) -> Term:
        first = self._peek()
        if self._peek(1) == "(" and first != "size":
            term = self._function()
        else:
            term = self._comparison(self._operand())
        self._terms.append(term)
        return term

    def _function(self) -> Term:
        name = self._next()
        if name == "attribute_type":
            raise NotPlayed(f"fakeaws plays no {name} in an expression")
        if name not in _FUNCTIONS:
            raise self._wrong(f"Invalid function name; function: {name}")
        operands = self._list_of_operands()
        if len(operands) != _FUNCTIONS[name]:
            raise self._wrong(f"Incorrect number of operands for operator or function; function: {name}")
        if name.startswith("attribute") and not isinstance(operands[0], Path):
            raise self._wrong(f"Operator or function requires a document path; function: {name}")
        return Term(name, operands)

    def _comparison(self, left: Operand) -> Term:
        if self._skip("BETWEEN"):
            low = self._operand()
            self._expect("AND")
            return Term("BETWEEN", (left, low, self._operand()))
        if self._skip("IN"):
            choices = self._list_of_operands()
            if len(choices) > _MOST_CHOICES:
                raise self._wrong("The IN operator is provided with too many operands;")
            return Term("IN", (left, *choices))
        sign = self._next()
        if sign not in COMPARATORS:
            raise self._wrong(f'Syntax error; token: "{sign or "<EOF>"}"')
        return Term(sign, (left, self._operand()))

    def _list_of_operands(self) -> tuple[Operand, ...]:
        self._expect("(")
        operands = [self._operand()]
        while self._skip(","):
            operands.append(self._operand())
        self._expect(")")
        return tuple(operands)

    def _operand(self) -> Operand:
        if self._peek(1) == "(":
            if self._next() != "size":
                raise self._wrong("The function is not allowed to be used this way in an expression;")
            operands = self._list_of_operands()
            if len(operands) != 1 or not isinstance(operands[0], Path):
                raise self._wrong("Operator or function requires a document path; function: size")
            return Size(operands[0])
        token = self._next()
        if token.startswith(":"):
            self._placeholders.add(token)
            return Literal(token)
        return self._path(token)

    def _path(self, token: str) -> Path:
        steps: list[str | int] = [self._named(token)]
        while self._peek() in (".", "["):
            if self._next() == ".":
                steps.append(self._named(self._next()))
            else:
                position = self._next()
                if not position.isdecimal():
                    raise self._wrong(f'Syntax error; token: "{position}"')
                steps.append(int(position))
                self._expect("]")
        return Path(tuple(steps))

    def _named(self, token: str) -> str:
        if token.startswith("#"):
            self._placeholders.add(token)
        elif not _NAME.fullmatch(token):
            raise self._wrong(f'Syntax error; token: "{token or "<EOF>"}"')
        elif token.upper() in RESERVED_WORDS:
            raise self._wrong(f"Attribute name is a reserved keyword; reserved keyword: {token}")
        return token

    def _peek(self, ahead: int = 0) -> str:
        return self._rest[-1 - ahead] if len(self._rest) > ahead else ""

    def _next(self) -> str:
        return self._rest.pop() if self._rest else ""

    def _skip(self, word: str) -> bool:
        if self._peek().upper() != word:
            return False
        self._rest.pop()
        return True

    def _expect(self, word: str) -> None:
        if not self._skip(word):
            raise self._wrong(f'Syntax error; token: "{self._peek() or "<EOF>"}"')

    def _wrong(self, problem: str) -> Exception:
        return refusal(f"Invalid {self._where}: {problem}")
