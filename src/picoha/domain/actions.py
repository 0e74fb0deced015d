"""Every change to AWS that a decision may order; each names immutable ids and its precondition.

The class name is the IAM statement id of the grant it needs (adapters/aws/actuators.py). All are
safe when a late worker sends them again: the ids are never reused (safety.md 7.5).
"""

from __future__ import annotations

from dataclasses import dataclass

from picoha.domain.model import AllocationId, AssociationId, InstanceId, InterfaceId


@dataclass(frozen=True)
class FenceHost:
    """Terminate exactly this instance. Precondition: it is the victim of an admitted operation."""

    instance: InstanceId
    force: bool = False

    def __str__(self) -> str:
        return f"FenceHost {self.instance}{' force' if self.force else ''}"


@dataclass(frozen=True)
class HintUnhealthy:
    """Tell Auto Scaling that this victim is unhealthy; a hint, its errors change nothing."""

    instance: InstanceId

    def __str__(self) -> str:
        return f"HintUnhealthy {self.instance}"


@dataclass(frozen=True)
class FreeAddress:
    """End this association. Precondition: its instance is a victim with evidence (safety S5)."""

    association: AssociationId
    instance: InstanceId

    def __str__(self) -> str:
        return f"FreeAddress {self.association}"


@dataclass(frozen=True)
class MoveAddress:
    """Associate a free Elastic IP, never taking it from anyone (`AllowReassociation=false`)."""

    allocation: AllocationId
    interface: InterfaceId
    instance: InstanceId

    def __str__(self) -> str:
        return f"MoveAddress {self.allocation} {self.interface}"


@dataclass(frozen=True)
class ReleaseLaunch:
    """Complete the launch hook with CONTINUE."""

    group: str
    instance: InstanceId

    def __str__(self) -> str:
        return f"ReleaseLaunch {self.instance}"


@dataclass(frozen=True)
class AbandonLaunch:
    """Complete the launch hook with ABANDON. Precondition: the instance has evidence."""

    group: str
    instance: InstanceId

    def __str__(self) -> str:
        return f"AbandonLaunch {self.instance}"


@dataclass(frozen=True)
class ExtendLaunch:
    """Restart the heartbeat of the launch hook."""

    group: str
    instance: InstanceId

    def __str__(self) -> str:
        return f"ExtendLaunch {self.instance}"


Action = FenceHost | HintUnhealthy | FreeAddress | MoveAddress | ReleaseLaunch | AbandonLaunch | ExtendLaunch

TAKING = (FenceHost, HintUnhealthy, FreeAddress, AbandonLaunch)
"""What needs mode `enforce` (design.md 2.6); the rest only gives."""
