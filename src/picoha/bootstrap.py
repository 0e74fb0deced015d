"""Which function gets which ports, and thereby which grants. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from picoha.adapters.aws.actuators import AwsActuators
from picoha.adapters.aws.clients import Clients
from picoha.adapters.aws.faults import reading
from picoha.adapters.aws.inspection import AwsInspection
from picoha.adapters.aws.memory import AwsMemory
from picoha.adapters.aws.notifier import AwsNotifier
from picoha.adapters.aws.requests import AwsRequests
from picoha.adapters.aws.sensors import AwsSensors
from picoha.adapters.aws.surroundings import AwsSurroundings
from picoha.app import doctor
from picoha.app.errors import MemoryUnreadable, SettingsInvalid
from picoha.app.gather import SideBySide
from picoha.app.ports import Clock, Gather, Memory, OperatorPorts, Ports
from picoha.clock import SystemClock
from picoha.settings import Settings

EXAMINATION_S = 20.0
"""Two rounds of reads, one call per group and per host in some: about 0.05 s each on eight threads."""


def memory(cell: str, region: str | None = None) -> Memory:
    """Return a cell's memory with the caller's own credentials, for commands that only read.

    Raises MemoryUnreadable when there are no usable credentials or no region.
    """
    with reading("using your AWS credentials", MemoryUnreadable):
        return AwsMemory(f"picoha-{cell}", Clients.in_region(region))


def reconciler(
    settings: Settings,
    clients: Clients | None = None,
    clock: Clock | None = None,
    gather: Gather | None = None,
) -> Ports:
    """Return the ports of the reconcile function: it looks, remembers, tells and acts.

    The drill passes its own clients, clock and gather; a Lambda function passes none.
    """
    clients = clients or Clients.in_region(settings.region)
    clock = clock or SystemClock()
    return Ports(
        cell=settings.cell,
        sensors=AwsSensors(settings.cell, clients, clock),
        actuators=AwsActuators(clients),
        memory=AwsMemory(settings.table, clients),
        notifier=AwsNotifier(settings.cell, settings.topic_arn or "", clients, clock),
        clock=clock,
        gather=gather or SideBySide(),
    )


def operator(
    settings: Settings,
    clients: Clients | None = None,
    clock: Clock | None = None,
    gather: Gather | None = None,
) -> OperatorPorts:
    """Return the ports of the operator function: it looks and writes requests; no actuators.

    The drill passes its own clients, clock and gather; a Lambda function passes none.
    """
    clients = clients or Clients.in_region(settings.region)
    clock = clock or SystemClock()
    memory = AwsMemory(settings.table, clients)
    look = doctor.DoctorPorts(
        cell=settings.cell,
        look=AwsInspection(settings.cell, settings.table, clients),
        around=AwsSurroundings(settings.cell, clients),
        memory=memory,
        clock=clock,
        gather=gather or SideBySide(deadline_s=EXAMINATION_S),
    )
    return OperatorPorts(
        cell=settings.cell,
        sensors=AwsSensors(settings.cell, clients, clock),
        memory=memory,
        requests=AwsRequests(settings.cell, settings.table, clients),
        clock=clock,
        gather=gather or SideBySide(),
        examine=partial(doctor.examine, look, settings.policy, partial(_problem_with, settings)),
        depending=partial(doctor.depending, look),
    )


def _problem_with(own: Settings, environ: Mapping[str, str]) -> str:
    """Return what is wrong with the loop's environment, or unlike the operator's own numbers, or ""."""
    try:
        loop = Settings.load({**environ, "AWS_REGION": own.region})
    except SettingsInvalid as problem:
        return str(problem)
    unlike = loop.policy != own.policy
    return "the loop and the operator function have different numbers (PICOHA_...)" if unlike else ""
