# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""A diagnosis as a self-contained page, as text, and as JSON. What others wrote is never taken for HTML."""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict

from .._templates import template, trusted
from .._words import counted
from .models import TITLES, Cause, Diagnosis
from .page import HTML, MACROS, STYLE

SHOWN = 5
"""Causes that the terminal shows."""
EXCERPT = 40
"""Lines of a file that the page shows, its last ones; the file itself lies beside it."""


def files_of(diagnosis: Diagnosis) -> dict[str, str]:
    """All files of the folder, content by name."""
    raw = {name: text for part in diagnosis.parts for name, text in part.files.items()}
    return {
        **raw,
        "index.html": as_html(diagnosis),
        "summary.txt": "\n".join(summary(diagnosis)) + "\n",
        "diagnosis.json": as_json(diagnosis),
    }


def as_html(diagnosis: Diagnosis) -> str:
    return template(MACROS + HTML).render(
        one=diagnosis,
        titles=TITLES,
        excerpt=_excerpt,
        style=trusted(STYLE),
    )


def as_json(diagnosis: Diagnosis) -> str:
    document = asdict(diagnosis)
    document["causes"] = [cause_to_json(cause) for cause in diagnosis.causes]
    for part in document["parts"]:
        part["files"] = sorted(part["files"])
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False, default=str) + "\n"


def cause_to_json(cause: Cause) -> dict[str, t.Any]:
    return {
        "entry": cause.entry,
        "certainty": cause.certainty,
        "sentence": cause.sentence,
        "hint": cause.hint,
        "evidence": [str(place) for place in cause.evidence],
    }


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
        lines.append(f"And {more}, in summary.txt beside the page.")
    if not diagnosis.causes:
        seen = dict.fromkeys(part.title for part in diagnosis.parts if not part.unseen)
        looked = ", ".join(seen)
        lines.append(f"No cause was found. Checked without trouble: {looked or 'nothing'}.")
    unseen: dict[str, list[str]] = {}
    for part in diagnosis.parts:
        for one in part.unseen:
            unseen.setdefault(one, []).append(part.title)
    lines += [
        f"Not seen: {', '.join(dict.fromkeys(titles))}. {one}" for one, titles in unseen.items()
    ]
    lines += [f"Empty, so not used: {one}" for one in diagnosis.missing_secrets]
    lines += [f"Left out: {one}" for part in diagnosis.parts for one in part.cut]
    return lines


def _excerpt(content: str) -> str:
    lines = content.splitlines()
    left = len(lines) - EXCERPT
    head = [f"… {left} lines before these are in the file"] if left > 0 else []
    return "\n".join([*head, *lines[-EXCERPT:]])
