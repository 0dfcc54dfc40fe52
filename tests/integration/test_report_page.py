# SPDX-License-Identifier: GPL-3.0-or-later
"""The report in a browser: narrow and wide, light and dark, nothing runs over and everything can be read."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._report.build import build_report
from ansible_collections.easymo.deploy.plugins.module_utils._report.models import Asked
from ansible_collections.easymo.deploy.plugins.module_utils._report.render import as_html
from tests.fakes import release_records as records
from tests.fakes.browser import NAMES, browser, look

pytestmark = pytest.mark.skipif(
    browser() is None,
    reason=f"No {', '.join(NAMES)} on PATH to open the report with: apt-get install chromium.",
)
RECORDS = {
    "green": records.green(),
    "rolled back": records.rolled_back(),
    "hostile": records.hostile(),
    "empty": {},
    "of 200 services": records.many(),
}
NARROW, WIDE = 380, 1400


@pytest.fixture(scope="module", params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def seen(scheme: str, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, t.Any]]:
    """One start of the browser for each scheme."""
    asked = Asked(plan=records.PLAN, sign_offs=("qa", "security"))
    pages = {name: as_html(build_report(record, asked)) for name, record in RECORDS.items()}
    return look(pages, (NARROW, WIDE), scheme, tmp_path_factory.mktemp("browser"))


def test_every_page_was_opened_in_the_scheme_that_its_reader_prefers(
    seen: list[dict[str, t.Any]], scheme: str
) -> None:
    assert {(one["name"], one["width"]) for one in seen} == {
        (name, w) for name in RECORDS for w in (NARROW, WIDE)
    }
    for one in seen:
        assert one["dark"] == (scheme == "dark")
        assert (one["background"] < 0.1) == (scheme == "dark")


def test_nothing_runs_over_the_edge(seen: list[dict[str, t.Any]]) -> None:
    over = [
        (one["name"], one["width"], one["scroll"], one["wide"])
        for one in seen
        if one["scroll"] > one["width"]
    ]
    assert over == []


def test_every_text_stands_out_from_what_is_behind_it(seen: list[dict[str, t.Any]]) -> None:
    assert [(one["name"], one["faint"]) for one in seen if one["faint"]] == []


def test_it_can_be_heard_as_well_as_seen(seen: list[dict[str, t.Any]]) -> None:
    for one in seen:
        assert one["headings"][0] == "H1"
        assert one["headings"].count("H1") == 1
        assert one["unscoped"] == one["untold"] == 0


def test_timeline_and_plots_are_drawn(seen: list[dict[str, t.Any]]) -> None:
    green = [one for one in seen if one["name"] == "green"]
    assert [one["plots"] for one in green] == [8, 8]
    assert all(len(one["bars"]) > 16 and min(one["bars"]) >= 2 for one in green)


def test_nothing_of_a_record_became_an_element(seen: list[dict[str, t.Any]]) -> None:
    assert [one["strange"] for one in seen] == [0] * len(seen)
