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
  --plan: #c3cdd8; --bar: #2f6fb3; --late: #b06a00; --gap: #8c98a538; }
@media screen and (prefers-color-scheme: dark) { :root { --bg: #12161b; --card: #1b2128; --line: #323c47;
  --text: #e4e9ee; --faint: #a1aebb; --good: #5ac894; --warn: #e9b565; --bad: #ff8f86;
  --calm: #a1aebb; --plan: #465362; --bar: #6aa9e9; --late: #e9b565; --gap: #8c98a540; } }
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
section h3 { margin: 16px 0 2px; } figure h3 { margin: 0; }
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
summary { cursor: pointer; min-height: 26px; padding: 3px 0; color: var(--faint); font-size: 13px; }
.lane { display: grid; grid-template-columns: 236px 1fr; gap: 0 16px; padding: 6px 0; border-top: 1px
  solid var(--line); }
.lane .name b { font-weight: 600; margin-right: 6px; }
.lane .faint { display: block; line-height: 1.35; }
.track { position: relative; min-height: 34px; }
.track i { position: absolute; display: block; border-radius: 3px; }
.tick { top: -7px; bottom: -7px; width: 1px; border-radius: 0; background: var(--line); }
.cut { top: -7px; bottom: -7px; border-radius: 0; background: repeating-linear-gradient(45deg,
  var(--gap) 0 3px, transparent 3px 7px); }
.plan { top: 3px; height: 8px; background: var(--plan); }
.done, .waived, .late, .running, .failed, .on-hold, .rolled-back, .partly-rolled-back, .unknown { top:
  14px; height: 14px; background: var(--bar); min-width: 3px; }
.late { background: var(--late); }
.waived { background: var(--calm); }
.running { background: repeating-linear-gradient(90deg, var(--bar) 0 6px, transparent 6px 9px);
  border: 1px solid var(--bar); }
.failed { background: repeating-linear-gradient(135deg, var(--bad) 0 4px, transparent 4px 6px); border:
  1px solid var(--bad); }
.on-hold { background: repeating-linear-gradient(135deg, var(--late) 0 4px, transparent 4px 8px); border:
  1px solid var(--late); }
.rolled-back, .partly-rolled-back { background: repeating-linear-gradient(45deg, var(--bar) 0 3px,
  transparent 3px 6px); border: 1px solid var(--bar); }
.act { top: 4px; height: 26px; min-width: 3px; margin-left: -2px; background: var(--text); }
.act.bad { background: var(--bad); } .act.warn { background: var(--late); }
.axis { min-height: 20px; font-size: 12px; color: var(--faint); }
.axis span { position: absolute; white-space: nowrap; }
.key { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; color: var(--faint); margin:
  8px 0 0; padding: 0; list-style: none; }
.key i { position: static; display: inline-block; width: 22px; height: 10px; margin-right: 6px;
  border-radius: 3px; vertical-align: -1px; }
.key i.plan { height: 8px; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(290px, 100%), 1fr)); gap: 14px 22px;
  margin-top: 8px; }
