"""An execution host on which `picoha-agent` prints what docs/host.md quotes.

The commands are the shipped ones and the scripts are those of examples/. What differs from host to host is
played: who the host is, its record, its resolver, and where others that start picos are looked for.
"""

from __future__ import annotations

import io
import os
import pwd
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from picoha.domain.model import InstanceId, Kind, Pico, PicoType, Report, SlotName
from picoha.domain.record import Assignment, Phase, SlotRecord
from picoha.host.command import assembly, commands, examine
from picoha.host.core.ports import Cloud, Identity, SlotAnswer, TakeAnswer, Taken
from picoha.host.system.config import Config

ROOT = Path(__file__).resolve().parent.parent
ME = Identity("demo", SlotName("ec1"), InstanceId("i-00000000000000002"), "boot-1", "eu-west-1a", "10.0.3.11")
EC1 = Pico("ec1", 7101, PicoType.EC)
SLOT = Assignment(Kind.EXECUTION, "ec1host", "ec1", (EC1,), "mz-platform", "203.0.113.10")
RECORD = SlotRecord(
    slot=ME.slot, ver=7, epoch=1, holder=ME.instance, phase=Phase.ACTIVE, is_armed=True, assignment=SLOT
)
HOSTS = """127.0.0.1\tlocalhost
10.0.1.10\tmz-platform
# picoha: begin, kept by picoha-agent, do not edit
10.0.3.11\tec1host
# picoha: end
"""
VALUES = {
    "pico.rcp.platform.host": "mz-platform",
    "pico.rcp.server.host": "ec1host",
    "MZ_CONTAINER": "ec1",
    "MZ_PLATFORM": "http://10.0.1.10:9000",
    "ec1.mz.ha.enabled": "true",
    "ec1.mz.ha.port": "7101",
    "ec1.mz.ha.min_activations": "5",
}


class PlayedCloud:
    """A table with the record of this host's slot."""

    def read_slot(self) -> SlotAnswer:
        return RECORD

    def take(self, record: SlotRecord, report: Report) -> TakeAnswer:
        return Taken()

    def put_report(self, report: Report) -> bool:
        return True

    def publish(self, value: float) -> bool:
        return True


class ExampleHost(assembly.HostHere):
    """A host that knows who it is."""

    me = ME
    cloud = PlayedCloud()


class FileResolver:
    """Answers from one hosts file, first line first."""

    def __init__(self, path: Path) -> None:
        self._lines = [line.partition("#")[0].split() for line in path.read_text().splitlines()]

    def resolve(self, name: str) -> str | None:
        return next((words[0] for words in self._lines if name in words[1:]), None)


def printed() -> Mapping[str, tuple[str, str]]:
    """Return block name → what is typed, and what it prints on the example host."""
    with example() as (root, host):
        said = {
            "install": ("picoha-agent install", lambda: commands.install_here(root, False)),
            "check": ("picoha-agent check", lambda: commands.check(host)),
            "names": ("picoha-agent names", lambda: commands.show_names(host)),
        }
        return {name: (typed, _said(root, command)) for name, (typed, command) in said.items()}


def _said(root: Path, command: Callable[[], int]) -> str:
    text = io.StringIO()
    with redirect_stdout(text), redirect_stderr(text):
        command()
    return text.getvalue().replace(str(root), "").rstrip("\n")


@contextmanager
def example() -> Iterator[tuple[Path, ExampleHost]]:
    """Yield the root of the example host and the host; both are gone afterwards."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory())).resolve()
        _furnish(root)
        resolver = FileResolver(root / "etc" / "hosts")
        for name, played in (("SystemResolver", lambda: resolver), ("_STARTERS", (str(root / "etc"),))):
            stack.enter_context(patch.object(examine, name, played))
        yield root, ExampleHost(_config(root), _connect)


def _connect(cell: str, slot: str, region: str) -> Cloud:
    return PlayedCloud()


def _config(root: Path) -> Config:
    return Config(
        mz_home=str(root / "opt/mz"),
        java_home=str(root / "opt/java"),
        owner=pwd.getpwuid(os.geteuid()).pw_name,
        scripts_dir=str(root / "opt/mz/ha"),
        property_command=(str(root / "etc/picoha/read-properties"),),
        hosts_file=str(root / "etc/hosts"),
        state_dir=str(root / "var/lib/picoha"),
        run_dir=str(root / "run/picoha"),
    )


def _furnish(root: Path) -> None:
    for name in ("opt/mz/run", "opt/mz/answers", "opt/java/bin", "etc/cron.d", "etc/picoha"):
        (root / name).mkdir(parents=True)
    shutil.copytree(ROOT / "examples" / "ha-scripts", root / "opt/mz/ha")
    (root / "opt/mz/picos").write_text("ec1 7101\n")
    (root / "opt/mz/answers/monitor-ec1").write_text("110 OK\n")
    (root / "etc/hosts").write_text(HOSTS)
    (root / "etc/cron.d/mz").write_text("@reboot mzadmin /opt/mz/bin/mzsh startup ec1\n")
    _program(root / "opt/java/bin/java", "")
    _program(root / "etc/picoha/read-properties", "".join(f"echo '{k} = {v}'\n" for k, v in VALUES.items()))


def _program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}")
    path.chmod(0o755)
