"""Hosts of the drill: each boots, runs the shipped agent over played scripts, and dies.

The agent, its probe, its names and its start gate are `picoha.host`; only what a laptop has not
got is played here: the vendor's scripts, the resolver's file, the network, and time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from picoha.adapters.aws.host_side import AwsCloud
from picoha.domain.model import AgentPhase, InstanceId, Pico, Report, SlotName
from picoha.domain.record import SlotRecord
from picoha.drills.account import AWS, Account
from picoha.drills.clock import DrillClock
from picoha.fakeaws.ec2.instances import Instance
from picoha.host.core.agent import Agent
from picoha.host.core.ports import (
    AgentPorts,
    CloudUnreachable,
    Identity,
    Job,
    JobResult,
    SavedState,
    ScriptVerb,
    SlotAnswer,
    TakeAnswer,
)

CYCLE_S = 10.0
LOCALHOST = "127.0.0.1 localhost\n"


class _Job:
    """A played script: done at a virtual instant, with its effect at that instant."""

    def __init__(self, host: DrillHost, seconds: float, result: JobResult) -> None:
        self._host, self._result = host, result
        self._ends_at = host.scheduler.elapsed + seconds

    def poll(self) -> JobResult | None:
        return self._result if self._host.scheduler.elapsed >= self._ends_at else None

    def stop(self) -> None:
        self._ends_at = 0.0


class _Line(AwsCloud):
    """A host's way to AWS: the shipped cloud while the network lets it through."""

    host: DrillHost

    def read_slot(self) -> SlotAnswer:
        return CloudUnreachable("cut off from AWS") if self.host.is_cut_off else super().read_slot()

    def take(self, record: SlotRecord, report: Report) -> TakeAnswer:
        return CloudUnreachable("cut off from AWS") if self.host.is_cut_off else super().take(record, report)

    def put_report(self, report: Report) -> bool:
        return not self.host.is_cut_off and super().put_report(report)

    def publish(self, value: float) -> bool:
        return not self.host.is_cut_off and super().publish(value)


