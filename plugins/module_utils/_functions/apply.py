# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Make a plan true: bundle everything first, activate with one call, then read the list back."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    DeployError,
    RefusedError,
    UnreachableError,
    VerificationError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions.models import (
    Deployed,
    FunctionsApi,
    Source,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions.plan import (
    Plan,
    activation_problems,
)

PARALLEL = 4


def running_sources(api: FunctionsApi, slugs: t.Collection[str]) -> dict[str, Source]:
    """The sources of those of `slugs` that are active now."""
    deployed = [entry for entry in api.list() if entry.slug in slugs and entry.status == "ACTIVE"]
    with ThreadPoolExecutor(PARALLEL) as pool:
        sources = pool.map(api.source, deployed)
        return {source.slug: source for source in sources}


def apply_plan(plan: Plan, api: FunctionsApi) -> dict[str, Deployed]:
    """Returns the functions that were uploaded as the API lists them afterwards."""
    uploads = plan.uploads
    listed: dict[str, Deployed] = {}
    if uploads:
        bundled = _bundle_all(uploads, api)
        _activate(list(bundled.values()), api)
        listed = {entry.slug: entry for entry in api.list()}
        problems = activation_problems(uploads, bundled, listed)
        if problems:
            raise VerificationError(
                f"The functions were activated, but {'; '.join(problems)}: look at the Supabase dashboard, "
                "then run this again or go back to the previous sources.",
                functions=problems,
                activated=True,
            )
    for slug in plan.deletions:
        api.delete(slug)
    return {source.slug: listed[source.slug] for source in uploads}


def _bundle_all(uploads: t.Sequence[Source], api: FunctionsApi) -> dict[str, Deployed]:
    bundled: dict[str, Deployed] = {}
    failed: dict[str, DeployError] = {}
    with ThreadPoolExecutor(PARALLEL) as pool:
        waiting = {source.slug: pool.submit(api.bundle, source) for source in uploads}
        for slug, future in waiting.items():
            try:
                bundled[slug] = future.result()
            except DeployError as exc:
                failed[slug] = exc
    if failed:
        reasons = "; ".join(f"{slug}: {exc}" for slug, exc in sorted(failed.items()))
        raise RefusedError(
            f"{len(failed)} of {len(uploads)} functions did not bundle, so none was activated: {reasons}",
            functions=sorted(failed),
        )
    return bundled


def _activate(bundled: t.Sequence[Deployed], api: FunctionsApi) -> None:
    try:
        api.activate(bundled)
    except UnreachableError:
        # The connection was lost after the call was sent: only the list can tell whether it arrived.
        listed = {entry.slug: entry for entry in api.list()}
        arrived = [
            entry.slug in listed and listed[entry.slug].version >= entry.version
            for entry in bundled
        ]
        if not all(arrived):
            raise
