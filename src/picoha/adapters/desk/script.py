"""Put a story on the desk: build its cell, let it settle, and let things happen to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from picoha.adapters.aws.actuators import HOOK
from picoha.adapters.aws.discovery import SlotTags
from picoha.adapters.aws.items import CELL, item
from picoha.adapters.desk.hosts import DeskHost
from picoha.adapters.desk.kernel import DeskFault
from picoha.adapters.desk.scaling_group import Group, Hook, WarmPool
from picoha.adapters.desk.story import Beat, Slot, Story
from picoha.adapters.desk.wire import ACCOUNT, REGION
from picoha.adapters.desk.world import World
from picoha.app.errors import SettingsInvalid
from picoha.domain.codec import encode
from picoha.domain.record import Mode, ModeRecord, Pause, Phase

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricStatTypeDef

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


class Stage:
    """A story on the desk; `lines` are the facts of the world for the timeline: (second, slot, text)."""

    def __init__(self, story: Story, world: World) -> None:
        self.story, self.world = story, world
        self.lines: list[tuple[float, str, str, str]] = []
        self.first_holders: dict[str, str] = {}
        self._mode = ModeRecord(mode=Mode(story.cell.mode))
        self._backup: Any = None

    # -- before second 0

    def prepare(self) -> None:
        """Build the cell and let it settle; second 0 comes after that.

        An unmanaged cell runs without launch hook, and nothing rings before second 0.
        """
        story, world = self.story, self.world
        for name, status in story.dependencies.items():
            self._depend(name, status)
        is_managed = story.cell.start != "unmanaged"
        world.owners_start = not is_managed or story.cell.mode == "observe"
        self._set_mode(ModeRecord(mode=Mode(story.cell.mode)))
        ring, world.ring = world.ring, world.ring if is_managed else _nobody
        for slot in story.slot:
            self._add(slot, is_hooked=is_managed)
        if is_managed:
            world.kernel.every(60.0, world.tick, first_s=5.0)
        if story.cell.start == "empty":
            self._alarms()
            return
        world.kernel.run_for(SETTLE_S)
        self._alarms()
        world.kernel.run_for(60.0)
        if is_managed:
            self._must_be_settled()
        else:
            world.kernel.every(60.0, world.tick, first_s=5.0)
        world.ring = ring
        self._zero()

    def _must_be_settled(self) -> None:
        active = {name for name, one in self.world.records().items() if one.phase is Phase.ACTIVE}
        away = sorted({one.name for one in self.story.slot} - active)
        if away:
            raise SettingsInvalid(f"the cell did not settle before second 0: {', '.join(away)} not active")

    def _zero(self) -> None:
        world = self.world
        world.zero_s = world.kernel.elapsed
        world.gate.calls.clear()
        world.alarm_states.clear()
        world.topics.published.clear()
        self.first_holders = {host.slot: host.instance.id for host in world.hosts.values() if host.is_up}
        self.first_holders |= {slot: one.holder for slot, one in world.records().items() if one.holder}

    def _add(self, slot: Slot, is_hooked: bool) -> None:
        world, cell = self.world, self.story.cell.name
        spec = SlotTags.model_validate(
            {
                key.removeprefix("picoha:").replace("-", "_"): value
                for key, value in tags_of(cell, slot).items()
            }
        ).spec()
        tags = tags_of(cell, slot)
        if slot.address:
            address = world.addresses.allocate(slot.address, {"picoha:cell": cell, "picoha:slot": slot.name})
            if not is_hooked or self.story.cell.mode == "observe":
                world.ec2.on_state.append(partial(self._place_once, slot.name, address))
        group = Group(
            name=f"{cell}-{slot.name}",
            tags=tags,
            subnets=((f"{REGION}{slot.zone}", f"subnet-0{slot.zone}"),),
            next_private_ips=list(slot.private_ips),
            hooks=[Hook(HOOK, heartbeat_s=900)] if is_hooked else [],
            warm_pool=WarmPool(min_size=1) if slot.warm_pool else None,
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

    def _set_mode(self, mode: ModeRecord) -> None:
        mode = replace(mode, ver=self._mode.ver + 1, since=self.world.kernel.now)
        self._mode = mode
        self.world.admin.dynamodb.put_item(
            TableName=self.world.table.name, Item=item(CELL, "MODE", encode(mode), ver=mode.ver)
        )

    def _depend(self, name: str, status: str) -> None:
        scheme, _, target = name.partition(":")
        if scheme in ("rds", "rds-cluster"):
            self.world.databases.set_status(target, status, cluster=scheme == "rds-cluster")
        elif scheme == "efs":
            self.world.file_systems.set_status(target, status)
        elif scheme in ("tcp", "mount"):
            self.world.unreachable[name] = set() if status == "up" else {"*"}
        else:
            raise SettingsInvalid(
                f"the desk plays no dependency {name}; it knows rds, rds-cluster, efs, tcp, mount"
            )

    # -- after second 0

    def schedule(self) -> None:
        """Let every beat happen at its second."""
        for beat in self.story.at:
            if beat.do not in VERBS:
                raise SettingsInvalid(
                    f"the story does {beat.do!r}; the desk knows {', '.join(sorted(VERBS))}"
                )
            self.world.kernel.at(beat.s, partial(self._play, beat))

    def _play(self, beat: Beat) -> None:
        words = (beat.do.replace("-", " "), beat.pico or beat.name, beat.to)
        self.note(beat.slot or "cell", "world", " ".join(word for word in words if word))
        VERBS[beat.do](self, beat)

    def note(self, slot: str, kind: str, text: str) -> None:
        """Add a fact to the timeline."""
        self.lines.append((self.world.kernel.elapsed - self.world.zero_s, slot, kind, text))

    def host(self, beat: Beat) -> DeskHost:
        """Return the host that a beat is about: the slot's holder, else its newest host."""
        try:
            return self.world.holder(beat.slot)
        except LookupError:
            hosts = [one for one in self.world.hosts.values() if one.slot == beat.slot]
            if not hosts:
                raise
            return hosts[-1]

    def group(self, beat: Beat) -> Group:
        """Return the slot's group."""
        return self.world.autoscaling.groups[f"{self.story.cell.name}-{beat.slot}"]

    def pause(self, beat: Beat) -> None:
        """Pause the slot, or the cell, for `for_s` seconds; 0 ends the pause now."""
        now = self.world.kernel.now
        key = beat.slot or "*"
        pauses = {name: one for name, one in self._mode.pauses.items() if name != key}
        if beat.for_s:
            pauses[key] = Pause("story", "story", now, now + timedelta(seconds=beat.for_s))
        self._set_mode(replace(self._mode, pauses=pauses))

    def enforce(self, beat: Beat) -> None:
        """Change the cell's mode."""
        self._set_mode(replace(self._mode, mode=Mode(beat.to)))
        self.world.owners_start = beat.to == "observe"

    def throttle(self, beat: Beat) -> None:
        """Let every call of an operation be throttled for `for_s` seconds."""
        end = self.world.kernel.elapsed + beat.for_s

        def refuse(_service: str, operation: str, _params: dict[str, Any]) -> None:
            if operation == beat.name and self.world.kernel.elapsed < end:
                raise DeskFault("RequestLimitExceeded", "Request limit exceeded.", 503)

        self.world.gate.faults.before.append(refuse)

    def table(self, beat: Beat) -> None:
        """Keep a backup of the table, or restore it."""
        if beat.to == "backup":
            self._backup = self.world.table.snapshot()
        else:
            self.world.table.restore(self._backup)


