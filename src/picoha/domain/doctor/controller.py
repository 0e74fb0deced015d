"""The checks of `picoha doctor` on picoha itself: functions, permissions, alarms, table, queue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from picoha.domain.doctor.facts import AlarmFacts, FunctionFacts, GroupFacts, Permission, TableFacts
from picoha.domain.doctor.findings import Level, Row
from picoha.domain.model import SlotName


def settings(function: FunctionFacts, cell: str, settings_problem: str) -> Iterator[Row]:
    """The reconcile function's environment is valid, of this cell, and it may run at all."""
    deploy = f"sam deploy --parameter-overrides CellName={cell}"
    if settings_problem:
        yield Level.ERROR, function.name, settings_problem, deploy
    if function.environment.get("PICOHA_CELL") != cell:
        found = function.environment.get("PICOHA_CELL", "not set")
        yield Level.ERROR, function.name, f"PICOHA_CELL is {found}, this is cell {cell}", deploy
    if function.reserved == 0:
        allow = f"aws lambda put-function-concurrency --function-name {function.name}"
        why = "its reserved concurrency is 0: no doorbell runs"
        yield Level.ERROR, function.name, why, f"{allow} --reserved-concurrent-executions 5"


def alarms(
    groups: Sequence[GroupFacts], alarms: Sequence[AlarmFacts], function: FunctionFacts, cell: str
) -> Iterator[Row]:
    """Every slot has an alarm that takes silence for failure and rings this cell's controller."""
    by_name = {one.name: one for one in alarms}
    slots = ",".join(sorted(one.slot for one in groups))
    deploy = f"sam deploy --parameter-overrides CellName={cell} Slots={slots}"
    for group in groups:
        name = f"picoha-{cell}-{group.slot}"
        alarm = by_name.get(name)
        if alarm is None:
            why = f"no alarm {name}: only the one-minute tick watches the slot"
            yield Level.WARN, group.slot, why, deploy
            continue
        for why in _alarm_faults(alarm, group.slot, function.name):
            yield Level.ERROR, group.slot, f"alarm {name} {why}", deploy
    left = {one.slot: one.name for one in alarms if one.slot} | {one.slot: "" for one in groups}
    for slot, name in left.items():
        if name:
            yield Level.WARN, slot, f"alarm {name} watches slot {slot}, which no group declares", deploy


def _alarm_faults(alarm: AlarmFacts, slot: SlotName, function: str) -> Iterator[str]:
    if alarm.slot != slot:
        yield f"watches slot {alarm.slot or '?'}"
    if not alarm.is_enabled:
        yield "has its actions disabled"
    if not any(action.endswith(f":function:{function}:live") for action in alarm.actions):
        yield f"does not ring {function}:live, but {', '.join(alarm.actions) or 'nothing'}"
    if alarm.missing_as != "breaching":
        yield f"treats missing data as {alarm.missing_as}, not breaching: a silent host does not ring"


def permissions(permissions: Sequence[Permission], function: FunctionFacts) -> Iterator[Row]:
    """IAM's simulator allows the reconcile role every change, on things that carry the cell's tags.

    Not an EC2 dry run: it asks for the caller's own permission, so whoever examines would have to be
    allowed to terminate hosts. The simulator sees neither resource policies nor the real tags; the
    check `host-tags` looks at those.
    """
    for permission in permissions:
        if permission.decision != "allowed":
            why = f"{permission.sid}: {permission.action} is {permission.decision} for {function.role}"
            yield Level.ERROR, function.name, why, "sam deploy (the policy of template.yaml was changed)"


def table(table: TableFacts) -> Iterator[Row]:
    """The memory survives a slip of the hand and serves any load."""
    update = f"aws dynamodb update-table --table-name {table.name}"
    if not table.is_protected:
        why = "the table may be deleted: who holds which slot would be forgotten"
        yield Level.WARN, table.name, why, f"{update} --deletion-protection-enabled"
    if not table.is_on_demand:
        why = "the table has provisioned capacity: a bad day may be throttled"
        yield Level.WARN, table.name, why, f"{update} --billing-mode PAY_PER_REQUEST"
    if not table.has_point_in_time_recovery:
        mend = f"aws dynamodb update-continuous-backups --table-name {table.name}"
        mend += " --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true"
        yield Level.WARN, table.name, "the table has no point-in-time recovery", mend


def schema(newer: Mapping[SlotName, str]) -> Iterator[Row]:
    """Every record is one that this version understands."""
    for slot, why in newer.items():
        yield Level.ERROR, slot, f"its record is left alone: {why}", "deploy the newer picoha again"


def dead_letters(dead_letters: int, cell: str) -> Iterator[Row]:
    """No doorbell was lost on its way."""
    if dead_letters:
        queue = f"$(aws sqs get-queue-url --queue-name picoha-{cell}-dead-letters --output text)"
        why = f"{dead_letters} doorbells could not be delivered: read why, then purge the queue"
        yield (
            Level.WARN,
            "",
            why,
            f"aws sqs receive-message --message-attribute-names All --queue-url {queue}",
        )
