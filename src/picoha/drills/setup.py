"""Build a story's cell in a drill and let it settle: everything before second 0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from picoha.adapters.aws.actuators import HOOK
from picoha.adapters.aws.discovery import spec_of
from picoha.adapters.aws.items import CELL, item
from picoha.app.errors import SettingsInvalid
from picoha.domain.codec import encode
from picoha.domain.model import SlotName
from picoha.domain.record import Mode, ModeRecord, Phase, Step
from picoha.drills.hosts import DrillHost
from picoha.drills.story import Beat, Slot, Story
from picoha.drills.world import World
from picoha.fakeaws.autoscaling.group import Group, GroupWarmPool, LifecycleHook
from picoha.fakeaws.clients import ACCOUNT, REGION

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricStatTypeDef

NEWEST = "newest"
"""The `to` of a beat that is about a slot's newest host, whoever holds the slot."""
SETTLE_S = 900.0
"""A running cell is left alone this long before second 0: longer than any grace period."""


def tags_of(cell: str, slot: Slot) -> dict[str, str]:
    """Return the tags of a slot's group (design.md 3)."""
    tags = {
        "picoha:cell": cell,
        "picoha:slot": slot.name,
        "picoha:kind": slot.kind,
        "picoha:hostname": slot.hostname,
        "picoha:picos": slot.picos,
        "picoha:fenceable": "true" if slot.fenceable else "false",
    }
    return tags | ({"picoha:depends-on": slot.depends_on} if slot.depends_on else {})


def _nobody(_event: object) -> None:
    """Hear a doorbell before picoha is deployed."""


def _no_operator(_request: dict[str, Any]) -> dict[str, Any]:
    raise SettingsInvalid("nobody set up the operator function of this drill")


