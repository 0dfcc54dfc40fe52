from ansible_collections.easymo.deploy.plugins.filter.services import host_values

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
