"""The start gate: what a host may do, from the record, its own memory and its picos alone.

An ordered table, first match wins. Nothing here starts or stops anything.
"""

from __future__ import annotations

from enum import StrEnum

from picoha.domain.record import Phase, SlotRecord
from picoha.host.core.ports import Kept


class Stance(StrEnum):
    """What the record means for this host."""

    CLOSED = "closed"
    OPEN = "open"
    BEHIND = "behind"
    MINE = "mine"
    WITHHELD = "withheld"
    LOST = "lost"
    WAITING = "waiting"
    UNLOCKED = "unlocked"


def stance(kept: Kept, are_picos_up: bool) -> tuple[Stance, str]:
    """Return the stance and, where it is not plain, the reason in one sentence."""
    record = kept.record
    if not kept.has_read:
        return Stance.CLOSED, "the record of this slot was never read on this host; nothing starts"
    if record is None or kept.is_missing:
        return _without_record(kept)
    if record.epoch < kept.highest_epoch:
        # A record older than this host's memory was restored or lost: it proves nothing (S17).
        return Stance.BEHIND, (
            f"the record is at epoch {record.epoch}, this host knows {kept.highest_epoch}; "
            f"`picoha adopt {kept.slot}` decides"
        )
    if not record.is_armed:
        return Stance.OPEN, ""
    if record.holder == kept.instance:
        return _as_holder(record)
    if record.epoch > 0 and (are_picos_up or kept.may_run):
        return Stance.LOST, f"the slot is {_owner(record)}"
    return Stance.WAITING, ""


def unlocked(stand: Stance, kept: Kept, is_fresh: bool) -> bool:
    """Return True if a broken glass replaces the answer that this host has not got.

    Nothing is replaced where the gate is open, where the slot was just granted to this host, or
    where the table last named another holder.
    """
    record = kept.record
    if stand is Stance.OPEN or (stand is Stance.MINE and is_fresh):
        return False
    return record is None or record.holder in (None, kept.instance)


def may_start(stand: Stance, kept: Kept, boot_id: str, is_ordered: bool) -> bool:
    """Return whether picos may start now: by the grant taken, or broken glass; if open only by order."""
    if stand is Stance.UNLOCKED:
        return True
    record = kept.record
    if record is None or not is_mine(record, kept) or not is_held(kept, record, boot_id):
        return False
    return stand is Stance.MINE or (stand is Stance.OPEN and is_ordered)


def is_held(kept: Kept, record: SlotRecord, boot_id: str) -> bool:
    """Return True if the grant of this record was taken in this boot."""
    return (kept.epoch, kept.boot_id) == (record.epoch, boot_id)


def is_mine(record: SlotRecord, kept: Kept) -> bool:
    """Return True if the record grants the slot to this instance."""
    return record.holder == kept.instance and record.phase in (Phase.GRANTED, Phase.ACTIVE)


def _without_record(kept: Kept) -> tuple[Stance, str]:
    if kept.highest_epoch == 0:
        return Stance.OPEN, ""
    return Stance.BEHIND, f"this slot has no record although this host knows epoch {kept.highest_epoch}"


def _as_holder(record: SlotRecord) -> tuple[Stance, str]:
    if record.phase in (Phase.GRANTED, Phase.ACTIVE):
        return Stance.MINE, ""
    return Stance.WITHHELD, f"the slot is {record.phase}; nothing starts"


def _owner(record: SlotRecord) -> str:
    return f"{record.holder}'s at epoch {record.epoch}" if record.holder else f"nobody's ({record.phase})"
