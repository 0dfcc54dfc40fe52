# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the checkout is the release: tagged, on the branch, clean, with an entry in the changelog."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

from .._words import listed
from .git_program import Git, GitFacts
from .models import Finding, Ground, Kind, Options, failed, held, passed


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    git = Git(ground.checkout)
    facts = git.facts(tag=options["tag"], branch=options["branch"])
    found = [
        ("tag", judge_tag(facts, options["tag"])),
        ("branch", judge_branch(facts, options["tag"])),
        ("clean", judge_clean(facts, ground.checkout)),
    ]
    if options["changelog"]:
        path = Path(ground.checkout, options["changelog"])
        text = path.read_text("utf-8", "replace") if path.is_file() else None
        found.append(("changelog", judge_changelog(text, ground.release, options["changelog"])))
    items = options["items"]
    return [
        Finding(one.status, one.detail, name=f"git_{part}", item=str(items.get(part) or ""))
        for part, one in found
    ]


def judge_tag(facts: GitFacts, tag: str) -> Finding:
    if not facts.tagged:
        return failed(
            f"there is no tag {tag}: tag the release and push it, then 'git fetch --tags' here"
        )
    if facts.tagged != facts.head:
        return failed(
            f"the checkout is at {facts.head[:12]} and {tag} at {facts.tagged[:12]}: 'git checkout {tag}'"
        )
    return passed(f"{tag} is {facts.tagged[:12]}, and the checkout is there")


def _fetch(branch: str) -> str:
    """Also where the clone is of a tag alone, and a plain fetch of the branch would keep none."""
    name = branch.removeprefix("origin/")
    return f"git fetch origin {name}:refs/remotes/origin/{name}"


def judge_branch(facts: GitFacts, tag: str) -> Finding:
    if not facts.branch:
        return held(
            f"there is no branch {facts.branch_name}, here or of origin: '{_fetch(facts.branch_name)}'"
        )
    if not facts.tagged:
        return held(f"without the tag {tag}, {facts.branch_name} cannot be checked")
    if not facts.on_branch:
        return failed(
            f"{facts.branch_name} does not contain {tag}: merge it, or '{_fetch(facts.branch_name)}' when it was merged"
        )
    since = f", which has {facts.behind} commits since" if facts.behind else ", its newest commit"
    return passed(f"{tag} is in {facts.branch_name}{since}")


def judge_clean(facts: GitFacts, checkout: str) -> Finding:
    if facts.dirty:
        return failed(
            f"{checkout} has uncommitted files: {listed(facts.dirty, 5)}; commit them, or 'git "
            "stash --include-untracked'"
        )
    return passed("the checkout has no changes")


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


KIND = Kind(
    look,
    {
        "tag": {"type": "str", "required": True},
        "branch": {"type": "str", "default": "main"},
        "changelog": {"type": "str", "default": "CHANGELOG.md"},
        "items": {"type": "dict", "default": {}},
    },
)
