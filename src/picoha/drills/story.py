"""A story: a cell, what happens to it at which second, and how it must end. Data, in TOML.

The format is documented in stories/README.md; every mistake is told with its place.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from picoha.app.errors import SettingsInvalid

Seconds = Annotated[float, Field(ge=0, le=86_400)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Slot(_Part):
    """One slot: its group's tags, its Elastic IP, the private IPs of its launches in order."""

    name: str
    kind: Literal["platform", "execution"]
    hostname: str
    picos: str
    address: str | None = None
    private_ips: tuple[str, ...] = ()
    zone: Literal["a", "b", "c"] = "a"
    fenceable: bool = True
    depends_on: str = ""
    warm_pool: bool = False


DEMO = (
    Slot(
        name="platform1",
        kind="platform",
        hostname="mz-platform",
        picos="platform:7100",
        address="203.0.113.10",
        private_ips=("10.0.1.10", "10.0.2.20"),
    ),
    Slot(
        name="ec1",
        kind="execution",
        hostname="ec1host",
        picos="ec1:7101:ec",
        private_ips=("10.0.3.11", "10.0.3.31"),
        zone="b",
    ),
    Slot(
        name="ec2",
        kind="execution",
        hostname="ec2host",
        picos="ec2:7102:ec",
        private_ips=("10.0.3.12",),
        zone="b",
    ),
)
"""The demo cell of the README, with the addresses of domain.md 8.1."""


class Cell(_Part):
    """The cell before the first second.

    `start`: `running` = every slot held and settled; `unmanaged` = hosts run that picoha has never
    seen; `empty` = groups exist, nothing was launched.
    """

    name: str = "demo"
    mode: Literal["observe", "enforce"] = "enforce"
    start: Literal["running", "unmanaged", "empty"] = "running"


class Beat(_Part):
    """One thing that happens: `do` names it (see `script.VERBS`), the rest are its arguments."""

    s: Seconds
    do: str
    slot: str = ""
    pico: str = ""
    name: str = ""
    to: str = ""
    step: str = ""
    code: int | None = None
    says: str = ""
    number: int = 0
    for_s: Seconds = 0


class SlotEnd(_Part):
    """How a slot must end; what is not given is not asked."""

    phase: str | None = None
    epoch: int | None = None
    holder: Literal["same", "replaced"] | None = None
    private_ip: str | None = None
    picos: Literal["up", "down"] | None = None


class End(_Part):
    """How the story must end.

    `events` are "slot: event" lines of the history, in this order (others may stand between);
    `never` must not occur; `by` is the latest second of an event's first time; `calls` are exact
    counts of the controller's calls; `pages` counts pages; at least `crashes` invocations are killed.
    """

    slots: dict[str, SlotEnd] = {}
    events: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    by: dict[str, Seconds] = {}
    calls: dict[str, int] = {}
    pages: int | None = None
    crashes: int = 0

    def unmet(self, events: Sequence[tuple[float, str]]) -> Iterable[str]:
        """Return what these events, each with its second, are not as expected."""
        names = [name for _, name in events]
        position = 0
        for wanted in self.events:
            if wanted not in names[position:]:
                yield f"expected event {wanted!r} next, seen instead: {names[position:]}"
                break
            position = names.index(wanted, position) + 1
        for unwanted in self.never:
            if any(unwanted in (one, one.split(": ")[1]) for one in names):
                yield f"event {unwanted!r} must never happen, and did"
        for wanted, latest in self.by.items():
            first = next((at for at, name in events if name == wanted), None)
            if first is None or first > latest:
                when = "never" if first is None else f"first at {first:.1f} s"
                yield f"expected event {wanted!r} by {latest:g} s, seen {when}"


class Story(_Part):
    """A whole story."""

    title: str
    why: str = ""
    duration_s: Seconds = 900
    cell: Cell = Cell()
    slot: tuple[Slot, ...] = DEMO
    later: tuple[Slot, ...] = ()
    settings: dict[str, int] = {}
    timings: dict[str, float] = {}
    dependencies: dict[str, str] = {}
    at: tuple[Beat, ...] = ()
    expect: End = End()

    @model_validator(mode="after")
    def _names_exist(self) -> Story:
        names = {one.name for one in (*self.slot, *self.later)}
        asked = {one.slot for one in self.at if one.slot} | set(self.expect.slots)
        if unknown := sorted(asked - names):
            raise ValueError(f"no slot named {', '.join(unknown)}; the cell has {', '.join(sorted(names))}")
        return self


def read_story(path: Path) -> Story:
    """Return the story in a file; raises SettingsInvalid naming the file, the place and the rule."""
    try:
        plain: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return Story.model_validate(plain)
    except (OSError, UnicodeDecodeError) as problem:
        raise SettingsInvalid(f"reading story {path}: {problem}") from problem
    except tomllib.TOMLDecodeError as problem:
        raise SettingsInvalid(f"story {path} is no TOML: {problem}") from problem
    except ValidationError as problem:
        told = [
            f"{'.'.join(map(str, error['loc'])) or 'story'}: {error['msg']}" for error in problem.errors()
        ]
        raise SettingsInvalid(f"story {path}: {'; '.join(told)}") from problem
