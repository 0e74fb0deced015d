"""Every story of stories/ plays in a drill, with the shipped code, and ends as it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from contract.iam_recorder import played
from picoha.drills.drill import run
from picoha.drills.story import read_story

# One worker plays each story once, for this and for the replay of its calls against the policies.
pytestmark = pytest.mark.xdist_group("stories")
STORIES = sorted((Path(__file__).parents[2] / "stories").glob("*.toml"))


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_story_ends_as_it_says(path: Path) -> None:
    report = played(path).report
    assert report.violations == []
    assert report.problems == []


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", ["platform-host-lost", "ec-host-lost", "first-boot"])
def test_story_ends_the_same_whatever_the_seed(name: str, seed: int) -> None:
    path = next(story for story in STORIES if story.stem == name)
    report = run(read_story(path), seed)
    assert (report.violations, report.problems) == ([], [])


def test_a_run_repeats_itself_to_the_letter() -> None:
    path = next(story for story in STORIES if story.stem == "platform-host-lost")
    first, second = run(read_story(path), 7), run(read_story(path), 7)
    assert first == second


def test_a_story_that_ends_otherwise_is_not_ok() -> None:
    story = read_story(next(one for one in STORIES if one.stem == "platform-host-lost"))
    wrong = story.model_copy(update={"at": ()})
    report = run(wrong)
    assert not report.ok
    assert any("platform1: admitted" in problem for problem in report.problems)
