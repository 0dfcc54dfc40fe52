"""A plugin of pytest that tells how far its session is, one JSON object a line, to the descriptor in VARIABLE.

`{"collected": N}` once; for each test `{"test", "outcome", "seconds", "cpu", "why"}`: CPU seconds are those of the
process that ran it and of its children that ended meanwhile, and so those of a sandbox where it was taken down.
"""

import json
import os
import typing as t

import pytest

VARIABLE = "EASYMO_TEST_EVENTS"
CPU = "cpu"


def pytest_configure(config: pytest.Config) -> None:
    descriptor = os.environ.get(VARIABLE)
    if descriptor and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Reporter(int(descriptor)), "events")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> t.Generator[None, object, object]:
    item.stash[_BEGAN] = _cpu()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> t.Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "teardown":
        report.user_properties.append((CPU, round(_cpu() - item.stash[_BEGAN], 2)))
    return report


_BEGAN = pytest.StashKey[float]()


def _cpu() -> float:
    return sum(os.times()[:4])


class _Reporter:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._collected = False
        self._outcomes: dict[str, dict[str, t.Any]] = {}

    def emit(self, event: dict[str, t.Any]) -> None:
        os.write(self._descriptor, json.dumps(event).encode() + b"\n")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._collect(len(session.items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: t.Sequence[str]) -> None:
        """Where workers collect, each the same."""
        self._collect(len(ids))

    def _collect(self, count: int) -> None:
        if count and not self._collected:
            self._collected = True
            self.emit({"collected": count})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.emit(
                {"test": report.nodeid, "outcome": "failed", "seconds": 0, "why": _cause(report)}
            )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcome = self._outcomes.setdefault(
            report.nodeid, {"test": report.nodeid, "outcome": "passed", "seconds": 0.0, "why": ""}
        )
        outcome["seconds"] += report.duration
        if report.outcome != "passed" and outcome["outcome"] != "failed":
            outcome["outcome"] = report.outcome
            outcome["why"] = _cause(report)
        if report.when == "teardown":
            outcome["cpu"] = dict(report.user_properties).get(CPU, 0)
            self.emit(
                {**self._outcomes.pop(report.nodeid), "seconds": round(outcome["seconds"], 2)}
            )


def _cause(report: pytest.TestReport | pytest.CollectReport) -> str:
    """The first line of what went wrong, or why it was skipped."""
    if report.skipped and isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    lines = report.longreprtext.splitlines()
    errors = [line[1:].strip() for line in lines if line.startswith("E ")]
    return (errors or lines or ["?"])[0][:300]
