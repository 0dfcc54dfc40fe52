# SPDX-License-Identifier: GPL-3.0-or-later
"""What the project remembers over a restart of this process, and the newest few thousand log lines of functions.

The lines' fields are those of function_logs in https://supabase.com/docs/guides/monitoring-and-debugging/log-field-reference.
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
import time
import typing as t
import uuid
from collections import deque
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from sandbox.supabase.functions import Function, Upload
from sandbox.world import write_private

MOST_LINES = 4_000
DEFAULT_LIMIT = 100
FUNCTION_ID = re.compile(r"function_id\s*=\s*'([^']*)'", re.IGNORECASE)
LEVEL = re.compile(r"\blevel\s*=\s*'([^']*)'", re.IGNORECASE)
CONTAINS = re.compile(r"regexp_contains\(\s*event_message\s*,\s*'([^']*)'\s*\)", re.IGNORECASE)
LIMIT = re.compile(r"\blimit\s+([0-9]+)", re.IGNORECASE)


@dataclass(frozen=True)
class LogLine:
    function_id: str
    slug: str
    level: t.Literal["log", "error"]
    message: str
    microseconds: int = field(default_factory=lambda: time.time_ns() // 1000)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def to_json(self) -> dict[str, object]:
        return {
            "id": self.id,
            "timestamp": self.microseconds,
            "event_message": self.message,
            "event_type": "Log",
            "function_id": self.function_id,
            "function_name": self.slug,
            "level": self.level,
        }


@dataclass(frozen=True)
class LogQuery:
    """What is understood of the SQL: a function's id, a level, a pattern and a limit. Times bound it, newest first."""

    function_id: str | None = None
    level: str | None = None
    pattern: re.Pattern[str] | None = None
    limit: int = DEFAULT_LIMIT
    start: int = 0
    end: int | None = None

    def matches(self, line: LogLine) -> bool:
        return (
            self.function_id in (None, line.function_id)
            and self.level in (None, line.level)
            and (self.pattern is None or self.pattern.search(line.message) is not None)
            and self.start <= line.microseconds <= (self.end or line.microseconds)
        )


class FunctionLogs:
    def __init__(self) -> None:
        self._lines: deque[LogLine] = deque(maxlen=MOST_LINES)

    def add(self, line: LogLine) -> None:
        self._lines.append(line)

    def find(self, query: LogQuery) -> list[LogLine]:
        matching = (line for line in reversed(self._lines) if query.matches(line))
        return list(itertools.islice(matching, query.limit))


def parse_query(parameters: t.Mapping[str, str]) -> LogQuery:
    """Raises ValueError when a time is not ISO 8601 or a pattern is none."""
    sql = parameters.get("sql", "")
    function_id = FUNCTION_ID.search(sql)
    level = LEVEL.search(sql)
    contains = CONTAINS.search(sql)
    limit = LIMIT.search(sql)
    end = parameters.get("iso_timestamp_end")
    return LogQuery(
        function_id=function_id[1] if function_id else None,
        level=level[1] if level else None,
        pattern=_pattern(contains[1]) if contains else None,
        limit=int(limit[1]) if limit else DEFAULT_LIMIT,
        start=_microseconds(parameters.get("iso_timestamp_start", "1970-01-01T00:00:00+00:00")),
        end=_microseconds(end) if end else None,
    )


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as exc:
        raise ValueError(str(exc)) from exc


def _microseconds(moment: str) -> int:
    parsed = datetime.fromisoformat(moment)
    return int((parsed if parsed.tzinfo else parsed.astimezone()).timestamp() * 1_000_000)


class Store:
    """Functions by slug and secrets by name in memory, each change written through to disk.

    Sources lie in folders named by their digest: two versions of the same bytes share one, and
    a version that is served is never written to.
    """

    def __init__(self, folder: Path) -> None:
        self._functions_file = folder / "functions.json"
        self._secrets_file = folder / "secrets.json"
        self._sources = folder / "sources"
        self.functions: dict[str, Function] = {
            entry["slug"]: Function(**entry) for entry in _read(self._functions_file)
        }
        self.secrets: dict[str, dict[str, str]] = {
            entry["name"]: entry for entry in _read(self._secrets_file)
        }
        """Each with name, value and updated_at."""

    def save_functions(self, changed: t.Iterable[Function]) -> None:
        self.functions = self.functions | {function.slug: function for function in changed}
        self._write_functions()

    def delete_function(self, slug: str) -> None:
        self.functions = {key: value for key, value in self.functions.items() if key != slug}
        self._write_functions()

    def save_secrets(self, secrets: dict[str, dict[str, str]]) -> None:
        self.secrets = secrets
        _write(self._secrets_file, list(secrets.values()))

    def source_folder(self, digest: str) -> Path:
        return self._sources / digest[:24]

    def save_sources(self, upload: Upload) -> None:
        folder = self.source_folder(upload.digest)
        if folder.exists():
            return
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        for path, content in upload.files.items():
            target = partial / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        partial.rename(folder)

    def read_sources(self, function: Function) -> dict[str, bytes]:
        folder = self.source_folder(function.ezbr_sha256)
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    def _write_functions(self) -> None:
        _write(self._functions_file, [asdict(entry) for entry in self.functions.values()])


def _read(path: Path) -> list[dict[str, t.Any]]:
    try:
        return t.cast("list[dict[str, t.Any]]", json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return []


def _write(path: Path, entries: list[t.Any]) -> None:
    partial = path.with_suffix(".partial")
    write_private(partial, json.dumps(entries).encode())
    partial.replace(path)
