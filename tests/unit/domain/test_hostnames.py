"""The hostname function: vectors H1 to H22 of domain.md 8.1."""

from __future__ import annotations

from dataclasses import replace

import pytest

from picoha.domain.hostnames import (
    Addresses,
    Deployment,
    HostnameProblem,
    Property,
    deployment,
    expected,
    hosts_entries,
    judge,
    kind_of,
    name_problem,
    property_names,
    static_problem,
)
from picoha.domain.model import Kind, Pico, PicoType
from picoha.domain.record import Assignment

PLATFORM_HOST, SERVER_HOST = Property.PLATFORM_HOST, Property.SERVER_HOST
P, E = Kind.PLATFORM, Kind.EXECUTION
EIP, P1, P2, E1, E2 = "203.0.113.10", "10.0.1.10", "10.0.2.20", "10.0.3.11", "10.0.3.31"
LOCAL, FLOATING, VIP = "192.168.0.5", "198.51.100.7", "10.9.9.9"

TABLE = {
    "H1": (PLATFORM_HOST, P, "aws", Addresses(P1, EIP), P1),
    "H2": (PLATFORM_HOST, E, "aws", Addresses(E1, EIP), EIP),
    "H3": (SERVER_HOST, P, "aws", Addresses(P1, EIP), P1),
    "H4": (SERVER_HOST, E, "aws", Addresses(E1, EIP), E1),
    "H5": (PLATFORM_HOST, P, "openstack", Addresses(LOCAL, FLOATING), LOCAL),
    "H6": (PLATFORM_HOST, E, "openstack", Addresses("192.168.0.9", FLOATING), FLOATING),
    "H7": (SERVER_HOST, P, "openstack", Addresses(LOCAL, FLOATING), LOCAL),
    "H8": (SERVER_HOST, E, "openstack", Addresses("192.168.0.9", FLOATING), "192.168.0.9"),
    "H9": (PLATFORM_HOST, P, "physical", Addresses("10.9.9.1", VIP), VIP),
    "H10": (PLATFORM_HOST, E, "physical", Addresses("10.9.9.21", VIP), VIP),
    "H11": (SERVER_HOST, P, "physical", Addresses("10.9.9.1", VIP), VIP),
    "H12": (SERVER_HOST, E, "physical", Addresses("10.9.9.21", VIP), "10.9.9.21"),
}

EC = Assignment(E, "ec1host", "ec1", (Pico("ec1", 7101, PicoType.EC),), "mz-platform", EIP)
PLATFORM = Assignment(
    P, "mz-platform", "platform1", (Pico("platform", 7100, PicoType.PLATFORM),), "mz-platform", EIP
)


@pytest.mark.parametrize(("prop", "kind", "where", "addresses", "wanted"), TABLE.values(), ids=TABLE)
def test_each_property_has_one_address_on_each_host(
    prop: Property, kind: Kind, where: str, addresses: Addresses, wanted: str
) -> None:
    assert expected(prop, kind, where, addresses) == wanted
    assert judge(prop, kind, where, addresses, "name", wanted) == ""


def test_table_covers_every_property_kind_and_deployment() -> None:
    covered = {(prop, kind, Deployment(where)) for prop, kind, where, _, _ in TABLE.values()}
    assert covered == {(prop, kind, where) for prop in Property for kind in Kind for where in Deployment}


def test_h13_replaced_platform_gives_the_same_name_its_own_new_address() -> None:
    assert hosts_entries(PLATFORM, P1) == {"mz-platform": P1}
    assert hosts_entries(PLATFORM, P2) == {"mz-platform": P2}


def test_h14_replaced_platform_changes_nothing_on_an_execution_host() -> None:
    assert hosts_entries(EC, E1) == {"mz-platform": EIP, "ec1host": E1}


def test_h15_replaced_execution_host_has_the_elastic_ip_and_its_own_address() -> None:
    assert hosts_entries(EC, E2) == {"mz-platform": EIP, "ec1host": E2}


def test_h16_platform_that_resolves_to_its_elastic_ip_must_be_local() -> None:
    problem = judge(PLATFORM_HOST, P, "aws", Addresses(P1, EIP), "mz-platform", EIP)
    assert problem == (
        "pico.rcp.platform.host: mz-platform resolves to 203.0.113.10; "
        "on the platform host it must be local IP 10.0.1.10"
    )


def test_h17_execution_host_that_resolves_to_the_private_ip_has_drifted() -> None:
    problem = judge(PLATFORM_HOST, E, "aws", Addresses(E1, EIP), "mz-platform", P1)
    assert "resolves to 10.0.1.10" in problem
    assert "must be Elastic IP of the Platform 203.0.113.10" in problem


def test_name_that_does_not_resolve_is_a_problem_of_its_own() -> None:
    problem = judge(SERVER_HOST, E, "aws", Addresses(E1, EIP), "ec1host", None)
    assert "ec1host does not resolve" in problem


def test_h18_changed_platform_hostname_is_rejected() -> None:
    assert static_problem("mz-platform", "MZ-Platform") == ""
    problem = static_problem("mz-platform", "mz-platform2")
    assert problem == ("the host name must be static: mz-platform is registered, mz-platform2 was given")


@pytest.mark.parametrize("unknown", [None, ""])
def test_h19_execution_host_without_elastic_ip_is_an_error_and_never_private(unknown: str | None) -> None:
    with pytest.raises(HostnameProblem, match=r"must be the Elastic IP of the Platform, which is not known"):
        expected(PLATFORM_HOST, E, "aws", Addresses(E1, unknown))
    with pytest.raises(HostnameProblem, match="Elastic IP"):
        hosts_entries(replace(EC, platform_address=unknown), E1)


def test_h20_one_name_has_one_address_however_it_is_written() -> None:
    entries = hosts_entries(replace(PLATFORM, platform_hostname="MZ-PLATFORM"), P1)
    assert entries == {"mz-platform": P1}


def test_h21_unknown_deployment_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(HostnameProblem, match="'azure'; known are aws, openstack, physical"):
        deployment("azure")
    with pytest.raises(HostnameProblem):
        expected(SERVER_HOST, E, "azure", Addresses(E1, EIP))


def test_h22_host_with_platform_and_ec_follows_the_platforms_rules() -> None:
    both = replace(PLATFORM, kind=E, picos=(*PLATFORM.picos, *EC.picos))
    assert kind_of(both) is P
    assert hosts_entries(both, P1) == {"mz-platform": P1}


def test_execution_host_without_a_platform_name_is_an_error() -> None:
    with pytest.raises(HostnameProblem, match=r"pico\.rcp\.platform\.host is not set"):
        property_names(replace(EC, platform_hostname=""))


def test_execution_host_with_the_platforms_own_name_is_an_error() -> None:
    with pytest.raises(HostnameProblem, match="needs its own"):
        property_names(replace(EC, hostname="mz-platform"))


@pytest.mark.parametrize("name", ["10.0.1.10", "::1", "2001:db8::1"])
def test_literal_address_is_no_name(name: str) -> None:
    assert "literal address" in name_problem(SERVER_HOST, name)


@pytest.mark.parametrize("name", ["a b", "x\n10.9.9.9 mz-platform", "-ec1", "ec_1", "a..b", "x" * 254, "a#b"])
def test_name_that_would_break_the_hosts_file_is_refused(name: str) -> None:
    assert "no host name" in name_problem(SERVER_HOST, name)
    with pytest.raises(HostnameProblem):
        hosts_entries(replace(EC, hostname=name), E1)
