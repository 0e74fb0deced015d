"""Settings come from the environment whole, in range and consistent, or not at all."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from pydantic import ValidationError

from picoha.app.errors import SettingsInvalid
from picoha.domain.policy import Policy
from picoha.settings import Settings, policy_from

TOPIC = "arn:aws:sns:eu-west-1:123456789012:picoha-demo"
LEAST = {"AWS_REGION": "eu-west-1", "PICOHA_CELL": "demo"}


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsInvalid) as refused:
        Settings.load(environ)
    return str(refused.value)


def number_of(value: object) -> int:
    if isinstance(value, timedelta):
        return int(value.total_seconds())
    assert isinstance(value, int)
    return value


def test_cell_and_region_are_enough() -> None:
    settings = Settings.load(LEAST)
    assert (settings.region, settings.cell, settings.table) == ("eu-west-1", "demo", "picoha-demo")
    assert (settings.topic_arn, settings.drive_s) == (None, 50)
    assert settings.policy == Policy()


def test_every_variable_of_its_own_is_taken() -> None:
    environ = LEAST | {
        "PICOHA_TABLE": "other.table",
        "PICOHA_TOPIC_ARN": TOPIC,
        "PICOHA_DRIVE_S": "20",
        "PICOHA_COOL_DOWN": "600",
    }
    settings = Settings.load(environ)
    assert (settings.table, settings.topic_arn) == ("other.table", TOPIC)
    assert settings.drive_s == 20
    assert settings.policy == dataclasses.replace(Policy(), cool_down=timedelta(minutes=10))


def test_variables_of_others_are_left_alone() -> None:
    assert Settings.load(LEAST | {"PATH": "/bin", "POWERTOOLS_LOG_LEVEL": "INFO"}) == Settings.load(LEAST)


def test_empty_value_counts_as_not_set() -> None:
    environ = LEAST | {"PICOHA_TOPIC_ARN": "", "PICOHA_DRIVE_S": "", "PICOHA_BRAKE_DAY": "", "PICOHA_NEW": ""}
    assert Settings.load(environ) == Settings.load(LEAST)
    assert "PICOHA_CELL = not set: must be set" in refusal(LEAST | {"PICOHA_CELL": ""})


def test_settings_cannot_be_changed_or_extended() -> None:
    settings = Settings.load(LEAST)
    with pytest.raises(ValidationError, match="frozen"):
        settings.cell = "other"  # type: ignore[misc]  # the assignment is the test
    with pytest.raises(ValidationError, match="Extra inputs"):
        Settings.model_validate({**settings.model_dump(), "policy": Policy(), "mood": "good"})


def test_every_wrong_variable_is_named_with_value_and_rule() -> None:
    text = refusal(
        {
            "PICOHA_CELL": "Demo",
            "PICOHA_TOPIC_ARN": "picoha-topic",
            "PICOHA_DRIVE_S": "61",
            "PICOHA_SILENT_AFTER": "29",
            "PICOHA_RESTARTS": "many",
            "PICOHA_COOLDOWN": "60",
        }
    )
    for line in (
        "AWS_REGION = not set: must be set",
        "PICOHA_CELL = 'Demo': String should match pattern",
        "PICOHA_TOPIC_ARN = 'picoha-topic': String should match pattern",
        "PICOHA_DRIVE_S = '61': Input should be less than or equal to 60",
        "PICOHA_SILENT_AFTER = '29': must be a whole number of seconds from 30 to 600",
        "PICOHA_RESTARTS = 'many': must be a whole number from 0 to 10",
        "PICOHA_COOLDOWN = '60': is not a setting of picoha",
    ):
        assert line in text


def test_derived_table_is_not_blamed_for_a_wrong_cell() -> None:
    assert "PICOHA_TABLE" not in refusal(LEAST | {"PICOHA_CELL": "no spaces please"})
    assert "PICOHA_TABLE = 'a b'" in refusal(LEAST | {"PICOHA_TABLE": "a b"})


def test_long_value_is_cut_in_the_message() -> None:
    assert "x" * 101 not in refusal(LEAST | {"PICOHA_CELL": "x" * 5000})


@pytest.mark.parametrize("cell", ["a", "prod-eu-1", "a" + "b" * 23])
def test_cell_name_is_accepted(cell: str) -> None:
    assert Settings.load(LEAST | {"PICOHA_CELL": cell}).table == f"picoha-{cell}"


@pytest.mark.parametrize("cell", ["1a", "-a", "a_b", "A", "a" + "b" * 24, "a\n", "é"])
def test_cell_name_is_refused(cell: str) -> None:
    assert "PICOHA_CELL" in refusal(LEAST | {"PICOHA_CELL": cell})


@pytest.mark.parametrize("region", ["eu-west-1", "us-gov-east-1", "ap-southeast-2"])
def test_region_is_accepted(region: str) -> None:
    assert Settings.load(LEAST | {"AWS_REGION": region}).region == region


@pytest.mark.parametrize("region", ["eu-west", "Ireland", "eu west 1"])
def test_region_is_refused(region: str) -> None:
    assert "AWS_REGION" in refusal(LEAST | {"AWS_REGION": region})


@pytest.mark.parametrize(("name", "least", "most"), [("PICOHA_DRIVE_S", 1, 60)])
def test_own_numbers_end_at_their_bounds(name: str, least: int, most: int) -> None:
    for value in (least, most):
        Settings.load(LEAST | {name: str(value)})
    for value in (most + 1, 0, -5):
        assert name in refusal(LEAST | {name: str(value)})


@pytest.mark.parametrize("text", ["1_0", "10.0", " 10", "10 ", "+10", "ten", "1e1", "٣", "9" * 10])
def test_number_that_is_not_plainly_whole_is_refused(text: str) -> None:
    assert "PICOHA_DRIVE_S" in refusal(LEAST | {"PICOHA_DRIVE_S": text})
    with pytest.raises(SettingsInvalid, match="PICOHA_BRAKE_DAY"):
        policy_from({"PICOHA_BRAKE_DAY": text})


def test_no_policy_variable_means_the_default_policy() -> None:
    assert policy_from({}) == Policy()


@pytest.mark.parametrize("field", dataclasses.fields(Policy), ids=lambda field: field.name)
def test_policy_field_is_settable_up_to_its_bounds(field: dataclasses.Field[object]) -> None:
    name = f"PICOHA_{field.name.upper()}"
    least, most = field.metadata["min"], field.metadata["max"]
    assert least <= number_of(field.default) <= most
    for value in (least, most):
        changed = getattr(policy_from({name: str(value)}), field.name)
        assert number_of(changed) == value
        assert type(changed) is type(field.default)
    for value in (least - 1, most + 1):
        with pytest.raises(SettingsInvalid, match=f"{name} = '{value}': must be a whole number"):
            policy_from({name: str(value)})


@pytest.mark.parametrize(
    ("environ", "rule"),
    [
        ({"PICOHA_FRESH_WITHIN": "31"}, "a sign cannot be fresh for longer"),
        ({"PICOHA_SILENT_IMPAIRED_AFTER": "46"}, "must rise in this order"),
        ({"PICOHA_SILENT_UNREACHABLE_AFTER": "91"}, "must rise in this order"),
        ({"PICOHA_SILENT_AFTER": "181"}, "must rise in this order"),
        ({"PICOHA_SILENT_ALONE_AFTER": "60"}, "must rise in this order"),
        ({"PICOHA_BRAKE_HOUR": "7"}, "a day must allow at least as many"),
        ({"PICOHA_FENCE_DEADLINE": "120"}, "a fence must be forced before its deadline"),
        ({"PICOHA_HOOK_HEARTBEAT": "220"}, "half a heartbeat must outlast"),
    ],
)
def test_numbers_right_alone_and_wrong_together_are_refused(environ: dict[str, str], rule: str) -> None:
    text = refusal(LEAST | environ)
    for name in environ:
        assert f"{name} = " in text
    assert rule in text


@pytest.mark.parametrize(
    "environ",
    [
        {"PICOHA_FRESH_WITHIN": "31", "PICOHA_SILENT_IMPAIRED_AFTER": "31"},
        {"PICOHA_SILENT_IMPAIRED_AFTER": "45"},
        {"PICOHA_SILENT_ALONE_AFTER": "90"},
        {"PICOHA_BRAKE_HOUR": "6"},
        {"PICOHA_FENCE_DEADLINE": "121"},
        {"PICOHA_HOOK_HEARTBEAT": "221"},
    ],
)
def test_numbers_just_right_together_are_accepted(environ: dict[str, str]) -> None:
    Settings.load(LEAST | environ)
