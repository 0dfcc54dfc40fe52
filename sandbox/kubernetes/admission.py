# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the cluster, in the order a write meets them: defaults, webhooks, validation, quota."""

from __future__ import annotations

import typing as t

from sandbox.kubernetes import defaulting, quota, validation

if t.TYPE_CHECKING:
    from sandbox.kubernetes.errors import Object
    from sandbox.kubernetes.resources import Resource
    from sandbox.kubernetes.store import Store


class ClusterRules:
    """What the store asks before each write (store.Rules)."""

    def default(self, resource: Resource, obj: Object) -> None:
        defaulting.default(resource, obj)

    def mutate(self, resource: Resource, obj: Object) -> None:
        """A sandbox has no webhooks."""

    def validate(self, resource: Resource, obj: Object, current: Object | None) -> None:
        validation.validate(resource, obj, current)

    def admit(self, store: Store, resource: Resource, obj: Object) -> None:
        quota.admit(store, resource, obj)
