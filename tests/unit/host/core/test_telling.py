"""When a report is written: on every change at once, and otherwise as often as the settings say."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from unit.host.fakes import FakeHost, Table, Time, granted


def settled(report_every: int) -> FakeHost:
    """Return a host on which nothing changes any more."""
    host = FakeHost(Table(granted()), Time())
    host.settings = replace(host.settings, report_every=report_every)
    host.restart_agent()
    host.cycles(6)
    return host


def told_at(host: FakeHost) -> datetime:
    return host.cloud.table.rows["i-1"].at


def tells(host: FakeHost, cycles: int) -> list[bool]:
    """Return for each of some cycles whether it wrote the report."""
    written = []
    for _ in range(cycles):
        before = told_at(host)
        host.cycles(1)
        written.append(told_at(host) != before)
    return written


@pytest.mark.parametrize(("every", "count"), [(1, 6), (2, 3), (3, 2)])
def test_report_that_says_nothing_new_is_written_every_so_many_cycles(every: int, count: int) -> None:
    assert tells(settled(every), 6).count(True) == count


def test_every_change_is_told_in_its_own_cycle() -> None:
    host = settled(3)
    host.scripts.codes["ec1"] = 100
    assert tells(host, 4) == [True] * 4, "each failed sample is news"


def test_report_that_was_not_confirmed_is_written_again_in_the_next_cycle() -> None:
    host = settled(3)
    host.cloud.is_cut = True
    assert tells(host, 3) == [False] * 3
    host.cloud.is_cut = False
    assert tells(host, 1) == [True]
