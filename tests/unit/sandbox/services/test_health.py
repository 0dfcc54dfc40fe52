"""Health: required checks decide, others only degrade, and answers are remembered for a moment."""

import asyncio

import pytest

from sandbox.services.base_service import PATIENCE_SECONDS, REMEMBER_SECONDS, Check, Health, Report


class Dependency:
    """Answers, or fails with `error`; counts how often it was asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked = 0

    async def __call__(self) -> None:
        self.asked += 1
        if self.error:
            raise self.error


def asked_once(*checks: Check) -> Report:
    return asyncio.run(Health(checks).report())


@pytest.mark.parametrize(
    ("error", "required", "status", "http_status"),
    [
        (None, True, "ok", 200),
        (OSError("refused"), True, "fail", 503),
        (OSError("refused"), False, "degraded", 200),
    ],
)
def test_only_a_required_failure_fails_the_service(error, required, status, http_status):
    report = asked_once(Check("redis", Dependency(error), required))
    assert (report.status, report.http_status) == (status, http_status)


def test_the_failing_check_says_why():
    report = asked_once(Check("redis", Dependency(OSError("refused"))))
    assert [*report.to_dict().values()] == [{"status": "fail", "error": "OSError: refused"}]


def test_results_are_remembered_and_then_asked_again():
    now = [0.0]
    dependency = Dependency()

    async def ask() -> None:
        health = Health([Check("redis", dependency)], clock=lambda: now[0])
        await asyncio.gather(health.report(), health.report())
        assert dependency.asked == 1
        now[0] += REMEMBER_SECONDS
        await health.report()
        assert dependency.asked == 2

    asyncio.run(ask())


def test_a_service_without_checks_is_ok():
    assert asked_once().status == "ok"


@pytest.mark.parametrize(
    ("error", "after", "status"),
    [
        (TimeoutError(), PATIENCE_SECONDS - 1, "ok"),
        (TimeoutError(), PATIENCE_SECONDS, "fail"),
        (OSError("refused"), REMEMBER_SECONDS, "fail"),
    ],
)
def test_slow_is_down_only_after_a_while(error, after, status):
    now = [0.0]
    dependency = Dependency()

    async def ask() -> None:
        health = Health([Check("redis", dependency)], clock=lambda: now[0])
        await health.report()
        now[0], dependency.error = after, error
        assert (await health.report()).status == status

    asyncio.run(ask())
