"""What surrounds the hosts, read through real clients from answers as EC2 writes them."""

from __future__ import annotations

from typing import Any

import pytest

from picoha.adapters.aws.clients import Clients
from picoha.adapters.aws.inspection import AwsInspection
from picoha.adapters.aws.surroundings import AwsSurroundings
from picoha.app.errors import SensorFailed
from picoha.domain.doctor.facts import AttachedVolume, FunctionFacts, Ingress, Quota, Subnet
from picoha.fakeaws.clients import fake_session
from unit.adapters.aws.aws_rig import Played, Recorder

NAT_ROUTE = {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "active"}
IGW_ROUTE = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"}
LOST_ROUTE = NAT_ROUTE | {"State": "blackhole"}
MAIN = {"Main": True}
OWN = {"Main": False, "SubnetId": "subnet-1"}


def around(**answers: Any) -> tuple[AwsSurroundings, Recorder]:
    gate = Recorder()
    return AwsSurroundings("demo", Clients(fake_session({"ec2": Played(**answers)}, gate))), gate


def subnet_with(tables: list[dict[str, Any]], endpoints: tuple[tuple[str, str], ...] = ()) -> Subnet:
    rows = [
        {"VpcId": "vpc-1", "ServiceName": f"com.amazonaws.eu-west-1.{n}", "State": s} for n, s in endpoints
    ]
    looked, _ = around(
        DescribeSubnets={
            "Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "MapPublicIpOnLaunch": True}]
        },
        DescribeRouteTables={"RouteTables": [{"VpcId": "vpc-1"} | table for table in tables]},
        DescribeNatGateways={
            "NatGateways": [{"NatGatewayId": "nat-1", "NatGatewayAddresses": [{"PublicIp": "192.0.2.1"}, {}]}]
        },
        DescribeVpcEndpoints={"VpcEndpoints": rows},
    )
    (found,) = looked.subnets(["subnet-1"])
    return found


@pytest.mark.parametrize(
    ("tables", "target"),
    [
        pytest.param([{"Associations": [MAIN], "Routes": [NAT_ROUTE]}], "nat-1", id="the main table's"),
        pytest.param(
            [{"Associations": [MAIN], "Routes": [NAT_ROUTE]}, {"Associations": [OWN], "Routes": [IGW_ROUTE]}],
            "igw-1",
            id="its own table's before the main one's",
        ),
        pytest.param(
            [{"Associations": [OWN], "Routes": []}, {"Associations": [MAIN], "Routes": [NAT_ROUTE]}],
            "",
            id="none where its own table has none",
        ),
        pytest.param([{"Associations": [MAIN], "Routes": [LOST_ROUTE]}], "", id="none through a black hole"),
        pytest.param(
            [{"VpcId": "vpc-2", "Associations": [MAIN], "Routes": [NAT_ROUTE]}], "", id="another VPC's"
        ),
    ],
)
def test_the_default_route_of_a_subnet(tables: list[dict[str, Any]], target: str) -> None:
    found = subnet_with(tables)
    assert found.target == target
    assert found.nat_ips == (("192.0.2.1",) if target == "nat-1" else ())
    assert found.assigns_public_ip


def test_only_an_available_endpoint_counts() -> None:
    found = subnet_with([], (("dynamodb", "available"), ("monitoring", "pending")))
    assert found.endpoints == {"dynamodb"}


def test_inbound_rules_by_block_and_by_prefix_list_but_not_by_group_or_for_udp() -> None:
    def rule(protocol: str, **more: Any) -> dict[str, Any]:
        return {"IpProtocol": protocol, **more}

    rules = [
        rule("tcp", FromPort=6790, ToPort=6790, IpRanges=[{"CidrIp": "192.0.2.1/32"}]),
        rule("tcp", FromPort=9000, ToPort=9001, PrefixListIds=[{"PrefixListId": "pl-1"}]),
        rule("-1", IpRanges=[{"CidrIp": "10.0.0.0/8"}]),
        rule("udp", FromPort=53, ToPort=53, IpRanges=[{"CidrIp": "0.0.0.0/0"}]),
        rule("tcp", FromPort=22, ToPort=22, UserIdGroupPairs=[{"GroupId": "sg-2"}]),
    ]
    looked, _ = around(
        DescribeSecurityGroups={"SecurityGroups": [{"GroupId": "sg-1", "IpPermissions": rules}]},
        GetManagedPrefixListEntries={"Entries": [{"Cidr": "198.51.100.0/28"}]},
    )
    assert looked.ingress(["sg-1"]) == [
        Ingress("sg-1", 6790, 6790, ("192.0.2.1/32",)),
        Ingress("sg-1", 9000, 9001, ("198.51.100.0/28",)),
        Ingress("sg-1", 0, 65535, ("10.0.0.0/8",)),
    ]


