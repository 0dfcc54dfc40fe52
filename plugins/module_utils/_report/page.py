# SPDX-License-Identifier: GPL-3.0-or-later
"""The page's style, the few lines of a live page that its reader's browser runs, and the page itself, as templates.

The style is light and dark, narrow and wide, and on paper; no colour says anything alone. The script tells of news that
stays out, and keeps open folds open. The page allows it by its hash, and no other.
"""

from __future__ import annotations

import base64
import hashlib

STYLE = """
:root { color-scheme: light dark; --bg: #f4f6f8; --card: #fff; --line: #dde2e8; --text: #1b2430;
  --faint: #566372; --good: #13714a; --warn: #8a5200; --bad: #b3261e; --calm: #566372;
  --bar: #2f6fb3; }
@media screen and (prefers-color-scheme: dark) { :root { --bg: #12161b; --card: #1b2128; --line: #323c47;
  --text: #e4e9ee; --faint: #a1aebb; --good: #5ac894; --warn: #e9b565; --bad: #ff8f86;
  --calm: #a1aebb; --bar: #6aa9e9; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; overflow-wrap: anywhere; background: var(--bg); color: var(--text); font: 15px/1.5
  system-ui, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif, "Noto Color Emoji"; }
main { max-width: 1120px; margin: 0 auto; padding: 24px 20px 60px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0; }
h2 { font-size: 18px; line-height: 1.3; margin: 0 0 6px; }
h3 { font-size: 14.5px; line-height: 1.3; margin: 0; }
p { margin: 0 0 8px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px
  20px; margin: 14px 0; }
a { color: inherit; }
.good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); }
.calm { color: var(--calm); }
.faint { color: var(--faint); font-size: 13px; }
.verdict { border-left: 8px solid currentColor; }
.verdict h1 { color: var(--text); }
.verdict .word { font-size: 22px; font-weight: 700; margin: 2px 0; }
.verdict p { color: var(--text); margin: 0; }
nav { font-size: 13px; margin: 0 4px; color: var(--faint); }
nav a { display: inline-block; min-height: 26px; padding: 3px 0; margin: 0 12px 0 0; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(176px, 1fr)); gap: 10px 20px;
  margin: 0; }
dt { color: var(--faint); font-size: 13px; }
dd { margin: 0; }
.rule { margin-top: 14px; padding-top: 14px; border-top: 1px solid var(--line); }
section h3 { margin: 16px 0 2px; }
ul.plain { padding-left: 18px; }
.events { width: auto; } .events th { min-width: 0; white-space: nowrap; color: var(--faint); }
.live { border: 2px solid var(--bar); }
.live p { font-size: 16px; } .live p.faint { font-size: 13px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { padding: 6px 14px 6px 0; border-top: 1px solid var(--line); vertical-align: top; text-align:
  left; font-weight: 400; }
tbody th { min-width: 11em; font-weight: 600; }
th.short, td.short { white-space: nowrap; }
thead th { white-space: nowrap; border-top: 0; color: var(--faint); font-weight: 600; font-size: 13px; }
td:empty { color: transparent; }
code { font: 12.5px/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
ul, ol { margin: 0; padding-left: 22px; }
li { margin: 3px 0; }
details { margin-top: 8px; }
svg { display: block; width: 160px; height: 36px; }
svg polyline { fill: none; stroke: var(--bar); stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }
svg circle { fill: var(--bad); }
svg .passing { stroke: var(--good); stroke-dasharray: 5 3; }
svg .breaching { stroke: var(--bad); }
summary { cursor: pointer; min-height: 26px; padding: 3px 0; color: var(--faint); font-size: 13px; }
@media screen and (max-width: 720px) {
  main { padding: 12px 10px 40px; }
  section { padding: 14px; }
  .stack thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .stack, .stack tbody { display: block; }
  .stack tr { display: block; border-top: 1px solid var(--line); padding: 6px 0; }
  .stack th, .stack td { display: block; border: 0; padding: 1px 0; }
  .stack .short { white-space: normal; }
  .stack td:empty { display: none; }
  .stack td::before { content: attr(data-label) ": "; color: var(--faint); font-size: 13px; }
  .stack td[data-label=""]::before { content: none; }
}
@media print {
  :root { color-scheme: light; --bg: #fff; --line: #c4cbd3; --text: #000; --faint: #444f5a; --calm: #444f5a; }
  body { font-size: 12px; }
  main { max-width: none; padding: 0; }
  section { border: 0; border-top: 1px solid var(--line); border-radius: 0; padding: 10px 0; margin: 0; }
  .verdict { border-left: 8px solid currentColor; padding-left: 12px; }
  h2, h3, summary, .lead { break-after: avoid; }
  tr, li { break-inside: avoid; }
  thead { display: table-header-group; }
  table { font-size: 11px; } code { font-size: 10px; }
  .faint, summary, dt, thead th { font-size: 11px; }
  .events { break-inside: avoid; }
  nav { display: none; }
  details::details-content { content-visibility: visible; display: block; block-size: auto; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""

QUIET_MS = 120_000
"""So long without another page, and its run has died or lost the place it writes to."""
SCRIPT = f"""
const live = document.querySelector(".live"), key = "open " + location.pathname;
const folds = () => [...document.querySelectorAll("details[id]")];
const look = () => {{
  document.querySelector(".stale").hidden = Date.now() - 1000 * live.dataset.written < {QUIET_MS};
}};
try {{
  const open = JSON.parse(sessionStorage.getItem(key) || "[]");
  folds().forEach(fold => {{ fold.open = fold.open || open.includes(fold.id); }});
  addEventListener("pagehide", () => sessionStorage.setItem(key,
    JSON.stringify(folds().filter(fold => fold.open).map(fold => fold.id))));
}} catch (refused) {{ /* a reader without storage opens them again */ }}
look();
setInterval(look, 1000);
"""
SCRIPT_HASH = "sha256-" + base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()

PAGE = """{% macro mark(tone) -%}
{%- if tone in marks %}<span aria-hidden="true">{{ marks[tone] }} </span>{% endif -%}
{%- endmacro %}
{% macro drawn(plot) -%}
<svg viewBox="0 0 {{ area.WIDTH }} {{ area.HEIGHT }}" aria-hidden="true">
{% for kind, y in plot.lines %}<line class="{{ kind }}" x2="100%" y1="{{ y }}" y2="{{ y }}"/>{% endfor %}
{% for stroke in plot.strokes %}<polyline points="{{ stroke }}"/>{% endfor %}
{% for x, y in plot.breaches %}<circle cx="{{ x }}" cy="{{ y }}" r="2"/>{% endfor %}
</svg>
{%- endmacro %}
{% macro show(cell) -%}
{%- if cell.code %}<code>{{ cell.text }}</code>
{%- elif cell.tone %}<span class="{{ cell.tone }}">{{ mark(cell.tone) }}{{ cell.text }}</span>
{%- else %}{{ cell.text }}{% endif -%}
{%- if cell.plot %}{{ drawn(cell.plot) }}{% endif -%}
{%- endmacro %}
{% macro listed(lines) %}
<ul>{% for line in lines %}<li>{{ line }}</li>{% endfor %}</ul>
{% endmacro %}
{% macro tabled(table, rows) %}
{% set columns, places = table.columns, table.filled() %}
<table class="stack" role="table">
<thead role="rowgroup"><tr role="row">
{%- for place in places %}<th scope="col" role="columnheader">{{ columns[place] }}</th>{% endfor -%}
</tr></thead>
<tbody role="rowgroup">
{% for row in rows %}
<tr role="row">{% for place in places %}{% set cell = row[place] %}
{% if loop.first %}<th scope="row" role="rowheader">{{ show(cell) }}</th>
{% elif cell.text %}
<td role="cell"{% if cell.text | length <= 16 %} class="short"{% endif %}
 data-label="{{ columns[place] }}">{{ show(cell) }}</td>
{% else %}<td role="cell"></td>{% endif %}{% endfor %}</tr>
{% endfor %}
</tbody></table>
{% endmacro %}
{% macro block(table) %}
{% if table.lead %}<p class="lead">{{ table.lead }}</p>{% endif %}
{% if not table.fold %}{{ tabled(table, table.rows) }}
{% elif table.rows %}
{% if table.standing_out() %}{{ tabled(table, table.standing_out()) }}{% endif %}
{% if table.standing_out() | length < table.rows | length %}
<details id="{{ table.title | anchor }}-all"><summary>All {{ table.rows | length }}: {{ table.title }}</summary>
{{ tabled(table, table.rows) }}</details>
{% endif %}{% endif %}
{% endmacro %}
{% macro described(rows) %}
<dl>{% for name, cell in rows %}
<div><dt>{{ name }}</dt><dd>{{ show(cell) }}</dd></div>
{% endfor %}</dl>
{% endmacro %}
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'
{%- if report.live %}; script-src '{{ script_hash }}'{% endif %}">
{% if report.live %}<meta http-equiv="refresh" content="10">{% endif %}
<title>{{ report.title }}: {{ report.verdict.word }}</title>
<style>{{ style }}</style>
</head>
<body><main>
{% if report.live %}
{% set clock = "{:%H:%M:%S %Z}".format(report.live.written.astimezone(report.zone)) %}
<section class="live" aria-live="polite" data-written="{{ report.live.written.timestamp() | int }}">
<h2 id="live">Now</h2>
{% for line in report.live.doing %}<p>{{ line }}</p>{% endfor %}
<p class="faint">Written {{ clock }}, again while the release runs. If that is more than two minutes ago, the run
has died or lost the place it writes to.</p>
<p class="stale bad" hidden><b>No news since {{ clock }}:</b> the run has died, or lost the place it writes to.
Run <code>playbooks/status.yml</code>.</p>
</section>
{% endif %}
<section class="verdict {{ report.verdict.tone }}">
<h1>{{ report.title }}</h1>
<div class="word">{{ mark(report.verdict.tone) }}{{ report.verdict.word }}</div>
<p>{{ report.verdict.sentence }}</p></section>
{% set body %}
{% if report.problems %}
<section><h2 class="bad">Problems of the record</h2>{{ listed(report.problems) }}</section>
{% endif %}
{% if report.claims or report.summary %}
<section><h2 id="now">{{ "State now" if not report.live else "So far" }}</h2>
{{ described(report.claims) }}
<div class="rule">{{ described(report.summary) }}</div></section>
{% endif %}
<section><h2 id="deviations">Deviations from {{ report.procedure }}</h2>
{% if report.deviations %}
<ul class="plain">{% for deviation in report.deviations %}
<li>{{ deviation.what }}{% if deviation.reason %} <span class="faint">{{ deviation.reason }}</span>{% endif %}</li>
{% endfor %}</ul>
{% else %}<p>None recorded.</p>{% endif %}
{% if report.missing and not report.live %}
<h3 class="warn" id="missing">Missing</h3>{{ listed(report.missing) }}
{% endif %}
</section>
<section><h2 id="timeline">Timeline</h2>
{% if report.phases %}
<p class="lead faint">Times in {{ report.zone }}</p>
{{ tabled(phase_table, phase_table.rows) }}
{% else %}<p class="faint">No phase is planned or recorded.</p>{% endif %}
{% if report.events %}
<h3>Events</h3>
<table class="events"><tbody>
{% for event in report.events %}
<tr><th scope="row">{{ moment(event.at) }}</th>
<td>{% if event.tone %}<b class="{{ event.tone }}">{{ mark(event.tone) }}</b>{% endif %}{{ event.text }}</td></tr>
{% endfor %}
</tbody></table>
{% endif %}
</section>
{% for part in ("services", "metrics", "tests") %}
{% for table in report.tables if table.part == part and table.rows %}
<section><h2 id="{{ part }}">{{ table.title }}</h2>{{ block(table) }}</section>
{% endfor %}{% endfor %}
{% for part, title in (("checklist", "Checks before the release"), ("evidence", "Evidence")) %}
{% set tables = report.tables | selectattr("part", "equalto", part) | list %}
{% if tables %}
<section><h2 id="{{ part }}">{{ title }}</h2>
{% for table in tables if table.rows or table.lead %}
<h3 id="{{ table.title | anchor }}">{{ table.title }}</h3>{{ block(table) }}
{% endfor %}
</section>
{% endif %}{% endfor %}
{% if report.notes %}
<section><h2 id="notes">Notes</h2>{{ listed(report.notes) }}</section>
{% endif %}
<p class="faint">What comes next, and the rollback: <code>playbooks/status.yml</code>. For the review:
<code>lessons.md</code> beside this page, once the run has ended.</p>
{% endset %}
<nav aria-label="Parts of the report">
{% for key, title in body | headings %}<a href="#{{ key }}">{{ title }}</a>{% endfor %}
</nav>
{{ body }}
</main>
{% if report.live %}<script>{{ script }}</script>{% endif %}
</body>
</html>
"""
