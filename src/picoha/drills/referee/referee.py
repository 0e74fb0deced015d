"""The referee of the drill: judges the world itself, never picoha's own opinion of it.

Whatever the controller's calls and commits do is judged at the instant they arrive, late and
doubled ones too. The invariants S1 to S12 are described in docs/safety.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from picoha.adapters.aws.items import top
from picoha.domain.model import PicoType
from picoha.drills.account import Account
from picoha.drills.referee.commits import Commits
from picoha.fakeaws.clients import Answer, Operation

if TYPE_CHECKING:
    from picoha.domain.record import SlotRecord

Judge = Callable[[dict[str, Any]], Iterable[str]]


class Referee:
    """Collects violations of S1 to S7, S9, S10 and S12; S8 needs no world, `verify` judges it."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._commits = Commits(account)
        self.violations: list[str] = []
        self._judges: dict[str, Judge] = {
            "TerminateInstances": self._terminated,
            "SetInstanceHealth": self._called_unhealthy,
            "CompleteLifecycleAction": self._completed,
            "AssociateAddress": self._associated,
            "DisassociateAddress": self._disassociated,
            "SetDesiredCapacity": lambda params: ["S12: SetDesiredCapacity was called"],
            "UpdateAutoScalingGroup": lambda params: ["S12: UpdateAutoScalingGroup was called"],
        }

    def watched(self, operation: str, play: Operation) -> Operation:
        """Return an operation as the controller reaches it: under the referee's eyes."""
        judge = self._judges.get(operation)
        if operation in ("TransactWriteItems", "PutItem"):
            return lambda params: self._commits.watch(params, play, self._say)

        def judged(params: dict[str, Any]) -> Answer:
            for violation in judge(params) if judge else ():
                self._say(violation)
            return play(params)

        return judged if judge else play

    def look(self) -> None:
        """Judge after every start and end of a pico: S3, one host for a slot's picos and for the Platform."""
        if self._account.owners_start:
            return
        running: dict[str, set[str]] = {}
        for host in self._account.hosts.values():
            platforms = {
                pico.name for pico in self._account.picos(host.slot) if pico.type is PicoType.PLATFORM
            }
            for name in host.running:
                what = "the Platform" if name in platforms else f"{name} of {host.slot}"
                running.setdefault(what, set()).add(host.instance.id)
        for what, instances in running.items():
            if len(instances) > 1:
                self._say(f"S3: {what} runs on {' and '.join(sorted(instances))}")

    # -- what takes

    def _terminated(self, params: dict[str, Any]) -> Iterator[str]:
        for instance in params["InstanceIds"]:
            yield from self._bystander(instance, "was terminated")
            yield from self._unordered(instance, f"FenceHost {instance}", "terminated")

    def _called_unhealthy(self, params: dict[str, Any]) -> Iterator[str]:
        instance = params["InstanceId"]
        yield from self._bystander(instance, "was called unhealthy")
        yield from self._unordered(instance, f"HintUnhealthy {instance}", "called unhealthy")

    def _completed(self, params: dict[str, Any]) -> Iterator[str]:
        """CONTINUE gives; ABANDON ends a launch and its host, so the host must be off already."""
        instance = params.get("InstanceId", "")
        if params["LifecycleActionResult"] != "ABANDON":
            return
        if not self._is_off(instance):
            yield f"S6: the launch of {instance} was abandoned, and it is not off"
        if any(record.holder == instance for record in self._holding()):
            yield f"S6: the launch of {instance} was abandoned, and it holds its slot"
        yield from self._unordered(instance, f"AbandonLaunch {instance}", "abandoned")

    def _associated(self, params: dict[str, Any]) -> Iterator[str]:
        if params.get("AllowReassociation") is not False:
            yield "S5: an address was associated with reassociation allowed"

    def _disassociated(self, params: dict[str, Any]) -> Iterator[str]:
        """An association that is gone already is nobody's."""
        association = params.get("AssociationId")
        addresses = self._account.addresses
        for address in addresses.addresses.values():
            if address.association_id != association:
                continue
            holder = addresses.holder(address)
            instance = holder.id if holder else f"interface {address.interface_id}"
            if holder is None or not self._is_off(instance) or instance not in self._commits.proven():
                yield f"S5: {address.public_ip} was taken from {instance}, which is not proven off"
            yield from self._bystander(instance, "lost its address")
            yield from self._unordered(instance, f"FreeAddress {association}", "relieved of its address")

    # -- who is who

    def _bystander(self, instance: str, what: str) -> Iterator[str]:
        """S6: a destructive call aims at a victim of an admitted operation, never at a later holder."""
        if instance not in self._commits.victims():
            yield f"S6: {instance} {what} and is no victim"
        elif any(one.holder == instance and not _is_victim(instance, one) for one in self._holding()):
            yield f"S6: {instance} {what} and holds its slot"

    def _holding(self) -> list[SlotRecord]:
        """Records whose holder is really there."""
        return [
            record
            for record in self._account.records().values()
            if record.holder and not self._is_off(record.holder)
        ]

    def _is_off(self, instance: str) -> bool:
        """Whether a machine does not run, and EC2 or a human says that it will not again."""
        found, host = self._account.ec2.instances.get(instance), self._account.hosts.get(instance)
        if host is None or host.is_up:
            return False
        is_over = found is None or found.state in ("stopped", "terminated")  # EC2 forgets after an hour
        return is_over or instance in self._commits.proven()

    def _unordered(self, instance: str, action: str, what: str) -> Iterator[str]:
        """S7: the intent stood in a journal, or in the slot's record, before the call was sent."""
        if not any(intent == action or intent == f"{action} force" for intent in self._intents()):
            yield f"S7: {instance} was {what} without an intent"

    def _intents(self) -> Iterator[str]:
        for record in self._account.records().values():
            yield from record.sent
        for item in self._account.table.items():
            if str(top(item, "sk")).startswith("J#"):
                yield str(item["body"]["M"]["action"]["S"])

    def _say(self, violation: str) -> None:
        at = self._account.scheduler.elapsed - self._account.zero_s
        if not any(old.endswith(violation) for old in self.violations):
            self.violations.append(f"{at:.0f} s: {violation}")


def _is_victim(instance: str, record: SlotRecord) -> bool:
    return record.operation is not None and instance in record.operation.victims
