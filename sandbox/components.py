# SPDX-License-Identifier: GPL-3.0-or-later
"""Every component of the sandbox."""

from __future__ import annotations

import typing as t

import sandbox.kafka.component
import sandbox.postgres.component
import sandbox.seaweedfs
import sandbox.valkey

if t.TYPE_CHECKING:
    from sandbox.component import Component

COMPONENTS: tuple[Component, ...] = (
    sandbox.postgres.component.COMPONENT,
    sandbox.valkey.COMPONENT,
    sandbox.seaweedfs.COMPONENT,
    sandbox.kafka.component.COMPONENT,
)
