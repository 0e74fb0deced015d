"""The deployed shape: template.yaml as written, and as rendered without Fn::ForEach."""

from __future__ import annotations

import ast
import fnmatch
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import render_template
from picoha.domain import actions
from picoha.settings import Settings

ROOT = Path(__file__).parents[2]
SAM = ROOT / ".venv-sam" / "bin" / "sam"
SLOTS = ["platform1", "ec1", "ec2"]
CELL = "demo"
PSEUDO = {"AWS::AccountId", "AWS::Partition", "AWS::Region", "AWS::StackName", "AWS::NoValue"}
READS = re.compile(r"[a-z0-9]+:(Describe|Get|List|Query|ConditionCheck)\w*$")

Template = dict[str, Any]


@pytest.fixture(scope="module")
def source() -> Template:
    return render_template.load((ROOT / "template.yaml").read_text())


@pytest.fixture(scope="module")
def rendered_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("rendered") / "template.yaml"
    assert render_template.main(["--slots", ",".join(SLOTS), "--output", str(output)]) == 0
    return output


@pytest.fixture(scope="module")
def rendered(rendered_file: Path) -> Template:
    return render_template.load(rendered_file.read_text())


@pytest.fixture(params=["source", "rendered"])
def form(request: pytest.FixtureRequest, rendered_file: Path) -> Path:
    return ROOT / "template.yaml" if request.param == "source" else rendered_file


def of_type(template: Template, name: str) -> dict[str, dict[str, Any]]:
    """Return the properties of the resources of one type, those inside a loop left out."""
    plain = {key: one for key, one in template["Resources"].items() if not key.startswith("Fn::ForEach")}
    return {key: one["Properties"] for key, one in plain.items() if one["Type"] == name}


def statements(template: Template) -> list[dict[str, Any]]:
    """Return every IAM statement that grants something to one of our own roles."""
    documents = [
        policy
        for function in of_type(template, "AWS::Serverless::Function").values()
        for policy in function["Policies"]
    ]
    documents += [
        policy["PolicyDocument"]
        for role in of_type(template, "AWS::IAM::Role").values()
        for policy in role["Policies"]
    ]
    return [statement for document in documents for statement in document["Statement"]]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def resolved(value: Any) -> str:
    """Return the text a Fn::Sub gives in the demo cell."""
    known = {"AWS::Partition": "aws", "AWS::Region": "eu-west-1", "AWS::AccountId": "123456789012"}
    return re.sub(r"\$\{([^}]+)}", lambda found: (known | {"CellName": CELL})[found[1]], value["Fn::Sub"])


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping inside the value, the value included."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(inner)


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


def test_no_yaml_alias_because_cloudformation_does_not_read_them(form: Path) -> None:
    tokens = yaml.scan(form.read_text())
    assert not [token for token in tokens if isinstance(token, yaml.AnchorToken | yaml.AliasToken)]


# The form without Fn::ForEach.


def test_rendered_has_no_loop_and_only_the_serverless_transform(rendered: Template) -> None:
    assert rendered["Transform"] == "AWS::Serverless-2016-10-31"
    assert "Slots" not in rendered["Parameters"]
    assert not [key for node in nodes(rendered) for key in node if key.startswith("Fn::ForEach")]
    assert "${Slot}" not in yaml.dump(rendered)


def test_rendered_differs_from_the_source_in_the_loop_only(source: Template, rendered: Template) -> None:
    plain = {key: one for key, one in source["Resources"].items() if not key.startswith("Fn::ForEach")}
    written_out = {f"SlotAlarm{slot}" for slot in SLOTS}
    assert set(rendered["Resources"]) == set(plain) | written_out
    for key, resource in plain.items():
        if resource["Type"] != "AWS::Serverless::Function":  # its CodeUri is relative to the file
            assert rendered["Resources"][key] == resource


def test_rendered_code_is_found_from_where_it_is_written(rendered: Template, rendered_file: Path) -> None:
    for function in of_type(rendered, "AWS::Serverless::Function").values():
        assert (rendered_file.parent / function["CodeUri"]).resolve() == ROOT / "src"


@pytest.mark.parametrize("slots", ["", "ec1,EC2", "ec1,ec-2", "ec1,ec1", "1ec", "ec1, ec2"])
def test_a_wrong_slot_list_is_refused_and_nothing_is_written(slots: str, tmp_path: Path) -> None:
    output = tmp_path / "template.yaml"
    assert render_template.main(["--slots", slots, "--output", str(output)]) == 2
    assert not output.exists()


# Alarms.


