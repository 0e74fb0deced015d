"""The files of this host: the hosts file and the agent's own state, replaced whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from picoha.domain.codec import Undecodable, decode, encode
from picoha.host.core.ports import SavedState

_PUBLIC, _PRIVATE = 0o644, 0o600


class SystemHostsFile:
    """The `HostsFile` port on a real file; bytes that are no UTF-8 survive unchanged."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> str:
        """Return the whole text; a file that does not exist is empty. Raises OSError."""
        try:
            return self._path.read_bytes().decode(errors="surrogateescape")
        except FileNotFoundError:
            return ""

    def replace(self, text: str) -> None:
        """Replace the file with mode and owner kept; raises OSError and then leaves it as it was."""
        write_whole(self._path.resolve(), text.encode(errors="surrogateescape"), _PUBLIC)


class JsonDisk:
    """The `Disk` port on one JSON file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> SavedState | None:
        """Return what was saved; None for a file that is absent, unreadable or damaged."""
        try:
            return decode(SavedState, json.loads(self._path.read_bytes()))
        except (OSError, ValueError, Undecodable):
            return None

    def save(self, kept: SavedState) -> None:
        """Replace the file durably; raises OSError."""
        write_whole(self._path, json.dumps(encode(kept)).encode(), _PRIVATE)


def write_whole(path: Path, content: bytes, mode: int, must_last: bool = True) -> None:
    """Write beside `path`, flush to the disk, then rename; `mode` is for a file that is new.

    What need not last over a crash of the host is not flushed: readers see it whole all the same.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "wb") as beside:
            beside.write(content)
            beside.flush()
            _dress(handle, path, mode)
            if must_last:
                os.fsync(handle)
        os.replace(name, path)
    except OSError:
        with suppress(OSError):
            os.unlink(name)
        raise
    if not must_last:
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _dress(handle: int, path: Path, mode: int) -> None:
    try:
        old = path.stat()
    except FileNotFoundError:
        os.fchmod(handle, mode)
        return
    os.fchmod(handle, old.st_mode & 0o7777)
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(handle, old.st_uid, old.st_gid)
