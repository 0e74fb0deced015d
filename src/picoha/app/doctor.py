"""Look at everything a failover will need, before it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from picoha.app.errors import SensorFailed
from picoha.app.ports import Clock, Gather, Reads, Recall, Remembered
from picoha.domain.doctor import leave
from picoha.domain.doctor.facts import (
    AlarmFacts,
    ElasticIp,
    FunctionFacts,
    GroupFacts,
    HookFacts,
    Ingress,
    InspectedHost,
    Permission,
    Quota,
    Subnet,
    TableFacts,
)
from picoha.domain.doctor.findings import Finding
from picoha.domain.doctor.table import judge
from picoha.domain.model import Unknown
from picoha.domain.policy import Policy


class Inspection(Protocol):
    """A cell's groups, hosts and alarms, and picoha itself; every method raises SensorFailed."""

    def groups(self) -> Sequence[GroupFacts]: ...
    def machines(self) -> Sequence[InspectedHost]: ...
    def alarms(self) -> Sequence[AlarmFacts]: ...
    def table(self) -> TableFacts: ...
    def dead_letters(self) -> int: ...
    def function(self) -> FunctionFacts: ...
    def hooks(self, groups: Sequence[str]) -> Mapping[str, Sequence[HookFacts]]: ...
    def protected(self, instances: Sequence[str]) -> Mapping[str, bool]: ...
    def permissions(self, function: FunctionFacts) -> Sequence[Permission]: ...


class Surroundings(Protocol):
    """What a cell's hosts live in; every method raises SensorFailed."""

    def addresses(self) -> Sequence[ElasticIp]: ...
    def address_quota(self) -> Quota: ...
    def interface_tags(self, interfaces: Sequence[str]) -> Mapping[str, Mapping[str, str]]: ...
    def instance_stores(self, types: Sequence[str]) -> Mapping[str, int]:
        """Return the gigabytes of instance store of each type; 0 for none."""
        ...

    def subnets(self, ids: Sequence[str]) -> Sequence[Subnet]: ...
    def ingress(self, security_groups: Sequence[str]) -> Sequence[Ingress]: ...


@dataclass(frozen=True)
class DoctorPorts:
    """All that `doctor` and `leave` look with."""

    cell: str
    look: Inspection
    around: Surroundings
    memory: Recall
    clock: Clock
    gather: Gather


def examine(
    ports: DoctorPorts,
    policy: Policy,
    settings_problem: Callable[[Mapping[str, str]], str] = lambda environ: "",
) -> tuple[Finding, ...]:
    """Return the findings of every check, in the order of the table; never raises for a failed read.

    `settings_problem` says what is wrong with an environment, or "". A check whose facts could not be
    read answers with one `warn` that says so.
    """
    facts = gathered(ports)
    function = facts["function"]
    problem = settings_problem(function.environment) if isinstance(function, FunctionFacts) else function
    more = {"cell": ports.cell, "policy": policy, "now": ports.clock.now(), "settings_problem": problem}
    return judge({**facts, **more})


def depending(ports: DoctorPorts) -> tuple[Finding, ...]:
    """Return what still depends on the cell's stack, in the order of its mending (`leave`)."""
    return leave.depending({**gathered(ports), "cell": ports.cell})


def gathered(ports: DoctorPorts) -> dict[str, object | Unknown]:
    """Return every fact by its name, in two rounds of reads; what could not be read is Unknown."""
    look, around = ports.look, ports.around
    first: Reads = {
        "groups": look.groups,
        "machines": look.machines,
        "addresses": around.addresses,
        "address_quota": around.address_quota,
        "alarms": look.alarms,
        "table": look.table,
        "dead_letters": look.dead_letters,
        "function": look.function,
        "memory": ports.memory.load,
    }
    facts = dict(ports.gather(first))
    remembered = facts.pop("memory")
    for name in ("newer", "reports", "records", "mode"):
        facts[name] = getattr(remembered, name) if isinstance(remembered, Remembered) else remembered
    facts |= ports.gather(_second_round(ports, facts))
    return facts


Ask = Callable[[Any], object]
"""A read of the second round: what it asks for follows from a fact of the first."""


def _second_round(ports: DoctorPorts, facts: Mapping[str, object | Unknown]) -> Reads:
    """Reads that need an answer of the first round; without it they fail for its reason."""
    look, around = ports.look, ports.around
    asks: dict[str, tuple[str, Ask]] = {
        "hooks": ("groups", lambda groups: look.hooks([group.name for group in groups])),
        "subnets": ("groups", lambda groups: around.subnets(_all(groups, "subnets"))),
        "protected": (
            "machines",
            lambda machines: look.protected([machine.instance for machine in machines]),
        ),
        "interface_tags": (
            "machines",
            lambda machines: around.interface_tags(
                [machine.interface for machine in machines if machine.interface]
            ),
        ),
        "instance_stores": (
            "machines",
            lambda machines: around.instance_stores(sorted({machine.type for machine in machines})),
        ),
        "ingress": ("machines", lambda machines: around.ingress(_all(machines, "security_groups"))),
        "permissions": ("function", look.permissions),
    }
    return {name: partial(_asked, ask, facts[needed]) for name, (needed, ask) in asks.items()}


def _asked(ask: Ask, fact: object | Unknown) -> object:
    if isinstance(fact, Unknown):
        raise SensorFailed(fact.reason)
    return ask(fact)


def _all(things: Iterable[object], name: str) -> list[str]:
    return sorted({one for thing in things for one in getattr(thing, name)})