def test_default_m_of_n_can_be_met(source: Template) -> None:
    parameters = source["Parameters"]
    m, n = parameters["DatapointsToAlarm"], parameters["EvaluationPeriods"]
    assert 1 <= m["Default"] <= n["Default"]
    assert m["MaxValue"] <= n["MaxValue"]


def test_every_alarm_says_what_missing_data_means(source: Template) -> None:
    alarms = [node for node in nodes(source["Resources"]) if node.get("Type") == "AWS::CloudWatch::Alarm"]
    assert alarms
    for alarm in alarms:
        assert alarm["Properties"]["TreatMissingData"] in ("breaching", "notBreaching", "ignore")


@pytest.mark.parametrize("slot", SLOTS)
def test_each_slot_has_an_alarm_on_failure_and_on_silence(rendered: Template, slot: str) -> None:
    alarm = of_type(rendered, "AWS::CloudWatch::Alarm")[f"SlotAlarm{slot}"]
    assert resolved(alarm["AlarmName"]) == f"picoha-{CELL}-{slot}"
    measured, judged = alarm["Metrics"]
    assert measured["MetricStat"]["Stat"] == "Minimum"
    metric = measured["MetricStat"]["Metric"]
    assert (metric["Namespace"], metric["MetricName"]) == ("picoha", "Healthy")
    dimensions = {one["Name"]: one["Value"] for one in metric["Dimensions"]}
    assert dimensions == {"Cell": {"Ref": "CellName"}, "Slot": slot}
    assert judged["Expression"] == f"FILL({measured['Id']}, 0)"
    assert [one["Id"] for one in alarm["Metrics"] if one["ReturnData"]] == [judged["Id"]]
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)
    assert alarm["TreatMissingData"] == "breaching"


def test_every_slot_alarm_may_invoke_what_it_names(rendered: Template) -> None:
    granted = [
        permission
        for permission in of_type(rendered, "AWS::Lambda::Permission").values()
        if permission["Principal"] == "lambda.alarms.cloudwatch.amazonaws.com"
    ]
    assert len(granted) == 1
    assert granted[0]["Action"] == "lambda:InvokeFunction"
    assert granted[0]["SourceAccount"] == {"Ref": "AWS::AccountId"}
    for alarm in of_type(rendered, "AWS::CloudWatch::Alarm").values():
        assert alarm["AlarmActions"] == [granted[0]["FunctionName"]]
        arn = f"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{resolved(alarm['AlarmName'])}"
        assert fnmatch.fnmatchcase(arn, resolved(granted[0]["SourceArn"]))


# Doorbells and what becomes of those that fail.


def test_nothing_refers_to_an_id_that_sam_generates(source: Template) -> None:
    declared = set(source["Parameters"]) | set(source["Resources"]) | PSEUDO | {"Slot"}
    used: set[str] = set()
    for node in nodes(source):
        if "Ref" in node:
            used.add(node["Ref"])
        used.update(as_list(node.get("DependsOn", [])))
        if "Fn::GetAtt" in node:
            used.add(node["Fn::GetAtt"][0])
        if "Fn::Sub" in node:
            used.update(name.split(".")[0] for name in re.findall(r"\$\{([^}]+)}", node["Fn::Sub"]))
    assert used - declared == set()


def test_every_function_has_a_failure_destination_and_no_async_retry(rendered: Template) -> None:
    settings = of_type(rendered, "AWS::Lambda::EventInvokeConfig").values()
    aliases = of_type(rendered, "AWS::Lambda::Alias").values()
    for name in of_type(rendered, "AWS::Serverless::Function"):
        qualifiers = {one["Name"] for one in aliases if one["FunctionName"] == {"Ref": name}}
        covered = [one for one in settings if one["FunctionName"] == {"Ref": name}]
        assert {one["Qualifier"] for one in covered} == qualifiers != set()
        for one in covered:
            assert one["DestinationConfig"]["OnFailure"]["Destination"]
            assert (one["MaximumEventAgeInSeconds"], one["MaximumRetryAttempts"]) == (300, 0)


def test_every_rule_and_the_tick_ring_the_alias_and_keep_what_fails(rendered: Template) -> None:
    rules = of_type(rendered, "AWS::Events::Rule").values()
    targets = [target for rule in rules for target in rule["Targets"]]
    targets += [tick["Target"] for tick in of_type(rendered, "AWS::Scheduler::Schedule").values()]
    assert len(targets) == 4
    for target in targets:
        assert target["Arn"] == {"Ref": "ReconcileAlias"}
        assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}
        assert {"MaximumEventAgeInSeconds", "MaximumRetryAttempts"} == set(target["RetryPolicy"])


