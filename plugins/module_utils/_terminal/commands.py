# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The command to type next, from the one that was typed.

Values of extra variables are not known here, for they may be secrets.
"""

from __future__ import annotations

import shlex
import typing as t
from dataclasses import dataclass, replace

ALL = ("all",)


@dataclass(frozen=True)
class Command:
    """What was typed. `rollback` and `ramp`: the playbooks of these names beside this one, "" when there are none."""

    playbooks: tuple[str, ...]
    inventories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ALL
    limit: str = ""
    check: bool = False
    extra_variables: bool = False
    rollback: str = ""
    ramp: str = ""

    def line(self) -> str:
        parts = ["ansible-playbook", *self.playbooks]
        for inventory in self.inventories:
            parts += ["-i", inventory]
        if self.tags != ALL:
            parts += ["--tags", ",".join(self.tags)]
        if self.limit:
            parts += ["--limit", self.limit]
        if self.check:
            parts.append("--check")
        told = shlex.join(parts)
        return f"{told}   (and the -e of this run)" if self.extra_variables else told

    def resumed(self, phase: str, plan: t.Sequence[str]) -> Command:
        """From this phase on, as far as this run was to go."""
        if phase not in plan:
            return self
        rest = list(plan[plan.index(phase) :])
        if self.tags == ALL:
            return self if len(rest) == len(plan) else replace(self, tags=tuple(rest))
        chosen = [name for name in rest if name in self.tags]
        return replace(self, tags=tuple(chosen or [phase]))

    def onward(self, phases: t.Sequence[str]) -> Command:
        """With the phases that this run was not asked for."""
        return replace(self, tags=tuple(phases))

    def other(self, playbook: str) -> Command:
        """Another playbook against the same inventory."""
        return Command(playbooks=(playbook,), inventories=self.inventories)
