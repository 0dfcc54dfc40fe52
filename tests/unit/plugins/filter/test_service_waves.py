"""The waves of an inventory, of which a release may roll only some services."""

from ansible_collections.easymo.deploy.plugins.filter.services import service_waves

GROUPS = {"services": list("abcd"), "service_wave_1": ["a"], "service_wave_2": ["b", "c"]}


def test_a_release_of_some_services_has_only_their_waves():
    assert service_waves(GROUPS, "services") == [["a"], ["b", "c"], ["d"]]
    assert service_waves(GROUPS, "services", ["d", "b"]) == [["b"], ["d"]]
    assert service_waves(GROUPS, "services", []) == []
