# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the variables of a release as the tasks of its phases will, so that they are refused before the first. Pure."""

from __future__ import annotations

import typing as t

from ._arguments import options_or_refusal, text_of
from ._checks.sign_offs import read_given, read_wanted
from ._checks.task import read_tests
from ._errors import InputError
from ._flags.values import to_values
from ._gate.options import METRIC_RULES, read_metrics
from ._identity import Demands
from ._module import fragment_spec, refuse_below
from ._ramp.options import read_schedule
from ._release.order import read_waivers
from ._release.pins import record_name
from ._time import is_within, now
from ._window import read_window

Release = t.Mapping[str, t.Any]
"""Variables of a release by name, as the inventory has them, where nothing is wrong with their types."""

_OF_THE_WATCH = {
    "duration": "release_watch_duration",
    "interval": "release_watch_interval",
    "initial_delay": "release_watch_delay",
}
_OF_THE_RAMP = {
    "watch_duration": "release_ramp_watch_duration",
    "day_length": "release_ramp_day_length",
}
_SERVER = {"url": "https://prometheus.invalid"}
"""Whether one is set is another question."""


def misread(release: Release) -> list[str]:
    """One sentence for each variable that a phase could not work with."""
    results = []
    for name, read in READERS.items():
        if release.get(name) not in (None, [], {}):
            try:
                read(name, release)
            except InputError as exc:
                results.append(str(exc) if name in str(exc) else f"{name} is wrong: {exc}")
    return results


def _given(variables: t.Mapping[str, str], release: Release) -> dict[str, t.Any]:
    """The options whose variables the release has."""
    return {
        option: release[name] for option, name in variables.items() if release.get(name) is not None
    }


def _not_below_0(name: str, release: Release) -> None:
    refuse_below(release, **{name: 0})


def _metrics(name: str, release: Release) -> None:
    _watch(name, release[name], release)


def _watch(name: str, entries: t.Any, release: Release) -> None:
    given = {name: entries, "metrics": [], "prometheus": _SERVER, **_given(_OF_THE_WATCH, release)}
    spec = {**fragment_spec("_metrics.watch"), **fragment_spec("_metrics")}
    metrics = {**spec["metrics"], **METRIC_RULES}
    values = options_or_refusal({**spec, name: metrics}, given)
    read_metrics({**values, "metrics": values[name]})


def _feedback(name: str, release: Release) -> None:
    sources = [
        {**entry["source"], "name": entry["name"]} for entry in release[name] if entry.get("source")
    ]
    _watch(name, sources, release)


def _smoke_metrics(name: str, release: Release) -> None:
    spec = fragment_spec("_checks.smoke_tests", "tests", "metrics")
    options_or_refusal({**spec, name: spec["metrics"]}, {name: release[name], "metrics": []})


def _smoke_tests(name: str, release: Release) -> None:
    spec = _list_of("_checks.smoke_tests", "tests")
    read_tests(options_or_refusal({name: spec}, {name: release[name]})[name])


def _ramp(name: str, release: Release) -> None:
    spec = fragment_spec("_ramp")
    given = {name: release[name], "flag": "", "schedule": [], **_given(_OF_THE_RAMP, release)}
    values = options_or_refusal({**spec, name: spec["schedule"]}, given)
    read_schedule({**values, "schedule": values[name]})


def _flags(name: str, release: Release) -> None:
    percentage, feature = (
        text_of(release.get(entry)) for entry in ("release_percentage_flag", "release_feature_flag")
    )
    bounds = {percentage: [0, 100]} if percentage else {}
    to_values(release[name], bounds, {feature: [True, False]} if feature else {})


def _messages(name: str, release: Release) -> None:
    spec = fragment_spec("_checks.smoke_tests", "tests", "webhook")["messages"]
    options_or_refusal({name: spec}, {name: release[name]})


def _identity(name: str, release: Release) -> None:
    spec = fragment_spec("_identity")["identity"]
    lines = release.get("release_sign_offs")
    # What is no list of lines is refused by its own name.
    known = (
        {str(line.get("name")) for line in lines if isinstance(line, dict)}
        if isinstance(lines, list)
        else None
    )
    Demands.read(options_or_refusal({name: spec}, {name: release[name]})[name], known)


def _list_of(fragment: str, option: str) -> dict[str, t.Any]:
    """Where a fragment leaves it to the modules to say that its option is a list."""
    return {**fragment_spec(fragment)[option], "type": "list", "elements": "dict"}


READERS: t.Mapping[str, t.Callable[[str, Release], object]] = {
    "release_version": lambda name, release: record_name(str(release[name])),
    "release_launch_window": lambda name, release: read_window(release[name]),
    "release_ramp": _ramp,
    **dict.fromkeys(("release_watch_duration", "release_watch_delay"), _not_below_0),
    "release_metrics": _metrics,
    "release_feedback": _feedback,
    "release_smoke_metrics": _smoke_metrics,
    "release_smoke_tests": _smoke_tests,
    "release_smoke_tests_without_feature": _smoke_tests,
    "release_rollback_tests": _smoke_tests,
    "release_flags": _flags,
    "release_flags_messages": _messages,
    "release_sign_offs": lambda name, release: read_wanted(
        options_or_refusal(
            {name: fragment_spec("_sign_offs", "sign_off")["required"]}, {name: release[name]}
        )[name]
    ),
    "release_identity": _identity,
    "release_sign_offs_given": lambda name, release: read_given(release[name]),
    **dict.fromkeys(
        ("release_waivers", "release_phases_waived", "release_supersedes"),
        lambda name, release: read_waivers(name, release[name]),
    ),
    "release_page_holds": lambda name, release: is_within(release[name], now()),
}
"""By variable of the role release_variables, what reads it."""
