# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Whether the release's alerts are loaded and evaluated, and whoever they go to can be told."""

from __future__ import annotations

import typing as t

from .._alerts.api import AlertsApi
from .._alerts.models import LoadedRule
from .._http import REQUESTS
from .models import Finding, Ground, Kind, Options, failed, held, passed
from .options import ACCESS, names


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    api = AlertsApi(
        options["prometheus_url"],
        options["alertmanager_url"] or "",
        timeout=ground.timeout,
        ca_cert=options["ca_cert"],
        token=options["token"],
    )
    receivers = api.receivers() if options["receivers"] else []
    return [judge(api.rules(), receivers, options["alerts"], options["receivers"])]


def judge(
    rules: t.Sequence[LoadedRule],
    receivers: t.Collection[str],
    alerts: t.Sequence[str],
    wanted_receivers: t.Sequence[str],
) -> Finding:
    loaded = {rule.name: rule for rule in rules}
    wrong = [f"Prometheus has no alert {name!r} loaded" for name in alerts if name not in loaded]
    wrong += [
        f"Alertmanager has no receiver {name!r}"
        for name in wanted_receivers
        if name not in receivers
    ]
    mine = [loaded[name] for name in alerts if name in loaded]
    wrong += [
        f"the query of {rule.name!r} fails: {rule.last_error or 'Prometheus does not say why'}"
        for rule in mine
        if rule.health == "err"
    ]
    if wrong:
        return failed(f"{'; '.join(wrong)}: load the release's rules, and see the logs of both")
    waiting = [rule.name for rule in mine if rule.health != "ok"]
    if waiting:
        return held(f"{', '.join(waiting)} was not evaluated yet: wait for Prometheus to do it")
    told = f", receivers {', '.join(wanted_receivers)} exist" if wanted_receivers else ""
    return passed(f"{len(mine)} alerts are loaded and evaluated{told}")


KIND = Kind(
    look,
    {
        "prometheus_url": {"type": "str", "required": True},
        "alertmanager_url": {"type": "str"},
        "alerts": names(required=True),
        "receivers": names(),
        **ACCESS,
    },
    (REQUESTS,),
)
