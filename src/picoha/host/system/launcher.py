"""Where scripts run: in a systemd scope of their own, or in a process group of their own.

What a script leaves behind are picos, and they must outlive the agent. A scope that the agent opened
itself would inherit the agent's hardening (systemd-run(1): a scope inherits its caller's execution
environment). So a transient service, which systemd starts afresh, opens the scope.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

SLICE = "picoha-picos.slice"
_BOOTED = Path("/run/systemd/system")  # sd_booted(3)
# The shell stays in the service's control group while systemd-run moves itself into the scope.
_STAY = ("/bin/sh", "-c", '"$0" "$@"; exit $?')


class Launcher(Protocol):
    """How the command of a script becomes the command that is run, and how it is stopped."""

    def command(
        self, unit: str, argv: Sequence[str], script_environment: Mapping[str, str], user: str
    ) -> list[str]:
        """Return the command to run; `user` "" = root."""
        ...

    def stop_command(self, unit: str) -> list[str]:
        """Return the command that kills what runs under this unit, or nothing to run."""
        ...


class GroupLauncher:
    """Without systemd: the session that every script leads is all there is."""

    def command(
        self, unit: str, argv: Sequence[str], script_environment: Mapping[str, str], user: str
    ) -> list[str]:
        """Return the command as it is; its user is set when it is started."""
        return list(argv)

    def stop_command(self, unit: str) -> list[str]:
        """Return nothing: killing the group is enough."""
        return []


class ScopeLauncher:
    """With systemd: a scope in `picoha-picos.slice`, outside the agent's control group."""

    def command(
        self, unit: str, argv: Sequence[str], script_environment: Mapping[str, str], user: str
    ) -> list[str]:
        """Return the command that opens the scope as root and runs the script in it as `user`."""
        told = [f"--setenv={name}={value}" for name, value in script_environment.items()]
        outer = ["systemd-run", "--quiet", "--collect", "--wait", "--pipe", f"--unit={unit}", *told]
        scope = ["systemd-run", "--quiet", "--collect", "--scope", f"--unit={unit}", f"--slice={SLICE}"]
        return [*outer, "--", *_STAY, *scope, *([f"--uid={user}"] if user else []), "--", *argv]

    def stop_command(self, unit: str) -> list[str]:
        """Return the command that kills both the service and all that is left in the scope."""
        return ["systemctl", "kill", "--signal=KILL", f"{unit}.service", f"{unit}.scope"]


def launcher_here() -> Launcher:
    """Return the launcher for this host: scopes where systemd is running and we may ask it."""
    has_systemd = _BOOTED.is_dir() and shutil.which("systemd-run") is not None
    return ScopeLauncher() if has_systemd and os.geteuid() == 0 else GroupLauncher()
