"""examples/cell.yaml: a cell that picoha can hold, and whose hosts can reach each other and AWS."""

from __future__ import annotations

import fnmatch
import re
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

from contract.templates import (
    CELL,
    CELL_TEMPLATE,
    PSEUDO,
    READS,
    ROOT,
    SLOTS,
    as_list,
    names_used,
    of_type,
    read,
    resolved,
    source,
    statements,
)
from picoha.adapters.aws.discovery import spec_of
from picoha.domain.model import Kind
from picoha.domain.policy import Policy

GROUPS = {"Platform1": "platform1", "Ec1": "ec1", "Ec2": "ec2"}
METADATA_KEY = re.compile(r"[A-Za-z0-9+\-=.,_:@]+")  # AWS user guide: instance tags in instance metadata


def cell() -> dict[str, Any]:
    return read(CELL_TEMPLATE)


def groups() -> dict[str, dict[str, Any]]:
    return of_type(cell(), "AWS::AutoScaling::AutoScalingGroup")


def templates() -> dict[str, dict[str, Any]]:
    found = of_type(cell(), "AWS::EC2::LaunchTemplate")
    return {name: one["LaunchTemplateData"] for name, one in found.items()}


def value(given: Any) -> str:
    """Return a text, a reference to the cell's name or to a parameter's default, or a Fn::Sub of them."""
    if isinstance(given, dict) and "Ref" in given:
        return CELL if given["Ref"] == "CellName" else str(cell()["Parameters"][given["Ref"]]["Default"])
    return resolved(given)


def tags(properties: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: value(tag["Value"]) for tag in properties["Tags"]}


