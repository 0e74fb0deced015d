"""The built functions, for this machine's architecture and for arm64: built once for all tests here."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from contract.policies import REGION, Deployed, transformed
from contract.templates import ROOT
from picoha.drills.story import Story
from runtime.front import Front, LiveCell
from runtime.rie import MACHINE, PYTHON, Environment

Start = Callable[..., AbstractContextManager[Environment]]


def make(*arguments: str) -> None:
    """Run make, one at a time whichever worker asks: two would write one folder."""
    (ROOT / "build").mkdir(exist_ok=True)
    with (ROOT / "build" / "runtime.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            ["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, env=_plain()
        )
    assert done.returncode == 0, done.stdout + done.stderr


def build(architecture: str) -> Path:
    """Build the functions as `make build` does, in a folder of this worker, and return it."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    folder = ROOT / "build" / f"runtime{worker}" / architecture
    make("build", f"ARCHITECTURE={architecture}", f"BUILD_DIR={folder}")
    return folder


def _plain() -> dict[str, str]:
    """Return the environment without what an outer make would hand on."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}


@pytest.fixture(scope="session")
def interpreter() -> Path:
    """Skip where the function's Python version is not to be had."""
    if os.environ.get("PICOHA_TESTS_WITHOUT_SAM") == "1":
        pytest.skip("PICOHA_TESTS_WITHOUT_SAM=1")
    wanted = re.search(r"^FUNCTION_PYTHON := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert wanted
    find = [str(ROOT / "scripts" / "find_python.sh"), wanted[1]]
    found = subprocess.run(find, capture_output=True, text=True, check=False)
    if found.returncode != 0:
        pytest.skip(f"the functions are built for Python {wanted[1]}: {found.stderr.strip()}")
    make("runtime")
    return PYTHON


@pytest.fixture(scope="session")
def artifacts(interpreter: Path) -> Path:
    """Return the folder of the functions built for this machine, one folder for each."""
    return build(MACHINE)


@pytest.fixture(scope="session")
def arm64(interpreter: Path) -> Path:
    """Return the folder of the functions built as they are deployed."""
    return build("arm64")


@dataclass(frozen=True)
class Function:
    """One function as the deployed template describes it."""

    handler: str
    timeout_s: int
    memory_mb: int
    variables: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="session")
def functions(interpreter: Path) -> dict[str, Function]:
    """Return the functions of the transformed template, by logical id."""
    deployed = Deployed(transformed())
    found: dict[str, dict[str, Any]] = {
        name: deployed.value(one["Properties"])
        for name, one in deployed.resources.items()
        if one["Type"] == "AWS::Lambda::Function"
    }
    return {
        name: Function(one["Handler"], one["Timeout"], one["MemorySize"], one["Environment"]["Variables"])
        for name, one in found.items()
    }


@pytest.fixture
def start(artifacts: Path, functions: dict[str, Function], tmp_path: Path) -> Start:
    """Return what starts an execution environment of a function, with AWS at an endpoint.

    `without` names variables that are not set, `timeout_s` stands for the template's.
    """

    @contextmanager
    def starting(
        name: str = "Reconcile", endpoint: str = "http://127.0.0.1:1", without: str = "", timeout_s: int = 0
    ) -> Iterator[Environment]:
        function = functions[name]
        given = {
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": REGION,
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout_s or function.timeout_s),
            **function.variables,
        }
        given.pop(without, None)
        with Environment(artifacts / name, function.handler, given, tmp_path / "rie.log") as environment:
            yield environment

    return starting


@contextmanager
def living(story: Story) -> Iterator[Front]:
    """Run a cell in real time behind an endpoint."""
    front = Front(LiveCell(story))
    with front.serving():
        yield front
