"""The suite of smoke tests against its slowest test, and against its tests one after the other."""

import typing as t
from xml.etree import ElementTree

from tests.benchmarks.measurement import Measurement, Size
from tests.benchmarks.stage import Stage, busy_sandbox

PHASE = "Phase 6: smoke tests"
SUITE = "easymo.deploy.smoke_tests"
BEFORE = "database,edge_functions,microservices,feature_flags"
GOOD = 10


def smoke(size: Size = Size.FULL) -> t.Iterator[Measurement]:
    with busy_sandbox() as place:
        if size is Size.FULL:
            place.play("deploy_v2.yml", "--tags", f"preflight,{BEFORE}")
        # The first run pays the attempt's order, as a release does.
        tags = size.of(small=f"{BEFORE},smoke_tests", full="smoke_tests")
        run = place.play("deploy_v2.yml", "--tags", tags)
        tests = seconds_by_test(place)
    (suite,) = run.finished(SUITE)
    wall, slowest = float(suite["duration"]), max(tests, key=lambda name: tests[name])
    yield Measurement("all tests at once", wall, "s", target=GOOD, note=f"{len(tests)} tests")
    yield Measurement("the slowest test", tests[slowest], "s", note=slowest)
    yield Measurement("suite to slowest test", wall / tests[slowest], "ratio")
    yield Measurement("one after the other to suite", sum(tests.values()) / wall, "ratio")
    yield Measurement("the whole phase", run.phases()[PHASE], "s", note="with lock, record, JUnit")


def seconds_by_test(place: Stage) -> dict[str, float]:
    """From the JUnit file of the run."""
    (found,) = place.state.glob("report/*/smoke-tests.xml")
    (suite,) = ElementTree.parse(found).getroot()
    return {str(case.get("name")): float(case.get("time", "0")) for case in suite}
