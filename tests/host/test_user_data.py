"""The user data of examples/, run against a root of its own; what it installs is run too.

The wheel is built from this tree. The wheels that it needs are not, so pip is told to leave them out and the
venv borrows this one's.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flit_core import buildapi  # type: ignore[import-untyped]  # flit ships no types

from host.loopback import Aws, Imds
from host.rig import ROOT, HostRig, record, until
from picoha.domain.model import AgentPhase

SCRIPT = ROOT / "examples" / "user-data.sh"
needs_curl = pytest.mark.skipif(
    shutil.which("curl") is None, reason="curl is not installed; every AMI has it"
)


class Installed(HostRig):
    """A host whose agent is the one that the user data installed under `root`."""

    @property
    def program(self) -> Path:
        return self.root / "opt" / "picoha" / "venv" / "bin" / "picoha-agent"

    @property
    def root(self) -> Path:
        return self.folder / "root"

    def source_folder(self) -> Path:
        """Return what a release puts on S3."""
        source = self.folder / "source"
        source.mkdir()
        shutil.copytree(ROOT / "examples" / "ha-scripts", source / "ha-scripts")
        built_from = self.folder / "tree"
        built_from.mkdir()
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, built_from)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "src" / "picoha", built_from / "src" / "picoha", ignore=ignored)
        before = Path.cwd()
        os.chdir(built_from)
        try:
            buildapi.build_wheel(str(source))
        finally:
            os.chdir(before)
        return source

    def run_user_data(self, source: Path) -> subprocess.CompletedProcess[str]:
        environment = {
            **self.environment,
            "SOURCE": str(source),
            "ROOT": str(self.root),
            "PYTHON": sys.executable,
            "OWNER": pwd.getpwuid(os.geteuid()).pw_name,
            "METADATA": self.imds.url,
            "PIP_NO_DEPS": "1",
            "PYTHONPATH": "",
        }
        argv = ("sh", str(SCRIPT))
        return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=120, check=False)

    def start_installed_agent(self) -> None:
        argv = [str(self.program), "--config", str(self.config), "run"]
        self._spawn(argv, PYTHONPATH=sysconfig.get_path("purelib"))


@pytest.fixture
def cloud_host(tmp_path: Path, aws: Aws) -> Iterator[Installed]:
    imds = Imds(**{"tags/instance/picoha:picos": "ec1:7101 ec2:7102:ec"})
    folder = tmp_path / "host"
    folder.mkdir()
    with imds.serving():
        host = Installed(folder, aws, imds)
        yield host
        host.close()


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_user_data_is_a_shell_script(shell: str) -> None:
    done = subprocess.run((shell, "-n", str(SCRIPT)), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    text = SCRIPT.read_text()
    assert text.startswith("#!/bin/sh\n") and len(text) < 16_384, "EC2 takes 16 kB of user data"


@needs_curl
def test_user_data_installs_an_agent_that_starts_the_pico_once_it_is_granted(
    cloud_host: Installed, aws: Aws
) -> None:
    done = cloud_host.run_user_data(cloud_host.source_folder())
    assert done.returncode == 0, done.stderr
    root = cloud_host.root
    unit = (root / "etc" / "systemd" / "system" / "picoha-agent.service").read_text()
    assert f"ExecStart={root}/opt/picoha/venv/bin/python" in unit
    assert (root / "opt" / "mz" / "picos").read_text() == "ec1 7101\nec2 7102\n"
    settings = root / "etc" / "picoha" / "agent.toml"
    written = settings.read_text()
    assert f'scripts_dir = "{root}/opt/mz/ha"' in written

    # This host's own files are not the test's to write.
    ours = ("hosts_file", "hooks_dir", "state_dir", "run_dir", "log_dir", "metadata_url")
    settings.write_text(written + "".join(f'{key} = "{cloud_host.settings[key]}"\n' for key in ours))
    cloud_host.config, cloud_host.mz_home = settings, root / "opt" / "mz"
    aws.write(record(holder="i-2"))
    cloud_host.start_installed_agent()
    cloud_host.reported(lambda row: row.phase is AgentPhase.WAITING)
    assert cloud_host.starts == [], "boot waits for the grant"
    cloud_host.end_agent()
    aws.write(record(epoch=2))
    cloud_host.start_installed_agent()
    report = cloud_host.reported(lambda row: row.phase is AgentPhase.STARTING)
    until(cloud_host.pid)
    assert (report.epoch, report.version, len(cloud_host.starts)) == (2, "0.1.0", 1)


@needs_curl
def test_user_data_run_again_keeps_the_owners_settings(cloud_host: Installed) -> None:
    source = cloud_host.source_folder()
    assert cloud_host.run_user_data(source).returncode == 0
    settings = cloud_host.root / "etc" / "picoha" / "agent.toml"
    settings.write_text('owner = "somebody"\n')
    again = cloud_host.run_user_data(source)
    assert again.returncode == 0, again.stderr
    assert settings.read_text() == 'owner = "somebody"\n'
    assert "kept" in again.stdout and again.stdout.count("unchanged") == 2


def fails(host: Installed, spoil: Callable[[Path], None]) -> str:
    source = host.source_folder()
    spoil(source)
    done = host.run_user_data(source)
    assert done.returncode != 0
    return done.stderr


def test_user_data_without_a_wheel_fails_before_any_unit_is_written(cloud_host: Installed) -> None:
    said = fails(cloud_host, lambda source: next(source.glob("*.whl")).unlink())
    assert "whl" in said
    assert not list(cloud_host.root.rglob("*.service"))
