"""Whoever makes the next release: follows docs/next-release.md word for word, in a checkout of their own."""

import re
from pathlib import Path

from sandbox.world import World
from tests.stories.people import BIN, ROOT, Operator, Run

GUIDE = ROOT / "docs/next-release.md"
SHORTER = "# inventories/sandbox/group_vars/all/shorter_watch.yml\nrelease_watch_duration: 3\nrelease_watch_delay: 1\n"
"""The guide's commands say no times."""
ENTRY = re.compile(r"^((\w+):.*\n(?: .*\n)*)", re.MULTILINE)


def blocks(section: int, language: str) -> list[str]:
    """What a numbered section of the guide has to paste."""
    found: list[str] = []
    heading, inside = "", ""
    for line in GUIDE.read_text("utf-8").splitlines(keepends=True):
        if line.startswith("```"):
            inside = "" if inside else line[3:].strip()
            if (heading, inside) == (f"{section}.", language):
                found.append("")
        elif not inside and line.startswith("## "):
            heading = line.split()[1]
        elif (heading, inside) == (f"{section}.", language):
            found[-1] += line
    return found


class Successor:
    """`machine`: an empty folder, for the checkout and a home."""

    def __init__(self, world: World, machine: Path) -> None:
        self._operator = Operator.elsewhere(world, machine)
        self._checkout = machine / "checkout"
        # As `make setup` and `make sandbox-up` would have left them.
        (self._checkout / ".venv").symlink_to(BIN.parent)
        (self._checkout / ".sandbox").symlink_to(world.directory)

    def prepares(self) -> None:
        """The application's part, and the release's description."""
        for script in blocks(2, "sh"):
            run = self._pastes(script)
            assert run.rc == 0, run.tail()
        for entries in blocks(3, "yaml"):
            self._replaces(entries)
        self._replaces(SHORTER)

    def rehearses(self, playbook: str) -> Run:
        """The guide's own command for a playbook, but for the one that only looks."""
        lines = "".join(blocks(4, "sh")).splitlines()
        (command,) = (one for one in lines if f"/{playbook}.yml" in one and "--check" not in one)
        return self._pastes(command)

    def _pastes(self, script: str) -> Run:
        return self._operator.pastes(f"export PATH=$PWD/.venv/bin:$PATH\n{script}")

    def _replaces(self, entries: str) -> None:
        """Whole entries of the file that the first line names."""
        path = self._checkout / entries.partition("\n")[0].removeprefix("# ")
        text = path.read_text("utf-8")
        for entry, name in ENTRY.findall(entries):
            there = re.compile(rf"^{name}:.*\n(?: .*\n)*", re.MULTILINE)
            text = there.sub(lambda _found, entry=entry: entry, text)
            if not there.search(text):
                text += entry
        path.write_text(text, "utf-8")
