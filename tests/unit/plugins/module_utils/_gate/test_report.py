"""What a watch says at its end."""

from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import (
    Decision,
    Reason,
    Verdict,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.report import describe_end
from ansible_collections.easymo.deploy.plugins.module_utils._gate.state import WatchState
from ansible_collections.easymo.deploy.plugins.module_utils._gate.watch import WatchResult

SILENT = "has no data (Prometheus did not answer within 10 s)"


def held(*texts: str) -> WatchResult:
    reasons = (Reason(one.partition(" ")[0], Verdict.HOLD, one, None) for one in texts)
    return WatchResult(Decision(Verdict.HOLD, tuple(reasons)), WatchState(0.0, {}))


def test_what_the_metrics_have_in_common_is_said_once():
    watch = held(f"error_rate {SILENT}", "lag is 7 and should be at most 5", f"p95 {SILENT}")
    told = describe_end((), watch, kept_as="monitoring")
    begin = f"error_rate, p95 {SILENT.replace('has', 'have')}; lag is 7 and should be at most 5. "
    assert told.startswith(begin)


def test_a_hold_says_which_command_decides_it():
    told = describe_end((), held(f"p95 {SILENT}"), kept_as="ramp")
    decide = "-e monitoring_gate=ramp -e decision=approve -e by=$USER -e \"reason='WHY'\""
    assert f"or decide with playbooks/decide.yml {decide} (or reject), then run it again." in told


def test_a_hold_that_nobody_may_decide_tells_no_such_command():
    told = describe_end((), held(f"p95 {SILENT}"), kept_as="")
    assert "decide" not in told
    assert told.endswith("then watch again.")
