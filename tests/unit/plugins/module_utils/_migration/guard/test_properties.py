import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.models import (
    Classification,
    Review,
    Source,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.review import review
from ansible_collections.easymo.deploy.plugins.module_utils._migration.splitter import split_script
from tests.unit.plugins.module_utils._migration.guard.cases import read_cases
from tests.unit.plugins.module_utils._migration.guard.destructive import ADDITIVE, scripts
from tests.unit.plugins.module_utils._migration.guard.shop import SHOP

CATALOGS = pytest.mark.parametrize("catalog", [SHOP, None], ids=["catalog", "no-catalog"])
TEXTS = [
    statement.text
    for case in read_cases()
    for source in case.sources
    for statement in source.statements
]


def reviewed(text: str, catalog: object) -> tuple[Source, Review]:
    source = Source("m.sql", split_script(text).statements)
    return source, review([source], catalog)  # type: ignore[arg-type]


@CATALOGS
@settings(max_examples=400, deadline=None)
@given(script=scripts())
def test_nothing_destructive_is_called_additive(catalog, script):
    _template, text = script
    _source, found = reviewed(text, catalog)
    assert Classification.DESTRUCTIVE in {finding.verdict for finding in found.findings}, text


@pytest.mark.parametrize("text", ADDITIVE)
def test_what_stands_around_it_is_additive_itself(text):
    assert reviewed(text, SHOP)[1].findings == ()


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """Statements of the corpus, joined, with parts taken out, doubled or swapped."""
    text = ";\n".join(draw(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4)))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        text = (
            text[:start]
            + draw(st.sampled_from(["", ";", "'", "$$", "(", text[start:end] * 2]))
            + text[end:]
        )
    return text


@CATALOGS
@settings(max_examples=300, deadline=None)
@given(text=st.one_of(damaged(), st.text(max_size=60)))
def test_every_statement_of_any_text_gets_one_verdict(catalog, text):
    source, found = reviewed(text.replace("\0", ""), catalog)
    assert sum(found.verdicts["m.sql"].values()) == len(source.statements)
    surprises = [each.what for each in found.findings if "could not be judged" in each.what]
    assert surprises == []
