# SPDX-License-Identifier: GPL-3.0-or-later
"""What the staging environment would have left of its tests, for rehearsals: nobody ran them.

`unit.xml` and `synthetic.xml` are JUnit reports, `load-test.json` is a summary. Each names the version and the
commit that it is about, and that it was made for a rehearsal.
"""

from __future__ import annotations

import json
import typing as t
from xml.sax.saxutils import quoteattr

from sandbox.names import SERVICES

if t.TYPE_CHECKING:
    from pathlib import Path

UNIT_TESTS = 84
STARTED = "2025-11-10T08:00:00+00:00"
NOTE = "Made for a rehearsal by the sandbox; nobody ran these tests."
# What a customer can do, each tried at three times of a day.
JOURNEYS = (
    "greets and gets the menu",
    "asks an agent for vegetables",
    "orders and pays from the wallet",
    "finds a station that has fuel",
    "calls a driver",
    "asks for support",
    "leaves the agent for the menu",
)
LOAD_TEST = {
    "users": 100,
    "duration_seconds": 900,
    "requests": 184_320,
    "errors": 737,
    "error_rate": 0.004,
    "p50_seconds": 0.12,
    "p95_seconds": 0.41,
    "p99_seconds": 0.78,
}


def write(folder: Path, version: str, commit: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    units = [
        (f"{SERVICES[n % len(SERVICES)]}.unit", f"case {n // len(SERVICES) + 1}")
        for n in range(UNIT_TESTS)
    ]
    times = ("morning", "noon", "evening")
    synthetic = [("synthetic", f"{journey}, {time}") for journey in JOURNEYS for time in times]
    told = {"version": version, "commit": commit, "environment": "staging"}
    (folder / "unit.xml").write_text(_junit("unit", units, told), encoding="utf-8")
    (folder / "synthetic.xml").write_text(_junit("synthetic", synthetic, told), encoding="utf-8")
    summary = {**told, "started": STARTED, "note": NOTE, **LOAD_TEST}
    text = json.dumps(summary, indent=1) + "\n"
    (folder / "load-test.json").write_text(text, encoding="utf-8")


def _junit(name: str, cases: t.Sequence[tuple[str, str]], told: t.Mapping[str, str]) -> str:
    counts = f'tests="{len(cases)}" failures="0" errors="0" skipped="0"'
    properties = {**told, "note": NOTE}
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f"<testsuites {counts}>",
            f'<testsuite name="{name}" {counts} time="{len(cases) * 0.05:.2f}" timestamp="{STARTED}">',
            "<properties>",
            *(
                f"<property name={quoteattr(k)} value={quoteattr(v)}/>"
                for k, v in properties.items()
            ),
            "</properties>",
            *(
                f'<testcase classname={quoteattr(where)} name={quoteattr(what)} time="0.05"/>'
                for where, what in cases
            ),
            "</testsuite>",
            "</testsuites>",
            "",
        ]
    )
