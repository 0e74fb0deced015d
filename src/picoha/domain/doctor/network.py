"""The checks of `picoha doctor` on addresses, and on the ways that hosts need open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, ip_network
from itertools import product

from picoha.domain.doctor.facts import ElasticIp, GroupFacts, Ingress, InspectedHost, Quota, Subnet
from picoha.domain.doctor.findings import Level, Row, grave
from picoha.domain.model import Kind

PLATFORM_PORTS = {6790: "RCP", 9000: "web"}
"""The product's defaults of `pico.rcp.platform.port` and `mz.webserver.port` (domain.md 5)."""
NEEDED_ENDPOINTS = ("dynamodb", "monitoring")
"""What an agent calls: its table and the metric `Healthy`."""


def address(
    groups: Sequence[GroupFacts], machines: Sequence[InspectedHost], addresses: Sequence[ElasticIp], cell: str
) -> Iterator[Row]:
    """The Platform has one Elastic IP, nobody has two, and each is on a host of its slot or free."""
    slots = {str(machine.instance): machine.slot for machine in machines}
    tag = f"--tags Key=picoha:cell,Value={cell} Key=picoha:slot,Value="
    for group in groups:
        own = [one for one in addresses if one.slot == group.slot]
        is_platform = group.spec is not None and group.spec.kind is Kind.PLATFORM
        if not own and is_platform:
            mend = f"aws ec2 create-tags --resources eipalloc-ID {tag}{group.slot}"
            yield grave(group), group.slot, "the platform slot has no Elastic IP of its own", mend
        if len(own) > 1:
            mend = f"aws ec2 delete-tags --resources {own[1].allocation} --tags Key=picoha:slot"
            ips = ", ".join(one.public_ip for one in own)
            yield Level.ERROR, group.slot, f"{len(own)} Elastic IPs carry this slot: {ips}", mend
    known = {one.slot for one in groups}
    for one in addresses:
        if one.slot not in known:
            mend = f"aws ec2 create-tags --resources {one.allocation} {tag}SLOT"
            yield Level.WARN, one.slot, f"Elastic IP {one.public_ip} is of no slot that a group has", mend
        elif one.place and slots.get(one.place, "") != one.slot:
            why = f"Elastic IP {one.public_ip} is on {one.place}, which is no host of this slot"
            mend = f"aws ec2 disassociate-address --association-id {one.association}"
            yield Level.ERROR, one.slot, why, mend


def address_quota(address_quota: Quota) -> Iterator[Row]:
    """The account may allocate one more Elastic IP: for a new slot, or for a lost address."""
    if address_quota.used >= address_quota.limit:
        why = f"{address_quota.used} of {address_quota.limit} Elastic IPs are used: none for a new slot"
        mend = "aws service-quotas request-service-quota-increase --service-code ec2"
        yield Level.WARN, "", why, f"{mend} --quota-code L-0263D0A3 --desired-value N"


def platform_ports(
    groups: Sequence[GroupFacts],
    machines: Sequence[InspectedHost],
    addresses: Sequence[ElasticIp],
    subnets: Sequence[Subnet],
    ingress: Sequence[Ingress],
) -> Iterator[Row]:
    """The Platform's hosts admit every execution slot's public source on its RCP and web ports.

    A host that talks to an Elastic IP is seen by its own public address or its NAT gateway's; a rule
    that names a security group matches private addresses only (AWS: security group rules).
    """
    platforms = {one.slot for one in groups if one.spec and one.spec.kind is Kind.PLATFORM}
    attached = sorted({one for host in machines if host.slot in platforms for one in host.security_groups})
    rules = [one for one in ingress if one.security_group in attached]
    if not attached:
        yield (
            Level.WARN,
            "",
            "no Platform host to look at: what it admits is not known",
            "picoha doctor (later)",
        )
        return
    for group in groups:
        if group.slot in platforms or group.spec is None or group.is_parked:
            continue
        sources = _sources(group, addresses, subnets)
        if not sources:
            why = "its hosts reach the Platform from an address that changes: no rule can admit it"
            mend = f"give the slot an Elastic IP: aws ec2 create-tags ... Key=picoha:slot,Value={group.slot}"
            yield Level.ERROR, group.slot, why, f"{mend}, or route its subnets through a NAT gateway"
        for source, port in product(sources, PLATFORM_PORTS):
            if not any(_admits(rule, source, port) for rule in rules):
                why = f"the Platform does not admit {source} on port {port} ({PLATFORM_PORTS[port]})"
                mend = f"aws ec2 authorize-security-group-ingress --group-id {attached[0]}"
                yield Level.ERROR, group.slot, why, f"{mend} --protocol tcp --port {port} --cidr {source}/32"


def _sources(group: GroupFacts, addresses: Sequence[ElasticIp], subnets: Sequence[Subnet]) -> tuple[str, ...]:
    own = tuple(one.public_ip for one in addresses if one.slot == group.slot)
    nats = {ip for subnet in subnets if subnet.id in group.subnets for ip in subnet.nat_ips}
    return own or tuple(sorted(nats))


def _admits(rule: Ingress, source: str, port: int) -> bool:
    if not rule.first_port <= port <= rule.last_port:
        return False
    networks = (ip_network(cidr, strict=False) for cidr in rule.cidrs)
    return any(IPv4Address(source) in network for network in networks if isinstance(network, IPv4Network))


def path_to_aws(groups: Sequence[GroupFacts], subnets: Sequence[Subnet]) -> Iterator[Row]:
    """A new host reaches AWS before its Elastic IP arrives: else its agent never reports."""
    by_id = {subnet.id: subnet for subnet in subnets}
    for group in groups:
        for one in (by_id.get(name, Subnet(name)) for name in group.subnets):
            missing = [name for name in NEEDED_ENDPOINTS if name not in one.endpoints]
            if not missing:
                continue
            if not one.target:
                why = f"{one.id} has neither a default route nor endpoints for {', '.join(missing)}"
                mend = "aws ec2 create-vpc-endpoint, or route 0.0.0.0/0 to a NAT gateway"
                yield grave(group), group.slot, why, mend
            elif one.target.startswith("igw-") and not one.assigns_public_ip:
                why = f"{one.id} leads to {one.target}, but assigns no public address: a new host reaches"
                why += " AWS only where its launch template sets AssociatePublicIpAddress"
                mend = f"aws ec2 modify-subnet-attribute --subnet-id {one.id} --map-public-ip-on-launch"
                yield Level.WARN, group.slot, why, mend
