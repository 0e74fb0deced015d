"""Beats: what each changes, and what AWS or a dead machine refuses, which the timeline says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from picoha.app.errors import SettingsInvalid
from picoha.domain.model import SlotName
from picoha.domain.record import Step
from picoha.drills.drill import Drill
from picoha.drills.hosts import DrillHost
from picoha.drills.setup import Setup
from picoha.drills.story import Beat, Story
from picoha.drills.verbs.table import VERBS, schedule


@pytest.fixture
def drill() -> Iterator[Drill]:
    """A settled cell that nobody watches."""
    found = Drill(Story(title="by hand"), is_short=True)
    found.setup.prepare()
    found.world.ring = lambda event: None
    yield found
    found.world.scheduler.close()


def happen(drill: Drill, do: str, slot: str = "ec1", name: str = "", to: str = "") -> DrillHost:
    """Let something happen to a slot's holder, and return it."""
    host = drill.world.holder(slot)
    VERBS[do](drill.setup, Beat(s=0, do=do, slot=slot, name=name, to=to))
    return host


def test_a_machine_reboots_and_comes_back(drill: Drill) -> None:
    host = happen(drill, "reboot")
    boots = host.boots
    drill.world.scheduler.run_for(61)
    assert host.is_up
    assert host.boots > boots


@pytest.mark.parametrize("end", ["terminate", "stop", "die"])
def test_a_machine_that_is_lost_while_it_reboots_does_not_come_back(drill: Drill, end: str) -> None:
    happen(drill, "reboot")
    host = happen(drill, end)
    drill.world.scheduler.run_for(120)
    assert not host.is_up


def test_a_machine_that_is_down_cannot_reboot(drill: Drill) -> None:
    happen(drill, "die")
    host = happen(drill, "reboot")
    drill.world.scheduler.run_for(120)
    assert not host.is_up


def test_a_host_that_does_not_run_cannot_be_stopped(drill: Drill) -> None:
    happen(drill, "terminate")
    host = happen(drill, "stop")
    assert host.instance.state == "shutting-down"
    assert drill.setup.lines[-1][3] == f"EC2 refuses: {host.instance.id} is shutting-down"


def test_a_host_that_is_no_member_cannot_be_called_unhealthy(drill: Drill) -> None:
    happen(drill, "terminate")
    drill.world.scheduler.run_for(60)
    host = happen(drill, "unhealthy")
    assert drill.setup.lines[-1][3] == f"Auto Scaling refuses: {host.instance.id} is no member"


def test_a_host_that_is_cut_off_from_aws_runs_on_unheard_until_it_is_joined(drill: Drill) -> None:
    host = happen(drill, "cut", to="aws")
    told = drill.world.last_report(host.instance.id)
    assert told is not None
    drill.world.scheduler.run_for(60)
    assert drill.world.last_report(host.instance.id) == told
    assert host.running == {"ec1"}
    happen(drill, "join", to="aws")
    drill.world.scheduler.run_for(20)
    again = drill.world.last_report(host.instance.id)
    assert again is not None and again.at > told.at


