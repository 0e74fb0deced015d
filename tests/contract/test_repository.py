"""The repository itself: sizes, pins, and nothing in it that belongs to one machine."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import tokenize
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MADE = {
    ".git",
    ".venv",
    ".venv-sam",
    ".venv-checkov",
    ".aws-sam",
    ".hypothesis",
    "build",
    "dist",
    "__pycache__",
}
PINNED = [*sorted((ROOT / "requirements").glob("*.txt")), ROOT / "src" / "requirements.txt"]
LINES_PER_FILE, LINES_PER_FUNCTION = 300, 40
MODULES_PER_FOLDER = 16
# Lines of code of each room, without blank lines, comments and docstrings; docs/adr/0016 says why.
ROOMS = {
    "adapters": 1900,
    "app": 1800,
    "cli": 1600,
    "domain": 4600,
    "drills": 2200,
    "fakeaws": 3200,
    "host": 2600,
    "lambdas": 850,
    "the start": 420,
}
LINES_OF_ALL = 24_000
STORIES = {
    "platform-host-lost",
    "platform-warm-pool",
    "ec-host-lost",
    "pico-failed-restart-in-place",
    "alarm-twice",
    "false-alarm-recovers",
    "database-down",
    "first-boot",
    "adopt-running",
    "observe-only",
}
# Each doorbell the handler must understand, by a word of its sample's name.
DOORBELLS = {
    "alarm-platform",
    "alarm-single-metric",
    "alarm-composite",
    "alarm-contributor",
    "alarm-through-sns",
    "alarm-through-eventbridge",
    "asg-launch-lifecycle",
    "asg-terminate-lifecycle",
    "asg-launch-successful",
    "asg-launch-unsuccessful",
    "asg-terminate-successful",
    "asg-terminate-unsuccessful",
    "ec2-state-change",
    "spot-interruption",
    "health-retirement",
    "tick-rule",
    "tick-scheduler",
}
# Written so that no pattern matches its own text.
FOREIGN = {
    "a package registry": re.compile(r"pypi[.]org|pythonhosted[.]org|registry[.]npmjs|artifactory[.]"),
    "an index option": re.compile(r"-{2}(?:(?:extra-)?index-url|find-links|trusted-host)[ =]\S"),
    "a path of one machine": re.compile(r"(?<![\w.$}*-])[/](?:root|Users|work|farm)[/]|[/]home[/](?!mz)"),
}


def written_files() -> Iterator[Path]:
    """Yield every file of the tree that somebody wrote, caches and builds left out."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [
            name for name in folders if name not in MADE and not name.endswith((".egg-info", "_cache"))
        ]
        yield from (Path(folder) / name for name in names if name != ".git")


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def source_files() -> list[Path]:
    return sorted((ROOT / "src").rglob("*.py"))


def pins(path: Path) -> dict[tuple[str, str], tuple[str, int]]:
    """Return (name, marker) → (version, number of hashes); only pins, hashes and comments are accepted."""
    found: dict[tuple[str, str], tuple[str, int]] = {}
    key = ("", "")
    for line in read(path).splitlines():
        if pin := re.fullmatch(r"([a-z0-9.-]+)(?:\[[a-z0-9,-]+\])?==([\w.]+)(?: ; (.+?))?(?: \\)?", line):
            key = (pin[1], pin[3] or "")
            found[key] = (pin[2], 0)
        elif re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?", line):
            found[key] = (found[key][0], found[key][1] + 1)
        else:
            assert re.match(r"\s*#|$", line), f"{path.name}: {line}"
    return found


@pytest.mark.parametrize("kind", FOREIGN)
def test_no_file_names(kind: str) -> None:
    leaks = []
    for path in written_files():
        try:
            lines = read(path).splitlines()
        except UnicodeDecodeError:
            continue
        leaks += [f"{path.relative_to(ROOT)}: {line[:120]}" for line in lines if FOREIGN[kind].search(line)]
    assert leaks == []


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("a package registry", "see https://pypi{}org/project/picoha"),
        ("an index option", "--index{}url https://example.com/simple"),
        ("a path of one machine", "cd {}root/picoha"),
    ],
)
def test_the_patterns_find_what_they_are_for(kind: str, line: str) -> None:
    gap = {"a package registry": ".", "an index option": "-", "a path of one machine": "/"}[kind]
    assert FOREIGN[kind].search(line.format(gap))


