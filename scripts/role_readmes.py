# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of each role on the site: its README.md, and in it the table of its variables from the argument specs."""

from __future__ import annotations

import re
import sys
import typing as t
from pathlib import Path

import yaml

ROLES = Path(__file__).parents[1] / "roles"
NEXT = "## Idempotence\n"


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


def page(role: Path) -> str:
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    text = (role / "README.md").read_text(encoding="utf-8")
    table = variables(specs["argument_specs"])
    return text.replace(NEXT, f"## Variables\n\n{table}\n\n{NEXT}", 1)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    roles = sorted(path.parent for path in ROLES.glob("*/README.md"))
    for role in roles:
        (folder / f"{role.name}.md").write_text(page(role), encoding="utf-8")
    listed = "\n".join(role.name for role in roles)
    index = f"# Roles\n\n```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"
    (folder / "index.md").write_text(index, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
