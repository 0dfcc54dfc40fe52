"""Edge functions deployed, saved and restored in a project that really bundles and runs them."""

import hashlib
import json
import typing as t
import uuid
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.modules import edge_functions
from sandbox.names import PREVIOUS_VERSION, RELEASE_VERSION
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


def deploy(project: Project, directory: Path, *names: str, **arguments: t.Any) -> Result:
    given = {"directory": str(directory), "names": list(names), "verify_jwt": False, **arguments}
    return run_module(edge_functions, diff=True, **{**project.options, **given})


def save(project: Project, archive: Path, *names: str, **arguments: t.Any) -> Result:
    given = {"state": "saved", "archive": str(archive), "names": list(names), **arguments}
    return run_module(edge_functions, diff=True, **project.options, **given)


def restore(project: Project, archive: Path, **arguments: t.Any) -> Result:
    given = {"state": "restored", "archive": str(archive), **arguments}
    return run_module(edge_functions, diff=True, **project.options, **given)


def change(slug: str, kind: str, *files: str, settings: t.Sequence[str] = ()) -> dict[str, t.Any]:
    return {"slug": slug, "kind": kind, "files": list(files), "settings": list(settings)}


def without_versions(archive: Path) -> t.Any:
    """What an archive says, but for the versions that only ever go up."""
    content = json.loads(archive.read_text())
    for entry in content["functions"]:
        del entry["version"], entry["sha256"]
    return content


def test_created_changed_and_removed_in_check_mode_for_real_and_again(project, functions, tmp_path):
    slug = add_function(functions, HELLO)
    archive = tmp_path / "before.json"
    assert save(project, archive, slug)["unchanged"] == []
    steps: list[tuple[str, list[str], t.Callable[..., Result], tuple[int, str]]] = [
        ("new", ["index.ts"], lambda **a: deploy(project, functions, slug, **a), (200, "hello")),
        ("changed", ["index.ts"], lambda **a: deploy(project, functions, slug, **a), (200, "bye")),
        ("deleted", [], lambda **a: restore(project, archive, **a), (404, "not found")),
    ]
    for kind, files, act, (status, text) in steps:
        if kind == "changed":
            (functions / slug / "index.ts").write_text(HELLO.replace("hello", "bye"))
        before = project.listed()
        predicted = act(check=True)
        assert predicted["changes"] == [change(slug, kind, *files)]
        assert project.listed() == before

        real = act()
        assert real["changes"] == predicted["changes"]
        assert real["diff"] == predicted["diff"]
        answer = project.call(slug)
        assert answer.status_code == status
        assert text in answer.text

        after = project.listed()
        again = act()
        assert (again["changed"], again["changes"]) == (False, [])
        assert project.listed() == after


def test_what_was_saved_comes_back_byte_for_byte_and_with_its_settings(
    project, functions, tmp_path
):
    project.deploy(PREVIOUS_VERSION, with_jwt=["admin-metrics"])
    slug = add_function(functions, HELLO)
    names = (*FUNCTIONS, slug)
    sources = {name: project.download(name) for name in FUNCTIONS}
    archive = tmp_path / "before.json"

    assert save(project, archive, *names, check=True)["changed"] is True
    assert not archive.exists()
    assert save(project, archive, *names)["changed"] is True
    assert archive.stat().st_mode & 0o777 == 0o600
    saved = without_versions(archive)
    assert save(project, archive, *names)["changed"] is False

    assert deploy(project, functions, *names)["changed"] is True
    assert project.call("health").json()["version"] == RELEASE_VERSION
    assert project.listed()["admin-metrics"]["verify_jwt"] is False

    predicted = restore(project, archive, check=True)
    restored = restore(project, archive)
    assert restored["changes"] == predicted["changes"]
    assert restore(project, archive)["changed"] is False

    assert project.call("health").json()["version"] == PREVIOUS_VERSION
    assert project.call(slug).status_code == 404
    assert project.call("admin-metrics").json()["message"] == "Missing authorization header"
    assert {name: project.download(name) for name in FUNCTIONS} == sources
    assert save(project, tmp_path / "after.json", *names)["changed"] is True
    assert without_versions(tmp_path / "after.json") == saved


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


def test_an_archive_that_is_in_the_bucket_alone_leads_back(world, project, functions, tmp_path):
    s3 = bucket(world, f"test-{uuid.uuid4().hex[:8]}/")
    archive = tmp_path / "before.json"
    given = {"archive": str(archive), "release": "2.0.0", **s3}
    assert (
        "needs 'release'"
        in deploy(project, functions, "health", **{**given, "release": None})["msg"]
    )
    saved = deploy(project, functions, "health", **given)["saved"]
    stored = client(s3).get_object(Bucket=saved["bucket"], Key=saved["key"])["Body"].read()
    assert (hashlib.sha256(stored).hexdigest(), stored) == (saved["sha256"], archive.read_bytes())

    archive.unlink()
    asked = {"state": "restored", "archive_key": saved["key"], **s3}
    damaged = run_module(edge_functions, **project.options, **asked, archive_sha256="0" * 64)
    assert (damaged["reason"], project.call("health").json()["version"]) == (
        "InvalidInput",
        RELEASE_VERSION,
    )
    run_module(edge_functions, **project.options, **asked, archive_sha256=saved["sha256"])
    assert project.call("health").json()["version"] == PREVIOUS_VERSION
