"""Every check of `doctor` on a sound cell of the drill, and on the same cell with one thing broken."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from picoha.adapters.aws import actuators, inspection
from picoha.adapters.aws.items import slot_item
from picoha.domain.doctor.findings import Level, exit_code
from picoha.domain.doctor.groups import LAUNCH_HOOK
from picoha.domain.doctor.table import CHECKS
from picoha.domain.model import AgentPhase, NamesReading, SlotName
from picoha.fakeaws.autoscaling.group import GroupWarmPool, LifecycleHook
from picoha.fakeaws.clients import ACCOUNT, REGION
from unit.app.doctor_rig import Clinic, clinic

Break = Callable[[Clinic, pytest.MonkeyPatch], Any]
ERROR, WARN = Level.ERROR, Level.WARN
QUEUE = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:other:live"


@pytest.fixture(scope="module")
def built() -> Iterator[Clinic]:
    with clinic() as cell:
        yield cell


@pytest.fixture
def cell(built: Clinic) -> Iterator[Clinic]:
    yield built
    built.mend()


def shown(**fields: Any) -> Break:
    """Let the account show other values (see `drills.doctor_answers.DoctorAnswers`)."""

    def act(cell: Clinic, patch: pytest.MonkeyPatch) -> None:
        for name, value in fields.items():
            patch.setattr(cell.shown, name, value)

    return act


def group(slot: str, **fields: Any) -> Break:
    """Give a slot's group other values."""

    def act(cell: Clinic, patch: pytest.MonkeyPatch) -> None:
        for name, value in fields.items():
            patch.setattr(cell.group(slot), name, value)

    return act


def tagged(slot: str, /, **tags: str) -> Break:
    """Give a slot's group other tags."""

    def act(cell: Clinic, patch: pytest.MonkeyPatch) -> None:
        for name, value in tags.items():
            patch.setitem(cell.group(slot).tags, f"picoha:{name}", value)

    return act


def instance(slot: str, **fields: Any) -> Break:
    """Give a slot's host other values."""

    def act(cell: Clinic, patch: pytest.MonkeyPatch) -> None:
        for name, value in fields.items():
            patch.setattr(cell.holder(slot), name, value)

    return act


def alarm(slot: str, **fields: Any) -> Break:
    """Change an alarm; None deletes it."""

    def act(cell: Clinic, patch: pytest.MonkeyPatch) -> None:
        known, name = cell.world.alarms._alarms, f"picoha-demo-{slot}"
        if not fields:
            patch.delitem(known, name)
            return
        patch.setattr(known[name], "spec", known[name].spec | fields)

    return act


def report(slot: str, **fields: Any) -> Break:
    """Let a host have reported otherwise."""
    return lambda cell, patch: cell.report(slot, **fields)


def late(cell: Clinic, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cell.world.scheduler, "elapsed", cell.world.scheduler.elapsed + 120)


def newer(cell: Clinic, patch: pytest.MonkeyPatch) -> None:
    record = cell.world.records()[SlotName("ec1")]
    cell.rewrite(slot_item(replace(record, schema=99), "newer"))


def two_versions(cell: Clinic, patch: pytest.MonkeyPatch) -> None:
    cell.report("ec1", version="0.1.0")
    cell.report("ec2", version="0.2.0")


def no_report(cell: Clinic, patch: pytest.MonkeyPatch) -> None:
    extra = cell.world.ec2.launch(tags=cell.holder("ec1").tags, interface_tags=cell.holder("ec1").tags)
    extra.state = "running"
    extra.history.append((cell.world.scheduler.elapsed, "running"))
    instances = dict(cell.world.ec2.instances)
    del cell.world.ec2.instances[extra.id]
    patch.setattr(cell.world.ec2, "instances", instances)


def address(**fields: Any) -> Break:
    """Change the Platform's Elastic IP."""

    def act(cell: Clinic, patch: pytest.MonkeyPatch) -> None:
        found = next(iter(cell.world.addresses.addresses.values()))
        for name, value in fields.items():
            patch.setattr(found, name, value)

    return act


