"""What each channel says of states that operations of the product leave, beside what stands in the cluster."""

import itertools

import pytest

from tests.simulation.invariants.channels import ChannelInvariants
from tests.simulation.looks import look_of
from tests.unit.plugins.module_utils._story.announcements import Announcements
from tests.unit.plugins.module_utils._story.states import FEWER, SERVICES, STATES, stands

KINDS = {"configmaps": "ConfigMap", "deployments": "Deployment", "leases": "Lease"}
IN_TURN = itertools.cycle(("closed", "frozen", "locked", "rest:172800"))
"""What a channel says of one of these hardly depends on the state: each state has one of them."""
SITUATIONS = [
    *STATES,
    *(f"{words} kill" for words in FEWER),
    *(f"{words} {after}" for words, after in zip(FEWER, IN_TURN, strict=False)),
]


@pytest.mark.parametrize("words", SITUATIONS)
def test_each_channel_says_what_stands(words: str) -> None:
    world = stands(words)

    def find(plural, name):
        return world.cluster.objects.get((KINDS[plural], name))

    def check(holds, what):
        assert holds, what

    look = look_of(world.cluster, "2.0.0", world.options(), world.wall())
    ChannelInvariants(SERVICES, find, check).look(look)
    # Nothing that is announced depends on a window, a freeze, a lock or an hour.
    if words in STATES or words.endswith(" kill"):
        Announcements(world, check).look(look.status)
