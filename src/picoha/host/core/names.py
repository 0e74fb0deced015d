"""The managed block in the hosts file, and the proof that the names resolve as demanded.

Names are written first and then judged by what the system resolver answers for the product's own
property values, because only that is what a pico will see (domain.md H13 to H26).
"""

from __future__ import annotations

from collections.abc import Mapping

from picoha.domain.hostnames import (
    Addresses,
    Deployment,
    HostnameProblem,
    Property,
    judge,
    kind_of,
    name_problem,
    property_names,
    static_problem,
)
from picoha.domain.model import NamesReading
from picoha.domain.record import Assignment
from picoha.host.core.ports import HostsFile, Properties, Resolver, Unreadable

BEGIN = "# picoha: begin, kept by picoha-agent, do not edit"
END = "# picoha: end"
REPLACED = "# picoha replaced: "
NOT_READ = "the tags' names were checked: no command reads the product's own values here"


def render(entries: Mapping[str, str]) -> list[str]:
    """Return the lines of the managed block for names to addresses."""
    return [BEGIN, *(f"{address}\t{name}" for name, address in entries.items()), END]


def merged(text: str, entries: Mapping[str, str]) -> str:
    """Return the hosts file with one effective line for each managed name (H20).

    The block stays where it was, or goes to the end. An older line that gives a managed name is
    commented out, or loses that name where it gives others too; no other line changes.
    """
    lines, place = _without_block(text.removesuffix("\n").split("\n") if text else [])
    kept = [_without_names(line, entries) for line in lines]
    at = len(kept) if place is None else place
    return "\n".join([*kept[:at], *render(entries), *kept[at:]]) + "\n"


def apply(file: HostsFile, entries: Mapping[str, str]) -> bool:
    """Bring the hosts file up to date; True if it was written. Raises OSError."""
    before = file.read()
    after = merged(before, entries)
    if after == before:
        return False
    file.replace(after)
    return True


def verify(
    assignment: Assignment,
    own: str,
    resolver: Resolver,
    properties: Properties | None,
    where: Deployment | str = Deployment.AWS,
) -> NamesReading:
    """Return whether both properties resolve here to what the documentation demands.

    Where no command reads the product's values the assignment's are checked, and `problem` says
    so although the names are right.
    """
    try:
        assigned = property_names(assignment)
        values = {prop.value: name for prop, name in assigned.items()} if properties is None else properties()
        if isinstance(values, Unreadable):
            return NamesReading(False, f"the product's host names cannot be read: {values.reason}")
        found = {prop: resolver.resolve(values.get(prop, "")) for prop in assigned if values.get(prop)}
        addresses = Addresses(own, assignment.platform_address)
        problems = [
            _value_problem(prop, name, values.get(prop, ""))
            or judge(prop, kind_of(assignment), where, addresses, name, found.get(prop))
            for prop, name in assigned.items()
        ]
    except HostnameProblem as problem:
        return NamesReading(False, str(problem))
    wrong = "; ".join(one for one in problems if one)
    resolved = {str(prop): address for prop, address in found.items() if address}
    note = NOT_READ if properties is None else ""
    return NamesReading(not wrong, wrong or note, resolved)


def _value_problem(prop: Property, assigned: str, value: str) -> str:
    if problem := name_problem(prop, value):
        return problem
    problem = static_problem(value, assigned)
    return f"{prop}: {problem}" if problem else ""


def _without_block(lines: list[str]) -> tuple[list[str], int | None]:
    kept: list[str] = []
    place: int | None = None
    is_inside = False
    for number, line in enumerate(lines):
        if line == BEGIN:
            place = len(kept) if place is None else place
            # A block that somebody cut off is no block: its lines are treated like any other.
            is_inside = next((one for one in lines[number + 1 :] if one in (BEGIN, END)), None) == END
        elif is_inside:
            is_inside = line != END
        elif line != END:
            kept.append(line)
    return kept, place


def _without_names(line: str, entries: Mapping[str, str]) -> str:
    effective, mark, comment = line.partition("#")
    fields = effective.split()
    others = [name for name in fields[1:] if name.lower() not in entries]
    if len(others) == len(fields[1:]):
        return line
    if not others:
        return REPLACED + line
    return f"{fields[0]}\t{' '.join(others)}" + (f" {mark}{comment}" if mark else "")
