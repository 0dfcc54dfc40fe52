"""Reads the corpus: cases of statements, each with the verdict and the rule it must get unless it is additive."""

import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.models import Source
from ansible_collections.easymo.deploy.plugins.module_utils._migration.splitter import split_script

CORPUS = Path(__file__).parent / "corpus"

_TITLE = re.compile(r"^-- == (.*)\n", re.M)
_FILE = re.compile(r"^-- file (.*)\n", re.M)
_LABEL = re.compile(r"^-- (warning|destructive|unknown): ([a-z-]+)$", re.M)
_NO_CATALOG = "-- without a catalog\n"


class Label(t.NamedTuple):
    verdict: str
    rule: str | None


@dataclass(frozen=True)
class Case:
    topic: str
    title: str
    known: bool
    """Whether the shop's catalog is known."""
    sources: tuple[Source, ...]

    @property
    def labels(self) -> dict[str, list[Label]]:
        """Of each statement of each file."""
        return {
            source.file: [_label(statement.text) for statement in source.statements]
            for source in self.sources
        }


def read_cases() -> list[Case]:
    return [case for path in sorted(CORPUS.glob("*.sql")) for case in _read(path)]


def _read(path: Path) -> t.Iterator[Case]:
    _before, *parts = _TITLE.split(path.read_text("utf-8"))
    for title, body in zip(parts[::2], parts[1::2], strict=True):
        first, *others = _FILE.split(body.replace(_NO_CATALOG, ""))
        files = dict(zip(others[::2], others[1::2], strict=True)) or {"migration.sql": first}
        yield Case(
            topic=path.stem,
            title=title,
            known=_NO_CATALOG not in body,
            sources=tuple(
                Source(name, split_script(text).statements) for name, text in files.items()
            ),
        )


def _label(statement: str) -> Label:
    found = _LABEL.search(statement)
    return Label(found[1], found[2]) if found else Label("additive", None)
