"""Users who write as they like, and ways to count them: which of these goes back for what is no harm.

Each user has a rate of minutes in which he writes, log-normal, and a chance that a message fails. A failed message is
tried again. Three pods count, and are scraped at each look.
"""

import math
import random
import typing as t
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate

from ansible_collections.easymo.deploy.plugins.module_utils._gate.cohorts import (
    CohortComparison,
    ComparisonEvidence,
)
from tests.benchmarks.gate_trial.releases import EVERY, LOOKS, RISK, weather

USERS, MINUTES, MESSAGES, PODS = 20_000, 1000, 3, 3
"""People there are, the minutes a look in which one writes, and messages in each."""
_AGAIN = 0.7
"""The chance that a failed message is tried again and fails."""
NOISE = 0.3


@dataclass(frozen=True)
class Shape:
    """`messages` and `minutes`: how many times as many treated users write, until it `fades` after so many seconds.

    `heavy`: the deviation of the logarithm of users' rates. `uneven`: how much their chances to fail vary, as their
    deviation divided by their mean. `noise`: of the treated arm alone, and `of_both` of the control too, another.
    """

    told: str
    share: float = 0.5
    ratio: float = 1.0
    messages: float = 1.0
    minutes: float = 1.0
    fades: float = math.inf
    heavy: float = 1.0
    uneven: float = 0.0
    noise: float = 0.0
    of_both: bool = False
    unscraped: float = 0.0


SHAPES = (
    Shape("as good as before"),
    Shape("liked: \u00d71.3 messages a minute", messages=1.3),
    Shape("the same at 5 %", share=0.05, messages=1.3),
    Shape("liked: \u00d72 messages a minute", messages=2.0),
    Shape("liked: \u00d71.5 minutes", minutes=1.5),
    Shape("novelty: \u00d71.5 messages, for 20 minutes", messages=1.5, fades=1200),
    Shape("half as many minutes", minutes=0.5),
    Shape("heavy-tailed users", heavy=2.0),
    Shape("some users fail far more often", uneven=3.0),
    Shape("the same, \u00d72 messages a minute", uneven=3.0, messages=2.0),
    Shape("the same, half as many minutes", uneven=3.0, minutes=0.5),
    Shape("noise of the treated arm, \u03c3 0.3", noise=NOISE),
    Shape("the same at 5 %", share=0.05, noise=NOISE),
    Shape("noise of each arm, \u03c3 0.3", noise=NOISE, of_both=True),
    Shape("1 % of scrapes fail", unscraped=0.01),
    Shape("the same at 5 %", share=0.05, unscraped=0.01),
    Shape("**worse**: \u00d72", ratio=2.0),
    Shape("**worse**: \u00d72 at 5 %", ratio=2.0, share=0.05),
    Shape("**worse**: \u00d72, and \u00d71.3 messages a minute", ratio=2.0, messages=1.3),
    Shape("**worse**: \u00d72, and half as many minutes", ratio=2.0, minutes=0.5),
)


@dataclass
class Arm:
    """Users of one cohort, by pod what was counted so far: as it was until 0.3, and as docs/watch.md asks."""

    draw: random.Random
    rates: list[float]
    risks: list[float]
    former: list[list[int]] = field(default_factory=lambda: [[0, 0] for _pod in range(PODS)])
    counted: list[list[int]] = field(default_factory=lambda: [[0, 0] for _pod in range(PODS)])
    messages: float = 0.0
    failures: Counter[int] = field(default_factory=Counter)
    resting: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.often = math.fsum(self.rates)
        self.chances = list(accumulate(map(float.__mul__, self.rates, self.risks)))
        self.rested = 0.0

    def look(self, minutes: float, messages: float, risk: float) -> None:
        """With so many times as many minutes, and messages in each."""
        draw, failing = self.draw, self.chances[-1] * minutes * risk
        seen = _events(draw, self.often * minutes)
        self.messages += seen * messages
        for pod in range(PODS):
            part = seen // PODS + (pod < seen % PODS)
            self.former[pod][0] += part
            self.counted[pod][0] += part - draw.binomialvariate(
                part, min(1.0, self.rested / self.often)
            )
        firsts, laters = _events(draw, failing), _events(draw, failing * (messages - 1.0))
        users = draw.choices(range(len(self.rates)), cum_weights=self.chances, k=firsts + laters)
        for place, user in enumerate(users):
            if user not in self.failures:
                self.former[user % PODS][1] += 1
            self.failures[user] += 1
            while draw.random() < _AGAIN:
                self.failures[user] += 1
                self.messages += 1
            if user not in self.resting:
                self.resting.add(user)
                self.rested += self.rates[user]
                if place < firsts:
                    self.counted[user % PODS][0] += 1
                    self.counted[user % PODS][1] += 1


def _events(draw: random.Random, mean: float) -> int:
    return draw.binomialvariate(100_000, min(1.0, mean / 100_000))


