"""`doctor`, `leave` and the pictures, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from picoha.cli.main import main

STORIES = Path(__file__).parents[3] / "stories"
LOST = str(STORIES / "platform-host-lost.toml")
ON_DRILL = ("--against", "drill")


def picoha(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def test_doctor_finds_nothing_wrong_with_the_demo_cell() -> None:
    told = picoha("doctor", *ON_DRILL)
    assert told.exit_code == 0, told.output
    assert "0 errors, 0 warnings: nothing stands in the way of a failover" in told.output


def test_a_story_with_numbers_of_its_own_has_them_in_both_functions() -> None:
    told = picoha("doctor", *ON_DRILL, "--story", str(STORIES / "brake.toml"), "--at", "0", "--json")
    found = json.loads(told.output)["data"]["findings"]
    assert [one for one in found if one["level"] == "error"] == []
    assert told.exit_code == 0


def test_leave_names_what_comes_first_and_ends_with_1() -> None:
    told = picoha("leave", *ON_DRILL)
    assert told.exit_code == 1
    assert "7 come first" in told.output


def test_a_drill_and_its_record_are_drawn(tmp_path: Path) -> None:
    drawn, shown = tmp_path / "drill.svg", tmp_path / "show.svg"
    assert picoha("drill", LOST, "--svg", str(drawn)).exit_code == 0
    assert picoha("show", "platform1-1-2", *ON_DRILL, "--story", LOST, "--svg", str(shown)).exit_code == 0
    for one in (drawn, shown):
        assert ElementTree.parse(one).getroot().tag.endswith("}svg")


@pytest.mark.parametrize("command", [("drill", LOST), ("show", "platform1-1-2", *ON_DRILL, "--story", LOST)])
def test_a_picture_that_cannot_be_written_is_told(command: tuple[str, ...], tmp_path: Path) -> None:
    told = picoha(*command, "--svg", str(tmp_path / "no" / "where.svg"))
    assert told.exit_code == 2
    assert "writing the picture" in told.output
    assert "No such file or directory; nothing was changed" in told.output


def test_an_operation_that_does_not_exist_draws_nothing(tmp_path: Path) -> None:
    told = picoha("show", "ec1-9-9", *ON_DRILL, "--svg", str(tmp_path / "x.svg"))
    assert told.exit_code == 1
    assert list(tmp_path.iterdir()) == []
