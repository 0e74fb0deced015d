"""Every action becomes its one order; a refusal is a result, and the next action is sent all the same."""

from __future__ import annotations

from typing import Any

import pytest

from picoha.app.act import Result, act
from picoha.domain.actions import (
    AbandonLaunch,
    Action,
    ExtendLaunch,
    FenceHost,
    FreeAddress,
    HintUnhealthy,
    MoveAddress,
    ReleaseLaunch,
)
from picoha.domain.model import AllocationId, AssociationId, InstanceId, InterfaceId
from unit.app.loop_ports import Crash, Hands
from unit.app.loop_rig import refusal

I1 = InstanceId("i-1")
ORDERS: list[tuple[Action, tuple[Any, ...]]] = [
    (FenceHost(I1), ("fence", "i-1", False)),
    (FenceHost(I1, force=True), ("fence", "i-1", True)),
    (HintUnhealthy(I1), ("hint", "i-1")),
    (FreeAddress(AssociationId("eipassoc-1"), I1), ("free", "eipassoc-1")),
    (
        MoveAddress(AllocationId("eipalloc-1"), InterfaceId("eni-1"), I1),
        ("move", "eipalloc-1", "eni-1"),
    ),
    (ReleaseLaunch("demo-ec1", I1), ("release", "demo-ec1", "i-1")),
    (AbandonLaunch("demo-ec1", I1), ("abandon", "demo-ec1", "i-1")),
    (ExtendLaunch("demo-ec1", I1), ("extend", "demo-ec1", "i-1")),
]


@pytest.mark.parametrize(("action", "order"), ORDERS)
def test_an_action_is_sent_as_its_order(action: Action, order: tuple[Any, ...]) -> None:
    hands = Hands()
    assert act([action], hands) == (Result(action, "accepted", "request-1"),)
    assert hands.orders == [order]


def test_every_action_of_the_domain_is_sent_above() -> None:
    assert {type(action) for action, _ in ORDERS} == set(Action.__args__)


@pytest.mark.parametrize(("is_known", "word"), [(True, "refused"), (False, "outcome unknown")])
def test_a_refusal_is_a_result_and_the_rest_is_sent(is_known: bool, word: str) -> None:
    hands = Hands()
    hands.fault = refusal("IncorrectInstanceState", is_known)
    first, second = FenceHost(I1), HintUnhealthy(I1)
    assert act([first, second], hands) == (
        Result(first, f"{word}: doing it: IncorrectInstanceState", "request-x"),
        Result(second, "accepted", "request-2"),
    )


def test_no_action_sends_nothing() -> None:
    hands = Hands()
    assert act([], hands) == ()
    assert hands.orders == []


def test_the_end_of_the_process_is_no_result() -> None:
    hands = Hands()
    hands.fault = Crash()
    with pytest.raises(Crash):
        act([FenceHost(I1), HintUnhealthy(I1)], hands)
    assert len(hands.orders) == 1
