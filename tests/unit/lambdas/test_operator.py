"""The module that Lambda imports for the operator function."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

SRC = Path(__file__).parents[3] / "src"
CALL = """
from picoha.lambdas import operator as operator_lambda
class Context:
    aws_request_id = "x"
print(operator_lambda.handler({"schema": 1, "verb": "dance"}, Context())["message"])
"""


def started(**environ: str) -> subprocess.CompletedProcess[str]:
    """Run the module in a process of its own, with credentials that reach nothing."""
    bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    nowhere = {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "PYTHONPATH": str(SRC),
    }
    code = [sys.executable, "-c", CALL]
    return subprocess.run(code, env=bare | nowhere | environ, capture_output=True, text=True, check=False)


def test_the_deployed_module_starts_from_its_environment_and_answers_without_a_table() -> None:
    done = started(AWS_REGION="eu-west-1", PICOHA_CELL="demo")
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1]
    assert last.startswith("OBSERVE demo: request.verb: no command 'dance'; known: ")
    assert last.endswith("; nothing was changed")


def test_a_wrong_environment_ends_it_at_its_import() -> None:
    done = started(AWS_REGION="eu-west-1", PICOHA_CELL="Demo!")
    assert done.returncode == 1
    assert "PICOHA_CELL" in done.stderr.splitlines()[-1]


def test_nothing_of_the_operator_function_can_act() -> None:
    """Neither its handler nor what it is given names the actuators."""
    for name in ("operator", "operator_handler", "operator_request"):
        text = (SRC / "picoha" / "lambdas" / f"{name}.py").read_text()
        assert "actuators" not in text.lower()
    answers = sorted((SRC / "picoha" / "app" / "operator").glob("*.py"))
    assert len(answers) > 3
    for path in answers:
        names = {
            node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)
        }
        assert names & {"actuators", "commit", "note"} == set(), path.name
