"""All that a report has to say, a line each, for tests: the page and the text show parts of it in many ways."""

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._report.models import Report
from ansible_collections.easymo.deploy.plugins.module_utils._report.render import details


def everything(report: Report) -> str:
    return "\n".join(_lines(report))


def _lines(report: Report) -> t.Iterator[str]:
    yield f"{report.title}: {report.verdict.word}"
    yield report.verdict.sentence
    for name, cell in (*report.claims, *report.summary):
        yield f"{name}: {cell.text}"
    yield from (*report.problems, *report.missing)
    for phase in report.phases:
        yield f"{phase.name} {phase.status}"
        yield from details(phase)
    yield from (one.sentence() for one in report.deviations)
    yield from (f"{one.at:%Y-%m-%d %H:%M:%S} {one.text}" for one in report.events)
    for table in report.tables:
        yield f"{table.title}: {table.lead}"
        for row in table.rows:
            yield " | ".join(cell.text for cell in row if cell.text)
    yield from report.notes
    for title, lines in report.lessons:
        yield title
        yield from lines