class DrillHost:
    """One booted instance of a slot: its picos, its hosts file, its agent.

    `running` is the truth about the picos; `sick` maps a pico to the exit code its monitor gives.
    `fails_to_start` maps a pico to the result that its next starts give.
    """

    def __init__(self, account: Account, instance: Instance) -> None:
        self.account, self.scheduler, self.instance = account, account.scheduler, instance
        self.slot = SlotName(instance.tags["picoha:slot"])
        self.running: set[str] = set()
        self.sick: dict[str, int | None] = {}
        self.text = LOCALHOST
        self.kept: SavedState | None = None
        self.boots = 0
        self.is_up = False
        self.is_agent_up = False
        self.agent: Agent | None = None

    # -- life

    @property
    def is_cut_off(self) -> bool:
        """True while the host and AWS's services do not reach each other."""
        return (self.instance.id, AWS) in self.account.network.blocked

    def boot(self) -> None:
        """Start the agent, and the owner's own boot unit, a while after the instance runs."""
        self.boots += 1
        self.is_up = self.is_agent_up = True
        boot = self.boots
        me = Identity(
            cell=self.account.cell,
            slot=self.slot,
            instance=InstanceId(self.instance.id),
            boot_id=f"{self.instance.id}-boot{boot}",
            zone=self.instance.zone,
            private_ip=self.instance.private_ip,
        )
        clients = self.account.agents
        cloud = _Line(me.cell, me.slot, clients.dynamodb, clients.cloudwatch)
        cloud.host = self
        ports = AgentPorts(DrillClock(self.scheduler), cloud, self, self, self, self, self, self)
        self.agent = Agent(me, ports)
        self.scheduler.at(self.account.times.agent_s, lambda: self._cycle(boot))
        if self.account.owners_start:
            self.scheduler.at(self.account.times.own_start_s, lambda: self._own_start(boot))

    def _cycle(self, boot: int) -> None:
        if boot != self.boots or not self.is_up:
            return
        self.scheduler.at(CYCLE_S, lambda: self._cycle(boot))
        if self.agent is not None and self.is_agent_up:
            self.agent.cycle()

    def _own_start(self, boot: int) -> None:
        """The owner's boot unit starts the picos as without picoha, unless the gate is armed."""
        if boot == self.boots and self.is_up and not self.account.is_armed(self.slot):
            for pico in self.account.picos(self.slot):
                self.start_pico(pico.name)

    def halt(self) -> None:
        """The machine is gone: no process of it runs any more."""
        self.is_up = False
        self.boots += 1
        self.running.clear()
        self.sick.clear()
        self.account.picos_changed()

    def shut_down(self) -> None:
        """An orderly shutdown: the agent says so, and the picos end a little later."""
        boot = self.boots
        if self.agent is not None and self.is_agent_up and self.is_up:
            self.agent.leave()
        self.scheduler.at(self.account.times.stop_s, lambda: self.halt() if boot == self.boots else None)

    def start_pico(self, name: str) -> None:
        """Make a pico run, and look whether that may be (the truth about two actives)."""
        self.running.add(name)
        self.sick.pop(name, None)
        self.account.picos_changed()

    # -- the Scripts port

    def monitor_all(self, picos: Sequence[Pico]) -> Mapping[str, int | None]:
        """Answer as the vendor's `monitor` does: 110 running, 100 not (domain.md 2.2)."""
        return {
            pico.name: self.sick.get(pico.name, 110 if pico.name in self.running else 100) for pico in picos
        }

    def begin(self, verb: ScriptVerb, pico: Pico | None, script_environment: Mapping[str, str]) -> Job | None:
        """Play `online`, `offline`, `clean` and the republish of services; hooks do not exist here."""
        if verb is ScriptVerb.REPUBLISH:
            self.account.republished.append((self.scheduler.elapsed, self.instance.id))
            return _Job(self, self.account.times.stop_s, JobResult(0))
        if pico is None:
            return None
        if verb is ScriptVerb.ONLINE:
            return self._online(pico)
        self.running.discard(pico.name)
        return _Job(self, self.account.times.stop_s, JobResult(0))

    def _online(self, pico: Pico) -> Job:
        seconds = self.account.times.start_s[pico.type]
        code, output = self.account.bad_starts.get(
            self.instance.id, self.account.bad_starts.get(self.slot, (0, ""))
        )
        boot = self.boots
        if code == 0 and not output:
            self.scheduler.at(seconds, lambda: self.start_pico(pico.name) if boot == self.boots else None)
        return _Job(self, seconds, JobResult(code, output))

    # -- the HostsFile, Resolver, Reach, Disk and Checks ports

    def read(self) -> str:
        """Return the hosts file."""
        return self.text

    def replace(self, text: str) -> None:
        """Replace the hosts file."""
        self.text = text

    def resolve(self, name: str) -> str | None:
        """Answer from the hosts file, first line first, as the system resolver does."""
        for line in self.text.splitlines():
            words = line.split("#")[0].split()
            if name in words[1:]:
                return words[0]
        return None

    def connects(self, name: str, port: int, timeout_s: float) -> bool:
        """Return whether a TCP connection to the name would be accepted now."""
        address = self.resolve(name)
        return address is not None and self.account.network.accepts(self.instance.id, address)

    def load(self) -> SavedState | None:
        """Return what the agent kept on this host's disk."""
        return self.kept

    def save(self, kept: SavedState) -> None:
        """Keep it; the disk lives as long as the instance."""
        self.kept = kept

    def container(self) -> str | None:
        """Return the container name that this host was installed with."""
        return self.instance.tags.get("picoha:container") or self.slot

    def run(self, tests: Sequence[str]) -> Mapping[str, bool]:
        """Answer the slot's `tcp:` and `mount:` tests."""
        return {test: self.account.is_reachable(test, self.instance.id) for test in tests}

    @property
    def phase(self) -> AgentPhase | None:
        """What the agent last reported, for stories."""
        report = self.account.last_report(self.instance.id)
        return report.phase if report else None
