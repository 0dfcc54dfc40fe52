"""A checkout of functions that the Supabase CLI and we deploy from, and what each of its functions is there for."""

import json
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.easymo.deploy.plugins.modules import edge_functions
from tests.fakes.management_api import REF, TOKEN, Management
from tests.interop.toolchain import Tool
from tests.module_runner import Result, run_module


@dataclass(frozen=True)
class Checkout:
    workspace: Path
    cli: Tool
    home: Path
    project_ref: str = REF

    @property
    def functions(self) -> Path:
        return self.workspace / "supabase" / "functions"

    def write(self, files: t.Mapping[str, str | bytes]) -> None:
        """Paths beginning with supabase stand for themselves, others lie among the functions."""
        for name, content in files.items():
            top = self.workspace if name.startswith("supabase") else self.functions
            place = top / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content if isinstance(content, bytes) else content.encode())

    def supabase(
        self, api: Management, *words: str, token: str = TOKEN, command: str = "functions"
    ) -> Result:
        """What the CLI says in JSON; its exit code as `rc`."""
        profile = self.home / "profile.yaml"
        settings = {
            "name": "recorder",
            "api_url": api.url,
            "dashboard_url": api.url,
            "project_host": "127.0.0.1",
        }
        # JSON is YAML, too.
        profile.write_text(json.dumps(settings))
        given = {"SUPABASE_PROFILE": str(profile), "SUPABASE_ACCESS_TOKEN": token}
        more = ("--use-api",) if command == "functions" else ()
        words = (command, *words, f"--remote={self.project_ref}", *more)
        return self.cli.supabase(self.workspace, self.home, *words, **given)

    def deploy(self, api: Management, *, token: str = TOKEN, **options: t.Any) -> Result:
        """What our module returns."""
        return run_module(
            edge_functions,
            api_url=api.url,
            project_ref=self.project_ref,
            access_token=token,
            directory=str(self.functions),
            **options,
        )


SERVE = 'Deno.serve(() => new Response("ok"));\n'

