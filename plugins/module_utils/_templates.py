# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages by Jinja. What they are given is never taken for HTML."""

from __future__ import annotations

import typing as t

from ._library import Library

JINJA2 = Library("jinja2 >= 3.1")
with JINJA2:
    import jinja2
    import markupsafe


def template(
    source: str, *, autoescape: bool = True, **filters: t.Callable[..., t.Any]
) -> jinja2.Template:
    """A name that is not given is an error."""
    made = jinja2.Environment(
        autoescape=autoescape,  # noqa: S701 - off only for text
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(filters)
    return made.from_string(source)


def trusted(html: str) -> markupsafe.Markup:
    """HTML that we wrote ourselves."""
    return markupsafe.Markup(html)  # noqa: S704 - our own constants
