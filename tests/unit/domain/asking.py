"""A slot with one operator's request, and what was answered."""

from __future__ import annotations

from dataclasses import replace

from builders import a_request, ago
from picoha.domain.decision import Answer, Change, Decision
from picoha.domain.model import InstanceId
from picoha.domain.observation import SlotObservation
from picoha.domain.record import RequestVerb


def asked(
    observed: SlotObservation, verb: RequestVerb, instance: str | None = None, age: float = 3
) -> SlotObservation:
    named = InstanceId(instance) if instance else None
    return replace(observed, requests=(a_request(verb, observed.name, instance=named, at=ago(age)),))


def change_of(decision: Decision) -> Change:
    assert decision.change is not None
    return decision.change


def is_refused(decision: Decision, why: str) -> bool:
    change = change_of(decision)
    same = change.record.operation is None or change.evidence == ()
    return decision.answer is Answer.REFUSE and change.consumes == "r1" and why in decision.sentence and same
