"""What fresh processes cost, and how figures are printed; used by bench.py."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence

HANDLER_ENVIRONMENT = {
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_EC2_METADATA_DISABLED": "true",
    "PICOHA_CELL": "demo",
    "PICOHA_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:picoha-demo",
}
NOTHING = "pass"
DOMAIN = "import picoha.domain.rules.table"
HANDLER = "import picoha.lambdas.reconcile"
FIRST_CLIENTS = (
    "from picoha.adapters.aws.clients import Clients\n"
    "clients = Clients.in_region('eu-west-1')\n"
    "clients.dynamodb, clients.ec2, clients.autoscaling, clients.cloudwatch, clients.sns"
)
AGENT = (
    "from picoha.host.core import agent, probe\n"
    "from picoha.host.system import files, network, scripts\n"
    "from picoha import clock"
)
AGENT_ON_AWS = (
    f"{AGENT}\nfrom picoha.adapters.aws import host_side\n"
    "from picoha.adapters.aws.clients import Clients\n"
    "clients = Clients.in_region('eu-west-1')\n"
    "clients.dynamodb, clients.cloudwatch"
)
PROCESSES = (
    ("the interpreter alone", NOTHING),
    ("picoha.domain", DOMAIN),
    ("the handler: imports and settings", HANDLER),
    ("the handler and its five clients", f"{HANDLER}\n{FIRST_CLIENTS}"),
    ("the agent's own modules", AGENT),
    ("the agent, boto3 and its two clients", AGENT_ON_AWS),
)
FAMILIES = {
    "boto3": "boto3",
    "s3transfer": "boto3",
    "botocore": "botocore and what it needs",
    "urllib3": "botocore and what it needs",
    "dateutil": "botocore and what it needs",
    "jmespath": "botocore and what it needs",
    "pydantic": "pydantic",
    "pydantic_core": "pydantic",
    "annotated_types": "pydantic",
    "typing_inspection": "pydantic",
    "aws_lambda_powertools": "powertools",
    "picoha": "picoha (its dataclasses and models are built here)",
}
OTHERS = "the standard library and the rest"
TELL_PEAK = """
try:  # VmHWM begins anew with each program; ru_maxrss would tell the parent's peak
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]
    print(int(peak) / 1024)
except OSError:
    import resource
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / 1024)
"""


def heading(text: str) -> None:
    """Begin a group of figures."""
    print(f"\n{text}")


def row(name: str, unit: str, samples: Sequence[float], digits: int = 1) -> None:
    """Print one figure: minimum and median of its samples."""
    low, middle = min(samples), statistics.median(samples)
    print(f"  {name:<52} {low:>10.{digits}f} {middle:>10.{digits}f}  {unit}")


def head() -> None:
    """Print what the columns are."""
    print(f"  {'':<52} {'min':>10} {'median':>10}")


def spent(code: str) -> tuple[float, float, float]:
    """Run code in a fresh interpreter; return wall ms, CPU ms, peak MB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{TELL_PEAK}"],
        env={**os.environ, **HANDLER_ENVIRONMENT},
        capture_output=True,
        text=True,
        check=True,
    )
    wall_ms = (time.perf_counter() - began) * 1000
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return wall_ms, cpu_s * 1000, float(done.stdout)


def processes(rounds: int) -> None:
    """Print wall, CPU and peak memory of what a start consists of."""
    heading("Fresh processes, with bytecode (Lambda's first start compiles as well)")
    head()
    measured = {name: [spent(code) for _ in range(rounds + 1)][1:] for name, code in PROCESSES}
    for name, samples in measured.items():
        wall, cpu, peak = zip(*samples, strict=True)
        row(f"{name}: wall", "ms", wall)
        row(f"{name}: CPU", "ms", cpu)
        row(f"{name}: peak memory", "MB", peak)


def import_split(rounds: int) -> None:
    """Print where the handler's import time goes."""
    heading("The handler's imports by family (python -X importtime, which itself costs some)")
    head()
    samples = [_import_times() for _ in range(rounds)]
    for family in dict.fromkeys((*FAMILIES.values(), OTHERS)):
        row(family, "ms", [sample.get(family, 0.0) for sample in samples])
    row("all", "ms", [sum(sample.values()) for sample in samples])


def _import_times() -> Mapping[str, float]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", HANDLER],
        env={**os.environ, **HANDLER_ENVIRONMENT},
        capture_output=True,
        text=True,
        check=True,
    )
    times: Counter[str] = Counter()
    for line in done.stderr.splitlines():
        own, _, name = (part.strip() for part in line.removeprefix("import time:").split("|", 2))
        if own.isdigit():
            times[FAMILIES.get(name.partition(".")[0], OTHERS)] += int(own)
    return {family: microseconds / 1000 for family, microseconds in times.items()}
