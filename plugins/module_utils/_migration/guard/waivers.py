# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Hold findings against the waivers an operator gave, a reason for each file."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._migration.errors import GuardError

if t.TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.models import (
        Finding,
    )


@dataclass(frozen=True)
class Waived:
    """What a file was let through with, and why."""

    reason: str
    findings: tuple[Finding, ...]

    def to_result(self) -> dict[str, t.Any]:
        return {
            "reason": self.reason,
            "findings": [finding.to_result() for finding in self.findings],
        }


def refuse_bad_waivers(waivers: Mapping[str, str], files: Collection[str]) -> None:
    """Raise for a waiver without a reason, and for one of a file that is not in the folder."""
    silent = sorted(file for file, reason in waivers.items() if not str(reason or "").strip())
    if silent:
        raise InputError(
            f"Option 'waivers' gives no reason for {', '.join(silent)}: say why it may run, the reason is recorded."
        )
    strange = sorted(file for file in waivers if file not in files)
    if strange:
        raise InputError(
            f"Option 'waivers' names files that the folder has not: {', '.join(strange)}. Correct the names, "
            "or take the waivers away."
        )


def enforce(findings: Sequence[Finding], waivers: Mapping[str, str]) -> dict[str, Waived]:
    """The waived findings by file; one GuardError for all others."""
    refused = [finding for finding in findings if finding.file not in waivers]
    waived: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.file in waivers:
            waived.setdefault(finding.file, []).append(finding)
    granted = {file: Waived(waivers[file], tuple(of)) for file, of in waived.items()}
    if refused:
        raise GuardError(
            describe_refusal(refused),
            findings=[finding.to_result() for finding in refused],
            waived={file: each.to_result() for file, each in granted.items()},
        )
    return granted


def describe_refusal(refused: Sequence[Finding]) -> str:
    files = list(dict.fromkeys(finding.file for finding in refused))
    listed = " ".join(finding.to_sentence() for finding in refused)
    return (
        f"Nothing was applied, because {len(files)} file{'s are' if len(files) > 1 else ' is'} not additive. {listed} "
        f"Write {'them' if len(files) > 1 else 'it'} so, or give each file a reason in option 'waivers', as in "
        f"'{files[0]}: why it may run'."
    )
