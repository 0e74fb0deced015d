"""agent.toml: every key is checked, and what is wrong is said with file, key, value and rule."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import picoha.host.command.install as installation
from picoha.host.system.config import Config, ConfigInvalid, config_of, read_config

TEMPLATE = Path(installation.__file__).parents[1] / "templates" / "agent.toml"


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("cell", "Prod", "a lower-case letter, then at most 23 of a-z, 0-9 and -"),
        ("cell", "a" * 25, "at most 23"),
        ("slot", "ec-1", "at most 23 of a-z and 0-9"),
        ("owner", "mz admin; rm", "a user name"),
        ("mz_platform", "mz-platform:9000", "an http:// or https:// address"),
        ("profile", "veritas", "one of vendor, posix"),
        ("deployment", "azure", "one of aws, openstack, physical"),
        ("interval_s", 15, "one of 10, 20, 30, 60"),
        ("interval_s", 10.0, "one of 10, 20, 30, 60"),
        ("interval_s", True, "one of 10, 20, 30, 60"),
        ("monitor_host", "ec1host", "an IPv4 address of this host"),
        ("monitor_timeout_s", 0, "1 to 50 seconds"),
        ("witness_timeout_s", 11, "0.5 to 10 seconds"),
        ("property_timeout_s", True, "1 to 20 seconds"),
        ("rcp_port", 65536, "a port, 1 to 65535"),
        ("rcp_port", "6790", "a port, 1 to 65535"),
        ("property_command", "mzsh topo get", "a list of words"),
        ("property_command", [], "a list of words"),
        ("republish_command", ["mzsh", 1], "a list of words"),
        ("metadata_url", "169.254.169.254", "an http:// or https:// address"),
        ("mz_home", "opt/mz", "an absolute path"),
        ("hosts_file", 5, "an absolute path"),
    ],
)
def test_wrong_value_is_refused(key: str, value: Any, rule: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        config_of({key: value}, "agent.toml")
    assert str(refused.value).startswith(f"agent.toml: {key} = {value!r} must be ")
    assert rule in str(refused.value)


def test_unknown_key_is_refused_and_the_known_ones_are_told() -> None:
    with pytest.raises(ConfigInvalid, match=r"interval is no setting; known are .*interval_s"):
        config_of({"interval": 10}, "agent.toml")


def test_every_setting_has_a_rule_and_its_default_keeps_it() -> None:
    for field in fields(Config):
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        if default not in ("", []):
            config_of({field.name: default}, "default")
        else:
            with pytest.raises(ConfigInvalid, match=f"{field.name} = "):
                config_of({field.name: object()}, "default")


def test_good_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text('interval_s = 20\nproperty_command = ["/x", "y"]\nmonitor_timeout_s = 2\n')
    found = read_config(path)
    assert (found.interval_s, found.property_command, found.monitor_timeout_s) == (20, ("/x", "y"), 2)


def test_absent_file_sets_nothing_and_a_damaged_one_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    assert read_config(path) == Config()
    path.write_text("interval_s = = 10")
    with pytest.raises(ConfigInvalid, match=r"agent\.toml: "):
        read_config(path)


def test_installed_file_shows_every_setting_with_its_default() -> None:
    shown = tomllib.loads(
        "\n".join(
            line.removeprefix("# ").partition("  #")[0]
            for line in TEMPLATE.read_text().splitlines()
            if line.startswith("# ") and " = " in line and line[2:].split(" = ")[0].isidentifier()
        )
    )
    assert set(shown) == {field.name for field in fields(Config)}
    given = ("cell", "slot", "mz_platform", "property_command", "republish_command", "monitor_host")
    for name, value in shown.items():
        config_of({name: value}, "shown")
        if name not in given:
            assert value == getattr(Config(), name)
