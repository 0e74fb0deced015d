"""Groups and addresses describe themselves by tags (design.md 3); tags are untrusted input."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from picoha.app.ports import DeclaredSlot
from picoha.domain.model import (
    Dependency,
    InstanceId,
    Kind,
    Member,
    Pico,
    PicoType,
    ScalingGroup,
    SlotName,
    SlotSpec,
)

if TYPE_CHECKING:
    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef

LOG = logging.getLogger("picoha")

PREFIX = "picoha:"
CELL_TAG, SLOT_TAG = "picoha:cell", "picoha:slot"
SLOT_RULE = re.compile(r"[a-z][a-z0-9]{0,23}")
HOSTNAME_RULE = r"^[a-z0-9][a-z0-9-]{0,62}(\.[a-z0-9][a-z0-9-]{0,62})*$"
PICO_RULE = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9-]{0,62}):(?P<port>[0-9]{1,5})(:(?P<type>platform|ec|sc|ui))?"
)
DEPENDENCY_RULE = re.compile(r"(rds|rds-cluster|efs|alarm|tcp|mount|slot):\S+")


def _pico(text: str) -> Pico:
    match = PICO_RULE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r:.60} is not name:ha-port[:platform|ec|sc|ui] with a name of a-z, 0-9, -")
    port = int(match["port"])
    if not 1 <= port <= 65535:
        raise ValueError(f"port {port} of {match['name']} is not 1 to 65535")
    kind = match["type"] or _guess_type(match["name"])
    if kind is None:
        raise ValueError(
            f"the type of pico {match['name']} cannot be told from its name; write {text}:ec, :sc or :ui"
        )
    return Pico(match["name"], port, PicoType(kind))


def _guess_type(name: str) -> str | None:
    return next((one.value for one in PicoType if name.startswith(one.value)), None)


def _dependency(text: str) -> Dependency:
    if not DEPENDENCY_RULE.fullmatch(text):
        raise ValueError(
            f"{text!r:.60} is not rds:, rds-cluster:, efs:, alarm:, tcp:, mount: or slot: with a target"
        )
    scheme, _, target = text.partition(":")
    return Dependency(scheme, target)


def _words(value: object) -> list[str]:
    return re.split(r"[\s,]+", value.strip()) if isinstance(value, str) and value.strip() else []


class SlotTags(BaseModel):
    """The tags of a slot's group, validated; unknown `picoha:` tags are refused as likely typos."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True)

    cell: str
    slot: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,23}$")]
    kind: Kind
    hostname: Annotated[str, Field(pattern=HOSTNAME_RULE, max_length=253)]
    picos: Annotated[tuple[str, ...], BeforeValidator(_words), Field(min_length=1)]
    container: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] | None = None
    depends_on: Annotated[tuple[str, ...], BeforeValidator(_words)] = Field((), alias="depends-on")
    fenceable: Literal["true", "false"] = "false"

    @field_validator("picos")
    @classmethod
    def _picos_are_sound(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        picos = [_pico(text) for text in texts]
        names, ports = [pico.name for pico in picos], [pico.port for pico in picos]
        if len(set(names)) < len(names) or len(set(ports)) < len(ports):
            raise ValueError("two picos share a name or an HA port")
        return texts

    @field_validator("depends_on")
    @classmethod
    def _dependencies_are_sound(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            _dependency(text)
        return texts

    def spec(self) -> SlotSpec:
        """Return what the tags declare."""
        return SlotSpec(
            name=SlotName(self.slot),
            kind=self.kind,
            hostname=self.hostname,
            picos=tuple(_pico(text) for text in self.picos),
            container=self.container or self.slot,
            fenceable=self.fenceable == "true",
            depends_on=tuple(_dependency(text) for text in self.depends_on),
        )


def spec_of(tags: Mapping[str, str], where: str) -> SlotSpec | str:
    """Return what a slot's tags declare, or the sentence that says what is wrong with them."""
    try:
        spec = _parse(tags)
    except ValidationError as problem:
        return _sentence(where, problem)
    unlike = _unlike_kind(spec)
    return f"group {where}: {unlike}" if unlike else spec


def declared(group: AutoScalingGroupTypeDef, warm: tuple[Member, ...] = ()) -> DeclaredSlot | None:
    """Return the slot that a described group declares, with its problem if a tag is wrong.

    None, with a warning, for a group whose picoha:slot is no slot name: it cannot be told whose it is.
    """
    tags = {tag["Key"]: tag.get("Value", "") for tag in group.get("Tags", []) if "Key" in tag}
    slot = tags.get(SLOT_TAG, "")
    found = _group(group, warm)
    if not SLOT_RULE.fullmatch(slot):
        rule = "a slot is named by 1 to 24 of a-z and 0-9, a letter first"
        LOG.warning("group %s: tag %s is %r: %s; the group is left alone", found.name, SLOT_TAG, slot, rule)
        return None
    spec = spec_of(tags, found.name)
    if isinstance(spec, str):
        return DeclaredSlot(SlotName(slot), found, problem=spec)
    return DeclaredSlot(spec.name, found, spec)


def _parse(tags: Mapping[str, str]) -> SlotSpec:
    ours = {key.removeprefix(PREFIX): value for key, value in tags.items() if key.startswith(PREFIX)}
    return SlotTags.model_validate(ours, by_alias=True, by_name=False).spec()


def _unlike_kind(spec: SlotSpec) -> str:
    has_platform = any(pico.type is PicoType.PLATFORM for pico in spec.picos)
    if has_platform != (spec.kind is Kind.PLATFORM):
        count = "a" if has_platform else "no"
        return f"tag picoha:kind is {spec.kind}, but picoha:picos has {count} platform pico"
    return ""


def _sentence(group: str, problem: ValidationError) -> str:
    parts = []
    for error in problem.errors(include_url=False):
        tag = error["loc"][0] if error["loc"] else "?"
        given = "" if error["type"] == "missing" else f" is {error['input']!r:.60}:"
        parts.append(f"tag picoha:{tag}{given} {error['msg']}")
    return f"group {group}: {'; '.join(parts)}"


def _group(group: AutoScalingGroupTypeDef, warm: tuple[Member, ...]) -> ScalingGroup:
    members = tuple(member(one["InstanceId"], one["LifecycleState"]) for one in group.get("Instances", []))
    return ScalingGroup(
        name=group["AutoScalingGroupName"],
        min_size=group["MinSize"],
        max_size=group["MaxSize"],
        desired=group["DesiredCapacity"],
        members=members + warm,
    )


def member(instance: str, lifecycle: str) -> Member:
    """Return a group's member from AWS's two words for it."""
    return Member(InstanceId(instance), lifecycle)
