"""The commands that look, and those that change the cell itself: thin, one request each."""

from __future__ import annotations

from pathlib import Path

import click

from picoha.app.errors import OperatorUnreachable
from picoha.cli.options import REASON, SPAN, YES, Target, on_target, sure


def _looks(verb: str, target: Target, **args: object) -> None:
    target.end(verb, target.connect().ask(verb, **args))


def _changes(verb: str, target: Target, reason: str, **args: object) -> None:
    target.end(verb, target.connect().ask(verb, reason, **args))


# What looks.


@click.command()
@click.option("--watch", is_flag=True, help="Look again every 5 s until Ctrl-C.")
@click.option("--times", type=click.IntRange(1), hidden=True)
@on_target
def status(target: Target, watch: bool, times: int | None) -> None:
    """Show every slot: holder, epoch, health, open operation; pauses and brake.

    Ends with 1 when a slot is not well.
    """
    client = target.connect()
    reply = client.ask("status")
    for _ in range((times or 10**9) - 1 if watch else 0):
        click.clear()
        target.show("status", reply)
        client.wait(5.0)
        try:
            reply = client.ask("status")
        except OperatorUnreachable as problem:
            target.tell(f"no answer, asking again: {problem}")
    target.end("status", reply)


@click.command()
@click.argument("slot")
@on_target
def why(target: Target, slot: str) -> None:
    """Say why SLOT is as it is: the rule that holds, every sensor with its age, every gate."""
    _looks("why", target, slot=slot)


@click.command()
@click.option("--slot", help="Only this slot.")
@click.option("--since", type=SPAN, default="7d", show_default=True, help="How far back.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Newest rows.")
@on_target
def history(target: Target, slot: str | None, since: int, limit: int) -> None:
    """Show what happened: when, by which rule, on what evidence."""
    _looks("history", target, slot=slot, since_s=since, limit=limit)


@click.command()
@click.argument("operation")
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False), help="Write it as a picture, too.")
@on_target
def show(target: Target, operation: str, svg: Path | None) -> None:
    """Show one OPERATION: its steps with durations, every call, its rows."""
    from picoha.cli import timeline_svg

    reply = target.connect().ask("show", operation=operation)
    if svg and reply["data"]:
        timeline_svg.save(timeline_svg.of_record(reply["data"]), svg)
    target.end("show", reply)


@click.command()
@click.argument("verb", type=click.Choice(["failover", "switchover"]))
@click.argument("slot")
@on_target
def plan(target: Target, verb: str, slot: str) -> None:
    """Say what a failover or switchover of SLOT would do now, and what would refuse it."""
    _looks("plan", target, plan=verb, slot=slot)


@click.command()
@click.option("--since", type=SPAN, default="14d", show_default=True, help="How far back.")
@on_target
def report(target: Target, since: int) -> None:
    """Show what observe would have done, false rings, the worst gap of the metric, readiness."""
    _looks("report", target, since_s=since)


@click.command()
@on_target
def doctor(target: Target) -> None:
    """Examine everything that a failover will need, before it is needed."""
    _looks("doctor", target)


@click.command()
@on_target
def leave(target: Target) -> None:
    """Say what must be undone, in order, before the stack may be deleted."""
    _looks("leave", target)


# What changes the cell.


@click.command()
@click.argument("to", type=click.Choice(["observe", "enforce"]))
@REASON
@YES
@on_target
def mode(target: Target, to: str, reason: str, yes: bool) -> None:
    """Let picoha only observe, or enforce. Enforce is refused while doctor has errors or cannot look.

    A slot is enforced only where its group has the tag picoha:fenceable=true.
    """
    client = target.connect()
    report = client.ask("report") if to == "enforce" and not yes else None
    found = report["data"].get("findings", []) if report else []
    if report and not any(one["level"] == "error" or one["is_unseen"] for one in found):
        target.show("report", report)
        sure("From now on picoha may terminate lost hosts of fenceable slots. Enforce?", yes)
    target.end("mode", client.ask("mode", reason, mode=to))


@click.command()
@click.argument("slot", required=False)
@click.option("--for", "for_s", type=SPAN, default="2h", show_default=True, help="How long, at most 24h.")
@REASON
@on_target
def pause(target: Target, slot: str | None, for_s: int, reason: str) -> None:
    """Open nothing new in SLOT, or in the cell, for a while; what is under way runs on."""
    _changes("pause", target, reason, slot=slot, for_s=for_s)


@click.command()
@click.argument("slot", required=False)
@REASON
@on_target
def resume(target: Target, slot: str | None, reason: str) -> None:
    """End the pause of SLOT, or of the cell, now."""
    _changes("resume", target, reason, slot=slot)


@click.command("release-storm")
@click.option("--for", "for_s", type=SPAN, default="30m", show_default=True, help="How long, at most 24h.")
@REASON
@YES
@on_target
def release_storm(target: Target, for_s: int, reason: str, yes: bool) -> None:
    """Say that the many bad slots are one known cause: replace them one at a time."""
    sure("picoha will replace the bad hosts, one at a time. Release the storm?", yes)
    _changes("release-storm", target, reason, for_s=for_s)


@click.command("close-breaker")
@REASON
@YES
@on_target
def close_breaker(target: Target, reason: str, yes: bool) -> None:
    """Allow automatic failovers again after too many; their counts begin anew."""
    sure("picoha will fail over again on its own. Close the breaker?", yes)
    _changes("close-breaker", target, reason)


COMMANDS = (
    status,
    why,
    history,
    show,
    plan,
    report,
    doctor,
    leave,
    pause,
    resume,
    mode,
    release_storm,
    close_breaker,
)