class Ends(t.NamedTuple):
    """When each gate goes back, in seconds, None for never; and whether ours ends with a hold."""

    former: float | None
    clustered: float | None
    ours: float | None
    holds: bool


def tried(shape: Shape, seed: int) -> Ends:
    draw = random.Random(f"users {shape} {seed}")
    rates = [math.exp(draw.gauss(0.0, shape.heavy)) for _user in range(USERS)]
    times = MINUTES / math.fsum(rates)
    rates = [min(EVERY / 60, rate * times) for rate in rates]
    spread = shape.uneven**2
    risks = [RISK * (draw.gammavariate(1 / spread, spread) if spread else 1.0) for _user in rates]
    treated = round(USERS * shape.share)
    arms = Arm(draw, rates[:treated], risks[:treated]), Arm(draw, rates[treated:], risks[treated:])
    common, *own = weather(draw, 0.95), _noise(draw), _noise(draw)
    gates = Former(), Clustered(), Ours(shape.share)
    ends: list[float | None] = [None, None, None]
    for number in range(LOOKS):
        risk, novelty = next(common), number * EVERY < shape.fades
        noises = [math.exp(shape.noise * x - shape.noise**2 / 2) for x in map(next, own)]
        often, many = (shape.minutes, shape.messages) if novelty else (1.0, 1.0)
        arms[0].look(often, MESSAGES * many, risk * noises[0] * shape.ratio)
        arms[1].look(1.0, MESSAGES, risk * (noises[1] if shape.of_both else 1.0))
        scraped = [pod for pod in range(PODS) if draw.random() >= shape.unscraped]
        for place, gate in enumerate(gates):
            if ends[place] is None and gate.breaks(arms, scraped, number * EVERY):
                ends[place] = float(number * EVERY)
    return Ends(*ends, holds=ends[2] is None and gates[2].doubts)


def _noise(draw: random.Random) -> t.Iterator[float]:
    now = draw.gauss()
    while True:
        yield now
        now = 0.95 * now + math.sqrt(1 - 0.95**2) * draw.gauss()


Arms = tuple[Arm, Arm]


class Former:
    """Until 0.3: users seen in a minute and failed once in two hours, as sums, six ratios and no margin."""

    RATIOS = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0)

    def __init__(self) -> None:
        self.last: list[int] = []
        self.total = [0, 0, 0, 0]
        self.logs = [0.0] * len(self.RATIOS)

    def breaks(self, arms: Arms, scraped: list[int], _at: float) -> bool:
        now = [sum(arm.former[pod][what] for pod in scraped) for arm in arms for what in (0, 1)]
        last, self.last = self.last or now, now
        grown = [new - old for new, old in zip(now, last, strict=True)]
        if min(grown) < 0:
            return False
        risked = [self.total[at] + grown[at] - self.total[at + 1] for at in (0, 2)]
        self.total = [old + new for old, new in zip(self.total, grown, strict=True)]
        share, failed = risked[0] / max(1, sum(risked)), grown[1] + grown[3]
        if 0 < share < 1:
            self.logs = [
                log + grown[1] * math.log(ratio) - failed * math.log1p(share * (ratio - 1))
                for log, ratio in zip(self.logs, self.RATIOS, strict=True)
            ]
        return math.fsum(map(math.exp, self.logs)) / len(self.logs) >= 100


class Clustered:
    """All failures to all messages, with the variance by user, in an asymptotic confidence sequence at 1 %.

    By the delta method (Deng et al., 2018), with the boundary of Waudby-Smith et al. (2021).
    """

    AT, ALPHA = 20.0, 0.02

    def breaks(self, arms: Arms, _scraped: list[int], _at: float) -> bool:
        failed = [arm.failures.total() for arm in arms]
        if not all(failed):
            return False
        squares = [math.fsum(x * x for x in arm.failures.values()) for arm in arms]
        learned = 1 / math.fsum(two / one**2 for two, one in zip(squares, failed, strict=True))
        ratio = failed[0] / arms[0].messages / failed[1] * arms[1].messages
        high = (
            (learned + self.AT) / learned * math.log((learned + self.AT) / self.AT / self.ALPHA**2)
        )
        least = math.log(CohortComparison().margin)
        return learned > 5 and (math.log(ratio) - least) * math.sqrt(learned) >= math.sqrt(high)


class Ours:
    def __init__(self, share: float) -> None:
        self.how, self.evidence = CohortComparison(share=share), ComparisonEvidence()

    def breaks(self, arms: Arms, scraped: list[int], at: float) -> bool:
        now = {
            f"{cohort} {what} {pod}": float(arm.counted[pod][place])
            for arm, cohort in zip(arms, ("treated", "control"), strict=True)
            for place, what in enumerate(("seen", "failed"))
            for pod in scraped
        }
        if len(scraped) == 0:
            return False
        self.evidence, _problem = self.evidence.looked(now, self.how, at)
        return self.evidence.value(self.how) >= self.how.needed

    @property
    def doubts(self) -> bool:
        return self.evidence.by_message.value(self.how) >= self.how.needed
