"""The rules in words: the tables as docs/rules.md shows them, and why a slot is as it is."""

from __future__ import annotations

from picoha.domain import gates, signals
from picoha.domain.case import Case, Observation, is_active
from picoha.domain.decide import LAUNCH_RULES, SLOT_RULES, decide_slot
from picoha.domain.model import SlotName
from picoha.domain.policy import Policy


def rules_markdown() -> str:
    """Return both rule tables as markdown; numbers are what history, logs and pages name."""
    lines = ["| rule | when | answer |", "|---|---|---|"]
    lines += [f"| {rule.number} | {rule.name} | {_words(rule.then.__name__)} |" for rule in SLOT_RULES]
    lines += ["", "| launch rule | when | answer |", "|---|---|---|"]
    lines += [f"| {rule.number} | {rule.name} | {_words(rule.then.__name__)} |" for rule in LAUNCH_RULES]
    return "\n".join(lines)


def _words(name: str) -> str:
    return "wait" if name == "<lambda>" else name.replace("_", " ").strip()


def why(seen: Observation, slot: SlotName, policy: Policy) -> list[str]:
    """Return why a slot is as it is: the rule that holds, the verdict on its holder, every gate."""
    case = Case(seen, seen.slot(slot), policy)
    decision = decide_slot(seen, slot, policy)
    lines = [f"rule {decision.rule}, {decision.answer}: {decision.sentence}"]
    if is_active(case.record):
        verdict = signals.judge(case)
        lines.append(f"holder {case.record.holder} is {verdict.life}: {verdict.why}")
    for check in gates.TAKING:
        gate = check(case)
        lines.append(f"gate {gate.name} is {'open' if gate.is_open else 'CLOSED'}: {gate.sentence}")
    return lines
