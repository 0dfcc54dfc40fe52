"""A ramp over a real ConfigMap, with kubectl as the witness and as the one who edits in between."""

import json
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.modules import (
    deploy_lock,
    feature_flags,
    feature_ramp,
)
from tests.integration.conftest import Place, Result

FEATURE, FLAG = "FEATURE_AI_AGENTS", "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE"
SCHEDULE = [
    {"day": 1, "percentage": 1, "users": 100},
    {"day": 2, "percentage": 5, "users": 500},
    {"day": 3, "percentage": 10},
]
AT_ONCE: dict[str, t.Any] = {
    "flag": FLAG,
    "enabled_by": FEATURE,
    "schedule": SCHEDULE,
    "day_length": 0,
    "watch_duration": 0,
}


class Ramp:
    """Whoever holds the lock of a namespace, and ramps."""

    def __init__(self, place: Place) -> None:
        self.place = place
        place.run(feature_flags, flags={FEATURE: True, "OTHER": "kept"})
        self.fence = place.run(deploy_lock, release="2.0.0")["fence"]

    def run(self, *, check_mode: bool = False, **params: t.Any) -> Result:
        given = {**AT_ONCE, "fence": self.fence, **params}
        return self.place.run(feature_ramp, check_mode=check_mode, **given)

    def judged(self, verdict: str, percentage: int, **params: t.Any) -> Result:
        return self.run(state="judged", verdict=verdict, percentage=percentage, **params)

    def look(self, **params: t.Any) -> Result:
        return self.place.run(feature_ramp, state="read", **AT_ONCE, **params)

    def body(self) -> t.Any:
        return self.place.read("configmaps", "feature-flags")

    def stands(self) -> tuple[str, str, list[str]]:
        """The percentage, the verdict and what the history tells, as kubectl reads them."""
        body = self.body()
        state = json.loads(body["metadata"]["annotations"]["easymo.com/ramp"])
        told = [f"{one['what']} {one['from']}-{one['to']}" for one in state["history"]]
        return body["data"][FLAG], state["verdict"], told

    def twelve(self, after: tuple[str, str, list[str]], **params: t.Any) -> None:
        """Predicted and not written, written, and then neither predicted nor written again."""
        before = self.body()
        predicted = self.run(check_mode=True, **params)
        assert predicted["changed"] is True
        assert predicted["diff"]["before"] != predicted["diff"]["after"]
        assert self.body() == before
        real = self.run(**params)
        assert real["changed"] is True
        assert (real["action"], real["checksum"]) == (predicted["action"], predicted["checksum"])
        assert self.stands() == after
        written = self.body()
        for check_mode in (True, False):
            again = self.run(check_mode=check_mode, **params)
            assert (again["changed"], again["checksum"]) == (False, real["checksum"])
            assert again["diff"]["before"] == again["diff"]["after"]
        assert self.body() == written


@pytest.fixture
def ramp(place: Place) -> t.Iterator[Ramp]:
    ramp = Ramp(place)
    yield ramp
    place.run(deploy_lock, state="free")


def test_up_judged_and_down_in_check_mode_for_real_and_again(ramp: Ramp) -> None:
    ramp.twelve(("1", "pending", ["raised 0-1"]))
    ramp.twelve(("1", "proceed", ["raised 0-1"]), state="judged", verdict="proceed", percentage=1)
    up = ["raised 0-1", "raised 1-5"]
    ramp.twelve(("5", "pending", up), percentage=5)
    ramp.twelve(("5", "hold", [*up, "held 5-5"]), state="judged", verdict="hold", percentage=5)
    ramp.twelve(
        ("1", "rollback", [*up, "held 5-5", "breached 5-1"]),
        state="judged", verdict="rollback", percentage=5,
    )  # fmt: skip
    ramp.twelve(
        ("0", "rollback", [*up, "held 5-5", "breached 5-1", "lowered 1-0"]), percentage=0, fence=0
    )
    assert ramp.body()["data"]["OTHER"] == "kept"


def test_what_kubectl_set_is_told_and_treated_by_rule(ramp: Ramp) -> None:
    ramp.run()
    patch = ["patch", "configmap", "feature-flags", "--field-manager=eve", "-p"]
    ramp.place.kubectl(*patch, json.dumps({"data": {FLAG: "7"}}))
    unknown = ramp.run()
    assert unknown["reason"] == "RampRefused"
    assert "'7', which is not a step" in unknown["msg"]
    assert "eve set it" in unknown["notes"][0]
    assert ramp.look()["action"] == "refuse"
    assert "'by' is ''" in ramp.run(release_reason="a mail")["msg"]
    ramp.place.kubectl(*patch, json.dumps({"data": {FLAG: "5"}}))
    found = ramp.run()
    assert (found["action"], found["changed"]) == ("watch", True)
    assert ramp.stands() == ("5", "pending", ["raised 0-1", "found 1-5"])
    assert ramp.run(percentage=1, fence=0)["action"] == "lower"
