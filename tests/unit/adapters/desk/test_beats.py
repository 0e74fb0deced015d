"""Beats: what each changes, and what AWS or a dead machine refuses, which the timeline says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from picoha.adapters.desk.hosts import DeskHost
from picoha.adapters.desk.script import VERBS
from picoha.adapters.desk.story import Beat, Story
from picoha.entrypoints.drill import Desk


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A settled cell that nobody watches."""
    found = Desk(Story(title="by hand"), is_short=True)
    found.stage.prepare()
    found.world.ring = lambda event: None
    yield found
    found.world.kernel.close()


def happen(desk: Desk, do: str, slot: str = "ec1", name: str = "", to: str = "") -> DeskHost:
    """Let something happen to a slot's holder, and return it."""
    host = desk.world.holder(slot)
    VERBS[do](desk.stage, Beat(s=0, do=do, slot=slot, name=name, to=to))
    return host


def test_a_machine_reboots_and_comes_back(desk: Desk) -> None:
    host = happen(desk, "reboot")
    boots = host.boots
    desk.world.kernel.run_for(61)
    assert host.is_up
    assert host.boots > boots


@pytest.mark.parametrize("end", ["terminate", "stop", "die"])
def test_a_machine_that_is_lost_while_it_reboots_does_not_come_back(desk: Desk, end: str) -> None:
    happen(desk, "reboot")
    host = happen(desk, end)
    desk.world.kernel.run_for(120)
    assert not host.is_up


def test_a_machine_that_is_down_cannot_reboot(desk: Desk) -> None:
    happen(desk, "die")
    host = happen(desk, "reboot")
    desk.world.kernel.run_for(120)
    assert not host.is_up


def test_a_host_that_does_not_run_cannot_be_stopped(desk: Desk) -> None:
    happen(desk, "terminate")
    host = happen(desk, "stop")
    assert host.instance.state == "shutting-down"
    assert desk.stage.lines[-1][3] == f"EC2 refuses: {host.instance.id} is shutting-down"


def test_a_host_that_is_no_member_cannot_be_called_unhealthy(desk: Desk) -> None:
    happen(desk, "terminate")
    desk.world.kernel.run_for(60)
    host = happen(desk, "unhealthy")
    assert desk.stage.lines[-1][3] == f"Auto Scaling refuses: {host.instance.id} is no member"


def test_a_host_that_is_cut_off_from_aws_runs_on_unheard_until_it_is_joined(desk: Desk) -> None:
    host = happen(desk, "cut", to="aws")
    told = desk.world.last_report(host.instance.id)
    assert told is not None
    desk.world.kernel.run_for(60)
    assert desk.world.last_report(host.instance.id) == told
    assert host.running == {"ec1"}
    happen(desk, "join", to="aws")
    desk.world.kernel.run_for(20)
    again = desk.world.last_report(host.instance.id)
    assert again is not None and again.at > told.at


def test_a_host_that_is_cut_off_from_aws_publishes_nothing_and_reads_no_record(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = happen(desk, "cut", to="aws")
    heard = Counter[str]()

    def listen(service: str, operation: str, params: dict[str, Any]) -> None:
        heard.update([operation])

    monkeypatch.setattr(desk.world.agents_gate, "before", listen)
    others = [one for one in desk.world.hosts.values() if one is not host]
    for one in others:
        one.is_agent_up = False
    desk.world.kernel.run_for(30)
    assert not heard


def test_another_address_gets_the_tags_of_the_slots_old_one(desk: Desk) -> None:
    addresses = desk.world.addresses.addresses
    [old] = addresses.values()
    tags = dict(old.tags)
    happen(desk, "new-address", slot="platform1", to="203.0.113.77")
    [new] = [one for one in addresses.values() if one is not old]
    assert (new.public_ip, new.tags, new.interface_id, old.tags) == ("203.0.113.77", tags, None, {})
    host = happen(desk, "address", slot="platform1")
    assert (new.interface_id, old.interface_id) == (host.instance.interface_id, None)


def test_a_tag_of_the_group_and_one_of_the_host_are_two_things(desk: Desk) -> None:
    host = happen(desk, "tag", name="picoha:fenceable", to="false")
    group = desk.world.autoscaling.groups["demo-ec1"]
    assert (group.tags["picoha:fenceable"], host.instance.tags["picoha:fenceable"]) == ("false", "true")
    happen(desk, "tag-host", name="picoha:fenceable", to="maybe")
    assert (group.tags["picoha:fenceable"], host.instance.tags["picoha:fenceable"]) == ("false", "maybe")


def test_a_launch_hook_is_taken_away_and_given_back(desk: Desk) -> None:
    group = desk.world.autoscaling.groups["demo-ec1"]
    before = list(group.hooks)
    happen(desk, "remove-hook")
    assert group.hooks == []
    happen(desk, "add-hook")
    assert group.hooks == before
