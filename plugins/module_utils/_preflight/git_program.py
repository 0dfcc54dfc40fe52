# SPDX-License-Identifier: GPL-3.0-or-later
"""What the program git tells of a checkout: argv lists, no configuration of this user or machine, only reading."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .._child_process import Ended, child_environment, find_program, run
from .._errors import ConflictError, InputError, NotReadyError, RefusedError

TIMEOUT = 30.0


@dataclass(frozen=True)
class GitFacts:
    """`tagged` and `branch` are full names of commits, "" for what is not there; `dirty` are paths."""

    head: str
    tagged: str
    branch: str
    branch_name: str
    on_branch: bool
    behind: int
    dirty: tuple[str, ...]


class Git:
    """One work tree. ConflictError for a folder that is none of its own."""

    def __init__(self, checkout: str) -> None:
        self.checkout = checkout
        if not checkout or not Path(checkout).is_dir():
            raise InputError(
                f"The checkout {checkout!r} is no folder: check out the application at the "
                "release's tag and set release_checkout."
            )
        try:
            self._program = find_program("git", "PATH")
        except InputError:
            raise NotReadyError("git is missing: install it.") from None
        top = self.ask("rev-parse", "--show-toplevel")
        if top.rc != 0 or Path(top.stdout.strip()).resolve() != Path(checkout).resolve():
            raise ConflictError(
                f"{checkout} is not a git work tree, so its commit is unknown: make it by 'git "
                "clone' or 'git worktree add' at the release's tag."
            )

    def ask(self, *arguments: str) -> Ended:
        # The folder may be another user's, and whoever deploys from it trusts it by that.
        settings = (f"safe.directory={Path(self.checkout).resolve()}", "core.fsmonitor=false")
        flags = [part for one in settings for part in ("-c", one)]
        environment = {
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            # A parent that only happens to be a work tree is none of ours.
            "GIT_CEILING_DIRECTORIES": str(Path(self.checkout).resolve().parent),
            "LC_ALL": "C",
        }
        argv = [self._program, *flags, "-C", self.checkout, *arguments]
        return run(argv, child_environment(environment), timeout=TIMEOUT)

    def commit(self, name: str) -> str:
        """The full name of the commit behind a reference, "" when there is none."""
        if not name or name.startswith("-"):
            raise InputError(f"{name!r} names no tag or branch.")
        found = self.ask("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        return found.stdout.strip() if found.rc == 0 else ""

    def facts(self, *, tag: str, branch: str) -> GitFacts:
        tagged = self.commit(f"refs/tags/{tag}")
        name, at = self._branch(branch)
        known = bool(tagged and at)
        return GitFacts(
            head=self.commit("HEAD"),
            tagged=tagged,
            branch=at,
            branch_name=name,
            on_branch=known and self.ask("merge-base", "--is-ancestor", tagged, at).rc == 0,
            behind=self._count(f"{tagged}..{at}") if known else 0,
            dirty=self._dirty(),
        )

    def _branch(self, branch: str) -> tuple[str, str]:
        """As the remote has it, which everybody sees; the local one where there is no remote."""
        for name, reference in (
            (f"origin/{branch}", f"refs/remotes/origin/{branch}"),
            (branch, f"refs/heads/{branch}"),
        ):
            at = self.commit(reference)
            if at:
                return name, at
        return branch, ""

    def _count(self, span: str) -> int:
        found = self.ask("rev-list", "--count", span).stdout.strip()
        return int(found) if found.isdecimal() else 0

    def _dirty(self) -> tuple[str, ...]:
        found = self.ask("status", "--porcelain", "-z", "--untracked-files=normal")
        if found.rc != 0:
            raise RefusedError(f"git cannot tell whether {self.checkout} is clean: {found.stderr}.")
        return tuple(entry[3:] for entry in found.stdout.split("\0") if len(entry) > 3)[:100]


def head_of(checkout: str) -> str:
    return Git(checkout).commit("HEAD")
