# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether Prometheus understands queries and has series of everything that they ask for."""

from __future__ import annotations

import typing as t

from .._alerts.api import AlertsApi
from .._alerts.selectors import Selector, selectors
from .._errors import InputError
from .._http import REQUESTS
from .._monitoring_server import NO_SERIES, MonitoringServer
from .._options import monitoring_options
from .models import Finding, Ground, Kind, Options, failed, passed
from .options import names


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    api = AlertsApi(MonitoringServer.from_params(options["prometheus"]), timeout=ground.timeout)
    if not api.count("up"):
        return [failed(f"Prometheus has {NO_SERIES}")]
    wrong: dict[str, str] = {}
    later: dict[str, None] = {}
    queries = queries_of(options["metrics"], options["service_errors"])
    for name, query in queries.items():
        try:
            api.formatted(query)
        except InputError as exc:
            wrong[name] = str(exc)
            continue
        for selector in selectors(query):
            why = missing(selector, api.count, options["events"])
            if why and selector.name in options["new_metrics"]:
                later[selector.name] = None
            elif why:
                wrong[name] = why
    return [judge(len(queries), wrong, list(later))]


def queries_of(metrics: t.Iterable[Options], service_errors: str) -> dict[str, str]:
    """Every query of a release by name. Of metrics that compare cohorts, those of the users seen."""
    asked: dict[str, str] = {}
    for metric in metrics:
        name = metric["name"]
        if "query" in metric:
            asked[name] = metric["query"]
        else:
            asked |= {f"{name} ({who})": metric[who]["seen"] for who in ("treated", "control")}
        if "volume" in metric:
            asked[f"{name} (volume)"] = metric["volume"]["query"]
    return asked | ({"error rate by service": service_errors} if service_errors else {})


def missing(selector: Selector, count: t.Callable[[str], int], events: t.Collection[str]) -> str:
    """What Prometheus has no series of, empty when it has. What a label of `events` says may not have happened yet,
    so of that only the label must be there.
    """
    happening = [one for one in selector.matchers if label_of(one) in events]
    lasting = [one for one in selector.matchers if one not in happening]
    wanted = selector.among(lasting)
    if count(str(wanted.having(map(label_of, happening)))):
        return ""
    if happening and count(str(wanted)):
        return f"there are series of {wanted}, but none with the label {', '.join(map(label_of, happening))}"
    for left_out in lasting:
        rest = wanted.among([one for one in lasting if one != left_out])
        if count(str(rest)):
            return f"there are series of {rest}, but none with {left_out}"
    return f"there is no series of {wanted}"


def label_of(matcher: str) -> str:
    return matcher[: min(at for at in map(matcher.find, "=!") if at >= 0)]


def judge(asked: int, wrong: t.Mapping[str, str], later: t.Sequence[str]) -> Finding:
    if wrong:
        told = "; ".join(f"{name}: {why}" for name, why in wrong.items())
        return failed(f"Prometheus cannot answer {len(wrong)} of {asked} queries: {told}")
    new = f"; {', '.join(later)} come with the release" if later else ""
    return passed(f"{asked} queries are understood and have series{new}")


KIND = Kind(
    look,
    {
        "prometheus": {"type": "dict", "required": True, "options": monitoring_options()},
        "metrics": {"type": "list", "elements": "dict", "default": []},
        "service_errors": {"type": "str", "default": ""},
        "events": names(),
        "new_metrics": names(),
    },
    (REQUESTS,),
)
