# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the groups of a rule file, and decide what is missing of them in what Prometheus has loaded. Pure.

Find the series that a PromQL query asks for, without evaluating it. Pure.

The grammar is that of https://prometheus.io/docs/prometheus/latest/querying/basics/.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass, field, replace

from .._decode import under
from .._errors import InputError

PODS = 'job="pods"'
"""What stands for the matchers of the release's pods in the rules that ship."""

_TEXT = r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)"""
_LABELS = r"\b(?:by|without|on|ignoring|group_left|group_right)"
_ASIDE = re.compile(rf"({_TEXT})|#[^\n]*|\[[^\]]*\]|{_LABELS}\s*\([^)]*\)", re.IGNORECASE)
"""Comments, ranges and lists of labels; what stands in quotes is none of them."""
_SELECTOR = re.compile(
    rf"{_TEXT}|\d[\w.]*|([A-Za-z_:][\w:]*)?\s*\{{((?:{_TEXT}|[^}}\"'`])*)\}}"
    r"|([A-Za-z_:][\w:]*)(?!\s*\(|[\w:])"
)
"""Texts and numbers are none; a name before a bracket is a function."""
_MATCHER = re.compile(rf"(?:({_TEXT}|[\w.:]+)\s*(=~|!~|!=|=)\s*)?({_TEXT})")
_OPERATORS = re.compile(rf"{_LABELS}|and|or|unless|bool|offset|atan2|inf|nan", re.IGNORECASE)


@dataclass(frozen=True)
class Selector:
    """`name` is "" where only matchers select."""

    name: str
    matchers: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}{{{','.join(self.matchers)}}}" if self.matchers else self.name

    def among(self, matchers: t.Collection[str]) -> Selector:
        """The same metric by no other matchers than these."""
        return Selector(self.name, tuple(entry for entry in self.matchers if entry in matchers))

    def having(self, labels: t.Iterable[str]) -> Selector:
        """Only those series that have each of the labels."""
        return Selector(self.name, (*self.matchers, *(f'{label}!=""' for label in labels)))


def selectors(query: str) -> tuple[Selector, ...]:
    """Those of the query, each once."""
    bare = _ASIDE.sub(lambda match: match[1] or " ", query)
    results = (
        Selector(match[1] or match[3] or "", read_matchers(match[2] or ""))
        for match in _SELECTOR.finditer(bare)
        if match[2] is not None or (match[3] and not _OPERATORS.fullmatch(match[3]))
    )
    return tuple(dict.fromkeys(results))


def grouped_by(query: str) -> tuple[str, ...]:
    """The labels by which it aggregates, without the bound of a histogram's bucket."""
    lists = re.findall(r"(?i)\bby\s*\(([^)]*)\)", re.sub(_TEXT, "", query))
    labels = [label for entry in lists for label in re.findall(r"\w+", entry)]
    return tuple(label for label in dict.fromkeys(labels) if label != "le")


def read_matchers(text: str) -> tuple[str, ...]:
    """As between the braces of a selector."""
    return tuple("".join(parts).replace("'", '"') for parts in _MATCHER.findall(text))


Labels = t.Mapping[str, str]


@dataclass(frozen=True)
class ActiveAlert:
    """An alert that fires. `since` is when, in seconds since 1970; None when Prometheus does not say."""

    labels: Labels
    since: float | None


@dataclass(frozen=True)
class WantedRule:
    """An alerting rule of a rule file. `duration` is its `for`, in seconds."""

    name: str
    query: str
    duration: float
    labels: Labels
    annotations: Labels
    group: str


@dataclass(frozen=True)
class LoadedRule(WantedRule):
    """As Prometheus has it. `health` is ok, err, or unknown until it was evaluated once."""

    health: str
    last_error: str
    firing: tuple[ActiveAlert, ...] = ()

    def to_result(self) -> dict[str, t.Any]:
        names = ("name", "group", "query", "duration", "health", "last_error")
        return {"labels": dict(self.labels), **{name: getattr(self, name) for name in names}}


@dataclass(frozen=True)
class Route:
    """Of Alertmanager, https://prometheus.io/docs/alerting/latest/configuration/#route."""

    receiver: str = ""
    routes: tuple[Route, ...] = ()
    goes_on: bool = under("continue", default=False)
    match: Labels = field(default_factory=dict)
    match_re: Labels = field(default_factory=dict)
    matchers: tuple[str, ...] = ()
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()


@dataclass(frozen=True)
class AlertmanagerConfig:
    """As it shows it: without secrets. `receivers`: each with its name and, by kind, its integrations."""

    route: Route
    receivers: tuple[t.Mapping[str, t.Any], ...]

    @property
    def integrations(self) -> dict[str, bool]:
        """By receiver, whether it notifies anybody at all."""
        return {
            str(receiver.get("name")): any(
                value for kind, value in receiver.items() if kind.endswith("_configs")
            )
            for receiver in self.receivers
        }


@dataclass(frozen=True)
class SilenceMatcher:
    label: str = under("name", required=True)
    value: str = ""
    is_regex: bool = under("isRegex", default=False)
    is_equal: bool = under("isEqual", default=True)


@dataclass(frozen=True)
class Silence:
    """As Alertmanager's API v2 lists it. `state` is active, pending or expired; `ends` is RFC 3339."""

    state: str = under("status.state")
    matchers: tuple[SilenceMatcher, ...] = ()
    ends: str = under("endsAt")
    by: str = under("createdBy")
    comment: str = ""


@dataclass(frozen=True)
class FiredAlert:
    """An alert of the release that fired while it went on. Times are RFC 3339; `until` is "" while it fires."""

    name: str = ""
    severity: str = ""
    since: str = ""
    until: str = ""
    subject: str = ""


