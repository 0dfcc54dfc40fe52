# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What both callbacks read of a run: inventory variables, secrets to blank out, errors as sentences."""

from __future__ import annotations

import typing as t

from ansible.template import Templar

from ansible_collections.easymo.deploy.plugins.module_utils._messages.redactor import SECRET_NAME

CENSORED = "its output is hidden because it may have secrets (no_log)"

Variables = t.Mapping[str, t.Any]


class PlayVariables:
    """The variables of a play as localhost sees them, templated one by one when asked for."""

    def __init__(self, play: t.Any) -> None:
        manager = play.get_variable_manager()
        localhost = manager._inventory.get_host("localhost")
        self._variables: Variables = manager.get_vars(play=play, host=localhost)
        self._templar = Templar(loader=manager._loader, variables=self._variables)

    def get(self, name: str) -> str:
        """Its value as text; "" when it is not there or can't be templated."""
        if name not in self._variables:
            return ""
        try:
            value = self._templar.template(self._variables[name])
        except Exception:  # anything may be wrong in an inventory; its own tasks will say so
            return ""
        return str(value) if isinstance(value, (str, int, float)) else ""

    def secrets(self) -> list[str]:
        names = [name for name in self._variables if SECRET_NAME.search(name)]
        return [value for value in (self.get(name) for name in names) if value]


def hosts_of(play: t.Any) -> int:
    """How many hosts the play selects, with --limit."""
    return len(play.get_variable_manager()._inventory.get_hosts(play.hosts))


def task_name(task: t.Any) -> str:
    """A name may have been templated from a secret, and no_log does not cover names: then its place says it."""
    if task.no_log:
        place = str(task.get_path() or "").rpartition("/")[2]
        return f"{task.action} ({place})" if place else str(task.action)
    return str(task.get_name())


def sentence(result: Variables) -> str:
    """Why a task failed, as its module put it."""
    if "censored" in result or result.get("_ansible_no_log"):
        return CENSORED
    failed = [
        item
        for item in result.get("results") or ()
        if isinstance(item, dict) and (item.get("failed") or item.get("unreachable"))
    ]
    sources = [*failed[:1], result] if failed else [result]
    for source in sources:
        for key in ("msg", "reason", "stderr"):
            value = source.get(key)
            if value:
                return str(value).strip()
    return "it failed and did not say why"
