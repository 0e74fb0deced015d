"""Groups describe themselves: right tags become a slot, a wrong one is told with its group and rule."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from picoha.adapters.aws.discovery import declared, member
from picoha.app.ports import DeclaredSlot
from picoha.domain.model import Dependency, Kind, Pico, PicoType, SlotName, SlotSpec

EC1 = {
    "picoha:cell": "demo",
    "picoha:slot": "ec1",
    "picoha:kind": "execution",
    "picoha:hostname": "ec1host",
    "picoha:picos": "ec1:7101:ec",
}


def group(tags: dict[str, str], name: str = "demo-ec1") -> Any:
    """A described group, as boto3 gives it."""
    return {
        "AutoScalingGroupName": name,
        "MinSize": 1,
        "MaxSize": 1,
        "DesiredCapacity": 1,
        "Instances": [{"InstanceId": "i-1", "LifecycleState": "InService"}],
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }


def found(**changed: str | None) -> DeclaredSlot:
    """The slot of the ec1 group with some of its tags changed (None = left out)."""
    given = {f"picoha:{name.replace('_', '-')}": value for name, value in changed.items()}
    tags = {key: value for key, value in (EC1 | given).items() if value is not None}
    slot = declared(group(tags))
    assert slot is not None
    return slot


def spec_of(slot: DeclaredSlot) -> SlotSpec:
    assert slot.spec is not None, slot.problem
    return slot.spec


def test_a_platform_group_with_every_tag_becomes_its_slot() -> None:
    tags = {
        "Name": "the platform",
        "picoha:cell": "demo",
        "picoha:slot": "platform1",
        "picoha:kind": "platform",
        "picoha:hostname": "mz-platform.prod.example",
        "picoha:picos": "platform:7100",
        "picoha:container": "MZ_Main.1",
        "picoha:depends-on": "rds:mz-db, tcp:db.corp:1521 mount:/data slot:sc1",
        "picoha:fenceable": "true",
    }
    slot = declared(group(tags, "demo-platform1"))
    assert slot is not None
    assert (slot.name, slot.problem, slot.group.name) == ("platform1", "", "demo-platform1")
    assert slot.spec == SlotSpec(
        name=SlotName("platform1"),
        kind=Kind.PLATFORM,
        hostname="mz-platform.prod.example",
        picos=(Pico("platform", 7100, PicoType.PLATFORM),),
        container="MZ_Main.1",
        fenceable=True,
        depends_on=(
            Dependency("rds", "mz-db"),
            Dependency("tcp", "db.corp:1521"),
            Dependency("mount", "/data"),
            Dependency("slot", "sc1"),
        ),
    )


def test_what_is_left_out_is_the_safe_thing() -> None:
    spec = spec_of(found())
    assert (spec.fenceable, spec.container, spec.depends_on) == (False, "ec1", ())


@pytest.mark.parametrize(
    "picos", ["ec1:7101:ec sc1:7102:sc", "ec1:7101,sc1:7102", " ec1:7101 ,  sc1:7102\n", "ec1:7101\tsc1:7102"]
)
def test_picos_keep_their_start_order_however_they_are_separated(picos: str) -> None:
    assert spec_of(found(picos=picos)).picos == (
        Pico("ec1", 7101, PicoType.EC),
        Pico("sc1", 7102, PicoType.SC),
    )


@pytest.mark.parametrize(
    ("name", "kind"), [("ec1", PicoType.EC), ("sc-topup", PicoType.SC), ("ui2", PicoType.UI)]
)
def test_a_type_is_told_from_the_name_where_it_can_be(name: str, kind: PicoType) -> None:
    assert spec_of(found(picos=f"{name}:7101")).picos == (Pico(name, 7101, kind),)


def test_a_written_type_beats_the_name() -> None:
    assert spec_of(found(picos="ecology:7101:ui")).picos[0].type is PicoType.UI


def test_a_name_that_tells_no_type_is_refused_with_what_to_write() -> None:
    problem = found(picos="rating1:7101").problem
    assert "the type of pico rating1 cannot be told from its name; write rating1:7101:ec" in problem


REFUSED_NAMES = [
    "-ec1:7101:ec",
    "Platform:7100:platform",
    "my_pico:7101:ec",
    "p;x:7101:ec",
    "$(reboot):7101:ec",
    "ec1/../x:7101:ec",
    "écran:7101:ec",
    "e" * 64 + ":7101:ec",
]


@pytest.mark.parametrize("pico", REFUSED_NAMES)
def test_a_pico_name_that_a_shell_or_an_option_could_take_is_refused(pico: str) -> None:
    """domain.md F41: pico names reach the vendor's scripts as arguments."""
    slot = found(picos=pico)
    assert slot.spec is None
    assert slot.problem.startswith("group demo-ec1: tag picoha:picos is ")
    assert "is not name:ha-port[:platform|ec|sc|ui] with a name of a-z, 0-9, -" in slot.problem