def test_the_quota_counts_every_address_of_the_account() -> None:
    limits = [
        {"AttributeName": "max-instances", "AttributeValues": [{"AttributeValue": "20"}]},
        {"AttributeName": "vpc-max-elastic-ips", "AttributeValues": [{"AttributeValue": "5"}]},
    ]
    rows = [{"PublicIp": "192.0.2.1", "AllocationId": "eipalloc-1"}] * 4
    looked, gate = around(
        DescribeAddresses={"Addresses": rows}, DescribeAccountAttributes={"AccountAttributes": limits}
    )
    assert looked.address_quota() == Quota(4, 5)
    assert gate.params("DescribeAddresses") == [{}]


def test_nothing_is_asked_about_nothing() -> None:
    """An EC2 describe call without ids would answer about the whole account."""
    looked, gate = around()
    assert not looked.subnets([])
    assert not looked.ingress([])
    assert not looked.interface_tags([])
    assert not looked.instance_stores([])
    assert gate.calls == []


def test_disks_of_a_host_and_its_primary_interface() -> None:
    def disk(device: str, volume: str, goes: bool) -> dict[str, Any]:
        return {"DeviceName": device, "Ebs": {"VolumeId": volume, "DeleteOnTermination": goes}}

    row = {
        "InstanceId": "i-1",
        "InstanceType": "m6id.large",
        "State": {"Name": "running", "Code": 16},
        "RootDeviceName": "/dev/xvda",
        "BlockDeviceMappings": [disk("/dev/xvda", "vol-1", True), disk("/dev/xvdf", "vol-2", False)],
        "NetworkInterfaces": [
            {"NetworkInterfaceId": "eni-2", "Attachment": {"DeviceIndex": 1}},
            {"NetworkInterfaceId": "eni-1", "Attachment": {"DeviceIndex": 0}},
        ],
        "Tags": [{"Key": "picoha:slot", "Value": "ec1"}],
    }
    service = Played(DescribeInstances={"Reservations": [{"Instances": [row]}]})
    (found,) = AwsInspection("demo", "picoha-demo", Clients(fake_session({"ec2": service}))).machines()
    assert found.disks == (
        AttachedVolume("vol-1", "/dev/xvda", True, True),
        AttachedVolume("vol-2", "/dev/xvdf", False, False),
    )
    assert (found.interface, found.slot, found.type) == ("eni-1", "ec1", "m6id.large")
    assert not found.has_metadata_tags


def test_every_change_is_simulated_on_what_it_acts_on_with_the_cells_tags() -> None:
    gate = Recorder()

    class Iam:
        def simulate(self, params: dict[str, Any]) -> dict[str, Any]:
            rows = [{"EvalActionName": name, "EvalDecision": "allowed"} for name in params["ActionNames"]]
            return {"EvaluationResults": rows}

        @property
        def operations(self) -> Any:
            return {"SimulatePrincipalPolicy": self.simulate}

    look = AwsInspection("demo", "picoha-demo", Clients(fake_session({"iam": Iam()}, gate)))
    role = "arn:aws-cn:iam::123456789012:role/r"
    found = look.permissions(FunctionFacts("arn:aws-cn:lambda:cn-north-1:123456789012:function:f", role))
    assert [one.decision for one in found] == ["allowed"] * 8
    things = {one.action.split(" on ")[1] for one in found}
    assert things == {"instance", "network-interface", "elastic-ip", "autoScalingGroup"}
    asked = gate.params("SimulatePrincipalPolicy")
    assert [len(one["ActionNames"]) for one in asked] == [1, 2, 2, 3]
    assert {one["PolicySourceArn"] for one in asked} == {role}
    assert asked[0]["ResourceArns"] == ["arn:aws-cn:ec2:cn-north-1:123456789012:instance/i-00000000000000000"]
    keys = [entry["ContextKeyName"] for entry in asked[3]["ContextEntries"]]
    assert keys == ["autoscaling:ResourceTag/picoha:cell", "autoscaling:ResourceTag/picoha:fenceable"]


def test_a_simulation_without_an_answer_is_no_permission() -> None:
    service = Played(SimulatePrincipalPolicy={"EvaluationResults": []})
    look = AwsInspection("demo", "picoha-demo", Clients(fake_session({"iam": service})))
    with pytest.raises(SensorFailed, match="not every answer came"):
        look.permissions(FunctionFacts("arn:aws:lambda:eu-west-1:1:function:f", "arn:aws:iam::1:role/r"))
