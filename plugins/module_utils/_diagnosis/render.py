# SPDX-License-Identifier: GPL-3.0-or-later
"""A diagnosis as text and as JSON."""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict

from .._formats import counted
from .evidence import Diagnosis
from .rules import Cause

SHOWN = 5
"""Causes that the terminal shows."""


def files_of(diagnosis: Diagnosis) -> dict[str, str]:
    """All files of the folder, content by name."""
    raw = {name: lines for part in diagnosis.parts for name, lines in part.files.items()}
    return {
        **{name: "".join(f"{line}\n" for line in lines) for name, lines in raw.items()},
        "summary.txt": "\n".join(summary(diagnosis)) + "\n",
        "diagnosis.json": as_json(diagnosis),
    }


def as_json(diagnosis: Diagnosis) -> str:
    document = asdict(diagnosis)
    document["causes"] = [cause_to_json(cause) for cause in diagnosis.causes]
    for part in document["parts"]:
        part["files"] = sorted(part["files"])
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False, default=str) + "\n"


def cause_to_json(cause: Cause) -> dict[str, t.Any]:
    shown = {name: getattr(cause, name) for name in ("entry", "certainty", "sentence", "hint")}
    return {**shown, "evidence": [str(place) for place in cause.evidence]}


def summary(diagnosis: Diagnosis, most: int | None = None) -> list[str]:
    """The surest causes with their evidence, all unless `most`; then what could not be seen and what was cut."""
    lines = [f"Diagnosis of release {diagnosis.release}, {diagnosis.at}"]
    for number, cause in enumerate(diagnosis.causes[:most], 1):
        lines += [
            f"{number}. {cause.heading}, {cause.certainty}: {cause.sentence}",
            f"   {cause.hint}",
            f"   Evidence: {', '.join(map(str, cause.evidence))}",
        ]
    if most is not None and len(diagnosis.causes) > most:
        more = counted(len(diagnosis.causes) - most, "less certain cause")
        lines.append(f"And {more}, in summary.txt.")
    if not diagnosis.causes:
        observed = dict.fromkeys(part.title for part in diagnosis.parts if not part.unseen)
        looked = ", ".join(observed)
        lines.append(f"No cause was found. Checked without trouble: {looked or 'nothing'}.")
    unseen: dict[str, list[str]] = {}
    for part in diagnosis.parts:
        for entry in part.unseen:
            unseen.setdefault(entry, []).append(part.title)
    lines += [
        f"No data: {', '.join(dict.fromkeys(titles))}. {entry}" for entry, titles in unseen.items()
    ]
    lines += [f"Empty, so not used: {secret}" for secret in diagnosis.missing_secrets]
    lines += [f"Left out: {entry}" for part in diagnosis.parts for entry in part.cut]
    return lines
