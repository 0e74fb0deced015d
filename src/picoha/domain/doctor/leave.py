"""What still depends on a cell's stack, in the order in which it is taken away (docs/uninstall.md).

The order matters: first nothing may be taken any more, then every host must be able to start without
a controller, then launches must pass without one, and only then may the stack and the table go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from picoha.domain.doctor.facts import (
    AlarmFacts,
    ElasticIp,
    FunctionFacts,
    GroupFacts,
    HookFacts,
    InspectedHost,
    TableFacts,
)
from picoha.domain.doctor.findings import Finding, Level, Row
from picoha.domain.doctor.groups import LAUNCH_HOOK
from picoha.domain.doctor.table import Check, judge
from picoha.domain.model import SlotName, Unknown
from picoha.domain.record import Mode, ModeRecord, SlotRecord


def _enforcing(mode: ModeRecord) -> Iterator[Row]:
    if mode.mode is Mode.ENFORCE:
        yield Level.ERROR, "", "picoha still takes: it fences hosts", "picoha mode observe --reason leaving"


def _operations(records: Mapping[SlotName, SlotRecord]) -> Iterator[Row]:
    for slot, record in sorted(records.items()):
        if record.operation is not None and not record.operation.is_ended:
            op = record.operation
            mend = f"picoha show {op.id}, then wait, or picoha abort {op.id} --reason leaving"
            yield Level.ERROR, slot, f"{op.id} is open, in {op.step}", mend


def _armed(records: Mapping[SlotName, SlotRecord]) -> Iterator[Row]:
    for slot, record in sorted(records.items()):
        if record.is_armed:
            why = f"its start gate is armed: after a reboot {record.holder or 'its host'} would start nothing"
            yield Level.ERROR, slot, why, "picoha mode observe --reason leaving, and wait one minute"


def _hooks(groups: Sequence[GroupFacts], hooks: Mapping[str, Sequence[HookFacts]]) -> Iterator[Row]:
    for group in groups:
        for hook in hooks.get(group.name, ()):
            if hook.name == LAUNCH_HOOK:
                why = f"hook {hook.name} holds every launch; without picoha it ends in {hook.default_result}"
                mend = f"aws autoscaling delete-lifecycle-hook --auto-scaling-group-name {group.name}"
                yield Level.ERROR, group.slot, why, f"{mend} --lifecycle-hook-name {hook.name}"


def _agents(machines: Sequence[InspectedHost]) -> Iterator[Row]:
    for machine in machines:
        if machine.state == "running":
            why = f"{machine.instance} runs an agent, which nobody will assign anything"
            mend = (
                "enable the product's own start, then: picoha-agent uninstall (picos go on); and in the image"
            )
            yield Level.WARN, machine.slot, why, mend


def _addresses(machines: Sequence[InspectedHost], addresses: Sequence[ElasticIp]) -> Iterator[Row]:
    placed = {address.place: address for address in addresses}
    for host in machines:
        one = placed.get(host.instance)
        if host.state == "running" and one is not None:
            why = f"{one.public_ip} stays on {host.instance}; its replacement will not get it"
            mend = f"aws ec2 associate-address --allocation-id {one.allocation} --instance-id NEW-HOST"
            yield Level.WARN, host.slot, why, f"after a replacement, by hand: {mend}"


def _alarms(alarms: Sequence[AlarmFacts], function: FunctionFacts) -> Iterator[Row]:
    for alarm in alarms:
        if any(f":function:{function.name}" in action for action in alarm.actions):
            why = f"alarm {alarm.name} rings {function.name}"
            yield Level.WARN, alarm.slot, why, "goes with the stack (sam delete); or make it page you instead"


def _policy(cell: str) -> Iterator[Row]:
    why = "its host policy cannot be deleted while a role has it; who has is not looked at here"
    find = "aws iam list-entities-for-policy --policy-arn POLICY-ARN (output HostPolicyArn)"
    mend = f"{find}; aws iam detach-role-policy --role-name ROLE --policy-arn POLICY-ARN"
    yield Level.WARN, "", why, mend


def _stack(function: FunctionFacts, cell: str) -> Iterator[Row]:
    yield Level.WARN, "", f"function {function.name} is deployed", f"sam delete --stack-name picoha-{cell}"


def _table(table: TableFacts) -> Iterator[Row]:
    why = "the table outlives the stack: who held what, and every failover's history"
    free = f"aws dynamodb update-table --table-name {table.name} --no-deletion-protection-enabled"
    mend = f"keep it, or: {free}; aws dynamodb delete-table --table-name {table.name}"
    yield Level.WARN, table.name, why, mend


STEPS = (
    Check("mode", _enforcing, "picoha observes"),
    Check("operations", _operations, "no operation is open"),
    Check("gates", _armed, "no start gate is armed"),
    Check("hooks", _hooks, f"no group has the hook {LAUNCH_HOOK}"),
    Check("agents", _agents, "no agent runs"),
    Check("addresses", _addresses, "no address would stay behind"),
    Check("alarms", _alarms, "no alarm rings picoha"),
    Check("host-policy", _policy, "no host has the policy"),
    Check("stack", _stack, "the stack is gone"),
    Check("table", _table, "the table is gone"),
)


def depending(facts: Mapping[str, object | Unknown]) -> tuple[Finding, ...]:
    """Return what depends on the stack, in the order of its mending.

    An `error` must be mended before the stack goes: without it hosts would not start, or launches
    would be abandoned. A `warn` is work that the order reaches. Raises KeyError for a missing fact.
    """
    return judge(facts, STEPS)
