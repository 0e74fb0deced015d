"""The referee of the desk: judges the world itself, never picoha's own records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from picoha.adapters.desk.wire import Answer

if TYPE_CHECKING:
    from picoha.adapters.desk.world import World


class Truth:
    """Collects violations of S3 (two actives), S5 (address taken), S6 (bystander), S12 (capacity)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.violations: list[str] = []

    def look(self) -> None:
        """Judge after every start and end of a pico: one slot's picos run on one host only (S3)."""
        if self._world.owners_start:
            return
        running: dict[tuple[str, str], list[str]] = {}
        for host in self._world.hosts.values():
            for name in host.running:
                running.setdefault((host.slot, name), []).append(host.instance.id)
        for (slot, name), instances in running.items():
            if len(instances) > 1:
                self._say(f"S3: {name} of {slot} runs on {' and '.join(sorted(instances))}")

    def called(self, operation: str, params: dict[str, Any], answer: Answer) -> None:
        """Judge one changing call of the controller, when it arrives."""
        if operation == "TerminateInstances":
            for instance in params["InstanceIds"]:
                if instance not in self._victims():
                    self._say(f"S6: {instance} was terminated and is no victim")
        elif operation == "AssociateAddress" and params.get("AllowReassociation") is not False:
            self._say("S5: an address was associated with reassociation allowed")
        elif operation in ("SetDesiredCapacity", "UpdateAutoScalingGroup"):
            self._say(f"S12: {operation} was called")

    def _victims(self) -> set[str]:
        records = self._world.records().values()
        return {victim for record in records if record.operation for victim in record.operation.victims}

    def _say(self, violation: str) -> None:
        at = self._world.kernel.elapsed - self._world.zero_s
        if not any(old.endswith(violation) for old in self.violations):
            self.violations.append(f"{at:.0f} s: {violation}")
