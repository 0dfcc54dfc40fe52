# SPDX-License-Identifier: GPL-3.0-or-later
"""What the AI agents answer: each looks its subject up in the database and words the result."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from sandbox.services.routing import Agent

Row = t.Mapping[str, t.Any]
MENU_BUTTONS = ("Find vendors", "Fuel stations", "Book a ride", "Rent a home", "My wallet", "Help")


class Query(t.Protocol):
    """Asks the database; `$1` and so on are bound."""

    async def __call__(self, query: str, *arguments: object) -> list[t.Any]: ...


@dataclass(frozen=True)
class Reply:
    """What goes back to WhatsApp."""

    text: str
    buttons: tuple[str, ...] = ()
    results: tuple[t.Mapping[str, object], ...] = ()

    def to_dict(self) -> dict[str, object]:
        kind = "menu" if self.buttons else "text"
        return {
            "type": kind,
            "text": self.text,
            "buttons": list(self.buttons),
            "results": list(self.results),
        }


@dataclass(frozen=True)
class Question:
    """One message as an agent sees it."""

    number: str
    text: str
    name: str


@dataclass(frozen=True)
class Lookup:
    """A subject that one query answers; its $1, if it has one, is what `argument` names."""

    query: str
    found: str
    nothing: str
    argument: t.Literal["text", "number", "none"] = "none"


MENU = Reply("Welcome to EasyMO. What would you like to do?", MENU_BUTTONS)

VENDORS_QUERY = """
    with wanted as (select id from public.search_vendors($1, 5))
    select v.name, v.category, v.district, v.rating::float8 as rating, v.phone
    from public.vendors v
    where v.is_open and (v.id in (table wanted) or not exists (table wanted))
    order by v.rating desc, v.id limit 5
"""

LOOKUPS: t.Mapping[Agent, Lookup] = {
    "buyer": Lookup(
        VENDORS_QUERY, "I found {count} vendors for you:", "No vendor is open now.", "text"
    ),
    "station": Lookup(
        "select name, district, fuels from public.stations order by name limit 3",
        "The nearest fuel stations:",
        "I know of no station near you.",
    ),
    "driver": Lookup(
        "select vehicle, plate, district, rating::float8 as rating from public.drivers"
        " where is_online order by rating desc limit 3",
        "{count} drivers can take you now:",
        "No driver is on the road now.",
    ),
    "marketplace": Lookup(
        "select title as name, district, bedrooms, monthly_rent_rwf from public.properties"
        " order by listed_at desc limit 5",
        "The newest places:",
        "Nothing is listed now.",
    ),
    "vendor": Lookup(
        "select v.name, count(p.id) filter (where p.in_stock) as products from public.vendors v"
        " left join public.products p on p.vendor_id = v.id where v.phone = $1 group by v.id",
        "Your shop:",
        "You have no shop yet. Shall I open one for you?",
        "number",
    ),
    "admin": Lookup(
        "select agent as name, count(*) as requests from public.agent_requests"
        " where created_at > now() - interval '15 minutes' group by agent order by agent",
        "Requests of the last 15 minutes:",
        "No agent was asked in the last 15 minutes.",
    ),
}


async def answer(agent: Agent, question: Question, query: Query) -> Reply:
    """The agent's reply. What goes wrong is raised: the caller falls back to the menu."""
    lookup = LOOKUPS.get(agent)
    if lookup is None:
        return Reply(f"Hello {question.name}, how can I help you? Write MENU to see all we do.")
    bound = {"text": (question.text,), "number": (question.number,), "none": ()}[lookup.argument]
    rows: list[Row] = await query(lookup.query, *bound)
    if not rows:
        return Reply(lookup.nothing)
    lines = [lookup.found.format(count=len(rows)), *(_line(row) for row in rows)]
    return Reply("\n".join(lines), results=tuple(dict(row) for row in rows))


def _line(row: Row) -> str:
    return "• " + ", ".join(_worded(key, value) for key, value in row.items())


def _worded(key: str, value: object) -> str:
    if isinstance(value, list):
        return "/".join(map(str, value))
    if key.endswith("_rwf"):
        return f"RWF {value:,}"
    return (
        str(value)
        if key in ("name", "vehicle", "category", "district", "phone")
        else f"{key} {value}"
    )
