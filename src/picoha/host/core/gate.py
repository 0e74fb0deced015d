"""The start gate: what a host may do, from the record, its own memory and its picos alone.

An ordered table, first match wins. Nothing here starts or stops anything.
"""

from __future__ import annotations

from enum import StrEnum

from picoha.domain.record import Phase, SlotRecord
from picoha.host.core.ports import SavedState


class Entitlement(StrEnum):
    """What the record means for this host."""

    CLOSED = "closed"
    OPEN = "open"
    BEHIND = "behind"
    MINE = "mine"
    WITHHELD = "withheld"
    LOST = "lost"
    WAITING = "waiting"
    UNLOCKED = "unlocked"


def stance(kept: SavedState, are_picos_up: bool) -> tuple[Entitlement, str]:
    """Return the stance and, where it is not plain, the reason in one sentence."""
    record = kept.record
    if not kept.has_read:
        return Entitlement.CLOSED, "the record of this slot was never read on this host; nothing starts"
    if record is None or kept.is_missing:
        return _without_record(kept)
    if record.epoch < kept.highest_epoch:
        # A record older than this host's memory was restored or lost: it proves nothing (S17).
        return Entitlement.BEHIND, (
            f"the record is at epoch {record.epoch}, this host knows {kept.highest_epoch}; "
            f"`picoha adopt {kept.slot}` decides"
        )
    if not record.is_armed:
        return Entitlement.OPEN, ""
    if record.holder == kept.instance:
        return _as_holder(record)
    if record.epoch > 0 and (are_picos_up or kept.may_run):
        return Entitlement.LOST, f"the slot is {_owner(record)}"
    return Entitlement.WAITING, ""


def unlocked(stand: Entitlement, kept: SavedState, is_fresh: bool) -> bool:
    """Return True if a broken glass replaces the answer that this host has not got.

    Nothing is replaced where the gate is open, where the slot was just granted to this host, or
    where the table last named another holder.
    """
    record = kept.record
    if stand is Entitlement.OPEN or (stand is Entitlement.MINE and is_fresh):
        return False
    return record is None or record.holder in (None, kept.instance)


def may_start(stand: Entitlement, kept: SavedState, boot_id: str, is_ordered: bool) -> bool:
    """Return whether picos may start now: by the grant taken, or broken glass; if open only by order."""
    if stand is Entitlement.UNLOCKED:
        return True
    record = kept.record
    if record is None or not is_mine(record, kept) or not is_held(kept, record, boot_id):
        return False
    return stand is Entitlement.MINE or (stand is Entitlement.OPEN and is_ordered)


def is_held(kept: SavedState, record: SlotRecord, boot_id: str) -> bool:
    """Return True if the grant of this record was taken in this boot."""
    return (kept.epoch, kept.boot_id) == (record.epoch, boot_id)


def is_mine(record: SlotRecord, kept: SavedState) -> bool:
    """Return True if the record grants the slot to this instance."""
    return record.holder == kept.instance and record.phase in (Phase.GRANTED, Phase.ACTIVE)


def _without_record(kept: SavedState) -> tuple[Entitlement, str]:
    if kept.highest_epoch == 0:
        return Entitlement.OPEN, ""
    return Entitlement.BEHIND, f"this slot has no record although this host knows epoch {kept.highest_epoch}"


def _as_holder(record: SlotRecord) -> tuple[Entitlement, str]:
    if record.phase in (Phase.GRANTED, Phase.ACTIVE):
        return Entitlement.MINE, ""
    return Entitlement.WITHHELD, f"the slot is {record.phase}; nothing starts"


def _owner(record: SlotRecord) -> str:
    return f"{record.holder}'s at epoch {record.epoch}" if record.holder else f"nobody's ({record.phase})"
