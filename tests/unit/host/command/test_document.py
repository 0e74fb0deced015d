"""docs/host.md and the units name only what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from picoha.agent import main
from picoha.host.command import install

ROOT = Path(__file__).parents[4]
DOCUMENT = (ROOT / "docs" / "host.md").read_text(encoding="utf-8")


def helped(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_every_command_and_option_of_the_document_exists(capsys: pytest.CaptureFixture[str]) -> None:
    named = re.findall(r"picoha-agent ([a-z]+)((?: --[a-z-]+)*)", DOCUMENT)
    commands = {command for command, _ in named if command in helped([], capsys)}
    assert commands >= {"install", "uninstall", "check", "names", "start"}
    for command, options in named:
        if command in commands:
            text = helped([command], capsys)
            assert [one for one in options.split() if one not in text] == []


def test_installed_unit_runs_a_command_that_exists(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install.install(tmp_path)
    unit = (tmp_path / install.UNITS / install.SERVICE).read_text()
    assert "@" not in unit, "every placeholder is replaced"
    [words] = re.findall(r"^ExecStart=(.+)$", unit, re.MULTILINE)
    assert words.split()[1:] == ["-m", "picoha.host", "--config", "/etc/picoha/agent.toml", "run"]
    assert "the foreground" in helped([], capsys)
    for script_environment in (
        "KillMode=process",
        "Restart=always",
        "Type=notify",
        "WatchdogSec=",
        "NoNewPrivileges=yes",
    ):
        assert f"\n{script_environment}" in unit


def test_document_says_what_a_host_can_forge_and_what_boot_waits_for() -> None:
    for words in ("LeadingKeys", "launch hook", "break-glass", "What a host could forge", "make bench"):
        assert words in DOCUMENT