def test_a_host_that_is_cut_off_from_aws_publishes_nothing_and_reads_no_record(
    drill: Drill, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = happen(drill, "cut", to="aws")
    heard = Counter[str]()

    def listen(service: str, operation: str, params: dict[str, Any]) -> None:
        heard.update([operation])

    monkeypatch.setattr(drill.world.agents_gate, "before", listen)
    others = [one for one in drill.world.hosts.values() if one is not host]
    for one in others:
        one.is_agent_up = False
    drill.world.scheduler.run_for(30)
    assert not heard


def test_a_group_that_is_deleted_takes_its_hosts_along_and_replaces_none(drill: Drill) -> None:
    host = happen(drill, "remove-slot")
    drill.world.scheduler.run_for(120)
    assert host.instance.state == "terminated"
    assert [one for one in drill.world.hosts.values() if one.slot == "ec1" and one.is_up] == []


def test_a_host_that_is_detached_and_stopped_stays_stopped_and_its_group_starts_another(drill: Drill) -> None:
    host = happen(drill, "detach", slot="platform1")
    happen(drill, "stop", slot="platform1")
    drill.world.scheduler.run_for(120)
    [address] = drill.world.addresses.addresses.values()
    assert (host.instance.state, address.interface_id) == ("stopped", host.instance.interface_id)
    [member] = drill.world.autoscaling.groups["demo-platform1"].members.values()
    assert member.instance is not host.instance


def test_a_crash_that_finds_no_invocation_is_a_problem(drill: Drill) -> None:
    happen(drill, "kill-handlers")
    assert drill.setup.unsaid == ["kill-handlers at 0 s: no invocation ran"]


def test_a_crash_ends_every_invocation_that_runs(drill: Drill) -> None:
    drill.world.ring = drill.invoke
    drill.world.tick()
    drill.world.tick()
    drill.world.scheduler.run_for(0.2)
    happen(drill, "kill-handlers")
    assert (drill.setup.unsaid, drill.crashes) == ([], 2)


def test_a_crash_at_a_call_waits_for_it_and_is_a_problem_until_then(drill: Drill) -> None:
    beat = Beat(s=3, do="kill-handlers", slot="ec1", step="fencing", name="TerminateInstances")
    VERBS["kill-handlers"](drill.setup, beat)
    drill.world.ring = drill.invoke
    drill.world.tick()
    drill.world.scheduler.run_for(60)
    unmet = "kill-handlers at 3 s: no invocation ran and called in fencing TerminateInstances"
    assert (drill.setup.unsaid, drill.crashes) == ([unmet], 0)
    host = happen(drill, "ask", name="failover")
    drill.world.scheduler.run_for(3)
    assert (drill.setup.unsaid, drill.crashes) == ([], 1)
    operation = drill.world.records()[SlotName("ec1")].operation
    assert operation is not None and operation.step is Step.FENCING
    assert f"FenceHost {host.instance.id}" in operation.intents
    assert host.instance.state == "running"


def test_a_deployment_changes_the_next_invocation_and_not_one_that_runs(drill: Drill) -> None:
    drill.world.ring = drill.invoke
    drill.handler = lambda event, context: {"said by": "the old version"}
    drill.world.tick()
    VERBS["deploy"](drill.setup, Beat(s=0, do="deploy", name="healthy_for", number=10))
    drill.world.tick()
    drill.world.scheduler.run_for(10)
    assert drill.replies.count({"said by": "the old version"}) == 1
    assert drill.replies[-1]["outcome"] == "driven"
    assert drill.settings.policy.healthy_for == timedelta(seconds=10)


@pytest.mark.parametrize(("slot", "step"), [("", "fencing"), ("ec1", "resting")])
def test_a_crash_in_a_step_needs_a_slot_and_a_step_that_exists(drill: Drill, slot: str, step: str) -> None:
    beat = Beat(s=3, do="kill-handlers", slot=slot, step=step)
    setup = Setup(Story(title="by hand", at=(beat,)), drill.world)
    with pytest.raises(SettingsInvalid, match="kill-handlers at 3 s: step is one of"):
        schedule(setup)


def test_another_address_gets_the_tags_of_the_slots_old_one(drill: Drill) -> None:
    addresses = drill.world.addresses.addresses
    [old] = addresses.values()
    tags = dict(old.tags)
    happen(drill, "new-address", slot="platform1", to="203.0.113.77")
    [new] = [address for address in addresses.values() if address is not old]
    assert (new.public_ip, new.tags, new.interface_id, old.tags) == ("203.0.113.77", tags, None, {})
    host = happen(drill, "address", slot="platform1")
    assert (new.interface_id, old.interface_id) == (host.instance.interface_id, None)


def test_a_tag_of_the_group_and_one_of_the_host_are_two_things(drill: Drill) -> None:
    host = happen(drill, "tag", name="picoha:fenceable", to="false")
    group = drill.world.autoscaling.groups["demo-ec1"]
    assert (group.tags["picoha:fenceable"], host.instance.tags["picoha:fenceable"]) == ("false", "true")
    happen(drill, "tag-host", name="picoha:fenceable", to="maybe")
    assert (group.tags["picoha:fenceable"], host.instance.tags["picoha:fenceable"]) == ("false", "maybe")


def test_a_launch_hook_is_taken_away_and_given_back(drill: Drill) -> None:
    group = drill.world.autoscaling.groups["demo-ec1"]
    before = list(group.hooks)
    happen(drill, "remove-hook")
    assert group.hooks == []
    happen(drill, "add-hook")
    assert group.hooks == before


def test_two_deaf_times_that_overlap_end_with_the_later(drill: Drill) -> None:
    heard: list[float] = []
    drill.world.ring = lambda event: heard.append(drill.world.scheduler.elapsed)
    begin = drill.world.scheduler.elapsed
    for for_s in (30, 60):
        VERBS["deaf"](drill.setup, Beat(s=0, do="deaf", for_s=for_s))
    for second in (20, 25, 30):  # 20, 45 and 75 s after the begin
        drill.world.scheduler.run_for(second)
        drill.world.ring({})
    assert [at - begin for at in heard if at - begin in (20, 45, 75)] == [75]
