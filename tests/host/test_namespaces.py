"""Two hosts as network namespaces: one name, two answers, through the resolver of the system.

`ip netns exec` puts /etc/netns/NAME/hosts in the place of /etc/hosts, so each namespace resolves as a
host of its own. The managed block is written by the agent's own code, and the questions are asked by
`getent` and by the agent's resolver, each in a process of its namespace.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from host.rig import EC1, ROOT
from picoha.domain.codec import decode, encode
from picoha.domain.hostnames import hosts_entries
from picoha.domain.model import Kind, NamesReading, Pico, PicoType
from picoha.domain.record import Assignment
from picoha.host.core import names
from picoha.host.system.files import SystemHostsFile

EIP, OLD, NEW, EXECUTION = "203.0.113.10", "10.0.1.10", "10.0.2.20", "10.0.3.11"
PLATFORM = Assignment(
    Kind.PLATFORM,
    "mz-platform",
    "platform1",
    (Pico("platform", 7100, PicoType.PLATFORM),),
    "mz-platform",
    EIP,
)
EC = Assignment(Kind.EXECUTION, "ec1host", "ec1", (EC1,), "mz-platform", EIP)
VERIFY = """
import json, sys
from picoha.domain.codec import decode, encode
from picoha.domain.record import Assignment
from picoha.host.core.names import verify
from picoha.host.system.network import SystemResolver
assignment = decode(Assignment, json.loads(sys.argv[1]))
print(json.dumps(encode(verify(assignment, sys.argv[2], SystemResolver(), None))))
"""
BIND = "import socket, sys; socket.create_server((sys.argv[1], 0))"


def _why_not() -> str:
    if os.geteuid() != 0:
        return "only root can make network namespaces"
    if shutil.which("ip") is None:
        return "`ip` (iproute2) is not installed"
    tried = subprocess.run(("unshare", "--net", "true"), capture_output=True, check=False)
    return "" if tried.returncode == 0 else "this kernel or container allows no network namespaces"


REASON = _why_not()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON or "it runs")


class Namespace:
    """One host: a network namespace with its private address and a hosts file of its own."""

    def __init__(self, name: str, own: str) -> None:
        self.name, self.own = f"picoha-{os.getpid()}-{name}", own
        self.folder = Path("/etc/netns") / self.name
        self.hosts = self.folder / "hosts"

    def __enter__(self) -> Namespace:
        self.folder.mkdir(parents=True)
        self.hosts.write_text("127.0.0.1\tlocalhost\n10.9.9.9\tsomething-else\n")
        (self.folder / "resolv.conf").write_text("")
        for words in (
            ("netns", "add", self.name),
            ("-n", self.name, "link", "set", "lo", "up"),
            ("-n", self.name, "address", "add", f"{self.own}/32", "dev", "lo"),
        ):
            subprocess.run(("ip", *words), check=True, capture_output=True)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(("ip", "netns", "delete", self.name), check=False, capture_output=True)
        shutil.rmtree(self.folder)
        with suppress(OSError):  # another namespace of this or another test is still there
            self.folder.parent.rmdir()

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = ("ip", "netns", "exec", self.name, *words)
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False, env=environment)

    def assign(self, assignment: Assignment) -> bool:
        """Write the managed block as the agent does; True if the file changed."""
        return names.apply(SystemHostsFile(self.hosts), hosts_entries(assignment, self.own))

    def getent(self, name: str) -> str:
        return self.run("getent", "ahostsv4", name).stdout.split()[0]

    def reading(self, assignment: Assignment) -> NamesReading:
        """Return what the agent's own check finds, run on this host."""
        said = self.run(sys.executable, "-c", VERIFY, json.dumps(encode(assignment)), self.own)
        return decode(NamesReading, json.loads(said.stdout))

    def can_bind(self, name: str) -> bool:
        return self.run(sys.executable, "-c", BIND, name).returncode == 0


@pytest.fixture
def platform() -> Iterator[Namespace]:
    with Namespace("p1", OLD) as made:
        made.assign(PLATFORM)
        yield made


@pytest.fixture
def execution() -> Iterator[Namespace]:
    with Namespace("e1", EXECUTION) as made:
        made.assign(EC)
        yield made


def test_one_name_is_private_on_the_platform_host_and_elastic_on_an_execution_host(
    platform: Namespace, execution: Namespace
) -> None:
    assert (platform.getent("mz-platform"), execution.getent("mz-platform")) == (OLD, EIP)
    assert execution.getent("ec1host") == EXECUTION
    found = platform.reading(PLATFORM), execution.reading(EC)
    assert [one.are_right for one in found] == [True, True]
    assert [one.resolved["pico.rcp.platform.host"] for one in found] == [OLD, EIP]
    assert [one.resolved["pico.rcp.server.host"] for one in found] == [OLD, EXECUTION]


def test_after_a_replacement_only_the_new_hosts_file_is_written(
    platform: Namespace, execution: Namespace
) -> None:
    before = execution.hosts.read_bytes(), execution.hosts.stat().st_mtime_ns
    with Namespace("p2", NEW) as replacement:
        replacement.assign(PLATFORM)
        assert not execution.assign(EC), "H14: nothing is written where nothing changed"
        assert replacement.getent("mz-platform") == NEW
        assert replacement.reading(PLATFORM).are_right
    assert (execution.hosts.read_bytes(), execution.hosts.stat().st_mtime_ns) == before
    assert execution.getent("mz-platform") == EIP


def test_platform_can_bind_only_to_what_its_name_must_be(platform: Namespace) -> None:
    """Why the rule is what it is: an Elastic IP is on no network card (domain.md 4.2)."""
    assert platform.can_bind("mz-platform")
    platform.hosts.write_text(f"{EIP} mz-platform\n")
    assert not platform.can_bind("mz-platform")


def test_h16_and_h17_answers_of_the_other_kind_of_host_are_named(
    platform: Namespace, execution: Namespace
) -> None:
    platform.hosts.write_text(f"{EIP} mz-platform\n")
    execution.hosts.write_text(f"{OLD} mz-platform\n{EXECUTION} ec1host\n")
    assert f"it must be local IP {OLD}" in platform.reading(PLATFORM).problem
    assert f"it must be Elastic IP of the Platform {EIP}" in execution.reading(EC).problem
