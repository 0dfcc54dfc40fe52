"""What the server takes of a body: known fields of the right type."""

import pytest

from sandbox.kubernetes.errors import ApiError
from sandbox.kubernetes.requests import Target, WriteOptions
from sandbox.kubernetes.resources import STORED
from sandbox.kubernetes.schema import decode_model
from sandbox.kubernetes.server import new_store
from sandbox.kubernetes.writing import Writer, decode


def writer(validation: str = "Strict", plural: str = "configmaps", name: str = "") -> Writer:
    target = Target(STORED[plural], "default", name)
    return Writer(
        new_store(), target, WriteOptions("me", validation=validation, manager_given=True)
    )


def test_nulls_and_empty_maps_go_and_empty_structs_stay():
    spec = {"containers": [{"name": "a", "args": []}], "volumes": [{"name": "v", "emptyDir": {}}]}
    pod = {"metadata": {"labels": {}, "creationTimestamp": None}, "spec": spec}

    taken = decode_model("V1Pod", pod).value

    assert taken == {
        "metadata": {},
        "spec": {"containers": [{"name": "a"}], "volumes": [{"name": "v", "emptyDir": {}}]},
    }


def test_quantities_may_be_numbers():
    resources = {"limits": {"cpu": 1, "memory": "1Gi"}}

    report = decode_model("V1ResourceRequirements", resources)

    assert (report.value, report.field_errors) == ({"limits": {"cpu": "1", "memory": "1Gi"}}, [])


def test_every_unknown_field_is_named_when_asked_to_be_strict():
    body = {"metadata": {"name": "x", "lables": {}}, "dta": {}}

    with pytest.raises(ApiError) as refused:
        writer().create(body)

    assert (refused.value.status, str(refused.value)) == (
        400,
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error:'
        ' unknown field "metadata.lables", unknown field "dta"',
    )


def test_otherwise_they_are_dropped_with_a_warning():
    lenient = writer("Warn")

    made = lenient.create({"metadata": {"name": "x"}, "dta": {"a": "1"}})

    assert "dta" not in made
    assert lenient.warnings == ['unknown field "dta"']


@pytest.mark.parametrize(("plural", "body", "words"), [
    ("configmaps", {"data": {"a": 5}}, "number into Go struct field ConfigMap.data of type string"),
    ("deployments", {"spec": {"replicas": "three"}},
     "string into Go struct field DeploymentSpec.spec.replicas of type int32"),
    ("pods", {"spec": {"containers": [{"image": True}]}},
     "bool into Go struct field Container.spec.containers.image of type string"),
])  # fmt: skip
def test_a_wrong_type_is_a_bad_request_in_gos_words(plural, body, words):
    with pytest.raises(ApiError) as refused:
        writer(plural=plural).create({"metadata": {"name": "x"}} | body)

    assert refused.value.status == 400
    assert str(refused.value).endswith(f"json: cannot unmarshal {words}")


def test_dates_in_yaml_are_strings_and_protobuf_is_415():
    assert decode(b"renewTime: 2026-11-24T09:00:00Z", "application/apply-patch+yaml") == {
        "renewTime": "2026-11-24T09:00:00Z"
    }
    with pytest.raises(ApiError) as refused:
        decode(b"k8s\x00", "application/vnd.kubernetes.protobuf")
    assert refused.value.status == 415


def test_applying_needs_a_manager_and_makes_what_is_not_there():
    anonymous = Writer(new_store(), Target(STORED["configmaps"], "default", "x"), WriteOptions("a"))
    with pytest.raises(ApiError) as refused:
        anonymous.patch({"data": {}}, "application/apply-patch+yaml")
    assert refused.value.status == 422

    status, made = writer(name="x").patch({"data": {"a": "1"}}, "application/apply-patch+yaml")
    assert (status, made["data"]) == (201, {"a": "1"})
    assert [entry["operation"] for entry in made["metadata"]["managedFields"]] == ["Apply"]


def test_a_custom_resource_is_held_to_its_own_fields():
    rule = {"alert": "a", "expr": 1, "for": "1m", "labels": {"notify": "x"}, "fro": "1m"}
    spec = {"groups": [{"name": "g", "rules": [rule], "interval": 30}]}
    report = decode_model("V1PrometheusRule", {"kind": "PrometheusRule", "spec": spec})
    assert report.unknown == ["spec.groups[0].rules[0].fro"]
    assert [one.path for one in report.field_errors] == ["spec.groups[0].interval"]
    assert report.value["spec"]["groups"][0]["rules"][0]["expr"] == 1