def test_every_rule_may_invoke_the_alias_and_fill_the_dead_letters(rendered: Template) -> None:
    [queue] = of_type(rendered, "AWS::SQS::QueuePolicy").values()
    [statement] = queue["PolicyDocument"]["Statement"]
    [permission] = [
        one
        for one in of_type(rendered, "AWS::Lambda::Permission").values()
        if one["Principal"] == "events.amazonaws.com"
    ]
    assert permission["FunctionName"] == {"Ref": "ReconcileAlias"}
    for rule in of_type(rendered, "AWS::Events::Rule").values():
        arn = f"arn:aws:events:eu-west-1:123456789012:rule/{resolved(rule['Name'])}"
        assert fnmatch.fnmatchcase(arn, resolved(permission["SourceArn"]))
        assert fnmatch.fnmatchcase(arn, resolved(statement["Condition"]["ArnLike"]["aws:SourceArn"]))


# Functions.


def test_every_handler_exists(source: Template) -> None:
    for function in of_type(source, "AWS::Serverless::Function").values():
        module, _, name = function["Handler"].rpartition(".")
        tree = ast.parse((ROOT / "src" / module.replace(".", "/")).with_suffix(".py").read_text())
        assigned = (t for node in tree.body if isinstance(node, ast.Assign) for t in node.targets)
        names = {target.id for target in assigned if isinstance(target, ast.Name)}
        assert name in names | {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_environment_is_what_settings_read(source: Template) -> None:
    stand_ins = {
        "CellName": CELL,
        "Table": f"picoha-{CELL}",
        "Topic": f"arn:aws:sns:eu-west-1:123456789012:picoha-{CELL}",
        "LogLevel": "INFO",
    }
    for function in of_type(source, "AWS::Serverless::Function").values():
        variables = function["Environment"]["Variables"]
        environment = {
            key: stand_ins[value["Ref"]] if isinstance(value, dict) else value
            for key, value in variables.items()
        }
        settings = Settings.load(environment | {"AWS_REGION": "eu-west-1"})
        assert (settings.cell, settings.table) == (CELL, f"picoha-{CELL}")
        assert settings.topic_arn == stand_ins["Topic"]
        assert settings.drive_s + 15 < function["Timeout"]


def test_the_build_uses_the_default_runtime(source: Template) -> None:
    makefile = (ROOT / "Makefile").read_text()
    found = re.search(r"^FUNCTION_PYTHON := (.+)$", makefile, re.MULTILINE)
    assert found and source["Parameters"]["Runtime"]["Default"] == f"python{found[1]}"


@pytest.mark.parametrize("command", ["build", "package", "deploy"])
def test_sam_expands_the_loop_on_this_machine(command: str) -> None:
    samconfig = tomllib.loads((ROOT / "samconfig.toml").read_text())
    assert samconfig["default"][command]["parameters"]["language_extensions"] is True


# What the function may do.


def test_no_changing_statement_names_every_resource(source: Template) -> None:
    for statement in statements(source):
        changing = [name for name in as_list(statement["Action"]) if not READS.match(name)]
        assert not [name for name in changing if "*" in name], statement["Sid"]
        if changing == ["cloudwatch:PutMetricData"]:  # AWS: knows no resource, only the namespace
            assert statement["Condition"] == {"StringEquals": {"cloudwatch:namespace": "picoha"}}
        elif changing:
            assert "*" not in as_list(statement["Resource"]), statement["Sid"]


def test_every_change_to_hosts_addresses_and_groups_is_limited_to_the_cell(source: Template) -> None:
    limited = [
        (statement, name)
        for statement in statements(source)
        for name in as_list(statement["Action"])
        if name.startswith(("ec2:", "autoscaling:")) and not READS.match(name)
    ]
    assert limited
    for statement, name in limited:
        key = f"{name.split(':')[0]}:ResourceTag/picoha:cell"
        assert statement["Condition"]["StringEquals"][key] == {"Ref": "CellName"}, statement["Sid"]
        assert hasattr(actions, statement["Sid"]), f"{statement['Sid']} is no action of the domain"


def test_a_host_without_the_owners_signature_cannot_be_terminated(source: Template) -> None:
    [fence] = [one for one in statements(source) if "ec2:TerminateInstances" in as_list(one["Action"])]
    assert fence["Condition"]["StringEquals"]["ec2:ResourceTag/picoha:fenceable"] == "true"


def test_sids_are_unique(source: Template) -> None:
    sids = [statement["Sid"] for statement in statements(source)]
    assert len(sids) == len(set(sids))


def test_the_memory_survives_the_stack(source: Template) -> None:
    table = source["Resources"]["Table"]
    assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
    assert table["Properties"]["DeletionProtectionEnabled"] is True
    assert table["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert [key["AttributeName"] for key in table["Properties"]["KeySchema"]] == ["pk", "sk"]
