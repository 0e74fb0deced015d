"""What surrounds a cell's hosts: addresses, interfaces, subnets, routes, security groups, types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from picoha.adapters.aws.clients import Clients
from picoha.adapters.aws.discovery import CELL_TAG, SLOT_TAG
from picoha.adapters.aws.faults import reading
from picoha.domain.doctor.facts import ElasticIp, Ingress, Quota, Subnet

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import (
        IpPermissionOutputTypeDef,
        RouteTableTypeDef,
        SubnetTypeDef,
        TagTypeDef,
    )

GRANTS: dict[str, frozenset[str]] = {
    "InspectSurroundings": frozenset(
        {
            "ec2:DescribeAccountAttributes",
            "ec2:DescribeAddresses",
            "ec2:DescribeInstanceTypes",
            "ec2:DescribeNatGateways",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeRouteTables",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcEndpoints",
            "ec2:GetManagedPrefixListEntries",
        }
    ),
}
EVERYWHERE = "0.0.0.0/0"
MAX_ADDRESSES = "vpc-max-elastic-ips"


class AwsSurroundings:
    """Looks through boto3 at what a cell's hosts live in. Every method raises SensorFailed."""

    def __init__(self, cell: str, clients: Clients) -> None:
        self._cell = cell
        self._clients = clients

    def addresses(self) -> Sequence[ElasticIp]:
        """Return every Elastic IP that carries the cell's tag."""
        with reading("describing the cell's Elastic IPs"):
            answer = self._clients.ec2.describe_addresses(
                Filters=[{"Name": f"tag:{CELL_TAG}", "Values": [self._cell]}]
            )
        return [
            ElasticIp(
                allocation=address["AllocationId"],
                public_ip=address["PublicIp"],
                slot=text_tags(address.get("Tags", [])).get(SLOT_TAG, ""),
                place=address.get("InstanceId") or address.get("NetworkInterfaceId", ""),
                association=address.get("AssociationId", ""),
            )
            for address in answer["Addresses"]
        ]

    def address_quota(self) -> Quota:
        """Return how many Elastic IPs the account has in this Region, and may have."""
        with reading("counting the account's Elastic IPs"):
            used = len(self._clients.ec2.describe_addresses()["Addresses"])
            answer = self._clients.ec2.describe_account_attributes()
        limits = [
            attribute
            for attribute in answer["AccountAttributes"]
            if attribute.get("AttributeName") == MAX_ADDRESSES
        ]
        values = [value for limit in limits for value in limit.get("AttributeValues", [])]
        return Quota(used, int(values[0].get("AttributeValue", "0")) if values else 0)

    def interface_tags(self, interfaces: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """Return the tags of each of these network interfaces."""
        if not interfaces:
            return {}
        with reading("describing the hosts' network interfaces"):
            pages = self._clients.ec2.get_paginator("describe_network_interfaces").paginate(
                Filters=[{"Name": "network-interface-id", "Values": list(interfaces)}]
            )
            rows = [interface for page in pages for interface in page["NetworkInterfaces"]]
        return {row["NetworkInterfaceId"]: text_tags(row.get("TagSet", [])) for row in rows}

    def instance_stores(self, types: Sequence[str]) -> Mapping[str, int]:
        """Return the gigabytes of instance store of each type; 0 for none."""
        if not types:
            return {}
        with reading("describing the hosts' instance types"):
            pages = self._clients.ec2.get_paginator("describe_instance_types").paginate(
                Filters=[{"Name": "instance-type", "Values": list(types)}]
            )
            rows = [one for page in pages for one in page["InstanceTypes"]]
        return {
            str(row["InstanceType"]): row.get("InstanceStorageInfo", {}).get("TotalSizeInGB", 0)
            for row in rows
        }

    def subnets(self, ids: Sequence[str]) -> Sequence[Subnet]:
        """Return where these subnets' default routes lead, and the endpoints beside them."""
        if not ids:
            return ()
        with reading("describing the subnets of the groups"):
            rows = self._clients.ec2.describe_subnets(SubnetIds=list(ids))["Subnets"]
            vpcs = sorted({row["VpcId"] for row in rows})
            pages = self._clients.ec2.get_paginator("describe_route_tables").paginate(
                Filters=[{"Name": "vpc-id", "Values": vpcs}]
            )
            tables = [table for page in pages for table in page["RouteTables"]]
        routes = {row["SubnetId"]: _default_route(row, tables) for row in rows}
        nats = self._nat_addresses(sorted({route for route in routes.values() if route.startswith("nat-")}))
        near = self._endpoints(vpcs)
        return [
            Subnet(
                id=row["SubnetId"],
                target=routes[row["SubnetId"]],
                assigns_public_ip=row.get("MapPublicIpOnLaunch", False),
                nat_ips=nats.get(routes[row["SubnetId"]], ()),
                endpoints=frozenset(name for vpc, name in near if vpc == row["VpcId"]),
            )
            for row in rows
        ]

    def _nat_addresses(self, gateways: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        if not gateways:
            return {}
        with reading("describing the NAT gateways"):
            rows = self._clients.ec2.describe_nat_gateways(NatGatewayIds=list(gateways))["NatGateways"]
        return {
            row["NatGatewayId"]: tuple(
                part["PublicIp"] for part in row.get("NatGatewayAddresses", []) if "PublicIp" in part
            )
            for row in rows
        }

    def _endpoints(self, vpcs: Sequence[str]) -> Sequence[tuple[str, str]]:
        with reading("describing the VPC endpoints"):
            pages = self._clients.ec2.get_paginator("describe_vpc_endpoints").paginate(
                Filters=[{"Name": "vpc-id", "Values": list(vpcs)}]
            )
            rows = [endpoint for page in pages for endpoint in page["VpcEndpoints"]]
        return [
            (row.get("VpcId", ""), row.get("ServiceName", "").rpartition(".")[2])
            for row in rows
            if row.get("State", "").lower() == "available"
        ]

    def ingress(self, security_groups: Sequence[str]) -> Sequence[Ingress]:
        """Return the inbound TCP permissions of these groups by CIDR block, prefix lists included."""
        if not security_groups:
            return ()
        with reading("describing the hosts' security groups"):
            rows = self._clients.ec2.describe_security_groups(GroupIds=list(security_groups))[
                "SecurityGroups"
            ]
        rules = [(row["GroupId"], rule) for row in rows for rule in row.get("IpPermissions", [])]
        lists = {part["PrefixListId"] for _, rule in rules for part in rule.get("PrefixListIds", [])}
        known = {one: self._entries(one) for one in sorted(lists)}
        return [found for name, rule in rules for found in _ingress(name, rule, known)]

    def _entries(self, prefix_list: str) -> tuple[str, ...]:
        with reading(f"reading prefix list {prefix_list}"):
            pages = self._clients.ec2.get_paginator("get_managed_prefix_list_entries").paginate(
                PrefixListId=prefix_list
            )
            return tuple(entry["Cidr"] for page in pages for entry in page["Entries"])


def text_tags(tags: Iterable[TagTypeDef]) -> dict[str, str]:
    """Return EC2's list of tags as a mapping."""
    return {tag.get("Key", ""): tag.get("Value", "") for tag in tags}


def _default_route(subnet: SubnetTypeDef, tables: Sequence[RouteTableTypeDef]) -> str:
    """Return the target behind 0.0.0.0/0: of the subnet's own table, else of its VPC's main one."""
    own, main = None, None
    for table in tables:
        for one in table.get("Associations", []):
            if one.get("SubnetId") == subnet["SubnetId"]:
                own = table
            if one.get("Main") and table.get("VpcId") == subnet["VpcId"]:
                main = table
    used = own or main
    for route in used.get("Routes", []) if used else ():
        if route.get("DestinationCidrBlock") == EVERYWHERE and route.get("State") != "blackhole":
            target = route.get("GatewayId") or route.get("NatGatewayId") or route.get("TransitGatewayId")
            return target or route.get("NetworkInterfaceId", "another target")
    return ""


def _ingress(
    security_group: str, rule: IpPermissionOutputTypeDef, lists: Mapping[str, tuple[str, ...]]
) -> Iterator[Ingress]:
    if rule.get("IpProtocol") not in ("tcp", "6", "-1"):
        return
    cidrs = [one["CidrIp"] for one in rule.get("IpRanges", []) if "CidrIp" in one]
    cidrs += [cidr for one in rule.get("PrefixListIds", []) for cidr in lists[one["PrefixListId"]]]
    if cidrs:
        yield Ingress(security_group, rule.get("FromPort", 0), rule.get("ToPort", 65535), tuple(cidrs))
