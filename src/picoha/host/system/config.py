"""What the agent is told in `/etc/picoha/agent.toml`; every key is optional, none is guessed wrong.

Cell and slot come from the instance's tags, and what the slot is from the controller: the file holds
only what belongs to this image of a host.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from picoha.domain.health import Profile
from picoha.domain.hostnames import Deployment

DEFAULT_PATH = Path("/etc/picoha/agent.toml")
INTERVALS_S = (10, 20, 30, 60)  # what an alarm can be evaluated on (AWS: high-resolution alarms)


class ConfigInvalid(Exception):
    """A key of the file is unknown or its value breaks a rule; the text names both."""


@dataclass(frozen=True)
class Config:
    """The settings of one host; the commented file of `picoha-agent install` explains each."""

    cell: str = ""
    slot: str = ""
    mz_home: str = "/opt/mz"
    java_home: str = "/usr/lib/jvm/java"
    owner: str = "mzadmin"
    scripts_dir: str = "/opt/mz/ha"
    mz_platform: str = ""
    profile: str = Profile.VENDOR
    deployment: str = Deployment.AWS
    interval_s: int = 10
    report_every: int = 1
    monitor_host: str = ""
    monitor_timeout_s: float = 6.0
    witness_timeout_s: float = 3.0
    rcp_port: int = 6790
    property_command: tuple[str, ...] = ()
    property_timeout_s: float = 10.0
    republish_command: tuple[str, ...] = ()
    hosts_file: str = "/etc/hosts"
    hooks_dir: str = "/etc/picoha"
    state_dir: str = "/var/lib/picoha"
    run_dir: str = "/run/picoha"
    log_dir: str = "/var/log/picoha"
    metadata_url: str = "http://169.254.169.254"


def read_config(path: Path = DEFAULT_PATH) -> Config:
    """Return the settings; a file that does not exist sets nothing. Raises ConfigInvalid."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Config()
    except (OSError, ValueError) as problem:
        raise ConfigInvalid(f"{path}: {problem}") from problem
    return config_of(given, str(path))


def config_of(given: Mapping[str, Any], where: str) -> Config:
    """Return the settings of a parsed file; raises ConfigInvalid naming file, key, value and rule."""
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in _RULES:
            raise ConfigInvalid(f"{where}: {key} is no setting; known are {', '.join(sorted(_RULES))}")
        rule, is_kept = _RULES[key]
        if not is_kept(value):
            raise ConfigInvalid(f"{where}: {key} = {value!r:.80} must be {rule}")
        values[key] = tuple(value) if isinstance(value, list) else value
    return Config(**values)


def _matches(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _is_between(least: float, most: float, kinds: tuple[type, ...] = (int, float)) -> Callable[[Any], bool]:
    return lambda value: type(value) in kinds and bool(least <= value <= most)


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("/") and "\0" not in value


def _is_command(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)


def _is_url(value: Any) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except (ValueError, AttributeError, TypeError):
        return False


def _is_address(value: Any) -> bool:
    try:
        return isinstance(value, str) and ipaddress.ip_address(value).version == 4
    except ValueError:
        return False


_PATH = ("an absolute path", _is_path)
_URL = ("an http:// or https:// address", _is_url)
_COMMAND = ('a list of words, such as ["/opt/mz/bin/mzsh", "..."]', _is_command)
_RULES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "cell": ("a lower-case letter, then at most 23 of a-z, 0-9 and -", _matches("[a-z][a-z0-9-]{0,23}")),
    "slot": ("a lower-case letter, then at most 23 of a-z and 0-9", _matches("[a-z][a-z0-9]{0,23}")),
    "owner": ("a user name", _matches("[a-z_][a-z0-9_-]{0,31}")),
    "mz_platform": _URL,
    "profile": (f"one of {', '.join(Profile)}", lambda value: value in tuple(Profile)),
    "deployment": (f"one of {', '.join(Deployment)}", lambda value: value in tuple(Deployment)),
    "interval_s": ("one of 10, 20, 30, 60", lambda value: type(value) is int and value in INTERVALS_S),
    "report_every": ("1 to 3 cycles", _is_between(1, 3, (int,))),
    "monitor_host": ("an IPv4 address of this host", _is_address),
    "monitor_timeout_s": ("1 to 50 seconds", _is_between(1, 50)),
    "witness_timeout_s": ("0.5 to 10 seconds", _is_between(0.5, 10)),
    "property_timeout_s": ("1 to 20 seconds", _is_between(1, 20)),
    "rcp_port": ("a port, 1 to 65535", _is_between(1, 65535, (int,))),
    "property_command": _COMMAND,
    "republish_command": _COMMAND,
    "metadata_url": _URL,
    **{field.name: _PATH for field in fields(Config) if field.name.endswith(("_dir", "_home", "_file"))},
}
