"""A world for the referee's tests: hosts, records and intents without a controller behind them."""

from __future__ import annotations

from typing import Any

from picoha.adapters.aws.items import CELL, Item, item, slot_item
from picoha.domain.codec import encode
from picoha.domain.model import Evidence, EvidenceKind, InstanceId, Pico, PicoType, SlotName
from picoha.domain.record import Mode, ModeRecord, Operation, Pause, Phase, SlotRecord, Step, Verb
from picoha.drills.hosts import DrillHost
from picoha.drills.setup import tags_of
from picoha.drills.story import DEMO
from picoha.drills.world import World
from picoha.fakeaws.autoscaling.group import Group, LifecycleHook
from picoha.fakeaws.scheduler import START

EC1 = SlotName("ec1")
HOOK = "picoha-launch"


def world(hosts: int = 2, is_hooked: bool = False) -> World:
    """A world with ec1's group of so many hosts; nobody listens and nobody starts picos."""
    found = World("demo")
    hooks = [LifecycleHook(HOOK, heartbeat_s=900)] if is_hooked else []
    group = Group(
        "demo-ec1", min_size=0, max_size=9, desired=hosts, tags=tags_of("demo", DEMO[1]), hooks=hooks
    )
    found.add_group(group, (Pico("ec1", 7101, PicoType.EC),))
    found.scheduler.run_for(60)
    return found


def add_platform(found: World, slot: str, pico: str) -> DrillHost:
    """Add a slot of kind platform with one pico, and return its host."""
    declared = DEMO[0].model_copy(update={"name": slot})
    found.add_group(
        Group(f"demo-{slot}", tags=tags_of("demo", declared)), (Pico(pico, 7100, PicoType.PLATFORM),)
    )
    found.scheduler.run_for(60)
    return hosts_of(found)[-1]


def hosts_of(found: World) -> list[DrillHost]:
    return list(found.hosts.values())


def operation(*victims: str, number: int = 1, **fields: Any) -> Operation:
    ids = tuple(InstanceId(victim) for victim in victims)
    told: dict[str, Any] = {"verb": Verb.FAILOVER, "step": Step.FENCING, "from_epoch": 1, "by": "controller"}
    return Operation(
        id=f"ec1-1-{number}",
        opened_at=START,
        step_at=START,
        rule=445,
        reason="lost",
        victim=ids[-1] if ids else None,
        victims=ids,
        **(told | fields),
    )


def record(ver: int, holder: str | None, epoch: int = 1, op: Operation | None = None) -> SlotRecord:
    phase = Phase.IN_FAILOVER if op else Phase.ACTIVE
    held_by = InstanceId(holder) if holder else None
    return SlotRecord(EC1, ver=ver, phase=phase, holder=held_by, epoch=epoch, operation=op)


def fenced(found: World, *victims: str) -> None:
    """Write ec1's record with an open failover of these victims, and the intent to terminate each."""
    by_hand(found, slot_item(record(1, victims[0], op=operation(*victims)), "n"))
    for number, victim in enumerate(victims):
        ordered(found, f"FenceHost {victim}", number)


def ordered(found: World, action: str, number: int = 1) -> None:
    """Write an intent into the journal."""
    by_hand(found, item("OP#ec1-1-1", f"J#{number:03d}#0001", {"action": action}))


def by_hand(found: World, stored: Item) -> None:
    """Write an item past the referee."""
    found.admin.dynamodb.put_item(TableName=found.table.name, Item=stored)


def committed(found: World, *stored: Item) -> None:
    """Write items in one transaction, as the controller does."""
    puts: Any = [{"Put": {"TableName": found.table.name, "Item": one}} for one in stored]
    found.controller.dynamodb.transact_write_items(TransactItems=puts)


def enforced(found: World, mode: Mode = Mode.ENFORCE, pauses: dict[str, Pause] | None = None) -> None:
    """Write the cell's mode by hand."""
    by_hand(found, item(CELL, "MODE", encode(ModeRecord(1, mode=mode, pauses=pauses or {})), ver=1))


def evidence(instance: str, kind: EvidenceKind = EvidenceKind.POWER) -> Item:
    """Return the item of an instance's evidence."""
    proof = Evidence(InstanceId(instance), EC1, kind, START, "EC2 says terminated", "controller")
    return item("PROOF", f"FENCE#{instance}", encode(proof))


def gone(found: World, host: DrillHost) -> str:
    """Let a host end for good; return its instance id."""
    found.ec2.terminate(host.instance.id)
    found.scheduler.run_for(60)
    return host.instance.id
