# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Decide which functions are new, changed or unchanged. Nothing here talks to an API."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.easymo.deploy.plugins.module_utils._functions.models import (
    Deployed,
    Source,
)


@dataclass(frozen=True)
class Change:
    """What happens to one function. `deploy` is what to upload, None when it is to be deleted."""

    slug: str
    kind: t.Literal["new", "changed", "deleted"]
    deploy: Source | None
    files: tuple[str, ...] = ()
    """Paths that differ, relative to the entrypoint's folder."""


@dataclass(frozen=True)
class Plan:
    changes: tuple[Change, ...]
    unchanged: tuple[str, ...]
    before: t.Mapping[str, t.Any] = field(default_factory=dict)
    after: t.Mapping[str, t.Any] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        return bool(self.changes)

    @property
    def uploads(self) -> tuple[Source, ...]:
        return tuple(change.deploy for change in self.changes if change.deploy is not None)

    @property
    def deletions(self) -> tuple[str, ...]:
        return tuple(change.slug for change in self.changes if change.deploy is None)


def plan_functions(
    running: t.Mapping[str, Source], wanted: t.Iterable[Source], absent: t.Iterable[str] = ()
) -> Plan:
    """`running` are the sources of the functions that are active now, by slug."""
    changes: list[Change] = []
    unchanged: list[str] = []
    before: dict[str, t.Any] = {}
    after: dict[str, t.Any] = {}
    for source in wanted:
        present = running.get(source.slug)
        before[source.slug] = _describe(present)
        after[source.slug] = _describe(source)
        if present is None:
            changes.append(Change(source.slug, "new", source, tuple(sorted(source.digests()))))
        elif before[source.slug] == after[source.slug]:
            unchanged.append(source.slug)
        else:
            changes.append(Change(source.slug, "changed", source, _differing(present, source)))
    for slug in absent:
        if slug in running:
            before[slug], after[slug] = _describe(running[slug]), {}
            changes.append(Change(slug, "deleted", None))
    return Plan(tuple(changes), tuple(unchanged), before, after)


def _describe(source: Source | None) -> dict[str, t.Any]:
    return {"verify_jwt": source.verify_jwt, "files": source.digests()} if source else {}


def _differing(present: Source, wanted: Source) -> tuple[str, ...]:
    old, new = present.digests(), wanted.digests()
    return tuple(sorted(path for path in old | new if old.get(path) != new.get(path)))


def activation_problems(
    wanted: t.Iterable[Source], bundled: t.Mapping[str, Deployed], listed: t.Mapping[str, Deployed]
) -> list[str]:
    """What a list that was read after the activation says against it, one phrase a function."""
    problems = []
    for source in wanted:
        now = listed.get(source.slug)
        expected = bundled[source.slug]
        if now is None:
            problems.append(f"{source.slug} is not listed")
        elif now.status != "ACTIVE":
            problems.append(f"{source.slug} is {now.status} instead of ACTIVE")
        elif now.verify_jwt != source.verify_jwt:
            problems.append(
                f"{source.slug} has verify_jwt {now.verify_jwt}, not {source.verify_jwt}"
            )
        elif expected.sha256 and now.sha256 and expected.sha256 != now.sha256:
            problems.append(f"{source.slug} runs another bundle than the one just uploaded")
    return problems
