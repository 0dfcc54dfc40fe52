# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible copies for each template and each role, and need not.

Each template wraps all variables of its task anew: a deployment 4,000 times 700. Each use of a role
copies its files word by word, though no word of them can change.
"""

from __future__ import annotations

import contextlib
import operator
import typing as t

FEW = 50
"""Variables that are wrapped as fast as they are compared."""
KEPT = 8
"""Sets of variables that a fork wraps once: those of its task, and of hosts that they name."""

Variables = dict[str, t.Any]


class Wrapped:
    """Variables as a template gets them, as long as they hold the same objects by the same names."""

    def __init__(self, variables: Variables, wrap: t.Callable[[t.Any], t.Any]) -> None:
        self._variables = variables  # kept, so that no other object gets its id
        self._names, self._values = [*variables], [*variables.values()]
        self.wrapped = dict(zip(self._names, map(wrap, self._values), strict=True))

    def serves(self, variables: Variables) -> bool:
        return (
            len(variables) == len(self._names)
            and all(map(operator.is_, variables, self._names))
            and all(map(operator.is_, variables.values(), self._values))
        )


def copy_less() -> None:
    """Have Ansible copy what may change alone, unless it does already, or is not as it is known."""
    with contextlib.suppress(ImportError, AttributeError):
        _wrap_once()
    with contextlib.suppress(ImportError, AttributeError):
        _keep_words()


def _wrap_once() -> None:
    from ansible._internal._templating import _jinja_bits, _lazy_containers  # noqa: PLC0415 - may go

    wraps = _jinja_bits._flatten_and_lazify_vars
    made, source = _lazy_containers._AnsibleLazyTemplateDict, _lazy_containers._LazyValueSource
    wrap, options = _lazy_containers._LazyValue, _lazy_containers.LazyOptions.DEFAULT
    context, tags_of = _jinja_bits.TemplateContext, _lazy_containers._try_get_internal_tags_mapping
    if hasattr(wraps, "__wrapped__"):
        return
    known: dict[int, Wrapped] = {}

    def wraps_once(variables: t.Any) -> t.Iterable[t.Any]:
        # Others are flattened there, one by one, and come back here.
        if type(variables) is not dict or len(variables) < FEW:
            return t.cast("t.Iterable[t.Any]", wraps(variables))
        wrapped = known.get(id(variables))
        if wrapped is None or not wrapped.serves(variables):
            if len(known) >= KEPT:
                known.clear()
            wrapped = known[id(variables)] = Wrapped(variables, wrap)
        given = source(
            source=wrapped.wrapped, templar=context.current().templar, lazy_options=options
        )
        return (made._instance_factory(given, tags_of(variables)),)

    wraps_once.__wrapped__ = wraps  # type: ignore[attr-defined] # one that wraps another says so
    _jinja_bits._flatten_and_lazify_vars = wraps_once


def _keep_words() -> None:
    """A text that says where it stands is copied as a text without it: not at all."""
    from ansible.module_utils._internal import _datatag  # noqa: PLC0415 - it may go

    def itself(word: t.Any, _memo: object) -> t.Any:
        return word

    for unchangeable in (_datatag._AnsibleTaggedStr, _datatag.AnsibleDatatagBase):
        if not hasattr(unchangeable, "__deepcopy__"):
            unchangeable.__deepcopy__ = itself
