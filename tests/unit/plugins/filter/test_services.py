"""The services of an inventory: their waves, of which a release may roll only some, and their variables."""

from ansible_collections.easymo.deploy.plugins.filter.services import host_values, service_waves

GROUPS = {"services": list("abcd"), "service_wave_1": ["a"], "service_wave_2": ["b", "c"]}


def test_a_release_of_some_services_has_only_their_waves():
    assert service_waves(GROUPS, "services") == [["a"], ["b", "c"], ["d"]]
    assert service_waves(GROUPS, "services", ["d", "b"]) == [["b"], ["d"]]
    assert service_waves(GROUPS, "services", []) == []


HOSTVARS = {
    "wallet": {"deployment": "wallet-service", "image": "easymo/wallet:v2"},
    "buyer": {"deployment": "buyer-service"},
}


def test_each_host_brings_its_own_values_in_the_order_asked_for():
    names = {"name": "deployment", "image": "image"}
    assert host_values(["buyer", "wallet"], HOSTVARS, names) == [
        # What a host does not have is for whoever uses it to default or to refuse.
        {"host": "buyer", "name": "buyer-service"},
        {"host": "wallet", "name": "wallet-service", "image": "easymo/wallet:v2"},
    ]
