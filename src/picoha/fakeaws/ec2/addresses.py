"""Elastic IPs in memory, with EC2's rules of association (EC2 API reference, AssociateAddress)."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import Any

from picoha.fakeaws.clients import ACCOUNT, REGION, Answer, matches, played, tag_list
from picoha.fakeaws.ec2.api import Ec2, refuse_dry_run
from picoha.fakeaws.ec2.instances import Instance
from picoha.fakeaws.scheduler import AwsFault


@dataclass(eq=False)
class ElasticAddress:
    """One Elastic IP; `interface_id` and `association_id` are None while it is free."""

    allocation_id: str
    public_ip: str
    tags: dict[str, str] = field(default_factory=dict)
    interface_id: str | None = None
    association_id: str | None = None


class ElasticAddresses:
    """The account's Elastic IPs; adds its operations to those of `ec2`.

    `freed_after_s`: seconds from an instance's `terminated` until its address is free.
    """

    def __init__(self, ec2: Ec2, freed_after_s: float = 0.0) -> None:
        self.ec2 = ec2
        self.freed_after_s = freed_after_s
        self.addresses: dict[str, ElasticAddress] = {}
        self._allocations = itertools.count(1)
        self._associations = itertools.count(1)
        ec2.on_state.append(self._on_state)
        ec2.operations.update(played(self))

    # --- the story's hand

    def allocate(self, public_ip: str, tags: dict[str, str] | None = None) -> ElasticAddress:
        """Own one more address, free for now."""
        address = ElasticAddress(f"eipalloc-{next(self._allocations):017x}", public_ip, dict(tags or {}))
        self.addresses[address.allocation_id] = address
        return address

    def place(self, address: ElasticAddress, interface_id: str) -> str:
        """Put an address on an interface, known here or not; return the new association id.

        What either side had before is displaced, and stays allocated.
        """
        for other in self.addresses.values():
            if other is address or other.interface_id == interface_id:
                self.free(other)
        address.interface_id = interface_id
        address.association_id = f"eipassoc-{next(self._associations):017x}"
        if holder := self.holder(address):
            holder.public_ip = address.public_ip
        return address.association_id

    def free(self, address: ElasticAddress) -> None:
        """Take an address off its interface."""
        if holder := self.holder(address):
            holder.public_ip = None
        address.interface_id = address.association_id = None

    def holder(self, address: ElasticAddress) -> Instance | None:
        """Return the instance whose interface has the address, if it is one of EC2's."""
        known = self.ec2.instances.values()
        return next((one for one in known if one.interface_id == address.interface_id), None)

    def _on_state(self, instance: Instance, old: str, new: str) -> None:
        if new == "terminated":
            self.ec2.scheduler.at(self.freed_after_s, lambda: self._free_interface(instance.interface_id))

    def _free_interface(self, interface_id: str) -> None:
        for address in self.addresses.values():
            if address.interface_id == interface_id:
                self.free(address)

    # --- the API

    def _find(self, allocation_id: str) -> ElasticAddress:
        if allocation_id not in self.addresses:
            message = f"The allocation ID '{allocation_id}' does not exist"
            raise AwsFault("InvalidAllocationID.NotFound", message)
        return self.addresses[allocation_id]

    def _api_describe_addresses(self, params: dict[str, Any]) -> Answer:
        refuse_dry_run(params)
        asked = [self._find(one) for one in params.get("AllocationIds", [])] or list(self.addresses.values())
        wanted = params.get("PublicIps") or [one.public_ip for one in asked]
        if missing := set(wanted) - {one.public_ip for one in asked}:
            raise AwsFault("InvalidAddress.NotFound", f"Address '{min(missing)}' not found.")
        rows = [(one, self._row(one)) for one in asked if one.public_ip in wanted]
        return {"Addresses": [row for one, row in rows if matches(params, one.tags, _filterable(row))]}

    def _row(self, address: ElasticAddress) -> Answer:
        row: Answer = {
            "AllocationId": address.allocation_id,
            "PublicIp": address.public_ip,
            "Domain": "vpc",
            "NetworkBorderGroup": REGION,
            "PublicIpv4Pool": "amazon",
            "Tags": tag_list(address.tags),
        }
        if address.interface_id:
            row["AssociationId"] = address.association_id
            row |= {"NetworkInterfaceId": address.interface_id, "NetworkInterfaceOwnerId": ACCOUNT}
        if holder := self.holder(address):
            row |= {"InstanceId": holder.id, "PrivateIpAddress": holder.private_ip}
        return row

    def _api_associate_address(self, params: dict[str, Any]) -> Answer:
        refuse_dry_run(params)
        if "AllocationId" not in params:
            raise AwsFault("MissingParameter", "Either public IP or allocation id must be specified")
        address = self._find(params["AllocationId"])
        interface_id = self._target(params)
        if address.interface_id == interface_id:
            return {"AssociationId": address.association_id}
        if address.interface_id and not params.get("AllowReassociation", True):
            message = f"resource {address.allocation_id} is already associated with associate-id "
            raise AwsFault("Resource.AlreadyAssociated", message + str(address.association_id))
        return {"AssociationId": self.place(address, interface_id)}

    def _target(self, params: dict[str, Any]) -> str:
        """The interface an association asks for; one of a terminated instance is gone."""
        if ("InstanceId" in params) == ("NetworkInterfaceId" in params):
            message = "Exactly one of 'InstanceId' and 'NetworkInterfaceId' must be specified"
            raise AwsFault("InvalidParameterCombination", message)
        if "InstanceId" in params:
            instance = self.ec2.get(params["InstanceId"])
            if instance.state not in ("running", "stopping", "stopped"):
                message = f"The {instance.state} instance '{instance.id}' is not in a valid state for this"
                raise AwsFault("InvalidInstanceID", f"{message} operation.")
            return instance.interface_id
        asked = str(params["NetworkInterfaceId"])
        live = [one.interface_id for one in self.ec2.instances.values() if one.state != "terminated"]
        if asked not in live:
            message = f"The networkInterface ID '{asked}' does not exist"
            raise AwsFault("InvalidNetworkInterfaceID.NotFound", message)
        return asked

    def _api_disassociate_address(self, params: dict[str, Any]) -> Answer:
        refuse_dry_run(params)
        asked = params.get("AssociationId")
        found = [address for address in self.addresses.values() if asked and address.association_id == asked]
        if not found:
            raise AwsFault("InvalidAssociationID.NotFound", f"The association ID '{asked}' does not exist")
        self.free(found[0])
        return {}

    def _api_release_address(self, params: dict[str, Any]) -> Answer:
        refuse_dry_run(params)
        address = self._find(params.get("AllocationId", ""))
        if address.interface_id:
            raise AwsFault("InvalidIPAddress.InUse", f"Address {address.public_ip} is in use.")
        del self.addresses[address.allocation_id]
        return {}


def _filterable(row: Answer) -> dict[str, str | None]:
    names = ("AllocationId", "AssociationId", "NetworkInterfaceId", "PublicIp", "InstanceId")
    return {re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower(): row.get(name) for name in names}