def second_address(cell: Clinic, patch: pytest.MonkeyPatch) -> None:
    tags = {"picoha:cell": "demo", "picoha:slot": "platform1"}
    more = cell.world.addresses.allocate("203.0.113.99", tags)
    known = dict(cell.world.addresses.addresses)
    del cell.world.addresses.addresses[more.allocation_id]
    patch.setattr(cell.world.addresses, "addresses", known)


def misplaced(cell: Clinic, patch: pytest.MonkeyPatch) -> None:
    address(interface_id=cell.holder("ec1").interface_id)(cell, patch)


def data_disk(cell: Clinic, patch: pytest.MonkeyPatch) -> None:
    ebs = {"VolumeId": "vol-0data", "DeleteOnTermination": True}
    patch.setattr(cell.shown, "disks", [*cell.shown.disks, {"DeviceName": "/dev/xvdf", "Ebs": ebs}])


OPEN_HOOK = LifecycleHook(LAUNCH_HOOK, heartbeat_s=900, default_result="CONTINUE")
SHORT_HOOK = LifecycleHook(LAUNCH_HOOK, heartbeat_s=60)
OTHER_HOOK = LifecycleHook("other", heartbeat_s=3600)
WRONG = NamesReading(are_right=False, problem="pico.rcp.server.host is 10.9.9.9, should be 10.0.3.11")

