"""What a human asks of the agent on its own host; each command returns its exit code."""

from __future__ import annotations

import getpass
import json
import os
import sys
from dataclasses import astuple
from datetime import datetime
from pathlib import Path
from typing import Any

from picoha.clock import SystemClock
from picoha.domain.codec import encode
from picoha.domain.hostnames import HostnameProblem
from picoha.domain.model import AgentPhase
from picoha.host.command.assembly import HostHere
from picoha.host.command.examine import BAD, assignment_of, examine, names_here
from picoha.host.command.install import SERVICE, install, systemctl, uninstall
from picoha.host.core.agent import Agent
from picoha.host.core.ports import BreakGlass, SavedState
from picoha.host.system.breakglass import RISK
from picoha.host.system.config import DEFAULT_PATH
from picoha.host.system.files import write_whole
from picoha.host.system.loop import LEAVING, is_shutting_down, notify, run, stop_signal
from picoha.host.system.metadata import MetadataUnavailable
from picoha.host.system.processes import Asker

FINE, REFUSED, NO_ANSWER = 0, 1, 3
_PATIENCE_S = 5.0


def run_agent(host: HostHere) -> int:
    """Run until a signal; picos go on whatever happens here."""
    stop, run_dir = stop_signal(), Path(host.config.run_dir)
    for folder in (host.config.state_dir, host.config.run_dir, host.config.log_dir):
        Path(folder).mkdir(parents=True, exist_ok=True)
    (run_dir / LEAVING).unlink(missing_ok=True)
    host.site  # noqa: B018 - an owner who cannot run scripts is refused before anything begins
    notify("READY=1")
    agent = None
    while agent is None and not stop.is_set():
        try:
            agent = Agent(host.me, host.ports(), host.settings())
        except MetadataUnavailable as problem:
            say(str(problem))
            notify(f"WATCHDOG=1\nSTATUS={problem}")
            stop.wait(_PATIENCE_S)
    if agent is not None:
        run(_ShownAgent(agent, run_dir).cycle, SystemClock(), host.config.interval_s, stop)
        if is_shutting_down(run_dir, host.asker):
            agent.leave()
    if stop.is_set():
        return FINE
    say("this process has grown too large and begins anew; picos go on")
    return REFUSED


class _ShownAgent:
    """An agent whose last report can be read on its own host; what changed is said in the journal."""

    def __init__(self, agent: Agent, run_dir: Path) -> None:
        self._agent, self._path = agent, run_dir / "report.json"
        self._said: tuple[str, str] | None = None

    def cycle(self) -> None:
        report = self._agent.cycle()
        if self._said != (report.phase, report.problem):
            self._said = report.phase, report.problem
            say(f"{report.phase}, epoch {report.epoch}{': ' if report.problem else ''}{report.problem}")
            notify(f"STATUS={report.phase} {report.problem}")
        try:
            write_whole(self._path, json.dumps(encode(report)).encode(), 0o644, must_last=False)
        except OSError as problem:
            say(f"{self._path}: {problem}")


def show_status(host: HostHere, as_json: bool) -> int:
    """Print the agent's last report; 1 where the picos are not running well, 3 where there is none."""
    try:
        plain = json.loads((Path(host.config.run_dir) / "report.json").read_bytes())
    except (OSError, ValueError) as problem:
        say(f"the agent has reported nothing here: {problem}")
        return NO_ANSWER
    print(json.dumps(plain, indent=2) if as_json else _status_text(plain))
    up = (AgentPhase.RUNNING, AgentPhase.OPEN)
    is_well = all(pico["health"] in ("healthy", "online") for pico in plain["picos"].values())
    return FINE if plain["phase"] in up and is_well else REFUSED


def _status_text(plain: dict[str, Any]) -> str:
    age = (SystemClock().now() - datetime.fromisoformat(plain["at"])).total_seconds()
    who = f"{plain['slot']} on {plain['instance']}"
    lines = [f"{who}: {plain['phase']}, epoch {plain['epoch']}, {age:.0f} s ago"]
    lines += [f"  {name}: {one['health']} ({one['reason']})" for name, one in plain["picos"].items()]
    return "\n".join([*lines, *([f"  {plain['problem']}"] if plain["problem"] else [])])


def show_names(host: HostHere) -> int:
    """Print property, name, expected, found and by whom; 1 where one is wrong."""
    assignment = assignment_of(host)
    if assignment is None:
        say("the controller has not told this host yet what the slot is")
        return NO_ANSWER
    try:
        rows = names_here(host, assignment)
    except (HostnameProblem, OSError) as problem:
        say(str(problem))
        return REFUSED
    table = [("property", "name", "expected", "found", "by whom"), *map(astuple, rows)]
    widths = [max(len(row[n]) for row in table) for n in range(5)]
    for row in table:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    return FINE if all(row.found == row.expected for row in rows) else REFUSED


def check(host: HostHere) -> int:
    """Print every finding; 1 where one is bad."""
    findings = []
    for finding in examine(host):
        print(finding)
        findings.append(finding.level)
    return REFUSED if BAD in findings else FINE


def break_glass(host: HostHere, reason: str) -> int:
    """Order a start without the controller, and say what that risks."""
    kept = host.kept()
    if refusal := _refusal(host, kept):
        say(f"refused: {refusal}")
        return REFUSED
    by = os.environ.get("SUDO_USER") or getpass.getuser()
    host.glass.write(BreakGlass(by, reason, SystemClock().now()))
    print(RISK)
    print("Ordered. The agent starts the picos in its next cycle if the names are right: picoha-agent status")
    print("Until `picoha-agent start --end` every report of this host says so.")
    return FINE


def _refusal(host: HostHere, kept: SavedState | None) -> str:
    record = kept.record if kept else None
    if record is None or record.assignment is None:
        return "the controller never told this host what the slot is, so there is nothing to start"
    if record.holder not in (None, host.me.instance):
        return (
            f"the table last said that {record.holder} holds {record.slot} at epoch {record.epoch}; "
            f"`picoha adopt {record.slot} {host.me.instance} --reason ...` changes that"
        )
    return ""


def end_break_glass(host: HostHere) -> int:
    """End it; from then on the record alone says what this host may do."""
    host.glass.end()
    print("Ended. If the slot is not this host's by the record, the agent stops its picos now.")
    return FINE


def leave(host: HostHere) -> int:
    """Note that this host goes down: the agent says `leaving` when it is stopped next."""
    write_whole(Path(host.config.run_dir) / LEAVING, b"", 0o644)
    return FINE


def install_here(root: Path, is_enabled: bool, config: Path = DEFAULT_PATH) -> int:
    """Install; under another root nothing is told to systemd."""
    print("\n".join(install(root, config)))
    enable = (("enable", "--now", SERVICE),) if is_enabled else ()
    return _tell_systemd(root, ("daemon-reload",), *enable)


def uninstall_here(root: Path) -> int:
    """Stop the agent and remove its units; every pico goes on."""
    failed = _tell_systemd(root, ("disable", "--now", SERVICE))
    print("\n".join(uninstall(root)) or "nothing was installed")
    return _tell_systemd(root, ("daemon-reload",)) or failed


def _tell_systemd(root: Path, *commands: tuple[str, ...]) -> int:
    if root != Path("/") or not Path("/run/systemd/system").is_dir():
        return FINE
    failed = systemctl(Asker(), *commands)
    for line in failed:
        say(line)
    return REFUSED if failed else FINE


def say(text: str) -> None:
    """Say one line on standard error, which is the journal where systemd runs the agent."""
    print(text, file=sys.stderr, flush=True)
