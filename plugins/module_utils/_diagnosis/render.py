# SPDX-License-Identifier: GPL-3.0-or-later
"""A diagnosis as a self-contained page, as text, and as JSON. What others wrote is never taken for HTML.

How a diagnosis looks, as a page and as text. A module can carry no other files, so the templates are here.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict

from .._formats import counted
from .._report.page import STYLE
from .._templates import template, trusted
from .evidence import Diagnosis
from .rules import TITLES, Cause

OWN_STYLE = """
.causes > li { margin: 0 0 14px; }
.certainty { font-size: 13px; font-weight: 600; }
pre { font: 12.5px/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; white-space: pre-wrap; }
"""
"""What the report's page has not."""

HTML = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Diagnosis of {{ diagnosis.release }}, {{ diagnosis.at }}</title>
<style>{{ style }}</style>
</head>
<body><main>
<h1>Diagnosis of release {{ diagnosis.release }}</h1>
<p class="faint">{{ diagnosis.at }}, checked:
{% for entry in diagnosis.entries %}{{ titles[entry] }}{{ "" if loop.last else "; " }}{% endfor %}</p>
<section><h2>Likely causes</h2>
{% if diagnosis.causes %}
<ol class="causes">
{% for cause in diagnosis.causes %}
<li><b>{{ cause.sentence }}</b>
<div><span class="certainty {{ "bad" if cause.certainty == "almost certain" else "warn" }}">{{ cause.certainty }}</span>
<span class="faint">{{ cause.heading }}</span></div>
<div>{{ cause.hint }}</div>
<div class="faint">Evidence:
{% for place in cause.evidence %}{{ linked(place) }}{{ "" if loop.last else ", " }}{% endfor %}</div></li>
{% endfor %}
</ol>
{% else %}
<p>No cause was found. What could not be seen is listed below each part.</p>
{% endif %}
{% if diagnosis.missing_secrets %}
<h3 class="warn">Empty secrets; what needs them was skipped</h3>
{{ listed(diagnosis.missing_secrets) }}
{% endif %}
</section>
{% for entry in diagnosis.entries %}
<section><h2>{{ titles[entry] }}</h2>
{% for part in diagnosis.parts if part.entry == entry %}
<h3>{{ part.title[:1] | upper }}{{ part.title[1:] }}</h3>
{% if part.unseen %}<div class="warn">{{ listed(part.unseen) }}</div>{% endif %}
{% if part.facts %}
<ul>
{% for fact in part.facts %}
<li>{{ fact.text }} <span class="faint">{{ linked(fact.place) }}</span></li>
{% endfor %}
</ul>
{% elif not part.unseen %}
<p class="faint">Nothing unusual.</p>
{% endif %}
{% if part.cut %}<div class="faint">{{ listed(part.cut) }}</div>{% endif %}
{% for name, lines in part.files | dictsort %}
<details><summary><code><a href="{{ name | urlencode }}">{{ name }}</a></code></summary>
<pre>{{ excerpt(lines) }}</pre></details>
{% endfor %}
{% endfor %}
</section>
{% endfor %}
</main></body>
</html>
"""

MACROS = """{% macro listed(lines) %}
<ul>{% for line in lines %}<li>{{ line }}</li>{% endfor %}</ul>
{% endmacro %}
{% macro linked(place) -%}
<a href="{{ place.file | urlencode }}">{{ place }}</a>
{%- endmacro %}
"""

SHOWN = 5
"""Causes that the terminal shows."""
EXCERPT = 40
"""Lines of a file that the page shows, its last ones; the file itself lies beside it."""


def files_of(diagnosis: Diagnosis) -> dict[str, str]:
    """All files of the folder, content by name."""
    raw = {name: lines for part in diagnosis.parts for name, lines in part.files.items()}
    return {
        **{name: "".join(f"{line}\n" for line in lines) for name, lines in raw.items()},
        "index.html": as_html(diagnosis),
        "summary.txt": "\n".join(summary(diagnosis)) + "\n",
        "diagnosis.json": as_json(diagnosis),
    }


def as_html(diagnosis: Diagnosis) -> str:
    return template(MACROS + HTML).render(
        diagnosis=diagnosis,
        titles=TITLES,
        excerpt=_excerpt,
        style=trusted(STYLE + OWN_STYLE),
    )


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
        lines.append(f"And {more}, in summary.txt beside the page.")
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


def _excerpt(lines: t.Sequence[str]) -> str:
    left = len(lines) - EXCERPT
    head = [f"… {left} lines before these are in the file"] if left > 0 else []
    return "\n".join([*head, *lines[-EXCERPT:]])
