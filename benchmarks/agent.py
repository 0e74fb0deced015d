"""Prints what the resident agent costs on this machine; asserts nothing. `agent.py`, or with `--cycles 50`.

The shipped agent runs as a process of its own, in the environment of its unit, against stand-in scripts, an
instance metadata service and a DynamoDB and CloudWatch on the loopback interface (plain HTTP: no TLS is in
these numbers, and a kept connection needs none but once). CPU is what the process itself used, in user and
system; scripts are counted apart, as the children that they are.
"""

from __future__ import annotations

import argparse
import os
import pwd
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from host.loopback import REGION, Aws, Imds  # noqa: E402 - the path above must be known first
from host.rig import PACE_S, HostRig, record, until  # noqa: E402 - the path above must be known first
from picoha.adapters.aws.host_side import cloud_of  # noqa: E402 - it is measured, so nothing comes before it

BUDGET_MB, BUDGET_MS = 45, 5
SAMPLES = 5
UNIT = ROOT / "src" / "picoha" / "host" / "templates" / "picoha-agent.service"
# 110 is what the vendor's script answers for a healthy pico.
SHELL_LOOP = """
"$MONITOR" /usr "$MZ_HOME" "$USER" 7101 >/dev/null
if [ $? -eq 110 ]; then value=1; else value=0; fi
exec aws --region eu-west-1 --endpoint-url "$AWS_ENDPOINT_URL" cloudwatch put-metric-data \\
    --namespace picoha --metric-name Healthy --value "$value" --storage-resolution 1 \\
    --dimensions Cell=demo,Slot=ec1
"""
JAVA = "public class Start { public static void main(String[] a) { System.exit(0); } }"


class UnitHost(HostRig):
    """A host whose agent runs in the environment that its unit gives it."""

    @property
    def environment(self) -> dict[str, str]:
        lines = re.findall(r"^Environment=(.+)$", UNIT.read_text(), re.MULTILINE)
        return {**super().environment, **dict(one.split("=", 1) for line in lines for one in line.split())}


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process, its ended threads included (clock_getcpuclockid(3))."""
    return time.clock_gettime((~pid << 3) | 2)


def children_s(pid: int) -> float:
    """Return the CPU seconds of the ended children of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[13:15])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> dict[str, float]:
    """Return the resident size, its private and file-backed parts, and the proportional size, in MB."""
    lines = [line for name in ("status", "smaps_rollup") for line in _proc(pid, name).splitlines()]
    wanted = ("VmRSS", "RssAnon", "RssFile", "Pss")
    sizes = (line.split() for line in lines if line.partition(":")[0] in wanted)
    return {words[0].rstrip(":"): int(words[1]) / 1024 for words in sizes}


