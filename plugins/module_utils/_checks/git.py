# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of what is released: the tag, its branch and CHANGELOG in the clone, and CI at GitHub."""

from __future__ import annotations

import hashlib
import re
import typing as t
from dataclasses import dataclass, replace
from pathlib import Path

from .._child_process import Ended, child_environment, find_program, run
from .._decode import restored, under
from .._errors import ConflictError, InputError, NotReadyError, RefusedError, VerificationError
from .._formats import listed
from .._http import REQUESTS, bearer
from .models import Finding, Ground, Kind, Kinds, Options, failed, held, passed
from .web import api_options, get_json

TIMEOUT = 30.0


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
        # The folder may be another user's, and a deployer who releases from it trusts it by that.
        settings = (f"safe.directory={Path(self.checkout).resolve()}", "core.fsmonitor=false")
        flags = [part for setting in settings for part in ("-c", setting)]
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
        result = self.ask("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        return result.stdout.strip() if result.rc == 0 else ""


def head_of(checkout: str) -> str:
    return Git(checkout).commit("HEAD")


def look_git(options: Options, ground: Ground) -> list[Finding]:
    """Whether the checkout is the release: tagged, on the branch, clean, with an entry in the changelog."""
    git, tag = Git(ground.checkout), options["tag"]
    tagged = git.commit(f"refs/tags/{tag}")
    rows = {
        "tag": judge_tag(tag, tagged, git.commit("HEAD")),
        "branch": judge_branch(git, options["branch"], tag, tagged),
        "clean": judge_clean(git, options["deployed"]),
    }
    if options["changelog"]:
        path = Path(ground.checkout, options["changelog"])
        text = path.read_text("utf-8", "replace") if path.is_file() else None
        rows["changelog"] = judge_changelog(text, ground.release, options["changelog"])
    items = options["items"]
    return [
        replace(row, name=f"git_{part}", item=str(items.get(part) or ""))
        for part, row in rows.items()
    ]


def judge_tag(tag: str, tagged: str, head: str) -> Finding:
    """`tagged` and `head` are full names of commits, "" for none."""
    if not tagged:
        return failed(
            f"there is no tag {tag}: tag the release and push it, then 'git fetch --tags' here"
        )
    if tagged != head:
        return failed(
            f"the checkout is at {head[:12]} and {tag} at {tagged[:12]}: 'git checkout {tag}'"
        )
    return passed(f"{tag} is {tagged[:12]}, and the checkout is there")


def _fetch(branch: str) -> str:
    """Also where the clone is of a tag alone, and a plain fetch of the branch would keep none."""
    name = branch.removeprefix("origin/")
    return f"git fetch origin {name}:refs/remotes/origin/{name}"


def judge_branch(git: Git, branch: str, tag: str, tagged: str) -> Finding:
    """As the remote has it, which everybody sees; the local one where there is no remote."""
    places = {f"origin/{branch}": "refs/remotes/origin", branch: "refs/heads"}
    commits = {name: git.commit(f"{place}/{branch}") for name, place in places.items()}
    name, at = next((pair for pair in commits.items() if pair[1]), (branch, ""))
    if not at:
        return held(f"there is no branch {name}, here or of origin: '{_fetch(name)}'")
    if not tagged:
        return held(f"without the tag {tag}, {name} cannot be checked")
    if git.ask("merge-base", "--is-ancestor", tagged, at).rc != 0:
        if git.ask("rev-parse", "--is-shallow-repository").stdout.strip() == "true":
            return held(
                f"this clone lacks older commits, so whether {name} contains {tag} cannot be told: "
                "'git fetch --unshallow'"
            )
        return failed(
            f"{name} does not contain {tag}: merge it, or '{_fetch(name)}' when it was merged"
        )
    behind = int(git.ask("rev-list", "--count", f"{tagged}..{at}").stdout.strip() or 0)
    since = f", which has {behind} commits since" if behind else ", its newest commit"
    return passed(f"{tag} is in {name}{since}")


def judge_clean(git: Git, deployed: t.Sequence[str] = ()) -> Finding:
    """Whether git sees no change, and the `deployed` folders in the checkout have what the commit has, by content."""
    status = git.ask("status", "--porcelain", "-z", "--no-renames", "--untracked-files=normal")
    if status.rc != 0:
        raise RefusedError(f"git cannot tell whether {git.checkout} is clean: {status.stderr}.")
    dirty = [entry[3:] for entry in status.stdout.split("\0") if len(entry) > 3][:100]
    if dirty:
        return failed(
            f"{git.checkout} has uncommitted files: {listed(dirty, 5)}; commit them, or 'git "
            "stash --include-untracked'"
        )
    altered = [path for folder in deployed for path in _altered(git, folder)]
    if altered:
        return failed(
            f"{git.checkout} deploys what is not in its commit, though git is told to ignore it: {listed(altered, 5)}; "
            "release from a new clone at the tag"
        )
    return passed("the checkout has no changes")


def _altered(git: Git, folder: str) -> list[str]:
    """The files that differ from the commit's. Also those that git ignores, or takes for unchanged without a look."""
    top, place = Path(git.checkout).resolve(), Path(folder).resolve()
    if not place.is_relative_to(top):
        return []
    tree = git.ask("ls-tree", "-r", "-z", "HEAD", "--", str(place.relative_to(top)))
    if tree.rc != 0:
        raise RefusedError(f"git cannot tell what the commit has in {folder}: {tree.stderr}.")
    # MODE TYPE ID<TAB>PATH: https://git-scm.com/docs/git-ls-tree#_output_format
    entries = (entry.partition("\t") for entry in tree.stdout.split("\0") if entry)
    committed = {path: about.split()[2] for about, _, path in entries}
    files = (file for file in place.rglob("*") if file.is_symlink() or not file.is_dir())
    algorithm = git.ask("rev-parse", "--show-object-format").stdout.strip()
    ids = {str(file.relative_to(top)): _id_of(file, algorithm) for file in files}
    return sorted(path for path in {*committed, *ids} if committed.get(path) != ids.get(path))


def _id_of(file: Path, algorithm: str) -> str:
    """Git's own, computed here, for git would run the filters that a checkout configures.

    https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
    """
    content = str(file.readlink()).encode() if file.is_symlink() else file.read_bytes()
    return hashlib.new(algorithm, b"blob %d\0" % len(content) + content).hexdigest()


def judge_changelog(text: str | None, version: str, name: str) -> Finding:
    """A heading with the version, in Markdown or underlined as reStructuredText has it."""
    if text is None:
        return failed(f"the checkout has no {name}: write one, or correct 'changelog'")
    number = rf"(?<![\w.])v?{re.escape(version)}(?![\w.]*\d)"
    markdown = re.search(rf"^#+[^\n]*{number}", text, re.M)
    underlined = re.search(rf"^[^\n]*{number}[^\n]*\n(=|-|~|\^){{3,}}\s*$", text, re.M)
    if not markdown and not underlined:
        return failed(f"{name} has no heading for {version}: add the release's changes")
    return passed(f"{name} has an entry for {version}")


_PAGE = 100
_PAGES = 10
_LISTS = {"check-runs": "check_runs", "status": "statuses"}
"""Both give only the newest: of each suite, and of each context."""
_BAD, _ON_ITS_WAY, _GOOD, _LEFT_OUT = 3, 2, 1, 0
_RANKS = {
    **dict.fromkeys(("failure", "error", "timed_out", "startup_failure"), _BAD),
    "success": _GOOD,
    **dict.fromkeys(("skipped", "neutral"), _LEFT_OUT),
}
"""All other states are on their way, or wait for a person."""


def look_commit_status(options: Options, ground: Ground) -> Finding:
    """Whether CI passed on the commit, as GitHub's check runs and commit statuses tell.

    What was skipped or is neutral is as good as nothing: not in the way, but where it is wanted it proves nothing.
    Their states: https://docs.github.com/en/rest/checks/runs and https://docs.github.com/en/rest/commits/statuses.
    """
    commit = ground.known_commit()
    ignored, wanted = options["ignore"], options["contexts"]
    states = worst(_told(options, ground, commit))
    counted = {name: state for name, state in states.items() if name not in ignored}
    bad = sorted(name for name, state in counted.items() if _rank(state) == _BAD)
    if bad:
        return failed(f"{', '.join(bad)} failed on {commit[:12]}: fix it, and tag a passing commit")
    parts = [
        f"{name} is {state}"
        for name, state in sorted(counted.items())
        if _rank(state) == _ON_ITS_WAY or (_rank(state) == _LEFT_OUT and name in wanted)
    ]
    if missing := sorted(set(wanted) - set(counted)):
        parts.append(f"no status of {', '.join(missing)}")
    if parts:
        return held(f"{'; '.join(parts)} on {commit[:12]}: wait for CI, or start it")
    done = sorted(name for name, state in counted.items() if state == "success")
    if not done:
        return held(f"GitHub has no success of {commit[:12]}: check that CI ran on it")
    left_out = sorted(set(counted) - set(done))
    more = f"; skipped or neutral: {', '.join(left_out)}" if left_out else ""
    return passed(f"{', '.join(done)} passed on {commit[:12]}{more}")


def worst(sentences: t.Iterable[tuple[str, str]]) -> dict[str, str]:
    """The state that counts of each name: several apps, workflows and a status may share one, and all must be good."""
    results: dict[str, str] = {}
    for name, state in sentences:
        results[name] = max(results.get(name, state), state, key=_rank)
    return results


def _rank(state: str) -> int:
    return _RANKS.get(state, _ON_ITS_WAY)


@dataclass(frozen=True)
class _Run:
    """A check run, or a commit status, which has a context and a state in place of name and conclusion."""

    called: str = under("name", "context", required=True)
    state: str = under("conclusion", "status", "state", required=True)


@dataclass(frozen=True)
class _Page:
    total_count: int
    runs: tuple[_Run, ...] = under(*_LISTS.values(), required=True)


def _told(options: Options, ground: Ground, commit: str) -> t.Iterator[tuple[str, str]]:
    """Name and state of each, of every page of both lists."""
    url = f"{options['api_url'].rstrip('/')}/repos/{options['repository']}/commits/{commit}"
    for path, key in _LISTS.items():
        for page in range(1, _PAGES + 1):
            answer = get_json(
                "GitHub",
                f"{url}/{path}",
                timeout=ground.timeout,
                authorization=bearer(options["token"]),
                ca_cert=options["ca_cert"],
                params=[("per_page", str(_PAGE)), ("page", str(page))],
            )
            try:
                checks = restored(_Page, answer, key)
            except ValueError:
                raise VerificationError(
                    f"GitHub's answer has no {key}: check 'api_url', which ends in /api/v3 on a server of your own."
                ) from None
            yield from ((run.called, run.state) for run in checks.runs)
            if page * _PAGE >= checks.total_count or not checks.runs:
                break


GIT_OPTIONS = """  description:
    - Whether O(checkout) is a git work tree at the release's tag, the tag is in the branch, nothing differs
      from the commit, and the changelog has a heading for the version. Its rows are C(git_tag),
      C(git_branch), C(git_clean), C(git_changelog).
  suboptions:
    tag:
      description: The tag of the release.
      type: str
      required: true
    deployed:
      description: Folders of the checkout that are deployed. Each file in them must be the commit's, byte by byte.
      type: list
      elements: path
      default: []
    branch:
      description:
        - The branch that must contain it, as C(origin) has it, or the local one where there is no remote.
      type: str
      default: main
    changelog:
      description: The changelog in the checkout. Not looked at when empty.
      type: str
      default: CHANGELOG.md
    items:
      description: The lines of the checklist for C(tag), C(branch), C(clean) and C(changelog).
      type: dict
      default: {}
"""
COMMIT_STATUS_OPTIONS = f"""  description:
    - Whether CI passed on the commit, by GitHub's check runs and its combined status. Nothing may have failed, been
      cancelled, or be on its way.
    - What was skipped or is neutral stops nothing, unless O(checks[].commit_status.contexts) names it. Then it
      holds, for it proves nothing; GitHub itself lets it pass.
    - The token needs to read checks, commit statuses and the repository's metadata.
  suboptions:
{api_options("Base URL of the API. That of an own server ends in C(/api/v3).", "https://api.github.com")}    repository:
      description: The repository, as C(owner/name).
      type: str
      required: true
    contexts:
      description: Names of check runs, such as those of a workflow's jobs, and contexts of statuses that must be there.
      type: list
      elements: str
      default: []
    ignore:
      description: Names and contexts that say nothing about CI, such as our own.
      type: list
      elements: str
      default: []
"""

KINDS: Kinds = {
    "git": Kind(look_git, GIT_OPTIONS),
    "commit_status": Kind(look_commit_status, COMMIT_STATUS_OPTIONS, (REQUESTS,)),
}