@pytest.mark.parametrize("path", PINNED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_requirement_is_pinned_with_hashes(path: Path) -> None:
    found = pins(path)
    assert found
    assert [key for key, (_, hashes) in found.items() if hashes == 0] == []


def test_the_function_and_the_tests_use_the_versions_of_the_runtime_file() -> None:
    runtime, dev = (pins(ROOT / "requirements" / f"{name}.txt") for name in ("runtime", "dev"))
    function = pins(ROOT / "src" / "requirements.txt")
    assert {key: dev[key] for key in runtime} == runtime
    assert {key: runtime[key] for key in function} == function


def test_the_function_bundles_its_requirements_but_not_boto3() -> None:
    project = tomllib.loads(read(ROOT / "pyproject.toml"))["project"]
    declared = {re.split(r"[<>=]", dependency)[0] for dependency in project["dependencies"]}
    bundled = {name for name, _ in pins(ROOT / "src" / "requirements.txt")}
    assert declared - bundled == {"boto3"}
    assert not bundled & {"boto3", "botocore", "s3transfer", "click"}


def test_no_source_file_is_longer_than_a_reader_can_hold() -> None:
    lengths = {str(path.relative_to(ROOT)): len(read(path).splitlines()) for path in source_files()}
    assert {name: lines for name, lines in lengths.items() if lines > LINES_PER_FILE} == {}


def lines_of_code(path: Path) -> int:
    """Return the lines of a file that hold code."""
    text = read(path)
    strings: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            strings |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    code: set[int] = set()
    silent = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in silent and token.type != tokenize.ENDMARKER:
            code |= set(range(token.start[0], token.end[0] + 1))
    return len(code - strings)


def room_of(path: Path) -> str:
    """Return the room that a source file stands in; modules beside the rooms put functions together."""
    inside = path.relative_to(ROOT / "src" / "picoha").parts
    return inside[0] if len(inside) > 1 else "the start"


def test_every_room_keeps_its_budget_of_code(figure: Callable[[str], None]) -> None:
    counts = dict.fromkeys(ROOMS, 0)
    for path in source_files():
        counts[room_of(path)] += lines_of_code(path)
    figure("lines of code: " + ", ".join(f"{room} {n:,} of {ROOMS[room]:,}" for room, n in counts.items()))
    assert {room: n for room, n in counts.items() if n > ROOMS[room]} == {}


def test_all_of_the_source_keeps_its_budget_of_lines() -> None:
    assert sum(len(read(path).splitlines()) for path in source_files()) <= LINES_OF_ALL


def test_no_folder_holds_more_modules_than_a_reader_can_overlook() -> None:
    counts = Counter(path.parent for path in source_files())
    assert {str(folder): n for folder, n in counts.items() if n > MODULES_PER_FOLDER} == {}


def test_every_room_says_what_lives_in_it() -> None:
    folders = {path.parent for path in source_files() if path.parent != ROOT / "src"}
    silent = [
        folder.name for folder in folders if not ast.get_docstring(ast.parse(read(folder / "__init__.py")))
    ]
    assert silent == []


def test_no_class_name_stands_twice() -> None:
    names = Counter(
        node.name
        for path in source_files()
        for node in ast.walk(ast.parse(read(path)))
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, n in names.items() if n > 1] == []


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in source_files()
        for node in ast.walk(ast.parse(read(path)))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= LINES_PER_FUNCTION
    ]
    assert long == []


def test_every_ignore_carries_its_reason() -> None:
    bare = re.compile(r"#\s*(?:noqa(?::\s*[A-Z0-9, ]+)?|type:\s*ignore(?:\[[a-z-, ]+\])?)\s*$")
    python = [path for path in written_files() if path.suffix == ".py"]
    assert [
        f"{path.relative_to(ROOT)}:{number}"
        for path in python
        for number, line in enumerate(read(path).splitlines(), start=1)
        if bare.search(line)
    ] == []


def test_every_promised_story_is_there() -> None:
    assert {path.stem for path in (ROOT / "stories").glob("*.toml")} >= STORIES


def test_every_doorbell_has_a_sample_event() -> None:
    assert {path.stem for path in (ROOT / "events").glob("*.json")} >= DOORBELLS


def test_every_sample_event_is_json_and_is_described() -> None:
    described = read(ROOT / "events" / "README.md")
    for path in (ROOT / "events").glob("*.json"):
        assert isinstance(json.loads(read(path)), dict), path.name
        assert path.name in described, f"{path.name} is missing from events/README.md"


def test_the_license_is_the_one_declared() -> None:
    assert tomllib.loads(read(ROOT / "pyproject.toml"))["project"]["license"] == "Apache-2.0"
    license_text = read(ROOT / "LICENSE")
    assert "Apache License" in license_text and "Version 2.0, January 2004" in license_text
    assert "END OF TERMS AND CONDITIONS" in license_text


def test_continuous_integration_runs_make_test() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert read(script).splitlines()[-1] == "exec make test"


def test_make_help_names_every_target() -> None:
    makefile = read(ROOT / "Makefile")
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony
    documented = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    assert set(phony[1].split()) - {"help"} == documented - {"help"}
