"""Counting: nothing is lost, percentiles are close, the first failures are kept in full."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.traffic.figures import (
    FIRST_FAILURES,
    FIRST_OF_A_KIND,
    Failure,
    Figures,
    Histogram,
    summary,
)


@given(st.lists(st.floats(0.5, 15_000), min_size=1))
def test_a_percentile_is_at_most_a_tenth_too_high(values):
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    exact = sorted(values)[max(0, -(-95 * len(values) // 100) - 1)]
    assert exact * 0.999 <= histogram.percentile(95) <= exact * 1.11


def test_the_highest_is_exact_even_beyond_the_last_bucket():
    histogram = Histogram()
    histogram.add(99_999.0)
    assert histogram.to_dict() == {"p50": 99999.0, "p95": 99999.0, "p99": 99999.0, "max": 99999.0}


def test_an_empty_histogram_is_zero():
    assert Histogram().to_dict() == {"p50": 0.0, "p95": 0.0, "p99": 0.0, "max": 0.0}


def filled() -> Figures:
    figures = Figures(("message", "call"))
    for _ in range(30):
        figures.sent("message")
        figures.failed(Failure("t", "message", "HTTP 502", "gone"))
    figures.sent("call")
    figures.ok("call", 3.0, "wallet-service")
    figures.sent("call")
    return figures


def test_every_request_is_ok_failed_or_under_way():
    report = filled().to_dict()
    assert (report["sent"], report["ok"], report["failed"], report["in_flight"]) == (32, 1, 30, 1)
    assert report["failures_by_kind"] == {"HTTP 502": 30}
    assert len(report["first_failures"]) == FIRST_FAILURES
    assert report["routes"]["call"]["in_flight"] == 1


def test_a_late_kind_of_failure_is_kept_too():
    figures = filled()
    for _ in range(30):
        figures.failed(Failure("t", "call", "Timeout", "slow"))
    kept = [failure["kind"] for failure in figures.to_dict()["first_failures"]]
    assert kept.count("Timeout") == FIRST_OF_A_KIND


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        (filled(), "30 failed (30 HTTP 502)"),
        (Figures(("message",)), "0 failed"),
        (filled(), "in 2 s, 16 a second: "),
        (filled(), "; 30 messages p50 0.0 ms"),
    ],
)
def test_the_summary_says_how_many_of_what_and_what_failed(figures, words):
    assert words in summary({**figures.to_dict(), "seconds": 2.0, "sent_per_second": 16.0})
