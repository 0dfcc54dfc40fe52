"""What Deno's own parser takes for imports, and what we do: the same, whatever stands around them."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._functions.scan import find_imports

DENO = Path(sys.executable).with_name("deno")
FILES = 150
IMPORTS = (
    'import "./x.ts";', "import './x.ts'\n", 'import { a, type B } from "./x.ts";',
    'import type { A } from "./x.ts";', 'import d, * as e from "./x.ts";', 'import{f}from"./x.ts";',
    'import /* g */ { g }\n  from "./x.ts";', 'export * from "./x.ts";', 'export { h } from "./x.ts";',
    'export type { I } from "./x.ts";', 'import j from "./x.ts" with { type: "json" };',
    'const k = await import("./x.ts");', 'const l = await import(`./x.ts`);',
    "const m = `a ${await import('./x.ts')} b`;", 'import("./x.ts", { with: { type: "json" } });',
    'if (n) { import("./x.ts").then((o) => o); }',
)  # fmt: skip
OTHERS = (
    '// import "./y.ts"\n', '/* import "./y.ts" */', "/** it's\n * import './y.ts'\n */\n",
    'const s = \'import "./y.ts"\';', 'const s = "it\'s // no comment";', 'const s = "a\\"b";',
    "const s = `import './y.ts'`;", 'const s = `${{ a: `}` }.a}`;', 'const s = `a\\`b ${1 + 2} /* c */`;',
    'const r = /["\'`]/;', 'const r = /a\\/[/*]/g.test(s);', 'const q = a / b / c;',
    "const q = (a + b) / 2; // don't\n", "f(/'/, x);", 'return_ = [/`/, 1 / 2];',
    "const o = { import: 1, from: './y.ts' };", 'loader.import("./y.ts");', "export const path = './y.ts';",
    "export default class { from = './y.ts' }", 'const u = import.meta.url;', 'import(name);',
    'import(`./${name}.ts`);', 'a++ / b;', 'const { from, type } = x;', 'while (x) { y /= 2 }',
    "const f = (x: string): x is 'a' => x === 'b';", 'label: for (;;) break label;',
)  # fmt: skip


def script(dice: random.Random) -> str:
    pieces = dice.choices([*IMPORTS, *OTHERS], k=dice.randint(1, 8))
    return "\n".join(f"{{ {piece}\n}}" if "await" in piece else piece for piece in pieces)


@pytest.mark.parametrize("seed", range(3))
def test_deno_and_we_find_the_same_imports(tmp_path, seed):
    dice = random.Random(seed)
    scripts = [script(dice) for _number in range(FILES)]
    for number, text in enumerate(scripts):
        # Each import has a name of its own, so that one too few cannot hide behind another.
        pieces = text.split("./x.ts")
        numbered = pieces[0] + "".join(f"./x{n}.ts{piece}" for n, piece in enumerate(pieces[1:]))
        (tmp_path / f"m{number}.ts").write_text(numbered)
    seen = 0
    for path, found in modules(tmp_path).items():
        made = find_imports(path.name, path.read_bytes()).made
        ours = {each.specifier for each in made}
        assert ours == found, path.read_text()
        seen += 1
    assert seen > FILES / 3, "most of the scripts are programs"


def modules(folder: Path) -> dict[Path, set[str]]:
    """The specifiers that Deno finds in each module that it can read."""
    imports = "".join(f'import "./m{number}.ts";\n' for number in range(FILES))
    (folder / "root.ts").write_text(imports)
    done = subprocess.run(
        [str(DENO), "info", "--json", "--no-remote", "--no-npm", "--no-config", "root.ts"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "DENO_DIR": str(folder / ".deno"), "NO_COLOR": "1"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    found: dict[Path, set[str]] = {}
    for module in json.loads(done.stdout)["modules"]:
        path = Path(module.get("local") or "")
        if "error" not in module and path.name.startswith("m"):
            specifiers = (each["specifier"] for each in module.get("dependencies", ()))
            found[path] = {one for one in specifiers if one.startswith(("./x", "./y"))}
    return found
