# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the cluster lets this user do more than what every release does, perhaps in another namespace."""

from __future__ import annotations

import typing as t

from .._kubernetes_client import KUBERNETES
from .models import Finding, Ground, Kind, Options, failed, passed


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    cluster, namespace = ground.cluster(), options["namespace"]
    what = f"{options['resource']}{f'.{options["group"]}' if options['group'] else ''}"
    denied = [
        verb
        for verb in options["verbs"]
        if not cluster.may(verb, options["resource"], group=options["group"], namespace=namespace)
    ]
    where = f"in {namespace or cluster.namespace}"
    if denied:
        return [failed(f"{where} you may not {', '.join(denied)} {what}")]
    return [passed(f"{where} you may {', '.join(options['verbs'])} {what}")]


KIND = Kind(
    look,
    {
        "namespace": {"type": "str", "default": ""},
        "group": {"type": "str", "default": ""},
        "resource": {"type": "str", "required": True},
        "verbs": {"type": "list", "elements": "str", "required": True},
    },
    (KUBERNETES,),
)
