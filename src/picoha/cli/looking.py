"""The commands that look, and those that change the cell itself: thin, one request each."""

from __future__ import annotations

from pathlib import Path

import click

from picoha.app.errors import OperatorUnreachable
from picoha.cli.options import REASON, SPAN, YES, Aim, aimed, sure


def _looks(verb: str, aim: Aim, **args: object) -> None:
    aim.end(verb, aim.connect().ask(verb, **args))


def _changes(verb: str, aim: Aim, reason: str, **args: object) -> None:
    aim.end(verb, aim.connect().ask(verb, reason, **args))


# What looks.


@click.command()
@click.option("--watch", is_flag=True, help="Look again every 5 s until Ctrl-C.")
@click.option("--times", type=click.IntRange(1), hidden=True)
@aimed
def status(aim: Aim, watch: bool, times: int | None) -> None:
    """Show every slot: holder, epoch, health, open operation; pauses and brake.

    Ends with 1 when a slot is not well.
    """
    client = aim.connect()
    reply = client.ask("status")
    for _ in range((times or 10**9) - 1 if watch else 0):
        click.clear()
        aim.show("status", reply)
        client.wait(5.0)
        try:
            reply = client.ask("status")
        except OperatorUnreachable as problem:
            aim.tell(f"no answer, asking again: {problem}")
    aim.end("status", reply)


@click.command()
@click.argument("slot")
@aimed
def why(aim: Aim, slot: str) -> None:
    """Say why SLOT is as it is: the rule that holds, every sensor with its age, every gate."""
    _looks("why", aim, slot=slot)


@click.command()
@click.option("--slot", help="Only this slot.")
@click.option("--since", type=SPAN, default="7d", show_default=True, help="How far back.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Newest rows.")
@aimed
def history(aim: Aim, slot: str | None, since: int, limit: int) -> None:
    """Show what happened: when, by which rule, on what evidence."""
    _looks("history", aim, slot=slot, since_s=since, limit=limit)


@click.command()
@click.argument("operation")
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False), help="Write it as a picture, too.")
@aimed
def show(aim: Aim, operation: str, svg: Path | None) -> None:
    """Show one OPERATION: its steps with durations, every call, its rows."""
    from picoha.cli import timeline_svg

    reply = aim.connect().ask("show", operation=operation)
    if svg and reply["data"]:
        timeline_svg.save(timeline_svg.of_record(reply["data"]), svg)
    aim.end("show", reply)


@click.command()
@click.argument("verb", type=click.Choice(["failover", "switchover"]))
@click.argument("slot")
@aimed
def plan(aim: Aim, verb: str, slot: str) -> None:
    """Say what a failover or switchover of SLOT would do now, and what would refuse it."""
    _looks("plan", aim, plan=verb, slot=slot)


@click.command()
@click.option("--since", type=SPAN, default="14d", show_default=True, help="How far back.")
@aimed
def report(aim: Aim, since: int) -> None:
    """Show what observe would have done, false rings, the worst gap of the metric, readiness."""
    _looks("report", aim, since_s=since)


@click.command()
@aimed
def doctor(aim: Aim) -> None:
    """Examine everything that a failover will need, before it is needed."""
    _looks("doctor", aim)


@click.command()
@aimed
def leave(aim: Aim) -> None:
    """Say what must be undone, in order, before the stack may be deleted."""
    _looks("leave", aim)


# What changes the cell.


@click.command()
@click.argument("to", type=click.Choice(["observe", "enforce"]))
@REASON
@YES
@aimed
def mode(aim: Aim, to: str, reason: str, yes: bool) -> None:
    """Let picoha only observe, or enforce. Enforce is refused while doctor has errors or cannot look.

    A slot is enforced only where its group has the tag picoha:fenceable=true.
    """
    client = aim.connect()
    report = client.ask("report") if to == "enforce" and not yes else None
    found = report["data"].get("findings", []) if report else []
    if report and not any(one["level"] == "error" or one["is_unseen"] for one in found):
        aim.show("report", report)
        sure("From now on picoha may terminate lost hosts of fenceable slots. Enforce?", yes)
    aim.end("mode", client.ask("mode", reason, mode=to))


@click.command()
@click.argument("slot", required=False)
@click.option("--for", "for_s", type=SPAN, default="2h", show_default=True, help="How long, at most 24h.")
@REASON
@aimed
def pause(aim: Aim, slot: str | None, for_s: int, reason: str) -> None:
    """Open nothing new in SLOT, or in the cell, for a while; what is under way runs on."""
    _changes("pause", aim, reason, slot=slot, for_s=for_s)


@click.command()
@click.argument("slot", required=False)
@REASON
@aimed
def resume(aim: Aim, slot: str | None, reason: str) -> None:
    """End the pause of SLOT, or of the cell, now."""
    _changes("resume", aim, reason, slot=slot)


@click.command("release-storm")
@click.option("--for", "for_s", type=SPAN, default="30m", show_default=True, help="How long, at most 24h.")
@REASON
@YES
@aimed
def release_storm(aim: Aim, for_s: int, reason: str, yes: bool) -> None:
    """Say that the many bad slots are one known cause: replace them one at a time."""
    sure("picoha will replace the bad hosts, one at a time. Release the storm?", yes)
    _changes("release-storm", aim, reason, for_s=for_s)


@click.command("close-breaker")
@REASON
@YES
@aimed
def close_breaker(aim: Aim, reason: str, yes: bool) -> None:
    """Allow automatic failovers again after too many; their counts begin anew."""
    sure("picoha will fail over again on its own. Close the breaker?", yes)
    _changes("close-breaker", aim, reason)


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
