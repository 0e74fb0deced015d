"""Real processes: in groups of their own, bounded, and never able to hold the agent.

A command on a dead NFS or EFS mount hangs in the kernel, where no signal reaches it (domain.md T11).
So nothing but `/bin/sh` is executed by the agent itself: the shell, in the child, executes the command.
"""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, TypeAlias

Process: TypeAlias = subprocess.Popen[bytes]
NOTHING = subprocess.DEVNULL
SHOWN_BYTES = 32 * 1024
_EXEC = ("/bin/sh", "-c", 'exec "$0" "$@"')


@dataclass(frozen=True)
class Owner:
    """Whom a command runs as; `uid` None = as the agent itself."""

    name: str = ""
    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def owner_of(name: str) -> Owner:
    """Return the owner with this user name; raises KeyError for nobody, PermissionError without root."""
    entry = pwd.getpwnam(name)
    if entry.pw_uid == os.geteuid():
        return Owner(name)
    if os.geteuid() != 0:
        raise PermissionError(f"only root can run commands as {name}")
    home = {"HOME": entry.pw_dir, "USER": name, "LOGNAME": name, "SHELL": entry.pw_shell}
    groups = tuple(os.getgrouplist(name, entry.pw_gid))
    return Owner(name, entry.pw_uid, entry.pw_gid, groups, home)


def open_group(
    argv: Sequence[str],
    output: int | IO[bytes],
    script_environment: Mapping[str, str],
    owner: Owner | None = None,
) -> Process:
    """Start a command as the leader of a new session; 127 and 126 say what could not be executed."""
    who = owner or Owner()
    return subprocess.Popen(
        (*_EXEC, *argv),
        stdin=NOTHING,
        stdout=output,
        stderr=subprocess.STDOUT,
        env={**os.environ, **who.environment, **script_environment},
        cwd="/",
        start_new_session=True,
        user=who.uid,
        group=who.gid,
        extra_groups=None if who.uid is None else who.groups,
    )


def wait(process: Process, seconds: float) -> int | None:
    """Return the exit code, or None when the time is up."""
    try:
        return process.wait(max(0.0, seconds))
    except subprocess.TimeoutExpired:
        return None


def kill(process: Process, wait_s: float = 1.0) -> bool:
    """Kill the group of a command; False where the kernel holds its leader (F42), to be reaped later."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    return wait(process, wait_s) is not None


class Asker:
    """Runs questions as child processes, each for a limited time, and never twice at once.

    A question whose last process still hangs in the kernel is not asked again: there would be one
    more of them every time.
    """

    def __init__(self) -> None:
        self._held: dict[tuple[str, ...], Process] = {}

    def ask(self, argv: Sequence[str], limit_s: float, owner: Owner | None = None) -> tuple[int | None, str]:
        """Return the exit code (None = killed when the time was up) and the beginning of the output."""
        held = self._held.pop(tuple(argv), None)
        if held is not None and held.poll() is None:
            self._held[tuple(argv)] = held
            return None, ""
        with tempfile.TemporaryFile() as output:
            process = open_group(argv, output, {}, owner)
            code = wait(process, limit_s)
            if not kill(process):
                self._held[tuple(argv)] = process
            output.seek(0)
            return code, output.read(SHOWN_BYTES).decode(errors="replace")
