"""One host put together: its settings, who it is, and the real ports behind its agent."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from picoha.clock import SystemClock
from picoha.domain.health import Profile
from picoha.host.core.knowledge import AgentSettings
from picoha.host.core.ports import AgentPorts, Cloud, Identity, SavedState
from picoha.host.system.breakglass import BreakGlassFile
from picoha.host.system.config import Config, ConfigInvalid
from picoha.host.system.files import JsonDisk, SystemHostsFile
from picoha.host.system.launcher import launcher_here
from picoha.host.system.metadata import Metadata, identity
from picoha.host.system.network import SystemResolver, TcpReach
from picoha.host.system.patience import PatientCloud
from picoha.host.system.processes import Asker, owner_of
from picoha.host.system.product import HostChecks, Product
from picoha.host.system.scripts import Site, SystemScripts

Connect = Callable[[str, str, str], Cloud]
"""Makes the cloud of a cell and slot in a region."""


@dataclass(frozen=True)
class HostHere:
    """This host as its settings say; what needs the outside is built when it is first asked for."""

    config: Config
    connect: Connect

    @cached_property
    def metadata(self) -> Metadata:
        """The instance metadata service."""
        return Metadata(self.config.metadata_url)

    @cached_property
    def me(self) -> Identity:
        """Who this host is; raises MetadataUnavailable or ConfigInvalid."""
        return identity(self.config, self.metadata)

    @cached_property
    def cloud(self) -> Cloud:
        """The table and the metric; raises what `me` raises."""
        return self.connect(self.me.cell, self.me.slot, self.metadata.need("placement/region"))

    @cached_property
    def asker(self) -> Asker:
        """Asks questions by short commands."""
        return Asker()

    @cached_property
    def product(self) -> Product | None:
        """The product's own values, where a command is set that reads them."""
        one = self.config
        if not one.property_command:
            return None
        return Product(self.asker, one.property_command, one.property_timeout_s, self.site.owner)

    @cached_property
    def checks(self) -> HostChecks:
        """What only this host can tell."""
        return HostChecks(self.asker, self.product)

    @cached_property
    def site(self) -> Site:
        """Where the product is and whose it is; raises ConfigInvalid for an owner who cannot run scripts."""
        one = self.config
        try:
            owner = owner_of(one.owner)
        except (KeyError, PermissionError) as problem:
            raise ConfigInvalid(f"owner = {one.owner}: {problem}") from problem
        return Site(
            ha_dir=Path(one.scripts_dir),
            java_home=one.java_home,
            mz_home=one.mz_home,
            user=one.owner,
            log_dir=Path(one.log_dir),
            hooks_dir=Path(one.hooks_dir),
            republish=one.republish_command,
            launcher=launcher_here(),
            owner=owner,
            mz_platform=one.mz_platform,
            monitor_host=one.monitor_host,
            monitor_timeout_s=one.monitor_timeout_s,
        )

    @cached_property
    def scripts(self) -> SystemScripts:
        """The vendor's scripts and the owner's hooks."""
        return SystemScripts(self.site, SystemClock())

    @property
    def glass(self) -> BreakGlassFile:
        """The break-glass order of this host."""
        return BreakGlassFile(Path(self.config.state_dir))

    @property
    def disk(self) -> JsonDisk:
        """The agent's own state."""
        return JsonDisk(Path(self.config.state_dir) / "agent.json")

    def kept(self) -> SavedState | None:
        """Return what the agent keeps on this host, if it is about this host."""
        kept = self.disk.load()
        return kept if kept and kept.instance == self.me.instance else None

    def settings(self) -> AgentSettings:
        """Return what the agent's core is told."""
        one = self.config
        return AgentSettings(
            version=installed_version(),
            profile=Profile(one.profile),
            deployment=one.deployment,
            report_every=one.report_every,
            every_s=math.ceil(one.interval_s * one.report_every),
            witness_timeout_s=one.witness_timeout_s,
            rcp_port=one.rcp_port,
        )

    def ports(self) -> AgentPorts:
        """Return the real ports."""
        clock = SystemClock()
        return AgentPorts(
            clock=clock,
            cloud=PatientCloud(self.cloud, clock, self.config.interval_s),
            scripts=self.scripts,
            hosts_file=SystemHostsFile(Path(self.config.hosts_file)),
            resolver=SystemResolver(),
            reach=TcpReach(),
            disk=self.disk,
            checks=self.checks,
            properties=self.product.properties if self.product else None,
            break_glass=self.glass.read,
        )


def installed_version() -> str:
    """Return the version of this code, "" where it runs uninstalled."""
    try:
        return version("picoha")
    except PackageNotFoundError:
        return ""
