"""Prints what the resident agent costs on this machine; asserts nothing. `agent.py`, or `agent.py --cycles 50`.

The shipped agent runs as a process of its own against stand-in scripts, an instance metadata service and a
DynamoDB and CloudWatch on the loopback interface (plain HTTP: no TLS is in these numbers). CPU is what the
process itself used, in user and system; scripts are counted apart, as the children that they are.
"""

from __future__ import annotations

import argparse
import os
import pwd
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from host.loopback import Aws, Imds  # noqa: E402 - the path above must be known first
from host.rig import PACE_S, HostRig, record, until  # noqa: E402 - the path above must be known first

TICK = os.sysconf("SC_CLK_TCK")
BUDGET_MB, BUDGET_MS = 45, 5
SHELL_LOOP = """
"$MONITOR" /usr "$MZ_HOME" "$USER" 7101 >/dev/null; value=$(( $? == 110 ))
aws --region eu-west-1 --endpoint-url "$AWS_ENDPOINT_URL" cloudwatch put-metric-data --namespace picoha \\
    --metric-name Healthy --value "$value" --dimensions Cell=demo,Slot=ec1 --storage-resolution 1
"""
JAVA = "public class Start { public static void main(String[] a) { System.exit(110); } }"


def cpu_s(pid: int) -> tuple[float, float]:
    """Return the CPU seconds of a process and those of its ended children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own, children = fields[11:13], fields[13:15]
    return sum(map(int, own)) / TICK, sum(map(int, children)) / TICK


def memory_mb(pid: int) -> dict[str, float]:
    """Return the resident size, its private and file-backed parts, and the proportional size, in MB."""
    lines = [*_lines(pid, "status"), *_lines(pid, "smaps_rollup")]
    wanted = ("VmRSS", "RssAnon", "RssFile", "Pss")
    sizes = (line.split() for line in lines if line.partition(":")[0] in wanted)
    return {words[0].rstrip(":"): int(words[1]) / 1024 for words in sizes}


def _lines(pid: int, name: str) -> list[str]:
    return Path(f"/proc/{pid}/{name}").read_text().splitlines()


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
        rig = HostRig(folder, aws, imds)
        stack.callback(rig.close)
        rig.start_agent()
        rig.running()
        yield rig


def resident(rig: HostRig, cycles: int) -> None:
    """Print the cost of one cycle and the memory of the running agent."""
    assert rig.process is not None
    pid = rig.process.pid

    def count() -> int:
        # A steady cycle reads the record once and writes the report once.
        return rig.aws.calls.count("dynamodb") // 2

    begun = count() + 10
    until(lambda: count() >= begun)
    samples = []
    for _ in range(5):
        first, (own, children) = count(), cpu_s(pid)
        time.sleep(cycles / 5 * PACE_S)
        made, (own_after, children_after) = count() - first, cpu_s(pid)
        samples.append((1000 * (own_after - own) / made, 1000 * (children_after - children) / made))
    own_ms = [one for one, _ in samples]
    print("picoha-agent, resident, one pico")
    print(f"  CPU of its own    {min(own_ms):6.1f} ms a cycle, median {statistics.median(own_ms):.1f}")
    print(f"  of the scripts    {min(one for _, one in samples):6.1f} ms a cycle (stand-ins; the vendor's are a JVM)")
    sizes = memory_mb(pid)
    parts = f"{sizes['RssAnon']:.1f} its own, {sizes['RssFile']:.1f} files that processes share"
    print(f"  resident          {sizes['VmRSS']:6.1f} MB: {parts}; proportional {sizes['Pss']:.1f}")
    print(f"  budget            {BUDGET_MS:6.1f} ms, {BUDGET_MB} MB")


def timed(argv: Sequence[str], environment: dict[str, str], rounds: int) -> float | None:
    """Return the smallest CPU seconds of one run with its children, or None where it fails."""
    samples = []
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(argv, env=environment, capture_output=True, check=False, timeout=60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode not in (0, 110):
            return None
        samples.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(samples)


def beside(rig: HostRig, rounds: int) -> None:
    """Print what the same would cost without a resident agent."""
    print("what else could publish the same datapoint, once")
    environment = {
        **rig.environment,
        "HOME": str(rig.folder),
        "MONITOR": str(rig.mz_home / "ha" / "monitor"),
        "MZ_HOME": str(rig.mz_home),
        "USER": pwd.getpwuid(os.geteuid()).pw_name,
    }
    environment.pop("PYTHONPATH")
    spent = timed(("sh", "-ec", SHELL_LOOP), environment, rounds) if shutil.which("aws") else None
    print(f"  a shell loop calling the AWS CLI  {_ms(spent, 'the AWS CLI is not installed, or does not run')}")
    print(f"  a JVM that starts and ends        {_ms(jvm(rig.folder, rounds), 'no JDK is installed')}")


def jvm(folder: Path, rounds: int) -> float | None:
    """Return the CPU seconds of the smallest Java program, or None without a JDK."""
    java, javac = shutil.which("java"), shutil.which("javac")
    if java is None or javac is None:
        return None
    (folder / "Start.java").write_text(JAVA)
    subprocess.run((javac, "-d", str(folder), str(folder / "Start.java")), check=True)
    return timed((java, "-cp", str(folder), "Start"), dict(os.environ), rounds)


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
