"""In check mode nothing is claimed to be done: each sentence of a module that acts says "would"."""

import re
import typing as t
from datetime import timedelta
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._flags.apply import KillSwitch
from ansible_collections.easymo.deploy.plugins.module_utils._gate.store import (
    decided as watch_decided,
)
from ansible_collections.easymo.deploy.plugins.module_utils._kill_switch import to_sentence
from ansible_collections.easymo.deploy.plugins.module_utils._ramp.options import sentence
from ansible_collections.easymo.deploy.plugins.module_utils._ramp.plan import (
    RampFacts,
    RampSchedule,
    RampStep,
    StepRequest,
    plan,
)
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import Act
from ansible_collections.easymo.deploy.plugins.module_utils._time import read_time

ROOT = Path(__file__).parents[2]
NOW = "2026-11-24T06:00:00Z"
SCHEDULE = RampSchedule(
    (RampStep(1, 1, 100), RampStep(1, 5, 500)), watch=timedelta(0), day=timedelta(seconds=1)
)
SWITCH = KillSwitch(
    set_at=NOW, by="ann", reason="complaints", automatic=False, flags={"F": "false"}
)


def switched(state: str, *, check_mode: bool) -> str:
    return to_sentence(
        state, SWITCH, {"F": "false"}, by="ann", reason="complaints", check_mode=check_mode
    )


def ramped(value: str, percentage: int, *, check_mode: bool) -> str:
    facts = RampFacts(value, enabled=True, annotation=None, now=read_time(NOW))
    result = plan(SCHEDULE, facts, StepRequest(by="ann", percentage=percentage))
    return sentence(SCHEDULE, result, moved=not check_mode)


def decided(decision: str, *, check_mode: bool) -> str:
    act = Act(gate="monitoring", decision=decision, by="ann", at=NOW, reason="x")
    return watch_decided(act, "2.0.0", "", would=check_mode)


SENTENCES: dict[str, t.Callable[[bool], str]] = {
    "kill switch set": lambda check: switched("set", check_mode=check),
    "kill switch reset": lambda check: switched("reset", check_mode=check),
    "percentage lowered": lambda check: switched("lowered", check_mode=check),
    "ramp up": lambda check: ramped("0", 1, check_mode=check),
    "ramp down": lambda check: ramped("5", 1, check_mode=check),
    "watch approved": lambda check: decided("approve", check_mode=check),
    "watch rejected": lambda check: decided("reject", check_mode=check),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_a_sentence_says_would_in_check_mode_and_only_there(name):
    say = SENTENCES[name]
    assert re.search(r"\b[Ww]ould\b", say(True))
    assert not re.search(r"\b[Ww]ould\b", say(False))


def test_every_module_with_a_sentence_and_check_mode_is_walked_here():
    """A new one joins the table above, or tells what is and not what was done."""
    acting = {
        path.stem
        for path in (ROOT / "plugins" / "modules").glob("*.py")
        if re.search(r"^sentence:", (text := path.read_text("utf-8")), re.MULTILINE)
        and not path.stem.endswith("_info")
        and '"supports_check_mode": True' in text
    }
    tells_what_is = {
        "metrics_gate",
        "preflight_check",
        "smoke_tests",
        "person_check",
        "health_check",
    }
    assert acting - tells_what_is <= {
        "kill_switch",
        "feature_ramp",
        "release",
        "deploy_lock",
    }
