# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""How a report looks, as a page and as text. A module can carry no other files, so the templates are here."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --bg: #f6f7f9; --card: #fff; --line: #dfe3e8; --text: #1b2430;
  --faint: #5d6b7a;
  --good: #14764a; --warn: #94590a; --bad: #b3261e; --calm: #5d6b7a; --plan: #c9d2dc; --bar:
  #2f6fb3; }
@media (prefers-color-scheme: dark) { :root { --bg: #14181d; --card: #1c2229; --line: #303943;
  --text: #e4e9ee; --faint: #9aa8b5;
  --good: #5ac894; --warn: #e6b05f; --bad: #ff8a80; --calm: #9aa8b5; --plan: #3d4853; --bar:
  #6aa9e9; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--text); font: 15px/1.5 system-ui, "Segoe UI",
  "Noto Sans", sans-serif, "Noto Color Emoji"; }
main { max-width: 1080px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 26px; margin: 0; }
h2 { font-size: 18px; margin: 0 0 10px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 18px
  20px; margin: 16px 0; }
.verdict { border-left: 8px solid currentColor; }
.verdict p { color: var(--text); margin: 4px 0 0; }
.verdict .word { font-size: 22px; font-weight: 700; }
.good { color: var(--good); }
.warn { color: var(--warn); }
.bad { color: var(--bad); }
.calm { color: var(--calm); }
.faint { color: var(--faint); font-size: 13px; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 12px 20px;
  margin: 0; }
dt { color: var(--faint); font-size: 13px; }
dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { text-align: left; color: var(--faint); font-weight: 600; font-size: 13px; }
th, td { padding: 6px 14px 6px 0; border-top: 1px solid var(--line); vertical-align: top;
  overflow-wrap: break-word; }
thead th { border-top: 0; }
code { font: 12.5px/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; overflow-wrap:
  anywhere; }
.phase { display: grid; grid-template-columns: 150px 90px 1fr 170px; gap: 4px 14px; align-items:
  center; padding: 7px 0; border-top: 1px solid var(--line); }
.phase:first-of-type { border-top: 0; }
.phase b { font-weight: 600; }
.status { font-weight: 600; }
.bars { display: grid; gap: 3px; }
.bars i { display: block; height: 7px; border-radius: 4px; min-width: 2px; }
.bars .plan { background: var(--plan); }
.bars .real { background: var(--bar); }
.bars .over { background: var(--warn); }
.phase ul { grid-column: 1 / -1; margin: 0; padding-left: 20px; color: var(--faint); font-size:
  13px; overflow-wrap: anywhere; }
ul, ol { margin: 0; padding-left: 22px; }
li { margin: 3px 0; overflow-wrap: anywhere; }
@media (max-width: 720px) { .phase { grid-template-columns: 1fr auto; }
.bars, .phase .faint { grid-column: 1 / -1; } }
@media print { body { background: #fff; color: #000; font-size: 12px; }
main { max-width: none; padding: 0; }
section { break-inside: avoid; border-color: #bbb; }
* { print-color-adjust: exact; } }
"""

HTML = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{ report.title }}: {{ report.verdict.word }}</title>
<style>{{ style }}</style>
</head>
<body><main>
<h1>{{ report.title }}</h1>
<section class="verdict {{ report.verdict.tone }}">
<div class="word">{{ report.verdict.word }}</div><p>{{ report.verdict.sentence }}</p></section>
{% if report.problems %}
<section><h2 class="bad">The record is damaged</h2>{{ listed(report.problems) }}</section>
{% endif %}
{% if report.missing %}
<section><h2 class="warn">Missing</h2>{{ listed(report.missing) }}</section>
{% endif %}
{% if report.summary %}
<section><dl>
{% for name, cell in report.summary %}
<div><dt>{{ name }}</dt><dd>{{ show(cell) }}</dd></div>
{% endfor %}
</dl></section>
{% endif %}
<section><h2>Phases, planned and actual</h2>
{% for phase in report.phases %}
<div class="phase"><b>{{ phase.name | replace("_", " ") }}</b>
<span class="status {{ phase.tone }}">{{ phase.status }}</span>
<span class="bars">
{% if phase.planned %}
<i class="plan" style="width: {{ width(phase.planned) }}%"></i>
{% endif %}
{% if phase.actual is not none %}
{% set late = phase.planned and phase.actual > phase.planned %}
<i class="{{ "over" if late else "real" }}" style="width: {{ width(phase.actual) }}%"></i>
{% endif %}
</span>
<span class="faint">{{ took(phase) }}</span>
{% if phase.started %}
<ul><li>{{ phase.started }}{% if phase.finished %} to {{ phase.finished }}{% endif %}</li>
{% for line in phase.evidence %}
<li>{{ line }}</li>
{% endfor %}
</ul>
{% endif %}
</div>
{% else %}<p class="faint">No phase is planned or recorded.</p>{% endfor %}
</section>
{% for table in report.tables %}
<section><h2>{{ table.title }}</h2>
{% if table.rows %}
<div class="wide"><table>
<thead><tr>{% for column in table.columns %}<th>{{ column }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in table.rows %}
<tr>{% for cell in row %}<td>{{ show(cell) }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% else %}
<p class="faint">{{ table.empty }}</p>
{% endif %}
</section>
{% endfor %}
{% if report.notes %}
<section><h2>Notes</h2>{{ listed(report.notes) }}</section>
{% endif %}
<section><h2>The way back</h2>
<ol>{% for step in report.way_back %}<li>{{ step }}</li>{% endfor %}</ol></section>
</main></body>
</html>
"""

MACROS = """{% macro show(cell) %}
{% if cell.code %}<code>{{ cell.text }}</code>
{% elif cell.tone %}<span class="{{ cell.tone }}">{{ cell.text }}</span>
{% else %}{{ cell.text }}
{% endif %}
{% endmacro %}
{% macro listed(lines) %}
<ul>{% for line in lines %}<li>{{ line }}</li>{% endfor %}</ul>
{% endmacro %}
"""

TEXT = """{{ report.title }}: {{ report.verdict.word | upper }}
{{ report.verdict.sentence }}

{% for name, cell in report.summary %}
{{ "%-12s" | format(name) }} {{ cell.text }}
{% endfor %}
{% for title, lines in (("The record is damaged", report.problems), ("Missing", report.missing)) if lines %}

{{ title }}
{% for line in lines %}
- {{ line }}
{% endfor %}
{% endfor %}

Phases, planned and actual
{% for phase in report.phases %}
{{ "%-18s %-10s" | format(phase.name, phase.status) }} {{ took(phase) }}
{% for line in phase.evidence %}
    {{ line }}
{% endfor %}
{% endfor %}
{% for table in report.tables %}

{{ table.title }}
{% for row in table.rows %}
- {% for cell in row if cell.text %}{{ cell.text }}{{ "" if loop.last else " | " }}{% endfor %}

{% else %}
{{ table.empty }}
{% endfor %}
{% endfor %}
{% if report.notes %}

Notes
{% for line in report.notes %}
- {{ line }}
{% endfor %}
{% endif %}

The way back
{% for step in report.way_back %}
{{ loop.index }}. {{ step }}
{% endfor %}
"""
