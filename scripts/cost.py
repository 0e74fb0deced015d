"""Prints what picoha costs a month, as docs/cost.md shows it: unit prices, what is used, and the product.

Prices are those of us-east-1 in USD, without any free tier; each has the date of its price list.
"""

from __future__ import annotations

HOURS = 730
SECONDS = HOURS * 3600
TICKS = HOURS * 60
HOSTS = (1, 10, 100, 1000)
HOSTS_PER_CELL = 10

# CloudWatch, price list of 2026-09-28.
METRIC, HIGH_RESOLUTION_ALARM, ALARM, DASHBOARD = 0.30, 0.30, 0.10, 3.00
METRIC_REQUEST = 0.01 / 1000  # one PutMetricData, or one metric of a GetMetricData
LOG_GB = 0.50
# Lambda (arm64) and DynamoDB (on demand), price list of 2026-09-13.
GB_SECOND, LAMBDA_REQUEST = 0.0000133334, 0.20 / 1e6
WRITE_UNIT, READ_UNIT = 0.625 / 1e6, 0.125 / 1e6
# KMS: one key (2026). An Elastic IP, 2026-09-11: 0.005 an hour, used or idle.
KEY, ADDRESS = 1.00, 0.005 * HOURS

# What is used, rounded up.
RUN_S, RUN_GB = 1.0, 512 / 1024  # one tick of a well cell
REPORT_WRITES, REPORT_READS = 2, 1  # a report of at most 2 KB written, a record of at most 4 KB read
ROW_READS = 1.5  # of the tick, for each slot: its record and its host's report, 6 KB
LOG_GB_PER_TICK = 1.5e-6  # one line of the handler, Lambda's report, one line of metrics


def per_host(interval_s: int) -> float:
    """Return what one host costs a month in USD: its metric, its alarm, and what its agent calls.

    At 60 s the alarm is a standard one; a shorter period makes it a high-resolution alarm.
    """
    cycles = SECONDS / interval_s
    alarm = ALARM if interval_s >= 60 else HIGH_RESOLUTION_ALARM
    agent = METRIC_REQUEST + REPORT_WRITES * WRITE_UNIT + REPORT_READS * READ_UNIT
    tick = TICKS * (METRIC_REQUEST + ROW_READS * READ_UNIT)  # read by the controller each minute
    return METRIC + alarm + cycles * agent + tick


def published(interval_s: int) -> float:
    """Return the part of `per_host` that is PutMetricData."""
    return SECONDS / interval_s * METRIC_REQUEST


def per_cell() -> dict[str, float]:
    """Return what one cell costs a month in USD, whatever its size."""
    return {
        "dashboard": DASHBOARD,
        "five metrics of its own": 5 * METRIC,
        "key of the topic": KEY,
        "five alarms on picoha": 5 * ALARM,
        "one-minute tick (Lambda)": TICKS * (RUN_S * RUN_GB * GB_SECOND + LAMBDA_REQUEST),
        "publishing and reading `Tick`": 2 * TICKS * METRIC_REQUEST,
        "logs": TICKS * LOG_GB_PER_TICK * LOG_GB,
    }


def cells(hosts: int) -> int:
    """Return how many cells of at most ten hosts so many hosts make."""
    return -(-hosts // HOSTS_PER_CELL)


def table() -> str:
    """Return the monthly figures as a table."""
    rows = [
        "| hosts | cells | agent every 60 s | 30 s | 10 s | of which PutMetricData at 10 s |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for hosts in HOSTS:
        fixed = cells(hosts) * sum(per_cell().values())
        totals = [f"{fixed + hosts * per_host(interval):,.2f}" for interval in (60, 30, 10)]
        rows.append(f"| {hosts:,} | {cells(hosts)} | {' | '.join(totals)} | {hosts * published(10):,.2f} |")
    return "\n".join(rows)


def parts() -> str:
    """Return what a cell and a host cost, part by part."""
    rows = ["| a month, in USD | |", "|---|---:|"]
    rows += [f"| a cell: {name} | {cost:.2f} |" for name, cost in per_cell().items()]
    rows.append(f"| **a cell** | **{sum(per_cell().values()):.2f}** |")
    rows += [f"| **a host**, agent every {one} s | **{per_host(one):.2f}** |" for one in (60, 30, 10)]
    return "\n".join(rows)


if __name__ == "__main__":
    print(table(), parts(), sep="\n\n")
