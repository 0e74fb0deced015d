"""Which address each host-name property must resolve to on which host (domain.md 4.1, H1 to H22).

The two properties are read by the resolver of the host the pico runs on, so one name must give
different answers on different hosts. The names never change; only what they resolve to does.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum

from picoha.domain.model import Kind, PicoType
from picoha.domain.record import Assignment

_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")


class HostnameProblem(ValueError):
    """A name or address that the product's documentation forbids; the text says which and why."""


class Property(StrEnum):
    """The two properties of the product that hold a host name."""

    PLATFORM_HOST = "pico.rcp.platform.host"
    SERVER_HOST = "pico.rcp.server.host"


class Deployment(StrEnum):
    """Where a cell runs; the documentation has one rule for each."""

    AWS = "aws"
    OPENSTACK = "openstack"
    PHYSICAL = "physical"


@dataclass(frozen=True)
class Addresses:
    """The addresses a rule can demand on one host.

    `own` is the host's private (AWS), local (OpenStack) or virtual (physical) IP. `platform` is
    how the Platform is reached: its Elastic IP, its floating IP, or its virtual IP.
    """

    own: str | None
    platform: str | None


_OWN, _PLATFORM = "own", "platform"

# (deployment, kind) -> the address for platform.host, then for server.host.
_TABLE = {
    (Deployment.AWS, Kind.PLATFORM): (_OWN, _OWN),
    (Deployment.AWS, Kind.EXECUTION): (_PLATFORM, _OWN),
    (Deployment.OPENSTACK, Kind.PLATFORM): (_OWN, _OWN),
    (Deployment.OPENSTACK, Kind.EXECUTION): (_PLATFORM, _OWN),
    (Deployment.PHYSICAL, Kind.PLATFORM): (_PLATFORM, _PLATFORM),
    (Deployment.PHYSICAL, Kind.EXECUTION): (_PLATFORM, _OWN),
}

_CALLED = {
    (Deployment.AWS, _OWN): "local IP",
    (Deployment.AWS, _PLATFORM): "Elastic IP of the Platform",
    (Deployment.OPENSTACK, _OWN): "local IP",
    (Deployment.OPENSTACK, _PLATFORM): "floating IP of the Platform",
    (Deployment.PHYSICAL, _OWN): "own virtual IP",
    (Deployment.PHYSICAL, _PLATFORM): "virtual IP of the Platform",
}


def deployment(word: str) -> Deployment:
    """Return the deployment type for a configured word; raises HostnameProblem (H21)."""
    try:
        return Deployment(word)
    except ValueError:
        known = ", ".join(Deployment)
        raise HostnameProblem(f"unknown deployment type {word!r}; known are {known}") from None


def kind_of(assignment: Assignment) -> Kind:
    """Return whose rules a host follows; one with a Platform pico follows the Platform's (H22)."""
    if any(pico.type is PicoType.PLATFORM for pico in assignment.picos):
        return Kind.PLATFORM
    return assignment.kind


def expected(prop: Property, kind: Kind, where: Deployment | str, addresses: Addresses) -> str:
    """Return the address that `prop` must resolve to; raises HostnameProblem when it is not known.

    An unknown Elastic IP is an error, never silently the private address (H19).
    """
    source, called = _rule(prop, kind, where)
    address = addresses.own if source == _OWN else addresses.platform
    if not address:
        raise HostnameProblem(f"{prop} on the {kind} host must be the {called}, which is not known here")
    return address


def judge(
    prop: Property, kind: Kind, where: Deployment | str, addresses: Addresses, name: str, found: str | None
) -> str:
    """Return what is wrong with an address that `name` resolved to, or "" (H16, H17)."""
    wanted = expected(prop, kind, where, addresses)
    if found == wanted:
        return ""
    answer = f"resolves to {found}" if found else "does not resolve"
    return f"{prop}: {name} {answer}; on the {kind} host it must be {_rule(prop, kind, where)[1]} {wanted}"


def property_names(assignment: Assignment) -> dict[Property, str]:
    """Return the name behind each property; raises HostnameProblem for one that cannot stand there."""
    is_platform = kind_of(assignment) is Kind.PLATFORM
    platform = assignment.platform_hostname or (assignment.hostname if is_platform else "")
    names = {Property.PLATFORM_HOST: platform, Property.SERVER_HOST: assignment.hostname}
    for prop, name in names.items():
        if problem := name_problem(prop, name):
            raise HostnameProblem(problem)
    if not is_platform and platform.lower() == assignment.hostname.lower():
        raise HostnameProblem(f"{platform} is the Platform's name; an execution host needs its own")
    return names


def name_problem(prop: Property, name: str) -> str:
    """Return why `name` cannot be the value of a property, or "" (H23, H24)."""
    if not name:
        return f"{prop} is not set"
    if is_literal(name):
        return f"{prop} is the literal address {name}; it must be a name, or no failover can move it"
    if len(name) > 253 or not _NAME.fullmatch(name):
        return f"{prop} is {name!r:.80}, which is no host name"
    return ""


def static_problem(registered: str, name: str) -> str:
    """Return why `name` may not replace the registered one, or ""; names are static (H18)."""
    if registered.lower() == name.lower():
        return ""
    return f"the host name must be static: {registered} is registered, {name} was given"


def hosts_entries(
    assignment: Assignment, own: str | None, where: Deployment | str = Deployment.AWS
) -> dict[str, str]:
    """Return names to addresses for this host's managed block; raises HostnameProblem."""
    kind, addresses = kind_of(assignment), Addresses(own, assignment.platform_address)
    names = property_names(assignment)
    return {name.lower(): expected(prop, kind, where, addresses) for prop, name in names.items()}


def is_literal(name: str) -> bool:
    """Return True for an IPv4 or IPv6 address written out."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _rule(prop: Property, kind: Kind, where: Deployment | str) -> tuple[str, str]:
    place = deployment(where)
    pair = _TABLE[place, kind]
    source = pair[0] if prop is Property.PLATFORM_HOST else pair[1]
    return source, _CALLED[place, source]
