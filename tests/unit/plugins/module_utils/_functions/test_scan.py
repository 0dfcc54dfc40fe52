import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.easymo.deploy.plugins.module_utils._functions import scan
from ansible_collections.easymo.deploy.plugins.module_utils._functions.scan import find_imports


def made(text: str, path: str = "index.ts") -> list[tuple[str, int]]:
    return [(each.specifier, each.line) for each in find_imports(path, text.encode()).made]


IMPORTS = {
    "named": 'import { a } from "./x.ts";',
    "without spaces": 'import{a}from"./x.ts"',
    "bare": "import './x.ts'",
    "everything": 'import * as x from "./x.ts";',
    "default and named": 'import x, { y } from "./x.ts"',
    "type": 'import type { X } from "./x.ts";',
    "string name": 'import { "a b" as c } from "./x.ts";',
    "attributes": 'import x from "./x.ts" with { type: "json" };',
    "comment inside": 'import /* the */ { a } /* x */ from "./x.ts";',
    "export": 'export { a } from "./x.ts";',
    "export everything": 'export * as x from "./x.ts";',
    "dynamic": 'const x = await import("./x.ts");',
    "dynamic with options": 'import("./x.ts", { with: { type: "json" } });',
    "dynamic in a template": 'const s = `a ${await import("./x.ts")} b`;',
    "dynamic from a template": "import(`./x.ts`)",
    "behind a regular expression": 'const r = /["\'`/*]/; import "./x.ts";',
    "behind a division": 'const r = 4 / 2; import "./x.ts"; const q = 1 / 3;',
    "behind a comment's end": '/* import "./y.ts" */ import "./x.ts";',
    "behind a template with braces": 'const s = `${{ a: `${1}` }.a}`; import "./x.ts";',
    "behind an apostrophe of JSX": "const t = <p>don't</p>;\nimport './x.ts'",
}


@pytest.mark.parametrize("text", IMPORTS.values(), ids=IMPORTS)
def test_what_the_program_imports_is_found(text):
    assert [specifier for specifier, _line in made(text, "index.tsx")] == ["./x.ts"]


NOT_IMPORTS = {
    "line comment": '// import "./x.ts";',
    "block comment": '/*\n import { a } from "./x.ts";\n*/',
    "string": "const s = 'import \"./x.ts\"';",
    "template": 'const s = `import "./x.ts"`;',
    "member": 'loader.import("./x.ts")',
    "meta": 'import.meta.resolve("./x.ts")',
    "constant": 'export const path = "./x.ts";',
    "variable": "import(path)",
    "template with a hole": "import(`./${name}.ts`)",
    "regular expression": 'const r = /import "x"/;',
}


@pytest.mark.parametrize("text", NOT_IMPORTS.values(), ids=NOT_IMPORTS)
def test_what_only_looks_like_an_import_is_none(text):
    assert made(text) == []


def test_an_import_is_told_with_its_line():
    assert made('// one\nimport "./a.ts";\n\nimport {\n  b,\n} from "./b.ts";\n') == [
        ("./a.ts", 2),
        ("./b.ts", 4),
    ]


@pytest.mark.parametrize(
    ("text", "lookalikes"),
    [
        pytest.param('export const page = "./page.html";', ("./page.html",), id="constant"),
        pytest.param('// import "./x.ts";', (), id="comment"),
        pytest.param("const s = 'import \"./x.ts\"';", ("./x.ts",), id="string"),
        pytest.param('const s = `\n\nimport "./x.ts"', ("./x.ts",), id="endless-template"),
    ],
)
def test_what_the_cli_follows_is_found_outside_of_comments(text, lookalikes):
    assert find_imports("index.ts", text.encode()).lookalikes == lookalikes


def test_a_style_sheet_imports_as_the_cli_reads_it():
    imports = find_imports("style.css", b'@import "./base.css"; /* import "./old.css" */')
    assert (imports.made, imports.lookalikes) == ((), ("./base.css", "./old.css"))


@given(st.text(alphabet="import exportfrm{}*()[]/\\'\"`$;.,\n<>=", max_size=80))
def test_any_text_is_read_to_its_end(text):
    find_imports("index.ts", text.encode())


def test_deno_may_comment_its_configuration():
    content = b'\xef\xbb\xbf{ // first\n "a": "https://x/*y*/", /* b */ "c": ["//", 1,], }'
    assert scan.load(content) == {"a": "https://x/*y*/", "c": ["//", 1]}


def test_what_is_wrong_with_a_configuration_is_told_where_it_stands():
    with pytest.raises(ValueError, match="line 3"):
        scan.load(b'{\n// a comment\n "a" 1}')
