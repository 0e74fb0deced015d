"""The deployed shape: template.yaml as written, and as rendered without Fn::ForEach."""

from __future__ import annotations

import ast
import fnmatch
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import render_template
from contract.templates import (
    CELL,
    CELL_TEMPLATE,
    GAMEDAY,
    PSEUDO,
    READS,
    ROOT,
    SLOTS,
    as_list,
    names_used,
    nodes,
    of_type,
    rendered,
    resolved,
    source,
    statements,
)
from picoha.adapters.aws import host_side, items
from picoha.domain import actions
from picoha.settings import Settings

SAM = ROOT / ".venv-sam" / "bin" / "sam"
CHECKOV = ROOT / ".venv-checkov" / "bin" / "checkov"


@pytest.fixture(scope="module")
def rendered_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("rendered") / "template.yaml"
    assert render_template.main(["--slots", ",".join(SLOTS), "--output", str(output)]) == 0
    return output


@pytest.fixture(params=["source", "rendered"])
def form(request: pytest.FixtureRequest, rendered_file: Path) -> Path:
    return ROOT / "template.yaml" if request.param == "source" else rendered_file


# What the tools say.


def test_sam_validate_with_lint_accepts_it(form: Path) -> None:
    if os.environ.get("PICOHA_TESTS_WITHOUT_SAM") == "1":
        pytest.skip("PICOHA_TESTS_WITHOUT_SAM=1")
    assert SAM.exists(), "no SAM CLI: `make setup` installs it; PICOHA_TESTS_WITHOUT_SAM=1 goes without"
    environment = os.environ | {"SAM_CLI_TELEMETRY": "0"}
    command = [str(SAM), "validate", "--lint", "--template", str(form)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_cfn_lint_accepts_it(form: Path) -> None:
    command = [str(Path(sys.executable).with_name("cfn-lint")), str(form)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_checkov_finds_what_the_skip_list_gives_a_reason_for_and_nothing_else(rendered_file: Path) -> None:
    if os.environ.get("PICOHA_TESTS_WITHOUT_CHECKOV") == "1":
        pytest.skip("PICOHA_TESTS_WITHOUT_CHECKOV=1")
    assert CHECKOV.exists(), (
        "no checkov: `make setup` installs it; PICOHA_TESTS_WITHOUT_CHECKOV=1 goes without"
    )
    skipped = yaml.safe_load((ROOT / ".checkov.yaml").read_text())["skip-check"]
    command = [str(CHECKOV), "--framework", "cloudformation", "--skip-download", "--output", "json", "--file"]
    files = [rendered_file, CELL_TEMPLATE, GAMEDAY / "experiments.yaml"]
    done = subprocess.run(
        [*command, *map(str, files)], cwd=rendered_file.parent, capture_output=True, text=True, check=False
    )
    results = json.loads(done.stdout)["results"]
    assert len(results["passed_checks"]) > 40 and not results["parsing_errors"], done.stderr
    assert {check["check_id"] for check in results["failed_checks"]} == set(skipped)


def test_every_skip_of_checkov_carries_its_reason() -> None:
    skips = [line for line in (ROOT / ".checkov.yaml").read_text().splitlines() if "- CKV" in line]
    assert skips and all(re.search(r"CKV_AWS_\d+ # \w.{20,}", line) for line in skips)


def test_no_yaml_alias_because_cloudformation_does_not_read_them(form: Path) -> None:
    tokens = yaml.scan(form.read_text())
    assert not [token for token in tokens if isinstance(token, yaml.AnchorToken | yaml.AliasToken)]


# The form without Fn::ForEach.


def test_rendered_has_no_loop_and_only_the_serverless_transform() -> None:
    assert rendered()["Transform"] == "AWS::Serverless-2016-10-31"
    assert "Slots" not in rendered()["Parameters"]
    assert not [key for node in nodes(rendered()) for key in node if key.startswith("Fn::ForEach")]
    assert "${Slot}" not in yaml.dump(rendered())


def test_rendered_differs_from_the_source_in_the_loop_only() -> None:
    plain = {key: one for key, one in source()["Resources"].items() if not key.startswith("Fn::ForEach")}
    written_out = {f"SlotAlarm{slot}" for slot in SLOTS}
    assert set(rendered()["Resources"]) == set(plain) | written_out
    for key, resource in plain.items():
        if resource["Type"] != "AWS::Serverless::Function":  # its CodeUri is relative to the file
            assert rendered()["Resources"][key] == resource


def test_rendered_code_is_found_from_where_it_is_written(rendered_file: Path) -> None:
    written = render_template.load(rendered_file.read_text())
    for function in of_type(written, "AWS::Serverless::Function").values():
        assert (rendered_file.parent / function["CodeUri"]).resolve() == ROOT / "src"


@pytest.mark.parametrize("slots", ["", "ec1,EC2", "ec1,ec-2", "ec1,ec1", "1ec", "ec1, ec2"])
def test_a_wrong_slot_list_is_refused_and_nothing_is_written(slots: str, tmp_path: Path) -> None:
    output = tmp_path / "template.yaml"
    assert render_template.main(["--slots", slots, "--output", str(output)]) == 2
    assert not output.exists()


# Doorbells and what becomes of those that fail.


def test_nothing_refers_to_an_id_that_sam_generates() -> None:
    declared = set(source()["Parameters"]) | set(source()["Resources"]) | set(PSEUDO) | {"Slot"}
    assert names_used(source()) - declared == set()


def test_every_function_has_a_failure_destination_and_no_async_retry() -> None:
    settings = of_type(rendered(), "AWS::Lambda::EventInvokeConfig").values()
    aliases = of_type(rendered(), "AWS::Lambda::Alias").values()
    for name in of_type(rendered(), "AWS::Serverless::Function"):
        qualifiers = {aliase["Name"] for aliase in aliases if aliase["FunctionName"] == {"Ref": name}} or {
            "$LATEST"
        }
        covered = [setting for setting in settings if setting["FunctionName"] == {"Ref": name}]
        assert {one["Qualifier"] for one in covered} == qualifiers
        for one in covered:
            assert one["DestinationConfig"]["OnFailure"]["Destination"]
            assert (one["MaximumEventAgeInSeconds"], one["MaximumRetryAttempts"]) == (300, 0)


def test_every_rule_and_the_tick_ring_the_alias_and_keep_what_fails() -> None:
    rules = of_type(rendered(), "AWS::Events::Rule").values()
    targets = [target for rule in rules for target in rule["Targets"]]
    targets += [tick["Target"] for tick in of_type(rendered(), "AWS::Scheduler::Schedule").values()]
    assert len(targets) == 4
    for target in targets:
        assert target["Arn"] == {"Ref": "ReconcileAlias"}
        assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}
        assert {"MaximumEventAgeInSeconds", "MaximumRetryAttempts"} == set(target["RetryPolicy"])


def test_every_rule_may_invoke_the_alias_and_fill_the_dead_letters() -> None:
    [queue] = of_type(rendered(), "AWS::SQS::QueuePolicy").values()
    [statement] = queue["PolicyDocument"]["Statement"]
    [permission] = [
        one
        for one in of_type(rendered(), "AWS::Lambda::Permission").values()
        if one["Principal"] == "events.amazonaws.com"
    ]
    assert permission["FunctionName"] == {"Ref": "ReconcileAlias"}
    for rule in of_type(rendered(), "AWS::Events::Rule").values():
        arn = f"arn:aws:events:eu-west-1:123456789012:rule/{resolved(rule['Name'])}"
        assert fnmatch.fnmatchcase(arn, resolved(permission["SourceArn"]))
        assert fnmatch.fnmatchcase(arn, resolved(statement["Condition"]["ArnLike"]["aws:SourceArn"]))


# Functions.


def test_every_handler_exists() -> None:
    for function in of_type(source(), "AWS::Serverless::Function").values():
        module, _, name = function["Handler"].rpartition(".")
        tree = ast.parse((ROOT / "src" / module.replace(".", "/")).with_suffix(".py").read_text())
        assigned = (t for node in tree.body if isinstance(node, ast.Assign) for t in node.targets)
        names = {target.id for target in assigned if isinstance(target, ast.Name)}
        assert name in names | {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_environment_is_what_settings_read() -> None:
    own_time = {"Reconcile": 15}  # seconds beside the drive: the cold start and the answer
    stand_ins = {
        "CellName": CELL,
        "Topic": f"arn:aws:sns:eu-west-1:123456789012:picoha-{CELL}",
        "LogLevel": "INFO",
    }
    for name, function in of_type(source(), "AWS::Serverless::Function").items():
        variables = function["Environment"]["Variables"]
        environment = {
            key: stand_ins[value["Ref"]] if isinstance(value, dict) and "Ref" in value else resolved(value)
            for key, value in variables.items()
        }
        settings = Settings.load(environment | {"AWS_REGION": "eu-west-1"})
        assert (settings.cell, settings.table) == (CELL, f"picoha-{CELL}")
        assert settings.topic_arn == stand_ins["Topic"]
        if name in own_time:
            assert settings.drive_s + own_time[name] < function["Timeout"]


def test_the_build_uses_the_default_runtime() -> None:
    makefile = (ROOT / "Makefile").read_text()
    found = re.search(r"^FUNCTION_PYTHON := (.+)$", makefile, re.MULTILINE)
    assert found and source()["Parameters"]["Runtime"]["Default"] == f"python{found[1]}"


@pytest.mark.parametrize("command", ["build", "package", "deploy"])
def test_sam_expands_the_loop_on_this_machine(command: str) -> None:
    samconfig = tomllib.loads((ROOT / "samconfig.toml").read_text())
    assert samconfig["default"][command]["parameters"]["language_extensions"] is True


# What the function may do.


def test_no_changing_statement_names_every_resource() -> None:
    for statement in statements(source()):
        changing = [name for name in as_list(statement["Action"]) if not READS.match(name)]
        assert not [name for name in changing if "*" in name], statement["Sid"]
        if changing == ["cloudwatch:PutMetricData"]:  # AWS: knows no resource, only the namespace
            assert statement["Condition"] == {"StringEquals": {"cloudwatch:namespace": "picoha"}}
        elif changing:
            assert "*" not in as_list(statement["Resource"]), statement["Sid"]


def test_every_change_to_hosts_addresses_and_groups_is_limited_to_the_cell() -> None:
    limited = [
        (statement, name)
        for statement in statements(source())
        for name in as_list(statement["Action"])
        if name.startswith(("ec2:", "autoscaling:")) and not READS.match(name)
    ]
    assert limited
    for statement, name in limited:
        key = f"{name.split(':')[0]}:ResourceTag/picoha:cell"
        assert statement["Condition"]["StringEquals"][key] == {"Ref": "CellName"}, statement["Sid"]
        assert hasattr(actions, statement["Sid"]), f"{statement['Sid']} is no action of the domain"


def test_a_host_without_the_owners_signature_cannot_be_terminated() -> None:
    [fence] = [
        statement
        for statement in statements(source())
        if "ec2:TerminateInstances" in as_list(statement["Action"])
    ]
    assert fence["Condition"]["StringEquals"]["ec2:ResourceTag/picoha:fenceable"] == "true"


def test_the_hosts_policy_is_what_the_agent_calls_under_its_own_keys() -> None:
    [policy] = [
        one
        for one in of_type(source(), "AWS::IAM::ManagedPolicy").values()
        if "agent" in one["Description"]["Fn::Sub"]
    ]
    granted = {one["Sid"]: one for one in policy["PolicyDocument"]["Statement"]}
    written = {sid: tuple(sorted(as_list(one["Action"]))) for sid, one in granted.items()}
    assert written == {sid: tuple(sorted(calls)) for sid, calls in host_side.GRANTS.items()}
    for sid, key in (("ReadCell", items.CELL), ("WriteHosts", items.HOSTS)):
        table = resolved(granted[sid]["Resource"])
        assert table == f"arn:aws:dynamodb:eu-west-1:123456789012:table/{items.table_name(CELL)}"
        assert granted[sid]["Condition"] == {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [key]}}


def test_the_memory_survives_the_stack() -> None:
    table = source()["Resources"]["Table"]
    assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
    assert table["Properties"]["DeletionProtectionEnabled"] is True
    assert table["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert [key["AttributeName"] for key in table["Properties"]["KeySchema"]] == ["pk", "sk"]


def test_a_later_stack_may_take_the_table_over_because_all_name_it_and_nothing_refers_to_it() -> None:
    table = source()["Resources"]["Table"]
    assert table["Condition"] == "MakesTable"
    assert source()["Conditions"]["MakesTable"] == {"Fn::Equals": [{"Ref": "TakeOverTable"}, "no"]}
    assert resolved(table["Properties"]["TableName"]) == items.table_name(CELL)
    assert "Table" not in names_used(source())
