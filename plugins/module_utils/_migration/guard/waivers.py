# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold findings against the waivers an operator gave, a reason for each file."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._errors import InputError
from ..models import GuardError

if t.TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from .models import Finding, Review


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
            f"Option 'waivers' has no reason for {', '.join(silent)}: add one, it is recorded."
        )
    strange = sorted(file for file in waivers if file not in files)
    if strange:
        raise InputError(
            f"Option 'waivers' has files that are not in the folder: {', '.join(strange)}. "
            "Correct the names, or remove the waivers."
        )


def enforce(
    reviewed: Review, waivers: Mapping[str, str], problems: Sequence[str] = ()
) -> dict[str, Waived]:
    """The waived findings by file; one error for all others, and for `problems`: sentences on what cannot run."""
    refused = [finding for finding in reviewed.findings if finding.file not in waivers]
    waived: dict[str, list[Finding]] = {}
    for finding in reviewed.findings:
        if finding.file in waivers:
            waived.setdefault(finding.file, []).append(finding)
    granted = {file: Waived(waivers[file], tuple(of)) for file, of in waived.items()}
    if refused or problems:
        raised = InputError if problems else GuardError
        raise raised(
            describe_refusal(problems, refused, reviewed.warnings),
            problems=list(problems),
            findings=[finding.to_result() for finding in refused],
            guard_warnings=[finding.to_result() for finding in reviewed.warnings],
            waived={file: each.to_result() for file, each in granted.items()},
            verdicts=reviewed.to_verdicts(),
        )
    return granted


def describe_refusal(
    problems: Sequence[str], refused: Sequence[Finding], warnings: Sequence[Finding]
) -> str:
    """What it comes to in one sentence, then each on a line of its own, and each safe way once."""
    files = list(dict.fromkeys(finding.file for finding in refused))
    counts = [
        *([f"{_count(len(problems), 'thing')} must be fixed"] if problems else []),
        *(
            [
                f"{_count(len(refused), 'finding')} in {_count(len(files), 'file')} must be "
                "waived or rewritten"
            ]
            if refused
            else []
        ),
    ]
    lines = [f"Nothing was applied: {' and '.join(counts)}."]
    lines += [f"- {problem}" for problem in problems]
    lines += [f"- {finding.to_line()}" for finding in refused]
    if refused:
        lines.append("How to write it:")
        ways = {finding.rule: finding.safe_way for finding in refused}
        lines += [f"- {rule}: {safe_way}." for rule, safe_way in ways.items()]
        lines.append(
            f"Or give each file a reason in option 'waivers', as in '{files[0]}: why it may run'."
        )
    if warnings:
        lines.append("These do not stop it, but may break running code:")
        lines += [f"- {finding.to_line()}" for finding in warnings]
    return "\n".join(lines)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
