# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at the variables of the run, which only the controller knows."""

from __future__ import annotations

import os
import re
import typing as t
from collections.abc import Mapping
from pathlib import Path

from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.plugins.action import ActionBase
from ansible.template import is_trusted_as_template
from ansible.utils.vars import load_extra_vars

from ..module_utils._formats import listed
from ..module_utils._variable_check import (
    CHOICES,
    CONNECTIONS,
    PLACEHOLDER,
    WRITTEN,
    evaluated,
    incomplete,
    missing_secrets,
    of_the_command_line,
    placeholders,
    placeholders_told,
    refused_services,
    typed_unchanged,
    unknown_variables,
    with_secrets,
)
from ..modules import release_variables
from ..plugin_utils._compiled import CompiledTemplates
from ..plugin_utils._role_contracts import RoleContracts, entry_points_of, read_shared

ROLES = Path(__file__).parents[2] / "roles"
COMPUTED = frozenset({"hostvars", "vars", "groups", "ansible_facts"})
"""Variables of Ansible's, which hold the others again or what no inventory says."""
LATER = "message_"
"""Beginning of variables with texts on what has happened, in words that the run defines by then."""
UNDEFINED_NAME = re.compile(r"^'\w+' is undefined", re.MULTILINE)
"""Of Ansible's texts, that of a name, not of an attribute."""
PREFIXES = ("release_", "deploy_lock_", "alert_rules_", "diagnosis_")
"""Beginnings, besides the roles' names, of variables that are declared one by one."""


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None
    ) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _checked, arguments = self.validate_argument_spec(**release_variables.module_spec())
        secrets = arguments["secrets"]
        task_vars = task_vars or {}
        extra = load_extra_vars(self._loader)
        unknown = unknown_variables(
            self._declared_by_roles(),
            frozenset(extra),
            self._declared_below(task_vars.get("inventory_dir"))
            | self._declared_below(task_vars.get("playbook_dir")),
            (*PREFIXES, *(f"{role.name}_" for role in ROLES.iterdir())),
        )
        undefined = self._undefined(task_vars) if arguments["undefined"] == "tell" else {}
        if undefined:
            # Until they are defined they are as little known as what has a placeholder.
            task_vars = {**task_vars, **undefined}
            result["undefined"] = undefined
        values, reasons = self._values(secret["name"] for secret in secrets)
        missing = [] if reasons else missing_secrets(secrets, values)
        refuses = arguments["placeholders"] == "refuse"
        # What only looks or takes back is not stopped by a text of the inventory, which it does not write.
        whole = refuses and arguments["texts"] == "refuse"
        unfilled, typed_secrets = self._look_at_all_hosts(task_vars, undefined, texts=whole)
        result.update(changed=False, unknown=unknown, missing=missing, placeholders=unfilled)
        CompiledTemplates().install()
        unmet, unread = self._unmet(arguments["contracts"], task_vars)
        for reason in sorted(reasons):
            unread.setdefault(f"{reason.rstrip('.')}.", []).insert(0, "the secrets")
        problems = [
            f"{why} So these cannot be read: {listed(names)}." for why, names in unread.items()
        ]
        if unknown:
            problems.append(f"Unknown variables: {', '.join(unknown)}. Check the spelling.")
        problems += of_the_command_line(
            task_vars, self._declared_of_playbooks(task_vars.get("playbook_dir")), extra
        )
        problems += [*typed_unchanged(extra), *evaluated(extra, is_trusted_as_template)]
        if arguments["texts"] == "refuse":
            problems += typed_secrets if whole else dict.fromkeys(with_secrets(extra))
        if refuses:
            problems += incomplete(task_vars)
            if unfilled:
                problems.append(placeholders_told(unfilled))
        if missing:
            problems.append(
                f"These secrets have no value: {', '.join(missing)}. Set the environment "
                "variables or fill in a vault: see docs/secrets.md."
            )
        if shadowed := self._shadowed(task_vars):
            problems.append(
                f"The inventory sets {', '.join(shadowed)} for all hosts, but the playbooks' "
                "value wins: set it for a group, for example in group_vars/microservices.yml, "
                "for a host, or with --extra-vars."
            )
        problems += self._services_refused(task_vars)
        problems += unmet
        if problems:
            result.update(failed=True, reason="InvalidInput", msg=" ".join(problems))
        return result

    def _services_refused(self, task_vars: dict[str, t.Any]) -> list[str]:
        """What stands against the services of the release, and the digests of their images."""
        values = {name: self._value(task_vars, name) for name in CHOICES}
        hosts, hostvars = task_vars["groups"].get("microservices", []), task_vars["hostvars"]
        namespaces = [self._value(hostvars[host], "kubernetes_namespace") for host in hosts]
        return refused_services(values, hosts, [*dict.fromkeys(map(str, filter(None, namespaces)))])

    def _value(self, variables: t.Mapping[str, t.Any], name: str) -> t.Any:
        """None for one that is not set or cannot be read, which is told by the check of its role's options."""
        try:
            return self._templar.template(variables.get(name))
        except AnsibleError:
            return None

    def _look_at_all_hosts(
        self, task_vars: dict[str, t.Any], undefined: t.Container[str], *, texts: bool
    ) -> tuple[list[dict[str, str]], list[str]]:
        """The values of any host that still have a placeholder, each with the file that it stands in or why it has
        none; and with `texts` why they look like secrets: of this host what its templates say, of the others what
        stands there.
        """
        own = {name: self._value(task_vars, name) for name in WRITTEN if texts}
        unfilled: dict[tuple[str, str], None] = {}
        typed_secrets = dict.fromkeys(with_secrets(own))
        for host in task_vars["groups"]["all"]:
            variables = self._of_host(host, task_vars)
            if texts:
                typed_secrets.update(dict.fromkeys(with_secrets(variables)))
            for name, value in variables.items():
                if name not in COMPUTED and (
                    paths := list(placeholders(name, value, why=name in undefined))
                ):
                    file = self._file_of(name, value, task_vars)
                    unfilled.update(dict.fromkeys((path, file) for path in paths))
        return [{"name": name, "file": file} for name, file in unfilled], [*typed_secrets]

    def _undefined(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """What uses a name that nobody defines, or is missing beside another variable, as placeholders."""
        results: dict[str, t.Any] = {
            sibling: f"{PLACEHOLDER}: {head} is nothing without it"
            for head, siblings in CONNECTIONS.items()
            if head in task_vars
            for sibling in siblings
            if sibling not in task_vars
        }
        # An inventory may also have variables beside its hosts, in whatever format.
        beside = {*task_vars["hostvars"].raw_get(task_vars["inventory_hostname"])}
        beside -= self._declared_below(task_vars.get("playbook_dir"))
        for name in sorted(beside | self._declared_below(task_vars.get("inventory_dir"))):
            if name.startswith(LATER):
                continue
            value, whole = self._defined(task_vars.get(name))
            if not whole:
                results[name] = value
        return results

    def _defined(self, value: t.Any) -> tuple[t.Any, bool]:
        """Each text of a value evaluated, or a placeholder that says why it cannot be; and whether all could be."""
        if isinstance(value, str):
            try:
                return self._templar.template(value), True
            except AnsibleUndefinedVariable as exc:
                # A key that is missing belongs to the row which reads the value.
                named = UNDEFINED_NAME.search(str(exc))
                return (f"{PLACEHOLDER}: {str(exc).rstrip('.')}", False) if named else (value, True)
            except AnsibleError:
                return value, True
        if isinstance(value, Mapping):
            parts = {key: self._defined(entry) for key, entry in value.items()}
            return {key: part for key, (part, _) in parts.items()}, all(
                whole for _, whole in parts.values()
            )
        if isinstance(value, list):
            items = [*map(self._defined, value)]
            return [item for item, _ in items], all(whole for _, whole in items)
        return value, True

    def _file_of(self, name: str, value: t.Any, task_vars: dict[str, t.Any]) -> str:
        """Among the inventory's files of variables, as it is typed from here."""
        for path in self._files(task_vars.get("inventory_dir")):
            if self._read(path).get(name) == value:
                return os.path.relpath(path)
        return ""

    def _unmet(
        self, contracts: list[dict[str, t.Any]], task_vars: dict[str, t.Any]
    ) -> tuple[list[str], dict[str, list[str]]]:
        """What the variables of the hosts lack for the roles that the run will use, each told once for all hosts;
        and by the reason why they cannot be read, the options.
        """
        if not contracts:
            return [], {}
        # It brings the libraries of all phases, which a look at the status does not need.
        from ..module_utils._release_variables import misread  # noqa: PLC0415

        roles = RoleContracts(self._loader, ROLES, {"release_variables": misread})
        results: dict[str, list[str]] = {}
        unread: dict[str, dict[str, None]] = {}
        for entry in contracts:
            hosts, role = entry["hosts"], entry["role"]
            for host in [task_vars["inventory_hostname"]] if hosts is None else hosts:
                for item in roles.problems(entry, self._of_host(host, task_vars)):
                    if item.unread:
                        unread.setdefault(item.why, {})[item.unread] = None
                    else:
                        whose = f"role {role}: " if role else ""
                        results.setdefault(f"{whose}{item.why}", []).append(host)
        sentences = [f"On {listed(where)}, {problem}" for problem, where in results.items()]
        return sentences, {why: list(names) for why, names in unread.items()}

    def _of_host(self, host: str, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        if host == task_vars["inventory_hostname"]:
            return task_vars
        hostvars = task_vars["hostvars"]
        return {**hostvars.raw_get(host), "hostvars": hostvars}

    def _shadowed(self, task_vars: dict[str, t.Any]) -> list[str]:
        """What both the inventory and the playbooks set for all hosts; of the two, Ansible takes the playbooks'."""
        for_all = ("group_vars/all.yml", "group_vars/all/**/*.yml")
        inventory, playbooks = (
            self._declared_below(task_vars.get(folder), *for_all)
            for folder in ("inventory_dir", "playbook_dir")
        )
        return sorted(inventory & playbooks)

    def _declared_by_roles(self) -> frozenset[str]:
        return frozenset(
            name
            for path in ROLES.glob("*/meta/argument_specs.yml")
            for entry_point in entry_points_of(path.parents[1]).values()
            for name in entry_point.get("options", {})
        )

    def _declared_below(self, directory: str | None, *patterns: str) -> frozenset[str]:
        files = self._files(directory, *patterns)
        return frozenset(name for path in files for name in self._read(path))

    def _declared_of_playbooks(self, directory: str | None) -> dict[str, t.Any]:
        """The values that they set for all hosts."""
        return {
            name: value
            for path in self._files(directory, "group_vars/all/**/*.yml")
            for name, value in self._read(path).items()
        }

    def _files(self, directory: str | None, *patterns: str) -> t.Iterator[Path]:
        for pattern in patterns or ("*_vars/**/*.yml",):
            yield from Path(directory).glob(pattern) if directory else ()

    def _read(self, path: Path) -> dict[str, t.Any]:
        try:
            return read_shared(self._loader, path)
        except AnsibleError:
            # A vault that this run has no password for; Ansible itself has already said so if it matters.
            return {}

    def _values(self, names: t.Iterable[str]) -> tuple[dict[str, str], set[str]]:
        """The secrets' values, and why some could not be read: a reason names variables, never a value."""
        values: dict[str, str] = {}
        reasons: set[str] = set()
        for name in names:
            try:
                raw = self._templar.available_variables.get(name, "")
                values[name] = str(self._templar.template(raw))
            except AnsibleUndefinedVariable as exc:
                reasons.add(str(exc))
            except AnsibleError:
                # Its text may hold what was being read; that the secret is missing is said anyway.
                values[name] = ""
        return values, reasons
