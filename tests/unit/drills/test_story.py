"""A story is data: what is left out has a sound default, every mistake is told with its place."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from picoha.adapters.aws.discovery import SlotTags
from picoha.app.errors import SettingsInvalid
from picoha.drills.setup import tags_of
from picoha.drills.story import DEMO, Beat, End, Slot, Story, read_story


def written(place: Path, text: str) -> Path:
    path = place / "story.toml"
    path.write_text(text, encoding="utf-8")
    return path


def told(place: Path, text: str) -> str:
    """Return how a wrong story is refused."""
    path = written(place, text)
    with pytest.raises(SettingsInvalid) as refused:
        read_story(path)
    sentence = str(refused.value)
    assert sentence.startswith(f"story {path}")
    return sentence.removeprefix(f"story {path}")


def test_a_title_is_a_story_of_the_demo_cell_in_enforce(tmp_path: Path) -> None:
    story = read_story(written(tmp_path, 'title = "Nothing happens"'))
    assert (story.title, story.duration_s, story.at, story.slot) == ("Nothing happens", 900, (), DEMO)
    assert (story.cell.name, story.cell.mode, story.cell.start) == ("demo", "enforce", "running")


def test_the_demo_cell_has_the_addresses_of_the_documentation() -> None:
    assert {one.name: (one.hostname, one.address, one.private_ips) for one in DEMO} == {
        "platform1": ("mz-platform", "203.0.113.10", ("10.0.1.10", "10.0.2.20")),
        "ec1": ("ec1host", None, ("10.0.3.11", "10.0.3.31")),
        "ec2": ("ec2host", None, ("10.0.3.12",)),
    }


@pytest.mark.parametrize("slot", DEMO, ids=lambda slot: slot.name)
def test_the_demo_slots_are_declared_as_picoha_reads_them(slot: Slot) -> None:
    given = {key.removeprefix("picoha:"): value for key, value in tags_of("demo", slot).items()}
    spec = SlotTags.model_validate(given).spec()
    assert (spec.name, spec.kind, spec.hostname, spec.fenceable) == (
        slot.name,
        slot.kind,
        slot.hostname,
        True,
    )


def test_dependencies_are_a_tag_only_where_there_are_any() -> None:
    slot = DEMO[1]
    assert "picoha:depends-on" not in tags_of("demo", slot)
    depending = slot.model_copy(update={"depends_on": "rds:mz-db", "fenceable": False})
    tags = tags_of("demo", depending)
    assert (tags["picoha:depends-on"], tags["picoha:fenceable"]) == ("rds:mz-db", "false")


def test_everything_that_is_written_is_read(tmp_path: Path) -> None:
    story = read_story(
        written(
            tmp_path,
            """
            title = "All of it"
            duration_s = 60.5
            settings = { silent_after = 120 }
            timings = { boot_s = 5 }
            dependencies = { "rds:mz-db" = "available" }
            [cell]
            name = "prod"
            mode = "observe"
            start = "unmanaged"
            [[slot]]
            name = "platform1"
            kind = "platform"
            hostname = "mz"
            picos = "platform:7100"
            zone = "c"
            warm_pool = true
            [[at]]
            s = 5
            do = "die"
            slot = "platform1"
            [expect]
            pages = 1
            never = ["granted"]
            [expect.slots.platform1]
            holder = "same"
            """,
        )
    )
    assert (story.duration_s, story.settings, story.timings) == (60.5, {"silent_after": 120}, {"boot_s": 5.0})
    assert story.dependencies == {"rds:mz-db": "available"}
    assert (story.cell.name, story.cell.mode, story.cell.start) == ("prod", "observe", "unmanaged")
    [slot] = story.slot
    assert (slot.zone, slot.warm_pool, slot.fenceable) == ("c", True, True)
    assert story.at == (Beat(s=5, do="die", slot="platform1"),)
    assert (story.expect.pages, story.expect.never) == (1, ("granted",))
    assert story.expect.slots["platform1"].holder == "same"


WRONG = [
    ("", "title: Field required"),
    ("title = 7", "title: Input should be a valid string"),
    ("title = 'x'\nduration_s = 86401", "duration_s: Input should be less than or equal to 86400"),
    ("title = 'x'\nduration_s = nan", "duration_s: Input should be"),
    ("title = 'x'\nslots = []", "slots: Extra inputs are not permitted"),
    ("title = 'x'\n[cell]\nstart = 'warm'", "cell.start: Input should be 'running', 'unmanaged' or 'empty'"),
    ("title = 'x'\n[[at]]\ndo = 'die'", "at.0.s: Field required"),
    ("title = 'x'\n[[at]]\ns = 1", "at.0.do: Field required"),
    ("title = 'x'\n[[at]]\ns = 1\ndo = 'die'\nwhen = 2", "at.0.when: Extra inputs are not permitted"),
    ("title = 'x'\n[[slot]]\nname = 'a'", "slot.0.kind: Field required"),
    (
        "title = 'x'\n[expect.slots.ec1]\nholder = 'none'",
        "expect.slots.ec1.holder: Input should be 'same' or",
    ),
    (
        "title = 'x'\n[settings]\nsilent_after = 'long'",
        "settings.silent_after: Input should be a valid integer",
    ),
]


@pytest.mark.parametrize(("text", "place_and_rule"), WRONG)
def test_a_mistake_is_told_with_its_place_and_rule(tmp_path: Path, text: str, place_and_rule: str) -> None:
    assert f": {place_and_rule}" in told(tmp_path, text)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    sentence = told(tmp_path, "[cell]\nmode = 'on'\n[[at]]\ns = -1\ndo = 'die'")
    assert all(place in sentence for place in ("title: ", "cell.mode: ", "at.0.s: "))


@pytest.mark.parametrize(
    "text", ["[[at]]\ns = 1\ndo = 'die'\nslot = 'ec9'", "[expect.slots.ec9]\nphase = 'active'"]
)
def test_a_slot_that_the_cell_has_not_got_is_told_with_those_it_has(tmp_path: Path, text: str) -> None:
    assert "no slot named ec9; the cell has ec1, ec2, platform1" in told(tmp_path, f"title = 'x'\n{text}")


def test_broken_toml_is_told_with_its_line(tmp_path: Path) -> None:
    assert "line 2" in told(tmp_path, "title = 'x'\n= 3")


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_file_that_cannot_be_read_is_told_with_its_name(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "story.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsInvalid, match=f"reading story {path}: "):
        read_story(path)


SEEN = [(5.0, "ec1: held"), (305.4, "ec1: paged"), (400.0, "ec1: held"), (420.0, "ec2: held")]


@pytest.mark.parametrize(
    ("end", "problems"),
    [
        (End(), []),
        (End(events=("ec1: held", "ec2: held"), never=("admitted",), by={"ec1: held": 5}), []),
        (
            End(events=("ec2: held", "ec1: paged", "ec1: done")),
            ["expected event 'ec1: paged' next, seen instead: []"],
        ),
        (End(never=("paged", "ec1: done")), ["event 'paged' must never happen, and did"]),
        (End(by={"ec1: paged": 305}), ["expected event 'ec1: paged' by 305 s, seen first at 305.4 s"]),
        (End(by={"ec1: done": 900}), ["expected event 'ec1: done' by 900 s, seen never"]),
    ],
)
def test_events_that_end_otherwise_are_told(end: End, problems: list[str]) -> None:
    assert list(end.unmet(SEEN)) == problems


def test_a_story_cannot_be_changed_once_it_is_read() -> None:
    story: Any = Story(title="x")
    with pytest.raises(ValueError, match="frozen"):
        story.title = "y"


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[3] / "stories").glob("*.toml")), ids=lambda path: path.stem
)
def test_every_story_of_the_repository_is_read_and_says_why(path: Path) -> None:
    story = read_story(path)
    assert story.title and story.why
    plain = tomllib.loads(path.read_text())
    assert plain.get("expect"), "a story that expects nothing cannot fail"
