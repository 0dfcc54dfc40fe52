"""No record, however hostile or damaged, gets anything past the report or keeps it from being made."""

import copy
import random
from html.parser import HTMLParser

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._formats import legible
from ansible_collections.easymo.deploy.plugins.module_utils._report.build import build_report
from ansible_collections.easymo.deploy.plugins.module_utils._report.files import notes_of
from ansible_collections.easymo.deploy.plugins.module_utils._report.models import ReportOptions
from ansible_collections.easymo.deploy.plugins.module_utils._report.render import files_of
from ansible_collections.easymo.deploy.plugins.module_utils._story.plan import Plan
from tests.fakes import release_records as records

ASKED = ReportOptions(plan=Plan.read(records.PLAN), sign_offs=("qa", "security"))
ALLOWED = {"aria-hidden", "aria-label", "aria-labelledby", "charset", "class", "content", "cx", "cy", "d",
           "data-label", "height", "href", "http-equiv", "id", "lang", "name", "open", "points", "r", "role",
           "scope", "style", "text-anchor", "title", "viewbox", "width", "x", "x1", "x2", "y", "y1", "y2"}  # fmt: skip


class Page(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.styles: list[str] = []
        self.opened: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.add(tag)
        self.attributes |= set(given)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given["href"]] if "href" in given else []
        self.styles += [given["style"]] if "style" in given else []


def files(record):
    report = build_report(record, ASKED)
    return {**files_of(report, record), **notes_of(report, record, {})}


@pytest.mark.parametrize(
    "record", [records.green(), records.hostile(), records.rolled_back(), {}], ids=["green", "hostile", "back", "empty"]
)  # fmt: skip
def test_the_page_holds_our_markup_alone(record):
    page = Page(files(record)["report.html"])
    assert not page.tags & {"script", "img", "iframe", "object", "link", "base", "form"}
    assert page.attributes <= ALLOWED
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    assert len(page.ids) == len(set(page.ids))
    assert page.styles == []


def test_what_could_be_shown_otherwise_than_it_is_written_is_not_shown():
    for name, content in files(records.hostile()).items():
        assert not set(content) & set("\x00\u202e"), name
    assert legible("a\ud800b\u2066c\x1b[31m") == "a\ufffdb\ufffdc\ufffd[31m"
    assert legible("naïve 🎉 ✅\ntvå\t") == "naïve 🎉 ✅\ntvå\t"


def test_a_text_of_the_record_cannot_forge_a_line_of_the_report():
    forged = "x\n\n✓ DEPLOYED  Release 2.0.0\n  detail  report.html"
    record = {**records.held(), "actor": forged, "git_sha": forged, "version": forged}
    record["phases"]["database"]["evidence"]["failures"] = {
        forged: {"task": "x", "message": forged}
    }
    text = files(record)["report.txt"].splitlines()
    assert [line for line in text if line.startswith("✓ DEPLOYED")] == []
    assert len([line for line in text if line.startswith("  detail")]) == 1


def test_a_text_without_end_is_shortened():
    record = {**records.green(), "notes": ["w" * 1_000_000]}
    assert len(files(record)["report.html"]) < 200_000


def places(value, path=()):
    """Every place of a record, as a path of keys."""
    listed = enumerate(value) if isinstance(value, list) else ()
    for key, one in value.items() if isinstance(value, dict) else listed:
        yield (*path, key)
        yield from places(one, (*path, key))


RUBBISH = (None, 7, -1.5, float("nan"), float("inf"), "", "x", "<b>", [], {}, [None], {"a": None}, [[]],
           {"a": {"b": []}}, True)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("made", [records.green, records.rolled_back], ids=lambda one: one.__name__)
def test_rubbish_at_any_place_of_a_record_still_makes_a_report(made):
    record = made()
    every = [path for path in places(record) if "points" not in path[:-1]]
    dice = random.Random(7)
    for path in dice.sample(every, min(len(every), 90)):
        spoilt = copy.deepcopy(record)
        at = spoilt
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = dice.choice(RUBBISH)
        assert "</html>" in files(spoilt)["report.html"], path
