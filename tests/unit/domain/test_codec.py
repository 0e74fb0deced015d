"""Plain forms and back; what is not understood is named, with where and what."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from builders import EC1, NOW, a_host, a_record, a_report, an_observation, holder_of, in_failover
from picoha.domain.codec import Undecodable, decode, encode
from picoha.domain.model import Evidence, EvidenceKind, Host, Report, Sample, ScalingGroup, Unknown
from picoha.domain.observation import Observation
from picoha.domain.record import Brake, Mode, ModeRecord, Order, SlotRecord

PLAIN = encode(a_record(EC1))


def refused(kind: type[Any], plain: Any) -> str:
    with pytest.raises(Undecodable) as caught:
        decode(kind, plain)
    return str(caught.value)


def changed(**fields: Any) -> dict[str, Any]:
    return {**PLAIN, **fields}


def test_an_absent_optional_field_is_left_out_and_comes_back_as_none() -> None:
    assert "operation" not in PLAIN
    assert decode(SlotRecord, PLAIN).operation is None


def test_a_null_is_an_absent_optional_field() -> None:
    assert decode(SlotRecord, changed(operation=None, holder=None)) == replace(a_record(EC1), holder=None)


def test_a_nested_record_round_trips() -> None:
    record = in_failover(EC1)
    assert decode(SlotRecord, encode(record)) == record


def test_a_whole_observation_round_trips_its_unknowns_included() -> None:
    seen = an_observation(memory=Unknown("throttled"), tick=Unknown("late"))
    assert decode(Observation, encode(seen)) == seen


@pytest.mark.parametrize("is_impaired", [True, False, Unknown("throttled")])
def test_a_fact_that_could_not_be_read_round_trips(is_impaired: Any) -> None:
    host = a_host(EC1, is_impaired=is_impaired)
    assert decode(Host, encode(host)) == host


def test_times_are_kept_to_the_millisecond_in_their_own_zone() -> None:
    zoned = datetime(2026, 11, 22, 13, 0, 0, 123999, tzinfo=timezone(timedelta(hours=1)))
    plain = encode(Sample(zoned, 1.0))
    assert plain["at"] == "2026-11-22T13:00:00.123+01:00"
    assert decode(Sample, plain).at == NOW.replace(microsecond=123000).astimezone(UTC)


def test_unknown_fields_are_ignored_so_that_an_older_reader_lives_with_a_newer_writer() -> None:
    assert decode(SlotRecord, changed(colour="blue")) == a_record(EC1)


def test_a_missing_field_is_named() -> None:
    assert refused(Order, {"id": "x"}) == "Order.verb is missing"


@pytest.mark.parametrize("plain", [None, [], "x", 5])
def test_what_is_no_map_at_all_is_refused(plain: Any) -> None:
    assert refused(SlotRecord, plain).startswith("SlotRecord is ")


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"ver": "x"}, "SlotRecord.ver"),
        ({"ver": True}, "SlotRecord.ver"),
        ({"ver": [1]}, "SlotRecord.ver"),
        ({"holder": 5}, "SlotRecord.holder"),
        ({"phase": "gone"}, "SlotRecord.phase"),
        ({"phase": ["active"]}, "SlotRecord.phase"),
        ({"is_armed": 1}, "SlotRecord.is_armed"),
        ({"is_armed": "yes"}, "SlotRecord.is_armed"),
        ({"ended_at": 5}, "SlotRecord.ended_at"),
        ({"ended_at": "noon"}, "SlotRecord.ended_at"),
        ({"unfenced": "i-ec1"}, "SlotRecord.unfenced"),
        ({"restarts": [5]}, "SlotRecord.restarts[0]"),
        ({"held": {"i-x": "noon"}}, "SlotRecord.held.i-x"),
        ({"held": []}, "SlotRecord.held"),
        ({"assignment": {"kind": "platform"}}, "SlotRecord.assignment.hostname"),
        ({"phase": None}, "SlotRecord.phase"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(fields: dict[str, Any], where: str) -> None:
    assert refused(SlotRecord, changed(**fields)).startswith(where)


def test_a_long_value_is_cut_in_the_message() -> None:
    assert len(refused(SlotRecord, changed(phase="x" * 5000))) < 200


def test_maps_of_lists_and_enums_are_decoded() -> None:
    brake = Brake(ver=1, admitted={EC1: (NOW,)})
    assert decode(Brake, encode(brake)) == brake
    assert decode(ModeRecord, {"mode": "enforce"}) == ModeRecord(mode=Mode.ENFORCE)


def test_a_set_is_encoded_in_order() -> None:
    assert encode(frozenset({"b", "a"})) == ["a", "b"]


def test_a_group_with_members_round_trips() -> None:
    group = an_observation().slot(EC1).group
    assert isinstance(group, ScalingGroup)
    assert decode(ScalingGroup, encode(group)) == group


def test_an_evidence_keeps_its_kind_and_its_human() -> None:
    proof = Evidence(holder_of(EC1), EC1, EvidenceKind.OPERATOR, NOW, "unplugged", "anna")
    assert encode(proof)["kind"] == "operator"
    assert decode(Evidence, encode(proof)) == proof


@pytest.mark.parametrize("text", ["2026-11-22", "2026-11-22T12:00:00"])
def test_a_time_without_a_zone_is_refused(text: str) -> None:
    refused(Report, {**encode(a_report(EC1)), "at": text})


def test_an_infinite_count_is_refused() -> None:
    refused(SlotRecord, changed(ver=float("inf")))


def test_a_broken_count_is_refused() -> None:
    refused(SlotRecord, changed(epoch=3.7))
