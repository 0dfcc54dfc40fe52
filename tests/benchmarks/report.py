"""The report of 200 services with everything that a record may hold, and of a journal of 20 MB beside it."""

import json
import tempfile
import time
import typing as t
from pathlib import Path

from tests.benchmarks.measurement import Measurement, Size
from tests.benchmarks.stage import collection_output, cpu_of_children
from tests.fakes import release_records as records

GOOD = 2
MODULE = "ansible_collections.easymo.deploy.plugins.modules.release_report"


def report(size: Size = Size.FULL) -> t.Iterator[Measurement]:
    services = size.of(small=100, full=200)
    length = size.of(small=100_000, full=20_000_000)
    with tempfile.TemporaryDirectory() as folder:
        plan = [*records.PLAN]
        given = {"record": records.many(services), "dest": folder, "plan": plan}
        first, cpu = made(given)
        yield Measurement(
            "report", first, "s", target=GOOD, note=f"{services} services, with its process"
        )
        yield Measurement("of it CPU", cpu, "s")
        again, _cpu = made(given)
        yield Measurement("again, nothing changed", again, "s")
        journal = Path(folder, "journal.jsonl")
        journal.write_text(line() * (length // len(line())), encoding="utf-8")
        told, _cpu = made({**given, "journal": str(journal)})
        yield Measurement("with a journal", told, "s", note=f"{length / 1_000_000:g} MB")


def line() -> str:
    entry = {
        "run": "r1",
        "seq": 1,
        "at": records.at(30),
        "event": "task_ok",
        "task": "Roll out the service",
        "host": "agent-core",
        "duration": 3.2,
    }
    return json.dumps({**entry, "result": {"changed": True, "words": "x" * 200}}) + "\n"


def made(options: dict[str, t.Any]) -> tuple[float, float]:
    """Wall and CPU seconds of the module in a process of its own, as a task has it."""
    before, begun = cpu_of_children(), time.monotonic()
    collection_output("-m", MODULE, given=json.dumps({"ANSIBLE_MODULE_ARGS": options}))
    return time.monotonic() - begun, cpu_of_children() - before
