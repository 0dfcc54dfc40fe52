# SPDX-License-Identifier: GPL-3.0-or-later
"""A third-party library that may be missing where a module runs, and the sentence that says so."""

from __future__ import annotations

import traceback
import typing as t
from dataclasses import dataclass

from ansible.module_utils.basic import missing_required_lib

from ._errors import MissingLibraryError


@dataclass(eq=False)
class Library:
    """`requirement` as pip reads it; `import_error` is the traceback of the import that failed, else None.

    It is imported in a `with` over this, and its absence is told only where a module needs it.
    """

    requirement: str
    import_error: str | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> bool:
        missing = kind is not None and issubclass(kind, ImportError)
        if missing:
            self.import_error = traceback.format_exc()
        return missing


def refuse_missing(libraries: t.Iterable[Library]) -> None:
    """Raise for the first that is not installed."""
    for library in libraries:
        if library.import_error:
            raise MissingLibraryError(
                missing_required_lib(library.requirement), exception=library.import_error
            )
