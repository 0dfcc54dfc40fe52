"""What status and page say at one moment, beside what stands then.

A look takes no time, no request of a run and no chance: with or without it a seed's run goes the same way.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import Cluster
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes import KubernetesCluster
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes_client import Connection
from ansible_collections.easymo.deploy.plugins.module_utils._live.page import observer
from ansible_collections.easymo.deploy.plugins.module_utils._messages.headline import (
    Release,
    ReleaseStatus,
    phase_lines,
)
from ansible_collections.easymo.deploy.plugins.module_utils._report.build import build_report
from ansible_collections.easymo.deploy.plugins.module_utils._report.models import (
    Report,
    ReportOptions,
)
from ansible_collections.easymo.deploy.plugins.module_utils._status.build import (
    StatusOptions,
    lines_of,
    look,
    status_of,
)
from ansible_collections.easymo.deploy.plugins.module_utils._story.plan import Plan as Phases
from ansible_collections.easymo.deploy.plugins.module_utils._time import now
from sandbox.kubernetes.errors import ApiError

from .client import Response, Session, refused, sent
from .control_plane import Asked
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
        try:
            answer = self._world.plane.answer(Asked(method, sent(path), dict(query_params)))
        except ApiError as exc:
            raise refused(exc) from None
        return Response(*answer)


@dataclass(frozen=True)
class Look:
    """`status` and `lines` as the module release_status_info returns them, `page` before it is HTML.

    `slack`: a line for each planned phase, as a run that only just began would show them.
    `live`: whether a run that holds the lock is at work on the release.
    """

    release: str
    status: t.Mapping[str, t.Any]
    lines: t.Sequence[str]
    page: Report
    slack: t.Sequence[str]
    live: bool


def look_at(world: World, release: str, phases: t.Sequence[str]) -> Look:
    plan = Phases.read([{"name": name} for name in phases])
    with world.looking():
        cluster = KubernetesCluster(Connection(namespace=NAMESPACE))
        return look_of(cluster, release, StatusOptions([*world.plan.services], plan), now())


def look_of(cluster: Cluster, release: str, options: StatusOptions, moment: datetime) -> Look:
    observed = look(cluster, release=release, config_map=FLAGS)
    # Who holds the lock may be at work on another release.
    release = observed.story.lock["release"] or release
    status = status_of(observed, options, moment)
    lock = observed.story.lock
    held = bool(lock["held"] and not lock["manual"])
    undo = held and lock["purpose"] == UNDO
    sight = observer(release, options.services)(cluster)
    runs = sight.runs(undo=undo)
    live = runs and held
    requested = ReportOptions(
        options.plan,
        release=release,
        pins=sight.pins,
        flags=sight.flags,
        versions={name: service["version"] for name, service in sight.services.items()},
        now=moment if runs else None,
        live=live,
        undo=undo,
    )
    record = sight.watched if runs else sight.record
    page = build_report(record.body, requested)
    message = ReleaseStatus(Release(release, "deploy.yml", plan=options.plan), moment.timestamp())
    message.record_seen(observed.story.record)
    slack = phase_lines(message, moment.timestamp())
    return Look(release, status, lines_of(status, moment), page, slack, live)