FILES: dict[str, str | bytes] = {
    "_shared/version.ts": 'export const VERSION = "1";\n',
    "_shared/http.ts": 'import { VERSION } from "./version.ts";\nexport const json = () => VERSION;\n',
    "_shared/unused.ts": "export const unused = 1;\n",
    "_shared/deep/er/a.ts": "export const a = 1;\n",
    "_shared/deep/.hidden": "hidden",
    "_shared/data.json": '{"a": 1}',
    "_shared/old.ts": 'import "./older.ts";\n',
    "_shared/older.ts": "",
    # One function for each rule.
    "alone/index.ts": SERVE,
    "shared/index.ts": 'import { json } from "../_shared/http.ts";\n' + SERVE,
    "nested/index.ts": 'import "./lib/a.ts";\nexport * from "./lib/b.ts";\n' + SERVE,
    "nested/lib/a.ts": 'import x from "./deep/c.ts"\n',
    "nested/lib/b.ts": 'const c = await import("./deep/d.ts");\n',
    "nested/lib/deep/c.ts": 'import "../../../_shared/version.ts";export default 1;\n',
    "nested/lib/deep/d.ts": 'import data from "../../../_shared/data.json" with { type: "json" };\n',
    "packages/index.ts": 'import z from "npm:zod";\nimport "jsr:@std/x";\nimport "https://x.test/y.ts";\n' + SERVE,
    "many-lines/index.ts": 'import {\n  json,\n  type Json,\n} from "../_shared/http.ts";\n' + SERVE,
    "type-only/index.ts": 'import type { V } from "../_shared/version.ts";\n' + SERVE,
    "constant/index.ts": 'export const PAGE = "./page.html";\nexport const GONE = "./gone.html";\n' + SERVE,
    "constant/page.html": "<p>page</p>",
    "quoted/index.ts": "const text = 'import \"./a.ts\"';\n" + SERVE,
    "quoted/a.ts": "",
    "mapped-folder/deno.json": '{"imports": {"@shared/": "../_shared/deep/"}}',
    "mapped-folder/index.ts": 'import { a } from "@shared/er/a.ts";\n' + SERVE,
    "mapped-file/deno.jsonc": '{ // comments\n "imports": {"http": "../_shared/http.ts", "zod": "npm:zod",},\n}',
    "mapped-file/index.ts": 'import { json } from "http";\n' + SERVE,
    "mapped-bare/deno.json": '{"imports": {"x": "lib/x.ts"}}',
    "mapped-bare/lib/x.ts": 'import "./y.ts"',
    "mapped-bare/lib/y.ts": "",
    "mapped-bare/index.ts": 'import "x";\n' + SERVE,
    "longest/deno.json": '{"imports": {"@/": "./one/", "@/two/": "./two/"}}',
    "longest/one/a.ts": "",
    "longest/two/b.ts": 'import "@/a.ts"',
    "longest/index.ts": 'import "@/two/b.ts";\n' + SERVE,
    "scoped/deno.json": '{"imports": {"dep": "npm:dep"}, "scopes": {"./inner/": {"dep": "./vendor/dep.ts"}}}',
    "scoped/inner/a.ts": 'import "dep"',
    "scoped/vendor/dep.ts": 'import "./more.ts"',
    "scoped/vendor/more.ts": "",
    "scoped/index.ts": 'import "dep";import "./inner/a.ts";\n' + SERVE,
    "elsewhere/deno.json": '{"importMap": "../maps/map.json"}',
    "maps/map.json": '{"imports": {"v": "../_shared/version.ts"}}',
    "elsewhere/index.ts": 'import "v";\n' + SERVE,
    "own-and-elsewhere/deno.json": '{"imports": {"v": "../_shared/version.ts"}, "importMap": "../maps/map.json"}',
    "own-and-elsewhere/index.ts": 'import "v";\n' + SERVE,
    "configured/main.tsx": 'import "v";\n' + SERVE,
    "configured/deno.json": "{}",
    "static/index.ts": SERVE,
    "static/page.html": "page",
    "static/deep/page.html": "deep page",
    "static/assets/a.css": '@import "./b.css";',
    "static/assets/b.css": "",
    "static/assets/img/logo.png": b"\x89PNG\xff\x00",
    "static/one.txt": "one",
    "static/a1.md": "",
    "static/ab.md": "",
    "off/index.ts": SERVE,
    "protected/index.ts": SERVE,
    "open/index.ts": SERVE,
    "remote/index.ts": SERVE,
    "unicode/index.ts": 'import "./grüße.ts";\n' + SERVE,
    "unicode/grüße.ts": "",
    # What the CLI uploads for a comment's sake.
    "commented/index.ts": '// import "../_shared/old.ts";\n/* import { json } from "../_shared/http.ts" */\n' + SERVE,
    "supabase/config.toml": f"""
        project_id = "x"
        [functions.configured]
        entrypoint = "./functions/configured/main.tsx"
        import_map = "./functions/maps/map.json"
        [functions.static]
        static_files = ["./functions/static/*.html", "functions/static/assets/*.css",
                        "./functions/static/assets/img/**", "./functions/static/one.txt",
                        "./functions/static/a[0-9].md"]
        [functions.off]
        enabled = false
        [functions.protected]
        verify_jwt = true
        [functions.open]
        verify_jwt = false
        [functions.remote]
        verify_jwt = true
        [remotes.production]
        project_id = "{REF}"
        [remotes.production.functions.remote]
        verify_jwt = false
    """,
}  # fmt: skip

ONLY_THEIRS: dict[str, set[str]] = {
    "commented": {"_shared/old.ts", "_shared/older.ts", "_shared/http.ts", "_shared/version.ts"}
}
"""Files that the CLI uploads because a comment names them, by function. Nothing else may differ."""

SLUGS = sorted(
    {name.partition("/")[0] for name in FILES if name.endswith(("index.ts", "main.tsx"))}
)