def _sick(stage: Stage, beat: Beat) -> None:
    host = stage.host(beat)
    host.sick[beat.pico] = 100 if beat.code is None else beat.code


def _heal(stage: Stage, beat: Beat) -> None:
    stage.host(beat).sick.pop(beat.pico, None)


def _agent(is_up: bool, stage: Stage, beat: Beat) -> None:
    stage.host(beat).is_agent_up = is_up


def _desired(stage: Stage, beat: Beat) -> None:
    group = stage.group(beat)
    group.desired = beat.number
    group.min_size = min(group.min_size, beat.number)
    stage.world.autoscaling.balance(group)


def _address_to(stage: Stage, beat: Beat) -> None:
    address = next(
        one for one in stage.world.addresses.addresses.values() if one.tags["picoha:slot"] == beat.slot
    )
    if beat.to == "free":
        stage.world.addresses.free(address)
    else:
        stage.world.addresses.place(address, beat.to or stage.host(beat).instance.interface_id)


def _cut(is_cut: bool, stage: Stage, beat: Beat) -> None:
    pair = ("*" if not beat.to else stage.world.holder(beat.to).instance.id, stage.host(beat).instance.id)
    (stage.world.network.blocked.add if is_cut else stage.world.network.blocked.discard)(pair)


def _ring_again(stage: Stage, beat: Beat) -> None:
    stage.world.admin.cloudwatch.set_alarm_state(
        AlarmName=f"picoha-{stage.story.cell.name}-{beat.slot}", StateValue="OK", StateReason="story"
    )
    stage.world.admin.cloudwatch.set_alarm_state(
        AlarmName=f"picoha-{stage.story.cell.name}-{beat.slot}", StateValue="ALARM", StateReason="story"
    )


def _capacity(stage: Stage, beat: Beat) -> None:
    stage.group(beat).launch_failures = beat.number


def _bad_starts(stage: Stage, beat: Beat) -> None:
    stage.world.bad_starts[beat.slot] = (beat.code or 0, beat.to)


VERBS: dict[str, Callable[[Stage, Beat], None]] = {
    "die": lambda stage, beat: stage.world.ec2.die(stage.host(beat).instance.id),
    "terminate": lambda stage, beat: stage.world.ec2.terminate(stage.host(beat).instance.id),
    "stop": lambda stage, beat: stage.world.ec2.stop(stage.host(beat).instance.id),
    "impair": lambda stage, beat: stage.world.ec2.impair(stage.host(beat).instance.id),
    "hang-terminate": lambda stage, beat: stage.world.ec2.hang_terminate(stage.host(beat).instance.id),
    "release-terminate": lambda stage, beat: stage.world.ec2.release_terminate(stage.host(beat).instance.id),
    "pico-fails": _sick,
    "pico-heals": _heal,
    "agent-dies": partial(_agent, False),
    "agent-returns": partial(_agent, True),
    "dependency": lambda stage, beat: stage._depend(beat.name, beat.to),
    "mode": Stage.enforce,
    "pause": Stage.pause,
    "desired": _desired,
    "address": _address_to,
    "cut": partial(_cut, True),
    "join": partial(_cut, False),
    "ring-again": _ring_again,
    "throttle": Stage.throttle,
    "no-capacity": _capacity,
    "bad-starts": _bad_starts,
    "table": Stage.table,
}
"""What a story can let happen; stories/README.md says which argument each takes."""
