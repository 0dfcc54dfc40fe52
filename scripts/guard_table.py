# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the rules into docs/migration-guard.md, or checks that they are there."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "playbooks/collections")]

from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.models import (
    DESTRUCTIVE,
    UNKNOWN,
    WARNINGS,
)

PAGE = ROOT / "docs/migration-guard.md"


def rules() -> str:
    lines: list[str] = []
    for verdict, by_rule in (
        ("destructive", DESTRUCTIVE),
        ("unknown", UNKNOWN),
        ("warning", WARNINGS),
    ):
        by_way: dict[str, list[str]] = {}
        for rule, safe_way in by_rule.items():
            by_way.setdefault(safe_way, []).append(f"`{rule}`")
        lines += ["", f"| {verdict} | what to do |", "|---|---|"]
        lines += [f"| {', '.join(names)} | {way} |" for way, names in by_way.items()]
    return "\n".join(lines[1:])


def expected(text: str) -> str:
    begin, end = "<!-- rules: begin -->", "<!-- rules: end -->"
    filled = f"{begin}\n{rules()}\n{end}"
    return re.sub(f"{begin}.*{end}", lambda _match: filled, text, flags=re.DOTALL)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="change nothing, exit 1 on a difference"
    )
    checks = parser.parse_args().check
    stale = (text := PAGE.read_text("utf-8")) != expected(text)
    if stale and checks:
        print(f"{PAGE.relative_to(ROOT)} is out of date: run scripts/guard_table.py")
    elif stale:
        PAGE.write_text(expected(text), encoding="utf-8")
    return int(checks and stale)


if __name__ == "__main__":
    sys.exit(main())
