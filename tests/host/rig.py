"""One host of the cell `demo`: a product of stand-ins, files of its own, and the agent as a process."""

from __future__ import annotations

import gc
import io
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from host.loopback import Aws, Imds
from picoha.agent import main
from picoha.domain.model import AgentPhase, InstanceId, Kind, Pico, PicoType, Report, SlotName
from picoha.domain.record import Assignment, Phase, SlotRecord

ROOT = Path(__file__).parents[2]
PATIENCE_S = 15.0
PACE_S = 0.1
EC1 = Pico("ec1", 7101, PicoType.EC)
# Names that every computer resolves without being told: the test may not touch its hosts file.
OWN_NAME, PLATFORM_NAME = "localhost", socket.gethostname()
T = TypeVar("T")


@dataclass(frozen=True)
class Said:
    """What a command ended with and printed."""

    returncode: int
    stdout: str
    stderr: str


def record(holder: str | None = "i-1", epoch: int = 1, **changes: Any) -> SlotRecord:
    """Return the record of slot ec1, granted to `holder` behind an armed gate."""
    assignment = Assignment(
        Kind.EXECUTION, OWN_NAME, "ec1", (EC1,), PLATFORM_NAME, socket.gethostbyname(PLATFORM_NAME)
    )
    made = SlotRecord(
        slot=SlotName("ec1"),
        ver=epoch,
        epoch=epoch,
        holder=InstanceId(holder) if holder else None,
        phase=Phase.GRANTED if holder else Phase.VACANT,
        is_armed=True,
        assignment=assignment,
    )
    return replace(made, **changes)


def until(holds: Callable[[], T], what: str = "") -> T:
    """Return the first answer that is true; fails after a patience no healthy run needs."""
    for _ in range(int(PATIENCE_S / 0.02)):
        if found := holds():
            return found
        time.sleep(0.02)
    raise AssertionError(f"never came true: {what or holds}")


