"""EC2 instances in memory: states that take their time, status checks, slow or hanging ends.

Rules are the EC2 user guide's (instance lifecycle, status checks); durations are a story's
settings, not facts about AWS.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from picoha.fakeaws.clients import ACCOUNT, REGION, Emit
from picoha.fakeaws.scheduler import AwsFault, Scheduler

ENDING = ("shutting-down", "terminated")


@dataclass(frozen=True)
class Timings:
    """How long an instance takes, in seconds; `died_to_impaired_s` is until status checks notice."""

    boot_s: float = 25.0
    stop_s: float = 30.0
    terminate_s: float = 20.0
    visible_after_terminated_s: float = 3600.0
    checks_pass_after_s: float = 120.0
    died_to_impaired_s: float = 60.0


@dataclass(eq=False)
class Instance:
    """One EC2 instance with its primary network interface.

    `alive` is the truth about the machine (False after `die`); `state` is what EC2 says.
    `skip_os_shutdown` tells that the running stop or terminate gives its processes no time.
    """

    id: str
    private_ip: str
    interface_id: str
    zone: str
    subnet_id: str
    launched_at: datetime
    timings: Timings
    tags: dict[str, str]
    interface_tags: dict[str, str]
    state: str = "new"
    reason: str = ""
    protected: bool = False
    alive: bool = True
    skip_os_shutdown: bool = False
    hangs: str = ""
    impaired_from: float | None = None
    public_ip: str | None = None
    scheduled_events: list[dict[str, Any]] = field(default_factory=list)
    history: list[tuple[float, str]] = field(default_factory=list)

    @property
    def arn(self) -> str:
        """The instance's ARN, as events name it."""
        return f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{self.id}"

    def state_at(self, elapsed: float) -> str | None:
        """The state at an earlier instant; None before the launch."""
        return next((state for since, state in reversed(self.history) if since <= elapsed), None)


def not_found(instance_id: str) -> AwsFault:
    """EC2's answer about an instance it does not know, or no longer shows."""
    return AwsFault("InvalidInstanceID.NotFound", f"The instance ID '{instance_id}' does not exist")


def no_event(source: str, detail_type: str, detail: dict[str, Any], resources: list[str]) -> None:
    """Drop an event: fakeaws without EventBridge."""


