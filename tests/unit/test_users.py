"""The tests hold for whoever runs them: what asks who that is stands here, each with its reason."""

import re

from tests.caches import ROOT

ASKS = re.compile(r"os\.(get(e|res)?[ug]id|geteuid|getgroups|getlogin)\b")
REASONS = {
    "tests/conftest.py": "skips what is marked as root's",
    "tests/fakes/browser.py": "Chromium refuses to start as root with its sandbox",
    "tests/integration/pgbouncer.py": "PgBouncer refuses to run as root",
    "tests/unit/plugins/module_utils/test__user.py": "expects the number of a user without a name",
}
AS_ROOT = {
    "tests/integration/test_sandbox_lifecycle.py": 2,
    "tests/stories/test_story_of_the_guard.py": 2,
}
"""How many tests of a file only root can run: `make test-root` runs these files."""


def texts() -> dict[str, str]:
    files = sorted((ROOT / "tests").rglob("*.py"))
    return {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in files}


def test_no_test_depends_on_who_runs_it():
    asking = {file for file, text in texts().items() if ASKS.search(text)}
    assert asking == set(REASONS)


def test_what_only_root_can_run_is_small_and_named():
    marked = {
        file: len(re.findall(r"^@pytest\.mark\.root$", text, re.M))
        for file, text in texts().items()
    }
    assert {file: count for file, count in marked.items() if count} == AS_ROOT
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"-m root {' '.join(AS_ROOT)}\n" in makefile
