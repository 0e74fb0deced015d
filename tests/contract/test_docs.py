"""The documents: what they quote is what commands print, and what they name exists."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

import write_docs
from picoha.cli.main import main
from picoha.domain.record import RequestVerb
from picoha.domain.rules.table import LAUNCH_RULES, SLOT_RULES
from picoha.drills import story as story_format
from picoha.drills.account import HostTimes
from picoha.drills.drill import run
from picoha.drills.story import read_story
from picoha.drills.verbs.table import VERBS
from picoha.fakeaws.ec2.instances import Timings

ROOT = Path(__file__).parents[2]
STORY_FORMAT = ROOT / "stories" / "README.md"
GLOSSARY = ROOT / "docs" / "glossary.md"
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("stories/*.md"), *ROOT.glob("events/*.md")]
)
# events/README.md is the sample's own page and speaks of commands to come; the others name what is there.
NAMING = [path for path in DOCUMENTS if path.parent.name != "events"]
ADRS = sorted((ROOT / "docs" / "adr").glob("*.md"))
ADR_PARTS = ["Context", "Decision", "Consequences", "What would change our mind"]
LINES_OF_A_PAGE = 60
FIXED_TIMES = {"start_s"}
"""Read by nobody from a story: it is a time per type of pico."""


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def code_of(path: Path) -> tuple[str, ...]:
    """Return the code of a document: its code spans, and the lines of its blocks up to a comment."""
    text = read(path)
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    prose = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    indented = re.findall(r"^ {4}(\S.*)$", prose, re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines()] + indented
    return (*re.findall(r"`([^`\n]+)`", prose), *(re.split(r"\s#\s", line)[0] for line in lines))


@cache
def written() -> dict[str, str]:
    return {relative(path): text for path, text in write_docs.documents().items()}


WRITTEN = ["README.md", "docs/host.md", "docs/rules.md", "stories/README.md"]


@pytest.mark.parametrize("name", WRITTEN)
def test_what_a_document_quotes_is_what_the_command_prints(name: str) -> None:
    assert set(written()) == set(WRITTEN)
    assert read(ROOT / name) == written()[name], f"{name} is stale: make docs"


def test_the_demo_of_the_readme_is_what_make_demo_runs() -> None:
    typed, arguments = write_docs.BLOCKS["demo"]
    recipe = re.search(r"^demo:.*\n\t@\$\(BIN\)/picoha (.+)$", read(ROOT / "Makefile"), re.MULTILINE)
    assert typed == "make demo"
    assert recipe and tuple(recipe[1].split()) == arguments


def test_a_block_is_replaced_between_its_markers_only() -> None:
    text = "a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb\n"
    assert write_docs.with_block(text, "x", r"new \1") == text.replace("old", r"new \1")
    for wrong in ("no marker", text + text):
        with pytest.raises(ValueError, match="markers"):
            write_docs.with_block(wrong, "x", "new")


def anchors(path: Path) -> set[str]:
    """Return the anchors that the headings of a document get."""
    headings = re.findall(r"^#+ (.+)$", read(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", read(path)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        is_there = target.exists() and (not anchor or anchor in anchors(target))
        dead += [] if is_there else [link]
    assert dead == []


def commands_named(path: Path) -> set[str]:
    return {name for one in code_of(path) for name in re.findall(r"(?:^|[\s/])picoha ([a-z][a-z-]*)", one)}


@pytest.mark.parametrize("path", NAMING, ids=relative)
def test_every_command_that_is_named_exists(path: Path) -> None:
    assert isinstance(main, click.Group)
    assert commands_named(path) - set(main.commands) == set()


@pytest.mark.parametrize("path", NAMING, ids=relative)
def test_every_option_that_is_shown_exists(path: Path) -> None:
    assert isinstance(main, click.Group)
    wrong = []
    for line in code_of(path):
        for name, rest in re.findall(r"(?:^|[\s/])picoha ([a-z][a-z-]*)((?: +[^\s|]+)*)", line):
            options = {text for param in main.commands[name].params for text in param.opts}
            wrong += [one for one in re.findall(r"--[a-z-]+", rest) if one not in options]
    assert wrong == []


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## ", read(ROOT / "Makefile"), re.MULTILINE))


@pytest.mark.parametrize("path", NAMING, ids=relative)
def test_every_make_target_that_is_named_exists(path: Path) -> None:
    lines = [match for one in code_of(path) for match in re.findall(r"(?:^|\s)make ((?:[a-z-]+ ?)+)", one)]
    assert {name for line in lines for name in line.split()} - targets() == set()


def test_contributing_names_every_target_but_the_plain_ones() -> None:
    named = {name for one in code_of(ROOT / "CONTRIBUTING.md") for name in re.findall(r"[a-z-]+", one)}
    assert targets() - {"help", "setup", "clean"} <= named


@cache
def defined_tests() -> frozenset[str]:
    trees = (ast.parse(read(path)) for path in (ROOT / "tests").rglob("test_*.py"))
    return frozenset(
        node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)
    )


@pytest.mark.parametrize("path", NAMING, ids=relative)
def test_every_test_that_is_named_as_a_proof_exists(path: Path) -> None:
    named = {one for one in code_of(path) if re.fullmatch(r"test_\w+", one)}
    assert named - defined_tests() == set()


@cache
def golden_names() -> frozenset[str]:
    files = (ROOT / "tests" / "unit" / "domain" / "golden").glob("*.toml")
    return frozenset(
        f"{path.name}: {case['name']}" for path in files for case in tomllib.loads(read(path))["case"]
    )


@pytest.mark.parametrize("path", NAMING, ids=relative)
def test_every_golden_decision_that_is_named_as_a_proof_exists(path: Path) -> None:
    named = {one for one in code_of(path) if re.fullmatch(r"\w+\.toml: .+", one) and one != "file.toml: name"}
    assert named - golden_names() == set()


@pytest.mark.parametrize("path", [path for path in NAMING if path.name != "rules.md"], ids=relative)
def test_every_rule_that_is_named_exists(path: Path) -> None:
    numbers = {row.number for row in SLOT_RULES} | {row.number for row in LAUNCH_RULES}
    lists = re.findall(r"\brules? ((?:[0-9]{3}(?:, | and )?)+)", read(path))
    named = {int(number) for one in lists for number in re.findall(r"[0-9]{3}", one)}
    assert named - numbers == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_every_path_that_is_named_exists(path: Path) -> None:
    roots = ("src/", "tests/", "docs/", "stories/", "events/", "scripts/", "benchmarks/", "requirements/")
    bases = [ROOT, ROOT / "src" / "picoha"]
    rooms = [f"{folder.name}/" for folder in bases[1].iterdir() if (folder / "__init__.py").exists()]
    named = {
        word
        for one in code_of(path)
        for word in re.findall(r"[\w./*-]+", one)
        if word.startswith((*roots, *rooms))
    }
    found = {
        one
        for one in named
        for base in bases
        for form in (one.rstrip("/"), f"{one}.py")
        if list(base.glob(form))
    }
    assert named - found == set()


def refused_words() -> list[str]:
    *_, section = re.split(r"^## Not used$", read(GLOSSARY), flags=re.MULTILINE)
    return re.findall(r"`([a-z-]+)`", section)


def test_no_document_uses_a_word_that_the_glossary_refuses() -> None:
    assert {"master", "slave", "manager", "helper"} <= set(refused_words())
    pattern = re.compile(rf"\b(?:{'|'.join(refused_words())})s?\b", re.IGNORECASE)
    used = {}
    for path in DOCUMENTS:
        text = read(path).split("## Not used")[0] if path == GLOSSARY else read(path)
        used[relative(path)] = pattern.findall(text)
    assert {name: words for name, words in used.items() if words} == {}


def test_no_document_names_a_host_of_the_internet_but_the_ones_it_cites() -> None:
    cited = {"keepachangelog.com", "semver.org"}
    hosts = {host for path in DOCUMENTS for host in re.findall(r"https?://([\w.-]+)", read(path))}
    assert hosts <= cited


@pytest.mark.parametrize("path", ADRS, ids=lambda path: path.stem[:4])
def test_a_decision_has_its_date_its_status_and_its_four_parts_on_one_page(path: Path) -> None:
    text = read(path)
    title, _, dated, *_ = text.splitlines()
    assert title.startswith(f"# {path.stem[:4]} ")
    assert re.match(r"2026-\d\d-\d\d · (accepted|superseded by \[\d{4}\])", dated)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ADR_PARTS
    assert len(text.splitlines()) <= LINES_OF_A_PAGE


def test_every_decision_is_linked_from_the_architecture() -> None:
    linked = re.findall(r"\(adr/([\w-]+\.md)\)", read(ROOT / "docs" / "architecture.md"))
    assert linked == [path.name for path in ADRS]


# The story format.


def section(title: str) -> str:
    """Return one section of the story format, without the ones below it."""
    found = re.search(
        rf"^### {re.escape(title)}$\n(.*?)(?=^##)", read(STORY_FORMAT), re.DOTALL | re.MULTILINE
    )
    assert found, title
    return found[1]


def keys_of(text: str) -> list[str]:
    """Return what stands in code in the first column of a section's tables."""
    columns = re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE)
    return [name for column in columns for name in re.findall(r"`\[*([\w.-]+)\]*`", column)]