class HostRig:
    """A host under `folder`. `agent_argv` is how its agent is run, for tests that run another one."""

    def __init__(self, folder: Path, aws: Aws, imds: Imds, **settings: Any) -> None:
        self.aws, self.imds, self.folder = aws, imds, folder
        self.mz_home = folder / "mz"
        for name in ("run", "answers", "bin"):
            (self.mz_home / name).mkdir(parents=True)
        (self.mz_home / "picos").write_text("ec1 7101\n")
        shutil.copytree(ROOT / "examples" / "ha-scripts", self.mz_home / "ha")
        self.hosts_file = folder / "hosts"
        self.hosts_file.write_text("127.0.0.1\tlocalhost vm\n# ours\n10.9.9.9 other\n")
        self.config = folder / "agent.toml"
        self.source = ROOT / "src"
        self.boot_id = "boot-1"
        self.process: subprocess.Popen[bytes] | None = None
        self.settings: dict[str, Any] = {
            "mz_home": str(self.mz_home),
            "java_home": "/usr",
            "owner": pwd.getpwuid(os.geteuid()).pw_name,
            "scripts_dir": str(self.mz_home / "ha"),
            "hosts_file": str(self.hosts_file),
            "hooks_dir": str(folder / "hooks"),
            "state_dir": str(folder / "state"),
            "run_dir": str(folder / "run"),
            "log_dir": str(folder / "log"),
            "metadata_url": imds.url,
            "witness_timeout_s": 0.5,
            **settings,
        }
        self.configure()

    def configure(self, **settings: Any) -> None:
        """Write agent.toml."""
        self.settings.update(settings)
        lines = (f"{key} = {json.dumps(value)}" for key, value in self.settings.items())
        self.config.write_text("\n".join(lines) + "\n")

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        return {
            **kept,
            "PYTHONPATH": str(self.source),
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_ENDPOINT_URL": self.aws.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    # The agent.

    def start_agent(self) -> None:
        """Run the agent; it outlives nothing but this test."""
        argv = [sys.executable, str(Path(__file__).parent / "agent_process.py"), str(self.config)]
        self._spawn([*argv, str(PACE_S), self.boot_id])

    def _spawn(self, argv: list[str], **environment: str) -> None:
        with (self.folder / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(
                argv, env={**self.environment, **environment}, stdout=log, stderr=log, cwd="/"
            )

    def start_shipped_agent(self, **environment: str) -> None:
        """Run `python -m picoha.agent run`, at the pace a site has."""
        argv = [sys.executable, "-m", "picoha.agent", "--config", str(self.config), "run"]
        self._spawn(argv, **environment)

    def end_agent(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE_S)
        self.process = None
        return code

    def reboot(self) -> None:
        """Lose every process of the host; disk and files stay."""
        if self.process is not None:
            self.end_agent(signal.SIGKILL)
        self.kill_picos()
        self.boot_id += "+"
        self.start_agent()

    def command(self, *words: str) -> Said:
        """Run a command of the shipped program, in this process: loading boto3 takes longer than it."""
        said, complained = io.StringIO(), io.StringIO()
        with patch.dict(os.environ, self.environment), warnings.catch_warnings():
            # A command ends with its process, and with it the connections that it never closes.
            warnings.simplefilter("ignore", ResourceWarning)
            with redirect_stdout(said), redirect_stderr(complained):
                try:
                    code = main(["--config", str(self.config), *words])
                except SystemExit as ended:
                    code = int(str(ended.code))
            gc.collect()
        return Said(code, said.getvalue(), complained.getvalue())

    @property
    def log(self) -> str:
        return (self.folder / "agent.log").read_text()

    # What the host says and does.

    @property
    def me(self) -> str:
        return self.imds.values["instance-id"]

    @property
    def local_report(self) -> Mapping[str, Any]:
        """The report on the host's own disk, also when AWS is gone; {} where there is none yet."""
        try:
            found: dict[str, Any] = json.loads((self.folder / "run" / "report.json").read_text())
        except FileNotFoundError:
            return {}
        return found

    def reported(self, holds: Callable[[Report], object]) -> Report:
        """Return the first row in the table for which `holds`."""

        def look() -> Report | None:
            row = self.aws.row("ec1", self.me)
            return row if row is not None and holds(row) else None

        try:
            return until(look)  # type: ignore[return-value]  # until returns what is true
        except AssertionError:
            raise AssertionError(f"last row: {self.aws.row('ec1', self.me)}\n{self.log}") from None

    def running(self) -> Report:
        return self.reported(lambda row: row.phase is AgentPhase.RUNNING and row.is_healthy)

    def answers(self, verb: str, answer: str, pico: str = "ec1") -> None:
        """Tell a stand-in what to do instead of its work; "" = its work again."""
        path = self.mz_home / "answers" / f"{verb}-{pico}"
        path.write_text(answer + "\n") if answer else path.unlink(missing_ok=True)

    def pid(self, pico: str = "ec1") -> int:
        """Return the process id of a pico, 0 where it does not run."""
        try:
            number = int((self.mz_home / "run" / f"{pico}.pid").read_text())
        except (FileNotFoundError, ValueError):
            return 0
        return number if is_alive(number) else 0

    @property
    def starts(self) -> list[list[str]]:
        """Every start that a stand-in made: when, for whom, at which epoch, with which MZ_PLATFORM."""
        path = self.mz_home / "run" / "ec1.starts"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def stops(self) -> list[str]:
        path = self.mz_home / "run" / "ec1.stops"
        return path.read_text().splitlines() if path.exists() else []

    def kill_picos(self) -> None:
        for path in (self.mz_home / "run").glob("*.pid"):
            number = int(path.read_text() or 0)
            if number and is_alive(number):
                os.kill(number, signal.SIGKILL)
            path.unlink()

    def close(self) -> None:
        if self.process is not None:
            self.end_agent(signal.SIGKILL)
        self.kill_picos()


def is_alive(number: int) -> bool:
    """Return True if a process runs; one that only waits to be reaped does not."""
    try:
        state = Path(f"/proc/{number}/stat").read_text()
    except FileNotFoundError:
        return False
    return state.rpartition(")")[2].split()[0] not in ("Z", "X")
