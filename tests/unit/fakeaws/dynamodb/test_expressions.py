"""Expressions where moto is no measure: AWS's own rules for odd values, refusals, placeholders.

Rules: AWS developer guide, "Condition and filter expressions, operators, and functions".
"""

from __future__ import annotations

from typing import Any

import pytest
from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

from picoha.fakeaws.clients import NotPlayed
from picoha.fakeaws.dynamodb.expressions import bind
from picoha.fakeaws.dynamodb.reserved_words import RESERVED_WORDS
from picoha.fakeaws.scheduler import AwsFault

ITEM: dict[str, Any] = {
    "ver": {"N": "10"},
    "holder": {"S": "i-1"},
    "flag": {"BOOL": True},
    "gone": {"NULL": True},
    "steps": {"L": [{"S": "fence"}, {"M": {"tries": {"N": "2"}}}]},
    "op": {"M": {"phase": {"S": "FENCING"}, "a.b": {"N": "1"}}},
    "hosts": {"SS": ["i-1", "i-2"]},
    "epochs": {"NS": ["1", "2"]},
    "blob_": {"B": b"abc"},
}


def holds(text: str, item: dict[str, Any] | None = None, /, **values: Any) -> bool:
    """Say whether `text` is true of the item; each keyword is the value of its `:placeholder`."""
    given = {f":{name}": value for name, value in values.items()}
    return bind("ConditionExpression", text, {}, given).holds(ITEM if item is None else item)


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("flag = :v", {"v": {"N": "1"}}, False),  # a truth is not the number one
        ("nowhere = :v", {"v": {"NULL": True}}, False),  # nothing is not NULL
        ("gone = :v", {"v": {"NULL": True}}, True),
        ("nowhere = elsewhere", {}, False),  # nothing equals nothing: no
        ("nowhere <> :v", {"v": {"S": "a"}}, True),
        ("holder < :v", {"v": {"N": "5"}}, False),  # no order between datatypes, in neither direction
        ("holder >= :v", {"v": {"N": "5"}}, False),
        ("nowhere < :v OR nowhere >= :v", {"v": {"N": "5"}}, False),
        (
            "ver BETWEEN :low AND :high",
            {"low": {"N": "9"}, "high": {"N": "10.0"}},
            True,
        ),  # 9 < 10, not "9" > "10"
        ("ver = :v", {"v": {"N": "1e1"}}, True),
        ("size(nowhere) < :v", {"v": {"N": "5"}}, False),
        ("size(ver) < :v", {"v": {"N": "99"}}, False),  # a number has no size
        ("size(op) = :v AND size(holder) = :w", {"v": {"N": "2"}, "w": {"N": "3"}}, True),
        ("contains(epochs, :v)", {"v": {"N": "2.0"}}, True),
        ("contains(epochs, :v)", {"v": {"S": "2"}}, False),
        ("contains(hosts, :v)", {"v": {"S": "i"}}, False),  # a member, not a part of one
        ("contains(holder, :v)", {"v": {"S": "-"}}, True),
        ("contains(blob_, :v)", {"v": {"B": b"bc"}}, True),
        ("contains(op, :v)", {"v": {"S": "phase"}}, False),
        ("contains(nowhere, :v)", {"v": {"S": "x"}}, False),
        ("begins_with(blob_, :v)", {"v": {"B": b"ab"}}, True),
        ("begins_with(ver, :v)", {"v": {"S": "1"}}, False),
        ("hosts = :v", {"v": {"SS": ["i-2", "i-1"]}}, True),  # a set has no order
        ("op.phase IN (:a, :b)", {"a": {"S": "x"}, "b": {"S": "FENCING"}}, True),
        ("steps[1].tries = :v", {"v": {"N": "2"}}, True),
        ("attribute_exists(steps[2])", {}, False),
        ("attribute_exists(holder.zone_)", {}, False),
        ("attribute_exists(holder[0])", {}, False),
        ("NOT NOT ver = :v", {"v": {"N": "10"}}, True),
        (
            "NOT ver = :v OR flag = :f",
            {"v": {"N": "10"}, "f": {"BOOL": True}},
            True,
        ),  # NOT binds first, OR last
        ("ver = :v AND flag = :f OR ver = :v", {"v": {"N": "10"}, "f": {"BOOL": False}}, True),
        ("not (ver = :v and flag = :f)", {"v": {"N": "10"}, "f": {"BOOL": True}}, False),
    ],
)
def test_a_condition_means_what_the_service_documents(text: str, values: Any, expected: bool) -> None:
    assert holds(text, **values) is expected


