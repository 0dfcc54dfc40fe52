# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Where rules are put for Prometheus: an object of its operator, or a file that it reads."""

from __future__ import annotations

import os
import tempfile
import typing as t
from pathlib import Path

from ansible.module_utils.common.yaml import yaml_dump, yaml_load

from .._cluster import Cluster, Object
from .._errors import ConflictError, DeployError, InputError, RefusedError
from .plan import Groups, plain

_HEADER = (
    "# Written by easymo.deploy.alert_rules, which overwrites it: change the release's file.\n"
)


class Destination(t.Protocol):
    """Somewhere that holds groups of rules."""

    where: str

    def read(self) -> list[dict[str, t.Any]] | None:
        """The groups that are there; None for nothing."""

    def outdated(self, groups: Groups) -> bool:
        """Whether `write` would change anything."""

    def write(self, groups: Groups, *, dry_run: bool) -> None:
        """Put the groups there, or find out whether one might."""


class RuleObject:
    """A PrometheusRule. `labels`: what the operator's `ruleSelector` looks for."""

    def __init__(
        self, cluster: Cluster, name: str, labels: t.Mapping[str, str], *, force: bool
    ) -> None:
        self.where = f"PrometheusRule {name!r} in namespace {cluster.namespace!r}"
        self._cluster = cluster
        self._name = name
        self._labels = {str(key): str(value) for key, value in labels.items()}
        self._force = force

    def read(self) -> list[dict[str, t.Any]] | None:
        found = self._cluster.read("PrometheusRule", self._name)
        return None if found is None else _groups_of(found)

    def outdated(self, groups: Groups) -> bool:
        found = self._cluster.read("PrometheusRule", self._name)
        if found is None:
            return True
        labels = found["metadata"].get("labels") or {}
        return _groups_of(found) != plain(groups) or not self._labels.items() <= labels.items()

    def write(self, groups: Groups, *, dry_run: bool) -> None:
        body: Object = {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {
                "name": self._name,
                "namespace": self._cluster.namespace,
                "labels": self._labels,
            },
            "spec": {"groups": plain(groups)},
        }
        try:
            written = self._cluster.apply(
                "PrometheusRule", body, force=self._force, dry_run=dry_run
            )
        except RefusedError as exc:
            if exc.details.get("status") != 404:
                raise
            raise RefusedError(
                "The cluster has no PrometheusRule: install the Prometheus operator, or set "
                "'destination' to file."
            ) from exc
        if _groups_of(written) != plain(groups):
            raise ConflictError(f"{self.where} holds somebody else's rules: choose another 'name'.")


class RuleFile:
    """A file among the `rule_files` of a Prometheus on the same machine. `reload` lets it read them again."""

    def __init__(self, path: Path, reload: t.Callable[[], None] | None) -> None:
        self.where = f"file {path}"
        self._path = path
        self._reload = reload

    def read(self) -> list[dict[str, t.Any]] | None:
        before = self._text()
        if before is None:
            return None
        try:
            return plain(yaml_load(before)["groups"] or [])
        except (
            Exception
        ):  # Of many kinds, YAML's own among them; what it is, the new text replaces.
            return []

    def outdated(self, groups: Groups) -> bool:
        return self.read() != plain(groups)

    def write(self, groups: Groups, *, dry_run: bool) -> None:
        if not self._path.parent.is_dir():
            raise InputError(
                f"The folder {self._path.parent} does not exist: set 'path' to a file among Prometheus's rule_files."
            )
        if dry_run:
            return
        before = self._text()
        text = yaml_dump({"groups": plain(groups)}, sort_keys=False, allow_unicode=True, width=110)
        self._put(_HEADER + text)
        try:
            if self._reload:
                self._reload()
        except DeployError:
            # A file that Prometheus does not take would keep it from starting the next time.
            self._put(before)
            raise

    def _text(self) -> str | None:
        try:
            return self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as exc:
            raise InputError(
                f"The {self.where} cannot be read ({type(exc).__name__}): choose another 'path'."
            ) from exc

    def _put(self, text: str | None) -> None:
        """Whole or not at all, for Prometheus may read at any moment."""
        try:
            if text is None:
                self._path.unlink()
                return
            handle, partial = tempfile.mkstemp(dir=self._path.parent, prefix=".", suffix=".partial")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(partial).chmod(0o644)
            Path(partial).replace(self._path)
        except OSError as exc:
            raise InputError(
                f"The {self.where} cannot be written ({exc.strerror}): allow this user to write "
                "it, or choose another 'path'."
            ) from exc


def _groups_of(body: Object) -> list[dict[str, t.Any]]:
    return plain((body.get("spec") or {}).get("groups") or [])
