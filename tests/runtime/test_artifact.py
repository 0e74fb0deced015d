"""What is deployed: the folder that `make build` writes, looked at from outside."""

from __future__ import annotations

import filecmp
import io
import re
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.rie import MACHINE, PYTHON

# One worker: these tests share a build and its venv, which are made once.
pytestmark = pytest.mark.xdist_group("runtime")

FUNCTIONS = ("Reconcile", "Operator")
MOST_UNZIPPED, MOST_ZIPPED = 30_000_000, 10_000_000
"""Lambda takes 250 MB unzipped and 50 MB zipped (AWS Lambda quotas); a cold start reads all of it."""
COMPILED = re.compile(r"\.so(\.[0-9.]+)?$")
ARCHITECTURES = re.compile(r"x86_64|aarch64")
BUILD_NOTES = ("WHEEL", "RECORD", ".cyclonedx.json")
"""Files of a wheel that name its architecture, or list its compiled files."""


def files(folder: Path) -> dict[str, Path]:
    """Return the files of a function by path, the architecture in a name replaced."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {ARCHITECTURES.sub("machine", str(path.relative_to(folder))): path for path in found}


def zipped(folder: Path) -> int:
    """Return the size of the function as it is uploaded."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in files(folder).items():
            archive.write(path, name)
    return packed.getbuffer().nbytes


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_function_holds_what_it_runs_and_not_what_lambda_has_or_tests_need(
    name: str, artifacts: Path
) -> None:
    tops = {path.name for path in (artifacts / name).iterdir()}
    assert {"picoha", "pydantic", "aws_lambda_powertools"} <= tops
    assert tops & {"boto3", "botocore", "s3transfer", "urllib3", "click", "moto", "pytest", "tests"} == set()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_function_is_small(name: str, artifacts: Path, figure: Callable[[str], None]) -> None:
    folder = artifacts / name
    unzipped, packed = sum(path.stat().st_size for path in files(folder).values()), zipped(folder)
    figure(f"{name}: {len(files(folder))} files, {unzipped / 1e6:.1f} MB, {packed / 1e6:.1f} MB zipped")
    assert unzipped < MOST_UNZIPPED
    assert packed < MOST_ZIPPED


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_arm64_function_is_the_same_but_for_compiled_files(
    name: str, artifacts: Path, arm64: Path
) -> None:
    if MACHINE == "arm64":
        pytest.skip("this machine is arm64 itself: there is nothing to compare with")
    here, there = files(artifacts / name), files(arm64 / name)
    assert set(here) == set(there)
    differing = {one for one in here if not filecmp.cmp(here[one], there[one], shallow=False)}
    compiled = {one for one in here if COMPILED.search(one)}
    assert compiled
    assert compiled <= differing
    assert {one for one in differing - compiled if not one.endswith(BUILD_NOTES)} == set()


def test_the_interpreter_is_the_one_that_the_functions_are_built_for(artifacts: Path) -> None:
    said = subprocess.run([str(PYTHON), "-V"], capture_output=True, text=True, check=True).stdout
    tags = {name.split(".")[-2] for name in files(artifacts / "Reconcile") if COMPILED.search(name)}
    major, minor = re.findall(r"\d+", said)[:2]
    assert any(f"cpython-{major}{minor}" in tag for tag in tags), tags
