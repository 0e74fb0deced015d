"""The vendor's scripts as real processes: in groups of their own, bounded, never trusted to end.

Nothing that `monitor` prints is read (domain.md R12), and it is never asked for another host: the
monitor server binds to 127.0.0.1, so only this host can get an answer (domain.md 2.1, R8).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from picoha.domain.model import Pico
from picoha.host.core.ports import AgentClock, Job, JobResult, ScriptVerb
from picoha.host.system.launcher import GroupLauncher, Launcher
from picoha.host.system.processes import NOTHING, SHOWN_BYTES, Owner, Process, kill, open_group, wait

NOT_BEGUN = 126
"""What a shell answers for a command that cannot be executed; judged unknown (domain.md R5)."""

_RUN_ALL = 'for one in "$0"/*; do [ -f "$one" ] && [ -x "$one" ] || continue; "$one" || exit $?; done'
_HOOKS = (ScriptVerb.PRE_START, ScriptVerb.POST_START)
_STOPS = (ScriptVerb.OFFLINE, ScriptVerb.CLEAN)


@dataclass(frozen=True)
class Site:
    """Where this host keeps the product and its scripts; `user` owns MZ_HOME.

    `mz_platform` is the product's MZ_PLATFORM for starts, "" = the owner's own. `owner` says how
    scripts become `user`'s where systemd does not do it.
    """

    ha_dir: Path
    java_home: str
    mz_home: str
    user: str
    log_dir: Path
    hooks_dir: Path = Path("/etc/picoha")
    republish: tuple[str, ...] = ()
    launcher: Launcher = field(default_factory=GroupLauncher)
    owner: Owner = field(default_factory=Owner)
    mz_platform: str = ""
    monitor_host: str = ""
    monitor_timeout_s: float = 8

    def argv(self, verb: ScriptVerb, pico: Pico | None) -> tuple[str, ...]:
        """Return the command of a verb, or () where this host has none."""
        if verb in _HOOKS:
            folder = self.hooks_dir / f"{verb}.d"
            return ("/bin/sh", "-c", _RUN_ALL, str(folder)) if folder.is_dir() else ()
        if verb is ScriptVerb.REPUBLISH:
            return self.republish
        if pico is None:
            return ()
        return (str(self.ha_dir / verb), self.java_home, self.mz_home, self.user, pico.name)

    def monitor_argv(self, pico: Pico) -> tuple[str, ...]:
        """Return the vendor's argument list; without a host it means this one (domain.md 2.2)."""
        host = (self.monitor_host,) if self.monitor_host else ()
        return (str(self.ha_dir / "monitor"), self.java_home, self.mz_home, self.user, str(pico.port), *host)

    def environment(self, verb: ScriptVerb) -> dict[str, str]:
        """Return what a script is told about the product.

        What stops a pico asks `localhost`, because an address that nobody answers holds mzsh for
        minutes; what starts one needs the real Platform, or the pico comes up degraded (domain.md
        2.5, 6.5-2, 6.5-3).
        """
        told = {"JAVA_HOME": self.java_home, "MZ_HOME": self.mz_home}
        if verb in _STOPS:
            real = urlsplit(self.mz_platform)
            told["MZ_PLATFORM"] = f"{real.scheme or 'http'}://localhost:{real.port or 9000}"
        elif self.mz_platform:
            told["MZ_PLATFORM"] = self.mz_platform
        return told


class ScriptJob:
    """One script under way. It ends when its own process ends, whoever still holds its output."""

    def __init__(self, process: Process, log: Path | None, stop_command: Sequence[str]) -> None:
        self._process = process
        self._log = log
        self._stop_command = stop_command

    def poll(self) -> JobResult | None:
        """Return the exit code with the first and last part of the output, or None."""
        code = self._process.poll()
        return None if code is None else JobResult(code, _shown(self._log))

    def stop(self) -> None:
        """Kill the script and what it started. Picos that were running before it are not touched."""
        if self._stop_command:
            wait(open_group(self._stop_command, NOTHING, {}), 5.0)
        kill(self._process)


@dataclass(frozen=True)
class _NotBegun:
    """A script that could not even be begun."""

    result: JobResult

    def poll(self) -> JobResult:
        return self.result

    def stop(self) -> None:
        """There is nothing to stop."""


class SystemScripts:
    """The `Scripts` port on real processes."""

    def __init__(self, site: Site, clock: AgentClock) -> None:
        self._site = site
        self._clock = clock
        self._held: dict[str, Process] = {}

    def monitor_all(self, picos: Sequence[Pico]) -> dict[str, int | None]:
        """Ask all picos at once; who has not answered when the time is up is killed.

        The whole group dies in any case: a script that left a child behind would leave one more
        every cycle. One that the kernel holds is silent, and not asked again meanwhile (F42).
        """
        self._held = {name: one for name, one in self._held.items() if one.poll() is None}
        codes: dict[str, int | None] = {name: None for name in self._held}
        asked: dict[str, Process] = {}
        deadline = self._clock.monotonic() + self._site.monitor_timeout_s
        try:
            for pico in picos:
                if pico.name not in self._held:
                    codes[pico.name] = self._ask(pico, asked)
            for name, process in asked.items():
                codes[name] = wait(process, deadline - self._clock.monotonic())
        finally:
            deadline = self._clock.monotonic() + 1.0
            for name, process in asked.items():
                if not kill(process, deadline - self._clock.monotonic()):
                    self._held[name] = process
        return codes

    def _ask(self, pico: Pico, asked: dict[str, Process]) -> int | None:
        site = self._site
        try:
            asked[pico.name] = open_group(site.monitor_argv(pico), NOTHING, {}, site.owner)
        except OSError:
            return NOT_BEGUN
        return None

    def begin(self, verb: ScriptVerb, pico: Pico | None, script_environment: Mapping[str, str]) -> Job | None:
        """Start the script of a verb; its output goes to a file of its own in the log folder."""
        argv = self._site.argv(verb, pico)
        if not argv:
            return None
        log = self._site.log_dir / (f"{verb}-{pico.name}.log" if pico else f"{verb}.log")
        try:
            with log.open("wb") as output:
                return self._launch(verb, argv, output.fileno(), script_environment, log)
        except OSError as problem:
            if problem.filename == str(log) and verb in _STOPS:
                # A full disk must not keep a lost slot running; nobody reads what a stop says.
                return self._launch(verb, argv, NOTHING, script_environment, None)
            return _NotBegun(JobResult(NOT_BEGUN, str(problem)))

    def _launch(
        self,
        verb: ScriptVerb,
        argv: Sequence[str],
        output: int,
        script_environment: Mapping[str, str],
        log: Path | None,
    ) -> ScriptJob:
        # A hook mounts and prepares what the owner may not: it runs as the agent's own user.
        site, is_hook = self._site, verb in _HOOKS
        told = {**site.environment(verb), **script_environment}
        unit = f"picoha-{verb}-{secrets.token_hex(4)}"
        command = site.launcher.command(unit, argv, told, "" if is_hook else site.user)
        owner = Owner() if is_hook or command != list(argv) else site.owner
        return ScriptJob(open_group(command, output, told, owner), log, site.launcher.stop_command(unit))


def _shown(log: Path | None) -> str:
    """Return the output, of a long one its beginning and its end; "" where it cannot be read."""
    if log is None:
        return ""
    try:
        with log.open("rb") as output:
            head = output.read(SHOWN_BYTES)
            output.seek(max(output.tell(), log.stat().st_size - SHOWN_BYTES))
            return (head + output.read()).decode(errors="replace")
    except OSError:
        return ""
