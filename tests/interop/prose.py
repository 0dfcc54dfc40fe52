"""What textlint says of the guides, and of what the plugins say to people: `python -m tests.interop.prose`.

A message is a text of the code that ends like a sentence, with X for what it is filled with. What stands behind a colon
or a semicolon is the cure, and is counted as a sentence of its own. `textlint/rules.json` has the rules; `words.yml`
the words that no other tool has, with those that stand in their place. The passive is allowed where nobody needs to
know who acts, which no rule can tell: its number may only fall.
"""

import ast
import json
import re
import sys
import tempfile
import typing as t
from pathlib import Path

from tests.caches import ROOT
from tests.interop.toolchain import InstallError, install

RULES = Path(__file__).with_name("textlint")
GUIDES = ("README.md", "CONTRIBUTING.md", "docs/*.md")
WORDS_OF_A_MESSAGE = 5
PASSIVES = 490
"""As many as there may be."""
ERROR = 2


class Message(t.NamedTuple):
    line: int
    text: str


def messages(source: str) -> list[Message]:
    """In their order, each on one line."""
    tree = ast.parse(source)
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr | ast.Assign)}
    skipped |= {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node)
        if part is not node
    }
    return [
        Message(node.lineno, text)
        for node in ast.walk(tree)
        if id(node) not in skipped and _is_sentence(text := _text(node))
    ]


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        parts = [str(p.value) if isinstance(p, ast.Constant) else "X" for p in node.values]
        return "".join(parts).strip()
    constant = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return str(node.value).strip() if constant else ""


def _is_sentence(text: str) -> bool:
    return (
        text.endswith((".", "!", "?"))
        and text.count(" ") >= WORDS_OF_A_MESSAGE - 1
        and "\n" not in text
    )


def lint(files: t.Sequence[Path]) -> list[dict[str, t.Any]]:
    """Its messages, each with `path`, `line`, `ruleId`, `severity` and `message`."""
    try:
        tool = install("textlint")
    except InstallError as exc:
        raise SystemExit(str(exc)) from None
    with tempfile.TemporaryDirectory() as home:
        done = tool.run(
            [*tool.script("textlint"), "--format", "json", "--config", str(RULES / "rules.json"),
             "--rules-base-directory", str(tool.folder / "node_modules"), *map(str, files)],
            Path(home), cwd=RULES,
        )  # fmt: skip
    if done.returncode not in (0, 1) or not done.stdout.startswith("["):
        raise SystemExit(f"textlint failed: {done.stdout}{done.stderr}")
    return [
        {**found, "path": Path(result["filePath"])}
        for result in json.loads(done.stdout)
        for found in result["messages"]
    ]


def main() -> int:
    guides = [path for pattern in GUIDES for path in sorted(ROOT.glob(pattern))]
    origins: dict[tuple[Path, int], str] = {}
    with tempfile.TemporaryDirectory() as folder:
        pages = []
        for source in sorted((ROOT / "plugins").rglob("*.py")):
            said = [] if source.is_symlink() else messages(source.read_text("utf-8"))
            if not said:
                continue
            page = Path(folder) / f"{len(pages)}.txt"
            page.write_text(
                "".join(f"{re.sub('[:;] ', '. ', one.text)}\n\n" for one in said), "utf-8"
            )
            pages.append(page)
            relative = source.relative_to(ROOT)
            origins |= {
                (page, 2 * place + 1): f"{relative}:{one.line}" for place, one in enumerate(said)
            }
        found = lint([*guides, *pages])
    errors = [one for one in found if one["severity"] == ERROR]
    for one in errors:
        place = (
            origins.get((one["path"], one["line"]))
            or f"{one['path'].relative_to(ROOT)}:{one['line']}"
        )
        print(f"{place}: {' '.join(one['message'].split())}")
    passives = len(found) - len(errors)
    if passives > PASSIVES:
        print(f"{passives} sentences may be passive, at most {PASSIVES} are allowed: say who acts.")
    return 1 if errors or passives > PASSIVES else 0


if __name__ == "__main__":
    sys.exit(main())
