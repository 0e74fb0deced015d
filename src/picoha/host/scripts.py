"""The vendor's scripts as real processes: in groups of their own, bounded, never trusted to end.

Nothing that `monitor` prints is read (domain.md R12), and it is never asked for another host: the
monitor server binds to 127.0.0.1, so only this host can get an answer (domain.md 2.1, R8).
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from picoha.domain.model import Pico
from picoha.host.ports import Clock, Job, JobResult, Verb

NOT_EXECUTABLE, NOT_FOUND = 126, 127
"""What a shell answers for such a command; both are judged unknown (domain.md R5)."""

SHOWN_BYTES = 32 * 1024
_RUN_ALL = 'for one in "$0"/*; do [ -f "$one" ] && [ -x "$one" ] || continue; "$one" || exit $?; done'


@dataclass(frozen=True)
class Site:
    """Where this host keeps the product and its scripts; `user` owns MZ_HOME.

    `launcher` stands before every script that may leave a pico behind (such as `systemd-run
    --scope`), so that no pico lives in the agent's control group.
    """

    ha_dir: Path
    java_home: str
    mz_home: str
    user: str
    log_dir: Path
    hooks_dir: Path = Path("/etc/picoha")
    republish: tuple[str, ...] = ()
    launcher: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    monitor_timeout_s: float = 8

    def argv(self, verb: Verb, pico: Pico | None) -> tuple[str, ...]:
        """Return the command of a verb, or () where this host has none."""
        if verb in (Verb.PRE_START, Verb.POST_START):
            folder = self.hooks_dir / f"{verb}.d"
            return ("/bin/sh", "-c", _RUN_ALL, str(folder)) if folder.is_dir() else ()
        if verb is Verb.REPUBLISH:
            return self.republish and (*self.launcher, *self.republish)
        if pico is None:
            return ()
        script = str(self.ha_dir / verb)
        return (*self.launcher, script, self.java_home, self.mz_home, self.user, pico.name)

    def monitor_argv(self, pico: Pico) -> tuple[str, ...]:
        """Return the vendor's argument list without a host, which means this one (domain.md 2.2)."""
        return (str(self.ha_dir / "monitor"), self.java_home, self.mz_home, self.user, str(pico.port))


class ScriptJob:
    """One script under way. It ends when its own process ends, whoever still holds its output."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path | None) -> None:
        self._process = process
        self._log = log

    def poll(self) -> JobResult | None:
        """Return the exit code with the first and last part of the output, or None."""
        code = self._process.poll()
        return None if code is None else JobResult(code, _shown(self._log))

    def stop(self) -> None:
        """Kill the script's process group. Picos that were running before it are not in it."""
        _kill(self._process)


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

    def __init__(self, site: Site, clock: Clock) -> None:
        self._site = site
        self._clock = clock

    def monitor_all(self, picos: Sequence[Pico]) -> dict[str, int | None]:
        """Ask all picos at once; who has not answered when the time is up is killed.

        The whole group dies in any case: a script that left a child behind would leave one more
        every cycle.
        """
        codes: dict[str, int | None] = {}
        asked: dict[str, subprocess.Popen[bytes]] = {}
        deadline = self._clock.monotonic() + self._site.monitor_timeout_s
        try:
            for pico in picos:
                try:
                    asked[pico.name] = self._open(self._site.monitor_argv(pico), subprocess.DEVNULL, {})
                except OSError as problem:
                    codes[pico.name] = _code_of(problem)
            for name, process in asked.items():
                codes[name] = _wait(process, deadline - self._clock.monotonic())
        finally:
            for process in asked.values():
                _kill(process)
        return codes

    def begin(self, verb: Verb, pico: Pico | None, setting: Mapping[str, str]) -> Job | None:
        """Start the script of a verb; its output goes to a file of its own in the log folder."""
        argv = self._site.argv(verb, pico)
        if not argv:
            return None
        log = self._site.log_dir / (f"{verb}-{pico.name}.log" if pico else f"{verb}.log")
        try:
            with log.open("wb") as output:
                return ScriptJob(self._open(argv, output, setting), log)
        except OSError as problem:
            if problem.filename == str(log) and verb in (Verb.OFFLINE, Verb.CLEAN):
                # A full disk must not keep a lost slot running; nobody reads what a stop says.
                return ScriptJob(self._open(argv, subprocess.DEVNULL, setting), None)
            return _NotBegun(JobResult(_code_of(problem), str(problem)))

    def _open(
        self, argv: Sequence[str], output: int | IO[bytes], setting: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **self._site.environment, **setting},
            cwd="/",
            start_new_session=True,
        )


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    try:
        return process.wait(max(0.0, seconds))
    except subprocess.TimeoutExpired:
        return None


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    # One that hangs in the kernel, on a dead NFS mount, is left to be reaped later (F42).
    _wait(process, 1.0)


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


def _code_of(problem: OSError) -> int:
    return NOT_FOUND if isinstance(problem, FileNotFoundError) else NOT_EXECUTABLE
