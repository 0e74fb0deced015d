"""Golden decisions as TOML: what differs from the healthy demo cell, and what must be decided then.

One `[[case]]` names its `slot`, the `rule` that decides and the `answer`; `actions`, `launches`,
`says`, `event`, `step`, `notice` and `wrote` where they matter. `given` holds what differs. Of the
cell: `mode`, `pauses`, `brake`, `memory`, `tick`, `policy` (seconds). Of a slot: any field of
`SlotSight`, where `host`, `report` and `operation` are its holder's, and these short forms (in
observe the gate of a slot without an operation is open already):

    quiet = 95                   the holder's last report and datapoint are 95 s old
    sick = 3                     its picos failed 3 times in a row
    replacement = "InService"    the old host is terminated and i-new is in the group, in that state
    stage = "fencing"            a failover is open and in that step; `stuck = "fencing"` needs a human
    requests = ["abort"]         operators ask for it; "confirm-fenced i-ec1" names an instance

A time is "T-95": 95 s before now. A read that failed is `{unknown = "why"}`; "none" = there is none;
an address may be "free".
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from builders import (
    NEW,
    SLOTS,
    a_free_address,
    a_host,
    a_member,
    a_replaced_sight,
    a_report,
    a_request,
    a_sick_report,
    a_slot,
    ago,
    an_address,
    an_observation,
    an_operation,
    holder_of,
    in_failover,
)
from picoha.domain.codec import decode, encode
from picoha.domain.model import InstanceId, Sample, SlotName, Unknown
from picoha.domain.observation import Observation, SlotObservation
from picoha.domain.policy import Policy
from picoha.domain.record import Mode, ModeRecord, RequestVerb, SlotRecord, Step

HERE = Path(__file__).parent
CELL_KEYS = frozenset({"mode", "pauses", "brake", "memory", "tick", "policy"})


@dataclass(frozen=True)
class Golden:
    """One case: the file it is from, the cell as seen, and what must come out."""

    name: str
    theme: str
    slot: SlotName
    rule: int
    answer: str
    seen: Observation
    policy: Policy
    actions: tuple[str, ...] = ()
    launches: tuple[str, ...] = ()
    expected: Mapping[str, Any] = field(default_factory=dict)


@cache
def golden_cases() -> tuple[Golden, ...]:
    """Every case of every file beside this one; a word that no builder knows is an error."""
    found = [
        _golden(path.stem, row)
        for path in sorted(HERE.glob("*.toml"))
        for row in tomllib.loads(path.read_text(encoding="utf-8"))["case"]
    ]
    return tuple(found)


def _golden(theme: str, row: dict[str, Any]) -> Golden:
    row = dict(row)
    given = dict(row.pop("given", {}))
    cell = {key: given.pop(key) for key in CELL_KEYS & set(given)}
    head = {key: row.pop(key) for key in ("name", "slot", "rule", "answer")}
    lists: dict[str, Any] = {key: tuple(row.pop(key, ())) for key in ("actions", "launches")}
    strangers = set(row) - {"says", "event", "step", "notice", "wrote"}
    if strangers:
        raise KeyError(f"{head['name']}: {strangers}")
    is_armed = cell.get("mode", "enforce") == "enforce"
    observed_slots = [_slot_observation(name, changes, is_armed) for name, changes in given.items()]
    return Golden(
        **head, theme=theme, seen=_seen(cell, observed_slots), policy=_policy(cell), **lists, expected=row
    )


def _policy(cell: Mapping[str, Any]) -> Policy:
    default = Policy()
    given: dict[str, Any] = {
        name: timedelta(seconds=value) if isinstance(getattr(default, name), timedelta) else value
        for name, value in cell.get("policy", {}).items()
    }
    return replace(default, **given)


def _seen(cell: Mapping[str, Any], observed_slots: list[SlotObservation]) -> Observation:
    seen = an_observation(*observed_slots)
    pauses = {"pauses": cell.get("pauses", {})}
    mode = merged(ModeRecord(ver=1, mode=Mode(cell.get("mode", "enforce"))), pauses)
    memory = Unknown(cell["memory"]) if "memory" in cell else None
    tick = read(seen.tick or Sample(ago(30), 1.0), cell.get("tick", {}))
    return replace(seen, mode=mode, brake=merged(seen.brake, cell.get("brake", {})), memory=memory, tick=tick)


def _slot_observation(name: str, changes: dict[str, Any], is_armed: bool) -> SlotObservation:
    changes = dict(changes)
    record = _record(name, changes, is_armed)
    if "replacement" in changes:
        observed = a_replaced_sight(name, record or in_failover(name), changes.pop("replacement"))
    else:
        observed = replace(a_slot(name), record=record)
    observed = _with_signs(observed, changes)
    observed = _with_hosts(observed, changes)
    if "address" in changes:
        given = changes.pop("address")
        free = a_free_address(name)
        observed = replace(
            observed, address=free if given == "free" else read(observed.address or an_address(name), given)
        )
    for key in ("spec", "group"):
        if key in changes:
            observed = replace(observed, **{key: read(getattr(observed, key), changes.pop(key))})
    return _with_rest(observed, changes)


def _record(name: str, changes: dict[str, Any], is_armed: bool) -> SlotRecord | None:
    given = changes.pop("record", {})
    if given == "none":
        return None
    setup, stuck = changes.pop("stage", ""), changes.pop("stuck", "")
    record: SlotRecord = a_slot(name).record or SlotRecord(SlotName(name))
    if setup:
        record = in_failover(name, Step(setup))
    elif stuck:
        record = in_failover(name, Step.NEEDS_OPERATOR, stuck_in=Step(stuck))
    if "operation" in changes:
        op = merged(record.operation or an_operation(name), changes.pop("operation"))
        record = replace(record, operation=op)
    follows = {} if setup or stuck or is_armed else {"is_armed": False}
    changed: SlotRecord = merged(record, {**follows, **given})
    return changed


def _with_signs(observed: SlotObservation, changes: dict[str, Any]) -> SlotObservation:
    holder = (
        observed.record.holder if observed.record and observed.record.holder else holder_of(observed.name)
    )
    reports: dict[InstanceId, Any] = dict(observed.reports)
    if "sick" in changes:
        reports[holder] = a_sick_report(observed.name, changes.pop("sick"))
    if "quiet" in changes:
        seconds = changes.pop("quiet")
        reports[holder] = replace(reports[holder], at=ago(seconds))
        observed = replace(observed, metric=Sample(ago(seconds), 1.0))
    if "report" in changes:
        reports[holder] = read(
            reports.get(holder) or a_report(observed.name, holder, epoch=2), changes.pop("report")
        )
    for instance, given in changes.pop("reports", {}).items():
        reports[instance] = merged(a_report(observed.name, instance), given)
    if "metric" in changes:
        metric = observed.metric if isinstance(observed.metric, Sample) else Sample(ago(5), 1.0)
        observed = replace(observed, metric=read(metric, changes.pop("metric")))
    return replace(observed, reports={key: one for key, one in reports.items() if one is not None})


def _with_hosts(observed: SlotObservation, changes: dict[str, Any]) -> SlotObservation:
    shown = observed.hosts if isinstance(observed.hosts, tuple) else ()
    hosts: dict[InstanceId, Any] = {one.instance: one for one in shown}
    holder = holder_of(observed.name)
    if "host" in changes:
        hosts[holder] = read(hosts[holder], changes.pop("host"))
    extra = changes.pop("hosts", {})
    if "unknown" in extra:
        return replace(observed, hosts=Unknown(extra["unknown"]))
    for instance, given in extra.items():
        base = hosts.get(instance) or a_host(observed.name, instance, launched_at=ago(60))
        hosts[instance] = read(base, given)
    observed = replace(observed, hosts=tuple(host for host in hosts.values() if host is not None))
    if "members" in changes:
        members = tuple(a_member(*one.split()) for one in changes.pop("members"))
        observed = replace(observed, group=replace(observed.group, members=members))  # type: ignore[type-var]  # a group here
    return observed


def _with_rest(observed: SlotObservation, changes: dict[str, Any]) -> SlotObservation:
    asked = [one.partition(" ") for one in changes.pop("requests", ())]
    requests = [
        a_request(RequestVerb(verb), observed.name, instance=InstanceId(named) if named else None)
        for verb, _, named in asked
    ]
    observed = replace(observed, requests=tuple(requests))
    for key in ("departed", "dependencies", "newer", "problem"):
        if key in changes:
            observed = replace(observed, **{key: _PLAIN.get(key, str)(changes.pop(key))})
    if changes:
        raise KeyError(f"{observed.name}: {sorted(changes)}")
    return replace(observed, spec=None) if observed.problem else observed


_PLAIN: dict[str, Any] = {
    "departed": frozenset,
    "dependencies": lambda rows: {
        key: one if isinstance(one, bool) else Unknown(str(one)) for key, one in rows.items()
    },
}


def read(base: Any, given: Any) -> Any:
    """What a read gave: the base with changes, nothing, or a failure."""
    if given == "none":
        return None
    if isinstance(given, Mapping) and set(given) == {"unknown"}:
        return Unknown(given["unknown"])
    return merged(base, given)


def merged(base: Any, given: Mapping[str, Any]) -> Any:
    """The base with some fields changed, in the plain form of the codec; other words are errors."""
    names = {one.name for one in fields(base)}
    if set(given) - names:
        raise KeyError(f"{type(base).__name__} has no {sorted(set(given) - names)}")
    impaired = given.get("is_impaired")
    if isinstance(impaired, Mapping):
        host = merged(base, {**given, "is_impaired": False})
        return replace(host, is_impaired=Unknown(impaired["unknown"]))
    plain = {key: _timed(one) for key, one in given.items()}
    whole = {**encode(base), **plain}
    for name in names:
        inner = getattr(base, name)
        if name in given and is_dataclass(inner) and isinstance(given[name], Mapping):
            whole[name] = encode(merged(inner, given[name]))
    return decode(type(base), {key: one for key, one in whole.items() if one != "none"})


def _timed(value: Any) -> Any:
    """Every "T-95" inside a value as the time it means."""
    if isinstance(value, str) and value[:2] in ("T-", "T+"):
        return ago(-float(value[1:])).isoformat()
    if isinstance(value, list):
        return [_timed(one) for one in value]
    if isinstance(value, dict):
        return {key: _timed(one) for key, one in value.items()}
    return value


__all__ = ["NEW", "SLOTS", "Golden", "golden_cases"]
