"""The game days: each ends by itself, and reaches nothing outside its cell."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from contract.templates import (
    GAMEDAY,
    PSEUDO,
    READS,
    as_list,
    names_used,
    of_type,
    read,
    rendered,
    resolved,
    statements,
)
from picoha.domain.rules.table import SLOT_RULES

EXPERIMENTS = {
    "KillPlatform": "G1",
    "SilenceAgent": "G2",
    "CutPlatform": "G3",
    "ThrottleController": "G4",
    "Storm": "G7",
}
# AWS: FIS actions reference; what each action calls its targets.
TARGETS = {
    "aws:ec2:stop-instances": ("Instances", "aws:ec2:instance"),
    "aws:ec2:terminate-instances": ("Instances", "aws:ec2:instance"),
    "aws:fis:inject-api-throttle-error": ("Roles", "aws:iam:role"),
    "aws:network:disrupt-connectivity": ("Subnets", "aws:ec2:subnet"),
    "aws:ssm:send-command": ("Instances", "aws:ec2:instance"),
}
NO_RESOURCE = {"FollowCommand"}
"""Changes that AWS allows on every resource only: cancelling a command."""


def template() -> dict[str, Any]:
    return read(GAMEDAY / "experiments.yaml")


def experiments() -> dict[str, dict[str, Any]]:
    return of_type(template(), "AWS::FIS::ExperimentTemplate")


def seconds(duration: str) -> int:
    minutes = re.fullmatch(r"PT(\d+)M", duration)
    assert minutes, duration
    return int(minutes[1]) * 60


def test_cfn_lint_accepts_them() -> None:
    command = [f"{sys.prefix}/bin/cfn-lint", str(GAMEDAY / "experiments.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_name_they_use_is_their_own() -> None:
    declared = set(template()["Parameters"]) | set(template()["Resources"]) | set(PSEUDO)
    assert names_used(template()) - declared == set()


def test_they_are_these_and_each_is_an_output() -> None:
    assert set(experiments()) == set(EXPERIMENTS)
    shown = {one["Value"]["Ref"]: name for name, one in template()["Outputs"].items()}
    assert shown == EXPERIMENTS


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_it_ends_when_picoha_is_silent_or_asks_for_a_human(name: str) -> None:
    stops = {resolved(condition["Value"]) for condition in experiments()[name]["StopConditions"]}
    assert {condition["Source"] for condition in experiments()[name]["StopConditions"]} == {
        "aws:cloudwatch:alarm"
    }
    alarms = of_type(rendered(), "AWS::CloudWatch::Alarm")
    names = (resolved(alarms[one]["AlarmName"]) for one in ("ControllerSilent", "OperationStuck"))
    assert stops == {f"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{one}" for one in names}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_it_reaches_hosts_of_its_cell_by_tag_and_all_else_by_its_own_name(name: str) -> None:
    experiment = experiments()[name]
    assert experiment["ExperimentOptions"]["EmptyTargetResolutionMode"] == "fail"
    for target in experiment["Targets"].values():
        if target["ResourceType"] == "aws:ec2:instance":
            assert target["ResourceTags"]["picoha:cell"] == {"Ref": "CellName"}
            assert target["Filters"] == [{"Path": "State.Name", "Values": ["running"]}]
            assert "ResourceArns" not in target
        else:
            [arn] = target["ResourceArns"]
            assert "*" not in str(arn)
    used = {one for action in experiment["Actions"].values() for one in action["Targets"].values()}
    assert used == set(experiment["Targets"])
    for action in experiment["Actions"].values():
        [(kind, target_name)] = action["Targets"].items()
        expected = TARGETS[action["ActionId"]]
        assert (kind, experiment["Targets"][target_name]["ResourceType"]) == expected


@pytest.mark.parametrize("name", [experiment for experiment in EXPERIMENTS if experiment != "Storm"])
def test_it_reaches_one_slot_only(name: str) -> None:
    for target in experiments()[name]["Targets"].values():
        if target["ResourceType"] == "aws:ec2:instance":
            assert target["ResourceTags"]["picoha:slot"] == {"Ref": "PlatformSlot"}


def test_the_agent_is_silent_long_enough_to_page_and_comes_back_whatever_happens() -> None:
    parameters = experiments()["SilenceAgent"]["Actions"]["silence"]["Parameters"]
    commands = json.loads(parameters["documentParameters"])["commands"]
    assert commands[0] == "systemctl stop picoha-agent"
    assert commands[1] == "trap 'systemctl start picoha-agent' EXIT"
    pause = int(commands[2].removeprefix("sleep "))
    assert 300 + 60 < pause < seconds(parameters["duration"])


def test_what_is_throttled_is_what_the_controller_calls() -> None:
    parameters = experiments()["ThrottleController"]["Actions"]["throttle"]["Parameters"]
    policy = of_type(rendered(), "AWS::Serverless::Function")["Reconcile"]["Policies"]
    called = {
        one.partition(":")[2]
        for document in policy
        for statement in document["Statement"]
        for one in as_list(statement["Action"])
        if one.startswith("ec2:")
    }
    assert parameters["service"] == "ec2"
    assert set(parameters["operations"].split(",")) <= called


def test_its_role_may_change_only_the_cells_hosts() -> None:
    for statement in statements(template()):
        changing = [one for one in as_list(statement["Action"]) if not READS.match(one)]
        assert not [one for one in as_list(statement["Action"]) if "*" in one]
        if changing and statement["Sid"] not in NO_RESOURCE:
            assert "*" not in as_list(statement["Resource"]), statement["Sid"]
        if changing and "instance/" in str(statement["Resource"]):
            [(key, wanted)] = statement["Condition"]["StringEquals"].items()
            assert key.lower().endswith(":resourcetag/picoha:cell")
            assert wanted == {"Ref": "CellName"}


def test_the_page_names_every_experiment_with_a_story_and_rules_that_exist() -> None:
    page = (GAMEDAY / "README.md").read_text()
    rows = dict(re.findall(r"^\| (G\d+) \| (.+) \|$", page, re.MULTILINE))
    assert set(rows) == set(EXPERIMENTS.values())
    for row in rows.values():
        [*_, story] = re.findall(r"\]\((\.\./\.\./stories/[\w-]+\.toml)\)", row)
        assert (GAMEDAY / story).exists()
    assert all((GAMEDAY / link).exists() for link in re.findall(r"\]\(([^)#]+)\)", page))
    numbers = {int(one) for one in re.findall(r"rule (\d+)", page)}
    assert numbers and numbers <= {rule.number for rule in SLOT_RULES}
