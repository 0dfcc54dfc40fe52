"""What the Supabase CLI uploads for a checkout and what we upload for it: the same files, paths and metadata."""

import re
import shutil
import typing as t
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._diagnosis.rules import CURES
from sandbox.names import PREVIOUS_VERSION, RELEASE_VERSION
from tests import kubernetes_api
from tests.fakes.management_api import Management, Upload, management_api
from tests.integration.supabase import FUNCTIONS, Project, checkout_copy, project_of
from tests.interop.functions_checkout import FILES, ONLY_THEIRS, SERVE, SLUGS, Checkout
from tests.interop.toolchain import Tool

Uploads = dict[str, Upload]


@pytest.fixture
def checkout(supabase_cli, tmp_path) -> Checkout:
    return made(supabase_cli, tmp_path)


def made(cli: Tool, folder: Path) -> Checkout:
    (folder / "home").mkdir()
    (folder / "workspace").mkdir()
    return Checkout(folder / "workspace", cli, folder / "home")


def both(
    checkout: Checkout, api: Management, *words: str, **options: t.Any
) -> tuple[Uploads, Uploads]:
    """Theirs and ours."""
    theirs = checkout.supabase(api, "deploy", *words, "--yes", "-j", "4")
    assert theirs["rc"] == 0, theirs
    uploaded = api.by_slug()
    api.uploads.clear()
    api.functions.clear()
    ours = checkout.deploy(api, **options)
    assert ours["activated"] is True, ours
    return uploaded, api.by_slug()


@pytest.fixture(scope="module")
def uploads(supabase_cli, tmp_path_factory) -> tuple[Uploads, Uploads]:
    checkout = made(supabase_cli, tmp_path_factory.mktemp("checkout"))
    checkout.write(FILES)
    with management_api() as api:
        return both(checkout, api)


def test_the_same_functions_are_uploaded(uploads):
    theirs, ours = uploads
    assert sorted(ours) == sorted(theirs) == [slug for slug in SLUGS if slug != "off"]


@pytest.mark.parametrize("slug", [slug for slug in SLUGS if slug != "off"])
def test_the_same_files_and_metadata_are_uploaded(uploads, slug):
    theirs, ours = uploads[0][slug], uploads[1][slug]
    only_theirs = {f"supabase/functions/{name}" for name in ONLY_THEIRS.get(slug, set())}
    assert set(theirs.files) - set(ours.files) == only_theirs
    assert {**theirs.files, **ours.files} == theirs.files
    assert list(ours.metadata.items()) == list(theirs.metadata.items())


def test_the_policy_of_the_command_line(checkout):
    checkout.write(
        {
            "one/index.ts": SERVE,
            "two/index.ts": SERVE,
            "supabase/config.toml": "[functions.one]\nverify_jwt = true",
        }
    )
    with management_api() as api:
        theirs, ours = both(checkout, api, "--no-verify-jwt", verify_jwt=False)
    assert ours == theirs
    assert {upload.metadata["verify_jwt"] for upload in ours.values()} == {False}


def test_the_import_map_of_old(checkout):
    checkout.write({"import_map.json": '{"imports": {"v": "./_shared/v.ts"}}', "_shared/v.ts": ""})
    checkout.write(
        {"one/index.ts": 'import "v";\n' + SERVE, "two/index.ts": SERVE, "two/deno.json": "{}"}
    )
    with management_api() as api:
        theirs, ours = both(checkout, api)
    assert ours == theirs
    assert ours["one"].metadata["import_map_path"] == "supabase/functions/import_map.json"


def test_what_the_cli_lets_pass_we_refuse(checkout):
    checkout.write(
        {
            "gone/index.ts": 'import "./gone.ts";\n' + SERVE,
            "no-static/index.ts": SERVE,
            "outside/index.ts": 'import "../../../../x.ts";\n' + SERVE,
            "_health/index.ts": SERVE,
            "supabase/config.toml": '[functions.no-static]\nstatic_files = ["./no/*.html"]',
        }
    )
    with management_api() as api:
        assert checkout.supabase(api, "deploy", "--yes")["rc"] == 0
        assert sorted(api.by_slug()) == ["gone", "no-static", "outside"]
        api.uploads.clear()
        assert "'_health' cannot be the name" in checkout.deploy(api)["msg"]
        for slug, said in (
            ("gone", "gone/index.ts line 1 imports it"),
            ("no-static", "No file matches supabase/no/*.html"),
            ("outside", "from outside the checkout"),
        ):
            ours = checkout.deploy(api, names=[slug])
            assert (ours["reason"], said in ours["msg"]) == ("InvalidInput", True), ours
        assert api.uploads == []


