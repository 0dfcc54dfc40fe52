# SPDX-License-Identifier: GPL-3.0-or-later
"""Functions and procedures that the migrations define, with their bodies unread until one is called."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from functools import cached_property

from .names import Name, Types, input_types, items, strings, to_name
from .parser import Node, Parsed, parse, parse_plpgsql

if t.TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Routine:
    """`sql` is the whole CREATE; `options` are its clauses by name."""

    name: Name
    types: Types
    sql: str
    options: Mapping[str, Node]
    sql_body: Node | None
    set_path: Node | None
    """The VariableSetStmt of its own search path."""

    @property
    def volatile(self) -> bool:
        return strings([self.options.get("volatility", {})]) in ([], ["volatile"])

    @property
    def language(self) -> str:
        named = strings([self.options["language"]]) if "language" in self.options else ()
        return named[0].lower() if named else "sql"

    @property
    def text(self) -> str:
        parts = strings(items(self.options["as"])) if "as" in self.options else []
        return parts[0] if parts else ""

    @cached_property
    def statements(self) -> list[Parsed]:
        """Of a body in SQL; raises UnparsableError."""
        if self.sql_body is None:
            return parse(self.text)
        nodes = [part for each in items(self.sql_body) for part in items(each)]
        return [Parsed(node, self.sql) for node in nodes]

    @cached_property
    def plpgsql(self) -> Node:
        """Raises UnparsableError."""
        return parse_plpgsql(self.sql)


def read_routine(body: Node, sql: str) -> Routine:
    """Of a CreateFunctionStmt that `sql` consists of."""
    options: dict[str, Node] = {}
    set_path: Node | None = None
    for option in body.get("options", ()):
        element = option["DefElem"]
        options[element["defname"]] = element.get("arg", {})
        setting = element.get("arg", {}).get("VariableSetStmt", {})
        if setting.get("name", "").lower() == "search_path":
            set_path = setting
    return Routine(
        name=to_name(strings(body["funcname"])),
        types=input_types(body.get("parameters", ())),
        sql=sql,
        options=options,
        sql_body=body.get("sql_body"),
        set_path=set_path,
    )


def read_do(body: Node) -> tuple[str, str]:
    """Language and text of a DoStmt."""
    options = {each["DefElem"]["defname"]: each["DefElem"].get("arg", {}) for each in body["args"]}
    language = strings([options["language"]])[0].lower() if "language" in options else "plpgsql"
    text = strings([options["as"]]) if "as" in options else []
    return language, text[0] if text else ""
