"""Break-glass: a named human starts the picos of this host while the controller cannot be asked.

It replaces the missing answer of the table and nothing else: what the table last said about another
holder stays true, and the names must still be right.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from picoha.domain.codec import Undecodable, decode, encode
from picoha.host.core.ports import BreakGlass
from picoha.host.system.files import write_whole

RISK = (
    "Nothing keeps the controller, or a host that it can reach, from running this slot at the same time. "
    "Two active Platforms on one system database can destroy it, and two ECs of one name process the same "
    "input twice. Do this only if you know that no other host runs this slot and none will be started: "
    "pause the cell, or scale the slot's group to this one host."
)


class BreakGlassFile:
    """The order of a human, in a file beside the agent's own state."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "break-glass.json"

    def read(self) -> BreakGlass | None:
        """Return what is in force; a file that is damaged is none."""
        try:
            return decode(BreakGlass, json.loads(self._path.read_bytes()))
        except (OSError, ValueError, Undecodable):
            return None

    def write(self, order: BreakGlass) -> None:
        """Put an order in force; raises OSError."""
        write_whole(self._path, json.dumps(encode(order)).encode(), 0o600)

    def end(self) -> None:
        """End it; one that does not exist has ended."""
        with suppress(FileNotFoundError):
            self._path.unlink()