def _proc(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()


@contextmanager
def granted_host() -> Iterator[HostRig]:
    """Yield a host that holds its slot, with its agent running."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        aws, imds = Aws("demo"), Imds()
        stack.enter_context(aws.serving())
        stack.enter_context(imds.serving())
        aws.open()
        aws.write(record())
        rig = UnitHost(folder, aws, imds)
        stack.callback(rig.close)
        rig.start_agent()
        rig.running()
        yield rig


@dataclass(frozen=True)
class Cycle:
    """What cycles cost in CPU milliseconds each, one value for each sample."""

    own: Sequence[float]
    scripts: Sequence[float]


def measured(rig: HostRig, pid: int, cycles: int) -> Cycle:
    """Return the cost of a cycle in each of several samples."""
    cycle = _Counter(rig.aws)
    cycle.wait(10)
    own, scripts = [], []
    for _ in range(SAMPLES):
        begun, cpu, children = cycle.count, cpu_s(pid), children_s(pid)
        cycle.wait(cycles // SAMPLES)
        made = cycle.count - begun
        own.append(1000 * (cpu_s(pid) - cpu) / made)
        scripts.append(1000 * (children_s(pid) - children) / made)
    return Cycle(own, scripts)


class _Counter:
    """Counts cycles by what a steady one does: it reads the record once and writes the report once."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    @property
    def count(self) -> int:
        return self._aws.calls.count("dynamodb") // 2

    def wait(self, cycles: int) -> None:
        # In portions: a wait gives up after what no healthy test needs.
        for _ in range(cycles):
            until(partial(self._has_come_to, self.count + 1))

    def _has_come_to(self, count: int) -> bool:
        return self.count >= count


def resident(rig: HostRig, cycles: int) -> None:
    """Print the cost of one cycle and the memory of the running agent."""
    assert rig.process is not None
    pid = rig.process.pid
    cost, sizes = measured(rig, pid, cycles), memory_mb(pid)
    print(f"picoha-agent, resident, one pico, {cycles} cycles {PACE_S} s apart")
    print(f"  CPU of its own    {min(cost.own):6.1f} ms a cycle, median {statistics.median(cost.own):.1f}")
    print(f"    of that         {sdk_ms(rig):6.1f} ms in the three calls of the AWS SDK")
    print(
        f"  CPU of scripts    {min(cost.scripts):6.1f} ms a cycle (stand-ins; the vendor's monitor is a JVM)"
    )
    parts = f"{sizes['RssAnon']:.1f} its own, {sizes['RssFile']:.1f} files that processes share"
    print(f"  resident          {sizes['VmRSS']:6.1f} MB: {parts}; proportional {sizes['Pss']:.1f}")
    print(f"  budget            {BUDGET_MS:6.1f} ms, {BUDGET_MB} MB")


def sdk_ms(rig: HostRig, rounds: int = 100) -> float:
    """Return the CPU of the calls of one cycle alone, by the agent's own client, in this process."""
    with patch.dict(os.environ, rig.environment):
        cloud = cloud_of("demo", "ec1", REGION)
        report = rig.running()
        calls = (cloud.read_slot, lambda: cloud.put_report(report), lambda: cloud.publish(1.0))
        return sum(_thread_ms(call, rounds) for call in calls)


def _thread_ms(call: Callable[[], object], rounds: int) -> float:
    call()
    samples = []
    for _ in range(rounds):
        begun = time.thread_time()
        call()
        samples.append(time.thread_time() - begun)
    return 1000 * statistics.median(samples)


def timed(argv: Sequence[str], environment: Mapping[str, str], rounds: int) -> float | None:
    """Return the smallest CPU seconds of one run with its children, or None where it fails."""
    samples = []
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(argv, env=environment, capture_output=True, check=False, timeout=60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            return None
        samples.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(samples)


def beside(rig: HostRig, rounds: int) -> None:
    """Print what the same would cost without a resident agent."""
    environment = {
        **rig.environment,
        "HOME": str(rig.folder),
        "MONITOR": str(rig.mz_home / "ha" / "monitor"),
        "MZ_HOME": str(rig.mz_home),
        "USER": pwd.getpwuid(os.geteuid()).pw_name,
    }
    del environment["PYTHONPATH"]
    before = len(rig.aws.published())
    spent = timed(("sh", "-c", SHELL_LOOP), environment, rounds) if shutil.which("aws") else None
    has_published = len(rig.aws.published()) > before
    print("what else could publish the same datapoint, once")
    why_not = "the AWS CLI is not installed, or does not run"
    print(f"  a shell loop calling the AWS CLI  {_ms(spent if has_published else None, why_not)}")
    print(f"  a JVM that starts and ends        {_ms(jvm(rig.folder, rounds), 'no JDK is installed')}")


def jvm(folder: Path, rounds: int) -> float | None:
    """Return the CPU seconds of the smallest Java program, or None without a JDK."""
    java, javac = shutil.which("java"), shutil.which("javac")
    if java is None or javac is None:
        return None
    (folder / "Start.java").write_text(JAVA)
    subprocess.run((javac, "-d", str(folder), str(folder / "Start.java")), check=True)
    return timed((java, "-cp", str(folder), "Start"), os.environ, rounds)


def _ms(seconds: float | None, why_not: str) -> str:
    return f"not measured: {why_not}" if seconds is None else f"{1000 * seconds:6.0f} ms CPU"


def main() -> None:
    parser = argparse.ArgumentParser(description="What the agent of one host costs.")
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5, help="of each thing it is compared with")
    asked = parser.parse_args()
    with granted_host() as rig:
        resident(rig, asked.cycles)
        beside(rig, asked.rounds)


if __name__ == "__main__":
    main()
