"""Which function gets which ports, and thereby which grants. Nothing is decided here."""

from __future__ import annotations

from picoha.adapters.aws.actuators import AwsActuators
from picoha.adapters.aws.clients import Clients
from picoha.adapters.aws.clock import SystemClock
from picoha.adapters.aws.faults import reading
from picoha.adapters.aws.memory import AwsMemory
from picoha.adapters.aws.notifier import AwsNotifier
from picoha.adapters.aws.sensors import AwsSensors
from picoha.app.errors import MemoryUnreadable
from picoha.app.gather import SideBySide
from picoha.app.ports import Clock, Gather, Memory, Ports
from picoha.settings import Settings


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

    The desk passes its own clients, clock and gather; a Lambda function passes none.
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
