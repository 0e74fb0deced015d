"""Elastic IPs in memory, through real clients."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from picoha.fakeaws.clients import fake_session
from picoha.fakeaws.ec2.addresses import ElasticAddress, ElasticAddresses
from picoha.fakeaws.ec2.api import Ec2
from picoha.fakeaws.ec2.instances import Instance
from picoha.fakeaws.scheduler import Scheduler


class Rig:
    """Two running instances and one free address."""

    def __init__(self) -> None:
        self.scheduler = Scheduler()
        self.world = Ec2(self.scheduler)
        self.addresses = ElasticAddresses(self.world)
        self.client: Any = fake_session({"ec2": self.world}).client("ec2")
        self.old, self.new = self.world.launch("10.0.1.10"), self.world.launch("10.0.2.20")
        self.address = self.addresses.allocate("203.0.113.10", {"picoha:slot": "platform1"})
        self.scheduler.run_for(60)

    def associate(self, target: Instance, address: ElasticAddress | None = None, **more: Any) -> str:
        allocation = (address or self.address).allocation_id
        answer = self.client.associate_address(
            AllocationId=allocation, NetworkInterfaceId=target.interface_id, **more
        )
        return str(answer["AssociationId"])

    def shown(self) -> Any:
        (row,) = self.client.describe_addresses(AllocationIds=[self.address.allocation_id])["Addresses"]
        return row


@pytest.fixture
def rig() -> Rig:
    return Rig()


def refused(code: str, call: Any, **params: Any) -> None:
    with pytest.raises(ClientError) as caught:
        call(**params)
    assert caught.value.response["Error"]["Code"] == code


def test_a_free_address_shows_neither_instance_nor_association(rig: Rig) -> None:
    """EC2 API reference, Address."""
    assert rig.shown()["Tags"] == [{"Key": "picoha:slot", "Value": "platform1"}]
    assert not {"InstanceId", "AssociationId", "NetworkInterfaceId"} & set(rig.shown())


def test_an_association_shows_on_the_address_and_on_the_instance(rig: Rig) -> None:
    """AWS VPC user guide: Elastic IP addresses."""
    association = rig.associate(rig.old)
    row = rig.shown()
    assert (row["AssociationId"], row["InstanceId"]) == (association, rig.old.id)
    assert (row["NetworkInterfaceId"], row["PrivateIpAddress"]) == (rig.old.interface_id, "10.0.1.10")
    (found,) = rig.client.describe_instances(InstanceIds=[rig.old.id])["Reservations"]
    assert found["Instances"][0]["PublicIpAddress"] == "203.0.113.10"


def test_reassociation_is_automatic_when_the_parameter_is_left_out(rig: Rig) -> None:
    """EC2 API reference, AssociateAddress: reassociation is automatic."""
    first = rig.associate(rig.old)
    second = rig.associate(rig.new)
    assert first != second
    assert (rig.old.public_ip, rig.new.public_ip) == (None, "203.0.113.10")


def test_reassociation_false_refuses_an_address_in_use_elsewhere(rig: Rig) -> None:
    """EC2 API reference, AssociateAddress: AllowReassociation."""
    rig.associate(rig.old)
    with pytest.raises(ClientError) as caught:
        rig.associate(rig.new, AllowReassociation=False)
    assert caught.value.response["Error"]["Code"] == "Resource.AlreadyAssociated"
    assert rig.shown()["InstanceId"] == rig.old.id


@pytest.mark.parametrize("more", [{}, {"AllowReassociation": False}])
def test_associating_again_to_the_same_interface_changes_nothing(rig: Rig, more: Any) -> None:
    """EC2 API reference, AssociateAddress: an idempotent operation."""
    assert rig.associate(rig.old) == rig.associate(rig.old, **more)


def test_each_new_association_has_a_new_id(rig: Rig) -> None:
    """EC2 API reference, AssociateAddress."""
    ids = [rig.associate(target) for target in (rig.old, rig.new, rig.old)]
    assert len(set(ids)) == 3


def test_the_targets_former_address_is_displaced_and_stays_allocated(rig: Rig) -> None:
    """EC2 API reference, AssociateAddress: the former address is disassociated, still allocated."""
    other = rig.addresses.allocate("203.0.113.11")
    rig.associate(rig.old, other)
    rig.associate(rig.old)
    rows = rig.client.describe_addresses(PublicIps=["203.0.113.11"])["Addresses"]
    assert "AssociationId" not in rows[0]
    assert rig.old.public_ip == "203.0.113.10"


def test_a_terminated_holder_frees_the_address_a_stopped_one_keeps_it(rig: Rig) -> None:
    """AWS EC2 user guide, Elastic IP addresses: kept on stop, disassociated on terminate."""
    rig.associate(rig.old)
    rig.world.stop(rig.old.id)
    rig.scheduler.run_for(60)
    assert rig.shown()["InstanceId"] == rig.old.id
    rig.world.terminate(rig.old.id)
    assert rig.shown()["InstanceId"] == rig.old.id
    rig.scheduler.run_for(30)
    assert "AssociationId" not in rig.shown()
    rig.associate(rig.new, AllowReassociation=False)


def test_a_late_release_keeps_the_address_on_the_terminated_holder_for_a_while() -> None:
    """A story's setting: AWS gives no figure for when the address is free."""
    rig = Rig()
    rig.addresses.freed_after_s = 100
    rig.associate(rig.old)
    rig.world.terminate(rig.old.id)
    rig.scheduler.run_for(60)
    assert rig.old.state == "terminated" and rig.shown()["InstanceId"] == rig.old.id
    rig.client.disassociate_address(AssociationId=rig.shown()["AssociationId"])
    rig.associate(rig.new, AllowReassociation=False)
    rig.scheduler.run_for(100)
    assert rig.shown()["InstanceId"] == rig.new.id


