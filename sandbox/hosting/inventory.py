# SPDX-License-Identifier: GPL-3.0-or-later
"""A team's inventory as Ansible reads it: its services, databases, images and flags.

What is not filled in yet, or cannot be evaluated here, counts as absent. Four variables are read by the sandbox alone,
and none is needed: `sandbox_checkout`, `sandbox_previous_tag`, and of a database `sandbox_migrated_to` (a version or
the name of a migration) and `sandbox_sql` (files that run after the migrations).
"""

from __future__ import annotations

import functools
import re
import typing as t
from collections.abc import Mapping, Sequence
from pathlib import Path

from ansible import constants
from ansible.cli import CLI
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.vars.manager import VariableManager

from sandbox.errors import SandboxError

PLACEHOLDER = "CHANGE_ME"


class Inventory:
    def __init__(self, sources: t.Sequence[Path]) -> None:
        if absent := [source for source in sources if not source.exists()]:
            raise SandboxError(f"There is no inventory {absent[0]}: name its folder or file.")
        self._folders = [source if source.is_dir() else source.parent for source in sources]
        try:
            self._loader = _loader()
            self._inventory = InventoryManager(self._loader, [str(source) for source in sources])
            manager = VariableManager(self._loader, self._inventory)
            hosts = {host.name: host for host in self._inventory.get_hosts("all")}
            hosts.setdefault("localhost", self._inventory.localhost)
            self._of = {
                name: manager.get_vars(host=host, include_hostvars=False)
                for name, host in hosts.items()
            }
        except AnsibleError as exc:
            raise SandboxError(f"Ansible cannot read the inventory {sources[0]}: {exc}") from exc

    def hosts(self, group: str) -> list[str]:
        known = group in self._inventory.groups
        return [host.name for host in self._inventory.get_hosts(group)] if known else []

    def names(self) -> frozenset[str]:
        """Of every variable of any host."""
        return frozenset(name for variables in self._of.values() for name in variables)

    def value(self, name: str, default: t.Any = None, *, host: str = "localhost") -> t.Any:
        """`default` for what is absent or empty."""
        value = self._evaluated(self._of[host].get(name), host)
        return default if value in (None, "") else value

    def entries(self, name: str) -> dict[str, t.Any]:
        """Of a dictionary, those that can be evaluated."""
        raw = self._of["localhost"].get(name)
        entries = raw if isinstance(raw, Mapping) else self.value(name, {})
        read = {key: self._evaluated(entry, "localhost") for key, entry in entries.items()}
        return {key: entry for key, entry in read.items() if entry is not None}

    def take(self, **variables: t.Any) -> None:
        """As given with --extra-vars."""
        for known in self._of.values():
            known.update(variables)

    def path(self, name: str, *, host: str = "localhost") -> Path | None:
        """What a path leads to, None where there is nothing. One that is relative is so to where the inventory is."""
        value = self.value(name, host=host)
        return self.located(value) if isinstance(value, str) else None

    def located(self, value: str) -> Path | None:
        places = (folder / value for folder in reversed(self._folders))
        return next(filter(Path.exists, places), None)

    def _evaluated(self, raw: t.Any, host: str) -> t.Any:
        try:
            value = Templar(loader=self._loader, variables=self._of[host]).template(raw)
        except AnsibleError:
            return None
        return None if _unfilled(value) else value


@functools.cache
def _loader() -> DataLoader:
    loader = DataLoader()
    # Once in a process, as Ansible wants it.
    CLI.setup_vault_secrets(loader, constants.DEFAULT_VAULT_IDENTITY_LIST, auto_prompt=False)
    return loader


def _unfilled(value: t.Any) -> bool:
    if isinstance(value, str):
        return PLACEHOLDER in value
    if isinstance(value, Mapping):
        return any(map(_unfilled, value.values()))
    return isinstance(value, Sequence) and any(map(_unfilled, value))


def earlier(tag: str) -> str:
    """The tag of a release before: its last number that is not 0, less one. `previous` where it has none."""
    numbers = [match for match in re.finditer(r"\d+", tag) if int(match[0])]
    if not numbers:
        return "previous"
    last = numbers[-1]
    return f"{tag[: last.start()]}{int(last[0]) - 1}{tag[last.end() :]}"