REFUSED = {
    "an import map of old": {"one/index.ts": SERVE, "one/import_map.json": "{}"},
    "an import map that cannot be read": {
        "one/index.ts": SERVE,
        "one/deno.json": "{",
        "two/index.ts": SERVE,
        "two/deno.json": '{"imports": {"x": "./gone.ts"}}',
    },
}


@pytest.mark.parametrize("files", REFUSED.values(), ids=REFUSED)
def test_what_the_cli_refuses_we_refuse(checkout, files):
    checkout.write(files)
    with management_api() as api:
        assert checkout.supabase(api, "deploy", "--yes")["rc"] == 1
        assert checkout.deploy(api)["reason"] == "InvalidInput"
        assert api.uploads == []


@pytest.fixture
def project(world) -> t.Iterator[Project]:
    with project_of(world) as found:
        yield found


@pytest.fixture
def recorded(world) -> t.Iterator[dict[str, t.Any]]:
    """The options of a release whose record is in a namespace of its own."""
    kubeconfig, namespace = world.facts("kubernetes")["kubeconfig"], f"test-{uuid.uuid4().hex[:8]}"
    kubernetes_api.create_namespace(kubeconfig, namespace)
    kubernetes = {"kubeconfig": kubeconfig, "namespace": namespace}
    yield {"release": "2.0.0", "kubernetes": kubernetes}
    kubernetes_api.delete_namespace(kubeconfig, namespace)


def test_what_one_deployed_the_other_finds_deployed_and_gets_back(project, checkout, recorded):
    """On the sandbox, which runs what it is sent."""
    token = project.facts["access_token"]
    checkout = replace(checkout, project_ref=project.facts["project_ref"])
    shutil.rmtree(checkout.workspace)
    functions = checkout_copy(RELEASE_VERSION, checkout.workspace)
    with management_api(project.facts["management_url"]) as api:
        theirs = checkout.supabase(api, "deploy", *FUNCTIONS, "--yes", "-j", "4", token=token)
        assert theirs["rc"] == 0, theirs
        assert project.call("health").json()["version"] == RELEASE_VERSION
        api.uploads.clear()
        ours = checkout.deploy(api, token=token, names=list(FUNCTIONS))
        assert (ours["changed"], api.uploads) == (False, []), ours

        version = functions / "_shared" / "version.ts"
        version.write_text(version.read_text().replace(RELEASE_VERSION, PREVIOUS_VERSION))
        ours = checkout.deploy(api, token=token, names=list(FUNCTIONS), **recorded)
        assert [change["kind"] for change in ours["changes"]] == ["changed"] * 4
        assert project.call("health").json()["version"] == PREVIOUS_VERSION

        back = checkout.deploy(api, token=token, state="restored", **recorded)
        assert back["changed"] is True
        assert project.call("health").json()["version"] == RELEASE_VERSION
        shutil.rmtree(functions)
        downloaded = checkout.supabase(api, "download", "wa-webhook", token=token)
        assert downloaded["rc"] == 0, downloaded
    original = checkout_copy(RELEASE_VERSION, checkout.home / "original")
    for path in functions.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (original / path.relative_to(functions)).read_bytes(), path
    assert (functions / "wa-webhook" / "index.ts").exists()


def test_a_missing_secret_is_set_by_the_command_that_a_diagnosis_prints(project, checkout):
    token, name = project.facts["access_token"], "A_TEST_S_OWN"
    checkout = replace(checkout, project_ref=project.facts["project_ref"])
    checkout_copy(RELEASE_VERSION, checkout.workspace)
    needed = {"token": token, "names": ["health"], "required_secrets": [name]}
    hint = CURES["no_secret"]
    _program, command, *words = re.search(r"supabase .+?…", hint)[0].format(subject=name).split()
    with management_api(project.facts["management_url"]) as api:
        assert f"the functions need: {name}" in checkout.deploy(api, **needed)["msg"]
        typed = [word.replace("…", "1234") for word in words]
        done = checkout.supabase(api, *typed, "--yes", token=token, command=command)
        assert done["rc"] == 0, done
        try:
            assert not checkout.deploy(api, **needed).get("failed")
        finally:
            project.client.call("DELETE", "/secrets", [name])
