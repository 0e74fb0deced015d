"""What the controller wrote to its table, as the referee remembers it: no restore makes him forget.

S1, S2, S4, S9 and S10 (docs/safety.md) are judged on each commit, with the world beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from picoha.adapters.aws.items import CELL, body, slot_record
from picoha.domain.codec import decode
from picoha.domain.model import EvidenceKind, InstanceId, SlotName
from picoha.domain.record import CONTROLLER, Mode, ModeRecord, SlotRecord, Verb
from picoha.drills.account import Account
from picoha.fakeaws.clients import Answer, Operation
from picoha.fakeaws.dynamodb.rows import Key

PROOF, FENCE, SLOT = "PROOF", "FENCE#", "SLOT#"
Records = dict[SlotName, SlotRecord]


class Commits:
    """The referee's own memory: who was granted what, who is proven off, who was ever a victim."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._granted: dict[SlotName, dict[int, InstanceId]] = {}
        self._proven: set[str] = set()
        self._victims: set[str] = set()

    def victims(self) -> set[str]:
        """Return every instance that an admitted operation ever named as its victim."""
        self._learn_victims(self._account.records())
        return self._victims

    def proven(self) -> set[str]:
        """Return every instance whose evidence was ever written."""
        keys = self._account.table.sort_keys(PROOF)
        self._proven |= {sk.removeprefix(FENCE) for sk in keys if sk.startswith(FENCE)}
        return self._proven

    def watch(self, params: dict[str, Any], play: Operation, say: Callable[[str], None]) -> Answer:
        """Let one write of the controller happen, then judge what it changed."""
        touched = [key for key in _puts(params) if key[0] in (CELL, PROOF)]
        if not touched:
            return play(params)
        before, known = self._records(touched), set(self.proven())
        for record in before.values():
            if record.holder:
                self._granted.setdefault(record.slot, {}).setdefault(record.epoch, record.holder)
        answer = play(params)
        for instance in sorted(self.proven() - known):
            for violation in self._unsound(instance):
                say(violation)
        after = self._records(touched)
        self._learn_victims(after)
        for slot, record in after.items():
            for violation in self._judged(before.get(slot, SlotRecord(slot)), record):
                say(violation)
        return answer

    def _records(self, keys: list[Key]) -> Records:
        rows = (self._account.table.row(key) for key in keys if key[1].startswith(SLOT))
        records = (slot_record(row.copy()) for row in rows if row)
        return {record.slot: record for record in records}

    def _judged(self, old: SlotRecord, new: SlotRecord) -> Iterator[str]:
        if new.ver == old.ver:
            return
        if new.holder and (new.epoch, new.holder) != (old.epoch, old.holder):
            yield from self._grant(new.slot, new.epoch, new.holder)
        if new.operation and (old.operation is None or new.operation.id != old.operation.id):
            yield from self._admission(new)
        left = old.operation
        is_left = left is not None and (new.operation is None or new.operation.id != left.id)
        if left and is_left and "END" not in self._account.table.sort_keys(f"OP#{left.id}"):
            yield f"S10: {new.slot} lost {left.id}, which is still {left.step}"

    def _grant(self, slot: SlotName, epoch: int, holder: InstanceId) -> Iterator[str]:
        """S1: epochs only grow, and each has one holder. S2: every earlier holder is proven off."""
        granted = self._granted.setdefault(slot, {})
        if granted and epoch <= max(granted):
            yield f"S1: {slot} epoch {epoch} was granted to {holder} after epoch {max(granted)}"
        for earlier in sorted(set(granted.values()) - {holder}):
            if earlier not in self._proven:
                yield f"S2: {slot} epoch {epoch} was granted while {earlier} had no evidence"
            elif self._is_up(earlier):
                yield f"S2: {slot} epoch {epoch} was granted while {earlier} was up"
        granted.setdefault(epoch, holder)

    def _admission(self, record: SlotRecord) -> Iterator[str]:
        """S9: nothing is admitted outside enforce, nor in a pause unless a human forces a failover."""
        op = record.operation
        if op is None:
            return
        row = self._account.table.row((CELL, "MODE"))
        mode = decode(ModeRecord, body(row.copy())) if row else ModeRecord()
        if mode.mode is not Mode.ENFORCE:
            yield f"S9: {op.id} was admitted in {mode.mode}"
        pauses = [mode.pauses[key] for key in ("*", record.slot) if key in mode.pauses]
        is_forced = op.verb is Verb.FAILOVER and op.by != CONTROLLER
        if not is_forced and any(pause.until > self._account.scheduler.now for pause in pauses):
            yield f"S9: {op.id} was admitted in a pause"

    def _unsound(self, instance: str) -> Iterator[str]:
        """S4: evidence is what EC2 says when it is over, or a human's word."""
        row = self._account.table.row((PROOF, FENCE + instance))
        kind = body(row.copy()).get("kind") if row else ""
        found = self._account.ec2.instances.get(instance)  # EC2 forgets the terminated after an hour
        state = found.state if found else "terminated"
        if kind != EvidenceKind.OPERATOR and (state != "terminated" or self._is_up(instance)):
            yield f"S4: evidence of {instance} was written while it is {state}"

    def _is_up(self, instance: str) -> bool:
        host = self._account.hosts.get(instance)
        return host is not None and host.is_up

    def _learn_victims(self, records: Records) -> None:
        for record in records.values():
            self._victims |= set(record.operation.victims if record.operation else ())


def _puts(params: dict[str, Any]) -> Iterator[Key]:
    """Return the keys of the items that a PutItem or TransactWriteItems puts."""
    puts = [one["Put"] for one in params.get("TransactItems", [{"Put": params}]) if "Put" in one]
    for one in puts:
        yield one["Item"]["pk"]["S"], one["Item"]["sk"]["S"]
