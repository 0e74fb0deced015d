"""docs/runbook.md has an answer to every page and every alarm, and names nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path

from picoha.cli.main import main
from picoha.domain.decision import Answer, Decision
from picoha.domain.rules.table import SLOT_RULES, decide_slot
from unit.domain.golden.cases import golden_cases

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
SECTIONS = re.findall(r"^### ([0-9, ]+): ", PAGE, re.MULTILINE)
ANSWERED = {int(number) for numbers in SECTIONS for number in numbers.split(", ")}


def calls_a_human(decision: Decision) -> bool:
    """True for what is paged at once, or once it has lasted."""
    notice = decision.change.notice if decision.change else None
    return decision.answer in (Answer.HOLD, Answer.ALERT) or (
        notice is not None and notice.severity == "page"
    )


def test_every_rule_that_calls_a_human_has_its_section() -> None:
    decisions = (decide_slot(one.seen, one.slot, one.policy) for one in golden_cases())
    paging = {decision.rule for decision in decisions if calls_a_human(decision)}
    assert len(paging) > 20
    assert paging - ANSWERED == set()
    assert ANSWERED - {row.number for row in SLOT_RULES} == set()


def test_every_alarm_on_the_controller_has_its_row() -> None:
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    alarms = set(re.findall(r"AlarmName: !Sub picoha-\$\{CellName\}-([a-z-]+)$", template, re.MULTILINE))
    assert alarms
    assert alarms - set(re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.MULTILINE)) == set()


def test_every_command_and_every_link_of_the_runbook_exists() -> None:
    named = set(re.findall(r"`picoha ([a-z-]+)", PAGE))
    assert named
    assert named - set(main.commands) == set()
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


def test_every_section_says_what_it_means_what_to_look_at_and_what_to_do() -> None:
    sections = PAGE.split("\n### ")[1:]
    for section in sections:
        missing = [word for word in ("**Means**", "**Check**", "**Do**") if word not in section]
        assert missing == [], section.splitlines()[0]