def test_an_item_that_does_not_exist_has_no_attributes() -> None:
    bound = bind("ConditionExpression", "attribute_not_exists(pk) AND NOT ver > :v", {}, {":v": {"N": "0"}})
    assert bound.holds(None)


def test_a_name_with_a_dot_is_one_name_behind_a_placeholder() -> None:
    bound = bind("ConditionExpression", "#op.#ab = :v", {"#op": "op", "#ab": "a.b"}, {":v": {"N": "1"}})
    assert bound.holds(ITEM)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The expression can not be empty"),
        ("ver = :n AND", "Syntax error"),
        ("ver =", "Syntax error"),
        ("ver :n", "Syntax error"),
        ("(ver = :n", "Syntax error"),
        ("ver = :n)", "Syntax error"),
        ("ver == :n", "Syntax error"),
        ("ver = :n ; flag = :n", "Syntax error"),
        ("2nd = :n", "Syntax error"),
        ("steps[first] = :n", "Syntax error"),
        ("steps[0 = :n", "Syntax error"),
        ("ver BETWEEN :n OR :n", "Syntax error"),
        ("((ver = :n))", "redundant parentheses"),
        ("status = :n", "reserved keyword: status"),
        ("op.Value = :n", "reserved keyword: Value"),
        ("ends_with(holder, :n)", "Invalid function name; function: ends_with"),
        ("attribute_exists(ver, flag)", "Incorrect number of operands"),
        ("begins_with(holder)", "Incorrect number of operands"),
        ("attribute_exists(:n)", "requires a document path"),
        ("size(:n) > :n", "requires a document path"),
        ("ver = attribute_exists(flag)", "not allowed to be used this way"),
        ("size(ver)", "Syntax error"),
        ("ver = ver", "first operand must be distinct"),
        ("ver < :flag", "operator or function: <, operand type: BOOL"),
        ("begins_with(holder, :n)", "operator or function: begins_with, operand type: N"),
        ("ver BETWEEN :n AND :zero", "the lower first"),
        ("ver BETWEEN :n AND :text", "bounds of one type"),
        ("ver IN (" + ", ".join([":n"] * 101) + ")", "too many operands"),
        ("attribute_exists(ver) AND " * 200 + "ver = :n", "maximum allowed size"),
        ("ver = :absent", "not defined: :absent"),
        ("#absent = :n", "not defined: #absent"),
    ],
)
def test_a_wrong_expression_is_refused_with_its_reason(text: str, message: str) -> None:
    known: dict[str, Any] = {
        ":n": {"N": "1"},
        ":zero": {"N": "0"},
        ":flag": {"BOOL": True},
        ":text": {"S": "x"},
    }
    values = {name: value for name, value in known.items() if name in text}
    with pytest.raises(AwsFault) as refused:
        bind("ConditionExpression", text, {}, values)
    assert refused.value.code == "ValidationException"
    assert message in refused.value.message


@pytest.mark.parametrize(
    ("names", "values", "message"),
    [
        ({"#x": "x"}, {}, "ExpressionAttributeNames unused in expressions: keys: {#x}"),
        ({}, {":x": {"N": "1"}}, "ExpressionAttributeValues unused in expressions: keys: {:x}"),
        ({"ver": "ver"}, {}, 'ExpressionAttributeNames contains invalid key: "ver"'),
        ({}, {"#v": {"N": "1"}}, 'ExpressionAttributeValues contains invalid key: "#v"'),
    ],
)
def test_placeholders_nobody_uses_are_refused(names: Any, values: Any, message: str) -> None:
    with pytest.raises(AwsFault, match="ValidationException") as refused:
        bind("ConditionExpression", "attribute_exists(ver)", names, values)
    assert message in refused.value.message


def test_what_fakeaws_does_not_know_is_named_not_passed_over() -> None:
    with pytest.raises(NotPlayed, match="attribute_type"):
        bind("ConditionExpression", "attribute_type(ver, :t)", {}, {":t": {"S": "N"}})


def test_the_reserved_words_are_the_services() -> None:
    assert sorted(RESERVED_WORDS) == sorted(word.upper() for word in ReservedKeywords.get_reserved_keywords())
