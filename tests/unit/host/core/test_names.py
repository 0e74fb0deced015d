"""The managed block and its verification: vectors H13 to H20 and H23 to H26 on real text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoha.domain.hostnames import hosts_entries
from picoha.domain.model import AgentPhase
from picoha.host.core.names import BEGIN, END, NOT_READ, REPLACED, apply, merged, verify
from picoha.host.core.ports import Unreadable
from unit.host.fakes import (
    EC_ASSIGNMENT,
    EIP,
    PLATFORM,
    PLATFORM_ASSIGNMENT,
    FakeHost,
    FileResolver,
    Table,
    TextFile,
    Time,
    granted,
    started,
)

PLATFORM_HOST, SERVER_HOST = "pico.rcp.platform.host", "pico.rcp.server.host"
P1, P2, E1, E2 = "10.0.1.10", "10.0.2.20", "10.0.3.11", "10.0.3.31"
EC_ENTRIES = {"mz-platform": EIP, "ec1host": E1}
BLOCK = f"{BEGIN}\n{EIP}\tmz-platform\n{E1}\tec1host\n{END}\n"


def effective(text: str, name: str) -> list[str]:
    """Return the addresses of every line that gives `name`, as a resolver reads them."""
    fields = [line.partition("#")[0].split() for line in text.splitlines()]
    return [field[0] for field in fields if name.lower() in (word.lower() for word in field[1:])]


# The block.


def test_block_goes_to_the_end_and_other_lines_stay_byte_for_byte() -> None:
    before = "127.0.0.1\tlocalhost  \n\n# a note\r\n::1 ip6-localhost\n"
    assert merged(before, EC_ENTRIES) == before + BLOCK


def test_file_without_a_last_newline_gets_one() -> None:
    assert merged("127.0.0.1 localhost", EC_ENTRIES) == "127.0.0.1 localhost\n" + BLOCK


def test_empty_file_becomes_the_block() -> None:
    assert merged("", EC_ENTRIES) == BLOCK


def test_block_that_moved_addresses_stays_in_its_place() -> None:
    before = merged("127.0.0.1 localhost\n", EC_ENTRIES) + "10.1.1.1 other\n"
    after = merged(before, {**EC_ENTRIES, "ec1host": E2})
    assert after == before.replace(E1, E2)


def test_h20_old_line_is_commented_out_and_the_second_run_changes_nothing() -> None:
    file = TextFile("127.0.0.1 localhost\n10.0.9.9 mz-platform # by hand\n")
    assert apply(file, EC_ENTRIES)
    assert f"{REPLACED}10.0.9.9 mz-platform # by hand\n" in file.text
    assert effective(file.text, "mz-platform") == [EIP]
    once = file.text
    assert not apply(file, EC_ENTRIES)
    assert (file.text, file.writes) == (once, 1)


def test_h20_old_line_with_other_names_loses_only_the_managed_one() -> None:
    after = merged("10.0.9.9 db MZ-Platform cache # shared\n", EC_ENTRIES)
    assert after.startswith("10.0.9.9\tdb cache # shared\n")
    assert effective(after, "mz-platform") == [EIP]


def test_name_that_is_only_part_of_another_is_left_alone() -> None:
    before = "10.0.9.9 mz-platform-old xmz-platform mz-platform.example.com\n"
    assert merged(before, EC_ENTRIES) == before + BLOCK


def test_block_without_its_end_takes_no_foreign_line_with_it() -> None:
    before = f"{BEGIN}\n10.0.9.9 mz-platform\n10.1.1.1 other\n"
    after = merged(before, EC_ENTRIES)
    assert effective(after, "other") == ["10.1.1.1"]
    assert effective(after, "mz-platform") == [EIP]
    assert after.count(BEGIN) == after.count(END) == 1


def test_two_blocks_become_one() -> None:
    after = merged(BLOCK + "10.1.1.1 other\n" + BLOCK, EC_ENTRIES)
    assert after == BLOCK + "10.1.1.1 other\n"


_WORDS = st.sampled_from(
    ["10.0.0.1", "::1", "mz-platform", "EC1HOST", "other", "#", "# x", "\t", " ", "\n", "\r\n", BEGIN, END]
)


@given(st.lists(_WORDS, max_size=40).map(lambda words: "".join(words)))
def test_any_file_ends_with_one_effective_line_per_name_and_is_then_stable(text: str) -> None:
    once = merged(text, EC_ENTRIES)
    assert merged(once, EC_ENTRIES) == once
    for name, address in EC_ENTRIES.items():
        assert effective(once, name) == [address]
    for name in ("other",):
        # Inside a block of ours foreign lines are not kept; everywhere else they are.
        if BEGIN not in text:
            assert effective(once, name) == effective(text, name)


# On a host.


def platform(private_ip: str, instance: str = "i-1") -> FakeHost:
    record = granted(holder=instance, assignment=PLATFORM_ASSIGNMENT)
    return FakeHost(Table(record), Time(), instance, "platform1", private_ip, (PLATFORM,))


def test_h13_new_platform_host_resolves_its_unchanged_name_to_its_own_address() -> None:
    for address, instance in ((P1, "i-1"), (P2, "i-2")):
        report = platform(address, instance).cycles(3)
        assert report.phase is AgentPhase.RUNNING
        assert report.names is not None
        assert report.names.resolved == {PLATFORM_HOST: address, SERVER_HOST: address}


def test_h14_replaced_platform_leaves_the_file_of_an_execution_host_unwritten() -> None:
    host = started()
    before = host.file.text
    host.cloud.table.write()  # the controller renews the record; the Elastic IP is the same
    host.cycles(60)
    assert (host.file.text, host.file.writes) == (before, 1)


def test_h15_new_execution_host_has_the_elastic_ip_and_its_own_address() -> None:
    host = FakeHost(Table(granted(holder="i-2")), Time(), "i-2", private_ip=E2)
    report = host.cycles(3)
    assert report.names is not None
    assert report.names.resolved == {PLATFORM_HOST: EIP, SERVER_HOST: E2}


def test_h16_platform_whose_name_leads_to_its_elastic_ip_starts_nothing() -> None:
    host = platform(P1)
    host.resolver.dns["mz-platform"] = EIP
    host.resolver.is_dns_first = True
    report = host.cycles(3)
    assert report.phase is AgentPhase.NAMES_WRONG
    assert f"mz-platform resolves to {EIP}; on the platform host it must be local IP {P1}" in report.problem
    assert host.scripts.ran == []


def test_h17_drift_on_a_running_execution_host_is_reported_and_stops_nothing() -> None:
    host = started()
    host.resolver.dns["mz-platform"] = P1
    host.resolver.is_dns_first = True
    report = host.cycles(31)
    assert report.phase is AgentPhase.RUNNING
    assert report.names is not None and not report.names.are_right
    assert f"must be Elastic IP of the Platform {EIP}" in report.names.problem
    assert host.scripts.ran == ["online ec1"]


def test_h18_changed_platform_name_is_rejected_and_not_written() -> None:
    host = started()
    before = host.file.text
    host.cloud.table.write(assignment=replace(EC_ASSIGNMENT, platform_hostname="mz-other"))
    report = host.cycles(2)
    assert report.names is not None and not report.names.are_right
    assert "must be static: mz-platform is registered, mz-other was given" in report.names.problem
    assert host.file.text == before


def test_h19_execution_host_without_elastic_ip_starts_nothing() -> None:
    host = FakeHost(Table(granted(assignment=replace(EC_ASSIGNMENT, platform_address=None))), Time())
    report = host.cycles(2)
    assert report.phase is AgentPhase.NAMES_WRONG
    assert "must be the Elastic IP of the Platform, which is not known" in report.problem
    assert (host.file.writes, host.scripts.ran) == (0, [])


def test_wrong_names_are_tried_again_slowly_and_then_the_start_goes_on() -> None:
    host = FakeHost(Table(granted()), Time())
    host.file.is_broken = True
    report = host.cycles()
    assert report.phase is AgentPhase.NAMES_WRONG
    assert "read-only file system" in report.problem
    host.file.is_broken = False
    assert host.cycles(5).phase is AgentPhase.NAMES_WRONG
    assert host.cycles(4).phase is AgentPhase.RUNNING


def test_new_elastic_ip_of_the_platform_is_written_while_picos_run() -> None:
    host = started()
    host.cloud.table.write(assignment=replace(EC_ASSIGNMENT, platform_address="198.51.100.9"))
    report = host.cycles()
    assert report.names is not None and report.names.resolved[PLATFORM_HOST] == "198.51.100.9"


# What the product itself says.

SAYS = {PLATFORM_HOST: "mz-platform", SERVER_HOST: "ec1host"}
WRONG: dict[str, tuple[Mapping[str, str] | Unreadable, str]] = {
    "H23 unset": ({SERVER_HOST: "ec1host"}, f"{PLATFORM_HOST} is not set"),
    "H23 empty": ({**SAYS, SERVER_HOST: ""}, f"{SERVER_HOST} is not set"),
    "H24 literal": ({**SAYS, PLATFORM_HOST: EIP}, f"{PLATFORM_HOST} is the literal address {EIP}"),
    "H25 differs": ({**SAYS, SERVER_HOST: "ec9host"}, "ec9host is registered, ec1host was given"),
    "H26 unreadable": (Unreadable("mzsh: timed out"), "cannot be read: mzsh: timed out"),
}


@pytest.mark.parametrize(("says", "problem"), WRONG.values(), ids=WRONG)
def test_product_that_says_something_else_starts_nothing(
    says: Mapping[str, str] | Unreadable, problem: str
) -> None:
    host = FakeHost(Table(granted()), Time()).with_properties(lambda: says)
    report = host.cycles(3)
    assert report.phase is AgentPhase.NAMES_WRONG
    assert problem in report.problem
    assert host.scripts.ran == []


def test_product_that_says_what_was_assigned_starts() -> None:
    host = FakeHost(Table(granted()), Time()).with_properties(lambda: SAYS)
    report = host.cycles(3)
    assert report.phase is AgentPhase.RUNNING
    assert report.names is not None and report.names.problem == ""


def test_without_a_command_the_tags_names_are_checked_and_the_report_says_so() -> None:
    file = TextFile()
    apply(file, hosts_entries(EC_ASSIGNMENT, E1))
    reading = verify(EC_ASSIGNMENT, E1, FileResolver(file), None)
    assert (reading.are_right, reading.problem) == (True, NOT_READ)


def test_every_wrong_name_is_named() -> None:
    reading = verify(EC_ASSIGNMENT, E1, FileResolver(TextFile()), lambda: SAYS)
    assert "mz-platform does not resolve" in reading.problem
    assert "ec1host does not resolve" in reading.problem
