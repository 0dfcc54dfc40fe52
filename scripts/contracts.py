# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes docs/contracts.md from inventories/shared/contracts.yml, or checks that it is up to date."""

from __future__ import annotations

import argparse
import sys
import typing as t
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "contracts.md"
HEAD = """# Contracts

What a release expects of the addresses and answers of the application. `scripts/contracts.py` makes this page from
`inventories/shared/contracts.yml`, which also has the values. Paths into answers are [JMESPath](https://jmespath.org).
[Readiness](readiness.md) checks each contract in the named row.
"""


def load(path: str) -> dict[str, t.Any]:
    loaded: dict[str, t.Any] = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    return loaded


def page() -> str:
    data = load("inventories/shared/contracts.yml")
    parts = [HEAD]
    for contract in data["contracts"]:
        parts.append(
            f"## {contract['name']}\n\n"
            f"`{contract['where']}`\n\n"
            f"```\n{contract['answer']}\n```\n\n"
            f"- **Needed:** {' '.join(contract['needs'].split())}\n"
            f"- **Why:** {contract['why']}\n"
            f"- **Readiness:** `{contract['row']}`\n"
        )
    return "\n".join(parts)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="change nothing, exit 1 on a difference"
    )
    if not parser.parse_args().check:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page():
        return 0
    print("docs/contracts.md differs from the inventory: run scripts/contracts.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
