# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument specs of several roles for several hosts, checked by one task before the first of them runs.

Ansible checks a role's spec at each include and on each host by a task of its own. A playbook that switches that off
(`rolespec_validate: false`) names its roles here, so that no refusal is lost and all come at once, first.
"""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Mapping
from pathlib import Path

from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.module_utils.common.yaml import yaml_load
from ansible.template import Templar

from ..module_utils._arguments import endless_sentence, is_endless, read_options
from ..module_utils._variable_check import placeholders

Variables = Mapping[str, t.Any]
Reader = t.Callable[[Variables], list[str]]


Contract = Mapping[str, t.Any]
"""An entry of the option `contracts` of the module release_variables.

Without a role, only its `reads` are looked at: tasks that are no product of their own have no spec.
"""


class Problem(t.NamedTuple):
    """`why` is a sentence. Of an option that has no value because of something else, `unread` is its name."""

    why: str
    unread: str = ""


class RoleContracts:
    """`loader` is Ansible's; `roles` is the folder of the collection's roles.

    `readers` have by role what its tasks could not work with although their types are right, in a sentence each.
    """

    def __init__(self, loader: t.Any, roles: Path, readers: t.Mapping[str, Reader]) -> None:
        self._loader = loader
        self._roles = roles
        self._readers = readers
        self._files: dict[Path, dict[str, t.Any]] = {}
        # One for all: each new one would look up the filters again.
        self._templar = Templar(loader=loader)

    def problems(self, contract: Contract, variables: Variables) -> list[Problem]:
        """One for each option of the role that its variables don't meet, or have no value for."""
        role = contract["role"]
        visible = {
            **self._file(role, "defaults/main.yml"),
            **variables,
            **self._file(role, "vars/main.yml"),
        }
        self._templar.available_variables = visible
        spec = self._options(contract)
        given: dict[str, t.Any] = {}
        results: list[Problem] = []
        for name in spec:
            if name not in visible:
                continue
            if is_endless(visible[name]):
                results.append(Problem(endless_sentence(name)))
                continue
            try:
                given[name] = self._templar.template(visible[name])
            except AnsibleUndefinedVariable as exc:
                results.append(Problem(f"{str(exc).rstrip('.')}.", name))
            except RecursionError:
                results.append(Problem(f"{name} cannot be read: something in it contains itself."))
            except AnsibleError:
                # Its text may hold what was being read.
                results.append(Problem(f"{name} cannot be read: its template fails."))
        for name in [name for name, value in given.items() if any(placeholders(name, value))]:
            # What is still to be filled in is told as such, and is not judged.
            del given[name]
        unread = {name for name in spec if name in visible and name not in given}
        known = {name: option for name, option in spec.items() if name not in unread}
        values, wrong = read_options(known, given)
        if role in self._readers:
            # A dictionary as its task will get it: here Ansible has made lists out of numbers in it.
            as_it_is = {name: entry for name, entry in given.items() if isinstance(entry, Mapping)}
            fine = {
                name: value
                for name, value in {**values, **as_it_is}.items()
                if not any(name in sentence for sentence in wrong)
            }
            wrong = wrong + self._readers[role](fine)
        return results + [Problem(entry) for entry in wrong]

    def _options(self, contract: Contract) -> dict[str, t.Any]:
        role = contract["role"]
        entry_points = entry_points_of(self._roles / role) if role else {}
        declared = {
            name: option
            for entry_point in (contract["entry_points"] if role else ())
            for name, option in entry_points[entry_point].get("options", {}).items()
            if name not in contract["later"]
        }
        needed = {name: {"type": "raw", "required": True} for name in contract["reads"]}
        return declared | needed

    def _file(self, role: str, name: str) -> dict[str, t.Any]:
        path = self._roles / role / name
        if path not in self._files:
            self._files[path] = read_shared(self._loader, path) if path.is_file() else {}
        return self._files[path]


@functools.cache
def entry_points_of(role: Path) -> dict[str, t.Any]:
    """The argument spec of each entry point.

    Ansible's loader would note where each text stands, which is of no use here, and take seven times as long.
    """
    specs = role / "meta" / "argument_specs.yml"
    return t.cast("dict[str, t.Any]", yaml_load(specs.read_text("utf-8"))["argument_specs"])


def read_shared(loader: t.Any, path: Path) -> dict[str, t.Any]:
    """A file of YAML as Ansible's loader keeps it, {} when it is empty. Change nothing in it.

    `unsafe` is the loader's word for leaving out a deep copy, which takes longer than to parse the file. What is kept
    is what the run reads later, and text that is not trusted stays text: templates would not be rendered.
    """
    return loader.load_from_file(str(path), unsafe=True, trusted_as_template=True) or {}
