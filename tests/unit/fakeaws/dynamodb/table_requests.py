"""Hypothesis strategies: items, conditions and requests of the subset that fakeaws' table plays.

Paths that begin with `#` are sent through a placeholder; they include reserved words.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]

# --- values and items: each attribute has its datatype, "mixed" has whichever -------------------------------

PKS, SKS = ["P", "Q"], ["a", "ab", "SLOT#1", "Ä", "😀"]
words = st.sampled_from(["", "a", "ab", "b", "ba", "ä"]).map(lambda text: {"S": text})
numbers = st.sampled_from(["-2", "0", "1", "1.5", "10", "9"]).map(lambda text: {"N": text})
truths = st.booleans().map(lambda value: {"BOOL": value})
word_sets = st.sets(st.sampled_from(["a", "ab", "b"]), min_size=1).map(lambda some: {"SS": sorted(some)})
lists = st.lists(words | numbers, max_size=3).map(lambda some: {"L": some})
maps = st.fixed_dictionaries({}, optional={"deep": numbers, "note": words}).map(lambda some: {"M": some})
ATTRIBUTES = {
    "number": numbers,  # also a reserved word, as is "schema"
    "schema": words,
    "ver": numbers,
    "holder": words,
    "flag": truths,
    "pools": word_sets,
    "steps": lists,
    "deadline": maps,
    "mixed": words | numbers | lists | maps | st.just({"NULL": True}),
}
keys = st.builds(
    lambda pk, sk: {"pk": {"S": pk}, "sk": {"S": sk}}, st.sampled_from(PKS), st.sampled_from(SKS)
)
full = st.fixed_dictionaries(ATTRIBUTES)
items = st.builds(
    lambda key, rest: {**key, **rest}, keys, full | st.fixed_dictionaries({}, optional=ATTRIBUTES)
)

# --- conditions: a list of texts, paths ("#" to be aliased) and values, rendered at the end ---------------

WORDS, NUMBERS = ["#schema", "holder", "deadline.note", "sk"], ["#number", "ver", "#deadline.deep"]
paths = st.sampled_from(
    [*WORDS, *NUMBERS, "flag", "pools", "steps", "steps[1]", "mixed", "#mixed", "nowhere.else"]
)
signs = st.sampled_from(["<", "<=", ">", ">="])


def _typed(places: list[str], values: st.SearchStrategy[Json]) -> st.SearchStrategy[tuple[Any, ...]]:
    place = st.sampled_from(places)
    bounds = st.lists(values, min_size=2, max_size=2).map(lambda two: sorted(two, key=_order))
    return st.one_of(
        st.tuples(place, signs, values),
        st.permutations(places).flatmap(lambda some: st.tuples(st.just(some[0]), signs, st.just(some[1]))),
        st.tuples(place, st.sampled_from(["=", "<>"]), values),
        st.tuples(values, st.sampled_from(["=", "<>", "<", ">="]), place),
        st.builds(lambda one, two: (one, "BETWEEN", two[0], "AND", two[1]), place, bounds),
        st.builds(
            lambda one, some: (one, "IN (", *_between_commas(some), ")"),
            place,
            st.lists(values, min_size=1, max_size=3),
        ),
    )


def _order(value: Json) -> Any:
    return float(value["N"]) if "N" in value else value["S"]


def _between_commas(some: list[Any]) -> list[Any]:
    return [part for one in some for part in (one, ",")][:-1]


terms = st.one_of(
    _typed(WORDS, words),
    _typed(NUMBERS, numbers),
    st.tuples(st.sampled_from(["attribute_exists(", "attribute_not_exists("]), paths, st.just(")")),
    st.tuples(st.just("begins_with("), paths, st.just(","), words, st.just(")")),
    st.tuples(
        st.just("contains("),
        st.sampled_from(["#schema", "pools", "steps", "ver"]),
        st.just(","),
        words,
        st.just(")"),
    ),
    st.tuples(st.just("flag"), st.sampled_from(["=", "<>"]), truths),
    st.tuples(st.just("steps"), st.just("="), lists),
    st.builds(
        lambda one, sign, size: ("attribute_exists(", one, ") AND size(", one, ")", sign, size),
        st.sampled_from(["pools", "steps", "deadline", "holder"]),
        signs,
        numbers,
    ),
)
conditions = st.recursive(
    terms.map(list),
    lambda inner: st.one_of(
        inner.map(lambda one: ["NOT (", *one, ")"]),
        st.builds(lambda a, word, b: [*a, word, *b], inner, st.sampled_from(["AND", "or", "OR"]), inner),
        st.builds(lambda a, word, b: ["(", *a, ")", word, *b], inner, st.sampled_from(["AND", "OR"]), inner),
    ),
    max_leaves=4,
)


def _render(parts: list[Any]) -> Json:
    names: dict[str, str] = {}
    values: dict[str, Json] = {}
    text = []
    for part in parts:
        if isinstance(part, dict):
            values[f":v{len(values)}"] = part
            text.append(f":v{len(values) - 1}")
        elif part.startswith("#"):
            first, dot, rest = part[1:].partition(".")
            names[f"#n_{first}"] = first
            text.append(f"#n_{first}{dot}{rest}")
        else:
            text.append(part)
    rendered: Json = {"ConditionExpression": " ".join(text)}
    return (
        rendered
        | ({"ExpressionAttributeNames": names} if names else {})
        | ({"ExpressionAttributeValues": values} if values else {})
    )


conditional: st.SearchStrategy[Json] = st.one_of(st.just({}), conditions.map(_render))
tells = st.sampled_from([{}, {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}])
answers = st.sampled_from([{}, {"ReturnValues": "ALL_OLD"}])

# --- operations -------------------------------------------------------------------------------------------


def _merged(*parts: Json) -> Json:
    return {name: value for part in parts for name, value in part.items()}


put_bodies = st.builds(_merged, items.map(lambda item: {"Item": item}), conditional, tells)
delete_bodies = st.builds(_merged, keys.map(lambda key: {"Key": key}), conditional, tells)
check_bodies = st.builds(_merged, keys.map(lambda key: {"Key": key}), conditions.map(_render), tells)
actions = st.one_of(
    st.builds(lambda body: {"Put": body}, put_bodies),
    st.builds(lambda body: {"Delete": body}, delete_bodies),
    st.builds(lambda body: {"ConditionCheck": body}, check_bodies),
)


def _key_of(action: Json) -> tuple[str, str]:
    ((_, body),) = action.items()
    key = body.get("Key") or body["Item"]
    return key["pk"]["S"], key["sk"]["S"]


def query_of(pk: str, asked: str, texts: list[str], forward: bool, limit: int | None) -> Json:
    low, high = sorted(texts)
    values = {":pk": {"S": pk}} | ({":low": {"S": low}} if ":low" in asked else {})
    query: Json = {
        "KeyConditionExpression": f"#p = :pk{asked}",
        "ExpressionAttributeNames": {"#p": "pk"},
        "ExpressionAttributeValues": values | ({":high": {"S": high}} if ":high" in asked else {}),
        "ScanIndexForward": forward,
        "ConsistentRead": True,
    }
    return query | ({"Limit": limit} if limit else {})


RANGES = ["", " AND begins_with(sk, :low)", " AND sk BETWEEN :low AND :high"]
RANGES += [f" AND sk {sign} :low" for sign in ("=", "<", "<=", ">", ">=")]
queries = st.builds(
    query_of,
    st.sampled_from(PKS),
    st.sampled_from(RANGES),
    st.lists(st.sampled_from(SKS), min_size=2, max_size=2),
    st.booleans(),
    st.sampled_from([None, 1, 2]),
)
operations = st.one_of(
    st.tuples(st.just("put_item"), st.builds(_merged, put_bodies, answers)),
    st.tuples(st.just("put_item"), st.builds(lambda item: {"Item": item}, items)),
    st.tuples(st.just("delete_item"), st.builds(_merged, delete_bodies, answers)),
    st.tuples(st.just("get_item"), keys.map(lambda key: {"Key": key})),
    st.tuples(st.just("query"), queries),
    st.tuples(
        st.just("transact_write_items"),
        st.lists(actions, min_size=1, max_size=4, unique_by=_key_of).map(
            lambda some: {"TransactItems": some}
        ),
    ),
)

steps = st.tuples(
    st.lists(items, min_size=3, max_size=8).map(lambda some: [("put_item", {"Item": one}) for one in some]),
    st.lists(operations, min_size=4, max_size=12),
).map(lambda both: [*both[0], *both[1]])
