# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a namespace, and write the files of an inventory that are not there yet."""

from __future__ import annotations

import typing as t
from pathlib import Path

from .._cluster import Cluster, Object
from .._errors import DeployError, InputError, RefusedError
from .plan import Draft, Namespace

FLAGS = ("flag", "feature")
"""Words in the name of a ConfigMap that holds flags."""


def read_namespace(cluster: Cluster, name: str) -> Namespace:
    """Without the right to list Deployments there is nothing to write; what else cannot be read is told."""
    try:
        deployments = cluster.list_objects("Deployment")
    except RefusedError as exc:
        raise RefusedError(
            f"{str(exc).rstrip('.')}. Give this account the right to list them, or name another kubeconfig or context.",
            **exc.details,
        ) from exc
    if not deployments:
        raise InputError(
            f"The namespace {name!r} has no Deployment: name one in which services run, and check the context."
        )
    unseen: list[str] = []

    def listed(kind: str) -> t.Sequence[Object]:
        try:
            # The items of a list do not tell their kind.
            return [{**body, "kind": kind} for body in cluster.list_objects(kind)]
        except RefusedError as exc:
            unseen.append(str(exc))
            return ()

    maps = listed("ConfigMap")
    return Namespace(
        name=name,
        deployments=deployments,
        others=[*listed("StatefulSet"), *listed("DaemonSet")],
        autoscalers=listed("HorizontalPodAutoscaler"),
        budgets=listed("PodDisruptionBudget"),
        flags={
            body["metadata"]["name"]: sorted(body.get("data") or {})
            for body in maps
            if any(word in body["metadata"]["name"].lower() for word in FLAGS)
        },
        unseen=unseen,
    )


def compare(draft: Draft, folder: Path) -> tuple[dict[str, str], list[str]]:
    """The files that are not there, and those that are there with another text, which are left alone."""
    new: dict[str, str] = {}
    kept: list[str] = []
    for name, text in draft.files.items():
        path = folder / name
        try:
            # A link that leads nowhere would be written through.
            if not path.exists() and not path.is_symlink():
                new[name] = text
            elif path.read_text(encoding="utf-8") != text:
                kept.append(name)
        except (OSError, ValueError) as exc:
            raise InputError(
                f"The file {path} cannot be read ({exc}): name another directory."
            ) from exc
    return new, kept


def write(files: t.Mapping[str, str], folder: Path) -> None:
    for name, text in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as handle:
                handle.write(text)
        except OSError as exc:
            raise DeployError(
                f"The file {path} was not written: {exc.strerror}. Name another directory."
            ) from exc
