"""`picoha-agent check` and `names`: what is wrong on this host, in sentences that say what to do.

Nothing here changes anything, and every question is bounded.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from picoha.domain.health import Health
from picoha.domain.hostnames import Addresses, HostnameProblem, expected, kind_of, property_names
from picoha.domain.model import Pico, PicoType
from picoha.domain.record import Assignment, SlotRecord
from picoha.host.command.assembly import HostHere
from picoha.host.core.names import BEGIN, END
from picoha.host.core.ports import CloudUnreachable, NotUnderstood, Unreadable
from picoha.host.core.probe import ask
from picoha.host.system.network import SystemResolver
from picoha.host.system.product import CONTAINER, PLATFORM

OK, WARN, BAD = "ok", "warn", "BAD"
_STARTERS = (
    *("/etc/systemd/system", "/usr/lib/systemd/system", "/etc/rc.local", "/etc/rc.d", "/etc/init.d"),
    *("/etc/crontab", "/etc/cron.d", "/etc/cron.daily", "/etc/cron.hourly", "/var/spool/cron"),
)
_STARTS_PICOS = r"^[^#]*(mzsh.*(startup|restart)|/ha/online)"
_GREP_LIMIT_S = 10.0


@dataclass(frozen=True)
class HostFinding:
    """One thing that was looked at, and what it came to."""

    level: str
    text: str

    def __str__(self) -> str:
        return f"{self.level:<5}{self.text}"


@dataclass(frozen=True)
class NameRow:
    """One property on this host."""

    property: str
    name: str
    expected: str
    found: str
    by: str


def assignment_of(host: HostHere) -> Assignment | None:
    """Return this host's assignment: from the table, or as last read here."""
    answer = host.cloud.read_slot()
    if isinstance(answer, SlotRecord):
        return answer.assignment
    kept = host.kept()
    return kept.record.assignment if kept and kept.record else None


def names_here(host: HostHere, assignment: Assignment) -> list[NameRow]:
    """Return what each property is, should be and resolves to; raises HostnameProblem, OSError."""
    text = Path(host.config.hosts_file).read_text(errors="replace")
    own = host.product.properties() if host.product else {}
    assigned = property_names(assignment)
    kind, addresses = kind_of(assignment), Addresses(host.me.private_ip, assignment.platform_address)
    rows = []
    for prop, tag in assigned.items():
        name = tag if isinstance(own, Unreadable) or not host.product else own.get(prop, "")
        found = SystemResolver().resolve(name) or "nothing" if name else "not set"
        wanted = expected(prop, kind, host.config.deployment, addresses)
        rows.append(NameRow(prop, name or "not set", wanted, found, source_of(text, name, found)))
    return rows


def source_of(text: str, name: str, found: str) -> str:
    """Return who answers for a name here: our block, another line of the hosts file, or the name service."""
    is_ours = False
    for number, line in enumerate(text.splitlines(), 1):
        is_ours = line == BEGIN or (is_ours and line != END)
        fields = line.partition("#")[0].split()
        if fields[:1] == [found] and name.lower() in (field.lower() for field in fields[1:]):
            return "picoha's block" if is_ours else f"line {number} of the hosts file"
    return "the name service" if found[:1].isdigit() else "nobody"


def examine(host: HostHere) -> Iterator[HostFinding]:
    """Yield every finding; raises MetadataUnavailable or ConfigInvalid where nothing can be told."""
    me, site = host.me, host.site
    yield HostFinding(OK, f"{me.instance}: cell {me.cell}, slot {me.slot}, {me.private_ip}, {me.zone}")
    yield from _programs(host)
    answer = host.cloud.read_slot()
    if isinstance(answer, CloudUnreachable | NotUnderstood):
        yield HostFinding(BAD, f"the table: {answer.reason}")
    else:
        yield HostFinding(OK, "the table answers")
    assignment = assignment_of(host)
    values = _values(host)
    yield from _mz_platform(host, values)
    yield from _starters(host)
    if glass := host.glass.read():
        yield HostFinding(WARN, str(glass))
    if assignment is None:
        yield HostFinding(WARN, "the controller has not told this host yet what the slot is")
        return
    yield from _container(assignment, values)
    yield from _names(host, assignment)
    yield from _picos(host, assignment, values)
    for test, is_up in host.checks.run(assignment.tests).items():
        yield HostFinding(OK if is_up else BAD, f"{test} {'answers' if is_up else 'does not answer'}")
    if not site.republish and any(pico.type is PicoType.PLATFORM for pico in assignment.picos):
        yield HostFinding(
            WARN, "republish_command is not set: services of SCs stay stale after a Platform start"
        )


