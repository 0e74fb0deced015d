"""`check`, `names`, `status` and `install` as a human runs them, against a real product of stand-ins."""

from __future__ import annotations

import socket
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from host.loopback import Aws
from host.rig import OWN_NAME, PLATFORM_NAME, HostRig, Said, record
from picoha.host.command import examine


@pytest.fixture
def told(host: HostRig, aws: Aws) -> HostRig:
    """A host whose product answers for itself, and which is granted."""
    prints(
        host,
        **{
            "pico.rcp.platform.host": PLATFORM_NAME,
            "pico.rcp.server.host": OWN_NAME,
            "MZ_CONTAINER": "ec1",
            "ec1.mz.ha.enabled": "true",
            "ec1.mz.ha.port": "7101",
            "ec1.mz.ha.min_activations": "-1",
        },
    )
    aws.write(record())
    return host


def prints(host: HostRig, **values: str) -> None:
    """Give the host a property command that prints these values."""
    command = host.folder / "read-properties"
    command.write_text("#!/bin/sh\n" + "".join(f"echo '{key} = {value}'\n" for key, value in values.items()))
    command.chmod(0o755)
    host.configure(property_command=[str(command)])


def found(host: HostRig, level: str) -> str:
    """Return what `check` found at one level."""
    said = host.command("check")
    assert said.returncode in (0, 1), said.stderr
    return "\n".join(line for line in said.stdout.splitlines() if line.startswith(level))


def test_check_of_a_sound_host_is_fine_but_for_the_stopped_pico(told: HostRig) -> None:
    (told.mz_home / "java").mkdir()
    java = told.mz_home / "java" / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\n")
    java.chmod(0o755)
    told.configure(java_home=str(told.mz_home / "java"))
    said = told.command("check")
    assert (said.returncode, found(told, "BAD")) == (0, "")
    assert "ec1: failed (exit code 100)" in said.stdout
    assert "the table answers" in said.stdout
    assert f"pico.rcp.server.host: {OWN_NAME} is 127.0.0.1 by" in said.stdout


def test_check_names_every_fault_of_the_product(told: HostRig, aws: Aws) -> None:
    prints(
        told,
        **{
            "pico.rcp.platform.host": "10.0.1.10",
            "MZ_CONTAINER": "ec9",
            "ec1.mz.ha.enabled": "false",
            "ec1.mz.ha.port": "7999",
        },
    )
    (told.mz_home / "ha" / "clean").chmod(0o644)
    aws.gone.add("dynamodb")
    bad = found(told, "BAD")
    assert "the table: " in bad
    assert "ha/clean is not there for" in bad
    aws.gone.clear()
    bad = found(told, "BAD")
    assert "MZ_CONTAINER is ec9 on this host, the slot's is ec1" in bad
    assert "mz.ha.enabled is false" in bad
    assert "mz.ha.port is 7999, the tag says 7101" in bad
    assert "pico.rcp.server.host: not set" in bad


def test_check_warns_of_counters_that_take_an_idle_pico_for_a_failed_one(told: HostRig) -> None:
    prints(told, **{"ec1.mz.ha.min_activations": "5", "ec1.mz.ha.min_consumes": "-1"})
    warned = found(told, "warn")
    assert "mz.ha.min_activations = 5: an idle pico would count as failed" in warned
    assert "min_consumes" not in warned


@pytest.mark.parametrize("source", ["agent.toml", "the product"])
def test_f44_check_warns_of_a_literal_address_in_mz_platform(told: HostRig, source: str) -> None:
    url = "http://10.0.1.10:9000"
    if source == "agent.toml":
        told.configure(mz_platform=url)
    else:
        prints(told, MZ_PLATFORM=url)
    assert f"MZ_PLATFORM of {source} holds the address 10.0.1.10" in found(told, "warn")


def test_check_says_when_a_script_or_the_product_hangs(told: HostRig) -> None:
    hanging = told.folder / "hanging"
    hanging.write_text("#!/bin/sh\nsleep 60\n")
    hanging.chmod(0o755)
    told.configure(property_command=[str(hanging)], property_timeout_s=1, monitor_timeout_s=1)
    told.answers("monitor", "hang")
    said = told.command("check").stdout
    assert "did not end within 1 s" in said
    assert "ec1: failed (no answer within the time limit)" in said


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("systemd/system/mz.service", "ExecStart=/opt/mz/bin/mzsh startup platform"),
        ("cron.d/mz", "*/5 * * * * mzadmin /opt/mz/bin/mzsh restart ec1"),
        ("rc.local", "/opt/mz/ha/online /usr /opt/mz mzadmin ec1"),
    ],
    ids=["unit", "cron", "rc"],
)
def test_check_names_who_else_starts_picos(
    told: HostRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, line: str
) -> None:
    places = tmp_path / "etc"
    (places / path).parent.mkdir(parents=True)
    (places / "other").write_text("# mzsh startup, as it was before\nmzsh status\n")
    (places / path).write_text(f"# ours\n{line}\n")
    monkeypatch.setattr(examine, "_STARTERS", (str(places), str(tmp_path / "absent")))
    starters = [splitline for splitline in found(told, "BAD").splitlines() if "starts picos too" in splitline]
    assert starters == [f"BAD  {places / path} starts picos too: only the agent may, or two can be active"]


