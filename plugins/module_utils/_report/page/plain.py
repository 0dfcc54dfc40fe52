# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The report as plain text, for a terminal or a mail."""

from __future__ import annotations

TEXT = """{{ report.title }}: {{ report.verdict.word | upper }}
{{ report.verdict.sentence }}

{% for label, cell in report.claims %}
- {{ label }}: {{ claim_marks[cell.tone] }}{{ cell.text }}
{% endfor %}

{% for name, cell in report.summary %}
{{ "%-12s" | format(name) }} {{ cell.text }}
{% endfor %}
{% for title, lines in (("Problems of the record", report.problems), ("Missing", report.missing)) if lines %}

{{ title }}
{% for line in lines %}
- {{ line }}
{% endfor %}
{% endfor %}

Phases, planned and actual
{% for phase in report.phases %}
{{ "%-18s %-10s" | format(phase.name, phase.status) }} {{ took(phase) }}
{% for line in told(phase) %}
    {{ line }}
{% endfor %}
{% endfor %}

Deviations from the runbook
{% for one in report.deviations %}
- {{ one.sentence() }}
{% else %}
None recorded.
{% endfor %}
{% for watch in report.watches %}

{{ watch.title }}
{% for one in watch.metrics %}
- {{ one.name }} | {{ one.verdict.text }} | {{ one.words | join(" ") }}
{% endfor %}
{% endfor %}
{% for table in report.tables %}

{{ table.title }}{% if table.lead %}: {{ table.lead }}{% endif %}

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

Lessons learned
{% for title, lines in report.lessons.parts() %}
{{ title }}:
{% for line in lines %}
- {{ line }}
{% endfor %}
- ...
{% endfor %}
"""