def _programs(host: HostHere) -> Iterator[HostFinding]:
    site = host.site
    for path in (Path(site.java_home, "bin/java"), *(site.ha_dir / script for script in _SCRIPTS)):
        code, _ = host.asker.ask(("test", "-x", str(path)), 2.0, site.owner)
        if code != 0:
            why = "cannot be looked at in time" if code is None else f"is not there for {site.user} to run"
            yield HostFinding(BAD, f"{path} {why}")


_SCRIPTS = ("monitor", "online", "offline", "clean")


def _values(host: HostHere) -> Mapping[str, str] | Unreadable:
    if host.product is None:
        return Unreadable("property_command is not set, so only the names of the tags can be checked")
    return host.product.values()


def _mz_platform(host: HostHere, values: Mapping[str, str] | Unreadable) -> Iterator[HostFinding]:
    if isinstance(values, Unreadable):
        yield HostFinding(WARN if host.product is None else BAD, f"the product's own values: {values.reason}")
        values = {}
    for source, url in (("agent.toml", host.config.mz_platform), ("the product", values.get(PLATFORM, ""))):
        name = urlsplit(url).hostname or ""
        if _is_literal(name):
            yield HostFinding(
                WARN, f"MZ_PLATFORM of {source} holds the address {name}: no failover can move it"
            )


def _is_literal(name: str) -> bool:
    try:
        return not ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _starters(host: HostHere) -> Iterator[HostFinding]:
    code, text = host.asker.ask(("grep", "-rlsE", _STARTS_PICOS, *_STARTERS), _GREP_LIMIT_S)
    if code is None:
        yield HostFinding(WARN, "who else starts picos here could not be found out in time")
    for path in text.split():
        yield HostFinding(BAD, f"{path} starts picos too: only the agent may, or two can be active")


def _container(assignment: Assignment, values: Mapping[str, str] | Unreadable) -> Iterator[HostFinding]:
    name = values.get(CONTAINER) if isinstance(values, Mapping) else None
    if name is not None and name != assignment.container:
        yield HostFinding(BAD, f"{CONTAINER} is {name} on this host, the slot's is {assignment.container}")


def _names(host: HostHere, assignment: Assignment) -> Iterator[HostFinding]:
    try:
        for row in names_here(host, assignment):
            text = f"{row.property}: {row.name} is {row.found} by {row.by}, must be {row.expected}"
            yield HostFinding(OK if row.found == row.expected else BAD, text)
    except (HostnameProblem, OSError) as problem:
        yield HostFinding(BAD, str(problem))


def _picos(
    host: HostHere, assignment: Assignment, values: Mapping[str, str] | Unreadable
) -> Iterator[HostFinding]:
    readings = ask(host.scripts, assignment.picos, host.settings().profile)
    for pico in assignment.picos:
        reading = readings[pico.name]
        level = {Health.UNKNOWN: BAD, Health.FAILED: WARN}.get(reading.health, OK)
        yield HostFinding(level, f"{pico.name}: {reading.health} ({reading.reason})")
        if isinstance(values, Mapping):
            yield from _monitor_server(pico, values)


def _monitor_server(pico: Pico, values: Mapping[str, str]) -> Iterator[HostFinding]:
    prefix = f"{pico.name}.mz.ha."
    own = {key.removeprefix(prefix): one for key, one in values.items() if key.startswith(prefix)}
    if own.get("enabled", "true").lower() != "true":
        yield HostFinding(BAD, f"{pico.name}: mz.ha.enabled is {own['enabled']}: nothing answers the monitor")
    if own.get("port", str(pico.port)) != str(pico.port):
        yield HostFinding(
            BAD, f"{pico.name}: mz.ha.port is {own['port'] or 'empty'}, the tag says {pico.port}"
        )
    for key, value in own.items():
        if key.startswith(("min_", "max_")) and value not in ("", "-1"):
            yield HostFinding(WARN, f"{pico.name}: mz.ha.{key} = {value}: an idle pico would count as failed")
