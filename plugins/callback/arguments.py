# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: arguments
type: notification
short_description: Refuses a run whose arguments match nothing, and evaluates no text of a person
version_added: 0.2.0
description:
  - Ansible ends such a run without an error, as if all was done. With this callback it ends with return code 5, before
    its first task, and says which argument matches nothing and what there is instead.
  - Refused are a tag that the playbook has not got, one of several too; an empty C(--limit), which Ansible takes for
    all hosts; a part of C(--limit) that is no host and no group; no inventory, or one without the playbook's groups;
    and a limit that leaves no host to the tags.
  - Takes what a person says with C(-e), such as C(reason) or C(note), as a text. Ansible alone would evaluate it as a
    template, with lookups that run commands.
  - Looks at the playbooks of this collection only.
author:
  - Maintainers of easymo.deploy (@easymo)
seealso:
  - plugin: easymo.deploy.console
    plugin_type: callback
"""

import itertools
import os
import typing as t

from ansible import constants as C  # noqa: N812 - as Ansible calls it
from ansible import context
from ansible.inventory.manager import split_host_pattern
from ansible.plugins.callback import CallbackBase

from ..module_utils._variable_check import nearest, take_as_text
from ..plugin_utils._process import nearby
from ..plugin_utils._run_events import ROOT, is_ours

BAD_OPTIONS = 5
"""What ansible-playbook itself returns for a wrong option."""
ANY_TAG = frozenset({"all", "always", "never", "tagged", "untagged"})
Options = t.Mapping[str, t.Any]
"""Of the command line, by Ansible's names."""


class PlayTarget(t.NamedTuple):
    """A play: its pattern of hosts, and its tags with those of its tasks."""

    hosts: str
    tags: frozenset[str]


Targets = t.Sequence[PlayTarget]


class CallbackModule(CallbackBase):
    """Looks once, when a playbook starts."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "easymo.deploy.arguments"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        plays = [play for play in playbook.get_plays() if is_ours(play)]
        if not plays:
            return
        name = os.path.basename(playbook._file_name or "")  # noqa: PTH119
        manager = plays[0].get_variable_manager()
        take_as_text(manager.extra_vars)
        result = problem(name, context.CLIARGS, [*map(target_of, plays)], manager._inventory)
        if result:
            self._display.error(result, wrap_text=False)
            # An exception of any other kind is a warning of Ansible's, and the run goes on.
            raise SystemExit(BAD_OPTIONS)


def target_of(play: t.Any) -> PlayTarget:
    hosts = play.hosts if isinstance(play.hosts, list) else [play.hosts]
    blocks = itertools.chain(play.pre_tasks, play.tasks, play.post_tasks)
    inner = frozenset().union(*(tags_in(block) for block in blocks)) - ANY_TAG
    return PlayTarget(",".join(map(str, hosts)), frozenset(play.tags) | inner)


def tags_in(node: t.Any) -> frozenset[str]:
    """Of a task, or of a block and all that it holds."""
    children = [
        child
        for section in ("block", "rescue", "always")
        for child in getattr(node, section, None) or ()
    ]
    return frozenset(node.tags).union(*map(tags_in, children))


def problem(playbook: str, options: Options, targets: Targets, inventory: t.Any) -> str:
    """Why the run would do nothing, or not what was typed, with what there is instead; "" when it is fine."""
    return (
        _wrong_tag(playbook, options, targets)
        or _wrong_limit(options.get("subset"), inventory)
        or _nothing_left(playbook, options, targets, inventory)
    )


def _tags(options: Options, name: str) -> list[str]:
    return list(options.get(name) or (["all"] if name == "tags" else []))


def _wrong_tag(playbook: str, options: Options, targets: Targets) -> str:
    known = sorted(frozenset().union(*(target.tags for target in targets)) - ANY_TAG)
    for option, name in (("--tags", "tags"), ("--skip-tags", "skip_tags")):
        wrong = [tag for tag in _tags(options, name) if tag not in known and tag not in ANY_TAG]
        if wrong:
            there = f"{playbook} has {', '.join(known) or 'no tags'}"
            return f"{option} {wrong[0]!r} matches nothing{nearest(wrong[0], known)}: {there}."
    return ""


def _hosts(inventory: t.Any, pattern: str, *, limited: bool = False) -> list[t.Any]:
    hosts: list[t.Any] = inventory.get_hosts(
        pattern, ignore_limits=not limited, ignore_restrictions=True
    )
    return hosts


def _wrong_limit(limit: str | None, inventory: t.Any) -> str:
    if limit is None:
        return ""
    parts = [part for part in split_host_pattern(limit) if part]
    if not parts:
        return (
            "--limit is empty, which would mean all hosts: name hosts or groups, or leave it out."
        )
    groups = sorted(name for name in inventory.groups if name not in ("all", "ungrouped"))
    for part in parts:
        name = part.lstrip("!&")
        if not name.startswith("@") and not _hosts(inventory, name):
            near = nearest(name, [*groups, *sorted(inventory.hosts)])
            return f"--limit {name!r} matches nothing{near}: the groups are {', '.join(groups)}."
    return ""


def _nothing_left(playbook: str, options: Options, targets: Targets, inventory: t.Any) -> str:
    tags, skipped = _tags(options, "tags"), _tags(options, "skip_tags")
    chosen = [target for target in targets if _selected(target.tags, {*tags}, {*skipped})]
    if any(_hosts(inventory, target.hosts, limited=True) for target in chosen):
        return ""
    what = playbook if tags == ["all"] else f"--tags {','.join(tags)}"
    what += f" --skip-tags {','.join(skipped)}" if skipped else ""
    if not chosen:
        return f"{what} leaves nothing to run."
    where = ", ".join(dict.fromkeys(target.hosts for target in chosen))
    why = f"--limit {options.get('subset')} leaves none of these hosts"
    if not any(_hosts(inventory, target.hosts) for target in chosen):
        given = [str(entry) for entry in options.get("inventory") or ()]
        given = [nearby(entry) for entry in given if entry not in C.DEFAULT_HOST_LIST]
        known = sorted((ROOT / "inventories").glob("*/group_vars"))
        there = " or -i ".join(nearby(str(path.parent)) for path in known)
        why = (
            f"{' and '.join(given)} has none of these hosts" if given else "no inventory was given"
        )
        why = f"{why}: use -i {there}"
    return f"Nothing would run: {what} runs on {where}, and {why}."


def _selected(tags: t.AbstractSet[str], wanted: set[str], skipped: set[str]) -> bool:
    if skipped & tags:
        return False
    if "all" in wanted:
        return bool(wanted & tags) or "never" not in tags
    return bool(wanted & (tags | ANY_TAG)) or "always" in tags
