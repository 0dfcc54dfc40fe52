import typing as t
from dataclasses import replace
from decimal import Decimal

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    InputError,
    VerificationError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import (
    Bounds,
    Metric,
    Sample,
    Verdict,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.sources import (
    read_answer,
    read_rows,
    sample_of_answer,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.state import Schedule, WatchState
from ansible_collections.easymo.deploy.plugins.module_utils._gate.watch import (
    WatchResult,
    next_due,
    run_watch,
)

METRIC = Metric("m", "prometheus", "q", "", Bounds(maximum=1, above=5), max_missing=0.5)
Seen: t.TypeAlias = "float | Exception"


class Scripted:
    """A source and its clock: each look takes `takes` seconds and gives the next of `seen`."""

    def __init__(self, *seen: Seen, takes: float = 0.0) -> None:
        self.now = 0.0
        self.looked_at: list[float] = []
        self._seen = iter(seen)
        self._takes = takes

    def sample(self, query: str) -> Sample:
        self.looked_at.append(self.now)
        self.now += self._takes
        seen = next(self._seen)
        if isinstance(seen, Exception):
            raise seen
        return Sample(seen)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def watch(
        self,
        *,
        report: t.Callable[[WatchState], None] = lambda look: None,
        metric: Metric = METRIC,
        **schedule: float,
    ) -> WatchResult:
        metric = replace(metric, interval=schedule.get("interval", 10))
        how = {"report": report, "clock": lambda: self.now, "sleep": self.sleep}
        return run_watch([metric], {"m": self}, Schedule(**schedule), **how)


def test_looks_are_taken_every_interval_from_the_delay_to_the_end():
    source = Scripted(*[0.0] * 9)
    told: list[float] = []
    watch = source.watch(
        duration=20, interval=5, initial_delay=3, report=lambda look: told.append(look.elapsed)
    )
    assert source.looked_at == [3, 8, 13, 18, 23]
    assert told == [0, 5, 10, 15, 20]
    assert watch.decision.verdict is Verdict.PROCEED


def test_no_duration_is_one_look():
    source = Scripted(0.0)
    assert source.watch(duration=0, interval=5).state.series["m"].count == 1


def test_a_slow_look_delays_no_later_one_beyond_its_time():
    source = Scripted(*[0.0] * 9, takes=7)
    source.watch(duration=20, interval=5)
    assert source.looked_at == [0, 10, 20]


@pytest.mark.parametrize("within", ["the wait", "a look"])
def test_looks_of_a_time_in_which_the_process_stood_still_are_missing(within):
    source = Scripted(*[0.0] * 13)
    stops = 70.0

    def stand_still() -> None:
        nonlocal stops
        if source.now >= 30:
            source.now, stops = source.now + stops, 0.0

    def sleep(seconds: float) -> None:
        source.now += seconds
        if within == "the wait":
            stand_still()

    class Slow:
        def sample(self, query: str) -> Sample:
            if within == "a look":
                stand_still()
            return source.sample(query)

    metric = replace(METRIC, interval=10, max_missing=0.1)
    result = run_watch(
        [metric], {"m": Slow()}, Schedule(duration=120), clock=lambda: source.now, sleep=sleep
    )
    assert (result.state.series["m"].count, result.state.series["m"].missing) == (6, 7)
    assert result.decision.verdict is Verdict.HOLD


def test_a_certain_breach_ends_the_watch():
    source = Scripted(0.0, 9.0, 9.0, 0.0)
    watch = source.watch(duration=100, interval=10)
    assert watch.decision.verdict is Verdict.ROLLBACK
    assert watch.state.elapsed == 20


def test_a_query_that_never_worked_is_refused_at_once():
    with pytest.raises(InputError, match="Metric 'm': parse error"):
        Scripted(InputError("parse error")).watch(duration=10, interval=5)


def test_a_query_that_stops_working_is_missing_data():
    watch = Scripted(0.0, InputError("parse error"), 0.0).watch(duration=10, interval=5)
    assert watch.state.series["m"].missing == 1
    assert watch.decision.verdict is Verdict.PROCEED


def test_the_next_look_is_due_at_the_next_multiple():
    assert [next_due(elapsed, 10) for elapsed in (0, 9.99, 10.0, 25)] == [10, 10, 20, 30]
    assert [next_due(elapsed, 10, delay=25) for elapsed in (0, 24, 25, 36)] == [25, 25, 35, 45]


def test_the_course_of_each_metric_is_its_own():
    source = Scripted(*range(99))
    often = replace(METRIC, interval=5.0, bounds=Bounds())
    few = replace(often, name="few", count=2)
    late = replace(often, name="late", interval=10.0, delay=8.0)
    watch = run_watch(
        [often, few, late],
        dict.fromkeys(["m", "few", "late"], source),
        Schedule(duration=20),
        clock=lambda: source.now,
        sleep=source.sleep,
    )
    seen = {name: [point.at for point in one.points] for name, one in watch.state.series.items()}
    assert seen == {"m": [0, 5, 10, 15, 20], "few": [0, 5], "late": [8, 18]}


def test_a_query_that_waits_for_its_time_is_asked_once_before():
    late = replace(METRIC, delay=60.0)
    with pytest.raises(InputError, match="parse error"):
        Scripted(InputError("parse error")).watch(metric=late, duration=100, interval=5)


def test_all_that_have_enough_samples_end_the_watch():
    watch = Scripted(0.0, 0.0, 0.0).watch(
        metric=replace(METRIC, count=3), duration=3600, interval=10
    )
    assert (watch.decision.verdict, watch.state.elapsed) == (Verdict.PROCEED, 20)


def answer_of(kind: str, result: t.Any) -> dict[str, t.Any]:
    return {"status": "success", "data": {"resultType": kind, "result": result}}


def vector(*values: str) -> dict[str, t.Any]:
    return answer_of("vector", [{"metric": {}, "value": [1.0, value]} for value in values])


@pytest.mark.parametrize(("document", "sample", "error"), [
    (vector("0.5"), Sample(0.5), False),
    ({"status": "success", "data": {"resultType": "scalar", "result": [1.0, "2"]}},
     Sample(2.0), False),
    (vector(), Sample(None, "no series"), False),
    (vector("1", "2"), Sample(None, "2 series where one is expected"), True),
    (vector("NaN"), Sample(None, "the value is NaN"), False),
    (vector("+Inf"), Sample(None, "the value is +Inf"), True),
    (vector("-Inf"), Sample(None, "the value is -Inf"), True),
])  # fmt: skip
def test_only_one_finite_number_is_a_value_and_no_data_is_no_error(document, sample, error):
    seen = sample_of_answer(read_answer(200, document))
    assert (seen, seen.error) == (sample, error)


@pytest.mark.parametrize(("status", "document", "problem"), [
    (503, {"status": "error", "error": "starting"}, "Prometheus answered 503: starting"),
    (502, [], "Prometheus answered 502 without its own JSON"),
    (200, answer_of("vector", [{"metric": {}, "histogram": [1.0, {"count": "9"}]}]), "a native histogram"),
    (200, answer_of("vector", [{"metric": {}}]), "a shape"),
    (200, answer_of("vector", [None]), "a shape"),
    (200, answer_of("vector", {"value": 1}), "a shape"),
    (200, answer_of("vector", [{"metric": [], "value": [1, "2"]}]), "a shape"),
    (200, answer_of("scalar", [1]), "a shape"),
    (200, answer_of("scalar", ["x", "1"]), "a shape"),
    (200, answer_of("scalar", [1, {}]), "a shape"),
    (200, answer_of("scalar", [1, True]), "a shape"),
    (200, {"status": "success"}, "a shape"),
    (200, {"status": "success", "data": "none"}, "a shape"),
])  # fmt: skip
def test_an_answer_without_data_says_why(status, document, problem):
    with pytest.raises(VerificationError, match=problem):
        read_answer(status, document)


def test_a_query_prometheus_cannot_parse_is_bad_input():
    with pytest.raises(InputError, match="unexpected end"):
        read_answer(400, {"status": "error", "errorType": "bad_data", "error": "unexpected end"})


@pytest.mark.parametrize(
    ("rows", "sample"),
    [
        ([(3,)], Sample(3.0)),
        ([(Decimal("0.5"),)], Sample(0.5)),
        ([], Sample(None, "0 rows where one value is expected")),
        ([(1,), (2,)], Sample(None, "2 rows where one value is expected")),
        ([(None,)], Sample(None, "the value is NULL")),
        ([("x",)], Sample(None, "the value is no number")),
        ([(float("nan"),)], Sample(None, "the value is nan")),
    ],
)
def test_only_one_finite_number_of_a_database_is_a_value(rows, sample):
    assert read_rows(rows) == sample
