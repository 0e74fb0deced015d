"""The command `picoha`. Exit codes: 0 fine, 1 refused or not as expected, 2 usage, 3 could not find out."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

import click

from picoha.app.errors import (
    MalformedEvent,
    MemoryUnreadable,
    OperatorUnreachable,
    SettingsInvalid,
    UnknownEvent,
)
from picoha.cli import looking, ordering

FILE = click.Path(path_type=Path, dir_okay=False)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Failover control for a MediationZone cell on AWS, and its drill."""


@main.command()
@click.argument("story", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--seed", default=0, show_default=True, help="Seed of everything that varies by chance.")
@click.option("--svg", type=FILE, help="Write the failover as a picture to this file, too.")
def drill(story: Path, as_json: bool, seed: int, svg: Path | None) -> None:
    """Play STORY.toml in a drill: the shipped code, a played AWS, virtual time."""
    from picoha.cli import timeline_svg
    from picoha.drills.drill import run
    from picoha.drills.story import read_story

    try:
        report = run(read_story(story), seed)
        if svg:
            timeline_svg.save(timeline_svg.of_drill(report), svg)
    except SettingsInvalid as problem:
        _refuse(str(problem))
    if as_json:
        click.echo(json.dumps({"ok": report.ok, **asdict(report)}, indent=2))
    else:
        from picoha.cli.text import drill_text

        click.echo(drill_text(report, _width()))
    sys.exit(0 if report.ok else 1)


@main.command()
@click.argument("event", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--dry-run", is_flag=True, help="Only say what would be decided; nothing is written or sent.")
def invoke(event: Path, as_json: bool, dry_run: bool) -> None:
    """Give EVENT.json to the handler, on the demo cell in which the event is true."""
    from picoha.drills import invoke as run_event
    from picoha.drills.story import Story

    story = Story(title=f"{event.name} on the demo cell", duration_s=300)
    try:
        plain = run_event.read_event(event)
        if dry_run:
            _show_plan(run_event.plan(plain, story), as_json)
            return
        report, reply, beats = run_event.run(plain, story)
    except (SettingsInvalid, UnknownEvent, MalformedEvent) as problem:
        _refuse(str(problem))
    if as_json:
        click.echo(json.dumps({"ok": report.ok, "reply": reply, **asdict(report)}, indent=2))
    else:
        from picoha.cli.text import drill_text, wrapped

        happened = "; ".join(f"{beat.slot}: {beat.do}" for beat in beats) or "nothing; the cell is well"
        click.echo(f"The scene that makes the event true: {happened}.")
        click.echo(wrapped(f"The handler answered: {json.dumps(reply)}", _width(), 2) + "\n")
        click.echo(drill_text(report, _width()))
    sys.exit(0 if report.ok and reply.get("outcome") == "driven" else 1)


def _show_plan(decisions: list[dict[str, object]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"decisions": decisions}, indent=2))
        return
    for decision in decisions:
        click.echo(
            f"{decision['slot']}  rule {decision['rule']}  {decision['answer']}: {decision['sentence']}"
        )
        for action in decision["actions"] if isinstance(decision["actions"], list) else []:
            click.echo(f"    would send {action}")
    click.echo("dry run: nothing was changed")


@main.command()
@click.option("--story", type=FILE, help="Play this story in a drill and verify its records and its truth.")
@click.option("--cell", help="Verify the records of this cell, by its operator function.")
@click.option("--hours", default=24.0, show_default=True, help="How far back to read a cell's table.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def verify(story: Path | None, cell: str | None, hours: float, as_json: bool) -> None:
    """Check after the fact that the records of a period keep the promises (S1, S2, S4 to S8, S10, S13)."""
    from picoha.app.audit.promises import NOT_CHECKED
    from picoha.cli import records

    if (story is None) == (cell is None):
        _refuse("verify takes either --story FILE or --cell NAME")
    try:
        broken = records.of_story(story) if story else records.of_cell(cell or "", hours)
    except SettingsInvalid as problem:
        _refuse(str(problem))
    except (MemoryUnreadable, OperatorUnreachable) as problem:
        click.echo(f"picoha: {problem}; nothing could be verified", err=True)
        sys.exit(3)
    if as_json:
        click.echo(json.dumps({"ok": not broken, "broken": broken, "not_checked": NOT_CHECKED}, indent=2))
    else:
        lines = broken or ["every promise that the records can show was kept"]
        click.echo("\n".join([*lines, *(f"not checked: {one}" for one in NOT_CHECKED if cell)]))
    sys.exit(1 if broken else 0)


@main.command("export-case")
@click.argument("operation")
@click.option("--story", type=FILE, help="Play this story in a drill and take the decision from it.")
@click.option("--cell", help="Take the decision from this cell's table, with your own AWS credentials.")
@click.option("--days", default=30.0, show_default=True, help="How far back to read a cell's table.")
def export_case(operation: str, story: Path | None, cell: str | None, days: float) -> None:
    """Print the decision that began OPERATION as a golden case (see tests/unit/domain/golden)."""
    from picoha.cli import records
    from picoha.cli.export import golden_case
    from picoha.domain.policy import Policy

    if (story is None) == (cell is None):
        _refuse("export-case takes either --story FILE or --cell NAME")
    try:
        rows = records.history_of_story(story) if story else records.history_of_cell(cell or "", days)
        click.echo(json.dumps(golden_case(rows, operation, Policy()), indent=1, sort_keys=True))
    except SettingsInvalid as problem:
        _refuse(str(problem))
    except MemoryUnreadable as problem:
        click.echo(f"picoha: {problem}; nothing could be read", err=True)
        sys.exit(3)


for one in (*looking.COMMANDS, *ordering.COMMANDS):
    main.add_command(one)


@main.command()
def rules() -> None:
    """Print the rule tables, as docs/rules.md has them."""
    from picoha.domain.views.explain import rules_markdown

    click.echo(rules_markdown())


def _refuse(problem: str) -> NoReturn:
    click.echo(f"picoha: {problem}; nothing was changed", err=True)
    sys.exit(2)


def _width() -> int:
    return min(120, shutil.get_terminal_size((100, 24)).columns)


if __name__ == "__main__":
    main()
