"""Renders template.yaml for given slots without AWS::LanguageExtensions: same resources, no Fn::ForEach.

For accounts or tools in which that transform is not to be had: every loop is written out once per slot,
short tags become their long form, and CodeUri is made relative to the file written.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "template.yaml"
LOOP = "Fn::ForEach::"


class CloudFormationLoader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags, read as their long form."""


def _long_form(loader: CloudFormationLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


CloudFormationLoader.add_multi_constructor("!", _long_form)


class PlainDumper(yaml.SafeDumper):
    """YAML without anchors, which CloudFormation does not read."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def load(text: str) -> dict[str, Any]:
    """Return the template as plain dicts, intrinsic functions in their long form."""
    template: dict[str, Any] = yaml.load(text, CloudFormationLoader)
    return template


def expand(template: dict[str, Any], slots: list[str]) -> dict[str, Any]:
    """Return the template with every loop over `Slots` written out and the parameter `Slots` gone."""
    rendered: dict[str, Any] = _expand(template, slots)
    transforms = [name for name in rendered["Transform"] if name != "AWS::LanguageExtensions"]
    rendered["Transform"] = transforms[0] if len(transforms) == 1 else transforms
    del rendered["Parameters"]["Slots"]
    shown = rendered["Metadata"]["AWS::CloudFormation::Interface"]
    for group in shown["ParameterGroups"]:
        group["Parameters"] = [name for name in group["Parameters"] if name != "Slots"]
    del shown["ParameterLabels"]["Slots"]
    return rendered


def _expand(value: Any, slots: list[str]) -> Any:
    if isinstance(value, list):
        return [_expand(one, slots) for one in value]
    if not isinstance(value, dict):
        return value
    rendered: dict[str, Any] = {}
    for key, inner in value.items():
        if not key.startswith(LOOP):
            rendered[key] = _expand(inner, slots)
            continue
        variable, collection, body = inner
        if collection != {"Ref": "Slots"}:
            raise ValueError(f"{key} loops over {collection}, not over Slots")
        for slot in slots:
            rendered |= _with(body, variable, slot)
    return rendered


def _with(value: Any, variable: str, slot: str) -> Any:
    """Return the value with `${variable}` and `Ref: variable` replaced by the slot."""
    if value == {"Ref": variable}:
        return slot
    if isinstance(value, dict):
        return {_with(key, variable, slot): _with(inner, variable, slot) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with(one, variable, slot) for one in value]
    return value.replace(f"${{{variable}}}", slot) if isinstance(value, str) else value


def _point_code_at(template: dict[str, Any], folder: Path) -> None:
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            code = ROOT / resource["Properties"]["CodeUri"]
            resource["Properties"]["CodeUri"] = os.path.relpath(code, folder.resolve())


def main(argv: list[str] | None = None) -> int:
    """Write the rendered template; returns 2 when a slot name is refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slots", required=True, help="comma separated, for example platform1,ec1")
    parser.add_argument("--output", required=True, type=Path)
    arguments = parser.parse_args(argv)
    template = load(SOURCE.read_text())
    slots = arguments.slots.split(",")
    allowed = template["Parameters"]["Slots"]["AllowedPattern"]
    refused = [slot for slot in slots if not re.fullmatch(allowed, slot) or slots.count(slot) > 1]
    if refused:
        print(f"not a list of different slot names ({allowed}): {', '.join(refused)!r}", file=sys.stderr)
        return 2
    rendered = expand(template, slots)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    _point_code_at(rendered, arguments.output.parent)
    text = yaml.dump(rendered, Dumper=PlainDumper, sort_keys=False, width=110, allow_unicode=True)
    arguments.output.write_text(f"# Rendered from template.yaml for the slots {', '.join(slots)}.\n{text}")
    print(f"{arguments.output}: {len(slots)} slot{'s' if len(slots) > 1 else ''}, without Fn::ForEach")
    return 0


if __name__ == "__main__":
    sys.exit(main())
