"""The commands that ask the loop for something and stay until it is done or refused."""

from __future__ import annotations

from typing import Any

import click

from picoha.cli.client import ended, rolled
from picoha.cli.options import REASON, YES, Target, on_target, sure, typed

WAIT = click.option(
    "--wait/--no-wait", default=True, show_default=True, help="Stay until the operation ended."
)


def _requests(
    verb: str, target: Target, reason: str, waits: bool, client: Any = None, **args: object
) -> None:
    """Write a request; then stay until the loop answered and the operation ended."""
    client = client or target.connect()
    reply = client.ask(verb, reason, **args)
    if reply["code"] or not waits:
        target.end(verb, reply)
    target.tell(str(reply["message"]))
    last = client.finish(reply["data"]["request"], reply["data"]["slot"])
    target.end(verb, last)


@click.command()
@click.argument("slot")
@REASON
@WAIT
@YES
@on_target
def switchover(target: Target, slot: str, reason: str, wait: bool, yes: bool) -> None:
    """Replace the healthy host of SLOT in an orderly way; shows the expected outage first."""
    client = target.connect()
    if not yes:
        _planned(target, client, "switchover", slot)
        sure(f"{slot} is away meanwhile. Switch over?", yes)
    _requests("switchover", target, reason, wait, client, slot=slot)


@click.command()
@REASON
@YES
@on_target
def roll(target: Target, reason: str, yes: bool) -> None:
    """Switch over slot by slot, the Platform last; stop at the first slot that is not well.

    Slots that are retired, parked or not fenceable are left out, and named.
    """
    client = target.connect()
    status = client.ask("status")
    slots, left_out = rolled(status)
    for slot, why in left_out.items():
        target.tell(f"{slot} is left out: {why}")
    if not slots:
        none = ended({**status, "sentence": f"{status['sentence']}; no slot to roll"})
        target.end("roll", {**none, "code": status["code"] or 1})
    sure(f"{', '.join(slots)} are replaced one after the other. Roll?", yes)
    reply = client.roll(slots, reason)
    target.end("status" if "slots" in reply["data"] else "roll", reply)


@click.command()
@click.argument("slot")
@click.option("--force", is_flag=True, required=True, help="Must be given: only you say that it is lost.")
@click.option("--confirm", help="The slot's name again, instead of typing it.")
@REASON
@WAIT
@on_target
def failover(target: Target, slot: str, force: bool, confirm: str | None, reason: str, wait: bool) -> None:
    """Terminate the host of SLOT now and replace it; skips detection and limits, never the fence."""
    client = target.connect()
    if confirm is None:
        _planned(target, client, "failover", slot)
    typed(slot, confirm, f"The host of {slot} will be terminated.")
    _requests("failover", target, reason, wait, client, slot=slot)


def _planned(target: Target, client: Any, verb: str, slot: str) -> None:
    """Show what would happen, or end here with the refusal."""
    reply = client.ask("plan", plan=verb, slot=slot)
    if reply["code"]:
        target.end("plan", reply)
    if not target.as_json:
        target.show("plan", reply)


@click.command("confirm-fenced")
@click.argument("instance")
@REASON
@WAIT
@YES
@on_target
def confirm_fenced(target: Target, instance: str, reason: str, wait: bool, yes: bool) -> None:
    """Give your word that INSTANCE is off; refused while anybody has heard from it lately."""
    sure(f"If {instance} still runs, two hosts may be active. Have you made sure that it is off?", yes)
    _requests("confirm-fenced", target, reason, wait, instance=instance)


@click.command()
@click.argument("slot")
@click.argument("instance")
@REASON
@WAIT
@YES
@on_target
def adopt(target: Target, slot: str, instance: str, reason: str, wait: bool, yes: bool) -> None:
    """Name INSTANCE the holder of SLOT, with an epoch above every one seen."""
    sure(f"{instance} becomes the holder of {slot}. Adopt?", yes)
    _requests("adopt", target, reason, wait, slot=slot, instance=instance)


@click.command()
@click.argument("operation")
@REASON
@WAIT
@on_target
def retry(target: Target, operation: str, reason: str, wait: bool) -> None:
    """Let an OPERATION that waits for a human try its step again."""
    _requests("retry", target, reason, wait, operation=operation)


@click.command()
@click.argument("operation")
@REASON
@WAIT
@YES
@on_target
def abort(target: Target, operation: str, reason: str, wait: bool, yes: bool) -> None:
    """End an OPERATION where it is: its slot is left vacant and paused for 24 h."""
    sure(f"The slot of {operation} stays without a host. Abort?", yes)
    _requests("abort", target, reason, wait, operation=operation)


COMMANDS = (switchover, roll, failover, adopt, confirm_fenced, retry, abort)