BAD: list[tuple[str, Break, Level, str, str]] = [
    ("settings", shown(environment={"PICOHA_CELL": "other"}), ERROR, "demo-reconcile", "is other, this is"),
    ("settings", shown(environment={"PICOHA_SILENT_AFTER": "5"}), ERROR, "demo-reconcile", "SILENT_AFTER"),
    ("settings", shown(environment={"PICOHA_COOL_DOWN": "60"}), ERROR, "demo-reconcile", "different numbers"),
    ("settings", shown(reserved=0), ERROR, "demo-reconcile", "no doorbell runs"),
    ("permissions", shown(denied={"ec2:TerminateInstances"}), ERROR, "demo-reconcile", "FenceHost: ec2:Term"),
    ("permissions", shown(denied={"ec2:AssociateAddress"}), ERROR, "demo-reconcile", "on network-interface"),
    ("tags", tagged("ec1", kind="ui"), ERROR, "ec1", "tag picoha:kind is 'ui'"),
    ("tags", tagged("ec2", slot="ec1"), ERROR, "ec1", "2 groups carry picoha:slot=ec1"),
    ("tags", tagged("ec2", hostname="ec1host"), ERROR, "ec1", "2 slots have picoha:hostname=ec1host"),
    ("tags", tagged("platform1", cell="other"), ERROR, "", "0 platform slots (none)"),
    ("tags-propagated", group("ec1", local_tags=frozenset({"picoha:slot"})), ERROR, "ec1", "picoha:slot"),
    (
        "tags-metadata",
        tagged("ec1", **{"my tag": "x"}),
        ERROR,
        "ec1",
        "'picoha:my tag': the next launch fails",
    ),
    ("tags-metadata", tagged("ec1", **{"a/b": "x"}), ERROR, "ec1", "'picoha:a/b'"),
    ("group-shape", group("ec1", max_size=2), ERROR, "ec1", "1/2/1, not 1/1/1"),
    ("group-maintenance", group("ec1", maintenance=None), ERROR, "ec1", "not set"),
    ("group-maintenance", group("ec1", maintenance=(100, 110)), ERROR, "ec1", "100/110, not 0/100"),
    ("group-processes", group("ec1", suspended=set()), ERROR, "ec1", "AZRebalance is not suspended"),
    (
        "group-processes",
        group("ec1", suspended={"AZRebalance", "Launch"}),
        ERROR,
        "ec1",
        "Launch suspended: a fenced host is not replaced",
    ),
    ("launch-hook", group("ec1", hooks=[]), ERROR, "ec1", "no launch hook picoha-launch"),
    ("launch-hook", group("ec1", hooks=[OPEN_HOOK]), ERROR, "ec1", "ends in CONTINUE"),
    ("launch-hook", group("ec1", hooks=[SHORT_HOOK]), ERROR, "ec1", "waits 60 s: less than 900 s"),
    (
        "launch-hook",
        group("ec1", hooks=[LifecycleHook(LAUNCH_HOOK, heartbeat_s=900), OTHER_HOOK]),
        WARN,
        "ec1",
        "300 s",
    ),
    ("warm-pool", group("platform1", warm_pool=GroupWarmPool()), WARN, "platform1", "MinSize is 0"),
    ("warm-pool", group("ec1", warm_pool=GroupWarmPool(min_size=1)), WARN, "ec1", "the warm pool is empty"),
    ("placement", tagged("platform1", picos="platform:7100 ec9:7109"), WARN, "platform1", "share a host"),
    ("scale-in-protection", shown(shielded=True), WARN, "ec1", "protected from scale-in"),
    ("scale-in-protection", shown(shields_new=True), WARN, "ec1", "new hosts are protected"),
    ("termination-protection", instance("ec1", protected=True), ERROR, "ec1", "it cannot be fenced"),
    ("disks", data_disk, WARN, "ec1", "vol-0root (root), vol-0data (/dev/xvdf)"),
    ("disks", shown(instance_store_gb=75), WARN, "ec1", "75 GB of instance store"),
    ("host-tags", instance("ec1", interface_tags={}), ERROR, "ec1", "IAM would refuse its Elastic IP"),
    ("host-tags", shown(metadata_tags="disabled"), WARN, "ec1", "its agent is blind"),
    ("agents", late, ERROR, "ec1", "last report 1"),
    ("agents", no_report, ERROR, "ec1", "has never reported"),
    ("agents", two_versions, WARN, "", "agents of 2 versions: 0.1.0, 0.2.0"),
    ("agents", report("ec1", names=WRONG), ERROR, "ec1", "should be 10.0.3.11"),
    ("agents", report("ec1", names=WRONG, phase=AgentPhase.OPEN), WARN, "ec1", "its gate is open"),
    ("agents", report("ec1", problem="break-glass: kept by hand"), WARN, "ec1", "break-glass"),
    ("address", address(tags={"picoha:cell": "demo"}), ERROR, "platform1", "no Elastic IP of its own"),
    ("address", address(tags={"picoha:cell": "demo", "picoha:slot": "ec9"}), WARN, "ec9", "of no slot"),
    ("address", second_address, ERROR, "platform1", "2 Elastic IPs carry this slot"),
    ("address", misplaced, ERROR, "platform1", "which is no host of this slot"),
    (
        "address",
        address(interface_id="eni-00000000000000abc"),
        ERROR,
        "platform1",
        "on eni-00000000000000abc",
    ),
    ("address-quota", shown(most_addresses=1), WARN, "", "1 of 1 Elastic IPs"),
    ("platform-ports", shown(admitted=("10.0.0.0/8",)), ERROR, "ec1", "198.51.100.1 on port 6790 (RCP)"),
    ("platform-ports", shown(admitted=("10.0.0.0/8",)), ERROR, "ec2", "198.51.100.1 on port 9000 (web)"),
    ("platform-ports", shown(route="igw-0fake"), ERROR, "ec1", "from an address that changes"),
    ("path-to-aws", shown(route=""), ERROR, "ec1", "neither a default route nor endpoints for dynamodb, mon"),
    ("path-to-aws", shown(route="igw-0fake"), WARN, "ec1", "AssociatePublicIpAddress"),
    ("alarms", alarm("ec1"), WARN, "ec1", "no alarm picoha-demo-ec1: only the one-minute tick"),
    ("alarms", alarm("ec1", AlarmActions=[QUEUE]), ERROR, "ec1", "does not ring picoha-demo-reconcile:live"),
    ("alarms", alarm("ec1", TreatMissingData="missing"), ERROR, "ec1", "treats missing data as missing"),
    ("alarms", alarm("ec1", ActionsEnabled=False), ERROR, "ec1", "has its actions disabled"),
    ("alarms", tagged("ec2", slot="ec3"), WARN, "ec2", "alarm picoha-demo-ec2 watches slot ec2, which no"),
    ("table", shown(is_protected=False), WARN, "picoha-demo", "the table may be deleted"),
    ("table", shown(is_on_demand=False), WARN, "picoha-demo", "provisioned capacity"),
    ("table", shown(is_backed_up=False), WARN, "picoha-demo", "no point-in-time recovery"),
    ("records", newer, ERROR, "ec1", "its record is left alone: "),
    ("dead-letters", shown(undelivered=3), WARN, "", "3 doorbells could not be delivered"),
]


