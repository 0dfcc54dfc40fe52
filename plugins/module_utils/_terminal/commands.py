# SPDX-License-Identifier: GPL-3.0-or-later
"""The command that was typed, and the one to type next, ready to be pasted."""

from __future__ import annotations

import json
import re
import shlex
import typing as t
from dataclasses import dataclass, replace

from .._story.next_step import BACK_AGAIN, DEPLOY, LOOK, MENTIONED, RAMP, PlaybookRun

ALL = ("all",)
BESIDE = (DEPLOY, BACK_AGAIN, RAMP, LOOK)
"""Playbooks that are not everywhere."""
PAIR = re.compile(r"""(?:[^\s"']|"[^"]*"|'[^']*')+""")
"""One `name=value` of -e, with its quotes, which may begin within it."""


@dataclass(frozen=True)
class Typed:
    """The place of the playbooks, the inventories and the program, as they are typed here.

    `playbooks` is a folder, or the name of an installed collection with a dot behind it.
    """

    playbooks: str = "playbooks"
    inventories: tuple[str, ...] = ()
    program: str = ""

    def line(self, playbook: str, *words: str) -> str:
        """`words` are as a shell reads them."""
        program, path = self.program or "ansible-playbook", typed_playbook(self.playbooks, playbook)
        sources = [f"-i {quoted(inventory)}" for inventory in self.inventories]
        return " ".join([quoted(program), quoted(path), *sources, *words])

    def completed(self, sentence: str) -> str:
        """With each playbook that it names as the command that is typed here."""
        return MENTIONED.sub(
            lambda result: self.line(result["playbook"]) + result["options"], sentence
        )


def without_options(sentence: str) -> str:
    """With its playbooks by their names alone."""
    return MENTIONED.sub(lambda result: f"playbooks/{result['playbook']}", sentence)


@dataclass(frozen=True)
class Command:
    """What was typed, with the program as it was found.

    `extra`: the values of -e that may be repeated. `hidden`: names of those that may be a secret, and are left out.
    `phases`: those that the playbooks hold, whatever tags chose of them. `beside`: which of BESIDE stand beside this
    one.
    """

    playbooks: tuple[str, ...]
    typed: Typed = Typed()
    tags: tuple[str, ...] = ALL
    limit: str = ""
    check: bool = False
    extra: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()

    def line(self) -> str:
        parts = [self.typed.program or "ansible-playbook", *self.playbooks]
        parts += [word for inventory in self.typed.inventories for word in ("-i", inventory)]
        parts += ["--tags", ",".join(self.tags)] if self.tags != ALL else []
        parts += ["--limit", self.limit] if self.limit else []
        parts += [word for entry in self.extra for word in ("-e", entry)]
        parts += ["--check"] if self.check else []
        # The shell's variable of the same name has what must not be told.
        return " ".join([*map(quoted, parts), *(f'-e {name}="${name}"' for name in self.hidden)])

    def without(self, names: t.Collection[str]) -> Command:
        """Without the variables of these names; a file of variables is kept as it is."""
        remaining = tuple(filter(None, (_without(entry, names) for entry in self.extra)))
        return replace(
            self, extra=remaining, hidden=tuple(n for n in self.hidden if n not in names)
        )

    def carrying(self, step: PlaybookRun, plan: t.Sequence[str], *, limited: bool) -> str:
        """The line to type for this step, "" where no playbook does it. `limited`: for the same hosts and tags."""
        if not step.playbook:
            return " ".join([self.line(), *step.words])
        if step.playbook == DEPLOY:
            deploying = self._deploying(step.tags or tuple(plan), tuple(plan), limited=limited)
            return " ".join([deploying.line(), *step.words[bool(step.tags) :]]) if deploying else ""
        path = typed_playbook(self.typed.playbooks, step.playbook)
        there = path in self.playbooks or step.playbook in self.beside
        there = there or step.playbook not in BESIDE
        return self.typed.line(step.playbook, *step.words) if there else ""

    def _deploying(
        self, phases: tuple[str, ...], plan: tuple[str, ...], *, limited: bool
    ) -> Command | None:
        """With what was typed, if that was a deployment; by the playbook beside it where it has not all of them."""
        typed = self if self.phases else Command((), self.typed)
        if limited and phases and phases[0] in self.tags:
            # A person who typed some phases alone meant to go no further.
            phases = tuple(name for name in phases if name in self.tags)
        if DEPLOY in self.beside and not {*phases} <= {*self.phases}:
            typed = replace(typed, playbooks=(typed_playbook(self.typed.playbooks, DEPLOY),))
        else:
            typed = replace(typed, playbooks=self.playbooks)
            phases = tuple(name for name in phases if name in self.phases)
        tags = ALL if phases == plan else phases
        return replace(typed, tags=tags, limit=self.limit if limited else "") if phases else None


def _without(extra: str, names: t.Collection[str]) -> str:
    """Of `name=value …`, or of a mapping in JSON, what is left."""
    try:
        mapping = json.loads(extra)
        stored = {name: value for name, value in mapping.items() if name not in names}
        return extra if len(stored) == len(mapping) else json.dumps(stored) if stored else ""
    except (ValueError, AttributeError):
        pass
    pairs = PAIR.findall(extra)
    if PAIR.sub("", extra).strip():
        pairs = [extra]  # a quote is never closed
    left = [pair for pair in pairs if pair.partition("=")[0] not in names]
    return extra if len(left) == len(pairs) else " ".join(left)


def typed_playbook(place: str, playbook: str) -> str:
    """The one of that file name in `place`: a folder, or a collection's name with a dot behind it."""
    if place.endswith("."):
        return f"{place}{playbook.removesuffix('.yml')}"
    return f"{place}/{playbook}" if place else playbook


def quoted(word: str) -> str:
    """For a shell, in the marks that people type around a sentence where they are enough."""
    if "'" in word and not any(entry in word for entry in '"$`\\!'):
        return f'"{word}"'
    return shlex.quote(word)
