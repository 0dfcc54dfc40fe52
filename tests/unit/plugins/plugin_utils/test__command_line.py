"""The playbooks beside the one that was typed are told as they would be typed, of a collection by its name."""

import pytest
from ansible import context
from ansible.module_utils.common.collections import ImmutableDict

from ansible_collections.easymo.deploy.plugins.module_utils._terminal.commands import typed_playbook
from ansible_collections.easymo.deploy.plugins.plugin_utils._process import playbooks_place


@pytest.mark.parametrize(
    ("typed", "other"),
    [
        (["playbooks/status.yml"], "playbooks/ramp.yml"),
        (["./playbooks/status.yml"], "./playbooks/ramp.yml"),
        (["status.yml"], "ramp.yml"),
        (["easymo.deploy.status"], "easymo.deploy.ramp"),
        ([], "ramp.yml"),
    ],
)
def test_a_neighbour_is_typed_alike(typed, other, monkeypatch):
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict(args=typed))
    assert typed_playbook(playbooks_place(), "ramp.yml") == other
