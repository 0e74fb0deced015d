"""The probe on real scripts: vectors R6 to R8 and R10 to R12 of domain.md 8.2, and what hangs."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from picoha.clock import SystemClock
from picoha.domain.health import TIMED_OUT, Health, Profile
from picoha.domain.model import Pico, PicoReading, PicoType
from picoha.host.core.probe import NO_PORT, NOT_ASKED, Tally, ask
from picoha.host.system.scripts import Site, SystemScripts
from unit.host.fakes import EC1, EC2, START, FakeScripts, Time

LIMIT_S = 1.0


def site_with(folder: Path, monitor: str | None, mode: int = 0o755) -> Site:
    """Return a site whose monitor is this shell script; None = there is none."""
    if monitor is not None:
        script = folder / "monitor"
        script.write_text(f"#!/bin/sh\n{monitor}\n")
        script.chmod(mode)
    return Site(folder, "/opt/java", "/opt/mz", "mzadmin", folder, monitor_timeout_s=LIMIT_S)


def probe(folder: Path, monitor: str | None, mode: int = 0o755, pico: Pico = EC1) -> PicoReading:
    scripts = SystemScripts(site_with(folder, monitor, mode), SystemClock())
    return ask(scripts, [pico], Profile.VENDOR)[pico.name]


def is_alive(pid_file: Path) -> bool:
    """Return True if the process whose id a script wrote down still runs."""
    try:
        state = Path(f"/proc/{pid_file.read_text().strip()}/stat").read_text()
    except FileNotFoundError:
        return False
    return state.rpartition(")")[2].split()[0] not in ("Z", "X")


def died(pid_file: Path) -> bool:
    """Return True once the process is gone; a killed one may need a moment to be."""
    for _ in range(500):
        if not is_alive(pid_file):
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize(
    ("code", "health"),
    [
        (110, Health.HEALTHY),
        (100, Health.FAILED),
        (105, Health.ONLINE),
        (99, Health.UNKNOWN),
        (0, Health.UNKNOWN),
    ],
)
def test_exit_code_of_a_real_script_is_judged(tmp_path: Path, code: int, health: Health) -> None:
    assert probe(tmp_path, f"exit {code}").health is health


def test_r6_script_that_hangs_is_failed_and_killed(tmp_path: Path) -> None:
    reading = probe(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60")
    assert reading == PicoReading(Health.FAILED, None, TIMED_OUT)
    assert died(tmp_path / "pid")


def test_r6_script_that_forks_and_hangs_leaves_no_child(tmp_path: Path) -> None:
    reading = probe(tmp_path, f"sleep 60 & echo $! > {tmp_path}/pid; wait")
    assert reading.health is Health.FAILED
    assert died(tmp_path / "pid")


def test_r6_script_that_answers_and_leaves_a_child_behind_is_cleaned_up(tmp_path: Path) -> None:
    reading = probe(tmp_path, f"sleep 60 & echo $! > {tmp_path}/pid; exit 110")
    assert reading.health is Health.HEALTHY
    assert died(tmp_path / "pid")


def test_r6_one_hanging_pico_does_not_spoil_the_answer_of_another(tmp_path: Path) -> None:
    site = site_with(tmp_path, '[ "$4" = 7101 ] && exec sleep 60; exit 110')
    found = ask(SystemScripts(site, SystemClock()), [EC1, EC2], Profile.VENDOR)
    assert [found[name].health for name in ("ec1", "ec2")] == [Health.FAILED, Health.HEALTHY]


def test_r7_pico_without_a_port_is_a_configuration_error_and_never_asked(tmp_path: Path) -> None:
    reading = probe(tmp_path, f"touch {tmp_path}/asked; exit 100", pico=replace(EC1, port=0))
    assert reading == PicoReading(Health.UNKNOWN, None, NO_PORT)
    assert not (tmp_path / "asked").exists()


def test_r8_monitor_is_only_ever_asked_for_this_host(tmp_path: Path) -> None:
    probe(tmp_path, f'echo "$@" > {tmp_path}/arguments; exit 110')
    assert (tmp_path / "arguments").read_text() == "/opt/java /opt/mz mzadmin 7101\n"


def test_r10_one_violated_counter_is_the_scripts_100_and_failed(tmp_path: Path) -> None:
    """The product judges its counters itself (domain.md 2.1) and answers with one exit code."""
    counters = 'consumes=0 aborts=0; [ "$consumes" -ge 1 ] && [ "$aborts" -le 3 ]'
    assert probe(tmp_path, f"{counters} || {{ echo FAILED; exit 100; }}; exit 110").health is Health.FAILED


def test_r11_all_counters_off_and_the_process_alive_is_healthy(tmp_path: Path) -> None:
    assert probe(tmp_path, "kill -0 $$ && echo OK && exit 110").health is Health.HEALTHY


def test_r12_output_is_ignored_whatever_it_says(tmp_path: Path) -> None:
    chatter = "echo FAILED; echo 'exit code 100' >&2; exit 110"
    assert probe(tmp_path, chatter).health is Health.HEALTHY


def test_r12_ten_megabytes_of_output_block_nothing(tmp_path: Path) -> None:
    assert probe(tmp_path, "head -c 10000000 /dev/zero; exit 110").health is Health.HEALTHY


def test_missing_script_is_unknown_and_not_failed(tmp_path: Path) -> None:
    assert probe(tmp_path, None) == PicoReading(Health.UNKNOWN, 127, "exit code 127 is none of 100 to 110")


def test_script_that_is_not_executable_is_unknown(tmp_path: Path) -> None:
    assert probe(tmp_path, "exit 110", mode=0o644).code == 126


def test_script_that_died_of_a_signal_is_unknown(tmp_path: Path) -> None:
    reading = probe(tmp_path, "kill -9 $$")
    assert (reading.health, reading.reason) == (Health.UNKNOWN, "ended by signal 9")


def test_probe_that_forgot_a_pico_is_unknown() -> None:
    scripts = FakeScripts(Time(), {"ec1": 110})
    found = ask(scripts, [EC1, EC2], Profile.VENDOR)
    assert found["ec2"] == PicoReading(Health.UNKNOWN, None, NOT_ASKED)


def test_site_with_posix_scripts_is_judged_by_its_profile() -> None:
    scripts = FakeScripts(Time(), {"ec1": 0})
    assert ask(scripts, [EC1], Profile.POSIX)["ec1"].health is Health.HEALTHY
    assert ask(scripts, [EC1], Profile.VENDOR)["ec1"].health is Health.UNKNOWN


def test_no_picos_ask_nobody() -> None:
    scripts = FakeScripts(Time(), {})
    assert ask(scripts, [], Profile.VENDOR) == {}
    assert scripts.looks == 0


def test_tally_counts_only_failed_looks_that_count() -> None:
    at, tally = START, Tally()
    row = [(Health.FAILED, True), (Health.UNKNOWN, True), (Health.FAILED, False), (Health.FAILED, True)]
    for health, counts in row:
        at += timedelta(seconds=10)
        tally = tally.after(health, at, counts)
    assert tally == Tally(2, None, None)
    assert tally.after(Health.ONLINE, at, True) == Tally(0, at, None)


def test_pico_types_do_not_change_how_a_pico_is_asked(tmp_path: Path) -> None:
    for kind in PicoType:
        assert probe(tmp_path, "exit 110", pico=Pico("x", 7100, kind)).health is Health.HEALTHY
    assert os.listdir(tmp_path) == ["monitor"]
