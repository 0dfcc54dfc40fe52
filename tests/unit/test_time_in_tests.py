"""Time decides nothing in tests: none sleeps for seconds, and few measure how long something took."""

import ast
import re
import typing as t
from pathlib import Path

TESTS = Path(__file__).parents[1]
MEASURE = ("benchmarks", "suite")
"""What is there measures, or runs the tests."""
LEAST = 0.5
"""Seconds. A shorter sleep is the pace of a loop."""
SLEEP = re.compile(r"(?:(?:time|asyncio)\.)?sleep\(([\d.]+)\)")
ELAPSED = re.compile(r"(?:time\.)?(?:monotonic|perf_counter)\(\) - .*")
LEFT = {
    "integration/test_mounted_flags.py::test_the_kill_switch_reaches_every_pod_while_it_runs_and_says_how_fast": (
        "what the product measured lies within it, however long it took"
    ),
    "integration/test_preflight_check.py::test_an_s3_that_hangs_is_told_before_anybody_loses_patience": (
        "a minute tells a hang of five"
    ),
    "integration/what_happened.py::time_locks": "how long a statement locks is what is asked",
    "simulation/plays/__main__.py::main": "a person is told how long it took",
}
"""Sites that may stay, as file::function, and why."""


def sites(tree: ast.AST, function: str = "") -> t.Iterator[tuple[str, str]]:
    """The function, and what decides by time in it: a long sleep, or elapsed time. A clock's own sleep is virtual."""
    for node in ast.iter_child_nodes(tree):
        inner = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else function
        text = ast.unparse(node) if isinstance(node, ast.Call | ast.BinOp) else ""
        slept = SLEEP.fullmatch(text)
        if (slept and float(slept[1]) >= LEAST) or ELAPSED.fullmatch(text):
            yield function, text
        yield from sites(node, inner)


def test_what_time_decides_is_known_and_has_a_reason():
    files = (
        path for path in TESTS.rglob("*.py") if path.relative_to(TESTS).parts[0] not in MEASURE
    )
    seen = {
        f"{path.relative_to(TESTS)}::{function}": text
        for path in files
        if re.search(r"sleep\(|monotonic\(|perf_counter\(", written := path.read_text("utf-8"))
        for function, text in sites(ast.parse(written))
    }
    new = {site: text for site, text in seen.items() if site not in LEFT}
    assert not new, "wait for an event (tests/waiting.py) or take virtual time"
    assert not LEFT.keys() - seen.keys(), "these are gone: take them out of the table"


def test_a_sleep_and_a_measure_are_seen():
    text = (
        "def f():\n time.sleep(2)\n clock.sleep(9)\n sleep(0.1)\n assert time.monotonic() - b < 5"
    )
    assert [*sites(ast.parse(text))] == [("f", "time.sleep(2)"), ("f", "time.monotonic() - b")]
