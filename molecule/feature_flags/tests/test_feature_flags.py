"""The flags stand in the ConfigMap and in the environment of every container that reads them."""

WANTED = {
    "FEATURE_AI_AGENTS": "true",
    "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE": "1",
    "FEATURE_BUYER_AGENT": "true",
    "FEATURE_MARKETPLACE_AGENT": "false",
}


def test_the_config_map_holds_them(witness):
    data = witness.read("configmap feature-flags")["data"]
    assert WANTED.items() <= data.items()


def test_every_pod_runs_with_them(witness):
    pods = witness.read("pods --selector=app=agent-core")["items"]
    names = [p["metadata"]["name"] for p in pods if "deletionTimestamp" not in p["metadata"]]
    assert names
    for name in names:
        lines = witness.kubectl(f"exec {name} -- env").splitlines()
        environment = dict(line.split("=", 1) for line in lines if "=" in line)
        assert WANTED.items() <= environment.items(), name


def test_they_are_ours_and_the_pods_were_made_for_them(witness):
    body = witness.read("configmap feature-flags --show-managed-fields")
    ours = [
        entry
        for entry in body["metadata"]["managedFields"]
        if (entry["manager"], entry["operation"]) == ("easymo-deploy", "Apply")
    ]
    assert {f"f:{name}" for name in WANTED} <= ours[0]["fieldsV1"]["f:data"].keys()
    template = witness.read("deployment agent-core")["spec"]["template"]
    assert template["metadata"]["annotations"]["easymo.com/config-checksum"]
