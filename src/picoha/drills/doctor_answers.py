"""What `doctor` and `leave` look at beyond the loop's own calls, answered for a world of the drill.

A world has none of this until it is furnished: simulated days look at hosts thousands of times and
at none of this. Defaults are a sound cell: one NAT gateway, hosts with a root volume and one security
group that admits the gateway, a reconcile function whose role may do all it needs. A story or a test
changes a field to break it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from picoha.drills.world import World
from picoha.fakeaws.clients import ACCOUNT, REGION, Answer, Operation, matches, page, played, tag_list
from picoha.fakeaws.scheduler import AwsFault

VPC, NAT, PLATFORM_GROUP = "vpc-0fake", "nat-0fake", "sg-0fake"
NAT_IP = "198.51.100.1"
PORTS = (6790, 9000)


def _root() -> Answer:
    ebs = {"VolumeId": "vol-0root", "DeleteOnTermination": True, "Status": "attached"}
    return {"DeviceName": "/dev/xvda", "Ebs": ebs}


@dataclass
class DoctorAnswers:
    """An account's state that only `doctor` and `leave` look at; a test sets a field to break it."""

    world: World
    route: str = NAT
    assigns_public_ip: bool = False
    endpoints: tuple[str, ...] = ()
    admitted: tuple[str, ...] = (f"{NAT_IP}/32",)
    prefix_list: tuple[str, ...] = ()
    disks: list[Answer] = field(default_factory=lambda: [_root()])
    metadata_tags: str = "enabled"
    instance_store_gb: int = 0
    most_addresses: int = 5
    shields_new: bool = False
    shielded: bool = False
    denied: frozenset[str] = frozenset()
    environment: dict[str, str] = field(default_factory=dict)
    reserved: int | None = 5
    undelivered: int = 0
    is_on_demand: bool = True
    is_protected: bool = True
    is_backed_up: bool = True

    # --- EC2

    def _api_describe_instances(self, params: dict[str, Any]) -> Answer:
        """The drill's own answer, with what a host's owner would see of its disks and options."""
        answer = self.world.ec2.operations["DescribeInstances"](params)
        more = {
            "RootDeviceName": "/dev/xvda",
            "BlockDeviceMappings": self.disks,
            "SecurityGroups": [{"GroupId": PLATFORM_GROUP, "GroupName": "platform"}],
            "MetadataOptions": {"InstanceMetadataTags": self.metadata_tags, "HttpTokens": "required"},
        }
        rows = [
            reservation | {"Instances": [row | more for row in reservation["Instances"]]}
            for reservation in answer["Reservations"]
        ]
        return answer | {"Reservations": rows}

    def _api_describe_instance_attribute(self, params: dict[str, Any]) -> Answer:
        instance = self.world.ec2.get(params["InstanceId"])
        return {"InstanceId": instance.id, "DisableApiTermination": {"Value": instance.protected}}

    def _api_describe_instance_types(self, params: dict[str, Any]) -> Answer:
        wanted = params["Filters"][0]["Values"]
        store = {"InstanceStorageInfo": {"TotalSizeInGB": self.instance_store_gb}}
        rows = [{"InstanceType": one} | (store if self.instance_store_gb else {}) for one in wanted]
        return page(rows, params, "InstanceTypes", "MaxResults", 100)

    def _api_describe_network_interfaces(self, params: dict[str, Any]) -> Answer:
        rows = [
            {"NetworkInterfaceId": instance.interface_id, "TagSet": tag_list(instance.interface_tags)}
            for instance in self.world.ec2.instances.values()
            if instance.state != "terminated"
            and matches(params, instance.interface_tags, {"network-interface-id": instance.interface_id})
        ]
        return page(rows, params, "NetworkInterfaces", "MaxResults", 1000)

    def _api_describe_subnets(self, params: dict[str, Any]) -> Answer:
        more = {"VpcId": VPC, "MapPublicIpOnLaunch": self.assigns_public_ip}
        return {"Subnets": [{"SubnetId": one} | more for one in params["SubnetIds"]]}

    def _api_describe_route_tables(self, params: dict[str, Any]) -> Answer:
        key = "NatGatewayId" if self.route.startswith("nat-") else "GatewayId"
        local = {"DestinationCidrBlock": "10.0.0.0/8", "GatewayId": "local", "State": "active"}
        default = {"DestinationCidrBlock": "0.0.0.0/0", key: self.route, "State": "active"}
        main = {"Main": True, "RouteTableId": "rtb-0fake"}
        routes = [local, default] if self.route else [local]
        return {"RouteTables": [{"VpcId": VPC, "Associations": [main], "Routes": routes}]}

    def _api_describe_nat_gateways(self, params: dict[str, Any]) -> Answer:
        row = {"NatGatewayId": NAT, "NatGatewayAddresses": [{"PublicIp": NAT_IP}], "State": "available"}
        return {"NatGateways": [row]}

    def _api_describe_vpc_endpoints(self, params: dict[str, Any]) -> Answer:
        start = {"VpcId": VPC, "State": "available"}
        names = [f"com.amazonaws.{REGION}.{endpoint}" for endpoint in self.endpoints]
        return {"VpcEndpoints": [start | {"ServiceName": name} for name in names]}

    def _api_describe_security_groups(self, params: dict[str, Any]) -> Answer:
        rules = [
            {
                "IpProtocol": "tcp",
                "FromPort": port,
                "ToPort": port,
                "IpRanges": [{"CidrIp": one} for one in self.admitted],
                "PrefixListIds": [{"PrefixListId": "pl-0fake"}] if self.prefix_list else [],
            }
            for port in PORTS
        ]
        return {"SecurityGroups": [{"GroupId": one, "IpPermissions": rules} for one in params["GroupIds"]]}

    def _api_get_managed_prefix_list_entries(self, params: dict[str, Any]) -> Answer:
        return {"Entries": [{"Cidr": one} for one in self.prefix_list]}

    def _api_describe_account_attributes(self, params: dict[str, Any]) -> Answer:
        value = {"AttributeValue": str(self.most_addresses)}
        return {"AccountAttributes": [{"AttributeName": "vpc-max-elastic-ips", "AttributeValues": [value]}]}

    # --- Auto Scaling

    def _api_describe_auto_scaling_groups(self, params: dict[str, Any]) -> Answer:
        """The drill's own answer, with the protection from scale-in."""
        answer = self.world.autoscaling.operations["DescribeAutoScalingGroups"](params)
        for row in answer["AutoScalingGroups"]:
            row["NewInstancesProtectedFromScaleIn"] = self.shields_new
            for instance in row["Instances"]:
                instance["ProtectedFromScaleIn"] = self.shielded
        return answer

    # --- DynamoDB, SQS, Lambda, IAM

    def _api_describe_table(self, params: dict[str, Any]) -> Answer:
        self.world.tables.table(params["TableName"])
        mode = {"BillingMode": "PAY_PER_REQUEST"} if self.is_on_demand else {"BillingMode": "PROVISIONED"}
        return {"Table": {"BillingModeSummary": mode, "DeletionProtectionEnabled": self.is_protected}}

    def _api_describe_continuous_backups(self, params: dict[str, Any]) -> Answer:
        self.world.tables.table(params["TableName"])
        status = "ENABLED" if self.is_backed_up else "DISABLED"
        recovery = {"PointInTimeRecoveryStatus": status}
        told = {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": recovery}
        return {"ContinuousBackupsDescription": told}

    def _api_get_queue_url(self, params: dict[str, Any]) -> Answer:
        if params["QueueName"] != f"picoha-{self.world.cell}-dead-letters":
            raise AwsFault("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
        return {"QueueUrl": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{params['QueueName']}"}

    def _api_get_queue_attributes(self, params: dict[str, Any]) -> Answer:
        return {"Attributes": {"ApproximateNumberOfMessages": str(self.undelivered)}}

    def _api_get_function_configuration(self, params: dict[str, Any]) -> Answer:
        name = params["FunctionName"]
        variables = {"PICOHA_CELL": self.world.cell, "PICOHA_TOPIC_ARN": self.world.topic_arn}
        return {
            "FunctionName": name,
            "FunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}",
            "Role": f"arn:aws:iam::{ACCOUNT}:role/picoha-{self.world.cell}-ReconcileRole",
            "Environment": {"Variables": variables | self.environment},
        }

    def _api_get_function_concurrency(self, params: dict[str, Any]) -> Answer:
        return {} if self.reserved is None else {"ReservedConcurrentExecutions": self.reserved}

    def _api_simulate_principal_policy(self, params: dict[str, Any]) -> Answer:
        rows = [
            {"EvalActionName": name, "EvalDecision": "implicitDeny" if name in self.denied else "allowed"}
            for name in params["ActionNames"]
        ]
        return {"EvaluationResults": rows, "IsTruncated": False}


SERVICES = {
    "autoscaling": ("DescribeAutoScalingGroups",),
    "dynamodb": ("DescribeTable", "DescribeContinuousBackups"),
    "sqs": ("GetQueueUrl", "GetQueueAttributes"),
    "lambda": ("GetFunctionConfiguration", "GetFunctionConcurrency"),
    "iam": ("SimulatePrincipalPolicy",),
}
"""Whose operations they are; every other one is EC2's."""


class _ShownService:
    def __init__(self) -> None:
        self.operations: dict[str, Operation] = {}


def answer_doctor(world: World, environment: dict[str, str] | None = None) -> DoctorAnswers:
    """Make a world answer the reads of `doctor` and `leave`; return what those reads show.

    `environment`: what the reconcile function's has beside its cell and topic.
    """
    furniture = DoctorAnswers(world, environment=dict(environment or {}))
    services = cast(dict[str, Any], world.services)
    owners = {name: service for service, names in SERVICES.items() for name in names}
    for name, operation in played(furniture).items():
        service = services.setdefault(owners.get(name, "ec2"), _ShownService())
        service.operations[name] = operation
    return furniture
