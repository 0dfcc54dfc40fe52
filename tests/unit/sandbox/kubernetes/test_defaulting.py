import pytest

from sandbox.kubernetes.defaulting import default_lease, default_pod_spec
from sandbox.kubernetes.errors import ApiError


def test_a_lease_s_times_are_written_in_utc():
    lease = {"spec": {"renewTime": "2026-11-24T11:00:00.000001+02:00", "acquireTime": None}}
    default_lease(lease)
    assert lease["spec"]["renewTime"] == "2026-11-24T09:00:00.000001Z"


def test_a_lease_s_time_without_its_microseconds_is_refused():
    with pytest.raises(ApiError, match=r'cannot parse "Z" as ".000000"') as caught:
        default_lease({"spec": {"renewTime": "2026-11-24T09:00:00Z"}})
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("volume", "made"),
    [
        pytest.param({"hostPath": {"path": "/x"}}, {"hostPath": {"path": "/x", "type": ""}}, id="hostPath"),
        pytest.param(
            {"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
            {
                "projected": {
                    "defaultMode": 420,
                    "sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}],
                }
            },
            id="projected token",
        ),
        pytest.param(
            {"downwardAPI": {"items": [{"path": "n", "fieldRef": {"fieldPath": "metadata.name"}}]}},
            {
                "downwardAPI": {
                    "defaultMode": 420,
                    "items": [
                        {"path": "n", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}
                    ],
                }
            },
            id="downward API",
        ),
        pytest.param(
            {"ephemeral": {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"]}}}},
            {
                "ephemeral": {
                    "volumeClaimTemplate": {
                        "spec": {"accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem"}
                    }
                }
            },
            id="ephemeral",
        ),
    ],
)  # fmt: skip
def test_volumes_are_filled_in_as_the_server_does(volume, made):
    spec = {"containers": [], "volumes": [{"name": "v", **volume}]}
    default_pod_spec(spec)
    assert spec["volumes"] == [{"name": "v", **made}]


def test_probes_hooks_and_references_are_filled_in_as_the_server_does():
    container = {
        "name": "c",
        "readinessProbe": {"grpc": {"port": 1}},
        "lifecycle": {"preStop": {"httpGet": {"port": 1}}},
        "env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}],
    }
    spec = {"containers": [container], "serviceAccountName": "payments"}
    default_pod_spec(spec)
    assert container["readinessProbe"]["grpc"] == {"port": 1, "service": ""}
    assert container["lifecycle"]["preStop"]["httpGet"] == {
        "port": 1,
        "path": "/",
        "scheme": "HTTP",
    }
    assert container["env"][0]["valueFrom"]["resourceFieldRef"]["divisor"] == "0"
    assert spec["serviceAccount"] == "payments"
