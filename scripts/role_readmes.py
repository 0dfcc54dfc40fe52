# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the table of variables in each role's README.md from its argument specs, or checks that it is up to date."""

from __future__ import annotations

import argparse
import re
import sys
import typing as t
from pathlib import Path

import yaml

ROLES = Path(__file__).parents[1] / "roles"
BEGIN, END = "<!-- variables: begin -->", "<!-- variables: end -->"


def variables(entry_points: dict[str, t.Any]) -> str:
    lines = []
    for name, entry in entry_points.items():
        title = "" if name == "main" else f" (`tasks_from: {name}`)"
        lines += [f"**{entry['short_description']}**{title}", ""]
        lines += ["| variable | type | default | what it is |", "|---|---|---|---|"]
        for option, spec in entry.get("options", {}).items():
            default = "required" if spec.get("required") else f"`{spec.get('default', '')}`"
            lines.append(
                f"| `{option}` | {spec['type']} | {default} | {_plain(spec['description'])} |"
            )
        lines.append("")
    return "\n".join(lines).rstrip()


def _plain(description: str | list[str]) -> str:
    text = " ".join([description] if isinstance(description, str) else description)
    return re.sub(r"\b[OCVM]\(([^)]*)\)", r"`\1`", text)


def expected(role: Path) -> str:
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    text = (role / "README.md").read_text(encoding="utf-8")
    head, _begin, rest = text.partition(BEGIN)
    _old, _end, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{variables(specs['argument_specs'])}\n{END}{tail}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="change nothing, exit 1 on a difference"
    )
    check = parser.parse_args().check
    stale = [
        role
        for role in sorted(path.parent for path in ROLES.glob("*/README.md"))
        if expected(role) != (role / "README.md").read_text("utf-8")
    ]
    for role in stale:
        if check:
            print(
                f"{role.name}: README.md differs from its argument specs: run scripts/role_readmes.py"
            )
        else:
            (role / "README.md").write_text(expected(role), encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
