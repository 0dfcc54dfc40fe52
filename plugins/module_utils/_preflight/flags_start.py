# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the feature flags are where a release begins: nobody in the feature, and nobody's kill switch set."""

from __future__ import annotations

import typing as t

from .._flags.plan import FlagsMap
from .._flags.switch import RESET, KillSwitch
from .._kubernetes_client import KUBERNETES
from .models import Finding, Ground, Kind, Options, failed, passed

PHASE = "feature_flags"


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    name = options["name"]
    flags = FlagsMap.from_json(name, ground.cluster().read("ConfigMap", name))
    record = ground.record.get()
    own = record is not None and PHASE in record.phases
    return [judge(flags, options["flag"], options["enabled_by"], own=own)]


def judge(flags: FlagsMap, flag: str, enabled_by: str, *, own: bool) -> Finding:
    """`flag` is a percentage, or empty where `enabled_by` alone decides. `own`: this attempt has set flags already."""
    switch = KillSwitch.from_annotations(flags.annotations)
    ours = {flag, enabled_by}
    if switch is not None and not (switch.automatic and ours & {*(switch.flags or ours)}):
        # Of another release's feature, which this one does not switch on again.
        holds = (
            f" It holds {', '.join(switch.flags)}."
            if switch.flags and not ours & switch.flags.keys()
            else ""
        )
        return failed(f"{switch}.{holds} After the fix, a person resets it: {RESET}")
    automatic = f"; {switch}, which the deployment resets" if switch else ""
    name, off = (flag, "0") if flag else (enabled_by, "false")
    value = flags.data.get(name)
    if value in (None, "", off) or flags.data.get(enabled_by) == "false":
        shown = value or "not set"
        return passed(f"{name} is {shown}, nobody is in the feature{automatic}")
    if own:
        return passed(f"{name} is {value}, which this attempt of the release set{automatic}")
    return failed(
        f"{name} is {value}, but a release starts with nobody in the feature: find who set it, and set it to {off}"
    )


KIND = Kind(
    look,
    {
        "name": {"type": "str", "default": "feature-flags"},
        "flag": {"type": "str", "default": ""},
        "enabled_by": {"type": "str", "default": ""},
    },
    (KUBERNETES,),
    reads_record=True,
)
