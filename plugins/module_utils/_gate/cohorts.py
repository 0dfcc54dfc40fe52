# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether treated users fail more often than those of the control, as evidence that may be looked at at any time. Pure.

At each look `k` of the `k + m` messages that failed are of treated users, and so is a share `q` of all that were
counted: of each user the first of a minute, and none for two hours after any that failed. If those of treated users
fail `r` times as often, a failed one is of a treated user with probability

    theta(r) = q r / (q r + 1 - q)

and `k` and `m` multiply the evidence for `r` against the margin by

    (theta(r) / theta(margin)) ** k * ((1 - theta(r)) / (1 - theta(margin))) ** m

As long as they fail at most `margin` times as often, its expectation never grows, so that it ever reaches 1 / alpha in
at most a share alpha of watches (Ville, 1939), however often one looks. It is the safe logrank test of Grünwald, Ly,
Pérez-Ortiz and ter Schure (2020), and the test for counts of Lindon and Malek (2022). The proof and the trials are in
tests/benchmarks/gate_trial/README.md.
"""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass, field, replace

RATIOS = (1.5, 2.0, 4.0)
"""So many times as often as the margin allows: what the evidence is gathered for."""
_STAKES = (0.1, 0.8, 0.1)
"""The part of the stake that is on each of them: most is on a doubling."""
_KEPT, _KEPT_FOR = 0.01, 1200.0
"""The part that is kept for a harm that begins later, and the seconds after which it is staked, on average."""
_FULL, _MEMORY = 22.0, 600.0
"""What is learned in so many seconds counts in full up to so much, and beyond that the less the more there is.

