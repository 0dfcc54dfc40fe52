# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the Management API lets the token in, the project's secrets are set, and its functions' log can be read."""

from __future__ import annotations

import typing as t

from .._functions.log import FunctionLog
from .._http import REQUESTS
from .._options import supabase_options
from .._supabase_api import SupabaseFunctionsApi
from .models import Finding, Ground, Kind, Options, failed, passed
from .options import names


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    api = SupabaseFunctionsApi.from_params(options)
    present = {one.slug for one in api.list()}
    secrets = api.secrets()
    FunctionLog.from_params(options, timeout=max(1, int(ground.timeout))).lines(["readiness"])
    return [judge(present, options["functions"], secrets, options["secrets"])]


def judge(
    present: t.Collection[str],
    wanted: t.Sequence[str],
    secrets: t.Collection[str],
    needed: t.Sequence[str],
) -> Finding:
    unset = [one for one in needed if one not in secrets]
    if unset:
        return failed(
            f"the project has no secret {', '.join(unset)}: set it in the dashboard or with edge_function_secrets"
        )
    new = [one for one in wanted if one not in present]
    told = f"; {', '.join(new)} come with the release" if new else ""
    return passed(
        f"{len(wanted) - len(new)} of {len(wanted)} functions are there, {len(needed)} secrets are set, "
        f"the log can be read{told}"
    )


KIND = Kind(
    look,
    {**supabase_options(), "functions": names(), "secrets": {**names(), "no_log": False}},
    (REQUESTS,),
)
