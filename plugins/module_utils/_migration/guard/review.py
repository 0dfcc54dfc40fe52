# SPDX-License-Identifier: GPL-3.0-or-later
"""Class every statement of the files that will run."""

from __future__ import annotations

import typing as t

from ..execution import excerpt
from ..splitter import Statement, failing_line, without_leading_comments
from .classify import judge_statement
from .long_inserts import in_parts
from .models import Classification, Concern, Finding, Review, Source, count_verdicts, worst
from .names import words
from .parser import UnparsableError, parse
from .policies import without_policy
from .rules import concern
from .scope import Scope, Unit
from .world import World

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .catalog import Catalog


_COMMANDS = words(
    "ALTER BEGIN CALL COMMENT COMMIT CREATE DELETE DO DROP EXECUTE GRANT INSERT REVOKE SELECT SET UPDATE WITH"
)


def review(sources: Sequence[Source], catalog: Catalog | None, *, resets: bool = True) -> Review:
    """`sources` in the order they run; `resets` when each begins with the session's first settings.

    Without a catalog all that the files do not make is taken to exist, but for what they make IF NOT EXISTS.
    """
    world = World(catalog)
    judged: list[tuple[Unit, list[list[Concern]]]] = []
    for source in sources:
        world.begin_file(reset=resets)
        unit = Unit()
        judged.append((unit, _judge_file(source, world, unit)))
    told: list[Finding] = []
    verdicts: dict[str, t.Mapping[Classification, int]] = {}
    for source, (unit, concerns) in zip(sources, judged, strict=True):
        for index, found in without_policy(unit.enabled, world):
            concerns[index].append(found)
        verdicts[source.file] = count_verdicts(
            worst(each.verdict for each in of_statement) for of_statement in concerns
        )
        told += _to_findings(source, concerns)
    return Review(
        findings=tuple(each for each in told if each.verdict is not Classification.WARNING),
        warnings=tuple(each for each in told if each.verdict is Classification.WARNING),
        verdicts=verdicts,
    )


def _judge_file(source: Source, world: World, unit: Unit) -> list[list[Concern]]:
    """The concerns of each of its statements."""
    concerns: list[list[Concern]] = []
    for index, statement in enumerate(source.statements):
        scope = Scope(world, unit, judge_statement, statement.text, statement=index)
        found = list(_judge_text(statement, scope))
        verdict = worst(each.verdict for each in found)
        if verdict in (Classification.UNKNOWN, Classification.DESTRUCTIVE):
            world.facts.unclear = True
        if any(each.verdict is Classification.UNKNOWN for each in found):
            world.facts.rows_written = True
        concerns.append(found)
    for drop in unit.unsettled():
        concerns[drop.statement].append(drop.concern)
    return concerns


def _judge_text(statement: Statement, scope: Scope) -> Iterator[Concern]:
    for part in in_parts(statement.text):
        try:
            for node, sql in parse(part.text):
                yield from judge_statement(node, scope.reading(sql))
        except UnparsableError as exc:
            place = _point(statement, part.origin(exc.position))
            yield concern("syntax", f"it cannot be read: {exc}{place}")
            return
        except Exception as exc:
            yield concern("statement", f"it could not be judged ({type(exc).__name__})")


def _point(statement: Statement, position: int | None) -> str:
    if position is None:
        return ""
    before = statement.text[:position]
    line = statement.line + before.count("\n")
    return f", in line {line}, column {position - before.rfind(chr(10))}"


def _to_findings(source: Source, concerns: Sequence[Sequence[Concern]]) -> Iterator[Finding]:
    for index, of_statement in enumerate(concerns):
        for each in dict.fromkeys(of_statement):
            statement = source.statements[index]
            yield Finding(
                file=source.file,
                line=failing_line(statement, None),
                statement=index + 1,
                verdict=each.verdict,
                rule=each.rule,
                what=each.what,
                safe_way=each.safe_way,
                excerpt=_excerpt(statement, each),
            )


def _excerpt(statement: Statement, found: Concern) -> str:
    """Of what cannot be read no more than the command, for what looks like code may be the inside of a literal."""
    if found.rule != "syntax":
        return excerpt(statement.text)
    word = without_leading_comments(statement.text).partition(" ")[0].upper()
    return f"{word} …" if word in _COMMANDS else "…"
