"""docs/rollouts.md and the module tell of the endings and classes that the code has."""

from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._rollout.failures import RULES
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.runner import HINTS
from ansible_collections.easymo.deploy.plugins.modules import rollout

PAGE = (Path(__file__).parents[5] / "docs" / "rollouts.md").read_text(encoding="utf-8").splitlines()


def rows(first: str) -> list[list[str]]:
    """The rows of the table whose first heading is `first`, cell by cell."""
    start = next(number for number, line in enumerate(PAGE) if line.startswith(f"| {first} |"))
    table = []
    for line in PAGE[start + 2 :]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table


def test_each_ending_stands_in_the_page_and_in_the_module():
    assert {row[0]: row[3] for row in rows("result")} == {
        f"`{word}`": hint for word, hint in HINTS.items()
    }
    for word in HINTS:
        assert f"V({word})" in rollout.RETURN


@pytest.mark.parametrize(("rule", "row"), [*zip(RULES, rows("class"), strict=True)])
def test_each_class_stands_in_the_page_with_its_dwell(rule, row):
    assert (row[0], row[3]) == (rule.name, "node" if rule.node_bound else "")
    if rule.restarts:
        assert row[2] == f"{rule.restarts} restarts"
    elif rule.dwell is None:
        assert row[2] == "-"
    else:
        snapshots = f" or {rule.snapshots} checks" if rule.dwell and rule.snapshots else ""
        assert row[2] == (f"{rule.dwell:.0f} s" if rule.dwell else "at once") + snapshots