figure { margin: 0; break-inside: avoid; min-width: 0; }
figcaption { font-size: 13px; color: var(--faint); }
figure h3 span { font-weight: 400; margin-left: 6px; }
svg { display: block; width: 100%; height: auto; margin: 4px 0; overflow: visible; }
svg text { font-size: 10.5px; fill: var(--faint); paint-order: stroke; stroke: var(--card); stroke-width: 3px; }
svg .frame { fill: none; stroke: var(--line); }
svg .stroke { fill: none; stroke: var(--bar); stroke-width: 1.8; stroke-linejoin: round; }
svg .dot { fill: var(--bar); }
svg .between { fill: var(--late); }
svg .cross { stroke: var(--bad); stroke-width: 2; }
svg .passing { stroke: var(--good); stroke-dasharray: 5 3; }
svg .breaching { stroke: var(--bad); }
svg text.passing { fill: var(--good); stroke: var(--card); }
svg text.breaching { fill: var(--bad); stroke: var(--card); }
svg rect.gap { fill: var(--gap); }
@media screen and (max-width: 720px) {
  main { padding: 12px 10px 40px; }
  section { padding: 14px; }
  .lane { grid-template-columns: 1fr; }
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
  tr, .lane, figure, li { break-inside: avoid; }
  thead { display: table-header-group; }
  table { font-size: 11px; } code { font-size: 10px; }
  .faint, .key, summary, dt, figcaption, thead th { font-size: 11px; }
  .whole, .events { break-inside: avoid; }
  .lane { grid-template-columns: 200px 1fr; }
  nav { display: none; }
  details::details-content { content-visibility: visible; display: block; block-size: auto; }
  .plots { grid-template-columns: repeat(3, 1fr); }
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
{% macro show(cell) -%}
{%- if cell.code %}<code>{{ cell.text }}</code>
{%- elif cell.tone %}<span class="{{ cell.tone }}">{{ mark(cell.tone) }}{{ cell.text }}</span>
{%- else %}{{ cell.text }}{% endif -%}
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
{% macro drawn(plot, key, words) %}
<svg viewBox="0 0 {{ area.WIDTH }} {{ area.HEIGHT }}" role="img" aria-labelledby="{{ key }}-t {{ key }}-d">
<title id="{{ key }}-t">{{ plot.title }}</title><desc id="{{ key }}-d">{{ words }}</desc>
{% for x, width in plot.gaps %}
<rect class="gap" x="{{ x }}" y="{{ area.TOP }}" width="{{ width }}" height="{{ area.BOTTOM - area.TOP }}"/>
{% if width > 44 %}
<text x="{{ x + width / 2 }}" y="{{ (area.TOP + area.BOTTOM) // 2 }}" text-anchor="middle">no data</text>
{% endif %}
{% endfor %}
<rect class="frame" x="{{ area.LEFT }}" y="{{ area.TOP }}" width="{{ area.RIGHT - area.LEFT }}"
 height="{{ area.BOTTOM - area.TOP }}"/>
{% for kind, y, _label in plot.lines %}
<line class="{{ kind }}" x1="{{ area.LEFT }}" x2="{{ area.RIGHT }}" y1="{{ y }}" y2="{{ y }}"/>
{% endfor %}
{% for stroke in plot.strokes %}
<polyline class="stroke" points="{{ stroke }}"/>
{% endfor %}
{% for kind, x, y in plot.dots %}
{% if kind == "breach" %}<path class="cross" d="M{{ x - 3.5 }} {{ y - 3.5 }}l7 7m0 -7l-7 7"/>
{% else %}<circle class="{{ kind }}" cx="{{ x }}" cy="{{ y }}" r="2.5"/>{% endif %}
{% endfor %}
{% for kind, y, label in plot.lines %}
{% set above = y + (12 if y < area.TOP + 14 else -3) %}
<text class="{{ kind }}" x="{{ area.RIGHT - 4 }}" y="{{ above }}" text-anchor="end">{{ label }}</text>
{% endfor %}
<text x="{{ area.LEFT + 3 }}" y="{{ area.TOP + 11 }}">{{ plot.top }}</text>
<text x="{{ area.LEFT + 3 }}" y="{{ area.BOTTOM - 4 }}">{{ plot.bottom }}</text>
<text x="{{ area.LEFT }}" y="{{ area.BOTTOM + 13 }}">0</text>
<text x="{{ area.RIGHT }}" y="{{ area.BOTTOM + 13 }}" text-anchor="end">{{ plot.end }}</text>
</svg>
{% endmacro %}
{% macro figures(watch, key) %}
<div class="plots">
{% for metric in watch.metrics %}
{% set words = metric.words | join(" ") %}
<figure><h3>{{ metric.name }}<span>{{ show(metric.verdict) }}</span></h3>
{% if metric.plot %}{{ drawn(metric.plot, key ~ "-" ~ loop.index, words) }}{% endif %}
<figcaption>{{ words }}</figcaption></figure>
{% endfor %}
</div>
{% endmacro %}
{% macro timeline(line, live) %}
<h2 id="timeline">Timeline</h2>
{% if line.note %}<p class="lead">{{ line.note }}</p>{% endif %}
<div class="lane"><span class="name faint">Times in {{ line.zone }}</span>
<div class="track axis" aria-hidden="true">
{%- for left, label in line.ticks if label %}<span style="left: {{ left }}%">{{ label }}</span>{% endfor -%}
</div></div>
{% for lane in line.lanes %}
<div class="lane"><div class="name"><b>{{ lane.title }}</b>
{{ show(lane.state) }}
<span class="faint">{{ lane.took }}</span></div>
<div class="track" role="img" aria-label="{{ lane.title }}: {{ lane.words }}">
{%- for left, _label in line.ticks %}<i class="tick" style="left: {{ left }}%"></i>{% endfor -%}
{%- for bar in line.cuts + lane.bars -%}
<i class="{{ bar.kind }}" title="{{ bar.words }}" style="left: {{ bar.left }}%; width: {{ bar.width }}%"></i>
{%- endfor -%}
</div></div>
{% endfor %}
<ul class="key" aria-label="What the bars mean">
<li><i class="plan"></i>planned</li><li><i class="done"></i>done</li>
<li><i class="late"></i>done, more than 25 % late</li><li><i class="failed"></i>failed try</li>
<li><i class="on-hold"></i>on hold</li><li><i class="rolled-back"></i>until it was rolled back</li>
<li><i class="running"></i>{{ "running" if live else "no end recorded" }}</li>
{% if line.cuts %}<li><i class="cut"></i>{{ line.cuts | map(attribute="words") | join(", ") }}</li>{% endif %}</ul>
{% endmacro %}
{% macro open(part) %}
{% for table in report.tables if table.part == part and table.rows %}
<section><h2 id="{{ part }}">{{ table.title }}</h2>{{ block(table) }}</section>
{% endfor %}
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
{{ described(report.now + report.claims) }}
<div class="rule">{{ described(report.summary) }}</div></section>
{% endif %}
<section><h2 id="deviations">Deviations from the runbook</h2>
{% if report.deviations %}
<ul class="plain">{% for deviation in report.deviations %}
<li>{{ deviation.what }}{% if deviation.reason %} <span class="faint">{{ deviation.reason }}</span>{% endif %}</li>
{% endfor %}</ul>
{% else %}<p>None recorded.</p>{% endif %}
{% if report.missing and not report.live %}
<h3 class="warn" id="missing">Missing</h3>{{ listed(report.missing) }}
{% endif %}
</section>
<section>
{% if report.timeline %}<div class="whole">{{ timeline(report.timeline, report.live) }}</div>
{% else %}<h2 id="timeline">Timeline</h2><p class="faint">No phase has a time.</p>{% endif %}
{% if report.events %}
<h3>Events</h3>
<table class="events"><tbody>
{% for event in report.events %}
{% set at = event.at.astimezone(report.zone) %}
<tr><th scope="row">{{ "{:%d %b %H:%M:%S}".format(at) }}</th>
<td>{% if event.tone %}<b class="{{ event.tone }}">{{ mark(event.tone) }}</b>{% endif %}{{ event.text }}</td></tr>
{% endfor %}
</tbody></table>
{% endif %}
{% if report.phases %}
<details id="phases"><summary>Times and details of each phase</summary>
{{ tabled(phase_table, phase_table.rows) }}
{% for phase in report.phases if details(phase) %}
<h3>{{ phase.title }}</h3>{{ listed(details(phase)) }}
{% endfor %}
</details>
{% else %}<p class="faint">No phase is planned or recorded.</p>{% endif %}
</section>
{{ open("services") }}
{% for watch in report.watches if not watch.fold %}
<section><h2 id="metrics">{{ watch.title }}</h2><p class="lead">{{ watch.lead }}</p>
{{ figures(watch, "m" ~ loop.index) }}</section>
{% endfor %}
{{ open("tests") }}
{% set checklist = report.tables | selectattr("part", "equalto", "checklist") | list %}
{% if checklist %}
<section><h2 id="checklist">Checklist before the release</h2>
{% for table in checklist %}
<h3>{{ table.title }}</h3>{{ block(table) }}
{% endfor %}
</section>
{% endif %}
{% set evidence = report.tables | selectattr("part", "equalto", "evidence") | list %}
{% set folded = report.watches | selectattr("fold") | list %}
{% if evidence or folded %}
<section><h2 id="evidence">Evidence</h2>
{% for table in evidence if table.rows or table.lead %}
<h3 id="{{ table.title | anchor }}">{{ table.title }}</h3>{{ block(table) }}
{% endfor %}
{% for watch in folded %}
<h3>{{ watch.title }}</h3><p class="lead">{{ watch.lead }}</p>
<details id="w{{ loop.index }}"><summary>Plots</summary>{{ figures(watch, "w" ~ loop.index) }}</details>
{% endfor %}
</section>
{% endif %}
{% if report.notes %}
<section><h2 id="notes">Notes</h2>{{ listed(report.notes) }}</section>
{% endif %}
<p class="faint">What comes next, and the rollback: <code>playbooks/status.yml</code>.</p>
{% if not report.live %}
<section><h2 id="lessons">Lessons learned</h2>
<p class="faint">lessons.md beside this page is the same to edit; what you add there is kept.</p>
{% for title, lines in report.lessons if lines %}
<h3>{{ title }}</h3>{{ listed(lines) }}
{% endfor %}
</section>
{% endif %}
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