class Setup:
    """A story in a drill; `lines` are the facts of the world for the timeline: (second, slot, text).

    `operate` is the operator handler, `deploy` builds the loop's function anew. `unsaid` is what the
    story did not foresee: an operator's answer, a crash that found nobody to crash.
    """

    def __init__(self, story: Story, world: World) -> None:
        self.story, self.world = story, world
        self.lines: list[tuple[float, str, str, str]] = []
        self.first_holders: dict[str, str] = {}
        self.mode = ModeRecord(mode=Mode(story.cell.mode))
        self.operate: Callable[[dict[str, Any]], dict[str, Any]] = _no_operator
        self.unsaid: list[str] = []
        self.deploy: Callable[[dict[str, int]], None] = lambda changed: None
        self.backup: Any = None

    # -- before second 0

    def prepare(self) -> None:
        """Build the cell and let it settle; second 0 comes after that.

        An unmanaged cell runs without launch hook, and nothing rings before second 0.
        """
        story, world = self.story, self.world
        for name, status in story.dependencies.items():
            self.depend(name, status)
        is_managed = story.cell.start != "unmanaged"
        world.owners_start = not is_managed or story.cell.mode == "observe"
        self.set_mode(ModeRecord(mode=Mode(story.cell.mode)))
        ring, world.ring = world.ring, world.ring if is_managed else _nobody
        for slot in story.slot:
            self.add(slot, is_hooked=is_managed)
        if is_managed:
            world.scheduler.every(60.0, world.tick, first_s=5.0)
        if story.cell.start == "empty":
            self._alarms()
            return
        world.scheduler.run_for(SETTLE_S)
        self._alarms()
        world.scheduler.run_for(60.0)
        if is_managed:
            self._must_be_settled()
        else:
            world.scheduler.every(60.0, world.tick, first_s=5.0)
        world.ring = ring
        self._zero()

    def _must_be_settled(self) -> None:
        active = {name for name, one in self.world.records().items() if one.phase is Phase.ACTIVE}
        away = sorted({one.name for one in self.story.slot} - active)
        if away:
            raise SettingsInvalid(f"the cell did not settle before second 0: {', '.join(away)} not active")

    def _zero(self) -> None:
        world = self.world
        world.zero_s = world.scheduler.elapsed
        world.gate.calls.clear()
        world.alarm_states.clear()
        world.topics.published.clear()
        self.first_holders = {host.slot: host.instance.id for host in world.hosts.values() if host.is_up}
        self.first_holders |= {slot: one.holder for slot, one in world.records().items() if one.holder}

    def add(self, slot: Slot, is_hooked: bool) -> None:
        """Create a slot's group and address; its first launch begins at once."""
        world, cell = self.world, self.story.cell.name
        tags = tags_of(cell, slot)
        spec = spec_of(tags, f"{cell}-{slot.name}")
        if isinstance(spec, str):
            raise SettingsInvalid(spec)
        if slot.address:
            address = world.addresses.allocate(slot.address, {"picoha:cell": cell, "picoha:slot": slot.name})
            if not is_hooked or self.story.cell.mode == "observe":
                world.ec2.on_state.append(partial(self._place_once, slot.name, address))
        group = Group(
            name=f"{cell}-{slot.name}",
            tags=tags,
            subnets=((f"{REGION}{slot.zone}", f"subnet-0{slot.zone}"),),
            next_private_ips=list(slot.private_ips),
            hooks=[LifecycleHook(HOOK, heartbeat_s=900)] if is_hooked else [],
            warm_pool=GroupWarmPool(min_size=1) if slot.warm_pool else None,
            suspended={"AZRebalance"},
        )
        world.add_group(group, spec.picos)

    def _place_once(self, slot: str, address: Any, instance: Any, old: str, new: str) -> None:
        """The owner put the address on the first host by hand, long before picoha came."""
        if new == "running" and instance.tags.get("picoha:slot") == slot and slot not in self.first_holders:
            self.first_holders[slot] = instance.id
            self.world.addresses.place(address, instance.interface_id)

    def _alarms(self) -> None:
        """Create the alarms of template.yaml: FILL(healthy, 0), 10 s, 2 of 3, breaching."""
        cell = self.story.cell.name
        target = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:picoha-{cell}-reconcile:live"
        for slot in self.story.slot:
            stat: MetricStatTypeDef = {
                "Metric": {
                    "Namespace": "picoha",
                    "MetricName": "Healthy",
                    "Dimensions": [{"Name": "Cell", "Value": cell}, {"Name": "Slot", "Value": slot.name}],
                },
                "Period": 10,
                "Stat": "Minimum",
            }
            self.world.admin.cloudwatch.put_metric_alarm(
                AlarmName=f"picoha-{cell}-{slot.name}",
                AlarmDescription=f"HA monitor of {cell}/{slot.name}",
                ActionsEnabled=True,
                AlarmActions=[target],
                OKActions=[target],
                EvaluationPeriods=3,
                DatapointsToAlarm=2,
                Threshold=1,
                ComparisonOperator="LessThanThreshold",
                TreatMissingData="breaching",
                Metrics=[
                    {"Id": "filled", "Expression": "FILL(healthy, 0)", "ReturnData": True},
                    {"Id": "healthy", "MetricStat": stat, "ReturnData": False},
                ],
            )

    def set_mode(self, mode: ModeRecord) -> None:
        """Write the cell's mode as its next version."""
        mode = replace(mode, ver=self.mode.ver + 1, since=self.world.scheduler.now)
        self.mode = mode
        self.world.admin.dynamodb.put_item(
            TableName=self.world.table.name, Item=item(CELL, "MODE", encode(mode), ver=mode.ver)
        )

    def depend(self, name: str, status: str) -> None:
        """Give a dependency a status; raises SettingsInvalid for one that the drill does not play."""
        scheme, _, target = name.partition(":")
        if scheme in ("rds", "rds-cluster"):
            self.world.databases.set_status(target, status, cluster=scheme == "rds-cluster")
        elif scheme == "efs":
            self.world.file_systems.set_status(target, status)
        elif scheme in ("tcp", "mount"):
            self.world.unreachable[name] = set() if status == "up" else {"*"}
        else:
            raise SettingsInvalid(
                f"the drill plays no dependency {name}; it knows rds, rds-cluster, efs, tcp, mount"
            )

    # -- after second 0

    def note(self, slot: str, kind: str, text: str) -> None:
        """Add a fact to the timeline."""
        self.lines.append((self.world.scheduler.elapsed - self.world.zero_s, slot, kind, text))

    def host(self, beat: Beat) -> DrillHost:
        """Return the host that a beat is about: the slot's holder; its newest where none or `to` says so."""
        hosts = [host for host in self.world.hosts.values() if host.slot == beat.slot]
        if beat.to == NEWEST and hosts:
            return hosts[-1]
        try:
            return self.world.holder(beat.slot)
        except LookupError:
            if not hosts:
                raise
            return hosts[-1]

    def step(self, beat: Beat) -> Step | None:
        """Return the step that the open operation of the slot is in, if there is one."""
        record = self.world.records().get(SlotName(beat.slot))
        return record.operation.step if record and record.operation else None

    def group(self, beat: Beat) -> Group:
        """Return the slot's group."""
        return self.world.autoscaling.groups[f"{self.story.cell.name}-{beat.slot}"]
