# SPDX-License-Identifier: GPL-3.0-or-later
"""Every component of the sandbox."""

from __future__ import annotations

import typing as t

import sandbox.alertmanager
import sandbox.exporters.component
import sandbox.gateway.component
import sandbox.kafka.component
import sandbox.kubernetes.component
import sandbox.node.component
import sandbox.postgres.component
import sandbox.prometheus
import sandbox.seaweedfs
import sandbox.sinks.component
import sandbox.smtp
import sandbox.supabase.component
import sandbox.valkey

if t.TYPE_CHECKING:
    from sandbox.component import Component

COMPONENTS: tuple[Component, ...] = (
    sandbox.postgres.component.COMPONENT,
    sandbox.valkey.COMPONENT,
    sandbox.seaweedfs.COMPONENT,
    sandbox.kafka.component.COMPONENT,
    sandbox.kubernetes.component.COMPONENT,
    sandbox.node.component.COMPONENT,
    sandbox.supabase.component.COMPONENT,
    sandbox.gateway.component.COMPONENT,
    sandbox.exporters.component.COMPONENT,
    sandbox.prometheus.COMPONENT,
    sandbox.alertmanager.COMPONENT,
    sandbox.sinks.component.COMPONENT,
    sandbox.smtp.COMPONENT,
)
