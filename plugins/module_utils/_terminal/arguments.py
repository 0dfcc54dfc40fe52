# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide whether a run would do what was typed: a tag, a limit or an inventory that matches nothing is a mistake."""

from __future__ import annotations

import difflib
import typing as t
from dataclasses import dataclass

ANY_TAG = frozenset({"all", "always", "never", "tagged", "untagged"})

Matches = t.Callable[[str], t.AbstractSet[str]]
"""The hosts that a pattern, or one part of --limit, matches."""


@dataclass(frozen=True)
class Arguments:
    """What was typed. `limit` is None when it was not given; `known_inventories` are those beside the playbooks."""

    playbook: str
    inventories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ("all",)
    skip_tags: tuple[str, ...] = ()
    limit: str | None = None
    limit_parts: tuple[str, ...] = ()
    known_inventories: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """A play: its pattern of hosts, and its tags with those of its tasks."""

    hosts: str
    tags: frozenset[str]


@dataclass(frozen=True)
class Inventory:
    groups: tuple[str, ...]
    hosts: frozenset[str]
    matches: Matches


def problem(typed: Arguments, targets: t.Sequence[Target], inventory: Inventory) -> str:
    """Why the run would do nothing, or not what was typed, with what there is instead; "" when it is fine."""
    return (
        _wrong_tag(typed, targets)
        or _no_inventory(typed, targets, inventory)
        or _wrong_limit(typed, inventory)
        or _nothing_left(typed, targets, inventory)
    )


def _wrong_tag(typed: Arguments, targets: t.Sequence[Target]) -> str:
    known = sorted(frozenset().union(*(one.tags for one in targets)) - ANY_TAG)
    for option, tags in (("--tags", typed.tags), ("--skip-tags", typed.skip_tags)):
        wrong = [tag for tag in tags if tag not in known and tag not in ANY_TAG]
        if wrong:
            there = f"{typed.playbook} has {', '.join(known) or 'no tags'}"
            return f"{option} {wrong[0]!r} matches nothing{_nearest(wrong[0], known)}: {there}."
    return ""


def _no_inventory(typed: Arguments, targets: t.Sequence[Target], inventory: Inventory) -> str:
    wanted = list(dict.fromkeys(one.hosts for one in targets))
    if any(inventory.matches(pattern) for pattern in wanted):
        return ""
    instead = f" -i {' or -i '.join(typed.known_inventories)}" if typed.known_inventories else " -i"
    if not inventory.hosts:
        given = " and ".join(typed.inventories)
        what = f"The inventory {given} has no hosts" if given else "No inventory was given"
        return f"{what}, so nothing would run: add{instead}."
    groups = ", ".join(inventory.groups) or "none"
    return (
        f"The inventory {' and '.join(typed.inventories)} has no group {', '.join(wanted)}, so nothing would run: its "
        f"groups are {groups}. Use{instead}."
    )


def _wrong_limit(typed: Arguments, inventory: Inventory) -> str:
    if typed.limit is None:
        return ""
    if not typed.limit_parts:
        return (
            "--limit is empty, which would mean all hosts: name hosts or groups, or leave it out."
        )
    names = [*inventory.groups, *sorted(inventory.hosts)]
    for part in typed.limit_parts:
        name = part.lstrip("!&")
        if not name.startswith("@") and not inventory.matches(name):
            groups = ", ".join(inventory.groups)
            return (
                f"--limit {name!r} matches nothing{_nearest(name, names)}: the groups are {groups}."
            )
    return ""


def _nothing_left(typed: Arguments, targets: t.Sequence[Target], inventory: Inventory) -> str:
    chosen = [one for one in targets if _selected(typed, one)]
    limited = _limited(typed, inventory)
    if any(inventory.matches(one.hosts) & limited for one in chosen):
        return ""
    tags = f"--tags {','.join(typed.tags)}" if typed.tags != ("all",) else typed.playbook
    if typed.skip_tags:
        tags += f" --skip-tags {','.join(typed.skip_tags)}"
    if not chosen:
        return f"{tags} leaves nothing to run."
    where = ", ".join(dict.fromkeys(one.hosts for one in chosen))
    return f"Nothing would run: {tags} runs on {where}, and --limit {typed.limit} leaves none of these hosts."


def _limited(typed: Arguments, inventory: Inventory) -> t.AbstractSet[str]:
    """Ansible's own rule: parts add up, then `&` keeps and `!` takes away."""
    parts = [part for part in typed.limit_parts if not part.startswith("@")]
    if typed.limit is None or len(parts) < len(typed.limit_parts):
        return inventory.matches("all") | inventory.hosts
    adding = [part for part in parts if part[:1] not in ("!", "&")]
    left = {host for part in adding or ["all"] for host in inventory.matches(part)}
    for part in parts:
        if part.startswith("&"):
            left &= inventory.matches(part[1:])
        elif part.startswith("!"):
            left -= inventory.matches(part[1:])
    return left


def _selected(typed: Arguments, target: Target) -> bool:
    named = {*typed.tags} & target.tags
    if "all" in typed.tags:
        chosen = bool(named) or "never" not in target.tags
    else:
        chosen = bool(named or ANY_TAG & {*typed.tags} or "always" in target.tags)
    return chosen and not {*typed.skip_tags} & target.tags


def _nearest(name: str, known: t.Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""