@dataclass(frozen=True)
class Alerts:
    """What fired, if somebody `looked`; else `why_not`."""

    looked: bool = False
    fired: tuple[FiredAlert, ...] = ()
    why_not: str = ""


def joined(known: Alerts, alerts: Alerts) -> Alerts:
    """What was known, and what a later look saw. The later one knows more of an alert that both have."""
    merged = list(known.fired)
    for entry in alerts.fired:
        same = next((at for at, other in enumerate(merged) if _same(other, entry)), None)
        if same is None:
            merged.append(entry)
        else:
            merged[same] = replace(entry, since=min(merged[same].since, entry.since))
    return replace(alerts, fired=tuple(sorted(merged, key=lambda entry: entry.since)))


def _same(known: FiredAlert, entry: FiredAlert) -> bool:
    """Whether both are the same alert at overlapping times."""
    return (
        (known.name, known.subject) == (entry.name, entry.subject)
        and (not known.until or entry.since <= known.until)
        and (not entry.until or known.since <= entry.until)
    )


Groups = t.Sequence[t.Mapping[str, t.Any]]
"""As under `groups` in a rule file of Prometheus, and in the `spec` of a PrometheusRule."""

_UNITS = {"y": 31_536_000, "w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1, "ms": 0.001}
_DURATION = re.compile(r"(?:\d+(?:ms|[ywdhms]))+|0")


def plain(groups: Groups) -> list[dict[str, t.Any]]:
    """The same as plain data, without the blanks around texts that ways to write YAML differ in."""

    def stripped(value: t.Any) -> t.Any:
        if isinstance(value, dict):
            return {key: stripped(entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [stripped(entry) for entry in value]
        return value.strip() if isinstance(value, str) else value

    data: list[dict[str, t.Any]] = stripped(json.loads(json.dumps(list(groups))))
    return data


def of_pods(groups: Groups, matchers: str) -> list[dict[str, t.Any]]:
    """The same over other pods: `matchers` in the place of those that the rules have for them."""
    others = plain(groups)
    for rule in (rule for group in others for rule in group.get("rules") or []):
        if "expr" in rule:
            rule["expr"] = str(rule["expr"]).replace(PODS, matchers)
    return others


def wanted_rules(groups: Groups) -> list[WantedRule]:
    """The alerting rules of the groups; InputError for what Prometheus would not load."""
    if not groups:
        raise InputError("'groups' is empty: set the groups of a rule file.")
    results: dict[tuple[str, str], WantedRule] = {}
    for group in groups:
        name, rules = group.get("name"), t.cast("t.Any", group.get("rules"))
        well = isinstance(rules, list) and all(isinstance(rule, dict) for rule in rules)
        if not name or not well:
            raise InputError(f"A group of rules needs a 'name' and 'rules'; this is {name!r}.")
        for rule in (_wanted(str(name), rule) for rule in rules if "record" not in rule):
            if (rule.group, rule.name) in results:
                raise InputError(
                    f"Group {name!r} has the alert {rule.name!r} twice: give each its own name."
                )
            results[rule.group, rule.name] = rule
    return list(results.values())


def _wanted(group: str, rule: t.Mapping[str, t.Any]) -> WantedRule:
    name, query = rule.get("alert"), rule.get("expr")
    if not name or query in (None, ""):
        raise InputError(f"A rule of group {group!r} needs 'alert' and 'expr'; this is {name!r}.")
    labels, annotations = (
        {str(key): str(value).strip() for key, value in (rule.get(part) or {}).items()}
        for part in ("labels", "annotations")
    )
    duration = to_seconds(rule.get("for", "0s"), f"'for' of the alert {str(name)!r}")
    return WantedRule(str(name), str(query).strip(), duration, labels, annotations, group)


def to_seconds(text: t.Any, what: str) -> float:
    """A duration as Prometheus writes it, such as 1h30m."""
    if not _DURATION.fullmatch(str(text)):
        raise InputError(f"{what} is {text!r}: it should be a duration such as 30s, 5m or 1h30m.")
    parts = re.findall(r"(\d+)(ms|[ywdhms])", str(text))
    return float(sum(int(number) * _UNITS[unit] for number, unit in parts))


def shortcomings(
    wanted: t.Sequence[WantedRule],
    loaded: t.Sequence[LoadedRule],
    formatted: t.Callable[[str], str],
) -> dict[str, str]:
    """By alert why it is not loaded as wanted; empty when all are. `formatted`: a query as Prometheus writes it."""
    results = {}
    for rule in wanted:
        alike = [entry for entry in loaded if (entry.group, entry.name) == (rule.group, rule.name)]
        reasons = [_reason(rule, entry, formatted) for entry in alike] or ["not loaded"]
        if all(reasons):
            results[rule.name] = reasons[0]
    return results


def _reason(wanted: WantedRule, loaded: LoadedRule, formatted: t.Callable[[str], str]) -> str:
    if formatted(loaded.query) != formatted(wanted.query):
        return f"loaded with another expression, {loaded.query!r}"
    if loaded.duration != wanted.duration:
        return f"loaded with 'for' {loaded.duration:g} s and not {wanted.duration:g} s"
    for name, value in wanted.labels.items():
        if loaded.labels.get(name) != value:
            return f"loaded with the label {name} {loaded.labels.get(name)!r} and not {value!r}"
    for name, value in wanted.annotations.items():
        if loaded.annotations.get(name, "").strip() != value:
            return f"loaded with another annotation {name}"
    failing = f"loaded, and its evaluation fails: {loaded.last_error}"
    return {"ok": "", "unknown": "loaded and not evaluated yet"}.get(loaded.health, failing)
