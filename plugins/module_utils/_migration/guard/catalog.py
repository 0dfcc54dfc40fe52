# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What a database has before the migrations run."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.easymo.deploy.plugins.module_utils._postgres import Session


class Catalog:
    """Not read yet."""


def read_catalog(session: Session) -> Catalog:  # noqa: ARG001
    return Catalog()
