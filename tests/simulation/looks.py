"""What status and page say at one moment, beside what stands then.

A look takes no time, no request of a run and no chance: with or without it a seed's run goes the same way.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes import KubernetesCluster
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes_client import Connection
from ansible_collections.easymo.deploy.plugins.module_utils._live.writer import observer
from ansible_collections.easymo.deploy.plugins.module_utils._report.build import build_report
from ansible_collections.easymo.deploy.plugins.module_utils._report.models import (
    Report,
    ReportOptions,
)
from ansible_collections.easymo.deploy.plugins.module_utils._status.build import (
    StatusOptions,
    look,
    status_of,
)
from ansible_collections.easymo.deploy.plugins.module_utils._status.lines import lines_of
from ansible_collections.easymo.deploy.plugins.module_utils._story.plan import Plan as Phases
from ansible_collections.easymo.deploy.plugins.module_utils._time import now

from .client import Response, Session, refused, sent
from .platform import FLAGS, NAMESPACE

if t.TYPE_CHECKING:
    from .world import World

UNDO = "undo"


class Instant(Session):
    """That of a look: the server answers each request at once, and counts none."""

    def request(
        self,
        method: str,
        path: str,
        *,
        query_params: t.Sequence[tuple[str, str]] = (),
        **_more: t.Any,
    ) -> Response:
        status, answer = self._world.plane.read(method, sent(path), dict(query_params))
        if status >= 400:
            raise refused(status, answer)
        return Response(status, answer)


@dataclass(frozen=True)
class Look:
    """`status` and `lines` as the module release_status_info returns them, `page` before it is HTML.

    `live`: whether a run that holds the lock is at work on the release.
    """

    status: t.Mapping[str, t.Any]
    lines: t.Sequence[str]
    page: Report
    live: bool


def look_at(world: World, release: str, phases: t.Sequence[str]) -> Look:
    services, plan = [*world.plan.services], Phases.read([{"name": name} for name in phases])
    with world.looking():
        cluster, moment = KubernetesCluster(Connection(namespace=NAMESPACE)), now()
        observed = look(cluster, release=release, config_map=FLAGS)
        status = status_of(observed, StatusOptions(services, plan), moment)
        lock = observed.story.lock
        held = bool(lock["held"] and not lock["manual"])
        undo = held and lock["purpose"] == UNDO
        sight = observer(release, services)(cluster)
        runs = sight.runs(undo=undo)
        live = runs and held
        options = ReportOptions(
            plan,
            release=release,
            pins=sight.pins,
            flags=sight.flags,
            versions={name: service["version"] for name, service in sight.services.items()},
            now=moment if runs else None,
            live=live,
            undo=undo,
        )
        record = sight.watched if runs else sight.record
        page = build_report(record.body, options)
        return Look(status, lines_of(status, moment), page, live)
