"""Agent and controller of neighbouring versions: understood, or refused with a sentence (safety S15)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from picoha.adapters.aws import items
from picoha.adapters.aws.host_side import AwsCloud
from picoha.domain.model import AgentPhase, InstanceId, Report, SlotName
from picoha.domain.record import SCHEMA
from picoha.host.core.ports import NotUnderstood, SavedState
from picoha.host.system.files import JsonDisk
from unit.host.fakes import START, FakeHost, Table, Time, granted

REPORT = Report(InstanceId("i-1"), SlotName("ec1"), "boot-1", START, AgentPhase.RUNNING, epoch=1)


@dataclass
class OneItem:
    """A DynamoDB client with one item in its table."""

    item: Mapping[str, Any] = field(default_factory=dict)

    def get_item(self, **_: object) -> Mapping[str, Any]:
        return {"Item": self.item}


def read(item: Mapping[str, Any]) -> object:
    client = cast(Any, OneItem(item))
    return AwsCloud("demo", SlotName("ec1"), client, client).read_slot()


def changed(item: Mapping[str, Any], schema: int = SCHEMA, **body: Any) -> items.Item:
    """Return an item as another version would have written it; None drops a field of the body."""
    plain = {**items.body(dict(item)), **body}
    kept = {name: value for name, value in plain.items() if value is not None}
    return {**item, "schema": items.wire(schema), "body": items.wire(kept)}


RECORD_ITEM = items.slot_item(granted(), "n-1")


def test_record_of_an_older_controller_that_lacks_what_came_later_is_understood() -> None:
    older = changed(RECORD_ITEM, held=None, operations=None, would_have=None, restarts=None)
    assert read(older) == granted()


def test_record_of_a_newer_controller_that_only_says_more_is_understood() -> None:
    newer = changed(RECORD_ITEM, colour="blue", assignment_extra={"a": 1})
    assert read(newer) == granted()


def test_record_of_a_newer_schema_is_refused_with_both_numbers() -> None:
    answer = read(changed(RECORD_ITEM, schema=SCHEMA + 1))
    assert answer == NotUnderstood(
        f"CELL/SLOT#ec1 has schema {SCHEMA + 1}; this version understands up to {SCHEMA}"
    )


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"phase": "hibernating"}, "SlotRecord.phase is 'hibernating'"),
        ({"epoch": "one"}, "SlotRecord.epoch is 'one', not a int"),
        ({"slot": None}, "SlotRecord.slot is missing"),
    ],
)
def test_record_with_a_word_nobody_knows_is_refused_with_field_and_value(
    body: dict[str, Any], says: str
) -> None:
    answer = read(changed(RECORD_ITEM, **body))
    assert isinstance(answer, NotUnderstood) and says in answer.reason


def test_refused_record_leaves_what_runs_and_starts_nothing() -> None:
    host = FakeHost(Table(granted()), Time())
    host.cycles(3)
    host.cloud.stale = NotUnderstood("schema 2")
    assert host.cycles(2).phase is AgentPhase.RUNNING
    host.boot("boot-2")
    report = host.cycles(3)
    assert "the record is not understood: schema 2" in report.problem
    assert host.scripts.ran == ["online ec1"]


def test_report_of_an_older_agent_is_understood() -> None:
    older = changed(items.report_item(REPORT), tests=None, version=None, unknown_since=None)
    assert items.report_of(older) == REPORT


def test_report_of_a_newer_agent_that_only_says_more_is_understood() -> None:
    assert items.report_of(changed(items.report_item(REPORT), temperature=7)) == REPORT


def test_report_of_a_newer_schema_is_refused_and_still_says_whose_it_is() -> None:
    newer = changed(items.report_item(REPORT), schema=SCHEMA + 1)
    with pytest.raises(items.NewerSchema, match=f"has schema {SCHEMA + 1}"):
        items.report_of(newer)


def test_state_that_a_newer_agent_kept_is_read_by_an_older_one(tmp_path: Path) -> None:
    disk = JsonDisk(tmp_path / "agent.json")
    kept = SavedState(SlotName("ec1"), InstanceId("i-1"), epoch=3, record=granted())
    disk.save(kept)
    text = (tmp_path / "agent.json").read_text()
    (tmp_path / "agent.json").write_text(text.replace('{"slot"', '{"later": true, "slot"', 1))
    assert disk.load() == replace(kept)


def test_state_that_an_older_agent_kept_is_read_by_a_newer_one(tmp_path: Path) -> None:
    path = tmp_path / "agent.json"
    JsonDisk(path).save(SavedState(SlotName("ec1"), InstanceId("i-1"), epoch=3, highest_epoch=3))
    plain = json.loads(path.read_text())
    for later in ("hostnames", "republished_key", "drained_epoch", "may_run"):
        del plain[later]
    path.write_text(json.dumps(plain))
    assert JsonDisk(path).load() == SavedState(SlotName("ec1"), InstanceId("i-1"), epoch=3, highest_epoch=3)


def test_state_that_nobody_understands_keeps_the_gate_closed_until_the_table_answers(tmp_path: Path) -> None:
    (tmp_path / "agent.json").write_text('{"slot": "ec1", "instance": "i-1", "epoch": "three"}')
    assert JsonDisk(tmp_path / "agent.json").load() is None
    host = FakeHost(Table(granted()), Time())
    host.cloud.is_cut = True
    assert "was never read on this host; nothing starts" in host.cycles(2).problem
    assert host.scripts.ran == []
