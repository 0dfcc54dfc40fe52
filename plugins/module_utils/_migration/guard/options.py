# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard as the modules use it: options in, a report for their results out."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field, replace

from ..._errors import refuse_missing
from .catalog import read_catalog
from .models import Finding, Review, Source
from .parser import PGLAST
from .review import review
from .waivers import Waived, enforce, refuse_bad_waivers

if t.TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ..._postgres import Session


_WORD = re.compile(r"\w+")
_LONGEST = 100_000
_UNREADABLE = ("syntax", "copy")


@dataclass(frozen=True)
class GuardReport:
    """What of the pending files was waived, how many statements of each have which verdict, and what is warned of."""

    waived: Mapping[str, Waived] = field(default_factory=dict)
    verdicts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    warned: Sequence[Finding] = ()

    @property
    def warnings(self) -> list[str]:
        waived = [
            f"Waived ({waived.reason}): {finding.to_sentence()}"
            for waived in self.waived.values()
            for finding in waived.findings
        ]
        return [*waived, *(finding.to_sentence() for finding in self.warned)]

    def to_result(self) -> dict[str, t.Any]:
        return {
            "findings": [],
            "guard_warnings": [finding.to_result() for finding in self.warned],
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
        self,
        session: Session,
        pending: Sequence[Source],
        *,
        problems: Mapping[str, Sequence[str]] | None = None,
        resets: bool = True,
    ) -> GuardReport:
        """Raise one error when a pending file is not additive and not waived, and for all `problems` with it.

        Those are sentences on why files cannot run, by their names. `resets` when each file begins with the session's
        first settings.
        """
        told = problems or {}
        if self.additive_only and pending:
            reviewed = review(pending, read_catalog(session, _words_of(pending)), resets=resets)
            reviewed = replace(reviewed, findings=_not_told(reviewed.findings, told))
        else:
            reviewed = Review((), (), {})
        waived = enforce(reviewed, self.waivers, [each for of in told.values() for each in of])
        return GuardReport(waived, reviewed.to_verdicts(), reviewed.warnings)


def _not_told(findings: Sequence[Finding], told: Collection[str]) -> tuple[Finding, ...]:
    """Without that a file cannot be read, where why it cannot run is told."""
    return tuple(each for each in findings if each.file not in told or each.rule not in _UNREADABLE)


def _words_of(pending: Sequence[Source]) -> set[str]:
    """What may be the name of a table that is indexed."""
    texts = [statement.text for source in pending for statement in source.statements]
    indexing = [text for text in texts if len(text) < _LONGEST and "index" in text.lower()]
    return {
        word
        for text in indexing
        for found in _WORD.findall(text)
        for word in (found, found.lower())
    }
