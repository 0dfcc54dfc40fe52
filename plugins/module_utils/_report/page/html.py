# SPDX-License-Identifier: GPL-3.0-or-later
"""The page, from its verdict to the template of the review."""

from __future__ import annotations

MACROS = """{% macro mark(tone) -%}
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
{% macro tabled(columns, rows, filled=none) %}
{% set places = filled if filled is not none else range(columns | length) | list %}
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
{% macro block(table, fold=false) %}
{% if table.lead %}<p class="lead">{{ table.lead }}</p>{% endif %}
{% if not table.fold and not fold %}{{ tabled(table.columns, table.rows, table.filled()) }}
{% elif table.rows %}
{% if table.standing_out() %}{{ tabled(table.columns, table.standing_out(), table.filled()) }}{% endif %}
{% if table.standing_out() | length < table.rows | length %}
<details id="{{ table.title | anchor }}-all"><summary>All {{ table.rows | length }}: {{ table.title }}</summary>
{{ tabled(table.columns, table.rows, table.filled()) }}</details>
{% endif %}{% endif %}
{% endmacro %}
{% macro described(rows, kind="") %}
<dl class="{{ kind }}">{% for name, cell in rows %}
<div><dt>{{ name }}</dt><dd>{{ show(cell) }}</dd></div>
{% endfor %}</dl>
{% endmacro %}
"""

PLOT = """{% macro drawn(plot, key) %}
<svg viewBox="0 0 {{ area.WIDTH }} {{ area.HEIGHT }}" role="img" aria-labelledby="{{ key }}-t {{ key }}-d">
<title id="{{ key }}-t">{{ plot.title }}</title><desc id="{{ key }}-d">{{ plot.words }}</desc>
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
<figure><h3>{{ metric.name }}<span>{{ show(metric.verdict) }}</span></h3>
{% if metric.plot %}{{ drawn(metric.plot, key ~ "-" ~ loop.index) }}{% endif %}
<figcaption>{{ metric.words | join(" ") }}</figcaption></figure>
{% endfor %}
</div>
{% endmacro %}
"""

TIMELINE = """{% macro drawn_bar(bar) -%}
<i class="{{ bar.kind }}" title="{{ bar.words }}" style="left: {{ bar.left }}%; width: {{ bar.width }}%"></i>
{%- endmacro %}
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
{%- for bar in line.cuts + lane.bars %}{{ drawn_bar(bar) }}{% endfor -%}
</div></div>
{% endfor %}
<ul class="key" aria-label="What the bars mean">
<li><i class="plan"></i>planned</li><li><i class="done"></i>done</li>
<li><i class="late"></i>done, more than 25 % late</li><li><i class="failed"></i>failed try</li>
<li><i class="on-hold"></i>on hold</li><li><i class="rolled-back"></i>until it was rolled back</li>
<li><i class="running"></i>{{ "running" if live else "no end recorded" }}</li><li><i class="wait"></i>waiting</li>
{% if line.cuts %}<li><i class="cut"></i>{{ line.cuts | map(attribute="words") | join(", ") }}</li>{% endif %}</ul>
{% endmacro %}
"""

LIVE = """{% macro going_on(live) %}
<section class="live" aria-live="polite" data-written="{{ live.written.timestamp() | int }}">
<h2 id="live">Now</h2>
{% for line in live.doing %}<p>{{ line }}</p>{% endfor %}
<p class="faint">Written {{ live.clock }}, again while the release runs. If that is more than two minutes ago, the run
has died or lost the place it writes to.</p>
<p class="stale bad" hidden><b>No news since {{ live.clock }}:</b> the run has died, or lost the place it writes to.
Run <code>playbooks/status.yml</code>.</p>
</section>
{% endmacro %}
"""

PAGE = """{% macro open(part) %}
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
{% if report.live %}{{ going_on(report.live) }}{% endif %}
<section class="verdict {{ report.verdict.tone }}">
<h1>{{ report.title }}</h1>
<div class="word">{{ mark(report.verdict.tone) }}{{ report.verdict.word }}</div>
<p>{{ report.verdict.sentence }}</p>
{% if report.glance %}{{ described(report.glance, "glance") }}{% endif %}</section>
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
{% if events %}
<h3>Events</h3>
<table class="events"><tbody>
{% for at, event in events %}
<tr><th scope="row">{{ at }}</th><td>{% if event.tone %}<b class="{{ event.tone }}">{{ mark(event.tone) }}</b>
{%- endif %}{{ event.text }}</td></tr>
{% endfor %}
</tbody></table>
{% endif %}
{% if report.phases %}
<details id="phases"><summary>Times and details of each phase</summary>
{{ tabled(phase_columns, phase_rows) }}
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
<h3 id="{{ table.title | anchor }}">{{ table.title }}</h3>{{ block(table, true) }}
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
<section><h2 id="way-back">The way back</h2>
<ol>{% for step in report.way_back %}<li>{{ step }}</li>{% endfor %}</ol></section>
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
