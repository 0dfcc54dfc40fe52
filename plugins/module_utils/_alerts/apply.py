# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Look whether the alerts are loaded and whoever they go to can be told, and wait until they are."""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass

from .._cluster import Clock
from .._errors import DeployError, NotReadyError, UnreachableError, VerificationError
from .api import AlertsApi
from .models import Labels, LoadedRule, WantedRule
from .plan import shortcomings
from .routes import Config, Silences, misrouted


class LoadedRules:
    """The alerts that are wanted, in the eyes of one Prometheus."""

    def __init__(self, api: AlertsApi, wanted: t.Sequence[WantedRule]) -> None:
        self._api = api
        self._wanted = wanted
        self._formatted = functools.cache(api.formatted)

    def refuse_unreadable(self) -> None:
        """InputError for a query that Prometheus does not understand."""
        for rule in self._wanted:
            self._formatted(rule.query)

    def look(self) -> tuple[list[LoadedRule], dict[str, str]]:
        """Those loaded of the alerts that are wanted, and by alert what it lacks."""
        names = {(rule.group, rule.name) for rule in self._wanted}
        loaded = [rule for rule in self._api.rules() if (rule.group, rule.name) in names]
        return loaded, shortcomings(self._wanted, loaded, self._formatted)

    def wait(
        self, clock: Clock, within: float, sleep: float, report: t.Callable[[str], None]
    ) -> list[LoadedRule]:
        """Until all are loaded and work; NotReadyError with what is lacking when the time is up."""
        deadline = clock.now() + within
        last = ""
        while True:
            try:
                loaded, lacking = self.look()
                if not lacking:
                    return loaded
                told = "; ".join(f"{name} is {why}" for name, why in lacking.items())
            except UnreachableError as exc:
                lacking, told = {}, str(exc).rstrip(".")
            if clock.now() + sleep > deadline:
                raise NotReadyError(
                    f"After {within:g} s Prometheus does not have the right alerts ({told}): "
                    "check that it reads them from there, and its log.",
                    lacking=lacking,
                )
            if told != last:
                report(f"waiting for Prometheus: {told}")
            last = told
            clock.sleep(sleep)


@dataclass(frozen=True)
class Routing:
    """How Alertmanager is configured now, and the labels that Prometheus adds to what it sends there."""

    config: Config
    silences: Silences
    external: Labels

    @classmethod
    def read(cls, api: AlertsApi) -> Routing:
        try:
            external = api.external_labels()
        except DeployError:  # Not all that speak Prometheus's API have it.
            external = {}
        return cls(api.alertmanager(), api.silences(), external)

    @property
    def receivers(self) -> list[str]:
        return [str(one.get("name")) for one in self.config["receivers"]]

    def problem(self, rule: WantedRule | LoadedRule) -> str:
        """Why nobody, or somebody else, hears of the alert; empty when all is well."""
        return misrouted(self.config, self.silences, rule.name, {**self.external, **rule.labels})


def refuse_misrouted(problems: t.Mapping[str, str]) -> None:
    if problems:
        raise VerificationError(
            f"Alerts would not reach whom they are for: {'; '.join(problems.values())}. Correct Alertmanager's "
            "configuration.",
            misrouted=dict(problems),
        )
