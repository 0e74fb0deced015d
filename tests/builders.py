"""The demo cell, healthy and in enforce, as values; a test names only what it is about.

Times are relative to NOW. Every builder takes the fields of what it builds as keywords.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from picoha.domain.decision import Change, Decision
from picoha.domain.health import Health
from picoha.domain.model import (
    Address,
    AgentPhase,
    AllocationId,
    AssociationId,
    Dependency,
    Host,
    InstanceId,
    InstanceState,
    InterfaceId,
    Kind,
    Member,
    NamesReading,
    Pico,
    PicoReading,
    PicoType,
    Report,
    Sample,
    ScalingGroup,
    SlotName,
    SlotSpec,
)
from picoha.domain.observation import Observation, SlotObservation
from picoha.domain.policy import Policy
from picoha.domain.record import (
    Assignment,
    Brake,
    Mode,
    ModeRecord,
    Operation,
    Pause,
    Phase,
    Request,
    RequestVerb,
    SlotRecord,
    Step,
    Verb,
)
from picoha.domain.rules.table import decide_slot
from picoha.domain.situation import Situation

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
EIP = "203.0.113.10"
PLATFORM, EC1, EC2 = SlotName("platform1"), SlotName("ec1"), SlotName("ec2")
SLOTS = (PLATFORM, EC1, EC2)
NEW = InstanceId("i-new")

_HOSTNAMES = {PLATFORM: "mz-platform", EC1: "ec1host", EC2: "ec2host"}
_ADDRESSES = {PLATFORM: "10.0.1.10", EC1: "10.0.3.11", EC2: "10.0.3.12"}
_ZONES = {PLATFORM: "eu-west-1a", EC1: "eu-west-1b", EC2: "eu-west-1c"}
_PICOS = {
    PLATFORM: (Pico("platform", 7100, PicoType.PLATFORM),),
    EC1: (Pico("ec1", 7101, PicoType.EC),),
    EC2: (Pico("ec2", 7102, PicoType.EC),),
}
_FENCED = (Step.AWAITING_HOST, Step.ADDRESSING, Step.RELEASING)
_TARGETED = (Step.ADDRESSING, Step.RELEASING, Step.VERIFYING)


def ago(seconds: float) -> datetime:
    """The time this many seconds before NOW; negative = after it."""
    return NOW - timedelta(seconds=seconds)


def holder_of(slot: str) -> InstanceId:
    """The instance that holds a slot of the demo cell while nothing is wrong."""
    return InstanceId(f"i-{slot}")


def a_spec(slot: str = EC1, **fields: Any) -> SlotSpec:
    name = SlotName(slot)
    spec = SlotSpec(
        name=name,
        kind=Kind.PLATFORM if name == PLATFORM else Kind.EXECUTION,
        hostname=_HOSTNAMES.get(name, f"{slot}host"),
        picos=_PICOS.get(name, (Pico(slot, 7109, PicoType.EC),)),
        container=slot,
        fenceable=True,
    )
    return replace(spec, **fields)


def a_dependency(text: str) -> Dependency:
    scheme, _, target = text.partition(":")
    return Dependency(scheme, target)


def a_host(slot: str = EC1, instance: str = "", **fields: Any) -> Host:
    name, which = SlotName(slot), InstanceId(instance or holder_of(slot))
    host = Host(
        instance=which,
        slot=name,
        state=InstanceState.RUNNING,
        launched_at=ago(7200),
        zone=_ZONES.get(name, "eu-west-1a"),
        private_ip=_ADDRESSES.get(name, "10.0.3.99"),
        interface=InterfaceId(f"eni-{which.removeprefix('i-')}"),
    )
    return replace(host, **fields)


def a_member(instance: str, lifecycle: str = "InService") -> Member:
    return Member(InstanceId(instance), lifecycle)


def a_group(slot: str = EC1, *members: Member, **fields: Any) -> ScalingGroup:
    return replace(ScalingGroup(f"demo-{slot}", 1, 1, 1, members or (a_member(holder_of(slot)),)), **fields)


def an_address(slot: str = PLATFORM, host: Host | None = None, **fields: Any) -> Address:
    """The slot's Elastic IP on its holder; `host` puts it elsewhere."""
    where = host or a_host(slot)
    address = Address(
        allocation=AllocationId(f"eipalloc-{slot}"),
        public_ip=EIP,
        association=AssociationId(f"eipassoc-{where.instance.removeprefix('i-')}"),
        instance=where.instance,
        interface=where.interface,
    )
    return replace(address, **fields)


