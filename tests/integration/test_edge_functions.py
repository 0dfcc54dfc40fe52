"""Edge functions deployed, saved and restored in a project that really bundles and runs them."""

import base64
import gzip
import hashlib
import json
import typing as t
import uuid
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._functions import archive
from ansible_collections.easymo.deploy.plugins.modules import edge_functions
from sandbox.names import PREVIOUS_VERSION, RELEASE_VERSION
from tests.integration.conftest import Place
from tests.integration.plays import PLAY, connection, run_plays
from tests.integration.running import bucket, client
from tests.integration.supabase import FUNCTIONS, Project, add_function, checkout_copy, project_of
from tests.module_runner import Result, run_module

HELLO = 'Deno.serve(() => new Response("hello"));\n'


@pytest.fixture
def project(world) -> t.Iterator[Project]:
    with project_of(world) as found:
        yield found


@pytest.fixture
def functions(tmp_path) -> Path:
    """A checkout's supabase/functions at the new release."""
    return checkout_copy(RELEASE_VERSION, tmp_path / "checkout")


@pytest.fixture
def recorded(place) -> dict[str, t.Any]:
    """The options of a release whose record is in a namespace of its own."""
    return {"release": "2.0.0", "kubernetes": connection(place)}


def deploy(project: Project, directory: Path, *names: str, **arguments: t.Any) -> Result:
    given = {"directory": str(directory), "names": list(names), "verify_jwt": False, **arguments}
    return run_module(edge_functions, diff=True, **{**project.options, **given})


def restore(project: Project, **arguments: t.Any) -> Result:
    return run_module(edge_functions, diff=True, state="restored", **project.options, **arguments)


def saved_functions(place: Place, saved: t.Mapping[str, str]) -> t.Any:
    content = place.read("configmaps", f"release-2.0.0-{saved['attachment']}")["data"]["content"]
    return json.loads(gzip.decompress(base64.b64decode(content)))


def change(slug: str, kind: str, *files: str, settings: t.Sequence[str] = ()) -> dict[str, t.Any]:
    return {"slug": slug, "kind": kind, "files": list(files), "settings": list(settings)}


def test_created_changed_and_removed_in_check_mode_for_real_and_again(project, functions, recorded):
    slug = add_function(functions, HELLO)
    steps: list[tuple[str, list[str], t.Callable[..., Result], tuple[int, str]]] = [
        ("new", ["index.ts"], lambda **a: deploy(project, functions, slug, **a), (200, "hello")),
        ("changed", ["index.ts"], lambda **a: deploy(project, functions, slug, **a), (200, "bye")),
        ("deleted", [], lambda **a: restore(project, **a), (404, "not found")),
    ]
    for kind, files, act, (status, text) in steps:
        if kind == "changed":
            (functions / slug / "index.ts").write_text(HELLO.replace("hello", "bye"))
        before = project.listed()
        predicted = act(check=True, **recorded)
        assert predicted["changes"] == [change(slug, kind, *files)]
        assert project.listed() == before

        real = act(**recorded)
        assert real["changes"] == predicted["changes"]
        assert real["diff"] == predicted["diff"]
        answer = project.call(slug)
        assert answer.status_code == status
        assert text in answer.text

        after = project.listed()
        again = act(**recorded)
        assert (again["changed"], again["changes"]) == (False, [])
        assert project.listed() == after


def test_what_was_saved_comes_back_byte_for_byte_and_with_its_settings(
    project, functions, place, recorded
):
    project.deploy(PREVIOUS_VERSION, with_jwt=["admin-metrics"])
    slug = add_function(functions, HELLO)
    names = (*FUNCTIONS, slug)
    sources = {name: project.download(name) for name in FUNCTIONS}
    assert restore(project, **recorded)["changes"] == []
    assert deploy(project, functions, *names, **recorded, check=True)["changed"] is True
    assert place.read("configmaps", selector="easymo.com/release=2.0.0")["items"] == []

    deployed = deploy(project, functions, *names, **recorded)
    assert (deployed["changed"], deployed["activated"]) == (True, True)
    assert project.call("health").json()["version"] == RELEASE_VERSION
    assert project.listed()["admin-metrics"]["verify_jwt"] is False
    saved = saved_functions(place, deployed["saved"])
    assert saved["absent"] == [slug]
    assert {one["slug"]: one["verify_jwt"] for one in saved["functions"]} == {
        name: name == "admin-metrics" for name in FUNCTIONS
    }
    record = place.read("configmaps", "release-2.0.0")
    again = deploy(project, functions, *names, **recorded)
    assert (again["changed"], "saved" in again) == (False, False)
    assert place.read("configmaps", "release-2.0.0") == record

    predicted = restore(project, **recorded, check=True)
    restored = restore(project, **recorded)
    assert restored["changes"] == predicted["changes"]
    assert restore(project, **recorded)["changed"] is False

    assert project.call("health").json()["version"] == PREVIOUS_VERSION
    assert project.call(slug).status_code == 404
    assert project.call("admin-metrics").json()["message"] == "Missing authorization header"
    assert {name: project.download(name) for name in FUNCTIONS} == sources


