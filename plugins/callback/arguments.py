# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: arguments
type: notification
short_description: Refuses a run whose tags, limit or inventory match nothing
version_added: 0.2.0
description:
  - Ansible ends such a run without an error, as if all was done. With this callback it ends with return code 5, before
    its first task, and says which argument matches nothing and what there is instead.
  - Refused are a tag that the playbook has not got, one of several too; an empty C(--limit), which Ansible takes for
    all hosts; a part of C(--limit) that is no host and no group; no inventory, or one without the playbook's groups;
    and a limit that leaves no host to the tags.
  - Looks at the playbooks of this collection only.
author:
  - Maintainers of easymo.deploy (@easymo)
seealso:
  - plugin: easymo.deploy.console
    plugin_type: callback
"""

import functools
import itertools
import os
import typing as t

from ansible import constants as C  # noqa: N812 - as Ansible calls it
from ansible import context
from ansible.inventory.manager import split_host_pattern
from ansible.plugins.callback import CallbackBase

from ..module_utils._terminal.commands import ANY_TAG, Arguments, Inventory, PlayTarget, problem
from ..plugin_utils._command_line import nearby
from ..plugin_utils._run_events import ROOT, is_ours

BAD_OPTIONS = 5
"""What ansible-playbook itself returns for a wrong option."""


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
        result = problem(typed(playbook), [*map(target_of, plays)], inventory_of(plays[0]))
        if result:
            self._display.error(result, wrap_text=False)
            # An exception of any other kind is a warning of Ansible's, and the run goes on.
            raise SystemExit(BAD_OPTIONS)


def typed(playbook: t.Any) -> Arguments:
    options = context.CLIARGS
    limit = options.get("subset")
    parts = [] if limit is None else split_host_pattern(limit)
    given = [str(entry) for entry in options.get("inventory") or ()]
    return Arguments(
        playbook=os.path.basename(playbook._file_name or ""),  # noqa: PTH119
        inventories=tuple(nearby(entry) for entry in given if entry not in C.DEFAULT_HOST_LIST),
        tags=tuple(options.get("tags") or ("all",)),
        skip_tags=tuple(options.get("skip_tags") or ()),
        limit=limit,
        limit_parts=tuple(part for part in parts if part),
        known_inventories=tuple(
            nearby(str(path.parent)) for path in sorted((ROOT / "inventories").glob("*/group_vars"))
        ),
    )


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


def inventory_of(play: t.Any) -> Inventory:
    inventory = play.get_variable_manager()._inventory

    def matches(pattern: str, *, limited: bool = False) -> frozenset[str]:
        result = inventory.get_hosts(pattern, ignore_limits=not limited, ignore_restrictions=True)
        return frozenset(host.get_name() for host in result)

    groups = (name for name in inventory.groups if name not in ("all", "ungrouped"))
    left = functools.partial(matches, limited=True)
    return Inventory(tuple(sorted(groups)), frozenset(inventory.hosts), matches, left)
