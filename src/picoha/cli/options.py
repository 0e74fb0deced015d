"""What the operator's commands share: where they are sent, how they ask back, how they end."""

from __future__ import annotations

import functools
import json
import re
import shutil
import sys
import textwrap
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click
from click.core import ParameterSource

from picoha.app.errors import OperatorUnreachable, SettingsInvalid

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
STACK = re.compile(r"picoha-([a-z][a-z0-9-]{0,23})")
"""What `make deploy` calls a cell's stack; the functions are named after the cell."""
COLOURS = {0: "green", 1: "yellow"}


class Span(click.ParamType[int]):
    """A time such as 90s, 30m, 2h or 14d, in seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return whole seconds."""
        found = re.fullmatch(r"([0-9]{1,6})([smhd])", str(value))
        if found is None:
            self.fail(f"{value!r} is no time; write 90s, 30m, 2h or 14d", param, ctx)
        return int(found[1]) * UNITS[found[2]]


SPAN = Span()


@dataclass(frozen=True)
class Target:
    """Where a command goes and how it answers."""

    cell: str | None
    stack: str | None
    region: str | None
    against: str
    story: Path | None
    at: float | None
    by: str | None
    as_json: bool

    def connect(self) -> Any:
        """Return the client; raises SettingsInvalid, OperatorUnreachable."""
        from picoha.cli.client import Client, caller, channel

        way = self._drill() if self.against == "drill" else channel(self._named(), self.region)
        return Client(way, self.by or caller(), self.tell)

    def _named(self) -> str | None:
        """Return the cell; what is typed beats a variable of the other kind; raises SettingsInvalid."""
        source = click.get_current_context().get_parameter_source
        typed = [one for one in ("cell", "stack") if source(one) is ParameterSource.COMMANDLINE]
        if self.stack is None or typed == ["cell"]:
            return self.cell
        found = STACK.fullmatch(self.stack)
        if found is None:
            raise SettingsInvalid(
                f"stack {self.stack!r} names no cell: the stack of cell X is picoha-X; give --cell"
            )
        if self.cell not in (None, found[1]) and typed != ["stack"]:
            raise SettingsInvalid(
                f"cell {self.cell!r} is not the cell of stack {self.stack!r}; give one, --cell or --stack"
            )
        return found[1]

    def _drill(self) -> Any:
        from picoha.cli.client import DrillOperator
        from picoha.drills.story import Story, read_story

        story = read_story(self.story) if self.story else Story(title="the demo cell", duration_s=0)
        way = DrillOperator(story, story.duration_s if self.at is None else self.at)
        click.get_current_context().call_on_close(way.close)
        return way

    def tell(self, line: str) -> None:
        """Print a line of progress; to standard error when the answer is for a machine."""
        click.echo(folded(line, 2), err=self.as_json)

    def show(self, verb: str, reply: dict[str, Any]) -> None:
        """Print a reply as asked for."""
        if self.as_json:
            click.echo(json.dumps(reply, indent=2))
            return
        from picoha.cli.tables import SHOWN

        click.secho(folded(str(reply["message"]), 2), fg=COLOURS.get(reply["code"], "red"))
        text = SHOWN[verb](reply["data"], width()) if verb in SHOWN and reply["data"] else ""
        if text:
            click.echo("\n" + _painted(text))

    def end(self, verb: str, reply: dict[str, Any]) -> NoReturn:
        """Print the last reply and end with its code."""
        self.show(verb, reply)
        sys.exit(int(reply["code"]))

    def fail(self, problem: str, code: int) -> NoReturn:
        """End without an answer of the function."""
        if self.as_json:
            click.echo(json.dumps({"schema": 1, "code": code, "message": problem, "data": {}}, indent=2))
        else:
            click.echo(f"picoha: {problem}", err=True)
        sys.exit(code)


def _painted(text: str) -> str:
    loud = re.compile(r"\b(CLOSED|PAUSED|BREAKER OPEN|MISSING|ERROR|BROKEN|NOT ready)\b")
    return loud.sub(lambda found: click.style(found[0], fg="red", bold=True), text)


def width() -> int:
    """Return the columns to write, 80 to 120."""
    return min(120, shutil.get_terminal_size((100, 24)).columns)


def folded(text: str, indent: int) -> str:
    """Return a text folded to the terminal."""
    from picoha.cli.text import wrapped

    return wrapped(text, width(), indent) if not text.startswith(" ") else text


OPTIONS = (
    click.option("--cell", envvar="PICOHA_CELL", help="The cell; its stack is picoha-CELL."),
    click.option("--stack", envvar="PICOHA_STACK", help="The cell by its stack, picoha-CELL."),
    click.option("--region", envvar="AWS_REGION", help="The AWS region."),
    click.option(
        "--against",
        type=click.Choice(["aws", "drill"]),
        default="aws",
        help="drill: the same handler over a played cell; no account.",
    ),
    click.option(
        "--story",
        type=click.Path(path_type=Path, dir_okay=False),
        help="With --against drill: the cell of this story (default: the demo cell).",
    ),
    click.option("--at", type=float, help="With --against drill: so many seconds into the story."),
    click.option("--by", envvar="PICOHA_BY", help="Who asks (default: user@host)."),
    click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON."),
)


REASON = click.option("--reason", required=True, help="Why; it is kept in the history.")
YES = click.option("--yes", is_flag=True, help="Do not ask back.")


def on_target(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of every operator's command, and end with 2 or 3 where no answer came."""

    @functools.wraps(command)
    def run(**given: Any) -> None:
        target = Target(**{name: given.pop(name) for name in Target.__dataclass_fields__})
        try:
            command(target, **given)
        except SettingsInvalid as problem:
            target.fail(f"{problem}; nothing was changed", 2)
        except OperatorUnreachable as problem:
            unsure = "whether anything was changed is not known: look with `picoha status`"
            target.fail(f"{problem}; {'nothing was changed' if problem.outcome_known else unsure}", 3)
        except KeyboardInterrupt:
            target.fail("no longer watching; what was asked for goes on without this command", 3)

    for option in reversed(OPTIONS):
        run = option(run)
    return run


def sure(question: str, is_sure: bool) -> None:
    """Go on only after a yes, given by `--yes` or at the terminal."""
    if is_sure:
        return
    if not _is_terminal():
        raise click.UsageError(_asking(f"{question} Say --yes; nothing was changed"))
    click.confirm(_asking(question), abort=True, err=True)


def typed(name: str, confirmed: str | None, what: str) -> None:
    """Go on only after the name was typed, given by `--confirm` or at the terminal."""
    if confirmed is None and not _is_terminal():
        raise click.UsageError(_asking(f"{what} Say --confirm {name}; nothing was changed"))
    given = (
        confirmed
        if confirmed is not None
        else click.prompt(_asking(f"{what} Type {name} to go on"), err=True)
    )
    if given != name:
        raise click.UsageError(f"{given!r} is not {name}; nothing was changed")


def _asking(text: str) -> str:
    """Return a question folded so that what click puts around it fits the terminal too."""
    return textwrap.fill(text, width() - 12, break_on_hyphens=False)


def _is_terminal() -> bool:
    with suppress(ValueError, OSError):  # standard input may be closed
        return sys.stdin.isatty()
    return False
