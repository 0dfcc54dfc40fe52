# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is answered by an AI agent and by which: pure rules over flags, user and text; and where flags come from.

A pod has its flags from its environment or from files of a volume. `FLAGS_DIRECTORY` names a folder of files, one for
each flag, which are looked at again while the pod runs.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
import typing as t
from dataclasses import dataclass

from sandbox.services import ConfigurationError
from sandbox.services.base_service import beside

if t.TYPE_CHECKING:
    from pathlib import Path

    from aiohttp import web

    from sandbox.services.base_service import Service

Agent = t.Literal[
    "buyer", "station", "vendor", "driver", "admin", "customer_support", "marketplace"
]
AGENTS: tuple[Agent, ...] = t.get_args(Agent)
FEATURE = "FEATURE_AI_AGENTS"
PERCENTAGE = "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE"

MENU_WORD = "MENU"
BUCKETS = 10_000
# Changing it draws the users of every percentage anew.
SALT = "easymo-v2:"

# In this order: the first agent that has one of its words in the text answers.
KEYWORDS: tuple[tuple[Agent, frozenset[str]], ...] = (
    ("admin", frozenset({"report", "statistics"})),
    ("station", frozenset({"fuel", "petrol", "diesel", "station"})),
    ("driver", frozenset({"ride", "moto", "taxi", "driver", "trip"})),
    ("marketplace", frozenset({"property", "house", "apartment", "rent", "land", "marketplace"})),
    ("vendor", frozenset({"sell", "selling", "shop", "stock"})),
    (
        "buyer",
        frozenset(
            {"vegetables", "tomatoes", "fruit", "groceries", "buy", "need", "vendor", "vendors"}
        ),
    ),
)
# Greetings, questions and complaints: whoever has no specialist.
GENERALIST: Agent = "customer_support"

Cohort = t.Literal["treated", "control"]
COHORTS: tuple[Cohort, ...] = t.get_args(Cohort)

Reason = t.Literal["menu_requested", "feature_off", "allow_listed", "in_rollout", "not_in_rollout"]


@dataclass(frozen=True)
class Flags:
    enabled: bool = False
    percentage: float = 0.0
    """Share of the users, 0 to 100."""
    agents: frozenset[Agent] = frozenset()
    """The agents that are switched on."""
    allow_list: frozenset[str] = frozenset()
    """Numbers that are always answered by an agent while the feature is on."""

    @classmethod
    def from_env(cls, env: t.Mapping[str, str]) -> Flags:
        numbers = env.get("AGENT_ALLOW_LIST", "").split(",")
        return cls(
            enabled=_boolean(env, FEATURE),
            percentage=_percentage(env, PERCENTAGE),
            agents=frozenset(a for a in AGENTS if _boolean(env, name_of(a))),
            allow_list=frozenset(filter(None, map(normalized, numbers))),
        )

    def to_dict(self) -> dict[str, bool | float]:
        agents = {name_of(agent): agent in self.agents for agent in AGENTS}
        return {FEATURE: self.enabled, PERCENTAGE: self.percentage, **agents}


def name_of(agent: Agent) -> str:
    return f"FEATURE_{agent.upper()}_AGENT"


@dataclass(frozen=True)
class Route:
    agent: Agent | None
    reason: Reason


def route(number: str, text: str, flags: Flags) -> Route:
    number = normalized(number)
    if text.strip().upper() == MENU_WORD:
        return Route(None, "menu_requested")
    if not flags.enabled:
        return Route(None, "feature_off")
    if number in flags.allow_list:
        return Route(agent_for(text, internal=True), "allow_listed")
    if in_rollout(number, flags.percentage):
        return Route(agent_for(text), "in_rollout")
    return Route(None, "not_in_rollout")


def cohort(number: str, flags: Flags) -> Cohort | None:
    """Whether the draw gave the user the feature, whatever then answers; None for whom nobody drew.

    A number is in the allow list because of whose it is. Who asks for the menu was drawn before that, and may be
    asking because of the feature: without them a release that drives users away would look well.
    """
    if normalized(number) in flags.allow_list:
        return None
    return "treated" if flags.enabled and in_rollout(number, flags.percentage) else "control"


def in_rollout(number: str, percentage: float) -> bool:
    """Whether the user is in the first `percentage` of all; a higher one only adds users."""
    return bucket(number) < percentage * (BUCKETS / 100)


def bucket(number: str) -> int:
    digest = hashlib.sha256((SALT + normalized(number)).encode()).digest()
    return int.from_bytes(digest[:8]) % BUCKETS


def agent_for(text: str, *, internal: bool = False) -> Agent:
    """The agent whose subject the text names; reports are for colleagues only."""
    words = frozenset(re.findall(r"\w+", text.lower()))
    for agent, keywords in KEYWORDS:
        if words & keywords and (agent != "admin" or internal):
            return agent
    return GENERALIST


def normalized(number: str) -> str:
    return re.sub(r"[\s+()-]", "", number)


def _boolean(env: t.Mapping[str, str], name: str) -> bool:
    value = env.get(name, "false").strip().lower()
    if value not in ("true", "false", "1", "0", "yes", "no", "on", "off"):
        raise ConfigurationError(f"{name} is {value!r}: it must be true or false.")
    return value in ("true", "1", "yes", "on")


def _percentage(env: t.Mapping[str, str], name: str) -> float:
    text = env.get(name, "0").strip()
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 100:
        raise ConfigurationError(f"{name} is {text!r}: it must be a number from 0 to 100.")
    return value


LOOK_EVERY = 0.5
"""Seconds."""


class Fixed:
    """As the process started."""

    def __init__(self, flags: Flags) -> None:
        self.now = flags

    async def following(self, _app: web.Application) -> t.AsyncIterator[None]:
        yield


def flag_source(service: Service) -> Fixed:
    """Raises ConfigurationError when a flag is not one."""
    folder = service.env.get("FLAGS_DIRECTORY")
    if folder:
        return Files(service, service.context.path(folder))
    return Fixed(Flags.from_env(service.env))


class Files(Fixed):
    def __init__(self, service: Service, folder: Path) -> None:
        self._env, self._log, self._folder = service.env, service.log, folder
        self._texts = self._read()
        super().__init__(Flags.from_env({**self._env, **self._texts}))

    def _read(self) -> dict[str, str]:
        names = (FEATURE, PERCENTAGE, *map(name_of, AGENTS))
        files = {name: self._folder / name for name in names}
        return {name: file.read_text("utf-8") for name, file in files.items() if file.is_file()}

    async def following(self, _app: web.Application) -> t.AsyncIterator[None]:
        async with beside(self._follow()):
            yield

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                texts = self._read()
                if texts != self._texts:
                    self._texts = texts
                    self.now = Flags.from_env({**self._env, **texts})
                    self._log.info("flags changed", **self.now.to_dict())
            except (OSError, ConfigurationError) as exc:
                # What held before holds on.
                self._log.error("flags could not be read", error=str(exc))