def a_free_address(slot: str = PLATFORM) -> Address:
    return an_address(slot, association=None, instance=None, interface=None)


def picos_that(slot: str, health: Health, code: int | None) -> dict[str, PicoReading]:
    """Readings of all picos of a slot with one judged answer."""
    return {
        pico.name: PicoReading(health, code, "" if health.is_good else f"exit code {code}")
        for pico in a_spec(slot).picos
    }


def a_report(slot: str = EC1, instance: str = "", **fields: Any) -> Report:
    report = Report(
        instance=InstanceId(instance or holder_of(slot)),
        slot=SlotName(slot),
        boot_id="boot-1",
        at=ago(5),
        phase=AgentPhase.RUNNING,
        epoch=1,
        highest_epoch=1,
        picos=picos_that(slot, Health.HEALTHY, 110),
        names=NamesReading(True, resolved={"mz-platform": EIP}),
        healthy_since=ago(3600),
        reaches_platform=None if slot == PLATFORM else True,
        starts=1,
    )
    return replace(report, **fields)


def a_sick_report(slot: str = EC1, samples: int = 3, **fields: Any) -> Report:
    """A fresh report of a host whose picos failed this many times in a row."""
    bad = picos_that(slot, Health.FAILED, 100)
    return a_report(slot, picos=bad, failed_samples=samples, healthy_since=None, **fields)


def an_assignment(slot: str = EC1, spec: SlotSpec | None = None, **fields: Any) -> Assignment:
    spec = spec or a_spec(slot)
    tests = tuple(str(dependency) for dependency in spec.depends_on if dependency.scheme in ("tcp", "mount"))
    told = Assignment(spec.kind, spec.hostname, spec.container, spec.picos, "mz-platform", EIP, tests)
    return replace(told, **fields)


def a_record(slot: str = EC1, **fields: Any) -> SlotRecord:
    """An active holder at epoch 1, armed, its assignment as the tags say."""
    holder = holder_of(slot)
    record = SlotRecord(
        slot=SlotName(slot),
        ver=7,
        epoch=1,
        holder=holder,
        phase=Phase.ACTIVE,
        is_armed=True,
        assignment=an_assignment(slot),
        unfenced=(holder,),
        active_since=ago(3600),
    )
    return replace(record, **fields)


def a_vacant_record(slot: str = EC1, **fields: Any) -> SlotRecord:
    """Recorded and armed, and never granted to anybody."""
    nobody: dict[str, Any] = {"holder": None, "phase": Phase.VACANT, "unfenced": (), "active_since": None}
    return a_record(slot, **{"epoch": 0, **nobody, **fields})


def an_operation(slot: str = EC1, step: Step = Step.FENCING, **fields: Any) -> Operation:
    """A failover of the slot's holder, 60 s old and 10 s in its step; NEW is its target if it has one."""
    victim = holder_of(slot)
    op = Operation(
        id=f"{slot}-1-1",
        verb=Verb.FAILOVER,
        step=step,
        opened_at=ago(60),
        step_at=ago(10),
        rule=445,
        reason="silent",
        from_epoch=1,
        victim=victim,
        victims=(victim,),
        target=NEW if (fields.get("stuck_in") or step) in _TARGETED else None,
        trail={"admitted": ago(60), (fields.get("stuck_in") or step).value: ago(10)},
    )
    return replace(op, **fields)


def in_failover(slot: str = EC1, step: Step = Step.FENCING, **op_fields: Any) -> SlotRecord:
    """The record of a slot with an open operation, with the evidence and grant that its step implies."""
    op = an_operation(slot, step, **op_fields)
    stands_at = op.stuck_in or op.step
    record = a_record(slot, phase=Phase.IN_FAILOVER, operation=op, operations=1)
    if stands_at in _FENCED:
        return replace(record, unfenced=())
    if stands_at is Step.VERIFYING:
        granted: dict[str, Any] = {"phase": Phase.GRANTED, "unfenced": (NEW,), "granted_at": op.step_at}
        return replace(record, epoch=2, holder=op.target, **granted)
    return record