@pytest.mark.parametrize(
    ("title", "model"),
    [
        ("`[cell]`", story_format.Cell),
        ("`[[slot]]`", story_format.Slot),
    ],
)
def test_every_key_of_a_part_is_documented_and_no_other(title: str, model: type[BaseModel]) -> None:
    assert sorted(keys_of(section(title))) == sorted(model.model_fields)


def test_every_key_of_a_story_is_documented_and_no_other() -> None:
    _, _, whole = read(STORY_FORMAT).partition("\n## The file\n")
    assert sorted(keys_of(whole.split("\n###")[0])) == sorted(story_format.Story.model_fields)


def test_every_timing_is_documented_and_no_other() -> None:
    known = {*Timings.__dataclass_fields__, *HostTimes.__dataclass_fields__} - FIXED_TIMES
    assert sorted(keys_of(section("`[timings]`"))) == sorted(known)


def verb_rows() -> dict[str, set[str]]:
    """Return verb → arguments, as the table of verbs has them."""
    _, _, table = section("`[[at]]`").partition("| verb |")
    rows = re.findall(r"^\| `([\w-]+)` \| ([^|]+) \|", table, re.MULTILINE)
    return {verb: set(re.findall(r"`(\w+)`", arguments)) for verb, arguments in rows}


def test_every_verb_is_documented_with_arguments_that_exist() -> None:
    assert sorted(verb_rows()) == sorted(VERBS)
    known = set(story_format.Beat.model_fields) - {"s", "do"}
    assert set().union(*verb_rows().values()) == known
    fields, _, _ = section("`[[at]]`").partition("| verb |")
    assert set(keys_of(fields)) == set(story_format.Beat.model_fields)


