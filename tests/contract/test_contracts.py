"""The contracts of import-linter can fail: each is broken by one import in a copy of the source."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BROKEN = {
    # a word of the contract's name: the module that breaks it, and the import that does
    "layers: what people": ("domain/codec.py", "import picoha.settings"),
    "layers of the host": ("host/core/names.py", "import picoha.host.system.files"),
    "no circle": ("domain/rules/messages.py", "import picoha.domain.rules.steps"),
    "fakeaws is AWS alone": ("fakeaws/shapes.py", "import picoha.domain.model"),
    "nothing that runs in AWS or on a host": ("app/drive.py", "import picoha.fakeaws.shapes"),
    "domain is pure": ("domain/policy.py", "import time"),
    "app knows ports only": ("app/act.py", "import os"),
    "boto3 only in adapters": ("lambdas/respond.py", "import boto3"),
    "the agent stays light": ("host/system/loop.py", "import pydantic"),
    "the agent's start loads boto3 alone": ("agent.py", "import aws_lambda_powertools"),
    "host.core is pure": ("host/core/probe.py", "import socket"),
}
FUTURE = "from __future__ import annotations\n"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Lint a copy of the source in which every contract is broken once."""
    root = tmp_path_factory.mktemp("broken")
    shutil.copytree(ROOT / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    for name, line in BROKEN.values():
        path = root / "src" / "picoha" / name
        text = path.read_text()
        assert FUTURE in text, name
        path.write_text(text.replace(FUTURE, f"{FUTURE}{line}\n", 1))
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [linter, "--no-cache"],
        cwd=root,
        env={"PYTHONPATH": str(root / "src"), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
    )
    return re.sub(r"\s+", " ", done.stdout.partition("Broken contracts")[0])


def names() -> list[str]:
    """Return the names of the contracts, as pyproject.toml has them."""
    text = (ROOT / "pyproject.toml").read_text()
    return re.findall(r'(?ms)^\[\[tool\.importlinter\.contracts\]\]\nname = "(.+?)"$', text)


def test_every_contract_has_an_import_that_breaks_it() -> None:
    assert [name for name in names() if not any(name.startswith(word) for word in BROKEN)] == []


@pytest.mark.parametrize("name", names())
def test_each_contract_is_broken_by_one_import(report: str, name: str) -> None:
    assert f"{name} BROKEN" in report
