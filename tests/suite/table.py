"""Writes into CONTRIBUTING.md what each step of the last whole `make test` cost: `python -m tests.suite.table`."""

import collections
import json

from tests.caches import ROOT
from tests.suite.order import tests_of_last_run
from tests.suite.steps import LOGS

BEFORE = {
    "contract": 90,
    "docs": 20,
    "integration": 460,
    "interop": 55,
    "sanity": 75,
    "stories": 620,
    "traffic": 50,
    "types": 30,
    "units": 50,
    "all": 2_700,
}
"""CPU seconds, each step for itself on a quiet machine; sandboxes are only in the sum, of 2,300 to 3,100."""
BEGIN, END = "<!-- steps: written by python -m tests.suite.table -->\n", "<!-- /steps -->"
SHARED = "worlds"


def rows() -> list[tuple[str, float, float]]:
    """Step, seconds and CPU seconds; below the step of the shared worlds its levels, and what their sandboxes took."""
    steps = json.loads((LOGS / "steps.json").read_text(encoding="utf-8"))
    seconds: collections.Counter[str] = collections.Counter()
    cpu: collections.Counter[str] = collections.Counter()
    for test in tests_of_last_run():
        level = test["test"].split("/")[1]
        seconds[level] += test["seconds"]
        cpu[level] += test.get("cpu", 0)
    listed: list[tuple[str, float, float]] = []
    for step in steps:
        listed.append((step["step"], step["seconds"], step["cpu"]))
        if step["step"] == SHARED:
            levels = sorted(level for level in seconds if level != "unit")
            listed += [(level, seconds[level], cpu[level]) for level in levels]
    return listed


def table() -> str:
    lines = [
        "",
        "| step | seconds | CPU seconds | CPU seconds at 68b413d6, on a quiet machine |",
        "|---|---|---|---|",
        *(
            f"| {step} | {seconds:.0f} | {cpu:.0f} | {BEFORE.get(step, '')} |"
            for step, seconds, cpu in rows()
        ),
        "",
        "Seconds of a level are those of its tests, four at a time. Its CPU has that of sandboxes that ended in it,",
        "and not that of the server of Ansible's runs.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    page = ROOT / "CONTRIBUTING.md"
    text = page.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    page.write_text(before + BEGIN + table() + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
