"""One Lambda execution environment on this machine: AWS's runtime interface emulator around a built function.

The emulator comes in the SAM CLI's wheel, the runtime client is awslambdaric. Its limits: it crashes when
invoked twice at once (hence the lock), starts the function inside the first invocation and on its time,
and reports the start's duration only in its log.
"""

from __future__ import annotations

import http.client
import json
import os
import platform
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.templates import ROOT

PYTHON = ROOT / "build" / "lambda" / "bin" / "python"
"""The function's own Python version with the runtime client: `make runtime`."""
MACHINE = {"AMD64": "x86_64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
START_S = 10.0
LONGEST_S = 100.0
"""Longer than any function's timeout: the emulator answers by itself before."""
PATH = "/2015-03-31/functions/function/invocations"


@dataclass(frozen=True)
class Answer:
    """What Lambda answered: `body` is JSON, or text when the function was ended."""

    status: int
    body: Any

    @property
    def error(self) -> str | None:
        """The type of the error, None for a reply."""
        return self.body.get("errorType") if isinstance(self.body, dict) else str(self.body)


def emulator() -> Path:
    """Return the emulator of this machine's architecture, out of the SAM CLI's wheel."""
    [found] = (ROOT / ".venv-sam").glob(
        f"lib/python3*/site-packages/samcli/local/rapid/aws-lambda-rie-{MACHINE}"
    )
    return found


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


class Environment:
    """One execution environment of a built function; `variables` are all that the function is given."""

    def __init__(self, artifact: Path, handler: str, variables: Mapping[str, str], log: Path) -> None:
        self._artifact, self._handler, self._log = artifact, handler, log
        self._port, api = _free_port(), _free_port()
        self._lock = threading.Lock()
        # A deployed function cannot write to its own folder: nothing may be cached between two starts.
        task = {
            "LAMBDA_TASK_ROOT": str(artifact),
            "PYTHONPATH": str(artifact),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self._variables = {"PATH": "/usr/bin:/bin", **task, **variables}
        self._command = [str(emulator()), "--log-level", "info"]
        self._command += ["--runtime-interface-emulator-address", f"127.0.0.1:{self._port}"]
        self._command += ["--runtime-api-address", f"127.0.0.1:{api}"]
        self._command += [str(PYTHON), "-m", "awslambdaric", handler]

    def __enter__(self) -> Environment:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._artifact,
                env=self._variables,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
                return self
            except OSError:
                time.sleep(0.01)
        self.__exit__()
        raise TimeoutError(f"the emulator did not listen within {START_S} s: {self.log()}")

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def invoke(self, event: Any) -> Answer:
        """Invoke the function and wait for its answer."""
        with self._lock:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=LONGEST_S)
            connection.request("POST", PATH, json.dumps(event))
            response = connection.getresponse()
            text = response.read().decode()
            connection.close()
        try:
            return Answer(response.status, json.loads(text))
        except ValueError:
            return Answer(response.status, text)

    def log(self) -> str:
        """Return what emulator and function wrote so far."""
        return self._log.read_text(errors="replace")

    def lines(self) -> list[dict[str, Any]]:
        """Return the function's own log lines."""
        written = (line for line in self.log().splitlines() if line.startswith('{"level"'))
        return [json.loads(line) for line in written]

    def init_ms(self) -> list[float]:
        """Return how long each start of the function took; a failed one that is tried again counts 0."""
        return [float(one) for one in re.findall(r"INIT REPORT\(durationMs: ([0-9.]+)\)", self.log())]
