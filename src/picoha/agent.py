"""The command `picoha-agent`. Exit codes: 0 fine, 1 wrong or refused, 2 usage or settings, 3 no answer."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from picoha.host.command import commands
from picoha.host.command.assembly import HostHere, installed_version
from picoha.host.core.ports import Cloud
from picoha.host.system.config import DEFAULT_PATH, ConfigInvalid, read_config
from picoha.host.system.metadata import MetadataUnavailable

USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    if asked.command == "start" and not asked.end and not (asked.without_controller and asked.reason):
        parser.error("start needs --without-controller and --reason TEXT, or --end")
    try:
        return _run(asked)
    except ConfigInvalid as problem:
        commands.say(str(problem))
        return USAGE
    except (MetadataUnavailable, OSError) as problem:
        commands.say(str(problem))
        return commands.NO_ANSWER


def _run(asked: argparse.Namespace) -> int:
    if asked.command == "install":
        return commands.install_here(asked.root, asked.enable, asked.config)
    if asked.command == "uninstall":
        return commands.uninstall_here(asked.root)
    host = HostHere(read_config(asked.config), _connect)
    if asked.command == "start":
        return commands.end_break_glass(host) if asked.end else commands.break_glass(host, asked.reason)
    if asked.command == "status":
        return commands.show_status(host, asked.json)
    plain = {
        "run": commands.run_agent,
        "check": commands.check,
        "names": commands.show_names,
        "leave": commands.leave,
    }
    return plain[asked.command](host)


def _connect(cell: str, slot: str, region: str) -> Cloud:
    # Loading boto3 takes longer than most commands here do altogether.
    from picoha.adapters.aws.host_side import cloud_of

    return cloud_of(cell, slot, region)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("picoha-agent", description="The agent of one MediationZone host.")
    parser.add_argument("--version", action="version", version=installed_version() or "uninstalled")
    parser.add_argument("--config", type=Path, default=DEFAULT_PATH, help="default: %(default)s")
    add = parser.add_subparsers(dest="command", required=True, metavar="COMMAND").add_parser
    add("run", help="run in the foreground; what the unit does")
    puts = add("install", help="write the units and a commented agent.toml")
    puts.add_argument("--enable", action="store_true", help="enable and start the agent")
    takes = add("uninstall", help="stop the agent and remove the units; picos go on")
    for one in (puts, takes):
        one.add_argument("--root", type=Path, default=Path("/"), help="work under this directory")
    add("check", help="say what is wrong on this host")
    add("names", help="print property, name, expected, found, by whom")
    add("status", help="print the last report").add_argument("--json", action="store_true")
    start = add("start", help="break-glass: start the picos without the controller")
    start.add_argument("--without-controller", action="store_true", help="yes, without it")
    start.add_argument("--reason", metavar="TEXT", help="why; shown in every report")
    start.add_argument("--end", action="store_true", help="end the break-glass")
    add("leave", help="note that this host is shut down in good order (without systemd)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
