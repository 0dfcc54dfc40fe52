# SPDX-License-Identifier: GPL-3.0-or-later
"""Look whether alerts are loaded and which receivers Alertmanager notifies; put rules where Prometheus reads them.

Routes, `continue` and time intervals as on https://prometheus.io/docs/alerting/latest/configuration/.
"""

from __future__ import annotations

import functools
import json
import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible.module_utils.common.yaml import yaml_dump, yaml_load

from .._cluster import Clock, Cluster, Object
from .._errors import (
    ConflictError,
    DeployError,
    InputError,
    NotReadyError,
    RefusedError,
    UnreachableError,
    VerificationError,
)
from .api import AlertsApi, MonitoringServer
from .plan import (
    AlertmanagerConfig,
    Groups,
    Labels,
    LoadedRule,
    Route,
    Silence,
    WantedRule,
    plain,
    shortcomings,
)

NOTIFY = "notify"
"""The label of a rule that names the receiver which it is meant for."""
_MATCHER = re.compile(r"""\s*("(?:\\.|[^"\\])*"|[^=!~\s"]+)\s*(=~|!~|!=|=)\s*(.*?)\s*""", re.DOTALL)


@dataclass(frozen=True)
class RouteEnd:
    """Where an alert ends. `intervals`: those in or outside of which that route is muted."""

    receiver: str
    intervals: tuple[str, ...] = ()


def stops(route: Route, labels: Labels, inherited: str = "") -> list[RouteEnd]:
    """Those of the alert below this route; empty where it does not match."""
    if not _matches(route, labels):
        return []
    receiver = route.receiver or inherited
    results: list[RouteEnd] = []
    for child in route.routes:
        below = stops(child, labels, receiver)
        results += below
        if below and not child.goes_on:
            break
    # Unlike the receiver, time intervals are of the very route.
    named = (*route.mute_time_intervals, *route.active_time_intervals)
    return results or [RouteEnd(receiver, named)]


def _matches(route: Route, labels: Labels) -> bool:
    """What of its matchers cannot be read matches nothing."""
    matchers = [
        *((name, "=", value) for name, value in route.match.items()),
        *((name, "=~", value) for name, value in route.match_re.items()),
    ]
    for text in route.matchers:
        match = _MATCHER.fullmatch(text)
        if match is None:
            return False
        matchers.append((_unquoted(match[1]), match[2], _unquoted(match[3])))
    return all(_holds(labels, *matcher) for matcher in matchers)


def _holds(labels: Labels, name: str, operator: str, value: str) -> bool:
    """Patterns are anchored, as in Alertmanager. What Python does not read as one matches nothing."""
    have = labels.get(name, "")
    try:
        pattern = value if "~" in operator else re.escape(value)
        equal = re.fullmatch(pattern, have, re.DOTALL) is not None
    except re.error:
        equal = False
    return equal != operator.startswith("!")


def _silences(silence: Silence, labels: Labels) -> bool:
    return silence.state == "active" and all(
        _holds(labels, matcher.label, "=~" if matcher.is_regex else "=", matcher.value)
        is matcher.is_equal
        for matcher in silence.matchers
    )


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        return str(json.loads(text))
    except ValueError:
        return text.strip('"')


_HEADER = (
    "# Written by easymo.deploy.alert_rules, which overwrites it: change the release's file.\n"
)


Compared = tuple["list[dict[str, t.Any]] | None", bool]
"""The groups that are there, None for nothing, and whether `write` would change anything."""


class RuleObject:
    """A PrometheusRule. `labels`: what the operator's `ruleSelector` looks for."""

    reload = None
    """The operator lets Prometheus read it."""

    def __init__(
        self, cluster: Cluster, name: str, labels: t.Mapping[str, str], *, force: bool
    ) -> None:
        self.where = f"PrometheusRule {name!r} in namespace {cluster.namespace!r}"
        self._cluster = cluster
        self._name = name
        self._labels = {str(key): str(value) for key, value in labels.items()}
        self._force = force

    def compare(self, groups: Groups) -> Compared:
        result = self._cluster.read("PrometheusRule", self._name)
        if result is None:
            return None, True
        before, labels = _groups_of(result), result["metadata"].get("labels") or {}
        return before, before != plain(groups) or not self._labels.items() <= labels.items()

    def write(self, groups: Groups, *, dry_run: bool) -> None:
        body: Object = {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {
                "name": self._name,
                "namespace": self._cluster.namespace,
                "labels": self._labels,
            },
            "spec": {"groups": plain(groups)},
        }
        try:
            written = self._cluster.apply(
                "PrometheusRule", body, force=self._force, dry_run=dry_run
            )
        except RefusedError as exc:
            if exc.details.get("status") != 404:
                raise
            raise RefusedError(
                "The cluster has no PrometheusRule: install the Prometheus operator, or set "
                "'destination' to file."
            ) from exc
        if _groups_of(written) != plain(groups):
            raise ConflictError(f"{self.where} holds somebody else's rules: choose another 'name'.")


