"""What only this host can tell: the product's own values, its container, and what it can reach."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from picoha.domain.hostnames import Property
from picoha.host.core.ports import Unreadable
from picoha.host.system.network import TcpReach
from picoha.host.system.processes import Asker, Owner

MOUNT_LIMIT_S = TCP_LIMIT_S = 2.0
CONTAINER = "MZ_CONTAINER"
PLATFORM = "MZ_PLATFORM"
_LINE = re.compile(r"""\s*([\w.\-/]+)\s*[=:]\s*["']?([^"'\s]*)["']?\s*""")


class Product:
    """Reads the product's own values by the configured command, as `key = value` lines.

    The two host name properties are needed; MZ_CONTAINER, MZ_PLATFORM and `<pico>.mz.ha.*` help
    `check` to say more.
    """

    def __init__(self, asker: Asker, command: Sequence[str], limit_s: float, owner: Owner) -> None:
        self._asker, self._command, self._limit_s, self._owner = asker, command, limit_s, owner

    def values(self) -> Mapping[str, str] | Unreadable:
        """Return every value that the command prints, or why there is none (H26)."""
        try:
            code, text = self._asker.ask(self._command, self._limit_s, self._owner)
        except OSError as problem:
            return Unreadable(str(problem))
        if code is None:
            return Unreadable(f"{self._command[0]} did not end within {self._limit_s:g} s")
        if code != 0:
            return Unreadable(f"{self._command[0]} ended with exit code {code}: {text.strip()[:200]}")
        return {match[1]: match[2] for line in text.splitlines() if (match := _LINE.fullmatch(line))}

    def properties(self) -> Mapping[str, str] | Unreadable:
        """Return the values of the two host name properties; one that is not set is absent."""
        found = self.values()
        if isinstance(found, Unreadable):
            return found
        return {prop.value: found[prop.value] for prop in Property if prop.value in found}


class HostChecks:
    """The `Checks` port of a real host."""

    def __init__(self, asker: Asker, product: Product | None, mounts: Path = Path("/proc/self/mountinfo")):
        self._asker, self._product, self._mounts = asker, product, mounts
        self._reach = TcpReach()

    def container(self) -> str | None:
        """Return MZ_CONTAINER where the property command prints it."""
        found = self._product.values() if self._product else None
        return found.get(CONTAINER) if isinstance(found, Mapping) else None

    def run(self, tests: Sequence[str]) -> Mapping[str, bool]:
        """Return whether each `tcp:host:port` and `mount:/path` answers; another scheme never does."""
        return {test: self._passes(*test.split(":", 1)) for test in tests}

    def _passes(self, scheme: str, target: str = "") -> bool:
        if scheme == "mount":
            return self.mounted(target)
        host, _, port = target.rpartition(":")
        return scheme == "tcp" and port.isdigit() and self._reach.connects(host, int(port), TCP_LIMIT_S)

    def mounted(self, path: str) -> bool:
        """Return True if something is mounted at `path` and its file system answers."""
        try:
            points = {line.split()[4] for line in self._mounts.read_text().splitlines()}
            code, _ = self._asker.ask(("stat", "--file-system", path), MOUNT_LIMIT_S)
        except OSError:
            return False
        return code == 0 and (path.rstrip("/") or "/").replace(" ", "\\040") in points