@pytest.mark.parametrize("check", [one.id for one in CHECKS])
def test_a_sound_cell_passes(check: str, cell: Clinic) -> None:
    found = cell.found(check)
    assert [one.level for one in found] == [Level.OK] * len(found)
    assert found


@pytest.mark.parametrize("broken", [pytest.param(one, id=f"{one[0]}: {one[4]}") for one in BAD])
def test_a_broken_cell_is_told(broken: Any, cell: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    check, act, level, subject, told = broken
    act(cell, monkeypatch)
    found = [one for one in cell.found(check) if one.level is not Level.OK]
    said = [(one.level, one.subject, one.sentence) for one in found]
    assert any(one[0] is level and one[1].endswith(subject) and told in one[2] for one in said), said
    assert all(one.mend and not one.is_unseen for one in found)


def test_every_check_has_a_bad_cell_and_a_good_one() -> None:
    """The good one is test_a_sound_cell_passes, which runs over the table itself."""
    assert {one[0] for one in BAD} == {check.id for check in CHECKS}
    assert len({check.id for check in CHECKS}) == len(CHECKS)


def test_a_fault_in_the_way_of_a_fence_is_a_warning_where_the_owner_has_not_signed(
    cell: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    tagged("ec1", fenceable="false")(cell, monkeypatch)
    group("ec1", hooks=[], maintenance=None)(cell, monkeypatch)
    found = [one for check in ("launch-hook", "group-maintenance") for one in cell.found(check)]
    assert [(one.level, one.subject) for one in found] == [(WARN, "ec1"), (WARN, "ec1")]
    assert "not signed yet" in cell.found("disks")[-2].sentence


def test_a_slot_that_is_signed_on_the_group_but_not_on_its_host_cannot_be_fenced(
    cell: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(cell.holder("ec1").tags, "picoha:fenceable")
    (found,) = cell.found("host-tags")
    assert (found.level, found.subject) == (ERROR, "ec1")
    assert "IAM would refuse its fence" in found.sentence


def test_a_parked_slot_is_left_out_of_what_only_a_running_one_needs(
    cell: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    group("ec1", min_size=0, max_size=1, desired=0)(cell, monkeypatch)
    shown(admitted=())(cell, monkeypatch)
    assert [one.level for one in cell.found("group-shape")] == [Level.OK]
    assert {one.subject for one in cell.found("platform-ports")} == {"ec2"}


def test_sources_may_be_admitted_by_a_prefix_list_or_reached_over_endpoints(
    cell: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown(admitted=(), prefix_list=("198.51.100.1/32",))(cell, monkeypatch)
    assert [one.level for one in cell.found("platform-ports")] == [Level.OK]
    shown(route="", endpoints=("dynamodb", "monitoring"))(cell, monkeypatch)
    assert [one.level for one in cell.found("path-to-aws")] == [Level.OK]


def test_an_execution_slot_with_an_address_of_its_own_is_seen_by_that_address(
    cell: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    address(tags={"picoha:cell": "demo", "picoha:slot": "ec1"}, public_ip="192.0.2.7")(cell, monkeypatch)
    told = {one.sentence for one in cell.found("platform-ports") if one.subject == "ec1"}
    assert len(told) == 2
    assert all("192.0.2.7" in one for one in told)


@pytest.mark.parametrize("check", [one for one in CHECKS if one.needs], ids=lambda one: one.id)
def test_a_read_that_is_denied_is_told_and_never_taken_for_well(check: Any, cell: Clinic) -> None:
    cell.gate.called.clear()
    cell.examine()
    for operation in set(cell.gate.called):
        cell.gate.denied = {operation}
        found = cell.examine()
        blind = [one for one in found if one.is_unseen and one.id == check.id]
        if blind:
            (only,) = [one for one in found if one.id == check.id]
            assert only.level is WARN
            assert only.sentence.startswith("could not look: ")
            assert operation in only.sentence
            assert exit_code(found) == 3
            return
    pytest.fail(f"no denied read blinds {check.id}")


def test_with_every_read_denied_nothing_is_called_well(cell: Clinic) -> None:
    cell.examine()
    cell.gate.denied = set(cell.gate.called)
    found = cell.examine()
    assert [one.id for one in found] == [check.id for check in CHECKS]
    assert all(one.is_unseen and one.level is WARN for one in found)
    assert exit_code(found) == 3


def test_an_examination_only_looks(cell: Clinic) -> None:
    cell.gate.called.clear()
    cell.examine()
    looking = ("Describe", "Get", "Query", "Simulate")
    assert [one for one in cell.gate.called if not one.startswith(looking)] == []
    assert len(cell.gate.called) <= 45


def test_the_alarms_of_a_cell_whose_name_begins_like_ours_are_not_looked_at(
    cell: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = cell.world.alarms._alarms
    monkeypatch.setattr(cell.world.alarms, "_alarms", dict(known))
    watched = known["picoha-demo-ec1"].spec
    theirs = json.loads(json.dumps(watched).replace('"Value": "demo"', '"Value": "demo-east"'))
    nobodys = {key: one for key, one in watched.items() if key != "Metrics"}
    nobodys |= {"Namespace": "AWS/Lambda", "MetricName": "Errors", "Period": 60, "Statistic": "Sum"}
    added = {
        "picoha-demo-east-ec1": theirs,
        "picoha-demo-east-controller-silent": theirs,
        "picoha-demo-east-controller-errors": nobodys,
        "picoha-demo-controller-errors": nobodys,
    }
    assert theirs != watched
    for name, spec in added.items():
        cell.world.admin.cloudwatch.put_metric_alarm(**{**spec, "AlarmName": name})
    found = {one.name: one.slot for one in cell.ports.look.alarms()}
    assert found == {
        **{f"picoha-demo-{one}": one for one in ("ec1", "ec2", "platform1")},
        "picoha-demo-controller-errors": "",
    }
    assert [one.level for one in cell.found("alarms")] == [Level.OK]


def test_the_alarms_on_picoha_itself_are_those_of_the_template() -> None:
    template = (Path(__file__).parents[3] / "template.yaml").read_text()
    named = re.findall(r"AlarmName: !Sub picoha-\$\{CellName\}-([a-z-]+)$", template, re.MULTILINE)
    assert sorted(named) == sorted(inspection.OWN_ALARMS)


def test_the_hook_is_the_one_that_the_controller_completes() -> None:
    assert LAUNCH_HOOK == actuators.HOOK


def test_age_is_told_in_whole_seconds(cell: Clinic) -> None:
    told = cell.world.last_report(cell.holder("ec1").id)
    assert told is not None
    cell.report("ec1", at=told.at - timedelta(seconds=100))
    (found,) = [one for one in cell.found("agents") if one.level is ERROR]
    assert f"{cell.holder('ec1').id}: last report 10" in found.sentence
