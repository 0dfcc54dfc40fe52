"""Whoever makes the next release: follows docs/next-release.md word for word, in a checkout of their own."""

from pathlib import Path

from sandbox.world import World
from tests.stories import guides
from tests.stories.people import BIN, Operator, Run

SHORTER = "# inventories/sandbox/group_vars/all/shorter_watch.yml\nrelease_watch_duration: 3\nrelease_watch_delay: 1\n"
"""The guide's commands say no times."""


def blocks(section: int, language: str) -> list[str]:
    """What a numbered section of the guide has to paste."""
    page = guides.blocks("next-release.md")
    ours = [one for one in page if one.section.startswith(f"{section}.")]
    return [one.text for one in ours if one.language == language]


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
        for entries in [*blocks(3, "yaml"), SHORTER]:
            guides.replace_entries(self._checkout, entries)

    def rehearses(self, playbook: str) -> Run:
        """The guide's own command for a playbook, but for the one that only looks."""
        lines = "".join(blocks(4, "sh")).splitlines()
        (command,) = (one for one in lines if f"/{playbook}.yml" in one and "--check" not in one)
        return self._pastes(command)

    def _pastes(self, script: str) -> Run:
        return self._operator.pastes(f"export PATH=$PWD/.venv/bin:$PATH\n{script}")