class Instances:
    """All instances, as a story moves them.

    `on_state` is called with (instance, old state, new state), `on_die` with the instance.
    """

    def __init__(self, scheduler: Scheduler, emit: Emit = no_event, timings: Timings | None = None) -> None:
        self.scheduler = scheduler
        self.timings = timings or Timings()
        self.instances: dict[str, Instance] = {}
        self.on_state: list[Callable[[Instance, str, str], None]] = []
        self.on_die: list[Callable[[Instance], None]] = []
        self._emit = emit
        self._numbers = itertools.count(1)

    def get(self, instance_id: str) -> Instance:
        """Return an instance; raises `AwsFault` InvalidInstanceID.NotFound."""
        if instance_id not in self.instances:
            raise not_found(instance_id)
        return self.instances[instance_id]

    def launch(
        self,
        private_ip: str | None = None,
        zone: str = f"{REGION}a",
        subnet_id: str = "subnet-0a",
        tags: dict[str, str] | None = None,
        interface_tags: dict[str, str] | None = None,
    ) -> Instance:
        """Start a new instance: pending now, running after `boot_s`."""
        number = next(self._numbers)
        address = private_ip or f"10.0.{200 + number // 250}.{number % 250 + 4}"
        identity = f"i-{number:017x}", address, f"eni-{number:017x}", zone, subnet_id
        both = dict(tags or {}), dict(interface_tags or {})
        instance = Instance(*identity, self.scheduler.now, self.timings, *both)
        self.instances[instance.id] = instance
        self._boot(instance)
        return instance

    def start(self, instance_id: str) -> None:
        """Start a stopped instance, on other hardware; raises `AwsFault` IncorrectInstanceState."""
        instance = self.get(instance_id)
        if instance.state in ("pending", "running"):
            return
        self._require(instance, ("stopped",), "started")
        instance.alive, instance.impaired_from, instance.skip_os_shutdown = True, None, False
        instance.launched_at = self.scheduler.now
        self._boot(instance)

    def stop(self, instance_id: str, skip_os_shutdown: bool = False) -> None:
        """Stop a running instance; raises `AwsFault` IncorrectInstanceState."""
        instance = self.get(instance_id)
        if instance.state in ("stopping", "stopped"):
            return
        self._require(instance, ("running",), "stopped")
        instance.skip_os_shutdown = skip_os_shutdown
        self._move(instance, "stopping", "Client.UserInitiatedShutdown: User initiated shutdown")
        self._later(instance, instance.timings.stop_s, "stopped")

    def terminate(self, instance_id: str, force: bool = False, skip_os_shutdown: bool = False) -> None:
        """Terminate an instance whatever its protection; again is harmless, again with force un-hangs."""
        instance = self.get(instance_id)
        instance.skip_os_shutdown |= skip_os_shutdown
        if instance.state not in ENDING:
            self._move(instance, "shutting-down", "Client.UserInitiatedShutdown: User initiated shutdown")
            self._later(instance, instance.timings.terminate_s, "terminated")
        if force and instance.hangs == "until forced":
            self.release_terminate(instance_id)

    def hang_terminate(self, instance_id: str, until_forced: bool = False) -> None:
        """Make a termination stay in shutting-down until released (or until a forced call)."""
        self.get(instance_id).hangs = "until forced" if until_forced else "until released"

    def release_terminate(self, instance_id: str) -> None:
        """Let a hanging termination go on, for another `terminate_s`."""
        instance = self.get(instance_id)
        instance.hangs = ""
        if instance.state == "shutting-down":
            self._later(instance, instance.timings.terminate_s, "terminated")

    def impair(self, instance_id: str, on: bool = True) -> None:
        """Make the status checks of an instance fail, or pass again."""
        self.get(instance_id).impaired_from = self.scheduler.elapsed if on else None

    def die(self, instance_id: str) -> None:
        """Kill the machine: its processes are gone, EC2 goes on saying running, checks fail later."""
        instance = self.get(instance_id)
        instance.alive = False
        if instance.impaired_from is None:
            instance.impaired_from = self.scheduler.elapsed + instance.timings.died_to_impaired_s
        for told in self.on_die:
            told(instance)

    def schedule_event(self, instance_id: str, code: str, not_before: datetime) -> None:
        """Announce a scheduled event, e.g. `instance-retirement`."""
        event_id = f"instance-event-{instance_id[2:]}"
        event = {"InstanceEventId": event_id, "Code": code, "NotBefore": not_before}
        self.get(instance_id).scheduled_events.append(event)

    def check(self, instance: Instance, state: str) -> str:
        """Return what status checks say of an instance shown in `state`."""
        if state != "running":
            return "not-applicable"
        if instance.impaired_from is not None and self.scheduler.elapsed >= instance.impaired_from:
            return "impaired"
        young = self.scheduler.elapsed - instance.history[-1][0] < instance.timings.checks_pass_after_s
        return "initializing" if young else "ok"

    def _boot(self, instance: Instance) -> None:
        self._move(instance, "pending")
        self._later(instance, instance.timings.boot_s, "running")

    def _require(self, instance: Instance, states: Iterable[str], done: str) -> None:
        if instance.state not in states:
            message = f"The instance '{instance.id}' is not in a state from which it can be {done}."
            raise AwsFault("IncorrectInstanceState", message)

    def _move(self, instance: Instance, state: str, reason: str = "") -> None:
        old, instance.state = instance.state, state
        instance.reason = reason or instance.reason
        instance.history.append((self.scheduler.elapsed, state))
        detail = {"instance-id": instance.id, "state": state}
        self._emit("aws.ec2", "EC2 Instance State-change Notification", detail, [instance.arn])
        for told in list(self.on_state):
            told(instance, old, state)

    def _later(self, instance: Instance, delay_s: float, state: str) -> None:
        moves = len(instance.history)

        def arrive() -> None:
            overtaken = len(instance.history) != moves
            if overtaken or (state == "terminated" and instance.hangs):
                return
            self._move(instance, state)
            if state == "terminated":
                self.scheduler.at(instance.timings.visible_after_terminated_s, forget)

        def forget() -> None:
            self.instances.pop(instance.id, None)

        self.scheduler.at(delay_s, arrive)