def a_slot(slot: str = EC1, **fields: Any) -> SlotObservation:
    """A healthy slot; without a `record` of its own it remembers what its `spec` declares."""
    spec = fields.get("spec") or a_spec(slot)
    address = an_address(slot) if slot == PLATFORM else None
    observed = SlotObservation(
        name=SlotName(slot),
        spec=spec,
        group=a_group(slot),
        hosts=(a_host(slot),),
        address=address,
        record=a_record(slot, assignment=an_assignment(slot, spec)),
        reports={holder_of(slot): a_report(slot)},
        metric=Sample(ago(5), 1.0),
    )
    return replace(observed, **fields)


def a_replaced_sight(
    slot: str, record: SlotRecord, lifecycle: str = "Pending:Wait", **fields: Any
) -> SlotObservation:
    """A slot whose old host is terminated and whose group has brought NEW."""
    seen: dict[str, Any] = {
        "hosts": (a_host(slot, state=InstanceState.TERMINATED), a_host(slot, NEW, launched_at=ago(60))),
        "group": a_group(slot, a_member(NEW, lifecycle)),
        "address": a_free_address(slot) if slot == PLATFORM else None,
        "reports": {},
        "metric": Sample(ago(120), 1.0),
        "record": record,
    }
    return a_slot(slot, **{**seen, **fields})


def a_silent_slot(slot: str = EC1, seconds: float = 95, **fields: Any) -> SlotObservation:
    """A slot whose holder gave its last sign, metric and report, this long ago."""
    reports = {holder_of(slot): a_report(slot, at=ago(seconds))}
    return a_slot(slot, **{"reports": reports, "metric": Sample(ago(seconds), 1.0), **fields})


def an_observation(*observed_slots: SlotObservation, mode: Mode = Mode.ENFORCE, **fields: Any) -> Observation:
    """The demo cell, seen now; each given sight stands for its slot or is added to the cell."""
    given = {slot.name: slot for slot in observed_slots}
    slots = {name: a_slot(name) for name in SLOTS} | given
    seen = Observation(
        now=NOW,
        cell="demo",
        slots=tuple(slots.values()),
        mode=ModeRecord(ver=1, mode=mode),
        brake=Brake(ver=1),
        tick=Sample(ago(30), 1.0),
    )
    return replace(seen, **fields)


def a_situation(
    observed: SlotObservation, *others: SlotObservation, policy: Policy | None = None, **fields: Any
) -> Situation:
    """What the rules see of the first sight's slot in the demo cell."""
    seen = an_observation(observed, *others, **fields)
    return Situation(seen, seen.slot(observed.name), policy or Policy())


def decided(
    observed: SlotObservation, *others: SlotObservation, policy: Policy | None = None, **fields: Any
) -> Decision:
    """What is decided for the first sight's slot in the demo cell."""
    return decide_slot(an_observation(observed, *others, **fields), observed.name, policy or Policy())


def written(decision: Decision) -> SlotRecord:
    """The record that a decision writes."""
    assert decision.change is not None, decision.sentence
    return decision.change.record


def operation_after(decision: Decision) -> Operation:
    """The operation that a decision leaves open."""
    op = written(decision).operation
    assert op is not None, decision.sentence
    return op


def a_pause(seconds_left: float, **fields: Any) -> Pause:
    return replace(Pause("upgrade", "anna", ago(3600), ago(-seconds_left)), **fields)


def paused(seconds_left: float, key: str = "*", mode: Mode = Mode.ENFORCE) -> ModeRecord:
    return ModeRecord(ver=2, mode=mode, pauses={key: a_pause(seconds_left)})


def a_request(verb: RequestVerb, slot: str = EC1, **fields: Any) -> Request:
    return replace(Request("r1", verb, SlotName(slot), "anna", "drill", ago(3)), **fields)


def at(seen: Observation, seconds: float) -> Observation:
    """The same sights this many seconds later: nothing has moved but the clock."""
    return replace(seen, now=seen.now + timedelta(seconds=seconds))


def saved(seen: Observation, slot: str, change: Change | None) -> Observation:
    """The observation after a change was committed: all it writes, and the request it consumes."""
    if change is None:
        return seen
    record = replace(change.record, ver=change.record.ver + 1)
    left = tuple(request for request in seen.slot(SlotName(slot)).requests if request.id != change.consumes)
    slots = (replace(one, record=record, requests=left) if one.name == slot else one for one in seen.slots)
    brake = replace(change.brake, ver=change.brake.ver + 1) if change.brake else seen.brake
    mode = replace(change.mode, ver=change.mode.ver + 1) if change.mode else seen.mode
    return replace(seen, slots=tuple(slots), brake=brake, mode=mode)
