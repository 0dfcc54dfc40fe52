# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages by Jinja. What they are given is never taken for HTML.

Where in an answer a value is, in the words of https://jmespath.org.
"""

from __future__ import annotations

import typing as t

from ._errors import InputError, Library

JMESPATH = Library("jmespath >= 1.0")
with JMESPATH:
    import jmespath
    import jmespath.exceptions


def search(expression: str, document: t.Any) -> t.Any:
    """None where the document has nothing there."""
    try:
        return jmespath.search(expression, document)
    except jmespath.exceptions.ParseError as exc:
        raise InputError(
            f"{expression!r} is not JMESPath ({str(exc).splitlines()[0]}): see jmespath.org."
        ) from None
    except (jmespath.exceptions.JMESPathError, TypeError):
        # A function or a comparison is given what it cannot take: the document has another form.
        return None


def holds(expression: str, document: t.Any) -> bool:
    """Whether what is there is true, by JMESPath's rules: not false, null, or empty."""
    match = search(expression, document)
    return match is not None and match is not False and match not in ("", [], {})


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