def test_what_runs_is_what_the_checkout_holds(project, functions):
    deploy(project, functions, "wa-webhook")
    uploaded = project.download("wa-webhook")
    assert len(uploaded) > 5
    for name, content in uploaded.items():
        # The builder puts a folder of its own before the checkout's paths.
        path = functions / name.partition("supabase/functions/")[2]
        assert content == path.read_bytes(), name


@pytest.mark.parametrize("cause", ["fault", "syntax"])
def test_all_or_none_are_activated(project, functions, cause):
    if cause == "fault":
        project.break_down("bundle-fails", "admin-metrics")
    else:
        (functions / "admin-metrics" / "index.ts").write_text("Deno.serve(() => {\n")
    before = project.listed()
    result = deploy(project, functions, *FUNCTIONS)
    assert (result["failed"], result["reason"]) == (True, "Refused")
    assert result["functions"] == ["admin-metrics"]
    assert result["msg"].startswith("1 of 4 functions did not bundle, so none was activated: ")
    assert project.listed() == before
    assert project.call("health").json()["version"] == PREVIOUS_VERSION


def test_an_archive_that_is_in_the_bucket_alone_leads_back(
    world, project, functions, recorded, monkeypatch
):
    monkeypatch.setattr(archive, "LIMIT", 1000)
    s3 = bucket(world, f"test-{uuid.uuid4().hex[:8]}/")
    refused = deploy(project, functions, "health", **recorded)
    assert "there is no bucket: nothing was activated" in refused["msg"]
    assert project.call("health").json()["version"] == PREVIOUS_VERSION
    saved = deploy(project, functions, "health", **recorded, **s3)["saved"]
    stored = client(s3).get_object(Bucket=saved["bucket"], Key=saved["key"])["Body"].read()
    assert (saved["attachment"], hashlib.sha256(stored).hexdigest()) == ("", saved["sha256"])

    client(s3).put_object(Bucket=saved["bucket"], Key=saved["key"], Body=stored + b" ")
    damaged = restore(project, **recorded, **s3)
    assert damaged["reason"] == "InvalidInput"
    assert project.call("health").json()["version"] == RELEASE_VERSION
    client(s3).put_object(Bucket=saved["bucket"], Key=saved["key"], Body=stored)
    restore(project, **recorded, **s3)
    assert project.call("health").json()["version"] == PREVIOUS_VERSION


def test_a_release_needs_a_cluster_and_a_way_back_a_release(project):
    assert "'release': kubernetes" in restore(project, release="2.0.0")["msg"]
    assert "release" in restore(project)["msg"]


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "recorded"])
def test_the_role_deploys_with_and_without_a_record(project, functions, place, tmp_path, alone):
    role = {
        "edge_functions_names": [*FUNCTIONS],
        "edge_functions_release": RELEASE_VERSION,
        "edge_functions_base_url": project.url("").rstrip("/"),
        **({} if alone else {"kubernetes_connection": connection(place)}),
    }
    evidence = tmp_path / "evidence.json"
    keep = {"content": "{{ edge_functions_evidence | to_json }}", "dest": str(evidence)}
    tasks = [
        {"ansible.builtin.import_role": {"name": "easymo.deploy.edge_functions"}, "vars": role},
        {"ansible.builtin.copy": keep},
    ]
    defaults = {
        "easymo.deploy.edge_functions": {"directory": str(functions)},
        "group/easymo.deploy.supabase": project.options,
    }
    done = run_plays(tmp_path, {**PLAY, "module_defaults": defaults, "tasks": tasks})
    assert done.returncode == 0, done.stdout
    told = json.loads(evidence.read_text())
    assert [one["slug"] for one in told.pop("changes")] == [*FUNCTIONS]
    assert set(told) == {"unchanged", "extra", "turned", "disabled", "functions", "activated"}
    assert set(told["functions"]) == {*FUNCTIONS}
    kept = place.read("configmaps", selector="easymo.com/release=2.0.0")["items"]
    assert len(kept) == (0 if alone else 2)