A cohort has good and bad minutes of its own, as with a provider that the feature alone calls. Without a limit a few
of them would be proof where many users write. In failed messages, each times q (1 - q).
"""
_AWAY = 300.0
"""A count that fell and is back within so many seconds was not scraped meanwhile. After that it began again."""
_GONE = 3600.0
"""A series that is missing for so many seconds is of a pod that is gone."""
_BEARS_OUT = 10.0
"""Evidence by user bears out so many times as much by message."""
_LARGEST = 1e9
"""More evidence is shown as so much."""
_CONTRADICTION = math.log(1e4)
"""How improbable a share of treated users must be before it contradicts the one that was configured."""
COUNTS = tuple((cohort, what) for cohort in ("treated", "control") for what in ("seen", "failed"))
"""What is read at a look. The readings have a name that begins so, and goes on with the labels of the series."""


class Counts(t.NamedTuple):
    """Messages of the users of one cohort."""

    observed: float = 0.0
    failed: float = 0.0


class Cohorts(t.NamedTuple):
    treated: Counts = Counts()
    control: Counts = Counts()

    @classmethod
    def of(cls, flat: t.Iterable[float]) -> Cohorts:
        observed, failed, control_seen, control_failed = flat
        return cls(Counts(observed, failed), Counts(control_seen, control_failed))

    def with_more(self, more: Cohorts) -> Cohorts:
        pairs = zip((*self.treated, *self.control), (*more.treated, *more.control), strict=True)
        return Cohorts.of(old + new for old, new in pairs)

    @property
    def share(self) -> float | None:
        """Of the messages counted those of treated users; None when there was none."""
        observed = self.treated.observed + self.control.observed
        return self.treated.observed / observed if observed > 0 else None

    @property
    def ratio(self) -> float | None:
        """How many times as often treated users failed; None when that is not known."""
        if self.treated.observed <= 0 or self.control.failed <= 0:
            return None
        return (
            self.treated.failed
            / self.treated.observed
            / self.control.failed
            * self.control.observed
        )


@dataclass(frozen=True)
class CohortComparison:
    """How the cohorts of one metric are compared.

    `margin`: treated users may fail so many times as often. `alpha` is for all `of` comparisons of a watch together.
    `before`: the evidence of the watch before this one. `must_detect`: a harm that the watch must be able to see.
    `share`: of the users those who should be treated, if that is known; with 0 or 1 no users are compared.
    """

    margin: float = 1.05
    alpha: float = 0.01
    of: int = 1
    before: float = 1.0
    must_detect: float | None = None
    share: float | None = None

    @property
    def needed(self) -> float:
        """So much evidence is a breach, were this the only metric that has any."""
        return self.of / self.alpha

    @property
    def missing_arm(self) -> str:
        """Why there are no users to compare; empty when there should be."""
        if self.share == 0.0:
            return "no user has the feature"
        return "all users have the feature" if self.share == 1.0 else ""

    @property
    def start(self) -> float:
        """Half of the stake is for this watch alone, half goes on from the watch before."""
        return (1.0 + self.before) / 2.0

    @property
    def drawn(self) -> float | None:
        """The share of treated users where both cohorts have some."""
        return self.share if self.share and self.share < 1.0 else None

    def activity(self, total: Cohorts) -> float | None:
        """How many times as much treated users wrote, in minutes with a message; None when that is not known."""
        if self.drawn is None or total.control.observed <= 0:
            return None
        return total.treated.observed / total.control.observed * (1.0 - self.drawn) / self.drawn


@dataclass(frozen=True)
class Bet:
    """The winnings as logarithms, for each of RATIOS, `kept` which is not staked, and what was `recent`ly learned.

    `counted`: the failed messages, each as far as it counted.
    """

    logs: tuple[float, ...] = tuple(math.log((1.0 - _KEPT) * stake) for stake in _STAKES)
    kept: float = _KEPT
    recent: float = 0.0
    counted: float = 0.0

    def after(
        self,
        failed: tuple[float, float],
        share: float | None,
        how: CohortComparison,
        seconds: float,
    ) -> Bet:
        """After a look, so many seconds after the one before. A share of 0 or 1 leaves it: no users are compared."""
        number, share = sum(failed), share or 0.0
        recent = self.recent * math.exp(-seconds / _MEMORY) + number * share * (1.0 - share)
        weight = min(1.0, _FULL / recent) if recent else 1.0
        kept = self.kept * math.exp(-seconds / _KEPT_FOR)
        staked = self.kept - kept
        won = gains(*failed, share, how.margin)
        logs = tuple(
            log_sum((log, math.log(staked * stake)) if staked * stake else (log,)) + weight * gain
            for log, stake, gain in zip(self.logs, _STAKES, won, strict=True)
        )
        return Bet(logs, kept, recent, self.counted + weight * number)

    def value(self, how: CohortComparison) -> float:
        log = log_sum((*self.logs, math.log(self.kept or 1e-300))) + math.log(how.start)
        return min(math.exp(min(log, 700.0)), _LARGEST)


class Reading(t.NamedTuple):
    """The highest value of a count, and since when it is below, None while it is not."""

    value: float
    fell: float | None = None


@dataclass(frozen=True)
class ComparisonEvidence:
    """What is kept of a comparison: the same few numbers after an hour as after a minute.

    `readings`: what was read last, by name. `total`: how far it grew since the watch began. `at`: the second of the
    last look. The evidence `by_message` is of the messages that each cohort wrote. That `by_user` is of the users who
    were drawn, however much they wrote.
    """

    readings: t.Mapping[str, Reading] = field(default_factory=dict)
    total: Cohorts = Cohorts()  # noqa: RUF009 - frozen
    by_message: Bet = Bet()
    by_user: Bet = Bet()
    at: float = 0.0
    resets: int = 0

    def looked(
        self, now: t.Mapping[str, float], how: CohortComparison, at: float
    ) -> tuple[ComparisonEvidence, str]:
        """With the counts of another look, or the same and why these say nothing."""
        if not all(math.isfinite(entry) and entry >= 0 for entry in now.values()):
            return self, "a number of users is below 0"
        if not self.readings:
            return replace(
                self, readings={name: Reading(value) for name, value in now.items()}, at=at
            ), ""
        fell = self._fell(now, at)
        risen = {name: value for name, value in now.items() if name not in fell}
        if {_count(name) for name in fell} - {_count(name) for name in risen}:
            if at - min(fell.values()) < _AWAY:
                marked = {
                    name: self.readings[name]._replace(fell=since) for name, since in fell.items()
                }
                return replace(self, readings={**self.readings, **marked}), "a count fell"
            # What became of users meanwhile is not known, in neither cohort.
            begun = {name: Reading(value) for name, value in now.items()}
            return replace(
                self, readings=begun, at=at, resets=self.resets + 1
            ), "a count began again"
        grown = self._grown(risen)
        for name, entry in grown._asdict().items():
            if entry.failed > entry.observed:
                # Failures are counted before users seen: the next look has both.
                return self, f"more {name} users failed than were seen"
        failed, seconds = (grown.treated.failed, grown.control.failed), max(0.0, at - self.at)
        return replace(
            self,
            readings=self._known(now, fell, at),
            total=self.total.with_more(grown),
            by_message=self.by_message.after(failed, grown.share, how, seconds),
            by_user=self.by_user.after(failed, how.drawn, how, seconds),
            at=at,
        ), ""

    def _fell(self, now: t.Mapping[str, float], at: float) -> dict[str, float]:
        """The readings that are lower than they were, and since when."""
        before = {name: self.readings[name] for name in now if name in self.readings}
        return {
            name: at if entry.fell is None else entry.fell
            for name, entry in before.items()
            if now[name] < entry.value
        }

    def _grown(self, risen: t.Mapping[str, float]) -> Cohorts:
        """A series counts from the first time that it is read."""
        grown = dict.fromkeys(COUNTS, 0.0)
        for name, value in risen.items():
            if name in self.readings:
                grown[_count(name)] += value - self.readings[name].value
        return Cohorts.of(grown.values())

    def _known(
        self, now: t.Mapping[str, float], fell: t.Mapping[str, float], at: float
    ) -> dict[str, Reading]:
        """What fell a moment ago, or is missing for less than an hour, is expected back with what it had counted."""
        missing = {
            name: at if entry.fell is None else entry.fell
            for name, entry in self.readings.items()
            if name not in now
        }
        awaited = {name: since for name, since in fell.items() if at - since < _AWAY}
        awaited |= {name: since for name, since in missing.items() if at - since < _GONE}
        return {
            **{name: Reading(value) for name, value in now.items()},
            **{name: Reading(self.readings[name].value, since) for name, since in awaited.items()},
        }

    def value(self, how: CohortComparison) -> float:
        """That by message, as far as that by user is a tenth of it: who writes less fails the sooner."""
        by_message = self.by_message.value(how)
        if how.drawn is None:
            return by_message
        return min(by_message, _BEARS_OUT * self.by_user.value(how))


def _count(name: str) -> tuple[str, str]:
    cohort, what, *_labels = name.split(maxsplit=2)
    return cohort, what


def gains(treated: float, control: float, share: float, margin: float) -> tuple[float, ...]:
    """How much the logarithms grow by so many failed messages. A share of 0 or 1 compares no users."""
    if not 0.0 < share < 1.0:
        return (0.0,) * len(RATIOS)
    allowed = math.log1p(share * (margin - 1.0))
    spreads = (allowed - math.log1p(share * (times * margin - 1.0)) for times in RATIOS)
    return tuple(
        treated * math.log(times) + (treated + control) * spread
        for times, spread in zip(RATIOS, spreads, strict=True)
    )


def log_sum(logs: t.Sequence[float]) -> float:
    """The logarithm of the sum of what these are the logarithms of, without ever leaving them."""
    highest = max(logs)
    return highest + math.log(math.fsum(math.exp(log - highest) for log in logs))


def blamed(results: t.Mapping[str, float], alpha: float) -> frozenset[str]:
    """The metrics to blame, given the evidence of every comparison; none as long as all may well be good.

    The mean is evidence against "all are good". Which are not, e-BH tells (Wang and Ramdas, 2022): of those that it
    blames, at most a share alpha is blamed wrongly. Where it blames none although not all can be good, the gravest is.
    """
    if not results or math.fsum(results.values()) / len(results) < 1.0 / alpha:
        return frozenset()
    ranked = sorted(results, key=lambda name: results[name], reverse=True)
    enough = [
        number
        for number, name in enumerate(ranked, start=1)
        if results[name] >= len(results) / (alpha * number)
    ]
    return frozenset(ranked[: max(enough, default=1)])


def contradicts(total: Cohorts, configured: float) -> bool:
    """Whether the share of treated users is certainly more than twice, or less than half, what it should be."""
    share = total.share
    if share is None or not 0.0 < configured < 1.0:
        return False
    odds = configured / (1.0 - configured)
    low, high = (entry / (1.0 + entry) for entry in (odds / 2.0, odds * 2.0))
    if low <= share <= high:
        return False
    observed = total.treated.observed + total.control.observed
    return observed * _divergence(share, low if share < low else high) >= _CONTRADICTION


def _divergence(share: float, other: float) -> float:
    """Of Kullback and Leibler, between two coins."""
    parts = ((share, other), (1.0 - share, 1.0 - other))
    return math.fsum(entry * math.log(entry / two) for entry, two in parts if entry > 0)
