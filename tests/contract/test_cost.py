"""docs/cost.md is what scripts/cost.py works out, and that agrees with figures worked out elsewhere."""

from __future__ import annotations

import re

import pytest

import cost
from contract.templates import ROOT, of_type, rendered

PAGE = (ROOT / "docs" / "cost.md").read_text()


@pytest.mark.parametrize(("name", "text"), [("table", cost.table()), ("parts", cost.parts())])
def test_the_page_shows_what_the_script_works_out(name: str, text: str) -> None:
    found = re.search(rf"<!-- {name}:begin -->\n(.*?)\n<!-- {name}:end -->", PAGE, re.DOTALL)
    assert found and found[1] == text, "docs/cost.md is stale: run scripts/cost.py"


def test_a_datapoint_every_ten_seconds_costs_what_262800_calls_cost() -> None:
    assert cost.SECONDS / 10 == 262_800
    assert round(cost.published(10), 2) == 2.63
    assert round(cost.published(10) + cost.METRIC + cost.HIGH_RESOLUTION_ALARM, 2) == 3.23


def test_the_figures_of_the_prose_are_those_of_the_script() -> None:
    tick = cost.TICKS * (cost.METRIC_REQUEST + cost.ROW_READS * cost.READ_UNIT)
    assert f"{tick:.2f} a host" in PAGE
    assert f"saves {cost.per_host(10) - cost.per_host(20):.2f} a host" in PAGE
    assert f"Elastic IPs** are {cost.ADDRESS:.2f}" in PAGE
    assert 10 * 50 * cost.RUN_GB * cost.GB_SECOND < 0.005


def test_what_is_counted_for_a_cell_is_what_the_template_makes() -> None:
    alarms = [name for name in of_type(rendered(), "AWS::CloudWatch::Alarm") if "SlotAlarm" not in name]
    assert len(alarms) == 5
    assert (
        len(of_type(rendered(), "AWS::KMS::Key"))
        == len(of_type(rendered(), "AWS::CloudWatch::Dashboard"))
        == 1
    )
    function = of_type(rendered(), "AWS::Serverless::Function")["Reconcile"]
    assert function["MemorySize"] == cost.RUN_GB * 1024


@pytest.mark.parametrize(("hosts", "made"), [(1, 1), (10, 1), (11, 2), (100, 10), (1000, 100)])
def test_cells_are_of_ten_hosts(hosts: int, made: int) -> None:
    assert cost.cells(hosts) == made
