# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the rules into docs/migration-guard.md and the idioms into the corpus's README, or checks both."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "playbooks/collections")]

from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.rules import (
    DESTRUCTIVE,
    UNKNOWN,
    WARNINGS,
)
from tests.unit.plugins.module_utils._migration.guard.cases import read_cases

PAGES = (
    ROOT / "docs/migration-guard.md",
    ROOT / "tests/unit/plugins/module_utils/_migration/guard/corpus/README.md",
)
TOPICS = {
    "idioms": "Whole files",
    "drops": "DROP",
    "tables": "Tables, columns, constraints, indexes",
    "rows": "Rows, search_path, temporary tables",
    "objects": "Other objects, privileges, sessions, the server",
    "routines": "Functions, DO, EXECUTE",
}


def idioms() -> str:
    """What each case of the corpus comes out as: its rules, or additive when there is none."""
    cases = read_cases()
    lines = []
    for topic, title in TOPICS.items():
        lines += ["", f"**{title}**", "", "| idiom | verdict |", "|---|---|"]
        for case in cases:
            if case.topic == topic:
                labels = [label for of in case.labels.values() for label in of]
                found = {
                    f"{label.verdict} (`{label.rule}`)": None for label in labels if label.rule
                }
                some = any(label.rule is None for label in labels)
                mixed = "additive in part, " if found and some else ""
                lines.append(f"| {case.title} | {mixed}{', '.join(found) or 'additive'} |")
    return "\n".join(lines).strip()


def rules() -> str:
    lines = ["| rule | verdict | the safe way, or what to see to |", "|---|---|---|"]
    for verdict, of in (
        ("destructive", DESTRUCTIVE),
        ("unknown", UNKNOWN),
        ("warning", WARNINGS),
    ):
        by_way: dict[str, list[str]] = {}
        for rule, safe_way in of.items():
            by_way.setdefault(safe_way, []).append(f"`{rule}`")
        lines += [f"| {', '.join(names)} | {verdict} | {way} |" for way, names in by_way.items()]
    return "\n".join(lines)


def expected(text: str) -> str:
    for name, table in (("idioms", idioms()), ("rules", rules())):
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        filled = f"{begin}\n{table}\n{end}"
        text = re.sub(f"{begin}.*{end}", lambda _found, new=filled: new, text, flags=re.DOTALL)
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="change nothing, exit 1 on a difference"
    )
    checks = parser.parse_args().check
    stale = [page for page in PAGES if (text := page.read_text("utf-8")) != expected(text)]
    for page in stale:
        if checks:
            print(f"{page.relative_to(ROOT)} is out of date: run scripts/guard_table.py")
        else:
            page.write_text(expected(page.read_text("utf-8")), encoding="utf-8")
    return int(checks and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
