"""What phase 7 is told: which comparisons to watch, which share of the users has the feature, which watch counts."""

from tests.integration.inventory_values import ROOT, evaluated

SANDBOX = ROOT / "inventories" / "sandbox"
FLAG = "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE"


def test_phase_7_is_told_what_the_ramp_has_made_of_the_percentage(world):
    share = "{{ treated_share | float }}"
    moved = {"release_phase_opened": {"ramped": {FLAG: 100}}}
    at_once = {"release_percentage_flag": ""}
    told = evaluated(
        SANDBOX, "preflight", [(share, {}), (share, moved), (share, at_once)], world.directory
    )
    assert told == [0.01, 1.0, 1.0]


def test_a_comparison_ships_and_a_rehearsal_too_short_for_it_leaves_it_out(world):
    names = "{{ watched_metrics | map(attribute='name') | list }}"
    compare = {"release_compare_cohorts": True}
    shipped, short = evaluated(
        SANDBOX, "preflight", [(names, compare), (names, {})], world.directory
    )
    assert {*shipped} - {*short} == {"failing_users"}


def test_a_watch_that_was_over_before_the_flags_were_set_gets_a_time_of_its_own(world):
    def opened(**finished: str) -> dict[str, object]:
        phases = {name: {"finished": at} for name, at in finished.items()}
        return {"release_phase_opened": {"record": {"phases": phases}}}

    noon, later = "2026-11-18T12:00:00Z", "2026-11-18T12:00:01Z"
    questions = [
        opened(),
        opened(feature_flags=noon),
        opened(feature_flags=noon, monitoring=later),
        opened(feature_flags=later, monitoring=noon),
        {"release_phase_opened": {"record": None}},
    ]
    precedes = "{{ watch_precedes_flags | bool }}"
    told = evaluated(SANDBOX, "preflight", [(precedes, one) for one in questions], world.directory)
    assert told == [False, True, False, True, False]
