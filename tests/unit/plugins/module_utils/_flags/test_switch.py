import typing as t
from dataclasses import replace

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import (
    KILL_SWITCH_ANNOTATION,
    KILL_SWITCH_EPOCH_ANNOTATION,
)
from ansible_collections.easymo.deploy.plugins.module_utils._flags.apply import (
    RESET_AUTOMATIC,
    KilledError,
    KillSwitch,
    decide_flags,
    refuse_up,
    wish_under,
)
from ansible_collections.easymo.deploy.plugins.module_utils._flags.plan import FlagsPlan, Wish
from tests.fakes.cluster import MemoryCluster

OFF = {"FEATURE_AGENTS": "false", "FEATURE_AGENTS_ROLLOUT_PERCENTAGE": "0"}
AGENTS, PERCENTAGE = OFF
ON = {AGENTS: "true", PERCENTAGE: "5"}
SET = KillSwitch(set_at="2026-11-24T09:00:00Z", by="ada@ops", reason="error rate 7 %", flags=OFF)
KILLED = {KILL_SWITCH_ANNOTATION: SET.to_annotation()}


def change(
    cluster: MemoryCluster, flags: dict[str, str | None], annotations: t.Any = None
) -> FlagsPlan:
    wish = Wish(flags, annotations or {})
    return decide_flags(cluster, "feature-flags", lambda _observed: wish, check_mode=False)


def turn_on(cluster: MemoryCluster, fence: int = 0) -> FlagsPlan:
    """As a deployment does it, which resets a switch that was set automatically."""
    return decide_flags(
        cluster,
        "feature-flags",
        lambda observed: wish_under(RESET_AUTOMATIC, observed, dict(ON), fence=fence),
        check_mode=False,
    )


def data_of(cluster: MemoryCluster) -> dict[str, str]:
    return cluster.objects["ConfigMap", "feature-flags"]["data"]


def test_it_is_read_as_it_was_written():
    assert KillSwitch.from_annotations(KILLED) == SET
    assert KillSwitch.from_annotations({}) is None


@pytest.mark.parametrize("text", ["", "true", "[]", "{}", '{"set_at": 1}', "{", '{"flags": 3}'])
def test_one_that_cannot_be_read_counts_as_set_by_a_person(text):
    switch = KillSwitch.from_annotations({KILL_SWITCH_ANNOTATION: text})
    assert switch is not None
    assert not switch.automatic
    with pytest.raises(KilledError, match="cannot be read"):
        refuse_up(switch, {}, {AGENTS: "true"})
    refuse_up(switch, {AGENTS: "true", PERCENTAGE: "5"}, {AGENTS: "false", PERCENTAGE: "0"})


@pytest.mark.parametrize(
    ("before", "wanted", "refused"),
    [
        ({}, {AGENTS: "true"}, True),
        ({AGENTS: "true"}, {AGENTS: "true"}, True),
        ({AGENTS: "false"}, {AGENTS: None}, True),
        ({PERCENTAGE: "0"}, {PERCENTAGE: "1"}, True),
        ({PERCENTAGE: "10"}, {PERCENTAGE: "10"}, True),
        ({PERCENTAGE: "ten"}, {PERCENTAGE: "1"}, True),
        ({PERCENTAGE: "10"}, {PERCENTAGE: "5"}, False),
        ({PERCENTAGE: "10"}, {PERCENTAGE: "0", AGENTS: "false"}, False),
        ({AGENTS: "true"}, {"FEATURE_BUYER_AGENT": "true"}, False),
    ],
)
def test_what_is_held_off_is_not_turned_on(before, wanted, refused):
    refuse_up(None, before, wanted)
    if not refused:
        refuse_up(SET, before, wanted)
        return
    with pytest.raises(KilledError) as raised:
        refuse_up(SET, before, wanted)
    text = str(raised.value)
    for part in ("ada@ops", "2026-11-24 09:00:00 UTC", "error rate 7 %", "-e reset=true"):
        assert part in text
    assert raised.value.details["kill_switch"]["by"] == "ada@ops"


def test_no_write_turns_the_feature_on_while_the_switch_is_set():
    cluster = MemoryCluster()
    change(cluster, dict(OFF), KILLED)
    with pytest.raises(KilledError):
        change(cluster, {PERCENTAGE: "5"})
    assert data_of(cluster) == OFF


def test_a_kill_between_read_and_write_wins():
    cluster = MemoryCluster()
    change(cluster, {AGENTS: "true", PERCENTAGE: "1"})
    cluster.before_write = lambda: change(cluster, dict(OFF), KILLED) and None
    with pytest.raises(KilledError, match="ada@ops"):
        change(cluster, {PERCENTAGE: "5"})
    assert data_of(cluster) == OFF


def test_a_kill_right_after_the_write_is_named_and_no_riddle():
    cluster = MemoryCluster()
    change(cluster, {AGENTS: "true", PERCENTAGE: "1"})
    put = cluster.put

    def put_and_kill(kind: str, body: dict[str, t.Any]) -> dict[str, t.Any]:
        cluster.put = put  # type: ignore[method-assign]
        written = put(kind, body)
        change(cluster, dict(OFF), KILLED)
        return written

    cluster.put = put_and_kill  # type: ignore[method-assign]
    with pytest.raises(KilledError, match="ada@ops"):
        change(cluster, {PERCENTAGE: "5"})
    assert data_of(cluster) == OFF


def test_setting_and_resetting_it_are_writes_that_it_lets_through():
    cluster = MemoryCluster()
    change(cluster, dict(OFF), KILLED)
    change(cluster, {}, {KILL_SWITCH_ANNOTATION: None})
    change(cluster, dict(ON))
    assert data_of(cluster) == ON


@pytest.mark.parametrize("others", [{}, {"FEATURE_WALLET_LIMITS": "false"}], ids=["alone", "two"])
def test_a_deployment_lets_go_of_its_own_flags_and_of_no_other_release_s(others):
    held = replace(SET, automatic=True, flags={**OFF, **others})
    cluster = MemoryCluster()
    change(cluster, {**OFF, **others}, {KILL_SWITCH_ANNOTATION: held.to_annotation()})
    plan = turn_on(cluster)
    assert data_of(cluster) == {**ON, **others}
    left = KillSwitch.from_annotations(plan.annotations)
    assert left == (replace(held, flags=others) if others else None)
    if others:
        with pytest.raises(KilledError):
            change(cluster, dict.fromkeys(others, "true"))


@pytest.mark.parametrize(
    ("epoch", "fence", "resets"),
    [("4", 4, False), ("4", 3, False), ("4", 5, True), (None, 4, True), ("4", 0, True)],
    ids=["this very run", "an earlier run", "a later run", "from before epochs", "no lock"],
)
def test_a_run_does_not_reset_the_switch_that_was_set_while_it_held_the_lock(
    epoch, fence, *, resets
):
    cluster = MemoryCluster()
    held = {KILL_SWITCH_ANNOTATION: replace(SET, automatic=True, flags=OFF).to_annotation()}
    change(cluster, dict(OFF), {**held, KILL_SWITCH_EPOCH_ANNOTATION: epoch})
    if resets:
        assert turn_on(cluster, fence).changed
        assert data_of(cluster) == ON
    else:
        with pytest.raises(KilledError, match="automatically"):
            turn_on(cluster, fence)
        assert data_of(cluster) == OFF
