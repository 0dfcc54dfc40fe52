# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    InputError,
    RefusedError,
    UnreachableError,
    VerificationError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions.apply import apply_plan
from ansible_collections.easymo.deploy.plugins.module_utils._functions.archive import Archive
from ansible_collections.easymo.deploy.plugins.module_utils._functions.collect import (
    collect_function,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions.models import (
    Deployed,
    Source,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions.plan import plan_functions
from ansible_collections.easymo.deploy.plugins.module_utils._supabase_api import (
    parse_sources,
    uploaded_path,
)

ROOT = "supabase/functions"


class MemoryCheckout:
    def __init__(self, files: dict[str, str]) -> None:
        self.files = files

    def read(self, path: str) -> bytes | None:
        content = self.files.get(path)
        return None if content is None else content.encode()

    def walk(self, folder: str) -> list[str]:
        return sorted(path for path in self.files if path.startswith(f"{folder}/"))


def collect(files: dict[str, str], slug: str = "hello") -> Source:
    return collect_function(MemoryCheckout(files), ROOT, slug, verify_jwt=False)


@pytest.mark.parametrize(
    ("text", "more"),
    [
        pytest.param('import { a } from "./a.ts";', {"hello/a.ts"}, id="named-import"),
        pytest.param('import "./a.ts";', {"hello/a.ts"}, id="bare-import"),
        pytest.param('export * from "./a.ts";', {"hello/a.ts"}, id="export-from"),
        pytest.param(
            'import {\n  a,\n  type B,\n} from "../_shared/b.ts";',
            {"_shared/b.ts"},
            id="many-lines",
        ),
        pytest.param('const a = await import("./a.ts");', {"hello/a.ts"}, id="dynamic-import"),
        pytest.param('// import "./a.ts";', {"hello/a.ts"}, id="in-a-comment-and-there"),
        pytest.param('// import "./gone.ts";', set(), id="in-a-comment-and-not-there"),
        pytest.param('import x from "npm:zod";', set(), id="a-package"),
        pytest.param('import x from "https://deno.land/x.ts";', set(), id="an-address"),
    ],
)
def test_imports_are_followed(text: str, more: set[str]) -> None:
    files = {
        f"{ROOT}/hello/index.ts": text,
        f"{ROOT}/hello/a.ts": "export const a = 1;",
        f"{ROOT}/_shared/b.ts": "export const a = 1;",
    }
    assert set(collect(files).files) == {f"{ROOT}/{path}" for path in {"hello/index.ts", *more}}


def test_the_import_map_is_uploaded_and_its_folders_whole() -> None:
    files = {
        f"{ROOT}/hello/deno.json": '{"imports": {"@s/": "../_shared/"}}',
        f"{ROOT}/hello/index.ts": 'import { v } from "@s/version.ts";',
        f"{ROOT}/_shared/version.ts": "export const v = 1;",
        f"{ROOT}/_shared/unused.ts": "",
    }
    source = collect(files)
    assert source.import_map == f"{ROOT}/hello/deno.json"
    assert set(source.files) == set(files)


def test_a_missing_import_is_an_error_that_names_both_files() -> None:
    with pytest.raises(
        InputError, match=r"hello/gone\.ts, wanted by supabase/functions/hello/index\.ts"
    ):
        collect({f"{ROOT}/hello/index.ts": 'import "./gone.ts";'})


@pytest.mark.parametrize("slug", ["_health", "1st", "a/b", ""])
def test_a_name_that_supabase_does_not_allow_is_refused(slug: str) -> None:
    with pytest.raises(InputError, match="cannot be the name"):
        collect({}, slug)


def source(slug: str, text: str = "1", *, verify_jwt: bool = False) -> Source:
    entrypoint = f"{ROOT}/{slug}/index.ts"
    return Source(slug, entrypoint, "", (), verify_jwt, {entrypoint: text.encode()})


def test_only_what_differs_is_uploaded_and_the_files_are_named() -> None:
    running = {"same": source("same"), "old": source("old"), "open": source("open")}
    wanted = [source("same"), source("old", "2"), source("open", verify_jwt=True), source("fresh")]
    plan = plan_functions(running, wanted)
    assert [(change.slug, change.kind, change.files) for change in plan.changes] == [
        ("old", "changed", ("index.ts",)),
        ("open", "changed", ()),
        ("fresh", "new", ("index.ts",)),
    ]
    assert plan.unchanged == ("same",)


class MemoryApi:
    """The Management API in memory. `broken` names functions that do not bundle."""

    def __init__(self, *, broken: tuple[str, ...] = (), lose_answer: bool = False) -> None:
        self.active: dict[str, Deployed] = {}
        self.broken = broken
        self.lose_answer = lose_answer
        self.ignore_activation = False

    def list(self) -> list[Deployed]:
        return list(self.active.values())

    def source(self, deployed: Deployed) -> Source:
        raise NotImplementedError

    def bundle(self, source: Source) -> Deployed:
        if source.slug in self.broken:
            raise RefusedError(f"{source.slug} does not parse")
        return Deployed.from_json(
            {
                "slug": source.slug,
                "status": "ACTIVE",
                "version": 2,
                "verify_jwt": source.verify_jwt,
                "ezbr_sha256": "s",
            }
        )

    def activate(self, bundled: tuple[Deployed, ...]) -> None:
        if not self.ignore_activation:
            self.active.update({entry.slug: entry for entry in bundled})
        if self.lose_answer:
            raise UnreachableError("lost")

    def delete(self, slug: str) -> None:
        del self.active[slug]


PLAN = plan_functions({}, [source("a"), source("b")])


def test_one_function_that_does_not_bundle_stops_all_of_them() -> None:
    api = MemoryApi(broken=("b",))
    with pytest.raises(
        RefusedError, match="1 of 2 functions did not bundle, so none was activated: b: b does not"
    ):
        apply_plan(PLAN, api)
    assert api.active == {}


def test_an_answer_lost_after_the_activation_is_found_out_from_the_list() -> None:
    api = MemoryApi(lose_answer=True)
    assert set(apply_plan(PLAN, api)) == {"a", "b"}


def test_a_lost_activation_that_did_not_arrive_is_an_error() -> None:
    api = MemoryApi(lose_answer=True)
    api.ignore_activation = True
    with pytest.raises(UnreachableError):
        apply_plan(PLAN, api)


def test_a_jwt_switch_that_came_back_on_fails_with_the_functions_name() -> None:
    api = MemoryApi()
    activate = api.activate
    api.activate = lambda bundled: activate(  # type: ignore[method-assign]
        tuple(dataclasses.replace(entry, verify_jwt=True) for entry in bundled)
    )
    with pytest.raises(VerificationError, match="a has verify_jwt True, not False"):
        apply_plan(PLAN, api)


def test_going_back_deletes_what_did_not_exist_before() -> None:
    api = MemoryApi()
    apply_plan(PLAN, api)
    apply_plan(
        plan_functions({"a": source("a"), "b": source("b")}, [source("a")], absent=["b"]), api
    )
    assert set(api.active) == {"a"}


@given(st.binary(max_size=200), st.booleans())
def test_an_archive_keeps_every_byte_and_every_setting(content: bytes, verify_jwt: bool) -> None:
    entrypoint = f"{ROOT}/a/index.ts"
    kept = Source("a", entrypoint, "", ("*.html",), verify_jwt, {entrypoint: content})
    archive = Archive((kept,), ("b",))
    assert Archive.load(archive.dump(), path="x") == archive


@given(st.binary(max_size=200).filter(lambda content: b"--B" not in content))
def test_sources_come_out_of_the_multipart_answer_byte_for_byte(content: bytes) -> None:
    body = (
        b'--B\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n{"entrypoint_path": "a"}\r\n'
        b'--B\r\nContent-Disposition: form-data; name="file"; filename="x"\r\nSupabase-Path: d/a.ts\r\n\r\n'
        + content
        + b"\r\n--B--\r\n"
    )
    assert parse_sources("multipart/form-data; boundary=B", body) == (
        {"entrypoint_path": "a"},
        {"d/a.ts": content},
    )


SENT = {f"{ROOT}/a/index.ts": b"", f"{ROOT}/a/deno.json": b"", "index.ts": b""}


@pytest.mark.parametrize(
    ("location", "path"),
    [
        pytest.param("", "", id="nothing-named"),
        pytest.param(f"{ROOT}/a/index.ts", f"{ROOT}/a/index.ts", id="as-uploaded"),
        pytest.param(
            f"tmp/fn_1/source/{ROOT}/a/deno.json", f"{ROOT}/a/deno.json", id="on-the-builder"
        ),
    ],
)
def test_a_path_of_the_builder_is_led_back_to_the_upload(location: str, path: str) -> None:
    assert uploaded_path(SENT, location) == path


def test_a_path_that_was_never_uploaded_is_not_guessed() -> None:
    with pytest.raises(UnreachableError, match="sent no such source"):
        uploaded_path(SENT, "tmp/fn_1/source/other.ts")
