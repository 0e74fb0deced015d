"""One gate as read at one instant: what lets an automatic failover pass, or holds it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gate:
    """One gate as read now: its name, whether it lets a failover pass, and one sentence.

    `fact` is the sentence without the advice, where it gives one.
    """

    name: str
    is_open: bool
    sentence: str
    fact: str = ""