def test_every_verb_takes_what_is_documented_wherever_a_story_uses_it() -> None:
    undocumented = []
    for path in sorted((ROOT / "stories").glob("*.toml")):
        for beat in tomllib.loads(read(path)).get("at", []):
            given = set(beat) - {"s", "do"}
            undocumented += [f"{path.name}: {beat['do']} {one}" for one in given - verb_rows()[beat["do"]]]
    assert undocumented == []


def test_every_request_that_a_story_can_make_is_documented() -> None:
    row = next(line for line in section("`[[at]]`").splitlines() if line.startswith("| `ask`"))
    assert {verb.value for verb in RequestVerb} <= set(re.findall(r"`([\w-]+)`", row))


def test_every_expectation_is_documented_and_no_other() -> None:
    whole, _, of_a_slot = section("`[expect]`").partition("| key of ")
    expected = {name.partition(".")[2].partition(".")[0] or name for name in keys_of(whole)}
    assert expected == set(story_format.End.model_fields)
    assert set(re.findall(r"^\| `(\w+)` \|", of_a_slot, re.MULTILINE)) == set(
        story_format.SlotEnd.model_fields
    )


def test_the_example_of_the_story_format_ends_as_it_says(tmp_path: Path) -> None:
    example = re.search(r"^```toml\n(.*?)^```", read(STORY_FORMAT), re.DOTALL | re.MULTILINE)
    assert example
    path = tmp_path / "own.toml"
    path.write_text(example[1], encoding="utf-8")
    report = run(read_story(path))
    assert (report.problems, report.violations) == ([], [])


def test_every_story_is_listed_with_its_title() -> None:
    listed = dict(
        re.findall(r"^\| \[[\w-]+\]\(([\w-]+\.toml)\) \| ([^|]+) \|", read(STORY_FORMAT), re.MULTILINE)
    )
    assert listed == {path.name: read_story(path).title for path in (ROOT / "stories").glob("*.toml")}
