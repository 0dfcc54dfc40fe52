# SPDX-License-Identifier: GPL-3.0-or-later
"""Which comparisons a release watches, and which share of its users it says has the feature."""

from __future__ import annotations

from sandbox.world import World
from tests.integration.inventory_values import ROOT, evaluated

SANDBOX = ROOT / "inventories" / "sandbox"
FLAG = "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE"


def test_phase_7_is_told_what_the_ramp_has_made_of_the_percentage(world: World) -> None:
    share = "{{ monitoring_treated_share | float }}"
    moved = {"feature_flags_standing": {FLAG: 100}}
    at_once = {"release_percentage_flag": ""}
    told = evaluated(
        SANDBOX, "preflight", [(share, {}), (share, moved), (share, at_once)], world.directory
    )
    assert told == [0.01, 1.0, 1.0]


def test_a_comparison_ships_and_a_rehearsal_too_short_for_it_leaves_it_out(world: World) -> None:
    names = "{{ monitoring_metrics | map(attribute='name') | list }}"
    ramps = "{{ feature_ramp_metrics | map(attribute='name') | list }}"
    compare = {"release_compare_cohorts": True}
    shipped, ramped, short = evaluated(
        SANDBOX, "preflight", [(names, compare), (ramps, compare), (names, {})], world.directory
    )
    assert shipped == ramped
    assert {*shipped} - {*short} == {"failing_users"}
