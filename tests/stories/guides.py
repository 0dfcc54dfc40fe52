"""What the pages have to type, and the shell of who types it: folder and variables last from one block to the next."""

import re
import shlex
import subprocess
import typing as t
from pathlib import Path

ROOT = Path(__file__).parents[2]
TYPED = re.compile(
    r"^( *)```(\w*)\n(.*?)^\1```|`((?:ansible-playbook|git worktree|make|pg_dump) [^`]*)`",
    re.MULTILINE | re.DOTALL,
)


class Block(t.NamedTuple):
    section: str
    language: str
    text: str


def blocks(page: str) -> list[Block]:
    """In their order: what is fenced, and commands within a sentence, which are of the language `sh`."""
    text, found = (ROOT / "docs" / page).read_text("utf-8"), []
    for match in TYPED.finditer(text):
        (section,) = re.findall(r"^## (.*)", text[: match.start()], re.MULTILINE)[-1:] or [""]
        indent, language, fenced, inline = match.groups()
        at = indent or ""
        lines = (fenced or "").replace(f"\n{at}", "\n").removeprefix(at)
        command = "sh" if inline else language
        found.append(Block(section.split(",")[0], command, lines or " ".join(inline.split())))
    return found


ENTRY = re.compile(r"^((\w+):.*\n(?: .*\n)*)", re.MULTILINE)


def replace_entries(checkout: Path, entries: str) -> None:
    """Whole entries of the file that the first line names."""
    path = checkout / entries.partition("\n")[0].removeprefix("# ")
    text = path.read_text("utf-8")
    for entry, name in ENTRY.findall(entries):
        there = re.compile(rf"^{name}:.*\n(?: .*\n)*", re.MULTILINE)
        text = there.sub(lambda _found, entry=entry: entry, text)
        if not there.search(text):
            text += entry
    path.write_text(text, "utf-8")


class Shell:
    """`meant`: what a person types in the place of what the page has there."""

    def __init__(self, home: Path, variables: t.Mapping[str, str], meant: t.Mapping[str, str]):
        self.home, self.meant = home, meant
        self._after = home / ".shell"
        lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
        self._after.write_text("\n".join([*lines, f"cd {home}"]), encoding="utf-8")

    def types(self, script: str, patience: float = 1800) -> str:
        """What it printed. Each command must end with 0."""
        for printed, meant in self.meant.items():
            script = script.replace(printed, meant)
        kept = f'{{ export -p; echo "cd $PWD"; }} > {self._after}'
        done = subprocess.run(
            ["bash", "-c", f". {self._after}\nset -euo pipefail\n{script}\n{kept}"],
            env={"HOME": str(self.home), "PATH": "/usr/local/bin:/usr/bin:/bin", "TERM": "dumb"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=patience,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout[-3000:]}\n{done.stderr[-2000:]}"
        return done.stdout