def test_a_terminated_instance_refuses_by_id_and_by_its_gone_interface(rig: Rig) -> None:
    """emulators.md 1.1, associate to a terminated instance: AWS answers an error."""
    rig.world.terminate(rig.old.id)
    rig.scheduler.run_for(30)
    allocation = rig.address.allocation_id
    call = rig.client.associate_address
    refused("InvalidInstanceID", call, AllocationId=allocation, InstanceId=rig.old.id)
    gone = rig.old.interface_id
    refused("InvalidNetworkInterfaceID.NotFound", call, AllocationId=allocation, NetworkInterfaceId=gone)


def test_a_pending_instance_takes_the_address_by_interface_only(rig: Rig) -> None:
    """EC2 error codes, InvalidInstanceID: a pending instance is not in a valid state."""
    young = rig.world.launch()
    allocation = rig.address.allocation_id
    refused("InvalidInstanceID", rig.client.associate_address, AllocationId=allocation, InstanceId=young.id)
    rig.associate(young)
    assert rig.shown()["InstanceId"] == young.id


@pytest.mark.parametrize("more", [{}, {"InstanceId": "i-1", "NetworkInterfaceId": "eni-1"}])
def test_exactly_one_kind_of_target_is_needed(rig: Rig, more: Any) -> None:
    """EC2 API reference, AssociateAddress: exactly one of instance and interface."""
    allocation = rig.address.allocation_id
    refused("InvalidParameterCombination", rig.client.associate_address, AllocationId=allocation, **more)


def test_unknown_ids_are_not_found(rig: Rig) -> None:
    """EC2 error codes."""
    interface = rig.old.interface_id
    unknown = {"AllocationId": "eipalloc-0", "NetworkInterfaceId": interface}
    refused("InvalidAllocationID.NotFound", rig.client.associate_address, **unknown)
    refused("InvalidAllocationID.NotFound", rig.client.describe_addresses, AllocationIds=["eipalloc-0"])
    refused("InvalidAddress.NotFound", rig.client.describe_addresses, PublicIps=["203.0.113.99"])
    refused("InvalidAssociationID.NotFound", rig.client.disassociate_address, AssociationId="eipassoc-0")
    refused("MissingParameter", rig.client.associate_address, NetworkInterfaceId=interface)


def test_disassociating_a_stale_association_spares_the_new_one(rig: Rig) -> None:
    """EC2 API reference, DisassociateAddress: by association id."""
    stale = rig.associate(rig.old)
    rig.associate(rig.new)
    refused("InvalidAssociationID.NotFound", rig.client.disassociate_address, AssociationId=stale)
    assert rig.shown()["InstanceId"] == rig.new.id


def test_an_address_in_use_cannot_be_released_a_free_one_can(rig: Rig) -> None:
    """EC2 API reference, ReleaseAddress: InvalidIPAddress.InUse."""
    association = rig.associate(rig.old)
    allocation = rig.address.allocation_id
    refused("InvalidIPAddress.InUse", rig.client.release_address, AllocationId=allocation)
    rig.client.disassociate_address(AssociationId=association)
    assert rig.old.public_ip is None
    rig.client.release_address(AllocationId=allocation)
    assert rig.client.describe_addresses()["Addresses"] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tag:picoha:slot", "platform1"),
        ("public-ip", "203.0.113.10"),
        ("instance-id", "i-00000000000000001"),
        ("allocation-id", "eipalloc-00000000000000001"),
    ],
)
def test_filters_find_the_address_and_not_the_other(rig: Rig, name: str, value: str) -> None:
    """EC2 API reference, DescribeAddresses: filters."""
    rig.addresses.allocate("203.0.113.11")
    rig.associate(rig.old)
    answer = rig.client.describe_addresses(Filters=[{"Name": name, "Values": [value]}])
    assert [row["PublicIp"] for row in answer["Addresses"]] == ["203.0.113.10"]


def test_an_address_on_an_interface_nobody_knows_shows_no_instance(rig: Rig) -> None:
    """EC2 API reference, Address: InstanceId is the instance it is associated with, if any."""
    rig.addresses.place(rig.address, "eni-foreign")
    assert rig.shown()["NetworkInterfaceId"] == "eni-foreign"
    assert "InstanceId" not in rig.shown()
    with pytest.raises(ClientError):
        rig.associate(rig.new, AllowReassociation=False)
