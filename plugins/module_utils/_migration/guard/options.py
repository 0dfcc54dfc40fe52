# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The guard as the modules use it: options in, a report for their results out."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.easymo.deploy.plugins.module_utils._library import refuse_missing
from ansible_collections.easymo.deploy.plugins.module_utils._migration.errors import GuardError
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.catalog import (
    read_catalog,
)
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.models import Source
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.parser import PGLAST
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.review import review
from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.waivers import (
    Waived,
    enforce,
    refuse_bad_waivers,
)

if t.TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ansible_collections.easymo.deploy.plugins.module_utils._postgres import Session


@dataclass(frozen=True)
class GuardReport:
    """What of the pending files was waived, and how many statements of each file have which verdict."""

    waived: Mapping[str, Waived] = field(default_factory=dict)
    verdicts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def warnings(self) -> list[str]:
        return [
            f"Waived ({waived.reason}): {finding.to_sentence()}"
            for waived in self.waived.values()
            for finding in waived.findings
        ]

    def to_result(self) -> dict[str, t.Any]:
        return {
            "findings": [],
            "waived": {file: waived.to_result() for file, waived in self.waived.items()},
            "verdicts": {file: dict(counts) for file, counts in self.verdicts.items()},
        }


@dataclass(frozen=True)
class Guard:
    """The options `additive_only` and `waivers`."""

    additive_only: bool
    waivers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_params(cls, params: Mapping[str, t.Any], files: Collection[str]) -> Guard:
        """Of the options of the doc fragment _migrations; `files` are those of the folder."""
        if params["additive_only"]:
            refuse_missing([PGLAST])
        refuse_bad_waivers(params["waivers"], files)
        return cls(params["additive_only"], params["waivers"])

    def check(
        self, session: Session, pending: Sequence[Source], *, resets: bool = True
    ) -> GuardReport:
        """Raise GuardError when a pending file is not additive and not waived.

        `resets` when each file begins with the session's first settings.
        """
        if not self.additive_only or not pending:
            return GuardReport()
        reviewed = review(pending, read_catalog(session), resets=resets)
        try:
            waived = enforce(reviewed.findings, self.waivers)
        except GuardError as exc:
            exc.details["verdicts"] = reviewed.to_verdicts()
            raise
        return GuardReport(waived, reviewed.to_verdicts())
