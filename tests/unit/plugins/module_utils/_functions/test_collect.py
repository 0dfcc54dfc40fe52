from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._functions.collect import (
    Collected,
    FolderCheckout,
    collect_functions,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions.models import FunctionSource
from tests.tables import cases

ROOT = "supabase/functions"
REF = "abcdefghijklmnopqrst"
INDEX = f"{ROOT}/hello/index.ts"


class Folder:
    """A checkout on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, files: t.Mapping[str, str]) -> Folder:
        for name, text in files.items():
            # Most of what a test says lies among the functions.
            place = self.path / (name if name.startswith("supabase") else f"{ROOT}/{name}")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        return self

    def collect(self, *names: str, **options: t.Any) -> Collected:
        (self.path / ROOT).mkdir(parents=True, exist_ok=True)
        given = {"project_ref": REF, "names": names or None, **options}
        policies = {"verify_jwt": None, "verify_jwt_by_name": {}}
        return collect_functions(FolderCheckout(self.path), ROOT, policies | given)

    def hello(self, **options: t.Any) -> FunctionSource:
        (source,) = self.collect("hello", **options).sources
        return source

    def files(self) -> set[str]:
        return {path.removeprefix(f"{ROOT}/") for path in self.hello().files}


@pytest.fixture
def folder(tmp_path) -> Folder:
    return Folder(tmp_path)


@cases(("text", "more"), {
    "import": ('import { a } from "./a.ts";', {"hello/a.ts"}),
    "nested": ('import "../_shared/b.ts"', {"_shared/b.ts", "_shared/c.ts"}),
    "in-a-comment": ('// import "./a.ts";', set()),
    "in-a-comment-and-not-there": ('// import "./gone.ts";', set()),
    "as-the-cli-follows-it": ('export const A = "./a.ts";', {"hello/a.ts"}),
    "as-the-cli-follows-it-and-not-there": ('export const A = "./gone.ts";', set()),
    "packages": ('import x from "npm:zod"; import y from "jsr:@std/x"', set()),
    "address": ('import x from "https://deno.land/x.ts";', set()),
    "without-an-ending": ('import x from "./a";', set()),
})  # fmt: skip
def test_imports_are_followed(folder, text, more):
    folder.write({"hello/index.ts": text, "hello/a.ts": "", "_shared/b.ts": 'import "./c.ts"'})
    folder.write({"_shared/c.ts": "", "_shared/unused.ts": ""})
    assert folder.files() == {"hello/index.ts", *more}


IMPORT_MAPS = {
    "folder": ('{"imports": {"@s/": "../_shared/"}}', 'import "@s/b.ts"', {"_shared/b.ts", "_shared/c.ts"}),
    "file": ('{"imports": {"b": "../_shared/b.ts"}}', 'import "b"', {"_shared/b.ts"}),
    "unused file with its imports": ('{"imports": {"a": "./a.ts"}}', "", {"hello/a.ts", "_shared/b.ts"}),
    "bare target": ('{"imports": {"b": "a.ts"}}', 'import "b"', {"hello/a.ts", "_shared/b.ts"}),
    "package": ('{"imports": {"zod": "npm:zod@3"}}', 'import "zod"', set()),
    "comments": ('{ // shared\n "imports": {"b": "../_shared/b.ts",},}', 'import "b"', {"_shared/b.ts"}),
    "longest": ('{"imports": {"@/": "../_shared/", "@/x/": "../other/"}}', 'import "@/x/d.ts"',
                {"_shared/b.ts", "_shared/c.ts", "other/d.ts"}),
    "scope": ('{"imports": {"b": "npm:b"}, "scopes": {"../hello/": {"b": "../_shared/b.ts"}}}', 'import "b"',
              {"_shared/b.ts"}),
}  # fmt: skip


@pytest.mark.parametrize(("text", "code", "more"), IMPORT_MAPS.values(), ids=IMPORT_MAPS)
def test_the_import_map_is_uploaded_with_what_it_names(folder, text, code, more):
    folder.write(
        {"hello/deno.json": text, "hello/index.ts": code, "hello/a.ts": 'import "../_shared/b.ts"'}
    )
    folder.write({"_shared/b.ts": "", "_shared/c.ts": "", "other/d.ts": ""})
    assert folder.files() == {"hello/index.ts", "hello/deno.json", *more}
    assert folder.hello().import_map == f"{ROOT}/hello/deno.json"


def test_a_scope_counts_for_its_importers_alone(folder):
    scopes = '{"scopes": {"./inner/": {"dep": "../_shared/b.ts"}}}'
    folder.write(
        {"hello/deno.json": scopes, "hello/index.ts": 'import "dep.ts"', "_shared/b.ts": ""}
    )
    assert folder.files() == {"hello/index.ts", "hello/deno.json", "_shared/b.ts"}
    folder.write({"hello/deno.json": '{"scopes": {"./inner/": {"dep": "npm:dep"}}}'})
    assert folder.files() == {"hello/index.ts", "hello/deno.json"}


def test_deno_may_have_its_import_map_elsewhere(folder):
    folder.write(
        {
            "hello/deno.json": '{"importMap": "../maps/import_map.json"}',
            "maps/import_map.json": '{"imports": {"b": "../_shared/b.ts"}}',
            "hello/index.ts": 'import "b"',
            "_shared/b.ts": "",
        }
    )
    assert folder.hello().import_map == f"{ROOT}/hello/deno.json"
    assert folder.files() == {
        "hello/index.ts",
        "hello/deno.json",
        "maps/import_map.json",
        "_shared/b.ts",
    }
    folder.write({"maps/deno.json": '{"importMap": "deno.json"}'})
    folder.write({"hello/deno.json": '{"importMap": "../maps/deno.json"}'})
    with pytest.raises(InputError, match="refers to itself"):
        folder.hello()


ORDER = ["deno.json", "deno.jsonc"]


@pytest.mark.parametrize("present", [2, 1, 0])
def test_the_nearest_import_map_counts(folder, present):
    folder.write({"hello/index.ts": "", "import_map.json": "{}", "own.json": "{}"})
    for name in ORDER[2 - present :]:
        folder.write({f"hello/{name}": "{}"})
    nearest = f"{ROOT}/hello/{ORDER[2 - present]}" if present else f"{ROOT}/import_map.json"
    assert folder.hello().import_map == nearest
    folder.write({"supabase/config.toml": '[functions.hello]\nimport_map = "./functions/own.json"'})
    assert folder.hello().import_map == f"{ROOT}/own.json"


def test_each_function_follows_its_settings(folder):
    folder.write(
        {
            "supabase/config.toml": """
                [functions.hello]
                verify_jwt = false
                entrypoint = "./functions/hello/main.tsx"
                static_files = ["./functions/hello/*.html", "./functions/hello/deep/**", "functions/hello/one.txt"]
                [functions.off]
                enabled = false
            """,
            "hello/main.tsx": "",
            "hello/index.ts": "",
            "hello/a.html": "",
            "hello/deep/b.html": "",
            "hello/deep/er/c.css": "",
            "hello/one.txt": "",
            "hello/two.txt": "",
            "off/index.ts": "",
        }
    )
    collected = folder.collect()
    (source,) = collected.sources
    assert collected.disabled == ("off",)
    assert source.entrypoint == f"{ROOT}/hello/main.tsx"
    assert source.verify_jwt is False
    assert source.static_patterns == (
        f"{ROOT}/hello/*.html", f"{ROOT}/hello/deep/**", f"{ROOT}/hello/one.txt",
    )  # fmt: skip
    wanted = ("main.tsx", "a.html", "deep/b.html", "deep/er/c.css", "one.txt")
    assert set(source.files) == {f"{ROOT}/hello/{name}" for name in wanted}


def test_one_projects_settings_override_those_of_all(folder):
    folder.write(
        {
            "hello/index.ts": "",
            "supabase/config.toml": f"""
                [functions.hello]
                verify_jwt = true
                [remotes.production]
                project_id = "{REF}"
                [remotes.production.functions.hello]
                verify_jwt = false
                [remotes.other]
                project_id = "tsrqponmlkjihgfedcba"
                [remotes.other.functions.hello]
                enabled = false
            """,
        }
    )
    assert folder.hello().verify_jwt is False


@pytest.mark.parametrize(
    ("options", "policy"),
    [
        pytest.param({}, True, id="config"),
        pytest.param({"verify_jwt": False}, False, id="all"),
        pytest.param({"verify_jwt": True, "verify_jwt_by_name": {"hello": False}}, False, id="one"),
    ],
)
def test_the_nearest_policy_counts(folder, options, policy):
    folder.write(
        {"hello/index.ts": "", "supabase/config.toml": "[functions.hello]\nverify_jwt = true"}
    )
    assert folder.hello(**options).verify_jwt is policy


def test_without_a_policy_the_upload_says_nothing_of_one(folder):
    folder.write({"hello/index.ts": ""})
    assert "verify_jwt" not in folder.hello().metadata()


WRONG = {
    "import": ({"hello/index.ts": '\nimport "./gone.ts";'}, rf"hello/gone\.ts \({INDEX} line 2 imports it\)"),
    "entrypoint": ({"hello/a.ts": ""}, r"hello/index\.ts \(it is the function's entrypoint\)"),
    "mapped": ({"hello/deno.json": '{"imports": {"x": "./gone.ts"}}', "hello/index.ts": ""},
               r"hello/gone\.ts \(.*deno\.json maps 'x' to it\)"),
    "map": ({"hello/index.ts": "", "supabase/config.toml": '[functions.hello]\nimport_map = "./no.json"'},
            r"config\.toml names supabase/no\.json"),
    "old map": ({"hello/index.ts": "", "hello/import_map.json": "{}"}, r"call it deno\.json"),
    "static": ({"hello/index.ts": "", "supabase/config.toml": '[functions.hello]\nstatic_files = ["./x/*.html"]'},
               r"No file matches supabase/x/\*\.html"),
    "outside": ({"hello/index.ts": 'import "../../../../x.ts"'}, r"\.\./x\.ts from outside the checkout"),
    "absolute": ({"hello/index.ts": 'import "/x.ts"'}, r"/x\.ts from outside the checkout"),
    "toml": ({"hello/index.ts": "", "supabase/config.toml": "[functions"}, r"config\.toml is not TOML"),
    "kind": ({"hello/index.ts": "", "supabase/config.toml": '[functions.hello]\nverify_jwt = "perhaps"'},
             r"config\.toml is wrong about function 'hello': .*verify_jwt"),
    "json": ({"hello/index.ts": "", "hello/deno.json": "{"}, r"deno\.json is not JSON"),
}  # fmt: skip


@pytest.mark.parametrize(("files", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_a_checkout_is_told_with_its_place(folder, files, words):
    folder.write(files)
    with pytest.raises(InputError, match=words):
        folder.hello()


def test_everything_that_is_wrong_is_told_at_once(folder):
    folder.write(
        {"one/index.ts": 'import "./a.ts"; import "./b.ts"', "two/index.ts": 'import "./c.ts"'}
    )
    with pytest.raises(InputError, match=r"one/a\.ts.*one/b\.ts.*two/c\.ts"):
        folder.collect()


def test_a_link_out_of_the_repository_is_not_followed(folder, tmp_path):
    folder.write({"hello/index.ts": 'import "./a.ts"'})
    outside = tmp_path.parent / f"{tmp_path.name}.ts"
    outside.write_text("")
    (tmp_path / ROOT / "hello" / "a.ts").symlink_to(outside)
    with pytest.raises(InputError, match="is a link out of"):
        folder.hello()


@pytest.mark.parametrize(
    ("slug", "instead"),
    [("_health", "health"), ("1st", "st"), ("a/b", "a-b"), ("", "a name with"), ("a\n", "a")],
)
def test_a_name_that_supabase_does_not_allow_is_refused(folder, slug, instead):
    with pytest.raises(InputError, match=f"cannot be the name.*Call it {instead}.*below another"):
        folder.collect("hello", slug)


def test_a_folder_that_can_be_no_function_is_named_and_not_passed_over(folder):
    folder.write({"_health/index.ts": "", "hello/index.ts": "", "_shared/a.ts": ""})
    with pytest.raises(InputError, match="'_health' cannot be the name"):
        folder.collect()


def test_a_policy_for_a_function_that_is_not_deployed_is_a_mistake(folder):
    folder.write({"hello/index.ts": ""})
    with pytest.raises(InputError, match="names helo"):
        folder.hello(verify_jwt_by_name={"helo": False})
