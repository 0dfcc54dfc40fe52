# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/inventory.schema.json, of the roles' argument specs: by it editors complete and check an inventory's variables.

`--check` fails when the file is another. In an inventory's file: # yaml-language-server: $schema=PATH
"""

from __future__ import annotations

import json
import re
import sys
import typing as t
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docs/inventory.schema.json"
TYPES: t.Mapping[str, list[str]] = {
    "str": ["string", "number", "null"],
    "path": ["string", "null"],
    "int": ["integer"],
    "float": ["number"],
    "bool": ["boolean"],
    "list": ["array"],
    "dict": ["object"],
}
TEMPLATE = {"$ref": "#/$defs/template"}
"""Ansible evaluates it, so it may stand for a value of any type."""


def options() -> dict[str, t.Any]:
    """Every variable that a role of the collection declares, by name."""
    found: dict[str, t.Any] = {}
    for path in sorted(ROOT.glob("roles/*/meta/argument_specs.yml")):
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"].values():
            for name, spec in entry.get("options", {}).items():
                found.setdefault(name, spec)
    return dict(sorted(found.items()))


def described(spec: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    words = spec.get("description", "")
    text = words if isinstance(words, str) else " ".join(words)
    shown = {"description": re.sub(r"\b[OCVM]\(([^)]*)\)", r"\1", text)}
    # A default of None says that there is none.
    return shown | ({"default": spec["default"]} if spec.get("default") is not None else {})


def value_of(spec: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    kind = spec.get("type", "raw")
    made: dict[str, t.Any] = {"type": TYPES[kind]} if kind in TYPES else {}
    if "choices" in spec:
        made = {"enum": spec["choices"]}
    if kind == "dict" and spec.get("options"):
        made["properties"] = {name: variable(one) for name, one in spec["options"].items()}
        made["additionalProperties"] = False
    if kind == "list" and "elements" in spec:
        inner = {"type": spec["elements"], "options": spec.get("options")}
        made["items"] = {"anyOf": [value_of(inner), TEMPLATE]}
    return made


def variable(spec: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {**described(spec), "anyOf": [value_of(spec), TEMPLATE]}


def schema() -> str:
    """One line for each variable, so that a change shows as one."""
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Variables of an inventory of easymo.deploy",
        "type": "object",
        "$defs": {"template": {"type": "string", "pattern": r"\{\{|\{%"}},
    }
    start = json.dumps(head, ensure_ascii=False)[:-1]
    lines = [
        f"{json.dumps(name)}: {json.dumps(variable(spec), ensure_ascii=False, default=str)}"
        for name, spec in options().items()
    ]
    return f'{start}, "properties": {{\n' + ",\n".join(lines) + "\n}}\n"


def main(arguments: t.Sequence[str]) -> str | None:
    if "--check" not in arguments:
        FILE.write_text(schema(), encoding="utf-8")
        return None
    same = FILE.read_text(encoding="utf-8") == schema()
    return None if same else f"{FILE} is not what the argument specs say: run 'make schema'."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