def test_check_looks_where_units_cron_lines_and_rc_scripts_are() -> None:
    known = {"/etc/systemd/system", "/etc/rc.local", "/etc/init.d", "/etc/crontab", "/etc/cron.d"}
    assert known | {"/var/spool/cron"} <= set(examine._STARTERS)


def test_check_asks_for_every_dependency_that_only_this_host_can_test(told: HostRig, aws: Aws) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        up, down = f"tcp:127.0.0.1:{server.getsockname()[1]}", "mount:/nowhere"
        assignment = record().assignment
        assert assignment is not None
        aws.write(record(assignment=replace(assignment, tests=(up, down)), ver=2))
        said = told.command("check").stdout
    assert f"ok   {up} answers" in said
    assert f"BAD  {down} does not answer" in said


def test_names_prints_who_gives_each_address(told: HostRig) -> None:
    said = told.command("names")
    assert said.returncode == 0, said.stderr
    header, *rows = (line.split() for line in said.stdout.splitlines())
    assert header == ["property", "name", "expected", "found", "by", "whom"]
    assert rows[1][:4] == ["pico.rcp.server.host", OWN_NAME, "127.0.0.1", "127.0.0.1"]
    assert " ".join(rows[1][4:]) == "line 1 of the hosts file"


def test_names_says_what_is_wrong_by_its_exit_code(told: HostRig) -> None:
    told.imds.values["local-ipv4"] = "10.0.3.11"
    said = told.command("names")
    assert said.returncode == 1
    assert "10.0.3.11  127.0.0.1" in said.stdout


def test_status_without_an_agent_is_no_answer(told: HostRig) -> None:
    said = told.command("status")
    assert said.returncode == 3
    assert "has reported nothing" in said.stderr


def status_once(told: HostRig, code: int) -> Said:
    """Ask until the answer is this code: the agent tells of a change in one of its next cycles."""
    said = told.command("status")
    for _ in range(60):
        if said.returncode == code:
            break
        said = told.command("status")
    return said


def test_status_of_a_running_host_is_fine_and_of_a_failed_one_is_not(told: HostRig) -> None:
    told.start_agent()
    told.running()
    assert status_once(told, 0).returncode == 0
    told.kill_picos()
    said = status_once(told, 1)
    assert said.returncode == 1
    assert "ec1: failed (exit code 100)" in said.stdout


def test_wrong_settings_are_refused_with_file_key_value_and_rule(told: HostRig) -> None:
    told.configure(interval_s=15)
    said = told.command("check")
    assert said.returncode == 2
    assert said.stderr == f"{told.config}: interval_s = 15 must be one of 10, 20, 30, 60\n"


def test_monitor_of_another_host_is_refused(told: HostRig) -> None:
    told.configure(monitor_host="10.9.9.9")
    said = told.command("check")
    assert said.returncode == 2
    assert "monitor_host = 10.9.9.9 must be an address of this host" in said.stderr


def test_wrong_tag_is_refused_as_a_wrong_setting_is(told: HostRig) -> None:
    told.imds.values["tags/instance/picoha:slot"] = "EC 1"
    said = told.command("names")
    assert said.returncode == 2
    assert "slot = 'EC 1' must be a lower-case letter" in said.stderr


def test_install_is_idempotent_and_keeps_the_settings(told: HostRig, tmp_path: Path) -> None:
    root = tmp_path / "root"
    first = told.command("--config", "/etc/picoha/agent.toml", "install", "--root", str(root)).stdout
    assert first.count("written") == 3
    settings = root / "etc/picoha/agent.toml"
    settings.write_text('cell = "prod"\n')
    again = told.command("--config", "/etc/picoha/agent.toml", "install", "--root", str(root)).stdout
    assert again.count("unchanged") == 2 and "kept" in again
    assert settings.read_text() == 'cell = "prod"\n'