class RuleFile:
    """A file among the `rule_files` of a Prometheus on the same machine. `reload` lets it read them again."""

    def __init__(self, path: Path, reload: t.Callable[[], None]) -> None:
        self.where = f"file {path}"
        self._path = path
        self.reload = reload

    def compare(self, groups: Groups) -> Compared:
        text = self._text()
        if text is None:
            return None, True
        try:
            before = plain(yaml_load(text)["groups"] or [])
        except Exception:  # whatever it is, YAML's own or not, the new text replaces it
            before = []
        return before, before != plain(groups)

    def write(self, groups: Groups, *, dry_run: bool) -> None:
        if not self._path.parent.is_dir():
            raise InputError(
                f"The folder {self._path.parent} does not exist: set 'path' to a file among Prometheus's rule_files."
            )
        if dry_run:
            return
        before = self._text()
        text = yaml_dump({"groups": plain(groups)}, sort_keys=False, allow_unicode=True, width=110)
        self._put(_HEADER + text)
        try:
            self.reload()
        except DeployError:
            # A file that Prometheus does not take would keep it from starting the next time.
            self._put(before)
            raise

    def _text(self) -> str | None:
        try:
            return self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as exc:
            raise InputError(
                f"The {self.where} cannot be read ({type(exc).__name__}): choose another 'path'."
            ) from exc

    def _put(self, text: str | None) -> None:
        """Whole or not at all, for Prometheus may read at any moment."""
        partial = self._path.with_name(f".{self._path.name}.partial")
        try:
            if text is None:
                self._path.unlink()
                return
            partial.write_text(text, encoding="utf-8")
            partial.chmod(0o644)
            partial.replace(self._path)
        except OSError as exc:
            raise InputError(
                f"The {self.where} cannot be written ({exc.strerror}): allow this user to write "
                "it, or choose another 'path'."
            ) from exc


def _groups_of(body: Object) -> list[dict[str, t.Any]]:
    return plain((body.get("spec") or {}).get("groups") or [])


class LoadedRules:
    """The alerts that are wanted, in the eyes of one Prometheus."""

    def __init__(self, api: AlertsApi, wanted: t.Sequence[WantedRule]) -> None:
        self._api = api
        self._wanted = wanted
        self._formatted = functools.cache(api.formatted)
        for rule in wanted:
            self._formatted(rule.query)  # refuses what Prometheus does not understand

    def look(self) -> tuple[list[LoadedRule], dict[str, str]]:
        """Those loaded of the alerts that are wanted, and by alert what it lacks."""
        names = {(rule.group, rule.name) for rule in self._wanted}
        loaded = [rule for rule in self._api.rules() if (rule.group, rule.name) in names]
        return loaded, shortcomings(self._wanted, loaded, self._formatted)

    def wait(
        self, clock: Clock, within: float, sleep: float, report: t.Callable[[str], None]
    ) -> list[LoadedRule]:
        """Until all are loaded and work; NotReadyError with what is lacking when the time is up."""
        deadline, last = clock.now() + within, ""
        while True:
            lacking: dict[str, str] = {}
            try:
                loaded, lacking = self.look()
                if not lacking:
                    return loaded
                text = "; ".join(f"{name} is {why}" for name, why in lacking.items())
            except UnreachableError as exc:
                text = str(exc).rstrip(".")
            if clock.now() + sleep > deadline:
                raise NotReadyError(
                    f"After {within:g} s Prometheus does not have the right alerts ({text}): "
                    "check that it reads them from there, and its log.",
                    lacking=lacking,
                )
            if text != last:
                report(f"waiting for Prometheus: {text}")
            last = text
            clock.sleep(sleep)


@dataclass(frozen=True)
class Routing:
    """How Alertmanager is configured now, and the labels that Prometheus adds to what it sends there."""

    config: AlertmanagerConfig
    silences: t.Sequence[Silence]
    external: Labels

    @classmethod
    def read(cls, api: AlertsApi) -> Routing:
        try:
            external = api.external_labels()
        except DeployError:  # Not all that speak Prometheus's API have it.
            external = {}
        return cls(api.alertmanager(), api.silences(), external)

    def problem(self, rule: WantedRule) -> str:
        """Why the alert reaches no receiver, or a wrong one; empty when all is well."""
        name = rule.name
        labels = {**self.external, **rule.labels, "alertname": name}
        result = stops(self.config.route, labels)
        receivers = self.config.integrations
        wanted = labels.get(NOTIFY) or next((entry.receiver for entry in result), "")
        if wanted not in receivers:
            known = ", ".join(map(repr, receivers)) or "none"
            return f"Alertmanager has no receiver {wanted!r} for {name!r}: it has {known}"
        if not receivers[wanted]:
            return (
                f"the receiver {wanted!r} of {name!r} has no integration, so it notifies no person"
            )
        ending = [entry for entry in result if entry.receiver == wanted]
        if not ending:
            others = " and ".join(dict.fromkeys(repr(entry.receiver) for entry in result))
            return f"Alertmanager's routes take {name!r} to {others} and not to {wanted!r}"
        if all(entry.intervals for entry in ending):
            return (
                f"the route of {name!r} to {wanted!r} is muted by {', '.join(ending[0].intervals)}, "
                "so sometimes it notifies no person"
            )
        silence = next((entry for entry in self.silences if _silences(entry, labels)), None)
        if silence:
            return f"{name!r} is silenced until {silence.ends} by {silence.by} ({silence.comment})"
        return ""


def alerts_api(params: t.Mapping[str, t.Any], timeout: float) -> AlertsApi:
    """`timeout` in seconds, of one request."""
    return AlertsApi(
        MonitoringServer.from_params(params["prometheus"]),
        MonitoringServer.from_params(params["alertmanager"]),
        timeout=timeout,
    )


def check_routes(api: AlertsApi, wanted: t.Sequence[WantedRule]) -> dict[str, t.Any]:
    """What is told of Alertmanager. Raises with every alert that does not reach its receiver."""
    routing = Routing.read(api)
    lost = {rule.name: why for rule in wanted if (why := routing.problem(rule))}
    if lost:
        raise VerificationError(
            f"Alerts would not reach their receivers: {'; '.join(lost.values())}. Correct Alertmanager's "
            "configuration.",
            misrouted=lost,
        )
    return {"receivers": [*routing.config.integrations], "misrouted": {}}