@pytest.mark.parametrize(
    ("picos", "rule"),
    [
        ("ec1:0:ec", "port 0 of ec1 is not 1 to 65535"),
        ("ec1:65536:ec", "port 65536 of ec1 is not 1 to 65535"),
        ("ec1:x:ec", "is not name:ha-port"),
        ("ec1:-1:ec", "is not name:ha-port"),
        ("ec1:\u0967\u0967\u0967:ec", "is not name:ha-port"),
        ("ec1", "is not name:ha-port"),
        ("ec1:7101:container", "is not name:ha-port"),
        ("ec1:7101:ec ec1:7102:ec", "two picos share a name or an HA port"),
        ("ec1:7101:ec ec2:7101:ec", "two picos share a name or an HA port"),
    ],
)
def test_a_wrong_port_or_a_doubled_pico_is_refused(picos: str, rule: str) -> None:
    slot = found(picos=picos)
    assert slot.spec is None
    assert "group demo-ec1: tag picoha:picos is" in slot.problem
    assert rule in slot.problem


@pytest.mark.parametrize("port", [1, 65535])
def test_the_first_and_the_last_port_are_ports(port: int) -> None:
    assert spec_of(found(picos=f"ec1:{port}:ec")).picos[0].port == port


WRONG = [
    ("kind", "Platform", "'platform' or 'execution'"),
    ("hostname", "ec1_host", "should match pattern"),
    ("hostname", "EC1HOST", "should match pattern"),
    ("hostname", "-ec1host", "should match pattern"),
    ("hostname", "ec1host.", "should match pattern"),
    ("hostname", "a" * 64, "should match pattern"),
    ("hostname", ".".join(["a" * 60] * 5), "at most 253 characters"),
    ("hostname", "ec1 host", "should match pattern"),
    ("container", "a/b", "should match pattern"),
    ("fenceable", "yes", "'true' or 'false'"),
    ("fenceable", "True", "'true' or 'false'"),
    ("depends-on", "rds:", "with a target"),
    ("depends-on", "http:db", "with a target"),
    ("depends-on", "rds:ok mz-db", "with a target"),
]


@pytest.mark.parametrize(("tag", "value", "rule"), WRONG)
def test_a_wrong_tag_is_told_with_group_tag_value_and_rule(tag: str, value: str, rule: str) -> None:
    slot = found(**{tag.replace("-", "_"): value})
    assert slot.spec is None
    assert slot.problem.startswith(f"group demo-ec1: tag picoha:{tag} is ")
    assert value[:40] in slot.problem
    assert rule in slot.problem


@pytest.mark.parametrize("tag", ["kind", "hostname", "picos"])
def test_a_missing_tag_is_told(tag: str) -> None:
    slot = found(**{tag: None})
    assert slot.spec is None
    assert slot.problem == f"group demo-ec1: tag picoha:{tag} Field required"


def test_no_pico_at_all_is_refused() -> None:
    assert "tag picoha:picos is" in found(picos=" , ").problem


@pytest.mark.parametrize("tag", ["picoha:hostnme", "picoha:", "picoha:depends_on", "picoha:Fenceable"])
def test_a_tag_we_do_not_know_is_refused_as_a_likely_typo(tag: str) -> None:
    slot = declared(group(EC1 | {tag: "x"}))
    assert slot is not None and slot.spec is None
    assert slot.problem == f"group demo-ec1: tag {tag} is 'x': Extra inputs are not permitted"


def test_every_wrong_tag_of_a_group_is_told_at_once() -> None:
    problem = found(kind="server", hostname="?", fenceable="1").problem
    assert all(f"tag picoha:{name} is" in problem for name in ("kind", "hostname", "fenceable"))


@pytest.mark.parametrize(
    ("kind", "picos", "told"),
    [
        ("execution", "platform:7100", "tag picoha:kind is execution, but picoha:picos has a platform pico"),
        ("platform", "ec1:7101", "tag picoha:kind is platform, but picoha:picos has no platform pico"),
    ],
)
def test_kind_and_picos_must_agree(kind: str, picos: str, told: str) -> None:
    slot = found(kind=kind, picos=picos)
    assert slot.spec is None
    assert slot.problem == f"group demo-ec1: {told}"


def test_a_held_slot_keeps_its_name_and_its_group_with_the_warm_members() -> None:
    slot = declared(group(EC1 | {"picoha:kind": "x"}), (member("i-2", "Warmed:Stopped"),))
    assert slot is not None and slot.problem
    assert slot.name == "ec1"
    assert [(one.instance, one.lifecycle) for one in slot.group.members] == [
        ("i-1", "InService"),
        ("i-2", "Warmed:Stopped"),
    ]


@pytest.mark.parametrize("value", ["", "EC1", "ec-1", "1ec", "e" * 25, "ec1\n", "ec 1"])
def test_a_group_that_names_no_slot_is_left_alone_with_a_warning(
    value: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "picoha"):
        assert declared(group(EC1 | {"picoha:slot": value})) is None
    [line] = caplog.messages
    assert line.startswith(f"group demo-ec1: tag picoha:slot is {value!r}: ")
    assert "a letter first" in line