def test_cfn_lint_accepts_it() -> None:
    command = [f"{sys.prefix}/bin/cfn-lint", str(CELL_TEMPLATE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_name_it_uses_is_its_own() -> None:
    declared = set(cell()["Parameters"]) | set(cell()["Resources"]) | set(PSEUDO)
    assert names_used(cell()) - declared == set()


# Groups.


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_is_one_slot_of_one_host_that_is_never_doubled(name: str) -> None:
    group = groups()[name]
    assert (group["MinSize"], group["MaxSize"], group["DesiredCapacity"]) == ("1", "1", "1")
    policy = group["InstanceMaintenancePolicy"]
    assert (policy["MinHealthyPercentage"], policy["MaxHealthyPercentage"]) == (0, 100)
    assert resolved(group["AutoScalingGroupName"]) == f"{CELL}-{GROUPS[name]}"
    assert "UpdatePolicy" not in cell()["Resources"][name]


@pytest.mark.parametrize("name", GROUPS)
def test_a_launch_is_held_and_ends_unless_picoha_releases_it(name: str) -> None:
    [hook] = groups()[name]["LifecycleHookSpecificationList"]
    assert hook["LifecycleHookName"] == "picoha-launch"
    assert hook["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_LAUNCHING"
    assert hook["DefaultResult"] == "ABANDON"
    assert hook["HeartbeatTimeout"] == Policy().hook_heartbeat.total_seconds() == 900


@pytest.mark.parametrize("name", GROUPS)
def test_its_tags_are_read_as_a_slot_and_reach_every_host(name: str) -> None:
    group = groups()[name]
    assert all(tag["PropagateAtLaunch"] is True for tag in group["Tags"])
    assert all(METADATA_KEY.fullmatch(key) for key in tags(group))
    spec = spec_of(tags(group), name)
    assert not isinstance(spec, str), spec
    assert (spec.name, spec.fenceable) == (GROUPS[name], True)
    assert (spec.kind is Kind.PLATFORM) == (name == "Platform1")


def test_hostnames_and_slots_are_those_of_the_controllers_default_list() -> None:
    assert source()["Parameters"]["Slots"]["Default"].split(",") == SLOTS == list(GROUPS.values())
    hostnames = [tags(group)["picoha:hostname"] for group in groups().values()]
    assert len(set(hostnames)) == len(hostnames)


def test_every_groups_rebalancing_is_suspended() -> None:
    [kind] = {
        resource["Type"]
        for resource in cell()["Resources"].values()
        if resource["Type"].startswith("Custom::")
    }
    suspended = [one["Group"]["Ref"] for one in of_type(cell(), kind).values()]
    assert sorted(suspended) == sorted(GROUPS)


def test_a_standby_is_one_stopped_host_that_is_not_used_again() -> None:
    [warm] = of_type(cell(), "AWS::AutoScaling::WarmPool").values()
    assert (warm["MinSize"], warm["PoolState"]) == (1, "Stopped")  # at 1/1/1 the default size is 0
    assert warm["InstanceReusePolicy"]["ReuseOnScaleIn"] is False
    assert warm["AutoScalingGroupName"] == {"Ref": "Platform1"}


class Scaling:
    """What the function of the template calls, and what it answers CloudFormation."""

    def __init__(self, refuses: bool) -> None:
        self.refuses = refuses
        self.suspended: list[tuple[str, list[str]]] = []
        self.answers: list[tuple[str, str | None]] = []

    def suspend_processes(self, AutoScalingGroupName: str, ScalingProcesses: list[str]) -> None:
        if self.refuses:
            raise RuntimeError("AccessDenied")
        self.suspended.append((AutoScalingGroupName, ScalingProcesses))


@pytest.mark.parametrize(
    ("kind", "refuses", "suspended", "answer"),
    [
        ("Create", False, [("demo-ec1", ["AZRebalance"])], ("SUCCESS", None)),
        ("Update", False, [("demo-ec1", ["AZRebalance"])], ("SUCCESS", None)),
        ("Delete", False, [], ("SUCCESS", None)),
        ("Create", True, [], ("FAILED", "AccessDenied")),
    ],
)
def test_the_suspender_suspends_and_says_when_it_could_not(
    kind: str, refuses: bool, suspended: Any, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Scaling(refuses)
    boto3: Any = ModuleType("boto3")
    boto3.client = lambda name: {"autoscaling": world}[name]
    response: Any = ModuleType("cfnresponse")
    response.SUCCESS, response.FAILED = "SUCCESS", "FAILED"

    def send(event: Any, context: Any, status: str, data: Any, physical: str, reason: str | None) -> None:
        world.answers.append((status, reason))

    response.send = send
    monkeypatch.setitem(sys.modules, "boto3", boto3)
    monkeypatch.setitem(sys.modules, "cfnresponse", response)
    space: dict[str, Any] = {}
    exec(of_type(cell(), "AWS::Lambda::Function")["Suspender"]["Code"]["ZipFile"], space)
    event = {
        "RequestType": kind,
        "ResourceProperties": {"Group": "demo-ec1"},
        "LogicalResourceId": "Ec1StaysInItsZone",
    }
    space["handler"](event, None)
    assert (world.suspended, world.answers) == (suspended, [answer])


# Hosts.


@pytest.mark.parametrize("name", ["PlatformTemplate", "ExecutionTemplate"])
def test_a_host_shows_its_tags_by_version_2_only_and_reaches_aws_before_its_address(name: str) -> None:
    data = templates()[name]
    options = data["MetadataOptions"]
    assert (options["HttpTokens"], options["InstanceMetadataTags"]) == ("required", "enabled")
    [interface] = data["NetworkInterfaces"]
    assert interface["AssociatePublicIpAddress"] is True
    assert interface["DeleteOnTermination"] is True
    tagged = {
        specification["ResourceType"]: tags(specification) for specification in data["TagSpecifications"]
    }
    assert tagged["network-interface"] == {"picoha:cell": CELL}
    for device in data["BlockDeviceMappings"]:
        assert device["Ebs"]["Encrypted"] is device["Ebs"]["DeleteOnTermination"] is True


def test_the_user_data_runs_what_the_archive_holds() -> None:
    steps = (ROOT / "examples" / "cell-host.sh").read_text()
    packed = re.search(r"-C \.\./examples (.+)$", CELL_TEMPLATE.read_text(), re.MULTILINE)
    assert packed and packed[1].split() == ["cell-host.sh", "ha-scripts"]
    assert all((ROOT / "examples" / one).exists() for one in packed[1].split())
    for data in templates().values():
        assert "exec /opt/picoha/cell-host.sh" in data["UserData"]["Fn::Base64"]["Fn::Sub"]
    for script in ("cell-host.sh", "user data"):
        text = steps if script == "cell-host.sh" else data["UserData"]["Fn::Base64"]["Fn::Sub"]
        done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert "picoha-agent" in steps and "install --enable" in steps


# Network: who is admitted where.


def test_the_platform_admits_every_execution_slots_own_address_and_nobody_else() -> None:
    ingress = of_type(cell(), "AWS::EC2::SecurityGroup")["PlatformSecurityGroup"]["SecurityGroupIngress"]
    admitted = {(one["FromPort"], one["ToPort"], one["CidrIp"]["Fn::Sub"]) for one in ingress}
    wanted = {
        (port, port, f"${{{name}Address}}/32")
        for port in (6790, 9000)
        for name in GROUPS
        if name != "Platform1"
    }
    assert admitted == wanted
    assert not [
        one for one in ingress if "SourceSecurityGroupId" in one
    ]  # would match private addresses only


def test_every_slot_has_its_own_tagged_address() -> None:
    addresses = of_type(cell(), "AWS::EC2::EIP")
    slots = {name: tags(one)["picoha:slot"] for name, one in addresses.items()}
    assert slots == {f"{name}Address": slot for name, slot in GROUPS.items()}
    assert {tags(address)["picoha:cell"] for address in addresses.values()} == {CELL}


# What may be done, and the second doorbell.


def test_no_change_is_allowed_on_every_resource() -> None:
    assert len(statements(cell())) == 3
    for statement in statements(cell()):
        changing = [one for one in as_list(statement["Action"]) if not READS.match(one)]
        assert not [one for one in as_list(statement["Action"]) if "*" in one]
        assert "*" not in as_list(statement["Resource"]), statement["Sid"]
        if "autoscaling:SuspendProcesses" in changing:
            assert statement["Condition"]["StringEquals"]["autoscaling:ResourceTag/picoha:cell"]
            group = f"autoScalingGroup:some-id:autoScalingGroupName/{CELL}-ec1"
            arn = f"arn:aws:autoscaling:eu-west-1:123456789012:{group}"
            assert fnmatch.fnmatchcase(arn, resolved(statement["Resource"]))


@pytest.mark.parametrize("name", GROUPS)
def test_ec2s_own_checks_of_each_group_ring_picoha_too(name: str) -> None:
    alarm = of_type(cell(), "AWS::CloudWatch::Alarm")[f"{name}Checks"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/EC2", "StatusCheckFailed")
    assert alarm["Dimensions"] == [{"Name": "AutoScalingGroupName", "Value": {"Ref": name}}]
    assert alarm["AlarmActions"] == [{"Ref": "AliasArn"}]
    assert alarm["TreatMissingData"] == "notBreaching"
    [permission] = [
        one
        for one in of_type(source(), "AWS::Lambda::Permission").values()
        if one["Principal"] == "lambda.alarms.cloudwatch.amazonaws.com"
    ]
    arn = f"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{resolved(alarm['AlarmName'])}"
    assert fnmatch.fnmatchcase(arn, resolved(permission["SourceArn"]))
    assert resolved(alarm["AlarmName"]).removeprefix(f"picoha-{CELL}-").count("-") == 1  # no slot's own alarm


def test_its_parameters_are_outputs_of_the_controller() -> None:
    assert {"HostPolicyArn", "AliasArn"} <= set(source()["Outputs"])
    for name in ("HostPolicyArn", "AliasArn"):
        assert name in cell()["Parameters"]
    example = f"arn:aws:lambda:eu-west-1:123456789012:function:picoha-{CELL}-reconcile:live"
    assert re.fullmatch(cell()["Parameters"]["AliasArn"]["AllowedPattern"], example)
