"""Starting and stopping by real processes: output kept, limits kept, orphans not waited for."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from picoha.clock import SystemClock
from picoha.host.core.ports import Job, JobResult, ScriptVerb
from picoha.host.system.launcher import ScopeLauncher
from picoha.host.system.processes import SHOWN_BYTES
from picoha.host.system.scripts import Site, SystemScripts
from unit.host.core.test_probe import died, is_alive, site_with
from unit.host.fakes import EC1


def script(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def begin(site: Site, verb: ScriptVerb, **script_environment: str) -> Job:
    job = SystemScripts(site, SystemClock()).begin(verb, None if "-" in verb else EC1, script_environment)
    assert job is not None
    return job


def ended(job: Job) -> JobResult:
    """Wait for a job, at most 20 s."""
    for _ in range(2000):
        if (result := job.poll()) is not None:
            return result
        time.sleep(0.01)
    raise AssertionError("the script never ended")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return replace(site_with(tmp_path, None), hooks_dir=tmp_path / "hooks")


def test_start_gets_the_vendors_arguments_and_the_slots_setting(site: Site) -> None:
    script(site.ha_dir, "online", 'echo "$@ $PICOHA_EPOCH"; exit 104')
    result = ended(begin(site, ScriptVerb.ONLINE, PICOHA_EPOCH="7"))
    assert result == JobResult(104, "/opt/java /opt/mz mzadmin ec1 7\n")


def test_job_ends_with_its_script_although_a_pico_still_holds_the_output(site: Site) -> None:
    script(site.ha_dir, "online", f"sleep 30 & echo $! > {site.ha_dir}/pid; echo started; exit 0")
    job = begin(site, ScriptVerb.ONLINE)
    assert ended(job) == JobResult(0, "started\n")
    assert is_alive(site.ha_dir / "pid"), "the pico outlives the script that started it"
    job.stop()


def test_stopped_job_dies_with_all_that_it_started(site: Site) -> None:
    script(site.ha_dir, "offline", f"sleep 60 & echo $! > {site.ha_dir}/pid; wait")
    job = begin(site, ScriptVerb.OFFLINE)
    while not (site.ha_dir / "pid").exists() or not (site.ha_dir / "pid").read_text().endswith("\n"):
        assert job.poll() is None
    job.stop()
    assert died(site.ha_dir / "pid")


def test_long_output_is_shown_from_both_ends(site: Site) -> None:
    script(site.ha_dir, "online", "echo first; head -c 10000000 /dev/zero; echo Started with errors")
    output = ended(begin(site, ScriptVerb.ONLINE)).output
    assert output.startswith("first\n") and output.endswith("Started with errors\n")
    assert len(output) == 2 * SHOWN_BYTES


def test_missing_script_is_127_and_says_which(site: Site) -> None:
    result = ended(begin(site, ScriptVerb.CLEAN))
    assert result.code == 127
    assert str(site.ha_dir / "clean") in result.output


def test_stop_needs_no_room_for_its_output_and_a_start_does(site: Site, tmp_path: Path) -> None:
    script(site.ha_dir, "offline", "exit 0")
    script(site.ha_dir, "online", "exit 0")
    nowhere = replace(site, log_dir=tmp_path / "absent")
    assert ended(begin(nowhere, ScriptVerb.OFFLINE)) == JobResult(0, "")
    assert ended(begin(nowhere, ScriptVerb.ONLINE)).code != 0


def test_hooks_run_in_order_and_the_first_failure_ends_them(site: Site) -> None:
    folder = site.hooks_dir / "pre-start.d"
    script(folder, "10-first", "echo first $PICOHA_SLOT")
    script(folder, "20-second", "echo second; exit 3")
    script(folder, "30-third", "echo third")
    (folder / "15-notes.txt").write_text("not executable")
    result = ended(begin(site, ScriptVerb.PRE_START, PICOHA_SLOT="ec1"))
    assert result == JobResult(3, "first ec1\nsecond\n")


def test_host_without_hooks_or_republish_has_nothing_to_run(site: Site) -> None:
    scripts = SystemScripts(site, SystemClock())
    assert scripts.begin(ScriptVerb.PRE_START, None, {}) is None
    assert scripts.begin(ScriptVerb.REPUBLISH, None, {}) is None


def test_republish_runs_the_configured_command(site: Site) -> None:
    scripts = SystemScripts(replace(site, republish=("/bin/echo", "published")), SystemClock())
    job = scripts.begin(ScriptVerb.REPUBLISH, None, {})
    assert job is not None and ended(job) == JobResult(0, "published\n")


@dataclass(frozen=True)
class EchoLauncher:
    """Prints what it would launch, and for whom."""

    def command(
        self, unit: str, argv: Sequence[str], script_environment: Mapping[str, str], user: str
    ) -> list[str]:
        return ["/bin/echo", "as", user or "root", script_environment.get("MZ_PLATFORM", "-"), *argv]

    def stop_command(self, unit: str) -> list[str]:
        return []


def test_launcher_stands_before_every_script_that_may_leave_a_pico(site: Site) -> None:
    script(site.hooks_dir / "pre-start.d", "10-first", "exit 0")
    launched = replace(site, launcher=EchoLauncher(), republish=("/opt/mz/bin/mzsh", "service"))
    said = {
        verb: ended(begin(launched, verb)).output.split()[:4]
        for verb in (ScriptVerb.ONLINE, ScriptVerb.CLEAN)
    }
    assert said[ScriptVerb.ONLINE] == ["as", "mzadmin", "-", f"{site.ha_dir}/online"]
    assert said[ScriptVerb.CLEAN] == ["as", "mzadmin", "http://localhost:9000", f"{site.ha_dir}/clean"]
    assert ended(begin(launched, ScriptVerb.PRE_START)).output.startswith("as root")


def test_scope_is_opened_by_systemd_and_not_by_the_agent() -> None:
    words = ScopeLauncher().command("picoha-online-1", ["/ha/online", "ec1"], {"A": "b c"}, "mzadmin")
    service, scope = words[: words.index("--")], words[words.index("--") + 1 :]
    assert service[0] == "systemd-run" and "--wait" in service and "--setenv=A=b c" in service
    assert "--scope" not in service, "a scope inherits the hardening of whoever opens it"
    opened = scope[scope.index("systemd-run") :]
    assert "--slice=picoha-picos.slice" in opened and "--uid=mzadmin" in opened
    assert opened[-3:] == ["--", "/ha/online", "ec1"]
    hook = ScopeLauncher().command("picoha-pre-start-1", ["/bin/sh"], {}, "")
    assert not [word for word in hook if word.startswith("--uid")]
