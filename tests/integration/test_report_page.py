"""The report in a browser: narrow and wide, light and dark, and on paper. Nothing runs over, everything can be read."""

import json
import typing as t
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._report.build import build_report
from ansible_collections.easymo.deploy.plugins.module_utils._report.models import (
    LivePage,
    ReportOptions,
)
from ansible_collections.easymo.deploy.plugins.module_utils._report.render import as_html
from ansible_collections.easymo.deploy.plugins.module_utils._story.plan import Plan
from tests.fakes import release_records as records
from tests.fakes.browser import NAMES, PACKAGE, Browser, browser
from tests.interop.toolchain import install

pytestmark = pytest.mark.skipif(
    browser() is None,
    reason=f"No {', '.join(NAMES)} on PATH, and Debian's {PACKAGE} cannot be fetched: apt-get install chromium.",
)
RECORDS = {
    "green": records.green(),
    "on hold": records.held(),
    "rolled back": records.rolled_back(),
    "dead": records.dead(),
    "hostile": records.hostile(),
    "empty": {},
    "of 200 services": records.many(),
}
WIDTHS = (360, 1400)
JUDGED = (("light", 360), ("dark", 1400))  # each with each is as long again
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
LAYOUT = """(() => {
  const all = selector => [...document.querySelectorAll(selector)];
  return {
    scroll: document.documentElement.scrollWidth,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    background: getComputedStyle(document.body).backgroundColor,
    headings: all("h1, h2, h3").map(one => one.tagName),
    strange: all("script, img, iframe, object, link").length,
  };
})()"""


@dataclass(frozen=True)
class Seen:
    name: str
    width: int
    scheme: str
    layout: dict[str, t.Any]
    violations: list[str]


@pytest.fixture(scope="module")
def axe() -> str:
    return (install("axe").folder / "node_modules/axe-core/axe.min.js").read_text("utf-8")


@pytest.fixture(scope="module")
def opened(tmp_path_factory) -> t.Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as one:
        yield one


@pytest.fixture(scope="module")
def seen(opened, axe) -> list[Seen]:
    asked = ReportOptions(plan=Plan.read(records.PLAN), sign_offs=("qa", "security"))
    found = []
    for name, record in RECORDS.items():
        page = as_html(build_report(record, asked))
        for scheme in ("light", "dark"):
            for width in WIDTHS:
                opened.visit(opened.url(page), width=width, scheme=scheme)
                layout = opened.evaluate(LAYOUT)
                judged = violations(opened, axe) if (scheme, width) in JUDGED else []
                found.append(Seen(name, width, scheme, layout, judged))
    return found


def violations(opened: Browser, axe: str) -> list[str]:
    """What axe-core finds against WCAG AA, with all folds open."""
    opened.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; }); 0")
    opened.evaluate(f"{axe}; 0")
    options = json.dumps({"runOnly": RULES, "resultTypes": ["violations"]})
    return opened.evaluate(
        f"axe.run(document, {options}).then(done => done.violations.map(one => one.id + ': ' + one.nodes[0].html"
        ".slice(0, 120) + ' ' + one.nodes[0].failureSummary.slice(0, 200)))"
    )


def test_every_page_was_opened_in_the_scheme_that_its_reader_prefers(seen):
    assert len(seen) == 4 * len(RECORDS)
    for one in seen:
        assert one.layout["dark"] == (one.scheme == "dark")
        assert (one.layout["background"] == "rgb(18, 22, 27)") == (one.scheme == "dark")


def test_nothing_runs_over_the_edge(seen):
    over = [(one.name, one.width, one.layout["scroll"]) for one in seen]
    assert [one for one in over if one[2] > one[1]] == []


def test_it_meets_wcag_aa(seen):
    assert {(one.name, one.scheme, *one.violations) for one in seen if one.violations} == set()


def test_axe_is_no_judge_that_lets_everything_pass(opened, axe):
    faint = "<p style='color: #aaa; background: #fff'>faint</p><img src=x>"
    opened.visit(opened.url(faint), width=400)
    found = {one.partition(":")[0] for one in violations(opened, axe)}
    assert {"color-contrast", "image-alt", "html-has-lang"} <= found


def test_its_headings_are_in_order(seen):
    for one in seen:
        assert one.layout["headings"][0] == "H1"
        assert one.layout["headings"].count("H1") == 1


def test_nothing_of_a_record_became_an_element(seen):
    assert [one.layout["strange"] for one in seen] == [0] * len(seen)


def test_on_paper_all_folds_are_open(opened):
    page = as_html(build_report(records.green(), ReportOptions(plan=Plan.read(records.PLAN))))
    opened.visit(opened.url(page), width=800, media="print")
    hidden = opened.evaluate(
        "[...document.querySelectorAll('details > :not(summary)')].filter(one => !one.getClientRects().length"
        " || !one.checkVisibility({contentVisibilityAuto: true})).length"
    )
    assert hidden == 0
    assert opened.printed().startswith(b"%PDF-")


def live_page(minutes_ago: float) -> str:
    written = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    lines = ("Microservices (4 of 8) since 08:28:12 CAT.", "1 of 2 services complete.")
    asked = ReportOptions(plan=Plan.read(records.PLAN), now=written, live=True)
    report = replace(
        build_report(records.dead(), asked),
        live=LivePage(written, lines),
    )
    return as_html(report)


STALE = "getComputedStyle(document.querySelector('.stale')).display !== 'none'"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_live_page_tells_first_what_goes_on_and_meets_wcag_aa(opened, axe, width, scheme):
    opened.visit(opened.url(live_page(0.1)), width=width, scheme=scheme)
    first = opened.evaluate("document.querySelector('main').firstElementChild.innerText")
    assert "Microservices (4 of 8) since 08:28:12 CAT." in first
    assert opened.evaluate(STALE) is False
    # That a page refreshes itself is what axe-core warns of; it is asked for, and only while a release runs.
    found = violations(opened, axe)
    assert [one for one in found if not one.startswith("meta-refresh")] == []


def test_a_page_without_news_for_two_minutes_says_so_under_its_own_policy(opened):
    opened.visit(opened.url(live_page(2.1)), width=400, policy=True)
    assert opened.evaluate(STALE) is True
    opened.visit(opened.url(live_page(1.8)), width=400, policy=True)
    assert opened.evaluate(STALE) is False


def test_without_scripts_a_live_page_tells_when_it_was_written(opened):
    opened.visit(opened.url(live_page(5)), width=400, scripts=False)
    text = opened.evaluate("document.body.innerText")
    assert "If that is more than two minutes ago, the run has died" in text
